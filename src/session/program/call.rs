//! CALL: the session as the host of a procedure.

use super::condition::{self, Raised};
use super::host::{OfSession, Step};
use super::interpreter::{Interpreter, recursion};
use super::loaded::Loaded;
use crate::mysql::{self, Completion, ResultWriter, RowFormat, SqlError, StatusFlags};
use crate::session::execute::{Failure, Run};
use crate::session::metadata;
use crate::session::read::Bound;
use crate::session::session::Session;
use crate::session::state::State;
use crate::sql::{
    Call, Called, GetDiagnostics, LeafKind, Read, ResultColumn, ResultType, SetValue, Signal, StoredKind,
    VariableTarget,
};
use crate::types::{AccountName, Value};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Stack kept free for one interpreter within another.
const RED_ZONE: usize = 512 << 10;
const STACK: usize = 4 << 20;

/// A future that is polled on a stack that is large enough: statements within programs within statements nest their
/// polls.
pub(super) struct OnLargeStack<'f, T>(Pin<Box<dyn Future<Output = T> + Send + 'f>>);

impl<'f, T> OnLargeStack<'f, T> {
    pub fn new(future: impl Future<Output = T> + Send + 'f) -> OnLargeStack<'f, T> {
        OnLargeStack(Box::pin(future))
    }
}

impl<T> Future for OnLargeStack<'_, T> {
    type Output = T;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        stacker::maybe_grow(RED_ZONE, STACK, || self.0.as_mut().poll(context))
    }
}

/// A session that runs procedures, and where their rows go.
struct Caller<'s, 'o, 'w> {
    session: &'s mut Session,
    out: &'o mut ResultWriter<'w>,
}

impl OfSession for Caller<'_, '_, '_> {
    fn session(&self) -> &Session {
        self.session
    }

    fn session_mut(&mut self) -> &mut Session {
        self.session
    }

    fn run_step<'a>(&'a mut self, step: Step<'a>) -> OnLargeStack<'a, Result<(), SqlError>> {
        let Caller { session, out } = self;
        OnLargeStack::new(session.attempt(run_of(step), out))
    }
}

