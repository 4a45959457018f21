//! Who is alive: SWIM (Das et al. 2002, with Lifeguard's suspicion) by the crate foca, itself sans-IO.
//!
//! This wrapper gives foca its timers, seeded randomness and an identity that knows the node behind an address.

use super::config::Timing;
use super::effect::Address;
use crate::types::{Mono, NodeId, Span};
use foca::{Config as FocaConfig, Foca, Identity, Notification, PeriodicParams, PostcardCodec, Runtime, Timer};
use rand::{SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::num::{NonZeroU8, NonZeroUsize};

/// A member as SWIM names it. The generation rises with every life of the process, so that a restarted node is not
/// mistaken for its dead former self.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SwimId {
    pub node: NodeId,
    pub address: Address,
    pub generation: u64,
}

impl Identity for SwimId {
    type Addr = Address;
    fn renew(&self) -> Option<SwimId> {
        Some(SwimId { generation: self.generation + 1, ..self.clone() })
    }
    fn addr(&self) -> Address {
        self.address.clone()
    }
    fn win_addr_conflict(&self, other: &SwimId) -> bool {
        self.generation > other.generation
    }
}

/// What SWIM wants done or known.
#[derive(Clone, Debug, PartialEq)]
pub enum SwimEvent {
    Send { to: SwimId, data: Vec<u8> },
    Up(NodeId, Address),
    Down(NodeId, Address),
}

/// foca with its timers.
pub struct Swim {
    foca: Foca<SwimId, PostcardCodec, StdRng, foca::NoCustomBroadcast>,
    timers: BTreeMap<(Mono, u64), Timer<SwimId>>,
    timer_count: u64,
    /// When voters that foca does not know alive are spoken to again, and how often.
    next_introduction: Mono,
    introduce_every: Span,
}

#[derive(Default)]
struct Collected {
    events: VecDeque<SwimEvent>,
    timers: Vec<(Span, Timer<SwimId>)>,
    /// This node learned that it was taken for dead, and goes by a new identity that nobody knows yet.
    renewed: bool,
}

impl Runtime<SwimId> for Collected {
    fn notify(&mut self, notification: Notification<'_, SwimId>) {
        match notification {
            Notification::MemberUp(id) => self.events.push_back(SwimEvent::Up(id.node, id.address.clone())),
            Notification::MemberDown(id) => self.events.push_back(SwimEvent::Down(id.node, id.address.clone())),
            Notification::Rename(_, id) => self.events.push_back(SwimEvent::Up(id.node, id.address.clone())),
            Notification::Rejoin(_) => self.renewed = true,
            _ => {}
        }
    }
    fn send_to(&mut self, to: SwimId, data: &[u8]) {
        self.events.push_back(SwimEvent::Send { to, data: data.to_vec() });
    }
    fn submit_after(&mut self, event: Timer<SwimId>, after: std::time::Duration) {
        self.timers.push((after.into(), event));
    }
}

impl Swim {
    /// A member that knows nobody yet.
    pub fn new(node: NodeId, address: Address, generation: u64, timing: &Timing, seed: u64) -> Swim {
        let mut config = FocaConfig::simple();
        config.probe_period = timing.probe_interval.into();
        config.probe_rtt = Span(timing.probe_interval.0 / 3).into();
        config.num_indirect_probes = NonZeroUsize::new(3).expect("three is not zero");
        config.max_transmissions = NonZeroU8::new(6).expect("six is not zero");
        config.suspect_to_down_after = timing.suspect_after.into();
        config.remove_down_after = Some(timing.suspect_after.times(20).into());
        config.notify_down_members = true;
        config.periodic_announce = Some(PeriodicParams {
            frequency: timing.probe_interval.times(10).into(),
            num_members: NonZeroUsize::new(1).expect("one is not zero"),
        });
        let id = SwimId { node, address, generation };
        Swim {
            foca: Foca::new(id, config, StdRng::seed_from_u64(seed), PostcardCodec),
            timers: BTreeMap::new(),
            timer_count: 0,
            next_introduction: Mono(0),
            introduce_every: timing.probe_interval,
        }
    }

    /// Introduces this node again to those of `members` that are not known alive, when that is due. foca does so by
    /// itself only while it knows anybody, and only for a while: cut off for long, all would remain dead to each other.
    pub fn reintroduce(&mut self, now: Mono, members: impl Iterator<Item = (NodeId, Address)>) -> VecDeque<SwimEvent> {
        let mut events = VecDeque::new();
        if self.next_introduction > now {
            return events;
        }
        self.next_introduction = now.after(self.introduce_every);
        for (node, address) in members {
            if !self.foca.iter_members().any(|m| m.id().node == node) {
                events.append(&mut self.announce(now, address));
            }
        }
        events
    }

    /// Introduces this node to whoever listens at `address`. The node number there is not known and not compared.
    pub fn announce(&mut self, now: Mono, address: Address) -> VecDeque<SwimEvent> {
        let seed = SwimId { node: NodeId(0), address, generation: 0 };
        self.run(now, |foca, collected| foca.announce(seed, collected))
    }

    /// A datagram from a peer. Malformed ones are ignored: SWIM survives loss.
    pub fn receive(&mut self, now: Mono, data: &[u8]) -> VecDeque<SwimEvent> {
        self.run(now, |foca, collected| foca.handle_data(data, collected))
    }

    /// Fires what is due. Late, early and repeated calls are harmless.
    pub fn tick(&mut self, now: Mono) -> VecDeque<SwimEvent> {
        let mut events = VecDeque::new();
        while let Some(entry) = self.timers.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let timer = entry.remove();
            events.append(&mut self.run(now, |foca, collected| foca.handle_timer(timer, collected)));
        }
        events
    }

    /// Tells peers that this node leaves.
    pub fn leave(&mut self, now: Mono) -> VecDeque<SwimEvent> {
        self.run(now, |foca, collected| foca.leave_cluster(collected))
    }

    pub fn next_deadline(&self) -> Option<Mono> {
        let timer = self.timers.first_key_value().map(|((at, _), _)| *at);
        timer.into_iter().chain([self.next_introduction]).min()
    }

    fn run(
        &mut self,
        now: Mono,
        call: impl FnOnce(
            &mut Foca<SwimId, PostcardCodec, StdRng, foca::NoCustomBroadcast>,
            &mut Collected,
        ) -> Result<(), foca::Error>,
    ) -> VecDeque<SwimEvent> {
        let mut collected = Collected::default();
        // An error means malformed or stale input from a peer; foca's own state is unchanged by it.
        if let Err(error) = call(&mut self.foca, &mut collected) {
            tracing::trace!(%error, "swim input ignored");
        }
        if collected.renewed {
            self.next_introduction = now;
        }
        for (after, timer) in collected.timers {
            self.timer_count += 1;
            self.timers.insert((now.after(after), self.timer_count), timer);
        }
        collected.events
    }
}
