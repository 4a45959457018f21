//! What stands behind a connection: the session implements [`Handler`], the client loop calls it.
//!
//! The loop owns the socket, the packets, authentication, statement ids, parameter types and long data; the handler owns
//! everything SQL. Calls never overlap: the next one starts after the previous one's future has ended. Nothing here
//! knows tokio; futures are `Send` so that a multi-threaded runtime can run them.

use super::{Column, Parameter, ResultWriter, SqlError};
use crate::types::AccountName;
use mysql_common::constants::CapabilityFlags;
pub use mysql_common::constants::StatusFlags;
use std::future::Future;
use std::time::Duration;

/// A prepared statement's number on its connection. Given by the loop, never reused on that connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatementId(pub u32);

/// Whose rights a session has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The node's own work, which may do everything. No client ever has it.
    Node,
    Account(AccountName),
}

/// An authenticated client and what it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// `CONNECTION_ID()`.
    pub connection: u32,
    pub user: String,
    /// The account that the client proved to be.
    pub identity: Identity,
    /// The client's address without port; `localhost` for a Unix socket.
    pub host: String,
    /// The database to start in, if one was named.
    pub database: Option<String>,
    /// The collation id of the handshake: `character_set_client`, `_connection` and `_results`.
    pub collation: u16,
    /// What both sides agreed on.
    pub capabilities: CapabilityFlags,
    /// Connection attributes (`_client_name`, `program_name`, ...).
    pub attributes: Vec<(String, String)>,
    /// What encrypts the bytes; `None`: nothing.
    pub tls: Option<Encryption>,
}

/// The encryption of a link by the names that `Ssl_version` and `Ssl_cipher` have: `TLSv1.3`, `TLS_AES_256_GCM_SHA384`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    pub version: String,
    pub cipher: String,
}

/// What changed of a session, for a client that follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionChange {
    /// A system variable has this value now.
    Variable(String, String),
    /// This is the current database now; empty: none.
    Schema(String),
}

impl Login {
    /// UPDATE reports rows found instead of rows changed.
    pub fn found_rows(&self) -> bool {
        self.capabilities.contains(CapabilityFlags::CLIENT_FOUND_ROWS)
    }
    /// One COM_QUERY may hold several statements (COM_SET_OPTION may change that later).
    pub fn multi_statements(&self) -> bool {
        self.capabilities.contains(CapabilityFlags::CLIENT_MULTI_STATEMENTS)
    }
    /// A statement may have several results: CALL of a procedure that has queries.
    pub fn multi_results(&self) -> bool {
        self.multi_statements() || self.capabilities.contains(CapabilityFlags::CLIENT_MULTI_RESULTS)
    }
    /// OK packets say what changed of the session.
    pub fn session_track(&self) -> bool {
        self.capabilities.contains(CapabilityFlags::CLIENT_SESSION_TRACK)
    }
    /// `interactive_timeout` instead of `wait_timeout`.
    pub fn interactive(&self) -> bool {
        self.capabilities.contains(CapabilityFlags::CLIENT_INTERACTIVE)
    }
    /// The client may be asked for a file of its own (LOAD DATA LOCAL).
    pub fn local_files(&self) -> bool {
        self.capabilities.contains(CapabilityFlags::CLIENT_LOCAL_FILES)
    }
    /// `sql_mode=IGNORE_SPACE`.
    pub fn ignore_space(&self) -> bool {
        self.capabilities.contains(CapabilityFlags::CLIENT_IGNORE_SPACE)
    }
}

/// What COM_STMT_PREPARE answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// How many `?` markers there are. More than 65 535 must be refused (1390).
    pub parameters: u16,
    /// The result's columns; empty if the statement returns no rows (or they are not known before it runs).
    pub columns: Vec<Column>,
    pub warnings: u16,
}

/// One client's session. Every error is sent as an ERR packet and leaves the connection open.
pub trait Handler: Send {
    /// Called once, after authentication and before the client is told that it succeeded. An unknown database is an error
    /// (1049); any error here ends the connection.
    fn connected(&mut self, login: &Login) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// Whether the client may do what an administrator may: it is let in when all other places are taken. The default is no.
    fn may_administer(&self) -> bool {
        false
    }