/// A step as a statement to run.
pub(super) fn run_of(step: Step<'_>) -> Run<'_> {
    Run {
        planned: step.planned,
        client: step.values,
        text: step.loaded.code.leaves[step.leaf].text(),
        database: &step.loaded.database,
        leaf: Some((step.loaded, step.leaf)),
    }
}

/// With whose rights a program runs that begins now.
pub(super) fn acting(loaded: &Loaded, state: &State) -> AccountName {
    let program = &loaded.program;
    match program.nature.invoker && program.kind != StoredKind::Trigger {
        true => state.current_account().clone(),
        false => AccountName::parse_plain(&program.definer),
    }
}

impl Session {
    /// A program begins.
    pub(super) fn enter_program(&mut self, called: &Called) -> Result<Arc<Loaded>, SqlError> {
        let schema = self.schema()?;
        let loaded = self.server.programs.load(called, &schema)?;
        self.running.enter(called, recursion(&self.state.variables))?;
        let acting = acting(&loaded, &self.state);
        self.state.acting.push(acting);
        Ok(loaded)
    }

    /// The innermost program ended.
    pub(super) fn leave_program(&mut self) {
        self.running.leave();
        self.state.acting.pop();
    }

    /// A query that a program runs for itself. What it gives is stored into a variable.
    pub(super) async fn query_of_program(
        &mut self,
        step: Step<'_>,
        read: &Read,
        bound: Bound,
    ) -> Result<Vec<Vec<Value>>, Failure> {
        self.permit(&step.planned.needs)?;
        self.prepare_context(&step.planned.plan);
        let stores = matches!(step.loaded.code.leaves[step.leaf].kind, LeafKind::Value { .. });
        self.context.lock().writes.set(stores);
        self.stored_rows(run_of(step), read, bound).await
    }

    /// CALL.
    pub(in crate::session) async fn call(
        &mut self,
        run: Run<'_>,
        call: &Call,
        out: &mut ResultWriter<'_>,
    ) -> Result<(), Failure> {
        let (mut values, mut targets) = (Vec::new(), Vec::new());
        for (slot, argument) in call.arguments.iter().enumerate() {
            values.push(match &argument.value {
                None => Value::Null,
                Some(read) => {
                    self.context.lock().writes.set(true);
                    let bound = Bound { rows: 1, bytes: usize::MAX };
                    let mut rows = self.stored_rows(run, read, bound).await?;
                    rows.pop().and_then(|row| row.into_iter().next()).unwrap_or_default()
                }
            });
            targets.extend(argument.target.clone().map(|target| (slot, target)));
        }
        self.take_warnings();
        self.running.begin_interpreter()?;
        out.begin_program();
        let mut caller = Caller { session: self, out: &mut *out };
        let running = Interpreter::new(&mut caller).run(&call.procedure, values, targets);
        let outcome = OnLargeStack::new(running).await;
        out.end_program();
        self.running.end_interpreter();
        let (values, _) = outcome?;
        self.check_database()?;
        self.give_out(call, &values, out)?;
        let affected = u64::try_from(self.state.row_count).unwrap_or(0);
        out.ok(self.done(affected, 0, String::new()))?;
        Ok(())
    }

    /// The current database may have been dropped.
    fn check_database(&mut self) -> Result<(), SqlError> {
        let schema = self.schema()?;
        if self.state.database.as_ref().is_some_and(|d| schema.catalog.database(d).is_none()) {
            self.state.database = None;
            self.tell_database();
        }
        Ok(())
    }

    /// The values of parameters that were given as `?`: of the binary protocol a result of one row, else kept for EXECUTE.
    fn give_out(&mut self, call: &Call, values: &[Value], out: &mut ResultWriter<'_>) -> Result<(), SqlError> {
        let schema = self.schema()?;
        let called = &call.procedure;
        let database = schema.catalog.database(&called.database);
        let Some(procedure) = database.and_then(|d| d.program(called.kind, &called.name)) else { return Ok(()) };
        let (mut columns, mut row) = (Vec::new(), Vec::new());
        self.given_out.clear();
        for ((argument, parameter), value) in call.arguments.iter().zip(&procedure.parameters).zip(values) {
            let Some(VariableTarget::Marker(marker)) = argument.target else { continue };
            let column = &parameter.column;
            let value = column.ty.present(value.clone());
            let (name, ty) = (column.name.as_str().into(), ResultType::Known(column.ty.clone()));
            columns.push(ResultColumn { name, ty, nullable: true, origin: None });
            row.push(value.clone());
            self.given_out.push((marker, value));
        }
        if columns.is_empty() || out.format() != RowFormat::Binary {
            return Ok(());
        }
        let status = mysql::Handler::status(self) | StatusFlags::SERVER_PS_OUT_PARAMS;
        let charset = self.state.settings.charset;
        let described: Vec<_> = columns.iter().map(|c| metadata::describe(c, None, charset)).collect();
        out.columns(&described, status)?;
        out.row(row.iter().map(mysql::Cell::from))?;
        out.end_rows(Completion { status, ..Completion::default() })
    }

    /// SIGNAL and RESIGNAL outside of programs.
    pub(in crate::session) async fn signal(&mut self, run: Run<'_>, signal: &Signal) -> Result<(), Failure> {
        let mut items = Vec::new();
        for (item, value) in &signal.items {
            items.push((*item, self.session_value(run, value).await?));
        }
        let raised = Raised { resignal: signal.resignal, state: signal.state.as_deref(), items };
        let limit = self.state.settings.max_errors;
        Ok(condition::signal(&mut self.state.diagnostics, limit, &raised, None)?)
    }

    /// GET DIAGNOSTICS outside of programs.
    pub(in crate::session) async fn get_diagnostics(
        &mut self,
        run: Run<'_>,
        get: &GetDiagnostics,
    ) -> Result<(), Failure> {
        if get.stacked {
            return Err(crate::mysql::GET_STACKED_DA_WITHOUT_ACTIVE_HANDLER.with(&[]).into());
        }
        let number = match &get.condition {
            Some(value) => Some(self.session_value(run, value).await?),
            None => None,
        };
        for (target, item) in &get.items {
            let value = condition::item(&self.state.diagnostics, number.as_ref(), item, self.state.row_count)?;
            if let VariableTarget::User(name) = target {
                self.state.user_variables.insert(name.clone(), value);
            }
        }
        Ok(())
    }

    async fn session_value(&mut self, run: Run<'_>, value: &SetValue) -> Result<Value, Failure> {
        Ok(match value {
            SetValue::Default => Value::Null,
            SetValue::Constant(value) => value.clone(),
            SetValue::Query(read) => self.scalar(run, read).await?,
        })
    }
}
