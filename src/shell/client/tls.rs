//! Certificates, and randomness from the same library.

use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

/// What the front shows to clients that ask for TLS (1.2 or 1.3). Clones share it.
#[derive(Clone)]
pub struct Tls {
    current: Arc<RwLock<TlsAcceptor>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

impl Tls {
    /// A certificate signed by itself, made now, for these names. It encrypts; it proves nothing about who we are.
    pub fn self_signed(names: &[String]) -> Result<Tls, String> {
        let made = rcgen::generate_simple_self_signed(names).map_err(|e| format!("no certificate made: {e}"))?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
        Tls::new(vec![made.cert.der().clone()], key)
    }

    /// A certificate chain, leaf first, and its private key.
    ///
    /// # Errors
    /// They are not of each other.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Tls, String> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|e| e.to_string())?;
        Ok(Tls { current: Arc::new(RwLock::new(TlsAcceptor::from(Arc::new(config)))) })
    }

    /// Shows from now on what `other` shows. Connections that stand go on as they are.
    pub fn become_like(&self, other: &Tls) {
        let new = other.acceptor();
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Bytes nobody can guess, from the operating system.
pub(super) fn secret() -> io::Result<[u8; 32]> {
    let mut secret = [0; 32];
    ring::default_provider().secure_random.fill(&mut secret).map_err(|_| io::Error::other("no randomness"))?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ() {
        assert_ne!(secret().unwrap(), secret().unwrap());
    }
}
