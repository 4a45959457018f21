//! The tables of all workloads, and the write sets on them.
//!
//! Every row begins with its key, the *tag* of the attempt that wrote it last, and the schema version under which that
//! attempt executed. Tags are unique, so every row version names its writer and every check can trace it.

use marmot::types::{
    ColumnId, ColumnSet, DatabaseName, IndexId, Key, KeyAccess, Mode, NodeId, RowChange, RowImage, RowKey,
    TableChanges, TableId, UniqueValue, Value, WriteSet,
};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// The number of an attempt to commit: its place in the history.
pub type Tag = u32;

pub const KEY: usize = 0;
pub const TAG: usize = 1;
pub const SCHEMA: usize = 2;
/// The first column with a meaning of its own.
pub const DATA: usize = 3;

/// The database all tables are in.
pub static DATABASE: LazyLock<DatabaseName> = LazyLock::new(|| "app".into());

/// A workload's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Name {
    /// balance
    Bank,
    /// value
    Register,
    /// list
    List,
    /// email (unique), handle (unique, may be NULL)
    Person,
    /// count
    Counter,
    /// payload; the key is an AUTO_INCREMENT id
    Auto,
    /// nothing
    Parent,
    /// parent
    Child,
    /// count (QUORUM writes only), note, remark (ONE writes)
    Mixed,
    /// email (unique, may be NULL), handle (unique, may be NULL), marker; written with ONE and with QUORUM
    Loose,
    /// One row per attempt that would otherwise leave no trace.
    Journal,
}

impl Name {
    pub const ALL: [Name; 11] = [
        Name::Bank,
        Name::Register,
        Name::List,
        Name::Person,
        Name::Counter,
        Name::Auto,
        Name::Parent,
        Name::Child,
        Name::Mixed,
        Name::Loose,
        Name::Journal,
    ];

    pub fn id(self) -> TableId {
        TableId::new(NodeId(0), 100 + self as u64)
    }

    pub fn of(id: TableId) -> Option<Name> {
        Name::ALL.get(usize::try_from(id.number.checked_sub(100)?).ok()?).copied()
    }

    /// Columns in all.
    pub fn width(self) -> usize {
        DATA + match self {
            Name::Parent | Name::Journal => 0,
            Name::Person => 2,
            Name::Mixed | Name::Loose => 3,
            _ => 1,
        }
    }

    /// Columns with a unique index of their own.
    pub fn unique(self) -> &'static [usize] {
        match self {
            Name::Person | Name::Loose => &[DATA, DATA + 1],
            _ => &[],
        }
    }

    /// Whether ONE writes happen here, so that rows are merged rather than validated.
    pub fn is_merged(self) -> bool {
        matches!(self, Name::Mixed | Name::Loose | Name::Journal)
    }

    fn columns(self) -> Arc<[ColumnId]> {
        static COLUMNS: LazyLock<Vec<Arc<[ColumnId]>>> =
            LazyLock::new(|| Name::ALL.iter().map(|n| (0..n.width() as u32).map(ColumnId).collect()).collect());
        COLUMNS[self as usize].clone()
    }

    /// The unique values a row of this table holds.
    pub fn unique_values(self, image: &[Value]) -> impl Iterator<Item = UniqueValue> + '_ {
        self.unique().iter().enumerate().filter_map(|(index, column)| match &image[*column] {
            Value::Int(v) => {
                Some(UniqueValue { index: IndexId(index as u32), values: v.to_be_bytes().as_slice().into() })
            }
            _ => None,
        })
    }
}

/// A primary key as the core sees it.
pub fn key_bytes(key: u64) -> Arc<[u8]> {
    key.to_be_bytes().as_slice().into()
}

/// The inverse of [`key_bytes`].
pub fn key_number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(u64::MAX, u64::from_be_bytes)
}

/// The integer in a column; zero for anything else.
pub fn int(image: &[Value], column: usize) -> i64 {
    match image.get(column) {
        Some(Value::Int(v)) => *v,
        _ => 0,
    }
}

/// The numbers in a list cell.
pub fn list(image: &[Value]) -> Vec<u32> {
    match image.get(DATA) {
        Some(Value::Blob(bytes)) => {
            bytes.chunks_exact(4).map(|c| u32::from_be_bytes(c.try_into().expect("chunks of four"))).collect()
        }
        _ => Vec::new(),
    }
}

/// A list cell.
pub fn list_cell(list: &[u32]) -> Value {
    Value::Blob(list.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<u8>>().into())
}

