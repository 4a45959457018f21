//! ALTER TABLE: clauses applied one by one to the definition, then the least work that takes the file there.

use super::collation::{resolve_collation, with_collation};
use super::definition::{add_column, add_inline_key, change_options, check_table_name, checked_default, column_of};
use super::drop::{drop_checks, drop_column, drop_constraint, index_position};
use super::foreign_key::{add_check, add_foreign_key};
use super::key::{add_key, check_table};
use super::relocate::{follow_parent, rename_parent};
use super::rename::{rename_columns, rename_own_parent_column, rename_parent_column, renames_missing};
use super::sqlite_table::{column_definition, create_index, create_table, index_name, is_widening, parenthesised};
use crate::sql::alteration::{Alteration, Place};
use crate::sql::catalog::{Catalog, CheckPlace, Column, ColumnDefault, Database, HIDDEN_KEY, Table};
use crate::sql::error::{Error, Warning};
use crate::sql::schema_change::{CompileContext, SchemaProgram};
use crate::sql::storage_rule::Rule;
use crate::sql::translate::{constant_expression, quote_name, quote_text, quote_value};
use crate::types::{CollationRules, ColumnId};
use std::sync::Arc;

/// The name of a table while it is rebuilt.
const REBUILT: &str = "__marmot_rebuilt";

/// Compiles the clauses into `program`; false if they change nothing.
pub fn alter_table(
    catalog: &Catalog,
    database: &Database,
    old: &Arc<Table>,
    alterations: &[Alteration],
    context: &mut CompileContext<'_>,
    program: &mut SchemaProgram,
    warnings: &mut Vec<Warning>,
) -> Result<bool, Error> {
    let mut new = (**old).clone();
    let mut explicit_null = Vec::new();
    let mut ordered: Vec<&Alteration> = alterations.iter().collect();
    ordered.sort_by_key(|a| step(a));
    let mut before = Step::DropKey;
    for alteration in ordered {
        let step = step(alteration);
        if before == Step::DropKey && step > before {
            // Those of the columns that go, unless a clause has dropped them.
            drop_checks(&mut new, alterations)?;
        }
        if before < Step::RenameKey && step >= Step::RenameKey {
            rename_columns(&mut new, alterations, warnings)?;
        }
        before = step;
        let Alteration::Guarded(guarded) = alteration else {
            apply(&mut new, alteration, catalog, database, context, &mut explicit_null)?;
            continue;
        };
        if renames_missing(guarded, old) {
            continue;
        }
        // A clause that fails may have changed something first.
        let before = new.clone();
        match apply(&mut new, guarded, catalog, database, context, &mut explicit_null) {
            Err(error) if names_what_is_missing_or_there(&error) => {
                new = before;
                warnings.push(Warning::note(error));
            }
            applied => applied?,
        }
    }
    if new.columns.is_empty() {
        return Err(Error::cannot_remove_all());
    }
    check_table(&mut new, |name| explicit_null.iter().any(|n: &String| n.eq_ignore_ascii_case(name)))?;
    super::definition::check_defaults(&new)?;
    for check in &new.checks {
        constant_expression(&check.expression, Some(&new), "check constraint")?;
    }
    if new == **old {
        return Ok(false);
    }
    if needs_rebuild(old, &new) {
        if key_identity(old) != key_identity(&new) {
            // Rows are known by another key from now on: another table, so that late rows by the old one are not taken.
            new.id = (context.fresh)();
        }
        rebuild(database, old, &new, &context.now, program)?;
    } else {
        change_in_place(database, old, &new, &context.now, program);
    }
    record(database, old, new, program);
    Ok(true)
}

/// What IF EXISTS and IF NOT EXISTS are about: unknown column, duplicate column, key and primary key, nothing to drop,
/// unknown key, duplicate foreign key, unknown constraint, duplicate check.
fn names_what_is_missing_or_there(error: &Error) -> bool {
    matches!(error.code, 1054 | 1060 | 1061 | 1068 | 1091 | 1176 | 1826 | 3940 | 3822)
}

/// The clauses of one statement are carried out in this order: what it names is what was there before, and a column or key
/// can be replaced by another of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    DropKey,
    DropColumn,
    RenameKey,
    /// What is there changes, and columns are added: a new one may stand after one that moves.
    Columns,
    AddKey,
    Table,
}

