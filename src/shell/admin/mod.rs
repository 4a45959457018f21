//! The admin address: what people and programs that watch a node ask, over plain HTTP, reading only.
//!
//! | path | answer |
//! |---|---|
//! | `/` | a page about the cluster, which asks for `/status.json` once a second |
//! | `/metrics` | everything counted and measured, in Prometheus' text format |
//! | `/healthz` | 200 while the driver's loop turns, 503 if it does not: then only a restart helps |
//! | `/readyz` | 200 while clients are served and QUORUM writes can succeed; else 503 and why |
//!
//! It runs beside the driver, on the runtime that accepts clients, so that it can tell when the driver does not answer; and
//! it listens before the node is started, so that it can tell how far that is. The two about health ask for no token.

mod exposition;
mod picture;
mod watch;

pub use watch::{Running, Watch};

use crate::config::Secret;
use base64::Engine;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Connections at one time; more wait until one ends.
const CONNECTIONS: usize = 64;
/// Whoever says nothing for this long is hung up on.
const PATIENCE: Duration = Duration::from_secs(10);
/// After an error of the operating system.
const PAUSE: Duration = Duration::from_millis(100);
/// Nothing on the page comes from elsewhere, and nothing else may hold it.
const CONTENT_POLICY: &str = "default-src 'self'; img-src data:; frame-ancestors 'none'";

/// What is served besides what is computed: path, type and content.
const FILES: [(&str, &str, &str); 3] = [
    ("/", "text/html; charset=utf-8", include_str!("index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("style.css")),
    ("/script.js", "text/javascript; charset=utf-8", include_str!("script.js")),
];

/// Serves what `watch` sees until the runtime ends.
pub async fn serve(listener: TcpListener, watch: Arc<Watch>, token: Secret) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let token = Arc::new(token);
    loop {
        // It is never closed.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let conversation = converse(stream, watch.clone(), token.clone());
                tokio::spawn(async move {
                    conversation.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "accepting on the admin address failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, watch: Arc<Watch>, token: Arc<Secret>) {
    let service = service_fn(move |request| {
        let (watch, token) = (watch.clone(), token.clone());
        async move { Ok::<_, Infallible>(answer(&request, &watch, &token).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(16 << 10);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection of the admin address ended");
    }
}

async fn answer(request: &Request<Incoming>, watch: &Watch, token: &Secret) -> Response<Full<Bytes>> {
    let mut response = route(request.method(), request.uri().path(), request.headers(), watch, token).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY));
    response
}

async fn route(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    watch: &Watch,
    token: &Secret,
) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "this address is for reading");
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match path {
        "/healthz" => return judged(watch.health().await),
        "/readyz" => return judged(watch.readiness().await),
        _ => {}
    }
    if !is_let_in(headers, token) {
        let mut refused = plain(StatusCode::UNAUTHORIZED, "the token of this address is wanted");
        let wanted = HeaderValue::from_static("Basic realm=\"Marmot\", charset=\"UTF-8\"");
        refused.headers_mut().insert(header::WWW_AUTHENTICATE, wanted);
        return refused;
    }
    if let Some((_, kind, content)) = FILES.iter().find(|(name, ..)| *name == path) {
        return of_type(StatusCode::OK, kind, *content);
    }
    match path {
        "/metrics" => match exposition::text(watch).await {
            Ok(text) => of_type(StatusCode::OK, prometheus::TEXT_FORMAT, text),
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        },
        "/status.json" => match serde_json::to_string(&picture::Picture::of(watch).await) {
            Ok(text) => of_type(StatusCode::OK, "application/json", text),
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        },
        _ => plain(StatusCode::NOT_FOUND, "there is / and /metrics, /healthz, /readyz, /status.json"),
    }
}

/// Whether a request has the token: as bearer, or as the password of any user.
fn is_let_in(headers: &HeaderMap, token: &Secret) -> bool {
    if token.is_empty() {
        return true;
    }
    let Some(said) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) else { return false };
    let Some((scheme, rest)) = said.split_once(' ') else { return false };
    if scheme.eq_ignore_ascii_case("bearer") {
        return Secret::new(rest.trim()) == *token;
    }
    let password = || {
        let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok()?;
        let pair = String::from_utf8(decoded).ok()?;
        pair.split_once(':').map(|(_, password)| Secret::new(password))
    };
    scheme.eq_ignore_ascii_case("basic") && password().is_some_and(|password| password == *token)
}

/// 200, or 503 and why.
fn judged(verdict: Result<(), String>) -> Response<Full<Bytes>> {
    match verdict {
        Ok(()) => plain(StatusCode::OK, "ok"),
        Err(why) => plain(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

fn plain(status: StatusCode, text: impl Into<String>) -> Response<Full<Bytes>> {
    of_type(status, "text/plain; charset=utf-8", text.into() + "\n")
}

fn of_type(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn let_in(said: Option<&str>, token: &str) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(said) = said {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(said).expect("a header"));
        }
        is_let_in(&headers, &Secret::new(token))
    }

    #[test]
    fn the_token_opens_and_nothing_else_does() {
        assert!(let_in(None, "") && let_in(Some("Bearer x"), ""), "without a token everybody is let in");
        // "anybody:t:0" and ":t", and something that is not base64.
        for said in ["Bearer t:0", "bearer t:0", "Basic YW55Ym9keTp0OjA=", "basic YW55Ym9keTp0OjA="] {
            assert!(let_in(Some(said), "t:0"), "{said}");
        }
        for said in ["Bearer", "Bearer t", "t:0", "Basic OnQ=", "Basic %%%", "Digest t:0", "Bearer t:00"] {
            assert!(!let_in(Some(said), "t:0"), "{said}");
        }
        assert!(!let_in(None, "t:0"));
    }
}
