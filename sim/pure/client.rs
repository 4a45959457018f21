//! Clients: each is connected to one machine, runs one operation after the other, retries conflicts with the begin
//! stamp, and writes down what it was told.

use super::clock::{MS, SECOND};
use super::dice::Dice;
use super::files::View;
use super::history::{Attempt, Known, Violation};
use super::marks::Mark;
use super::tables::{DATABASE, Draft, Tag};
use super::workload::{Family, Plan};
use super::world::{Event, World};
use marmot::core::{Input, Refusal, Request, Response};
use marmot::types::{
    ApplySeq, ClientId, Ddl, Key, KeyAccess, Mode, ReadLevel, Snapshot, Stamp, TxnId, WriteLevel, WriteSet,
};
use std::sync::Arc;

/// What a client is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Doing {
    /// Between operations.
    Resting,
    /// Waiting for a barrier begun when this many commits were acknowledged.
    Barrier(usize),
    Leasing,
    Locking,
    /// Holding the schema lock of this transaction.
    Locked(TxnId),
    /// In an open transaction; `pinned`: what its reads see, if that is settled.
    Open {
        snapshot: Snapshot,
        pinned: Option<ApplySeq>,
    },
    Committing(Tag),
    Unlocking,
    /// About to attempt the same operation again.
    Retrying,
    Done,
}

/// One client.
pub struct Client {
    machine: usize,
    id: ClientId,
    doing: Doing,
    /// Rises with every change of state; events carry the value they were made under.
    serial: u32,
    families: Vec<Family>,
    left: usize,
    plan: Plan,
    ids: Vec<u64>,
    begin: Option<Stamp>,
    tries: u32,
    dice: Dice,
    /// A client that proves progress after healing: stays with its machine and does not give up.
    probe: bool,
}

impl Client {
    /// What it still waits for, for reports.
    pub fn pending(&self) -> Option<String> {
        match self.doing {
            Doing::Resting | Doing::Retrying | Doing::Done => None,
            _ => Some(format!("on machine {}: {:?} in {:?}", self.machine, self.doing, self.plan)),
        }
    }

    /// Whether a probe did all it had to.
    pub fn has_failed(&self) -> bool {
        self.probe && self.doing != Doing::Done
    }

    fn enter(&mut self, doing: Doing) -> u32 {
        self.doing = doing;
        self.serial += 1;
        self.serial
    }
}

/// The attempt that wrote the rows every database starts with.
pub fn setup_attempt() -> Attempt {
    Attempt {
        client: 0,
        machine: 0,
        level: WriteLevel::Quorum,
        invoked: 0,
        known: Known::Unknown,
        write_set: Arc::new(WriteSet::default()),
        reads: Vec::new(),
        appends: Vec::new(),
        fate: None,
        after: 0,
    }
}

impl World {
    /// The clients of the safety phase.
    pub fn hire_clients(&mut self) {
        for c in 0..self.options.clients {
            let families =
                if self.options.families.is_empty() { vec![Family::Register] } else { self.options.families.clone() };
            let mut dice = self.dice.child(1000 + c as u64);
            let machine = dice.index(self.options.nodes);
            let time = self.start + dice.between(0, 2 * SECOND);
            self.hire(machine, families, self.options.operations, dice, false, time);
        }
    }

    /// After healing every machine must do this: write, against all the others, and read what was written.
    pub fn probe(&mut self) {
        for m in 0..self.machines.len() {
            if self.machines[m].counts() {
                let dice = self.dice.child(2000 + m as u64);
                self.hire(m, vec![Family::Counter], 1, dice, true, self.now);
            }
        }
    }

    fn hire(&mut self, machine: usize, families: Vec<Family>, left: usize, dice: Dice, probe: bool, time: u64) {
        let index = self.clients.len();
        let id = self.new_id(index);
        self.clients.push(Client {
            machine,
            id,
            doing: Doing::Resting,
            serial: 0,
            families,
            left,
            plan: Plan::Audit,
            ids: Vec::new(),
            begin: None,
            tries: 0,
            dice,
            probe,
        });
        self.at(time, Event::Client(index, 0));
    }

    /// A fresh address for replies.
    pub fn new_id(&mut self, owner: usize) -> ClientId {
        self.owners.push(owner);
        ClientId(self.owners.len() as u64 - 1)
    }

