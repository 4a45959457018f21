//! What is done to the cluster while clients work, and how it is undone.

use crate::cluster::{Cluster, Target, link};
use crate::interrupt;
use crate::network::{Links, Rule};
use crate::session::Session;
use crate::workload::{REMOVED, database};
use rand::seq::SliceRandom;
use rand::{RngExt, rngs::StdRng};
use std::time::{Duration, Instant};

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Nemesis {
    /// Nothing happens
    None,
    /// kill -9 of one node, which starts again
    KillOne,
    /// kill -9 of a majority
    KillMajority,
    /// kill -9 of all nodes at once
    KillAll,
    /// One node is killed and started over and over
    RestartLoop,
    /// One node stops in its tracks (SIGSTOP) and goes on
    PauseOne,
    /// A majority stops and goes on
    PauseMajority,
    /// Two halves that do not hear each other
    PartitionHalves,
    /// One node hears nobody
    IsolateOne,
    /// One node hears nobody for half a minute
    IsolateLong,
    /// One node hears the others, who do not hear it; or the other way round
    OneWay,
    /// Each node hears a majority, no two the same one
    MajorityRing,
    /// Links break and heal several times a second
    Flapping,
    /// Packets are late by up to a quarter of a second and overtake each other
    Latency,
    /// Packets are lost and doubled
    Loss,
    /// Wall clocks jump, by up to five seconds
    Clock,
    /// Wall clocks jump, by up to two minutes
    ClockFar,
    /// A disk fills up
    FullDisk,
    /// Tables that are in use are altered
    Ddl,
    /// A node is removed and joins again, empty and under a new identity
    Membership,
    /// All of the above that do not need a cluster of their own, two at a time
    Everything,
}

impl Nemesis {
    pub fn all() -> &'static [Nemesis] {
        <Nemesis as clap::ValueEnum>::value_variants()
    }

    pub fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self).map_or_else(String::new, |value| value.get_name().to_string())
    }

    pub fn about(self) -> String {
        let value = clap::ValueEnum::to_possible_value(&self);
        value.and_then(|value| value.get_help().map(ToString::to_string)).unwrap_or_default()
    }

    /// Whether hosts must be namespaces of their own.
    pub fn needs_network(self) -> bool {
        use Nemesis::*;
        matches!(self, PartitionHalves | IsolateOne | IsolateLong | OneWay | MajorityRing | Flapping | Latency | Loss)
    }

    /// Whether it knows what is Marmot's alone.
    pub fn needs_marmot(self) -> bool {
        matches!(
            self,
            Nemesis::Clock
                | Nemesis::ClockFar
                | Nemesis::FullDisk
                | Nemesis::Ddl
                | Nemesis::Membership
                | Nemesis::Everything
        )
    }
}

/// Whoever hurts a cluster. What was begun by `strike` lasts until `heal`.
pub struct Surgeon<'a> {
    pub cluster: &'a mut Cluster,
    pub links: Option<&'a Links>,
    pub dice: &'a mut StdRng,
    /// Names of the workloads whose tables may be altered.
    pub workloads: Vec<&'static str>,
    /// How often something was altered, so that names differ.
    pub altered: u64,
    /// The node that was removed last and is not back yet.
    pub removed: Option<usize>,
}

fn plural(nodes: &[usize]) -> String {
    let numbers: Vec<String> = nodes.iter().map(|node| (node + 1).to_string()).collect();
    format!("node{} {}", if nodes.len() == 1 { "" } else { "s" }, numbers.join(", "))
}

/// The links to cut so that each node hears its neighbours on a ring, which with itself are a majority. Among three the one in
/// the middle hears both others, who do not hear each other.
fn ring_cuts(ring: &[usize]) -> Vec<(usize, usize)> {
    let n = ring.len();
    if n == 3 {
        return vec![(ring[0], ring[2])];
    }
    let reach = (n / 4).max(1);
    let apart = |a: usize, b: usize| (b - a).min(n + a - b);
    let pairs = (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b)));
    pairs.filter(|(a, b)| apart(*a, *b) > reach).map(|(a, b)| (ring[a], ring[b])).collect()
}

fn wait(span: Duration) {
    interrupt::sleep(span);
}

