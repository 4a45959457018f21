//! DECLARE, and the statements of cursors.

use super::code::{ConditionValue, Handler, Instruction, LeafKind};
use super::compiler::Compiler;
use crate::sql::catalog::Column;
use crate::sql::compile::resolve_type;
use crate::sql::definition::TypeDefinition;
use crate::sql::error::{Error, Warning};
use crate::sql::lexer::Lexeme;
use crate::sql::modes::Modes;
use crate::sql::parameter::Literal;
use crate::sql::parse::{Body, parse_leading_type, parse_one};
use crate::types::ColumnId;
use std::sync::Arc;

/// A variable or parameter of this type.
pub fn variable_column(
    name: &str,
    ty: &TypeDefinition,
    collation: &crate::sql::catalog::Collation,
    modes: Modes,
    warnings: &mut Vec<Warning>,
) -> Result<Column, Error> {
    Ok(Column::plain(ColumnId(0), name, resolve_type(ty, collation, name, modes, warnings)?))
}

fn wrong_order(code: u16, what: &str, after: &str) -> Error {
    Error { code, state: "42000", message: format!("{what} declaration after {after} declaration") }
}

fn duplicate(code: u16, what: &str, name: &str) -> Error {
    Error { code, state: "42000", message: format!("Duplicate {what}: {name}") }
}

/// What a block declared so far.
#[derive(Default)]
struct Declared {
    variables: usize,
    conditions: usize,
    cursors: usize,
    handlers: Vec<usize>,
}

