//! INSERT, REPLACE, UPDATE, DELETE: executed on the workspace, committed at once or with the transaction.

use super::constraint::{self, Subject};
use super::duplicate;
use super::execute::{Failure, Run};
use super::ids::{Ids, Range, WrittenIds};
use super::refusal;
use super::retry::Retry;
use super::schema::Schema;
use super::session::Session;
use super::system;
use crate::core::{Request, Response};
use crate::mysql::{self, ResultWriter, SqlError};
use crate::sql::{AutoIncrement, Catalog, Write, WriteKind};
use crate::sqlite::{Constraint, Error, Executed, IdKind};
use crate::types::Value;
use std::sync::Arc;

/// A generated id that is taken already means that somebody chose it by hand: other ids are tried so often.
const ID_ATTEMPTS: usize = 3;

/// What a statement did.
#[derive(Clone, Debug, Default)]
pub(super) struct Done {
    pub executed: Executed,
    /// The rows of RETURNING.
    pub rows: Vec<Vec<Value>>,
    pub ids: WrittenIds,
}

impl Session {
    /// Runs a data change.
    pub(super) async fn write(
        &mut self,
        run: Run<'_>,
        write: &Write,
        out: &mut ResultWriter<'_>,
    ) -> Result<(), Failure> {
        if !write.keyed.is_empty() && write.tables.iter().any(|(database, _)| crate::sql::is_temporary(database)) {
            return Err(SqlError::unsupported("a change of several tables where one is temporary").into());
        }
        if crate::sql::is_temporary(&write.database) {
            return self.write_temporary(run, write, out).await;
        }
        if Session::is_system(&write.database) {
            let of_parts = system::is_of_parts(&write.database, &write.table);
            if !of_parts || !self.server.schema()?.accounts.is_global_only() {
                let denied = format!("Access denied to system database '{}'", write.database);
                return Err(mysql::SqlError::new(1044, denied).into());
            }
            self.state.row_count = 0;
            out.ok(self.done(0, 0, String::new()))?;
            return Ok(());
        }
        if write.tables.iter().any(|(database, _)| Session::is_system(database)) {
            return Err(SqlError::unsupported("system tables in a statement that writes").into());
        }
        if self.running.is_in_statement() {
            return self.write_in_statement(run, write).await;
        }
        self.open_implicitly();
        if self.open.as_ref().is_some_and(|o| o.read_only) {
            return Err(mysql::CANT_EXECUTE_IN_READ_ONLY_TRANSACTION.with(&[]).into());
        }
        if self.open.is_none() && (self.state.settings.read_only || self.once.read_only == Some(true)) {
            self.once.read_only = None;
            return Err(mysql::CANT_EXECUTE_IN_READ_ONLY_TRANSACTION.with(&[]).into());
        }
        let done = match &self.open {
            Some(_) => self.write_in_transaction(run, write).await?,
            None => self.write_alone(run, write).await?,
        };
        let given = self.take_warnings();
        let affected = self.affected(write.kind, done.executed);
        if let Some(id) = done.ids.generated {
            self.state.last_insert_id = id.cast_unsigned();
        }
        self.state.row_count = i64::try_from(affected).unwrap_or(i64::MAX);
        self.state.found_rows = affected;
        if !write.returning.is_empty() {
            return self.returned_rows(&write.returning, done.rows, out).await.map_err(Failure::from);
        }
        let info = self.info(write, done.executed);
        let id = done.ids.generated.or(given).or(done.ids.last).map_or(0, i64::cast_unsigned);
        out.ok(self.done(affected, id, info))?;
        Ok(())
    }

    /// Within a statement that fired a trigger: part of what that statement does.
    async fn write_in_statement(&mut self, run: Run<'_>, write: &Write) -> Result<(), Failure> {
        let one = std::slice::from_ref(&(write.database.clone(), write.table.clone())).to_vec();
        let targets = match &write.triggered {
            Some(triggered) => triggered.parts.iter().map(|p| (p.database.clone(), p.table.name.clone())).collect(),
            None if write.keyed.is_empty() => one,
            // Which of the tables are changed is not said: all are taken for that.
            None => write.tables.clone(),
        };
        if let Some((_, table)) = targets.iter().find(|(database, table)| self.running.uses(database, table)) {
            return Err(mysql::CANT_UPDATE_USED_TABLE_IN_SF_OR_TRG.with(&[table]).into());
        }
        self.join_statement(&write.databases)?;
        self.copy_temporary(&write.tables)?;
        let parameters = self.bind(run, &write.program)?;
        let schema = run.planned.schema.clone();
        let done = self.execute(&schema, write, &parameters).await?;
        self.take_warnings();
        let affected = self.affected(write.kind, done.executed);
        if let Some(id) = done.ids.generated {
            self.state.last_insert_id = id.cast_unsigned();
        }
        self.state.row_count = i64::try_from(affected).unwrap_or(i64::MAX);
        self.state.found_rows = affected;
        Ok(())
    }

