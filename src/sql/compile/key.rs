//! Keys and indexes of a definition.

use super::functional;
use crate::sql::catalog::{Collation, Column, Index, IndexColumn, IndexKind, Table};
use crate::sql::column_type::{BinaryKind, ColumnType, TextKind};
use crate::sql::definition::KeyDefinition;
use crate::sql::error::Error;
use crate::types::IndexId;

/// MySQL's limit on the length of names.
const MAX_NAME: usize = 64;

/// # Errors
/// 1059 for a name that is too long.
pub fn check_name(name: &str) -> Result<(), Error> {
    if name.chars().count() > MAX_NAME { Err(Error::identifier_too_long(name)) } else { Ok(()) }
}

/// Adds a key to a table under a fresh id.
///
/// # Errors
/// 1061, 1068, 1072, 1089, 1170, 1280.
pub fn add_key(table: &mut Table, key: &KeyDefinition) -> Result<IndexId, Error> {
    let mut columns: Vec<IndexColumn> = Vec::new();
    let mut collation = None;
    for (place, part) in key.parts.iter().enumerate() {
        let name = match &part.expression {
            Some(expression) => &functional::add_part(table, key, place, expression)?,
            None => &part.column,
        };
        let Some((_, column)) = table.column(name) else { return Err(Error::unknown_key_column(name)) };
        if columns.iter().any(|c| c.column == column.id) {
            return Err(Error::duplicate_column(&column.name));
        }
        let prefix = match key.kind {
            IndexKind::FullText => {
                check_searched(column, &mut collation)?;
                None
            }
            _ => prefix(&column.ty, &column.name, part.prefix)?,
        };
        columns.push(IndexColumn { column: column.id, prefix, descending: part.descending });
    }
    let id = IndexId(table.next_index);
    let mut index = Index {
        id,
        name: String::new(),
        kind: key.kind,
        columns,
        comment: key.comment.clone(),
        invisible: key.invisible,
    };
    if key.kind == IndexKind::Primary {
        if table.primary.is_some() {
            return Err(Error::multiple_primary_keys());
        }
        index.name = "PRIMARY".to_string();
        table.primary = Some(index);
    } else {
        index.name = match &key.name {
            Some(name) => {
                check_name(name)?;
                if name.is_empty() || name.eq_ignore_ascii_case("PRIMARY") {
                    return Err(Error::wrong_name_for_index(name));
                }
                if table.indexes.iter().any(|i| i.name.eq_ignore_ascii_case(name)) {
                    return Err(Error::duplicate_key_name(name));
                }
                name.clone()
            }
            None => free_name(table, &index),
        };
        // MySQL lists unique keys before the others, and those for full-text search after them.
        let place = match key.kind {
            IndexKind::Unique => table.indexes.iter().position(|i| i.kind != IndexKind::Unique),
            IndexKind::Plain => table.indexes.iter().position(|i| i.kind == IndexKind::FullText),
            IndexKind::Primary | IndexKind::FullText => None,
        };
        let place = place.unwrap_or(table.indexes.len());
        table.indexes.insert(place, index);
    }
    table.next_index += 1;
    Ok(id)
}

/// A column of a key for full-text search: a string, all of one collation.
///
/// # Errors
/// 1283.
fn check_searched(column: &Column, collation: &mut Option<Collation>) -> Result<(), Error> {
    let own = match &column.ty {
        ColumnType::Text { collation, .. } => collation,
        _ => return Err(Error::not_searchable(&column.name)),
    };
    if column.generated().is_some() {
        return Err(Error::unsupported("FULLTEXT indexes over generated columns"));
    }
    if collation.get_or_insert_with(|| own.clone()) != own {
        return Err(Error::not_searchable(&column.name));
    }
    Ok(())
}

/// The first column's name, with a number if it is taken.
fn free_name(table: &Table, index: &Index) -> String {
    let first = index.columns.first();
    let base = match first.and_then(|part| table.part_expression(part)) {
        Some(_) => functional::UNNAMED.to_string(),
        None => first.map_or("", |part| table.name_of(part.column)).to_string(),
    };
    let taken = |name: &str| {
        name.eq_ignore_ascii_case("PRIMARY") || table.indexes.iter().any(|i| i.name.eq_ignore_ascii_case(name))
    };
    if !taken(&base) {
        return base;
    }
    let numbered = (2..).map(|n| format!("{base}_{n}")).find(|name| !taken(name));
    numbered.unwrap_or(base)
}

/// A prefix length, checked; none where it covers the whole column.
fn prefix(ty: &ColumnType, column: &str, prefix: Option<u32>) -> Result<Option<u32>, Error> {
    let limited = match ty {
        ColumnType::Text { kind: TextKind::Char | TextKind::VarChar, length, .. } => Some(*length),
        ColumnType::Binary { kind: BinaryKind::Binary | BinaryKind::VarBinary, length } => Some(*length),
        _ => None,
    };
    match (prefix, limited) {
        (None, None) if *ty == ColumnType::Json => Err(Error {
            code: 3152,
            state: "42000",
            message: format!(
                "JSON column '{column}' supports indexing only via generated columns on a specified JSON path."
            ),
        }),
        (None, None) if ty.is_large() => Err(Error::blob_key_without_length(column)),
        (None, _) => Ok(None),
        (Some(0), _) => {
            Err(Error { code: 1391, state: "HY000", message: format!("Key part '{column}' length cannot be 0") })
        }
        (Some(n), Some(length)) if n > length => Err(Error::wrong_sub_key()),
        (Some(n), Some(length)) if n == length => Ok(None),
        (Some(n), Some(_)) => Ok(Some(n)),
        (Some(n), None) if ty.is_large() && *ty != ColumnType::Json => Ok(Some(n)),
        (Some(_), None) => Err(Error::wrong_sub_key()),
    }
}

/// What every table must satisfy once all clauses are applied.
///
/// # Errors
/// 1063, 1075, 1113, 1171.
pub fn check_table(table: &mut Table, explicit_null: impl Fn(&str) -> bool) -> Result<(), Error> {
    if table.columns.is_empty() {
        return Err(Error::need_columns());
    }
    functional::settle(table);
    let key: Vec<_> = table.primary.iter().flat_map(|p| p.columns.iter().map(|c| c.column)).collect();
    for column in table.columns.iter_mut().filter(|c| key.contains(&c.id)) {
        if explicit_null(&column.name) {
            return Err(Error::primary_cannot_be_null());
        }
        column.nullable = false;
    }
    let mut auto = table.columns.iter().filter(|c| c.auto_increment);
    let Some(column) = auto.next() else { return Ok(()) };
    if auto.next().is_some() {
        return Err(Error::auto_increment_without_key());
    }
    if !matches!(column.ty, ColumnType::Integer { .. } | ColumnType::Float { .. }) {
        return Err(Error::wrong_column_specifier(&column.name));
    }
    let leads = |i: &Index| i.kind != IndexKind::FullText && i.columns.first().is_some_and(|c| c.column == column.id);
    if !table.primary.iter().chain(&table.indexes).any(leads) {
        return Err(Error::auto_increment_without_key());
    }
    Ok(())
}
