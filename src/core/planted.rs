//! Planted bugs: each switches one rule of the protocol off, so that the simulator can prove that it would notice.
//!
//! Rules 13, 18 and 22 have no bug of their own, because other rules imply them as they are built here. A watermark needs
//! every voter's vector to cover what was reported (rule 12), a membership change included; whatever commits under a
//! later list has a stamp above that change's (rule 11), which is above the clock of a voter of the old list: reports of
//! several epochs make a watermark that is merely later. A change's record depends on everything its proposer had recorded (rule 10)
//! and comes after everything its acceptors had (rule 19), so whoever is in the new epoch holds what the proposer saw and
//! what a quorum committed, whether or not the acceptors are asked to hold it beforehand. They are asked all the same:
//! it costs a comparison, and does not lean on the other two rules.
//!
//! The set is part of the configuration and always empty outside tests: the constructors that put a bug into it exist
//! only with the feature `planted`, which no shipped binary is built with, and without it every question is `false` at
//! compile time.

macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// One rule switched off.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Bug { $($(#[$doc])* $name),+ }

        impl Bug {
            /// Every planted bug.
            pub const ALL: &'static [Bug] = &[$(Bug::$name),+];

            /// The bug's name on command lines and in reports.
            pub fn name(self) -> &'static str {
                match self { $(Bug::$name => stringify!($name)),+ }
            }
        }
    };
}

bugs! {
    // The rules of the model (DESIGN section 11).
    /// Rule 1: a retry reuses the position of the attempt before it.
    ReusedIdentity,
    /// Rule 2: an aborted position is not told to others by anti-entropy.
    NoFill,
    /// Rule 3: a covered position still takes intents, promises and acceptances.
    NoCover,
    /// Rule 4: after a restart the coordinator proposes at ballot zero again.
    BallotZeroTwice,
    /// Rule 5: a recoverer's own promise is not recorded.
    BallotNotDurable,
    /// Rule 6: a Prepare carries today's watermark, not the snapshot's.
    TodaysWatermark,
    /// Rule 7: the merge stamp stands for the QUORUM stamp.
    OneStampOnly,
    /// Rule 8: committed readers are not remembered.
    ReadersForgotten,
    /// Rule 9: ONE records the snapshot saw need not be held by the acceptors.
    OneDependenciesIgnored,
    /// Rule 10: a commit is applied before what its snapshot saw.
    NotCausal,
    /// Rule 11: stamps heard do not advance the clock.
    NotObserved,
    /// Rule 12: the watermark does not wait for the reported vectors.
    WatermarkWithoutVectors,
    /// Rule 14: a watermark computed elsewhere is adopted without coverage.
    WatermarkAdoptedBlindly,
    /// Rule 15: a barrier does not restart when a newer epoch appears.
    BarrierIgnoresEpoch,
    /// Rule 16: a barrier waits for ONE positions too.
    BarrierWaitsForOne,
    /// Rule 17: a barrier never starts again.
    BarrierNeverRestarts,
    /// Rule 19: a membership change does not carry its prepare quorum's vectors.
    ChangeWithoutDependencies,
    /// Rule 20: intents of an older epoch survive a membership change.
    OldEpochLives,
    /// Rule 21: records are taken from a removed node.
    RemovedNodeServes,
    /// Rule 24: the clock guard refuses decided commits too.
    ClockGuardRefusesCommits,
    /// Rule 25: of two rows with one unique value under ONE the one that arrives later lives.
    UniqueByArrival,

    // The classics.
    /// The client is answered when Commit is proposed.
    AckBeforeQuorum,
    /// A participant answers before its vote is durable (its record is lost in a crash).
    VoteNotDurable,
    /// An acceptance is lost in a crash.
    AcceptanceNotDurable,
    /// A promise is lost in a crash.
    PromiseNotDurable,
    /// Recovery decides after one promise.
    RecoveryWithoutQuorum,
    /// Recovery re-proposes the outcome of the lowest ballot.
    LowestBallotWins,
    /// Intents end by time.
    IntentExpires,
    /// A tombstone is dropped before the watermark passes it.
    TombstoneDroppedEarly,
    /// Equal clock readings of two nodes compare equal.
    StampTieIgnoresNode,
    /// A participant does not compare base stamps.
    BaseNotChecked,
    /// A participant does not look for conflicting intents.
    IntentsNotChecked,
    /// Unique values are no keys.
    UniqueNotAnIntent,
    /// DML does not hold its schema.
    SchemaNotHeld,
    /// A read barrier asks this node only.
    BarrierAsksOne,
    /// Commit is proposed after a minority prepared.
    PrepareByMinority,
    /// The commit stamp is the begin stamp.
    StampNotAboveClocks,
    /// The coordinator aborts after it proposed Commit.
    AbortAfterProposal,
    /// A node takes log records before it was welcomed, so that a late invitation brings an older list of members.
    RecordsBeforeWelcome,
    /// One round: a majority that accepted along with the Prepare is enough.
    FastByMajority,
    /// One round: the coordinator ends as an abort, without asking, what others may have accepted.
    FastAbortedFreely,
    /// One round: a recoverer takes what was accepted along with the Prepare for nothing.
    FastIgnoredInRecovery,
    /// One round: a member accepts along with a Prepare that comes after its promise.
    FastAfterPromise,
    /// One round: a member accepts a stamp below what it reported as its lowest.
    FastBelowReport,
    /// Intents are released before the commit is applied.
    ReleasedBeforeApplied,
    /// The watermark ignores live intents.
    WatermarkIgnoresIntents,
    /// A participant does not compare epochs.
    EpochNotChecked,
    /// The clock may go back over a restart.
    ClockMarkNotPersisted,
    /// AUTO_INCREMENT ids follow the wall clock only.
    AutoIdsFollowClock,
    /// A transaction that timed out after proposing Commit is reported as aborted.
    UnknownReportedAsAbort,
    /// Merge takes the row that arrived last.
    LastArrivalWins,
    /// Merge is per row, losing concurrent changes of other columns silently.
    ConflictNotLogged,
    /// A member that goes on from a snapshot forgets its votes on undecided transactions.
    RenewalForgetsVotes,
    /// A member that goes on from a snapshot forgets the records that only it has.
    RenewalForgetsRecords,
    /// A voter removes one that wants to go without having what only that one has.
    LeaverNotPulled,
    /// Who lags behind the list of members decides positions that may be of a later epoch.
    OldListDecides,
    /// What is older than the retention is dropped though no majority is known to hold it.
    UnsharedDropped,
    /// What is older than the retention is dropped though key states rest on it.
    RemnantsDropped,
}

/// The set of planted bugs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Planted(u128);

impl Planted {
    /// The only set there is in a daemon.
    pub const fn none() -> Planted {
        Planted(0)
    }

    /// One bug.
    #[cfg(feature = "planted")]
    pub const fn only(bug: Bug) -> Planted {
        Planted(1 << bug as u8)
    }

    /// Whether `bug` is planted.
    #[inline]
    pub const fn has(self, bug: Bug) -> bool {
        cfg!(feature = "planted") && self.0 >> (bug as u8) & 1 == 1
    }
}

const _: () = assert!(Bug::ALL.len() <= 128, "the set is a u128");
