//! Commands the session answers from its own state: SHOW WARNINGS, KILL, PREPARE, EXPLAIN, ...

use super::diagnostics::Level;
use super::execute::{Failure, Run};
use super::prepared::PreparedText;
use super::session::Session;
use crate::mysql::{self, ResultWriter, SqlError};
use crate::sql::{ColumnType, ResultColumn, ResultType, SessionCommand, SetValue};
use crate::types::Value;

/// A result column of that name and type.
pub(super) fn column(name: &str, ty: ColumnType) -> ResultColumn {
    ResultColumn { name: name.into(), ty: ResultType::Known(ty), nullable: true, origin: None }
}

impl Session {
    pub(super) async fn command(
        &mut self,
        run: Run<'_>,
        command: &SessionCommand,
        out: &mut ResultWriter<'_>,
    ) -> Result<(), Failure> {
        match command {
            SessionCommand::ShowWarnings { errors_only, count, offset, limit } => {
                self.show_warnings(*errors_only, *count, *offset, *limit, out).await?;
                return Ok(());
            }
            SessionCommand::ShowGrants { user } => return self.show_grants(user, out).await,
            SessionCommand::ShowCreateUser { user } => return self.show_create_user(user, out).await,
            SessionCommand::Explain(program, databases) => {
                let details = self.explain(run, program, databases)?;
                self.show_plan(&details, out).await?;
                return Ok(());
            }
            SessionCommand::Inspect { checksum: false, tables } => return Ok(self.check_tables(tables, out).await?),
            SessionCommand::Inspect { checksum: true, tables } => return Ok(self.checksum_tables(tables, out).await?),
            SessionCommand::Execute { name, using } => return self.execute_named(run, name, using, out).await,
            SessionCommand::ExecuteImmediate { text, using } => {
                let text = self.text_to_prepare(run, text).await?;
                let values = self.session_values(run, using).await?;
                let mut prepared = self.prepare_text(&text).await?;
                return self.execute_prepared(&mut prepared, &values, out).await;
            }
            SessionCommand::SetStatement { assignments, text } => {
                return self.set_for_statement(run, assignments, text, out).await;
            }
            SessionCommand::Kill { connection, query_only } => {
                self.permit_kill(*connection)?;
                if !self.server.registry.kill(*connection, !query_only) {
                    return Err(mysql::NO_SUCH_THREAD.with(&[connection]).into());
                }
                if *connection == self.state.connection_id {
                    return Err(SqlError::new(1317, "Query execution was interrupted").into());
                }
            }
            SessionCommand::Prepare { name, text } => {
                let text = self.text_to_prepare(run, text).await?;
                // MySQL forgets the old statement even if the new one is wrong.
                self.named.remove(&name.to_lowercase());
                let prepared = self.prepare_text(&text).await?;
                if prepared.is_indirect() {
                    return Err(mysql::UNSUPPORTED_PS.with(&[]).into());
                }
                self.named.insert(name.to_lowercase(), prepared);
            }
            SessionCommand::Deallocate { name } => {
                if self.named.remove(&name.to_lowercase()).is_none() {
                    return Err(unknown_statement(name, "DEALLOCATE PREPARE").into());
                }
            }
            SessionCommand::Do(read) => self.run_quietly(run, read).await?,
            SessionCommand::Signal(signal) => self.signal(run, signal).await?,
            SessionCommand::GetDiagnostics(get) => self.get_diagnostics(run, get).await?,
        }
        self.take_warnings();
        self.state.row_count = 0;
        out.ok(self.done(0, 0, String::new()))?;
        Ok(())
    }

    /// ALTER INSTANCE RELOAD TLS. Nothing changes if anything is wrong: that is an error, or with `lenient` a warning.
    pub(super) fn reload_tls(&mut self, lenient: bool) -> Result<(), SqlError> {
        let Some(doors) = self.server.doors() else { return Ok(()) };
        match doors.reload_tls() {
            Ok(()) => Ok(()),
            Err(why) => {
                tracing::warn!("certificates were not read anew: {why}");
                let error = mysql::DA_SSL_LIBRARY_ERROR.with(&[&why]);
                if !lenient {
                    return Err(error);
                }
                self.state.diagnostics.warning(error.code, error.message);
                Ok(())
            }
        }
    }

