//! Stored programs.

mod conditions;
mod definitions;
mod functions;
mod procedures;
mod triggers;

use super::{Client, Recorded};

impl Client {
    /// The results of a text: rows between `|`, `ok n` for one without rows, `error n`.
    pub async fn told(&mut self, sql: &str) -> Vec<String> {
        let line = |result: &Recorded| match result {
            Recorded::Ok(done) => format!("ok {}", done.affected_rows),
            Recorded::Error(error) => format!("error {}", error.code),
            Recorded::Rows { rows, .. } => {
                let cell = |c: &Option<String>| c.clone().unwrap_or_else(|| "NULL".into());
                let row = |r: &Vec<Option<String>>| r.iter().map(cell).collect::<Vec<_>>().join(" ");
                rows.iter().map(row).collect::<Vec<_>>().join("|")
            }
        };
        self.results(sql).await.iter().map(line).collect()
    }
}
