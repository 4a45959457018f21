//! SELECT ... INTO OUTFILE and INTO DUMPFILE (manual, "SELECT ... INTO Statement").

use super::execute::{Failure, Run};
use super::files::{Files, MOST_BYTES};
use super::metadata;
use super::read::{Bound, present_row, stored_cell};
use super::session::Session;
use super::variables::Which;
use crate::mysql::{self, Cell, ResultWriter, SqlError, text_bytes};
use crate::sql::{ColumnType, IntoFile, Read, ResultColumn, ResultType, encode};
use crate::types::Value;

impl Session {
    /// What `secure_file_priv` leaves to statements.
    pub(super) fn files(&self) -> Files {
        match self.state.system(Which::Global, "secure_file_priv") {
            Ok(Value::Text(directory)) => Files::below(&directory),
            _ => Files::default(),
        }
    }

    /// Writes the rows of a query to a new file, whole or not at all.
    ///
    /// # Errors
    /// 1290, 1086 and others of [`Files::create`]; 1172 for more than one row INTO DUMPFILE; 1041 for more than 256 MB.
    pub(super) async fn read_into_file(
        &mut self,
        run: Run<'_>,
        read: &Read,
        into: &IntoFile,
        out: &mut ResultWriter<'_>,
    ) -> Result<(), Failure> {
        let mut file = self.files().create(&into.name)?;
        let encoding = into.format.encoding().map_err(SqlError::from)?;
        let bound = Bound { rows: usize::MAX, bytes: usize::try_from(MOST_BYTES).unwrap_or(usize::MAX) };
        let rows = self.stored_rows(run, read, bound).await?;
        if into.dump && rows.len() > 1 {
            return Err(mysql::TOO_MANY_ROWS.with(&[]).into());
        }
        let charset = self.state.settings.charset;
        let first = |i: usize| rows.first().and_then(|row| row.get(i)).map(stored_cell);
        let described = |(i, column): (usize, &ResultColumn)| metadata::describe(column, first(i), charset);
        let columns: Vec<_> = read.columns.iter().enumerate().map(described).collect();
        let count = rows.len() as u64;
        let mut line = Vec::new();
        for mut row in rows {
            present_row(&read.columns, &mut row)?;
            let cells = row.iter().zip(&columns).map(|(cell, column)| match (cell, encoding) {
                (Value::Text(text), Some(encoding)) => Some(encode(encoding, text)),
                (cell, _) => text_bytes(column, Cell::from(cell)),
            });
            let is_text = row.iter().zip(&read.columns).map(|(cell, column)| is_text(cell, column));
            line.clear();
            match into.dump {
                true => line.extend(cells.flatten().flatten()),
                false => into.format.write_line(cells.zip(is_text), &mut line),
            }
            file.write(&line)?;
        }
        file.finish();
        if count == 0 {
            self.state.diagnostics.warning(1329, "No data - zero rows fetched, selected, or processed");
        }
        self.take_warnings();
        self.state.row_count = i64::try_from(count).unwrap_or(i64::MAX);
        self.state.found_rows = count;
        out.ok(self.done(count, 0, String::new()))?;
        Ok(())
    }
}

/// Whether a field is enclosed where only texts are.
fn is_text(cell: &Value, column: &ResultColumn) -> bool {
    match &column.ty {
        ResultType::Known(ty) => !ty.is_numeric() && *ty != ColumnType::Year,
        ResultType::Dynamic | ResultType::Null => matches!(cell, Value::Text(_) | Value::Blob(_)),
    }
}
