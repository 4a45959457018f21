//! Whole statements: the choice of translation, and what the session carries out itself.

use super::needs::Guard;
use super::scope::{AliasUse, Scope};
use super::translator::{Translator, quote_name};
use super::typed::{Typed, text_type};
use crate::sql::account::{Needs, Privileges, Subject};
use crate::sql::catalog::Catalog;
use crate::sql::error::Error;
use crate::sql::modes::Modes;
use crate::sql::parameter::Literal;
use crate::sql::parse::{Body, Executed, Maintenance, SetExpression, SetItem, Statement, TableName};
use crate::sql::plan::{
    Assignment, Inspected, InspectedKind, LockTarget, Locking, Plan, Program, Read, ResultColumn, ResultType,
    SessionCommand, SetTarget, SetValue, VariableScope, Write,
};
use crate::sql::program::Names;
use crate::sql::schema_change::SchemaChange;
use crate::sql::tokens::IntoName;
use crate::types::{AccountName, DatabaseName, Value};
use sqlparser::ast::{Expr, LockType, NonBlock, OrderByKind, Query, SetExpr};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a statement is translated against.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub catalog: &'a Catalog,
    /// The session's current database.
    pub database: Option<&'a str>,
    pub modes: Modes,
    /// Those of the stored program that the statement is in.
    pub names: Option<&'a Names>,
    /// Stored functions whose bodies were looked through for the tables of the statement.
    pub visited: Option<&'a Visited>,
    /// Whom the statement is translated for, if that is known.
    pub account: Option<&'a AccountName>,
    /// What that account may list, if not all of `catalog`.
    pub seen: Option<&'a Catalog>,
    /// With whose rights the statement runs, if it is one of a function with SQL SECURITY DEFINER.
    pub actor: Option<&'a Arc<str>>,
    /// Asked before an error tells what is there.
    pub guard: Option<&'a dyn Guard>,
}

impl<'a> Context<'a> {
    /// For a statement that is in no stored program.
    pub fn new(catalog: &'a Catalog, database: Option<&'a str>, modes: Modes) -> Context<'a> {
        Context {
            catalog,
            database,
            modes,
            names: None,
            visited: None,
            account: None,
            seen: None,
            actor: None,
            guard: None,
        }
    }

    /// What SHOW lists.
    pub fn listed(&self) -> &'a Catalog {
        self.seen.unwrap_or(self.catalog)
    }
}

/// Stored functions, by database and name, and with whose rights they run.
pub type Visited = RefCell<BTreeSet<(DatabaseName, String, Option<Arc<str>>)>>;

/// A plan, and the literals it holds for.
#[derive(Clone, Debug, PartialEq)]
pub struct Translated {
    pub plan: Plan,
    /// Literals by number that were looked at: the plan holds only for texts with equal ones there.
    pub pins: Vec<(usize, Literal)>,
    pub needs: Needs,
}

/// Translates one statement.
///
/// # Errors
/// MySQL's, found before anything runs: 1046, 1049, 1052, 1054, 1136, 1146, 1235 and many more.
pub fn translate(statement: &Statement, context: &Context<'_>) -> Result<Plan, Error> {
    translate_all(statement, context).map(|t| t.plan)
}

/// As [`translate`], for the plan cache.
pub fn translate_all(statement: &Statement, context: &Context<'_>) -> Result<Translated, Error> {
    let mut translator = Translator::new(context, &statement.tokens);
    let plan = translator.statement(&statement.body);
    let plan = translator.allowed(plan)?;
    translator.need_for(&statement.body, &plan);
    let literals = statement.tokens.literals.iter().enumerate();
    // Whatever did not become a parameter was looked at, or left out of the plan altogether.
    let pinned = literals.filter(|(i, _)| translator.looked_at.contains(i) || !translator.used.contains(i));
    let pins = pinned.map(|(i, l)| (i, l.clone())).collect();
    Ok(Translated { plan, pins, needs: translator.needs })
}

/// SLEEP() waits between the rows of a query; a statement that writes has none.
fn without_sleep(write: Write) -> Result<Write, Error> {
    if write.program.sql.contains("marmot_sleep(") {
        return Err(Error::unsupported("SLEEP() in a statement that writes"));
    }
    Ok(write)
}

