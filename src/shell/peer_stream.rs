//! The bytes between two nodes: plain, or within TLS.

use super::spawn::Moves;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// A connection between two nodes.
pub enum PeerStream {
    Plain(Slot),
    Tls(Box<TlsStream<Slot>>),
}

/// Where the socket is while it is not on its way to another runtime: TLS keeps what is around it, and what was said.
pub struct Slot(Option<TcpStream>);

impl Slot {
    pub fn new(socket: TcpStream) -> Slot {
        Slot(Some(socket))
    }

    fn socket(self: Pin<&mut Self>) -> io::Result<Pin<&mut TcpStream>> {
        self.get_mut().0.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Slot {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_read(cx, out)
    }
}

impl AsyncWrite for Slot {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.socket()?.poll_write(cx, bytes)
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket()?.poll_write_vectored(cx, pieces)
    }
    fn is_write_vectored(&self) -> bool {
        self.0.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_flush(cx)
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_shutdown(cx)
    }
}

impl PeerStream {
    fn slot(&mut self) -> &mut Slot {
        match self {
            PeerStream::Plain(slot) => slot,
            PeerStream::Tls(tls) => tls.get_mut().0,
        }
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            PeerStream::Plain(slot) => Pin::new(slot).poll_read(cx, out),
            PeerStream::Tls(tls) => Pin::new(tls).poll_read(cx, out),
        }
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            PeerStream::Plain(slot) => Pin::new(slot).poll_write(cx, bytes),
            PeerStream::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            PeerStream::Plain(slot) => Pin::new(slot).poll_flush(cx),
            PeerStream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            PeerStream::Plain(slot) => Pin::new(slot).poll_shutdown(cx),
            PeerStream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

/// The socket changes runtimes; TLS comes along as it is.
impl Moves for PeerStream {
    type Parted = (PeerStream, <TcpStream as Moves>::Parted);

    fn part(mut self) -> io::Result<Self::Parted> {
        let socket = self.slot().0.take().ok_or(io::ErrorKind::NotConnected)?;
        Ok((self, socket.part()?))
    }

    fn join((mut stream, socket): Self::Parted) -> io::Result<Self> {
        *stream.slot() = Slot::new(TcpStream::join(socket)?);
        Ok(stream)
    }
}
