//! System tables that describe the server rather than the data: engines, character sets, connections, variables,
//! status, and the empty tables that tools look into.

use super::{Facts, Holds::*, SystemTable, text};
use crate::session::variables::charset::{CHARSETS, COLLATIONS, charset, default_collation};
use crate::sql::{Privileges, canonical_query};
use crate::types::Value;

const INFORMATION_SCHEMA: &str = "information_schema";
const PERFORMANCE_SCHEMA: &str = "performance_schema";

fn nothing(_: &Facts<'_>) -> Vec<Vec<Value>> {
    Vec::new()
}

fn yes(on: bool) -> Value {
    text(if on { "Yes" } else { "" })
}

pub const ENGINES: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "ENGINES",
    columns: &[
        ("ENGINE", Text(64)),
        ("SUPPORT", Text(8)),
        ("COMMENT", Text(80)),
        ("TRANSACTIONS", Text(3)),
        ("XA", Text(3)),
        ("SAVEPOINTS", Text(3)),
    ],
    rows: |_| {
        let comment = "SQLite files with distributed transactions; the name is kept for clients";
        let row = ["InnoDB", "DEFAULT", comment, "YES", "NO", "YES"];
        vec![row.iter().map(|t| text(t)).collect()]
    },
};

pub const CHARACTER_SETS: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "CHARACTER_SETS",
    columns: &[
        ("CHARACTER_SET_NAME", Text(64)),
        ("DEFAULT_COLLATE_NAME", Text(64)),
        ("DESCRIPTION", Text(2048)),
        ("MAXLEN", Unsigned),
    ],
    rows: |_| {
        let row = |c: &crate::session::variables::charset::Charset| {
            let collation = default_collation(c.name).map_or("", |c| c.name);
            vec![text(c.name), text(collation), text(c.description), Value::Int(i64::from(c.max_length))]
        };
        CHARSETS.iter().map(row).collect()
    },
};

pub const COLLATIONS_TABLE: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "COLLATIONS",
    columns: &[
        ("COLLATION_NAME", Text(64)),
        ("CHARACTER_SET_NAME", Text(64)),
        ("ID", Unsigned),
        ("IS_DEFAULT", Text(3)),
        ("IS_COMPILED", Text(3)),
        ("SORTLEN", Unsigned),
        ("PAD_ATTRIBUTE", Text(9)),
    ],
    rows: |_| {
        let row = |c: &crate::session::variables::charset::Collation| {
            let pad = if c.name.contains("_0900_") || c.name == "binary" { "NO PAD" } else { "PAD SPACE" };
            let id = Value::Int(i64::from(c.id));
            vec![text(c.name), text(c.charset), id, yes(c.is_default), text("Yes"), Value::Int(1), text(pad)]
        };
        COLLATIONS.iter().map(row).collect()
    },
};

pub const APPLICABILITY: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "COLLATION_CHARACTER_SET_APPLICABILITY",
    columns: &[("COLLATION_NAME", Text(64)), ("CHARACTER_SET_NAME", Text(64))],
    rows: |_| COLLATIONS.iter().map(|c| vec![text(c.name), text(charset(c.charset).map_or("", |s| s.name))]).collect(),
};

pub const PROCESSLIST: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "PROCESSLIST",
    columns: &[
        ("ID", Unsigned),
        ("USER", Text(32)),
        ("HOST", Text(261)),
        ("DB", Text(64)),
        ("COMMAND", Text(16)),
        ("TIME", Int),
        ("STATE", Text(64)),
        ("INFO", Long),
    ],
    rows: |facts| {
        let row = |c: &std::sync::Arc<crate::session::Connection>| {
            let activity = c.activity();
            let seconds = facts.now.mono.since(activity.since).as_millis() / 1000;
            let running = activity.statement.is_some();
            vec![
                Value::Int(i64::try_from(c.id).unwrap_or(i64::MAX)),
                text(&activity.user),
                text(&c.host),
                activity.database.as_deref().map_or(Value::Null, text),
                text(if running { "Query" } else { "Sleep" }),
                Value::Int(i64::try_from(seconds).unwrap_or(i64::MAX)),
                text(if running { "executing" } else { "" }),
                activity.statement.map_or(Value::Null, Value::Text),
            ]
        };
        let all = facts.rights.global().contains(Privileges::PROCESS);
        let own = |c: &&std::sync::Arc<crate::session::Connection>| all || c.activity().user == facts.user;
        facts.registry.list().iter().filter(own).map(row).collect()
    },
};

pub const PLUGINS: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "PLUGINS",
    columns: &[
        ("PLUGIN_NAME", Text(64)),
        ("PLUGIN_VERSION", Text(20)),
        ("PLUGIN_STATUS", Text(10)),
        ("PLUGIN_TYPE", Text(80)),
        ("PLUGIN_LIBRARY", Text(64)),
        ("PLUGIN_DESCRIPTION", Long),
        ("PLUGIN_LICENSE", Text(80)),
    ],
    rows: |_| {
        let auth = |name| {
            vec![
                text(name),
                text("1.0"),
                text("ACTIVE"),
                text("AUTHENTICATION"),
                Value::Null,
                Value::Null,
                text("Apache-2.0"),
            ]
        };
        vec![auth("mysql_native_password"), auth("caching_sha2_password")]
    },
};

