//! Statements that fire triggers (manual, "Using Triggers").
//!
//! A query found the rows; each is changed by a statement of its own, between the triggers before and after it. All of it
//! is one statement: an error undoes everything.

use super::call::{OnLargeStack, run_of};
use super::host::{OfSession, Step};
use super::interpreter::Interpreter;
use crate::mysql::{Recording, SqlError};
use crate::session::schema::Schema;
use crate::session::session::{Session, plain};
use crate::session::write::{Broken, Done};
use crate::sql::{
    Called, Plan, RowChange, RowChangeKind, RowDelete, RowEvent, RowInsert, RowUpdate, SessionCommand, StoredKind,
    Table, Triggered, Write,
};
use crate::types::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

const SAVEPOINT: &str = "__marmot_triggered";
/// What the rows of one statement may take.
const MOST_BYTES: usize = 256 << 20;

/// A session within a statement, as the host of triggers.
struct Firing<'s> {
    session: &'s mut Session,
}

fn refused(code: u16, state: &str, message: &str) -> SqlError {
    SqlError { code, state: crate::mysql::SqlState::parse(state), message: message.to_string() }
}

/// What a procedure that a trigger called may not do either.
fn check(plan: &Plan) -> Result<(), SqlError> {
    match plan {
        Plan::Read(read) if read.file.is_some() => Ok(()),
        Plan::Read(_) | Plan::Rows { .. } => {
            Err(refused(1415, "0A000", "Not allowed to return a result set from a trigger"))
        }
        Plan::Schema(change) if crate::sql::is_temporary(change.database()) => Ok(()),
        Plan::CreateSelect { change, .. } if crate::sql::is_temporary(change.database()) => {
            Err(SqlError::unsupported("CREATE TEMPORARY TABLE ... SELECT in a trigger"))
        }
        Plan::Schema(_)
        | Plan::Schemas(_)
        | Plan::CreateSelect { .. }
        | Plan::Begin { .. }
        | Plan::Commit(_)
        | Plan::Rollback(_)
        | Plan::Account(_)
        | Plan::Admin(_) => {
            let message = "Explicit or implicit commit is not allowed in stored function or trigger.";
            Err(refused(1422, "HY000", message))
        }
        Plan::Session(
            SessionCommand::Prepare { .. }
            | SessionCommand::Execute { .. }
            | SessionCommand::ExecuteImmediate { .. }
            | SessionCommand::Deallocate { .. },
        ) => Err(refused(1336, "0A000", "Dynamic SQL is not allowed in stored function or trigger")),
        Plan::Load(_) => Err(refused(1314, "0A000", "LOAD DATA is not allowed in stored procedures")),
        Plan::Write(_)
        | Plan::Set(_)
        | Plan::Use(_)
        | Plan::Session(_)
        | Plan::Call(_)
        | Plan::Savepoint(_)
        | Plan::RollbackTo(_)
        | Plan::Release(_)
        | Plan::Nothing(_) => Ok(()),
    }
}

impl OfSession for Firing<'_> {
    fn session(&self) -> &Session {
        self.session
    }

    fn session_mut(&mut self) -> &mut Session {
        self.session
    }

    fn run_step<'a>(&'a mut self, step: Step<'a>) -> OnLargeStack<'a, Result<(), SqlError>> {
        OnLargeStack::new(async move {
            check(&step.planned.plan)?;
            // Nothing that may run here has rows for a client.
            let mut nowhere = Recording::new();
            self.session.attempt(run_of(step), &mut nowhere.writer()).await
        })
    }
}

/// The triggers of a table for one event, in order.
struct Events {
    before: Vec<Called>,
    after: Vec<Called>,
}

