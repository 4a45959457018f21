//! Dates and times between their text (`YYYY-MM-DD HH:MM:SS[.ffffff]`, `[-]HHH:MM:SS[.ffffff]`) and the binary protocol.

use super::packet::{Malformed, Payload, Reader};
use std::io::Write;

/// A date and time of day; all parts may be zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct DateTime {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    micros: u32,
}

/// Appends a DATE cell, length first; `None` if `text` is not a date.
pub(super) fn put_date(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let moment = parse_datetime(text)?;
    put_moment(DateTime { hour: 0, minute: 0, second: 0, micros: 0, ..moment }, out);
    Some(())
}

/// Appends a DATETIME or TIMESTAMP cell, length first; `None` if `text` is not one.
pub(super) fn put_datetime(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    put_moment(parse_datetime(text)?, out);
    Some(())
}

fn put_moment(m: DateTime, out: &mut Vec<u8>) {
    let length = match m {
        _ if m.micros != 0 => 11,
        _ if m.hour | m.minute | m.second != 0 => 7,
        _ if m.year != 0 || m.month | m.day != 0 => 4,
        _ => 0,
    };
    out.put_u8(length);
    if length >= 4 {
        out.put_u16(m.year);
        out.put_bytes(&[m.month, m.day]);
    }
    if length >= 7 {
        out.put_bytes(&[m.hour, m.minute, m.second]);
    }
    if length >= 11 {
        out.put_u32(m.micros);
    }
}

/// Appends a TIME cell, length first; `None` if `text` is not a time.
pub(super) fn put_time(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (negative, text) = text.strip_prefix(b"-").map_or((false, text), |t| (true, t));
    let mut digits = Digits { rest: text };
    let hours = digits.number(1, 3)?;
    digits.expect(b':')?;
    let minute = digits.below(60)?;
    digits.expect(b':')?;
    let second = digits.below(60)?;
    let micros = digits.fraction()?;
    if hours == 0 && minute | second == 0 && micros == 0 {
        out.put_u8(0);
        return Some(());
    }
    out.put_u8(if micros == 0 { 8 } else { 12 });
    out.put_u8(u8::from(negative));
    out.put_u32(hours / 24);
    out.put_bytes(&[(hours % 24) as u8, minute, second]);
    if micros != 0 {
        out.put_u32(micros);
    }
    Some(())
}

fn parse_datetime(text: &[u8]) -> Option<DateTime> {
    let mut digits = Digits { rest: text };
    let year = digits.number(4, 4)? as u16;
    digits.expect(b'-')?;
    let month = digits.below(13)?;
    digits.expect(b'-')?;
    let day = digits.below(32)?;
    let date = DateTime { year, month, day, ..DateTime::default() };
    if digits.rest.is_empty() {
        return Some(date);
    }
    digits.expect(b' ').or_else(|| digits.expect(b'T'))?;
    let hour = digits.below(24)?;
    digits.expect(b':')?;
    let minute = digits.below(60)?;
    // SQLite's own functions may leave the seconds out.
    let second = if digits.rest.is_empty() {
        0
    } else {
        digits.expect(b':')?;
        digits.below(60)?
    };
    let micros = digits.fraction()?;
    Some(DateTime { hour, minute, second, micros, ..date })
}

struct Digits<'a> {
    rest: &'a [u8],
}

impl Digits<'_> {
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let n = self.rest.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
        let (head, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        (n >= least).then(|| head.iter().fold(0, |x, b| x * 10 + u32::from(b - b'0')))
    }
    /// Two digits that make a number below `limit`.
    fn below(&mut self, limit: u32) -> Option<u8> {
        self.number(2, 2).filter(|x| *x < limit).map(|x| x as u8)
    }
    fn expect(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }
    /// Nothing, or a point and one to six digits (more are cut off), to the end.
    fn fraction(&mut self) -> Option<u32> {
        if self.rest.is_empty() {
            return Some(0);
        }
        self.expect(b'.')?;
        let n = self.rest.len().min(6);
        let micros = self.number(n.max(1), 6)? * 10u32.pow(6 - n as u32);
        self.rest.iter().all(u8::is_ascii_digit).then_some(micros)
    }
}

/// Why a binary date or time is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Malformed,
    /// Well-formed but not a date or time that exists.
    OutOfRange,
}

impl From<Malformed> for Refused {
    fn from(_: Malformed) -> Self {
        Refused::Malformed
    }
}

/// Reads a DATE parameter into its text.
pub(super) fn read_date(reader: &mut Reader<'_>) -> Result<String, Refused> {
    let m = read_moment(reader)?;
    Ok(format!("{:04}-{:02}-{:02}", m.year, m.month, m.day))
}

