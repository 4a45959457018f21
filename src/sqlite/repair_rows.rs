//! Rows of a file that are not what the cluster agreed on, replaced by those that are.
//!
//! The applier does it, which alone writes the files: nothing is brought into the file meanwhile. It is no transaction: it has
//! no place in the log, and no other node hears of it.

use super::apply::{Applier, Open};
use super::connection::quoted;
use super::error::{Error, Result};
use super::layout::TableLayout;
use super::row_range::{Image, KeyCells, RowDigest, digest_of};
use crate::types::{TableId, Value};
use std::sync::{Arc, PoisonError};

/// A row to be replaced.
#[derive(Clone, Debug, PartialEq)]
pub struct RowRepair {
    pub key: KeyCells,
    /// What it was found to be; `None`: there was none. One that is different by now stays.
    pub found: Option<RowDigest>,
    /// What it must be; `None`: there must be none.
    pub image: Option<Image>,
}

impl Applier {
    /// Replaces rows of one table, all in one SQLite transaction, and says how many: those that are still what they were found
    /// to be. A row that has a unique value of one put in goes: it has no right to it either, and is missed next time.
    ///
    /// # Errors
    /// Nothing was changed: the schema is not at `version`, an image is not of this table, or SQLite fails.
    pub fn repair(&mut self, database: &str, version: u64, table: TableId, rows: &[RowRepair]) -> Result<usize> {
        let dir = self.dir.clone();
        let open = self.files.get_mut(database).ok_or_else(|| Error::NoSuchDatabase(database.to_string()))?;
        if open.in_transaction || open.layout.version != version {
            return Err(Error::Unsupported(format!("repairing rows of another schema than version {version}")));
        }
        let layout = open.layout.with_id(table).cloned().ok_or_else(|| Error::Unreplicated(table.to_string()))?;
        open.connection.cached("BEGIN IMMEDIATE")?.run([])?;
        let replaced = replace(open, &layout, rows).and_then(|count| {
            let _visibility = dir.shared.visibility.write().unwrap_or_else(PoisonError::into_inner);
            open.connection.cached("COMMIT")?.run([])?;
            Ok(count)
        });
        match &replaced {
            Ok(_) => open.dirty = true,
            Err(_) => open.end(),
        }
        replaced
    }
}

fn replace(open: &mut Open, layout: &Arc<TableLayout>, rows: &[RowRepair]) -> Result<usize> {
    let name = format!("{}.{}", quoted(&open.name), quoted(&layout.name));
    let column = |place: usize| quoted(&layout.columns[place].name);
    let key: Vec<String> =
        layout.key.iter().enumerate().map(|(n, p)| format!("{} = ?{}", column(p.column), n + 1)).collect();
    let key = key.join(" AND ");
    let mut order: Vec<usize> = (0..layout.columns.len()).collect();
    order.sort_by_key(|place| layout.columns[*place].id);
    let list: Vec<String> = order.iter().map(|place| column(*place)).collect();
    let marks: Vec<String> = (1..=list.len()).map(|n| format!("?{n}")).collect();
    let list = list.join(", ");
    let select = format!("SELECT {list} FROM {name} WHERE {key}");
    let delete = format!("DELETE FROM {name} WHERE {key}");
    let insert = format!("INSERT OR REPLACE INTO {name}({list}) VALUES({})", marks.join(", "));
    let ids: Vec<_> = order.iter().map(|place| layout.columns[*place].id).collect();

    let mut wanted = Vec::new();
    for row in rows {
        if row.key.len() != layout.key.len() {
            return Err(Error::Unsupported(format!("a key of {} columns of table {}", row.key.len(), layout.id)));
        }
        let is_whole = |image: &Image| image.iter().map(|(id, _)| *id).eq(ids.iter().copied());
        if row.image.as_ref().is_some_and(|image| !is_whole(image)) {
            return Err(Error::Unsupported(format!("a row with other columns than table {} has", layout.id)));
        }
        let present = open.connection.cached(&select)?.all(&row.key)?.pop();
        let present: Option<Image> = present.map(|cells| ids.iter().copied().zip(cells).collect());
        if present.as_ref().map(digest_of) == row.found {
            wanted.push(row);
        }
    }
    // First out with all that is wrong: rows may have exchanged their unique values.
    for row in &wanted {
        open.connection.cached(&delete)?.run(&row.key)?;
    }
    for image in wanted.iter().filter_map(|row| row.image.as_ref()) {
        let cells: Vec<&Value> = image.iter().map(|(_, cell)| cell).collect();
        open.connection.cached(&insert)?.run(cells)?;
    }
    Ok(wanted.len())
}
