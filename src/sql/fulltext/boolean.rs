//! Queries as trees (manual, "Boolean Full-Text Searches"). Without operators a query is one in natural language.

use super::{Document, words};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Groups may be nested so deep.
const MAX_DEPTH: usize = 50;

/// What is found if all its required parts are, none of the forbidden, and, where nothing is required, any other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Expression(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Part {
    operator: Operator,
    term: Term,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Operator {
    None,
    /// `+`
    Required,
    /// `-`
    Forbidden,
    /// `>`
    More,
    /// `<`
    Less,
    /// `~`
    Noise,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Term {
    Word(String),
    /// `word*`
    Prefix(String),
    /// `"one two"`
    Phrase(Vec<String>),
    Group(Expression),
}

/// What of a query is in a row.
#[derive(Default)]
pub(super) struct Found {
    pub words: BTreeSet<String>,
    /// What `>`, `<` and `~` add.
    pub adjustment: f64,
}

impl Expression {
    pub(super) fn any_of(found: Vec<String>) -> Expression {
        let indexed = found.into_iter().filter(|w| words::is_indexed(w));
        Expression(indexed.map(|w| Part { operator: Operator::None, term: Term::Word(w) }).collect())
    }

    /// `None` for what is no query in boolean mode.
    pub(super) fn parse(text: &str, folds: bool) -> Option<Expression> {
        let mut reader = Reader { rest: text, folds };
        let expression = reader.group(0)?;
        reader.rest.is_empty().then_some(expression)
    }

    /// Every word of the row that the query asks for.
    pub(super) fn words_in(&self, document: &Document, found: &mut BTreeSet<String>) {
        for part in &self.0 {
            match &part.term {
                Term::Group(group) => group.words_in(document, found),
                term => found.extend(term.words(document)),
            }
        }
    }

    /// `None` if the row is not found.
    pub(super) fn find(&self, document: &Document) -> Option<Found> {
        let requires = self.0.iter().any(|p| p.operator == Operator::Required);
        let mut all = Found::default();
        let mut any = requires;
        for Part { operator, term } in &self.0 {
            let found = term.find(document);
            match (operator, found) {
                (Operator::Required, None) | (Operator::Forbidden, Some(_)) => return None,
                (_, None) => {}
                (operator, Some(found)) => {
                    any |= *operator != Operator::Noise;
                    all.adjustment += found.adjustment;
                    match operator {
                        Operator::More => all.adjustment += 1.0,
                        Operator::Less | Operator::Noise => all.adjustment -= 1.0,
                        Operator::None | Operator::Required | Operator::Forbidden => {}
                    }
                    // A noise word is not looked for, so that it has no weight of its own.
                    if *operator != Operator::Noise {
                        all.words.extend(found.words);
                    }
                }
            }
        }
        any.then_some(all)
    }
}

impl Term {
    /// The words of the row that the term asks for.
    fn words(&self, document: &Document) -> Vec<String> {
        match self {
            Term::Word(word) => document.frequency.get_key_value(word).map(|(w, _)| w.clone()).into_iter().collect(),
            Term::Prefix(prefix) => {
                let from = document.frequency.range(prefix.clone()..);
                from.map(|(w, _)| w).take_while(|w| w.starts_with(prefix.as_str())).cloned().collect()
            }
            Term::Phrase(phrase) => phrase.iter().filter(|w| document.frequency.contains_key(*w)).cloned().collect(),
            Term::Group(_) => Vec::new(),
        }
    }

    fn find(&self, document: &Document) -> Option<Found> {
        let words = match self {
            Term::Group(group) => return group.find(document),
            Term::Phrase(phrase) if !document.has_phrase(phrase) => return None,
            term => term.words(document),
        };
        (!words.is_empty()).then(|| Found { words: words.into_iter().collect(), adjustment: 0.0 })
    }
}

struct Reader<'t> {
    rest: &'t str,
    folds: bool,
}

impl Reader<'_> {
    fn take(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The parts up to a closing parenthesis, or the end.
    fn group(&mut self, depth: usize) -> Option<Expression> {
        let mut parts = Vec::new();
        loop {
            // What is no word and no operator separates words.
            let separates = |c: char| !words::is_word_character(c) && !"+-><~()\"".contains(c);
            self.rest = self.rest.trim_start_matches(separates);
            if self.rest.is_empty() || self.rest.starts_with(')') {
                return Some(Expression(parts));
            }
            let operators = [
                ('+', Operator::Required),
                ('-', Operator::Forbidden),
                ('>', Operator::More),
                ('<', Operator::Less),
                ('~', Operator::Noise),
            ];
            let operator = operators.into_iter().find(|(c, _)| self.take(*c)).map_or(Operator::None, |(_, o)| o);
            let term = if self.take('(') {
                if depth >= MAX_DEPTH {
                    return None;
                }
                let group = self.group(depth + 1)?;
                if !self.take(')') {
                    return None;
                }
                (!group.0.is_empty()).then_some(Term::Group(group))
            } else if self.take('"') {
                let (inside, rest) = self.rest.split_once('"')?;
                self.rest = rest;
                let phrase = words::all(inside, self.folds);
                phrase.iter().any(|w| words::is_indexed(w)).then_some(Term::Phrase(phrase))
            } else {
                self.word()?
            };
            parts.extend(term.map(|term| Part { operator, term }));
        }
    }

    /// A word that must come next; `Some(None)` for one that is not searched for.
    fn word(&mut self) -> Option<Option<Term>> {
        let end = self.rest.find(|c| !words::is_word_character(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if word.is_empty() {
            return None;
        }
        self.rest = rest;
        let word = if self.folds { word.to_lowercase() } else { word.to_string() };
        Some(match self.take('*') {
            true => Some(Term::Prefix(word)),
            false => words::is_indexed(&word).then_some(Term::Word(word)),
        })
    }
}
