//! The merge of one committed transaction into the key states, and what the applier must do differently for it.

use super::keys::{KeyStates, RowState};
use crate::core::effect::Eviction;
use crate::core::fault::Fatal;
use crate::core::message::{Body, Record};
use crate::core::planted::{Bug, Planted};
use crate::core::storage::{Storage, Table, load};
use crate::types::{
    ApplySeq, ColumnId, ColumnSet, Key, Mode, NodeId, RowChange, RowImage, RowKey, RowOp, Stamp, TableChanges, TxnId,
    Value, VersionVector, WriteLevel,
};
use std::sync::Arc;

/// What came of merging a transaction.
#[derive(Debug, Default)]
pub struct Merged {
    /// `(table index, row index, what to do instead)`, ascending.
    pub amendments: Vec<(usize, usize, RowOp)>,
    pub evictions: Vec<Eviction>,
    /// A merge was involved: rows in the way of a unique value give way.
    pub may_evict: bool,
    /// Values that lost: `(table index, row key, winner)`; the loser is `record` itself if `winner` is another.
    pub conflicts: Vec<Conflict>,
}

/// One discarded write, for the conflict log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub row: RowKey,
    pub winner: TxnId,
    pub loser: TxnId,
    /// The losing row as its writer left it.
    pub image: Option<RowImage>,
}

struct Write<'a> {
    txn: TxnId,
    stamp: Stamp,
    /// What its writer had recorded: whatever else it wins over, it wins over unseen.
    saw: &'a VersionVector,
    /// Validated by a quorum, not a ONE write.
    validated: bool,
    table: &'a TableChanges,
    change: &'a RowChange,
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
    let mut merged = Merged::default();
    let stamp = match planted.has(Bug::StampTieIgnoresNode) {
        true => Stamp { node: NodeId(0), ..stamp },
        false => stamp,
    };
    let Body::Write(write_set) = &record.body else { return Ok(merged) };
    let validated = record.level != WriteLevel::One;
    merged.may_evict = !validated;
    for (t, table) in write_set.tables.iter().enumerate() {
        for (r, change) in table.rows.iter().enumerate() {
            let saw = &record.dependencies;
            let write = Write { txn: record.txn, stamp, saw, validated, table, change };
            let op = merge_row(keys, store, &write, seq, &mut merged, planted)?;
            if let Some(op) = op {
                merged.amendments.push((t, r, op));
                merged.may_evict = true;
            }
        }
    }
    for hold in &write_set.holds {
        let state = keys.entry(store, &hold.key)?;
        match hold.mode {
            Mode::Write => {
                state.stamp = state.stamp.max(stamp);
                state.written_at = seq;
                if validated {
                    state.quorum = state.quorum.max(stamp);
                }
            }
            // A schema is locked first and looked at afterwards, so its many readers need not be remembered.
            Mode::Read if matches!(hold.key, Key::Schema(_)) => continue,
            Mode::Read => {
                if !planted.has(Bug::ReadersForgotten) {
                    state.readers.push((record.txn, stamp));
                }
                state.read_at = seq;
            }
        }
        keys.touch(hold.key.clone(), stamp);
    }
    Ok(merged)
}

fn merge_row(
    keys: &mut KeyStates,
    store: &mut dyn Storage,
    write: &Write<'_>,
    seq: ApplySeq,
    merged: &mut Merged,
    planted: Planted,
) -> Result<Option<RowOp>, Fatal> {
    let row_key = RowKey { table: write.table.table, key: write.change.key.clone() };
    let lost_unique = merge_uniques(keys, store, write, seq, &row_key, planted)?;
    let key = Key::Row(row_key.clone());
    let state = keys.entry(store, &key)?;
    let newest_before = state.stamp;
    state.stamp = state.stamp.max(write.stamp);
    state.written_at = seq;
    if write.validated {
        state.quorum = state.quorum.max(write.stamp);
    }
    let mut row = state.row.take().unwrap_or_default();
    let before = row.clone();
    keys.touch(key.clone(), write.stamp);
    let mut op = if planted.has(Bug::LastArrivalWins) { None } else { decide_row(&mut row, write, &*store)? };
    if lost_unique && write.change.after.is_some() {
        row.hidden = true;
        op = write.change.after.clone().map(|image| RowOp::Delete { image });
    } else if row.hidden && !matches!(op, Some(RowOp::Skip)) {
        row.hidden = false;
        if let Some(after) = &write.change.after {
            let image = reconstruct(&row, write, after, &*store)?;
            op = Some(RowOp::Put { changed: ColumnSet::all(image.len()), image });
        }
    }
    note_overwritten(&before, write, &row_key, merged, &*store, planted)?;
    note_conflict(&before, newest_before, write, op.as_ref(), lost_unique, &row_key, merged, planted);
    keys.entry(store, &key)?.row = Some(row);
    Ok(op)
}

