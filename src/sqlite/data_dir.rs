//! The directory of database files: finds, creates and drops them, and opens connections on them.

use super::apply::Applier;
use super::checkpoint::{CHECKPOINT_BYTES, Checkpointer};
use super::connection::{Connection, quoted, uri};
use super::definition::Changes;
use super::error::{Error, Result};
use super::functions::Functions;
use super::layout::DatabaseLayout;
use super::planted::HostPlanted;
use super::reader::Reader;
use super::registry::{Registry, Span};
use super::schema::TableIds;
use super::vfs::OverlayVfs;
use super::workspace::Workspace;
use crate::types::{ApplySeq, ColumnId, DatabaseName, NodeId, TableId, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// How files are opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The VFS to open files on; `None` is SQLite's default. A simulated disk has a name of its own.
    pub vfs: Option<String>,
    /// How long to wait for a file lock, in milliseconds. Zero under a simulator, which must never block.
    pub busy_timeout_ms: u32,
    /// Page cache of each connection and file, in KiB. An open transaction's dirty pages spill beyond it.
    pub cache_kib: u32,
    /// Captured changes of one transaction, in bytes; more is refused.
    pub write_set_bytes: usize,
    /// A write-ahead log shorter than this many bytes is not moved into its file.
    pub checkpoint_bytes: u64,
    /// Empty outside tests.
    pub planted: HostPlanted,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            vfs: None,
            busy_timeout_ms: 5000,
            cache_kib: 8000,
            write_set_bytes: 256 << 20,
            checkpoint_bytes: CHECKPOINT_BYTES,
            planted: HostPlanted::none(),
        }
    }
}

/// The name of the table of small AUTO_INCREMENT ids, which every database has: one row per table, replicated like a
/// user's row. `name` is the table's id as text, `next` the first id not leased yet.
pub const SEQUENCES_TABLE: &str = "__marmot_sequences";

/// The identity of [`SEQUENCES_TABLE`], the same in every database and cluster.
pub fn sequences_ids() -> TableIds {
    TableIds {
        id: TableId::new(NodeId(0), 1),
        name: SEQUENCES_TABLE.into(),
        columns: vec![(ColumnId(1), "name".into()), (ColumnId(2), "next".into())],
        uniques: Vec::new(),
    }
}

/// The tables of a database file that are this layer's own.
const BOOKKEEPING: &str = "
    CREATE TABLE IF NOT EXISTS {db}.__marmot_catalog(item TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS {db}.__marmot_state(item TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS {db}.__marmot_sequences(name TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;
    INSERT OR IGNORE INTO {db}.__marmot_state VALUES('applied_seq', 0), ('schema_version', 0);";

/// One live database file.
pub(super) struct DatabaseFile {
    pub(super) name: DatabaseName,
    pub(super) path: String,
    pub(super) created: ApplySeq,
    /// Even: how often its schema changed since the start. Odd while a change is being committed.
    pub(super) generation: AtomicU64,
    pub(super) dropped: AtomicBool,
    /// The layout at a generation, shared by all connections.
    layout: Mutex<Option<(u64, Arc<DatabaseLayout>)>>,
    pub(super) changes: Changes,
}

impl DatabaseFile {
    /// The layout that belongs to `generation`, if somebody read it already.
    pub(super) fn known_layout(&self, generation: u64) -> Option<Arc<DatabaseLayout>> {
        let known = self.layout.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(of, _)| *of == generation).map(|(_, layout)| layout.clone())
    }

    /// The layout read last, of whatever generation.
    pub(super) fn last_layout(&self) -> Option<Arc<DatabaseLayout>> {
        let known = self.layout.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().map(|(_, layout)| layout.clone())
    }

    pub(super) fn remember_layout(&self, generation: u64, layout: Arc<DatabaseLayout>) {
        *self.layout.lock().unwrap_or_else(PoisonError::into_inner) = Some((generation, layout));
    }
}

/// See [`DataDir::schema_marks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaMark {
    created: ApplySeq,
    generation: u64,
}

/// The database files of one node. Clones share them.
#[derive(Clone)]
pub struct DataDir {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) path: String,
    pub(super) options: Options,
    pub(super) overlay_vfs: Arc<OverlayVfs>,
    files: Mutex<BTreeMap<DatabaseName, Arc<DatabaseFile>>>,
    pub(super) registry: Mutex<Registry>,
    /// Held by whoever takes a snapshot of several files, and exclusively while a batch becomes visible: nobody sees half
    /// of a transaction over several files, or a later one without an earlier.
    pub(super) visibility: RwLock<()>,
    pub(super) generation: AtomicU64,
    /// Held exclusively while files are deleted and made anew under their names; see [`DataDir::hold`].
    pub(super) in_place: RwLock<()>,
    /// A connection found a file damaged.
    pub(super) damage: Arc<AtomicBool>,
    layouts_read: AtomicU64,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Names taken by SQLite and by the system databases.
const RESERVED: [&str; 6] = ["main", "temp", "marmot", "mysql", "information_schema", "performance_schema"];

/// Whether a user's database may be called so: at most 64 characters, none of them NUL, no trailing space, not
/// reserved (`main`, `temp` and the system databases, in any case).
pub fn is_database_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().count() <= 64
        && !name.contains('\0')
        && !name.ends_with(' ')
        && !RESERVED.iter().any(|r| r.eq_ignore_ascii_case(name))
}

