//! The driver: the one task that owns the core and its storage.
//!
//! ```text
//!  loop:  inputs (at most BATCH_MAX, or until the node's next deadline)
//!         begin round → step, step, step … → commit round (one disk sync) → dispatch effects
//! ```
//!
//! What others hear is durable: nothing that depends on the round leaves the node before the commit returned. What
//! depends on nothing in it goes ahead, so that peers' disks work while ours does. If then nobody waits for the rest,
//! the round is held for a moment: the next one's sync is its sync too. A failed commit ends the process: a restart
//! recovers from what the last commit made durable. Only a full disk is waited for ([`standstill`]).
//!
//! Links to peers run on the same thread. It gives them a turn after each flush and before each wait.

mod standstill;

use self::standstill::{Standstill, Waiting};
use super::applier::{SharedApplier, reports_of};
use super::clock::SystemClock;
use super::frame::{Header, encode_message};
use super::link::Links;
use super::log_limit::LogLimit;
use super::metrics::Metrics;
use super::participation::Participation;
use super::phases::Phases;
use super::spans::Spans;
use super::trace;
use crate::core::message::{Envelope, Message};
use crate::core::{
    ApplyTask, Destination, Effect, Effects, Fatal, Input, Legacy, Node, Notice, PeerFault, Published as Publish,
    Settling,
};
use crate::session::{CoreCall, Published};
use crate::sqlite::DataDir;
use crate::sqlite::Store;
use crate::types::{ApplySeq, ClientId, DatabaseName, Mono, NodeId, RowImage, RowKey, Snapshot, Span, TxnId};
use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::yield_now;
use tokio::time::sleep_until;

/// Inputs handled in one round at most.
const BATCH_MAX: usize = 1024;
/// How often, at most, the driver looks for more to do before it waits for the disk.
const LOOKS: usize = 4;
/// How often the oldest open snapshot and the room on disk are looked at.
const LOOK_EVERY: Span = Span::from_millis(500);
/// How long a message or a round that can wait for company does so at most.
const COMPANY: Span = Span::from_millis(2);
/// Tasks the applier may lag behind before this node takes no new work from others.
const APPLIER_LAG: u64 = 20_000;

/// What reaches the driver, besides peers' envelopes and sessions' calls.
#[derive(Debug)]
pub enum Report {
    /// The applier made everything up to here visible.
    Applied(ApplySeq),
    /// … and durable in the files.
    Synced(ApplySeq),
    /// A row gave way to a later one with the same unique value.
    Evicted { winner: TxnId, row: RowKey, image: RowImage },
    /// The files found no room on the disk and wait for it, or do so no more.
    FilesFull(bool),
    /// The applier failed: the process must end.
    Failed(Fatal),
    /// Bring everything durable into `marmot.db`.
    Fold(oneshot::Sender<Folded>),
    /// Say which of these rows may still differ between nodes that are right.
    Settling { database: DatabaseName, rows: Vec<RowKey>, reply: std::sync::mpsc::SyncSender<Settling> },
    /// Have the others take this node's vote, then stop; at once, if there are no others.
    Leave,
    /// Refuse new work, finish what runs, then stop.
    Drain,
}

/// The answer to [`Report::Fold`].
#[derive(Debug)]
pub struct Folded {
    /// The log reaches back to the beginning.
    pub log_is_whole: bool,
    pub legacy: Legacy,
}

/// The driver's ends of its channels.
pub struct Channels {
    pub calls: mpsc::Receiver<CoreCall>,
    pub envelopes: mpsc::Receiver<Vec<Envelope>>,
    pub reports: mpsc::UnboundedReceiver<Report>,
    pub tasks: mpsc::UnboundedSender<Vec<ApplyTask>>,
    /// Becomes true once this node is a voting member and nothing recovered is left to apply.
    pub ready: watch::Sender<bool>,
}

