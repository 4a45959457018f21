//! A consistent copy of all files of a node, for another one that joins or lagged too far behind.

use super::connection::{Connection, outer_error, uri};
use super::data_dir::{DataDir, DatabaseFile, file_name, locked, state_value};
use super::error::{Error, Result};
use super::functions::Functions;
use super::registry::{Registry, Span};
use crate::types::{ApplySeq, DatabaseName};
use rusqlite::backup::{Backup, StepResult};
use std::path::Path;
use std::sync::{Arc, PoisonError};

/// Pages copied between two looks at the progress.
const PAGES_AT_ONCE: i32 = 1024;
/// How often databases may be made or dropped while all of them are being pinned.
const ATTEMPTS: usize = 10;

/// All databases as of one moment, for as long as this lives: one between two batches of the applier. Commits go on
/// meanwhile; checkpoints leave the WAL alone.
pub struct Pinned {
    dir: DataDir,
    sources: Vec<(DatabaseName, Connection)>,
    spans: Vec<(String, Span)>,
    seq: ApplySeq,
}

impl DataDir {
    /// Holds on to what is in the files now.
    ///
    /// # Errors
    /// A file cannot be read, or databases come and go too quickly.
    pub fn pin(&self) -> Result<Pinned> {
        for _ in 0..ATTEMPTS {
            if let Some(pinned) = self.try_pin()? {
                return Ok(pinned);
            }
        }
        Err(Error::Unsupported("a copy of databases that come and go all the time".into()))
    }

    /// `None`: a database was made or dropped in between.
    fn try_pin(&self) -> Result<Option<Pinned>> {
        let open = |file: &Arc<DatabaseFile>| Ok((file.name.clone(), self.open_file(file, &Functions::new())?));
        let files = self.files();
        let mut sources = match files.iter().map(open).collect::<Result<Vec<_>>>() {
            Ok(sources) => sources,
            // Dropped before it could be opened.
            Err(Error::NoSuchDatabase(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let _visibility = self.shared.visibility.read().unwrap_or_else(PoisonError::into_inner);
        for (_, source) in &mut sources {
            source.run_script("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1")?;
        }
        // By name alone, one dropped and made anew meanwhile would be taken for the other.
        let pinned = |name: &str, created| files.iter().any(|file| *file.name == *name && file.created == created);
        let spans = locked(&self.shared.registry).files()?;
        if spans.iter().any(|(name, span)| span.dropped.is_none() != pinned(name, span.created)) {
            return Ok(None);
        }
        // A drop comes after everything before it, also where no file shows that.
        let mut seq = spans.iter().filter_map(|(_, span)| span.dropped).max().unwrap_or(0);
        for (_, source) in &mut sources {
            seq = seq.max(state_value(source, "main", "applied_seq")?);
        }
        Ok(Some(Pinned { dir: self.clone(), sources, spans, seq }))
    }
}

impl Pinned {
    /// Every task up to here is in the copy, none above: the highest that any file held.
    pub fn seq(&self) -> ApplySeq {
        self.seq
    }

    /// How many bytes the files have.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn bytes(&mut self) -> Result<u64> {
        self.sources.iter_mut().map(|(_, source)| source.size()).sum()
    }

    /// Copies every database into the existing directory `target`, with a `marmot.files` that says so. Each file is
    /// complete in itself, without a WAL. `progress` hears how many bytes were copied, now and then. Returns the names
    /// of the files.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn copy_to(self, target: &Path, progress: &mut dyn FnMut(u64)) -> Result<Vec<String>> {
        let options = &self.dir.shared.options;
        let vfs = options.vfs.as_deref();
        let mut names = Vec::new();
        let mut done = 0;
        for (name, mut source) in self.sources {
            let name = file_name(&name);
            let bytes = source.size()?;
            copy(&source, &target.join(&name), vfs, &mut |pages| progress(done + pages))?;
            done += bytes;
            names.push(name);
        }
        let path = target.join("marmot.files");
        let mut registry = Registry::open(&path.to_string_lossy(), vfs, options.busy_timeout_ms)?;
        for (name, span) in &self.spans {
            registry.record(name, *span)?;
        }
        registry.set_synced(self.seq, &[])?;
        registry.finish()?;
        names.push("marmot.files".to_string());
        Ok(names)
    }
}

/// Copies `marmot.db` as it was last folded, without its redo log, to `target`; see
/// [`Store::open_copy`](super::Store::open_copy).
///
/// # Errors
/// A file cannot be read or written.
pub fn copy_store(path: &Path, vfs: Option<&str>, target: &Path) -> Result<()> {
    let source = Connection::open_read_only(&uri(&path.to_string_lossy(), "mode=ro"), vfs, 1000)?;
    let copied = copy(&source, target, vfs, &mut |_| {})?;
    copied.run_script("UPDATE redo SET generation = 1")
}

/// The names of the files that the `marmot.files` in `directory` lists as databases.
///
/// # Errors
/// It cannot be read.
pub fn live_files(directory: &Path) -> Result<Vec<String>> {
    let path = directory.join("marmot.files");
    let mut registry = Registry::open(&path.to_string_lossy(), None, 1000)?;
    let live = registry.files()?.into_iter().filter(|(_, span)| span.dropped.is_none());
    Ok(live.map(|(name, _)| file_name(&name)).collect())
}

/// Moves the WAL beside a copied file into it, and leaves one file.
///
/// # Errors
/// It is no database, or cannot be written.
pub fn settle(path: &Path) -> Result<()> {
    let file = Connection::open(&uri(&path.to_string_lossy(), ""), None, 1000, &Functions::new())?;
    file.run_script("PRAGMA synchronous = FULL; PRAGMA journal_mode = DELETE")
}

/// One file without a WAL can be sent as it is; opening it makes it a WAL database again.
fn copy(source: &Connection, target: &Path, vfs: Option<&str>, progress: &mut dyn FnMut(u64)) -> Result<Connection> {
    let mut copy = Connection::open(&uri(&target.to_string_lossy(), ""), vfs, 0, &Functions::new())?;
    copy.run_script("PRAGMA synchronous = FULL")?;
    {
        let backup = Backup::new(source.inner(), copy.inner_mut()).map_err(outer_error)?;
        while backup.step(PAGES_AT_ONCE).map_err(outer_error)? != StepResult::Done {
            let at = backup.progress();
            progress(u64::try_from(at.pagecount - at.remaining).unwrap_or(0) * 4096);
        }
    }
    copy.run_script("PRAGMA journal_mode = DELETE")?;
    Ok(copy)
}
