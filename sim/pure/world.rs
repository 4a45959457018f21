//! The world: machines, network and clients on one heap of events, ordered by (time, sequence).
//!
//! A machine takes inputs in rounds as the driver does: it steps the node through what waits, makes the round durable,
//! and only then does the effects. A crash may fall before the commit (the round is lost), after it, or among the
//! effects.

use super::check::ballots::Ballots;
use super::client::Client;
use super::clock::{Clock, MS, SECOND};
use super::dice::Dice;
use super::disk::Disk;
use super::fault::{CrashPoint, Fault};
use super::files::Files;
use super::history::{History, Violation};
use super::machine::{Machine, State, address, at_address};
use super::marks::{Mark, Marks};
use super::message::Kind;
use super::network::Network;
use super::operator::Operator;
use super::options::Options;
use super::trace::{Detail, Trace};
use super::workload;
use marmot::core::message::{Envelope, Message};
use marmot::core::{Config, Destination, Effect, Effects, Input, Node, Notice, Published, Response};
use marmot::types::{ApplySeq, ClientId};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Wake-ups of one machine within a millisecond that mean it spins.
const SPINNING: u32 = 500;

/// Something that happens at a time.
#[derive(Debug)]
pub enum Event {
    /// A node's deadline.
    Wake(usize),
    Arrive(usize, Box<Envelope>),
    /// The disk sync of a round ends.
    RoundDone(usize, u32),
    HeldLongEnough(usize, u32),
    /// The applier has made its queue visible.
    Apply(usize, u32),
    /// The database files were synced up to here.
    Checkpoint(usize, u32, ApplySeq),
    Client(usize, u32),
    HangUp(usize, u32),
    Operator(usize),
    Leaver(usize),
    Fault(usize),
    Restart(usize),
    Resume(usize),
    Mend(usize),
    DiskFreed(usize),
    /// The end of the safety phase.
    Heal,
    /// Fresh work on every machine, after healing.
    Probe,
}

struct Entry(u64, u64, Event);

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// A prepared cluster: what the disks and files of its founders hold, and when.
#[derive(Clone, Debug)]
pub struct Founded {
    pub time: u64,
    pub machines: Vec<(Disk, Files)>,
}

/// One run in progress.
pub struct World {
    pub options: Options,
    pub now: u64,
    /// World time at which the run proper begins; the phases count from here.
    pub start: u64,
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    pub machines: Vec<Machine>,
    pub network: Network,
    pub clients: Vec<Client>,
    /// By client id: the client.
    pub owners: Vec<usize>,
    pub operators: Vec<Operator>,
    pub history: History,
    pub ballots: Ballots,
    pub marks: Marks,
    pub trace: Trace,
    pub faults: Vec<(u64, Fault)>,
    pub dice: Dice,
    pub healed: bool,
    pub violation: Option<Violation>,
    pub events: u64,
}

impl World {
    pub fn new(options: Options, founded: Option<&Founded>, detail: Detail) -> World {
        let dice = Dice::new(options.seed).child(7);
        let all = options.nodes + options.spares;
        let start = founded.map_or(0, |f| f.time);
        let mut clocks = dice.child(1);
        let machines = (0..all).map(|index| {
            let mut clock = Clock::default();
            if options.skew_ms > 0 {
                clock.skew_ms = clocks.between(0, 2 * options.skew_ms) as i64 - options.skew_ms as i64;
            }
            if options.drift_ppm > 0 {
                clock.drift_ppm = clocks.between(0, 2 * options.drift_ppm) as i64 - options.drift_ppm as i64;
            }
            let (disk, files) = match founded.and_then(|f| f.machines.get(index)) {
                Some((disk, files)) => (disk.clone(), files.clone()),
                None => (Disk::default(), Files::new(workload::first_rows(&options))),
            };
            Machine::new(index, disk, files, clock)
        });
        let machines: Vec<Machine> = machines.collect();
        let mut marks = Marks::default();
        for clock in machines.iter().map(|m| &m.clock) {
            if clock.skew_ms != 0 {
                marks.hit(Mark::ClockSkewed);
            }
            if clock.drift_ppm != 0 {
                marks.hit(Mark::ClockDrifts);
            }
        }
        let network = Network::new(options.network.clone(), all, dice.child(2));
        let phase = (start + SECOND, start + options.heal_at.saturating_sub(SECOND));
        let faults = super::fault::schedule(&options.faults, options.nodes, options.spares, phase, &mut dice.child(3));
        let mut world = World {
            now: start,
            start,
            heap: BinaryHeap::new(),
            sequence: 0,
            machines,
            network,
            clients: Vec::new(),
            owners: Vec::new(),
            operators: (0..2).map(Operator::new).collect(),
            history: History::default(),
            ballots: Ballots::default(),
            marks,
            trace: Trace::new(detail),
            faults,
            dice: dice.child(4),
            healed: false,
            violation: None,
            events: 0,
            options,
        };
        // Attempt 0 is the one that wrote the first rows.
        world.history.attempts.push(super::client::setup_attempt());
        world
    }

