//! `cargo run --release --example simulate -- --help`: the pure simulator over ranges of seeds.

// Shared with the test, which uses other parts of it.
#[allow(dead_code, unused_imports)]
mod pure;

use marmot::core::Bug;
use pure::{Detail, Family, Marks, Nursery, Options, Severity, Verdict};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const HELP: &str = "\
Simulates whole clusters in virtual time. Equal seeds give equal runs.

  --seed N          run one seed, twice, and compare the traces
  --seeds A..B      run a range (default 0..1000)
  --commit HASH     start from a seed made of a commit hash, until the budget is used up
  --budget SECONDS  stop after this long
  --jobs J          threads (default: all cores)
  --workload NAME   only this family: bank, register, list, unique, counter, autoincrement, schema, mixed, kin,
                    loose (unique keys under ONE)
  --bug NAME        with this planted bug, under the options it is hunted with
  --clean           with --bug: under those options, but without the bug
  --planted         hunt every planted bug (or that of --bug) and print the table
  --patience N      with --planted: seeds a bug may take instead of its own budget
  --trace           keep every input and effect of a failing seed as text
  --keep-going      do not stop at the first failure
  --marks           print what happened how often
  --out FOLDER      where failures are written (default target/simulate)

Exit code: 0 nothing found, 1 wrong use, 2 a node crashed, 3 no progress, 4 a promise was broken, 5 a planted bug was
not noticed.";

#[derive(Clone, Debug)]
struct Arguments {
    seeds: std::ops::Range<u64>,
    single: bool,
    budget: Option<Duration>,
    jobs: usize,
    family: Option<Family>,
    bug: Option<Bug>,
    clean: bool,
    planted: bool,
    patience: Option<u64>,
    trace: bool,
    keep_going: bool,
    marks: bool,
    out: String,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(text) => {
            eprintln!("simulate: {text}\n\n{HELP}");
            return ExitCode::from(1);
        }
    };
    if arguments.planted { hunt_all(&arguments) } else { simulate(&arguments) }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Arguments>, String> {
    let jobs = std::thread::available_parallelism().map_or(1, |n| n.get());
    let mut a = Arguments {
        seeds: 0..1000,
        single: false,
        budget: None,
        jobs,
        family: None,
        bug: None,
        clean: false,
        planted: false,
        patience: None,
        trace: false,
        keep_going: false,
        marks: false,
        out: "target/simulate".to_string(),
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--seed" => {
                let seed = number(&value()?)?;
                a.seeds = seed..seed + 1;
                a.single = true;
            }
            "--seeds" => {
                let text = value()?;
                let (from, to) = text.split_once("..").ok_or(format!("'{text}' is not a range A..B"))?;
                a.seeds = number(from)?..number(to)?;
            }
            "--commit" => {
                let hash = value()?;
                let digits = hash.get(..12.min(hash.len())).unwrap_or(&hash);
                let seed =
                    u64::from_str_radix(digits, 16).map_err(|e| format!("'{hash}' is not a commit hash: {e}"))?;
                a.seeds = seed..u64::MAX;
            }
            "--budget" => a.budget = Some(Duration::from_secs(number(&value()?)?)),
            "--jobs" => a.jobs = number(&value()?)?.max(1) as usize,
            "--workload" => {
                let name = value()?;
                a.family = Some(Family::named(&name).ok_or(format!("no workload is called '{name}'"))?);
            }
            "--bug" => {
                let name = value()?;
                let bug = Bug::ALL.iter().find(|b| b.name().eq_ignore_ascii_case(&name));
                a.bug = Some(*bug.ok_or(format!("no planted bug is called '{name}'"))?);
            }
            "--clean" => a.clean = true,
            "--planted" => a.planted = true,
            "--patience" => a.patience = Some(number(&value()?)?),
            "--trace" => a.trace = true,
            "--keep-going" => a.keep_going = true,
            "--marks" => a.marks = true,
            "--out" => a.out = value()?,
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("'{word}' is not an option")),
        }
    }
    if a.seeds.end == u64::MAX && a.budget.is_none() {
        a.budget = Some(Duration::from_secs(60));
    }
    Ok(Some(a))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("'{text}' is not a number"))
}

fn options(arguments: &Arguments, seed: u64) -> Options {
    let mut options = match arguments.bug {
        Some(bug) => pure::options_for(bug, seed),
        None => Options::draw(seed),
    };
    if arguments.clean {
        options.bug = None;
    }
    if let Some(family) = arguments.family {
        options.families = vec![family];
    }
    options
}

fn again(arguments: &Arguments, seed: u64) -> String {
    let mut command = format!("cargo run --release --example simulate -- --seed {seed} --trace");
    if let Some(family) = arguments.family {
        command += &format!(" --workload {family:?}").to_lowercase();
    }
    if let Some(bug) = arguments.bug {
        command += &format!(" --bug {}{}", bug.name(), if arguments.clean { " --clean" } else { "" });
    }
    command
}

/// So many failures are told again at the end.
const TOLD: usize = 20;

/// What all threads together found.
#[derive(Default)]
struct Found {
    worst: Option<Severity>,
    failures: u64,
    marks: Marks,
    events: u64,
    attempts: usize,
    /// The first failures, a line each.
    told: Vec<String>,
}