    async fn show_warnings(
        &mut self,
        errors_only: bool,
        count: bool,
        offset: u64,
        limit: Option<u64>,
        out: &mut ResultWriter<'_>,
    ) -> Result<(), SqlError> {
        let diagnostics = &self.state.diagnostics;
        if count {
            let (name, n) = match errors_only {
                true => ("@@session.error_count", diagnostics.error_count()),
                false => ("@@session.warning_count", diagnostics.warning_count()),
            };
            let rows = [vec![Value::Int(i64::try_from(n).unwrap_or(i64::MAX))]];
            return self.literal_rows(&[column(name, ColumnType::bigint_unsigned())], &rows, out).await;
        }
        let columns = [
            column("Level", ColumnType::varchar(7)),
            column("Code", ColumnType::int()),
            column("Message", ColumnType::varchar(512)),
        ];
        let usize_of = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let listed = diagnostics.list().iter().filter(|c| !errors_only || c.level == Level::Error);
        let rows: Vec<Vec<Value>> = listed
            .skip(usize_of(offset))
            .take(limit.map_or(usize::MAX, usize_of))
            .map(|c| vec![Value::text(c.level.name()), Value::Int(i64::from(c.code)), Value::text(&*c.message)])
            .collect();
        self.literal_rows(&columns, &rows, out).await
    }

    /// SQLite's query plan in the columns of MySQL's EXPLAIN.
    async fn show_plan(&mut self, details: &[String], out: &mut ResultWriter<'_>) -> Result<(), SqlError> {
        let text = || ColumnType::varchar(255);
        let columns = [
            column("id", ColumnType::bigint_unsigned()),
            column("select_type", text()),
            column("table", text()),
            column("partitions", text()),
            column("type", text()),
            column("possible_keys", text()),
            column("key", text()),
            column("key_len", text()),
            column("ref", text()),
            column("rows", ColumnType::bigint_unsigned()),
            column("filtered", ColumnType::double()),
            column("Extra", text()),
        ];
        let row = |detail: &String| {
            let words: Vec<&str> = detail.split(' ').collect();
            let known = |t: Option<&str>| t.map_or(Value::Null, Value::text);
            let table = matches!(words.first(), Some(&("SCAN" | "SEARCH"))).then(|| words.get(1).copied()).flatten();
            let access = match words.first() {
                Some(&"SCAN") => Some("ALL"),
                Some(&"SEARCH") => Some("ref"),
                _ => None,
            };
            let index = words.iter().position(|w| *w == "INDEX").and_then(|at| words.get(at + 1).copied());
            let primary = (index.is_none() && detail.contains("PRIMARY KEY")).then_some("PRIMARY");
            let key = known(index.or(primary));
            vec![
                Value::Int(1),
                Value::text("SIMPLE"),
                known(table),
                Value::Null,
                known(access),
                key.clone(),
                key,
                Value::Null,
                Value::Null,
                Value::Null,
                Value::Null,
                Value::text(detail.as_str()),
            ]
        };
        let rows: Vec<Vec<Value>> = details.iter().map(row).collect();
        self.literal_rows(&columns, &rows, out).await
    }

    /// The values after USING, or the text after FROM and IMMEDIATE.
    async fn session_values(&mut self, run: Run<'_>, values: &[SetValue]) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::with_capacity(values.len());
        for value in values {
            all.push(match value {
                SetValue::Default => Value::Null,
                SetValue::Constant(value) => value.clone(),
                SetValue::Query(read) => self.scalar(run, read).await?,
            });
        }
        Ok(all)
    }

    async fn text_to_prepare(&mut self, run: Run<'_>, text: &SetValue) -> Result<String, Failure> {
        let value = self.session_values(run, std::slice::from_ref(text)).await?.pop().unwrap_or_default();
        Ok(match value {
            Value::Text(text) => text.to_string(),
            Value::Blob(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            other => other.to_string(),
        })
    }

    /// `EXECUTE name USING a, b`.
    async fn execute_named(
        &mut self,
        run: Run<'_>,
        name: &str,
        using: &[SetValue],
        out: &mut ResultWriter<'_>,
    ) -> Result<(), Failure> {
        let key = name.to_lowercase();
        let mut prepared = self.named.get(&key).cloned().ok_or_else(|| unknown_statement(name, "EXECUTE"))?;
        let values = self.session_values(run, using).await?;
        self.given_out.clear();
        self.execute_prepared(&mut prepared, &values, out).await?;
        for (marker, value) in std::mem::take(&mut self.given_out) {
            if let Some(name) = using.get(marker).and_then(SetValue::user_variable) {
                self.state.user_variables.insert(name.to_string(), value);
            }
        }
        if let Some(kept) = self.named.get_mut(&key) {
            *kept = prepared;
        }
        Ok(())
    }

    pub(super) async fn execute_prepared(
        &mut self,
        prepared: &mut PreparedText,
        values: &[Value],
        out: &mut ResultWriter<'_>,
    ) -> Result<(), Failure> {
        if prepared.is_indirect() {
            return Err(mysql::UNSUPPORTED_PS.with(&[]).into());
        }
        // The future would contain itself.
        Ok(Box::pin(self.run_prepared(prepared, values, out)).await?)
    }
}

fn unknown_statement(name: &str, by: &str) -> SqlError {
    SqlError::new(1243, format!("Unknown prepared statement handler ({name}) given to {by}"))
}
