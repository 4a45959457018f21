//! The voter's side: making a snapshot, keeping it for a while, giving it out.

use super::talk::Talk;
use super::under_way::{CopyBook, UnderWay};
use super::{Answer, Ask, FileOfSnapshot, MANIFEST, Manifest, STORE, digest, remove, sync_folder};
use crate::core::Legacy;
use crate::shell::driver::{Folded, Report};
use crate::shell::frame::{FrameError, Session};
use crate::shell::keyring::Keyring;
use crate::shell::metrics::Metrics;
use crate::shell::peer_stream::PeerStream;
use crate::shell::spawn::Seat;
use crate::sqlite::{DataDir, Pinned, copy_store};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// Bytes of a file in one answer, before they are compressed.
pub const PIECE: usize = 1 << 20;
/// Files up to this size, altogether, come with the log, if it is whole.
const SMALL: u64 = 16 << 20;
/// How long a snapshot that nobody asks for is kept.
const KEPT_FOR: Duration = Duration::from_secs(15 * 60);
/// How long a snapshot is given to others than the one it was made for.
const FRESH_FOR: Duration = Duration::from_secs(5 * 60);
/// How many snapshots are kept for others to go on with.
const MOST: usize = 3;
/// What must be free besides the copy.
const ROOM: u64 = 256 << 20;
const FOLDER: &str = "snapshot.";

/// The snapshots of this node.
pub struct Copies {
    directory: PathBuf,
    vfs: Option<String>,
    data: DataDir,
    reports: mpsc::UnboundedSender<Report>,
    ready: watch::Receiver<bool>,
    random: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// 0: as fast as it goes.
    bytes_per_second: u64,
    metrics: Arc<Metrics>,
    book: Arc<CopyBook>,
    kept: Mutex<Vec<Kept>>,
}

/// What a snapshot is asked for. Who takes one may hold an earlier one in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occasion {
    /// A node that is nobody yet joins.
    Join { held: u64 },
    /// A member goes on with it: the log alone does not do.
    Renewal { held: u64 },
    /// Without this node's own state, for nobody else, and always of this moment.
    Backup,
}

impl std::fmt::Display for Occasion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Occasion::Join { .. } => "a node that joins",
            Occasion::Renewal { .. } => "a member that goes on with it",
            Occasion::Backup => "a backup",
        })
    }
}

struct Kept {
    manifest: Manifest,
    /// It is for a backup, and for nobody else.
    is_backup: bool,
    folder: PathBuf,
    made: Instant,
    used: Instant,
}

