//! How a system table is defined: its columns, and the function that gives its rows when a statement names it.

use super::Facts;
use crate::sql::{Collation, Column, Database, Table, TableOptions};
use crate::sql::{ColumnType, TextKind};
use crate::types::{CollationRules, ColumnId, NodeId, TableId, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a column of a system table holds.
#[derive(Clone, Copy, Debug)]
pub enum Holds {
    /// Text of up to so many characters.
    Text(u32),
    /// Text of any length.
    Long,
    Int,
    Big,
    Unsigned,
    /// `YYYY-MM-DD HH:MM:SS`.
    Time,
    /// The same with microseconds.
    Micros,
}

/// One table of one system database.
pub struct SystemTable {
    pub database: &'static str,
    pub name: &'static str,
    pub columns: &'static [(&'static str, Holds)],
    pub rows: fn(&Facts<'_>) -> Vec<Vec<Value>>,
}

impl Holds {
    fn ty(self) -> ColumnType {
        let collation = || Collation::new("utf8mb3_general_ci").unwrap_or_default();
        let text = |kind, length| ColumnType::Text { kind, length, collation: collation() };
        match self {
            Holds::Text(n) => text(TextKind::VarChar, n),
            Holds::Long => text(TextKind::LongText, 0),
            Holds::Int => ColumnType::int(),
            Holds::Big => ColumnType::bigint(),
            Holds::Unsigned => ColumnType::bigint_unsigned(),
            Holds::Time => ColumnType::DateTime(0),
            Holds::Micros => ColumnType::DateTime(6),
        }
    }

    fn sqlite(self) -> &'static str {
        match self {
            Holds::Text(_) | Holds::Long | Holds::Time | Holds::Micros => "TEXT COLLATE NOCASE",
            Holds::Int | Holds::Big | Holds::Unsigned => "INTEGER",
        }
    }
}

impl SystemTable {
    /// The statement that makes it in memory.
    pub fn create(&self) -> String {
        let columns: Vec<String> =
            self.columns.iter().map(|(name, holds)| format!("\"{name}\" {}", holds.sqlite())).collect();
        format!("CREATE TABLE IF NOT EXISTS \"{}\".\"{}\" ({})", self.database, self.name, columns.join(", "))
    }

    /// The statement that empties it.
    pub fn clear(&self) -> String {
        format!("DELETE FROM \"{}\".\"{}\"", self.database, self.name)
    }

    /// The statement that adds a row.
    pub fn insert(&self) -> String {
        let places: Vec<String> = (1..=self.columns.len()).map(|i| format!("?{i}")).collect();
        format!("INSERT INTO \"{}\".\"{}\" VALUES ({})", self.database, self.name, places.join(", "))
    }

    fn definition(&self, number: u64) -> Table {
        let columns =
            self.columns.iter().zip(1u32..).map(|((name, holds), id)| Column::plain(ColumnId(id), *name, holds.ty()));
        let columns: Vec<Column> = columns.collect();
        Table {
            // No real node has the number zero, so these ids meet no user table's.
            id: TableId::new(NodeId(0), number),
            name: self.name.to_string(),
            next_column: columns.len() as u32 + 1,
            columns,
            primary: None,
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            options: TableOptions {
                engine: "MEMORY".to_string(),
                collation: Collation::new("utf8mb3_general_ci").unwrap_or_default(),
                comment: String::new(),
                auto_increment: None,
                others: Vec::new(),
                created: "2024-01-01 00:00:00".to_string(),
            },
            collations: CollationRules::Portable,
            next_index: 1,
        }
    }
}

/// The system databases as the translator is to see them.
pub fn databases(tables: &[SystemTable]) -> Vec<Database> {
    let mut databases: BTreeMap<&str, Database> = BTreeMap::new();
    for (table, number) in tables.iter().zip(1u64..) {
        let database = databases.entry(table.database).or_insert_with(|| {
            let collation = Collation::new("utf8mb3_general_ci").unwrap_or_default();
            Database { system: true, ..Database::new(table.database, collation, 1) }
        });
        database.tables.insert(table.name.to_string(), Arc::new(table.definition(number)));
    }
    databases.into_values().collect()
}
