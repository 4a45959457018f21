//! What a server counted since it started: the numbers of `SHOW STATUS`.
//!
//! Clients compute with MySQL's variables (rates, shares of each other), so those they use are all here. What Marmot has
//! not, or SQLite does not tell, is always 0, as MySQL's are where a mechanism is not used: see [`UNUSED`].

use crate::sql::Plan;
use crate::sqlite::Cost;
use crate::types::Span;
use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, HistogramVec};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Statements of these kinds are counted, each in its `Com_` variable. Sorted.
const COMMANDS: &[&str] = &[
    "Com_admin_commands",
    "Com_alter_db",
    "Com_alter_table",
    "Com_alter_user",
    "Com_analyze",
    "Com_begin",
    "Com_call_procedure",
    "Com_change_db",
    "Com_check",
    "Com_commit",
    "Com_create_db",
    "Com_create_function",
    "Com_create_index",
    "Com_create_procedure",
    "Com_create_table",
    "Com_create_trigger",
    "Com_create_user",
    "Com_create_view",
    "Com_dealloc_sql",
    "Com_delete",
    "Com_do",
    "Com_drop_db",
    "Com_drop_function",
    "Com_drop_index",
    "Com_drop_procedure",
    "Com_drop_table",
    "Com_drop_trigger",
    "Com_drop_user",
    "Com_drop_view",
    "Com_execute_sql",
    "Com_explain_other",
    "Com_flush",
    "Com_grant",
    "Com_insert",
    "Com_kill",
    "Com_load",
    "Com_lock_tables",
    "Com_optimize",
    "Com_prepare_sql",
    "Com_release_savepoint",
    "Com_rename_table",
    "Com_replace",
    "Com_resignal",
    "Com_revoke",
    "Com_rollback",
    "Com_rollback_to_savepoint",
    "Com_savepoint",
    "Com_select",
    "Com_set_option",
    "Com_set_password",
    "Com_show_columns",
    "Com_show_create_db",
    "Com_show_create_table",
    "Com_show_databases",
    "Com_show_engines",
    "Com_show_errors",
    "Com_show_grants",
    "Com_show_keys",
    "Com_show_other",
    "Com_show_processlist",
    "Com_show_status",
    "Com_show_table_status",
    "Com_show_tables",
    "Com_show_variables",
    "Com_show_warnings",
    "Com_signal",
    "Com_truncate",
    "Com_unlock_tables",
    "Com_update",
];

/// MySQL's variables about what this server does not have (the MyISAM key cache, a cache of open tables, table locks that
/// others wait for, threads that are slow to start) or what SQLite does by itself and does not count (temporary tables).
const UNUSED: &[&str] = &[
    "Created_tmp_disk_tables",
    "Created_tmp_files",
    "Created_tmp_tables",
    "Handler_read_first",
    "Handler_read_rnd",
    "Key_blocks_unused",
    "Key_blocks_used",
    "Key_read_requests",
    "Key_reads",
    "Open_files",
    "Open_streams",
    "Open_table_definitions",
    "Open_tables",
    "Opened_files",
    "Opened_tables",
    "Select_full_range_join",
    "Select_range",
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
    "Table_open_cache_hits",
    "Table_open_cache_misses",
    "Table_open_cache_overflows",
];

/// Upper bounds of the histogram buckets of times, in seconds: from what a read of memory takes to what nobody waits for.
pub const SECONDS: &[f64] = &[
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0,
];

/// What a statement is to somebody who watches how long it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Read,
    /// INSERT, UPDATE, DELETE, REPLACE, LOAD DATA; with its commit, unless it is within a transaction.
    Write,
    Commit,
    /// Changes of the schema and of accounts.
    Schema,
    /// SET, SHOW of the session's own state, BEGIN, CALL and the rest.
    Other,
}

impl Class {
    pub const ALL: [(Class, &'static str); 5] = [
        (Class::Read, "read"),
        (Class::Write, "write"),
        (Class::Commit, "commit"),
        (Class::Schema, "schema"),
        (Class::Other, "other"),
    ];

    /// As [`Class::ALL`] has it.
    pub fn name(self) -> &'static str {
        Class::ALL[self as usize].1
    }

    pub fn of(plan: &Plan) -> Class {
        match plan {
            Plan::Read(_) | Plan::Rows { .. } => Class::Read,
            Plan::Write(_) | Plan::Load(_) => Class::Write,
            Plan::Commit(_) => Class::Commit,
            Plan::Schema(_) | Plan::Schemas(_) | Plan::CreateSelect { .. } | Plan::Account(_) => Class::Schema,
            Plan::Begin { .. }
            | Plan::Rollback(_)
            | Plan::Savepoint(_)
            | Plan::RollbackTo(_)
            | Plan::Release(_)
            | Plan::Set(_)
            | Plan::Use(_)
            | Plan::Session(_)
            | Plan::Admin(_)
            | Plan::Call(_)
            | Plan::Nothing(_) => Class::Other,
        }
    }
}

