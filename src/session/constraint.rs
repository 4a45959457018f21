//! SQLite's errors in MySQL's terms: which key a duplicate hit, which foreign key failed.

use super::refusal;
use crate::mysql::{self, SqlError, SqlState};
use crate::sql::{Catalog, ForeignKey, Index, Table, WriteKind, index_name};
use crate::sqlite::{Constraint, Error};

/// What was being done, to tell which constraint is meant.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub catalog: &'a Catalog,
    pub database: &'a str,
    pub table: &'a str,
    /// `None`: a schema change.
    pub kind: Option<WriteKind>,
}

/// The error a client gets. `duplicate` is the value of the duplicate key, if the caller found out.
pub fn to_sql(error: Error, subject: Option<Subject<'_>>, duplicate: Option<&str>) -> SqlError {
    match error {
        Error::Constraint { kind, message } => constraint(kind, message, subject, duplicate),
        Error::Function(e) => SqlError { code: e.code, state: SqlState::parse(&e.state), message: e.message },
        Error::NoIds(_) => mysql::AUTOINC_READ_FAILED.with(&[]),
        Error::Interrupted { .. } => SqlError::new(1317, "Query execution was interrupted"),
        Error::TooLarge { limit } => refusal::too_large(None, limit),
        Error::NoSuchDatabase(name) => mysql::BAD_DB_ERROR.with(&[&name]),
        Error::BadDatabaseName(name) => mysql::WRONG_DB_NAME.with(&[&name]),
        Error::Unsupported(what) => SqlError::unsupported(what),
        Error::Busy => refusal::lock_wait_timeout(),
        Error::Full => mysql::DISK_FULL.message("Disk full; nothing was changed"),
        Error::Sqlite { code, message } => limit(code, &message).unwrap_or_else(|| SqlError::internal(message)),
        error @ (Error::TooManyDatabases(_) | Error::Unreplicated(_)) => SqlError::internal(error.to_string()),
    }
}

/// The error of a statement that is beyond a bound of SQLite's (<https://sqlite.org/limits.html>), which it tells in words.
fn limit(code: i32, message: &str) -> Option<SqlError> {
    match code & 0xff {
        TOO_BIG => return Some(mysql::NET_PACKET_TOO_LARGE.with(&[])),
        NO_MEMORY => return Some(mysql::OUTOFMEMORY.with(&[&0])),
        _ => {}
    }
    let is = |start: &str| message.starts_with(start);
    if is("too many arguments on function") || is("too many terms in compound SELECT") {
        Some(SqlError::unsupported(message))
    } else if is("too many columns in index") || is("too many columns in primary key") {
        Some(mysql::TOO_MANY_KEY_PARTS.with(&[&2000]))
    } else if is("too many columns") || is("too many terms in") {
        Some(mysql::TOO_MANY_FIELDS.with(&[]))
    } else if is("at most 64 tables in a join") {
        Some(mysql::TOO_MANY_TABLES.with(&[&64]))
    } else if is("too many SQL variables") || is("variable number must be between") {
        Some(mysql::PS_MANY_PARAM.with(&[]))
    } else if is("Expression tree is too large") || is("parser stack overflow") {
        Some(mysql::STACK_OVERRUN_NEED_MORE.message("Thread stack overrun: the statement is nested too deeply"))
    } else {
        None
    }
}

/// `SQLITE_TOOBIG` and `SQLITE_NOMEM`: <https://sqlite.org/rescode.html>.
const TOO_BIG: i32 = 18;
const NO_MEMORY: i32 = 7;

