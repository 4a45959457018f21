//! Results without a client: for tests of whoever implements [`Handler`](super::Handler).

use super::column::{Column, ColumnFlags, ColumnType};
use super::error::{SqlError, SqlState};
use super::handler::{SessionChange, StatusFlags};
use super::inbound::Inbound;
use super::outbound::Outbound;
use super::packet::{Malformed, Reader};
use super::result::{Completion, Drain, ResultWriter, RowFormat};
use mysql_common::constants::CapabilityFlags;
use std::future::Future;
use std::io;
use std::pin::Pin;

/// A [`Drain`] that leaves everything in the buffer.
#[derive(Debug)]
pub struct Keep;

impl Drain for Keep {
    fn drain<'a>(&'a mut self, _: &'a mut Outbound) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send + 'a>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// One result, decoded from the bytes a client of the text protocol would get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    Ok(Completion),
    /// Cells are text; `end` has warnings and status only.
    Rows {
        columns: Vec<Column>,
        rows: Vec<Vec<Option<String>>>,
        end: Completion,
    },
    Error(SqlError),
}

/// A place for the results of one command.
#[derive(Debug)]
pub struct Recording {
    out: Outbound,
    keep: Keep,
    capabilities: CapabilityFlags,
}

impl Default for Recording {
    fn default() -> Self {
        Self::new()
    }
}

impl Recording {
    pub fn new() -> Self {
        Recording { out: Outbound::new(), keep: Keep, capabilities: CapabilityFlags::CLIENT_DEPRECATE_EOF }
    }

    /// As for a client that expects EOF packets.
    pub fn old_client() -> Self {
        Recording { capabilities: CapabilityFlags::empty(), ..Self::new() }
    }

    /// A writer of text rows; end it with [`ResultWriter::finish`].
    pub fn writer(&mut self) -> ResultWriter<'_> {
        ResultWriter::new(&mut self.out, &mut self.keep, RowFormat::Text, self.capabilities)
    }

    /// What has been written, decoded. Empty if it is not a sequence of whole results.
    pub fn results(&mut self) -> Vec<Recorded> {
        let mut inbound = Inbound::new(usize::MAX);
        inbound.feed(self.out.wire());
        let old = !self.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF);
        decode(&mut inbound, old).unwrap_or_default()
    }
}

fn next(inbound: &mut Inbound) -> Result<Option<Vec<u8>>, Malformed> {
    inbound.packet().map(|p| p.map(<[u8]>::to_vec)).map_err(|_| Malformed)
}

fn decode(inbound: &mut Inbound, old: bool) -> Result<Vec<Recorded>, Malformed> {
    let mut results = Vec::new();
    while let Some(packet) = next(inbound)? {
        match packet.first() {
            Some(0x00) => results.push(Recorded::Ok(completion(&packet)?)),
            Some(0xff) => results.push(Recorded::Error(error(&packet)?)),
            _ => rows(Reader::new(&packet).lenenc()?, inbound, old, &mut results)?,
        }
    }
    Ok(results)
}

fn rows(count: u64, inbound: &mut Inbound, old: bool, results: &mut Vec<Recorded>) -> Result<(), Malformed> {
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push(column(&next(inbound)?.ok_or(Malformed)?)?);
    }
    if old {
        next(inbound)?.filter(|p| p.first() == Some(&0xfe)).ok_or(Malformed)?;
    }
    let mut rows = Vec::new();
    loop {
        let packet = next(inbound)?.ok_or(Malformed)?;
        match packet.first() {
            Some(0xff) => {
                results.push(Recorded::Rows { columns, rows, end: Completion::default() });
                results.push(Recorded::Error(error(&packet)?));
                return Ok(());
            }
            Some(0xfe) if packet.len() < 9 => {
                let end = if old { end_of_file(&packet)? } else { completion(&packet)? };
                results.push(Recorded::Rows { columns, rows, end });
                return Ok(());
            }
            _ => {}
        }
        let mut reader = Reader::new(&packet);
        let mut row = Vec::new();
        while !reader.is_empty() {
            let mut ahead = reader;
            if ahead.u8()? == 0xfb {
                reader = ahead;
                row.push(None);
            } else {
                row.push(Some(text(reader.lenenc_bytes()?)));
            }
        }
        rows.push(row);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn completion(packet: &[u8]) -> Result<Completion, Malformed> {
    let mut r = Reader::new(packet);
    r.u8()?;
    let (affected_rows, last_insert_id) = (r.lenenc()?, r.lenenc()?);
    let status = StatusFlags::from_bits_truncate(r.u16()?);
    let warnings = r.u16()?;
    let info = if r.is_empty() { String::new() } else { text(r.lenenc_bytes()?) };
    let mut changes = Vec::new();
    if status.contains(StatusFlags::SERVER_SESSION_STATE_CHANGED) {
        let mut list = Reader::new(r.lenenc_bytes()?);
        while !list.is_empty() {
            let kind = list.u8()?;
            let mut content = Reader::new(list.lenenc_bytes()?);
            let name = text(content.lenenc_bytes()?);
            changes.push(match kind {
                0 => SessionChange::Variable(name, text(content.lenenc_bytes()?)),
                1 => SessionChange::Schema(name),
                _ => return Err(Malformed),
            });
        }
    }
    Ok(Completion { affected_rows, last_insert_id, warnings, status, info, changes })
}

fn end_of_file(packet: &[u8]) -> Result<Completion, Malformed> {
    let mut r = Reader::new(packet);
    r.u8()?;
    let warnings = r.u16()?;
    let status = StatusFlags::from_bits_truncate(r.u16()?);
    Ok(Completion { warnings, status, ..Completion::default() })
}

fn error(packet: &[u8]) -> Result<SqlError, Malformed> {
    let mut r = Reader::new(packet);
    r.u8()?;
    let code = r.u16()?;
    r.u8()?;
    let state = SqlState::parse(&text(r.bytes(5)?));
    Ok(SqlError { code, state, message: text(r.rest()) })
}

fn column(packet: &[u8]) -> Result<Column, Malformed> {
    let mut r = Reader::new(packet);
    r.lenenc_bytes()?;
    let mut name = || r.lenenc_bytes().map(text);
    let (schema, table, org_table, name, org_name) = (name()?, name()?, name()?, name()?, name()?);
    r.lenenc()?;
    let (charset, length) = (r.u16()?, r.u32()?);
    let ty = ColumnType::try_from(r.u8()?).map_err(|_| Malformed)?;
    let flags = ColumnFlags::from_bits_truncate(r.u16()?);
    let decimals = r.u8()?;
    Ok(Column { schema, table, org_table, name, org_name, charset, length, ty, flags, decimals })
}
