//! An SQLite connection with a statement cache and registered functions.

use super::cell::Cell;
use super::cost::Cost;
use super::error::{Error, Result};
use super::functions::Functions;
use super::nested::NestedStatements;
use super::statement::{ColumnInfo, Statement, error_of};
use crate::sql::CollationOrder;
use crate::types::Value;
use rusqlite::{InterruptHandle, OpenFlags, ffi};
use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Statements kept compiled per connection.
const CACHED: usize = 256;

/// The error a registered function raised, until the statement that called it reports it; and who hears of damage.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<FaultState>);

#[derive(Default)]
struct FaultState {
    raised: Mutex<Option<Error>>,
    alarm: OnceLock<Arc<AtomicBool>>,
}

impl Fault {
    pub(super) fn set(&self, error: Error) {
        *self.0.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
    pub(super) fn take(&self) -> Option<Error> {
        self.0.raised.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
    /// SQLite found that a file is not what it wrote.
    pub(super) fn found_damage(&self) {
        if let Some(alarm) = self.0.alarm.get() {
            alarm.store(true, Ordering::Release);
        }
    }
}

/// Stops what a connection runs, from any thread. Harmless when nothing runs or the connection is gone.
#[derive(Clone)]
pub struct Interrupt(Arc<InterruptHandle>);

impl Interrupt {
    pub fn interrupt(&self) {
        self.0.interrupt();
    }
}

struct Cached {
    statement: Statement,
    columns: Option<(c_int, Arc<[ColumnInfo]>)>,
    used: u64,
}

/// One connection. Fields drop in order: statements before what they belong to.
pub(super) struct Connection {
    cache: BTreeMap<Arc<str>, Cached>,
    clock: u64,
    fault: Fault,
    interrupt: Interrupt,
    busy_timeout_ms: u32,
    /// Of the queries since it was last taken.
    cost: Cost,
    nested: NestedStatements,
    inner: rusqlite::Connection,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The functions that share them go with the connection, which closes only without statements.
        self.nested.forget();
    }
}

/// `text` as an SQL identifier.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A URI for the file at `path`, to which parameters can be appended.
pub(super) fn uri(path: &str, parameters: &str) -> String {
    let mut text = String::from("file:");
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' | b':' => {
                text.push(byte as char)
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    if !parameters.is_empty() {
        text.push('?');
        text.push_str(parameters);
    }
    text
}

/// Gives SQLite the MySQL collation that a schema or a statement names.
fn provide_collation(connection: &rusqlite::Connection, name: &str) -> rusqlite::Result<()> {
    match CollationOrder::named(name) {
        Some(order) => connection.create_collation(name, move |left, right| order.compare(left, right)),
        // SQLite goes on to say that there is no such collation.
        None => Ok(()),
    }
}

impl Connection {
    /// Opens `uri` (or `:memory:`) on the VFS named, with `functions` registered.
    pub(super) fn open(
        uri: &str,
        vfs: Option<&str>,
        busy_timeout_ms: u32,
        functions: &Functions,
    ) -> Result<Connection> {
        let write = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        Self::open_with(uri, write, vfs, busy_timeout_ms, functions)
    }

    /// Opens an existing file for reading only.
    pub(super) fn open_read_only(uri: &str, vfs: Option<&str>, busy_timeout_ms: u32) -> Result<Connection> {
        let read = OpenFlags::SQLITE_OPEN_READ_ONLY;
        Self::open_with(uri, read, vfs, busy_timeout_ms, &Functions::new())
    }

