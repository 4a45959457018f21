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
    /// CREATE OR REPLACE INDEX: the one of that name goes first.
    ReplaceKey(KeyDefinition),
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
    /// RENAME TO database.name: the translator knows whether that is the table's own database.
    MoveTable {
        database: String,
        name: String,
    },
    Options(OptionsDefinition),
    /// `CONVERT TO CHARACTER SET`: also changes every character column.
    ConvertTo {
        charset: String,
        collation: Option<String>,
    },
    /// `IF EXISTS`, `IF NOT EXISTS`: without effect, but for a note, where the clause alone would fail because what it
    /// names is missing or there already.
    Guarded(Box<Alteration>),
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
    /// The clause with `IF EXISTS` or `IF NOT EXISTS`, if that was written.
    pub fn guarded(self, guard: bool) -> Alteration {
        if guard { Alteration::Guarded(Box::new(self)) } else { self }
    }

    /// The clause without its guard.
    pub fn inner(&self) -> &Alteration {
        match self {
            Alteration::Guarded(inner) => inner.inner(),
            other => other,
        }
    }

    /// Whether the clause adds the primary key.
    pub fn adds_primary_key(&self) -> bool {
        matches!(self.inner(), Alteration::AddKey(key) if key.kind == IndexKind::Primary)
    }
}
