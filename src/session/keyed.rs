//! DELETE from and UPDATE of several tables: a query finds the keys of all rows and their new values, then each row is
//! changed by its key, all or none.

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
    workspace.savepoint(SAVEPOINT)?;
    let mut total = Executed::default();
    for (table, changes) in keyed.iter().zip(found) {
        for (key, values) in changes {
            match workspace.execute(&table.sql, &[key, values].concat()) {
                Ok(executed) => {
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
    }
    workspace.release(SAVEPOINT)?;
    Ok(total)
}
