//! The wall clock a node goes by: its own, within what a majority of the voters' clocks say.
//!
//! Stamps follow wall clocks, and one that is far ahead of the others' is refused ([`super::hlc::Clock::ahead`]). A node whose
//! clock is wrong would therefore commit nothing by quorum, also long after its clock was set right, since a hybrid clock never goes
//! back. So its clock must not get there: every message carries the sender's wall clock, and where a majority of
//! voters agree that this node's is ahead (or behind), it goes by theirs.
//!
//! What is known of another's clock is a lower bound, for its messages take time; the bound from the fastest one of late
//! is kept, as a difference to this node's *monotonic* clock, so that a jump of the wall clock is noticed at once. Nothing here
//! is needed for safety: a wall clock may show anything, and [`super::hlc::Clock`] never goes back.

use super::hlc::Clock;
use super::message::Membership;
use crate::types::{Mono, NodeId, Now, Span, Wall};
use std::collections::BTreeMap;

/// A bound is forgotten after one to two of these, if there are newer ones: clocks drift and are set.
const WINDOW: Span = Span::from_secs(10);
/// Fewer voters than this cannot tell whose clock is wrong.
const VOTERS_TO_TELL: usize = 3;

/// The wall clocks of others, as far as they were heard of in this life.
#[derive(Clone, Debug, Default)]
pub struct WallClocks {
    heard: BTreeMap<NodeId, Heard>,
}

/// Milliseconds by which a peer's wall clock is ahead of this node's monotonic one, at least.
#[derive(Clone, Copy, Debug)]
struct Heard {
    bound: i64,
    /// That of the window before.
    before: i64,
    since: Mono,
}

fn millis(mono: Mono) -> i64 {
    i64::try_from(mono.0 / 1_000_000).unwrap_or(i64::MAX)
}

impl WallClocks {
    /// `peer` sent when its wall clock showed `wall`; it arrived at `at`.
    pub fn heard(&mut self, peer: NodeId, wall: Wall, at: Mono) {
        let bound = i64::try_from(wall.0).unwrap_or(i64::MAX).saturating_sub(millis(at));
        match self.heard.get_mut(&peer) {
            None => drop(self.heard.insert(peer, Heard { bound, before: bound, since: at })),
            Some(heard) if at.since(heard.since) > WINDOW => *heard = Heard { bound, before: heard.bound, since: at },
            Some(heard) => heard.bound = heard.bound.max(bound),
        }
    }