fn simulate(arguments: &Arguments) -> ExitCode {
    let begun = Instant::now();
    let next = AtomicU64::new(arguments.seeds.start);
    let stop = AtomicBool::new(false);
    let found = Mutex::new(Found::default());
    if arguments.single {
        println!("commit {}\n{}", pure::commit(), options(arguments, arguments.seeds.start));
    }
    let done = || next.load(Ordering::Relaxed).min(arguments.seeds.end) - arguments.seeds.start;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..arguments.jobs.min((arguments.seeds.end - arguments.seeds.start) as usize))
            .map(|_| scope.spawn(|| work(arguments, &next, &stop, &found, begun)))
            .collect();
        let mut told = Instant::now();
        while !workers.iter().all(|w| w.is_finished()) {
            #[allow(clippy::disallowed_methods)] // the progress line, not the simulation, waits in real time
            std::thread::sleep(Duration::from_millis(20));
            if told.elapsed() > Duration::from_secs(5) {
                told = Instant::now();
                let failures = found.lock().map_or(0, |f| f.failures);
                eprintln!("{} seeds, {:.0} a minute, {failures} failures", done(), rate(done(), begun));
            }
        }
    });
    let found = found.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    // Again, at the end, where one looks first.
    for line in &found.told {
        println!("{line}");
    }
    println!(
        "{} seeds in {:.1} s: {:.0} seeds a minute, {} events, {} attempts, {} failures",
        done(),
        begun.elapsed().as_secs_f64(),
        rate(done(), begun),
        found.events,
        found.attempts,
        found.failures
    );
    if arguments.marks || arguments.single {
        println!("{}", found.marks);
    }
    match found.worst {
        None => ExitCode::SUCCESS,
        Some(Severity::Crash) => ExitCode::from(2),
        Some(Severity::Liveness) => ExitCode::from(3),
        Some(Severity::Correctness) => ExitCode::from(4),
    }
}

fn rate(seeds: u64, begun: Instant) -> f64 {
    seeds as f64 * 60.0 / begun.elapsed().as_secs_f64()
}

fn work(arguments: &Arguments, next: &AtomicU64, stop: &AtomicBool, found: &Mutex<Found>, begun: Instant) {
    let mut nursery = Nursery::new();
    while !stop.load(Ordering::Relaxed) {
        if arguments.budget.is_some_and(|b| begun.elapsed() > b) {
            break;
        }
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= arguments.seeds.end {
            break;
        }
        let detail = if arguments.single { Detail::Fields } else { Detail::Kinds };
        let mut verdict = nursery.run(options(arguments, seed), detail);
        if arguments.single || seed.is_multiple_of(64) {
            let twin = Nursery::new().run(options(arguments, seed), detail);
            if twin.hash != verdict.hash && verdict.violation.is_none() {
                let text = format!("one seed, two traces: {:016x} and {:016x}", verdict.hash, twin.hash);
                verdict.violation = Some(pure::Violation::correctness("finally_equal_seeds_run_equally", text));
            }
        }
        if verdict.violation.is_some() {
            if arguments.trace {
                let hash = verdict.hash;
                verdict = Nursery::new().run(options(arguments, seed), Detail::Text);
                verdict.hash = hash;
            }
            tell(arguments, &verdict);
            if !arguments.keep_going {
                stop.store(true, Ordering::Relaxed);
            }
        }
        let mut found = found.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        found.failures += u64::from(verdict.violation.is_some());
        if let Some(violation) = verdict.violation.as_ref().filter(|_| found.told.len() < TOLD) {
            found.told.push(format!("failed: seed {}: {violation}", verdict.seed));
        }
        found.worst = found.worst.max(verdict.violation.as_ref().map(|v| v.severity));
        found.marks.add(&verdict.marks);
        found.events += verdict.events;
        found.attempts += verdict.attempts;
    }
}

fn tell(arguments: &Arguments, verdict: &Verdict) {
    let Some(violation) = &verdict.violation else { return };
    let command = again(arguments, verdict.seed);
    println!("seed {}: {violation}\n  again: {command}", verdict.seed);
    match pure::write_failure(Path::new(&arguments.out), &options(arguments, verdict.seed), verdict, &command) {
        Ok(place) => println!("  written to {}", place.display()),
        Err(error) => println!("  could not be written to {}: {error}", arguments.out),
    }
}

fn hunt_all(arguments: &Arguments) -> ExitCode {
    let wanted = |bug: &Bug| arguments.bug.is_none_or(|only| only == *bug);
    let bugs: Vec<(Bug, u64)> = Bug::ALL
        .iter()
        .copied()
        .filter(wanted)
        .filter_map(|bug| Some((bug, arguments.patience.unwrap_or(pure::expected(bug)?.0))))
        .collect();
    let next = AtomicU64::new(0);
    let hunts = Mutex::new(Vec::new());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                let mut nursery = Nursery::new();
                while let Some((bug, budget)) = bugs.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let hunt = pure::hunt(&mut nursery, *bug, arguments.seeds.start, *budget);
                    let by = hunt.caught.as_ref().map_or("NOT NOTICED", |(_, check, _)| check);
                    eprintln!("{:28} {:5} {by}", bug.name(), hunt.seeds);
                    hunts.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(hunt);
                }
            });
        }
    });
    let mut hunts = hunts.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    hunts.sort_by_key(|h| h.bug);
    println!("| planted bug | seeds | noticed by |\n|---|---|---|");
    for hunt in &hunts {
        let by = hunt.caught.as_ref().map_or("**not noticed**".to_string(), |(s, check, _)| format!("{s:?}: {check}"));
        println!("| {} | {} | {by} |", hunt.bug.name(), hunt.seeds);
    }
    for bug in Bug::ALL.iter().filter(|b| wanted(b) && pure::expected(**b).is_none()) {
        println!("| {} | | the script src/core/testscripts/planted/{} |", bug.name(), bug.name());
    }
    let missed = hunts.iter().filter(|h| h.caught.is_none()).count();
    println!("{} bugs hunted, {missed} not noticed, {:.0} s", hunts.len(), begun.elapsed().as_secs_f64());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::from(5) }
}
