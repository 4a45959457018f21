//! `mysql.user` and what lies beside it: accounts and what they were granted, for those who may read `mysql`.

use super::{Facts, Holds::*, SystemTable, text};
use crate::sql::{Account, PRIVILEGE_COLUMNS, Privileges};
use crate::types::Value;

const BEFORE: &[(&str, super::Holds)] = &[("Host", Text(255)), ("User", Text(32))];
const AFTER: &[(&str, super::Holds)] = &[
    ("ssl_type", Text(9)),
    ("max_questions", Unsigned),
    ("max_updates", Unsigned),
    ("max_connections", Unsigned),
    ("max_user_connections", Unsigned),
    ("plugin", Text(64)),
    ("authentication_string", Long),
    ("password_expired", Text(1)),
    ("account_locked", Text(1)),
];
const USER_COLUMNS: [(&str, super::Holds); BEFORE.len() + PRIVILEGE_COLUMNS.len() + AFTER.len()] = {
    let mut all = [("", Text(1)); BEFORE.len() + PRIVILEGE_COLUMNS.len() + AFTER.len()];
    let mut i = 0;
    while i < all.len() {
        let after = BEFORE.len() + PRIVILEGE_COLUMNS.len();
        all[i] = if i < BEFORE.len() {
            BEFORE[i]
        } else if i < after {
            (PRIVILEGE_COLUMNS[i - BEFORE.len()].0, Text(1))
        } else {
            AFTER[i - after]
        };
        i += 1;
    }
    all
};

pub const USER: SystemTable = SystemTable { database: "mysql", name: "user", columns: &USER_COLUMNS, rows: users };

fn yes(held: bool) -> Value {
    text(if held { "Y" } else { "N" })
}

fn users(facts: &Facts<'_>) -> Vec<Vec<Value>> {
    let row = |account: &Account| {
        let mut row = vec![text(&account.name.host), text(&account.name.user)];
        row.extend(PRIVILEGE_COLUMNS.iter().map(|(_, privilege)| yes(account.global.contains(*privilege))));
        row.push(text(if account.require_tls { "ANY" } else { "" }));
        row.extend([0; 4].map(Value::Int));
        // What proves the password of the configuration is shown to nobody.
        let hash = if facts.fixed == Some(&account.name) { "" } else { account.hash.expose() };
        row.extend([text(&account.plugin), text(hash), text("N"), yes(account.locked)]);
        row
    };
    facts.accounts.iter().map(|account| row(account)).collect()
}

/// The columns of `mysql.db` about privileges, in its order.
const ON_DATABASES: &[(&str, Privileges)] = &[
    ("Select_priv", Privileges::SELECT),
    ("Insert_priv", Privileges::INSERT),
    ("Update_priv", Privileges::UPDATE),
    ("Delete_priv", Privileges::DELETE),
    ("Create_priv", Privileges::CREATE),
    ("Drop_priv", Privileges::DROP),
    ("Grant_priv", Privileges::GRANT_OPTION),
    ("References_priv", Privileges::REFERENCES),
    ("Index_priv", Privileges::INDEX),
    ("Alter_priv", Privileges::ALTER),
    ("Create_tmp_table_priv", Privileges::CREATE_TEMPORARY_TABLES),
    ("Lock_tables_priv", Privileges::LOCK_TABLES),
    ("Create_view_priv", Privileges::CREATE_VIEW),
    ("Show_view_priv", Privileges::SHOW_VIEW),
    ("Create_routine_priv", Privileges::CREATE_ROUTINE),
    ("Alter_routine_priv", Privileges::ALTER_ROUTINE),
    ("Execute_priv", Privileges::EXECUTE),
    ("Event_priv", Privileges::EVENT),
    ("Trigger_priv", Privileges::TRIGGER),
];

