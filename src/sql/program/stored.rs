//! What the catalog keeps of a stored program.

use crate::sql::catalog::Column;
use crate::sql::routine::Nature;
use crate::sql::translate::{backquoted, quoted, quoted_definer, typed_text};
use serde::{Deserialize, Serialize};

/// The kinds of stored programs, each with names of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StoredKind {
    Procedure,
    Function,
    Trigger,
}

impl StoredKind {
    /// As messages and SHOW name it.
    pub fn name(self) -> &'static str {
        match self {
            StoredKind::Procedure => "PROCEDURE",
            StoredKind::Function => "FUNCTION",
            StoredKind::Trigger => "TRIGGER",
        }
    }
}

/// Which way a parameter's value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParameterMode {
    In,
    Out,
    InOut,
}

impl ParameterMode {
    /// As information_schema shows it.
    pub fn name(self) -> &'static str {
        match self {
            ParameterMode::In => "IN",
            ParameterMode::Out => "OUT",
            ParameterMode::InOut => "INOUT",
        }
    }
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgramParameter {
    pub mode: ParameterMode,
    /// Only name and type of such a column mean something.
    pub column: Column,
}

/// What a trigger is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RowEvent {
    Insert,
    Update,
    Delete,
}

impl RowEvent {
    /// As SQL writes it.
    pub fn name(self) -> &'static str {
        match self {
            RowEvent::Insert => "INSERT",
            RowEvent::Update => "UPDATE",
            RowEvent::Delete => "DELETE",
        }
    }
}

/// When a trigger runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// A table of the trigger's database.
    pub table: String,
    /// BEFORE, else AFTER.
    pub before: bool,
    pub event: RowEvent,
    /// Among the triggers of the same table, time and event; from 1.
    pub order: u32,
}

impl Trigger {
    /// BEFORE or AFTER.
    pub fn timing(&self) -> &'static str {
        if self.before { "BEFORE" } else { "AFTER" }
    }

    /// Whether it runs together with `other`.
    pub fn is_beside(&self, other: &Trigger) -> bool {
        (&self.table, self.before, self.event) == (&other.table, other.before, other.event)
    }
}

/// One stored program.
///
/// **Invariants**: parameter names are unique without case; `returns` is there for functions only, `trigger` for triggers
/// only; the body was compiled once when it was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredProgram {
    pub kind: StoredKind,
    pub name: String,
    pub parameters: Vec<ProgramParameter>,
    /// The parameters as they were written, between their parentheses.
    pub parameter_text: String,
    pub returns: Option<Column>,
    pub trigger: Option<Trigger>,
    /// As it was written.
    pub body: String,
    /// The SQL mode it was created in, by which its text is read and in which it runs.
    pub modes: u32,
    pub nature: Nature,
    /// `user@host`: with whose rights it runs, unless its nature says otherwise.
    pub definer: String,
    /// Wall-clock time of the CREATE, `YYYY-MM-DD HH:MM:SS` in UTC.
    pub created: String,
    /// That of the last ALTER.
    pub altered: String,
}

impl StoredProgram {
    /// The statement that makes it again.
    pub fn create_statement(&self) -> String {
        let (definer, kind) = (quoted_definer(&self.definer), self.kind.name());
        let mut text = format!("CREATE DEFINER={definer} {kind} {}", backquoted(&self.name));
        if let Some(trigger) = &self.trigger {
            let (timing, event, table) = (trigger.timing(), trigger.event.name(), backquoted(&trigger.table));
            text.push_str(&format!(" {timing} {event} ON {table} FOR EACH ROW {}", self.body));
            return text;
        }
        text.push_str(&format!("({})", self.parameter_text));
        if let Some(returns) = &self.returns {
            text.push_str(&format!(" RETURNS {}", typed_text(returns)));
        }
        text.push('\n');
        text.push_str(&self.nature.clauses());
        text + &self.body
    }
}

impl Nature {
    /// The clauses that SHOW CREATE writes, a line each.
    pub fn clauses(&self) -> String {
        let mut text = String::new();
        if self.access != "CONTAINS SQL" {
            text.push_str(&format!("    {}\n", self.access));
        }
        if self.deterministic {
            text.push_str("    DETERMINISTIC\n");
        }
        if self.invoker {
            text.push_str("    SQL SECURITY INVOKER\n");
        }
        if !self.comment.is_empty() {
            text.push_str(&format!("    COMMENT {}\n", quoted(&self.comment)));
        }
        text
    }
}
