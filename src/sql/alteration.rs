//! The clauses of ALTER TABLE.

use super::catalog::{ColumnDefault, IndexKind};
use super::definition::{CheckDefinition, ColumnDefinition, ForeignKeyDefinition, KeyDefinition, OptionsDefinition};

/// One clause; those of one statement apply left to right.
#[derive(Clone, Debug, PartialEq)]
pub enum Alteration {
    AddColumn {
        column: ColumnDefinition,
        place: Place,
    },
    DropColumn(String),
    /// MODIFY keeps the name, CHANGE gives a new one.
    ChangeColumn {
        name: String,
        column: ColumnDefinition,
        place: Option<Place>,
    },
    RenameColumn {
        name: String,
        to: String,
    },
    SetDefault {
        column: String,
        default: ColumnDefault,
    },
    DropDefault {
        column: String,
    },
    SetColumnVisible {
        column: String,
        visible: bool,
    },
    AddKey(KeyDefinition),
    /// CREATE INDEX; unlike ADD KEY it always has a name.
    DropKey(String),
    DropPrimaryKey,
    RenameKey {
        name: String,
        to: String,
    },
    SetKeyVisible {
        name: String,
        visible: bool,
    },
    AddForeignKey(ForeignKeyDefinition),
    DropForeignKey(String),
    AddCheck(CheckDefinition),
    /// DROP CHECK; DROP CONSTRAINT finds out what the name is.
    DropCheck(String),
    DropConstraint(String),
    EnforceCheck {
        name: String,
        enforced: bool,
    },
    RenameTable(String),
    Options(OptionsDefinition),
    /// `CONVERT TO CHARACTER SET`: also changes every character column.
    ConvertTo {
        charset: String,
        collation: Option<String>,
    },
    /// ENGINE=..., FORCE, ENABLE KEYS, ALGORITHM=, LOCK=: accepted without effect.
    Nothing,
}

/// Where a column goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    #[default]
    Last,
    First,
    After(String),
}

impl Alteration {
    /// Whether the clause adds the primary key.
    pub fn adds_primary_key(&self) -> bool {
        matches!(self, Alteration::AddKey(key) if key.kind == IndexKind::Primary)
    }
}
