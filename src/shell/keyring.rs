//! The secrets that a node goes by. They can be replaced while it runs.
//!
//! A node proves itself with the current secret and takes proofs by the current one and by the previous one, if one is
//! configured. Where its own proof is refused it tries the previous one, for the other node's turn may not have come. So the
//! nodes of a cluster get a new secret one after the other, and lose the old one one after the other.

use super::frame::{ClusterKey, FrameError};
use crate::config::Cluster;
use crate::sqlite::HostPlanted;
use std::sync::Arc;
use tokio::sync::watch;

/// Clones share it.
#[derive(Clone)]
pub struct Keyring {
    keys: Arc<watch::Sender<Keys>>,
    planted: HostPlanted,
}

#[derive(Clone)]
struct Keys {
    current: ClusterKey,
    previous: Option<ClusterKey>,
}

impl Keys {
    fn of(cluster: &Cluster) -> Keys {
        let key = |secret: &crate::config::Secret| ClusterKey::new(secret.expose().as_bytes());
        let previous = Some(&cluster.secret_previous).filter(|secret| !secret.is_empty());
        Keys { current: key(&cluster.secret), previous: previous.map(key) }
    }

    fn take(&self, key: &ClusterKey) -> bool {
        self.current == *key || self.previous.as_ref() == Some(key)
    }
}

impl Keyring {
    pub fn of(cluster: &Cluster) -> Keyring {
        Keyring { keys: Arc::new(watch::Sender::new(Keys::of(cluster))), planted: HostPlanted::none() }
    }

    /// The same with a rule broken, for the proof that it is seen.
    pub fn plant(self, planted: HostPlanted) -> Keyring {
        Keyring { planted, ..self }
    }

    /// From now on the secrets of `cluster` count, also for connections that stand.
    pub fn replace(&self, cluster: &Cluster) {
        self.keys.send_replace(Keys::of(cluster));
    }

    /// The current secret and, if there is one, the previous: proofs are taken by either.
    pub fn taken(&self) -> (ClusterKey, Option<ClusterKey>) {
        let Keys { current, previous } = self.keys.borrow().clone();
        (current.plant(self.planted), previous.map(|key| key.plant(self.planted)))
    }

    /// Whether this is what the node proves itself with.
    pub fn is_current(&self, key: &ClusterKey) -> bool {
        self.keys.borrow().current == *key
    }

    /// Ends when this is no more what the node proves itself with.
    pub async fn replaced(&self, key: &ClusterKey) {
        self.until(|keys| keys.current != *key).await;
    }

    /// Ends when proofs by this are taken no more.
    pub async fn retired(&self, key: &ClusterKey) {
        self.until(|keys| !keys.take(key)).await;
    }

    /// Does the work of a connection that this has proven, for as long as proofs by it are taken.
    ///
    /// # Errors
    /// What the work says, or that they are taken no more: it was given up.
    pub async fn while_taken<T>(
        &self,
        key: &ClusterKey,
        work: impl Future<Output = Result<T, FrameError>>,
    ) -> Result<T, FrameError> {
        tokio::select! {
            biased;
            () = self.retired(key) => Err(FrameError::RetiredSecret),
            done = work => done,
        }
    }

    async fn until(&self, condition: impl FnMut(&Keys) -> bool) {
        let mut keys = self.keys.subscribe();
        // The sender is in `self`.
        if keys.wait_for(condition).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(all(test, not(madsim)))]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn cluster(secret: &str, previous: &str) -> Cluster {
        Cluster { secret: Secret::new(secret), secret_previous: Secret::new(previous), ..Cluster::default() }
    }

    #[test]
    fn a_secret_comes_in_and_goes_out_in_two_steps() {
        let key = |secret: &str| ClusterKey::new(secret.as_bytes());
        let ring = Keyring::of(&cluster("old", ""));
        assert!(ring.taken() == (key("old"), None) && ring.is_current(&key("old")));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        ring.replace(&cluster("new", "old"));
        assert!(ring.taken() == (key("new"), Some(key("old"))) && !ring.is_current(&key("old")));
        runtime.block_on(ring.replaced(&key("old")));
        ring.replace(&cluster("new", ""));
        assert!(ring.taken() == (key("new"), None));
        let endless = std::future::pending::<Result<(), FrameError>>();
        let ended = runtime.block_on(ring.while_taken(&key("old"), endless));
        assert!(matches!(ended, Err(FrameError::RetiredSecret)));
    }
}
