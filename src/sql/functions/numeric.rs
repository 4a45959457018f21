//! Numeric functions (manual, "Mathematical Functions") and the operators that SQLite computes differently.

use super::argument::{integer, maybe_int, maybe_real, nth, real, text};
use super::registry::{Function, FunctionContext, Sequence};
use crate::sql::decimal::{self, Decimal};
use crate::sql::error::Error;
use crate::sql::present::{plain_digits, round_digits};
use crate::sql::store::{to_number, to_number_warned};
use crate::sql::unsigned;
use crate::types::Value;

macro_rules! functions {
    ($($name:literal $arity:literal $eval:expr;)+) => {
        pub(super) const FUNCTIONS: &[Function] = &[
            $(Function { name: $name, arity: $arity, deterministic: true, eval: $eval },)+
            Function { name: "marmot_rand", arity: -1, deterministic: false, eval: rand },
        ];
    };
}

fn unary(value: &Value, f: fn(f64) -> f64) -> Value {
    maybe_real(real(value).map(f))
}

/// A function that may leave the range of DOUBLE: error 1690 then, NULL for what is no number.
fn bounded(name: &str, a: &[Value], f: fn(f64, f64) -> f64) -> Result<Value, Error> {
    let (Some(x), Some(y)) = (real(nth(a, 0)), a.get(1).map_or(Some(0.0), real)) else { return Ok(Value::Null) };
    let result = f(x, y);
    if !result.is_finite() {
        let arguments: Vec<String> = a.iter().filter_map(|v| text(v).map(|t| t.into_owned())).collect();
        return Err(Error::numeric_out_of_range("DOUBLE", format_args!("{name}({})", arguments.join(","))));
    }
    Ok(maybe_real(Some(result)))
}

functions! {
    "marmot_ceil" 1 |_, a| Ok(to_whole(&a[0], true));
    "marmot_floor" 1 |_, a| Ok(to_whole(&a[0], false));
    "marmot_round" 2 |_, a| Ok(round(a));
    "marmot_round_double" 2 |_, a| Ok(round_double(a));
    "marmot_truncate" 2 |_, a| Ok(truncate(a));
    "marmot_sqrt" 1 |_, a| Ok(unary(&a[0], f64::sqrt));
    "marmot_exp" 1 |_, a| bounded("exp", a, |x, _| x.exp());
    "marmot_ln" 1 |_, a| Ok(logarithm(&a[0], f64::ln));
    "marmot_log" 2 |_, a| Ok(log(a));
    "marmot_log2" 1 |_, a| Ok(logarithm(&a[0], |x| x.ln() / std::f64::consts::LN_2));
    "marmot_log10" 1 |_, a| Ok(logarithm(&a[0], f64::log10));
    "marmot_pow" 2 |_, a| bounded("pow", a, f64::powf);
    "marmot_sin" 1 |_, a| Ok(unary(&a[0], f64::sin));
    "marmot_cos" 1 |_, a| Ok(unary(&a[0], f64::cos));
    "marmot_tan" 1 |_, a| Ok(unary(&a[0], f64::tan));
    "marmot_cot" 1 |_, a| bounded("cot", a, |x, _| 1.0 / x.tan());
    "marmot_asin" 1 |_, a| Ok(unary(&a[0], f64::asin));
    "marmot_acos" 1 |_, a| Ok(unary(&a[0], f64::acos));
    "marmot_atan" -1 |_, a| Ok(atan(a));
    "marmot_radians" 1 |_, a| Ok(unary(&a[0], f64::to_radians));
    "marmot_degrees" 1 |_, a| bounded("degrees", a, |x, _| x.to_degrees());
    "marmot_pi" 0 |_, _| Ok(Value::real(std::f64::consts::PI));
    "marmot_sign" 1 |_, a| Ok(maybe_int(real(&a[0]).map(|x| i64::from(x > 0.0) - i64::from(x < 0.0))));
    "marmot_abs" 1 |_, a| Ok(abs(&a[0]));
    "marmot_greatest" -1 |_, a| Ok(extreme(a, std::cmp::Ordering::Greater, str::to_lowercase));
    "marmot_least" -1 |_, a| Ok(extreme(a, std::cmp::Ordering::Less, str::to_lowercase));
    "marmot_greatest_exact" -1 |_, a| Ok(extreme(a, std::cmp::Ordering::Greater, str::to_owned));
    "marmot_least_exact" -1 |_, a| Ok(extreme(a, std::cmp::Ordering::Less, str::to_owned));
    "marmot_interval" -1 |_, a| Ok(interval(a));
    "marmot_bit_count" 1 |_, a| Ok(maybe_int(as_bits(&a[0]).map(|n| i64::from(n.count_ones()))));
    "marmot_bit_and" 2 |_, a| Ok(bits(a, |x, y| x & y));
    "marmot_bit_or" 2 |_, a| Ok(bits(a, |x, y| x | y));
    "marmot_bit_xor" 2 |_, a| Ok(bits(a, |x, y| x ^ y));
    "marmot_shift_left" 2 |_, a| Ok(bits(a, |x, y| u32::try_from(y).ok().and_then(|y| x.checked_shl(y)).unwrap_or(0)));
    "marmot_shift_right" 2 |_, a| Ok(bits(a, |x, y| u32::try_from(y).ok().and_then(|y| x.checked_shr(y)).unwrap_or(0)));
    "marmot_bit_not" 1 |_, a| Ok(maybe_unsigned(as_bits(&a[0]).map(|n| !n)));
    "marmot_decimal_text" 2 |_, a| Ok(decimal_with(a));
    "marmot_number" 1 |c, a| Ok(to_number_warned(&a[0], "DOUBLE", c));
}

