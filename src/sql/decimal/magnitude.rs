//! Natural numbers of any size, in limbs of nine decimal digits.

use std::cmp::Ordering;
use std::fmt;

const BASE: u64 = 1_000_000_000;
const LIMB_DIGITS: usize = 9;

/// See the module. The least significant limb comes first; the last one is not zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Magnitude(Vec<u32>);

impl Magnitude {
    /// Reads digits; `None` if one is none.
    pub(super) fn parse(digits: impl Iterator<Item = u8>) -> Option<Magnitude> {
        let digits: Vec<u8> = digits.collect();
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let limb = |chunk: &[u8]| chunk.iter().fold(0, |n, c| n * 10 + u32::from(c - b'0'));
        Some(Magnitude(digits.rchunks(LIMB_DIGITS).map(limb).collect()).trimmed())
    }

    fn trimmed(mut self) -> Magnitude {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    /// Significant digits; none for zero.
    pub(super) fn digits(&self) -> usize {
        let Some(top) = self.0.last() else { return 0 };
        (self.0.len() - 1) * LIMB_DIGITS + top.ilog10() as usize + 1
    }

    pub(super) fn to_u64(&self) -> Option<u64> {
        self.0.iter().rev().try_fold(0u64, |n, limb| n.checked_mul(BASE)?.checked_add(u64::from(*limb)))
    }

    pub(super) fn plus(&self, other: &Magnitude) -> Magnitude {
        let mut sum = Vec::with_capacity(self.0.len().max(other.0.len()) + 1);
        let mut carry = 0;
        for i in 0..self.0.len().max(other.0.len()) {
            let limb = |m: &Magnitude| u64::from(m.0.get(i).copied().unwrap_or(0));
            let total = limb(self) + limb(other) + carry;
            sum.push((total % BASE) as u32);
            carry = total / BASE;
        }
        sum.push(carry as u32);
        Magnitude(sum).trimmed()
    }

    /// `self - other`, which must not be larger.
    pub(super) fn minus(&self, other: &Magnitude) -> Magnitude {
        let mut rest = Vec::with_capacity(self.0.len());
        let mut borrow = 0;
        for (i, limb) in self.0.iter().enumerate() {
            let take = u64::from(other.0.get(i).copied().unwrap_or(0)) + borrow;
            let limb = u64::from(*limb);
            borrow = u64::from(limb < take);
            rest.push((limb + borrow * BASE - take) as u32);
        }
        assert!(borrow == 0 && other.0.len() <= self.0.len(), "a larger number taken from a smaller one");
        Magnitude(rest).trimmed()
    }

    pub(super) fn times(&self, other: &Magnitude) -> Magnitude {
        let mut product = vec![0u32; self.0.len() + other.0.len() + 1];
        for (i, x) in self.0.iter().enumerate() {
            let mut carry = 0;
            for (j, y) in other.0.iter().enumerate() {
                let total = u64::from(product[i + j]) + u64::from(*x) * u64::from(*y) + carry;
                product[i + j] = (total % BASE) as u32;
                carry = total / BASE;
            }
            product[i + other.0.len()] = carry as u32;
        }
        Magnitude(product).trimmed()
    }

    fn times_small(&self, factor: u64) -> Magnitude {
        let mut carry = 0;
        let mut product: Vec<u32> = self
            .0
            .iter()
            .map(|limb| {
                let total = u64::from(*limb) * factor + carry;
                carry = total / BASE;
                (total % BASE) as u32
            })
            .collect();
        product.push(carry as u32);
        Magnitude(product).trimmed()
    }

    pub(super) fn times_ten_to(&self, exponent: usize) -> Magnitude {
        if self.is_zero() {
            return self.clone();
        }
        let mut shifted = vec![0; exponent / LIMB_DIGITS];
        shifted.extend(self.times_small(10u64.pow((exponent % LIMB_DIGITS) as u32)).0);
        Magnitude(shifted)
    }

    /// Without the last `exponent` digits.
    pub(super) fn over_ten_to(&self, exponent: usize) -> Magnitude {
        let whole = self.0.get(exponent / LIMB_DIGITS..).unwrap_or(&[]).to_vec();
        Magnitude(whole).divide_small(10u32.pow((exponent % LIMB_DIGITS) as u32)).0
    }

    /// Quotient and remainder by a number below 10^9.
    pub(super) fn divide_small(&self, divisor: u32) -> (Magnitude, u32) {
        let mut rest = 0u64;
        let mut quotient = vec![0; self.0.len()];
        for (i, limb) in self.0.iter().enumerate().rev() {
            let part = rest * BASE + u64::from(*limb);
            quotient[i] = (part / u64::from(divisor)) as u32;
            rest = part % u64::from(divisor);
        }
        (Magnitude(quotient).trimmed(), rest as u32)
    }

    /// Quotient and remainder; `None` for division by zero.
    pub(super) fn divide(&self, divisor: &Magnitude) -> Option<(Magnitude, Magnitude)> {
        match divisor.0.as_slice() {
            [] => return None,
            [small] => {
                let (quotient, rest) = self.divide_small(*small);
                return Some((quotient, Magnitude::from(u64::from(rest))));
            }
            _ if self < divisor => return Some((Magnitude::from(0), self.clone())),
            _ => {}
        }
        // Knuth, Algorithm D: both are scaled so that the divisor's first limb is at least half the base.
        let scale = BASE / (u64::from(divisor.0[divisor.0.len() - 1]) + 1);
        let (v, mut u) = (divisor.times_small(scale).0, self.times_small(scale).0);
        u.resize(self.0.len() + 1, 0);
        let n = v.len();
        let (first, second) = (u64::from(v[n - 1]), u64::from(v[n - 2]));
        let mut quotient = vec![0; u.len() - n];
        for j in (0..u.len() - n).rev() {
            let top = u64::from(u[j + n]) * BASE + u64::from(u[j + n - 1]);
            let (mut digit, mut rest) = (top / first, top % first);
            while digit >= BASE || digit * second > rest * BASE + u64::from(u[j + n - 2]) {
                digit -= 1;
                rest += first;
                if rest >= BASE {
                    break;
                }
            }
            if !subtract_multiple(&mut u[j..=j + n], &v, digit) {
                digit -= 1;
                add_back(&mut u[j..=j + n], &v);
            }
            quotient[j] = digit as u32;
        }
        u.truncate(n);
        let (rest, _) = Magnitude(u).trimmed().divide_small(scale as u32);
        Some((Magnitude(quotient).trimmed(), rest))
    }
}

/// Takes `digit` times `v` from `u`; false if that went below zero, as in complement.
fn subtract_multiple(u: &mut [u32], v: &[u32], digit: u64) -> bool {
    let (mut carry, mut borrow) = (0, 0);
    for (i, limb) in u.iter_mut().enumerate() {
        let product = digit * u64::from(v.get(i).copied().unwrap_or(0)) + carry;
        carry = product / BASE;
        let take = product % BASE + borrow;
        let from = u64::from(*limb);
        borrow = u64::from(from < take);
        *limb = (from + borrow * BASE - take) as u32;
    }
    borrow == 0
}

fn add_back(u: &mut [u32], v: &[u32]) {
    let mut carry = 0;
    for (i, limb) in u.iter_mut().enumerate() {
        let total = u64::from(*limb) + u64::from(v.get(i).copied().unwrap_or(0)) + carry;
        *limb = (total % BASE) as u32;
        carry = total / BASE;
    }
}

impl From<u64> for Magnitude {
    fn from(n: u64) -> Magnitude {
        Magnitude(vec![(n % BASE) as u32, (n / BASE % BASE) as u32, (n / BASE / BASE) as u32]).trimmed()
    }
}

impl PartialOrd for Magnitude {
    fn partial_cmp(&self, other: &Magnitude) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Magnitude {
    fn cmp(&self, other: &Magnitude) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

impl fmt::Display for Magnitude {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut limbs = self.0.iter().rev();
        let Some(top) = limbs.next() else { return f.write_str("0") };
        write!(f, "{top}")?;
        limbs.try_for_each(|limb| write!(f, "{limb:09}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn m(text: &str) -> Magnitude {
        Magnitude::parse(text.bytes()).unwrap()
    }

    /// Division undoes multiplication, also where a quotient's limb is guessed too large.
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
    }
}
