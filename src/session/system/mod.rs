//! The system databases `information_schema`, `performance_schema`, `mysql` and `marmot`: in-memory databases of the
//! session's own connection, whose tables are filled just before a statement that names them runs. So SHOW and catalog
//! queries are plain SELECTs.
//!
//! To add a table, define a [`SystemTable`] and list it in [`TABLES`]; the translator then knows its columns.

mod account_tables;
mod cluster_tables;
mod definition;
mod keywords;
mod privilege_tables;
mod program_tables;
mod schema_tables;
mod server_tables;
mod storage_tables;

use crate::core::NodeStatus;
use crate::mysql::Encryption;
use crate::session::{Counters, Registry, Variables};
use crate::sql::{Accounts, Catalog, Database, Rights};
use crate::types::{AccountName, Hlc, Mono, Now, Value};
pub use account_tables::is_of_parts;
pub use definition::{Holds, SystemTable};

/// Everything system tables are made of, gathered before they are filled.
pub struct Facts<'a> {
    pub catalog: &'a Catalog,
    pub registry: &'a Registry,
    pub variables: &'a Variables,
    pub now: Now,
    /// When the server started.
    pub started: Mono,
    /// As the client gave it.
    pub user: &'a str,
    pub accounts: &'a Accounts,
    /// The account of the configuration, if no statement may change it.
    pub fixed: Option<&'a AccountName>,
    /// Of whoever asks.
    pub rights: &'a Rights,
    pub counters: &'a Counters,
    pub encryption: Option<&'a Encryption>,
    /// Present if a table that needs it is read.
    pub cluster: Option<&'a NodeStatus>,
    pub conflicts: &'a [ConflictRow],
}

/// A value that an automatic merge discarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictRow {
    pub at: Hlc,
    pub database: String,
    pub table: String,
    pub key: String,
    pub losing_image: String,
    pub loser: String,
    pub winner: String,
}

/// Where `marmot.conflicts` comes from: the shell reads the node's own file.
pub trait ConflictLog: Send + Sync {
    /// The latest entries, newest first, at most `limit`.
    fn latest(&self, limit: usize) -> Vec<ConflictRow>;
}

/// All system tables.
pub const TABLES: &[SystemTable] = &[
    schema_tables::SCHEMATA,
    schema_tables::TABLES,
    schema_tables::COLUMNS,
    schema_tables::STATISTICS,
    schema_tables::TABLE_CONSTRAINTS,
    schema_tables::KEY_COLUMN_USAGE,
    schema_tables::REFERENTIAL_CONSTRAINTS,
    schema_tables::CHECK_CONSTRAINTS,
    keywords::KEYWORDS,
    server_tables::ENGINES,
    server_tables::CHARACTER_SETS,
    server_tables::COLLATIONS_TABLE,
    server_tables::APPLICABILITY,
    server_tables::PROCESSLIST,
    server_tables::PLUGINS,
    privilege_tables::SCHEMA_PRIVILEGES,
    privilege_tables::TABLE_PRIVILEGES,
    privilege_tables::USER_PRIVILEGES,
    privilege_tables::COLUMN_PRIVILEGES,
    privilege_tables::APPLICABLE_ROLES,
    privilege_tables::ENABLED_ROLES,
    server_tables::VIEWS,
    program_tables::ROUTINES,
    program_tables::PARAMETERS,
    program_tables::TRIGGERS,
    program_tables::EVENTS,
    storage_tables::PARTITIONS,
    storage_tables::FILES,
    storage_tables::TABLESPACES,
    server_tables::SESSION_VARIABLES,
    server_tables::GLOBAL_VARIABLES,
    server_tables::SESSION_STATUS,
    server_tables::GLOBAL_STATUS,
    account_tables::USER,
    account_tables::DATABASE_PRIVILEGES,
    account_tables::TABLE_PRIVILEGES,
    account_tables::COLUMN_PRIVILEGES,
    account_tables::ROUTINE_PRIVILEGES,
    server_tables::TIME_ZONE_NAME,
    cluster_tables::CLUSTER_NODES,
    cluster_tables::CONFLICTS,
    cluster_tables::NODE,
];

/// The system databases as the translator is to see them.
pub fn databases() -> Vec<Database> {
    definition::databases(TABLES)
}

/// Whether a database of this name is a system database; MySQL finds `information_schema` in any case.
pub fn is_system(database: &str) -> bool {
    TABLES.iter().any(|t| t.database.eq_ignore_ascii_case(database))
}

/// A system table by name, in any case.
pub fn find(database: &str, table: &str) -> Option<&'static SystemTable> {
    TABLES.iter().find(|t| t.database.eq_ignore_ascii_case(database) && t.name.eq_ignore_ascii_case(table))
}

/// Whether filling it needs the core's status.
pub fn needs_cluster(table: &SystemTable) -> bool {
    table.database == "marmot" || table.name.ends_with("_status")
}

fn text(text: &str) -> Value {
    Value::text(text)
}

/// Milliseconds since the epoch as `YYYY-MM-DD HH:MM:SS.fff000` in UTC.
fn utc_text(millis: u64) -> String {
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(t) => t.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string(),
        Err(_) => "9999-12-31 23:59:59.000000".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Globals;
    use crate::sql::{Account, Secret};
    use crate::types::Wall;
    use std::sync::Arc;

    #[test]
    fn every_table_has_as_many_cells_as_columns() {
        let catalog: Catalog = databases().into_iter().collect();
        let globals = Arc::new(Globals::new(&[]).expect("defaults are valid"));
        let registry = Registry::default();
        registry.connect(1, "here:1".into(), Mono(0));
        let conflicts = [ConflictRow {
            at: Hlc::from_millis(1_700_000_000_123),
            database: "d".into(),
            table: "t".into(),
            key: "1".into(),
            losing_image: "(1)".into(),
            loser: "n1:1".into(),
            winner: "n2:1".into(),
        }];
        let root =
            Account::all_powerful(AccountName::new("root", "localhost"), "caching_sha2_password", Secret::default());
        let accounts = Accounts::default().with(root);
        let facts = Facts {
            catalog: &catalog,
            registry: &registry,
            variables: &Variables::new(globals),
            now: Now { mono: Mono(0), wall: Wall(0) },
            started: Mono(0),
            user: "root",
            accounts: &accounts,
            fixed: None,
            rights: &Rights::everything(AccountName::new("root", "localhost")),
            counters: &Counters::default(),
            encryption: None,
            cluster: None,
            conflicts: &conflicts,
        };
        for table in TABLES {
            for row in (table.rows)(&facts) {
                assert_eq!(row.len(), table.columns.len(), "{}.{}", table.database, table.name);
            }
        }
        assert!(find("INFORMATION_SCHEMA", "tables").is_some_and(|t| !(t.rows)(&facts).is_empty()));
        assert_eq!(utc_text(1_700_000_000_123), "2023-11-14 22:13:20.123000");
    }
}
