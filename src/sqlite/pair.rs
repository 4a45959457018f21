//! One database file attached to a connection as an overlay, and the plain connection that pins its snapshot.

use super::cell::Cell;
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
    /// Attaches the file at `path` to `connection` under `name`; the caller sees to it that the file stays there meanwhile. The
    /// pair has begun: within a transaction of the connection it must stay so, for SQLite reads from that snapshot already;
    /// otherwise the caller ends it.
    pub(super) fn attach(dir: &DataDir, connection: &Connection, name: &str, path: &str) -> Result<OverlayPair> {
        let options = &dir.shared.options;
        let uri = uri(path, "mode=rw");
        let base = Connection::open(&uri, options.vfs.as_deref(), options.busy_timeout_ms, &Functions::new())?;
        base.set_option(ffi::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        base.run_script("PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -64")?;
        // Unlike a query it does not need the definitions of all tables, after every schema change anew.
        let pin = RefCell::new(base.prepare("PRAGMA schema_version")?);
        let file = base.file("main")?;
        let pair = OverlayPair { overlay: Overlay::new(dir.shared.overlay_vfs.clone()), pin, file, _base: base };
        pair.begin()?;
        let source = format!("{uri}&{}", pair.overlay.uri_parameters()).replace('\'', "''");
        let schema = quoted(name);
        if let Err(error) = connection.run_script(&format!("ATTACH '{source}' AS {schema}")) {
            pair.end();
            return Err(error);
        }
        let prepared = connection.run_script(&format!(
            "PRAGMA wal_autocheckpoint = 0; PRAGMA {schema}.cache_size = -{}; PRAGMA {schema}.mmap_size = 0;
             PRAGMA {schema}.schema_version",
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
        let mut pin = self.pin.borrow_mut();
        let has_tables = pin.step()? && pin.cell(0) != Cell::Int(0);
        if !has_tables {
            pin.reset();
            return Err(Error::Sqlite { code: ffi::SQLITE_CORRUPT, message: "a database file without tables".into() });
        }
        // The base connection holds a read mark now.
        self.overlay.freeze(self.file).inspect_err(|_| pin.reset())
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
