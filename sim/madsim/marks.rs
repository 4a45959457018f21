//! Marks: what happened in this run, counted, to prove over many seeds that every fault struck and every repair ran.
//!
//! Most come from the daemon's own log, so that no path of it has to know that it is watched; the rest from the
//! simulated disk, network and clients.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Name → how often. A run has a process of its own, so the process has one set.
pub type Marks = BTreeMap<String, u64>;

static MARKS: Mutex<Marks> = Mutex::new(BTreeMap::new());

/// Counts one.
pub fn mark(name: &str) {
    mark_many(name, 1);
}

/// Counts `n`, if there are any.
pub fn mark_many(name: &str, n: u64) {
    if n == 0 {
        return;
    }
    let mut marks = MARKS.lock().unwrap_or_else(PoisonError::into_inner);
    match marks.get_mut(name) {
        Some(count) => *count += n,
        None => drop(marks.insert(name.to_string(), n)),
    }
}

/// All of this process.
pub fn all() -> Marks {
    MARKS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Marks of the simulator's own.
pub const NAMED: &[&str] = &["message lost", "message doubled", "message late", "frame altered", "statement prepared"];

/// What the daemon's log must have said somewhere: the beginning of a message, and what it proves.
pub const LOGGED: &[(&str, &str)] = &[
    ("recovered", "a node started from its files"),
    ("stopping: a restart recovers", "a node stopped by itself"),
    ("drained", "a node was asked to stop and did"),
    ("link to peer is down", "a link broke and was dialled anew"),
    ("peer is dead", "a peer was declared dead"),
    ("peer is alive", "a peer was found"),
    ("peer's connection refused", "an altered frame was refused"),
    ("recovering a transaction", "a transaction of another node was finished"),
    ("member list changed", "members changed"),
    ("a merge discarded a value", "a merge discarded a value"),
    ("tasks found in a file already", "redo met a file that had the task"),
];

/// Listens to the daemon's log.
pub struct Listener;

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() <= Level::INFO && event.metadata().target().starts_with("marmot") {
            event.record(&mut Reader);
        }
    }
}

struct Reader;

impl Visit for Reader {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() != "message" {
            return;
        }
        let said = format!("{value:?}");
        if let Some((_, name)) = LOGGED.iter().find(|(beginning, _)| said.starts_with(beginning)) {
            mark(name);
        }
    }
}
