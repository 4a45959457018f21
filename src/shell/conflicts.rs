//! `marmot.conflicts`, read from the node's own file.

use crate::core::{LoggedConflict, Table, decode};
use crate::session::{ConflictLog, ConflictRow};
use crate::sqlite::StoreReader;
use std::path::PathBuf;

const BUSY_TIMEOUT_MS: u32 = 1000;

/// Opens the file anew for every question: conflicts are rare, and so are questions about them.
pub struct StoredConflicts {
    path: PathBuf,
    vfs: Option<String>,
}

impl StoredConflicts {
    pub fn new(path: PathBuf, vfs: Option<String>) -> StoredConflicts {
        StoredConflicts { path, vfs }
    }

    fn read(&self, limit: usize) -> Result<Vec<ConflictRow>, crate::core::Fatal> {
        let opened = StoreReader::open(&self.path, self.vfs.as_deref(), BUSY_TIMEOUT_MS);
        let mut reader = opened.map_err(|e| crate::core::Fatal::Storage(e.to_string()))?;
        let rows = reader.latest_conflicts(limit)?;
        rows.iter()
            .map(|(_, value)| decode::<LoggedConflict>(Table::Conflict, value).map(|logged| describe(&logged)))
            .collect()
    }
}

impl ConflictLog for StoredConflicts {
    fn latest(&self, limit: usize) -> Vec<ConflictRow> {
        self.read(limit).unwrap_or_else(|error| {
            tracing::warn!(%error, "the conflict log could not be read");
            Vec::new()
        })
    }
}

fn describe(logged: &LoggedConflict) -> ConflictRow {
    let stored = &logged.conflict;
    let key: String = stored.row.key.iter().map(|b| format!("{b:02x}")).collect();
    let image = stored.image.as_ref().map_or_else(String::new, |image| {
        let cells: Vec<String> = image.iter().map(ToString::to_string).collect();
        format!("({})", cells.join(", "))
    });
    ConflictRow {
        at: logged.noticed.hlc,
        // Named by the session, which knows the catalog.
        table: stored.row.table,
        key,
        losing_image: image,
        loser: stored.loser.to_string(),
        winner: stored.winner.to_string(),
    }
}
