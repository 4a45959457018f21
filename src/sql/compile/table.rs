//! Schema changes of whole databases and tables, and the way to ALTER TABLE.

use super::alter::alter_table;
use super::definition::{check_table_name, new_table};
use super::foreign_key::children;
use super::relocate::{move_tables, rename_tables};
use super::sqlite_table::create_all;
use crate::sql::catalog::{Catalog, Database, RESERVED_PREFIX, Table};
use crate::sql::error::{Error, Warning};
use crate::sql::schema_change::{CompileContext, Compiled, ProgramKind, SchemaChange, SchemaProgram};
use crate::sql::translate::quote_name;
use crate::types::DatabaseName;
use std::sync::Arc;

/// See [`SchemaChange::compile`].
pub fn compile(change: &SchemaChange, catalog: &Catalog, context: &mut CompileContext<'_>) -> Result<Compiled, Error> {
    let mut program = SchemaProgram::new(change.database(), context);
    let nothing = |warnings| Ok(Compiled { program: None, warnings });
    let mut warnings = vec![];
    match change {
        SchemaChange::CreateDatabase { name, if_not_exists, collation } => {
            check_database_name(name)?;
            let clash = catalog.databases().find(|d| d.name.eq_ignore_ascii_case(name));
            if let Some(found) = clash {
                if found.system {
                    return Err(Error::access_denied_system(&found.name));
                }
                let error = Error::database_exists(&found.name);
                return if *if_not_exists { nothing(vec![Warning::note(error)]) } else { Err(error) };
            }
            program.kind = ProgramKind::CreateDatabase;
            program.catalog.collation = Some(collation.clone().unwrap_or_default());
        }
        SchemaChange::AlterDatabase { name, collation } => {
            writable(catalog, name)?;
            program.catalog.collation.clone_from(collation);
        }
        SchemaChange::DropDatabase { name, if_exists } => {
            let Some(database) = catalog.database(name) else {
                let error = Error::database_missing_on_drop(name);
                return if *if_exists { nothing(vec![Warning::note(error)]) } else { Err(error) };
            };
            if database.system {
                return Err(Error::access_denied_system(name));
            }
            program.kind = ProgramKind::DropDatabase;
        }
        SchemaChange::CreateTable { database, if_not_exists, replace, definition } => {
            let database = writable(catalog, database)?;
            if *replace {
                replace_table(database, &definition.name, context, &mut program)?;
            } else if let Some(note) = table_exists(database, &definition.name, *if_not_exists)? {
                return nothing(vec![note]);
            }
            let table = new_table(catalog, database, definition, context)?;
            program.statements.extend(create_all(&database.name, &table)?);
            program.catalog.upsert.push(Arc::new(table));
        }
        SchemaChange::CreateTableLike { database, name, if_not_exists, replace, source } => {
            let database = writable(catalog, database)?;
            check_table_name(name)?;
            let Some(model) = catalog.table(&source.0, &source.1) else {
                return Err(Error::no_such_table(format!("{}.{}", source.0, source.1)));
            };
            if (&database.name, name) == (&source.0, &source.1) {
                return Err(Error::not_unique_table(name));
            }
            if *replace {
                replace_table(database, name, context, &mut program)?;
            } else if let Some(note) = table_exists(database, name, *if_not_exists)? {
                return nothing(vec![note]);
            }
            let mut table = (**model).clone();
            table.name.clone_from(name);
            table.id = (context.fresh)();
            // LIKE copies everything but foreign keys; checks get names of their own.
            table.foreign_keys.clear();
            for (i, check) in table.checks.iter_mut().enumerate() {
                check.name = format!("{name}_chk_{}", i + 1);
            }
            table.options.auto_increment = None;
            table.options.created = context.now.get(..19).unwrap_or(&context.now).to_string();
            program.statements.extend(create_all(&database.name, &table)?);
            program.catalog.upsert.push(Arc::new(table));
        }
        SchemaChange::AlterTable { database, name, if_exists, alterations } => {
            let database = writable(catalog, database)?;
            let table = match existing(database, name) {
                Err(error) if *if_exists => return nothing(vec![Warning::note(error)]),
                table => table?,
            };
            if !alter_table(catalog, database, table, alterations, context, &mut program, &mut warnings)? {
                return nothing(warnings);
            }
        }
        SchemaChange::DropTables { database, names, if_exists } => {
            let database = writable(catalog, database)?;
            drop_tables(database, names, *if_exists, context, &mut program, &mut warnings)?;
            if program.statements.is_empty() {
                return nothing(warnings);
            }
        }
        SchemaChange::RenameTables { database, renames, if_exists } => {
            let database = writable(catalog, database)?;
            rename_tables(database, renames, *if_exists, &mut program, &mut warnings)?;
            if program.statements.is_empty() && program.catalog.upsert_views.is_empty() {
                return nothing(warnings);
            }
        }
        SchemaChange::MoveTables { from, to, renames, if_exists } => {
            let databases = (writable(catalog, from)?, writable(catalog, to)?);
            program.before = Some(Box::new(SchemaProgram::new(to, context)));
            if !move_tables(databases, renames, *if_exists, &mut program, &mut warnings)? {
                return nothing(warnings);
            }
        }
        SchemaChange::CreateView { database, verb, if_not_exists, view, definer } => {
            let database = writable(catalog, database)?;
            if let Some(note) = super::view::create_view(database, *verb, *if_not_exists, view, &mut program)? {
                return nothing(vec![note]);
            }
            let definer = definer.clone().unwrap_or_else(|| context.definer.clone());
            program.catalog.definers.push((view.name.clone(), definer));
        }
        SchemaChange::DropViews { database, names, if_exists } => {
            let database = writable(catalog, database)?;
            super::view::drop_views(database, names, *if_exists, &mut program, &mut warnings)?;
            if program.catalog.remove_views.is_empty() {
                return nothing(warnings);
            }
        }
        SchemaChange::CreateFunction { database, create, modes } => {
            let database = writable(catalog, database)?;
            if let Some(note) = super::routine::create_function(database, create, *modes, context, &mut program)? {
                return nothing(vec![note]);
            }
        }
        SchemaChange::CreateProgram { database, create, modes } => {
            let database = writable(catalog, database)?;
            if let Some(note) = super::program::create_program(database, create, *modes, context, &mut program)? {
                return nothing(vec![note]);
            }
        }
        SchemaChange::AlterProgram { database, kind, name, change } => {
            let database = writable(catalog, database)?;
            super::program::alter_program(database, *kind, name, change, context, &mut program)?;
        }
        SchemaChange::DropProgram { database, kind, name, if_exists } => {
            let database = writable(catalog, database)?;
            if let Some(note) = super::program::drop_program(database, *kind, name, *if_exists, &mut program)? {
                return nothing(vec![note]);
            }
        }
        SchemaChange::Truncate { database, name } => {
            let database = writable(catalog, database)?;
            let table = existing(database, name)?;
            if context.foreign_key_checks
                && let Some((_, key)) = children(database, name).next()
            {
                let message = format!(
                    "Cannot truncate a table referenced in a foreign key constraint (`{}`, CONSTRAINT `{}`)",
                    database.name, key.name
                );
                return Err(Error { code: 1701, state: "42000", message });
            }
            // Another table, as if dropped and made again: late rows of the old one must not come back.
            let mut fresh = (**table).clone();
            fresh.id = (context.fresh)();
            fresh.options.auto_increment = None;
            program.statements.push(format!(
                "DROP TABLE IF EXISTS {}.{}",
                quote_name(&database.name),
                quote_name(name)
            ));
            program.statements.extend(create_all(&database.name, &fresh)?);
            program.catalog.upsert.push(Arc::new(fresh));
        }
    }
    Ok(Compiled { program: Some(program), warnings })
}

