//! The MySQL client/server protocol, server side: a pure codec. Bytes in and out; no sockets, no clock, no tokio.
//!
//! ```text
//! socket ─▶ Inbound ─▶ Command ─▶ Handler (the session) ─▶ ResultWriter ─▶ Outbound ─▶ socket
//!           frames,    what the   what it means            OK, rows, ERR    frames,
//!           numbers,   client                                               numbers,
//!           zlib       wants                                                zlib
//! ```
//!
//! A connection begins with [`Greeting`], [`Hello`] and an [`Exchange`] of proofs; `shell::client` drives all of it. It is
//! written here rather than taken from `opensrv-mysql` because clients depend on what that leaves out: status flags after
//! rows, real re-authentication in COM_CHANGE_USER, several results, compression, prepared statements closed in the same
//! read. `mysql_common` gives the constants, and in tests its client-side codec judges ours.
//!
//! What is refused, by name: LOCAL INFILE (not announced), COM_PROCESS_KILL and the replication commands, RSA password
//! exchange, cursors (asked-for cursors are not opened; rows come at once), zstd compression and session tracking (not
//! announced). Query attributes are read and ignored.

mod answer;
mod auth;
mod cell;
mod column;
mod command;
mod error;
mod handler;
mod handshake;
mod inbound;
mod number;
mod outbound;
mod packet;
mod parameter;
mod recording;
mod result;
mod statements;
mod temporal;

pub use answer::Answer;
pub use auth::{Accounts, Authenticator, Credential, Exchange, Known, Plugin, Salt, Salts, Step};
pub use cell::{Cell, text_bytes};
pub use column::{Column, ColumnFlags, ColumnType, collation};
pub use command::{Command, Execution};
pub use error::*;
pub use handler::{Encryption, Handler, Identity, Login, Prepared, SessionChange, StatementId, StatusFlags};
pub use handshake::{CAPABILITIES, Greeting, Hello, LOGIN_PACKET_MAX, Response};
pub use inbound::{Broken, Inbound};
pub use mysql_common::constants::CapabilityFlags;
pub use outbound::Outbound;
pub use packet::{FRAME_PAYLOAD_MAX, Malformed};
pub use parameter::Parameter;
pub use recording::{Keep, Recorded, Recording};
pub use result::{Completion, Drain, Encode, ResultWriter, RowFormat};
pub use statements::{STATEMENTS_MAX, Statements};