/// What a driver works with.
pub struct DriverParts {
    /// Opened in `store`.
    pub node: Node,
    pub store: Store,
    pub clock: SystemClock,
    pub links: Links,
    pub published: Arc<Published>,
    pub metrics: Arc<Metrics>,
    pub channels: Channels,
    pub applier: SharedApplier,
    /// The place up to which the database files go.
    pub applied: ApplySeq,
    /// Whether the disk has room for new work.
    pub has_room: Box<dyn FnMut() -> bool + Send>,
    pub data: DataDir,
    /// How long a write waits for room on the disk.
    pub write_timeout: Span,
    /// Where single transactions are followed to, if they are.
    pub spans: Option<Arc<Spans>>,
}

/// Owner of the core.
pub struct Driver {
    node: Node,
    store: Store,
    clock: SystemClock,
    links: Links,
    published: Arc<Published>,
    metrics: Arc<Metrics>,
    phases: Phases,
    participation: Option<Participation>,
    channels: Channels,
    clients: BTreeMap<ClientId, Waiting>,
    standstill: Standstill,
    said: LogLimit<(NodeId, Option<Discriminant<PeerFault>>)>,
    oldest: Option<Snapshot>,
    next_look: Mono,
    /// The message encoded last.
    encoded: Option<(Message, Vec<u8>)>,
    /// When the node wants a tick.
    deadline: Option<Mono>,
    /// When messages that wait for company are sent anyway.
    flush_at: Option<Mono>,
    /// When rounds held are committed anyway.
    commit_at: Option<Mono>,
    applier: SharedApplier,
    /// Others' transactions that wait for company on their way to the applier, and until when.
    tasks: Vec<ApplyTask>,
    apply_at: Option<Mono>,
    /// The last task handed to the applier's own thread.
    beside: ApplySeq,
    /// What was applied here, for the next round.
    done: Vec<Report>,
    handed_out: ApplySeq,
    applied: ApplySeq,
    has_room: Box<dyn FnMut() -> bool + Send>,
    data: DataDir,
    draining: bool,
    /// Why it must stop, when what was under way is done.
    stop: Option<Fatal>,
    leaving: bool,
    /// Who waits for a fold.
    folds: Vec<oneshot::Sender<Folded>>,
    /// What the cluster spoke when that was looked at last.
    version: u8,
}

impl Driver {
    /// A driver that has done nothing yet.
    pub fn new(parts: DriverParts) -> Driver {
        let DriverParts { node, store, clock, links, published, metrics, channels, applier, applied, .. } = parts;
        let DriverParts { has_room, data, write_timeout, spans, .. } = parts;
        published.set_applied(applied);
        let participation = spans.clone().map(|spans| Participation::new(node.id(), spans));
        let phases = Phases::new(node.id(), metrics.clone(), spans);
        Driver {
            node,
            store,
            clock,
            links,
            published,
            metrics,
            phases,
            participation,
            channels,
            clients: BTreeMap::new(),
            standstill: Standstill::new(write_timeout),
            said: LogLimit::default(),
            oldest: None,
            next_look: Mono(0),
            encoded: None,
            deadline: None,
            flush_at: None,
            commit_at: None,
            applier,
            tasks: Vec::new(),
            apply_at: None,
            beside: applied,
            done: Vec::new(),
            handed_out: applied,
            applied,
            has_room,
            data,
            draining: false,
            stop: None,
            leaving: false,
            folds: Vec::new(),
            version: 0,
        }
    }

