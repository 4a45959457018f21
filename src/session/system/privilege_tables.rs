//! The tables of `information_schema` about privileges: those of the own account, or, for those who may read `mysql`, of
//! all. There are none on columns, and no roles.

use super::{Facts, Holds::*, SystemTable, text};
use crate::sql::{Account, Privileges};
use crate::types::Value;
use std::sync::Arc;

const INFORMATION_SCHEMA: &str = "information_schema";

fn nothing(_: &Facts<'_>) -> Vec<Vec<Value>> {
    Vec::new()
}

/// A row for each privilege held, between what comes before its name and whether it may be handed on.
fn held(account: &Account, place: &[&str], held: Privileges) -> Vec<Vec<Value>> {
    let grantable = text(if held.contains(Privileges::GRANT_OPTION) { "YES" } else { "NO" });
    let privileges = held - Privileges::GRANT_OPTION;
    // Who holds nothing is listed all the same.
    let usage = privileges.is_empty().then_some("USAGE");
    let row = |privilege: &str| {
        let mut row = vec![text(&account.name.to_string()), text("def")];
        row.extend(place.iter().map(|part| text(part)));
        row.extend([text(privilege), grantable.clone()]);
        row
    };
    privileges.names().chain(usage).map(row).collect()
}

/// The accounts that may be looked at.
fn shown<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = &'a Arc<Account>> {
    let all = facts.rights.on_database("mysql").contains(Privileges::SELECT);
    facts.accounts.iter().filter(move |a| all || a.name == *facts.rights.account())
}

pub const USER_PRIVILEGES: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "USER_PRIVILEGES",
    columns: &[
        ("GRANTEE", Text(292)),
        ("TABLE_CATALOG", Text(512)),
        ("PRIVILEGE_TYPE", Text(64)),
        ("IS_GRANTABLE", Text(3)),
    ],
    rows: |facts| shown(facts).flat_map(|a| held(a, &[], a.global)).collect(),
};

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
    rows: |facts| {
        let of = |a: &Arc<Account>| a.databases.iter().flat_map(|(d, h)| held(a, &[d], *h)).collect::<Vec<_>>();
        shown(facts).flat_map(of).collect()
    },
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
    rows: |facts| {
        let of = |a: &Arc<Account>| a.tables.iter().flat_map(|((d, t), h)| held(a, &[d, t], *h)).collect::<Vec<_>>();
        shown(facts).flat_map(of).collect()
    },
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
