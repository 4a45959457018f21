//! Sessions without network: the real SQLite layer, the real applier, and a core of one node that validates as the
//! real one does and can be told to refuse.

mod accounts;
mod charsets;
mod collations;
mod data;
mod definitions;
mod files;
mod fulltext;
mod grouping;
mod ids;
mod inspect;
mod keys;
mod load;
mod many_tables;
mod moves;
mod prepared;
mod programs;
mod schema;
mod schema_text;
mod settings;
mod system_tables;
mod table_functions;
mod temporary;
mod transactions;
mod views;

use super::{
    Clock, ConfiguredAccount, CoreCall, CoreHandle, Globals, Parts, Published, Server, Session, VerificationRow,
    VerificationStates, applier_functions,
};
use crate::core::{Address, ApplyTask, NodeStatus, PeerState, PeerStatus, Refusal, Request, Response};
use crate::mysql::{
    Authenticator, CapabilityFlags, Completion, Handler, Identity, Login, Parameter, Recorded, Recording,
    SessionChange, SqlError, StatementId, StatusFlags,
};
use crate::sqlite::{Applier, DataDir, Options};
use crate::types::{
    ApplySeq, Epoch, Hlc, Key, Mode, Mono, NodeId, Now, Span, Stamp, TxnId, Value, VersionVector, Versions, Wall,
    WriteLevel, WriteSet,
};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// A clock that stands still except when somebody sleeps.
pub struct Standing(AtomicU64);

impl Clock for Standing {
    fn now(&self) -> Now {
        let ms = self.0.load(Ordering::SeqCst);
        Now { mono: Mono(ms * 1_000_000), wall: Wall(1_700_000_000_000 + ms) }
    }
    fn sleep(&self, span: Span) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.fetch_add(span.as_millis().max(1), Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }
}

/// What tests tell the core, and what it saw.
#[derive(Default)]
pub struct Script {
    /// Answers to the next commits, before anything is validated; `None` lets one through.
    pub refuse: VecDeque<Option<Refusal>>,
    /// What other nodes committed and this one learns only through the next barrier or refusal.
    pub behind: Vec<Arc<WriteSet>>,
    /// The requests so far.
    pub requests: Vec<Request>,
}

/// How often somebody wanted tables to be compared, which nobody does.
#[derive(Default)]
pub struct Wanted(pub AtomicU64);

impl VerificationStates for Wanted {
    fn list(&self) -> Vec<VerificationRow> {
        Vec::new()
    }

