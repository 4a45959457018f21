//! Existing SQLite files become databases of a new cluster.
//!
//! ```text
//!  DATA_DIR/shop.db ──first start──▶ DATA_DIR/import/shop.db ──all rows committed──▶ DATA_DIR/imported/shop.db
//!                                            │ tables and rows, through a session of this node
//!                                            ▼
//!                                     database `shop` (a new DATA_DIR/shop.db)
//! ```
//!
//! Only the node that begins a cluster imports: a node that joins copies the cluster's data, so foreign files in its
//! directory are a mistake and it refuses to start. Files are moved out of the way before the node has an identity, so
//! that "waits in `import/`" is decided once; until all of them are in, the node accepts neither clients nor peers. A
//! crash in between therefore finds either the file in `import/`, whose half-made database is dropped and made again, or
//! the file in `imported/`, whose database is complete. The file itself is only ever read and moved.
//!
//! SQLite lets any value into any column. A column's type follows its declaration if all its values fit it, else it is
//! one that holds them all ([`definition`]). What has no counterpart (views, triggers, virtual tables, expression and
//! partial indexes, generated columns, CHECK) is named in the log and stays in the kept file.

mod content;
mod definition;
mod files;
mod run;
#[cfg(test)]
mod tests;

pub(super) use files::{announce_strangers, is_waiting, take_in};
pub(super) use run::import_waiting;
