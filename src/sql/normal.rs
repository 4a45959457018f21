//! The shape of a statement: its text without its literals. Statements of one shape share a plan.

use super::error::Error;
use super::lexer::{Lexeme, Lexer};
use super::modes::Modes;
use super::parameter::Literal;

/// One statement's shape and what was taken out of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Normalised {
    /// The text with every number and string replaced by a mark of its kind, and one space between lexemes; between those
    /// of a select list, whose text names the columns, what is written there.
    pub key: String,
    /// In the order of the text.
    pub literals: Vec<Literal>,
    /// `?` markers.
    pub markers: usize,
    /// Where the next statement begins: just past this one's semicolon.
    pub end: usize,
    /// Nothing but space and comments.
    pub is_empty: bool,
}

/// Splits the first statement off `sql` and takes its literals out. The marks `\u{1}i`, `\u{1}t`, ... cannot come from
/// the text itself, where a control character is no lexeme.
///
/// # Errors
/// 1064 for text that is no sequence of lexemes.
pub fn normalise(sql: &str, modes: Modes) -> Result<Normalised, Error> {
    let mut lexer = Lexer::new(sql, modes);
    let mut normal =
        Normalised { key: String::with_capacity(sql.len().min(4096)), is_empty: true, ..Default::default() };
    let mut lists = SelectLists::default();
    let mut last = 0;
    loop {
        let (lexeme, start, end) = lexer.next()?;
        let inside = lists.inside();
        lists.see(&lexeme);
        if inside && lists.inside() {
            normal.key.push_str(sql.get(last..start).unwrap_or_default());
        }
        last = end;
        match lexeme {
            Lexeme::End | Lexeme::Semicolon => {
                normal.end = end;
                return Ok(normal);
            }
            Lexeme::Marker => {
                normal.markers += 1;
                normal.key.push('?');
            }
            Lexeme::Literal(literal) => {
                normal.key.push('\u{1}');
                match &literal {
                    Literal::Int(_) => normal.key.push('i'),
                    Literal::Text(_) => normal.key.push('t'),
                    Literal::Float(_) => normal.key.push('f'),
                    // The number of decimals is part of the result's type, and whether a double holds them all.
                    Literal::Decimal(digits) => {
                        let scale = digits.find('.').map_or(0, |point| digits.len() - point - 1);
                        normal.key.push(if super::decimal::is_wide_text(digits) { 'w' } else { 'd' });
                        normal.key.push(char::from_u32(scale as u32).unwrap_or('\u{10ffff}'));
                    }
                }
                normal.literals.push(literal);
            }
            _ => normal.key.push_str(&sql[start..end]),
        }
        normal.key.push(' ');
        normal.is_empty = false;
    }
}

/// Tells whether the lexemes read so far end inside a select list.
#[derive(Default)]
struct SelectLists {
    depth: usize,
    /// The depths of the lists around the current place.
    open: Vec<usize>,
}

impl SelectLists {
    fn inside(&self) -> bool {
        !self.open.is_empty()
    }

    fn see(&mut self, lexeme: &Lexeme<'_>) {
        match lexeme {
            Lexeme::Word(word) if word.eq_ignore_ascii_case("SELECT") => self.open.push(self.depth),
            Lexeme::Word(word) if word.eq_ignore_ascii_case("FROM") => {
                self.open.pop_if(|depth| *depth == self.depth);
            }
            Lexeme::Symbol("(") => self.depth += 1,
            Lexeme::Symbol(")") => {
                self.depth = self.depth.saturating_sub(1);
                while self.open.pop_if(|depth| *depth > self.depth).is_some() {}
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_shape_for_many_texts() {
        let shape = |sql| normalise(sql, Modes::default()).unwrap();
        let a = shape("SELECT * FROM t WHERE a = 1 AND b = 'x'");
        let b = shape("SELECT *  FROM t /* c */ WHERE a = 42 AND b = 'it''s';SELECT 2");
        assert_eq!(a.key, b.key);
        assert_eq!(b.literals, [Literal::Int(42), Literal::Text("it's".into())]);
        assert_eq!(&"SELECT *  FROM t /* c */ WHERE a = 42 AND b = 'it''s';SELECT 2"[b.end..], "SELECT 2");
        assert_ne!(a.key, shape("SELECT * FROM t WHERE a = '1' AND b = 'x'").key);
        assert_ne!(shape("SELECT 1.5").key, shape("SELECT 1.50").key);
        assert!(shape(" -- nothing\n").is_empty);
        // The text of an item is its name.
        assert_ne!(shape("SELECT f(1,2)").key, shape("SELECT f(1, 2)").key);
        assert_ne!(shape("SELECT (SELECT 1+1), 2").key, shape("SELECT (SELECT 1 +1), 2").key);
        assert_eq!(shape("SELECT a FROM t WHERE f(1,2)").key, shape("SELECT a  FROM t WHERE f( 1, 2)").key);
    }
}
