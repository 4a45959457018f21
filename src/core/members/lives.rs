//! Who came back with less than it had: an old copy of a disk that was restored, or an empty one under an old id.
//!
//! A member's promises are worth what its disk remembers. The clock mark says how much that is: it lies above every reading
//! that the node ever sent, durably, before it was sent ([`Clock`](crate::core::hlc::Clock)). So each message says with which
//! mark its sender began this life, and everybody remembers the highest reading heard of everybody. A life that began at or
//! below what was heard in an earlier one has forgotten what it said then. Nothing is taken from such a node; it is told, and
//! stops.
//!
//! What is remembered is durable now and then only, so that a node whose disk went back by seconds, while all others were
//! restarted, is not noticed.

use crate::core::effect::{Destination, Notice};
use crate::core::fault::{Fatal, PeerFault};
use crate::core::members::join::Joining;
use crate::core::message::{Envelope, Life, Message};
use crate::core::node::{Io, Node};
use crate::core::storage::{Storage, Table, load, save};
use crate::types::{Hlc, NodeId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far what is remembered of a node may be behind what was heard, in milliseconds, before it is made durable.
const DURABLE_EVERY_MS: u64 = 10_000;

/// What is remembered of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// Its latest life.
    life: Life,
    /// The highest reading heard of it.
    highest: Hlc,
}

impl Known {
    /// Whether a message of `life`, sent at `clock`, is of a node that has forgotten what it said.
    fn disowns(&self, life: Life, clock: Hlc) -> bool {
        match life {
            _ if life == self.life => false,
            _ if life.born > self.life.born => life.born <= self.highest,
            // A message of an earlier life that was long under way was sent before this one began.
            _ => clock >= self.life.first,
        }
    }

    fn hear(&mut self, life: Life, clock: Hlc) {
        if life.born > self.life.born {
            self.life = life;
        }
        self.highest = self.highest.max(clock);
    }
}

/// Everybody's lives, as far as known.
#[derive(Clone, Debug, Default)]
pub struct Lives {
    /// What is known, and what of it is durable.
    known: BTreeMap<NodeId, (Known, Known)>,
}

fn key(node: NodeId) -> Vec<u8> {
    [b"life/", &node.0.to_be_bytes()[..]].concat()
}

impl Lives {
    /// Hears a message of `from`. The error: up to where it said things that it has forgotten.
    fn hear(
        &mut self,
        store: &mut dyn Storage,
        from: NodeId,
        life: Life,
        clock: Hlc,
    ) -> Result<Result<(), Hlc>, Fatal> {
        let (mut known, mut durable) = match self.known.get(&from) {
            Some(remembered) => *remembered,
            None => {
                let stored: Option<Known> = load(store, Table::Meta, &key(from))?;
                (stored.unwrap_or(Known { life, highest: clock }), stored.unwrap_or_default())
            }
        };
        let forgotten = known.disowns(life, clock);
        if !forgotten {
            known.hear(life, clock);
        }
        let behind = known.highest.millis().saturating_sub(durable.highest.millis());
        if behind >= DURABLE_EVERY_MS || known.life != durable.life {
            durable = known;
            save(store, Table::Meta, &key(from), &known)?;
        }
        self.known.insert(from, (known, durable));
        Ok(if forgotten { Err(known.highest) } else { Ok(()) })
    }

    /// The latest life known of a node.
    pub fn latest(&self, node: NodeId) -> Life {
        self.known.get(&node).map_or(Life::default(), |(known, _)| known.life)
    }
}

impl Node {
    /// Whether the sender of a message is who it was. One that is not is told.
    pub(crate) fn is_itself(&mut self, io: &mut Io<'_>, envelope: &Envelope) -> Result<bool, Fatal> {
        let Envelope { from, life, clock, .. } = *envelope;
        let Err(known) = self.lives.hear(io.store, from, life, clock)? else { return Ok(true) };
        io.out.notice(Notice::PeerFault(PeerFault::Forgetful { from }));
        let to = Destination::Node { id: from, address: envelope.from_address.clone() };
        self.send_to(io, to, Message::Outdated { life, known: Some(known) });
        Ok(false)
    }

    /// Others remember more of this node than it does itself, or know its id as that of a member while it asks to join.
    pub(crate) fn on_outdated(&mut self, life: Life, known: Option<Hlc>) -> Result<(), Fatal> {
        let id = self.id;
        match known {
            _ if life != self.life => Ok(()),
            Some(known) if life.born <= known && life.born == Hlc::ZERO => Err(Fatal::IdTaken { id }),
            Some(known) if life.born <= known => Err(Fatal::Outdated { id }),
            None if matches!(self.joining, Some(Joining::Asking { .. })) => Err(Fatal::IdTaken { id }),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::testkit::MemStorage;

    const NODE: NodeId = NodeId(3);

    fn life(born: u64, first: u64) -> Life {
        let nonce = born ^ first << 32;
        Life { born: Hlc::from_millis(born), first: Hlc::from_millis(first), nonce }
    }

    /// Whether messages, each of a life that began with a mark and a reading, and sent at a reading, are taken.
    fn taken(lives: &mut Lives, store: &mut MemStorage, messages: &[(Life, u64)]) -> Vec<bool> {
        let mut one = |(life, at): &(Life, u64)| {
            lives.hear(store, NODE, *life, Hlc::from_millis(*at)).expect("storage works").is_ok()
        };
        messages.iter().map(&mut one).collect()
    }

    #[test]
    fn restarts_and_late_messages_are_taken() {
        let (mut lives, mut store) = (Lives::default(), MemStorage::default());
        let (first, second, third) = (life(0, 100), life(550, 560), life(900, 900));
        let messages =
            [(first, 100), (first, 300), (second, 600), (first, 299), (third, 950), (second, 650), (first, 1)];
        assert_eq!(taken(&mut lives, &mut store, &messages), [true; 7]);
    }

    #[test]
    fn a_disk_of_earlier_is_noticed() {
        let (mut lives, mut store) = (Lives::default(), MemStorage::default());
        let (first, second) = (life(0, 100), life(5000, 5100));
        assert_eq!(taken(&mut lives, &mut store, &[(first, 4000), (second, 9000)]), [true, true]);
        // Copied within the life that was the latest, and within one before.
        assert_eq!(taken(&mut lives, &mut store, &[(life(6000, 20_000), 20_001)]), [false]);
        assert_eq!(taken(&mut lives, &mut store, &[(life(2000, 20_000), 20_001)]), [false]);
        // An empty one.
        assert_eq!(taken(&mut lives, &mut store, &[(life(0, 20_000), 20_001)]), [false]);
        assert_eq!(taken(&mut lives, &mut store, &[(second, 9001)]), [true]);
    }

    #[test]
    fn an_empty_disk_is_noticed_in_the_first_life_too() {
        let (mut lives, mut store) = (Lives::default(), MemStorage::default());
        assert_eq!(taken(&mut lives, &mut store, &[(life(0, 100), 4000), (life(0, 9000), 9000)]), [true, false]);
    }

    #[test]
    fn what_was_heard_outlasts_a_restart_of_who_heard_it() {
        let mut store = MemStorage::default();
        let messages = [(life(0, 100), 100), (life(0, 100), 20_000)];
        assert_eq!(taken(&mut Lives::default(), &mut store, &messages), [true, true]);
        let mut again = Lives::default();
        assert_eq!(taken(&mut again, &mut store, &[(life(15_000, 40_000), 40_000)]), [false]);
        assert_eq!(taken(&mut again, &mut store, &[(life(20_250, 40_000), 40_000)]), [true]);
    }
}