/// The file name of a database: letters, digits, `_`, `$` and `-` as they are, other characters as `@` and their UTF-16
/// code in hex, as MySQL does.
pub fn file_name(database: &str) -> String {
    let mut name = String::with_capacity(database.len() + 3);
    for c in database.chars() {
        if c.is_ascii_alphanumeric() || "_$-".contains(c) {
            name.push(c);
        } else {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| name.push_str(&format!("@{unit:04x}")));
        }
    }
    name.push_str(".db");
    name
}

/// What a database takes of the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    pub database: DatabaseName,
    /// Of the file, and of the write-ahead log beside it.
    pub bytes: u64,
    pub wal_bytes: u64,
    /// The place in this node's apply order of the last transaction that changed it.
    pub applied: ApplySeq,
}

impl DataDir {
    /// Opens the directory, checks SQLite, and proves on a scratch file that an overlay works here.
    pub fn open(path: &Path, options: Options) -> Result<DataDir> {
        super::open::check_version()?;
        let text = path.to_str().ok_or_else(|| Error::Unsupported("a data directory that is not UTF-8".into()))?;
        if options.vfs.is_none() {
            std::fs::create_dir_all(path).map_err(|e| io_error(&format!("cannot create {text}"), &e))?;
        }
        let vfs = options.vfs.as_deref();
        let overlay_vfs = OverlayVfs::above(vfs)?;
        let mut registry = Registry::open(&format!("{text}/marmot.files"), vfs, options.busy_timeout_ms)?;
        let live = registry.files()?.into_iter().filter(|(_, span)| span.dropped.is_none());
        let files = live.map(|(name, span)| entry(text, &name, span.created)).collect();
        let shared = Shared {
            path: text.to_string(),
            options,
            overlay_vfs,
            files: Mutex::new(files),
            registry: Mutex::new(registry),
            visibility: RwLock::new(()),
            generation: AtomicU64::new(0),
            in_place: RwLock::new(()),
            damage: Arc::default(),
            layouts_read: AtomicU64::new(0),
        };
        let dir = DataDir { shared: Arc::new(shared) };
        super::open::self_test(&dir)?;
        Ok(dir)
    }

    /// The databases there are, by name.
    pub fn databases(&self) -> Vec<DatabaseName> {
        locked(&self.shared.files).keys().cloned().collect()
    }

    pub fn exists(&self, database: &str) -> bool {
        locked(&self.shared.files).contains_key(database)
    }

    /// Every committed transaction up to here is durable in the files: what `core::Node::open` wants to know.
    pub fn durable_seq(&self) -> Result<ApplySeq> {
        locked(&self.shared.registry).synced()
    }

    /// Whether SQLite found, on any connection, that a file is not what it wrote.
    pub fn is_damaged(&self) -> bool {
        self.shared.damage.load(Ordering::Acquire)
    }

