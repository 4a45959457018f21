//! The node's own state: `core::Storage` on `marmot.db` and its redo log.
//!
//! ```text
//!  round ── put, delete ──▶ overlay   in memory: what changed since the last fold
//!     │                        │
//!     └─ commit: one write,    └─ fold, when the log is long: one SQLite transaction, sorted, with FULL
//!        one sync                 │
//!         ▼                       ▼
//!      marmot.redo             marmot.db   one table per [`Table`], keyed by bytes
//! ```
//!
//! A round is durable when its commit returns, and a round that wrote nothing costs nothing. A round on which nobody
//! waits can be held: it becomes durable with the next that commits, at no cost of its own. What is put and deleted
//! again between two folds, such as the votes of a transaction, reaches no B-tree. The conflict log alone is also
//! written through, since `marmot.conflicts` reads it from `marmot.db` while the node runs.

use super::connection::{Connection, uri};
use super::error::Error;
use super::functions::Functions;
use super::planted::{HostBug, HostPlanted};
use super::redo::{Change, RedoLog, RoundBuffer};
use super::statement::Statement;
use crate::core::{Fatal, Storage, Table};
use crate::types::{Value, Versions};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;

/// What others read from the file while the node runs.
const WRITTEN_THROUGH: Table = Table::Conflict;

/// Rows of one answer: key and value.
type Entries = Vec<(Vec<u8>, Vec<u8>)>;
/// Changes of one table since the last fold; `None` is a deletion.
type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

struct Statements {
    get: Statement,
    put: Statement,
    delete: Statement,
    scan: Statement,
    scan_back: Statement,
}

/// An open `marmot.db` with its redo log.
///
/// **Invariant**: `overlay` holds exactly the changes of the log's generation (and of the round under way), so that the
/// file with the overlay above it is the state as of the last durable round.
pub struct Store {
    // Statements go before their connection. Rounds read through `&self`, one call at a time.
    tables: RefCell<Vec<Statements>>,
    begin: Statement,
    commit: Statement,
    rollback: Statement,
    set_generation: Statement,
    connection: Connection,
    overlay: [Changes; Table::ALL.len()],
    /// The changes that are not durable: of rounds held, and of the round under way.
    buffer: RoundBuffer,
    undo: Vec<Undo>,
    log: RedoLog,
    has_room: bool,
    planted: HostPlanted,
    /// The disk was full at the last fold. Nothing more goes to the log before one succeeds: nobody knows whether a crash
    /// would find the failed one in the file after all, and so which rounds belong to which generation.
    fold_is_due: bool,
    /// A round that was called durable is not (only with a planted bug).
    owes_commit: bool,
}

/// What the overlay had before a change.
struct Undo {
    table: Table,
    key: Vec<u8>,
    before: Option<Option<Vec<u8>>>,
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

fn number(connection: &Connection, sql: &str) -> Result<i64, Error> {
    let rows = connection.prepare(sql)?.all([])?;
    match rows.first().and_then(|row| row.first()) {
        Some(Value::Int(n)) => Ok(*n),
        _ => Ok(0),
    }
}

/// Makes the tables of a new file. All or nothing, so that a crash leaves a new file or a whole one.
fn initialise(connection: &Connection) -> Result<(), Error> {
    let tables = Table::ALL.iter().map(|table| {
        // A search in a table without rowids reads neighbours whole when they are long, and records can be very long.
        let kind = if *table == Table::Record { "" } else { " WITHOUT ROWID" };
        format!("CREATE TABLE {}(key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL){kind};", table.name())
    });
    let tables: String = tables.collect();
    connection.run_script(&format!(
        "BEGIN IMMEDIATE; {tables}
         CREATE TABLE redo(generation INTEGER NOT NULL); INSERT INTO redo VALUES(1);
         PRAGMA user_version = {}; COMMIT",
        Versions::BUILD.oldest
    ))
}

/// Refuses, without touching anything, a file that a newer program has written.
///
/// # Errors
/// A sentence.
pub fn check_store_version(path: &Path) -> Result<(), Fatal> {
    /// Where SQLite keeps `user_version`, big-endian (https://www.sqlite.org/fileformat.html, "The Database Header").
    const USER_VERSION: usize = 60;
    let mut header = [0; USER_VERSION + 4];
    // Without a whole header it is no database yet; opening it says what it is.
    let read = std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut header));
    let number = header[USER_VERSION..].try_into().map_or(0, u32::from_be_bytes);
    match read.is_ok() && number > u32::from(Versions::BUILD.newest) {
        true => Err(wrong_version(path, number.into())),
        false => Ok(()),
    }
}

