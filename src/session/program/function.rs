//! Stored functions whose bodies are statements: SQLite calls them, row by row, while a statement runs. Their queries run
//! on the same connection, so that they see what the statement sees: its snapshot, and what its transaction changed.
//!
//! They know the session as it was when the statement began; the user variables they set are the session's when it is
//! done. They change no data, so there is nothing to undo.

use super::call::{OnLargeStack, acting};
use super::host::{Host, Step};
use super::interpreter::Interpreter;
use super::loaded::Loaded;
use super::running::Running;
use crate::mysql::{SqlError, SqlState};
use crate::session::Stop;
use crate::session::execute::Failure;
use crate::session::functions::SharedContext;
use crate::session::plans::Planned;
use crate::session::read::Bound;
use crate::session::registry::Connection;
use crate::session::retry::Retry;
use crate::session::schema::Schema;
use crate::session::server::Server;
use crate::session::session::{Session, plain, stop_error};
use crate::session::state::State;
use crate::sql::{
    Called, Catalog, LeafKind, Plan, Program, Read, SessionCommand, SetTarget, SetValue, StoredKind, bind,
};
use crate::sqlite::{self, Nested};
use crate::types::Value;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Stack kept free for a function within a statement within a function.
const RED_ZONE: usize = 512 << 10;
const STACK: usize = 4 << 20;

/// What the functions of a running statement know.
pub struct Calls {
    state: State,
    schema: Arc<Schema>,
    /// With the session's temporary tables.
    own: Option<Catalog>,
    server: Arc<Server>,
    connection: Option<Arc<Connection>>,
    running: Running,
}

/// The place of [`Calls`] while a statement runs, empty while a function is at work with them.
pub type SharedCalls = Arc<Mutex<Option<Box<Calls>>>>;

fn place(calls: &SharedCalls) -> std::sync::MutexGuard<'_, Option<Box<Calls>>> {
    // What is behind the lock is taken out and put back whole.
    calls.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `marmot_call(database, name, arguments...)`.
pub fn call_function(context: &SharedContext, nested: Nested<'_>, arguments: &[Value]) -> Result<Value, SqlError> {
    let [Value::Text(database), Value::Text(name), arguments @ ..] = arguments else {
        return Err(SqlError::internal("a call of no function"));
    };
    let calls = place(context.calls()).take();
    let Some(calls) = calls else { return Err(SqlError::internal("a stored function outside of a statement")) };
    let called = Called { database: database.clone(), kind: StoredKind::Function, name: name.to_string() };
    let flags = context.lock().flags();
    let mut callback = Callback { context, nested, calls: Some(calls) };
    let outcome = stacker::maybe_grow(RED_ZONE, STACK, || {
        let limit = callback.calls()?.state.settings.max_errors;
        let diagnostics = callback.calls()?.state.diagnostics.clone();
        callback.calls()?.state.diagnostics.start(limit);
        let running = Interpreter::new(&mut callback).run(&called, arguments.to_vec(), Vec::new());
        let outcome = at_once(running)?;
        let left = std::mem::replace(&mut callback.calls()?.state.diagnostics, diagnostics);
        // With those of the statement's own functions.
        left.into_warnings().for_each(|warning| callback.context.lock().warn(warning));
        outcome
    });
    context.lock().set_flags(flags);
    *place(context.calls()) = callback.calls.take();
    Ok(outcome?.1.unwrap_or_default())
}

/// The outcome of a future that waits for nothing.
fn at_once<T>(future: impl Future<Output = T>) -> Result<T, SqlError> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Ok(outcome),
        Poll::Pending => Err(SqlError::internal("a stored function that waits")),
    }
}

/// A statement that runs on SQLite, as the host of the functions it calls.
struct Callback<'c> {
    context: &'c SharedContext,
    nested: Nested<'c>,
    /// Not there while a query runs, whose functions have them.
    calls: Option<Box<Calls>>,
}

