//! Commands: the first byte of a packet after the login, and what follows it.

use super::error::{NOT_SUPPORTED_YET, SqlError, UNKNOWN_COM_ERROR};
use super::handler::StatementId;
use super::handshake::{Response, parse_change_user};
use super::packet::{Malformed, Reader};
use super::parameter::skip_attributes;
use mysql_common::constants::CapabilityFlags;

/// One command, borrowed from its packet.
#[derive(Clone, Debug)]
pub enum Command<'a> {
    /// COM_QUIT. No answer.
    Quit,
    /// COM_INIT_DB.
    InitDb(&'a str),
    /// COM_QUERY.
    Query(&'a [u8]),
    /// COM_FIELD_LIST.
    FieldList { table: &'a str, wildcard: &'a str },
    /// COM_STATISTICS.
    Statistics,
    /// COM_PING.
    Ping,
    /// COM_CHANGE_USER.
    ChangeUser(Response),
    /// COM_RESET_CONNECTION.
    ResetConnection,
    /// COM_SET_OPTION: whether several statements are allowed.
    SetMultiStatements(bool),
    /// COM_STMT_PREPARE.
    Prepare(&'a [u8]),
    /// COM_STMT_EXECUTE.
    Execute(Execution<'a>),
    /// COM_STMT_SEND_LONG_DATA. No answer.
    SendLongData { id: StatementId, parameter: u16, chunk: &'a [u8] },
    /// COM_STMT_CLOSE. No answer.
    Close(StatementId),
    /// COM_STMT_RESET.
    Reset(StatementId),
    /// COM_STMT_FETCH: never possible, no cursor is ever opened.
    Fetch(StatementId),
}

/// COM_STMT_EXECUTE up to its values, which need the statement's state. A cursor the client asks for is not opened, as
/// the protocol allows: the rows come at once.
#[derive(Clone, Copy, Debug)]
pub struct Execution<'a> {
    pub id: StatementId,
    pub(super) flags: u8,
    pub(super) values: Reader<'a>,
}

impl<'a> Command<'a> {
    /// Reads a command. `capabilities` and `collation` are those of the login.
    pub fn parse(payload: &'a [u8], capabilities: CapabilityFlags, collation: u16) -> Result<Command<'a>, SqlError> {
        let mut r = Reader::new(payload);
        let Ok(code) = r.u8() else { return Err(SqlError::malformed()) };
        Ok(match code {
            0x01 => Command::Quit,
            0x02 => Command::InitDb(text(r.rest())?),
            0x03 => {
                if capabilities.contains(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES) {
                    skip_attributes(&mut r)?;
                }
                Command::Query(r.rest())
            }
            0x04 => Command::FieldList { table: text(r.nul_bytes()?)?, wildcard: text(r.nul_or_rest())? },
            0x09 => Command::Statistics,
            0x0e => Command::Ping,
            0x11 => Command::ChangeUser(parse_change_user(r, capabilities, collation)?),
            0x16 => Command::Prepare(r.rest()),
            0x17 => {
                let (id, flags) = (StatementId(r.u32()?), r.u8()?);
                r.u32()?; // the iteration count, always 1
                Command::Execute(Execution { id, flags, values: r })
            }
            0x18 => {
                let (id, parameter) = (StatementId(r.u32()?), r.u16()?);
                Command::SendLongData { id, parameter, chunk: r.rest() }
            }
            0x19 => Command::Close(StatementId(r.u32()?)),
            0x1a => Command::Reset(StatementId(r.u32()?)),
            0x1b => match r.u16()? {
                0 => Command::SetMultiStatements(true),
                1 => Command::SetMultiStatements(false),
                _ => return Err(UNKNOWN_COM_ERROR.with(&[])),
            },
            0x1c => Command::Fetch(StatementId(r.u32()?)),
            0x1f => Command::ResetConnection,
            other => return Err(refused(other)),
        })
    }
}

/// Commands that MySQL has and we do not are refused by name; others are unknown.
fn refused(code: u8) -> SqlError {
    let name = match code {
        0x07 => "COM_REFRESH; use FLUSH",
        0x08 => "COM_SHUTDOWN; send the process a signal",
        0x0a => "COM_PROCESS_INFO; use SHOW PROCESSLIST",
        0x0c => "COM_PROCESS_KILL; use KILL",
        0x0d => "COM_DEBUG",
        0x12 => "COM_BINLOG_DUMP",
        0x13 => "COM_TABLE_DUMP",
        0x15 => "COM_REGISTER_SLAVE",
        0x1e => "COM_BINLOG_DUMP_GTID",
        0x20 => "COM_CLONE",
        _ => return UNKNOWN_COM_ERROR.with(&[]),
    };
    NOT_SUPPORTED_YET.with(&[&name])
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::super::handshake::CAPABILITIES;
    use super::*;
    use proptest::prelude::*;

    fn parse(payload: &[u8]) -> Result<Command<'_>, u16> {
        Command::parse(payload, CAPABILITIES - CapabilityFlags::CLIENT_QUERY_ATTRIBUTES, 45).map_err(|e| e.code)
    }

    #[test]
    fn commands_are_told_by_their_first_byte() {
        assert!(matches!(parse(b"\x01"), Ok(Command::Quit)));
        assert!(matches!(parse(b"\x03SELECT 1"), Ok(Command::Query(b"SELECT 1"))));
        assert!(matches!(parse(b"\x02db"), Ok(Command::InitDb("db"))));
        assert!(matches!(parse(b"\x04t\0a%"), Ok(Command::FieldList { table: "t", wildcard: "a%" })));
        assert!(matches!(parse(b"\x1b\0\0"), Ok(Command::SetMultiStatements(true))));
        assert!(matches!(parse(b"\x1b\x02\0"), Err(1047)));
        assert!(matches!(parse(b"\x19\x05\0\0\0"), Ok(Command::Close(StatementId(5)))));
        let data = parse(b"\x18\x05\0\0\0\x02\0abc");
        assert!(matches!(data, Ok(Command::SendLongData { id: StatementId(5), parameter: 2, chunk: b"abc" })));
        let execute = parse(b"\x17\x05\0\0\0\x01\x01\0\0\0");
        assert!(matches!(execute, Ok(Command::Execute(Execution { id: StatementId(5), flags: 1, .. }))));
    }

    #[test]
    fn the_refused_the_unknown_and_the_cut_short() {
        let kill = Command::parse(b"\x0c\x01\0\0\0", CAPABILITIES, 45).unwrap_err();
        assert_eq!((kill.code, kill.state.as_str()), (1235, "42000"));
        assert!(kill.message.contains("COM_PROCESS_KILL"));
        assert!(matches!(parse(b"\x05x"), Err(1047)));
        assert!(matches!(parse(b"\xfe"), Err(1047)));
        for cut in [&b""[..], b"\x17\x05\0\0", b"\x19\x05", b"\x1b", b"\x04t", b"\x02\xff", b"\x11bob"] {
            assert!(matches!(parse(cut), Err(1835)), "{cut:?}");
        }
    }

    #[test]
    fn query_attributes_are_skipped_if_negotiated() {
        let query = Command::parse(b"\x03\0\x01SELECT 1", CAPABILITIES, 45);
        assert!(matches!(query, Ok(Command::Query(b"SELECT 1"))));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>, attributes: bool) {
            let capabilities = if attributes { CAPABILITIES } else { CapabilityFlags::empty() };
            let _ = Command::parse(&bytes, capabilities, 45);
        }
    }
}
