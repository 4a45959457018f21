//! Planted bugs of what is around the core: each breaks one rule of the shell or of this layer, so that the simulator of
//! the whole daemon can prove that it would notice.
//!
//! As with `core::Planted`: empty outside tests, and false at compile time without the feature `planted`.

macro_rules! host_bugs {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// One rule switched off.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum HostBug { $($(#[$doc])* $name),+ }

        impl HostBug {
            /// Every one of them.
            pub const ALL: &'static [HostBug] = &[$(HostBug::$name),+];

            /// The bug's name on command lines and in reports.
            pub fn name(self) -> &'static str {
                match self { $(HostBug::$name => stringify!($name)),+ }
            }
        }
    };
}

host_bugs! {
    /// A round's COMMIT in `marmot.db` does not wait for the disk.
    StoreNotSynced,
    /// What a round says leaves the node before the round's COMMIT, which comes with the next round.
    EffectsBeforeCommit,
    /// A round whose COMMIT failed speaks all the same, and the node goes on.
    CommitErrorIgnored,
    /// A database file says that a task is applied before it has the task's rows.
    AppliedBeforeRows,
    /// The core is told that the files are durable, and lets the redo go, before they are.
    RedoDroppedEarly,
    /// What a database file holds at start is taken for durable, though a killed process may have left it in a cache.
    FoundTakenForDurable,
    /// The tag of a frame from a peer is not compared.
    TagNotChecked,
}

/// At most one planted bug.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostPlanted(Option<HostBug>);

impl HostPlanted {
    /// The only value there is in a daemon.
    pub const fn none() -> HostPlanted {
        HostPlanted(None)
    }

    /// One bug.
    #[cfg(feature = "planted")]
    pub const fn only(bug: HostBug) -> HostPlanted {
        HostPlanted(Some(bug))
    }

    /// Whether `bug` is planted.
    #[inline]
    pub fn has(self, bug: HostBug) -> bool {
        cfg!(feature = "planted") && self.0 == Some(bug)
    }
}
