//! The interpreter: instruction by instruction, frame by frame.

use super::condition::{self, Raised};
use super::frame::{Cursor, Frame, Saved};
use super::host::{Host, Step};
use super::loaded::Loaded;
use crate::mysql::{self, SqlError};
use crate::session::Which;
use crate::session::diagnostics::{Condition, Level, NO_DATA};
use crate::session::execute::Failure;
use crate::session::plans::Planned;
use crate::session::read::Bound;
use crate::sql::{
    Call, Called, Column, GetDiagnostics, Instruction, Modes, Plan, Read, SessionCommand, SetValue, Signal,
    VariableTarget, local_value,
};
use crate::types::Value;
use std::sync::Arc;

/// So many instructions run before others may.
const BREATH: usize = 64;
/// What one variable may take: MySQL's `max_allowed_packet`, which bounds the results of its functions.
const VALUE_BYTES: usize = 64 << 20;
/// What the rows of one cursor may take.
const CURSOR_BYTES: usize = 64 << 20;
/// One row and the question whether there is another.
const TWO: Bound = Bound { rows: 2, bytes: usize::MAX };

/// What an instruction did.
enum Done {
    Next,
    /// A function has its value.
    Returned(Value),
}

/// Programs at work on a host: the one that was called first, and those it called.
pub(super) struct Interpreter<'h, H: Host> {
    host: &'h mut H,
    frames: Vec<Frame>,
    steps: usize,
}

