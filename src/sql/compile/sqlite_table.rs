//! A catalog table as SQLite's own DDL.

use crate::sql::catalog::{Column, ColumnDefault, HIDDEN_KEY, Index, ReferentialAction, Table};
use crate::sql::column_type::ColumnType;
use crate::sql::error::Error;
use crate::sql::storage_rule::Rule;
use crate::sql::translate::{
    GENERATED_CLAUSE, constant_expression, generated_value, quote_name, quote_text, quote_value,
};
use crate::types::{CollationRules, TableId};

/// A secondary index's name in SQLite, where index names are the database's. It holds as long as the table's id.
pub fn index_name(table: TableId, index: &Index) -> String {
    format!("__marmot_ix_{}_{}_{}", table.creator.0, table.number, index.id.0)
}

/// `CREATE TABLE "database"."name" (...)`, without indexes.
pub fn create_table(database: &str, table: &Table, name: &str) -> Result<String, Error> {
    let mut lines = Vec::new();
    if table.has_hidden_key() {
        lines.push(format!("{} INTEGER PRIMARY KEY", quote_name(HIDDEN_KEY)));
    }
    for column in &table.columns {
        lines.push(match column.generated() {
            Some(expression) => generated_column(table, column, expression)?,
            None => column_definition(table, column),
        });
    }
    if let (Some(primary), false) = (table.identity(), table.key_is_rowid()) {
        let parts: Vec<String> = primary.columns.iter().map(|c| quote_name(table.name_of(c.column))).collect();
        lines.push(format!("PRIMARY KEY ({})", parts.join(", ")));
    }
    for check in table.checks.iter().filter(|c| c.enforced()) {
        let expression = constant_expression(&check.expression, Some(table), "check constraint")?;
        // Only Marmot's functions find text that is no number; without them any SQLite program can write the table.
        let condition = match expression.contains("marmot_") {
            true => format!("marmot_checked({expression})"),
            false => expression,
        };
        lines.push(format!("CONSTRAINT {} CHECK ({condition})", quote_name(&check.name)));
    }
    for column in &table.columns {
        lines.extend(column.generated().map(|e| generated_check(table, column, e)).transpose()?);
    }
    for key in &table.foreign_keys {
        let own: Vec<String> = key.columns.iter().map(|c| quote_name(table.name_of(*c))).collect();
        let parent: Vec<String> = key.parent_columns.iter().map(|c| quote_name(c)).collect();
        let mut line = format!(
            "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({})",
            quote_name(&key.name),
            own.join(", "),
            quote_name(&key.parent_table),
            parent.join(", ")
        );
        for (event, action) in [("DELETE", key.on_delete), ("UPDATE", key.on_update)] {
            if action != ReferentialAction::NoAction {
                line.push_str(&format!(" ON {event} {}", action.sql()));
            }
        }
        lines.push(line);
    }
    Ok(format!("CREATE TABLE {}.{} ({})", quote_name(database), quote_name(name), lines.join(", ")))
}

/// A generated column. It is computed when it is read, by nothing but the row: two merged changes give one value. Where an
/// index holds it, every member computes what the writer computed.
fn generated_column(table: &Table, column: &Column, expression: &str) -> Result<String, Error> {
    let value = generated_value(table, column, expression)?;
    let collate = column.ty.collation().map_or(String::new(), |c| format!(" COLLATE {}", c.sqlite(table.collations)));
    Ok(format!("{} {}{collate} GENERATED ALWAYS AS ({value}) VIRTUAL", quote_name(&column.name), column.ty.sqlite()))
}

/// What refuses a value that does not fit a generated column when a client writes the row, or warns of it: storing it
/// is tried. Nobody who applies the change of another node checks this.
fn generated_check(table: &Table, column: &Column, expression: &str) -> Result<String, Error> {
    let value = constant_expression(expression, Some(table), GENERATED_CLAUSE)?;
    Ok(format!("CHECK (typeof(marmot_store({}, {value}, 1)) <> '')", quote_text(&Rule::of(column, false).encode())))
}

/// A column in CREATE TABLE or ADD COLUMN.
pub fn column_definition(table: &Table, column: &Column) -> String {
    let name = quote_name(&column.name);
    if table.rowid_column().is_some_and(|c| c.id == column.id) {
        return format!("{name} INTEGER PRIMARY KEY");
    }
    let mut line = format!("{name} {}", column.ty.sqlite());
    if let Some(collation) = column.ty.collation().map(|c| c.sqlite(table.collations)).filter(|c| *c != "BINARY") {
        line.push_str(&format!(" COLLATE {collation}"));
    }
    if !column.nullable {
        line.push_str(" NOT NULL");
    }
    if let Some(ColumnDefault::Constant(value)) = &column.default {
        line.push_str(&format!(" DEFAULT {}", parenthesised(&quote_value(value))));
    }
    line
}

