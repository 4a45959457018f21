//! Rules between settings. Every message says what to do.

use super::address::HostPort;
use super::load::Origins;
use super::problem::Problem;
use super::settings::{ClusterTls, Config};
use crate::types::NodeId;
use std::path::Path;

/// The longest path of a Unix socket, in bytes (`sun_path` is 108 with its closing zero).
const UNIX_SOCKET_PATH_MAX: usize = 107;

/// A shorter cluster secret can be guessed.
const SECRET_LENGTH_ADVISED: usize = 16;

/// Everything that keeps this configuration from being used.
pub(super) fn problems(config: &Config, origins: &Origins) -> Vec<Problem> {
    let mut found = Found { origins, problems: Vec::new() };
    exposure(config, &mut found);
    secrets(config, &mut found);
    cluster_tls(config, &mut found);
    reachability(config, &mut found);
    relations(config, &mut found);
    files(config, &mut found);
    collector(&config.logging.otlp.endpoint, &mut found);
    if found.problems.is_empty()
        && let Err(why) = config.core(NodeId(1)).check()
    {
        found.add(&[], why);
    }
    found.problems
}

struct Found<'a> {
    origins: &'a Origins,
    problems: Vec<Problem>,
}

impl Found<'_> {
    /// `keys` are what the message is about; the first one that was set gives the place.
    fn add(&mut self, keys: &[&str], message: impl Into<String>) {
        self.problems.push(Problem::new(self.origins.place(keys), message));
    }
}

/// Nothing listens beyond this machine without a secret.
fn exposure(config: &Config, found: &mut Found<'_>) {
    let (mysql, cluster) = (&config.mysql, &config.cluster);
    if !mysql.listen.is_loopback() && mysql.password.is_empty() {
        found.add(
            &["mysql.bind_address"],
            format!(
                "MySQL clients on {} could connect without a password: set mysql.password (or the environment variable \
                 MARMOT_MYSQL_PASSWORD), or listen on 127.0.0.1",
                mysql.listen
            ),
        );
    }
    if let Some(listen) = &config.admin.listen
        && !listen.is_loopback()
        && config.admin.token.is_empty()
    {
        found.add(
            &["admin.address"],
            format!(
                "any machine that reaches {listen} could read what this node does: set admin.token (or the environment \
                 variable MARMOT_ADMIN_TOKEN), or listen on 127.0.0.1"
            ),
        );
    }
    if !cluster.listen.is_loopback() && cluster.secret.is_empty() {
        found.add(
            &["cluster.listen_address"],
            format!(
                "any machine that reaches {} could join the cluster and read everything: set cluster.cluster_secret (or \
                 the environment variable MARMOT_CLUSTER_SECRET), the same on all nodes, or listen on 127.0.0.1",
                cluster.listen
            ),
        );
    }
}

/// Of two secrets the current one is there, and is another.
fn secrets(config: &Config, found: &mut Found<'_>) {
    const KEY: &str = "cluster.cluster_secret_previous";
    let (current, previous) = (&config.cluster.secret, &config.cluster.secret_previous);
    if !previous.is_empty() && current.is_empty() {
        found.add(
            &[KEY],
            format!("{KEY} is set and cluster.cluster_secret is not: nodes prove themselves with the latter"),
        );
    } else if !previous.is_empty() && current == previous {
        found.add(&[KEY], format!("{KEY} is cluster.cluster_secret: remove it, or set a new cluster.cluster_secret"));
    }
}

/// TLS between nodes has something to tell members from strangers by.
fn cluster_tls(config: &Config, found: &mut Found<'_>) {
    let cluster = &config.cluster;
    if let Some(files) = &cluster.tls_files {
        let given = [("cluster.tls_ca", &files.ca), ("cluster.tls_cert", &files.cert), ("cluster.tls_key", &files.key)];
        if given.iter().any(|(_, path)| path.as_os_str().is_empty()) {
            found.add(
                &given.map(|(key, _)| key),
                "cluster.tls_ca, cluster.tls_cert and cluster.tls_key belong together: set all, or none for TLS by the secret \
                 alone",
            );
        } else {
            given.iter().for_each(|(key, path)| readable(key, path, found));
        }
        if cluster.tls == ClusterTls::Off {
            found.add(
                &["cluster.tls"],
                "cluster.tls is \"off\", but there are certificates for it: remove one of the two",
            );
        }
    } else if cluster.tls == ClusterTls::On && cluster.secret.is_empty() {
        found.add(
            &["cluster.tls"],
            "TLS between nodes that have neither a secret nor certificates keeps nobody out: set cluster.cluster_secret (or the \
             environment variable MARMOT_CLUSTER_SECRET), or cluster.tls_ca, cluster.tls_cert and cluster.tls_key",
        );
    }
}

