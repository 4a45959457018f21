//! Storing: a value as it must be to go into a column, or MySQL's reason why it cannot (manual, "Data Types").
//!
//! A literal or parameter is checked when it is bound; any other expression by the function `marmot_store`, whose
//! first argument is the rule in text.

use super::catalog::{Collation, Column};
use super::column_type::{BinaryKind, ColumnType, IntegerSize, TextKind};
use super::decimal::{self, Decimal};
use super::error::{Error, Warning};
use super::functions::FunctionContext;
use super::json;
use super::present::{fitted_real_text, plain_digits, real_text, round_digits};
use super::storage_rule::Rule;
use super::temporal::{DateTime, MAX_TIME, Parsed, parse_time, time_text};
use super::unsigned;
use crate::types::Value;
use std::borrow::Cow;

/// A conversion that went wrong, and what a lenient mode stores instead.
struct Bad(Error, Value);

type Stored = Result<Value, Bad>;

/// Converts `value` for the column of `rule`; `row` counts from 1 (0: the statement has no numbered rows) and appears
/// in messages only.
///
/// # Errors
/// In strict mode without IGNORE: 1048, 1264, 1265, 1292, 1366, 1406, 3140. Otherwise those become warnings and the
/// nearest value is stored.
pub fn store(rule: &Rule, value: Value, row: u32, context: &FunctionContext) -> Result<Value, Error> {
    let row = row.max(1);
    let outcome = match &rule.ty {
        _ if value == Value::Null => {
            if rule.nullable {
                return Ok(Value::Null);
            }
            if !context.ignore.get() {
                return Err(Error::column_cannot_be_null(&rule.column));
            }
            Err(Bad(Error::column_cannot_be_null(&rule.column), rule.ty.implicit_default()))
        }
        ColumnType::Integer { size, unsigned, .. } => integer(rule, *size, *unsigned, &value, row),
        ColumnType::Decimal { precision, scale, unsigned, .. } => {
            decimal(rule, *precision, *scale, *unsigned, &value, row)
        }
        ColumnType::Float { double, unsigned, display, .. } => {
            float(rule, *double, *unsigned, display.map(|(_, d)| d), &value, row)
        }
        ColumnType::Bit(bits) => bit(rule, *bits, &value, row),
        ColumnType::Year => year(rule, &value, row),
        ColumnType::Date => date(rule, &value, row, context),
        ColumnType::DateTime(fsp) => datetime(rule, *fsp, false, &value, row, context),
        ColumnType::Timestamp(fsp) => datetime(rule, *fsp, true, &value, row, context),
        ColumnType::Time(fsp) => time(rule, *fsp, &value, row),
        ColumnType::Text { kind, length, .. } => text(rule, *kind, *length, value, row, context),
        ColumnType::Binary { kind, length } => binary(rule, *kind, *length, value, row),
        ColumnType::Enum { values, collation } => enumeration(rule, values, collation, &value, row),
        ColumnType::Set { values, collation } => set(rule, values, collation, &value, row),
        // Malformed JSON is an error in every mode.
        ColumnType::Json => return json_document(&value),
    };
    match outcome {
        Ok(value) => Ok(value),
        Err(Bad(error, _)) if context.is_strict() => Err(error),
        Err(Bad(error, instead)) => {
            // What is cut off is an error of its own, but as a warning it is "truncated", or of a number "out of range".
            let error = match (error.code, &instead) {
                (1406, Value::Int(_)) => Error::out_of_range(&rule.column, row),
                (1406, _) => Error::truncated(&rule.column, row),
                _ => error,
            };
            context.warn(Warning::of(error));
            Ok(instead)
        }
    }
}

/// Converts `value` for a variable of a stored program.
///
/// # Errors
/// Those of storing it into such a column.
pub fn local_value(column: &Column, value: Value, context: &FunctionContext) -> Result<Value, Error> {
    store(&Rule::of(column, false), value, 1, context)
}

/// The text of a value for a message, as MySQL shows it.
fn shown(value: &Value) -> String {
    let text = as_text(value);
    text.chars().take(128).collect()
}

