//! One client's session.

mod clock;
mod command;
mod constraint;
mod core_handle;
mod diagnostics;
mod duplicate;
mod execute;
mod functions;
mod ids;
mod lease;
mod metadata;
mod plans;
mod prepared;
mod read;
mod refusal;
mod registry;
mod retry;
mod schema_change;
mod sequence;
mod server;
#[allow(clippy::module_inception)]
mod session;
mod set;
mod state;
mod system;
mod transaction;
mod variables;
mod write;

pub use clock::Clock;
pub use core_handle::{CoreCall, CoreHandle, OpenSnapshot, Published};
pub use functions::applier_functions;
pub use registry::{Activity, Connection, Registry, Stop};
pub use server::{Parts, Schema, Server};
pub use session::Session;
pub use system::{ConflictLog, ConflictRow};
pub use variables::{Globals, VERSION, VariableError, Variables, Which};