impl Copies {
    /// Takes up what an earlier life of this node left of a snapshot, if somebody may still want it.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        directory: PathBuf,
        vfs: Option<String>,
        data: DataDir,
        reports: mpsc::UnboundedSender<Report>,
        ready: watch::Receiver<bool>,
        random: Arc<dyn Fn() -> u64 + Send + Sync>,
        bytes_per_second: u64,
        metrics: Arc<Metrics>,
        book: Arc<CopyBook>,
    ) -> Arc<Copies> {
        // A simulated disk has none.
        let kept = if vfs.is_none() { left_behind(&directory).into_iter().collect() } else { Vec::new() };
        let kept = Mutex::new(kept);
        Arc::new(Copies { directory, vfs, data, reports, ready, random, bytes_per_second, metrics, book, kept })
    }

    /// Serves one joiner, or who else asks, on a thread of its own.
    ///
    /// # Errors
    /// There is no thread.
    pub fn serve(
        self: &Arc<Self>,
        taker: IpAddr,
        stream: PeerStream,
        session: Session,
        keys: Keyring,
    ) -> io::Result<()> {
        let copies = self.clone();
        Seat::take()?.serve(stream, move |stream| {
            Box::pin(async move {
                let talk = Talk::new(stream, session.answers(), session.frames());
                match keys.while_taken(session.key(), copies.answer(taker, talk)).await {
                    Ok(()) => {}
                    Err(FrameError::Io(error)) => tracing::info!(%error, "a node that copies the data is gone"),
                    Err(error) => tracing::warn!(%error, "a node that copies the data was refused"),
                }
            })
        })
    }

    async fn answer(&self, taker: IpAddr, mut talk: Talk) -> Result<(), FrameError> {
        let mut under_way = None;
        loop {
            let asked = match talk.hear().await {
                // Whoever got what it came for hangs up.
                Err(FrameError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                asked => asked?,
            };
            match asked {
                Ask::Offer { held } => {
                    let copy = under_way.get_or_insert_with(|| self.book.begin(taker));
                    let answer = self.offer(&mut talk, Occasion::Join { held }, Some(copy)).await?;
                    talk.say(&answer).await?;
                }
                Ask::Renewal { held } => {
                    let copy = under_way.get_or_insert_with(|| self.book.begin(taker));
                    let answer = self.offer(&mut talk, Occasion::Renewal { held }, Some(copy)).await?;
                    talk.say(&answer).await?;
                }
                Ask::Backup => {
                    let answer = self.offer(&mut talk, Occasion::Backup, None).await?;
                    talk.say(&answer).await?;
                }
                Ask::Piece { snapshot, file, offset } => match self.open(snapshot, file, offset).await {
                    Ok(opened) => self.send(&mut talk, opened, snapshot, under_way.as_ref()).await?,
                    Err(error) => talk.say(&Answer::Refused(error.to_string())).await?,
                },
                Ask::Done { snapshot } => {
                    self.forget(|kept| kept.manifest.id == snapshot).await;
                    return Ok(());
                }
            }
        }
    }

    /// The snapshot held in part, or a fresh one, or a new one; for a backup a new one.
    async fn offer(&self, talk: &mut Talk, occasion: Occasion, copy: Option<&UnderWay>) -> Result<Answer, FrameError> {
        if !*self.ready.borrow() {
            return Ok(Answer::Refused("the node asked is no voting member yet".into()));
        }
        let mut kept = loop {
            if let Ok(kept) = self.kept.try_lock() {
                break kept;
            }
            // Another one's is being made.
            talk.say(&Answer::Wait { done: 0, total: 0 }).await?;
            sleep(Duration::from_secs(1)).await;
        };
        let held = match occasion {
            Occasion::Join { held } | Occasion::Renewal { held } => Some(held),
            Occasion::Backup => None,
        };
        if let Some(known) = held.and_then(|held| known(&mut kept, held)) {
            known.used = Instant::now();
            return Ok(Answer::Offer(known.manifest.clone()));
        }
        while kept.len() >= MOST {
            let oldest = kept.iter().enumerate().min_by_key(|(_, k)| k.used).map_or(0, |(at, _)| at);
            discard(&kept.remove(oldest).folder);
        }
        let id = (self.random)();
        let folder = self.directory.join(format!("{FOLDER}{id:016x}"));
        let made = self.make(talk, id, &folder, occasion, copy).await;
        match made {
            Ok(Some((manifest, legacy))) => {
                let is_backup = occasion == Occasion::Backup;
                let now = Instant::now();
                kept.push(Kept { manifest: manifest.clone(), is_backup, folder, made: now, used: now });
                Ok(if is_backup { Answer::Backup(manifest, legacy) } else { Answer::Offer(manifest) })
            }
            Ok(None) => Ok(Answer::NotNeeded),
            Err(Failed::Peer(error)) => {
                discard(&folder);
                Err(error)
            }
            Err(Failed::Here(why)) => {
                tracing::warn!(%why, "a snapshot could not be made");
                discard(&folder);
                Ok(Answer::Refused(why))
            }
        }
    }

    /// Makes a snapshot, unless it is for a joiner and the log does as well.
    async fn make(
        &self,
        talk: &mut Talk,
        id: u64,
        folder: &Path,
        occasion: Occasion,
        copy: Option<&UnderWay>,
    ) -> Result<Option<(Manifest, Legacy)>, Failed> {
        let mut pinned = self.data.pin()?;
        let total = pinned.bytes()?;
        // After the files were pinned: what is in them is in the log, or was dropped from it as everywhere applied.
        let Folded { log_is_whole, legacy } = self.fold().await?;
        if log_is_whole && total <= SMALL && matches!(occasion, Occasion::Join { .. }) {
            return Ok(None);
        }
        let free =
            nix::sys::statvfs::statvfs(&self.directory).map_or(u64::MAX, |s| s.blocks_available() * s.fragment_size());
        if free < total.saturating_add(ROOM) {
            return Err(Failed::Here(format!("a snapshot of {} MB does not fit its disk", total >> 20)));
        }
        tracing::info!(bytes = total, "making a snapshot for {occasion}");
        std::fs::create_dir_all(folder)?;
        let is_backup = occasion == Occasion::Backup;
        if !is_backup {
            let (store, vfs) = (self.directory.join(STORE), self.vfs.clone());
            copy_store(&store, vfs.as_deref(), &folder.join(STORE))?;
        }
        let (tell, mut told) = mpsc::unbounded_channel();
        let (finish, mut finished) = oneshot::channel();
        let target = folder.to_path_buf();
        std::thread::Builder::new().name("snapshot".into()).spawn(move || {
            // Whoever waited may be gone.
            let _ = finish.send(copy_all(pinned, id, &target, is_backup, &|done| {
                let _ = tell.send(done);
            }));
        })?;
        let mut done = 0;
        loop {
            let soon = Instant::now() + Duration::from_secs(1);
            tokio::select! {
                biased;
                manifest = &mut finished => {
                    return match manifest {
                        Ok(manifest) => Ok(Some((manifest?, legacy))),
                        Err(_) => Err(Failed::Here("the copying thread ended".into())),
                    };
                }
                () = sleep_until(soon) => {}
            }
            while let Ok(copied) = told.try_recv() {
                done = copied;
            }
            copy.inspect(|copy| copy.making(done, total));
            talk.say(&Answer::Wait { done, total }).await.map_err(Failed::Peer)?;
        }
    }

    /// Has the driver bring everything durable into `marmot.db`.
    async fn fold(&self) -> Result<Folded, Failed> {
        let (reply, folded) = oneshot::channel();
        let stopped = || Failed::Here("the node asked is stopping".into());
        self.reports.send(Report::Fold(reply)).map_err(|_| stopped())?;
        folded.await.map_err(|_| stopped())
    }

    async fn open(&self, snapshot: u64, file: u32, offset: u64) -> io::Result<Opened> {
        let mut kept = self.kept.lock().await;
        let gone = || io::Error::other("the snapshot is no longer there: ask for another");
        let kept = kept.iter_mut().find(|kept| kept.manifest.id == snapshot).ok_or_else(gone)?;
        kept.used = Instant::now();
        let named = kept.manifest.files.get(file as usize).ok_or_else(|| io::Error::other("it has no such file"))?;
        let mut opened = std::fs::File::open(kept.folder.join(&named.name))?;
        opened.seek(SeekFrom::Start(offset))?;
        let left = named.size.saturating_sub(offset);
        let before = kept.manifest.files[..file as usize].iter().map(|f| f.size).sum::<u64>() + named.size - left;
        Ok(Opened { file: opened, left, before, total: kept.manifest.bytes() })
    }

    /// Sends what is left of a file, no faster than allowed.
    async fn send(
        &self,
        talk: &mut Talk,
        opened: Opened,
        snapshot: u64,
        copy: Option<&UnderWay>,
    ) -> Result<(), FrameError> {
        let Opened { file, left, before, total } = opened;
        let mut file = file.take(left);
        let mut buffer = Vec::with_capacity(PIECE);
        let started = Instant::now();
        let mut sent = 0;
        while sent < left {
            buffer.clear();
            (&mut file).take(PIECE as u64).read_to_end(&mut buffer)?;
            if buffer.is_empty() {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let piece = zstd::bulk::compress(&buffer, 1)?;
            sent += buffer.len() as u64;
            let wire = piece.len() as u64;
            talk.say(&Answer::Piece(piece)).await?;
            self.metrics.snapshot_sent.inc_by(wire);
            copy.inspect(|copy| copy.sent(before + sent, total));
            if let Some(span) = wire.saturating_mul(1000).checked_div(self.bytes_per_second) {
                sleep(Duration::from_millis(span)).await;
            }
            if let Some(kept) = self.kept.lock().await.iter_mut().find(|kept| kept.manifest.id == snapshot) {
                kept.used = Instant::now();
            }
        }
        tracing::debug!(bytes = sent, elapsed = ?started.elapsed(), "sent a file");
        Ok(())
    }

    /// Removes a snapshot that nobody wants any more.
    pub async fn expire(&self) {
        self.forget(|kept| kept.used.elapsed() > KEPT_FOR).await;
    }

    async fn forget(&self, which: impl Fn(&Kept) -> bool) {
        // One that is being made is wanted.
        let Ok(mut kept) = self.kept.try_lock() else { return };
        for old in kept.extract_if(.., |kept| which(kept)) {
            discard(&old.folder);
        }
    }
}

/// A file of a snapshot, at the place from which on it is wanted.
struct Opened {
    file: std::fs::File,
    left: u64,
    /// Bytes of the snapshot before that place, and in all of it.
    before: u64,
    total: u64,
}

/// The snapshot that a joiner holds in part, else a fresh one.
fn known(kept: &mut [Kept], held: u64) -> Option<&mut Kept> {
    let usable = |k: &Kept| !k.is_backup && (k.manifest.id == held || k.made.elapsed() < FRESH_FOR);
    kept.iter_mut().filter(|k| usable(k)).max_by_key(|k| k.manifest.id == held)
}

/// Why there is no snapshot.
enum Failed {
    /// Whoever wanted it is gone.
    Peer(FrameError),
    Here(String),
}

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Failed {
        Failed::Here(error.to_string())
    }
}

