//! Row capture: what a transaction on an overlay changed, from SQLite's preupdate hook.
//!
//! The hook is registered when the connection opens and never unregistered, because a `DELETE` without WHERE compiled
//! before that would delete everything without a word. It fires for failed statements and for what a savepoint takes
//! back later, so every statement and savepoint remembers how many changes there were before it, and the list is cut
//! there. It fires with triggers' and cascades' rows too: all that is stored is captured, and the applier runs with
//! triggers and foreign keys off.

use super::cell::Cell;
use super::error::{Error, Result};
use super::layout::{Affinity, DatabaseLayout, TableLayout};
use crate::types::{
    ColumnSet, DatabaseName, IndexId, Key, KeyAccess, Mode, RowChange, RowImage, RowKey, TableChanges, TableId,
    UniqueValue, Value, WriteSet,
};
use rusqlite::ffi;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// What one statement did to rows, not counting triggers and cascades.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    pub inserted: u64,
    /// Updated to other values.
    pub updated: u64,
    /// Matched by an UPDATE that left them as they were.
    pub unchanged: u64,
    /// Deleted, victims of REPLACE included.
    pub deleted: u64,
}

/// A capture at the address that a connection's hook knows.
///
/// **Invariant**: dropped after the connection, which the owner sees to by the order of its fields.
pub(super) struct Installed(NonNull<Capture>);

// SAFETY: the capture is reached through its owner and its connection's hook, which move between threads together.
unsafe impl Send for Installed {}

impl Installed {
    /// Registers the hook on a connection, to refuse more than `limit` bytes.
    pub(super) fn on(db: *mut ffi::sqlite3, limit: usize) -> Installed {
        let capture = Box::new(Capture { limit, ..Capture::default() });
        let at = NonNull::from(Box::leak(capture));
        // SAFETY: an open connection; the address stays valid for as long as it is open.
        unsafe { ffi::sqlite3_preupdate_hook(db, Some(hook), at.as_ptr() as *mut c_void) };
        Installed(at)
    }
}

impl Deref for Installed {
    type Target = Capture;
    fn deref(&self) -> &Capture {
        // SAFETY: made in `on`, freed in `drop`. The hook runs only inside a call on the connection, when the owner
        // holds no reference.
        unsafe { self.0.as_ref() }
    }
}

impl DerefMut for Installed {
    fn deref_mut(&mut self) -> &mut Capture {
        // SAFETY: as in `deref`.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        // SAFETY: leaked in `on`; the connection with the hook is closed.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// The changes of one connection's transaction.
#[derive(Default)]
pub(super) struct Capture {
    databases: BTreeMap<CString, (DatabaseName, Arc<DatabaseLayout>)>,
    tables: Vec<Captured>,
    last: usize,
    events: Vec<Event>,
    bytes: usize,
    limit: usize,
    counts: RowCounts,
    /// Why the transaction must not go on; the hook cannot refuse a row, it can only interrupt the statement.
    refusal: Option<Error>,
    /// A schema change is being executed: rows it moves are not changes of this transaction.
    paused: bool,
}

struct Captured {
    database: CString,
    name: CString,
    /// `None`: a table of SQLite or of this layer.
    layout: Option<Arc<TableLayout>>,
}

struct Event {
    table: usize,
    before: Option<RowImage>,
    after: Option<RowImage>,
    /// Bytes captured before this event.
    bytes_before: usize,
}

impl Capture {
    /// The layouts by which rows of `database` are named from now on. Within a transaction only for a database that it had
    /// nothing to do with before: what was captured of others refers to their tables by place.
    pub(super) fn set_layout(&mut self, database: &DatabaseName, layout: Arc<DatabaseLayout>) {
        if let Ok(name) = CString::new(&**database) {
            self.databases.insert(name, (database.clone(), layout));
        }
        if self.events.is_empty() {
            self.tables.clear();
            self.last = 0;
        }
    }

    pub(super) fn forget(&mut self, database: &str) {
        self.databases.retain(|name, _| name.as_bytes() != database.as_bytes());
        self.tables.clear();
        self.last = 0;
    }

    /// Where the list must be cut if what begins now is taken back.
    pub(super) fn mark(&self) -> usize {
        self.events.len()
    }

    /// Takes back every change since `mark`.
    pub(super) fn cut(&mut self, mark: usize) {
        if let Some(event) = self.events.get(mark) {
            self.bytes = event.bytes_before;
            self.events.truncate(mark);
        }
    }

    pub(super) fn start_statement(&mut self) {
        self.counts = RowCounts::default();
    }

    /// What the rows inserted or changed since `mark` have in a column of a table, in order, and whether each is new.
    pub(super) fn written<'a>(
        &'a self,
        mark: usize,
        table: TableId,
        column: &str,
    ) -> impl Iterator<Item = (bool, &'a Value)> {
        let layout = self.tables.iter().filter_map(|t| t.layout.as_ref()).find(|layout| layout.id == table);
        let place = layout.and_then(|layout| layout.columns.iter().position(|c| c.name.eq_ignore_ascii_case(column)));
        self.events.iter().skip(mark).filter_map(move |event| {
            let layout = self.tables[event.table].layout.as_ref()?;
            let after = event.after.as_ref().filter(|_| layout.id == table && event.before != event.after)?;
            Some((event.before.is_none(), after.get(place?)?))
        })
    }

    pub(super) fn counts(&self) -> RowCounts {
        self.counts
    }

    pub(super) fn take_refusal(&mut self) -> Option<Error> {
        self.refusal.take()
    }

    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
        self.bytes = 0;
        self.refusal = None;
    }

