//! The daemons' own logs, on standard error, with simulated time and the machine's name.

use madsim::time::TimeHandle;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

struct Simulated;

impl FormatTime for Simulated {
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        match TimeHandle::try_current() {
            Some(time) => write!(w, "{:>14.6}", time.elapsed().as_nanos() as f64 / 1e9),
            None => Ok(()),
        }
    }
}

/// Logs at the level `SIM_LOG` names, if it is set. The simulator's spans say which machine it is.
pub fn start() {
    let Ok(level) = std::env::var("SIM_LOG") else { return };
    let filter = EnvFilter::new(format!("error,marmot={level}"));
    tracing_subscriber::fmt().with_env_filter(filter).with_timer(Simulated).with_writer(std::io::stderr).init();
}
