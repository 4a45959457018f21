//! DDL: the schema lock, the change compiled against the schema under it, tried out here, and committed for everyone.

use super::constraint::{self, Subject};
use super::refusal;
use super::retry::Retry;
use super::schema::Schema;
use super::session::Session;
use crate::core::{Refusal, Request, Response};
use crate::mysql::SqlError;
use crate::sql::{
    CatalogChange, CompileContext, Compiled, Database, HIDDEN_KEY, HIDDEN_KEY_ID, ProgramKind, SchemaChange,
    SchemaProgram, Table, Tables,
};
use crate::sqlite::{DefinitionChange, Definitions, FileChange, SchemaStep, TableEntry, TableIds, TakenIn, UniqueIds};
use crate::types::{DatabaseName, Ddl, Key, KeyAccess, Mode, TableId, TxnId, Versions, WriteSet};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A lock that was lost to a time-out or a recovery is taken again so often.
const LOCKS_LOST: usize = 2;

impl Session {
    /// Runs a schema change; false if there was nothing to do. It commits the open transaction first, as every DDL
    /// statement does.
    pub(super) async fn change_schema(&mut self, change: &SchemaChange) -> Result<bool, SqlError> {
        if crate::sql::is_temporary(change.database()) {
            return self.change_temporary(change);
        }
        let plan = |session: &mut Session, txn| session.plan_change(change, txn);
        if !self.commit_schema(&change.databases(), plan).await? {
            return Ok(false);
        }
        let dropped =
            matches!(change, SchemaChange::DropDatabase { name, .. } if self.state.database.as_ref() == Some(name));
        if dropped {
            self.state.database = None;
            self.tell_database();
        }
        Ok(true)
    }

    /// Commits what `plan` makes of the schema of databases under their locks; false if that is nothing. The open transaction
    /// is committed first.
    pub(super) async fn commit_schema(
        &mut self,
        databases: &[DatabaseName],
        mut plan: impl FnMut(&mut Session, TxnId) -> Result<Option<SchemaStep>, SqlError>,
    ) -> Result<bool, SqlError> {
        self.commit().await?;
        if self.state.settings.read_only {
            return Err(crate::mysql::CANT_EXECUTE_IN_READ_ONLY_TRANSACTION.with(&[]));
        }
        let server = self.server.clone();
        let mut retry = Retry::in_turn(&server, self.state.settings.lock_wait);
        let mut lost = 0;
        loop {
            let txn = self.lock_schema(databases, &mut retry).await?;
            let step = match plan(self, txn) {
                Ok(Some(step)) => step,
                // Nothing to do, or an error: either way the lock goes.
                other => {
                    self.core.request(Request::AbortLocked { txn }).await;
                    return other.map(|_| false);
                }
            };
            let request = Request::CommitLocked { txn, write_set: Arc::new(write_set(databases, &step)?) };
            match self.core.request(request).await {
                Some(Response::Committed { txn, .. }) => {
                    self.note_commit(txn);
                    return Ok(true);
                }
                Some(Response::Refused(Refusal::LockLost)) if lost < LOCKS_LOST => lost += 1,
                Some(Response::Refused(refused @ Refusal::Conflict { .. })) => retry.after(&server, &refused).await?,
                Some(Response::Refused(refused)) => return Err(refusal::to_sql(&refused)),
                Some(other) => {
                    return Err(SqlError::internal(format!("unexpected answer to a schema change: {other:?}")));
                }
                None => return Err(refusal::unknown_outcome("the node stopped, or its disk is full")),
            }
        }
    }

