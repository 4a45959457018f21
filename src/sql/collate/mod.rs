//! MySQL's collations: how texts compare, and their sort keys.
//!
//! | collations | compare by |
//! |---|---|
//! | `*_general_ci`, and sets without a language | one weight a character ([`general`]); trailing spaces do not count |
//! | `*_unicode_ci`, `*_unicode_520_ci`, `*_swedish_ci`, ... | the Unicode Collation Algorithm, base letters; trailing spaces do not count |
//! | `*_0900_ai_ci`, `*_0900_as_ci`, `*_0900_as_cs`, `*_nopad_*` | the same to its first, second, third level; trailing spaces count |
//! | `*_bin` | code points; trailing spaces do not count |
//! | `utf8mb4_0900_bin`, `binary` | bytes |
//!
//! The Unicode Collation Algorithm is ICU's with CLDR's tables, not the tables of each MySQL collation's own year: letters
//! that were added or moved since then sort elsewhere. Sort keys are part of keys that are stored, so the version of the
//! crate is pinned: another one may need every index of such columns rebuilt.

mod general;

use crate::sql::catalog::Collation;
use icu_collator::options::{CollatorOptions, Strength};
use icu_collator::{Collator, CollatorBorrowed};
use icu_locale_core::Locale;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

enum Method {
    General,
    CodePoint,
    Unicode(Box<CollatorBorrowed<'static>>),
}

/// How the texts of one collation compare.
pub struct CollationOrder {
    name: String,
    method: Method,
    /// Trailing spaces do not count (PAD SPACE).
    pads: bool,
}

impl PartialEq for CollationOrder {
    fn eq(&self, other: &CollationOrder) -> bool {
        self.name == other.name
    }
}

impl Eq for CollationOrder {}

impl std::fmt::Debug for CollationOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

static KNOWN: LazyLock<Mutex<BTreeMap<String, Option<&'static CollationOrder>>>> = LazyLock::new(Mutex::default);

impl CollationOrder {
    /// That of the collation named so, whatever the case of the name; `None` if MySQL has no such collation or its
    /// language is not known here.
    pub fn named(name: &str) -> Option<&'static CollationOrder> {
        let name = name.to_ascii_lowercase();
        let mut known = KNOWN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(found) = known.get(&name) {
            return *found;
        }
        let collation = Collation::new(&name)?;
        // Kept for good: MySQL has some hundreds of them at most.
        let made = CollationOrder::make(&name, &collation).map(|rules| &*Box::leak(Box::new(rules)));
        known.insert(name, made);
        made
    }

    fn make(name: &str, collation: &Collation) -> Option<CollationOrder> {
        let rest = name.strip_prefix(collation.charset()).or_else(|| name.strip_prefix("utf8"))?;
        let is_new = rest.contains("_0900_");
        let pads = !is_new && !rest.contains("_nopad_");
        let rest = rest.replace("_nopad", "");
        let make = |method| Some(CollationOrder { name: name.to_string(), method, pads });
        match rest.as_str() {
            "_bin" | "_0900_bin" => return make(Method::CodePoint),
            "_general_ci" | "_general_mysql500_ci" => return make(Method::General),
            _ => {}
        }
        let strength = match rest.as_str() {
            r if r.ends_with("_as_cs") || r.ends_with("_general_cs") => Strength::Tertiary,
            r if r.ends_with("_as_cs_ks") => Strength::Quaternary,
            r if r.ends_with("_as_ci") => Strength::Secondary,
            r if r.ends_with("_cs") => Strength::Tertiary,
            _ => Strength::Primary,
        };
        let language = ["_0900", "_uca1400", "_ai", "_as", "_ci", "_cs", "_ks", "_unicode", "_520", "_general"]
            .iter()
            .fold(rest, |rest, part| rest.replace(part, ""));
        let locale: Locale = locale(language.trim_matches('_'))?.parse().ok()?;
        let mut options = CollatorOptions::default();
        options.strength = Some(strength);
        let collator = Collator::try_new((&locale).into(), options).ok()?;
        make(Method::Unicode(Box::new(collator)))
    }

