//! What queries cost, as SQLite counts it.

use std::ops::AddAssign;

/// What some queries cost together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Steps over rows of a table that is read from one end to the other.
    pub scanned_rows: u64,
    /// Queries that took such steps.
    pub scans: u64,
    /// Sorts that no index saved.
    pub sorts: u64,
    /// Queries for which SQLite made an index of its own: joins that no index serves.
    pub automatic_indexes: u64,
}

impl Cost {
    /// A table was read from one end to the other, or joined without an index.
    pub fn is_unindexed(&self) -> bool {
        self.scans + self.automatic_indexes > 0
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        self.scanned_rows += other.scanned_rows;
        self.scans += other.scans;
        self.sorts += other.sorts;
        self.automatic_indexes += other.automatic_indexes;
    }
}