impl Events {
    fn of(schema: &Schema, change: &RowChange, event: RowEvent) -> Events {
        let mut found: Vec<(u32, bool, Called)> = Vec::new();
        if let Some(database) = schema.catalog.database(&change.database) {
            for (program, trigger) in database.triggers(&change.table.name).filter(|(_, t)| t.event == event) {
                let name = program.name.clone();
                let called = Called { database: database.name.clone(), kind: StoredKind::Trigger, name };
                found.push((trigger.order, trigger.before, called));
            }
        }
        found.sort_by_key(|(order, ..)| *order);
        let of = |wanted: bool| found.iter().filter(|(_, b, _)| *b == wanted).map(|(.., c)| c.clone()).collect();
        Events { before: of(true), after: of(false) }
    }
}

/// One statement at work on the rows of one table.
struct Rows<'a> {
    schema: &'a Arc<Schema>,
    write: &'a Write,
    change: &'a RowChange,
    /// RETURNING.
    returned: Option<&'a str>,
    /// Of the whole statement.
    parameters: &'a [Value],
    insert: Events,
    update: Events,
    delete: Events,
}

/// The cells that are written: all but generated ones.
fn written(table: &Table, cells: &[Value]) -> Vec<Value> {
    let all = table.columns.iter().zip(cells).filter(|(c, _)| c.generated().is_none());
    all.map(|(_, cell)| cell.clone()).collect()
}

fn add(total: &mut Done, one: &Done) {
    total.executed.rows.inserted += one.executed.rows.inserted;
    total.executed.rows.updated += one.executed.rows.updated;
    total.executed.rows.deleted += one.executed.rows.deleted;
    total.executed.rows.unchanged += one.executed.rows.unchanged;
    total.executed.changes += one.executed.changes;
    total.ids.generated = total.ids.generated.or(one.ids.generated);
    total.ids.last = one.ids.last.or(total.ids.last);
}

impl Session {
    /// Changes the rows that the query of `write` finds, with all that triggers do, or nothing.
    pub(in crate::session) async fn change_rows(
        &mut self,
        schema: &Arc<Schema>,
        write: &Write,
        triggered: &Triggered,
        parameters: &[Value],
    ) -> Result<Done, Broken> {
        let found =
            self.workspace()?.query(&write.program.sql, parameters).and_then(|rows| rows.collect_below(MOST_BYTES));
        let found = found.map_err(|e| self.row_error(e, schema, write))?;
        let too_many = "Rows of a table with triggers are kept in memory while they change; change fewer at once";
        let found = found.ok_or_else(|| SqlError::new(1197, too_many))?;
        self.workspace()?.savepoint(SAVEPOINT).map_err(plain)?;
        self.running.begin_firing(&write.tables, schema);
        let outcome = OnLargeStack::new(self.change_found(schema, write, triggered, parameters, found)).await;
        self.running.end_firing();
        if self.is_lost() {
            return match outcome {
                Err(Broken::Statement(error) | Broken::Lost(error)) => Err(Broken::Lost(error)),
                Ok(_) => Err(Broken::Lost(SqlError::internal("the transaction was given up"))),
            };
        }
        if outcome.is_err() {
            self.workspace()?.rollback_to(SAVEPOINT).map_err(plain)?;
        }
        self.workspace()?.release(SAVEPOINT).map_err(plain)?;
        outcome
    }