impl<'h, H: Host> Interpreter<'h, H> {
    pub fn new(host: &'h mut H) -> Interpreter<'h, H> {
        Interpreter { host, frames: Vec::new(), steps: 0 }
    }

    /// Runs a program with these values in its first slots. `out`: what gets a parameter's value in the end. Gives the
    /// values of all its slots, and what it returned.
    ///
    /// # Errors
    /// The condition that no handler took.
    pub async fn run(
        mut self,
        called: &Called,
        values: Vec<Value>,
        out: Vec<(usize, VariableTarget)>,
    ) -> Result<(Vec<Value>, Option<Value>), SqlError> {
        self.enter(called, values, out)?;
        let outcome = self.run_frames().await;
        while self.frames.pop().map(|frame| self.left(frame)).is_some() {}
        outcome
    }

    async fn run_frames(&mut self) -> Result<(Vec<Value>, Option<Value>), SqlError> {
        loop {
            self.steps += 1;
            if self.steps.is_multiple_of(BREATH) {
                self.host.breathe().await?;
            }
            match self.step().await {
                Ok(Done::Next) => {}
                Ok(Done::Returned(value)) => {
                    let values = self.frames.pop().map(|frame| self.left(frame)).unwrap_or_default();
                    return Ok((values, Some(value)));
                }
                Err(error) => self.raise(error)?,
            }
            let ended = self.frames.last().is_none_or(|f| f.at >= f.loaded.code.instructions.len());
            if ended && let Some(values) = self.end_of_frame()? {
                return Ok((values, None));
            }
        }
    }

    /// The last frame ran to its end; gives its values if it was the first one.
    fn end_of_frame(&mut self) -> Result<Option<Vec<Value>>, SqlError> {
        let Some(frame) = self.frames.pop() else { return Ok(Some(Vec::new())) };
        let loaded = frame.loaded.clone();
        let out = frame.out.clone();
        let values = self.left(frame);
        if loaded.program.returns.is_some() {
            return Err(mysql::SP_NORETURNEND.with(&[&loaded.program.name]));
        }
        for (slot, target) in &out {
            let value = values.get(*slot).cloned().unwrap_or_default();
            let column = loaded.code.slots.get(*slot).cloned().flatten();
            self.assign(target, value, column.as_deref())?;
        }
        Ok(self.frames.is_empty().then_some(values))
    }

    /// Finds the handler for an error, leaving programs that have none.
    fn raise(&mut self, error: SqlError) -> Result<(), SqlError> {
        self.host.take_warnings();
        // What ends the statement is not for its program to handle.
        if matches!(error.code, 1317 | 1927 | 3024 | 4031) || error.state.as_str() == "08007" {
            return Err(error);
        }
        condition::note_error(&mut self.host.state().diagnostics, &error);
        let condition = match self.host.state().diagnostics.list().last() {
            Some(condition) if condition.code == error.code => condition.clone(),
            _ => Condition::error(&error),
        };
        loop {
            let Some(frame) = self.frames.last_mut() else { return Err(error) };
            let diagnostics = self.host.state().diagnostics.clone();
            if frame.activate(&condition, &diagnostics) {
                return Ok(());
            }
            if let Some(frame) = self.frames.pop() {
                self.left(frame);
            }
        }
    }

    /// A statement warned: its handler, if there is one, is next. `mark`: the conditions before are older.
    fn handle_warnings(&mut self, mark: usize) {
        let Some(frame) = self.frames.last_mut() else { return };
        let diagnostics = &self.host.state().diagnostics;
        if diagnostics.list().len() <= mark {
            return;
        }
        let diagnostics = diagnostics.clone();
        for condition in diagnostics.list().iter().skip(mark).filter(|c| c.level == Level::Warning) {
            if frame.activate(condition, &diagnostics) {
                return;
            }
        }
    }

    /// A program begins, in its own database and SQL mode.
    fn enter(
        &mut self,
        called: &Called,
        values: Vec<Value>,
        out: Vec<(usize, VariableTarget)>,
    ) -> Result<(), SqlError> {
        let loaded = self.host.enter(called)?;
        let state = self.host.state();
        let database = std::mem::replace(&mut state.database, loaded.database.clone());
        let modes = Modes::from_bits(loaded.program.modes).to_string();
        let own = (state.settings.modes.to_string() != modes).then(|| state.variables.own("sql_mode").clone());
        if own.is_some() {
            state.variables.put("sql_mode", Value::text(modes));
            state.refresh();
        }
        let mut frame = Frame::new(loaded, Saved { database, modes: own });
        for (slot, value) in values.into_iter().enumerate().take(frame.values.len()) {
            frame.values[slot] = value;
        }
        frame.out = out;
        self.frames.push(frame);
        Ok(())
    }

    /// A program ended: what was the session's is again.
    fn left(&mut self, frame: Frame) -> Vec<Value> {
        let state = self.host.state();
        state.database = frame.saved.database;
        if let Some(modes) = frame.saved.modes {
            state.variables.put("sql_mode", modes);
            state.refresh();
        }
        self.host.leave();
        frame.values
    }

    fn frame(&mut self) -> Result<&mut Frame, SqlError> {
        self.frames.last_mut().ok_or_else(|| SqlError::internal("no program runs"))
    }

    async fn step(&mut self) -> Result<Done, SqlError> {
        let frame = self.frame()?;
        let loaded = frame.loaded.clone();
        let Some(instruction) = loaded.code.instructions.get(frame.at) else { return Ok(Done::Next) };
        frame.at += 1;
        match instruction {
            Instruction::Jump(to) => frame.at = *to,
            Instruction::Unless { leaf, to } => {
                let value = self.evaluate(&loaded, *leaf).await?;
                if value != Value::Int(1) {
                    self.frame()?.at = *to;
                }
            }
            Instruction::Set { slot, leaf } => {
                let mark = self.host.state().diagnostics.list().len();
                let value = self.evaluate(&loaded, *leaf).await?;
                check_size(&value)?;
                self.frame()?.values[*slot] = value;
                self.host.take_warnings();
                self.handle_warnings(mark);
            }
            Instruction::SetNull { slot } => frame.values[*slot] = Value::Null,
            Instruction::Run { leaf } => self.statement(&loaded, *leaf).await?,
            Instruction::Open { cursor } => self.open(&loaded, *cursor).await?,
            Instruction::Fetch { cursor, into } => self.fetch(&loaded, *cursor, into)?,
            Instruction::Close { cursor } => {
                if frame.cursors[*cursor].take().is_none() {
                    return Err(mysql::SP_CURSOR_NOT_OPEN.with(&[]));
                }
            }
            Instruction::Handle { handlers } => frame.handle(handlers.clone()),
            Instruction::Unwind { handlers, cursors } => frame.unwind(*handlers, *cursors),
            Instruction::HandlerReturn => {
                frame.handled();
                let limit = self.host.state().settings.max_errors;
                // What was handled is no news for who called.
                self.host.state().diagnostics.start(limit);
            }
            Instruction::Return { leaf } => return Ok(Done::Returned(self.evaluate(&loaded, *leaf).await?)),
            Instruction::CaseNotFound => return Err(mysql::SP_CASE_NOT_FOUND.with(&[])),
        }
        Ok(Done::Next)
    }

    /// Runs `query` of a leaf's plan, which is made again while the schema changes. The other result is of other plans.
    async fn rows(&mut self, loaded: &Arc<Loaded>, leaf: usize, bound: Bound) -> Result<Vec<Vec<Value>>, SqlError> {
        let mut retry = None;
        loop {
            let planned = self.host.plan(loaded, leaf)?;
            let Plan::Read(read) = &*planned.plan else { return Err(SqlError::internal("a value that is no query")) };
            match self.query((loaded, leaf, &planned), read, bound).await {
                Ok(rows) => return Ok(rows),
                Err(Failure::Sql(error)) => return Err(error),
                Err(Failure::Stale) => self.host.schema_moved(&mut retry).await?,
            }
        }
    }

    async fn query(
        &mut self,
        (loaded, leaf, planned): (&Arc<Loaded>, usize, &Planned),
        read: &Read,
        bound: Bound,
    ) -> Result<Vec<Vec<Value>>, Failure> {
        let values = &self.frames.last().ok_or_else(|| SqlError::internal("no program runs"))?.values;
        self.host.query(Step { loaded, leaf, planned, values }, read, bound).await
    }

    /// The value of a leaf that is an expression.
    async fn evaluate(&mut self, loaded: &Arc<Loaded>, leaf: usize) -> Result<Value, SqlError> {
        only_value(self.rows(loaded, leaf, TWO).await?)
    }

    /// The value of a query beside the statement of a leaf.
    async fn scalar(&mut self, of: (&Arc<Loaded>, usize, &Planned), value: &SetValue) -> Result<Value, Failure> {
        Ok(match value {
            SetValue::Default => Value::Null,
            SetValue::Constant(value) => value.clone(),
            SetValue::Query(read) => {
                let value = only_value(self.query(of, read, TWO).await?)?;
                match read.columns.first() {
                    Some(column) => column.present(value),
                    None => value,
                }
            }
        })
    }

    /// A statement. What concerns the program itself is done here, anything else by the host.
    async fn statement(&mut self, loaded: &Arc<Loaded>, leaf: usize) -> Result<(), SqlError> {
        let mut retry = None;
        loop {
            let planned = self.host.plan(loaded, leaf)?;
            let plan = planned.plan.clone();
            let of = (loaded, leaf, &planned);
            let outcome = match &*plan {
                Plan::Call(call) => self.call(of, call).await,
                Plan::Read(read) if !read.into.is_empty() => self.select_into(of, read).await,
                Plan::Session(SessionCommand::Signal(signal)) => self.signal(of, signal).await,
                Plan::Session(SessionCommand::GetDiagnostics(get)) => self.get_diagnostics(of, get).await,
                _ => {
                    let values = &self.frames.last().ok_or_else(|| SqlError::internal("no program runs"))?.values;
                    self.host.run(Step { loaded, leaf, planned: &planned, values }).await?;
                    self.handle_warnings(0);
                    Ok(())
                }
            };
            match outcome {
                Ok(()) => return Ok(()),
                Err(Failure::Sql(error)) => return Err(error),
                Err(Failure::Stale) => self.host.schema_moved(&mut retry).await?,
            }
        }
    }

    async fn call(&mut self, of: (&Arc<Loaded>, usize, &Planned), call: &Call) -> Result<(), Failure> {
        let (mut values, mut out) = (Vec::new(), Vec::new());
        for (slot, argument) in call.arguments.iter().enumerate() {
            values.push(match &argument.value {
                None => Value::Null,
                Some(read) => only_value(self.query(of, read, TWO).await?)?,
            });
            out.extend(argument.target.clone().map(|target| (slot, target)));
        }
        Ok(self.enter(&call.procedure, values, out)?)
    }

    async fn select_into(&mut self, of: (&Arc<Loaded>, usize, &Planned), read: &Read) -> Result<(), Failure> {
        let limit = self.host.state().settings.max_errors;
        self.host.state().diagnostics.start(limit);
        let mut rows = self.query(of, read, TWO).await?;
        self.host.take_warnings();
        if rows.len() > 1 {
            return Err(mysql::TOO_MANY_ROWS.with(&[]).into());
        }
        self.host.state().row_count = i64::try_from(rows.len()).unwrap_or(0);
        match rows.pop() {
            None => {
                let text = mysql::SP_FETCH_NO_DATA.with(&[]).message;
                self.host.state().diagnostics.warning(NO_DATA, text);
            }
            Some(row) => {
                for ((target, value), column) in read.into.iter().zip(row).zip(&read.columns) {
                    match target {
                        VariableTarget::User(name) => {
                            let value = column.present(value);
                            self.host.state().user_variables.insert(name.clone(), value);
                        }
                        VariableTarget::Local { slot, column } => self.store(*slot, value, column.as_deref())?,
                        VariableTarget::Marker(_) => {}
                    }
                }
                self.host.take_warnings();
            }
        }
        self.handle_warnings(0);
        Ok(())
    }

    /// A value into a variable of the last frame, converted to its type.
    fn store(&mut self, slot: usize, value: Value, column: Option<&Column>) -> Result<(), SqlError> {
        let value = match column {
            Some(column) => {
                let context = self.host.context().lock();
                local_value(column, value, &context)?
            }
            None => value,
        };
        check_size(&value)?;
        self.frame()?.values[slot] = value;
        Ok(())
    }

    /// The value of a parameter, of the type of `column`, into what was given for it.
    fn assign(&mut self, target: &VariableTarget, value: Value, column: Option<&Column>) -> Result<(), SqlError> {
        match target {
            VariableTarget::User(name) => {
                let value = column.map_or_else(|| value.clone(), |c| c.ty.present(value.clone()));
                self.host.state().user_variables.insert(name.clone(), value);
                Ok(())
            }
            VariableTarget::Local { slot, column } => self.store(*slot, value, column.as_deref()),
            // Of the CALL that began all this, which sees to it.
            VariableTarget::Marker(_) => Ok(()),
        }
    }

    async fn open(&mut self, loaded: &Arc<Loaded>, cursor: usize) -> Result<(), SqlError> {
        if self.frame()?.cursors[cursor].is_some() {
            return Err(mysql::SP_CURSOR_ALREADY_OPEN.with(&[]));
        }
        let leaf = loaded.code.cursors[cursor].1;
        let planned = self.host.plan(loaded, leaf)?;
        let Plan::Read(read) = &*planned.plan else { return Err(SqlError::internal("a cursor of no query")) };
        let width = read.columns.len();
        let rows = self.rows(loaded, leaf, Bound { rows: usize::MAX, bytes: CURSOR_BYTES }).await?;
        self.host.take_warnings();
        self.frame()?.cursors[cursor] = Some(Cursor { rows: rows.into(), width });
        Ok(())
    }

    fn fetch(&mut self, loaded: &Arc<Loaded>, cursor: usize, into: &[usize]) -> Result<(), SqlError> {
        let mark = self.host.state().diagnostics.list().len();
        let open = self.frame()?.cursors[cursor].as_mut();
        let open = open.ok_or_else(|| mysql::SP_CURSOR_NOT_OPEN.with(&[]))?;
        if open.width != into.len() {
            return Err(mysql::SP_WRONG_NO_OF_FETCH_ARGS.with(&[]));
        }
        let row = open.rows.pop_front().ok_or_else(|| mysql::SP_FETCH_NO_DATA.with(&[]))?;
        for (slot, value) in into.iter().zip(row) {
            self.store(*slot, value, loaded.code.slots[*slot].as_deref())?;
        }
        self.host.take_warnings();
        self.handle_warnings(mark);
        Ok(())
    }

    async fn signal(&mut self, of: (&Arc<Loaded>, usize, &Planned), signal: &Signal) -> Result<(), Failure> {
        let mut items = Vec::new();
        for (item, value) in &signal.items {
            items.push((*item, self.scalar(of, value).await?));
        }
        let raised = Raised { resignal: signal.resignal, state: signal.state.as_deref(), items };
        // The handler may be that of a program around this one.
        let handled = self.frames.iter().rev().find_map(|f| f.handling.last()).map(|h| h.condition.clone());
        let state = self.host.state();
        condition::signal(&mut state.diagnostics, state.settings.max_errors, &raised, handled.as_ref())?;
        self.handle_warnings(0);
        Ok(())
    }

    async fn get_diagnostics(
        &mut self,
        of: (&Arc<Loaded>, usize, &Planned),
        get: &GetDiagnostics,
    ) -> Result<(), Failure> {
        let number = match &get.condition {
            Some(value) => Some(self.scalar(of, value).await?),
            None => None,
        };
        let handling = self.frames.iter().rev().find_map(|f| f.handling.last());
        let diagnostics = match (get.stacked, handling) {
            (true, None) => return Err(mysql::GET_STACKED_DA_WITHOUT_ACTIVE_HANDLER.with(&[]).into()),
            (true, Some(handling)) => handling.diagnostics.clone(),
            (false, _) => self.host.state().diagnostics.clone(),
        };
        let row_count = self.host.state().row_count;
        for (target, item) in &get.items {
            let value = condition::item(&diagnostics, number.as_ref(), item, row_count)?;
            self.assign(target, value, None)?;
        }
        Ok(())
    }
}

/// # Errors
/// 1301 for what is too large for a variable.
fn check_size(value: &Value) -> Result<(), SqlError> {
    if value.size() <= VALUE_BYTES {
        return Ok(());
    }
    let text = format!("Result of an expression was larger than max_allowed_packet ({VALUE_BYTES})");
    Err(SqlError::new(1301, text))
}

/// The value of a query that has one.
fn only_value(mut rows: Vec<Vec<Value>>) -> Result<Value, SqlError> {
    match (rows.len(), rows.pop()) {
        (0, _) => Ok(Value::Null),
        (1, Some(row)) => Ok(row.into_iter().next().unwrap_or_default()),
        _ => Err(SqlError::new(1242, "Subquery returns more than 1 row")),
    }
}

/// Whether programs may be entered so often within themselves.
pub(super) fn recursion(variables: &crate::session::Variables) -> usize {
    match variables.get("max_sp_recursion_depth", Which::Either) {
        Ok(Value::Int(n)) => usize::try_from(n).unwrap_or(0),
        _ => 0,
    }
}