impl Surgeon<'_> {
    fn any(&mut self) -> usize {
        self.dice.random_range(0..self.cluster.size())
    }

    /// Some nodes, in any order.
    fn some(&mut self, count: usize) -> Vec<usize> {
        let mut nodes: Vec<usize> = (0..self.cluster.size()).collect();
        nodes.shuffle(self.dice);
        nodes.truncate(count);
        nodes
    }

    fn majority(&self) -> usize {
        self.cluster.size() / 2 + 1
    }

    fn rule(&self, from: usize, to: usize, rule: Rule) {
        if let Some(links) = self.links {
            link(links, from, to, rule);
        }
    }

    fn cut(&self, a: usize, b: usize) {
        self.rule(a, b, Rule::CUT);
        self.rule(b, a, Rule::CUT);
    }

    /// Cuts every link among the nodes that `is_cut` names.
    fn partition(&self, is_cut: impl Fn(usize, usize) -> bool) {
        for a in 0..self.cluster.size() {
            for b in (0..self.cluster.size()).filter(|b| *b != a) {
                if is_cut(a, b) {
                    self.rule(a, b, Rule::CUT);
                }
            }
        }
    }

    fn every_link(&self, rule: Rule) {
        for a in 0..self.cluster.size() {
            for b in (0..self.cluster.size()).filter(|b| *b != a) {
                self.rule(a, b, rule);
            }
        }
    }

    fn kill(&mut self, nodes: &[usize]) -> Result<(), String> {
        self.cluster.notice_deaths();
        // At once: all get the signal before anybody is waited for.
        let running: Vec<usize> = nodes.iter().copied().filter(|node| self.cluster.is_up(*node)).collect();
        self.cluster.kill_together(&running)
    }

    /// The faults that [`Nemesis::Everything`] draws from.
    fn possible(&self) -> Vec<Nemesis> {
        use Nemesis::*;
        let kinds = [
            KillOne,
            KillMajority,
            KillAll,
            PauseOne,
            PauseMajority,
            PartitionHalves,
            IsolateOne,
            OneWay,
            MajorityRing,
            Flapping,
            Latency,
            Loss,
            Ddl,
            Clock,
        ];
        let possible = |kind: &Nemesis| match kind {
            Clock => self.cluster.has_clocks(),
            kind => !kind.needs_network() || self.links.is_some(),
        };
        kinds.into_iter().filter(possible).collect()
    }

    /// Hurts the cluster and lets the fault last for about `span`. What was done, in words.
    pub fn strike(&mut self, nemesis: Nemesis, span: Duration) -> Result<String, String> {
        use Nemesis::*;
        let what = match nemesis {
            None => "nothing".to_string(),
            KillOne => {
                let nodes = self.some(1);
                self.kill(&nodes)?;
                format!("killed {}", plural(&nodes))
            }
            KillMajority => {
                let nodes = self.some(self.majority());
                self.kill(&nodes)?;
                format!("killed {}", plural(&nodes))
            }
            KillAll => {
                let nodes = self.some(self.cluster.size());
                self.kill(&nodes)?;
                format!("killed {}", plural(&nodes))
            }
            RestartLoop => return self.restart_loop(span),
            PauseOne => self.pause(1)?,
            PauseMajority => self.pause(self.majority())?,
            PartitionHalves => {
                let side = self.some(self.cluster.size() / 2);
                self.partition(|a, b| side.contains(&a) != side.contains(&b));
                format!("cut off {}", plural(&side))
            }
            IsolateOne => {
                let node = self.any();
                self.partition(|a, b| a == node || b == node);
                format!("isolated node {}", node + 1)
            }
            IsolateLong => {
                let node = self.any();
                self.partition(|a, b| a == node || b == node);
                wait(Duration::from_secs(28));
                format!("isolated node {} for long", node + 1)
            }
            OneWay => {
                let (node, deaf) = (self.any(), self.dice.random_bool(0.5));
                self.partition(|a, b| if deaf { b == node } else { a == node });
                format!("node {} {}", node + 1, if deaf { "is deaf" } else { "is mute" })
            }
            MajorityRing => self.ring(),
            Flapping => return self.flap(span),
            Latency => {
                let delay = Duration::from_millis(self.dice.random_range(5..100));
                let jitter = Duration::from_millis(self.dice.random_range(20..150));
                self.every_link(Rule { delay, jitter, ..Rule::default() });
                format!("delay {delay:?} and up to {jitter:?} more")
            }
            Loss => {
                let lost_percent = self.dice.random_range(2.0..25.0);
                self.every_link(Rule { lost_percent, twice_percent: 5.0, ..Rule::default() });
                format!("{lost_percent:.0} % of packets lost, 5 % twice")
            }
            Clock => self.jump(&[100, 400, 5_000])?,
            ClockFar => self.jump(&[400, 5_000, 120_000])?,
            FullDisk => {
                let (node, to_the_last_byte) = (self.any(), self.dice.random_bool(0.5));
                self.cluster.fill_disk(node, to_the_last_byte)?;
                let how = if to_the_last_byte { "full to the last byte" } else { "nearly full" };
                format!("the disk of node {} is {how}", node + 1)
            }
            Ddl => return self.alter(span),
            Membership => return self.remove(span),
            Everything => {
                let possible = self.possible();
                let first = possible[self.dice.random_range(0..possible.len())];
                let second = possible[self.dice.random_range(0..possible.len())];
                let first = self.strike(first, span / 2)?;
                return Ok(format!("{first}; {}", self.strike(second, span / 2)?));
            }
        };
        wait(span);
        Ok(what)
    }

    /// Everything as it should be: all nodes run and answer, links are whole, clocks right, disks have room.
    pub fn heal(&mut self) -> Result<(), String> {
        if let Some(links) = self.links {
            links.heal();
        }
        self.cluster.notice_deaths();
        for node in 0..self.cluster.size() {
            if self.cluster.is_up(node) {
                self.cluster.thaw(node)?;
            }
            if self.cluster.has_clocks() {
                self.cluster.set_clock(node, 0)?;
            }
            if self.cluster.has_small_disks() {
                self.cluster.free_disk(node)?;
            }
        }
        if let Some(node) = self.removed.take() {
            let other = (node + 1) % self.cluster.size();
            let since = Instant::now();
            self.cluster.rejoin(node, other)?;
            println!("   node {} is back and votes after {:.1?}", node + 1, since.elapsed());
        }
        self.cluster.start_all()
    }

    fn pause(&mut self, count: usize) -> Result<String, String> {
        self.cluster.notice_deaths();
        let nodes = self.some(count);
        for node in nodes.iter().filter(|node| self.cluster.is_up(**node)) {
            self.cluster.freeze(*node)?;
        }
        Ok(format!("paused {}", plural(&nodes)))
    }

    fn restart_loop(&mut self, span: Duration) -> Result<String, String> {
        let node = self.any();
        let since = Instant::now();
        let mut times = 0;
        while since.elapsed() < span && !interrupt::is_set() {
            self.cluster.notice_deaths();
            if self.cluster.is_up(node) {
                self.cluster.kill(node)?;
            }
            self.cluster.launch(node)?;
            times += 1;
            wait(Duration::from_millis(self.dice.random_range(20..800)));
        }
        Ok(format!("killed and started node {} {times} times", node + 1))
    }

    fn ring(&mut self) -> String {
        let ring = self.some(self.cluster.size());
        ring_cuts(&ring).into_iter().for_each(|(a, b)| self.cut(a, b));
        let ring: Vec<String> = ring.iter().map(|node| (node + 1).to_string()).collect();
        format!("ring {}", ring.join("-"))
    }

    fn flap(&mut self, span: Duration) -> Result<String, String> {
        let since = Instant::now();
        let mut times = 0;
        while since.elapsed() < span && !interrupt::is_set() {
            let (a, b) = (self.any(), self.any());
            let rule = if self.dice.random_bool(0.6) { Rule::CUT } else { Rule::default() };
            if a != b {
                self.rule(a, b, rule);
                if self.dice.random_bool(0.7) {
                    self.rule(b, a, rule);
                }
            }
            times += 1;
            wait(Duration::from_millis(self.dice.random_range(30..250)));
        }
        Ok(format!("links changed {times} times"))
    }

    /// Each clock by at most one of `spans`, in milliseconds: within what nodes forgive each other, half a second, or beyond.
    fn jump(&mut self, spans: &[i64]) -> Result<String, String> {
        let mut done = Vec::new();
        for node in 0..self.cluster.size() {
            let most = spans[self.dice.random_range(0..spans.len())];
            let offset = self.dice.random_range(-most..=most);
            self.cluster.set_clock(node, offset)?;
            done.push(format!("{offset:+}"));
        }
        Ok(format!("clocks off by {} ms", done.join(", ")))
    }

    /// Columns and indexes come and go on the tables of a workload.
    fn alter(&mut self, span: Duration) -> Result<String, String> {
        let since = Instant::now();
        let (mut done, mut refused) = (0, 0);
        while since.elapsed() < span && !interrupt::is_set() {
            let node = self.any();
            let workload = self.workloads[self.dice.random_range(0..self.workloads.len())];
            let schema = database(workload);
            let mut session = Session::new(&self.cluster.address(node), &[], Duration::from_secs(10));
            let tables = session
                .rows(&format!("SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}'"));
            let tables: Vec<String> = tables.unwrap_or_default().into_iter().flatten().flatten().collect();
            if tables.is_empty() {
                wait(Duration::from_millis(100));
                continue;
            }
            let table = format!("{schema}.{}", tables[self.dice.random_range(0..tables.len())]);
            self.altered += 1;
            let name = format!("nemesis{}", self.altered);
            let statements = match self.dice.random_range(0..3) {
                0 => [
                    format!("ALTER TABLE {table} ADD COLUMN {name} INT NOT NULL DEFAULT 7"),
                    format!("ALTER TABLE {table} DROP COLUMN {name}"),
                ],
                1 => [
                    format!("ALTER TABLE {table} ADD COLUMN {name} VARCHAR(20)"),
                    format!("CREATE INDEX {name} ON {table} ({name})"),
                ],
                _ => [
                    format!("CREATE TABLE {schema}.{name} (id INT PRIMARY KEY)"),
                    format!("RENAME TABLE {schema}.{name} TO {schema}.{name}_renamed"),
                ],
            };
            for sql in statements {
                match session.autocommit(&sql) {
                    Ok(_) => done += 1,
                    Err(_) => refused += 1,
                }
                wait(Duration::from_millis(self.dice.random_range(20..150)));
            }
        }
        Ok(format!("{done} tables altered, {refused} refused"))
    }

    fn remove(&mut self, span: Duration) -> Result<String, String> {
        let nodes = self.some(2);
        let (node, on) = (nodes[0], nodes[1]);
        let since = Instant::now();
        let mut refusals = 0;
        while let Err(refusal) = self.cluster.remove(node, on) {
            refusals += 1;
            if since.elapsed() > span.max(Duration::from_secs(3)) {
                return Ok(format!(
                    "node {} refused {refusals} times to remove node {}: {}",
                    on + 1,
                    node + 1,
                    refusal.text
                ));
            }
            wait(Duration::from_millis(50));
        }
        self.removed = Some(node);
        let took = since.elapsed();
        wait(span);
        Ok(format!("{REMOVED} node {} after {refusals} refusals and {took:.1?}", node + 1))
    }

    /// The faults among those asked for that this machine allows; the others with the reason.
    pub fn sort_out(
        asked: &[Nemesis],
        target: Target,
        networked: bool,
        clocks: bool,
        root: bool,
    ) -> (Vec<Nemesis>, Vec<(Nemesis, &'static str)>) {
        let (mut can, mut cannot) = (Vec::new(), Vec::new());
        for nemesis in asked {
            let reason = match nemesis {
                n if n.needs_marmot() && target == Target::Galera => "only for Marmot",
                n if n.needs_network() && !networked => "needs root and /dev/net/tun",
                Nemesis::FullDisk if !root => "needs root",
                Nemesis::Clock | Nemesis::ClockFar if !clocks => "needs libfaketime (ci/install.sh --jepsen)",
                _ => {
                    can.push(*nemesis);
                    continue;
                }
            };
            cannot.push((*nemesis, reason));
        }
        (can, cannot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn on_a_ring_each_hears_a_majority_and_no_two_the_same() {
        for n in [4, 5] {
            let ring: Vec<usize> = (0..n).rev().collect();
            let cuts = ring_cuts(&ring);
            let hears = |a: usize| -> BTreeSet<usize> {
                (0..n).filter(|b| !cuts.contains(&(a, *b)) && !cuts.contains(&(*b, a))).collect()
            };
            let all: BTreeSet<BTreeSet<usize>> = (0..n).map(hears).collect();
            assert!(all.iter().all(|heard| heard.len() > n / 2 && heard.len() < n), "{all:?}");
            assert_eq!(all.len(), n);
        }
        assert_eq!(ring_cuts(&[2, 0, 1]), [(2, 1)]);
    }
}
