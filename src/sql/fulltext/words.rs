//! Words of a text, as InnoDB's own parser takes them: letters, digits and underscores.

/// `innodb_ft_min_token_size` and `innodb_ft_max_token_size`, in characters.
const LENGTHS: std::ops::RangeInclusive<usize> = 3..=84;

/// `INFORMATION_SCHEMA.INNODB_FT_DEFAULT_STOPWORD`.
const STOPWORDS: &[&str] = &[
    "a", "about", "an", "are", "as", "at", "be", "by", "com", "de", "en", "for", "from", "how", "i", "in", "is", "it",
    "la", "of", "on", "or", "that", "the", "this", "to", "was", "what", "when", "where", "who", "will", "with", "und",
    "the", "www",
];

pub(super) fn is_word_character(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// All words in order, in lower case if `folds`.
pub(super) fn all(text: &str, folds: bool) -> Vec<String> {
    let words = text.split(|c| !is_word_character(c)).filter(|w| !w.is_empty());
    words.map(|w| if folds { w.to_lowercase() } else { w.to_string() }).collect()
}

/// Whether a word is searched for: neither too short nor too long, nor one of those that every text has.
pub(super) fn is_indexed(word: &str) -> bool {
    LENGTHS.contains(&word.chars().count()) && !STOPWORDS.iter().any(|s| s.eq_ignore_ascii_case(word))
}
