//! The daemon: runtimes, sockets, signals.

use super::admin::{self, Watch};
use super::clock::SystemClock;
use super::import;
use super::instance::{Closed, Environment, Instance, Listeners, ROOM_BYTES, Simulation, credentials};
use super::keyring::Keyring;
use super::metrics::Metrics;
#[cfg(feature = "otlp")]
use super::otlp::Exporting;
use super::reload::{ReadAgain, reload};
use super::repair::{self, Start};
use super::snapshot;
use super::spans::SpanQueue;
use super::spawn;
use crate::config::Config;
use crate::core::Fatal;
use crate::sqlite::check_store_version;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Descriptors that a connection may need: its socket, its runtime, and the files of the databases it uses.
const DESCRIPTORS_OF_A_CONNECTION: u64 = 16;
/// Descriptors for everything else.
const OTHER_DESCRIPTORS: u64 = 256;
/// More are not asked for: an unlimited number is more than the kernel gives.
const MOST_DESCRIPTORS: u64 = 1 << 20;
/// How long a stop may take before it is forced.
const STOP_TIME: Duration = Duration::from_secs(20);
/// How long others may take to remove a node that leaves.
const LEAVE_TIME: Duration = Duration::from_secs(15);

/// A life that does not last so long was in vain.
const LIFE: Duration = Duration::from_secs(60);
/// Lives in vain, one after another, after which the process ends.
const AGAIN: u32 = 3;

/// Runs a node until SIGTERM or SIGINT, or until it must stop. `ready` is called with a line for people once the node
/// is a voting member with its own log applied; clients that come before are told so.
///
/// A node that finds its files damaged, or no log that reaches back to what it lacks, starts again with a snapshot. `again`
/// reads the configuration anew, for SIGHUP. With `check_data` the node reads all of its files before it opens them.
///
/// # Errors
/// A sentence: why the node could not start, or why it stopped.
pub fn run(config: &Config, again: ReadAgain<'_>, check_data: bool, ready: impl FnOnce(&str)) -> Result<(), String> {
    raise_descriptor_limit(config.mysql.max_connections as u64);
    let mut ready = Some(ready);
    let keys = Keyring::of(&config.cluster);
    let mut start = if check_data { Start::Checked } else { Start::New };
    let mut quick_ends = 0;
    let result = loop {
        let began = Instant::now();
        let say = |line: &str| {
            if let Some(ready) = ready.take() {
                ready(line);
            }
        };
        match live(config, &keys, again, start, say) {
            Ended::Again(cause) => {
                quick_ends = if began.elapsed() < LIFE { quick_ends + 1 } else { 0 };
                if quick_ends > AGAIN {
                    break Err(format!("{cause}, again and again"));
                }
                tracing::warn!(%cause, "starting again, to go on from another member's snapshot");
                start = Start::After(cause);
            }
            Ended::Asked => break Ok(()),
            Ended::Failed(why) => break Err(why),
        }
    };
    if let Some(path) = &config.mysql.unix_socket {
        // It may be gone already.
        let _ = std::fs::remove_file(path);
    }
    result
}

/// How a life of the node ended.
enum Ended {
    Asked,
    /// A snapshot helps.
    Again(Fatal),
    Failed(String),
}

impl From<String> for Ended {
    fn from(why: String) -> Ended {
        Ended::Failed(why)
    }
}

