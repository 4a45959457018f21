//! The lexemes of a program's text, and the pieces of text between its keywords.

use crate::sql::error::Error;
use crate::sql::lexer::{Lexeme, Lexer, syntax_error};
use crate::sql::modes::Modes;

/// How far CREATE is looked behind for the kind of what it creates: a definer and comments stand in between.
const FAR_ENOUGH: usize = 16;

/// Whether the text is the definition of a stored program, which goes on behind semicolons.
pub fn begins_program(sql: &str, modes: Modes) -> bool {
    let mut lexer = Lexer::of_program(sql, modes);
    let is = |lexeme: &Lexeme<'_>, word: &str| matches!(lexeme, Lexeme::Word(w) if w.eq_ignore_ascii_case(word));
    if !lexer.next().is_ok_and(|(first, ..)| is(&first, "CREATE")) {
        return false;
    }
    for _ in 0..FAR_ENOUGH {
        let Ok((lexeme, ..)) = lexer.next() else { return false };
        if ["PROCEDURE", "FUNCTION", "TRIGGER"].iter().any(|word| is(&lexeme, word)) {
            return true;
        }
        let others = ["TABLE", "VIEW", "DATABASE", "SCHEMA", "INDEX", "USER", "EVENT", "TEMPORARY", "UNIQUE"];
        if lexeme == Lexeme::End || others.iter().any(|word| is(&lexeme, word)) {
            return false;
        }
    }
    false
}

/// A place among the lexemes of a text.
pub(super) struct Scanner<'t> {
    pub text: &'t str,
    pub modes: Modes,
    lexemes: Vec<(Lexeme<'t>, usize, usize)>,
    at: usize,
}

impl<'t> Scanner<'t> {
    /// Of all the lexemes of `text`, at the first one from `start` on.
    pub fn new(text: &'t str, start: usize, modes: Modes) -> Result<Scanner<'t>, Error> {
        let mut lexer = Lexer::of_program(text, modes);
        let mut lexemes = Vec::new();
        loop {
            let next = lexer.next()?;
            let last = next.0 == Lexeme::End;
            if next.1 >= start || last {
                lexemes.push(next);
            }
            if last {
                return Ok(Scanner { text, modes, lexemes, at: 0 });
            }
        }
    }

    fn ahead(&self, n: usize) -> &Lexeme<'t> {
        // The last one is the end, and nobody goes beyond it.
        self.lexemes.get(self.at + n).map_or(&Lexeme::End, |(lexeme, ..)| lexeme)
    }

    pub fn peek(&self) -> &Lexeme<'t> {
        self.ahead(0)
    }

    pub fn skip(&mut self) {
        self.at = (self.at + 1).min(self.lexemes.len() - 1);
    }

    /// Where the next lexeme begins.
    pub fn start(&self) -> usize {
        self.lexemes[self.at].1
    }

    /// Where the lexeme before the next one ended.
    pub fn end_of_last(&self) -> usize {
        self.at.checked_sub(1).map_or(self.start(), |before| self.lexemes[before].2)
    }

    pub fn at_end(&self) -> bool {
        matches!(self.peek(), Lexeme::Semicolon | Lexeme::End)
    }

    pub fn looks_at(&self, words: &str) -> bool {
        let is = |(i, word): (usize, &str)| matches!(self.ahead(i), Lexeme::Word(w) if w.eq_ignore_ascii_case(word));
        words.split(' ').enumerate().all(is)
    }

    /// Takes the words if all of them come next.
    pub fn accept(&mut self, words: &str) -> bool {
        let found = self.looks_at(words);
        if found {
            words.split(' ').for_each(|_| self.skip());
        }
        found
    }

    pub fn accept_any<'w>(&mut self, choices: &[&'w str]) -> Option<&'w str> {
        choices.iter().find(|words| self.accept(words)).copied()
    }

    pub fn expect(&mut self, words: &str) -> Result<(), Error> {
        if self.accept(words) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub fn looks_at_symbol(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.ahead(ahead), Lexeme::Symbol(s) if *s == symbol)
    }

    pub fn accept_symbol(&mut self, symbol: &str) -> bool {
        let found = self.looks_at_symbol(0, symbol);
        if found {
            self.skip();
        }
        found
    }

    /// The error that the next lexeme does not belong here.
    pub fn unexpected(&self) -> Error {
        syntax_error(self.text, self.start())
    }

    /// The name at a lexeme ahead: quoted, or a word that is not reserved.
    pub fn name_ahead(&self, ahead: usize) -> Option<String> {
        match self.ahead(ahead) {
            Lexeme::Word(word) if !crate::sql::dialect::is_reserved(word) => Some((*word).to_string()),
            Lexeme::Quoted(name) => Some(name.to_string()),
            _ => None,
        }
    }

    /// The name at a lexeme ahead that follows a point, where every word is one.
    pub fn word_ahead(&self, ahead: usize) -> Option<String> {
        match self.ahead(ahead) {
            Lexeme::Word(word) => Some((*word).to_string()),
            Lexeme::Quoted(name) => Some(name.to_string()),
            _ => None,
        }
    }

    pub fn name(&mut self) -> Result<String, Error> {
        let name = self.name_ahead(0).ok_or_else(|| self.unexpected())?;
        self.skip();
        Ok(name)
    }

    /// The text up to the next semicolon, or to one of these words outside of parentheses and of CASE expressions.
    pub fn piece(&mut self, ends: &[&str]) -> Result<(usize, &'t str), Error> {
        self.piece_until(|scanner| ends.iter().any(|words| scanner.looks_at(words)))
    }

    /// The same, up to a comma.
    pub fn item(&mut self) -> Result<(usize, &'t str), Error> {
        self.piece_until(|scanner| scanner.looks_at_symbol(0, ","))
    }

    fn piece_until(&mut self, ends: impl Fn(&Self) -> bool) -> Result<(usize, &'t str), Error> {
        let (start, mut parentheses, mut cases) = (self.start(), 0usize, 0usize);
        while !self.at_end() {
            if parentheses == 0 && cases == 0 && ends(self) {
                break;
            }
            if self.looks_at_symbol(0, "(") {
                parentheses += 1;
            } else if self.looks_at_symbol(0, ")") {
                parentheses = parentheses.saturating_sub(1);
            } else if self.looks_at("CASE") {
                cases += 1;
            } else if cases > 0 && self.looks_at("END") {
                cases -= 1;
            }
            self.skip();
        }
        let end = self.end_of_last();
        if end <= start {
            return Err(self.unexpected());
        }
        Ok((start, &self.text[start..end]))
    }

    /// An error of a piece of the text as one of the whole text, whose rest the message is to show.
    pub fn placed(&self, start: usize, piece: &str, error: Error) -> Error {
        if error.code != 1064 {
            return error;
        }
        let near = error.message.split_once("near '").and_then(|(_, rest)| rest.rsplit_once("' at line "));
        let at = near.and_then(|(near, _)| if near.is_empty() { Some(piece.len()) } else { piece.rfind(near) });
        syntax_error(self.text, start + at.unwrap_or(piece.len()))
    }
}
