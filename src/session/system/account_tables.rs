//! The one account and what it may: every client of a node has the same rights.

use super::{Facts, Holds::*, SystemTable, text};
use crate::types::Value;

/// What clients may, as GRANT names it, in MySQL's order. There is nothing to grant, reload or replicate, and no routines.
const HELD: &[&str] = &[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "CREATE",
    "DROP",
    "PROCESS",
    "REFERENCES",
    "INDEX",
    "ALTER",
    "SHOW DATABASES",
    "SUPER",
    "CREATE TEMPORARY TABLES",
    "LOCK TABLES",
    "CREATE VIEW",
    "SHOW VIEW",
];

/// The row of `SHOW GRANTS` for `user`.
pub fn grants(user: &str) -> String {
    format!("GRANT {} ON *.* TO `{user}`@`%`", HELD.join(", "))
}

pub const USER_PRIVILEGES: SystemTable = SystemTable {
    database: "information_schema",
    name: "USER_PRIVILEGES",
    columns: &[
        ("GRANTEE", Text(292)),
        ("TABLE_CATALOG", Text(512)),
        ("PRIVILEGE_TYPE", Text(64)),
        ("IS_GRANTABLE", Text(3)),
    ],
    rows: |facts| {
        let grantee = format!("'{}'@'%'", facts.user);
        HELD.iter().map(|privilege| vec![text(&grantee), text("def"), text(privilege), text("NO")]).collect()
    },
};

/// The columns of `mysql.user` that say Y or N, and the privilege each is about.
const COLUMNS: &[(&str, &str)] = &[
    ("Select_priv", "SELECT"),
    ("Insert_priv", "INSERT"),
    ("Update_priv", "UPDATE"),
    ("Delete_priv", "DELETE"),
    ("Create_priv", "CREATE"),
    ("Drop_priv", "DROP"),
    ("Reload_priv", "RELOAD"),
    ("Shutdown_priv", "SHUTDOWN"),
    ("Process_priv", "PROCESS"),
    ("File_priv", "FILE"),
    ("Grant_priv", "GRANT OPTION"),
    ("References_priv", "REFERENCES"),
    ("Index_priv", "INDEX"),
    ("Alter_priv", "ALTER"),
    ("Show_db_priv", "SHOW DATABASES"),
    ("Super_priv", "SUPER"),
    ("Create_tmp_table_priv", "CREATE TEMPORARY TABLES"),
    ("Lock_tables_priv", "LOCK TABLES"),
    ("Execute_priv", "EXECUTE"),
    ("Repl_slave_priv", "REPLICATION SLAVE"),
    ("Repl_client_priv", "REPLICATION CLIENT"),
    ("Create_view_priv", "CREATE VIEW"),
    ("Show_view_priv", "SHOW VIEW"),
    ("Create_routine_priv", "CREATE ROUTINE"),
    ("Alter_routine_priv", "ALTER ROUTINE"),
    ("Create_user_priv", "CREATE USER"),
    ("Event_priv", "EVENT"),
    ("Trigger_priv", "TRIGGER"),
    ("Create_tablespace_priv", "CREATE TABLESPACE"),
];

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
const USER_COLUMNS: [(&str, super::Holds); BEFORE.len() + COLUMNS.len() + AFTER.len()] = {
    let mut all = [("", Text(1)); BEFORE.len() + COLUMNS.len() + AFTER.len()];
    let mut i = 0;
    while i < all.len() {
        let after = BEFORE.len() + COLUMNS.len();
        all[i] = if i < BEFORE.len() {
            BEFORE[i]
        } else if i < after {
            (COLUMNS[i - BEFORE.len()].0, Text(1))
        } else {
            AFTER[i - after]
        };
        i += 1;
    }
    all
};

pub const USER: SystemTable = SystemTable { database: "mysql", name: "user", columns: &USER_COLUMNS, rows: users };

fn users(facts: &Facts<'_>) -> Vec<Vec<Value>> {
    let held = |(_, privilege): &(&str, &str)| text(if HELD.contains(privilege) { "Y" } else { "N" });
    let mut row = vec![text("%"), text(facts.user)];
    row.extend(COLUMNS.iter().map(held));
    row.push(text(""));
    row.extend([0; 4].map(Value::Int));
    // What proves a password is shown to nobody.
    row.extend([text("caching_sha2_password"), Value::Null, text("N"), text("N")]);
    vec![row]
}

/// Rights on single databases, tables, columns and routines: nobody has any, so these are always empty. Tools that rename or
/// drop things look here for rights to carry along, with SELECT, UPDATE and DELETE.
const fn nobodys(name: &'static str, columns: &'static [(&'static str, super::Holds)]) -> SystemTable {
    SystemTable { database: "mysql", name, columns, rows: |_| Vec::new() }
}

pub const DATABASE_PRIVILEGES: SystemTable = nobodys(
    "db",
    &[
        ("Host", Text(255)),
        ("Db", Text(64)),
        ("User", Text(32)),
        ("Select_priv", Text(1)),
        ("Insert_priv", Text(1)),
        ("Update_priv", Text(1)),
        ("Delete_priv", Text(1)),
        ("Create_priv", Text(1)),
        ("Drop_priv", Text(1)),
        ("Grant_priv", Text(1)),
        ("References_priv", Text(1)),
        ("Index_priv", Text(1)),
        ("Alter_priv", Text(1)),
        ("Create_tmp_table_priv", Text(1)),
        ("Lock_tables_priv", Text(1)),
        ("Create_view_priv", Text(1)),
        ("Show_view_priv", Text(1)),
        ("Create_routine_priv", Text(1)),
        ("Alter_routine_priv", Text(1)),
        ("Execute_priv", Text(1)),
        ("Event_priv", Text(1)),
        ("Trigger_priv", Text(1)),
    ],
);

pub const TABLE_PRIVILEGES: SystemTable = nobodys(
    "tables_priv",
    &[
        ("Host", Text(255)),
        ("Db", Text(64)),
        ("User", Text(32)),
        ("Table_name", Text(64)),
        ("Grantor", Text(288)),
        ("Timestamp", Time),
        ("Table_priv", Text(255)),
        ("Column_priv", Text(255)),
    ],
);

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

/// Whether this is one of the tables above, of which an UPDATE or DELETE changes nothing.
pub fn is_nobodys(database: &str, table: &str) -> bool {
    let all = [&DATABASE_PRIVILEGES, &TABLE_PRIVILEGES, &COLUMN_PRIVILEGES, &ROUTINE_PRIVILEGES];
    all.iter().any(|t| t.database.eq_ignore_ascii_case(database) && t.name.eq_ignore_ascii_case(table))
}
