//! The translator's functions on a session's connections, with the context they share.

use super::program::SharedCalls;
use crate::sql::{self, AGGREGATES, Accumulator, FUNCTIONS, FunctionContext};
use crate::sqlite::{self, FunctionError, Functions};
use crate::types::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One session's function context. Clones share it.
#[derive(Clone, Default)]
pub struct SharedContext(Arc<Mutex<FunctionContext>>, SharedCalls);

impl SharedContext {
    /// The context, for as long as the guard lives: never across the execution of a statement, whose functions lock it.
    pub fn lock(&self) -> MutexGuard<'_, FunctionContext> {
        // A function that panicked left at most a wrong warning behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stored functions know while a statement calls them.
    pub fn calls(&self) -> &SharedCalls {
        &self.1
    }

    /// The functions to register on connections that use this context.
    pub fn functions(&self) -> Functions {
        let mut functions = Functions::new();
        for function in FUNCTIONS {
            let context = self.clone();
            let eval = function.eval;
            let call = move |arguments: &[Value]| eval(&context.lock(), arguments).map_err(raised);
            functions.scalar(function.name, function.arity, function.deterministic, Arc::new(call));
        }
        let context = self.clone();
        let call = move |nested: sqlite::Nested<'_>, arguments: &[Value]| {
            super::program::call_function(&context, nested, arguments).map_err(|e| FunctionError {
                code: e.code,
                state: e.state.as_str().to_string(),
                message: e.message,
            })
        };
        functions.nested("marmot_call", Arc::new(call));
        for aggregate in AGGREGATES {
            let start = aggregate.start;
            let new = move || Box::new(Group(start())) as Box<dyn sqlite::Aggregate>;
            functions.aggregate(aggregate.name, aggregate.arity, Arc::new(new));
        }
        functions
    }
}

/// The functions for the applier, which evaluates them in schema changes, all tried out before, and for indexes over
/// generated columns, whose values the writer of the row has computed. Only a row that is older than one of its columns has
/// a value that nobody computed, and no writer to tell if it cannot be.
pub fn applier_functions() -> Functions {
    SharedContext::default().functions().lenient()
}

fn raised(error: sql::Error) -> FunctionError {
    FunctionError { code: error.code, state: error.state.to_string(), message: error.message }
}

struct Group(Box<dyn Accumulator>);

impl sqlite::Aggregate for Group {
    fn step(&mut self, arguments: &[Value]) -> Result<(), FunctionError> {
        self.0.step(arguments).map_err(raised)
    }
    fn inverse(&mut self, arguments: &[Value]) -> Result<(), FunctionError> {
        self.0.inverse(arguments).map_err(raised)
    }
    fn value(&self) -> Result<Value, FunctionError> {
        self.0.value().map_err(raised)
    }
}
