//! What of a record must stay while key states rest on it.
//!
//! A merge needs the state of a key, and the images that its writers left: of a row that was written a thousand times those
//! of the last writers alone. A record none of whose keys rests on it is not needed for any merge to come, nor to make the
//! states again after a restart: a state is a function of the *set* of writes, and what it does not rest on has changed
//! nothing in it, or nothing that a later write has left.

use super::keys::KeyStates;
use crate::core::fault::Fatal;
use crate::core::message::{Body, Record};
use crate::core::storage::Storage;
use crate::types::{Key, RowChange, RowKey, Stamp, TableChanges, TableId, WriteSet};

/// The part of `record`, which committed at `stamp`, that key states rest on: whole row changes and holds, without the schema
/// change that may be in it, which nobody executes again. `None`: nothing.
pub fn remnant(
    keys: &KeyStates,
    store: &dyn Storage,
    record: &Record,
    stamp: Stamp,
) -> Result<Option<WriteSet>, Fatal> {
    let Body::Write(write_set) = &record.body else { return Ok(None) };
    let rests = |key: &Key| {
        let state = keys.get(store, key)?;
        Ok::<_, Fatal>(state.is_some_and(|state| state.rests_on(record.txn, stamp)))
    };
    let mut kept = WriteSet::default();
    for changes in &write_set.tables {
        let mut rows = Vec::new();
        for change in &changes.rows {
            let mut is_needed = false;
            for key in keys_of(changes.table, change) {
                is_needed = is_needed || rests(&key)?;
            }
            if is_needed {
                rows.push(change.clone());
            }
        }
        if !rows.is_empty() {
            let (database, table, columns) = (changes.database.clone(), changes.table, changes.columns.clone());
            kept.tables.push(TableChanges { database, table, columns, rows });
        }
    }
    for hold in &write_set.holds {
        if rests(&hold.key)? {
            kept.holds.push(hold.clone());
        }
    }
    let is_nothing = kept.tables.is_empty() && kept.holds.is_empty();
    Ok((!is_nothing).then_some(kept))
}

fn keys_of(table: TableId, change: &RowChange) -> impl Iterator<Item = Key> + '_ {
    let uniques = change.claims.iter().chain(&change.releases).map(move |u| Key::Unique(table, u.clone()));
    std::iter::once(Key::Row(RowKey { table, key: change.key.clone() })).chain(uniques)
}
