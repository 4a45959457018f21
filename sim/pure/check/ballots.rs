//! `anytime_*`: what Paxos rests on, as seen on the wire. A broken rule of deciding shows here at once, long before two
//! nodes are found to differ.

use crate::pure::history::Violation;
use marmot::core::message::{Ballot, Message, Outcome};
use marmot::types::{NodeId, TxnId};
use std::collections::{BTreeMap, BTreeSet};

/// What one acceptor said of one transaction.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    promised: Ballot,
    accepted: Option<Ballot>,
}

/// What was said of one transaction.
#[derive(Clone, Debug, Default)]
struct Instance {
    acceptors: BTreeMap<NodeId, Word>,
    /// By ballot: the outcome proposed, who promised, who accepted.
    proposed: BTreeMap<Ballot, Outcome>,
    promised: BTreeMap<Ballot, BTreeSet<NodeId>>,
    accepted: BTreeMap<Ballot, BTreeSet<NodeId>>,
    voters: usize,
    chosen: Option<(Ballot, Outcome)>,
}

/// Everything sent so far that decides transactions.
#[derive(Clone, Debug, Default)]
pub struct Ballots {
    instances: BTreeMap<TxnId, Instance>,
}

fn wrong(check: &'static str, text: String) -> Result<(), Violation> {
    Err(Violation::correctness(check, text))
}

impl Ballots {
    /// Notes a message that `from` sends, before anything can happen to it.
    pub fn sent(&mut self, from: NodeId, message: &Message) -> Result<(), Violation> {
        match message {
            Message::Recover { txn, ballot } => {
                // A recoverer promises its own ballot, once, however often it asks the others.
                let instance = self.instances.entry(*txn).or_default();
                match instance.promised.entry(*ballot).or_default().insert(from) {
                    true => instance.promise(from, *txn, *ballot),
                    false => Ok(()),
                }
            }
            Message::Promise { txn, ballot, accepted } => {
                let instance = self.instances.entry(*txn).or_default();
                let before = instance.acceptors.get(&from).and_then(|w| w.accepted);
                let now = accepted.as_ref().map(|(b, _)| *b);
                if now < before {
                    let text = format!("{from} accepted {before:?} of {txn} and remembers {now:?}");
                    return wrong("anytime_acceptances_last", text);
                }
                instance.promised.entry(*ballot).or_default().insert(from);
                instance.promise(from, *txn, *ballot)
            }
            Message::Accept { txn, ballot, outcome, voters } => {
                let instance = self.instances.entry(*txn).or_default();
                instance.voters = voters.len();
                instance.propose(from, *txn, *ballot, outcome)
            }
            Message::Accepted { txn, ballot } => self.instances.entry(*txn).or_default().accept(from, *txn, *ballot),
            Message::Decided { txn, outcome } => match self.instances.get(txn).and_then(|i| i.chosen.as_ref()) {
                Some((ballot, chosen)) if chosen != outcome => {
                    let text = format!("{txn}: {chosen:?} was chosen at {ballot:?}, {from} says {outcome:?}");
                    wrong("anytime_a_chosen_outcome_stays", text)
                }
                Some(_) | None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

impl Instance {
    fn promise(&mut self, from: NodeId, txn: TxnId, ballot: Ballot) -> Result<(), Violation> {
        let word = self.acceptors.entry(from).or_default();
        if ballot < word.promised {
            let text = format!("{from} promised {:?} of {txn} and then {ballot:?}", word.promised);
            return wrong("anytime_promises_last", text);
        }
        word.promised = ballot;
        Ok(())
    }

    fn accept(&mut self, from: NodeId, txn: TxnId, ballot: Ballot) -> Result<(), Violation> {
        let word = self.acceptors.entry(from).or_default();
        if ballot < word.promised {
            let text = format!("{from} promised {:?} of {txn} and accepted {ballot:?}", word.promised);
            return wrong("anytime_promises_last", text);
        }
        word.accepted = word.accepted.max(Some(ballot));
        let acceptors = self.accepted.entry(ballot).or_default();
        acceptors.insert(from);
        if self.voters > 0
            && acceptors.len() > self.voters / 2
            && let Some(outcome) = self.proposed.get(&ballot)
            && self.chosen.is_none()
        {
            self.chosen = Some((ballot, outcome.clone()));
        }
        Ok(())
    }

    fn propose(&mut self, from: NodeId, txn: TxnId, ballot: Ballot, outcome: &Outcome) -> Result<(), Violation> {
        if let Some(other) = self.proposed.get(&ballot) {
            if other == outcome {
                return Ok(());
            }
            let text = format!("{txn} at {ballot:?}: {other:?}, and {outcome:?} by {from}");
            return wrong("anytime_a_ballot_has_one_outcome", text);
        }
        self.proposed.insert(ballot, outcome.clone());
        // What is proposed at a lower ballot than the chosen one finds no quorum.
        if let Some((chosen_at, chosen)) = &self.chosen
            && ballot > *chosen_at
            && chosen != outcome
        {
            let text =
                format!("{txn}: {chosen:?} was chosen at {chosen_at:?}, {from} proposes {outcome:?} at {ballot:?}");
            return wrong("anytime_a_chosen_outcome_stays", text);
        }
        let promises = self.promised.get(&ballot).map_or(0, BTreeSet::len);
        if ballot > Ballot::ZERO && promises <= self.voters / 2 {
            let text = format!("{from} proposes {outcome:?} for {txn} at {ballot:?} after {promises} promises");
            return wrong("anytime_recovery_has_a_quorum", text);
        }
        Ok(())
    }
}
