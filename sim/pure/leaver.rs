//! Machines that are switched off for good by their operator, as `--leave` does it: their clients are answered, then the node has
//! its vote taken and goes. What is not done in time is left to an operator elsewhere.

use super::clock::{MS, SECOND};
use super::marks::Mark;
use super::world::{Event, World};
use marmot::core::{Input, Node};

/// Between two looks at how far it is.
const LOOK: u64 = 100 * MS;
/// The longest that a machine takes for it.
const PATIENCE: u64 = 10 * SECOND;

/// A machine that is to go.
#[derive(Clone, Copy, Debug)]
pub struct Leaver {
    /// In this life only: who crashes has not left.
    life: u32,
    until: u64,
    /// Its node was told.
    told: bool,
}

impl World {
    /// Asks machine `m` to go. One that is down cannot: it is removed by an operator.
    pub(super) fn leave(&mut self, m: usize) {
        let machine = &mut self.machines[m];
        if !machine.node.as_ref().is_some_and(Node::can_leave) {
            return self.remove_later(m);
        }
        machine.leaver = Some(Leaver { life: machine.life, until: self.now + PATIENCE, told: false });
        self.at(self.now, Event::Leaver(m));
    }

    pub(super) fn leaver_acts(&mut self, m: usize) {
        let Some(mut leaver) = self.machines[m].leaver else { return };
        let machine = &self.machines[m];
        let node = machine.node.as_ref().filter(|_| machine.life == leaver.life);
        let (is_here, has_left) = (node.is_some(), node.is_some_and(Node::has_left));
        let is_drained = node.is_some_and(Node::is_drained) && !self.is_serving(m);
        if is_here && has_left {
            self.marks.hit(Mark::Left);
            let machine = &mut self.machines[m];
            (machine.removed, machine.left, machine.leaver) = (true, true, None);
            return self.crash(m, None);
        }
        if !is_here || self.now >= leaver.until {
            self.marks.hit(Mark::LeaveGivenUp);
            self.machines[m].leaver = None;
            if is_here {
                let down = self.dice.between(self.options.faults.down.0, self.options.faults.down.1);
                self.crash(m, Some(down));
            }
            return self.remove_later(m);
        }
        if is_drained && !leaver.told {
            leaver.told = true;
            self.trace.note(self.now, m, format_args!("LEAVES"));
            self.give(m, Input::Leave);
        }
        self.machines[m].leaver = Some(leaver);
        self.at(self.now + LOOK, Event::Leaver(m));
    }
}