    /// Takes the lock, again and again while others are in the way. They are but for a while: from the first refusal on this
    /// change has its precedence.
    async fn lock_schema(&mut self, databases: &[DatabaseName], retry: &mut Retry) -> Result<TxnId, SqlError> {
        let server = self.server.clone();
        loop {
            if let Some(error) = self.stopped() {
                return Err(error);
            }
            let databases = databases.to_vec();
            let request = Request::LockSchema { databases, begin: retry.begin(), lock_wait: retry.left(&server) };
            match self.core.request(request).await {
                Some(Response::SchemaLocked { txn }) => return Ok(txn),
                Some(Response::Refused(refused)) => retry.after(&server, &refused).await?,
                Some(other) => {
                    return Err(SqlError::internal(format!("unexpected answer to a schema lock: {other:?}")));
                }
                None => return Err(refusal::to_sql(&Refusal::ShuttingDown)),
            }
        }
    }

    /// Compiles the change against the schema under the lock and tries it out. `None`: there is nothing to do.
    fn plan_change(&mut self, change: &SchemaChange, txn: TxnId) -> Result<Option<SchemaStep>, SqlError> {
        let schema = self.server.schema()?;
        let compiled = self.compile(change, &schema, txn)?;
        self.push_warnings(&compiled.warnings);
        let Some(program) = compiled.program else { return Ok(None) };
        let step = self.step_of(&program, &schema)?;
        self.try_out(change, &schema, &step)?;
        Ok(Some(step))
    }

    fn compile(&self, change: &SchemaChange, schema: &Schema, txn: TxnId) -> Result<Compiled, SqlError> {
        let now = self.server.clock.now().wall;
        let mut made = 0;
        // A position in this node's log is never given twice, and no statement makes 65 536 tables.
        let mut fresh = || {
            made += 1;
            TableId::new(self.server.node, (txn.sequence << 16) | made)
        };
        let versions =
            change.databases().into_iter().filter_map(|name| schema.catalog.database(&name).map(|d| d.version));
        let previous = versions.max().unwrap_or(0);
        let mut context = CompileContext {
            fresh: &mut fresh,
            // Rises under the lock; a database of an old name starts above where the clock was when it was dropped.
            version: (previous + 1).max(now.0 << 16),
            now: super::state::moment(self.state.micros, 0, 0),
            foreign_key_checks: self.state.settings.foreign_keys,
            engine: self.state.settings.engines.0,
            modes: self.state.settings.modes,
            definer: self.state.current_account().plain(),
            warnings: Vec::new(),
        };
        Ok(change.compile(&schema.catalog, &mut context)?)
    }

    /// The program in the applier's terms: what becomes of the file, and of definitions.
    fn step_of(&self, program: &SchemaProgram, schema: &Schema) -> Result<SchemaStep, SqlError> {
        let file = match (program.kind, &program.before) {
            (ProgramKind::CreateDatabase, _) => FileChange::Create,
            (ProgramKind::DropDatabase, _) => FileChange::Drop,
            (ProgramKind::Alter, None) => FileChange::Keep,
            (ProgramKind::Alter, Some(into)) => {
                let step = self.step_of(into, schema)?;
                FileChange::TakenIn(Box::new(TakenIn { database: into.database.clone(), step }))
            }
        };
        let apart = self.core.published().version() >= Versions::SINGLE_TABLES;
        let after = program.apply(&schema.catalog);
        let definitions = match (after.database(&program.database), apart) {
            (None, false) => Definitions::Whole { definition: Vec::new(), tables: Vec::new() },
            (None, true) => Definitions::Changed(DefinitionChange::default()),
            (Some(database), false) => whole(database)?,
            (Some(database), true) => {
                let all = schema.is_whole(&program.database);
                Definitions::Changed(changed(database, &program.catalog, all)?)
            }
        };
        Ok(SchemaStep { file, version: program.catalog.version, statements: program.statements.clone(), definitions })
    }

