//! `marmot.transactions` and `marmot.intents`: what is under way, and who holds what.

use super::cluster_tables::{MARMOT, int};
use super::{Facts, Holds::*, SystemTable, text};
use crate::core::OpenTransaction;
use crate::types::{ClientId, Key, Mode, Value};
use std::collections::BTreeMap;

/// Transactions that clients hold open here, and those on their way to an outcome, here or elsewhere.
pub const TRANSACTIONS: SystemTable = SystemTable {
    database: MARMOT,
    name: "transactions",
    columns: &[
        ("id", Text(64)),
        ("state", Text(16)),
        ("coordinator", Unsigned),
        ("connection", Unsigned),
        ("age_ms", Unsigned),
        ("key_count", Unsigned),
        ("waits_for", Text(64)),
    ],
    rows: |facts| {
        let connections = facts.registry.list();
        let by_client: BTreeMap<ClientId, u64> = connections.iter().map(|c| (c.client(), c.id)).collect();
        let under_way = facts.open.iter().map(|open| {
            let connection = open.client.and_then(|client| by_client.get(&client));
            vec![
                named(open.txn),
                text(&open.state.to_string()),
                int(open.coordinator.0),
                connection.map_or(Value::Null, |id| int(*id)),
                open.age.map_or(Value::Null, |age| int(age.as_millis())),
                int(open.key_count as u64),
                named(open.waits_for()),
            ]
        });
        let committing = |client| facts.open.iter().any(|open| open.client == Some(client));
        let open = connections.iter().filter(|c| !committing(c.client())).filter_map(|c| {
            let (since, changes) = c.transaction()?;
            let age = facts.now.mono.since(since).as_millis();
            let state = text("OPEN");
            Some(vec![Value::Null, state, int(facts.node.0), int(c.id), int(age), int(changes), Value::Null])
        });
        under_way.chain(open).collect()
    },
};

/// The keys that transactions without an outcome hold on this node.
pub const INTENTS: SystemTable = SystemTable {
    database: MARMOT,
    name: "intents",
    columns: &[
        ("kind", Text(8)),
        ("database_name", Text(64)),
        ("table_name", Text(64)),
        ("key_value", Long),
        ("mode", Text(8)),
        ("transaction", Text(64)),
        ("coordinator", Unsigned),
        ("age_ms", Unsigned),
    ],
    rows: |facts| {
        let holding = facts.open.iter().filter(|open| open.holds);
        holding.flat_map(|open| open.keys.iter().map(move |(key, mode)| intent(facts, open, key, *mode))).collect()
    },
};

fn named(txn: Option<crate::types::TxnId>) -> Value {
    txn.map_or(Value::Null, |txn| text(&txn.to_string()))
}

fn intent(facts: &Facts<'_>, open: &OpenTransaction, key: &Key, mode: Mode) -> Vec<Value> {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let table = |id| match facts.table_name(id) {
        Some((database, table)) => [text(database), text(table)],
        None => [Value::Null, text(&format!("{id}"))],
    };
    let (kind, [database, table], value) = match key {
        Key::Row(row) => ("ROW", table(row.table), text(&hex(&row.key))),
        Key::Unique(id, unique) => ("UNIQUE", table(*id), text(&hex(&unique.values))),
        Key::Schema(database) => ("SCHEMA", [text(database), Value::Null], Value::Null),
        Key::Members => ("MEMBERS", [Value::Null, Value::Null], Value::Null),
    };
    let mode = match mode {
        Mode::Read => "READ",
        Mode::Write => "WRITE",
    };
    let age = open.age.map_or(Value::Null, |age| int(age.as_millis()));
    vec![text(kind), database, table, value, text(mode), named(open.txn), int(open.coordinator.0), age]
}
