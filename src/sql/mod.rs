//! MySQL text in, SQLite text out. Pure: no IO, no clock, no randomness of its own.
//!
//! A statement's way through this layer:
//!
//! 1. [`PlanCache::prepare`] runs the hand-written `lexer` over the text ([`normalise`]): literals come out, what is
//!    left is the statement's shape. A known shape has its [`Plan`] already, and nothing below happens.
//! 2. `tokens` makes sqlparser's tokens of the same lexemes, `parse` a [`Statement`]: queries and expressions by
//!    sqlparser under our `dialect`, everything around them by hand.
//! 3. [`translate()`] resolves names against the [`Catalog`], infers MySQL's types, and writes SQLite text. A literal
//!    becomes a [`Parameter`] together with the conversion it needs: numbers and dates are brought into the form of the
//!    column they are compared with, values to be stored are checked against their column by `store`.
//! 4. The session calls [`bind`] with the literals, the client's values and its own [`Environment`], and runs the
//!    program on a connection that has [`FUNCTIONS`] and [`AGGREGATES`].
//!
//! DDL becomes a [`SchemaChange`], which [`SchemaChange::compile`] turns into a [`SchemaProgram`] under the schema lock:
//! SQLite statements and the catalog change, the same on every node.
//!
//! Stored programs are compiled by `program`; the session interprets them.
//!
//! # What differs from MySQL
//!
//! - By default `_ci` collations ignore case of ASCII letters only, and no accents; trailing spaces count. With
//!   `collations = "mysql"` they are MySQL's (`collate`); FIELD, FIND_IN_SET, LOCATE and INSTR still fold case only.
//! - Integer arithmetic without sign is exact or error 1690; with sign it is error 1690 where the result is shown, while in
//!   between SQLite goes on in floating point. Conditions that order DECIMAL values of more than 15 digits use no index.
//! - BIGINT UNSIGNED primary keys of one column end at 2^63-1 (1264).
//! - TIMESTAMP is kept as given, in the session's time zone. Conditions that order TIME values use no index.
//! - ONLY_FULL_GROUP_BY takes the columns of derived tables and views, and what stands in subqueries, on trust.
//! - UPDATE with ORDER BY and no LIMIT changes rows in any order.
//! - MATCH ... AGAINST reads the whole table (`fulltext`); words differ by their accents. LOAD DATA leaves user variables
//!   as they were.
//! - A literal of a client that does not speak UTF-8 is UTF-8 in a BLOB too, unless `_binary` stands before it.
//! - SHOW CREATE VIEW shows MySQL's canonical form of one SELECT over tables; any other query as it was written, with `*`
//!   spelled out.
//! - CREATE TABLE ... SELECT is two transactions: a node that dies in between leaves an empty table.
//!
//! What is refused by name (1235): stored functions that change data, events, roles, UNIQUE over generated columns,
//! SPATIAL, functional key parts, parsers of FULLTEXT, WITH QUERY EXPANSION, partition maintenance, RENAME across databases,
//! XA, HANDLER, LOAD XML. Files of the server are never read or written (1290).

mod account;
mod alteration;
mod cache;
mod catalog;
mod collate;
mod column_type;
mod compile;
mod decimal;
mod definition;
mod dialect;
pub mod encoding;
mod error;
mod fulltext;
mod functions;
mod hint;
mod interval;
mod json;
mod lexer;
mod load;
mod modes;
mod normal;
mod parameter;
mod parse;
mod plan;
mod present;
mod program;
mod routine;
mod schema_change;
mod spelling;
mod storage_rule;
mod store;
mod tables;
mod temporal;
mod tokens;
mod translate;
mod unsigned;

#[cfg(test)]
mod tests;

pub use account::{
    ACCOUNTS_DATABASE, Account, AccountChange, Accounts, Author, Need, Needs, PRIVILEGE_COLUMNS, Privileges, Rights,
    Secret, Subject, UserReference, is_loopback,
};
pub use alteration::{Alteration, Place};
pub use cache::{PlanCache, Prepared};
pub use catalog::{
    Catalog, Check, CheckPlace, Collation, Column, ColumnDefault, Database, FIRST_DEFINER, ForeignKey, HIDDEN_KEY,
    HIDDEN_KEY_ID, Index, IndexColumn, IndexKind, RESERVED_PREFIX, ReferentialAction, Table, TableOptions, View,
};
pub use catalog::{is_temporary, public_name, temporary_database};
pub use collate::CollationOrder;
pub use column_type::{BinaryKind, ColumnType, IntegerSize, TextKind};
pub use compile::{create_statements, index_name, storage_engine};
pub use definition::{
    CheckDefinition, ColumnDefinition, ForeignKeyDefinition, KeyDefinition, KeyPart, OptionsDefinition,
    TableDefinition, TypeDefinition,
};
pub use encoding::encode;
pub use error::{Error, Warning, WarningLevel};
pub use functions::{
    AGGREGATES, Accumulator, Aggregate, FUNCTIONS, Function, FunctionContext, LoadFile, MAX_WARNINGS, MOST_ROW_COLUMNS,
    ReadFile, decode_rows, encode_rows,
};
pub use hint::execution_time_hint;
pub use load::{FileFormat, FileRows, IntoFile};
pub use modes::Modes;
pub use normal::{Normalised, normalise};
pub use parameter::{Convert, Environment, Literal, Parameter, Source, Wanted, bind};
pub use parse::{Statement, parse};
pub use plan::{
    AccountStatement, Admin, Argument, Assignment, AutoIncrement, Call, Called, Completion, GetDiagnostics, Inspected,
    InspectedKind, KeyedChange, Load, LockTarget, Locking, Origin, Plan, Program, Read, ResultColumn, ResultType,
    RowChange, RowChangeKind, RowDelete, RowInsert, RowUpdate, SessionCommand, SetTarget, SetValue, Signal, Triggered,
    VariableScope, VariableTarget, Write, WriteKind,
};
pub use program::{
    Code, ConditionValue, Handler, Instruction, Leaf, LeafKind, Names, ParameterMode, ProgramParameter, RowEvent,
    StoredKind, StoredProgram, Trigger, Variable, begins_program, compile_program,
};
pub use routine::{Nature, Routine};
pub use schema_change::{
    CatalogChange, CompileContext, Compiled, Direction, Move, ProgramKind, SchemaChange, SchemaProgram,
};
pub use store::local_value;
pub use tables::Tables;
pub use translate::{
    Context, Guard, canonical_query, column_key, default_text, extra, is_updatable, show_create_table, translate,
    translate_leaf, view_as_table,
};
