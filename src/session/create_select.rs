//! CREATE TABLE ... SELECT: a schema change, then an INSERT of its own, as in MySQL before 8.0.21. A node that dies in
//! between leaves an empty table.

use super::execute::{Failure, Run};
use super::session::Session;
use crate::mysql::{ResultWriter, SqlError};
use crate::sql::SchemaChange;

impl Session {
    /// Creates the table and fills it; if that fails, the table goes again.
    pub(super) async fn create_select(
        &mut self,
        run: Run<'_>,
        change: &SchemaChange,
        insert: &str,
        out: &mut ResultWriter<'_>,
    ) -> Result<(), Failure> {
        if !self.change_schema(change).await? {
            // It was there already, and may: nothing is inserted.
            self.take_warnings();
            self.state.row_count = 0;
            out.ok(self.done(0, 0, String::new()))?;
            return Ok(());
        }
        // The rows are committed with the statement, whatever autocommit says, unless nobody else sees them.
        let autocommit = std::mem::replace(&mut self.state.settings.autocommit, true);
        let filled = self.fill_created(run, insert, out).await;
        self.state.settings.autocommit = autocommit;
        if let Err(error) = filled {
            if let SchemaChange::CreateTable { database, definition, .. } = change {
                let names = vec![definition.name.clone()];
                let drop = SchemaChange::DropTables { database: database.clone(), names, if_exists: true };
                self.change_schema(&drop).await?;
            }
            return Err(error.into());
        }
        Ok(())
    }

    async fn fill_created(&mut self, run: Run<'_>, insert: &str, out: &mut ResultWriter<'_>) -> Result<(), SqlError> {
        let planned = self.plan_in(run.database, insert)?;
        let planned = planned.ok_or_else(|| SqlError::internal("an INSERT that is empty"))?;
        let run = Run { planned: &planned, client: run.client, text: insert, database: run.database, leaf: None };
        // The future would contain itself.
        Box::pin(self.attempt(run, out)).await
    }
}
