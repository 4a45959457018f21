//! Files that are locked while the process lives: the pid file and the data directory's lock.

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The name of the lock file in a data directory.
const DIR_LOCK: &str = "marmot.lock";

/// Why a lock was not taken. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{} is in use by process {holder}", path.display())]
    Held { path: PathBuf, holder: String },
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: std::io::Error },
}

/// A file that contains this process's id and is locked until this value is dropped. The kernel drops the lock of a
/// process that dies, so a file left behind by kill -9 is in nobody's way.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    lock: Flock<File>,
}

impl PidFile {
    /// Locks `path`, creating it, and writes the id of this process.
    pub fn lock(path: &Path) -> Result<PidFile, LockError> {
        let failed = |error: std::io::Error| LockError::Io { path: path.to_path_buf(), error };
        loop {
            let file =
                File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
            let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => lock,
                Err((mut file, Errno::EWOULDBLOCK)) => {
                    let mut holder = String::new();
                    // A holder that cannot be read is still a holder.
                    let _ = file.read_to_string(&mut holder);
                    let holder = if holder.trim().is_empty() { "(unknown)" } else { holder.trim() }.to_string();
                    return Err(LockError::Held { path: path.to_path_buf(), holder });
                }
                Err((_, error)) => return Err(failed(error.into())),
            };
            // Its holder may have removed the file between our open and our lock: then it is another file by now.
            if !same_file(&lock, path) {
                continue;
            }
            lock.set_len(0).map_err(failed)?;
            lock.rewind().map_err(failed)?;
            writeln!(lock, "{}", std::process::id()).map_err(failed)?;
            return Ok(PidFile { path: path.to_path_buf(), lock });
        }
    }
}

impl Drop for PidFile {
    /// Removes the file while it is still locked, so that nobody else's is removed.
    fn drop(&mut self) {
        if same_file(&self.lock, &self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn same_file(open: &File, path: &Path) -> bool {
    match (open.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// A data directory that belongs to this process alone: two nodes on the same files would destroy them.
#[derive(Debug)]
pub struct DirLock(#[allow(dead_code, reason = "held for its lock")] PidFile);

impl DirLock {
    /// Creates the directory if it is missing (readable by its owner only) and locks it.
    pub fn acquire(directory: &Path) -> Result<DirLock, LockError> {
        use std::os::unix::fs::DirBuilderExt;
        let created = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        created.map_err(|error| LockError::Io { path: directory.to_path_buf(), error })?;
        PidFile::lock(&directory.join(DIR_LOCK)).map(DirLock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_held_by_one_and_removed_at_the_end() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("m.pid");
        std::fs::write(&path, "999999999 left behind by a longer text\n").expect("writable");
        let first = PidFile::lock(&path).expect("nobody holds it");
        assert_eq!(std::fs::read_to_string(&path).expect("readable"), format!("{}\n", std::process::id()));
        let refused = PidFile::lock(&path).expect_err("it is held").to_string();
        assert!(refused.ends_with(&format!("m.pid is in use by process {}", std::process::id())), "{refused}");
        drop(first);
        assert!(!path.exists());
        PidFile::lock(&path).expect("free again");
    }

    #[test]
    fn a_replaced_pid_file_is_not_removed() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("m.pid");
        let first = PidFile::lock(&path).expect("nobody holds it");
        std::fs::remove_file(&path).expect("removable");
        let second = PidFile::lock(&path).expect("another file of the same name");
        drop(first);
        assert!(path.exists(), "the file of the second holder stays");
        drop(second);
    }

    #[test]
    fn a_data_directory_is_created_private_and_used_once() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data = dir.path().join("a/b");
        let lock = DirLock::acquire(&data).expect("free");
        assert_eq!(std::fs::metadata(&data).expect("created").mode() & 0o777, 0o700);
        assert!(matches!(DirLock::acquire(&data), Err(LockError::Held { .. })));
        drop(lock);
        DirLock::acquire(&data).expect("free again");
    }
}
