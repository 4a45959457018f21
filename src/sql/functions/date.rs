//! Date and time functions (manual, "Date and Time Functions"). NOW() and its kin are parameters, not functions.

use super::argument::{integer, maybe_int, maybe_text, nth, real, text};
use super::date_format::{DAYS, MONTHS, date_format, get_format, str_to_date, time_format, week};
use super::registry::{Function, FunctionContext};
use crate::sql::column_type::ColumnType;
use crate::sql::error::Error;
use crate::sql::interval::Unit;
use crate::sql::store::{as_datetime, as_time, to_temporal};
use crate::sql::temporal::{Amount, DateTime, MAX_TIME, date_of, day_number, days_in_month, time_text};
use crate::types::Value;

macro_rules! functions {
    ($($name:literal $arity:literal $eval:expr;)+) => {
        pub(super) const FUNCTIONS: &[Function] =
            &[$(Function { name: $name, arity: $arity, deterministic: true, eval: $eval }),+];
    };
}

functions! {
    "marmot_get_format" 2 |_, a| Ok(maybe_text(text(&a[0]).zip(text(&a[1])).and_then(|(k, s)| get_format(&k, &s))));
    "marmot_date" 1 |_, a| Ok(maybe_text(as_datetime(&a[0]).map(|p| p.value.date_text())));
    "marmot_time" 2 |_, a| Ok(maybe_text(as_time(&a[0]).map(|p| time_text(p.value.clamp(-MAX_TIME, MAX_TIME), fsp(&a[1])))));
    "marmot_datetime" 2 |c, a| Ok(maybe_text(to_datetime(c, &a[0]).and_then(|d| d.rounded(fsp(&a[1]))).map(|d| d.text(fsp(&a[1])))));
    "marmot_time_today" 2 |c, a| Ok(maybe_text(time_today(c, &a[0]).and_then(|d| d.rounded(fsp(&a[1]))).map(|d| d.text(fsp(&a[1])))));
    "marmot_extract" 2 |_, a| Ok(extract(a));
    "marmot_date_add" 4 date_add;
    "marmot_datediff" 2 |_, a| Ok(datediff(a));
    "marmot_timestampdiff" 3 |_, a| Ok(timestampdiff(a));
    "marmot_timediff" 2 |_, a| Ok(timediff(a));
    "marmot_addtime" 3 |_, a| Ok(addtime(a));
    "marmot_date_format" 2 |_, a| Ok(date_format(a));
    "marmot_time_format" 2 |_, a| Ok(time_format(a));
    "marmot_str_to_date" 2 str_to_date;
    "marmot_unix_timestamp" 1 |c, a| Ok(unix_timestamp(c, &a[0]));
    "marmot_from_unixtime" 1 |c, a| Ok(from_unixtime(c, &a[0]));
    "marmot_last_day" 1 |_, a| Ok(last_day(&a[0]));
    "marmot_dayname" 1 |_, a| Ok(maybe_text(real_date(&a[0]).map(|d| DAYS[d.weekday() as usize].to_string())));
    "marmot_monthname" 1 |_, a| Ok(maybe_text(real_date(&a[0]).map(|d| MONTHS[d.month as usize - 1].to_string())));
    "marmot_dayofweek" 1 |_, a| Ok(maybe_int(real_date(&a[0]).map(|d| i64::from((d.weekday() + 1) % 7 + 1))));
    "marmot_weekday" 1 |_, a| Ok(maybe_int(real_date(&a[0]).map(|d| i64::from(d.weekday()))));
    "marmot_dayofyear" 1 |_, a| Ok(maybe_int(real_date(&a[0]).map(|d| i64::from(d.day_of_year()))));
    "marmot_week" 2 |_, a| Ok(maybe_int(real_date(&a[0]).zip(integer(&a[1])).map(|(d, m)| week(&d, m).1)));
    "marmot_yearweek" 2 |_, a| Ok(yearweek(a));
    "marmot_to_days" 1 |_, a| Ok(maybe_int(real_date(&a[0]).map(|d| d.day_number())));
    "marmot_from_days" 1 |_, a| Ok(maybe_text(integer(&a[0]).map(from_days)));
    "marmot_to_seconds" 1 |_, a| Ok(maybe_int(real_date(&a[0]).map(|d| d.micros() / 1_000_000)));
    "marmot_time_to_sec" 1 |_, a| Ok(maybe_int(as_time(&a[0]).map(|p| p.value / 1_000_000)));
    "marmot_sec_to_time" 1 |_, a| Ok(sec_to_time(&a[0]));
    "marmot_makedate" 2 |_, a| Ok(makedate(a));
    "marmot_maketime" 3 |_, a| Ok(maketime(a));
    "marmot_period_add" 2 |_, a| Ok(period_add(a));
    "marmot_period_diff" 2 |_, a| Ok(maybe_int(integer(&a[0]).zip(integer(&a[1])).map(|(x, y)| months(x) - months(y))));
    "marmot_convert_tz" 3 |_, a| Ok(convert_tz(a));
    "marmot_temporal_number" 1 |_, a| Ok(temporal_number(&a[0]));
    "marmot_as_temporal" 3 |_, a| Ok(as_temporal(a));
    "marmot_time_micros" 1 |_, a| Ok(maybe_int(as_time(&a[0]).map(|p| p.value)));
    "marmot_time_of_micros" 2 |_, a| Ok(maybe_text(integer(&a[0]).map(|n| time_text(n, fsp(&a[1])))));
}

