//! CAST and CONVERT (manual, "Cast Functions and Operators"), and the translator's own functions.

use super::argument::{bytes, integer, maybe_text, nth, real, text};
use super::numeric::maybe_unsigned;
use super::registry::{Function, FunctionContext};
use crate::sql::decimal::{Decimal, MAX_SCALE};
use crate::sql::error::{Error, Warning, WarningLevel};
use crate::sql::present::{plain_digits, round_digits};
use crate::sql::storage_rule::Rule;
use crate::sql::store::{self, as_datetime, as_time, to_number};
use crate::sql::temporal::{MAX_TIME, time_text};
use crate::types::Value;

macro_rules! functions {
    ($($name:literal $arity:literal $eval:expr;)+) => {
        pub(super) const FUNCTIONS: &[Function] = &[
            $(Function { name: $name, arity: $arity, deterministic: true, eval: $eval },)+
            Function { name: "marmot_last_insert_id", arity: 1, deterministic: false, eval: last_insert_id },
        ];
    };
}

functions! {
    "marmot_store" 3 store_cell;
    "marmot_checked" 1 checked_condition;
    "marmot_generated" 2 |_, a| Ok(generated_cell(a));
    "marmot_cast_signed" 1 |c, a| Ok(warned(c, &a[0], signed));
    "marmot_cast_unsigned" 1 |c, a| Ok(warned(c, &a[0], unsigned));
    "marmot_cast_decimal" 3 |c, a| Ok(decimal(&[checked(c, &a[0], "DECIMAL"), a[1].clone(), a[2].clone()]));
    "marmot_cast_double" 1 |c, a| Ok(real(&checked(c, &a[0], "DOUBLE")).map_or(Value::Null, Value::real));
    "marmot_cast_char" 2 |_, a| Ok(character(a));
    "marmot_cast_binary" 2 |_, a| Ok(binary(a));
    "marmot_cast_date" 1 |c, a| cast_date(c, &a[0]);
    "marmot_cast_datetime" 2 |_, a| Ok(cast_datetime(a));
    "marmot_cast_time" 2 |_, a| Ok(cast_time(a));
    "marmot_cast_year" 1 |_, a| Ok(as_datetime(&a[0]).map_or_else(|| signed(&a[0]), |p| Value::Int(i64::from(p.value.year))));
    "marmot_tuple" -1 |_, a| Ok(tuple(a));
    "marmot_enum_index" 2 |_, a| Ok(enum_index(a));
    "marmot_set_bits" 2 |_, a| Ok(set_bits(a));
    "marmot_separated" 2 |_, a| Ok(separated(a));
    "marmot_is_true" 1 |_, a| Ok(real(&a[0]).map_or(Value::Null, |x| Value::Int(i64::from(x != 0.0))));
    "marmot_only_row" 2 only_row;
}

/// The value as it is, after warning 1292 if it is text but no number of that kind.
fn checked(context: &FunctionContext, value: &Value, kind: &str) -> Value {
    store::to_number_warned(value, kind, context);
    value.clone()
}

/// `marmot_store(rule, value, row)`.
fn store_cell(context: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let rule = match &a[0] {
        Value::Text(rule) => Rule::decode(rule),
        _ => None,
    };
    let rule = rule.ok_or_else(|| Error::malformed_payload("storage rule"))?;
    let row = integer(&a[2]).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    store::store(&rule, a[1].clone(), row, context)
}

/// `marmot_checked(condition)`: what a CHECK constraint's condition is. In strict mode a write does not go by a
/// condition that took text for a number or a time which it is not.
///
/// # Errors
/// 1292.
fn checked_condition(context: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let truncated = |w: &&Warning| w.code == 1292 && w.level == WarningLevel::Warning;
    match context.warnings.borrow().iter().find(truncated) {
        Some(w) if context.is_strict() => Err(Error { code: 1292, state: "22007", message: w.message.clone() }),
        _ => Ok(a[0].clone()),
    }
}

/// `marmot_generated(rule, value)`: a generated column's cell. What does not fit was refused or warned of when the row
/// was written; reading it depends on nothing but the row.
fn generated_cell(a: &[Value]) -> Value {
    let rule = match &a[0] {
        Value::Text(rule) => Rule::decode(rule),
        _ => None,
    };
    let lenient = FunctionContext::default();
    rule.and_then(|rule| store::store(&rule, a[1].clone(), 1, &lenient).ok()).unwrap_or(Value::Null)
}

