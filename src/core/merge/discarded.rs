//! Values that a merge discards, for the conflict log: found when the second of two writes arrives that did not know of
//! one another.

use super::image::{Write, source};
use super::state::RowState;
use crate::core::fault::Fatal;
use crate::core::replicate::ConflictRow;
use crate::core::storage::Storage;
use crate::types::{RowKey, Stamp, TxnId};

/// A transaction and its stamp.
pub(super) type By = (Stamp, TxnId);

/// One entry for the conflict log.
pub(super) fn conflict(
    store: &dyn Storage,
    row: &RowKey,
    loser: By,
    winner: By,
    own: &Write<'_>,
) -> Result<ConflictRow, Fatal> {
    let image = source(store, row, loser.1, Some(own))?.map(|s| s.image);
    let row = row.clone();
    Ok(ConflictRow { row, loser: loser.1, loser_stamp: loser.0, winner: winner.1, winner_stamp: winner.0, image })
}

/// Writes already here that `write` discards something of without having seen them.
pub(super) fn overwritten(row: &RowState, write: &Write<'_>) -> Vec<By> {
    let mut losers: Vec<By> = Vec::new();
    let mut note = |stamp: Stamp, txn: TxnId| {
        let unseen = stamp > Stamp::NONE && stamp < write.stamp && !write.saw.contains(txn);
        if unseen && !losers.iter().any(|(_, t)| *t == txn) {
            losers.push((stamp, txn));
        }
    };
    if write.stamp < row.dead_at {
        return losers;
    }
    let change = write.change;
    let delete = change.after.is_none();
    if delete || change.before.is_none() {
        row.writers().into_iter().for_each(|(stamp, txn)| note(stamp, txn));
        return losers;
    }
    for position in change.changed.iter() {
        if let Some(column) = write.table.columns.get(position) {
            let (stamp, txn) = row.column(*column);
            note(stamp, txn);
        }
    }
    // The delete: this update keeps the row.
    note(row.dead_at, row.dead_txn);
    losers
}

/// The highest write already here that takes something from `write`.
pub(super) fn outdone_by(row: &RowState, write: &Write<'_>) -> Option<By> {
    let change = write.change;
    let dead = (row.dead_at, row.dead_txn);
    let by = match (&change.before, &change.after) {
        (_, None) if row.dead_at < write.stamp => (row.top, row.top_txn),
        (_, None) => return None,
        (..) if write.stamp < row.dead_at => dead.max((row.top, row.top_txn)),
        _ => {
            let columns = change.changed.iter().filter_map(|p| write.table.columns.get(p));
            columns.map(|c| row.column(*c)).max().unwrap_or_default()
        }
    };
    (by.0 > write.stamp).then_some(by)
}