const DATABASE_COLUMNS: [(&str, super::Holds); 3 + ON_DATABASES.len()] = {
    let mut all = [("Host", Text(255)); 3 + ON_DATABASES.len()];
    (all[1], all[2]) = (("Db", Text(64)), ("User", Text(32)));
    let mut i = 0;
    while i < ON_DATABASES.len() {
        all[3 + i] = (ON_DATABASES[i].0, Text(1));
        i += 1;
    }
    all
};

pub const DATABASE_PRIVILEGES: SystemTable =
    SystemTable { database: "mysql", name: "db", columns: &DATABASE_COLUMNS, rows: on_databases };

fn on_databases(facts: &Facts<'_>) -> Vec<Vec<Value>> {
    let row = |account: &Account, database: &str, held: Privileges| {
        let mut row = vec![text(&account.name.host), text(database), text(&account.name.user)];
        row.extend(ON_DATABASES.iter().map(|(_, privilege)| yes(held.contains(*privilege))));
        row
    };
    let of = |account: &Account| {
        account.databases.iter().map(|(database, held)| row(account, database, *held)).collect::<Vec<_>>()
    };
    facts.accounts.iter().flat_map(|account| of(account)).collect()
}

pub const TABLE_PRIVILEGES: SystemTable = SystemTable {
    database: "mysql",
    name: "tables_priv",
    columns: &[
        ("Host", Text(255)),
        ("Db", Text(64)),
        ("User", Text(32)),
        ("Table_name", Text(64)),
        ("Grantor", Text(288)),
        ("Timestamp", Time),
        ("Table_priv", Text(255)),
        ("Column_priv", Text(255)),
    ],
    rows: on_tables,
};

fn on_tables(facts: &Facts<'_>) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for account in facts.accounts.iter() {
        for ((database, table), held) in &account.tables {
            // A set's values are between commas alone, each with a capital letter; GRANT OPTION is called Grant.
            let capital = |name: &str| {
                let name = name.strip_suffix(" OPTION").unwrap_or(name).to_lowercase();
                let words = name.split(' ').map(|w| format!("{}{}", w[..1].to_uppercase(), &w[1..]));
                words.collect::<Vec<_>>().join(" ")
            };
            let held: Vec<String> = held.names().map(capital).collect();
            let name = &account.name;
            let cells = [&name.host, &**database, &name.user, table, "", "1970-01-01 00:00:00", &held.join(","), ""];
            rows.push(cells.map(text).into());
        }
    }
    rows
}

/// Rights on single columns and routines: nobody has any, so these are always empty. Tools that rename or drop things look here
/// for rights to carry along, with SELECT, UPDATE and DELETE.
const fn nobodys(name: &'static str, columns: &'static [(&'static str, super::Holds)]) -> SystemTable {
    SystemTable { database: "mysql", name, columns, rows: |_| Vec::new() }
}

pub const COLUMN_PRIVILEGES: SystemTable = nobodys(
    "columns_priv",
    &[
        ("Host", Text(255)),
        ("Db", Text(64)),
        ("User", Text(32)),
        ("Table_name", Text(64)),
        ("Column_name", Text(64)),
        ("Timestamp", Time),
        ("Column_priv", Text(255)),
    ],
);

pub const ROUTINE_PRIVILEGES: SystemTable = nobodys(
    "procs_priv",
    &[
        ("Host", Text(255)),
        ("Db", Text(64)),
        ("User", Text(32)),
        ("Routine_name", Text(64)),
        ("Routine_type", Text(9)),
        ("Grantor", Text(288)),
        ("Proc_priv", Text(255)),
        ("Timestamp", Time),
    ],
);

/// Whether this is one of the tables of rights on less than everything, of which an UPDATE or DELETE changes nothing as long as
/// nobody has any.
pub fn is_of_parts(database: &str, table: &str) -> bool {
    let all = [&DATABASE_PRIVILEGES, &TABLE_PRIVILEGES, &COLUMN_PRIVILEGES, &ROUTINE_PRIVILEGES];
    all.iter().any(|t| t.database.eq_ignore_ascii_case(database) && t.name.eq_ignore_ascii_case(table))
}
