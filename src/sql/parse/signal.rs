//! SIGNAL, RESIGNAL and GET DIAGNOSTICS.

use super::{Body, Reader};
use crate::sql::error::Error;
use crate::sql::tokens::IntoName;
use sqlparser::ast::Expr;
use sqlparser::tokenizer::Token;

/// SIGNAL or RESIGNAL.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    pub resignal: bool,
    /// `None`: RESIGNAL of the condition that is being handled.
    pub subject: Option<SignalSubject>,
    /// Items by MySQL's names, once each.
    pub items: Vec<(&'static str, Expr)>,
}

/// What is signalled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalSubject {
    State(String),
    /// A condition that DECLARE named.
    Named(String),
}

/// GET DIAGNOSTICS.
#[derive(Clone, Debug, PartialEq)]
pub struct GetDiagnostics {
    pub stacked: bool,
    /// The number of the condition that is asked for; `None`: items of the statement.
    pub condition: Option<Expr>,
    pub items: Vec<(IntoName, &'static str)>,
}

/// Items that SIGNAL sets.
const ITEMS: &[&str] = &[
    "CLASS_ORIGIN",
    "SUBCLASS_ORIGIN",
    "MESSAGE_TEXT",
    "MYSQL_ERRNO",
    "CONSTRAINT_CATALOG",
    "CONSTRAINT_SCHEMA",
    "CONSTRAINT_NAME",
    "CATALOG_NAME",
    "SCHEMA_NAME",
    "TABLE_NAME",
    "COLUMN_NAME",
    "CURSOR_NAME",
];

impl Reader<'_> {
    /// Behind SIGNAL or RESIGNAL.
    pub(super) fn signal(&mut self, resignal: bool) -> Result<Body, Error> {
        let subject = if self.accept("SQLSTATE") {
            self.accept("VALUE");
            let state = self.text()?;
            let good = state.len() == 5 && state.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
            if !good || state.starts_with("00") {
                return Err(Error { code: 1407, state: "42000", message: format!("Bad SQLSTATE: '{state}'") });
            }
            Some(SignalSubject::State(state))
        } else if resignal && (self.at_end() || self.looks_at("SET")) {
            None
        } else {
            Some(SignalSubject::Named(self.name()?))
        };
        let mut items: Vec<(&'static str, Expr)> = Vec::new();
        if self.accept("SET") {
            loop {
                let Some(item) = ITEMS.iter().find(|item| self.accept(item)) else { return self.unexpected() };
                if items.iter().any(|(other, _)| other == item) {
                    let message = format!("Duplicate condition information item '{item}'");
                    return Err(Error { code: 1641, state: "42000", message });
                }
                self.need(&Token::Eq)?;
                items.push((item, self.expression()?));
                if !self.take(&Token::Comma) {
                    break;
                }
            }
        }
        Ok(Body::Signal(Box::new(Signal { resignal, subject, items })))
    }

    /// Behind GET.
    pub(super) fn get_diagnostics(&mut self) -> Result<Body, Error> {
        let stacked = self.accept("STACKED");
        if !stacked {
            self.accept("CURRENT");
        }
        self.expect("DIAGNOSTICS")?;
        let condition = if self.accept("CONDITION") { Some(self.primary_expression()?) } else { None };
        let known = if condition.is_some() { ITEMS } else { &["NUMBER", "ROW_COUNT"] };
        let items = self.list(|r| {
            let target = match r.user_variable() {
                Some(name) => IntoName::User(name),
                None => IntoName::Local(r.name()?),
            };
            r.need(&Token::Eq)?;
            let found = known.iter().find(|item| r.accept(item)).copied();
            match found {
                Some(item) => Ok((target, item)),
                None if known == ITEMS && r.accept("RETURNED_SQLSTATE") => Ok((target, "RETURNED_SQLSTATE")),
                None => r.unexpected(),
            }
        })?;
        Ok(Body::Diagnostics(Box::new(GetDiagnostics { stacked, condition, items })))
    }
}
