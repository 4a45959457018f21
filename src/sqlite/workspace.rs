//! A transaction's private place: statements run here and nothing reaches a file.
//!
//! The session begins, runs statements, takes the write set, and ends; the changes become visible only when the
//! applier applies the write set after the core committed it.

use super::attach::{Attached, Guard};
use super::capture::{self, Installed, RowCounts};
use super::computed::Computer;
use super::connection::{Connection, Interrupt, Rows, quoted};
use super::cost::Cost;
use super::data_dir::{DataDir, DatabaseFile};
use super::definition;
use super::error::{Constraint, Error, Result};
use super::functions::Functions;
use super::ids::IdSource;
use super::key;
use super::layout::{DatabaseLayout, TableLayout, convert};
use super::pair::OverlayPair;
use super::schema::{FileChange, SchemaStep};
use super::statement::Statement;
use super::trial::Trial;
use crate::types::{RowKey, TableId, Value, WriteSet};
use rusqlite::ffi;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// What a statement did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// Rows of replicated tables, by what happened to them directly (not by triggers or cascades).
    pub rows: RowCounts,
    /// What SQLite counts: rows inserted, matched by an UPDATE, or deleted.
    pub changes: u64,
}

/// One session's writing connection.
///
/// **Invariants**: no statement runs outside [`Workspace::begin`] … [`Workspace::end`], for only then are the overlays'
/// snapshots pinned, but for attaching and detaching, which pins them too; a failed statement leaves neither changes nor captured rows nor consumed ids.
pub struct Workspace {
    begin: Statement,
    rollback: Statement,
    connection: Connection,
    // After the connection: its files refer to the pairs, its hook to the capture.
    attached: Attached<OverlayPair>,
    capture: Installed,
    computer: Computer,
    layouts: BTreeMap<String, (Option<u64>, Arc<DatabaseLayout>)>,
    savepoints: Vec<(String, usize)>,
    /// How many changes were captured before the statement that ran last.
    statement: usize,
    ids: IdSource,
    guard: Guard,
    state: State,
    /// Foreign keys, triggers and capture are switched off for a schema change.
    rules_off: bool,
    dir: DataDir,
    trial: Trial,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Open,
    /// A schema change is validated: foreign keys and triggers are off.
    Schema,
    /// SQLite rolled everything back on an error; only `end` is left.
    Lost,
}

impl Workspace {
    pub(super) fn open(dir: DataDir, functions: &Functions) -> Result<Workspace> {
        let mut connection = dir.open_memory(functions)?;
        let capture = Installed::on(connection.raw(), dir.shared.options.write_set_bytes);
        let ids = IdSource::default();
        ids.register(connection.inner(), connection.fault())?;
        let guard = Guard::install(&mut connection, true)?;
        Ok(Workspace {
            begin: guard.lifted(|| connection.prepare("BEGIN"))?,
            rollback: guard.lifted(|| connection.prepare("ROLLBACK"))?,
            connection,
            attached: Attached::new(),
            capture,
            computer: Computer::new(functions),
            layouts: BTreeMap::new(),
            savepoints: Vec::new(),
            statement: 0,
            ids,
            guard,
            state: State::Idle,
            rules_off: false,
            dir,
            trial: Trial::new(functions),
        })
    }

    /// Attaches a database, if it is not yet. Better before [`Workspace::begin`], which takes one snapshot of all that
    /// is attached; within a transaction the new database is seen as it is now.
    pub fn attach(&mut self, database: &str) -> Result<()> {
        if self.attached.find(database).is_some() {
            return Ok(());
        }
        let file = self.dir.file(database)?;
        self.pinned(|workspace| workspace.attach_file(database, file))
    }

    fn attach_file(&mut self, database: &str, file: Arc<DatabaseFile>) -> Result<()> {
        self.make_room()?;
        let Workspace { connection, attached, guard, dir, .. } = self;
        let pair = {
            let _held = dir.hold(&file)?;
            guard.lifted(|| OverlayPair::attach(dir, connection, database, &file.path))?
        };
        attached.push(database, Some((file.clone(), pair)));
        if self.state == State::Idle {
            return Ok(());
        }
        // Without a layout rows of this database could be written and not captured.
        self.load_layout(&file, None).inspect_err(|_| self.state = State::Lost)
    }

