//! Whether the database files of a stopped node are what SQLite wrote.
//!
//! The header, the schema, this layer's own tables, and whether the file holds all that was once durable in it, are looked at
//! in any case; that costs a few pages a file. Trees and rows are walked by SQLite's `quick_check`, for as long as there is
//! time, or by its `integrity_check`, to the end; then the catalog is compared with SQLite's schema too.

use super::connection::{Connection, quoted, uri};
use super::data_dir::{DataDir, file_name, state_value};
use super::definition;
use super::error::{Error, Result};
use super::functions::Functions;
use super::registry::{Registry, Span};
use crate::types::{ApplySeq, Value};
use rusqlite::ffi;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The first bytes of every SQLite file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// What SQLite's checks list of one file at most.
const FINDINGS: usize = 10;
/// The registry of files.
const REGISTRY: &str = "marmot.files";

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Headers and schemas, then `quick_check` until the time is over. Files not reached count as sound.
    Quick(Duration),
    /// `integrity_check` of everything.
    Full,
}

/// A file that is not what this node wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file's name in the data directory.
    pub file: String,
    /// What SQLite says of it.
    pub what: String,
}

/// Looks at the files that the registry of `directory` names, and at the registry. Nobody else may have them open.
///
/// # Errors
/// The operating system fails; what is wrong with a file itself is no error.
pub fn damaged_files(directory: &Path, depth: Depth, functions: &Functions) -> Result<Vec<Damage>> {
    let until = match depth {
        Depth::Quick(time) => Some(Instant::now() + time),
        Depth::Full => None,
    };
    let registry = directory.join(REGISTRY);
    if !registry.exists() {
        return Ok(Vec::new());
    }
    let listed = match found(REGISTRY, registered(&registry, depth))? {
        Ok(listed) => listed,
        Err(damage) => return Ok(vec![damage]),
    };
    let mut damaged = Vec::new();
    let count = listed.len();
    for (number, Listed { name, must_exist, held }) in listed.into_iter().enumerate() {
        let file = file_name(&name);
        let path = directory.join(&file);
        if !path.exists() {
            if must_exist {
                damaged.push(Damage { file, what: "the file is missing".into() });
            }
            continue;
        }
        let begun = (depth == Depth::Full).then(Instant::now);
        if begun.is_some() {
            let megabytes = std::fs::metadata(&path).map_or(0, |data| data.len() >> 20);
            tracing::info!(file, megabytes, "checking file {} of {count}", number + 1);
        }
        let looked = check(&path, until, functions).and_then(|applied| check_holds(&name, applied.unwrap_or(0), held));
        let looked = found(&file, looked)?;
        if let Some(begun) = begun {
            let seconds = begun.elapsed().as_secs_f32();
            tracing::info!(file, seconds, "{}", if looked.is_ok() { "it is sound" } else { "it is damaged" });
        }
        damaged.extend(looked.err());
    }
    Ok(damaged)
}

/// What is wrong with a node's own state, `marmot.db`, if it is there and anything is. Nobody else may have it open.
///
/// # Errors
/// The operating system fails.
pub fn damaged_store(directory: &Path) -> Result<Option<Damage>> {
    const STORE: &str = "marmot.db";
    let path = directory.join(STORE);
    if !path.exists() {
        return Ok(None);
    }
    let looked = check_header(&path).and_then(|()| {
        let mut connection = Connection::open(&uri(&path.to_string_lossy(), ""), None, 1000, &Functions::new())?;
        run_check(&mut connection, "quick_check(1)")
    });
    Ok(found(STORE, looked)?.err())
}

/// What a node's registry says of a database.
struct Listed {
    name: String,
    /// It is durable for certain.
    must_exist: bool,
    /// The last task that was durable in its file.
    held: ApplySeq,
}

/// The databases that a node's registry names, without those dropped.
fn registered(path: &Path, depth: Depth) -> Result<Vec<Listed>> {
    check_header(path)?;
    let mut registry = Registry::open(&path.to_string_lossy(), None, 1000)?;
    if depth == Depth::Full {
        registry.check()?;
    }
    let synced = registry.synced()?;
    let live = registry.files()?.into_iter().filter(|(_, span)| span.dropped.is_none());
    let listed = |(name, span): (String, Span)| {
        Ok(Listed { must_exist: span.created <= synced, held: registry.held(&name, span.created)?, name })
    };
    live.map(listed).collect()
}

