//! Hybrid logical time and stamps.

use super::{NodeId, Wall};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Hybrid logical clock reading: 48 bits of physical milliseconds, 16 bits of logical counter, packed so that integer
/// order is time order (Kulkarni et al., *Logical Physical Clocks*, 2014).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hlc(pub u64);

impl Hlc {
    pub const ZERO: Hlc = Hlc(0);
    pub const MAX: Hlc = Hlc(u64::MAX);
    const LOGICAL_BITS: u32 = 16;

    /// The first reading of the given millisecond.
    pub const fn from_millis(ms: u64) -> Hlc {
        Hlc(ms << Self::LOGICAL_BITS)
    }
    /// Physical part, milliseconds since the Unix epoch.
    pub const fn millis(self) -> u64 {
        self.0 >> Self::LOGICAL_BITS
    }
    /// Milliseconds that this reading is ahead of a wall clock; negative: behind.
    pub fn millis_ahead_of(self, wall: Wall) -> i64 {
        Wall(self.millis()).millis_ahead_of(wall)
    }
    pub const fn logical(self) -> u16 {
        (self.0 & 0xffff) as u16
    }
    /// The next reading; a full logical counter carries into the physical part.
    pub const fn next(self) -> Hlc {
        Hlc(self.0.saturating_add(1))
    }
    /// The reading just below.
    pub const fn previous(self) -> Hlc {
        Hlc(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.millis(), self.logical())
    }
}

/// The version of a key: when, and by whom to break ties. Totally ordered; no two transactions share one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    pub hlc: Hlc,
    pub node: NodeId,
}

impl Stamp {
    /// Older than every real stamp: "no version known".
    pub const NONE: Stamp = Stamp { hlc: Hlc::ZERO, node: NodeId(0) };
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.hlc, self.node)
    }
}
