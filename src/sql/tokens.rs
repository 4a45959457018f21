//! The statement as sqlparser's tokens, with what sqlparser's tree loses: where each token stood in the text, which
//! literal it was, and the text of every select item (MySQL names result columns after it).
//!
//! A token's span does not hold line and column but its *number*, so that every node of the tree leads back here.

use super::error::Error;
use super::lexer::{Lexeme, Lexer, syntax_error};
use super::modes::Modes;
use super::parameter::Literal;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};
use std::collections::BTreeMap;

/// Parentheses may be nested so deep.
const MAX_DEPTH: usize = 120;
/// Operators in one expression, which sqlparser chains to the left, one level of tree each.
const MAX_OPERATORS: usize = 1000;

/// One statement's tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tokens {
    pub text: String,
    pub tokens: Vec<TokenWithSpan>,
    /// Byte ranges in `text`, by token.
    pub ranges: Vec<(usize, usize)>,
    pub literals: Vec<Literal>,
    /// The literal behind a token.
    pub literal_of: BTreeMap<usize, usize>,
    pub markers: usize,
    /// By the number of a SELECT token: the text of each of its items.
    pub items: BTreeMap<usize, Vec<String>>,
    /// The variables of `SELECT ... INTO @a, b`, which sqlparser cannot read and does not see.
    pub into: Vec<IntoName>,
    /// `INTO OUTFILE ...` or `INTO DUMPFILE ...`, from the second word on, which sqlparser does not see either.
    pub into_file: Vec<TokenWithSpan>,
    /// The token RETURNING of INSERT, REPLACE or DELETE, which sqlparser sees as SELECT, so that it reads its items.
    pub returning: Option<usize>,
    /// `:=` occurs: user variables may change while the statement runs.
    pub assigns_variables: bool,
    /// Where the next statement begins in the text given.
    pub end: usize,
}

/// What INTO names a file by.
const INTO_FILE: &[&str] = &["OUTFILE", "DUMPFILE"];

/// A variable after INTO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntoName {
    /// `@name`.
    User(String),
    /// A parameter or local variable of a stored program.
    Local(String),
}

/// The number of the token that a node begins with.
pub fn token_number(span: Span) -> Option<usize> {
    usize::try_from(span.start.column).ok()?.checked_sub(1)
}

fn span(number: usize) -> Span {
    let location = Location { line: 1, column: number as u64 + 1 };
    Span { start: location, end: location }
}

/// Placeholders carry what they stand for in their text: `?n` a client's marker, `@n` a user variable, `@@n` a system
/// variable, `xHEX` a binary string, `bHEX` a bit string.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect()
}

/// Reads the first statement of `sql`.
///
/// # Errors
/// 1064 for text that is no sequence of lexemes, 1436 for text nested too deeply.
pub fn tokenise(sql: &str, modes: Modes) -> Result<Tokens, Error> {
    tokens_of(sql, Lexer::new(sql, modes), modes)
}

/// As [`tokenise`], of the definition of a stored program: up to the first semicolon, which may be within its body.
pub fn tokenise_program(sql: &str, modes: Modes) -> Result<Tokens, Error> {
    tokens_of(sql, Lexer::of_program(sql, modes), modes)
}

