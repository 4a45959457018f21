//! A consistent copy of all database files, for a node that joins or lagged too far behind.

use super::connection::{Connection, outer_error, quoted};
use super::data_dir::DataDir;
use super::error::Result;
use super::functions::Functions;
use super::registry::{Registry, Span};
use crate::types::{ApplySeq, DatabaseName};
use rusqlite::backup::Backup;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

/// What [`DataDir::copy_to`] made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Every task up to here is in the copy, none above: the highest that any file held.
    pub seq: ApplySeq,
    /// The files, each complete in itself (no WAL), and `marmot.files`.
    pub files: Vec<PathBuf>,
}

impl DataDir {
    /// Copies every database, all as of one moment, into the existing directory `target`, which becomes a data
    /// directory of its own: its apply order begins again at zero, for a place in it means nothing on another node.
    ///
    /// The moment is one between two batches of the applier. Commits go on meanwhile; checkpoints leave the WAL alone.
    pub fn copy_to(&self, target: &Path) -> Result<Copied> {
        let sources = self.pin_all()?;
        let mut copied = Copied { seq: 0, files: Vec::new() };
        let registry_path = target.join("marmot.files");
        let options = &self.shared.options;
        let vfs = options.vfs.as_deref();
        let mut registry = Registry::open(&registry_path.to_string_lossy(), vfs, options.busy_timeout_ms)?;
        for (name, mut source) in sources {
            copied.seq = copied.seq.max(super::data_dir::state_value(&mut source, "main", "applied_seq")?);
            let path = target.join(super::data_dir::file_name(&name));
            let uri = super::connection::uri(&path.to_string_lossy(), "");
            let mut copy = Connection::open(&uri, vfs, options.busy_timeout_ms, &Functions::new())?;
            let backup = Backup::new(source.inner(), copy.inner_mut()).map_err(outer_error)?;
            backup.step(-1).map_err(outer_error)?;
            drop(backup);
            // One file without a WAL can be sent as it is; opening it makes it a WAL database again.
            copy.run_script(&format!(
                "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;
                 UPDATE {}.__marmot_state SET value = 0 WHERE item IN ('applied_seq', 'synced_seq')",
                quoted("main")
            ))?;
            registry.record(&name, Span { created: 0, dropped: None })?;
            copied.files.push(path);
        }
        registry.finish()?;
        copied.files.push(registry_path);
        Ok(copied)
    }

    /// A reading transaction on every file, all on the same moment.
    fn pin_all(&self) -> Result<Vec<(DatabaseName, Connection)>> {
        let open = |file: std::sync::Arc<super::data_dir::DatabaseFile>| {
            Ok((file.name.clone(), self.open_file(&file, &Functions::new())?))
        };
        let mut sources = self.files().into_iter().map(open).collect::<Result<Vec<_>>>()?;
        let _visibility = self.shared.visibility.read().unwrap_or_else(PoisonError::into_inner);
        for (_, source) in &mut sources {
            source.run_script("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1")?;
        }
        Ok(sources)
    }
}