    /// A client's own time has come.
    pub fn client_acts(&mut self, c: usize, serial: u32) {
        if self.clients[c].serial != serial {
            return;
        }
        match self.clients[c].doing.clone() {
            Doing::Resting => self.next_operation(c),
            Doing::Retrying => self.attempt(c),
            Doing::Open { snapshot, pinned } => self.submit(c, snapshot, pinned),
            Doing::Locked(txn) => self.submit_schema(c, txn),
            _ => (),
        }
    }

    fn next_operation(&mut self, c: usize) {
        let over = self.healed && !self.clients[c].probe;
        let client = &mut self.clients[c];
        if client.left == 0 || over {
            client.enter(Doing::Done);
            return;
        }
        if !client.probe && (client.dice.one_in(12) || !self.machines[client.machine].takes_clients()) {
            client.machine = client.dice.index(self.machines.len());
        }
        let machine = &self.machines[client.machine];
        if !machine.is_up() || machine.leaver.is_some() {
            let serial = client.enter(Doing::Resting);
            let later = self.now + client.dice.between(20 * MS, 300 * MS);
            return self.at(later, Event::Client(c, serial));
        }
        client.left -= 1;
        let family = *client.dice.pick(&client.families.clone());
        client.plan = Plan::draw(family, &self.options, &mut client.dice);
        client.tries = 0;
        client.begin = None;
        client.ids.clear();
        let barrier =
            client.probe || client.dice.chance(self.options.barriers) || matches!(client.plan, Plan::Read { .. });
        if barrier {
            let all = client.dice.chance(self.options.level_all) && !client.probe;
            let after = self.history.acknowledged.len();
            client.enter(Doing::Barrier(after));
            let level = if all { ReadLevel::All } else { ReadLevel::Quorum };
            return self.ask(c, Request::Barrier(level));
        }
        self.attempt(c);
    }

    /// Begins an attempt at the current plan.
    fn attempt(&mut self, c: usize) {
        let client = &mut self.clients[c];
        match &client.plan {
            Plan::Insert { mode, count } if client.ids.is_empty() => {
                let request = Request::AutoIds { mode: *mode, count: *count };
                client.enter(Doing::Leasing);
                return self.ask(c, request);
            }
            Plan::Alter => {
                let (databases, begin) = (vec![DATABASE.clone()], client.begin);
                client.enter(Doing::Locking);
                let request = Request::LockSchema { databases, begin, lock_wait: self.options.lock_wait };
                return self.ask(c, request);
            }
            _ => (),
        }
        let machine = &mut self.machines[client.machine];
        let snapshot = machine.snapshot();
        let pinned = (!client.dice.chance(self.options.pinned_late)).then_some(snapshot.seq);
        let delay = if client.dice.chance(self.options.interactive) && !client.probe {
            client.dice.between(self.options.open_for.0, self.options.open_for.1)
        } else {
            0
        };
        let serial = client.enter(Doing::Open { snapshot, pinned });
        if delay == 0 {
            return self.submit(c, snapshot, pinned);
        }
        if self.options.tells_oldest {
            machine.open.push((c, snapshot));
        }
        let m = client.machine;
        self.at(self.now + delay, Event::Client(c, serial));
        self.tell_oldest(m);
    }

    fn tell_oldest(&mut self, m: usize) {
        if let Some(oldest) = self.machines[m].oldest_moved() {
            self.give(m, Input::OldestSnapshot(oldest));
        }
    }

    /// Executes the plan on the snapshot and asks for the commit.
    fn submit(&mut self, c: usize, snapshot: Snapshot, pinned: Option<ApplySeq>) {
        let client = &self.clients[c];
        let m = client.machine;
        let files = &self.machines[m].files;
        let view: View<'_> = pinned.map_or(files.now(), |seq| files.view(seq));
        let tag = self.history.attempts.len() as Tag;
        let mut draft = Draft::new(tag, view.schema());
        if let Err(violation) = client.plan.build(view, &client.ids, &mut draft) {
            return self.broken(violation);
        }
        let (reads, appends) = (std::mem::take(&mut draft.reads), std::mem::take(&mut draft.appends));
        if draft.is_empty() {
            if !reads.is_empty() {
                self.history.looks.push(reads);
            }
            self.close(c);
            return self.rest(c);
        }
        let client = &mut self.clients[c];
        let level = match client.plan.level() {
            WriteLevel::Quorum if client.dice.chance(self.options.level_all) && !client.probe => WriteLevel::All,
            level => level,
        };
        let write_set = Arc::new(draft.finish());
        let begin = client.begin;
        self.record(c, level, write_set.clone(), reads, appends);
        let lock_wait = self.options.lock_wait;
        self.ask(c, Request::Commit { write_set, snapshot, level, begin, lock_wait });
        self.close(c);
    }

