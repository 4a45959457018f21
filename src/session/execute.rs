//! From a statement's text to the part of the session that runs it.

use super::counters::Class;
use super::plans::Planned;
use super::program::Loaded;
use super::retry::Retry;
use super::session::Session;
use crate::core::{MemberChange, Request, Response};
use crate::mysql::{ResultWriter, SqlError};
use crate::sql::{self, Admin, Plan, SessionCommand, Warning, bind};
use crate::sql::{Parameter, Program, Source, Wanted};
use crate::sqlite::{Cost, Workspace};
use crate::types::{DatabaseName, Span, TxnId, Value};
use std::sync::Arc;

/// How a statement ended that was not executed to its end.
pub(super) enum Failure {
    Sql(SqlError),
    /// The schema changed since it was planned: plan it again. Nothing was done.
    Stale,
}

impl From<SqlError> for Failure {
    fn from(e: SqlError) -> Failure {
        Failure::Sql(e)
    }
}

/// A statement about to run: its plan, and the values it was given.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub planned: &'a Planned,
    pub client: &'a [Value],
    pub text: &'a str,
    /// The database its unqualified names are in.
    pub database: &'a Option<DatabaseName>,
    /// The stored program it is a statement of, and which: its variables are then the values in `client`.
    pub leaf: Option<(&'a Loaded, usize)>,
}

impl Session {
    /// Runs every statement of a text, in order, up to the first error.
    pub(super) async fn run_text(&mut self, text: &str, out: &mut ResultWriter<'_>) -> Result<(), SqlError> {
        let mut rest = text;
        let mut first = true;
        loop {
            let (planned, used) = match self.plan_current(rest).await {
                Ok(found) => found,
                Err(error) => {
                    self.state.diagnostics.start(self.state.settings.max_errors);
                    self.note_failure(&error);
                    return Err(error);
                }
            };
            let Some(planned) = planned else {
                if !first {
                    return Ok(());
                }
                return Err(crate::mysql::EMPTY_QUERY.with(&[]));
            };
            if !first && !self.state.multi_statements {
                return Err(self.syntax_error(rest));
            }
            if planned.markers > 0 {
                return Err(self.syntax_error("?"));
            }
            // A client that may not send several statements is told before the first one runs.
            if first && !self.state.multi_statements && !matches!(self.plan(&rest[used..]), Ok((None, _))) {
                return Err(self.syntax_error(&rest[used..]));
            }
            let database = self.state.database.clone();
            let run = Run { planned: &planned, client: &[], text: &rest[..used], database: &database, leaf: None };
            self.run_planned(run, out).await?;
            if self.loading.waits(rest) {
                return Ok(());
            }
            first = false;
            rest = &rest[used..];
        }
    }

    pub(super) fn syntax_error(&self, near: &str) -> SqlError {
        let near: String = near.trim_start().chars().take(80).collect();
        sql::Error::syntax(near, 1).into()
    }

    /// Remembers an error for SHOW ERRORS.
    pub(super) fn note_failure(&mut self, error: &SqlError) {
        self.state.diagnostics.error(error);
        self.state.row_count = -1;
    }

    /// Runs one planned statement and writes its result.
    pub(super) async fn run_planned(&mut self, run: Run<'_>, out: &mut ResultWriter<'_>) -> Result<(), SqlError> {
        if self.running.is_within() {
            return self.attempt(run, out).await;
        }
        // Whatever ran before has ended.
        self.state.acting.clear();
        self.server.counters().statement(run.text);
        let now = self.server.clock.now();
        let started = now.mono;
        self.state.start_statement(now.wall);
        self.committed = None;
        self.statement = (Class::of(&run.planned.plan), started);
        if let Some(connection) = &self.connection {
            let statement: Arc<str> = run.planned.shown(run.text).into();
            connection.set_activity(|a| (a.statement, a.since) = (Some(statement), now.mono));
            // A KILL QUERY that came while nothing ran is void.
            let _ = connection.take_stop();
        }
        let outcome = self.attempt(run, out).await;
        let now = self.server.clock.now().mono;
        if let Some(connection) = &self.connection {
            connection.set_activity(|a| (a.statement, a.since) = (None, now));
            if self.open.is_some() {
                connection.set_transaction_changes(self.workspace.as_ref().map_or(0, Workspace::change_count));
            }
        }
        if let Err(error) = &outcome {
            self.server.counters().error(error.code);
            self.note_failure(error);
        }
        self.count(run, now.since(started), outcome.as_ref().err());
        outcome
    }

