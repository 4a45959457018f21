//! What defines each table of a file, as a digest: what two nodes must have equal at one version of a schema.

use super::cell::text;
use super::connection::quoted;
use super::definition;
use super::error::{Error, Result};
use super::layout::TableLayout;
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
        let statements = self.statements()?;
        let wanted = self.layout.tables().filter(|table| after.is_none_or(|after| table.id > after)).take(limit);
        let digest = |table: &Arc<TableLayout>| {
            let mut encoded = Vec::new();
            let mut add = |part: &[u8]| {
                encoded.extend_from_slice(&(part.len() as u64).to_be_bytes());
                encoded.extend_from_slice(part);
            };
            add(known.get(&table.id).map(|table| show_create_table(table, quoted)).unwrap_or_default().as_bytes());
            statements.get(&table.name.to_ascii_lowercase()).into_iter().flatten().for_each(|sql| add(sql.as_bytes()));
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

    /// The statements in SQLite's schema, sorted, by the table they concern in lower case.
    fn statements(&mut self) -> Result<BTreeMap<String, Vec<String>>> {
        let schema = quoted(self.name());
        let sql = format!("SELECT tbl_name, sql FROM {schema}.sqlite_schema WHERE sql IS NOT NULL ORDER BY 1, 2");
        let mut statements: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in self.connection.query(&sql, &[])?.collect()? {
            statements.entry(text(&row, 0).to_ascii_lowercase()).or_default().push(text(&row, 1));
        }
        Ok(statements)
    }
}