    fn open_with(
        uri: &str,
        access: OpenFlags,
        vfs: Option<&str>,
        busy_timeout_ms: u32,
        functions: &Functions,
    ) -> Result<Connection> {
        let flags = access | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = match vfs {
            Some(name) => rusqlite::Connection::open_with_flags_and_vfs(uri, flags, name),
            None => rusqlite::Connection::open_with_flags(uri, flags),
        };
        let inner = opened.map_err(outer_error)?;
        let fault = Fault::default();
        let interrupt = Interrupt(Arc::new(inner.get_interrupt_handle()));
        // SAFETY: an open connection.
        unsafe {
            ffi::sqlite3_extended_result_codes(inner.handle(), 1);
            ffi::sqlite3_busy_timeout(inner.handle(), busy_timeout_ms as c_int);
        }
        let nested = NestedStatements::default();
        functions.register(&inner, &fault, &nested)?;
        super::row_table::register(&inner)?;
        inner.collation_needed(provide_collation).map_err(outer_error)?;
        let connection = Connection {
            cache: BTreeMap::new(),
            clock: 0,
            fault,
            interrupt,
            busy_timeout_ms,
            cost: Cost::default(),
            nested,
            inner,
        };
        connection.set_option(ffi::SQLITE_DBCONFIG_DQS_DML, false)?;
        connection.set_option(ffi::SQLITE_DBCONFIG_DQS_DDL, false)?;
        connection.run_script("PRAGMA trusted_schema = ON; PRAGMA mmap_size = 0; PRAGMA foreign_keys = ON")?;
        if vfs.is_some() {
            // A simulated disk holds no temporary files, and its time is not theirs.
            connection.run_script("PRAGMA temp_store = MEMORY")?;
        }
        Ok(connection)
    }

    pub(super) fn raw(&self) -> *mut ffi::sqlite3 {
        // SAFETY: the handle is used only while `self` lives.
        unsafe { self.inner.handle() }
    }

    pub(super) fn fault(&self) -> &Fault {
        &self.fault
    }

    pub(super) fn inner(&self) -> &rusqlite::Connection {
        &self.inner
    }

    /// Sets `alarm` whenever SQLite says that a file is damaged.
    pub(super) fn raise(self, alarm: &Arc<AtomicBool>) -> Connection {
        // A connection has one directory for life.
        let _ = self.fault.0.alarm.set(alarm.clone());
        self
    }

    pub(super) fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    pub(super) fn inner_mut(&mut self) -> &mut rusqlite::Connection {
        &mut self.inner
    }

    /// Switches a boolean `SQLITE_DBCONFIG_*`.
    pub(super) fn set_option(&self, option: c_int, on: bool) -> Result<()> {
        // SAFETY: boolean options take an int and an optional out pointer.
        let code = unsafe { ffi::sqlite3_db_config(self.raw(), option, on as c_int, ptr::null_mut::<c_int>()) };
        self.check(code)
    }

    pub(super) fn check(&self, code: c_int) -> Result<()> {
        if code == ffi::SQLITE_OK {
            return Ok(());
        }
        // SAFETY: an open connection.
        Err(unsafe { error_of(self.raw(), code, &self.fault) })
    }

    /// The size of its file, without the WAL.
    pub(super) fn size(&mut self) -> Result<u64> {
        let rows = self.prepare("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")?.all([])?;
        Ok(match rows.first().map(|row| &row[0]) {
            Some(Value::Int(bytes)) => u64::try_from(*bytes).unwrap_or(0),
            _ => 0,
        })
    }

    /// Runs several statements without parameters; rows are dropped.
    pub(super) fn run_script(&self, sql: &str) -> Result<()> {
        let text = CString::new(sql).map_err(|_| contains_nul())?;
        // SAFETY: an open connection and a NUL-terminated text.
        let code = unsafe { ffi::sqlite3_exec(self.raw(), text.as_ptr(), None, ptr::null_mut(), ptr::null_mut()) };
        self.check(code)
    }