    /// The net change of every row. Empties the list.
    pub(super) fn take_net(&mut self) -> Vec<NetTable> {
        let events = std::mem::take(&mut self.events);
        self.bytes = 0;
        let mut net = Net::default();
        for event in events {
            let Some(layout) = &self.tables[event.table].layout else { continue };
            net.add(event, layout);
        }
        let table = |(table, rows): (usize, TableRows)| {
            let captured = &self.tables[table];
            let (database, database_layout) = self.databases.get(&captured.database)?.clone();
            Some(NetTable { database, database_layout, layout: captured.layout.clone()?, rows })
        };
        net.into_tables().into_iter().filter_map(table).collect()
    }

    fn table(&mut self, database: &CStr, name: &CStr) -> Result<usize> {
        let is = |t: &Captured| t.name.as_c_str() == name && t.database.as_c_str() == database;
        if self.tables.get(self.last).is_some_and(is) {
            return Ok(self.last);
        }
        if let Some(at) = self.tables.iter().position(is) {
            self.last = at;
            return Ok(at);
        }
        let text = name.to_string_lossy();
        let layout = match self.databases.get(database) {
            // The in-memory main, temp and system databases are private.
            None => None,
            Some((_, layout)) => match layout.named(&text) {
                Some(layout) => Some(layout.clone()),
                None if text.starts_with("__marmot_") || text.starts_with("sqlite_") => None,
                None => return Err(Error::Unreplicated(text.into_owned())),
            },
        };
        self.tables.push(Captured { database: database.to_owned(), name: name.to_owned(), layout });
        self.last = self.tables.len() - 1;
        Ok(self.last)
    }

    /// # Safety
    /// Called by SQLite within the preupdate hook of `db`.
    unsafe fn record(&mut self, db: *mut ffi::sqlite3, op: c_int, database: &CStr, name: &CStr) -> Result<()> {
        let table = self.table(database, name)?;
        let Some(layout) = self.tables[table].layout.clone() else { return Ok(()) };
        let before: Option<RowImage> =
            // SAFETY: the old row exists for UPDATE and DELETE.
            (op != ffi::SQLITE_INSERT).then(|| unsafe { image(db, &layout, ffi::sqlite3_preupdate_old, None) }).transpose()?;
        let after: Option<RowImage> = (op != ffi::SQLITE_DELETE)
            // SAFETY: the new row exists for UPDATE and INSERT.
            .then(|| unsafe { image(db, &layout, ffi::sqlite3_preupdate_new, before.as_deref()) })
            .transpose()?;
        // SAFETY: within the hook.
        if unsafe { ffi::sqlite3_preupdate_depth(db) } == 0 {
            match (&before, &after) {
                (None, _) => self.counts.inserted += 1,
                (_, None) => self.counts.deleted += 1,
                (b, a) if b == a => self.counts.unchanged += 1,
                _ => self.counts.updated += 1,
            }
        }
        let size = |i: &Option<RowImage>| i.as_ref().map_or(0, |i| i.iter().map(Value::size).sum::<usize>());
        let bytes_before = self.bytes;
        self.bytes += size(&before) + size(&after) + 48;
        self.events.push(Event { table, before, after, bytes_before });
        if self.bytes > self.limit { Err(Error::TooLarge { limit: self.limit }) } else { Ok(()) }
    }
}

