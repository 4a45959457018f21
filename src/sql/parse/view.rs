//! CREATE VIEW and ALTER VIEW.

use super::{Body, Reader, TableName};
use crate::sql::error::Error;
use sqlparser::ast::Query;
use sqlparser::tokenizer::Token;

/// CREATE [OR REPLACE] VIEW, or ALTER VIEW, which replaces one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewVerb {
    Create { replace: bool },
    Alter,
}

/// A view's definition.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateView {
    pub verb: ViewVerb,
    pub if_not_exists: bool,
    pub name: TableName,
    /// Empty: as the query names them.
    pub columns: Vec<String>,
    pub query: Box<Query>,
    /// The numbers of the query's first token and of the one after its last.
    pub place: (usize, usize),
    /// `CASCADED`, `LOCAL` or `NONE`.
    pub check_option: &'static str,
    /// `UNDEFINED`, `MERGE` or `TEMPTABLE`: shown, without effect.
    pub algorithm: &'static str,
    /// Whether it runs with the rights of whoever reads it.
    pub invoker: bool,
    /// `user@host`; `None`: whoever creates it.
    pub definer: Option<String>,
}

impl Reader<'_> {
    /// Whether VIEW comes next, after any of the attributes that views share with triggers and routines.
    pub(super) fn at_view(&self) -> bool {
        let mut at = self.position();
        loop {
            let Some(word) = self.tokens.word(at) else { return false };
            match word.to_ascii_uppercase().as_str() {
                "VIEW" => return true,
                "ALGORITHM" | "DEFINER" | "SQL" => {}
                _ => return false,
            }
            // Up to the word that follows the attribute's value.
            at += 1;
            while at < self.tokens.tokens.len() && !self.begins_attribute(at) {
                at += 1;
            }
        }
    }

    fn begins_attribute(&self, at: usize) -> bool {
        let words = ["VIEW", "ALGORITHM", "DEFINER", "SQL", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "TABLE"];
        self.tokens.word(at).is_some_and(|w| words.iter().any(|k| k.eq_ignore_ascii_case(w)))
    }

    pub(super) fn view(&mut self, verb: ViewVerb) -> Result<Body, Error> {
        let (mut algorithm, mut invoker, mut definer) = ("UNDEFINED", false, None);
        loop {
            if self.accept("ALGORITHM") {
                self.need(&Token::Eq)?;
                let words = ["UNDEFINED", "MERGE", "TEMPTABLE"];
                let Some(word) = self.accept_any(&words) else { return self.unexpected() };
                algorithm = word;
            } else if self.accept("DEFINER") {
                definer = self.definer()?;
            } else if self.accept("SQL SECURITY") {
                let Some(word) = self.accept_any(&["DEFINER", "INVOKER"]) else { return self.unexpected() };
                invoker = word == "INVOKER";
            } else {
                break;
            }
        }
        self.expect("VIEW")?;
        let if_not_exists = verb != ViewVerb::Alter && self.accept("IF NOT EXISTS");
        if if_not_exists && verb == (ViewVerb::Create { replace: true }) {
            return Err(Error::wrong_usage("OR REPLACE", "IF NOT EXISTS"));
        }
        let name = self.table_name()?;
        let columns = if *self.peek() == Token::LParen { self.parenthesised(Reader::name)? } else { vec![] };
        self.expect("AS")?;
        let first = self.position();
        let query = self.query()?;
        let place = (first, self.position());
        let check_option = match self.accept_any(&["WITH CASCADED CHECK OPTION", "WITH LOCAL CHECK OPTION"]) {
            Some("WITH LOCAL CHECK OPTION") => "LOCAL",
            Some(_) => "CASCADED",
            None if self.accept("WITH CHECK OPTION") => "CASCADED",
            None => "NONE",
        };
        let view =
            CreateView { verb, if_not_exists, name, columns, query, place, check_option, algorithm, invoker, definer };
        Ok(Body::View(Box::new(view)))
    }
}
