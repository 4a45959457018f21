//! Schema changes of stored functions. Like views they change the catalog alone.

use super::collation::resolve_type;
use super::key::check_name;
use crate::sql::catalog::{Column, Database};
use crate::sql::definition::TypeDefinition;
use crate::sql::error::{Error, Warning};
use crate::sql::parse::CreateFunction;
use crate::sql::routine::Routine;
use crate::sql::schema_change::{CompileContext, SchemaProgram};
use crate::types::ColumnId;
use std::sync::Arc;

/// `Some`: it exists and may.
///
/// # Errors
/// 1304 for a name that is taken, 1059, 1331 for two parameters of one name, and those of types.
pub fn create_function(
    database: &Database,
    create: &CreateFunction,
    modes: u32,
    context: &mut CompileContext<'_>,
    program: &mut SchemaProgram,
) -> Result<Option<Warning>, Error> {
    let name = &create.name.name;
    check_name(name)?;
    if let Some(old) = database.routine(name) {
        let error = Error { code: 1304, state: "42000", message: format!("FUNCTION {name} already exists") };
        match (create.replace, create.if_not_exists) {
            (true, _) => program.catalog.remove_routines.push(old.name.clone()),
            (false, true) => return Ok(Some(Warning::note(error))),
            (false, false) => return Err(error),
        }
    }
    let mut column = |name: &str, ty: &TypeDefinition| -> Result<Column, Error> {
        Ok(Column {
            id: ColumnId(0),
            name: name.to_string(),
            ty: resolve_type(ty, &database.collation, name, context.modes, &mut context.warnings)?,
            nullable: true,
            default: None,
            on_update: None,
            auto_increment: false,
            comment: String::new(),
            invisible: false,
        })
    };
    let mut parameters: Vec<Column> = Vec::new();
    for (name, ty) in &create.parameters {
        if parameters.iter().any(|p| p.name.eq_ignore_ascii_case(name)) {
            return Err(Error { code: 1330, state: "42000", message: format!("Duplicate parameter: {name}") });
        }
        parameters.push(column(name, ty)?);
    }
    program.catalog.upsert_routines.push(Arc::new(Routine {
        name: name.clone(),
        parameters,
        returns: column(name, &create.returns)?,
        body: create.body.clone(),
        modes,
        nature: create.nature.clone(),
        created: context.now.get(..19).unwrap_or(&context.now).to_string(),
    }));
    Ok(None)
}

/// `Some`: there is none, and need not be.
///
/// # Errors
/// 1305 for what is missing.
pub fn drop_function(
    database: &Database,
    name: &str,
    if_exists: bool,
    program: &mut SchemaProgram,
) -> Result<Option<Warning>, Error> {
    match database.routine(name) {
        Some(routine) => program.catalog.remove_routines.push(routine.name.clone()),
        None => {
            let error = Error::no_such_program("FUNCTION", format!("{}.{name}", database.name));
            return if if_exists { Ok(Some(Warning::note(error))) } else { Err(error) };
        }
    }
    Ok(None)
}
