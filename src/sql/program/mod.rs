//! Stored programs: procedures, functions whose body is more than one RETURN, and triggers (manual, "Stored Objects" and
//! "Compound Statement Syntax").
//!
//! - `stored`: what the catalog keeps of one, and how SHOW CREATE writes it.
//! - `extent`: where a body ends. `compiler`, `declare`, `scan`: the body's text becomes [`Code`], a list of [`Instruction`]s with jumps, in one pass
//!   over its lexemes. The statements and expressions in between are [`Leaf`]s: parsed once, by the parser of statements.
//! - `names`: what a name means in a leaf besides a column. Locals come before columns, as in MySQL, and reach a leaf's
//!   program the way a client's values reach a prepared statement: as [`super::Source::Client`], by their slots.
//! - `checks`: which statements may stand in which kind of program.
//!
//! The session runs the code. Nothing here runs anything.

mod checks;
mod code;
mod compiler;
mod declare;
mod extent;
mod names;
mod scan;
mod stored;

pub use code::{Code, ConditionValue, Handler, Instruction, Leaf, LeafKind, compile_program};
pub use declare::variable_column;
pub(in crate::sql) use extent::end_of_body;
pub use names::{Names, Variable};
pub use scan::begins_program;
pub use stored::{ParameterMode, ProgramParameter, RowEvent, StoredKind, StoredProgram, Trigger};
