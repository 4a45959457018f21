//! Connections between nodes: one dialled link per peer address for what this node says, one listener for what it
//! hears.
//!
//! What a round says to a peer is gathered and goes out as one frame, when the driver flushes. A link is best effort, as
//! the protocol expects: while the peer is away it retries with back-off, and what does not fit its bounded queue is
//! dropped and counted. Nothing here waits on a slow peer.

use super::frame::{
    ClusterKey, DIALER_HELLO, FrameError, Header, Hello, NONCE, PROOF, Purpose, START, Session, check_start, payload,
};
use super::interference::{Fate, Interference};
use super::snapshot::Copies;
use super::spawn::Spawn;
use crate::core::Address;
use crate::core::message::Envelope;
use crate::types::Versions;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};

/// Frames that may wait for one peer.
const QUEUE_FRAMES: usize = 16 * 1024;
/// Bytes that may wait for one peer.
const QUEUE_BYTES: usize = 64 << 20;
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LAST_BACKOFF: Duration = Duration::from_secs(1);
const HANDSHAKE: Duration = Duration::from_secs(5);
/// A connection request that is not answered is made again after this long: a network that was cut is tried once a second.
const CONNECT: Duration = Duration::from_secs(2);
/// A connection whose peer acknowledges nothing for this long ends, and is dialled anew: TCP's own pauses between attempts double,
/// so that a link would rest for seconds after a short partition. A peer that takes nothing for so long is dialled anew too.
#[cfg(all(target_os = "linux", not(madsim)))]
const UNACKNOWLEDGED_MS: u32 = 2000;
/// Messages are put into one frame up to this many bytes.
const FRAME_BYTES: usize = 64 << 10;
/// A peer that takes nothing for this long is dialled anew.
const STALLED: Duration = Duration::from_secs(10);
/// Frames are gathered up to this many bytes before they are written.
const WRITE_BYTES: usize = 256 << 10;
/// Unauthenticated or idle incoming connections beyond this are refused.
const MAX_INCOMING: usize = 256;

/// Where random nonces come from: seeded in a simulation, the operating system's otherwise.
pub type Nonces = Arc<dyn Fn() -> [u8; NONCE] + Send + Sync>;

/// The oldest version that this node understands, which rises with what its cluster speaks. Clones share it.
#[derive(Clone)]
pub struct Understood(Arc<AtomicU8>);

impl Understood {
    /// All that this build understands.
    pub fn all() -> Understood {
        Understood(Arc::new(AtomicU8::new(Versions::BUILD.oldest)))
    }

    /// Nothing older than `version` any more.
    pub fn raise(&self, version: u8) {
        self.0.fetch_max(version, Ordering::Relaxed);
    }

    fn versions(&self) -> Versions {
        Versions { oldest: self.0.load(Ordering::Relaxed), ..Versions::BUILD }
    }
}

/// All outgoing links of this node.
pub struct Links {
    key: ClusterKey,
    understood: Understood,
    nonces: Nonces,
    spawn: Spawn,
    links: BTreeMap<Address, Link>,
    dropped: Arc<AtomicU64>,
    interference: Option<Arc<dyn Interference>>,
}

struct Link {
    /// Encoded messages that were not flushed yet: those of each frame, end to end.
    frames: Vec<Vec<u8>>,
    /// One of them should not wait for company.
    urgent: bool,
    queue: mpsc::Sender<Bytes>,
    waiting: Arc<AtomicUsize>,
    hang_up: Arc<Notify>,
    /// Messages that interference holds back.
    late: Vec<Vec<u8>>,
}

impl Link {
    fn keep(&mut self, message: &[u8]) {
        match self.frames.last_mut() {
            Some(frame) if frame.len() + message.len() <= FRAME_BYTES => frame.extend_from_slice(message),
            _ => self.frames.push(message.to_vec()),
        }
    }
}

impl Links {
    /// No links yet; each is made, by `spawn`, when there is first something to say to its address.
    pub fn new(
        key: ClusterKey,
        understood: Understood,
        nonces: Nonces,
        spawn: Spawn,
        interference: Option<Arc<dyn Interference>>,
    ) -> Links {
        Links { key, understood, nonces, spawn, links: BTreeMap::new(), dropped: Arc::default(), interference }
    }