    /// Puts an event on the heap.
    pub fn at(&mut self, time: u64, event: Event) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry(time, self.sequence, event)));
    }

    /// Starts every founder and schedules everything.
    pub fn begin(&mut self) {
        for machine in 0..self.options.nodes {
            self.boot(machine);
        }
        for fault in 0..self.faults.len() {
            self.at(self.faults[fault].0, Event::Fault(fault));
        }
        self.at(self.start + self.options.heal_at, Event::Heal);
        self.at(self.start + self.options.heal_at + (self.options.length - self.options.heal_at) / 2, Event::Probe);
        self.hire_clients();
    }

    /// Runs until `end`, or the first violation.
    pub fn run_until(&mut self, end: u64) {
        while self.violation.is_none() {
            match self.heap.peek() {
                Some(Reverse(entry)) if entry.0 <= end => (),
                _ => break,
            }
            let Some(Reverse(Entry(time, _, event))) = self.heap.pop() else { break };
            self.now = time;
            self.events += 1;
            self.handle(event);
        }
        self.now = self.now.max(end);
    }

    /// Notes the first broken promise; the run ends there.
    pub fn broken(&mut self, violation: Violation) {
        if self.violation.is_none() {
            self.trace.note(self.now, 99, format_args!("VIOLATION {violation}"));
            self.violation = Some(violation);
        }
    }

    /// As [`World::broken`], for results.
    pub fn judge(&mut self, result: Result<(), Violation>) {
        if let Err(violation) = result {
            self.broken(violation);
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Wake(m) => {
                let machine = &mut self.machines[m];
                if machine.wake_at <= self.now {
                    machine.wake_at = u64::MAX;
                }
                machine.wakes = if self.now / MS == machine.woken / MS { machine.wakes + 1 } else { 0 };
                machine.woken = self.now;
                if machine.wakes > SPINNING {
                    let status = machine.node.as_ref().map_or(String::new(), |n| n.status().to_string());
                    let text = format!("machine {m} wakes again and again: {status}");
                    return self.broken(Violation::liveness("anytime_deadlines_move", text));
                }
                self.wake(m);
            }
            Event::Arrive(m, envelope) => {
                if self.machines[m].is_up() {
                    self.give(m, Input::Message(*envelope));
                } else {
                    self.marks.hit(Mark::MessageToTheDead);
                }
            }
            Event::RoundDone(m, life) => {
                if self.machines[m].life == life && self.machines[m].in_round {
                    self.machines[m].in_round = false;
                    self.finish_round(m);
                    self.poke(m);
                }
            }
            Event::HeldLongEnough(m, life) => {
                let machine = &self.machines[m];
                // A pause ends with a round of its own.
                let awake = machine.is_up() && !machine.in_round && self.now >= machine.paused_until;
                if machine.life == life && awake && machine.held_until.is_some_and(|until| until <= self.now) {
                    self.make_durable(m);
                    self.poke(m);
                }
            }
            Event::Apply(m, life) => {
                if self.machines[m].life == life {
                    self.apply(m);
                }
            }
            Event::Checkpoint(m, life, seq) => {
                if self.machines[m].life == life {
                    self.machines[m].files.synced = seq;
                    self.give(m, Input::Synced(seq));
                    self.plan_checkpoint(m);
                }
            }
            Event::Client(c, serial) => self.client_acts(c, serial),
            Event::HangUp(c, serial) => self.client_hangs_up(c, serial),
            Event::Operator(o) => self.operator_acts(o),
            Event::Leaver(m) => self.leaver_acts(m),
            Event::Fault(f) => self.strike(f),
            Event::Restart(m) => {
                if self.machines[m].state == State::Down {
                    self.come_back(m);
                }
            }
            Event::Resume(m) => {
                if self.now >= self.machines[m].paused_until {
                    self.wake(m);
                }
            }
            Event::Mend(f) => self.mend(f),
            Event::DiskFreed(m) => self.machines[m].disk.full = false,
            Event::Heal => self.heal(),
            Event::Probe => self.probe(),
        }
    }

    /// Switches a machine on.
    pub fn boot(&mut self, m: usize) {
        let config = self.config(m);
        let machine = &mut self.machines[m];
        machine.state = State::Up;
        machine.clock.booted = self.now;
        machine.crash_at = None;
        machine.in_round = false;
        if machine.life > 0 {
            self.marks.hit(Mark::Restart);
        }
        let mut effects = Effects::new();
        let seed = self.dice.next();
        let now = machine.clock.read(self.now);
        let applied = machine.files.applied();
        match Node::open(config, now, seed, applied, &mut machine.disk, &mut effects) {
            Ok(node) => machine.node = Some(node),
            Err(fatal) => {
                return self.broken(Violation::crash("anytime_nodes_recover", format!("machine {m}: {fatal}")));
            }
        }
        machine.effects = effects;
        let noted = self.trace.before(&Input::Tick);
        self.trace.after(self.now, m, now, noted, &self.machines[m].effects, 0);
        self.finish_round(m);
        self.plan_checkpoint(m);
        self.poke(m);
    }

    /// What the node of a machine is told when it starts.
    pub(super) fn config(&self, m: usize) -> Config {
        let seeds = (0..self.options.nodes).filter(|i| *i != m).map(address).collect();
        let machine = &self.machines[m];
        let seeds = if m == 0 { Vec::new() } else { seeds };
        let mut config = Config::new(machine.id, machine.address.clone(), seeds);
        config.timing = self.options.timing.clone();
        config.limits.checkpoint_entries = self.options.checkpoint_entries;
        config.planted = self.options.planted();
        config
    }

    /// Lets an input wait for a machine, and the machine take it if it is idle.
    pub fn give(&mut self, m: usize, input: Input) {
        let machine = &mut self.machines[m];
        if !machine.is_up() {
            return;
        }
        machine.inbox.push_back(input);
        machine.longest_inbox = machine.longest_inbox.max(machine.inbox.len());
        self.poke(m);
    }

    fn wake(&mut self, m: usize) {
        let machine = &mut self.machines[m];
        let Some(node) = machine.node.as_ref().filter(|_| machine.state == State::Up) else { return };
        if node.next_deadline().is_some_and(|d| d <= machine.clock.read(self.now).mono)
            && !machine.inbox.iter().any(|i| matches!(i, Input::Tick))
        {
            machine.inbox.push_back(Input::Tick);
        }
        self.poke(m);
    }

    /// Runs rounds as long as the machine is idle and has inputs.
    fn poke(&mut self, m: usize) {
        while self.violation.is_none() {
            let machine = &self.machines[m];
            if !machine.is_up() || machine.in_round || machine.inbox.is_empty() || self.now < machine.paused_until {
                break;
            }
            self.round(m);
        }
        self.set_alarm(m);
    }

    fn set_alarm(&mut self, m: usize) {
        let machine = &mut self.machines[m];
        // At the end of a round, or of a pause, it will be set again.
        let awake = machine.is_up() && !machine.in_round && self.now >= machine.paused_until;
        let Some(node) = machine.node.as_ref().filter(|_| awake) else { return };
        let Some(deadline) = node.next_deadline() else { return };
        let time = machine.clock.world_at(deadline).max(self.now + 1);
        if time < machine.wake_at {
            machine.wake_at = time;
            self.at(time, Event::Wake(m));
        }
    }

    pub(super) fn dispatch(&mut self, m: usize, effect: Effect) {
        match effect {
            Effect::Send { to, message } => self.send(m, &to, message),
            Effect::Reply(client, response) => self.reply(m, client, response),
            Effect::Apply(task) => {
                let machine = &mut self.machines[m];
                machine.files.queue.push_back(task);
                if !machine.files.busy {
                    machine.files.busy = true;
                    let delay = self.dice.between(self.options.applying.0, self.options.applying.1);
                    let machine = &self.machines[m];
                    let (time, life) = (self.now + delay * machine.slowness(self.now), machine.life);
                    self.at(time, Event::Apply(m, life));
                }
            }
            Effect::Notice(notice) => match notice {
                Notice::Recovering { .. } => self.marks.hit(Mark::RecoveryNotice),
                Notice::Conflict { .. } => self.marks.hit(Mark::ConflictLogged),
                Notice::NeedsSnapshot { .. } | Notice::Orphaned { .. } => self.lags_beyond_the_log(m),
                Notice::Stopped(why) => {
                    self.broken(Violation::crash("anytime_nodes_run", format!("machine {m} stopped: {why}")));
                }
                _ => (),
            },
            Effect::Publish(Published::Watermark(watermark)) => {
                self.marks.hit(Mark::WatermarkRose);
                if watermark < self.machines[m].watermark {
                    let text = format!("machine {m}: {} to {watermark}", self.machines[m].watermark);
                    self.broken(Violation::correctness("anytime_watermark_never_falls", text));
                }
                self.machines[m].watermark = watermark;
            }
        }
    }

    fn send(&mut self, from: usize, to: &Destination, message: Message) {
        let target = match to {
            Destination::Node { address, .. } | Destination::Address(address) => at_address(address),
        };
        let Some(target) = target.filter(|t| *t < self.machines.len()) else { return };
        let kind = Kind::of(&message);
        self.marks.sent(kind);
        if matches!(message, Message::Prepared { fast: true, .. }) {
            self.marks.hit(Mark::AcceptedAlong);
        }
        if let Message::Outdated { life, known: Some(known) } = &message {
            // Disks here lose nothing but rounds that nobody heard of, or everything for good.
            let text = format!("machine {from} says that {target} ({life:?}) forgot what it said up to {known}");
            return self.broken(Violation::correctness("anytime_members_remember", text));
        }
        let machine = &mut self.machines[from];
        let Some(node) = machine.node.as_ref() else { return };
        if let Err(violation) = self.ballots.sent(machine.id, &message) {
            return self.broken(violation);
        }
        let mut envelope = node.envelope(message);
        if envelope.clock < machine.clock_sent {
            let text = format!("machine {from}: {} after {}", envelope.clock, machine.clock_sent);
            return self.broken(Violation::correctness("anytime_clock_never_goes_back", text));
        }
        machine.clock_sent = envelope.clock;
        let [first, second] = self.network.deliver(self.now, (from, target), kind, &mut self.marks);
        if first.is_none() && second.is_none() {
            return;
        }
        if self.options.encoded {
            match postcard_round_trip(&envelope) {
                Ok(decoded) => envelope = decoded,
                Err(text) => return self.broken(Violation::crash("anytime_messages_survive_encoding", text)),
            }
        }
        if let Some(delay) = second {
            self.at(self.now + delay, Event::Arrive(target, Box::new(envelope.clone())));
        }
        if let Some(delay) = first {
            self.at(self.now + delay, Event::Arrive(target, Box::new(envelope)));
        }
    }

    fn reply(&mut self, m: usize, client: ClientId, response: Response) {
        let Some(owner) = self.owners.get(client.0 as usize).copied() else {
            let text = format!("machine {m} answers {client:?}, who never asked");
            return self.broken(Violation::correctness("anytime_answers_have_a_question", text));
        };
        if owner >= OPERATOR {
            self.operator_hears(owner - OPERATOR, client, m, response);
        } else {
            self.client_hears(owner, client, m, response);
        }
    }

    fn apply(&mut self, m: usize) {
        let machine = &mut self.machines[m];
        machine.files.busy = false;
        let tasks = std::mem::take(&mut machine.files.queue);
        for task in &tasks {
            let result = self.history.applied(m, task);
            let result = result.and_then(|()| self.machines[m].files.apply(task, &mut self.marks));
            if let Err(mut violation) = result {
                violation.text = format!("machine {m}: {}", violation.text);
                return self.broken(violation);
            }
        }
        let seq = self.machines[m].files.applied();
        self.give(m, Input::Applied(seq));
    }

    fn plan_checkpoint(&mut self, m: usize) {
        let (life, seq) = (self.machines[m].life, self.machines[m].files.applied());
        // What is reported is durable then, though more may be applied by that time.
        self.at(self.now + self.options.checkpoint, Event::Checkpoint(m, life, seq));
    }

    /// Takes a machine down. `down`: for how long; `None`: its disk is gone for good.
    pub fn crash(&mut self, m: usize, down: Option<u64>) {
        let machine = &mut self.machines[m];
        if !machine.is_up() {
            return;
        }
        self.marks.hit(Mark::Crash);
        if machine.disk.is_dirty() {
            self.marks.hit(Mark::RoundLost);
        }
        machine.disk.lose_round();
        machine.node = None;
        machine.life += 1;
        machine.inbox.clear();
        machine.effects = Effects::new();
        machine.in_round = false;
        machine.held_until = None;
        machine.crash_at = None;
        machine.open.clear();
        machine.told_oldest = None;
        machine.watermark = marmot::types::Hlc::ZERO;
        machine.wake_at = u64::MAX;
        machine.covered = 0;
        machine.paused_until = 0;
        machine.state = if down.is_some() { State::Down } else { State::Gone };
        let keep = self.dice.between(machine.files.synced.min(machine.files.applied()), machine.files.applied());
        if machine.files.crash(keep) {
            self.marks.hit(Mark::FilesRolledBack);
        }
        self.trace.note(self.now, m, format_args!("CRASH, files at {keep}"));
        if let Some(down) = down {
            self.at(self.now + down, Event::Restart(m));
        }
        self.clients_lose(m);
        self.operators_lose(m);
    }

    fn strike(&mut self, index: usize) {
        if self.healed {
            return;
        }
        let fault = self.faults[index].1.clone();
        self.trace.note(self.now, 98, format_args!("FAULT {fault:?}"));
        match fault {
            Fault::Crash { machine, point: CrashPoint::Now, down } => self.crash(machine, Some(down)),
            Fault::Crash { machine, point, down } => self.machines[machine].crash_at = Some((point, down)),
            Fault::Blackout { down } => {
                self.marks.hit(Mark::Blackout);
                for m in 0..self.machines.len() {
                    let later = self.dice.between(0, 500 * MS);
                    self.crash(m, Some(down + later));
                }
            }
            Fault::Pause { machine, lasting } => {
                self.marks.hit(Mark::Pause);
                self.machines[machine].paused_until = self.now + lasting;
                self.at(self.now + lasting, Event::Resume(machine));
            }
            Fault::Partition { cut, lasting } => {
                let links = cut.links(self.machines.len());
                let one_way = links.iter().any(|(a, b)| !links.contains(&(*b, *a)));
                self.marks.hit(if one_way { Mark::OneWayPartition } else { Mark::Partition });
                links.into_iter().for_each(|(a, b)| self.network.cut(a, b));
                self.at(self.now + lasting, Event::Mend(index));
            }
            Fault::Slow { machine, factor, lasting } => {
                self.marks.hit(Mark::Slow);
                self.machines[machine].slow = (factor, self.now + lasting);
            }
            Fault::Jump { machine, ms } => {
                self.marks.hit(Mark::ClockJumped);
                // A clock far ahead drags its node's stamps along, and they stay refused (rule 24) long after healing.
                let clock = &mut self.machines[machine].clock;
                clock.jumped_ms = (clock.jumped_ms + ms).clamp(-30_000, 3_000);
            }
            Fault::Full { machine, lasting } => {
                self.marks.hit(Mark::DiskFull);
                self.machines[machine].disk.full = true;
                self.at(self.now + lasting, Event::DiskFreed(machine));
            }
            Fault::LoseDisk { machine } => self.lose_disk(machine),
            Fault::Join { machine } => {
                self.marks.hit(Mark::Joined);
                self.take_snapshot(machine);
                self.boot(machine);
                self.admit_later(machine);
            }
            Fault::Remove { machine } => self.remove_later(machine),
            Fault::Leave { machine } => self.leave(machine),
        }
    }

    fn lose_disk(&mut self, m: usize) {
        self.marks.hit(Mark::DiskLost);
        match self.machines[m].state {
            State::Up => self.crash(m, None),
            _ => self.machines[m].state = State::Gone,
        }
        self.remove_later(m);
    }

    fn mend(&mut self, index: usize) {
        if let (Fault::Partition { cut, .. }, false) = (&self.faults[index].1, self.healed) {
            let links = cut.links(self.machines.len());
            links.into_iter().for_each(|(a, b)| self.network.mend(a, b));
        }
    }

    /// The end of all faults: everything that can come back does.
    fn heal(&mut self) {
        self.healed = true;
        self.network.heal();
        self.trace.note(self.now, 98, format_args!("HEAL"));
        for m in 0..self.machines.len() {
            let machine = &mut self.machines[m];
            machine.clock.correct();
            machine.disk.full = false;
            machine.slow = (1, 0);
            machine.paused_until = 0;
            machine.crash_at = None;
            match machine.state {
                State::Down => self.come_back(m),
                State::Up => self.wake(m),
                State::Unborn | State::Gone => (),
            }
        }
    }
}

/// Owners from here on are operators.
pub const OPERATOR: usize = 1 << 20;

fn postcard_round_trip(envelope: &Envelope) -> Result<Envelope, String> {
    let bytes = marmot::core::encode(envelope);
    let decoded: Envelope = marmot::core::decode(marmot::core::Table::Meta, &bytes).map_err(|e| e.to_string())?;
    if decoded == *envelope { Ok(decoded) } else { Err(format!("{envelope:?} became {decoded:?}")) }
}
