//! Packets the server sends that are not results of statements: the login, prepared statements, field lists.

use super::auth::{Plugin, Salt};
use super::column::Column;
use super::error::SqlError;
use super::handler::{Prepared, SessionChange, StatementId, StatusFlags};
use super::handshake::Greeting;
use super::outbound::Outbound;
use super::packet::Payload;
use super::result::{Completion, put_early_error, put_end_of_rows, put_eof, put_error, put_ok};
use mysql_common::constants::CapabilityFlags;

/// Encodes the server's answers into its outgoing packets.
pub struct Answer<'a> {
    out: &'a mut Outbound,
    deprecate_eof: bool,
}

impl<'a> Answer<'a> {
    pub fn new(out: &'a mut Outbound, capabilities: CapabilityFlags) -> Answer<'a> {
        Answer { out, deprecate_eof: capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF) }
    }

    fn packet(&mut self, payload: impl FnOnce(&mut Vec<u8>)) {
        payload(self.out.begin());
        self.out.end();
    }

    pub fn greeting(mut self, greeting: &Greeting<'_>) {
        self.packet(|p| greeting.encode(p));
    }

    /// An error before the client's capabilities are known: it has no SQLSTATE then.
    pub fn early_error(self, error: &SqlError) {
        put_early_error(self.out, error);
    }

    /// Asks for a proof by another plugin, or with another salt.
    pub fn auth_switch(mut self, plugin: Plugin, salt: &Salt) {
        self.packet(|p| {
            p.put_u8(0xfe);
            p.put_nul_text(plugin.name());
            p.put_bytes(salt);
            p.put_u8(0);
        });
    }

    /// caching_sha2_password: the proof was right, OK follows.
    pub fn fast_auth(mut self) {
        self.packet(|p| p.put_bytes(&[1, 3]));
    }

    /// caching_sha2_password: send the password itself.
    pub fn full_auth(mut self) {
        self.packet(|p| p.put_bytes(&[1, 4]));
    }

    pub fn ok(self, status: StatusFlags, changes: Vec<SessionChange>) {
        put_ok(self.out, &Completion { status, changes, ..Completion::default() });
    }

    pub fn error(self, error: &SqlError) {
        put_error(self.out, error);
    }

    /// COM_SET_OPTION is answered by EOF.
    pub fn eof(self, status: StatusFlags) {
        put_end_of_rows(self.out, self.deprecate_eof, 0, status);
    }

    /// COM_STATISTICS: text without any header.
    pub fn text(mut self, text: &str) {
        self.packet(|p| p.put_bytes(text.as_bytes()));
    }

    /// COM_STMT_PREPARE: the statement's numbers, then its parameters and columns.
    pub fn prepared(mut self, id: StatementId, prepared: &Prepared, status: StatusFlags) {
        let columns = u16::try_from(prepared.columns.len()).unwrap_or(u16::MAX);
        self.packet(|p| {
            p.put_u8(0);
            p.put_u32(id.0);
            p.put_u16(columns);
            p.put_u16(prepared.parameters);
            p.put_u8(0);
            p.put_u16(prepared.warnings);
        });
        if prepared.parameters > 0 {
            let parameter = Column::parameter();
            for _ in 0..prepared.parameters {
                self.packet(|p| parameter.encode(None, p));
            }
            self.end_of_definitions(status);
        }
        if columns > 0 {
            for column in prepared.columns.iter().take(columns.into()) {
                self.packet(|p| column.encode(None, p));
            }
            self.end_of_definitions(status);
        }
    }

    fn end_of_definitions(&mut self, status: StatusFlags) {
        if !self.deprecate_eof {
            put_eof(self.out, 0, status);
        }
    }

    /// COM_FIELD_LIST: definitions, each followed by its default (none is told: NULL).
    pub fn field_list(mut self, columns: &[Column], status: StatusFlags) {
        for column in columns {
            self.packet(|p| {
                column.encode(None, p);
                p.put_u8(0xfb);
            });
        }
        put_end_of_rows(self.out, self.deprecate_eof, 0, status);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mysql::ColumnType;
    use mysql_common::io::ParseBuf;
    use mysql_common::packets::StmtPacket;

    #[test]
    fn a_prepared_statement_with_and_without_eof() {
        let columns = vec![Column::new("a", ColumnType::MYSQL_TYPE_LONG)];
        let prepared = Prepared { parameters: 2, columns, warnings: 3 };
        for (capabilities, packets) in [(CapabilityFlags::CLIENT_DEPRECATE_EOF, 4), (CapabilityFlags::empty(), 6)] {
            let mut out = Outbound::new();
            let answer = Answer::new(&mut out, capabilities);
            answer.prepared(StatementId(9), &prepared, StatusFlags::empty());
            assert_eq!(out.sequence(), packets);
            let first: StmtPacket = ParseBuf(&out.wire()[4..16]).parse(()).unwrap();
            let numbers = (first.statement_id(), first.num_params(), first.num_columns(), first.warning_count());
            assert_eq!(numbers, (9, 2, 1, 3));
        }
    }

    #[test]
    fn an_early_error_has_no_state() {
        let mut out = Outbound::new();
        let error = crate::mysql::CON_COUNT_ERROR.with(&[]);
        Answer::new(&mut out, CapabilityFlags::empty()).early_error(&error);
        assert_eq!(&out.wire()[4..], b"\xff\x10\x04Too many connections");
    }
}
