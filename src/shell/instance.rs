//! One running node: stores opened, core recovered, tasks started. The daemon runs one; a simulation runs several.

use super::applier::{self, SharedApplier};
use super::checkpointer;
use super::client::{Certificates, Front, FrontConfig, Limits};
use super::clock::SystemClock;
use super::cluster_tls::ClusterTls;
use super::conflicts::StoredConflicts;
use super::doors::Entrances;
use super::driver::{Channels, Driver, DriverParts, Report};
use super::frame::NONCE;
use super::greeting::{Credentials, Nonces, Understood};
use super::interference::Interference;
use super::keyring::Keyring;
use super::link::{LinkBook, Links, listen};
use super::metrics::Metrics;
use super::snapshot::Copies;
use super::spans::SpanQueue;
use super::spawn::{Spawn, dedicated};
use super::verify::{Book, Local, Verification};
use crate::config::Config;
use crate::core::message::Envelope;
use crate::core::{Effects, Fatal, Node, Storage, Table};
use crate::session::{
    ConfiguredAccount, CoreHandle, Globals, Parts, Published, Server, StatementSpans, VERSION, applier_functions,
};
use crate::sqlite::{CHECKPOINT_BYTES, DataDir, FileCheckpointer, HostPlanted, Options, Store};
use crate::types::{NodeId, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

/// Requests of sessions that may wait for the driver.
const CALLS: usize = 4096;
/// Frames of peers that may wait for the driver.
const ENVELOPES: usize = 1024;
pub(super) const NODE_ID: &[u8] = b"node_id";
/// Less free space than this on the data directory's disk, and no new transactions are taken.
pub(super) const ROOM_BYTES: u64 = 64 << 20;

/// What a node runs in: real in a daemon, simulated in a test.
#[derive(Clone)]
pub struct Environment {
    /// The SQLite VFS under all files; `None` is the operating system's.
    pub vfs: Option<String>,
    pub clock: SystemClock,
    /// Random numbers: for seeds and nonces.
    pub random: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Where the driver and the links to peers run: one thread, which also waits for the disk.
    pub cluster: Spawn,
    /// Where clients run.
    pub clients: Spawn,
    pub metrics: Arc<Metrics>,
    /// The cluster's secrets; may be replaced while the node runs.
    pub keys: Keyring,
    /// Where spans of transactions go; `None`: nobody wants them.
    pub spans: Option<SpanQueue>,
    /// Left at its default in a daemon.
    pub simulation: Simulation,
}

/// What only a simulation changes.
#[derive(Clone, Default)]
pub struct Simulation {
    /// What happens to messages between nodes.
    pub interference: Option<Arc<dyn Interference>>,
    /// Write-ahead logs shorter than this many bytes are not moved into their files; `None`: the usual number.
    pub checkpoint_bytes: Option<u64>,
    /// Bugs, for the proof that they are seen.
    pub planted: HostPlanted,
}

/// A started node.
pub struct Instance {
    pub node: NodeId,
    pub server: Arc<Server>,
    /// Becomes true when this node is a voting member and up to date with its own log.
    pub ready: watch::Receiver<bool>,
    reports: mpsc::UnboundedSender<Report>,
    stop: watch::Sender<bool>,
    /// How the driver ended.
    pub ended: oneshot::Receiver<Result<(), Fatal>>,
    front: Arc<dyn Drained>,
    /// For those who watch, of whom a simulation has none.
    #[cfg_attr(madsim, allow(dead_code))]
    links: Arc<LinkBook>,
    /// Weak, so that the driver can see when nobody listens any more.
    #[cfg_attr(madsim, allow(dead_code))]
    envelopes: mpsc::WeakSender<Vec<Envelope>>,
}

/// Waiting until every client's command in progress was answered.
trait Drained: Send + Sync {
    fn drained(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl<F, H> Drained for Front<F>
where
    F: Fn(&crate::mysql::Login) -> H + Send + Sync + 'static,
    H: crate::mysql::Handler + 'static,
{
    fn drained(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(Front::drained(self))
    }
}

/// The sockets a node listens on, bound before anything else is started.
pub struct Listeners {
    pub cluster: TcpListener,
    pub mysql: TcpListener,
    #[cfg(not(madsim))]
    pub unix: Option<tokio::net::UnixListener>,
}

type NewSession = Box<dyn Fn(&crate::mysql::Login) -> crate::session::Session + Send + Sync>;

/// A node that runs and can commit, but that no client and no peer can reach yet. Peers wait in the listener's backlog.
pub struct Closed {
    pub node: NodeId,
    pub server: Arc<Server>,
    /// See [`Instance::ready`].
    pub ready: watch::Receiver<bool>,
    environment: Environment,
    credentials: Credentials,
    frame_limit: usize,
    envelopes: mpsc::Sender<Vec<Envelope>>,
    reports: mpsc::UnboundedSender<Report>,
    stop: watch::Sender<bool>,
    ended: oneshot::Receiver<Result<(), Fatal>>,
    front: Arc<Front<NewSession>>,
    copies: Arc<Copies>,
    verification: Verification,
    links: Arc<LinkBook>,
}

impl Closed {
    /// Opens the data directory of `config`, recovers, and starts what works without clients and peers.
    ///
    /// # Errors
    /// A sentence for the person who started the node.
    pub fn start(config: &Config, environment: Environment) -> Result<Closed, String> {
        let directory: PathBuf = config.data_dir.to_path_buf();
        let vfs = environment.vfs.clone();
        let mut store = Store::open(&directory.join("marmot.db"), vfs.as_deref()).map_err(|e| e.to_string())?;
        let Simulation { interference, checkpoint_bytes, planted } = environment.simulation.clone();
        let checkpoint_bytes = checkpoint_bytes.unwrap_or(CHECKPOINT_BYTES);
        store.plant(planted);
        let node_id = identity(&mut store, config.node_id, &*environment.random).map_err(|e| e.to_string())?;
        let mut options = Options { write_set_bytes: config.transaction.max_write_set_bytes, ..Options::default() };
        options.vfs = vfs.clone();
        options.checkpoint_bytes = checkpoint_bytes;
        options.planted = planted;
        let data = DataDir::open(&directory, options).map_err(|e| e.to_string())?;
        let applied = data.durable_seq().map_err(|e| e.to_string())?;

        let clock = environment.clock.clone();
        let mut effects = Effects::new();
        let node = {
            let mut round = store.begin();
            let seed = (environment.random)();
            let node = Node::open(config.core(node_id), clock.now(), seed, applied, &mut round, &mut effects)
                .map_err(|e| e.to_string())?;
            round.commit().map_err(|e| e.to_string())?;
            node
        };
        tracing::info!(status = %node.status(), "recovered");
        let is_member = node.is_voter();

        let (calls, calls_out) = mpsc::channel(CALLS);
        let (envelopes, envelopes_out) = mpsc::channel(ENVELOPES);
        let (reports, reports_out) = mpsc::unbounded_channel();
        let (tasks, tasks_out) = mpsc::unbounded_channel();
        let (ready, ready_out) = watch::channel(false);
        let (stop, stop_out) = watch::channel(false);
        let published = Published::new();

        let credentials = credentials(config, &environment.keys, environment.random.clone())?.plant(planted);
        let frame_limit = config.core(node_id).limits.frame_bytes;
        let applier = data.open_applier(&applier_functions()).map_err(|e| e.to_string())?;
        let metrics = environment.metrics.clone();
        let applier = SharedApplier::new(applier, metrics.clone());
        dedicated("applier", applier::run(applier.clone(), tasks_out, reports.clone())).map_err(|e| e.to_string())?;

        let own = FileCheckpointer::open(&directory.join("marmot.db"), vfs.as_deref(), checkpoint_bytes)
            .map_err(|e| e.to_string())?;
        let checkpointing = checkpointer::run(data.open_checkpointer(), own, stop_out.clone());
        dedicated("checkpointer", checkpointing).map_err(|e| e.to_string())?;

        let book = Arc::new(LinkBook::default());
        let links = Links::new(credentials.clone(), environment.cluster.clone(), book.clone(), interference);
        let channels = Channels { calls: calls_out, envelopes: envelopes_out, reports: reports_out, tasks, ready };
        let spans = environment.spans.as_ref().map(|queue| queue.of(node_id));
        let driver = Driver::new(DriverParts {
            node,
            store,
            clock: clock.clone(),
            links,
            published: published.clone(),
            metrics: metrics.clone(),
            channels,
            applier: applier.clone(),
            applied,
            has_room: room(directory.clone(), vfs.is_some()),
            data: data.clone(),
            write_timeout: config.replication.write_timeout,
            spans: spans.clone(),
        });
        let (end, ended) = oneshot::channel();
        let run = async move {
            let result = driver.run(effects).await;
            // Nobody waits for the end of a node that is being dropped.
            let _ = end.send(result);
        };
        // Beside the links: what a round says, and what it answers, passes no other thread.
        (environment.cluster)(Box::pin(run));

        let copies = Copies::new(
            directory.clone(),
            vfs.clone(),
            data.clone(),
            reports.clone(),
            ready_out.clone(),
            environment.random.clone(),
            config.replication.snapshot_bytes_per_second,
            metrics.clone(),
            book.copies.clone(),
        );
        let certificates = certificates(config);
        let verified = Arc::new(Book::default());
        let server = Server::new(Parts {
            node: node_id,
            data,
            core: CoreHandle::new(calls, published),
            clock: Arc::new(clock.clone()),
            globals: Arc::new(globals(config, node_id, certificates.as_ref()).map_err(|e| e.to_string())?),
            seed: (environment.random)(),
            configured: configured(config),
            conflicts: Some(Arc::new(StoredConflicts::new(directory.join("marmot.db"), vfs))),
            links: Some(book.clone()),
            verification: Some(verified.clone()),
            spans: spans.map(|spans| spans as Arc<dyn StatementSpans>),
        });
        let verification = {
            let (clock, ready) = (clock.clone(), ready_out.clone());
            let grace = config.core(node_id).timing.grace;
            let local = Local::new(server.clone(), reports.clone(), applier, clock, ready, grace);
            Verification::new(local, credentials.clone(), metrics.clone(), verified, config, node_id, stop_out.clone())
        };
        metrics.include(server.counters().times());
        // A member that comes back serves what it has, at once; one that joins has nothing yet.
        let serves = if is_member { watch::channel(true).1 } else { ready_out.clone() };
        let front = front(&server, certificates, credentials.tls.clone(), serves)?;
        Ok(Closed {
            node: node_id,
            server,
            ready: ready_out,
            environment,
            credentials,
            frame_limit,
            envelopes,
            reports,
            stop,
            ended,
            front,
            copies,
            verification,
            links: book,
        })
    }

    /// How the driver ended, if it has to before the node is open.
    pub fn ended(&mut self) -> &mut oneshot::Receiver<Result<(), Fatal>> {
        &mut self.ended
    }

    /// Lets clients and peers in.
    pub fn open(self, listeners: Listeners) -> Instance {
        let Closed { environment, front, stop, links, .. } = self;
        let envelopes = self.envelopes.downgrade();
        let listening = listen(
            listeners.cluster,
            self.credentials,
            self.frame_limit,
            self.envelopes,
            self.copies.clone(),
            self.verification.answers.clone(),
            environment.metrics.clone(),
            environment.clients.clone(),
            environment.cluster.clone(),
        );
        (environment.cluster)(Box::pin(listening));
        (environment.clients)(Box::pin(front.clone().accept_tcp(listeners.mysql, stop.subscribe())));
        #[cfg(not(madsim))]
        if let Some(unix) = listeners.unix {
            (environment.clients)(Box::pin(front.clone().accept_unix(unix, stop.subscribe())));
        }
        self.verification.start();
        let expiring = self.server.clone();
        (environment.clients)(Box::pin(expire(expiring, self.copies.clone(), environment.clock, stop.subscribe())));
        let Closed { node, server, ready, reports, ended, .. } = self;
        Instance { node, server, ready, reports, stop, ended, front, links, envelopes }
    }
}

impl Instance {
    /// Opens the data directory of `config` and starts serving on `listeners`.
    ///
    /// # Errors
    /// A sentence for the person who started the node.
    pub fn start(config: &Config, environment: Environment, listeners: Listeners) -> Result<Instance, String> {
        Closed::start(config, environment).map(|closed| closed.open(listeners))
    }

    /// What somebody who watches the node sees of it.
    #[cfg(not(madsim))]
    pub(super) fn watched(&self) -> super::admin::Running {
        let envelopes = self.envelopes.clone();
        super::admin::Running {
            server: self.server.clone(),
            links: self.links.clone(),
            envelopes: Box::new(move || envelopes.upgrade().map_or(0, |e| e.max_capacity() - e.capacity())),
            ready: self.ready.clone(),
            stopping: self.stop.subscribe(),
        }
    }

    /// Stops for good: as [`Instance::stop`], and the others take this node's vote before the driver ends.
    pub async fn leave(&self) {
        self.stop.send_replace(true);
        self.front.drained().await;
        // A driver that is gone already has ended.
        let _ = self.reports.send(Report::Leave);
    }

    /// Stops gracefully: no new clients, running commands are answered, the core finishes what it coordinates. The
    /// driver then ends; wait for it on [`Instance::ended`].
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        self.front.drained().await;
        // A driver that is gone already has ended.
        let _ = self.reports.send(Report::Drain);
    }
}

/// Closes transactions and connections that are over their time.
async fn expire(server: Arc<Server>, copies: Arc<Copies>, clock: SystemClock, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            biased;
            changed = stop.changed() => if changed.is_err() || *stop.borrow() { return },
            () = tokio::time::sleep(std::time::Duration::from_millis(250)) => {
                server.registry().expire(clock.now().mono);
                copies.expire().await;
            }
        }
    }
}

