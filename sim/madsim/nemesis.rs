//! Whatever can go wrong, drawn from the seed, and its repair.

use crate::dice::Dice;
use crate::disk::{Failure, Loss};
use crate::machine::{Condition, Machine};
use crate::options::{Options, Trouble};
use crate::post::Service;
use crate::trace::Trace;
use madsim::net::NetSim;
use madsim::runtime::Handle;
use madsim::time::{Duration, Instant, sleep};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Clocks of one cluster must agree within `max_clock_offset` (500 ms); further off, a node refuses to work.
const HONEST_SKEW_MS: i64 = 200;
const WILD_SKEW_MS: i64 = 5_000;

/// Makes trouble, and repairs.
pub struct Nemesis {
    machines: Vec<Machine>,
    troubles: Vec<Trouble>,
    gap_ms: u64,
    dice: Dice,
    net: Arc<NetSim>,
    trace: Trace,
    /// How often each kind happened.
    pub made: BTreeMap<Trouble, u64>,
}

impl Nemesis {
    pub fn new(machines: &[Machine], options: &Options, trace: &Trace) -> Nemesis {
        Nemesis {
            machines: machines.to_vec(),
            troubles: options.troubles.clone(),
            gap_ms: options.gap_ms,
            dice: Dice::part(options.seed, "nemesis"),
            net: NetSim::current(),
            trace: trace.clone(),
            made: BTreeMap::new(),
        }
    }

    /// Makes trouble until `end`.
    pub async fn rage(&mut self, end: Instant) {
        while Instant::now() < end {
            let gap = self.dice.within(self.gap_ms / 3..self.gap_ms * 5 / 3);
            sleep(Duration::from_millis(gap)).await;
            if self.dice.one_in(2) {
                self.repair();
            } else if !self.troubles.is_empty() {
                let trouble = *self.dice.pick(&self.troubles);
                *self.made.entry(trouble).or_default() += 1;
                self.make(trouble);
            }
        }
    }

    fn one(&mut self) -> Machine {
        self.dice.pick(&self.machines).clone()
    }

    fn make(&mut self, trouble: Trouble) {
        let machine = self.one();
        let running = machine.condition() == Condition::Running;
        match trouble {
            Trouble::Kill if running => machine.kill(Loss::Nothing),
            Trouble::PowerLoss if running => {
                let loss = *self.dice.pick(&[Loss::Unsynced, Loss::Torn]);
                machine.kill(loss);
            }
            Trouble::Blackout => {
                for machine in &self.machines {
                    machine.kill(*self.dice.pick(&[Loss::Unsynced, Loss::Torn]));
                }
                for machine in &self.machines {
                    machine.restart();
                }
            }
            Trouble::PowerLossWithin => {
                let loss = *self.dice.pick(&[Loss::Unsynced, Loss::Torn]);
                machine.disk().crash_in(self.dice.below(60), loss);
            }
            Trouble::Stop if running => machine.ask_to_stop(),
            Trouble::DiskError => {
                let failure = *self.dice.pick(&[Failure::Read, Failure::Write, Failure::Sync]);
                machine.disk().fail_in(failure, self.dice.below(40));
            }
            Trouble::FullDisk => machine.disk().set_room(Some(self.dice.below(100_000) as usize)),
            Trouble::Pause if running => {
                let ms = self.dice.within(20..3000);
                self.trace.add(machine.name(), &format!("paused for {ms} ms"));
                Handle::current().pause(machine.node());
                madsim::task::spawn(async move {
                    sleep(Duration::from_millis(ms)).await;
                    Handle::current().resume(machine.node());
                });
            }
            Trouble::Partition => self.partition(),
            Trouble::OneWay => {
                self.trace.add(machine.name(), "is not heard");
                self.clog(&machine, true, false);
            }
            Trouble::Isolate => {
                self.trace.add(machine.name(), "is alone");
                self.clog(&machine, true, true);
            }
            Trouble::Storm => {
                let (loss, ms) = (self.dice.below(20), self.dice.within(5..150));
                self.weather(loss, ms);
            }
            Trouble::BadPost => {
                let (lost, doubled, late) = (self.dice.below(300), self.dice.below(300), self.dice.below(300));
                let altered = if self.dice.one_in(2) { self.dice.below(200) } else { 0 };
                self.trace.add(machine.name(), &format!("post: {lost} {doubled} {late} {altered}"));
                machine.post().set(Service { lost, doubled, late, altered });
            }
            Trouble::ClockJump => {
                let most = if self.dice.one_in(6) { WILD_SKEW_MS } else { HONEST_SKEW_MS };
                machine.set_skew(self.dice.below(2 * most as u64) as i64 - most);
            }
            Trouble::Kill | Trouble::PowerLoss | Trouble::Stop | Trouble::Pause => {}
        }
    }

    /// Cuts machines into two groups.
    fn partition(&mut self) {
        let side: Vec<bool> = self.machines.iter().map(|_| self.dice.one_in(2)).collect();
        self.trace.add("nemesis", &format!("partition {side:?}"));
        for (a, in_a) in self.machines.iter().zip(&side) {
            for (b, in_b) in self.machines.iter().zip(&side) {
                if in_a != in_b {
                    self.net.clog_link(a.node(), b.node());
                }
            }
        }
    }

    /// Cuts one machine off from the other machines; clients still reach it.
    fn clog(&self, machine: &Machine, out: bool, in_too: bool) {
        for other in self.machines.iter().filter(|other| other.node() != machine.node()) {
            if out {
                self.net.clog_link(machine.node(), other.node());
            }
            if in_too {
                self.net.clog_link(other.node(), machine.node());
            }
        }
    }

    fn weather(&self, loss_percent: u64, slowest_ms: u64) {
        self.trace.add("nemesis", &format!("{loss_percent} % of packets lost, up to {slowest_ms} ms late"));
        self.net.update_config(|config| {
            config.packet_loss_rate = loss_percent as f64 / 100.0;
            config.send_latency = Duration::from_millis(1)..Duration::from_millis(slowest_ms);
        });
    }

    /// Repairs one kind of damage.
    fn repair(&mut self) {
        match self.dice.below(4) {
            0 => self.unclog(),
            1 => {
                let machine = self.one();
                machine.disk().heal();
                machine.post().set(Service::default());
            }
            _ => {
                let off = |machine: &&Machine| machine.condition() != Condition::Running;
                let machines: Vec<Machine> = self.machines.iter().filter(off).cloned().collect();
                if !machines.is_empty() {
                    self.dice.pick(&machines).restart();
                }
            }
        }
    }

    fn unclog(&self) {
        self.trace.add("nemesis", "network healed");
        for a in &self.machines {
            for b in &self.machines {
                self.net.unclog_link(a.node(), b.node());
            }
        }
    }

    /// Ends all trouble. Nodes that do not run stay as they are.
    pub fn heal(&self) {
        self.unclog();
        self.weather(0, 10);
        for machine in &self.machines {
            machine.disk().heal();
            machine.post().set(Service::default());
            machine.set_skew(0);
            Handle::current().resume(machine.node());
        }
    }
}
