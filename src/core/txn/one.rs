//! ONE: commit here, answer, replicate afterwards.

use super::coordinator::{Coordination, Phase};
use crate::core::fault::Fatal;
use crate::core::message::{Body, Message, Record, Shipped};
use crate::core::node::{Io, Node};
use crate::core::storage::{Table, save};
use crate::types::{ClientId, Stamp, WriteLevel, WriteSet};
use std::sync::Arc;

impl Node {
    /// Commits a write set on this node alone. Its keys were checked against the snapshot; intents of undecided
    /// QUORUM transactions do not stand in its way.
    pub(crate) fn commit_one(
        &mut self,
        io: &mut Io<'_>,
        client: ClientId,
        write_set: Arc<WriteSet>,
    ) -> Result<(), Fatal> {
        let txn = self.log.fresh(io.store, self.id, true)?;
        let stamp = Stamp { hlc: self.clock.tick(self.now.wall), node: self.id };
        let record = Arc::new(Record {
            txn,
            begin: stamp,
            epoch: self.membership.epoch,
            voters: Arc::from([]),
            level: WriteLevel::One,
            dependencies: self.log.vector.clone(),
            body: Body::Write(write_set),
        });
        let mut coordination = Coordination::new(record.clone(), Some(client), Phase::Applying, self.now.mono);
        // The applier answers for it; without patience the next tick would call the outcome unknown.
        coordination.deadline = self.now.mono.after(self.config.timing.write_timeout);
        coordination.resend_at = coordination.deadline;
        self.coordinating.insert(txn, coordination);
        self.ended.alone += 1;
        self.replicate_one(io, record, stamp)
    }

    /// Records a commit of this node's ONE log, and pushes it to the others.
    pub(crate) fn replicate_one(&mut self, io: &mut Io<'_>, record: Arc<Record>, stamp: Stamp) -> Result<(), Fatal> {
        save(io.store, Table::Record, &record.txn.to_bytes(), &*record)?;
        self.sync.heard.insert(record.txn);
        self.schedule(io, record.clone(), stamp, Default::default())?;
        let shipped = Shipped { record, stamp, after: Default::default() };
        for node in self.peers.replicas(&self.membership, self.id) {
            let epoch = self.membership.epoch;
            let message = Message::SyncRecords { epoch, commits: vec![shipped.clone()], aborted: vec![], more: false };
            self.send(io, node, message);
        }
        Ok(())
    }
}
