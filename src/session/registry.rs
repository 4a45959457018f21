//! Who is connected: connection numbers, what each does (`SHOW PROCESSLIST`), and the flags by which `KILL` reaches
//! another session.

use crate::types::Mono;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// One connected session as others see it.
#[derive(Debug)]
pub struct Connection {
    /// `CONNECTION_ID()`; never reused while the process lives.
    pub id: u64,
    /// Where the client is, `host:port`, or `localhost` for a Unix socket.
    pub host: String,
    kill_query: AtomicBool,
    kill_connection: AtomicBool,
    /// Wakes a session that waits for the core.
    wake: Notify,
    activity: Mutex<Activity>,
    interrupt: Mutex<Option<Interrupt>>,
}

/// How a running statement is stopped from another task.
#[derive(Clone)]
struct Interrupt(Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interrupt")
    }
}

/// What a session does now.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    pub user: String,
    pub database: Option<Arc<str>>,
    /// The statement being executed; `None` while idle.
    pub statement: Option<Arc<str>>,
    /// Since when.
    pub since: Mono,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registry({} connections)", self.lock().len())
    }
}

impl Connection {
    /// What the session does now.
    pub fn activity(&self) -> Activity {
        lock(&self.activity).clone()
    }

    /// The session tells what it does.
    pub fn set_activity(&self, change: impl FnOnce(&mut Activity)) {
        change(&mut lock(&self.activity));
    }

    /// Gives others a way to interrupt the SQLite connections of this session.
    pub fn set_interrupt(&self, interrupt: impl Fn() + Send + Sync + 'static) {
        *lock(&self.interrupt) = Some(Interrupt(Arc::new(interrupt)));
    }

    /// Whether the running statement was killed; clears the mark. The session answers 1317 then.
    pub fn take_query_killed(&self) -> bool {
        self.kill_query.swap(false, Ordering::AcqRel)
    }

    /// Whether `KILL` ended this connection. The session answers 1317 and the shell closes the socket.
    pub fn is_killed(&self) -> bool {
        self.kill_connection.load(Ordering::Acquire)
    }

    /// Waits until this session or its statement is killed. Cancel safe.
    pub async fn killed(&self) {
        loop {
            let wake = self.wake.notified();
            if self.is_killed() || self.kill_query.load(Ordering::Acquire) {
                return;
            }
            wake.await;
        }
    }

    fn kill(&self, connection: bool) {
        self.kill_query.store(true, Ordering::Release);
        if connection {
            self.kill_connection.store(true, Ordering::Release);
        }
        let interrupt = lock(&self.interrupt).clone();
        if let Some(Interrupt(stop)) = interrupt {
            stop();
        }
        // `notify_one` keeps the wake-up for a session that is about to wait; the flag is checked either way.
        self.wake.notify_waiters();
        self.wake.notify_one();
    }
}

/// All sessions of this node.
#[derive(Default)]
pub struct Registry {
    next: AtomicU64,
    connections: Mutex<BTreeMap<u64, Arc<Connection>>>,
}

impl Registry {
    /// Registers a new connection from `host`.
    pub fn connect(&self, id: u64, host: String, now: Mono) -> Arc<Connection> {
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let connection = Arc::new(Connection {
            id,
            host,
            kill_query: AtomicBool::new(false),
            kill_connection: AtomicBool::new(false),
            wake: Notify::new(),
            activity: Mutex::new(Activity { since: now, ..Activity::default() }),
            interrupt: Mutex::new(None),
        });
        self.lock().insert(id, connection.clone());
        connection
    }

    pub fn disconnect(&self, id: u64) {
        self.lock().remove(&id);
    }

    /// `KILL [CONNECTION | QUERY] id`. False: no such connection (MySQL 1094).
    pub fn kill(&self, id: u64, connection: bool) -> bool {
        let found = self.lock().get(&id).cloned();
        found.inspect(|c| c.kill(connection)).is_some()
    }

    /// All connections, by id.
    pub fn list(&self) -> Vec<Arc<Connection>> {
        self.lock().values().cloned().collect()
    }

    /// How many connections there were since the start.
    pub fn total(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Connection>>> {
        lock(&self.connections)
    }
}

/// A panic elsewhere cannot leave these values half changed: every change is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kill_marks_interrupts_and_forgets() {
        let registry = Registry::default();
        let first = registry.connect("a:1".into(), Mono(0));
        let second = registry.connect("b:2".into(), Mono(0));
        assert_eq!((first.id, second.id), (1, 2));
        let hit = Arc::new(AtomicBool::new(false));
        let flag = hit.clone();
        second.set_interrupt(move || flag.store(true, Ordering::SeqCst));
        assert!(registry.kill(2, false));
        assert!(hit.load(Ordering::SeqCst));
        assert!(second.take_query_killed() && !second.take_query_killed() && !second.is_killed());
        assert!(registry.kill(1, true) && first.is_killed());
        registry.disconnect(1);
        assert!(!registry.kill(1, true), "a connection that is gone cannot be killed");
    }
}
