//! Version vectors: which positions of which origin a node holds.

use super::{NodeId, Sequence, TxnId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// A set of positions, held as a contiguous prefix per origin plus what is known above it.
///
/// **Invariants**: a position in `above` is greater than the prefix plus one; an origin with an empty prefix and no
/// positions above is absent, so that equal sets are equal values.
/// Origins are few and vectors are compared and copied all the time, so they lie side by side, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<(NodeId, Known)>")]
pub struct VersionVector {
    origins: Vec<(NodeId, Known)>,
}

/// What a peer or a disk says may come in any order.
impl From<Vec<(NodeId, Known)>> for VersionVector {
    fn from(mut origins: Vec<(NodeId, Known)>) -> VersionVector {
        if !origins.is_sorted_by(|a, b| a.0 < b.0) {
            origins.sort_by_key(|(origin, _)| *origin);
            origins.dedup_by_key(|(origin, _)| *origin);
        }
        VersionVector { origins }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Known {
    prefix: Sequence,
    above: BTreeSet<Sequence>,
}

impl VersionVector {
    pub fn new() -> Self {
        Self::default()
    }

    fn of(&self, origin: NodeId) -> Option<&Known> {
        let place = self.origins.binary_search_by_key(&origin, |(o, _)| *o).ok()?;
        Some(&self.origins[place].1)
    }

    fn entry(&mut self, origin: NodeId) -> &mut Known {
        let place = match self.origins.binary_search_by_key(&origin, |(o, _)| *o) {
            Ok(place) => place,
            Err(place) => {
                self.origins.insert(place, (origin, Known::default()));
                place
            }
        };
        &mut self.origins[place].1
    }

    /// Adds one position; false if it was held already.
    pub fn insert(&mut self, txn: TxnId) -> bool {
        let known = self.entry(txn.origin);
        if txn.sequence <= known.prefix || !known.above.insert(txn.sequence) {
            return false;
        }
        known.compact();
        true
    }

    /// Adds every position of `origin` up to and including `prefix`.
    pub fn insert_prefix(&mut self, origin: NodeId, prefix: Sequence) {
        if prefix == 0 {
            return;
        }
        let known = self.entry(origin);
        known.prefix = known.prefix.max(prefix);
        known.above = known.above.split_off(&(known.prefix + 1));
        known.compact();
    }

    pub fn contains(&self, txn: TxnId) -> bool {
        self.of(txn.origin).is_some_and(|k| txn.sequence <= k.prefix || k.above.contains(&txn.sequence))
    }

    /// Whether every position of `other` is held here.
    pub fn covers(&self, other: &VersionVector) -> bool {
        other.origins.iter().all(|(origin, theirs)| match self.of(*origin) {
            None => false,
            Some(ours) => {
                (theirs.prefix <= ours.prefix || (ours.prefix + 1..=theirs.prefix).all(|s| ours.above.contains(&s)))
                    && theirs.above.iter().all(|s| *s <= ours.prefix || ours.above.contains(s))
            }
        })
    }

    /// Adds everything `other` holds.
    pub fn join(&mut self, other: &VersionVector) {
        for (origin, theirs) in &other.origins {
            let ours = self.entry(*origin);
            if theirs.prefix > ours.prefix {
                ours.prefix = theirs.prefix;
                ours.above = ours.above.split_off(&(ours.prefix + 1));
            }
            ours.above.extend(theirs.above.iter().filter(|s| **s > ours.prefix));
            ours.compact();
        }
    }

    /// The contiguous prefix held of `origin`.
    pub fn prefix(&self, origin: NodeId) -> Sequence {
        self.of(origin).map_or(0, |k| k.prefix)
    }

    /// The highest position held of `origin`.
    pub fn highest(&self, origin: NodeId) -> Sequence {
        self.of(origin).map_or(0, |k| k.above.last().copied().unwrap_or(k.prefix))
    }

    /// Positions held above the prefix of `origin`, ascending.
    pub fn above(&self, origin: NodeId) -> impl Iterator<Item = Sequence> + '_ {
        self.of(origin).into_iter().flat_map(|k| k.above.iter().copied())
    }

    /// The origins of which at least one position is held, ascending.
    pub fn origins(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.origins.iter().map(|(origin, _)| *origin)
    }

    /// Positions of `self` that `other` lacks, ascending by origin; at most `limit`.
    pub fn missing_from<'a>(&'a self, other: &'a VersionVector, limit: usize) -> Vec<TxnId> {
        let mut missing = Vec::new();
        for (origin, ours) in &self.origins {
            let first = other.prefix(*origin) + 1;
            let positions = (first..=ours.prefix).chain(ours.above.iter().copied());
            let lacks = positions.map(|sequence| TxnId { origin: *origin, sequence }).filter(|t| !other.contains(*t));
            missing.extend(lacks.take(limit - missing.len()));
            if missing.len() >= limit {
                break;
            }
        }
        missing
    }

    /// The same without gaps: of each origin everything up to the highest position held.
    pub fn closed(&self) -> VersionVector {
        let mut closed = VersionVector::new();
        self.origins().for_each(|origin| closed.insert_prefix(origin, self.highest(origin)));
        closed
    }

    /// Only the positions of the two logs of `node`.
    pub fn of_node(&self, node: NodeId) -> VersionVector {
        self.part(|origin| origin.node() == node)
    }

    /// Only the positions of QUORUM logs.
    pub fn quorum_part(&self) -> VersionVector {
        self.part(|origin| !origin.is_one_log())
    }

    /// Only the positions of ONE logs.
    pub fn one_part(&self) -> VersionVector {
        self.part(NodeId::is_one_log)
    }

    fn part(&self, keep: impl Fn(NodeId) -> bool) -> VersionVector {
        let origins = self.origins.iter().filter(|(o, _)| keep(*o)).cloned().collect();
        VersionVector { origins }
    }

    /// How many positions of `self` the other lacks.
    pub fn count_missing_from(&self, other: &VersionVector) -> u64 {
        let origins = self.origins.iter().map(|(origin, ours)| {
            let theirs = other.prefix(*origin);
            let below = ours.prefix.saturating_sub(theirs);
            let filled = other.above(*origin).filter(|s| *s <= ours.prefix).count() as u64;
            let above = ours.above.iter().filter(|s| !other.contains(TxnId { origin: *origin, sequence: **s }));
            below - filled.min(below) + above.count() as u64
        });
        origins.sum()
    }

    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }
}