fn wrong_version(path: &Path, version: i64) -> Fatal {
    let what_to_do = match version > i64::from(Versions::BUILD.newest) {
        true => "nothing was changed; start the newer program that wrote it",
        false => "start with an empty data directory and let the node copy the data",
    };
    Fatal::Storage(format!(
        "{} is of version {version}, this program understands {}: {what_to_do}",
        path.display(),
        Versions::BUILD
    ))
}

impl Store {
    /// Opens or creates the file on the VFS named (`None`: SQLite's default), with its redo log beside it.
    ///
    /// # Errors
    /// Storage fails, the files are of another version, or the log is missing or damaged.
    pub fn open(path: &Path, vfs: Option<&str>) -> Result<Store, Fatal> {
        if vfs.is_none() {
            check_store_version(path)?;
        }
        let redo = path.with_extension("redo");
        let connection = Connection::open(&uri(&path.to_string_lossy(), ""), vfs, 0, &Functions::new())?;
        // Inline checkpoints only if nobody runs a FileCheckpointer: the WAL must stay bounded all the same.
        connection.run_script(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8192;
             PRAGMA cache_size = -16000",
        )?;
        let version = number(&connection, "PRAGMA user_version")?;
        let is_new = version == 0 && number(&connection, "SELECT count(*) FROM sqlite_schema")? == 0;
        if !is_new && !u8::try_from(version).is_ok_and(|version| Versions::BUILD.contains(version)) {
            return Err(wrong_version(path, version));
        }
        let mut overlay: [Changes; Table::ALL.len()] = Default::default();
        let log = if is_new {
            // The log first: a file that names a generation has a log.
            let log = RedoLog::create(&redo, vfs)?;
            initialise(&connection)?;
            log
        } else {
            let generation = u64::try_from(number(&connection, "SELECT generation FROM redo")?).unwrap_or(0);
            let again = |change: Change<'_>| {
                overlay[change.table as usize].insert(change.key.to_vec(), change.value.map(<[u8]>::to_vec));
            };
            RedoLog::open(&redo, vfs, generation, again).map_err(|e| match e {
                Error::Sqlite { code: rusqlite::ffi::SQLITE_CORRUPT, message } => Fatal::CorruptStorage(message),
                other => other.into(),
            })?
        };
        let mut store = Store {
            tables: RefCell::new(prepare_all(&connection)?),
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            rollback: connection.prepare("ROLLBACK")?,
            set_generation: connection.prepare("UPDATE redo SET generation = ?1")?,
            connection,
            overlay,
            buffer: RoundBuffer::new(),
            undo: Vec::new(),
            log,
            has_room: true,
            planted: HostPlanted::none(),
            fold_is_due: false,
            owes_commit: false,
        };
        // What a killed process wrote last may be in the operating system's cache only, and is acted upon from now on.
        store.connection.sync_wal("main")?;
        store.fold()?;
        Ok(store)
    }

    /// Opens what [`copy_store`](super::copy_store) made: a file whose redo log is yet to begin.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_copy(path: &Path, vfs: Option<&str>) -> Result<Store, Fatal> {
        RedoLog::create(&path.with_extension("redo"), vfs)?;
        Store::open(path, vfs)
    }

    /// Breaks a rule, for the proof that it is seen.
    pub fn plant(&mut self, planted: HostPlanted) {
        self.planted = planted;
    }

    /// Begins a round. Dropped without commit or hold, it leaves nothing.
    pub fn begin(&mut self) -> Round<'_> {
        let (changes, bytes) = (self.undo.len(), self.buffer.len());
        Round { store: self, changes, bytes, wrote_meta: false }
    }

    /// Whether anything is not durable yet.
    pub fn is_dirty(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Bytes of the redo log since it was last folded.
    pub fn redo_bytes(&self) -> u64 {
        self.log.len()
    }

    /// Makes the rounds held durable. After [`Fatal::DiskFull`] they are not yet: call it again, and step nothing before.
    /// After any other error nobody knows whether they are: the store must not be used again.
    pub fn commit(&mut self) -> Result<(), Fatal> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if self.planted.has(HostBug::EffectsBeforeCommit) {
            self.owes_commit = true;
            return Ok(());
        }
        let done = self.make_durable();
        if self.planted.has(HostBug::CommitErrorIgnored) {
            return Ok(());
        }
        done
    }

    fn make_durable(&mut self) -> Result<(), Fatal> {
        if self.fold_is_due {
            // What is folded is durable, the rounds held included.
            self.write_all()?;
            self.buffer.clear();
            self.undo.clear();
            return Ok(());
        }
        let sync = !self.planted.has(HostBug::StoreNotSynced);
        self.log.append(&mut self.buffer, sync)?;
        self.buffer.clear();
        let write_through = self.undo.iter().any(|undo| undo.table == WRITTEN_THROUGH);
        self.undo.clear();
        let rest = if self.log.is_long() {
            self.write_all()
        } else if write_through {
            self.write_through()
        } else {
            Ok(())
        };
        match rest {
            // The round is durable, in the log; what others read of it comes with the next.
            Err(Fatal::DiskFull) => Ok(()),
            other => other,
        }
    }

    /// Says in the file that it is of `version`, as the cluster is from now on: what an older program does not understand
    /// may be written.
    pub fn set_version(&mut self, version: u8) -> Result<(), Fatal> {
        if number(&self.connection, "PRAGMA user_version")? >= i64::from(version) {
            return Ok(());
        }
        // Into the file itself, where it is looked for before anything is opened.
        Ok(self.connection.run_script(&format!("PRAGMA user_version = {version}; PRAGMA wal_checkpoint(TRUNCATE)"))?)
    }

    /// What [`Storage::has_room`] answers; the shell looks at the disk.
    pub fn set_has_room(&mut self, has_room: bool) {
        self.has_room = has_room;
    }

    /// Moves the WAL into the file; for shells without a [`super::FileCheckpointer`].
    pub fn checkpoint(&mut self) -> Result<(), Fatal> {
        Ok(super::checkpoint::run(&self.connection, "main", super::CHECKPOINT_BYTES, true)?)
    }

    /// Brings what the redo log holds into `marmot.db` and begins the log anew. Happens by itself when the log is long.
    /// After [`Fatal::DiskFull`] all of it is still in the log, and durable.
    pub fn fold(&mut self) -> Result<(), Fatal> {
        if std::mem::take(&mut self.owes_commit) {
            self.make_durable()?;
        }
        assert!(self.buffer.is_empty(), "only what is durable in the log is folded");
        if self.log.is_empty() {
            return Ok(());
        }
        self.write_all()
    }

    /// Brings the overlay into `marmot.db`, durably, and begins a new generation of the log.
    fn write_all(&mut self) -> Result<(), Fatal> {
        self.fold_is_due = true;
        let generation = self.log.generation() + 1;
        self.transaction(|store| {
            for table in Table::ALL {
                store.write_table(table)?;
            }
            store.set_generation.run(&[Value::Int(i64::try_from(generation).unwrap_or(i64::MAX))])
        })?;
        self.overlay.iter_mut().for_each(Changes::clear);
        self.log.begin(generation)?;
        self.fold_is_due = false;
        Ok(())
    }

    /// Shows others what the overlay has of the table they read. Durable it is already, in the log.
    fn write_through(&mut self) -> Result<(), Fatal> {
        self.connection.run_script("PRAGMA synchronous = NORMAL")?;
        let written = self.transaction(|store| store.write_table(WRITTEN_THROUGH));
        self.connection.run_script("PRAGMA synchronous = FULL")?;
        written
    }

    fn write_table(&mut self, table: Table) -> Result<(), Error> {
        let statements = &mut self.tables.get_mut()[table as usize];
        for (key, value) in &self.overlay[table as usize] {
            match value {
                Some(value) => statements.put.run(&[blob(key), blob(value)])?,
                None => statements.delete.run(&[blob(key)])?,
            }
        }
        Ok(())
    }

    /// Runs `work` in an SQLite transaction.
    fn transaction(&mut self, work: impl FnOnce(&mut Store) -> Result<(), Error>) -> Result<(), Fatal> {
        self.begin.run([])?;
        if let Err(error) = work(self).and_then(|()| self.commit.run([])) {
            // SQLite may have rolled back by itself; then there is nothing to roll back.
            let _ = self.rollback.run([]);
            return Err(error.into());
        }
        Ok(())
    }
}

