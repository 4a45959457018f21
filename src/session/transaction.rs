//! Transactions: begun lazily, pinned to one snapshot by their first statement, executed on the private overlay, and
//! committed by the core.

use super::core_handle::OpenSnapshot;
use super::refusal;
use super::retry::Retry;
use super::schema::Schema;
use super::session::{Session, plain};
use crate::core::{Request, Response};
use crate::mysql::{self, SqlError};
use crate::sql::Completion;
use crate::sqlite;
use crate::types::{DatabaseName, KeyAccess, ReadLevel, WriteSet};
use std::sync::Arc;

/// `SET TRANSACTION` without a scope: for the next transaction only.
#[derive(Clone, Copy, Debug, Default)]
pub struct Once {
    pub read_only: Option<bool>,
}

/// An open transaction.
pub struct Open {
    pub read_only: bool,
    pinned: Option<Pinned>,
    /// Rows locked by FOR UPDATE and FOR SHARE.
    holds: Vec<KeyAccess>,
    /// How many holds there were when each savepoint was set.
    marks: Vec<(String, usize)>,
    /// Temporary tables were written: ROLLBACK does not take that back.
    pub wrote_temporary: bool,
}

/// The snapshot of a transaction that has begun to read.
struct Pinned {
    snapshot: OpenSnapshot,
    schema: Arc<Schema>,
}

impl Open {
    fn new(read_only: bool) -> Open {
        Open { read_only, pinned: None, holds: Vec::new(), marks: Vec::new(), wrote_temporary: false }
    }

    /// The catalog of the snapshot.
    pub fn schema(&self) -> Option<&Arc<Schema>> {
        self.pinned.as_ref().map(|p| &p.schema)
    }

    /// Holds a key until the transaction commits.
    pub fn hold(&mut self, access: KeyAccess) {
        self.holds.push(access);
    }
}

impl Session {
    /// BEGIN: commits the open transaction, then opens another.
    pub(super) async fn begin(&mut self, read_only: bool, pin: bool) -> Result<(), SqlError> {
        self.commit().await?;
        let once = std::mem::take(&mut self.once);
        let read_only = read_only || once.read_only.unwrap_or(self.state.settings.read_only);
        self.open_transaction(read_only);
        if pin {
            self.pin(&[]).await?;
        }
        Ok(())
    }

    /// Without autocommit the first statement that touches data opens a transaction.
    pub(super) fn open_implicitly(&mut self) {
        if self.open.is_none() && !self.state.settings.autocommit {
            let once = std::mem::take(&mut self.once);
            self.open_transaction(once.read_only.unwrap_or(self.state.settings.read_only));
        }
    }

    fn open_transaction(&mut self, read_only: bool) {
        self.open = Some(Open::new(read_only));
        if let Some(connection) = &self.connection {
            connection.set_transaction(Some(self.server.clock.now().mono));
        }
    }

    /// Waits until what the session's read level promises is here.
    pub(super) async fn barrier(&mut self) -> Result<(), SqlError> {
        let level = self.state.settings.read;
        if level == ReadLevel::LocalOne {
            return Ok(());
        }
        match self.core.request(Request::Barrier(level)).await {
            Some(Response::BarrierDone) => Ok(()),
            Some(Response::Refused(refused)) => Err(refusal::to_sql(&refused)),
            Some(other) => Err(SqlError::internal(format!("unexpected answer to a barrier: {other:?}"))),
            None => Err(refusal::to_sql(&crate::core::Refusal::ShuttingDown)),
        }
    }

    /// Pins the open transaction to a snapshot, if it is not yet, and makes `databases` part of it.
    pub(super) async fn pin(&mut self, databases: &[DatabaseName]) -> Result<(), SqlError> {
        let pinned = self.open.as_ref().is_some_and(|o| o.pinned.is_some());
        if !pinned {
            self.barrier().await?;
            let (snapshot, schema) = self.begin_workspace(databases).await?;
            let age = self.state.settings.max_age;
            if let Some(connection) = &self.connection {
                connection.set_transaction_deadline(Some(self.server.clock.now().mono.after(age)));
            }
            if let Some(open) = &mut self.open {
                open.pinned = Some(Pinned { snapshot, schema });
            }
            return Ok(());
        }
        self.join_statement(databases)
    }

