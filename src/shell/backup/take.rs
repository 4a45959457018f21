//! Taking a backup from a running node.

use super::manifest::{self, BackupManifest, hex};
use super::place::Place;
use crate::core::Legacy;
use crate::shell::frame::{FrameError, Purpose};
use crate::shell::greeting::Credentials;
use crate::shell::snapshot::{Answer, Ask, FileOfSnapshot, Manifest, PIECE, Talk};
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

/// Between two lines of progress.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Copies the databases of the cluster of the node at `node` (`host:port`) to `to`, and says how far it is through `tell`.
///
/// # Errors
/// A sentence. What was copied by then is no backup: it has no manifest.
pub async fn take(to: &str, node: &str, credentials: &Credentials, tell: &mut dyn FnMut(String)) -> Result<(), String> {
    let place = Place::open(to, true)?;
    if place.has(manifest::NAME).await.map_err(|e| format!("{place}: {e}"))? {
        return Err(format!("{place} has a backup already; give each its own place"));
    }
    let lost = |e: &dyn std::fmt::Display| format!("the node at {node}: {e}");
    let dialled = credentials.dial(node, Purpose::Copy).await;
    let (stream, session) = dialled.map_err(|e| match e {
        FrameError::Io(e) => lost(&format!("{e}; --from names the cluster address of a node that runs")),
        other => lost(&other),
    })?;
    let mut talk = Talk::new(stream, session.frames(), session.answers());
    let (snapshot, legacy) = offered(&mut talk, tell).await.map_err(|e| lost(&e))?;
    let mut progress = Progress { done: 0, total: snapshot.bytes(), told: Instant::now(), tell };
    for (number, file) in snapshot.files.iter().enumerate() {
        let number = u32::try_from(number).map_err(|_| lost(&"too many files"))?;
        copy(&mut talk, &place, (snapshot.id, number, file), &mut progress).await?;
    }
    // It may be gone: then it removes its copy by itself.
    let _ = talk.say(&Ask::Done { snapshot: snapshot.id }).await;
    let manifest = BackupManifest::new(&snapshot, &legacy);
    let json = serde_json::to_vec_pretty(&manifest).map_err(|e| e.to_string())?;
    place.put(manifest::NAME, json).await.map_err(|e| format!("{place}: {e}"))?;
    place.sync(manifest::NAME).map_err(|e| format!("{place}: {e}"))?;
    tell(format!("{place} has {} files, {} bytes, as of {}", manifest.files.len(), manifest.bytes(), manifest.time));
    Ok(())
}

async fn offered(talk: &mut Talk, tell: &mut dyn FnMut(String)) -> Result<(Manifest, Legacy), String> {
    talk.say(&Ask::Backup).await.map_err(|e| e.to_string())?;
    let mut told = Instant::now();
    loop {
        match talk.hear().await.map_err(|e| e.to_string())? {
            Answer::Backup(manifest, legacy) => return Ok((manifest, legacy)),
            Answer::Wait { done, total } if told.elapsed() >= TELL_EVERY => {
                told = Instant::now();
                tell(format!("the node copies its files: {} of {} MB", done >> 20, total >> 20));
            }
            Answer::Wait { .. } => {}
            Answer::Refused(why) => return Err(why),
            Answer::NotNeeded | Answer::Offer(_) | Answer::Piece(_) => {
                return Err("an answer to another question".into());
            }
        }
    }
}

struct Progress<'a> {
    done: u64,
    total: u64,
    told: Instant,
    tell: &'a mut dyn FnMut(String),
}

impl Progress<'_> {
    fn add(&mut self, bytes: usize) {
        self.done += bytes as u64;
        if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            (self.tell)(format!("{} of {} MB", self.done >> 20, self.total >> 20));
        }
    }
}

/// One file from the node to its place, unless it arrives damaged.
async fn copy(
    talk: &mut Talk,
    place: &Place,
    (snapshot, number, file): (u64, u32, &FileOfSnapshot),
    progress: &mut Progress<'_>,
) -> Result<(), String> {
    let failed = |e: &dyn std::fmt::Display| format!("'{}': {e}", file.name);
    talk.say(&Ask::Piece { snapshot, file: number, offset: 0 }).await.map_err(|e| failed(&e))?;
    let mut target = place.writer(&file.name);
    let (mut left, mut hash) = (file.size, Sha256::new());
    let moved = async {
        while left > 0 {
            let piece = match talk.hear().await.map_err(|e| failed(&e))? {
                Answer::Piece(piece) => zstd::bulk::decompress(&piece, PIECE).map_err(|e| failed(&e))?,
                Answer::Refused(why) => return Err(failed(&why)),
                _ => return Err(failed(&"an answer to another question")),
            };
            hash.update(&piece);
            left = left.saturating_sub(piece.len() as u64);
            progress.add(piece.len());
            target.put(piece.into()).await.map_err(|e| failed(&e))?;
        }
        match hash.finalize()[..] == file.sha256 {
            true => Ok(()),
            false => Err(failed(&format!("arrived damaged: its SHA-256 is not {}", hex(&file.sha256)))),
        }
    };
    let moved = moved.await;
    if moved.is_err() {
        // Parts that were sent are of no use to anybody.
        let _ = target.abort().await;
        return moved;
    }
    target.shutdown().await.map_err(|e| failed(&e))?;
    place.sync(&file.name).map_err(|e| failed(&e))
}
