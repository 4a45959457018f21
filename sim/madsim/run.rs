//! One run: a cluster, clients, troubles, and what must be true in the end.

use crate::client::Client;
use crate::customer::{Complaints, Customer, DATABASE};
use crate::disk::{Counts, Loss, seed_sqlite};
use crate::machine::Machine;
use crate::marks::{self, Marks};
use crate::nemesis::Nemesis;
use crate::options::{Options, Trouble};
use crate::settle::settle;
use crate::trace::Trace;
use crate::workload;
use madsim::runtime::{Handle, Runtime};
use madsim::task::spawn_local;
use madsim::time::{Duration, Instant, sleep};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// How long a new cluster may take until all nodes have the first tables.
const FORMING: Duration = Duration::from_secs(60);
/// Simulated time after which a run has come to nothing.
const LIMIT: Duration = Duration::from_secs(600);

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Of every reply to a client and every event, with its time, and of the disks in the end.
    pub trace: u64,
    pub disks: u64,
    pub events: u64,
    /// Statements answered: well, refused, of unknown outcome.
    pub answers: [u64; 3],
    pub made: BTreeMap<Trouble, u64>,
    pub counts: Counts,
    pub marks: Marks,
    pub lives: u64,
    /// Bytes on the first disk in the end.
    pub used: usize,
    /// Simulated milliseconds until the healed cluster agreed.
    pub settled_ms: u64,
    pub broken: Vec<String>,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [done, refused, unknown] = self.answers;
        let made: Vec<String> = self.made.iter().map(|(trouble, n)| format!("{trouble:?}={n}")).collect();
        write!(
            f,
            "trace={:016x} disks={:016x} events={} done={done} refused={refused} unknown={unknown} lives={} used={}k \
             settled={}ms syncs={} lost={} torn={} failed={:?} full={} {}",
            self.trace,
            self.disks,
            self.events,
            self.lives,
            self.used / 1024,
            self.settled_ms,
            self.counts.syncs,
            self.counts.lost,
            self.counts.torn,
            self.counts.failed,
            self.counts.full,
            made.join(" "),
        )
    }
}

/// Whether every event is to be printed.
pub fn is_traced() -> bool {
    std::env::var_os("SIM_TRACE").is_some() || std::env::var_os("SIM_LOG").is_some()
}

/// Runs it, in a process that has run nothing else.
pub fn simulate(options: &Options) -> Outcome {
    seed_sqlite(options.seed);
    // Within the simulation the parser could not find out how much stack there is, and would take a new one each time.
    stacker::remaining_stack();
    let mut runtime = Runtime::with_seed_and_config(options.seed, madsim::Config::default());
    runtime.set_time_limit(LIMIT + Duration::from_secs(options.seconds));
    runtime.block_on(whole(options))
}

async fn whole(options: &Options) -> Outcome {
    let trace = Trace::new(std::env::var_os("SIM_TRACE").is_some());
    let machines: Vec<Machine> = (0..options.nodes).map(|number| Machine::start(number, options, &trace)).collect();
    let (mut broken, settled_ms, made) = outside(options, &machines, &trace).await;
    for machine in &machines {
        broken.extend(machine.unexpected(options).map(|why| format!("{} stopped: {why}", machine.name())));
        machine.kill(Loss::Unsynced);
    }
    // The tasks of killed nodes are dropped when they would run next.
    sleep(Duration::from_millis(10)).await;
    let mut disks = crate::trace::Digest::default();
    let mut counts = Counts::default();
    for machine in &machines {
        disks.add(&machine.disk().digest().to_le_bytes());
        counts.add(&machine.disk().counts());
    }
    let (digest, events) = trace.value();
    Outcome {
        trace: digest,
        disks: disks.value(),
        events,
        answers: trace.answers(),
        made,
        counts,
        marks: marks::all(),
        lives: machines.iter().map(Machine::lives).sum(),
        used: machines[0].disk().used(),
        settled_ms,
        broken,
    }
}

/// Broken promises, how long the cluster took to settle, and the troubles that were made.
type History = (Vec<String>, u64, BTreeMap<Trouble, u64>);

