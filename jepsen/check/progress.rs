//! Some time after healing all nodes are equal, write, and answer.

use super::Report;
use std::collections::BTreeMap;

/// A table with its rows as text, in order; and the same for definitions.
pub type Dump = BTreeMap<String, Vec<String>>;

/// Names what differs among the nodes' tables.
pub fn differences(dumps: &[Dump]) -> Report {
    let mut report = Report::default();
    let Some(first) = dumps.first() else { return report };
    for (number, dump) in dumps.iter().enumerate().skip(1) {
        for table in first.keys().chain(dump.keys().filter(|table| !first.contains_key(*table))) {
            match (first.get(table), dump.get(table)) {
                (Some(a), Some(b)) if a == b => {}
                (Some(a), Some(b)) => {
                    let only_a: Vec<&String> = a.iter().filter(|row| !b.contains(row)).take(3).collect();
                    let only_b: Vec<&String> = b.iter().filter(|row| !a.contains(row)).take(3).collect();
                    report.broken(format!(
                        "{table}: node 1 has {} rows, node {} has {}; only on node 1: {only_a:?}; only there: {only_b:?}",
                        a.len(),
                        number + 1,
                        b.len()
                    ));
                }
                (a, _) => {
                    let has = if a.is_some() { 1 } else { number + 1 };
                    report.broken(format!("{table}: of nodes 1 and {} only {has} has it", number + 1));
                }
            }
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::clean;

    fn dump(rows: &[&str]) -> Dump {
        [("t".to_string(), rows.iter().map(|row| row.to_string()).collect())].into()
    }

    #[test]
    fn equal_nodes_are_clean() {
        assert!(clean(&differences(&[dump(&["1"]), dump(&["1"]), dump(&["1"])])));
    }

    #[test]
    fn a_different_row_and_a_missing_table_are_found() {
        assert!(!clean(&differences(&[dump(&["1"]), dump(&["2"])])));
        assert!(!clean(&differences(&[dump(&["1"]), dump(&["1", "2"])])));
        assert!(!clean(&differences(&[dump(&["1"]), Dump::new()])));
        assert!(!clean(&differences(&[Dump::new(), dump(&["1"])])));
    }
}
