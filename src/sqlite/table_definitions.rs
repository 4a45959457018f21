//! What defines each table of a file, as a digest: what two nodes must have equal at one version of a schema.

use super::connection::quoted;
use super::definition;
use super::error::{Error, Result};
use super::layout::{TableLayout, statements};
use super::row_range::{RowDigest, cut};
use super::table_rows::TableRows;
use crate::sql::{Database, Table, show_create_table};
use crate::types::TableId;
use std::collections::BTreeMap;
use std::sync::Arc;

impl TableRows {
    /// The digests of the definitions of the tables above `after`, at most `limit`, ascending by table. Of each: its definition in
    /// the catalog, and the statements that made it and its indexes in SQLite. What changes either in the file of one node alone
    /// was no schema change.
    ///
    /// # Errors
    /// The catalog is damaged, or SQLite fails.
    pub fn definitions(&mut self, after: Option<TableId>, limit: usize) -> Result<Vec<(TableId, RowDigest)>> {
        let catalog = self.catalog()?;
        let known: BTreeMap<TableId, &Table> =
            catalog.iter().flat_map(|c| c.tables.values()).map(|t| (t.id, &**t)).collect();
        let statements = statements(&self.connection, self.name())?;
        let wanted = self.layout.tables().filter(|table| after.is_none_or(|after| table.id > after)).take(limit);
        let digest = |table: &Arc<TableLayout>| {
            // Without an entry it is one of this layer's own, made by whatever version made the file.
            let parts = known.get(&table.id).map_or_else(Vec::new, |known| {
                let made_by = statements.get(&table.name.to_ascii_lowercase()).into_iter().flatten();
                let mut parts: Vec<String> = made_by.cloned().collect();
                // SQLite uses places in its list again.
                parts.sort_unstable();
                parts.push(show_create_table(known, quoted));
                parts
            });
            let encoded = postcard::to_stdvec(&parts).expect("plain data serialises");
            (table.id, cut(&encoded))
        };
        Ok(wanted.map(digest).collect())
    }

    /// The catalog of the file; `None`: there is none yet.
    fn catalog(&mut self) -> Result<Option<Database>> {
        let database = self.name().to_string();
        let stored = definition::read(&mut self.connection, &database)?;
        let known = (!stored.database.is_empty()).then(|| Database::assemble(&stored.database, &stored.tables));
        known.transpose().map_err(|e| Error::Sqlite {
            code: rusqlite::ffi::SQLITE_CORRUPT,
            message: format!("the catalog of '{database}' cannot be read: {e}"),
        })
    }
}
