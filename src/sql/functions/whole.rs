//! Integer arithmetic in 64 bits with and without sign (manual, "Arithmetic Operators"): exact, error 1690 beyond. SQLite
//! computes signed operands by itself; the translator calls these where one is unsigned.

use super::argument::real;
use super::registry::Function;
use crate::sql::error::Error;
use crate::sql::store::{as_text, to_number};
use crate::sql::unsigned;
use crate::types::Value;

macro_rules! functions {
    ($($name:literal $arity:literal $eval:expr;)+) => {
        pub(super) const FUNCTIONS: &[Function] =
            &[$(Function { name: $name, arity: $arity, deterministic: true, eval: $eval }),+];
    };
}

functions! {
    "marmot_add" 3 |_, a| arithmetic(a, "+", i128::checked_add, |x, y| x + y);
    "marmot_subtract" 3 |_, a| arithmetic(a, "-", i128::checked_sub, |x, y| x - y);
    "marmot_multiply" 3 |_, a| arithmetic(a, "*", i128::checked_mul, |x, y| x * y);
    "marmot_div" 3 |_, a| divide(a);
    "marmot_mod" 2 |_, a| Ok(modulo(&a[0], &a[1]));
    "marmot_fmod" 2 |_, a| Ok(float_modulo(&a[0], &a[1]));
}

/// The integer in a cell.
pub(super) fn as_whole(value: &Value) -> Option<i128> {
    match value {
        Value::Int(n) => Some(i128::from(*n)),
        Value::Text(cell) => unsigned::parse(cell).map(i128::from),
        Value::Null | Value::Real(_) | Value::Blob(_) => None,
    }
}

/// The cell of an integer that fits 64 bits with or without sign.
pub(super) fn cell(n: i128) -> Option<Value> {
    i64::try_from(n).map(Value::Int).ok().or_else(|| u64::try_from(n).map(unsigned::cell).ok())
}

fn outside(kind: &str, a: &[Value], symbol: &str) -> Error {
    Error::numeric_out_of_range(kind, format_args!("{} {symbol} {}", as_text(&a[0]), as_text(&a[1])))
}

/// `n` as a result of the type that `unsigned` (1 or 0) tells.
fn within(n: Option<i128>, a: &[Value], symbol: &str) -> Result<Value, Error> {
    let unsigned = a.get(2) == Some(&Value::Int(1));
    let fits = |n: &i128| {
        if unsigned { u64::try_from(*n).is_ok() } else { i64::try_from(*n).is_ok() }
    };
    let kind = if unsigned { "BIGINT UNSIGNED" } else { "BIGINT" };
    n.filter(fits).and_then(cell).ok_or_else(|| outside(kind, a, symbol))
}

fn arithmetic(
    a: &[Value],
    symbol: &str,
    exact: fn(i128, i128) -> Option<i128>,
    double: fn(f64, f64) -> f64,
) -> Result<Value, Error> {
    let (x, y) = (to_number(&a[0]), to_number(&a[1]));
    if x == Value::Null || y == Value::Null {
        return Ok(Value::Null);
    }
    match (as_whole(&x), as_whole(&y)) {
        (Some(x), Some(y)) => within(exact(x, y), a, symbol),
        _ => match (real(&x), real(&y)) {
            (Some(x), Some(y)) if double(x, y).is_finite() => Ok(Value::real(double(x, y))),
            (Some(_), Some(_)) => Err(outside("DOUBLE", a, symbol)),
            _ => Ok(Value::Null),
        },
    }
}

/// `div(x, y, unsigned)`: DIV.
fn divide(a: &[Value]) -> Result<Value, Error> {
    let (x, y) = (to_number(&a[0]), to_number(&a[1]));
    match (as_whole(&x), as_whole(&y)) {
        (Some(_), Some(0)) => Ok(Value::Null),
        (Some(x), Some(y)) => within(x.checked_div(y), a, "DIV"),
        _ => match (real(&x), real(&y)) {
            (Some(x), Some(y)) if y != 0.0 => {
                let whole = (x / y).trunc();
                within((whole.abs() < 1e30).then_some(whole as i128), a, "DIV")
            }
            _ => Ok(Value::Null),
        },
    }
}

/// The remainder of doubles, exactly.
fn float_modulo(a: &Value, b: &Value) -> Value {
    match (real(&to_number(a)), real(&to_number(b))) {
        (Some(x), Some(y)) if y != 0.0 => Value::real(x % y),
        _ => Value::Null,
    }
}

fn modulo(a: &Value, b: &Value) -> Value {
    use crate::sql::present::{plain_digits, round_digits};
    let (x, y) = (to_number(a), to_number(b));
    match (as_whole(&x), as_whole(&y)) {
        (Some(_), Some(0)) => Value::Null,
        (Some(x), Some(y)) => x.checked_rem(y).and_then(cell).unwrap_or(Value::Null),
        _ => match (real(&x), real(&y)) {
            (Some(x), Some(y)) if y != 0.0 => {
                // The digits of decimals, not the noise of doubles.
                let places = [x, y].map(|n| plain_digits(n).split_once('.').map_or(0, |(_, d)| d.len()));
                let places = places[0].max(places[1]).min(15);
                super::argument::maybe_real(round_digits(&plain_digits(x % y), places).parse().ok())
            }
            _ => Value::Null,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &[Value]) -> Result<Value, u16> {
        let function = FUNCTIONS.iter().find(|f| f.name == name).unwrap();
        (function.eval)(&super::super::FunctionContext::default(), arguments).map_err(|e| e.code)
    }

    #[test]
    fn exact_or_refused() {
        let (i, max) = (Value::Int, unsigned::cell(u64::MAX));
        let (signed, unsigned) = (|| i(0), || i(1));
        assert_eq!(call("marmot_add", &[max.clone(), i(0), unsigned()]), Ok(max.clone()));
        assert_eq!(call("marmot_add", &[max.clone(), i(1), unsigned()]), Err(1690));
        assert_eq!(call("marmot_subtract", &[i(1), i(2), unsigned()]), Err(1690));
        assert_eq!(call("marmot_subtract", &[i(1), i(2), signed()]), Ok(i(-1)));
        assert_eq!(call("marmot_multiply", &[i(1 << 32), i(1 << 32), unsigned()]), Err(1690));
        assert_eq!(call("marmot_add", &[max.clone(), Value::Null, unsigned()]), Ok(Value::Null));
        assert_eq!(call("marmot_add", &[Value::real(1e308), Value::real(1e308), signed()]), Err(1690));
        assert_eq!(call("marmot_div", &[max.clone(), i(1), unsigned()]), Ok(max.clone()));
        assert_eq!(call("marmot_div", &[i(i64::MIN), i(-1), signed()]), Err(1690));
        assert_eq!(call("marmot_div", &[Value::real(5.9), i(2), signed()]), Ok(i(2)));
        assert_eq!(call("marmot_div", &[Value::real(1e40), i(2), signed()]), Err(1690));
        assert_eq!(call("marmot_mod", &[max, i(10)]), Ok(i(5)));
        assert_eq!(call("marmot_mod", &[Value::real(34.5), i(3)]), Ok(Value::real(1.5)));
        assert_eq!(call("marmot_mod", &[i(234), i(0)]), Ok(Value::Null));
        assert_eq!(call("marmot_mod", &[i(i64::MIN), i(-1)]), Ok(i(0)));
    }
}
