//! Connections between nodes: one dialled link per peer address for what this node says, one listener for what it
//! hears.
//!
//! What a round says to a peer is gathered and goes out as one frame, when the driver flushes. A link is best effort, as
//! the protocol expects: while the peer is away it retries with back-off, and what does not fit its bounded queue is
//! dropped and counted. Nothing here waits on a slow peer.

use super::antechamber::Antechamber;
use super::cluster_tls;
use super::frame::{FrameError, Header, Purpose, Session, payload};
use super::greeting::Credentials;
use super::interference::{Fate, Interference};
use super::log_limit::LogLimit;
use super::metrics::Metrics;
use super::peer_stream::PeerStream;
use super::snapshot::{Copies, CopyBook};
use super::spawn::Spawn;
use super::verify::Answers;
use crate::core::Address;
use crate::core::message::Envelope;
use crate::session::{CopyRow, LinkRow, LinkStates};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::mem::Discriminant;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};

/// Frames that may wait for one peer.
const QUEUE_FRAMES: usize = 16 * 1024;
/// Bytes that may wait for one peer.
const QUEUE_BYTES: usize = 64 << 20;
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LAST_BACKOFF: Duration = Duration::from_secs(1);
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Messages are put into one frame up to this many bytes.
const FRAME_BYTES: usize = 64 << 10;
/// A link on which the previous secret was proven tries the current one again after this long.
const ANEW: Duration = Duration::from_secs(5);
/// A peer that takes nothing for this long is dialled anew.
const STALLED: Duration = Duration::from_secs(10);
/// Frames are gathered up to this many bytes before they are written.
const WRITE_BYTES: usize = 256 << 10;
/// Incoming connections of nodes. Of more than this the oldest goes: a node that dials anew needs its earlier one no longer, of
/// which nothing may have been heard when the network between was cut.
const MAX_INCOMING: usize = 256;
/// Incoming connections that have not proven anything yet. Each may take [`HANDSHAKE`].
const MAX_UNPROVEN: usize = 64;

/// How one link fares, for those who watch.
#[derive(Debug, Default)]
struct LinkState {
    up: AtomicBool,
    frames: AtomicUsize,
    bytes: AtomicUsize,
    sent: AtomicU64,
    dropped: AtomicU64,
}

impl LinkState {
    fn queued(&self, bytes: usize) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn taken(&self, frame: &Bytes) {
        self.frames.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(frame.len(), Ordering::Relaxed);
    }
}

/// The states of all links of a node, by address, and what it gives out beside them.
#[derive(Debug, Default)]
pub struct LinkBook {
    links: Mutex<BTreeMap<Address, Arc<LinkState>>>,
    pub copies: Arc<CopyBook>,
}

impl LinkBook {
    fn state(&self, address: &Address) -> Arc<LinkState> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.entry(address.clone()).or_default().clone()
    }
}

impl LinkStates for LinkBook {
    fn list(&self) -> Vec<LinkRow> {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let row = |(address, state): (&Address, &Arc<LinkState>)| LinkRow {
            address: address.clone(),
            up: state.up.load(Ordering::Relaxed),
            queued_frames: state.frames.load(Ordering::Relaxed),
            queued_bytes: state.bytes.load(Ordering::Relaxed),
            sent_bytes: state.sent.load(Ordering::Relaxed),
            dropped_frames: state.dropped.load(Ordering::Relaxed),
        };
        links.iter().map(row).collect()
    }

    fn copies(&self) -> Vec<CopyRow> {
        self.copies.list()
    }
}

/// All outgoing links of this node.
pub struct Links {
    credentials: Credentials,
    spawn: Spawn,
    links: BTreeMap<Address, Link>,
    book: Arc<LinkBook>,
    interference: Option<Arc<dyn Interference>>,
}

