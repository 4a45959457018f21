//! How long the results of functions are (see `measure`).

use super::measure::{Measured, integer, of_length};
use super::typed::Typed;
use crate::sql::column_type::ColumnType;
use crate::sql::plan::ResultType;

/// Longer than any string.
const ENDLESS: u64 = u32::MAX as u64;

/// A call with what is known of its arguments.
pub struct Call<'a> {
    pub name: &'a str,
    /// `None` where one of them is no expression of its own.
    pub arguments: Option<&'a [Measured]>,
    /// Those arguments that are string literals.
    pub texts: &'a [Option<String>],
    pub value: &'a Typed,
}

/// Integer functions: the width of their result, whether it is unsigned, and whether it is NULL only where an argument is.
const INTEGERS: &[(&str, u8, bool, bool)] = &[
    ("ASCII", 3, false, true),
    ("BIT_COUNT", 2, false, true),
    ("BIT_LENGTH", 11, false, true),
    ("CHARACTER_LENGTH", 10, false, true),
    ("CHAR_LENGTH", 10, false, true),
    ("CONNECTION_ID", 10, true, true),
    ("CRC32", 10, true, true),
    ("DATEDIFF", 8, false, false),
    ("DAY", 3, false, false),
    ("DAYOFMONTH", 3, false, false),
    ("DAYOFWEEK", 1, false, false),
    ("DAYOFYEAR", 4, false, false),
    ("FIELD", 3, false, true),
    ("FIND_IN_SET", 3, false, true),
    ("FOUND_ROWS", 21, false, true),
    ("HOUR", 3, false, false),
    ("INET_ATON", 21, true, false),
    ("INSTR", 10, false, true),
    ("INTERVAL", 2, false, true),
    ("JSON_DEPTH", 10, false, false),
    ("JSON_LENGTH", 10, false, false),
    ("LAST_INSERT_ID", 21, true, true),
    ("LENGTH", 10, false, true),
    ("LOCATE", 10, false, true),
    ("MICROSECOND", 7, false, false),
    ("MINUTE", 3, false, false),
    ("MONTH", 3, false, false),
    ("OCTET_LENGTH", 10, false, true),
    ("ORD", 7, false, true),
    ("PERIOD_ADD", 6, false, true),
    ("PERIOD_DIFF", 6, false, true),
    ("QUARTER", 2, false, false),
    ("ROW_COUNT", 21, false, true),
    ("SECOND", 3, false, false),
    ("SIGN", 2, false, true),
    ("STRCMP", 2, false, true),
    ("TO_DAYS", 7, false, false),
    ("TO_SECONDS", 12, false, false),
    ("UUID_SHORT", 21, true, true),
    ("WEEK", 3, false, false),
    ("WEEKDAY", 1, false, false),
    ("WEEKOFYEAR", 3, false, false),
    ("YEAR", 5, false, false),
    ("YEARWEEK", 6, false, false),
];

/// Aggregates and others that are counted in 21 characters.
const LONG: &[&str] = &["BIT_AND", "BIT_OR", "BIT_XOR", "COUNT", "TIMESTAMPDIFF"];

/// Other functions whose result is NULL only where an argument is.
const NEVER_NULL: &[&str] =
    &["CURDATE", "CURTIME", "NOW", "SYSDATE", "UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP", "PI", "RAND"];

/// Strings that may be NULL whatever their arguments are.
const NULL_BY_VALUE: &[&str] = &[
    "AES_DECRYPT",
    "BIN",
    "CONV",
    "DATE_FORMAT",
    "DAYNAME",
    "ELT",
    "FROM_BASE64",
    "FROM_UNIXTIME",
    "GET_FORMAT",
    "INET6_ATON",
    "INET6_NTOA",
    "INET_NTOA",
    "JSON_TYPE",
    "JSON_UNQUOTE",
    "JSON_VALUE",
    "MONTHNAME",
    "OCT",
    "RANDOM_BYTES",
    "SHA2",
    "TIME_FORMAT",
    "UNCOMPRESS",
    "UNHEX",
];

