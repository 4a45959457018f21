//! Progress reports and the stable watermark.
//!
//! A voter reports, atomically, `low` (no transaction it takes part in can still commit at or below it) and its
//! vector. One full set of reports, of all voters of one epoch, gives a *candidate*: the least `low`, and the join of
//! the vectors. Once every voter's vector covers that join, everything up to the candidate is applied everywhere: it
//! becomes the watermark (DESIGN rules 12 to 14).

use crate::core::effect::{Effect, Published};
use crate::core::fault::Fatal;
use crate::core::log::Rules;
use crate::core::merge::remnant;
use crate::core::message::{Message, Record, Report};
use crate::core::node::{Io, Node};
use crate::core::planted::Bug;
use crate::core::replicate::conflicts::prune_conflicts;
use crate::core::replicate::lag::Lag;
use crate::core::storage::Storage;
use crate::types::{Epoch, Hlc, Mono, NodeId, Snapshot, VersionVector, Versions};
use std::collections::{BTreeMap, VecDeque};

/// What is known of everyone's progress.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    reports: BTreeMap<NodeId, Report>,
    candidate: Option<(Hlc, VersionVector)>,
    pub watermark: Hlc,
    /// Key states up to here may be dropped: see [`Progress::rise`].
    pub settled: Hlc,
    /// The last watermarks made of reports here, in this epoch, oldest first.
    generations: VecDeque<Hlc>,
    /// Watermarks with the time they were known, to find the one of a grace period ago.
    history: VecDeque<(Mono, Hlc)>,
    pub next_report: Mono,
    /// How far behind peers are.
    pub lag: Lag,
    /// The oldest snapshot an open transaction here still needs.
    pub oldest_snapshot: Option<Snapshot>,
    published: Hlc,
    /// The highest `low` this node reported, in any life: it accepts no stamp at or below it.
    pub reported: Hlc,
}

impl Progress {
    /// `clock` is above everything that was reported in an earlier life.
    pub fn new(watermark: Hlc, now: Mono, clock: Hlc) -> Progress {
        Progress { watermark, next_report: now, reported: clock, ..Progress::default() }
    }

    pub fn report(&self, node: NodeId) -> Option<&Report> {
        self.reports.get(&node)
    }

    /// A set of reports of different epochs says nothing.
    pub fn epoch_changed(&mut self) {
        self.candidate = None;
        self.generations.clear();
    }

    /// A full set of reports made a new watermark.
    ///
    /// A ONE write above the watermark may not know one below it, and a merge must know both. When a watermark is made,
    /// every voter's report covers what lies below it: whoever writes later knows all that. What was written before is
    /// in the vectors the next watermark waits for. So when that is made, every write that does not know all below
    /// this one is applied everywhere; and one later, every write that does not know one of those. Only then nothing
    /// can arrive whose merge depends on what lies below, not even through a third write, and key states may go.
    fn rise(&mut self, watermark: Hlc) {
        self.watermark = self.watermark.max(watermark);
        self.generations.push_back(watermark);
        if self.generations.len() > 2 {
            self.settled = self.settled.max(self.generations.pop_front().unwrap_or_default());
        }
    }
}

impl Node {
    /// This node's own report.
    pub(crate) fn own_report(&mut self) -> Report {
        let clock = self.clock.catch_up(self.now.wall);
        let mut low = clock;
        if !self.config.planted.has(Bug::WatermarkIgnoresIntents) {
            for live in self.live.values() {
                if let Some(prepared) = live.prepared {
                    low = low.min(prepared);
                }
            }
        }
        self.progress.reported = self.progress.reported.max(low);
        Report {
            epoch: self.membership.epoch,
            low,
            vector: self.log.vector.clone(),
            watermark: self.progress.watermark,
            settled: self.progress.settled,
            newest: self.config.versions.newest,
        }
    }

    pub(crate) fn tick_progress(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        let now = self.now.mono;
        if self.progress.next_report > now {
            return Ok(());
        }
        self.progress.next_report = now.after(self.config.timing.report_interval);
        if self.membership.voters.is_empty() {
            return Ok(());
        }
        let report = self.own_report();
        self.progress.lag.remember(now, &report.vector);
        self.take_report(self.id, report.clone());
        // Who knows that it was removed serves nobody (rule 21): it must not offer what it has either.
        if !self.membership.removed.contains(&self.id) {
            for node in self.peers.replicas(&self.membership, self.id) {
                self.send(io, node, Message::Report(report.clone()));
                #[cfg(feature = "next-version")]
                if self.version() >= crate::types::Versions::BUILD.newest {
                    self.send(io, node, Message::Novelty);
                }
            }
        }
        self.check_pending_changes(io);
        self.raise_version(io)?;
        self.forget(io)
    }

    pub(crate) fn on_report(&mut self, io: &mut Io<'_>, from: NodeId, report: Report) {
        self.progress.lag.heard(from, &report.vector);
        self.sync.hear(&report.vector, report.epoch);
        if report.epoch > self.membership.epoch {
            self.sync.want(self.now.mono, from);
        }
        // A watermark computed elsewhere holds here only if everything its computer had applied is applied here.
        let covered = self.log.vector.covers(&report.vector) || self.config.planted.has(Bug::WatermarkAdoptedBlindly);
        if report.watermark > self.progress.watermark && covered && report.epoch <= self.membership.epoch {
            self.progress.watermark = report.watermark;
        }
        if covered && report.epoch <= self.membership.epoch {
            self.progress.settled = self.progress.settled.max(report.settled);
        }
        if self.membership.is_voter(from) {
            self.take_report(from, report);
            self.check_pending_changes(io);
        }
    }