    /// Its name as MySQL writes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn counted<'t>(&self, text: &'t str) -> &'t str {
        if self.pads { text.trim_end_matches(' ') } else { text }
    }

    /// The order of two texts.
    pub fn compare(&self, left: &str, right: &str) -> Ordering {
        let (left, right) = (self.counted(left), self.counted(right));
        match &self.method {
            Method::Unicode(collator) => collator.compare(left, right),
            Method::General => self.by_weights(left, right, |c| u32::from(general::weight(c))),
            Method::CodePoint => self.by_weights(left, right, u32::from),
        }
    }

    /// Texts of which one goes on where the other ends: as if the shorter one had spaces.
    fn by_weights(&self, left: &str, right: &str, weight: impl Fn(char) -> u32) -> Ordering {
        let (mut left, mut right) = (left.chars().map(&weight), right.chars().map(&weight));
        let space = weight(' ');
        loop {
            let order = match (left.next(), right.next()) {
                (None, None) => return Ordering::Equal,
                (Some(l), Some(r)) => l.cmp(&r),
                (Some(l), None) if self.pads => l.cmp(&space),
                (None, Some(r)) if self.pads => space.cmp(&r),
                (l, r) => l.cmp(&r),
            };
            if order != Ordering::Equal {
                return order;
            }
        }
    }

    /// What texts are ordered by, as MySQL shows it, trailing spaces counted; of a language's collation by other numbers than
    /// MySQL's, in the same order.
    pub fn weights(&self, text: &str) -> Vec<u8> {
        match &self.method {
            Method::CodePoint => text.chars().flat_map(|c| u32::from(c).to_be_bytes().into_iter().skip(1)).collect(),
            Method::General => text.chars().flat_map(|c| general::weight(c).to_be_bytes()).collect(),
            Method::Unicode(_) => {
                let mut key = Vec::new();
                self.sort_key(text, &mut key);
                key
            }
        }
    }

    /// Appends bytes that are equal for texts that compare as equal, and for those only.
    pub fn sort_key(&self, text: &str, out: &mut Vec<u8>) {
        let text = self.counted(text);
        match &self.method {
            Method::Unicode(collator) => {
                let Ok(()) = collator.write_sort_key_to(text, out);
            }
            Method::General => text.chars().for_each(|c| out.extend(general::weight(c).to_be_bytes())),
            Method::CodePoint => out.extend(text.as_bytes()),
        }
    }

    /// Whether two characters are alike for LIKE, which compares them one by one.
    pub fn same_character(&self, left: char, right: char) -> bool {
        left == right
            || match &self.method {
                Method::General => general::weight(left) == general::weight(right),
                Method::CodePoint => false,
                Method::Unicode(collator) => {
                    let (mut l, mut r) = ([0; 4], [0; 4]);
                    collator.compare(left.encode_utf8(&mut l), right.encode_utf8(&mut r)) == Ordering::Equal
                }
            }
    }
}