impl Translator<'_> {
    /// The outcome of a translation; an error tells what is there only if the account may know.
    pub(super) fn allowed<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        if let (Err(_), Some(guard)) = (&outcome, self.context.guard) {
            guard.check(&self.needs)?;
        }
        outcome
    }

    fn statement(&mut self, body: &Body) -> Result<Plan, Error> {
        Ok(match body {
            Body::Query { query, into, file } => Plan::Read(Read { file: file.clone(), ..self.read(query, into)? }),
            Body::Insert(insert) => Plan::Write(without_sleep(self.insert(insert)?)?),
            Body::Update(update) => Plan::Write(without_sleep(self.update(update)?)?),
            Body::Delete(delete) => Plan::Write(without_sleep(self.delete(delete)?)?),
            Body::LoadData(load) => Plan::Load(Box::new(self.load_data(load)?)),
            Body::Table { name, change } => Plan::Schema(self.table_change(name, change)?),
            Body::CreateSelect(create) => self.create_select(create)?,
            Body::View(create) => self.create_view(create)?,
            Body::DropTables { names, if_exists, temporary } => self.drop_tables(names, *if_exists, *temporary)?,
            Body::DropViews { names, if_exists } => Plan::Schema(self.drop_views(names, *if_exists)?),
            Body::DropProgram { kind, name, if_exists } => self.drop_program(kind, name, *if_exists)?,
            Body::CreateFunction(create) => self.create_function(create)?,
            Body::Program(create) => self.create_program(create)?,
            Body::AlterProgram { kind, name, change } => self.alter_program(*kind, name, change)?,
            Body::Call(call) => self.call_procedure(call)?,
            Body::Signal(signal) => self.signal(signal)?,
            Body::Diagnostics(get) => self.get_diagnostics(get)?,
            Body::RenameTables { renames, if_exists } => Plan::Schema(self.rename_tables(renames, *if_exists)?),
            Body::Set(items) => Plan::Set(self.set(items)?),
            Body::SetStatement { items, text } => {
                let assignments = self.set(items)?;
                let of_session = |a: &Assignment| matches!(&a.target, SetTarget::System { scope, .. } if *scope == VariableScope::Session);
                if !assignments.iter().all(of_session) {
                    return Err(Error::unsupported("SET STATEMENT of anything but session variables"));
                }
                Plan::Session(SessionCommand::SetStatement { assignments, text: text.as_str().into() })
            }
            Body::Show(show) => self.show(show)?,
            Body::Describe { table, column } => self.describe(table, column.as_deref())?,
            Body::Explain(inner) => self.explain(inner)?,
            Body::Do(expressions) => {
                let values = self.expressions(expressions)?;
                let read = self.constant_row(&values);
                Plan::Session(SessionCommand::Do(read))
            }
            Body::Prepare { name, text } => {
                let text = self.session_value(text)?;
                Plan::Session(SessionCommand::Prepare { name: name.clone(), text })
            }
            Body::Execute { source, using } => {
                let text = match source {
                    Executed::Named(_) => None,
                    Executed::Text(text) => Some(self.session_value(text)?),
                };
                let using: Result<Vec<SetValue>, Error> = using.iter().map(|e| self.session_value(e)).collect();
                let using = using?;
                Plan::Session(match (source, text) {
                    (Executed::Named(name), _) => SessionCommand::Execute { name: name.clone(), using },
                    (Executed::Text(_), text) => {
                        let text = text.unwrap_or(SetValue::Default);
                        SessionCommand::ExecuteImmediate { text, using }
                    }
                })
            }
            Body::Maintenance { what, tables } => self.maintenance(*what, tables)?,
            Body::LockTables(_) | Body::Flush => Plan::Nothing(vec![]),
            Body::Ready(Plan::Schema(SchemaChange::AlterDatabase { name, collation })) if name.is_empty() => {
                let Some(current) = self.context.database else { return Err(Error::no_database()) };
                Plan::Schema(SchemaChange::AlterDatabase { name: current.into(), collation: collation.clone() })
            }
            Body::Ready(plan) => plan.clone(),
        })
    }

    fn read(&mut self, query: &Query, into: &[IntoName]) -> Result<Read, Error> {
        let into = into.iter().map(|name| self.variable_target(name)).collect::<Result<Vec<_>, Error>>()?;
        let block = self.query(query, true)?;
        if !into.is_empty() && into.len() != block.columns.len() {
            let message = "The used SELECT statements have a different number of columns".to_string();
            return Err(Error { code: 1222, state: "21000", message });
        }
        let columns = block.columns.into_iter().map(|c| ResultColumn {
            name: c.name.into(),
            ty: c.ty,
            nullable: c.nullable,
            origin: c.origin,
        });
        let columns = columns.collect();
        let program = self.program(block.sql);
        let databases = std::mem::take(&mut self.databases);
        let tables = std::mem::take(&mut self.tables);
        let found_rows = if wants_found_rows(query) { Some(self.found_rows(query)?) } else { None };
        let locking = self.locking(query)?;
        let unlimited = query.limit_clause.is_none() && into.is_empty();
        Ok(Read { program, columns, databases, tables, locking, found_rows, unlimited, into, file: None })
    }

    /// One row of expressions without tables.
    pub(super) fn constant_row(&mut self, values: &[Typed]) -> Read {
        let sql = format!("SELECT {}", super::function::join(values));
        let columns = values.iter().map(|v| ResultColumn {
            name: "".into(),
            ty: v.ty.clone(),
            nullable: v.nullable,
            origin: None,
        });
        Read {
            columns: columns.collect(),
            program: self.program(sql),
            databases: std::mem::take(&mut self.databases),
            tables: std::mem::take(&mut self.tables),
            ..Read::default()
        }
    }

    fn found_rows(&mut self, query: &Query) -> Result<Program, Error> {
        let block = self.query(query, false)?;
        self.databases.clear();
        self.tables.clear();
        Ok(self.program(format!("SELECT count(*) FROM ({})", block.sql)))
    }

    /// The rows that FOR UPDATE or FOR SHARE hold: for every table of the FROM clause a query of its keys.
    fn locking(&mut self, query: &Query) -> Result<Option<Locking>, Error> {
        let [lock, more @ ..] = query.locks.as_slice() else { return Ok(None) };
        let mut locking = Locking {
            exclusive: query.locks.iter().any(|l| l.lock_type == LockType::Update),
            nowait: query.locks.iter().any(|l| l.nonblock == Some(NonBlock::Nowait)),
            skip_locked: query.locks.iter().any(|l| l.nonblock == Some(NonBlock::SkipLocked)),
            targets: vec![],
        };
        let SetExpr::Select(select) = &*query.body else {
            return Err(Error::unsupported("FOR UPDATE with UNION"));
        };
        if query.with.is_some() {
            return Err(Error::unsupported("FOR UPDATE with WITH"));
        }
        let named: Vec<String> =
            std::iter::once(lock).chain(more).filter_map(|l| l.of.as_ref()).map(|n| n.to_string()).collect();
        // Tables by place in FROM, each with its own parameters.
        let mut place = 0;
        loop {
            self.scopes.push(Scope::default());
            let from = self.source_list(&select.from)?;
            let Some(source) = self.scope().sources.get(place).cloned() else {
                self.scopes.pop();
                self.parameters.clear();
                break;
            };
            place += 1;
            if let (Some(table), Some(database), true) = (&source.table, &source.database, locking.exclusive) {
                let locks = Privileges::UPDATE | Privileges::DELETE | Privileges::LOCK_TABLES;
                self.need_any(Subject::Table(database.clone(), table.name.clone()), locks);
            }
            let wanted =
                named.is_empty() || named.iter().any(|n| n.trim_matches('`').eq_ignore_ascii_case(&source.alias));
            let (Some(table), Some(database), true) = (&source.table, &source.database, wanted) else {
                self.scopes.pop();
                self.parameters.clear();
                continue;
            };
            let mut sql = {
                let keys = table.key_columns();
                let keys: Vec<String> =
                    keys.iter().map(|k| format!("{}.{}", source.sql_alias, quote_name(k))).collect();
                format!("SELECT {} FROM {from}", keys.join(", "))
            };
            if let Some(condition) = &select.selection {
                let condition = self.in_clause("where clause", |t| t.condition(condition))?;
                sql.push_str(&format!(" WHERE {condition}"));
            }
            // The first rows in order are those that LIMIT lets through, unless rows were grouped first.
            let grouped = !matches!(&select.group_by, sqlparser::ast::GroupByExpr::Expressions(e, _) if e.is_empty());
            if let (Some(limit), false) = (&query.limit_clause, grouped) {
                if let Some(order_by) = &query.order_by
                    && let OrderByKind::Expressions(list) = &order_by.kind
                {
                    self.scope().aliases = vec![];
                    self.scope().alias_use = AliasUse::Never;
                    // An order by alias or position locks more rows than needed, never fewer.
                    if let Ok(list) = self.in_clause("order clause", |t| t.order_list(list, None)) {
                        let (limit, _) = self.limit_clause(limit)?;
                        let order = if list.is_empty() { String::new() } else { format!(" ORDER BY {list}") };
                        sql.push_str(&format!("{order}{limit}"));
                    }
                } else {
                    let (limit, _) = self.limit_clause(limit)?;
                    sql.push_str(&limit);
                }
            }
            self.scopes.pop();
            locking.targets.push(LockTarget {
                database: database.clone(),
                table: table.id,
                table_name: table.name.clone(),
                keys: self.program(sql),
            });
        }
        self.databases.clear();
        self.tables.clear();
        Ok(Some(locking))
    }

    fn set(&mut self, items: &[SetItem]) -> Result<Vec<Assignment>, Error> {
        let mut assignments = Vec::new();
        for item in items {
            let value = match &item.value {
                SetExpression::Default => SetValue::Default,
                SetExpression::Word(word) => SetValue::Constant(Value::text(word.as_str())),
                SetExpression::Expression(expression) => self.session_value(expression)?,
            };
            if let SetTarget::Names { collation: Some(name) } = &item.target
                && crate::sql::catalog::Collation::new(name).is_none()
            {
                return Err(Error::unknown_collation(name));
            }
            assignments.push(Assignment { target: item.target.clone(), value });
        }
        Ok(assignments)
    }

    /// A value that the session computes before it runs something with it.
    pub(super) fn session_value(&mut self, expression: &Expr) -> Result<SetValue, Error> {
        if let Some(value) = self.constant_value(expression) {
            return Ok(SetValue::Constant(value));
        }
        let value = self.in_clause("field list", |t| t.expression(expression))?;
        Ok(SetValue::Query(Box::new(self.constant_row(&[value]))))
    }

    /// A literal, looked at.
    fn constant_value(&mut self, expression: &Expr) -> Option<Value> {
        match expression {
            Expr::UnaryOp { op: sqlparser::ast::UnaryOperator::Minus, expr } => {
                self.constant(expr).map(|literal| literal.value(true))
            }
            Expr::Value(value) => match &value.value {
                sqlparser::ast::Value::Null => Some(Value::Null),
                sqlparser::ast::Value::Boolean(b) => Some(Value::Int(i64::from(*b))),
                _ => self.constant(expression).map(|literal| literal.value(false)),
            },
            _ => None,
        }
    }

    fn explain(&mut self, body: &Body) -> Result<Plan, Error> {
        let (program, databases) = match self.statement(body)? {
            Plan::Read(read) => (read.program, read.databases),
            Plan::Write(write) => (write.program, write.databases),
            _ => return Err(Error::unsupported("EXPLAIN of this statement")),
        };
        Ok(Plan::Session(SessionCommand::Explain(program, databases)))
    }

    /// CHECK TABLE, CHECKSUM TABLE: what each name means.
    fn inspection(&mut self, checksum: bool, tables: &[TableName]) -> Result<Plan, Error> {
        let mut inspected = Vec::new();
        for name in tables {
            let named = self.database_named(name)?;
            let shown = format!("{named}.{}", name.name);
            let found = match self.temporary_table(&named, &name.name) {
                Some(_) => InspectedKind::Other,
                None => match self.find_table(name) {
                    Ok((database, _)) if database.system => InspectedKind::Other,
                    Ok((database, table)) => {
                        InspectedKind::Table { database: database.name.clone(), table: table.name.clone() }
                    }
                    Err(_) if self.find_view(name)?.is_some() => InspectedKind::Other,
                    Err(error) => InspectedKind::Missing(error.message),
                },
            };
            inspected.push(Inspected { shown, found });
        }
        Ok(Plan::Session(SessionCommand::Inspect { checksum, tables: inspected }))
    }

    /// The database that a name means.
    fn database_named(&self, name: &TableName) -> Result<String, Error> {
        match (&name.database, self.context.database) {
            (Some(database), _) => Ok(database.clone()),
            (None, Some(current)) => Ok(current.to_string()),
            (None, None) => Err(Error::no_database()),
        }
    }

    fn maintenance(&mut self, what: Maintenance, tables: &[TableName]) -> Result<Plan, Error> {
        let operation = match what {
            Maintenance::Analyze => "analyze",
            Maintenance::Check => return self.inspection(false, tables),
            Maintenance::Checksum => return self.inspection(true, tables),
            Maintenance::QuickChecksum => {
                let shown =
                    |name| Ok(vec![Value::text(format!("{}.{}", self.database_named(name)?, name.name)), Value::Null]);
                let rows = tables.iter().map(shown).collect::<Result<_, Error>>()?;
                return Ok(Plan::Rows { columns: text_columns(&["Table", "Checksum"]), rows });
            }
            Maintenance::Optimize => "optimize",
            Maintenance::Repair => "repair",
        };
        let mut rows = Vec::new();
        for name in tables {
            let full = format!("{}.{}", self.database_named(name)?, name.name);
            let row = |kind: &str, text: &str| {
                vec![Value::text(full.as_str()), Value::from(operation), Value::from(kind), Value::from(text)]
            };
            match self.find_table(name) {
                Ok(_) if what == Maintenance::Optimize => {
                    rows.push(row("note", "Table does not support optimize, doing recreate + analyze instead"));
                    rows.push(row("status", "OK"));
                }
                Ok(_) if what == Maintenance::Repair => {
                    rows.push(row("note", "The storage engine for the table doesn't support repair"));
                }
                Ok(_) => rows.push(row("status", "OK")),
                Err(error) => {
                    rows.push(row("Error", &error.message));
                    rows.push(row("status", "Operation failed"));
                }
            }
        }
        Ok(Plan::Rows { columns: text_columns(&["Table", "Op", "Msg_type", "Msg_text"]), rows })
    }
}

