//! Arguments as the types that functions compute with. Any NULL argument usually makes the result NULL: the readers
//! return `None` for it.

use crate::sql::decimal::{self, Decimal};
use crate::sql::store::{as_text, to_number};
use crate::types::Value;
use std::borrow::Cow;

pub(super) fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => None,
        value => Some(as_text(value)),
    }
}

pub(super) fn bytes(value: &Value) -> Option<Cow<'_, [u8]>> {
    match value {
        Value::Null => None,
        Value::Blob(bytes) => Some(Cow::Borrowed(bytes)),
        Value::Text(text) if decimal::digits(text).is_none() => Some(Cow::Borrowed(text.as_bytes())),
        other => Some(Cow::Owned(as_text(other).into_owned().into_bytes())),
    }
}

/// Rounded, as MySQL's integer arguments are.
pub(super) fn integer(value: &Value) -> Option<i64> {
    match to_number(value) {
        Value::Null => None,
        Value::Int(n) => Some(n),
        Value::Real(x) => Some(x.0.round() as i64),
        // Beyond 64 bits, or with more decimals than a double has.
        other @ Value::Text(_) => {
            let number = Decimal::of_cell(&other)?.rounded(0);
            let end = if number.is_negative() { i64::MIN } else { i64::MAX };
            Some(if let Value::Int(n) = number.cell() { n } else { end })
        }
        Value::Blob(_) => Some(0),
    }
}

pub(super) fn real(value: &Value) -> Option<f64> {
    match to_number(value) {
        Value::Null => None,
        Value::Int(n) => Some(n as f64),
        Value::Real(x) => Some(x.0),
        Value::Text(cell) => decimal::digits(&cell)?.parse().ok(),
        Value::Blob(_) => Some(0.0),
    }
}

/// Text from text, a BLOB from BLOBs: what string functions return for what they were given.
pub(super) fn text_or_blob(binary: bool, bytes: Vec<u8>) -> Value {
    if binary {
        return Value::Blob(bytes.into());
    }
    match String::from_utf8(bytes) {
        Ok(text) => Value::text(text),
        Err(error) => Value::Blob(error.into_bytes().into()),
    }
}

pub(super) fn maybe_text(text: Option<String>) -> Value {
    text.map_or(Value::Null, Value::text)
}

pub(super) fn maybe_int(n: Option<i64>) -> Value {
    n.map_or(Value::Null, Value::Int)
}

/// A finite number, else NULL.
pub(super) fn maybe_real(x: Option<f64>) -> Value {
    x.filter(|x| x.is_finite()).map_or(Value::Null, Value::real)
}

/// The `i`-th argument; NULL if it was not given.
pub(super) fn nth(arguments: &[Value], i: usize) -> &Value {
    arguments.get(i).unwrap_or(&Value::Null)
}
