//! A member that goes on from a copy of another's state: it was away for longer than the log is kept, or its database
//! files are damaged.
//!
//! As for a newcomer ([`super::snapshot`]) the *replica's* part of a node's state comes from the copy. Unlike a newcomer
//! the node is somebody already, and others rest on what it said. So of its own state it keeps:
//!
//! - promises, acceptances and intents of transactions that the copy does not know to be decided (what it knows to be
//!   decided needs no vote, DESIGN section 5): who forgets one can help to choose two outcomes;
//! - the positions it reserved, so that none is given out twice, and the clock mark, so that its clock never goes back;
//! - every record that the copy lacks, its own ONE writes above all, of which there may be no second copy: each takes
//!   its place after what was copied, in the order it had here, which respects causality.
//!
//! Undecided transactions of epochs that the copy has left behind end as aborts, as they do wherever a membership change
//! is recorded (rule 20).
//!
//! Everything is written to the copy; the old state stays as it is. Whoever calls puts the one in the other's place.

use super::snapshot::adopt_snapshot;
use crate::core::config::Config;
use crate::core::effect::Effects;
use crate::core::fault::Fatal;
use crate::core::hlc::Clock;
use crate::core::log::Log;
use crate::core::members::change::load_membership;
use crate::core::message::{AbortedRange, Outcome, Record, Shipped};
use crate::core::node::{Io, Node};
use crate::core::planted::Bug;
use crate::core::storage::{Storage, Table, load};
use crate::types::{ApplySeq, Epoch, NodeId, Now, Sequence, TxnId, VersionVector};
use std::sync::Arc;

/// Entries read at once.
const CHUNK: usize = 256;

/// Why a node does not go on from a copy. Its own state is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Another source may do.
    #[error("the copy is of a node that lags behind this one: {0}")]
    Behind(String),
    #[error("the copy is of another cluster")]
    OtherCluster,
    #[error("{}", Fatal::Removed(*.0))]
    Removed(Epoch),
    /// Its disk forgot what it told others: an old copy of it was restored.
    #[error(transparent)]
    Older(OlderThanItself),
    #[error(transparent)]
    Fatal(#[from] Fatal),
}

/// A node's state is older than what others know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this data directory is older than what its node told others: they hold {known} transactions of {origin}, which has \
     given out {reserved} here. An old copy of a data directory may have forgotten promises, so it must not take part: \
     remove the node on another one (ALTER CLUSTER REMOVE NODE {}), and start it with an empty directory and the seeds; \
     writes at level ONE that were never replicated can be read from the old files with any SQLite tool", .origin.node().0
)]
pub struct OlderThanItself {
    pub origin: NodeId,
    pub known: Sequence,
    pub reserved: Sequence,
}

impl OlderThanItself {
    /// Compares the positions that a node has reserved, in its QUORUM and its ONE log, with what somebody holds of them.
    ///
    /// # Errors
    /// Somebody holds more than was ever given out here.
    pub fn check(node: NodeId, reserved: (Sequence, Sequence), held: &VersionVector) -> Result<(), OlderThanItself> {
        for (origin, reserved) in [(node, reserved.0), (node.one_log(), reserved.1)] {
            let known = held.highest(origin);
            if known > reserved {
                return Err(OlderThanItself { origin, known, reserved });
            }
        }
        Ok(())
    }
}

