//! What the shell counts and times while it works, for `/metrics`. Counting is a few atomic additions; nothing is locked or
//! allocated. What others know already (the core's status, the sessions' counters) is asked of them when somebody reads.

use crate::core::{Effect, Notice, PeerFault, Refusal, Response};
use crate::session::SECONDS;
use crate::types::Span;
use prometheus::core::{Collector, GenericCounter, GenericGauge};
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};
use std::sync::Arc;

pub(super) type Counter = GenericCounter<prometheus::core::AtomicU64>;
type Gauge = GenericGauge<prometheus::core::AtomicI64>;

/// Why a request of a session was refused, as the label `reason` says it.
const REFUSALS: [&str; 14] = [
    "conflict",
    "no_quorum",
    "unknown_outcome",
    "lock_wait_timeout",
    "overloaded",
    "too_large",
    "not_voter",
    "removed",
    "snapshot_too_old",
    "disk_full",
    "clock_offset",
    "membership",
    "shutting_down",
    "lock_lost",
];

fn reason(refusal: &Refusal) -> usize {
    match refusal {
        Refusal::Conflict { .. } => 0,
        Refusal::NoQuorum { .. } => 1,
        Refusal::UnknownOutcome { .. } => 2,
        Refusal::LockWaitTimeout => 3,
        Refusal::Overloaded => 4,
        Refusal::TooLarge { .. } => 5,
        Refusal::NotVoter => 6,
        Refusal::Removed(_) => 7,
        Refusal::SnapshotTooOld => 8,
        Refusal::DiskFull => 9,
        Refusal::ClockOffset { .. } => 10,
        Refusal::Membership(_) => 11,
        Refusal::ShuttingDown => 12,
        Refusal::LockLost => 13,
    }
}

/// One node's numbers, and the registry they are read from.
pub struct Metrics {
    registry: Registry,
    /// From a client's commit request to its answer.
    pub commit: Histogram,
    /// Parts of it; see `phases`.
    pub prepare: Histogram,
    pub accept: Histogram,
    pub apply: Histogram,
    /// One write and sync of the redo log; of the database files.
    pub redo_sync: Histogram,
    pub files_sync: Histogram,
    /// One batch of transactions brought into the files.
    pub batch: Histogram,
    pub rounds: Counter,
    pub inputs: Counter,
    /// Transactions with a place in the apply order that are not in the files yet.
    pub backlog: Gauge,
    pub redo_bytes: Gauge,
    refusals: Vec<Counter>,
    pub recoveries: Counter,
    pub discarded: Counter,
    pub clock_refusals: Counter,
    pub peer_faults: Counter,
    pub peer_bytes: Counter,
    /// A copy of the data given to a node that joins; received by this one, and how large it is.
    pub snapshot_sent: Counter,
    pub snapshot_received: Gauge,
    pub snapshot_size: Gauge,
    /// Rows compared with other nodes; of this node's those found wrong or undecided, and those replaced.
    pub verify_rows: Counter,
    pub verify_mismatches: Counter,
    pub verify_repaired: Counter,
    /// Rows that differ and that no majority decides, by the last comparison of each table.
    pub verify_undecided: Gauge,
    /// Tables whose definition is not the one of a majority, by the last comparison of each.
    pub verify_definitions: Gauge,
    /// Spans that the collector took, and that were lost on the way to it.
    pub spans_exported: Counter,
    pub spans_dropped: Counter,
}