    /// Changes with every applied schema change: whoever caches the catalog loads it again.
    pub fn schema_generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Acquire)
    }

    /// The databases there are, by name, each with a mark of its schema: while that is the same (and there), so is the schema.
    pub fn schema_marks(&self) -> Vec<(DatabaseName, Option<SchemaMark>)> {
        let mark = |file: &DatabaseFile| {
            let generation = file.generation.load(Ordering::Acquire);
            // Odd: it is just being changed.
            generation.is_multiple_of(2).then_some(SchemaMark { created: file.created, generation })
        };
        locked(&self.shared.files).iter().map(|(name, file)| (name.clone(), mark(file))).collect()
    }

    /// Of how many tables the layout was read since the start: a schema change reads those that it concerns.
    pub fn layouts_read(&self) -> u64 {
        self.shared.layouts_read.load(Ordering::Relaxed)
    }

    pub(super) fn count_layouts(&self, layout: &DatabaseLayout) {
        self.shared.layouts_read.fetch_add(layout.read, Ordering::Relaxed);
    }

    /// What each database takes, by name.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn usage(&self) -> Result<Vec<Usage>> {
        let usage = |file: Arc<DatabaseFile>| {
            let mut connection = match self.open_file(&file, &Functions::new()) {
                Err(Error::NoSuchDatabase(_)) => return Ok(None),
                opened => opened?,
            };
            let applied = state_value(&mut connection, "main", "applied_seq")?;
            // A simulated disk has no such file; nor has one that was just folded.
            let wal_bytes = std::fs::metadata(format!("{}-wal", file.path)).map_or(0, |data| data.len());
            Ok(Some(Usage { database: file.name.clone(), bytes: connection.size()?, wal_bytes, applied }))
        };
        self.files().into_iter().map(usage).filter_map(Result::transpose).collect()
    }

    /// A connection for statements that only read.
    pub fn open_reader(&self, functions: &Functions) -> Result<Reader> {
        Reader::open(self.clone(), functions)
    }

    /// A connection for transactions that write.
    pub fn open_workspace(&self, functions: &Functions) -> Result<Workspace> {
        Workspace::open(self.clone(), functions)
    }

    /// What makes committed transactions visible. There is one; it alone writes the files.
    pub fn open_applier(&self, functions: &Functions) -> Result<Applier> {
        Applier::open(self.clone(), functions)
    }

    /// What moves the files' WALs into them, beside the applier.
    pub fn open_checkpointer(&self) -> Checkpointer {
        Checkpointer::new(self.clone())
    }

    pub(super) fn file(&self, database: &str) -> Result<Arc<DatabaseFile>> {
        locked(&self.shared.files).get(database).cloned().ok_or_else(|| Error::NoSuchDatabase(database.to_string()))
    }

    pub(super) fn files(&self) -> Vec<Arc<DatabaseFile>> {
        locked(&self.shared.files).values().cloned().collect()
    }

    /// The span of `name` in the apply order, if it ever existed.
    pub(super) fn span(&self, name: &str) -> Result<Option<Span>> {
        Ok(locked(&self.shared.registry).files()?.into_iter().find(|(n, _)| n == name).map(|(_, span)| span))
    }

    /// Makes a new file, known from `created` on. What an earlier database of that name left behind is deleted.
    pub(super) fn create(&self, name: &str, created: ApplySeq) -> Result<Arc<DatabaseFile>> {
        let file = entry(&self.shared.path, name, created).1;
        let _replaced = self.replace();
        if self.span(name)?.is_none() {
            self.set_aside(&file.path)?;
        }
        self.delete_files(&file.path)?;
        locked(&self.shared.registry).record(name, Span { created, dropped: None })?;
        self.initialise(&file)?;
        locked(&self.shared.files).insert(file.name.clone(), file.clone());
        self.shared.generation.fetch_add(1, Ordering::AcqRel);
        Ok(file)
    }

    /// Makes a file that the registry names but a crash lost before it was durable.
    pub(super) fn initialise(&self, file: &DatabaseFile) -> Result<()> {
        let connection = self.open_at(&uri(&file.path, ""), &Functions::new())?;
        connection.run_script("PRAGMA journal_mode = WAL")?;
        connection.run_script(&BOOKKEEPING.replace("{db}", "main"))?;
        self.sync_directory()
    }

    /// Makes sure that the names of files survive a power failure too.
    pub(super) fn sync_directory(&self) -> Result<()> {
        if self.shared.options.vfs.is_some() {
            // A simulated disk has no directories.
            return Ok(());
        }
        let directory = std::fs::File::open(&self.shared.path).and_then(|d| d.sync_all());
        directory.map_err(|e| io_error("cannot sync the data directory", &e))
    }

    /// Whether [`DataDir::initialise`] came to its end with the database attached as `schema`: its last statement fills the
    /// state.
    pub(super) fn is_complete(connection: &mut Connection, schema: &str) -> Result<bool> {
        let schema = quoted(schema);
        let table = format!("SELECT 1 FROM {schema}.sqlite_schema WHERE name = '__marmot_state'");
        if connection.prepare(&table)?.all([])?.is_empty() {
            return Ok(false);
        }
        let state = format!("SELECT 1 FROM {schema}.__marmot_state WHERE item IN ('applied_seq', 'schema_version')");
        Ok(connection.prepare(&state)?.all([])?.len() == 2)
    }

    pub(super) fn is_on_disk(&self, file: &DatabaseFile) -> bool {
        self.shared.overlay_vfs.exists(&file.path)
    }

    /// From `dropped` on there is no such database. Connections that have it open keep it until they look again.
    pub(super) fn record_drop(&self, file: &DatabaseFile, dropped: ApplySeq) -> Result<()> {
        locked(&self.shared.registry).record(&file.name, Span { created: file.created, dropped: Some(dropped) })?;
        locked(&self.shared.files).remove(&file.name);
        file.dropped.store(true, Ordering::Release);
        self.shared.generation.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// Deletes the files of a database that was dropped. Connections that still have it open keep unlinked ones.
    pub(super) fn delete(&self, file: &DatabaseFile) -> Result<()> {
        let _replaced = self.replace();
        self.delete_files(&file.path)
    }

    /// A file where no database of ours ever was is somebody else's: it gets another name, and nothing of it is lost.
    fn set_aside(&self, path: &str) -> Result<()> {
        if self.shared.options.vfs.is_some() || !self.shared.overlay_vfs.exists(path) {
            return Ok(());
        }
        let free = |n: &u32| !std::path::Path::new(&format!("{path}.kept{n}")).exists();
        let kept = (1..).find(free).map(|n| format!("{path}.kept{n}")).unwrap_or_default();
        tracing::warn!(file = path, kept, "a file that is none of ours is in the way of a new database: renamed");
        for suffix in ["-journal", "-shm", "-wal", ""] {
            let from = format!("{path}{suffix}");
            if self.shared.overlay_vfs.exists(&from) {
                std::fs::rename(&from, format!("{kept}{suffix}"))
                    .map_err(|e| io_error(&format!("cannot rename {from}"), &e))?;
            }
        }
        Ok(())
    }

    fn delete_files(&self, path: &str) -> Result<()> {
        let vfs = &self.shared.overlay_vfs;
        ["", "-wal", "-shm", "-journal"].iter().try_for_each(|suffix| vfs.delete_file(&format!("{path}{suffix}")))
    }
}

