//! One cell of a result row, and how its column's type says it is written: as text, or in the binary protocol.

use super::column::{Column, ColumnFlags, ColumnType};
use super::error::{INTERNAL_ERROR, SqlError, TRUNCATED_WRONG_VALUE_FOR_FIELD, WARN_DATA_OUT_OF_RANGE};
use super::packet::Payload;
use super::{number, temporal};
use crate::types::Value;

/// A cell in SQLite's storage classes, borrowed from wherever the row is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    Null,
    Int(i64),
    Real(f64),
    /// Text in the client's character set.
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

impl<'a> From<&'a Value> for Cell<'a> {
    fn from(value: &'a Value) -> Cell<'a> {
        match value {
            Value::Null => Cell::Null,
            Value::Int(i) => Cell::Int(*i),
            Value::Real(r) => Cell::Real(r.0),
            Value::Text(t) => Cell::Text(t.as_bytes()),
            Value::Blob(b) => Cell::Blob(b),
        }
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Cell<'a> {
        Cell::Text(text.as_bytes())
    }
}

impl From<i64> for Cell<'_> {
    fn from(i: i64) -> Self {
        Cell::Int(i)
    }
}

/// What a cell is in a text row; `None` is NULL.
pub fn text_bytes(column: &Column, cell: Cell<'_>) -> Option<Vec<u8>> {
    if let Cell::Text(bytes) | Cell::Blob(bytes) = cell {
        return Some(bytes.to_vec());
    }
    let mut row = Vec::new();
    Encoding::of(column).put_text(cell, &mut row);
    // NULL is one byte, and no number is longer than its length is a byte.
    (row != [0xfb]).then(|| row.split_off(1))
}

/// What a column's type means for its cells' bytes.
///
/// Text protocol: numbers are printed as MySQL prints them; text goes out as it is, whatever the type (SQLite may hold
/// text in an INT column). Binary protocol: a cell that does not convert exactly is an error, never a wrong number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// `width` bytes; `zerofill` is the padded width in text, 0 for none.
    Integer {
        width: u8,
        unsigned: bool,
        zerofill: u8,
    },
    Float {
        decimals: u8,
    },
    Double {
        decimals: u8,
    },
    /// Text in both protocols.
    Decimal {
        decimals: u8,
    },
    Date,
    DateTime,
    Time,
    /// Bytes, most significant first, in both protocols.
    Bit {
        bytes: u8,
    },
    Bytes,
    Null,
}

impl Encoding {
    pub fn of(column: &Column) -> Encoding {
        use ColumnType::*;
        let zerofill = if column.flags.contains(ColumnFlags::ZEROFILL_FLAG) {
            u8::try_from(column.length).unwrap_or(u8::MAX)
        } else {
            0
        };
        let integer = |width| Encoding::Integer { width, unsigned: column.is_unsigned(), zerofill };
        match column.ty {
            MYSQL_TYPE_TINY => integer(1),
            MYSQL_TYPE_SHORT => integer(2),
            MYSQL_TYPE_YEAR => Encoding::Integer { width: 2, unsigned: true, zerofill: 4 },
            MYSQL_TYPE_INT24 | MYSQL_TYPE_LONG => integer(4),
            MYSQL_TYPE_LONGLONG => integer(8),
            MYSQL_TYPE_FLOAT => Encoding::Float { decimals: column.decimals },
            MYSQL_TYPE_DOUBLE => Encoding::Double { decimals: column.decimals },
            MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL => Encoding::Decimal { decimals: column.decimals },
            MYSQL_TYPE_DATE | MYSQL_TYPE_NEWDATE => Encoding::Date,
            MYSQL_TYPE_DATETIME | MYSQL_TYPE_TIMESTAMP | MYSQL_TYPE_DATETIME2 | MYSQL_TYPE_TIMESTAMP2 => {
                Encoding::DateTime
            }
            MYSQL_TYPE_TIME | MYSQL_TYPE_TIME2 => Encoding::Time,
            MYSQL_TYPE_BIT => Encoding::Bit { bytes: column.length.clamp(1, 64).div_ceil(8) as u8 },
            MYSQL_TYPE_NULL => Encoding::Null,
            _ => Encoding::Bytes,
        }
    }

