//! What all sessions of one node share.

use super::accounts::ConfiguredAccount;
use super::clock::Clock;
use super::core_handle::{CoreHandle, Published};
use super::counters::Counters;
use super::plans;
use super::program::Programs;
use super::registry::Registry;
use super::schema::Schema;
use super::sequence::Sequences;
use super::session::Session;
use super::system::{ConflictLog, LinkStates, VerificationRow, VerificationStates};
use super::variables::Globals;
use crate::core::{NodeStatus, Request, Response};
use crate::mysql::SqlError;
use crate::sql::PlanCache;
use crate::sqlite::DataDir;
use crate::types::{ClientId, DatabaseName, Mono, NodeId, Now, Span, TxnId};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// What a [`Server`] is made of.
pub struct Parts {
    /// This node, for the identities of new tables.
    pub node: NodeId,
    pub data: DataDir,
    pub core: CoreHandle,
    pub clock: Arc<dyn Clock>,
    /// The server's variables, as configured.
    pub globals: Arc<Globals>,
    /// Seed of RAND(), UUID() and of back-off; the shell draws it.
    pub seed: u64,
    pub conflicts: Option<Arc<dyn ConflictLog>>,
    pub configured: ConfiguredAccount,
    pub links: Option<Arc<dyn LinkStates>>,
    pub verification: Option<Arc<dyn VerificationStates>>,
    pub spans: Option<Arc<dyn StatementSpans>>,
}

/// Who follows single transactions.
pub trait StatementSpans: Send + Sync {
    /// A statement of `class` committed `txn`: begun at `from`, answered by the core at `to`. Must not wait.
    fn committed(&self, txn: TxnId, class: &'static str, connection: u64, from: Mono, to: Mono);
}

/// What statements ask of the doors that clients and nodes come through. It must not own the server, which keeps it.
pub trait Doors: Send + Sync {
    /// `ALTER INSTANCE RELOAD TLS`: reads certificates anew, for connections made from now on.
    ///
    /// # Errors
    /// A sentence: what is wrong with them. Nothing changed.
    fn reload_tls(&self) -> Result<(), String>;

    /// `FLUSH HOSTS`: forgets which addresses broke off logins.
    fn flush_hosts(&self);
}

/// One node's SQL front: sessions are made here.
pub struct Server {
    pub(super) node: NodeId,
    pub(super) data: DataDir,
    pub(super) core: CoreHandle,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) globals: Arc<Globals>,
    pub(super) registry: Registry,
    pub(super) plans: PlanCache,
    pub(super) programs: Programs,
    pub(super) sequences: Sequences,
    pub(super) conflicts: Option<Arc<dyn ConflictLog>>,
    pub(super) configured: ConfiguredAccount,
    pub(super) links: Option<Arc<dyn LinkStates>>,
    verification: Option<Arc<dyn VerificationStates>>,
    pub(super) spans: Option<Arc<dyn StatementSpans>>,
    pub(super) started: Mono,
    pub(super) counters: Arc<Counters>,
    doors: OnceLock<Arc<dyn Doors>>,
    schema: RwLock<Option<Arc<Schema>>>,
    /// Held by who reads the schema.
    loading: Mutex<()>,
    random: AtomicU64,
    clients: AtomicU64,
}

impl Server {
    pub fn new(parts: Parts) -> Arc<Server> {
        let started = parts.clock.now().mono;
        Arc::new(Server {
            node: parts.node,
            data: parts.data,
            core: parts.core,
            clock: parts.clock,
            globals: parts.globals,
            registry: Registry::default(),
            plans: PlanCache::new(plans::KEPT),
            programs: Programs::default(),
            sequences: Sequences::default(),
            conflicts: parts.conflicts,
            configured: parts.configured,
            links: parts.links,
            verification: parts.verification,
            spans: parts.spans,
            started,
            counters: Arc::default(),
            doors: OnceLock::new(),
            schema: RwLock::new(None),
            loading: Mutex::new(()),
            random: AtomicU64::new(parts.seed),
            clients: AtomicU64::new(0),
        })
    }

