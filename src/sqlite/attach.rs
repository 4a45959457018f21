//! The databases attached to one connection, within SQLite's bound on how many there can be.

use super::connection::{Connection, quoted};
use super::data_dir::DatabaseFile;
use super::error::{Error, Result};
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is attached: `T` is what has to live as long as it is.
pub(super) struct Attached<T> {
    list: Vec<Entry<T>>,
    clock: u64,
}

pub(super) struct Entry<T> {
    pub(super) name: String,
    /// `None`: a database in memory.
    pub(super) file: Option<(Arc<DatabaseFile>, T)>,
    used: u64,
}

impl<T> Attached<T> {
    pub(super) fn new() -> Attached<T> {
        Attached { list: Vec::new(), clock: 0 }
    }

    /// The attached database named so, unless it was dropped meanwhile.
    pub(super) fn find(&mut self, name: &str) -> Option<&mut Entry<T>> {
        self.clock += 1;
        let clock = self.clock;
        let entry = self.list.iter_mut().find(|e| e.name == name)?;
        entry.used = clock;
        (!entry.is_stale()).then_some(entry)
    }

    pub(super) fn push(&mut self, name: &str, file: Option<(Arc<DatabaseFile>, T)>) -> &mut Entry<T> {
        self.clock += 1;
        let at = self.list.len();
        self.list.push(Entry { name: name.to_string(), file, used: self.clock });
        &mut self.list[at]
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&Arc<DatabaseFile>, &T)> {
        self.list.iter().filter_map(|e| e.file.as_ref()).map(|(file, with)| (file, with))
    }

    /// Detaches databases that were dropped, and, for `more` to come, those used longest ago. Returns their names.
    pub(super) fn make_room(&mut self, connection: &mut Connection, more: usize) -> Result<Vec<String>> {
        let mut gone = Vec::new();
        while let Some(at) = self.list.iter().position(Entry::is_stale) {
            gone.push(self.detach(connection, at)?);
        }
        let limit = limit(connection);
        while self.list.len() + more > limit {
            let oldest = self.list.iter().enumerate().filter(|(_, e)| e.file.is_some()).min_by_key(|(_, e)| e.used);
            let Some((at, _)) = oldest else { return Err(Error::TooManyDatabases(limit)) };
            gone.push(self.detach(connection, at)?);
        }
        Ok(gone)
    }

    /// Whether one more fits without detaching any.
    pub(super) fn has_room(&self, connection: &mut Connection) -> bool {
        self.list.len() < limit(connection)
    }

    pub(super) fn has_stale(&self) -> bool {
        self.list.iter().any(Entry::is_stale)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    fn detach(&mut self, connection: &mut Connection, at: usize) -> Result<String> {
        connection.forget_statements();
        connection.run_script(&format!("DETACH {}", quoted(&self.list[at].name)))?;
        // Only now may what the attached database needs be dropped.
        Ok(self.list.remove(at).name)
    }
}

impl<T> Entry<T> {
    fn is_stale(&self) -> bool {
        self.file.as_ref().is_some_and(|(file, _)| file.dropped.load(Ordering::Acquire))
    }
}

fn limit(connection: &mut Connection) -> usize {
    let limit = connection.inner_mut().limit(Limit::SQLITE_LIMIT_ATTACHED);
    limit.ok().and_then(|n| usize::try_from(n).ok()).unwrap_or(10)
}

/// Lets this layer's own statements do what a client's must not: ATTACH, DETACH, PRAGMA (and so VACUUM), and on a
/// workspace BEGIN, COMMIT, SAVEPOINT and the like, which go through its methods.
#[derive(Clone)]
pub(super) struct Guard(Arc<AtomicBool>);

impl Guard {
    /// Forbids from now on, except within [`Guard::lifted`].
    pub(super) fn install(connection: &mut Connection, transactions: bool) -> Result<Guard> {
        let lifted = Arc::new(AtomicBool::new(false));
        let flag = lifted.clone();
        let authorizer = move |context: AuthContext<'_>| match context.action {
            _ if flag.load(Ordering::Relaxed) => Authorization::Allow,
            AuthAction::Attach { .. } | AuthAction::Detach { .. } | AuthAction::Pragma { .. } => Authorization::Deny,
            AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } if transactions => Authorization::Deny,
            _ => Authorization::Allow,
        };
        connection.inner_mut().authorizer(Some(authorizer)).map_err(super::connection::outer_error)?;
        Ok(Guard(lifted))
    }

    pub(super) fn lifted<R>(&self, work: impl FnOnce() -> R) -> R {
        self.0.store(true, Ordering::Relaxed);
        let result = work();
        self.0.store(false, Ordering::Relaxed);
        result
    }
}
