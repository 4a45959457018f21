//! Certificates, and randomness from the same library.

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

/// What the front shows to clients that ask for TLS (1.2 or 1.3).
#[derive(Clone)]
pub struct Tls {
    pub(super) acceptor: TlsAcceptor,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

impl Tls {
    /// A certificate chain (leaf first) and its private key, as the text of two PEM files. The error says what is wrong.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Tls, String> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|e| format!("the certificate file is not PEM: {e}"))?;
        if chain.is_empty() {
            return Err("the certificate file holds no certificate".into());
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| format!("no private key in the key file: {e}"))?;
        Tls::new(chain, key)
    }

    /// A certificate signed by itself, made now, for these names. It encrypts; it proves nothing about who we are.
    pub fn self_signed(names: &[String]) -> Result<Tls, String> {
        let made = rcgen::generate_simple_self_signed(names).map_err(|e| format!("no certificate made: {e}"))?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
        Tls::new(vec![made.cert.der().clone()], key)
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Tls, String> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|e| format!("certificate and key do not work together: {e}"))?;
        Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)) })
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
    fn certificates_from_files_are_checked() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        assert!(Tls::from_pem(chain.as_bytes(), key.as_bytes()).is_ok());
        assert!(Tls::from_pem(b"", key.as_bytes()).unwrap_err().contains("no certificate"));
        assert!(Tls::from_pem(chain.as_bytes(), b"x").unwrap_err().contains("no private key"));
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = other.signing_key.serialize_pem();
        assert!(Tls::from_pem(chain.as_bytes(), other.as_bytes()).unwrap_err().contains("do not work together"));
    }

    #[test]
    fn secrets_differ() {
        assert_ne!(secret().unwrap(), secret().unwrap());
    }
}
