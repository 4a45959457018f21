//! What statements and signals ask of the doors that clients and nodes come through.

use super::client::{Certificates, Hosts, Tls};
use super::cluster_tls::ClusterTls;
use crate::session::Doors;
use std::sync::Arc;

/// The doors of this node.
pub struct Entrances {
    /// Where the certificate for clients is read from, and where it is shown; `None`: TLS is not offered.
    pub for_clients: Option<(Certificates, Tls)>,
    /// `None`: nodes speak without TLS.
    pub for_nodes: Option<Arc<ClusterTls>>,
    pub hosts: Arc<Hosts>,
}

impl Doors for Entrances {
    fn reload_tls(&self) -> Result<(), String> {
        let for_clients = self.for_clients.as_ref().map(|(files, shown)| Ok::<_, String>((files.load()?, shown)));
        let for_clients = for_clients.transpose()?;
        if let Some(tls) = &self.for_nodes {
            tls.reload()?;
        }
        // Everything could be read: from here on nothing fails.
        if let Some((new, shown)) = for_clients {
            shown.become_like(&new);
        }
        Ok(())
    }

    fn flush_hosts(&self) {
        self.hosts.flush();
    }
}
