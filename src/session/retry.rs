//! When an attempt of a statement that met a conflict is made again, and when it is given up.

use super::refusal;
use super::server::Server;
use crate::core::Refusal;
use crate::mysql::SqlError;
use crate::types::{Mono, Span, Stamp};

/// Between attempts: from the second conflict on, doubling, with up to as much again at random.
const SHORTEST: Span = Span::from_millis(1);
const LONGEST: Span = Span::from_millis(64);

/// The attempts of one statement.
#[derive(Debug)]
pub struct Retry {
    deadline: Mono,
    /// The precedence of the first attempt: kept, so that nobody starves.
    begin: Option<Stamp>,
    conflicts: u32,
}

impl Retry {
    /// The first attempt begins now.
    pub fn new(server: &Server, lock_wait: Span) -> Retry {
        Retry { deadline: server.clock.now().mono.after(lock_wait), begin: None, conflicts: 0 }
    }

    pub fn begin(&self) -> Option<Stamp> {
        self.begin
    }

    /// How long the next attempt may wait for keys.
    pub fn left(&self, server: &Server) -> Span {
        self.deadline.since(server.clock.now().mono)
    }

    /// An attempt was refused: returns when the next one is due.
    ///
    /// # Errors
    /// What the client gets, if there is no next attempt: 1205 after too long, or the refusal itself where repeating it
    /// would not help or would not be safe.
    pub async fn after(&mut self, server: &Server, refused: &Refusal) -> Result<(), SqlError> {
        match refused {
            Refusal::Conflict { begin } => {
                self.begin.get_or_insert(*begin);
            }
            Refusal::SnapshotTooOld => {}
            other => return Err(refusal::to_sql(other)),
        }
        self.again(server).await
    }

    /// An attempt came to nothing, for a reason that passes: returns when the next one is due.
    ///
    /// # Errors
    /// 1205 after too long.
    pub async fn again(&mut self, server: &Server) -> Result<(), SqlError> {
        if self.left(server) == Span::ZERO {
            return Err(refusal::lock_wait_timeout());
        }
        server.counters().retry();
        self.conflicts += 1;
        if self.conflicts > 1 {
            let span = SHORTEST.times(1 << (self.conflicts - 2).min(6)).min(LONGEST);
            let jitter = Span(server.random() % span.0.max(1));
            server.clock.sleep(Span(span.0 + jitter.0).min(self.left(server))).await;
        }
        Ok(())
    }
}
