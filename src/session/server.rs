//! What all sessions of one node share.

use super::clock::Clock;
use super::constraint;
use super::core_handle::CoreHandle;
use super::counters::Counters;
use super::plans;
use super::program::Programs;
use super::registry::Registry;
use super::sequence::Sequences;
use super::session::Session;
use super::system::{self, ConflictLog};
use super::variables::Globals;
use crate::mysql::SqlError;
use crate::sql::{Catalog, Database, PlanCache};
use crate::sqlite::{self, DataDir};
use crate::types::{ClientId, DatabaseName, Mono, NodeId};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

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
    pub(super) started: Mono,
    counters: Arc<Counters>,
    doors: OnceLock<Arc<dyn Doors>>,
    schema: RwLock<Option<Arc<Schema>>>,
    random: AtomicU64,
    clients: AtomicU64,
}

/// The catalog as of one schema generation of the data directory.
pub struct Schema {
    pub generation: u64,
    pub catalog: Catalog,
    /// The schema version of each database's file.
    versions: BTreeMap<DatabaseName, u64>,
}

impl Schema {
    /// The version of the database's file that the catalog was read from.
    pub fn version(&self, database: &str) -> Option<u64> {
        self.versions.get(database).copied()
    }
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
            started,
            counters: Arc::default(),
            doors: OnceLock::new(),
            schema: RwLock::new(None),
            random: AtomicU64::new(parts.seed),
            clients: AtomicU64::new(0),
        })
    }

    /// A session for a new connection.
    pub fn session(self: &Arc<Self>) -> Session {
        let client = ClientId(self.clients.fetch_add(1, Ordering::Relaxed) + 1);
        Session::new(self.clone(), client)
    }

    /// Who is connected. The shell calls [`Registry::expire`] regularly.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What is counted for `SHOW STATUS`; the shell adds what it sees of the connections.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
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

    /// The names of the databases there are.
    pub fn databases(&self) -> Vec<DatabaseName> {
        self.data.databases()
    }

    /// The databases as they are now in this node's files.
    ///
    /// # Errors
    /// A file whose catalog cannot be read.
    pub fn schema(&self) -> Result<Arc<Schema>, SqlError> {
        let generation = self.data.schema_generation();
        let known = self.schema.read().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(schema) if schema.generation == generation => Ok(schema),
            _ => {
                let schema = Arc::new(self.load(generation)?);
                *self.schema.write().unwrap_or_else(PoisonError::into_inner) = Some(schema.clone());
                Ok(schema)
            }
        }
    }

    fn load(&self, generation: u64) -> Result<Schema, SqlError> {
        let mut databases = system::databases();
        let mut versions = BTreeMap::new();
        for name in self.data.databases() {
            let (version, definition) = match self.data.definition(&name) {
                // Dropped since the list was read.
                Err(sqlite::Error::NoSuchDatabase(_)) => continue,
                other => other.map_err(|e| constraint::to_sql(e, None, None))?,
            };
            let database = match definition.as_slice() {
                [] => Database::new(name.clone(), Default::default(), 0),
                bytes => Database::decode(bytes)
                    .map_err(|e| SqlError::internal(format!("the catalog of '{name}' cannot be read: {e}")))?,
            };
            versions.insert(name, version);
            databases.push(database);
        }
        Ok(Schema { generation, catalog: databases.into_iter().collect(), versions })
    }

    /// A fresh random number: splitmix64 over a seeded counter.
    pub(super) fn random(&self) -> u64 {
        let state = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
