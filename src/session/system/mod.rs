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
mod transaction_tables;

use crate::core::{NodeStatus, OpenTransaction};
use crate::mysql::Encryption;
use crate::session::{Counters, Registry, Variables};
use crate::sql::{Accounts, Catalog, Database, Rights};
use crate::sqlite::Usage;
use crate::types::{AccountName, Hlc, Mono, NodeId, Now, TableId, Value, Wall};
use std::net::IpAddr;
use std::sync::Arc;

pub use account_tables::is_of_parts;
pub use definition::{Holds, SystemTable};

/// Everything system tables are made of, gathered before they are filled.
pub struct Facts<'a> {
    pub catalog: &'a Catalog,
    pub registry: &'a Registry,
    pub variables: &'a Variables,
    pub now: Now,
    /// This node.
    pub node: NodeId,
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
    /// This and what follows is there if a table that needs it is read.
    pub cluster: Option<&'a NodeStatus>,
    pub conflicts: &'a [ConflictRow],
    pub open: &'a [OpenTransaction],
    pub links: &'a [LinkRow],
    pub copies: &'a [CopyRow],
    pub usage: &'a [Usage],
    pub verification: &'a [VerificationRow],
}

impl Facts<'_> {
    /// The names of a table and its database; nothing if it is gone.
    fn table_name(&self, id: TableId) -> Option<(&str, &str)> {
        let of = |d: &'_ std::sync::Arc<Database>| d.tables.values().any(|t| t.id == id);
        let database = self.catalog.databases().find(|d| of(d))?;
        let table = database.tables.values().find(|t| t.id == id)?;
        Some((&database.name, &table.name))
    }
}

/// A value that an automatic merge discarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictRow {
    pub at: Hlc,
    pub table: TableId,
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

/// The link by which this node speaks to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRow {
    pub address: Arc<str>,
    /// Connected and known to each other.
    pub up: bool,
    pub queued_frames: usize,
    pub queued_bytes: usize,
    /// Since the node started.
    pub sent_bytes: u64,
    /// Frames that the queue had no room for.
    pub dropped_frames: u64,
}

/// A snapshot that this node gives to one that joins, or to a member that goes on with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyRow {
    /// Where it asks from; which member it is, or will be, it does not say.
    pub taker: IpAddr,
    /// The snapshot is there and is being sent. Before that this node copies its own files.
    pub is_made: bool,
    /// Of the one or the other.
    pub done_bytes: u64,
    pub total_bytes: u64,
}

/// Where `marmot.replication` hears of links, and `marmot.cluster_nodes` of copies: the shell has them.
pub trait LinkStates: Send + Sync {
    /// All links there were since the start.
    fn list(&self) -> Vec<LinkRow>;

    /// The copies under way.
    fn copies(&self) -> Vec<CopyRow>;
}

/// What came of comparing a table's definition with another node's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Agreement {
    #[default]
    Same,
    /// A majority of the voting members has another one than this node.
    OtherHere,
    /// A majority has the one of this node, and the other node has not.
    OtherThere,
    /// No majority has either.
    Undecided,
}

impl Agreement {
    /// Whether somebody has to see to this node.
    pub fn is_trouble(self) -> bool {
        matches!(self, Agreement::OtherHere | Agreement::Undecided)
    }
}

/// What came of comparing a table with another node's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationRow {
    pub database: String,
    pub table: String,
    /// When the last comparison that reached its end began, and with whom it was.
    pub compared_at: Option<Wall>,
    pub node: Option<NodeId>,
    pub rows: u64,
    /// Rows of this node that were wrong, or that nobody can say of.
    pub mismatches: u64,
    pub repaired: u64,
    pub undecided: u64,
    /// Rows that were wrong on the other node.
    pub elsewhere: u64,
    /// Of the definition; while it is not the same, rows are not compared.
    pub definition: Agreement,
    /// In words; also why it was not compared this time.
    pub state: String,
}

/// Where `marmot.verification` comes from: the shell compares.
pub trait VerificationStates: Send + Sync {
    /// The tables there are, by database and name.
    fn list(&self) -> Vec<VerificationRow>;

    /// Has a comparison of all of them begin, as soon as one under way has ended. Does not wait for it.
    fn begin(&self);
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
    cluster_tables::DATABASES,
    transaction_tables::INTENTS,
    cluster_tables::NODE,
    cluster_tables::REPLICATION,
    transaction_tables::TRANSACTIONS,
    cluster_tables::VERIFICATION,
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
    matches!(table.name, "cluster_nodes" | "node" | "replication") || table.name.ends_with("_status")
}

/// Whether filling it needs the transactions that the core has under way.
pub fn needs_open_transactions(table: &SystemTable) -> bool {
    matches!(table.name, "transactions" | "intents")
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
    use crate::core::OpenState;
    use crate::session::Globals;
    use crate::sql::{Account, Secret};
    use crate::types::{Key, Mode, Span, TxnId};

    #[test]
    fn every_table_has_as_many_cells_as_columns() {
        let catalog: Catalog = databases().into_iter().collect();
        let globals = Arc::new(Globals::new(&[]).expect("defaults are valid"));
        let registry = Registry::default();
        registry.connect(1, "here:1".into(), Mono(0));
        let conflicts = [ConflictRow {
            at: Hlc::from_millis(1_700_000_000_123),
            table: TableId::default(),
            key: "1".into(),
            losing_image: "(1)".into(),
            loser: "n1:1".into(),
            winner: "n2:1".into(),
        }];
        let root =
            Account::all_powerful(AccountName::new("root", "localhost"), "caching_sha2_password", Secret::default());
        let accounts = Accounts::default().with(root);
        let (txn, waits_for) = (TxnId { origin: NodeId(2), sequence: 4 }, TxnId { origin: NodeId(1), sequence: 9 });
        let open = [OpenTransaction {
            txn: Some(txn),
            coordinator: NodeId(2),
            state: OpenState::Queued(waits_for),
            client: None,
            age: Some(Span::from_millis(5)),
            holds: true,
            key_count: 1,
            keys: vec![(Key::Schema("d".into()), Mode::Read)],
        }];
        let usage = [Usage { database: "d".into(), bytes: 4096, wal_bytes: 0, applied: 3 }];
        let verification = [VerificationRow {
            database: "d".into(),
            table: "t".into(),
            compared_at: Some(Wall(1_700_000_000_123)),
            node: Some(NodeId(2)),
            rows: 10,
            mismatches: 1,
            repaired: 1,
            undecided: 0,
            elsewhere: 0,
            definition: Agreement::Same,
            state: "OK".into(),
        }];
        let facts = Facts {
            catalog: &catalog,
            registry: &registry,
            variables: &Variables::new(globals),
            now: Now { mono: Mono(0), wall: Wall(0) },
            node: NodeId(1),
            started: Mono(0),
            user: "root",
            accounts: &accounts,
            fixed: None,
            rights: &Rights::everything(AccountName::new("root", "localhost")),
            counters: &Counters::default(),
            encryption: None,
            cluster: None,
            conflicts: &conflicts,
            open: &open,
            links: &[],
            copies: &[],
            usage: &usage,
            verification: &verification,
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
