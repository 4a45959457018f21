//! Putting the layers of configuration on top of each other.

use super::arguments::Arguments;
use super::check;
use super::file;
use super::keys::KEYS;
use super::problem::{ConfigError, Problem};
use super::secret::Secret;
use super::settings::Config;
use std::collections::BTreeMap;
use std::fmt;

/// Where the value of a key came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    File { file: String, line: usize },
    Environment(&'static str),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { file, line } => write!(f, "{file}:{line}"),
            Origin::Environment(name) => write!(f, "environment variable {name}"),
            Origin::Flag(name) => write!(f, "{name}"),
        }
    }
}

/// The origin of every key that is not at its default.
#[derive(Clone, Debug, Default)]
pub struct Origins(BTreeMap<&'static str, Origin>);

impl Origins {
    pub(super) fn set(&mut self, key: &'static str, origin: Origin) {
        debug_assert!(KEYS.iter().any(|k| k.path == key), "origins are kept for keys of the table: {key}");
        self.0.insert(key, origin);
    }

    pub(super) fn get(&self, key: &str) -> Option<&Origin> {
        self.0.get(key)
    }

    /// An alias of `key` that was set instead of it.
    fn of_alias(&self, key: &str) -> Option<&Origin> {
        match key {
            "cluster.listen_address" => self.get("cluster.grpc_port").or_else(|| self.get("cluster.grpc_bind_address")),
            "cluster.advertise_address" => self.get("cluster.grpc_advertise_address"),
            _ => None,
        }
    }

    /// The place of the first of `keys` that was set, for a message about all of them.
    pub(super) fn place(&self, keys: &[&str]) -> String {
        keys.iter()
            .find_map(|key| self.get(key).or_else(|| self.of_alias(key)))
            .map(Origin::to_string)
            .unwrap_or_default()
    }
}

/// A configuration that passed every check.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// Things that work but deserve a look; to be logged as warnings.
    pub notes: Vec<String>,
    origins: Origins,
}

impl fmt::Display for Loaded {
    /// The configuration in force as a TOML file, each line with its origin. Secrets are hidden.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut section = "";
        for key in KEYS.iter().filter(|key| !key.alias) {
            let (of, name) = key.path.split_once('.').unwrap_or(("", key.path));
            if of != section {
                writeln!(f, "\n[{of}]")?;
                section = of;
            }
            let origin = self.origins.get(key.path).or_else(|| self.origins.of_alias(key.path));
            let origin = origin.map_or_else(|| "default".to_string(), Origin::to_string);
            writeln!(f, "{:<60} # {origin}", format!("{name} = {}", (key.show)(&self.config)))?;
        }
        Ok(())
    }
}

/// Reads the file named by `arguments`, then secrets and the standard name of an OTLP collector through `environment` (a function from a variable's name to its
/// value, so that tests need not change the process), then the other flags, and checks the result.
pub fn load(arguments: &Arguments, environment: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, ConfigError> {
    let mut config = Config::default();
    let mut origins = Origins::default();
    let mut problems = Vec::new();
    if let Some(path) = &arguments.config {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| Problem::new(&name, format!("cannot be read: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = error.as_bytes().iter().take(error.utf8_error().valid_up_to()).filter(|b| **b == b'\n').count();
            Problem::new(format!("{name}:{}", line + 1), "the file is not UTF-8 text")
        })?;
        problems = file::read(&name, &text, &mut config, &mut origins);
    }
    for (variable, key, target) in [
        ("MARMOT_CLUSTER_SECRET", "cluster.cluster_secret", &mut config.cluster.secret as &mut Secret),
        ("MARMOT_CLUSTER_SECRET_PREVIOUS", "cluster.cluster_secret_previous", &mut config.cluster.secret_previous),
        ("MARMOT_MYSQL_PASSWORD", "mysql.password", &mut config.mysql.password),
        ("MARMOT_ADMIN_TOKEN", "admin.token", &mut config.admin.token),
    ] {
        if let Some(value) = environment(variable) {
            *target = Secret::new(value);
            origins.set(key, Origin::Environment(variable));
        }
    }
    const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    if let Some(value) = environment(ENDPOINT) {
        config.logging.otlp.endpoint = value;
        origins.set("logging.otlp_endpoint", Origin::Environment(ENDPOINT));
    }
    arguments.apply(&mut config, &mut origins);
    // Relations between values that were refused would only confuse.
    if problems.is_empty() {
        problems = check::problems(&config, &origins);
    }
    if problems.is_empty() {
        let notes = check::notes(&config, &origins);
        Ok(Loaded { config, notes, origins })
    } else {
        Err(ConfigError { problems })
    }
}
