//! What a server counted since it started: the numbers of `SHOW STATUS`.
//!
//! Clients compute with MySQL's variables (rates, shares of each other), so those they use are all here. What Marmot has
//! not, or SQLite does not tell, is always 0, as MySQL's are where a mechanism is not used: see [`UNUSED`].

use crate::sqlite::Cost;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Statements of these kinds are counted, each in its `Com_` variable. Sorted.
const COMMANDS: &[&str] = &[
    "Com_admin_commands",
    "Com_alter_db",
    "Com_alter_table",
    "Com_analyze",
    "Com_begin",
    "Com_change_db",
    "Com_check",
    "Com_commit",
    "Com_create_db",
    "Com_create_index",
    "Com_create_table",
    "Com_create_view",
    "Com_delete",
    "Com_do",
    "Com_drop_db",
    "Com_drop_index",
    "Com_drop_table",
    "Com_drop_view",
    "Com_explain_other",
    "Com_flush",
    "Com_insert",
    "Com_kill",
    "Com_lock_tables",
    "Com_optimize",
    "Com_release_savepoint",
    "Com_rename_table",
    "Com_replace",
    "Com_rollback",
    "Com_savepoint",
    "Com_select",
    "Com_set_option",
    "Com_show_columns",
    "Com_show_create_table",
    "Com_show_databases",
    "Com_show_other",
    "Com_show_status",
    "Com_show_tables",
    "Com_show_variables",
    "Com_truncate",
    "Com_unlock_tables",
    "Com_update",
];

/// MySQL's variables about what this server does not have (the MyISAM key cache, a cache of open tables, table locks that
/// others wait for, threads that are slow to start) or what SQLite does by itself and does not count (temporary tables).
const UNUSED: &[&str] = &[
    "Created_tmp_disk_tables",
    "Created_tmp_tables",
    "Handler_read_first",
    "Handler_read_rnd",
    "Key_blocks_unused",
    "Key_blocks_used",
    "Key_read_requests",
    "Key_reads",
    "Open_files",
    "Opened_tables",
    "Select_range_check",
    "Slow_launch_threads",
    "Sort_merge_passes",
    "Sort_range",
    "Sort_rows",
    "Ssl_accept_renegotiates",
    "Ssl_client_connects",
    "Ssl_connect_renegotiates",
    "Ssl_finished_connects",
    "Table_locks_immediate",
    "Table_locks_waited",
];

