//! One client's connection: packets in, packets out, and how it ends.

use super::transport::{Socket, Transport};
use crate::mysql::{Answer, CapabilityFlags, Inbound, LOGIN_PACKET_MAX, NET_READ_INTERRUPTED, Outbound, SqlError};
use crate::session::Counters;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Most bytes thrown away while a client that sent too much is told so.
const LINGER_BYTES: u64 = 2 << 30;
/// Bytes read at once of what is thrown away.
const SKIPPED_AT_ONCE: usize = 64 << 10;
/// Longest time for that.
const LINGER_TIME: Duration = Duration::from_secs(10);

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client said so or is gone.
    Gone,
    /// The client is to be told why.
    Error(SqlError),
    /// As `Error`, but the client may be in the middle of sending: what it sends is read until it notices.
    Unreadable(SqlError),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> End {
        tracing::debug!(%error, "client connection lost");
        End::Gone
    }
}

/// The protocol's state of one connection, but for the session.
pub(super) struct Connection<S> {
    pub transport: Transport<S>,
    pub inbound: Inbound,
    pub outbound: Outbound,
    pub capabilities: CapabilityFlags,
}

impl<S: Socket> Connection<S> {
    pub fn new(stream: S, write_timeout: Duration, counters: Arc<Counters>) -> Self {
        Connection {
            transport: Transport::new(stream, write_timeout, counters),
            inbound: Inbound::new(LOGIN_PACKET_MAX),
            outbound: Outbound::new(),
            capabilities: CapabilityFlags::empty(),
        }
    }

    pub fn answer(&mut self) -> Answer<'_> {
        Answer::new(&mut self.outbound, self.capabilities)
    }

    pub async fn send(&mut self) -> Result<(), End> {
        Ok(self.transport.send(&mut self.outbound).await?)
    }

    /// Makes the next packet of an exchange in progress the current one: sends what is buffered, then waits at most
    /// `patience` for each piece. The answer's number follows the packet's.
    pub async fn next_packet(&mut self, patience: Duration) -> Result<(), End> {
        self.send().await?;
        self.inbound.expect_sequence(self.outbound.sequence());
        while !self.inbound.advance().map_err(|broken| End::Unreadable(broken.into()))? {
            self.read(patience).await?;
        }
        self.number_answers();
        Ok(())
    }

    /// Reads once. Silence beyond `patience` within a packet is error 1159.
    pub async fn read(&mut self, patience: Duration) -> Result<(), End> {
        let wanted = self.inbound.wanted();
        match timeout(patience, self.transport.read(self.inbound.buffer(), wanted)).await {
            Ok(read) => Ok(read?),
            Err(_) => Err(End::Error(NET_READ_INTERRUPTED.with(&[]))),
        }
    }

    /// Throws away the rest of a packet that is too large: a client in the middle of sending does not listen, and expects
    /// the answer to be numbered after its last frame.
    pub async fn skip_packet(&mut self) {
        let skip = async {
            let mut total = 0;
            while !self.inbound.skip() && total < LINGER_BYTES {
                if self.transport.read(self.inbound.buffer(), SKIPPED_AT_ONCE).await.is_err() {
                    return;
                }
                total += self.inbound.buffer().len() as u64;
            }
        };
        // A client that takes longer is told all the same.
        let _ = timeout(LINGER_TIME, skip).await;
    }

    /// Answers to the current packet count from the number after it.
    pub fn number_answers(&mut self) {
        self.outbound.set_sequence(self.inbound.next_sequence());
        self.outbound.set_compressed_sequence(self.inbound.next_compressed_sequence());
    }

    /// Tells the client why, if it is to be told, and closes.
    pub async fn close(mut self, end: End) {
        let (error, linger) = match end {
            End::Gone => (None, false),
            End::Error(error) => (Some(error), false),
            End::Unreadable(error) => (Some(error), true),
        };
        if let Some(error) = error {
            tracing::debug!(%error, "closing a client connection");
            self.answer().error(&error);
        }
        if self.send().await.is_err() {
            return;
        }
        self.transport.shutdown().await;
        if linger {
            // Closing a socket with unread bytes would reset it, and the client might never read the error.
            let _ = timeout(LINGER_TIME, self.discard()).await;
        }
    }

    async fn discard(&mut self) {
        let (mut buffer, mut total) = (Vec::new(), 0);
        while total < LINGER_BYTES && self.transport.read(&mut buffer, 64 << 10).await.is_ok() {
            total += buffer.len() as u64;
            buffer.clear();
        }
    }
}
