//! The wall clock a node goes by: its own, within what a majority of the voters' clocks say.
//!
//! Stamps follow wall clocks, and one that is far ahead of the others' is refused ([`super::hlc::Clock::ahead`]). A node whose
//! clock is wrong would therefore commit nothing by quorum, also long after its clock was set right, since a hybrid clock never goes
//! back. So its clock must not get there: every message carries the sender's wall clock, and where a majority of
//! voters agree that this node's is ahead (or behind), it goes by theirs.
//!
//! What is known of another's clock is a lower bound, for its messages take time. All clocks, this node's own too, are kept as
//! differences to its *monotonic* clock, so that a jump is noticed at once, and believed late: being behind for a few seconds
//! costs little, being ahead lasts. A clock counts as ahead only once it was so for [`LASTING`]; what limits others is what was
//! heard in the last [`FRESH`] or two. Nothing here is needed for safety: a wall clock may show anything, and
//! [`super::hlc::Clock`] never goes back.

use super::effect::{Effects, Notice};
use super::hlc::Clock;
use super::message::Membership;
use super::node::Node;
use crate::types::{Hlc, Mono, NodeId, Now, Span, Wall};
use std::collections::BTreeMap;

/// For one to two of these a clock must have been ahead to be followed.
const LASTING: Span = Span::from_secs(3);
/// Voters say where they are more often than this. Less than [`LASTING`]: of two clocks that jump at about one time the first is
/// known to be right again before the other is believed.
const FRESH: Span = Span::from_secs(1);
/// The wall clock is held against the others' after so long, or if it moved by more; not at every message.
const JUDGE_WALL_EVERY: Span = Span::from_millis(20);
/// A clock must be wrong for so long before it is told.
const TOLD_AFTER: Span = Span::from_secs(10);
/// Fewer voters than this cannot tell whose clock is wrong.
const VOTERS_TO_TELL: usize = 3;

/// The wall clocks of this node and of others, as far as they were heard of in this life.
#[derive(Clone, Debug)]
pub struct WallClocks {
    own: Window,
    /// Since when this node's own is far off, and whether that was told.
    wrong: Option<(Mono, bool)>,
    heard: BTreeMap<NodeId, Heard>,
}

/// Where the wall clock of a peer was of late, at least.
#[derive(Clone, Copy, Debug)]
struct Heard {
    lowest: Window,
    highest: Window,
}

/// An extreme of a value over one to two periods; for longer, if there is nothing newer. The value: by how many milliseconds
/// a wall clock is ahead of this node's monotonic one.
#[derive(Clone, Copy, Debug)]
struct Window {
    now: i64,
    before: i64,
    since: Mono,
}

impl Window {
    fn new(value: i64, at: Mono) -> Window {
        Window { now: value, before: value, since: at }
    }

    fn add(&mut self, value: i64, at: Mono, period: Span, extreme: fn(i64, i64) -> i64) {
        match at.since(self.since) > period {
            true => *self = Window { now: value, before: self.now, since: at },
            false => self.now = extreme(self.now, value),
        }
    }
}

fn ahead(wall: Wall, mono: Mono) -> i64 {
    i64::try_from(wall.0).unwrap_or(i64::MAX).saturating_sub(i64::try_from(mono.0 / 1_000_000).unwrap_or(i64::MAX))
}

fn wall(ahead: i64, mono: Mono) -> Wall {
    Wall((mono.0 / 1_000_000).saturating_add_signed(ahead))
}

impl WallClocks {
    pub fn new(now: Now) -> WallClocks {
        WallClocks { own: Window::new(ahead(now.wall, now.mono), now.mono), wrong: None, heard: BTreeMap::new() }
    }

    /// This node's own clocks were read.
    pub fn read(&mut self, now: Now) {
        self.own.add(ahead(now.wall, now.mono), now.mono, LASTING, i64::min);
    }

