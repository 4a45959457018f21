//! Queries and their rows.

use super::execute::{Failure, Run};
use super::metadata;
use super::nap::Naps;
use super::refusal;
use super::schema::Schema;
use super::session::{Session, plain};
use super::system::{self, Facts, SystemTable};
use crate::core::{Request, Response};
use crate::mysql::{self, Cell, ResultWriter, SqlError};
use crate::sql::{Locking, Program, Read, ResultColumn, ResultType, VariableTarget};
use crate::sqlite::{self, Reader, RowRef, Rows};
use crate::types::{DatabaseName, Key, KeyAccess, Mode, Value};

/// At most this many entries of the conflict log are shown at once.
const CONFLICTS_SHOWN: usize = 10_000;

/// How much of a query's rows is taken.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    pub rows: usize,
    /// More are an error.
    pub bytes: usize,
}

/// Where a query runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Reader,
    Workspace,
}

impl Session {
    /// A SELECT.
    pub(super) async fn read(&mut self, run: Run<'_>, read: &Read, out: &mut ResultWriter<'_>) -> Result<(), Failure> {
        if !read.into.is_empty() {
            return self.read_into(run, read, out).await;
        }
        if let Some(file) = &read.file {
            return self.read_into_file(run, read, file, out).await;
        }
        if self.running.is_within() && !self.state.multi_results {
            return Err(mysql::SP_BADSELECT.with(&[&self.running.name()]).into());
        }
        let parameters = self.bind(run, &read.program)?;
        let place = self.place(run, read).await?;
        if let Some(locking) = read.locking.as_ref().filter(|_| place == Place::Workspace) {
            self.lock_rows(run, locking)?;
        }
        let (status, charset) = (mysql::Handler::status(self), self.state.settings.charset);
        self.limit_statement(run.text);
        let naps = self.naps(&read.program.sql);
        out.set_encoding(self.state.settings.encode());
        let limit = if read.unlimited { self.state.settings.select_limit } else { u64::MAX };
        let sent = {
            let rows = match place {
                Place::Workspace => self.workspace()?.query(&read.program.sql, &parameters),
                Place::Reader => self.query_reader(&read.databases, &read.program, &parameters)?,
            };
            match rows {
                Ok(rows) => Sending { columns: &read.columns, charset, status, naps, limit }.rows(rows, out).await,
                Err(error) => Err(Broken::Sqlite(error)),
            }
        };
        // Before the deadline is taken away: it may be why the rows stopped.
        let sent = sent.map_err(|broken| self.read_failure(run, broken, out));
        self.unlimit_statement();
        let sent = sent?;
        self.state.found_rows = match &read.found_rows {
            Some(program) => self.count_rows(run, place, read, program)?,
            None => sent,
        };
        self.state.row_count = -1;
        self.take_warnings();
        out.end_rows(self.end_of_rows())?;
        Ok(())
    }

    /// Where the query runs: the reading connection, unless a transaction's snapshot must be seen.
    async fn place(&mut self, run: Run<'_>, read: &Read) -> Result<Place, Failure> {
        let replicated = |database: &DatabaseName| !Session::is_system(database) && !crate::sql::is_temporary(database);
        let of_user = read.tables.iter().any(|(database, _)| replicated(database));
        let of_system = read.tables.iter().any(|(database, _)| Session::is_system(database));
        if self.running.is_in_statement() {
            if of_system {
                return Err(SqlError::unsupported("system tables in a trigger").into());
            }
            self.join_statement(&read.databases)?;
            self.copy_temporary(&read.tables)?;
            return Ok(Place::Workspace);
        }
        if of_user {
            self.open_implicitly();
        }
        let in_transaction = self.open.is_some() && of_user;
        if in_transaction && of_system {
            let what = "system tables and tables of a user in one query within a transaction";
            return Err(SqlError::unsupported(what).into());
        }
        if in_transaction {
            self.pin(&read.databases).await?;
            self.check_planned(run)?;
            self.copy_temporary(&read.tables)?;
            return Ok(Place::Workspace);
        }
        // What describes the tables is as old as the tables; what describes this node is not waited for.
        let of_catalog = read.tables.iter().any(|(database, _)| database.eq_ignore_ascii_case("information_schema"));
        if (of_user || of_catalog) && self.may_be_behind() {
            self.barrier().await?;
            self.check_planned(run)?;
        }
        if of_system {
            self.fill_system_tables(read).await?;
        }
        Ok(Place::Reader)
    }