fn fsp(value: &Value) -> u8 {
    integer(value).map_or(0, |n| n.clamp(0, 6) as u8)
}

/// The fewest fraction digits, of 0 and 6, that show `micro`.
fn fsp_for(micro: u32) -> u8 {
    if micro == 0 { 0 } else { 6 }
}

fn real_date(value: &Value) -> Option<DateTime> {
    as_datetime(value).map(|p| p.value).filter(DateTime::is_real)
}

/// A datetime; of a bare time that of today.
fn to_datetime(context: &FunctionContext, value: &Value) -> Option<DateTime> {
    match (as_datetime(value), value) {
        (Some(parsed), _) => Some(parsed.value),
        // A number is a date, if anything.
        (None, Value::Int(_) | Value::Real(_)) => None,
        (None, _) => time_today(context, value),
    }
}

/// A TIME as a DATETIME: on the current day.
fn time_today(context: &FunctionContext, value: &Value) -> Option<DateTime> {
    let time = as_time(value)?;
    let today = DateTime::from_unix(context.now.get() + i64::from(context.utc_offset.get()), 0)?;
    DateTime::from_micros(today.day_number() * 86_400_000_000 + time.value)
}

fn unit_of(value: &Value) -> Option<Unit> {
    Unit::parse(&text(value)?)
}

fn extract(a: &[Value]) -> Value {
    let Some(unit) = unit_of(&a[1]) else { return Value::Null };
    let is_number = matches!(a[0], Value::Int(_) | Value::Real(_));
    if !unit.is_date() {
        let time = if is_number { as_time(&a[0]).map(|p| p.value) } else { bare_time(&a[0]) };
        if let Some(time) = time {
            return Value::Int(extract_time(unit, time));
        }
    }
    let Some(parsed) = as_datetime(&a[0]) else { return Value::Null };
    let d = parsed.value;
    Value::Int(match unit {
        Unit::Year => i64::from(d.year),
        Unit::Quarter => i64::from(d.month.div_ceil(3)),
        Unit::Month => i64::from(d.month),
        Unit::Week if !d.is_real() => return Value::Null,
        Unit::Week => week(&d, 0).1,
        Unit::Day => i64::from(d.day),
        Unit::YearMonth => i64::from(d.year * 100 + d.month),
        Unit::DayHour | Unit::DayMinute | Unit::DaySecond | Unit::DayMicrosecond => {
            let (scale, micro_scale) = match unit {
                Unit::DayHour => (100, 1),
                Unit::DayMinute => (10_000, 1),
                Unit::DaySecond => (1_000_000, 1),
                _ => (1_000_000, 1_000_000),
            };
            let day = i64::from(d.day) * scale * micro_scale;
            let within = match unit {
                Unit::DayHour => Unit::Hour,
                Unit::DayMinute => Unit::HourMinute,
                Unit::DaySecond => Unit::HourSecond,
                _ => Unit::HourMicrosecond,
            };
            day + extract_time(within, d.time_micros())
        }
        _ => extract_time(unit, d.time_micros()),
    })
}

