//! Reading tokens one by one, on top of sqlparser's parser.

use super::statement::TableName;
use crate::sql::dialect::{MarmotDialect, is_reserved};
use crate::sql::error::Error;
use crate::sql::parameter::Literal;
use crate::sql::tokens::{Tokens, token_number};
use sqlparser::ast::{Expr, Query, TableWithJoins};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// sqlparser's limit on nesting; its parser grows its stack as needed.
const RECURSION_LIMIT: usize = 250;

/// A place among the tokens of one statement.
pub struct Reader<'t> {
    parser: Parser<'t>,
    pub tokens: &'t Tokens,
}

impl<'t> Reader<'t> {
    pub fn new(dialect: &'t MarmotDialect, tokens: &'t Tokens) -> Reader<'t> {
        Reader::of_part(dialect, tokens, &tokens.tokens)
    }

    /// Reads some of a statement's tokens only.
    pub fn of_part(dialect: &'t MarmotDialect, tokens: &'t Tokens, part: &[TokenWithSpan]) -> Reader<'t> {
        let parser = Parser::new(dialect).with_recursion_limit(RECURSION_LIMIT);
        Reader { parser: parser.with_tokens_with_locations(part.to_vec()), tokens }
    }

    /// The number of the next token.
    pub fn position(&self) -> usize {
        token_number(self.parser.peek_token_ref().span).unwrap_or(self.tokens.tokens.len().saturating_sub(1))
    }

    pub fn peek(&self) -> &Token {
        &self.parser.peek_token_ref().token
    }

    pub fn skip(&mut self) {
        self.parser.next_token();
    }

    pub fn at_end(&self) -> bool {
        *self.peek() == Token::EOF
    }

    /// The error that the next token does not belong here.
    pub fn unexpected<T>(&self) -> Result<T, Error> {
        Err(self.tokens.syntax_error(self.position()))
    }

    /// The text from token `first` up to the next one.
    pub fn text_since(&self, first: usize) -> String {
        self.tokens.between(first, self.position().saturating_sub(1)).to_string()
    }

    fn is_word(&self, ahead: usize, word: &str) -> bool {
        matches!(&self.parser.peek_nth_token_ref(ahead).token,
            Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    }

    /// Whether the words separated by spaces come next.
    pub fn looks_at(&self, words: &str) -> bool {
        words.split(' ').enumerate().all(|(i, word)| self.is_word(i, word))
    }

    /// Takes the words if all of them come next.
    pub fn accept(&mut self, words: &str) -> bool {
        let found = self.looks_at(words);
        if found {
            words.split(' ').for_each(|_| self.skip());
        }
        found
    }

    /// The first of `choices` that comes next, taken.
    pub fn accept_any<'w>(&mut self, choices: &[&'w str]) -> Option<&'w str> {
        choices.iter().find(|words| self.accept(words)).copied()
    }

    pub fn expect(&mut self, words: &str) -> Result<(), Error> {
        if self.accept(words) { Ok(()) } else { self.unexpected() }
    }

    pub fn take(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    pub fn need(&mut self, token: &Token) -> Result<(), Error> {
        if self.take(token) { Ok(()) } else { self.unexpected() }
    }

    pub fn need_end(&self) -> Result<(), Error> {
        if self.at_end() { Ok(()) } else { self.unexpected() }
    }

    /// A name: quoted, or a word that is not reserved.
    pub fn name(&mut self) -> Result<String, Error> {
        match self.peek() {
            Token::Word(word) if word.quote_style.is_some() || !is_reserved(&word.value) => {
                let name = word.value.clone();
                self.skip();
                Ok(name)
            }
            _ => self.unexpected(),
        }
    }

    /// A name or a string: what character sets, collations and engines may be written as.
    pub fn name_or_text(&mut self) -> Result<String, Error> {
        match self.peek() {
            Token::SingleQuotedString(text) => {
                let text = text.clone();
                self.skip();
                Ok(text)
            }
            Token::Word(word) => {
                let name = word.value.clone();
                self.skip();
                Ok(name)
            }
            _ => self.unexpected(),
        }
    }

    pub fn text(&mut self) -> Result<String, Error> {
        match self.peek() {
            Token::SingleQuotedString(text) => {
                let text = text.clone();
                self.skip();
                Ok(text)
            }
            _ => self.unexpected(),
        }
    }

    pub fn unsigned(&mut self) -> Result<u64, Error> {
        let number = match self.peek() {
            Token::Number(digits, _) => digits.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) => {
                self.skip();
                Ok(number)
            }
            None => self.unexpected(),
        }
    }

    /// `( n )`, if it comes next.
    pub fn optional_length(&mut self) -> Result<Option<u64>, Error> {
        if !self.take(&Token::LParen) {
            return Ok(None);
        }
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let length = match self.peek() {
            // Longer than anything may be: whoever asked has the error for it.
            Token::Number(text, _) if digits(text) && text.parse::<u64>().is_err() => {
                self.skip();
                u64::MAX
            }
            _ => self.unsigned()?,
        };
        self.need(&Token::RParen)?;
        Ok(Some(length))
    }

    /// The literal at the next token.
    pub fn literal(&self) -> Option<&Literal> {
        self.tokens.literals.get(*self.tokens.literal_of.get(&self.position())?)
    }

    pub fn table_name(&mut self) -> Result<TableName, Error> {
        let first = self.name()?;
        Ok(if self.take(&Token::Period) {
            TableName { database: Some(first), name: self.name()? }
        } else {
            TableName { database: None, name: first }
        })
    }

    /// A column's name with or without the table's and the database's before it.
    pub fn qualified_name(&mut self) -> Result<String, Error> {
        let mut name = self.name()?;
        while self.take(&Token::Period) {
            name = self.name()?;
        }
        Ok(name)
    }

    /// One or more, between commas.
    pub fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        let mut all = vec![one(self)?];
        while self.take(&Token::Comma) {
            all.push(one(self)?);
        }
        Ok(all)
    }

    /// `( one, ... )`.
    pub fn parenthesised<T>(&mut self, one: impl FnMut(&mut Self) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        self.need(&Token::LParen)?;
        let all = self.list(one)?;
        self.need(&Token::RParen)?;
        Ok(all)
    }

    /// An expression.
    pub fn expression(&mut self) -> Result<Expr, Error> {
        let result = self.parser.parse_expr();
        result.map_err(|e| self.translate_error(&e))
    }

    /// An expression without operators: a name, a call, a literal.
    pub fn primary_expression(&mut self) -> Result<Expr, Error> {
        let result = self.parser.parse_prefix();
        result.map_err(|e| self.translate_error(&e))
    }

    /// A SELECT, VALUES, TABLE or WITH, or one in parentheses.
    pub fn query(&mut self) -> Result<Box<Query>, Error> {
        let result = self.parser.parse_query();
        result.map_err(|e| self.translate_error(&e))
    }

    /// What stands in FROM and in the head of UPDATE.
    pub fn table_references(&mut self) -> Result<Vec<TableWithJoins>, Error> {
        self.list(|r| {
            let result = r.parser.parse_table_and_joins();
            result.map_err(|e| r.translate_error(&e))
        })
    }

    pub fn order_by(&mut self) -> Result<Vec<sqlparser::ast::OrderByExpr>, Error> {
        if !self.accept("ORDER BY") {
            return Ok(vec![]);
        }
        self.list(|r| {
            let result = r.parser.parse_order_by_expr();
            result.map_err(|e| r.translate_error(&e))
        })
    }

    /// sqlparser's error as MySQL's. Its text ends in the place of the token it did not expect.
    fn translate_error(&self, error: &ParserError) -> Error {
        let text = match error {
            ParserError::RecursionLimitExceeded => return Error::too_deep(),
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        };
        if let Some(feature) = text.strip_prefix('\u{1}') {
            return Error::unsupported(feature);
        }
        let column = text.rsplit_once("Column: ").and_then(|(_, n)| n.trim().parse::<usize>().ok());
        let position = column.and_then(|c| c.checked_sub(1)).unwrap_or_else(|| self.position());
        self.tokens.syntax_error(position)
    }
}