    fn take_report(&mut self, from: NodeId, report: Report) {
        let progress = &mut self.progress;
        progress.reports.insert(from, report);
        if !self.membership.is_voter(self.id) {
            return;
        }
        let planted = self.config.planted;
        let epoch: Epoch = self.membership.epoch;
        let voters = || self.membership.voters.keys();
        let full: Option<Vec<&Report>> =
            voters().map(|v| progress.reports.get(v).filter(|r| r.epoch == epoch)).collect();
        let Some(full) = full else { return };
        let covered = |join: &VersionVector| full.iter().all(|r| r.vector.covers(join));
        let risen = match &progress.candidate {
            Some((low, join)) if covered(join) || planted.has(Bug::WatermarkWithoutVectors) => Some(*low),
            Some(_) => return,
            None => None,
        };
        let low = full.iter().map(|r| r.low).min();
        let mut join = VersionVector::new();
        full.iter().for_each(|r| join.join(&r.vector));
        if let Some(watermark) = risen {
            progress.rise(watermark);
        }
        progress.candidate = low.map(|low| (low, join));
    }

    /// Drops what lies below the watermark: key states after a grace period, records after their retention. Of what is
    /// older than the longest retention all goes that no key state rests on, though a voter may lack it.
    fn forget(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        self.publish_watermark(io);
        let now = self.now.mono;
        let timing = &self.config.timing;
        let visible = self.log.everything_applied_up_to();
        let progress = &mut self.progress;
        if progress.history.back().is_none_or(|(_, w)| *w < progress.watermark) {
            progress.history.push_back((now, progress.watermark));
        }
        let mut horizon = Hlc::ZERO;
        while let Some((at, watermark)) = progress.history.front() {
            if now.since(*at) < timing.grace {
                break;
            }
            horizon = *watermark;
            progress.history.pop_front();
        }
        if horizon > Hlc::ZERO {
            // The next look needs this one too.
            progress.history.push_front((Mono(now.0.saturating_sub(timing.grace.0)), horizon));
        }
        if let Some(oldest) = progress.oldest_snapshot {
            horizon = horizon.min(oldest.watermark);
        }
        horizon = horizon.min(visible).min(progress.settled);
        let watermark = progress.watermark;
        self.keys.drop_below(io.store, horizon)?;
        self.keys.spill(io.store, self.config.limits.key_states)?;
        let marks = (watermark, self.keys.horizon());
        self.log.maybe_checkpoint(io.store, self.config.limits.checkpoint_entries, marks)?;
        let wall = self.clock.last().millis();
        let age = |span: crate::types::Span| Hlc::from_millis(wall.saturating_sub(span.as_millis()));
        let below = self.keys.horizon().min(age(timing.retention_min));
        let limit = self.log.quota();
        let (reports, voters, own) = (&self.progress.reports, &self.membership.voters, self.id);
        let covered = |txn| voters.keys().all(|v| *v == own || reports.get(v).is_some_and(|r| r.vector.contains(txn)));
        self.log.drop_old(io.store, below, marks, limit, covered)?;
        let very_old = age(timing.retention_max);
        self.compact(io, very_old, marks, limit)?;
        prune_conflicts(io.store, very_old)
    }

    /// Compacts what is older than the longest retention: while a voter is away, everything since.
    fn compact(&mut self, io: &mut Io<'_>, until: Hlc, marks: (Hlc, Hlc), limit: usize) -> Result<(), Fatal> {
        if self.version() < Versions::COMPACTED_LOGS {
            return Ok(());
        }
        let (list, keys, planted) = (&self.membership, &self.keys, self.config.planted);
        let others = list.voters.keys().filter(|v| **v != self.id).filter_map(|v| self.progress.reports.get(v));
        let covered: Vec<VersionVector> =
            others.map(|r| r.vector.clone()).filter(|v| self.log.vector.covers(v)).collect();
        let own = usize::from(list.is_voter(self.id));
        let held = |txn| {
            let holders = own + covered.iter().filter(|vector| vector.contains(txn)).count();
            holders >= list.quorum() || planted.has(Bug::UnsharedDropped)
        };
        let remnant = |store: &dyn Storage, record: &Record, stamp| match planted.has(Bug::RemnantsDropped) {
            true => Ok(None),
            false => remnant(keys, store, record, stamp),
        };
        let now = self.clock.last();
        self.log.compact(io.store, marks, limit, &Rules { until, now, held: &held, remnant: &remnant })
    }

    /// Tells sessions the watermark that holds for snapshots of the files: they may lag behind the log, and no key state
    /// may count as dropped that tells of a commit they have not.
    pub(crate) fn publish_watermark(&mut self, io: &mut Io<'_>) {
        let progress = &mut self.progress;
        if progress.published == progress.watermark {
            return;
        }
        let publish = progress.watermark.min(self.log.everything_applied_up_to());
        if publish > progress.published {
            progress.published = publish;
            io.out.push(Effect::Publish(Published::Watermark(publish)));
        }
    }
}
