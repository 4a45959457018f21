//! What values a column of a foreign table holds, which decides what type can take them.

use crate::types::Value;

/// Counts and extremes of one column's values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    pub nulls: u64,
    pub integers: u64,
    pub reals: u64,
    pub texts: u64,
    pub blobs: u64,
    /// The longest text in characters, and the longest text or blob in bytes.
    pub characters: usize,
    pub bytes: usize,
    /// Integers that DOUBLE does not hold exactly.
    large_integers: u64,
    /// Integers other than 0 and 1.
    not_boolean: u64,
    /// Reals that MySQL has no literal for: infinities.
    pub infinite: u64,
    /// Digits before the point of the largest number, and behind it of the finest one, as printed shortest.
    pub whole_digits: usize,
    pub fraction_digits: usize,
    /// Texts that are not `YYYY-MM-DD`.
    not_date: u64,
    /// Texts that are not `YYYY-MM-DD HH:MM:SS[.ffffff]`, and the digits behind the second of those that are.
    not_moment: u64,
    pub second_digits: usize,
}

/// Integers up to here are exact in DOUBLE.
const EXACT: i64 = 1 << 53;

impl Content {
    pub fn add(&mut self, value: &Value) {
        match value {
            Value::Null => self.nulls += 1,
            Value::Int(i) => {
                self.integers += 1;
                self.large_integers += u64::from(!(-EXACT..=EXACT).contains(i));
                self.not_boolean += u64::from(!(0..=1).contains(i));
                self.add_digits(&i.to_string());
            }
            Value::Real(real) => {
                self.reals += 1;
                self.infinite += u64::from(real.0.is_infinite());
                self.add_digits(&real.0.to_string());
            }
            Value::Text(text) => {
                self.texts += 1;
                self.characters = self.characters.max(text.chars().count());
                self.bytes = self.bytes.max(text.len());
                self.not_date += u64::from(!is_date(text));
                match moment_digits(text) {
                    Some(digits) => self.second_digits = self.second_digits.max(digits),
                    None => self.not_moment += 1,
                }
            }
            Value::Blob(blob) => {
                self.blobs += 1;
                self.bytes = self.bytes.max(blob.len());
            }
        }
    }

    fn add_digits(&mut self, number: &str) {
        let (whole, fraction) = number.trim_start_matches('-').split_once('.').unwrap_or((number, ""));
        self.whole_digits = self.whole_digits.max(whole.trim_start_matches(['-', '0']).len());
        self.fraction_digits = self.fraction_digits.max(fraction.len());
    }

    fn numbers(&self) -> u64 {
        self.integers + self.reals
    }

    /// Whether all values are integers; NULLs apart, here and below.
    pub fn is_integers(&self) -> bool {
        self.reals + self.texts + self.blobs == 0
    }

    pub fn is_booleans(&self) -> bool {
        self.is_integers() && self.not_boolean == 0
    }

    /// Whether DOUBLE holds every value exactly.
    pub fn is_doubles(&self) -> bool {
        self.texts + self.blobs + self.large_integers + self.infinite == 0
    }

    /// Whether `DECIMAL(precision, scale)` holds every value exactly.
    pub fn is_decimals(&self, precision: usize, scale: usize) -> bool {
        let fits = self.fraction_digits <= scale && self.whole_digits + scale <= precision;
        self.texts + self.blobs + self.infinite == 0 && fits
    }

    pub fn is_texts(&self) -> bool {
        self.numbers() + self.blobs == 0
    }

    pub fn is_blobs(&self) -> bool {
        self.numbers() + self.texts == 0
    }

    pub fn is_dates(&self) -> bool {
        self.is_texts() && self.not_date == 0
    }

    pub fn is_moments(&self) -> bool {
        self.is_texts() && self.not_moment == 0
    }

    /// The kinds of values, for people.
    pub fn kinds(&self) -> String {
        let kinds = [(self.integers, "integers"), (self.reals, "reals"), (self.texts, "texts"), (self.blobs, "blobs")];
        let present: Vec<&str> = kinds.iter().filter(|(n, _)| *n > 0).map(|(_, name)| *name).collect();
        present.join(", ")
    }
}

fn digits(text: &str, range: std::ops::RangeInclusive<u32>) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse().is_ok_and(|n: u32| range.contains(&n))
}

/// Whether the text is a day of the calendar, `YYYY-MM-DD`, from year 1 on.
fn is_date(text: &str) -> bool {
    let parts =
        (text.len() == 10 && text.is_ascii()).then(|| (&text[..4], &text[4..5], &text[5..7], &text[7..8], &text[8..]));
    let Some((year, "-", month, "-", day)) = parts else { return false };
    if !digits(year, 1..=9999) || !digits(month, 1..=12) {
        return false;
    }
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    let year = number(year);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match number(month) {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    digits(day, 1..=days)
}

/// The digits behind the second, if the text is `YYYY-MM-DD HH:MM:SS` with at most six of them.
fn moment_digits(text: &str) -> Option<usize> {
    if !text.is_ascii() || text.len() < 19 || !is_date(&text[..10]) || &text[10..11] != " " {
        return None;
    }
    let clock = [(11, 23), (14, 59), (17, 59)];
    let fits = clock.iter().all(|(at, most)| digits(&text[*at..at + 2], 0..=*most));
    if !fits || &text[13..14] != ":" || &text[16..17] != ":" {
        return None;
    }
    match &text[19..] {
        "" => Some(0),
        fraction => {
            let behind = fraction.strip_prefix('.')?;
            (1..=6).contains(&behind.len()).then_some(())?;
            digits(behind, 0..=999_999).then_some(behind.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[Value]) -> Content {
        let mut content = Content::default();
        values.iter().for_each(|v| content.add(v));
        content
    }

    #[test]
    fn days_and_moments_are_those_of_the_calendar() {
        let yes = ["2024-02-29", "0001-01-01", "9999-12-31"];
        let no = ["2023-02-29", "2024-13-01", "2024-1-01", "0000-00-00", "2024-04-31", "2024-04-3x", "äää4-01-01"];
        assert!(yes.iter().all(|t| is_date(t)) && !no.iter().any(|t| is_date(t)));
        assert_eq!(moment_digits("2024-02-29 23:59:59"), Some(0));
        assert_eq!(moment_digits("2024-02-29 23:59:59.125"), Some(3));
        for no in
            ["2024-02-29T23:59:59", "2024-02-29 24:00:00", "2024-02-29 23:59:59.", "2024-02-29", "2024-02-29 1:00:00x"]
        {
            assert_eq!(moment_digits(no), None, "{no}");
        }
    }

    #[test]
    fn numbers_are_measured_in_digits() {
        let prices = of(&[Value::real(12.5), Value::Int(-100), Value::Null, Value::real(0.25)]);
        assert_eq!((prices.whole_digits, prices.fraction_digits), (3, 2));
        assert!(prices.is_decimals(5, 2) && !prices.is_decimals(5, 1) && !prices.is_decimals(4, 2));
        assert!(prices.is_doubles() && !prices.is_integers());
        assert!(!of(&[Value::Int(i64::MAX), Value::real(0.5)]).is_doubles());
        assert!(!of(&[Value::real(f64::INFINITY)]).is_doubles());
        assert!(of(&[Value::Int(0), Value::Int(1)]).is_booleans() && !of(&[Value::Int(2)]).is_booleans());
    }
}
