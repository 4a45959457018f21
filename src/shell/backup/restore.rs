//! Beginning a new cluster with the databases of another.

use super::manifest::{self, BackedUpFile, BackupManifest, hex};
use super::place::Place;
use crate::config::Config;
use crate::core::{Address, Fatal, Legacy, Storage, Table, found};
use crate::shell::instance::NODE_ID;
use crate::shell::snapshot::{FileOfSnapshot, Manifest, RESTORING, STORE, adopt_files, digest, remove};
use crate::sqlite::{Store, live_files, settle};
use crate::types::{ApplySeq, NodeId};
use sha2::{Digest, Sha256};
use std::future::poll_fn;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::Pin;

/// Where the databases come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Backup(String),
    /// The data directory of a node that does not run; the caller holds its lock.
    NodeDir(PathBuf),
}

/// Makes the data directory of `config` that of the first node of a new cluster, with the databases of `source`. The caller
/// holds its lock. `random` gives identities.
///
/// # Errors
/// A sentence. The directory is then as it was.
pub async fn restore(
    config: &Config,
    source: &Source,
    random: &dyn Fn() -> u64,
    tell: &mut dyn FnMut(String),
) -> Result<(), String> {
    let directory: &Path = &config.data_dir;
    let folder = directory.join(RESTORING);
    let failed = |e: std::io::Error| format!("{}: {e}", directory.display());
    check_empty(directory)?;
    remove(&folder).map_err(failed)?;
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let founder = config.node_id.unwrap_or_else(|| NodeId((random() >> 16).max(1)));
    let made = async {
        let heritage = match source {
            Source::Backup(name) => Some(receive(name, &folder, tell).await?),
            Source::NodeDir(other) => {
                copy_node(other, &folder, tell)?;
                None
            }
        };
        make_state(&folder.join(STORE), heritage, (founder, config.advertised().to_string().into()), random())
    };
    if let Err(why) = made.await {
        // Nothing in it is of use; what cannot be removed is told of at the next attempt.
        let _ = remove(&folder);
        return Err(why);
    }
    let files = describe(&folder).map_err(failed)?;
    adopt_files(directory, &folder, &Manifest { id: 0, seq: 0, files }).map_err(failed)?;
    tell(format!(
        "{} is that of node {}, the first of a new cluster: start it without seeds, then let others join it with empty data \
         directories",
        directory.display(),
        founder.0
    ));
    Ok(())
}

/// A data directory that nobody has used: the lock, and what an earlier attempt left.
fn check_empty(directory: &Path) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{}: {e}", directory.display());
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !["marmot.lock", "lost+found", RESTORING].iter().any(|known| name == *known) {
            return Err(format!(
                "{} is not empty (it has '{}'): a restore needs a data directory of its own",
                directory.display(),
                name.to_string_lossy()
            ));
        }
    }
    match directory.join(RESTORING).join("complete").exists() {
        true => Err(format!("{} was restored already: start a node on it", directory.display())),
        false => Ok(()),
    }
}

async fn opened(name: &str) -> Result<(Place, BackupManifest), String> {
    let place = Place::open(name, false)?;
    let json = place.get(manifest::NAME).await.map_err(|e| match e {
        object_store::Error::NotFound { .. } => format!("{place} is no whole backup: it has no {}", manifest::NAME),
        other => format!("{place}: {other}"),
    })?;
    let manifest = BackupManifest::parse(&json).map_err(|why| format!("{place}: {why}"))?;
    Ok((place, manifest))
}

/// Copies the files of a backup, and returns what its cluster left and up to which place the files go.
async fn receive(name: &str, folder: &Path, tell: &mut dyn FnMut(String)) -> Result<(Legacy, ApplySeq), String> {
    let (place, manifest) = opened(name).await?;
    tell(format!("reading {place}: {} bytes as of {}", manifest.bytes(), manifest.time));
    for file in &manifest.files {
        receive_file(&place, file, folder).await.map_err(|why| format!("{place}: '{}' {why}", file.name))?;
        tell(format!("'{}' is whole, {} bytes", file.name, file.size));
    }
    Ok((manifest.legacy()?, manifest.position))
}