/// The file names of the databases that the registry of `directory` names; none if it cannot be read.
pub fn registered_files(directory: &Path) -> Vec<String> {
    let path = directory.join(REGISTRY);
    let headers = Depth::Quick(Duration::ZERO);
    let listed = if path.exists() { registered(&path, headers).unwrap_or_default() } else { Vec::new() };
    listed.into_iter().map(|listed| file_name(&listed.name)).collect()
}

/// Tells what is wrong with the file from what is wrong with the machine.
fn found<T>(file: &str, looked: Result<T>) -> Result<std::result::Result<T, Damage>> {
    match looked {
        Ok(value) => Ok(Ok(value)),
        Err(error) if error.is_damage() => Ok(Err(Damage { file: file.to_string(), what: error.to_string() })),
        Err(error) => Err(error),
    }
}

/// The last task that a sound file holds; `None`: it was made, but not filled before a crash, and the log does that again.
fn check(path: &Path, until: Option<Instant>, functions: &Functions) -> Result<Option<ApplySeq>> {
    check_header(path)?;
    let mut connection = Connection::open(&uri(&path.to_string_lossy(), ""), None, 1000, functions)?;
    connection.run_script("PRAGMA wal_autocheckpoint = 0")?;
    if !DataDir::is_complete(&mut connection, "main")? {
        return Ok(None);
    }
    let applied = Some(state_value(&mut connection, "main", "applied_seq")?);
    let Some(until) = until else {
        run_check(&mut connection, &format!("integrity_check({FINDINGS})"))?;
        return check_catalog(&mut connection).map(|()| applied);
    };
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Ok(applied);
    }
    let interrupt = connection.interrupt();
    let (done, wait) = mpsc::channel::<()>();
    let checked = std::thread::scope(|scope| {
        scope.spawn(move || {
            if wait.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Timeout) {
                interrupt.interrupt();
            }
        });
        let checked = run_check(&mut connection, &format!("quick_check({FINDINGS})"));
        drop(done);
        checked
    });
    match checked {
        Err(Error::Interrupted { .. }) => Ok(applied),
        checked => checked.map(|()| applied),
    }
}

/// Whether a file that holds the tasks up to `applied` holds all that was durable in it: SQLite cuts a write-ahead log where it
/// is damaged, and says nothing. What the log of `marmot.db` has could not be done again on top: pages that a checkpoint had
/// moved before are newer than those that are left in the write-ahead log.
pub(super) fn check_holds(name: &str, applied: ApplySeq, held: ApplySeq) -> Result<()> {
    if applied >= held {
        return Ok(());
    }
    let message = format!(
        "its write-ahead log is damaged or missing: '{name}' holds the changes up to {applied}, but {held} were on disk"
    );
    Err(Error::Sqlite { code: ffi::SQLITE_CORRUPT, message })
}

/// Whether the definitions of the tables, what names their parts, and SQLite's schema are of the same tables.
fn check_catalog(connection: &mut Connection) -> Result<()> {
    let differs = |what: String| Error::Sqlite { code: ffi::SQLITE_CORRUPT, message: format!("its catalog: {what}") };
    let layout = definition::read_layout(connection, "main", None).map_err(|e| differs(e.to_string()))?;
    let stored = definition::read(connection, "main").map_err(|e| differs(e.to_string()))?;
    if stored.database.is_empty() {
        return Ok(());
    }
    let database = crate::sql::Database::assemble(&stored.database, &stored.tables);
    let database = database.map_err(|e| differs(e.to_string()))?;
    match database.tables.values().find(|table| layout.with_id(table.id).is_none_or(|known| known.name != table.name)) {
        Some(table) => Err(differs(format!("table '{}' is not there", table.name))),
        None => Ok(()),
    }
}

