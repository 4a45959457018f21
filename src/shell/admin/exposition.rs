//! `/metrics`: what was collected while the node worked, and what its status and its sessions say now.
//!
//! Names follow Prometheus' conventions: base units, `_total` for what only grows. Each is explained in its HELP line;
//! README.md ("Monitoring") says which to watch.

use super::watch::{Running, Seen, Watch};
use crate::core::{NodeStatus, PeerState, PeerStatus};
use crate::session::LinkRow;
use crate::types::Span;
use prometheus::core::Collector;
use prometheus::{CounterVec, GaugeVec, Opts, Registry, Result, TextEncoder};
use std::collections::BTreeMap;

/// Everything, in Prometheus' text format.
pub async fn text(watch: &Watch) -> Result<String> {
    let seen = watch.look().await;
    let now = Snapshot(Registry::new());
    now.of_node(watch, &seen)?;
    if let Some(running) = seen.running {
        now.of_clients(running, &seen)?;
    }
    if let Some(status) = &seen.status {
        now.of_core(status)?;
        now.of_peers(status, &seen)?;
    }
    let mut families = watch.metrics.gather();
    families.extend(now.0.gather());
    families.sort_by(|a, b| a.name().cmp(b.name()));
    TextEncoder::new().encode_to_string(&families)
}

/// Values read now, each registered with its only value.
struct Snapshot(Registry);

