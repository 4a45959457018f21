//! Where log lines go and how they look.

use crate::config::{LogFormat, LogLevel, Logging};
use std::fs::File;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Mutex;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The log of a background process, in its data directory. Opened for appending, so it may be rotated by copying and
/// truncating.
pub const LOG_FILE: &str = "marmot.log";

/// Starts logging for the whole process, to `file` or, without one, to standard error. Panics are logged too, with
/// where they happened, because in the background nobody sees them otherwise. The error is a sentence.
pub fn start_logging(logging: &Logging, file: Option<&Path>) -> Result<(), String> {
    match file {
        Some(path) => {
            let file = open(path).map_err(|error| format!("the log {}: {error}", path.display()))?;
            subscribe(logging, Mutex::new(file), false)?;
        }
        None => subscribe(logging, std::io::stderr, std::io::stderr().is_terminal())?,
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!("{}", panic.to_string().replace('\n', " "));
        before(panic);
    }));
    Ok(())
}

/// Opens a log for appending, readable by its owner and group.
pub(super) fn open(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().create(true).append(true).mode(0o640).open(path)
}

fn subscribe<W>(logging: &Logging, writer: W, colours: bool) -> Result<(), String>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(directives(logging.level)).map_err(|error| error.to_string())?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(colours);
    let result = match logging.format {
        LogFormat::Console => builder.compact().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    result.map_err(|error| error.to_string())
}

/// The level is meant for Marmot; the libraries below it are one step quieter.
fn directives(level: LogLevel) -> String {
    let libraries = match level {
        LogLevel::Error => LogLevel::Error,
        LogLevel::Warn | LogLevel::Info => LogLevel::Warn,
        LogLevel::Debug => LogLevel::Info,
        LogLevel::Trace => LogLevel::Debug,
    };
    format!("{libraries},marmot={level},marmot_v2={level}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    /// What one event looks like in the given format.
    fn line(format: LogFormat) -> String {
        let mut log = tempfile::tempfile().expect("a file");
        let writer = log.try_clone().expect("the same file");
        let builder = tracing_subscriber::fmt().with_writer(writer).with_ansi(false);
        let say = || tracing::info!(peer = 7, "joined");
        match format {
            LogFormat::Console => tracing::subscriber::with_default(builder.compact().finish(), say),
            LogFormat::Json => tracing::subscriber::with_default(builder.json().flatten_event(true).finish(), say),
        }
        let mut text = String::new();
        log.rewind().and_then(|()| log.read_to_string(&mut text)).expect("text");
        text
    }

    #[test]
    fn one_event_is_one_line() {
        let console = line(LogFormat::Console);
        assert!(console.ends_with("joined peer=7\n") && console.lines().count() == 1, "{console}");
        let json = line(LogFormat::Json);
        assert!(json.starts_with('{') && json.contains(r#""peer":7"#) && json.lines().count() == 1, "{json}");
    }

    #[test]
    fn libraries_are_quieter() {
        assert_eq!(directives(LogLevel::Info), "warn,marmot=info,marmot_v2=info");
        for (_, level) in LogLevel::NAMES {
            assert!(EnvFilter::try_new(directives(level)).is_ok(), "{level}");
        }
    }
}