    /// `peer` sent when its wall clock showed `wall`; it arrived at `at`.
    pub fn heard(&mut self, peer: NodeId, wall: Wall, at: Mono) {
        let value = ahead(wall, at);
        let new = Heard { lowest: Window::new(value, at), highest: Window::new(value, at) };
        let heard = self.heard.entry(peer).or_insert(new);
        heard.lowest.add(value, at, LASTING, i64::min);
        heard.highest.add(value, at, FRESH, i64::max);
    }

    /// Whether to tell that this node's clock is wrong, or right again; not while messages were only late.
    fn tell(&mut self, wrong: bool, at: Mono) -> bool {
        match (&mut self.wrong, wrong) {
            (None, false) => false,
            (none @ None, true) => {
                *none = Some((at, false));
                false
            }
            (Some((_, told)), false) => {
                let told = *told;
                self.wrong = None;
                told
            }
            (Some((since, told)), true) => {
                !*told && at.since(*since) > TOLD_AFTER && {
                    *told = true;
                    true
                }
            }
        }
    }

    /// What `now.wall` is taken for. Where a majority of `voters`, not counting `me`, show less by more than half of
    /// `max_offset`, or more, it is moved to where they are. Two voters cannot tell which of them is wrong.
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
        let majority = count / 2 + 1;
        let others = || self.heard.iter().filter(|(node, _)| **node != me && voters.is_voter(**node));
        let least = others().map(|(_, h)| h.lowest.now.min(h.lowest.before));
        let most = others().map(|(_, h)| h.highest.now.max(h.highest.before));
        let (Some(least), Some(most)) = (nth(least.map(|l| -l), majority), nth(most, majority)) else {
            return if waits { now.wall.min(Wall(clock.last().millis())) } else { now.wall };
        };
        let (least, most) = (wall(-least, now.mono), wall(most, now.mono).0 + max_offset.as_millis() / 2);
        // A jump ahead of one's own is believed as late as another's.
        let lasting = wall(self.own.now.min(self.own.before), now.mono).0 + max_offset.as_millis() / 2;
        Wall(now.wall.0.min(most).min(lasting).max(least.0))
    }
}

/// The `n`th smallest, counted from one.
fn nth(values: impl Iterator<Item = i64>, n: usize) -> Option<i64> {
    let mut values: Vec<i64> = values.collect();
    values.sort_unstable();
    values.get(n - 1).copied()
}

impl Node {
    /// As [`Clock::ahead`]. What this node's own clock shows is not too far ahead for it, whatever others' late messages
    /// make of that.
    pub(super) fn too_far_ahead(&self, remote: Hlc) -> Option<u64> {
        self.clock.ahead(remote, self.now.wall.max(self.own_wall))
    }

