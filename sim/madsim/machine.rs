//! One simulated machine: disk, clock, address, and the node that runs on it, life after life.

use crate::dice::Dice;
use crate::disk::{Disk, Loss};
use crate::options::{Options, Trouble};
use crate::planted::Plant;
use crate::post::Post;
use crate::trace::Trace;
use madsim::runtime::Handle;
use madsim::task::NodeId;
use madsim::time::TimeHandle;
use marmot::config::{Config, DataDir, HostPort, Secret};
use marmot::shell::spawn::here;
use marmot::shell::{Environment, Instance, Listeners, Simulation, SystemClock};
use marmot::sqlite::HostPlanted;
use marmot::types::Span;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const CLUSTER_PORT: u16 = 8081;
const MYSQL_PORT: u16 = 3306;
/// The simulator's calendar begins in 2022; ours some years later.
const CALENDAR_MS: i64 = 5 * 365 * 24 * 3600 * 1000;

/// What the node on a machine is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Running,
    /// Ended as asked.
    Stopped,
    /// Ended by itself, or did not start: why.
    Failed(String),
    /// The machine is off.
    Off,
}

struct Shared {
    name: String,
    disk: Disk,
    post: Arc<Post>,
    planted: HostPlanted,
    checkpoint_bytes: u64,
    /// Milliseconds the wall clock is off, beside the calendar.
    skew: Arc<AtomicI64>,
    config: Config,
    seed: u64,
    lives: AtomicU64,
    condition: Mutex<Condition>,
    /// Why nodes here ended by themselves.
    failures: Mutex<Vec<String>>,
    /// For asking the running node to stop.
    stop: Mutex<Option<mpsc::UnboundedSender<()>>>,
    trace: Trace,
}

/// A machine of the cluster. Clones are the same machine.
#[derive(Clone)]
pub struct Machine {
    shared: Arc<Shared>,
    node: Option<NodeId>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ip(number: usize) -> String {
    format!("10.0.0.{}", number + 1)
}

fn config(number: usize, options: &Options) -> Config {
    let mut config = Config {
        node_id: Some(marmot::types::NodeId(number as u64 + 1)),
        data_dir: DataDir(PathBuf::from(format!("/n{}", number + 1))),
        ..Config::default()
    };
    config.cluster.listen = HostPort::new(ip(number), CLUSTER_PORT);
    // The first machine founds the cluster.
    config.cluster.seeds = (0..number.min(2)).map(|other| HostPort::new(ip(other), CLUSTER_PORT)).collect();
    config.cluster.secret = Secret::new("a secret that all machines of the simulation share");
    config.mysql.listen = HostPort::new(ip(number), MYSQL_PORT);
    config.mysql.auto_id_mode = options.auto_id_mode;
    config.replication.write_timeout = Span::from_millis(options.write_timeout_ms);
    config.replication.read_timeout = Span::from_millis(options.write_timeout_ms);
    config.replication.recover_after = Span::from_millis(options.recover_after_ms);
    config.transaction.lock_wait_timeout = Span::from_secs(5);
    config
}

impl Machine {
    /// Builds the machine and starts a node on it. Needs the simulator's context.
    pub fn start(number: usize, options: &Options, trace: &Trace) -> Machine {
        let name = format!("n{}", number + 1);
        let skew = Arc::new(AtomicI64::new(options.skew_ms[number] + CALENDAR_MS));
        let (time, off) = (TimeHandle::current(), skew.clone());
        let clock = move || {
            let since = time.now_time().duration_since(UNIX_EPOCH).unwrap_or_default();
            since.as_millis() as i64 + off.load(Ordering::Relaxed)
        };
        let disk = Disk::new(&format!("disk-{name}"), Dice::part(options.seed, &format!("disk {name}")), clock);
        match options.plant {
            Some(Plant::LyingDisk) => disk.set_lying(),
            Some(Plant::UnsyncedCheckpoint) => disk.set_deaf("/app.db"),
            Some(Plant::Host(_)) | None => {}
        }
        let shared = Arc::new(Shared {
            name: name.clone(),
            disk,
            post: Arc::new(Post::new(Dice::part(options.seed, &format!("post {name}")))),
            planted: match options.plant {
                Some(Plant::Host(bug)) => HostPlanted::only(bug),
                _ => HostPlanted::none(),
            },
            checkpoint_bytes: options.checkpoint_bytes,
            skew,
            config: config(number, options),
            seed: options.seed,
            lives: AtomicU64::new(0),
            condition: Mutex::new(Condition::Running),
            failures: Mutex::default(),
            stop: Mutex::new(None),
            trace: trace.clone(),
        });
        let handle = Handle::current();
        let on_it = shared.clone();
        let address = ip(number).parse().expect("an address made above");
        let built = handle.create_node().name(name).ip(address).init(move || live(on_it.clone())).build();
        let machine = Machine { shared: shared.clone(), node: Some(built.id()) };
        // The alarm must not keep the machine alive: its disk owns it.
        let (weak, node) = (Arc::downgrade(&shared), built.id());
        machine.shared.disk.set_alarm(move || {
            if let Some(shared) = weak.upgrade() {
                *lock(&shared.condition) = Condition::Off;
                shared.trace.add(&shared.name, "the power failed in the middle of work");
            }
            Handle::current().kill(node);
        });
        machine
    }