/// The bits that MySQL's bit operators see: 64, unsigned.
pub(super) fn as_bits(value: &Value) -> Option<u64> {
    match to_number(value) {
        Value::Null => None,
        Value::Int(n) => Some(n as u64),
        Value::Real(x) if x.0 < 0.0 => Some(x.0.round() as i64 as u64),
        Value::Real(x) => Some(x.0.round() as u64),
        Value::Text(cell) => unsigned::parse(&cell).or_else(|| {
            let number = Decimal::of_cell(&Value::Text(cell))?.rounded(0);
            match number.cell() {
                Value::Int(n) => Some(n as u64),
                _ if number.is_negative() => Some(i64::MIN as u64),
                Value::Text(cell) => Some(unsigned::parse(&cell).unwrap_or(u64::MAX)),
                _ => Some(0),
            }
        }),
        Value::Blob(_) => Some(0),
    }
}

pub(super) fn maybe_unsigned(n: Option<u64>) -> Value {
    n.map_or(Value::Null, unsigned::cell)
}

fn bits(a: &[Value], f: fn(u64, u64) -> u64) -> Value {
    match (as_bits(&a[0]), as_bits(&a[1])) {
        (Some(x), Some(y)) => maybe_unsigned(Some(f(x, y))),
        _ => Value::Null,
    }
}

/// `decimal_text(value, scale)`: a number in text context, with all the decimals of its type.
fn decimal_with(a: &[Value]) -> Value {
    let scale = integer(&a[1]).and_then(|n| u8::try_from(n).ok()).unwrap_or(0);
    crate::sql::present::decimal_text(&a[0], scale).map_or_else(|| a[0].clone(), Value::text)
}

fn to_whole(value: &Value, up: bool) -> Value {
    let f = if up { f64::ceil } else { f64::floor };
    match to_number(value) {
        Value::Real(x) => {
            let whole = f(x.0);
            if whole.abs() < 9.2e18 { Value::Int(whole as i64) } else { Value::real(whole) }
        }
        Value::Text(cell) => match Decimal::of_cell(&Value::Text(cell)) {
            Some(number) => number.to_whole(up).cell(),
            None => Value::Null,
        },
        other => other,
    }
}

fn digits(value: &Value) -> Option<String> {
    match to_number(value) {
        Value::Int(n) => Some(n.to_string()),
        Value::Real(x) if x.0.is_finite() => Some(plain_digits(x.0)),
        Value::Text(cell) => decimal::digits(&cell).map(|d| d.into_owned()),
        Value::Null | Value::Real(_) | Value::Blob(_) => None,
    }
}

fn parsed(text: &str) -> Value {
    match text.parse::<i128>().ok().and_then(super::whole::cell) {
        Some(whole) => whole,
        None => maybe_real(text.parse().ok()),
    }
}

