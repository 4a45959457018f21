//! `eventually_*`: with a majority up and connected, every transaction ends and nothing stays locked.

use crate::pure::history::Violation;
use crate::pure::machine::State;
use crate::pure::world::World;

impl World {
    /// Judges progress at the end of the liveness phase.
    pub fn check_progress(&mut self) {
        let waiting = self.clients.iter().filter_map(|c| c.pending()).next();
        if let Some(text) = waiting {
            return self.broken(Violation::liveness("eventually_every_request_is_answered", text));
        }
        if let Some(c) = self.clients.iter().position(|c| c.has_failed()) {
            let text = format!("client {c}, hired after healing, could not write and read");
            return self.broken(Violation::liveness("eventually_everyone_can_write", text));
        }
        let undone = self.operators.iter().filter_map(|o| o.pending()).next();
        if let Some(text) = undone {
            return self.broken(Violation::liveness("eventually_members_change", text));
        }
        for m in 0..self.machines.len() {
            let machine = &self.machines[m];
            if machine.state == State::Down && !machine.removed {
                let text = format!("machine {m} found no copy to go on from");
                return self.broken(Violation::liveness("eventually_everyone_is_back", text));
            }
            let Some(node) = machine.node.as_ref().filter(|_| machine.counts()) else { continue };
            let status = node.status();
            if status.intents + status.coordinating + status.recovering > 0 {
                let text = format!("machine {m}: {status}");
                return self.broken(Violation::liveness("eventually_no_intent_remains", text));
            }
            if machine.files.applied() != status.applied {
                let text = format!("machine {m}: files at {}, node at {}", machine.files.applied(), status.applied);
                return self.broken(Violation::liveness("eventually_everything_is_applied", text));
            }
            self.check_machine(m);
        }
    }
}
