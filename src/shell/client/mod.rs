//! The MySQL front: listeners, one thread per client, TLS, time-outs. The protocol itself is `mysql`, what statements mean
//! is behind [`mysql::Handler`](crate::mysql::Handler).
//!
//! ```text
//! Front::accept_tcp ─▶ Front::serve ─▶ login (greeting, TLS, proofs) ─▶ commands, until quit, kill, silence or stop
//! ```
//!
//! Writing is lazy: answers collect in memory and go out when the loop is about to wait for the client, or when they are
//! many. So a pipelined COM_STMT_CLOSE + COM_QUERY costs one read and one write.
//!
//! Bounds against misbehaving clients: packets before the login have 128 KB and `connect_timeout` in all; a packet larger than
//! `max_allowed_packet` is not buffered; silence within a packet, between packets, or in taking answers closes the
//! connection. Connections beyond `max_connections` get error 1040, but for one administrator. Logins in progress do not
//! count among them; they have a bound of their own, beyond which the oldest of the greediest address must go, so that
//! half-open connections keep nobody out. An address that breaks off `max_connect_errors` logins within a minute is refused with
//! error 1129 for the rest of it. What strangers cause is logged once a minute and address.
//!
//! Everything is generic over `AsyncRead + AsyncWrite`, so the same code runs over TCP, Unix sockets, TLS, and the
//! simulator's network.

mod certificates;
mod commands;
mod connection;
mod hosts;
mod listener;
mod login;
mod tls;
mod transport;

pub use certificates::Certificates;
pub use hosts::Hosts;
pub use listener::{Front, FrontConfig, Limits, Peer};
pub use tls::Tls;
