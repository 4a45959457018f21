//! Exact decimal numbers, beyond what SQLite's own numbers hold.
//!
//! A DECIMAL cell has one form for each value, so that equal ones are equal to SQLite too: an integer where 64 bits with
//! or without sign suffice (see [`super::unsigned`]), a REAL up to 15 significant digits, which it gives back exactly,
//! and else its digits as text that ends in a unit separator. The separator keeps SQLite's NUMERIC affinity from taking
//! the text for a number; in its own arithmetic SQLite would read the digits before it as a floating-point number. Such
//! text does not sort among the numbers: what orders wide decimals asks [`compare`].

use super::unsigned;
use crate::types::Value;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

mod magnitude;

use magnitude::Magnitude;

/// The end of a wide cell's text.
const END: char = '\u{1f}';
/// A double gives back this many significant digits.
const REAL_DIGITS: usize = 15;
/// MySQL computes with nine words of nine digits.
pub const MAX_DIGITS: usize = 81;
/// The largest scale of a type: MariaDB's; MySQL ends at 30.
pub const MAX_SCALE: u8 = 38;
/// See [`small`].
pub const SMALL_SCALE: usize = 6;
/// Digits of one word.
const WORD: usize = 9;

/// A decimal number: `magnitude` / 10^`scale`, with a sign. Zero is not negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    magnitude: Magnitude,
    scale: usize,
}

/// The digits of a cell that is a number in text form; `None` for text that is just text.
pub fn digits(text: &str) -> Option<Cow<'_, str>> {
    let digits = text.strip_suffix(END)?;
    let (sign, body) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    if body.is_empty() || !body.bytes().all(|c| c.is_ascii_digit() || c == b'.') {
        return None;
    }
    let trimmed = body.trim_start_matches('0');
    if trimmed.len() == body.len() || (body.starts_with("0.") && trimmed.len() + 1 == body.len()) {
        return Some(Cow::Borrowed(digits));
    }
    let zero = if trimmed.is_empty() || trimmed.starts_with('.') { "0" } else { "" };
    Some(Cow::Owned(format!("{sign}{zero}{trimmed}")))
}

impl Decimal {
    fn new(negative: bool, magnitude: Magnitude, scale: usize) -> Decimal {
        Decimal { negative: negative && !magnitude.is_zero(), magnitude, scale }
    }

