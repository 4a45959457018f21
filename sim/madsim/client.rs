//! A MySQL client in as many bytes as the workloads need: login without a password, COM_QUERY with text results,
//! prepared statements with binary ones.
//!
//! It is the simulator's own, so that what the server sends is read by code that shares nothing with it.

use crate::marks::mark;
use crate::prepared::{self, COM_STMT_PREPARE, Parameter, Prepared};
use crate::trace::{Answer, Trace};
use bytes::{Buf, BytesMut};
use madsim::net::TcpStream;
use madsim::time::timeout;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// CLIENT_LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, MULTI_RESULTS, PLUGIN_AUTH.
const CAPABILITIES: u32 = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x2_0000 | 0x8_0000;
const UTF8MB4: u8 = 45;
const COM_QUERY: u8 = 3;
/// An answer that takes longer does not come any more.
const PATIENCE: Duration = Duration::from_secs(12);

/// A row of a text result: `None` is NULL.
pub type Row = Vec<Option<String>>;

/// What the server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Done { affected: u64, insert_id: u64 },
    Rows(Vec<Row>),
    Refused(Refused),
}

/// An error packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub code: u16,
    pub state: String,
    pub message: String,
}

/// Why there is no good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The server said no, and means that nothing happened.
    Refused(Refused),
    /// The server says that it does not know, or it said nothing and the connection is gone.
    Unknown(String),
}

impl Trouble {
    /// Whether the statement certainly had no effect.
    pub fn is_clean(&self) -> bool {
        matches!(self, Trouble::Refused(_))
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Refused(r) => write!(f, "{} ({}) {}", r.code, r.state, r.message),
            Trouble::Unknown(why) => write!(f, "unknown: {why}"),
        }
    }
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    input: BytesMut,
    who: String,
    trace: Trace,
    /// What was prepared on this connection, by its text.
    statements: BTreeMap<String, Prepared>,
    /// Something came in the middle of which the connection cannot be used any more.
    pub broken: bool,
}

impl Client {
    /// Logs in as root. The error is a sentence.
    pub async fn connect(at: SocketAddr, database: &str, who: &str, trace: &Trace) -> Result<Client, String> {
        let work = async {
            let stream = TcpStream::connect(at).await.map_err(|e| e.to_string())?;
            let (who, trace) = (who.to_string(), trace.clone());
            let mut client =
                Client { stream, input: BytesMut::new(), who, trace, statements: BTreeMap::new(), broken: false };
            client.login(database).await?;
            Ok(client)
        };
        let connected = timeout(PATIENCE, work).await.unwrap_or_else(|_| Err("no answer to the login".into()));
        // The greeting's random bytes are left out on purpose.
        trace.add(who, connected.as_ref().map_or_else(String::as_str, |_| "connected"));
        connected
    }

    async fn login(&mut self, database: &str) -> Result<(), String> {
        let (_, greeting) = self.packet().await?;
        if greeting.first() != Some(&10) {
            return Err(error_of(&greeting).message);
        }
        let mut response = Vec::new();
        response.extend(CAPABILITIES.to_le_bytes());
        response.extend((64u32 << 20).to_le_bytes());
        response.push(UTF8MB4);
        response.extend([0; 23]);
        // An empty password is proved by nothing: length 0.
        response.extend(b"root\0\0");
        response.extend(database.as_bytes());
        response.extend(b"\0mysql_native_password\0");
        self.send(1, &response).await?;
        loop {
            let (number, answer) = self.packet().await?;
            match answer.first() {
                Some(0) => return Ok(()),
                Some(0xfe) => self.send(number + 1, &[]).await?,
                _ => return Err(error_of(&answer).message),
            }
        }
    }

    /// Runs one statement. The outcome is traced.
    pub async fn query(&mut self, sql: &str) -> Result<Reply, Trouble> {
        let mut command = vec![COM_QUERY];
        command.extend(sql.as_bytes());
        let answered = timeout(PATIENCE, self.exchange(&command, Shape::Text)).await;
        self.conclude(sql, answered.unwrap_or_else(|_| Err("no answer".into())))
    }