fn readable(key: &str, path: &Path, found: &mut Found<'_>) {
    if let Err(error) = std::fs::File::open(path) {
        found.add(&[key], format!("{key}: {} cannot be read: {error}", path.display()));
    }
}

/// Peers can connect to what they are told.
fn reachability(config: &Config, found: &mut Found<'_>) {
    let cluster = &config.cluster;
    let keys = ["cluster.advertise_address", "cluster.listen_address"];
    let own = config.advertised();
    if cluster.listen.port == 0 {
        found.add(
            &["cluster.listen_address"],
            "the cluster address needs a fixed port, because other nodes remember it",
        );
    }
    if own.is_unspecified() {
        let message = match &cluster.advertise {
            Some(address) => format!("nobody can connect to {address}: advertise an address of this machine"),
            None => format!(
                "listening on all interfaces ({}), so other nodes must be told where to connect: set \
                 cluster.advertise_address (--advertise-addr) to an address of this machine",
                cluster.listen
            ),
        };
        found.add(&keys, message);
    } else if own.port == 0 && cluster.listen.port != 0 {
        found.add(&keys, "the advertised address needs a port");
    }
    for seed in &cluster.seeds {
        if seed.port == 0 || seed.is_unspecified() {
            found.add(&["cluster.seed_nodes"], format!("nobody can connect to the seed {seed}"));
        } else if own.is_loopback() && !seed.is_loopback() {
            found.add(
                &["cluster.seed_nodes"],
                format!(
                    "the seed {seed} is another machine, but it cannot connect back to {own}: set cluster.listen_address \
                     (--cluster-addr) and, if that is all interfaces, cluster.advertise_address (--advertise-addr)"
                ),
            );
        }
    }
    if let Some(admin) = &config.admin.listen
        && (admin.overlaps(&config.mysql.listen) || admin.overlaps(&cluster.listen))
    {
        let message = format!("the admin address {admin} needs a port of its own, not that of nodes or MySQL clients");
        found.add(&["admin.address"], message);
    }
    if cluster.listen.overlaps(&config.mysql.listen) {
        found.add(
            &["cluster.listen_address", "mysql.port"],
            format!("nodes ({}) and MySQL clients ({}) need different ports", cluster.listen, config.mysql.listen),
        );
    }
}

/// Values that only make sense together.
fn relations(config: &Config, found: &mut Found<'_>) {
    let c = &config.cluster;
    let (gossip, suspect, dead) = (c.gossip_interval, c.suspect_timeout, c.dead_timeout);
    if suspect < gossip {
        found.add(
            &["cluster.suspect_timeout_ms", "cluster.gossip_interval_ms"],
            format!(
                "cluster.suspect_timeout_ms ({}) must be at least cluster.gossip_interval_ms ({}): before that no probe \
                 can have failed",
                suspect.as_millis(),
                gossip.as_millis()
            ),
        );
    }
    if dead.0 < suspect.0.saturating_add(gossip.0) {
        found.add(
            &["cluster.dead_timeout_ms", "cluster.suspect_timeout_ms"],
            format!(
                "cluster.dead_timeout_ms ({}) must exceed cluster.suspect_timeout_ms ({}) by at least \
                 cluster.gossip_interval_ms ({}): a suspected node needs time to object",
                dead.as_millis(),
                suspect.as_millis(),
                gossip.as_millis()
            ),
        );
    }
    let r = &config.replication;
    if r.retention_min > r.retention_max {
        found.add(
            &["replication.gc_min_retention_hours", "replication.gc_max_retention_hours"],
            "replication.gc_min_retention_hours must not exceed replication.gc_max_retention_hours (0 there means \
             unlimited)",
        );
    }
    if r.recover_after >= r.write_timeout {
        found.add(
            &["replication.recover_after_ms", "replication.write_timeout_ms"],
            format!(
                "replication.recover_after_ms ({}) must be below replication.write_timeout_ms ({}): else writes time out \
                 before a transaction in their way is recovered",
                r.recover_after.as_millis(),
                r.write_timeout.as_millis()
            ),
        );
    }
    let m = &config.mysql;
    if m.tls_cert.is_some() != m.tls_key.is_some() {
        found.add(
            &["mysql.tls_cert", "mysql.tls_key"],
            "mysql.tls_cert and mysql.tls_key belong together: set both, or none for a self-signed certificate",
        );
    }
}

