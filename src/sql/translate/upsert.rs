//! INSERT ... SELECT ... ON DUPLICATE KEY UPDATE whose new values name columns of the query. SQLite's upsert sees the new
//! and the old row only, so the rows are found first, each with all columns of the query's tables, and inserted one by one.

use super::from::table_source;
use super::scope::{Scope, Source};
use super::translator::{Translator, quote_name};
use super::typed::Typed;
use crate::sql::catalog::{Column, HIDDEN_KEY, Index, IndexKind, Table};
use crate::sql::error::Error;
use crate::sql::parse::Insert;
use crate::sql::plan::{Program, ResultType};
use crate::types::DatabaseName;
use sqlparser::ast::{GroupByExpr, Query, SelectItem, SetExpr, WildcardAdditionalOptions};
use std::sync::Arc;

/// ON CONFLICT for every unique key in turn: where a row is in the way of several, it is the first key's that changes.
pub(super) fn conflict_clauses(table: &Table, assignments: &str) -> String {
    let unique = table.indexes.iter().filter(|i| i.kind == IndexKind::Unique);
    let keys: Vec<&Index> = table.primary.iter().chain(unique).collect();
    let target = |key: &&Index| -> Option<String> {
        let names = key.columns.iter().map(|part| {
            let column = table.columns.iter().find(|c| c.id == part.column && part.prefix.is_none());
            column.map(|c| quote_name(&c.name))
        });
        Some(names.collect::<Option<Vec<_>>>()?.join(", "))
    };
    let mut clauses = String::new();
    if keys.len() > 1 {
        for target in keys.iter().map_while(target) {
            clauses.push_str(&format!(" ON CONFLICT ({target}) DO UPDATE SET {assignments}"));
        }
    }
    clauses + &format!(" ON CONFLICT DO UPDATE SET {assignments}")
}

/// What an insertion row by row consists of.
pub(super) struct RowByRow {
    pub program: Program,
    /// Inserts one row of the program: its parameters are the program's own, then the row.
    pub row: String,
}

/// Where a value of the row goes in the text, until it is known how many parameters come before it.
fn place(column: usize) -> String {
    format!("\u{2}{column}\u{2}")
}

impl Translator<'_> {
    /// The insertion row by row; `None` if the query is one whose columns cannot be named.
    pub(super) fn upsert_rows(
        &mut self,
        insert: &Insert,
        query: &Query,
        (database, table): (&DatabaseName, &Arc<Table>),
        (columns, tail): (&[Column], &[(Column, String)]),
    ) -> Result<Option<RowByRow>, Error> {
        let Some((query, sources)) = self.with_all_columns(query)? else { return Ok(None) };
        let block = self.query(&query, true)?;
        let own = columns.len();
        if block.columns.len() < own {
            return Err(Error::value_count(1));
        }
        // The cells of the new row, then what is left out of it, then the tables' columns.
        let names: Vec<String> = (0..block.columns.len()).map(|i| format!("\"c{i}\"")).collect();
        let (mut cells, mut values) = (Vec::new(), Vec::new());
        for (i, (column, source)) in columns.iter().zip(&block.columns).enumerate() {
            let value = Typed { ty: source.ty.clone(), nullable: source.nullable, ..Typed::dynamic(names[i].as_str()) };
            let value = if value.ty == ResultType::Null { Typed { ty: ResultType::Dynamic, ..value } } else { value };
            cells.push(self.stored(&value, column, table, 0)?);
            let auto = column.auto_increment;
            values.push(if auto { format!("marmot_auto_id({})", place(i)) } else { place(i) });
        }
        for (column, sql) in tail {
            if column.auto_increment {
                values.push(sql.clone());
                continue;
            }
            values.push(place(cells.len()));
            cells.push(sql.clone());
        }
        let first = cells.len();
        cells.extend(names[own..].iter().cloned());
        let mut list: Vec<String> = columns.iter().map(|c| quote_name(&c.name)).collect();
        list.extend(tail.iter().map(|(c, _)| quote_name(&c.name)));
        if table.has_hidden_key() {
            list.push(quote_name(HIDDEN_KEY));
            values.push("marmot_row_id()".to_string());
        }
        let verb = if insert.ignore { "INSERT OR IGNORE" } else { "INSERT" };
        let alias = quote_name(&table.name);
        let assignments = self.row_assignments(insert, database, table, sources, first)?;
        let row = format!(
            "{verb} INTO {}.{alias} AS {alias} ({}) VALUES ({}){}",
            quote_name(database),
            list.join(", "),
            values.join(", "),
            conflict_clauses(table, &assignments)
        );
        let parameters = std::mem::take(&mut self.parameters);
        let count = parameters.len();
        // The last parameter must occur, or SQLite knows of fewer.
        let all = if count > 0 { format!(" WHERE (?{count} IS NULL OR 1)") } else { String::new() };
        let sql = format!(
            "WITH \"marmot_rows\"({}) AS ({}) SELECT {} FROM \"marmot_rows\"{all}",
            names.join(", "),
            block.sql,
            cells.join(", ")
        );
        let row = (0..cells.len()).fold(row, |row, i| row.replace(&place(i), &format!("?{}", count + i + 1)));
        Ok(Some(RowByRow { program: Program { sql, parameters, calls: self.calls }, row }))
    }

    /// The query with all columns of its tables after its own, and those tables; `None` if it groups or unites rows.
    fn with_all_columns(&mut self, query: &Query) -> Result<Option<(Query, Vec<Source>)>, Error> {
        let mut query = query.clone();
        let SetExpr::Select(select) = &mut *query.body else { return Ok(None) };
        let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(e, _) if e.is_empty());
        if grouped || select.distinct.is_some() || select.having.is_some() || select.from.is_empty() {
            return Ok(None);
        }
        let mark = self.parameters.len();
        self.scopes.push(Scope::default());
        let found = self.source_list(&select.from);
        let scope = self.scopes.pop().unwrap_or_default();
        self.parameters.truncate(mark);
        found?;
        // `*` names the columns in its own order: each source is told the places of its own.
        let mut sources = scope.sources;
        for (index, source) in sources.iter_mut().enumerate() {
            let at = |column: usize| scope.star.iter().position(|place| *place == (index, column));
            source.texts = (0..source.columns.len()).map(|c| at(c).map(place).unwrap_or_default()).collect();
        }
        select.projection.push(SelectItem::Wildcard(WildcardAdditionalOptions::default()));
        Ok(Some((query, sources)))
    }

    /// The assignments, where the names of the query's columns are values of the row from column `first` on.
    fn row_assignments(
        &mut self,
        insert: &Insert,
        database: &DatabaseName,
        table: &Arc<Table>,
        mut sources: Vec<Source>,
        first: usize,
    ) -> Result<String, Error> {
        for source in &mut sources {
            for text in source.texts.iter_mut().filter(|t| !t.is_empty()) {
                let column: usize = text.trim_matches('\u{2}').parse().unwrap_or_default();
                *text = place(first + column);
            }
        }
        let target = table_source(database, table, &table.name);
        let mut excluded = target.clone();
        excluded.sql_alias = "\"excluded\"".to_string();
        self.inserted = Some(excluded);
        // The old row's columns come first where a name is not said to be of another table.
        self.scopes.push(Scope { sources, ..Scope::default() });
        self.scopes.push(Scope { sources: vec![target], ..Scope::default() });
        let list = self.assignment_list(table, &insert.on_duplicate);
        self.scopes.truncate(self.scopes.len() - 2);
        self.inserted = None;
        Ok(super::update::joined(&list?))
    }
}