    /// Makes `databases` part of the transaction on the workspace, which has begun.
    pub(super) fn join_statement(&mut self, databases: &[DatabaseName]) -> Result<(), SqlError> {
        let schema = self.schema()?;
        for database in databases.iter().filter(|d| !Session::is_system(d) && !crate::sql::is_temporary(d)) {
            let workspace = self.workspace()?;
            workspace.attach(database).map_err(plain)?;
            let version = workspace.schema_version(database).map_err(plain)?;
            if Some(version) != schema.version(database) {
                return Err(SqlError::new(1412, "Table definition has changed, please retry transaction"));
            }
        }
        Ok(())
    }

    /// Begins the workspace on a fresh snapshot of `databases` (and the current one), together with the catalog that
    /// belongs to it.
    pub(super) async fn begin_workspace(
        &mut self,
        databases: &[DatabaseName],
    ) -> Result<(OpenSnapshot, Arc<Schema>), SqlError> {
        let checks = self.state.settings.foreign_keys;
        let current = self.state.database.clone();
        let mut retry = None;
        // A schema change may be applied between reading the catalog and pinning the files: look again.
        loop {
            let schema = self.server.schema()?;
            let known = |d: &&DatabaseName| schema.version(d).is_some();
            let wanted: Vec<DatabaseName> = databases.iter().chain(&current).filter(known).cloned().collect();
            let snapshot = self.core.open_snapshot();
            let switch = self.workspace_checks != checks;
            let workspace = self.workspace()?;
            if switch {
                workspace.set_foreign_keys(checks).map_err(plain)?;
            }
            wanted.iter().try_for_each(|d| workspace.attach(d)).map_err(plain)?;
            workspace.begin().map_err(plain)?;
            let mut same = true;
            for database in &wanted {
                let version = workspace.schema_version(database).inspect_err(|_| workspace.end()).map_err(plain)?;
                same &= Some(version) == schema.version(database);
            }
            self.workspace_checks = checks;
            if same {
                return Ok((snapshot, schema));
            }
            self.end_workspace();
            drop(snapshot);
            self.schema_moved(&mut retry).await?;
        }
    }

    /// The schema changed under an attempt of the running statement: returns when the next one is due.
    ///
    /// # Errors
    /// 1205 if that was so for too long; why the statement is to stop, if it is.
    pub(super) async fn schema_moved(&mut self, retry: &mut Option<Retry>) -> Result<(), SqlError> {
        if let Some(error) = self.stopped() {
            return Err(error);
        }
        let server = self.server.clone();
        let lock_wait = self.state.settings.lock_wait;
        retry.get_or_insert_with(|| Retry::new(&server, lock_wait)).schema_moved(&server).await
    }

    pub(super) fn end_workspace(&mut self) {
        if let Some(workspace) = &mut self.workspace {
            workspace.end();
        }
    }

    /// What the transaction on the workspace changed.
    pub(super) fn take_write_set(&mut self) -> Result<sqlite::Result<WriteSet>, SqlError> {
        // Keys over generated columns compute them once more, which warns of nothing new.
        let warned = self.context.lock().warned();
        let taken = self.workspace()?.take_write_set();
        self.context.lock().forget_warnings(warned);
        Ok(taken)
    }

    /// COMMIT of whatever is open.
    ///
    /// # Errors
    /// The transaction is over either way: rolled back, or, with SQLSTATE 08007, of unknown outcome.
    pub(super) async fn commit(&mut self) -> Result<(), SqlError> {
        let Some(open) = self.close() else { return Ok(()) };
        let outcome = self.commit_closed(open).await;
        self.server.counters().transaction_ended(outcome.is_ok());
        outcome
    }

