//! A room for so many connections, where those wait that have not proven anything yet, and those stay that nodes have dialled.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Holds so many connections at most: when one more comes, the oldest of the address that has most of them must go. So a
/// flood of half-open connections crowds out itself, and whoever comes from elsewhere, or is quick, gets in.
pub struct Antechamber {
    limit: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    last: u64,
    /// In the order they came. A dropped sender sends its visitor away.
    visitors: BTreeMap<u64, (IpAddr, oneshot::Sender<()>)>,
}

/// A connection within, until this is dropped.
pub struct Visit {
    number: u64,
    room: Arc<Antechamber>,
    sent_away: oneshot::Receiver<()>,
}

impl Antechamber {
    /// `limit` is at least 1.
    pub fn new(limit: usize) -> Arc<Antechamber> {
        Arc::new(Antechamber { limit, waiting: Mutex::default() })
    }

    /// Somebody comes from `address`; sends another away if there is no room.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Visit {
        let mut waiting = self.lock();
        if waiting.visitors.len() >= self.limit
            && let Some(oldest) = waiting.least_welcome()
        {
            waiting.visitors.remove(&oldest);
        }
        waiting.last += 1;
        let number = waiting.last;
        let (stay, sent_away) = oneshot::channel();
        waiting.visitors.insert(number, (address, stay));
        Visit { number, room: self.clone(), sent_away }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// The oldest visitor of the address that has most; of equals, the one that waits longest.
    fn least_welcome(&self) -> Option<u64> {
        let mut of: BTreeMap<IpAddr, (usize, u64)> = BTreeMap::new();
        for (number, (address, _)) in &self.visitors {
            of.entry(*address).or_insert((0, *number)).0 += 1;
        }
        of.into_values().max_by_key(|(count, oldest)| (*count, std::cmp::Reverse(*oldest))).map(|(_, oldest)| oldest)
    }
}

impl Visit {
    /// Ends when this connection must make room. Cancel safe.
    pub async fn sent_away(&mut self) {
        // Nothing is ever sent: the sender goes.
        let _ = (&mut self.sent_away).await;
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.room.lock().visitors.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn must_go(visit: &mut Visit) -> bool {
        visit.sent_away.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn a_flood_crowds_out_itself() {
        let room = Antechamber::new(4);
        let mut first = room.enter(address(1));
        let mut flood: Vec<Visit> = (0..50).map(|_| room.enter(address(2))).collect();
        let mut second = room.enter(address(3));
        assert!(!must_go(&mut first) && !must_go(&mut second));
        let left: Vec<usize> =
            flood.iter_mut().map(must_go).enumerate().filter(|(_, gone)| !gone).map(|(i, _)| i).collect();
        assert_eq!(left, [48, 49], "the oldest go first");
    }

    #[test]
    fn whoever_leaves_makes_room() {
        let room = Antechamber::new(2);
        let mut first = room.enter(address(1));
        drop(room.enter(address(2)));
        drop(room.enter(address(3)));
        let mut second = room.enter(address(4));
        assert!(!must_go(&mut first) && !must_go(&mut second));
        let _third = room.enter(address(5));
        assert!(must_go(&mut first), "of equals the one that waits longest");
        assert!(!must_go(&mut second));
    }
}
