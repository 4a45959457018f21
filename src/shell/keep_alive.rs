//! Noticing that whoever connected is gone without a word: its machine lost power, or the network between was cut while it hung
//! up. Nothing would ever arrive on such a connection, and it would be kept for ever.

use std::io;
use tokio::net::TcpStream;

/// Of how long a silence the kernel asks whether the other end is still there, and then how often, and how many times
/// (tcp(7), `TCP_KEEPIDLE` and what follows). Whoever is gone is known to be after a minute.
#[cfg(all(target_os = "linux", not(madsim)))]
const IDLE_SECONDS: u32 = 30;
#[cfg(all(target_os = "linux", not(madsim)))]
const AGAIN_SECONDS: u32 = 10;
#[cfg(all(target_os = "linux", not(madsim)))]
const TIMES: u32 = 3;

/// Has the kernel end the connection when the other end is gone.
///
/// # Errors
/// The connection has ended already.
#[cfg(all(target_os = "linux", not(madsim)))]
pub fn keep_alive(socket: &TcpStream) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt};
    setsockopt(socket, sockopt::TcpKeepIdle, &IDLE_SECONDS)?;
    setsockopt(socket, sockopt::TcpKeepInterval, &AGAIN_SECONDS)?;
    setsockopt(socket, sockopt::TcpKeepCount, &TIMES)?;
    setsockopt(socket, sockopt::KeepAlive, &true)?;
    Ok(())
}

/// Elsewhere the kernel's own times hold.
#[cfg(all(unix, not(target_os = "linux"), not(madsim)))]
pub fn keep_alive(socket: &TcpStream) -> io::Result<()> {
    nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::KeepAlive, &true)?;
    Ok(())
}

/// A simulated network tells when a connection is cut.
#[cfg(any(madsim, not(unix)))]
pub fn keep_alive(_: &TcpStream) -> io::Result<()> {
    Ok(())
}
