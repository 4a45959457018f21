//! Foreign keys and CHECK constraints.

use super::definition::named_columns;
use super::key::{add_key, check_name};
use crate::sql::catalog::{
    Catalog, Check, CheckPlace, Column, ColumnDefault, Database, ForeignKey, IndexKind, ReferentialAction, Table,
};
use crate::sql::definition::{CheckDefinition, ForeignKeyDefinition, KeyDefinition, KeyPart};
use crate::sql::error::Error;
use crate::sql::translate::constant_expression;

/// Adds a CHECK constraint; its expression must make sense over the table's columns.
///
/// # Errors
/// 1054, 3818, 3822 and those of expressions.
pub fn add_check(table: &mut Table, check: &CheckDefinition) -> Result<(), Error> {
    let name = match &check.name {
        Some(name) => name.clone(),
        None => free_name(|n| format!("{}_chk_{n}", table.name), |name| table.checks.iter().any(|c| c.name == *name)),
    };
    check_name(&name)?;
    if table.checks.iter().any(|c| c.name.eq_ignore_ascii_case(&name)) {
        return Err(Error::check_duplicate(name));
    }
    constant_expression(&check.expression, Some(table), "check constraint")?;
    if named_columns(table, &check.expression)?.iter().any(|(_, c)| c.auto_increment) {
        let message = format!("Check constraint '{name}' cannot refer to an auto-increment column.");
        return Err(Error { code: 3818, state: "HY000", message });
    }
    // One with a name of its own is the table's wherever it stood.
    let own = check.column.as_ref().filter(|_| check.name.is_none()).and_then(|c| table.column(c));
    let place = match (check.enforced, own) {
        (false, _) => CheckPlace::NotEnforced,
        (true, Some((_, column))) => CheckPlace::Column(column.id),
        (true, None) => CheckPlace::Table,
    };
    table.checks.push(Check { name, expression: check.expression.clone(), place });
    Ok(())
}

fn free_name(name: impl Fn(usize) -> String, taken: impl Fn(&String) -> bool) -> String {
    (1..).map(&name).find(|n| !taken(n)).unwrap_or_else(|| name(0))
}

/// Adds a foreign key, and the index over its columns that MySQL adds where there is none.
///
/// # Errors
/// 1072, 1215-like 1822 and 1824, 1826; 1235 for parents in other databases.
pub fn add_foreign_key(
    table: &mut Table,
    key: &ForeignKeyDefinition,
    catalog: &Catalog,
    database: &Database,
    check_parent: bool,
) -> Result<(), Error> {
    let parent_database = key.parent_database.clone().unwrap_or_else(|| database.name.clone());
    if parent_database != database.name {
        return Err(Error::unsupported("foreign keys into another database"));
    }
    if [key.on_delete, key.on_update].contains(&ReferentialAction::SetDefault) {
        return Err(Error::unsupported("SET DEFAULT in foreign keys"));
    }
    let taken = |name: &String| {
        let in_others = database.tables.values().filter(|t| t.id != table.id).flat_map(|t| &t.foreign_keys);
        table.foreign_keys.iter().chain(in_others).any(|k| k.name.eq_ignore_ascii_case(name))
    };
    let name = match &key.name {
        Some(name) => {
            check_name(name)?;
            if taken(name) {
                return Err(Error::foreign_key_duplicate(name));
            }
            name.clone()
        }
        None => free_name(|n| format!("{}_ibfk_{n}", table.name), taken),
    };
    let mut columns = Vec::new();
    for column in &key.columns {
        let Some((_, column)) = table.column(column) else { return Err(Error::foreign_key_column(column)) };
        let sets_null = [key.on_delete, key.on_update].contains(&ReferentialAction::SetNull);
        if sets_null && !column.nullable {
            let message = format!(
                "Column '{}' cannot be NOT NULL: needed in a foreign key constraint '{name}' SET NULL",
                column.name
            );
            return Err(Error { code: 1830, state: "HY000", message });
        }
        check_generated(column, key, &name)?;
        columns.push(column.id);
    }
    let own = key.parent_table.eq_ignore_ascii_case(&table.name);
    let parent = if own { Some(&*table) } else { catalog.table(&parent_database, &key.parent_table).map(|t| &**t) };
    let parent_columns = match parent {
        Some(parent) => parent_columns(parent, key, &name)?,
        None if check_parent => {
            let message = format!("Failed to open the referenced table '{}'", key.parent_table);
            return Err(Error { code: 1824, state: "HY000", message });
        }
        None => key.parent_columns.clone(),
    };
    if parent_columns.len() != columns.len() {
        let message = "Incorrect foreign key definition for 'foreign key without name': Key reference and table reference don't match";
        return Err(Error { code: 1239, state: "42000", message: message.into() });
    }
    let leads = |index: &crate::sql::catalog::Index| {
        index.kind != IndexKind::FullText
            && index.columns.len() >= columns.len()
            && index.columns.iter().zip(&columns).all(|(c, id)| c.column == *id)
    };
    if !table.primary.iter().chain(&table.indexes).any(leads) {
        let parts = key.columns.iter().map(|c| KeyPart {
            column: c.clone(),
            expression: None,
            prefix: None,
            descending: false,
        });
        let named = key.name.clone().filter(|n| !table.indexes.iter().any(|i| i.name.eq_ignore_ascii_case(n)));
        let definition = KeyDefinition {
            kind: IndexKind::Plain,
            name: named,
            parts: parts.collect(),
            comment: String::new(),
            invisible: false,
        };
        add_key(table, &definition)?;
    }
    table.foreign_keys.push(ForeignKey {
        name,
        columns,
        parent_database,
        parent_table: key.parent_table.clone(),
        parent_columns,
        on_delete: key.on_delete,
        on_update: key.on_update,
    });
    Ok(())
}

