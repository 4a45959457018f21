//! Numbers as MySQL prints and converts them.

use super::{Cell, Column};
use std::io::Write;

/// Appends `i`, or the unsigned number of the same bits, padded with zeros to `width`.
pub(super) fn put_integer(out: &mut Vec<u8>, i: i64, unsigned: bool, width: u8) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let negative = i < 0 && !unsigned;
    let mut x = if negative { i.unsigned_abs() } else { i as u64 };
    loop {
        at -= 1;
        digits[at] = b'0' + (x % 10) as u8;
        x /= 10;
        if x == 0 {
            break;
        }
    }
    if negative {
        out.push(b'-');
    }
    let padding = usize::from(width).saturating_sub(digits.len() - at + usize::from(negative));
    out.resize(out.len() + padding, b'0');
    out.extend_from_slice(&digits[at..]);
}

/// Appends an integer as a DECIMAL with that many digits after the point.
pub(super) fn put_integer_as_decimal(out: &mut Vec<u8>, i: i64, decimals: u8) {
    put_integer(out, i, false, 0);
    let decimals = decimals.min(30);
    if decimals > 0 {
        out.push(b'.');
        out.resize(out.len() + usize::from(decimals), b'0');
    }
}

/// Appends a DOUBLE: with a fixed number of decimals, or (31) the shortest digits that give it back, with an exponent
/// from 1e15 up and from 1e-16 down, as MySQL does.
pub(super) fn put_double(out: &mut Vec<u8>, x: f64, decimals: u8) {
    if decimals < Column::NOT_FIXED {
        put_fixed(out, x, decimals);
    } else {
        put_shortest(out, format_args!("{x:e}"));
    }
}

/// Appends a FLOAT: with a fixed number of decimals, or (31) six significant digits, as MySQL does.
pub(super) fn put_float(out: &mut Vec<u8>, x: f32, decimals: u8) {
    if decimals < Column::NOT_FIXED {
        put_fixed(out, f64::from(x), decimals);
    } else {
        put_shortest(out, format_args!("{x:.5e}"));
    }
}

fn put_fixed(out: &mut Vec<u8>, x: f64, decimals: u8) {
    write!(out, "{x:.0$}", usize::from(decimals)).expect("writing to memory does not fail");
}

/// Turns `d.ddde±x` into MySQL's form: trailing zeros dropped, positional unless the exponent is large.
fn put_shortest(out: &mut Vec<u8>, scientific: std::fmt::Arguments<'_>) {
    let mut buffer = [0u8; 48];
    let mut rest = &mut buffer[..];
    let fits = rest.write_fmt(scientific).is_ok();
    let used = 48 - rest.len();
    let text = if fits { std::str::from_utf8(&buffer[..used]).unwrap_or("0") } else { "0" };
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |t| ("-", t));
    let Some((mantissa, exponent)) = text.split_once('e') else {
        // NaN and infinities: MySQL has none.
        out.extend_from_slice(sign.as_bytes());
        out.extend_from_slice(text.as_bytes());
        return;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (first, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0').as_bytes();
    out.extend_from_slice(sign.as_bytes());
    match exponent {
        0..=14 => {
            let whole = usize::try_from(exponent).unwrap_or(0);
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(&fraction[..whole.min(fraction.len())]);
            out.resize(out.len() + whole.saturating_sub(fraction.len()), b'0');
            if fraction.len() > whole {
                out.push(b'.');
                out.extend_from_slice(&fraction[whole..]);
            }
        }
        -15..0 => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + usize::try_from(-exponent - 1).unwrap_or(0), b'0');
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(fraction);
        }
        _ => {
            out.extend_from_slice(first.as_bytes());
            if !fraction.is_empty() {
                out.push(b'.');
                out.extend_from_slice(fraction);
            }
            write!(out, "e{exponent}").expect("writing to memory does not fail");
        }
    }
}

/// The cell as a 64-bit pattern, if it is exactly an integer of that signedness.
pub(super) fn to_integer(cell: Cell<'_>, unsigned: bool) -> Option<i64> {
    match cell {
        Cell::Int(i) => Some(i),
        Cell::Real(r) if r.fract() == 0.0 && (-9.2e18..9.2e18).contains(&r) => Some(r as i64),
        Cell::Text(t) | Cell::Blob(t) => {
            let text = std::str::from_utf8(t).ok()?.trim();
            let signed = text.parse().ok();
            signed.or_else(|| if unsigned { text.parse::<u64>().ok().map(|x| x as i64) } else { None })
        }
        Cell::Null | Cell::Real(_) => None,
    }
}

/// Whether the pattern from [`to_integer`] keeps its value in that many bytes.
pub(super) fn fits(x: i64, width: u8, unsigned: bool) -> bool {
    let bits = u32::from(width) * 8;
    match (bits, unsigned) {
        (64.., _) => true,
        (_, true) => x >= 0 && x >> bits == 0,
        (_, false) => x >> (bits - 1) == 0 || x >> (bits - 1) == -1,
    }
}

/// The cell as a floating-point number.
pub(super) fn to_real(cell: Cell<'_>) -> Option<f64> {
    match cell {
        Cell::Int(i) => Some(i as f64),
        Cell::Real(r) => Some(r),
        Cell::Text(t) | Cell::Blob(t) => std::str::from_utf8(t).ok()?.trim().parse().ok(),
        Cell::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn double(x: f64) -> String {
        let mut out = Vec::new();
        put_double(&mut out, x, 31);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_look_as_in_mysql() {
        let cases = [
            (0.0, "0"),
            (-0.5, "-0.5"),
            (1.0, "1"),
            (100.0, "100"),
            (123.456, "123.456"),
            (1e14, "100000000000000"),
            (1e15, "1e15"),
            (1.5e300, "1.5e300"),
            (0.0001, "0.0001"),
            (1e-15, "0.000000000000001"),
            (1.25e-16, "1.25e-16"),
            (0.1 + 0.2, "0.30000000000000004"),
        ];
        for (x, text) in cases {
            assert_eq!(double(x), text);
        }
        assert_eq!(double(f64::NAN), "NaN");
    }

    #[test]
    fn floats_have_six_digits_and_fixed_ones_their_decimals() {
        let float = |x: f32, d| {
            let mut out = Vec::new();
            put_float(&mut out, x, d);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(float(1.1, 31), "1.1");
        assert_eq!(float(16_777_216.0, 31), "16777200");
        assert_eq!(float(3.15159, 2), "3.15");
    }

    #[test]
    fn ranges_of_integer_widths() {
        assert!(fits(127, 1, false) && fits(-128, 1, false) && !fits(128, 1, false) && !fits(-129, 1, false));
        assert!(fits(255, 1, true) && !fits(256, 1, true) && !fits(-1, 4, true) && fits(-1, 8, true));
        assert_eq!(to_integer(Cell::Text(b"9223372036854775808"), false), None);
        assert_eq!(to_integer(Cell::Text(b"9223372036854775808"), true), Some(i64::MIN));
    }

    proptest! {
        #[test]
        fn printed_doubles_read_back(bits: u64) {
            let x = f64::from_bits(bits);
            prop_assume!(x.is_finite());
            prop_assert_eq!(double(x).parse::<f64>().unwrap(), x);
        }
        #[test]
        fn printed_integers_read_back(i: i64, width in 0u8..30) {
            let mut out = Vec::new();
            put_integer(&mut out, i, false, width);
            let text = String::from_utf8(out).unwrap();
            prop_assert_eq!(text.parse::<i64>().unwrap(), i);
            prop_assert!(text.len() >= usize::from(width));
        }
    }
}