/// One life of the node, with threads and sockets of its own.
fn live(config: &Config, keys: &Keyring, again: ReadAgain<'_>, start: Start, ready: impl FnOnce(&str)) -> Ended {
    // The driver and its links: this thread.
    let cluster = Builder::new_current_thread().enable_all().build();
    // Accepts clients, who get threads of their own, and watches their time limits.
    let mut clients = Builder::new_multi_thread();
    let clients = clients.worker_threads(1).thread_name("listener").enable_all().build();
    let (cluster, clients) = match (cluster, clients) {
        (Ok(cluster), Ok(clients)) => (cluster, clients),
        (Err(e), _) | (_, Err(e)) => return Ended::Failed(format!("no threads: {e}")),
    };
    let spawn_on = |runtime: &Runtime| -> spawn::Spawn {
        let handle = runtime.handle().clone();
        Arc::new(move |task| drop(handle.spawn(task)))
    };
    let clock = SystemClock::start();
    let metrics = Metrics::new();
    let (spans, exporting) = match export(config, &clock, &metrics) {
        Ok(exporting) => exporting.unzip(),
        Err(why) => return Ended::Failed(why),
    };
    let environment = Environment {
        vfs: None,
        clock,
        random: Arc::new(rand_u64),
        cluster: spawn_on(&cluster),
        clients: spawn_on(&clients),
        metrics,
        keys: keys.clone(),
        spans,
        simulation: Simulation::default(),
    };
    let ended = cluster.block_on(async {
        match live_in(config, environment, &clients, again, start, ready).await {
            Ok(()) => Ended::Asked,
            Err(ended) => ended,
        }
    });
    clients.shutdown_timeout(Duration::from_secs(1));
    cluster.shutdown_timeout(Duration::from_secs(1));
    if let Some(exporting) = exporting {
        exporting.finish();
    }
    match ended {
        // Closing a file locks it, and takes its write-ahead log away: not while the next life has it open.
        Ended::Again(_) if !spawn::dedicated_ended(STOP_TIME) => {
            Ended::Failed("a thread has not ended and holds files: start the node again".to_string())
        }
        ended => ended,
    }
}

/// Sends spans to the collector, if there is one.
#[cfg(feature = "otlp")]
fn export(
    config: &Config,
    clock: &SystemClock,
    metrics: &Arc<Metrics>,
) -> Result<Option<(SpanQueue, Exporting)>, String> {
    let otlp = &config.logging.otlp;
    if otlp.endpoint.is_empty() {
        return Ok(None);
    }
    Exporting::start(otlp, config.advertised().to_string(), clock.clone(), metrics.clone()).map(Some)
}

/// The configuration names no collector where none can be spoken to.
#[cfg(not(feature = "otlp"))]
fn export(_: &Config, _: &SystemClock, _: &Arc<Metrics>) -> Result<Option<(SpanQueue, Exporting)>, String> {
    Ok(None)
}

/// Nothing is sent.
#[cfg(not(feature = "otlp"))]
struct Exporting;

#[cfg(not(feature = "otlp"))]
impl Exporting {
    fn finish(self) {}
}

async fn live_in(
    config: &Config,
    environment: Environment,
    clients: &Runtime,
    again: ReadAgain<'_>,
    cause: Start,
    ready: impl FnOnce(&str),
) -> Result<(), Ended> {
    // Caught from here on: a stop that comes before the node is open is a stop all the same.
    let mut signals = Signals::new()?;
    let watch = watch(config, &environment.metrics, clients).await?;
    let keys = environment.keys.clone();
    let listeners = {
        // A socket belongs to the runtime it is made in.
        let _clients = clients.enter();
        bind_mysql(config).await?
    };
    let (mysql, unix) = listeners;
    let cluster_listener = bind("cluster", &config.cluster.listen.to_string()).await?;
    let at = mysql.local_addr().map_or_else(|_| config.mysql.listen.to_string(), |a| a.to_string());
    let listeners = Listeners { cluster: cluster_listener, mysql, unix };
    let closed = tokio::select! {
        biased;
        asked = signals.stop() => {
            tracing::info!("{asked} before the node was open: ending, recovery takes care of the rest");
            return Ok(());
        }
        started = start(config, environment, cause) => started.map_err(|why| without_room(config, why))?,
    };
    let instance = closed.open(listeners);
    watch.attach(&instance);
    let line = format!("node {} answers MySQL on {at}, cluster on {}", instance.node.0, config.cluster.listen);
    tracing::info!("{line}");
    let server = instance.server.clone();
    let reload = || reload(&server, &keys, config, again);
    supervise(instance, &mut signals, config.cluster.leave_on_stop, reload, || ready(&line)).await?;
    repair::stopped_cleanly(&config.data_dir);
    Ok(())
}