/// Paths that cannot work.
fn files(config: &Config, found: &mut Found<'_>) {
    if config.data_dir.exists() && !config.data_dir.is_dir() {
        found.add(&["data_dir"], format!("the data directory {} is not a directory", config.data_dir.display()));
    }
    for (key, path) in [("mysql.tls_cert", &config.mysql.tls_cert), ("mysql.tls_key", &config.mysql.tls_key)] {
        if let Some(path) = path {
            readable(key, path, found);
        }
    }
    if let Some(path) = &config.mysql.secure_file_priv {
        const KEY: &str = "mysql.secure_file_priv";
        let data = std::path::absolute(&*config.data_dir).unwrap_or_default();
        let data = data.canonicalize().unwrap_or(data);
        match path.canonicalize() {
            Ok(resolved) if path.is_absolute() && resolved.is_dir() => {
                if data.starts_with(&resolved) {
                    let what = "holds the data directory, which no statement may read or write: name another";
                    found.add(&[KEY, "data_dir"], format!("{KEY}: {} {what}", path.display()));
                }
            }
            _ => found.add(&[KEY], format!("{KEY}: {} is no absolute path of a directory", path.display())),
        }
    }
    if let Some(path) = &config.mysql.unix_socket {
        let length = path.as_os_str().len();
        if length > UNIX_SOCKET_PATH_MAX {
            found.add(
                &["mysql.unix_socket"],
                format!("the path of a Unix socket has at most {UNIX_SOCKET_PATH_MAX} bytes, this one has {length}"),
            );
        }
    }
}

/// Spans go where they can be sent, and no credentials lie about in an address that logs show.
fn collector(endpoint: &str, found: &mut Found<'_>) {
    const KEY: &str = "logging.otlp_endpoint";
    if endpoint.is_empty() {
        return;
    }
    if cfg!(any(madsim, not(feature = "otlp"))) {
        return found.add(&[KEY], format!("{KEY}: this program was built without the feature \"otlp\""));
    }
    let rest = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
    let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if host.contains('@') {
        let message = "must not hold a user or password, for it is logged: set the environment variable \
                       OTEL_EXPORTER_OTLP_HEADERS to \"authorization=...\"";
        found.add(&[KEY], format!("{KEY} {message}"));
    } else if host.is_empty() || endpoint.contains(|c: char| c.is_whitespace() || matches!(c, '?' | '#')) {
        found.add(&[KEY], format!("{KEY} must be a URL as http://127.0.0.1:4318, not {endpoint:?}"));
    }
}

/// What works but deserves a look.
pub(super) fn notes(config: &Config, origins: &Origins) -> Vec<String> {
    let mut notes = Vec::new();
    let secret = config.cluster.secret.expose();
    if !secret.is_empty() && secret.len() < SECRET_LENGTH_ADVISED {
        notes.push(format!(
            "cluster.cluster_secret is shorter than {SECRET_LENGTH_ADVISED} characters and may be guessed"
        ));
    }
    for key in ["cluster.cluster_secret", "cluster.cluster_secret_previous", "mysql.password", "admin.token"] {
        if let Some(super::load::Origin::File { file, .. }) = origins.get(key)
            && readable_by_others(Path::new(file))
        {
            notes
                .push(format!("{file} contains {key} and can be read by every user of this machine: chmod 600 {file}"));
        }
    }
    let of_nodes = config.cluster.tls_files.as_ref().map(|files| &files.key);
    for (key, path) in [("mysql.tls_key", config.mysql.tls_key.as_ref()), ("cluster.tls_key", of_nodes)] {
        if let Some(path) = path.filter(|path| readable_by_others(path)) {
            notes.push(format!(
                "{key}: {0} is a private key and can be read by other users of this machine: chmod 600 {0}",
                path.display()
            ));
        }
    }
    let lists_self = |seeds: &[HostPort]| !seeds.is_empty() && seeds.iter().all(|seed| seed == config.advertised());
    if lists_self(&config.cluster.seeds) {
        notes.push(
            "the only seed is this node itself, so it starts a new cluster if its data directory is empty".to_string(),
        );
    }
    if !config.cluster.listen.is_loopback() && !config.encrypts_between_nodes() {
        notes.push(format!(
            "nodes speak on {} without encryption; cluster.tls = \"auto\" or \"on\" encrypts, on all nodes alike",
            config.cluster.listen
        ));
    }
    if !config.mysql.listen.is_loopback() && !config.mysql.require_tls {
        notes.push(format!(
            "MySQL clients on {} may connect without TLS; mysql.require_tls = true refuses them",
            config.mysql.listen
        ));
    }
    notes
}

