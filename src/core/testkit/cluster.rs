//! A few nodes, a network that holds every message until told, and rows as the applier would leave them.

use super::MemStorage;
use super::judge::Judge;
use crate::core::log::{Entry, Log};
use crate::core::message::{Body, Envelope, Message, Record};
use crate::core::storage::load;
use crate::core::{
    ApplyTask, Bug, Config, Destination, Effect, Effects, Input, LoggedConflict, Node, Notice, PeerStatus, Planted,
    Refusal, Request, Response, Storage, Table, decode, renew,
};
use crate::types::{
    ApplySeq, ClientId, ColumnId, ColumnSet, Ddl, IndexId, Key, KeyAccess, Mode, Mono, NodeId, Now, RowChange,
    RowImage, RowKey, RowOp, Snapshot, Span, Stamp, TableChanges, TableId, TxnId, UniqueValue, Value, Wall, WriteLevel,
    WriteSet,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Virtual time starts here, in milliseconds since the epoch.
const START_MS: u64 = 1_800_000_000_000;

/// Where all rows are.
const DATABASE: &str = "d";

/// How a row is written.
#[derive(Default)]
pub struct Write {
    pub level: WriteLevel,
    /// As every statement of a session does.
    pub holds_schema: bool,
    /// With the precedence of a client that was refused.
    pub again: Option<ClientId>,
}

pub struct Machine {
    node: Option<Node>,
    store: MemStorage,
    pub rows: BTreeMap<Arc<[u8]>, RowImage>,
    pub applied: ApplySeq,
    watermark: crate::types::Hlc,
    config: Config,
    lives: u64,
    /// How far its wall clock is ahead, in milliseconds.
    ahead_ms: u64,
}

#[derive(Default)]
pub struct Cluster {
    pub machines: BTreeMap<NodeId, Machine>,
    pub network: Vec<(NodeId, NodeId, Envelope)>,
    cut: BTreeSet<(NodeId, NodeId)>,
    /// Nodes whose messages are under way until released.
    held: BTreeSet<NodeId>,
    /// Appliers that fell behind, and the last thing each was given.
    stalled: BTreeMap<NodeId, Option<ApplySeq>>,
    clock: u64,
    clients: u64,
    /// How long the log is kept, in milliseconds, if not as usual.
    pub retention: Option<u64>,
    /// Column `a` has a unique index.
    pub unique: bool,
    /// The precedence of clients that were refused, and the schema locks that were granted.
    precedence: BTreeMap<ClientId, Stamp>,
    locks: BTreeMap<NodeId, (ClientId, TxnId)>,
    pub log: Vec<String>,
    /// A rule switched off on every node.
    pub bug: Option<Bug>,
    judge: Judge,
}

fn schema(mode: Mode) -> KeyAccess {
    KeyAccess { key: Key::Schema(DATABASE.into()), mode }
}

fn address(node: NodeId) -> Arc<str> {
    node.to_string().into()
}

impl Cluster {
    fn now(&self, id: NodeId) -> Now {
        let ahead_ms = self.machines.get(&id).map_or(0, |m| m.ahead_ms);
        Now { mono: Mono(self.clock * 1_000_000), wall: Wall(START_MS + self.clock + ahead_ms) }
    }

    fn create(&mut self, id: NodeId) {
        let seeds = if id.0 == 1 { vec![] } else { vec![address(NodeId(1))] };
        let mut config = Config::new(id, address(id), seeds);
        config.planted = self.bug.map_or(Planted::none(), Planted::only);
        if let Some(ms) = self.retention {
            (config.timing.retention_min, config.timing.retention_max) = (Span::from_millis(ms), Span::from_millis(ms));
        }
        let machine = Machine {
            node: None,
            store: MemStorage::default(),
            rows: BTreeMap::new(),
            applied: 0,
            watermark: Default::default(),
            config,
            lives: 0,
            ahead_ms: 0,
        };
        self.machines.insert(id, machine);
        self.restart(id);
    }

    /// Starts `count` nodes; the first bootstraps, the others join and are admitted.
    pub fn start(&mut self, count: u64) {
        for id in (1..=count).map(NodeId) {
            self.create(id);
        }
        for _ in 0..200 {
            self.advance(50);
            self.settle();
            if self
                .machines
                .values()
                .all(|m| m.node.as_ref().is_some_and(|n| n.membership().voters.len() == count as usize))
            {
                break;
            }
        }
        self.log.clear();
    }

    /// A new node that wants to join.
    pub fn join(&mut self, id: NodeId) {
        self.create(id);
    }

    /// Puts the wall clock of a node ahead.
    pub fn clock_ahead(&mut self, id: NodeId, ms: u64) {
        if let Some(machine) = self.machines.get_mut(&id) {
            machine.ahead_ms = ms;
        }
    }

    /// Lets time pass in small steps, everything being delivered; only answers to clients are told.
    pub fn run(&mut self, ms: u64) {
        let told = self.log.len();
        for _ in 0..ms / 50 {
            self.advance(50);
            self.settle();
        }
        let mut new = self.log.split_off(told);
        new.retain(|line| line.contains(" => "));
        new.dedup();
        self.log.extend(new);
    }

    /// What is wrong, or that all is well. Nodes that were removed do not count.
    pub fn check(&mut self, ended: bool) {
        let running = self.machines.iter().filter_map(|(id, m)| Some((*id, m.node.as_ref()?)));
        let members = running.filter(|(id, n)| !n.membership().removed.contains(id));
        let nodes = members.map(|(id, n)| (id, n.status())).map(|(id, s)| (id, (s.vector, s.intents))).collect();
        self.log.extend(self.judge.check(&nodes, ended));
    }

    pub fn restart(&mut self, id: NodeId) {
        let now = self.now(id);
        let Some(machine) = self.machines.get_mut(&id) else { return };
        machine.lives += 1;
        machine.store.crash();
        // Sessions begin anew and know what the node published since it opened.
        machine.watermark = Default::default();
        let mut effects = Effects::new();
        let seed = id.0 * 1000 + machine.lives;
        let node = Node::open(machine.config.clone(), now, seed, machine.applied, &mut machine.store, &mut effects);
        match node {
            Ok(node) => machine.node = Some(node),
            Err(fatal) => return self.judge.fatal(id, &fatal.to_string()),
        }
        machine.store.commit();
        self.dispatch(id, effects);
    }

    /// A node that is down goes on with a copy of the state and the rows of `source`.
    pub fn renew(&mut self, id: NodeId, source: NodeId) {
        let now = self.now(id);
        let (rows, applied) = (self.machines[&source].rows.clone(), self.machines[&source].applied);
        let mut copy = self.machines[&source].store.clone();
        let Some(machine) = self.machines.get_mut(&id) else { return };
        match renew(machine.config.clone(), now, id.0, applied, &machine.store, &mut copy) {
            Ok(()) => {
                copy.commit();
                (machine.store, machine.rows, machine.applied) = (copy, rows, applied);
                self.restart(id);
            }
            Err(why) => self.log.push(format!("{id} does not go on with a copy of {source}: {why}")),
        }
    }

    /// What each node has in its log: which entries, and of whose rows the records tell.
    pub fn logs(&self) -> Vec<String> {
        let line = |(id, m): (&NodeId, &Machine)| {
            let entries =
                Log::open(&m.store).and_then(|log| log.entries(&m.store, 0, 1000)).expect("memory can be read");
            entries.iter().fold(format!("{id} log:"), |line, (_, Entry { txn, committed, .. })| {
                if !committed {
                    return format!("{line} {txn}(empty)");
                }
                let record: Option<Record> = load(&m.store, Table::Record, &txn.to_bytes()).expect("as written");
                match record.map(|r| r.body) {
                    Some(Body::Write(set)) => {
                        let rows = set.tables.iter().flat_map(|t| t.rows.iter());
                        let rows: Vec<_> = rows.map(|r| String::from_utf8_lossy(&r.key).into_owned()).collect();
                        format!("{line} {txn}({})", rows.join(","))
                    }
                    Some(Body::Members(_)) => format!("{line} {txn}(members)"),
                    Some(Body::Conflicts(_)) | None => format!("{line} {txn}"),
                }
            })
        };
        self.machines.iter().map(line).collect()
    }

    /// Restarts a node with a program that understands versions up to `newest`.
    pub fn build(&mut self, id: NodeId, newest: u8) {
        self.crash(id);
        if let Some(machine) = self.machines.get_mut(&id) {
            machine.config.versions.newest = newest;
        }
        self.restart(id);
    }

    /// What each node speaks.
    pub fn versions(&self) -> Vec<String> {
        let line = |(id, m): (&NodeId, &Machine)| match &m.node {
            Some(node) => format!("{id} speaks {} and understands {}", node.version(), m.config.versions),
            None => format!("{id} down"),
        };
        self.machines.iter().map(line).collect()
    }

    pub fn crash(&mut self, id: NodeId) {
        if let Some(machine) = self.machines.get_mut(&id) {
            machine.node = None;
        }
    }

    pub fn step(&mut self, id: NodeId, input: Input) {
        let now = self.now(id);
        let Some(machine) = self.machines.get_mut(&id) else { return };
        let Some(node) = &mut machine.node else { return };
        let mut effects = Effects::new();
        let result = node.step(now, input, &mut machine.store, &mut effects).map_err(|fatal| fatal.to_string());
        if let Err(why) = result.and_then(|()| node.check_invariants(&machine.store)) {
            assert!(self.bug.is_some(), "{id}: {why}");
            machine.node = None;
            return self.judge.fatal(id, &why);
        }
        machine.store.commit();
        self.dispatch(id, effects);
    }

    fn dispatch(&mut self, id: NodeId, mut effects: Effects) {
        let mut applied = None;
        for effect in effects.drain() {
            match effect {
                Effect::Send { to, message } => {
                    let to = match &to {
                        Destination::Node { address, .. } | Destination::Address(address) => address.clone(),
                    };
                    let to = self.machines.keys().copied().find(|n| address(*n) == to).unwrap_or(NodeId(1));
                    let node = self.machines[&id].node.as_ref().expect("it just stepped");
                    if !matches!(message, Message::Swim(_) | Message::Report(_)) {
                        self.log.push(format!("{id} -> {to} {}", describe(&message)));
                    }
                    let envelope = node.envelope(message);
                    if !self.cut.contains(&(id, to)) {
                        self.network.push((id, to, envelope));
                    }
                }
                Effect::Reply(client, response) => {
                    match &response {
                        Response::Refused(Refusal::Conflict { begin }) => drop(self.precedence.insert(client, *begin)),
                        Response::SchemaLocked { txn } => drop(self.locks.insert(id, (client, *txn))),
                        _ => {}
                    }
                    self.judge.replied(id, client, &response);
                    self.log.push(format!("{id} => c{} {}", client.0, reply(&response)));
                }
                Effect::Apply(task) => {
                    applied = Some(task.seq);
                    self.apply(id, &task);
                }
                Effect::Publish(crate::core::Published::Watermark(watermark)) => {
                    if let Some(machine) = self.machines.get_mut(&id) {
                        machine.watermark = watermark;
                    }
                }
                Effect::Notice(Notice::NeedsSnapshot { origin, sequence }) => {
                    self.log.push(format!("{id} => needs a snapshot: it lacks what comes before {origin}:{sequence}"));
                }
                Effect::Notice(Notice::Orphaned { txn }) => {
                    self.log.push(format!("{id} => alone has {txn} of a removed node"))
                }
                Effect::Notice(_) => {}
            }
        }
        match (applied, self.stalled.get_mut(&id)) {
            (None, _) => {}
            (Some(seq), None) => self.step(id, Input::Applied(seq)),
            (Some(seq), Some(last)) => *last = Some(seq),
        }
    }

    fn apply(&mut self, id: NodeId, task: &ApplyTask) {
        let machine = self.machines.get_mut(&id).expect("it just stepped");
        self.judge.applied(id, task, &machine.rows);
        machine.applied = task.seq;
        for eviction in &task.evictions {
            assert!(machine.rows.remove(&eviction.row.key).is_some(), "who gives way is there");
        }
        for (t, table) in task.write_set.tables.iter().enumerate() {
            for (r, change) in table.rows.iter().enumerate() {
                let amended =
                    task.amendments.iter().find(|(at, ar, _)| (*at, *ar) == (t, r)).map(|(.., op)| op.clone());
                let op = amended.unwrap_or_else(|| match &change.after {
                    Some(image) => RowOp::Put { image: image.clone(), changed: change.changed.clone() },
                    None => RowOp::Delete { image: change.before.clone().unwrap_or_default() },
                });
                match op {
                    RowOp::Skip => {}
                    RowOp::Delete { .. } => drop(machine.rows.remove(&change.key)),
                    RowOp::Put { image, changed } => {
                        let merged = match machine.rows.get(&change.key) {
                            None => image,
                            Some(old) => (0..old.len())
                                .map(|i| if changed.contains(i) { image[i].clone() } else { old[i].clone() })
                                .collect(),
                        };
                        machine.rows.insert(change.key.clone(), merged);
                    }
                }
            }
        }
    }

    /// Commits `cells` (key, a, b; `None` deletes) read from this node's rows now.
    pub fn write(&mut self, id: NodeId, key: &str, cells: Option<Vec<(usize, String)>>, how: Write) -> u64 {
        self.clients += 1;
        let client = ClientId(self.clients);
        let machine = &self.machines[&id];
        let bytes: Arc<[u8]> = key.as_bytes().into();
        let before = machine.rows.get(&bytes).cloned();
        let (after, changed) = match cells {
            None => (None, ColumnSet::all(3)),
            Some(cells) => {
                let mut image =
                    before.as_ref().map_or_else(|| vec![Value::from(key), Value::Null, Value::Null], |b| b.to_vec());
                let mut changed: ColumnSet = if before.is_none() { ColumnSet::all(3) } else { ColumnSet::new() };
                for (column, value) in cells {
                    image[column] = Value::from(value.as_str());
                    changed.insert(column);
                }
                (Some(image.into()), changed)
            }
        };
        let change = self.change(bytes, before, after, changed);
        let table = TableChanges {
            database: DATABASE.into(),
            table: TableId::new(NodeId(1), 1),
            columns: [ColumnId(0), ColumnId(1), ColumnId(2)].into(),
            rows: vec![change],
        };
        let holds = if how.holds_schema { vec![schema(Mode::Read)] } else { Vec::new() };
        let write_set = Arc::new(WriteSet { tables: vec![table], holds, ..WriteSet::default() });
        let snapshot = Snapshot { seq: machine.applied, watermark: machine.watermark };
        let (level, lock_wait) = (how.level, Span::from_secs(5));
        let begin = how.again.and_then(|client| self.precedence.get(&client).copied());
        self.step(id, Input::Request(client, Request::Commit { write_set, snapshot, level, begin, lock_wait }));
        client.0
    }

    /// Asks for the schema lock of `d`, with the precedence of a client that was refused.
    pub fn lock(&mut self, id: NodeId, again: Option<ClientId>) {
        let begin = again.and_then(|client| self.precedence.get(&client).copied());
        let lock_wait = Span::from_secs(5);
        self.request(id, Request::LockSchema { databases: vec![DATABASE.into()], begin, lock_wait });
    }

    /// Changes the schema under the lock that was granted.
    pub fn change_schema(&mut self, id: NodeId) {
        let Some((client, txn)) = self.locks.remove(&id) else { return };
        let ddl = Ddl { database: DATABASE.into(), payload: [].into() };
        let write_set = WriteSet { holds: vec![schema(Mode::Write)], ddl: Some(ddl), ..WriteSet::default() };
        self.step(id, Input::Request(client, Request::CommitLocked { txn, write_set: Arc::new(write_set) }));
    }

    fn change(
        &self,
        key: Arc<[u8]>,
        before: Option<RowImage>,
        after: Option<RowImage>,
        changed: ColumnSet,
    ) -> RowChange {
        let unique = |image: &Option<RowImage>| match image.as_ref().map(|i| &i[1]) {
            Some(Value::Text(text)) if self.unique => {
                Some(UniqueValue { index: IndexId(0), values: text.as_bytes().into() })
            }
            _ => None,
        };
        let (old, new) = (unique(&before), unique(&after));
        let written = changed.contains(1);
        let releases = old.iter().filter(|o| written && new.as_ref() != Some(*o)).cloned().collect();
        let (claims, keeps) = match written {
            true => (new.into_iter().collect(), vec![]),
            false => (vec![], new.into_iter().collect()),
        };
        RowChange { key, before, after, changed, claims, releases, keeps, clears: vec![] }
    }

    /// Everything applied on `id` is durable in its files.
    pub fn sync(&mut self, id: NodeId) {
        let applied = self.machines[&id].applied;
        self.step(id, Input::Synced(applied));
    }

    /// The conflict log of a node, one entry a line.
    pub fn conflicts(&self, id: NodeId) -> Vec<String> {
        let entries = self.machines[&id].store.scan(Table::Conflict, &[], 1000).expect("memory can be read");
        let entries = entries.iter().map(|(_, value)| {
            let logged: LoggedConflict = decode(Table::Conflict, value).expect("written by the node");
            let c = logged.conflict;
            let image = c.image.iter().flat_map(|i| i.iter()).map(ToString::to_string).collect::<Vec<_>>();
            format!(
                "{id} row {} lost ({}) by {} to {}",
                String::from_utf8_lossy(&c.row.key),
                image.join(","),
                c.loser,
                c.winner
            )
        });
        entries.collect()
    }

    pub fn request(&mut self, id: NodeId, request: Request) -> u64 {
        self.clients += 1;
        if matches!(request, Request::Barrier(_)) {
            self.judge.barrier(self.clients);
        }
        self.step(id, Input::Request(ClientId(self.clients), request));
        self.clients
    }

    /// Delivers every message that matches, in order, once; not those that follow from them.
    pub fn deliver(&mut self, wanted: impl Fn(NodeId, NodeId, &Message) -> bool) -> usize {
        let (now, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.network)
            .into_iter()
            .partition(|(f, t, e)| !self.held.contains(f) && wanted(*f, *t, &e.message));
        self.network = later;
        let count = now.len();
        for (_, to, envelope) in now {
            self.step(to, Input::Message(envelope));
        }
        count
    }

    /// Drops every message that matches.
    pub fn lose(&mut self, wanted: impl Fn(NodeId, NodeId, &Message) -> bool) {
        self.network.retain(|(f, t, e)| !wanted(*f, *t, &e.message));
    }

    /// Delivers until nothing is under way.
    pub fn settle(&mut self) {
        for _ in 0..1000 {
            if self.deliver(|_, _, _| true) == 0 {
                return;
            }
        }
    }

    /// Lets time pass, ticking every node.
    pub fn advance(&mut self, ms: u64) {
        self.clock += ms;
        let ids: Vec<NodeId> = self.machines.keys().copied().collect();
        for id in ids {
            self.step(id, Input::Tick);
        }
    }

    pub fn cut(&mut self, a: NodeId, b: NodeId) {
        self.cut.insert((a, b));
        self.network.retain(|(f, t, _)| (*f, *t) != (a, b));
    }

    /// What `id` sent and sends is delivered only after it is released.
    pub fn hold(&mut self, id: NodeId) {
        self.held.insert(id);
    }

    pub fn release(&mut self, id: NodeId) {
        self.held.remove(&id);
    }

    /// The applier of `id` falls behind: what it is given is done only when it resumes.
    pub fn stall(&mut self, id: NodeId) {
        self.stalled.entry(id).or_default();
    }

    pub fn resume(&mut self, id: NodeId) {
        if let Some(seq) = self.stalled.remove(&id).flatten() {
            self.step(id, Input::Applied(seq));
        }
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// What `id` believes of each other node.
    pub fn peers(&self, id: NodeId) -> String {
        let Some(node) = self.machines.get(&id).and_then(|m| m.node.as_ref()) else { return format!("{id} down") };
        let others = node.status().peers.into_iter().filter(|p| p.id != id);
        others.fold(format!("{id} sees"), |line, p| format!("{line} {}={}", p.id, p.state))
    }

    /// Whether a row may still be another one elsewhere, as `id` sees it.
    pub fn settling(&self, id: NodeId, key: &str) -> String {
        let Some(machine) = self.machines.get(&id) else { return format!("{id} down") };
        let Some(node) = &machine.node else { return format!("{id} down") };
        let row = RowKey { table: TableId::new(NodeId(1), 1), key: key.as_bytes().into() };
        let said = node.settling(&machine.store, &"d".into(), &[row]).expect("memory does not fail");
        let settled = if said.unsettled[0] { "unsettled" } else { "settled" };
        format!("{id}: {key} is {settled}, commits up to {}", said.last_commit)
    }

    /// How far a node takes the wall clocks of others to be ahead.
    pub fn clocks(&self, id: NodeId) -> String {
        let Some(node) = self.machines.get(&id).and_then(|m| m.node.as_ref()) else { return format!("{id} down") };
        let ahead = |p: &PeerStatus| (p.id != id).then(|| format!(" {}={}ms", p.id, p.ahead_ms));
        format!("{id}{}", node.status().peers.iter().filter_map(ahead).collect::<String>())
    }

    pub fn status(&self, id: NodeId) -> String {
        match self.machines.get(&id).and_then(|m| m.node.as_ref()) {
            None => format!("{id} down"),
            Some(node) => {
                let s = node.status();
                format!(
                    "{id} epoch={} voters={} intents={} coordinating={} recovering={} applied={} seen={}",
                    s.epoch.0, s.voters, s.intents, s.coordinating, s.recovering, s.applied, s.vector
                )
            }
        }
    }
}

/// A message on one line.
pub fn describe(message: &Message) -> String {
    match message {
        Message::Prepare { record, .. } => format!("Prepare {}", record.txn),
        Message::Prepared { txn, fast: true, .. } => format!("Prepared {txn} and accepted"),
        Message::Prepared { txn, .. } => format!("Prepared {txn}"),
        Message::Rejected { txn, reason, .. } => {
            let reason = format!("{reason:?}");
            format!("Rejected {txn} {}", reason.split([' ', '{']).next().unwrap_or(""))
        }
        Message::Accept { txn, ballot, outcome, .. } => {
            format!("Accept {txn} ballot={} {}", ballot.round, outcome_name(outcome))
        }
        Message::Accepted { txn, ballot } => format!("Accepted {txn} ballot={}", ballot.round),
        Message::Recover { txn, ballot } => format!("Recover {txn} ballot={}", ballot.round),
        Message::Promise { txn, accepted, .. } => {
            let accepted = accepted.as_ref().map_or("nothing", |(_, o)| outcome_name(o));
            format!("Promise {txn} accepted={accepted}")
        }
        Message::Decided { txn, outcome } => format!("Decided {txn} {}", outcome_name(outcome)),
        Message::SyncRecords { commits, aborted, .. } => {
            format!("SyncRecords commits={} aborted={}", commits.len(), aborted.len())
        }
        other => {
            let text = format!("{other:?}");
            text.split([' ', '{', '(']).next().unwrap_or("").to_string()
        }
    }
}

fn outcome_name(outcome: &crate::core::message::Outcome) -> &'static str {
    match outcome {
        crate::core::message::Outcome::Abort => "abort",
        crate::core::message::Outcome::Commit { .. } => "commit",
    }
}

fn reply(response: &Response) -> String {
    match response {
        Response::Committed { txn, .. } => format!("committed {txn}"),
        Response::Refused(refusal) => format!("refused: {refusal}"),
        Response::SchemaLocked { txn } => format!("schema locked by {txn}"),
        other => format!("{other:?}"),
    }
}
