//! The tables of `information_schema` that list stored programs. There are no events.

use super::schema_tables::{TypeFacts, type_facts};
use super::{Facts, Holds::*, SystemTable, text};
use crate::sql::{Collation, Column, Database, Modes, Nature, ParameterMode, Privileges, StoredKind};
use crate::types::Value;
use std::borrow::Cow;

const INFORMATION_SCHEMA: &str = "information_schema";

/// A routine of any kind, as these tables have it.
struct Shown<'a> {
    database: &'a Database,
    kind: StoredKind,
    name: &'a str,
    parameters: Vec<(ParameterMode, &'a Column)>,
    returns: Option<&'a Column>,
    body: String,
    modes: u32,
    nature: &'a Nature,
    definer: Cow<'a, str>,
    created: &'a str,
    altered: &'a str,
}

fn routines<'a>(facts: &'a Facts<'_>) -> Vec<Shown<'a>> {
    let mut all = Vec::new();
    for database in facts.catalog.databases() {
        let programs = database.programs.values().filter(|p| p.kind != StoredKind::Trigger);
        all.extend(programs.map(|p| Shown {
            database,
            kind: p.kind,
            name: &p.name,
            parameters: p.parameters.iter().map(|p| (p.mode, &p.column)).collect(),
            returns: p.returns.as_ref(),
            body: p.body.clone(),
            modes: p.modes,
            nature: &p.nature,
            definer: p.definer.as_str().into(),
            created: &p.created,
            altered: &p.altered,
        }));
        all.extend(database.routines.values().map(|r| Shown {
            database,
            kind: StoredKind::Function,
            name: &r.name,
            parameters: r.parameters.iter().map(|p| (ParameterMode::In, p)).collect(),
            returns: Some(&r.returns),
            body: format!("RETURN {}", r.body),
            modes: r.modes,
            nature: &r.nature,
            definer: database.definer(&format!("{}()", r.name)).to_string().into(),
            created: &r.created,
            altered: &r.created,
        }));
    }
    all
}

/// `DATA_TYPE` to `COLLATION_NAME`.
fn type_cells(facts: &TypeFacts) -> Vec<Value> {
    let f = facts.clone();
    vec![f.name, f.characters, f.octets, f.precision, f.scale, f.fraction, f.charset, f.collation]
}

fn nothing(_: &Facts<'_>) -> Vec<Vec<Value>> {
    Vec::new()
}

pub const ROUTINES: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "ROUTINES",
    columns: &[
        ("SPECIFIC_NAME", Text(64)),
        ("ROUTINE_CATALOG", Text(64)),
        ("ROUTINE_SCHEMA", Text(64)),
        ("ROUTINE_NAME", Text(64)),
        ("ROUTINE_TYPE", Text(13)),
        ("DATA_TYPE", Long),
        ("CHARACTER_MAXIMUM_LENGTH", Big),
        ("CHARACTER_OCTET_LENGTH", Big),
        ("NUMERIC_PRECISION", Unsigned),
        ("NUMERIC_SCALE", Unsigned),
        ("DATETIME_PRECISION", Unsigned),
        ("CHARACTER_SET_NAME", Text(64)),
        ("COLLATION_NAME", Text(64)),
        ("DTD_IDENTIFIER", Long),
        ("ROUTINE_BODY", Text(8)),
        ("ROUTINE_DEFINITION", Long),
        ("EXTERNAL_NAME", Text(64)),
        ("EXTERNAL_LANGUAGE", Text(64)),
        ("PARAMETER_STYLE", Text(8)),
        ("IS_DETERMINISTIC", Text(3)),
        ("SQL_DATA_ACCESS", Text(64)),
        ("SQL_PATH", Text(64)),
        ("SECURITY_TYPE", Text(7)),
        ("CREATED", Time),
        ("LAST_ALTERED", Time),
        ("SQL_MODE", Long),
        ("ROUTINE_COMMENT", Long),
        ("DEFINER", Text(288)),
        ("CHARACTER_SET_CLIENT", Text(64)),
        ("COLLATION_CONNECTION", Text(64)),
        ("DATABASE_COLLATION", Text(64)),
    ],
    rows: |facts| {
        let row = |r: Shown<'_>| {
            let modes = Modes::from_bits(r.modes).to_string();
            let name = || text(r.name);
            let mut row = vec![name(), text("def"), text(&r.database.name), name(), text(r.kind.name())];
            match r.returns {
                Some(column) => {
                    row.extend(type_cells(&type_facts(&column.ty)));
                    row.push(text(&column.ty.to_string()));
                }
                // A procedure has no type of its own.
                None => row.extend(std::iter::once(text("")).chain(std::iter::repeat_n(Value::Null, 8))),
            }
            let writes = Privileges::CREATE_ROUTINE | Privileges::ALTER_ROUTINE;
            let shown = !(facts.rights.on_database(&r.database.name) & writes).is_empty();
            let body = if shown { text(&r.body) } else { Value::Null };
            row.extend([text("SQL"), body, Value::Null, text("SQL"), text("SQL")]);
            let deterministic = if r.nature.deterministic { "YES" } else { "NO" };
            row.extend([text(deterministic), text(&r.nature.access), Value::Null]);
            row.extend([text(if r.nature.invoker { "INVOKER" } else { "DEFINER" })]);
            row.extend([text(r.created), text(r.altered), text(&modes), text(&r.nature.comment)]);
            row.extend([&*r.definer, "utf8mb4", Collation::DEFAULT, r.database.collation.name()].map(text));
            row
        };
        routines(facts).into_iter().map(row).collect()
    },
};

