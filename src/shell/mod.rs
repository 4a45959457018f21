//! The only tokio, sockets and clocks.

pub mod client;