fn readable_by_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|data| data.permissions().mode() & 0o044 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use crate::types::Span;

    /// The messages for the default configuration changed by `change`.
    fn told(change: impl Fn(&mut Config)) -> Vec<String> {
        let mut config = Config::default();
        change(&mut config);
        problems(&config, &Origins::default()).iter().map(Problem::to_string).collect()
    }

    fn at(text: &str) -> HostPort {
        text.parse().expect("a valid address")
    }

    /// Exactly one problem, and it contains `part`.
    fn refused(part: &str, change: impl Fn(&mut Config)) {
        let told = told(change);
        assert!(told.len() == 1 && told[0].contains(part), "expected one problem with {part:?}, got {told:?}");
    }

    #[test]
    fn the_default_is_valid() {
        assert_eq!(told(|_| ()), [""; 0]);
        assert_eq!(notes(&Config::default(), &Origins::default()), [""; 0]);
    }

    #[test]
    fn listening_beyond_loopback_needs_secrets() {
        refused("MARMOT_MYSQL_PASSWORD", |c| c.mysql.listen = at("0.0.0.0:3306"));
        refused("MARMOT_CLUSTER_SECRET", |c| c.cluster.listen = at("10.0.0.1:8081"));
        refused("MARMOT_ADMIN_TOKEN", |c| c.admin.listen = Some(at("0.0.0.0:9090")));
        assert_eq!(
            told(|c| {
                c.mysql.listen = at("0.0.0.0:3306");
                c.mysql.password = Secret::new("p");
                c.cluster.listen = at("10.0.0.1:8081");
                c.cluster.secret = Secret::new("s");
                c.admin.listen = Some(at("0.0.0.0:9090"));
                c.admin.token = Secret::new("t");
            }),
            [""; 0]
        );
    }

    #[test]
    fn a_previous_secret_has_a_successor() {
        refused("cluster.cluster_secret is not", |c| c.cluster.secret_previous = Secret::new("old"));
        refused("set a new cluster.cluster_secret", |c| {
            c.cluster.secret = Secret::new("old");
            c.cluster.secret_previous = Secret::new("old");
        });
        let both = |c: &mut Config| {
            c.cluster.secret = Secret::new("new");
            c.cluster.secret_previous = Secret::new("old");
        };
        assert_eq!(told(both), [""; 0]);
    }

    #[test]
    fn peers_must_be_able_to_connect() {
        let open = |c: &mut Config| {
            c.cluster.listen = at("0.0.0.0:8081");
            c.cluster.secret = Secret::new("s");
        };
        refused("--advertise-addr", open);
        refused("nobody can connect to 0.0.0.0:1", |c| {
            open(c);
            c.cluster.advertise = Some(at("0.0.0.0:1"));
        });
        refused("cannot connect back to 127.0.0.1:8081", |c| c.cluster.seeds = vec![at("10.0.0.9:8081")]);
        refused("seed 0.0.0.0:1", |c| c.cluster.seeds = vec![at(":1")]);
        refused("fixed port", |c| c.cluster.listen = at("127.0.0.1:0"));
        refused("different ports", |c| c.mysql.listen = at("localhost:8081"));
        refused("a port of its own", |c| c.admin.listen = Some(at("127.0.0.1:3306")));
    }

    #[test]
    fn timeouts_must_be_in_order() {
        refused("suspect_timeout_ms (500) must be at least", |c| c.cluster.suspect_timeout = Span::from_millis(500));
        refused("dead_timeout_ms (2000) must exceed", |c| c.cluster.dead_timeout = Span::from_millis(2000));
        refused("gc_min_retention_hours must not exceed", |c| c.replication.retention_min = Span::from_secs(90_000));
        refused("recover_after_ms (5000) must be below", |c| c.replication.recover_after = Span::from_millis(5000));
    }

    #[test]
    fn files_must_make_sense() {
        refused("belong together", |c| c.mysql.tls_cert = Some("/dev/null".into()));
        refused("mysql.tls_key: /nowhere/key.pem cannot be read", |c| {
            c.mysql.tls_cert = Some("/dev/null".into());
            c.mysql.tls_key = Some("/nowhere/key.pem".into());
        });
        refused("is no absolute path of a directory", |c| c.mysql.secure_file_priv = Some("/dev/null".into()));
        refused("holds the data directory", |c| {
            c.data_dir.0 = "/tmp/marmot-data".into();
            c.mysql.secure_file_priv = Some("/tmp".into());
        });
        refused("is not a directory", |c| c.data_dir.0 = "/dev/null".into());
        refused("at most 107 bytes", |c| c.mysql.unix_socket = Some("x".repeat(108).into()));
    }

    #[test]
    #[cfg(all(feature = "otlp", not(madsim)))]
    fn a_collector_has_an_address_without_credentials() {
        let at = |endpoint: &'static str| move |c: &mut Config| c.logging.otlp.endpoint = endpoint.into();
        refused("must be a URL", at("127.0.0.1:4318"));
        refused("must be a URL", at("http:///v1"));
        let told = told(at("https://user:tiger@collector:4318"));
        assert!(told.len() == 1 && told[0].contains("OTLP_HEADERS") && !told[0].contains("tiger"), "{told:?}");
        assert_eq!(super::tests::told(at("https://collector/base")), [""; 0]);
    }

    #[test]
    fn tls_between_nodes_has_something_to_go_by() {
        let files = |ca: &str| {
            let file = |path: &str| std::path::PathBuf::from(path);
            Some(crate::config::ClusterTlsFiles { ca: file(ca), cert: file("/dev/null"), key: file("/dev/null") })
        };
        refused("keeps nobody out", |c| c.cluster.tls = ClusterTls::On);
        refused("belong together", |c| c.cluster.tls_files = files(""));
        refused("cluster.tls_ca: /nowhere cannot be read", |c| c.cluster.tls_files = files("/nowhere"));
        refused("remove one of the two", |c| {
            c.cluster.tls_files = files("/dev/null");
            c.cluster.tls = ClusterTls::Off;
        });
        let mut config = Config::default();
        assert!(!config.encrypts_between_nodes());
        config.cluster.secret = Secret::new("a secret of the cluster");
        assert!(config.encrypts_between_nodes());
        assert!(notes(&config, &Origins::default()).is_empty());
        config.cluster.tls = ClusterTls::Off;
        config.cluster.listen = at("10.0.0.1:8081");
        let notes = notes(&config, &Origins::default());
        assert!(notes.len() == 1 && notes[0].contains("without encryption"), "{notes:?}");
    }

    #[test]
    fn a_key_that_others_can_read_is_noted() {
        use std::os::unix::fs::PermissionsExt;
        let key = tempfile::NamedTempFile::new().expect("a file");
        let mut config = Config::default();
        config.mysql.tls_key = Some(key.path().to_path_buf());
        for (mode, noted) in [(0o600, 0), (0o644, 1)] {
            std::fs::set_permissions(key.path(), std::fs::Permissions::from_mode(mode)).expect("our file");
            assert_eq!(notes(&config, &Origins::default()).len(), noted, "{mode:o}");
        }
    }

    #[test]
    fn weak_choices_are_noted() {
        let mut config = Config::default();
        config.cluster.secret = Secret::new("short");
        config.cluster.seeds = vec![at("127.0.0.1:8081")];
        let notes = notes(&config, &Origins::default());
        assert!(
            notes.len() == 2 && notes[0].contains("shorter than 16") && notes[1].contains("new cluster"),
            "{notes:?}"
        );
        assert!(!notes[0].contains("short "), "the secret itself is not shown: {notes:?}");
    }
}