/// A value that is a time without a date.
fn bare_time(value: &Value) -> Option<i64> {
    let whole = text(value)?;
    let body = whole.trim_start().trim_start_matches('-');
    let digits = body.bytes().take_while(u8::is_ascii_digit).count();
    (body.as_bytes().get(digits) == Some(&b':')).then(|| as_time(value).map(|p| p.value))?
}

/// A time without a date, also one that is written as a number.
fn plain_time(value: &Value) -> Option<i64> {
    match value {
        Value::Int(n) if n.unsigned_abs() < 10_000_000_000 => as_time(value).map(|p| p.value),
        Value::Real(x) if x.0.abs() < 1e10 => as_time(value).map(|p| p.value),
        _ => bare_time(value),
    }
}

/// Whether a value is text that begins with a date.
fn has_date(value: &Value) -> bool {
    let Value::Text(text) = value else { return false };
    let body = text.trim_start();
    let digits = body.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && body.as_bytes().get(digits) == Some(&b'-')
}

fn extract_time(unit: Unit, micros: i64) -> i64 {
    let sign = micros.signum();
    let absolute = micros.abs();
    let (seconds, micro) = (absolute / 1_000_000, absolute % 1_000_000);
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    sign * match unit {
        Unit::Hour => h,
        Unit::Minute => m,
        Unit::Second => s,
        Unit::Microsecond => micro,
        Unit::HourMinute => h * 100 + m,
        Unit::HourSecond => h * 10_000 + m * 100 + s,
        Unit::HourMicrosecond => (h * 10_000 + m * 100 + s) * 1_000_000 + micro,
        Unit::MinuteSecond => m * 100 + s,
        Unit::MinuteMicrosecond => (m * 100 + s) * 1_000_000 + micro,
        Unit::SecondMicrosecond => s * 1_000_000 + micro,
        _ => 0,
    }
}

fn amount_of(value: &Value, unit: Unit) -> Option<Amount> {
    match value {
        Value::Text(text) if unit == Unit::Second || Amount::parse("1", unit).is_some() => Amount::parse(text, unit),
        Value::Real(x) if unit == Unit::Second => Some(Amount { months: 0, micros: (x.0 * 1e6).round() as i128 }),
        other => Amount::of(integer(other)?, unit),
    }
}

/// `date_add(date, quantity, unit, sign)`; the sign is 1 or -1.
fn date_add(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let Some(unit) = unit_of(&a[2]) else { return Err(Error::wrong_arguments("date_add")) };
    let Some(mut amount) = amount_of(&a[1], unit) else { return Ok(Value::Null) };
    if a[3] == Value::Int(-1) {
        amount = amount.negated();
    }
    if let Some(time) = bare_time(&a[0]) {
        let sum = i128::from(time) + amount.micros;
        let fits = amount.months == 0 && sum.abs() <= i128::from(MAX_TIME);
        let digits = fsp_for((sum.unsigned_abs() % 1_000_000) as u32);
        return Ok(if fits { Value::text(time_text(sum as i64, digits)) } else { Value::Null });
    }
    let Some(parsed) = as_datetime(&a[0]) else { return Ok(Value::Null) };
    let Some(sum) = parsed.value.add(&amount) else { return Ok(Value::Null) };
    let date_only = !parsed.has_time && unit.is_date();
    let micros = fsp_for(sum.micro).max(if unit.has_microseconds() { 6 } else { 0 });
    Ok(Value::text(if date_only { sum.date_text() } else { sum.text(micros) }))
}

fn datediff(a: &[Value]) -> Value {
    maybe_int(real_date(&a[0]).zip(real_date(&a[1])).map(|(x, y)| x.day_number() - y.day_number()))
}

/// `timestampdiff(unit, from, to)`: whole units.
fn timestampdiff(a: &[Value]) -> Value {
    let (Some(unit), Some(from), Some(to)) = (unit_of(&a[0]), real_date(&a[1]), real_date(&a[2])) else {
        return Value::Null;
    };
    let micros = to.micros() - from.micros();
    let size = match unit {
        Unit::Microsecond => 1,
        Unit::Second => 1_000_000,
        Unit::Minute => 60_000_000,
        Unit::Hour => 3_600_000_000,
        Unit::Day => 86_400_000_000,
        Unit::Week => 7 * 86_400_000_000,
        _ => {
            let (early, late, sign) = if micros >= 0 { (from, to, 1) } else { (to, from, -1) };
            let mut count = i64::from(late.year) * 12 + i64::from(late.month);
            count -= i64::from(early.year) * 12 + i64::from(early.month);
            let within = |d: &DateTime| i64::from(d.day) * 86_400_000_000 + d.time_micros();
            count -= i64::from(within(&late) < within(&early));
            let per = match unit {
                Unit::Month => 1,
                Unit::Quarter => 3,
                _ => 12,
            };
            return Value::Int(sign * (count / per));
        }
    };
    Value::Int(micros / size)
}

