//! DDL: the change a statement asks for, and the program every node runs for it.

use super::alteration::Alteration;
use super::catalog::{Catalog, Collation, Database, Table, View};
use super::definition::TableDefinition;
use super::error::{Error, Warning};
use super::modes::Modes;
use super::parse::{CreateFunction, CreateProgram, NatureChange, ViewVerb};
use super::program::{StoredKind, StoredProgram};
use super::routine::Routine;
use crate::types::{DatabaseName, TableId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a DDL statement asks for. It says nothing about the present schema; [`SchemaChange::compile`] does, under the
/// schema lock.
#[derive(Clone, Debug, PartialEq)]
pub enum SchemaChange {
    CreateDatabase {
        name: DatabaseName,
        if_not_exists: bool,
        collation: Option<Collation>,
    },
    AlterDatabase {
        name: DatabaseName,
        collation: Option<Collation>,
    },
    DropDatabase {
        name: DatabaseName,
        if_exists: bool,
    },
    CreateTable {
        database: DatabaseName,
        if_not_exists: bool,
        /// OR REPLACE.
        replace: bool,
        definition: Box<TableDefinition>,
    },
    CreateTableLike {
        database: DatabaseName,
        name: String,
        if_not_exists: bool,
        replace: bool,
        source: (DatabaseName, String),
    },
    AlterTable {
        database: DatabaseName,
        name: String,
        if_exists: bool,
        alterations: Vec<Alteration>,
    },
    /// All of one database.
    DropTables {
        database: DatabaseName,
        names: Vec<String>,
        if_exists: bool,
    },
    /// Left to right.
    RenameTables {
        /// What is missing is passed over with a note.
        if_exists: bool,
        database: DatabaseName,
        renames: Vec<(String, String)>,
    },
    /// RENAME TABLE into another database, left to right, all at once.
    MoveTables {
        /// What is missing is passed over with a note.
        if_exists: bool,
        from: DatabaseName,
        to: DatabaseName,
        renames: Vec<Move>,
    },
    Truncate {
        database: DatabaseName,
        name: String,
    },
    CreateView {
        database: DatabaseName,
        verb: ViewVerb,
        if_not_exists: bool,
        view: Box<View>,
        /// `user@host`; `None`: whoever creates it.
        definer: Option<String>,
    },
    /// All of one database.
    DropViews {
        database: DatabaseName,
        names: Vec<String>,
        if_exists: bool,
    },
    CreateFunction {
        database: DatabaseName,
        create: Box<CreateFunction>,
        /// The SQL mode to read it by.
        modes: u32,
    },
    CreateProgram {
        database: DatabaseName,
        create: Box<CreateProgram>,
        /// The SQL mode to read it by.
        modes: u32,
    },
    AlterProgram {
        database: DatabaseName,
        kind: StoredKind,
        name: String,
        change: NatureChange,
    },
    DropProgram {
        database: DatabaseName,
        kind: StoredKind,
        name: String,
        if_exists: bool,
    },
}

/// One name of a RENAME TABLE over two databases.
#[derive(Clone, Debug, PartialEq)]
pub struct Move {
    pub name: String,
    pub to: String,
    pub direction: Direction,
}

/// Which of the two databases a table leaves and which it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A new name in the database that the others leave.
    WithinFrom,
    /// A new name in the database that the others come to.
    WithinTo,
    Across,
}

/// What compiling needs besides the catalog.
pub struct CompileContext<'a> {
    /// Gives an id that no table ever had or will have.
    pub fresh: &'a mut dyn FnMut() -> TableId,
    /// A number that this database's version never had: for instance the hybrid clock.
    pub version: u64,
    /// The wall clock, `YYYY-MM-DD HH:MM:SS` in UTC: what CURRENT_TIMESTAMP is for rows that get a new column.
    pub now: String,
    /// `foreign_key_checks`: off, tables may refer to parents that do not exist yet, and parents may go.
    pub foreign_key_checks: bool,
    /// What a table is labelled with that names no engine: `default_storage_engine`.
    pub engine: &'static str,
    /// `sql_mode`, with how the texts of new tables compare. Not strict, a type that does not do becomes another.
    pub modes: Modes,
    /// Who makes what does not say so: `user@host`.
    pub definer: String,
    /// What the definition is not taken as it is written.
    pub warnings: Vec<Warning>,
}

/// What every node does for a schema change, in order with DML. Encode it with postcard into [`crate::types::Ddl`].
///
/// The statements run in one transaction with the catalog change, on a connection that has the Marmot functions, with
/// `foreign_keys` **off** (else SQLite's DROP TABLE would cascade into child tables) and `legacy_alter_table` off. They
/// address tables as `"database"."table"`. They name no function that differs between nodes. The applier skips
/// programs at or below the file's applied position, so that they need not be repeatable statement by statement;
/// CREATE and DROP are so all the same (IF (NOT) EXISTS).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SchemaProgram {
    pub database: DatabaseName,
    pub kind: ProgramKind,
    /// SQLite text, one statement each.
    pub statements: Vec<String>,
    pub catalog: CatalogChange,
    /// What goes before: another database takes tables of this one in.
    pub before: Option<Box<SchemaProgram>>,
}

/// What happens to the database file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProgramKind {
    /// Make the file if there is none, then run the statements.
    CreateDatabase,
    /// Remove the file; there are no statements.
    DropDatabase,
    /// Run the statements in the existing file.
    Alter,
}