impl Snapshot {
    fn add<C: Collector + 'static>(&self, collector: C) -> Result<()> {
        self.0.register(Box::new(collector))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str], values: &[(Vec<&str>, f64)]) -> Result<()> {
        let family = GaugeVec::new(Opts::new(name, help), labels)?;
        values.iter().for_each(|(labels, value)| family.with_label_values(labels).set(*value));
        self.add(family)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str], values: &[(Vec<&str>, f64)]) -> Result<()> {
        let family = CounterVec::new(Opts::new(name, help), labels)?;
        values.iter().for_each(|(labels, value)| family.with_label_values(labels).inc_by(*value));
        self.add(family)
    }

    fn gauge(&self, name: &str, help: &str, value: f64) -> Result<()> {
        self.gauges(name, help, &[], &[(vec![], value)])
    }

    fn counter(&self, name: &str, help: &str, value: u64) -> Result<()> {
        self.counters(name, help, &[], &[(vec![], value as f64)])
    }

    fn of_node(&self, watch: &Watch, seen: &Seen<'_>) -> Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        self.gauges("marmot_info", "The version of this node", &["version"], &[(vec![version], 1.0)])?;
        self.gauge(
            "marmot_ready",
            "1: clients are served and QUORUM writes can succeed; as /readyz",
            flag(seen.ready.is_ok()),
        )?;
        self.gauge("marmot_problems", "What the page of this node says is wrong", seen.problems.len() as f64)?;
        let free = seen.free_bytes.map_or(f64::NAN, |bytes| bytes as f64);
        self.gauge(
            "marmot_disk_free_bytes",
            "Free on the disk of the data directory; below 64 MB writes are refused",
            free,
        )?;
        self.gauge("marmot_data_bytes", "All files of the data directory", watch.data_bytes() as f64)?;
        if let Some(bytes) = watch.resident_bytes() {
            self.gauge("process_resident_memory_bytes", "Memory of the process", bytes as f64)?;
        }
        Ok(())
    }

    fn of_clients(&self, running: &Running, seen: &Seen<'_>) -> Result<()> {
        let (server, counters, registry) = (&running.server, running.server.counters(), running.server.registry());
        let of = |name: &str| counters.list().into_iter().find(|(n, _)| *n == name).map_or(0, |(_, value)| value);
        let connections = registry.list();
        let busy = connections.iter().filter(|c| c.activity().statement.is_some()).count();
        self.gauge("marmot_uptime_seconds", "Since the node began to serve", server.uptime().as_secs_f64())?;
        self.gauge("marmot_connections", "Clients connected", connections.len() as f64)?;
        self.gauge("marmot_connections_running", "Clients for whom a statement runs", busy as f64)?;
        self.counter("marmot_connections_total", "Clients that logged in", registry.total())?;
        let aborted = "Clients that did not get in, and connections that ended without the client saying so";
        let values =
            [(vec!["login"], of("Aborted_connects") as f64), (vec!["connection"], of("Aborted_clients") as f64)];
        self.counters("marmot_connections_aborted_total", aborted, &["at"], &values)?;
        let bytes = [(vec!["received"], of("Bytes_received") as f64), (vec!["sent"], of("Bytes_sent") as f64)];
        self.counters("marmot_client_bytes_total", "Bytes of the MySQL protocol", &["direction"], &bytes)?;
        self.counter("marmot_statements_total", "Statements that began", counters.statements())?;
        self.counter(
            "marmot_slow_statements_total",
            "Statements that took longer than long_query_time",
            counters.slow_statements(),
        )?;
        self.counter(
            "marmot_retries_total",
            "Attempts made again after a conflict; the client sees none of it",
            counters.retries(),
        )?;
        let errors: Vec<_> = counters.errors().map(|(kind, n)| (vec![kind], n as f64)).collect();
        self.counters(
            "marmot_statement_errors_total",
            "Statements that failed, by what the client was told",
            &["kind"],
            &errors,
        )?;
        let open = registry.open_transactions();
        self.gauge("marmot_open_transactions", "Transactions that clients hold open", open as f64)?;
        let oldest = seen.oldest_transaction().unwrap_or(Span::ZERO).as_secs_f64();
        self.gauge("marmot_oldest_transaction_seconds", "The age of the oldest of them", oldest)?;
        self.of_verification(running)?;
        let queues =
            [(vec!["requests"], server.requests_waiting() as f64), (vec!["peer_frames"], (running.envelopes)() as f64)];
        self.gauges("marmot_driver_queue", "What waits for the driver", &["queue"], &queues)
    }

    fn of_core(&self, status: &NodeStatus) -> Result<()> {
        let outcomes = [
            (vec!["committed_in_one_round"], status.ended.in_one_round as f64),
            (vec!["committed_in_two_rounds"], status.ended.in_two_rounds as f64),
            (vec!["committed_alone"], status.ended.alone as f64),
            (vec!["aborted"], status.ended.aborted as f64),
        ];
        let help = "Transactions coordinated here, by how they ended; alone: at level ONE";
        self.counters("marmot_transactions_total", help, &["outcome"], &outcomes)?;
        for (name, help, value) in [
            ("marmot_voters", "Voting members of the cluster", status.voters),
            ("marmot_alive_voters", "Those of them that this node sees alive, itself included", status.alive_voters),
            ("marmot_quorum", "How many of them a QUORUM write needs", status.quorum()),
            ("marmot_intents", "Transactions whose keys are held here until their outcome is known", status.intents),
            (
                "marmot_coordinating",
                "Transactions on their way to an outcome that this node coordinates",
                status.coordinating,
            ),
            ("marmot_parked", "Commits that wait for another transaction to let go of a key", status.parked),
            (
                "marmot_recovering",
                "Transactions of silent coordinators that this node brings to an end",
                status.recovering,
            ),
            ("marmot_barriers", "QUORUM and ALL reads that wait until they may begin", status.barriers),
            ("marmot_key_states", "Keys whose versions are remembered", status.key_states),
        ] {
            self.gauge(name, help, value as f64)?;
        }
        self.gauge("marmot_epoch", "The generation of the member list", status.epoch.0 as f64)?;
        self.gauge("marmot_applied", "The place of this node in its own apply order", status.applied as f64)?;
        self.gauge(
            "marmot_log_entries",
            "Entries of the apply order that are kept for nodes that are behind",
            status.log_entries as f64,
        )?;
        self.gauge("marmot_lacking", "Transactions heard of that are not here", status.lacking as f64)?;
        let ahead = status.ahead_ms.max(0) as f64 / 1e3;
        self.gauge(
            "marmot_clock_ahead_seconds",
            "How far the cluster's clock is ahead of this machine's; 0 if it is not",
            ahead,
        )
    }

    /// How long ago the tables of each database were compared with another node's: the one that was longest ago.
    fn of_verification(&self, running: &Running) -> Result<()> {
        let now = running.server.now().wall.0;
        let mut ages: BTreeMap<String, f64> = BTreeMap::new();
        for row in running.server.verification() {
            let age = row.compared_at.map_or(f64::INFINITY, |at| now.saturating_sub(at.0) as f64 / 1e3);
            ages.entry(row.database).and_modify(|oldest| *oldest = oldest.max(age)).or_insert(age);
        }
        let values: Vec<_> = ages.iter().map(|(database, age)| (vec![database.as_str()], *age)).collect();
        let help = "Since the table of the database that was compared longest ago was; infinite: never since the start";
        self.gauges("marmot_verify_age_seconds", help, &["database"], &values)
    }

    fn of_peers(&self, status: &NodeStatus, seen: &Seen<'_>) -> Result<()> {
        let listed = |p: &&PeerStatus| p.id != status.id && p.state != PeerState::Removed;
        let peers: Vec<(String, &PeerStatus)> =
            status.peers.iter().filter(listed).map(|p| (p.id.0.to_string(), p)).collect();
        let each = |value: &dyn Fn(&PeerStatus) -> Option<f64>| -> Vec<(Vec<&str>, f64)> {
            peers.iter().filter_map(|(id, p)| Some((vec![id.as_str(), &*p.address], value(p)?))).collect()
        };
        let seconds = |span: Option<Span>| Some(span.map_or(f64::INFINITY, Span::as_secs_f64));
        let link = |value: fn(&LinkRow) -> f64| each(&move |p| seen.link_to(p).map(value));
        let labels = &["peer", "address"];
        self.gauges(
            "marmot_peer_alive",
            "1: this node sees the peer alive",
            labels,
            &each(&|p| Some(flag(p.state == PeerState::Alive))),
        )?;
        self.gauges(
            "marmot_peer_lag_transactions",
            "Transactions that are here and, by its last report, not at the peer",
            labels,
            &each(&|p| Some(p.lag as f64)),
        )?;
        let help =
            "For how long the peer has lacked some of them, to about half a second; infinite: since this node started";
        self.gauges("marmot_peer_lag_seconds", help, labels, &each(&|p| seconds(p.lag_time)))?;
        self.gauges(
            "marmot_peer_silence_seconds",
            "Since the peer was last heard",
            labels,
            &each(&|p| seconds(p.silence)),
        )?;
        let help =
            "How far the peer's clock was ahead of this machine's when it was last heard, less its message's way";
        self.gauges("marmot_peer_clock_ahead_seconds", help, labels, &each(&|p| Some(p.ahead_ms.max(0) as f64 / 1e3)))?;
        self.gauges(
            "marmot_link_up",
            "1: the link by which this node speaks to the peer is connected",
            labels,
            &link(|l| flag(l.up)),
        )?;
        self.gauges("marmot_link_queued_bytes", "What waits for it", labels, &link(|l| l.queued_bytes as f64))?;
        self.counters("marmot_link_sent_bytes_total", "What was sent", labels, &link(|l| l.sent_bytes as f64))?;
        let help = "Frames that its queue had no room for; the protocol repeats what matters";
        self.counters("marmot_link_dropped_frames_total", help, labels, &link(|l| l.dropped_frames as f64))
    }
}

fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}