/// This node's identity: as configured, else as stored, else chosen now; stored in any case.
fn identity(store: &mut Store, configured: Option<NodeId>, random: &dyn Fn() -> u64) -> Result<NodeId, Fatal> {
    let mut round = store.begin();
    let stored = stored_identity(&round)?;
    let node = match (stored, configured) {
        (Some(stored), Some(configured)) if stored != configured => {
            return Err(Fatal::Invariant(format!(
                "this data directory belongs to node {}, but node id {} is configured; a node that lost its disk must \
                 come back under a new identity and with an empty directory",
                stored.0, configured.0
            )));
        }
        (Some(stored), _) => return Ok(stored),
        (None, Some(configured)) => configured,
        // 48 bits: exact in any client's number type, and a collision among 64 members is out of the question.
        (None, None) => NodeId((random() >> 16).max(1)),
    };
    round.put(Table::Meta, NODE_ID, &node.0.to_be_bytes())?;
    round.commit()?;
    Ok(node)
}

/// Whether a data directory is that of a node that was welcomed by a cluster, or began one.
///
/// # Errors
/// A sentence: it cannot be read.
#[cfg(not(madsim))]
pub(super) fn belongs_to_a_cluster(directory: &Path) -> Result<bool, String> {
    let path = directory.join("marmot.db");
    if !path.exists() {
        return Ok(false);
    }
    let mut store = Store::open(&path, None).map_err(|e| e.to_string())?;
    crate::core::has_membership(&store.begin()).map_err(|e| e.to_string())
}