fn step(alteration: &Alteration) -> Step {
    match alteration.inner() {
        Alteration::DropKey(_)
        | Alteration::DropPrimaryKey
        | Alteration::DropForeignKey(_)
        | Alteration::DropCheck(_)
        | Alteration::DropConstraint(_) => Step::DropKey,
        Alteration::DropColumn(_) => Step::DropColumn,
        Alteration::RenameKey { .. } => Step::RenameKey,
        Alteration::AddColumn { .. }
        | Alteration::ChangeColumn { .. }
        | Alteration::RenameColumn { .. }
        | Alteration::SetDefault { .. }
        | Alteration::DropDefault { .. }
        | Alteration::SetColumnVisible { .. } => Step::Columns,
        Alteration::AddKey(_)
        | Alteration::ReplaceKey(_)
        | Alteration::SetKeyVisible { .. }
        | Alteration::AddForeignKey(_)
        | Alteration::AddCheck(_)
        | Alteration::EnforceCheck { .. } => Step::AddKey,
        Alteration::RenameTable(_)
        | Alteration::MoveTable { .. }
        | Alteration::Options(_)
        | Alteration::ConvertTo { .. }
        | Alteration::Guarded(_)
        | Alteration::Nothing => Step::Table,
    }
}

/// The new table and the tables that refer to it, into the catalog change.
fn record(database: &Database, old: &Table, new: Table, program: &mut SchemaProgram) {
    let mut after = database.clone();
    after.tables.remove(&old.name);
    let (from, to) = (old.name.clone(), new.name.clone());
    let mut new = new;
    if from != to {
        rename_parent(&mut new, &from, &to);
        follow_parent(&mut after, &from, &to);
        super::program::follow_table(&mut after, &from, &to, program);
        program.catalog.remove.push(from);
    }
    for column in new.columns.clone() {
        let before = old.column_by_id(column.id).map(|c| c.name.clone());
        if let Some(before) = before.filter(|b| *b != column.name) {
            rename_parent_column(&mut after, &to, &before, &column.name);
            rename_own_parent_column(&mut new, &to, &before, &column.name);
        }
    }
    program.catalog.upsert = after.tables.unlike(&database.tables).map(|(_, t)| t.clone()).collect();
    program.catalog.upsert.push(Arc::new(new));
}

pub fn position(table: &Table, name: &str) -> Result<usize, Error> {
    match table.column(name) {
        Some((position, _)) => Ok(position),
        None => Err(Error::unknown_column(name, &table.name)),
    }
}

