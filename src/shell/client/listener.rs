//! Accepting clients: who may, how many, until when.

use super::commands::Commands;
use super::connection::{Connection, End};
use super::login::login;
use super::tls::{Tls, secret};
use super::transport::Socket;
use crate::mysql::{
    Authenticator, CANT_CREATE_THREAD, CON_COUNT_ERROR, CapabilityFlags, Handler, Login, NET_READ_INTERRUPTED, Salts,
    SqlError, Statements, StatusFlags,
};
use crate::session::Counters;
use crate::shell::spawn::{Moves, Seat, Task};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

/// Pause after a failed accept: the usual reason is a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// For telling a client that there are too many.
const REFUSAL_TIME: Duration = Duration::from_millis(200);

/// How the front behaves.
pub struct FrontConfig {
    /// As clients see it; those that parse it expect `8.0.x` first.
    pub server_version: String,
    pub accounts: Arc<dyn Authenticator>,
    /// Without it TLS is not offered.
    pub tls: Option<Tls>,
    /// Refuse clients that use neither TLS nor the Unix socket (3159). Needs `tls`.
    pub require_tls: bool,
    /// Connections at one time, logins in progress included; at least 1.
    pub max_connections: usize,
    /// For the whole login (MySQL's `connect_timeout`).
    pub handshake_timeout: Duration,
    /// Bytes and aborted connections are added to these.
    pub counters: Arc<Counters>,
}

impl FrontConfig {
    /// MySQL's defaults.
    pub fn new(server_version: impl Into<String>, accounts: Arc<dyn Authenticator>) -> FrontConfig {
        FrontConfig {
            server_version: server_version.into(),
            accounts,
            tls: None,
            require_tls: false,
            max_connections: 151,
            handshake_timeout: Duration::from_secs(10),
            counters: Arc::default(),
        }
    }
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct Peer {
    /// `CONNECTION_ID()`.
    pub connection: u32,
    /// Address without port; `localhost` for a Unix socket.
    pub host: String,
    /// A Unix socket: nobody listens in.
    pub local: bool,
}

/// The MySQL front of this node. `F` makes a session for each login.
pub struct Front<F> {
    config: FrontConfig,
    new_session: F,
    last_connection: AtomicU32,
    open: watch::Sender<usize>,
}

/// Counts a connection for as long as it lives.
struct Open(watch::Sender<usize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n -= 1);
    }
}