    /// The schema is locked and this node is current: look, then change it.
    fn submit_schema(&mut self, c: usize, txn: TxnId) {
        let client = &mut self.clients[c];
        if client.dice.one_in(8) {
            client.enter(Doing::Unlocking);
            return self.ask(c, Request::AbortLocked { txn });
        }
        let version = self.machines[client.machine].files.now().schema() + 1;
        let tag = self.history.attempts.len() as Tag;
        let payload: Vec<u8> = tag.to_be_bytes().into_iter().chain(version.to_be_bytes()).collect();
        let holds = vec![KeyAccess { key: Key::Schema(DATABASE.clone()), mode: Mode::Write }];
        let ddl = Some(Ddl { database: DATABASE.clone(), payload: payload.into() });
        let write_set = Arc::new(WriteSet { tables: Vec::new(), holds, ddl });
        self.record(c, WriteLevel::Quorum, write_set.clone(), Vec::new(), Vec::new());
        self.ask(c, Request::CommitLocked { txn, write_set });
    }

    fn record(
        &mut self,
        c: usize,
        level: WriteLevel,
        write_set: Arc<WriteSet>,
        reads: Vec<(u64, Vec<u32>)>,
        appends: Vec<(u64, u32)>,
    ) {
        let tag = self.history.attempts.len() as Tag;
        let client = &mut self.clients[c];
        self.history.attempts.push(Attempt {
            client: c,
            machine: client.machine,
            level,
            invoked: self.now,
            known: Known::Open,
            write_set,
            reads,
            appends,
            fate: None,
            after: self.history.acknowledged.len(),
        });
        let serial = client.enter(Doing::Committing(tag));
        if client.dice.chance(self.options.hang_up) && !client.probe {
            let later = self.now + client.dice.between(MS, 400 * MS);
            self.at(later, Event::HangUp(c, serial));
        }
    }

    fn ask(&mut self, c: usize, request: Request) {
        let client = &self.clients[c];
        self.trace.note(self.now, client.machine, format_args!("client {c} asks {request:?}"));
        self.give(client.machine, Input::Request(client.id, request));
    }

    /// An open transaction ended: its snapshot is no longer needed.
    fn close(&mut self, c: usize) {
        let m = self.clients[c].machine;
        let before = self.machines[m].open.len();
        self.machines[m].open.retain(|(owner, _)| *owner != c);
        if self.machines[m].open.len() != before {
            self.tell_oldest(m);
        }
    }

    fn rest(&mut self, c: usize) {
        let o = &self.options;
        let client = &mut self.clients[c];
        let (low, high) = match client.dice.chance(o.resting) {
            _ if client.probe => (MS, 5 * MS),
            true => o.rest,
            false => o.think,
        };
        let later = self.now + client.dice.between(low, high);
        let serial = client.enter(Doing::Resting);
        self.at(later, Event::Client(c, serial));
    }

    /// The same operation once more, as a new attempt, if the client still has patience.
    fn retry(&mut self, c: usize) {
        let client = &mut self.clients[c];
        client.tries += 1;
        if client.tries > self.options.retries && !client.probe {
            self.marks.hit(Mark::GaveUp);
            return self.rest(c);
        }
        self.marks.hit(Mark::Retried);
        if client.probe && matches!(client.doing, Doing::Barrier(_)) {
            client.left += 1;
            let serial = client.enter(Doing::Resting);
            return self.at(self.now + 100 * MS, Event::Client(c, serial));
        }
        let later = self.now + client.dice.between(MS / 10, MS << client.tries.min(6));
        let serial = client.enter(Doing::Retrying);
        self.at(later, Event::Client(c, serial));
    }

