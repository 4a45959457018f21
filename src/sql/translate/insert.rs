//! INSERT and REPLACE.

use super::Context;
use super::from::table_source;
use super::scope::{Scope, SourceColumn};
use super::translator::{Translator, quote_name, quote_text, quote_value};
use super::triggered::has_triggers;
use super::typed::{Kind, Typed};
use super::updatable::MergedView;
use super::upsert::RowByRow;
use crate::sql::account::Privileges;
use crate::sql::catalog::{Column, ColumnDefault, Database, HIDDEN_KEY, Table};
use crate::sql::column_type::{ColumnType, IntegerSize};
use crate::sql::error::Error;
use crate::sql::modes::Modes;
use crate::sql::parameter::{Convert, Source as From, Wanted};
use crate::sql::parse::{Insert, InsertSource};
use crate::sql::plan::{AutoIncrement, ResultColumn, ResultType, Write, WriteKind};
use crate::sql::program::RowEvent;
use crate::sql::storage_rule::Rule;
use crate::sql::store::store;
use crate::types::Value;
use sqlparser::ast::Expr;
use std::sync::Arc;

/// Whether a value of ON DUPLICATE KEY UPDATE is made of more than the new row: of what VALUES() names, or its alias.
fn reads_old(value: &Expr, insert: &Insert) -> bool {
    let new = |e: &Expr| match e {
        Expr::Function(f) => f.name.to_string().eq_ignore_ascii_case("VALUES"),
        Expr::CompoundIdentifier(path) => {
            let alias = insert.alias.as_ref().map(|(alias, _)| alias);
            path.first().is_some_and(|first| alias.is_some_and(|alias| first.value.eq_ignore_ascii_case(alias)))
        }
        _ => false,
    };
    let mut rest = value.clone();
    let _ = sqlparser::ast::visit_expressions_mut(&mut rest, |e| {
        if new(e) {
            *e = crate::sql::dialect::constant("");
        }
        std::ops::ControlFlow::<()>::Continue(())
    });
    super::needs::reads_rows(&rest)
}

/// What an INSERT or REPLACE needs on its table.
fn needed(insert: &Insert) -> Privileges {
    let replaced = if insert.replace { Privileges::DELETE } else { Privileges::NONE };
    let updated = if insert.on_duplicate.is_empty() { Privileges::NONE } else { Privileges::UPDATE };
    let reads = insert.returning.is_some() || insert.on_duplicate.iter().any(|(_, value)| reads_old(value, insert));
    let returned = if reads { Privileges::SELECT } else { Privileges::NONE };
    Privileges::INSERT | replaced | updated | returned
}

