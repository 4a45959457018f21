//! The MySQL definitions that a database file carries, and the changes of them that nobody asked for yet.
//!
//! `__marmot_catalog` has an item `definition`, the database without its tables, and an item `table NAME` for each table: so a
//! schema change writes what it concerns. Files that were last changed by a version that knew no better have all tables in
//! `definition`, and all identities in an item `identities`; the next change of a newer version takes them apart.

use super::connection::{Connection, quoted};
use super::data_dir::{DataDir, catalog_value, locked, sequences_ids};
use super::error::{Error, Result};
use super::functions::Functions;
use super::layout::{DatabaseLayout, TableSource};
use super::schema::{DefinitionChange, Definitions, TableEntry, TableIds};
use crate::types::Value;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// What a definition's item is called.
const DATABASE: &str = "definition";
/// And the one of all identities, in files of old.
const IDENTITIES: &str = "identities";
/// What the items of tables begin with; `TABLES_END` is above all of them.
const TABLE: &str = "table ";
const TABLES_END: &str = "table!";

/// Changes kept for who asks later; who comes too late reads the file. And their bytes.
const KEPT: usize = 256;
const KEPT_BYTES: usize = 512 << 10;

/// A table in `__marmot_catalog`.
#[derive(Serialize, Deserialize)]
struct Item {
    /// The version of the database with which it changed last.
    changed: u64,
    entry: TableEntry,
}

/// Every definition of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredDefinitions {
    /// Of the database; empty at first.
    pub database: Vec<u8>,
    /// Of the tables that are not in that of the database.
    pub tables: Vec<Vec<u8>>,
    /// Whether that of the database has all tables in it: [`Definitions::Whole`].
    pub whole: bool,
}

fn item_of(table: &str) -> Value {
    Value::text(format!("{TABLE}{table}"))
}

fn decode<T: DeserializeOwned>(schema: &str, bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(|e| Error::Sqlite {
        code: rusqlite::ffi::SQLITE_CORRUPT,
        message: format!("the catalog of '{schema}' cannot be read: {e}"),
    })
}

fn encode(schema: &str, value: &impl Serialize) -> Result<Value> {
    let bytes = postcard::to_stdvec(value).map_err(|e| Error::Sqlite {
        code: rusqlite::ffi::SQLITE_ERROR,
        message: format!("the catalog of '{schema}' cannot be encoded: {e}"),
    })?;
    Ok(Value::Blob(bytes.into()))
}

/// The items of all tables of the database attached as `schema`.
fn items(connection: &mut Connection, schema: &str) -> Result<Vec<Item>> {
    let sql = format!("SELECT value FROM {}.__marmot_catalog WHERE item >= ?1 AND item < ?2", quoted(schema));
    let rows = connection.cached(&sql)?.all(&[Value::text(TABLE), Value::text(TABLES_END)])?;
    let bytes = |row: &Vec<Value>| match row.first() {
        Some(Value::Blob(bytes)) => decode(schema, bytes),
        _ => decode(schema, &[]),
    };
    rows.iter().map(bytes).collect()
}

/// Reads all definitions of the database attached as `schema`.
pub(super) fn read(connection: &mut Connection, schema: &str) -> Result<StoredDefinitions> {
    let database = catalog_value(connection, schema, DATABASE)?;
    let tables = items(connection, schema)?.into_iter().map(|item| item.entry.definition).collect();
    let whole = !catalog_value(connection, schema, IDENTITIES)?.is_empty();
    Ok(StoredDefinitions { database, tables, whole })
}