unsafe extern "C" fn hook(
    context: *mut c_void,
    db: *mut ffi::sqlite3,
    op: c_int,
    database: *const c_char,
    table: *const c_char,
    _: i64,
    _: i64,
) {
    // SAFETY: the context is the address of `Installed::on`; while SQLite runs a statement nothing else refers to it. The names
    // are NUL-terminated.
    unsafe {
        let capture = &mut *(context as *mut Capture);
        if capture.paused || capture.refusal.is_some() {
            return;
        }
        if let Err(refusal) = capture.record(db, op, CStr::from_ptr(database), CStr::from_ptr(table)) {
            capture.refusal = Some(refusal);
            ffi::sqlite3_interrupt(db);
        }
    }
}

type Accessor = unsafe extern "C" fn(*mut ffi::sqlite3, c_int, *mut *mut ffi::sqlite3_value) -> c_int;

/// The stored cells of the old or new row, sharing those that are as in `like`.
///
/// # Safety
/// Within the preupdate hook of `db`, for a row that exists on this side.
unsafe fn image(
    db: *mut ffi::sqlite3,
    layout: &TableLayout,
    accessor: Accessor,
    like: Option<&[Value]>,
) -> Result<RowImage> {
    let mut failed = ffi::SQLITE_OK;
    let cells = layout.columns.iter().enumerate().map(|(i, column)| {
        let mut value = ptr::null_mut();
        // SAFETY: by contract; the value is valid until the hook returns and copied at once.
        let cell = unsafe {
            let code = accessor(db, column.position as c_int, &mut value);
            if code != ffi::SQLITE_OK || value.is_null() {
                failed = if code == ffi::SQLITE_OK { ffi::SQLITE_ERROR } else { code };
                return Value::Null;
            }
            Cell::of_value(value)
        };
        let cell = match cell {
            // A REAL column may store a whole number as an integer; it reads as REAL everywhere else.
            Cell::Int(i) if column.affinity == Affinity::Real => Cell::Real(i as f64),
            other => other,
        };
        match like.and_then(|row| row.get(i)) {
            Some(same) if cell.equals(same) => same.clone(),
            _ => cell.to_value(),
        }
    });
    let cells: RowImage = cells.collect();
    if failed == ffi::SQLITE_OK {
        Ok(cells)
    } else {
        Err(Error::Sqlite { code: failed, message: "a changed row could not be read".into() })
    }
}

/// Folds events into one change per row, in order of first touch.
#[derive(Default)]
struct Net {
    places: BTreeMap<(usize, Arc<[u8]>), usize>,
    rows: Vec<NetRow>,
}

struct NetRow {
    table: usize,
    key: Arc<[u8]>,
    before: Option<RowImage>,
    after: Option<RowImage>,
}

type TableRows = Vec<(Arc<[u8]>, Option<RowImage>, Option<RowImage>)>;

impl Net {
    fn add(&mut self, event: Event, layout: &TableLayout) {
        let old_key = event.before.as_ref().map(|row| layout.row_key(row));
        let new_key = event.after.as_ref().map(|row| layout.row_key(row));
        match (old_key, new_key) {
            (Some(old), Some(new)) if old == new => self.touch(event.table, old, event.before, event.after),
            (old, new) => {
                // A changed primary key is a delete and an insert.
                if let Some(old) = old {
                    self.touch(event.table, old, event.before, None);
                }
                if let Some(new) = new {
                    self.touch(event.table, new, None, event.after);
                }
            }
        }
    }

    fn touch(&mut self, table: usize, key: Arc<[u8]>, before: Option<RowImage>, after: Option<RowImage>) {
        match self.places.get(&(table, key.clone())) {
            Some(place) => self.rows[*place].after = after,
            None => {
                self.places.insert((table, key.clone()), self.rows.len());
                self.rows.push(NetRow { table, key, before, after });
            }
        }
    }

    fn into_tables(self) -> BTreeMap<usize, TableRows> {
        let mut tables: BTreeMap<usize, TableRows> = BTreeMap::new();
        for row in self.rows {
            tables.entry(row.table).or_default().push((row.key, row.before, row.after));
        }
        tables
    }
}

