//! The command phase: one command after another until the connection ends.

use super::connection::{Connection, End};
use super::listener::{FrontConfig, Peer};
use super::login::change_user;
use super::transport::Socket;
use crate::mysql::{
    Broken, CLIENT_INTERACTION_TIMEOUT, Command, Execution, Handler, ResultWriter, RowFormat, SERVER_SHUTDOWN,
    STMT_HAS_NO_OPEN_CURSOR, Salt, Salts, SqlError, Statements,
};
use std::future::Future;
use std::pin::Pin;
use tokio::sync::watch;
use tokio::time::timeout;

/// Answered commands are sent once this much is buffered, even if more commands are here already.
const PIPELINE_BYTES: usize = 64 << 10;
/// The largest file of LOAD DATA: its rows are one statement, held in memory.
const FILE_BYTES: usize = 256 << 20;
/// Failed COM_CHANGE_USERs after which the connection is closed: no more guessing on one connection.
const CHANGE_USER_FAILURES: u32 = 3;

/// A client past its login.
pub(super) struct Commands<'a, S, H> {
    pub connection: &'a mut Connection<S>,
    pub handler: &'a mut H,
    pub front: &'a FrontConfig,
    pub peer: &'a Peer,
    pub salts: Salts,
    /// The salt that the client proved for last.
    pub last_salt: Salt,
    pub statements: Statements,
    pub collation: u16,
    pub failures: u32,
}

/// Whether the connection goes on.
enum Next {
    Command,
    Quit,
}

