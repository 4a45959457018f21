//! The applier: makes committed transactions visible in the database files, in order.
//!
//! It is the files' only writer. A batch of tasks becomes one SQLite transaction per file, which also records up to
//! which task the file is applied: after a crash the tasks above [`super::DataDir::durable_seq`] come again, and each
//! file skips what it holds already. Files are written with `synchronous=NORMAL`; the log in `marmot.db` is kept
//! until [`Applier::sync`] has made the work durable.
//!
//! Foreign keys, triggers and CHECKs are off: what they did on the coordinator is in the write set.

use super::apply_row::{self, Statements};
use super::checkpoint;
use super::computed::Computer;
use super::connection::{Connection, quoted, uri};
use super::data_dir::{DataDir, DatabaseFile, locked, state_value};
use super::definition::{self, AppliedChange};
use super::error::{Error, Result};
use super::functions::Functions;
use super::integrity;
use super::layout::DatabaseLayout;
use super::planted::HostBug;
use super::schema::{FileChange, SchemaStep, TakenIn};
use crate::core::{ApplyTask, Fatal};
use crate::types::{ApplySeq, ColumnId, DatabaseName, RowImage, RowKey, TableId, TxnId, Value};
use rusqlite::ffi;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// What a batch did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// The last task that is visible now.
    pub seq: ApplySeq,
    /// Rows that had to give way to a merged write set, besides those the core named: for the conflict log.
    pub evicted: Vec<Evicted>,
    /// A catalog changed: load it again.
    pub schema_changed: bool,
}

/// A row removed because a merged row owns one of its unique values, or that no longer has a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Evicted {
    /// The transaction it gave way to.
    pub winner: TxnId,
    pub database: DatabaseName,
    /// Its key is empty if the table's primary key is not the one the image was made under.
    pub row: RowKey,
    pub columns: Arc<[ColumnId]>,
    pub image: RowImage,
}

/// The only writer of the database files.
pub struct Applier {
    pub(super) files: BTreeMap<DatabaseName, Open>,
    functions: Functions,
    pub(super) dir: DataDir,
    /// The last task applied, in any file.
    seq: ApplySeq,
    /// Parts of the tasks of this batch that files held already.
    held: u64,
    /// Rows that gave way, in files where that is visible, but not reported yet.
    evicted: Vec<Evicted>,
}

/// One file, attached to an in-memory connection under the database's name, as statements expect.
pub(super) struct Open {
    pub(super) statements: Statements,
    pub(super) connection: Connection,
    pub(super) layout: Arc<DatabaseLayout>,
    pub(super) name: DatabaseName,
    pub(super) computer: Computer,
    pub(super) dir: DataDir,
    file: Arc<DatabaseFile>,
    /// The last task that this file holds, its open transaction included.
    applied: ApplySeq,
    pub(super) in_transaction: bool,
    schema_changed: bool,
    /// What the open transaction changed of the definitions.
    changes: Vec<AppliedChange>,
    /// Holds more than is known to be durable: committed since the last sync, or found in it at start.
    pub(super) dirty: bool,
    /// The database attached beside it, of which the open transaction took tables in: committed first, and durably.
    takes_in: Option<DatabaseName>,
}

impl Applier {
    pub(super) fn open(dir: DataDir, functions: &Functions) -> Result<Applier> {
        let seq = dir.durable_seq()?;
        let mut applier = Applier {
            files: BTreeMap::new(),
            functions: functions.clone(),
            dir: dir.clone(),
            seq,
            held: 0,
            evicted: Vec::new(),
        };
        for file in dir.files() {
            if !dir.is_on_disk(&file) && file.created <= seq {
                return Err(Error::Sqlite {
                    code: ffi::SQLITE_CORRUPT,
                    message: format!("the file of database '{}' is missing: {}", file.name, file.path),
                });
            }
            applier.add(file)?;
        }
        dir.sync_directory()?;
        Ok(applier)
    }

    /// The last task applied here, durable or not. After opening: [`super::DataDir::durable_seq`].
    pub fn seq(&self) -> ApplySeq {
        self.seq
    }

