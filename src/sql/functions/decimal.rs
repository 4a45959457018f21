//! Arithmetic of DECIMAL: exact, in the cells that [`crate::sql::decimal`] describes. An operand that is no exact number
//! is taken as what MySQL makes of it.

use super::argument::{integer, maybe_int, nth};
use super::extreme::{Extreme, Moving};
use super::registry::{Accumulator, Aggregate, Function, FunctionContext};
use crate::sql::decimal::{Decimal, MAX_DIGITS, SMALL_SCALE, compare, small, small_cell};
use crate::sql::error::{Error, Warning};
use crate::sql::store::{as_text, to_number};
use crate::types::Value;
use std::cmp::Ordering;

macro_rules! functions {
    ($($name:literal $arity:literal $eval:expr;)+) => {
        pub(super) const FUNCTIONS: &[Function] =
            &[$(Function { name: $name, arity: $arity, deterministic: true, eval: $eval }),+];
    };
}

functions! {
    "marmot_decimal_add" 3 |_, a| add(a);
    "marmot_decimal_subtract" 3 |_, a| subtract(a);
    "marmot_decimal_multiply" 3 |_, a| multiply(a);
    "marmot_decimal_divide" 3 |_, a| divide(a);
    "marmot_decimal_modulo" 2 |_, a| binary(a, |x, y| Ok(x.modulo(y)));
    "marmot_decimal_div" 2 |_, a| whole_quotient(a);
    "marmot_divisor" 1 divisor;
    "marmot_decimal_negate" 1 |_, a| Ok(number(&a[0]).map_or(Value::Null, |d| d.negated().cell()));
    "marmot_decimal_compare" 2 |_, a| Ok(maybe_int(order(&a[0], &a[1]).map(|o| o as i64)));
    "marmot_decimal_key" 1 |_, a| Ok(number(&a[0]).map_or(Value::Null, |d| Value::text(key(&d))));
}

/// See the module.
pub(super) const AGGREGATES: &[Aggregate] = &[
    Aggregate { name: "marmot_agg_sum", arity: 1, start: || Box::new(Sum::new()) },
    Aggregate { name: "marmot_agg_decimal_min", arity: 1, start: || Extreme::boxed(Ordering::Less, order) },
    Aggregate { name: "marmot_agg_decimal_max", arity: 1, start: || Extreme::boxed(Ordering::Greater, order) },
    Aggregate { name: "marmot_win_decimal_min", arity: 1, start: || Moving::boxed(Ordering::Less, order) },
    Aggregate { name: "marmot_win_decimal_max", arity: 1, start: || Moving::boxed(Ordering::Greater, order) },
];

/// A cell as a number; text as the number it begins with.
fn number(value: &Value) -> Option<Decimal> {
    Decimal::of_cell(value).or_else(|| match value {
        Value::Null => None,
        other => Decimal::of_cell(&to_number(other)),
    })
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    compare(a, b).or_else(|| Some(number(a)?.cmp(&number(b)?)))
}

fn checked(result: &Decimal, a: &[Value], symbol: &str) -> Result<Value, Error> {
    if result.whole_digits() > MAX_DIGITS {
        let what = format_args!("{} {symbol} {}", as_text(&a[0]), as_text(&a[1]));
        return Err(Error::numeric_out_of_range("DECIMAL", what));
    }
    Ok(result.cell())
}

fn binary(a: &[Value], f: impl Fn(&Decimal, &Decimal) -> Result<Option<Decimal>, Error>) -> Result<Value, Error> {
    let (Some(x), Some(y)) = (number(&a[0]), number(&a[1])) else { return Ok(Value::Null) };
    Ok(f(&x, &y)?.map_or(Value::Null, |d| d.cell()))
}

/// The decimals that a result may have.
fn places(a: &[Value]) -> usize {
    integer(nth(a, 2)).and_then(|n| usize::try_from(n).ok()).unwrap_or(0).min(MAX_DIGITS)
}

