//! The node's own state: `core::Storage` on `marmot.db`.
//!
//! One table per [`Table`], keyed by bytes, WAL with `synchronous=FULL`: a round is durable when its commit returns,
//! with one disk sync, and a round that wrote nothing costs none.

use super::connection::{Connection, uri};
use super::error::Error;
use super::functions::Functions;
use super::planted::{HostBug, HostPlanted};
use super::statement::Statement;
use crate::core::{Fatal, Storage, Table};
use crate::types::Value;
use std::cell::RefCell;
use std::path::Path;

/// Rows of one answer: key and value.
type Entries = Vec<(Vec<u8>, Vec<u8>)>;

struct Statements {
    get: Statement,
    put: Statement,
    delete: Statement,
    scan: Statement,
    scan_back: Statement,
}

/// An open `marmot.db`.
pub struct Store {
    // Statements go before their connection. Rounds read through `&self`, one call at a time.
    tables: RefCell<Vec<Statements>>,
    begin: Statement,
    commit: Statement,
    rollback: Statement,
    connection: Connection,
    has_room: bool,
    planted: HostPlanted,
    /// A round's SQLite transaction is still open (only with a planted bug).
    owes_commit: bool,
}

fn blob(bytes: &[u8]) -> Value {
    Value::Blob(bytes.into())
}

fn bytes(value: Option<Value>, table: Table) -> Result<Vec<u8>, Fatal> {
    match value {
        Some(Value::Blob(bytes)) => Ok(bytes.to_vec()),
        other => Err(Fatal::CorruptStorage(format!("{}: {other:?} instead of a blob", table.name()))),
    }
}

fn prepare_all(connection: &Connection) -> Result<Vec<Statements>, Error> {
    let statements = |table: &Table| {
        let name = table.name();
        Ok(Statements {
            get: connection.prepare(&format!("SELECT value FROM {name} WHERE key = ?1"))?,
            put: connection.prepare(&format!("INSERT OR REPLACE INTO {name} VALUES(?1, ?2)"))?,
            delete: connection.prepare(&format!("DELETE FROM {name} WHERE key = ?1"))?,
            scan: connection
                .prepare(&format!("SELECT key, value FROM {name} WHERE key >= ?1 ORDER BY key LIMIT ?2"))?,
            scan_back: connection
                .prepare(&format!("SELECT key, value FROM {name} WHERE key <= ?1 ORDER BY key DESC LIMIT ?2"))?,
        })
    };
    Table::ALL.iter().map(statements).collect()
}

impl Store {
    /// Opens or creates the file on the VFS named (`None`: SQLite's default).
    pub fn open(path: &Path, vfs: Option<&str>) -> Result<Store, Fatal> {
        let connection = Connection::open(&uri(&path.to_string_lossy(), ""), vfs, 0, &Functions::new())?;
        // Inline checkpoints only if nobody runs a FileCheckpointer: the WAL must stay bounded all the same.
        connection.run_script(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8192;
             PRAGMA cache_size = -16000",
        )?;
        for table in Table::ALL {
            let name = table.name();
            connection.run_script(&format!(
                "CREATE TABLE IF NOT EXISTS {name}(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
            ))?;
        }
        Ok(Store {
            tables: RefCell::new(prepare_all(&connection)?),
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            rollback: connection.prepare("ROLLBACK")?,
            connection,
            has_room: true,
            planted: HostPlanted::none(),
            owes_commit: false,
        })
    }

    /// Breaks a rule, for the proof that it is seen.
    pub fn plant(&mut self, planted: HostPlanted) -> Result<(), Fatal> {
        self.planted = planted;
        if planted.has(HostBug::StoreNotSynced) {
            self.connection.run_script("PRAGMA synchronous = NORMAL")?;
        }
        Ok(())
    }

    /// Begins a round. Dropped without commit, it leaves nothing.
    pub fn begin(&mut self) -> Round<'_> {
        Round { store: self, writing: false }
    }

    /// What [`Storage::has_room`] answers; the shell looks at the disk.
    pub fn set_has_room(&mut self, has_room: bool) {
        self.has_room = has_room;
    }

    /// Moves the WAL into the file; for shells without a [`super::FileCheckpointer`].
    pub fn checkpoint(&mut self) -> Result<(), Fatal> {
        Ok(super::checkpoint::run(&self.connection, "main", super::CHECKPOINT_BYTES, true)?)
    }
}