    /// Appends a cell of a text row; NULL is `0xfb`.
    pub fn put_text(self, cell: Cell<'_>, out: &mut Vec<u8>) {
        match (self, cell) {
            (_, Cell::Null) => out.put_u8(0xfb),
            (Encoding::Bit { bytes }, Cell::Int(i)) => put_bits(i, bytes, out),
            (_, Cell::Text(t) | Cell::Blob(t)) => out.put_lenenc_bytes(t),
            (Encoding::Integer { unsigned, zerofill, .. }, Cell::Int(i)) => {
                put_short(out, |out| number::put_integer(out, i, unsigned, zerofill));
            }
            (Encoding::Float { decimals }, Cell::Real(_) | Cell::Int(_)) => {
                put_short(out, |out| number::put_float(out, as_f64(cell) as f32, decimals));
            }
            (Encoding::Double { decimals }, Cell::Real(_) | Cell::Int(_)) => {
                put_short(out, |out| number::put_double(out, as_f64(cell), decimals));
            }
            (Encoding::Decimal { decimals }, Cell::Int(i)) => {
                put_short(out, |out| number::put_integer_as_decimal(out, i, decimals));
            }
            (Encoding::Decimal { decimals }, Cell::Real(r)) => {
                put_short(out, |out| number::put_double(out, r, decimals.min(30)));
            }
            (_, Cell::Int(i)) => put_short(out, |out| number::put_integer(out, i, false, 0)),
            (_, Cell::Real(r)) => put_short(out, |out| number::put_double(out, r, Column::NOT_FIXED)),
        }
    }

    /// Appends a cell of a binary row that is not NULL (NULLs are in the row's bitmap).
    pub fn put_binary(self, cell: Cell<'_>, name: &str, row: u64, out: &mut Vec<u8>) -> Result<(), SqlError> {
        let incorrect = |kind: &str| {
            let shown = shown(cell);
            TRUNCATED_WRONG_VALUE_FOR_FIELD.with(&[&kind, &shown, &name, &row])
        };
        match self {
            Encoding::Integer { width, unsigned, .. } => {
                let x = number::to_integer(cell, unsigned).ok_or_else(|| incorrect("integer"))?;
                if !number::fits(x, width, unsigned) {
                    return Err(WARN_DATA_OUT_OF_RANGE.with(&[&name, &row]));
                }
                out.put_bytes(&x.to_le_bytes()[..usize::from(width)]);
            }
            Encoding::Float { .. } => {
                let x = number::to_real(cell).ok_or_else(|| incorrect("float"))?;
                out.put_bytes(&(x as f32).to_le_bytes());
            }
            Encoding::Double { .. } => {
                let x = number::to_real(cell).ok_or_else(|| incorrect("double"))?;
                out.put_bytes(&x.to_le_bytes());
            }
            Encoding::Date => temporal::put_date(text_of(cell), out).ok_or_else(|| incorrect("date"))?,
            Encoding::DateTime => temporal::put_datetime(text_of(cell), out).ok_or_else(|| incorrect("datetime"))?,
            Encoding::Time => temporal::put_time(text_of(cell), out).ok_or_else(|| incorrect("time"))?,
            Encoding::Decimal { .. } | Encoding::Bit { .. } | Encoding::Bytes => self.put_text(cell, out),
            Encoding::Null => {
                return Err(INTERNAL_ERROR.with(&[&format_args!("column '{name}' of type NULL holds a value")]));
            }
        }
        Ok(())
    }
}

fn as_f64(cell: Cell<'_>) -> f64 {
    match cell {
        Cell::Int(i) => i as f64,
        Cell::Real(r) => r,
        Cell::Null | Cell::Text(_) | Cell::Blob(_) => 0.0,
    }
}

fn text_of(cell: Cell<'_>) -> &[u8] {
    match cell {
        Cell::Text(t) | Cell::Blob(t) => t,
        Cell::Null | Cell::Int(_) | Cell::Real(_) => b"",
    }
}

fn shown(cell: Cell<'_>) -> String {
    match cell {
        Cell::Null => "NULL".into(),
        Cell::Int(i) => i.to_string(),
        Cell::Real(r) => r.to_string(),
        Cell::Text(t) | Cell::Blob(t) => String::from_utf8_lossy(&t[..t.len().min(64)]).into_owned(),
    }
}

fn put_bits(i: i64, bytes: u8, out: &mut Vec<u8>) {
    let bits = i.to_be_bytes();
    out.put_lenenc_bytes(&bits[8 - usize::from(bytes.min(8))..]);
}