fn entry(directory: &str, name: &str, created: ApplySeq) -> (DatabaseName, Arc<DatabaseFile>) {
    let name: DatabaseName = name.into();
    let file = DatabaseFile {
        name: name.clone(),
        path: format!("{directory}/{}", file_name(&name)),
        created,
        generation: AtomicU64::new(0),
        dropped: AtomicBool::new(false),
        layout: Mutex::new(None),
        changes: Changes::default(),
    };
    (name, Arc::new(file))
}

pub(super) fn io_error(what: &str, error: &std::io::Error) -> Error {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    if matches!(error.kind(), StorageFull | QuotaExceeded) {
        return Error::Full;
    }
    Error::Sqlite { code: rusqlite::ffi::SQLITE_IOERR, message: format!("{what}: {error}") }
}

/// A number of `__marmot_state`; 0 if it is not there.
pub(super) fn state_value(connection: &mut Connection, schema: &str, item: &str) -> Result<u64> {
    let sql = format!("SELECT value FROM {}.__marmot_state WHERE item = ?1", quoted(schema));
    let rows = connection.cached(&sql)?.all(&[Value::text(item)])?;
    Ok(match rows.first().map(|row| &row[0]) {
        Some(Value::Int(i)) => u64::try_from(*i).unwrap_or(0),
        _ => 0,
    })
}

/// An entry of `__marmot_catalog`; empty if it is not there.
pub(super) fn catalog_value(connection: &mut Connection, schema: &str, item: &str) -> Result<Vec<u8>> {
    let sql = format!("SELECT value FROM {}.__marmot_catalog WHERE item = ?1", quoted(schema));
    let rows = connection.cached(&sql)?.all(&[Value::text(item)])?;
    Ok(match rows.into_iter().next().and_then(|mut row| row.pop()) {
        Some(Value::Blob(bytes)) => bytes.to_vec(),
        _ => Vec::new(),
    })
}
