//! When an attempt of a statement that met a conflict is made again, and when it is given up.

use super::refusal;
use super::server::Server;
use crate::core::Refusal;
use crate::mysql::SqlError;
use crate::types::{Mono, Span, Stamp};

/// Between attempts: from the second on, doubling, with up to as much again at random.
const SHORTEST: Span = Span::from_millis(1);
const LONGEST: Span = Span::from_millis(64);
/// Where a schema is what is waited for: the members keep the turn of who is refused, and others wait for it meanwhile.
const LONGEST_IN_TURN: Span = Span::from_millis(8);

/// The attempts of one statement.
#[derive(Debug)]
pub struct Retry {
    deadline: Mono,
    /// The precedence of the first attempt: kept, so that nobody starves.
    begin: Option<Stamp>,
    attempts: u32,
    longest: Span,
}

impl Retry {
    /// The first attempt begins now.
    pub fn new(server: &Server, lock_wait: Span) -> Retry {
        Retry { deadline: server.clock.now().mono.after(lock_wait), begin: None, attempts: 0, longest: LONGEST }
    }

    /// As [`Retry::new`], for who waits for a schema.
    pub fn in_turn(server: &Server, lock_wait: Span) -> Retry {
        Retry { longest: LONGEST_IN_TURN, ..Retry::new(server, lock_wait) }
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
        self.pause(server, self.longest).await
    }

    /// The schema changed under an attempt: returns when the next one is due.
    ///
    /// # Errors
    /// 1205 after too long.
    pub async fn schema_moved(&mut self, server: &Server) -> Result<(), SqlError> {
        self.pause(server, LONGEST_IN_TURN).await
    }

    async fn pause(&mut self, server: &Server, longest: Span) -> Result<(), SqlError> {
        if self.left(server) == Span::ZERO {
            return Err(refusal::lock_wait_timeout());
        }
        server.counters().retry();
        self.attempts += 1;
        if self.attempts > 1 {
            let span = SHORTEST.times(1 << (self.attempts - 2).min(6)).min(longest);
            let jitter = Span(server.random() % span.0.max(1));
            server.clock.sleep(Span(span.0 + jitter.0).min(self.left(server))).await;
        }
        Ok(())
    }
}
