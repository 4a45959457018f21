//! The session's end of the core: requests go through a bounded channel, what the node publishes is read from atomics.

use crate::core::{Refusal, Request, Response};
use crate::types::{ApplySeq, ClientId, Hlc, Snapshot};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// One thing a session wants from the driver.
#[derive(Debug)]
pub enum CoreCall {
    /// Step the core with the request and hand its response to `reply`. A dropped receiver means that the session is
    /// gone; the response is then dropped too.
    Request { client: ClientId, request: Request, reply: oneshot::Sender<Response> },
    /// The session ended: `Input::ClientGone`.
    Gone(ClientId),
}

/// What the node publishes to readers outside the core, and which snapshots they hold open. One per node.
///
/// **Invariants**: the numbers only rise; a snapshot is registered under the same lock under which its numbers were
/// read, so that [`Published::oldest`] never misses one that is older than what it returns.
#[derive(Debug, Default)]
pub struct Published {
    applied: AtomicU64,
    watermark: AtomicU64,
    version: AtomicU8,
    /// How many transactions hold each snapshot, as `(seq, watermark)`.
    open: Mutex<BTreeMap<(ApplySeq, Hlc), usize>>,
}

impl Published {
    pub fn new() -> Arc<Published> {
        Arc::default()
    }

    /// The driver: everything up to `seq` is visible in the database files.
    pub fn set_applied(&self, seq: ApplySeq) {
        self.applied.fetch_max(seq, Ordering::AcqRel);
    }

    /// The driver: the stable watermark rose.
    pub fn set_watermark(&self, watermark: Hlc) {
        self.watermark.fetch_max(watermark.0, Ordering::AcqRel);
    }

    /// The driver: the cluster speaks `version`, and the node's own files say so.
    pub fn set_version(&self, version: u8) {
        self.version.fetch_max(version, Ordering::AcqRel);
    }

    /// The version that every member understands; 0: not known yet.
    pub fn version(&self) -> u8 {
        self.version.load(Ordering::Acquire)
    }

    pub fn applied(&self) -> ApplySeq {
        self.applied.load(Ordering::Acquire)
    }

    pub fn watermark(&self) -> Hlc {
        Hlc(self.watermark.load(Ordering::Acquire))
    }

    /// The oldest snapshot an open transaction still needs, for `Input::OldestSnapshot`.
    pub fn oldest(&self) -> Option<Snapshot> {
        self.lock().first_key_value().map(|((seq, watermark), _)| Snapshot { seq: *seq, watermark: *watermark })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(ApplySeq, Hlc), usize>> {
        // A panic elsewhere cannot leave the map half changed: every change is one call.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A registered snapshot; dropping it says that nobody needs it any more.
#[derive(Debug)]
pub struct OpenSnapshot {
    snapshot: Snapshot,
    published: Arc<Published>,
}

impl OpenSnapshot {
    pub fn get(&self) -> Snapshot {
        self.snapshot
    }
}

impl Drop for OpenSnapshot {
    fn drop(&mut self) {
        let mut open = self.published.lock();
        let key = (self.snapshot.seq, self.snapshot.watermark);
        if let Some(count) = open.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&key);
            }
        }
    }
}

/// How a session reaches the core of its node. One clone per session, numbered by [`CoreHandle::for_client`].
#[derive(Clone, Debug)]
pub struct CoreHandle {
    client: ClientId,
    calls: mpsc::Sender<CoreCall>,
    published: Arc<Published>,
}

impl CoreHandle {
    /// A handle whose calls arrive at `calls`. The channel's bound is the number of requests that may wait for the
    /// driver; at the bound, sessions wait.
    pub fn new(calls: mpsc::Sender<CoreCall>, published: Arc<Published>) -> CoreHandle {
        CoreHandle { client: ClientId::default(), calls, published }
    }

    /// The handle of another client of the same node.
    pub fn for_client(&self, client: ClientId) -> CoreHandle {
        CoreHandle { client, ..self.clone() }
    }

    pub fn client(&self) -> ClientId {
        self.client
    }

    /// Requests that wait for the driver now.
    pub fn waiting(&self) -> usize {
        self.calls.max_capacity() - self.calls.capacity()
    }

    /// Asks and waits for the answer.
    ///
    /// A driver that is gone before it took the request answers `Refused(ShuttingDown)`: nothing happened. One that
    /// took it and vanished without an answer gives `None`: whatever was asked may have happened.
    pub async fn request(&self, request: Request) -> Option<Response> {
        let (reply, answer) = oneshot::channel();
        let call = CoreCall::Request { client: self.client, request, reply };
        if self.calls.send(call).await.is_err() {
            return Some(Response::Refused(Refusal::ShuttingDown));
        }
        answer.await.ok()
    }

    /// Tells the core that this client is gone. Best effort: when the queue is full, the core's own time-outs end
    /// what the client left behind.
    pub fn gone(&self) {
        let _ = self.calls.try_send(CoreCall::Gone(self.client));
    }

    /// Takes and registers the snapshot a transaction is about to read from: call it *before* pinning the file.
    pub fn open_snapshot(&self) -> OpenSnapshot {
        let mut open = self.published.lock();
        let snapshot = Snapshot { seq: self.published.applied(), watermark: self.published.watermark() };
        *open.entry((snapshot.seq, snapshot.watermark)).or_default() += 1;
        drop(open);
        OpenSnapshot { snapshot, published: self.published.clone() }
    }

    pub fn published(&self) -> &Arc<Published> {
        &self.published
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_open_snapshot_is_known_until_it_is_dropped() {
        let (calls, _driver) = mpsc::channel(1);
        let published = Published::new();
        let handle = CoreHandle::new(calls, published.clone());
        published.set_applied(3);
        let old = handle.open_snapshot();
        let same = handle.open_snapshot();
        published.set_applied(7);
        published.set_watermark(Hlc(9));
        published.set_applied(5);
        let young = handle.open_snapshot();
        assert_eq!(young.get(), Snapshot { seq: 7, watermark: Hlc(9) });
        drop(old);
        assert_eq!(published.oldest(), Some(same.get()));
        drop(same);
        assert_eq!(published.oldest(), Some(young.get()));
        drop(young);
        assert_eq!(published.oldest(), None);
    }
}
