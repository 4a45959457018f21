//! SHOW CREATE TABLE: a definition in MySQL's own layout, which dump tools parse.

use crate::sql::catalog::{Column, ColumnDefault, ForeignKey, Index, IndexKind, ReferentialAction, Table};
use crate::sql::column_type::ColumnType;
use crate::sql::store::as_text;
use crate::types::Value;

/// A name in backquotes.
pub fn backquoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A string as MySQL prints it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// The statement that makes `table` again.
pub fn show_create_table(table: &Table) -> String {
    let mut lines: Vec<String> = table.columns.iter().map(|c| format!("  {}", column_line(table, c))).collect();
    if let Some(primary) = &table.primary {
        lines.push(format!("  PRIMARY KEY {}", key_parts(table, primary)));
    }
    for index in &table.indexes {
        let kind = if index.kind == IndexKind::Unique { "UNIQUE KEY" } else { "KEY" };
        let mut line = format!("  {kind} {} {}", backquoted(&index.name), key_parts(table, index));
        if !index.comment.is_empty() {
            line.push_str(&format!(" COMMENT {}", quoted(&index.comment)));
        }
        if index.invisible {
            line.push_str(" /*!80000 INVISIBLE */");
        }
        lines.push(line);
    }
    lines.extend(table.foreign_keys.iter().map(|key| format!("  {}", foreign_key_line(table, key))));
    for check in &table.checks {
        let off = if check.enforced { "" } else { " /*!80016 NOT ENFORCED */" };
        lines.push(format!("  CONSTRAINT {} CHECK (({})){off}", backquoted(&check.name), check.expression));
    }
    let options = &table.options;
    let mut tail = format!(") ENGINE={}", options.engine);
    if let Some(next) = options.auto_increment.filter(|n| *n > 1) {
        tail.push_str(&format!(" AUTO_INCREMENT={next}"));
    }
    tail.push_str(&format!(" DEFAULT CHARSET={}", options.collation.charset()));
    // MySQL 8.0 always names the collation of utf8mb4, since its default changed.
    if !options.collation.is_default() || options.collation.charset() == "utf8mb4" {
        tail.push_str(&format!(" COLLATE={}", options.collation.name()));
    }
    for (name, value) in &options.others {
        tail.push_str(&format!(" {name}={value}"));
    }
    if !options.comment.is_empty() {
        tail.push_str(&format!(" COMMENT={}", quoted(&options.comment)));
    }
    format!("CREATE TABLE {} (\n{}\n{tail}", backquoted(&table.name), lines.join(",\n"))
}

fn column_line(table: &Table, column: &Column) -> String {
    let mut line = format!("{} {}", backquoted(&column.name), column.ty);
    if let Some(collation) = column.ty.collation()
        && *collation != table.options.collation
    {
        if collation.charset() != table.options.collation.charset() {
            line.push_str(&format!(" CHARACTER SET {}", collation.charset()));
        }
        if !collation.is_default() || collation.charset() == table.options.collation.charset() {
            line.push_str(&format!(" COLLATE {}", collation.name()));
        }
    }
    if !column.nullable {
        line.push_str(" NOT NULL");
    } else if matches!(column.ty, ColumnType::Timestamp(_)) {
        line.push_str(" NULL");
    }
    match &column.default {
        None if column.nullable && !column.ty.is_large() && !column.auto_increment => line.push_str(" DEFAULT NULL"),
        None => {}
        Some(default) => line.push_str(&format!(" DEFAULT {}", default_clause(column, default))),
    }
    if let Some(fsp) = column.on_update {
        line.push_str(&format!(" ON UPDATE {}", now_text(fsp)));
    }
    if column.auto_increment {
        line.push_str(" AUTO_INCREMENT");
    }
    if column.invisible {
        line.push_str(" /*!80023 INVISIBLE */");
    }
    if !column.comment.is_empty() {
        line.push_str(&format!(" COMMENT {}", quoted(&column.comment)));
    }
    line
}

pub fn now_text(fsp: u8) -> String {
    if fsp == 0 { "CURRENT_TIMESTAMP".to_string() } else { format!("CURRENT_TIMESTAMP({fsp})") }
}

fn default_clause(column: &Column, default: &ColumnDefault) -> String {
    match default {
        ColumnDefault::Now(fsp) => now_text(*fsp),
        ColumnDefault::Expression(text) => format!("({text})"),
        ColumnDefault::Constant(Value::Null) => "NULL".to_string(),
        ColumnDefault::Constant(value) => match (&column.ty, column.ty.present(value.clone())) {
            (ColumnType::Bit(_), _) => match value {
                Value::Int(n) => format!("b'{n:b}'"),
                other => quoted(&as_text(other)),
            },
            (_, Value::Blob(bytes)) if std::str::from_utf8(&bytes).is_err() => {
                format!("0x{}", crate::sql::tokens::hex(&bytes))
            }
            (_, shown) => quoted(&as_text(&shown)),
        },
    }
}

/// A constant default as DESCRIBE and information_schema show it, without quotes.
pub fn default_text(column: &Column) -> Value {
    match &column.default {
        None | Some(ColumnDefault::Constant(Value::Null)) => Value::Null,
        Some(ColumnDefault::Now(fsp)) => Value::text(now_text(*fsp)),
        Some(ColumnDefault::Expression(text)) => Value::text(text.as_str()),
        Some(ColumnDefault::Constant(value)) => match (&column.ty, value) {
            (ColumnType::Bit(_), Value::Int(n)) => Value::text(format!("b'{n:b}'")),
            _ => Value::text(&*as_text(&column.ty.present(value.clone()))),
        },
    }
}

fn key_parts(table: &Table, index: &Index) -> String {
    let parts: Vec<String> = index
        .columns
        .iter()
        .map(|part| {
            let prefix = part.prefix.map(|n| format!("({n})")).unwrap_or_default();
            let order = if part.descending { " DESC" } else { "" };
            format!("{}{prefix}{order}", backquoted(table.name_of(part.column)))
        })
        .collect();
    format!("({})", parts.join(","))
}

fn foreign_key_line(table: &Table, key: &ForeignKey) -> String {
    let own: Vec<String> = key.columns.iter().map(|c| backquoted(table.name_of(*c))).collect();
    let parent: Vec<String> = key.parent_columns.iter().map(|c| backquoted(c)).collect();
    let mut line = format!(
        "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({})",
        backquoted(&key.name),
        own.join(", "),
        backquoted(&key.parent_table),
        parent.join(", ")
    );
    for (event, action) in [("DELETE", key.on_delete), ("UPDATE", key.on_update)] {
        if action != ReferentialAction::NoAction {
            line.push_str(&format!(" ON {event} {}", action.sql()));
        }
    }
    line
}
