//! Changes of tables that have triggers: a query finds the rows, and each is changed by a statement of its own, between
//! the triggers before and after it.

use super::insert::InsertTarget;
use super::scope::Source;
use super::translator::{Translator, generated_value, quote_name};
use super::update::key_list;
use crate::sql::catalog::{Column, Database, HIDDEN_KEY, Table};
use crate::sql::error::Error;
use crate::sql::parse::Insert;
use crate::sql::plan::{
    AutoIncrement, Program, ResultColumn, ResultType, RowChange, RowChangeKind, RowDelete, RowInsert, RowUpdate,
    Triggered, Write, WriteKind,
};
use crate::sql::program::RowEvent;
use sqlparser::ast::Query;
use std::sync::Arc;

/// Whether anything happens besides when this is done to rows of the table.
pub(super) fn has_triggers(database: &Database, table: &Table, events: &[RowEvent]) -> bool {
    !database.programs.is_empty() && database.triggers(&table.name).any(|(_, t)| events.contains(&t.event))
}

/// A part of a row that the query gives, as its columns.
pub(super) struct Part {
    columns: Vec<String>,
    change: RowChange,
}

/// The statement that changes one row.
fn row_write(kind: WriteKind, sql: String, database: &Database, table: &Table) -> Write {
    Write {
        kind,
        program: Program { sql, ..Program::default() },
        database: database.name.clone(),
        table: table.name.clone(),
        table_id: table.id,
        databases: vec![database.name.clone()],
        tables: vec![(database.name.clone(), table.name.clone())],
        ignore: false,
        auto_increment: None,
        rows: Some(1),
        keyed: Vec::new(),
        by_row: None,
        returning: Vec::new(),
        triggered: None,
    }
}

fn place(database: &Database, table: &Table) -> String {
    let alias = quote_name(&table.name);
    format!("{}.{alias} AS {alias}", quote_name(&database.name))
}

/// `key = ?1 AND ...`.
fn by_key(table: &Table) -> String {
    let keys = key_list(table, &quote_name(&table.name));
    let parts: Vec<String> = keys.iter().zip(1..).map(|(key, i)| format!("{key} = ?{i}")).collect();
    parts.join(" AND ")
}

fn cells(table: &Table, alias: &str) -> Vec<String> {
    table.columns.iter().map(|c| format!("{alias}.{}", quote_name(&c.name))).collect()
}

/// Columns that are given values when a row is written.
fn written(table: &Table) -> impl Iterator<Item = &Column> {
    table.columns.iter().filter(|c| c.generated().is_none())
}

fn row_delete(database: &Database, table: &Table) -> RowDelete {
    let sql = format!("DELETE FROM {} WHERE {}", place(database, table), by_key(table));
    RowDelete { keys: table.key_columns().len(), delete: row_write(WriteKind::Delete, sql, database, table) }
}

fn row_update(database: &Database, table: &Table, verb: &str, names: &[String]) -> RowUpdate {
    let keys = table.key_columns().len();
    let set: Vec<String> =
        written(table).zip(keys + 1..).map(|(c, i)| format!("{} = ?{i}", quote_name(&c.name))).collect();
    let sql = format!("{verb} {} SET {} WHERE {}", place(database, table), set.join(", "), by_key(table));
    let columns = names.iter().filter_map(|name| table.column(name).map(|(at, _)| at)).collect();
    RowUpdate { keys, columns, update: returning_row(row_write(WriteKind::Update, sql, database, table), table) }
}

/// The part of a table whose rows go. `alias`: what the query calls it, quoted.
pub(super) fn delete_part(database: &Database, table: &Arc<Table>, alias: &str) -> Part {
    let columns = [key_list(table, alias), cells(table, alias)].concat();
    let kind = RowChangeKind::Delete(row_delete(database, table));
    Part { columns, change: RowChange { database: database.name.clone(), table: table.clone(), kind } }
}

/// The part of a table whose rows get new values.
pub(super) fn update_part(
    database: &Database,
    table: &Arc<Table>,
    alias: &str,
    verb: &str,
    set: &[(String, String)],
) -> Part {
    // Where nothing but generated columns is set, the key is set to itself, and no column of the table may be meant.
    let set: Vec<&(String, String)> = set.iter().filter(|(name, _)| table.column(name).is_some()).collect();
    let names: Vec<String> = set.iter().map(|(name, _)| name.clone()).collect();
    let values = set.iter().map(|(_, sql)| sql.clone()).collect();
    let columns = [key_list(table, alias), cells(table, alias), values].concat();
    let kind = RowChangeKind::Update(row_update(database, table, verb, &names));
    Part { columns, change: RowChange { database: database.name.clone(), table: table.clone(), kind } }
}

