//! Deciding a transaction whose coordinator is gone: acceptors, and proposers of higher ballots (Lamport's Paxos, one
//! instance per transaction; Gray & Lamport, *Consensus on Transaction Commit*, 2006).
//!
//! ```text
//!  recoverer: own promise durable ─ Recover(b) ─▶ voters ─ Promise(b, accepted?) ─▶ a quorum:
//!             highest accepted outcome, else Abort ─ Accept(b, outcome) ─▶ voters ─ Accepted ─▶ a quorum: chosen
//! ```
//!
//! Below every ballot are the acceptances along with a Prepare ([`super::fast`]): they count if all who promised have one.

use super::fast::fast_outcome;
use super::live::Live;
use crate::core::effect::Notice;
use crate::core::fault::Fatal;
use crate::core::message::{Ballot, Message, Outcome};
use crate::core::node::{Io, Node};
use crate::core::planted::Bug;
use crate::core::txn::coordinator::Phase;
use crate::types::{Hlc, Mono, NodeId, Span, TxnId};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A recovery run by this node.
#[derive(Clone, Debug)]
pub struct Recovery {
    ballot: Ballot,
    voters: Arc<[NodeId]>,
    promised: BTreeSet<NodeId>,
    best: Option<(Ballot, Outcome)>,
    /// What those who promised had accepted along with the Prepare.
    fast: BTreeMap<NodeId, Hlc>,
    proposal: Option<Outcome>,
    accepted: BTreeSet<NodeId>,
    resend_at: Mono,
    give_up_at: Mono,
}

impl Node {
    pub(crate) fn on_accept(
        &mut self,
        io: &mut Io<'_>,
        from: NodeId,
        txn: TxnId,
        ballot: Ballot,
        outcome: Outcome,
        voters: Arc<[NodeId]>,
    ) -> Result<(), Fatal> {
        if self.log.vector.contains(txn) && !self.config.planted.has(Bug::NoCover) {
            return self.tell_outcome(io, from, txn);
        }
        let stamp_ahead = match &outcome {
            Outcome::Commit { stamp, .. } => self.too_far_ahead(stamp.hlc),
            Outcome::Abort => None,
        };
        if let Some(ahead_ms) = stamp_ahead
            && (ballot == Ballot::ZERO || self.config.planted.has(Bug::ClockGuardRefusesCommits))
        {
            // Only the coordinator's own proposal may be refused for its clock, never a recovered one.
            io.out.notice(Notice::ClockAhead { peer: from, ahead_ms });
            return Ok(());
        }
        let mono = self.now.mono;
        let live = self.live.entry(txn).or_insert_with(|| Live { heard: mono, ..Live::default() });
        if let Some(outcome) = &live.decided {
            let outcome = outcome.clone();
            self.send(io, from, Message::Decided { txn, outcome });
            return Ok(());
        }
        if ballot < live.promised {
            let promised = live.promised;
            self.send(io, from, Message::Refused { txn, promised });
            return Ok(());
        }
        live.heard = mono;
        live.voters.get_or_insert(voters);
        let repeated = live.accepted.as_ref().is_some_and(|(b, o)| *b == ballot && *o == outcome);
        if !repeated {
            live.promised = ballot;
            live.accepted = Some((ballot, outcome.clone()));
            if !self.config.planted.has(Bug::AcceptanceNotDurable) {
                live.save_vote(io.store, txn)?;
            }
        }
        if let Outcome::Commit { stamp, .. } = outcome {
            self.clock.observe(stamp.hlc);
        }
        self.send(io, from, Message::Accepted { txn, ballot });
        Ok(())
    }

    pub(crate) fn on_accepted(
        &mut self,
        io: &mut Io<'_>,
        from: NodeId,
        txn: TxnId,
        ballot: Ballot,
    ) -> Result<(), Fatal> {
        if ballot == Ballot::ZERO {
            return self.coordinator_accepted(io, from, txn);
        }
        let Some(recovery) = self.recovering.get_mut(&txn) else { return Ok(()) };
        if recovery.ballot != ballot || !recovery.voters.contains(&from) {
            return Ok(());
        }
        let Some(outcome) = recovery.proposal.clone() else { return Ok(()) };
        recovery.accepted.insert(from);
        if recovery.accepted.len() > recovery.voters.len() / 2 {
            let voters = recovery.voters.clone();
            self.decide(io, txn, outcome.clone())?;
            self.announce(io, txn, &outcome, &voters);
        }
        Ok(())
    }

