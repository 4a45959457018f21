//! Compaction: what a log keeps of old entries while a voter that lacks them is away.
//!
//! ```text
//!  places   1 ───────────────── first ────────────────── reached ─────────────── next
//!           dropped:             remnants of some of      whole entries
//!           every voter has it   what is older than
//!                                the retention
//! ```
//!
//! What every voter has goes once its time is over ([`Log::drop_old`]). While a voter is away there is nothing new of that
//! kind, and the horizon stands still. An entry then has two uses: whoever lacks it can pull it, and the key states, which
//! must stay (see `merge`), are made of it after a restart. When it is older than the longest retention the first use ends:
//! whoever still lacks it is told so and copies files. For the second its *remnant* does, the rows and holds that a state
//! still rests on; an entry without one goes. What was written again since leaves nothing, so remnants are at most one a row
//! and writer that the states name, looked at again and again as rows are written anew.
//!
//! # Who may drop what another lacks
//!
//! A node that copies files gives its own up. Two nodes of which each has dropped what the other lacks could help neither each
//! other nor anybody. So an entry, a commit or an abort, goes only if it is in the reports of a majority of the voters that
//! this node covers, its own counted. Then, of two nodes, one has all that the other dropped: be `f` dropped by A and lacking
//! on B, and `e` the other way round. The majorities share a voter C, whose vectors only grow. The report of C that A went by
//! has `f` and, as A covers it, not `e`; the one that B went by has `e` and not `f`. But one of the two holds everything of
//! the other. A newcomer's copy is as good as who it is of.
//!
//! Majorities of two member lists next to each other share a voter too. Of lists two changes apart they need not: then B has
//! every QUORUM position of A's by rule 19, and `f` is a ONE write or an abort. For that B must have lagged for longer than
//! the retention and taken part in both changes before it went on from a copy, and every holder of `f` but A must be removed.
//! A then stays as it is, with all that it has, and says what the copies lack.
//!
//! What no majority has stays whatever its age: the ONE writes of a node that hears nobody, of which there is no second copy.

use super::{Entry, Log, Recorded, seq_key};
use crate::core::fault::Fatal;
use crate::core::message::{Body, Outcome, Record};
use crate::core::storage::{Storage, Table, load, save};
use crate::types::{ApplySeq, Hlc, Stamp, TxnId, WriteSet};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The durable part of [`Compaction`]. Not in the checkpoint: its form is older.
const COMPACTED: &[u8] = b"compacted";
/// Entries read at once.
const CHUNK: usize = 16;
/// Of the entries looked at, the part of those that are looked at again.
const AGAIN: usize = 4;

/// The part of a record, by its stamp, that must stay: see [`remnant`](crate::core::merge::remnant).
pub type Remnant<'a> = dyn Fn(&dyn Storage, &Record, Stamp) -> Result<Option<WriteSet>, Fatal> + 'a;

/// What compaction goes by.
pub struct Rules<'a> {
    /// Commits with a stamp up to this are old.
    pub until: Hlc,
    pub now: Hlc,
    /// Whether a position is held by so many that this node may drop it.
    pub held: &'a dyn Fn(TxnId) -> bool,
    pub remnant: &'a Remnant<'a>,
}

/// How far compaction has come.
#[derive(Debug, Default)]
pub(super) struct Compaction {
    mark: Mark,
    /// Where it goes on with what it has looked at before.
    again: ApplySeq,
    /// An abort has no stamp: it is old if it was recorded before this place. What is known of that ends with the process, so
    /// that an abort may stay for twice the retention after a start.
    old: ApplySeq,
    /// The next place as of a moment, which becomes `old` when that is a retention ago.
    next_at: (Hlc, ApplySeq),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// Entries up to here were old when they were looked at: what may go has gone, or is a remnant.
    reached: ApplySeq,
    /// The highest place of a commit that has gone, or is a remnant.
    commit: ApplySeq,
}

impl Compaction {
    pub(super) fn open(store: &dyn Storage) -> Result<Compaction, Fatal> {
        let mark = load(store, Table::Meta, COMPACTED)?.unwrap_or_default();
        Ok(Compaction { mark, ..Compaction::default() })
    }

    fn grow_older(&mut self, until: Hlc, now: Hlc, next: ApplySeq) {
        if self.next_at.0 <= until {
            self.old = self.next_at.1;
            self.next_at = (now, next);
        }
    }
}

/// Which entries are looked at, and which of them are old.
struct Stretch {
    from: ApplySeq,
    to: ApplySeq,
    until: Hlc,
    /// Aborts before this place.
    old: ApplySeq,
}

/// Where a walk ended.
struct Walk {
    next: ApplySeq,
    /// Everything up to here was looked at.
    reached: ApplySeq,
    changed: bool,
}

impl Log {
    /// How many entries are kept whole, but for a few.
    pub fn kept(&self) -> u64 {
        self.next_seq.saturating_sub(self.checkpoint.first.max(self.compaction.mark.reached + 1))
    }

