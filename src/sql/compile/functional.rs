//! Key parts that are expressions (manual, "Functional Key Parts"): each is a generated column that nobody sees, as in
//! MySQL. It makes values unique; no query is answered by it, for none names the column.

use super::definition::named_columns;
use crate::sql::catalog::{Column, ColumnDefault, HIDDEN_PART, IndexKind, Table};
use crate::sql::column_type::ColumnType;
use crate::sql::definition::KeyDefinition;
use crate::sql::error::Error;
use crate::sql::modes::Modes;
use crate::sql::parse::parse_expression;
use crate::sql::translate::expression_type;
use crate::types::ColumnId;
use sqlparser::ast::Expr;

fn refused<T>(code: u16, message: impl Into<String>) -> Result<T, Error> {
    Err(Error { code, state: "HY000", message: message.into() })
}

/// Adds the column of an expression of `key`, its part number `place`; gives its name.
///
/// # Errors
/// 3753, 3754, 3756, 3757, 3758, 3759, 3762 and those of expressions.
pub fn add_part(table: &mut Table, key: &KeyDefinition, place: usize, expression: &str) -> Result<String, Error> {
    match key.kind {
        IndexKind::Primary => return refused(3756, "The primary key cannot be a functional index"),
        IndexKind::FullText => return refused(3759, "Fulltext functional index is not supported."),
        IndexKind::Unique | IndexKind::Plain => {}
    }
    let index = key.name.as_deref().unwrap_or(UNNAMED);
    let (parsed, _) = parse_expression(expression, Modes::NONE)?;
    if matches!(parsed, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
        let message = "Functional index on a column is not supported. Consider using a regular index instead.";
        return refused(3762, message);
    }
    let disallowed = |error: Error| match error.code {
        3102 => Error {
            message: format!("Expression of functional index '{index}' contains a disallowed function."),
            code: 3758,
            ..error
        },
        _ => error,
    };
    let ty = expression_type(expression, table).map_err(disallowed)?;
    if named_columns(table, expression)?.iter().any(|(_, column)| column.auto_increment) {
        return refused(3754, format!("Functional index '{index}' cannot refer to an auto-increment column."));
    }
    if ty == ColumnType::Json {
        return refused(3753, "Cannot create a functional index on a function that returns a JSON or GEOMETRY value.");
    }
    if ty.is_large() {
        let message = "Cannot create a functional index on an expression that returns a BLOB or TEXT. Please consider using CAST.";
        return refused(3757, message);
    }
    let name = |n: u32| format!("{HIDDEN_PART}{index}!{place}!{n}");
    let name = (0..).map(name).find(|name| table.column(name).is_none()).unwrap_or_default();
    let mut column = Column::plain(ColumnId(table.next_column), name.clone(), ty);
    column.default = Some(ColumnDefault::Generated { expression: expression.to_string(), stored: false });
    column.invisible = true;
    table.next_column += 1;
    table.columns.push(column);
    Ok(name)
}

/// What MySQL calls an index that begins with an expression.
pub const UNNAMED: &str = "functional_index";

/// The columns of key parts go with their index, and stand behind all others.
pub fn settle(table: &mut Table) {
    let Table { columns, indexes, .. } = table;
    let is_used = |c: &Column| indexes.iter().any(|i| i.columns.iter().any(|part| part.column == c.id));
    columns.retain(|c| !c.is_hidden() || is_used(c));
    columns.sort_by_key(Column::is_hidden);
}
