//! How long the others' writes stand still when a node is gone all at once.

use crate::acknowledged::{self, Writers};
use crate::cluster::Cluster;
use crate::{Outcome, load_time};
use std::time::{Duration, Instant};

const LONGEST: Duration = Duration::from_millis(500);

pub fn killed() -> Outcome {
    let mut cluster = Cluster::start()?;
    measure(&mut cluster, Cluster::kill, |cluster| {
        cluster.launch(2)?;
        cluster.wait_until_it_answers(2)
    })
}

pub fn frozen() -> Outcome {
    let mut cluster = Cluster::start()?;
    measure(&mut cluster, |cluster, node| cluster.freeze(node), |cluster| cluster.thaw(2))
}

fn measure(
    cluster: &mut Cluster,
    lose: impl Fn(&mut Cluster, usize) -> Outcome,
    heal: impl Fn(&mut Cluster) -> Outcome,
) -> Outcome {
    let third = load_time() / 3;
    // The lost node has writers too, so that it leaves unfinished transactions behind.
    let writers = Writers::start(cluster, &[0, 1, 2], 2)?;
    std::thread::sleep(Duration::from_millis(500));
    let from = Instant::now();
    std::thread::sleep(third);
    let event = Instant::now();
    lose(cluster, 2)?;
    std::thread::sleep(third);
    let healing = Instant::now();
    heal(cluster)?;
    std::thread::sleep(third);
    let to = Instant::now();
    let logs = writers.stop()?;
    let mut worst = Duration::ZERO;
    for log in logs.iter().filter(|log| log.node != 2) {
        let steady = log.longest_gap(from, event);
        let stall = log.longest_gap(event, healing);
        let back = log.longest_gap(healing, to);
        let errors = log.first_error().map_or(String::new(), |e| format!("; first error: {e}"));
        println!(
            "   node {}: {} acknowledged; longest gap before {steady:?}, without the other {stall:?}, on its return {back:?}{errors}",
            log.node,
            log.acknowledged().count()
        );
        if let Some(error) = log.first_error() {
            return Err(format!("an insert at node {} failed: {error}", log.node));
        }
        // What this machine does to undisturbed writes is not the cluster's doing.
        worst = worst.max(stall.max(back).saturating_sub(steady));
    }
    cluster.wait_until_equal("acks.acks", Duration::from_secs(30))?;
    acknowledged::verify(cluster, &logs)?;
    if worst > LONGEST { Err(format!("writes stood still for {worst:?} longer than without a fault")) } else { Ok(()) }
}
