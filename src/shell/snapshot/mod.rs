//! Copying everything a node holds to one that joins, or to a member that lags behind every log or whose files are damaged.
//!
//! ```text
//!  joiner                                           voter
//!    │── Offer { held } ───────────────────────────▶ │  pins all database files, folds and copies marmot.db,
//!    │◀─ Wait { done, total } … Offer(manifest) ──── │  copies the files: DATA_DIR/snapshot.ID
//!    │── Piece { file, offset } ───────────────────▶ │
//!    │◀─ Piece(zstd) … to the end of the file ────── │
//!    │── Done ─────────────────────────────────────▶ │  removes its copy
//!    │
//!    DATA_DIR/incoming: checked, made the state of a node that is nobody yet, moved into place; then the node starts
//!    as it does after a crash, and gets what came since from the log
//! ```
//!
//! A connection that breaks, or either end that restarts, costs the piece under way: the copy stays where it is for a
//! while, and so does what was received. A cluster whose log is whole and whose files are small is joined by its log
//! alone. The transfer runs on a thread of its own beside the driver.
//!
//! A member asks for a `Renewal` in place of an `Offer`, and always gets a snapshot. It stays who it is, with all it
//! promised and all that only it has ([`renew`](crate::core::renew)).
//!
//! A backup is taken in the same way, by a command instead of a joiner: `Backup` instead of `Offer`, answered by a snapshot of
//! this moment without the node's own state, and with what the cluster leaves to one that is founded on it.

#[cfg(not(madsim))]
mod fetch;
#[cfg(not(madsim))]
mod renew;
mod source;
mod talk;
mod under_way;

#[cfg(not(madsim))]
pub(super) use fetch::{RESTORING, adopt_files, fetch, finish};
#[cfg(not(madsim))]
pub(super) use renew::{Member, others, take_over};
pub(super) use source::{Copies, PIECE};
pub(super) use talk::Talk;
pub(super) use under_way::CopyBook;

use crate::core::Legacy;
use serde::{Deserialize, Serialize};

/// What a joiner asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ask {
    /// For a snapshot: the one held in part already, if it is still there.
    Offer { held: u64 },
    /// For a file of the manifest, from an offset to its end.
    Piece { snapshot: u64, file: u32, offset: u64 },
    /// For nothing more.
    Done { snapshot: u64 },
    /// As `Offer`, by a member: the log alone does not do.
    Renewal { held: u64 },
    /// For a snapshot to be kept as a backup.
    Backup,
}

/// What it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The snapshot is being made: bytes copied, of how many.
    Wait {
        done: u64,
        total: u64,
    },
    /// The log has everything.
    NotNeeded,
    /// No snapshot from here; the text says why.
    Refused(String),
    Offer(Manifest),
    /// The next bytes, compressed.
    Piece(Vec<u8>),
    Backup(Manifest, Legacy),
}

/// A snapshot: all files of a node as of one place in its apply order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub id: u64,
    /// The place up to which the database files go.
    pub seq: u64,
    pub files: Vec<FileOfSnapshot>,
}

impl Manifest {
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.size).sum()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileOfSnapshot {
    pub name: String,
    pub size: u64,
    pub sha256: [u8; 32],
}

/// The file of a folder that says which snapshot it holds.
pub(super) const MANIFEST: &str = "manifest";
/// The node's own state among a snapshot's files.
pub(super) const STORE: &str = "marmot.db";

/// The digest of a file, as a manifest has it.
pub(super) fn digest(path: &std::path::Path) -> std::io::Result<[u8; 32]> {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    let mut file = std::fs::File::open(path)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        match std::io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Removes a folder with all that is in it, if it is there.
pub(super) fn remove(folder: &std::path::Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes the entries of a folder durable.
pub(super) fn sync_folder(path: &std::path::Path) -> std::io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}