    /// Within a transaction: a failure undoes the statement only, unless SQLite lost the whole transaction.
    async fn write_in_transaction(&mut self, run: Run<'_>, write: &Write) -> Result<Done, Failure> {
        self.pin(&write.databases).await?;
        self.check_planned(run)?;
        self.copy_temporary(&write.tables)?;
        let parameters = self.bind(run, &write.program)?;
        let outcome = self.execute(&run.planned.schema, write, &parameters).await;
        if let Err(Broken::Lost(error)) = outcome {
            self.roll_back();
            return Err(error.into());
        }
        Ok(outcome?)
    }

    /// Alone: executed on a fresh snapshot and committed, again and again while others are in the way.
    async fn write_alone(&mut self, run: Run<'_>, write: &Write) -> Result<Done, Failure> {
        self.barrier().await?;
        let parameters = self.bind(run, &write.program)?;
        // What the parameters warned of is said, whatever becomes of the attempts.
        let pending = self.context.lock().warnings.take();
        self.push_warnings(&pending);
        let warned = self.context.lock().warned();
        let triggered = write.triggered.is_some();
        let before = triggered.then(|| (self.state.user_variables.clone(), self.state.diagnostics.clone()));
        let server = self.server.clone();
        let mut retry = self.retry.take().unwrap_or_else(|| Retry::new(&server, self.state.settings.lock_wait));
        loop {
            if let Some(error) = self.stopped() {
                return Err(error.into());
            }
            // Run once more, the statement warns once, and triggers begin with the variables they began with.
            self.context.lock().forget_warnings(warned);
            if let Some((variables, diagnostics)) = &before {
                self.state.user_variables.clone_from(variables);
                self.state.diagnostics.clone_from(diagnostics);
            }
            let (snapshot, schema) = self.begin_workspace(&write.databases).await?;
            let same = |d: &crate::types::DatabaseName| {
                Session::is_system(d)
                    || crate::sql::is_temporary(d)
                    || schema.version(d) == run.planned.schema.version(d)
            };
            if !write.databases.iter().all(same) {
                self.end_workspace();
                self.retry = Some(retry);
                return Err(Failure::Stale);
            }
            if let Err(error) = self.copy_temporary(&write.tables) {
                self.end_workspace();
                return Err(error.into());
            }
            let executed = self.execute(&schema, write, &parameters).await;
            let taken = match executed {
                Ok(done) => self
                    .take_write_set()?
                    .map(|set| (done, set))
                    .map_err(|e| Broken::Statement(self.write_error(e, &schema.catalog, write, None))),
                Err(broken) => Err(broken),
            };
            self.end_workspace();
            let (done, write_set) = taken?;
            if write_set.is_empty() {
                return Ok(done);
            }
            let request = Request::Commit {
                write_set: Arc::new(write_set),
                snapshot: snapshot.get(),
                level: self.state.settings.write,
                begin: retry.begin(),
                lock_wait: retry.left(&server),
            };
            match self.core.request(request).await {
                Some(Response::Committed { txn, .. }) => {
                    self.note_commit(txn);
                    return Ok(done);
                }
                Some(Response::Refused(refused)) => {
                    drop(snapshot);
                    retry.after(&server, &refused).await?;
                }
                Some(other) => {
                    return Err(SqlError::internal(format!("unexpected answer to a commit: {other:?}")).into());
                }
                None => return Err(refusal::unknown_outcome("the node stopped, or its disk is full").into()),
            }
        }
    }

    /// Executes the statement on the workspace.
    async fn execute(&mut self, schema: &Arc<Schema>, write: &Write, parameters: &[Value]) -> Result<Done, Broken> {
        match &write.triggered {
            Some(triggered) => self.change_rows(schema, write, triggered, parameters).await,
            None => self.execute_one(&schema.catalog, write, parameters).await,
        }
    }