    /// The running statement committed `txn`.
    pub(super) fn note_commit(&mut self, txn: TxnId) {
        self.committed = Some(txn);
        if let Some(spans) = &self.server.spans {
            let (class, since) = self.statement;
            spans.committed(txn, class.name(), self.state.connection_id, since, self.server.clock.now().mono);
        }
    }

    /// Counts what the statement that just ended took, and logs it if it was slow.
    fn count(&mut self, run: Run<'_>, time: Span, error: Option<&SqlError>) {
        let counters = self.server.counters();
        counters.ended(Class::of(&run.planned.plan), time);
        let mut cost = Cost::default();
        self.reader.iter_mut().for_each(|reader| cost += reader.take_cost());
        self.workspace.iter_mut().for_each(|workspace| cost += workspace.take_cost());
        counters.queries(cost);
        let slow = time > self.state.settings.long_query;
        if slow {
            counters.slow_statement();
        }
        if slow || cost.is_unindexed() {
            self.log_slow(&run.planned.shown(run.text), time, cost, error, slow);
        }
    }

    /// Runs it, and again with a new plan if the schema changed in between.
    pub(super) async fn attempt(&mut self, run: Run<'_>, out: &mut ResultWriter<'_>) -> Result<(), SqlError> {
        let mut again: Option<Planned> = None;
        self.retry = None;
        loop {
            let planned = again.as_ref().unwrap_or(run.planned);
            if !keeps_diagnostics(&planned.plan) {
                self.state.diagnostics.start(self.state.settings.max_errors);
            }
            self.prepare_context(&planned.plan);
            match self.dispatch(Run { planned, ..run }, out).await {
                Ok(()) => return Ok(()),
                Err(Failure::Sql(error)) => {
                    self.take_warnings();
                    if self.open.is_some() && self.is_lost() && !self.running.is_in_statement() {
                        // SQLite gave the transaction up on an error: so must the client.
                        self.roll_back();
                    }
                    return Err(error);
                }
                Err(Failure::Stale) => {
                    let mut retry = self.retry.take();
                    self.schema_moved(&mut retry).await?;
                    self.retry = retry;
                    again = match run.leaf {
                        Some((loaded, leaf)) => Some(self.plan_leaf(loaded, leaf)?),
                        None => self.plan_in(run.database, run.text)?,
                    }
                }
            }
        }
    }

    /// Plans the first statement of a text whose unqualified names are in `database`.
    pub(super) fn plan_in(&mut self, database: &Option<DatabaseName>, text: &str) -> Result<Option<Planned>, SqlError> {
        let own = std::mem::replace(&mut self.state.database, database.clone());
        let planned = self.plan(text);
        self.state.database = own;
        Ok(planned?.0)
    }

    async fn dispatch(&mut self, run: Run<'_>, out: &mut ResultWriter<'_>) -> Result<(), Failure> {
        self.permit(&run.planned.needs)?;
        let plan = run.planned.plan.clone();
        match &*plan {
            Plan::Read(read) => return self.read(run, read, out).await,
            Plan::Write(write) => return self.write(run, write, out).await,
            Plan::Load(load) => return self.load(run, load, out).await,
            Plan::Schema(change) => {
                self.change_schema(change).await?;
            }
            Plan::Schemas(changes) => {
                for change in changes {
                    self.change_schema(change).await?;
                }
            }
            Plan::Account(statement) => self.change_accounts(&statement.change).await?,
            Plan::CreateSelect { change, insert } => return self.create_select(run, change, insert, out).await,
            Plan::Begin { read_only, consistent_snapshot } => self.begin(*read_only, *consistent_snapshot).await?,
            Plan::Commit(completion) => {
                let read_only = self.open.as_ref().is_some_and(|o| o.read_only);
                self.commit().await?;
                self.complete(*completion, read_only).await?;
            }
            Plan::Rollback(completion) => {
                let read_only = self.open.as_ref().is_some_and(|o| o.read_only);
                self.roll_back();
                self.complete(*completion, read_only).await?;
            }
            Plan::Savepoint(name) => self.savepoint(name).await?,
            Plan::RollbackTo(name) => self.rollback_to(name)?,
            Plan::Release(name) => self.release(name)?,
            Plan::Set(assignments) => self.set(run, assignments).await?,
            Plan::Use(name) => self.use_database(name).await?,
            Plan::Session(command) => return self.command(run, command, out).await,
            Plan::Rows { columns, rows } => return Ok(self.literal_rows(columns, rows, out).await?),
            Plan::Admin(Admin::RemoveNode(node)) => self.change_members(MemberChange::Remove(*node)).await?,
            Plan::Admin(Admin::Verify) => self.server.verify()?,
            Plan::Admin(Admin::ReloadTls { lenient }) => self.reload_tls(*lenient)?,
            Plan::Admin(Admin::FlushHosts) => {
                if let Some(doors) = self.server.doors() {
                    doors.flush_hosts();
                }
            }
            Plan::Call(call) => return self.call(run, call, out).await,
            Plan::Nothing(warnings) => self.push_warnings(warnings),
        }
        self.take_warnings();
        self.state.row_count = 0;
        out.ok(self.done(0, 0, String::new()))?;
        Ok(())
    }

