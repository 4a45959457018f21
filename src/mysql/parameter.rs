//! Parameters of COM_STMT_EXECUTE: the statement's remembered types and long data, and the values of one execution.

use super::column::ColumnType;
use super::error::{SqlError, TRUNCATED_WRONG_VALUE, UNKNOWN_ERROR, WRONG_ARGUMENTS};
use super::packet::Reader;
use super::temporal::{self, Refused};
use crate::types::Value;
use std::collections::BTreeMap;

/// One bound parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Integers are `Int`, but an unsigned one above `i64::MAX` is `Text` of its digits. DECIMAL is `Text`. Dates and
    /// times are `Text` (`YYYY-MM-DD`, `YYYY-MM-DD HH:MM:SS[.ffffff]`, `[-]HH:MM:SS[.ffffff]`). Strings are `Text` if they are
    /// UTF-8, else `Blob`; BLOB types and long data of BLOB types are `Blob`.
    pub value: Value,
    /// What the client said it is. Many drivers send everything as a string, some send strings as BLOBs.
    pub ty: ColumnType,
    pub unsigned: bool,
}

/// Type of a parameter as bound: remembered from one execution to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bound {
    ty: ColumnType,
    unsigned: bool,
}

/// What the protocol remembers of one prepared statement.
#[derive(Debug)]
pub(super) struct StatementState {
    parameters: u16,
    bound: Option<Vec<Bound>>,
    long_data: BTreeMap<u16, Vec<u8>>,
    /// A chunk was refused; the next execution reports it.
    overflow: bool,
}

/// The client sent a parameter count of its own (query attributes).
pub(super) const PARAMETER_COUNT_AVAILABLE: u8 = 0x08;

impl StatementState {
    pub fn new(parameters: u16) -> Self {
        StatementState { parameters, bound: None, long_data: BTreeMap::new(), overflow: false }
    }

    /// Bytes of long data held.
    pub fn long_data_size(&self) -> usize {
        self.long_data.values().map(Vec::len).sum()
    }

    /// COM_STMT_SEND_LONG_DATA, which has no answer: what does not fit is reported by the next execution. `room` is how
    /// many more bytes may be held.
    pub fn append(&mut self, parameter: u16, chunk: &[u8], room: usize) {
        if parameter >= self.parameters || chunk.len() > room {
            self.overflow = true;
        } else {
            self.long_data.entry(parameter).or_default().extend_from_slice(chunk);
        }
    }

    /// COM_STMT_RESET.
    pub fn reset(&mut self) {
        self.long_data.clear();
        self.overflow = false;
    }

    /// The values in what follows the iteration count of COM_STMT_EXECUTE. Long data is used up, also by a failure.
    pub fn values(&mut self, reader: Reader<'_>, flags: u8, attributes: bool) -> Result<Vec<Parameter>, SqlError> {
        let long_data = std::mem::take(&mut self.long_data);
        if std::mem::take(&mut self.overflow) {
            let text = "Parameter of prepared statement which is set through mysql_send_long_data() is longer than \
                        'max_allowed_packet' bytes";
            return Err(UNKNOWN_ERROR.message(text));
        }
        let own = usize::from(self.parameters);
        if own == 0 && !(attributes && flags & PARAMETER_COUNT_AVAILABLE != 0) {
            return Ok(Vec::new());
        }
        // As MySQL: for a statement with parameters the capability alone decides, the flag is for those without.
        let counted = attributes;
        let mut reader = reader;
        let count = if counted { count_of(&mut reader)? } else { own };
        if count < own {
            return Err(WRONG_ARGUMENTS.with(&[&"mysqld_stmt_execute"]));
        }
        if count == 0 {
            return Ok(Vec::new());
        }
        let nulls = reader.bytes(count.div_ceil(8))?;
        let mut rebound = None;
        let bound = match reader.u8()? {
            0 => self.bound.as_ref(),
            1 => Some(&*rebound.insert(types(&mut reader, count, counted)?)),
            _ => return Err(SqlError::malformed()),
        };
        let bound = bound.ok_or_else(|| WRONG_ARGUMENTS.with(&[&"mysqld_stmt_execute"]))?;
        if bound.len() < own {
            return Err(SqlError::malformed());
        }
        let mut long_data = long_data;
        let mut values = Vec::with_capacity(own);
        for (i, Bound { ty, unsigned }) in bound.iter().take(own).copied().enumerate() {
            let value = if let Some(data) = u16::try_from(i).ok().and_then(|i| long_data.remove(&i)) {
                if is_blob(ty) { Value::Blob(data.into()) } else { string(&data) }
            } else if nulls[i / 8] >> (i % 8) & 1 == 1 {
                Value::Null
            } else {
                read_value(&mut reader, ty, unsigned)?
            };
            values.push(Parameter { value, ty, unsigned });
        }
        if rebound.is_some() {
            self.bound = rebound;
        }
        Ok(values)
    }
}