fn round(a: &[Value]) -> Value {
    let (Some(number), Some(decimals)) = (digits(&a[0]), integer(&a[1])) else { return Value::Null };
    if let Some(result) = rounded_wide(&a[0], decimals, true) {
        return result;
    }
    if decimals >= 0 {
        return match to_number(&a[0]) {
            whole @ (Value::Int(_) | Value::Text(_)) => whole,
            _ => maybe_real(round_digits(&number, decimals.min(30) as usize).parse().ok()),
        };
    }
    scaled(&number, decimals, true)
}

/// ROUND of a DOUBLE: as C rounds, halves to even (manual, "Mathematical Functions").
fn round_double(a: &[Value]) -> Value {
    let (Some(number), Some(decimals)) = (real(&a[0]), integer(&a[1])) else { return Value::Null };
    let tens = 10f64.powi(i32::try_from(decimals.unsigned_abs()).unwrap_or(i32::MAX));
    maybe_real(Some(match decimals {
        ..0 if tens.is_infinite() => 0.0,
        ..0 => (number / tens).round_ties_even() * tens,
        _ if !(number * tens).is_finite() => number,
        _ => (number * tens).round_ties_even() / tens,
    }))
}

/// ROUND and TRUNCATE of a number in text form.
fn rounded_wide(value: &Value, decimals: i64, round: bool) -> Option<Value> {
    let Value::Text(cell) = value else { return None };
    decimal::digits(cell)?;
    let number = Decimal::of_cell(value)?;
    let places = usize::try_from(decimals.unsigned_abs()).unwrap_or(usize::MAX).min(decimal::MAX_DIGITS);
    Some(match (decimals >= 0, round) {
        (true, true) => number.rounded(places).cell(),
        (true, false) => number.truncated(places).cell(),
        (false, _) => number.to_tens(places, round).cell(),
    })
}

fn truncate(a: &[Value]) -> Value {
    let (Some(number), Some(decimals)) = (digits(&a[0]), integer(&a[1])) else { return Value::Null };
    if let Some(result) = rounded_wide(&a[0], decimals, false) {
        return result;
    }
    if decimals < 0 {
        return scaled(&number, decimals, false);
    }
    match number.split_once('.') {
        None => parsed(&number),
        Some((whole, rest)) => {
            let keep = rest.len().min(decimals.min(30) as usize);
            maybe_real(format!("{whole}.{}", &rest[..keep]).parse().ok())
        }
    }
}

/// Rounds or cuts to a power of ten.
fn scaled(number: &str, decimals: i64, round: bool) -> Value {
    let Ok(n) = round_digits(number.split('.').next().unwrap_or("0"), 0).parse::<i128>() else { return Value::Null };
    let Some(unit) = 10i128.checked_pow(u32::try_from(decimals.unsigned_abs()).unwrap_or(u32::MAX)) else {
        return Value::Int(0);
    };
    let half = if round { unit / 2 } else { 0 };
    let result = n.checked_abs().and_then(|n| n.checked_add(half)).and_then(|n| (n / unit).checked_mul(unit));
    result.map_or(Value::Null, |r| parsed(&(r * n.signum()).to_string()))
}

fn logarithm(value: &Value, f: fn(f64) -> f64) -> Value {
    maybe_real(real(value).filter(|x| *x > 0.0).map(f))
}

fn log(a: &[Value]) -> Value {
    let base = real(&a[0]).filter(|b| *b > 0.0 && *b != 1.0);
    let number = real(&a[1]).filter(|x| *x > 0.0);
    maybe_real(base.zip(number).map(|(b, x)| x.ln() / b.ln()))
}

fn atan(a: &[Value]) -> Value {
    match a {
        [y, x] => maybe_real(real(y).zip(real(x)).map(|(y, x)| y.atan2(x))),
        _ => unary(nth(a, 0), f64::atan),
    }
}

fn abs(value: &Value) -> Value {
    match to_number(value) {
        Value::Int(n) => n.checked_abs().map_or_else(|| Value::real((n as f64).abs()), Value::Int),
        Value::Real(x) => Value::real(x.0.abs()),
        cell @ Value::Text(_) => Decimal::of_cell(&cell).map_or(cell, |d| d.absolute().cell()),
        other => other,
    }
}