    /// The cluster speaks `version` from now on.
    pub fn raise_version(&self, version: u8) {
        self.understood.raise(version);
    }

    /// Keeps an encoded message for whoever listens at `address`, until the next [`Links::flush`].
    pub fn send(&mut self, address: &Address, message: &[u8], urgent: bool) {
        let fate = self.interference.as_ref().map_or(Fate::Arrives, |interference| interference.fate(address));
        if !self.links.contains_key(address) {
            let link = self.dial(address);
            self.links.insert(address.clone(), link);
        }
        let Some(link) = self.links.get_mut(address) else { return };
        match fate {
            Fate::Lost => return,
            Fate::Late => return link.late.push(message.to_vec()),
            Fate::Arrives => link.keep(message),
            Fate::Doubled => {
                link.keep(message);
                link.keep(message);
            }
        }
        link.urgent |= urgent;
        for late in std::mem::take(&mut link.late) {
            link.keep(&late);
        }
    }

    /// The peer at `address` was not heard of for so long that it counts as dead: its connection, if it still seems to be one, is
    /// given up and dialled anew. TCP by itself tries again after pauses that double, so that a link would stay silent after a
    /// partition for as long as that lasted.
    pub fn hang_up(&self, address: &Address) {
        if let Some(link) = self.links.get(address) {
            link.hang_up.notify_one();
        }
    }

    fn dial(&self, address: &Address) -> Link {
        let (queue, frames) = mpsc::channel(QUEUE_FRAMES);
        let waiting = Arc::new(AtomicUsize::new(0));
        let hang_up = Arc::new(Notify::new());
        let dialer = Dialer {
            address: address.clone(),
            key: self.key.clone(),
            understood: self.understood.clone(),
            nonces: self.nonces.clone(),
            frames,
            waiting: waiting.clone(),
            hang_up: hang_up.clone(),
            interference: self.interference.clone(),
        };
        (self.spawn)(Box::pin(dialer.run()));
        Link { frames: Vec::new(), urgent: false, queue, waiting, hang_up, late: Vec::new() }
    }

    /// Hands the messages kept over to be sent, under `header`; without `all` only to peers for whom one is urgent.
    /// Returns whether none is left.
    pub fn flush(&mut self, header: &Header, all: bool) -> bool {
        let mut nothing_left = true;
        for (address, link) in &mut self.links {
            if !link.urgent && !all {
                nothing_left &= link.frames.is_empty();
                continue;
            }
            link.urgent = false;
            for messages in link.frames.drain(..) {
                let frame = payload(header, &messages);
                let size = frame.len();
                let full = link.waiting.load(Ordering::Relaxed) + size > QUEUE_BYTES && size <= QUEUE_BYTES;
                if !full && link.queue.try_send(frame).is_ok() {
                    link.waiting.fetch_add(size, Ordering::Relaxed);
                    continue;
                }
                let count = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
                if count.is_power_of_two() {
                    tracing::debug!(%address, count, "queue to peer is full, frames dropped");
                }
            }
        }
        nothing_left
    }
}

/// The sending end of one link.
struct Dialer {
    address: Address,
    key: ClusterKey,
    understood: Understood,
    nonces: Nonces,
    frames: mpsc::Receiver<Bytes>,
    waiting: Arc<AtomicUsize>,
    hang_up: Arc<Notify>,
    interference: Option<Arc<dyn Interference>>,
}