async fn receive_file(place: &Place, file: &BackedUpFile, folder: &Path) -> Result<(), String> {
    let disk = |e: std::io::Error| format!("cannot be kept: {e}");
    let mut pieces = place.read(&file.name).await.map_err(|e| format!("cannot be read: {e}"))?;
    let mut target = std::fs::File::create(folder.join(&file.name)).map_err(disk)?;
    let (mut size, mut hash) = (0, Sha256::new());
    while let Some(piece) = poll_fn(|cx| futures_core::Stream::poll_next(Pin::new(&mut pieces), cx)).await {
        let piece = piece.map_err(|e| format!("cannot be read: {e}"))?;
        size += piece.len() as u64;
        hash.update(&piece);
        target.write_all(&piece).map_err(disk)?;
    }
    let found = hex(&hash.finalize());
    match size == file.size && found.eq_ignore_ascii_case(&file.sha256) {
        true => Ok(()),
        false => Err(format!(
            "is damaged: it has {size} bytes and SHA-256 {found}, the manifest says {} and {}",
            file.size, file.sha256
        )),
    }
}

/// Copies the files of a node that does not run, each as one file.
fn copy_node(other: &Path, folder: &Path, tell: &mut dyn FnMut(String)) -> Result<(), String> {
    if !other.join(STORE).exists() {
        return Err(format!("{} is no data directory of a node: it has no {STORE}", other.display()));
    }
    let copy = |name: &str| -> Result<(), String> {
        for name in [name.to_string(), format!("{name}-wal")] {
            let from = other.join(&name);
            // A file that a crash lost before it was durable is made again from the log.
            if from.exists() {
                std::fs::copy(&from, folder.join(&name)).map_err(|e| format!("{}: {e}", from.display()))?;
            }
        }
        Ok(())
    };
    let settled = |name: &str| match folder.join(name).exists() {
        true => settle(&folder.join(name)).map_err(|e| format!("{name}: {e}")),
        false => Ok(()),
    };
    for name in [STORE, "marmot.redo", "marmot.files"] {
        copy(name)?;
    }
    for name in live_files(folder).map_err(|e| e.to_string())? {
        copy(&name)?;
        settled(&name)?;
        tell(format!("'{name}' is copied"));
    }
    settled("marmot.files")
}

/// Makes the state of a first member: a new one, or that which was copied.
fn make_state(
    path: &Path,
    heritage: Option<(Legacy, ApplySeq)>,
    (founder, address): (NodeId, Address),
    cluster: u64,
) -> Result<(), String> {
    let failed = |e: Fatal| e.to_string();
    let mut store = Store::open(path, None).map_err(failed)?;
    let mut round = store.begin();
    let (legacy, files) = match heritage {
        Some((legacy, position)) => (legacy, Some(position)),
        None => (Legacy::read(&round).map_err(failed)?, None),
    };
    if legacy.nodes.contains(&founder) {
        return Err(format!("node {} belonged to the old cluster: give none (node_id = 0), or a new one", founder.0));
    }
    found(&mut round, &legacy, files, (founder, address), cluster).map_err(failed)?;
    round.put(Table::Meta, NODE_ID, &founder.0.to_be_bytes()).map_err(failed)?;
    round.commit().and_then(|()| store.fold()).map_err(failed)?;
    drop(store);
    settle(path).map_err(|e| e.to_string())
}

fn describe(folder: &Path) -> std::io::Result<Vec<FileOfSnapshot>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".db") || name == "marmot.files" {
            files.push(FileOfSnapshot { sha256: digest(&entry.path())?, size: entry.metadata()?.len(), name });
        }
    }
    Ok(files)
}
