//! One client's session: what stands behind one connection.

use super::accounts::Security;
use super::core_handle::CoreHandle;
use super::counters::Class;
use super::functions::SharedContext;
use super::lease::Lease;
use super::load::Loading;
use super::nap::Naps;
use super::prepared::PreparedText;
use super::program::Running;
use super::registry::{Connection, Stop};
use super::retry::Retry;
use super::schema::Schema;
use super::server::Server;
use super::state::State;
use super::temporary::Temporary;
use super::tracking::Tracking;
use super::transaction::{Once, Open};
use super::{constraint, metadata, system};
use crate::mysql::{
    self, Column, Completion, Encryption, Handler, Login, Parameter, Prepared, ResultWriter, SessionChange, SqlError,
    StatementId, StatusFlags,
};
use crate::sql::{LoadFile, Need, Needs, Privileges, Subject};
use crate::sqlite::{Interrupt, Reader, Workspace};
use crate::types::{ClientId, DatabaseName, Mono, Span, TxnId, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One client's session. Made by [`Server::session`], driven by the client loop through [`Handler`].
///
/// **Invariants**: a workspace is in a transaction only between statements of an open transaction that is pinned, or
/// within one statement; an open transaction that is pinned holds a registered snapshot.
pub struct Session {
    pub(super) server: Arc<Server>,
    pub(super) core: CoreHandle,
    pub(super) state: State,
    pub(super) context: SharedContext,
    pub(super) reader: Option<Reader>,
    pub(super) workspace: Option<Workspace>,
    /// Whether the workspace checks foreign keys.
    pub(super) workspace_checks: bool,
    pub(super) open: Option<Open>,
    /// The attempts of the running statement, while it is planned again: it keeps its precedence, and waits no longer for it.
    pub(super) retry: Option<Retry>,
    /// The transaction that the running statement committed, or the last one did.
    pub(super) committed: Option<TxnId>,
    /// The class of the statement that runs, and since when.
    pub(super) statement: (Class, Mono),
    pub(super) once: Once,
    pub(super) prepared: BTreeMap<StatementId, PreparedText>,
    pub(super) named: BTreeMap<String, PreparedText>,
    pub(super) connection: Option<Arc<Connection>>,
    pub(super) temporary: Temporary,
    /// Ids of BIGINT columns and hidden row ids, leased for this session.
    pub(super) big_ids: Lease,
    pub(super) tracking: Tracking,
    pub(super) security: Security,
    /// What encrypts the client's link.
    pub(super) encryption: Option<Encryption>,
    pub(super) loading: Loading,
    /// The stored programs that run, innermost last.
    pub(super) running: Running,
    /// What the last CALL gave for parameters that were `?` markers, by marker.
    pub(super) given_out: Vec<(usize, Value)>,
    interrupts: Arc<Mutex<Vec<Interrupt>>>,
}

impl Session {
    pub(super) fn new(server: Arc<Server>, client: ClientId) -> Session {
        let session = Session {
            core: server.core.for_client(client),
            state: State::new(server.globals.clone()),
            context: SharedContext::default(),
            reader: None,
            workspace: None,
            workspace_checks: true,
            open: None,
            retry: None,
            committed: None,
            statement: (Class::Other, Mono(0)),
            once: Once::default(),
            prepared: BTreeMap::new(),
            named: BTreeMap::new(),
            connection: None,
            temporary: Temporary::default(),
            big_ids: Lease::default(),
            tracking: Tracking::default(),
            security: Security::default(),
            encryption: None,
            loading: Loading::default(),
            running: Running::default(),
            given_out: Vec::new(),
            interrupts: Arc::default(),
            server,
        };
        let files = session.files();
        let load_file = move |name: &str, most: usize| files.read(name, most as u64).ok();
        session.context.lock().load_file.replace(Some(LoadFile(Arc::new(load_file))));
        session
    }

    /// Whether a workspace was ever needed: a session that only reads has none.
    pub fn has_workspace(&self) -> bool {
        self.workspace.is_some()
    }

    /// The reading connection, opened when first needed.
    pub(super) fn reader(&mut self) -> Result<&mut Reader, SqlError> {
        if self.reader.is_none() {
            let reader = self.server.data.open_reader(&self.context.functions()).map_err(plain)?;
            self.add_interrupt(reader.interrupt());
            self.reader = Some(reader);
        }
        self.reader.as_mut().ok_or_else(|| SqlError::internal("no reading connection"))
    }

    /// Closes the reading connection; the next query opens another.
    pub(super) fn forget_reader(&mut self) {
        self.reader = None;
    }

    /// The writing connection, opened when first needed.
    pub(super) fn workspace(&mut self) -> Result<&mut Workspace, SqlError> {
        if self.workspace.is_none() {
            let workspace = self.server.data.open_workspace(&self.context.functions()).map_err(plain)?;
            self.add_interrupt(workspace.interrupt());
            self.workspace = Some(workspace);
            self.workspace_checks = true;
        }
        self.workspace.as_mut().ok_or_else(|| SqlError::internal("no writing connection"))
    }

    pub(super) fn add_interrupt(&self, interrupt: Interrupt) {
        self.interrupts.lock().unwrap_or_else(PoisonError::into_inner).push(interrupt);
    }

    /// The catalog that statements of this session are translated against: that of the open transaction's snapshot.
    pub(super) fn schema(&self) -> Result<Arc<Schema>, SqlError> {
        let of_statement = self.running.schema();
        match of_statement.or_else(|| self.open.as_ref().and_then(Open::schema)) {
            Some(schema) => Ok(schema.clone()),
            None => self.server.schema(),
        }
    }

    /// What ends a result without rows.
    pub(super) fn done(&mut self, affected_rows: u64, last_insert_id: u64, info: String) -> Completion {
        let changes = self.changes();
        Completion { affected_rows, last_insert_id, info, changes, ..self.end_of_rows() }
    }

    /// What ends a row set.
    pub(super) fn end_of_rows(&self) -> Completion {
        let warnings = self.state.diagnostics.count();
        Completion { warnings, status: self.status(), ..Completion::default() }
    }

    /// The error of a statement that was stopped, if it was.
    pub(super) fn stopped(&self) -> Option<SqlError> {
        self.connection.as_ref().and_then(|c| c.take_stop()).map(stop_error)
    }

    /// An error of SQLite: the reason why it was interrupted takes its place.
    pub(super) fn sqlite_error(&self, error: crate::sqlite::Error) -> SqlError {
        match error {
            crate::sqlite::Error::Interrupted { .. } => self.stopped().unwrap_or_else(|| stop_error(Stop::Killed)),
            error => plain(error),
        }
    }

    /// Makes `name` the current database.
    pub(super) async fn use_database(&mut self, name: &str) -> Result<(), SqlError> {
        self.permit_database(name)?;
        let mut schema = self.schema()?;
        let mut found = find_database(&schema, name);
        if found.is_none() && self.may_be_behind() {
            self.barrier().await?;
            schema = self.schema()?;
            found = find_database(&schema, name);
        }
        let found = found.ok_or_else(|| mysql::BAD_DB_ERROR.with(&[&name]))?;
        let collation = schema.catalog.database(&found).map(|d| d.collation.clone()).unwrap_or_default();
        self.state.variables.put("character_set_database", Value::text(collation.charset()));
        self.state.variables.put("collation_database", Value::text(collation.name()));
        self.state.database = Some(found);
        self.tell_database();
        Ok(())
    }

    pub(super) fn tell_database(&self) {
        if let Some(connection) = &self.connection {
            let database: Option<DatabaseName> = self.state.database.clone();
            connection.set_activity(|a| a.database = database);
        }
    }

    async fn log_in(&mut self, login: &Login) -> Result<(), SqlError> {
        self.state.user = login.user.clone();
        self.state.host = login.host.clone();
        self.identify(&login.identity);
        self.state.connection_id = u64::from(login.connection);
        self.state.found_rows_wanted = login.found_rows();
        self.state.multi_statements = login.multi_statements();
        self.state.multi_results = login.multi_results();
        self.state.interactive = login.interactive();
        self.state.local_files = login.local_files();
        self.encryption = login.tls.clone();
        self.state.database = None;
        self.start_interactive();
        self.handshake_collation(login.collation);
        if login.ignore_space() {
            let modes = format!("{},IGNORE_SPACE", self.state.settings.modes);
            self.state.variables.set("sql_mode", super::Which::Session, Some(&Value::text(modes)))?;
        }
        self.state.refresh();
        if let Some(connection) = &self.connection {
            let user = login.user.clone();
            connection.set_activity(|a| a.user = user);
        }
        match &login.database {
            Some(name) => self.use_database(name).await?,
            None => self.tell_database(),
        }
        self.tracking.start(login.session_track(), &self.state);
        Ok(())
    }

    /// The `wait_timeout` of somebody who types is the `interactive_timeout` at first, as in MySQL.
    fn start_interactive(&mut self) {
        if self.state.interactive {
            let patience = self.state.variables.own("interactive_timeout").clone();
            self.state.variables.put("wait_timeout", patience);
        }
    }

    /// A client that greets with a character set Marmot does not speak gets utf8mb4, and sees so in its variables.
    fn handshake_collation(&mut self, id: u16) {
        let spoken = super::variables::charset::collation_by_id(id)
            .filter(|c| super::variables::charset::charset(c.charset).is_some_and(|s| s.spoken));
        let Some(collation) = spoken else { return };
        for name in ["character_set_client", "character_set_connection", "character_set_results"] {
            self.state.variables.put(name, Value::text(collation.charset));
        }
        self.state.variables.put("collation_connection", Value::text(collation.name));
    }

    fn close_prepared(&mut self) {
        self.server.counters().closed(self.prepared.len());
        self.prepared.clear();
    }

    fn forget_everything(&mut self) {
        self.roll_back();
        self.state.reset();
        self.start_interactive();
        self.once = Once::default();
        self.close_prepared();
        self.named.clear();
        self.drop_temporary();
    }
}

/// A database by its name; the names of system databases know no case.
fn find_database(schema: &Schema, name: &str) -> Option<DatabaseName> {
    let system = || schema.catalog.databases().find(|d| d.system && d.name.eq_ignore_ascii_case(name));
    schema.catalog.database(name).or_else(system).map(|d| d.name.clone())
}

/// Errors that concern no table.
pub(super) fn plain(error: crate::sqlite::Error) -> SqlError {
    constraint::to_sql(error, None, None)
}

pub(super) fn stop_error(stop: Stop) -> SqlError {
    match stop {
        Stop::Killed => SqlError::new(1317, "Query execution was interrupted"),
        Stop::StatementTooLong => mysql::QUERY_TIMEOUT.with(&[]),
        Stop::TransactionTooOld => too_old(),
    }
}

fn too_old() -> SqlError {
    let text = "The client was disconnected by the server because its transaction was open for too long. \
                See marmot_transaction_max_age for configuring this behavior";
    mysql::CLIENT_INTERACTION_TIMEOUT.message(text)
}

impl Handler for Session {
    async fn connected(&mut self, login: &Login) -> Result<(), SqlError> {
        let now = self.server.clock.now().mono;
        let connection = self.server.registry.connect(u64::from(login.connection), login.host.clone(), now);
        connection.set_client(self.core.client());
        let interrupts = self.interrupts.clone();
        connection.set_interrupt(move || {
            interrupts.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(Interrupt::interrupt);
        });
        self.connection = Some(connection);
        self.log_in(login).await?;
        self.refresh_rights()
    }

    fn may_administer(&self) -> bool {
        self.has_super()
    }

    fn status(&self) -> StatusFlags {
        let mut flags = StatusFlags::empty();
        flags.set(StatusFlags::SERVER_STATUS_AUTOCOMMIT, self.state.settings.autocommit);
        flags.set(StatusFlags::SERVER_STATUS_NO_BACKSLASH_ESCAPES, self.state.settings.modes.no_backslash_escapes());
        if let Some(open) = &self.open {
            flags |= StatusFlags::SERVER_STATUS_IN_TRANS;
            flags.set(StatusFlags::SERVER_STATUS_IN_TRANS_READONLY, open.read_only);
        }
        flags
    }

    fn take_changes(&mut self) -> Vec<SessionChange> {
        self.changes()
    }

    async fn query(&mut self, sql: &[u8], out: &mut ResultWriter<'_>) -> Result<(), SqlError> {
        out.set_encoding(self.state.settings.encode());
        let text = self.incoming(sql)?;
        self.run_text(&text, out).await
    }

    async fn file(&mut self, content: Result<Vec<u8>, SqlError>, out: &mut ResultWriter<'_>) -> Result<(), SqlError> {
        out.set_encoding(self.state.settings.encode());
        self.go_on_with_file(content, out).await
    }

    async fn prepare(&mut self, id: StatementId, sql: &[u8]) -> Result<Prepared, SqlError> {
        let text = self.incoming(sql)?;
        let prepared = self.prepare_text(&text).await?;
        if prepared.reads_a_file() {
            return Err(mysql::UNSUPPORTED_PS.with(&[]));
        }
        let parameters = u16::try_from(prepared.markers())
            .map_err(|_| SqlError::new(1390, "Prepared statement contains too many placeholders"))?;
        let columns = prepared.columns(self.state.settings.charset);
        self.prepared.insert(id, prepared);
        self.server.counters().prepared();
        Ok(Prepared { parameters, columns, warnings: self.state.diagnostics.count() })
    }

    async fn execute(
        &mut self,
        id: StatementId,
        parameters: &[Parameter],
        out: &mut ResultWriter<'_>,
    ) -> Result<(), SqlError> {
        let unknown = || SqlError::new(1243, format!("Unknown prepared statement handler ({}) given to EXECUTE", id.0));
        let mut prepared = self.prepared.remove(&id).ok_or_else(unknown)?;
        out.set_encoding(self.state.settings.encode());
        let values = parameters.iter().map(|p| self.parameter(p)).collect::<Result<Vec<Value>, SqlError>>();
        let values = match values {
            Ok(values) => values,
            Err(error) => {
                self.prepared.insert(id, prepared);
                return Err(error);
            }
        };
        self.server.counters().executed();
        let outcome = self.run_prepared(&mut prepared, &values, out).await;
        self.prepared.insert(id, prepared);
        outcome
    }

    fn close(&mut self, id: StatementId) {
        self.server.counters().closed(usize::from(self.prepared.remove(&id).is_some()));
    }

    async fn init_db(&mut self, name: &str) -> Result<(), SqlError> {
        self.use_database(name).await
    }

    async fn reset_connection(&mut self) -> Result<(), SqlError> {
        self.forget_everything();
        Ok(())
    }

    async fn change_user(&mut self, login: &Login) -> Result<(), SqlError> {
        self.forget_everything();
        self.log_in(login).await
    }

    async fn field_list(&mut self, table: &str, wildcard: &str) -> Result<Vec<Column>, SqlError> {
        let Some(database) = self.state.database.clone() else { return Err(mysql::NO_DB_ERROR.with(&[])) };
        let subject = Subject::Table(database.clone(), table.to_string());
        let mut needs = Needs::default();
        needs.add(None, Need::any(subject, Privileges::OF_TABLE));
        self.permit(&needs)?;
        let schema = self.schema()?;
        let found = schema.catalog.database(&database).and_then(|d| d.table_ignoring_case(table).cloned());
        let missing = || SqlError::new(1146, format!("Table '{database}.{table}' doesn't exist"));
        let found = found.ok_or_else(missing)?;
        let listed = found.shown_columns().filter(|c| wildcard.is_empty() || like(&c.name, wildcard));
        Ok(listed.map(|c| metadata::stored(&database, &found, c, self.state.settings.charset)).collect())
    }

    fn statistics(&mut self) -> String {
        let uptime = self.server.clock.now().mono.since(self.server.started).as_millis() / 1000;
        let questions = self.server.counters().statements();
        let threads = self.server.registry.list().len();
        format!("Uptime: {uptime}  Threads: {threads}  Questions: {questions}")
    }

    fn set_multi_statements(&mut self, on: bool) {
        self.state.multi_statements = on;
    }

    fn wait_timeout(&self) -> Duration {
        self.seconds("wait_timeout")
    }

    fn read_timeout(&self) -> Duration {
        self.seconds("net_read_timeout")
    }

    fn write_timeout(&self) -> Duration {
        self.seconds("net_write_timeout")
    }

    fn max_allowed_packet(&self) -> usize {
        match self.state.variables.get("max_allowed_packet", super::Which::Global) {
            Ok(Value::Int(n)) => usize::try_from(n).unwrap_or(64 << 20),
            _ => 64 << 20,
        }
    }

    fn killed(&self) -> impl Future<Output = SqlError> + Send + 'static {
        let connection = self.connection.clone();
        async move {
            let Some(connection) = connection else { return std::future::pending().await };
            connection.killed().await;
            if connection.is_transaction_late() {
                return too_old();
            }
            SqlError::new(1927, "Connection was killed")
        }
    }

    async fn disconnected(&mut self) {
        self.roll_back();
        self.close_prepared();
        self.core.gone();
        if let Some(connection) = self.connection.take() {
            self.server.registry.disconnect(connection.id);
        }
    }
}

