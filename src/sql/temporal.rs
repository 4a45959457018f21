//! Dates and times as MySQL has them: a proleptic Gregorian calendar from year 0 to 9999, "zero" dates included, and
//! times of day that may be negative or exceed a day.

use super::interval::Unit;
use std::fmt::Write;

/// A date and time. `month` and `day` may be zero, as MySQL's may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime {
    pub year: u32,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub micro: u32,
}

/// What was read, and how much of it made sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed<T> {
    pub value: T,
    /// Text was left over.
    pub truncated: bool,
    /// A time of day was given.
    pub has_time: bool,
}

/// The limit of TIME: 838:59:59, in microseconds.
pub const MAX_TIME: i64 = (838 * 3600 + 59 * 60 + 59) * 1_000_000;
const DAY_MICROS: i64 = 86_400_000_000;

pub fn is_leap(year: u32) -> bool {
    // MySQL's year 0 has no 29 February.
    year != 0 && year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days in a month; 0 for no month.
pub fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(is_leap(year)),
        _ => 0,
    }
}

/// `TO_DAYS`: the number of a day, where 0000-01-01 is 1 (MySQL's count).
pub fn day_number(year: u32, month: u32, day: u32) -> i64 {
    // Days from civil, counted from 0000-03-01.
    let (y, m) = if month <= 2 { (i64::from(year) - 1, month + 9) } else { (i64::from(year), month - 3) };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = i64::from((153 * m + 2) / 5 + day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era + 60 + i64::from(year == 0 && month <= 2)
}

/// The date of a day number; `None` outside 0000-01-01 .. 9999-12-31.
pub fn date_of(number: i64) -> Option<DateTime> {
    if !(1..=3_652_424).contains(&number) {
        return None;
    }
    let z = number - 60 - i64::from(number < 60);
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let m = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * m + 2) / 5 + 1;
    let month = if m < 10 { m + 3 } else { m - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some(DateTime { year: year as u32, month: month as u32, day: day as u32, ..DateTime::default() })
}

impl DateTime {
    pub fn is_zero_date(&self) -> bool {
        self.year == 0 && self.month == 0 && self.day == 0
    }
    /// Every part in range; zero months and days pass.
    pub fn is_plausible(&self) -> bool {
        let day_limit = if self.month == 0 { 31 } else { days_in_month(self.year, self.month) };
        self.year <= 9999
            && self.month <= 12
            && self.day <= day_limit
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
            && self.micro < 1_000_000
    }
    /// A day of the calendar, no part zero.
    pub fn is_real(&self) -> bool {
        self.is_plausible() && self.month > 0 && self.day > 0
    }
    pub fn day_number(&self) -> i64 {
        day_number(self.year, self.month, self.day)
    }
    /// Microseconds since midnight.
    pub fn time_micros(&self) -> i64 {
        (i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second)) * 1_000_000
            + i64::from(self.micro)
    }
    /// Microseconds since day 0 of the count.
    pub fn micros(&self) -> i64 {
        self.day_number() * DAY_MICROS + self.time_micros()
    }
    pub fn from_micros(micros: i64) -> Option<DateTime> {
        let mut value = date_of(micros.div_euclid(DAY_MICROS))?;
        let rest = micros.rem_euclid(DAY_MICROS);
        value.micro = (rest % 1_000_000) as u32;
        let seconds = (rest / 1_000_000) as u32;
        (value.hour, value.minute, value.second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        Some(value)
    }
    /// Seconds since the Unix epoch, if this is UTC.
    pub fn unix(&self) -> i64 {
        (self.day_number() - 719_528) * 86_400 + self.time_micros().div_euclid(1_000_000)
    }
    pub fn from_unix(seconds: i64, micro: u32) -> Option<DateTime> {
        let mut value = DateTime::from_micros(seconds.checked_mul(1_000_000)?.checked_add(719_528 * DAY_MICROS)?)?;
        value.micro = micro;
        Some(value)
    }
    /// 0 is Monday.
    pub fn weekday(&self) -> u32 {
        (self.day_number() + 5).rem_euclid(7) as u32
    }
    /// 1 to 366.
    pub fn day_of_year(&self) -> u32 {
        (self.day_number() - day_number(self.year, 1, 1) + 1) as u32
    }

    /// `YYYY-MM-DD`.
    pub fn date_text(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
    /// `YYYY-MM-DD HH:MM:SS[.f]` with `fsp` digits, the rest cut off.
    pub fn text(&self, fsp: u8) -> String {
        let mut text = self.date_text();
        let _ = write!(text, " {:02}:{:02}:{:02}", self.hour, self.minute, self.second);
        push_fraction(&mut text, self.micro, fsp);
        text
    }
    /// Rounded to `fsp` digits, as storing does.
    pub fn rounded(&self, fsp: u8) -> Option<DateTime> {
        let unit = 10i64.pow(6 - u32::from(fsp.min(6)));
        if i64::from(self.micro) % unit == 0 {
            return Some(*self);
        }
        if !self.is_real() {
            return Some(DateTime { micro: (i64::from(self.micro) / unit * unit) as u32, ..*self });
        }
        DateTime::from_micros((self.micros() + unit / 2).div_euclid(unit) * unit)
    }

    /// Reads a date or datetime. `None` if it does not even begin with one.
    pub fn parse(text: &str) -> Option<Parsed<DateTime>> {
        let trimmed = text.trim_start();
        let bytes = trimmed.as_bytes();
        let digits = bytes.iter().take_while(|c| c.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let compact = digits >= 6 || digits == bytes.len() || bytes.get(digits) == Some(&b'.') && digits >= 5;
        if compact && digits != bytes.len().min(4) {
            return parse_compact(trimmed, digits);
        }
        parse_delimited(trimmed)
    }

    /// Reads a number such as 20240131 or 20240131235959.
    pub fn from_number(number: i64) -> Option<Parsed<DateTime>> {
        if number == 0 {
            return Some(Parsed { value: DateTime::default(), truncated: false, has_time: false });
        }
        if number < 101 {
            return None;
        }
        let text = number.to_string();
        let width = match text.len() {
            0..=6 => 6,
            7..=8 => 8,
            9..=12 => 12,
            13..=14 => 14,
            _ => return None,
        };
        DateTime::parse(&format!("{text:0>width$}"))
    }

    /// As a number: 20240131 or 20240131235959.
    pub fn number(&self, with_time: bool) -> i64 {
        let date = i64::from(self.year) * 10_000 + i64::from(self.month * 100 + self.day);
        let time = i64::from(self.hour * 10_000 + self.minute * 100 + self.second);
        if with_time { date * 1_000_000 + time } else { date }
    }

    /// Adds `amount`; `None` outside the calendar or if this is no real date.
    pub fn add(&self, amount: &Amount) -> Option<DateTime> {
        if !self.is_real() {
            return None;
        }
        let mut value = *self;
        if amount.months != 0 {
            let total = (i64::from(value.year) * 12 + i64::from(value.month) - 1).checked_add(amount.months)?;
            let year = u32::try_from(total.div_euclid(12)).ok().filter(|y| *y <= 9999)?;
            value.year = year;
            value.month = total.rem_euclid(12) as u32 + 1;
            value.day = value.day.min(days_in_month(value.year, value.month));
        }
        if amount.micros == 0 {
            return Some(value);
        }
        DateTime::from_micros(value.micros().checked_add(i64::try_from(amount.micros).ok()?)?)
    }
}

fn push_fraction(text: &mut String, micro: u32, fsp: u8) {
    if fsp > 0 {
        let digits = format!("{micro:06}");
        let _ = write!(text, ".{}", &digits[..usize::from(fsp.min(6))]);
    }
}

fn two_digit_year(year: u32) -> u32 {
    if year < 70 { 2000 + year } else { 1900 + year }
}

fn fraction(digits: &str) -> u32 {
    let six: String = digits.chars().chain("000000".chars()).take(6).collect();
    let micro: u32 = six.parse().unwrap_or(0);
    // The seventh digit rounds.
    match digits.as_bytes().get(6) {
        Some(c) if *c >= b'5' && micro < 999_999 => micro + 1,
        _ => micro,
    }
}

fn parse_compact(text: &str, digits: usize) -> Option<Parsed<DateTime>> {
    let (number, rest) = text.split_at(digits);
    let year_digits = if matches!(digits, 8 | 14) || digits > 14 { 4 } else { 2 };
    let mut parts = [0u32; 6];
    let mut at = year_digits.min(digits);
    parts[0] = number[..at].parse().ok()?;
    if year_digits == 2 {
        parts[0] = two_digit_year(parts[0]);
    }
    for part in &mut parts[1..] {
        let end = (at + 2).min(number.len());
        if at < end {
            *part = number[at..end].parse().ok()?;
        }
        at = end;
    }
    let mut micro = 0;
    let mut rest = rest;
    if let Some(tail) = rest.strip_prefix('.') {
        let n = tail.bytes().take_while(u8::is_ascii_digit).count();
        micro = fraction(&tail[..n]);
        rest = &tail[n..];
    }
    let [year, month, day, hour, minute, second] = parts;
    let value = DateTime { year, month, day, hour, minute, second, micro };
    let has_time = digits > 8 || (digits > 6 && year_digits == 2);
    let truncated = at < number.len() || !rest.trim_end().is_empty();
    value.is_plausible().then_some(Parsed { value, truncated, has_time })
}

fn parse_delimited(text: &str) -> Option<Parsed<DateTime>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut parts = [0u32; 6];
    let mut count = 0;
    let mut micro = 0;
    let mut year_digits = 0;
    while count < 6 {
        let start = at;
        let widest = if count == 0 { 4 } else { 2 };
        while at < bytes.len() && bytes[at].is_ascii_digit() && at - start < widest {
            at += 1;
        }
        if at == start {
            break;
        }
        parts[count] = text[start..at].parse().ok()?;
        if count == 0 {
            year_digits = at - start;
        }
        count += 1;
        if count == 6 {
            break;
        }
        let separator = at;
        if count == 3 {
            // Between date and time: a T, or space, or one mark.
            if bytes.get(at) == Some(&b'T') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
                at += 1;
                continue;
            }
            while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
                at += 1;
            }
        }
        if bytes.get(at).is_some_and(u8::is_ascii_punctuation) {
            at += 1;
        } else if at == separator {
            break;
        }
        if !bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at = separator;
            break;
        }
    }
    if count < 3 {
        return None;
    }
    if count == 6 && bytes.get(at) == Some(&b'.') {
        let start = at + 1;
        at = start;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        micro = fraction(&text[start..at]);
    }
    if year_digits <= 2 {
        parts[0] = two_digit_year(parts[0]);
    }
    let [year, month, day, hour, minute, second] = parts;
    let value = DateTime { year, month, day, hour, minute, second, micro };
    let truncated = !text[at..].trim_end().is_empty();
    value.is_plausible().then_some(Parsed { value, truncated, has_time: count > 3 })
}