    /// Executes the program privately, so that it fails here and not on every member.
    fn try_out(&mut self, change: &SchemaChange, schema: &Schema, step: &SchemaStep) -> Result<(), SqlError> {
        let catalog = &schema.catalog;
        let database = change.database().clone();
        // A database that is taken apart has the identities of all tables in the step.
        let alone = change.is_of_whole_tables() && !schema.is_whole(&database);
        if alone && matches!(step.definitions, Definitions::Changed(_)) {
            let tried = self.workspace()?.try_apart(&database, step);
            let subject = Subject { catalog, database: &database, table: "", kind: None };
            return tried.map_err(|e| constraint::to_sql(e, Some(subject), None));
        }
        let attached = match step.file {
            FileChange::Create | FileChange::Drop => Vec::new(),
            FileChange::Keep | FileChange::TakenIn(_) => change.databases(),
        };
        let workspace = self.workspace()?;
        workspace.set_foreign_keys(true).map_err(super::session::plain)?;
        let tried = (|| {
            attached.iter().try_for_each(|database| workspace.attach(database))?;
            workspace.begin_schema()?;
            workspace.execute_schema(&database, step)
        })();
        workspace.end();
        self.workspace_checks = true;
        let table = match change {
            SchemaChange::AlterTable { name, .. } | SchemaChange::Truncate { name, .. } => name.as_str(),
            _ => "",
        };
        let subject = Subject { catalog, database: &database, table, kind: None };
        tried.map_err(|e| constraint::to_sql(e, Some(subject), None))
    }
}

/// The step belongs to the first of `databases`; the schemas of all are held.
fn write_set(databases: &[DatabaseName], step: &SchemaStep) -> Result<WriteSet, SqlError> {
    let database = databases.first().ok_or_else(|| SqlError::internal("a change of no database"))?.clone();
    let payload = step.encode().into();
    let hold = |database| KeyAccess { key: Key::Schema(database), mode: Mode::Write };
    let holds = databases.iter().cloned().map(hold).collect();
    Ok(WriteSet { tables: Vec::new(), holds, ddl: Some(Ddl { database, payload }) })
}

fn encoded(definition: &impl Serialize) -> Result<Vec<u8>, SqlError> {
    postcard::to_stdvec(definition).map_err(|e| SqlError::internal(format!("the catalog cannot be encoded: {e}")))
}

/// All definitions of a database.
fn whole(database: &Database) -> Result<Definitions, SqlError> {
    let tables = database.tables.values().map(|table| identities(table)).collect();
    Ok(Definitions::Whole { definition: encoded(database)?, tables })
}

/// What of the definitions of a database is otherwise after `change`; `all`: the definitions of all tables.
fn changed(database: &Database, change: &CatalogChange, all: bool) -> Result<DefinitionChange, SqlError> {
    let without = Database { tables: Tables::default(), ..database.clone() };
    let entry = |table: &Arc<Table>| Ok(TableEntry { ids: identities(table), definition: encoded(table)? });
    let tables: Result<Vec<TableEntry>, SqlError> = match all {
        true => database.tables.values().map(entry).collect(),
        false => {
            let names: BTreeSet<&String> = change.upsert.iter().map(|table| &table.name).collect();
            names.into_iter().filter_map(|name| database.tables.get(name)).map(entry).collect()
        }
    };
    let gone = change.remove.iter().filter(|name| !database.tables.contains_key(name)).cloned().collect();
    Ok(DefinitionChange { database: encoded(&without)?, gone, tables: tables? })
}

fn identities(table: &Table) -> TableIds {
    let hidden = table.has_hidden_key().then(|| (HIDDEN_KEY_ID, HIDDEN_KEY.to_string()));
    let columns = table.columns.iter().map(|c| (c.id, c.name.clone()));
    let unique = |index: &crate::sql::Index| UniqueIds {
        id: index.id,
        parts: index.columns.iter().map(|p| (table.name_of(p.column).to_string(), p.prefix)).collect(),
    };
    TableIds {
        id: table.id,
        name: table.name.clone(),
        columns: hidden.into_iter().chain(columns).collect(),
        uniques: table.secondary_indexes().filter(|i| i.kind.is_unique()).map(unique).collect(),
    }
}
