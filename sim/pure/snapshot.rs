//! Copies of what a voter has on its disk and in its files: how newcomers begin, and how members go on that were away for
//! longer than the log is kept.

use super::clock::MS;
use super::disk::Disk;
use super::files::Files;
use super::history::Violation;
use super::machine::Machine;
use super::marks::Mark;
use super::world::{Event, World};
use marmot::core::{Node, Unfit, adopt_snapshot, renew};

/// How long a machine that needs a snapshot waits before it asks again.
const AGAIN: u64 = 300 * MS;

impl World {
    /// Every other joiner begins with a copy; the others with nothing.
    pub(super) fn take_snapshot(&mut self, joiner: usize) {
        let turn = self.options.seed.wrapping_add(joiner as u64);
        let voters = self.sources(joiner);
        if turn.is_multiple_of(2) || voters.is_empty() {
            return;
        }
        let (mut disk, files) = self.copy(voters[(turn / 2) as usize % voters.len()]);
        if let Err(fatal) = adopt_snapshot(&mut disk, files.applied()) {
            return self.broken(Violation::crash("anytime_nodes_recover", format!("snapshot for {joiner}: {fatal}")));
        }
        disk.commit();
        self.marks.hit(Mark::JoinedBySnapshot);
        (self.machines[joiner].disk, self.machines[joiner].files) = (disk, files);
    }

    /// A machine needs a snapshot, as no log reaches back to what it lacks: as the daemon, it starts again with one.
    pub(super) fn lags_beyond_the_log(&mut self, m: usize) {
        self.marks.hit(Mark::LagsBeyondTheLog);
        self.machines[m].lags = true;
        self.crash(m, Some(AGAIN));
    }

    /// Switches a machine on again: with a snapshot if it needs one, and sometimes though it needs none.
    pub(super) fn come_back(&mut self, m: usize) {
        let needed = self.machines[m].lags;
        if needed || self.dice.chance(self.options.renewals) {
            self.renew(m);
            if self.violation.is_some() {
                return;
            }
            if needed && self.machines[m].lags {
                return self.at(self.now + AGAIN, Event::Restart(m));
            }
        }
        self.boot(m);
    }

    fn renew(&mut self, m: usize) {
        let voters = self.sources(m);
        if voters.is_empty() {
            return;
        }
        let source = *self.dice.pick(&voters);
        let (mut disk, files) = self.copy(source);
        let (config, seed) = (self.config(m), self.dice.next());
        let machine = &self.machines[m];
        let now = machine.clock.read(self.now);
        match renew(config, now, seed, files.applied(), &machine.disk, &mut disk) {
            Ok(()) => {
                disk.commit();
                self.marks.hit(Mark::Renewed);
                self.trace.note(self.now, m, format_args!("RENEWED from {source}, files at {}", files.applied()));
                let machine = &mut self.machines[m];
                disk.full = machine.disk.full;
                (machine.disk, machine.files, machine.lags) = (disk, files, false);
            }
            Err(Unfit::Behind(why)) => {
                self.marks.hit(Mark::SnapshotUnfit);
                // It goes on with what it has: others need that.
                self.machines[m].lags = false;
                self.trace.note(self.now, m, format_args!("NOT RENEWED from {source}: {why}"));
            }
            // As it would without a snapshot, the node finds out by itself.
            Err(Unfit::Removed(_)) => self.machines[m].lags = false,
            // Nobody was welcomed yet.
            Err(Unfit::Fatal(_)) if self.machines[m].disk.is_nobodys() => self.machines[m].lags = false,
            Err(why @ (Unfit::OtherCluster | Unfit::Older(_) | Unfit::Fatal(_))) => {
                self.broken(Violation::crash("anytime_nodes_recover", format!("machine {m} from {source}: {why}")));
            }
        }
    }

    /// Who can give a snapshot to a machine.
    fn sources(&self, to: usize) -> Vec<usize> {
        let votes = |m: &Machine| m.is_up() && m.node.as_ref().is_some_and(Node::is_voter);
        (0..self.machines.len()).filter(|m| *m != to && votes(&self.machines[*m])).collect()
    }

    /// What is durable on a machine's disk, and what is in its files.
    fn copy(&self, source: usize) -> (Disk, Files) {
        let source = &self.machines[source];
        let (mut disk, files) = (source.disk.clone(), source.files.copy());
        disk.lose_round();
        disk.full = false;
        (disk, files)
    }
}
