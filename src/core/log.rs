//! What this node holds of every origin's log, and the order in which it applied it.
//!
//! ```text
//! origin n1:      1 2 3 4 5 . 7          vector: n1:5+7
//! origin n2:      1 2 . .                        n2:2
//! apply order:    n1:1 n2:1 n1:2 n1:3 n2:2 n1:5 n1:4 n1:7     (seq 1, 2, 3, …)
//! ```
//!
//! An aborted position has its place in the order too, as an empty record, so that contiguous vectors pass it.

use super::effect::Eviction;
use super::fault::Fatal;
use super::message::Outcome;
use super::storage::{Storage, Table, load, save};
use crate::types::{ApplySeq, Hlc, NodeId, RowOp, Sequence, Stamp, TxnId, VersionVector};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

mod compact;

pub use compact::Rules;

const CHECKPOINT: &[u8] = b"checkpoint";
const RESERVED: &[u8] = b"reserved";
/// Positions reserved at once at most, so that starting a transaction writes nothing besides its record. After a crash
/// what was reserved and not used is filled on every node: so a life begins with one, and reserves as many as it used.
const RESERVE: u64 = 64;
/// Runs of commits above the horizon that are remembered at most.
const RUNS: usize = 4096;
/// Entries dropped and compacted at a time at least.
const DROPPED: u64 = 256;

/// One entry of the apply order, as stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub txn: TxnId,
    pub committed: bool,
    pub amendments: Vec<(usize, usize, RowOp)>,
    pub evictions: Vec<StoredEviction>,
    pub may_evict: bool,
}

/// An [`Eviction`] in storable form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredEviction {
    pub row: crate::types::RowKey,
    pub image: crate::types::RowImage,
    pub columns: std::sync::Arc<[crate::types::ColumnId]>,
}

impl From<&Eviction> for StoredEviction {
    fn from(e: &Eviction) -> Self {
        StoredEviction { row: e.row.clone(), image: e.image.clone(), columns: e.columns.clone() }
    }
}
impl From<&StoredEviction> for Eviction {
    fn from(e: &StoredEviction) -> Self {
        Eviction { row: e.row.clone(), image: e.image.clone(), columns: e.columns.clone() }
    }
}

/// A recorded outcome and its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    pub outcome: Outcome,
    pub seq: ApplySeq,
}

/// Where a restart begins to read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub seq: ApplySeq,
    /// The place of the last commit at or below `seq`: there may be only aborts after it, which nobody applies.
    pub last_commit: ApplySeq,
    pub vector: VersionVector,
    /// Commits at or after this place may be above the horizon.
    pub floor: ApplySeq,
    pub watermark: Hlc,
    /// Key states up to here had been dropped; those of commits before `floor` are at or below it.
    pub horizon: Hlc,
    /// Positions no longer in the log, per origin.
    pub dropped: VersionVector,
    /// The first place still in the log.
    pub first: ApplySeq,
}

/// The log of one node.
///
/// **Invariants**: `vector` holds exactly the positions with a recorded outcome or below `dropped`; entries of the
/// order respect dependencies; a position enters `vector` once.
#[derive(Debug, Default)]
pub struct Log {
    pub vector: VersionVector,
    next_seq: ApplySeq,
    /// The place of the last commit: what a reader must wait for to see everything.
    pub last_commit: ApplySeq,
    /// Visible in the database files, and durable there.
    pub applied: ApplySeq,
    pub synced: ApplySeq,
    /// Commits that are not durable in the files.
    recent: VecDeque<(ApplySeq, Stamp)>,
    /// Commits above the horizon that are: of each run of them the first place and the highest stamp. The horizon may stand
    /// still for long, so there is a bounded number of runs, which get longer.
    runs: VecDeque<(ApplySeq, Hlc)>,
    compaction: compact::Compaction,
    /// The next place when old entries were last dropped.
    dropped_at: ApplySeq,
    checkpoint: Checkpoint,
    next_quorum: Sequence,
    next_one: Sequence,
    reserved: (Sequence, Sequence),
    /// Where the QUORUM and the ONE log stood when this life began.
    born: (Sequence, Sequence),
}

fn seq_key(seq: ApplySeq) -> [u8; 8] {
    seq.to_be_bytes()
}

impl Log {
    pub fn open(store: &dyn Storage) -> Result<Log, Fatal> {
        let checkpoint: Checkpoint = load(store, Table::Meta, CHECKPOINT)?.unwrap_or_default();
        let reserved = load(store, Table::Meta, RESERVED)?.unwrap_or_default();
        Ok(Log {
            compaction: compact::Compaction::open(store)?,
            dropped_at: checkpoint.seq,
            vector: checkpoint.vector.clone(),
            next_seq: checkpoint.seq + 1,
            reserved,
            next_quorum: reserved.0 + 1,
            next_one: reserved.1 + 1,
            born: reserved,
            last_commit: checkpoint.last_commit,
            checkpoint,
            ..Log::default()
        })
    }

    /// Forgets the positions given out: they were another node's.
    pub fn forget_reserved(store: &mut dyn Storage) -> Result<(), Fatal> {
        store.delete(Table::Meta, RESERVED)
    }