    /// The answer to a request.
    pub fn client_hears(&mut self, c: usize, id: ClientId, m: usize, response: Response) {
        if self.clients[c].id != id {
            // It hung up; the answer was under way.
            return;
        }
        match (self.clients[c].doing.clone(), response) {
            (Doing::Barrier(after), Response::BarrierDone) => {
                self.marks.hit(Mark::BarrierDone);
                self.check_barrier(m, after);
                self.attempt(c);
            }
            (Doing::Leasing, Response::AutoIds { first, count }) => {
                self.marks.hit(Mark::AutoIds);
                let result = self.history.leased(first, count);
                self.judge(result);
                self.clients[c].ids = (first..first + u64::from(count)).collect();
                self.attempt(c);
            }
            (Doing::Locking, Response::SchemaLocked { txn }) => {
                self.marks.hit(Mark::SchemaLocked);
                let client = &mut self.clients[c];
                let delay = if client.dice.one_in(3) { client.dice.between(MS, 2 * SECOND) } else { 0 };
                let serial = client.enter(Doing::Locked(txn));
                self.at(self.now + delay, Event::Client(c, serial));
            }
            (Doing::Committing(tag), Response::Committed { txn, stamp }) => {
                self.note_commit(m, tag, txn, stamp);
                self.rest(c);
            }
            (Doing::Committing(tag), Response::Refused(Refusal::UnknownOutcome { .. })) => {
                self.marks.hit(Mark::UnknownOutcome);
                self.history.attempts[tag as usize].known = Known::Unknown;
                if self.clients[c].probe { self.retry(c) } else { self.rest(c) }
            }
            (Doing::Unlocking, _) => self.rest(c),
            (doing, Response::Refused(refusal)) => {
                if let Doing::Committing(tag) = doing {
                    self.note_refusal(tag);
                }
                self.refused(c, refusal);
            }
            (doing, response) => {
                let text = format!("machine {m} answers {response:?} to a client that is {doing:?}");
                self.broken(Violation::correctness("anytime_answers_have_a_question", text));
            }
        }
    }

    fn refused(&mut self, c: usize, refusal: Refusal) {
        match refusal {
            Refusal::Conflict { begin } => {
                self.marks.hit(Mark::Conflict);
                self.clients[c].begin = Some(begin);
                self.retry(c);
            }
            Refusal::SnapshotTooOld => {
                self.marks.hit(Mark::SnapshotTooOld);
                self.retry(c);
            }
            other => {
                self.marks.hit(match other {
                    Refusal::NoQuorum { .. } => Mark::NoQuorum,
                    Refusal::LockWaitTimeout => Mark::LockWaitTimeout,
                    Refusal::DiskFull => Mark::RefusedDiskFull,
                    _ => Mark::RefusedOther,
                });
                if self.clients[c].probe { self.retry(c) } else { self.rest(c) }
            }
        }
    }

    /// Whether a client waits for machine `m`, or has a transaction open there.
    pub fn is_serving(&self, m: usize) -> bool {
        let busy = |c: &Client| !matches!(c.doing, Doing::Resting | Doing::Done);
        self.clients.iter().any(|c| c.machine == m && busy(c))
    }

    /// The client of a machine that crashed learns nothing more of what it asked.
    pub fn clients_lose(&mut self, m: usize) {
        for c in 0..self.clients.len() {
            if self.clients[c].machine != m || matches!(self.clients[c].doing, Doing::Done) {
                continue;
            }
            self.disconnect(c);
        }
    }

    /// The client goes away while it waits.
    pub fn client_hangs_up(&mut self, c: usize, serial: u32) {
        let client = &self.clients[c];
        if client.serial != serial || self.healed {
            return;
        }
        self.marks.hit(Mark::ClientGone);
        let (m, id) = (client.machine, client.id);
        self.disconnect(c);
        self.give(m, Input::ClientGone(id));
    }

    fn disconnect(&mut self, c: usize) {
        if let Doing::Committing(tag) = self.clients[c].doing {
            self.history.attempts[tag as usize].known = Known::Unknown;
        }
        let id = self.new_id(c);
        self.clients[c].id = id;
        self.rest(c);
    }
}
