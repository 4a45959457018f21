//! One client's session.

mod core_handle;
mod registry;
mod variables;

pub use core_handle::{CoreCall, CoreHandle, OpenSnapshot, Published};
pub use registry::{Activity, Connection, Registry};
pub use variables::{Globals, VERSION, VariableError, Variables, Which};