impl Translator<'_> {
    pub fn insert(&mut self, insert: &Insert) -> Result<Write, Error> {
        let needed = needed(insert);
        self.need_table(&insert.table, needed);
        let Some(view) = self.target_view(&insert.table, "INSERT")? else {
            let (database, table) = self.find_writable(&insert.table)?;
            let (database, table) = (database.clone(), table.clone());
            let alias = quote_name(&table.name);
            return self.insert_into(insert, &database, &table, &InsertTarget { alias, view: None });
        };
        let name = insert.table.clone();
        let (insert, base) = self.insert_of_view(insert, &view)?;
        let source = &view.bases[base];
        let Some(table) = &source.table else { return Err(Error::not_insertable(&insert.table.name)) };
        let database = self.find_database(source.database.as_deref().unwrap_or_default())?.clone();
        if database.system {
            return Err(Error::access_denied_system(&database.name));
        }
        if let Some(below) = &source.database {
            self.need_below(&name, (below, &table.name), needed);
        }
        let target = InsertTarget { alias: source.sql_alias.clone(), view: Some((&view, base)) };
        self.insert_into(&insert, &database, table, &target).map_err(|error| match error.code {
            1364 => Error::no_default_for_view(&view.name),
            _ => error,
        })
    }

    fn insert_into(
        &mut self,
        insert: &Insert,
        database: &Arc<Database>,
        table: &Arc<Table>,
        target: &InsertTarget<'_>,
    ) -> Result<Write, Error> {
        self.target = Some(table.clone());
        let targets = match &insert.source {
            InsertSource::Fields(fields) => self.loaded_columns(fields, table)?,
            InsertSource::Rows(_) | InsertSource::Query(_) => target_columns(insert, table)?,
        };
        let shortened = given_rows(insert, table, &targets, self.context.modes.strict() && !insert.ignore)?;
        let columns: Vec<Column> = targets.iter().filter(|c| c.generated().is_none()).cloned().collect();
        let upsert = !insert.on_duplicate.is_empty();
        let events: &[RowEvent] = match (insert.replace, upsert) {
            (true, _) => &[RowEvent::Insert, RowEvent::Delete],
            (_, true) => &[RowEvent::Insert, RowEvent::Update],
            _ => &[RowEvent::Insert],
        };
        self.row_by_row = has_triggers(database, table, events);
        let verb = match (insert.replace, insert.ignore) {
            (true, _) => "INSERT OR REPLACE",
            // With an UPSERT clause OR IGNORE still covers NOT NULL and CHECK.
            (false, true) => "INSERT OR IGNORE",
            (false, false) => "INSERT",
        };
        let omitted = self.omitted(table, &columns, insert.ignore)?;
        // Defaults that are expressions may name columns of the row: they are computed with it, after those given.
        let is_computed = |c: &&Column| matches!(c.default, Some(ColumnDefault::Expression(_)));
        let given = |c: &&Column| columns.iter().any(|g| g.id == c.id);
        let computed: Vec<Column> = table.columns.iter().filter(is_computed).filter(|c| !given(c)).cloned().collect();
        let mut names: Vec<String> = columns.iter().chain(&computed).map(|c| quote_name(&c.name)).collect();
        names.extend(omitted.iter().map(|(c, _)| quote_name(&c.name)));
        if table.has_hidden_key() {
            names.push(quote_name(HIDDEN_KEY));
        }
        let mut tail: Vec<String> = omitted.iter().map(|(_, sql)| sql.clone()).collect();
        if table.has_hidden_key() && !self.row_by_row {
            tail.push("marmot_row_id()".to_string());
        }
        if let (true, InsertSource::Query(query)) = (upsert && computed.is_empty(), &insert.source)
            && !self.row_by_row
            && self.names_the_query(insert, table, database, target)
            && let Some(found) = self.upsert_rows(insert, query, (&database.name, table), (&columns, &omitted))?
        {
            if target.view.is_some() {
                return Err(Error::unsupported("ON DUPLICATE KEY UPDATE of a view by columns of the query"));
            }
            return Ok(self.insert_by_rows(insert, database, table, &columns, found));
        }
        let (mut rows_sql, rows) = match &insert.source {
            InsertSource::Rows(rows) => {
                let rows = shortened.as_ref().unwrap_or(rows);
                (self.insert_rows(insert, table, (&columns, &computed), rows, &tail)?, Some(rows.len()))
            }
            InsertSource::Query(query) => {
                let block = self.query(query, true)?;
                (self.insert_query(insert, table, (&columns, &computed), block, &tail)?, None)
            }
            InsertSource::Fields(fields) => {
                let block = self.loaded_rows(fields, table, &columns)?;
                (self.insert_query(insert, table, (&columns, &computed), block, &tail)?, None)
            }
        };
        if let Some((view, base)) = target.view {
            let checked = self.checked_insert(view, base, &mut names, rows_sql.clone())?;
            if self.row_by_row && (upsert || checked != rows_sql) {
                let what =
                    "INSERT ... ON DUPLICATE KEY UPDATE or WITH CHECK OPTION of a view over a table with triggers";
                return Err(Error::unsupported(what));
            }
            rows_sql = checked;
        }
        if self.row_by_row {
            let given: Vec<&Column> = columns.iter().chain(&computed).chain(omitted.iter().map(|(c, _)| c)).collect();
            let auto = auto_increment(table, &targets, insert, |e| self.is_given_id(e));
            return self.triggered_insert(insert, (database, table), &given, &rows_sql, (rows, auto));
        }
        let place = format!("{}.{} AS {}", quote_name(&database.name), quote_name(&table.name), target.alias);
        let mut sql = format!("{verb} INTO {place} ({}) {rows_sql}", names.join(", "));
        if upsert {
            sql.push_str(&self.on_duplicate(insert, database, table, target)?);
        }
        let returning = self.returning(&mut sql, database, table, insert.returning.as_deref())?;
        let auto_increment = auto_increment(table, &targets, insert, |e| self.is_given_id(e));
        Ok(Write {
            kind: match (insert.replace, upsert) {
                (true, _) => WriteKind::Replace,
                (_, true) => WriteKind::Upsert,
                _ => WriteKind::Insert,
            },
            program: self.program(sql),
            database: database.name.clone(),
            table: table.name.clone(),
            table_id: table.id,
            databases: std::mem::take(&mut self.databases),
            tables: std::mem::take(&mut self.tables),
            ignore: insert.ignore,
            auto_increment,
            rows,
            keyed: Vec::new(),
            by_row: None,
            returning,
            triggered: None,
        })
    }

    /// Whether ON DUPLICATE KEY UPDATE names what is no column of the table.
    fn names_the_query(
        &mut self,
        insert: &Insert,
        table: &Arc<Table>,
        database: &Database,
        target: &InsertTarget<'_>,
    ) -> bool {
        let mark = self.parameters.len();
        let used = (self.used.clone(), self.looked_at.clone());
        let outcome = self.on_duplicate(insert, database, table, target);
        (self.used, self.looked_at) = used;
        self.parameters.truncate(mark);
        self.inserted = None;
        matches!(outcome, Err(error) if error.code == 1054)
    }

    fn insert_by_rows(
        &mut self,
        insert: &Insert,
        database: &Database,
        table: &Table,
        columns: &[Column],
        found: RowByRow,
    ) -> Write {
        Write {
            kind: WriteKind::Upsert,
            program: found.program,
            database: database.name.clone(),
            table: table.name.clone(),
            table_id: table.id,
            databases: std::mem::take(&mut self.databases),
            tables: std::mem::take(&mut self.tables),
            ignore: insert.ignore,
            auto_increment: auto_increment(table, columns, insert, |e| self.is_given_id(e)),
            rows: None,
            keyed: Vec::new(),
            by_row: Some(found.row),
            returning: Vec::new(),
            triggered: None,
        }
    }

    /// Adds RETURNING to a statement that changes a table; gives the columns of its rows.
    pub fn returning(
        &mut self,
        sql: &mut String,
        database: &Database,
        table: &Arc<Table>,
        query: Option<&sqlparser::ast::Query>,
    ) -> Result<Vec<ResultColumn>, Error> {
        let Some(query) = query else { return Ok(Vec::new()) };
        let (columns, list) = self.returned_items(database, table, query)?;
        sql.push_str(&format!(" RETURNING {list}"));
        Ok(columns)
    }

    /// The columns of RETURNING, and what they are over a row of the table.
    pub(super) fn returned_items(
        &mut self,
        database: &Database,
        table: &Arc<Table>,
        query: &sqlparser::ast::Query,
    ) -> Result<(Vec<ResultColumn>, String), Error> {
        let sqlparser::ast::SetExpr::Select(select) = &*query.body else {
            return Err(Error::unsupported("this RETURNING clause"));
        };
        let source = table_source(&database.name, table, &table.name);
        let star = source.columns.iter().enumerate().filter(|(_, c)| !c.invisible).map(|(i, _)| (0, i)).collect();
        self.scopes.push(Scope { sources: vec![source], star, ..Scope::default() });
        let items = self.items(select);
        self.scopes.pop();
        let items = items?;
        let list: Vec<String> = items.iter().map(|(name, v)| format!("{} AS {}", v.sql, quote_name(name))).collect();
        let columns = items.into_iter().map(|(name, value)| ResultColumn {
            name: name.into(),
            ty: value.ty,
            nullable: value.nullable,
            origin: value.origin,
        });
        Ok((columns.collect(), list.join(", ")))
    }

    /// Columns that the statement leaves out, with what goes there. SQLite's own DEFAULT is not asked: it may be that
    /// of an older definition.
    fn omitted(&mut self, table: &Table, given: &[Column], ignore: bool) -> Result<Vec<(Column, String)>, Error> {
        let mut all = Vec::new();
        for column in &table.columns {
            if given.iter().any(|c| c.id == column.id) {
                continue;
            }
            if column.auto_increment {
                let sql = if self.row_by_row { "NULL" } else { "marmot_auto_id(NULL)" };
                all.push((column.clone(), sql.to_string()));
                continue;
            }
            match &column.default {
                Some(ColumnDefault::Constant(value)) => all.push((column.clone(), quote_value(value))),
                Some(ColumnDefault::Expression(_) | ColumnDefault::Generated { .. }) => {}
                Some(ColumnDefault::Now(_)) => match self.default_value(column)? {
                    Some(value) => {
                        let sql = self.stored(&value, column, table, 1)?;
                        all.push((column.clone(), sql));
                    }
                    None => return Err(Error::no_default(&column.name)),
                },
                None if column.nullable => {}
                // A trigger may still give it a value.
                None if self.row_by_row => {}
                None if self.context.modes.strict() && !ignore => return Err(Error::no_default(&column.name)),
                None => all.push((column.clone(), quote_value(&column.ty.implicit_default()))),
            }
        }
        Ok(all)
    }

    /// What DEFAULT means for a column; `None` if it has no default.
    pub fn default_value(&mut self, column: &Column) -> Result<Option<Typed>, Error> {
        Ok(Some(match &column.default {
            Some(ColumnDefault::Constant(value)) => Typed::new(quote_value(value), column.ty.clone()),
            Some(ColumnDefault::Now(fsp)) => self.wanted(Wanted::Now(*fsp), Some(ColumnType::DateTime(*fsp))),
            Some(ColumnDefault::Expression(text)) => {
                let (expression, tokens) = crate::sql::parse::parse_expression(text, Modes::NONE)?;
                // Its literals are not the statement's: they are written into the text.
                let context = Context { names: None, ..*self.context };
                let mut inner = Translator::new(&context, &tokens);
                inner.inline = true;
                inner.parameters = std::mem::take(&mut self.parameters);
                // The columns it names are the row's.
                inner.scopes.extend(self.scopes.last().cloned());
                inner.needs = std::mem::take(&mut self.needs);
                inner.actor = self.actor.clone();
                let value = inner.expression(&expression);
                (self.parameters, self.needs) = (inner.parameters, inner.needs);
                value?
            }
            None if column.nullable => Typed::null(),
            None | Some(ColumnDefault::Generated { .. }) => return Ok(None),
        }))
    }

    fn insert_rows(
        &mut self,
        insert: &Insert,
        table: &Arc<Table>,
        (columns, computed): (&[Column], &[Column]),
        rows: &[Vec<Option<Expr>>],
        tail: &[String],
    ) -> Result<String, Error> {
        let is_computed = |column: &Column| matches!(column.default, Some(ColumnDefault::Expression(_)));
        let names_columns = !computed.is_empty()
            || columns.iter().any(is_computed)
            || rows.iter().flatten().flatten().any(names_something);
        self.scopes.push(Scope::default());
        let mut lines = Vec::with_capacity(rows.len());
        for (i, row) in rows.iter().enumerate() {
            let number = u32::try_from(i + 1).unwrap_or(u32::MAX);
            let all_defaults = row.is_empty() && (insert.columns.is_none() || columns.is_empty());
            if row.len() != columns.len() && !all_defaults {
                return Err(Error::value_count(number));
            }
            if names_columns {
                *self.scope() = row_before(table);
            }
            // Also DEFAULT where that is an expression waits for the values that the row is given.
            let given = |n: usize, column: &Column| !is_computed(column) || matches!(row.get(n), Some(Some(_)));
            let (first, later): (Vec<_>, Vec<_>) =
                columns.iter().chain(computed).enumerate().partition(|(n, column)| given(*n, column));
            let mut cells = vec![String::new(); columns.len() + computed.len()];
            for (n, column) in first.into_iter().chain(later) {
                let value = match row.get(n) {
                    Some(Some(expression)) => self.insert_operand(expression, column)?,
                    Some(None) | None => self.insert_default(column, insert.ignore)?,
                };
                let cell = self.cell(&value, column, table, number, insert.ignore)?;
                if names_columns {
                    self.assign(column, if column.auto_increment { &value.sql } else { &cell });
                }
                cells[n] = cell;
            }
            cells.extend_from_slice(tail);
            lines.push(format!("({})", cells.join(", ")));
        }
        self.scopes.pop();
        if self.row_by_row && lines.iter().all(|l| l == "()") {
            return Ok(format!("VALUES {}", vec!["(NULL)"; lines.len()].join(", ")));
        }
        if lines.iter().all(|l| l == "()") {
            return Ok("DEFAULT VALUES".to_string());
        }
        Ok(format!("VALUES {}", lines.join(", ")))
    }

    /// A column of the row being inserted has its value from here on.
    fn assign(&mut self, column: &Column, sql: &str) {
        let scope = self.scope();
        scope.assigned.retain(|(n, _)| !n.eq_ignore_ascii_case(&column.name));
        scope.assigned.push((column.name.clone(), Typed::new(sql, column.ty.clone())));
        let known = scope.sources.iter().any(|s| s.column(&column.name).is_some());
        if !known && let Some(source) = scope.sources.first_mut() {
            let (name, ty) = (column.name.clone(), ResultType::Known(column.ty.clone()));
            let new = SourceColumn { name, ty, nullable: true, origin: None, merged: false, invisible: false };
            source.columns.push(new);
        }
    }

    fn insert_operand(&mut self, expression: &Expr, column: &Column) -> Result<Typed, Error> {
        if column.ty.is_numeric()
            && let Some(number) = Self::hex_number(expression)
        {
            return Ok(number);
        }
        self.expression(expression)
    }

    pub(super) fn insert_default(&mut self, column: &Column, ignore: bool) -> Result<Typed, Error> {
        if column.auto_increment {
            return Ok(Typed::null());
        }
        match self.default_value(column)? {
            Some(value) => Ok(value),
            None if self.context.modes.strict() && !ignore => Err(Error::no_default(&column.name)),
            None => Ok(Typed::new(quote_value(&column.ty.implicit_default()), column.ty.clone())),
        }
    }

    /// A value as the column's cell, with an id where the column makes its own.
    fn cell(&mut self, value: &Typed, column: &Column, table: &Table, row: u32, ignore: bool) -> Result<String, Error> {
        if self.row_by_row {
            let column = Column { nullable: true, ..column.clone() };
            return self.stored(value, &column, table, row);
        }
        let null = value.ty == ResultType::Null;
        if null && !column.nullable && !column.auto_increment && !ignore {
            return Err(Error::column_cannot_be_null(&column.name));
        }
        let sql = self.stored(value, column, table, row)?;
        Ok(if column.auto_increment { format!("marmot_auto_id({sql})") } else { sql })
    }

    /// A value checked and converted for a column: at bind time where it is a parameter, else by `marmot_store`.
    pub fn stored(&mut self, value: &Typed, column: &Column, table: &Table, row: u32) -> Result<String, Error> {
        let rule = Rule::of(column, table.rowid_column().is_some_and(|c| c.id == column.id));
        if value.ty == ResultType::Null && rule.nullable {
            return Ok("NULL".to_string());
        }
        if let Some(parameter) = value.parameter.and_then(|i| self.parameters.get_mut(i)) {
            let rule = Arc::new(rule);
            // A value of unknown type that the session knows may be used elsewhere too.
            let shared = matches!(parameter.source, From::Environment(_)) && value.kind() == Kind::Open;
            if parameter.convert == Convert::Plain && !shared {
                parameter.convert = Convert::Store { rule, row };
                return Ok(value.sql.clone());
            }
            let source = parameter.source.clone();
            return Ok(self.parameter(source, Convert::Store { rule, row }).0);
        }
        if value.known().is_some_and(|ty| rule.accepts_all_of(ty)) {
            return Ok(value.sql.clone());
        }
        let sql = match (value.kind(), &column.ty) {
            (Kind::Temporal, ty) if ty.is_numeric() => format!("marmot_temporal_number({})", value.sql),
            _ => value.sql.clone(),
        };
        Ok(format!("marmot_store({}, {sql}, {row})", quote_text(&rule.encode())))
    }

    fn insert_query(
        &mut self,
        insert: &Insert,
        table: &Arc<Table>,
        (columns, computed): (&[Column], &[Column]),
        mut block: super::select::Block,
        tail: &[String],
    ) -> Result<String, Error> {
        if block.columns.len() != columns.len() {
            return Err(Error::value_count(1));
        }
        // Names of our own: the query's may repeat.
        for (i, column) in block.columns.iter_mut().enumerate() {
            column.name = format!("c{i}");
        }
        let mut cells = Vec::new();
        self.scopes.push(row_before(table));
        for (column, source) in columns.iter().zip(&block.columns) {
            let sql = format!("\"marmot_rows\".{}", quote_name(&source.name));
            let value = Typed { ty: source.ty.clone(), nullable: source.nullable, ..Typed::dynamic(sql) };
            // A column that is NULL throughout has no type to trust.
            let value = if value.ty == ResultType::Null { Typed { ty: ResultType::Dynamic, ..value } } else { value };
            let cell = self.cell(&value, column, table, 0, insert.ignore)?;
            self.assign(column, if column.auto_increment { &value.sql } else { &cell });
            cells.push(cell);
        }
        for column in computed {
            let value = self.insert_default(column, insert.ignore)?;
            let cell = self.cell(&value, column, table, 0, insert.ignore)?;
            self.assign(column, &cell);
            cells.push(cell);
        }
        self.scopes.pop();
        cells.extend_from_slice(tail);
        let names: Vec<String> = block.columns.iter().map(|c| quote_name(&c.name)).collect();
        // WHERE true keeps SQLite from reading ON CONFLICT as a join's ON.
        Ok(format!(
            "WITH \"marmot_rows\"({}) AS ({}) SELECT {} FROM \"marmot_rows\" WHERE true",
            names.join(", "),
            block.sql,
            cells.join(", ")
        ))
    }

    /// Whether a value is an id that its row brings along.
    fn is_given_id(&self, expression: &Expr) -> bool {
        let Expr::Value(value) = expression else { return false };
        let literal = self.literal_at(value.span).and_then(|i| self.tokens.literals.get(i));
        // A later text may have zero here, which asks for an id: the lease is then made late, not never.
        matches!(literal, Some(crate::sql::parameter::Literal::Int(n)) if *n != 0)
    }
}