/// The tag of the attempt that made this write set, if it carries one.
pub fn tag_of(write_set: &WriteSet) -> Option<Tag> {
    if let Some(ddl) = &write_set.ddl {
        return Some(u32::from_be_bytes(ddl.payload.get(..4)?.try_into().ok()?));
    }
    let rows = write_set.tables.iter().flat_map(|t| &t.rows);
    rows.filter_map(|r| r.after.as_ref()).map(|image| int(image, TAG) as Tag).next()
}

/// See [`Draft::marker`].
pub fn marker(tag: Tag) -> String {
    format!("<v{tag}>")
}

/// A write set being built by one attempt.
#[derive(Debug)]
pub struct Draft {
    pub tag: Tag,
    /// The schema version the attempt executes under.
    pub schema: i64,
    rows: BTreeMap<Name, BTreeMap<u64, RowChange>>,
    holds: Vec<KeyAccess>,
    /// Lists read, with what was seen.
    pub reads: Vec<(u64, Vec<u32>)>,
    /// Elements appended.
    pub appends: Vec<(u64, u32)>,
}

impl Draft {
    pub fn new(tag: Tag, schema: i64) -> Draft {
        Draft { tag, schema, rows: BTreeMap::new(), holds: Vec::new(), reads: Vec::new(), appends: Vec::new() }
    }

    /// A whole row written by this attempt.
    pub fn image(&self, key: u64, data: &[Value]) -> RowImage {
        let head = [Value::Int(key as i64), Value::Int(i64::from(self.tag)), Value::Int(self.schema)];
        head.into_iter().chain(data.iter().cloned()).collect()
    }

    pub fn insert(&mut self, table: Name, key: u64, data: &[Value]) {
        let after = self.image(key, data);
        self.change(table, key, None, Some(after));
    }

    pub fn update(&mut self, table: Name, key: u64, before: &RowImage, data: &[Value]) {
        let after = self.image(key, data);
        self.change(table, key, Some(before.clone()), Some(after));
    }

    pub fn delete(&mut self, table: Name, key: u64, before: &RowImage) {
        self.change(table, key, Some(before.clone()), None);
    }

    /// A text found nowhere but in what this attempt wrote, even inside encoded records.
    pub fn marker(&self) -> Value {
        Value::text(marker(self.tag))
    }

    /// Leaves a trace of an attempt that otherwise only deletes.
    pub fn sign(&mut self) {
        self.insert(Name::Journal, u64::from(self.tag), &[]);
    }

    fn change(&mut self, table: Name, key: u64, before: Option<RowImage>, after: Option<RowImage>) {
        let values = |image: &Option<RowImage>| -> Vec<UniqueValue> {
            image.as_ref().map_or(Vec::new(), |i| table.unique_values(i).collect())
        };
        let (old, new) = (values(&before), values(&after));
        let update = before.is_some() && after.is_some();
        let claims = new.iter().filter(|v| !old.contains(v)).cloned().collect();
        let releases = old.iter().filter(|v| !new.contains(v)).cloned().collect();
        let keeps = new.iter().filter(|v| update && old.contains(v)).cloned().collect();
        let lacks = |index: &IndexId| old.iter().any(|v| v.index == *index) && !new.iter().any(|v| v.index == *index);
        let clears = (0..table.unique().len() as u32).map(IndexId).filter(|i| update && lacks(i)).collect();
        let changed = match (&before, &after) {
            (Some(b), Some(a)) => (0..table.width()).filter(|i| b[*i] != a[*i]).collect(),
            _ => ColumnSet::all(table.width()),
        };
        let change = RowChange { key: key_bytes(key), before, after, changed, claims, releases, keeps, clears };
        self.rows.entry(table).or_default().insert(key, change);
    }

    /// Holds a row in `Read`, as a foreign key does with its parent.
    pub fn hold(&mut self, table: Name, key: u64) {
        let key = Key::Row(RowKey { table: table.id(), key: key_bytes(key) });
        self.holds.push(KeyAccess { key, mode: Mode::Read });
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn finish(self) -> WriteSet {
        let mut holds = self.holds;
        holds.push(KeyAccess { key: Key::Schema(DATABASE.clone()), mode: Mode::Read });
        let tables = self.rows.into_iter().map(|(name, rows)| TableChanges {
            database: DATABASE.clone(),
            table: name.id(),
            columns: name.columns(),
            rows: rows.into_values().collect(),
        });
        WriteSet { tables: tables.collect(), holds, ddl: None }
    }
}
