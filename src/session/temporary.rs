//! Temporary tables: a session's own, in memory, seen by nobody else and never replicated.
//!
//! They live in databases in memory attached to the session's reading connection, one for each database they are created
//! in ([`crate::sql::temporary_database`]), and in a catalog of the session's own. So:
//!
//! * A query of temporary tables, also together with others, runs on the reading connection like any other; statements
//!   that write a temporary table run there too, at once, without the core.
//! * A statement of the writing connection that names one (an INSERT of a replicated table out of it, a query within a
//!   transaction) gets a copy of its rows in that connection's memory first.
//! * ROLLBACK does not take back what was done to them, as with MySQL's tables without transactions, and says so in
//!   warning 1196. Within a transaction they cannot be written out of other tables, since the reading connection does not
//!   see what the transaction did: that is refused by name.
//! * Affected rows are what SQLite counts: rows matched by an UPDATE, and a replaced row counts once.

use super::constraint::{self, Subject};
use super::execute::{Failure, Run};
use super::session::{Session, plain};
use crate::mysql::{self, ResultWriter, SqlError};
use crate::sql::{Catalog, CompileContext, Database, PlanCache, SchemaChange, Table, Write, WriteKind};
use crate::sql::{is_temporary, public_name};
use crate::sqlite::{Executed, IdKind};
use crate::types::{DatabaseName, TableId, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Shapes of statements kept while there are temporary tables: the shared cache knows nothing of them.
const KEPT: usize = 128;
/// Ids of temporary tables are taken from here on without asking: nobody shares them.
const PLENTY: u64 = 1 << 40;

/// A session's temporary tables.
pub struct Temporary {
    databases: BTreeMap<DatabaseName, Database>,
    /// Plans hold for these tables; made anew whenever one comes, changes or goes.
    pub plans: PlanCache,
    /// How often that was.
    pub generation: u64,
}

impl Default for Temporary {
    fn default() -> Temporary {
        Temporary { databases: BTreeMap::new(), plans: PlanCache::new(KEPT), generation: 0 }
    }
}

impl Temporary {
    /// Whether there are any tables.
    pub fn is_empty(&self) -> bool {
        self.databases.values().all(|d| d.tables.is_empty())
    }

    /// The catalog with these tables in it.
    pub fn catalog(&self, catalog: &Catalog) -> Catalog {
        self.databases.values().fold(catalog.clone(), |all, d| all.with(d.clone()))
    }

    fn table(&self, database: &str, table: &str) -> Option<&Arc<Table>> {
        self.databases.get(database)?.tables.get(table)
    }

    fn changed(&mut self) {
        self.generation += 1;
        self.plans = PlanCache::new(KEPT);
    }
}

impl Session {
    /// CREATE, ALTER, DROP, RENAME and TRUNCATE of temporary tables: no transaction is committed.
    pub(super) fn change_temporary(&mut self, change: &SchemaChange) -> Result<bool, SqlError> {
        let name = change.database().clone();
        let schema = self.server.schema()?;
        let collation = schema.catalog.database(public_name(&name)).map(|d| d.collation.clone());
        let new = || Database::new(name.clone(), collation.unwrap_or_default(), 0);
        self.temporary.databases.entry(name.clone()).or_insert_with(new);
        let catalog = self.temporary.catalog(&schema.catalog);
        let generation = self.temporary.generation + 1;
        let node = self.server.node;
        let mut made = 0;
        let mut fresh = || {
            made += 1;
            TableId::new(node, (generation << 16) | made)
        };
        let mut context = CompileContext {
            fresh: &mut fresh,
            version: generation,
            now: super::state::moment(self.state.micros, 0, 0),
            foreign_key_checks: self.state.settings.foreign_keys,
            engine: self.state.settings.engines.1,
            modes: self.state.settings.modes,
            definer: self.state.current_account().plain(),
            warnings: Vec::new(),
        };
        let compiled = change.compile(&catalog, &mut context)?;
        self.push_warnings(&compiled.warnings);
        let Some(program) = compiled.program else { return Ok(false) };
        if program.catalog.upsert.iter().any(|t| !t.foreign_keys.is_empty()) {
            return Err(SqlError::unsupported("FOREIGN KEY of a temporary table"));
        }
        let reader = self.reader()?;
        reader.attach_memory(&name).map_err(plain)?;
        let ran = reader.execute_local_all(&program.statements);
        let subject = Subject { catalog: &catalog, database: &name, table: "", kind: None };
        ran.map_err(|e| constraint::to_sql(e, Some(subject), None))?;
        if let Some(database) = self.temporary.databases.get_mut(&name) {
            program.catalog.apply(database);
        }
        self.temporary.changed();
        Ok(true)
    }

    /// A statement that writes a temporary table.
    pub(super) async fn write_temporary(
        &mut self,
        run: Run<'_>,
        write: &Write,
        out: &mut ResultWriter<'_>,
    ) -> Result<(), Failure> {
        let others = || write.tables.iter().filter(|(d, _)| !is_temporary(d));
        if others().any(|(d, _)| Session::is_system(d)) {
            return Err(SqlError::unsupported("system tables in a statement that writes").into());
        }
        if others().next().is_some() && self.running.is_in_statement() {
            return Err(SqlError::unsupported("a temporary table written out of other tables in a trigger").into());
        }
        if others().next().is_some() {
            self.open_implicitly();
            if self.open.is_some() {
                let what = "a temporary table written out of other tables within a transaction";
                return Err(SqlError::unsupported(what).into());
            }
            self.barrier().await?;
            self.check_planned(run)?;
        }
        let parameters = self.bind(run, &write.program)?;
        self.prepare_ids(write)?;
        let zero_is_a_value = self.state.settings.modes.no_auto_value_on_zero();
        let reader = self.reader()?;
        for database in &write.databases {
            reader.attach(database).map_err(plain)?;
        }
        reader.ids().start_statement(zero_is_a_value);
        if write.by_row.is_some() {
            let what = "ON DUPLICATE KEY UPDATE that names the query's columns, into a temporary table";
            return Err(SqlError::unsupported(what).into());
        }
        if !write.returning.is_empty() {
            return Err(SqlError::unsupported("RETURNING of a temporary table").into());
        }
        let changes = reader.execute_local(&write.program.sql, &parameters);
        let generated = reader.ids().first_generated();
        let changes = changes.map_err(|e| {
            let catalog = &self.temporary.catalog(&run.planned.schema.catalog);
            let subject = Subject { catalog, database: &write.database, table: &write.table, kind: Some(write.kind) };
            constraint::to_sql(e, Some(subject), None)
        })?;
        if let Some(open) = &mut self.open {
            open.wrote_temporary = true;
        }
        let given = self.take_warnings();
        if let Some(id) = generated {
            self.state.last_insert_id = id.cast_unsigned();
        }
        self.state.row_count = i64::try_from(changes).unwrap_or(i64::MAX);
        self.state.found_rows = changes;
        let mut executed = Executed { changes, ..Executed::default() };
        match write.kind {
            WriteKind::Insert | WriteKind::Upsert | WriteKind::Replace => executed.rows.inserted = changes,
            WriteKind::Update => executed.rows.updated = changes,
            WriteKind::Delete => executed.rows.deleted = changes,
        }
        let info = self.info(write, executed);
        let id = generated.or(given).map_or(0, i64::cast_unsigned);
        out.ok(self.done(changes, id, info))?;
        Ok(())
    }

    /// Leases ids above those the table has.
    fn prepare_ids(&mut self, write: &Write) -> Result<(), SqlError> {
        let Some(table) = self.temporary.table(&write.database, &write.table).cloned() else {
            return Err(mysql::NO_SUCH_TABLE.with(&[&public_name(&write.database), &write.table]));
        };
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let from = format!("{}.{}", quoted(&write.database), quoted(&write.table));
        let auto = write.auto_increment.as_ref().map(|a| (IdKind::Auto, quoted(&a.column), a.start));
        let row = table.has_hidden_key().then(|| (IdKind::Row, "rowid".to_string(), 1));
        let reader = self.reader()?;
        for (kind, column, start) in auto.into_iter().chain(row) {
            let rows = reader.query(&[], &format!("SELECT max({column}) FROM {from}"), &[]);
            let highest = rows.and_then(|mut rows| Ok(rows.next()?.map(|row| row.value(0)))).map_err(plain)?;
            let next = match highest {
                Some(Value::Int(n)) => n.saturating_add(1),
                _ => 1,
            };
            reader.ids().clear(kind);
            reader.ids().lease(kind, next.max(i64::try_from(start).unwrap_or(i64::MAX)).max(1), PLENTY);
        }
        Ok(())
    }

    /// Copies the temporary tables that a statement of the writing connection names into that connection's memory. The
    /// copy goes when the transaction ends.
    pub(super) fn copy_temporary(&mut self, tables: &[(DatabaseName, String)]) -> Result<(), SqlError> {
        for (database, name) in tables.iter().filter(|(d, _)| is_temporary(d)) {
            let Some(table) = self.temporary.table(database, name).cloned() else { continue };
            let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
            let place = format!("{}.{}", quoted(database), quoted(name));
            let hidden = table.has_hidden_key().then_some(crate::sql::HIDDEN_KEY);
            let stored = table.columns.iter().filter(|c| c.generated().is_none());
            let names = hidden.into_iter().chain(stored.map(|c| c.name.as_str()));
            let columns: Vec<String> = names.map(quoted).collect();
            let select = format!("SELECT {} FROM {place}", columns.join(", "));
            let rows = self.reader()?.query(&[], &select, &[]).and_then(|rows| rows.collect()).map_err(plain)?;
            let create = crate::sql::create_statements(database, &table)?;
            let marks: Vec<String> = (1..=columns.len()).map(|i| format!("?{i}")).collect();
            let insert = format!("INSERT INTO {place} ({}) VALUES ({})", columns.join(", "), marks.join(", "));
            let workspace = self.workspace()?;
            workspace.attach_memory(database).map_err(plain)?;
            let copied = workspace.execute(&format!("DROP TABLE IF EXISTS {place}"), &[]).and_then(|_| {
                create.iter().try_for_each(|sql| workspace.execute(sql, &[]).map(drop))?;
                rows.iter().try_for_each(|row| workspace.execute(&insert, row).map(drop))
            });
            copied.map_err(plain)?;
        }
        Ok(())
    }

    /// Forgets all temporary tables.
    pub(super) fn drop_temporary(&mut self) {
        if self.temporary.generation > 0 {
            self.temporary = Temporary::default();
            // The databases in memory go with the connection.
            self.forget_reader();
        }
    }
}