fn tokens_of(sql: &str, mut lexer: Lexer<'_>, modes: Modes) -> Result<Tokens, Error> {
    let mut t = Tokens::default();
    let mut start_of_text = None;
    loop {
        let (lexeme, start, end) = lexer.next()?;
        let number = t.tokens.len();
        let token = match lexeme {
            Lexeme::End | Lexeme::Semicolon => {
                t.end = end;
                t.text = sql[..start].to_string();
                break;
            }
            Lexeme::Word(word) => word_token(&t, word),
            Lexeme::Quoted(name) => Token::make_word(&name, Some('`')),
            Lexeme::Literal(literal) => {
                let token = match &literal {
                    Literal::Int(n) => Token::Number(n.to_string(), false),
                    Literal::Decimal(digits) => Token::Number(digits.to_string(), false),
                    Literal::Float(_) => Token::Number(sql[start..end].to_string(), false),
                    Literal::Text(text) => Token::SingleQuotedString(text.to_string()),
                };
                t.literal_of.insert(number, t.literals.len());
                t.literals.push(literal);
                token
            }
            Lexeme::Hex(bytes) => Token::Placeholder(format!("x{}", hex(&bytes))),
            Lexeme::Bits(bytes) => Token::Placeholder(format!("b{}", hex(&bytes))),
            Lexeme::UserVariable(name) => Token::Placeholder(format!("@{name}")),
            Lexeme::SystemVariable(name) => Token::Placeholder(format!("@@{}", name.to_lowercase())),
            Lexeme::Marker => {
                t.markers += 1;
                Token::Placeholder(format!("?{}", t.markers - 1))
            }
            Lexeme::Symbol(symbol) => {
                t.assigns_variables |= symbol == ":=";
                symbol_token(symbol, modes)
            }
        };
        start_of_text.get_or_insert(start);
        t.tokens.push(TokenWithSpan { token, span: span(number) });
        t.ranges.push((start, end));
    }
    t.rewrite();
    t.outline()?;
    t.take_into();
    t.take_into_file();
    let end = span(t.tokens.len());
    t.tokens.push(TokenWithSpan { token: Token::EOF, span: end });
    Ok(t)
}

/// Whether an operand ends before the next token: then MOD and DIV are operators.
fn after_operand(t: &Tokens) -> bool {
    match t.tokens.last().map(|t| &t.token) {
        Some(Token::Word(word)) => word.quote_style.is_some() || !super::dialect::is_reserved(&word.value),
        Some(Token::RParen | Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_)) => true,
        _ => false,
    }
}

fn word_token(t: &Tokens, word: &str) -> Token {
    if t.tokens.last().is_some_and(|t| t.token == Token::Period) {
        // After a point every word is a name.
        return Token::make_word(word, Some('`'));
    }
    if word.eq_ignore_ascii_case("DISTINCTROW") {
        return Token::make_word("DISTINCT", None);
    }
    if word.eq_ignore_ascii_case("MOD") && after_operand(t) {
        return Token::Mod;
    }
    Token::make_word(word, None)
}

fn symbol_token(symbol: &str, modes: Modes) -> Token {
    match symbol {
        "<=>" => Token::Spaceship,
        "->>" => Token::LongArrow,
        "->" => Token::Arrow,
        "&&" => Token::make_word("AND", None),
        "||" if modes.pipes_as_concat() => Token::StringConcat,
        "||" => Token::make_word("OR", None),
        ":=" => Token::Assignment,
        "!=" | "<>" => Token::Neq,
        "<=" => Token::LtEq,
        ">=" => Token::GtEq,
        "<<" => Token::ShiftLeft,
        ">>" => Token::ShiftRight,
        "(" => Token::LParen,
        ")" => Token::RParen,
        "," => Token::Comma,
        "." => Token::Period,
        "+" => Token::Plus,
        "-" => Token::Minus,
        "*" => Token::Mul,
        "/" => Token::Div,
        "%" => Token::Mod,
        "=" => Token::Eq,
        "<" => Token::Lt,
        ">" => Token::Gt,
        "!" => Token::ExclamationMark,
        "~" => Token::Tilde,
        "^" => Token::Caret,
        "&" => Token::Ampersand,
        "|" => Token::Pipe,
        "{" => Token::LBrace,
        "}" => Token::RBrace,
        _ => Token::Colon,
    }
}

/// The keywords that end a select list.
const AFTER_ITEMS: &[&str] = &[
    "FROM",
    "WHERE",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "FOR",
    "INTO",
    "WINDOW",
    "ON",
];
const SELECT_MODIFIERS: &[&str] = &[
    "ALL",
    "DISTINCT",
    "HIGH_PRIORITY",
    "STRAIGHT_JOIN",
    "SQL_SMALL_RESULT",
    "SQL_BIG_RESULT",
    "SQL_BUFFER_RESULT",
    "SQL_NO_CACHE",
    "SQL_CALC_FOUND_ROWS",
];