    /// Prepares the statement, if this connection has not yet, and runs it.
    pub async fn prepared(&mut self, sql: &str, parameters: &[Parameter]) -> Result<Reply, Trouble> {
        let answered = timeout(PATIENCE, self.prepare_and_execute(sql, parameters)).await;
        let parameters: Vec<String> = parameters.iter().map(Parameter::to_string).collect();
        let what = format!("{sql} [{}]", parameters.join(", "));
        mark("statement prepared");
        self.conclude(&what, answered.unwrap_or_else(|_| Err("no answer".into())))
    }

    async fn prepare_and_execute(&mut self, sql: &str, parameters: &[Parameter]) -> Result<Reply, String> {
        let prepared = match self.statements.get(sql) {
            Some(prepared) => *prepared,
            None => {
                let mut command = vec![COM_STMT_PREPARE];
                command.extend(sql.as_bytes());
                self.send(0, &command).await?;
                let (_, answer) = self.packet().await?;
                if answer.first() == Some(&0xff) {
                    return Ok(Reply::Refused(error_of(&answer)));
                }
                let prepared = Prepared::read(&answer).ok_or("a malformed answer to a preparation")?;
                for definitions in [prepared.parameters, prepared.columns] {
                    // With their end, if there are any.
                    for _ in 0..definitions + u16::from(definitions > 0) {
                        self.packet().await?;
                    }
                }
                self.statements.insert(sql.to_string(), prepared);
                prepared
            }
        };
        self.exchange(&prepared.execute(parameters), Shape::Binary).await
    }

    fn conclude(&mut self, what: &str, answered: Result<Reply, String>) -> Result<Reply, Trouble> {
        let result = match answered {
            Ok(Reply::Refused(refused)) if refused.state == "08007" => Err(Trouble::Unknown(refused.message)),
            Ok(Reply::Refused(refused)) => Err(Trouble::Refused(refused)),
            Ok(reply) => Ok(reply),
            Err(why) => {
                self.broken = true;
                Err(Trouble::Unknown(why))
            }
        };
        self.trace.count(match &result {
            Ok(_) => Answer::Done,
            Err(Trouble::Refused(_)) => Answer::Refused,
            Err(Trouble::Unknown(_)) => Answer::Unknown,
        });
        match &result {
            Ok(reply) => self.trace.add(&self.who, &format!("{what} -> {reply:?}")),
            Err(trouble) => self.trace.add(&self.who, &format!("{what} -> {trouble}")),
        }
        result
    }

    /// The rows of a SELECT.
    pub async fn rows(&mut self, sql: &str) -> Result<Vec<Row>, Trouble> {
        rows_of(self.query(sql).await?)
    }

    /// The only number of a SELECT's only row; `None` without a row or for NULL.
    pub async fn number(&mut self, sql: &str) -> Result<Option<i64>, Trouble> {
        Ok(number_of(self.rows(sql).await?))
    }

    /// As [`Client::number`], prepared.
    pub async fn prepared_number(&mut self, sql: &str, parameters: &[Parameter]) -> Result<Option<i64>, Trouble> {
        Ok(number_of(rows_of(self.prepared(sql, parameters).await?)?))
    }

    /// As [`Client::execute`], prepared.
    pub async fn prepared_execute(&mut self, sql: &str, parameters: &[Parameter]) -> Result<u64, Trouble> {
        affected(self.prepared(sql, parameters).await?)
    }

    /// The number of rows a statement changed.
    pub async fn execute(&mut self, sql: &str) -> Result<u64, Trouble> {
        affected(self.query(sql).await?)
    }

    async fn exchange(&mut self, command: &[u8], shape: Shape) -> Result<Reply, String> {
        self.send(0, command).await?;
        let (_, first) = self.packet().await?;
        match first.first() {
            Some(0) => {
                let mut rest = &first[1..];
                let (affected, insert_id) = (length(&mut rest), length(&mut rest));
                let (Some(affected), Some(insert_id)) = (affected, insert_id) else {
                    return Err("a malformed OK".into());
                };
                Ok(Reply::Done { affected, insert_id })
            }
            Some(0xff) => Ok(Reply::Refused(error_of(&first))),
            _ => self.result(length(&mut &first[..]).ok_or("a malformed answer")?, shape).await,
        }
    }

