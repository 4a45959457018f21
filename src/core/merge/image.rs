//! Row images out of the log: what a writer left, and what several writers left together.

use super::state::RowState;
use crate::core::fault::Fatal;
use crate::core::message::{Body, Record};
use crate::core::storage::{Storage, Table, load};
use crate::types::{
    ColumnId, RowChange, RowImage, RowKey, Stamp, TableChanges, TxnId, UniqueValue, Value, VersionVector,
};
use std::sync::Arc;

/// One row's change, as it is being merged.
pub(super) struct Write<'a> {
    pub txn: TxnId,
    pub stamp: Stamp,
    /// What its writer had recorded: whatever else it wins over, it wins over unseen.
    pub saw: &'a VersionVector,
    /// Validated by a quorum, not a ONE write.
    pub validated: bool,
    pub table: &'a TableChanges,
    pub change: &'a RowChange,
}

impl Write<'_> {
    pub fn row(&self) -> RowKey {
        RowKey { table: self.table.table, key: self.change.key.clone() }
    }

    /// The row as its writer left it; for a delete, as it was before.
    pub fn image(&self) -> RowImage {
        self.change.after.clone().or_else(|| self.change.before.clone()).unwrap_or_default()
    }
}

/// What one transaction did to one row.
pub(super) struct Source {
    pub columns: Arc<[ColumnId]>,
    pub image: RowImage,
    pub keeps: Vec<UniqueValue>,
    saw: VersionVector,
}

/// What `txn` did to `row`: from the write being merged, or from the log; `None` if neither knows.
pub(super) fn source(
    store: &dyn Storage,
    row: &RowKey,
    txn: TxnId,
    own: Option<&Write<'_>>,
) -> Result<Option<Source>, Fatal> {
    if let Some(write) = own.filter(|w| w.txn == txn && w.table.table == row.table && w.change.key == row.key) {
        let (columns, keeps) = (write.table.columns.clone(), write.change.keeps.clone());
        return Ok(Some(Source { columns, image: write.image(), keeps, saw: write.saw.clone() }));
    }
    let Some(record) = load::<Record>(store, Table::Record, &txn.to_bytes())? else { return Ok(None) };
    let Body::Write(write_set) = &record.body else { return Ok(None) };
    let found = write_set.tables.iter().filter(|t| t.table == row.table).find_map(|table| {
        let change = table.rows.iter().find(|r| r.key == row.key)?;
        let image = change.after.clone().or_else(|| change.before.clone())?;
        Some((table.columns.clone(), image, change.keeps.clone()))
    });
    Ok(found.map(|(columns, image, keeps)| Source { columns, image, keeps, saw: record.dependencies }))
}

/// The merged row, in the column order of its highest write; `None` if the log no longer has that.
///
/// It begins with an image that has every column nobody else wrote since: that of the highest write, or of the highest
/// insert if the highest write did not know of it. What that image's writer knew is in it already.
pub(super) fn compose(
    store: &dyn Storage,
    key: &RowKey,
    row: &RowState,
    own: Option<&Write<'_>>,
) -> Result<Option<(Arc<[ColumnId]>, RowImage)>, Fatal> {
    let Some(top) = source(store, key, row.top_txn, own)? else { return Ok(None) };
    let columns = top.columns.clone();
    let knows_whole = row.whole == Stamp::NONE || row.whole_txn == row.top_txn || top.saw.contains(row.whole_txn);
    let mut image = top.image.to_vec();
    if !knows_whole && let Some(whole) = source(store, key, row.whole_txn, own)? {
        image = project(&whole, &columns, &top.image);
    }
    for (column, _, txn) in &row.columns {
        let Some(position) = columns.iter().position(|c| c == column) else { continue };
        let in_top = *txn == row.top_txn || top.saw.contains(*txn);
        if in_top && !knows_whole {
            image[position] = top.image[position].clone();
        } else if !in_top
            && let Some(theirs) = source(store, key, *txn, own)?
            && let Some(at) = theirs.columns.iter().position(|c| c == column)
        {
            image[position] = theirs.image[at].clone();
        }
    }
    Ok(Some((columns, image.into())))
}

/// The merged row in the column order of `write`, which supplies what the log no longer has.
pub(super) fn compose_for(store: &dyn Storage, row: &RowState, write: &Write<'_>) -> Result<RowImage, Fatal> {
    let own = write.image();
    let Some((columns, image)) = compose(store, &write.row(), row, Some(write))? else { return Ok(own) };
    if columns == write.table.columns {
        return Ok(image);
    }
    let source = Source { columns, image, keeps: Vec::new(), saw: VersionVector::new() };
    Ok(project(&source, &write.table.columns, &own).into())
}

/// An image in another column order; columns it lacks come from `fallback`.
fn project(from: &Source, to: &[ColumnId], fallback: &RowImage) -> Vec<Value> {
    let cell = |(position, column): (usize, &ColumnId)| match from.columns.iter().position(|c| c == column) {
        Some(at) => from.image[at].clone(),
        None => fallback[position].clone(),
    };
    to.iter().enumerate().map(cell).collect()
}
