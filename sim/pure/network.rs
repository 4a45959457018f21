//! What lies between the machines: delay, loss, duplication, reordering and partitions, per link and direction.

use super::clock::MS;
use super::dice::{Dice, Ratio};
use super::marks::{Mark, Marks};
use super::message::Kind;

/// How the network behaves in one run.
#[derive(Clone, Debug)]
pub struct NetworkOptions {
    /// Usual delay in nanoseconds, uniform: what reorders neighbouring messages.
    pub delay: (u64, u64),
    pub loss: Ratio,
    pub duplicate: Ratio,
    /// Messages that arrive long after.
    pub late: Ratio,
    pub late_by: (u64, u64),
    /// One kind of message that suffers more than the others.
    pub muffled: Option<(Kind, Ratio)>,
}

/// The state of all links.
#[derive(Clone, Debug)]
pub struct Network {
    options: NetworkOptions,
    dice: Dice,
    /// `blocked[from][to]`: how many partitions cut this direction now.
    blocked: Vec<Vec<u8>>,
    /// `latest[from][to]`: when the last message to arrive of those sent so far arrives.
    latest: Vec<Vec<u64>>,
    calm: bool,
}

impl Network {
    pub fn new(options: NetworkOptions, machines: usize, dice: Dice) -> Network {
        Network {
            options,
            dice,
            blocked: vec![vec![0; machines]; machines],
            latest: vec![vec![0; machines]; machines],
            calm: false,
        }
    }

    /// From now on every message arrives, once and soon.
    pub fn heal(&mut self) {
        self.calm = true;
        self.blocked.iter_mut().flatten().for_each(|b| *b = 0);
    }

    pub fn cut(&mut self, from: usize, to: usize) {
        self.blocked[from][to] = self.blocked[from][to].saturating_add(1);
    }

    pub fn mend(&mut self, from: usize, to: usize) {
        self.blocked[from][to] = self.blocked[from][to].saturating_sub(1);
    }

    /// The delays after which copies of a message sent `now` arrive: none, one or two.
    pub fn deliver(&mut self, now: u64, (from, to): (usize, usize), kind: Kind, marks: &mut Marks) -> [Option<u64>; 2] {
        let o = &self.options;
        if self.calm {
            return [Some(self.dice.between(MS / 2, 5 * MS)), None];
        }
        if self.blocked[from][to] > 0 {
            marks.hit(Mark::MessageCut);
            return [None, None];
        }
        if self.dice.chance(o.loss) {
            marks.hit(Mark::MessageLost);
            return [None, None];
        }
        if o.muffled.is_some_and(|(k, ratio)| k == kind && self.dice.chance(ratio)) {
            marks.hit(Mark::MessageMuffled);
            return [None, None];
        }
        let mut delay = self.dice.between(o.delay.0, o.delay.1);
        if self.dice.chance(o.late) {
            marks.hit(Mark::MessageLate);
            delay += self.dice.between(o.late_by.0, o.late_by.1);
        }
        let latest = &mut self.latest[from][to];
        if now + delay < *latest {
            marks.hit(Mark::MessageReordered);
        }
        *latest = (now + delay).max(*latest);
        let copy = self.dice.chance(o.duplicate).then(|| {
            marks.hit(Mark::MessageDuplicated);
            let late = if self.dice.one_in(4) { o.late_by.1 } else { o.delay.1 * 4 };
            self.dice.between(o.delay.0, late)
        });
        [Some(delay), copy]
    }
}
