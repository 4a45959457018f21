//! CREATE PROCEDURE, FUNCTION and TRIGGER up to their bodies; ALTER of the first two; CALL.

use super::{Body, Reader, Statement, TableName};
use crate::sql::definition::TypeDefinition;
use crate::sql::dialect::MarmotDialect;
use crate::sql::error::Error;
use crate::sql::modes::Modes;
use crate::sql::program::{ParameterMode, RowEvent, StoredKind, end_of_body};
use crate::sql::routine::Nature;
use crate::sql::tokens::{tokenise, tokenise_program};
use sqlparser::ast::Expr;
use sqlparser::tokenizer::Token;

/// The definition of a stored program.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateProgram {
    pub kind: StoredKind,
    pub name: TableName,
    pub replace: bool,
    pub if_not_exists: bool,
    /// `user@host`; `None`: whoever creates it.
    pub definer: Option<String>,
    pub parameters: Vec<(ParameterMode, String, TypeDefinition)>,
    pub parameter_text: String,
    pub returns: Option<TypeDefinition>,
    pub trigger: Option<CreateTrigger>,
    pub nature: Nature,
    pub body: String,
}

/// What a trigger's definition says besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTrigger {
    pub table: TableName,
    pub before: bool,
    pub event: RowEvent,
    /// FOLLOWS (true) or PRECEDES another trigger.
    pub beside: Option<(bool, String)>,
}

/// CALL.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub name: TableName,
    pub arguments: Vec<Expr>,
}

/// What ALTER PROCEDURE and ALTER FUNCTION change; `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NatureChange {
    pub access: Option<String>,
    pub invoker: Option<bool>,
    pub comment: Option<String>,
}

/// Parses the definition of a stored program; says where the next statement begins.
///
/// # Errors
/// 1064, 1235. Most of the body's are found when it is translated.
pub fn parse_program(sql: &str, modes: Modes) -> Result<(Option<Statement>, usize), Error> {
    let tokens = tokenise_program(sql, modes)?;
    let dialect = MarmotDialect::default();
    let mut reader = Reader::new(&dialect, &tokens);
    reader.skip();
    let replace = reader.accept("OR REPLACE");
    let mut body = reader.create_program(replace)?;
    let mut end = tokens.end;
    match &mut body {
        Body::Program(create) => {
            let position = reader.position();
            let Some((start, _)) = tokens.ranges.get(position).copied() else { return reader.unexpected() };
            let found = end_of_body(sql, start, modes)?;
            create.body = sql[start..found.end].to_string();
            end = found.next;
        }
        _ => reader.need_end()?,
    }
    drop(reader);
    Ok((Some(Statement { body, tokens }), end))
}

/// Parses a type at the start of a text; says how many bytes it takes.
pub fn parse_leading_type(text: &str, modes: Modes) -> Result<(TypeDefinition, usize), Error> {
    let tokens = tokenise(text, modes)?;
    let dialect = MarmotDialect::default();
    let mut reader = Reader::new(&dialect, &tokens);
    let (ty, _) = reader.column_type("")?;
    let used = tokens.ranges.get(reader.position()).map_or(tokens.text.len(), |(start, _)| *start);
    drop(reader);
    Ok((ty, used))
}

