//! The one list of what a configuration file may say.

use super::address::{HostPort, check_host};
use super::secret::Secret;
use super::settings::{ClusterTlsFiles, Config, UNLIMITED_RETENTION};
use crate::types::{NodeId, Span};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use toml::de::DeValue;

/// One key of the file.
pub struct Key {
    /// Section and name, `cluster.seed_nodes`; without a section at the top of the file.
    pub path: &'static str,
    /// Puts a value of the file into the configuration; the error is what would be valid.
    pub(super) read: fn(&mut Config, Item<'_>) -> Result<(), String>,
    /// The value in force as TOML; secrets stay hidden.
    pub(super) show: fn(&Config) -> String,
    /// A second name of another key, kept for files of the Go program.
    pub alias: bool,
}

const fn key(
    path: &'static str,
    read: fn(&mut Config, Item<'_>) -> Result<(), String>,
    show: fn(&Config) -> String,
) -> Key {
    Key { path, read, show, alias: false }
}

const fn alias(
    path: &'static str,
    read: fn(&mut Config, Item<'_>) -> Result<(), String>,
    show: fn(&Config) -> String,
) -> Key {
    Key { path, read, show, alias: true }
}

/// Every key, in the order of `config.example.toml`.
pub const KEYS: &[Key] = &[
    key("node_id", |c, v| set(&mut c.node_id, node_id(v)), |c| c.node_id.map_or(0, |id| id.0).to_string()),
    key("data_dir", |c, v| set(&mut c.data_dir.0, v.path()), |c| quoted(c.data_dir.display())),
    // [cluster]
    key("cluster.listen_address", |c, v| set(&mut c.cluster.listen, v.parsed()), |c| quoted(&c.cluster.listen)),
    alias(
        "cluster.grpc_bind_address",
        |c, v| set(&mut c.cluster.listen.host, v.host()),
        |c| quoted(&c.cluster.listen.host),
    ),
    alias(
        "cluster.grpc_port",
        |c, v| set(&mut c.cluster.listen.port, v.port(1)),
        |c| c.cluster.listen.port.to_string(),
    ),
    key(
        "cluster.advertise_address",
        |c, v| set(&mut c.cluster.advertise, v.optional()),
        |c| shown(&c.cluster.advertise),
    ),
    alias(
        "cluster.grpc_advertise_address",
        |c, v| set(&mut c.cluster.advertise, v.optional()),
        |c| shown(&c.cluster.advertise),
    ),
    key("cluster.seed_nodes", |c, v| set(&mut c.cluster.seeds, v.list()), |c| list(&c.cluster.seeds)),
    key("cluster.cluster_secret", |c, v| set(&mut c.cluster.secret, v.secret()), |c| hidden(&c.cluster.secret)),
    key(
        "cluster.cluster_secret_previous",
        |c, v| set(&mut c.cluster.secret_previous, v.secret()),
        |c| hidden(&c.cluster.secret_previous),
    ),
    key("cluster.tls", |c, v| set(&mut c.cluster.tls, v.parsed()), |c| quoted(c.cluster.tls)),
    key("cluster.tls_ca", |c, v| tls_file(c, v, |f| &mut f.ca), |c| shown_tls_file(c, |f| &f.ca)),
    key("cluster.tls_cert", |c, v| tls_file(c, v, |f| &mut f.cert), |c| shown_tls_file(c, |f| &f.cert)),
    key("cluster.tls_key", |c, v| tls_file(c, v, |f| &mut f.key), |c| shown_tls_file(c, |f| &f.key)),
    key(
        "cluster.gossip_interval_ms",
        |c, v| set(&mut c.cluster.gossip_interval, v.millis(50..=60_000)),
        |c| millis(c.cluster.gossip_interval),
    ),
    key(
        "cluster.suspect_timeout_ms",
        |c, v| set(&mut c.cluster.suspect_timeout, v.millis(100..=600_000)),
        |c| millis(c.cluster.suspect_timeout),
    ),
    key(
        "cluster.dead_timeout_ms",
        |c, v| set(&mut c.cluster.dead_timeout, v.millis(200..=3_600_000)),
        |c| millis(c.cluster.dead_timeout),
    ),
    key(
        "cluster.max_clock_offset_ms",
        |c, v| set(&mut c.cluster.max_clock_offset, v.millis(10..=60_000)),
        |c| millis(c.cluster.max_clock_offset),
    ),
    key(
        "cluster.leave_on_stop",
        |c, v| set(&mut c.cluster.leave_on_stop, v.boolean()),
        |c| c.cluster.leave_on_stop.to_string(),
    ),
    // [replication]
    key(
        "replication.default_write_consistency",
        |c, v| set(&mut c.replication.write_level, v.parsed()),
        |c| quoted(c.replication.write_level),
    ),
    key(
        "replication.default_read_consistency",
        |c, v| set(&mut c.replication.read_level, v.parsed()),
        |c| quoted(c.replication.read_level),
    ),
    key(
        "replication.write_timeout_ms",
        |c, v| set(&mut c.replication.write_timeout, v.millis(500..=600_000)),
        |c| millis(c.replication.write_timeout),
    ),
    key(
        "replication.read_timeout_ms",
        |c, v| set(&mut c.replication.read_timeout, v.millis(100..=600_000)),
        |c| millis(c.replication.read_timeout),
    ),
    key(
        "replication.recover_after_ms",
        |c, v| set(&mut c.replication.recover_after, v.millis(100..=60_000)),
        |c| millis(c.replication.recover_after),
    ),
    key(
        "replication.gc_min_retention_hours",
        |c, v| set(&mut c.replication.retention_min, v.hours()),
        |c| hours(c.replication.retention_min),
    ),
    key(
        "replication.gc_max_retention_hours",
        |c, v| set(&mut c.replication.retention_max, v.hours_or_unlimited()),
        |c| hours(c.replication.retention_max),
    ),
    key(
        "replication.snapshot_max_mb_per_second",
        |c, v| set(&mut c.replication.snapshot_bytes_per_second, v.integer(0..=100_000).map(|mb| mb << 20)),
        |c| (c.replication.snapshot_bytes_per_second >> 20).to_string(),
    ),
    // [transaction]
    key(
        "transaction.lock_wait_timeout_seconds",
        |c, v| set(&mut c.transaction.lock_wait_timeout, v.seconds(1..=86_400)),
        |c| seconds(c.transaction.lock_wait_timeout),
    ),
    key(
        "transaction.max_age_seconds",
        |c, v| set(&mut c.transaction.max_age, v.seconds(1..=86_400)),
        |c| seconds(c.transaction.max_age),
    ),
    key(
        "transaction.max_write_set_mb",
        |c, v| set(&mut c.transaction.max_write_set_bytes, v.megabytes(1..=1024)),
        |c| megabytes(c.transaction.max_write_set_bytes),
    ),
    // [verify]
    key(
        "verify.interval_seconds",
        |c, v| set(&mut c.verify.interval, v.seconds(0..=31_536_000)),
        |c| seconds(c.verify.interval),
    ),
    key(
        "verify.max_rows_per_second",
        |c, v| set(&mut c.verify.rows_per_second, v.integer(0..=1_000_000_000)),
        |c| c.verify.rows_per_second.to_string(),
    ),
    // [mysql]
    key("mysql.bind_address", |c, v| set(&mut c.mysql.listen.host, v.host()), |c| quoted(&c.mysql.listen.host)),
    key("mysql.port", |c, v| set(&mut c.mysql.listen.port, v.port(0)), |c| c.mysql.listen.port.to_string()),
    key(
        "mysql.unix_socket",
        |c, v| set(&mut c.mysql.unix_socket, v.optional_path()),
        |c| shown_path(&c.mysql.unix_socket),
    ),
    key(
        "mysql.max_connections",
        |c, v| set(&mut c.mysql.max_connections, v.count(1..=100_000)),
        |c| c.mysql.max_connections.to_string(),
    ),
    key(
        "mysql.connect_timeout_seconds",
        |c, v| set(&mut c.mysql.connect_timeout, v.seconds(2..=31_536_000)),
        |c| seconds(c.mysql.connect_timeout),
    ),
    key(
        "mysql.max_connect_errors",
        |c, v| set(&mut c.mysql.max_connect_errors, v.count(1..=1_000_000)),
        |c| c.mysql.max_connect_errors.to_string(),
    ),
    key("mysql.auto_id_mode", |c, v| set(&mut c.mysql.auto_id_mode, v.parsed()), |c| quoted(c.mysql.auto_id_mode)),
    key("mysql.collations", |c, v| set(&mut c.mysql.collations, v.parsed()), |c| quoted(c.mysql.collations)),
    key("mysql.user", |c, v| set(&mut c.mysql.user, v.user()), |c| quoted(&c.mysql.user)),
    key("mysql.password", |c, v| set(&mut c.mysql.password, v.secret()), |c| hidden(&c.mysql.password)),
    key("mysql.tls_cert", |c, v| set(&mut c.mysql.tls_cert, v.optional_path()), |c| shown_path(&c.mysql.tls_cert)),
    key("mysql.tls_key", |c, v| set(&mut c.mysql.tls_key, v.optional_path()), |c| shown_path(&c.mysql.tls_key)),
    key("mysql.require_tls", |c, v| set(&mut c.mysql.require_tls, v.boolean()), |c| c.mysql.require_tls.to_string()),
    key(
        "mysql.secure_file_priv",
        |c, v| set(&mut c.mysql.secure_file_priv, v.optional_path()),
        |c| shown_path(&c.mysql.secure_file_priv),
    ),
    key(
        "mysql.wait_timeout_seconds",
        |c, v| set(&mut c.mysql.wait_timeout, v.seconds(1..=31_536_000)),
        |c| seconds(c.mysql.wait_timeout),
    ),
    key(
        "mysql.max_allowed_packet_mb",
        |c, v| set(&mut c.mysql.max_allowed_packet_bytes, v.megabytes(1..=1024)),
        |c| megabytes(c.mysql.max_allowed_packet_bytes),
    ),
    // [ddl]
    key(
        "ddl.lock_timeout_seconds",
        |c, v| set(&mut c.ddl.lock_timeout, v.seconds(1..=3_600)),
        |c| seconds(c.ddl.lock_timeout),
    ),
    // [admin]
    key("admin.address", |c, v| set(&mut c.admin.listen, v.optional()), |c| shown(&c.admin.listen)),
    key("admin.token", |c, v| set(&mut c.admin.token, v.secret()), |c| hidden(&c.admin.token)),
    // [logging]
    key("logging.level", |c, v| set(&mut c.logging.level, v.parsed()), |c| quoted(c.logging.level)),
    key("logging.format", |c, v| set(&mut c.logging.format, v.parsed()), |c| quoted(c.logging.format)),
    key(
        "logging.slow_query_log",
        |c, v| set(&mut c.logging.slow_query_log, v.boolean()),
        |c| c.logging.slow_query_log.to_string(),
    ),
    key(
        "logging.long_query_time_ms",
        |c, v| set(&mut c.logging.long_query_time, v.millis(0..=31_536_000_000)),
        |c| millis(c.logging.long_query_time),
    ),
    key(
        "logging.otlp_endpoint",
        |c, v| set(&mut c.logging.otlp.endpoint, v.text().map(str::to_string)),
        |c| quoted(&c.logging.otlp.endpoint),
    ),
    key(
        "logging.otlp_sample_ratio",
        |c, v| set(&mut c.logging.otlp.sampled_millionths, v.millionths()),
        |c| ratio(c.logging.otlp.sampled_millionths),
    ),
];

/// Keys and sections of the Go program that have no counterpart, and what to do instead. A path without a dot is a
/// whole section.
pub(super) const RETIRED: &[(&str, &str)] = &[
    ("cluster.gossip_fanout", "peers to probe are chosen by SWIM; remove it"),
    ("replication.enable_anti_entropy", "anti-entropy is always on; remove it"),
    ("replication.anti_entropy_interval_seconds", "nodes exchange what they have all the time; remove it"),
    (
        "replication.delta_sync_threshold_transactions",
        "a snapshot is copied only if the log no longer reaches back; remove it",
    ),
    (
        "replication.delta_sync_threshold_seconds",
        "a snapshot is copied only if the log no longer reaches back; remove it",
    ),
    ("transaction.heartbeat_timeout_seconds", "intents end only when their outcome is known; remove it"),
    ("transaction.conflict_window_seconds", "conflicts are found by stamps, not by time; remove it"),
    ("ddl.lock_lease_seconds", "use ddl.lock_timeout_seconds"),
    ("ddl.enable_idempotent", "schema changes are always idempotent; remove it"),
    ("mysql.enabled", "the MySQL front is always on; remove it"),
    ("logging.verbose", "use logging.level = \"debug\""),
    ("connection_pool", "there is no pool to size; remove the section"),
    ("metastore", "the node's own state is a SQLite file; remove the section"),
    ("grpc_client", "peers do not speak gRPC; remove the section"),
    ("coordinator", "one timeout covers all phases: use replication.write_timeout_ms"),
    ("query_pipeline", "sizes follow from the load; remove the section"),
    ("snapshot", "snapshots to outside stores are not built yet; remove the section"),
    ("prometheus", "metrics are at /metrics of the admin address: use admin.address"),
    ("publisher", "change streaming is not built yet; remove the section"),
    ("replica", "read-only replicas are not built yet; remove the section"),
];

fn set<T>(target: &mut T, value: Result<T, String>) -> Result<(), String> {
    *target = value?;
    Ok(())
}

fn node_id(item: Item<'_>) -> Result<Option<NodeId>, String> {
    let id = item.integer(0..=i64::MAX as u64)?;
    Ok((id != 0).then_some(NodeId(id)))
}

fn quoted(value: impl Display) -> String {
    toml::Value::String(value.to_string()).to_string()
}

fn shown(value: &Option<HostPort>) -> String {
    value.as_ref().map_or_else(|| quoted(""), quoted)
}

fn shown_path(value: &Option<PathBuf>) -> String {
    value.as_ref().map_or_else(|| quoted(""), |path| quoted(path.display()))
}

/// Puts one of the files of TLS between nodes; an empty path adds nothing.
fn tls_file(
    config: &mut Config,
    item: Item<'_>,
    which: fn(&mut ClusterTlsFiles) -> &mut PathBuf,
) -> Result<(), String> {
    if let Some(path) = item.optional_path()? {
        *which(config.cluster.tls_files.get_or_insert_default()) = path;
    }
    Ok(())
}

fn shown_tls_file(config: &Config, which: fn(&ClusterTlsFiles) -> &PathBuf) -> String {
    shown_path(&config.cluster.tls_files.as_ref().map(|files| which(files).clone()))
}

fn list(values: &[HostPort]) -> String {
    let values: Vec<String> = values.iter().map(quoted).collect();
    format!("[{}]", values.join(", "))
}

fn hidden(secret: &Secret) -> String {
    if secret.is_empty() { quoted("") } else { quoted(secret) }
}

fn millis(span: Span) -> String {
    span.as_millis().to_string()
}

fn seconds(span: Span) -> String {
    (span.as_millis() / 1000).to_string()
}

/// Milliseconds of an hour, and the most hours that can be asked for.
const HOUR_MS: u64 = 3_600_000;
const MOST_HOURS: u64 = 87_600;

fn hours(span: Span) -> String {
    match span.as_millis() {
        _ if span == UNLIMITED_RETENTION => "0".to_string(),
        ms if ms % HOUR_MS == 0 => (ms / HOUR_MS).to_string(),
        ms => (ms as f64 / HOUR_MS as f64).to_string(),
    }
}

fn ratio(millionths: u32) -> String {
    toml::Value::Float(f64::from(millionths) / 1e6).to_string()
}

fn megabytes(bytes: usize) -> String {
    (bytes >> 20).to_string()
}

/// A value of the file on its way to a type; every error says what would be valid and what was found.
#[derive(Clone, Copy)]
pub(super) struct Item<'a>(pub &'a DeValue<'a>);

impl Item<'_> {
    fn found(&self) -> String {
        match self.0 {
            DeValue::String(text) => quoted(text),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            other => format!("a value of type {}", other.type_str()),
        }
    }

    fn text(&self) -> Result<&str, String> {
        self.0.as_str().ok_or_else(|| format!("must be a text in quotes, not {}", self.found()))
    }

    fn boolean(&self) -> Result<bool, String> {
        self.0.as_bool().ok_or_else(|| format!("must be true or false, not {}", self.found()))
    }

    fn integer(&self, range: RangeInclusive<u64>) -> Result<u64, String> {
        let number = self.0.as_integer().and_then(|n| u64::from_str_radix(n.as_str(), n.radix()).ok());
        number.filter(|n| range.contains(n)).ok_or_else(|| {
            format!("must be a whole number from {} to {}, not {}", range.start(), range.end(), self.found())
        })
    }

    /// A share of all, in millionths.
    fn millionths(&self) -> Result<u32, String> {
        let number = match self.0 {
            DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
            DeValue::Integer(number) => number.as_str().parse::<f64>().ok(),
            _ => None,
        };
        let share = number.filter(|share| (0.0..=1.0).contains(share));
        let share = share.ok_or_else(|| format!("must be a number from 0.0 to 1.0, not {}", self.found()))?;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was just checked")]
        let millionths = (share * 1e6).round() as u32;
        Ok(millionths)
    }

    fn count(&self, range: RangeInclusive<u64>) -> Result<usize, String> {
        usize::try_from(self.integer(range)?).map_err(|_| format!("{} is too large for this machine", self.found()))
    }

    fn megabytes(&self, range: RangeInclusive<u64>) -> Result<usize, String> {
        Ok(self.count(range)? << 20)
    }

    fn millis(&self, range: RangeInclusive<u64>) -> Result<Span, String> {
        self.integer(range).map(Span::from_millis)
    }

    fn seconds(&self, range: RangeInclusive<u64>) -> Result<Span, String> {
        self.integer(range).map(Span::from_secs)
    }

    /// Up to ten years, in hours; parts of an hour are possible, to the millisecond.
    fn hours(&self) -> Result<Span, String> {
        let number = match self.0 {
            DeValue::Integer(_) => self.integer(0..=MOST_HOURS).ok().map(|hours| hours as f64),
            DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
            _ => None,
        };
        let in_range = number.filter(|hours| (0.0..=MOST_HOURS as f64).contains(hours));
        let millis = |hours: f64| ((hours * HOUR_MS as f64).round() as u64).max(u64::from(hours > 0.0));
        let span = in_range.map(|hours| Span::from_millis(millis(hours)));
        span.ok_or_else(|| format!("must be a number of hours from 0 to {MOST_HOURS}, not {}", self.found()))
    }

    fn hours_or_unlimited(&self) -> Result<Span, String> {
        self.hours().map(|span| if span == Span::ZERO { UNLIMITED_RETENTION } else { span })
    }

    fn port(&self, lowest: u64) -> Result<u16, String> {
        let port = self.integer(lowest..=u64::from(u16::MAX))?;
        u16::try_from(port).map_err(|_| format!("{port} is not a port"))
    }

    fn host(&self) -> Result<String, String> {
        let host = self.text()?;
        check_host(host)?;
        Ok(if host.is_empty() { "0.0.0.0" } else { host }.to_string())
    }

    fn user(&self) -> Result<String, String> {
        let user = self.text()?;
        let length = user.chars().count();
        if (1..=32).contains(&length) {
            Ok(user.to_string())
        } else {
            Err(format!("must be a user name of 1 to 32 characters, not {}", self.found()))
        }
    }

    fn parsed<T: FromStr<Err = String>>(&self) -> Result<T, String> {
        self.text()?.parse()
    }

    fn optional(&self) -> Result<Option<HostPort>, String> {
        match self.text()? {
            "" => Ok(None),
            text => text.parse().map(Some),
        }
    }

    fn path(&self) -> Result<PathBuf, String> {
        match self.text()? {
            "" => Err("must be a path, not \"\"".to_string()),
            text => Ok(PathBuf::from(text)),
        }
    }

    fn optional_path(&self) -> Result<Option<PathBuf>, String> {
        let text = self.text()?;
        Ok((!text.is_empty()).then(|| PathBuf::from(text)))
    }

    fn list(&self) -> Result<Vec<HostPort>, String> {
        let array =
            self.0.as_array().ok_or_else(|| format!("must be a list of \"HOST:PORT\", not {}", self.found()))?;
        array.iter().map(|value| Item(value.get_ref()).parsed()).collect()
    }

    /// A wrong secret is not repeated in the message.
    fn secret(&self) -> Result<Secret, String> {
        match self.0.as_str() {
            Some(text) => Ok(Secret::new(text)),
            None => Err("must be a text in quotes".to_string()),
        }
    }
}
