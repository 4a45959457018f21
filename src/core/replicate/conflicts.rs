//! The conflict log: values that an automatic merge discarded.
//!
//! Which of two writes arrives second differs from node to node, so what a node notices does too. Each voter therefore
//! puts what it notices into a record of its ONE log, which is replicated like every other, and only the records fill
//! the log: once nodes have exchanged everything their conflict logs are equal. Two notices of one loss (a transaction
//! and a row) become one entry, whose content does not depend on their order.
//!
//! Entries end with `retention_max`, counted from the first notice.

use crate::core::effect::Notice;
use crate::core::fault::Fatal;
use crate::core::message::{Body, Record};
use crate::core::node::{Io, Node};
use crate::core::storage::{Storage, Table, encode, load, save};
use crate::types::{Hlc, RowImage, RowKey, Stamp, TxnId, Value, VersionVector, WriteLevel};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A discarded value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConflictRow {
    pub row: RowKey,
    /// Who wrote it. The default if nobody knows any more.
    pub loser: TxnId,
    pub loser_stamp: Stamp,
    /// The highest write noticed that it gave way to: of the same row, or of one that took its unique value.
    pub winner: TxnId,
    pub winner_stamp: Stamp,
    /// The losing row as its writer left it (for a lost delete: as it was before), in the column order of its table.
    pub image: Option<RowImage>,
}

/// One entry of [`Table::Conflict`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedConflict {
    /// When it was first noticed.
    pub noticed: Stamp,
    pub conflict: ConflictRow,
}

/// Notices in one record at most.
const BATCH: usize = 256;
/// Old entries removed at once.
const PRUNED: usize = 64;

impl Node {
    /// Notes what a merge here discarded, to be recorded before the step ends.
    pub(crate) fn note_conflicts(&mut self, io: &mut Io<'_>, conflicts: Vec<ConflictRow>) {
        // Others take records from voters only. Nothing is missed: whoever wrote one of the two notices the other.
        if !self.is_voter() {
            return;
        }
        for conflict in &conflicts {
            let (table, winner, loser) = (conflict.row.table, conflict.winner, conflict.loser);
            io.out.notice(Notice::Conflict { table, winner, loser });
        }
        self.conflicts.extend(conflicts);
    }

    /// Records what was noted.
    pub(crate) fn record_conflicts(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        while !self.conflicts.is_empty() {
            let most = self.config.limits.write_set_bytes / 2;
            let mut size = 0;
            let fits = |c: &&ConflictRow| {
                size += c.image.iter().flat_map(|i| i.iter()).map(Value::size).sum::<usize>() + c.row.key.len() + 64;
                size <= most
            };
            let count = self.conflicts.iter().take(BATCH).take_while(fits).count().max(1);
            let mut batch = Vec::new();
            for conflict in self.conflicts.drain(..count) {
                if is_news(io.store, &conflict)? && !batch.contains(&conflict) {
                    batch.push(conflict);
                }
            }
            if batch.is_empty() {
                continue;
            }
            let txn = self.log.fresh(io.store, self.id, true)?;
            let stamp = Stamp { hlc: self.clock.tick(self.now.wall), node: self.id };
            let record = Record {
                txn,
                begin: stamp,
                epoch: self.membership.epoch,
                voters: Arc::from([]),
                level: WriteLevel::One,
                // It says what was, whatever the reader knows.
                dependencies: VersionVector::new(),
                body: Body::Conflicts(batch.into()),
            };
            self.replicate_one(io, Arc::new(record), stamp)?;
        }
        Ok(())
    }
}

/// By whom and where: the entry's identity.
fn identity(conflict: &ConflictRow) -> Vec<u8> {
    let mut key = conflict.loser.to_bytes().to_vec();
    key.extend(encode(&conflict.row));
    key
}

fn place(logged: &LoggedConflict) -> Vec<u8> {
    let mut key = logged.noticed.hlc.0.to_be_bytes().to_vec();
    key.extend(identity(&logged.conflict));
    key
}

fn logged(store: &dyn Storage, conflict: &ConflictRow) -> Result<Option<LoggedConflict>, Fatal> {
    match store.get(Table::ConflictIndex, &identity(conflict))? {
        Some(place) => load(store, Table::Conflict, &place),
        None => Ok(None),
    }
}

/// Of two notices of one loss the one that stays: the higher winner, then whatever is greater.
fn join(one: ConflictRow, other: ConflictRow) -> ConflictRow {
    let order = |c: &ConflictRow| (c.winner_stamp, c.image.is_some(), c.winner, encode(&c.image));
    if order(&one) >= order(&other) { one } else { other }
}

fn is_news(store: &dyn Storage, conflict: &ConflictRow) -> Result<bool, Fatal> {
    Ok(match logged(store, conflict)? {
        Some(known) => join(known.conflict.clone(), conflict.clone()) != known.conflict,
        None => true,
    })
}

/// Brings notices made at `stamp` into the log. Commutative, associative, idempotent.
pub(crate) fn log_conflicts(store: &mut dyn Storage, stamp: Stamp, conflicts: &[ConflictRow]) -> Result<(), Fatal> {
    for conflict in conflicts {
        let mut entry = LoggedConflict { noticed: stamp, conflict: conflict.clone() };
        if let Some(known) = logged(store, conflict)? {
            store.delete(Table::Conflict, &place(&known))?;
            entry.noticed = entry.noticed.min(known.noticed);
            entry.conflict = join(known.conflict, entry.conflict);
        }
        let place = place(&entry);
        save(store, Table::Conflict, &place, &entry)?;
        store.put(Table::ConflictIndex, &identity(conflict), &place)?;
    }
    Ok(())
}

/// Removes entries first noticed at or before `until`, a bounded number at a time.
pub(crate) fn prune_conflicts(store: &mut dyn Storage, until: Hlc) -> Result<(), Fatal> {
    for (place, value) in store.scan(Table::Conflict, &[], PRUNED)? {
        let entry: LoggedConflict = crate::core::storage::decode(Table::Conflict, &value)?;
        if entry.noticed.hlc > until {
            break;
        }
        store.delete(Table::Conflict, &place)?;
        store.delete(Table::ConflictIndex, &identity(&entry.conflict))?;
    }
    Ok(())
}