/// Counts of one server, added to by all its connections. Each is right by itself; two of them read together may be of
/// slightly different moments.
pub struct Counters {
    statements: AtomicU64,
    slow_statements: AtomicU64,
    commands: [AtomicU64; COMMANDS.len()],
    scanned_rows: AtomicU64,
    scans: AtomicU64,
    sorts: AtomicU64,
    unindexed_joins: AtomicU64,
    bytes_received: AtomicU64,
    bytes_sent: AtomicU64,
    aborted_clients: AtomicU64,
    aborted_connects: AtomicU64,
    tls_asked: AtomicU64,
    tls_accepted: AtomicU64,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters {
            statements: AtomicU64::new(0),
            slow_statements: AtomicU64::new(0),
            commands: [const { AtomicU64::new(0) }; COMMANDS.len()],
            scanned_rows: AtomicU64::new(0),
            scans: AtomicU64::new(0),
            sorts: AtomicU64::new(0),
            unindexed_joins: AtomicU64::new(0),
            bytes_received: AtomicU64::new(0),
            bytes_sent: AtomicU64::new(0),
            aborted_clients: AtomicU64::new(0),
            aborted_connects: AtomicU64::new(0),
            tls_asked: AtomicU64::new(0),
            tls_accepted: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// A statement begins.
    pub fn statement(&self, text: &str) {
        self.statements.fetch_add(1, Relaxed);
        if let Some(at) = command(text).and_then(|name| COMMANDS.binary_search(&name).ok()) {
            self.commands[at].fetch_add(1, Relaxed);
        }
    }

    /// A statement took longer than `long_query_time`.
    pub fn slow_statement(&self) {
        self.slow_statements.fetch_add(1, Relaxed);
    }

    /// What the queries of a statement cost.
    pub fn queries(&self, cost: Cost) {
        if cost == Cost::default() {
            return;
        }
        self.scanned_rows.fetch_add(cost.scanned_rows, Relaxed);
        self.scans.fetch_add(cost.scans, Relaxed);
        self.sorts.fetch_add(cost.sorts, Relaxed);
        self.unindexed_joins.fetch_add(cost.automatic_indexes, Relaxed);
    }

    /// Bytes of the protocol, before encryption, came from a client.
    pub fn received(&self, bytes: usize) {
        self.bytes_received.fetch_add(bytes as u64, Relaxed);
    }

    /// Bytes of the protocol, before encryption, went to a client.
    pub fn sent(&self, bytes: usize) {
        self.bytes_sent.fetch_add(bytes as u64, Relaxed);
    }

    /// A connection ended without the client saying so.
    pub fn aborted_client(&self) {
        self.aborted_clients.fetch_add(1, Relaxed);
    }

    /// Somebody did not get in.
    pub fn aborted_connect(&self) {
        self.aborted_connects.fetch_add(1, Relaxed);
    }

    /// A client asked for TLS.
    pub fn tls_asked(&self) {
        self.tls_asked.fetch_add(1, Relaxed);
    }

    /// A client's TLS handshake succeeded.
    pub fn tls_accepted(&self) {
        self.tls_accepted.fetch_add(1, Relaxed);
    }

    /// How many statements began.
    pub fn statements(&self) -> u64 {
        self.statements.load(Relaxed)
    }

    /// Names and values of `SHOW STATUS`.
    pub fn list(&self) -> Vec<(&'static str, u64)> {
        let of = |counter: &AtomicU64| counter.load(Relaxed);
        let mut list = vec![
            ("Aborted_clients", of(&self.aborted_clients)),
            ("Aborted_connects", of(&self.aborted_connects)),
            ("Bytes_received", of(&self.bytes_received)),
            ("Bytes_sent", of(&self.bytes_sent)),
            ("Handler_read_rnd_next", of(&self.scanned_rows)),
            ("Queries", of(&self.statements)),
            ("Questions", of(&self.statements)),
            ("Select_full_join", of(&self.unindexed_joins)),
            ("Select_scan", of(&self.scans)),
            ("Slow_queries", of(&self.slow_statements)),
            ("Sort_scan", of(&self.sorts)),
            ("Ssl_accepts", of(&self.tls_asked)),
            ("Ssl_finished_accepts", of(&self.tls_accepted)),
        ];
        list.extend(COMMANDS.iter().copied().zip(self.commands.iter().map(of)));
        list.extend(UNUSED.iter().map(|name| (*name, 0)));
        list
    }
}

/// The `Com_` variable that a statement belongs to.
fn command(text: &str) -> Option<&'static str> {
    let mut words = words(text).map(str::to_ascii_uppercase);
    let first = words.next()?;
    let second = words.next().unwrap_or_default();
    Some(match (&*first, &*second) {
        ("SELECT" | "WITH" | "VALUES" | "TABLE", _) => "Com_select",
        ("INSERT", _) => "Com_insert",
        ("REPLACE", _) => "Com_replace",
        ("UPDATE", _) => "Com_update",
        ("DELETE", _) => "Com_delete",
        ("SET", _) => "Com_set_option",
        ("BEGIN", _) | ("START", "TRANSACTION") => "Com_begin",
        ("COMMIT", _) => "Com_commit",
        ("ROLLBACK", _) => "Com_rollback",
        ("SAVEPOINT", _) => "Com_savepoint",
        ("RELEASE", _) => "Com_release_savepoint",
        ("USE", _) => "Com_change_db",
        ("SHOW", "DATABASES" | "SCHEMAS") => "Com_show_databases",
        ("SHOW", "TABLES") => "Com_show_tables",
        ("SHOW", "COLUMNS" | "FIELDS") => "Com_show_columns",
        ("SHOW", "STATUS") => "Com_show_status",
        ("SHOW", "VARIABLES") => "Com_show_variables",
        ("SHOW", "CREATE") if words.next().is_some_and(|word| word == "TABLE") => "Com_show_create_table",
        ("SHOW", "GLOBAL" | "SESSION" | "FULL") => match words.next().as_deref() {
            Some("STATUS") => "Com_show_status",
            Some("VARIABLES") => "Com_show_variables",
            Some("TABLES") => "Com_show_tables",
            Some("COLUMNS" | "FIELDS") => "Com_show_columns",
            _ => "Com_show_other",
        },
        ("SHOW", _) => "Com_show_other",
        ("EXPLAIN" | "DESCRIBE" | "DESC", _) => "Com_explain_other",
        ("CREATE", "DATABASE" | "SCHEMA") => "Com_create_db",
        ("CREATE", "TABLE" | "TEMPORARY") => "Com_create_table",
        ("CREATE", "INDEX" | "UNIQUE" | "FULLTEXT" | "SPATIAL") => "Com_create_index",
        ("CREATE", _) => "Com_create_view",
        ("ALTER", "DATABASE" | "SCHEMA") => "Com_alter_db",
        ("ALTER", "TABLE") => "Com_alter_table",
        ("DROP", "DATABASE" | "SCHEMA") => "Com_drop_db",
        ("DROP", "TABLE" | "TABLES" | "TEMPORARY") => "Com_drop_table",
        ("DROP", "INDEX") => "Com_drop_index",
        ("DROP", "VIEW") => "Com_drop_view",
        ("RENAME", _) => "Com_rename_table",
        ("TRUNCATE", _) => "Com_truncate",
        ("LOCK", _) => "Com_lock_tables",
        ("UNLOCK", _) => "Com_unlock_tables",
        ("ANALYZE", _) => "Com_analyze",
        ("CHECK", _) => "Com_check",
        ("OPTIMIZE", _) => "Com_optimize",
        ("FLUSH", _) => "Com_flush",
        ("KILL", _) => "Com_kill",
        ("DO", _) => "Com_do",
        _ => "Com_admin_commands",
    })
}

