//! A machine's rounds: inputs stepped through, what they wrote made durable, and only then the effects that rest on it.
//!
//! As the daemon's driver does it: what depends on nothing in a round goes ahead of it, and a round nobody waits for is
//! held, to become durable with the next. A crash may fall before the commit, after it, or among the effects.

use super::clock::MS;
use super::fault::CrashPoint;
use super::history::Violation;
use super::marks::Mark;
use super::message::Kind;
use super::world::{Event, World};
use marmot::core::Effect;

/// Inputs one round takes at most.
const BATCH: usize = 64;
/// How long a round is held at most, as the driver does.
const HOLD: u64 = 2 * MS;

impl World {
    /// Steps through what is there; what was written then becomes durable, now or with a later round.
    pub(super) fn round(&mut self, m: usize) {
        let machine = &mut self.machines[m];
        let Some(node) = machine.node.as_mut() else { return };
        machine.rounds += 1;
        let now = machine.clock.read(self.now);
        let count = machine.inbox.len().min(BATCH);
        let mut stopped = None;
        for input in machine.inbox.drain(..count) {
            let first = machine.effects.len();
            let noted = self.trace.before(&input);
            let result = node.step(now, input, &mut machine.disk, &mut machine.effects);
            self.trace.after(self.now, m, now, noted, &machine.effects, first);
            if let Err(fatal) = result {
                stopped = Some(fatal);
                break;
            }
        }
        if let Some(fatal) = stopped {
            let text = format!("machine {m}: {fatal}");
            return self.broken(Violation::crash("anytime_nodes_run", text));
        }
        if !machine.disk.is_dirty() || machine.disk.wrote_meta() {
            return self.make_durable(m);
        }
        // As the driver does: what depends on nothing in the round goes ahead, and if nobody waits for the rest, the
        // next round takes this one along.
        machine.in_round = true;
        let life = machine.life;
        for effect in machine.effects.take_early() {
            self.dispatch(m, effect);
        }
        let machine = &mut self.machines[m];
        if machine.life != life || self.violation.is_some() {
            return;
        }
        machine.in_round = false;
        let new = machine.held_until.is_none();
        let until = *machine.held_until.get_or_insert(self.now + HOLD);
        if self.now >= until || machine.effects.are_urgent(machine.id) {
            self.make_durable(m);
        } else if new {
            self.at(until, Event::HeldLongEnough(m, life));
        }
    }

    /// Commits what was written, after the time that a sync takes; then does the effects.
    pub(super) fn make_durable(&mut self, m: usize) {
        let machine = &mut self.machines[m];
        machine.held_until = None;
        let dirty = machine.disk.is_dirty();
        match machine.crash_at {
            Some((CrashPoint::BeforeCommit, down)) if dirty => {
                self.marks.hit(Mark::CrashBeforeCommit);
                return self.crash(m, Some(down));
            }
            _ => (),
        }
        if dirty {
            let sync = self.dice.between(self.options.sync.0, self.options.sync.1);
            let machine = &mut self.machines[m];
            machine.in_round = true;
            let (done, life) = (self.now + sync * machine.slowness(self.now), machine.life);
            self.at(done, Event::RoundDone(m, life));
        } else {
            self.finish_round(m);
        }
    }

    /// Commits the round and does its effects. What they cause on this machine waits for the next round.
    pub(super) fn finish_round(&mut self, m: usize) {
        self.machines[m].in_round = true;
        let life = self.machines[m].life;
        self.commit_and_dispatch(m);
        if self.machines[m].life == life {
            self.machines[m].in_round = false;
        }
    }

    fn commit_and_dispatch(&mut self, m: usize) {
        let machine = &mut self.machines[m];
        let dirty = machine.disk.is_dirty();
        machine.disk.commit();
        let mut list = std::mem::take(&mut machine.effects);
        let armed = machine.crash_at.filter(|_| dirty);
        let mut left = match armed {
            Some((CrashPoint::AfterCommit, _)) => 0,
            Some((CrashPoint::AmongEffects(n), _)) => n,
            _ => usize::MAX,
        };
        let total = list.len();
        for effect in list.drain() {
            if left == 0 {
                break;
            }
            left -= 1;
            let sent = match &effect {
                Effect::Send { message, .. } => Some(Kind::of(message)),
                _ => None,
            };
            self.dispatch(m, effect);
            if self.violation.is_some() || !self.machines[m].is_up() {
                return;
            }
            if let (Some((kind, ratio)), Some(sent), false) = (self.options.crash_on, sent, self.healed)
                && kind == sent
                && self.dice.chance(ratio)
            {
                self.marks.hit(Mark::CrashAmongEffects);
                let down = self.dice.between(self.options.faults.down.0, self.options.faults.down.1);
                return self.crash(m, Some(down));
            }
        }
        if let Some((point, down)) = armed
            && (point == CrashPoint::AfterCommit || total > 0)
        {
            let mark = if point == CrashPoint::AfterCommit { Mark::CrashAfterCommit } else { Mark::CrashAmongEffects };
            self.marks.hit(mark);
            return self.crash(m, Some(down));
        }
        if self.options.strict || self.machines[m].rounds.is_multiple_of(256) {
            self.check_machine(m);
        }
    }
}