    /// What `now.wall` is taken for: moved to where a majority of `voters`, not counting `me`, say it should be, if it is
    /// ahead of them by more than half of `max_offset`, or behind. Two voters cannot tell which of them is wrong.
    ///
    /// Until a majority was heard, a restarted node (`waits`) lets its clock stand at what it already reached.
    pub fn bounded(
        &self,
        now: Now,
        voters: &Membership,
        me: NodeId,
        max_offset: Span,
        clock: &Clock,
        waits: bool,
    ) -> Wall {
        let count = voters.voters.len();
        if count < VOTERS_TO_TELL {
            return now.wall;
        }
        let others = self.heard.iter().filter(|(node, _)| **node != me && voters.is_voter(**node));
        let mut shown: Vec<i64> = others.map(|(_, h)| h.bound.max(h.before).saturating_add(millis(now.mono))).collect();
        shown.sort_unstable();
        let majority = count / 2 + 1;
        let (Some(highest), Some(lowest)) =
            (shown.get(majority - 1), shown.len().checked_sub(majority).and_then(|at| shown.get(at)))
        else {
            return if waits { now.wall.min(Wall(clock.last().millis())) } else { now.wall };
        };
        let least = u64::try_from(*lowest).unwrap_or(0);
        let most = u64::try_from(*highest).unwrap_or(0).saturating_add(max_offset.as_millis() / 2);
        // At most a majority can be below `highest` and above `lowest`, so these are in order.
        Wall(now.wall.0.min(most).max(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::hlc::Clock;
    use crate::core::message::Member;
    use crate::core::planted::Planted;
    use crate::core::testkit::MemStorage;

    const MAX: Span = Span::from_millis(500);
    const NOON: u64 = 1_800_000_000_000;

    fn voters(count: u64) -> Membership {
        let member = |n: u64| (NodeId(n), Member { address: "a:1".into(), slot: Default::default() });
        Membership { voters: (1..=count).map(member).collect(), ..Default::default() }
    }

    fn at(ms: u64, wall: u64) -> Now {
        Now { mono: Mono(ms * 1_000_000), wall: Wall(wall) }
    }

    fn clock() -> Clock {
        Clock::open(&mut MemStorage::default(), Wall(NOON), MAX, Planted::none()).unwrap()
    }

    fn bounded(clocks: &WallClocks, now: Now, count: u64) -> u64 {
        clocks.bounded(now, &voters(count), NodeId(1), MAX, &clock(), false).0
    }

    #[test]
    fn a_clock_that_agrees_is_left_alone() {
        let mut clocks = WallClocks::default();
        assert_eq!(bounded(&clocks, at(0, NOON + 9_999), 3), NOON + 9_999, "nobody was heard");
        clocks.heard(NodeId(2), Wall(NOON - 30), at(0, 0).mono);
        clocks.heard(NodeId(3), Wall(NOON + 40), at(0, 0).mono);
        assert_eq!(bounded(&clocks, at(0, NOON), 3), NOON);
        assert_eq!(bounded(&clocks, at(7_000, NOON + 7_000), 3), NOON + 7_000);
    }

    #[test]
    fn a_jump_is_held_against_the_majority_at_once() {
        let mut clocks = WallClocks::default();
        clocks.heard(NodeId(2), Wall(NOON), at(0, 0).mono);
        clocks.heard(NodeId(3), Wall(NOON), at(0, 0).mono);
        assert_eq!(bounded(&clocks, at(1_000, NOON + 101_000), 3), NOON + 1_250);
        assert_eq!(bounded(&clocks, at(1_000, NOON - 101_000), 3), NOON + 1_000);
        // One of two others, however wrong, moves nobody.
        clocks.heard(NodeId(3), Wall(NOON + 500_000), at(1_000, 0).mono);
        assert_eq!(bounded(&clocks, at(1_000, NOON + 1_000), 3), NOON + 1_000);
    }

    #[test]
    fn of_two_voters_neither_is_believed() {
        let mut clocks = WallClocks::default();
        clocks.heard(NodeId(2), Wall(NOON), at(0, 0).mono);
        assert_eq!(bounded(&clocks, at(0, NOON + 60_000), 2), NOON + 60_000);
    }

    #[test]
    fn a_message_that_was_long_under_way_says_little() {
        let mut clocks = WallClocks::default();
        for peer in [NodeId(2), NodeId(3)] {
            clocks.heard(peer, Wall(NOON), at(0, 0).mono);
            clocks.heard(peer, Wall(NOON + 10), at(5_000, 0).mono);
        }
        assert_eq!(bounded(&clocks, at(5_000, NOON + 5_000), 3), NOON + 5_000);
        // And a clock that was set back is believed when the bounds from before are forgotten.
        for ms in (6_000..40_000).step_by(500) {
            for peer in [NodeId(2), NodeId(3)] {
                clocks.heard(peer, Wall(NOON - 60_000 + ms), at(ms, 0).mono);
            }
        }
        assert_eq!(bounded(&clocks, at(40_000, NOON - 20_000), 3), NOON - 20_000);
    }

    #[test]
    fn a_restarted_node_does_not_run_ahead_before_it_heard_anybody() {
        let clocks = WallClocks::default();
        let reached = clock();
        let wall = clocks.bounded(at(10, NOON + 100_000), &voters(3), NodeId(1), MAX, &reached, true);
        assert_eq!(wall.0, reached.last().millis());
    }
}