/// Skips the query attributes before COM_QUERY's text.
pub(super) fn skip_attributes(reader: &mut Reader<'_>) -> Result<(), SqlError> {
    let count = count_of(reader)?;
    if reader.lenenc()? != 1 {
        return Err(SqlError::malformed());
    }
    if count == 0 {
        return Ok(());
    }
    let nulls = reader.bytes(count.div_ceil(8))?;
    if reader.u8()? != 1 {
        return Err(SqlError::malformed());
    }
    let types = types(reader, count, true)?;
    for (i, Bound { ty, unsigned }) in types.into_iter().enumerate() {
        if nulls[i / 8] >> (i % 8) & 1 == 0 {
            read_value(reader, ty, unsigned)?;
        }
    }
    Ok(())
}

fn count_of(reader: &mut Reader<'_>) -> Result<usize, SqlError> {
    match usize::try_from(reader.lenenc()?) {
        Ok(count) if count <= usize::from(u16::MAX) => Ok(count),
        _ => Err(SqlError::malformed()),
    }
}

fn types(reader: &mut Reader<'_>, count: usize, named: bool) -> Result<Vec<Bound>, SqlError> {
    let mut types = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        let (code, flag) = (reader.u8()?, reader.u8()?);
        let ty = ColumnType::try_from(code).map_err(|_| WRONG_ARGUMENTS.with(&[&"mysqld_stmt_execute"]))?;
        if named {
            reader.lenenc_bytes()?;
        }
        types.push(Bound { ty, unsigned: flag & 0x80 != 0 });
    }
    Ok(types)
}

fn is_blob(ty: ColumnType) -> bool {
    use ColumnType::*;
    matches!(
        ty,
        MYSQL_TYPE_TINY_BLOB | MYSQL_TYPE_MEDIUM_BLOB | MYSQL_TYPE_LONG_BLOB | MYSQL_TYPE_BLOB | MYSQL_TYPE_GEOMETRY
    )
}

fn string(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::text(text),
        Err(_) => Value::Blob(bytes.into()),
    }
}

