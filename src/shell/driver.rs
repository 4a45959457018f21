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
//! recovers from what the last commit made durable.
//!
//! Links to peers run on the same thread. It gives them a turn after each flush and before each wait.

use super::applier::{SharedApplier, reports_of};
use super::clock::SystemClock;
use super::frame::{Header, encode_message};
use super::link::Links;
use crate::core::message::{Envelope, Message};
use crate::core::{
    ApplyTask, Destination, Effect, Effects, Fatal, Input, Legacy, Node, Notice, Published as Publish, Response,
};
use crate::session::{CoreCall, Published};
use crate::sqlite::Store;
use crate::types::{ApplySeq, ClientId, Mono, RowImage, RowKey, Snapshot, Span, TxnId};
use std::collections::BTreeMap;
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
    /// The applier failed: the process must end.
    Failed(Fatal),
    /// Bring everything durable into `marmot.db`.
    Fold(oneshot::Sender<Folded>),
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

/// Owner of the core.
pub struct Driver {
    node: Node,
    store: Store,
    clock: SystemClock,
    links: Links,
    published: Arc<Published>,
    channels: Channels,
    clients: BTreeMap<ClientId, oneshot::Sender<Response>>,
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
    draining: bool,
    leaving: bool,
    /// Who waits for a fold.
    folds: Vec<oneshot::Sender<Folded>>,
    /// What the cluster spoke when that was looked at last.
    version: u8,
}

impl Driver {
    /// A driver for a node opened in `store`; `effects` are those of opening it.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        node: Node,
        store: Store,
        clock: SystemClock,
        links: Links,
        published: Arc<Published>,
        channels: Channels,
        applier: SharedApplier,
        applied: ApplySeq,
        has_room: Box<dyn FnMut() -> bool + Send>,
    ) -> Driver {
        published.set_applied(applied);
        Driver {
            node,
            store,
            clock,
            links,
            published,
            channels,
            clients: BTreeMap::new(),
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
            draining: false,
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
                self.fold()?;
            }
            if self.commit_at.is_none() {
                self.dispatch(effects.drain());
            }
            self.check_membership()?;
            self.check_version()?;
            let done = match self.leaving {
                true => self.node.has_left(),
                false => self.draining && self.node.is_drained(),
            };
            if done && self.clients.is_empty() {
                tracing::info!(status = %self.node.status(), "drained");
                self.store.commit()?;
                self.dispatch(effects.drain());
                self.hand_out(true)?;
                self.flush(true);
                yield_now().await;
                return self.store.fold();
            }
        }
    }

    /// Brings everything into `marmot.db`, rounds held included, for those who asked.
    fn fold(&mut self) -> Result<(), Fatal> {
        self.commit_at = None;
        self.store.commit()?;
        self.store.fold()?;
        for reply in self.folds.drain(..) {
            // Whoever asked may be gone.
            let _ = reply.send(Folded { log_is_whole: self.node.log_is_whole(), legacy: self.node.legacy() });
        }
        Ok(())
    }

    /// Waits for the first input or the next deadline, then takes what else is there.
    async fn wait(&mut self, batch: &mut Vec<Event>) {
        self.deadline = self.node.next_deadline();
        if !self.done.is_empty() {
            batch.extend(self.done.drain(..).map(Event::Report));
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

    /// Now and then: open snapshots, room on disk.
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
        self.store.set_has_room(keeps_up && (self.has_room)());
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
        self.store.commit()
    }

    /// Runs the core on a batch. True: it wrote something, and nothing that everything rests on.
    fn steps(&mut self, batch: &mut Vec<Event>, effects: &mut Effects) -> Result<bool, Fatal> {
        let mut round = self.store.begin();
        let tick = self.deadline.take_if(|at| *at <= self.clock.now().mono).is_some();
        for event in batch.drain(..).chain(tick.then_some(Event::Input(Input::Tick))) {
            let input = match event {
                Event::Input(input) => input,
                Event::Call(CoreCall::Request { client, request, reply }) => {
                    self.clients.insert(client, reply);
                    Input::Request(client, request)
                }
                Event::Call(CoreCall::Gone(client)) => {
                    self.clients.remove(&client);
                    Input::ClientGone(client)
                }
                Event::Report(Report::Applied(seq)) => {
                    self.applied = seq;
                    // Before the core answers a client: its next snapshot must include what it committed.
                    self.published.set_applied(seq);
                    Input::Applied(seq)
                }
                Event::Report(Report::Synced(seq)) => Input::Synced(seq),
                Event::Report(Report::Evicted { winner, row, image }) => Input::Evicted { winner, row, image },
                Event::Report(Report::Failed(fatal)) => return Err(fatal),
                Event::Report(Report::Fold(reply)) => {
                    self.folds.push(reply);
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
            self.node.step(self.clock.now(), input, &mut round, effects)?;
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
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.send(&to, message),
                Effect::Reply(client, response) => {
                    if let Some(reply) = self.clients.remove(&client) {
                        // A session that is gone does not want to know.
                        let _ = reply.send(response);
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
                    if let Notice::PeerDown(_, address) = &notice {
                        self.links.hang_up(address);
                    }
                    log(&notice);
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
            self.store.set_version(version)?;
            tracing::info!(version, "the version of the cluster");
            self.version = version;
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
    let Envelope { from, from_address, clock, .. } = node.envelope(Message::Leaving);
    Header { from, from_address, clock }
}

fn log(notice: &Notice) {
    match notice {
        Notice::PeerUp(node, address) => tracing::info!(%node, %address, "peer is alive"),
        Notice::PeerDown(node, address) => tracing::warn!(%node, %address, "peer is dead"),
        Notice::PeerFault(fault) => tracing::warn!(%fault, "message from a peer dropped"),
        Notice::Joining(what) => tracing::info!("joining: {what}"),
        Notice::EpochChanged { epoch, voters } => {
            let voters: Vec<String> = voters.iter().map(ToString::to_string).collect();
            tracing::info!(epoch = epoch.0, voters = voters.join(" "), "member list changed");
        }
        Notice::Recovering { txn, ballot } => tracing::info!(%txn, ballot, "recovering a transaction"),
        Notice::Conflict { table, winner, loser } => {
            tracing::info!(%table, %winner, %loser, "a merge discarded a value; see marmot.conflicts");
        }
        Notice::NeedsSnapshot { origin, sequence } => {
            tracing::error!(
                %origin,
                sequence,
                "no peer's log reaches back far enough to bring this node up to date: remove it on another node (ALTER \
                 CLUSTER REMOVE NODE), and start it with an empty data directory and seeds"
            );
        }
        Notice::ClockAhead { peer, ahead_ms } => tracing::warn!(%peer, ahead_ms, "clock of a peer is ahead"),
        Notice::Stopped(why) => tracing::error!("stopped: {why}"),
    }
}