    pub(crate) fn on_recover(
        &mut self,
        io: &mut Io<'_>,
        from: NodeId,
        txn: TxnId,
        ballot: Ballot,
    ) -> Result<(), Fatal> {
        if self.log.vector.contains(txn) && !self.config.planted.has(Bug::NoCover) {
            return self.tell_outcome(io, from, txn);
        }
        let mono = self.now.mono;
        let live = self.live.entry(txn).or_insert_with(|| Live { heard: mono, ..Live::default() });
        if let Some(outcome) = &live.decided {
            let outcome = outcome.clone();
            self.send(io, from, Message::Decided { txn, outcome });
            return Ok(());
        }
        if ballot < live.promised {
            let promised = live.promised;
            self.send(io, from, Message::Refused { txn, promised });
            return Ok(());
        }
        if ballot > live.promised {
            live.promised = ballot;
            if !self.config.planted.has(Bug::PromiseNotDurable) {
                live.save_vote(io.store, txn)?;
            }
        }
        // Someone works on it: no need to start a ballot of one's own at once.
        live.heard = mono;
        let (accepted, fast) = (live.accepted.clone(), live.fast);
        self.send(io, from, Message::Promise { txn, ballot, accepted, fast });
        Ok(())
    }

    pub(crate) fn on_promise(
        &mut self,
        io: &mut Io<'_>,
        from: NodeId,
        txn: TxnId,
        ballot: Ballot,
        accepted: Option<(Ballot, Outcome)>,
        fast: Option<Hlc>,
    ) -> Result<(), Fatal> {
        let planted = self.config.planted;
        let Some(recovery) = self.recovering.get_mut(&txn) else { return Ok(()) };
        if recovery.ballot != ballot || recovery.proposal.is_some() || !recovery.voters.contains(&from) {
            return Ok(());
        }
        recovery.promised.insert(from);
        recovery.fast.extend(fast.map(|stamp| (from, stamp)));
        if let Some((b, outcome)) = accepted {
            let better = match &recovery.best {
                None => true,
                Some((best, _)) if planted.has(Bug::LowestBallotWins) => b < *best,
                Some((best, _)) => b > *best,
            };
            if better {
                recovery.best = Some((b, outcome));
            }
        }
        let needed = if planted.has(Bug::RecoveryWithoutQuorum) { 1 } else { recovery.voters.len() / 2 + 1 };
        if recovery.promised.len() < needed {
            return Ok(());
        }
        let outcome = match &recovery.best {
            Some((_, outcome)) => outcome.clone(),
            None if planted.has(Bug::FastIgnoredInRecovery) => Outcome::Abort,
            None => fast_outcome(txn, &recovery.promised, &recovery.fast),
        };
        recovery.proposal = Some(outcome);
        self.resend_recovery(io, txn);
        Ok(())
    }

    /// A higher ballot is under way: give way, and look again later.
    pub(crate) fn on_refused(&mut self, txn: TxnId, promised: Ballot) {
        if self.recovering.get(&txn).is_some_and(|r| r.ballot < promised) {
            self.recovering.remove(&txn);
        }
        if let Some(c) = self.coordinating.get_mut(&txn)
            && c.phase == Phase::Proposed
        {
            c.outbid = true;
        }
        if let Some(live) = self.live.get_mut(&txn) {
            live.heard = self.now.mono;
            live.promised_elsewhere(promised);
        }
    }

    /// A position of this node's own, from an earlier life: recovered at once.
    pub(crate) fn is_orphaned(&mut self, txn: TxnId) {
        let long_ago = Mono(self.now.mono.0.saturating_sub(self.config.timing.recover_after.0));
        self.live.entry(txn).or_default().heard = long_ago;
    }

    /// Whether this node works on `txn` as its coordinator, so that nobody need recover it yet.
    pub(crate) fn is_at_work(&self, txn: TxnId) -> bool {
        self.coordinating.get(&txn).is_some_and(|c| !c.outbid)
    }

    /// Looks for transactions of which nothing was heard for too long: asks the coordinator, then recovers.
    pub(crate) fn tick_recovery(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        let now = self.now.mono;
        let patience = self.config.timing.recover_after;
        if self.config.planted.has(Bug::IntentExpires) {
            self.expire_intents(io, patience)?;
        }
        let silent: Vec<TxnId> = self
            .live
            .iter()
            .filter(|(txn, l)| {
                l.decided.is_none()
                    && now.since(l.heard) >= patience
                    && !self.is_at_work(**txn)
                    && !self.recovering.contains_key(txn)
            })
            .map(|(txn, _)| *txn)
            .collect();
        for txn in silent {
            self.chase(io, txn, patience)?;
        }
        let due: Vec<(TxnId, bool)> = self
            .recovering
            .iter()
            .filter(|(_, r)| r.resend_at <= now)
            .map(|(t, r)| (*t, r.give_up_at <= now))
            .collect();
        for (txn, over) in due {
            if over {
                // Start again with a higher ballot after a random pause, so that two recoverers do not duel for ever.
                self.recovering.remove(&txn);
                let pause = Span(self.rng.random_range(0..patience.0.max(1)));
                if let Some(live) = self.live.get_mut(&txn) {
                    live.heard = Mono(now.0.saturating_sub(patience.0).saturating_add(pause.0));
                    live.inquired = Some(Mono(0));
                }
            } else {
                self.resend_recovery(io, txn);
            }
        }
        Ok(())
    }