/// One round of reads and writes.
pub struct Round<'s> {
    store: &'s mut Store,
    /// Where its changes begin in the store's.
    changes: usize,
    bytes: usize,
    wrote_meta: bool,
}

impl Round<'_> {
    /// Makes the round durable, and those held before it. After an error nobody knows whether they are: the store must
    /// not be used again.
    pub fn commit(mut self) -> Result<(), Fatal> {
        self.keep();
        self.store.commit()
    }

    /// Leaves the round to the next commit: later rounds see it, a crash before that loses it.
    pub fn hold(mut self) {
        self.keep();
    }

    /// Whether anything, of this round or of one held, is not durable.
    pub fn is_dirty(&self) -> bool {
        self.store.is_dirty()
    }

    fn keep(&mut self) {
        self.changes = self.store.undo.len();
        self.bytes = self.store.buffer.len();
    }

    /// There is no room any more, as of this round.
    pub fn refuse_work(&mut self) {
        self.store.has_room = false;
    }

    /// Whether the round changed what identity, clock, positions or membership rest on.
    pub fn wrote_meta(&self) -> bool {
        self.wrote_meta
    }

    fn change(&mut self, table: Table, key: &[u8], value: Option<&[u8]>) -> Result<(), Fatal> {
        if std::mem::take(&mut self.store.owes_commit) {
            self.store.make_durable()?;
            self.keep();
        }
        self.wrote_meta |= table == Table::Meta;
        let store = &mut *self.store;
        store.buffer.push(&Change { table, key, value });
        let before = store.overlay[table as usize].insert(key.to_vec(), value.map(<[u8]>::to_vec));
        store.undo.push(Undo { table, key: key.to_vec(), before });
        Ok(())
    }

    fn read<R>(&self, table: Table, work: impl FnOnce(&mut Statements) -> Result<R, Error>) -> Result<R, Fatal> {
        Ok(work(&mut self.store.tables.borrow_mut()[table as usize])?)
    }

    /// Entries of file and overlay from `from` on, in one direction.
    fn merged(&self, table: Table, from: &[u8], limit: usize, back: bool) -> Result<Entries, Fatal> {
        let overlay = &self.store.overlay[table as usize];
        let mut found = Entries::new();
        let (mut from, mut inclusive) = (from.to_vec(), true);
        while found.len() < limit {
            // One more than wanted: the first may be the one the last turn ended with.
            let rows = self.read(table, |s| {
                let scan = if back { &mut s.scan_back } else { &mut s.scan };
                scan.all(&[blob(&from), count(limit + 1)])
            })?;
            let at_end = rows.len() <= limit;
            let stored = entries(rows, table)?;
            let until = if at_end { None } else { stored.last().map(|(key, _)| key.clone()) };
            let start = if inclusive { Bound::Included(&from[..]) } else { Bound::Excluded(&from[..]) };
            let end = until.as_ref().map_or(Bound::Unbounded, |key| Bound::Included(&key[..]));
            let bounds = if back { (end, start) } else { (start, end) };
            let mut rows: Changes = stored.into_iter().map(|(key, value)| (key, Some(value))).collect();
            if !inclusive {
                rows.remove(&from);
            }
            for (key, value) in overlay.range::<[u8], _>(bounds) {
                rows.insert(key.clone(), value.clone());
            }
            let live = rows.into_iter().filter_map(|(key, value)| value.map(|value| (key, value)));
            let wanted = limit - found.len();
            match back {
                true => found.extend(live.rev().take(wanted)),
                false => found.extend(live.take(wanted)),
            }
            let Some(key) = until else { break };
            (from, inclusive) = (key, false);
        }
        Ok(found)
    }
}

