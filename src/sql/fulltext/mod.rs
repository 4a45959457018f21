//! Full-text search as InnoDB has it (manual, "Full-Text Search Functions", "InnoDB Full-Text Indexes"): words, queries,
//! ranks. There is no index of words: a search reads the table once to count in how many rows each word is, and ranks
//! every row it is asked about.

mod boolean;
mod words;

pub use boolean::Expression;

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is searched for, before the table is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    expression: Expression,
    folds: bool,
}

/// A search and the weight of each word it found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Weighted {
    expression: Expression,
    folds: bool,
    weights: BTreeMap<String, f64>,
}

/// In how many rows the words of a search are.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    search: Search,
    rows: u64,
    found: BTreeMap<String, u64>,
}

/// One row's words: how often each is there, and all of them in order, by column.
struct Document {
    frequency: BTreeMap<String, u32>,
    columns: Vec<Vec<String>>,
}

impl Document {
    fn of(columns: &[Option<&str>], folds: bool) -> Document {
        let columns: Vec<Vec<String>> =
            columns.iter().map(|text| words::all(text.unwrap_or_default(), folds)).collect();
        let mut frequency = BTreeMap::new();
        for word in columns.iter().flatten().filter(|w| words::is_indexed(w)) {
            *frequency.entry(word.clone()).or_default() += 1;
        }
        Document { frequency, columns }
    }

    fn has_phrase(&self, phrase: &[String]) -> bool {
        self.columns.iter().any(|words| words.windows(phrase.len()).any(|part| part == phrase))
    }
}

impl Search {
    /// A search for any of the words of `text`. `folds`: case does not count.
    pub fn natural(text: &str, folds: bool) -> Search {
        Search { expression: Expression::any_of(words::all(text, folds)), folds }
    }

    /// A search in boolean mode; `None` for what is no query in it.
    pub fn boolean(text: &str, folds: bool) -> Option<Search> {
        Some(Search { expression: Expression::parse(text, folds)?, folds })
    }

    pub fn counted(self) -> Counted {
        Counted { search: self, rows: 0, found: BTreeMap::new() }
    }
}

impl Counted {
    /// Counts one more row of the table.
    pub fn count(&mut self, columns: &[Option<&str>]) {
        self.rows += 1;
        let document = Document::of(columns, self.search.folds);
        let mut found = BTreeSet::new();
        self.search.expression.words_in(&document, &mut found);
        for word in found {
            *self.found.entry(word).or_default() += 1;
        }
    }

    /// The weight of a word is the square of its inverse document frequency.
    pub fn weighted(&self) -> Weighted {
        let weight = |(word, rows): (&String, &u64)| {
            // A word that every row has counts for next to nothing, but for something.
            let ratio = if *rows >= self.rows { 1.0001 } else { self.rows as f64 / *rows as f64 };
            (word.clone(), ratio.log10())
        };
        let weights = self.found.iter().map(weight).collect();
        Weighted { expression: self.search.expression.clone(), folds: self.search.folds, weights }
    }
}

impl Weighted {
    /// The rank of a row; 0 if it is not found.
    pub fn rank(&self, columns: &[Option<&str>]) -> f64 {
        let document = Document::of(columns, self.folds);
        let Some(found) = self.expression.find(&document) else { return 0.0 };
        // InnoDB adds up in single precision.
        let mut rank = found.adjustment.clamp(-1.0, 1.0) as f32;
        for word in &found.words {
            let frequency = document.frequency.get(word).copied().unwrap_or_default();
            let inverse = self.weights.get(word).copied().unwrap_or_default();
            rank += (f64::from(frequency) * inverse * inverse) as f32;
        }
        f64::from(rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The manual's table.
    const ARTICLES: &[(&str, &str)] = &[
        ("MySQL Tutorial", "This database tutorial ..."),
        ("How To Use MySQL", "After you went through a ..."),
        ("Optimizing Your Database", "In this database tutorial ..."),
        ("MySQL vs. YourSQL", "When comparing databases ..."),
        ("MySQL Security", "When configured properly, MySQL ..."),
        ("Database, Database, Database", "database database database"),
        ("1001 MySQL Tricks", "1. Never run mysqld as root. 2. ..."),
        ("MySQL Full-Text Indexes", "MySQL fulltext indexes use a .."),
    ];

    fn ranks(search: Search) -> Vec<f64> {
        let mut counted = search.counted();
        ARTICLES.iter().for_each(|(a, b)| counted.count(&[Some(a), Some(b)]));
        let weighted = counted.weighted();
        ARTICLES.iter().map(|(a, b)| weighted.rank(&[Some(a), Some(b)])).collect()
    }

    fn found(text: &str) -> Vec<usize> {
        let ranks = ranks(Search::boolean(text, true).expect(text));
        (1..).zip(ranks).filter(|(_, rank)| *rank != 0.0).map(|(id, _)| id).collect()
    }

    #[test]
    fn ranks_are_those_of_the_manual() {
        let database = ranks(Search::boolean("database", true).unwrap());
        assert_eq!(database[5], 1.0886961221694946);
        assert_eq!(database[2], 0.36289870738983154);
        assert_eq!(database[0], 0.18144935369491577);
        assert_eq!(database[1], 0.0);
        let both = ranks(Search::natural("mysql tutorial", true));
        assert_eq!(both[0], 0.7405621409416199);
        assert_eq!(both[2], 0.3624762296676636);
        assert_eq!(both[4], 0.031219376251101494);
        assert_eq!(both[1], 0.015609688125550747);
        assert_eq!(both[5], 0.0);
    }

    #[test]
    fn boolean_operators_choose_rows() {
        assert_eq!(found("+MySQL -YourSQL"), [1, 2, 5, 7, 8]);
        assert_eq!(found("+mysql +tutorial"), [1]);
        assert_eq!(found("+mysql tutorial"), [1, 2, 4, 5, 7, 8]);
        assert_eq!(found("data*"), [1, 3, 4, 6]);
        assert_eq!(found("\"database tutorial\""), [1, 3]);
        assert_eq!(found("+(tutorial security) +mysql"), [1, 5]);
        assert_eq!(found("the of a"), [0; 0], "stopwords and short words are not searched for");
        assert_eq!(found("-mysql"), [0; 0]);
        let plain = ranks(Search::boolean("+mysql tutorial", true).unwrap());
        let less = ranks(Search::boolean("+mysql ~tutorial", true).unwrap());
        let more = ranks(Search::boolean("+mysql >tutorial", true).unwrap());
        assert!(less[0] < plain[0] && plain[0] < more[0] && less[1] == plain[1]);
        for wrong in ["+", "++mysql", "(mysql", "mysql)", "\"mysql", "mysql +"] {
            assert_eq!(Search::boolean(wrong, true), None, "{wrong}");
        }
    }
}
