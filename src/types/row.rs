//! Rows, keys and write sets: what a transaction changed and what it must hold while it commits.

use super::{DatabaseName, Hlc, TableId, Value};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A place in this node's own apply order: 1, 2, 3, … Meaningless to other nodes.
pub type ApplySeq = u64;

/// A column's identity within its table for all time; a dropped column's id is never given again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ColumnId(pub u32);

/// A unique index's identity within its table for all time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IndexId(pub u32);

/// Positions (not ids) in a [`TableChanges::columns`] list: a bitmap.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ColumnSet {
    words: Vec<u64>,
}

impl ColumnSet {
    pub fn new() -> Self {
        Self::default()
    }
    /// The first `n` positions.
    pub fn all(n: usize) -> Self {
        (0..n).collect()
    }
    pub fn insert(&mut self, position: usize) {
        let word = position / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (position % 64);
    }
    pub fn contains(&self, position: usize) -> bool {
        self.words.get(position / 64).is_some_and(|w| w >> (position % 64) & 1 == 1)
    }
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words
            .iter()
            .enumerate()
            .flat_map(|(i, w)| (0..64).filter(move |b| w >> b & 1 == 1).map(move |b| i * 64 + b))
    }
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|w| *w == 0)
    }
    pub fn len(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }
}

impl FromIterator<usize> for ColumnSet {
    fn from_iter<I: IntoIterator<Item = usize>>(positions: I) -> Self {
        let mut set = ColumnSet::new();
        positions.into_iter().for_each(|p| set.insert(p));
        set
    }
}

/// All stored cells of a row, in the order of its [`TableChanges::columns`].
pub type RowImage = Arc<[Value]>;

/// A row's identity across nodes: its table and its primary key, encoded and normalised by the key's collations so
/// that two keys SQLite calls equal are equal bytes. Never a rowid, unless the rowid *is* the primary key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RowKey {
    pub table: TableId,
    #[serde(with = "super::bytes")]
    pub key: Arc<[u8]>,
}

/// One value of one unique index, encoded like a [`RowKey`]. Rows with a NULL in the index have none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UniqueValue {
    pub index: IndexId,
    #[serde(with = "super::bytes")]
    pub values: Arc<[u8]>,
}

/// What transactions can collide on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Key {
    Row(RowKey),
    Unique(TableId, UniqueValue),
    /// Every DML transaction holds its databases' `Schema` in `Read`; a DDL holds it in `Write`.
    Schema(DatabaseName),
    /// The voting member list; every transaction holds it in `Read` by carrying its epoch.
    Members,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |f: &mut fmt::Formatter<'_>, b: &[u8]| b.iter().try_for_each(|x| write!(f, "{x:02x}"));
        match self {
            Key::Row(row) => {
                write!(f, "row {}/", row.table)?;
                hex(f, &row.key)
            }
            Key::Unique(table, unique) => {
                write!(f, "unique {table}/{}/", unique.index.0)?;
                hex(f, &unique.values)
            }
            Key::Schema(database) => write!(f, "schema {database}"),
            Key::Members => f.write_str("members"),
        }
    }
}

/// How a key is held. `Read` is shared, `Write` excludes both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Mode {
    Read,
    Write,
}

/// One key held by a transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyAccess {
    pub key: Key,
    pub mode: Mode,
}

/// The net change of one row by one transaction. A changed primary key is a delete and an insert.
///
/// **Invariants**: `before` or `after` is present; `changed` is every column for an insert or a delete; columns of one
/// unique index change together (if one of them changed, all are in `changed`), and so do those that a generated column in
/// an index is made of, so that a merge never composes a unique value, or a value of an index, that nobody wrote. Of an update, each unique index is in exactly one of `claims`, `clears` and `keeps`,
/// or its columns are unchanged and hold a NULL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowChange {
    #[serde(with = "super::bytes")]
    pub key: Arc<[u8]>,
    pub before: Option<RowImage>,
    pub after: Option<RowImage>,
    pub changed: ColumnSet,
    /// Unique values this change writes: those of an insert, and those in changed columns of an update (also where
    /// the index takes the new value for equal to the old one).
    pub claims: Vec<UniqueValue>,
    /// Unique values this change gives up.
    pub releases: Vec<UniqueValue>,
    /// Unique values an update leaves as its writer found them. They are no keys of the transaction; a merge needs
    /// them where the update meets a delete and brings the row back.
    pub keeps: Vec<UniqueValue>,
    /// Unique indexes whose columns an update changed to something with a NULL in it.
    pub clears: Vec<IndexId>,
}

/// The rows of one table that a transaction changed. At most one change a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableChanges {
    pub database: DatabaseName,
    pub table: TableId,
    /// The columns of every image below, in order. Primary-key columns are among them.
    pub columns: Arc<[ColumnId]>,
    pub rows: Vec<RowChange>,
}

/// A schema change: opaque to the core, interpreted by the applier of every member, in order with DML.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ddl {
    pub database: DatabaseName,
    /// What the applier executes; encoded and decoded by `sqlite`.
    #[serde(with = "super::bytes")]
    pub payload: Arc<[u8]>,
}

/// Everything a transaction changed and holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteSet {
    pub tables: Vec<TableChanges>,
    /// Keys held besides those that follow from `tables`: `Schema` of each database, rows locked by FOR UPDATE or
    /// FOR SHARE, foreign-key parents.
    pub holds: Vec<KeyAccess>,
    pub ddl: Option<Ddl>,
}

impl WriteSet {
    /// Every key this transaction holds, with its mode; duplicates possible.
    pub fn accesses(&self) -> impl Iterator<Item = KeyAccess> + '_ {
        let rows = self.tables.iter().flat_map(|t| {
            t.rows.iter().flat_map(move |r| {
                let row = Key::Row(RowKey { table: t.table, key: r.key.clone() });
                let uniques = r.claims.iter().chain(&r.releases).map(move |u| Key::Unique(t.table, u.clone()));
                std::iter::once(row).chain(uniques).map(|key| KeyAccess { key, mode: Mode::Write })
            })
        });
        rows.chain(self.holds.iter().cloned())
    }

    /// How many [`WriteSet::accesses`] there are.
    pub fn access_count(&self) -> usize {
        let rows = self.tables.iter().flat_map(|t| t.rows.iter());
        rows.map(|r| 1 + r.claims.len() + r.releases.len()).sum::<usize>() + self.holds.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.ddl.is_none()
    }

    /// Approximate encoded size in bytes, for limits.
    pub fn size(&self) -> usize {
        let image = |i: &Option<RowImage>| i.as_ref().map_or(0, |v| v.iter().map(Value::size).sum::<usize>());
        let rows = self.tables.iter().flat_map(|t| &t.rows);
        let rows: usize = rows.map(|r| r.key.len() + image(&r.before) + image(&r.after) + 16).sum();
        rows + self.holds.len() * 32 + self.ddl.as_ref().map_or(0, |d| d.payload.len())
    }
}

/// What a transaction's reads saw: taken by the session from the node's published state just *before* it pins its
/// SQLite snapshot, so both are lower bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Everything up to this place in the apply order is in the snapshot.
    pub seq: ApplySeq,
    /// The stable watermark then.
    pub watermark: Hlc,
}

/// One merged row as the applier must leave it, where that differs from the write set's own change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowOp {
    /// The write set's change lost entirely: leave the row alone.
    Skip,
    /// Set these cells of the row `image` (its primary key identifies it); insert the whole image if it is absent.
    Put { image: RowImage, changed: ColumnSet },
    /// Remove the row with the primary key of `image`, if present.
    Delete { image: RowImage },
}