/// What is open while the outline is drawn.
#[derive(Default)]
struct Frame {
    operators: usize,
    /// The SELECT whose items are being read, and where the current one began.
    items: Option<(usize, Option<usize>)>,
}

impl Tokens {
    /// An unquoted word.
    pub fn word(&self, number: usize) -> Option<&str> {
        match &self.tokens.get(number)?.token {
            Token::Word(word) if word.quote_style.is_none() => Some(&word.value),
            _ => None,
        }
    }

    fn is_word(&self, number: usize, any: &[&str]) -> bool {
        self.word(number).is_some_and(|w| any.iter().any(|k| k.eq_ignore_ascii_case(w)))
    }

    /// The text from one token to another, both included.
    pub fn between(&self, first: usize, last: usize) -> &str {
        match (self.ranges.get(first), self.ranges.get(last)) {
            (Some((start, _)), Some((_, end))) if start <= end => &self.text[*start..*end],
            _ => "",
        }
    }

    /// The first and last token of an item of the SELECT at token `select`.
    pub fn item_tokens(&self, select: usize, item: usize) -> Option<(usize, usize)> {
        let mut begin = select + 1;
        while self.is_word(begin, SELECT_MODIFIERS) {
            begin += 1;
        }
        let (mut start, mut depth, mut number) = (begin, 0usize, 0);
        for at in begin..self.tokens.len() {
            let ends = match &self.tokens[at].token {
                Token::LParen => {
                    depth += 1;
                    false
                }
                Token::RParen if depth > 0 => {
                    depth -= 1;
                    false
                }
                Token::RParen | Token::EOF => true,
                Token::Comma => depth == 0,
                _ => depth == 0 && self.is_word(at, AFTER_ITEMS),
            };
            if ends {
                if number == item {
                    return (at > start).then(|| (start, at - 1));
                }
                if self.tokens[at].token != Token::Comma {
                    return None;
                }
                (start, number) = (at + 1, number + 1);
            }
        }
        None
    }

    /// Error 1064 at a token.
    pub fn syntax_error(&self, number: usize) -> Error {
        syntax_error(&self.text, self.ranges.get(number).map_or(self.text.len(), |r| r.0))
    }

    fn blank(&mut self, number: usize) {
        // Spans keep the numbering.
        self.tokens[number].token = Token::Whitespace(sqlparser::tokenizer::Whitespace::Space);
    }

    /// The variable at a token after INTO; `locals`: also one without `@`.
    fn variable(&self, number: usize, locals: bool) -> Option<IntoName> {
        match &self.tokens.get(number)?.token {
            Token::Placeholder(name) if name.starts_with('@') && !name.starts_with("@@") => {
                Some(IntoName::User(name[1..].to_string()))
            }
            Token::Word(word) if locals => {
                let name = word.quote_style.is_some() || !super::dialect::is_reserved(&word.value);
                let file = INTO_FILE.iter().any(|w| word.value.eq_ignore_ascii_case(w));
                (name && !file).then(|| IntoName::Local(word.value.clone()))
            }
            _ => None,
        }
    }

    /// Takes INTO @a, b out.
    fn take_into(&mut self) {
        let locals = self.is_word(0, &["SELECT", "WITH", "VALUES", "TABLE"])
            || self.tokens.first().is_some_and(|t| t.token == Token::LParen);
        let starts = |i: &usize| self.is_word(*i, &["INTO"]) && self.variable(i + 1, locals).is_some();
        let Some(into) = (0..self.tokens.len()).find(starts) else { return };
        self.blank(into);
        let mut at = into + 1;
        while let Some(name) = self.variable(at, locals) {
            self.into.push(name);
            self.blank(at);
            let comma = self.tokens.get(at + 1).is_some_and(|t| t.token == Token::Comma);
            if comma && self.variable(at + 2, locals).is_some() {
                self.blank(at + 1);
                at += 2;
            } else {
                break;
            }
        }
    }

