//! Autocommit reads: the real files, read-only, without a workspace and without the core.

use super::attach::{Attached, Guard};
use super::connection::{Connection, Interrupt, Rows, quoted, uri};
use super::cost::Cost;
use super::data_dir::{DataDir, state_value};
use super::error::{Error, Result};
use super::functions::Functions;
use super::ids::IdSource;
use crate::types::{DatabaseName, Value};
use std::sync::PoisonError;

/// One session's reading connection: an in-memory `main`, databases attached on demand.
pub struct Reader {
    connection: Connection,
    attached: Attached<()>,
    guard: Guard,
    dir: DataDir,
    ids: IdSource,
}

impl Reader {
    pub(super) fn open(dir: DataDir, functions: &Functions) -> Result<Reader> {
        let mut connection = dir.open_memory(functions)?;
        let ids = IdSource::default();
        ids.register(connection.inner(), connection.fault())?;
        let guard = Guard::install(&mut connection, false)?;
        Ok(Reader { connection, attached: Attached::new(), guard, dir, ids })
    }

    /// Attaches a database, if it is not yet.
    pub fn attach(&mut self, database: &str) -> Result<()> {
        if self.attached.find(database).is_some() {
            return Ok(());
        }
        let file = self.dir.file(database)?;
        let Reader { connection, attached, guard, dir, .. } = self;
        guard.lifted(|| {
            attached.make_room(connection, 1)?;
            let schema = quoted(database);
            let _held = dir.hold(&file)?;
            let source = uri(&file.path, "mode=ro").replace('\'', "''");
            connection.run_script(&format!("ATTACH '{source}' AS {schema}"))?;
            attached.push(database, Some((file.clone(), ())));
            let cache = dir.shared.options.cache_kib;
            connection.run_script(&format!(
                "PRAGMA {schema}.cache_size = -{cache}; PRAGMA {schema}.mmap_size = 0; PRAGMA {schema}.schema_version"
            ))
        })
    }

    /// Attaches an empty database in memory, private to this connection, for system tables. No effect if there is one.
    pub fn attach_memory(&mut self, name: &str) -> Result<()> {
        if self.attached.find(name).is_some() {
            return Ok(());
        }
        let Reader { connection, attached, guard, .. } = self;
        guard.lifted(|| {
            attached.make_room(connection, 1)?;
            connection.run_script(&format!("ATTACH ':memory:' AS {}", quoted(name)))?;
            attached.push(name, None);
            Ok(())
        })
    }

    /// Runs a query over `databases`, attaching them as needed: one statement, one snapshot over all of them.
    pub fn query(&mut self, databases: &[DatabaseName], sql: &str, params: &[Value]) -> Result<Rows<'_>> {
        self.attach_all(databases)?;
        if databases.len() > 1 {
            return self.query_several(databases, sql, params);
        }
        if !self.connection.cached(sql)?.is_read_only() {
            return Err(Error::Unsupported("a statement that writes on a reading connection".into()));
        }
        self.connection.query(sql, params)
    }

    /// As [`Reader::query`], for a text that calls functions which run queries: they see the same snapshot.
    pub fn query_calling(&mut self, databases: &[DatabaseName], sql: &str, params: &[Value]) -> Result<Rows<'_>> {
        self.attach_all(databases)?;
        self.query_several(databases, sql, params)
    }

    fn attach_all(&mut self, databases: &[DatabaseName]) -> Result<()> {
        for database in databases {
            self.attach(database)?;
        }
        // Attaching one may have detached another.
        if let Some(gone) = databases.iter().find(|d| self.attached.find(d).is_none()) {
            self.attach(gone)?;
            if databases.iter().any(|d| self.attached.find(d).is_none()) {
                return Err(Error::TooManyDatabases(self.attached.len()));
            }
        }
        Ok(())
    }

    /// SQLite takes the files' snapshots one after the other: no transaction over several may become visible between.
    fn query_several(&mut self, databases: &[DatabaseName], sql: &str, params: &[Value]) -> Result<Rows<'_>> {
        let pinned = {
            let _visibility = self.dir.shared.visibility.read().unwrap_or_else(PoisonError::into_inner);
            self.connection.run_script("BEGIN")?;
            let connection = &mut self.connection;
            databases.iter().try_for_each(|database| {
                let sql = format!("SELECT 1 FROM {}.sqlite_schema LIMIT 1", quoted(database));
                connection.cached(&sql)?.run([])
            })
        };
        let checked = pinned.and_then(|()| {
            let read_only = self.connection.cached(sql)?.is_read_only();
            let refusal = || Error::Unsupported("a statement that writes on a reading connection".into());
            if read_only { Ok(()) } else { Err(refusal()) }
        });
        if let Err(error) = checked {
            self.connection.run_script("ROLLBACK")?;
            return Err(error);
        }
        self.connection.query_and_end(sql, params)
    }

    /// Runs a statement on the databases in memory: fills system tables. Real files are attached read-only.
    pub fn execute_local(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        self.connection.cached(sql)?.run_counted(params)
    }

    /// Runs statements on the databases in memory, all or none of them.
    pub fn execute_local_all(&mut self, statements: &[String]) -> Result<()> {
        self.connection.run_script("SAVEPOINT marmot_local")?;
        for sql in statements {
            if let Err(error) = self.connection.run_script(sql) {
                self.connection.run_script("ROLLBACK TO marmot_local; RELEASE marmot_local")?;
                return Err(error);
            }
        }
        self.connection.run_script("RELEASE marmot_local")
    }

    /// The ids that statements which write databases in memory take.
    pub fn ids(&self) -> &IdSource {
        &self.ids
    }

    /// The schema version of the database as a statement run now sees it.
    pub fn schema_version(&mut self, database: &str) -> Result<u64> {
        self.attach(database)?;
        state_value(&mut self.connection, database, "schema_version")
    }

    /// What the queries since the last call cost.
    pub fn take_cost(&mut self) -> Cost {
        self.connection.take_cost()
    }

    /// What stops a running query from another thread.
    pub fn interrupt(&self) -> Interrupt {
        self.connection.interrupt()
    }
}
