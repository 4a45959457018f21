//! Schema changes compiled: checked against the catalog, turned into SQLite text and a catalog change.
//!
//! What SQLite's ALTER TABLE cannot do becomes a rebuild: a new table, its rows copied with the conversions that a
//! store would make, the old one dropped, the new one renamed (SQLite manual, "Making Other Kinds Of Table Schema
//! Changes"). Column order, comments, defaults and widened types are the catalog's alone and touch no row.

mod alter;
mod collation;
mod definition;
mod drop;
mod foreign_key;
mod functional;
mod key;
mod program;
mod relocate;
mod rename;
mod routine;
mod sqlite_table;
mod table;
mod view;

pub use collation::{resolve_collation, resolve_type};
pub use definition::storage_engine;
pub use sqlite_table::{create_all as create_statements, index_name};
pub use table::compile;
