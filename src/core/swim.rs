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
    Down(NodeId),
}

/// foca with its timers.
pub struct Swim {
    foca: Foca<SwimId, PostcardCodec, StdRng, foca::NoCustomBroadcast>,
    timers: BTreeMap<(Mono, u64), Timer<SwimId>>,
    timer_count: u64,
}

#[derive(Default)]
struct Collected {
    events: VecDeque<SwimEvent>,
    timers: Vec<(Span, Timer<SwimId>)>,
}

impl Runtime<SwimId> for Collected {
    fn notify(&mut self, notification: Notification<'_, SwimId>) {
        match notification {
            Notification::MemberUp(id) => self.events.push_back(SwimEvent::Up(id.node, id.address.clone())),
            Notification::MemberDown(id) => self.events.push_back(SwimEvent::Down(id.node)),
            Notification::Rename(_, id) => self.events.push_back(SwimEvent::Up(id.node, id.address.clone())),
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
        config.periodic_announce_to_down_members = Some(PeriodicParams {
            frequency: timing.probe_interval.times(5).into(),
            num_members: NonZeroUsize::new(2).expect("two is not zero"),
        });
        let id = SwimId { node, address, generation };
        Swim {
            foca: Foca::new(id, config, StdRng::seed_from_u64(seed), PostcardCodec),
            timers: BTreeMap::new(),
            timer_count: 0,
        }
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
        self.timers.first_key_value().map(|((at, _), _)| *at)
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
        for (after, timer) in collected.timers {
            self.timer_count += 1;
            self.timers.insert((now.after(after), self.timer_count), timer);
        }
        collected.events
    }
}