/// Two small numbers at one scale; `None` if they are not, or the result may have more decimals than asked for.
fn aligned(a: &[Value]) -> Option<(i128, i128, usize)> {
    let ((x, s), (y, t)) = (small(&a[0])?, small(&a[1])?);
    let scale = s.max(t);
    let at = |n: i64, own: usize| i128::from(n) * 10i128.pow((scale - own) as u32);
    (scale <= places(a)).then(|| (at(x, s), at(y, t), scale))
}

/// `add(x, y, scale)`.
fn add(a: &[Value]) -> Result<Value, Error> {
    if let Some(sum) = aligned(a).and_then(|(x, y, scale)| small_cell(x + y, scale)) {
        return Ok(sum);
    }
    let (Some(x), Some(y)) = (number(&a[0]), number(&a[1])) else { return Ok(Value::Null) };
    checked(&x.plus(&y).rounded(places(a)), a, "+")
}

/// `subtract(x, y, scale)`.
fn subtract(a: &[Value]) -> Result<Value, Error> {
    if let Some(difference) = aligned(a).and_then(|(x, y, scale)| small_cell(x - y, scale)) {
        return Ok(difference);
    }
    let (Some(x), Some(y)) = (number(&a[0]), number(&a[1])) else { return Ok(Value::Null) };
    checked(&x.minus(&y).rounded(places(a)), a, "-")
}

/// `multiply(x, y, scale)`.
fn multiply(a: &[Value]) -> Result<Value, Error> {
    if let (Some((x, s)), Some((y, t))) = (small(&a[0]), small(&a[1]))
        && s + t <= places(a)
        && let Some(product) = small_cell(i128::from(x) * i128::from(y), s + t)
    {
        return Ok(product);
    }
    let (Some(x), Some(y)) = (number(&a[0]), number(&a[1])) else { return Ok(Value::Null) };
    checked(&x.times(&y).rounded(places(a)), a, "*")
}

/// `divide(x, y, scale)`: cut off after `scale` decimals.
fn divide(a: &[Value]) -> Result<Value, Error> {
    let (Some(x), Some(y)) = (number(&a[0]), number(&a[1])) else { return Ok(Value::Null) };
    match x.divided_by(&y, places(a)) {
        Some(quotient) => checked(&quotient, a, "/"),
        None => Ok(Value::Null),
    }
}

/// A divisor as it is; of zero error 1365 where what comes of it is stored in strict mode, else a warning.
fn divisor(context: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let zero = match &a[0] {
        Value::Int(n) => *n == 0,
        Value::Real(x) => x.0 == 0.0,
        Value::Null => false,
        other => number(other).is_some_and(|d| d.cell() == Value::Int(0)),
    };
    if zero {
        if context.writes.get() && context.is_strict() {
            return Err(Error::division_by_zero());
        }
        context.warn_with(|| Warning::of(Error::division_by_zero()));
    }
    Ok(a[0].clone())
}

/// `x DIV y`: within 64 bits, with or without sign.
fn whole_quotient(a: &[Value]) -> Result<Value, Error> {
    let quotient = binary(a, |x, y| Ok(x.divided_by(y, 0)))?;
    let signed = a.iter().any(|v| number(v).is_some_and(|n| n.is_negative()));
    match &quotient {
        Value::Text(cell) if signed || crate::sql::unsigned::parse(cell).is_none() => {
            let what = format_args!("{} DIV {}", as_text(&a[0]), as_text(&a[1]));
            Err(Error::numeric_out_of_range("BIGINT", what))
        }
        _ => Ok(quotient),
    }
}

/// Text that sorts as the number does: its sign, how many digits it has before the point, and its digits; of negative
/// numbers all of it in complement.
fn key(number: &Decimal) -> String {
    let digits = number.absolute().to_string();
    let (whole, decimals) = digits.split_once('.').unwrap_or((&digits, ""));
    let text = format!("{:03}{whole}{}", whole.len(), decimals.trim_end_matches('0'));
    if !number.is_negative() {
        return format!("1{text}");
    }
    // More decimals make a negative number smaller: the end sorts after every digit.
    let complement: String = text.bytes().map(|c| char::from(b'0' + b'9' - c)).collect();
    format!("0{complement}~")
}

