//! DATE_FORMAT, STR_TO_DATE and weeks (manual, "Date and Time Functions").

use super::argument::{maybe_text, text};
use super::registry::FunctionContext;
use crate::sql::error::Error;
use crate::sql::store::{as_datetime, as_time};
use crate::sql::temporal::{DateTime, date_of, day_number, time_text};
use crate::types::Value;
use std::fmt::Write;

pub(super) const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `GET_FORMAT(kind, standard)`: the format string that a standard prescribes.
pub(super) fn get_format(kind: &str, standard: &str) -> Option<String> {
    let date = match standard.to_ascii_uppercase().as_str() {
        "USA" => "%m.%d.%Y",
        "JIS" | "ISO" => "%Y-%m-%d",
        "EUR" => "%d.%m.%Y",
        "INTERNAL" => "%Y%m%d",
        _ => return None,
    };
    let format = match (kind, standard.to_ascii_uppercase().as_str()) {
        ("DATE", _) => date,
        ("TIME", "USA") => "%h:%i:%s %p",
        ("TIME", "EUR") => "%H.%i.%s",
        ("TIME", "INTERNAL") => "%H%i%s",
        ("TIME", _) => "%H:%i:%s",
        (_, "USA" | "EUR") => "%Y-%m-%d %H.%i.%s",
        (_, "INTERNAL") => "%Y%m%d%H%i%s",
        _ => "%Y-%m-%d %H:%i:%s",
    };
    Some(format.to_string())
}

/// The week by MySQL's mode, with the year it belongs to.
pub(super) fn week(d: &DateTime, mode: i64) -> (i64, i64) {
    let mode = mode & 7;
    let monday = mode & 1 == 1;
    let with_year = mode & 2 == 2;
    // Modes 1, 3, 4 and 6 count a week that has four or more days in the year as its first.
    let four_days = matches!(mode, 1 | 3 | 4 | 6);
    let start_of = |year: u32| {
        let first = day_number(year, 1, 1);
        let weekday = (first + 5).rem_euclid(7);
        let offset = if monday { weekday } else { (weekday + 1) % 7 };
        if four_days {
            if offset <= 3 { first - offset } else { first + 7 - offset }
        } else if offset == 0 {
            first
        } else {
            first + 7 - offset
        }
    };
    let number = d.day_number();
    let year = d.year;
    if number < start_of(year) {
        if !with_year || year == 0 {
            return (i64::from(year), 0);
        }
        return (i64::from(year) - 1, (number - start_of(year - 1)) / 7 + 1);
    }
    if with_year && number >= start_of(year + 1) {
        return (i64::from(year) + 1, 1);
    }
    (i64::from(year), (number - start_of(year)) / 7 + 1)
}

fn ordinal(day: u32) -> &'static str {
    match day {
        11..=13 => "th",
        _ => match day % 10 {
            1 => "st",
            2 => "nd",
            3 => "rd",
            _ => "th",
        },
    }
}