/// Appends what `write` appends, as a length-encoded string; without a temporary if that has at most 250 bytes (only the
/// fixed-point form of a huge double has more).
fn put_short(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.push(0);
    write(out);
    let length = out.len() - at - 1;
    if let Ok(length @ 0..=250) = u8::try_from(length) {
        out[at] = length;
    } else {
        let text = out.split_off(at + 1);
        out.truncate(at);
        out.put_lenenc_bytes(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(column: &Column, cell: Cell<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        Encoding::of(column).put_text(cell, &mut out);
        out
    }
    fn binary(column: &Column, cell: Cell<'_>) -> Result<Vec<u8>, u16> {
        let mut out = Vec::new();
        Encoding::of(column).put_binary(cell, "c", 1, &mut out).map(|()| out).map_err(|e| e.code)
    }
    fn unsigned(ty: ColumnType) -> Column {
        Column { flags: ColumnFlags::UNSIGNED_FLAG, ..Column::new("c", ty) }
    }

    #[test]
    fn integers_by_width_and_sign() {
        use ColumnType::*;
        let big = unsigned(MYSQL_TYPE_LONGLONG);
        assert_eq!(text(&big, Cell::Int(-1)), b"\x1418446744073709551615");
        assert_eq!(binary(&big, Cell::Int(-1)), Ok(vec![0xff; 8]));
        assert_eq!(binary(&big, Cell::Text(b"18446744073709551615")), Ok(vec![0xff; 8]));
        let tiny = Column::new("c", MYSQL_TYPE_TINY);
        assert_eq!(text(&tiny, Cell::Int(-7)), b"\x02-7");
        assert_eq!(binary(&tiny, Cell::Int(-7)), Ok(vec![0xf9]));
        assert_eq!(binary(&tiny, Cell::Int(128)), Err(1264));
        assert_eq!(binary(&unsigned(MYSQL_TYPE_TINY), Cell::Int(255)), Ok(vec![255]));
        assert_eq!(binary(&unsigned(MYSQL_TYPE_TINY), Cell::Int(-1)), Err(1264));
        assert_eq!(binary(&tiny, Cell::Text(b"12x")), Err(1366));
        assert_eq!(text(&tiny, Cell::Text(b"12x")), b"\x0312x");
        assert_eq!(binary(&Column::new("c", MYSQL_TYPE_LONG), Cell::Real(3.0)), Ok(vec![3, 0, 0, 0]));
        assert_eq!(binary(&Column::new("c", MYSQL_TYPE_LONG), Cell::Real(3.5)), Err(1366));
        assert_eq!(text(&Column::new("c", MYSQL_TYPE_YEAR), Cell::Int(0)), b"\x040000");
    }

    #[test]
    fn reals_decimals_and_bits() {
        use ColumnType::*;
        assert_eq!(text(&Column::new("c", MYSQL_TYPE_DOUBLE), Cell::Real(0.5)), b"\x030.5");
        assert_eq!(binary(&Column::new("c", MYSQL_TYPE_DOUBLE), Cell::Int(2)), Ok(2f64.to_le_bytes().to_vec()));
        let decimal = Column { decimals: 2, ..Column::new("c", MYSQL_TYPE_NEWDECIMAL) };
        assert_eq!(text(&decimal, Cell::Int(-3)), b"\x05-3.00");
        assert_eq!(binary(&decimal, Cell::Real(2.5)), Ok(b"\x042.50".to_vec()));
        assert_eq!(binary(&decimal, Cell::Text(b"7.10")), Ok(b"\x047.10".to_vec()));
        assert!(text(&decimal, Cell::Real(1e300)).len() > 300);
        let bits = Column { length: 10, ..Column::new("c", MYSQL_TYPE_BIT) };
        assert_eq!(text(&bits, Cell::Int(0x201)), b"\x02\x02\x01");
        assert_eq!(binary(&bits, Cell::Int(1)), Ok(b"\x02\0\x01".to_vec()));
    }

    #[test]
    fn nulls_and_strings() {
        let column = Column::new("c", ColumnType::MYSQL_TYPE_VAR_STRING);
        assert_eq!(text(&column, Cell::Null), [0xfb]);
        assert_eq!(text(&column, Cell::Int(12)), b"\x0212");
        assert_eq!(text(&column, Cell::Blob(b"\0\xff")), b"\x02\0\xff");
        assert_eq!(binary(&Column::new("c", ColumnType::MYSQL_TYPE_NULL), Cell::Int(1)), Err(1815));
        assert_eq!(binary(&Column::new("c", ColumnType::MYSQL_TYPE_DATE), Cell::Int(1)), Err(1366));
    }
}
