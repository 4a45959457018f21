//! How two nodes find out that they belong together, from either side; the protocol is in [`frame`](super::frame).

use super::cluster_tls::{self, ClusterTls};
use super::frame::{
    BINDING, ClusterKey, Context, FrameError, HELLO, HELLO_START, Hello, NONCE, PROOF, Purpose, Session,
};
use super::keep_alive::keep_alive;
use super::keyring::Keyring;
use super::peer_stream::{PeerStream, Slot};
use crate::sqlite::HostPlanted;
use crate::types::Versions;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection request that is not answered is made again after this long: a network that was cut is tried once a second.
const CONNECT: Duration = Duration::from_secs(2);
/// A connection whose peer acknowledges nothing for this long ends, and is dialled anew: TCP's own pauses between attempts double,
/// so that a link would rest for seconds after a short partition. A peer that takes nothing for so long is dialled anew too.
#[cfg(all(target_os = "linux", not(madsim)))]
const UNACKNOWLEDGED_MS: u32 = 2000;

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

/// What a node shows to the others, and demands of them.
#[derive(Clone)]
pub struct Credentials {
    pub keys: Keyring,
    pub nonces: Nonces,
    /// `None`: nothing is encrypted.
    pub tls: Option<Arc<ClusterTls>>,
    pub understood: Understood,
}

impl Credentials {
    /// The same with a rule broken, for the proof that it is seen.
    pub fn plant(self, planted: HostPlanted) -> Credentials {
        Credentials { keys: self.keys.plant(planted), ..self }
    }

    fn hello(&self, purpose: Purpose) -> Hello {
        let versions = self.understood.versions();
        Hello { purpose, versions, nonce: (self.nonces)(), encrypted: self.tls.is_some() }
    }

    /// Connects to a node's cluster port and proves that both sides know the secret; the previous one, if the node does not know
    /// the current one.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn dial(&self, address: &str, purpose: Purpose) -> Result<(PeerStream, Session), FrameError> {
        let (current, previous) = self.keys.taken();
        let refused = match self.dial_with(current, address, purpose).await {
            Err(error @ (FrameError::HungUp | FrameError::WrongSecret)) => error,
            other => return other,
        };
        match previous {
            // What is wrong with the current secret is what somebody has to hear of.
            Some(previous) => self.dial_with(previous, address, purpose).await.map_err(|_| refused),
            None => Err(refused),
        }
    }

    async fn dial_with(
        &self,
        key: ClusterKey,
        address: &str,
        purpose: Purpose,
    ) -> Result<(PeerStream, Session), FrameError> {
        let connected = timeout(CONNECT, TcpStream::connect(address)).await;
        let mut socket = connected.map_err(|_| FrameError::Io(std::io::ErrorKind::TimedOut.into()))??;
        socket.set_nodelay(true)?;
        #[cfg(all(target_os = "linux", not(madsim)))]
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::TcpUserTimeout, &UNACKNOWLEDGED_MS)
            .map_err(std::io::Error::from)?;
        let ours = self.hello(purpose);
        socket.write_all(&ours.encode()).await?;
        socket.flush().await?;
        let theirs = read_hello(&mut socket, ours.versions).await.map_err(hung_up)?;
        ours.check(&theirs)?;
        let (mut stream, binding) = match &self.tls {
            Some(tls) => encrypted(tls.connect(address, socket).await.map_err(hung_up)?),
            None => plain(socket),
        };
        let context = Context { dialer: ours, listener: theirs, binding };
        let session = Session::new(key, context);
        stream.write_all(&session.dialer_proof()).await.map_err(cluster_tls::failure)?;
        stream.flush().await.map_err(cluster_tls::failure)?;
        let proof = read_proof(&mut stream).await?;
        session.verify_listener(&proof)?;
        Ok((stream, session))
    }

    /// Receives a node that dialled. Until it has proven itself this takes a few hundred bytes and what a TLS handshake needs.
    ///
    /// # Errors
    /// Why it was not let in.
    pub async fn greet(&self, mut socket: TcpStream) -> Result<(PeerStream, Session, Purpose), FrameError> {
        socket.set_nodelay(true)?;
        keep_alive(&socket)?;
        let theirs = read_hello(&mut socket, self.understood.versions()).await?;
        let ours = self.hello(theirs.purpose);
        // Said even to one that is refused, so that it knows why.
        socket.write_all(&ours.encode()).await?;
        socket.flush().await?;
        ours.check(&theirs)?;
        let (mut stream, binding) = match &self.tls {
            Some(tls) => encrypted(tls.accept(socket).await?),
            None => plain(socket),
        };
        let context = Context { dialer: theirs, listener: ours, binding };
        let proof = read_proof(&mut stream).await?;
        let (current, previous) = self.keys.taken();
        let mut sessions = std::iter::once(current).chain(previous).map(|key| Session::new(key, context.clone()));
        let proven = sessions.find(|session| session.verify_dialer(&proof).is_ok());
        let session = proven.ok_or(FrameError::WrongSecret)?;
        stream.write_all(&session.listener_proof()).await?;
        stream.flush().await?;
        Ok((stream, session, theirs.purpose))
    }
}

fn plain(socket: TcpStream) -> (PeerStream, Option<[u8; BINDING]>) {
    (PeerStream::Plain(Slot::new(socket)), None)
}

fn encrypted((stream, binding): (PeerStream, [u8; BINDING])) -> (PeerStream, Option<[u8; BINDING]>) {
    (stream, Some(binding))
}

async fn read_hello(socket: &mut TcpStream, ours: Versions) -> Result<Hello, FrameError> {
    let mut start = [0; HELLO_START];
    socket.read_exact(&mut start).await?;
    let start = Hello::decode_start(start, ours)?;
    let mut rest = [0; HELLO - HELLO_START];
    socket.read_exact(&mut rest).await?;
    Hello::decode_rest(start, rest)
}

async fn read_proof(stream: &mut PeerStream) -> Result<[u8; PROOF], FrameError> {
    let mut proof = [0; PROOF];
    stream.read_exact(&mut proof).await.map_err(|e| hung_up(cluster_tls::failure(e)))?;
    Ok(proof)
}

/// Whoever accepted a connection and then ends it had a reason.
fn hung_up(error: FrameError) -> FrameError {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    match error {
        FrameError::Io(error) if matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe) => {
            FrameError::HungUp
        }
        error => error,
    }
}