/// The identity stored in a data directory.
///
/// # Errors
/// A sentence: it cannot be read, or there is none.
#[cfg(not(madsim))]
pub(super) fn identity_in(directory: &Path) -> Result<NodeId, String> {
    let mut store = Store::open(&directory.join("marmot.db"), None).map_err(|e| e.to_string())?;
    stored_identity(&store.begin()).map_err(|e| e.to_string())?.ok_or_else(|| "marmot.db names no node".to_string())
}

fn stored_identity(store: &dyn Storage) -> Result<Option<NodeId>, Fatal> {
    let stored = store.get(Table::Meta, NODE_ID)?;
    Ok(stored.and_then(|b| b.try_into().ok()).map(u64::from_be_bytes).map(NodeId))
}

/// What this node shows to others: the secret, and TLS as configured. `random` gives nonces.
///
/// # Errors
/// A sentence: the certificates cannot be used.
pub(super) fn credentials(
    config: &Config,
    keys: &Keyring,
    random: Arc<dyn Fn() -> u64 + Send + Sync>,
) -> Result<Credentials, String> {
    // The simulator's network has no listeners-in, and making a certificate draws real randomness.
    let encrypted = config.encrypts_between_nodes() && !cfg!(madsim);
    let tls = encrypted.then(|| ClusterTls::new(config.cluster.tls_files.clone()).map(Arc::new)).transpose()?;
    Ok(Credentials { keys: keys.clone(), nonces: nonces(random), tls, understood: Understood::all() })
}

