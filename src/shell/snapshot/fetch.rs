//! The taker's side: asking, receiving, checking, and becoming what was received.

use super::renew::{self, Member};
use super::talk::Talk;
use super::{Answer, Ask, FileOfSnapshot, MANIFEST, Manifest, STORE, digest, remove, sync_folder};
use crate::core::{Fatal, Storage, Table, adopt_snapshot, members_of};
use crate::shell::frame::{FrameError, Purpose};
use crate::shell::greeting::Credentials;
use crate::shell::instance::{NODE_ID, belongs_to_a_cluster};
use crate::shell::metrics::Metrics;
use crate::sqlite::{Store, registered_files};
use crate::types::NodeId;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Where a snapshot is received.
const INCOMING: &str = "incoming";
/// Where the files of a restore are put together.
pub const RESTORING: &str = "restoring";
/// What is left of either once its files are in place.
const MOVED: &str = "moved";
/// The file in either that names, one a line, the files that are replaced by nothing.
const OBSOLETE: &str = "obsolete";
/// The file in it that says: everything is here and checked, and only has to be moved.
const COMPLETE: &str = "complete";
/// How long seeds that do not answer, or refuse, are asked again before the node starts without a snapshot: it then
/// joins by the log, if it can.
const ASK_FOR: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(500);
/// Between two lines of progress in the log.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Who takes a snapshot.
pub(super) enum Taker {
    /// A node that is nobody yet; the id it will have, if it was told one.
    Joiner(Option<NodeId>),
    /// A node that others know: it stays who it is.
    Member(Box<Member>),
}

/// Why a node gave no snapshot.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Link(#[from] FrameError),
    #[error("{0}")]
    Refused(String),
    /// Another may do, or a newer one.
    #[error("{0}")]
    Unfit(String),
    #[error("{0}")]
    Local(String),
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        Error::Local(error.to_string())
    }
}

/// Moves a snapshot that was received completely into place, as the last step of an earlier start that ended there.
///
/// # Errors
/// A sentence: the disk.
pub fn finish(directory: &Path) -> Result<(), String> {
    let moved = directory.join(MOVED);
    remove(&moved).map_err(|e| format!("{} cannot be removed: {e}", moved.display()))?;
    for (name, what) in [(INCOMING, "snapshot received"), (RESTORING, "backup restored")] {
        let folder = directory.join(name);
        if folder.join(COMPLETE).exists() {
            move_in(directory, &folder).map_err(|e| format!("the {what} cannot be moved into place: {e}"))?;
        } else if name == RESTORING && folder.exists() {
            return Err(format!(
                "a restore into {} was cut off: run it again, or remove {}",
                directory.display(),
                folder.display()
            ));
        }
    }
    Ok(())
}

/// Makes the files in `folder`, a folder of `directory`, those of the directory. Should it be cut off, the next start does
/// the rest.
///
/// # Errors
/// The disk.
pub fn adopt_files(directory: &Path, folder: &Path, manifest: &Manifest) -> std::io::Result<()> {
    let bytes = postcard::to_stdvec(manifest).map_err(std::io::Error::other)?;
    std::fs::write(folder.join(MANIFEST), bytes)?;
    for entry in std::fs::read_dir(folder)? {
        std::fs::File::open(entry?.path())?.sync_all()?;
    }
    sync_folder(folder)?;
    std::fs::File::create(folder.join(COMPLETE))?.sync_all()?;
    sync_folder(folder)?;
    move_in(directory, folder)
}

fn move_in(directory: &Path, incoming: &Path) -> std::io::Result<()> {
    let manifest = read_manifest(incoming).ok_or_else(|| std::io::Error::other("its manifest is damaged"))?;
    for name in std::fs::read_to_string(incoming.join(OBSOLETE)).unwrap_or_default().lines() {
        ["", "-wal", "-shm", "-journal"]
            .iter()
            .try_for_each(|end| remove_file(&directory.join(format!("{name}{end}"))))?;
    }
    // The node's own state last: a directory with it has everything.
    let databases = manifest.files.iter().map(|f| f.name.as_str()).filter(|name| *name != STORE);
    for name in databases.chain(["marmot.redo", STORE]) {
        let from = incoming.join(name);
        if from.exists() {
            for beside in ["-wal", "-shm", "-journal"] {
                remove_file(&directory.join(format!("{name}{beside}")))?;
            }
            std::fs::rename(from, directory.join(name))?;
        }
    }
    sync_folder(directory)?;
    // Under another name at once: what is left of it, should this be cut off, is nothing to be moved, and nothing that lacks
    // its end.
    let moved = directory.join(MOVED);
    remove(&moved)?;
    std::fs::rename(incoming, &moved)?;
    sync_folder(directory)?;
    remove(&moved)
}

