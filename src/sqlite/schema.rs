//! Schema changes as every member's applier executes them, and the identities that give rows their names.

use crate::types::{ColumnId, DatabaseName, IndexId, TableId};
use serde::{Deserialize, Serialize};
use std::io::Read;

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
    /// The payload of a [`crate::types::Ddl`]: compressed when it is long, for it holds the definitions of all tables of the
    /// database, which are much alike, and is sent, logged and kept with every schema change.
    pub fn encode(&self) -> Vec<u8> {
        let plain = postcard::to_stdvec(self).expect("plain data serialises");
        if plain.len() < WORTHWHILE {
            return plain;
        }
        zstd::bulk::compress(&plain, LEVEL).unwrap_or(plain)
    }

    /// Reads a payload that some member encoded.
    pub fn decode(payload: &[u8]) -> Result<SchemaStep, String> {
        let failed = |e: &dyn std::fmt::Display| format!("schema change: {e}");
        if !payload.starts_with(&FRAME) {
            return postcard::from_bytes(payload).map_err(|e| failed(&e));
        }
        let mut plain = Vec::new();
        let decoder = zstd::Decoder::new(payload).map_err(|e| failed(&e))?;
        decoder.take(LONGEST + 1).read_to_end(&mut plain).map_err(|e| failed(&e))?;
        if plain.len() as u64 > LONGEST {
            return Err(failed(&"longer than any can be"));
        }
        postcard::from_bytes(&plain).map_err(|e| failed(&e))
    }
}

/// Shorter steps are left as they are.
const WORTHWHILE: usize = 4 << 10;
/// Of zstd: the fastest that is not "fast".
const LEVEL: i32 = 1;
/// What a compressed step begins with (RFC 8878, section 3.1.1). A plain one begins with the number of a [`FileChange`].
const FRAME: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A longer step is damaged: this is far beyond what a write set may have.
const LONGEST: u64 = 4 << 30;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn step(tables: u64) -> SchemaStep {
        let table = |n: u64| TableIds {
            id: TableId::new(crate::types::NodeId(1), n),
            name: format!("table_{n}"),
            columns: vec![(ColumnId(1), "id".into()), (ColumnId(2), "a".into())],
            uniques: Vec::new(),
        };
        SchemaStep {
            file: FileChange::Keep,
            version: 7,
            statements: vec!["CREATE TABLE t(id)".into()],
            definition: vec![1, 2, 3],
            tables: (0..tables).map(table).collect(),
        }
    }

    #[test]
    fn a_long_step_is_compressed_and_a_short_one_is_not() {
        for tables in [0, 1, 5_000] {
            let step = step(tables);
            assert_eq!(SchemaStep::decode(&step.encode()), Ok(step));
        }
        assert_eq!(step(1).encode(), postcard::to_stdvec(&step(1)).expect("plain data"));
        let (long, plain) = (step(5_000).encode().len(), postcard::to_stdvec(&step(5_000)).expect("plain data").len());
        assert!(long * 4 < plain, "{long} of {plain} bytes");
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let mut payload = step(5_000).encode();
        payload.truncate(payload.len() / 2);
        assert!(SchemaStep::decode(&payload).is_err());
        assert!(SchemaStep::decode(&FRAME).is_err());
        assert!(SchemaStep::decode(&[9, 9]).is_err());
    }
}
