//! `anytime_*`: what Paxos rests on, as seen on the wire. A broken rule of deciding shows here at once, long before two
//! nodes are found to differ.

use crate::pure::history::Violation;
use marmot::core::message::{Ballot, Message, Outcome};
use marmot::types::{Hlc, NodeId, TxnId};
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
    /// At which reading a Prepare asks to accept Commit along with it, and who did.
    offered: Hlc,
    fast: BTreeSet<NodeId>,
}

/// Everything sent so far that decides transactions.
#[derive(Clone, Debug, Default)]
pub struct Ballots {
    instances: BTreeMap<TxnId, Instance>,
    /// The highest that each said no transaction of its can commit at or below any more.
    lows: BTreeMap<NodeId, Hlc>,
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
            Message::Report(report) => {
                let low = self.lows.entry(from).or_default();
                *low = report.low.max(*low);
                Ok(())
            }
            Message::Prepare { record, claim } => {
                if let Some(offered) = claim.fast {
                    let instance = self.instances.entry(record.txn).or_default();
                    (instance.voters, instance.offered) = (record.voters.len(), offered);
                }
                Ok(())
            }
            Message::Prepared { txn, fast: true, .. } => {
                let instance = self.instances.entry(*txn).or_default();
                let promised = instance.acceptors.get(&from).map_or(Ballot::ZERO, |w| w.promised);
                if !instance.fast.insert(from) {
                    return Ok(());
                }
                let low = self.lows.get(&from).copied().unwrap_or_default();
                if instance.offered <= low {
                    let text = format!("{from} reported {low} and then accepted {txn} at {}", instance.offered);
                    return wrong("anytime_reported_lows_hold", text);
                }
                if promised > Ballot::ZERO {
                    let text =
                        format!("{from} promised {promised:?} of {txn} and then accepted along with its Prepare");
                    return wrong("anytime_promises_last", text);
                }
                Ok(())
            }
            Message::Promise { txn, ballot, accepted, fast } => {
                let instance = self.instances.entry(*txn).or_default();
                if fast.is_some() {
                    instance.fast.insert(from);
                } else if instance.fast.contains(&from) {
                    let text = format!("{from} accepted along with the Prepare of {txn} and does not remember");
                    return wrong("anytime_acceptances_last", text);
                }
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
            Message::Decided { txn, outcome } => {
                let Some(instance) = self.instances.get_mut(txn) else { return Ok(()) };
                match &instance.chosen {
                    Some((ballot, chosen)) if chosen != outcome => {
                        let text = format!("{txn}: {chosen:?} was chosen at {ballot:?}, {from} says {outcome:?}");
                        wrong("anytime_a_chosen_outcome_stays", text)
                    }
                    None if *outcome != Outcome::Abort => instance.decided(from, *txn, outcome),
                    Some(_) | None => Ok(()),
                }
            }
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

    /// A commit is told of that no quorum was seen to accept at a ballot: the coordinator saw that all voters accepted
    /// along with its Prepare. What a node accepts of itself is not on the wire.
    fn decided(&mut self, from: NodeId, txn: TxnId, outcome: &Outcome) -> Result<(), Violation> {
        let seen = |proposer, accepted: &BTreeSet<NodeId>| accepted.iter().filter(|n| **n != proposer).count() + 1;
        let proposer = |b: &Ballot| if *b == Ballot::ZERO { txn.origin } else { b.node };
        let by_ballot = |b: &Ballot| self.accepted.get(b).map_or(0, |a| seen(proposer(b), a));
        let ballot = self.proposed.iter().find(|(b, o)| *o == outcome && by_ballot(b) > self.voters / 2);
        if let Some((ballot, _)) = ballot {
            self.chosen = Some((*ballot, outcome.clone()));
            return Ok(());
        }
        let along = seen(txn.origin, &self.fast);
        if along < self.voters {
            let text = format!("{from} says {outcome:?} of {txn}; {along} of {} accepted it", self.voters);
            return wrong("anytime_a_commit_has_a_quorum", text);
        }
        let other = self.proposed.iter().find(|(b, o)| **b > Ballot::ZERO && *o != outcome);
        if let Some((ballot, other)) = other {
            let text = format!("{txn}: {from} says {outcome:?}, {other:?} was proposed at {ballot:?}");
            return wrong("anytime_a_chosen_outcome_stays", text);
        }
        self.chosen = Some((Ballot::ZERO, outcome.clone()));
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