/// One round of reads and writes.
pub struct Round<'s> {
    store: &'s mut Store,
    /// The SQLite transaction begins with the first write.
    writing: bool,
}

impl Round<'_> {
    /// Makes the round durable.
    pub fn commit(mut self) -> Result<(), Fatal> {
        if !std::mem::take(&mut self.writing) {
            return Ok(());
        }
        if self.store.planted.has(HostBug::EffectsBeforeCommit) {
            self.store.owes_commit = true;
            return Ok(());
        }
        let done = self.store.commit.run([]).inspect_err(|_| self.writing = true);
        if self.store.planted.has(HostBug::CommitErrorIgnored) {
            return Ok(());
        }
        Ok(done?)
    }

    fn write(&mut self) -> Result<(), Fatal> {
        if !self.writing {
            if std::mem::take(&mut self.store.owes_commit) {
                self.store.commit.run([])?;
            }
            self.store.begin.run([])?;
            self.writing = true;
        }
        Ok(())
    }

    fn read<R>(&self, table: Table, work: impl FnOnce(&mut Statements) -> Result<R, Error>) -> Result<R, Fatal> {
        Ok(work(&mut self.store.tables.borrow_mut()[index(table)])?)
    }

    fn entries(rows: Vec<Vec<Value>>, table: Table) -> Result<Entries, Fatal> {
        let entry = |mut row: Vec<Value>| {
            let value = bytes(row.pop(), table)?;
            Ok((bytes(row.pop(), table)?, value))
        };
        rows.into_iter().map(entry).collect()
    }
}

fn index(table: Table) -> usize {
    Table::ALL.iter().position(|t| *t == table).expect("Table::ALL names every table")
}

fn count(limit: usize) -> Value {
    Value::Int(i64::try_from(limit).unwrap_or(i64::MAX))
}

impl Storage for Round<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fatal> {
        let mut rows = self.read(table, |s| s.get.all(&[blob(key)]))?;
        rows.pop().map(|mut row| bytes(row.pop(), table)).transpose()
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Fatal> {
        self.write()?;
        self.read(table, |s| s.put.run(&[blob(key), blob(value)]))
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Fatal> {
        self.write()?;
        self.read(table, |s| s.delete.run(&[blob(key)]))
    }

    fn scan(&self, table: Table, from: &[u8], limit: usize) -> Result<Entries, Fatal> {
        Self::entries(self.read(table, |s| s.scan.all(&[blob(from), count(limit)]))?, table)
    }

    fn scan_back(&self, table: Table, from: &[u8], limit: usize) -> Result<Entries, Fatal> {
        Self::entries(self.read(table, |s| s.scan_back.all(&[blob(from), count(limit)]))?, table)
    }

    fn has_room(&self) -> bool {
        self.store.has_room
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        if self.writing {
            // After a failed commit SQLite may have rolled back by itself; then there is nothing to roll back.
            let _ = self.store.rollback.run([]);
        }
    }
}

/// Reads `marmot.db` beside the node, for system tables such as `marmot.conflicts`.
pub struct StoreReader {
    connection: Connection,
}

impl StoreReader {
    pub fn open(path: &Path, vfs: Option<&str>, busy_timeout_ms: u32) -> Result<StoreReader, Error> {
        let uri = uri(&path.to_string_lossy(), "mode=ro");
        Ok(StoreReader { connection: Connection::open_read_only(&uri, vfs, busy_timeout_ms)? })
    }

    /// Up to `limit` entries with `key >= from`, ascending, as of the last durable round.
    pub fn scan(&mut self, table: Table, from: &[u8], limit: usize) -> Result<Entries, Fatal> {
        let sql = format!("SELECT key, value FROM {} WHERE key >= ?1 ORDER BY key LIMIT ?2", table.name());
        Round::entries(self.connection.cached(&sql)?.all(&[blob(from), count(limit)])?, table)
    }

    /// The `limit` entries with the highest keys, descending, as of the last durable round.
    pub fn latest(&mut self, table: Table, limit: usize) -> Result<Entries, Fatal> {
        let sql = format!("SELECT key, value FROM {} ORDER BY key DESC LIMIT ?1", table.name());
        Round::entries(self.connection.cached(&sql)?.all(&[count(limit)])?, table)
    }
}
