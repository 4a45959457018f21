//! A loadable SQLite extension with Marmot's collations and functions, so that other SQLite programs can read and write
//! files whose tables were made under `collations = "mysql"`, or whose constraints call Marmot's functions.
//!
//! ```text
//! cargo build --release --no-default-features --features extension --example marmot
//! sqlite3 -cmd '.load target/release/examples/libmarmot' app.db
//! ```
//!
//! Functions have the names under which the files know them: `marmot_` before MySQL's name. They behave as in a session with
//! MySQL's default `sql_mode` and the time zone UTC. Warnings are dropped.

use crate::sql::{AGGREGATES, Accumulator, CollationOrder, Error, FUNCTIONS, Function, FunctionContext};
use crate::types::Value;
use rusqlite::functions::{Context, FunctionFlags, WindowAggregate};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Result};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Adds everything to a connection. Collations come when SQLite asks for them.
///
/// # Errors
/// SQLite's, for instance while a statement is running.
pub fn register(connection: &Connection) -> Result<()> {
    connection.collation_needed(provide_collation)?;
    let context = Arc::new(Mutex::new(new_context()));
    for function in FUNCTIONS {
        scalar(connection, function, context.clone())?;
    }
    for aggregate in AGGREGATES {
        let flags = FunctionFlags::SQLITE_UTF8;
        connection.create_window_function(aggregate.name, aggregate.arity, flags, Groups(aggregate.start))?;
    }
    Ok(())
}

fn provide_collation(connection: &Connection, name: &str) -> Result<()> {
    match CollationOrder::named(name) {
        Some(order) => connection.create_collation(name, move |left, right| order.compare(left, right)),
        None => Ok(()),
    }
}

/// Strict, as MySQL's default `sql_mode`. RAND() starts from the clock.
fn new_context() -> FunctionContext {
    let context = FunctionContext::default();
    context.strict.set(true);
    context.no_zero_date.set(true);
    context.no_zero_in_date.set(true);
    context.random.set(since_epoch().map_or(0, |d| d.as_nanos() as u64));
    context
}

fn since_epoch() -> Option<std::time::Duration> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok()
}

fn scalar(connection: &Connection, function: &'static Function, context: Arc<Mutex<FunctionContext>>) -> Result<()> {
    let mut flags = FunctionFlags::SQLITE_UTF8;
    flags.set(FunctionFlags::SQLITE_DETERMINISTIC, function.deterministic);
    connection.create_scalar_function(function.name, function.arity, flags, move |call: &Context<'_>| {
        let context = context.lock().unwrap_or_else(PoisonError::into_inner);
        context.now.set(since_epoch().map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX)));
        context.warnings.borrow_mut().clear();
        (function.eval)(&context, &arguments(call)).map(output).map_err(raised)
    })
}

fn raised(error: Error) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(format!("{} ({})", error.message, error.code).into())
}

fn arguments(call: &Context<'_>) -> Vec<Value> {
    (0..call.len()).map(|i| value(call.get_raw(i))).collect()
}

/// Text that is not UTF-8 becomes a blob, so that no byte is lost.
fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(i) => Value::Int(i),
        ValueRef::Real(x) => Value::real(x),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).map_or_else(|_| Value::Blob(bytes.into()), Value::text),
        ValueRef::Blob(bytes) => Value::Blob(bytes.into()),
    }
}

fn output(value: Value) -> ToSqlOutput<'static> {
    ToSqlOutput::Owned(match value {
        Value::Null => rusqlite::types::Value::Null,
        Value::Int(i) => rusqlite::types::Value::Integer(i),
        Value::Real(x) => rusqlite::types::Value::Real(x.0),
        Value::Text(text) => rusqlite::types::Value::Text(text.to_string()),
        Value::Blob(bytes) => rusqlite::types::Value::Blob(bytes.to_vec()),
    })
}

/// One group of rows.
type Group = AssertUnwindSafe<Box<dyn Accumulator>>;

#[derive(Clone, Copy)]
struct Groups(fn() -> Box<dyn Accumulator>);

impl rusqlite::functions::Aggregate<Group, ToSqlOutput<'static>> for Groups {
    fn init(&self, _: &mut Context<'_>) -> Result<Group> {
        Ok(AssertUnwindSafe((self.0)()))
    }
    fn step(&self, call: &mut Context<'_>, group: &mut Group) -> Result<()> {
        group.step(&arguments(call)).map_err(raised)
    }
    fn finalize(&self, call: &mut Context<'_>, group: Option<Group>) -> Result<ToSqlOutput<'static>> {
        let group = match group {
            Some(group) => group,
            None => self.init(call)?,
        };
        group.value().map(output).map_err(raised)
    }
}

impl WindowAggregate<Group, ToSqlOutput<'static>> for Groups {
    fn value(&self, group: Option<&mut Group>) -> Result<ToSqlOutput<'static>> {
        let value = match group {
            Some(group) => group.value(),
            None => (self.0)().value(),
        };
        value.map(output).map_err(raised)
    }
    fn inverse(&self, call: &mut Context<'_>, group: &mut Group) -> Result<()> {
        group.inverse(&arguments(call)).map_err(raised)
    }
}
