//! Somebody in the middle who writes down what passes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Passes connections on to a port until the process ends.
pub struct Proxy {
    pub port: u16,
    /// What the dialer of each connection said.
    said: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Proxy {
    pub fn to(target: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let said = Arc::new(Mutex::new(Vec::new()));
        let records: Arc<Mutex<Vec<Vec<u8>>>> = said.clone();
        std::thread::spawn(move || {
            for dialer in listener.incoming().flatten() {
                // Nobody listens there yet, or any more: the dialer sees its connection end.
                let Ok(listening) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                let number = {
                    let mut records = records.lock().expect("no panic");
                    records.push(Vec::new());
                    records.len() - 1
                };
                let (back, forth) = (listening.try_clone().expect("a handle"), dialer.try_clone().expect("a handle"));
                let records = records.clone();
                std::thread::spawn(move || {
                    pass(dialer, listening, |bytes| records.lock().expect("no panic")[number].extend_from_slice(bytes));
                });
                std::thread::spawn(move || pass(back, forth, |_| ()));
            }
        });
        Proxy { port, said }
    }

    /// What the dialer of each connection said until now.
    pub fn said(&self) -> Vec<Vec<u8>> {
        self.said.lock().expect("no panic").clone()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut record: impl FnMut(&[u8])) {
    let mut buffer = [0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        record(&buffer[..n]);
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
