//! The byte stream to one client: plain, or TLS after the client asked for it.

use crate::mysql::{Drain, Encryption, Outbound};
use crate::session::Counters;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

/// A socket to or from which one client speaks.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Socket for S {}

/// Least space offered to a read.
const READ_BYTES: usize = 8 << 10;
/// Most space offered ahead of bytes that a header only promises.
const READ_AHEAD: usize = 1 << 20;

/// The stream and how long it may refuse bytes.
pub(super) struct Transport<S> {
    stream: Stream<S>,
    pub write_timeout: Duration,
    counters: Arc<Counters>,
}

enum Stream<S> {
    Plain(S),
    Tls(Box<TlsStream<Prefixed<S>>>),
    /// A TLS handshake failed.
    Gone,
}

impl<S: Socket> Transport<S> {
    pub fn new(stream: S, write_timeout: Duration, counters: Arc<Counters>) -> Self {
        Transport { stream: Stream::Plain(stream), write_timeout, counters }
    }

    pub fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// What encrypts the link; `None`: nothing.
    pub fn encryption(&self) -> Option<Encryption> {
        let Stream::Tls(stream) = &self.stream else { return None };
        let (_, session) = stream.get_ref();
        let version = session.protocol_version().and_then(|v| v.as_str()).unwrap_or_default();
        let suite = session.negotiated_cipher_suite().and_then(|s| s.suite().as_str()).unwrap_or_default();
        Some(Encryption { version: version.replace("TLSv1_", "TLSv1."), cipher: openssl_name(suite) })
    }

    /// Takes the server's side of a TLS handshake. `received` is what came after the request: it belongs to TLS, never to
    /// the protocol (else someone on the wire could slip commands in before the encryption).
    pub async fn upgrade(&mut self, acceptor: &tokio_rustls::TlsAcceptor, received: Vec<u8>) -> io::Result<()> {
        match std::mem::replace(&mut self.stream, Stream::Gone) {
            Stream::Plain(stream) => {
                let tls = acceptor.accept(Prefixed { prefix: received, at: 0, stream }).await?;
                self.stream = Stream::Tls(Box::new(tls));
                Ok(())
            }
            other => {
                self.stream = other;
                Err(io::ErrorKind::InvalidInput.into())
            }
        }
    }

    /// Appends what the client sent, at least one byte; `UnexpectedEof` if it is gone. Cancelling loses nothing.
    pub async fn read(&mut self, buffer: &mut Vec<u8>, wanted: usize) -> io::Result<()> {
        buffer.reserve(wanted.clamp(READ_BYTES, READ_AHEAD));
        let n = match &mut self.stream {
            Stream::Plain(stream) => stream.read_buf(buffer).await?,
            Stream::Tls(stream) => stream.read_buf(buffer).await?,
            Stream::Gone => 0,
        };
        self.counters.received(n);
        if n == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Writes and flushes `bytes`; every step may take as long as the time-out.
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let patience = self.write_timeout;
        match &mut self.stream {
            Stream::Plain(stream) => write_all(stream, bytes, patience).await,
            Stream::Tls(stream) => write_all(stream.as_mut(), bytes, patience).await,
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Sends what is buffered.
    pub async fn send(&mut self, out: &mut Outbound) -> io::Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        self.counters.sent(out.wire().len());
        let sent = self.write(out.wire()).await;
        out.sent();
        sent
    }

    /// Closes our side, so that the client sees the end after what was sent.
    pub async fn shutdown(&mut self) {
        let patience = self.write_timeout.min(Duration::from_secs(2));
        let closing = async {
            match &mut self.stream {
                Stream::Plain(stream) => stream.shutdown().await,
                Stream::Tls(stream) => stream.shutdown().await,
                Stream::Gone => Ok(()),
            }
        };
        // The connection ends either way.
        let _ = timeout(patience, closing).await;
    }
}

async fn write_all<W: AsyncWrite + Unpin>(stream: &mut W, mut bytes: &[u8], patience: Duration) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = timeout(patience, stream.write(bytes)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[n..];
    }
    timeout(patience, stream.flush()).await.map_err(|_| io::ErrorKind::TimedOut)?
}

impl<S: Socket> Drain for Transport<S> {
    fn drain<'a>(&'a mut self, out: &'a mut Outbound) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send + 'a>> {
        Box::pin(self.send(out))
    }
}

/// A stream before which some bytes have been read already.
struct Prefixed<S> {
    prefix: Vec<u8>,
    at: usize,
    stream: S,
}

impl<S: Socket> AsyncRead for Prefixed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let rest = &self.prefix[self.at..];
        if rest.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, out);
        }
        let n = rest.len().min(out.remaining());
        out.put_slice(&rest[..n]);
        self.at += n;
        if self.at == self.prefix.len() {
            (self.prefix, self.at) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Socket> AsyncWrite for Prefixed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
/// A cipher suite's name as MySQL shows it, which is OpenSSL's: `TLS_AES_256_GCM_SHA384` of TLS 1.3, and of TLS 1.2
/// `ECDHE-ECDSA-AES256-GCM-SHA384`.
fn openssl_name(suite: &str) -> String {
    if let Some(name) = suite.strip_prefix("TLS13_") {
        return format!("TLS_{name}");
    }
    let name = suite.trim_start_matches("TLS_").replace("_WITH_", "_").replace("AES_", "AES").replace('_', "-");
    name.strip_suffix("POLY1305-SHA256").map(|start| format!("{start}POLY1305")).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::openssl_name;

    #[test]
    fn cipher_suites_have_the_names_that_mysql_shows() {
        for (suite, name) in [
            ("TLS13_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
            ("TLS13_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
            ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
            ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"),
        ] {
            assert_eq!(openssl_name(suite), name);
        }
    }
}
