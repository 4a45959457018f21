//! What ALTER TABLE drops: columns with what hangs on them, and constraints by name.

use super::definition::named_columns;
use super::foreign_key::children;
use crate::sql::alteration::Alteration;
use crate::sql::catalog::{Column, Database, Index, Table};
use crate::sql::error::Error;

/// # Errors
/// 1091 for an index that is not there.
pub fn index_position(table: &Table, name: &str) -> Result<usize, Error> {
    table.indexes.iter().position(|i| i.name.eq_ignore_ascii_case(name)).ok_or_else(|| Error::cannot_drop(name))
}

/// A constraint of any kind.
///
/// # Errors
/// 3940 for what is not there.
pub fn drop_constraint(table: &mut Table, name: &str) -> Result<(), Error> {
    if name.eq_ignore_ascii_case("PRIMARY") && table.primary.is_some() {
        table.primary = None;
    } else if let Some(at) = table.foreign_keys.iter().position(|k| k.name.eq_ignore_ascii_case(name)) {
        table.foreign_keys.remove(at);
    } else if let Some(at) = table.checks.iter().position(|c| c.name.eq_ignore_ascii_case(name)) {
        table.checks.remove(at);
    } else if let Ok(at) = index_position(table, name) {
        table.indexes.remove(at);
    } else {
        let message = format!("Constraint '{name}' does not exist.");
        return Err(Error { code: 3940, state: "HY000", message });
    }
    Ok(())
}

/// Takes a column out of the table and its keys; keys without columns go too.
pub fn drop_column(table: &mut Table, name: &str, database: &Database) -> Result<(), Error> {
    let Some((at, column)) = table.column(name) else { return Err(Error::cannot_drop(name)) };
    let id = column.id;
    if let Some(key) = table.foreign_keys.iter().find(|k| k.columns.contains(&id)) {
        return Err(Error::foreign_key_in_use(name, &key.name));
    }
    let mut referring = children(database, &table.name);
    if let Some((child, key)) = referring.find(|(_, k)| k.parent_columns.iter().any(|c| c.eq_ignore_ascii_case(name))) {
        let message = format!(
            "Cannot drop column '{name}': needed in a foreign key constraint '{}' of table '{}'",
            key.name, child.name
        );
        return Err(Error { code: 1829, state: "HY000", message });
    }
    drop(referring);
    let needs = |c: &Column| match c.generated() {
        Some(expression) => Ok(named_columns(table, expression)?.iter().any(|(_, c)| c.id == id)),
        None => Ok(false),
    };
    for other in &table.columns {
        if needs(other)? && other.is_hidden() {
            let message =
                format!("Column '{name}' has a functional index dependency and cannot be dropped or renamed.");
            return Err(Error { code: 3837, state: "HY000", message });
        }
        if needs(other)? {
            let message = format!("Column '{name}' has a generated column dependency.");
            return Err(Error { code: 3108, state: "HY000", message });
        }
    }
    table.columns.remove(at);
    let without = |index: &mut Index| {
        index.columns.retain(|c| c.column != id);
        !index.columns.is_empty()
    };
    table.primary = table.primary.take().and_then(|mut p| without(&mut p).then_some(p));
    table.indexes.retain_mut(without);
    Ok(())
}

/// Checks that name none but columns which `alterations` drop go with them.
///
/// # Errors
/// 3959 for a check that names other columns too.
pub fn drop_checks(table: &mut Table, alterations: &[Alteration]) -> Result<(), Error> {
    let goes = |column: &Column| {
        let named =
            |a: &Alteration| matches!(a.inner(), Alteration::DropColumn(n) if n.eq_ignore_ascii_case(&column.name));
        alterations.iter().any(named)
    };
    let mut kept = Vec::new();
    for check in std::mem::take(&mut table.checks) {
        let named = named_columns(table, &check.expression)?;
        let gone = named.iter().find(|(_, column)| goes(column));
        match gone {
            None => kept.push(check),
            Some(_) if named.iter().all(|(_, column)| goes(column)) => {}
            Some((_, column)) => {
                let message = format!(
                    "Check constraint '{}' uses column '{}', hence column cannot be dropped or renamed.",
                    check.name, column.name
                );
                return Err(Error { code: 3959, state: "HY000", message });
            }
        }
    }
    table.checks = kept;
    Ok(())
}