    fn begin(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A node of one.
pub struct Node {
    pub server: Arc<Server>,
    pub verification: Arc<Wanted>,
    pub script: Arc<Mutex<Script>>,
    pub clock: Arc<Standing>,
    next_connection: AtomicU64,
    _directory: tempfile::TempDir,
}

struct Core {
    applier: Applier,
    published: Arc<Published>,
    script: Arc<Mutex<Script>>,
    seq: ApplySeq,
    sequence: u64,
    written: BTreeMap<Key, ApplySeq>,
    locked: Option<TxnId>,
    next_id: u64,
}

const ME: NodeId = NodeId(1);

impl Core {
    fn stamp(&self) -> Stamp {
        Stamp { hlc: Hlc(1000 + self.sequence), node: ME }
    }

    fn answer(&mut self, request: Request) -> Response {
        self.script.lock().expect("tests do not panic here").requests.push(request.clone());
        match request {
            Request::Commit { write_set, snapshot, begin, .. } => {
                if let Some(refusal) = self.scripted() {
                    self.catch_up();
                    return Response::Refused(refusal);
                }
                let stale = |key: &Key| self.written.get(key).is_some_and(|at| *at > snapshot.seq);
                if write_set.accesses().any(|access| stale(&access.key)) {
                    return Response::Refused(Refusal::Conflict { begin: begin.unwrap_or(self.stamp()) });
                }
                self.commit(write_set)
            }
            Request::LockSchema { .. } => {
                if let Some(refusal) = self.scripted() {
                    return Response::Refused(refusal);
                }
                self.sequence += 1;
                let txn = TxnId { origin: ME, sequence: self.sequence };
                self.locked = Some(txn);
                Response::SchemaLocked { txn }
            }
            Request::CommitLocked { txn, write_set } => {
                if self.locked.take() != Some(txn) {
                    return Response::Refused(Refusal::LockLost);
                }
                self.commit(write_set)
            }
            Request::AbortLocked { .. } => {
                self.locked = None;
                Response::BarrierDone
            }
            Request::Barrier(_) => {
                self.catch_up();
                Response::BarrierDone
            }
            Request::AutoIds { count, .. } => {
                // As the real core: at most a millisecond's worth, and then comes another one's.
                let (first, count) = (self.next_id, count.min(64));
                self.next_id += if count == 64 { 1 << 12 } else { u64::from(count) };
                Response::AutoIds { first, count }
            }
            Request::Member(_) => self.scripted().map_or(Response::MemberChanged, Response::Refused),
            Request::ClusterStatus => Response::ClusterStatus(Box::new(status())),
            Request::OpenTransactions => Response::OpenTransactions(Vec::new()),
        }
    }

    fn catch_up(&mut self) {
        let behind = std::mem::take(&mut self.script.lock().expect("tests do not panic here").behind);
        for write_set in behind {
            self.commit(write_set);
        }
    }

    fn scripted(&self) -> Option<Refusal> {
        self.script.lock().expect("tests do not panic here").refuse.pop_front().flatten()
    }

    fn commit(&mut self, write_set: Arc<WriteSet>) -> Response {
        self.seq += 1;
        self.sequence += 1;
        let (txn, stamp) = (TxnId { origin: ME, sequence: self.sequence }, self.stamp());
        for access in write_set.accesses().filter(|a| a.mode == Mode::Write) {
            self.written.insert(access.key, self.seq);
        }
        let task = ApplyTask {
            seq: self.seq,
            txn,
            stamp,
            write_set,
            amendments: Vec::new(),
            evictions: Vec::new(),
            may_evict: false,
        };
        self.applier.apply(&[task]).expect("what was validated applies");
        self.published.set_applied(self.seq);
        Response::Committed { txn, stamp }
    }
}

fn status() -> NodeStatus {
    let address: Address = "127.0.0.1:8081".into();
    let peer = PeerStatus {
        id: ME,
        address,
        state: PeerState::Alive,
        voter: true,
        epoch: Epoch(1),
        lag: 0,
        lag_time: Some(Span::ZERO),
        applied: (7, 0),
        known: (9, 0),
        silence: None,
        ahead_ms: 0,
    };
    NodeStatus {
        id: ME,
        clock: Hlc(5),
        epoch: Epoch(1),
        version: 0,
        voters: 1,
        alive_voters: 1,
        intents: 0,
        coordinating: 0,
        parked: 0,
        recovering: 0,
        barriers: 0,
        applied: 0,
        watermark: Hlc(0),
        vector: VersionVector::new(),
        key_states: 0,
        log_entries: 0,
        lacking: 0,
        ahead_ms: 0,
        ended: Default::default(),
        peers: vec![peer],
    }
}

impl Node {
    /// A node with an empty directory; its core runs as a task of the current runtime.
    pub fn start() -> Node {
        Node::start_with(&[])
    }

    /// As [`Node::start`], with these variables configured.
    pub fn start_with(globals: &[(&str, Value)]) -> Node {
        Node::configured(globals, ConfiguredAccount::new("root", "localhost", ""))
    }

    /// One with these variables and that account in its configuration.
    pub fn configured(globals: &[(&str, Value)], configured: ConfiguredAccount) -> Node {
        Node::speaking(Versions::BUILD.newest, globals, configured)
    }

    /// One of a cluster that speaks `version`.
    pub fn speaking(version: u8, globals: &[(&str, Value)], configured: ConfiguredAccount) -> Node {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let data = DataDir::open(directory.path(), Options::default()).expect("an empty directory opens");
        let published = Published::new();
        published.set_version(version);
        let (calls, mut queue) = mpsc::channel(16);
        let script = Arc::new(Mutex::new(Script::default()));
        let mut core = Core {
            applier: data.open_applier(&applier_functions()).expect("an applier"),
            published: published.clone(),
            script: script.clone(),
            seq: 0,
            sequence: 0,
            written: BTreeMap::new(),
            locked: None,
            next_id: 1 << 40,
        };
        tokio::spawn(async move {
            while let Some(call) = queue.recv().await {
                if let CoreCall::Request { request, reply, .. } = call {
                    let _ = reply.send(core.answer(request));
                }
            }
        });
        let clock = Arc::new(Standing(AtomicU64::new(0)));
        let verification = Arc::new(Wanted::default());
        let server = Server::new(Parts {
            node: ME,
            data,
            core: CoreHandle::new(calls, published),
            clock: clock.clone(),
            globals: Arc::new(Globals::new(globals).expect("they are valid")),
            seed: 7,
            conflicts: None,
            configured,
            links: None,
            verification: Some(verification.clone()),
            spans: None,
        });
        Node { server, verification, script, clock, next_connection: AtomicU64::new(1), _directory: directory }
    }

    /// A node with database `d`, and a client in it.
    pub async fn with_database() -> (Node, Client) {
        let node = Node::start();
        let mut client = node.connect(CapabilityFlags::empty()).await;
        client.ok("CREATE DATABASE d").await;
        client.ok("USE d").await;
        (node, client)
    }

    pub async fn connect(&self, capabilities: CapabilityFlags) -> Client {
        self.connect_from("root", "localhost", capabilities).await
    }

    /// A client of the account that the server finds for it.
    pub async fn connect_from(&self, user: &str, host: &str, capabilities: CapabilityFlags) -> Client {
        let known = self.server.known(user, host).expect("there is such an account");
        let connection = self.next_connection.fetch_add(1, Ordering::SeqCst) as u32;
        let login = Login {
            connection,
            user: user.into(),
            identity: Identity::Account(known.account),
            host: host.into(),
            database: None,
            collation: 255,
            capabilities: capabilities | CapabilityFlags::CLIENT_MULTI_STATEMENTS,
            attributes: Vec::new(),
            tls: None,
        };
        let mut session = self.server.session();
        session.connected(&login).await.expect("a login without a database succeeds");
        Client { session, login }
    }

    /// The catalog that was kept up with every change is what the files have.
    pub fn check_catalog(&self) {
        let kept = self.server.schema().expect("it was read before");
        let read = self.server.load_schema(kept.generation, None).expect("it can be read");
        assert_eq!(kept.catalog, read.catalog);
        assert_eq!(kept.accounts, read.accounts);
        for database in self.server.databases() {
            assert_eq!(kept.version(&database), read.version(&database), "{database}");
            assert_eq!(kept.is_whole(&database), read.is_whole(&database), "{database}");
        }
    }

    /// Another client in database `d`.
    pub async fn another(&self) -> Client {
        let mut client = self.connect(CapabilityFlags::empty()).await;
        client.ok("USE d").await;
        client
    }

    /// The next commits are answered so.
    pub fn refuse(&self, answers: impl IntoIterator<Item = Option<Refusal>>) {
        self.script.lock().expect("tests do not panic here").refuse.extend(answers);
    }

    /// The requests the core got since this was asked last.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.script.lock().expect("tests do not panic here").requests)
    }

    pub fn conflict(&self) -> Option<Refusal> {
        Some(Refusal::Conflict { begin: Stamp { hlc: Hlc(42), node: ME } })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check_catalog();
        }
    }
}

