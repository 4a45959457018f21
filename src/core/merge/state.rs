//! What a merge knows of one row, and how a write changes it.

use crate::types::{ColumnId, ColumnSet, IndexId, RowChange, Stamp, TxnId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a merge needs to know of a row.
///
/// **Invariants**: entries of `columns` and `uniques` are above `dead_at` and `whole`; `whole` is above `dead_at` or
/// `Stamp::NONE`; one entry a column, one an index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowState {
    /// The highest delete.
    pub dead_at: Stamp,
    pub dead_txn: TxnId,
    /// The highest insert above `dead_at`: it wrote every column.
    pub whole: Stamp,
    pub whole_txn: TxnId,
    /// The highest write that was not a delete, and whose it was: its record holds the image.
    pub top: Stamp,
    pub top_txn: TxnId,
    /// Columns written by updates above `dead_at` and `whole`, each with its highest write.
    pub columns: Vec<(ColumnId, Stamp, TxnId)>,
    /// What the highest write to each unique index put there: a value, or one with a NULL in it.
    pub uniques: Vec<(IndexId, Stamp, Option<Arc<[u8]>>)>,
    /// The row does not own one of its unique values and is not in the file: the highest claim it lost against. Else
    /// `Stamp::NONE`.
    pub hidden_by: Stamp,
}

/// How a write fared on a row.
#[derive(Debug, PartialEq, Eq)]
pub enum Played {
    /// Nothing of it counts.
    Lost,
    /// A delete: the row is gone.
    Deleted,
    /// A delete below the row's highest write, which keeps the row; what else was in it is gone.
    Outlived,
    /// These positions took their value from it.
    Wrote(ColumnSet),
    /// A delete was known, this is the highest write since and not an insert: these positions took their value from
    /// it, and so did all columns that nobody wrote since the delete.
    Revived(ColumnSet),
}

impl RowState {
    /// The highest write to a column by an insert or an update above `dead_at`.
    pub fn column(&self, column: ColumnId) -> (Stamp, TxnId) {
        let own = self.columns.iter().find(|(c, ..)| *c == column).map(|(_, s, t)| (*s, *t));
        own.unwrap_or((self.whole, self.whole_txn))
    }

    /// Whether something here was written by `txn`, which committed at `stamp`.
    pub fn rests_on(&self, txn: TxnId, stamp: Stamp) -> bool {
        [self.dead_txn, self.whole_txn, self.top_txn].contains(&txn)
            || self.columns.iter().any(|(_, _, t)| *t == txn)
            || self.uniques.iter().any(|(_, s, _)| *s == stamp)
    }

    /// Whether the row exists, hidden or not.
    pub fn is_alive(&self) -> bool {
        self.top > self.dead_at
    }

    pub fn is_hidden(&self) -> bool {
        self.hidden_by != Stamp::NONE
    }

    /// Columns nobody wrote since a known delete: they come from the image of the highest write.
    pub fn is_revived(&self) -> bool {
        self.is_alive() && self.dead_at > self.whole
    }

    /// Every transaction that has a part in the row, each once.
    pub fn writers(&self) -> Vec<(Stamp, TxnId)> {
        let columns = self.columns.iter().map(|(_, s, t)| (*s, *t));
        let all = columns.chain([(self.whole, self.whole_txn), (self.top, self.top_txn)]);
        let mut writers: Vec<(Stamp, TxnId)> = Vec::new();
        for (stamp, txn) in all {
            if stamp > self.dead_at && !writers.iter().any(|(_, t)| *t == txn) {
                writers.push((stamp, txn));
            }
        }
        writers
    }

    /// Whether anything recorded here was unknown to a writer who had recorded what `saw` says.
    pub fn has_unseen(&self, saw: impl Fn(TxnId) -> bool) -> bool {
        let known = |stamp: Stamp, txn: TxnId| stamp == Stamp::NONE || saw(txn);
        !(known(self.top, self.top_txn)
            && known(self.dead_at, self.dead_txn)
            && known(self.whole, self.whole_txn)
            && self.columns.iter().all(|(_, s, t)| known(*s, *t)))
    }

    /// Plays a write on the row, whatever others claim of its unique values.
    pub fn play(&mut self, stamp: Stamp, txn: TxnId, columns: &[ColumnId], change: &RowChange) -> Played {
        if change.after.is_none() {
            return self.delete(stamp, txn);
        }
        if stamp < self.dead_at {
            return Played::Lost;
        }
        let insert = change.before.is_none();
        let newest = stamp > self.top;
        let wins = |p: &usize| columns.get(*p).is_some_and(|c| stamp > self.column(*c).0);
        let winners: ColumnSet = change.changed.iter().filter(wins).collect();
        if insert {
            if stamp > self.whole {
                (self.whole, self.whole_txn) = (stamp, txn);
            }
            self.columns.retain(|(_, s, _)| *s > stamp);
            self.uniques.retain(|(_, s, _)| *s > stamp);
        } else {
            winners.iter().for_each(|position| self.write_column(columns[position], stamp, txn));
        }
        change.claims.iter().for_each(|u| self.write_index(u.index, stamp, Some(u.values.clone())));
        change.clears.iter().for_each(|index| self.write_index(*index, stamp, None));
        if newest {
            (self.top, self.top_txn) = (stamp, txn);
            if !insert && self.dead_at > self.whole {
                return Played::Revived(winners);
            }
        }
        if winners.is_empty() { Played::Lost } else { Played::Wrote(winners) }
    }

    fn delete(&mut self, stamp: Stamp, txn: TxnId) -> Played {
        if stamp <= self.dead_at {
            return Played::Lost;
        }
        (self.dead_at, self.dead_txn) = (stamp, txn);
        self.columns.retain(|(_, s, _)| *s > stamp);
        self.uniques.retain(|(_, s, _)| *s > stamp);
        if self.whole <= stamp {
            (self.whole, self.whole_txn) = (Stamp::NONE, TxnId::default());
        }
        match () {
            () if self.top <= stamp => Played::Deleted,
            () if self.whole > stamp => Played::Lost,
            () => Played::Outlived,
        }
    }

    fn write_column(&mut self, column: ColumnId, stamp: Stamp, txn: TxnId) {
        match self.columns.iter_mut().find(|(c, ..)| *c == column) {
            Some(entry) => *entry = (column, stamp, txn),
            None => self.columns.push((column, stamp, txn)),
        }
    }

    /// The columns of one unique index are written together, so the index is a register of its own.
    fn write_index(&mut self, index: IndexId, stamp: Stamp, value: Option<Arc<[u8]>>) {
        if stamp < self.whole {
            return;
        }
        match self.uniques.iter_mut().find(|(i, ..)| *i == index) {
            Some((_, highest, _)) if *highest > stamp => {}
            Some(entry) => *entry = (index, stamp, value),
            None => self.uniques.push((index, stamp, value)),
        }
    }
}
