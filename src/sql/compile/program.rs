//! Schema changes of stored programs. They change the catalog alone: SQLite knows of none of them.

use super::key::check_name;
use crate::sql::catalog::Database;
use crate::sql::definition::TypeDefinition;
use crate::sql::error::{Error, Warning};
use crate::sql::parse::{CreateProgram, CreateTrigger, NatureChange};
use crate::sql::program::{ProgramParameter, StoredKind, StoredProgram, Trigger, compile_program, variable_column};
use crate::sql::routine::{Nature, Routine};
use crate::sql::schema_change::{CompileContext, SchemaProgram};
use std::sync::Arc;

fn exists(kind: StoredKind, name: &str) -> Error {
    match kind {
        StoredKind::Trigger => Error { code: 1359, state: "HY000", message: "Trigger already exists".to_string() },
        _ => Error { code: 1304, state: "42000", message: format!("{} {name} already exists", kind.name()) },
    }
}

fn missing(database: &Database, kind: StoredKind, name: &str) -> Error {
    match kind {
        StoredKind::Trigger => Error { code: 1360, state: "HY000", message: "Trigger does not exist".to_string() },
        _ => Error::no_such_program(kind.name(), format!("{}.{name}", database.name)),
    }
}

/// The moment of a change, as a program remembers it.
fn moment(context: &CompileContext<'_>) -> String {
    context.now.get(..19).unwrap_or(&context.now).to_string()
}

/// `Some`: it exists and may.
///
/// # Errors
/// 1304 and 1359 for a name that is taken, 1059, 1330 for two parameters of one name, 1146, 1347, 1435 and 3011 of triggers,
/// and everything that compiling the body finds.
pub fn create_program(
    database: &Database,
    create: &CreateProgram,
    modes: u32,
    context: &mut CompileContext<'_>,
    program: &mut SchemaProgram,
) -> Result<Option<Warning>, Error> {
    let (kind, name) = (create.kind, &create.name.name);
    check_name(name)?;
    let function = (kind == StoredKind::Function).then(|| database.routine(name)).flatten();
    let old = database.program(kind, name);
    if function.is_some() || old.is_some() {
        match (create.replace, create.if_not_exists) {
            (true, _) => {
                program.catalog.remove_routines.extend(function.map(|r| r.name.clone()));
                program.catalog.remove_programs.push((kind, name.clone()));
            }
            (false, true) => return Ok(Some(Warning::note(exists(kind, name)))),
            (false, false) => return Err(exists(kind, name)),
        }
    }
    let mut column = |name: &str, ty: &TypeDefinition| {
        variable_column(name, ty, &database.collation, context.modes, &mut context.warnings)
    };
    let mut parameters: Vec<ProgramParameter> = Vec::new();
    for (mode, name, ty) in &create.parameters {
        if parameters.iter().any(|p| p.column.name.eq_ignore_ascii_case(name)) {
            return Err(Error { code: 1330, state: "42000", message: format!("Duplicate parameter: {name}") });
        }
        parameters.push(ProgramParameter { mode: *mode, column: column(name, ty)? });
    }
    let returns = create.returns.as_ref().map(|ty| column(name, ty)).transpose()?;
    let trigger = match &create.trigger {
        Some(trigger) => Some(place_trigger(database, name, trigger, program)?),
        None => None,
    };
    let now = moment(context);
    let stored = StoredProgram {
        kind,
        name: name.clone(),
        parameters,
        parameter_text: create.parameter_text.clone(),
        returns,
        trigger,
        body: create.body.clone(),
        modes,
        nature: create.nature.clone(),
        definer: create.definer.clone().unwrap_or_else(|| context.definer.clone()),
        created: now.clone(),
        altered: now,
    };
    compile_program(&stored, database)?;
    program.catalog.upsert_programs.push(Arc::new(stored));
    Ok(None)
}

