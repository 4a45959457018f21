//! The code of a stored program: instructions, and the statements and expressions they run.

use super::compiler::Compiler;
use super::names::Names;
use super::stored::StoredProgram;
use crate::sql::catalog::{Column, Database};
use crate::sql::error::Error;
use crate::sql::parameter::Literal;
use crate::sql::parse::{Body, Statement};
use crate::sql::tokens::Tokens;
use sqlparser::ast::Expr;
use std::sync::Arc;

/// What a handler is for, and what DECLARE ... CONDITION names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConditionValue {
    Code(u16),
    /// Five characters.
    State(String),
    /// SQLSTATE class 01.
    Warning,
    /// SQLSTATE class 02.
    NotFound,
    /// Any other class but 00.
    Exception,
}

/// A handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    pub conditions: Vec<ConditionValue>,
    /// Its first instruction; it ends in [`Instruction::HandlerReturn`].
    pub start: usize,
    /// Where an EXIT handler goes on; `None`: CONTINUE, behind the statement that raised the condition.
    pub exit: Option<usize>,
}

/// One step of a program. Numbers are places in [`Code`].
#[derive(Clone, Debug, PartialEq)]
pub enum Instruction {
    Jump(usize),
    /// Goes on at `to` unless the leaf, a condition, is true.
    Unless {
        leaf: usize,
        to: usize,
    },
    /// Evaluates the leaf, a value, into a slot.
    Set {
        slot: usize,
        leaf: usize,
    },
    /// A variable declared without DEFAULT.
    SetNull {
        slot: usize,
    },
    Run {
        leaf: usize,
    },
    Open {
        cursor: usize,
    },
    Fetch {
        cursor: usize,
        into: Vec<usize>,
    },
    Close {
        cursor: usize,
    },
    /// The handlers of a block are in force from here on.
    Handle {
        handlers: Vec<usize>,
    },
    /// A block ends: of the sets of handlers so many stay, and cursors from this number on are closed.
    Unwind {
        handlers: usize,
        cursors: usize,
    },
    HandlerReturn,
    /// A function's value.
    Return {
        leaf: usize,
    },
    /// No WHEN of a CASE without ELSE was true: 1339.
    CaseNotFound,
}

/// A statement or expression of a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    pub kind: LeafKind,
    /// The names in sight.
    pub names: Arc<Names>,
}

/// What a [`Leaf`] is.
#[derive(Clone, Debug, PartialEq)]
pub enum LeafKind {
    Statement(Box<Statement>),
    /// A value, converted for a variable of this name and type; `None`: left as it is.
    Value {
        expression: Box<Expr>,
        tokens: Box<Tokens>,
        column: Option<Arc<Column>>,
    },
    /// A truth: its value is 1 or 0.
    Condition {
        expression: Box<Expr>,
        tokens: Box<Tokens>,
    },
}

impl Leaf {
    pub(in crate::sql) fn tokens(&self) -> &Tokens {
        match &self.kind {
            LeafKind::Statement(statement) => &statement.tokens,
            LeafKind::Value { tokens, .. } | LeafKind::Condition { tokens, .. } => tokens,
        }
    }

    /// The literals of its text, for [`crate::sql::bind`].
    pub fn literals(&self) -> &[Literal] {
        &self.tokens().literals
    }

    /// Whether it is a SHOW or DESCRIBE: what it lists depends on who runs it.
    pub fn lists(&self) -> bool {
        matches!(&self.kind, LeafKind::Statement(s) if matches!(s.body, Body::Show(_) | Body::Describe { .. }))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.tokens().text
    }
}

/// A compiled program.
///
/// **Invariants**: every place an instruction names exists; parameters have the first slots, in order; a trigger's have
/// OLD's columns first, then NEW's, as far as its event has such rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Code {
    pub instructions: Vec<Instruction>,
    pub leaves: Vec<Leaf>,
    pub handlers: Vec<Handler>,
    /// Names and types of the variables; `None`: see [`super::Variable::column`].
    pub slots: Vec<Option<Arc<Column>>>,
    /// The queries of the cursors, as leaves, and their names.
    pub cursors: Vec<(String, usize)>,
}

/// Compiles a program of `database`.
///
/// # Errors
/// 1064, and those of names, labels and statements that do not belong where they stand: 1303, 1308 to 1314, 1319 to 1338,
/// 1362, 1363, 1407, 1413, 1415, 1422, 1336.
pub fn compile_program(program: &StoredProgram, database: &Database) -> Result<Code, Error> {
    Compiler::of_program(program, database)?.finish()
}