    async fn change_members(&mut self, change: MemberChange) -> Result<(), SqlError> {
        if change == MemberChange::Remove(self.server.node) {
            // It would not hear whether the others have taken it.
            let text =
                format!("Node {} cannot remove itself; run this on another node of the cluster", self.server.node.0);
            return Err(SqlError::new(1105, text));
        }
        self.commit().await?;
        let server = self.server.clone();
        let mut retry = Retry::new(&server, self.state.settings.lock_wait);
        loop {
            if let Some(error) = self.stopped() {
                return Err(error);
            }
            match self.core.request(Request::Member(change)).await {
                Some(Response::MemberChanged) => return Ok(()),
                // Transactions under way exclude it; the core remembers how long it has been tried.
                Some(Response::Refused(refused)) => retry.after(&server, &refused).await?,
                Some(other) => {
                    return Err(SqlError::internal(format!("unexpected answer to a member change: {other:?}")));
                }
                None => return Err(super::refusal::unknown_outcome("the node stopped, or its disk is full")),
            }
        }
    }

    /// Sets up what functions know during the statement.
    pub(super) fn prepare_context(&self, plan: &Plan) {
        let settings = &self.state.settings;
        let context = self.context.lock();
        context.strict.set(settings.modes.strict());
        let write = match plan {
            Plan::Write(write) => Some(write),
            Plan::Load(load) => Some(&load.write),
            _ => None,
        };
        context.writes.set(write.is_some());
        context.ignore.set(write.is_some_and(|w| w.ignore));
        context.no_zero_date.set(settings.modes.no_zero_date());
        context.no_zero_in_date.set(settings.modes.no_zero_in_date());
        context.utc_offset.set(settings.utc_offset(self.state.micros));
        context.now.set(self.state.micros.div_euclid(1_000_000));
        context.random.set(self.server.random());
        context.sequences.borrow_mut().clear();
        context.node.set(self.server.node.0 & 0xffff_ffff_ffff);
        context.last_insert_id.set(None);
        context.assigned.borrow_mut().clear();
        context.sleep.set(0);
        context.warning_count.set(0);
        context.warnings.borrow_mut().clear();
    }

    /// Moves the functions' warnings, and what LAST_INSERT_ID(x) was given, to the session; returns the latter.
    pub(super) fn take_warnings(&mut self) -> Option<i64> {
        let (warnings, last_insert_id, assigned) = {
            let context = self.context.lock();
            (context.warnings.take(), context.last_insert_id.take(), context.assigned.take())
        };
        self.end_calls();
        self.state.user_variables.extend(assigned);
        self.push_warnings(&warnings);
        if let Some(id) = last_insert_id {
            self.state.last_insert_id = id.cast_unsigned();
        }
        last_insert_id
    }

    pub(super) fn push_warnings(&mut self, warnings: &[Warning]) {
        self.state.diagnostics.warnings(warnings);
    }

    /// The values of a program's parameters.
    pub(super) fn bind(&mut self, run: Run<'_>, program: &Program) -> Result<Vec<Value>, SqlError> {
        if program.calls {
            self.begin_calls()?;
        }
        self.bind_parameters(run, &program.parameters)
    }

    fn bind_parameters(&self, run: Run<'_>, parameters: &[Parameter]) -> Result<Vec<Value>, SqlError> {
        let context = self.context.lock();
        Ok(bind(parameters, &run.planned.literals, run.client, &self.state, &context)?)
    }
}

/// What shows the previous statement's conditions must not clear them first.
fn keeps_diagnostics(plan: &Plan) -> bool {
    let counts = |p: &Parameter| match &p.source {
        Source::Environment(Wanted::System(_, name)) => name == "warning_count" || name == "error_count",
        _ => false,
    };
    match plan {
        Plan::Session(
            SessionCommand::ShowWarnings { .. } | SessionCommand::GetDiagnostics(_) | SessionCommand::Signal(_),
        ) => true,
        Plan::Read(read) => read.program.parameters.iter().any(counts),
        _ => false,
    }
}