/// What the layouts of all tables of the database attached as `schema` follow from, besides SQLite's own schema.
pub(super) fn sources(connection: &mut Connection, schema: &str) -> Result<Vec<TableSource>> {
    let mut sources: Vec<TableSource> = match catalog_value(connection, schema, IDENTITIES)?.as_slice() {
        [] => items(connection, schema)?.into_iter().map(|i| TableSource::changed(i.entry.ids, i.changed)).collect(),
        bytes => {
            let tables: Vec<TableIds> = decode(schema, bytes)?;
            TableSource::whole(connection, schema, tables)?
        }
    };
    sources.push(TableSource::changed(sequences_ids(), 0));
    Ok(sources)
}

/// Writes what a schema change to `version` makes of the definitions of the database attached as `schema`.
pub(super) fn write(connection: &mut Connection, schema: &str, version: u64, definitions: &Definitions) -> Result<()> {
    let catalog = format!("{}.__marmot_catalog", quoted(schema));
    let put = format!("INSERT OR REPLACE INTO {catalog} VALUES(?1, ?2)");
    let delete = format!("DELETE FROM {catalog} WHERE item = ?1");
    match definitions {
        Definitions::Whole { definition, tables } => {
            let apart = format!("DELETE FROM {catalog} WHERE item >= ?1 AND item < ?2");
            connection.cached(&apart)?.run(&[Value::text(TABLE), Value::text(TABLES_END)])?;
            connection.cached(&put)?.run(&[Value::text(DATABASE), Value::Blob(definition.as_slice().into())])?;
            connection.cached(&put)?.run(&[Value::text(IDENTITIES), encode(schema, tables)?])
        }
        Definitions::Changed(DefinitionChange { database, gone, tables }) => {
            connection.cached(&delete)?.run(&[Value::text(IDENTITIES)])?;
            connection.cached(&put)?.run(&[Value::text(DATABASE), Value::Blob(database.as_slice().into())])?;
            for name in gone {
                connection.cached(&delete)?.run(&[item_of(name)])?;
            }
            for entry in tables {
                let item = encode(schema, &Item { changed: version, entry: entry.clone() })?;
                connection.cached(&put)?.run(&[item_of(&entry.ids.name), item])?;
            }
            Ok(())
        }
    }
}

impl DataDir {
    /// The database's schema version and its definitions, as the last schema change left them.
    ///
    /// # Errors
    /// There is no such database, or its catalog is damaged.
    pub fn definitions(&self, database: &str) -> Result<(u64, StoredDefinitions)> {
        let file = self.file(database)?;
        let mut connection = self.open_file(&file, &Functions::new())?;
        // One snapshot for both.
        connection.run_script("BEGIN")?;
        let version = super::data_dir::state_value(&mut connection, "main", "schema_version")?;
        Ok((version, read(&mut connection, "main")?))
    }

    /// The changes of the database's definitions that were applied here since its schema was of `version`, in order, each with
    /// the version it led to. They are handed out once: to the one who keeps the catalog.
    ///
    /// `None`: they are not known (any more).
    ///
    /// # Errors
    /// There is no such database.
    pub fn take_changes(&self, database: &str, version: Option<u64>) -> Result<Option<Vec<AppliedChange>>> {
        Ok(self.file(database)?.changes.take(version))
    }
}

/// A change of the definitions of one database that was applied here.
#[derive(Clone, Debug)]
pub struct AppliedChange {
    /// The database's version before and after.
    pub from: u64,
    pub to: u64,
    pub definitions: Arc<Definitions>,
}

/// The changes of one database that nobody asked for yet. Reading the file instead takes a connection, which first reads the
/// definitions of all tables.
#[derive(Default)]
pub(super) struct Changes(Mutex<Pending>);

#[derive(Default)]
struct Pending {
    /// Each begins where the one before ended.
    list: VecDeque<AppliedChange>,
    bytes: usize,
    /// The version that the last change led to, also one that was handed out.
    last: Option<u64>,
}

