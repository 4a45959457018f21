//! CREATE FUNCTION with one expression for its body.

use super::{Body, Reader, TableName};
use crate::sql::definition::TypeDefinition;
use crate::sql::error::Error;
use crate::sql::routine::Nature;
use sqlparser::tokenizer::Token;

/// A function's definition.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateFunction {
    pub name: TableName,
    pub replace: bool,
    pub if_not_exists: bool,
    pub parameters: Vec<(String, TypeDefinition)>,
    pub returns: TypeDefinition,
    /// The text of the expression.
    pub body: String,
    pub nature: Nature,
}

impl Reader<'_> {
    /// Whether FUNCTION comes next, after who defines it.
    pub(super) fn at_function(&self) -> bool {
        let mut at = self.position();
        if self.looks_at("DEFINER") {
            // `DEFINER = user[@host]`, of which the host is a token of its own.
            while at < self.tokens.tokens.len() && !self.is_object(at) {
                at += 1;
            }
        }
        self.tokens.word(at).is_some_and(|w| w.eq_ignore_ascii_case("FUNCTION"))
    }

    fn is_object(&self, at: usize) -> bool {
        let words = ["TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "VIEW", "AGGREGATE"];
        self.tokens.word(at).is_some_and(|w| words.iter().any(|k| k.eq_ignore_ascii_case(w)))
    }

    /// # Errors
    /// 1235 for a body of statements.
    pub(super) fn create_function(&mut self, replace: bool) -> Result<Body, Error> {
        while !self.looks_at("FUNCTION") {
            self.skip();
        }
        self.skip();
        let if_not_exists = self.accept("IF NOT EXISTS");
        if replace && if_not_exists {
            return Err(Error::wrong_usage("OR REPLACE", "IF NOT EXISTS"));
        }
        let name = self.table_name()?;
        if self.looks_at("RETURNS") {
            return Err(Error::unsupported("loadable functions"));
        }
        self.need(&Token::LParen)?;
        let mut parameters = Vec::new();
        if !self.take(&Token::RParen) {
            parameters = self.list(|r| {
                let name = r.name()?;
                let (ty, _) = r.column_type(&name)?;
                Ok((name, ty))
            })?;
            self.need(&Token::RParen)?;
        }
        self.expect("RETURNS")?;
        let (returns, _) = self.column_type(&name.name.clone())?;
        let nature = self.nature()?;
        if !self.accept("RETURN") {
            return Err(Error::unsupported("CREATE FUNCTION with a body of statements"));
        }
        let first = self.position();
        self.expression()?;
        let body = self.text_since(first);
        let create = CreateFunction { name, replace, if_not_exists, parameters, returns, body, nature };
        Ok(Body::CreateFunction(Box::new(create)))
    }

    fn nature(&mut self) -> Result<Nature, Error> {
        let mut nature = Nature::default();
        let access = ["CONTAINS SQL", "NO SQL", "READS SQL DATA", "MODIFIES SQL DATA"];
        loop {
            if self.accept("NOT DETERMINISTIC") {
                nature.deterministic = false;
            } else if self.accept("DETERMINISTIC") {
                nature.deterministic = true;
            } else if self.accept("COMMENT") {
                nature.comment = self.text()?;
            } else if self.accept("SQL SECURITY") {
                let Some(word) = self.accept_any(&["DEFINER", "INVOKER"]) else { return self.unexpected() };
                nature.invoker = word == "INVOKER";
            } else if let Some(words) = self.accept_any(&access) {
                nature.access = words.to_string();
            } else if !self.accept("LANGUAGE SQL") {
                return Ok(nature);
            }
        }
    }
}