fn read_value(reader: &mut Reader<'_>, ty: ColumnType, unsigned: bool) -> Result<Value, SqlError> {
    use ColumnType::*;
    let int = |signed: i64, plain: i64| Value::Int(if unsigned { plain } else { signed });
    Ok(match ty {
        MYSQL_TYPE_NULL => Value::Null,
        MYSQL_TYPE_TINY => reader.u8().map(|x| int((x as i8).into(), x.into()))?,
        MYSQL_TYPE_SHORT | MYSQL_TYPE_YEAR => reader.u16().map(|x| int((x as i16).into(), x.into()))?,
        MYSQL_TYPE_LONG | MYSQL_TYPE_INT24 => reader.u32().map(|x| int((x as i32).into(), x.into()))?,
        MYSQL_TYPE_LONGLONG => match reader.u64()? {
            x if unsigned && i64::try_from(x).is_err() => Value::text(x.to_string()),
            x => Value::Int(x as i64),
        },
        MYSQL_TYPE_FLOAT => Value::real(f64::from(f32::from_bits(reader.u32()?))),
        MYSQL_TYPE_DOUBLE => Value::real(f64::from_bits(reader.u64()?)),
        MYSQL_TYPE_DATE | MYSQL_TYPE_NEWDATE => moment(temporal::read_date(reader), "date")?,
        MYSQL_TYPE_DATETIME | MYSQL_TYPE_TIMESTAMP | MYSQL_TYPE_DATETIME2 | MYSQL_TYPE_TIMESTAMP2 => {
            moment(temporal::read_datetime(reader), "datetime")?
        }
        MYSQL_TYPE_TIME | MYSQL_TYPE_TIME2 => moment(temporal::read_time(reader), "time")?,
        MYSQL_TYPE_BIT => Value::Blob(reader.lenenc_bytes()?.into()),
        MYSQL_TYPE_DECIMAL
        | MYSQL_TYPE_NEWDECIMAL
        | MYSQL_TYPE_VARCHAR
        | MYSQL_TYPE_VAR_STRING
        | MYSQL_TYPE_STRING
        | MYSQL_TYPE_ENUM
        | MYSQL_TYPE_SET
        | MYSQL_TYPE_JSON => string(reader.lenenc_bytes()?),
        MYSQL_TYPE_TINY_BLOB
        | MYSQL_TYPE_MEDIUM_BLOB
        | MYSQL_TYPE_LONG_BLOB
        | MYSQL_TYPE_BLOB
        | MYSQL_TYPE_GEOMETRY => Value::Blob(reader.lenenc_bytes()?.into()),
        MYSQL_TYPE_TYPED_ARRAY | MYSQL_TYPE_VECTOR | MYSQL_TYPE_UNKNOWN => {
            return Err(WRONG_ARGUMENTS.with(&[&"mysqld_stmt_execute"]));
        }
    })
}