    /// Executes one statement of SQLite, with as many ids as it turns out to need.
    pub(super) async fn execute_one(
        &mut self,
        catalog: &Catalog,
        write: &Write,
        parameters: &[Value],
    ) -> Result<Done, Broken> {
        let zero_is_a_value = self.state.settings.modes.no_auto_value_on_zero();
        let mut ids = Ids::for_statement(write);
        let mut attempts = 0;
        loop {
            self.lease_ids(&mut ids, write).await?;
            // Run once more, the statement begins with the variables it began with.
            self.context.lock().assigned.borrow_mut().clear();
            let workspace = self.workspace()?;
            workspace.ids().start_statement(zero_is_a_value);
            let executed = match (write.keyed.as_slice(), &write.by_row) {
                (_, Some(row)) => super::keyed::run_rows(workspace, &write.program.sql, parameters, row)
                    .map(|executed| (executed, Vec::new())),
                ([], _) if !write.returning.is_empty() => workspace.execute_returning(&write.program.sql, parameters),
                ([], _) => workspace.execute(&write.program.sql, parameters).map(|executed| (executed, Vec::new())),
                (keyed, _) => super::keyed::change_by_keys(workspace, &write.program.sql, parameters, keyed)
                    .map(|executed| (executed, Vec::new())),
            };
            let written = executed.as_ref().map(|_| WrittenIds::of(workspace, write)).unwrap_or_default();
            // Asked while the ids are still there, for the statement is run once more for it.
            let duplicate = match &executed {
                Err(Error::Constraint { kind: Constraint::Unique(c) | Constraint::PrimaryKey(c), .. }) => {
                    duplicate::value(workspace, write, parameters, &constraint::column_names(c))
                }
                _ => None,
            };
            self.return_ids(&mut ids, write);
            match executed {
                Ok((executed, rows)) => return Ok(Done { executed, rows, ids: written }),
                Err(Error::NoIds(kind)) => ids.want_more(kind),
                Err(Error::Interrupted { transaction_lost: true }) => {
                    let error = Error::Interrupted { transaction_lost: true };
                    return Err(Broken::Lost(self.sqlite_error(error)));
                }
                Err(error) if self.is_lost() => return Err(Broken::Lost(self.sqlite_error(error))),
                Err(error) => {
                    attempts += 1;
                    if attempts < ID_ATTEMPTS && ids.explains(&error, write, self.state.settings.auto_ids) {
                        self.server.sequences.forget(write.table_id);
                        continue;
                    }
                    return Err(Broken::Statement(self.write_error(error, catalog, write, duplicate)));
                }
            }
        }
    }

    /// Whether SQLite rolled the whole transaction back.
    pub(super) fn is_lost(&self) -> bool {
        self.workspace.as_ref().is_some_and(crate::sqlite::Workspace::is_lost)
    }

    pub(super) fn write_error(
        &self,
        error: Error,
        catalog: &Catalog,
        write: &Write,
        duplicate: Option<String>,
    ) -> SqlError {
        if matches!(error, Error::Interrupted { .. }) {
            return self.sqlite_error(error);
        }
        let subject = Subject { catalog, database: &write.database, table: &write.table, kind: Some(write.kind) };
        constraint::to_sql(error, Some(subject), duplicate.as_deref())
    }

    /// Affected rows as MySQL counts them.
    fn affected(&self, kind: WriteKind, executed: Executed) -> u64 {
        let rows = executed.rows;
        let found = self.state.found_rows_wanted;
        match kind {
            WriteKind::Insert => rows.inserted,
            WriteKind::Upsert => rows.inserted + 2 * rows.updated + if found { rows.unchanged } else { 0 },
            WriteKind::Replace => rows.inserted + rows.deleted,
            WriteKind::Update if found => executed.changes,
            WriteKind::Update => rows.updated,
            WriteKind::Delete => rows.deleted,
        }
    }

