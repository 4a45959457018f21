//! Which value a "Duplicate entry" was: SQLite names the key, MySQL's message has the value, and programs parse it.
//!
//! The failed statement is run once more as `OR REPLACE ... RETURNING` of the key's columns inside a savepoint that is
//! taken back at once. The rows it gives are the ones it would have written; the first whose key was there before, or
//! comes twice, is the one.

use crate::sql::Write;
use crate::sqlite::Workspace;
use crate::types::Value;
use std::collections::BTreeSet;

const SAVEPOINT: &str = "__marmot_duplicate";
/// A statement of more rows than this is not repeated for its message.
const ROWS: usize = 10_000;

/// The duplicate value in MySQL's form, `a-b` for a key of two columns; `None` if it cannot be found out.
pub(super) fn value(
    workspace: &mut Workspace,
    write: &Write,
    parameters: &[Value],
    columns: &[&str],
) -> Option<String> {
    let own = write.program.sql.rsplit_once(" RETURNING ").filter(|_| !write.returning.is_empty());
    let repeated = returning(own.map_or(&write.program.sql, |(sql, _)| sql), columns)?;
    workspace.savepoint(SAVEPOINT).ok()?;
    let rows = workspace.execute_returning(&repeated, parameters);
    workspace.rollback_to(SAVEPOINT).ok()?;
    let found = rows.ok().and_then(|(_, rows)| first_duplicate(workspace, write, columns, rows));
    workspace.release(SAVEPOINT).ok()?;
    found
}

/// The statement as one that overwrites and tells what it wrote.
fn returning(sql: &str, columns: &[&str]) -> Option<String> {
    let start = ["INSERT INTO ", "UPDATE "].into_iter().find(|start| sql.starts_with(start))?;
    if sql.contains(" RETURNING ") || sql.contains(" ON CONFLICT") {
        return None;
    }
    let (verb, rest) = (start.split(' ').next()?, &sql[start.len()..]);
    let into = if verb == "INSERT" { "INTO " } else { "" };
    Some(format!("{verb} OR REPLACE {into}{rest} RETURNING {}", list(columns)))
}

fn list(columns: &[&str]) -> String {
    columns.iter().map(|c| quoted(c)).collect::<Vec<_>>().join(", ")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn first_duplicate(
    workspace: &mut Workspace,
    write: &Write,
    columns: &[&str],
    rows: Vec<Vec<Value>>,
) -> Option<String> {
    let condition: Vec<String> = columns.iter().zip(1..).map(|(c, i)| format!("{} = ?{i}", quoted(c))).collect();
    let sql =
        format!("SELECT 1 FROM {}.{} WHERE {}", quoted(&write.database), quoted(&write.table), condition.join(" AND "));
    let single = rows.len() == 1;
    let mut seen = BTreeSet::new();
    for row in rows.into_iter().take(ROWS) {
        let there = single || workspace.query(&sql, &row).ok()?.next().ok()?.is_some();
        let text = row.iter().map(shown).collect::<Vec<_>>().join("-");
        if there || !seen.insert(row) {
            return Some(text);
        }
    }
    None
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::returning;

    #[test]
    fn only_plain_statements_are_repeated() {
        let insert = returning("INSERT INTO \"d\".\"t\" VALUES(?1)", &["a", "b"]);
        assert_eq!(insert.as_deref(), Some("INSERT OR REPLACE INTO \"d\".\"t\" VALUES(?1) RETURNING \"a\", \"b\""));
        let update = returning("UPDATE \"d\".\"t\" SET a = 1", &["a"]);
        assert_eq!(update.as_deref(), Some("UPDATE OR REPLACE \"d\".\"t\" SET a = 1 RETURNING \"a\""));
        assert_eq!(returning("INSERT OR IGNORE INTO t VALUES(1)", &["a"]), None);
        assert_eq!(returning("INSERT INTO t VALUES(1) ON CONFLICT DO NOTHING", &["a"]), None);
    }
}