fn moment(text: Result<String, Refused>, kind: &str) -> Result<Value, SqlError> {
    match text {
        Ok(text) => Ok(Value::text(text)),
        Err(Refused::Malformed) => Err(SqlError::malformed()),
        Err(Refused::OutOfRange) => Err(TRUNCATED_WRONG_VALUE.with(&[&kind, &"(binary)"])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn execute(state: &mut StatementState, bytes: &[u8]) -> Result<Vec<Value>, u16> {
        let values = state.values(Reader::new(bytes), 0, false).map_err(|e| e.code)?;
        Ok(values.into_iter().map(|p| p.value).collect())
    }

    #[test]
    fn types_are_remembered_between_executions() {
        let mut state = StatementState::new(2);
        assert_eq!(execute(&mut state, &[0, 0]), Err(1210), "nothing bound yet");
        let first = [0, 1, 1, 0x80, 253, 0, 200, 2, b'h', b'i'];
        assert_eq!(execute(&mut state, &first), Ok(vec![Value::Int(200), "hi".into()]));
        assert_eq!(execute(&mut state, &[0b10, 0, 255]), Ok(vec![Value::Int(255), Value::Null]));
        assert_eq!(execute(&mut state, &[0b10, 0]), Err(1835), "a value is missing");
        assert_eq!(execute(&mut state, &[0, 2]), Err(1835), "the flag is 0 or 1");
    }

    #[test]
    fn numbers_by_type_and_sign() {
        let one = |ty: ColumnType, flag: u8, bytes: &[u8]| {
            let mut packet = vec![0, 1, ty as u8, flag];
            packet.extend_from_slice(bytes);
            execute(&mut StatementState::new(1), &packet).map(|mut v| v.remove(0))
        };
        use ColumnType::*;
        assert_eq!(one(MYSQL_TYPE_TINY, 0, &[255]), Ok(Value::Int(-1)));
        assert_eq!(one(MYSQL_TYPE_SHORT, 0, &[255, 255]), Ok(Value::Int(-1)));
        assert_eq!(one(MYSQL_TYPE_LONG, 0x80, &[255; 4]), Ok(Value::Int(0xffff_ffff)));
        assert_eq!(one(MYSQL_TYPE_LONGLONG, 0, &[255; 8]), Ok(Value::Int(-1)));
        assert_eq!(one(MYSQL_TYPE_LONGLONG, 0x80, &[255; 8]), Ok("18446744073709551615".into()));
        assert_eq!(one(MYSQL_TYPE_FLOAT, 0, &1.5f32.to_le_bytes()), Ok(Value::real(1.5)));
        assert_eq!(one(MYSQL_TYPE_DOUBLE, 0, &1.5f64.to_le_bytes()), Ok(Value::real(1.5)));
        assert_eq!(one(MYSQL_TYPE_STRING, 0, b"\x02\xff\xfe"), Ok(Value::Blob([255, 254][..].into())));
        assert_eq!(one(MYSQL_TYPE_BLOB, 0, b"\x01a"), Ok(Value::Blob([b'a'][..].into())));
        assert_eq!(one(MYSQL_TYPE_DATE, 0, &[4, 0xda, 7, 1, 2]), Ok("2010-01-02".into()));
        assert_eq!(one(MYSQL_TYPE_DATE, 0, &[4, 0xda, 7, 77, 2]), Err(1292));
        assert_eq!(one(MYSQL_TYPE_NULL, 0, &[]), Ok(Value::Null));
        let unknown = execute(&mut StatementState::new(1), &[0, 1, 100, 0, 1]);
        assert_eq!(unknown, Err(1210));
    }

    #[test]
    fn long_data_replaces_the_value_and_is_used_up() {
        let mut state = StatementState::new(2);
        state.append(0, b"ab", 100);
        state.append(0, b"cd", 98);
        let packet = [0b10, 1, 252, 0, 3, 0];
        assert_eq!(execute(&mut state, &packet), Ok(vec![Value::Blob(b"abcd"[..].into()), Value::Null]));
        assert_eq!(state.long_data_size(), 0);
        state.append(0, b"abc", 2);
        assert_eq!(execute(&mut state, &packet), Err(1105), "beyond the bound");
        state.append(9, b"abc", 100);
        state.reset();
        assert_eq!(execute(&mut state, &[0b11, 0]), Ok(vec![Value::Null, Value::Null]));
    }

    #[test]
    fn attributes_are_parsed_and_ignored() {
        let mut state = StatementState::new(1);
        let packet = [2, 0b00, 1, 1, 0, 0, 253, 0, 1, b'n', 5, 1, b'v'];
        let values = state.values(Reader::new(&packet), PARAMETER_COUNT_AVAILABLE, true).unwrap();
        assert_eq!(values.len(), 1);
        assert_eq!(values[0].value, Value::Int(5));
        assert_eq!(state.values(Reader::new(&[1, 0, 0, 6]), 0, true).unwrap()[0].value, Value::Int(6));
        let mut none = StatementState::new(0);
        assert_eq!(none.values(Reader::new(&[]), 0, true), Ok(vec![]));
        assert_eq!(none.values(Reader::new(&[0]), PARAMETER_COUNT_AVAILABLE, true), Ok(vec![]));
        let mut query = Reader::new(b"\x01\x01\x00\x01\xfd\x00\x01n\x01vSELECT 1");
        skip_attributes(&mut query).unwrap();
        assert_eq!(query.rest(), b"SELECT 1");
        let mut none = Reader::new(b"\x00\x01SELECT 1");
        skip_attributes(&mut none).unwrap();
        assert_eq!(none.rest(), b"SELECT 1");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>, parameters in 0u16..20, flags: u8, attributes: bool) {
            let mut state = StatementState::new(parameters);
            let _ = state.values(Reader::new(&bytes), flags, attributes);
            let _ = state.values(Reader::new(&bytes), flags, attributes);
            let _ = skip_attributes(&mut Reader::new(&bytes));
        }
    }
}