    /// Compiles one statement, to be kept by the caller.
    pub(super) fn prepare(&self, sql: &str) -> Result<Statement> {
        let mut raw = ptr::null_mut();
        let length = c_int::try_from(sql.len())
            .map_err(|_| Error::Sqlite { code: ffi::SQLITE_TOOBIG, message: "statement too long".into() })?;
        // SAFETY: an open connection; the text is readable for its length.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(
                self.raw(),
                sql.as_ptr() as *const c_char,
                length,
                ffi::SQLITE_PREPARE_PERSISTENT,
                &mut raw,
                ptr::null_mut(),
            )
        };
        self.check(code)?;
        if raw.is_null() {
            return Err(Error::Sqlite { code: ffi::SQLITE_MISUSE, message: "empty statement".into() });
        }
        // SAFETY: just compiled on this connection.
        Ok(unsafe { Statement::from_raw(raw, self.fault.clone()) })
    }

    /// The compiled statement for `sql` from the cache.
    pub(super) fn cached(&mut self, sql: &str) -> Result<&mut Statement> {
        self.entry(sql).map(|entry| &mut entry.statement)
    }

    fn entry(&mut self, sql: &str) -> Result<&mut Cached> {
        self.compile(sql)?;
        let entry = self.cache.get_mut(sql).expect("compiled just before");
        entry.used = self.clock;
        Ok(entry)
    }

    /// Sees to it that the cache has the statement.
    fn compile(&mut self, sql: &str) -> Result<()> {
        self.clock += 1;
        if !self.cache.contains_key(sql) {
            let statement = self.prepare(sql)?;
            if self.cache.len() >= CACHED {
                let oldest = self.cache.iter().min_by_key(|(_, c)| c.used).map(|(sql, _)| sql.clone());
                oldest.and_then(|sql| self.cache.remove(&sql));
            }
            self.cache.insert(sql.into(), Cached { statement, columns: None, used: 0 });
        }
        Ok(())
    }

    /// What the queries since the last call cost.
    pub(super) fn take_cost(&mut self) -> Cost {
        std::mem::take(&mut self.cost)
    }

    /// Runs a query up to its first row.
    pub(super) fn query(&mut self, sql: &str, params: &[Value]) -> Result<Rows<'_>> {
        self.compile(sql)?;
        let Connection { cache, clock, cost, .. } = self;
        let entry = cache.get_mut(sql).expect("compiled just before");
        entry.used = *clock;
        entry.statement.bind_copies(params)?;
        match entry.statement.step() {
            Ok(on_row) => {
                let recompiled = entry.statement.recompiled();
                let columns = match &entry.columns {
                    Some((then, columns)) if *then == recompiled => columns.clone(),
                    _ => {
                        let columns = entry.statement.columns();
                        entry.columns = Some((recompiled, columns.clone()));
                        columns
                    }
                };
                let statement = &mut entry.statement;
                Ok(Rows { statement, columns, cost, first: true, on_row, ends_transaction: false })
            }
            Err(error) => {
                entry.statement.reset();
                Err(error)
            }
        }
    }

    /// As [`Connection::query`]; the transaction the caller began ends with the rows.
    pub(super) fn query_and_end(&mut self, sql: &str, params: &[Value]) -> Result<Rows<'_>> {
        let raw = self.raw();
        match self.query(sql, params) {
            Ok(mut rows) => {
                rows.ends_transaction = true;
                Ok(rows)
            }
            Err(error) => {
                end_transaction(raw);
                Err(error)
            }
        }
    }

    /// Forgets compiled statements, so that nothing refers to a database about to be detached.
    pub(super) fn forget_statements(&mut self) {
        self.cache.clear();
        self.nested.forget();
    }

    pub(super) fn busy_timeout(&self) -> c_int {
        self.busy_timeout_ms as c_int
    }

    pub(super) fn in_transaction(&self) -> bool {
        // SAFETY: an open connection.
        unsafe { ffi::sqlite3_get_autocommit(self.raw()) == 0 }
    }

    /// The open file of an attached database, for the calls SQLite has no SQL for.
    pub(super) fn file(&self, schema: &str) -> Result<*mut ffi::sqlite3_file> {
        self.file_pointer(schema, ffi::SQLITE_FCNTL_FILE_POINTER)
    }

    /// Bytes of the WAL file of an attached database.
    pub(super) fn wal_bytes(&self, schema: &str) -> Result<u64> {
        let file = self.file_pointer(schema, ffi::SQLITE_FCNTL_JOURNAL_POINTER)?;
        let mut size = 0i64;
        // SAFETY: an open file of this connection; SQLite opens the WAL with the first read, before that it has no
        // methods.
        let code = unsafe {
            if file.is_null() || (*file).pMethods.is_null() {
                return Ok(0);
            }
            (*(*file).pMethods).xFileSize.map_or(ffi::SQLITE_OK, |f| f(file, &mut size))
        };
        self.check(code)?;
        Ok(u64::try_from(size).unwrap_or(0))
    }

    /// Makes the WAL of an attached database durable, whoever wrote it. A commit with `synchronous=FULL` would do so only
    /// if it changes a page.
    ///
    /// # Errors
    /// The operating system's, which is never [`Error::Full`]: what is durable is unknown then.
    pub(super) fn sync_wal(&self, schema: &str) -> Result<()> {
        let file = self.file_pointer(schema, ffi::SQLITE_FCNTL_JOURNAL_POINTER)?;
        // SAFETY: an open file of this connection; without methods SQLite has not opened it, and there is nothing in it.
        let code = unsafe {
            if file.is_null() || (*file).pMethods.is_null() {
                return Ok(());
            }
            (*(*file).pMethods).xSync.map_or(ffi::SQLITE_OK, |sync| sync(file, ffi::SQLITE_SYNC_NORMAL))
        };
        match code {
            ffi::SQLITE_OK => Ok(()),
            code => Err(Error::Sqlite { code, message: format!("cannot sync the write-ahead log of '{schema}'") }),
        }
    }

    fn file_pointer(&self, schema: &str, which: c_int) -> Result<*mut ffi::sqlite3_file> {
        let schema = CString::new(schema).map_err(|_| contains_nul())?;
        let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
        // SAFETY: both controls store one pointer.
        let code = unsafe {
            ffi::sqlite3_file_control(self.raw(), schema.as_ptr(), which, &mut file as *mut _ as *mut c_void)
        };
        self.check(code)?;
        Ok(file)
    }
}