/// The type of a call, and whether it may be NULL; `None`: what the translation says.
pub fn call_width(call: &Call<'_>) -> Option<(ResultType, bool)> {
    let any_null = call.arguments.is_none_or(|all| all.iter().any(|m| m.nullable));
    if let Some((_, width, unsigned, strict)) = INTEGERS.iter().find(|(name, ..)| *name == call.name) {
        let size = if *width > 10 { integer(*width, *unsigned) } else { of_int(*width, *unsigned) };
        return Some((ResultType::Known(size), any_null || !strict));
    }
    if call.name == "#EXTRACT" {
        let unit = call.texts.get(1)?.as_deref()?;
        return Some((ResultType::Known(of_int(extract_width(unit), false)), true));
    }
    if LONG.contains(&call.name) {
        let unsigned = call.name.starts_with("BIT");
        return Some((ResultType::Known(integer(21, unsigned)), call.name == "TIMESTAMPDIFF"));
    }
    let ty = call.value.known()?;
    if ty.is_integer() && matches!(call.name, "UNIX_TIMESTAMP" | "TIME_TO_SEC") {
        return Some((ResultType::Known(integer(17, false)), true));
    }
    if !matches!(ty, ColumnType::Text { .. } | ColumnType::Binary { .. }) {
        let strict = NEVER_NULL.contains(&call.name);
        return strict.then(|| (call.value.ty.clone(), any_null));
    }
    let length = string_length(call)?;
    Some((ResultType::Known(of_length(ty, length)), any_null || NULL_BY_VALUE.contains(&call.name)))
}

/// An INT of some width.
fn of_int(width: u8, unsigned: bool) -> ColumnType {
    let size = crate::sql::column_type::IntegerSize::Int;
    ColumnType::Integer { size, unsigned, zerofill: false, width: Some(width) }
}

/// The characters of a part of a date.
fn extract_width(unit: &str) -> u8 {
    match unit.to_ascii_uppercase().as_str() {
        "YEAR" | "DAY_HOUR" => 5,
        "YEAR_MONTH" => 7,
        "QUARTER" => 2,
        "MICROSECOND" | "DAY_MINUTE" | "HOUR_SECOND" => 7,
        "DAY_SECOND" => 9,
        "HOUR_MINUTE" | "MINUTE_SECOND" => 5,
        "SECOND_MICROSECOND" => 9,
        "MINUTE_MICROSECOND" => 11,
        "HOUR_MICROSECOND" => 14,
        "DAY_MICROSECOND" => 20,
        _ => 3,
    }
}

/// The characters of SUBSTRING.
pub fn substring(arguments: &[Measured]) -> u64 {
    let whole = arguments[0].characters();
    let rest = match arguments.get(1).and_then(|m| m.constant) {
        Some(from @ 1..) => whole.saturating_sub(from as u64 - 1),
        Some(from) => whole.min(from.unsigned_abs()),
        None => whole,
    };
    match arguments.get(2).map(|m| m.constant) {
        Some(Some(count)) => rest.min(count.max(0) as u64),
        _ => rest,
    }
}

