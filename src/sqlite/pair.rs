//! One database file attached to a connection as an overlay, and the plain connection that pins its snapshot.

use super::connection::{Connection, quoted, uri};
use super::data_dir::DataDir;
use super::error::{Error, Result};
use super::functions::Functions;
use super::statement::Statement;
use super::vfs::Overlay;
use rusqlite::ffi;
use std::cell::RefCell;

/// **Invariant**: while the pair exists, the database may be attached to the overlay connection; the owner detaches it
/// or closes the connection before it drops the pair.
pub(super) struct OverlayPair {
    overlay: Overlay,
    pin: RefCell<Statement>,
    file: *mut ffi::sqlite3_file,
    // Dropped last: what is above belongs to it.
    _base: Connection,
}

// SAFETY: the file handle belongs to the base connection, which moves along.
unsafe impl Send for OverlayPair {}

impl OverlayPair {
    /// Attaches the file at `path` to `connection` under `name`. The pair has begun: within a transaction of the
    /// connection it must stay so, for SQLite reads from that snapshot already; otherwise the caller ends it.
    pub(super) fn attach(dir: &DataDir, connection: &Connection, name: &str, path: &str) -> Result<OverlayPair> {
        let options = &dir.shared.options;
        let base =
            Connection::open(&uri(path, ""), options.vfs.as_deref(), options.busy_timeout_ms, &Functions::new())?;
        base.run_script("PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -64")?;
        let pin = RefCell::new(base.prepare("SELECT 1 FROM sqlite_schema")?);
        let file = base.file("main")?;
        let pair = OverlayPair { overlay: Overlay::new(dir.shared.overlay_vfs.clone()), pin, file, _base: base };
        pair.begin()?;
        let source = uri(path, &pair.overlay.uri_parameters()).replace('\'', "''");
        let schema = quoted(name);
        if let Err(error) = connection.run_script(&format!("ATTACH '{source}' AS {schema}")) {
            pair.end();
            return Err(error);
        }
        let prepared = connection.run_script(&format!(
            "PRAGMA wal_autocheckpoint = 0; PRAGMA {schema}.cache_size = -{}; PRAGMA {schema}.mmap_size = 0;
             SELECT count(*) FROM {schema}.sqlite_schema",
            options.cache_kib
        ));
        if let Err(error) = prepared {
            if connection.run_script(&format!("DETACH {schema}")).is_err() {
                // It stays attached, so what it refers to has to stay: better a leak than a dangling pointer.
                std::mem::forget(pair);
            }
            return Err(error);
        }
        Ok(pair)
    }

    /// Pins the file's current snapshot and freezes the overlay on it.
    pub(super) fn begin(&self) -> Result<()> {
        if !self.pin.borrow_mut().step()? {
            // Without a row the statement has ended, and the read mark is gone.
            return Err(Error::Sqlite { code: ffi::SQLITE_CORRUPT, message: "a database file without tables".into() });
        }
        // The base connection holds a read mark now.
        self.overlay.freeze(self.file).inspect_err(|_| self.pin.borrow_mut().reset())
    }

    /// Lets the snapshot go and forgets what was private. The overlay connection has rolled back.
    pub(super) fn end(&self) {
        self.overlay.discard();
        self.pin.borrow_mut().reset();
    }

    /// Bytes that spilled out of the page cache.
    pub(super) fn spilled(&self) -> usize {
        self.overlay.spilled()
    }
}