    /// What to tell of a query that broke. One that sent nothing yet is planned again if the schema changed.
    fn read_failure(&self, run: Run<'_>, broken: Broken, out: &ResultWriter<'_>) -> Failure {
        match broken {
            Broken::Client(error) => error.into(),
            Broken::Sqlite(error @ (sqlite::Error::Sqlite { .. } | sqlite::Error::NoSuchDatabase(_)))
                if self.is_stale(&run.planned.schema) && out.rows() == 0 =>
            {
                drop(error);
                Failure::Stale
            }
            Broken::Sqlite(error) => self.sqlite_error(error).into(),
        }
    }

    /// A plan made before the snapshot it runs on was taken must be of the same schema.
    pub(super) fn check_planned(&self, run: Run<'_>) -> Result<(), Failure> {
        if self.is_stale(&run.planned.schema) { Err(Failure::Stale) } else { Ok(()) }
    }

    fn is_stale(&self, schema: &Schema) -> bool {
        self.schema().is_ok_and(|now| now.generation != schema.generation)
    }

    /// The rows of a query the session runs for itself, as the client would see them.
    async fn collect(&mut self, run: Run<'_>, read: &Read, at_most: usize) -> Result<Vec<Vec<Value>>, Failure> {
        let mut rows = self.stored_rows(run, read, Bound { rows: at_most, bytes: usize::MAX }).await?;
        for row in &mut rows {
            present_row(&read.columns, row)?;
        }
        Ok(rows)
    }

    /// The rows of a query the session runs for itself, as they are stored.
    pub(super) async fn stored_rows(
        &mut self,
        run: Run<'_>,
        read: &Read,
        bound: Bound,
    ) -> Result<Vec<Vec<Value>>, Failure> {
        let parameters = self.bind(run, &read.program)?;
        let place = self.place(run, read).await?;
        if let Some(locking) = read.locking.as_ref().filter(|_| place == Place::Workspace) {
            self.lock_rows(run, locking)?;
        }
        let rows = match place {
            Place::Workspace => self.workspace()?.query(&read.program.sql, &parameters),
            Place::Reader => self.query_reader(&read.databases, &read.program, &parameters)?,
        };
        let collected = rows.and_then(|mut rows| {
            let (mut list, mut bytes) = (Vec::new(), 0);
            while list.len() < bound.rows
                && let Some(row) = rows.next()?
            {
                let row: Vec<Value> = (0..read.columns.len()).map(|i| row.value(i)).collect();
                bytes += row.iter().map(Value::size).sum::<usize>();
                if bytes > bound.bytes {
                    return Ok(None);
                }
                list.push(row);
            }
            Ok(Some(list))
        });
        // What functions set is known before what the rows are for is set.
        self.end_calls();
        let rows: Option<Vec<Vec<Value>>> = match collected {
            Ok(rows) => rows,
            Err(error) => return Err(self.read_broke(run, error)),
        };
        let rows = rows.ok_or_else(|| SqlError::new(1041, "Out of memory: the rows of a cursor are too many"))?;
        if let Some(naps) = self.naps(&read.program.sql) {
            naps.take().await.map_err(|e| self.sqlite_error(e))?;
        }
        Ok(rows)
    }

