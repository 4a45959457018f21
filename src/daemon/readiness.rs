//! Telling whoever started this process that it is ready.

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::os::fd::AsFd;

const READY: &str = "ready ";
const FAILED: &str = "failed ";

/// The duty to say, once, whether the server came up. Dropped without a word, a waiting parent learns that too.
#[derive(Debug)]
pub struct Readiness {
    /// The pipe to the parent; `None` in the foreground.
    parent: Option<File>,
}

impl Readiness {
    /// Nobody waits: the log says enough.
    pub fn foreground() -> Readiness {
        Readiness { parent: None }
    }

    /// A parent reads this process's standard output. From now on other output goes nowhere, so that a library that
    /// prints cannot be taken for an answer.
    pub fn to_parent() -> io::Result<Readiness> {
        let parent = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let nowhere = File::options().write(true).open("/dev/null")?;
        nix::unistd::dup2_stdout(&nowhere)?;
        Ok(Readiness { parent: Some(parent) })
    }

    /// The server answers. `text` is one line for people, as "MySQL on 127.0.0.1:3306".
    pub fn ready(self, text: &str) {
        self.say(READY, text);
    }

    /// The server could not start, and why.
    pub fn failed(self, text: &str) {
        self.say(FAILED, text);
    }

    fn say(self, what: &str, text: &str) {
        if let Some(mut parent) = self.parent {
            let line = format!("{what}{}\n", text.replace('\n', "; "));
            // A parent that is gone does not want to know.
            let _ = parent.write_all(line.as_bytes());
        }
    }
}

/// The child's answer, read to the first that counts. The error is why it failed.
pub(super) fn read_answer(pipe: impl BufRead) -> Result<String, String> {
    for line in pipe.lines() {
        let line = line.map_err(|error| format!("its answer could not be read: {error}"))?;
        if let Some(text) = line.strip_prefix(READY) {
            return Ok(text.to_string());
        }
        if let Some(text) = line.strip_prefix(FAILED) {
            return Err(text.to_string());
        }
    }
    Err("it ended without saying why".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Read, Seek};

    /// What a parent would read after `say`.
    fn said(say: impl FnOnce(Readiness)) -> String {
        let mut file = tempfile::tempfile().expect("a temporary file");
        say(Readiness { parent: Some(file.try_clone().expect("a second handle")) });
        let mut text = String::new();
        file.rewind().and_then(|()| file.read_to_string(&mut text)).expect("readable");
        text
    }

    fn answer(text: &str) -> Result<String, String> {
        read_answer(BufReader::new(text.as_bytes()))
    }

    #[test]
    fn what_is_said_is_understood() {
        assert_eq!(answer(&said(|r| r.ready("on port 1"))), Ok("on port 1".to_string()));
        assert_eq!(answer(&said(|r| r.failed("disk\nfull"))), Err("disk; full".to_string()));
        assert_eq!(answer(&said(drop)), Err("it ended without saying why".to_string()));
    }

    #[test]
    fn other_output_is_no_answer() {
        assert_eq!(answer("hello\nready yes\n"), Ok("yes".to_string()));
        assert!(answer("already there\n").is_err());
    }
}
