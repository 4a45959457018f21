//! The settings themselves: plain data with defaults, as the rest of the daemon reads them.

use super::address::HostPort;
use super::secret::Secret;
use crate::core;
use crate::types::{AutoIdMode, CollationRules, Limits, NodeId, ReadLevel, Span, WriteLevel};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// What `gc_max_retention_hours = 0` becomes: a hundred years, so that sums with clocks cannot overflow.
pub const UNLIMITED_RETENTION: Span = Span::from_secs(100 * 365 * 24 * 3600);

/// Added to `max_write_set_mb` to get the frame limit: room for the message around a write set.
const FRAME_OVERHEAD_BYTES: usize = 32 << 20;

/// The checked configuration of one node.
///
/// **Invariants** (established by `check`, relied upon by the shell)
/// - Whatever listens beyond loopback is protected by a secret (cluster), a password (MySQL) or a token (admin).
/// - [`Config::advertised`] is an address that others can connect to.
/// - `gossip_interval <= suspect_timeout < dead_timeout`, `retention_min <= retention_max`.
/// - [`Config::core`] passes `core::Config::check`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `None` (0 in the file): chosen at first start and kept in `marmot.db`.
    pub node_id: Option<NodeId>,
    pub data_dir: DataDir,
    pub cluster: Cluster,
    pub replication: Replication,
    pub transaction: Transaction,
    pub verify: Verify,
    pub mysql: Mysql,
    pub ddl: Ddl,
    pub admin: Admin,
    pub logging: Logging,
}

/// The data directory; a type of its own only for its default, `./marmot-data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir(pub PathBuf);

impl Default for DataDir {
    fn default() -> Self {
        DataDir(PathBuf::from("./marmot-data"))
    }
}

impl std::ops::Deref for DataDir {
    type Target = std::path::Path;
    fn deref(&self) -> &std::path::Path {
        &self.0
    }
}

/// `[cluster]`: how nodes find and trust each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Where peers' connections are accepted.
    pub listen: HostPort,
    /// What peers are told to connect to; `None`: the listen address.
    pub advertise: Option<HostPort>,
    /// Nodes to ask at first start. Empty: this node starts a new cluster. Own address is ignored.
    pub seeds: Vec<HostPort>,
    /// Shared by all nodes; a node without it learns nothing. Empty only on loopback.
    pub secret: Secret,
    /// The one before, taken too while it is being replaced. Empty: no other is taken.
    pub secret_previous: Secret,
    /// Whether nodes speak TLS with each other; the same on all.
    pub tls: ClusterTls,
    /// The certificates of TLS between nodes; `None`: the secret alone says who belongs to the cluster.
    pub tls_files: Option<ClusterTlsFiles>,
    /// Between SWIM probes.
    pub gossip_interval: Span,
    /// Silence after which a peer is suspected. At least one probe must have failed by then.
    pub suspect_timeout: Span,
    /// Silence after which a suspected peer counts as dead. Death never takes away a vote.
    pub dead_timeout: Span,
    /// A remote clock further ahead than this is not followed.
    pub max_clock_offset: Span,
    /// SIGTERM is for good: the others take this node's vote first.
    pub leave_on_stop: bool,
}

impl Default for Cluster {
    fn default() -> Self {
        let timing = core::Timing::default();
        let suspect_timeout = timing.probe_interval.times(2);
        Cluster {
            listen: HostPort::new("127.0.0.1", 8081),
            advertise: None,
            seeds: Vec::new(),
            secret: Secret::default(),
            secret_previous: Secret::default(),
            tls: ClusterTls::default(),
            tls_files: None,
            gossip_interval: timing.probe_interval,
            suspect_timeout,
            dead_timeout: Span(suspect_timeout.0 + timing.suspect_after.0),
            max_clock_offset: timing.max_clock_offset,
            leave_on_stop: false,
        }
    }
}

/// Whether nodes speak TLS with each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClusterTls {
    /// If there is a cluster secret, or there are certificates.
    #[default]
    Auto,
    On,
    Off,
}