/// Everything that happens outside the cluster, from a machine of its own.
async fn outside(options: &Options, machines: &[Machine], trace: &Trace) -> History {
    let (tell, mut told) = mpsc::unbounded_channel();
    let (options, machines, trace) = (options.clone(), machines.to_vec(), trace.clone());
    let live = move || {
        let (options, machines, trace, tell) = (options.clone(), machines.clone(), trace.clone(), tell.clone());
        async move {
            let mut nemesis = Nemesis::new(&machines, &options, &trace);
            let (broken, settled_ms) = match history(&options, &machines, &mut nemesis, &trace).await {
                Ok(history) => history,
                Err(why) => (vec![why], 0),
            };
            // The other end waits for it.
            let _ = tell.send((broken, settled_ms, nemesis.made));
        }
    };
    Handle::current().create_node().name("clients").ip([10, 0, 1, 1].into()).init(live).build();
    told.recv().await.unwrap_or_else(|| (vec!["the clients ended too early".into()], 0, BTreeMap::new()))
}

/// Broken promises, and how long the cluster took to settle. The error is what kept the history from going on.
async fn history(
    options: &Options,
    machines: &[Machine],
    nemesis: &mut Nemesis,
    trace: &Trace,
) -> Result<(Vec<String>, u64), String> {
    let workloads = workload::all();
    let setup: Vec<String> = workloads.iter().flat_map(|workload| workload.setup()).collect();
    form(machines, &setup, trace).await?;

    let end = Instant::now() + Duration::from_secs(options.seconds);
    let complaints = Complaints::default();
    let nodes: Vec<_> = machines.iter().map(Machine::mysql).collect();
    let mut clients = Vec::new();
    for workload in &workloads {
        for number in 0..workload.clients() {
            let customer = Customer::new(
                format!("{}-{number}", workload.name()),
                options.seed,
                nodes.clone(),
                workload.prelude(),
                options.think_ms,
                end,
                trace,
                &complaints,
            );
            clients.push(spawn_local(workload.clone().live(customer, number)));
        }
    }
    nemesis.rage(end).await;
    for client in clients {
        client.await.map_err(|e| e.to_string())?;
    }
    let settled = settle(machines, nemesis, trace).await;
    let mut broken = complaints.take();
    let settled_ms = match settled {
        Err(why) => {
            broken.push(why);
            0
        }
        Ok(settled) => {
            broken.extend(workloads.iter().filter_map(|workload| workload.finally(&settled.tables).err()));
            settled.after.as_millis() as u64
        }
    };
    Ok((broken, settled_ms))
}

/// Waits for the cluster to form and makes the tables, through the first node; then waits until all nodes have them.
async fn form(machines: &[Machine], setup: &[String], trace: &Trace) -> Result<(), String> {
    let from = Instant::now();
    let mut statements = vec![format!("CREATE DATABASE IF NOT EXISTS {DATABASE}"), format!("USE {DATABASE}")];
    statements.extend(setup.iter().cloned());
    statements.push("CREATE TABLE ready (id INT PRIMARY KEY)".into());
    let voters = "SELECT COUNT(*) FROM marmot.cluster_nodes WHERE voter = 1 AND state = 'alive'";
    for machine in machines {
        loop {
            let seen = match Client::connect(machine.mysql(), "", "setup", trace).await {
                Ok(mut client) => client.number(voters).await.map_err(|e| e.to_string()),
                Err(why) => Err(why),
            };
            match seen {
                Ok(Some(n)) if n == machines.len() as i64 => break,
                other if Instant::now() - from > FORMING => {
                    return Err(format!("forming: {} sees {other:?} voters after {FORMING:?}", machine.name()));
                }
                _ => sleep(Duration::from_millis(200)).await,
            }
        }
    }
    let mut client = Client::connect(machines[0].mysql(), "", "setup", trace).await?;
    for sql in &statements {
        client.query(sql).await.map_err(|trouble| format!("setup: {sql}: {trouble}"))?;
    }
    for machine in machines {
        loop {
            let looked = match Client::connect(machine.mysql(), DATABASE, "setup", trace).await {
                Ok(mut client) => client.rows("SELECT * FROM ready").await.map(drop).map_err(|e| e.to_string()),
                Err(why) => Err(why),
            };
            match looked {
                Ok(()) => break,
                Err(why) if Instant::now() - from > FORMING => {
                    return Err(format!("forming: {} has no tables after {FORMING:?}: {why}", machine.name()));
                }
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }
    Ok(())
}
