//! The tables of `information_schema` that describe databases, tables, columns and keys.

use super::{Facts, Holds::*, SystemTable, text};
use crate::session::variables::charset;
use crate::sql::ColumnType;
use crate::sql::{Column, ColumnDefault, Database, Index, IndexKind, Table};
use crate::types::Value;

const INFORMATION_SCHEMA: &str = "information_schema";

pub const SCHEMATA: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "SCHEMATA",
    columns: &[
        ("CATALOG_NAME", Text(64)),
        ("SCHEMA_NAME", Text(64)),
        ("DEFAULT_CHARACTER_SET_NAME", Text(64)),
        ("DEFAULT_COLLATION_NAME", Text(64)),
        ("SQL_PATH", Text(512)),
        ("DEFAULT_ENCRYPTION", Text(3)),
    ],
    rows: |facts| {
        let row = |d: &std::sync::Arc<Database>| {
            vec![
                text("def"),
                text(&d.name),
                text(d.collation.charset()),
                text(d.collation.name()),
                Value::Null,
                text("NO"),
            ]
        };
        facts.catalog.databases().filter(|d| !crate::sql::is_temporary(&d.name)).map(row).collect()
    },
};

pub const TABLES: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "TABLES",
    columns: &[
        ("TABLE_CATALOG", Text(64)),
        ("TABLE_SCHEMA", Text(64)),
        ("TABLE_NAME", Text(64)),
        ("TABLE_TYPE", Text(11)),
        ("ENGINE", Text(64)),
        ("VERSION", Int),
        ("ROW_FORMAT", Text(10)),
        ("TABLE_ROWS", Unsigned),
        ("AVG_ROW_LENGTH", Unsigned),
        ("DATA_LENGTH", Unsigned),
        ("MAX_DATA_LENGTH", Unsigned),
        ("INDEX_LENGTH", Unsigned),
        ("DATA_FREE", Unsigned),
        ("AUTO_INCREMENT", Unsigned),
        ("CREATE_TIME", Time),
        ("UPDATE_TIME", Time),
        ("CHECK_TIME", Time),
        ("TABLE_COLLATION", Text(64)),
        ("CHECKSUM", Big),
        ("CREATE_OPTIONS", Text(256)),
        ("TABLE_COMMENT", Long),
    ],
    rows: |facts| {
        each_table(facts, |d, t, rows| {
            let option = |name: &str| t.options.others.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
            let options: Vec<String> =
                t.options.others.iter().map(|(n, v)| format!("{}={v}", n.to_lowercase())).collect();
            // Sizes and row counts would need a scan: unknown, which MySQL's documentation allows for them.
            if is_view(t) {
                let mut row = vec![Value::Null; TABLES.columns.len()];
                row[..4].clone_from_slice(&[text("def"), text(&d.name), text(&t.name), text("VIEW")]);
                row[TABLES.columns.len() - 1] = text("VIEW");
                rows.push(row);
                return;
            }
            rows.push(vec![
                text("def"),
                text(&d.name),
                text(&t.name),
                text(if d.system { "SYSTEM VIEW" } else { "BASE TABLE" }),
                if d.system { Value::Null } else { text(&t.options.engine) },
                Value::Int(10),
                text(option("ROW_FORMAT").unwrap_or("Dynamic")),
                Value::Null,
                Value::Null,
                Value::Int(0),
                Value::Int(0),
                Value::Int(0),
                Value::Int(0),
                t.options.auto_increment.and_then(|n| i64::try_from(n).ok()).map_or(Value::Null, Value::Int),
                text(&t.options.created),
                Value::Null,
                Value::Null,
                text(t.options.collation.name()),
                Value::Null,
                text(&options.join(" ")),
                text(&t.options.comment),
            ]);
        })
    },
};

