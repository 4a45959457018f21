//! MySQL's functions in pure Rust. `sqlite` registers [`FUNCTIONS`] and [`AGGREGATES`] on every connection.

mod registry;

pub use registry::{Accumulator, Aggregate, Function, FunctionContext, MAX_WARNINGS};