fn copy_all(
    pinned: Pinned,
    id: u64,
    folder: &Path,
    is_backup: bool,
    progress: &dyn Fn(u64),
) -> Result<Manifest, crate::sqlite::Error> {
    let failed = |e: io::Error| crate::sqlite::Error::Unsupported(format!("the snapshot: {e}"));
    let seq = pinned.seq();
    let mut names = pinned.copy_to(folder, &mut |done| progress(done))?;
    if !is_backup {
        names.push(STORE.to_string());
    }
    let describe = |name: String| -> io::Result<FileOfSnapshot> {
        let path = folder.join(&name);
        let size = std::fs::metadata(&path)?.len();
        Ok(FileOfSnapshot { sha256: digest(&path)?, name, size })
    };
    let files = names.into_iter().map(describe).collect::<io::Result<Vec<_>>>().map_err(failed)?;
    let manifest = Manifest { id, seq, files };
    if is_backup {
        // Of use to whoever asked for it only: a later life of this node removes what is left of it.
        return Ok(manifest);
    }
    let bytes = postcard::to_stdvec(&manifest).map_err(|e| failed(io::Error::other(e)))?;
    std::fs::write(folder.join(MANIFEST), bytes).and_then(|()| sync_folder(folder)).map_err(failed)?;
    Ok(manifest)
}

/// The complete and recent snapshot of an earlier life; what else there is of snapshots goes.
fn left_behind(directory: &Path) -> Option<Kept> {
    let mut found = None;
    // A folder that cannot be read has nothing to give.
    for entry in std::fs::read_dir(directory).ok()?.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(FOLDER) {
            continue;
        }
        let folder = entry.path();
        let manifest = folder.join(MANIFEST);
        let age = std::fs::metadata(&manifest).and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
        let read = || postcard::from_bytes::<Manifest>(&std::fs::read(&manifest).ok()?).ok();
        match age.filter(|age| *age < KEPT_FOR && found.is_none()).and_then(|_| read()) {
            Some(manifest) => {
                let now = Instant::now();
                found = Some(Kept { manifest, is_backup: false, folder, made: now, used: now });
            }
            None => discard(&folder),
        }
    }
    found
}

fn discard(folder: &Path) {
    if let Err(error) = remove(folder) {
        tracing::warn!(%error, folder = %folder.display(), "a snapshot could not be removed");
    }
}
