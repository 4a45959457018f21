//! Cells on their way out: what SQLite computed, as a MySQL client expects to see it.

use super::column_type::{BinaryKind, ColumnType, IntegerSize};
use super::error::Error;
use super::store::as_text;
use crate::types::Value;

/// See [`ColumnType::overflow`].
pub fn overflow(ty: &ColumnType, value: &Value) -> Option<Error> {
    let Value::Real(x) = value else { return None };
    match ty {
        // SQLite goes on in floating point where 64 bits do not suffice.
        ColumnType::Integer { unsigned, .. } if x.0.abs() >= 9_223_372_036_854_775_807.0 => {
            let kind = if *unsigned { "BIGINT UNSIGNED" } else { "BIGINT" };
            Some(Error::numeric_out_of_range(kind, plain_digits(x.0)))
        }
        ColumnType::Float { .. } if !x.0.is_finite() => Some(Error::numeric_out_of_range("DOUBLE", x.0)),
        ColumnType::Decimal { .. } if !x.0.is_finite() => Some(Error::numeric_out_of_range("DECIMAL", x.0)),
        _ => None,
    }
}

/// See [`ColumnType::present`].
pub fn present(ty: &ColumnType, value: Value) -> Value {
    match (ty, value) {
        (_, Value::Null) => Value::Null,
        (ColumnType::Decimal { precision, scale, zerofill, .. }, value) => {
            let Some(text) = decimal_text(&value, *scale) else { return value };
            let width = usize::from(*precision) + usize::from(*scale > 0);
            Value::text(if *zerofill { format!("{text:0>width$}") } else { text })
        }
        (ColumnType::Integer { zerofill: true, width: Some(width), .. }, Value::Int(n)) if n >= 0 => {
            Value::text(format!("{n:0>width$}", width = usize::from(*width)))
        }
        (ColumnType::Integer { size: IntegerSize::Big, .. }, Value::Text(cell)) => {
            Value::text(&*as_text(&Value::Text(cell)))
        }
        (ColumnType::Integer { .. }, Value::Real(x)) => Value::Int(x.0.round() as i64),
        (ColumnType::Float { .. }, Value::Int(n)) => Value::real(n as f64),
        (ColumnType::Float { .. }, Value::Real(x)) if x.0 == 0.0 => Value::real(0.0),
        (ColumnType::Float { display: Some((_, d)), .. }, Value::Real(x)) => {
            Value::real(format!("{:.*}", usize::from(*d), x.0).parse().unwrap_or(x.0))
        }
        (ColumnType::Bit(bits), Value::Int(n)) => {
            let bytes = n.to_be_bytes();
            Value::Blob(bytes[8 - usize::from(bits.div_ceil(8))..].into())
        }
        (ColumnType::Binary { kind: BinaryKind::VarBinary | BinaryKind::LongBlob, .. }, Value::Text(text)) => {
            Value::Blob(text.as_bytes().into())
        }
        (ColumnType::Text { .. }, Value::Int(n)) => Value::text(n.to_string()),
        (ColumnType::Text { .. }, Value::Real(x)) => Value::text(real_text(x.0)),
        (ColumnType::Text { .. }, Value::Blob(bytes)) => Value::text(String::from_utf8_lossy(&bytes).into_owned()),
        (ColumnType::Text { .. }, value @ Value::Text(_)) => match as_text(&value) {
            std::borrow::Cow::Owned(text) => Value::text(text),
            std::borrow::Cow::Borrowed(_) => value,
        },
        (_, value) => value,
    }
}

/// A number with exactly `scale` decimals, rounded half away from zero. `None` if it is no number.
pub fn decimal_text(value: &Value, scale: u8) -> Option<String> {
    let scale = usize::from(scale);
    match value {
        Value::Int(n) if scale == 0 => Some(n.to_string()),
        Value::Int(n) => Some(format!("{n}.{}", "0".repeat(scale))),
        Value::Real(x) if x.0.is_finite() => Some(round_digits(&plain_digits(x.0), scale)),
        Value::Real(_) => None,
        Value::Text(_) => {
            let text = as_text(value);
            let text = text.trim();
            let body = text.strip_prefix('-').unwrap_or(text);
            let plain = !body.is_empty() && body.bytes().all(|c| c.is_ascii_digit() || c == b'.');
            plain.then(|| round_digits(text, scale))
        }
        _ => None,
    }
}

/// The shortest digits that read back as `x`, without exponent.
pub fn plain_digits(x: f64) -> String {
    // Rust never prints an exponent for f64 with `{}`.
    format!("{x}")
}

