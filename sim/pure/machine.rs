//! One machine: a node, its disk, its files, its clock and the inputs waiting for it.

use super::clock::Clock;
use super::disk::Disk;
use super::fault::CrashPoint;
use super::files::Files;
use super::leaver::Leaver;
use marmot::core::{Address, Effects, Input, Node};
use marmot::types::{Hlc, NodeId, Snapshot};
use std::collections::VecDeque;

/// Whether a machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A spare that was never switched on.
    Unborn,
    Up,
    /// Crashed; comes back.
    Down,
    /// Gone for good: its disk is lost, or it was removed and switched off.
    Gone,
}

/// One machine of the simulated cluster.
pub struct Machine {
    pub id: NodeId,
    pub address: Address,
    pub state: State,
    pub node: Option<Node>,
    pub disk: Disk,
    pub files: Files,
    pub clock: Clock,
    /// Counts starts; events of an earlier life are ignored.
    pub life: u32,
    pub inbox: VecDeque<Input>,
    /// Effects of the round that is being made durable.
    pub effects: Effects,
    pub in_round: bool,
    /// Until when rounds are held at most: written, not durable, and nobody waits for their effects.
    pub held_until: Option<u64>,
    /// Until when the process stands still.
    pub paused_until: u64,
    /// Disk and applier are this many times slower, until then.
    pub slow: (u64, u64),
    /// World time of the earliest scheduled wake-up.
    pub wake_at: u64,
    /// When it woke last, and how often in that millisecond.
    pub woken: u64,
    pub wakes: u32,
    pub crash_at: Option<(CrashPoint, u64)>,
    /// The watermark as published by the node.
    pub watermark: Hlc,
    /// The highest clock this node ever sent, over all its lives.
    pub clock_sent: Hlc,
    /// How many of the acknowledged commits are known to be in the files.
    pub covered: usize,
    /// Snapshots of open transactions, by client.
    pub open: Vec<(usize, Snapshot)>,
    pub told_oldest: Option<Snapshot>,
    /// No log reaches back to what it lacks: it comes back with a snapshot.
    pub lags: bool,
    /// Removed from the member list, as far as the operator knows.
    pub removed: bool,
    /// It is to go for good.
    pub leaver: Option<Leaver>,
    /// It went, and others have all that it had.
    pub left: bool,
    pub longest_inbox: usize,
    pub rounds: u64,
}

impl Machine {
    pub fn new(index: usize, disk: Disk, files: Files, clock: Clock) -> Machine {
        Machine {
            id: NodeId(index as u64 + 1),
            address: address(index),
            state: State::Unborn,
            node: None,
            disk,
            files,
            clock,
            life: 0,
            inbox: VecDeque::new(),
            effects: Effects::new(),
            in_round: false,
            held_until: None,
            paused_until: 0,
            slow: (1, 0),
            wake_at: u64::MAX,
            woken: 0,
            wakes: 0,
            crash_at: None,
            watermark: Hlc::ZERO,
            clock_sent: Hlc::ZERO,
            covered: 0,
            open: Vec::new(),
            told_oldest: None,
            lags: false,
            removed: false,
            leaver: None,
            left: false,
            longest_inbox: 0,
            rounds: 0,
        }
    }

    pub fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// Whether this machine belongs to what must converge.
    pub fn counts(&self) -> bool {
        self.is_up() && !self.removed
    }

    /// Whether clients find it.
    pub fn takes_clients(&self) -> bool {
        self.counts() && self.leaver.is_none()
    }

    pub fn slowness(&self, world: u64) -> u64 {
        if world < self.slow.1 { self.slow.0 } else { 1 }
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot { seq: self.files.applied(), watermark: self.watermark }
    }

    /// The oldest snapshot an open transaction needs, if it is another than last told.
    pub fn oldest_moved(&mut self) -> Option<Option<Snapshot>> {
        let oldest = self.open.iter().map(|(_, s)| *s).min_by_key(|s| (s.seq, s.watermark));
        if oldest == self.told_oldest {
            return None;
        }
        self.told_oldest = oldest;
        Some(oldest)
    }
}

/// The cluster address of a machine.
pub fn address(index: usize) -> Address {
    format!("m{index}:1").into()
}

/// The machine at an address.
pub fn at_address(address: &str) -> Option<usize> {
    address.strip_prefix('m')?.strip_suffix(":1")?.parse().ok()
}
