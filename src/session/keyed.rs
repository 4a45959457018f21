//! Changes in two steps, all or none: a query finds rows, then each is changed or inserted by a statement of its own. So
//! are DELETE from and UPDATE of several tables, and ON DUPLICATE KEY UPDATE that names columns of a query.

use crate::sql::KeyedChange;
use crate::sqlite::{Error, Executed, Workspace};
use crate::types::Value;
use std::collections::BTreeMap;

const SAVEPOINT: &str = "__marmot_keyed";

/// Runs the query, then the changes. A row that the query finds several times is changed once, by what it found first.
pub(super) fn change_by_keys(
    workspace: &mut Workspace,
    query: &str,
    parameters: &[Value],
    keyed: &[KeyedChange],
) -> Result<Executed, Error> {
    let mut found: Vec<BTreeMap<Vec<Value>, Vec<Value>>> = vec![BTreeMap::new(); keyed.len()];
    let mut rows = workspace.query(query, parameters)?;
    while let Some(row) = rows.next()? {
        let mut column = 0;
        for (table, changes) in keyed.iter().zip(&mut found) {
            let cells = |from: usize, count: usize| (from..from + count).map(|i| row.value(i)).collect::<Vec<_>>();
            let (key, values) = (cells(column, table.keys), cells(column + table.keys, table.values));
            column += table.keys + table.values;
            if key.iter().any(|cell| *cell != Value::Null) {
                changes.entry(key).or_insert(values);
            }
        }
    }
    drop(rows);
    let changes = keyed.iter().zip(found).flat_map(|(table, changes)| {
        changes.into_iter().map(|(key, values)| (table.sql.as_str(), [key, values].concat()))
    });
    all_or_none(workspace, changes)
}

/// Runs `statement` for every row of the query. Its parameters are those of the query, then the row.
pub(super) fn run_rows(
    workspace: &mut Workspace,
    query: &str,
    parameters: &[Value],
    statement: &str,
) -> Result<Executed, Error> {
    let rows = workspace.query(query, parameters)?.collect()?;
    all_or_none(workspace, rows.into_iter().map(|row| (statement, [parameters, &row].concat())))
}

/// Runs statements with their parameters; counts what they did together.
fn all_or_none<'s>(
    workspace: &mut Workspace,
    statements: impl Iterator<Item = (&'s str, Vec<Value>)>,
) -> Result<Executed, Error> {
    workspace.savepoint(SAVEPOINT)?;
    let mut total = Executed::default();
    for (sql, parameters) in statements {
        match workspace.execute(sql, &parameters) {
            Ok(executed) => {
                total.rows.inserted += executed.rows.inserted;
                total.rows.deleted += executed.rows.deleted;
                total.rows.updated += executed.rows.updated;
                total.rows.unchanged += executed.rows.unchanged;
                total.changes += executed.changes;
            }
            Err(error) => {
                if !workspace.is_lost() {
                    workspace.rollback_to(SAVEPOINT)?;
                    workspace.release(SAVEPOINT)?;
                }
                return Err(error);
            }
        }
    }
    workspace.release(SAVEPOINT)?;
    Ok(total)
}
