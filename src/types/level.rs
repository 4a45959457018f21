//! Consistency levels and modes a session chooses.

use serde::{Deserialize, Serialize};

/// When a write returns (see the README's table of promises).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WriteLevel {
    /// Durable on this node; concurrent writers merge by last-writer-wins.
    One,
    /// Durable on a majority of the voting members and applied here; first committer wins.
    #[default]
    Quorum,
    /// Durable on every voting member.
    All,
}

/// What a read is promised to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ReadLevel {
    /// This node's file, without network.
    #[default]
    LocalOne,
    /// Every write acknowledged (QUORUM or ALL) before the read began, by asking a majority.
    Quorum,
    /// As `Quorum`, by asking every voting member.
    All,
}

macro_rules! names {
    ($t:ty, $($v:path => $n:literal),+) => {
        impl std::fmt::Display for $t {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $($v => $n),+ })
            }
        }
        impl std::str::FromStr for $t {
            type Err = String;
            /// Case-insensitive; the error lists the valid names.
            fn from_str(s: &str) -> Result<Self, String> {
                $(if s.eq_ignore_ascii_case($n) { return Ok($v); })+
                Err(format!("'{s}' is not one of {}", [$($n),+].join(", ")))
            }
        }
    };
}
names!(WriteLevel, WriteLevel::One => "ONE", WriteLevel::Quorum => "QUORUM", WriteLevel::All => "ALL");
names!(ReadLevel, ReadLevel::LocalOne => "LOCAL_ONE", ReadLevel::Quorum => "QUORUM", ReadLevel::All => "ALL");
names!(AutoIdMode, AutoIdMode::Compact => "compact", AutoIdMode::Extended => "extended",
    AutoIdMode::Sequential => "sequential");

/// How AUTO_INCREMENT ids are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AutoIdMode {
    /// 53 bits: 41 of milliseconds since 2024-01-01, 6 of member slot, 6 of sequence. Exact in a JavaScript number.
    #[default]
    Compact,
    /// 63 bits: 41 of milliseconds, 10 of member slot, 12 of sequence.
    Extended,
    /// 1, 2, 3 and on, in blocks leased by a QUORUM transaction, as for narrower columns. Hidden row ids stay compact.
    Sequential,
}

impl AutoIdMode {
    /// Sequential ids of BIGINT columns are below this, time-ordered ones at or above it (from four days after their
    /// origin on), so that the two never meet, whatever modes nodes and sessions use.
    pub const SEQUENTIAL_END: i64 = 1 << 40;
}