/// Removes a file, if it is there.
fn remove_file(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Copies the cluster's data into an empty directory, if its log alone would not do. Goes on where an earlier attempt
/// was cut off.
///
/// # Errors
/// A sentence: what was received cannot be used, or this node's disk fails.
pub async fn fetch(
    directory: &Path,
    seeds: &[String],
    credentials: &Credentials,
    metrics: &Metrics,
    id: Option<NodeId>,
) -> Result<(), String> {
    if belongs_to_a_cluster(directory)? {
        return Ok(());
    }
    let give_up = Instant::now() + ASK_FOR;
    let mut complained = false;
    loop {
        let mut received_something = false;
        for seed in seeds {
            let held = held_bytes(directory);
            match fetch_from(directory, seed, credentials, metrics, &Taker::Joiner(id)).await {
                Ok(()) => return Ok(()),
                Err(Error::Local(why)) => return Err(format!("the snapshot from {seed}: {why}")),
                Err(error) if !complained => {
                    tracing::info!(seed, %error, "no snapshot from there yet");
                    complained = true;
                }
                Err(_) => {}
            }
            received_something |= held_bytes(directory) > held;
        }
        if received_something {
            // The connection broke in the middle: as long as there is progress it goes on.
            complained = false;
        } else if Instant::now() >= give_up && held_bytes(directory) == 0 {
            tracing::info!("no seed has a snapshot: joining by the log");
            return Ok(());
        }
        sleep(PAUSE).await;
    }
}

pub(super) async fn fetch_from(
    directory: &Path,
    seed: &str,
    credentials: &Credentials,
    metrics: &Metrics,
    taker: &Taker,
) -> Result<(), Error> {
    let (stream, session) = credentials.dial(seed, Purpose::Copy).await?;
    let mut talk = Talk::new(stream, session.frames(), session.answers());
    let incoming = directory.join(INCOMING);
    let held = read_manifest(&incoming);
    let id = held.as_ref().map_or(0, |m| m.id);
    talk.say(&match taker {
        Taker::Joiner(_) => Ask::Offer { held: id },
        Taker::Member(_) => Ask::Renewal { held: id },
    })
    .await?;
    let mut told = Instant::now();
    let manifest = loop {
        match talk.hear().await? {
            Answer::Offer(manifest) => break manifest,
            Answer::NotNeeded => {
                remove(&incoming)?;
                return Ok(());
            }
            Answer::Refused(why) => return Err(Error::Refused(why)),
            Answer::Piece(_) | Answer::Backup(..) => return Err(Error::Refused("what nobody asked for".into())),
            Answer::Wait { done, total } if told.elapsed() >= TELL_EVERY => {
                told = Instant::now();
                tracing::info!("{seed} makes a snapshot, {} of {} MB", done >> 20, total >> 20);
            }
            Answer::Wait { .. } => {}
        }
    };
    check_names(&manifest)?;
    if held.is_none_or(|held| held != manifest) {
        remove(&incoming)?;
        std::fs::create_dir_all(&incoming)?;
        let bytes = postcard::to_stdvec(&manifest).map_err(|e| Error::Local(e.to_string()))?;
        let mut file = std::fs::File::create(incoming.join(MANIFEST))?;
        file.write_all(&bytes)?;
        file.sync_all()?;
    }
    receive(&mut talk, &manifest, &incoming, metrics).await?;
    let adopted = match taker {
        Taker::Joiner(id) => adopt(directory, &incoming, &manifest, *id),
        Taker::Member(member) => renew::adopt(directory, &incoming, manifest.seq, member),
    };
    if let Err(error) = adopted {
        // The next attempt begins with a new one.
        remove(&incoming)?;
        let _ = talk.say(&Ask::Done { snapshot: manifest.id }).await;
        return Err(error);
    }
    complete(directory, &incoming, &manifest)?;
    // It may be gone: then it removes its copy by itself.
    let _ = talk.say(&Ask::Done { snapshot: manifest.id }).await;
    move_in(directory, &incoming)?;
    tracing::info!("the snapshot is in place");
    Ok(())
}

/// File names come from another node: nothing but names of files in one folder.
fn check_names(manifest: &Manifest) -> Result<(), Error> {
    let is_plain = |name: &str| (name.ends_with(".db") || name == "marmot.files") && !name.contains(['/', '\\', '\0']);
    match manifest.files.iter().find(|f| !is_plain(&f.name)) {
        Some(file) => Err(Error::Refused(format!("a snapshot with a file called '{}'", file.name))),
        None => Ok(()),
    }
}

async fn receive(talk: &mut Talk, manifest: &Manifest, incoming: &Path, metrics: &Metrics) -> Result<(), Error> {
    let total = manifest.bytes();
    let shown = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    metrics.snapshot_size.set(shown(total));
    let started = Instant::now();
    let mut told = started;
    let mut done = 0;
    for (number, file) in manifest.files.iter().enumerate() {
        let path = incoming.join(&file.name);
        // What an attempt to adopt it left, which would be taken for part of it.
        ["-wal", "-shm", "-journal"]
            .iter()
            .try_for_each(|end| remove_file(&incoming.join(format!("{}{end}", file.name))))?;
        let mut target = std::fs::File::options().create(true).append(true).open(&path)?;
        let mut offset = target.metadata()?.len();
        if offset > file.size {
            target.set_len(0)?;
            offset = 0;
        }
        done += offset;
        metrics.snapshot_received.set(shown(done));
        if offset < file.size {
            let number = u32::try_from(number).map_err(|_| Error::Refused("too many files".into()))?;
            talk.say(&Ask::Piece { snapshot: manifest.id, file: number, offset }).await?;
        }
        while offset < file.size {
            let piece = match talk.hear().await? {
                Answer::Piece(piece) => zstd::bulk::decompress(&piece, super::source::PIECE)?,
                Answer::Refused(why) => return Err(Error::Refused(why)),
                other => return Err(Error::Refused(format!("an answer to another question: {other:?}"))),
            };
            target.write_all(&piece)?;
            offset += piece.len() as u64;
            done += piece.len() as u64;
            metrics.snapshot_received.set(shown(done));
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                tracing::info!("snapshot: {} of {} MB received", done >> 20, total >> 20);
            }
        }
        target.sync_all()?;
        check(file, &path)?;
    }
    tracing::info!(bytes = total, seconds = started.elapsed().as_secs_f32(), "snapshot received");
    Ok(())
}

