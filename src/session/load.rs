//! LOAD DATA: the rows of a file are inserted by one statement. LOCAL asks the client for it, which sends it; else it is one
//! of the server's (see `files`).

use super::execute::{Failure, Run};
use super::files::MOST_BYTES;
use super::session::Session;
use crate::mysql::{ResultWriter, SqlError};
use crate::sql::{Load, encode_rows};
use crate::types::Value;
use std::sync::Arc;

/// A statement that needs a file of the client.
#[derive(Default)]
pub(super) struct Loading {
    /// The client was asked.
    asked: bool,
    /// The text from that statement on.
    text: Option<String>,
    file: Option<Arc<[u8]>>,
    /// How many rows the file has, while they are inserted.
    pub records: Option<u64>,
}

impl Loading {
    /// Whether the statement that just ran waits for its file; `rest` is the text from it on.
    pub fn waits(&mut self, rest: &str) -> bool {
        if std::mem::take(&mut self.asked) {
            self.text = Some(rest.to_string());
            return true;
        }
        false
    }
}

impl Session {
    pub(super) async fn load(&mut self, run: Run<'_>, load: &Load, out: &mut ResultWriter<'_>) -> Result<(), Failure> {
        if !load.local {
            let file = self.files().read(&load.file, MOST_BYTES)?;
            let outcome = self.insert_file(run, load, &file, out).await;
            self.loading.records = None;
            return outcome;
        }
        let on = self.state.system(super::Which::Global, "local_infile").is_ok_and(|v| v != Value::Int(0));
        if !on || !self.state.local_files {
            let text = "Loading local data is disabled; this must be enabled on both the client and server sides";
            return Err(SqlError::new(3948, text).into());
        }
        let Some(file) = self.loading.file.clone() else {
            out.request_file(&load.file)?;
            self.loading.asked = true;
            return Ok(());
        };
        let outcome = self.insert_file(run, load, &file, out).await;
        self.loading.records = None;
        if !matches!(outcome, Err(Failure::Stale)) {
            self.loading.file = None;
        }
        outcome
    }

    async fn insert_file(
        &mut self,
        run: Run<'_>,
        load: &Load,
        file: &[u8],
        out: &mut ResultWriter<'_>,
    ) -> Result<(), Failure> {
        let found = load.format.rows(file, load.fields, load.strict).map_err(SqlError::from)?;
        self.push_warnings(&found.warnings);
        self.loading.records = Some(found.rows.len() as u64);
        let cell = [encode_rows(&found.rows).map_err(SqlError::from)?];
        self.write(Run { client: &cell, ..run }, &load.write, out).await
    }

    /// Goes on with a text whose statement asked for a file.
    pub(super) async fn go_on_with_file(
        &mut self,
        content: Result<Vec<u8>, SqlError>,
        out: &mut ResultWriter<'_>,
    ) -> Result<(), SqlError> {
        let text = self.loading.text.take().ok_or_else(|| SqlError::internal("a file that nobody asked for"))?;
        let bytes = content.inspect_err(|e| self.note_failure(e))?;
        self.loading.file = Some(bytes.into());
        let outcome = self.run_text(&text, out).await;
        self.loading.file = None;
        outcome
    }
}