    /// The flags of the next OK or EOF packet: `SERVER_STATUS_IN_TRANS`, `_AUTOCOMMIT`, `_NO_BACKSLASH_ESCAPES`, ... .
    /// `SERVER_MORE_RESULTS_EXISTS` is the writer's business.
    fn status(&self) -> StatusFlags;

    /// What changed of the session and the client was not told yet; it is told with the next OK packet. Always empty unless
    /// it asked to be told ([`Login::session_track`]).
    fn take_changes(&mut self) -> Vec<SessionChange> {
        Vec::new()
    }

    /// COM_QUERY. `sql` is what the client sent, in its character set. Write one result per statement, in order; an error
    /// ends the batch after the results already written.
    fn query(&mut self, sql: &[u8], out: &mut ResultWriter<'_>) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// The file that [`ResultWriter::request_file`] asked for, or why it did not come; the command goes on with it. Called
    /// exactly once for each request. The default refuses it.
    fn file(
        &mut self,
        _content: Result<Vec<u8>, SqlError>,
        _out: &mut ResultWriter<'_>,
    ) -> impl Future<Output = Result<(), SqlError>> + Send {
        std::future::ready(Err(SqlError::internal("a file that nobody asked for")))
    }

    /// COM_STMT_PREPARE under the given id.
    fn prepare(&mut self, id: StatementId, sql: &[u8]) -> impl Future<Output = Result<Prepared, SqlError>> + Send;

    /// COM_STMT_EXECUTE: exactly one result (binary rows), with as many parameters as [`Prepared::parameters`].
    fn execute(
        &mut self,
        id: StatementId,
        parameters: &[Parameter],
        out: &mut ResultWriter<'_>,
    ) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// COM_STMT_CLOSE. Never called twice for an id, nor for one whose prepare failed.
    fn close(&mut self, id: StatementId);

    /// COM_STMT_RESET; long data is already dropped. The default does nothing.
    fn reset(&mut self, _id: StatementId) {}

    /// COM_INIT_DB, as `USE name`.
    fn init_db(&mut self, name: &str) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// COM_RESET_CONNECTION: roll back, drop temporary tables, variables, statements; keep user and database. Statements
    /// are forgotten without [`close`](Handler::close).
    fn reset_connection(&mut self) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// COM_CHANGE_USER, after the new user authenticated: as `reset_connection`, then user and database of `login`.
    fn change_user(&mut self, login: &Login) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// COM_FIELD_LIST: the columns of `table` whose names match the LIKE pattern `wildcard` (empty: all).
    fn field_list(&mut self, table: &str, wildcard: &str)
    -> impl Future<Output = Result<Vec<Column>, SqlError>> + Send;

    /// COM_STATISTICS: one line for people.
    fn statistics(&mut self) -> String;

    /// COM_SET_OPTION: whether COM_QUERY may hold several statements.
    fn set_multi_statements(&mut self, on: bool);

    /// COM_PING. The default does nothing.
    fn ping(&mut self) {}

    /// Longest silence between two commands (`wait_timeout` or `interactive_timeout`); then the connection is closed.
    fn wait_timeout(&self) -> Duration {
        Duration::from_secs(28_800)
    }

    /// Longest silence within a packet (`net_read_timeout`).
    fn read_timeout(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// Longest wait for the client to take bytes (`net_write_timeout`).
    fn write_timeout(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// `max_allowed_packet` in bytes; a larger packet gets error 1153 and the connection is closed.
    fn max_allowed_packet(&self) -> usize {
        64 << 20
    }

    /// Ends when the connection must close (KILL by another session); the error is sent first, if it can be. Waited on
    /// between commands only: a command in progress must notice by itself.
    fn killed(&self) -> impl Future<Output = SqlError> + Send + 'static {
        std::future::pending()
    }

    /// The client is gone, for whatever reason. Roll back what is open. Called exactly once if `connected` was called.
    fn disconnected(&mut self) -> impl Future<Output = ()> + Send;
}
