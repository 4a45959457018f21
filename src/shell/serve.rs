//! The daemon: runtimes, sockets, signals.

use super::clock::SystemClock;
use super::import;
use super::instance::{Closed, Environment, Instance, Listeners, Simulation};
use super::spawn;
use crate::config::Config;
use crate::core::Fatal;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Threads for clients: statements run on them to the end, so there are more than cores.
const CLIENT_THREADS: usize = 32;
/// How long a client may wait while another's statement keeps the thread that last looked at the sockets.
const PULSE: Duration = Duration::from_millis(20);
/// How long a stop may take before it is forced.
const STOP_TIME: Duration = Duration::from_secs(20);

/// Runs a node until SIGTERM or SIGINT, or until it must stop. `ready` is called with a line for people once the node
/// is a voting member with its own log applied; clients are let in before, so that they can watch a node that joins.
///
/// # Errors
/// A sentence: why the node could not start, or why it stopped.
pub fn run(config: &Config, ready: impl FnOnce(&str)) -> Result<(), String> {
    let no_threads = |e: std::io::Error| format!("no threads: {e}");
    // The driver and its links: this thread.
    let cluster = Builder::new_current_thread().enable_all().build().map_err(no_threads)?;
    let mut clients = Builder::new_multi_thread();
    let clients = clients.worker_threads(CLIENT_THREADS).thread_name("client").enable_all().build();
    let clients = clients.map_err(no_threads)?;
    let spawn_on = |runtime: &Runtime| -> spawn::Spawn {
        let handle = runtime.handle().clone();
        Arc::new(move |task| drop(handle.spawn(task)))
    };
    let environment = Environment {
        vfs: None,
        clock: SystemClock::start(),
        random: Arc::new(rand_u64),
        cluster: spawn_on(&cluster),
        clients: spawn_on(&clients),
        simulation: Simulation::default(),
    };
    cluster.spawn(keep_awake(clients.handle().clone()));
    let result = cluster.block_on(async {
        // Caught from here on: a stop that comes before the node is open is a stop all the same.
        let mut signals = Signals::new()?;
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
            asked = signals.next() => {
                tracing::info!("{asked} before the node was open: ending, recovery takes care of the rest");
                return Ok(());
            }
            started = start(config, environment) => started?,
        };
        let instance = closed.open(listeners);
        let line = format!("node {} answers MySQL on {at}, cluster on {}", instance.node.0, config.cluster.listen);
        tracing::info!("{line}");
        supervise(instance, &mut signals, || ready(&line)).await
    });
    clients.shutdown_timeout(Duration::from_secs(1));
    cluster.shutdown_timeout(Duration::from_secs(1));
    if let Some(path) = &config.mysql.unix_socket {
        // It may be gone already.
        let _ = std::fs::remove_file(path);
    }
    result
}

/// Wakes a thread of a runtime regularly. The thread that finds work for itself at the sockets leaves them to nobody while it
/// does that, and a statement may take long: whoever wakes looks at them.
async fn keep_awake(runtime: Handle) {
    loop {
        tokio::time::sleep(PULSE).await;
        drop(runtime.spawn(std::future::ready(())));
    }
}

/// Starts the node, and imports what waits to be imported before anybody gets in.
async fn start(config: &Config, environment: Environment) -> Result<Closed, String> {
    import::take_in(&config.data_dir, config.joins())?;
    let mut closed = Closed::start(config, environment)?;
    if import::is_waiting(&config.data_dir)? {
        let (server, ready) = (closed.server.clone(), closed.ready.clone());
        tokio::select! {
            biased;
            ended = closed.ended() => return Err(stopped(ended.ok()).err().unwrap_or_else(|| "stopped".into())),
            imported = import::import_waiting(&server, ready, &config.data_dir) => imported?,
        }
    }
    import::announce_strangers(&config.data_dir, &closed.server.databases());
    Ok(closed)
}

/// What asks the node to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Signals, String> {
        let caught = |kind| signal(kind).map_err(|e| format!("cannot catch signals: {e}"));
        Ok(Signals { terminate: caught(SignalKind::terminate())?, interrupt: caught(SignalKind::interrupt())? })
    }

    /// The name of the next one.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Says when the node is ready, and ends it when asked to.
async fn supervise(mut instance: Instance, signals: &mut Signals, ready: impl FnOnce()) -> Result<(), String> {
    let mut waiting = Some(ready);
    loop {
        tokio::select! {
            biased;
            ended = &mut instance.ended => return stopped(ended.ok()),
            asked = signals.next() => {
                tracing::info!("{asked}: draining");
                break;
            }
            // A driver that is gone has ended, which the first arm says.
            Ok(_) = instance.ready.wait_for(|ready| *ready), if waiting.is_some() => {
                if let Some(ready) = waiting.take() {
                    ready();
                }
            }
        }
    }
    let drain = async {
        instance.stop().await;
        stopped((&mut instance.ended).await.ok())
    };
    tokio::select! {
        biased;
        result = tokio::time::timeout(STOP_TIME, drain) => match result {
            Ok(result) => result,
            Err(_) => {
                tracing::warn!("not drained in {} s, stopping anyway; recovery takes care of the rest", STOP_TIME.as_secs());
                Ok(())
            }
        },
        asked = signals.next() => Err(format!("a second signal, {asked}: stopped at once")),
    }
}

fn stopped(ended: Option<Result<(), Fatal>>) -> Result<(), String> {
    match ended {
        Some(Ok(())) => Ok(()),
        Some(Err(fatal)) => Err(fatal.to_string()),
        None => Err("the driver died; see the log".to_string()),
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
fn rand_u64() -> u64 {
    let mut bytes = [0; 8];
    let provider = tokio_rustls::rustls::crypto::ring::default_provider();
    provider.secure_random.fill(&mut bytes).expect("the operating system gives random numbers");
    u64::from_le_bytes(bytes)
}