fn format(d: &DateTime, hours: u32, pattern: &str) -> Option<String> {
    let mut out = String::new();
    let mut characters = pattern.chars();
    let twelve = if hours.is_multiple_of(12) { 12 } else { hours % 12 };
    let half = if hours % 24 < 12 { "AM" } else { "PM" };
    while let Some(c) = characters.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let Some(code) = characters.next() else {
            out.push('%');
            break;
        };
        if "WawUuVvXx".contains(code) && !d.is_real() {
            return None;
        }
        let _ = match code {
            'Y' => write!(out, "{:04}", d.year),
            'y' => write!(out, "{:02}", d.year % 100),
            'm' => write!(out, "{:02}", d.month),
            'c' => write!(out, "{}", d.month),
            'd' => write!(out, "{:02}", d.day),
            'e' => write!(out, "{}", d.day),
            'D' => write!(out, "{}{}", d.day, ordinal(d.day)),
            'H' => write!(out, "{hours:02}"),
            'k' => write!(out, "{hours}"),
            'h' | 'I' => write!(out, "{twelve:02}"),
            'l' => write!(out, "{twelve}"),
            'i' => write!(out, "{:02}", d.minute),
            's' | 'S' => write!(out, "{:02}", d.second),
            'f' => write!(out, "{:06}", d.micro),
            'p' => write!(out, "{half}"),
            'r' => write!(out, "{twelve:02}:{:02}:{:02} {half}", d.minute, d.second),
            'T' => write!(out, "{hours:02}:{:02}:{:02}", d.minute, d.second),
            'W' => write!(out, "{}", DAYS[d.weekday() as usize]),
            'a' => write!(out, "{}", &DAYS[d.weekday() as usize][..3]),
            'w' => write!(out, "{}", (d.weekday() + 1) % 7),
            'M' | 'b' if d.month == 0 => return None,
            'M' => write!(out, "{}", MONTHS[d.month as usize - 1]),
            'b' => write!(out, "{}", &MONTHS[d.month as usize - 1][..3]),
            'j' => write!(out, "{:03}", d.day_of_year()),
            'U' => write!(out, "{:02}", week(d, 0).1),
            'u' => write!(out, "{:02}", week(d, 1).1),
            'V' => write!(out, "{:02}", week(d, 2).1),
            'v' => write!(out, "{:02}", week(d, 3).1),
            'X' => write!(out, "{:04}", week(d, 2).0),
            'x' => write!(out, "{:04}", week(d, 3).0),
            other => write!(out, "{other}"),
        };
    }
    Some(out)
}

pub(super) fn date_format(a: &[Value]) -> Value {
    let (Some(parsed), Some(pattern)) = (as_datetime(&a[0]), text(&a[1])) else { return Value::Null };
    maybe_text(format(&parsed.value, parsed.value.hour, &pattern))
}

pub(super) fn time_format(a: &[Value]) -> Value {
    let (Some(parsed), Some(pattern)) = (as_time(&a[0]), text(&a[1])) else { return Value::Null };
    let absolute = parsed.value.unsigned_abs();
    let seconds = absolute / 1_000_000;
    let d = DateTime {
        minute: (seconds / 60 % 60) as u32,
        second: (seconds % 60) as u32,
        micro: (absolute % 1_000_000) as u32,
        ..DateTime::default()
    };
    let sign = if parsed.value < 0 { "-" } else { "" };
    maybe_text(format(&d, (seconds / 3600) as u32, &pattern).map(|t| format!("{sign}{t}")))
}

/// Which parts a STR_TO_DATE pattern has: (date, time, fraction).
pub fn pattern_parts(pattern: &str) -> (bool, bool, bool) {
    let codes: Vec<char> = pattern.split('%').skip(1).filter_map(|p| p.chars().next()).collect();
    let has = |set: &str| codes.iter().any(|c| set.contains(*c));
    (has("YymcdeDMbjUuVvXxWaw"), has("HkhIlisSfprT"), has("f"))
}

/// STR_TO_DATE.
///
/// # Errors
/// 1411 for what is no date by the pattern, where it would be stored. In the SQL mode NO_ZERO_DATE a date with a zero for
/// its year, month or day is none.
pub(super) fn str_to_date(context: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let (Some(source), Some(pattern)) = (text(&a[0]), text(&a[1])) else { return Ok(Value::Null) };
    let (has_date, has_time, has_fraction) = pattern_parts(&pattern);
    let has_zero = |d: &DateTime| has_date && (d.year == 0 || d.month == 0 || d.day == 0);
    let is_date = |d: &DateTime| {
        d.is_plausible() && (!has_date || d.is_real() || has_zero(d)) && !(context.no_zero_date.get() && has_zero(d))
    };
    let Some(d) = scan_date(&source, &pattern).filter(is_date) else {
        return context.refuse(|| Error::not_by_pattern(&source));
    };
    let fsp = if has_fraction { 6 } else { 0 };
    Ok(Value::text(match (has_date, has_time) {
        (true, false) => d.date_text(),
        (false, true) => time_text(d.time_micros(), fsp),
        _ => d.text(fsp),
    }))
}

