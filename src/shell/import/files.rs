//! Which files wait to be imported, and where they go.

use crate::sqlite::{ForeignDatabase, file_name, is_database_name};
use crate::types::DatabaseName;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Below the data directory: files that wait, and files that are in.
const WAITING: &str = "import";
const DONE: &str = "imported";
/// The node's own state; as soon as it exists this is no first start.
const OWN: &str = "marmot.db";
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// A foreign file that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The database it becomes.
    pub database: String,
    pub path: PathBuf,
}

/// At the first start of a node that begins a cluster, moves the SQLite files in `directory` to where they wait for
/// their import. Call it before the node's own state is made. `joins`: the node has seeds to join through.
///
/// # Errors
/// A sentence for the person who started the node: what cannot be imported and why, or that a joining node must start
/// with an empty directory. Nothing was moved then.
pub fn take_in(directory: &Path, joins: bool) -> Result<(), String> {
    if !directory.exists() || directory.join(OWN).exists() && is_own(&directory.join(OWN))? {
        return Ok(());
    }
    let mut found = database_files(directory)?;
    if joins {
        found.extend(waiting(directory)?.into_iter().map(|w| w.path));
        let Some(first) = found.first() else { return Ok(()) };
        return Err(format!(
            "{} is an existing SQLite file, but this node joins a cluster (it has seeds) and copies the cluster's data: \
             import it in the node that begins the cluster, or move it away",
            first.display()
        ));
    }
    let accepted = found.iter().map(|path| accept(path)).collect::<Result<Vec<_>, String>>()?;
    for file in accepted {
        move_into(&file.path, &directory.join(WAITING))?;
    }
    Ok(())
}

/// Says which database files of `directory` are none of this node's `databases`: they are left alone.
pub fn announce_strangers(directory: &Path, databases: &[DatabaseName]) {
    let known = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name == OWN || databases.iter().any(|d| *name == *file_name(d))
    };
    // What cannot be listed cannot be announced; whoever needs the directory will say so.
    for path in database_files(directory).unwrap_or_default().iter().filter(|p| !known(p)) {
        tracing::warn!(file = %path.display(), "not a database of this node, left alone: files are imported only at the first start");
    }
}

/// Whether any file waits.
pub fn is_waiting(directory: &Path) -> Result<bool, String> {
    waiting(directory).map(|files| !files.is_empty())
}

/// The files that wait, by name.
pub fn waiting(directory: &Path) -> Result<Vec<Waiting>, String> {
    let folder = directory.join(WAITING);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    database_files(&folder)?.iter().map(|path| accept(path)).collect()
}

/// The import of `file` is committed: keeps it apart.
pub fn finish(directory: &Path, file: &Waiting) -> Result<PathBuf, String> {
    let kept = move_into(&file.path, &directory.join(DONE))?;
    // Nothing is left there unless somebody put something else in.
    let _ = fs::remove_dir(directory.join(WAITING));
    Ok(kept)
}

fn failed(what: &str, path: &Path) -> impl Fn(std::io::Error) -> String {
    let what = format!("{what} {}", path.display());
    move |error| format!("cannot {what}: {error}")
}

/// Files named `*.db`, by name.
fn database_files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed("list", directory))? {
        let path = entry.map_err(failed("list", directory))?.path();
        if path.extension().is_some_and(|e| e == "db") && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether `marmot.db` is a node's state and not somebody's database of that name.
fn is_own(path: &Path) -> Result<bool, String> {
    match ForeignDatabase::open(path, None).and_then(|mut foreign| foreign.tables()) {
        Ok(tables)
            if tables.is_empty()
                || ["meta", "record", "ballot"].iter().all(|own| tables.iter().any(|t| t.name == *own)) =>
        {
            Ok(true)
        }
        Ok(_) => Err(format!(
            "{} is not the state of a Marmot node; that name is reserved: rename the file, so that it can be imported",
            path.display()
        )),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

fn accept(path: &Path) -> Result<Waiting, String> {
    let refuse = |why: &str| format!("{} cannot be imported: {why}; rename it or move it away", path.display());
    let name = path.file_stem().and_then(|n| n.to_str()).ok_or_else(|| refuse("its name is not UTF-8"))?;
    if !is_database_name(name) {
        return Err(refuse("a database cannot have its name"));
    }
    let mut head = Vec::new();
    let opened = fs::File::open(path).map_err(failed("open", path))?;
    opened.take(16).read_to_end(&mut head).map_err(failed("read", path))?;
    if !head.is_empty() && head != b"SQLite format 3\0" {
        return Err(refuse("it is not an SQLite database"));
    }
    let mut foreign = ForeignDatabase::open(path, None).map_err(|e| refuse(&e.to_string()))?;
    foreign.tables().map_err(|e| refuse(&e.to_string()))?;
    Ok(Waiting { database: name.to_string(), path: path.to_path_buf() })
}

/// Moves a database file, with what belongs to it, into a folder, under a name that is free there.
fn move_into(path: &Path, folder: &Path) -> Result<PathBuf, String> {
    fs::create_dir_all(folder).map_err(failed("create", folder))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut target = folder.join(&name);
    for n in 1.. {
        if !target.exists() {
            break;
        }
        target = folder.join(format!("{name}.{n}"));
    }
    // The file itself last: while it is in its old place, so is the rest of its name.
    for suffix in SUFFIXES.iter().rev() {
        let with = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        if with(path).exists() {
            fs::rename(with(path), with(&target)).map_err(failed("move", path))?;
        }
    }
    for directory in [Some(folder), folder.parent()].into_iter().flatten() {
        fs::File::open(directory).and_then(|d| d.sync_all()).map_err(failed("sync", directory))?;
    }
    Ok(target)
}
