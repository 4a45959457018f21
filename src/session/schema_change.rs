//! DDL: the schema lock, the change compiled against the schema under it, tried out here, and committed for everyone.

use super::constraint::{self, Subject};
use super::refusal;
use super::server::Schema;
use super::session::Session;
use crate::core::{Refusal, Request, Response};
use crate::mysql::SqlError;
use crate::sql::{
    Catalog, CompileContext, Compiled, HIDDEN_KEY, HIDDEN_KEY_ID, ProgramKind, SchemaChange, SchemaProgram,
};
use crate::sqlite::{FileChange, SchemaStep, TableIds, TakenIn, UniqueIds};
use crate::types::{DatabaseName, Ddl, Key, KeyAccess, Mode, TableId, TxnId, WriteSet};
use std::sync::Arc;

/// A lock that was lost to a time-out or a recovery is taken again so often.
const LOCK_ATTEMPTS: usize = 3;

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
        for attempt in 1.. {
            let txn = self.lock_schema(databases).await?;
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
                Some(Response::Refused(Refusal::LockLost | Refusal::Conflict { .. })) if attempt < LOCK_ATTEMPTS => {}
                Some(Response::Refused(refused)) => return Err(refusal::to_sql(&refused)),
                Some(other) => {
                    return Err(SqlError::internal(format!("unexpected answer to a schema change: {other:?}")));
                }
                None => return Err(refusal::unknown_outcome("the node stopped, or its disk is full")),
            }
        }
        Ok(false)
    }

    async fn lock_schema(&mut self, databases: &[DatabaseName]) -> Result<TxnId, SqlError> {
        let request = Request::LockSchema { databases: databases.to_vec(), lock_wait: self.state.settings.lock_wait };
        match self.core.request(request).await {
            Some(Response::SchemaLocked { txn }) => Ok(txn),
            Some(Response::Refused(Refusal::Conflict { .. })) => Err(refusal::lock_wait_timeout()),
            Some(Response::Refused(refused)) => Err(refusal::to_sql(&refused)),
            Some(other) => Err(SqlError::internal(format!("unexpected answer to a schema lock: {other:?}"))),
            None => Err(refusal::to_sql(&Refusal::ShuttingDown)),
        }
    }

    /// Compiles the change against the schema under the lock and tries it out. `None`: there is nothing to do.
    fn plan_change(&mut self, change: &SchemaChange, txn: TxnId) -> Result<Option<SchemaStep>, SqlError> {
        let schema = self.server.schema()?;
        let compiled = self.compile(change, &schema, txn)?;
        self.push_warnings(&compiled.warnings);
        let Some(program) = compiled.program else { return Ok(None) };
        let step = step_of(&program, &schema.catalog)?;
        self.try_out(change, &schema.catalog, &step)?;
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

    /// Executes the program privately, so that it fails here and not on every member.
    fn try_out(&mut self, change: &SchemaChange, catalog: &Catalog, step: &SchemaStep) -> Result<(), SqlError> {
        let database = change.database().clone();
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

/// The program in the applier's terms: what becomes of the file, and the identities of all tables afterwards.
fn step_of(program: &SchemaProgram, before: &Catalog) -> Result<SchemaStep, SqlError> {
    let after = program.apply(before);
    let database = after.database(&program.database);
    let definition = match database {
        Some(database) => postcard::to_stdvec(&**database)
            .map_err(|e| SqlError::internal(format!("the catalog cannot be encoded: {e}")))?,
        None => Vec::new(),
    };
    let file = match (program.kind, &program.before) {
        (ProgramKind::CreateDatabase, _) => FileChange::Create,
        (ProgramKind::DropDatabase, _) => FileChange::Drop,
        (ProgramKind::Alter, None) => FileChange::Keep,
        (ProgramKind::Alter, Some(into)) => {
            let step = step_of(into, before)?;
            FileChange::TakenIn(Box::new(TakenIn { database: into.database.clone(), step }))
        }
    };
    let tables = database.into_iter().flat_map(|d| d.tables.values()).map(|t| identities(t)).collect();
    let version = program.catalog.version;
    Ok(SchemaStep { file, version, statements: program.statements.clone(), definition, tables })
}

fn identities(table: &crate::sql::Table) -> TableIds {
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
