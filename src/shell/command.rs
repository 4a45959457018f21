//! What the program does other than to run a node: backups, restores, and questions about the members.

use super::backup::{self, Source};
use super::instance::credentials;
use super::keyring::Keyring;
use super::members;
use super::serve::rand_u64;
use crate::config::{Command, Config};
use crate::daemon::DirLock;
use std::sync::Arc;

/// Does what `command` says, and tells how far it is on standard error. Returns the exit code; see `members` for those
/// of `node`.
///
/// # Errors
/// A sentence; the exit code is then 1.
pub fn command(command: &Command, config: &Config) -> Result<u8, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("no runtime: {e}"))?;
    let mut tell = |line: String| eprintln!("{line}");
    match command {
        Command::Backup { to, from } => {
            let node = from.as_ref().unwrap_or_else(|| config.advertised()).to_string();
            let credentials = credentials(config, &Keyring::of(&config.cluster), Arc::new(rand_u64))?;
            runtime.block_on(backup::take(to, &node, &credentials, &mut tell))?;
        }
        Command::Restore { from, from_node_dir } => {
            let lock = |directory: &std::path::Path| DirLock::acquire(directory).map_err(|e| e.to_string());
            let _lock = lock(&config.data_dir)?;
            let (source, _other) = match (from, from_node_dir) {
                (_, Some(directory)) if !directory.is_dir() => {
                    return Err(format!("{} is no directory", directory.display()));
                }
                (_, Some(directory)) => (Source::NodeDir(directory.clone()), Some(lock(directory)?)),
                (Some(backup), None) => (Source::Backup(backup.clone()), None),
                (None, None) => return Err("a restore needs a backup, or --from-node-dir".to_string()),
            };
            runtime.block_on(backup::restore(config, &source, &rand_u64, &mut tell))?;
        }
        Command::Node { mysql_addr, user, json, what } => {
            let at = mysql_addr.as_ref().unwrap_or(&config.mysql.listen);
            let user = user.as_deref().unwrap_or(&config.mysql.user);
            return members::ask(at, user, config.mysql.password.expose(), *what, *json);
        }
    }
    Ok(0)
}
