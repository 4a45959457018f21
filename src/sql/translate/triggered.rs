//! Changes of tables that have triggers: a query finds the rows, and each is changed by a statement of its own, between
//! the triggers before and after it.

use super::insert::InsertTarget;
use super::scope::Source;
use super::translator::{Translator, quote_name};
use super::update::key_list;
use crate::sql::catalog::{Column, Database, HIDDEN_KEY, Table};
use crate::sql::error::Error;
use crate::sql::parse::Insert;
use crate::sql::plan::{
    AutoIncrement, Program, RowChange, RowChangeKind, RowDelete, RowInsert, RowUpdate, Triggered, UniqueKey, Write,
    WriteKind,
};
use crate::sql::program::RowEvent;
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
    RowUpdate { keys, columns, update: row_write(WriteKind::Update, sql, database, table) }
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
    ) -> Result<Write, Error> {
        let columns: Vec<String> = parts.iter().flat_map(|p| p.columns.clone()).collect();
        let sql = format!("SELECT {} {rows}", columns.join(", "));
        let first = parts.first().map(|p| (p.change.database.clone(), p.change.table.clone()));
        let (database, table) = first.ok_or_else(Error::no_tables_used)?;
        let parts = parts.into_iter().map(|p| p.change).collect();
        let database = self.find_database(&database)?.clone();
        let write = self.write(kind, sql, &database, &table, ignore);
        Ok(Write { triggered: Some(Arc::new(Triggered { parts })), ..write })
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
        if insert.returning.is_some() {
            return Err(Error::unsupported("RETURNING of a table with triggers"));
        }
        let upsert = !insert.on_duplicate.is_empty();
        let mut keys = Vec::new();
        if insert.replace || upsert {
            keys = unique_keys(database, table)?;
        }
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
            let row: Vec<String> = table
                .columns
                .iter()
                .zip(before + 1..)
                .map(|(c, i)| format!("?{i} AS {}", quote_name(&c.name)))
                .collect();
            let key: Vec<String> = key_list(table, &alias)
                .iter()
                .zip(before + table.columns.len() + 1..)
                .map(|(k, i)| format!("{k} = ?{i}"))
                .collect();
            update_of = format!(
                "SELECT {} FROM {}, (SELECT {}) AS \"excluded\" WHERE {}",
                columns.join(", "),
                place(database, table),
                row.join(", "),
                key.join(" AND ")
            );
            updated = Some(row_update(database, table, verb, &names));
        }
        let mut names: Vec<String> = written(table).map(|c| quote_name(&c.name)).collect();
        let cell =
            |(c, i): (&Column, usize)| if c.auto_increment { format!("marmot_auto_id(?{i})") } else { format!("?{i}") };
        let mut values: Vec<String> = written(table).zip(1..).map(cell).collect();
        if table.primary.is_none() {
            names.push(quote_name(HIDDEN_KEY));
            values.push("marmot_row_id()".to_string());
        }
        let verb = if insert.ignore { "INSERT OR IGNORE" } else { "INSERT" };
        let sql =
            format!("{verb} INTO {} ({}) VALUES ({})", place(database, table), names.join(", "), values.join(", "));
        let auto = auto_increment.clone().map(|auto| AutoIncrement { all_given: false, ..auto });
        let row =
            Write { ignore: insert.ignore, auto_increment: auto, ..row_write(WriteKind::Insert, sql, database, table) };
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
            triggered: Some(Arc::new(Triggered { parts: vec![part] })),
            ..row_write(WriteKind::Insert, String::new(), database, table)
        })
    }
}

/// The unique keys of a table, the primary key first.
fn unique_keys(database: &Database, table: &Table) -> Result<Vec<UniqueKey>, Error> {
    let mut keys = Vec::new();
    for index in table.primary.iter().chain(table.unique_indexes()) {
        if index.columns.iter().any(|part| part.prefix.is_some()) {
            return Err(Error::unsupported("REPLACE and ON DUPLICATE KEY UPDATE with triggers and prefix keys"));
        }
        let at = |id| table.columns.iter().position(|c| c.id == id).unwrap_or(0);
        let columns: Vec<usize> = index.columns.iter().map(|part| at(part.column)).collect();
        let alias = quote_name(&table.name);
        let same: Vec<String> = columns
            .iter()
            .zip(1..)
            .map(|(at, i)| format!("{alias}.{} = ?{i}", quote_name(&table.columns[*at].name)))
            .collect();
        let found = [key_list(table, &alias), cells(table, &alias)].concat();
        let find = format!("SELECT {} FROM {} WHERE {}", found.join(", "), place(database, table), same.join(" AND "));
        keys.push(UniqueKey { columns, find });
    }
    Ok(keys)
}