    /// Reads `[-]digits[.digits][e[-]digits]`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, body) = match number.as_bytes().first()? {
            b'-' => (true, &number[1..]),
            b'+' => (false, &number[1..]),
            _ => (false, number),
        };
        let (whole, decimals) = body.split_once('.').unwrap_or((body, ""));
        if whole.len() + decimals.len() == 0 || exponent.unsigned_abs() > 400 {
            return None;
        }
        let magnitude = Magnitude::parse(whole.bytes().chain(decimals.bytes()))?;
        let scale = i32::try_from(decimals.len()).ok()? - exponent;
        Some(match usize::try_from(scale) {
            Ok(scale) => Decimal::new(negative, magnitude, scale),
            Err(_) => Decimal::new(negative, magnitude.times_ten_to(scale.unsigned_abs() as usize), 0),
        })
    }

    /// The number in a cell; a REAL is taken as its shortest digits. `None` for what is no number.
    pub fn of_cell(value: &Value) -> Option<Decimal> {
        match value {
            Value::Int(n) => Some(Decimal::from(*n)),
            Value::Real(x) if x.0.is_finite() => of_real(x.0),
            Value::Text(text) => Decimal::parse(&digits(text)?),
            Value::Null | Value::Real(_) | Value::Blob(_) => None,
        }
    }

    /// The cell for this number.
    pub fn cell(&self) -> Value {
        let mut short = self.clone();
        short.strip_zeros();
        if short.scale == 0
            && let Some(n) = short.magnitude.to_u64()
        {
            let signed = if short.negative { 0i64.checked_sub_unsigned(n) } else { i64::try_from(n).ok() };
            match signed {
                Some(n) => return Value::Int(n),
                None if !short.negative => return unsigned::cell(n),
                None => {}
            }
        }
        let text = short.to_string();
        if short.scale > 0 && short.magnitude.digits() <= REAL_DIGITS {
            return Value::real(text.parse().unwrap_or(0.0));
        }
        Value::text(format!("{text}{END}"))
    }

    fn strip_zeros(&mut self) {
        while self.scale > 0 {
            let Some((quotient, rest)) = self.magnitude.divide(&Magnitude::from(10)) else { break };
            if !rest.is_zero() {
                break;
            }
            self.magnitude = quotient;
            self.scale -= 1;
        }
    }

    pub fn is_negative(&self) -> bool {
        self.negative
    }
    /// Digits before the point.
    pub fn whole_digits(&self) -> usize {
        self.magnitude.digits().saturating_sub(self.scale)
    }
    pub fn negated(&self) -> Decimal {
        Decimal::new(!self.negative, self.magnitude.clone(), self.scale)
    }
    pub fn absolute(&self) -> Decimal {
        Decimal::new(false, self.magnitude.clone(), self.scale)
    }

    /// Both magnitudes at one scale.
    fn aligned<'a>(&'a self, other: &'a Decimal) -> (Cow<'a, Magnitude>, Cow<'a, Magnitude>, usize) {
        let scale = self.scale.max(other.scale);
        let at = |d: &'a Decimal| match scale - d.scale {
            0 => Cow::Borrowed(&d.magnitude),
            more => Cow::Owned(d.magnitude.times_ten_to(more)),
        };
        (at(self), at(other), scale)
    }

    pub fn plus(&self, other: &Decimal) -> Decimal {
        let (a, b, scale) = self.aligned(other);
        if self.negative == other.negative {
            return Decimal::new(self.negative, a.plus(&b), scale);
        }
        match a.cmp(&b) {
            Ordering::Less => Decimal::new(other.negative, b.minus(&a), scale),
            _ => Decimal::new(self.negative, a.minus(&b), scale),
        }
    }
    pub fn minus(&self, other: &Decimal) -> Decimal {
        self.plus(&other.negated())
    }
    pub fn times(&self, other: &Decimal) -> Decimal {
        let magnitude = self.magnitude.times(&other.magnitude);
        Decimal::new(self.negative != other.negative, magnitude, self.scale + other.scale)
    }
    /// The quotient cut off after `scale` decimals; `None` for a zero divisor.
    pub fn divided_by(&self, other: &Decimal, scale: usize) -> Option<Decimal> {
        // self / 10^s / (other / 10^t) * 10^scale = self * 10^(t + scale - s) / other.
        let more = other.scale + scale;
        let (numerator, denominator) = if more >= self.scale {
            (self.magnitude.times_ten_to(more - self.scale), other.magnitude.clone())
        } else {
            (self.magnitude.clone(), other.magnitude.times_ten_to(self.scale - more))
        };
        let (quotient, _) = numerator.divide(&denominator)?;
        Some(Decimal::new(self.negative != other.negative, quotient, scale))
    }
    /// `self MOD other`, with the sign of `self`; `None` for a zero divisor.
    pub fn modulo(&self, other: &Decimal) -> Option<Decimal> {
        let (a, b, scale) = self.aligned(other);
        let (_, rest) = a.divide(&b)?;
        Some(Decimal::new(self.negative, rest, scale))
    }
    /// Rounded half away from zero to `scale` decimals.
    pub fn rounded(&self, scale: usize) -> Decimal {
        match self.scale.checked_sub(scale) {
            None => self.clone(),
            Some(0) => self.clone(),
            Some(drop) => {
                let half = Magnitude::from(5).times_ten_to(drop - 1);
                Decimal::new(self.negative, self.magnitude.plus(&half).over_ten_to(drop), scale)
            }
        }
    }
    /// Cut off after `scale` decimals.
    pub fn truncated(&self, scale: usize) -> Decimal {
        match self.scale.checked_sub(scale) {
            None => self.clone(),
            Some(drop) => Decimal::new(self.negative, self.magnitude.over_ten_to(drop), scale),
        }
    }
    /// Rounded, or cut off, to a multiple of 10^`tens`.
    pub fn to_tens(&self, tens: usize, round: bool) -> Decimal {
        let drop = self.scale + tens;
        let half = if round && drop > 0 { Magnitude::from(5).times_ten_to(drop - 1) } else { Magnitude::from(0) };
        let kept = self.magnitude.plus(&half).over_ten_to(drop);
        Decimal::new(self.negative, kept.times_ten_to(tens), 0)
    }
    /// The largest whole number not above it, or the smallest not below.
    pub fn to_whole(&self, up: bool) -> Decimal {
        let cut = self.truncated(0);
        let exact = cut.cmp(self) == Ordering::Equal;
        if exact || self.negative == up {
            return cut;
        }
        let one = Decimal::from(1);
        if up { cut.plus(&one) } else { cut.minus(&one) }
    }
}

