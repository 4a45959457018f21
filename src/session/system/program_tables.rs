//! The tables of `information_schema` that list stored programs. There are functions; nothing else.

use super::schema_tables::{TypeFacts, type_facts};
use super::{Facts, Holds::*, SystemTable, text};
use crate::sql::{Collation, Database, Modes, Routine};
use crate::types::Value;
use std::sync::Arc;

const INFORMATION_SCHEMA: &str = "information_schema";

fn functions<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = (&'a Arc<Database>, &'a Arc<Routine>)> {
    facts.catalog.databases().flat_map(|d| d.routines.values().map(move |r| (d, r)))
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
        let row = |(database, routine): (&Arc<Database>, &Arc<Routine>)| {
            let modes = Modes::from_bits(routine.modes).to_string();
            let nature = &routine.nature;
            let name = || text(&routine.name);
            let mut row = vec![name(), text("def"), text(&database.name), name(), text("FUNCTION")];
            row.extend(type_cells(&type_facts(&routine.returns.ty)));
            row.extend([text(&routine.returns.ty.to_string()), text("SQL"), text(&format!("RETURN {}", routine.body))]);
            row.extend([Value::Null, text("SQL"), text("SQL")]);
            row.extend([text(if nature.deterministic { "YES" } else { "NO" }), text(&nature.access), Value::Null]);
            row.extend([text(if nature.invoker { "INVOKER" } else { "DEFINER" })]);
            row.extend([text(&routine.created), text(&routine.created), text(&modes), text(&nature.comment)]);
            row.extend(["root@%", "utf8mb4", Collation::DEFAULT, database.collation.name()].map(text));
            row
        };
        functions(facts).map(row).collect()
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
        for (database, routine) in functions(facts) {
            // What it returns is parameter zero, without name and mode.
            for (place, column) in std::iter::once(&routine.returns).chain(&routine.parameters).enumerate() {
                let place = i64::try_from(place).unwrap_or(i64::MAX);
                let mut row = vec![text("def"), text(&database.name), text(&routine.name), Value::Int(place)];
                row.extend(if place == 0 { [Value::Null, Value::Null] } else { [text("IN"), text(&column.name)] });
                row.extend(type_cells(&type_facts(&column.ty)));
                row.extend([text(&column.ty.to_string()), text("FUNCTION")]);
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
    rows: nothing,
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
