//! Is this SQLite the one the overlay was written for, and does an overlay work on this disk?

use super::connection::Connection;
use super::data_dir::DataDir;
use super::error::{Error, Result};
use super::functions::Functions;
use super::pair::OverlayPair;
use crate::types::Value;
use rusqlite::ffi;
use std::ffi::CStr;

/// The bundled SQLite. The overlay depends on its WAL index: another version needs `tests/sqlite_overlay.rs` first.
const EXPECTED: i32 = 3_054_001;

const _: () = assert!(ffi::SQLITE_VERSION_NUMBER == EXPECTED, "run the overlay tests, then change EXPECTED");

/// Refuses a library other than the one compiled against, or built without what is needed.
pub(super) fn check_version() -> Result<()> {
    // SAFETY: neither call has preconditions; the option names are NUL-terminated.
    let (version, complete) = unsafe {
        let has = |option: &CStr| ffi::sqlite3_compileoption_used(option.as_ptr()) != 0;
        (ffi::sqlite3_libversion_number(), has(c"ENABLE_PREUPDATE_HOOK") && has(c"ENABLE_COLUMN_METADATA"))
    };
    if version != EXPECTED {
        return Err(Error::Unsupported(format!("SQLite {version}; this program needs {EXPECTED}")));
    }
    if !complete {
        return Err(Error::Unsupported("SQLite without preupdate hook or column metadata".into()));
    }
    Ok(())
}

fn failed(what: &str) -> Error {
    Error::Unsupported(format!("this disk: the overlay self-test failed ({what})"))
}

fn number(connection: &mut Connection, sql: &str) -> Result<i64> {
    match connection.cached(sql)?.all([])?.first().map(|row| &row[0]) {
        Some(Value::Int(i)) => Ok(*i),
        _ => Err(failed(sql)),
    }
}

/// Speculates on a scratch file while it changes underneath.
pub(super) fn self_test(dir: &DataDir) -> Result<()> {
    let shared = &dir.shared;
    let path = format!("{}/marmot.selftest", shared.path);
    let remove = || {
        ["", "-wal", "-shm", "-journal"].iter().try_for_each(|s| shared.overlay_vfs.delete_file(&format!("{path}{s}")))
    };
    remove()?;
    let outcome = speculate(dir, &path);
    remove()?;
    outcome
}

fn speculate(dir: &DataDir, path: &str) -> Result<()> {
    let functions = Functions::new();
    let options = &dir.shared.options;
    let uri = super::connection::uri(path, "");
    let mut file = Connection::open(&uri, options.vfs.as_deref(), options.busy_timeout_ms, &functions)?;
    file.run_script(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0;
         CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
         INSERT INTO t VALUES(1, 10), (2, 20)",
    )?;
    // Declared in this order, the connection is closed before what its file refers to is dropped.
    let pair: OverlayPair;
    let mut overlay = dir.open_memory(&functions)?;
    pair = OverlayPair::attach(dir, &overlay, "x", path)?;
    pair.end();
    pair.begin()?;
    overlay.run_script("BEGIN; UPDATE x.t SET v = 11 WHERE id = 1")?;
    file.run_script("UPDATE t SET v = 22 WHERE id = 2; PRAGMA wal_checkpoint(PASSIVE)")?;
    let own = number(&mut overlay, "SELECT sum(v) FROM x.t")?;
    let others = number(&mut file, "SELECT sum(v) FROM t")?;
    overlay.run_script("ROLLBACK")?;
    pair.end();
    pair.begin()?;
    overlay.run_script("BEGIN")?;
    let next = number(&mut overlay, "SELECT sum(v) FROM x.t")?;
    overlay.run_script("ROLLBACK")?;
    pair.end();
    match (own, others, next) {
        (31, 32, 32) => Ok(()),
        (own, others, next) => Err(failed(&format!("sums {own}, {others}, {next}"))),
    }
}