/// What an INSERT puts rows into, besides the table.
pub(super) struct InsertTarget<'v> {
    /// What the SQLite text calls the table.
    pub alias: String,
    /// The view through which, and the table's place among those below it.
    pub view: Option<(&'v MergedView, usize)>,
}

/// The columns an INSERT names, or all of them.
pub(super) fn target_columns(insert: &Insert, table: &Table) -> Result<Vec<Column>, Error> {
    let Some(names) = &insert.columns else {
        let no_values = matches!(&insert.source, InsertSource::Rows(rows) if rows.iter().all(Vec::is_empty));
        return Ok(if no_values { vec![] } else { table.columns.iter().filter(|c| !c.invisible).cloned().collect() });
    };
    let mut columns: Vec<Column> = Vec::new();
    for name in names {
        let Some((_, column)) = table.column(name) else { return Err(Error::unknown_column(name, "field list")) };
        if columns.iter().any(|c| c.id == column.id) {
            return Err(Error::column_specified_twice(&column.name));
        }
        columns.push(column.clone());
    }
    Ok(columns)
}

/// The rows of an INSERT without generated columns, which may be given nothing but DEFAULT; `None`: there are no such
/// columns among those it names. When not `strict` they may be given anything, which is not looked at, as MariaDB has it:
/// its dumps do so.
///
/// # Errors
/// 3105 for a value of a generated column, 1136 for a row of another length.
fn given_rows(
    insert: &Insert,
    table: &Table,
    targets: &[Column],
    strict: bool,
) -> Result<Option<Vec<Vec<Option<Expr>>>>, Error> {
    let Some(first) = targets.iter().find(|c| c.generated().is_some()) else { return Ok(None) };
    if matches!(insert.source, InsertSource::Fields(_)) {
        return Ok(None);
    }
    let InsertSource::Rows(rows) = &insert.source else {
        return Err(Error::generated_value(&first.name, &table.name));
    };
    let mut kept = Vec::with_capacity(rows.len());
    for (row, number) in rows.iter().zip(1u32..) {
        if !row.is_empty() && row.len() != targets.len() {
            return Err(Error::value_count(number));
        }
        let mut cells = Vec::new();
        for (cell, column) in row.iter().zip(targets) {
            match (column.generated(), cell) {
                (None, cell) => cells.push(cell.clone()),
                (Some(_), None) => {}
                (Some(_), Some(_)) if !strict => {}
                (Some(_), Some(_)) => return Err(Error::generated_value(&column.name, &table.name)),
            }
        }
        kept.push(cells);
    }
    Ok(Some(kept))
}

