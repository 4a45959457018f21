//! Messages between machines: lost, doubled, late, altered on the way. What the simulator's own network does to
//! connections (partitions, late packets) comes on top.

use crate::dice::Dice;
use crate::marks::mark;
use marmot::core::Address;
use marmot::shell::frame::HEADER;
use marmot::shell::{Fate, Interference};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How often, in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Service {
    pub lost: u64,
    pub doubled: u64,
    pub late: u64,
    /// Of writes to a connection.
    pub altered: u64,
}

/// The post of one machine, for what it sends.
pub struct Post {
    state: Mutex<(Service, Dice)>,
}

impl Post {
    /// Reliable at first.
    pub fn new(dice: Dice) -> Post {
        Post { state: Mutex::new((Service::default(), dice)) }
    }

    pub fn set(&self, service: Service) {
        self.open().0 = service;
    }

    fn open(&self) -> MutexGuard<'_, (Service, Dice)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Interference for Post {
    fn fate(&self, _: &Address) -> Fate {
        let (service, dice) = &mut *self.open();
        let (lost, doubled) = (service.lost, service.lost + service.doubled);
        let late = doubled + service.late;
        if late == 0 {
            return Fate::Arrives;
        }
        let (fate, name) = match dice.below(1000) {
            n if n < lost => (Fate::Lost, "message lost"),
            n if n < doubled => (Fate::Doubled, "message doubled"),
            n if n < late => (Fate::Late, "message late"),
            _ => return Fate::Arrives,
        };
        mark(name);
        fate
    }

    fn alter(&self, _: &Address, frames: &mut [u8]) {
        let (service, dice) = &mut *self.open();
        if service.altered == 0 || dice.below(1000) >= service.altered || frames.len() <= HEADER {
            return;
        }
        // The first frame's length stays: a wrong one would only make the listener wait for what never comes.
        let size = u32::from_le_bytes([frames[0], frames[1], frames[2], frames[3]]) as usize;
        let at = 4 + dice.below((HEADER - 4 + size).min(frames.len() - 4) as u64) as usize;
        frames[at] ^= 1 << dice.below(8);
        mark("frame altered");
    }
}
