//! One run: a cluster, clients of all workloads, one kind of fault, and then the questions.

use crate::check::progress::{self, Dump};
use crate::check::{Report, tally};
use crate::cluster::{Cluster, Plan, Target};
use crate::edn::Edn;
use crate::history::{self, End, NEMESIS, Operation, Recorder, Stopwatch};
use crate::nemesis::{Nemesis, Surgeon};
use crate::network::Network;
use crate::session::Session;
use crate::timeline;
use crate::workload::{Turn, Workload, database};
use crate::{PATIENCE, interrupt};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How a run goes.
#[derive(Clone, Debug)]
pub struct Course {
    pub nemesis: Nemesis,
    pub seconds: u64,
    /// Instead of seconds: so many faults.
    pub rounds: Option<u32>,
    /// Milliseconds that a client rests between operations, on average.
    pub rest: u64,
    /// Until when nodes must be equal and write again, after healing.
    pub healing: Duration,
    pub seed: u64,
}

/// What one workload shows under one nemesis.
pub struct Verdict {
    pub test: String,
    pub report: Report,
}

/// What a run shows; the first verdict is the cluster's own: progress, convergence, no node that fails by itself.
pub type Verdicts = Vec<Verdict>;

/// Runs, judges, and writes histories, timeline and logs into the plan's directory.
pub fn run(
    course: &Course,
    plan: Plan,
    network: Option<&Network>,
    workloads: &[Box<dyn Workload>],
) -> Result<Verdicts, String> {
    let directory = plan.directory.clone();
    let target = plan.target;
    let mut cluster = Cluster::start(plan, network)?;
    prepare(&cluster, workloads)?;
    let clock = Stopwatch::start();
    let recorders: Vec<Recorder> = workloads.iter().map(|_| Recorder::new(clock)).collect();
    let stop = AtomicBool::new(false);
    let mut own = Report::default();
    let faults = std::thread::scope(|scope| {
        for (number, (workload, recorder)) in workloads.iter().zip(&recorders).enumerate() {
            for node in 0..cluster.size() {
                for client in 0..workload.clients_per_node() {
                    let greeting = greeting(workload.as_ref(), target, client);
                    let address = cluster.address(node);
                    let seed = course.seed.wrapping_mul(1_000_003) + (number * 10_000 + node * 100 + client) as u64;
                    let stop = &stop;
                    scope.spawn(move || {
                        let greeting: Vec<&str> = greeting.iter().map(String::as_str).collect();
                        let mut session = Session::new(&address, &greeting, PATIENCE);
                        let mut dice = StdRng::seed_from_u64(seed);
                        let mut process = recorder.new_process();
                        while !stop.load(Ordering::Relaxed) {
                            let session = &mut session;
                            let (dice, process) = (&mut dice, &mut process);
                            workload.step(&mut Turn { session, dice, recorder, process, node, client });
                            let rest = dice.random_range(0..=2 * course.rest);
                            std::thread::sleep(Duration::from_millis(rest));
                        }
                    });
                }
            }
        }
        let faults = hurt(course, &mut cluster, network, workloads, clock);
        let healed = Instant::now();
        // So that the history shows life after the last fault.
        interrupt::sleep(Duration::from_millis(1500));
        stop.store(true, Ordering::Relaxed);
        (faults, healed)
    });
    let ((faults, failure), healed) = faults;
    let fault_free = failure.is_none();
    failure.into_iter().for_each(|why| own.broken(format!("healing: {why}")));
    if interrupt::is_set() {
        cluster.discard_data();
        return Err("interrupted".into());
    }
    if fault_free {
        own.merge(revive(&cluster, course.healing));
        own.merge(converge(&cluster, workloads, course.healing, healed));
        finish(&cluster, workloads, &recorders);
    }
    cluster.notice_deaths();
    cluster.incidents.drain(..).for_each(|incident| own.broken(incident));
    cluster.panics().into_iter().for_each(|line| own.broken(line));

    let mut verdicts = Vec::new();
    let mut histories: BTreeMap<&str, Vec<Operation>> = BTreeMap::new();
    for (workload, recorder) in workloads.iter().zip(&recorders) {
        let mut history = recorder.take();
        history.extend(faults.iter().cloned());
        history.sort_by_key(|op| op.called);
        let path = directory.join(format!("{}.edn", workload.name()));
        history::write(&path, &history).map_err(|e| format!("{}: {e}", path.display()))?;
        let report = judge(workload.as_ref(), &history);
        verdicts.push(Verdict { test: format!("{}::{}", course.nemesis.name(), workload.name()), report });
        histories.insert(workload.name(), history);
    }
    verdicts.insert(0, Verdict { test: format!("{}::cluster", course.nemesis.name()), report: own });
    let page = timeline::page(&course.nemesis.name(), &histories, &faults, &verdicts);
    std::fs::write(directory.join("timeline.html"), page).map_err(|e| format!("timeline: {e}"))?;
    if verdicts.iter().all(|verdict| verdict.report.violations.is_empty()) {
        cluster.discard_data();
    } else {
        eprintln!("   data, logs and histories are kept in {}", directory.display());
    }
    Ok(verdicts)
}