    /// Runs until drained or until something fatal. `effects` are those of opening the node, already durable.
    pub async fn run(mut self, mut effects: Effects) -> Result<(), Fatal> {
        self.dispatch(effects.drain());
        let mut batch = Vec::new();
        loop {
            self.flush(false);
            let done = match self.hand_out(false) {
                Ok(()) => {
                    yield_now().await;
                    self.wait(&mut batch).await;
                    self.look(&mut batch);
                    self.round(&mut batch, &mut effects).await
                }
                Err(fatal) => Err(fatal),
            };
            if let Err(fatal) = done {
                tracing::error!(error = %fatal, "stopping: a restart recovers from what is durable");
                return Err(fatal);
            }
            if !self.folds.is_empty() {
                self.fold().await?;
            }
            if self.commit_at.is_none() {
                self.dispatch(effects.drain());
            }
            self.check_membership()?;
            self.check_version()?;
            if let Some(fatal) = self.stop.take() {
                return Err(fatal);
            }
            let done = match self.leaving {
                true => self.node.has_left(),
                false => self.draining && self.node.is_drained(),
            };
            if done && self.clients.is_empty() {
                tracing::info!(status = %self.node.status(), "drained");
                self.commit().await?;
                self.dispatch(effects.drain());
                self.hand_out(true)?;
                self.flush(true);
                yield_now().await;
                return match self.store.fold() {
                    // All of it is in the log, which the next start reads.
                    Err(Fatal::DiskFull) => Ok(()),
                    folded => folded,
                };
            }
        }
    }

    /// Brings everything into `marmot.db`, rounds held included, for those who asked.
    async fn fold(&mut self) -> Result<(), Fatal> {
        self.commit_at = None;
        self.commit().await?;
        match self.store.fold() {
            Ok(()) => {}
            Err(Fatal::DiskFull) => {
                // Whoever asked hears that there is no answer.
                self.folds.clear();
                return Ok(());
            }
            Err(fatal) => return Err(fatal),
        }
        for reply in self.folds.drain(..) {
            // Whoever asked may be gone.
            let _ = reply.send(Folded { log_is_whole: self.node.log_is_whole(), legacy: self.node.legacy() });
        }
        Ok(())
    }

    /// Waits for the first input or the next deadline, then takes what else is there.
    async fn wait(&mut self, batch: &mut Vec<Event>) {
        self.deadline = self.node.next_deadline();
        batch.append(&mut self.standstill.missed);
        batch.extend(self.done.drain(..).map(Event::Report));
        if !batch.is_empty() {
            return self.gather(batch);
        }
        let mut deadline = self.deadline.unwrap_or(self.next_look).min(self.next_look);
        for at in [self.flush_at, self.commit_at, self.apply_at].into_iter().flatten() {
            deadline = deadline.min(at);
        }
        let at = self.clock.instant(deadline);
        tokio::select! {
            biased;
            Some(report) = self.channels.reports.recv() => batch.push(Event::Report(report)),
            Some(envelopes) = self.channels.envelopes.recv() => batch.extend(envelopes.into_iter().map(message)),
            Some(call) = self.channels.calls.recv() => batch.push(Event::Call(call)),
            _ = sleep_until(at) => {}
        }
        self.gather(batch);
    }

    /// Takes what is there.
    fn gather(&mut self, batch: &mut Vec<Event>) {
        while batch.len() < BATCH_MAX {
            if let Ok(report) = self.channels.reports.try_recv() {
                batch.push(Event::Report(report));
            } else if let Ok(envelopes) = self.channels.envelopes.try_recv() {
                batch.extend(envelopes.into_iter().map(message));
            } else if let Ok(call) = self.channels.calls.try_recv() {
                batch.push(Event::Call(call));
            } else {
                break;
            }
        }
    }

    /// Now and then: open snapshots, room on disk, damage.
    fn look(&mut self, batch: &mut Vec<Event>) {
        let now = self.clock.now().mono;
        if now < self.next_look {
            return;
        }
        self.next_look = now.after(LOOK_EVERY);
        let oldest = self.published.oldest();
        if oldest != self.oldest {
            self.oldest = oldest;
            batch.push(Event::Input(Input::OldestSnapshot(oldest)));
        }
        let keeps_up = self.handed_out.saturating_sub(self.applied) < APPLIER_LAG;
        let backlog = self.handed_out.saturating_sub(self.applied);
        self.metrics.backlog.set(i64::try_from(backlog).unwrap_or(i64::MAX));
        self.store.set_has_room(keeps_up && !self.standstill.files_are_full && (self.has_room)());
        if self.data.is_damaged() {
            self.stop = Some(Fatal::Damaged("a statement met a page that SQLite did not write".into()));
        }
        if self.standstill.files_are_full {
            self.give_up_waiting();
            batch.append(&mut self.standstill.missed);
        }
    }

