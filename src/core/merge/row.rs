//! The merge of one committed transaction into the key states, and what the applier must do differently for it.

use super::discarded::{conflict, outdone_by, overwritten};
use super::image::{Write, compose, compose_for};
use super::keys::{Claim, KeyStates};
use super::state::{Played, RowState};
use super::unique::{self, Contest};
use crate::core::effect::Eviction;
use crate::core::fault::Fatal;
use crate::core::message::{Body, Record};
use crate::core::planted::{Bug, Planted};
use crate::core::replicate::ConflictRow;
use crate::core::storage::Storage;
use crate::types::{
    ApplySeq, ColumnSet, Key, Mode, NodeId, RowKey, RowOp, Stamp, TableChanges, UniqueValue, WriteLevel, WriteSet,
};

/// What came of merging a transaction.
#[derive(Debug, Default)]
pub struct Merged {
    /// `(table index, row index, what to do instead)`, ascending.
    pub amendments: Vec<(usize, usize, RowOp)>,
    pub evictions: Vec<Eviction>,
    /// The rows may not be as the writer saw them: it is a ONE write, or it met one that it had not seen.
    pub may_evict: bool,
    /// What was discarded.
    pub conflicts: Vec<ConflictRow>,
}

/// The key states with what they are kept in.
struct Merge<'a> {
    keys: &'a mut KeyStates,
    store: &'a mut dyn Storage,
    seq: ApplySeq,
    planted: Planted,
    merged: Merged,
}

/// Merges a committed write set into the key states at place `seq` of the apply order.
pub fn merge(
    keys: &mut KeyStates,
    store: &mut dyn Storage,
    record: &Record,
    stamp: Stamp,
    seq: ApplySeq,
    planted: Planted,
) -> Result<Merged, Fatal> {
    let stamp = match planted.has(Bug::StampTieIgnoresNode) {
        true => Stamp { node: NodeId(0), ..stamp },
        false => stamp,
    };
    let Body::Write(write_set) = &record.body else { return Ok(Merged::default()) };
    let validated = record.level != WriteLevel::One;
    let merged = Merged { may_evict: !validated, ..Merged::default() };
    let mut merge = Merge { keys, store, seq, planted, merged };
    merge.rows(record, write_set, stamp, validated)?;
    merge.holds(record, write_set, stamp, validated)?;
    let mut merged = merge.merged;
    merged.may_evict |= !merged.amendments.is_empty() || !merged.evictions.is_empty();
    if planted.has(Bug::ConflictNotLogged) {
        merged.conflicts.clear();
    }
    Ok(merged)
}