pub const PARAMETERS: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "PARAMETERS",
    columns: &[
        ("SPECIFIC_CATALOG", Text(64)),
        ("SPECIFIC_SCHEMA", Text(64)),
        ("SPECIFIC_NAME", Text(64)),
        ("ORDINAL_POSITION", Unsigned),
        ("PARAMETER_MODE", Text(5)),
        ("PARAMETER_NAME", Text(64)),
        ("DATA_TYPE", Long),
        ("CHARACTER_MAXIMUM_LENGTH", Big),
        ("CHARACTER_OCTET_LENGTH", Big),
        ("NUMERIC_PRECISION", Unsigned),
        ("NUMERIC_SCALE", Unsigned),
        ("DATETIME_PRECISION", Unsigned),
        ("CHARACTER_SET_NAME", Text(64)),
        ("COLLATION_NAME", Text(64)),
        ("DTD_IDENTIFIER", Long),
        ("ROUTINE_TYPE", Text(9)),
    ],
    rows: |facts| {
        let mut rows = Vec::new();
        for routine in routines(facts) {
            // What it returns is parameter zero, without name and mode.
            let returns = routine.returns.map(|column| (None, column));
            let given = routine.parameters.iter().map(|(mode, column)| (Some(mode), *column));
            let first = usize::from(returns.is_none());
            for (place, (mode, column)) in returns.into_iter().chain(given).enumerate() {
                let place = i64::try_from(place + first).unwrap_or(i64::MAX);
                let mut row = vec![text("def"), text(&routine.database.name), text(routine.name), Value::Int(place)];
                row.extend(match mode {
                    None => [Value::Null, Value::Null],
                    Some(mode) => [text(mode.name()), text(&column.name)],
                });
                row.extend(type_cells(&type_facts(&column.ty)));
                row.extend([text(&column.ty.to_string()), text(routine.kind.name())]);
                rows.push(row);
            }
        }
        rows
    },
};

pub const TRIGGERS: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "TRIGGERS",
    columns: &[
        ("TRIGGER_CATALOG", Text(64)),
        ("TRIGGER_SCHEMA", Text(64)),
        ("TRIGGER_NAME", Text(64)),
        ("EVENT_MANIPULATION", Text(6)),
        ("EVENT_OBJECT_CATALOG", Text(64)),
        ("EVENT_OBJECT_SCHEMA", Text(64)),
        ("EVENT_OBJECT_TABLE", Text(64)),
        ("ACTION_ORDER", Unsigned),
        ("ACTION_CONDITION", Long),
        ("ACTION_STATEMENT", Long),
        ("ACTION_ORIENTATION", Text(9)),
        ("ACTION_TIMING", Text(6)),
        ("ACTION_REFERENCE_OLD_TABLE", Text(64)),
        ("ACTION_REFERENCE_NEW_TABLE", Text(64)),
        ("ACTION_REFERENCE_OLD_ROW", Text(3)),
        ("ACTION_REFERENCE_NEW_ROW", Text(3)),
        ("CREATED", Time),
        ("SQL_MODE", Long),
        ("DEFINER", Text(288)),
        ("CHARACTER_SET_CLIENT", Text(64)),
        ("COLLATION_CONNECTION", Text(64)),
        ("DATABASE_COLLATION", Text(64)),
    ],
    rows: |facts| {
        let mut rows = Vec::new();
        for database in facts.catalog.databases() {
            for (program, trigger) in database.programs.values().filter_map(|p| p.trigger.as_ref().map(|t| (p, t))) {
                let modes = Modes::from_bits(program.modes).to_string();
                let mut row = vec![text("def"), text(&database.name), text(&program.name), text(trigger.event.name())];
                row.extend([text("def"), text(&database.name), text(&trigger.table)]);
                row.extend([Value::Int(i64::from(trigger.order)), Value::Null, text(&program.body), text("ROW")]);
                row.extend([text(trigger.timing()), Value::Null, Value::Null, text("OLD"), text("NEW")]);
                row.extend([text(&format!("{}.00", program.created)), text(&modes), text(&program.definer)]);
                row.extend(["utf8mb4", Collation::DEFAULT, database.collation.name()].map(text));
                rows.push(row);
            }
        }
        rows
    },
};

pub const EVENTS: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "EVENTS",
    columns: &[
        ("EVENT_CATALOG", Text(64)),
        ("EVENT_SCHEMA", Text(64)),
        ("EVENT_NAME", Text(64)),
        ("DEFINER", Text(288)),
        ("TIME_ZONE", Text(64)),
        ("EVENT_BODY", Text(3)),
        ("EVENT_DEFINITION", Long),
        ("EVENT_TYPE", Text(9)),
        ("EXECUTE_AT", Time),
        ("INTERVAL_VALUE", Text(256)),
        ("INTERVAL_FIELD", Text(18)),
        ("SQL_MODE", Long),
        ("STARTS", Time),
        ("ENDS", Time),
        ("STATUS", Text(18)),
        ("ON_COMPLETION", Text(12)),
        ("CREATED", Time),
        ("LAST_ALTERED", Time),
        ("LAST_EXECUTED", Time),
        ("EVENT_COMMENT", Text(2048)),
        ("ORIGINATOR", Unsigned),
        ("CHARACTER_SET_CLIENT", Text(64)),
        ("COLLATION_CONNECTION", Text(64)),
        ("DATABASE_COLLATION", Text(64)),
    ],
    rows: nothing,
};