impl Changes {
    /// `changes` are visible now.
    pub(super) fn add(&self, changes: Vec<AppliedChange>) {
        let mut pending = locked(&self.0);
        for change in changes {
            let whole = matches!(*change.definitions, Definitions::Whole { .. });
            if whole || pending.last != Some(change.from) {
                pending.list.clear();
                pending.bytes = 0;
            }
            pending.last = Some(change.to);
            pending.bytes += change.definitions.bytes();
            pending.list.push_back(change);
            while pending.list.len() > KEPT || pending.bytes > KEPT_BYTES && pending.list.len() > 1 {
                let oldest = pending.list.pop_front().map_or(0, |change| change.definitions.bytes());
                pending.bytes -= oldest;
            }
        }
    }

    /// See [`DataDir::take_changes`].
    fn take(&self, version: Option<u64>) -> Option<Vec<AppliedChange>> {
        let mut pending = locked(&self.0);
        let known = version.and_then(|version| match pending.last == Some(version) {
            true => Some(pending.list.len()),
            false => pending.list.iter().position(|change| change.from == version),
        });
        // What begins with all definitions needs none before.
        let whole = pending.list.front().is_some_and(|c| matches!(*c.definitions, Definitions::Whole { .. }));
        let first = known.or(whole.then_some(0))?;
        pending.bytes = 0;
        let mut all = std::mem::take(&mut pending.list);
        Some(all.drain(first..).collect())
    }
}

/// The layouts of the snapshot that `connection` sees of the database attached as `schema`; `before`: an earlier or later
/// one of the same database, from which is taken over what is the same.
pub(super) fn read_layout(
    connection: &mut Connection,
    schema: &str,
    before: Option<&DatabaseLayout>,
) -> Result<Arc<DatabaseLayout>> {
    let version = super::data_dir::state_value(connection, schema, "schema_version")?;
    let sources = sources(connection, schema)?;
    DatabaseLayout::read(connection, schema, version, sources, before).map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(from: u64, to: u64) -> AppliedChange {
        let definitions = Definitions::Changed(DefinitionChange { database: vec![to as u8], ..Default::default() });
        AppliedChange { from, to, definitions: Arc::new(definitions) }
    }

    fn whole(from: u64, to: u64) -> AppliedChange {
        let definitions = Definitions::Whole { definition: vec![to as u8], tables: Vec::new() };
        AppliedChange { from, to, definitions: Arc::new(definitions) }
    }

    fn versions(taken: Option<Vec<AppliedChange>>) -> Option<Vec<u64>> {
        taken.map(|changes| changes.iter().map(|change| change.to).collect())
    }

    #[test]
    fn changes_are_handed_out_to_who_has_what_they_begin_with() {
        let changes = Changes::default();
        assert_eq!(versions(changes.take(Some(1))), None, "nothing is known of before the start");
        changes.add(vec![change(1, 2), change(2, 5)]);
        changes.add(vec![change(5, 6)]);
        assert_eq!(versions(changes.take(None)), None);
        assert_eq!(versions(changes.take(Some(3))), None);
        assert_eq!(versions(changes.take(Some(2))), Some(vec![5, 6]));
        assert_eq!(versions(changes.take(Some(6))), Some(vec![]), "it has them all");
        assert_eq!(versions(changes.take(Some(2))), None, "once is enough");
    }

    #[test]
    fn a_gap_or_a_whole_definition_begins_anew() {
        let changes = Changes::default();
        changes.add(vec![change(1, 2), change(3, 4)]);
        assert_eq!(versions(changes.take(Some(1))), None);
        changes.add(vec![change(4, 5), whole(5, 6), change(6, 7)]);
        assert_eq!(versions(changes.take(None)), Some(vec![6, 7]));
    }

    #[test]
    fn no_more_are_kept_than_fit() {
        let changes = Changes::default();
        changes.add((1..=KEPT as u64 + 10).map(|n| change(n, n + 1)).collect());
        assert_eq!(versions(changes.take(Some(10))), None);
        assert_eq!(changes.take(Some(11)).map(|changes| changes.len()), Some(KEPT));
    }
}
