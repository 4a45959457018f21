//! Unsigned numbers above 2^63-1, which SQLite's integers do not reach.
//!
//! Such a cell is text: twenty digits and a unit separator. The separator keeps SQLite's INTEGER affinity from taking
//! the text for a number, which would round it; as text it sorts after every integer and rightly among its own; and in
//! arithmetic SQLite reads the digits before it, as a floating-point number.

use crate::types::Value;

const DIGITS: usize = 20;
const END: char = '\u{1f}';

/// A cell for `n`: an integer if it is one for SQLite.
pub fn cell(n: u64) -> Value {
    i64::try_from(n).map_or_else(|_| Value::text(format!("{n:020}{END}")), Value::Int)
}

/// The number that a large cell stands for.
pub fn parse(text: &str) -> Option<u64> {
    let digits = text.strip_suffix(END)?;
    if digits.len() == DIGITS { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_sort_as_numbers() {
        let numbers = [0, 1, i64::MAX as u64, i64::MAX as u64 + 1, 10_000_000_000_000_000_000, u64::MAX];
        let cells: Vec<Value> = numbers.iter().map(|n| cell(*n)).collect();
        assert!(cells.is_sorted());
        for (n, cell) in numbers.iter().zip(cells) {
            match cell {
                Value::Text(text) => assert_eq!(parse(&text), Some(*n)),
                other => assert_eq!(other, Value::Int(*n as i64)),
            }
        }
        assert_eq!(parse("18446744073709551615"), None);
    }
}