impl Callback<'_> {
    fn calls(&mut self) -> Result<&mut Calls, SqlError> {
        self.calls.as_deref_mut().ok_or_else(|| SqlError::internal("a stored function that is called by itself"))
    }

    fn rows(&mut self, step: Step<'_>, program: &Program, bound: Bound) -> Result<Vec<Vec<Value>>, SqlError> {
        let stores = matches!(step.loaded.code.leaves[step.leaf].kind, LeafKind::Value { .. });
        let calls =
            self.calls.as_deref().ok_or_else(|| SqlError::internal("a stored function that is called by itself"))?;
        let parameters = {
            let context = self.context.lock();
            context.set_flags((calls.state.settings.modes.strict(), false, stores));
            bind(&program.parameters, &step.planned.literals, step.values, &calls.state, &context)?
        };
        *place(self.context.calls()) = self.calls.take();
        let rows = self.nested.query(&program.sql, &parameters, bound.rows, bound.bytes);
        self.calls = place(self.context.calls()).take();
        match rows {
            Ok(Some(rows)) => Ok(rows),
            Ok(None) => Err(SqlError::new(1041, "Out of memory: the rows of a cursor are too many")),
            Err(sqlite::Error::Interrupted { .. }) => Err(self.stop()),
            Err(error) => Err(plain(error)),
        }
    }

    /// Why the statement is to stop.
    fn stop(&self) -> SqlError {
        let stop = self.calls.as_ref().and_then(|c| c.connection.as_ref()).and_then(|c| c.take_stop());
        stop_error(stop.unwrap_or(Stop::Killed))
    }

    fn value(&mut self, step: Step<'_>, value: &SetValue) -> Result<Value, SqlError> {
        Ok(match value {
            SetValue::Default => Value::Null,
            SetValue::Constant(value) => value.clone(),
            SetValue::Query(read) => {
                let rows = self.rows(step, &read.program, Bound { rows: 1, bytes: usize::MAX })?;
                let value = rows.into_iter().next().and_then(|row| row.into_iter().next()).unwrap_or_default();
                read.columns.first().map_or(value.clone(), |column| column.present(value))
            }
        })
    }

    fn statement(&mut self, step: Step<'_>) -> Result<(), SqlError> {
        let plan = step.planned.plan.clone();
        match &*plan {
            Plan::Set(assignments) => {
                for assignment in assignments {
                    let SetTarget::User(name) = &assignment.target else {
                        return Err(SqlError::unsupported("SET of system variables in a stored function"));
                    };
                    let value = self.value(step, &assignment.value)?;
                    self.calls()?.state.user_variables.insert(name.clone(), value);
                }
                Ok(())
            }
            Plan::Session(SessionCommand::Do(read)) => {
                let all = Bound { rows: usize::MAX, bytes: usize::MAX };
                self.rows(step, &read.program, all).map(drop)
            }
            Plan::Read(_) | Plan::Rows { .. } => Err(SqlError {
                code: 1415,
                state: SqlState::parse("0A000"),
                message: "Not allowed to return a result set from a function".to_string(),
            }),
            Plan::Nothing(_) => Ok(()),
            _ => Err(SqlError::unsupported("a stored function that changes data")),
        }
    }
}

impl Host for Callback<'_> {
    fn enter(&mut self, called: &Called) -> Result<Arc<Loaded>, SqlError> {
        let calls = self.calls()?;
        if calls.running.has(called) {
            return Err(SqlError::new(1424, "Recursive stored functions and triggers are not allowed."));
        }
        let loaded = calls.server.programs.load(called, &calls.schema)?;
        calls.running.enter(called, 0)?;
        let acting = acting(&loaded, &calls.state);
        calls.state.acting.push(acting);
        Ok(loaded)
    }

    fn leave(&mut self) {
        if let Some(calls) = &mut self.calls {
            calls.running.leave();
            calls.state.acting.pop();
        }
    }

    fn plan(&mut self, loaded: &Loaded, leaf: usize) -> Result<Planned, SqlError> {
        let calls = self.calls()?;
        loaded.plan(leaf, &calls.schema, calls.own.as_ref(), None, calls.state.settings.modes)
    }

    async fn query(&mut self, step: Step<'_>, read: &Read, bound: Bound) -> Result<Vec<Vec<Value>>, Failure> {
        Ok(self.rows(step, &read.program, bound)?)
    }

    fn run<'a>(&'a mut self, step: Step<'a>) -> OnLargeStack<'a, Result<(), SqlError>> {
        OnLargeStack::new(async move { self.statement(step) })
    }

    fn state(&mut self) -> &mut State {
        &mut self.calls.as_mut().expect("they are away only while a query runs").state
    }

    fn context(&self) -> &SharedContext {
        self.context
    }

    fn take_warnings(&mut self) {
        let (warnings, assigned) = {
            let context = self.context.lock();
            (context.warnings.take(), context.assigned.take())
        };
        let state = self.state();
        state.user_variables.extend(assigned);
        state.diagnostics.warnings(&warnings);
    }

    async fn breathe(&mut self) -> Result<(), SqlError> {
        let stops = self.calls.as_ref().and_then(|c| c.connection.as_ref()).is_some_and(|c| c.must_stop());
        if stops { Err(self.stop()) } else { Ok(()) }
    }

    async fn schema_moved(&mut self, _: &mut Option<Retry>) -> Result<(), SqlError> {
        Err(SqlError::internal("the schema of a statement that runs changed"))
    }
}

impl Session {
    /// A statement is about to run that calls functions.
    pub(in crate::session) fn begin_calls(&mut self) -> Result<(), SqlError> {
        self.end_calls();
        let schema = self.schema()?;
        let own = (!self.temporary.is_empty()).then(|| self.temporary.catalog(&schema.catalog));
        let calls = Calls {
            state: self.state.clone(),
            schema,
            own,
            server: self.server.clone(),
            connection: self.connection.clone(),
            running: Running::default(),
        };
        *place(self.context.calls()) = Some(Box::new(calls));
        Ok(())
    }

    /// The statement is done: what its functions set is the session's.
    pub(in crate::session) fn end_calls(&mut self) {
        if let Some(calls) = place(self.context.calls()).take() {
            self.state.user_variables = calls.state.user_variables;
        }
    }
}
