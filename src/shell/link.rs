//! Connections between nodes: one dialled link per peer address for what this node says, one listener for what it
//! hears.
//!
//! A link is best effort, as the protocol expects: while the peer is away it retries with back-off, and what does not
//! fit its bounded queue is dropped and counted. Nothing here waits on a slow peer.

use super::frame::{ClusterKey, DIALER_HELLO, FrameError, LISTENER_HELLO, NONCE, PROOF, Session, hello, read_hello};
use super::interference::{Fate, Interference};
use super::spawn::Spawn;
use crate::core::Address;
use crate::core::message::Envelope;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Messages that may wait for one peer.
const QUEUE_FRAMES: usize = 16 * 1024;
/// Bytes that may wait for one peer.
const QUEUE_BYTES: usize = 64 << 20;
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LAST_BACKOFF: Duration = Duration::from_secs(1);
const HANDSHAKE: Duration = Duration::from_secs(5);
/// A peer that takes nothing for this long is dialled anew.
const STALLED: Duration = Duration::from_secs(10);
/// Frames are gathered up to this many bytes before they are written.
const WRITE_BYTES: usize = 256 << 10;
/// Unauthenticated or idle incoming connections beyond this are refused.
const MAX_INCOMING: usize = 256;

/// Where random nonces come from: seeded in a simulation, the operating system's otherwise.
pub type Nonces = Arc<dyn Fn() -> [u8; NONCE] + Send + Sync>;

/// All outgoing links of this node.
pub struct Links {
    key: ClusterKey,
    nonces: Nonces,
    spawn: Spawn,
    links: BTreeMap<Address, Link>,
    dropped: Arc<AtomicU64>,
    interference: Option<Arc<dyn Interference>>,
}

struct Link {
    queue: mpsc::Sender<Bytes>,
    waiting: Arc<AtomicUsize>,
    /// Messages that interference holds back.
    late: Vec<Bytes>,
}

impl Links {
    /// No links yet; each is made, by `spawn`, when there is first something to say to its address.
    pub fn new(key: ClusterKey, nonces: Nonces, spawn: Spawn, interference: Option<Arc<dyn Interference>>) -> Links {
        Links { key, nonces, spawn, links: BTreeMap::new(), dropped: Arc::default(), interference }
    }

    /// Queues an encoded envelope for whoever listens at `address`.
    pub fn send(&mut self, address: &Address, payload: Bytes) {
        let Some(interference) = &self.interference else { return self.queue(address, payload) };
        match interference.fate(address) {
            Fate::Arrives => self.queue(address, payload),
            Fate::Lost => return,
            Fate::Doubled => {
                self.queue(address, payload.clone());
                self.queue(address, payload);
            }
            Fate::Late => return self.link(address).late.push(payload),
        }
        for late in std::mem::take(&mut self.link(address).late) {
            self.queue(address, late);
        }
    }

    fn link(&mut self, address: &Address) -> &mut Link {
        let (key, nonces, spawn) = (&self.key, &self.nonces, &self.spawn);
        let interference = &self.interference;
        self.links.entry(address.clone()).or_insert_with(|| {
            let (queue, frames) = mpsc::channel(QUEUE_FRAMES);
            let waiting = Arc::new(AtomicUsize::new(0));
            let dialer = Dialer {
                address: address.clone(),
                key: key.clone(),
                nonces: nonces.clone(),
                frames,
                waiting: waiting.clone(),
                interference: interference.clone(),
            };
            spawn(Box::pin(dialer.run()));
            Link { queue, waiting, late: Vec::new() }
        })
    }

    fn queue(&mut self, address: &Address, payload: Bytes) {
        let link = self.link(address);
        let size = payload.len();
        let full = link.waiting.load(Ordering::Relaxed) + size > QUEUE_BYTES && size <= QUEUE_BYTES;
        if !full && link.queue.try_send(payload).is_ok() {
            link.waiting.fetch_add(size, Ordering::Relaxed);
        } else {
            let count = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if count.is_power_of_two() {
                tracing::debug!(%address, count, "queue to peer is full, messages dropped");
            }
        }
    }
}

