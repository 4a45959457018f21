//! Certificates and keys in PEM files, with errors that name the file.

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt::Display;
use std::path::Path;

/// A certificate chain, leaf first, and its private key. The error is a sentence.
pub fn pair(cert: &Path, key: &Path) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = certificates(cert)?;
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?);
    Ok((chain, secret.map_err(|e| format!("{}: no private key in it: {e}", key.display()))?))
}

/// The certificates of a file, at least one. The error is a sentence.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(format!("{}: no certificate in it", path.display())),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("{}: not PEM: {error}", path.display())),
    }
}

/// The sentence for a certificate and a key that are not of each other.
pub fn unmatched(cert: &Path, key: &Path, error: &dyn Display) -> String {
    format!("{} and {} do not work together: {error}", cert.display(), key.display())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}