    async fn change_found(
        &mut self,
        schema: &Arc<Schema>,
        write: &Write,
        triggered: &Triggered,
        parameters: &[Value],
        found: Vec<Vec<Value>>,
    ) -> Result<Done, Broken> {
        let mut total = Done::default();
        let mut from = 0;
        for change in &triggered.parts {
            let columns = change.table.columns.len();
            let width = match &change.kind {
                RowChangeKind::Insert(insert) => insert.columns.len(),
                RowChangeKind::Update(update) => update.keys + columns + update.columns.len(),
                RowChangeKind::Delete(delete) => delete.keys + columns,
            };
            let events = |event| Events::of(schema, change, event);
            let (insert, update, delete) =
                (events(RowEvent::Insert), events(RowEvent::Update), events(RowEvent::Delete));
            let returned = triggered.returned.as_deref();
            let rows = Rows { schema, write, change, returned, parameters, insert, update, delete };
            // Joined with several rows, a row is changed once, by what was found first.
            let mut seen = BTreeSet::new();
            for row in &found {
                let part = row.get(from..from + width).unwrap_or_default();
                match &change.kind {
                    RowChangeKind::Insert(insert) => self.insert_row(&rows, insert, part, &mut total).await?,
                    RowChangeKind::Update(update) => {
                        let key = part.get(..update.keys).unwrap_or_default();
                        if key.iter().any(|cell| *cell != Value::Null) && seen.insert(key.to_vec()) {
                            self.update_row(&rows, update, part, &mut total).await?;
                        }
                    }
                    RowChangeKind::Delete(delete) => {
                        let key = part.get(..delete.keys).unwrap_or_default();
                        if key.iter().any(|cell| *cell != Value::Null) && seen.insert(key.to_vec()) {
                            self.delete_row(&rows, delete, part, &mut total).await?;
                        }
                    }
                }
                if let Some(error) = self.stopped() {
                    return Err(error.into());
                }
            }
            from += width;
        }
        Ok(total)
    }

    fn row_error(&self, error: crate::sqlite::Error, schema: &Schema, write: &Write) -> Broken {
        let error = self.write_error(error, &schema.catalog, write, None);
        if self.is_lost() { Broken::Lost(error) } else { Broken::Statement(error) }
    }

