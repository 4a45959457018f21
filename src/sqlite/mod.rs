//! SQLite, and nobody else knows it.
//!
//! ```text
//!                    ┌── Reader      autocommit reads of the real files (mode=ro)
//!   session ─────────┤
//!                    └── Workspace   a transaction's private overlay ──► WriteSet
//!   core    ──────────── Store       marmot.redo, marmot.db: what the node must remember (one sync a round)
//!   driver  ─────────┬── Applier     ApplyTask ──► <database>.db (NORMAL, redone from marmot.db)
//!                    └── Checkpointer
//! ```
//!
//! * [`DataDir`] finds, creates and drops the files `<data_dir>/<database>.db` and opens everything above on them.
//! * A [`Workspace`] runs a transaction's statements on overlays: the real file and WAL are read through a VFS shim, and
//!   nothing is written. The preupdate hook captures rows; [`Workspace::take_write_set`] nets them.
//! * The [`Applier`] alone writes database files. Each file carries its own bookkeeping: `__marmot_state` (up to where it
//!   is applied, schema version), `__marmot_catalog` (the MySQL definitions, and identities), `__marmot_sequences`.
//! * Rows are named by keys encoded in [`key`](encode_key), the same on every node.
//!
//! Nothing here starts a thread or reads a clock. Every function that opens a file takes the name of the VFS to open it
//! on, so that a simulated disk can stand in. Databases are attached under their own names in every connection, so
//! one SQL text serves all of them; SQLite's bound on attached databases bounds how many a transaction can use.

mod apply;
mod apply_row;
mod attach;
mod capture;
mod cell;
mod checkpoint;
mod computed;
mod connection;
mod copy;
mod cost;
mod data_dir;
mod definition;
mod error;
mod file;
mod foreign;
mod functions;
mod ids;
mod integrity;
mod key;
mod layout;
mod nested;
mod old_schema;
mod open;
mod opening;
mod pair;
mod planted;
mod private_wal;
mod reader;
mod redo;
mod registry;
mod repair_rows;
mod row_range;
mod row_table;
mod schema;
mod statement;
mod store;
mod table_definitions;
mod table_rows;
mod trial;
mod vfs;
mod workspace;

pub use apply::{Applied, Applier, Evicted};
pub use capture::RowCounts;
pub use cell::Cell;
pub use checkpoint::{CHECKPOINT_BYTES, Checkpointer, FileCheckpointer};
pub use connection::{Interrupt, RowRef, Rows};
pub use copy::{Pinned, copy_store, live_files, settle};
pub use cost::Cost;
pub use data_dir::{DataDir, Options, SEQUENCES_TABLE, SchemaMark, Usage, file_name, is_database_name, sequences_ids};
pub use definition::{AppliedChange, StoredDefinitions};
pub use error::{Constraint, Error, FunctionError, IdKind, Result};
pub use foreign::{ForeignColumn, ForeignDatabase, ForeignIndex, ForeignKeyReference, ForeignTable};
pub use functions::{Aggregate, Functions, NestedScalar, NewAggregate, Scalar};
pub use ids::IdSource;
pub use integrity::{Damage, Depth, damaged_files, damaged_store, registered_files};
pub use key::{Collation, encode as encode_key};
pub use nested::Nested;
pub use planted::{HostBug, HostPlanted};
pub use reader::Reader;
pub use repair_rows::RowRepair;
pub use row_range::{Image, KeyCells, KeyRange, RowDigest, RowMark, digest_of};
pub use schema::{DefinitionChange, Definitions, FileChange, SchemaStep, TableEntry, TableIds, TakenIn, UniqueIds};
pub use statement::ColumnInfo;
pub use store::{Round, Store, StoreReader, check_store_version};
pub use table_rows::{TableDigest, TableRows};
pub use workspace::{Executed, Workspace};