fn check(file: &FileOfSnapshot, path: &Path) -> Result<(), Error> {
    if digest(path)? == file.sha256 {
        return Ok(());
    }
    // Received anew at the next attempt.
    std::fs::remove_file(path)?;
    Err(Error::Refused(format!("'{}' arrived damaged", file.name)))
}

/// Makes what was received the state of a node that is nobody yet, but for the identity it may have chosen.
fn adopt(directory: &Path, incoming: &Path, manifest: &Manifest, id: Option<NodeId>) -> Result<(), Error> {
    let failed = |e: Fatal| Error::Local(e.to_string());
    let own = directory.join(STORE);
    let mut store = Store::open_copy(&incoming.join(STORE), None).map_err(failed)?;
    let mut round = store.begin();
    let members = members_of(&round).map_err(failed)?;
    if let Some(id) = id.filter(|id| members.is_voter(*id) || members.removed.contains(id)) {
        return Err(failed(Fatal::IdTaken { id }));
    }
    adopt_snapshot(&mut round, manifest.seq).map_err(failed)?;
    match own.exists() {
        true => Store::open(&own, None).and_then(|mut own| keep_identity(&own.begin(), &mut round)),
        false => round.delete(Table::Meta, NODE_ID),
    }
    .and_then(|()| round.commit())
    .and_then(|()| store.fold())
    .map_err(failed)
}

/// Whoever `own` is, `copy` will be.
pub(super) fn keep_identity(own: &dyn Storage, copy: &mut dyn Storage) -> Result<(), Fatal> {
    match own.get(Table::Meta, NODE_ID)? {
        Some(identity) => copy.put(Table::Meta, NODE_ID, &identity),
        None => copy.delete(Table::Meta, NODE_ID),
    }
}