/// Any value as text.
pub fn as_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::Int(n) => Cow::Owned(n.to_string()),
        Value::Real(x) => Cow::Owned(real_text(x.0)),
        Value::Text(text) => decimal::digits(text).unwrap_or(Cow::Borrowed(text)),
        Value::Blob(bytes) => String::from_utf8_lossy(bytes),
    }
}

/// The number that text begins with, in canonical digits without exponent; and whether anything but space is left.
/// `None` if there is none.
fn leading_number(text: &str) -> Option<(String, bool)> {
    let trimmed = text.trim_start();
    let bytes = trimmed.as_bytes();
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let digits = |mut i: usize| {
        while bytes.get(i).is_some_and(u8::is_ascii_digit) {
            i += 1;
        }
        i
    };
    let whole = at;
    at = digits(at);
    let mut count = at - whole;
    if bytes.get(at) == Some(&b'.') {
        let end = digits(at + 1);
        count += end - at - 1;
        if end > at + 1 || at > whole {
            at = end;
        }
    }
    if count == 0 {
        return None;
    }
    let mut number = trimmed[..at].trim_start_matches('+').to_string();
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let end = digits(at + 1 + sign);
        if end > at + 1 + sign {
            let exponent: i32 = trimmed[at + 1..end].parse().unwrap_or(i32::MAX);
            number = shift_point(&number, exponent);
            at = end;
        }
    }
    Some((number, !trimmed[at..].trim_end().is_empty()))
}

/// The exact digits that text begins with; "0" if there are none.
pub fn number_text(text: &str) -> String {
    leading_number(text).map_or_else(|| "0".to_string(), |(digits, _)| digits)
}

/// `number` times ten to the `exponent`, in digits.
fn shift_point(number: &str, exponent: i32) -> String {
    let exponent = exponent.clamp(-400, 400);
    let (sign, body) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    let (whole, decimals) = body.split_once('.').unwrap_or((body, ""));
    let digits = format!("{whole}{decimals}");
    let point = whole.len() as i32 + exponent;
    if point <= 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(point.unsigned_abs() as usize));
    }
    let point = point as usize;
    if point >= digits.len() {
        return format!("{sign}{digits}{}", "0".repeat(point - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..point], &digits[point..])
}

/// A value's number in digits, and whether text was left over. Errors are for values that are no numbers at all.
fn digits_of(rule: &Rule, kind: &str, value: &Value, row: u32) -> Result<(String, bool), Bad> {
    let text = match value {
        Value::Int(n) => return Ok((n.to_string(), false)),
        Value::Real(x) if x.0.is_finite() => return Ok((plain_digits(x.0), false)),
        Value::Real(_) => return Err(Bad(Error::out_of_range(&rule.column, row), Value::Int(0))),
        other => as_text(other),
    };
    match leading_number(&text) {
        Some(found) => Ok(found),
        None => Err(Bad(Error::incorrect_value(kind, shown(value), &rule.column, row), Value::Int(0))),
    }
}

fn integer(rule: &Rule, size: IntegerSize, unsigned: bool, value: &Value, row: u32) -> Stored {
    let (low, mut high) = size.range(unsigned);
    if rule.rowid {
        high = high.min(i128::from(i64::MAX));
    }
    let fit = |n: i128| match i64::try_from(n) {
        Ok(n) => Value::Int(n),
        Err(_) => u64::try_from(n).map_or(Value::Int(i64::MIN), unsigned::cell),
    };
    if let Value::Int(n) = value
        && (low..=high).contains(&i128::from(*n))
    {
        return Ok(Value::Int(*n));
    }
    let (digits, truncated) = digits_of(rule, "integer", value, row)?;
    let rounded = round_digits(&digits, 0);
    let number: i128 = rounded.parse().unwrap_or(if rounded.starts_with('-') { i128::MIN } else { i128::MAX });
    if number < low || number > high {
        return Err(Bad(Error::out_of_range(&rule.column, row), fit(number.clamp(low, high))));
    }
    if truncated {
        return Err(Bad(Error::truncated(&rule.column, row), fit(number)));
    }
    Ok(fit(number))
}

