//! What SIGHUP has read anew: certificates, and the cluster secret. Everything else takes a restart.

use super::keyring::Keyring;
use crate::config::Config;
use crate::session::Server;

/// Reads the configuration again.
pub type ReadAgain<'a> = &'a dyn Fn() -> Result<Config, String>;

/// Reads what can be read anew; what cannot be used is said in the log, and the old stays.
pub fn reload(server: &Server, keys: &Keyring, started_with: &Config, again: ReadAgain<'_>) {
    match server.doors().map(|doors| doors.reload_tls()) {
        Some(Err(why)) => tracing::error!("SIGHUP: certificates were not read anew, the old ones stay: {why}"),
        Some(Ok(())) | None => tracing::info!("SIGHUP: certificates read anew"),
    }
    match secrets(keys, started_with, again) {
        Ok(said) => tracing::info!("SIGHUP: {said}"),
        Err(why) => {
            tracing::error!("SIGHUP: the cluster secret stays as it is: {}", why.trim_end().replace('\n', "; "));
        }
    }
}

fn secrets(keys: &Keyring, started_with: &Config, again: ReadAgain<'_>) -> Result<&'static str, String> {
    let new = again()?.cluster;
    if new.secret.is_empty() != started_with.cluster.secret.is_empty() {
        return Err("to set a first one or to do without takes a restart of all nodes".to_string());
    }
    keys.replace(&new);
    Ok(match new.secret_previous.is_empty() {
        true => "the cluster secret was read anew; no other is taken",
        false => "the cluster secret was read anew; the previous one is taken too",
    })
}
