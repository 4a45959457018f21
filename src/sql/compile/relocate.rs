//! RENAME TABLE: new names within a database, and tables that go to another one.

use super::definition::check_table_name;
use super::foreign_key::children;
use super::sqlite_table::{create_index, create_table};
use crate::sql::catalog::{Database, HIDDEN_KEY, Table, View};
use crate::sql::error::{Error, Warning};
use crate::sql::schema_change::{Direction, Move, SchemaProgram};
use crate::sql::translate::{quote_name, quote_text};
use std::sync::Arc;

/// New names within one database, left to right.
pub fn rename_tables(
    database: &Database,
    renames: &[(String, String)],
    if_exists: bool,
    program: &mut SchemaProgram,
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    let mut after = database.clone();
    for (from, to) in renames {
        rename_one(&mut after, from, to, if_exists, program, warnings)?;
    }
    record(database, &after, program);
    Ok(())
}

/// Tables that go from the first database to the second, and new names within both, left to right. `program` is that of
/// the first, and has one for the second before it. False: there is nothing to do.
///
/// Each table keeps its identity, and so do its rows: what another node wrote to it before is theirs wherever it is.
pub fn move_tables(
    (from, to): (&Database, &Database),
    renames: &[Move],
    if_exists: bool,
    program: &mut SchemaProgram,
    warnings: &mut Vec<Warning>,
) -> Result<bool, Error> {
    let (mut left, mut entered) = (from.clone(), to.clone());
    let mut into = program.before.take().expect("made by the caller");
    for Move { name, to: new, direction } in renames {
        match direction {
            Direction::WithinFrom => rename_one(&mut left, name, new, if_exists, program, warnings)?,
            Direction::WithinTo => rename_one(&mut entered, name, new, if_exists, &mut into, warnings)?,
            Direction::Across => {
                let Some(table) = leaving(&mut left, &entered, name, new, if_exists, warnings)? else { continue };
                let origin = from.tables.values().find(|t| t.id == table.id).map_or(name, |t| &t.name);
                take_in(from, origin, &entered, &table, &mut into)?;
                let (database, id) = (quote_name(&from.name), quote_text(&table.id.to_string()));
                program.statements.push(format!("DROP TABLE {database}.{}", quote_name(name)));
                program.statements.push(format!("DELETE FROM {database}.__marmot_sequences WHERE name = {id}"));
                entered.tables.insert(table.name.clone(), Arc::new(table));
            }
        }
    }
    record(from, &left, program);
    record(to, &entered, &mut into);
    let done = [&*program, &into].iter().any(|p| !p.statements.is_empty() || !p.catalog.upsert_views.is_empty());
    program.before = Some(into);
    Ok(done)
}

