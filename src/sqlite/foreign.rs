//! Reading an SQLite file that Marmot did not make, so that it can be imported: its tables, indexes and rows.

use super::cell::{integer, text};
use super::connection::{Connection, quoted, uri};
use super::error::{Error, Result};
use crate::types::Value;
use rusqlite::ffi;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr;

/// A foreign database file, open for reading.
pub struct ForeignDatabase {
    connection: Connection,
}

/// One ordinary table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignTable {
    pub name: String,
    pub columns: Vec<ForeignColumn>,
    /// Column names in the key's order; empty where only the rowid identifies rows.
    pub primary_key: Vec<String>,
    pub indexes: Vec<ForeignIndex>,
    pub foreign_keys: Vec<ForeignKeyReference>,
    /// The table's CREATE statement as its author wrote it.
    pub sql: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignColumn {
    pub name: String,
    /// The declared type; empty if none.
    pub declared: String,
    pub not_null: bool,
    /// The default as an SQL expression.
    pub default: Option<String>,
    /// Computed from other columns: rows carry no value for it.
    pub generated: bool,
    /// The collation it compares by: `BINARY`, `NOCASE`, `RTRIM`, or one of an application's own.
    pub collation: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignIndex {
    pub name: String,
    pub unique: bool,
    /// Column names and collations; `None` for an expression.
    pub columns: Vec<(Option<String>, String)>,
    pub partial: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKeyReference {
    pub columns: Vec<String>,
    pub parent: String,
    /// Empty: the parent's primary key.
    pub parent_columns: Vec<String>,
    pub on_delete: String,
    pub on_update: String,
}

impl ForeignDatabase {
    /// Opens the file read-only. It must not be one of ours.
    pub fn open(path: &Path, vfs: Option<&str>) -> Result<ForeignDatabase> {
        let connection = Connection::open_read_only(&uri(&path.to_string_lossy(), "mode=ro"), vfs, 5000)?;
        let mut database = ForeignDatabase { connection };
        if !database.rows("SELECT 1 FROM sqlite_schema WHERE name = '__marmot_state'")?.is_empty() {
            return Err(Error::Unsupported(format!("{} is a Marmot database", path.display())));
        }
        Ok(database)
    }

    fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Value>>> {
        self.connection.cached(sql)?.all([])
    }

    /// The ordinary tables, by name. Virtual tables, their shadows, views and triggers are left out; see
    /// [`ForeignDatabase::left_out`].
    pub fn tables(&mut self) -> Result<Vec<ForeignTable>> {
        let list = self.rows(
            "SELECT l.name, s.sql FROM pragma_table_list AS l JOIN sqlite_schema AS s ON s.name = l.name AND s.type = 'table'
             WHERE l.schema = 'main' AND l.type = 'table' AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY l.name",
        )?;
        list.iter().map(|row| self.table(text(row, 0), text(row, 1))).collect()
    }

    /// Names of what cannot be imported, with their kind.
    pub fn left_out(&mut self) -> Result<Vec<(String, String)>> {
        let rows = self.rows(
            "SELECT name, type FROM sqlite_schema WHERE type IN ('view', 'trigger')
             UNION ALL SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type = 'virtual' ORDER BY 1",
        )?;
        Ok(rows.iter().map(|row| (text(row, 0), text(row, 1))).collect())
    }

    fn table(&mut self, name: String, sql: String) -> Result<ForeignTable> {
        let argument = quoted(&name);
        let mut key: Vec<(i64, String)> = Vec::new();
        let mut columns = Vec::new();
        for row in self.rows(&format!("PRAGMA main.table_xinfo({argument})"))? {
            if integer(&row, 5) > 0 {
                key.push((integer(&row, 5), text(&row, 1)));
            }
            columns.push(ForeignColumn {
                collation: self.collation(&name, &text(&row, 1))?,
                name: text(&row, 1),
                declared: text(&row, 2),
                not_null: integer(&row, 3) != 0,
                default: row.get(4).filter(|v| **v != Value::Null).map(|_| text(&row, 4)),
                generated: integer(&row, 6) > 1,
            });
        }
        key.sort_unstable();
        let mut indexes = Vec::new();
        for row in self.rows(&format!("PRAGMA main.index_list({argument})"))? {
            if text(&row, 3) == "pk" {
                continue;
            }
            let index = text(&row, 1);
            let parts = self.rows(&format!("PRAGMA main.index_xinfo({})", quoted(&index)))?;
            let part = |part: &Vec<Value>| ((integer(part, 1) >= 0).then(|| text(part, 2)), text(part, 4));
            let columns = parts.iter().filter(|p| integer(p, 5) == 1).map(part).collect();
            indexes.push(ForeignIndex {
                name: index,
                unique: integer(&row, 2) != 0,
                columns,
                partial: integer(&row, 4) != 0,
            });
        }
        let mut foreign_keys: Vec<(i64, ForeignKeyReference)> = Vec::new();
        for row in self.rows(&format!("PRAGMA main.foreign_key_list({argument})"))? {
            let id = integer(&row, 0);
            if foreign_keys.last().is_none_or(|(last, _)| *last != id) {
                let reference = ForeignKeyReference {
                    columns: Vec::new(),
                    parent: text(&row, 2),
                    parent_columns: Vec::new(),
                    on_update: text(&row, 5),
                    on_delete: text(&row, 6),
                };
                foreign_keys.push((id, reference));
            }
            if let Some((_, reference)) = foreign_keys.last_mut() {
                reference.columns.push(text(&row, 3));
                reference.parent_columns.extend(row.get(4).filter(|v| **v != Value::Null).map(|_| text(&row, 4)));
            }
        }
        let primary_key = key.into_iter().map(|(_, name)| name).collect();
        let foreign_keys = foreign_keys.into_iter().map(|(_, reference)| reference).collect();
        Ok(ForeignTable { name, columns, primary_key, indexes, foreign_keys, sql })
    }

    fn collation(&self, table: &str, column: &str) -> Result<String> {
        let nul = |_| Error::Unsupported(format!("the name of column '{column}' of table '{table}'"));
        let (table, column) = (CString::new(table).map_err(nul)?, CString::new(column).map_err(nul)?);
        let mut collation = ptr::null();
        let unwanted = ptr::null_mut();
        // SAFETY: an open connection, NUL-terminated names, and out pointers that may be null where nothing is wanted.
        let code = unsafe {
            let (table, column) = (table.as_ptr(), column.as_ptr());
            let out = &raw mut collation;
            let (no_text, no_flag) = (unwanted, ptr::null_mut());
            let db = self.connection.raw();
            ffi::sqlite3_table_column_metadata(
                db,
                c"main".as_ptr(),
                table,
                column,
                no_text,
                out,
                no_flag,
                no_flag,
                no_flag,
            )
        };
        self.connection.check(code)?;
        // SAFETY: on success a NUL-terminated text that lives until the schema changes.
        let found = (!collation.is_null()).then(|| unsafe { CStr::from_ptr(collation) }.to_string_lossy().into_owned());
        Ok(found.unwrap_or_else(|| "BINARY".into()))
    }

    /// Positions in [`ForeignTable::foreign_keys`] of those that some row violates: SQLite checks them only if asked to.
    pub fn broken_references(&mut self, table: &ForeignTable) -> Result<BTreeSet<usize>> {
        let rows = self.rows(&format!("PRAGMA main.foreign_key_check({})", quoted(&table.name)))?;
        Ok(rows.iter().filter_map(|row| usize::try_from(integer(row, 3)).ok()).collect())
    }

    /// Calls `row` with each row of `table`: the cells of its columns in order, generated ones left out. `row` answers
    /// whether to go on.
    pub fn read(&mut self, table: &ForeignTable, mut row: impl FnMut(Vec<Value>) -> bool) -> Result<()> {
        let columns: Vec<String> = table.columns.iter().filter(|c| !c.generated).map(|c| quoted(&c.name)).collect();
        let sql = format!("SELECT {} FROM main.{}", columns.join(", "), quoted(&table.name));
        let mut rows = self.connection.query(&sql, &[])?;
        while let Some(cells) = rows.next()? {
            if !row(cells.to_vec()) {
                break;
            }
        }
        Ok(())
    }
}