/// The commits among requests, with level and precedence.
pub fn commits(requests: &[Request]) -> Vec<(WriteLevel, Option<Stamp>)> {
    let commit = |r: &Request| match r {
        Request::Commit { level, begin, .. } => Some((*level, *begin)),
        _ => None,
    };
    requests.iter().filter_map(commit).collect()
}

/// A client that speaks to its session directly.
pub struct Client {
    pub session: Session,
    pub login: Login,
}

pub type Row = Vec<Option<String>>;

impl Client {
    /// The results of a text, an error among them.
    pub async fn results(&mut self, sql: &str) -> Vec<Recorded> {
        let mut recording = Recording::new();
        let mut out = recording.writer();
        let outcome = self.session.query(sql.as_bytes(), &mut out).await;
        out.finish(outcome);
        recording.results()
    }

    async fn one(&mut self, sql: &str) -> Recorded {
        let mut results = self.results(sql).await;
        assert_eq!(results.len(), 1, "{sql}: {results:?}");
        results.remove(0)
    }

    /// Runs a statement that must succeed without rows.
    pub async fn ok(&mut self, sql: &str) -> Completion {
        match self.one(sql).await {
            Recorded::Ok(completion) => completion,
            other => panic!("{sql}: {other:?}"),
        }
    }

    /// Runs a statement that must return rows.
    pub async fn rows(&mut self, sql: &str) -> Vec<Row> {
        match self.one(sql).await {
            Recorded::Rows { rows, .. } => rows,
            other => panic!("{sql}: {other:?}"),
        }
    }

    /// The rows, cells between spaces, NULL spelled out.
    pub async fn lines(&mut self, sql: &str) -> Vec<String> {
        let cell = |c: &Option<String>| c.clone().unwrap_or_else(|| "NULL".into());
        self.rows(sql).await.iter().map(|r| r.iter().map(cell).collect::<Vec<_>>().join(" ")).collect()
    }

    /// One cell.
    pub async fn value(&mut self, sql: &str) -> String {
        let lines = self.lines(sql).await;
        assert_eq!(lines.len(), 1, "{sql}: {lines:?}");
        lines.into_iter().next().unwrap_or_default()
    }

    /// Runs a statement that must fail.
    pub async fn error(&mut self, sql: &str) -> SqlError {
        match self.results(sql).await.pop() {
            Some(Recorded::Error(error)) => error,
            other => panic!("{sql}: {other:?}"),
        }
    }

    pub async fn code(&mut self, sql: &str) -> u16 {
        self.error(sql).await.code
    }

    pub fn in_transaction(&self) -> bool {
        self.session.status().contains(StatusFlags::SERVER_STATUS_IN_TRANS)
    }

    /// COM_STMT_EXECUTE with these values; rows are decoded as text (the recording's writer writes text).
    pub async fn execute(&mut self, id: u32, values: &[Value]) -> Recorded {
        let ty = crate::mysql::ColumnType::MYSQL_TYPE_VAR_STRING;
        let parameters: Vec<Parameter> =
            values.iter().map(|value| Parameter { value: value.clone(), ty, unsigned: false }).collect();
        let mut recording = Recording::new();
        let mut out = recording.writer();
        let outcome = self.session.execute(StatementId(id), &parameters, &mut out).await;
        out.finish(outcome);
        let mut results = recording.results();
        assert_eq!(results.len(), 1, "{results:?}");
        results.remove(0)
    }
}