    /// The first place from which on every commit is in the log as it was recorded.
    pub fn whole_from(&self) -> ApplySeq {
        self.checkpoint.first.max(self.compaction.mark.commit + 1)
    }

    /// Compacts old entries that are durable in the files here: up to about `limit` that were whole, and a part of that of
    /// those looked at before. Their positions stay in the vector and count as dropped.
    pub fn compact(
        &mut self,
        store: &mut dyn Storage,
        marks: (Hlc, Hlc),
        limit: usize,
        rules: &Rules<'_>,
    ) -> Result<(), Fatal> {
        self.compaction.grow_older(rules.until, rules.now, self.next_seq);
        let durable = self.synced.min(self.applied);
        // Aborts after the last commit are not waited for: nobody applies them.
        let to = if self.last_commit <= durable { self.next_seq.saturating_sub(1) } else { durable };
        let first = self.checkpoint.first;
        let (before, old) = (self.compaction.mark, self.compaction.old);
        let from = self.compaction.again.max(first);
        let again = Stretch { from, to: before.reached.min(to), until: Hlc::MAX, old: ApplySeq::MAX };
        let second = self.walk(store, &again, (limit / AGAIN).max(1), rules)?;
        self.compaction.again = if second.next > again.to { 0 } else { second.next };
        let fresh = Stretch { from: first.max(before.reached + 1), to, until: rules.until, old };
        let front = self.walk(store, &fresh, limit, rules)?;
        self.compaction.mark.reached = before.reached.max(front.reached);
        if self.compaction.mark != before {
            save(store, Table::Meta, COMPACTED, &self.compaction.mark)?;
        }
        if second.changed || front.changed {
            self.write_checkpoint(store, marks.0, marks.1)?;
        }
        Ok(())
    }

    /// Looks at up to `limit` entries, to the first that is not old.
    fn walk(
        &mut self,
        store: &mut dyn Storage,
        stretch: &Stretch,
        limit: usize,
        rules: &Rules<'_>,
    ) -> Result<Walk, Fatal> {
        let mut walk = Walk { next: stretch.from, reached: 0, changed: false };
        let (mut looked, mut young) = (0, Vec::new());
        while looked < limit && walk.next <= stretch.to {
            let entries = self.entries(store, walk.next, CHUNK)?;
            let Some((last, _)) = entries.last() else {
                walk.next = stretch.to + 1;
                break;
            };
            walk.next = last + 1;
            looked += entries.len();
            for (seq, entry) in entries {
                if seq > stretch.to {
                    return Ok(walk);
                }
                let may_go = self.checkpoint.dropped.contains(entry.txn) || (rules.held)(entry.txn);
                match self.outcome(store, entry.txn)?.map(|r: Recorded| r.outcome) {
                    Some(Outcome::Commit { stamp, .. }) if stamp.hlc > stretch.until => return Ok(walk),
                    Some(Outcome::Commit { stamp, .. }) => {
                        walk.reached = seq;
                        // Recorded before an old commit, they are as old.
                        walk.changed |= !young.is_empty();
                        for (seq, txn) in std::mem::take(&mut young) {
                            self.drop_entry(store, seq, txn)?;
                        }
                        walk.changed |= may_go && self.shrink(store, seq, entry, stamp, rules)?;
                    }
                    Some(Outcome::Abort) | None => {
                        let is_old = seq < stretch.old;
                        walk.reached = if is_old { seq } else { walk.reached };
                        match (may_go, is_old) {
                            (true, true) => {
                                self.drop_entry(store, seq, entry.txn)?;
                                walk.changed = true;
                            }
                            (true, false) => young.push((seq, entry.txn)),
                            (false, _) => {}
                        }
                    }
                }
            }
        }
        Ok(walk)
    }

    /// Leaves of a commit what must stay. `false`: it was so already.
    fn shrink(
        &mut self,
        store: &mut dyn Storage,
        seq: ApplySeq,
        entry: Entry,
        stamp: Stamp,
        rules: &Rules<'_>,
    ) -> Result<bool, Fatal> {
        let txn = entry.txn;
        let missing = || Fatal::CorruptStorage(format!("the record of {txn} is missing from the log"));
        let record: Record = load(store, Table::Record, &txn.to_bytes())?.ok_or_else(missing)?;
        self.compaction.mark.commit = self.compaction.mark.commit.max(seq);
        let Some(remnant) = (rules.remnant)(store, &record, stamp)? else {
            self.drop_entry(store, seq, txn)?;
            return Ok(true);
        };
        let is_new = self.checkpoint.dropped.insert(txn);
        if !is_new && matches!(&record.body, Body::Write(whole) if **whole == remnant) {
            return Ok(false);
        }
        let body = Body::Write(Arc::new(remnant));
        save(store, Table::Record, &txn.to_bytes(), &Record { body, ..record })?;
        // It is in the files: nobody applies it again.
        let entry = Entry { amendments: Vec::new(), evictions: Vec::new(), ..entry };
        save(store, Table::Order, &seq_key(seq), &entry)?;
        Ok(true)
    }
}
