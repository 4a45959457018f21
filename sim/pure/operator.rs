//! Operators: they wait for machines that joined to have their vote, remove machines that were lost, and keep at it until it is
//! done.

use super::clock::{MS, SECOND};
use super::history::Violation;
use super::machine::State;
use super::marks::Mark;
use super::world::{Event, OPERATOR, World};
use marmot::core::{Input, MemberChange, Refusal, Request, Response};
use marmot::types::{ClientId, NodeId};
use std::collections::VecDeque;

/// One operator with what is left to do.
pub struct Operator {
    index: usize,
    queue: VecDeque<MemberChange>,
    waiting: Option<(ClientId, usize)>,
    scheduled: bool,
    tries: u32,
}

impl Operator {
    pub fn new(index: usize) -> Operator {
        Operator { index, queue: VecDeque::new(), waiting: None, scheduled: false, tries: 0 }
    }

    /// What it still has to do.
    pub fn pending(&self) -> Option<String> {
        (!self.queue.is_empty()).then(|| format!("operator {}: {:?}, {} tries", self.index, self.queue, self.tries))
    }
}

impl World {
    /// A machine that joined is to become a voter.
    pub fn admit_later(&mut self, m: usize) {
        let change = MemberChange::Admit(self.machines[m].id);
        self.instruct(change);
    }

    /// A machine is to lose its vote.
    pub fn remove_later(&mut self, m: usize) {
        let change = MemberChange::Remove(self.machines[m].id);
        self.instruct(change);
    }

    fn instruct(&mut self, change: MemberChange) {
        let o = if self.options.faults.rival_operator { self.dice.index(2) } else { 0 };
        self.operators[o].queue.push_back(change);
        let later = self.dice.between(200 * MS, 4 * SECOND);
        self.wake_operator(o, later);
    }

    fn wake_operator(&mut self, o: usize, after: u64) {
        if !self.operators[o].scheduled {
            self.operators[o].scheduled = true;
            self.at(self.now + after, Event::Operator(o));
        }
    }

    pub fn operator_acts(&mut self, o: usize) {
        self.operators[o].scheduled = false;
        if self.operators[o].waiting.is_some() {
            return;
        }
        let Some(change) = self.operators[o].queue.front().copied() else { return };
        let able: Vec<usize> = (0..self.machines.len())
            .filter(|m| {
                let machine = &self.machines[*m];
                // A newcomer that only copies knows an old list, or none: it cannot tell what is done.
                machine.counts()
                    && machine.node.as_ref().is_some_and(|n| n.is_voter())
                    && MemberChange::Remove(machine.id) != change
                    && MemberChange::Admit(machine.id) != change
            })
            .collect();
        if able.is_empty() {
            return self.wake_operator(o, 300 * MS);
        }
        let m = *self.dice.pick(&able);
        if self.is_done(m, change) {
            return self.accomplished(o);
        }
        if let MemberChange::Admit(_) = change {
            // The node asks for it, nobody else can: what it holds is part of the question.
            self.operators[o].queue.rotate_left(1);
            return self.wake_operator(o, 300 * MS);
        }
        self.operators[o].tries += 1;
        let id = self.new_id(OPERATOR + o);
        self.operators[o].waiting = Some((id, m));
        self.trace.note(self.now, m, format_args!("operator {o} asks {change:?}"));
        self.give(m, Input::Request(id, Request::Member(change)));
    }

    /// Whether the member list of machine `m` already shows the change.
    fn is_done(&self, m: usize, change: MemberChange) -> bool {
        let Some(node) = self.machines[m].node.as_ref() else { return false };
        let status = node.status();
        let votes = |id: NodeId| status.peers.iter().any(|p| p.id == id && p.voter);
        match change {
            MemberChange::Admit(id) => votes(id),
            MemberChange::Remove(id) => !votes(id),
            // Nodes see to that themselves.
            MemberChange::Speak(version) => node.version() >= version,
        }
    }

    fn accomplished(&mut self, o: usize) {
        let Some(change) = self.operators[o].queue.pop_front() else { return };
        if let MemberChange::Remove(id) = change {
            let m = id.0 as usize - 1;
            self.machines[m].removed = true;
            // Half of the removed are switched off, the others stay and must do no harm.
            if self.machines[m].state != State::Gone && self.dice.one_in(2) {
                match self.machines[m].state {
                    State::Up => self.crash(m, None),
                    _ => self.machines[m].state = State::Gone,
                }
            }
        }
        self.wake_operator(o, 50 * MS);
    }

    pub fn operator_hears(&mut self, o: usize, id: ClientId, m: usize, response: Response) {
        if self.operators[o].waiting.is_none_or(|(waiting, _)| waiting != id) {
            return;
        }
        self.operators[o].waiting = None;
        match response {
            Response::MemberChanged => {
                self.marks.hit(Mark::MemberChanged);
                self.accomplished(o);
            }
            Response::Refused(Refusal::UnknownOutcome { .. }) | Response::Refused(_) => self.wake_operator(o, 500 * MS),
            other => {
                let text = format!("machine {m} answers {other:?} to a membership change");
                self.broken(Violation::correctness("anytime_answers_have_a_question", text));
            }
        }
    }

    /// The machine an operator waits for crashed.
    pub fn operators_lose(&mut self, m: usize) {
        for o in 0..self.operators.len() {
            if self.operators[o].waiting.is_some_and(|(_, machine)| machine == m) {
                self.operators[o].waiting = None;
                self.wake_operator(o, 500 * MS);
            }
        }
    }
}