/// SUM of exact numbers.
struct Sum {
    /// Of the small ones, by their scale.
    small: [i128; SMALL_SCALE + 1],
    others: Decimal,
    count: u64,
}

impl Sum {
    fn new() -> Sum {
        Sum { small: [0; SMALL_SCALE + 1], others: Decimal::from(0), count: 0 }
    }
    /// Adds a value, or takes it back.
    fn change(&mut self, value: &Value, back: bool) {
        if let Some((n, scale)) = small(value) {
            let n = i128::from(n);
            self.small[scale] += if back { -n } else { n };
        } else {
            let Some(x) = number(value) else { return };
            self.others = if back { self.others.minus(&x) } else { self.others.plus(&x) };
        }
        self.count = if back { self.count - 1 } else { self.count + 1 };
    }
}

impl Accumulator for Sum {
    fn step(&mut self, a: &[Value]) -> Result<(), Error> {
        self.change(nth(a, 0), false);
        Ok(())
    }
    fn inverse(&mut self, a: &[Value]) -> Result<(), Error> {
        self.change(nth(a, 0), true);
        Ok(())
    }
    fn value(&self) -> Result<Value, Error> {
        if self.count == 0 {
            return Ok(Value::Null);
        }
        let parts = self.small.iter().enumerate().filter(|(_, n)| **n != 0);
        let sum = parts.filter_map(|(scale, n)| Decimal::parse(&format!("{n}e-{scale}")));
        Ok(sum.fold(self.others.clone(), |sum, part| sum.plus(&part)).cell())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &[Value]) -> Value {
        let function = FUNCTIONS.iter().find(|f| f.name == name).unwrap();
        (function.eval)(&super::super::FunctionContext::default(), arguments).unwrap()
    }

    fn cell(text: &str) -> Value {
        Decimal::parse(text).unwrap().cell()
    }

    #[test]
    fn exact_and_rounded_to_their_scale() {
        let (i, wide) = (Value::Int, cell("12345678901234567890.12"));
        assert_eq!(call("marmot_decimal_add", &[wide.clone(), cell("0.01"), i(2)]), cell("12345678901234567890.13"));
        assert_eq!(call("marmot_decimal_subtract", &[Value::real(0.3), Value::real(0.1), i(1)]), Value::real(0.2));
        assert_eq!(call("marmot_decimal_multiply", &[Value::real(1.1), Value::real(1.1), i(2)]), Value::real(1.21));
        assert_eq!(call("marmot_decimal_divide", &[i(2), i(3), i(9)]), Value::real(0.666_666_666));
        assert_eq!(call("marmot_decimal_divide", &[i(2), i(0), i(9)]), Value::Null);
        assert_eq!(call("marmot_decimal_add", &[wide, Value::Null, i(2)]), Value::Null);
        assert_eq!(call("marmot_decimal_div", &[Value::real(7.9), i(2)]), i(3));
    }

    #[test]
    fn keys_sort_as_numbers() {
        let sorted = ["-100", "-12.345", "-12.34", "-0.5", "0", "0.25", "0.5", "9", "10", "12345678901234567890"];
        let keys: Vec<String> = sorted.iter().map(|t| key(&Decimal::parse(t).unwrap())).collect();
        assert!(keys.is_sorted(), "{keys:?}");
    }

    #[test]
    fn over_a_group() {
        let run = |name: &str| {
            let mut state = (AGGREGATES.iter().find(|a| a.name == name).unwrap().start)();
            for value in [cell("0.1"), Value::Null, cell("-12345678901234567.5"), cell("0.2")] {
                state.step(&[value]).unwrap();
            }
            state.value().unwrap()
        };
        assert_eq!(run("marmot_agg_sum"), cell("-12345678901234567.2"));
        assert_eq!(run("marmot_agg_decimal_min"), cell("-12345678901234567.5"));
        assert_eq!(run("marmot_agg_decimal_max"), cell("0.2"));
    }
}
