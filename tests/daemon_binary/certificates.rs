//! Certificates as an administrator makes them.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::Path;

/// An authority that signs for nodes.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Authority {
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Authority(CertifiedIssuer::self_signed(parameters, key).expect("a certificate"))
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Writes a certificate for `name` and its key to `cert.pem` and `key.pem`.
    pub fn issue(&self, directory: &Path, name: &str) {
        let key = KeyPair::generate().expect("a key");
        let parameters = CertificateParams::new(vec![name.to_string()]).expect("a name");
        let certificate = parameters.signed_by(&key, &self.0).expect("a certificate");
        std::fs::write(directory.join("cert.pem"), certificate.pem()).expect("a file");
        std::fs::write(directory.join("key.pem"), key.serialize_pem()).expect("a file");
    }
}
