//! Results on their way to the client: OK packets and row sets, several per command.

use super::cell::{Cell, Encoding};
use super::column::Column;
use super::error::{INTERNAL_ERROR, SqlError};
use super::handler::{SessionChange, StatusFlags};
use super::outbound::Outbound;
use super::packet::Payload;
use mysql_common::constants::CapabilityFlags;
use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

/// Buffered bytes from which on [`ResultWriter::wants_flush`] asks for a flush.
const FLUSH_BYTES: usize = 64 << 10;

/// How a result ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Rows changed (or found, if the client asked so). Not sent after rows.
    pub affected_rows: u64,
    /// The first generated AUTO_INCREMENT id of the statement, 0 if none. Not sent after rows.
    pub last_insert_id: u64,
    pub warnings: u16,
    /// The session's flags after the statement.
    pub status: StatusFlags,
    /// As MySQL: `Rows matched: 1  Changed: 1  Warnings: 0`, `Records: 2  Duplicates: 0  Warnings: 0`, or empty.
    pub info: String,
    /// What changed of the session. Not sent after rows.
    pub changes: Vec<SessionChange>,
}

/// Writes what is buffered to the client. Implemented by whoever owns the socket.
pub trait Drain: Send {
    /// Ends when `out` is empty, or the client is gone or took nothing for too long.
    fn drain<'a>(&'a mut self, out: &'a mut Outbound) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send + 'a>>;
}

/// Makes text the bytes that the client wants to read.
pub type Encode = Arc<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

/// Text rows (COM_QUERY) or binary rows (COM_STMT_EXECUTE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFormat {
    Text,
    Binary,
}

/// Where a [`Handler`](super::Handler) puts the results of one command.
///
/// Each statement gives one result: [`ok`](Self::ok), or [`columns`](Self::columns), any number of [`row`](Self::row)s and
/// [`end_rows`](Self::end_rows). Everything is encoded into memory at once; after each row, a handler that may produce
/// many asks [`wants_flush`](Self::wants_flush) and awaits [`flush`](Self::flush), so that memory stays bounded. An error
/// returned by the handler becomes an ERR packet after the results so far, also in the middle of rows.
///
/// **Invariant**: a finished result is encoded when the next one begins or the command ends, because only then is it
/// known whether `SERVER_MORE_RESULTS_EXISTS` must be set in it.
pub struct ResultWriter<'a> {
    out: &'a mut Outbound,
    drain: &'a mut dyn Drain,
    format: RowFormat,
    deprecate_eof: bool,
    /// Where the client does not read UTF-8.
    encode: Option<Encode>,
    /// The last thing written asks for a file.
    asks_for_file: bool,
    /// The columns of the row set being written.
    open: Option<Vec<(Encoding, String)>>,
    finished: Option<Finished>,
    rows: u64,
    results: u64,
    /// Stored programs within which results are written.
    programs: u32,
}

enum Finished {
    Plain(Completion),
    Rows(Completion),
}

