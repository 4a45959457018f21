//! What the driver does while nothing more fits on the disk.
//!
//! A round that found no room is not durable, and so nothing that rests on it may leave the node. Nothing of it is lost
//! either: the core has stepped, its effects wait. So the node stands still, as a frozen process does, and the others go on
//! without it; the round is written again and again until it fits, and then all goes on. That is safe because the write
//! itself failed, before any sync: after a failed sync nobody knows what is on disk, and the process ends.
//!
//! Meanwhile local reads go on, which do not come by here. Who wants to write, or to read at QUORUM, is refused; who waited
//! already is told in the end that its outcome is unknown.

use super::{Driver, Event, LOOK_EVERY, Report};
use crate::core::{Fatal, Input, Refusal, Request, Response};
use crate::session::CoreCall;
use crate::shell::metrics::observe;
use crate::types::{ClientId, Mono, Span};
use tokio::sync::oneshot;
use tokio::time::sleep_until;

/// A session that waits for an answer.
pub(super) struct Waiting {
    reply: oneshot::Sender<Response>,
    since: Mono,
    only_reads: bool,
}

impl Waiting {
    pub(super) fn new(reply: oneshot::Sender<Response>, request: &Request, since: Mono) -> Waiting {
        Waiting { reply, since, only_reads: matches!(request, Request::Barrier(_)) }
    }

    pub(super) fn answer(self, response: Response) {
        // A session that is gone does not want to know.
        let _ = self.reply.send(response);
    }

    /// Its request may have been done, or will be; only a read can be called off.
    fn give_up(self) {
        if self.only_reads {
            self.answer(Response::Refused(Refusal::DiskFull));
        }
    }
}

/// The state of a driver without room on its disk.
pub(super) struct Standstill {
    /// The applier waits for room.
    pub(super) files_are_full: bool,
    /// What came during a standstill and is for the core.
    pub(super) missed: Vec<Event>,
    /// The last client that the core heard of.
    pub(super) latest: ClientId,
    /// How long sessions wait at most.
    patience: Span,
}

impl Standstill {
    pub(super) fn new(patience: Span) -> Standstill {
        Standstill { files_are_full: false, missed: Vec::new(), latest: ClientId::default(), patience }
    }

    /// The applier says that the files found no room, or found some again.
    pub(super) fn files_are_full(&mut self, are_full: bool) {
        self.files_are_full = are_full;
        if are_full {
            tracing::error!("disk full: the database files wait for room; no new work is taken, reads go on");
        } else {
            tracing::info!("there is room on the disk again: the database files go on");
        }
    }
}

impl Driver {
    /// Makes the rounds held durable, however long the disk is full.
    pub(super) async fn commit(&mut self) -> Result<(), Fatal> {
        let mut stood_still = false;
        loop {
            let dirty = self.store.is_dirty();
            let since = self.clock.now().mono;
            let committed = self.store.commit();
            if dirty && committed.is_ok() {
                observe(&self.metrics.redo_sync, self.clock.now().mono.since(since));
                self.metrics.rounds.inc();
                self.metrics.redo_bytes.set(i64::try_from(self.store.redo_bytes()).unwrap_or(i64::MAX));
            }
            if committed != Err(Fatal::DiskFull) {
                if stood_still {
                    tracing::info!("there is room on the disk again: the node goes on");
                }
                return committed;
            }
            if !std::mem::replace(&mut stood_still, true) {
                tracing::error!("disk full: this node stands still until there is room; it answers local reads");
            }
            self.stand_still().await?;
        }
    }

    /// Refuses what sessions want until it is time to try again. What peers say waits where it is.
    async fn stand_still(&mut self) -> Result<(), Fatal> {
        let until = self.clock.instant(self.clock.now().mono.after(LOOK_EVERY));
        loop {
            tokio::select! {
                biased;
                () = sleep_until(until) => break,
                Some(report) = self.channels.reports.recv() => match report {
                    Report::Failed(fatal) => return Err(fatal),
                    report => self.standstill.missed.push(Event::Report(report)),
                },
                Some(call) = self.channels.calls.recv() => match call {
                    CoreCall::Request { reply, .. } => {
                        let _ = reply.send(Response::Refused(Refusal::DiskFull));
                    }
                    // The core never heard of those who came since.
                    CoreCall::Gone(client) if client > self.standstill.latest => {}
                    gone @ CoreCall::Gone(_) => self.standstill.missed.push(Event::Call(gone)),
                },
            }
        }
        self.give_up_waiting();
        Ok(())
    }

    /// Tells sessions that have waited for too long what can be told, and has the core forget them.
    pub(super) fn give_up_waiting(&mut self) {
        let now = self.clock.now().mono;
        let patience = self.standstill.patience;
        let late: Vec<ClientId> =
            self.clients.iter().filter(|(_, w)| w.since.after(patience) <= now).map(|(client, _)| *client).collect();
        for client in late {
            if let Some(waiting) = self.clients.remove(&client) {
                waiting.give_up();
            }
            // Else the answer could reach what the same session asks next.
            self.standstill.missed.push(Event::Input(Input::ClientGone(client)));
        }
    }
}