/// What a transaction changed in one table.
pub(super) struct NetTable {
    database: DatabaseName,
    database_layout: Arc<DatabaseLayout>,
    layout: Arc<TableLayout>,
    rows: TableRows,
}

/// The changes of rows, and the keys held besides. `cells` gives the cells of a row that its keys are made of.
pub(super) fn write_set(
    net: Vec<NetTable>,
    mut cells: impl for<'r> FnMut(&Arc<TableLayout>, &'r [Value]) -> Result<Cow<'r, [Value]>>,
) -> Result<WriteSet> {
    let mut write_set = WriteSet::default();
    let mut holds = BTreeSet::new();
    let mut changed_databases = BTreeSet::new();
    for NetTable { database, database_layout, layout, rows } in net {
        let mut changes = Vec::with_capacity(rows.len());
        for (key, before, after) in rows {
            let old = before.as_deref().map(|row| cells(&layout, row)).transpose()?;
            let new = after.as_deref().map(|row| cells(&layout, row)).transpose()?;
            if let Some(new) = &new {
                let parents = database_layout.parents(&layout, new);
                holds.extend(parents.map(|key| KeyAccess { key, mode: Mode::Read }));
            }
            let claimed = Claimed::of(&layout, old.as_deref(), new.as_deref());
            drop((old, new));
            match claimed {
                Some(claimed) => changes.push(claimed.change(key, before, after)),
                // Written, but as it was: it must not have changed since the snapshot all the same.
                None if before.is_some() => {
                    let key = Key::Row(RowKey { table: layout.id, key });
                    holds.insert(KeyAccess { key, mode: Mode::Read });
                }
                None => {}
            }
        }
        if !changes.is_empty() {
            changed_databases.insert(database.clone());
            let columns = layout.column_ids.clone();
            write_set.tables.push(TableChanges { database, table: layout.id, columns, rows: changes });
        }
    }
    let schemas = changed_databases.into_iter().map(|d| KeyAccess { key: Key::Schema(d), mode: Mode::Read });
    write_set.holds = schemas.chain(holds).collect();
    Ok(write_set)
}

/// What a change does to columns and unique values.
struct Claimed {
    changed: ColumnSet,
    claims: Vec<UniqueValue>,
    releases: Vec<UniqueValue>,
    keeps: Vec<UniqueValue>,
    clears: Vec<IndexId>,
}

impl Claimed {
    /// From the cells before to the cells after; `None` if nothing changed.
    fn of(layout: &TableLayout, before: Option<&[Value]>, after: Option<&[Value]>) -> Option<Claimed> {
        let changed = match (before, after) {
            (None, None) => return None,
            (Some(before), Some(after)) => changed_columns(layout, before, after)?,
            _ => ColumnSet::all(layout.columns.len()),
        };
        let (mut claims, mut releases, mut keeps, mut clears) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let update = before.is_some() && after.is_some();
        for unique in &layout.uniques {
            let value = |row: Option<&[Value]>| row.and_then(|row| layout.unique_value(unique, row));
            let (old, new) = (value(before), value(after));
            if !unique.columns.iter().any(|column| changed.contains(*column)) {
                keeps.extend(new);
                continue;
            }
            if update && new.is_none() {
                clears.push(unique.id);
            }
            if old != new {
                releases.extend(old);
            }
            claims.extend(new);
        }
        Some(Claimed { changed, claims, releases, keeps, clears })
    }

    fn change(self, key: Arc<[u8]>, before: Option<RowImage>, after: Option<RowImage>) -> RowChange {
        let Claimed { changed, claims, releases, keeps, clears } = self;
        RowChange { key, before, after, changed, claims, releases, keeps, clears }
    }
}

/// The columns that an update changed, with those that change only together with them; `None` if it changed none.
fn changed_columns(layout: &TableLayout, before: &[Value], after: &[Value]) -> Option<ColumnSet> {
    let mut changed: ColumnSet = (0..layout.columns.len()).filter(|i| before[*i] != after[*i]).collect();
    if changed.is_empty() {
        return None;
    }
    // Groups may share columns: until nothing more joins.
    loop {
        let before = changed.len();
        for group in &layout.together {
            if group.iter().any(|column| changed.contains(*column)) {
                group.iter().for_each(|column| changed.insert(*column));
            }
        }
        if changed.len() == before {
            return Some(changed);
        }
    }
}