fn timediff(a: &[Value]) -> Value {
    let micros = match (plain_time(&a[0]), plain_time(&a[1])) {
        (Some(x), Some(y)) => x - y,
        (None, None) => match (real_date(&a[0]), real_date(&a[1])) {
            (Some(x), Some(y)) => x.micros() - y.micros(),
            _ => return Value::Null,
        },
        _ => return Value::Null,
    };
    Value::text(time_text(micros.clamp(-MAX_TIME, MAX_TIME), fsp_for((micros.unsigned_abs() % 1_000_000) as u32)))
}

/// `addtime(value, time, sign)`.
fn addtime(a: &[Value]) -> Value {
    let (Some(time), Some(sign)) = (as_time(&a[1]), integer(&a[2])) else { return Value::Null };
    if has_date(&a[1]) {
        return Value::Null;
    }
    let delta = if sign < 0 { -time.value } else { time.value };
    if let Some(first) = plain_time(&a[0]) {
        let sum = (first + delta).clamp(-MAX_TIME, MAX_TIME);
        return Value::text(time_text(sum, fsp_for((sum.unsigned_abs() % 1_000_000) as u32)));
    }
    let sum = real_date(&a[0]).and_then(|d| DateTime::from_micros(d.micros() + delta));
    maybe_text(sum.map(|d| d.text(fsp_for(d.micro))))
}

fn yearweek(a: &[Value]) -> Value {
    let parts = real_date(&a[0]).zip(integer(&a[1])).map(|(d, mode)| week(&d, mode | 2));
    maybe_int(parts.map(|(year, week)| year * 100 + week))
}

fn unix_timestamp(context: &FunctionContext, value: &Value) -> Value {
    let Some(d) = as_datetime(value).map(|p| p.value) else {
        return if *value == Value::Null { Value::Null } else { Value::Int(0) };
    };
    if !d.is_real() {
        return Value::Int(0);
    }
    let seconds = d.unix() - i64::from(context.utc_offset.get());
    if seconds < 0 {
        return Value::Int(0);
    }
    if d.micro == 0 { Value::Int(seconds) } else { Value::real(seconds as f64 + f64::from(d.micro) / 1e6) }
}

fn from_unixtime(context: &FunctionContext, value: &Value) -> Value {
    let Some(seconds) = real(value).filter(|s| (0.0..32_536_771_200.0).contains(s)) else { return Value::Null };
    let micro = ((seconds - seconds.floor()) * 1e6).round() as u32;
    let d = DateTime::from_unix(seconds.floor() as i64 + i64::from(context.utc_offset.get()), micro.min(999_999));
    maybe_text(d.map(|d| d.text(fsp_for(d.micro))))
}

fn last_day(value: &Value) -> Value {
    let d = as_datetime(value).map(|p| p.value).filter(|d| d.month > 0);
    maybe_text(d.map(|d| DateTime { day: days_in_month(d.year, d.month), ..d }.date_text()))
}

fn sec_to_time(value: &Value) -> Value {
    let Some(seconds) = real(value) else { return Value::Null };
    let micros = ((seconds * 1e6).round()).clamp(-(MAX_TIME as f64), MAX_TIME as f64) as i64;
    Value::text(time_text(micros, fsp_for((micros.unsigned_abs() % 1_000_000) as u32)))
}

fn makedate(a: &[Value]) -> Value {
    let (Some(year), Some(day)) = (integer(&a[0]), integer(&a[1])) else { return Value::Null };
    let year = match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        100..=9999 => year,
        _ => return Value::Null,
    };
    if day <= 0 {
        return Value::Null;
    }
    let number = day_number(year as u32, 1, 1).checked_add(day - 1);
    maybe_text(number.and_then(date_of).map(|d| d.date_text()))
}