impl Merge<'_> {
    /// First every claim, so that each row is judged by all of them; then the rows; then rows of others that the
    /// claims outbid.
    fn rows(&mut self, record: &Record, write_set: &WriteSet, stamp: Stamp, validated: bool) -> Result<(), Fatal> {
        let write = |table, change| {
            let saw = &record.dependencies;
            Write { txn: record.txn, stamp, saw, validated, table, change }
        };
        let mut contest = Contest::default();
        let changes = || places(&write_set.tables);
        for (place, table, change) in changes().filter(|(.., c)| !c.claims.is_empty() || !c.releases.is_empty()) {
            let write = write(table, change);
            unique::claim(self.keys, self.store, &write, self.seq, place, &mut contest, self.planted)?;
        }
        for (place, table, change) in changes() {
            let op = self.row(&write(table, change), place, &contest)?;
            self.merged.amendments.extend(op.map(|op| (place.0, place.1, op)));
        }
        for (row, value) in &contest.outbid {
            let own = changes().find(|(_, t, c)| t.table == row.table && c.key == row.key);
            if own.is_none()
                && let Some((_, table, change)) =
                    changes().find(|(_, t, c)| t.table == row.table && c.claims.contains(value))
            {
                self.evict(row, value, &write(table, change))?;
            }
        }
        Ok(())
    }

    /// Merges the change of one row. `None`: apply it as it is.
    fn row(&mut self, write: &Write<'_>, place: (usize, usize), contest: &Contest) -> Result<Option<RowOp>, Fatal> {
        let row_key = write.row();
        let key = Key::Row(row_key.clone());
        let state = self.keys.entry(self.store, &key)?;
        state.stamp = state.stamp.max(write.stamp);
        state.written_at = self.seq;
        if write.validated {
            state.quorum = state.quorum.max(write.stamp);
        }
        let mut row = state.row.take().unwrap_or_default();
        self.keys.touch(key.clone(), write.stamp);
        if !write.validated || row.has_unseen(|txn| write.saw.contains(txn)) {
            self.merged.may_evict = true;
            self.note_discarded(&row, write, &row_key)?;
        }
        let was_hidden = row.is_hidden();
        let op = match self.planted.has(Bug::LastArrivalWins) {
            true => None,
            false => {
                let played = row.play(write.stamp, write.txn, &write.table.columns, write.change);
                operation(&*self.store, &row, write, played)?
            }
        };
        let doubted = was_hidden
            || row.is_revived()
            || contest.lost.contains(&place)
            || contest.outbid.iter().any(|(r, _)| *r == row_key);
        let op = match doubted {
            true => self.judge(&mut row, write, &row_key, was_hidden, op)?,
            false => op,
        };
        self.keys.entry(self.store, &key)?.row = Some(row);
        Ok(op)
    }

    /// Whether the row owns all its unique values, now that `write` was played on it; and what follows.
    fn judge(
        &mut self,
        row: &mut RowState,
        write: &Write<'_>,
        key: &RowKey,
        was_hidden: bool,
        op: Option<RowOp>,
    ) -> Result<Option<RowOp>, Fatal> {
        if !row.is_alive() {
            row.hidden_by = Stamp::NONE;
            return Ok(if was_hidden { Some(RowOp::Skip) } else { op });
        }
        let values = unique::values(&*self.store, key, row, Some(write))?;
        let rival = unique::rival(self.keys, &*self.store, key.table, &key.key, values)?;
        let Some(rival) = rival else {
            row.hidden_by = Stamp::NONE;
            if !was_hidden {
                return Ok(op);
            }
            let image = compose_for(&*self.store, row, write)?;
            return Ok(Some(RowOp::Put { changed: ColumnSet::all(image.len()), image }));
        };
        self.hide(row, key, &rival);
        let writers = match was_hidden {
            // The others were noted when the row was hidden.
            true => vec![(write.stamp, write.txn)],
            false => row.writers(),
        };
        for loser in writers {
            let entry = conflict(&*self.store, key, loser, (rival.stamp, rival.txn), write)?;
            self.merged.conflicts.push(entry);
        }
        Ok(Some(if was_hidden { RowOp::Skip } else { RowOp::Delete { image: write.image() } }))
    }

    /// `row` lost `value` to `write`, a change of another row.
    fn evict(&mut self, row_key: &RowKey, value: &UniqueValue, write: &Write<'_>) -> Result<(), Fatal> {
        let key = Key::Row(row_key.clone());
        let Some(mut row) = self.keys.get(&*self.store, &key)?.and_then(|s| s.row.clone()) else { return Ok(()) };
        if !row.is_alive() || row.is_hidden() {
            return Ok(());
        }
        if !unique::values(&*self.store, row_key, &row, Some(write))?.contains(value) {
            return Ok(());
        }
        let Some((columns, image)) = compose(&*self.store, row_key, &row, Some(write))? else { return Ok(()) };
        let winner = Claim { row: write.change.key.clone(), stamp: write.stamp, txn: write.txn };
        self.hide(&mut row, row_key, &winner);
        for loser in row.writers() {
            let entry = conflict(&*self.store, row_key, loser, (write.stamp, write.txn), write)?;
            self.merged.conflicts.push(entry);
        }
        self.keys.entry(self.store, &key)?.row = Some(row);
        self.merged.evictions.push(Eviction { row: row_key.clone(), image, columns });
        Ok(())
    }

    fn hide(&mut self, row: &mut RowState, key: &RowKey, rival: &Claim) {
        row.hidden_by = rival.stamp;
        // Remembered as long as something can arrive that does not know the rival.
        self.keys.touch(Key::Row(key.clone()), rival.stamp);
    }

    fn note_discarded(&mut self, row: &RowState, write: &Write<'_>, key: &RowKey) -> Result<(), Fatal> {
        let own = (write.stamp, write.txn);
        let losers = overwritten(row, write).into_iter().map(|loser| (loser, own));
        let lost = outdone_by(row, write).map(|winner| (own, winner));
        for (loser, winner) in losers.chain(lost) {
            let entry = conflict(&*self.store, key, loser, winner, write)?;
            self.merged.conflicts.push(entry);
        }
        Ok(())
    }

    fn holds(&mut self, record: &Record, write_set: &WriteSet, stamp: Stamp, validated: bool) -> Result<(), Fatal> {
        for hold in &write_set.holds {
            let state = self.keys.entry(self.store, &hold.key)?;
            match hold.mode {
                Mode::Write => {
                    state.stamp = state.stamp.max(stamp);
                    state.written_at = self.seq;
                    if validated {
                        state.quorum = state.quorum.max(stamp);
                    }
                }
                // A schema is locked first and looked at afterwards, so its many readers need not be remembered.
                Mode::Read if matches!(hold.key, Key::Schema(_)) => continue,
                Mode::Read => {
                    if !self.planted.has(Bug::ReadersForgotten) {
                        state.readers.push(record.txn, stamp);
                    }
                    state.read_at = self.seq;
                }
            }
            self.keys.touch(hold.key.clone(), stamp);
        }
        Ok(())
    }
}

/// Every change with its table index and row index.
fn places(tables: &[TableChanges]) -> impl Iterator<Item = ((usize, usize), &TableChanges, &crate::types::RowChange)> {
    let rows = |(t, table): (usize, _)| {
        let table: &TableChanges = table;
        table.rows.iter().enumerate().map(move |(r, change)| ((t, r), table, change))
    };
    tables.iter().enumerate().flat_map(rows)
}

/// What the applier does for a change that fared so, if nobody contests the row's unique values. `None`: as it is.
fn operation(store: &dyn Storage, row: &RowState, write: &Write<'_>, played: Played) -> Result<Option<RowOp>, Fatal> {
    let all = write.change.changed.len();
    match played {
        Played::Lost => Ok(Some(RowOp::Skip)),
        Played::Deleted => Ok(None),
        Played::Outlived => {
            let image = compose_for(store, row, write)?;
            Ok(Some(RowOp::Put { changed: ColumnSet::all(image.len()), image }))
        }
        Played::Wrote(winners) if winners.len() == all => Ok(None),
        Played::Wrote(changed) => Ok(Some(RowOp::Put { image: compose_for(store, row, write)?, changed })),
        Played::Revived(_) => {
            let image = compose_for(store, row, write)?;
            Ok(Some(RowOp::Put { changed: ColumnSet::all(image.len()), image }))
        }
    }
}