/// Casts, and says so if text is not an integer from end to end.
fn warned(context: &FunctionContext, value: &Value, cast: fn(&Value) -> Value) -> Value {
    if matches!(value, Value::Text(_) | Value::Blob(_))
        && let Some(whole) = text(value)
    {
        let digits = whole.trim_matches(' ').trim_start_matches(['-', '+']);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            context.warn(Warning::of(Error::truncated_value("INTEGER", &whole)));
        }
    }
    cast(value)
}

/// Text to integer as CAST does: its leading digits, a fraction cut off.
fn signed(value: &Value) -> Value {
    match value {
        Value::Text(_) | Value::Blob(_) => match to_number(value) {
            Value::Real(x) => Value::Int(x.0.trunc() as i64),
            Value::Text(cell) => match crate::sql::unsigned::parse(&cell) {
                Some(n) => Value::Int(n as i64),
                None => integer(&Value::Text(cell)).map_or(Value::Null, Value::Int),
            },
            number => number,
        },
        other => integer(other).map_or(Value::Null, Value::Int),
    }
}

fn unsigned(value: &Value) -> Value {
    match to_number(value) {
        Value::Null => Value::Null,
        Value::Int(n) => maybe_unsigned(Some(n as u64)),
        Value::Real(x) if x.0 < 0.0 => maybe_unsigned(Some(x.0.round() as i64 as u64)),
        Value::Real(x) => maybe_unsigned(Some(x.0.round() as u64)),
        cell @ Value::Text(_) => maybe_unsigned(super::numeric::as_bits(&cell)),
        other => other,
    }
}

/// `cast_decimal(value, precision, scale)`.
fn decimal(a: &[Value]) -> Value {
    let (Some(precision), Some(scale)) = (integer(&a[1]), integer(&a[2])) else { return Value::Null };
    let digits = match &a[0] {
        Value::Null => return Value::Null,
        Value::Int(n) => n.to_string(),
        Value::Real(x) if x.0.is_finite() => plain_digits(x.0),
        other => text(other).map(|t| store::number_text(&t)).unwrap_or_default(),
    };
    let (precision, scale) = (precision.clamp(1, 65) as usize, scale.clamp(0, i64::from(MAX_SCALE)) as usize);
    let mut rounded = round_digits(&digits, scale);
    let whole = rounded.trim_start_matches('-').split('.').next().unwrap_or("").trim_start_matches('0').len();
    if whole > precision.saturating_sub(scale) {
        let sign = if rounded.starts_with('-') { "-" } else { "" };
        rounded = format!("{sign}{}.{}", "9".repeat(precision.saturating_sub(scale)), "9".repeat(scale));
    }
    Decimal::parse(rounded.trim_end_matches('.')).map_or(Value::Null, |d| d.cell())
}

/// `cast_char(value, length)`; a negative length is none.
fn character(a: &[Value]) -> Value {
    let Some(whole) = text(&a[0]) else { return Value::Null };
    match integer(&a[1]).and_then(|n| usize::try_from(n).ok()) {
        Some(n) => Value::text(whole.chars().take(n).collect::<String>()),
        None => Value::text(&*whole),
    }
}

fn binary(a: &[Value]) -> Value {
    let Some(whole) = bytes(&a[0]) else { return Value::Null };
    let mut out = whole.into_owned();
    if let Some(n) = integer(&a[1]).and_then(|n| usize::try_from(n).ok()) {
        out.resize(n.min(1 << 24), 0);
    }
    Value::Blob(out.into())
}

/// What is no date yet as one; the zero date is none in the SQL mode NO_ZERO_DATE.
fn cast_date(context: &FunctionContext, value: &Value) -> Result<Value, Error> {
    match as_datetime(value) {
        Some(parsed) if parsed.value.is_zero_date() && context.no_zero_date.get() => {
            context.refuse(|| Error::incorrect_datetime(store::as_text(value)))
        }
        parsed => Ok(maybe_text(parsed.map(|p| p.value.date_text()))),
    }
}

fn cast_datetime(a: &[Value]) -> Value {
    let fsp = integer(&a[1]).unwrap_or(0).clamp(0, 6) as u8;
    maybe_text(as_datetime(&a[0]).and_then(|p| p.value.rounded(fsp)).map(|d| d.text(fsp)))
}

fn cast_time(a: &[Value]) -> Value {
    let fsp = integer(&a[1]).unwrap_or(0).clamp(0, 6) as u8;
    let unit = 10i64.pow(6 - u32::from(fsp));
    let rounded = as_time(&a[0]).map(|p| (p.value.abs() + unit / 2) / unit * unit * p.value.signum());
    maybe_text(rounded.map(|m| time_text(m.clamp(-MAX_TIME, MAX_TIME), fsp)))
}