impl Translator<'_> {
    /// Whether a table of FROM has triggers for what is done to its rows.
    pub(super) fn source_has_triggers(&self, source: &Source, event: RowEvent) -> bool {
        let database = source.database.as_deref().and_then(|d| self.context.catalog.database(d));
        matches!((database, &source.table), (Some(d), Some(table)) if has_triggers(d, table, &[event]))
    }

    /// UPDATE and DELETE of these parts; `rows` begins with FROM.
    pub(super) fn triggered(
        &mut self,
        kind: WriteKind,
        parts: Vec<Part>,
        rows: &str,
        ignore: bool,
        returning: Option<&Query>,
    ) -> Result<Write, Error> {
        let columns: Vec<String> = parts.iter().flat_map(|p| p.columns.clone()).collect();
        let sql = format!("SELECT {} {rows}", columns.join(", "));
        let first = parts.first().map(|p| (p.change.database.clone(), p.change.table.clone()));
        let (database, table) = first.ok_or_else(Error::no_tables_used)?;
        let parts = parts.into_iter().map(|p| p.change).collect();
        let database = self.find_database(&database)?.clone();
        let items = returning.map(|query| self.returned_items(&database, &table, query)).transpose()?;
        let (returning, returned) = returned_row(&table, items, self.parameters.len());
        // The last parameter must occur, or SQLite knows of fewer.
        let sql = match self.parameters.len() {
            count if count > 0 && returned.is_some() => format!("SELECT * FROM ({sql}) WHERE (?{count} IS NULL OR 1)"),
            _ => sql,
        };
        let write = self.write(kind, sql, &database, &table, ignore);
        Ok(Write { returning, triggered: Some(Arc::new(Triggered { parts, returned })), ..write })
    }

    /// INSERT and REPLACE. `given`: the columns of the query `rows`.
    pub(super) fn triggered_insert(
        &mut self,
        insert: &Insert,
        (database, table): (&Database, &Arc<Table>),
        given: &[&Column],
        rows: &str,
        (count, auto_increment): (Option<usize>, Option<AutoIncrement>),
    ) -> Result<Write, Error> {
        let returned =
            insert.returning.as_deref().map(|query| self.returned_items(database, table, query)).transpose()?;
        let upsert = !insert.on_duplicate.is_empty();
        let keys = if insert.replace || upsert { unique_keys(database, table)? } else { Vec::new() };
        let (mut updated, mut update_of) = (None, String::new());
        if upsert {
            let target = InsertTarget { alias: quote_name(&table.name), view: None };
            let set = self.new_values(insert, database, table, &target)?.set;
            let verb = if insert.ignore { "UPDATE OR IGNORE" } else { "UPDATE" };
            let alias = quote_name(&table.name);
            let names: Vec<String> = set.iter().map(|(name, _)| name.clone()).collect();
            let values = set.into_iter().map(|(_, sql)| sql).collect();
            let columns = [key_list(table, &alias), cells(table, &alias), values].concat();
            let before = self.parameters.len();
            let row = given_cells(table, before);
            let key: Vec<String> = key_list(table, &alias)
                .iter()
                .zip(before + table.columns.len() + 1..)
                .map(|(k, i)| format!("{k} = ?{i}"))
                .collect();
            update_of = format!(
                "SELECT {} FROM {}, (SELECT {}) AS \"excluded\" WHERE {}",
                columns.join(", "),
                place(database, table),
                row,
                key.join(" AND ")
            );
            updated = Some(row_update(database, table, verb, &names));
        }
        let mut names: Vec<String> = written(table).map(|c| quote_name(&c.name)).collect();
        let cell =
            |(c, i): (&Column, usize)| if c.auto_increment { format!("marmot_auto_id(?{i})") } else { format!("?{i}") };
        let mut values: Vec<String> = written(table).zip(1..).map(cell).collect();
        if table.has_hidden_key() {
            names.push(quote_name(HIDDEN_KEY));
            values.push("marmot_row_id()".to_string());
        }
        let verb = if insert.ignore { "INSERT OR IGNORE" } else { "INSERT" };
        let sql =
            format!("{verb} INTO {} ({}) VALUES ({})", place(database, table), names.join(", "), values.join(", "));
        let (returning, returned) = returned_row(table, returned, self.parameters.len());
        let auto = auto_increment.clone().map(|auto| AutoIncrement { all_given: false, ..auto });
        let row = returning_row(row_write(WriteKind::Insert, sql, database, table), table);
        let row = Write { ignore: insert.ignore, auto_increment: auto, ..row };
        let place_of = |c: &&Column| table.column(&c.name).map_or(0, |(at, _)| at);
        let change = RowInsert {
            columns: given.iter().map(place_of).collect(),
            insert: row,
            keys,
            replaced: insert.replace.then(|| row_delete(database, table)),
            updated,
            update_of,
        };
        let parameters = std::mem::take(&mut self.parameters);
        // The last parameter must occur, or SQLite knows of fewer.
        let all = match parameters.len() {
            0 => String::new(),
            count => format!(" WHERE (?{count} IS NULL OR 1)"),
        };
        let part = RowChange {
            database: database.name.clone(),
            table: table.clone(),
            kind: RowChangeKind::Insert(Box::new(change)),
        };
        Ok(Write {
            kind: match (insert.replace, upsert) {
                (true, _) => WriteKind::Replace,
                (_, true) => WriteKind::Upsert,
                _ => WriteKind::Insert,
            },
            program: Program { sql: format!("SELECT * FROM ({rows}){all}"), parameters, calls: self.calls },
            databases: std::mem::take(&mut self.databases),
            tables: std::mem::take(&mut self.tables),
            ignore: insert.ignore,
            auto_increment,
            rows: count,
            returning,
            triggered: Some(Arc::new(Triggered { parts: vec![part], returned })),
            ..row_write(WriteKind::Insert, String::new(), database, table)
        })
    }
}

