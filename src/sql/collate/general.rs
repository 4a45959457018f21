//! Weights of `utf8mb4_general_ci`: one a character, as MySQL has had them since Unicode 3.0 (manual, "Unicode Character
//! Sets": "comparisons are one to one between characters").
//!
//! A character weighs what the capital of its base letter is numbered: é, É and e are one, ß is S and not ss. Letters that
//! got their capital or their decomposition after Unicode 3.0 keep their own number ([`KEPT`]), and whatever lies beyond the
//! Basic Multilingual Plane weighs the same.

use icu_normalizer::properties::{CanonicalDecompositionBorrowed, Decomposed};
use std::sync::LazyLock;

/// Of every character beyond the Basic Multilingual Plane.
const BEYOND: u16 = 0xfffd;

/// Ranges of characters whose capital or decomposition is younger than the rules, or that the rules leave alone.
const KEPT: &[(u16, u16)] = &[
    (0x180, 0x180),
    (0x19a, 0x19e),
    (0x23c, 0x252),
    (0x25c, 0x25c),
    (0x261, 0x261),
    (0x264, 0x266),
    (0x26a, 0x26c),
    (0x271, 0x271),
    (0x27d, 0x27d),
    (0x282, 0x282),
    (0x287, 0x287),
    (0x289, 0x289),
    (0x28c, 0x28c),
    (0x29d, 0x344),
    (0x371, 0x385),
    (0x387, 0x387),
    (0x3d7, 0x3d9),
    (0x3f3, 0x3fb),
    (0x419, 0x419),
    (0x48b, 0x48b),
    (0x4c6, 0x4c6),
    (0x4ca, 0x4ca),
    (0x4ce, 0x4cf),
    (0x4f7, 0x4f7),
    (0x4fb, 0x52f),
    (0x1efb, 0x1eff),
    (0x1fbb, 0x1fbb),
    (0x1fc1, 0x1fc1),
    (0x1fc9, 0x1fc9),
    (0x1fcb, 0x1fcb),
    (0x1fcd, 0x1fcf),
    (0x1fd3, 0x1fd3),
    (0x1fdb, 0x1fdf),
    (0x1fe3, 0x1fe3),
    (0x1feb, 0x1feb),
    (0x1fed, 0x1fef),
    (0x1ff9, 0x1ff9),
    (0x1ffb, 0x1ffb),
    (0x1ffd, 0x214e),
    (0x2184, 0x2184),
];

/// Weights that no rule gives.
const ODD: &[(u16, u16)] = &[
    (0xdf, 0x53),
    (0x3f2, 0x3a3),
    (0x439, 0x419),
    (0x1f71, 0x1fbb),
    (0x1f73, 0x1fc9),
    (0x1f75, 0x1fcb),
    (0x1f77, 0x1fdb),
    (0x1f79, 0x1ff9),
    (0x1f7b, 0x1feb),
    (0x1f7d, 0x1ffb),
];

static WEIGHTS: LazyLock<Box<[u16]>> =
    LazyLock::new(|| (0..=u16::MAX).map(|c| char::from_u32(c.into()).map_or(c, |letter| derive(c, letter))).collect());

fn derive(code: u16, letter: char) -> u16 {
    if let Some((_, weight)) = ODD.iter().find(|(c, _)| *c == code) {
        return *weight;
    }
    let has_rule = matches!(code, 0..=0x58f | 0x1e00..=0x24ff | 0xff00..=0xffff);
    if !has_rule || KEPT.iter().any(|(first, last)| (*first..=*last).contains(&code)) {
        return code;
    }
    let base = if matches!(code, 0..=0x58f | 0x1e00..=0x1fff) { base(letter) } else { letter };
    let mut capital = base.to_uppercase();
    match (capital.next(), capital.next()) {
        (Some(one), None) => u16::try_from(u32::from(one)).unwrap_or(code),
        _ => u16::try_from(u32::from(base)).unwrap_or(code),
    }
}

/// The first character of the full canonical decomposition.
fn base(letter: char) -> char {
    match CanonicalDecompositionBorrowed::new().decompose(letter) {
        Decomposed::Default => letter,
        Decomposed::Singleton(first) | Decomposed::Expansion(first, _) => base(first),
    }
}

/// The weight of one character.
pub fn weight(letter: char) -> u16 {
    usize::try_from(u32::from(letter)).ok().and_then(|code| WEIGHTS.get(code)).copied().unwrap_or(BEYOND)
}

#[cfg(test)]
mod tests {
    use super::weight;

    /// Figures from a server: `SELECT HEX(WEIGHT_STRING('…' COLLATE utf8mb4_general_ci))`.
    #[test]
    fn weights_are_mysqls() {
        for (letters, capital) in
            [("aAàÀåÅāǎạ", 'A'), ("eéÉẽ", 'E'), ("sSßšṩ", 'S'), ("έΕεἐ", 'Ε'), ("оО", 'О'), ("ａＡ", 'Ａ')]
        {
            for letter in letters.chars() {
                assert_eq!(weight(letter), u32::from(capital) as u16, "{letter}");
            }
        }
        for own in ['æ', 'ø', 'ł', 'и', 'й', 'か', '가', '中', '1', '\u{300}', 'ɓ'] {
            let capital = own.to_uppercase().next().unwrap();
            assert_eq!(weight(own), u32::from(capital) as u16, "{own}");
        }
        assert_eq!(weight('й'), 0x419);
        assert_eq!(weight('\u{1f600}'), weight('\u{1f601}'));
        // The sum over the plane, each weight times its place.
        let sum = (0..=0xffffu32)
            .filter_map(char::from_u32)
            .fold(0u64, |sum, c| sum.wrapping_mul(31).wrapping_add(u64::from(weight(c))));
        assert_eq!(sum, SUM);
    }

    /// Of all weights that MariaDB 10.11 gives.
    const SUM: u64 = 14_930_443_734_215_585_312;
}