impl<'a> ResultWriter<'a> {
    /// A writer for one command of a client with these capabilities.
    pub fn new(
        out: &'a mut Outbound,
        drain: &'a mut dyn Drain,
        format: RowFormat,
        capabilities: CapabilityFlags,
    ) -> ResultWriter<'a> {
        let deprecate_eof = capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF);
        ResultWriter {
            out,
            drain,
            format,
            deprecate_eof,
            encode: None,
            asks_for_file: false,
            open: None,
            finished: None,
            rows: 0,
            results: 0,
            programs: 0,
        }
    }

    /// How texts go out from now on; `None`: in UTF-8.
    pub fn set_encoding(&mut self, encode: Option<Encode>) {
        self.encode = encode;
    }

    pub fn format(&self) -> RowFormat {
        self.format
    }

    /// A stored program begins: until it ends, statements without rows give no result of their own.
    pub fn begin_program(&mut self) {
        self.programs += 1;
    }

    pub fn end_program(&mut self) {
        self.programs = self.programs.saturating_sub(1);
    }

    /// A result without rows.
    pub fn ok(&mut self, completion: Completion) -> Result<(), SqlError> {
        if self.programs > 0 {
            return Ok(());
        }
        self.begin_result()?;
        self.finished = Some(Finished::Plain(completion));
        Ok(())
    }

    /// Asks the client for a file of its own, in place of a result: it comes to [`Handler::file`](super::Handler::file),
    /// with a writer of its own.
    pub fn request_file(&mut self, name: &str) -> Result<(), SqlError> {
        self.begin_result()?;
        let payload = self.out.begin();
        payload.put_u8(0xfb);
        payload.put_bytes(name.as_bytes());
        self.out.end();
        self.asks_for_file = true;
        Ok(())
    }

    /// Whether a file was asked for.
    pub fn asks_for_file(&self) -> bool {
        self.asks_for_file
    }

    /// Begins a row set. `status` goes into the EOF after the column definitions, for clients that want one.
    pub fn columns(&mut self, columns: &[Column], status: StatusFlags) -> Result<(), SqlError> {
        self.begin_result()?;
        if columns.is_empty() {
            return Err(INTERNAL_ERROR.with(&[&"a row set without columns"]));
        }
        let count = columns.len() as u64;
        self.out.begin().put_lenenc(count);
        self.out.end();
        for column in columns {
            column.encode(self.encode.as_ref(), self.out.begin());
            self.out.end();
        }
        if !self.deprecate_eof {
            put_eof(self.out, 0, status);
        }
        // Names are needed for error messages of the binary format only.
        let name = |c: &Column| if self.format == RowFormat::Binary { c.name.clone() } else { String::new() };
        self.open = Some(columns.iter().map(|c| (Encoding::of(c), name(c))).collect());
        self.rows = 0;
        Ok(())
    }

    /// One row, with as many cells as there are columns. In the binary format a cell that cannot be what its column says
    /// is an error (1264, 1366); the row is then left out.
    pub fn row<'c>(&mut self, cells: impl IntoIterator<Item = Cell<'c>>) -> Result<(), SqlError> {
        let Some(columns) = &self.open else {
            return Err(INTERNAL_ERROR.with(&[&"a row outside a row set"]));
        };
        self.rows += 1;
        let payload = self.out.begin();
        let written = match self.format {
            RowFormat::Text => put_text_row(columns, cells, self.encode.as_ref(), payload),
            RowFormat::Binary => put_binary_row(columns, cells, self.rows, self.encode.as_ref(), payload),
        };
        match written {
            Ok(()) => self.out.end(),
            Err(_) => self.out.abandon(),
        }
        written
    }

    /// Ends the row set.
    pub fn end_rows(&mut self, completion: Completion) -> Result<(), SqlError> {
        if self.open.take().is_none() {
            return Err(INTERNAL_ERROR.with(&[&"the end of a row set that was not begun"]));
        }
        self.finished = Some(Finished::Rows(completion));
        Ok(())
    }

    /// Rows written to the current or last row set.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Results begun so far.
    pub fn results(&self) -> u64 {
        self.results
    }

    /// Whether so much is buffered that it should be sent before more is written.
    pub fn wants_flush(&self) -> bool {
        self.out.len() >= FLUSH_BYTES
    }

    /// Sends what is buffered. An error means that the client is gone: return it, nobody will read what follows.
    pub async fn flush(&mut self) -> Result<(), SqlError> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.drain.drain(self.out).await.map_err(|e| match e.kind() {
            io::ErrorKind::TimedOut => super::error::NET_WRITE_INTERRUPTED.with(&[]),
            _ => super::error::NET_ERROR_ON_WRITE.with(&[]),
        })
    }

    /// Ends the command: what the handler returned becomes the last packet.
    pub fn finish(mut self, outcome: Result<(), SqlError>) {
        let outcome = match outcome {
            Ok(()) if self.open.is_some() => Err(INTERNAL_ERROR.with(&[&"a row set without an end"])),
            Ok(()) if self.results == 0 => Err(INTERNAL_ERROR.with(&[&"a statement without a result"])),
            other => other,
        };
        match outcome {
            Ok(()) => self.put_finished(false),
            Err(error) => {
                self.put_finished(true);
                put_error_encoded(self.out, &error, self.encode.as_ref());
            }
        }
    }

    fn begin_result(&mut self) -> Result<(), SqlError> {
        if self.open.is_some() {
            return Err(INTERNAL_ERROR.with(&[&"a result begun within a row set"]));
        }
        self.put_finished(true);
        self.results += 1;
        Ok(())
    }

    fn put_finished(&mut self, more: bool) {
        let Some(finished) = self.finished.take() else { return };
        let flag = if more { StatusFlags::SERVER_MORE_RESULTS_EXISTS } else { StatusFlags::empty() };
        match finished {
            Finished::Plain(c) => put_ok(self.out, &Completion { status: c.status | flag, ..c }),
            Finished::Rows(c) => put_end_of_rows(self.out, self.deprecate_eof, c.warnings, c.status | flag),
        }
    }
}

fn put_text_row<'c>(
    columns: &[(Encoding, String)],
    cells: impl IntoIterator<Item = Cell<'c>>,
    encode: Option<&Encode>,
    payload: &mut Vec<u8>,
) -> Result<(), SqlError> {
    let mut columns = columns.iter();
    for cell in cells {
        let (encoding, _) = columns.next().ok_or_else(wrong_width)?;
        match encoded(cell, encode) {
            Some(bytes) => encoding.put_text(Cell::Text(&bytes), payload),
            None => encoding.put_text(cell, payload),
        }
    }
    if columns.next().is_some() { Err(wrong_width()) } else { Ok(()) }
}