impl ClusterTls {
    pub const NAMES: [(&'static str, ClusterTls); 3] =
        [("auto", ClusterTls::Auto), ("on", ClusterTls::On), ("off", ClusterTls::Off)];
}

/// PEM files for TLS between nodes. A path that was not given is empty, which `check` refuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterTlsFiles {
    /// Certificates of the authority that signs for nodes.
    pub ca: PathBuf,
    /// This node's chain, leaf first: for the host that others dial, for server and client authentication.
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// `[replication]`: what reads and writes promise unless a session says otherwise, and how long the log is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replication {
    pub write_level: WriteLevel,
    pub read_level: ReadLevel,
    /// A write that cannot be decided within this is aborted if it still can be, else reported as unknown.
    pub write_timeout: Span,
    /// A QUORUM or ALL read whose barrier takes longer is refused.
    pub read_timeout: Span,
    /// An intent of which nothing was heard for this long makes its holder inquire, then recover the transaction.
    pub recover_after: Span,
    /// Log records are kept at least this long after they were applied everywhere.
    pub retention_min: Span,
    /// Log records that a majority holds are dropped after this even if a dead member lacks them, which then needs a
    /// snapshot; of what was written since it was heard, the last writes of each row stay.
    pub retention_max: Span,
    /// How fast this node sends a snapshot to one that joins, at most; 0: as fast as it goes.
    pub snapshot_bytes_per_second: u64,
}

impl Default for Replication {
    fn default() -> Self {
        let timing = core::Timing::default();
        Replication {
            write_level: WriteLevel::default(),
            read_level: ReadLevel::default(),
            write_timeout: timing.write_timeout,
            read_timeout: timing.read_timeout,
            recover_after: timing.recover_after,
            retention_min: timing.retention_min,
            retention_max: timing.retention_max,
            snapshot_bytes_per_second: 0,
        }
    }
}

/// `[transaction]`: bounds on one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// How long an autocommit statement is retried against conflicting ones before MySQL error 1205.
    pub lock_wait_timeout: Span,
    /// A transaction older than this is rolled back: its snapshot keeps the write-ahead log from being reset.
    pub max_age: Span,
    /// Largest write set; a larger transaction is refused with MySQL error 1197. The same on all nodes, since the
    /// frame limit follows from it.
    pub max_write_set_bytes: usize,
}

impl Default for Transaction {
    fn default() -> Self {
        Transaction {
            lock_wait_timeout: Span::from_secs(50),
            max_age: Span::from_secs(600),
            max_write_set_bytes: Limits::default().write_set_bytes,
        }
    }
}

/// `[verify]`: comparing this node's rows with the others', in the background.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verify {
    /// Between the beginnings of two passes through all tables; zero: only when asked to. Other nodes are answered in any case.
    pub interval: Span,
    /// Rows compared in a second at most; 0: as fast as it goes.
    pub rows_per_second: u64,
}

impl Default for Verify {
    fn default() -> Self {
        Verify { interval: Span::from_secs(3600), rows_per_second: 20_000 }
    }
}

/// `[mysql]`: the front that clients speak to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mysql {
    /// Port 0 lets the system choose one; it is then said in the log.
    pub listen: HostPort,
    /// A Unix socket besides TCP.
    pub unix_socket: Option<PathBuf>,
    pub max_connections: usize,
    /// For a login, from the first byte to the last.
    pub connect_timeout: Span,
    /// Interrupted logins of one address within a minute after which it is refused for the rest of that minute.
    pub max_connect_errors: usize,
    pub auto_id_mode: AutoIdMode,
    /// How texts compare where a table does not say, and what new tables say.
    pub collations: CollationRules,
    pub user: String,
    /// Empty only on loopback.
    pub password: Secret,
    /// PEM files, both or none. None: a self-signed certificate is made and kept in the data directory.
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    /// Refuse TCP clients that do not use TLS.
    pub require_tls: bool,
    /// The directory whose files statements may name. None: no file.
    pub secure_file_priv: Option<PathBuf>,
    /// An idle connection is closed after this.
    pub wait_timeout: Span,
    /// Largest packet accepted from a client.
    pub max_allowed_packet_bytes: usize,
}

impl Default for Mysql {
    fn default() -> Self {
        Mysql {
            listen: HostPort::new("127.0.0.1", 3306),
            unix_socket: None,
            max_connections: 1000,
            connect_timeout: Span::from_secs(10),
            max_connect_errors: 100,
            auto_id_mode: AutoIdMode::default(),
            collations: CollationRules::default(),
            user: "root".to_string(),
            password: Secret::default(),
            tls_cert: None,
            tls_key: None,
            require_tls: false,
            secure_file_priv: None,
            wait_timeout: Span::from_secs(28_800),
            max_allowed_packet_bytes: 64 << 20,
        }
    }
}

/// `[ddl]`: schema changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ddl {
    /// A schema lock that its holder does not use for this long is given up.
    pub lock_timeout: Span,
}

impl Default for Ddl {
    fn default() -> Self {
        Ddl { lock_timeout: core::Timing::default().schema_lock }
    }
}

/// `[admin]`: what people and programs that watch the node ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admin {
    /// `None`: nobody listens. Port 0 lets the system choose one; it is then said in the log.
    pub listen: Option<HostPort>,
    /// Who reads more than whether the node lives must have it. Empty only on loopback.
    pub token: Secret,
}

