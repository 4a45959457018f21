//! Keeps strangers from filling the log.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often the same thing is said.
const PERIOD: Duration = Duration::from_secs(60);
/// Things remembered; of more, nothing is said until some are forgotten.
const REMEMBERED: usize = 1024;

/// Lets the same thing (an error from one address) into the log once a minute.
pub struct LogLimit<K>(Mutex<HashMap<K, Said>>);

struct Said {
    at: Instant,
    since: u64,
}

impl<K: Eq + Hash> Default for LogLimit<K> {
    fn default() -> Self {
        LogLimit(Mutex::default())
    }
}

impl<K: Eq + Hash> LogLimit<K> {
    /// Whether to say it now; then, how often it happened unsaid since it was said last.
    pub fn admit(&self, what: K) -> Option<u64> {
        self.admit_at(what, Instant::now())
    }

    fn admit_at(&self, what: K, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = said.get_mut(&what) {
            if now.duration_since(before.at) < PERIOD {
                before.since += 1;
                return None;
            }
            let unsaid = before.since;
            *before = Said { at: now, since: 0 };
            return Some(unsaid);
        }
        if said.len() >= REMEMBERED {
            said.retain(|_, before| now.duration_since(before.at) < PERIOD);
            if said.len() >= REMEMBERED {
                return None;
            }
        }
        said.insert(what, Said { at: now, since: 0 });
        Some(0)
    }
}

#[cfg(all(test, not(madsim)))]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_a_minute_with_a_count() {
        let (limit, start) = (LogLimit::default(), Instant::now());
        let said = ["a", "a", "b", "a"].map(|what| limit.admit_at(what, start));
        assert_eq!(said, [Some(0), None, Some(0), None]);
        assert_eq!(["a", "a"].map(|what| limit.admit_at(what, start + PERIOD)), [Some(2), None]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (limit, start) = (LogLimit::default(), Instant::now());
        let said = (0..10_000).filter(|n| limit.admit_at(*n, start).is_some()).count();
        let remembered = || limit.0.lock().expect("no panic").len();
        assert_eq!((said, remembered()), (REMEMBERED, REMEMBERED));
        assert_eq!(limit.admit_at(20_000, start + PERIOD), Some(0));
        assert_eq!(remembered(), 1);
    }
}
