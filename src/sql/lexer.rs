//! MySQL's lexical structure (manual, chapter "Language Structure"), by hand: quick enough to run on every statement
//! that the plan cache answers, and exact where it depends on `sql_mode`.

use super::error::Error;
use super::modes::Modes;
use super::parameter::Literal;
use crate::types::Real;
use std::borrow::Cow;

/// The version that `/*!80040 ... */` comments are compared with.
pub const SERVER_VERSION: u32 = 80_040;

/// One piece of text.
#[derive(Clone, Debug, PartialEq)]
pub enum Lexeme<'a> {
    /// A keyword or an unquoted name.
    Word(&'a str),
    /// A quoted name.
    Quoted(Cow<'a, str>),
    /// A number or string that may become a parameter.
    Literal(Literal),
    /// `x'..'`, `0x..`, `_binary'..'`: a binary string, a number in numeric context.
    Hex(Vec<u8>),
    /// `b'..'`, `0b..`.
    Bits(Vec<u8>),
    /// `@name`, in lower case.
    UserVariable(String),
    /// `@@name`, `@@global.name`; without the `@@`.
    SystemVariable(&'a str),
    /// `?`
    Marker,
    Symbol(&'static str),
    Semicolon,
    End,
}

/// Reads lexemes one by one.
pub struct Lexer<'a> {
    sql: &'a str,
    position: usize,
    modes: Modes,
    in_version_comment: bool,
    /// The previous lexeme was a point: digits may start a name.
    after_point: bool,
    /// Where the previous lexeme ended, if it was a name.
    name_end: Option<usize>,
    /// A version comment may hold semicolons: dumps put whole stored programs into one.
    of_program: bool,
}

/// Longest first among those that share a start.
const SYMBOLS: &[&str] = &[
    "<=>", "->>", "&&", "||", ":=", "!=", "<>", "<=", ">=", "<<", ">>", "->", "(", ")", ",", ".", "+", "-", "*", "/",
    "%", "=", "<", ">", "!", "~", "^", "&", "|", "{", "}", ":",
];

fn starts_name(c: u8) -> bool {
    c.is_ascii_alphabetic() || c == b'_' || c == b'$' || c >= 0x80
}

fn continues_name(c: u8) -> bool {
    starts_name(c) || c.is_ascii_digit()
}

/// How many digits of a version follow `/*!`: five, six or none.
fn version_digits(after: &[u8]) -> usize {
    match after.iter().take(6).take_while(|c| c.is_ascii_digit()).count() {
        digits @ (5 | 6) => digits,
        _ => 0,
    }
}

/// A piece of a statement as MySQL names a column after it: of `/*!32302 ... */` what this version executes, without
/// the marks, and nothing of what it does not. Other comments stay.
pub fn without_version_comments(text: &str) -> String {
    let mut out = String::new();
    let (mut at, mut quote, mut executed) = (0, None, false);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        match quote {
            Some(q) if c == '\\' && q != '`' => {
                let length = rest.chars().take(2).map(char::len_utf8).sum::<usize>();
                out.push_str(&rest[..length]);
                at += length;
                continue;
            }
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if matches!(c, '\'' | '"' | '`') => quote = Some(c),
            None if rest.starts_with("/*!") => {
                let digits = version_digits(&rest.as_bytes()[3..]);
                executed = rest[3..3 + digits].parse().unwrap_or(0) <= SERVER_VERSION;
                at += if executed { 3 + digits } else { rest.find("*/").map_or(rest.len(), |end| end + 2) };
                continue;
            }
            None if rest.starts_with("/*") => {
                let end = rest.find("*/").map_or(rest.len(), |end| end + 2);
                out.push_str(&rest[..end]);
                at += end;
                continue;
            }
            None if executed && rest.starts_with("*/") => {
                executed = false;
                at += 2;
                continue;
            }
            None => {}
        }
        out.push(c);
        at += c.len_utf8();
    }
    out
}

impl<'a> Lexer<'a> {
    pub fn new(sql: &'a str, modes: Modes) -> Lexer<'a> {
        Lexer {
            sql,
            position: 0,
            modes,
            in_version_comment: false,
            after_point: false,
            name_end: None,
            of_program: false,
        }
    }

    /// A lexer for the definition of a stored program, which goes on behind semicolons.
    pub fn of_program(sql: &'a str, modes: Modes) -> Lexer<'a> {
        Lexer { of_program: true, ..Lexer::new(sql, modes) }
    }

    /// The next lexeme and its place in the text.
    pub fn next(&mut self) -> Result<(Lexeme<'a>, usize, usize), Error> {
        self.skip_space()?;
        let start = self.position;
        let lexeme = self.read(start)?;
        self.after_point = lexeme == Lexeme::Symbol(".");
        self.name_end = matches!(lexeme, Lexeme::Word(_) | Lexeme::Quoted(_)).then_some(self.position);
        Ok((lexeme, start, self.position))
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.sql.as_bytes().get(self.position + ahead).copied().unwrap_or(0)
    }

    fn syntax(&self, at: usize) -> Error {
        syntax_error(self.sql, at)
    }

    fn skip_space(&mut self) -> Result<(), Error> {
        loop {
            match self.byte(0) {
                0 if self.position >= self.sql.len() => return Ok(()),
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => self.position += 1,
                b'#' => self.skip_line(),
                b'-' if self.byte(1) == b'-' && (self.byte(2) <= b' ') => self.skip_line(),
                b'*' if self.in_version_comment && self.byte(1) == b'/' => {
                    self.in_version_comment = false;
                    self.position += 2;
                }
                b'/' if self.byte(1) == b'*' => self.skip_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        let rest = &self.sql.as_bytes()[self.position..];
        self.position += rest.iter().position(|c| *c == b'\n').unwrap_or(rest.len());
    }

    /// A `/* */` comment; of a `/*! */` one that holds for this version only the opening is skipped.
    fn skip_comment(&mut self) -> Result<(), Error> {
        let start = self.position;
        if self.byte(2) == b'!' {
            let digits = version_digits(&self.sql.as_bytes()[start + 3..]);
            if self.sql[start + 3..start + 3 + digits].parse().unwrap_or(0) <= SERVER_VERSION {
                self.in_version_comment = true;
                self.position = start + 3 + digits;
                return Ok(());
            }
        }
        let end = self.sql[start + 2..].find("*/").ok_or_else(|| self.syntax(start))?;
        self.position = start + 2 + end + 2;
        Ok(())
    }

    fn read(&mut self, start: usize) -> Result<Lexeme<'a>, Error> {
        let c = self.byte(0);
        match c {
            _ if start >= self.sql.len() => {
                if self.in_version_comment {
                    Err(self.syntax(start))
                } else {
                    Ok(Lexeme::End)
                }
            }
            b';' if self.in_version_comment && !self.of_program => Err(self.syntax(self.sql.len())),
            b';' => {
                self.position += 1;
                Ok(Lexeme::Semicolon)
            }
            b'\'' => self.text_literal(),
            b'"' if self.modes.ansi_quotes() => Ok(Lexeme::Quoted(self.quoted(b'"')?)),
            b'"' => self.text_literal(),
            b'`' => Ok(Lexeme::Quoted(self.quoted(b'`')?)),
            b'0'..=b'9' => self.number_or_name(start),
            // `t.1a` names a column.
            b'.' if self.byte(1).is_ascii_digit() && self.name_end != Some(start) => Ok(self.number(start)),
            b'?' => {
                self.position += 1;
                Ok(Lexeme::Marker)
            }
            b'@' => self.variable(start),
            b'x' | b'X' if self.byte(1) == b'\'' => self.radix_string(start, 16),
            b'b' | b'B' if self.byte(1) == b'\'' => self.radix_string(start, 2),
            b'n' | b'N' if self.byte(1) == b'\'' => {
                self.position += 1;
                self.text_literal()
            }
            _ if starts_name(c) => self.word(start),
            _ => {
                let rest = &self.sql[start..];
                let symbol = SYMBOLS.iter().find(|s| rest.starts_with(**s)).ok_or_else(|| self.syntax(start))?;
                self.position += symbol.len();
                Ok(Lexeme::Symbol(symbol))
            }
        }
    }

    fn end_of_name(&self, from: usize) -> usize {
        let bytes = &self.sql.as_bytes()[from..];
        from + bytes.iter().position(|c| !continues_name(*c)).unwrap_or(bytes.len())
    }

    fn word(&mut self, start: usize) -> Result<Lexeme<'a>, Error> {
        self.position = self.end_of_name(start);
        let word = &self.sql[start..self.position];
        if word.starts_with('_') && !self.after_point && super::catalog::Collation::default_of(&word[1..]).is_some() {
            // A character set introducer: _utf8mb4'text'.
            let end = (self.position, self.in_version_comment);
            self.skip_space()?;
            let binary = word.eq_ignore_ascii_case("_binary");
            let unicode = binary || word[1..].to_ascii_lowercase().starts_with("utf8");
            match self.byte(0) {
                b'\'' | b'"' if binary => {
                    let quote = self.byte(0);
                    return Ok(Lexeme::Hex(self.escaped(quote)?.into_owned().into_bytes()));
                }
                b'\'' | b'"' if unicode => return self.text_literal(),
                // Of another character set: the word says which, to the parser.
                b'\'' | b'"' => {
                    (self.position, self.in_version_comment) = end;
                    return Ok(Lexeme::Word(word));
                }
                b'x' | b'X' | b'0' if unicode => {
                    let at = self.position;
                    if let Lexeme::Hex(bytes) = self.read(at)? {
                        return Ok(Lexeme::Hex(bytes));
                    }
                }
                _ => {}
            }
            (self.position, self.in_version_comment) = end;
        }
        Ok(Lexeme::Word(word))
    }

    /// A string literal, with those that follow it directly.
    fn text_literal(&mut self) -> Result<Lexeme<'a>, Error> {
        let quote = self.byte(0);
        let mut text = self.escaped(quote)?;
        loop {
            let end = (self.position, self.in_version_comment);
            self.skip_space()?;
            match self.byte(0) {
                quote @ (b'\'' | b'"') if !(quote == b'"' && self.modes.ansi_quotes()) => {
                    let more = self.escaped(quote)?;
                    text.to_mut().push_str(&more);
                }
                _ => {
                    (self.position, self.in_version_comment) = end;
                    return Ok(Lexeme::Literal(Literal::Text(text.into())));
                }
            }
        }
    }

    /// The content of a string that starts at the position.
    fn escaped(&mut self, quote: u8) -> Result<Cow<'a, str>, Error> {
        let bytes = self.sql.as_bytes();
        let start = self.position + 1;
        let escapes = !self.modes.no_backslash_escapes();
        let mut owned: Option<String> = None;
        let mut copied = start;
        let mut at = start;
        loop {
            match bytes.get(at) {
                None => return Err(self.syntax(self.position)),
                Some(c) if *c == quote => {
                    if bytes.get(at + 1) != Some(&quote) {
                        break;
                    }
                    owned.get_or_insert_default().push_str(&self.sql[copied..=at]);
                    at += 2;
                    copied = at;
                }
                Some(b'\\') if escapes => {
                    let text = owned.get_or_insert_default();
                    text.push_str(&self.sql[copied..at]);
                    let next = self.sql[at + 1..].chars().next().ok_or_else(|| self.syntax(self.position))?;
                    match next {
                        '0' => text.push('\0'),
                        'b' => text.push('\u{8}'),
                        'n' => text.push('\n'),
                        'r' => text.push('\r'),
                        't' => text.push('\t'),
                        'Z' => text.push('\u{1a}'),
                        '%' => text.push_str("\\%"),
                        '_' => text.push_str("\\_"),
                        other => text.push(other),
                    }
                    at += 1 + next.len_utf8();
                    copied = at;
                }
                Some(_) => at += 1,
            }
        }
        self.position = at + 1;
        Ok(match owned {
            None => Cow::Borrowed(&self.sql[start..at]),
            Some(mut text) => {
                text.push_str(&self.sql[copied..at]);
                Cow::Owned(text)
            }
        })
    }

    /// The content of a quoted name that starts at the position; a doubled quote stands for itself.
    fn quoted(&mut self, quote: u8) -> Result<Cow<'a, str>, Error> {
        let start = self.position + 1;
        let bytes = self.sql.as_bytes();
        let mut at = start;
        let mut doubled = false;
        loop {
            match bytes.get(at) {
                None => return Err(self.syntax(self.position)),
                Some(c) if *c == quote && bytes.get(at + 1) == Some(&quote) => {
                    doubled = true;
                    at += 2;
                }
                Some(c) if *c == quote => break,
                Some(_) => at += 1,
            }
        }
        self.position = at + 1;
        let text = &self.sql[start..at];
        let q = char::from(quote).to_string();
        Ok(if doubled { Cow::Owned(text.replace(&q.repeat(2), &q)) } else { Cow::Borrowed(text) })
    }

    fn number_or_name(&mut self, start: usize) -> Result<Lexeme<'a>, Error> {
        let bytes = self.sql.as_bytes();
        if self.after_point {
            return self.word(start);
        }
        if self.byte(0) == b'0' && matches!(self.byte(1), b'x' | b'b') {
            let radix = if self.byte(1) == b'x' { 16 } else { 2 };
            let end = self.end_of_name(start + 2);
            let digits = &self.sql[start + 2..end];
            if !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)) {
                self.position = end;
                let bytes = radix_bytes(digits, radix);
                return Ok(if radix == 16 { Lexeme::Hex(bytes) } else { Lexeme::Bits(bytes) });
            }
        }
        // `1abc` is a name, `1e5` is not.
        let digits = bytes[start..].iter().take_while(|c| c.is_ascii_digit()).count();
        let next = self.byte(digits);
        if starts_name(next) {
            let sign = usize::from(matches!(self.byte(digits + 1), b'+' | b'-'));
            let exponent = matches!(next, b'e' | b'E') && self.byte(digits + 1 + sign).is_ascii_digit();
            let end = self.end_of_name(start);
            let pure = bytes[start + digits + 1..end].iter().all(u8::is_ascii_digit);
            if !(exponent && (sign == 1 || pure)) {
                return self.word(start);
            }
        }
        Ok(self.number(start))
    }

    fn number(&mut self, start: usize) -> Lexeme<'a> {
        let bytes = self.sql.as_bytes();
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let mut end = digits(start);
        let point = bytes.get(end) == Some(&b'.');
        if point {
            end = digits(end + 1);
        }
        let mut float = false;
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
                end = digits(end + 1 + sign);
                float = true;
            }
        }
        self.position = end;
        let text = &self.sql[start..end];
        Lexeme::Literal(if float {
            Literal::Float(Real(text.parse().unwrap_or(f64::INFINITY)))
        } else if point {
            Literal::Decimal(text.into())
        } else {
            text.parse().map_or_else(|_| Literal::Decimal(text.into()), Literal::Int)
        })
    }

    fn variable(&mut self, start: usize) -> Result<Lexeme<'a>, Error> {
        if self.byte(1) == b'@' {
            let from = start + 2;
            if self.byte(2) == b'`' {
                self.position = from;
                self.quoted(b'`')?;
                return Ok(Lexeme::SystemVariable(&self.sql[from + 1..self.position - 1]));
            }
            let bytes = &self.sql.as_bytes()[from..];
            let length = bytes.iter().position(|c| !continues_name(*c) && *c != b'.').unwrap_or(bytes.len());
            self.position = from + length;
            return match length {
                0 => Err(self.syntax(start)),
                _ => Ok(Lexeme::SystemVariable(&self.sql[from..self.position])),
            };
        }
        self.position += 1;
        let name = match self.byte(0) {
            quote @ (b'\'' | b'"') => self.escaped(quote)?.to_lowercase(),
            b'`' => self.quoted(b'`')?.to_lowercase(),
            _ => {
                let bytes = &self.sql.as_bytes()[self.position..];
                let length = bytes.iter().position(|c| !continues_name(*c) && *c != b'.').unwrap_or(bytes.len());
                let name = self.sql[self.position..self.position + length].to_lowercase();
                self.position += length;
                name
            }
        };
        Ok(Lexeme::UserVariable(name))
    }

    /// `x'..'` or `b'..'`.
    fn radix_string(&mut self, start: usize, radix: u32) -> Result<Lexeme<'a>, Error> {
        let from = start + 2;
        let end = from + self.sql[from..].find('\'').ok_or_else(|| self.syntax(start))?;
        let digits = &self.sql[from..end];
        let even = radix != 16 || digits.len().is_multiple_of(2);
        if !even || !digits.chars().all(|c| c.is_digit(radix)) {
            return Err(self.syntax(start));
        }
        self.position = end + 1;
        let bytes = radix_bytes(digits, radix);
        Ok(if radix == 16 { Lexeme::Hex(bytes) } else { Lexeme::Bits(bytes) })
    }
}

