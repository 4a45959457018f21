//! From a body's text to code, in one pass (manual, "Compound Statement Syntax").

use super::checks::check_statement;
use super::code::{Code, Handler, Instruction, Leaf, LeafKind};
use super::names::{Names, Variable};
use super::scan::Scanner;
use super::stored::{RowEvent, StoredKind, StoredProgram};
use crate::sql::catalog::{Collation, Column, Database};
use crate::sql::error::Error;
use crate::sql::lexer::Lexeme;
use crate::sql::modes::Modes;
use crate::sql::parse::{parse_expression, parse_one};
use std::sync::Arc;

/// Blocks and loops may be nested so deep.
pub(super) const MAX_DEPTH: usize = 100;
/// Stack kept free for one level of them.
pub(super) const RED_ZONE: usize = 256 << 10;
pub(super) const STACK: usize = 2 << 20;

/// A label in sight.
struct Label {
    name: String,
    /// Where ITERATE goes; `None`: of a block, which has nothing to do again.
    start: Option<usize>,
    /// Jumps to the end, to be filled in.
    leaves: Vec<usize>,
    handlers: usize,
    cursors: usize,
}

/// One body being compiled.
pub(super) struct Compiler<'t> {
    pub scanner: Scanner<'t>,
    pub code: Code,
    pub kind: StoredKind,
    name: String,
    pub collation: Collation,
    /// What RETURN is converted to.
    returns: Option<Arc<Column>>,
    /// Whether NEW may be set.
    before: bool,
    pub names: Names,
    /// The names as the leaves share them, until they change.
    shared: Option<Arc<Names>>,
    pub cursors: Vec<(String, usize)>,
    labels: Vec<Label>,
    /// Labels below are out of sight: those around a handler.
    hidden_labels: usize,
    /// Sets of handlers in force.
    pub handlers: usize,
    depth: usize,
    returned: bool,
}

