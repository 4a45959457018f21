//! Marks: counters that prove a fault struck or a repair path ran. A knob without effect is a failing assertion.

use super::message::Kind;

macro_rules! marks {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Something that must happen sometimes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Mark { $($(#[$doc])* $name),+ }

        impl Mark {
            pub const ALL: &'static [Mark] = &[$(Mark::$name),+];

            pub fn name(self) -> &'static str {
                match self { $(Mark::$name => stringify!($name)),+ }
            }
        }
    };
}

marks! {
    MessageLost,
    MessageCut,
    MessageMuffled,
    MessageDuplicated,
    MessageLate,
    /// A message overtakes one sent before it over the same link.
    MessageReordered,
    /// A message arrived at a machine that is down.
    MessageToTheDead,
    Crash,
    CrashBeforeCommit,
    CrashAfterCommit,
    CrashAmongEffects,
    Blackout,
    DiskLost,
    Restart,
    /// A round that a crash took away had written something.
    RoundLost,
    /// The files came back older than they were.
    FilesRolledBack,
    /// A task was applied again after a crash.
    Redone,
    Pause,
    Partition,
    OneWayPartition,
    Slow,
    ClockJumped,
    /// A machine's wall clock is wrong by a constant, or runs too fast or slow.
    ClockSkewed,
    ClockDrifts,
    DiskFull,
    Joined,
    JoinedBySnapshot,
    /// No log reached back far enough for a node.
    LagsBeyondTheLog,
    /// A log dropped old entries that a voter might lack, but for what key states rest on.
    LogCompacted,
    /// A member went on from a voter's snapshot.
    Renewed,
    /// A member did not, because the voter lagged behind it.
    SnapshotUnfit,
    /// A machine went for good by itself, or could not in time.
    Left,
    LeaveGivenUp,
    MemberChanged,
    Committed,
    CommittedOne,
    CommittedAll,
    /// Commit was accepted along with a Prepare.
    AcceptedAlong,
    Conflict,
    NoQuorum,
    UnknownOutcome,
    /// An attempt whose client never heard the outcome was committed.
    UnknownCommitted,
    /// An attempt whose client never heard the outcome was not committed.
    UnknownAborted,
    LockWaitTimeout,
    SnapshotTooOld,
    RefusedDiskFull,
    RefusedOther,
    Retried,
    GaveUp,
    ClientGone,
    BarrierDone,
    SchemaLocked,
    SchemaChanged,
    AutoIds,
    Amended,
    Evicted,
    ConflictLogged,
    WatermarkRose,
    RecoveryNotice,
    WriteSkew,
    LongFork,
}

/// The counters of one run or of many.
#[derive(Clone, Debug)]
pub struct Marks {
    marks: [u64; Mark::ALL.len()],
    sent: [u64; Kind::ALL.len()],
}

impl Default for Marks {
    fn default() -> Self {
        Marks { marks: [0; Mark::ALL.len()], sent: [0; Kind::ALL.len()] }
    }
}

impl Marks {
    pub fn hit(&mut self, mark: Mark) {
        self.marks[mark as usize] += 1;
    }

    pub fn sent(&mut self, kind: Kind) {
        self.sent[kind as usize] += 1;
    }

    pub fn count(&self, mark: Mark) -> u64 {
        self.marks[mark as usize]
    }

    pub fn messages(&self, kind: Kind) -> u64 {
        self.sent[kind as usize]
    }

    pub fn add(&mut self, other: &Marks) {
        self.marks.iter_mut().zip(other.marks).for_each(|(a, b)| *a += b);
        self.sent.iter_mut().zip(other.sent).for_each(|(a, b)| *a += b);
    }
}

impl std::fmt::Display for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let marks = Mark::ALL.iter().map(|m| (m.name(), self.count(*m)));
        let kinds = Kind::ALL.iter().map(|k| (k.name(), self.messages(*k)));
        for (i, (name, count)) in marks.chain(kinds).enumerate() {
            let gap = if i % 5 == 4 { "\n" } else { "  " };
            write!(f, "{name:>18} {count:<9}{gap}")?;
        }
        Ok(())
    }
}