    /// Takes INTO OUTFILE and INTO DUMPFILE out, with the format of the file.
    fn take_into_file(&mut self) {
        const OPTIONS: &[&str] = &[
            "CHARACTER",
            "CHARSET",
            "SET",
            "FIELDS",
            "COLUMNS",
            "TERMINATED",
            "OPTIONALLY",
            "ENCLOSED",
            "ESCAPED",
            "BY",
            "LINES",
            "STARTING",
        ];
        let starts = |i: &usize| self.is_word(*i, &["INTO"]) && self.is_word(i + 1, INTO_FILE);
        let Some(into) = (0..self.tokens.len()).find(starts) else { return };
        let belongs = |i: usize| match self.tokens.get(i).map(|t| &t.token) {
            Some(Token::SingleQuotedString(_) | Token::Placeholder(_)) => true,
            // A character set has any name.
            Some(Token::Word(_)) => self.is_word(i, OPTIONS) || self.is_word(i - 1, &["SET", "CHARSET"]),
            _ => false,
        };
        let end = (into + 2..self.tokens.len()).find(|i| !belongs(*i)).unwrap_or(self.tokens.len());
        self.into_file = self.tokens[into + 1..end].to_vec();
        self.into_file.push(TokenWithSpan { token: Token::EOF, span: span(end) });
        (into..end).for_each(|i| self.blank(i));
    }

    /// Spells what sqlparser does not know in a way it does: LOCK IN SHARE MODE is FOR SHARE.
    fn rewrite(&mut self) {
        for i in 0..self.tokens.len().saturating_sub(3) {
            let phrase = ["LOCK", "IN", "SHARE", "MODE"];
            if phrase.iter().enumerate().all(|(j, w)| self.is_word(i + j, &[w])) {
                self.tokens[i].token = Token::make_word("FOR", None);
                self.tokens[i + 1].token = Token::make_word("SHARE", None);
                self.blank(i + 2);
                self.blank(i + 3);
            }
        }
        self.rewrite_lists_of_tables();
        if self.is_word(0, &["INSERT", "REPLACE", "DELETE"]) {
            self.rewrite_returning();
        }
    }

    fn rewrite_returning(&mut self) {
        const BEFORE_NAMES: &[&str] =
            &["INTO", "FROM", "SET", "AS", "BY", "WHERE", "AND", "OR", "ON", "JOIN", "SELECT"];
        let names_something = |t: &Self, i: usize| {
            let before = matches!(t.tokens[i - 1].token, Token::Period | Token::Comma | Token::LParen | Token::Eq);
            let after = t.tokens.get(i + 1).is_none_or(|n| {
                matches!(n.token, Token::Period | Token::Comma | Token::LParen | Token::RParen | Token::Eq)
            });
            before || after || t.is_word(i - 1, BEFORE_NAMES)
        };
        let found = (1..self.tokens.len()).rev().find(|i| self.is_word(*i, &["RETURNING"]));
        if let Some(i) = found.filter(|i| !names_something(self, *i)) {
            self.tokens[i].token = Token::make_word("SELECT", None);
            self.returning = Some(i);
        }
    }