/// Reads a TIME as signed microseconds: `[-][D ]HH:MM:SS[.f]`, `HHMMSS`, or the time of a datetime.
pub fn parse_time(text: &str) -> Option<Parsed<i64>> {
    let trimmed = text.trim();
    let (negative, body) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed),
    };
    let dashes = body.bytes().filter(|c| *c == b'-').count();
    let leading = body.bytes().take_while(u8::is_ascii_digit).count();
    if dashes >= 2 || leading >= 12 {
        let parsed = DateTime::parse(body)?;
        return Some(Parsed { value: parsed.value.time_micros(), truncated: parsed.truncated, has_time: true });
    }
    if leading == 0 {
        return None;
    }
    let mut days = 0i64;
    let mut rest = body;
    if let Some((first, tail)) = body.split_once(' ')
        && !first.contains(':')
        && tail.trim_start().starts_with(|c: char| c.is_ascii_digit())
    {
        days = first.parse().ok()?;
        rest = tail.trim_start();
    }
    let end = rest.bytes().take_while(|c| c.is_ascii_digit() || *c == b':').count();
    let (clock, mut tail) = rest.split_at(end);
    let mut micro = 0i64;
    if let Some(digits) = tail.strip_prefix('.') {
        let n = digits.bytes().take_while(u8::is_ascii_digit).count();
        micro = i64::from(fraction(&digits[..n]));
        tail = &digits[n..];
    }
    let parts: Vec<&str> = clock.split(':').collect();
    let number = |s: &str| if s.is_empty() { Some(0) } else { s.parse::<i64>().ok() };
    let (hours, minutes, seconds) = match parts.as_slice() {
        [only] if days == 0 => {
            let n = number(only)?;
            (n / 10_000, n / 100 % 100, n % 100)
        }
        [hours] => (number(hours)?, 0, 0),
        [hours, minutes] => (number(hours)?, number(minutes)?, 0),
        [hours, minutes, seconds] => (number(hours)?, number(minutes)?, number(seconds)?),
        _ => return None,
    };
    if minutes > 59 || seconds > 59 || hours > 1_000_000 || days > 100_000 {
        return None;
    }
    let value = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000_000 + micro;
    let value = if negative { -value } else { value };
    Some(Parsed { value, truncated: !tail.trim().is_empty(), has_time: true })
}