fn maketime(a: &[Value]) -> Value {
    let (Some(h), Some(m), Some(s)) = (integer(&a[0]), integer(&a[1]), real(&a[2])) else { return Value::Null };
    if !(0..60).contains(&m) || !(0.0..60.0).contains(&s) {
        return Value::Null;
    }
    let within = m * 60_000_000 + (s * 1e6).round() as i64;
    let magnitude = (h.unsigned_abs().min(839) as i64) * 3_600_000_000 + within;
    let micros = if h < 0 { -magnitude } else { magnitude }.clamp(-MAX_TIME, MAX_TIME);
    Value::text(time_text(micros, fsp_for((micros.unsigned_abs() % 1_000_000) as u32)))
}

/// A period YYMM or YYYYMM in months.
fn months(period: i64) -> i64 {
    let year = period / 100;
    let year = match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        _ => year,
    };
    year * 12 + period % 100 - 1
}

fn period_add(a: &[Value]) -> Value {
    let sum = integer(&a[0]).zip(integer(&a[1])).and_then(|(p, n)| months(p).checked_add(n));
    // No period lies beyond the year 9999.
    let sum = sum.filter(|total| (0..120_000).contains(total));
    maybe_int(sum.map(|total| total.div_euclid(12) * 100 + total.rem_euclid(12) + 1))
}

/// Seconds east of UTC of `+HH:MM`, `UTC` or `SYSTEM` (which is UTC). Named zones are not loaded, as in a MySQL
/// without time zone tables.
fn offset(zone: &str) -> Option<i64> {
    if ["UTC", "SYSTEM", "GMT", "Z"].iter().any(|z| z.eq_ignore_ascii_case(zone)) {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone[1..].split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..=14).contains(&hours) && (0..60).contains(&minutes)).then_some(sign * (hours * 3600 + minutes * 60))
}

fn convert_tz(a: &[Value]) -> Value {
    let (Some(d), Some(from), Some(to)) = (real_date(&a[0]), text(&a[1]), text(nth(a, 2))) else { return Value::Null };
    let (Some(from), Some(to)) = (offset(&from), offset(&to)) else { return Value::Null };
    maybe_text(DateTime::from_micros(d.micros() + (to - from) * 1_000_000).map(|d| d.text(fsp_for(d.micro))))
}

/// A date or time in numeric context: `NOW() + 0`.
/// `as_temporal(value, kind, fsp)`: a string that is compared with a DATE, DATETIME or TIME, in the format of that; zero if it
/// is none (manual, "Date and Time Data Types").
fn as_temporal(a: &[Value]) -> Value {
    let fsp = fsp(&a[2]);
    let ty = match text(&a[1]).as_deref() {
        Some("DATE") => ColumnType::Date,
        Some("TIME") => ColumnType::Time(fsp),
        _ => ColumnType::DateTime(fsp),
    };
    to_temporal(&a[0], &ty)
}

/// The date of a day number; the year 0 has none.
fn from_days(number: i64) -> String {
    date_of(number).filter(|_| number > 365).unwrap_or_default().date_text()
}