impl<S: Socket, H: Handler> Commands<'_, S, H> {
    /// Serves commands until the connection ends; says why it did.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> End {
        let killed = self.handler.killed();
        tokio::pin!(killed);
        let end = loop {
            if let Err(end) = self.next_command(killed.as_mut(), &mut stop).await {
                break end;
            }
            match self.serve().await {
                Ok(Next::Command) => {}
                Ok(Next::Quit) => return End::Gone,
                Err(end) => break end,
            }
            if self.connection.outbound.len() >= PIPELINE_BYTES
                && let Err(end) = self.connection.send().await
            {
                break end;
            }
        };
        self.front.counters.aborted_client();
        end
    }

    /// Makes the next command's packet the current one; between commands the client may be silent for long, and the
    /// connection may be killed or the server stopped.
    async fn next_command(
        &mut self,
        mut killed: Pin<&mut impl Future<Output = SqlError>>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), End> {
        let connection = &mut *self.connection;
        connection.transport.write_timeout = self.handler.write_timeout();
        connection.inbound.set_limit(self.handler.max_allowed_packet());
        connection.inbound.start_command();
        loop {
            match connection.inbound.advance() {
                Ok(true) => break,
                Ok(false) => {}
                Err(broken) => {
                    if broken == Broken::TooLarge {
                        connection.skip_packet().await;
                    }
                    connection.number_answers();
                    return Err(End::Unreadable(broken.into()));
                }
            }
            connection.send().await?;
            if connection.inbound.is_midway() {
                connection.read(self.handler.read_timeout()).await?;
                continue;
            }
            connection.outbound.set_sequence(0);
            let wait = timeout(self.handler.wait_timeout(), connection.transport.read(connection.inbound.buffer(), 0));
            tokio::select! {
                biased;
                error = killed.as_mut() => return Err(End::Error(error)),
                _ = stop.wait_for(|stop| *stop) => return Err(End::Error(SERVER_SHUTDOWN.with(&[]))),
                read = wait => match read {
                    Ok(read) => read?,
                    Err(_) => return Err(End::Error(CLIENT_INTERACTION_TIMEOUT.with(&[]))),
                },
            }
        }
        connection.number_answers();
        Ok(())
    }

    /// Executes the current packet's command and buffers its answer.
    async fn serve(&mut self) -> Result<Next, End> {
        let Connection { inbound, outbound, transport, capabilities } = &mut *self.connection;
        let capabilities = *capabilities;
        let command = match Command::parse(inbound.payload(), capabilities, self.collation) {
            Ok(command) => command,
            Err(error) => {
                self.connection.answer().error(&error);
                return Ok(Next::Command);
            }
        };
        let handler = &mut *self.handler;
        let done = match command {
            Command::Quit => return Ok(Next::Quit),
            Command::Query(sql) => {
                let mut out = ResultWriter::new(outbound, transport, RowFormat::Text, capabilities);
                let outcome = handler.query(sql, &mut out).await;
                let mut asked = outcome.is_ok() && out.asks_for_file();
                out.finish(outcome);
                while asked {
                    asked = self.receive_file().await?;
                }
                return Ok(Next::Command);
            }
            Command::Execute(execution) => {
                let out = ResultWriter::new(outbound, transport, RowFormat::Binary, capabilities);
                execute(handler, &mut self.statements, execution, out, capabilities).await;
                return Ok(Next::Command);
            }
            Command::Prepare(sql) => {
                match prepare(handler, &mut self.statements, sql).await {
                    Ok((id, prepared)) => {
                        let status = handler.status();
                        self.connection.answer().prepared(id, &prepared, status);
                    }
                    Err(error) => self.connection.answer().error(&error),
                }
                return Ok(Next::Command);
            }
            Command::SendLongData { id, parameter, chunk } => {
                self.statements.append(id, parameter, chunk, handler.max_allowed_packet());
                return Ok(Next::Command);
            }
            Command::Close(id) => {
                if self.statements.remove(id) {
                    handler.close(id);
                }
                return Ok(Next::Command);
            }
            Command::Reset(id) => self.statements.reset(id).map(|()| handler.reset(id)),
            Command::Fetch(id) => {
                let known = self.statements.check(id, "mysqld_stmt_fetch");
                known.and_then(|()| Err(STMT_HAS_NO_OPEN_CURSOR.with(&[&id.0])))
            }
            Command::InitDb(name) => handler.init_db(name).await,
            Command::Ping => {
                handler.ping();
                Ok(())
            }
            Command::ResetConnection => {
                self.statements.clear();
                handler.reset_connection().await
            }
            Command::SetMultiStatements(on) => {
                handler.set_multi_statements(on);
                let status = handler.status();
                self.connection.answer().eof(status);
                return Ok(Next::Command);
            }
            Command::FieldList { table, wildcard } => {
                match handler.field_list(table, wildcard).await {
                    Ok(columns) => {
                        let status = handler.status();
                        self.connection.answer().field_list(&columns, status);
                    }
                    Err(error) => self.connection.answer().error(&error),
                }
                return Ok(Next::Command);
            }
            Command::Statistics => {
                let text = handler.statistics();
                self.connection.answer().text(&text);
                return Ok(Next::Command);
            }
            Command::ChangeUser(response) => return self.change_user(response).await,
        };
        let status = self.handler.status();
        match done {
            Ok(()) => self.connection.answer().ok(status, self.handler.take_changes()),
            Err(error) => self.connection.answer().error(&error),
        }
        Ok(Next::Command)
    }

    /// Reads the file that the client was asked for, packet by packet up to an empty one, and goes on with the command;
    /// whether it asks for another.
    async fn receive_file(&mut self) -> Result<bool, End> {
        let (patience, most) = (self.handler.read_timeout(), FILE_BYTES);
        let mut content = Ok(Vec::new());
        loop {
            self.connection.next_packet(patience).await?;
            let piece = self.connection.inbound.payload();
            if piece.is_empty() {
                break;
            }
            match &mut content {
                Ok(bytes) if bytes.len() + piece.len() <= most => bytes.extend_from_slice(piece),
                // What is too much is read all the same, for the client sends it all.
                _ => content = Err(SqlError::new(1153, "Got a file bigger than LOAD DATA takes")),
            }
        }
        let Connection { outbound, transport, capabilities, .. } = &mut *self.connection;
        let mut out = ResultWriter::new(outbound, transport, RowFormat::Text, *capabilities);
        let outcome = self.handler.file(content, &mut out).await;
        let asked = outcome.is_ok() && out.asks_for_file();
        out.finish(outcome);
        Ok(asked)
    }

    async fn change_user(&mut self, response: crate::mysql::Response) -> Result<Next, End> {
        let proven =
            change_user(self.connection, self.front, self.peer, (&mut self.salts, &mut self.last_salt), response);
        let proven = timeout(self.front.limits().connect_timeout, proven).await.map_err(|_| End::Gone)??;
        let outcome = match proven {
            Ok(login) => {
                self.collation = login.collation;
                self.statements.clear();
                self.handler.change_user(&login).await
            }
            Err(error) => {
                self.failures += 1;
                if self.failures >= CHANGE_USER_FAILURES {
                    return Err(End::Error(error));
                }
                Err(error)
            }
        };
        let status = self.handler.status();
        match outcome {
            Ok(()) => self.connection.answer().ok(status, self.handler.take_changes()),
            Err(error) => self.connection.answer().error(&error),
        }
        Ok(Next::Command)
    }
}

async fn prepare<H: Handler>(
    handler: &mut H,
    statements: &mut Statements,
    sql: &[u8],
) -> Result<(crate::mysql::StatementId, crate::mysql::Prepared), SqlError> {
    let id = statements.next_id()?;
    let prepared = handler.prepare(id, sql).await?;
    statements.insert(id, prepared.parameters);
    Ok((id, prepared))
}

async fn execute<H: Handler>(
    handler: &mut H,
    statements: &mut Statements,
    execution: Execution<'_>,
    mut out: ResultWriter<'_>,
    capabilities: crate::mysql::CapabilityFlags,
) {
    let outcome = match statements.parameters(&execution, capabilities) {
        Ok(parameters) => handler.execute(execution.id, &parameters, &mut out).await,
        Err(error) => Err(error),
    };
    out.finish(outcome);
}