    fn chase(&mut self, io: &mut Io<'_>, txn: TxnId, patience: Span) -> Result<(), Fatal> {
        let now = self.now.mono;
        let origin = txn.origin.node();
        let may_decide = self.may_decide(txn);
        let Some(live) = self.live.get_mut(&txn) else { return Ok(()) };
        let mine = origin == self.id;
        let is_undecidable = live.voters.is_none() && !mine && !may_decide;
        match live.inquired {
            None if !mine && self.peers.is_alive(origin) => {
                live.inquired = Some(now);
                self.send(io, origin, Message::Inquire { txn });
                Ok(())
            }
            Some(at) if now.since(at) < patience && now.since(live.heard) > patience => Ok(()),
            Some(at) if live.heard > at => {
                // It answered, and has been silent since.
                live.inquired = Some(now);
                self.send(io, origin, Message::Inquire { txn });
                Ok(())
            }
            _ if is_undecidable => {
                live.heard = now;
                Ok(())
            }
            _ => self.start_recovery(io, txn),
        }
    }

    /// Whether the voters of this node's member list may decide a position that nobody prepared here: something is known to
    /// build on it, and to be of no later epoch than this list (a record's epoch is at or above those of its dependencies).
    fn may_decide(&self, txn: TxnId) -> bool {
        let heard = self.sync.heard.contains(txn) || self.config.planted.has(Bug::OldListDecides);
        heard && !self.lags_behind_list()
    }

    /// Starts a ballot of this node's own.
    pub(crate) fn start_recovery(&mut self, io: &mut Io<'_>, txn: TxnId) -> Result<(), Fatal> {
        let now = self.now.mono;
        let current: Arc<[NodeId]> = self.membership.voters.keys().copied().collect();
        let live = self.live.entry(txn).or_insert_with(|| Live { heard: now, ..Live::default() });
        // Of a position nobody prepared, the members of today decide: what those of an older epoch decided was
        // applied before the epoch changed (rules 19 and 20).
        let voters = live.voters.clone().unwrap_or(current);
        let ballot = Ballot { round: live.promised.round + 1, node: self.id };
        live.promised = ballot;
        live.inquired = None;
        if !self.config.planted.has(Bug::BallotNotDurable) {
            live.save_vote(io.store, txn)?;
        }
        io.out.notice(Notice::Recovering { txn, ballot: ballot.round });
        let recovery = Recovery {
            ballot,
            voters,
            promised: BTreeSet::new(),
            best: None,
            fast: BTreeMap::new(),
            proposal: None,
            accepted: BTreeSet::new(),
            resend_at: now,
            give_up_at: now.after(self.config.timing.recover_after.times(2)),
        };
        self.recovering.insert(txn, recovery);
        self.resend_recovery(io, txn);
        Ok(())
    }

    fn resend_recovery(&mut self, io: &mut Io<'_>, txn: TxnId) {
        let resend_at = self.now.mono.after(self.config.timing.retransmit);
        let Some(recovery) = self.recovering.get_mut(&txn) else { return };
        recovery.resend_at = resend_at;
        let ballot = recovery.ballot;
        let voters = recovery.voters.clone();
        let (message, answered) = match &recovery.proposal {
            None => (Message::Recover { txn, ballot }, recovery.promised.clone()),
            Some(outcome) => (
                Message::Accept { txn, ballot, outcome: outcome.clone(), voters: voters.clone() },
                recovery.accepted.clone(),
            ),
        };
        for node in voters.iter().filter(|v| !answered.contains(v)) {
            self.send(io, *node, message.clone());
        }
    }

    /// Planted bug: intents that end by time.
    fn expire_intents(&mut self, io: &mut Io<'_>, patience: Span) -> Result<(), Fatal> {
        let now = self.now.mono;
        let old: Vec<TxnId> = self
            .live
            .iter()
            .filter(|(_, l)| l.prepared.is_some() && l.decided.is_none() && now.since(l.heard) >= Span(patience.0 / 2))
            .map(|(t, _)| *t)
            .collect();
        for txn in old {
            if let Some(live) = self.live.get_mut(&txn)
                && let (Some(record), Some(_)) = (live.record.clone(), live.prepared.take())
            {
                self.intents.release(&record);
                self.judge_unblocked(io, txn)?;
            }
        }
        Ok(())
    }

    pub(crate) fn recovery_deadline(&self) -> Option<Mono> {
        let patience = self.config.timing.recover_after;
        let running = self.recovering.values().map(|r| r.resend_at);
        let silent = self
            .live
            .iter()
            .filter(|(t, l)| l.decided.is_none() && !self.is_at_work(**t) && !self.recovering.contains_key(t));
        let silent = silent.map(|(_, l)| match l.inquired {
            Some(at) if at >= l.heard => at.after(patience).max(l.heard.after(patience)),
            _ => l.heard.after(patience),
        });
        running.chain(silent).min()
    }
}

impl Live {
    /// Another node promised `ballot`: a ballot of one's own must be higher. Volatile, and only a hint.
    fn promised_elsewhere(&mut self, ballot: Ballot) {
        if ballot.round > self.promised.round && self.accepted.is_none() {
            self.promised.round = self.promised.round.max(ballot.round.saturating_sub(1));
        }
    }
}