/// SQLite's DEFAULT takes a literal or an expression in parentheses.
pub fn parenthesised(constant: &str) -> String {
    if constant.starts_with("CAST") || constant.starts_with('-') {
        format!("({constant})")
    } else {
        constant.to_string()
    }
}

/// `CREATE INDEX` of one of [`Table::secondary_indexes`], for a table called `name`.
pub fn create_index(database: &str, table: &Table, name: &str, index: &Index) -> String {
    let unique = if index.kind.is_unique() { "UNIQUE " } else { "" };
    let parts: Vec<String> = index
        .columns
        .iter()
        .map(|part| {
            let column = quote_name(table.name_of(part.column));
            let order = if part.descending { " DESC" } else { "" };
            let collation = table.column_by_id(part.column).and_then(|c| c.ty.collation());
            match part.prefix {
                // Only uniqueness depends on the prefix.
                Some(n) if index.kind.is_unique() => {
                    let collate =
                        collation.map(|c| format!(" COLLATE {}", c.sqlite(table.collations))).unwrap_or_default();
                    format!("substr({column}, 1, {n}){collate}{order}")
                }
                _ => format!("{column}{order}"),
            }
        })
        .collect();
    format!(
        "CREATE {unique}INDEX {}.{} ON {} ({})",
        quote_name(database),
        quote_name(&index_name(table.id, index)),
        quote_name(name),
        parts.join(", ")
    )
}

/// The table and all of its indexes.
pub fn create_all(database: &str, table: &Table) -> Result<Vec<String>, Error> {
    let mut statements = vec![create_table(database, table, &table.name)?];
    statements.extend(table.secondary_indexes().map(|i| create_index(database, table, &table.name, i)));
    Ok(statements)
}

/// Whether every value of `from` is one of `to` as it stands, and SQLite's column need not change.
pub fn is_widening(from: &ColumnType, to: &ColumnType, rules: CollationRules) -> bool {
    if from == to {
        return true;
    }
    if from.sqlite() != to.sqlite() {
        return false;
    }
    let same_collation = match (from.collation(), to.collation()) {
        (Some(a), Some(b)) => a.sqlite(rules) == b.sqlite(rules),
        (None, None) => true,
        _ => false,
    };
    if !same_collation {
        return false;
    }
    match (from, to) {
        (ColumnType::Integer { size, unsigned, .. }, ColumnType::Integer { size: s, unsigned: u, .. }) => {
            let ((a, b), (c, d)) = (size.range(*unsigned), s.range(*u));
            c <= a && b <= d
        }
        (ColumnType::Text { kind, .. }, ColumnType::Text { kind: k, .. }) => {
            let char_type =
                |k: &crate::sql::column_type::TextKind| matches!(k, crate::sql::column_type::TextKind::Char);
            // CHAR strips spaces, so that nothing but CHAR may become CHAR. A character may take four bytes.
            let bytes = |ty: &ColumnType, large: bool| ty.max_characters().map(|n| if large { n } else { n * 4 });
            char_type(kind) == char_type(k) && {
                match (from.is_large(), to.is_large()) {
                    (false, false) | (true, true) => from.max_characters() <= to.max_characters(),
                    (false, true) => bytes(from, false) <= bytes(to, true),
                    (true, false) => false,
                }
            }
        }
        (ColumnType::Binary { kind, length }, ColumnType::Binary { kind: k, length: l }) => {
            kind == k && length <= l && !matches!(k, crate::sql::column_type::BinaryKind::Binary)
        }
        (ColumnType::Enum { values, .. }, ColumnType::Enum { values: v, .. })
        | (ColumnType::Set { values, .. }, ColumnType::Set { values: v, .. }) => v.starts_with(values),
        (
            ColumnType::Float { double: a, unsigned: u, .. },
            ColumnType::Float { double: b, unsigned: v, display: None, .. },
        ) => a <= b && v <= u,
        (
            ColumnType::Decimal { precision, scale, unsigned, .. },
            ColumnType::Decimal { precision: p, scale: s, unsigned: u, .. },
        ) => scale == s && precision <= p && u <= unsigned,
        (ColumnType::Bit(a), ColumnType::Bit(b)) => a <= b,
        _ => false,
    }
}
