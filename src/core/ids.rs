//! AUTO_INCREMENT ids that no two nodes give twice, without asking anyone.
//!
//! An id is `milliseconds | member slot | sequence`. Uniqueness across nodes comes from the slot, uniqueness on one
//! node from never using a millisecond twice: the generator runs on a counter of its own that is at or above the
//! hybrid clock and below the clock's durable mark, so neither a clock that goes back nor a restart repeats an id.

use super::planted::{Bug, Planted};
use crate::types::{AutoIdMode, Slot};

/// 2024-01-01T00:00:00Z in milliseconds: ids count from here.
const ORIGIN_MS: u64 = 1_704_067_200_000;

/// The layout of a mode: bits of slot and of sequence below the 41 bits of milliseconds.
const fn layout(mode: AutoIdMode) -> (u32, u32) {
    match mode {
        AutoIdMode::Compact | AutoIdMode::Sequential => (6, 6),
        AutoIdMode::Extended => (10, 12),
    }
}

/// The generator of one node.
#[derive(Clone, Debug, Default)]
pub struct AutoIds {
    last_ms: u64,
}

impl AutoIds {
    /// Starts so that every id is above those given before: `mark_ms` is at or above every millisecond used.
    pub fn starting_at(mark_ms: u64) -> AutoIds {
        AutoIds { last_ms: mark_ms }
    }

    /// Up to `count` consecutive ids (at least one, at most a millisecond's worth). Returns the first, how many, and
    /// the millisecond used, which must be made durable before the ids leave the node.
    pub fn lease(
        &mut self,
        mode: AutoIdMode,
        count: u32,
        now_ms: u64,
        slot: Slot,
        planted: Planted,
    ) -> (u64, u32, u64) {
        let (slot_bits, sequence_bits) = layout(mode);
        self.last_ms = if planted.has(Bug::AutoIdsFollowClock) { now_ms } else { now_ms.max(self.last_ms + 1) };
        let count = count.clamp(1, 1 << sequence_bits);
        let ms = self.last_ms.saturating_sub(ORIGIN_MS) & ((1 << 41) - 1);
        let id = (ms << (slot_bits + sequence_bits)) | (u64::from(slot.0) << sequence_bits);
        // Id 0 would ask MySQL for another id.
        (id.max(1), if id == 0 { (count - 1).max(1) } else { count }, self.last_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_ids_fit_a_javascript_number() {
        let far = ORIGIN_MS + (1 << 41) - 1;
        let (first, count, _) = AutoIds::default().lease(AutoIdMode::Compact, 64, far, Slot(63), Planted::none());
        assert!(first + u64::from(count) - 1 < 1 << 53);
    }

    #[test]
    fn ids_never_repeat_when_the_clock_goes_back() {
        let mut ids = AutoIds::starting_at(0);
        let (mut last, mut clock) = (0, ORIGIN_MS + 1000);
        for i in 0..500 {
            clock = if i % 3 == 0 { clock - 7 } else { clock + 2 };
            let (first, count, _) = ids.lease(AutoIdMode::Compact, 64, clock, Slot(5), Planted::none());
            assert!(first > last, "{first} after {last}");
            last = first + u64::from(count) - 1;
        }
    }
}
