//! Schema changes as they were encoded up to version 6, and are until every member understands more.

use super::schema::{Definitions, FileChange, SchemaStep, TableIds, TakenIn};
use crate::types::DatabaseName;
use serde::{Deserialize, Serialize};

/// A [`SchemaStep`] with all definitions of its database.
#[derive(Serialize, Deserialize)]
pub(super) struct OldStep {
    file: OldFileChange,
    version: u64,
    statements: Vec<String>,
    definition: Vec<u8>,
    tables: Vec<TableIds>,
}

/// As [`FileChange`].
#[derive(Serialize, Deserialize)]
enum OldFileChange {
    Create,
    Drop,
    Keep,
    TakenIn(Box<(DatabaseName, OldStep)>),
}

impl OldStep {
    /// `None`: that version cannot say it.
    pub(super) fn of(step: &SchemaStep) -> Option<OldStep> {
        let Definitions::Whole { definition, tables } = &step.definitions else { return None };
        let file = match &step.file {
            FileChange::Create => OldFileChange::Create,
            FileChange::Drop => OldFileChange::Drop,
            FileChange::Keep => OldFileChange::Keep,
            FileChange::TakenIn(into) => {
                OldFileChange::TakenIn(Box::new((into.database.clone(), OldStep::of(&into.step)?)))
            }
        };
        let (version, statements) = (step.version, step.statements.clone());
        Some(OldStep { file, version, statements, definition: definition.clone(), tables: tables.clone() })
    }
}

impl From<OldStep> for SchemaStep {
    fn from(old: OldStep) -> SchemaStep {
        let file = match old.file {
            OldFileChange::Create => FileChange::Create,
            OldFileChange::Drop => FileChange::Drop,
            OldFileChange::Keep => FileChange::Keep,
            OldFileChange::TakenIn(into) => {
                let (database, step) = *into;
                FileChange::TakenIn(Box::new(TakenIn { database, step: step.into() }))
            }
        };
        let definitions = Definitions::Whole { definition: old.definition, tables: old.tables };
        SchemaStep { file, version: old.version, statements: old.statements, definitions }
    }
}