/// The table as it will be in the other database; it is no more in this one.
///
/// # Errors
/// 1050, 1146; 1435 for one with triggers, 1450 for a view; 1235 for foreign keys, which do not go over two databases.
fn leaving(
    left: &mut Database,
    entered: &Database,
    name: &str,
    new: &str,
    if_exists: bool,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Table>, Error> {
    check_table_name(new)?;
    if left.views.contains_key(name) {
        let message = format!("Changing schema from '{}' to '{}' is not allowed.", left.name, entered.name);
        return Err(Error { code: 1450, state: "HY000", message });
    }
    let Some(table) = left.tables.get(name) else {
        return missing(left, name, if_exists, warnings).map(|()| None);
    };
    if entered.table_ignoring_case(new).is_some() || entered.view_ignoring_case(new).is_some() {
        return Err(Error::table_exists(new));
    }
    if left.triggers(name).next().is_some() {
        return Err(Error { code: 1435, state: "HY000", message: "Trigger in wrong schema".to_string() });
    }
    let to_itself = |parent: &str| parent.eq_ignore_ascii_case(name);
    if children(left, name).next().is_some() || table.foreign_keys.iter().any(|k| !to_itself(&k.parent_table)) {
        return Err(Error::unsupported("RENAME TABLE of a table with foreign keys into another database"));
    }
    let mut moved = (**table).clone();
    rename_parent(&mut moved, name, new);
    moved.foreign_keys.iter_mut().for_each(|key| key.parent_database = entered.name.clone());
    moved.name = new.to_string();
    left.tables.remove(name);
    Ok(Some(moved))
}

/// The statements that make the table in its new database, with its rows, its keys and the ids leased for it.
fn take_in(from: &Database, origin: &str, to: &Database, table: &Table, into: &mut SchemaProgram) -> Result<(), Error> {
    let stored = table.columns.iter().filter(|c| c.generated().is_none()).map(|c| c.name.as_str());
    let hidden = table.has_hidden_key().then_some(HIDDEN_KEY);
    let columns = hidden.into_iter().chain(stored).map(quote_name).collect::<Vec<_>>().join(", ");
    let (left, entered) = (quote_name(&from.name), quote_name(&to.name));
    into.statements.push(create_table(&to.name, table, &table.name)?);
    into.statements.push(format!(
        "INSERT INTO {entered}.{} ({columns}) SELECT {columns} FROM {left}.{}",
        quote_name(&table.name),
        quote_name(origin)
    ));
    into.statements.push(format!(
        "INSERT OR REPLACE INTO {entered}.__marmot_sequences SELECT * FROM {left}.__marmot_sequences WHERE name = {}",
        quote_text(&table.id.to_string())
    ));
    into.statements.extend(table.secondary_indexes().map(|i| create_index(&to.name, table, &table.name, i)));
    Ok(())
}

fn missing(database: &Database, name: &str, if_exists: bool, warnings: &mut Vec<Warning>) -> Result<(), Error> {
    let error = Error::no_such_table(format!("{}.{name}", database.name));
    if !if_exists {
        return Err(error);
    }
    warnings.push(Warning::note(error));
    Ok(())
}

fn rename_one(
    after: &mut Database,
    from: &str,
    to: &str,
    if_exists: bool,
    program: &mut SchemaProgram,
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    check_table_name(to)?;
    if from == to || after.view_ignoring_case(to).is_some() {
        return Err(Error::table_exists(to));
    }
    if let Some(view) = after.views.remove(from) {
        if after.table_ignoring_case(to).is_some() {
            return Err(Error::table_exists(to));
        }
        let view = Arc::new(View { name: to.to_string(), ..(*view).clone() });
        after.views.insert(to.to_string(), view.clone());
        let definer = after.definer(from).to_string();
        after.definers.insert(to.to_string(), definer.clone());
        program.catalog.definers.push((to.to_string(), definer));
        program.catalog.remove_views.push(from.to_string());
        program.catalog.upsert_views.retain(|v| v.name != *from);
        program.catalog.upsert_views.push(view);
        return Ok(());
    }
    let Some(table) = after.tables.remove(from) else { return missing(after, from, if_exists, warnings) };
    if after.table_ignoring_case(to).is_some() {
        return Err(Error::table_exists(to));
    }
    program.statements.push(format!(
        "ALTER TABLE {}.{} RENAME TO {}",
        quote_name(&after.name),
        quote_name(from),
        quote_name(to)
    ));
    let mut renamed = (*table).clone();
    rename_parent(&mut renamed, from, to);
    renamed.name = to.to_string();
    after.tables.insert(to.to_string(), Arc::new(renamed));
    follow_parent(after, from, to);
    super::program::follow_table(after, from, to, program);
    Ok(())
}

/// The tables that are not as they were, into the catalog change.
fn record(before: &Database, after: &Database, program: &mut SchemaProgram) {
    program.catalog.remove = before.tables.unlike(&after.tables).map(|(name, _)| name.clone()).collect();
    program.catalog.upsert = after.tables.unlike(&before.tables).map(|(_, table)| table.clone()).collect();
}

/// Points a table's foreign keys at the new name of their parent.
pub fn rename_parent(table: &mut Table, from: &str, to: &str) {
    for key in table.foreign_keys.iter_mut().filter(|k| k.parent_table.eq_ignore_ascii_case(from)) {
        key.parent_table = to.to_string();
    }
}

/// As [`rename_parent`], for every table of a database.
pub fn follow_parent(database: &mut Database, from: &str, to: &str) {
    let refers = |table: &Table| table.foreign_keys.iter().any(|k| k.parent_table.eq_ignore_ascii_case(from));
    database.tables.update(refers, |table| rename_parent(table, from, to));
}
