//! Which rows nodes can be held against each other for.
//!
//! Nodes bring transactions into their files at different moments, so two files that are both right differ in what was
//! written a moment ago. A row is *settled* on a node while no write to it lies above the node's dropped horizon: every such
//! write has a key state ([`KeyStates`](crate::core::merge::KeyStates)), and everything below the horizon is recorded by every
//! voter and in this node's files. `shell::verify` has the argument why a row that is settled on two nodes is the same there.

use crate::core::fault::Fatal;
use crate::core::node::Node;
use crate::core::storage::Storage;
use crate::types::{ApplySeq, DatabaseName, Hlc, Key, RowKey};

/// What a node says of some rows of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settling {
    /// At or above every stamp recorded here.
    pub clock: Hlc,
    /// Writes up to here are everywhere.
    pub horizon: Hlc,
    /// The place of the last commit: a file that goes up to it shows everything recorded here.
    pub last_commit: ApplySeq,
    /// The database's schema was changed above the horizon.
    pub is_redefined: bool,
    /// For each row, whether it was written above the horizon.
    pub unsettled: Vec<bool>,
}

impl Node {
    /// What may still differ between nodes, as of now. Nothing is changed.
    ///
    /// # Errors
    /// Storage fails.
    pub fn settling(&self, store: &dyn Storage, database: &DatabaseName, rows: &[RowKey]) -> Result<Settling, Fatal> {
        let unsettled = |row: &RowKey| self.keys.is_recent(store, &Key::Row(row.clone()));
        Ok(Settling {
            clock: self.clock.last(),
            horizon: self.keys.horizon(),
            last_commit: self.log.last_commit,
            is_redefined: self.keys.is_recent(store, &Key::Schema(database.clone()))?,
            unsettled: rows.iter().map(unsettled).collect::<Result<_, _>>()?,
        })
    }
}