/// Errors that somebody who runs a cluster wants to tell apart; the rest are the clients' own.
pub const ERRORS: [&str; 4] = ["conflict", "lock_wait", "unknown_outcome", "other"];

fn kind_of(code: u16) -> usize {
    match code {
        1213 => 0,
        1205 => 1,
        1180 => 2,
        _ => 3,
    }
}

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
    retries: AtomicU64,
    errors: [AtomicU64; ERRORS.len()],
    committed: AtomicU64,
    rolled_back: AtomicU64,
    prepared: AtomicU64,
    executed: AtomicU64,
    closed: AtomicU64,
    times: HistogramVec,
    /// The parts of `times`, as [`Class`] counts: looked up once, so that counting is a few atomic additions.
    times_of: [Histogram; Class::ALL.len()],
    tls_asked: AtomicU64,
    tls_accepted: AtomicU64,
    definitions_opened: AtomicU64,
}

impl Default for Counters {
    fn default() -> Counters {
        let help =
            "How long statements took, from their text to the end of their result, by class; a write with its commit";
        let options = HistogramOpts::new("marmot_statement_seconds", help).buckets(SECONDS.to_vec());
        let times = HistogramVec::new(options, &["class"]).expect("a valid name and rising buckets");
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
            retries: AtomicU64::new(0),
            errors: [const { AtomicU64::new(0) }; ERRORS.len()],
            committed: AtomicU64::new(0),
            rolled_back: AtomicU64::new(0),
            prepared: AtomicU64::new(0),
            executed: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            times_of: Class::ALL.map(|(_, name)| times.with_label_values(&[name])),
            times,
            tls_asked: AtomicU64::new(0),
            tls_accepted: AtomicU64::new(0),
            definitions_opened: AtomicU64::new(0),
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

    /// A statement ended, after `time`.
    pub fn ended(&self, class: Class, time: Span) {
        self.times_of[class as usize].observe(time.as_secs_f64());
    }

    /// A statement failed with this error of MySQL.
    pub fn error(&self, code: u16) {
        self.errors[kind_of(code)].fetch_add(1, Relaxed);
    }

    /// A statement met a conflict and is tried again.
    pub fn retry(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    /// A transaction that a client opened was committed, or rolled back.
    pub fn transaction_ended(&self, committed: bool) {
        let counter = if committed { &self.committed } else { &self.rolled_back };
        counter.fetch_add(1, Relaxed);
    }

    /// COM_STMT_PREPARE made a statement.
    pub fn prepared(&self) {
        self.prepared.fetch_add(1, Relaxed);
    }

    /// COM_STMT_EXECUTE ran one.
    pub fn executed(&self) {
        self.executed.fetch_add(1, Relaxed);
    }

    /// So many of them are gone.
    pub fn closed(&self, statements: usize) {
        self.closed.fetch_add(statements as u64, Relaxed);
    }

    /// How many statements took longer than `long_query_time`.
    pub fn slow_statements(&self) -> u64 {
        self.slow_statements.load(Relaxed)
    }

    /// How long statements took, by class.
    pub fn classes(&self) -> impl Iterator<Item = (&'static str, &Histogram)> {
        Class::ALL.iter().map(|(_, name)| *name).zip(&self.times_of)
    }

    /// The histogram of statement times.
    pub fn times(&self) -> Box<dyn Collector> {
        Box::new(self.times.clone())
    }

    /// How many attempts were made again after a conflict.
    pub fn retries(&self) -> u64 {
        self.retries.load(Relaxed)
    }

    /// How many statements failed, by kind.
    pub fn errors(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        ERRORS.into_iter().zip(self.errors.iter().map(|n| n.load(Relaxed)))
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

    /// The definitions of so many tables were read into the catalog.
    pub fn definitions_opened(&self, tables: usize) {
        self.definitions_opened.fetch_add(tables as u64, Relaxed);
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
            ("Com_stmt_close", of(&self.closed)),
            ("Com_stmt_execute", of(&self.executed)),
            ("Com_stmt_prepare", of(&self.prepared)),
            ("Handler_commit", of(&self.committed)),
            ("Handler_read_rnd_next", of(&self.scanned_rows)),
            ("Handler_rollback", of(&self.rolled_back)),
            ("Opened_table_definitions", of(&self.definitions_opened)),
            ("Prepared_stmt_count", of(&self.prepared).saturating_sub(of(&self.closed))),
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
        ("SET", "PASSWORD") => "Com_set_password",
        ("SET", _) => "Com_set_option",
        ("BEGIN", _) | ("START", "TRANSACTION") => "Com_begin",
        ("COMMIT", _) => "Com_commit",
        ("ROLLBACK", "TO") => "Com_rollback_to_savepoint",
        ("ROLLBACK", _) => "Com_rollback",
        ("SAVEPOINT", _) => "Com_savepoint",
        ("RELEASE", _) => "Com_release_savepoint",
        ("USE", _) => "Com_change_db",
        ("SHOW", "DATABASES" | "SCHEMAS") => "Com_show_databases",
        ("SHOW", "TABLES") => "Com_show_tables",
        ("SHOW", "COLUMNS" | "FIELDS") => "Com_show_columns",
        ("SHOW", "STATUS") => "Com_show_status",
        ("SHOW", "VARIABLES") => "Com_show_variables",
        ("SHOW", "INDEX" | "INDEXES" | "KEYS") => "Com_show_keys",
        ("SHOW", "PROCESSLIST") => "Com_show_processlist",
        ("SHOW", "TABLE") => "Com_show_table_status",
        ("SHOW", "ENGINES") => "Com_show_engines",
        ("SHOW", "ERRORS") => "Com_show_errors",
        ("SHOW", "WARNINGS") => "Com_show_warnings",
        ("SHOW", "GRANTS") => "Com_show_grants",
        ("SHOW", "CREATE") => match words.next().as_deref() {
            Some("TABLE") => "Com_show_create_table",
            Some("DATABASE" | "SCHEMA") => "Com_show_create_db",
            _ => "Com_show_other",
        },
        ("SHOW", "GLOBAL" | "SESSION" | "FULL") => match words.next().as_deref() {
            Some("STATUS") => "Com_show_status",
            Some("VARIABLES") => "Com_show_variables",
            Some("TABLES") => "Com_show_tables",
            Some("COLUMNS" | "FIELDS") => "Com_show_columns",
            Some("PROCESSLIST") => "Com_show_processlist",
            _ => "Com_show_other",
        },
        ("SHOW", _) => "Com_show_other",
        ("EXPLAIN" | "DESCRIBE" | "DESC", _) => "Com_explain_other",
        ("CREATE", "DATABASE" | "SCHEMA") => "Com_create_db",
        ("CREATE", "TABLE" | "TEMPORARY") => "Com_create_table",
        ("CREATE", "INDEX" | "UNIQUE" | "FULLTEXT" | "SPATIAL") => "Com_create_index",
        ("CREATE", "USER") => "Com_create_user",
        ("CREATE", _) => created(text),
        ("ALTER", "DATABASE" | "SCHEMA") => "Com_alter_db",
        ("ALTER", "TABLE") => "Com_alter_table",
        ("DROP", "DATABASE" | "SCHEMA") => "Com_drop_db",
        ("DROP", "TABLE" | "TABLES" | "TEMPORARY") => "Com_drop_table",
        ("DROP", "INDEX") => "Com_drop_index",
        ("DROP", "VIEW") => "Com_drop_view",
        ("DROP", "PROCEDURE") => "Com_drop_procedure",
        ("DROP", "FUNCTION") => "Com_drop_function",
        ("DROP", "TRIGGER") => "Com_drop_trigger",
        ("DROP", "USER") => "Com_drop_user",
        ("ALTER", "USER") => "Com_alter_user",
        ("GRANT", _) => "Com_grant",
        ("REVOKE", _) => "Com_revoke",
        ("CALL", _) => "Com_call_procedure",
        ("LOAD", _) => "Com_load",
        ("PREPARE", _) => "Com_prepare_sql",
        ("EXECUTE", _) => "Com_execute_sql",
        ("DEALLOCATE", _) => "Com_dealloc_sql",
        ("SIGNAL", _) => "Com_signal",
        ("RESIGNAL", _) => "Com_resignal",
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

/// What CREATE makes whose name comes later: after OR REPLACE, DEFINER = somebody and the like.
fn created(text: &str) -> &'static str {
    /// Words that may come before it.
    const AT_MOST: usize = 24;
    let of = |word: &str| match word.to_ascii_uppercase().as_str() {
        "VIEW" => Some("Com_create_view"),
        "PROCEDURE" => Some("Com_create_procedure"),
        "FUNCTION" => Some("Com_create_function"),
        "TRIGGER" => Some("Com_create_trigger"),
        _ => None,
    };
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    words.take(AT_MOST).find_map(of).unwrap_or("Com_admin_commands")
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
            ("SHOW FULL PROCESSLIST", "Com_show_processlist"),
            ("CREATE OR REPLACE DEFINER = `root`@`%` SQL SECURITY INVOKER VIEW v AS SELECT 1", "Com_create_view"),
            ("CREATE DEFINER = 'a'@'b' PROCEDURE p () SELECT 1", "Com_create_procedure"),
            ("CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET @a = 1", "Com_create_trigger"),
            ("ROLLBACK TO SAVEPOINT s", "Com_rollback_to_savepoint"),
            ("CALL p()", "Com_call_procedure"),
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