/// The words a statement begins with, without comments and parentheses.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
            let end = if rest.starts_with("/*") {
                rest.find("*/").map(|at| at + 2)
            } else if rest.starts_with("--") || rest.starts_with('#') {
                rest.find('\n')
            } else {
                break;
            };
            rest = end.map_or("", |end| &rest[end..]);
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_by_name() {
        assert!(COMMANDS.is_sorted());
        for (text, name) in [
            ("select 1", "Com_select"),
            (" /* a comment */ -- another\n (SELECT 1)", "Com_select"),
            ("INSERT INTO t VALUES (1)", "Com_insert"),
            ("SHOW GLOBAL STATUS", "Com_show_status"),
            ("SHOW CREATE TABLE t", "Com_show_create_table"),
            ("SHOW CREATE VIEW t", "Com_show_other"),
            ("create unique index i on t (a)", "Com_create_index"),
            ("ALTER CLUSTER REMOVE NODE 1", "Com_admin_commands"),
        ] {
            assert_eq!(command(text), Some(name), "{text}");
            assert!(COMMANDS.contains(&name), "{name}");
        }
        assert_eq!(command("/* nothing"), None);
    }

    #[test]
    fn every_name_is_listed_once() {
        let counters = Counters::default();
        counters.statement("SELECT 1");
        let list = counters.list();
        let names: std::collections::BTreeSet<_> = list.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), list.len());
        let counted: Vec<_> = list.iter().filter(|(_, value)| *value > 0).map(|(name, _)| *name).collect();
        assert_eq!(counted, ["Queries", "Questions", "Com_select"]);
    }
}
