//! The daemon: runtimes, sockets, signals.

use super::clock::SystemClock;
use super::instance::{Environment, Instance, Listeners, Simulation};
use super::spawn;
use crate::config::Config;
use crate::core::Fatal;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

/// Threads for links and the listener of the cluster.
const CLUSTER_THREADS: usize = 2;
/// Threads for clients: statements run on them to the end, so there are more than cores.
const CLIENT_THREADS: usize = 32;
/// How long a stop may take before it is forced.
const STOP_TIME: Duration = Duration::from_secs(20);

/// Runs a node until SIGTERM or SIGINT, or until it must stop. `ready` is called with a line for people once clients
/// are accepted.
///
/// # Errors
/// A sentence: why the node could not start, or why it stopped.
pub fn run(config: &Config, ready: impl FnOnce(&str)) -> Result<(), String> {
    let runtime = |name: &str, threads: usize| -> Result<Runtime, String> {
        let built = Builder::new_multi_thread().worker_threads(threads).thread_name(name).enable_all().build();
        built.map_err(|e| format!("no threads for {name}: {e}"))
    };
    let cluster = runtime("cluster", CLUSTER_THREADS)?;
    let clients = runtime("client", CLIENT_THREADS)?;
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
    let result = cluster.block_on(async {
        let listeners = {
            // A socket belongs to the runtime it is made in.
            let _clients = clients.enter();
            bind_mysql(config).await?
        };
        let (mysql, unix) = listeners;
        let cluster_listener = bind("cluster", &config.cluster.listen.to_string()).await?;
        let at = mysql.local_addr().map_or_else(|_| config.mysql.listen.to_string(), |a| a.to_string());
        let listeners = Listeners { cluster: cluster_listener, mysql, unix };
        let instance = Instance::start(config, environment, listeners)?;
        let line = format!("node {} answers MySQL on {at}, cluster on {}", instance.node.0, config.cluster.listen);
        tracing::info!("{line}");
        ready(&line);
        supervise(instance).await
    });
    clients.shutdown_timeout(Duration::from_secs(1));
    cluster.shutdown_timeout(Duration::from_secs(1));
    if let Some(path) = &config.mysql.unix_socket {
        // It may be gone already.
        let _ = std::fs::remove_file(path);
    }
    result
}

async fn supervise(mut instance: Instance) -> Result<(), String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| e.to_string())?;
    tokio::select! {
        biased;
        ended = &mut instance.ended => return stopped(ended.ok()),
        _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
        _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
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
        _ = terminate.recv() => Err("a second SIGTERM: stopped at once".to_string()),
        _ = interrupt.recv() => Err("a second SIGINT: stopped at once".to_string()),
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