/// The sending end of one link.
struct Dialer {
    address: Address,
    key: ClusterKey,
    nonces: Nonces,
    frames: mpsc::Receiver<Bytes>,
    waiting: Arc<AtomicUsize>,
    interference: Option<Arc<dyn Interference>>,
}

impl Dialer {
    async fn run(mut self) {
        let mut backoff = FIRST_BACKOFF;
        let mut complained = false;
        loop {
            let Some(first) = self.frames.recv().await else { return };
            self.waiting.fetch_sub(first.len(), Ordering::Relaxed);
            match self.connected(first).await {
                Ok(()) => return,
                Err((error, served)) => {
                    if served {
                        backoff = FIRST_BACKOFF;
                        complained = false;
                    }
                    if !complained {
                        tracing::info!(peer = %self.address, %error, "link to peer is down, retrying");
                        complained = true;
                    }
                }
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

    /// Dials and sends until the connection fails. The error says whether it had worked.
    async fn connected(&mut self, first: Bytes) -> Result<(), (FrameError, bool)> {
        let dialled = timeout(HANDSHAKE, self.dial()).await;
        let late = || FrameError::Io(std::io::ErrorKind::TimedOut.into());
        let (stream, session) = dialled.map_err(|_| (late(), false))?.map_err(|e| (e, false))?;
        tracing::debug!(peer = %self.address, "link to peer is up");
        let mut frames = session.frames();
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut out = BytesMut::with_capacity(64 << 10);
        let mut next = Some(first);
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
        let mut stream = TcpStream::connect(&*self.address).await?;
        stream.set_nodelay(true)?;
        let nonce = (self.nonces)();
        stream.write_all(&hello(&nonce)).await?;
        stream.flush().await?;
        let mut answer = [0; LISTENER_HELLO];
        stream.read_exact(&mut answer).await?;
        let theirs = read_hello(&answer)?;
        let session = Session::new(self.key.clone(), nonce, theirs);
        session.verify_listener(&answer[DIALER_HELLO..])?;
        stream.write_all(&session.dialer_proof()).await?;
        stream.flush().await?;
        Ok((stream, session))
    }
}

/// Accepts peers and hands their envelopes to `deliver` until the channel closes.
pub async fn listen(
    listener: TcpListener,
    key: ClusterKey,
    nonces: Nonces,
    frame_limit: usize,
    deliver: mpsc::Sender<Envelope>,
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
        spawn(Box::pin(async move {
            match hear(stream, key, nonces, frame_limit, deliver).await {
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
    nonces: Nonces,
    frame_limit: usize,
    deliver: mpsc::Sender<Envelope>,
) -> Result<(), FrameError> {
    stream.set_nodelay(true)?;
    let greeted = timeout(HANDSHAKE, greet(&mut stream, key, nonces)).await;
    let session = greeted.map_err(|_| FrameError::Io(std::io::ErrorKind::TimedOut.into()))??;
    let mut frames = session.frames();
    let mut input = BytesMut::with_capacity(64 << 10);
    loop {
        while let Some(envelope) = frames.open(&mut input, frame_limit)? {
            if deliver.send(envelope).await.is_err() {
                return Ok(());
            }
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}

async fn greet(stream: &mut TcpStream, key: ClusterKey, nonces: Nonces) -> Result<Session, FrameError> {
    let mut greeting = [0; DIALER_HELLO];
    stream.read_exact(&mut greeting).await?;
    let theirs = read_hello(&greeting)?;
    let nonce = nonces();
    let session = Session::new(key, theirs, nonce);
    stream.write_all(&hello(&nonce)).await?;
    stream.write_all(&session.listener_proof()).await?;
    stream.flush().await?;
    let mut proof = [0; PROOF];
    stream.read_exact(&mut proof).await?;
    session.verify_dialer(&proof)?;
    Ok(session)
}