/// Checks the table of a trigger and finds its place among the others, which make room.
fn place_trigger(
    database: &Database,
    name: &str,
    create: &CreateTrigger,
    program: &mut SchemaProgram,
) -> Result<Trigger, Error> {
    let table = &create.table.name;
    if create.table.database.as_deref().is_some_and(|d| d != &*database.name) {
        return Err(Error { code: 1435, state: "HY000", message: "Trigger in wrong schema".to_string() });
    }
    if database.views.contains_key(table) {
        return Err(Error::not_a_table(&database.name, table));
    }
    if !database.tables.contains_key(table) {
        return Err(Error::no_such_table(format!("{}.{table}", database.name)));
    }
    let mut new = Trigger { table: table.clone(), before: create.before, event: create.event, order: 1 };
    let replaced = |p: &StoredProgram| p.name.eq_ignore_ascii_case(name);
    let mut others: Vec<(&Arc<StoredProgram>, &Trigger)> =
        database.triggers(table).filter(|(p, t)| new.is_beside(t) && !replaced(p)).collect();
    others.sort_by_key(|(_, t)| t.order);
    let place = match &create.beside {
        None => others.len(),
        Some((follows, other)) => {
            let found = others.iter().position(|(p, _)| p.name.eq_ignore_ascii_case(other));
            let missing = || {
                let what = "for the given action time and event type does not exist.";
                Error { code: 3011, state: "HY000", message: format!("Referenced trigger '{other}' {what}") }
            };
            found.ok_or_else(missing)? + usize::from(*follows)
        }
    };
    let order = |at: usize| u32::try_from(at + 1).unwrap_or(u32::MAX);
    new.order = order(place);
    for (at, (other, trigger)) in others.iter().enumerate() {
        let at = order(if at < place { at } else { at + 1 });
        if trigger.order != at {
            let trigger = Some(Trigger { order: at, ..(*trigger).clone() });
            program.catalog.upsert_programs.push(Arc::new(StoredProgram { trigger, ..(***other).clone() }));
        }
    }
    Ok(new)
}

/// # Errors
/// 1305 for what is missing.
pub fn alter_program(
    database: &Database,
    kind: StoredKind,
    name: &str,
    change: &NatureChange,
    context: &CompileContext<'_>,
    program: &mut SchemaProgram,
) -> Result<(), Error> {
    let altered = |nature: &Nature| Nature {
        deterministic: nature.deterministic,
        access: change.access.clone().unwrap_or_else(|| nature.access.clone()),
        invoker: change.invoker.unwrap_or(nature.invoker),
        comment: change.comment.clone().unwrap_or_else(|| nature.comment.clone()),
    };
    if let Some(old) = database.program(kind, name) {
        let new = StoredProgram { nature: altered(&old.nature), altered: moment(context), ..(**old).clone() };
        program.catalog.upsert_programs.push(Arc::new(new));
        return Ok(());
    }
    match database.routine(name).filter(|_| kind == StoredKind::Function) {
        Some(old) => {
            let new = Routine { nature: altered(&old.nature), ..(**old).clone() };
            program.catalog.upsert_routines.push(Arc::new(new));
            Ok(())
        }
        None => Err(missing(database, kind, name)),
    }
}

/// `Some`: there is none, and need not be.
///
/// # Errors
/// 1305, 1360 for what is missing.
pub fn drop_program(
    database: &Database,
    kind: StoredKind,
    name: &str,
    if_exists: bool,
    program: &mut SchemaProgram,
) -> Result<Option<Warning>, Error> {
    if database.program(kind, name).is_some() {
        program.catalog.remove_programs.push((kind, name.to_string()));
        return Ok(None);
    }
    match database.routine(name).filter(|_| kind == StoredKind::Function) {
        Some(routine) => {
            program.catalog.remove_routines.push(routine.name.clone());
            Ok(None)
        }
        None if if_exists => Ok(Some(Warning::note(missing(database, kind, name)))),
        None => Err(missing(database, kind, name)),
    }
}

/// The triggers of a table go with it.
pub fn drop_triggers(database: &Database, table: &str, program: &mut SchemaProgram) {
    let names = database.triggers(table).map(|(p, _)| (StoredKind::Trigger, p.name.clone()));
    program.catalog.remove_programs.extend(names);
}

/// The triggers of a table follow it to its new name, in `after` and in the program.
pub fn follow_table(after: &mut Database, from: &str, to: &str, program: &mut SchemaProgram) {
    let moved: Vec<Arc<StoredProgram>> = after
        .triggers(from)
        .map(|(stored, trigger)| {
            let trigger = Some(Trigger { table: to.to_string(), ..trigger.clone() });
            Arc::new(StoredProgram { trigger, ..(**stored).clone() })
        })
        .collect();
    for stored in moved {
        after.programs.insert((StoredKind::Trigger, stored.name.to_lowercase()), stored.clone());
        program.catalog.upsert_programs.push(stored);
    }
}