impl Dialer {
    async fn run(mut self) {
        let mut backoff = FIRST_BACKOFF;
        let mut complained = false;
        // What is said first waits for the connection, which is dialled until there is one: whoever counts as dead is
        // spoken to rarely, and would be found again late.
        let mut first = None;
        loop {
            if first.is_none() {
                let Some(frame) = self.frames.recv().await else { return };
                self.waiting.fetch_sub(frame.len(), Ordering::Relaxed);
                first = Some(frame);
            }
            match self.connected(&mut first).await {
                Ok(()) => return,
                Err((error, served)) => {
                    if served {
                        backoff = FIRST_BACKOFF;
                        complained = false;
                    }
                    if !complained {
                        match &error {
                            FrameError::Io(_) => {
                                tracing::info!(peer = %self.address, %error, "link to peer is down, retrying");
                            }
                            // Retrying does not help; somebody has to do something.
                            _ => tracing::warn!(peer = %self.address, %error, "link to peer is refused, retrying"),
                        }
                        complained = true;
                    }
                }
            }
            if self.frames.is_closed() {
                return;
            }
            // What was said meanwhile is stale: the protocol repeats what still matters.
            sleep(backoff).await;
            backoff = (backoff * 2).min(LAST_BACKOFF);
            while self.frames.len() > QUEUE_FRAMES / 2 {
                let Ok(old) = self.frames.try_recv() else { break };
                self.waiting.fetch_sub(old.len(), Ordering::Relaxed);
            }
        }
    }

    /// Dials and sends until the connection fails. The error says whether it had worked; `first` is kept if not.
    async fn connected(&mut self, first: &mut Option<Bytes>) -> Result<(), (FrameError, bool)> {
        let dialled = timeout(HANDSHAKE, self.dial()).await;
        let late = || FrameError::Io(std::io::ErrorKind::TimedOut.into());
        let (stream, session) = dialled.map_err(|_| (late(), false))?.map_err(|e| (e, false))?;
        tracing::debug!(peer = %self.address, "link to peer is up");
        let mut frames = session.frames();
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut out = BytesMut::with_capacity(64 << 10);
        let mut next = first.take();
        let hang_up = self.hang_up.clone();
        // What was said of an earlier connection is not about this one.
        std::pin::pin!(hang_up.notified()).as_mut().enable();
        let mut silence = [0u8; 1];
        loop {
            while let Some(payload) = next.take() {
                frames.seal(&payload, &mut out);
                if out.len() < WRITE_BYTES
                    && let Ok(more) = self.frames.try_recv()
                {
                    self.waiting.fetch_sub(more.len(), Ordering::Relaxed);
                    next = Some(more);
                }
            }
            if let Some(interference) = &self.interference {
                interference.alter(&self.address, &mut out);
            }
            let write = async {
                writer.write_all(&out).await?;
                writer.flush().await
            };
            timeout(STALLED, write).await.map_err(|_| (late(), true))?.map_err(|e| (e.into(), true))?;
            out.clear();
            tokio::select! {
                biased;
                // The listener never speaks after the handshake: whatever comes is its end of the connection closing.
                closed = reader.read(&mut silence) => {
                    let error = closed.err().unwrap_or_else(|| std::io::ErrorKind::ConnectionReset.into());
                    return Err((error.into(), true));
                }
                () = hang_up.notified() => return Err((late(), true)),
                payload = self.frames.recv() => match payload {
                    None => return Ok(()),
                    Some(payload) => {
                        self.waiting.fetch_sub(payload.len(), Ordering::Relaxed);
                        next = Some(payload);
                    }
                },
            }
        }
    }

    async fn dial(&self) -> Result<(TcpStream, Session), FrameError> {
        dial(&self.address, &self.key, &self.understood, &self.nonces, Purpose::Messages).await
    }
}

/// Connects to a node's cluster port and proves that both sides know the secret.
pub(super) async fn dial(
    address: &str,
    key: &ClusterKey,
    understood: &Understood,
    nonces: &Nonces,
    purpose: Purpose,
) -> Result<(TcpStream, Session), FrameError> {
    let connected = timeout(CONNECT, TcpStream::connect(address)).await;
    let mut stream = connected.map_err(|_| FrameError::Io(std::io::ErrorKind::TimedOut.into()))??;
    stream.set_nodelay(true)?;
    #[cfg(all(target_os = "linux", not(madsim)))]
    nix::sys::socket::setsockopt(&stream, nix::sys::socket::sockopt::TcpUserTimeout, &UNACKNOWLEDGED_MS)
        .map_err(std::io::Error::from)?;
    let ours = Hello { purpose, versions: understood.versions(), nonce: nonces() };
    stream.write_all(&ours.encode()).await?;
    stream.flush().await?;
    let mut answer = [0; DIALER_HELLO];
    stream.read_exact(&mut answer).await?;
    let theirs = Hello::decode(&answer)?;
    ours.check(&theirs)?;
    let mut proof = [0; PROOF];
    stream.read_exact(&mut proof).await?;
    let session = Session::new(key.clone(), ours, theirs);
    session.verify_listener(&proof)?;
    stream.write_all(&session.dialer_proof()).await?;
    stream.flush().await?;
    Ok((stream, session))
}

