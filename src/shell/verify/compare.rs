//! Two nodes' rows of one range: sums of buckets, and the rows that differ.

use super::BUCKETS;
use crate::sqlite::{KeyCells, RowDigest, RowMark, encode_key};
use crate::types::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A row that is not the same on two nodes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Suspect {
    pub key: KeyCells,
    pub mine: Option<RowDigest>,
    pub theirs: Option<RowDigest>,
}

/// The bucket of a key. Two spellings of one key may have two: then each side lists what it has.
pub(super) fn bucket(key: &[Value]) -> usize {
    let encoded = encode_key(key.iter().map(|cell| (cell, Default::default())));
    let digest: [u8; 32] = Sha256::digest(&encoded).into();
    usize::from(digest[0]) % BUCKETS
}

/// For each bucket the sum of its rows' digests, whatever their order.
pub(super) fn sums(marks: &[RowMark]) -> Vec<u128> {
    let mut sums = vec![0u128; BUCKETS];
    for mark in marks {
        let sum = &mut sums[bucket(&mark.key)];
        *sum = sum.wrapping_add(u128::from_be_bytes(mark.digest));
    }
    sums
}

/// The buckets whose sums differ.
pub(super) fn differing(mine: &[u128], theirs: &[u128]) -> Vec<u32> {
    (0u32..).zip(mine.iter().zip(theirs)).filter(|(_, (a, b))| a != b).map(|(at, _)| at).collect()
}

/// The rows that differ, ascending by identity, at most `limit`; `identity` says which keys are one.
pub(super) fn suspects<K: Ord, E>(
    mine: &[&RowMark],
    theirs: &[RowMark],
    limit: usize,
    identity: impl Fn(&[Value]) -> Result<K, E>,
) -> Result<Vec<Suspect>, E> {
    let mut rows: BTreeMap<K, Suspect> = BTreeMap::new();
    for mark in mine {
        let suspect = Suspect { key: mark.key.clone(), mine: Some(mark.digest), theirs: None };
        rows.insert(identity(&mark.key)?, suspect);
    }
    for mark in theirs {
        let only_theirs = || Suspect { key: mark.key.clone(), mine: None, theirs: None };
        rows.entry(identity(&mark.key)?).or_insert_with(only_theirs).theirs = Some(mark.digest);
    }
    Ok(rows.into_values().filter(|row| row.mine != row.theirs).take(limit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mark(key: i64, content: u8) -> RowMark {
        RowMark { key: vec![Value::Int(key)], digest: [content; 16] }
    }

    fn found(mine: &[RowMark], theirs: &[RowMark]) -> Vec<i64> {
        let buckets = differing(&sums(mine), &sums(theirs));
        let is_in = |m: &&RowMark| buckets.contains(&(bucket(&m.key) as u32));
        let mine: Vec<&RowMark> = mine.iter().filter(is_in).collect();
        let theirs: Vec<RowMark> = theirs.iter().filter(is_in).cloned().collect();
        let key = |key: &[Value]| Ok::<_, ()>(key.to_vec());
        let suspects = suspects(&mine, &theirs, usize::MAX, key).expect("keys are keys");
        suspects.iter().map(|s| if let Value::Int(key) = s.key[0] { key } else { panic!("{s:?}") }).collect()
    }

    #[test]
    fn a_row_changed_lacking_or_too_much_is_found_and_no_other() {
        let mine: Vec<RowMark> = (0..1000).map(|key| mark(key, 1)).collect();
        let mut theirs = mine.clone();
        theirs[500].digest = [2; 16];
        theirs.remove(20);
        theirs.push(mark(2000, 1));
        assert_eq!(found(&mine, &theirs), [20, 500, 2000]);
        assert_eq!(found(&mine, &mine), Vec::<i64>::new());
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_differs(
            mine in proptest::collection::btree_map(0i64..200, 0u8..3, 0..100),
            theirs in proptest::collection::btree_map(0i64..200, 0u8..3, 0..100),
        ) {
            let marks = |rows: &BTreeMap<i64, u8>| rows.iter().map(|(k, c)| {
                // As a real digest has it: the key counts.
                let digest: [u8; 32] = Sha256::digest([k.to_be_bytes().as_slice(), &[*c]].concat()).into();
                RowMark { key: vec![Value::Int(*k)], digest: *digest.first_chunk().expect("32 bytes") }
            }).collect::<Vec<_>>();
            let differ = (0..200).filter(|key| mine.get(key) != theirs.get(key)).collect::<Vec<_>>();
            prop_assert_eq!(found(&marks(&mine), &marks(&theirs)), differ);
        }
    }
}
