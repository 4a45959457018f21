//! A small engine for tests: statements translated by `marmot::sql` and run on plain in-memory SQLite databases.

use marmot::sql::{
    AGGREGATES, Accumulator, Catalog, CompileContext, Context, Environment, Error, FUNCTIONS, FunctionContext, Modes,
    Plan, PlanCache, Prepared, Program, ResultColumn, ResultType, SchemaChange, SetTarget, SetValue, VariableTarget,
    Wanted, bind,
};
use marmot::types::{NodeId, TableId, Value};
use rusqlite::functions::{Aggregate, Context as Call, FunctionFlags};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, params_from_iter};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

pub struct Engine {
    connection: Connection,
    pub catalog: Catalog,
    pub cache: PlanCache,
    pub database: Option<String>,
    pub modes: Modes,
    functions: Arc<Mutex<FunctionContext>>,
    fault: Arc<Mutex<Option<Error>>>,
    variables: HashMap<String, Value>,
    tables: u64,
    version: u64,
}

struct Session<'e>(&'e Engine);

impl Environment for Session<'_> {
    fn value(&self, wanted: &Wanted) -> Result<Value, Error> {
        Ok(match wanted {
            Wanted::Now(0) | Wanted::UtcNow(0) => Value::from("2024-03-15 10:20:30"),
            Wanted::Now(fsp) | Wanted::UtcNow(fsp) => {
                Value::text(format!("2024-03-15 10:20:30.{}", &"123456"[..usize::from(*fsp)]))
            }
            Wanted::User(name) => self.0.variables.get(name).cloned().unwrap_or_default(),
            Wanted::System(_, name) if name == "version" => Value::from("8.0.40-marmot"),
            Wanted::System(_, name) if name == "autocommit" => Value::Int(1),
            Wanted::System(_, name) => return Err(Error::unknown_system_variable(name)),
            Wanted::Database => self.0.database.as_deref().map_or(Value::Null, Value::from),
            Wanted::ClientUser | Wanted::CurrentUser => Value::from("root@localhost"),
            Wanted::Version => Value::from("8.0.40-marmot"),
            Wanted::ConnectionId => Value::Int(7),
            Wanted::LastInsertId | Wanted::RowCount | Wanted::FoundRows => Value::Int(0),
        })
    }
}

fn value_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => Value::Int(n),
        ValueRef::Real(x) => Value::real(x),
        ValueRef::Text(text) => Value::text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.into()),
    }
}

fn output(value: Value) -> ToSqlOutput<'static> {
    use rusqlite::types::Value as V;
    ToSqlOutput::Owned(match value {
        Value::Null => V::Null,
        Value::Int(n) => V::Integer(n),
        Value::Real(x) => V::Real(x.0),
        Value::Text(text) => V::Text(text.to_string()),
        Value::Blob(bytes) => V::Blob(bytes.to_vec()),
    })
}

fn arguments(call: &Call<'_>) -> Vec<Value> {
    (0..call.len()).map(|i| value_of(call.get_raw(i))).collect()
}

type Fault = Arc<Mutex<Option<Error>>>;

fn raise(fault: &Fault, error: Error) -> rusqlite::Error {
    let text = error.message.clone();
    *fault.lock().unwrap() = Some(error);
    rusqlite::Error::UserFunctionError(text.into())
}

struct Group {
    start: fn() -> Box<dyn Accumulator>,
    fault: Fault,
}

struct State(Box<dyn Accumulator>);
impl UnwindSafe for State {}
impl RefUnwindSafe for State {}

impl Aggregate<State, ToSqlOutput<'static>> for Group {
    fn init(&self, _: &mut Call<'_>) -> rusqlite::Result<State> {
        Ok(State((self.start)()))
    }
    fn step(&self, call: &mut Call<'_>, state: &mut State) -> rusqlite::Result<()> {
        state.0.step(&arguments(call)).map_err(|e| raise(&self.fault, e))
    }
    fn finalize(&self, _: &mut Call<'_>, state: Option<State>) -> rusqlite::Result<ToSqlOutput<'static>> {
        let state = state.unwrap_or_else(|| State((self.start)()));
        state.0.value().map(output).map_err(|e| raise(&self.fault, e))
    }
}