/// Says durably that everything is here, and what of the old is replaced by nothing.
fn complete(directory: &Path, incoming: &Path, manifest: &Manifest) -> std::io::Result<()> {
    let replaced = |name: &String| manifest.files.iter().any(|f| f.name == *name);
    let mut obsolete = registered_files(directory);
    obsolete.retain(|name| !replaced(name));
    let mut list = std::fs::File::create(incoming.join(OBSOLETE))?;
    list.write_all(obsolete.join("\n").as_bytes())?;
    list.sync_all()?;
    std::fs::File::create(incoming.join(COMPLETE))?.sync_all()?;
    sync_folder(incoming)
}

fn read_manifest(incoming: &Path) -> Option<Manifest> {
    // One that cannot be read is as good as none.
    postcard::from_bytes(&std::fs::read(incoming.join(MANIFEST)).ok()?).ok()
}

/// How much of a snapshot is here.
fn held_bytes(directory: &Path) -> u64 {
    let incoming: PathBuf = directory.join(INCOMING);
    let Some(manifest) = read_manifest(&incoming) else { return 0 };
    let size = |f: &FileOfSnapshot| std::fs::metadata(incoming.join(&f.name)).map_or(0, |m| m.len());
    manifest.files.iter().map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a member's directory holds when a snapshot was received and checked: three files of its own, one of which is
    /// replaced by nothing.
    fn received(home: &Path) {
        let incoming = home.join(INCOMING);
        std::fs::create_dir(&incoming).unwrap();
        let file = |name: &str| FileOfSnapshot { name: name.into(), size: 3, sha256: [0; 32] };
        let files = vec![file("d.db"), file("marmot.files"), file(STORE)];
        let manifest = Manifest { id: 1, seq: 1, files };
        std::fs::write(incoming.join(MANIFEST), postcard::to_stdvec(&manifest).unwrap()).unwrap();
        for name in ["d.db", "marmot.files", "marmot.redo", STORE] {
            std::fs::write(incoming.join(name), b"new").unwrap();
            std::fs::write(home.join(name), b"old").unwrap();
        }
        std::fs::write(home.join("d.db-wal"), b"old").unwrap();
        std::fs::write(home.join("gone.db"), b"old").unwrap();
        std::fs::write(incoming.join(OBSOLETE), "gone.db").unwrap();
        std::fs::write(incoming.join(COMPLETE), b"").unwrap();
    }

    fn contents(home: &Path) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = std::fs::read_dir(home)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, std::fs::read_to_string(path).unwrap_or_default())
            })
            .collect();
        found.sort();
        found
    }

    #[test]
    fn a_move_that_was_cut_off_anywhere_is_finished_at_the_next_start() {
        let new = ["d.db", STORE, "marmot.files", "marmot.redo"].map(|name| (name.to_string(), "new".to_string()));
        let order = ["d.db", "marmot.files", "marmot.redo", STORE];
        for moved in 0..=order.len() {
            let home = tempfile::tempdir().unwrap();
            received(home.path());
            if moved > 0 {
                std::fs::remove_file(home.path().join("gone.db")).unwrap();
                std::fs::remove_file(home.path().join("d.db-wal")).unwrap();
            }
            for name in &order[..moved] {
                std::fs::rename(home.path().join(INCOMING).join(name), home.path().join(name)).unwrap();
            }
            finish(home.path()).unwrap();
            assert_eq!(contents(home.path()), new, "cut off after {moved}");
        }
    }

    #[test]
    fn a_folder_that_was_removed_by_half_is_gone_at_the_next_start() {
        for folder in [INCOMING, RESTORING] {
            let home = tempfile::tempdir().unwrap();
            received(home.path());
            std::fs::rename(home.path().join(INCOMING), home.path().join(folder)).unwrap();
            move_in(home.path(), &home.path().join(folder)).unwrap();
            let before = contents(home.path());
            // Its mark went first, or its manifest, or a file.
            std::fs::create_dir(home.path().join(MOVED)).unwrap();
            std::fs::write(home.path().join(MOVED).join("d.db"), b"new").unwrap();
            finish(home.path()).unwrap();
            assert_eq!(contents(home.path()), before, "{folder}");
        }
    }

    #[test]
    fn what_is_not_complete_changes_nothing() {
        let home = tempfile::tempdir().unwrap();
        received(home.path());
        std::fs::remove_file(home.path().join(INCOMING).join(COMPLETE)).unwrap();
        let before = contents(home.path());
        finish(home.path()).unwrap();
        assert_eq!(contents(home.path()), before);
    }
}