/// The write of one row, giving the row as it is then.
fn returning_row(mut write: Write, table: &Table) -> Write {
    let names: Vec<String> = table.columns.iter().map(|c| quote_name(&c.name)).collect();
    write.program.sql.push_str(&format!(" RETURNING {}", names.join(", ")));
    let column = |c: &Column| ResultColumn {
        name: c.name.as_str().into(),
        ty: ResultType::Known(c.ty.clone()),
        nullable: true,
        origin: None,
    };
    Write { returning: table.columns.iter().map(column).collect(), ..write }
}

/// The columns of RETURNING, and a query that computes them: its parameters are those of the statement, then the cells.
fn returned_row(
    table: &Table,
    items: Option<(Vec<ResultColumn>, String)>,
    parameters: usize,
) -> (Vec<ResultColumn>, Option<String>) {
    let Some((columns, list)) = items else { return (Vec::new(), None) };
    let row = given_cells(table, parameters);
    (columns, Some(format!("SELECT {list} FROM (SELECT {row}) AS {}", quote_name(&table.name))))
}

/// The cells of a row as parameters, under the names of their columns.
fn given_cells(table: &Table, before: usize) -> String {
    let collate =
        |c: &Column| c.ty.collation().map_or(String::new(), |x| format!(" COLLATE {}", x.sqlite(table.collations)));
    let cell = |(c, i): (&Column, usize)| format!("?{i}{} AS {}", collate(c), quote_name(&c.name));
    table.columns.iter().zip(before + 1..).map(cell).collect::<Vec<_>>().join(", ")
}

/// The unique keys of a table, the primary key first.
fn unique_keys(database: &Database, table: &Table) -> Result<Vec<String>, Error> {
    let alias = quote_name(&table.name);
    let mut keys = Vec::new();
    for index in table.primary.iter().chain(table.unique_indexes()) {
        let mut same = Vec::new();
        for part in &index.columns {
            let Some(at) = table.columns.iter().position(|c| c.id == part.column) else { continue };
            let column = &table.columns[at];
            let (name, given) = (format!("{alias}.{}", quote_name(&column.name)), given_value(table, at)?);
            let collate =
                column.ty.collation().map_or(String::new(), |c| format!(" COLLATE {}", c.sqlite(table.collations)));
            same.push(match part.prefix {
                None => format!("{name} = {given}"),
                Some(n) => format!("substr({name}, 1, {n}){collate} = substr({given}, 1, {n})"),
            });
        }
        let found = [key_list(table, &alias), cells(table, &alias)].concat();
        let find = format!("SELECT {} FROM {} WHERE {}", found.join(", "), place(database, table), same.join(" AND "));
        // The last parameter must occur, or SQLite knows of fewer.
        keys.push(format!("{find} AND (?{} IS NULL OR 1)", table.columns.len()));
    }
    Ok(keys)
}

/// A cell of the row whose cells are the parameters; a generated one is computed.
fn given_value(table: &Table, at: usize) -> Result<String, Error> {
    if table.columns[at].generated().is_none() {
        return Ok(format!("?{}", at + 1));
    }
    // A generated column may be made of those before it.
    let stored = table.columns.iter().enumerate().filter(|(_, c)| c.generated().is_none());
    let stored: Vec<String> = stored.map(|(i, c)| format!("?{} AS {}", i + 1, quote_name(&c.name))).collect();
    let mut row = format!("SELECT {}", stored.join(", "));
    for column in &table.columns[..=at] {
        if let Some(expression) = column.generated() {
            let value = generated_value(table, column, expression)?;
            row = format!("SELECT *, {value} AS {} FROM ({row})", quote_name(&column.name));
        }
    }
    Ok(format!("(SELECT {} FROM ({row}))", quote_name(&table.columns[at].name)))
}