    /// Takes the positions given out over from the state that `own` is, into `copy`.
    pub fn keep_reserved(own: &dyn Storage, copy: &mut dyn Storage) -> Result<(), Fatal> {
        match own.get(Table::Meta, RESERVED)? {
            Some(reserved) => copy.put(Table::Meta, RESERVED, &reserved),
            None => copy.delete(Table::Meta, RESERVED),
        }
    }

    /// Every position that is recorded in `store`.
    pub fn held(store: &dyn Storage) -> Result<VersionVector, Fatal> {
        let mut log = Log::open(store)?;
        let mut seq = log.checkpoint.seq + 1;
        loop {
            let entries = log.entries(store, seq, 256)?;
            let Some((last, _)) = entries.last() else { return Ok(log.vector) };
            seq = last + 1;
            for (_, entry) in entries {
                log.vector.insert(entry.txn);
            }
        }
    }

    /// Makes the log that of a new cluster which begins with the data of another: all `positions` count as applied
    /// everywhere and as dropped, so that whoever joins copies the files. `files` is the place up to which the files go if
    /// nothing of the log came with them, and `clock` is then above everything in them.
    pub fn close(
        store: &mut dyn Storage,
        positions: &VersionVector,
        files: Option<ApplySeq>,
        clock: Hlc,
    ) -> Result<(), Fatal> {
        let mut checkpoint: Checkpoint = load(store, Table::Meta, CHECKPOINT)?.unwrap_or_default();
        if let Some(seq) = files {
            let next = seq + 1;
            checkpoint = Checkpoint { seq, last_commit: seq, floor: next, first: next, ..Checkpoint::default() };
            (checkpoint.watermark, checkpoint.horizon) = (clock, clock);
        }
        checkpoint.vector.join(positions);
        checkpoint.dropped.join(positions);
        save(store, Table::Meta, CHECKPOINT, &checkpoint)
    }

    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The positions of this node that may have been given out by an earlier life.
    pub fn reserved(&self) -> (Sequence, Sequence) {
        self.reserved
    }

    /// A fresh position in this node's QUORUM or ONE log, durable at the end of this round.
    pub fn fresh(&mut self, store: &mut dyn Storage, node: NodeId, one: bool) -> Result<TxnId, Fatal> {
        let (next, reserved, born) = match one {
            true => (&mut self.next_one, &mut self.reserved.1, self.born.1),
            false => (&mut self.next_quorum, &mut self.reserved.0, self.born.0),
        };
        let sequence = *next;
        *next += 1;
        if sequence > *reserved {
            *reserved = sequence - 1 + (sequence - born).min(RESERVE);
            save(store, Table::Meta, RESERVED, &self.reserved)?;
        }
        Ok(TxnId { origin: if one { node.one_log() } else { node }, sequence })
    }

    /// Replays one entry at start: the position is held, the place taken.
    pub fn replay(&mut self, seq: ApplySeq, entry: &Entry, stamp: Option<Stamp>) {
        self.vector.insert(entry.txn);
        self.next_seq = self.next_seq.max(seq + 1);
        if let Some(stamp) = stamp {
            self.last_commit = self.last_commit.max(seq);
            self.recent.push_back((seq, stamp));
        }
    }

    /// Records an abort: the position becomes an empty record.
    pub fn abort(&mut self, store: &mut dyn Storage, txn: TxnId) -> Result<(), Fatal> {
        let seq = self.take_place(store, txn, Outcome::Abort)?;
        let entry = Entry { txn, committed: false, amendments: Vec::new(), evictions: Vec::new(), may_evict: false };
        save(store, Table::Order, &seq_key(seq), &entry)?;
        store.delete(Table::Record, &txn.to_bytes())?;
        store.delete(Table::Ballot, &txn.to_bytes())
    }

    /// How many entries are to be dropped now: more than were recorded since this was asked, so that the log gets shorter.
    pub fn quota(&mut self) -> usize {
        let since = self.next_seq.saturating_sub(self.dropped_at);
        self.dropped_at = self.next_seq;
        DROPPED.max(2 * since) as usize
    }

    /// The place the next commit will get.
    pub fn next_seq(&self) -> ApplySeq {
        self.next_seq
    }

    /// Records a commit at [`Log::next_seq`].
    pub fn commit(
        &mut self,
        store: &mut dyn Storage,
        entry: &Entry,
        stamp: Stamp,
        after: VersionVector,
    ) -> Result<ApplySeq, Fatal> {
        let seq = self.take_place(store, entry.txn, Outcome::Commit { stamp, after })?;
        save(store, Table::Order, &seq_key(seq), entry)?;
        store.delete(Table::Ballot, &entry.txn.to_bytes())?;
        self.last_commit = seq;
        self.recent.push_back((seq, stamp));
        Ok(seq)
    }

    fn take_place(&mut self, store: &mut dyn Storage, txn: TxnId, outcome: Outcome) -> Result<ApplySeq, Fatal> {
        assert!(self.vector.insert(txn), "a position is recorded once: {txn}");
        let seq = self.next_seq;
        self.next_seq += 1;
        save(store, Table::Outcome, &txn.to_bytes(), &Recorded { outcome, seq })?;
        Ok(seq)
    }