    /// Runs triggers over a row; gives the row as they leave it.
    async fn fire(
        &mut self,
        rows: &Rows<'_>,
        triggers: &[Called],
        old: Option<&[Value]>,
        new: Option<Vec<Value>>,
    ) -> Result<Vec<Value>, Broken> {
        let mut new = new;
        if triggers.is_empty() {
            return Ok(new.unwrap_or_default());
        }
        self.running.begin_interpreter()?;
        self.take_warnings();
        let flags = self.context.lock().flags();
        let limit = self.state.settings.max_errors;
        let (mut diagnostics, last_insert_id) = (self.state.diagnostics.clone(), self.state.last_insert_id);
        let (row_count, found_rows) = (self.state.row_count, self.state.found_rows);
        let mut failed = None;
        for trigger in triggers {
            self.state.diagnostics.start(limit);
            let old = old.unwrap_or_default();
            let values = old.iter().chain(new.iter().flatten()).cloned().collect();
            self.running.begin_level();
            let mut host = Firing { session: self };
            let running = Interpreter::new(&mut host).run(trigger, values, Vec::new());
            let outcome = OnLargeStack::new(running).await;
            if let Some(left) = self.running.end_level().filter(|_| !self.is_lost()) {
                self.workspace()?.release(&left).map_err(plain)?;
            }
            match outcome {
                Ok((mut values, _)) => {
                    if new.is_some() {
                        values.truncate(old.len() + rows.change.table.columns.len());
                        new = Some(values.split_off(old.len()));
                    }
                    diagnostics.left_by(std::mem::take(&mut self.state.diagnostics));
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        self.state.diagnostics = diagnostics;
        (self.state.row_count, self.state.found_rows) = (row_count, found_rows);
        self.state.last_insert_id = last_insert_id;
        self.context.lock().set_flags(flags);
        self.running.end_interpreter();
        match failed {
            Some(error) => Err(Broken::Statement(error)),
            None => Ok(new.unwrap_or_default()),
        }
    }

    async fn insert_row(
        &mut self,
        rows: &Rows<'_>,
        insert: &RowInsert,
        part: &[Value],
        total: &mut Done,
    ) -> Result<(), Broken> {
        let table = &rows.change.table;
        let mut cells = vec![Value::Null; table.columns.len()];
        for (at, value) in insert.columns.iter().zip(part) {
            cells[*at] = value.clone();
        }
        // An id that is still to be made is zero to a trigger.
        let auto = table.columns.iter().position(|c| c.auto_increment);
        let makes_id = auto.is_some_and(|at| cells[at] == Value::Null);
        if let Some(at) = auto.filter(|_| makes_id && !rows.insert.before.is_empty()) {
            cells[at] = Value::Int(0);
        }
        let mut cells = self.fire(rows, &rows.insert.before, None, Some(cells)).await?;
        if let Some(at) = auto.filter(|at| makes_id && cells[*at] == Value::Int(0)) {
            cells[at] = Value::Null;
        }
        for key in &insert.keys {
            let Some(old) = self.first_row(rows, key, &cells)? else { continue };
            if let Some(update) = &insert.updated {
                let key = old.get(..update.keys).unwrap_or_default();
                let parameters = [rows.parameters, &cells, key].concat();
                let part = self.first_row(rows, &insert.update_of, &parameters)?.unwrap_or_default();
                return self.update_row(rows, update, &part, total).await;
            }
            if let Some(delete) = &insert.replaced {
                self.delete_row(rows, delete, &old, total).await?;
            }
        }
        let done = self.execute_one(&rows.schema.catalog, &insert.insert, &written(table, &cells)).await?;
        add(total, &done);
        if done.executed.rows.inserted == 0 {
            return Ok(());
        }
        // With its id and what is computed of it.
        let cells = done.rows.into_iter().next().unwrap_or(cells);
        self.return_row(rows, &cells, total)?;
        self.fire(rows, &rows.insert.after, None, Some(cells)).await.map(drop)
    }

    /// The first row that a query finds within the statement.
    fn first_row(&mut self, rows: &Rows<'_>, query: &str, parameters: &[Value]) -> Result<Option<Vec<Value>>, Broken> {
        let found = self.workspace()?.query(query, parameters).and_then(|rows| rows.collect());
        Ok(found.map_err(|e| self.row_error(e, rows.schema, rows.write))?.into_iter().next())
    }

    /// What RETURNING gives of a changed row.
    fn return_row(&mut self, rows: &Rows<'_>, cells: &[Value], total: &mut Done) -> Result<(), Broken> {
        if let Some(query) = rows.returned {
            let row = self.first_row(rows, query, &[rows.parameters, cells].concat())?;
            total.rows.extend(row);
        }
        Ok(())
    }

    async fn update_row(
        &mut self,
        rows: &Rows<'_>,
        update: &RowUpdate,
        part: &[Value],
        total: &mut Done,
    ) -> Result<(), Broken> {
        let table = &rows.change.table;
        let columns = table.columns.len();
        if part.len() != update.keys + columns + update.columns.len() {
            return Err(Broken::Statement(SqlError::internal("a row to update that is not whole")));
        }
        let (key, rest) = part.split_at(update.keys);
        let (old, values) = rest.split_at(columns);
        let mut new = old.to_vec();
        for (at, value) in update.columns.iter().zip(values) {
            new[*at] = value.clone();
        }
        let new = self.fire(rows, &rows.update.before, Some(old), Some(new)).await?;
        let parameters = [key, &written(table, &new)].concat();
        let done = self.execute_one(&rows.schema.catalog, &update.update, &parameters).await?;
        add(total, &done);
        if done.executed.changes == 0 {
            return Ok(());
        }
        let new = done.rows.into_iter().next().unwrap_or(new);
        self.return_row(rows, &new, total)?;
        self.fire(rows, &rows.update.after, Some(old), Some(new)).await.map(drop)
    }

    async fn delete_row(
        &mut self,
        rows: &Rows<'_>,
        delete: &RowDelete,
        part: &[Value],
        total: &mut Done,
    ) -> Result<(), Broken> {
        let (key, old) = part.split_at(delete.keys.min(part.len()));
        self.fire(rows, &rows.delete.before, Some(old), None).await?;
        let done = self.execute_one(&rows.schema.catalog, &delete.delete, key).await?;
        add(total, &done);
        if done.executed.changes == 0 {
            return Ok(());
        }
        // REPLACE gives the rows it writes, not those in their way.
        if matches!(rows.change.kind, RowChangeKind::Delete(_)) {
            self.return_row(rows, old, total)?;
        }
        self.fire(rows, &rows.delete.after, Some(old), None).await.map(drop)
    }
}