/// Bytes from digits of radix 16 or 2, most significant first, padded on the left.
fn radix_bytes(digits: &str, radix: u32) -> Vec<u8> {
    let per_byte = if radix == 16 { 2 } else { 8 };
    let first = digits.len() % per_byte;
    let mut bytes = Vec::with_capacity(digits.len() / per_byte + 1);
    let mut push = |part: &str| bytes.push(u8::from_str_radix(part, radix).unwrap_or(0));
    if first > 0 {
        push(&digits[..first]);
    }
    let mut at = first;
    while at < digits.len() {
        push(&digits[at..at + per_byte]);
        at += per_byte;
    }
    bytes
}

/// Error 1064 with the text from `at` on, as MySQL quotes it: at most 80 characters.
pub fn syntax_error(sql: &str, at: usize) -> Error {
    let mut at = at.min(sql.len());
    while !sql.is_char_boundary(at) {
        at -= 1;
    }
    let near: String = sql[at..].chars().take(80).collect();
    let line = 1 + sql.as_bytes()[..at].iter().filter(|c| **c == b'\n').count();
    Error::syntax(near.trim_end_matches(['\n', ' ', ';']), line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexemes(sql: &str, modes: Modes) -> Vec<Lexeme<'_>> {
        let mut lexer = Lexer::new(sql, modes);
        let mut all = Vec::new();
        loop {
            match lexer.next().unwrap().0 {
                Lexeme::End => return all,
                lexeme => all.push(lexeme),
            }
        }
    }

    fn text(s: &str) -> Lexeme<'static> {
        Lexeme::Literal(Literal::Text(s.into()))
    }

    #[test]
    fn strings_by_mode() {
        assert_eq!(lexemes(r"'a\'b''c\n\%'", Modes::NONE), [text("a'b'c\n\\%")]);
        assert_eq!(lexemes(r"'a\'", Modes::NO_BACKSLASH_ESCAPES), [text("a\\")]);
        assert_eq!(lexemes("\"x\" 'y'", Modes::NONE), [text("xy")]);
        assert_eq!(lexemes("\"x\" 'y'", Modes::ANSI_QUOTES), [Lexeme::Quoted("x".into()), text("y")]);
        assert_eq!(lexemes("N'a' _utf8mb4 'b'", Modes::NONE), [text("a"), text("b")]);
        assert_eq!(lexemes("_binary 'a' x'4142' 0x4 b'101'", Modes::NONE).len(), 4);
    }

    #[test]
    fn numbers_and_names_that_start_with_digits() {
        assert_eq!(
            lexemes("1abc t.1a 1e5 1.50 .5", Modes::NONE),
            [
                Lexeme::Word("1abc"),
                Lexeme::Word("t"),
                Lexeme::Symbol("."),
                Lexeme::Word("1a"),
                Lexeme::Literal(Literal::Float(Real(1e5))),
                Lexeme::Literal(Literal::Decimal("1.50".into())),
                Lexeme::Literal(Literal::Decimal(".5".into())),
            ]
        );
        assert_eq!(
            lexemes("18446744073709551615", Modes::NONE),
            [Lexeme::Literal(Literal::Decimal("18446744073709551615".into()))]
        );
    }

    #[test]
    fn a_column_is_named_after_what_is_executed() {
        for (text, name) in [
            ("1 /*!32301 +1", "1  +1"),
            ("1 + /*!00000 2 */ + 3 /*!999999 noise*/ + 4", "1 +  2  + 3  + 4"),
            ("1+2/*hello*/+3", "1+2/*hello*/+3"),
            ("'/*!1 x */', `/*!2`", "'/*!1 x */', `/*!2`"),
            ("/*!é*/", "é"),
        ] {
            assert_eq!(without_version_comments(text), name);
        }
    }

    #[test]
    fn comments_by_version() {
        assert_eq!(
            lexemes("a /*!40101 b */ c /*!99999 d */ -- e\n f # g", Modes::NONE),
            [Lexeme::Word("a"), Lexeme::Word("b"), Lexeme::Word("c"), Lexeme::Word("f"),]
        );
        assert_eq!(lexemes("1--1", Modes::NONE).len(), 4);
        assert!(Lexer::new("/* x", Modes::NONE).next().is_err());
    }

    #[test]
    fn variables() {
        assert_eq!(
            lexemes("@A @`b c` @@global.x @@y", Modes::NONE),
            [
                Lexeme::UserVariable("a".into()),
                Lexeme::UserVariable("b c".into()),
                Lexeme::SystemVariable("global.x"),
                Lexeme::SystemVariable("y"),
            ]
        );
    }
}