/// GREATEST and LEAST: as numbers if one argument is a number, else as text.
/// GREATEST and LEAST; texts compare by what `fold` makes of them.
fn extreme(a: &[Value], wanted: std::cmp::Ordering, fold: fn(&str) -> String) -> Value {
    if a.contains(&Value::Null) {
        return Value::Null;
    }
    let numeric = a.iter().any(|v| matches!(v, Value::Int(_) | Value::Real(_)));
    let mut best = nth(a, 0);
    for value in a.iter().skip(1) {
        let order = if numeric {
            match (to_number(value), to_number(best)) {
                (Value::Int(x), Value::Int(y)) => x.cmp(&y),
                (x, y) => real(&x).unwrap_or(0.0).total_cmp(&real(&y).unwrap_or(0.0)),
            }
        } else {
            let fold = |v: &Value| text(v).map(|t| fold(&t));
            fold(value).cmp(&fold(best))
        };
        if order == wanted {
            best = value;
        }
    }
    if numeric { to_number(best) } else { best.clone() }
}

fn interval(a: &[Value]) -> Value {
    let Some(n) = real(nth(a, 0)) else { return Value::Int(-1) };
    Value::Int(a.iter().skip(1).take_while(|v| real(v).is_none_or(|x| x <= n)).count() as i64)
}

/// `rand([seed[, place]])`: a number in [0, 1). With a seed the first of its sequence; with a place in the statement the
/// next one, which is what a constant seed means.
fn rand(context: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let Some(seed) = a.first() else {
        return Ok(Value::real((context.next_random() >> 11) as f64 / (1u64 << 53) as f64));
    };
    let start = Sequence::new(integer(seed).unwrap_or(0));
    let number = match a.get(1).and_then(integer) {
        None => { start }.next_number(),
        Some(place) => context.sequences.borrow_mut().entry(place).or_insert(start).next_number(),
    };
    Ok(Value::real(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &[Value]) -> Value {
        let function = FUNCTIONS.iter().find(|f| f.name == name).unwrap();
        (function.eval)(&FunctionContext::default(), arguments).unwrap()
    }

    #[test]
    fn as_the_manual_says() {
        let (i, r) = (Value::Int, Value::real);
        assert_eq!(call("marmot_round", &[r(-1.58), i(0)]), r(-2.0));
        assert_eq!(call("marmot_round", &[r(1.298), i(1)]), r(1.3));
        assert_eq!(call("marmot_round", &[r(23.298), i(-1)]), i(20));
        assert_eq!(call("marmot_round", &[r(2.5), i(0)]), r(3.0));
        assert_eq!(call("marmot_round_double", &[r(2.5), i(0)]), r(2.0));
        assert_eq!(call("marmot_round_double", &[r(-3.5), i(0)]), r(-4.0));
        assert_eq!(call("marmot_round_double", &[r(1.345), i(2)]), r(1.34));
        assert_eq!(call("marmot_round_double", &[r(1250.0), i(-2)]), r(1200.0));
        assert_eq!(call("marmot_round_double", &[r(1e300), i(400)]), r(1e300));
        assert_eq!(call("marmot_truncate", &[r(1.999), i(1)]), r(1.9));
        assert_eq!(call("marmot_truncate", &[i(122), i(-2)]), i(100));
        assert_eq!(call("marmot_ceil", &[r(-1.23)]), i(-1));
        assert_eq!(call("marmot_greatest", &[Value::from("B"), Value::from("a"), Value::from("C")]), Value::from("C"));
        assert_eq!(call("marmot_least", &[r(34.0), i(3), i(5)]), i(3));
        assert_eq!(call("marmot_interval", &[i(23), i(1), i(15), i(17), i(30)]), i(3));
        assert_eq!(call("marmot_bit_not", &[i(0)]), unsigned::cell(u64::MAX));
        assert_eq!(call("marmot_shift_left", &[i(1), i(64)]), i(0));
        assert_eq!(call("marmot_log", &[i(2), i(65536)]), r(16.0));
        assert_eq!(call("marmot_ln", &[i(0)]), Value::Null);
        assert_eq!(call("marmot_rand", &[i(3)]), call("marmot_rand", &[i(3)]));
    }
}