    /// Runs a program on the reading connection.
    fn query_reader(
        &mut self,
        databases: &[DatabaseName],
        program: &Program,
        parameters: &[Value],
    ) -> Result<sqlite::Result<Rows<'_>>, SqlError> {
        let reader = self.reader()?;
        Ok(match program.calls {
            true => reader.query_calling(databases, &program.sql, parameters),
            false => reader.query(databases, &program.sql, parameters),
        })
    }

    /// A query that broke before anybody saw a row of it.
    fn read_broke(&self, run: Run<'_>, error: sqlite::Error) -> Failure {
        match error {
            sqlite::Error::Sqlite { .. } | sqlite::Error::NoSuchDatabase(_) if self.is_stale(&run.planned.schema) => {
                Failure::Stale
            }
            error => self.sqlite_error(error).into(),
        }
    }

    /// One value: `SET x = (SELECT ...)`.
    pub(super) async fn scalar(&mut self, run: Run<'_>, read: &Read) -> Result<Value, Failure> {
        let mut rows = self.collect(run, read, 2).await?;
        match (rows.len(), rows.pop()) {
            (0, _) => Ok(Value::Null),
            (1, Some(row)) => Ok(row.into_iter().next().unwrap_or_default()),
            _ => Err(SqlError::new(1242, "Subquery returns more than 1 row").into()),
        }
    }

    /// `SELECT ... INTO @a, @b`.
    async fn read_into(&mut self, run: Run<'_>, read: &Read, out: &mut ResultWriter<'_>) -> Result<(), Failure> {
        if read.into.len() != read.columns.len() {
            return Err(SqlError::new(1222, "The used SELECT statements have a different number of columns").into());
        }
        let mut rows = self.collect(run, read, 2).await?;
        if rows.len() > 1 {
            return Err(SqlError::new(1172, "Result consisted of more than one row").into());
        }
        let affected = rows.len() as u64;
        match rows.pop() {
            Some(row) => {
                for (target, value) in read.into.iter().zip(row) {
                    // A statement outside of programs has no others.
                    if let VariableTarget::User(name) = target {
                        self.state.user_variables.insert(name.clone(), value);
                    }
                }
            }
            None => self.state.diagnostics.warning(1329, "No data - zero rows fetched, selected, or processed"),
        }
        self.take_warnings();
        self.state.row_count = i64::try_from(affected).unwrap_or(0);
        out.ok(self.done(affected, 0, String::new()))?;
        Ok(())
    }

    /// `DO expr`: runs a query and throws its rows away.
    pub(super) async fn run_quietly(&mut self, run: Run<'_>, read: &Read) -> Result<(), Failure> {
        self.collect(run, read, usize::MAX).await.map(drop)
    }

    /// The rows there would be without LIMIT.
    fn count_rows(&mut self, run: Run<'_>, place: Place, read: &Read, program: &Program) -> Result<u64, SqlError> {
        let parameters = self.bind(run, program)?;
        let rows = match place {
            Place::Workspace => self.workspace()?.query(&program.sql, &parameters),
            Place::Reader => self.query_reader(&read.databases, program, &parameters)?,
        };
        let counted = rows.and_then(|mut rows| Ok(rows.next()?.map(|row| row.value(0))));
        match counted.map_err(|e| self.sqlite_error(e))? {
            Some(Value::Int(n)) => Ok(u64::try_from(n).unwrap_or(0)),
            _ => Ok(0),
        }
    }

    /// FOR UPDATE, FOR SHARE: the rows read become keys that the transaction holds when it commits. Nobody waits:
    /// whoever commits first wins, so NOWAIT and SKIP LOCKED have nothing to do.
    fn lock_rows(&mut self, run: Run<'_>, locking: &Locking) -> Result<(), SqlError> {
        let mode = if locking.exclusive { Mode::Write } else { Mode::Read };
        for target in &locking.targets {
            let parameters = self.bind(run, &target.keys)?;
            let workspace = self.workspace()?;
            let rows = workspace.query(&target.keys.sql, &parameters).and_then(Rows::collect);
            let keys = rows.and_then(|rows| {
                let key = |row: Vec<Value>| workspace.row_key(&target.database, &target.table_name, &row);
                rows.into_iter().map(key).collect::<sqlite::Result<Vec<_>>>()
            });
            let keys = keys.map_err(|e| self.sqlite_error(e))?;
            if let Some(open) = &mut self.open {
                keys.into_iter().for_each(|key| open.hold(KeyAccess { key: Key::Row(key), mode }));
            }
        }
        Ok(())
    }

    /// EXPLAIN's rows: what SQLite says of how it would run the program.
    pub(super) fn explain(
        &mut self,
        run: Run<'_>,
        program: &Program,
        databases: &[DatabaseName],
    ) -> Result<Vec<String>, SqlError> {
        let parameters = self.bind(run, program)?;
        let sql = format!("EXPLAIN QUERY PLAN {}", program.sql);
        let rows = self.reader()?.query(databases, &sql, &parameters).and_then(Rows::collect).map_err(plain)?;
        let detail = |row: Vec<Value>| match row.into_iter().nth(3) {
            Some(Value::Text(text)) => text.to_string(),
            _ => String::new(),
        };
        Ok(rows.into_iter().map(detail).collect())
    }

    /// The rows of RETURNING.
    pub(super) async fn returned_rows(
        &mut self,
        columns: &[ResultColumn],
        mut rows: Vec<Vec<Value>>,
        out: &mut ResultWriter<'_>,
    ) -> Result<(), SqlError> {
        let affected = self.state.row_count;
        for row in &mut rows {
            present_row(columns, row)?;
        }
        self.literal_rows(columns, &rows, out).await?;
        self.state.row_count = affected;
        Ok(())
    }

    /// Rows that need no storage.
    pub(super) async fn literal_rows(
        &mut self,
        columns: &[ResultColumn],
        rows: &[Vec<Value>],
        out: &mut ResultWriter<'_>,
    ) -> Result<(), SqlError> {
        let first = |i: usize| rows.first().and_then(|r| r.get(i)).map(stored_cell);
        let charset = self.state.settings.charset;
        out.set_encoding(self.state.settings.encode());
        let described: Vec<_> =
            columns.iter().enumerate().map(|(i, c)| metadata::describe(c, first(i), charset)).collect();
        out.columns(&described, mysql::Handler::status(self))?;
        for row in rows {
            out.row(row.iter().map(Cell::from))?;
            if out.wants_flush() {
                out.flush().await?;
            }
        }
        self.state.row_count = -1;
        self.state.found_rows = rows.len() as u64;
        self.take_warnings();
        out.end_rows(self.end_of_rows())
    }

    /// Fills the system tables that a query names.
    async fn fill_system_tables(&mut self, read: &Read) -> Result<(), SqlError> {
        let tables: Vec<&'static SystemTable> =
            read.tables.iter().filter_map(|(database, table)| system::find(database, table)).collect();
        let cluster = match tables.iter().any(|t| system::needs_cluster(t)) {
            false => None,
            true => match self.core.request(Request::ClusterStatus).await {
                Some(Response::ClusterStatus(status)) => Some(status),
                Some(Response::Refused(refused)) => return Err(refusal::to_sql(&refused)),
                _ => None,
            },
        };
        let open = match tables.iter().any(|t| system::needs_open_transactions(t)) {
            false => Vec::new(),
            true => match self.core.request(Request::OpenTransactions).await {
                Some(Response::OpenTransactions(open)) => open,
                Some(Response::Refused(refused)) => return Err(refusal::to_sql(&refused)),
                _ => Vec::new(),
            },
        };
        let is_read = |name: &str| tables.iter().any(|t| t.database == "marmot" && t.name == name);
        let usage = if is_read("databases") { self.server.data.usage().map_err(plain)? } else { Vec::new() };
        let links = match &self.server.links {
            Some(links) if is_read("replication") => links.list(),
            _ => Vec::new(),
        };
        let copies = match &self.server.links {
            Some(links) if is_read("cluster_nodes") => links.copies(),
            _ => Vec::new(),
        };
        let conflicts = match &self.server.conflicts {
            Some(log) if is_read("conflicts") => log.latest(CONFLICTS_SHOWN),
            _ => Vec::new(),
        };
        let verification = if is_read("verification") { self.server.verification() } else { Vec::new() };
        let schema = self.server.schema()?;
        let permit = self.permits()?;
        let seen = self.seen(&schema, &permit);
        let facts = Facts {
            catalog: seen.as_deref().unwrap_or(&schema.catalog),
            accounts: &schema.accounts,
            fixed: self.fixed_account(),
            rights: &permit.rights,
            registry: &self.server.registry,
            variables: &self.state.variables,
            now: self.server.clock.now(),
            node: self.server.node,
            started: self.server.started,
            user: &self.state.user,
            counters: self.server.counters(),
            encryption: self.encryption.as_ref(),
            cluster: cluster.as_deref(),
            conflicts: &conflicts,
            open: &open,
            links: &links,
            copies: &copies,
            usage: &usage,
            verification: &verification,
        };
        let rows: Vec<(&SystemTable, Vec<Vec<Value>>)> = tables.iter().map(|t| (*t, (t.rows)(&facts))).collect();
        // A query may name a system database without naming a table of it.
        let databases: Vec<DatabaseName> = read.databases.iter().filter(|d| Session::is_system(d)).cloned().collect();
        let reader = self.reader()?;
        databases.iter().try_for_each(|d| reader.attach_memory(d)).map_err(plain)?;
        rows.into_iter().try_for_each(|(table, rows)| fill(reader, table, rows)).map_err(plain)
    }
}

