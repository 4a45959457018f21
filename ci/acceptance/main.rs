//! Acceptance from outside: the daemon's binary in clusters of three on this machine, real clients, and nodes that are
//! killed and frozen under load. `ci/acceptance.sh` builds both and runs this.
//!
//! `MARMOT` names the binary, `ACCEPTANCE_SECONDS` how long a load runs (15), `ACCEPTANCE_JOIN_MB` how much a node copies that joins (64). Every trial has a cluster of its own, on the
//! ports from `ACCEPTANCE_MYSQL_PORT` (3610) and `ACCEPTANCE_CLUSTER_PORT` (8410) on; they run one after the other.
#![allow(clippy::disallowed_methods, reason = "real processes are watched in real time")]

mod acknowledged;
mod bank;
mod cluster;
mod join;
mod minority;
mod open_transaction;
#[allow(dead_code, reason = "jepsen/ shares it and uses other parts")]
mod server;
mod stall;
mod sysbench;

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;
use std::time::Duration;

/// How long loads run.
pub fn load_time() -> Duration {
    let seconds = std::env::var("ACCEPTANCE_SECONDS").ok().and_then(|s| s.parse().ok());
    Duration::from_secs(seconds.unwrap_or(15))
}

/// How many MB are in the cluster that a node joins.
pub fn join_megabytes() -> u64 {
    std::env::var("ACCEPTANCE_JOIN_MB").ok().and_then(|mb| mb.parse().ok()).unwrap_or(64)
}

/// What went wrong in a trial, as a sentence.
pub type Outcome = Result<(), String>;

fn trial(name: &str, run: fn() -> Outcome) -> Trial {
    Trial::test(name, move || run().map_err(Failed::from))
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let trials = vec![
        trial("sysbench_read_write_with_a_node_killed_twice", || sysbench::run("oltp_read_write")),
        trial("sysbench_write_only_with_a_node_killed_twice", || sysbench::run("oltp_write_only")),
        trial("an_open_transaction_blocks_nobody", open_transaction::run),
        trial("a_minority_left_by_kill_refuses_and_catches_up", minority::killed),
        trial("a_minority_left_by_a_freeze_refuses_and_catches_up", minority::frozen),
        trial("a_restarted_node_writes_beside_a_dead_one", minority::restarted_beside_a_dead_node),
        trial("a_killed_coordinator_leaves_no_row_locked", minority::coordinator_killed),
        trial("a_node_joins_by_snapshot_while_others_write", join::run),
        trial("a_killed_node_stalls_nobody", stall::killed),
        trial("a_frozen_node_stalls_nobody", stall::frozen),
        trial("counters_lose_no_update", bank::counters),
        trial("transfers_keep_the_sum_at_every_moment", bank::transfers),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}