/// One value out of several, different for different ones, NULL if one of them is: for COUNT(DISTINCT a, b). Text is
/// compared without case by the caller's collation.
fn tuple(a: &[Value]) -> Value {
    let mut out = String::new();
    for value in a {
        let Some(part) = text(value) else { return Value::Null };
        let kind = if matches!(value, Value::Blob(_)) { 'b' } else { 'v' };
        out.push_str(&format!("{kind}{}:{part}", part.len()));
    }
    Value::text(out)
}

/// `enum_index(text, 'a,b,c')` with the values joined by a character that none of them has.
fn enum_index(a: &[Value]) -> Value {
    let (Some(cell), Some(values)) = (text(&a[0]), text(&a[1])) else { return Value::Null };
    Value::Int(values.split('\u{1f}').position(|v| v == cell).map_or(0, |i| i as i64 + 1))
}

fn set_bits(a: &[Value]) -> Value {
    let (Some(cell), Some(values)) = (text(&a[0]), text(&a[1])) else { return Value::Null };
    let members: Vec<&str> = cell.split(',').collect();
    let bits = values.split('\u{1f}').take(64).enumerate().filter(|(_, v)| members.contains(v));
    Value::Int(bits.fold(0, |n, (i, _)| n | 1 << i))
}

/// `separated(value, separator)`: a value that brings its separator with it, for GROUP_CONCAT(DISTINCT ... SEPARATOR).
fn separated(a: &[Value]) -> Value {
    match (text(&a[0]), text(nth(a, 1))) {
        (Some(value), Some(separator)) => Value::text(format!("{}:{separator}{value}", separator.len())),
        _ => Value::Null,
    }
}

/// `only_row(count, value)`: a scalar subquery's value, unless it has more than one row.
fn only_row(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    match integer(&a[0]) {
        Some(n) if n > 1 => Err(Error::too_many_rows_in_subquery()),
        _ => Ok(a[1].clone()),
    }
}

/// `LAST_INSERT_ID(expr)`: remembers the value and returns it.
fn last_insert_id(context: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let value = signed(&a[0]);
    if let Value::Int(n) = value {
        context.last_insert_id.set(Some(n));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &[Value]) -> Value {
        let function = FUNCTIONS.iter().find(|f| f.name == name).unwrap();
        (function.eval)(&FunctionContext::default(), arguments).unwrap()
    }

    #[test]
    fn what_is_no_number_warns() {
        let warned = |name: &str, value: &str| {
            let context = FunctionContext::default();
            let function = crate::sql::FUNCTIONS.iter().find(|f| f.name == name).unwrap();
            (function.eval)(&context, &[Value::from(value)]).unwrap();
            context.warnings.take().first().map(|w| w.message.clone()).unwrap_or_default()
        };
        assert_eq!(warned("marmot_number", "12abc"), "Truncated incorrect DOUBLE value: '12abc'");
        assert_eq!(warned("marmot_number", " 1.5e1 "), "");
        assert_eq!(warned("marmot_cast_signed", "x"), "Truncated incorrect INTEGER value: 'x'");
        assert_eq!(warned("marmot_cast_signed", "7"), "");
    }

    #[test]
    fn casts() {
        let (t, i) = (Value::from("12abc"), Value::Int);
        assert_eq!(call("marmot_cast_signed", &[t]), i(12));
        assert_eq!(call("marmot_cast_signed", &[Value::real(1.6)]), i(2));
        assert_eq!(call("marmot_cast_signed", &[Value::from("1.6")]), i(1));
        assert_eq!(call("marmot_cast_unsigned", &[i(-1)]), crate::sql::unsigned::cell(u64::MAX));
        assert_eq!(call("marmot_cast_decimal", &[Value::from("1234.567"), i(5), i(2)]), Value::real(999.99));
        assert_eq!(call("marmot_cast_char", &[i(123), i(2)]), Value::from("12"));
        assert_eq!(call("marmot_cast_date", &[Value::from("2024-01-02 03:04:05")]), Value::from("2024-01-02"));
        assert_eq!(call("marmot_cast_time", &[Value::from("10:11:12.6"), i(0)]), Value::from("10:11:13"));
        assert_ne!(
            call("marmot_tuple", &[Value::from("a"), Value::from("bc")]),
            call("marmot_tuple", &[Value::from("ab"), Value::from("c")])
        );
    }
}
