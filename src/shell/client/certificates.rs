//! Where the front's certificate comes from: files of the owner, or files made at the first start.

use super::tls::Tls;
use crate::shell::pem;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The files of a certificate chain and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    cert: PathBuf,
    key: PathBuf,
    /// The names of a certificate that is made if there is none; empty: none is made.
    names: Vec<String>,
}

impl Certificates {
    /// The owner's files.
    pub fn of(cert: &Path, key: &Path) -> Certificates {
        Certificates { cert: cert.to_path_buf(), key: key.to_path_buf(), names: Vec::new() }
    }

    /// Files in `directory`, named as MySQL names those it makes; made when they are not there, signed by themselves and for
    /// `names`. They encrypt; whoever wants to know who answers gives them to its clients as the authority (`--ssl-ca`).
    pub fn kept_in(directory: &Path, names: Vec<String>) -> Certificates {
        Certificates { cert: directory.join("server-cert.pem"), key: directory.join("server-key.pem"), names }
    }

    pub fn cert(&self) -> &Path {
        &self.cert
    }

    pub fn key(&self) -> &Path {
        &self.key
    }

    /// What the files hold now.
    ///
    /// # Errors
    /// A sentence: what is wrong with which file.
    pub fn load(&self) -> Result<Tls, String> {
        if !self.names.is_empty() && !self.cert.exists() {
            self.make()?;
        }
        let (chain, key) = pem::pair(&self.cert, &self.key)?;
        Tls::new(chain, key).map_err(|error| pem::unmatched(&self.cert, &self.key, &error))
    }

    /// Makes both. A key without its certificate is what a crash between the two left.
    fn make(&self) -> Result<(), String> {
        let made =
            rcgen::generate_simple_self_signed(self.names.clone()).map_err(|e| format!("no certificate: {e}"))?;
        write(&self.key, 0o600, &made.signing_key.serialize_pem())?;
        write(&self.cert, 0o644, &made.cert.pem())?;
        tracing::info!("made a certificate for clients: {}", self.cert.display());
        Ok(())
    }
}

/// Writes a file that is there wholly or not at all, and never readable by more than `mode` says.
fn write(path: &Path, mode: u32, text: &str) -> Result<(), String> {
    let beside = path.with_extension("new");
    let written = || -> std::io::Result<()> {
        if beside.exists() {
            std::fs::remove_file(&beside)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    written().map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn made_once_kept_and_the_key_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let kept = Certificates::kept_in(directory.path(), vec!["localhost".into()]);
        kept.load().unwrap();
        let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
        let (cert, key) = (read("server-cert.pem"), read("server-key.pem"));
        kept.load().unwrap();
        assert_eq!((read("server-cert.pem"), read("server-key.pem")), (cert.clone(), key));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(kept.key()), mode(kept.cert()) & 0o022), (0o600, 0));
        std::fs::remove_file(kept.cert()).unwrap();
        kept.load().unwrap();
        assert_ne!(read("server-cert.pem"), cert, "made anew");
        std::fs::remove_file(kept.key()).unwrap();
        assert!(kept.load().unwrap_err().contains("server-key.pem"), "a certificate that is there is not replaced");
    }

    #[test]
    fn what_is_wrong_with_the_owner_s_files_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (cert, key) = (file("cert", &made.cert.pem()), file("key", &made.signing_key.serialize_pem()));
        assert!(Certificates::of(&cert, &key).load().is_ok());
        let wrong = |cert: &Path, key: &Path| Certificates::of(cert, key).load().unwrap_err();
        assert!(wrong(&file("empty", ""), &key).contains("no certificate in it"));
        assert!(wrong(&cert, &file("text", "x")).contains("no private key in it"));
        assert!(wrong(&cert, &file("other", &other.signing_key.serialize_pem())).contains("do not work together"));
        assert!(wrong(&cert, &directory.path().join("nowhere")).contains("nowhere"));
    }
}