struct Link {
    /// Encoded messages that were not flushed yet: those of each frame, end to end.
    frames: Vec<Vec<u8>>,
    /// One of them should not wait for company.
    urgent: bool,
    queue: mpsc::Sender<Bytes>,
    state: Arc<LinkState>,
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
        credentials: Credentials,
        spawn: Spawn,
        book: Arc<LinkBook>,
        interference: Option<Arc<dyn Interference>>,
    ) -> Links {
        Links { credentials, spawn, links: BTreeMap::new(), book, interference }
    }

    /// The cluster speaks `version` from now on.
    pub fn raise_version(&self, version: u8) {
        self.credentials.understood.raise(version);
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
        let state = self.book.state(address);
        let hang_up = Arc::new(Notify::new());
        let dialer = Dialer {
            address: address.clone(),
            credentials: self.credentials.clone(),
            frames,
            state: state.clone(),
            hang_up: hang_up.clone(),
            interference: self.interference.clone(),
        };
        (self.spawn)(Box::pin(dialer.run()));
        Link { frames: Vec::new(), urgent: false, queue, state, hang_up, late: Vec::new() }
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
                let full = link.state.bytes.load(Ordering::Relaxed) + size > QUEUE_BYTES && size <= QUEUE_BYTES;
                // Counted before it may be taken.
                link.state.queued(size);
                let refused = match link.queue.try_reserve().ok().filter(|_| !full) {
                    Some(place) => {
                        place.send(frame);
                        continue;
                    }
                    None => frame,
                };
                link.state.taken(&refused);
                let count = link.state.dropped.fetch_add(1, Ordering::Relaxed) + 1;
                if count.is_power_of_two() {
                    tracing::debug!(%address, count, "queue to peer is full, frames dropped");
                }
            }
        }
        nothing_left
    }
}

/// How a connection ended that did not fail.
enum Ended {
    NothingToSay,
    /// It was made with a secret that is not the current one: it is to be made anew.
    OldSecret,
}

/// The sending end of one link.
struct Dialer {
    address: Address,
    credentials: Credentials,
    frames: mpsc::Receiver<Bytes>,
    state: Arc<LinkState>,
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
                self.state.taken(&frame);
                first = Some(frame);
            }
            let ended = self.connected(&mut first).await;
            self.state.up.store(false, Ordering::Relaxed);
            match ended {
                Ok(Ended::NothingToSay) => return,
                // What is said meanwhile waits in the queue.
                Ok(Ended::OldSecret) => continue,
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
                self.state.taken(&old);
            }
        }
    }

    /// Dials and sends until the connection fails. The error says whether it had worked; `first` is kept if not.
    async fn connected(&mut self, first: &mut Option<Bytes>) -> Result<Ended, (FrameError, bool)> {
        let dialled = timeout(HANDSHAKE, self.credentials.dial(&self.address, Purpose::Messages)).await;
        let late = || FrameError::Io(std::io::ErrorKind::TimedOut.into());
        let (stream, session) = dialled.map_err(|_| (late(), false))?.map_err(|e| (e, false))?;
        tracing::debug!(peer = %self.address, "link to peer is up");
        self.state.up.store(true, Ordering::Relaxed);
        let mut frames = session.frames();
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut out = BytesMut::with_capacity(64 << 10);
        let mut next = first.take();
        let hang_up = self.hang_up.clone();
        // What was said of an earlier connection is not about this one.
        std::pin::pin!(hang_up.notified()).as_mut().enable();
        let mut silence = [0u8; 1];
        let keys = self.credentials.keys.clone();
        let old = async {
            match keys.is_current(session.key()) {
                true => keys.replaced(session.key()).await,
                // That it is retired before is as good a reason.
                false => drop(timeout(ANEW, keys.retired(session.key())).await),
            }
        };
        let mut old = std::pin::pin!(old);
        loop {
            while let Some(payload) = next.take() {
                frames.seal(&payload, &mut out);
                if out.len() < WRITE_BYTES
                    && let Ok(more) = self.frames.try_recv()
                {
                    self.state.taken(&more);
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
            self.state.sent.fetch_add(out.len() as u64, Ordering::Relaxed);
            out.clear();
            tokio::select! {
                biased;
                // The listener never speaks after the handshake: whatever comes is its end of the connection closing.
                closed = reader.read(&mut silence) => {
                    let said = closed.err().filter(|e| e.kind() != std::io::ErrorKind::UnexpectedEof);
                    let error = said.unwrap_or_else(|| std::io::ErrorKind::ConnectionReset.into());
                    return Err((error.into(), true));
                }
                () = hang_up.notified() => return Err((late(), true)),
                () = &mut old => {
                    // All that was written arrives: the listener reads to the end. If it does not, the protocol repeats it.
                    let _ = timeout(STALLED, writer.shutdown()).await;
                    return Ok(Ended::OldSecret);
                }
                payload = self.frames.recv() => match payload {
                    None => return Ok(Ended::NothingToSay),
                    Some(payload) => {
                        self.state.taken(&payload);
                        next = Some(payload);
                    }
                },
            }
        }
    }
}

/// Accepts peers and hands their envelopes to `deliver` until the channel closes. Strangers are dealt with on `receiving`, so
/// that no flood of them keeps the thread of `hearing` from its work.
#[allow(clippy::too_many_arguments)]
pub async fn listen(
    listener: TcpListener,
    credentials: Credentials,
    frame_limit: usize,
    deliver: mpsc::Sender<Vec<Envelope>>,
    copies: Arc<Copies>,
    answers: Arc<Answers>,
    metrics: Arc<Metrics>,
    receiving: Spawn,
    hearing: Spawn,
) {
    let door = Arc::new(Door {
        credentials,
        frame_limit,
        deliver,
        copies,
        answers,
        metrics,
        hearing,
        open: Antechamber::new(MAX_INCOMING),
        said: LogLimit::default(),
    });
    let unproven = Antechamber::new(MAX_UNPROVEN);
    loop {
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accepting a peer failed");
                sleep(FIRST_BACKOFF).await;
                continue;
            }
        };
        if door.deliver.is_closed() {
            return;
        }
        let address = peer.ip().to_canonical();
        let (door, mut visit) = (door.clone(), unproven.enter(address));
        receiving(Box::pin(async move {
            let greeted = tokio::select! {
                biased;
                () = visit.sent_away() => Err(FrameError::Crowded),
                greeted = timeout(HANDSHAKE, door.credentials.greet(socket)) => greeted.unwrap_or(Err(FrameError::Slow)),
            };
            drop(visit);
            match greeted {
                Ok(greeted) => door.let_in(address, greeted),
                Err(error) => door.complain(address, &error),
            }
        }));
    }
}

