//! Schema changes: lock first, look afterwards, then commit like everything else.

use super::coordinator::Phase;
use crate::core::effect::Response;
use crate::core::fault::{Fatal, Refusal};
use crate::core::message::{Body, Claim};
use crate::core::node::{Io, Node};
use crate::types::{ClientId, DatabaseName, Key, KeyAccess, Mode, Span, Stamp, TxnId, WriteLevel, WriteSet};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Node {
    /// Takes `Schema(database)` in Write on a quorum; the barrier follows.
    pub(crate) fn on_lock_schema(
        &mut self,
        io: &mut Io<'_>,
        client: ClientId,
        databases: Vec<DatabaseName>,
        begin: Option<Stamp>,
        lock_wait: Span,
    ) -> Result<(), Fatal> {
        if let Some(refusal) = self.not_accepting(io, 0) {
            io.out.reply(client, Response::Refused(refusal));
            return Ok(());
        }
        let txn = self.position(io)?;
        let own = Stamp { hlc: self.clock.tick(self.now.wall), node: self.id };
        let begin = begin.unwrap_or(own);
        let hold = |database| KeyAccess { key: Key::Schema(database), mode: Mode::Write };
        let holds = databases.into_iter().map(hold).collect();
        let body = Body::Write(Arc::new(WriteSet { holds, ..WriteSet::default() }));
        let record = self.record(txn, begin, WriteLevel::Quorum, body);
        let claim = Claim { lock_only: true, ..Claim::default() };
        let deadline = self.now.mono.after(lock_wait.max(self.config.timing.write_timeout));
        self.coordinate(io, record, claim, Some(client), Phase::Locking, deadline);
        Ok(())
    }

    /// The barrier of a schema lock is done: everything committed under the old schema is applied here.
    pub(crate) fn schema_locked(&mut self, io: &mut Io<'_>, txn: TxnId) {
        let deadline = self.now.mono.after(self.config.timing.schema_lock);
        if let Some(c) = self.coordinating.get_mut(&txn)
            && let Some(client) = c.client
        {
            c.phase = Phase::Locked;
            c.deadline = deadline;
            io.out.reply(client, Response::SchemaLocked { txn });
        }
    }

    /// The session executed under its schema lock: prepare the same transaction with its write set.
    pub(crate) fn on_commit_locked(
        &mut self,
        io: &mut Io<'_>,
        client: ClientId,
        txn: TxnId,
        write_set: Arc<WriteSet>,
    ) -> Result<(), Fatal> {
        let limit = self.config.limits.write_set_bytes;
        let size = write_set.size();
        let locked = self.coordinating.get(&txn).filter(|c| c.phase == Phase::Locked && c.client == Some(client));
        let Some(locked) = locked else {
            io.out.reply(client, Response::Refused(Refusal::LockLost));
            return Ok(());
        };
        let begin = locked.record.begin;
        let accesses =
            |w: &WriteSet| w.accesses().map(|a| a.key).filter(|k| matches!(k, Key::Schema(_))).collect::<BTreeSet<_>>();
        let Body::Write(lock) = &locked.record.body else { return Ok(()) };
        if accesses(&write_set) != accesses(lock) {
            let why = "the write set must hold exactly the schema that was locked".to_string();
            return self.give_up_locked(io, client, txn, Refusal::Membership(why));
        }
        if size > limit {
            return self.give_up_locked(io, client, txn, Refusal::TooLarge { size, limit });
        }
        let record = self.record(txn, begin, WriteLevel::Quorum, Body::Write(write_set));
        if record.epoch != locked.record.epoch {
            return self.give_up_locked(io, client, txn, Refusal::LockLost);
        }
        let claim = self.claim(io, &record)?;
        let deadline = self.now.mono.after(self.config.timing.write_timeout);
        self.coordinate(io, record, claim, Some(client), Phase::Preparing, deadline);
        Ok(())
    }

    fn give_up_locked(&mut self, io: &mut Io<'_>, client: ClientId, txn: TxnId, refusal: Refusal) -> Result<(), Fatal> {
        self.give_up(io, txn, refusal.clone())?;
        io.out.reply(client, Response::Refused(refusal));
        Ok(())
    }

    pub(crate) fn on_abort_locked(&mut self, io: &mut Io<'_>, client: ClientId, txn: TxnId) -> Result<(), Fatal> {
        let mine = self.coordinating.get(&txn).is_some_and(|c| c.client == Some(client) && c.phase == Phase::Locked);
        if mine {
            self.give_up(io, txn, Refusal::LockLost)?;
        }
        io.out.reply(client, Response::Refused(Refusal::LockLost));
        Ok(())
    }
}
