//! Who held a key in `Read`: the latest by name, those before by origin, so that a parent row with a million children
//! costs no more than one with a few.

use crate::types::{Hlc, Stamp, TxnId, VersionVector};
use serde::{Deserialize, Serialize};

/// How many are remembered by name.
const BY_NAME: usize = 32;

/// The committed transactions above the horizon that held a key in `Read` (DESIGN rule 8).
///
/// **Invariant**: bounded by [`BY_NAME`] and the number of origins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readers {
    /// In the order they were recorded.
    latest: Vec<(TxnId, Stamp)>,
    /// Of each origin the highest position among the others, with the highest stamp: stands for every position of that
    /// origin up to it. A writer must have seen them all, though some of them were no readers: it is refused once too
    /// often rather than once too seldom, and its next snapshot has them.
    before: Vec<(TxnId, Stamp)>,
}

impl Readers {
    pub fn push(&mut self, txn: TxnId, stamp: Stamp) {
        if self.latest.len() >= BY_NAME {
            let (txn, stamp) = self.latest.remove(0);
            self.push_before(txn, stamp);
        }
        self.latest.push((txn, stamp));
    }

    fn push_before(&mut self, txn: TxnId, stamp: Stamp) {
        match self.before.iter_mut().find(|(t, _)| t.origin == txn.origin) {
            Some((t, s)) => (t.sequence, *s) = (t.sequence.max(txn.sequence), stamp.max(*s)),
            None => self.before.push((txn, stamp)),
        }
    }

    /// Makes those known by name stand for all before them: of a compacted log the records of others are gone.
    pub fn fold(&mut self) {
        for (txn, stamp) in std::mem::take(&mut self.latest) {
            self.push_before(txn, stamp);
        }
    }

    /// Whether something here is of `txn`, which committed at `stamp`.
    pub fn rest_on(&self, txn: TxnId, stamp: Stamp) -> bool {
        self.latest.iter().chain(&self.before).any(|(t, s)| *t == txn || *s == stamp)
    }

    /// The stamp of a reader that a writer with this snapshot has not seen, if there is one.
    pub fn unseen(&self, snapshot: &VersionVector) -> Option<Stamp> {
        let by_name = self.latest.iter().find(|(t, _)| !snapshot.contains(*t));
        let by_origin = || self.before.iter().find(|(t, _)| snapshot.prefix(t.origin) < t.sequence);
        by_name.or_else(by_origin).map(|(_, stamp)| *stamp)
    }

    pub fn newest(&self) -> Stamp {
        self.latest.iter().chain(&self.before).map(|(_, s)| *s).max().unwrap_or(Stamp::NONE)
    }

    /// Forgets readers at or below `horizon`.
    pub fn drop_below(&mut self, horizon: Hlc) {
        self.latest.retain(|(_, s)| s.hlc > horizon);
        self.before.retain(|(_, s)| s.hlc > horizon);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::NodeId;

    const N: NodeId = NodeId(1);

    fn txn(sequence: u64) -> TxnId {
        TxnId { origin: N, sequence }
    }

    fn stamp(sequence: u64) -> Stamp {
        Stamp { hlc: Hlc(sequence), node: N }
    }

    #[test]
    fn many_readers_take_bounded_room_and_are_all_remembered() {
        let mut readers = Readers::default();
        (1..=10_000).for_each(|n| readers.push(txn(n), stamp(n)));
        assert!(readers.latest.len() <= BY_NAME && readers.before.len() == 1);
        let mut snapshot = VersionVector::new();
        for seen in 1..10_000 {
            snapshot.insert(txn(seen));
            assert!(readers.unseen(&snapshot).is_some(), "{seen} of 10000 seen");
        }
        snapshot.insert(txn(10_000));
        assert_eq!(readers.unseen(&snapshot), None);
    }

    /// What a restart makes of a compacted log refuses every writer that would be refused without.
    #[test]
    fn readers_made_again_of_those_that_others_rest_on_forget_none() {
        let all: Vec<u64> = (1..=100).map(|n| 2 * n).collect();
        let mut readers = Readers::default();
        all.iter().for_each(|n| readers.push(txn(*n), stamp(*n)));
        let mut again = Readers::default();
        for n in all.iter().filter(|n| readers.rest_on(txn(**n), stamp(**n))) {
            again.push(txn(*n), stamp(*n));
            again.fold();
        }
        assert_eq!(again.newest(), readers.newest());
        for lacking in &all {
            let snapshot: VersionVector = (1..=200).filter(|n| n != lacking).map(txn).collect();
            assert!(again.unseen(&snapshot).is_some(), "the reader at {lacking}");
        }
    }

    #[test]
    fn the_latest_are_known_by_name_and_old_ones_are_dropped() {
        let mut readers = Readers::default();
        (1..=3).for_each(|n| readers.push(txn(2 * n), stamp(2 * n)));
        // Positions 1, 3 and 5 were no readers: a snapshot without them has seen every reader.
        let snapshot: VersionVector = [txn(2), txn(4), txn(6)].into_iter().collect();
        assert_eq!(readers.unseen(&snapshot), None);
        assert_eq!(readers.newest(), stamp(6));
        assert_eq!(readers.unseen(&VersionVector::new()), Some(stamp(2)));
        readers.drop_below(Hlc(4));
        assert_eq!(readers.unseen(&VersionVector::new()), Some(stamp(6)));
        readers.drop_below(Hlc(6));
        assert_eq!((readers.unseen(&VersionVector::new()), readers.newest()), (None, Stamp::NONE));
    }
}
