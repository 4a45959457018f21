//! The proof that this simulator can see: bugs of the shell, of the SQLite layer and of disks, each planted in all nodes
//! of a cluster that has the troubles it takes to show.

use crate::options::Trouble;
use marmot::sqlite::HostBug;
use std::fmt;

/// One planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// Disks say that they synced, and are far behind: no database can survive it.
    LyingDisk,
    /// … and only those of `DATABASE.db` are, not of its log: a checkpoint is believed durable when it is not.
    UnsyncedCheckpoint,
    /// A rule of the daemon is broken.
    Host(HostBug),
}

impl Plant {
    /// Every one of them.
    pub fn all() -> Vec<Plant> {
        let hosts = HostBug::ALL.iter().map(|bug| Plant::Host(*bug));
        [Plant::LyingDisk, Plant::UnsyncedCheckpoint].into_iter().chain(hosts).collect()
    }

    pub fn parse(name: &str) -> Option<Plant> {
        Plant::all().into_iter().find(|plant| plant.to_string() == name)
    }

    /// Seeds within which it must be noticed.
    pub fn budget(self) -> u64 {
        30
    }

    /// What a cluster must suffer for the bug to show.
    pub fn troubles(self) -> Vec<Trouble> {
        match self {
            Plant::LyingDisk | Plant::Host(HostBug::StoreNotSynced | HostBug::RedoDroppedEarly) => {
                vec![Trouble::PowerLoss, Trouble::Blackout]
            }
            Plant::UnsyncedCheckpoint => vec![Trouble::PowerLoss, Trouble::PowerLossWithin, Trouble::Blackout],
            Plant::Host(HostBug::EffectsBeforeCommit) => vec![Trouble::Kill, Trouble::PowerLoss, Trouble::Blackout],
            Plant::Host(HostBug::CommitErrorIgnored) => vec![Trouble::DiskError, Trouble::Kill, Trouble::Blackout],
            Plant::Host(HostBug::AppliedBeforeRows) => vec![Trouble::PowerLossWithin],
            Plant::Host(HostBug::FoundTakenForDurable) => vec![Trouble::Kill, Trouble::PowerLoss, Trouble::Isolate],
            Plant::Host(HostBug::TagNotChecked) => vec![Trouble::BadPost],
        }
    }
}

impl fmt::Display for Plant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Plant::LyingDisk => f.write_str("LyingDisk"),
            Plant::UnsyncedCheckpoint => f.write_str("UnsyncedCheckpoint"),
            Plant::Host(bug) => f.write_str(bug.name()),
        }
    }
}