/// What a workload's checker says of a history, with the number of operations.
pub fn judge(workload: &dyn Workload, history: &[Operation]) -> Report {
    let clients: Vec<Operation> = history.iter().filter(|op| op.process != NEMESIS).cloned().collect();
    let mut report = tally(&clients);
    if !clients.iter().any(Operation::is_ok) {
        report.broken("nothing was acknowledged: this shows nothing".into());
    }
    report.merge(workload.check(history));
    report
}

fn greeting(workload: &dyn Workload, target: Target, client: usize) -> Vec<String> {
    let mut greeting = vec![format!("USE {}", database(workload.name()))];
    if target == Target::Marmot {
        greeting.extend(workload.greeting(client).iter().map(|sql| sql.to_string()));
    }
    greeting
}

fn prepare(cluster: &Cluster, workloads: &[Box<dyn Workload>]) -> Result<(), String> {
    for workload in workloads {
        let schema = database(workload.name());
        cluster.run(0, &[format!("CREATE DATABASE {schema}")])?;
        let greeting = format!("USE {schema}");
        let mut session = Session::new(&cluster.address(0), &[&greeting], Duration::from_secs(60));
        for sql in workload.schema() {
            session.autocommit(&sql).map_err(|e| format!("{}: {sql}: {}", workload.name(), e.text))?;
        }
    }
    cluster.run(0, &["CREATE DATABASE jepsen_progress".into()])?;
    cluster.run(0, &["CREATE TABLE jepsen_progress.p (id BIGINT PRIMARY KEY, node INT NOT NULL)".into()])?;
    let since = Instant::now();
    loop {
        let dumps = dumps(cluster, workloads);
        if dumps.as_ref().is_ok_and(|dumps| progress::differences(dumps).violations.is_empty()) {
            return Ok(());
        }
        if since.elapsed() > Duration::from_secs(30) {
            return Err(format!("the nodes do not agree before anything was done to them: {:?}", dumps.err()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Faults, one after the other, then healing. What was done, and what went wrong with healing.
fn hurt(
    course: &Course,
    cluster: &mut Cluster,
    network: Option<&Network>,
    workloads: &[Box<dyn Workload>],
    clock: Stopwatch,
) -> (Vec<Operation>, Option<String>) {
    let mut dice = StdRng::seed_from_u64(course.seed);
    let links = network.map(|network| network.links.as_ref());
    // The DDL workload's own claims are about the very names.
    let workloads = workloads.iter().map(|w| w.name()).filter(|name| *name != "ddl").collect();
    let mut surgeon = Surgeon { cluster, links, dice: &mut dice, workloads, altered: 0, removed: None };
    if surgeon.workloads.is_empty() {
        surgeon.workloads.push("progress");
    }
    let mut faults = Vec::new();
    let mut struck = 0;
    let short = |dice: &mut StdRng, from: u64, to: u64| Duration::from_millis(dice.random_range(from..to));
    while !interrupt::is_set() {
        let calm =
            if course.rounds.is_some() { short(surgeon.dice, 200, 1200) } else { short(surgeon.dice, 700, 1800) };
        interrupt::sleep(calm);
        let is_over = course.rounds.map_or(clock.elapsed().as_secs() >= course.seconds, |rounds| struck >= rounds);
        if is_over {
            break;
        }
        struck += 1;
        let span = if course.rounds.is_some() { short(surgeon.dice, 0, 300) } else { short(surgeon.dice, 1500, 3500) };
        let called = clock.now();
        let outcome = surgeon.strike(course.nemesis, span);
        let healing = clock.now();
        let healed = surgeon.heal();
        let what = outcome.clone().unwrap_or_else(|why| why);
        faults.push(Operation {
            process: NEMESIS,
            node: 0,
            f: course.nemesis.name(),
            call: Edn::from(what.as_str()),
            result: Edn::from(what.as_str()),
            called,
            returned: healing,
            end: End::Info,
            error: None,
        });
        if course.rounds.is_some() {
            println!("   round {struck}: {what}; all answer again after {} ms", (clock.now() - healing) / 1_000_000);
        }
        if let Err(why) = outcome.map(drop).and(healed) {
            return (faults, Some(why));
        }
    }
    let failure = surgeon.heal().err();
    (faults, failure)
}

/// After healing every node takes a write in time.
fn revive(cluster: &Cluster, limit: Duration) -> Report {
    let mut report = Report::default();
    let since = Instant::now();
    for node in 0..cluster.size() {
        let mut session = Session::new(&cluster.address(node), &[], limit);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let id = node as u64 * 1000 + attempt;
            match session.autocommit(&format!("INSERT INTO jepsen_progress.p (id, node) VALUES ({id}, {node})")) {
                Ok(_) => break,
                Err(trouble) if since.elapsed() > limit => {
                    report.broken(format!(
                        "node {} takes no write {limit:?} after healing: {}",
                        node + 1,
                        trouble.text
                    ));
                    break;
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
    report.count("ms until all write", since.elapsed().as_millis() as u64);
    report
}

/// All nodes must be equal in time. If they are late they are waited for nevertheless, so that what is only late is not called
/// lost.
fn converge(cluster: &Cluster, workloads: &[Box<dyn Workload>], limit: Duration, healed: Instant) -> Report {
    const PATIENCE: Duration = Duration::from_secs(60);
    // The clients wrote for a little while after healing, and the last of it needs a moment.
    const SLACK: Duration = Duration::from_secs(2);
    let mut report = Report::default();
    let last_write = Instant::now();
    let mut late = None;
    loop {
        let differences = dumps(cluster, workloads).map(|dumps| progress::differences(&dumps));
        let took = healed.elapsed();
        if differences.as_ref().is_ok_and(|report| report.violations.is_empty()) {
            report.count("ms until all are equal", took.as_millis() as u64);
            if took > limit && last_write.elapsed() > SLACK {
                report.merge(late.unwrap_or_default());
                report.broken(format!("the nodes became equal only {took:.1?} after healing"));
            }
            return report;
        }
        if late.is_none() && took > limit && last_write.elapsed() > SLACK {
            late = Some(different(&differences, limit));
        }
        if took > limit + PATIENCE {
            report.merge(different(&differences, took));
            return report;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn different(differences: &Result<Report, String>, after: Duration) -> Report {
    let mut report = Report::default();
    match differences {
        Ok(differences) => {
            let late = format!("{after:.1?} after healing the nodes differ");
            differences.violations.iter().for_each(|what| report.broken(format!("{late}: {what}")));
        }
        Err(why) => report.broken(format!("{after:.1?} after healing a node cannot be read: {why}")),
    }
    report
}

/// All tables of all workloads with definitions, and what merges discarded, as each node's own files have them.
fn dumps(cluster: &Cluster, workloads: &[Box<dyn Workload>]) -> Result<Vec<Dump>, String> {
    let dump = |node: usize| -> Result<Dump, String> {
        let mut session = Session::new(&cluster.address(node), &[], Duration::from_secs(20));
        let mut ask =
            |sql: &str| session.rows(sql).map_err(|trouble| format!("node {}: {sql}: {}", node + 1, trouble.text));
        let mut dump = Dump::new();
        let mut sources = vec!["jepsen_progress.p".to_string()];
        for workload in workloads {
            let schema = database(workload.name());
            let sql = format!("SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}'");
            sources.extend(ask(&sql)?.into_iter().flatten().flatten().map(|table| format!("{schema}.{table}")));
        }
        let text = |row: crate::session::Row| {
            row.into_iter().map(|cell| cell.unwrap_or("NULL".into())).collect::<Vec<_>>().join("|")
        };
        for table in sources {
            let definition = ask(&format!("SHOW CREATE TABLE {table}"))?;
            // Which id comes next is each node's own business.
            let definition = definition.into_iter().map(text).map(|text| without_next_id(&text)).collect();
            dump.insert(format!("SHOW CREATE TABLE {table}"), definition);
            let mut rows: Vec<String> = ask(&format!("SELECT * FROM {table}"))?.into_iter().map(text).collect();
            rows.sort_unstable();
            dump.insert(table, rows);
        }
        if cluster.target() == Target::Marmot {
            let mut rows: Vec<String> = ask("SELECT * FROM marmot.conflicts")?.into_iter().map(text).collect();
            rows.sort_unstable();
            dump.insert("marmot.conflicts".into(), rows);
        }
        Ok(dump)
    };
    (0..cluster.size()).map(dump).collect()
}

fn without_next_id(definition: &str) -> String {
    let words = definition.split(' ').filter(|word| !word.starts_with("AUTO_INCREMENT="));
    words.collect::<Vec<_>>().join(" ")
}

fn finish(cluster: &Cluster, workloads: &[Box<dyn Workload>], recorders: &[Recorder]) {
    for (workload, recorder) in workloads.iter().zip(recorders) {
        for node in 0..cluster.size() {
            let greeting = format!("USE {}", database(workload.name()));
            let mut session = Session::new(&cluster.address(node), &[&greeting], Duration::from_secs(30));
            let mut dice = StdRng::seed_from_u64(0);
            let mut process = recorder.new_process();
            let (dice, process, session) = (&mut dice, &mut process, &mut session);
            workload.finish(&mut Turn { session, dice, recorder, process, node, client: 0 });
        }
    }
}

/// Judges a history again from its file.
pub fn judge_file(path: &Path, workload: &dyn Workload) -> Result<Report, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(judge(workload, &history::read(&text)?))
}
