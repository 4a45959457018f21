//! The few requests of S3 that a backup needs, answered from memory on loopback.

use crate::http;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Held {
    objects: BTreeMap<String, Vec<u8>>,
    /// Uploads under way: parts by number.
    uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    parts: usize,
}

/// One bucket. The thread that answers ends with the process.
pub struct Bucket {
    port: u16,
    held: Arc<Mutex<Held>>,
}

struct Request {
    method: String,
    key: String,
    query: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Bucket {
    pub fn start(name: &str) -> Bucket {
        let held: Arc<Mutex<Held>> = Arc::default();
        let (shared, prefix) = (held.clone(), format!("/{name}/"));
        let port = http::serve(move |request| match read(request, &prefix) {
            Some(request) => answer(request, &mut shared.lock().expect("no panic")),
            None => ("404 Not Found", String::new(), Vec::new()),
        });
        Bucket { port, held }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn keys(&self) -> Vec<String> {
        self.held.lock().expect("no panic").objects.keys().cloned().collect()
    }

    /// How many parts of larger objects were sent.
    pub fn parts(&self) -> usize {
        self.held.lock().expect("no panic").parts
    }
}

/// What a request asks of the bucket; `None`: it is of another.
fn read(request: http::Request, prefix: &str) -> Option<Request> {
    let signed = request.headers.get("authorization").is_some_and(|v| v.contains("AWS4-HMAC-SHA256 Credential=an-id/"));
    assert!(signed, "a request without a signature");
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_string(), value.to_string())
    };
    let query = query.split('&').filter(|q| !q.is_empty()).map(pair).collect();
    let key = path.strip_prefix(prefix)?.to_string();
    Some(Request { method: request.method, key, query, body: request.body })
}

fn answer(request: Request, held: &mut Held) -> (&'static str, String, Vec<u8>) {
    let Request { method, key, query, body } = request;
    const DATE: &str = "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nETag: \"x\"\r\n";
    let upload = query.get("uploadId").cloned();
    match (method.as_str(), upload) {
        ("POST", None) if query.contains_key("uploads") => {
            let id = format!("u{}", held.uploads.len());
            held.uploads.insert(id.clone(), BTreeMap::new());
            let xml = format!(
                "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>{key}</Key><UploadId>{id}</UploadId>\
                 </InitiateMultipartUploadResult>"
            );
            ("200 OK", String::new(), xml.into_bytes())
        }
        ("PUT", Some(id)) => {
            let number = query.get("partNumber").and_then(|n| n.parse().ok()).expect("a part has a number");
            held.uploads.get_mut(&id).expect("it was begun").insert(number, body);
            held.parts += 1;
            ("200 OK", format!("ETag: \"part{number}\"\r\n"), Vec::new())
        }
        ("POST", Some(id)) => {
            let parts = held.uploads.remove(&id).expect("it was begun");
            held.objects.insert(key.clone(), parts.into_values().flatten().collect());
            let xml = format!(
                "<CompleteMultipartUploadResult><Bucket>b</Bucket><Key>{key}</Key><ETag>\"x\"</ETag>\
                 </CompleteMultipartUploadResult>"
            );
            ("200 OK", String::new(), xml.into_bytes())
        }
        ("DELETE", Some(id)) => {
            held.uploads.remove(&id);
            ("204 No Content", String::new(), Vec::new())
        }
        ("PUT", None) => {
            held.objects.insert(key, body);
            ("200 OK", "ETag: \"x\"\r\n".to_string(), Vec::new())
        }
        ("GET" | "HEAD", None) => match held.objects.get(&key) {
            Some(object) => ("200 OK", DATE.to_string(), object.clone()),
            None => ("404 Not Found", String::new(), Vec::new()),
        },
        _ => ("501 Not Implemented", String::new(), Vec::new()),
    }
}
