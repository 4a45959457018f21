//! `anytime_*`: what a client is told is true when it is told.

use crate::pure::history::{Known, Violation};
use crate::pure::marks::Mark;
use crate::pure::tables::Tag;
use crate::pure::world::World;
use marmot::types::{Stamp, TxnId, WriteLevel};

/// Inputs that may wait for a machine that is not paused: more means that a queue grows without bound.
const INBOX: usize = 20_000;
/// Key states a node may remember: far above what the rows of a run can need.
const KEY_STATES: usize = 50_000;

impl World {
    /// A commit was acknowledged by machine `m`.
    pub fn note_commit(&mut self, m: usize, tag: Tag, txn: TxnId, stamp: Stamp) {
        let attempt = &mut self.history.attempts[tag as usize];
        let level = attempt.level;
        attempt.known = Known::Committed;
        self.marks.hit(match level {
            WriteLevel::One => Mark::CommittedOne,
            WriteLevel::Quorum => Mark::Committed,
            WriteLevel::All => Mark::CommittedAll,
        });
        if attempt.write_set.ddl.is_some() {
            self.marks.hit(Mark::SchemaChanged);
        }
        if let Some(fate) = attempt.fate
            && fate != (txn, stamp)
        {
            let text = format!("#{tag} is {} at {} and was acknowledged as {txn} at {stamp}", fate.0, fate.1);
            return self.broken(Violation::correctness("anytime_outcomes_agree", text));
        }
        attempt.fate = Some((txn, stamp));
        if !self.machines[m].files.contains(tag) {
            let text = format!("machine {m} acknowledged {txn} (#{tag}) and has not applied it");
            return self.broken(Violation::correctness("anytime_acknowledged_is_applied_here", text));
        }
        if level != WriteLevel::One {
            self.history.acknowledged.push(tag);
        }
    }

    /// A refusal that says nothing changed.
    pub fn note_refusal(&mut self, tag: Tag) {
        let attempt = &mut self.history.attempts[tag as usize];
        attempt.known = Known::Refused;
        if let Some((txn, _)) = attempt.fate {
            let text = format!("{txn} (#{tag}) is committed and its client was told that it is not");
            self.broken(Violation::correctness("anytime_refusals_are_honest", text));
        }
    }

    /// A barrier ended on machine `m` that began when `after` commits were acknowledged: it must have them all.
    pub fn check_barrier(&mut self, m: usize, after: usize) {
        let machine = &mut self.machines[m];
        while machine.covered < after {
            let tag = self.history.acknowledged[machine.covered];
            if !machine.files.contains(tag) {
                let fate = self.history.attempts[tag as usize].fate;
                let text = format!("machine {m} ended a barrier without #{tag} {fate:?}, acknowledged before it began");
                return self.broken(Violation::correctness("anytime_barriers_see_acknowledged_writes", text));
            }
            machine.covered += 1;
        }
    }

    /// The node's own invariants, and that what it holds is bounded.
    pub fn check_machine(&mut self, m: usize) {
        let machine = &self.machines[m];
        let Some(node) = machine.node.as_ref() else { return };
        let result = node.check_invariants(&machine.disk);
        if let Err(text) = result {
            return self.broken(Violation::crash("anytime_invariants_hold", format!("machine {m}: {text}")));
        }
        let (inbox, states) = (machine.longest_inbox, node.key_states());
        if inbox > INBOX || states > KEY_STATES {
            let text = format!("machine {m}: {inbox} inputs waited, {states} key states");
            self.broken(Violation::liveness("anytime_memory_is_bounded", text));
        }
    }
}