    pub fn name(&self) -> &str {
        &self.shared.name
    }

    pub fn node(&self) -> NodeId {
        self.node.expect("set when the machine was built")
    }

    pub fn disk(&self) -> &Disk {
        &self.shared.disk
    }

    pub fn post(&self) -> &Post {
        &self.shared.post
    }

    /// Where clients connect.
    pub fn mysql(&self) -> SocketAddr {
        let listen = &self.shared.config.mysql.listen;
        listen.to_string().parse().expect("made of an address and a port")
    }

    pub fn condition(&self) -> Condition {
        lock(&self.shared.condition).clone()
    }

    /// How often a node was started here.
    pub fn lives(&self) -> u64 {
        self.shared.lives.load(Ordering::Relaxed)
    }

    /// Why a node ended by itself, if the troubles of the run do not explain it.
    pub fn unexpected(&self, options: &Options) -> Option<String> {
        let explain = [Trouble::DiskError, Trouble::FullDisk, Trouble::PowerLossWithin];
        let explained = options.plant.is_some() || options.troubles.iter().any(|trouble| explain.contains(trouble));
        let failures = lock(&self.shared.failures);
        // Trouble with a disk makes a node stop, but never find nonsense on it.
        let nonsense = |why: &&String| ["invariant", "corrupt", "outcomes"].iter().any(|word| why.contains(word));
        failures.iter().find(|why| !explained || (options.plant.is_none() && nonsense(why))).cloned()
    }

    /// Ends the node as hard as `loss` says.
    pub fn kill(&self, loss: Loss) {
        self.shared.trace.add(self.name(), &format!("killed, loss {loss:?}"));
        self.shared.disk.stop(loss);
        Handle::current().kill(self.node());
        *lock(&self.shared.condition) = Condition::Off;
    }

    /// Starts a node again; whatever of an earlier one is left ends.
    pub fn restart(&self) {
        self.shared.trace.add(self.name(), "started");
        self.shared.disk.stop(Loss::Nothing);
        self.shared.disk.start();
        *lock(&self.shared.condition) = Condition::Running;
        // A node that ended by itself still holds its sockets until it is killed.
        Handle::current().kill(self.node());
        Handle::current().restart(self.node());
    }

    /// Asks the node to stop, as SIGTERM does.
    pub fn ask_to_stop(&self) {
        self.shared.trace.add(self.name(), "asked to stop");
        if let Some(stop) = &*lock(&self.shared.stop) {
            // A node that ended by itself does not hear it.
            let _ = stop.send(());
        }
    }

    /// Sets the wall clock off by so much.
    pub fn set_skew(&self, ms: i64) {
        self.shared.trace.add(self.name(), &format!("clock off by {ms} ms"));
        self.shared.skew.store(ms + CALENDAR_MS, Ordering::Relaxed);
    }
}

/// One life of a node, from start to its end.
async fn live(machine: Arc<Shared>) {
    let ended = match run(&machine).await {
        Ok(()) => Condition::Stopped,
        Err(why) => {
            // A process that dies does not tidy up its files.
            machine.disk.stop(Loss::Nothing);
            lock(&machine.failures).push(why.clone());
            Condition::Failed(why)
        }
    };
    machine.trace.add(&machine.name, &format!("{ended:?}"));
    *lock(&machine.condition) = ended;
}

async fn run(machine: &Shared) -> Result<(), String> {
    let life = machine.lives.fetch_add(1, Ordering::Relaxed) + 1;
    let (stop, mut stopped) = mpsc::unbounded_channel();
    *lock(&machine.stop) = Some(stop);
    let bind = async |at: &HostPort| TcpListener::bind(at.to_string()).await.map_err(|e| format!("{at}: {e}"));
    let listeners = Listeners {
        cluster: bind(&machine.config.cluster.listen).await?,
        mysql: bind(&machine.config.mysql.listen).await?,
    };
    let dice = Mutex::new(Dice::part(machine.seed, &format!("life {life} of {}", machine.name)));
    let environment = Environment {
        vfs: Some(machine.disk.name().to_string()),
        clock: SystemClock::with_skew(machine.skew.clone()),
        random: Arc::new(move || lock(&dice).next()),
        cluster: here(),
        clients: here(),
        metrics: marmot::shell::Metrics::new(),
        keys: marmot::shell::Keyring::of(&machine.config.cluster),
        spans: None,
        simulation: Simulation {
            interference: Some(machine.post.clone()),
            checkpoint_bytes: Some(machine.checkpoint_bytes),
            planted: machine.planted,
        },
    };
    let mut instance = Instance::start(&machine.config, environment, listeners)?;
    tokio::select! {
        biased;
        ended = &mut instance.ended => return said(ended),
        _ = stopped.recv() => {}
    }
    instance.stop().await;
    said((&mut instance.ended).await)
}

fn said<E>(ended: Result<Result<(), marmot::core::Fatal>, E>) -> Result<(), String> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(fatal)) => Err(fatal.to_string()),
        Err(_) => Err("the driver is gone".to_string()),
    }
}