/// `[logging]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    pub level: LogLevel,
    pub format: LogFormat,
    /// The values of the variables `slow_query_log` and `long_query_time` at start.
    pub slow_query_log: bool,
    pub long_query_time: Span,
    pub otlp: Otlp,
}

impl Default for Logging {
    fn default() -> Self {
        let (level, format, otlp) = Default::default();
        Logging { level, format, slow_query_log: false, long_query_time: Span::from_secs(10), otlp }
    }
}

/// Where spans of transactions are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otlp {
    /// The URL of an OpenTelemetry collector for HTTP, without the path of a signal. Empty: nowhere.
    pub endpoint: String,
    /// Of a million transactions so many are followed. The same on all nodes, else spans of some are missing.
    pub sampled_millionths: u32,
}

impl Default for Otlp {
    fn default() -> Self {
        Otlp { endpoint: String::new(), sampled_millionths: 1_000_000 }
    }
}

/// From how serious on a thing is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    pub const NAMES: [(&'static str, LogLevel); 5] = [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One line for people.
    #[default]
    Console,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    pub const NAMES: [(&'static str, LogFormat); 2] = [("console", LogFormat::Console), ("json", LogFormat::Json)];
}

macro_rules! named {
    ($type:ty) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let name = Self::NAMES.iter().find(|(_, value)| value == self).map_or("", |(name, _)| name);
                f.write_str(name)
            }
        }
        impl FromStr for $type {
            type Err = String;
            /// Case-insensitive; the error lists the valid names.
            fn from_str(text: &str) -> Result<Self, String> {
                let found = Self::NAMES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
                found.map(|(_, value)| *value).ok_or_else(|| {
                    let names: Vec<&str> = Self::NAMES.iter().map(|(name, _)| *name).collect();
                    format!("'{text}' is not one of {}", names.join(", "))
                })
            }
        }
    };
}
named!(ClusterTls);
named!(LogLevel);
named!(LogFormat);

impl Config {
    /// Where peers reach this node.
    pub fn advertised(&self) -> &HostPort {
        self.cluster.advertise.as_ref().unwrap_or(&self.cluster.listen)
    }

    /// Whether nodes speak TLS with each other.
    pub fn encrypts_between_nodes(&self) -> bool {
        match self.cluster.tls {
            ClusterTls::Auto => !self.cluster.secret.is_empty() || self.cluster.tls_files.is_some(),
            ClusterTls::On => true,
            ClusterTls::Off => false,
        }
    }

    /// Whether the node joins a cluster through somebody else, rather than beginning one.
    pub fn joins(&self) -> bool {
        self.cluster.seeds.iter().any(|seed| seed != self.advertised())
    }

    /// What the core is told, once the shell knows this node's identity.
    pub fn core(&self, node: NodeId) -> core::Config {
        let address = |a: &HostPort| -> core::Address { Arc::from(a.to_string()) };
        let own = self.advertised();
        let seeds = self.cluster.seeds.iter().filter(|seed| *seed != own).map(address).collect();
        let mut core = core::Config::new(node, address(own), seeds);
        core.limits.write_set_bytes = self.transaction.max_write_set_bytes;
        core.limits.frame_bytes = self.transaction.max_write_set_bytes + FRAME_OVERHEAD_BYTES;
        let timing = &mut core.timing;
        timing.probe_interval = self.cluster.gossip_interval;
        // The core counts from the failed probe on, a person from the last sign of life.
        timing.suspect_after = Span(self.cluster.dead_timeout.0.saturating_sub(self.cluster.suspect_timeout.0));
        timing.max_clock_offset = self.cluster.max_clock_offset;
        timing.write_timeout = self.replication.write_timeout;
        timing.read_timeout = self.replication.read_timeout;
        timing.recover_after = self.replication.recover_after;
        timing.retention_min = self.replication.retention_min;
        timing.retention_max = self.replication.retention_max;
        timing.schema_lock = self.ddl.lock_timeout;
        core
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_core_s_defaults() {
        let core = Config::default().core(NodeId(1));
        assert_eq!(core.timing, core::Timing::default());
        assert_eq!(core.limits, Limits::default());
        assert_eq!(core.check(), Ok(()));
    }

    #[test]
    fn the_own_address_is_no_seed() {
        let mut config = Config::default();
        config.cluster.seeds = vec![HostPort::new("127.0.0.1", 8081), HostPort::new("127.0.0.1", 8082)];
        let seeds = config.core(NodeId(1)).seeds;
        assert_eq!(seeds.iter().map(|s| s.to_string()).collect::<Vec<_>>(), ["127.0.0.1:8082"]);
    }
}
