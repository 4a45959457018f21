//! Trying out schema changes that need nothing of what is in the file, in an empty database.
//!
//! On the file itself SQLite would first read the definitions of all tables, since the change before was another
//! connection's, and forget them again when the trial is rolled back: with thousands of tables most of the work.

use super::connection::{Connection, quoted};
use super::data_dir::DataDir;
use super::error::Result;
use super::functions::Functions;
use super::layout::DatabaseLayout;
use super::schema::SchemaStep;

/// An empty place to try things out.
pub(super) struct Trial {
    /// Made when it is needed first.
    connection: Option<Connection>,
    functions: Functions,
}

impl Trial {
    pub(super) fn new(functions: &Functions) -> Trial {
        Trial { connection: None, functions: functions.clone() }
    }

    /// Runs the statements of `step` in an empty database of that name, and reads what they make.
    pub(super) fn run(&mut self, dir: &DataDir, database: &str, step: &SchemaStep) -> Result<DatabaseLayout> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connection = dir.open_memory(&self.functions)?;
                connection.run_script("PRAGMA foreign_keys = OFF")?;
                connection
            }
        };
        let schema = quoted(database);
        connection.run_script(&format!("ATTACH ':memory:' AS {schema}"))?;
        step.statements.iter().try_for_each(|sql| connection.run_script(sql))?;
        let layout = DatabaseLayout::default().after(&connection, database, step.version, &step.definitions)?;
        connection.run_script(&format!("DETACH {schema}"))?;
        // After an error it is not what it was.
        self.connection = Some(connection);
        Ok(layout)
    }
}
