//! Schema changes of stored functions. Like views they change the catalog alone.

use super::key::check_name;
use crate::sql::catalog::{Column, Database};
use crate::sql::definition::TypeDefinition;
use crate::sql::error::{Error, Warning};
use crate::sql::parse::CreateFunction;
use crate::sql::program::{StoredKind, variable_column};
use crate::sql::routine::Routine;
use crate::sql::schema_change::{CompileContext, SchemaProgram};
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
    let old = database.routine(name);
    if old.is_some() || database.program(StoredKind::Function, name).is_some() {
        let error = Error { code: 1304, state: "42000", message: format!("FUNCTION {name} already exists") };
        match (create.replace, create.if_not_exists) {
            (true, _) => {
                program.catalog.remove_routines.extend(old.map(|r| r.name.clone()));
                program.catalog.remove_programs.push((StoredKind::Function, name.clone()));
            }
            (false, true) => return Ok(Some(Warning::note(error))),
            (false, false) => return Err(error),
        }
    }
    let mut column = |name: &str, ty: &TypeDefinition| {
        variable_column(name, ty, &database.collation, context.modes, &mut context.warnings)
    };
    let mut parameters: Vec<Column> = Vec::new();
    for (name, ty) in &create.parameters {
        if parameters.iter().any(|p| p.name.eq_ignore_ascii_case(name)) {
            return Err(Error { code: 1330, state: "42000", message: format!("Duplicate parameter: {name}") });
        }
        parameters.push(column(name, ty)?);
    }
    let definer = create.definer.clone().unwrap_or_else(|| context.definer.clone());
    program.catalog.definers.push((format!("{name}()"), definer));
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