/// A database's name is also a file's.
fn check_database_name(name: &str) -> Result<(), Error> {
    let lower = name.to_ascii_lowercase();
    let bad = name.is_empty()
        || name.chars().count() > 64
        || name.starts_with('.')
        || name.ends_with(' ')
        || name.chars().any(|c| c.is_control() || "/\\:*?\"<>|".contains(c))
        || lower.starts_with(RESERVED_PREFIX)
        || matches!(lower.as_str(), "main" | "temp");
    if bad { Err(Error::incorrect_database_name(name)) } else { Ok(()) }
}

fn writable<'c>(catalog: &'c Catalog, name: &DatabaseName) -> Result<&'c Database, Error> {
    match catalog.database(name) {
        None => Err(Error::unknown_database(name)),
        Some(database) if database.system => Err(Error::access_denied_system(name)),
        Some(database) => Ok(database),
    }
}

fn existing<'d>(database: &'d Database, name: &str) -> Result<&'d Arc<Table>, Error> {
    database.tables.get(name).ok_or_else(|| Error::no_such_table(format!("{}.{name}", database.name)))
}

/// `Some`: it exists and may. SQLite cannot hold two tables whose names differ only in case.
pub fn table_exists(database: &Database, name: &str, if_not_exists: bool) -> Result<Option<Warning>, Error> {
    if database.table_ignoring_case(name).is_none() && database.view_ignoring_case(name).is_none() {
        return Ok(None);
    }
    if if_not_exists { Ok(Some(Warning::note(Error::table_exists(name)))) } else { Err(Error::table_exists(name)) }
}

/// OR REPLACE: the table of that name goes, as by DROP TABLE, in the same step.
fn replace_table(
    database: &Database,
    name: &str,
    context: &CompileContext<'_>,
    program: &mut SchemaProgram,
) -> Result<(), Error> {
    if database.view_ignoring_case(name).is_some() {
        return Err(Error::table_exists(name));
    }
    match database.table_ignoring_case(name) {
        Some(table) => drop_tables(database, std::slice::from_ref(&table.name), false, context, program, &mut vec![]),
        None => Ok(()),
    }
}

fn drop_tables(
    database: &Database,
    names: &[String],
    if_exists: bool,
    context: &CompileContext<'_>,
    program: &mut SchemaProgram,
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    let missing: Vec<String> =
        names.iter().filter(|n| !database.tables.contains_key(n)).map(|n| format!("{}.{n}", database.name)).collect();
    if !missing.is_empty() && !if_exists {
        return Err(Error::unknown_table_on_drop(missing.join(",")));
    }
    warnings.extend(missing.iter().map(|n| Warning::note(Error::unknown_table_on_drop(n))));
    for name in names {
        if !database.tables.contains_key(name) || program.catalog.remove.contains(name) {
            continue;
        }
        let mut referring = children(database, name).filter(|(child, _)| !names.contains(&child.name));
        if context.foreign_key_checks
            && let Some((_, key)) = referring.next()
        {
            return Err(Error::foreign_key_parent(name, &key.name));
        }
        program.statements.push(format!("DROP TABLE IF EXISTS {}.{}", quote_name(&database.name), quote_name(name)));
        program.catalog.remove.push(name.clone());
        super::program::drop_triggers(database, name, program);
    }
    Ok(())
}