    /// The OK packet's text.
    pub(super) fn info(&self, write: &Write, executed: Executed) -> String {
        let warnings = self.state.diagnostics.warning_count();
        let rows = executed.rows;
        if let Some(records) = self.loading.records {
            let skipped = records.saturating_sub(rows.inserted);
            return format!("Records: {records}  Deleted: {}  Skipped: {skipped}  Warnings: {warnings}", rows.deleted);
        }
        match write.kind {
            WriteKind::Update => {
                format!("Rows matched: {}  Changed: {}  Warnings: {warnings}", executed.changes, rows.updated)
            }
            WriteKind::Insert | WriteKind::Upsert | WriteKind::Replace if write.rows != Some(1) => {
                let asked = write.rows.map_or(rows.inserted, |n| n as u64);
                let duplicates = match write.kind {
                    WriteKind::Insert => asked.saturating_sub(rows.inserted),
                    WriteKind::Upsert => rows.updated,
                    _ => rows.deleted,
                };
                format!("Records: {asked}  Duplicates: {duplicates}  Warnings: {warnings}")
            }
            _ => String::new(),
        }
    }

    /// Leases what the statement is going to need.
    async fn lease_ids(&mut self, ids: &mut Ids, write: &Write) -> Result<(), SqlError> {
        if ids.rows_wanted() > 0 && self.workspace()?.ids().left(IdKind::Row) < ids.rows_wanted() {
            let ranges = self.big_ids(ids.rows_wanted()).await?;
            let ids_of = self.workspace()?.ids();
            ids_of.clear(IdKind::Row);
            ranges.iter().for_each(|r| ids_of.lease(IdKind::Row, r.first, r.count));
        }
        let Some((auto, count)) = ids.auto_wanted(write) else { return Ok(()) };
        let ranges = match Ids::is_big(auto, self.state.settings.auto_ids) {
            true => self.big_ids(count).await?,
            false => {
                let target = super::sequence::Target {
                    database: &write.database,
                    table: &write.table,
                    id: write.table_id,
                    auto,
                };
                let server = self.server.clone();
                let wait = self.state.settings.lock_wait;
                let mut first = server.sequences.ids(&server, &self.core, &target, count, wait).await?;
                // Where a row in the way is no error, an id that somebody chose by hand must be seen before.
                let silent = write.ignore || write.kind != WriteKind::Insert;
                for _ in 0..ID_ATTEMPTS {
                    if !silent || !self.is_any_taken(write, auto, Range { first, count })? {
                        break;
                    }
                    server.sequences.forget(write.table_id);
                    first = server.sequences.ids(&server, &self.core, &target, count, wait).await?;
                }
                vec![Range { first, count }]
            }
        };
        let Some(last) = ranges.last() else { return Ok(()) };
        if last.end().saturating_sub(1) > auto.max {
            return Err(mysql::AUTOINC_READ_FAILED.with(&[]));
        }
        let source = self.workspace()?.ids();
        source.clear(IdKind::Auto);
        ranges.iter().for_each(|r| source.lease(IdKind::Auto, r.first, r.count));
        ids.leased(*last);
        Ok(())
    }

    /// Whether the table has a row with one of these ids.
    fn is_any_taken(&mut self, write: &Write, auto: &AutoIncrement, ids: Range) -> Result<bool, SqlError> {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let (table, column) = (quoted(&write.table), quoted(&auto.column));
        let sql = format!("SELECT 1 FROM {}.{table} WHERE {column} BETWEEN ?1 AND ?2 LIMIT 1", quoted(&write.database));
        let range = [Value::Int(ids.first), Value::Int(ids.end().saturating_sub(1))];
        let found = self.workspace()?.query(&sql, &range).and_then(|mut rows| Ok(rows.next()?.is_some()));
        found.map_err(|e| self.sqlite_error(e))
    }

    /// Gives back the ids at the end of the lease that the statement did not take.
    fn return_ids(&mut self, ids: &mut Ids, write: &Write) {
        let Some(workspace) = &self.workspace else { return };
        let left = workspace.ids().left(IdKind::Auto);
        workspace.ids().clear(IdKind::Auto);
        let Some((end, left)) = ids.returned(left) else { return };
        if left == 0 {
            return;
        }
        if write.auto_increment.as_ref().is_some_and(|auto| Ids::is_big(auto, self.state.settings.auto_ids)) {
            self.big_ids.give_back(end, left);
        } else {
            self.server.sequences.give_back(write.table_id, end, left);
        }
    }
}

/// How a statement failed.
pub(super) enum Broken {
    /// It had no effect; the transaction goes on.
    Statement(SqlError),
    /// The transaction is gone.
    Lost(SqlError),
}

impl From<SqlError> for Broken {
    fn from(e: SqlError) -> Broken {
        Broken::Statement(e)
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Failure {
        match broken {
            Broken::Statement(e) | Broken::Lost(e) => Failure::Sql(e),
        }
    }
}
