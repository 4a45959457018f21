//! The daemons' own logs: always listened to for marks, and on standard error, with simulated time and the machine's
//! name, if wanted.

use crate::marks::Listener;
use madsim::time::TimeHandle;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

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
    // Without a bound of its own the listener would make every span of the simulator's tasks be built.
    let heard =
        Listener.with_filter(tracing_subscriber::filter::Targets::new().with_target("marmot", LevelFilter::INFO));
    let heard = tracing_subscriber::registry().with(heard);
    match std::env::var("SIM_LOG") {
        // A layer that is not there would want all spans too.
        Err(_) => heard.init(),
        Ok(level) => {
            let filter = EnvFilter::new(format!("error,marmot={level}"));
            let shown = tracing_subscriber::fmt::layer().with_timer(Simulated).with_writer(std::io::stderr);
            heard.with(shown.with_filter(filter)).init();
        }
    }
}