impl Reader<'_> {
    /// What follows CREATE [OR REPLACE], where it is a stored program.
    fn create_program(&mut self, replace: bool) -> Result<Body, Error> {
        let definer = if self.accept("DEFINER") { self.definer()? } else { None };
        let kind = match self.accept_any(&["PROCEDURE", "FUNCTION", "TRIGGER"]) {
            Some("PROCEDURE") => StoredKind::Procedure,
            Some("FUNCTION") => StoredKind::Function,
            Some(_) => StoredKind::Trigger,
            None => {
                self.refuse_objects("CREATE")?;
                return self.unexpected();
            }
        };
        let if_not_exists = self.accept("IF NOT EXISTS");
        if replace && if_not_exists {
            return Err(Error::wrong_usage("OR REPLACE", "IF NOT EXISTS"));
        }
        let name = self.table_name()?;
        let mut create = CreateProgram {
            kind,
            name,
            replace,
            if_not_exists,
            definer,
            parameters: Vec::new(),
            parameter_text: String::new(),
            returns: None,
            trigger: None,
            nature: Nature::default(),
            body: String::new(),
        };
        if kind == StoredKind::Trigger {
            create.trigger = Some(self.trigger()?);
            return Ok(Body::Program(Box::new(create)));
        }
        if kind == StoredKind::Function && self.looks_at("RETURNS") {
            return Err(Error::unsupported("loadable functions"));
        }
        self.need(&Token::LParen)?;
        let first = self.position();
        if *self.peek() != Token::RParen {
            create.parameters = self.list(|r| r.parameter(kind))?;
        }
        create.parameter_text = self.text_since(first);
        self.need(&Token::RParen)?;
        if kind == StoredKind::Function {
            self.expect("RETURNS")?;
            let (returns, _) = self.column_type(&create.name.name.clone())?;
            create.returns = Some(returns);
        }
        create.nature = self.nature()?;
        if kind == StoredKind::Function && self.accept("RETURN") {
            return self.one_return(create);
        }
        Ok(Body::Program(Box::new(create)))
    }

    /// `= user[@host]`, `= CURRENT_USER`.
    pub(super) fn definer(&mut self) -> Result<Option<String>, Error> {
        self.need(&Token::Eq)?;
        if self.accept("CURRENT_USER") {
            if self.take(&Token::LParen) {
                self.need(&Token::RParen)?;
            }
            return Ok(None);
        }
        let user = self.name_or_text()?;
        let host = self.user_variable().unwrap_or_else(|| "%".to_string());
        Ok(Some(format!("{user}@{host}")))
    }

    fn parameter(&mut self, kind: StoredKind) -> Result<(ParameterMode, String, TypeDefinition), Error> {
        let mode = match self.accept_any(&["INOUT", "IN", "OUT"]) {
            Some(_) if kind == StoredKind::Function => return self.unexpected(),
            Some("INOUT") => ParameterMode::InOut,
            Some("OUT") => ParameterMode::Out,
            _ => ParameterMode::In,
        };
        let name = self.name()?;
        let (ty, _) = self.column_type(&name)?;
        Ok((mode, name, ty))
    }

    fn trigger(&mut self) -> Result<CreateTrigger, Error> {
        let Some(timing) = self.accept_any(&["BEFORE", "AFTER"]) else { return self.unexpected() };
        let event = match self.accept_any(&["INSERT", "UPDATE", "DELETE"]) {
            Some("INSERT") => RowEvent::Insert,
            Some("UPDATE") => RowEvent::Update,
            Some(_) => RowEvent::Delete,
            None => return self.unexpected(),
        };
        if self.looks_at("OF") || self.looks_at("OR") {
            return Err(Error::unsupported("triggers of several events or of columns"));
        }
        self.expect("ON")?;
        let table = self.table_name()?;
        self.expect("FOR EACH ROW")?;
        let beside = match self.accept_any(&["FOLLOWS", "PRECEDES"]) {
            Some(word) => Some((word == "FOLLOWS", self.name()?)),
            None => None,
        };
        Ok(CreateTrigger { table, before: timing == "BEFORE", event, beside })
    }

    /// ALTER PROCEDURE, ALTER FUNCTION, behind the name.
    pub(super) fn alter_program(&mut self, kind: StoredKind) -> Result<Body, Error> {
        let name = self.table_name()?;
        let mut change = NatureChange::default();
        let access = ["CONTAINS SQL", "NO SQL", "READS SQL DATA", "MODIFIES SQL DATA"];
        loop {
            if self.accept("COMMENT") {
                change.comment = Some(self.text()?);
            } else if self.accept("SQL SECURITY") {
                let Some(word) = self.accept_any(&["DEFINER", "INVOKER"]) else { return self.unexpected() };
                change.invoker = Some(word == "INVOKER");
            } else if let Some(words) = self.accept_any(&access) {
                change.access = Some(words.to_string());
            } else if !self.accept("LANGUAGE SQL") {
                return Ok(Body::AlterProgram { kind, name, change });
            }
        }
    }

    /// Behind CALL.
    pub(super) fn call_statement(&mut self) -> Result<Body, Error> {
        let name = self.table_name()?;
        let mut arguments = Vec::new();
        if self.take(&Token::LParen) && !self.take(&Token::RParen) {
            arguments = self.list(Reader::expression)?;
            self.need(&Token::RParen)?;
        }
        Ok(Body::Call(Box::new(Call { name, arguments })))
    }
}