    /// Steps through what is there, and makes it durable if somebody waits for that.
    async fn round(&mut self, batch: &mut Vec<Event>, effects: &mut Effects) -> Result<(), Fatal> {
        for _ in 0..LOOKS {
            if !self.steps(batch, effects)? {
                break;
            }
            let early = effects.take_early();
            self.dispatch(early.into_iter());
            self.links.flush(&header(&self.node), false);
            let now = self.clock.now().mono;
            let commit_at = *self.commit_at.get_or_insert(now.after(COMPANY));
            if now < commit_at && !effects.are_urgent(self.node.id()) {
                return Ok(());
            }
            // On a busy machine others get to say what they were about to, and share the sync; on an idle one this
            // takes no time.
            std::thread::yield_now();
            yield_now().await;
            self.gather(batch);
            if batch.is_empty() {
                break;
            }
        }
        self.commit_at = None;
        self.commit().await
    }

    /// Runs the core on a batch. True: it wrote something, and nothing that everything rests on.
    fn steps(&mut self, batch: &mut Vec<Event>, effects: &mut Effects) -> Result<bool, Fatal> {
        let mut round = self.store.begin();
        self.metrics.inputs.inc_by(batch.len() as u64);
        let tick = self.deadline.take_if(|at| *at <= self.clock.now().mono).is_some();
        for event in batch.drain(..).chain(tick.then_some(Event::Input(Input::Tick))) {
            let input = match event {
                Event::Input(input) => input,
                Event::Call(CoreCall::Request { client, request, reply }) => {
                    let now = self.clock.now().mono;
                    self.phases.asked(now, client, &request);
                    let waiting = Waiting::new(reply, &request, now);
                    self.clients.insert(client, waiting);
                    self.standstill.latest = self.standstill.latest.max(client);
                    Input::Request(client, request)
                }
                Event::Call(CoreCall::Gone(client)) => {
                    self.clients.remove(&client);
                    self.phases.gone(client);
                    Input::ClientGone(client)
                }
                Event::Report(Report::Applied(seq)) => {
                    self.applied = seq;
                    let now = self.clock.now().mono;
                    self.phases.applied(now, seq);
                    self.participation.iter_mut().for_each(|p| p.applied(now, seq));
                    // Before the core answers a client: its next snapshot must include what it committed.
                    self.published.set_applied(seq);
                    Input::Applied(seq)
                }
                Event::Report(Report::Synced(seq)) => Input::Synced(seq),
                Event::Report(Report::Evicted { winner, row, image }) => Input::Evicted { winner, row, image },
                Event::Report(Report::FilesFull(are_full)) => {
                    self.standstill.files_are_full(are_full);
                    if are_full {
                        round.refuse_work();
                    }
                    continue;
                }
                Event::Report(Report::Failed(fatal)) => return Err(fatal),
                Event::Report(Report::Fold(reply)) => {
                    self.folds.push(reply);
                    continue;
                }
                Event::Report(Report::Settling { database, rows, reply }) => {
                    // Whoever asked may be gone.
                    let _ = reply.try_send(self.node.settling(&round, &database, &rows)?);
                    continue;
                }
                Event::Report(Report::Leave) if self.node.can_leave() => {
                    self.leaving = true;
                    Input::Leave
                }
                Event::Report(Report::Drain | Report::Leave) => {
                    self.leaving = false;
                    self.draining = true;
                    Input::Drain
                }
            };
            let span = trace::heard(&input);
            let now = self.clock.now();
            self.participation.iter_mut().for_each(|p| p.heard(now.mono, &input));
            span.in_scope(|| self.node.step(now, input, &mut round, effects))?;
        }
        let may_wait = round.is_dirty() && !round.wrote_meta();
        round.hold();
        Ok(may_wait)
    }

