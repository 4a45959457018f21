//! Addresses whose logins break off again and again: MySQL's `max_connect_errors`, but for a minute instead of for ever, so
//! that a health check that only knocks is not locked out until somebody notices.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long broken logins are counted, and then held against their address.
const MINUTE: Duration = Duration::from_secs(60);
/// Addresses remembered; of more, nothing is held against any.
const REMEMBERED: usize = 4096;

/// Broken logins by address.
#[derive(Default)]
pub struct Hosts(Mutex<HashMap<IpAddr, Broken>>);

struct Broken {
    since: Instant,
    logins: u64,
}

impl Broken {
    fn counts(&self, now: Instant) -> bool {
        now.duration_since(self.since) < MINUTE
    }
}

impl Hosts {
    /// Whether `address` has broken off `limit` logins or more within the minute.
    pub fn is_blocked(&self, address: IpAddr, limit: u64, now: Instant) -> bool {
        self.lock().get(&address).is_some_and(|broken| broken.counts(now) && broken.logins >= limit)
    }

    /// A login of `address` broke off. The loopback addresses are never blocked, as in MySQL.
    pub fn broke_off(&self, address: IpAddr, now: Instant) {
        if address == Ipv4Addr::LOCALHOST || address == Ipv6Addr::LOCALHOST {
            return;
        }
        let mut hosts = self.lock();
        if let Some(broken) = hosts.get_mut(&address).filter(|broken| broken.counts(now)) {
            broken.logins += 1;
            return;
        }
        if hosts.len() >= REMEMBERED {
            hosts.retain(|_, broken| broken.counts(now));
        }
        if hosts.len() < REMEMBERED {
            hosts.insert(address, Broken { since: now, logins: 1 });
        }
    }

    /// A login of `address` succeeded.
    pub fn logged_in(&self, address: IpAddr) {
        self.lock().remove(&address);
    }

    /// Forgets everything (`FLUSH HOSTS`).
    pub fn flush(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Broken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(madsim)))]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_blocked_for_the_rest_of_the_minute() {
        let (hosts, address, other) = (Hosts::default(), [10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let start = Instant::now();
        hosts.broke_off(address, start);
        hosts.broke_off(other, start);
        assert!(!hosts.is_blocked(address, 2, start));
        let late = start + Duration::from_secs(59);
        hosts.broke_off(address, late);
        assert!(hosts.is_blocked(address, 2, late) && !hosts.is_blocked(other, 2, late));
        let over = start + MINUTE;
        assert!(!hosts.is_blocked(address, 2, over));
        hosts.broke_off(address, over);
        assert!(!hosts.is_blocked(address, 2, over), "counted anew");
    }

    #[test]
    fn success_and_flush_forget() {
        let (hosts, address, now) = (Hosts::default(), [10, 0, 0, 1].into(), Instant::now());
        for forget in [&|| hosts.logged_in(address), &|| hosts.flush()] as [&dyn Fn(); 2] {
            hosts.broke_off(address, now);
            assert!(hosts.is_blocked(address, 1, now));
            forget();
            assert!(!hosts.is_blocked(address, 1, now));
        }
        hosts.broke_off(Ipv4Addr::LOCALHOST.into(), now);
        assert!(!hosts.is_blocked(Ipv4Addr::LOCALHOST.into(), 1, now));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (hosts, start) = (Hosts::default(), Instant::now());
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        (0..10_000).for_each(|n| hosts.broke_off(address(n), start));
        assert_eq!(hosts.lock().len(), REMEMBERED);
        hosts.broke_off(address(20_000), start + MINUTE);
        assert_eq!(hosts.lock().len(), 1, "what no longer counts makes room");
    }
}
