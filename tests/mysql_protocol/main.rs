//! The MySQL front over real sockets: a toy session behind it, a real client library and hand-written packets before it.
#![cfg(all(feature = "shell", not(madsim)))]

mod driver;
mod server;
mod wire;