    /// Attaches an empty database in memory, private to this connection, for system tables. No effect if there is one.
    pub fn attach_memory(&mut self, name: &str) -> Result<()> {
        if self.attached.find(name).is_some() {
            return Ok(());
        }
        self.pinned(|workspace| {
            workspace.make_room()?;
            let Workspace { connection, attached, guard, .. } = workspace;
            guard.lifted(|| connection.run_script(&format!("ATTACH ':memory:' AS {}", quoted(name))))?;
            attached.push(name, None);
            Ok(())
        })
    }

    /// Attaches or detaches databases. SQLite first reads the definitions of all that are attached, if it has forgotten them, as
    /// it does when a schema change is rolled back: so the snapshots that it reads them from must stay meanwhile.
    fn pinned<R>(&mut self, work: impl FnOnce(&mut Workspace) -> Result<R>) -> Result<R> {
        if self.state != State::Idle {
            return work(self);
        }
        self.pin()?;
        let done = work(self);
        // The ones attached just now have begun as well.
        self.attached.files().for_each(|(_, pair)| pair.end());
        done
    }

    fn make_room(&mut self) -> Result<()> {
        let Workspace { connection, attached, .. } = self;
        if self.state != State::Idle {
            let fits = attached.has_room(connection);
            return if fits { Ok(()) } else { Err(Error::TooManyDatabases(attached.len())) };
        }
        self.detach(1)
    }

    /// Detaches what was dropped, and what was not used for the longest time where `more` would not fit.
    fn detach(&mut self, more: usize) -> Result<()> {
        let Workspace { connection, attached, guard, .. } = self;
        for gone in guard.lifted(|| attached.make_room(connection, more))? {
            self.layouts.remove(&gone);
            self.capture.forget(&gone);
        }
        Ok(())
    }

    /// Begins a transaction on the current state of every attached database.
    pub fn begin(&mut self) -> Result<()> {
        self.begin_as(State::Open)
    }

