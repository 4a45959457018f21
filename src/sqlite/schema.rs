//! Schema changes as every member's applier executes them, and the identities that give rows their names.

use super::old_schema::OldStep;
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
    /// What the definitions are afterwards.
    pub definitions: Definitions,
}

/// The MySQL definitions of a database and its tables after a schema change; how they are encoded is not this layer's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Definitions {
    /// All of them, as they are said until the cluster speaks [`crate::types::Versions::SINGLE_TABLES`].
    Whole {
        /// Of the database with all of its tables.
        definition: Vec<u8>,
        /// Of every table.
        tables: Vec<TableIds>,
    },
    /// Those that change.
    Changed(DefinitionChange),
}

impl Definitions {
    /// Bytes of definitions.
    pub fn bytes(&self) -> usize {
        match self {
            Definitions::Whole { definition, .. } => definition.len(),
            Definitions::Changed(change) => {
                change.database.len() + change.tables.iter().map(|entry| entry.definition.len()).sum::<usize>()
            }
        }
    }
}

/// The definitions that a schema change leaves otherwise than they were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionChange {
    /// Of the database without its tables.
    pub database: Vec<u8>,
    /// Names of tables that are no more; before `tables`.
    pub gone: Vec<String>,
    /// Of new and changed tables. All there are, if the file had them [`Definitions::Whole`].
    pub tables: Vec<TableEntry>,
}

/// One table: its identities and its definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableEntry {
    pub ids: TableIds,
    pub definition: Vec<u8>,
}

impl SchemaStep {
    /// The payload of a [`crate::types::Ddl`]: compressed when it is long, for the definitions of tables are much alike.
    pub fn encode(&self) -> Vec<u8> {
        let plain = match OldStep::of(self) {
            Some(old) => postcard::to_stdvec(&old).expect("plain data serialises"),
            None => postcard::to_extend(self, vec![SINGLE_TABLES]).expect("plain data serialises"),
        };
        if plain.len() < WORTHWHILE {
            return plain;
        }
        zstd::bulk::compress(&plain, LEVEL).unwrap_or(plain)
    }

    /// Reads a payload that some member encoded.
    pub fn decode(payload: &[u8]) -> Result<SchemaStep, String> {
        let failed = |e: &dyn std::fmt::Display| format!("schema change: {e}");
        if !payload.starts_with(&FRAME) {
            return SchemaStep::decode_plain(payload).map_err(|e| failed(&e));
        }
        let mut plain = Vec::new();
        let decoder = zstd::Decoder::new(payload).map_err(|e| failed(&e))?;
        decoder.take(LONGEST + 1).read_to_end(&mut plain).map_err(|e| failed(&e))?;
        if plain.len() as u64 > LONGEST {
            return Err(failed(&"longer than any can be"));
        }
        SchemaStep::decode_plain(&plain).map_err(|e| failed(&e))
    }

    fn decode_plain(plain: &[u8]) -> postcard::Result<SchemaStep> {
        match plain.strip_prefix(&[SINGLE_TABLES]) {
            Some(rest) => postcard::from_bytes(rest),
            None => postcard::from_bytes::<OldStep>(plain).map(SchemaStep::from),
        }
    }
}

/// What a step begins with that has [`DefinitionChange`]s; one of an earlier version begins with the number of its
/// [`FileChange`].
const SINGLE_TABLES: u8 = crate::types::Versions::SINGLE_TABLES;
/// Shorter steps are left as they are.
const WORTHWHILE: usize = 4 << 10;
/// Of zstd: the fastest that is not "fast".
const LEVEL: i32 = 1;
/// What a compressed step begins with (RFC 8878, section 3.1.1), and no plain one.
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

    fn ids(number: u64) -> TableIds {
        TableIds {
            id: TableId::new(crate::types::NodeId(1), number),
            name: format!("table_{number}"),
            columns: vec![(ColumnId(1), "id".into()), (ColumnId(2), "a".into())],
            uniques: Vec::new(),
        }
    }

    fn with(file: FileChange, definitions: Definitions) -> SchemaStep {
        SchemaStep { file, version: 7, statements: vec!["CREATE TABLE t(id)".into()], definitions }
    }

    fn step(tables: u64) -> SchemaStep {
        let definitions = Definitions::Whole { definition: vec![1, 2, 3], tables: (0..tables).map(ids).collect() };
        with(FileChange::Keep, definitions)
    }

    fn change(tables: u64) -> SchemaStep {
        let table = |number| TableEntry { ids: ids(number), definition: vec![4, 5] };
        let (gone, tables) = (vec!["x".into()], (0..tables).map(table).collect());
        with(FileChange::Keep, Definitions::Changed(DefinitionChange { database: vec![1], gone, tables }))
    }

    fn moving(from: SchemaStep, step: SchemaStep) -> SchemaStep {
        SchemaStep { file: FileChange::TakenIn(Box::new(TakenIn { database: "other".into(), step })), ..from }
    }

    #[test]
    fn a_long_step_is_compressed_and_a_short_one_is_not() {
        for tables in [0, 1, 5_000] {
            for step in [step(tables), change(tables), moving(step(1), step(tables)), moving(change(1), change(tables))]
            {
                assert_eq!(SchemaStep::decode(&step.encode()), Ok(step));
            }
        }
        assert!(!step(1).encode().starts_with(&FRAME) && !change(1).encode().starts_with(&FRAME));
        let (long, plain) = (step(5_000).encode().len(), postcard::to_stdvec(&step(5_000)).expect("plain data").len());
        assert!(long * 4 < plain, "{long} of {plain} bytes");
    }

    #[test]
    fn a_step_of_all_tables_is_what_version_6_reads() {
        // As version 6 encoded it: the file's change, version, statements, definition and tables, one after the other.
        let old =
            postcard::to_stdvec(&(2u8, 7u64, ["CREATE TABLE t(id)"].as_slice(), [1u8, 2, 3].as_slice(), vec![ids(0)]));
        assert_eq!(step(1).encode(), old.expect("plain data"));
        let (database, step) =
            ("other", (2u8, 7u64, ["CREATE TABLE t(id)"].as_slice(), [1u8, 2, 3].as_slice(), [0u8; 0].as_slice()));
        let old = postcard::to_stdvec(&((3u8, database, step), 7u64, step.2, step.3, step.4));
        assert_eq!(moving(self::step(0), self::step(0)).encode(), old.expect("plain data"));
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
