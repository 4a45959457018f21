//! Versions of what nodes say to each other and keep in their own files. One number for both, so that one gate opens both.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A range of versions that a node understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Versions {
    pub oldest: u8,
    pub newest: u8,
}

impl Versions {
    /// What this build understands. Whatever `newest` brings is used only once every voting member understands it: the
    /// member list says which version is spoken (`core::members::version`).
    pub const BUILD: Versions = Versions { oldest: 6, newest: if cfg!(feature = "next-version") { 8 } else { 7 } };

    /// From this version on a schema change says what became of the tables that it concerns, before that of all tables of the
    /// database; and so do the catalogs in the database files.
    pub const SINGLE_TABLES: u8 = 7;

    /// From this version on a log is compacted: of old entries it may have parts, which older programs would take for whole.
    pub const COMPACTED_LOGS: u8 = 7;

    /// From this version on nodes ask each other for the definitions of their tables.
    pub const COMPARED_DEFINITIONS: u8 = 7;

    /// Whether there is a version that both understand.
    pub fn meets(self, other: Versions) -> bool {
        self.oldest <= other.newest && other.oldest <= self.newest
    }

    pub fn contains(self, version: u8) -> bool {
        (self.oldest..=self.newest).contains(&version)
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.oldest == self.newest {
            true => write!(f, "version {}", self.newest),
            false => write!(f, "versions {} to {}", self.oldest, self.newest),
        }
    }
}
