//! The virtual table `marmot_each_row(cell)`: the rows that a cell holds (see [`crate::sql::decode_rows`]), their cells in
//! the columns `c0`, `c1` and so on. Its argument may name the tables that stand before it in FROM.

use super::connection::outer_error;
use super::error::Result;
use super::functions::Output;
use crate::sql::{MOST_ROW_COLUMNS, decode_rows};
use crate::types::Value;
use rusqlite::ffi;
use rusqlite::vtab::{
    Context, Filters, IndexConstraintOp, IndexInfo, Module, VTab, VTabConfig, VTabConnection, VTabCursor,
};
use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int};
use std::marker::PhantomData;

const NAME: &CStr = c"marmot_each_row";
/// The hidden column that is the argument.
const ARGUMENT: c_int = MOST_ROW_COLUMNS as c_int;

/// Makes the table known to a connection.
pub(super) fn register(connection: &rusqlite::Connection) -> Result<()> {
    const MODULE: Module<'_, RowTable> = Module::eponymous_only_module();
    connection.create_module(NAME, &MODULE, None).map_err(outer_error)
}

#[repr(C)]
struct RowTable {
    /// SQLite's part; must come first.
    base: ffi::sqlite3_vtab,
}

// SAFETY: `repr(C)`, and SQLite's part comes first.
unsafe impl<'vtab> VTab<'vtab> for RowTable {
    type Aux = ();
    type Cursor = RowCursor<'vtab>;

    fn connect(
        connection: &mut VTabConnection,
        _: Option<&()>,
        _: &[u8],
        _: &[u8],
        _: &[u8],
        _: &[&[u8]],
    ) -> rusqlite::Result<(Cow<'static, CStr>, Self)> {
        connection.config(VTabConfig::Innocuous)?;
        let columns: String = (0..MOST_ROW_COLUMNS).map(|i| format!("c{i}, ")).collect();
        let definition = CString::new(format!("CREATE TABLE x({columns}rows HIDDEN)"))?;
        Ok((Cow::Owned(definition), RowTable { base: ffi::sqlite3_vtab::default() }))
    }

    fn best_index(&self, info: &mut IndexInfo) -> rusqlite::Result<bool> {
        let is_argument = |c: &rusqlite::vtab::IndexConstraint<'_>| {
            c.column() == ARGUMENT && c.operator() == IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ
        };
        let place = info.constraints().position(|c| is_argument(&c) && c.is_usable());
        // Without it there is nothing to show: the tables it names must come first.
        let Some(place) = place else { return Ok(false) };
        let mut usage = info.constraint_usage(place);
        usage.set_argv_index(1);
        usage.set_omit(true);
        info.set_estimated_cost(10.0);
        info.set_estimated_rows(10);
        Ok(true)
    }

    fn open(&'vtab mut self) -> rusqlite::Result<RowCursor<'vtab>> {
        Ok(RowCursor { base: ffi::sqlite3_vtab_cursor::default(), rows: Vec::new(), at: 0, table: PhantomData })
    }
}

#[repr(C)]
struct RowCursor<'vtab> {
    /// SQLite's part; must come first.
    base: ffi::sqlite3_vtab_cursor,
    rows: Vec<Vec<Value>>,
    at: usize,
    table: PhantomData<&'vtab RowTable>,
}

// SAFETY: `repr(C)`, and SQLite's part comes first.
unsafe impl VTabCursor for RowCursor<'_> {
    fn filter(&mut self, _: c_int, _: Option<&str>, arguments: &Filters<'_>) -> rusqlite::Result<()> {
        let cell: Option<Vec<u8>> = arguments.get(0)?;
        let rows = cell.as_deref().map(decode_rows);
        self.at = 0;
        self.rows = match rows {
            None => Vec::new(),
            Some(Some(rows)) => rows,
            Some(None) => return Err(rusqlite::Error::ModuleError("a cell that holds no rows".to_string())),
        };
        Ok(())
    }

    fn next(&mut self) -> rusqlite::Result<()> {
        self.at += 1;
        Ok(())
    }

    fn eof(&self) -> bool {
        self.at >= self.rows.len()
    }

    fn column(&self, context: &mut Context, place: c_int) -> rusqlite::Result<()> {
        let row = self.rows.get(self.at);
        let cell = usize::try_from(place).ok().and_then(|place| row?.get(place));
        context.set_result(Output(cell.cloned().unwrap_or_default()))
    }

    fn rowid(&self) -> rusqlite::Result<i64> {
        Ok(i64::try_from(self.at).unwrap_or(i64::MAX))
    }
}