pub const COLUMNS: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "COLUMNS",
    columns: &[
        ("TABLE_CATALOG", Text(64)),
        ("TABLE_SCHEMA", Text(64)),
        ("TABLE_NAME", Text(64)),
        ("COLUMN_NAME", Text(64)),
        ("ORDINAL_POSITION", Unsigned),
        ("COLUMN_DEFAULT", Long),
        ("IS_NULLABLE", Text(3)),
        ("DATA_TYPE", Long),
        ("CHARACTER_MAXIMUM_LENGTH", Big),
        ("CHARACTER_OCTET_LENGTH", Big),
        ("NUMERIC_PRECISION", Unsigned),
        ("NUMERIC_SCALE", Unsigned),
        ("DATETIME_PRECISION", Unsigned),
        ("CHARACTER_SET_NAME", Text(64)),
        ("COLLATION_NAME", Text(64)),
        ("COLUMN_TYPE", Long),
        ("COLUMN_KEY", Text(3)),
        ("EXTRA", Text(256)),
        ("PRIVILEGES", Text(154)),
        ("COLUMN_COMMENT", Long),
        ("GENERATION_EXPRESSION", Long),
        ("SRS_ID", Unsigned),
    ],
    rows: |facts| {
        each_table(facts, |d, t, rows| {
            for (column, place) in t.shown_columns().zip(1i64..) {
                rows.push(column_row(d, t, column, place));
            }
        })
    },
};

/// What the columns about a type say of one, from `DATA_TYPE` to `COLLATION_NAME`.
#[derive(Clone)]
pub struct TypeFacts {
    pub name: Value,
    pub characters: Value,
    pub octets: Value,
    pub precision: Value,
    pub scale: Value,
    pub fraction: Value,
    pub charset: Value,
    pub collation: Value,
}

pub fn type_facts(ty: &ColumnType) -> TypeFacts {
    let characters = ty.max_characters();
    let width = ty.collation().and_then(|c| charset::charset(c.charset())).map_or(1, |s| u64::from(s.max_length));
    let int = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let large = ty.is_large();
    // TEXT types are limited in bytes, CHAR types in characters.
    let octets = characters.map(|n| if large { n } else { n * width });
    let (precision, scale) = match ty {
        ColumnType::Integer { size, unsigned, .. } => {
            let digits = match (size.bits(), unsigned) {
                (8, _) => 3,
                (16, _) => 5,
                (24, _) => 7,
                (32, _) => 10,
                (_, false) => 19,
                (_, true) => 20,
            };
            (Value::Int(digits), Value::Int(0))
        }
        ColumnType::Decimal { precision, scale, .. } => {
            (Value::Int(i64::from(*precision)), Value::Int(i64::from(*scale)))
        }
        ColumnType::Float { double, display, .. } => match display {
            Some((m, d)) => (Value::Int(i64::from(*m)), Value::Int(i64::from(*d))),
            None => (Value::Int(if *double { 22 } else { 12 }), Value::Null),
        },
        ColumnType::Bit(bits) => (Value::Int(i64::from(*bits)), Value::Null),
        _ => (Value::Null, Value::Null),
    };
    let fraction = match ty {
        ColumnType::Time(n) | ColumnType::DateTime(n) | ColumnType::Timestamp(n) => Value::Int(i64::from(*n)),
        _ => Value::Null,
    };
    TypeFacts {
        name: text(ty.name()),
        characters: characters.map_or(Value::Null, int),
        octets: octets.map_or(Value::Null, int),
        precision,
        scale,
        fraction,
        charset: ty.collation().map_or(Value::Null, |c| text(c.charset())),
        collation: ty.collation().map_or(Value::Null, |c| text(c.name())),
    }
}

