//! Going to the background, with this program itself in the three roles: test, parent (`--scenario`) and detached child.
//!
//! The parent starts its own executable again, so the test needs an executable it can direct; hence no standard harness.
#![cfg_attr(not(feature = "shell"), allow(dead_code, unused_imports))]

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::Path;
use std::process::{Command, ExitCode, Output};

#[cfg(not(feature = "shell"))]
fn main() {}

#[cfg(feature = "shell")]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, "--scenario", name, _, "--detached"] => child(name),
        [_, "--scenario", _, data_dir] => match marmot::daemon::start_in_background(Path::new(data_dir)) {
            Ok(text) => {
                println!("{text}");
                ExitCode::SUCCESS
            }
            Err(text) => {
                println!("{text}");
                ExitCode::FAILURE
            }
        },
        _ => {
            let trials = vec![
                Trial::test("a_ready_child_is_reported_and_has_left_the_terminal", ready),
                Trial::test("a_failing_child_says_why", failing),
                Trial::test("a_dying_child_is_noticed_and_its_last_words_are_in_the_log", dying),
            ];
            libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
        }
    }
}

/// The background process of each scenario.
#[cfg(feature = "shell")]
fn child(scenario: &str) -> ExitCode {
    let readiness = match marmot::daemon::become_background() {
        Ok(readiness) => readiness,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    println!("noise that is no answer");
    match scenario {
        "ready" => {
            // Said before the answer, so that the log has it when the parent returns.
            let own = nix::unistd::getpid();
            eprintln!("leads its session: {}", nix::unistd::getsid(None) == Ok(own));
            readiness.ready("on port 7");
        }
        "failing" => readiness.failed("the disk is full"),
        _ => panic!("last words"),
    }
    ExitCode::SUCCESS
}

fn parent(scenario: &str, data_dir: &Path) -> Result<Output, Failed> {
    let output = Command::new(std::env::current_exe()?).args(["--scenario", scenario]).arg(data_dir).output()?;
    Ok(output)
}

fn check(holds: bool, output: &Output) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(format!("{output:?}").into()) }
}

fn ready() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let output = parent("ready", dir.path())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    check(output.status.success() && text.trim().ends_with("is ready: on port 7"), &output)?;
    check(!text.contains("noise"), &output)?;
    let log = std::fs::read_to_string(dir.path().join("marmot.log"))?;
    if log.contains("leads its session: true") { Ok(()) } else { Err(format!("the log is: {log}").into()) }
}

fn failing() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let output = parent("failing", dir.path())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    check(output.status.code() == Some(1) && text.contains("the disk is full") && text.contains("marmot.log"), &output)
}

fn dying() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let output = parent("dying", dir.path())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    check(output.status.code() == Some(1) && text.contains("ended without saying why"), &output)?;
    let log = std::fs::read_to_string(dir.path().join("marmot.log"))?;
    if log.contains("last words") { Ok(()) } else { Err(format!("the log is: {log}").into()) }
}