/// Result columns of text.
pub fn text_columns(names: &[&str]) -> Vec<ResultColumn> {
    names
        .iter()
        .map(|name| ResultColumn {
            name: (*name).into(),
            ty: ResultType::Known(text_type()),
            nullable: true,
            origin: None,
        })
        .collect()
}

/// SQL_CALC_FOUND_ROWS stands in the query, or in the first of those that it unites.
fn wants_found_rows(query: &Query) -> bool {
    fn first(body: &SetExpr) -> bool {
        match body {
            SetExpr::Select(select) => select.select_modifiers.as_ref().is_some_and(|m| m.sql_calc_found_rows),
            SetExpr::SetOperation { left, .. } => first(left),
            SetExpr::Query(query) => first(&query.body),
            _ => false,
        }
    }
    first(&query.body)
}

/// A list of rows as a query over constants, with columns of these names.
pub fn constant_rows(names: &[&str], rows: &[Vec<Value>]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| quote_name(n)).collect();
    if rows.is_empty() {
        let nulls: Vec<String> = quoted.iter().map(|n| format!("NULL AS {n}")).collect();
        return format!("SELECT {} WHERE 0", nulls.join(", "));
    }
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells: Vec<String> = row.iter().map(super::translator::quote_value).collect();
            format!("({})", cells.join(", "))
        })
        .collect();
    let columns: Vec<String> =
        quoted.iter().enumerate().map(|(i, n)| format!("column{} COLLATE NOCASE AS {n}", i + 1)).collect();
    format!("SELECT {} FROM (VALUES {})", columns.join(", "), lines.join(", "))
}
