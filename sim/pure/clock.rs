//! The clocks of one machine: skewed, drifting and jumping against the world's time.

use marmot::types::{Mono, Now, Wall};

/// Nanoseconds of world time in one millisecond.
pub const MS: u64 = 1_000_000;
/// Nanoseconds of world time in one second.
pub const SECOND: u64 = 1_000 * MS;

/// Wall-clock time at world time zero: some day in 2027. A constant, so that a seed means the same tomorrow.
const EPOCH_MS: u64 = 1_800_000_000_000;

/// What one machine believes about time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// World time at which the process started: its monotonic zero.
    pub booted: u64,
    /// Constant error of the wall clock.
    pub skew_ms: i64,
    /// Rate error of both clocks in parts per million.
    pub drift_ppm: i64,
    /// Sum of all jumps of the wall clock so far.
    pub jumped_ms: i64,
}

impl Clock {
    pub fn read(&self, world: u64) -> Now {
        let drifted = world as i128 * self.drift_ppm as i128 / 1_000_000;
        let wall = EPOCH_MS as i128 + (world as i128 + drifted) / MS as i128 + (self.skew_ms + self.jumped_ms) as i128;
        Now { mono: Mono(self.elapsed(world - self.booted)), wall: Wall(wall.max(0) as u64) }
    }

    /// The world time at which this machine's monotonic clock reads at least `deadline`.
    pub fn world_at(&self, deadline: Mono) -> u64 {
        let rate = 1_000_000 + self.drift_ppm as i128;
        let mut world = (deadline.0 as i128 * 1_000_000 / rate).clamp(0, (u64::MAX / 4) as i128) as u64;
        // Rounding may fall short by a nanosecond or two.
        while self.elapsed(world) < deadline.0 && world < u64::MAX / 4 {
            world += 1;
        }
        self.booted + world
    }

    fn elapsed(&self, world: u64) -> u64 {
        (world as i128 + world as i128 * self.drift_ppm as i128 / 1_000_000) as u64
    }

    /// Forgets all error: what an administrator does when healing the cluster.
    pub fn correct(&mut self) {
        self.jumped_ms = 0;
        self.skew_ms = self.skew_ms.clamp(-50, 50);
    }
}
