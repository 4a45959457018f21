//! Opening a database file that may be dropped, and another made under its name, at any moment.
//!
//! SQLite opens the main file when a connection is made, but the write-ahead log and its index with the first read, *by
//! name*. If the file was replaced in between, the connection joins the old file with the log of the new one: it reads
//! nonsense, and a checkpoint through it moves the pages of the new database into the unlinked file of the old one, after
//! which they are nowhere. (<https://sqlite.org/howtocorrupt.html>, "Unlinking or renaming a database file while in use".)
//! So whoever opens a file holds it in place until it has read from it, and files are deleted and made only when nobody does.
//! From its first read on a connection has its three files for life, unlinked or not.
//!
//! On closing, SQLite would delete the log by name as well: only the applier's connections may, see [`DataDir::open_memory`].

use super::connection::{Connection, uri};
use super::data_dir::{DataDir, DatabaseFile};
use super::error::{Error, Result};
use super::functions::Functions;
use rusqlite::ffi;
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, RwLockReadGuard, RwLockWriteGuard};

/// What keeps every database file where it is.
pub(super) type InPlace<'a> = RwLockReadGuard<'a, ()>;

impl DataDir {
    /// While the guard lives, what is at the path of `file` is `file`. Read from what you open before you let go.
    ///
    /// # Errors
    /// It was dropped.
    pub(super) fn hold(&self, file: &DatabaseFile) -> Result<InPlace<'_>> {
        let held = self.shared.in_place.read().unwrap_or_else(PoisonError::into_inner);
        match file.dropped.load(Ordering::Acquire) {
            true => Err(Error::NoSuchDatabase(file.name.to_string())),
            false => Ok(held),
        }
    }

    /// Nobody is about to open a file while the guard lives: files may be deleted and made.
    pub(super) fn replace(&self) -> RwLockWriteGuard<'_, ()> {
        self.shared.in_place.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A plain connection whose `main` is the file, which it has read from.
    ///
    /// # Errors
    /// The database was dropped, or the file cannot be read.
    pub(super) fn open_file(&self, file: &DatabaseFile, functions: &Functions) -> Result<Connection> {
        let _held = self.hold(file)?;
        let connection = self.open_at(&uri(&file.path, "mode=rw"), functions)?;
        connection.set_option(ffi::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.run_script("PRAGMA schema_version")?;
        Ok(connection)
    }

    /// A plain connection on the file that `uri` names.
    pub(super) fn open_at(&self, uri: &str, functions: &Functions) -> Result<Connection> {
        let options = &self.shared.options;
        let opened = Connection::open(uri, options.vfs.as_deref(), options.busy_timeout_ms, functions);
        let connection = opened?.raise(&self.shared.damage);
        connection.run_script(&format!(
            "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -{}; PRAGMA synchronous = NORMAL",
            options.cache_kib / 2
        ))?;
        Ok(connection)
    }

    /// A connection with an in-memory `main`, to attach files to. Closing it leaves their logs alone; so must it be for all
    /// but the applier's, for a log is deleted by name.
    pub(super) fn open_memory(&self, functions: &Functions) -> Result<Connection> {
        let options = &self.shared.options;
        let opened = Connection::open(":memory:", options.vfs.as_deref(), options.busy_timeout_ms, functions);
        let connection = opened?.raise(&self.shared.damage);
        connection.set_option(ffi::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::{DataDir, Options};
    use crate::types::Value;

    fn run(connection: &Connection, sql: &str) {
        connection.run_script(sql).expect(sql);
    }

    /// A name whose database was dropped and made anew while somebody was about to read the old one.
    #[test]
    fn a_connection_to_a_dropped_database_does_not_touch_the_one_made_under_its_name() {
        let home = tempfile::tempdir().expect("a directory");
        let data = DataDir::open(home.path(), Options::default()).expect("it opens");
        let old = data.create("d", 1).expect("a database");
        let early = data.open_file(&old, &Functions::new()).expect("it opens");
        data.record_drop(&old, 2).expect("it is dropped");
        data.delete(&old).expect("its files go");
        let new = data.create("d", 3).expect("another");
        let writer = data.open_file(&new, &Functions::new()).expect("it opens");
        run(&writer, "CREATE TABLE t(v); INSERT INTO t VALUES(zeroblob(20000))");

        // What the checkpointer does.
        run(&early, "SELECT count(*) FROM sqlite_schema; PRAGMA wal_checkpoint(PASSIVE)");
        drop(early);
        run(&writer, "INSERT INTO t VALUES(zeroblob(20000)); PRAGMA wal_checkpoint(PASSIVE); INSERT INTO t VALUES(1)");
        drop(writer);
        let reader = data.open_file(&new, &Functions::new()).expect("it opens");
        let rows = reader.prepare("SELECT count(*) FROM t").expect("the table is there").all([]);
        assert_eq!(rows, Ok(vec![vec![Value::Int(3)]]));
        run(&reader, "PRAGMA integrity_check");
    }

    #[test]
    fn opening_a_dropped_database_makes_no_file() {
        let home = tempfile::tempdir().expect("a directory");
        let data = DataDir::open(home.path(), Options::default()).expect("it opens");
        let old = data.create("d", 1).expect("a database");
        data.record_drop(&old, 2).expect("it is dropped");
        data.delete(&old).expect("its files go");
        let opened = data.open_file(&old, &Functions::new()).map(drop);
        assert_eq!(opened, Err(Error::NoSuchDatabase("d".into())));
        assert!(!home.path().join("d.db").exists());
        let _new = data.create("d", 3).expect("another");
        assert_eq!(data.open_file(&old, &Functions::new()).map(drop), Err(Error::NoSuchDatabase("d".into())));
    }
}