    /// `(a, b)` among joins: a comma there joins like STRAIGHT_JOIN without a condition, but binds less than joins with
    /// one, which is how the parser reads that.
    fn rewrite_lists_of_tables(&mut self) {
        const OPENS: &[&str] = &["FROM", "JOIN", "STRAIGHT_JOIN", "UPDATE"];
        const CLOSES: &[&str] = &["WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "SET", "UNION", "SELECT", "VALUES"];
        // For every open parenthesis: whether tables are being listed, and whether in parentheses of their own.
        let mut frames = vec![(false, false)];
        for i in 0..self.tokens.len() {
            let Some(&(tables, nested)) = frames.last() else { return };
            let begins = i > 0
                && (self.is_word(i - 1, OPENS)
                    || tables && matches!(self.tokens[i - 1].token, Token::Comma | Token::LParen)
                    || tables && self.is_word(i - 1, &["STRAIGHT_JOIN"]));
            match &self.tokens[i].token {
                Token::LParen => {
                    let query = self.is_word(i + 1, &["SELECT", "WITH", "VALUES", "TABLE"]);
                    let opens = (tables || i > 0 && self.is_word(i - 1, OPENS)) && begins && !query;
                    frames.push((opens, opens));
                }
                Token::RParen if frames.len() > 1 => {
                    frames.pop();
                }
                Token::Comma if nested && tables => {
                    self.tokens[i].token = Token::make_word("STRAIGHT_JOIN", None);
                }
                _ if self.is_word(i, OPENS) => frames.iter_mut().last().into_iter().for_each(|f| f.0 = true),
                _ if self.is_word(i, CLOSES) => frames.iter_mut().last().into_iter().for_each(|f| f.0 = false),
                _ => {}
            }
        }
    }

    /// Finds the select items and checks the depth.
    fn outline(&mut self) -> Result<(), Error> {
        let mut frames = vec![Frame::default()];
        let mut i = 0;
        while i < self.tokens.len() {
            let word = self.word(i).map(str::to_ascii_uppercase);
            let depth = frames.len();
            let Some(frame) = frames.last_mut() else { break };
            match (&self.tokens[i].token, word.as_deref()) {
                (Token::LParen, _) => {
                    start_item(frame, i);
                    if depth > MAX_DEPTH {
                        return Err(Error::too_deep());
                    }
                    frames.push(Frame::default());
                }
                (Token::RParen, _) => {
                    self.end_item(frame, i, true);
                    if depth > 1 {
                        frames.pop();
                    }
                }
                (Token::Comma, _) => {
                    frame.operators = 0;
                    self.end_item(frame, i, false);
                }
                (_, Some("SELECT")) => {
                    frame.operators += 1;
                    frame.items = Some((i, None));
                    self.items.entry(i).or_default();
                    while self.is_word(i + 1, SELECT_MODIFIERS) {
                        i += 1;
                    }
                }
                (_, Some(word)) if AFTER_ITEMS.contains(&word) => {
                    self.end_item(frame, i, true);
                    frame.operators += usize::from(matches!(word, "UNION" | "INTERSECT" | "EXCEPT"));
                }
                (token, word) => {
                    start_item(frame, i);
                    let operator = match token {
                        Token::Word(_) => matches!(
                            word,
                            Some(
                                "AND"
                                    | "OR"
                                    | "XOR"
                                    | "NOT"
                                    | "LIKE"
                                    | "DIV"
                                    | "IS"
                                    | "IN"
                                    | "BETWEEN"
                                    | "REGEXP"
                                    | "RLIKE"
                            ) | Some("COLLATE" | "BINARY" | "JOIN" | "WHEN" | "INTERVAL" | "CASE")
                        ),
                        Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_) => false,
                        Token::Period | Token::Mul if frame.items.is_some() => false,
                        _ => true,
                    };
                    frame.operators += usize::from(operator);
                }
            }
            if frames.last().is_some_and(|f| f.operators > MAX_OPERATORS) {
                return Err(Error::too_deep());
            }
            i += 1;
        }
        if let Some(mut frame) = frames.pop() {
            let end = self.tokens.len();
            self.end_item(&mut frame, end, true);
        }
        Ok(())
    }

    /// The token `at` does not belong to the item that is open, if any.
    fn end_item(&mut self, frame: &mut Frame, at: usize, last: bool) {
        let Some((select, start)) = frame.items else { return };
        if let Some(start) = start {
            let text = super::lexer::without_version_comments(self.between(start, at.saturating_sub(1)));
            self.items.entry(select).or_default().push(text);
        }
        frame.items = if last { None } else { Some((select, None)) };
    }
}

fn start_item(frame: &mut Frame, at: usize) {
    if let Some((_, start @ None)) = &mut frame.items {
        *start = Some(at);
    }
}
