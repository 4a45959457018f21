//! Files of the server (manual, "secure_file_priv"): LOAD DATA INFILE, SELECT ... INTO OUTFILE and DUMPFILE, LOAD_FILE().
//!
//! All of them are below one directory, which the configuration names, after symbolic links are followed; without one
//! there are none. A name is absolute: MySQL's relative names begin in the data directory.

use crate::mysql::SqlError;
use crate::sql;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// What LOAD DATA takes of a file at most.
pub const MOST_BYTES: u64 = 256 << 20;

/// The only directory whose files statements may name.
#[derive(Clone, Debug, Default)]
pub struct Files(Option<PathBuf>);

impl Files {
    /// `directory`: the value of `secure_file_priv`, which has been resolved; none if it is no absolute path.
    pub fn below(directory: &str) -> Files {
        Files(Some(PathBuf::from(directory)).filter(|path| path.is_absolute()))
    }

    /// The whole of a file.
    ///
    /// # Errors
    /// 1290 outside of the directory, 13 if it is not there, 1085 if it is none to be read, 1153 if it is larger than `most`.
    pub fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, SqlError> {
        let missing = |e: &std::io::Error| SqlError::new(13, format!("Can't get stat of '{name}' ({})", os_error(e)));
        let path = self.resolved(Path::new(name))?.map_err(|e| missing(&e))?;
        let unreadable = |_| {
            let text = format!("The file '{name}' must be in the database directory or be readable by all");
            SqlError::new(1085, text)
        };
        // Asked before it is opened: a pipe would wait for a writer.
        if !std::fs::metadata(&path).map_err(|e| missing(&e))?.is_file() {
            return Err(unreadable(ErrorKind::InvalidInput.into()));
        }
        let file = File::open(&path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
        match bytes.len() as u64 > most {
            true => Err(SqlError::new(1153, "Got a file bigger than LOAD DATA takes")),
            false => Ok(bytes),
        }
    }

    /// A new file, for a statement to write.
    ///
    /// # Errors
    /// 1290 outside of the directory, 1086 if it is there, 1 if it cannot be made.
    pub fn create(&self, name: &str) -> Result<NewFile, SqlError> {
        let path = Path::new(name);
        let refused = |e: &std::io::Error| match e.kind() {
            ErrorKind::AlreadyExists => SqlError::new(1086, format!("File '{name}' already exists")),
            _ => SqlError::new(1, format!("Can't create/write to file '{name}' ({})", os_error(e))),
        };
        let (Some(folder), Some(last)) = (path.parent(), path.file_name()) else {
            return Err(sql::Error::secure_file_priv().into());
        };
        let path = self.resolved(folder)?.map_err(|e| refused(&e))?.join(last);
        let mut options = OpenOptions::new();
        // An existing name is refused whatever it is, a symbolic link too.
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
        let file = options.open(&path).map_err(|e| refused(&e))?;
        Ok(NewFile { name: name.to_string(), path, file, is_done: false })
    }

    /// Where a name leads; the inner error is why it leads nowhere.
    fn resolved(&self, path: &Path) -> Result<std::io::Result<PathBuf>, SqlError> {
        let refused = || SqlError::from(sql::Error::secure_file_priv());
        let directory = self.0.as_deref().filter(|_| path.is_absolute()).ok_or_else(refused)?;
        let resolved = match path.canonicalize() {
            Ok(resolved) => resolved,
            // Nobody learns what is missing elsewhere.
            Err(error) => {
                let known = path.ancestors().skip(1).find_map(|p| p.canonicalize().ok()).unwrap_or_default();
                return if known.starts_with(directory) { Ok(Err(error)) } else { Err(refused()) };
            }
        };
        if resolved.starts_with(directory) { Ok(Ok(resolved)) } else { Err(refused()) }
    }
}

fn os_error(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => format!("OS errno {number} - {}", error.kind()),
        None => error.to_string(),
    }
}

/// A file that is being written. It goes again unless it is finished.
pub struct NewFile {
    name: String,
    path: PathBuf,
    file: File,
    is_done: bool,
}

impl NewFile {
    /// # Errors
    /// 3 if it cannot be written, for instance because the disk is full.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), SqlError> {
        let written = self.file.write_all(bytes);
        written.map_err(|e| SqlError::new(3, format!("Error writing file '{}' ({})", self.name, os_error(&e))))
    }

    /// It is whole.
    pub fn finish(mut self) {
        self.is_done = true;
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_done {
            // Nothing more can be done about a file that cannot be removed.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