    fn add(&mut self, file: Arc<DatabaseFile>) -> Result<()> {
        let mut connection = self.dir.open_memory(&self.functions)?;
        let schema = quoted(&file.name);
        let source = uri(&file.path, "").replace('\'', "''");
        // A file that came with a snapshot has no log yet.
        connection.run_script(&format!("ATTACH '{source}' AS {schema}; PRAGMA {schema}.journal_mode = WAL"))?;
        if !DataDir::is_complete(&mut connection, &file.name)? {
            // A crash lost a new file's first transaction.
            self.dir.initialise(&file)?;
        }
        connection.run_script(&format!(
            "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; PRAGMA wal_autocheckpoint = 0;
             PRAGMA {schema}.synchronous = NORMAL; PRAGMA {schema}.cache_size = -{}",
            self.dir.shared.options.cache_kib.saturating_mul(4)
        ))?;
        connection.set_option(ffi::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        // Only the applier drops and makes files, so only it can leave a sound file without a log.
        connection.set_option(ffi::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        let layout = definition::read_layout(&mut connection, &file.name, None)?;
        let applied = state_value(&mut connection, &file.name, "applied_seq")?;
        let held = locked(&self.dir.shared.registry).held(&file.name, file.created)?;
        integrity::check_holds(&file.name, applied, held)?;
        // A killed process left in the operating system's cache what a power failure still takes: nothing may rest on that.
        let uncertain = applied > held && !self.dir.shared.options.planted.has(HostBug::FoundTakenForDurable);
        if uncertain {
            connection.sync_wal(&file.name)?;
        }
        let open = Open {
            statements: Statements::default(),
            connection,
            layout,
            name: file.name.clone(),
            computer: Computer::new(&self.functions),
            dir: self.dir.clone(),
            applied,
            in_transaction: false,
            schema_changed: false,
            changes: Vec::new(),
            dirty: uncertain,
            takes_in: None,
            file: file.clone(),
        };
        self.files.insert(file.name.clone(), open);
        Ok(())
    }

    /// Applies tasks, which must be in ascending order; visible when it returns, durable after [`Applier::sync`].
    ///
    /// After [`Fatal::DiskFull`] some files may show them: apply the same tasks again before any other. After any other
    /// error the node must stop; what was committed is redone or skipped after the restart.
    pub fn apply(&mut self, tasks: &[ApplyTask]) -> std::result::Result<Applied, Fatal> {
        let seq = self.seq;
        let mut applied = Applied::default();
        let ran = tasks.iter().try_for_each(|task| {
            self.apply_task(task, &mut applied)?;
            self.seq = self.seq.max(task.seq);
            Ok(())
        });
        if let Err(error) = ran.and_then(|()| self.commit(&mut applied)) {
            if error == Fatal::DiskFull {
                self.seq = seq;
                self.held = 0;
                // What is not as it was must not be built upon.
                self.roll_back().map_err(|e| Fatal::Storage(e.to_string()))?;
            }
            return Err(error);
        }
        applied.seq = self.seq;
        applied.evicted = std::mem::take(&mut self.evicted);
        match std::mem::take(&mut self.held) {
            0 => {}
            parts => tracing::info!(parts, seq = self.seq, "tasks found in a file already"),
        }
        Ok(applied)
    }

    fn apply_task(&mut self, task: &ApplyTask, applied: &mut Applied) -> std::result::Result<(), Fatal> {
        let mut touched = BTreeSet::new();
        for eviction in &task.evictions {
            let database = self.database_of(task, eviction.row.table);
            let Some(open) = database.map(|d| self.target(&d, task.seq)).transpose()?.flatten() else { continue };
            touched.insert(open.name.clone());
            apply_row::evict(open, eviction)?;
        }
        if let Some(ddl) = &task.write_set.ddl {
            let step = SchemaStep::decode(&ddl.payload).map_err(Fatal::CorruptStorage)?;
            if let FileChange::TakenIn(into) = &step.file
                && self.take_in(&ddl.database, into, task.seq, applied)?
            {
                touched.insert(into.database.clone());
            }
            if self.change_schema(&ddl.database, &step, task.seq, applied)? {
                touched.insert(ddl.database.clone());
            }
        }
        for (place, changes) in task.write_set.tables.iter().enumerate() {
            let database = self.holder(changes.table, Some(&changes.database));
            let database = database.unwrap_or_else(|| changes.database.clone());
            let Some(open) = self.target(&database, task.seq)? else { continue };
            touched.insert(open.name.clone());
            apply_row::apply_table(open, task, place, changes, &mut applied.evicted)?;
        }
        for name in touched {
            if let Some(open) = self.files.get_mut(&name) {
                open.applied = task.seq;
            }
        }
        Ok(())
    }

    /// The database that a table without a named database is in.
    fn database_of(&self, task: &ApplyTask, table: TableId) -> Option<DatabaseName> {
        let named = task.write_set.tables.iter().find(|changes| changes.table == table).map(|c| &c.database);
        self.holder(table, named).or_else(|| named.cloned())
    }

    /// The database that has the table now: the one named, or the one it was moved to since.
    fn holder(&self, table: TableId, named: Option<&DatabaseName>) -> Option<DatabaseName> {
        let has = |open: &&Open| open.layout.with_id(table).is_some();
        let there = named.and_then(|name| self.files.get(name)).filter(has);
        there.or_else(|| self.files.values().find(has)).map(|open| open.name.clone())
    }

    /// The file that task `seq` concerns, within a transaction. `None`: it is in the file already, or it belongs to a
    /// database that was dropped since.
    fn target(&mut self, database: &str, seq: ApplySeq) -> std::result::Result<Option<&mut Open>, Fatal> {
        if !self.files.contains_key(database) {
            return self.check_dropped(database, seq).map(|()| None);
        }
        let early = self.dir.shared.options.planted.has(HostBug::AppliedBeforeRows);
        let open = self.files.get_mut(database).expect("looked up in the line before");
        if seq < open.file.created || seq <= open.applied {
            self.held += 1;
            return Ok(None);
        }
        if !open.in_transaction {
            if early {
                open.set_state("applied_seq", seq)?;
            }
            open.connection.cached("BEGIN IMMEDIATE")?.run([])?;
            open.in_transaction = true;
        }
        Ok(Some(open))
    }

    /// A database without a file must have been dropped at or after `seq`.
    fn check_dropped(&self, database: &str, seq: ApplySeq) -> std::result::Result<(), Fatal> {
        match self.dir.span(database)? {
            Some(span) if span.dropped.is_some_and(|dropped| dropped >= seq) => Ok(()),
            _ => Err(Fatal::CorruptStorage(format!("task {seq} is for database '{database}', which has no file"))),
        }
    }

    /// Executes a schema change. False: it is in the file already, or the database is gone.
    fn change_schema(
        &mut self,
        database: &DatabaseName,
        step: &SchemaStep,
        seq: ApplySeq,
        applied: &mut Applied,
    ) -> std::result::Result<bool, Fatal> {
        match step.file {
            FileChange::Drop => {
                // What came before the drop becomes visible before it.
                self.commit(applied)?;
                let Some(open) = self.files.get(database) else {
                    return self.check_dropped(database, seq).map(|()| false);
                };
                if seq < open.file.created {
                    return Ok(false);
                }
                self.dir.record_drop(&open.file, seq)?;
                if let Some(open) = self.files.remove(database) {
                    let file = open.file.clone();
                    drop(open);
                    self.dir.delete(&file)?;
                }
                applied.schema_changed = true;
                return Ok(false);
            }
            FileChange::Create if !self.files.contains_key(database) => {
                let gone = self.dir.span(database)?.is_some_and(|span| span.dropped.is_some_and(|d| d >= seq));
                if gone {
                    return Ok(false);
                }
                self.commit(applied)?;
                // After a full disk it may be there, and empty.
                let file = match self.dir.file(database) {
                    Ok(file) if file.created == seq => file,
                    _ => self.dir.create(database, seq)?,
                };
                self.add(file)?;
            }
            FileChange::Create | FileChange::Keep | FileChange::TakenIn(_) => {}
        }
        let Some(open) = self.target(database, seq)? else { return Ok(false) };
        open.statements.clear();
        for sql in &step.statements {
            let ran = open.connection.run_script(sql);
            ran.map_err(|e| Fatal::Storage(format!("schema change {seq} of '{database}': {e}: {sql}")))?;
        }
        open.record_schema(step)?;
        Ok(true)
    }

    /// Executes what one database does to take in tables of another, `from`. Once this node has crashed, `from` has them
    /// still or the other has them already: its commit is durable before that of `from`, which is visible with it.
    fn take_in(
        &mut self,
        from: &DatabaseName,
        into: &TakenIn,
        seq: ApplySeq,
        applied: &mut Applied,
    ) -> std::result::Result<bool, Fatal> {
        // A second connection sees of `from` what is committed.
        self.commit(applied)?;
        let source = self.files.get(from).map(|open| uri(&open.file.path, "mode=ro").replace('\'', "''"));
        if let (Some(source), Some(open)) = (source, self.files.get_mut(&into.database))
            && seq > open.applied.max(open.file.created)
        {
            let (own, other) = (quoted(&open.name), quoted(from));
            open.connection.run_script(&format!("ATTACH '{source}' AS {other}; PRAGMA {own}.synchronous = FULL"))?;
            open.takes_in = Some(from.clone());
        }
        self.change_schema(&into.database, &into.step, seq, applied)
    }

    /// Makes every open transaction visible.
    fn commit(&mut self, applied: &mut Applied) -> std::result::Result<(), Fatal> {
        // Whoever pins several files sees none or all of this batch, and of every batch before.
        let dir = self.dir.clone();
        let _visibility = dir.shared.visibility.write().unwrap_or_else(PoisonError::into_inner);
        let mut transactions: Vec<&mut Open> = self.files.values_mut().filter(|open| open.in_transaction).collect();
        transactions.sort_by_key(|open| open.takes_in.is_none());
        for open in transactions {
            open.set_state("applied_seq", open.applied)?;
            let changed = std::mem::take(&mut open.schema_changed);
            if changed {
                open.file.generation.fetch_add(1, Ordering::AcqRel);
            }
            let committed = open.connection.cached("COMMIT").and_then(|commit| commit.run([]));
            if committed.is_err() && changed {
                open.file.generation.fetch_add(1, Ordering::AcqRel);
            }
            committed?;
            open.in_transaction = false;
            open.dirty = true;
            if let Some(other) = open.takes_in.take() {
                let (own, other) = (quoted(&open.name), quoted(&other));
                open.connection.run_script(&format!("DETACH {other}; PRAGMA {own}.synchronous = NORMAL"))?;
            }
            self.evicted.extend(applied.evicted.extract_if(.., |evicted| evicted.database == open.name));
            if changed {
                let generation = open.file.generation.fetch_add(1, Ordering::AcqRel) + 1;
                open.file.remember_layout(generation, open.layout.clone());
                open.file.changes.add(std::mem::take(&mut open.changes));
                dir.shared.generation.fetch_add(1, Ordering::AcqRel);
                applied.schema_changed = true;
            }
        }
        Ok(())
    }

    /// Takes back what no file shows yet, and looks again what each holds.
    fn roll_back(&mut self) -> Result<()> {
        for open in self.files.values_mut().filter(|open| open.in_transaction) {
            open.end();
            if open.connection.in_transaction() {
                let message = format!("a transaction of '{}' cannot be rolled back", open.name);
                return Err(Error::Sqlite { code: ffi::SQLITE_IOERR, message });
            }
            open.in_transaction = false;
            open.schema_changed = false;
            open.changes.clear();
            open.statements.clear();
            open.layout = definition::read_layout(&mut open.connection, &open.name, Some(&open.layout))?;
            open.applied = state_value(&mut open.connection, &open.name, "applied_seq")?;
        }
        Ok(())
    }

    /// Makes everything applied durable and returns up to where: the redo log below is no longer needed. After
    /// [`Fatal::DiskFull`] it can be tried again.
    pub fn sync(&mut self) -> std::result::Result<ApplySeq, Fatal> {
        let early = self.dir.shared.options.planted.has(HostBug::RedoDroppedEarly);
        let mut held = Vec::new();
        for open in self.files.values_mut().filter(|open| open.dirty && !early) {
            open.sync()?;
            held.push((open.name.clone(), open.applied));
        }
        let mut registry = locked(&self.dir.shared.registry);
        if registry.synced()? < self.seq {
            registry.set_synced(self.seq, &held)?;
        }
        Ok(self.seq)
    }

    /// Moves WALs into their files, and shortens a long WAL that nobody reads any more. For the pauses between
    /// batches; a [`super::Checkpointer`] on another thread takes the bulk of the work off it.
    pub fn checkpoint(&mut self) -> std::result::Result<(), Fatal> {
        let worthwhile = self.dir.shared.options.checkpoint_bytes;
        for open in self.files.values_mut() {
            checkpoint::run(&open.connection, &open.name, worthwhile, true)?;
        }
        Ok(())
    }
}

impl Open {
    /// Makes what was committed durable: all of it is in the WAL, or was synced when it was moved into the file.
    fn sync(&mut self) -> Result<()> {
        self.connection.sync_wal(&self.name)?;
        self.dirty = false;
        Ok(())
    }

    /// Rolls back, if SQLite did not do so by itself.
    pub(super) fn end(&mut self) {
        // It fails only if there is nothing to roll back.
        let _ = self.connection.run_script("ROLLBACK");
    }

    fn set_state(&mut self, item: &str, value: u64) -> Result<()> {
        let sql = format!("INSERT OR REPLACE INTO {}.__marmot_state VALUES(?1, ?2)", quoted(&self.name));
        let value = Value::Int(i64::try_from(value).unwrap_or(i64::MAX));
        self.connection.cached(&sql)?.run(&[Value::text(item), value])
    }

    /// What the statements of a schema change made of the database, into the file and into what is known of it here.
    fn record_schema(&mut self, step: &SchemaStep) -> Result<()> {
        definition::write(&mut self.connection, &self.name, step.version, &step.definitions)?;
        self.set_state("schema_version", step.version)?;
        let layout = self.layout.after(&self.connection, &self.name, step.version, &step.definitions)?;
        self.dir.count_layouts(&layout);
        let (from, definitions) = (self.layout.version, Arc::new(step.definitions.clone()));
        self.changes.push(AppliedChange { from, to: step.version, definitions });
        self.layout = Arc::new(layout);
        self.schema_changed = true;
        #[cfg(test)]
        self.layout.check(&*definition::read_layout(&mut self.connection, &self.name, None)?);
        Ok(())
    }
}