fn nonces(random: Arc<dyn Fn() -> u64 + Send + Sync>) -> Nonces {
    Arc::new(move || {
        let mut nonce = [0; NONCE];
        nonce.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&random().to_le_bytes()));
        nonce
    })
}

/// Whether the disk has room, by asking the operating system.
fn room(directory: PathBuf, simulated: bool) -> Box<dyn FnMut() -> bool + Send> {
    Box::new(move || {
        // A question that cannot be answered is no reason to refuse work.
        simulated
            || nix::sys::statvfs::statvfs(&directory)
                .map_or(true, |s| s.blocks_available() * s.fragment_size() >= ROOM_BYTES)
    })
}

fn globals(
    config: &Config,
    node: NodeId,
    certificates: Option<&Certificates>,
) -> Result<Globals, crate::session::VariableError> {
    let path = |path: Option<&Path>| Value::text(path.map_or_else(String::new, |path| path.display().to_string()));
    let int = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let seconds = |span: crate::types::Span| int((span.as_millis() / 1000).max(1));
    let text = |s: String| Value::text(s);
    Globals::new(&[
        ("marmot_node_id", int(node.0)),
        ("marmot_write_consistency", text(config.replication.write_level.to_string())),
        ("marmot_read_consistency", text(config.replication.read_level.to_string())),
        ("marmot_collations", text(config.mysql.collations.to_string())),
        ("marmot_auto_id_mode", text(config.mysql.auto_id_mode.to_string())),
        ("marmot_transaction_max_age", seconds(config.transaction.max_age)),
        ("innodb_lock_wait_timeout", seconds(config.transaction.lock_wait_timeout)),
        ("wait_timeout", seconds(config.mysql.wait_timeout)),
        ("max_connections", int(config.mysql.max_connections as u64)),
        ("connect_timeout", seconds(config.mysql.connect_timeout)),
        ("max_connect_errors", int(config.mysql.max_connect_errors as u64)),
        ("require_secure_transport", Value::Int(config.mysql.require_tls.into())),
        ("ssl_cert", path(certificates.map(Certificates::cert))),
        ("ssl_key", path(certificates.map(Certificates::key))),
        ("max_allowed_packet", int(config.mysql.max_allowed_packet_bytes as u64)),
        ("port", int(config.mysql.listen.port.into())),
        ("datadir", text(config.data_dir.display().to_string())),
        ("secure_file_priv", text(config.mysql.secure_file_priv.as_deref().map_or("NULL".to_string(), resolved))),
        ("slow_query_log", int(config.logging.slow_query_log.into())),
        ("long_query_time", Value::real(config.logging.long_query_time.as_secs_f64())),
    ])
}