fn put_binary_row<'c>(
    columns: &[(Encoding, String)],
    cells: impl IntoIterator<Item = Cell<'c>>,
    row: u64,
    encode: Option<&Encode>,
    payload: &mut Vec<u8>,
) -> Result<(), SqlError> {
    payload.put_u8(0);
    let bitmap = payload.len();
    payload.resize(bitmap + (columns.len() + 2).div_ceil(8), 0);
    let mut index = 0;
    for cell in cells {
        let (encoding, name) = columns.get(index).ok_or_else(wrong_width)?;
        if cell == Cell::Null {
            payload[bitmap + (index + 2) / 8] |= 1 << ((index + 2) % 8);
        } else {
            match encoded(cell, encode) {
                Some(bytes) => encoding.put_binary(Cell::Text(&bytes), name, row, payload)?,
                None => encoding.put_binary(cell, name, row, payload)?,
            }
        }
        index += 1;
    }
    if index < columns.len() { Err(wrong_width()) } else { Ok(()) }
}

/// A text that is not ASCII, for a client that does not read UTF-8.
fn encoded(cell: Cell<'_>, encode: Option<&Encode>) -> Option<Vec<u8>> {
    match (cell, encode) {
        (Cell::Text(text), Some(encode)) if !text.is_ascii() => std::str::from_utf8(text).ok().map(|t| encode(t)),
        _ => None,
    }
}

fn wrong_width() -> SqlError {
    INTERNAL_ERROR.with(&[&"a row with another number of cells than its row set has columns"])
}

/// Writes an OK packet.
pub(super) fn put_ok(out: &mut Outbound, c: &Completion) {
    put_ok_as(0x00, out, c);
}

fn put_ok_as(header: u8, out: &mut Outbound, c: &Completion) {
    let p = out.begin();
    p.put_u8(header);
    p.put_lenenc(c.affected_rows);
    p.put_lenenc(c.last_insert_id);
    let changed = if c.changes.is_empty() { StatusFlags::empty() } else { StatusFlags::SERVER_SESSION_STATE_CHANGED };
    p.put_u16((c.status | changed).bits());
    p.put_u16(c.warnings);
    if !c.info.is_empty() || !c.changes.is_empty() {
        p.put_lenenc_bytes(c.info.as_bytes());
    }
    if !c.changes.is_empty() {
        let mut list = Vec::new();
        c.changes.iter().for_each(|change| put_change(&mut list, change));
        p.put_lenenc_bytes(&list);
    }
    out.end();
}

/// One entry of the list of changes: its kind, and its content with its length.
fn put_change(list: &mut Vec<u8>, change: &SessionChange) {
    let mut content = Vec::new();
    let kind = match change {
        SessionChange::Variable(name, value) => {
            content.put_lenenc_bytes(name.as_bytes());
            content.put_lenenc_bytes(value.as_bytes());
            0
        }
        SessionChange::Schema(name) => {
            content.put_lenenc_bytes(name.as_bytes());
            1
        }
    };
    list.put_u8(kind);
    list.put_lenenc_bytes(&content);
}

/// Writes an EOF packet of the old form.
pub(super) fn put_eof(out: &mut Outbound, warnings: u16, status: StatusFlags) {
    let p = out.begin();
    p.put_u8(0xfe);
    p.put_u16(warnings);
    p.put_u16(status.bits());
    out.end();
}

/// Writes the packet that ends rows: EOF, or OK with EOF's header.
pub(super) fn put_end_of_rows(out: &mut Outbound, deprecate_eof: bool, warnings: u16, status: StatusFlags) {
    if deprecate_eof {
        put_ok_as(0xfe, out, &Completion { warnings, status, ..Completion::default() });
    } else {
        put_eof(out, warnings, status);
    }
}

/// Writes an ERR packet.
pub(super) fn put_error(out: &mut Outbound, error: &SqlError) {
    put_error_encoded(out, error, None);
}

fn put_error_encoded(out: &mut Outbound, error: &SqlError, encode: Option<&Encode>) {
    let p = out.begin();
    p.put_u8(0xff);
    p.put_u16(error.code);
    p.put_u8(b'#');
    p.put_bytes(&error.state.0);
    // Clients hold at most 512 bytes of a message (MYSQL_ERRMSG_SIZE).
    let mut end = error.message.len().min(511);
    while !error.message.is_char_boundary(end) {
        end -= 1;
    }
    let message = &error.message[..end];
    let bytes = match encode {
        Some(encode) if !message.is_ascii() => Cow::Owned(encode(message)),
        _ => Cow::Borrowed(message.as_bytes()),
    };
    p.put_bytes(&bytes[..bytes.len().min(511)]);
    out.end();
}

