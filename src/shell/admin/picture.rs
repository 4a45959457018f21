//! `/status.json`: what the page draws. Counts are since the node started; the page makes rates of their differences.

use super::watch::{Problem, Seen, Watch};
use crate::core::PeerStatus;
use prometheus::Histogram;
use prometheus::core::Metric;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
pub struct Picture {
    version: &'static str,
    /// As text: a number of JavaScript has 53 bits.
    node: Option<String>,
    /// Milliseconds since the node began to serve.
    uptime_ms: Option<u64>,
    /// Why not, if it is not.
    not_ready: Option<String>,
    problems: Vec<Problem>,
    voters: usize,
    alive_voters: usize,
    quorum: usize,
    epoch: u64,
    nodes: Vec<Member>,
    times: BTreeMap<&'static str, Times>,
    /// Counts and sizes by name.
    numbers: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Member {
    /// As text: a number of JavaScript has 53 bits.
    id: String,
    address: String,
    state: String,
    voter: bool,
    own: bool,
    lag: u64,
    lag_ms: Option<u64>,
    silent_ms: Option<u64>,
    clock_ahead_ms: i64,
    link_up: Option<bool>,
    queued_bytes: usize,
}

/// A histogram.
#[derive(Serialize)]
struct Times {
    count: u64,
    seconds: f64,
    /// Upper bound in seconds, and how many took no longer.
    buckets: Vec<(f64, u64)>,
}

impl Times {
    fn of(histogram: &Histogram) -> Times {
        let metric = histogram.metric();
        let histogram = metric.get_histogram();
        let buckets = histogram.get_bucket().iter().map(|b| (b.upper_bound(), b.cumulative_count())).collect();
        Times { count: histogram.get_sample_count(), seconds: histogram.get_sample_sum(), buckets }
    }
}

impl Picture {
    pub async fn of(watch: &Watch) -> Picture {
        let seen = watch.look().await;
        let status = seen.status.as_deref();
        let metrics = &watch.metrics;
        let mut times = BTreeMap::from([
            ("commit", Times::of(&metrics.commit)),
            ("prepare", Times::of(&metrics.prepare)),
            ("accept", Times::of(&metrics.accept)),
            ("apply", Times::of(&metrics.apply)),
            ("sync", Times::of(&metrics.redo_sync)),
        ]);
        let gauge = |value: i64| u64::try_from(value).unwrap_or(0);
        let mut numbers = BTreeMap::from([
            ("backlog", gauge(metrics.backlog.get())),
            ("redo_bytes", gauge(metrics.redo_bytes.get())),
            ("discarded", metrics.discarded.get()),
            ("recoveries", metrics.recoveries.get()),
            ("free_bytes", seen.free_bytes.unwrap_or(0)),
        ]);
        if let Some(running) = seen.running {
            let (server, counters) = (&running.server, running.server.counters());
            times.extend(counters.classes().map(|(name, histogram)| (name, Times::of(histogram))));
            numbers.extend(counters.errors().filter(|(kind, _)| *kind != "other"));
            numbers.extend([
                ("statements", counters.statements()),
                ("slow", counters.slow_statements()),
                ("retries", counters.retries()),
                ("connections", server.registry().list().len() as u64),
                ("open_transactions", server.registry().open_transactions()),
                ("oldest_transaction_ms", seen.oldest_transaction().map_or(0, |age| age.as_millis())),
            ]);
        }
        if let Some(status) = status {
            numbers.extend([
                ("one_round", status.ended.in_one_round),
                ("two_rounds", status.ended.in_two_rounds),
                ("alone", status.ended.alone),
                ("aborted", status.ended.aborted),
                ("intents", status.intents as u64),
                ("parked", status.parked as u64),
                ("coordinating", status.coordinating as u64),
                ("recovering", status.recovering as u64),
                ("lacking", status.lacking),
                ("log_entries", status.log_entries),
                ("applied", status.applied),
            ]);
        }
        Picture {
            version: env!("CARGO_PKG_VERSION"),
            node: status.map(|s| s.id.0.to_string()),
            uptime_ms: seen.running.map(|running| running.server.uptime().as_millis()),
            not_ready: seen.ready.clone().err(),
            problems: seen.problems.clone(),
            voters: status.map_or(0, |s| s.voters),
            alive_voters: status.map_or(0, |s| s.alive_voters),
            quorum: status.map_or(0, |s| s.quorum()),
            epoch: status.map_or(0, |s| s.epoch.0),
            nodes: status
                .map_or_else(Vec::new, |s| s.peers.iter().map(|peer| member(peer, peer.id == s.id, &seen)).collect()),
            times,
            numbers,
        }
    }
}

fn member(peer: &PeerStatus, own: bool, seen: &Seen<'_>) -> Member {
    let link = seen.link_to(peer).filter(|_| !own);
    Member {
        id: peer.id.0.to_string(),
        address: peer.address.to_string(),
        state: peer.state.to_string(),
        voter: peer.voter,
        own,
        lag: peer.lag,
        lag_ms: peer.lag_time.map(|lag| lag.as_millis()),
        silent_ms: peer.silence.map(|silence| silence.as_millis()),
        clock_ahead_ms: peer.ahead_ms,
        link_up: link.map(|link| link.up),
        queued_bytes: link.map_or(0, |link| link.queued_bytes),
    }
}