impl Known {
    fn compact(&mut self) {
        while self.above.first() == Some(&(self.prefix + 1)) {
            self.above.pop_first();
            self.prefix += 1;
        }
    }
}

impl fmt::Display for VersionVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (origin, known)) in self.origins.iter().enumerate() {
            let gap = if i == 0 { "" } else { " " };
            write!(f, "{gap}{origin}:{}", known.prefix)?;
            known.above.iter().try_for_each(|s| write!(f, "+{s}"))?;
        }
        f.write_str("}")
    }
}

impl FromIterator<TxnId> for VersionVector {
    fn from_iter<I: IntoIterator<Item = TxnId>>(positions: I) -> Self {
        let mut vector = VersionVector::new();
        for txn in positions {
            vector.insert(txn);
        }
        vector
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vector() -> impl Strategy<Value = VersionVector> {
        prop::collection::vec((1u64..4, 1u64..12), 0..30)
            .prop_map(|v| v.into_iter().map(|(n, s)| TxnId { origin: NodeId(n), sequence: s }).collect())
    }

    proptest! {
        #[test]
        fn join_is_a_lattice(a in vector(), b in vector(), c in vector()) {
            let join = |x: &VersionVector, y: &VersionVector| { let mut z = x.clone(); z.join(y); z };
            prop_assert_eq!(join(&a, &b), join(&b, &a));
            prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
            prop_assert_eq!(join(&a, &a), a.clone());
            prop_assert!(join(&a, &b).covers(&a));
            prop_assert_eq!(a.covers(&b), b.missing_from(&a, 1000).is_empty());
        }
    }
}
