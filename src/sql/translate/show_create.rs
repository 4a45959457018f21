//! SHOW CREATE TABLE: a definition in MySQL's own layout, which dump tools parse.

use crate::sql::catalog::{
    CheckPlace, Column, ColumnDefault, ForeignKey, Index, IndexKind, ReferentialAction, Table, TableOptions,
};
use crate::sql::column_type::ColumnType;
use crate::sql::store::as_text;
use crate::types::{AccountName, Value};

/// A name in backquotes.
pub fn backquoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// `user@host` as DEFINER has it.
pub fn quoted_definer(definer: &str) -> String {
    let AccountName { user, host } = AccountName::parse_plain(definer);
    format!("{}@{}", backquoted(&user), backquoted(&host))
}

/// A string as MySQL prints it.
pub fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\0', "\\0").replace('\n', "\\n").replace('\r', "\\r");
    format!("'{}'", escaped.replace('\'', "''"))
}

/// How names are quoted.
pub type Quote = fn(&str) -> String;

/// The statement that makes `table` again.
pub fn show_create_table(table: &Table, quote: Quote) -> String {
    let mut lines: Vec<String> = table.shown_columns().map(|c| format!("  {}", column_line(table, c, quote))).collect();
    if let Some(primary) = &table.primary {
        lines.push(format!("  PRIMARY KEY {}", key_parts(table, primary, quote)));
    }
    for index in &table.indexes {
        let kind = match index.kind {
            IndexKind::Unique => "UNIQUE KEY",
            IndexKind::FullText => "FULLTEXT KEY",
            IndexKind::Primary | IndexKind::Plain => "KEY",
        };
        let mut line = format!("  {kind} {} {}", quote(&index.name), key_parts(table, index, quote));
        if !index.comment.is_empty() {
            line.push_str(&format!(" COMMENT {}", quoted(&index.comment)));
        }
        if index.invisible {
            line.push_str(" /*!80000 INVISIBLE */");
        }
        lines.push(line);
    }
    lines.extend(table.foreign_keys.iter().map(|key| format!("  {}", foreign_key_line(table, key, quote))));
    for check in table.checks.iter().filter(|c| !matches!(c.place, CheckPlace::Column(_))) {
        let off = if check.enforced() { "" } else { " /*!80016 NOT ENFORCED */" };
        lines.push(format!("  CONSTRAINT {} CHECK ({}){off}", quote(&check.name), check.expression));
    }
    format!("CREATE TABLE {} (\n{}\n){}", quote(&table.name), lines.join(",\n"), table_options(&table.options))
}

/// The order in which options are printed; others follow as they were given.
const OPTION_ORDER: &[&str] = &[
    "MIN_ROWS",
    "MAX_ROWS",
    "AVG_ROW_LENGTH",
    "PACK_KEYS",
    "STATS_PERSISTENT",
    "STATS_AUTO_RECALC",
    "STATS_SAMPLE_PAGES",
    "CHECKSUM",
    "PAGE_CHECKSUM",
    "DELAY_KEY_WRITE",
    "ROW_FORMAT",
    "TRANSACTIONAL",
    "KEY_BLOCK_SIZE",
];

/// Options that were given, in the order of printing.
pub fn other_options(options: &TableOptions) -> Vec<(&str, &str)> {
    let place = |name: &str| OPTION_ORDER.iter().position(|o| *o == name).unwrap_or(OPTION_ORDER.len());
    let mut all: Vec<(&str, &str)> = options.others.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    all.sort_by_key(|(name, _)| place(name));
    all
}

fn table_options(options: &TableOptions) -> String {
    let mut tail = format!(" ENGINE={}", options.engine);
    if let Some(next) = options.auto_increment.filter(|n| *n > 1) {
        tail.push_str(&format!(" AUTO_INCREMENT={next}"));
    }
    // Named even where it is the default, since servers differ in what the default is.
    tail.push_str(&format!(" DEFAULT CHARSET={} COLLATE={}", options.collation.charset(), options.collation.name()));
    for (name, value) in other_options(options) {
        tail.push_str(&format!(" {name}={value}"));
    }
    if !options.comment.is_empty() {
        tail.push_str(&format!(" COMMENT={}", quoted(&options.comment)));
    }
    tail
}

