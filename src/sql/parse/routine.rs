//! Functions with one expression for their body, and what all routines may say of themselves.

use super::program::CreateProgram;
use super::{Body, Reader, TableName};
use crate::sql::definition::TypeDefinition;
use crate::sql::error::Error;
use crate::sql::routine::Nature;

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
    /// `user@host`; `None`: whoever creates it.
    pub definer: Option<String>,
}

impl Reader<'_> {
    /// The function of one RETURN, of which what came before it was read.
    pub(super) fn one_return(&mut self, create: CreateProgram) -> Result<Body, Error> {
        let first = self.position();
        self.expression()?;
        let body = self.text_since(first);
        let CreateProgram { name, replace, if_not_exists, parameters, returns, nature, definer, .. } = create;
        let Some(returns) = returns else { return self.unexpected() };
        let parameters = parameters.into_iter().map(|(_, name, ty)| (name, ty)).collect();
        let create = CreateFunction { name, replace, if_not_exists, parameters, returns, body, nature, definer };
        Ok(Body::CreateFunction(Box::new(create)))
    }

    pub(super) fn nature(&mut self) -> Result<Nature, Error> {
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
