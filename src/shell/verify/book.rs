//! What came of comparing each table, for `marmot.verification` and for those who watch.

use super::verdict::Tally;
use crate::session::{Agreement, VerificationRow, VerificationStates};
use crate::types::{DatabaseName, NodeId, Wall};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The tables of this node, each with its last comparison; and whether somebody wants the next one now.
#[derive(Debug, Default)]
pub struct Book {
    tables: Mutex<BTreeMap<(DatabaseName, String), VerificationRow>>,
    wanted: Notify,
}

/// A comparison that reached the end of the table.
pub(super) struct Done {
    pub at: Wall,
    pub with: NodeId,
    pub rows: u64,
    pub tally: Tally,
    /// Differing rows that were not looked at, having been written a moment ago.
    pub unsettled: u64,
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(DatabaseName, String), VerificationRow>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when a comparison is wanted, at once if one was wanted since the last time.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// These are the tables there are.
    pub(super) fn set_tables(&self, tables: &[(DatabaseName, String)]) {
        let mut book = self.lock();
        book.retain(|table, _| tables.contains(table));
        for (database, table) in tables {
            let row = || VerificationRow {
                database: database.to_string(),
                table: table.clone(),
                compared_at: None,
                node: None,
                rows: 0,
                mismatches: 0,
                repaired: 0,
                undecided: 0,
                elsewhere: 0,
                definition: Agreement::Same,
                state: "not compared yet".into(),
            };
            book.entry((database.clone(), table.clone())).or_insert_with(row);
        }
    }

    pub(super) fn done(&self, table: &(DatabaseName, String), done: &Done) {
        let Tally { mismatches, repaired, undecided, elsewhere } = done.tally;
        let state = match done.tally {
            Tally { undecided: 1.., .. } => "DIFFERENT: no majority has these rows alike; see the log".to_string(),
            Tally { mismatches, repaired, .. } if mismatches > repaired => "rows to be repaired next time".to_string(),
            Tally { elsewhere: 1.., .. } => format!("node {} has rows to repair", done.with.0),
            _ if done.unsettled > 0 => format!("OK, but for {} rows just written", done.unsettled),
            _ => "OK".to_string(),
        };
        if let Some(row) = self.lock().get_mut(table) {
            (row.compared_at, row.node, row.rows) = (Some(done.at), Some(done.with), done.rows);
            (row.mismatches, row.repaired) = (mismatches, repaired);
            (row.undecided, row.elsewhere) = (undecided, elsewhere);
            row.definition = Agreement::Same;
            row.state = state;
        }
    }

    /// What came of comparing its definition, which is why its rows were not. What is known of them stays.
    pub(super) fn defined(&self, table: &(DatabaseName, String), with: NodeId, agreement: Agreement) {
        let state = match agreement {
            Agreement::Same => return,
            Agreement::OtherHere => "DIFFERENT DEFINITION: a majority has another one; see the log".to_string(),
            Agreement::Undecided => "DIFFERENT DEFINITION: no majority has this one; see the log".to_string(),
            Agreement::OtherThere => format!("node {} has another definition", with.0),
        };
        if let Some(row) = self.lock().get_mut(table) {
            (row.definition, row.state) = (agreement, state);
        }
    }

    /// Tables of which somebody has to see to this node's definition, by the last comparisons.
    pub(super) fn other_definitions(&self) -> u64 {
        self.lock().values().filter(|row| row.definition.is_trouble()).count() as u64
    }

    /// Why it was not compared this time. What is known of the last time stays.
    pub(super) fn skipped(&self, table: &(DatabaseName, String), why: &str) {
        if let Some(row) = self.lock().get_mut(table) {
            row.state = format!("skipped: {why}");
        }
    }

    /// Rows of this node that differ and that no majority decides, by the last comparisons.
    pub(super) fn undecided(&self) -> u64 {
        self.lock().values().map(|row| row.undecided).sum()
    }
}

impl VerificationStates for Book {
    fn list(&self) -> Vec<VerificationRow> {
        self.lock().values().cloned().collect()
    }

    fn begin(&self) {
        self.wanted.notify_one();
    }
}
