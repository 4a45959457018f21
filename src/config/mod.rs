//! Configuration: defaults, then the TOML file, then the environment (secrets, and the name of an OTLP
//! collector), then flags; the last one wins.
//!
//! ```text
//!  built-in defaults ──> --config FILE.toml ──> MARMOT_* secrets ──> command line ──> check ──> Config
//!      settings              file, keys           load                 arguments      check
//! ```
//!
//! [`KEYS`] is the one list of what a file may say: name, how to read it, how to show it. The unknown-key message, the
//! `--check-config` listing and the test that `config.example.toml` documents everything all come from it, so that a
//! key cannot be added half. A wrong file yields *all* its problems at once, each with file, line and what would be
//! valid; nothing unknown is skipped, because a misspelt `cluster_secret` that is silently ignored is an open door.
//!
//! Left out on purpose: secrets as flags (everybody on the machine can read a command line) and reloading of anything but
//! certificates and the cluster secret (a node that is told something else is restarted; that takes less than a second).

mod address;
mod arguments;
mod check;
mod file;
mod keys;
mod load;
mod problem;
mod secret;
mod settings;

pub use address::HostPort;
pub use arguments::{Arguments, Command, NodeCommand};
pub use keys::{KEYS, Key};
pub use load::{Loaded, load};
pub use problem::{ConfigError, Problem};
pub use secret::Secret;
pub use settings::{
    Admin, Cluster, ClusterTls, ClusterTlsFiles, Config, DataDir, Ddl, LogFormat, LogLevel, Logging, Mysql, Otlp,
    Replication, Transaction, UNLIMITED_RETENTION,
};