/// Says what to do if the disk is why the node does not start.
fn without_room(config: &Config, why: String) -> String {
    let Ok(disk) = nix::sys::statvfs::statvfs(&*config.data_dir) else { return why };
    let left = disk.blocks_available() * disk.fragment_size();
    if left >= ROOM_BYTES && why != Fatal::DiskFull.to_string() {
        return why;
    }
    format!(
        "{why}: {} kB are left to {}. Nothing is lost: make room, {} MB or more, and start again",
        left >> 10,
        config.data_dir.display(),
        ROOM_BYTES >> 20
    )
}

/// Lets the node be watched from now on, if it is to be.
async fn watch(config: &Config, metrics: &Arc<Metrics>, clients: &Runtime) -> Result<Arc<Watch>, String> {
    let watch = Watch::new(config.data_dir.to_path_buf(), config.cluster.max_clock_offset, metrics.clone());
    if let Some(address) = &config.admin.listen {
        let listener = {
            let _clients = clients.enter();
            bind("admin", &address.to_string()).await?
        };
        let at = listener.local_addr().map_or_else(|_| address.to_string(), |at| at.to_string());
        tracing::info!("admin address: http://{at}/");
        clients.spawn(admin::serve(listener, watch.clone(), config.admin.token.clone()));
    }
    Ok(watch)
}

/// Allows this process as many open files as it may have, and says so if they may not be enough.
fn raise_descriptor_limit(connections: u64) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let wanted = OTHER_DESCRIPTORS + connections.saturating_mul(DESCRIPTORS_OF_A_CONNECTION);
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let allowed = hard.min(MOST_DESCRIPTORS).max(soft);
    let limit = if setrlimit(Resource::RLIMIT_NOFILE, allowed, hard).is_ok() { allowed } else { soft };
    if limit < wanted {
        tracing::warn!(
            limit,
            wanted,
            "max_connections = {connections} may need more open files than this process may have: raise `ulimit -n` \
             (systemd: LimitNOFILE)"
        );
    }
}

/// Starts the node, and imports what waits to be imported before anybody gets in.
async fn start(config: &Config, environment: Environment, cause: Start) -> Result<Closed, String> {
    check_store_version(&config.data_dir.join("marmot.db")).map_err(|e| e.to_string())?;
    snapshot::finish(&config.data_dir)?;
    import::take_in(&config.data_dir, config.joins())?;
    let credentials = credentials(config, &environment.keys, environment.random.clone())?;
    if let Some(need) = repair::look(config, &cause)? {
        repair::renew(config, &environment, need, &credentials).await?;
    }
    if config.joins() {
        let seeds: Vec<String> = config.cluster.seeds.iter().map(ToString::to_string).collect();
        std::fs::create_dir_all(&*config.data_dir).map_err(|e| format!("{}: {e}", config.data_dir.display()))?;
        let metrics = &environment.metrics;
        snapshot::fetch(&config.data_dir, &seeds, &credentials, metrics, config.node_id).await?;
    }
    let mut closed = Closed::start(config, environment)?;
    if import::is_waiting(&config.data_dir)? {
        let (server, ready) = (closed.server.clone(), closed.ready.clone());
        tokio::select! {
            biased;
            ended = closed.ended() => return Err(match stopped(ended.ok()) {
                Ok(()) => "stopped".into(),
                Err(Ended::Failed(why)) => why,
                Err(Ended::Asked) => "stopped".into(),
                Err(Ended::Again(cause)) => cause.to_string(),
            }),
            imported = import::import_waiting(&server, ready, &config.data_dir) => imported?,
        }
    }
    import::announce_strangers(&config.data_dir, &closed.server.databases());
    Ok(closed)
}

/// What a signal asks for.
enum Asked {
    /// To stop; the signal's name.
    Stop(&'static str),
    /// To read certificates and the cluster secret anew.
    Reload,
}

/// What asks the node to do something.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// A reload was asked for while there was nothing to reload for.
    pending: bool,
}

impl Signals {
    fn new() -> Result<Signals, String> {
        let caught = |kind| signal(kind).map_err(|e| format!("cannot catch signals: {e}"));
        Ok(Signals {
            terminate: caught(SignalKind::terminate())?,
            interrupt: caught(SignalKind::interrupt())?,
            hang_up: caught(SignalKind::hangup())?,
            pending: false,
        })
    }