fn column_row(d: &Database, t: &Table, c: &Column, place: i64) -> Vec<Value> {
    let ty = &c.ty;
    let facts = type_facts(ty);
    vec![
        text("def"),
        text(&d.name),
        text(&t.name),
        text(&c.name),
        Value::Int(place),
        default_text(c),
        text(if c.nullable { "YES" } else { "NO" }),
        facts.name,
        facts.characters,
        facts.octets,
        facts.precision,
        facts.scale,
        facts.fraction,
        facts.charset,
        facts.collation,
        text(&ty.to_string()),
        text(column_key(t, c)),
        text(&extra(c)),
        text("select,insert,update,references"),
        text(&c.comment),
        text(c.generated().unwrap_or("")),
        Value::Null,
    ]
}

fn default_text(c: &Column) -> Value {
    match &c.default {
        None | Some(ColumnDefault::Constant(Value::Null) | ColumnDefault::Generated { .. }) => Value::Null,
        Some(ColumnDefault::Constant(Value::Text(t))) => Value::Text(t.clone()),
        Some(ColumnDefault::Constant(Value::Blob(b))) => text(&String::from_utf8_lossy(b)),
        Some(ColumnDefault::Constant(other)) => match c.ty.present(other.clone()) {
            Value::Text(t) => Value::Text(t),
            shown => text(&shown.to_string()),
        },
        Some(ColumnDefault::Now(0)) => text("CURRENT_TIMESTAMP"),
        Some(ColumnDefault::Now(fsp)) => text(&format!("CURRENT_TIMESTAMP({fsp})")),
        Some(ColumnDefault::Expression(e)) => text(e),
    }
}

/// `PRI`, `UNI`, `MUL` or nothing, as DESCRIBE shows it.
fn column_key(t: &Table, c: &Column) -> &'static str {
    if t.primary.as_ref().is_some_and(|p| p.columns.iter().any(|x| x.column == c.id)) {
        return "PRI";
    }
    let leading: Vec<&Index> =
        t.indexes.iter().filter(|i| i.columns.first().is_some_and(|x| x.column == c.id)).collect();
    match leading.iter().any(|i| i.kind == IndexKind::Unique && i.columns.len() == 1) {
        // MySQL promotes the first NOT NULL unique key of a table without a primary key.
        true if t.primary.is_none() && !c.nullable => "PRI",
        true => "UNI",
        false if leading.is_empty() => "",
        false => "MUL",
    }
}

fn extra(c: &Column) -> String {
    let mut words = Vec::new();
    if c.auto_increment {
        words.push("auto_increment".to_string());
    }
    if matches!(c.default, Some(ColumnDefault::Now(_) | ColumnDefault::Expression(_))) {
        words.push("DEFAULT_GENERATED".to_string());
    }
    if let Some(ColumnDefault::Generated { stored, .. }) = &c.default {
        words.push(if *stored { "STORED GENERATED" } else { "VIRTUAL GENERATED" }.to_string());
    }
    match c.on_update {
        Some(0) => words.push("on update CURRENT_TIMESTAMP".to_string()),
        Some(fsp) => words.push(format!("on update CURRENT_TIMESTAMP({fsp})")),
        None => {}
    }
    if c.invisible {
        words.push("INVISIBLE".to_string());
    }
    words.join(" ")
}

