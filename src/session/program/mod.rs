//! Stored programs at work.
//!
//! * [`Loaded`] is a program compiled, with the plans of its statements as they are made: once for all sessions, until the
//!   schema changes (`loaded`).
//! * An interpreter walks a stack of frames, one for each program that CALL entered: instructions, variables, handlers and
//!   cursors are its own business (`frame`, `interpreter`). Whatever needs SQLite or the cluster it asks of its [`host::Host`].
//! * The session is the host of procedures (`call`): each statement of theirs runs as if the client had sent it, is a
//!   transaction of its own with autocommit, and sends its rows to the client as one of several results.
//! * A statement that fires triggers changes its rows one by one, and is done or undone with all that they did (`trigger`).
//!   Triggers run where the statement was sent, and nowhere else: what they changed is in the statement's write set, and whoever
//!   applies that fires nothing.
//! * A function is called by SQLite, row by row, and runs within the statement on the same connection (`function`).
//! * Conditions, SIGNAL and GET DIAGNOSTICS are in `condition`.
//!
//! Every so many steps the interpreter lets other sessions run and looks whether it is to stop, so that an endless loop can
//! be killed and holds nobody up. Frames are bounded in number, the rows of a cursor in bytes.

mod call;
mod condition;
mod frame;
mod function;
mod host;
mod interpreter;
mod loaded;
mod running;
mod trigger;

pub(super) use function::{SharedCalls, call_function};
pub(super) use loaded::{Loaded, Programs};
pub(super) use running::Running;