pub const VIEWS: SystemTable = SystemTable {
    database: INFORMATION_SCHEMA,
    name: "VIEWS",
    columns: &[
        ("TABLE_CATALOG", Text(64)),
        ("TABLE_SCHEMA", Text(64)),
        ("TABLE_NAME", Text(64)),
        ("VIEW_DEFINITION", Long),
        ("CHECK_OPTION", Text(8)),
        ("IS_UPDATABLE", Text(3)),
        ("DEFINER", Text(288)),
        ("SECURITY_TYPE", Text(7)),
        ("CHARACTER_SET_CLIENT", Text(64)),
        ("COLLATION_CONNECTION", Text(64)),
    ],
    rows: |facts| {
        let views = facts.catalog.databases().flat_map(|d| d.views.values().map(move |v| (d, v)));
        views
            .map(|(database, view)| {
                let security = if view.invoker { "INVOKER" } else { "DEFINER" };
                let shown = facts.rights.on_table(&database.name, &view.name).contains(Privileges::SHOW_VIEW);
                let query = match canonical_query(view, facts.catalog, None) {
                    _ if !shown => String::new(),
                    Some(query) => query,
                    None => view.query.clone(),
                };
                let updatable = if crate::sql::is_updatable(view, database, facts.catalog) { "YES" } else { "NO" };
                let cells = [
                    &*database.name,
                    &view.name,
                    &query,
                    &view.check_option,
                    updatable,
                    database.definer(&view.name),
                    security,
                ];
                let others = ["utf8mb4", crate::sql::Collation::DEFAULT];
                std::iter::once("def").chain(cells).chain(others).map(Value::text).collect()
            })
            .collect()
    },
};

/// Name and value pairs, as `SHOW VARIABLES` and `SHOW STATUS` read them.
const PAIRS: &[(&str, super::Holds)] = &[("VARIABLE_NAME", Text(64)), ("VARIABLE_VALUE", Text(1024))];

fn pairs(list: Vec<(&'static str, String)>) -> Vec<Vec<Value>> {
    list.into_iter().map(|(name, value)| vec![text(name), text(&value)]).collect()
}

pub const SESSION_VARIABLES: SystemTable = SystemTable {
    database: PERFORMANCE_SCHEMA,
    name: "session_variables",
    columns: PAIRS,
    rows: |facts| pairs(facts.variables.list(false)),
};

pub const GLOBAL_VARIABLES: SystemTable = SystemTable {
    database: PERFORMANCE_SCHEMA,
    name: "global_variables",
    columns: PAIRS,
    rows: |facts| pairs(facts.variables.list(true)),
};

pub const SESSION_STATUS: SystemTable = SystemTable {
    database: PERFORMANCE_SCHEMA,
    name: "session_status",
    columns: PAIRS,
    rows: |facts| pairs(status(facts)),
};

pub const GLOBAL_STATUS: SystemTable = SystemTable {
    database: PERFORMANCE_SCHEMA,
    name: "global_status",
    columns: PAIRS,
    rows: |facts| pairs(status(facts)),
};

/// What the front offers to clients that ask for TLS (1.3, then 1.2), by OpenSSL's names; a test compares.
pub const TLS_CIPHERS: &str = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:\
    ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:\
    ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305";

/// What `SHOW STATUS` lists.
fn status(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let connections = facts.registry.list();
    let running = connections.iter().filter(|c| c.activity().statement.is_some()).count();
    let mut list = vec![
        ("Connections", facts.registry.total().to_string()),
        ("Max_used_connections", facts.registry.most().to_string()),
        ("Ssl_cipher", facts.encryption.map(|e| e.cipher.clone()).unwrap_or_default()),
        ("Ssl_cipher_list", TLS_CIPHERS.to_string()),
        ("Ssl_session_cache_mode", "NONE".to_string()),
        ("Ssl_version", facts.encryption.map(|e| e.version.clone()).unwrap_or_default()),
        ("Threads_connected", connections.len().to_string()),
        ("Threads_cached", "0".to_string()),
        ("Threads_created", facts.registry.total().to_string()),
        ("Threads_running", running.to_string()),
        ("Uptime_since_flush_status", (facts.now.mono.since(facts.started).as_millis() / 1000).to_string()),
        ("Uptime", (facts.now.mono.since(facts.started).as_millis() / 1000).to_string()),
    ];
    list.extend(facts.counters.list().into_iter().map(|(name, value)| (name, value.to_string())));
    if let Some(node) = facts.cluster {
        list.push(("marmot_alive_voters", node.alive_voters.to_string()));
        list.push(("marmot_applied_seq", node.applied.to_string()));
        list.push(("marmot_coordinated_aborts", node.ended.aborted.to_string()));
        list.push(("marmot_coordinated_commits_in_one_round", node.ended.in_one_round.to_string()));
        list.push(("marmot_coordinated_commits_in_two_rounds", node.ended.in_two_rounds.to_string()));
        list.push(("marmot_epoch", node.epoch.0.to_string()));
        list.push(("marmot_intents", node.intents.to_string()));
        list.push(("marmot_node_id", node.id.0.to_string()));
        list.push(("marmot_voters", node.voters.to_string()));
        list.push(("marmot_watermark", node.watermark.to_string()));
    }
    list.sort_unstable();
    list
}

pub const TIME_ZONE_NAME: SystemTable = SystemTable {
    database: "mysql",
    name: "time_zone_name",
    columns: &[("Name", Text(64)), ("Time_zone_id", Unsigned)],
    rows: nothing,
};