    /// Takes this node's wall clock for what the voters' allow, and says when that is something else.
    pub(super) fn read_wall(&mut self, own: Wall, out: &mut Effects) {
        let own_moved = own.0.wrapping_sub(self.own_wall.0);
        let passed = self.now.mono.since(self.wall_judged);
        if passed < JUDGE_WALL_EVERY && own_moved <= JUDGE_WALL_EVERY.as_millis() {
            self.own_wall = own;
            self.now.wall.0 += own_moved;
            return;
        }
        let limit = self.config.timing.max_clock_offset;
        let waits = self.now.mono.since(self.opened) < self.config.timing.suspect_after;
        let now = Now { mono: self.now.mono, wall: own };
        self.wall_clocks.read(now);
        let bounded = self.wall_clocks.bounded(now, &self.membership, self.id, limit, &self.clock, waits);
        let wrong = own.0.abs_diff(bounded.0) > limit.as_millis() && !waits;
        if self.wall_clocks.tell(wrong, self.now.mono) {
            out.notice(Notice::WallClock { shows: own, taken_for: bounded });
        }
        self.wall_judged = self.now.mono;
        self.own_wall = own;
        self.now.wall = bounded;
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

    /// What node 1 takes its clock for, when `own` is how far ahead it is, and the others' are `others`, for a while.
    fn after(clocks: &mut WallClocks, from_ms: u64, for_ms: u64, own: i64, others: [i64; 2]) -> i64 {
        let mut bounded_at = 0;
        for ms in (from_ms..from_ms + for_ms).step_by(250) {
            let shown = |ahead: i64| (NOON + ms).saturating_add_signed(ahead);
            clocks.read(at(ms, shown(own)));
            for (peer, ahead) in [2, 3].into_iter().zip(others) {
                clocks.heard(NodeId(peer), Wall(shown(ahead)), at(ms, 0).mono);
            }
            bounded_at = bounded(clocks, at(ms, shown(own)), 3) as i64 - (NOON + ms) as i64;
        }
        bounded_at
    }

    #[test]
    fn a_clock_that_agrees_is_left_alone() {
        let mut clocks = WallClocks::new(at(0, NOON));
        assert_eq!(bounded(&clocks, at(0, NOON + 200), 3), NOON + 200, "nobody was heard");
        assert_eq!(after(&mut clocks, 0, 10_000, 0, [-30, 40]), 0);
        assert_eq!(after(&mut clocks, 10_000, 10_000, 200, [-30, 40]), 200);
    }

    #[test]
    fn a_jump_is_held_against_the_majority() {
        let mut clocks = WallClocks::new(at(0, NOON));
        assert_eq!(after(&mut clocks, 0, 1_000, 0, [0, 0]), 0);
        assert_eq!(after(&mut clocks, 1_000, 20_000, 101_000, [0, 20]), 270);
        assert_eq!(after(&mut clocks, 21_000, 20_000, -101_000, [0, 20]), 0);
        // One of two others, however wrong, moves nobody.
        assert_eq!(after(&mut clocks, 41_000, 20_000, 100, [0, 500_000]), 100);
        // Where all three differ, the one in the middle counts.
        assert_eq!(after(&mut clocks, 61_000, 20_000, 0, [70_000, 500_000]), 70_000);
        assert_eq!(after(&mut clocks, 81_000, 20_000, 70_000, [0, 500_000]), 70_000);
        assert_eq!(after(&mut clocks, 101_000, 20_000, 500_000, [0, 70_000]), 70_250);
    }

    #[test]
    fn jumps_of_two_at_one_time_are_no_majority() {
        let mut clocks = WallClocks::new(at(0, NOON));
        assert_eq!(after(&mut clocks, 0, 20_000, 0, [88_000, 0]), 0);
        // This node's clock jumps as the other's is set right, a second later.
        assert_eq!(after(&mut clocks, 20_000, 1_000, 79_000, [88_000, 0]), 250);
        assert_eq!(after(&mut clocks, 21_000, 20_000, 79_000, [0, 0]), 250);
    }

    #[test]
    fn what_lasts_is_told_once() {
        let mut clocks = WallClocks::new(at(0, NOON));
        let told: Vec<u64> = (0..60).filter(|s| clocks.tell((20..40).contains(s), at(s * 1000, 0).mono)).collect();
        assert_eq!(told, [31, 40]);
        let mut clocks = WallClocks::new(at(0, NOON));
        assert!(!(0..60).any(|s| clocks.tell(s % 10 < 5, at(s * 1000, 0).mono)));
    }

    #[test]
    fn of_two_voters_neither_is_believed() {
        let mut clocks = WallClocks::new(at(0, NOON));
        clocks.heard(NodeId(2), Wall(NOON), at(0, 0).mono);
        assert_eq!(bounded(&clocks, at(0, NOON + 60_000), 2), NOON + 60_000);
    }

    #[test]
    fn a_restarted_node_does_not_run_ahead_before_it_heard_anybody() {
        let clocks = WallClocks::new(at(0, NOON + 100_000));
        let reached = clock();
        let wall = clocks.bounded(at(10, NOON + 100_010), &voters(3), NodeId(1), MAX, &reached, true);
        assert_eq!(wall.0, reached.last().millis());
    }
}
