//! The clocks of the machine. Under madsim both are the simulator's; a skew per node comes on top.

use crate::session::Clock;
use crate::types::{Mono, Now, Span, Wall};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::time::Instant;

/// Reads both clocks of this process.
#[derive(Clone, Debug)]
pub struct SystemClock {
    started: Instant,
    /// Milliseconds added to the wall clock: how a simulation makes clocks disagree. Zero in a daemon.
    skew_ms: Arc<AtomicI64>,
}

impl SystemClock {
    /// Monotonic time starts now.
    pub fn start() -> SystemClock {
        SystemClock::with_skew(Arc::default())
    }

    /// As [`SystemClock::start`], with a wall clock that is off by `skew_ms`.
    pub fn with_skew(skew_ms: Arc<AtomicI64>) -> SystemClock {
        SystemClock { started: Instant::now(), skew_ms }
    }

    /// The instant at which monotonic time will be `at`.
    pub fn instant(&self, at: Mono) -> Instant {
        self.started + std::time::Duration::from_nanos(at.0)
    }

    pub fn now(&self) -> Now {
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let wall = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        let wall = Wall(wall.saturating_add_signed(self.skew_ms.load(Ordering::Relaxed)));
        let mono = Mono(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX));
        Now { mono, wall }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        SystemClock::now(self)
    }

    fn sleep(&self, span: Span) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(span.into()))
    }
}