/// Rounds a decimal number in text to `scale` decimals, half away from zero.
pub fn round_digits(text: &str, scale: usize) -> String {
    let (sign, body) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, decimals) = body.split_once('.').unwrap_or((body, ""));
    let whole = whole.trim_start_matches('0');
    let mut digits: Vec<u8> = format!("0{whole}").into_bytes();
    let whole_length = digits.len();
    digits.extend(decimals.bytes().chain(std::iter::repeat(b'0')).take(scale));
    if decimals.as_bytes().get(scale).is_some_and(|c| *c >= b'5') {
        for digit in digits.iter_mut().rev() {
            if *digit == b'9' {
                *digit = b'0';
            } else {
                *digit += 1;
                break;
            }
        }
    }
    let zero = digits.iter().all(|c| *c == b'0');
    let text = String::from_utf8(digits).unwrap_or_default();
    let (whole, decimals) = text.split_at(whole_length);
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let sign = if zero { "" } else { sign };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{decimals}") }
}

/// A DOUBLE as MySQL prints it: shortest digits, an exponent outside 1e-5 .. 1e15.
pub fn real_text(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 {
        return "0".to_string();
    }
    if (1e-5..1e15).contains(&size) {
        return plain_digits(x);
    }
    let text = format!("{x:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => format!("{digits}e{exponent}"),
        None => text,
    }
}

/// A DOUBLE in at most `width` characters, with as many digits as fit; `None` if not even one does.
pub fn fitted_real_text(x: f64, width: usize) -> Option<String> {
    let full = real_text(x);
    if full.len() <= width {
        return Some(full);
    }
    let trimmed = |text: String| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    };
    (0..17).rev().find_map(|decimals| {
        let plain = trimmed(format!("{x:.decimals$}"));
        let fits = plain.len() <= width && plain.trim_start_matches(['-', '0', '.']).len() > decimals.min(1);
        if fits && x.abs() < 1e15 && (x.abs() >= 1e-4 || plain.parse() == Ok(x)) {
            return Some(plain);
        }
        let short = format!("{x:.decimals$e}");
        let (digits, exponent) = short.split_once('e')?;
        let short = format!("{}e{exponent}", trimmed(digits.to_string()));
        (short.len() <= width).then_some(short)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_their_places() {
        let show = |v: Value, s| decimal_text(&v, s).unwrap();
        assert_eq!(show(Value::Int(5), 2), "5.00");
        assert_eq!(show(Value::real(0.30000000000000004), 1), "0.3");
        assert_eq!(show(Value::real(-1.005), 2), "-1.01");
        assert_eq!(show(Value::real(0.3333333333), 4), "0.3333");
        assert_eq!(show(Value::real(99.995), 2), "100.00");
        assert_eq!(show(Value::real(-0.001), 2), "0.00");
        assert_eq!(show(Value::real(1e20), 0), "100000000000000000000");
        assert_eq!(show(Value::from("12345678901234567890.125"), 2), "12345678901234567890.13");
        assert_eq!(decimal_text(&Value::from("abc"), 2), None);
    }

    #[test]
    fn as_many_digits_as_fit() {
        let fit = |x, width| fitted_real_text(x, width);
        assert_eq!(fit(9.999999, 4).as_deref(), Some("10"));
        assert_eq!(fit(0.1225877, 6).as_deref(), Some("0.1226"));
        assert_eq!(fit(1.225e10, 6).as_deref(), Some("1.2e10"));
        assert_eq!(fit(1.25e-94, 6).as_deref(), Some("1e-94"));
        assert_eq!(fit(1.25, 6).as_deref(), Some("1.25"));
        assert_eq!(fit(-5000.0, 4).as_deref(), Some("-5e3"));
        assert_eq!(fit(-5000.0, 3), None);
    }

    #[test]
    fn numbers_beyond_their_type() {
        let code = |ty: &ColumnType, x: f64| overflow(ty, &Value::real(x)).map(|e| e.code);
        assert_eq!(code(&ColumnType::bigint(), 1.8446744073709552e19), Some(1690));
        assert_eq!(code(&ColumnType::bigint(), 3.0), None);
        assert_eq!(code(&ColumnType::double(), f64::INFINITY), Some(1690));
        assert_eq!(code(&ColumnType::double(), 1e308), None);
        assert_eq!(overflow(&ColumnType::bigint(), &Value::Int(i64::MAX)), None);
    }

    #[test]
    fn presented_by_type() {
        let zerofill = ColumnType::Integer { size: IntegerSize::Int, unsigned: true, zerofill: true, width: Some(5) };
        assert_eq!(zerofill.present(Value::Int(42)), Value::from("00042"));
        assert_eq!(
            ColumnType::bigint_unsigned().present(super::super::unsigned::cell(1 << 63)),
            Value::from("9223372036854775808")
        );
        assert_eq!(ColumnType::decimal(10, 2).present(Value::real(1.5)), Value::from("1.50"));
        assert_eq!(ColumnType::Bit(10).present(Value::Int(513)), Value::Blob([2u8, 1].into()));
        assert_eq!(real_text(1e20), "1e20");
        assert_eq!(real_text(0.1), "0.1");
    }
}
