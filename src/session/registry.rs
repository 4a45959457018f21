//! Who is connected: connection numbers, what each does (`SHOW PROCESSLIST`), and the flags by which `KILL` reaches
//! another session.

use crate::types::{ClientId, Mono, Span};
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
    /// When the running statement, and when the open transaction, has had its time: nanoseconds, 0 for never.
    statement_deadline: AtomicU64,
    transaction_deadline: AtomicU64,
    statement_late: AtomicBool,
    transaction_late: AtomicBool,
    /// The session's number for the core.
    client: AtomicU64,
    /// When the open transaction began, in nanoseconds and one more; 0: none is open. And the changes of rows it made.
    transaction_since: AtomicU64,
    transaction_changes: AtomicU64,
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

    /// Why the running statement must stop, if it must; clears the marks, except of what ends the connection.
    pub fn take_stop(&self) -> Option<Stop> {
        let killed = self.kill_query.swap(false, Ordering::AcqRel);
        let late = self.statement_late.swap(false, Ordering::AcqRel);
        if self.transaction_late.load(Ordering::Acquire) {
            Some(Stop::TransactionTooOld)
        } else if late {
            Some(Stop::StatementTooLong)
        } else {
            (killed || self.is_killed()).then_some(Stop::Killed)
        }
    }

    /// The statement must end before `deadline` (`max_execution_time`); `None` is never.
    pub fn set_statement_deadline(&self, deadline: Option<Mono>) {
        self.statement_late.store(false, Ordering::Release);
        self.statement_deadline.store(deadline.map_or(0, |d| d.0), Ordering::Release);
    }

    /// The open transaction must end before `deadline` (`marmot_transaction_max_age`); `None`: there is none.
    pub fn set_transaction_deadline(&self, deadline: Option<Mono>) {
        self.transaction_deadline.store(deadline.map_or(0, |d| d.0), Ordering::Release);
    }

    /// The number by which the core knows the session.
    pub fn set_client(&self, client: ClientId) {
        self.client.store(client.0, Ordering::Relaxed);
    }

    pub fn client(&self) -> ClientId {
        ClientId(self.client.load(Ordering::Relaxed))
    }

    /// A transaction was opened at `since`; `None`: the open one is over.
    pub fn set_transaction(&self, since: Option<Mono>) {
        self.transaction_changes.store(0, Ordering::Relaxed);
        self.transaction_since.store(since.map_or(0, |at| at.0.saturating_add(1)), Ordering::Relaxed);
    }

    /// The open transaction has changed so many rows, each as often as it did.
    pub fn set_transaction_changes(&self, changes: usize) {
        self.transaction_changes.store(changes as u64, Ordering::Relaxed);
    }

    /// When the open transaction began, if there is one, and the changes of rows it made.
    pub fn transaction(&self) -> Option<(Mono, u64)> {
        let since = self.transaction_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some((Mono(since), self.transaction_changes.load(Ordering::Relaxed)))
    }

    /// Whether the connection was closed because its transaction grew too old.
    pub fn is_transaction_late(&self) -> bool {
        self.transaction_late.load(Ordering::Acquire)
    }

    /// How long the running statement may still take; `None`: it has no limit.
    pub fn statement_time_left(&self, now: Mono) -> Option<Span> {
        match self.statement_deadline.load(Ordering::Acquire) {
            0 => None,
            deadline => Some(Mono(deadline).since(now)),
        }
    }

    /// Stops the statement, or ends the connection, if its time is over.
    pub fn expire(&self, now: Mono) {
        let passed = |deadline: &AtomicU64| {
            !matches!(deadline.load(Ordering::Acquire), 0) && now.0 >= deadline.load(Ordering::Acquire)
        };
        if passed(&self.transaction_deadline) {
            self.transaction_late.store(true, Ordering::Release);
            self.kill(true);
        } else if passed(&self.statement_deadline) {
            self.statement_deadline.store(0, Ordering::Release);
            self.statement_late.store(true, Ordering::Release);
            self.stop();
        }
    }

    /// Interrupts what runs and wakes what waits.
    fn stop(&self) {
        let interrupt = lock(&self.interrupt).clone();
        if let Some(Interrupt(stop)) = interrupt {
            stop();
        }
        self.wake.notify_waiters();
    }

    /// Whether `KILL` ended this connection. The session answers 1317 and the shell closes the socket.
    pub fn is_killed(&self) -> bool {
        self.kill_connection.load(Ordering::Acquire)
    }

    /// Waits until this connection is to be closed. Cancel safe.
    pub async fn killed(&self) {
        loop {
            let mut wake = std::pin::pin!(self.wake.notified());
            // Registered before the flag is looked at: a kill in between is not missed.
            wake.as_mut().enable();
            if self.is_killed() {
                return;
            }
            wake.await;
        }
    }

    /// Whether the running statement must stop; [`Connection::take_stop`] says why.
    pub fn must_stop(&self) -> bool {
        let marks = [&self.kill_query, &self.kill_connection, &self.statement_late, &self.transaction_late];
        marks.iter().any(|mark| mark.load(Ordering::Acquire))
    }

    /// Waits until the running statement must stop. Cancel safe.
    pub async fn stopped(&self) {
        loop {
            let mut wake = std::pin::pin!(self.wake.notified());
            wake.as_mut().enable();
            if self.must_stop() {
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
        self.stop();
    }
}

/// Why a statement stops before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// MySQL 1317.
    Killed,
    /// MySQL 3024.
    StatementTooLong,
    /// The transaction is rolled back and the connection closed: its snapshot kept the write-ahead log from shrinking.
    TransactionTooOld,
}