pub(super) fn run_check(connection: &mut Connection, pragma: &str) -> Result<()> {
    let rows = connection.prepare(&format!("PRAGMA main.{pragma}"))?.all([])?;
    let texts = rows.iter().filter_map(|row| match row.first() {
        Some(Value::Text(text)) => Some(&**text),
        _ => None,
    });
    let findings: Vec<&str> = texts.filter(|text| *text != "ok").collect();
    if findings.is_empty() {
        return Ok(());
    }
    Err(Error::Sqlite { code: ffi::SQLITE_CORRUPT, message: findings.join("; ").replace('\n', " ") })
}

/// A file without content is new; any other begins as SQLite's do.
fn check_header(path: &Path) -> Result<()> {
    let failed = |e: std::io::Error| super::data_dir::io_error(&format!("cannot read {}", path.display()), &e);
    let mut header = Vec::new();
    std::fs::File::open(path).map_err(failed)?.take(MAGIC.len() as u64).read_to_end(&mut header).map_err(failed)?;
    if header.is_empty() || header == MAGIC {
        return Ok(());
    }
    Err(Error::Sqlite { code: ffi::SQLITE_NOTADB, message: "it does not begin as an SQLite file does".into() })
}

impl DataDir {
    /// Reads one table of an open database and its indexes to the end; what is wrong with it, if anything is.
    ///
    /// # Errors
    /// There is no such database, or the operating system fails.
    pub fn check_table(&self, database: &str, table: &str) -> Result<Option<String>> {
        let file = self.file(database)?;
        let mut connection = self.open_file(&file, &Functions::new())?;
        let checked = run_check(&mut connection, &format!("quick_check({})", quoted(table)));
        Ok(found(database, checked)?.err().map(|damage| damage.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::Options;
    use std::io::{Seek, SeekFrom, Write};

    const ALL: Depth = Depth::Quick(Duration::from_secs(60));

    /// A directory with one database of some pages, and nobody who has it open.
    fn stopped() -> tempfile::TempDir {
        let home = tempfile::tempdir().expect("a directory");
        let data = DataDir::open(home.path(), Options::default()).expect("it opens");
        let file = data.create("d", 1).expect("a database");
        let connection = data.open_file(&file, &Functions::new()).expect("it opens");
        connection
            .run_script(
                "CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT); CREATE INDEX i ON t(text);
                 INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
                 SELECT i, 'text ' || i FROM n; PRAGMA wal_checkpoint(TRUNCATE)",
            )
            .expect("it runs");
        home
    }

    fn overwrite(path: &Path, from: u64, bytes: usize) {
        let mut file = std::fs::File::options().write(true).open(path).expect("it opens");
        file.seek(SeekFrom::Start(from)).expect("it seeks");
        file.write_all(&vec![0x5a; bytes]).expect("it writes");
    }

    fn files(damaged: &[Damage]) -> Vec<&str> {
        damaged.iter().map(|d| &*d.file).collect()
    }

    #[test]
    fn sound_files_are_sound() {
        let home = stopped();
        assert_eq!(damaged_files(home.path(), ALL, &Functions::new()), Ok(vec![]));
        assert_eq!(damaged_files(home.path(), Depth::Full, &Functions::new()), Ok(vec![]));
    }

    #[test]
    fn a_page_in_the_middle_is_seen_by_those_who_walk_there() {
        let home = stopped();
        overwrite(&home.path().join("d.db"), 10 * 4096, 3 * 4096);
        assert_eq!(files(&damaged_files(home.path(), ALL, &Functions::new()).expect("it looks")), ["d.db"]);
        assert_eq!(files(&damaged_files(home.path(), Depth::Full, &Functions::new()).expect("it looks")), ["d.db"]);
        let headers = Depth::Quick(Duration::ZERO);
        assert_eq!(damaged_files(home.path(), headers, &Functions::new()), Ok(vec![]));
    }

    #[test]
    fn headers_are_looked_at_in_any_case() {
        let home = stopped();
        overwrite(&home.path().join("d.db"), 0, 4096);
        let headers = Depth::Quick(Duration::ZERO);
        assert_eq!(files(&damaged_files(home.path(), headers, &Functions::new()).expect("it looks")), ["d.db"]);
        overwrite(&home.path().join("marmot.files"), 0, 4096);
        assert_eq!(files(&damaged_files(home.path(), headers, &Functions::new()).expect("it looks")), ["marmot.files"]);
    }
}
