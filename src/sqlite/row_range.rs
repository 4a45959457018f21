//! Rows of a table by ranges of its primary key, and the digest of each: what two nodes hold against each other.
//!
//! Ranges are those of SQLite's own order of the key, by the collations of its columns, which are the same on every node of one
//! schema version. So a range that one node names has the same rows on another.

use super::connection::quoted;
use super::error::{Error, Result};
use super::key;
use super::layout::{KeyPart, TableLayout};
use super::table_rows::{TableRows, encode};
use crate::types::{ColumnId, RowKey, TableId, Value};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What a row holds: 16 bytes of SHA-256 over its columns' ids and cells, as stored.
pub type RowDigest = [u8; 16];

/// The cells of a row's primary key, in the key's order.
pub type KeyCells = Vec<Value>;

/// A row's cells by column, ascending by column.
pub type Image = Vec<(ColumnId, Value)>;

/// A row as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowMark {
    pub key: KeyCells,
    pub digest: RowDigest,
}

/// Rows above `after` and up to `until`; `None` is no bound.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyRange<'k> {
    pub after: Option<&'k [Value]>,
    pub until: Option<&'k [Value]>,
}

/// What is read and compared of a table, in the order of column ids.
struct Shape {
    layout: Arc<TableLayout>,
    /// Places in the layout's columns, ascending by column id.
    order: Vec<usize>,
}

impl TableRows {
    /// The version of the schema in this snapshot.
    pub fn schema_version(&self) -> u64 {
        self.layout.version
    }

    /// How many columns the table's primary key has; `None`: there is no such table.
    pub fn key_columns(&self, table: TableId) -> Option<usize> {
        self.layout.with_id(table).map(|layout| layout.key.len())
    }

    /// The identity of the row with this key, the same on every node.
    ///
    /// # Errors
    /// There is no such table, or its key has another number of columns.
    pub fn identity(&self, table: TableId, key: &[Value]) -> Result<RowKey> {
        let layout = self.table(table, key.len())?;
        let cells = key.iter().zip(layout.key.iter().map(|part| part.collation));
        Ok(RowKey { table, key: key::encode(cells).into() })
    }

    /// The first rows of `range`, at most `limit`, ascending by key.
    ///
    /// # Errors
    /// There is no such table, a bound has another number of columns than its key, or SQLite fails.
    pub fn marks(&mut self, table: TableId, range: KeyRange<'_>, limit: usize) -> Result<Vec<RowMark>> {
        let shape = self.shape(table)?;
        let mut params: Vec<Value> = Vec::new();
        let condition = self.condition(table, &shape.key_list(), range, &mut params)?;
        let sql =
            format!("{} WHERE {condition} ORDER BY {} LIMIT {limit}", shape.select(self.name()), shape.key_list());
        let mut found = Vec::new();
        let mut encoded = Vec::new();
        let mut rows = self.connection.query(&sql, &params)?;
        while let Some(cells) = rows.next()? {
            let cells = cells.to_vec();
            found.push(RowMark { key: shape.key_of(&cells), digest: shape.digest(&cells, &mut encoded) });
        }
        Ok(found)
    }

    /// Whether a key lies in `range`.
    ///
    /// # Errors
    /// As [`TableRows::marks`].
    pub fn lies_in(&mut self, table: TableId, key: &[Value], range: KeyRange<'_>) -> Result<bool> {
        let layout = self.table(table, key.len())?;
        if range.after.is_none() && range.until.is_none() {
            return Ok(true);
        }
        // The left side says how texts compare.
        let cell = |(n, part): (usize, &KeyPart)| format!("?{} COLLATE {}", n + 1, quoted(part.collation.name()));
        let cells: Vec<String> = layout.key.iter().enumerate().map(cell).collect();
        let mut params = key.to_vec();
        let condition = self.condition(table, &cells.join(", "), range, &mut params)?;
        let rows = self.connection.query(&format!("SELECT {condition}"), &params)?.collect()?;
        Ok(rows.first().and_then(|row| row.first()) == Some(&Value::Int(1)))
    }