/// Moves the column at `from` to its place.
fn place_column(table: &mut Table, from: usize, place: &Place) -> Result<(), Error> {
    let column = table.columns.remove(from);
    let at = match place {
        Place::Last => Ok(table.columns.len()),
        Place::First => Ok(0),
        Place::After(name) => position(table, name).map(|i| i + 1),
    };
    match at {
        Ok(at) => {
            table.columns.insert(at, column);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn apply(
    table: &mut Table,
    alteration: &Alteration,
    catalog: &Catalog,
    database: &Database,
    context: &mut CompileContext<'_>,
    explicit_null: &mut Vec<String>,
) -> Result<(), Error> {
    match alteration {
        Alteration::AddColumn { column, place } => {
            add_column(table, column, context)?;
            add_inline_key(table, column)?;
            if column.nullable == Some(true) {
                explicit_null.push(column.name.clone());
            }
            let last = table.columns.len() - 1;
            place_column(table, last, place)
        }
        Alteration::DropColumn(name) => drop_column(table, name, database),
        Alteration::ChangeColumn { name, column, place } => {
            // It has its new name already, if it is there.
            let at = position(table, &column.name).map_err(|_| Error::unknown_column(name, &table.name))?;
            table.columns[at] = column_of(column, table.columns[at].id, &table.options.collation, context)?;
            add_inline_key(table, column)?;
            if column.nullable == Some(true) {
                explicit_null.push(column.name.clone());
            }
            match place {
                Some(place) => place_column(table, at, place),
                None => Ok(()),
            }
        }
        // Done before all others.
        Alteration::RenameColumn { .. } => Ok(()),
        Alteration::SetDefault { column, default } => {
            let at = position(table, column)?;
            let nullable = table.columns[at].nullable;
            table.columns[at].default = checked_default(&table.columns[at], nullable, default)?;
            Ok(())
        }
        Alteration::DropDefault { column } => {
            let at = position(table, column)?;
            table.columns[at].default = None;
            Ok(())
        }
        Alteration::SetColumnVisible { column, visible } => {
            let at = position(table, column)?;
            table.columns[at].invisible = !visible;
            Ok(())
        }
        Alteration::AddKey(key) => add_key(table, key).map(drop),
        Alteration::ReplaceKey(key) => {
            let name = key.name.as_deref().unwrap_or_default();
            if let Ok(at) = index_position(table, name) {
                table.indexes.remove(at);
            }
            add_key(table, key).map(drop)
        }
        Alteration::DropKey(name) => {
            let at = index_position(table, name)?;
            table.indexes.remove(at);
            Ok(())
        }
        Alteration::DropPrimaryKey => match table.primary.take() {
            Some(_) => Ok(()),
            None => Err(Error::cannot_drop("PRIMARY")),
        },
        Alteration::RenameKey { name, to } => {
            let at = table.indexes.iter().position(|i| i.name.eq_ignore_ascii_case(name));
            let Some(at) = at else { return Err(Error::no_such_key(name, &table.name)) };
            if to.is_empty() || to.eq_ignore_ascii_case("PRIMARY") {
                return Err(Error::wrong_name_for_index(to));
            }
            if table.indexes.iter().enumerate().any(|(i, x)| i != at && x.name.eq_ignore_ascii_case(to)) {
                return Err(Error::duplicate_key_name(to));
            }
            table.indexes[at].name.clone_from(to);
            Ok(())
        }
        Alteration::SetKeyVisible { name, visible } => {
            let at = table.indexes.iter().position(|i| i.name.eq_ignore_ascii_case(name));
            let Some(at) = at else { return Err(Error::no_such_key(name, &table.name)) };
            table.indexes[at].invisible = !visible;
            Ok(())
        }
        Alteration::AddForeignKey(key) => add_foreign_key(table, key, catalog, database, context.foreign_key_checks),
        Alteration::DropForeignKey(name) => {
            let at = table.foreign_keys.iter().position(|k| k.name.eq_ignore_ascii_case(name));
            table.foreign_keys.remove(at.ok_or_else(|| Error::cannot_drop(name))?);
            Ok(())
        }
        Alteration::AddCheck(check) => add_check(table, check),
        Alteration::DropCheck(name) => {
            let at = table.checks.iter().position(|c| c.name.eq_ignore_ascii_case(name));
            table.checks.remove(at.ok_or_else(|| Error::cannot_drop(name))?);
            Ok(())
        }
        Alteration::DropConstraint(name) => drop_constraint(table, name),
        Alteration::EnforceCheck { name, enforced } => {
            let check = table.checks.iter_mut().find(|c| c.name.eq_ignore_ascii_case(name));
            let check = check.ok_or_else(|| Error::cannot_drop(name))?;
            if check.enforced() != *enforced {
                check.place = if *enforced { CheckPlace::Table } else { CheckPlace::NotEnforced };
            }
            Ok(())
        }
        Alteration::MoveTable { .. } => Err(Error::unsupported("ALTER TABLE ... RENAME into another database")),
        Alteration::RenameTable(name) => {
            check_table_name(name)?;
            let other = database.table_ignoring_case(name).filter(|t| t.id != table.id);
            if other.is_some() || database.view_ignoring_case(name).is_some() {
                return Err(Error::table_exists(name));
            }
            table.name.clone_from(name);
            Ok(())
        }
        Alteration::Options(options) => change_options(&mut table.options, options),
        Alteration::ConvertTo { charset, collation } => {
            let new = resolve_collation(Some(charset), collation.as_deref())?.unwrap_or_default();
            table.columns.iter_mut().for_each(|c| with_collation(&mut c.ty, &new));
            table.options.collation = new;
            Ok(())
        }
        Alteration::Guarded(inner) => apply(table, inner, catalog, database, context, explicit_null),
        Alteration::Nothing => Ok(()),
    }
}

/// What identifies a row: the key columns' ids with their types and collations.
fn key_identity(table: &Table) -> Vec<(ColumnId, Option<crate::sql::column_type::ColumnType>)> {
    let columns = table.identity().into_iter().flat_map(|p| &p.columns);
    columns.map(|c| (c.column, table.column_by_id(c.column).map(|c| c.ty.clone()))).collect()
}

fn key_ids(table: &Table) -> Option<Vec<ColumnId>> {
    table.identity().map(|p| p.columns.iter().map(|c| c.column).collect())
}

fn needs_rebuild(old: &Table, new: &Table) -> bool {
    let enforced = |t: &Table| t.checks.iter().filter(|c| c.enforced()).cloned().collect::<Vec<_>>();
    let names_changed = new.columns.iter().any(|c| old.column_by_id(c.id).is_some_and(|o| o.name != c.name));
    if key_ids(old) != key_ids(new) || old.key_is_rowid() != new.key_is_rowid() {
        return true;
    }
    // Renaming rewrites SQLite's own text of checks and foreign keys, so only other changes count.
    if old.foreign_keys.len() != new.foreign_keys.len()
        || old.foreign_keys.iter().zip(&new.foreign_keys).any(|(a, b)| a.name != b.name)
    {
        return true;
    }
    let (before, after) = (enforced(old), enforced(new));
    if before.len() != after.len() || (!names_changed && before != after) {
        return true;
    }
    let dropped = old.columns.iter().filter(|c| new.column_by_id(c.id).is_none()).count();
    if dropped > 0 && !before.is_empty() {
        return true;
    }
    // With its type and NOT NULL: all of it is in SQLite's own text.
    let generated = |t: &Table| t.columns.iter().filter(|c| c.generated().is_some()).cloned().collect::<Vec<_>>();
    if generated(old) != generated(new) || dropped > 0 && !generated(old).is_empty() {
        return true;
    }
    new.columns.iter().filter(|c| c.generated().is_none()).any(|column| match old.column_by_id(column.id) {
        // SQLite adds a column only with a constant.
        None => matches!(column.default, Some(ColumnDefault::Expression(_))),
        Some(before) => before.nullable != column.nullable || !is_widening(&before.ty, &column.ty, new.collations),
    })
}

/// What existing rows of `old` get in a new column.
fn fill(column: &Column, now: &str, old: &Table) -> Result<String, Error> {
    Ok(match &column.default {
        Some(ColumnDefault::Constant(value)) => quote_value(value),
        Some(ColumnDefault::Now(fsp)) => {
            let digits = crate::sql::column_type::zeros(*fsp);
            quote_text(&format!("{}{digits}", now.get(..19).unwrap_or(now)))
        }
        Some(ColumnDefault::Expression(text)) => {
            let value = constant_expression(text, Some(old), "default value expression")?;
            format!("marmot_store({}, {value}, 1)", quote_text(&Rule::of(column, false).encode()))
        }
        None | Some(ColumnDefault::Generated { .. }) if column.nullable => "NULL".to_string(),
        None | Some(ColumnDefault::Generated { .. }) => quote_value(&column.ty.implicit_default()),
    })
}

fn change_in_place(database: &Database, old: &Table, new: &Table, now: &str, program: &mut SchemaProgram) {
    let db = quote_name(&database.name);
    let table = format!("{db}.{}", quote_name(&old.name));
    let statements = &mut program.statements;
    for index in old.secondary_indexes() {
        let same =
            new.secondary_indexes().any(|i| i.id == index.id && i.columns == index.columns && i.kind == index.kind);
        if !same {
            statements.push(format!("DROP INDEX IF EXISTS {db}.{}", quote_name(&index_name(old.id, index))));
        }
    }
    for column in &old.columns {
        if new.column_by_id(column.id).is_none() {
            statements.push(format!("ALTER TABLE {table} DROP COLUMN {}", quote_name(&column.name)));
        }
    }
    // Through names of their own, so that two columns may swap theirs.
    let renamed: Vec<(&Column, &Column)> = old
        .columns
        .iter()
        .filter_map(|c| new.column_by_id(c.id).filter(|n| n.name != c.name).map(|n| (c, n)))
        .collect();
    let swaps = renamed.iter().any(|(_, n)| renamed.iter().any(|(o, _)| o.name.eq_ignore_ascii_case(&n.name)));
    let rename =
        |from: &str, to: &str| format!("ALTER TABLE {table} RENAME COLUMN {} TO {}", quote_name(from), quote_name(to));
    if swaps {
        for (before, _) in &renamed {
            statements.push(rename(&before.name, &format!("__marmot_column_{}", before.id.0)));
        }
        for (before, after) in &renamed {
            statements.push(rename(&format!("__marmot_column_{}", before.id.0), &after.name));
        }
    } else {
        statements.extend(renamed.iter().map(|(before, after)| rename(&before.name, &after.name)));
    }
    for column in new.columns.iter().filter(|c| old.column_by_id(c.id).is_none()) {
        let constant = fill(column, now, old).unwrap_or_else(|_| "NULL".to_string());
        let plain = Column { default: None, ..column.clone() };
        let mut definition = column_definition(new, &plain);
        if constant != "NULL" {
            definition.push_str(&format!(" DEFAULT {}", parenthesised(&constant)));
        }
        statements.push(format!("ALTER TABLE {table} ADD COLUMN {definition}"));
    }
    for index in new.secondary_indexes() {
        let same =
            old.secondary_indexes().any(|i| i.id == index.id && i.columns == index.columns && i.kind == index.kind);
        if !same {
            statements.push(create_index(&database.name, new, &old.name, index));
        }
    }
    if old.name != new.name {
        statements.push(format!("ALTER TABLE {table} RENAME TO {}", quote_name(&new.name)));
    }
}

fn rebuild(database: &Database, old: &Table, new: &Table, now: &str, program: &mut SchemaProgram) -> Result<(), Error> {
    let db = quote_name(&database.name);
    let mut names = Vec::new();
    let mut cells = Vec::new();
    let mut order = String::new();
    if new.has_hidden_key() {
        names.push(quote_name(HIDDEN_KEY));
        cells.push(match old.identity() {
            None => quote_name(HIDDEN_KEY),
            // Numbered by the old key, so that all nodes give the same.
            Some(_) => {
                let keys: Vec<String> = old.key_columns().iter().map(|k| quote_name(k)).collect();
                order = format!(" ORDER BY {}", keys.join(", "));
                format!("row_number() OVER (ORDER BY {})", keys.join(", "))
            }
        });
    }
    for column in new.columns.iter().filter(|c| c.generated().is_none()) {
        names.push(quote_name(&column.name));
        let rowid = new.rowid_column().is_some_and(|c| c.id == column.id);
        cells.push(match old.column_by_id(column.id) {
            Some(before) => copied(before, column, rowid, new.collations),
            None if column.auto_increment => {
                // Existing rows are numbered in the order of their key.
                let keys: Vec<String> = old.key_columns().iter().map(|k| quote_name(k)).collect();
                format!("row_number() OVER (ORDER BY {})", keys.join(", "))
            }
            None => fill(column, now, old)?,
        });
    }
    let statements = &mut program.statements;
    statements.push(create_table(&database.name, new, REBUILT)?);
    statements.push(format!(
        "INSERT INTO {db}.{} ({}) SELECT {} FROM {db}.{}{order}",
        quote_name(REBUILT),
        names.join(", "),
        cells.join(", "),
        quote_name(&old.name)
    ));
    statements.push(format!("DROP TABLE {db}.{}", quote_name(&old.name)));
    statements.push(format!("ALTER TABLE {db}.{} RENAME TO {}", quote_name(REBUILT), quote_name(&new.name)));
    statements.extend(new.secondary_indexes().map(|i| create_index(&database.name, new, &new.name, i)));
    Ok(())
}

/// A cell of the old table as one of the new, by the rules of storing.
fn copied(before: &Column, after: &Column, rowid: bool, rules: CollationRules) -> String {
    let name = quote_name(&before.name);
    if before.ty == after.ty || is_widening(&before.ty, &after.ty, rules) {
        return name;
    }
    let value = match (before.ty.is_temporal(), after.ty.is_numeric()) {
        (true, true) => format!("marmot_temporal_number({name})"),
        _ => name,
    };
    let nullable = Rule { nullable: true, ..Rule::of(after, rowid) };
    format!("marmot_store({}, {value}, 0)", quote_text(&nullable.encode()))
}