impl rusqlite::functions::WindowAggregate<State, ToSqlOutput<'static>> for Group {
    fn value(&self, state: Option<&mut State>) -> rusqlite::Result<ToSqlOutput<'static>> {
        let value = match state {
            Some(state) => state.0.value(),
            None => (self.start)().value(),
        };
        value.map(output).map_err(|e| raise(&self.fault, e))
    }
    fn inverse(&self, call: &mut Call<'_>, state: &mut State) -> rusqlite::Result<()> {
        state.0.inverse(&arguments(call)).map_err(|e| raise(&self.fault, e))
    }
}

impl Engine {
    /// An engine with the database `shop`, which is current.
    pub fn new() -> Engine {
        let connection = Connection::open_in_memory().unwrap();
        let functions = Arc::new(Mutex::new(FunctionContext::default()));
        let fault: Fault = Arc::default();
        for function in FUNCTIONS {
            let (context, fault, eval) = (functions.clone(), fault.clone(), function.eval);
            let mut flags = FunctionFlags::SQLITE_UTF8;
            flags.set(FunctionFlags::SQLITE_DETERMINISTIC, function.deterministic);
            let call = AssertUnwindSafe(move |call: &Call<'_>| {
                eval(&context.lock().unwrap(), &arguments(call)).map(output).map_err(|e| raise(&fault, e))
            });
            connection.create_scalar_function(function.name, function.arity, flags, move |c| (call.0)(c)).unwrap();
        }
        for aggregate in AGGREGATES {
            let group = Group { start: aggregate.start, fault: fault.clone() };
            connection
                .create_window_function(aggregate.name, aggregate.arity, FunctionFlags::SQLITE_UTF8, group)
                .unwrap();
        }
        let next = Arc::new(AtomicI64::new(0));
        let ids = next.clone();
        connection
            .create_scalar_function("marmot_auto_id", 1, FunctionFlags::SQLITE_UTF8, move |call| {
                Ok(output(match value_of(call.get_raw(0)) {
                    Value::Null | Value::Int(0) => Value::Int(ids.fetch_add(1, Ordering::Relaxed) + 1),
                    given => given,
                }))
            })
            .unwrap();
        connection
            .create_scalar_function("marmot_row_id", 0, FunctionFlags::SQLITE_UTF8, move |_| {
                Ok(output(Value::Int(next.fetch_add(1, Ordering::Relaxed) + 1)))
            })
            .unwrap();
        let mut engine = Engine {
            connection,
            catalog: Catalog::new(),
            cache: PlanCache::new(1000),
            database: None,
            modes: Modes::default(),
            functions,
            fault,
            variables: HashMap::new(),
            tables: 0,
            version: 0,
        };
        engine.run("CREATE DATABASE shop").unwrap();
        engine.database = Some("shop".to_string());
        engine
    }

    /// Runs every statement of `sql`; the rows of the last, cells joined by `|`, rows by a line's end.
    pub fn run(&mut self, sql: &str) -> Result<String, Error> {
        self.run_with(sql, &[])
    }

    /// As `run`, with values for the markers.
    pub fn run_with(&mut self, sql: &str, client: &[Value]) -> Result<String, Error> {
        self.columns_and_rows(sql, client).map(|(_, rows)| rows)
    }

    /// The names of the last statement's columns.
    pub fn names(&mut self, sql: &str) -> String {
        let (columns, _) = self.columns_and_rows(sql, &[]).unwrap();
        columns.iter().map(|c| c.name.to_string()).collect::<Vec<_>>().join("|")
    }

    fn columns_and_rows(&mut self, sql: &str, client: &[Value]) -> Result<(Vec<ResultColumn>, String), Error> {
        let mut rest = sql;
        let mut last = (vec![], String::new());
        while !rest.is_empty() {
            let database = self.database.clone();
            let context = Context::new(&self.catalog, database.as_deref(), self.modes);
            let (prepared, end) = self.cache.prepare(rest, &context)?;
            if let Some(prepared) = prepared {
                last = self.execute(&prepared, client)?;
            }
            rest = &rest[end..];
        }
        Ok(last)
    }

    fn values(
        &self,
        program: &Program,
        prepared: &Prepared,
        client: &[Value],
        ignore: bool,
    ) -> Result<Vec<Value>, Error> {
        let functions = self.functions.lock().unwrap();
        functions.strict.set(self.modes.strict());
        functions.ignore.set(ignore);
        functions.no_zero_date.set(self.modes.no_zero_date());
        functions.no_zero_in_date.set(self.modes.no_zero_in_date());
        functions.now.set(1_710_498_030);
        functions.warnings.borrow_mut().clear();
        functions.sequences.borrow_mut().clear();
        bind(&program.parameters, &prepared.literals, client, &Session(self), &functions)
    }

    fn query(&self, program: &Program, values: Vec<Value>) -> Result<Vec<Vec<Value>>, Error> {
        let fail = |e: rusqlite::Error| {
            let raised = self.fault.lock().unwrap().take();
            raised.unwrap_or_else(|| Error { code: 1, state: "SQLIT", message: format!("{e} in {}", program.sql) })
        };
        let mut statement = self.connection.prepare_cached(&program.sql).map_err(fail)?;
        let count = statement.column_count();
        let mut rows = statement.query(params_from_iter(values.into_iter().map(output))).map_err(fail)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(fail)? {
            all.push((0..count).map(|i| value_of(row.get_ref(i).unwrap())).collect());
        }
        Ok(all)
    }

    fn execute(&mut self, prepared: &Prepared, client: &[Value]) -> Result<(Vec<ResultColumn>, String), Error> {
        match &*prepared.plan {
            Plan::Read(read) => {
                let values = self.values(&read.program, prepared, client, false)?;
                let rows = self.query(&read.program, values)?;
                if let (false, Some(row)) = (read.into.is_empty(), rows.first()) {
                    for (target, value) in read.into.iter().zip(row) {
                        if let VariableTarget::User(name) = target {
                            self.variables.insert(name.clone(), value.clone());
                        }
                    }
                }
                self.variables.extend(self.functions.lock().unwrap().assigned.take());
                Ok((read.columns.clone(), shown(&read.columns, rows)))
            }
            Plan::Write(write) => {
                let values = self.values(&write.program, prepared, client, write.ignore)?;
                let rows = self.query(&write.program, values)?;
                if !write.returning.is_empty() {
                    return Ok((write.returning.clone(), shown(&write.returning, rows)));
                }
                for row in rows {
                    let mut row = row.into_iter();
                    for table in &write.keyed {
                        let program = Program { sql: table.sql.clone(), ..Program::default() };
                        self.query(&program, row.by_ref().take(table.keys + table.values).collect())?;
                    }
                }
                Ok((vec![], String::new()))
            }
            Plan::Schema(change) => self.change(change).map(|()| (vec![], String::new())),
            Plan::Rows { columns, rows } => Ok((columns.clone(), shown(columns, rows.clone()))),
            Plan::Use(name) => {
                self.database = Some(name.to_string());
                Ok((vec![], String::new()))
            }
            Plan::Set(assignments) => {
                for assignment in assignments {
                    let SetTarget::User(name) = &assignment.target else { continue };
                    let value = match &assignment.value {
                        SetValue::Constant(value) => value.clone(),
                        SetValue::Query(read) => {
                            let values = self.values(&read.program, prepared, client, false)?;
                            self.query(&read.program, values)?[0][0].clone()
                        }
                        SetValue::Default => Value::Null,
                    };
                    self.variables.insert(name.clone(), value);
                }
                Ok((vec![], String::new()))
            }
            other => Ok((vec![], format!("{other:?}"))),
        }
    }

    /// Compiles and runs a schema change.
    fn change(&mut self, change: &SchemaChange) -> Result<(), Error> {
        self.version += 1;
        let tables = &mut self.tables;
        let mut fresh = || {
            *tables += 1;
            TableId::new(NodeId(1), *tables)
        };
        let mut context = CompileContext {
            fresh: &mut fresh,
            version: self.version,
            now: "2024-03-15 10:20:30".to_string(),
            foreign_key_checks: true,
            engine: "InnoDB",
            modes: Default::default(),
            definer: "root@%".to_string(),
            warnings: vec![],
        };
        let compiled = change.compile(&self.catalog, &mut context)?;
        let Some(program) = compiled.program else { return Ok(()) };
        if let SchemaChange::CreateDatabase { name, .. } = change {
            self.connection.execute(&format!("ATTACH ':memory:' AS \"{name}\""), []).unwrap();
        }
        self.connection.execute_batch("PRAGMA foreign_keys = off; SAVEPOINT ddl").unwrap();
        for sql in &program.statements {
            if let Err(e) = self.connection.execute_batch(sql) {
                self.connection.execute_batch("ROLLBACK TO ddl; RELEASE ddl").unwrap();
                let raised = self.fault.lock().unwrap().take();
                return Err(raised.unwrap_or_else(|| Error {
                    code: 1,
                    state: "SQLIT",
                    message: format!("{e} in {sql}"),
                }));
            }
        }
        self.connection.execute_batch("RELEASE ddl; PRAGMA foreign_keys = on").unwrap();
        self.catalog = program.apply(&self.catalog);
        Ok(())
    }

    /// The number and text of the error that `sql` must give.
    pub fn error(&mut self, sql: &str) -> String {
        match self.run(sql) {
            Ok(rows) => format!("no error: {rows}"),
            Err(error) => format!("{} {}", error.code, error.message),
        }
    }

    /// How SQLite goes about a query.
    pub fn explain(&mut self, sql: &str) -> String {
        let database = self.database.clone();
        let context = Context::new(&self.catalog, database.as_deref(), self.modes);
        let (prepared, _) = self.cache.prepare(sql, &context).unwrap();
        let Plan::Read(read) = &*prepared.unwrap().plan else { return String::new() };
        let mut statement = self.connection.prepare(&format!("EXPLAIN QUERY PLAN {}", read.program.sql)).unwrap();
        let mut rows = statement.raw_query();
        let mut lines = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            lines.push(row.get::<_, String>(3).unwrap());
        }
        lines.join("\n")
    }

    /// How many warnings the last statement left.
    pub fn warnings(&self) -> Vec<u16> {
        self.functions.lock().unwrap().warnings.borrow().iter().map(|w| w.code).collect()
    }
}

fn shown(columns: &[ResultColumn], rows: Vec<Vec<Value>>) -> String {
    let cell = |(i, value): (usize, Value)| {
        let value = match columns.get(i).map(|c| &c.ty) {
            Some(ResultType::Known(ty)) => ty.present(value),
            _ => value,
        };
        match value {
            Value::Text(text) => text.to_string(),
            Value::Null => "NULL".to_string(),
            other => other.to_string(),
        }
    };
    let line = |row: Vec<Value>| row.into_iter().enumerate().map(cell).collect::<Vec<_>>().join("|");
    rows.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Each query and its answer.
pub fn check(engine: &mut Engine, cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (sql, expected) in cases {
        let actual = engine.run(sql).unwrap_or_else(|e| e.to_string());
        if actual != *expected {
            wrong.push(format!("{sql}\n  expected {expected:?}\n  but got  {actual:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