/// Writes an ERR packet for a client whose capabilities are not known yet: without SQLSTATE.
pub(super) fn put_early_error(out: &mut Outbound, error: &SqlError) {
    let p = out.begin();
    p.put_u8(0xff);
    p.put_u16(error.code);
    p.put_bytes(error.message.as_bytes());
    out.end();
}

#[cfg(test)]
mod tests {
    use super::super::recording::{Recorded, Recording};
    use super::super::{BAD_DB_ERROR, ColumnType};
    use super::*;

    fn status() -> StatusFlags {
        StatusFlags::SERVER_STATUS_AUTOCOMMIT
    }
    fn done(affected_rows: u64) -> Completion {
        Completion { affected_rows, status: status(), ..Completion::default() }
    }
    fn columns() -> Vec<Column> {
        vec![Column::new("a", ColumnType::MYSQL_TYPE_LONGLONG), Column::new("b", ColumnType::MYSQL_TYPE_VAR_STRING)]
    }

    #[test]
    fn only_the_last_result_lacks_the_more_results_flag() {
        for old in [false, true] {
            let mut recording = if old { Recording::old_client() } else { Recording::new() };
            let mut w = recording.writer();
            w.ok(done(3)).unwrap();
            w.columns(&columns(), status()).unwrap();
            w.row([Cell::Int(1), Cell::Null]).unwrap();
            w.row([Cell::Int(2), Cell::from("x")]).unwrap();
            w.end_rows(done(0)).unwrap();
            w.ok(done(4)).unwrap();
            w.finish(Ok(()));
            let more = status() | StatusFlags::SERVER_MORE_RESULTS_EXISTS;
            let rows = vec![vec![Some("1".into()), None], vec![Some("2".into()), Some("x".into())]];
            assert_eq!(
                recording.results(),
                vec![
                    Recorded::Ok(Completion { status: more, ..done(3) }),
                    Recorded::Rows {
                        columns: columns(),
                        rows,
                        end: Completion { status: more, ..Completion::default() }
                    },
                    Recorded::Ok(done(4)),
                ]
            );
        }
    }

    #[test]
    fn an_error_may_end_a_batch_or_a_row_set() {
        let mut recording = Recording::new();
        let mut w = recording.writer();
        w.ok(done(1)).unwrap();
        w.columns(&columns(), status()).unwrap();
        w.row([Cell::Int(1), Cell::Null]).unwrap();
        w.finish(Err(BAD_DB_ERROR.with(&[&"d"])));
        let results = recording.results();
        assert_eq!(results.len(), 3);
        assert_eq!(results[2], Recorded::Error(BAD_DB_ERROR.with(&[&"d"])));
    }

    #[test]
    fn misuse_is_an_internal_error_on_the_wire() {
        let mut recording = Recording::new();
        recording.writer().finish(Ok(()));
        assert!(matches!(&recording.results()[..], [Recorded::Error(e)] if e.code == 1815));
        let mut recording = Recording::new();
        let mut w = recording.writer();
        assert!(w.row([Cell::Null]).is_err());
        w.columns(&columns(), status()).unwrap();
        assert!(w.row([Cell::Null]).is_err());
        assert!(w.row([Cell::Null, Cell::Null, Cell::Null]).is_err());
        assert!(w.ok(done(0)).is_err());
        w.finish(Ok(()));
        assert!(matches!(&recording.results()[..], [_, Recorded::Error(e)] if e.code == 1815));
    }

    #[test]
    fn a_binary_row_has_its_nulls_in_a_bitmap_shifted_by_two() {
        let mut out = Outbound::new();
        let mut drain = super::super::recording::Keep;
        let mut w = ResultWriter::new(&mut out, &mut drain, RowFormat::Binary, CapabilityFlags::CLIENT_DEPRECATE_EOF);
        let many: Vec<Column> = (0..7).map(|_| Column::new("c", ColumnType::MYSQL_TYPE_TINY)).collect();
        w.columns(&many, status()).unwrap();
        let before = w.out.len();
        w.row((0..7).map(|i| if i == 6 { Cell::Null } else { Cell::Int(i) })).unwrap();
        assert!(w.row((0..7).map(|_| Cell::Int(300))).is_err());
        w.finish(Err(SqlError::malformed()));
        assert_eq!(out.wire()[before + 4..before + 13], [0, 0, 0b1, 0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let mut out = Outbound::new();
        put_error(&mut out, &SqlError::internal("é".repeat(400)));
        assert_eq!(out.wire().len(), 4 + 9 + 510);
        assert!(std::str::from_utf8(&out.wire()[13..]).is_ok());
    }
}