    /// The recorded outcome of a held position; `None` if it was dropped from the log (it was applied everywhere).
    pub fn outcome(&self, store: &dyn Storage, txn: TxnId) -> Result<Option<Recorded>, Fatal> {
        load(store, Table::Outcome, &txn.to_bytes())
    }

    /// Every commit with a stamp up to this is visible in the database files, as far as commits recorded here go.
    pub fn everything_applied_up_to(&self) -> Hlc {
        let waiting = self.recent.iter().rev().take_while(|(seq, _)| *seq > self.applied);
        waiting.map(|(_, stamp)| Hlc(stamp.hlc.0.saturating_sub(1))).min().unwrap_or(Hlc::MAX)
    }

    /// Entries from `seq` on, at most `limit`.
    pub fn entries(&self, store: &dyn Storage, seq: ApplySeq, limit: usize) -> Result<Vec<(ApplySeq, Entry)>, Fatal> {
        let rows = store.scan(Table::Order, &seq_key(seq), limit)?;
        rows.into_iter()
            .map(|(key, value)| {
                let key: [u8; 8] =
                    key.try_into().map_err(|_| Fatal::CorruptStorage("apply_order: key length".into()))?;
                Ok((u64::from_be_bytes(key), super::storage::decode(Table::Order, &value)?))
            })
            .collect()
    }

    /// Writes a checkpoint if `every` entries came since the last one.
    pub fn maybe_checkpoint(
        &mut self,
        store: &mut dyn Storage,
        every: u64,
        (watermark, horizon): (Hlc, Hlc),
    ) -> Result<(), Fatal> {
        let durable = self.synced.min(self.applied);
        while let Some((seq, stamp)) = self.recent.pop_front_if(|(seq, _)| *seq <= durable) {
            self.runs.push_back((seq, stamp.hlc));
        }
        while self.runs.front().is_some_and(|(_, highest)| *highest <= horizon) {
            self.runs.pop_front();
        }
        if self.runs.len() > RUNS {
            let runs: Vec<_> = self.runs.drain(..).collect();
            self.runs.extend(runs.chunks(2).map(|pair| (pair[0].0, pair[0].1.max(pair[pair.len() - 1].1))));
        }
        if self.next_seq - 1 < self.checkpoint.seq + every {
            return Ok(());
        }
        self.write_checkpoint(store, watermark, horizon)
    }

    fn write_checkpoint(&mut self, store: &mut dyn Storage, watermark: Hlc, horizon: Hlc) -> Result<(), Fatal> {
        self.checkpoint.horizon = horizon;
        self.checkpoint.seq = self.next_seq - 1;
        self.checkpoint.last_commit = self.last_commit;
        self.checkpoint.vector = self.vector.clone();
        let (run, recent) = (self.runs.front().map(|(seq, _)| *seq), self.recent.front().map(|(seq, _)| *seq));
        self.checkpoint.floor = run.or(recent).unwrap_or(self.next_seq);
        self.checkpoint.watermark = watermark;
        save(store, Table::Meta, CHECKPOINT, &self.checkpoint)
    }

    /// Drops up to `limit` of the oldest entries: those below the floor, durable in the files here and, as `covered` says, in
    /// every voter's vector (rule 3); of commits those with a stamp up to `below`. The positions stay in the vector.
    pub fn drop_old(
        &mut self,
        store: &mut dyn Storage,
        below: Hlc,
        (watermark, horizon): (Hlc, Hlc),
        limit: usize,
        covered: impl Fn(TxnId) -> bool,
    ) -> Result<(), Fatal> {
        const CHUNK: usize = 16;
        let last = self.synced.min(self.checkpoint.floor.saturating_sub(1)).min(self.checkpoint.seq);
        let mut dropped = 0;
        'chunks: while dropped < limit {
            let entries = self.entries(store, self.checkpoint.first, CHUNK)?;
            if entries.is_empty() {
                break;
            }
            for (seq, entry) in entries {
                let is_old = match self.outcome(store, entry.txn)? {
                    Some(Recorded { outcome: Outcome::Commit { stamp, .. }, .. }) => stamp.hlc <= below,
                    Some(_) | None => true,
                };
                if seq > last || !is_old || !covered(entry.txn) {
                    break 'chunks;
                }
                self.drop_entry(store, seq, entry.txn)?;
                self.checkpoint.first = seq + 1;
                dropped += 1;
            }
        }
        if dropped > 0 {
            self.write_checkpoint(store, watermark, horizon)?;
        }
        Ok(())
    }

    /// Takes an entry out of the log. Its position stays in the vector.
    fn drop_entry(&mut self, store: &mut dyn Storage, seq: ApplySeq, txn: TxnId) -> Result<(), Fatal> {
        let key = txn.to_bytes();
        store.delete(Table::Record, &key)?;
        store.delete(Table::Outcome, &key)?;
        store.delete(Table::Order, &seq_key(seq))?;
        self.checkpoint.dropped.insert(txn);
        Ok(())
    }
}