impl Compiler<'_> {
    /// The declarations at the start of a block; gives its handlers.
    pub(super) fn declarations(&mut self) -> Result<Vec<usize>, Error> {
        let mut block = Declared {
            variables: self.names.variables.len(),
            conditions: self.names.conditions.len(),
            cursors: self.cursors.len(),
            handlers: Vec::new(),
        };
        while self.scanner.accept("DECLARE") {
            match self.scanner.accept_any(&["CONTINUE HANDLER FOR", "EXIT HANDLER FOR", "UNDO HANDLER FOR"]) {
                Some("UNDO HANDLER FOR") => return Err(Error::unsupported("UNDO handlers")),
                Some(kind) => self.handler(kind == "EXIT HANDLER FOR", &mut block)?,
                None => self.named(&block)?,
            }
            if *self.scanner.peek() != Lexeme::Semicolon {
                return Err(self.scanner.unexpected());
            }
            self.scanner.skip();
        }
        Ok(block.handlers)
    }

    /// DECLARE of a name.
    fn named(&mut self, block: &Declared) -> Result<(), Error> {
        let mut names = vec![self.scanner.name()?];
        while self.scanner.accept_symbol(",") {
            names.push(self.scanner.name()?);
        }
        let cursors = self.cursors.len() > block.cursors;
        if let [name] = names.as_slice() {
            if self.scanner.accept("CONDITION FOR") {
                if cursors || !block.handlers.is_empty() {
                    return Err(wrong_order(1337, "Variable or condition", "cursor or handler"));
                }
                return self.condition_name(name, block);
            }
            if self.scanner.accept("CURSOR FOR") {
                if !block.handlers.is_empty() {
                    return Err(wrong_order(1338, "Cursor", "handler"));
                }
                return self.cursor(name, block);
            }
        }
        if cursors || !block.handlers.is_empty() {
            return Err(wrong_order(1337, "Variable or condition", "cursor or handler"));
        }
        self.variables(&names, block)
    }

    fn variables(&mut self, names: &[String], block: &Declared) -> Result<(), Error> {
        for (i, name) in names.iter().enumerate() {
            let own = &self.names.variables[block.variables..];
            let again = own.iter().any(|v| v.name.eq_ignore_ascii_case(name));
            if again || names[..i].iter().any(|n| n.eq_ignore_ascii_case(name)) {
                return Err(duplicate(1331, "variable", name));
            }
        }
        let (start, piece) = self.scanner.piece(&[])?;
        let placed = |e| self.scanner.placed(start, piece, e);
        let (ty, used) = parse_leading_type(piece, self.scanner.modes).map_err(placed)?;
        let rest = piece[used..].trim_start();
        let default = match rest.get(.."DEFAULT".len()) {
            Some(word) if word.eq_ignore_ascii_case("DEFAULT") => Some(&rest[word.len()..]),
            _ if rest.is_empty() => None,
            _ => return Err(self.scanner.placed(start, piece, Error::syntax(rest, 1))),
        };
        // The default is that of the first, in which none of the names means anything yet.
        let mut first = None;
        for name in names {
            let column = Arc::new(variable_column(name, &ty, &self.collation, self.scanner.modes, &mut Vec::new())?);
            let leaf = match (default, first) {
                (Some(text), None) => {
                    let at = start + piece.len() - text.len();
                    Some(self.value((at, text), Some(column.clone()))?)
                }
                _ => None,
            };
            first = first.or(leaf);
            let slot = self.variable(None, name, Some(column));
            match first {
                None => self.emit(Instruction::SetNull { slot }),
                Some(leaf) => self.emit(Instruction::Set { slot, leaf }),
            };
        }
        Ok(())
    }

    fn condition_name(&mut self, name: &str, block: &Declared) -> Result<(), Error> {
        if self.names.conditions[block.conditions..].iter().any(|(n, _)| n.eq_ignore_ascii_case(name)) {
            return Err(duplicate(1332, "condition", name));
        }
        let value = match self.plain_condition()? {
            Some(value) => value,
            None => return Err(self.scanner.unexpected()),
        };
        self.names.conditions.push((name.to_string(), value));
        self.names_changed();
        Ok(())
    }

    /// An error number or SQLSTATE.
    fn plain_condition(&mut self) -> Result<Option<ConditionValue>, Error> {
        if self.scanner.accept("SQLSTATE") {
            self.scanner.accept("VALUE");
            let Lexeme::Literal(Literal::Text(state)) = self.scanner.peek() else {
                return Err(self.scanner.unexpected());
            };
            let state = state.to_string();
            let good = state.len() == 5 && state.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
            if !good || state.starts_with("00") {
                return Err(Error { code: 1407, state: "42000", message: format!("Bad SQLSTATE: '{state}'") });
            }
            self.scanner.skip();
            return Ok(Some(ConditionValue::State(state)));
        }
        if let Lexeme::Literal(Literal::Int(code)) = self.scanner.peek() {
            let code = *code;
            let good = u16::try_from(code).ok().filter(|c| *c != 0);
            let message = format!("Incorrect CONDITION value: '{code}'");
            let good = good.ok_or(Error { code: 3020, state: "42000", message })?;
            self.scanner.skip();
            return Ok(Some(ConditionValue::Code(good)));
        }
        Ok(None)
    }

    fn handler(&mut self, exit: bool, block: &mut Declared) -> Result<(), Error> {
        let mut conditions = Vec::new();
        loop {
            let value = match self.plain_condition()? {
                Some(value) => value,
                None => match self.scanner.accept_any(&["SQLWARNING", "NOT FOUND", "SQLEXCEPTION"]) {
                    Some("SQLWARNING") => ConditionValue::Warning,
                    Some("NOT FOUND") => ConditionValue::NotFound,
                    Some(_) => ConditionValue::Exception,
                    None => {
                        let name = self.scanner.name()?;
                        let undefined = || format!("Undefined CONDITION: {name}");
                        let found = self.names.condition(&name).cloned();
                        found.ok_or_else(|| Error { code: 1319, state: "42000", message: undefined() })?
                    }
                },
            };
            let others = block.handlers.iter().flat_map(|h| &self.code.handlers[*h].conditions);
            if others.chain(&conditions).any(|other| *other == value) {
                let message = "Duplicate handler declared in the same block".to_string();
                return Err(Error { code: 1413, state: "42000", message });
            }
            conditions.push(value);
            if !self.scanner.accept_symbol(",") {
                break;
            }
        }
        let over = self.emit(Instruction::Jump(0));
        let start = self.here();
        block.handlers.push(self.code.handlers.len());
        self.code.handlers.push(Handler { conditions, start, exit: exit.then_some(0) });
        self.handler_statement()?;
        self.emit(Instruction::HandlerReturn);
        self.land(over);
        Ok(())
    }

    fn cursor(&mut self, name: &str, block: &Declared) -> Result<(), Error> {
        if self.cursors[block.cursors..].iter().any(|(n, _)| n.eq_ignore_ascii_case(name)) {
            return Err(duplicate(1333, "cursor", name));
        }
        let (start, piece) = self.scanner.piece(&[])?;
        let placed = |e| self.scanner.placed(start, piece, e);
        let (statement, _) = parse_one(piece, self.scanner.modes).map_err(placed)?;
        let refused = |code, message: &str| Error { code, state: "42000", message: message.to_string() };
        let Some(statement) = statement else { return Err(self.scanner.unexpected()) };
        match &statement.body {
            Body::Query { into, file: None, .. } if into.is_empty() => {}
            Body::Query { .. } => return Err(refused(1323, "Cursor SELECT must not have INTO")),
            _ => return Err(refused(1322, "Cursor statement must be a SELECT")),
        }
        if statement.tokens.markers > 0 {
            return Err(self.scanner.placed(start, piece, Error::syntax("?", 1)));
        }
        let leaf = self.leaf(LeafKind::Statement(Box::new(statement)));
        self.cursors.push((name.to_string(), self.code.cursors.len()));
        self.code.cursors.push((name.to_string(), leaf));
        Ok(())
    }

    fn named_cursor(&mut self) -> Result<usize, Error> {
        let name = self.scanner.name()?;
        let found = self.cursors.iter().rev().find(|(n, _)| n.eq_ignore_ascii_case(&name)).map(|(_, c)| *c);
        let undefined = || format!("Undefined CURSOR: {name}");
        found.ok_or_else(|| Error { code: 1324, state: "42000", message: undefined() })
    }

    pub(super) fn open_statement(&mut self) -> Result<(), Error> {
        let cursor = self.named_cursor()?;
        self.emit(Instruction::Open { cursor });
        Ok(())
    }

    pub(super) fn close_statement(&mut self) -> Result<(), Error> {
        let cursor = self.named_cursor()?;
        self.emit(Instruction::Close { cursor });
        Ok(())
    }

    pub(super) fn fetch_statement(&mut self) -> Result<(), Error> {
        let _ = self.scanner.accept("NEXT FROM") || self.scanner.accept("FROM");
        let cursor = self.named_cursor()?;
        self.scanner.expect("INTO")?;
        let mut into = Vec::new();
        loop {
            let name = self.scanner.name()?;
            let found = self.names.variable(&name).map(|v| v.slot);
            let undeclared = || format!("Undeclared variable: {name}");
            into.push(found.ok_or_else(|| Error { code: 1327, state: "42000", message: undeclared() })?);
            if !self.scanner.accept_symbol(",") {
                break;
            }
        }
        self.emit(Instruction::Fetch { cursor, into });
        Ok(())
    }
}