/// All sessions of this node.
#[derive(Default)]
pub struct Registry {
    total: AtomicU64,
    /// The most connections there were at one time.
    most: AtomicU64,
    connections: Mutex<BTreeMap<u64, Arc<Connection>>>,
}

impl Registry {
    /// Registers the new connection `id` from `host`.
    pub fn connect(&self, id: u64, host: String, now: Mono) -> Arc<Connection> {
        self.total.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection {
            id,
            host,
            kill_query: AtomicBool::new(false),
            kill_connection: AtomicBool::new(false),
            statement_deadline: AtomicU64::new(0),
            transaction_deadline: AtomicU64::new(0),
            statement_late: AtomicBool::new(false),
            transaction_late: AtomicBool::new(false),
            client: AtomicU64::new(0),
            transaction_since: AtomicU64::new(0),
            transaction_changes: AtomicU64::new(0),
            wake: Notify::new(),
            activity: Mutex::new(Activity { since: now, ..Activity::default() }),
            interrupt: Mutex::new(None),
        });
        let mut connections = self.lock();
        connections.insert(id, connection.clone());
        self.most.fetch_max(connections.len() as u64, Ordering::Relaxed);
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

    /// Stops statements and closes connections whose time is over. The shell calls it a few times a second.
    pub fn expire(&self, now: Mono) {
        self.list().iter().for_each(|c| c.expire(now));
    }

    /// All connections, by id.
    pub fn list(&self) -> Vec<Arc<Connection>> {
        self.lock().values().cloned().collect()
    }

    /// How many transactions clients hold open.
    pub fn open_transactions(&self) -> u64 {
        self.lock().values().filter(|c| c.transaction().is_some()).count() as u64
    }

    /// How many connections there were since the start.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// The most connections there were at one time since the start.
    pub fn most(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
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
        let first = registry.connect(1, "a:1".into(), Mono(0));
        let second = registry.connect(2, "b:2".into(), Mono(0));
        assert_eq!((first.id, second.id), (1, 2));
        let hit = Arc::new(AtomicBool::new(false));
        let flag = hit.clone();
        second.set_interrupt(move || flag.store(true, Ordering::SeqCst));
        assert!(registry.kill(2, false));
        assert!(hit.load(Ordering::SeqCst));
        assert_eq!((second.take_stop(), second.take_stop()), (Some(Stop::Killed), None));
        assert!(!second.is_killed());
        assert!(registry.kill(1, true) && first.is_killed());
        registry.disconnect(1);
        assert!(!registry.kill(1, true), "a connection that is gone cannot be killed");
    }

    #[test]
    fn deadlines_stop_statements_and_close_old_transactions() {
        let registry = Registry::default();
        let c = registry.connect(1, "a:1".into(), Mono(0));
        c.set_statement_deadline(Some(Mono(10)));
        registry.expire(Mono(9));
        assert_eq!(c.take_stop(), None);
        registry.expire(Mono(10));
        assert_eq!(c.take_stop(), Some(Stop::StatementTooLong));
        registry.expire(Mono(11));
        assert_eq!(c.take_stop(), None, "once is enough");
        c.set_transaction_deadline(Some(Mono(20)));
        registry.expire(Mono(30));
        assert!(c.is_killed() && c.is_transaction_late());
    }
}
