//! Merged writes in real files: statements run on the files of three nodes that hear of one another late, each node's core
//! merges what arrives, and its applier makes the files equal. The core names every row that must give way: the
//! applier finds none by itself.

mod sqlite_rig;

use marmot::core::message::{Envelope, Life, Message};
use marmot::core::{Config, Effect, Effects, Input, LoggedConflict, Node, Request, Storage, Table, decode};
use marmot::sqlite::{DataDir, Options, Store, TableIds};
use marmot::types::{ClientId, Epoch, Hlc, Mono, NodeId, Now, Snapshot, Span, Value, Wall, WriteLevel};
use sqlite_rig::{Rig, functions, ids, read};
use std::sync::Arc;

const START_MS: u64 = 1_800_000_000_000;
const TABLE: &str =
    "CREATE TABLE shop.t(id INTEGER PRIMARY KEY, u TEXT COLLATE NOCASE UNIQUE, v INT, a INT, b INT, UNIQUE(a, b))";

fn tables() -> Vec<TableIds> {
    vec![ids(1, "t", &["id", "u", "v", "a", "b"], &[&["u"], &["a", "b"]])]
}

/// A node of its own cluster: what the others write reaches it as anti-entropy of a newer epoch would.
struct Peer {
    id: NodeId,
    rig: Rig,
    node: Node,
    store: Store,
    clients: u64,
    applied: u64,
    sent: Vec<Message>,
}

fn now(ms: u64) -> Now {
    Now { mono: Mono(ms * 1_000_000), wall: Wall(START_MS + ms) }
}

impl Peer {
    fn new(id: u64) -> Peer {
        let rig = Rig::new(&tables(), &[TABLE]);
        Peer::open(NodeId(id), rig, 0)
    }

    fn open(id: NodeId, rig: Rig, applied: u64) -> Peer {
        let mut store = Store::open(&rig.home.path().join("marmot.db"), None).unwrap();
        let mut effects = Effects::new();
        let mut round = store.begin();
        let config = Config::new(id, id.to_string().into(), vec![]);
        let node = Node::open(config, now(0), id.0, applied, &mut round, &mut effects).unwrap();
        round.commit().unwrap();
        let mut peer = Peer { id, rig, node, store, clients: 0, applied, sent: Vec::new() };
        peer.dispatch(effects);
        peer
    }

    /// As after the end of the process: the files keep what they have, the core comes back from its log.
    fn restart(mut self) -> Peer {
        self.rig.applier.sync().unwrap();
        let Peer { id, rig, node, store, applied, .. } = self;
        drop((node, store));
        let Rig { dir, applier, seq, tables, home } = rig;
        drop((applier, dir));
        let dir = DataDir::open(home.path(), Options::default()).unwrap();
        let applier = dir.open_applier(&functions()).unwrap();
        Peer::open(id, Rig { dir, applier, seq, tables, home }, applied)
    }

    fn step(&mut self, ms: u64, input: Input) {
        let mut effects = Effects::new();
        let mut round = self.store.begin();
        self.node.step(now(ms), input, &mut round, &mut effects).unwrap();
        round.commit().unwrap();
        self.dispatch(effects);
    }

    fn dispatch(&mut self, mut effects: Effects) {
        for effect in effects.drain() {
            match effect {
                Effect::Apply(mut task) => {
                    self.applied = task.seq;
                    // The rig made its schema without the node.
                    task.seq += 1;
                    let applied = self.rig.applier.apply(std::slice::from_ref(&task)).unwrap();
                    assert!(applied.evicted.is_empty(), "the core did not name {:?}", applied.evicted);
                }
                Effect::Send { message, .. } => self.sent.push(message),
                Effect::Reply(_, marmot::core::Response::Refused(refusal)) => panic!("{refusal}"),
                _ => {}
            }
        }
    }

    /// Runs a statement with ONE at this time; whether it changed something.
    fn execute(&mut self, ms: u64, sql: &str) -> bool {
        let mut workspace = self.rig.workspace();
        workspace.begin().unwrap();
        let ran = workspace.execute(sql, &[]).is_ok();
        let write_set = workspace.take_write_set().unwrap();
        workspace.end();
        if !ran || write_set.tables.is_empty() {
            return false;
        }
        self.clients += 1;
        let snapshot = Snapshot { seq: self.applied, watermark: Hlc::ZERO };
        let (level, lock_wait) = (WriteLevel::One, Span::from_secs(1));
        let request = Request::Commit { write_set: Arc::new(write_set), snapshot, level, begin: None, lock_wait };
        self.step(ms, Input::Request(ClientId(self.clients), request));
        self.step(ms, Input::Applied(self.applied));
        true
    }

    fn receive(&mut self, ms: u64, from: NodeId, message: Message) {
        let clock = Hlc::from_millis(START_MS);
        let envelope = Envelope {
            from,
            from_address: from.to_string().into(),
            clock,
            wall: marmot::types::Wall(clock.millis()),
            life: Life::default(),
            message,
        };
        self.step(ms, Input::Message(envelope));
        self.step(ms, Input::Applied(self.applied));
    }

    fn conflicts(&mut self) -> Vec<LoggedConflict> {
        let entries = self.store.begin().scan(Table::Conflict, &[], 10_000).unwrap();
        entries.iter().map(|(_, value)| decode(Table::Conflict, value).unwrap()).collect()
    }

    fn rows(&self) -> Vec<Vec<Value>> {
        read(&mut self.rig.reader(), "SELECT id, u, v FROM shop.t ORDER BY id")
    }
}

