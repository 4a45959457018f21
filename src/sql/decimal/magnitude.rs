//! Natural numbers of any size, counted in decimal digits.

use num_bigint::BigUint;
use std::fmt;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Magnitude(BigUint);

fn power_of_ten(exponent: usize) -> BigUint {
    BigUint::from(10u8).pow(u32::try_from(exponent).unwrap_or(u32::MAX))
}

impl Magnitude {
    /// Reads digits; `None` if one is none.
    pub(super) fn parse(digits: impl Iterator<Item = u8>) -> Option<Magnitude> {
        let digits: Vec<u8> = digits.collect();
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        if digits.is_empty() { Some(Magnitude::from(0)) } else { BigUint::parse_bytes(&digits, 10).map(Magnitude) }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.bits() == 0
    }

    /// Significant digits; none for zero.
    pub(super) fn digits(&self) -> usize {
        if let Some(small) = self.to_u64() {
            return small.checked_ilog10().map_or(0, |n| n as usize + 1);
        }
        // Of a number of n bits, at least so many (log10 2 = 0.30102999...), and at most one more.
        let least = usize::try_from((self.0.bits() - 1) * 30_102 / 100_000).unwrap_or(usize::MAX);
        let mut digits = least.max(1);
        while self.0 >= power_of_ten(digits) {
            digits += 1;
        }
        digits
    }

    pub(super) fn to_u64(&self) -> Option<u64> {
        u64::try_from(&self.0).ok()
    }

    pub(super) fn plus(&self, other: &Magnitude) -> Magnitude {
        Magnitude(&self.0 + &other.0)
    }

    /// `self - other`, which must not be larger.
    pub(super) fn minus(&self, other: &Magnitude) -> Magnitude {
        Magnitude(&self.0 - &other.0)
    }

    pub(super) fn times(&self, other: &Magnitude) -> Magnitude {
        Magnitude(&self.0 * &other.0)
    }

    pub(super) fn times_ten_to(&self, exponent: usize) -> Magnitude {
        if self.is_zero() { self.clone() } else { Magnitude(&self.0 * power_of_ten(exponent)) }
    }

    /// Without the last `exponent` digits.
    pub(super) fn over_ten_to(&self, exponent: usize) -> Magnitude {
        if exponent > self.digits() { Magnitude::from(0) } else { Magnitude(&self.0 / power_of_ten(exponent)) }
    }

    /// Quotient and remainder; `None` for division by zero.
    pub(super) fn divide(&self, divisor: &Magnitude) -> Option<(Magnitude, Magnitude)> {
        if divisor.is_zero() {
            return None;
        }
        let quotient = &self.0 / &divisor.0;
        let rest = &self.0 - &quotient * &divisor.0;
        Some((Magnitude(quotient), Magnitude(rest)))
    }
}

impl From<u64> for Magnitude {
    fn from(n: u64) -> Magnitude {
        Magnitude(BigUint::from(n))
    }
}

impl fmt::Display for Magnitude {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn m(text: &str) -> Magnitude {
        Magnitude::parse(text.bytes()).unwrap()
    }

    /// Division undoes multiplication.
    #[test]
    fn quotient_and_remainder() {
        let divisors = ["3", "1000000000", "999999999999999999", "500000000000000000000000001", "1000000000000000000"];
        let quotients = ["1", "999999999", "999999999999999999999999999", "123456789012345678901234567890"];
        for divisor in divisors {
            for quotient in quotients {
                let (d, q) = (m(divisor), m(quotient));
                let rest = d.minus(&Magnitude::from(1));
                let dividend = d.times(&q).plus(&rest);
                assert_eq!(dividend.divide(&d), Some((q, rest)), "{dividend} / {d}");
            }
        }
        assert_eq!(m("5").divide(&m("0")), None);
    }

    #[test]
    fn powers_of_ten() {
        assert_eq!(m("12345").times_ten_to(20).to_string(), "1234500000000000000000000");
        assert_eq!(m("1234500000000000000000000").over_ten_to(20), m("12345"));
        assert_eq!((m("0").digits(), m("1000000000").digits(), m("999").digits()), (0, 10, 3));
        for n in 1..200 {
            let power = Magnitude::from(1).times_ten_to(n);
            assert_eq!((power.digits(), power.minus(&Magnitude::from(1)).digits()), (n + 1, n));
        }
    }
}