fn contains_nul() -> Error {
    Error::Sqlite { code: ffi::SQLITE_ERROR, message: "text contains NUL".into() }
}

pub(super) fn outer_error(error: rusqlite::Error) -> Error {
    let code = match &error {
        rusqlite::Error::SqliteFailure(e, _) => e.extended_code,
        _ => ffi::SQLITE_ERROR,
    };
    match code & 0xff {
        ffi::SQLITE_BUSY => Error::Busy,
        ffi::SQLITE_FULL => Error::Full,
        _ => Error::Sqlite { code, message: error.to_string() },
    }
}

/// The rows of a query. Dropping it ends the query.
pub struct Rows<'a> {
    statement: &'a mut Statement,
    columns: Arc<[ColumnInfo]>,
    /// The connection's sum.
    cost: &'a mut Cost,
    /// The first row was fetched when the query began.
    first: bool,
    on_row: bool,
    ends_transaction: bool,
}

fn end_transaction(db: *mut ffi::sqlite3) {
    // SAFETY: an open connection. Ending a transaction that only read cannot fail.
    unsafe { ffi::sqlite3_exec(db, c"COMMIT".as_ptr(), None, ptr::null_mut(), ptr::null_mut()) };
}

impl Rows<'_> {
    pub fn columns(&self) -> &Arc<[ColumnInfo]> {
        &self.columns
    }

    /// The next row, or `None` at the end.
    #[allow(clippy::should_implement_trait)] // a row borrows the statement, which an Iterator cannot express
    pub fn next(&mut self) -> Result<Option<RowRef<'_>>> {
        if !std::mem::take(&mut self.first) && self.on_row {
            self.on_row = self.statement.step()?;
        }
        Ok(self.on_row.then_some(RowRef { statement: self.statement }))
    }

    /// Every remaining row, owned; `None` if together they have more bytes.
    pub fn collect_below(mut self, most: usize) -> Result<Option<Vec<Vec<Value>>>> {
        let (mut rows, mut bytes) = (Vec::new(), 0usize);
        while let Some(row) = self.next()? {
            let row = row.to_vec();
            bytes = bytes.saturating_add(row.iter().map(Value::size).sum());
            if bytes > most {
                return Ok(None);
            }
            rows.push(row);
        }
        Ok(Some(rows))
    }

    /// Every remaining row, owned.
    pub fn collect(mut self) -> Result<Vec<Vec<Value>>> {
        let mut rows = Vec::new();
        while let Some(row) = self.next()? {
            rows.push(row.to_vec());
        }
        Ok(rows)
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        self.statement.reset();
        *self.cost += self.statement.take_cost();
        if self.ends_transaction {
            end_transaction(self.statement.connection());
        }
    }
}

/// The current row of [`Rows`].
#[derive(Clone, Copy)]
pub struct RowRef<'a> {
    statement: &'a Statement,
}

impl<'a> RowRef<'a> {
    pub fn len(&self) -> usize {
        self.statement.width()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Cell `i`, borrowed; NULL if there is none.
    pub fn cell(&self, i: usize) -> Cell<'a> {
        self.statement.cell(i)
    }
    /// Cell `i`, owned.
    pub fn value(&self, i: usize) -> Value {
        self.cell(i).to_value()
    }
    pub fn to_vec(&self) -> Vec<Value> {
        (0..self.len()).map(|i| self.value(i)).collect()
    }
}