/// Brings the cells of a row into the form that a client sees.
pub(super) fn present_row(columns: &[ResultColumn], row: &mut [Value]) -> Result<(), SqlError> {
    for (value, column) in row.iter_mut().zip(columns) {
        if let ResultType::Known(ty) = &column.ty {
            if let Some(error) = ty.overflow(value) {
                return Err(error.into());
            }
            *value = ty.present(std::mem::take(value));
        }
    }
    Ok(())
}

fn fill(reader: &mut Reader, table: &SystemTable, rows: Vec<Vec<Value>>) -> sqlite::Result<()> {
    reader.attach_memory(table.database)?;
    reader.execute_local(&table.create(), &[])?;
    reader.execute_local(&table.clear(), &[])?;
    let insert = table.insert();
    rows.iter().try_for_each(|row| reader.execute_local(&insert, row).map(drop))
}

/// Why rows stopped coming.
enum Broken {
    Sqlite(sqlite::Error),
    /// The client is gone, or a cell cannot be what its column says.
    Client(SqlError),
}

impl From<SqlError> for Broken {
    fn from(e: SqlError) -> Broken {
        Broken::Client(e)
    }
}

impl From<sqlite::Error> for Broken {
    fn from(e: sqlite::Error) -> Broken {
        Broken::Sqlite(e)
    }
}