fn decimal(rule: &Rule, precision: u8, scale: u8, unsigned: bool, value: &Value, row: u32) -> Stored {
    let (digits, truncated) = digits_of(rule, "decimal", value, row)?;
    let rounded = round_digits(&digits, usize::from(scale));
    let negative = rounded.starts_with('-');
    let whole = rounded.trim_start_matches('-').split('.').next().unwrap_or("0").trim_start_matches('0').len();
    if whole > usize::from(precision - scale) || (negative && unsigned) {
        let nines = format!("{}.{}", "9".repeat(usize::from(precision - scale)), "9".repeat(usize::from(scale)));
        let clamped = match (negative, unsigned) {
            (true, true) => "0".to_string(),
            (true, false) => format!("-{nines}"),
            (false, _) => nines,
        };
        return Err(Bad(Error::out_of_range(&rule.column, row), decimal_cell(&clamped)));
    }
    let cell = decimal_cell(&rounded);
    if truncated { Err(Bad(Error::truncated(&rule.column, row), cell)) } else { Ok(cell) }
}

/// Digits as the number that a DECIMAL cell holds.
fn decimal_cell(digits: &str) -> Value {
    Decimal::parse(digits.trim_end_matches('.')).map_or(Value::Int(0), |d| d.cell())
}

fn float(rule: &Rule, double: bool, unsigned: bool, decimals: Option<u8>, value: &Value, row: u32) -> Stored {
    let (number, truncated) = match value {
        Value::Real(x) => (x.0, false),
        other => {
            let kind = if double { "double" } else { "float" };
            let (digits, truncated) = digits_of(rule, kind, other, row)?;
            (digits.parse().unwrap_or(0.0), truncated)
        }
    };
    let number = match decimals {
        Some(d) if number.is_finite() => round_digits(&plain_digits(number), usize::from(d)).parse().unwrap_or(number),
        _ => number,
    };
    let limit = if double { f64::MAX } else { f64::from(f32::MAX) };
    if !number.is_finite() || number.abs() > limit || (unsigned && number < 0.0) {
        let clamped = number.clamp(if unsigned { 0.0 } else { -limit }, limit);
        return Err(Bad(Error::out_of_range(&rule.column, row), Value::real(clamped)));
    }
    // A FLOAT keeps the shortest digits that its 24 bits need, so that 0.1 reads back as 0.1.
    let number = if double { number } else { (number as f32).to_string().parse().unwrap_or(number) };
    let cell = Value::real(number);
    if truncated { Err(Bad(Error::truncated(&rule.column, row), cell)) } else { Ok(cell) }
}

