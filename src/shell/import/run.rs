//! Puts the tables and rows of waiting files into databases, through a session as a client's would be.

use super::content::Content;
use super::definition::{self, Definition};
use super::files::{self, Waiting};
use crate::mysql::{
    CapabilityFlags, ColumnType, Handler, Identity, Login, Parameter, Recorded, Recording, SqlError, StatementId,
};
use crate::session::{Server, Session};
use crate::sql::RESERVED_PREFIX;
use crate::sqlite::{ForeignDatabase, ForeignTable};
use crate::types::Value;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Rows and bytes of one transaction, more or less.
const ROWS: usize = 2000;
const BYTES: usize = 4 << 20;
/// Batches read ahead of the session.
const AHEAD: usize = 2;
const INSERT: StatementId = StatementId(1);

/// Imports every file that waits in `directory`, once the node is `ready`. Call it before the node accepts anybody.
///
/// # Errors
/// A sentence: which file, and what is in the way. The file waits on and is tried again, from the beginning, at the next
/// start.
pub async fn import_waiting(
    server: &Arc<Server>,
    mut ready: watch::Receiver<bool>,
    directory: &Path,
) -> Result<(), String> {
    // A sender that is gone says that the driver has ended, which its owner notices.
    let _ = ready.wait_for(|ready| *ready).await;
    for file in files::waiting(directory)? {
        tracing::info!(file = %file.path.display(), "importing");
        let mut importer = Importer::new(server).await?;
        let imported = importer.file(&file).await;
        importer.session.disconnected().await;
        let (tables, rows) = imported.map_err(|why| {
            format!("{} cannot be imported: {why}; move it away to start without it", file.path.display())
        })?;
        let kept = files::finish(directory, &file)?;
        tracing::info!(database = file.database, tables, rows, kept = %kept.display(), "imported");
    }
    Ok(())
}

struct Importer {
    session: Session,
}

impl Importer {
    async fn new(server: &Arc<Server>) -> Result<Importer, String> {
        let mut session = server.session();
        let login = Login {
            connection: 0,
            user: "import".into(),
            identity: Identity::Node,
            host: "localhost".into(),
            database: None,
            collation: crate::mysql::collation::UTF8MB4_BIN,
            capabilities: CapabilityFlags::empty(),
            attributes: Vec::new(),
            tls: None,
        };
        session.connected(&login).await.map_err(|e| e.message)?;
        let mut importer = Importer { session };
        importer.run("SET sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_BACKSLASH_ESCAPES'").await?;
        importer.run("SET foreign_key_checks = 0, time_zone = '+00:00', marmot_write_consistency = 'QUORUM'").await?;
        Ok(importer)
    }

    async fn run(&mut self, sql: &str) -> Result<(), String> {
        let mut recording = Recording::new();
        let mut writer = recording.writer();
        let outcome = self.session.query(sql.as_bytes(), &mut writer).await;
        writer.finish(outcome);
        answer(&mut recording).map(drop).map_err(|e| format!("{} (error {}) in: {sql}", e.message, e.code))
    }

    /// Makes the database from nothing. Returns the numbers of tables and rows.
    async fn file(&mut self, file: &Waiting) -> Result<(usize, u64), String> {
        let mut foreign = ForeignDatabase::open(&file.path, None).map_err(|e| e.to_string())?;
        let database = definition::quoted(&file.database);
        self.run(&format!("DROP DATABASE IF EXISTS {database}")).await?;
        self.run(&format!("CREATE DATABASE {database}")).await?;
        for (name, kind) in foreign.left_out().map_err(|e| e.to_string())? {
            tracing::warn!(database = file.database, "{kind} '{name}' is not imported");
        }
        let mut tables = foreign.tables().map_err(|e| e.to_string())?;
        tables.retain(|table| {
            let reserved = table.name.to_lowercase().starts_with(RESERVED_PREFIX);
            if reserved {
                tracing::warn!(
                    database = file.database,
                    "table '{}' has a reserved name and is not imported",
                    table.name
                );
            }
            !reserved
        });
        let mut definitions = Vec::new();
        let mut rows = 0;
        for table in &tables {
            let contents = contents(&mut foreign, table)?;
            let broken = foreign.broken_references(table);
            let is_broken = |i: usize| broken.as_ref().map_or(true, |broken| broken.contains(&i));
            let definition = definition::definition(&file.database, table, &contents, is_broken)?;
            self.run(&definition.create).await?;
            rows += self.rows(file, table, &definition).await?;
            definitions.push(definition);
        }
        for (table, definition) in tables.iter().zip(&definitions) {
            let mut notes = definition.notes.clone();
            for statement in &definition.foreign_keys {
                if let Err(why) = self.run(statement).await {
                    notes.push(format!("a foreign key is left out: {why}"));
                }
            }
            notes.iter().for_each(|note| tracing::warn!(database = file.database, table = table.name, "{note}"));
        }
        Ok((tables.len(), rows))
    }