impl Session {
    fn seconds(&self, name: &'static str) -> Duration {
        match self.state.variables.own(name) {
            Value::Int(n) => Duration::from_secs(u64::try_from(*n).unwrap_or(0)),
            _ => Duration::from_secs(28_800),
        }
    }

    fn incoming<'t>(&self, sql: &'t [u8]) -> Result<Cow<'t, str>, SqlError> {
        super::incoming::text(sql, self.state.settings.client, !self.state.settings.modes.no_backslash_escapes())
    }

    /// A parameter's value: text in the client's character set.
    fn parameter(&self, parameter: &Parameter) -> Result<Value, SqlError> {
        use mysql::ColumnType::*;
        let of_text = matches!(
            parameter.ty,
            MYSQL_TYPE_VARCHAR | MYSQL_TYPE_VAR_STRING | MYSQL_TYPE_STRING | MYSQL_TYPE_ENUM | MYSQL_TYPE_SET
        );
        let bytes = match (&parameter.value, self.state.settings.client.filter(|_| of_text)) {
            (Value::Text(text), Some(encoding)) if !text.is_ascii() => (text.as_bytes(), encoding),
            (Value::Blob(bytes), Some(encoding)) => (&bytes[..], encoding),
            (value, _) => return Ok(value.clone()),
        };
        super::incoming::decoded(bytes.0, bytes.1).map(Value::text)
    }

    /// The deadline of `max_execution_time`, or of the optimizer hint of that name, set while a SELECT runs.
    pub(super) fn limit_statement(&self, text: &str) {
        let limit = crate::sql::execution_time_hint(text).map_or(self.state.settings.max_execution, Span::from_millis);
        if let Some(connection) = &self.connection {
            let deadline = (limit != Span::ZERO).then(|| self.server.clock.now().mono.after(limit));
            connection.set_statement_deadline(deadline);
        }
    }

    /// Takes the deadline away.
    pub(super) fn unlimit_statement(&self) {
        if let Some(connection) = &self.connection {
            connection.set_statement_deadline(None);
        }
    }

    /// Who pays for the statement's SLEEP(), if it has any.
    pub(super) fn naps(&self, program: &str) -> Option<Naps> {
        Naps::are_in(program).then(|| Naps {
            context: self.context.clone(),
            clock: self.server.clock.clone(),
            connection: self.connection.clone(),
        })
    }

    /// Whether a table of this database is filled by the session.
    pub(super) fn is_system(database: &str) -> bool {
        system::is_system(database)
    }
}