    async fn next(&mut self) -> Asked {
        if std::mem::take(&mut self.pending) {
            return Asked::Reload;
        }
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Asked::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Asked::Stop("SIGINT"),
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }

    /// The name of the next that asks to stop. A reload is for when the node has started; one that stops needs none.
    async fn stop(&mut self) -> &'static str {
        loop {
            tokio::select! {
                biased;
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hang_up.recv() => self.pending = true,
            }
        }
    }
}

/// Says when the node is ready, and ends it when asked to.
async fn supervise(
    mut instance: Instance,
    signals: &mut Signals,
    leave: bool,
    reload: impl Fn(),
    ready: impl FnOnce(),
) -> Result<(), Ended> {
    let mut waiting = Some(ready);
    loop {
        tokio::select! {
            biased;
            ended = &mut instance.ended => return stopped(ended.ok()),
            asked = signals.next() => match asked {
                Asked::Stop(name) => {
                    tracing::info!("{name}: draining");
                    break;
                }
                Asked::Reload => reload(),
            },
            // A driver that is gone has ended, which the first arm says.
            Ok(_) = instance.ready.wait_for(|ready| *ready), if waiting.is_some() => {
                if let Some(ready) = waiting.take() {
                    ready();
                }
            }
        }
    }
    let end = async {
        if !leave {
            return drain(&mut instance).await;
        }
        let left = async {
            instance.leave().await;
            stopped((&mut instance.ended).await.ok())
        };
        if let Ok(ended) = tokio::time::timeout(LEAVE_TIME, left).await {
            return ended;
        }
        drain(&mut instance).await?;
        Err(format!(
            "stopped without having left: no majority took this node's vote in {} s. It may be started again, or removed \
             on another node (ALTER CLUSTER REMOVE NODE {})",
            LEAVE_TIME.as_secs(),
            instance.node.0
        )
        .into())
    };
    tokio::select! {
        biased;
        result = end => result,
        asked = signals.stop() => Err(format!("a second signal, {asked}: stopped at once").into()),
    }
}

async fn drain(instance: &mut Instance) -> Result<(), Ended> {
    let drained = async {
        instance.stop().await;
        stopped((&mut instance.ended).await.ok())
    };
    match tokio::time::timeout(STOP_TIME, drained).await {
        Ok(result) => result,
        Err(_) => {
            tracing::warn!(
                "not drained in {} s, stopping anyway; recovery takes care of the rest",
                STOP_TIME.as_secs()
            );
            Ok(())
        }
    }
}

fn stopped(ended: Option<Result<(), Fatal>>) -> Result<(), Ended> {
    match ended {
        Some(Ok(())) => Ok(()),
        Some(Err(cause @ (Fatal::NeedsSnapshot { .. } | Fatal::Orphaned(_) | Fatal::Damaged(_)))) => {
            Err(Ended::Again(cause))
        }
        Some(Err(fatal)) => Err(fatal.to_string().into()),
        None => Err("the driver died; see the log".to_string().into()),
    }
}

async fn bind(what: &str, address: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|e| format!("cannot listen for {what} on {address}: {e}"))
}

async fn bind_mysql(config: &Config) -> Result<(TcpListener, Option<UnixListener>), String> {
    let mysql = bind("MySQL", &config.mysql.listen.to_string()).await?;
    let unix = match &config.mysql.unix_socket {
        None => None,
        Some(path) => {
            // Left over from an earlier life: the data directory's lock says that it is dead.
            let _ = std::fs::remove_file(path);
            let listener = UnixListener::bind(path);
            Some(listener.map_err(|e| format!("cannot listen on {}: {e}", path.display()))?)
        }
    };
    Ok((mysql, unix))
}

/// Random numbers of the operating system's: for seeds, nonces and identities. Without any the process must not go on,
/// for its nonces would repeat.
pub(super) fn rand_u64() -> u64 {
    let mut bytes = [0; 8];
    let provider = tokio_rustls::rustls::crypto::ring::default_provider();
    provider.secure_random.fill(&mut bytes).expect("the operating system gives random numbers");
    u64::from_le_bytes(bytes)
}
