//! Sessions: one client's view of the database, between the MySQL protocol and the three things below it.
//!
//! ```text
//!   shell/client ── mysql::Handler ──► Session ──┬── sql      text ─► Plan (shared cache, one lookup a statement)
//!                                                ├── sqlite   Reader: autocommit reads; Workspace: everything else
//!                                                └── core     CoreHandle: commit, locks, barriers, ids
//! ```
//!
//! # A statement's way
//!
//! `run_text` splits and plans (`plans`), `dispatch` hands the plan to its part:
//!
//! * A query in autocommit runs on the session's [`Reader`](crate::sqlite::Reader). It makes no workspace and asks the core
//!   nothing, unless `marmot_read_consistency` wants a barrier first (`read`).
//! * A change in autocommit takes a snapshot, runs on the [`Workspace`](crate::sqlite::Workspace), and its write set goes to the
//!   core. If somebody was in the way it runs again on a fresh snapshot, with the precedence of its first attempt, until
//!   `innodb_lock_wait_timeout` has passed (`write`, `retry`).
//! * Within BEGIN .. COMMIT everything runs on the workspace, pinned to one snapshot *and the catalog of that snapshot*, from
//!   the first statement that touches data. A failed statement undoes itself only; a refused COMMIT ends the transaction
//!   (`transaction`). FOR UPDATE and FOR SHARE add the rows they read to what the commit validates; nobody ever waits
//!   for them.
//! * What a plan needs is held against the account's rights first; accounts change as the schema does (`accounts`).
//! * DDL locks the schema on a quorum, is compiled against the schema under the lock, tried out privately, and committed for
//!   everyone (`schema_change`).
//! * CALL, triggers and stored functions run code that was compiled once (`program`).
//! * SHOW and `information_schema` are plain queries of tables that are filled just before (`system`).
//!
//! A plan belongs to a version of the schema. Where SQLite or the snapshot's version shows that it changed since, the
//! statement is planned again; a client never sees that.
//!
//! # Errors that come from the cluster
//!
//! | what happened | code | SQLSTATE | is it safe to repeat? |
//! |---|---|---|---|
//! | another transaction committed first (BEGIN .. COMMIT); the snapshot is too old | 1213 | 40001 | yes: nothing changed |
//! | keys were held, or a statement kept meeting conflicts, for `innodb_lock_wait_timeout`; schema lock lost | 1205 | HY000 | yes |
//! | no quorum answered in time | 1105 | HY000 | yes; the text begins with "No quorum" |
//! | **nobody can tell whether it committed** | 1180 | 08007 | **no**: look first |
//! | too many transactions in progress | 1637 | HY000 | yes, later |
//! | the transaction is larger than the limit | 1197 | HY000 | no: make it smaller |
//! | this node has no vote yet, or was removed | 1836 | HY000 | yes, elsewhere |
//! | this node's clock is off | 1105 | HY000 | yes, elsewhere |
//! | disk full | 1021 | HY000 | yes, when there is room |
//! | shutting down | 1053 | 08S01 | yes, elsewhere |
//! | the schema changed under an open transaction that touches a database for the first time | 1412 | HY000 | yes: roll back first |
//! | the transaction was open longer than `marmot_transaction_max_age`; the connection is closed | 4031 | HY000 | yes |
//!
//! 08007 is the SQL standard's "transaction resolution unknown". No other error of Marmot has it, and 1180 ("error during
//! COMMIT") is given for nothing else. AUTO_INCREMENT: 1467 when a column's type has no more ids.
//!
//! # What is refused by name (1235)
//!
//! SERIALIZABLE isolation (READ UNCOMMITTED, READ COMMITTED and REPEATABLE READ all give one snapshot per transaction),
//! client character sets that the library for them does not have (`dec8`, `hp8`, `swe7`, ...), system variables that would
//! change results in a way that is not built (`sql_auto_is_null`, `default_week_format`, ...), and a query within a
//! transaction that mixes system tables with a user's.

mod accounts;
mod clock;
mod command;
mod constraint;
mod core_handle;
mod counters;
mod create_select;
mod diagnostics;
mod duplicate;
mod execute;
mod export;
mod files;
mod functions;
mod ids;
mod incoming;
mod inspect;
mod keyed;
mod lease;
mod load;
mod metadata;
mod nap;
mod passwords;
mod plans;
mod prepared;
mod program;
mod read;
mod refusal;
mod registry;
mod retry;
mod schema;
mod schema_change;
mod sequence;
mod server;
#[allow(clippy::module_inception)]
mod session;
mod set;
mod slow;
mod state;
mod system;
mod temporary;
#[cfg(test)]
mod tests;
mod tracking;
mod transaction;
mod variables;
mod write;

pub use accounts::ConfiguredAccount;
pub use clock::Clock;
pub use core_handle::{CoreCall, CoreHandle, OpenSnapshot, Published};
pub use counters::{Counters, SECONDS};
pub use functions::applier_functions;
pub use registry::{Activity, Connection, Registry, Stop};
pub use schema::Schema;
pub use server::{Doors, Parts, Server, StatementSpans};
pub use session::Session;
pub use system::{
    Agreement, ConflictLog, ConflictRow, CopyRow, LinkRow, LinkStates, VerificationRow, VerificationStates,
};
pub use variables::{Globals, VERSION, VariableError, Variables, Which};