pub const STATISTICS: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "STATISTICS",
    columns: &[
        ("TABLE_CATALOG", Text(64)),
        ("TABLE_SCHEMA", Text(64)),
        ("TABLE_NAME", Text(64)),
        ("NON_UNIQUE", Int),
        ("INDEX_SCHEMA", Text(64)),
        ("INDEX_NAME", Text(64)),
        ("SEQ_IN_INDEX", Unsigned),
        ("COLUMN_NAME", Text(64)),
        ("COLLATION", Text(1)),
        ("CARDINALITY", Big),
        ("SUB_PART", Big),
        ("PACKED", Text(10)),
        ("NULLABLE", Text(3)),
        ("INDEX_TYPE", Text(11)),
        ("COMMENT", Text(8)),
        ("INDEX_COMMENT", Text(2048)),
        ("IS_VISIBLE", Text(3)),
        ("EXPRESSION", Long),
    ],
    rows: |facts| {
        each_table(facts, |d, t, rows| {
            for index in t.primary.iter().chain(&t.indexes) {
                for (part, place) in index.columns.iter().zip(1i64..) {
                    let column = t.column_by_id(part.column);
                    let nullable = index.kind != IndexKind::Primary && column.is_some_and(|c| c.nullable);
                    rows.push(vec![
                        text("def"),
                        text(&d.name),
                        text(&t.name),
                        Value::Int(i64::from(!index.kind.is_unique())),
                        text(&d.name),
                        text(&index.name),
                        Value::Int(place),
                        t.part_expression(part).map_or_else(|| text(t.name_of(part.column)), |_| Value::Null),
                        match (index.kind, part.descending) {
                            (IndexKind::FullText, _) => Value::Null,
                            (_, true) => text("D"),
                            (_, false) => text("A"),
                        },
                        Value::Int(0),
                        part.prefix.map_or(Value::Null, |n| Value::Int(i64::from(n))),
                        Value::Null,
                        text(if nullable { "YES" } else { "" }),
                        text(index.kind.structure()),
                        text(""),
                        text(&index.comment),
                        text(if index.invisible { "NO" } else { "YES" }),
                        t.part_expression(part).map_or(Value::Null, text),
                    ]);
                }
            }
        })
    },
};

pub const TABLE_CONSTRAINTS: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "TABLE_CONSTRAINTS",
    columns: &[
        ("CONSTRAINT_CATALOG", Text(64)),
        ("CONSTRAINT_SCHEMA", Text(64)),
        ("CONSTRAINT_NAME", Text(64)),
        ("TABLE_SCHEMA", Text(64)),
        ("TABLE_NAME", Text(64)),
        ("CONSTRAINT_TYPE", Text(11)),
        ("ENFORCED", Text(3)),
    ],
    rows: |facts| {
        each_table(facts, |d, t, rows| {
            let mut push = |name: &str, kind: &str, enforced: bool| {
                let enforced = text(if enforced { "YES" } else { "NO" });
                rows.push(vec![
                    text("def"),
                    text(&d.name),
                    text(name),
                    text(&d.name),
                    text(&t.name),
                    text(kind),
                    enforced,
                ]);
            };
            t.primary.iter().for_each(|p| push(&p.name, "PRIMARY KEY", true));
            t.unique_indexes().for_each(|u| push(&u.name, "UNIQUE", true));
            t.foreign_keys.iter().for_each(|f| push(&f.name, "FOREIGN KEY", true));
            t.checks.iter().for_each(|c| push(&c.name, "CHECK", c.enforced()));
        })
    },
};

pub const KEY_COLUMN_USAGE: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "KEY_COLUMN_USAGE",
    columns: &[
        ("CONSTRAINT_CATALOG", Text(64)),
        ("CONSTRAINT_SCHEMA", Text(64)),
        ("CONSTRAINT_NAME", Text(64)),
        ("TABLE_CATALOG", Text(64)),
        ("TABLE_SCHEMA", Text(64)),
        ("TABLE_NAME", Text(64)),
        ("COLUMN_NAME", Text(64)),
        ("ORDINAL_POSITION", Unsigned),
        ("POSITION_IN_UNIQUE_CONSTRAINT", Unsigned),
        ("REFERENCED_TABLE_SCHEMA", Text(64)),
        ("REFERENCED_TABLE_NAME", Text(64)),
        ("REFERENCED_COLUMN_NAME", Text(64)),
    ],
    rows: |facts| {
        each_table(facts, |d, t, rows| {
            let start = |name: &str, column: &str, place: i64| {
                let (def, db) = (text("def"), text(&d.name));
                vec![def.clone(), db.clone(), text(name), def, db, text(&t.name), text(column), Value::Int(place)]
            };
            for index in t.primary.iter().chain(t.unique_indexes()) {
                for (part, place) in index.columns.iter().zip(1..).filter(|(p, _)| t.part_expression(p).is_none()) {
                    let mut row = start(&index.name, t.name_of(part.column), place);
                    row.extend([Value::Null, Value::Null, Value::Null, Value::Null]);
                    rows.push(row);
                }
            }
            for key in &t.foreign_keys {
                for ((column, parent), place) in key.columns.iter().zip(&key.parent_columns).zip(1..) {
                    let mut row = start(&key.name, t.name_of(*column), place);
                    row.extend([Value::Int(place), text(&key.parent_database), text(&key.parent_table), text(parent)]);
                    rows.push(row);
                }
            }
        })
    },
};

