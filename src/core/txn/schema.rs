//! Schema changes: lock first, look afterwards, then commit like everything else.

use super::coordinator::{CommitRequest, Coordination, Phase};
use crate::core::barrier::Purpose;
use crate::core::effect::Response;
use crate::core::fault::{Fatal, Refusal};
use crate::core::message::{Body, Claim};
use crate::core::node::{Io, Node};
use crate::types::{ClientId, DatabaseName, Key, KeyAccess, Mode, NodeId, Span, Stamp, TxnId, WriteLevel, WriteSet};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The schemas of which a write set holds something.
fn schemas(write_set: &WriteSet) -> BTreeSet<Key> {
    write_set.accesses().map(|access| access.key).filter(|key| matches!(key, Key::Schema(_))).collect()
}

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
        let own = Stamp { hlc: self.clock.tick(self.now.wall), node: self.id };
        let begin = begin.unwrap_or(own);
        let hold = |database| KeyAccess { key: Key::Schema(database), mode: Mode::Write };
        let write_set = WriteSet { holds: databases.into_iter().map(hold).collect(), ..WriteSet::default() };
        if self.turn_before(begin, &write_set).is_some() {
            io.out.reply(client, Response::Refused(Refusal::Conflict { begin }));
            return Ok(());
        }
        let txn = self.position(io)?;
        let record = self.record(txn, begin, WriteLevel::Quorum, Body::Write(Arc::new(write_set)));
        let claim = Claim { lock_only: true, ..Claim::default() };
        let deadline = self.now.mono.after(lock_wait.max(self.config.timing.write_timeout));
        self.coordinate(io, record, claim, Some(client), Phase::Locking, deadline);
        Ok(())
    }

    /// A quorum granted a schema lock. The other voters that are alive are waited for, for a moment: one of them may know
    /// of somebody whose turn it is.
    pub(super) fn lock_granted(&mut self, io: &mut Io<'_>, txn: TxnId) -> Result<(), Fatal> {
        let (now, patience) = (self.now.mono, self.soon());
        let Some(c) = self.coordinating.get_mut(&txn) else { return Ok(()) };
        let until = *c.others_until.get_or_insert(now.after(patience));
        let alive = |v: &NodeId| self.peers.get(*v).is_some_and(|peer| peer.alive);
        let mut others = c.record.voters.iter().filter(|v| !c.prepared.contains(v) && !c.rejected.contains_key(v));
        if until > now && others.any(alive) {
            return Ok(());
        }
        c.phase = Phase::Barrier;
        self.start_barrier(io, Purpose::SchemaLock(txn), false)
    }

    /// Goes on with schema locks for which the others were waited for long enough.
    pub(super) fn tick_locks(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        let now = self.now.mono;
        let late = |c: &Coordination| c.phase == Phase::Locking && c.others_until.is_some_and(|until| until <= now);
        let late: Vec<TxnId> = self.coordinating.iter().filter(|(_, c)| late(c)).map(|(t, _)| *t).collect();
        late.into_iter().try_for_each(|txn| self.lock_granted(io, txn))
    }

    /// Whose turn comes before that of a lock with precedence `begin`, if somebody's does.
    pub(super) fn turn_before(&self, begin: Stamp, lock: &WriteSet) -> Option<Stamp> {
        self.waiting.turn_before(begin, &schemas(lock), self.now.mono)
    }

    /// A transaction is sent back: if that is because a schema changed, its turn is kept.
    pub(super) fn keep_turn(&mut self, io: &Io<'_>, request: &CommitRequest) -> Result<(), Fatal> {
        let schemas = schemas(&request.write_set);
        let mut changed = false;
        for schema in &schemas {
            changed |= self.keys.get(io.store, schema)?.is_some_and(|state| state.written_at > request.snapshot.seq);
        }
        if changed {
            let now = self.now.mono;
            self.waiting.keep_turn(request.begin, schemas, now, now.after(self.config.timing.retransmit));
        }
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
        let Body::Write(lock) = &locked.record.body else { return Ok(()) };
        if schemas(&write_set) != schemas(lock) {
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