/// Whether an expression names a column.
pub(super) fn names_something(expression: &Expr) -> bool {
    let found = sqlparser::ast::visit_expressions(expression, |e| match e {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => std::ops::ControlFlow::Break(()),
        _ => std::ops::ControlFlow::Continue(()),
    });
    found.is_break()
}

/// The columns of a row before it gets values: those with constant defaults have these, an id is zero, others without a
/// default are what MySQL's type has for nothing. Columns whose default must be computed are not there yet.
pub(super) fn row_before(table: &Arc<Table>) -> Scope {
    let mut source = table_source(&"".into(), table, &table.name);
    let mut assigned = Vec::new();
    source.columns.retain(|c| {
        let Some((_, column)) = table.column(&c.name) else { return false };
        let value = match &column.default {
            Some(ColumnDefault::Constant(value)) => quote_value(value),
            Some(_) => return false,
            None if column.auto_increment => "0".to_string(),
            None if column.nullable => "NULL".to_string(),
            None => quote_value(&column.ty.implicit_default()),
        };
        assigned.push((column.name.clone(), Typed::new(value, column.ty.clone())));
        true
    });
    source.database = None;
    Scope { sources: vec![source], assigned, ..Scope::default() }
}

fn auto_increment(
    table: &Table,
    columns: &[Column],
    insert: &Insert,
    is_given: impl Fn(&Expr) -> bool,
) -> Option<AutoIncrement> {
    let column = table.auto_increment()?;
    let place = columns.iter().position(|c| c.id == column.id);
    let all_given = match (place, &insert.source) {
        (Some(place), InsertSource::Rows(rows)) => {
            rows.iter().all(|row| matches!(row.get(place), Some(Some(value)) if is_given(value)))
        }
        _ => false,
    };
    let max = match &column.ty {
        ColumnType::Integer { size, unsigned, .. } => i64::try_from(size.range(*unsigned).1).unwrap_or(i64::MAX),
        ColumnType::Float { double, .. } => {
            if *double {
                1 << 53
            } else {
                1 << 24
            }
        }
        _ => i64::from(IntegerSize::Int.bits()),
    };
    Some(AutoIncrement {
        column: column.name.clone(),
        ty: column.ty.clone(),
        max,
        start: table.options.auto_increment.unwrap_or(1),
        all_given,
    })
}

/// A literal as a cell, for defaults in DDL.
///
/// # Errors
/// 1067 if it is no value of the column's type.
pub fn default_cell(column: &Column, value: &Value) -> Result<Value, Error> {
    let context = crate::sql::functions::FunctionContext::default();
    context.strict.set(true);
    let rule = Rule { nullable: true, ..Rule::of(column, false) };
    store(&rule, value.clone(), 1, &context).map_err(|_| Error::invalid_default(&column.name))
}