/// Accepts peers and hands their envelopes to `deliver` until the channel closes.
#[allow(clippy::too_many_arguments)]
pub async fn listen(
    listener: TcpListener,
    key: ClusterKey,
    understood: Understood,
    nonces: Nonces,
    frame_limit: usize,
    deliver: mpsc::Sender<Vec<Envelope>>,
    copies: Arc<Copies>,
    spawn: Spawn,
) {
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accepting a peer failed");
                sleep(FIRST_BACKOFF).await;
                continue;
            }
        };
        if deliver.is_closed() {
            return;
        }
        if open.load(Ordering::Relaxed) >= MAX_INCOMING {
            tracing::warn!(%peer, "too many cluster connections, refused");
            continue;
        }
        open.fetch_add(1, Ordering::Relaxed);
        let (open, key, nonces, deliver) = (open.clone(), key.clone(), nonces.clone(), deliver.clone());
        let (copies, understood) = (copies.clone(), understood.clone());
        spawn(Box::pin(async move {
            match hear(stream, key, understood, nonces, frame_limit, deliver, copies).await {
                Err(FrameError::Io(error)) => tracing::debug!(%peer, %error, "peer's connection ended"),
                Err(error) => tracing::warn!(%peer, %error, "peer's connection refused"),
                Ok(()) => {}
            }
            open.fetch_sub(1, Ordering::Relaxed);
        }));
    }
}

async fn hear(
    mut stream: TcpStream,
    key: ClusterKey,
    understood: Understood,
    nonces: Nonces,
    frame_limit: usize,
    deliver: mpsc::Sender<Vec<Envelope>>,
    copies: Arc<Copies>,
) -> Result<(), FrameError> {
    stream.set_nodelay(true)?;
    let greeted = timeout(HANDSHAKE, greet(&mut stream, key, &understood, nonces)).await;
    let (session, purpose) = greeted.map_err(|_| FrameError::Io(std::io::ErrorKind::TimedOut.into()))??;
    if purpose == Purpose::Copy {
        return Ok(copies.serve(stream, session)?);
    }
    let mut frames = session.frames();
    let mut input = BytesMut::with_capacity(64 << 10);
    loop {
        while let Some(envelopes) = frames.open(&mut input, frame_limit)? {
            if deliver.send(envelopes).await.is_err() {
                return Ok(());
            }
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}

async fn greet(
    stream: &mut TcpStream,
    key: ClusterKey,
    understood: &Understood,
    nonces: Nonces,
) -> Result<(Session, Purpose), FrameError> {
    let mut greeting = [0; DIALER_HELLO];
    let mut start = [0; START];
    stream.read_exact(&mut start).await?;
    check_start(&start, understood.versions())?;
    greeting[..START].copy_from_slice(&start);
    stream.read_exact(&mut greeting[START..]).await?;
    let theirs = Hello::decode(&greeting)?;
    let ours = Hello { purpose: theirs.purpose, versions: understood.versions(), nonce: nonces() };
    // Also one that is refused hears which versions are understood here.
    stream.write_all(&ours.encode()).await?;
    ours.check(&theirs)?;
    let session = Session::new(key, theirs, ours);
    stream.write_all(&session.listener_proof()).await?;
    stream.flush().await?;
    let mut proof = [0; PROOF];
    stream.read_exact(&mut proof).await.map_err(|_| FrameError::HungUp)?;
    session.verify_dialer(&proof)?;
    Ok((session, theirs.purpose))
}
