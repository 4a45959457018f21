//! A result column or parameter as clients see it: the column definition packet (protocol 4.1).

use super::packet::Payload;
use super::result::Encode;
pub use mysql_common::constants::{ColumnFlags, ColumnType};

/// Collation ids that say how a cell is to be understood (`information_schema.collations`).
pub mod collation {
    /// `utf8mb4_general_ci`, Marmot's default.
    pub const UTF8MB4_GENERAL_CI: u16 = 45;
    /// `utf8mb4_bin`.
    pub const UTF8MB4_BIN: u16 = 46;
    /// `binary`: numbers, times and BLOBs.
    pub const BINARY: u16 = 63;
    /// `utf8mb4_0900_ai_ci`, MySQL 8's default.
    pub const UTF8MB4_0900_AI_CI: u16 = 255;
}

/// What is said of one column. It also decides how its cells are encoded; see [`Cell`](super::Cell).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The database; empty for an expression.
    pub schema: String,
    /// The table or its alias; empty for an expression.
    pub table: String,
    /// The table's own name.
    pub org_table: String,
    /// The column's alias or label.
    pub name: String,
    /// The column's own name; empty for an expression.
    pub org_name: String,
    /// Collation id; [`collation::BINARY`] for everything that is not text.
    pub charset: u16,
    /// Longest display width in bytes.
    pub length: u32,
    pub ty: ColumnType,
    pub flags: ColumnFlags,
    /// Digits after the point; 31 means "floating", for FLOAT and DOUBLE; fraction digits of TIME and DATETIME.
    pub decimals: u8,
}

impl Column {
    /// "Not fixed", for FLOAT and DOUBLE.
    pub const NOT_FIXED: u8 = 31;

    /// An expression's column of that type with MySQL's usual width, charset and flags for it.
    pub fn new(name: impl Into<String>, ty: ColumnType) -> Column {
        use ColumnType::*;
        let binary = ColumnFlags::BINARY_FLAG;
        let (charset, length, flags, decimals) = match ty {
            MYSQL_TYPE_TINY => (collation::BINARY, 4, binary, 0),
            MYSQL_TYPE_SHORT => (collation::BINARY, 6, binary, 0),
            MYSQL_TYPE_INT24 => (collation::BINARY, 9, binary, 0),
            MYSQL_TYPE_LONG => (collation::BINARY, 11, binary, 0),
            MYSQL_TYPE_LONGLONG => (collation::BINARY, 20, binary, 0),
            MYSQL_TYPE_YEAR => (collation::BINARY, 4, ColumnFlags::UNSIGNED_FLAG | ColumnFlags::ZEROFILL_FLAG, 0),
            MYSQL_TYPE_BIT => (collation::BINARY, 1, ColumnFlags::UNSIGNED_FLAG, 0),
            MYSQL_TYPE_FLOAT => (collation::BINARY, 12, binary, Column::NOT_FIXED),
            MYSQL_TYPE_DOUBLE => (collation::BINARY, 22, binary, Column::NOT_FIXED),
            MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL => (collation::BINARY, 67, binary, 0),
            MYSQL_TYPE_DATE | MYSQL_TYPE_NEWDATE => (collation::BINARY, 10, binary, 0),
            MYSQL_TYPE_TIME | MYSQL_TYPE_TIME2 => (collation::BINARY, 10, binary, 0),
            MYSQL_TYPE_DATETIME | MYSQL_TYPE_TIMESTAMP => (collation::BINARY, 19, binary, 0),
            MYSQL_TYPE_NULL => (collation::BINARY, 0, binary, 0),
            MYSQL_TYPE_TINY_BLOB => (collation::BINARY, 0xff, binary | ColumnFlags::BLOB_FLAG, 0),
            MYSQL_TYPE_BLOB => (collation::BINARY, 0xffff, binary | ColumnFlags::BLOB_FLAG, 0),
            MYSQL_TYPE_MEDIUM_BLOB => (collation::BINARY, 0xff_ffff, binary | ColumnFlags::BLOB_FLAG, 0),
            MYSQL_TYPE_LONG_BLOB => (collation::BINARY, u32::MAX, binary | ColumnFlags::BLOB_FLAG, 0),
            MYSQL_TYPE_JSON => (collation::BINARY, u32::MAX, binary | ColumnFlags::BLOB_FLAG, 0),
            _ => (collation::UTF8MB4_0900_AI_CI, 1024, ColumnFlags::empty(), 0),
        };
        let none = String::new;
        let (schema, table, org_table, org_name) = (none(), none(), none(), none());
        Column { schema, table, org_table, name: name.into(), org_name, charset, length, ty, flags, decimals }
    }

    /// What is said of a `?` marker: MySQL gives every parameter as a binary VAR_STRING named `?`.
    pub fn parameter() -> Column {
        Column {
            charset: collation::BINARY,
            length: 0,
            flags: ColumnFlags::BINARY_FLAG,
            ..Column::new("?", ColumnType::MYSQL_TYPE_VAR_STRING)
        }
    }

    /// Whether integers of this column are bit patterns of unsigned ones.
    pub fn is_unsigned(&self) -> bool {
        self.flags.contains(ColumnFlags::UNSIGNED_FLAG)
    }

    /// Appends the column definition's payload.
    pub(super) fn encode(&self, encode: Option<&Encode>, out: &mut Vec<u8>) {
        out.put_lenenc_bytes(b"def");
        for text in [&self.schema, &self.table, &self.org_table, &self.name, &self.org_name] {
            match encode {
                Some(encode) if !text.is_ascii() => out.put_lenenc_bytes(&encode(text)),
                _ => out.put_lenenc_bytes(text.as_bytes()),
            }
        }
        out.put_lenenc(0x0c);
        out.put_u16(self.charset);
        out.put_u32(self.length);
        out.put_u8(self.ty as u8);
        out.put_u16(self.flags.bits());
        out.put_u8(self.decimals);
        out.put_u16(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_laid_out_as_the_protocol_says() {
        let column = Column {
            schema: "d".into(),
            table: "x".into(),
            org_table: "t".into(),
            org_name: "id".into(),
            flags: ColumnFlags::NOT_NULL_FLAG | ColumnFlags::PRI_KEY_FLAG,
            ..Column::new("i", ColumnType::MYSQL_TYPE_LONGLONG)
        };
        let mut out = Vec::new();
        column.encode(None, &mut out);
        let expected = b"\x03def\x01d\x01x\x01t\x01i\x02id\x0c\x3f\x00\x14\x00\x00\x00\x08\x03\x00\x00\x00\x00";
        assert_eq!(out, expected);
    }
}
