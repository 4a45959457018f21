//! CREATE TABLE as parsed: names and attributes, before ids and inherited collations.

use super::catalog::{ColumnDefault, IndexKind, ReferentialAction};
use super::column_type::ColumnType;
use crate::types::DatabaseName;

/// A whole table definition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableDefinition {
    pub name: String,
    pub columns: Vec<ColumnDefinition>,
    pub keys: Vec<KeyDefinition>,
    pub foreign_keys: Vec<ForeignKeyDefinition>,
    pub checks: Vec<CheckDefinition>,
    pub options: OptionsDefinition,
}

/// One column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDefinition {
    pub name: String,
    pub ty: TypeDefinition,
    /// What was written; `None` means neither NULL nor NOT NULL.
    pub nullable: Option<bool>,
    pub default: Option<ColumnDefault>,
    pub on_update: Option<u8>,
    pub auto_increment: bool,
    pub comment: String,
    pub invisible: bool,
    /// `PRIMARY KEY` or `UNIQUE` within the column's definition.
    pub key: Option<IndexKind>,
}

/// A type and what was said of its character set.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeDefinition {
    /// With a placeholder collation, replaced when the table is known.
    pub ty: ColumnType,
    pub charset: Option<String>,
    pub collation: Option<String>,
    /// The `BINARY` attribute: the character set's `_bin` collation.
    pub binary: bool,
}

/// A key or index.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyDefinition {
    pub kind: IndexKind,
    /// `None`: named after its first column.
    pub name: Option<String>,
    pub parts: Vec<KeyPart>,
    pub comment: String,
    pub invisible: bool,
}

/// One part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPart {
    pub column: String,
    /// In place of a column, as MySQL text.
    pub expression: Option<String>,
    pub prefix: Option<u32>,
    pub descending: bool,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignKeyDefinition {
    pub name: Option<String>,
    pub columns: Vec<String>,
    /// `None`: the table's own database.
    pub parent_database: Option<DatabaseName>,
    pub parent_table: String,
    pub parent_columns: Vec<String>,
    pub on_delete: ReferentialAction,
    pub on_update: ReferentialAction,
}

/// A CHECK constraint.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckDefinition {
    pub name: Option<String>,
    /// The column whose definition holds it.
    pub column: Option<String>,
    pub expression: String,
    pub enforced: bool,
}

/// Table options; `None` leaves one as it is (or as the default).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptionsDefinition {
    pub engine: Option<String>,
    pub charset: Option<String>,
    pub collation: Option<String>,
    pub comment: Option<String>,
    pub auto_increment: Option<u64>,
    pub others: Vec<(String, String)>,
}
