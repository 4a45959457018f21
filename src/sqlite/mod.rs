//! SQLite: the only module that knows it.

mod error;
mod schema;

pub use error::{Constraint, Error, FunctionError, IdKind, Result};
pub use schema::{FileChange, SchemaStep, TableIds, UniqueIds};