fn entries(rows: Vec<Vec<Value>>, table: Table) -> Result<Entries, Fatal> {
    let entry = |mut row: Vec<Value>| {
        let value = bytes(row.pop(), table)?;
        Ok((bytes(row.pop(), table)?, value))
    };
    rows.into_iter().map(entry).collect()
}

fn count(limit: usize) -> Value {
    Value::Int(i64::try_from(limit).unwrap_or(i64::MAX))
}

impl Storage for Round<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fatal> {
        if let Some(changed) = self.store.overlay[table as usize].get(key) {
            return Ok(changed.clone());
        }
        let mut rows = self.read(table, |s| s.get.all(&[blob(key)]))?;
        rows.pop().map(|mut row| bytes(row.pop(), table)).transpose()
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Fatal> {
        self.change(table, key, Some(value))
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Fatal> {
        self.change(table, key, None)
    }

    fn scan(&self, table: Table, from: &[u8], limit: usize) -> Result<Entries, Fatal> {
        self.merged(table, from, limit, false)
    }

    fn scan_back(&self, table: Table, from: &[u8], limit: usize) -> Result<Entries, Fatal> {
        self.merged(table, from, limit, true)
    }

    fn has_room(&self) -> bool {
        self.store.has_room
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        let Store { undo, overlay, buffer, .. } = &mut *self.store;
        if undo.len() <= self.changes {
            return;
        }
        buffer.cut(self.bytes);
        for Undo { table, key, before } in undo.drain(self.changes..).rev() {
            match before {
                Some(before) => overlay[table as usize].insert(key, before),
                None => overlay[table as usize].remove(&key),
            };
        }
    }
}

/// Reads the conflict log in `marmot.db` beside the node, for `marmot.conflicts`.
pub struct StoreReader {
    connection: Connection,
}

impl StoreReader {
    pub fn open(path: &Path, vfs: Option<&str>, busy_timeout_ms: u32) -> Result<StoreReader, Error> {
        let uri = uri(&path.to_string_lossy(), "mode=ro");
        Ok(StoreReader { connection: Connection::open_read_only(&uri, vfs, busy_timeout_ms)? })
    }

    /// Up to `limit` conflicts with `key >= from`, ascending, as of the last durable round.
    pub fn conflicts(&mut self, from: &[u8], limit: usize) -> Result<Entries, Fatal> {
        let sql = format!("SELECT key, value FROM {} WHERE key >= ?1 ORDER BY key LIMIT ?2", WRITTEN_THROUGH.name());
        entries(self.connection.cached(&sql)?.all(&[blob(from), count(limit)])?, WRITTEN_THROUGH)
    }

    /// The `limit` conflicts with the highest keys, descending, as of the last durable round.
    pub fn latest_conflicts(&mut self, limit: usize) -> Result<Entries, Fatal> {
        let sql = format!("SELECT key, value FROM {} ORDER BY key DESC LIMIT ?1", WRITTEN_THROUGH.name());
        entries(self.connection.cached(&sql)?.all(&[count(limit)])?, WRITTEN_THROUGH)
    }
}
