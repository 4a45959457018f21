//! SQL functions written in Rust, registered on every connection alike.

use super::cell::Cell;
use super::connection::{Fault, outer_error};
use super::error::{Error, FunctionError, Result};
use super::nested::{Nested, NestedStatements};
use crate::types::Value;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, ValueRef};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// Evaluates one call of a scalar function.
pub type Scalar = Arc<dyn Fn(&[Value]) -> std::result::Result<Value, FunctionError> + Send + Sync>;
/// Evaluates one call of a scalar function that runs queries of its own on the connection.
pub type NestedScalar = Arc<dyn Fn(Nested<'_>, &[Value]) -> std::result::Result<Value, FunctionError> + Send + Sync>;
/// Begins one group of an aggregate function.
pub type NewAggregate = Arc<dyn Fn() -> Box<dyn Aggregate> + Send + Sync>;

/// One group of an aggregate function.
pub trait Aggregate: Send {
    fn step(&mut self, arguments: &[Value]) -> std::result::Result<(), FunctionError>;
    /// Takes back the oldest step that is still in, for a window whose frame moves on.
    fn inverse(&mut self, arguments: &[Value]) -> std::result::Result<(), FunctionError>;
    /// The result over what is in.
    fn value(&self) -> std::result::Result<Value, FunctionError>;
}

/// The functions a connection gets. Cheap to clone.
#[derive(Clone, Default)]
pub struct Functions {
    scalars: Vec<(Arc<str>, i32, bool, Scalar)>,
    aggregates: Vec<(Arc<str>, i32, NewAggregate)>,
    nested: Vec<(Arc<str>, NestedScalar)>,
}

impl Functions {
    pub fn new() -> Functions {
        Functions::default()
    }

    /// The same, but that a scalar function gives NULL where it would fail.
    pub fn lenient(self) -> Functions {
        let lenient = |(name, arity, deterministic, eval): (Arc<str>, i32, bool, Scalar)| {
            let eval: Scalar = Arc::new(move |arguments: &[Value]| Ok(eval(arguments).unwrap_or_default()));
            (name, arity, deterministic, eval)
        };
        Functions { scalars: self.scalars.into_iter().map(lenient).collect(), ..self }
    }

    /// Adds a scalar function of `arity` arguments (-1: any number). A deterministic one may be used in indexes.
    pub fn scalar(&mut self, name: &str, arity: i32, deterministic: bool, eval: Scalar) {
        self.scalars.push((name.into(), arity, deterministic, eval));
    }

    /// Adds an aggregate function of `arity` arguments (-1: any number).
    pub fn aggregate(&mut self, name: &str, arity: i32, new: NewAggregate) {
        self.aggregates.push((name.into(), arity, new));
    }

    /// Adds a scalar function of any number of arguments that runs queries.
    pub fn nested(&mut self, name: &str, eval: NestedScalar) {
        self.nested.push((name.into(), eval));
    }

    pub(super) fn register(
        &self,
        connection: &rusqlite::Connection,
        fault: &Fault,
        statements: &NestedStatements,
    ) -> Result<()> {
        for (name, eval) in &self.nested {
            let (eval, fault, statements) = (eval.clone(), fault.clone(), statements.clone());
            let call = move |context: &Context<'_>| {
                let arguments = arguments(context);
                // SAFETY: the handle is used within this call only, in which its statement runs.
                let value = unsafe {
                    let connection = context.get_connection()?;
                    eval(Nested::new(connection.handle(), &fault, &statements), &arguments)
                };
                value.map(Output).map_err(|e| raise(&fault, Error::Function(e)))
            };
            let call = AssertUnwindSafe(call);
            let call = move |context: &Context<'_>| (call.0)(context);
            connection.create_scalar_function(&**name, -1, FunctionFlags::SQLITE_UTF8, call).map_err(outer_error)?;
        }
        for (name, arity, deterministic, eval) in &self.scalars {
            let mut flags = FunctionFlags::SQLITE_UTF8;
            flags.set(FunctionFlags::SQLITE_DETERMINISTIC, *deterministic);
            let (eval, fault) = (eval.clone(), fault.clone());
            let call = move |context: &Context<'_>| {
                eval(&arguments(context)).map(Output).map_err(|e| raise(&fault, Error::Function(e)))
            };
            connection.create_scalar_function(&**name, *arity, flags, call).map_err(outer_error)?;
        }
        for (name, arity, new) in &self.aggregates {
            let adapter = Adapter { new: new.clone(), fault: fault.clone() };
            connection
                .create_window_function(&**name, *arity, FunctionFlags::SQLITE_UTF8, adapter)
                .map_err(outer_error)?;
        }
        Ok(())
    }
}

/// Leaves `error` for the statement to report, and the error that makes SQLite stop it.
pub(super) fn raise(fault: &Fault, error: Error) -> rusqlite::Error {
    let text = error.to_string();
    fault.set(error);
    rusqlite::Error::UserFunctionError(text.into())
}

pub(super) fn arguments(context: &Context<'_>) -> Vec<Value> {
    (0..context.len()).map(|i| cell(context.get_raw(i)).to_value()).collect()
}

fn cell(value: ValueRef<'_>) -> Cell<'_> {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(i) => Cell::Int(i),
        ValueRef::Real(x) => Cell::Real(x),
        ValueRef::Text(t) => Cell::Text(t),
        ValueRef::Blob(b) => Cell::Blob(b),
    }
}

/// A function's result on its way into SQLite.
pub(super) struct Output(pub(super) Value);

impl rusqlite::ToSql for Output {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match &self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(i) => ValueRef::Integer(*i),
            Value::Real(x) => ValueRef::Real(x.0),
            Value::Text(t) => ValueRef::Text(t.as_bytes()),
            Value::Blob(b) => ValueRef::Blob(b),
        }))
    }
}

/// A group whose panic rusqlite turns into an error: SQLite drops it then, so nobody sees it half changed.
type Group = AssertUnwindSafe<Box<dyn Aggregate>>;

struct Adapter {
    new: NewAggregate,
    fault: Fault,
}

impl rusqlite::functions::Aggregate<Group, Output> for Adapter {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Group> {
        Ok(AssertUnwindSafe((self.new)()))
    }
    fn step(&self, context: &mut Context<'_>, group: &mut Group) -> rusqlite::Result<()> {
        group.step(&arguments(context)).map_err(|e| raise(&self.fault, Error::Function(e)))
    }
    fn finalize(&self, context: &mut Context<'_>, group: Option<Group>) -> rusqlite::Result<Output> {
        let group = match group {
            Some(group) => group,
            None => self.init(context)?,
        };
        group.value().map(Output).map_err(|e| raise(&self.fault, Error::Function(e)))
    }
}

impl rusqlite::functions::WindowAggregate<Group, Output> for Adapter {
    fn value(&self, group: Option<&mut Group>) -> rusqlite::Result<Output> {
        let value = match group {
            Some(group) => group.value(),
            None => (self.new)().value(),
        };
        value.map(Output).map_err(|e| raise(&self.fault, Error::Function(e)))
    }
    fn inverse(&self, context: &mut Context<'_>, group: &mut Group) -> rusqlite::Result<()> {
        group.inverse(&arguments(context)).map_err(|e| raise(&self.fault, Error::Function(e)))
    }
}