/// Reads `source` by `pattern`.
fn scan_date(source: &str, pattern: &str) -> Option<DateTime> {
    let mut d = DateTime::default();
    let mut rest = source.trim_start();
    let mut afternoon = None;
    let mut day_of_year = None;
    let mut codes = pattern.chars();
    fn number(rest: &mut &str, width: usize) -> Option<u32> {
        let digits = rest.bytes().take(width).take_while(u8::is_ascii_digit).count();
        let n = rest[..digits].parse().ok()?;
        *rest = &rest[digits..];
        Some(n)
    }
    fn name(rest: &mut &str, names: &[&str], short: bool) -> Option<u32> {
        let found = names.iter().position(|n| {
            let n = if short { &n[..3] } else { n };
            rest.get(..n.len()).is_some_and(|r| r.eq_ignore_ascii_case(n))
        })?;
        *rest = &rest[if short { 3 } else { names[found].len() }..];
        Some(found as u32 + 1)
    }
    while let Some(c) = codes.next() {
        if c.is_whitespace() {
            rest = rest.trim_start();
            continue;
        }
        if rest.is_empty() && !source.trim().is_empty() {
            // What the text does not reach is zero.
            break;
        }
        if c != '%' {
            rest = rest.strip_prefix(c)?;
            continue;
        }
        let code = codes.next()?;
        rest = rest.trim_start();
        match code {
            'Y' => d.year = number(&mut rest, 4)?,
            'y' => {
                let y = number(&mut rest, 2)?;
                d.year = if y < 70 { 2000 + y } else { 1900 + y };
            }
            'm' | 'c' => d.month = number(&mut rest, 2)?,
            'd' | 'e' => d.day = number(&mut rest, 2)?,
            'D' => {
                d.day = number(&mut rest, 2)?;
                rest = rest.get(2..)?;
            }
            'H' | 'k' | 'h' | 'I' | 'l' => d.hour = number(&mut rest, 2)?,
            'i' => d.minute = number(&mut rest, 2)?,
            's' | 'S' => d.second = number(&mut rest, 2)?,
            'f' => {
                let digits = rest.bytes().take(6).take_while(u8::is_ascii_digit).count();
                d.micro = number(&mut rest, 6)? * 10u32.pow(6 - digits as u32);
            }
            'j' => day_of_year = Some(number(&mut rest, 3)?),
            'M' => d.month = name(&mut rest, &MONTHS, false)?,
            'b' => d.month = name(&mut rest, &MONTHS, true)?,
            'W' => _ = name(&mut rest, &DAYS, false)?,
            'a' => _ = name(&mut rest, &DAYS, true)?,
            'p' => afternoon = Some(name(&mut rest, &["AM", "PM"], false)? == 2),
            'T' | 'r' => {
                d.hour = number(&mut rest, 2)?;
                rest = rest.strip_prefix(':')?;
                d.minute = number(&mut rest, 2)?;
                rest = rest.strip_prefix(':')?;
                d.second = number(&mut rest, 2)?;
                if code == 'r' {
                    rest = rest.trim_start();
                    afternoon = Some(name(&mut rest, &["AM", "PM"], false)? == 2);
                }
            }
            '%' => rest = rest.strip_prefix('%')?,
            _ => return None,
        }
    }
    if let Some(afternoon) = afternoon {
        if d.hour == 0 || d.hour > 12 {
            return None;
        }
        d.hour = d.hour % 12 + if afternoon { 12 } else { 0 };
    }
    if let Some(day) = day_of_year {
        let date = date_of(day_number(d.year, 1, 1) + i64::from(day) - 1)?;
        (d.month, d.day) = (date.month, date.day);
    }
    Some(d)
}