/// A row set on its way out.
struct Sending<'a> {
    columns: &'a [ResultColumn],
    charset: u16,
    status: mysql::StatusFlags,
    naps: Option<Naps>,
    /// The most rows to write.
    limit: u64,
}

impl Sending<'_> {
    /// Writes columns and rows, and flushes so often that memory stays bounded. Returns the number of rows.
    async fn rows(&self, mut rows: Rows<'_>, out: &mut ResultWriter<'_>) -> Result<u64, Broken> {
        let mut sent = 0;
        while sent < self.limit && self.one(&mut rows, sent == 0, out)? {
            sent += 1;
            if let Some(naps) = &self.naps {
                naps.take().await?;
            }
            if out.wants_flush() {
                out.flush().await?;
            }
        }
        // What rows that were not chosen asked for.
        if let Some(naps) = &self.naps {
            naps.take().await?;
        }
        if sent == 0 {
            self.begin(None, out)?;
        }
        Ok(sent)
    }

    /// Writes the next row, after the columns if it is the first; false at the end.
    fn one(&self, rows: &mut Rows<'_>, first: bool, out: &mut ResultWriter<'_>) -> Result<bool, Broken> {
        let Some(row) = rows.next()? else { return Ok(false) };
        if first {
            self.begin(Some(row), out)?;
        }
        let goes = |i: usize| metadata::goes_out_as_it_is(&self.columns[i].ty, row.cell(i));
        if (0..self.columns.len()).all(goes) {
            out.row((0..self.columns.len()).map(|i| cell(row.cell(i))))?;
            return Ok(true);
        }
        let present = |(i, column): (usize, &ResultColumn)| match &column.ty {
            ResultType::Known(ty) => {
                let value = row.value(i);
                ty.overflow(&value).map_or_else(|| Ok(ty.present(value)), |e| Err(SqlError::from(e)))
            }
            ResultType::Dynamic | ResultType::Null => Ok(row.value(i)),
        };
        let values: Vec<Value> = self.columns.iter().enumerate().map(present).collect::<Result<_, _>>()?;
        out.row(values.iter().map(Cell::from))?;
        Ok(true)
    }

    fn begin(&self, first: Option<RowRef<'_>>, out: &mut ResultWriter<'_>) -> Result<(), SqlError> {
        let describe = |(i, column): (usize, &ResultColumn)| {
            metadata::describe(column, first.map(|row| row.cell(i)), self.charset)
        };
        let described: Vec<_> = self.columns.iter().enumerate().map(describe).collect();
        out.columns(&described, self.status)
    }
}

fn cell(cell: sqlite::Cell<'_>) -> Cell<'_> {
    match cell {
        sqlite::Cell::Null => Cell::Null,
        sqlite::Cell::Int(i) => Cell::Int(i),
        sqlite::Cell::Real(x) => Cell::Real(x),
        sqlite::Cell::Text(t) => Cell::Text(t),
        sqlite::Cell::Blob(b) => Cell::Blob(b),
    }
}

pub(super) fn stored_cell(value: &Value) -> sqlite::Cell<'_> {
    match value {
        Value::Null => sqlite::Cell::Null,
        Value::Int(i) => sqlite::Cell::Int(*i),
        Value::Real(x) => sqlite::Cell::Real(x.0),
        Value::Text(t) => sqlite::Cell::Text(t.as_bytes()),
        Value::Blob(b) => sqlite::Cell::Blob(b),
    }
}