/// A LIKE pattern with `%`, `_` and `\`, ignoring ASCII case.
fn like(name: &str, pattern: &str) -> bool {
    fn matches(name: &[char], pattern: &[char]) -> bool {
        match pattern {
            [] => name.is_empty(),
            ['%', rest @ ..] => (0..=name.len()).any(|skip| matches(&name[skip..], rest)),
            ['_', rest @ ..] => !name.is_empty() && matches(&name[1..], rest),
            ['\\', c, rest @ ..] | [c, rest @ ..] => {
                name.first().is_some_and(|n| n.eq_ignore_ascii_case(c)) && matches(&name[1..], rest)
            }
        }
    }
    let name: Vec<char> = name.chars().collect();
    // Longer than any name with every character escaped: matches nothing, and costs nothing.
    let pattern: Vec<char> = pattern.chars().take(256).collect();
    let collapsed: Vec<char> = pattern
        .iter()
        .enumerate()
        .filter(|(i, c)| **c != '%' || *i == 0 || pattern[i - 1] != '%')
        .map(|(_, c)| *c)
        .collect();
    matches(&name, &collapsed)
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn wildcards_of_field_list() {
        assert!(like("user_id", "user\\_%") && like("Name", "n_m%") && like("x", "%%%"));
        assert!(!like("userid", "user\\_%") && !like("name", "nam"));
    }
}