/// Makes the copied state in `copy` the state that the node of `own` goes on with. `applied` is the place up to which
/// the copied database files go; `config`, `now` and `seed` are as for [`Node::open`], which comes next, on `copy`.
///
/// # Errors
/// [`Unfit`]; `copy` is of no use then.
pub fn renew(
    config: Config,
    now: Now,
    seed: u64,
    applied: ApplySeq,
    own: &dyn Storage,
    copy: &mut dyn Storage,
) -> Result<(), Unfit> {
    let (node, planted) = (config.node, config.planted);
    check_memberships(node, own, copy)?;
    adopt_snapshot(copy, applied)?;
    let (log, held) = (Log::open(own)?, Log::held(copy)?);
    OlderThanItself::check(node, log.reserved(), &held).map_err(Unfit::Older)?;
    let given_up = orphans(node, copy)?;
    let dropped = &log.checkpoint().dropped;
    if let Some(txn) = dropped.missing_from(&held, usize::MAX).iter().find(|txn| !given_up(txn)) {
        return Err(Unfit::Behind(format!("it lacks {txn}, whose record is no longer kept here")));
    }
    Log::keep_reserved(own, copy)?;
    if !planted.has(Bug::RenewalForgetsVotes) {
        keep_votes(own, &held, copy)?;
    }
    let kept = match planted.has(Bug::RenewalForgetsRecords) {
        true => Kept::default(),
        false => Kept::read(own, &log, |txn| held.contains(txn) || given_up(&txn))?,
    };
    // What it wants done, it wants again when it is opened for good: messages may be lost, and applying is redone.
    let node = Node::open_renewed(config, now, seed, applied, Some(kept), copy, &mut Effects::new())?;
    // No reading of that has left the node.
    Clock::keep_mark(own, copy)?;
    let before = Log::held(own)?;
    match before.missing_from(node.vector(), usize::MAX).iter().find(|txn| !given_up(txn)) {
        Some(txn) if !planted.has(Bug::RenewalForgetsRecords) => {
            // The old state stays, and another attempt comes later.
            Err(Unfit::Behind(format!("{txn} of the old state cannot be merged into it now")))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether a position is one that a newcomer gives up: of a node that was removed, so that what nobody but the newcomer has is
/// nobody's any more. A member gives up nothing.
fn orphans(node: NodeId, copy: &dyn Storage) -> Result<impl Fn(&TxnId) -> bool + use<>, Fatal> {
    let list = load_membership(copy)?.map(|stored| stored.membership).unwrap_or_default();
    Ok(move |txn: &TxnId| !list.is_voter(node) && list.removed.contains(&txn.origin.node()))
}

fn check_memberships(node: NodeId, own: &dyn Storage, copy: &dyn Storage) -> Result<(), Unfit> {
    let nobody = || Fatal::CorruptStorage("a node that belongs to no cluster has nothing to go on with".into());
    let ours = load_membership(own)?.ok_or_else(nobody)?;
    let theirs = load_membership(copy)?.ok_or_else(nobody)?;
    if theirs.cluster != ours.cluster {
        return Err(Unfit::OtherCluster);
    }
    if theirs.membership.removed.contains(&node) {
        return Err(Unfit::Removed(theirs.membership.epoch));
    }
    if theirs.membership.epoch < ours.membership.epoch {
        let (theirs, ours) = (theirs.membership.epoch.0, ours.membership.epoch.0);
        return Err(Unfit::Behind(format!("it is in epoch {theirs}, this one in {ours}")));
    }
    Ok(())
}

/// Votes on what `held` does not cover, with the records they are on.
fn keep_votes(own: &dyn Storage, held: &VersionVector, copy: &mut dyn Storage) -> Result<(), Fatal> {
    let mut from = Vec::new();
    loop {
        let votes = own.scan(Table::Ballot, &from, CHUNK)?;
        let Some((last, _)) = votes.last() else { return Ok(()) };
        from = last.clone();
        from.push(0);
        for (key, vote) in votes {
            let Some(txn) = TxnId::from_bytes(&key) else {
                return Err(Fatal::CorruptStorage("ballot: key length".into()));
            };
            if held.contains(txn) {
                continue;
            }
            copy.put(Table::Ballot, &key, &vote)?;
            if let Some(record) = own.get(Table::Record, &key)? {
                copy.put(Table::Record, &key, &record)?;
            }
        }
    }
}

/// What a node has recorded and the copy has not, in the order it was recorded in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    commits: Vec<Shipped>,
    aborted: Vec<AbortedRange>,
}

impl Kept {
    fn read(own: &dyn Storage, log: &Log, is_there: impl Fn(TxnId) -> bool) -> Result<Kept, Fatal> {
        let mut kept = Kept::default();
        let mut seq = log.checkpoint().first;
        loop {
            let entries = log.entries(own, seq, CHUNK)?;
            let Some((last, _)) = entries.last() else { return Ok(kept) };
            seq = last + 1;
            for (_, entry) in entries.into_iter().filter(|(_, entry)| !is_there(entry.txn)) {
                let TxnId { origin, sequence } = entry.txn;
                let record: Option<Record> = load(own, Table::Record, &entry.txn.to_bytes())?;
                match (log.outcome(own, entry.txn)?.map(|r| r.outcome), record) {
                    (Some(Outcome::Commit { stamp, after }), Some(record)) => {
                        kept.commits.push(Shipped { record: Arc::new(record), stamp, after });
                    }
                    (Some(Outcome::Abort), _) => {
                        kept.aborted.push(AbortedRange { origin, first: sequence, last: sequence });
                    }
                    (Some(Outcome::Commit { .. }), None) | (None, _) => {
                        let what = format!("{} has a place in the log, but no outcome or no record", entry.txn);
                        return Err(Fatal::CorruptStorage(what));
                    }
                }
            }
        }
    }
}

impl Node {
    /// Records what this node has kept of its earlier state, and ends what an epoch it has not seen has left behind.
    pub(crate) fn take_kept(&mut self, io: &mut Io<'_>, kept: Kept) -> Result<(), Fatal> {
        // Whatever the clock says by now: what was not taken would count as never written, and end as an abort.
        // Dependencies of a commit may be aborts: the order among the two does not matter, that all are here does.
        self.on_sync_records(io, kept.commits, kept.aborted)?;
        self.end_older_epochs(io, TxnId::default())
    }

    /// What this node has recorded.
    fn vector(&self) -> &VersionVector {
        &self.log.vector
    }
}