/// Plays the write on the registers of its unique values; true if another row holds one of those it claims.
fn merge_uniques(
    keys: &mut KeyStates,
    store: &mut dyn Storage,
    write: &Write<'_>,
    seq: ApplySeq,
    row: &RowKey,
    planted: Planted,
) -> Result<bool, Fatal> {
    let mut lost = false;
    let claims = write.change.claims.iter().map(|u| (u, Some(write.change.key.clone())));
    let releases = write.change.releases.iter().map(|u| (u, None));
    for (unique, owner) in releases.chain(claims) {
        let key = Key::Unique(row.table, unique.clone());
        let state = keys.entry(store, &key)?;
        let newer = write.stamp >= state.stamp || planted.has(Bug::UniqueByArrival);
        if newer {
            state.stamp = write.stamp;
            state.owner = owner;
        } else if owner.is_some() && state.owner != owner {
            lost = true;
        }
        state.written_at = seq;
        if write.validated {
            state.quorum = state.quorum.max(write.stamp);
        }
        keys.touch(key, write.stamp);
    }
    Ok(lost)
}

/// Plays the write on the row's state. `None`: apply the change as it is.
fn decide_row(row: &mut RowState, write: &Write<'_>, store: &dyn Storage) -> Result<Option<RowOp>, Fatal> {
    let stamp = write.stamp;
    let Some(after) = &write.change.after else { return delete_row(row, write, store) };
    if stamp < row.dead_at {
        return Ok(Some(RowOp::Skip));
    }
    let insert = write.change.before.is_none();
    let was_dead = row.dead_at > row.top;
    let delete_known = row.dead_at > row.whole;
    let newest = stamp > row.top;
    let ids = &write.table.columns;
    let winners: ColumnSet =
        write.change.changed.iter().filter(|p| ids.get(*p).is_some_and(|c| stamp > row.column(*c))).collect();
    if insert {
        row.whole = row.whole.max(stamp);
        row.columns.retain(|(_, s, _)| *s > stamp);
    } else {
        for position in winners.iter() {
            write_column(row, ids[position], stamp, write.txn);
        }
    }
    if newest {
        row.top = stamp;
        row.top_txn = write.txn;
    }
    if winners.len() == write.change.changed.len() {
        if was_dead && !insert {
            return Ok(Some(RowOp::Put { image: after.clone(), changed: ColumnSet::all(after.len()) }));
        }
        if delete_known && newest && !insert {
            // Columns nobody wrote since the delete come from the newest image.
            let unwritten = (0..after.len()).filter(|p| {
                write.change.changed.contains(*p)
                    || ids.get(*p).is_some_and(|c| !row.columns.iter().any(|(have, ..)| have == c))
            });
            return Ok(Some(RowOp::Put { image: after.clone(), changed: unwritten.collect() }));
        }
        return Ok(None);
    }
    if delete_known && newest && !insert {
        let image = reconstruct(row, write, after, store)?;
        return Ok(Some(RowOp::Put { changed: ColumnSet::all(image.len()), image }));
    }
    if winners.is_empty() {
        return Ok(Some(RowOp::Skip));
    }
    let image = reconstruct(row, write, after, store)?;
    Ok(Some(RowOp::Put { image, changed: winners }))
}

fn delete_row(row: &mut RowState, write: &Write<'_>, store: &dyn Storage) -> Result<Option<RowOp>, Fatal> {
    let stamp = write.stamp;
    if stamp <= row.dead_at {
        return Ok(Some(RowOp::Skip));
    }
    row.dead_at = stamp;
    row.columns.retain(|(_, s, _)| *s > stamp);
    if row.whole <= stamp {
        row.whole = Stamp::NONE;
    }
    if row.top <= stamp {
        row.hidden = false;
        return Ok(None);
    }
    // A later write keeps the row alive; what the delete wiped comes from that write's image.
    let Some(before) = &write.change.before else { return Ok(Some(RowOp::Skip)) };
    if row.whole > stamp || row.hidden {
        return Ok(Some(RowOp::Skip));
    }
    let image = reconstruct(row, write, before, store)?;
    Ok(Some(RowOp::Put { changed: ColumnSet::all(image.len()), image }))
}

fn write_column(row: &mut RowState, column: ColumnId, stamp: Stamp, txn: TxnId) {
    match row.columns.iter_mut().find(|(c, ..)| *c == column) {
        Some(entry) => *entry = (column, stamp, txn),
        None => row.columns.push((column, stamp, txn)),
    }
}