impl<'t> Compiler<'t> {
    /// # Errors
    /// See [`super::compile_program`].
    pub fn of_program(program: &'t StoredProgram, database: &Database) -> Result<Compiler<'t>, Error> {
        let modes = Modes::from_bits(program.modes);
        let mut compiler = Compiler {
            scanner: Scanner::new(&program.body, 0, modes)?,
            code: Code::default(),
            kind: program.kind,
            name: program.name.clone(),
            collation: database.collation.clone(),
            returns: program.returns.clone().map(Arc::new),
            before: program.trigger.as_ref().is_some_and(|t| t.before),
            names: Names::default(),
            shared: None,
            cursors: Vec::new(),
            labels: Vec::new(),
            hidden_labels: 0,
            handlers: 0,
            depth: 0,
            returned: false,
        };
        if let Some(trigger) = &program.trigger {
            let Some(table) = database.tables.get(&trigger.table) else {
                return Err(Error::no_such_table(format!("{}.{}", database.name, trigger.table)));
            };
            let rows: &[&'static str] = match trigger.event {
                RowEvent::Insert => &["NEW"],
                RowEvent::Update => &["OLD", "NEW"],
                RowEvent::Delete => &["OLD"],
            };
            for row in rows {
                for column in &table.columns {
                    // NOT NULL is checked when the row is written.
                    let column = Column { nullable: true, auto_increment: false, ..column.clone() };
                    compiler.variable(Some(row), &column.name.clone(), Some(Arc::new(column)));
                }
            }
        }
        for parameter in &program.parameters {
            compiler.variable(None, &parameter.column.name, Some(Arc::new(parameter.column.clone())));
        }
        Ok(compiler)
    }

    /// Compiles the whole body.
    pub fn finish(mut self) -> Result<Code, Error> {
        self.statement()?;
        if !self.scanner.at_end() {
            return Err(self.scanner.unexpected());
        }
        if self.kind == StoredKind::Function && !self.returned {
            let message = format!("No RETURN found in FUNCTION {}", self.name);
            return Err(Error { code: 1320, state: "42000", message });
        }
        Ok(self.code)
    }

    /// A new slot under this name.
    pub fn variable(&mut self, row: Option<&'static str>, name: &str, column: Option<Arc<Column>>) -> usize {
        let slot = self.code.slots.len();
        self.code.slots.push(column.clone());
        self.names.variables.push(Variable { row, name: name.to_string(), slot, column });
        self.shared = None;
        slot
    }

    /// Forgets how the leaves see the names: they changed.
    pub fn names_changed(&mut self) {
        self.shared = None;
    }

    pub fn emit(&mut self, instruction: Instruction) -> usize {
        self.code.instructions.push(instruction);
        self.code.instructions.len() - 1
    }

    pub fn here(&self) -> usize {
        self.code.instructions.len()
    }

    /// Makes a jump emitted before go here.
    pub fn land(&mut self, jump: usize) {
        let here = self.here();
        if let Some(Instruction::Jump(to) | Instruction::Unless { to, .. }) = self.code.instructions.get_mut(jump) {
            *to = here;
        }
    }

    pub fn leaf(&mut self, kind: LeafKind) -> usize {
        let names = self.shared.get_or_insert_with(|| Arc::new(self.names.clone())).clone();
        self.code.leaves.push(Leaf { kind, names });
        self.code.leaves.len() - 1
    }

    fn parsed(&self, start: usize, piece: &str) -> Result<(sqlparser::ast::Expr, crate::sql::tokens::Tokens), Error> {
        let parsed = parse_expression(piece, self.scanner.modes).map_err(|e| self.scanner.placed(start, piece, e))?;
        if parsed.1.markers > 0 {
            return Err(self.scanner.placed(start, piece, Error::syntax("?", 1)));
        }
        Ok(parsed)
    }

    pub fn value(&mut self, (start, piece): (usize, &str), column: Option<Arc<Column>>) -> Result<usize, Error> {
        let (expression, tokens) = self.parsed(start, piece)?;
        Ok(self.leaf(LeafKind::Value { expression: Box::new(expression), tokens: Box::new(tokens), column }))
    }

    fn condition(&mut self, (start, piece): (usize, &str)) -> Result<usize, Error> {
        let (expression, tokens) = self.parsed(start, piece)?;
        Ok(self.leaf(LeafKind::Condition { expression: Box::new(expression), tokens: Box::new(tokens) }))
    }

    /// A statement of the ordinary kind, as a leaf.
    pub fn ordinary(&mut self, start: usize, piece: &str, shift: usize) -> Result<usize, Error> {
        let placed = |e| self.scanner.placed(start.saturating_sub(shift), piece, e);
        let (statement, _) = parse_one(piece, self.scanner.modes).map_err(placed)?;
        let Some(statement) = statement else { return Err(self.scanner.unexpected()) };
        if statement.tokens.markers > 0 {
            return Err(self.scanner.placed(start, piece, Error::syntax("?", 1)));
        }
        check_statement(&statement.body, self.kind, &self.names)?;
        Ok(self.leaf(LeafKind::Statement(Box::new(statement))))
    }

    /// Any statement.
    pub fn statement(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::too_deep());
        }
        stacker::maybe_grow(RED_ZONE, STACK, || self.any_statement())?;
        self.depth -= 1;
        Ok(())
    }

    fn any_statement(&mut self) -> Result<(), Error> {
        let label = match self.scanner.name_ahead(0) {
            Some(name) if self.scanner.looks_at_symbol(1, ":") => {
                self.scanner.skip();
                self.scanner.skip();
                let seen = &self.labels[self.hidden_labels..];
                if seen.iter().any(|l| l.name.eq_ignore_ascii_case(&name)) {
                    return Err(Error { code: 1309, state: "42000", message: format!("Redefining label {name}") });
                }
                Some(name)
            }
            _ => None,
        };
        let scanner = &mut self.scanner;
        if scanner.accept("BEGIN") {
            return self.labelled(label, false, "", Self::block);
        }
        if scanner.accept("LOOP") {
            return self.labelled(label, true, "LOOP", Self::endless);
        }
        if scanner.accept("WHILE") {
            return self.labelled(label, true, "WHILE", Self::while_loop);
        }
        if scanner.accept("REPEAT") {
            return self.labelled(label, true, "REPEAT", Self::repeat_loop);
        }
        if label.is_some() {
            return Err(scanner.unexpected());
        }
        if scanner.accept("IF") {
            return self.if_statement();
        }
        if scanner.accept("CASE") {
            return self.case_statement();
        }
        if let Some(verb) = scanner.accept_any(&["LEAVE", "ITERATE"]) {
            return self.jump_to_label(verb);
        }
        if scanner.accept("RETURN") {
            return self.return_statement();
        }
        if scanner.accept("SET") {
            return self.set_statement();
        }
        match scanner.accept_any(&["OPEN", "FETCH", "CLOSE"]) {
            Some("OPEN") => self.open_statement(),
            Some("FETCH") => self.fetch_statement(),
            Some(_) => self.close_statement(),
            None => {
                let locks =
                    ["LOCK", "UNLOCK"].into_iter().find(|verb| self.scanner.looks_at(&format!("{verb} TABLES")));
                if let Some(verb) = locks {
                    let message = format!("{verb} is not allowed in stored procedures");
                    return Err(Error { code: 1314, state: "0A000", message });
                }
                let refused = ["FLUSH", "RESET"].into_iter().find(|word| self.scanner.looks_at(word));
                if let Some(word) = refused.filter(|_| self.kind != StoredKind::Procedure) {
                    let message = format!("{word} is not allowed in stored function or trigger");
                    return Err(Error { code: 1336, state: "0A000", message });
                }
                let (start, piece) = self.scanner.piece(&[])?;
                let leaf = self.ordinary(start, piece, 0)?;
                self.emit(Instruction::Run { leaf });
                Ok(())
            }
        }
    }

    /// What may have a label: a block or a loop, its END, and the label again.
    fn labelled(
        &mut self,
        label: Option<String>,
        repeats: bool,
        kind: &str,
        inner: fn(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (handlers, cursors) = (self.handlers, self.code.cursors.len());
        let start = repeats.then_some(self.here());
        // One without a name is never found.
        let name = label.clone().unwrap_or_default();
        self.labels.push(Label { name, start, leaves: Vec::new(), handlers, cursors });
        inner(self)?;
        if !kind.is_empty() {
            self.scanner.expect(kind)?;
        }
        if let Some(again) = self.scanner.name_ahead(0).filter(|_| !self.scanner.at_end()) {
            if !label.is_some_and(|l| l.eq_ignore_ascii_case(&again)) {
                let message = format!("End-label {again} without match");
                return Err(Error { code: 1310, state: "42000", message });
            }
            self.scanner.skip();
        }
        if let Some(label) = self.labels.pop() {
            label.leaves.into_iter().for_each(|jump| self.land(jump));
        }
        Ok(())
    }

    /// Statements, a semicolon after each, up to one of these words, which stay.
    pub fn statements(&mut self, ends: &[&str]) -> Result<(), Error> {
        while !ends.iter().any(|words| self.scanner.looks_at(words)) {
            self.statement()?;
            if *self.scanner.peek() != Lexeme::Semicolon {
                return Err(self.scanner.unexpected());
            }
            self.scanner.skip();
        }
        Ok(())
    }

    fn block(&mut self) -> Result<(), Error> {
        let (variables, conditions) = (self.names.variables.len(), self.names.conditions.len());
        let (cursors, seen) = (self.code.cursors.len(), self.cursors.len());
        let handlers = self.declarations()?;
        let outer = self.handlers;
        if !handlers.is_empty() {
            self.emit(Instruction::Handle { handlers: handlers.clone() });
            self.handlers += 1;
        }
        self.statements(&["END"])?;
        self.scanner.skip();
        self.handlers = outer;
        let end = self.here();
        for handler in &handlers {
            if let Some(Handler { exit: Some(exit), .. }) = self.code.handlers.get_mut(*handler) {
                *exit = end;
            }
        }
        if !handlers.is_empty() || self.code.cursors.len() > cursors {
            self.emit(Instruction::Unwind { handlers: outer, cursors });
        }
        self.names.variables.truncate(variables);
        self.names.conditions.truncate(conditions);
        self.cursors.truncate(seen);
        self.names_changed();
        Ok(())
    }

    fn endless(&mut self) -> Result<(), Error> {
        let start = self.here();
        self.statements(&["END"])?;
        self.scanner.skip();
        self.emit(Instruction::Jump(start));
        Ok(())
    }

    fn while_loop(&mut self) -> Result<(), Error> {
        let start = self.here();
        let condition = self.scanner.piece(&["DO"])?;
        let leaf = self.condition(condition)?;
        self.scanner.expect("DO")?;
        let out = self.emit(Instruction::Unless { leaf, to: 0 });
        self.endless_from(start)?;
        self.land(out);
        Ok(())
    }

    fn endless_from(&mut self, start: usize) -> Result<(), Error> {
        self.statements(&["END"])?;
        self.scanner.skip();
        self.emit(Instruction::Jump(start));
        Ok(())
    }

    fn repeat_loop(&mut self) -> Result<(), Error> {
        let start = self.here();
        self.statements(&["UNTIL"])?;
        self.scanner.skip();
        let condition = self.scanner.piece(&["END REPEAT"])?;
        let leaf = self.condition(condition)?;
        self.emit(Instruction::Unless { leaf, to: start });
        self.scanner.expect("END")
    }

    fn if_statement(&mut self) -> Result<(), Error> {
        let mut ends = Vec::new();
        loop {
            let condition = self.scanner.piece(&["THEN"])?;
            let leaf = self.condition(condition)?;
            self.scanner.expect("THEN")?;
            let next = self.emit(Instruction::Unless { leaf, to: 0 });
            self.statements(&["ELSEIF", "ELSE", "END"])?;
            let more = !self.scanner.looks_at("END");
            if more {
                ends.push(self.emit(Instruction::Jump(0)));
            }
            self.land(next);
            if self.scanner.accept("ELSEIF") {
                continue;
            }
            if self.scanner.accept("ELSE") {
                self.statements(&["END"])?;
            }
            break;
        }
        self.scanner.expect("END IF")?;
        ends.into_iter().for_each(|jump| self.land(jump));
        Ok(())
    }

    fn case_statement(&mut self) -> Result<(), Error> {
        let operand = match self.scanner.looks_at("WHEN") {
            true => None,
            false => {
                let (start, piece) = self.scanner.piece(&["WHEN"])?;
                // What may differ when it is asked again is asked once.
                if piece.contains('(') || piece.contains('@') {
                    let name = format!("\u{1}case{}", self.code.slots.len());
                    let leaf = self.value((start, piece), None)?;
                    let slot = self.variable(None, &name, None);
                    self.emit(Instruction::Set { slot, leaf });
                    Some(format!("`{name}`"))
                } else {
                    self.parsed(start, piece)?;
                    Some(piece.to_string())
                }
            }
        };
        let mut ends = Vec::new();
        while self.scanner.accept("WHEN") {
            let (start, piece) = self.scanner.piece(&["THEN"])?;
            let leaf = match &operand {
                None => self.condition((start, piece))?,
                Some(operand) => {
                    self.parsed(start, piece)?;
                    self.condition((start, &format!("({operand}) = ({piece})")))?
                }
            };
            self.scanner.expect("THEN")?;
            let next = self.emit(Instruction::Unless { leaf, to: 0 });
            self.statements(&["WHEN", "ELSE", "END"])?;
            ends.push(self.emit(Instruction::Jump(0)));
            self.land(next);
        }
        if self.scanner.accept("ELSE") {
            self.statements(&["END"])?;
        } else {
            self.emit(Instruction::CaseNotFound);
        }
        self.scanner.expect("END CASE")?;
        ends.into_iter().for_each(|jump| self.land(jump));
        Ok(())
    }

    fn jump_to_label(&mut self, verb: &str) -> Result<(), Error> {
        let name = self.scanner.name()?;
        let iterate = verb == "ITERATE";
        let fits = |l: &Label| l.name.eq_ignore_ascii_case(&name) && (!iterate || l.start.is_some());
        let found = self.labels.iter().skip(self.hidden_labels).position(fits).map(|at| at + self.hidden_labels);
        let Some(at) = found else {
            let message = format!("{verb} with no matching label: {name}");
            return Err(Error { code: 1308, state: "42000", message });
        };
        let (handlers, cursors) = (self.labels[at].handlers, self.labels[at].cursors);
        if handlers != self.handlers || cursors != self.code.cursors.len() {
            self.emit(Instruction::Unwind { handlers, cursors });
        }
        match self.labels[at].start.filter(|_| iterate) {
            Some(start) => {
                self.emit(Instruction::Jump(start));
            }
            None => {
                let jump = self.emit(Instruction::Jump(0));
                self.labels[at].leaves.push(jump);
            }
        }
        Ok(())
    }

    fn return_statement(&mut self) -> Result<(), Error> {
        if self.kind != StoredKind::Function {
            let message = "RETURN is only allowed in a FUNCTION".to_string();
            return Err(Error { code: 1313, state: "42000", message });
        }
        let piece = self.scanner.piece(&[])?;
        let leaf = self.value(piece, self.returns.clone())?;
        self.emit(Instruction::Return { leaf });
        self.returned = true;
        Ok(())
    }

    /// SET: assignments to variables of the program are instructions, others statements.
    fn set_statement(&mut self) -> Result<(), Error> {
        loop {
            if let Some(slot) = self.assigned_slot()? {
                let piece = self.scanner.item()?;
                let leaf = self.value(piece, self.code.slots[slot].clone())?;
                self.emit(Instruction::Set { slot, leaf });
            } else {
                let all = self.scanner.looks_at("TRANSACTION") || self.scanner.looks_at("SESSION TRANSACTION");
                let (start, piece) = if all { self.scanner.piece(&[])? } else { self.scanner.item()? };
                let leaf = self.ordinary(start, &format!("SET {piece}"), "SET ".len())?;
                self.emit(Instruction::Run { leaf });
            }
            if !self.scanner.accept_symbol(",") {
                return Ok(());
            }
        }
    }

    /// The slot that is set, if it is a variable of the program; what follows is its value.
    fn assigned_slot(&mut self) -> Result<Option<usize>, Error> {
        let assigns = |s: &Scanner<'_>, ahead| s.looks_at_symbol(ahead, "=") || s.looks_at_symbol(ahead, ":=");
        let Some(name) = self.scanner.name_ahead(0) else { return Ok(None) };
        if assigns(&self.scanner, 1) {
            let Some(variable) = self.names.variable(&name) else { return Ok(None) };
            let slot = variable.slot;
            (0..2).for_each(|_| self.scanner.skip());
            return Ok(Some(slot));
        }
        let of_row = ["NEW", "OLD"].iter().any(|row| name.eq_ignore_ascii_case(row));
        if self.kind != StoredKind::Trigger || !of_row || !self.scanner.looks_at_symbol(1, ".") {
            return Ok(None);
        }
        let row = name.to_ascii_uppercase();
        self.check_row(&row)?;
        let Some(column) = self.scanner.word_ahead(2) else { return Err(self.scanner.unexpected()) };
        if row == "OLD" || !self.before {
            let (of, when) = if row == "OLD" { ("OLD", "") } else { ("NEW", "after ") };
            let message = format!("Updating of {of} row is not allowed in {when}trigger");
            return Err(Error { code: 1362, state: "HY000", message });
        }
        let slot = self.names.of_row(&row, &column).map(|v| v.slot);
        let slot = slot.ok_or_else(|| Error::unknown_column(&column, &row))?;
        (0..3).for_each(|_| self.scanner.skip());
        if !assigns(&self.scanner, 0) {
            return Err(self.scanner.unexpected());
        }
        self.scanner.skip();
        Ok(Some(slot))
    }

    fn check_row(&self, row: &str) -> Result<(), Error> {
        if self.names.has_row(row) {
            return Ok(());
        }
        let event = if row == "NEW" { "DELETE" } else { "INSERT" };
        let message = format!("There is no {row} row in on {event} trigger");
        Err(Error { code: 1363, state: "HY000", message })
    }

    /// Compiles the statement of a handler, from which the labels around it are not in sight.
    pub fn handler_statement(&mut self) -> Result<(), Error> {
        let hidden = std::mem::replace(&mut self.hidden_labels, self.labels.len());
        self.statement()?;
        self.hidden_labels = hidden;
        Ok(())
    }
}