impl<F, H> Front<F>
where
    F: Fn(&Login) -> H + Send + Sync + 'static,
    H: Handler + 'static,
{
    pub fn new(config: FrontConfig, new_session: F) -> Arc<Self> {
        Arc::new(Front { config, new_session, last_connection: AtomicU32::new(0), open: watch::Sender::new(0) })
    }

    /// Connections open now.
    pub fn connections(&self) -> usize {
        *self.open.borrow()
    }

    /// Ends when no connection is open. After `stop` that is soon: when every command in progress has been answered.
    pub async fn drained(&self) {
        // The sender lives as long as `self`, so this cannot fail.
        let _ = self.open.subscribe().wait_for(|n| *n == 0).await;
    }

    /// Accepts clients until `stop` becomes true (or its sender is gone).
    pub async fn accept_tcp(self: Arc<Self>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    // Without it small answers wait for acknowledgements; a failure only costs time.
                    let _ = stream.set_nodelay(true);
                    self.admit(stream, address.ip().to_canonical().to_string(), false, &stop).await;
                }
                Err(error) => pause(&error).await,
            }
        }
    }

    /// Accepts clients of a Unix socket until `stop` becomes true (or its sender is gone).
    #[cfg(all(unix, not(madsim)))]
    pub async fn accept_unix(self: Arc<Self>, listener: tokio::net::UnixListener, mut stop: watch::Receiver<bool>) {
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => self.admit(stream, "localhost".into(), true, &stop).await,
                Err(error) => pause(&error).await,
            }
        }
    }

    /// Serves a new client on a thread of its own, or tells it why not.
    async fn admit<S: Socket + Moves>(
        self: &Arc<Self>,
        stream: S,
        host: String,
        local: bool,
        stop: &watch::Receiver<bool>,
    ) {
        let peer = Peer { connection: self.next_connection(), host, local };
        let admitted = self.open.send_if_modified(|n| {
            let room = *n < self.config.max_connections;
            *n += usize::from(room);
            room
        });
        if !admitted {
            return self.refuse(stream, CON_COUNT_ERROR.with(&[])).await;
        }
        let open = Open(self.open.clone());
        let seat = match Seat::take() {
            Ok(seat) => seat,
            Err(error) => {
                tracing::warn!(%error, "no thread for a client");
                let why = CANT_CREATE_THREAD.with(&[&error.raw_os_error().unwrap_or_default()]);
                return self.refuse(stream, why).await;
            }
        };
        let (front, stop) = (Arc::clone(self), stop.clone());
        let serve = |stream| -> Task {
            Box::pin(async move {
                front.serve(stream, peer, stop).await;
                drop(open);
            })
        };
        if let Err(error) = seat.serve(stream, serve) {
            tracing::warn!(%error, "a client's socket was lost");
        }
    }

    /// Tells a client that it cannot be served.
    async fn refuse<S: Socket>(&self, stream: S, why: SqlError) {
        self.config.counters.aborted_connect();
        let mut connection = Connection::new(stream, REFUSAL_TIME, self.config.counters.clone());
        connection.answer().early_error(&why);
        let _ = timeout(REFUSAL_TIME, connection.close(End::Gone)).await;
    }

    /// Serves one client on any stream, from greeting to end.
    pub async fn serve<S: Socket>(&self, stream: S, peer: Peer, stop: watch::Receiver<bool>) {
        let counters = self.config.counters.clone();
        let mut connection = Connection::new(stream, self.config.handshake_timeout, counters);
        let end = match secret() {
            Ok(secret) => self.converse(&mut connection, &peer, Salts::new(secret), stop).await,
            Err(error) => End::Error(SqlError::internal(error.to_string())),
        };
        connection.close(end).await;
    }

    async fn converse<S: Socket>(
        &self,
        connection: &mut Connection<S>,
        peer: &Peer,
        mut salts: Salts,
        stop: watch::Receiver<bool>,
    ) -> End {
        let login = login(connection, &self.config, peer, &mut salts);
        let (login, salt) = match timeout(self.config.handshake_timeout, login).await {
            Ok(Ok(login)) => login,
            Ok(Err(end)) => {
                self.config.counters.aborted_connect();
                return end;
            }
            Err(_) => {
                self.config.counters.aborted_connect();
                return End::Error(NET_READ_INTERRUPTED.with(&[]));
            }
        };
        let mut handler = (self.new_session)(&login);
        let end = match handler.connected(&login).await {
            Err(error) => End::Error(error),
            Ok(()) => match welcome(connection, handler.status()).await {
                Err(end) => end,
                Ok(()) => {
                    let commands = Commands {
                        connection,
                        handler: &mut handler,
                        front: &self.config,
                        peer,
                        salts,
                        last_salt: salt,
                        statements: Statements::new(),
                        collation: login.collation,
                        failures: 0,
                    };
                    commands.run(stop).await
                }
            },
        };
        handler.disconnected().await;
        end
    }

    /// Ids count up and wrap around past 0, which means "none".
    fn next_connection(&self) -> u32 {
        match self.last_connection.fetch_add(1, Ordering::Relaxed).wrapping_add(1) {
            0 => self.last_connection.fetch_add(1, Ordering::Relaxed).wrapping_add(1),
            id => id,
        }
    }
}

/// The OK that ends the login; what comes after it may be compressed.
async fn welcome<S: Socket>(connection: &mut Connection<S>, status: StatusFlags) -> Result<(), End> {
    connection.answer().ok(status, Vec::new());
    if connection.capabilities.contains(CapabilityFlags::CLIENT_COMPRESS) {
        connection.send().await?;
        connection.inbound.start_compression();
        connection.outbound.start_compression();
    }
    Ok(())
}

async fn pause(error: &io::Error) {
    tracing::warn!(%error, "accepting a client failed");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
