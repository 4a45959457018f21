//! The voter's side: it is asked, and says what its files hold.

use super::local::{Local, Taken};
use super::{Answer, Ask, DEFINED, IMAGE_BYTES, MARKS_BYTES, NAMED, Place, RANGE, buckets, compare};
use crate::shell::frame::{FrameError, Session};
use crate::shell::keyring::Keyring;
use crate::shell::peer_stream::PeerStream;
use crate::shell::snapshot::{PIECE, Talk};
use crate::shell::spawn::Seat;
use crate::sqlite::{KeyCells, KeyRange, RowMark};
use crate::types::RowKey;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

/// Verifiers answered at a time.
const MOST: usize = 16;

/// Answers other nodes' verifiers.
pub struct Answers {
    local: Local,
    stop: watch::Receiver<bool>,
    open: AtomicUsize,
}

/// What a verifier asked for last.
struct Held {
    place: Place,
    taken: Taken,
    marks: Vec<RowMark>,
}

impl Answers {
    pub fn new(local: Local, stop: watch::Receiver<bool>) -> Arc<Answers> {
        Arc::new(Answers { local, stop, open: AtomicUsize::new(0) })
    }

    /// Answers one verifier on a thread of its own.
    ///
    /// # Errors
    /// There is no thread.
    pub fn serve(self: &Arc<Self>, stream: PeerStream, session: Session, keys: Keyring) -> io::Result<()> {
        let answers = self.clone();
        Seat::take()?.serve(stream, move |stream| {
            Box::pin(async move {
                let talk = Talk::new(stream, session.answers(), session.frames());
                let mut stop = answers.stop.clone();
                let count = answers.open.fetch_add(1, Ordering::Relaxed);
                let ended = tokio::select! {
                    biased;
                    _ = stop.wait_for(|stop| *stop) => Ok(()),
                    ended = keys.while_taken(session.key(), answers.answer(talk, count < MOST)) => ended,
                };
                answers.open.fetch_sub(1, Ordering::Relaxed);
                match ended {
                    Ok(()) => {}
                    Err(FrameError::Io(error)) => tracing::debug!(%error, "a node that verifies is gone"),
                    Err(error) => tracing::warn!(%error, "a node that verifies was refused"),
                }
            })
        })
    }

    async fn answer(&self, mut talk: Talk, has_place: bool) -> Result<(), FrameError> {
        let mut held = None;
        loop {
            let asked = match talk.hear().await {
                // Whoever has no more questions hangs up.
                Err(FrameError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                asked => asked?,
            };
            if !has_place {
                return talk.say(&Answer::Refused("too many nodes verify at once".into())).await;
            }
            match asked {
                Ask::Image(key) => match image(&mut held, &key) {
                    Ok(bytes) => send(&mut talk, &bytes).await?,
                    Err(why) => talk.say(&Answer::Refused(why)).await?,
                },
                asked => {
                    let answer = self.answer_to(asked, &mut held).await.unwrap_or_else(Answer::Refused);
                    talk.say(&answer).await?;
                }
            }
        }
    }

    async fn answer_to(&self, asked: Ask, held: &mut Option<Held>) -> Result<Answer, String> {
        match asked {
            Ask::Range { table, after, until } => {
                *held = None;
                let mut taken = self.local.snapshot_of(&table).await?;
                let range = KeyRange { after: after.as_deref(), until: until.as_deref() };
                let marks = taken.rows.marks(table.table, range, 2 * RANGE).map_err(|e| e.to_string())?;
                let stopped = (marks.len() == 2 * RANGE).then(|| marks.last().map(|mark| mark.key.clone())).flatten();
                let answer =
                    Answer::Sums { until: stopped.or(until), rows: marks.len() as u64, sums: compare::sums(&marks) };
                *held = Some(Held { place: table, taken, marks });
                Ok(answer)
            }
            Ask::Buckets(asked) => {
                let held = held.as_ref().ok_or("there is no snapshot")?;
                Ok(marks(&held.marks, &asked))
            }
            Ask::Look { table, keys } => {
                *held = None;
                limit(keys.len())?;
                let mut taken = self.local.snapshot_of(&table).await?;
                let digests = keys.iter().map(|key| taken.rows.digest_of(table.table, key));
                let digests = digests.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
                *held = Some(Held { place: table, taken, marks: Vec::new() });
                Ok(Answer::Looked(digests))
            }
            Ask::Settle { database, table, rows } => {
                limit(rows.len())?;
                if rows.is_empty() {
                    *held = None;
                }
                let rows = rows.into_iter().map(|key| RowKey { table, key: key.into() }).collect();
                Ok(Answer::Settled(self.local.settled((&database, table), rows)?))
            }
            Ask::Definitions { database, version, after } => {
                *held = None;
                let mut taken = self.local.snapshot_at(&database, version).await?;
                taken.rows.definitions(after, DEFINED).map(Answer::Definitions).map_err(|e| e.to_string())
            }
            Ask::Image(_) => Err("a row is sent in pieces".into()),
        }
    }
}

fn limit(named: usize) -> Result<(), String> {
    match named > NAMED {
        true => Err(format!("{named} rows were named, at most {NAMED} are looked at")),
        false => Ok(()),
    }
}

/// The marks of as many of the buckets as fit one answer.
fn marks(marks: &[RowMark], asked: &[u32]) -> Answer {
    let all = buckets(marks);
    let (mut bytes, mut covered, mut found) = (0, 0, Vec::new());
    for bucket in asked {
        let rows: &[&RowMark] = usize::try_from(*bucket).ok().and_then(|at| all.get(at)).map_or(&[], Vec::as_slice);
        let size: usize = rows.iter().map(|row| row.key.iter().map(|cell| cell.size() + 16).sum::<usize>() + 16).sum();
        if bytes + size > MARKS_BYTES {
            break;
        }
        bytes += size;
        covered += 1;
        found.extend(rows.iter().map(|row| (row.key.clone(), row.digest)));
    }
    Answer::Marks { buckets: covered, marks: found }
}

fn image(held: &mut Option<Held>, key: &KeyCells) -> Result<Vec<u8>, String> {
    let held = held.as_mut().ok_or("there is no snapshot")?;
    let image = held.taken.rows.image(held.place.table, key).map_err(|e| e.to_string())?;
    let image = image.ok_or("there is no such row")?;
    let bytes = postcard::to_stdvec(&image).map_err(|e| e.to_string())?;
    match bytes.len() as u64 > IMAGE_BYTES {
        true => Err("the row is too long".into()),
        false => Ok(bytes),
    }
}

async fn send(talk: &mut Talk, bytes: &[u8]) -> Result<(), FrameError> {
    let mut pieces = bytes.chunks(PIECE).peekable();
    while let Some(piece) = pieces.next() {
        let last = pieces.peek().is_none();
        talk.say(&Answer::Piece { bytes: piece.to_vec(), last }).await?;
    }
    Ok(())
}