/// `[-]HH:MM:SS[.f]`; hours may have three digits.
pub fn time_text(micros: i64, fsp: u8) -> String {
    let absolute = micros.unsigned_abs();
    let seconds = absolute / 1_000_000;
    let sign = if micros < 0 { "-" } else { "" };
    let mut text = format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    push_fraction(&mut text, (absolute % 1_000_000) as u32, fsp);
    text
}

/// An interval: months and microseconds, as they add differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    pub months: i64,
    pub micros: i128,
}

impl Amount {
    /// `INTERVAL text unit`. Composite units take numbers between marks; missing ones are the larger units.
    pub fn parse(text: &str, unit: Unit) -> Option<Amount> {
        let negative = text.trim_start().starts_with('-');
        let mut fields: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).filter(|s| !s.is_empty()).collect();
        let sign: i128 = if negative { -1 } else { 1 };
        let mut take = |micro: bool| -> Option<i128> {
            match fields.pop() {
                Some(digits) if micro => Some(i128::from(fraction(digits))),
                // Nothing within the calendar needs more than 64 bits.
                Some(digits) => digits.parse::<i64>().ok().map(i128::from),
                None => Some(0),
            }
        };
        const SECOND: i128 = 1_000_000;
        let sizes: &[i128] = match unit {
            Unit::SecondMicrosecond => &[1, SECOND],
            Unit::MinuteMicrosecond => &[1, SECOND, 60 * SECOND],
            Unit::MinuteSecond => &[SECOND, 60 * SECOND],
            Unit::HourMicrosecond => &[1, SECOND, 60 * SECOND, 3600 * SECOND],
            Unit::HourSecond => &[SECOND, 60 * SECOND, 3600 * SECOND],
            Unit::HourMinute => &[60 * SECOND, 3600 * SECOND],
            Unit::DayMicrosecond => &[1, SECOND, 60 * SECOND, 3600 * SECOND, 86_400 * SECOND],
            Unit::DaySecond => &[SECOND, 60 * SECOND, 3600 * SECOND, 86_400 * SECOND],
            Unit::DayMinute => &[60 * SECOND, 3600 * SECOND, 86_400 * SECOND],
            Unit::DayHour => &[3600 * SECOND, 86_400 * SECOND],
            Unit::YearMonth => {
                let months = take(false)?;
                let years = take(false)?;
                return Some(Amount { months: i64::try_from(sign * (years * 12 + months)).ok()?, micros: 0 });
            }
            Unit::Second => {
                let (whole, digits) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
                let whole: i128 = whole.trim_start_matches(['-', '+']).parse::<u64>().ok()?.into();
                let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
                return Some(Amount { months: 0, micros: sign * (whole * SECOND + i128::from(fraction(&digits))) });
            }
            _ => return None,
        };
        let mut micros = 0;
        for size in sizes {
            micros += take(*size == 1)? * size;
        }
        Some(Amount { months: 0, micros: sign * micros })
    }

    /// `INTERVAL n unit` for a simple unit; `micros` is what a fraction of a second brings.
    pub fn of(n: i64, unit: Unit) -> Option<Amount> {
        let n128 = i128::from(n);
        let micros = match unit {
            Unit::Microsecond => n128,
            Unit::Second => n128 * 1_000_000,
            Unit::Minute => n128 * 60_000_000,
            Unit::Hour => n128 * 3_600_000_000,
            Unit::Day => n128 * 86_400_000_000,
            Unit::Week => n128 * 7 * 86_400_000_000,
            Unit::Month => return Some(Amount { months: n, micros: 0 }),
            Unit::Quarter => return Some(Amount { months: n.checked_mul(3)?, micros: 0 }),
            Unit::Year => return Some(Amount { months: n.checked_mul(12)?, micros: 0 }),
            _ => return Amount::parse(&n.to_string(), unit),
        };
        Some(Amount { months: 0, micros })
    }

    pub fn negated(self) -> Amount {
        Amount { months: self.months.saturating_neg(), micros: -self.micros }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn datetime(text: &str) -> String {
        DateTime::parse(text).map_or("none".into(), |p| p.value.text(0))
    }

    #[test]
    fn formats_the_manual_names() {
        assert_eq!(datetime("2012-12-31 11:30:45"), "2012-12-31 11:30:45");
        assert_eq!(datetime("2012^12^31 11+30+45"), "2012-12-31 11:30:45");
        assert_eq!(datetime("2012-12-31T11:30:45"), "2012-12-31 11:30:45");
        assert_eq!(datetime("20070523091528"), "2007-05-23 09:15:28");
        assert_eq!(datetime("070523091528"), "2007-05-23 09:15:28");
        assert_eq!(datetime("20070523"), "2007-05-23 00:00:00");
        assert_eq!(datetime("070523"), "2007-05-23 00:00:00");
        assert_eq!(datetime("71-2-3"), "1971-02-03 00:00:00");
        assert_eq!(datetime("2024-1-2 3:4:5"), "2024-01-02 03:04:05");
        assert_eq!(datetime("071332"), "none");
        assert_eq!(datetime("2023-02-29"), "none");
        assert_eq!(datetime("2024-02-30"), "none");
        assert_eq!(datetime("abc"), "none");
        assert_eq!(datetime("0000-00-00 00:00:00"), "0000-00-00 00:00:00");
        assert!(DateTime::parse("2024-01-01x").unwrap().truncated);
        assert!(!DateTime::parse("2024-01-01 ").unwrap().truncated);
        assert_eq!(DateTime::from_number(20240131).unwrap().value.date_text(), "2024-01-31");
        assert_eq!(DateTime::from_number(101).unwrap().value.date_text(), "2000-01-01");
    }

    #[test]
    fn times() {
        let time = |t| parse_time(t).map_or("none".into(), |p| time_text(p.value, 0));
        assert_eq!(time("10:11:12"), "10:11:12");
        assert_eq!(time("1 10:11:12"), "34:11:12");
        assert_eq!(time("-10:11"), "-10:11:00");
        assert_eq!(time("101112"), "10:11:12");
        assert_eq!(time("1112"), "00:11:12");
        assert_eq!(time("10:61:12"), "none");
        assert_eq!(time("2024-01-01 10:11:12"), "10:11:12");
        assert_eq!(time_text(parse_time("00:00:01.5").unwrap().value, 3), "00:00:01.500");
    }

    #[test]
    fn the_calendar() {
        assert_eq!(day_number(2007, 10, 7), 733_321);
        assert_eq!(day_number(1970, 1, 1), 719_528);
        assert_eq!(day_number(0, 1, 1), 1);
        let parse = |t| DateTime::parse(t).unwrap().value;
        assert_eq!(parse("2007-11-06").weekday(), 1);
        assert_eq!(parse("2007-02-03").day_of_year(), 34);
        let add = |t, n, u| parse(t).add(&Amount::of(n, u).unwrap()).unwrap().text(0);
        assert_eq!(add("2024-01-31", 1, Unit::Month), "2024-02-29 00:00:00");
        assert_eq!(add("2100-12-31 23:59:59", 1, Unit::Second), "2101-01-01 00:00:00");
        assert_eq!(Amount::parse("1:1:1", Unit::HourSecond).unwrap().micros, 3_661_000_000);
        assert_eq!(Amount::parse("1.999999", Unit::SecondMicrosecond).unwrap().micros, 1_999_999);
        assert_eq!(Amount::parse("-1 10", Unit::DayHour).unwrap().micros, -122_400_000_000);
        assert_eq!(parse("9999-12-31").add(&Amount::of(1, Unit::Day).unwrap()), None);
    }

    proptest! {
        #[test]
        fn day_numbers_round_trip(number in 1i64..=3_652_424) {
            let date = date_of(number).unwrap();
            prop_assert!(date.is_real());
            prop_assert_eq!(date.day_number(), number);
            prop_assert_eq!(DateTime::parse(&date.date_text()).unwrap().value, date);
        }
        #[test]
        fn any_text_is_read_without_panic(text in ".{0,30}") {
            let _ = DateTime::parse(&text);
            let _ = parse_time(&text);
            let _ = Amount::parse(&text, Unit::DaySecond);
            let _ = Amount::parse(&text, Unit::Second);
        }
    }
}