impl From<i64> for Decimal {
    fn from(n: i64) -> Decimal {
        Decimal::new(n < 0, Magnitude::from(n.unsigned_abs()), 0)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (negative, _) => {
                let (a, b, _) = self.aligned(other);
                if negative { b.cmp(&a) } else { a.cmp(&b) }
            }
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.magnitude.to_string();
        let sign = if self.negative { "-" } else { "" };
        if self.scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let width = self.scale + 1;
        let padded = format!("{digits:0>width$}");
        let (whole, decimals) = padded.split_at(padded.len() - self.scale);
        write!(f, "{sign}{whole}.{decimals}")
    }
}

/// The decimal with the fewest digits that reads back as `x`.
fn of_real(x: f64) -> Option<Decimal> {
    match few_decimals(x) {
        Some((n, scale)) => Some(Decimal::new(n < 0, Magnitude::from(n.unsigned_abs()), scale)),
        None => Decimal::parse(&format!("{x}")),
    }
}

/// `n` / 10^`scale` for a REAL of at most six decimals, and 15 digits.
fn few_decimals(x: f64) -> Option<(i64, usize)> {
    let mut unit = 1.0;
    for scale in 0..=SMALL_SCALE {
        let shifted = (x * unit).round();
        if shifted.abs() >= 1e15 {
            return None;
        }
        if shifted / unit == x {
            return Some((shifted as i64, scale));
        }
        unit *= 10.0;
    }
    None
}

/// Most numbers: `n` / 10^`scale` with a scale of at most [`SMALL_SCALE`]. `None` for others.
pub fn small(value: &Value) -> Option<(i64, usize)> {
    match value {
        Value::Int(n) => Some((*n, 0)),
        Value::Real(x) => few_decimals(x.0),
        Value::Null | Value::Text(_) | Value::Blob(_) => None,
    }
}

/// The cell of `n` / 10^`scale`, if it is an easy one: what [`Decimal::cell`] makes of it.
pub fn small_cell(n: i128, scale: usize) -> Option<Value> {
    let unit = 10i128.pow(u32::try_from(scale).ok().filter(|s| *s <= 15)?);
    if n % unit == 0 {
        return i64::try_from(n / unit).ok().map(Value::Int);
    }
    // Both are exact in a double, so that the quotient is the nearest one.
    (n.unsigned_abs() < 1_000_000_000_000_000).then(|| Value::real(n as f64 / unit as f64))
}

/// Whether a literal has more significant digits than a double.
pub fn is_wide_text(digits: &str) -> bool {
    digits.len() > REAL_DIGITS && Decimal::parse(digits).is_some_and(|d| matches!(d.cell(), Value::Text(_)))
}

/// The order of two cells as exact numbers; `None` if one is NULL or no number.
pub fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(x), Value::Int(y)) => Some(x.cmp(y)),
        (Value::Real(x), Value::Real(y)) => x.0.partial_cmp(&y.0),
        (Value::Int(x), Value::Real(y)) if x.unsigned_abs() < 1 << 53 => (*x as f64).partial_cmp(&y.0),
        (Value::Real(x), Value::Int(y)) if y.unsigned_abs() < 1 << 53 => x.0.partial_cmp(&(*y as f64)),
        _ => Some(Decimal::of_cell(a)?.cmp(&Decimal::of_cell(b)?)),
    }
}