    /// That a key, written as the list `key`, lies in `range`; adds to `params` what that is compared with.
    fn condition(&self, table: TableId, key: &str, range: KeyRange<'_>, params: &mut Vec<Value>) -> Result<String> {
        let mut conditions = vec!["1".to_string()];
        for (bound, sign) in [(range.after, ">"), (range.until, "<=")] {
            let Some(bound) = bound else { continue };
            self.table(table, bound.len())?;
            let marks: Vec<String> = (1..=bound.len()).map(|n| format!("?{}", params.len() + n)).collect();
            conditions.push(format!("({key}) {sign} ({})", marks.join(", ")));
            params.extend_from_slice(bound);
        }
        Ok(conditions.join(" AND "))
    }

    /// The row with this key, if there is one.
    ///
    /// # Errors
    /// As [`TableRows::marks`].
    pub fn image(&mut self, table: TableId, key: &[Value]) -> Result<Option<Image>> {
        self.table(table, key.len())?;
        let shape = self.shape(table)?;
        let sql = format!("{} WHERE {}", shape.select(self.name()), shape.key_condition());
        let rows = self.connection.query(&sql, key)?.collect()?;
        let ids = || shape.order.iter().map(|place| shape.layout.columns[*place].id);
        Ok(rows.into_iter().next().map(|cells| ids().zip(cells).collect()))
    }

    /// The digest of the row with this key, if there is one.
    ///
    /// # Errors
    /// As [`TableRows::marks`].
    pub fn digest_of(&mut self, table: TableId, key: &[Value]) -> Result<Option<RowDigest>> {
        Ok(self.image(table, key)?.as_ref().map(digest_of))
    }

    fn table(&self, table: TableId, width: usize) -> Result<&Arc<TableLayout>> {
        let layout = self.layout.with_id(table).ok_or_else(|| Error::Unreplicated(table.to_string()))?;
        match layout.key.len() == width {
            true => Ok(layout),
            false => Err(Error::Unsupported(format!("a key of {width} columns of table {table}"))),
        }
    }

    fn shape(&self, table: TableId) -> Result<Shape> {
        let layout = self.layout.with_id(table).ok_or_else(|| Error::Unreplicated(table.to_string()))?;
        let mut order: Vec<usize> = (0..layout.columns.len()).collect();
        order.sort_by_key(|place| layout.columns[*place].id);
        Ok(Shape { layout: layout.clone(), order })
    }
}

/// The digest of a whole row.
pub fn digest_of(image: &Image) -> RowDigest {
    let mut encoded = Vec::new();
    image.iter().for_each(|(column, cell)| add(*column, cell, &mut encoded));
    cut(&encoded)
}

fn add(column: ColumnId, cell: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(&column.0.to_be_bytes());
    encode(cell, out);
}

pub(super) fn cut(encoded: &[u8]) -> RowDigest {
    let whole: [u8; 32] = Sha256::digest(encoded).into();
    *whole.first_chunk().expect("a digest has 32 bytes")
}

impl Shape {
    fn column(&self, place: usize) -> String {
        quoted(&self.layout.columns[place].name)
    }

    fn select(&self, database: &str) -> String {
        let list: Vec<String> = self.order.iter().map(|place| self.column(*place)).collect();
        format!("SELECT {} FROM {}.{}", list.join(", "), quoted(database), quoted(&self.layout.name))
    }

    fn key_list(&self) -> String {
        self.layout.key.iter().map(|part| self.column(part.column)).collect::<Vec<_>>().join(", ")
    }

    fn key_condition(&self) -> String {
        let parts = self.layout.key.iter().enumerate();
        parts.map(|(n, part)| format!("{} = ?{}", self.column(part.column), n + 1)).collect::<Vec<_>>().join(" AND ")
    }

    /// The key among cells that are in the order of column ids.
    fn key_of(&self, cells: &[Value]) -> KeyCells {
        let cell = |place| self.order.iter().position(|p| *p == place).and_then(|at| cells.get(at)).cloned();
        self.layout.key.iter().map(|part| cell(part.column).unwrap_or_default()).collect()
    }

    fn digest(&self, cells: &[Value], encoded: &mut Vec<u8>) -> RowDigest {
        encoded.clear();
        for (place, cell) in self.order.iter().zip(cells) {
            add(self.layout.columns[*place].id, cell, encoded);
        }
        cut(encoded)
    }
}