/// What is needed to let a peer in.
struct Door {
    credentials: Credentials,
    frame_limit: usize,
    deliver: mpsc::Sender<Vec<Envelope>>,
    copies: Arc<Copies>,
    answers: Arc<Answers>,
    metrics: Arc<Metrics>,
    hearing: Spawn,
    open: Arc<Antechamber>,
    said: LogLimit<(IpAddr, Discriminant<FrameError>)>,
}

impl Door {
    fn let_in(self: Arc<Self>, peer: IpAddr, (stream, session, purpose): (PeerStream, Session, Purpose)) {
        match purpose {
            Purpose::Messages => {}
            Purpose::Copy => {
                if let Err(error) = self.copies.serve(peer, stream, session, self.credentials.keys.clone()) {
                    tracing::warn!(%peer, %error, "no thread for a node that copies the data");
                }
                return;
            }
            Purpose::Verify => {
                if let Err(error) = self.answers.serve(stream, session, self.credentials.keys.clone()) {
                    tracing::warn!(%peer, %error, "no thread for a node that verifies");
                }
                return;
            }
        }
        let mut visit = self.open.enter(peer);
        let hearing = self.hearing.clone();
        hearing(Box::pin(async move {
            let heard = hear(stream, &session, self.frame_limit, &self.deliver, &self.metrics);
            let ended = tokio::select! {
                biased;
                () = visit.sent_away() => Err(FrameError::TooMany),
                ended = self.credentials.keys.while_taken(session.key(), heard) => ended,
            };
            if let Err(error) = ended {
                self.complain(peer, &error);
            }
        }));
    }

    /// Says why a connection ended, but not again and again.
    fn complain(&self, peer: IpAddr, error: &FrameError) {
        if let FrameError::Io(error) = error {
            tracing::debug!(%peer, %error, "peer's connection ended");
        } else if let Some(unsaid) = self.said.admit((peer, std::mem::discriminant(error))) {
            tracing::warn!(%peer, %error, unsaid, "peer's connection refused; more of this kind are counted for a minute");
        }
    }
}

/// Hands on what a peer says until its connection ends.
async fn hear(
    mut stream: PeerStream,
    session: &Session,
    frame_limit: usize,
    deliver: &mpsc::Sender<Vec<Envelope>>,
    metrics: &Metrics,
) -> Result<(), FrameError> {
    let mut frames = session.frames();
    let mut input = BytesMut::with_capacity(64 << 10);
    loop {
        while let Some(envelopes) = frames.open(&mut input, frame_limit)? {
            if deliver.send(envelopes).await.is_err() {
                return Ok(());
            }
        }
        match stream.read_buf(&mut input).await.map_err(cluster_tls::failure) {
            Ok(0) => return Ok(()),
            Ok(n) => metrics.peer_bytes.inc_by(n as u64),
            // What TLS notices first.
            Err(FrameError::Tls(_)) => return Err(FrameError::BadTag),
            Err(error) => return Err(error),
        }
    }
}