    async fn rows(&mut self, file: &Waiting, table: &ForeignTable, definition: &Definition) -> Result<u64, String> {
        let in_table = |e: SqlError| format!("{} (error {}) in table '{}'", e.message, e.code, table.name);
        self.session.prepare(INSERT, definition.insert.as_bytes()).await.map_err(in_table)?;
        let mut batches = read_ahead(file, table)?;
        let mut count = 0;
        while let Some(batch) = batches.recv().await {
            let batch = batch?;
            count += batch.len() as u64;
            self.run("BEGIN").await?;
            for row in batch {
                let cells = definition::cells(row, &definition.cells);
                let cells: Vec<Parameter> = cells.into_iter().map(parameter).collect();
                let mut recording = Recording::new();
                let mut writer = recording.writer();
                let outcome = self.session.execute(INSERT, &cells, &mut writer).await;
                writer.finish(outcome);
                if answer(&mut recording).map_err(in_table)? > 0 {
                    return Err(format!("a value of table '{}' would be changed", table.name));
                }
            }
            self.run("COMMIT").await?;
        }
        self.session.close(INSERT);
        Ok(count)
    }
}

/// The number of warnings, or the error.
fn answer(recording: &mut Recording) -> Result<u16, SqlError> {
    match recording.results().pop() {
        Some(Recorded::Error(error)) => Err(error),
        Some(Recorded::Ok(end) | Recorded::Rows { end, .. }) => Ok(end.warnings),
        None => Err(SqlError::internal("no answer")),
    }
}

fn parameter(value: Value) -> Parameter {
    let ty = match &value {
        Value::Null => ColumnType::MYSQL_TYPE_NULL,
        Value::Int(_) => ColumnType::MYSQL_TYPE_LONGLONG,
        Value::Real(_) => ColumnType::MYSQL_TYPE_DOUBLE,
        Value::Text(_) => ColumnType::MYSQL_TYPE_VAR_STRING,
        Value::Blob(_) => ColumnType::MYSQL_TYPE_LONG_BLOB,
    };
    Parameter { value, ty, unsigned: false }
}

/// What each column that is not generated holds.
fn contents(foreign: &mut ForeignDatabase, table: &ForeignTable) -> Result<Vec<Content>, String> {
    let mut contents = vec![Content::default(); table.columns.iter().filter(|c| !c.generated).count()];
    let add = |row: Vec<Value>| {
        contents.iter_mut().zip(&row).for_each(|(content, value)| content.add(value));
        true
    };
    foreign.read(table, add).map_err(|e| format!("table '{}': {e}", table.name))?;
    Ok(contents)
}

type Batch = Result<Vec<Vec<Value>>, String>;

/// Reads the table's rows on a thread of its own: SQLite's cursor waits for nobody.
fn read_ahead(file: &Waiting, table: &ForeignTable) -> Result<mpsc::Receiver<Batch>, String> {
    let (send, receive) = mpsc::channel(AHEAD);
    let (path, table) = (file.path.clone(), table.clone());
    let read = move || {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let outcome = ForeignDatabase::open(&path, None).and_then(|mut foreign| {
            foreign.read(&table, |row| {
                bytes += row.iter().map(Value::size).sum::<usize>();
                batch.push(row);
                if batch.len() < ROWS && bytes < BYTES {
                    return true;
                }
                bytes = 0;
                send.blocking_send(Ok(std::mem::take(&mut batch))).is_ok()
            })
        });
        // If the importer gave up, nobody listens.
        let _ = match outcome {
            Ok(()) if batch.is_empty() => Ok(()),
            Ok(()) => send.blocking_send(Ok(batch)),
            Err(error) => send.blocking_send(Err(error.to_string())),
        };
    };
    std::thread::Builder::new()
        .name("import".into())
        .spawn(read)
        .map_err(|e| format!("no thread to read with: {e}"))?;
    Ok(receive)
}