    /// Sends what waits; messages that can wait for company only if it is time, or with `all`.
    fn flush(&mut self, all: bool) {
        let now = self.clock.now().mono;
        let all = all || self.flush_at.is_some_and(|at| at <= now);
        let nothing_left = self.links.flush(&header(&self.node), all);
        self.flush_at = if nothing_left { None } else { self.flush_at.or(Some(now.after(COMPANY))) };
    }

    fn dispatch(&mut self, effects: impl Iterator<Item = Effect>) {
        let mut now = None;
        for effect in effects {
            self.metrics.count(&effect);
            let now = *now.get_or_insert_with(|| self.clock.now().mono);
            self.phases.on_effect(now, &effect);
            self.participation.iter_mut().for_each(|p| p.on_effect(now, &effect));
            trace::said(&effect);
            match effect {
                Effect::Send { to, message } => self.send(&to, message),
                Effect::Reply(client, response) => {
                    if let Some(waiting) = self.clients.remove(&client) {
                        waiting.answer(response);
                    }
                }
                Effect::Apply(task) => {
                    self.handed_out = task.seq;
                    if task.txn.origin.node() == self.node.id() {
                        self.apply_at = Some(Mono(0));
                    }
                    self.tasks.push(task);
                }
                Effect::Publish(Publish::Watermark(watermark)) => self.published.set_watermark(watermark),
                Effect::Notice(notice) => {
                    match &notice {
                        Notice::PeerDown(_, address) => self.links.hang_up(address),
                        Notice::NeedsSnapshot { origin, sequence } => {
                            self.stop = Some(Fatal::NeedsSnapshot { origin: *origin, sequence: *sequence });
                        }
                        Notice::Orphaned { txn } => self.stop = Some(Fatal::Orphaned(*txn)),
                        _ => {}
                    }
                    self.log(&notice);
                }
            }
        }
    }

    /// Brings into the files what is due: at once if somebody here waits for it, else after a moment, so that the files
    /// change in fewer and larger steps.
    fn hand_out(&mut self, all: bool) -> Result<(), Fatal> {
        if self.tasks.is_empty() {
            return Ok(());
        }
        let now = self.clock.now().mono;
        let apply_at = *self.apply_at.get_or_insert(now.after(COMPANY));
        if !all && apply_at > now && !self.node.waits_for_applier() {
            return Ok(());
        }
        self.apply_at = None;
        let tasks = std::mem::take(&mut self.tasks);
        if self.beside <= self.applied
            && let Some(applied) = self.applier.apply_small(&tasks)
        {
            self.done.extend(reports_of(applied?));
            return Ok(());
        }
        self.beside = self.handed_out;
        // The applier is gone only when the process is ending.
        let _ = self.channels.tasks.send(tasks);
        Ok(())
    }

    fn send(&mut self, to: &Destination, message: Message) {
        let (Destination::Node { address, .. } | Destination::Address(address)) = to;
        let same = self.encoded.as_ref().is_some_and(|(last, _)| is_same(last, &message));
        if !same {
            let bytes = encode_message(&message);
            self.encoded = Some((message, bytes));
        }
        if let Some((message, bytes)) = &self.encoded {
            self.links.send(address, bytes, !message.can_wait());
        }
    }

    /// Says once that this node can do its work. A node that was removed can not: it ends when the requests that it has
    /// are answered, rather than show its clients what the cluster has long changed.
    fn check_membership(&mut self) -> Result<(), Fatal> {
        match self.node.removed_in() {
            Some(epoch) if self.clients.is_empty() && !self.leaving => return Err(Fatal::Removed(epoch)),
            Some(_) => return Ok(()),
            None => {}
        }
        if !*self.channels.ready.borrow() && self.node.is_voter() && self.applied >= self.handed_out {
            self.channels.ready.send_replace(true);
        }
        Ok(())
    }