fn temporal_number(value: &Value) -> Value {
    if let Some(time) = bare_time(value) {
        let whole = extract_time(Unit::HourSecond, time);
        return match time % 1_000_000 {
            0 => Value::Int(whole),
            micros => Value::real(whole as f64 + micros as f64 / 1e6),
        };
    }
    match as_datetime(value) {
        Some(parsed) => {
            let whole = parsed.value.number(parsed.has_time);
            match parsed.value.micro {
                0 => Value::Int(whole),
                micro => Value::real(whole as f64 + f64::from(micro) / 1e6),
            }
        }
        None => crate::sql::store::to_number(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &[Value]) -> Value {
        let function = FUNCTIONS.iter().find(|f| f.name == name).unwrap();
        (function.eval)(&FunctionContext::default(), arguments).unwrap()
    }
    fn t(s: &str) -> Value {
        Value::from(s)
    }
    fn i(n: i64) -> Value {
        Value::Int(n)
    }

    #[test]
    fn as_the_manual_says() {
        let add = |d, n: Value, u| call("marmot_date_add", &[t(d), n, t(u), i(1)]);
        assert_eq!(add("2018-05-01", i(1), "DAY"), t("2018-05-02"));
        assert_eq!(add("2020-12-31 23:59:59", i(1), "SECOND"), t("2021-01-01 00:00:00"));
        assert_eq!(add("2100-12-31 23:59:59", t("1:1"), "MINUTE_SECOND"), t("2101-01-01 00:01:00"));
        assert_eq!(
            add("1992-12-31 23:59:59.000002", t("1.999999"), "SECOND_MICROSECOND"),
            t("1993-01-01 00:00:01.000001")
        );
        assert_eq!(add("2024-03-30", i(-1), "MONTH"), t("2024-02-29"));
        assert_eq!(add("2013-01-01", i(1), "HOUR"), t("2013-01-01 01:00:00"));
        assert_eq!(call("marmot_datediff", &[t("2007-12-31 23:59:59"), t("2007-12-30")]), i(1));
        assert_eq!(call("marmot_date_format", &[t("2009-10-04 22:23:00"), t("%W %M %Y")]), t("Sunday October 2009"));
        assert_eq!(
            call("marmot_date_format", &[t("1997-10-04 22:23:00"), t("%H %k %I %r %T %S %w")]),
            t("22 22 10 10:23:00 PM 22:23:00 00 6")
        );
        assert_eq!(call("marmot_date_format", &[t("1999-01-01"), t("%X %V")]), t("1998 52"));
        assert_eq!(call("marmot_str_to_date", &[t("01,5,2013"), t("%d,%m,%Y")]), t("2013-05-01"));
        assert_eq!(call("marmot_str_to_date", &[t("May 1, 2013"), t("%M %d,%Y")]), t("2013-05-01"));
        assert_eq!(call("marmot_str_to_date", &[t("9"), t("%s")]), t("00:00:09"));
        assert_eq!(call("marmot_str_to_date", &[t("10:11 PM"), t("%h:%i %p")]), t("22:11:00"));
        assert_eq!(call("marmot_timestampdiff", &[t("MONTH"), t("2003-02-01"), t("2003-05-01")]), i(3));
        assert_eq!(call("marmot_timestampdiff", &[t("YEAR"), t("2002-05-01"), t("2001-01-01")]), i(-1));
        assert_eq!(call("marmot_timestampdiff", &[t("MINUTE"), t("2003-02-01"), t("2003-05-01 12:05:55")]), i(128_885));
        assert_eq!(call("marmot_week", &[t("2008-02-20"), i(0)]), i(7));
        assert_eq!(call("marmot_week", &[t("2008-02-20"), i(1)]), i(8));
        assert_eq!(call("marmot_week", &[t("2008-12-31"), i(1)]), i(53));
        assert_eq!(call("marmot_yearweek", &[t("1987-01-01"), i(0)]), i(198_652));
        assert_eq!(call("marmot_dayofweek", &[t("2007-02-03")]), i(7));
        assert_eq!(call("marmot_unix_timestamp", &[t("2015-11-13 10:20:19")]), i(1_447_410_019));
        assert_eq!(call("marmot_from_unixtime", &[i(1_447_430_881)]), t("2015-11-13 16:08:01"));
        assert_eq!(call("marmot_last_day", &[t("2004-02-05")]), t("2004-02-29"));
        assert_eq!(call("marmot_makedate", &[i(2011), i(32)]), t("2011-02-01"));
        assert_eq!(call("marmot_extract", &[t("2019-07-02 01:02:03"), t("DAY_MINUTE")]), i(20_102));
        assert_eq!(call("marmot_extract", &[t("2003-01-02 10:30:00.000123"), t("MICROSECOND")]), i(123));
        assert_eq!(
            call("marmot_timediff", &[t("2000-01-01 00:00:00"), t("2000-01-01 00:00:00.000001")]),
            t("-00:00:00.000001")
        );
        assert_eq!(call("marmot_sec_to_time", &[i(2378)]), t("00:39:38"));
        assert_eq!(call("marmot_period_add", &[i(200_801), i(2)]), i(200_803));
        assert_eq!(
            call("marmot_convert_tz", &[t("2004-01-01 12:00:00"), t("+00:00"), t("+10:00")]),
            t("2004-01-01 22:00:00")
        );
        assert_eq!(call("marmot_temporal_number", &[t("2024-01-31 10:20:30")]), i(20_240_131_102_030));
        assert_eq!(call("marmot_dayofyear", &[t("abc")]), Value::Null);
    }
}