fn bit(rule: &Rule, bits: u8, value: &Value, row: u32) -> Stored {
    let full = if bits >= 64 { u64::MAX } else { (1u64 << bits) - 1 };
    let number = match value {
        Value::Int(n) => Some(*n as u64),
        Value::Real(x) => Some(x.0.round() as u64),
        Value::Text(_) | Value::Blob(_) => {
            let text;
            let bytes: &[u8] = match value {
                Value::Blob(bytes) => bytes,
                other => {
                    text = as_text(other);
                    text.as_bytes()
                }
            };
            let bytes = &bytes[bytes.iter().take_while(|b| **b == 0).count()..];
            (bytes.len() <= 8).then(|| bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
        }
        Value::Null => Some(0),
    };
    match number {
        Some(n) if n <= full => Ok(Value::Int(n as i64)),
        _ => Err(Bad(Error::too_long(&rule.column, row), Value::Int(full as i64))),
    }
}

fn year(rule: &Rule, value: &Value, row: u32) -> Stored {
    let (digits, truncated) = digits_of(rule, "integer", value, row)?;
    let number: i64 = round_digits(&digits, 0).parse().unwrap_or(-1);
    let from_text = matches!(value, Value::Text(_));
    let year = match number {
        0 if !from_text || digits.len() >= 3 => 0,
        0..=69 => number + 2000,
        70..=99 => number + 1900,
        1901..=2155 => number,
        _ => return Err(Bad(Error::out_of_range(&rule.column, row), Value::Int(0))),
    };
    if truncated { Err(Bad(Error::truncated(&rule.column, row), Value::Int(year))) } else { Ok(Value::Int(year)) }
}

/// A value as a date and time, by MySQL's conversions.
pub fn as_datetime(value: &Value) -> Option<Parsed<DateTime>> {
    match value {
        Value::Null => None,
        Value::Int(n) => DateTime::from_number(*n),
        Value::Real(x) => {
            let digits = plain_digits(x.0);
            let (whole, decimals) = digits.split_once('.').unwrap_or((&digits, ""));
            let mut parsed = DateTime::from_number(whole.parse().ok()?)?;
            let six: String = decimals.chars().chain("000000".chars()).take(6).collect();
            parsed.value.micro = six.parse().ok()?;
            Some(parsed)
        }
        Value::Text(text) => DateTime::parse(text),
        Value::Blob(bytes) => DateTime::parse(std::str::from_utf8(bytes).ok()?),
    }
}

fn date_allowed(value: &DateTime, context: &FunctionContext) -> bool {
    if value.is_zero_date() {
        return !context.no_zero_date.get();
    }
    value.is_real() || !context.no_zero_in_date.get()
}

fn date(rule: &Rule, value: &Value, row: u32, context: &FunctionContext) -> Stored {
    let bad = |instead: &str| {
        let error = Error::incorrect_temporal("date", shown(value), &rule.column, row);
        Err(Bad(error, Value::from(instead)))
    };
    match as_datetime(value) {
        Some(parsed) if !date_allowed(&parsed.value, context) => bad("0000-00-00"),
        Some(parsed) if parsed.truncated => bad(&parsed.value.date_text()),
        Some(parsed) => Ok(Value::text(parsed.value.date_text())),
        None => bad("0000-00-00"),
    }
}

fn datetime(rule: &Rule, fsp: u8, timestamp: bool, value: &Value, row: u32, context: &FunctionContext) -> Stored {
    let zero = || Value::text(DateTime::default().text(fsp));
    let bad = |instead: Value| {
        let error = Error::incorrect_temporal("datetime", shown(value), &rule.column, row);
        Err(Bad(error, instead))
    };
    let Some(parsed) = as_datetime(value) else { return bad(zero()) };
    let Some(rounded) = parsed.value.rounded(fsp) else { return bad(zero()) };
    if !date_allowed(&rounded, context) {
        return bad(zero());
    }
    if timestamp && !rounded.is_zero_date() {
        let seconds = rounded.unix() - i64::from(context.utc_offset.get());
        if !rounded.is_real() || !(1..=2_147_483_647).contains(&seconds) {
            return bad(zero());
        }
    }
    let cell = Value::text(rounded.text(fsp));
    if parsed.truncated { bad(cell) } else { Ok(cell) }
}

/// A value as a time, in microseconds.
pub fn as_time(value: &Value) -> Option<Parsed<i64>> {
    match value {
        Value::Null => None,
        Value::Int(n) if n.unsigned_abs() >= 10_000_000_000 => {
            let parsed = DateTime::from_number(*n)?;
            Some(Parsed { value: parsed.value.time_micros(), truncated: false, has_time: true })
        }
        Value::Blob(bytes) => parse_time(std::str::from_utf8(bytes).ok()?),
        other => parse_time(&as_text(other)),
    }
}

fn time(rule: &Rule, fsp: u8, value: &Value, row: u32) -> Stored {
    let bad = |micros: i64| {
        let error = Error::incorrect_temporal("time", shown(value), &rule.column, row);
        Err(Bad(error, Value::text(time_text(micros, fsp))))
    };
    let Some(parsed) = as_time(value) else { return bad(0) };
    let unit = 10i64.pow(6 - u32::from(fsp.min(6)));
    let sign = parsed.value.signum();
    let rounded = (parsed.value.abs() + unit / 2) / unit * unit * sign;
    if rounded.abs() > MAX_TIME {
        return bad(MAX_TIME * sign);
    }
    if parsed.truncated { bad(rounded) } else { Ok(Value::text(time_text(rounded, fsp))) }
}

/// The longest start of `text` within `limit` characters, or bytes.
fn cut(text: &str, limit: u64, by_bytes: bool) -> Option<&str> {
    if text.len() as u64 <= limit {
        return None;
    }
    if by_bytes {
        let mut end = limit as usize;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        return Some(&text[..end]);
    }
    text.char_indices().nth(limit as usize).map(|(end, _)| &text[..end])
}

fn text(rule: &Rule, kind: TextKind, length: u32, value: Value, row: u32, context: &FunctionContext) -> Stored {
    let by_length = matches!(kind, TextKind::Char | TextKind::VarChar);
    let owned = match value {
        Value::Real(x) if by_length => {
            let fitted = fitted_real_text(x.0, length as usize);
            fitted.unwrap_or_else(|| real_text(x.0)).into()
        }
        Value::Text(text) if decimal::digits(&text).is_none() => text,
        Value::Blob(bytes) => match std::str::from_utf8(&bytes) {
            Ok(text) => text.into(),
            Err(e) => {
                let rest: String = bytes[e.valid_up_to()..].iter().take(6).map(|b| format!("\\x{b:02X}")).collect();
                let good = String::from_utf8_lossy(&bytes[..e.valid_up_to()]).into_owned();
                return Err(Bad(Error::incorrect_value("string", rest, &rule.column, row), Value::text(good)));
            }
        },
        other => as_text(&other).into_owned().into(),
    };
    let fixed = matches!(kind, TextKind::Char);
    let limit = if by_length { u64::from(length) } else { rule.ty.max_characters().unwrap_or(u64::MAX) };
    if fixed && owned.ends_with(' ') {
        let trimmed = owned.trim_end_matches(' ');
        return match cut(trimmed, limit, false) {
            Some(start) => Err(Bad(Error::too_long(&rule.column, row), Value::text(start))),
            None => Ok(Value::text(trimmed)),
        };
    }
    match cut(&owned, limit, !by_length) {
        None => Ok(Value::Text(owned)),
        // Spaces too many are cut with a note.
        Some(start) if by_length && owned[start.len()..].bytes().all(|c| c == b' ') => {
            context.warn(Warning::note(Error::truncated(&rule.column, row)));
            Ok(Value::text(start))
        }
        Some(start) => Err(Bad(Error::too_long(&rule.column, row), Value::text(start))),
    }
}

fn binary(rule: &Rule, kind: BinaryKind, length: u32, value: Value, row: u32) -> Stored {
    let mut bytes = match value {
        Value::Blob(bytes) => bytes,
        Value::Text(text) => text.as_bytes().into(),
        other => as_text(&other).as_bytes().into(),
    };
    let limit = rule.ty.max_characters().unwrap_or(u64::MAX);
    if bytes.len() as u64 > limit {
        return Err(Bad(Error::too_long(&rule.column, row), Value::Blob(bytes[..limit as usize].into())));
    }
    if kind == BinaryKind::Binary && bytes.len() < length as usize {
        let mut padded = bytes.to_vec();
        padded.resize(length as usize, 0);
        bytes = padded.into();
    }
    Ok(Value::Blob(bytes))
}

fn same(a: &str, b: &str, collation: &Collation) -> bool {
    let (a, b) = (a.trim_end_matches(' '), b.trim_end_matches(' '));
    a == b || collation.ignores_case() && a.to_lowercase() == b.to_lowercase()
}

fn enumeration(rule: &Rule, values: &[String], collation: &Collation, value: &Value, row: u32) -> Stored {
    let by_index = |n: i64| usize::try_from(n).ok().and_then(|n| n.checked_sub(1)).and_then(|n| values.get(n));
    let found = match value {
        Value::Int(n) => by_index(*n),
        Value::Real(x) => by_index(x.0.round() as i64),
        other => {
            let text = as_text(other);
            let label = values.iter().find(|v| same(v, &text, collation));
            label.or_else(|| text.trim().parse().ok().and_then(by_index))
        }
    };
    match found {
        Some(label) => Ok(Value::text(label.as_str())),
        None => Err(Bad(Error::truncated(&rule.column, row), Value::from(""))),
    }
}

fn set(rule: &Rule, values: &[String], collation: &Collation, value: &Value, row: u32) -> Stored {
    let mut mask = 0u64;
    let mut unknown = false;
    match value {
        Value::Int(n) => {
            mask = *n as u64;
            unknown = values.len() < 64 && mask >> values.len() != 0;
        }
        other => {
            let text = as_text(other);
            for part in text.split(',').filter(|_| !text.is_empty()) {
                match values.iter().position(|v| same(v, part, collation)) {
                    Some(i) => mask |= 1 << i.min(63),
                    None => unknown = true,
                }
            }
        }
    }
    let members = values.iter().enumerate().filter(|(i, _)| mask >> i.min(&63) & 1 == 1);
    let members: Vec<&str> = members.map(|(_, v)| v.as_str()).collect();
    let cell = Value::text(members.join(","));
    if unknown { Err(Bad(Error::truncated(&rule.column, row), cell)) } else { Ok(cell) }
}

fn json_document(value: &Value) -> Result<Value, Error> {
    let text = match value {
        Value::Blob(_) => {
            let what = "Cannot create a JSON value from a string with CHARACTER SET 'binary'.";
            return Err(Error { code: 3144, state: "22032", message: what.into() });
        }
        other => as_text(other),
    };
    Ok(Value::text(json::parse(&text)?.to_string()))
}

/// As [`to_number`], with warning 1292 for text that is not a number as a whole. `kind` is what the warning calls it.
pub fn to_number_warned(value: &Value, kind: &str, context: &FunctionContext) -> Value {
    let whole = match value {
        Value::Text(text) if decimal::digits(text).is_none() => matches!(leading_number(text), Some((_, false))),
        Value::Blob(bytes) => matches!(leading_number(&String::from_utf8_lossy(bytes)), Some((_, false))),
        _ => true,
    };
    if !whole {
        context.warn_with(|| Warning::of(Error::truncated_value(kind, as_text(value))));
    }
    to_number(value)
}

/// MySQL's implicit conversion to a number: the number that text begins with, else 0.
pub fn to_number(value: &Value) -> Value {
    let text = match value {
        Value::Text(text) if decimal::digits(text).is_some() => return value.clone(),
        Value::Text(text) => Cow::Borrowed(&**text),
        Value::Blob(bytes) => String::from_utf8_lossy(bytes),
        other => return other.clone(),
    };
    match leading_number(&text) {
        None => Value::Int(0),
        Some((digits, _)) => match (digits.parse::<i64>(), digits.parse::<u64>()) {
            (Ok(n), _) => Value::Int(n),
            (_, Ok(n)) => unsigned::cell(n),
            _ => Value::real(digits.parse().unwrap_or(0.0)),
        },
    }
}

/// A constant compared with a DECIMAL: text that is a number as its exact cell, anything else as a number.
pub fn to_decimal(value: &Value, context: &FunctionContext) -> Value {
    if let Value::Text(text) = value
        && let Some(number) = Decimal::parse(text.trim())
    {
        return number.cell();
    }
    to_number_warned(value, "DOUBLE", context)
}

/// A value compared with a temporal column, in the column's format. What is no date or time is zero, as MySQL has it with a
/// warning.
pub fn to_temporal(value: &Value, ty: &ColumnType) -> Value {
    match value {
        Value::Null => return Value::Null,
        // Such a number is below every date there is, and its text would not be.
        Value::Int(n) if *n != 0 && *n < 101 && !matches!(ty, ColumnType::Time(_)) => return Value::text(""),
        Value::Real(x) if x.0 != 0.0 && x.0 < 101.0 && !matches!(ty, ColumnType::Time(_)) => return Value::text(""),
        _ => {}
    }
    let with_fraction = |text: String, micro: u32, fsp: u8| {
        // More digits than the column has decide a comparison, so they stay.
        let digits = format!("{micro:06}");
        let keep = digits.trim_end_matches('0').len().max(usize::from(fsp));
        if keep == 0 { Value::text(text) } else { Value::text(format!("{text}.{}", &digits[..keep])) }
    };
    match ty {
        ColumnType::Date => match as_datetime(value) {
            Some(p) if p.value.time_micros() == 0 => Value::text(p.value.date_text()),
            Some(p) => with_fraction(p.value.text(0), p.value.micro, 0),
            None => Value::text(DateTime::default().date_text()),
        },
        ColumnType::DateTime(fsp) | ColumnType::Timestamp(fsp) => match as_datetime(value) {
            Some(p) => with_fraction(p.value.text(0), p.value.micro, *fsp),
            None => with_fraction(DateTime::default().text(0), 0, *fsp),
        },
        ColumnType::Time(fsp) => match as_time(value) {
            Some(p) => with_fraction(time_text(p.value, 0), (p.value.unsigned_abs() % 1_000_000) as u32, *fsp),
            None => with_fraction(time_text(0, 0), 0, *fsp),
        },
        _ => value.clone(),
    }
}
