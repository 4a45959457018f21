//! MySQL text in, SQLite text out. Pure: no IO, no clock, no randomness.

mod alteration;
mod cache;
mod catalog;
mod column_type;
mod compile;
mod definition;
mod dialect;
mod error;
mod functions;
mod interval;
mod json;
mod lexer;
mod modes;
mod normal;
mod parameter;
mod parse;
mod plan;
mod present;
mod schema_change;
mod store;
mod temporal;
mod tokens;
mod translate;

#[cfg(test)]
mod tests;

pub use alteration::{Alteration, Place};
pub use cache::{PlanCache, Prepared};
pub use catalog::{
    Catalog, Check, Collation, Column, ColumnDefault, Database, ForeignKey, HIDDEN_KEY, HIDDEN_KEY_ID, Index,
    IndexColumn, IndexKind, RESERVED_PREFIX, ReferentialAction, Table, TableOptions,
};
pub use column_type::{BinaryKind, ColumnType, IntegerSize, TextKind};
pub use definition::{
    CheckDefinition, ColumnDefinition, ForeignKeyDefinition, KeyDefinition, KeyPart, OptionsDefinition,
    TableDefinition, TypeDefinition,
};
pub use error::{Error, Warning, WarningLevel};
pub use functions::{AGGREGATES, Accumulator, Aggregate, FUNCTIONS, Function, FunctionContext, MAX_WARNINGS};
pub use modes::Modes;
pub use normal::{Normalised, normalise};
pub use parameter::{Convert, Environment, Literal, Parameter, Source, Wanted, bind};
pub use parse::{Statement, parse};
pub use plan::{
    Admin, Assignment, AutoIncrement, Completion, LockTarget, Locking, Origin, Plan, PrepareSource, Program, Read,
    ResultColumn, ResultType, SessionCommand, SetTarget, SetValue, VariableScope, Write, WriteKind,
};
pub use schema_change::{CatalogChange, CompileContext, Compiled, ProgramKind, SchemaChange, SchemaProgram};
pub use translate::{Context, column_key, default_text, extra, show_create_table, translate};
