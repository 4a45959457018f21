//! CHECK TABLE and CHECKSUM TABLE (MySQL manual, "Table Maintenance Statements"): tables of this node's files, read to the
//! end.
//!
//! A checksum is of the rows in key order and the identities of the columns, so that nodes with equal tables answer with
//! equal numbers. They are not MySQL's numbers.

use super::command::column;
use super::session::{Session, plain};
use crate::mysql::{ResultWriter, SqlError};
use crate::sql::{ColumnType, Inspected, InspectedKind};
use crate::types::Value;

impl Session {
    pub(super) async fn check_tables(
        &mut self,
        tables: &[Inspected],
        out: &mut ResultWriter<'_>,
    ) -> Result<(), SqlError> {
        let mut rows = Vec::new();
        for Inspected { shown, found } in tables {
            let mut row = |kind: &str, text: &str| {
                rows.push([shown.as_str(), "check", kind, text].map(Value::text).to_vec());
            };
            match found {
                InspectedKind::Table { database, table } => {
                    match self.server.data.check_table(database, table).map_err(plain)? {
                        None => row("status", "OK"),
                        Some(what) => {
                            row("error", &what);
                            row("error", "Corrupt");
                        }
                    }
                }
                InspectedKind::Other => row("status", "OK"),
                InspectedKind::Missing(why) => {
                    row("Error", why);
                    row("status", "Operation failed");
                }
            }
        }
        let text = |name| column(name, ColumnType::varchar(255));
        let columns = [text("Table"), text("Op"), text("Msg_type"), column("Msg_text", ColumnType::varchar(4096))];
        self.literal_rows(&columns, &rows, out).await
    }

    pub(super) async fn checksum_tables(
        &mut self,
        tables: &[Inspected],
        out: &mut ResultWriter<'_>,
    ) -> Result<(), SqlError> {
        let mut rows = Vec::new();
        for Inspected { shown, found } in tables {
            let sum = match found {
                InspectedKind::Table { database, table } => {
                    let mut content = self.server.data.open_rows(database).map_err(plain)?;
                    self.add_interrupt(content.interrupt());
                    let id = content.tables().into_iter().find(|(_, name)| name == table).map(|(id, _)| id);
                    let digest = id.map(|id| content.digest(id)).transpose().map_err(plain)?;
                    digest.map_or(Value::Null, |digest| Value::Int(digest.checksum()))
                }
                InspectedKind::Other => Value::Null,
                InspectedKind::Missing(why) => {
                    self.state.diagnostics.warning(1146, why.clone());
                    Value::Null
                }
            };
            rows.push(vec![Value::text(shown.as_str()), sum]);
        }
        let columns = [column("Table", ColumnType::varchar(255)), column("Checksum", ColumnType::bigint())];
        self.literal_rows(&columns, &rows, out).await
    }
}