/// Reads a DATETIME or TIMESTAMP parameter into its text; a fraction appears only if it is not zero.
pub(super) fn read_datetime(reader: &mut Reader<'_>) -> Result<String, Refused> {
    let m = read_moment(reader)?;
    let mut text = Vec::with_capacity(26);
    let head = (m.year, m.month, m.day);
    write!(text, "{:04}-{:02}-{:02} {:02}:{:02}:{:02}", head.0, head.1, head.2, m.hour, m.minute, m.second)
        .expect("writing to memory does not fail");
    put_fraction(&mut text, m.micros);
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn read_moment(reader: &mut Reader<'_>) -> Result<DateTime, Refused> {
    let length = reader.u8()?;
    let mut m = DateTime::default();
    if !matches!(length, 0 | 4 | 7 | 11) {
        return Err(Refused::Malformed);
    }
    if length >= 4 {
        (m.year, m.month, m.day) = (reader.u16()?, reader.u8()?, reader.u8()?);
    }
    if length >= 7 {
        (m.hour, m.minute, m.second) = (reader.u8()?, reader.u8()?, reader.u8()?);
    }
    if length >= 11 {
        m.micros = reader.u32()?;
    }
    let sound = m.year < 10_000 && m.month < 13 && m.day < 32;
    let sound = sound && m.hour < 24 && m.minute < 60 && m.second < 60 && m.micros < 1_000_000;
    if sound { Ok(m) } else { Err(Refused::OutOfRange) }
}

/// Reads a TIME parameter into its text.
pub(super) fn read_time(reader: &mut Reader<'_>) -> Result<String, Refused> {
    let length = reader.u8()?;
    if !matches!(length, 0 | 8 | 12) {
        return Err(Refused::Malformed);
    }
    let (mut negative, mut days, mut hour, mut minute, mut second, mut micros) = (0, 0, 0, 0, 0, 0);
    if length >= 8 {
        (negative, days) = (reader.u8()?, reader.u32()?);
        (hour, minute, second) = (reader.u8()?, reader.u8()?, reader.u8()?);
    }
    if length >= 12 {
        micros = reader.u32()?;
    }
    if negative > 1 || days > 34 || hour > 23 || minute > 59 || second > 59 || micros > 999_999 {
        return Err(Refused::OutOfRange);
    }
    let hours = days * 24 + u32::from(hour);
    if hours > 838 {
        return Err(Refused::OutOfRange);
    }
    let mut text = Vec::with_capacity(17);
    let sign = if negative == 1 { "-" } else { "" };
    write!(text, "{sign}{hours:02}:{minute:02}:{second:02}").expect("writing to memory does not fail");
    put_fraction(&mut text, micros);
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn put_fraction(text: &mut Vec<u8>, micros: u32) {
    if micros != 0 {
        write!(text, ".{micros:06}").expect("writing to memory does not fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn datetime(text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        put_datetime(text.as_bytes(), &mut out).map(|()| out)
    }
    fn time(text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        put_time(text.as_bytes(), &mut out).map(|()| out)
    }

    #[test]
    fn datetimes_use_the_shortest_form() {
        assert_eq!(datetime("0000-00-00 00:00:00"), Some(vec![0]));
        assert_eq!(datetime("2010-10-17 00:00:00"), Some(vec![4, 0xda, 7, 10, 17]));
        assert_eq!(datetime("2010-10-17 19:27:30"), Some(vec![7, 0xda, 7, 10, 17, 19, 27, 30]));
        let micros = Some(vec![11, 0xda, 7, 10, 17, 19, 27, 30, 1, 0, 0, 0]);
        assert_eq!(datetime("2010-10-17 19:27:30.000001"), micros);
        assert_eq!(datetime("2010-10-17 19:27:30.0000019"), micros);
        assert_eq!(datetime("2010-10-17 19:27:30.5").map(|b| b[8..].to_vec()), Some(500_000u32.to_le_bytes().to_vec()));
        for bad in [
            "",
            "2010",
            "2010-13-01",
            "2010-10-17 24:00:00",
            "2010-10-17 1:2:3",
            "2010-10-17x",
            "abc",
            "2010-10-17 19:27:30.",
        ] {
            assert_eq!(datetime(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_have_days_and_sign() {
        assert_eq!(time("00:00:00"), Some(vec![0]));
        assert_eq!(time("-100:01:02"), Some(vec![8, 1, 4, 0, 0, 0, 4, 1, 2]));
        assert_eq!(time("838:59:59.25").map(|b| b[9..].to_vec()), Some(250_000u32.to_le_bytes().to_vec()));
        for bad in ["", "1", "1:60:00", "12:00", "1000:00:00", "--1:00:00"] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        assert_eq!(read_datetime(&mut Reader::new(&[4, 0xda, 7, 13, 1])), Err(Refused::OutOfRange));
        assert_eq!(read_datetime(&mut Reader::new(&[5, 0xda, 7, 13, 1])), Err(Refused::Malformed));
        assert_eq!(read_time(&mut Reader::new(&[8, 0, 35, 0, 0, 0, 0, 0, 0])), Err(Refused::OutOfRange));
        assert_eq!(read_time(&mut Reader::new(&[8, 0])), Err(Refused::Malformed));
        assert_eq!(read_date(&mut Reader::new(&[0])), Ok("0000-00-00".into()));
    }

    proptest! {
        #[test]
        fn datetimes_round_trip(y in 0u16..10_000, mo in 0u8..13, d in 0u8..32, h in 0u8..24, mi in 0u8..60, s in 0u8..60, us in 0u32..1_000_000) {
            let mut text = format!("{y:04}-{mo:02}-{d:02} {h:02}:{mi:02}:{s:02}");
            if us != 0 { text += &format!(".{us:06}"); }
            let bytes = datetime(&text).unwrap();
            prop_assert_eq!(read_datetime(&mut Reader::new(&bytes)), Ok(text));
        }
        #[test]
        fn times_round_trip(negative: bool, h in 0u32..839, m in 0u8..60, s in 0u8..60, us in 0u32..1_000_000) {
            prop_assume!(h as u64 + u64::from(m) + u64::from(s) + u64::from(us) > 0);
            let mut text = format!("{}{h:02}:{m:02}:{s:02}", if negative { "-" } else { "" });
            if us != 0 { text += &format!(".{us:06}"); }
            let bytes = time(&text).unwrap();
            prop_assert_eq!(read_time(&mut Reader::new(&bytes)), Ok(text));
        }
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let mut out = Vec::new();
            let _ = (put_datetime(&bytes, &mut out), put_time(&bytes, &mut out), put_date(&bytes, &mut out));
            let _ = (read_datetime(&mut Reader::new(&bytes)), read_time(&mut Reader::new(&bytes)));
        }
    }
}