fn constraint(kind: Constraint, message: String, subject: Option<Subject<'_>>, duplicate: Option<&str>) -> SqlError {
    let table = subject.and_then(|s| s.catalog.table(s.database, s.table)).map(|t| &**t);
    match kind {
        Constraint::Unique(columns) | Constraint::PrimaryKey(columns) => {
            let table_name = columns.first().and_then(|c| c.split_once('.')).map_or("", |(t, _)| t);
            let hit = subject.and_then(|s| s.catalog.table(s.database, table_name)).map(|t| &**t).or(table);
            let key = hit.and_then(|t| key_of(t, &columns)).map_or("PRIMARY", |i| i.name.as_str());
            let table_name = hit.map_or(table_name, |t| t.name.as_str());
            mysql::DUP_ENTRY.with(&[&duplicate.unwrap_or(""), &format_args!("{table_name}.{key}")])
        }
        Constraint::NotNull(column) => mysql::BAD_NULL_ERROR.with(&[&column.rsplit('.').next().unwrap_or(&column)]),
        Constraint::Check(name) => SqlError::new(3819, format!("Check constraint '{name}' is violated.")),
        Constraint::ForeignKey => foreign_key(subject),
        Constraint::Other => SqlError::internal(message),
    }
}

/// The names of the columns of a unique key that SQLite reports as `["t.a", "t.b"]`.
pub fn column_names(columns: &[String]) -> Vec<&str> {
    columns.iter().map(|c| c.split_once('.').map_or(c.as_str(), |(_, name)| name)).collect()
}

/// The key that SQLite names by its columns, or by `index 'name'` where a part is an expression.
fn key_of<'a>(table: &'a Table, columns: &[String]) -> Option<&'a Index> {
    let keys = || table.primary.iter().chain(table.unique_indexes());
    if let [only] = columns
        && let Some(name) = only.strip_prefix("index '").and_then(|n| n.strip_suffix('\''))
    {
        return keys().find(|i| index_name(table.id, i) == name);
    }
    let names = column_names(columns);
    keys().find(|i| {
        i.columns.len() == names.len()
            && i.columns.iter().zip(&names).all(|(part, name)| table.name_of(part.column).eq_ignore_ascii_case(name))
    })
}

/// SQLite does not say which foreign key failed; where only one can have, MySQL's full text is given.
fn foreign_key(subject: Option<Subject<'_>>) -> SqlError {
    let Some(s) = subject else { return SqlError::new(1452, "a foreign key constraint fails") };
    let own = s.catalog.table(s.database, s.table).map(|t| &**t);
    let referencing: Vec<(&Table, &ForeignKey)> = s
        .catalog
        .database(s.database)
        .into_iter()
        .flat_map(|d| d.tables.values())
        .flat_map(|t| t.foreign_keys.iter().map(move |f| (&**t, f)))
        .filter(|(_, f)| f.parent_table.eq_ignore_ascii_case(s.table))
        .collect();
    let parent = match s.kind {
        Some(WriteKind::Delete) => true,
        Some(WriteKind::Insert | WriteKind::Upsert) => false,
        Some(WriteKind::Update | WriteKind::Replace) => own.is_none_or(|t| t.foreign_keys.is_empty()),
        None => false,
    };
    let candidates = match own {
        Some(t) if !parent => t.foreign_keys.iter().map(|f| (t, f)).collect(),
        _ => referencing,
    };
    let text = match candidates.as_slice() {
        [(child, key)] => describe(s.database, child, key),
        _ => format!("`{}`.`{}`", s.database, s.table),
    };
    let entry = if parent { mysql::ROW_IS_REFERENCED_2 } else { mysql::NO_REFERENCED_ROW_2 };
    entry.with(&[&text])
}

fn describe(database: &str, child: &Table, key: &ForeignKey) -> String {
    let list = |names: Vec<&str>| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    let columns = list(key.columns.iter().map(|c| child.name_of(*c)).collect());
    let parents = list(key.parent_columns.iter().map(String::as_str).collect());
    let mut text = format!(
        "`{database}`.`{}`, CONSTRAINT `{}` FOREIGN KEY ({columns}) REFERENCES `{}` ({parents})",
        child.name, key.name, key.parent_table
    );
    if key.on_delete != Default::default() {
        text.push_str(&format!(" ON DELETE {}", key.on_delete.sql()));
    }
    if key.on_update != Default::default() {
        text.push_str(&format!(" ON UPDATE {}", key.on_update.sql()));
    }
    text
}
