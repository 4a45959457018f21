//! One program at work: its variables, the handlers in force, its cursors.

use super::loaded::Loaded;
use crate::session::diagnostics::{Condition, Diagnostics, Level};
use crate::sql::{ConditionValue, VariableTarget};
use crate::types::{DatabaseName, Value};
use std::collections::VecDeque;
use std::sync::Arc;

/// The rows of a cursor that are still to be fetched.
pub(super) struct Cursor {
    pub rows: VecDeque<Vec<Value>>,
    pub width: usize,
}

/// A condition that is being handled.
pub(super) struct Handling {
    /// How many sets of handlers are around the block of the handler.
    level: usize,
    /// Sets of handlers that are out of force meanwhile.
    suspended: Vec<Vec<usize>>,
    /// Where an EXIT handler goes on; else behind the statement that raised the condition.
    exit: Option<usize>,
    resume: usize,
    pub condition: Condition,
    /// What GET STACKED DIAGNOSTICS is about.
    pub diagnostics: Diagnostics,
}

/// What of the session a program has of its own.
pub(super) struct Saved {
    pub database: Option<DatabaseName>,
    pub modes: Option<Value>,
}

/// One program at work.
pub(super) struct Frame {
    pub loaded: Arc<Loaded>,
    /// The next instruction.
    pub at: usize,
    pub values: Vec<Value>,
    /// Sets of handlers in force, innermost last.
    handlers: Vec<Vec<usize>>,
    pub handling: Vec<Handling>,
    pub cursors: Vec<Option<Cursor>>,
    /// What gets a parameter's value in the end, by its slot.
    pub out: Vec<(usize, VariableTarget)>,
    pub saved: Saved,
}

/// How well a handler fits a condition: what names it exactly comes before what names its class.
fn fit(value: &ConditionValue, condition: &Condition) -> Option<u8> {
    let state = condition.state.as_str();
    let class = state.get(..2).unwrap_or_default();
    let fits = match value {
        ConditionValue::Code(code) => *code == condition.code,
        ConditionValue::State(wanted) => wanted == state,
        ConditionValue::NotFound => class == "02",
        ConditionValue::Warning => class == "01" || condition.level == Level::Warning && class != "02",
        ConditionValue::Exception => condition.level == Level::Error && !matches!(class, "00" | "01" | "02"),
    };
    let rank = match value {
        ConditionValue::Code(_) => 0,
        ConditionValue::State(_) => 1,
        _ => 2,
    };
    fits.then_some(rank)
}

impl Frame {
    pub fn new(loaded: Arc<Loaded>, saved: Saved) -> Frame {
        let cursors = loaded.code.cursors.iter().map(|_| None).collect();
        let values = vec![Value::Null; loaded.code.slots.len()];
        Frame { loaded, at: 0, values, handlers: vec![], handling: vec![], cursors, out: vec![], saved }
    }

    /// The handlers of a block come into force.
    pub fn handle(&mut self, handlers: Vec<usize>) {
        self.handlers.push(handlers);
    }

    /// Blocks end.
    pub fn unwind(&mut self, handlers: usize, cursors: usize) {
        self.handlers.truncate(handlers);
        self.cursors.iter_mut().skip(cursors).for_each(|cursor| *cursor = None);
    }

    /// Goes on with the handler for a condition, if there is one; `diagnostics` has the condition in it.
    pub fn activate(&mut self, condition: &Condition, diagnostics: &Diagnostics) -> bool {
        let code = &self.loaded.code;
        let best = |set: &Vec<usize>| {
            let ranks = set.iter().flat_map(|h| {
                let values = code.handlers[*h].conditions.iter();
                values.filter_map(|value| fit(value, condition)).map(|rank| (rank, *h))
            });
            ranks.min()
        };
        let found = self.handlers.iter().enumerate().rev().find_map(|(at, set)| Some((at, best(set)?.1)));
        let Some((at, handler)) = found else { return false };
        let handler = &code.handlers[handler];
        let (start, exit) = (handler.start, handler.exit);
        let suspended = self.handlers.split_off(at);
        let (condition, diagnostics) = (condition.clone(), diagnostics.clone());
        self.handling.push(Handling { level: at, suspended, exit, resume: self.at, condition, diagnostics });
        self.at = start;
        true
    }

    /// A handler ended.
    pub fn handled(&mut self) {
        let Some(handling) = self.handling.pop() else { return };
        match handling.exit {
            Some(exit) => {
                // So end the handlers of blocks within, one of which raised what this one handled.
                while self.handling.last().is_some_and(|inner| inner.level >= handling.level) {
                    self.handling.pop();
                }
                self.at = exit;
            }
            None => {
                self.handlers.extend(handling.suspended);
                self.at = handling.resume;
            }
        }
    }
}