/// Brings `to` what `from` has, as anti-entropy does; of a newer epoch, so that it is believed.
fn pull(peers: &mut [Peer], from: usize, to: usize, ms: u64) {
    let Ok([source, target]) = peers.get_disjoint_mut([from, to]) else { return };
    let vector = target.node.status().vector;
    source.sent.clear();
    source.receive(ms, target.id, Message::SyncRequest { vector, epoch: Epoch(0) });
    for mut message in std::mem::take(&mut source.sent) {
        if let Message::SyncRecords { epoch, more, .. } = &mut message {
            assert!(!*more, "everything fits one answer");
            *epoch = Epoch(99);
            target.receive(ms, source.id, message);
        }
    }
}

/// Until all have everything, their conflict records included.
fn exchange(peers: &mut [Peer], ms: u64) {
    for _ in 0..3 {
        for from in 0..peers.len() {
            (0..peers.len()).for_each(|to| pull(peers, from, to, ms));
        }
    }
}

fn assert_equal(peers: &mut [Peer]) {
    let (digests, conflicts) = (peers[0].rig.digests(), peers[0].conflicts());
    let vector = peers[0].node.status().vector;
    for peer in &mut peers[1..] {
        assert_eq!(peer.rig.digests(), digests, "files differ");
        assert_eq!(peer.node.status().vector, vector, "not everything was exchanged");
        assert_eq!(peer.conflicts(), conflicts, "conflict logs differ");
    }
}

#[test]
fn an_outbid_row_leaves_the_file_and_comes_back_renamed() {
    let mut peers: Vec<Peer> = (1..=3).map(Peer::new).collect();
    assert!(peers[0].execute(10, "INSERT INTO shop.t(id, u, v) VALUES(1, 'name', 1)"));
    assert!(peers[1].execute(20, "INSERT INTO shop.t(id, u, v) VALUES(2, 'NAME', 2)"));
    pull(&mut peers, 0, 2, 20);
    assert_eq!(peers[2].rows(), [[1.into(), "name".into(), 1.into()]]);
    // Equal by the column's collation: the later one takes it, whatever arrives first.
    pull(&mut peers, 1, 2, 20);
    pull(&mut peers, 0, 1, 20);
    for peer in &peers[1..] {
        assert_eq!(peer.rows(), [[2.into(), "NAME".into(), 2.into()]]);
    }
    // A change that neither knows of the other row nor touches the value does not bring it back.
    assert!(peers[0].execute(30, "UPDATE shop.t SET v = 10 WHERE id = 1"));
    pull(&mut peers, 0, 2, 30);
    assert_eq!(peers[2].rows(), [[2.into(), "NAME".into(), 2.into()]]);
    peers = peers.into_iter().map(Peer::restart).collect();
    assert!(peers[0].execute(40, "UPDATE shop.t SET u = 'other' WHERE id = 1"));
    exchange(&mut peers, 40);
    for peer in &peers {
        let expected: [[Value; 3]; 2] = [[1.into(), "other".into(), 10.into()], [2.into(), "NAME".into(), 2.into()]];
        assert_eq!(peer.rows(), expected);
    }
    assert_equal(&mut peers);
    assert_eq!(peers[0].conflicts().len(), 2, "the row as it was inserted, and its update");
}

/// A small generator: the same steps on every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn statement(&mut self) -> String {
        let id = self.below(5);
        let cell = |v: u64| if v == 0 { "NULL".to_string() } else { v.to_string() };
        let u = ["'a'", "'A'", "'b'", "'c'", "NULL"][self.below(5) as usize];
        let (v, a, b) = (self.below(100), cell(self.below(3)), cell(self.below(3)));
        match self.below(8) {
            0 | 1 => format!("INSERT INTO shop.t VALUES({id}, {u}, {v}, {a}, {b})"),
            2 => format!("REPLACE INTO shop.t VALUES({id}, {u}, {v}, {a}, {b})"),
            3 => format!("UPDATE shop.t SET u = {u} WHERE id = {id}"),
            4 => format!("UPDATE shop.t SET a = {a}, b = {b} WHERE id = {id}"),
            5 => format!("UPDATE shop.t SET b = {b} WHERE id = {id}"),
            6 => format!("UPDATE shop.t SET v = {v} WHERE id = {id}"),
            _ => format!("DELETE FROM shop.t WHERE id = {id}"),
        }
    }
}

#[test]
fn random_statements_on_three_nodes_leave_equal_files() {
    let (mut merges, mut discarded) = (0, 0);
    for seed in 0..12 {
        let mut draw = Draw(seed);
        let mut peers: Vec<Peer> = (1..=3).map(Peer::new).collect();
        for ms in 1..=60 {
            let at = draw.below(3) as usize;
            let sql = draw.statement();
            peers[at].execute(ms, &sql);
            if draw.below(4) == 0 {
                pull(&mut peers, draw.below(3) as usize, draw.below(3) as usize, ms);
                merges += 1;
            }
            if draw.below(20) == 0 {
                let peer = peers.remove(at);
                peers.insert(at, peer.restart());
            }
        }
        // Much later: a clock that came back from a restart is ahead, and its ONE writes wait for that time.
        exchange(&mut peers, 60_000);
        assert_equal(&mut peers);
        discarded += peers[0].conflicts().len();
    }
    assert!(merges > 100 && discarded > 100, "{merges} merges, {discarded} discarded values: nothing was tested");
}