    async fn result(&mut self, columns: u64, shape: Shape) -> Result<Reply, String> {
        let mut types = Vec::new();
        for _ in 0..columns {
            let (_, definition) = self.packet().await?;
            types.push(prepared::column_type(&definition).ok_or("a malformed column definition")?);
        }
        let mut rows = Vec::new();
        // First the end of the definitions, then rows up to the end of those.
        let mut ends = 0;
        while ends < 2 {
            let (_, packet) = self.packet().await?;
            match packet.first() {
                Some(0xfe) if packet.len() < 9 => ends += 1,
                Some(0xff) => return Ok(Reply::Refused(error_of(&packet))),
                _ => {
                    let row = match shape {
                        Shape::Text => row(&packet, columns),
                        Shape::Binary => prepared::row(&packet, &types),
                    };
                    rows.push(row.ok_or("a malformed row")?);
                }
            }
        }
        Ok(Reply::Rows(rows))
    }

    async fn send(&mut self, number: u8, payload: &[u8]) -> Result<(), String> {
        let mut packet = (payload.len() as u32).to_le_bytes();
        packet[3] = number;
        let write = async {
            self.stream.write_all(&packet).await?;
            self.stream.write_all(payload).await?;
            self.stream.flush().await
        };
        write.await.map_err(|e| e.to_string())
    }

    /// The next packet and its number.
    async fn packet(&mut self) -> Result<(u8, Vec<u8>), String> {
        loop {
            if let [a, b, c, number, ..] = self.input[..] {
                let len = u32::from_le_bytes([a, b, c, 0]) as usize;
                if self.input.len() >= 4 + len {
                    self.input.advance(4);
                    return Ok((number, self.input.split_to(len).to_vec()));
                }
            }
            // Not by way of an array here: it would be a part of every future that waits for an answer, and be moved with it.
            match self.stream.read_buf(&mut self.input).await {
                Ok(0) => return Err("connection closed".into()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

/// How rows are written.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Binary,
}

fn rows_of(reply: Reply) -> Result<Vec<Row>, Trouble> {
    match reply {
        Reply::Rows(rows) => Ok(rows),
        other => Err(Trouble::Unknown(format!("{other:?} instead of rows"))),
    }
}

fn number_of(rows: Vec<Row>) -> Option<i64> {
    rows.first().and_then(|row| row.first()?.as_ref()?.parse().ok())
}

fn affected(reply: Reply) -> Result<u64, Trouble> {
    match reply {
        Reply::Done { affected, .. } => Ok(affected),
        other => Err(Trouble::Unknown(format!("{other:?} instead of OK"))),
    }
}

/// A length-encoded number, taken from the front.
pub fn length(from: &mut &[u8]) -> Option<u64> {
    let (first, rest) = from.split_first()?;
    let bytes = match first {
        0..=0xfa => {
            *from = rest;
            return Some(u64::from(*first));
        }
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        _ => return None,
    };
    let mut word = [0; 8];
    word[..bytes].copy_from_slice(rest.get(..bytes)?);
    *from = &rest[bytes..];
    Some(u64::from_le_bytes(word))
}

fn row(packet: &[u8], columns: u64) -> Option<Row> {
    let mut rest = packet;
    let mut cell = || {
        if rest.first() == Some(&0xfb) {
            rest = &rest[1..];
            return Some(None);
        }
        let len = usize::try_from(length(&mut rest)?).ok()?;
        let text = String::from_utf8_lossy(rest.get(..len)?).into_owned();
        rest = &rest[len..];
        Some(Some(text))
    };
    (0..columns).map(|_| cell()).collect()
}

fn error_of(packet: &[u8]) -> Refused {
    match packet {
        [0xff, low, high, rest @ ..] => {
            let text = String::from_utf8_lossy(rest).into_owned();
            let (state, message) = match text.strip_prefix('#') {
                Some(rest) if rest.is_char_boundary(5.min(rest.len())) => rest.split_at(5.min(rest.len())),
                _ => ("", text.as_str()),
            };
            let (state, message) = (state.to_string(), message.to_string());
            Refused { code: u16::from_le_bytes([*low, *high]), state, message }
        }
        _ => Refused { code: 0, state: String::new(), message: format!("not an error packet: {packet:02x?}") },
    }
}