/// The merged row: the image of the highest write, overlaid with each column's highest write. `own` is the image of
/// the write being merged, used where it is itself the source.
fn reconstruct(row: &RowState, write: &Write<'_>, own: &RowImage, store: &dyn Storage) -> Result<RowImage, Fatal> {
    let columns = &write.table.columns;
    let own_change = write.change.after.is_some();
    let mut image: Vec<Value> = if row.top_txn == write.txn && own_change {
        own.to_vec()
    } else {
        match image_of(row.top_txn, write, store)? {
            Some((their_columns, theirs)) => project(&their_columns, &theirs, columns, own),
            None => own.to_vec(),
        }
    };
    for (column, _, txn) in &row.columns {
        let Some(position) = columns.iter().position(|c| c == column) else { continue };
        if *txn == write.txn && own_change {
            image[position] = own[position].clone();
        } else if let Some((their_columns, theirs)) = image_of(*txn, write, store)?
            && let Some(p) = their_columns.iter().position(|c| c == column)
        {
            image[position] = theirs[p].clone();
        }
    }
    Ok(image.into())
}

/// The after image that `txn` gave the row being merged, from the log.
fn image_of(txn: TxnId, write: &Write<'_>, store: &dyn Storage) -> Result<Option<(Arc<[ColumnId]>, RowImage)>, Fatal> {
    let Some(record) = load::<Record>(store, Table::Record, &txn.to_bytes())? else { return Ok(None) };
    let Body::Write(write_set) = &record.body else { return Ok(None) };
    let table = write_set.tables.iter().find(|t| t.table == write.table.table);
    let found = table.and_then(|t| {
        let change = t.rows.iter().find(|r| r.key == write.change.key)?;
        Some((t.columns.clone(), change.after.clone()?))
    });
    Ok(found)
}

/// `image` re-ordered from `from` to `to`; columns it lacks come from `fallback`.
fn project(from: &[ColumnId], image: &RowImage, to: &[ColumnId], fallback: &RowImage) -> Vec<Value> {
    let cell = |(position, column): (usize, &ColumnId)| match from.iter().position(|c| c == column) {
        Some(p) => image[p].clone(),
        None => fallback[position].clone(),
    };
    to.iter().enumerate().map(cell).collect()
}

/// Values already here that this write discards without having seen them: the other order of arrival than
/// [`note_conflict`], so that every node logs what is lost, and not only the nodes that heard of the loser late.
fn note_overwritten(
    before: &RowState,
    write: &Write<'_>,
    row: &RowKey,
    merged: &mut Merged,
    store: &dyn Storage,
    planted: Planted,
) -> Result<(), Fatal> {
    if planted.has(Bug::ConflictNotLogged) || before.top == Stamp::NONE {
        return Ok(());
    }
    let change = write.change;
    let whole = change.before.is_none() || change.after.is_none();
    let overwrites = |column: &ColumnId| {
        let position = write.table.columns.iter().position(|c| c == column);
        whole || position.is_some_and(|p| change.changed.contains(p))
    };
    let mut losers: Vec<TxnId> = Vec::new();
    let top = (whole || before.whole == before.top).then_some((before.top, before.top_txn));
    let columns = before.columns.iter().filter(|(c, ..)| overwrites(c)).map(|(_, s, t)| (*s, *t));
    for (stamp, txn) in columns.chain(top) {
        if stamp < write.stamp && txn != write.txn && !write.saw.contains(txn) && !losers.contains(&txn) {
            losers.push(txn);
        }
    }
    for loser in losers {
        let image = image_of(loser, write, store)?.map(|(columns, image)| match &change.after {
            Some(own) => project(&columns, &image, &write.table.columns, own).into(),
            None => image,
        });
        merged.conflicts.push(Conflict { row: row.clone(), winner: write.txn, loser, image });
    }
    Ok(())
}

#[allow(clippy::too_many_arguments)]
fn note_conflict(
    before: &RowState,
    newest_before: Stamp,
    write: &Write<'_>,
    op: Option<&RowOp>,
    lost_unique: bool,
    row: &RowKey,
    merged: &mut Merged,
    planted: Planted,
) {
    if planted.has(Bug::ConflictNotLogged) {
        return;
    }
    let lost = lost_unique || (write.stamp < newest_before && op.is_some());
    if lost {
        merged.conflicts.push(Conflict {
            row: row.clone(),
            winner: before.top_txn,
            loser: write.txn,
            image: write.change.after.clone().or_else(|| write.change.before.clone()),
        });
    }
}