/// The locale of the language that a collation names.
fn locale(language: &str) -> Option<&'static str> {
    Some(match language {
        "" => "und",
        "icelandic" | "is" => "is",
        "latvian" | "lv" => "lv",
        "romanian" | "ro" => "ro",
        "slovenian" | "sl" => "sl",
        "polish" | "pl" => "pl",
        "estonian" | "et" => "et",
        "spanish" | "es" => "es",
        "spanish2" | "es_trad" => "es-u-co-trad",
        "swedish" | "sv" => "sv",
        "turkish" | "tr" => "tr",
        "czech" | "cs" => "cs",
        "danish" | "da" => "da",
        "lithuanian" | "lt" => "lt",
        "slovak" | "sk" => "sk",
        "roman" | "la" => "la",
        "persian" => "fa",
        "esperanto" | "eo" => "eo",
        "hungarian" | "hu" => "hu",
        "sinhala" => "si",
        "german1" => "de",
        "german2" | "de_pb" => "de-u-co-phonebk",
        "croatian" | "hr" => "hr",
        "vietnamese" | "vi" => "vi",
        "japanese" | "ja" => "ja",
        "chinese" | "zh" => "zh",
        "korean" => "ko",
        "thai" => "th",
        "ru" => "ru",
        "bg" => "bg",
        "bs" => "bs",
        "gl" => "gl",
        "mn_cyrl" => "mn",
        "nb" => "nb",
        "nn" => "nn",
        "sr_latn" => "sr-Latn",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn order(collation: &str, left: &str, right: &str) -> Ordering {
        CollationOrder::named(collation).unwrap_or_else(|| panic!("{collation}")).compare(left, right)
    }

    /// What MariaDB 10.11 and the MySQL 8.0 manual say of these pairs.
    #[test]
    fn texts_compare_as_in_mysql() {
        use Ordering::{Equal, Greater, Less};
        for (collation, left, right, wanted) in [
            ("utf8mb4_general_ci", "a", "A ", Equal),
            ("utf8mb4_general_ci", "Müller", "MULLER", Equal),
            ("utf8mb4_general_ci", "ß", "s", Equal),
            ("utf8mb4_general_ci", "ß", "ss", Less),
            ("utf8mb4_general_ci", "a\t", "a", Less),
            ("utf8mb4_general_ci", "😀", "😁", Equal),
            ("utf8mb4_unicode_ci", "ß", "ss", Equal),
            ("utf8mb4_unicode_ci", "résumé ", "Resume", Equal),
            ("utf8mb4_unicode_ci", "ä", "b", Less),
            ("utf8mb4_swedish_ci", "ä", "z", Greater),
            ("utf8mb4_german2_ci", "ä", "ae", Equal),
            ("latin1_swedish_ci", "ü", "Y", Equal),
            ("utf8mb4_0900_ai_ci", "é", "E", Equal),
            ("utf8mb4_0900_ai_ci", "a", "a ", Less),
            ("utf8mb4_0900_ai_ci", "😀", "😁", Less),
            ("utf8mb4_0900_as_ci", "é", "É", Equal),
            ("utf8mb4_0900_as_ci", "é", "e", Greater),
            ("utf8mb4_0900_as_cs", "a", "A", Less),
            ("utf8mb4_da_0900_ai_ci", "å", "z", Greater),
            ("utf8mb4_bin", "a", "a  ", Equal),
            ("utf8mb4_bin", "a", "A", Greater),
            ("utf8mb4_0900_bin", "a", "a ", Less),
            ("utf8mb4_uca1400_ai_ci", "é", "E ", Equal),
        ] {
            assert_eq!(order(collation, left, right), wanted, "{left:?} {right:?} under {collation}");
            assert_eq!(order(collation, right, left), wanted.reverse(), "{right:?} {left:?} under {collation}");
        }
    }

    #[test]
    fn unknown_collations_have_no_rules() {
        for name in ["", "nocase", "utf8mb4_klingon_ci", "utf8mb4", "klingon_general_ci", "utf8mb4_"] {
            assert!(CollationOrder::named(name).is_none(), "{name}");
        }
        assert!(std::ptr::eq(
            CollationOrder::named("UTF8MB4_General_CI").unwrap(),
            CollationOrder::named("utf8mb4_general_ci").unwrap()
        ));
    }

    proptest! {
        #[test]
        fn keys_are_equal_when_texts_are(
            left in "[aAäÄßsS é\u{301}z\u{0}\t😀]{0,4}",
            right in "[aAäÄßsS é\u{301}z\u{0}\t😀]{0,4}",
            name in prop::sample::select(vec![
                "utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_0900_ai_ci", "utf8mb4_0900_as_cs", "utf8mb4_bin",
                "utf8mb4_0900_bin", "utf8mb4_german2_ci", "utf8mb4_swedish_ci",
            ]),
        ) {
            let rules = CollationOrder::named(name).unwrap();
            let key = |text| { let mut out = Vec::new(); rules.sort_key(text, &mut out); out };
            prop_assert_eq!(key(&left) == key(&right), rules.compare(&left, &right) == Ordering::Equal);
        }
    }
}
