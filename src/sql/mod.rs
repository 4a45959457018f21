//! MySQL text in, SQLite text out. Pure: no IO, no clock, no randomness.

mod alteration;
mod catalog;
mod column_type;
mod definition;
mod error;
mod functions;
mod parameter;
mod plan;
mod schema_change;