/// The length of a call's result, in characters or in bytes of a binary string.
fn string_length(call: &Call<'_>) -> Option<u64> {
    let all = call.arguments?;
    let binary = matches!(call.value.known(), Some(ColumnType::Binary { .. }));
    let length = |i: usize| all.get(i).map_or(0, |m| if binary { m.bytes() } else { m.characters() });
    let count = |i: usize| all.get(i).and_then(|m| m.constant).map(|n| n.max(0) as u64);
    let sum = |from: usize| (from..all.len()).map(length).fold(0u64, u64::saturating_add);
    let parts = all.len() as u64;
    Some(match (call.name, all.len()) {
        ("CONCAT", _) => sum(0),
        ("CONCAT_WS", 2..) => sum(1).saturating_add(length(0).saturating_mul(parts - 2)),
        ("UPPER" | "UCASE" | "LOWER" | "LCASE" | "REVERSE" | "LTRIM" | "RTRIM" | "SUBSTRING_INDEX" | "#CONVERT", _) => {
            length(0)
        }
        ("SUBSTRING" | "SUBSTR" | "MID", 2..) if !binary => substring(all),
        ("LEFT" | "RIGHT", 2) => count(1).map_or(length(0), |n| n.min(length(0))),
        ("REPLACE", 3) => {
            let (whole, old, new) = (length(0), length(1), length(2));
            // What is replaced may be shorter than its type, unless it is written there.
            let old = if call.texts.get(1).is_some_and(Option::is_some) { old.max(1) } else { 1 };
            whole.saturating_add((whole / old).saturating_mul(new.saturating_sub(old)))
        }
        ("LPAD" | "RPAD", _) => count(1).unwrap_or(ENDLESS),
        ("REPEAT", 2) => count(1).map_or(ENDLESS, |n| length(0).saturating_mul(n)),
        ("SPACE", 1) => count(0).unwrap_or(ENDLESS),
        ("INSERT", 4) => length(0).saturating_add(length(3)),
        ("ELT", 2..) => (1..all.len()).map(length).max().unwrap_or(0),
        ("MAKE_SET", 2..) => sum(1).saturating_add(parts - 2),
        ("EXPORT_SET", 3..) => {
            let separator = if all.len() > 3 { length(3) } else { 1 };
            length(1).max(length(2)).saturating_mul(64).saturating_add(separator.saturating_mul(63))
        }
        ("HEX", 1) => match all[0].known() {
            Some(ty) if ty.is_numeric() => 16,
            _ => all[0].bytes().saturating_mul(2),
        },
        ("UNHEX", 1) => all[0].bytes().div_ceil(2),
        ("QUOTE", 1) => length(0).saturating_mul(2).saturating_add(2),
        ("SOUNDEX", 1) => length(0).max(4),
        ("TO_BASE64", 1) => {
            let digits = all[0].bytes().div_ceil(3).saturating_mul(4);
            digits + digits.saturating_sub(1) / 76
        }
        ("FROM_BASE64", 1) => all[0].bytes().saturating_mul(3) / 4,
        ("CONV" | "BIN" | "OCT", _) => 65,
        ("MD5", _) => 32,
        ("SHA" | "SHA1", _) => 40,
        ("SHA2", 2) => match count(1) {
            Some(224) => 56,
            Some(0 | 256) => 64,
            Some(384) => 96,
            _ => 128,
        },
        ("PASSWORD", _) => 41,
        ("UUID", _) => 36,
        ("INET_NTOA", _) => 31,
        ("INET6_NTOA", _) => 39,
        ("INET6_ATON", _) => 16,
        ("COMPRESS", 1) => all[0].bytes().saturating_mul(6) / 5 + 12,
        ("UNCOMPRESS", 1) => ENDLESS,
        ("AES_ENCRYPT", 2..) => 16 * (all[0].bytes() / 16 + 1),
        ("AES_DECRYPT", 2..) => all[0].bytes(),
        ("RANDOM_BYTES", 1) => count(0).unwrap_or(1024),
        ("CHAR", _) => 4 * parts,
        ("CHR" | "#CHAR_USING", _) => parts,
        ("FORMAT", 2..) => format_length(&all[0], count(1)),
        ("DAYNAME" | "MONTHNAME", _) => 9,
        ("DATE_FORMAT" | "TIME_FORMAT" | "FROM_UNIXTIME", 2) => match call.texts.get(1) {
            Some(Some(pattern)) => pattern_length(pattern),
            _ => all[1].characters().saturating_mul(10),
        },
        ("GET_FORMAT", _) => 17,
        ("CHARSET" | "COLLATION", _) => 64,
        ("JSON_VALUE", _) => 512,
        ("JSON_UNQUOTE", _) => ENDLESS,
        ("JSON_QUOTE", _) => length(0).saturating_mul(6).saturating_add(2),
        ("#CAST", 2) => {
            let target = call.texts.get(1)?.as_deref()?.to_ascii_uppercase();
            let written: Option<u64> = target.split(|c: char| !c.is_ascii_digit()).find_map(|w| w.parse().ok());
            written.unwrap_or(length(0))
        }
        ("#BINARY", 1) => all[0].bytes(),
        _ => return None,
    })
}

/// The length of a number with separators.
fn format_length(number: &Measured, decimals: Option<u64>) -> u64 {
    /// The digits of the largest DOUBLE, its sign and what rounding adds.
    const DOUBLE: u64 = 311;
    let whole = match number.known() {
        Some(ColumnType::Decimal { scale, .. }) => number.characters().saturating_sub(u64::from(*scale)),
        Some(ColumnType::Bit(bits)) => (u128::MAX >> (128 - u32::from((*bits).max(1)))).to_string().len() as u64 + 1,
        Some(ty) if ty.is_integer() => number.characters(),
        _ => DOUBLE,
    };
    let decimals = decimals.unwrap_or(u64::from(crate::sql::decimal::MAX_SCALE));
    whole + whole.saturating_sub(1) / 3 + if decimals > 0 { decimals + 1 } else { 0 }
}

/// The longest text that a pattern of DATE_FORMAT gives.
fn pattern_length(pattern: &str) -> u64 {
    let mut length = 0;
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        length += match (c, rest.clone().next()) {
            ('%', Some(kind)) => {
                rest.next();
                match kind {
                    'M' | 'W' => 64,
                    'a' | 'b' => 32,
                    'D' | 'Y' | 'x' | 'X' => 4,
                    'j' => 3,
                    'k' | 'H' => 7,
                    'r' => 11,
                    'T' => 8,
                    'f' => 6,
                    'w' | '%' => 1,
                    _ => 2,
                }
            }
            _ => 1,
        };
    }
    length
}
