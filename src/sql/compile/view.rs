//! Schema changes of views. They change the catalog alone: a view is put in place of its name by the translator.

use super::definition::check_table_name;
use super::table::table_exists;
use crate::sql::catalog::{Database, View};
use crate::sql::error::{Error, Warning};
use crate::sql::parse::ViewVerb;
use crate::sql::schema_change::SchemaProgram;
use std::sync::Arc;

/// `Some`: it exists and may.
///
/// # Errors
/// 1050 where a table or view has the name, 1347 where a table has the name of the view to replace, 1146 where there is
/// none to alter.
pub fn create_view(
    database: &Database,
    verb: ViewVerb,
    if_not_exists: bool,
    view: &View,
    program: &mut SchemaProgram,
) -> Result<Option<Warning>, Error> {
    check_table_name(&view.name)?;
    if verb == (ViewVerb::Create { replace: false })
        && let Some(note) = table_exists(database, &view.name, if_not_exists)?
    {
        return Ok(Some(note));
    }
    if let Some(table) = database.table_ignoring_case(&view.name) {
        return Err(Error::not_a_view(&database.name, &table.name));
    }
    let old = database.view_ignoring_case(&view.name);
    if verb == ViewVerb::Alter && old.is_none() {
        return Err(Error::no_such_table(format!("{}.{}", database.name, view.name)));
    }
    program.catalog.remove_views.extend(old.map(|v| v.name.clone()));
    program.catalog.upsert_views.push(Arc::new(view.clone()));
    Ok(None)
}

/// # Errors
/// 1347 for a table, 1051 (MySQL's for views too) for what is missing.
pub fn drop_views(
    database: &Database,
    names: &[String],
    if_exists: bool,
    program: &mut SchemaProgram,
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    if let Some(table) = names.iter().find(|n| database.tables.contains_key(n)) {
        return Err(Error::not_a_view(&database.name, table));
    }
    let missing: Vec<String> =
        names.iter().filter(|n| !database.views.contains_key(*n)).map(|n| format!("{}.{n}", database.name)).collect();
    if !missing.is_empty() && !if_exists {
        return Err(Error::unknown_table_on_drop(missing.join(",")));
    }
    warnings.extend(missing.iter().map(|n| Warning::note(Error::unknown_table_on_drop(n))));
    program.catalog.remove_views.extend(names.iter().filter(|n| database.views.contains_key(*n)).cloned());
    program.catalog.remove_views.dedup();
    Ok(())
}