/// # Errors
/// 3104 for an action that would write a generated column, 3733 for one that is not stored.
fn check_generated(column: &Column, key: &ForeignKeyDefinition, name: &str) -> Result<(), Error> {
    let Some(ColumnDefault::Generated { stored, .. }) = &column.default else { return Ok(()) };
    if !stored {
        let message = format!("Foreign key '{name}' uses virtual column '{}' which is not supported.", column.name);
        return Err(Error { code: 3733, state: "HY000", message });
    }
    let writes = |action: &&(&str, ReferentialAction)| match action.1 {
        ReferentialAction::SetNull => true,
        ReferentialAction::Cascade => action.0 == "UPDATE",
        _ => false,
    };
    match [("UPDATE", key.on_update), ("DELETE", key.on_delete)].iter().find(writes) {
        Some((event, action)) => {
            let message =
                format!("Cannot define foreign key with ON {event} {} clause on a generated column.", action.sql());
            Err(Error { code: 3104, state: "HY000", message })
        }
        None => Ok(()),
    }
}

/// The referenced columns, which a unique key must cover: SQLite can refer to nothing else.
fn parent_columns(parent: &Table, key: &ForeignKeyDefinition, name: &str) -> Result<Vec<String>, Error> {
    let wanted = match (&key.parent_columns, &parent.primary) {
        (columns, _) if !columns.is_empty() => columns.clone(),
        (_, Some(primary)) => primary.columns.iter().map(|c| parent.name_of(c.column).to_string()).collect(),
        _ => return Err(Error::foreign_key_missing_index(name, &parent.name)),
    };
    let mut found = Vec::new();
    for column in &wanted {
        match parent.column(column) {
            Some((_, Column { default: Some(ColumnDefault::Generated { stored: false, .. }), .. })) => {
                let message = format!("Foreign key '{name}' uses virtual column '{column}' which is not supported.");
                return Err(Error { code: 3733, state: "HY000", message });
            }
            Some((_, column)) => found.push(column.name.clone()),
            None => {
                let message = format!(
                    "Failed to add the foreign key constraint. Missing column '{column}' for constraint '{name}' in the referenced table '{}'",
                    parent.name
                );
                return Err(Error { code: 3734, state: "HY000", message });
            }
        }
    }
    let covers = |index: &crate::sql::catalog::Index| {
        index.kind.is_unique()
            && index.columns.len() == found.len()
            && index.columns.iter().all(|c| c.prefix.is_none() && found.iter().any(|f| f == parent.name_of(c.column)))
    };
    if parent.primary.iter().chain(&parent.indexes).any(covers) {
        Ok(found)
    } else {
        Err(Error::foreign_key_missing_index(name, &parent.name))
    }
}

/// Tables other than `name` whose foreign keys refer to it, with the keys' names.
pub fn children<'d>(database: &'d Database, name: &str) -> impl Iterator<Item = (&'d Table, &'d ForeignKey)> {
    let parent = name.to_string();
    let others = database.tables.values().filter(move |t| !t.name.eq_ignore_ascii_case(name));
    let others: Vec<&Table> = others.map(|t| &**t).collect();
    others.into_iter().flat_map(move |t| {
        let parent = parent.clone();
        t.foreign_keys.iter().filter(move |k| k.parent_table.eq_ignore_ascii_case(&parent)).map(move |k| (t, k))
    })
}
