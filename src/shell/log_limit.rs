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
        let now = Instant::now();
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

    #[tokio::test(start_paused = true)]
    async fn the_same_is_said_once_a_minute_with_a_count() {
        let limit = LogLimit::default();
        assert_eq!(
            [limit.admit("a"), limit.admit("a"), limit.admit("b"), limit.admit("a")],
            [Some(0), None, Some(0), None]
        );
        tokio::time::advance(PERIOD).await;
        assert_eq!([limit.admit("a"), limit.admit("a")], [Some(2), None]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded() {
        let limit = LogLimit::default();
        let said = (0..10_000).filter(|n| limit.admit(*n).is_some()).count();
        assert_eq!((said, limit.0.lock().expect("no panic").len()), (REMEMBERED, REMEMBERED));
        tokio::time::advance(PERIOD).await;
        assert_eq!(limit.admit(20_000), Some(0));
        assert_eq!(limit.0.lock().expect("no panic").len(), 1);
    }
}
