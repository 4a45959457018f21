//! Schema changes as every member's applier executes them, and the identities that give rows their names.

use crate::types::{ColumnId, DatabaseName, IndexId, TableId};
use serde::{Deserialize, Serialize};

/// What happens to the database's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileChange {
    /// CREATE DATABASE: a new file. A file that exists under the name already is left as it is.
    Create,
    /// DROP DATABASE: the file is deleted.
    Drop,
    /// The file stays; `statements` change it.
    Keep,
    /// The file stays, but another database takes tables of it in first, and has them on disk before this one lets go.
    TakenIn(Box<TakenIn>),
}

/// The step by which one database takes in tables of another, whose file is attached under its name meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenIn {
    pub database: DatabaseName,
    pub step: SchemaStep,
}

/// One schema change of one database: the payload of [`crate::types::Ddl`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaStep {
    pub file: FileChange,
    /// The database's version after the change, as the catalog numbers it; what
    /// [`super::Workspace::schema_version`] answers.
    pub version: u64,
    /// SQLite statements, names qualified with the database (`"db"."t"`), executed in order in one transaction with
    /// foreign keys and triggers off.
    pub statements: Vec<String>,
    /// The whole `sql::catalog::Database` after the change, encoded; opaque here.
    pub definition: Vec<u8>,
    /// The identities of every table of the database after the change.
    pub tables: Vec<TableIds>,
}

impl SchemaStep {
    /// The payload of a [`crate::types::Ddl`].
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("plain data serialises")
    }

    /// Reads a payload that some member encoded.
    pub fn decode(payload: &[u8]) -> Result<SchemaStep, String> {
        postcard::from_bytes(payload).map_err(|e| format!("schema change: {e}"))
    }
}

/// The identities of one table and its parts. The physical layout (types, collations, keys) is read from SQLite's own
/// schema; this says only which id belongs to which name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableIds {
    pub id: TableId,
    /// The name in SQLite, which is the MySQL name.
    pub name: String,
    /// Every stored column (hidden `__marmot_rowid` included).
    pub columns: Vec<(ColumnId, String)>,
    /// Every unique index except the primary key.
    pub uniques: Vec<UniqueIds>,
}

/// The identity of one unique index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UniqueIds {
    pub id: IndexId,
    /// Its parts in order: column name and, for a prefix key (`a(5)`), the number of characters.
    pub parts: Vec<(String, Option<u32>)>,
}