/// Where a path leads; what has gone since the configuration was checked is found to be missing when it is used.
fn resolved(path: &std::path::Path) -> String {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf()).display().to_string()
}

/// The account of the configuration. Without a password it is for clients of this machine only.
fn configured(config: &Config) -> ConfiguredAccount {
    let mysql = &config.mysql;
    let password = mysql.password.expose();
    // In the simulator's network no client is of this machine.
    let host = if password.is_empty() && !cfg!(madsim) { "localhost" } else { "%" };
    ConfiguredAccount::new(&mysql.user, host, password)
}

fn front(
    server: &Arc<Server>,
    certificates: Option<Certificates>,
    cluster_tls: Option<Arc<ClusterTls>>,
    ready: watch::Receiver<bool>,
) -> Result<Arc<Front<NewSession>>, String> {
    if let Some(open) = server.open_account() {
        tracing::warn!(
            "the account {open} has no password and may do everything: give it one with \
             ALTER USER {open} IDENTIFIED BY '...'"
        );
    }
    let mut front = FrontConfig::new(VERSION, server.clone());
    front.counters = server.counters().clone();
    front.ready = ready;
    front.tls = certificates.as_ref().map(Certificates::load).transpose()?;
    let globals = server.globals().clone();
    front.limits = Arc::new(move || Limits {
        require_tls: globals.number("require_secure_transport") != 0,
        max_connections: usize::try_from(globals.number("max_connections")).unwrap_or(usize::MAX),
        connect_timeout: std::time::Duration::from_secs(globals.number("connect_timeout")),
        max_connect_errors: globals.number("max_connect_errors"),
    });
    let for_clients = certificates.zip(front.tls.clone());
    server.set_doors(Arc::new(Entrances { for_clients, for_nodes: cluster_tls, hosts: front.hosts.clone() }));
    let server = server.clone();
    let new_session: NewSession = Box::new(move |_| server.session());
    Ok(Front::new(front, new_session))
}

/// The files of the certificate that clients see.
fn certificates(config: &Config) -> Option<Certificates> {
    let mysql = &config.mysql;
    // The simulator's network has no listeners-in, and making a certificate draws real randomness.
    if cfg!(madsim) {
        return None;
    }
    Some(match (&mysql.tls_cert, &mysql.tls_key) {
        (Some(cert), Some(key)) => Certificates::of(cert, key),
        _ => {
            let hosts = ["localhost", "127.0.0.1", "::1", &mysql.listen.host, &config.advertised().host];
            let mut names: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            names.sort_unstable();
            names.dedup();
            names.retain(|name| name != "0.0.0.0" && name != "::");
            Certificates::kept_in(&config.data_dir, names)
        }
    })
}
