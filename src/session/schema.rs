//! The catalog as this node's files have it. A schema change costs what it concerns: the applier hands over what it changed, and
//! everything else is shared with the catalog before.

use super::constraint;
use super::server::Server;
use super::system;
use crate::mysql::SqlError;
use crate::sql::{ACCOUNTS_DATABASE, Accounts, Catalog, Database, Table};
use crate::sqlite::{self, Definitions, SchemaMark};
use crate::types::DatabaseName;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The catalog as of one schema generation of the data directory.
pub struct Schema {
    pub generation: u64,
    pub catalog: Catalog,
    /// Who may log in to this node.
    pub accounts: Arc<Accounts>,
    /// The cluster's accounts; `None` until somebody changed them.
    pub(super) replicated: Option<Accounts>,
    read: BTreeMap<DatabaseName, Read>,
}

/// Up to where the catalog has a database.
#[derive(Clone, Copy)]
struct Read {
    /// The schema version of its file.
    version: u64,
    /// Its mark when that was read.
    mark: Option<SchemaMark>,
    /// Whether the file has all of its tables in one definition: [`Definitions::Whole`].
    whole: bool,
}

/// A database as its file has it. `None`: the file of its first change is there, but not yet what that brings.
struct Loaded {
    version: u64,
    whole: bool,
    database: Option<Arc<Database>>,
}

impl Schema {
    /// The version of the database's file that the catalog was read from.
    pub fn version(&self, database: &str) -> Option<u64> {
        self.read.get(database).map(|read| read.version)
    }

    /// Whether the database's file has all of its tables in one definition, so that the next change must say them all.
    pub(super) fn is_whole(&self, database: &str) -> bool {
        self.read.get(database).is_some_and(|read| read.whole)
    }

    /// Up to where the database is known here, if its schema did not change since.
    fn still(&self, name: &str, mark: Option<SchemaMark>) -> Option<Read> {
        self.read.get(name).filter(|read| mark.is_some() && read.mark == mark).copied()
    }
}

impl Server {
    /// Reads what is not as it was `before`.
    ///
    /// # Errors
    /// A file whose catalog cannot be read.
    pub(super) fn load_schema(&self, generation: u64, before: Option<&Schema>) -> Result<Schema, SqlError> {
        let mut databases: Vec<Arc<Database>> = match before {
            Some(before) => before.catalog.databases().filter(|d| d.system).cloned().collect(),
            None => system::databases().into_iter().map(Arc::new).collect(),
        };
        let mut read = BTreeMap::new();
        let mut replicated = None;
        for (name, mark) in self.data.schema_marks() {
            let holds_accounts = *name == *ACCOUNTS_DATABASE;
            if let Some((before, still)) = before.and_then(|before| Some((before, before.still(&name, mark)?))) {
                databases.extend(before.catalog.database(&name).cloned());
                if holds_accounts {
                    replicated.clone_from(&before.replicated);
                }
                read.insert(name, still);
                continue;
            }
            // Dropped since the list was read?
            let Some(Loaded { version, whole, database }) = self.load_database(&name, before)? else { continue };
            match holds_accounts {
                true => replicated = database.map(|database| database.accounts.clone()),
                false => {
                    let empty = || Arc::new(Database::new(name.clone(), Default::default(), 0));
                    databases.push(database.unwrap_or_else(empty));
                }
            }
            read.insert(name, Read { version, mark, whole });
        }
        let accounts = Arc::new(self.configured.beside(replicated.as_ref()));
        Ok(Schema { generation, catalog: databases.into_iter().collect(), accounts, replicated, read })
    }

    /// A database as it is now: as it was `before`, with what changed since, if that is known. `None`: there is none.
    fn load_database(&self, name: &DatabaseName, before: Option<&Schema>) -> Result<Option<Loaded>, SqlError> {
        let damaged = |e| SqlError::internal(format!("the catalog of '{name}' cannot be read: {e}"));
        let known = before.and_then(|before| Some((before.read.get(name)?, before.catalog.database(name)?)));
        let changes = match self.data.take_changes(name, known.map(|(read, _)| read.version)) {
            Err(sqlite::Error::NoSuchDatabase(_)) => return Ok(None),
            changes => changes.map_err(|e| constraint::to_sql(e, None, None))?,
        };
        if let Some(changes) = changes {
            let (version, whole) = known.map_or((0, false), |(read, _)| (read.version, read.whole));
            let database = known.map(|(_, database)| database.clone());
            return changes
                .iter()
                .try_fold(Loaded { version, whole, database }, |loaded, change| {
                    let whole = matches!(*change.definitions, Definitions::Whole { .. });
                    let database = self.changed(loaded.database.as_deref(), &change.definitions)?;
                    Ok(Loaded { version: change.to, whole, database: Some(Arc::new(database)) })
                })
                .map(Some)
                .map_err(damaged);
        }
        let (version, stored) = match self.data.definitions(name) {
            Err(sqlite::Error::NoSuchDatabase(_)) => return Ok(None),
            stored => stored.map_err(|e| constraint::to_sql(e, None, None))?,
        };
        if stored.database.is_empty() {
            return Ok(Some(Loaded { version, whole: false, database: None }));
        }
        let database = Database::assemble(&stored.database, &stored.tables).map_err(damaged)?;
        self.counters.definitions_opened(database.tables.len());
        Ok(Some(Loaded { version, whole: stored.whole, database: Some(Arc::new(database)) }))
    }

    /// The database after a change.
    fn changed(&self, before: Option<&Database>, change: &Definitions) -> Result<Database, postcard::Error> {
        let change = match change {
            Definitions::Whole { definition, .. } => {
                let database = Database::decode(definition)?;
                self.counters.definitions_opened(database.tables.len());
                return Ok(database);
            }
            Definitions::Changed(change) => change,
        };
        let mut database = Database::decode(&change.database)?;
        database.tables = before.map(|before| before.tables.clone()).unwrap_or_default();
        for name in &change.gone {
            database.tables.remove(name);
        }
        for entry in &change.tables {
            let table: Arc<Table> = postcard::from_bytes(&entry.definition)?;
            database.tables.insert(table.name.clone(), table);
        }
        self.counters.definitions_opened(change.tables.len());
        Ok(database)
    }
}
