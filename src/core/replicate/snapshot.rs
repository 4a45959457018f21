//! A copy of another node's state as the beginning of a new node's.
//!
//! What a node stores is of two kinds. The *replica's* part is what any node could hold: the log with its outcomes and
//! places, the checkpoint, the member list, the conflicts. The *member's* part is what this one node promised and gave
//! out: votes on undecided transactions, and the positions reserved for transactions of its own. A snapshot takes the
//! first with the database files as of one moment, and never the second: who repeats another's votes votes twice.

use crate::core::fault::Fatal;
use crate::core::log::Log;
use crate::core::storage::{Storage, Table};
use crate::types::ApplySeq;

/// Entries read at once.
const CHUNK: usize = 256;

/// Makes the copied state in `store` that of a node that is nobody yet: it follows the log from where the copy ends, and
/// asks to be admitted. `applied` is the place up to which the copied files go.
///
/// # Errors
/// [`Fatal`] if storage fails, if what was copied belongs to no cluster, or if its log does not reach back to `applied`.
pub fn adopt_snapshot(store: &mut dyn Storage, applied: ApplySeq) -> Result<(), Fatal> {
    if crate::core::members::change::load_membership(store)?.is_none() {
        return Err(Fatal::CorruptStorage("the snapshot is of a node that belonged to no cluster".into()));
    }
    let log = Log::open(store)?;
    let first = log.whole_from();
    if first > applied + 1 {
        return Err(Fatal::CorruptStorage(format!(
            "the snapshot's files go up to place {applied}, but its log begins at {first}"
        )));
    }
    forget_promises(store)
}

/// Forgets what a node promised and gave out: the member's part of a state that is no longer that member's.
pub(super) fn forget_promises(store: &mut dyn Storage) -> Result<(), Fatal> {
    Log::forget_reserved(store)?;
    loop {
        let votes = store.scan(Table::Ballot, &[], CHUNK)?;
        if votes.is_empty() {
            return Ok(());
        }
        for (txn, _) in votes {
            // What is decided has a place in the log, and no vote; the rest comes again when it is.
            store.delete(Table::Ballot, &txn)?;
            store.delete(Table::Record, &txn)?;
        }
    }
}