    async fn commit_closed(&mut self, open: Open) -> Result<(), SqlError> {
        let Some(pinned) = open.pinned else { return Ok(()) };
        let taken = self.take_write_set()?;
        self.end_workspace();
        let mut write_set = taken.map_err(|e| self.sqlite_error(e))?;
        if write_set.is_empty() {
            return Ok(());
        }
        write_set.holds.extend(open.holds);
        let request = Request::Commit {
            write_set: Arc::new(write_set),
            snapshot: pinned.snapshot.get(),
            level: self.state.settings.write,
            begin: None,
            lock_wait: self.state.settings.lock_wait,
        };
        match self.core.request(request).await {
            Some(Response::Committed { txn, .. }) => {
                self.note_commit(txn);
                Ok(())
            }
            Some(Response::Refused(refused)) => Err(refusal::to_sql(&refused)),
            Some(other) => Err(SqlError::internal(format!("unexpected answer to a commit: {other:?}"))),
            None => Err(refusal::unknown_outcome("the node stopped, or its disk is full")),
        }
    }

    /// ROLLBACK of whatever is open.
    pub(super) fn roll_back(&mut self) {
        let Some(open) = self.close() else { return };
        self.server.counters().transaction_ended(false);
        self.end_workspace();
        if open.wrote_temporary {
            self.state.diagnostics.warning(1196, "Some non-transactional changed tables couldn't be rolled back");
        }
    }

    /// The open transaction is over, if there is one.
    fn close(&mut self) -> Option<Open> {
        let open = self.open.take()?;
        if let Some(connection) = &self.connection {
            connection.set_transaction_deadline(None);
            connection.set_transaction(None);
        }
        Some(open)
    }

    /// What follows COMMIT and ROLLBACK: `AND CHAIN`, `RELEASE`.
    pub(super) async fn complete(&mut self, completion: Completion, read_only: bool) -> Result<(), SqlError> {
        if completion.chain {
            self.begin(read_only, false).await?;
        }
        if completion.release
            && let Some(connection) = &self.connection
        {
            self.server.registry.kill(connection.id, true);
        }
        Ok(())
    }

    /// SAVEPOINT. Outside a transaction it has no effect, as in MySQL with autocommit.
    pub(super) async fn savepoint(&mut self, name: &str) -> Result<(), SqlError> {
        if self.running.is_in_statement() {
            let own = self.running.set_savepoint(name);
            return self.workspace()?.savepoint(&own).map_err(plain);
        }
        self.open_implicitly();
        if self.open.is_none() {
            return Ok(());
        }
        self.pin(&[]).await?;
        let workspace = self.workspace()?;
        // MySQL deletes an older savepoint of the same name.
        workspace.savepoint(name).map_err(plain)?;
        if let Some(open) = &mut self.open {
            open.marks.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
            open.marks.push((name.to_string(), open.holds.len()));
        }
        Ok(())
    }

    /// ROLLBACK TO SAVEPOINT.
    pub(super) fn rollback_to(&mut self, name: &str) -> Result<(), SqlError> {
        if self.running.is_in_statement() {
            let own = self.running.find_savepoint(name, false).ok_or_else(|| no_savepoint(name))?;
            return self.workspace()?.rollback_to(&own).map_err(plain);
        }
        let at = self.find_mark(name)?;
        self.workspace()?.rollback_to(name).map_err(plain)?;
        if let Some(open) = &mut self.open {
            let (_, holds) = open.marks[at];
            open.holds.truncate(holds);
            open.marks.truncate(at + 1);
        }
        Ok(())
    }

    /// RELEASE SAVEPOINT.
    pub(super) fn release(&mut self, name: &str) -> Result<(), SqlError> {
        if self.running.is_in_statement() {
            let own = self.running.find_savepoint(name, true).ok_or_else(|| no_savepoint(name))?;
            return self.workspace()?.release(&own).map_err(plain);
        }
        let at = self.find_mark(name)?;
        self.workspace()?.release(name).map_err(plain)?;
        if let Some(open) = &mut self.open {
            open.marks.truncate(at);
        }
        Ok(())
    }

    fn find_mark(&self, name: &str) -> Result<usize, SqlError> {
        let marks = self.open.iter().flat_map(|o| &o.marks);
        let found = marks.enumerate().filter(|(_, (n, _))| n.eq_ignore_ascii_case(name)).last();
        found.map(|(at, _)| at).ok_or_else(|| no_savepoint(name))
    }
}

fn no_savepoint(name: &str) -> SqlError {
    mysql::SP_DOES_NOT_EXIST.message(format!("SAVEPOINT {name} does not exist"))
}
