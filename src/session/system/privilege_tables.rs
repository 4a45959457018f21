//! The tables of `information_schema` about privileges on parts and about roles: there are none, since the one account
//! has all privileges on everything.

use super::{Facts, Holds::*, SystemTable};
use crate::types::Value;

const INFORMATION_SCHEMA: &str = "information_schema";

fn nothing(_: &Facts<'_>) -> Vec<Vec<Value>> {
    Vec::new()
}

pub const SCHEMA_PRIVILEGES: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "SCHEMA_PRIVILEGES",
    columns: &[
        ("GRANTEE", Text(292)),
        ("TABLE_CATALOG", Text(512)),
        ("TABLE_SCHEMA", Text(64)),
        ("PRIVILEGE_TYPE", Text(64)),
        ("IS_GRANTABLE", Text(3)),
    ],
    rows: nothing,
};

pub const TABLE_PRIVILEGES: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "TABLE_PRIVILEGES",
    columns: &[
        ("GRANTEE", Text(292)),
        ("TABLE_CATALOG", Text(512)),
        ("TABLE_SCHEMA", Text(64)),
        ("TABLE_NAME", Text(64)),
        ("PRIVILEGE_TYPE", Text(64)),
        ("IS_GRANTABLE", Text(3)),
    ],
    rows: nothing,
};

pub const COLUMN_PRIVILEGES: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "COLUMN_PRIVILEGES",
    columns: &[
        ("GRANTEE", Text(292)),
        ("TABLE_CATALOG", Text(512)),
        ("TABLE_SCHEMA", Text(64)),
        ("TABLE_NAME", Text(64)),
        ("COLUMN_NAME", Text(64)),
        ("PRIVILEGE_TYPE", Text(64)),
        ("IS_GRANTABLE", Text(3)),
    ],
    rows: nothing,
};

pub const APPLICABLE_ROLES: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "APPLICABLE_ROLES",
    columns: &[
        ("USER", Text(97)),
        ("HOST", Text(256)),
        ("GRANTEE", Text(97)),
        ("GRANTEE_HOST", Text(256)),
        ("ROLE_NAME", Text(255)),
        ("ROLE_HOST", Text(256)),
        ("IS_GRANTABLE", Text(3)),
        ("IS_DEFAULT", Text(3)),
        ("IS_MANDATORY", Text(3)),
    ],
    rows: nothing,
};

pub const ENABLED_ROLES: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "ENABLED_ROLES",
    columns: &[("ROLE_NAME", Text(255)), ("ROLE_HOST", Text(255)), ("IS_DEFAULT", Text(3)), ("IS_MANDATORY", Text(3))],
    rows: nothing,
};