/// Decimals that a quotient is computed with, cut off: MySQL divides in whole words of nine digits.
pub fn quotient_scale(dividend: u8, divisor: u8, increment: u8) -> usize {
    let words = |digits: usize| digits.div_ceil(WORD) * WORD;
    let (x, y) = (usize::from(dividend), usize::from(divisor));
    let spare = words(x) - x + words(y) - y;
    words(words(x) + words(y) + usize::from(increment).saturating_sub(spare)).min(MAX_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn one_form_for_each_value() {
        for (text, cell) in [
            ("5.00", Value::Int(5)),
            ("-0.0", Value::Int(0)),
            ("1.50", Value::real(1.5)),
            ("-9223372036854775808", Value::Int(i64::MIN)),
            ("9223372036854775808", unsigned::cell(1 << 63)),
            ("-9223372036854775809", Value::from("-9223372036854775809\u{1f}")),
            ("12345678901234567.8900", Value::from("12345678901234567.89\u{1f}")),
            ("1e2", Value::Int(100)),
            ("1.5e-3", Value::real(0.0015)),
        ] {
            assert_eq!(d(text).cell(), cell, "{text}");
            assert_eq!(Decimal::of_cell(&d(text).cell()).unwrap().cmp(&d(text)), Ordering::Equal, "{text}");
        }
        assert_eq!(digits("00000000000000000005\u{1f}").as_deref(), Some("5"));
        assert_eq!(digits("0.12345678901234567\u{1f}").as_deref(), Some("0.12345678901234567"));
        assert_eq!((digits("12"), digits("x\u{1f}")), (None, None));
    }

    #[test]
    fn arithmetic_is_exact() {
        let show = |d: Decimal| d.to_string();
        assert_eq!(show(d("99999999999999999999.99").plus(&d("0.01"))), "100000000000000000000.00");
        assert_eq!(show(d("1").minus(&d("1.000000000000000000001"))), "-0.000000000000000000001");
        assert_eq!(show(d("-123456789012345678.9").times(&d("2.5"))), "-308641972530864197.25");
        assert_eq!(show(d("1").divided_by(&d("3"), 9).unwrap()), "0.333333333");
        assert_eq!(show(d("-7").divided_by(&d("0.002"), 0).unwrap()), "-3500");
        assert_eq!(show(d("7.5").modulo(&d("2.33")).unwrap()), "0.51");
        assert_eq!(d("1").divided_by(&d("0.0"), 4), None);
        assert_eq!(show(d("2.5").rounded(0)), "3");
        assert_eq!(show(d("-1.2349").truncated(2)), "-1.23");
        assert_eq!(show(d("1555").to_tens(2, true)), "1600");
        assert_eq!(show(d("-1.5").to_whole(true)), "-1");
        assert_eq!(show(d("-1.5").to_whole(false)), "-2");
    }

    #[test]
    fn order_of_numbers_whatever_their_form() {
        let sorted = ["-1e30", "-12345678901234567.8", "-2", "0", "1.5", "12345678901234567.8", "1e30"];
        let cells: Vec<Value> = sorted.iter().map(|t| d(t).cell()).collect();
        for pair in cells.windows(2) {
            assert_eq!(compare(&pair[0], &pair[1]), Some(Ordering::Less), "{pair:?}");
        }
        assert_eq!(compare(&Value::Null, &Value::Int(1)), None);
    }

    #[test]
    fn the_short_way_leads_to_the_same_cells() {
        for (n, scale) in [(150, 2), (-1, 6), (123_456_789, 4), (999_999_999_999_999, 3), (0, 5), (-7_000_000, 6)] {
            let long = d(&format!("{n}e-{scale}")).cell();
            assert_eq!(small_cell(n, scale), Some(long.clone()), "{n} / 10^{scale}");
            let (m, places) = small(&long).unwrap();
            assert_eq!(i128::from(m) * 10i128.pow((scale - places) as u32), n);
        }
        assert_eq!(small_cell(i128::MAX, 2), None);
    }

    #[test]
    fn quotients_have_whole_words() {
        assert_eq!(quotient_scale(0, 0, 4), 9);
        assert_eq!(quotient_scale(1, 0, 4), 9);
        assert_eq!(quotient_scale(9, 9, 4), 27);
    }
}