fn column_line(table: &Table, column: &Column, quote: Quote) -> String {
    let mut line = format!("{} {}", quote(&column.name), column.ty);
    if let Some(collation) = column.ty.collation()
        && *collation != table.options.collation
    {
        line.push_str(&format!(" CHARACTER SET {} COLLATE {}", collation.charset(), collation.name()));
    }
    if let Some(ColumnDefault::Generated { expression, stored }) = &column.default {
        let kind = if *stored { "STORED" } else { "VIRTUAL" };
        line.push_str(&format!(" GENERATED ALWAYS AS ({expression}) {kind}"));
    }
    if !column.nullable {
        line.push_str(" NOT NULL");
    } else if column.generated().is_none() && matches!(column.ty, ColumnType::Timestamp(_)) {
        line.push_str(" NULL");
    }
    if column.invisible {
        line.push_str(" INVISIBLE");
    }
    match &column.default {
        None if column.nullable && !column.auto_increment => line.push_str(" DEFAULT NULL"),
        None | Some(ColumnDefault::Generated { .. }) => {}
        Some(default) => line.push_str(&format!(" DEFAULT {}", default_clause(column, default))),
    }
    if let Some(fsp) = column.on_update {
        line.push_str(&format!(" ON UPDATE {}", now_text(fsp)));
    }
    if column.auto_increment {
        line.push_str(" AUTO_INCREMENT");
    }
    if !column.comment.is_empty() {
        line.push_str(&format!(" COMMENT {}", quoted(&column.comment)));
    }
    for check in table.checks.iter().filter(|c| c.place == CheckPlace::Column(column.id)) {
        line.push_str(&format!(" CHECK ({})", check.expression));
    }
    line
}

pub fn now_text(fsp: u8) -> String {
    if fsp == 0 { "current_timestamp()".to_string() } else { format!("current_timestamp({fsp})") }
}

fn default_clause(column: &Column, default: &ColumnDefault) -> String {
    match default {
        ColumnDefault::Now(fsp) => now_text(*fsp),
        ColumnDefault::Expression(text) => format!("({text})"),
        ColumnDefault::Generated { expression, .. } => format!("({expression})"),
        ColumnDefault::Constant(Value::Null) => "NULL".to_string(),
        // MySQL takes a default of these only as an expression.
        ColumnDefault::Constant(value) if column.ty.is_large() => format!("({})", constant_text(column, value)),
        ColumnDefault::Constant(value) => constant_text(column, value),
    }
}

fn constant_text(column: &Column, value: &Value) -> String {
    let shown = column.ty.present(value.clone());
    match (&column.ty, value, &shown) {
        (ColumnType::Bit(_), Value::Int(n), _) => format!("b'{n:b}'"),
        (ColumnType::Year, Value::Int(n), _) => format!("{n:04}"),
        (ty, _, shown) if ty.is_numeric() => as_text(shown).into_owned(),
        (_, _, Value::Blob(bytes)) if std::str::from_utf8(bytes).is_err() => {
            format!("0x{}", crate::sql::tokens::hex(bytes))
        }
        (_, _, shown) => quoted(&as_text(shown)),
    }
}

/// A default as DESCRIBE shows it: a constant without quotes, an expression in parentheses unless it is a call.
pub fn default_text(column: &Column) -> Value {
    match &column.default {
        None | Some(ColumnDefault::Constant(Value::Null) | ColumnDefault::Generated { .. }) => Value::Null,
        Some(ColumnDefault::Now(fsp)) => Value::text(now_text(*fsp)),
        Some(ColumnDefault::Expression(text)) if crate::sql::spelling::is_call(text) => Value::text(text.as_str()),
        Some(ColumnDefault::Expression(text)) => Value::text(format!("({text})")),
        Some(ColumnDefault::Constant(value)) if column.ty.is_large() => Value::text(constant_text(column, value)),
        Some(ColumnDefault::Constant(value)) => match (&column.ty, value) {
            (ColumnType::Bit(_), Value::Int(n)) => Value::text(format!("b'{n:b}'")),
            (ColumnType::Year, Value::Int(n)) => Value::text(format!("{n:04}")),
            _ => Value::text(&*as_text(&column.ty.present(value.clone()))),
        },
    }
}

fn key_parts(table: &Table, index: &Index, quote: Quote) -> String {
    let parts: Vec<String> = index
        .columns
        .iter()
        .map(|part| {
            let prefix = part.prefix.map(|n| format!("({n})")).unwrap_or_default();
            let order = if part.descending { " DESC" } else { "" };
            match table.part_expression(part) {
                Some(expression) => format!("({expression}){order}"),
                None => format!("{}{prefix}{order}", quote(table.name_of(part.column))),
            }
        })
        .collect();
    format!("({})", parts.join(","))
}

fn foreign_key_line(table: &Table, key: &ForeignKey, quote: Quote) -> String {
    let own: Vec<String> = key.columns.iter().map(|c| quote(table.name_of(*c))).collect();
    let parent: Vec<String> = key.parent_columns.iter().map(|c| quote(c)).collect();
    let mut line = format!(
        "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({})",
        quote(&key.name),
        own.join(", "),
        quote(&key.parent_table),
        parent.join(", ")
    );
    for (event, action) in [("DELETE", key.on_delete), ("UPDATE", key.on_update)] {
        if action != ReferentialAction::NoAction {
            line.push_str(&format!(" ON {event} {}", action.sql()));
        }
    }
    line
}