pub const REFERENTIAL_CONSTRAINTS: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "REFERENTIAL_CONSTRAINTS",
    columns: &[
        ("CONSTRAINT_CATALOG", Text(64)),
        ("CONSTRAINT_SCHEMA", Text(64)),
        ("CONSTRAINT_NAME", Text(64)),
        ("UNIQUE_CONSTRAINT_CATALOG", Text(64)),
        ("UNIQUE_CONSTRAINT_SCHEMA", Text(64)),
        ("UNIQUE_CONSTRAINT_NAME", Text(64)),
        ("MATCH_OPTION", Text(7)),
        ("UPDATE_RULE", Text(11)),
        ("DELETE_RULE", Text(11)),
        ("TABLE_NAME", Text(64)),
        ("REFERENCED_TABLE_NAME", Text(64)),
    ],
    rows: |facts| {
        each_table(facts, |d, t, rows| {
            for key in &t.foreign_keys {
                let parent = facts.catalog.table(&key.parent_database, &key.parent_table);
                let unique = parent.and_then(|p| referenced_key(p, &key.parent_columns));
                rows.push(vec![
                    text("def"),
                    text(&d.name),
                    text(&key.name),
                    text("def"),
                    text(&key.parent_database),
                    unique.map_or(Value::Null, text),
                    text("NONE"),
                    text(key.on_update.sql()),
                    text(key.on_delete.sql()),
                    text(&t.name),
                    text(&key.parent_table),
                ]);
            }
        })
    },
};

/// The name of the parent's key that a foreign key points at.
fn referenced_key<'a>(parent: &'a Table, columns: &[String]) -> Option<&'a str> {
    let same = |i: &&Index| {
        i.columns.len() == columns.len()
            && i.columns.iter().zip(columns).all(|(part, name)| parent.name_of(part.column).eq_ignore_ascii_case(name))
    };
    parent.primary.iter().chain(parent.unique_indexes()).find(same).map(|i| i.name.as_str())
}

pub const CHECK_CONSTRAINTS: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "CHECK_CONSTRAINTS",
    columns: &[
        ("CONSTRAINT_CATALOG", Text(64)),
        ("CONSTRAINT_SCHEMA", Text(64)),
        ("CONSTRAINT_NAME", Text(64)),
        ("CHECK_CLAUSE", Long),
    ],
    rows: |facts| {
        each_table(facts, |d, t, rows| {
            let row = |c: &crate::sql::Check| {
                vec![text("def"), text(&d.name), text(&c.name), text(&format!("({})", c.expression))]
            };
            rows.extend(t.checks.iter().map(row));
        })
    },
};

/// Rows of every table that users may see.
/// A view's columns come as a table without an engine.
fn is_view(table: &Table) -> bool {
    table.options.engine.is_empty()
}

fn each_table(facts: &Facts<'_>, mut add: impl FnMut(&Database, &Table, &mut Vec<Vec<Value>>)) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for database in facts.catalog.databases().filter(|d| !crate::sql::is_temporary(&d.name)) {
        let visible = |t: &&std::sync::Arc<Table>| !t.name.starts_with(crate::sql::RESERVED_PREFIX);
        for table in database.tables.values().filter(visible) {
            add(database, table, &mut rows);
        }
        for view in database.views.values() {
            add(database, &crate::sql::view_as_table(view), &mut rows);
        }
    }
    rows
}
