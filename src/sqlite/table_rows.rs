//! A table's rows in key order, and digests of tables: what two nodes must have equal.

use super::connection::{Connection, Interrupt, quoted, uri};
use super::data_dir::DataDir;
use super::definition;
use super::error::{Error, Result};
use super::functions::Functions;
use super::layout::{DatabaseLayout, TableLayout};
use crate::types::{ApplySeq, ColumnId, TableId, Value};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The content of one table, for comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDigest {
    pub table: TableId,
    pub rows: u64,
    /// SHA-256 over the column ids and every row in key order. Equal on nodes with equal tables, whatever the physical
    /// order of rows and columns.
    pub sha256: [u8; 32],
}

impl TableDigest {
    /// The first 63 bits: what CHECKSUM TABLE shows.
    pub fn checksum(&self) -> i64 {
        let first = self.sha256.first_chunk().expect("a digest has 32 bytes");
        i64::from_be_bytes(*first) & i64::MAX
    }
}

/// One snapshot of a database, to read tables from by identity.
pub struct TableRows {
    pub(super) connection: Connection,
    pub(super) layout: Arc<DatabaseLayout>,
    database: String,
}

impl DataDir {
    /// A snapshot of `database` as of now.
    pub fn open_rows(&self, database: &str) -> Result<TableRows> {
        let file = self.file(database)?;
        let mut connection = self.open_memory(&Functions::new())?;
        let source = uri(&file.path, "mode=ro").replace('\'', "''");
        connection.run_script(&format!("ATTACH '{source}' AS {}; BEGIN", quoted(database)))?;
        let layout = definition::read_layout(&mut connection, database, file.last_layout().as_deref())?;
        Ok(TableRows { connection, layout, database: database.to_string() })
    }
}

impl TableRows {
    /// Stops what is read, from any thread.
    pub fn interrupt(&self) -> Interrupt {
        self.connection.interrupt()
    }

    pub(super) fn name(&self) -> &str {
        &self.database
    }

    /// The tables there are, with their names.
    pub fn tables(&self) -> Vec<(TableId, String)> {
        self.layout.tables().map(|t| (t.id, t.name.clone())).collect()
    }

    /// Up to where the file was applied in this snapshot.
    pub fn applied_seq(&mut self) -> Result<ApplySeq> {
        super::data_dir::state_value(&mut self.connection, &self.database, "applied_seq")
    }

    /// Calls `row` with each row of `table` in key order, cells ascending by column id; returns those ids. `row` answers
    /// whether to go on.
    pub fn read(&mut self, table: TableId, mut row: impl FnMut(Vec<Value>) -> bool) -> Result<Vec<ColumnId>> {
        let layout = self.layout.with_id(table).cloned();
        let layout = layout.ok_or_else(|| Error::Unreplicated(table.to_string()))?;
        let mut columns: Vec<usize> = (0..layout.columns.len()).collect();
        columns.sort_by_key(|i| layout.columns[*i].id);
        let sql = select(&self.database, &layout, &columns);
        let mut rows = self.connection.query(&sql, &[])?;
        while let Some(cells) = rows.next()? {
            if !row(cells.to_vec()) {
                break;
            }
        }
        Ok(columns.iter().map(|i| layout.columns[*i].id).collect())
    }

    /// The digest of one table.
    pub fn digest(&mut self, table: TableId) -> Result<TableDigest> {
        let (mut hash, mut count) = (Sha256::new(), 0);
        let mut encoded = Vec::new();
        let columns = self.read(table, |cells| {
            encoded.clear();
            // Values, not keys: the stored case and storage class count.
            cells.iter().for_each(|cell| encode(cell, &mut encoded));
            hash.update(&encoded);
            count += 1;
            true
        })?;
        columns.iter().for_each(|id| hash.update(id.0.to_be_bytes()));
        Ok(TableDigest { table, rows: count, sha256: hash.finalize().into() })
    }

    /// The digests of all tables, ascending by id.
    pub fn digests(&mut self) -> Result<Vec<TableDigest>> {
        let tables: Vec<TableId> = self.layout.tables().map(|t| t.id).collect();
        tables.into_iter().map(|table| self.digest(table)).collect()
    }
}

fn select(database: &str, layout: &TableLayout, columns: &[usize]) -> String {
    let name = |i: &usize| quoted(&layout.columns[*i].name);
    let list: Vec<String> = columns.iter().map(name).collect();
    let key: Vec<String> = layout.key.iter().map(|part| name(&part.column)).collect();
    let (database, table) = (quoted(database), quoted(&layout.name));
    format!("SELECT {} FROM {database}.{table} ORDER BY {}", list.join(", "), key.join(", "))
}

pub(super) fn encode(value: &Value, out: &mut Vec<u8>) {
    let mut sized = |tag: u8, bytes: &[u8]| {
        out.push(tag);
        out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        out.extend_from_slice(bytes);
    };
    match value {
        Value::Null => sized(0, &[]),
        Value::Int(i) => sized(1, &i.to_be_bytes()),
        Value::Real(x) => sized(2, &x.0.to_bits().to_be_bytes()),
        Value::Text(text) => sized(3, text.as_bytes()),
        Value::Blob(bytes) => sized(4, bytes),
    }
}