    /// A session for a new connection.
    pub fn session(self: &Arc<Self>) -> Session {
        Session::new(self.clone(), self.next_client())
    }

    fn next_client(&self) -> ClientId {
        ClientId(self.clients.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The node's status, as the driver tells it; `None`: the node is stopping.
    pub async fn status(&self) -> Option<Box<NodeStatus>> {
        match self.core.for_client(self.next_client()).request(Request::ClusterStatus).await {
            Some(Response::ClusterStatus(status)) => Some(status),
            _ => None,
        }
    }

    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// Since the server was made.
    pub fn uptime(&self) -> Span {
        self.now().mono.since(self.started)
    }

    /// Requests of sessions that wait for the driver.
    pub fn requests_waiting(&self) -> usize {
        self.core.waiting()
    }

    /// Who is connected. The shell calls [`Registry::expire`] regularly.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What is counted for `SHOW STATUS`; the shell adds what it sees of the connections.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// This node's files.
    pub fn data(&self) -> &DataDir {
        &self.data
    }

    /// What the node publishes to readers of its files.
    pub fn published(&self) -> &Arc<Published> {
        self.core.published()
    }

    /// What came of comparing this node's tables with another node's; nothing if nobody compares.
    pub fn verification(&self) -> Vec<VerificationRow> {
        self.verification.as_ref().map_or_else(Vec::new, |states| states.list())
    }

    /// `ALTER CLUSTER VERIFY`: has this node's tables compared with another node's now. What came of it is in
    /// [`Server::verification`], later.
    ///
    /// # Errors
    /// Nobody compares here (1235).
    pub fn verify(&self) -> Result<(), SqlError> {
        let states = self.verification.as_ref();
        states
            .map(|states| states.begin())
            .ok_or_else(|| SqlError::unsupported("ALTER CLUSTER VERIFY where no tables are compared"))
    }

    /// Says where clients and nodes come in; the first word holds.
    pub fn set_doors(&self, doors: Arc<dyn Doors>) {
        let _ = self.doors.set(doors);
    }

    /// Where clients and nodes come in; `None`: nobody said.
    pub fn doors(&self) -> Option<&Arc<dyn Doors>> {
        self.doors.get()
    }

    pub fn globals(&self) -> &Arc<Globals> {
        &self.globals
    }

    /// The names of the databases that have a file here, that of the accounts among them.
    pub fn databases(&self) -> Vec<DatabaseName> {
        self.data.databases()
    }

    /// The databases as they are now in this node's files.
    ///
    /// # Errors
    /// A file whose catalog cannot be read.
    pub fn schema(&self) -> Result<Arc<Schema>, SqlError> {
        if let Some(schema) = self.schema_of(self.generation()) {
            return Ok(schema);
        }
        // One reads for all that wait.
        let _turn = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.generation();
        if let Some(schema) = self.schema_of(generation) {
            return Ok(schema);
        }
        let before = self.schema.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut schema = self.load_schema(generation, before.as_deref())?;
        // The same accounts as before: sessions need not look again.
        if let Some(before) = before.filter(|before| before.accounts == schema.accounts) {
            schema.accounts = before.accounts.clone();
        }
        let schema = Arc::new(schema);
        *self.schema.write().unwrap_or_else(PoisonError::into_inner) = Some(schema.clone());
        Ok(schema)
    }

    /// What is known of `generation`.
    fn schema_of(&self, generation: u64) -> Option<Arc<Schema>> {
        let known = self.schema.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|schema| schema.generation == generation).cloned()
    }

    /// Changes with every schema change that was applied here.
    pub(super) fn generation(&self) -> u64 {
        self.data.schema_generation()
    }

    /// A fresh random number: splitmix64 over a seeded counter.
    pub(super) fn random(&self) -> u64 {
        let state = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