/// The change of one database's catalog.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CatalogChange {
    /// The database's new version.
    pub version: u64,
    /// The database's new default collation, if that changes.
    pub collation: Option<Collation>,
    /// Names of tables that are no more; before `upsert`.
    pub remove: Vec<String>,
    /// New and changed tables, whole.
    pub upsert: Vec<Arc<Table>>,
    /// Names of views that are no more; before `upsert_views`.
    pub remove_views: Vec<String>,
    pub upsert_views: Vec<Arc<View>>,
    /// Names of stored functions that are no more; before `upsert_routines`.
    pub remove_routines: Vec<String>,
    pub upsert_routines: Vec<Arc<Routine>>,
    /// Stored programs that are no more; before `upsert_programs`.
    pub remove_programs: Vec<(StoredKind, String)>,
    pub upsert_programs: Vec<Arc<StoredProgram>>,
    /// Of new views and functions of one RETURN, as [`Database::definers`] has them.
    pub definers: Vec<(String, String)>,
}

/// A compiled schema change.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// `None`: nothing to do (IF EXISTS, IF NOT EXISTS); release the lock and answer with the warnings.
    pub program: Option<SchemaProgram>,
    pub warnings: Vec<Warning>,
}

impl SchemaProgram {
    /// Nothing yet, for a database that exists.
    pub fn new(database: &DatabaseName, context: &CompileContext<'_>) -> SchemaProgram {
        SchemaProgram {
            database: database.clone(),
            kind: ProgramKind::Alter,
            statements: vec![],
            catalog: CatalogChange { version: context.version, ..CatalogChange::default() },
            before: None,
        }
    }

    /// The catalog after this program.
    pub fn apply(&self, catalog: &Catalog) -> Catalog {
        if self.kind == ProgramKind::DropDatabase {
            return catalog.without(&self.database);
        }
        let catalog = &match &self.before {
            Some(before) => before.apply(catalog),
            None => catalog.clone(),
        };
        let mut database = match catalog.database(&self.database) {
            Some(database) => (**database).clone(),
            None => Database::new(self.database.clone(), Collation::default(), self.catalog.version),
        };
        self.catalog.apply(&mut database);
        catalog.with(database)
    }
}

impl CatalogChange {
    /// Changes `database` in place.
    pub fn apply(&self, database: &mut Database) {
        database.version = self.version;
        if let Some(collation) = &self.collation {
            database.collation = collation.clone();
        }
        for name in &self.remove {
            database.tables.remove(name);
        }
        for table in &self.upsert {
            database.tables.insert(table.name.clone(), table.clone());
        }
        for name in &self.remove_views {
            database.views.remove(name);
            database.definers.remove(name);
        }
        for view in &self.upsert_views {
            database.views.insert(view.name.clone(), view.clone());
        }
        for name in &self.remove_routines {
            database.routines.remove(name);
            database.definers.remove(&format!("{name}()"));
        }
        for routine in &self.upsert_routines {
            database.routines.insert(routine.name.clone(), routine.clone());
        }
        for (kind, name) in &self.remove_programs {
            database.programs.remove(&(*kind, name.to_lowercase()));
        }
        for program in &self.upsert_programs {
            database.programs.insert((program.kind, program.name.to_lowercase()), program.clone());
        }
        database.definers.extend(self.definers.iter().cloned());
    }
}

impl SchemaChange {
    /// Whether it makes and drops whole tables, if any, and touches no other: to SQLite it works or fails the same in an
    /// empty database.
    pub fn is_of_whole_tables(&self) -> bool {
        match self {
            SchemaChange::CreateTable { .. }
            | SchemaChange::CreateTableLike { .. }
            | SchemaChange::DropTables { .. }
            | SchemaChange::Truncate { .. }
            | SchemaChange::CreateView { .. }
            | SchemaChange::DropViews { .. }
            | SchemaChange::CreateFunction { .. }
            | SchemaChange::CreateProgram { .. }
            | SchemaChange::AlterProgram { .. }
            | SchemaChange::DropProgram { .. }
            | SchemaChange::CreateDatabase { .. }
            | SchemaChange::AlterDatabase { .. }
            | SchemaChange::DropDatabase { .. } => true,
            SchemaChange::AlterTable { .. } | SchemaChange::RenameTables { .. } | SchemaChange::MoveTables { .. } => {
                false
            }
        }
    }

    /// The databases whose schema locks the change needs.
    pub fn databases(&self) -> Vec<DatabaseName> {
        match self {
            SchemaChange::MoveTables { from, to, .. } => vec![from.clone(), to.clone()],
            other => vec![other.database().clone()],
        }
    }

    /// The database that changes; of two the one that tables leave.
    pub fn database(&self) -> &DatabaseName {
        match self {
            SchemaChange::CreateDatabase { name, .. }
            | SchemaChange::AlterDatabase { name, .. }
            | SchemaChange::DropDatabase { name, .. } => name,
            SchemaChange::CreateTable { database, .. }
            | SchemaChange::CreateTableLike { database, .. }
            | SchemaChange::AlterTable { database, .. }
            | SchemaChange::DropTables { database, .. }
            | SchemaChange::RenameTables { database, .. }
            | SchemaChange::Truncate { database, .. }
            | SchemaChange::CreateView { database, .. }
            | SchemaChange::DropViews { database, .. }
            | SchemaChange::CreateFunction { database, .. }
            | SchemaChange::CreateProgram { database, .. }
            | SchemaChange::AlterProgram { database, .. }
            | SchemaChange::DropProgram { database, .. }
            | SchemaChange::MoveTables { from: database, .. } => database,
        }
    }

    /// Turns the change into a program against `catalog`, which must be the state under the schema lock. Fails with
    /// MySQL's errors (1050, 1060, 1146, ...) and then has no effect.
    pub fn compile(&self, catalog: &Catalog, context: &mut CompileContext<'_>) -> Result<Compiled, Error> {
        let mut compiled = super::compile::compile(self, catalog, context)?;
        compiled.warnings.append(&mut context.warnings);
        Ok(compiled)
    }
}
