//! Loads libmarmot into a SQLite that knows nothing of Marmot, and uses its collations and functions.
//!
//! Usage: `extension_check PATH-OF-LIBMARMOT`

use rusqlite::{Connection, ffi};
use std::ffi::{CStr, CString};
use std::ptr;

type Failure = Box<dyn std::error::Error>;

fn load(connection: &Connection, library: &str) -> Result<(), Failure> {
    let library = CString::new(library)?;
    let mut text = ptr::null_mut();
    // SAFETY: an open connection, a NUL-terminated name, and an out pointer for the message.
    unsafe {
        ffi::sqlite3_enable_load_extension(connection.handle(), 1);
        if ffi::sqlite3_load_extension(connection.handle(), library.as_ptr(), ptr::null(), &mut text) == ffi::SQLITE_OK
        {
            return Ok(());
        }
        let why =
            if text.is_null() { "no reason given".into() } else { CStr::from_ptr(text).to_string_lossy().into_owned() };
        Err(why.into())
    }
}

const TABLE: &str = "
    CREATE TABLE people (
        name TEXT COLLATE utf8mb4_unicode_ci NOT NULL PRIMARY KEY,
        mail TEXT COLLATE utf8mb4_general_ci,
        born TEXT CHECK (marmot_dayofyear(born) > 0)
    );
    CREATE UNIQUE INDEX mails ON people (mail);
    INSERT INTO people VALUES ('Straße', 'José@example.org', '2024-02-29'), ('Ärger', 'ae@example.org', '2023-12-31');
";

/// Queries and what they answer.
const EXPECTED: &[(&str, &str)] = &[
    ("SELECT count(*) FROM people WHERE name = 'STRASSE '", "1"),
    ("SELECT count(*) FROM people WHERE mail = 'jose@EXAMPLE.org'", "1"),
    ("SELECT group_concat(name) FROM (SELECT name FROM people ORDER BY name)", "Ärger,Straße"),
    ("SELECT 'ä' > 'z' COLLATE utf8mb4_swedish_ci", "1"),
    ("SELECT marmot_md5('a')", "0cc175b9c0f1b6a831c399e269772661"),
    ("SELECT marmot_date_format('2024-02-29', '%W')", "Thursday"),
    ("SELECT marmot_concat_ws('-', 1, 'b')", "1-b"),
    ("PRAGMA integrity_check", "ok"),
];

const REFUSED: &[(&str, &str)] = &[
    ("INSERT INTO people VALUES ('strasse', 'x', '2024-01-01')", "UNIQUE constraint failed"),
    ("INSERT INTO people VALUES ('x', 'JOSE@example.org', '2024-01-01')", "UNIQUE constraint failed"),
    ("SELECT 'a' = 'b' COLLATE utf8mb4_klingon_ci", "no such collation sequence"),
];

fn main() -> Result<(), Failure> {
    let library = std::env::args().nth(1).ok_or("which library?")?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("people.db");
    let connection = Connection::open(&file)?;
    load(&connection, &library)?;
    connection.execute_batch(TABLE)?;
    drop(connection);
    // As another program would find the file.
    let connection = Connection::open(&file)?;
    let unaided = connection.query_row("SELECT count(*) FROM people WHERE name = 'strasse'", [], |_| Ok(()));
    assert!(unaided.is_err_and(|e| e.to_string().contains("no such collation")), "without the extension it cannot");
    load(&connection, &library)?;
    for (query, expected) in EXPECTED {
        let answer = connection.query_row(query, [], |r| r.get::<_, rusqlite::types::Value>(0)).map(shown)?;
        assert_eq!(answer, *expected, "{query}");
    }
    for (statement, error) in REFUSED {
        let told = connection.execute_batch(statement).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(told.contains(error), "{statement}: {told}");
    }
    println!("libmarmot: {} queries answered, {} refused", EXPECTED.len(), REFUSED.len());
    Ok(())
}

fn shown(value: rusqlite::types::Value) -> String {
    match value {
        rusqlite::types::Value::Integer(i) => i.to_string(),
        rusqlite::types::Value::Real(x) => x.to_string(),
        rusqlite::types::Value::Text(text) => text,
        other => format!("{other:?}"),
    }
}
