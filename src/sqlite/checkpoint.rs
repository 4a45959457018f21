//! Moving WALs into their files.
//!
//! SQLite would do it inline with whichever commit finds the WAL long, at the price of slow commits. Here nobody does
//! it inline: a [`Checkpointer`] on a thread of its own runs PASSIVE checkpoints, which wait for nobody, and the
//! applier shortens the file between two batches when every reader has left it.

use super::connection::{Connection, uri};
use super::data_dir::DataDir;
use super::error::{Error, Result};
use super::functions::Functions;
use crate::types::DatabaseName;
use rusqlite::ffi;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::Path;

/// A WAL shorter than this many bytes is left alone, unless the options say otherwise.
pub const CHECKPOINT_BYTES: u64 = 1 << 20;
/// A WAL file so many times longer than that is shortened when it can be.
const LONG: u64 = 32;

/// Runs PASSIVE checkpoints of all database files on connections of its own.
pub struct Checkpointer {
    dir: DataDir,
    connections: BTreeMap<DatabaseName, (String, u64, Connection)>,
}

impl Checkpointer {
    pub(super) fn new(dir: DataDir) -> Checkpointer {
        Checkpointer { dir, connections: BTreeMap::new() }
    }

    /// Checkpoints every file whose WAL is worth it. Meant for a thread where it may take its time.
    pub fn run(&mut self) -> Result<()> {
        let files = self.dir.files();
        self.connections
            .retain(|name, (_, created, _)| files.iter().any(|file| file.name == *name && file.created == *created));
        for file in files {
            if !self.connections.contains_key(&file.name) {
                let connection = match self.dir.open_file(&file, &Functions::new()) {
                    Err(Error::NoSuchDatabase(_)) => continue,
                    opened => opened?,
                };
                self.connections.insert(file.name.clone(), (file.path.clone(), file.created, connection));
            }
            if let Some((_, _, connection)) = self.connections.get_mut(&file.name) {
                run(connection, "main", self.dir.shared.options.checkpoint_bytes, false)?;
            }
        }
        Ok(())
    }
}

/// Runs PASSIVE checkpoints of one file that is not a database of the data directory: the node's own state.
pub struct FileCheckpointer {
    connection: Connection,
    worthwhile: u64,
}

impl FileCheckpointer {
    /// A write-ahead log shorter than `worthwhile` bytes is left alone.
    pub fn open(path: &Path, vfs: Option<&str>, worthwhile: u64) -> Result<FileCheckpointer> {
        let connection = Connection::open(&uri(&path.to_string_lossy(), ""), vfs, 0, &Functions::new())?;
        connection.run_script("PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL")?;
        Ok(FileCheckpointer { connection, worthwhile })
    }

    pub fn run(&mut self) -> Result<()> {
        self.connection.cached("SELECT 1 FROM sqlite_schema LIMIT 1")?.run([])?;
        run(&self.connection, "main", self.worthwhile, false)
    }
}

/// Checkpoints one attached database if its WAL has `worthwhile` bytes; with `shorten`, cuts a long WAL file when nobody uses it.
/// Another's checkpoint or reader in the way is no error, nor a full disk: there is a next time.
pub(super) fn run(connection: &Connection, schema: &str, worthwhile: u64, shorten: bool) -> Result<()> {
    let bytes = connection.wal_bytes(schema)?;
    if bytes < worthwhile {
        return Ok(());
    }
    let Some((in_wal, done)) = call(connection, schema, ffi::SQLITE_CHECKPOINT_PASSIVE)? else { return Ok(()) };
    if shorten && bytes > LONG * worthwhile && in_wal == done {
        call(connection, schema, ffi::SQLITE_CHECKPOINT_TRUNCATE)?;
    }
    Ok(())
}

/// Frames in the WAL and frames moved; `None` if somebody was in the way, or there was no room.
fn call(connection: &Connection, schema: &str, mode: i32) -> Result<Option<(i32, i32)>> {
    let Ok(schema) = CString::new(schema) else { return Ok(None) };
    let (mut in_wal, mut done) = (0, 0);
    // SAFETY: an open connection, a NUL-terminated name, two out pointers. The busy handler is left out for the call:
    // a checkpoint must not make the applier wait for a reader.
    let code = unsafe {
        let db = connection.raw();
        ffi::sqlite3_busy_timeout(db, 0);
        let code = ffi::sqlite3_wal_checkpoint_v2(db, schema.as_ptr(), mode, &mut in_wal, &mut done);
        ffi::sqlite3_busy_timeout(db, connection.busy_timeout());
        code
    };
    match code & 0xff {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_FULL => Ok(None),
        _ => connection.check(code).map(|()| Some((in_wal, done))),
    }
}