impl Metrics {
    pub fn new() -> Arc<Metrics> {
        let new = New(Registry::new());
        let phases = new.histograms(
            "marmot_commit_phase_seconds",
            "Phases of QUORUM and ALL commits coordinated here: prepare (until the outcome is decided or, in two rounds, \
             proposed), accept (the second round), apply (until it is visible in this node's files)",
            "phase",
        );
        let syncs = new.histograms(
            "marmot_disk_sync_seconds",
            "Writing and syncing the redo log (every commit waits for one), and the database files (in the background)",
            "file",
        );
        let refusals = new.counters(
            "marmot_refusals_total",
            "Requests of sessions that the node refused, by reason; conflicts are mostly retried and then succeed",
            "reason",
        );
        let spans = new.counters(
            "marmot_trace_spans_total",
            "Spans for the OTLP collector: exported, or dropped because it was away or too slow",
            "outcome",
        );
        Arc::new(Metrics {
            commit: new.histogram(
                "marmot_commit_seconds",
                "From a commit request to its answer: all levels, refused ones not included",
            ),
            prepare: phases.with_label_values(&["prepare"]),
            accept: phases.with_label_values(&["accept"]),
            apply: phases.with_label_values(&["apply"]),
            redo_sync: syncs.with_label_values(&["redo"]),
            files_sync: syncs.with_label_values(&["databases"]),
            batch: new
                .histogram("marmot_apply_batch_seconds", "Bringing one batch of transactions into the database files"),
            rounds: new.counter("marmot_rounds_total", "Rounds of the driver, each ended by at most one disk sync"),
            inputs: new.counter("marmot_inputs_total", "Messages, requests and reports that the driver handled"),
            backlog: new
                .gauge("marmot_apply_backlog", "Transactions that are decided but not yet in the database files"),
            redo_bytes: new.gauge("marmot_redo_bytes", "Bytes of the redo log that are not yet in marmot.db"),
            refusals: REFUSALS.iter().map(|name| refusals.with_label_values(&[name])).collect(),
            recoveries: new
                .counter("marmot_recoveries_total", "Transactions of silent coordinators taken over by this node"),
            discarded: new.counter("marmot_merge_conflicts_total", "Values that merges of ONE writes discarded here"),
            clock_refusals: new.counter(
                "marmot_clock_refusals_total",
                "Messages and records whose stamp was further ahead than max_clock_offset",
            ),
            peer_faults: new
                .counter("marmot_peer_faults_total", "Messages of peers dropped because they made no sense"),
            peer_bytes: new.counter("marmot_peer_received_bytes_total", "Bytes received from other nodes"),
            snapshot_sent: new.counter(
                "marmot_snapshot_sent_bytes_total",
                "Bytes of copies of the data sent to nodes that join, compressed",
            ),
            snapshot_received: new
                .gauge("marmot_snapshot_received_bytes", "Bytes of a copy of the data that arrived here"),
            snapshot_size: new.gauge("marmot_snapshot_bytes", "Bytes of the copy of the data that this node receives"),
            verify_rows: new.counter("marmot_verify_rows_total", "Rows of this node compared with another node's"),
            verify_mismatches: new.counter(
                "marmot_verify_mismatches_total",
                "Rows of this node that were not as a majority of the voting members has them, or that no majority decides",
            ),
            verify_repaired: new
                .counter("marmot_verify_repaired_total", "Of these, rows replaced by what a majority has"),
            verify_undecided: new.gauge(
                "marmot_verify_undecided",
                "Rows that differ and that no majority decides, by the last comparison of each table: somebody has to",
            ),
            verify_definitions: new.gauge(
                "marmot_verify_definitions",
                "Tables whose definition in this node's file is not the one that a majority has, or of which none has a majority, by \
                 the last comparison of each: somebody has to",
            ),
            spans_exported: spans.with_label_values(&["exported"]),
            spans_dropped: spans.with_label_values(&["dropped"]),
            registry: new.0,
        })
    }

    /// Includes what another part of the node collects.
    pub fn include(&self, collector: Box<dyn Collector>) {
        self.registry.register(collector).expect("no two parts of a node collect under one name");
    }

    /// What was collected, now.
    pub fn gather(&self) -> Vec<prometheus::proto::MetricFamily> {
        self.registry.gather()
    }

    /// Counts what an effect says about how the node fares.
    pub fn count(&self, effect: &Effect) {
        match effect {
            Effect::Reply(_, Response::Refused(refusal)) => self.refusals[reason(refusal)].inc(),
            Effect::Notice(Notice::Conflict { .. }) => self.discarded.inc(),
            Effect::Notice(Notice::Recovering { .. }) => self.recoveries.inc(),
            Effect::Notice(Notice::ClockAhead { .. } | Notice::PeerFault(PeerFault::ClockAhead { .. })) => {
                self.clock_refusals.inc();
            }
            Effect::Notice(Notice::PeerFault(_)) => self.peer_faults.inc(),
            Effect::Reply(..) | Effect::Notice(_) | Effect::Send { .. } | Effect::Apply(_) | Effect::Publish(_) => {}
        }
    }
}

/// Makes what is registered.
struct New(Registry);

impl New {
    fn take<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let collector = made.expect("names, labels and buckets are constants that a test tries");
        self.0.register(Box::new(collector.clone())).expect("every name is used once");
        collector
    }

    fn counter(&self, name: &str, help: &str) -> Counter {
        self.take(Counter::new(name, help))
    }

    fn counters(&self, name: &str, help: &str, label: &str) -> IntCounterVec {
        self.take(IntCounterVec::new(Opts::new(name, help), &[label]))
    }

    fn gauge(&self, name: &str, help: &str) -> Gauge {
        self.take(Gauge::new(name, help))
    }

    fn histogram(&self, name: &str, help: &str) -> Histogram {
        self.take(Histogram::with_opts(HistogramOpts::new(name, help).buckets(SECONDS.to_vec())))
    }

    fn histograms(&self, name: &str, help: &str, label: &str) -> HistogramVec {
        self.take(HistogramVec::new(HistogramOpts::new(name, help).buckets(SECONDS.to_vec()), &[label]))
    }
}

/// Adds one time.
pub fn observe(histogram: &Histogram, time: Span) {
    histogram.observe(time.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ClientId;

    #[test]
    fn everything_has_a_name_of_its_own_and_counts() {
        let metrics = Metrics::new();
        let refused = Effect::Reply(ClientId(1), Response::Refused(Refusal::LockLost));
        metrics.count(&refused);
        metrics.count(&refused);
        let text = prometheus::TextEncoder::new().encode_to_string(&metrics.gather()).expect("text");
        assert!(text.contains("marmot_refusals_total{reason=\"lock_lost\"} 2\n"), "{text}");
        assert!(
            text.contains("marmot_refusals_total{reason=\"conflict\"} 0\n"),
            "what never happened is there: {text}"
        );
    }
}
