//! System variables (MySQL manual, chapter "Server System Variables"): what there is, what values they take, and the
//! global and session values.

pub mod charset;
mod definition;
#[cfg(test)]
mod tests;
mod values;

pub use definition::VERSION;
pub use values::{Globals, VariableError, Variables, Which, offset_minutes};