    /// What the cluster speaks is in force here: on the links, and in the node's own files.
    fn check_version(&mut self) -> Result<(), Fatal> {
        let version = self.node.version();
        if version > self.version {
            self.links.raise_version(version);
            match self.store.set_version(version) {
                // Said again after the next round. Until then the member list alone refuses an older program.
                Err(Fatal::DiskFull) => return Ok(()),
                said => said?,
            }
            tracing::info!(version, "the version of the cluster");
            self.version = version;
            self.published.set_version(version);
        }
        Ok(())
    }
}

enum Event {
    Input(Input),
    Call(CoreCall),
    Report(Report),
}

fn message(envelope: Envelope) -> Event {
    Event::Input(Input::Message(envelope))
}

/// Whether two messages are one that goes to several peers: large ones are encoded once.
fn is_same(a: &Message, b: &Message) -> bool {
    match (a, b) {
        (Message::Prepare { record: a, claim: claim_a }, Message::Prepare { record: b, claim: claim_b }) => {
            Arc::ptr_eq(a, b) && Arc::ptr_eq(claim_a, claim_b)
        }
        _ => false,
    }
}

fn header(node: &Node) -> Header {
    let Envelope { from, from_address, clock, wall, life, .. } = node.envelope(Message::Leaving);
    Header { from, from_address, clock, wall, life }
}

impl Driver {
    /// What may come with every message is said once a minute, with how often it was not.
    fn log(&self, notice: &Notice) {
        match notice {
            Notice::PeerFault(fault) => {
                if let Some(unsaid) = self.said.admit((fault.sender(), Some(discriminant(fault)))) {
                    tracing::warn!(%fault, unsaid, "message from a peer dropped");
                }
            }
            Notice::ClockAhead { peer, ahead_ms } => {
                if let Some(unsaid) = self.said.admit((*peer, None)) {
                    tracing::warn!(%peer, ahead_ms, unsaid, "what a peer stamped is ahead: it waits");
                }
            }
            Notice::Conflict { table, winner, loser } => {
                if let Some(unsaid) = self.said.admit((self.node.id(), None)) {
                    tracing::info!(%table, %winner, %loser, unsaid, "a merge discarded a value; see marmot.conflicts");
                }
            }
            notice => log(notice),
        }
    }
}

fn log(notice: &Notice) {
    match notice {
        Notice::PeerUp(node, address) => tracing::info!(%node, %address, "peer is alive"),
        Notice::PeerDown(node, address) => tracing::warn!(%node, %address, "peer is dead"),
        Notice::Joining(what) => tracing::info!("joining: {what}"),
        Notice::EpochChanged { epoch, voters } => {
            let voters: Vec<String> = voters.iter().map(ToString::to_string).collect();
            tracing::info!(epoch = epoch.0, voters = voters.join(" "), "member list changed");
        }
        Notice::Recovering { txn, ballot } => tracing::info!(%txn, ballot, "recovering a transaction"),
        Notice::Orphaned { txn } => tracing::warn!(%txn, "a write of a removed node is here alone"),
        Notice::NeedsSnapshot { origin, sequence } => {
            tracing::warn!(%origin, sequence, "no peer's log reaches back far enough to bring this node up to date");
        }
        Notice::WallClock { shows, taken_for } if shows.0.abs_diff(taken_for.0) < 100 => {
            tracing::info!("the clock of this machine is that of the others again")
        }
        Notice::WallClock { shows, taken_for } => {
            let off_ms = i128::from(shows.0) - i128::from(taken_for.0);
            tracing::warn!(
                off_ms,
                "the clock of this machine is wrong: a majority of the voters show another; set it right"
            )
        }
        // Said by the driver, not each time.
        Notice::PeerFault(_) | Notice::ClockAhead { .. } | Notice::Conflict { .. } => {}
        Notice::Stopped(why) => tracing::error!("stopped: {why}"),
    }
}