    /// Begins a transaction in which schema changes are tried out: foreign keys and triggers are off and rows are not
    /// captured.
    pub fn begin_schema(&mut self) -> Result<()> {
        if self.state != State::Idle {
            return Err(Error::Unsupported("a transaction within a transaction".into()));
        }
        self.rules_off = true;
        self.guard.lifted(|| self.connection.run_script("PRAGMA foreign_keys = OFF"))?;
        self.connection.set_option(ffi::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        self.capture.pause(true);
        self.begin_as(State::Schema).inspect_err(|_| self.restore_rules())
    }

    fn begin_as(&mut self, state: State) -> Result<()> {
        if self.state != State::Idle {
            return Err(Error::Unsupported("a transaction within a transaction".into()));
        }
        if self.attached.has_stale() {
            self.pinned(|workspace| workspace.detach(0))?;
        }
        let generation = |file: &DatabaseFile| file.generation.load(Ordering::Acquire);
        // The layout known for a generation is that of the snapshot if no schema change was under way meanwhile.
        let several = self.attached.files().nth(1).is_some();
        let before: Option<Vec<u64>> =
            several.then(|| self.attached.files().map(|(file, _)| generation(file)).collect());
        let first = self.attached.files().next().map(|(file, _)| generation(file));
        self.pin()?;
        let Workspace { begin, guard, .. } = self;
        if let Err(error) = guard.lifted(|| begin.run([])) {
            self.attached.files().for_each(|(_, pair)| pair.end());
            return Err(error);
        }
        self.state = state;
        for at in 0.. {
            let Some((file, _)) = self.attached.files().nth(at) else { break };
            let then = match &before {
                Some(before) => before[at],
                None => first.unwrap_or(1),
            };
            let stable = then.is_multiple_of(2) && generation(file) == then;
            let known = self.layouts.get(&*file.name).is_some_and(|(of, _)| stable && *of == Some(then));
            if !known {
                let file = file.clone();
                if let Err(error) = self.load_layout(&file, stable.then_some(then)) {
                    self.end();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Pins every attached database, so that a transaction over several files is seen whole or not at all.
    fn pin(&self) -> Result<()> {
        let pairs = || self.attached.files();
        let several = pairs().nth(1).is_some();
        let _visibility = several.then(|| self.dir.shared.visibility.read().unwrap_or_else(PoisonError::into_inner));
        for (done, (_, pair)) in pairs().enumerate() {
            if let Err(error) = pair.begin() {
                pairs().take(done).for_each(|(_, pair)| pair.end());
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes the capture name rows by the layout of this snapshot. `generation`: the schema did not change meanwhile.
    fn load_layout(&mut self, file: &Arc<DatabaseFile>, generation: Option<u64>) -> Result<()> {
        let known = generation.and_then(|generation| file.known_layout(generation));
        let layout = match known {
            Some(layout) => layout,
            None => {
                let Workspace { connection, guard, .. } = self;
                let before = file.last_layout();
                let layout = guard.lifted(|| definition::read_layout(connection, &file.name, before.as_deref()))?;
                self.dir.count_layouts(&layout);
                if let Some(generation) = generation {
                    file.remember_layout(generation, layout.clone());
                }
                layout
            }
        };
        self.capture.set_layout(&file.name, layout.clone());
        self.layouts.insert(file.name.to_string(), (generation, layout));
        Ok(())
    }

    /// Whether [`Workspace::begin`] was called and [`Workspace::end`] was not.
    pub fn in_transaction(&self) -> bool {
        self.state != State::Idle
    }

    fn check_open(&self) -> Result<()> {
        match self.state {
            // A read too can make SQLite give the transaction up: on an I/O error, without memory.
            State::Open | State::Schema if self.connection.in_transaction() => Ok(()),
            State::Open | State::Schema | State::Lost => Err(Error::Interrupted { transaction_lost: true }),
            State::Idle => Err(Error::Unsupported("a statement outside a transaction".into())),
        }
    }

    /// What the queries since the last call cost.
    pub fn take_cost(&mut self) -> Cost {
        self.connection.take_cost()
    }

    /// Runs a query that sees the transaction's own changes.
    pub fn query(&mut self, sql: &str, params: &[Value]) -> Result<Rows<'_>> {
        self.check_open()?;
        if !self.connection.cached(sql)?.is_read_only() {
            return Err(Error::Unsupported("a query that writes".into()));
        }
        self.connection.query(sql, params)
    }

    /// Runs a statement that writes; it is done whole or not at all.
    ///
    /// `INSERT OR FAIL` and `OR ROLLBACK` must not be used: they keep or undo more than their own statement.
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> Result<Executed> {
        self.check_open()?;
        let mark = self.capture.mark();
        self.statement = mark;
        self.capture.start_statement();
        let ran = self.connection.cached(sql).and_then(|statement| statement.run_counted(params));
        let refusal = self.capture.take_refusal();
        match (ran, refusal) {
            (Ok(changes), None) => Ok(Executed { rows: self.capture.counts(), changes }),
            (Ok(_), Some(refusal)) => Err(self.lose(refusal)),
            (Err(error), refusal) => Err(self.statement_failed(mark, refusal.unwrap_or(error))),
        }
    }

    /// What the rows that the last statement inserted or changed have in a column of a table, in order, and whether each
    /// is new. Nothing for tables that are not replicated.
    pub fn written<'a>(&'a self, table: TableId, column: &str) -> impl Iterator<Item = (bool, &'a Value)> {
        self.capture.written(self.statement, table, column)
    }

    /// Switches the check of foreign keys (`foreign_key_checks`), for transactions begun from now on.
    ///
    /// # Errors
    /// Within a transaction.
    pub fn set_foreign_keys(&mut self, on: bool) -> Result<()> {
        if self.state != State::Idle {
            return Err(Error::Unsupported("switching foreign keys within a transaction".into()));
        }
        let sql = if on { "PRAGMA foreign_keys = ON" } else { "PRAGMA foreign_keys = OFF" };
        self.guard.lifted(|| self.connection.run_script(sql))
    }

    /// Whether SQLite rolled the transaction back on an error, so that only [`Workspace::end`] is left.
    pub fn is_lost(&self) -> bool {
        self.state != State::Idle && self.check_open().is_err()
    }

    /// As [`Workspace::execute`], for a statement with RETURNING: gives its rows.
    pub fn execute_returning(&mut self, sql: &str, params: &[Value]) -> Result<(Executed, Vec<Vec<Value>>)> {
        self.check_open()?;
        let mark = self.capture.mark();
        self.statement = mark;
        self.capture.start_statement();
        let ran = self.connection.cached(sql).and_then(|statement| statement.all(params));
        match (ran, self.capture.take_refusal()) {
            (Ok(rows), None) => Ok((Executed { rows: self.capture.counts(), changes: rows.len() as u64 }, rows)),
            (Ok(_), Some(refusal)) => Err(self.lose(refusal)),
            (Err(error), refusal) => Err(self.statement_failed(mark, refusal.unwrap_or(error))),
        }
    }

    fn statement_failed(&mut self, mark: usize, error: Error) -> Error {
        self.ids.undo_statement();
        if self.connection.in_transaction() {
            self.capture.cut(mark);
            return error;
        }
        // SQLite undid the whole transaction: interrupted while writing, disk full, no memory, an I/O error.
        self.capture.clear();
        self.savepoints.clear();
        self.state = State::Lost;
        match error {
            Error::Interrupted { .. } => Error::Interrupted { transaction_lost: true },
            other => other,
        }
    }

    /// Changes of rows since the transaction began, each row as often as it was changed.
    pub fn change_count(&self) -> usize {
        self.capture.mark()
    }

    /// The statement ended before it could be interrupted: its rows are there, but not captured. All goes, as it does when
    /// SQLite is interrupted in the middle of writing.
    fn lose(&mut self, refusal: Error) -> Error {
        self.ids.undo_statement();
        self.capture.clear();
        self.savepoints.clear();
        self.state = State::Lost;
        match self.guard.lifted(|| self.rollback.run([])) {
            Ok(()) => refusal,
            Err(error) => error,
        }
    }

    /// Sets a savepoint. A name may be set again; the newest counts.
    pub fn savepoint(&mut self, name: &str) -> Result<()> {
        self.check_open()?;
        self.guard.lifted(|| self.connection.run_script(&format!("SAVEPOINT {}", quoted(name))))?;
        self.savepoints.push((name.to_ascii_lowercase(), self.capture.mark()));
        Ok(())
    }

    /// Takes back what happened since the savepoint, which stays.
    pub fn rollback_to(&mut self, name: &str) -> Result<()> {
        let at = self.find_savepoint(name)?;
        self.guard.lifted(|| self.connection.run_script(&format!("ROLLBACK TO {}", quoted(name))))?;
        self.capture.cut(self.savepoints[at].1);
        self.savepoints.truncate(at + 1);
        Ok(())
    }

    /// Forgets the savepoint and those set after it.
    pub fn release(&mut self, name: &str) -> Result<()> {
        let at = self.find_savepoint(name)?;
        self.guard.lifted(|| self.connection.run_script(&format!("RELEASE {}", quoted(name))))?;
        self.savepoints.truncate(at);
        Ok(())
    }

    /// Whether a savepoint of that name is set (names ignore ASCII case).
    pub fn has_savepoint(&self, name: &str) -> bool {
        self.savepoints.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
    }

    fn find_savepoint(&self, name: &str) -> Result<usize> {
        self.check_open()?;
        let at = self.savepoints.iter().rposition(|(n, _)| n.eq_ignore_ascii_case(name));
        at.ok_or_else(|| Error::Sqlite { code: ffi::SQLITE_ERROR, message: format!("SAVEPOINT {name} does not exist") })
    }

    /// Tries out a schema change within [`Workspace::begin_schema`], so that it fails here and not on every member.
    pub fn execute_schema(&mut self, database: &str, step: &SchemaStep) -> Result<()> {
        match &step.file {
            FileChange::Create if !super::data_dir::is_database_name(database) => {
                return Err(Error::BadDatabaseName(database.to_string()));
            }
            FileChange::Create | FileChange::Drop => return Ok(()),
            FileChange::Keep => {}
            FileChange::TakenIn(into) => self.execute_schema(&into.database, &into.step)?,
        }
        if self.state != State::Schema {
            return Err(Error::Unsupported("a schema change outside a schema transaction".into()));
        }
        self.attach(database)?;
        let before = self.layouts.get(database).map(|(_, layout)| layout.clone());
        let Workspace { connection, guard, .. } = self;
        for sql in &step.statements {
            connection.run_script(sql)?;
        }
        // The layout must make sense too, or rows of the table could not be replicated.
        let before = before.unwrap_or_default();
        let layout = guard.lifted(|| before.after(connection, database, step.version, &step.definitions))?;
        self.dir.count_layouts(&layout);
        Ok(())
    }

    /// As [`Workspace::execute_schema`], for a change of a database that works or fails the same whatever is in it: outside
    /// any transaction, and without looking at the file.
    pub fn try_apart(&mut self, database: &str, step: &SchemaStep) -> Result<()> {
        match &step.file {
            FileChange::Create if !super::data_dir::is_database_name(database) => {
                Err(Error::BadDatabaseName(database.to_string()))
            }
            FileChange::Create | FileChange::Drop => Ok(()),
            FileChange::Keep => {
                let layout = self.trial.run(&self.dir, database, step)?;
                self.dir.count_layouts(&layout);
                Ok(())
            }
            FileChange::TakenIn(_) => Err(Error::Unsupported("a move between databases, tried out apart".into())),
        }
    }

    /// What the transaction changed, net of what it took back, and the keys it holds besides its rows': the schemas of
    /// the databases it changed, the parents of rows it wrote, rows it wrote without changing them.
    ///
    /// Foreign keys that are checked at commit are checked here.
    pub fn take_write_set(&mut self) -> Result<WriteSet> {
        self.check_open()?;
        let (mut violated, mut high) = (0, 0);
        // SAFETY: an open connection and two out pointers.
        unsafe {
            let option = ffi::SQLITE_DBSTATUS_DEFERRED_FKS;
            ffi::sqlite3_db_status(self.connection.raw(), option, &mut violated, &mut high, 0);
        }
        if violated != 0 {
            let message = "FOREIGN KEY constraint failed".to_string();
            return Err(Error::Constraint { kind: Constraint::ForeignKey, message });
        }
        let Workspace { capture, computer, dir, .. } = self;
        capture::write_set(capture.take_net(), |layout, row| computer.cells(dir, layout, row))
    }

    /// Ends the transaction, whatever its state; every change made here is forgotten.
    pub fn end(&mut self) {
        if self.state == State::Idle {
            return;
        }
        if self.connection.in_transaction() {
            let Workspace { rollback, guard, .. } = self;
            let rolled_back = guard.lifted(|| rollback.run([]));
            // ROLLBACK cannot fail while no statement runs, and `&mut self` says that none does.
            debug_assert_eq!(rolled_back, Ok(()));
        }
        self.attached.files().for_each(|(_, pair)| pair.end());
        self.capture.clear();
        self.savepoints.clear();
        self.state = State::Idle;
        if self.rules_off {
            self.restore_rules();
        }
    }

    fn restore_rules(&mut self) {
        self.rules_off = false;
        self.capture.pause(false);
        let on = self.guard.lifted(|| self.connection.run_script("PRAGMA foreign_keys = ON"));
        let triggers = self.connection.set_option(ffi::SQLITE_DBCONFIG_ENABLE_TRIGGER, true);
        debug_assert!(on.is_ok() && triggers.is_ok(), "switching rules outside a transaction cannot fail");
    }

    /// The schema version of this transaction's snapshot of `database`.
    pub fn schema_version(&mut self, database: &str) -> Result<u64> {
        self.layout(database).map(|layout| layout.version)
    }

    /// The key of the row of `table` with this primary key, given in the key's order.
    pub fn row_key(&mut self, database: &str, table: &str, key: &[Value]) -> Result<RowKey> {
        let layout = self.table_layout(database, table)?;
        if layout.key.len() != key.len() {
            return Err(Error::Unsupported(format!("{} key columns for '{table}'", key.len())));
        }
        let cells: Vec<Value> = layout
            .key
            .iter()
            .zip(key)
            .map(|(part, cell)| convert(cell, layout.columns[part.column].affinity))
            .collect();
        let encoded = key::encode(cells.iter().zip(layout.key.iter().map(|part| part.collation)));
        Ok(RowKey { table: layout.id, key: encoded.into() })
    }

    /// The names of the primary key's columns, in the key's order (`__marmot_rowid` where there is no other key).
    pub fn key_columns(&mut self, database: &str, table: &str) -> Result<Vec<String>> {
        let layout = self.table_layout(database, table)?;
        Ok(layout.key.iter().map(|part| layout.columns[part.column].name.clone()).collect())
    }

    fn table_layout(&mut self, database: &str, table: &str) -> Result<Arc<TableLayout>> {
        let layout = self.layout(database)?;
        layout.named(table).cloned().ok_or_else(|| Error::Unreplicated(table.to_string()))
    }

    fn layout(&mut self, database: &str) -> Result<Arc<DatabaseLayout>> {
        self.check_open()?;
        self.attach(database)?;
        let known = self.layouts.get(database).map(|(_, layout)| layout.clone());
        known.ok_or_else(|| Error::NoSuchDatabase(database.to_string()))
    }

    /// The ids that statements run here take.
    pub fn ids(&self) -> &IdSource {
        &self.ids
    }

    /// What stops a running statement from another thread.
    pub fn interrupt(&self) -> Interrupt {
        self.connection.interrupt()
    }

    /// Bytes of this transaction's pages that spilled out of the page cache.
    pub fn spilled(&self) -> usize {
        self.attached.files().map(|(_, pair)| pair.spilled()).sum()
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        self.end();
    }
}
