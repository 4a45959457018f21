//! Prepared statements: the text, and the plan it had when it was last used.

use super::execute::Run;
use super::metadata;
use super::plans::Planned;
use super::session::Session;
use crate::mysql::{self, Column, ResultWriter, SqlError};
use crate::sql::{Modes, Plan};
use crate::types::{DatabaseName, Value};
use std::sync::Arc;

/// A prepared statement, of either protocol.
#[derive(Clone)]
pub struct PreparedText {
    text: Arc<str>,
    planned: Planned,
    /// What the plan depends on besides the catalog. A statement keeps the database it was prepared in.
    database: Option<DatabaseName>,
    modes: Modes,
    /// That of the session's temporary tables.
    generation: u64,
}

impl PreparedText {
    /// How many `?` it has.
    pub fn markers(&self) -> usize {
        self.planned.markers
    }

    /// Whether it is LOAD DATA, which MySQL does not prepare.
    pub fn reads_a_file(&self) -> bool {
        matches!(&*self.planned.plan, Plan::Load(_))
    }

    /// Whether it is itself a PREPARE, EXECUTE or DEALLOCATE, or LOAD DATA, which MySQL does not allow, or SET STATEMENT.
    pub fn is_indirect(&self) -> bool {
        use crate::sql::SessionCommand::{Deallocate, Execute, ExecuteImmediate, Prepare, SetStatement};
        let plan = &*self.planned.plan;
        let indirect = |command: &_| {
            matches!(
                command,
                Prepare { .. } | Execute { .. } | ExecuteImmediate { .. } | Deallocate { .. } | SetStatement { .. }
            )
        };
        self.reads_a_file() || matches!(plan, Plan::Session(command) if indirect(command))
    }

    /// The result's columns as far as they are known before it runs.
    pub fn columns(&self, charset: u16) -> Vec<Column> {
        let columns = match &*self.planned.plan {
            Plan::Read(read) if read.into.is_empty() => &read.columns,
            Plan::Rows { columns, .. } => columns,
            _ => return Vec::new(),
        };
        columns.iter().map(|c| metadata::describe(c, None, charset)).collect()
    }
}

impl Session {
    /// Plans a text of one statement to be run later.
    pub(super) async fn prepare_text(&mut self, text: &str) -> Result<PreparedText, SqlError> {
        self.state.diagnostics.start(self.state.settings.max_errors);
        let planned = self.plan_one(text).await.inspect_err(|e| self.state.diagnostics.error(e))?;
        self.permit(&planned.needs).inspect_err(|e| self.state.diagnostics.error(e))?;
        let database = self.state.database.clone();
        Ok(PreparedText {
            text: text.into(),
            planned,
            database,
            modes: self.state.settings.modes,
            generation: self.temporary.generation,
        })
    }

    /// Runs a prepared statement; plans it again if the schema or the SQL mode changed.
    pub(super) async fn run_prepared(
        &mut self,
        prepared: &mut PreparedText,
        values: &[Value],
        out: &mut ResultWriter<'_>,
    ) -> Result<(), SqlError> {
        if values.len() != prepared.markers() {
            return Err(mysql::WRONG_ARGUMENTS.with(&[&"EXECUTE"]));
        }
        let schema = self.schema()?;
        let fresh = Arc::ptr_eq(&schema, &prepared.planned.schema)
            && prepared.modes == self.state.settings.modes
            && prepared.generation == self.temporary.generation;
        if !fresh {
            let planned = self.plan_in(&prepared.database, &prepared.text).inspect_err(|e| self.note_failure(e))?;
            prepared.planned = planned.ok_or_else(|| mysql::EMPTY_QUERY.with(&[]))?;
            prepared.modes = self.state.settings.modes;
            prepared.generation = self.temporary.generation;
        }
        let run = Run {
            planned: &prepared.planned,
            client: values,
            text: &prepared.text,
            database: &prepared.database,
            leaf: None,
        };
        self.run_planned(run, out).await
    }

    /// The plan of a text that must be exactly one statement.
    async fn plan_one(&mut self, text: &str) -> Result<Planned, SqlError> {
        let (planned, used) = self.plan_current(text).await?;
        let planned = planned.ok_or_else(|| mysql::EMPTY_QUERY.with(&[]))?;
        match self.plan(&text[used..])? {
            (None, _) => Ok(planned),
            (Some(_), _) => Err(self.syntax_error(&text[used..])),
        }
    }
}
