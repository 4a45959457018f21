//! A node's own durable state in memory: rounds that commit whole, crashes that lose the round in progress.

use marmot::core::{Fatal, Storage, Table};
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

/// The longest key that needs no allocation of its own: positions, places and names of single values are shorter.
const SHORT: usize = 28;

/// A key of a table.
#[derive(Clone, Debug)]
pub enum Key {
    Short(u8, [u8; SHORT]),
    Long(Vec<u8>),
}

impl Key {
    fn new(bytes: &[u8]) -> Key {
        if bytes.len() > SHORT {
            return Key::Long(bytes.to_vec());
        }
        let mut short = [0; SHORT];
        short[..bytes.len()].copy_from_slice(bytes);
        Key::Short(bytes.len() as u8, short)
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        match self {
            Key::Short(len, bytes) => &bytes[..usize::from(*len)],
            Key::Long(bytes) => bytes,
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Key {}
impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        let (ours, theirs): (&[u8], &[u8]) = (self.borrow(), other.borrow());
        ours.cmp(theirs)
    }
}

/// Implements the core's storage. Writes go in place with an undo list beside them: commits are free, crashes pay.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    tables: [BTreeMap<Key, Vec<u8>>; Table::ALL.len()],
    undo: Vec<(Table, Key, Option<Vec<u8>>)>,
    /// No room for user data.
    pub full: bool,
}

impl Disk {
    /// Whether the round in progress wrote something, so that committing it costs a disk sync.
    pub fn is_dirty(&self) -> bool {
        !self.undo.is_empty()
    }

    /// Whether it wrote what identity, clock, positions or membership rest on.
    pub fn wrote_meta(&self) -> bool {
        self.undo.iter().any(|(table, ..)| *table == Table::Meta)
    }

    /// Makes the round in progress durable.
    pub fn commit(&mut self) {
        self.undo.clear();
    }

    /// A crash: the round in progress never happened.
    pub fn lose_round(&mut self) {
        while let Some((table, key, old)) = self.undo.pop() {
            match old {
                Some(value) => self.tables[table as usize].insert(key, value),
                None => self.tables[table as usize].remove::<[u8]>(key.borrow()),
            };
        }
    }

    /// Whether its node belongs to no cluster yet.
    pub fn is_nobodys(&self) -> bool {
        matches!(marmot::core::has_membership(self), Ok(false))
    }

    /// Whether the log has remnants, or had.
    pub fn has_compacted(&self) -> bool {
        self.tables[Table::Meta as usize].contains_key::<[u8]>(b"compacted")
    }

    pub fn len(&self, table: Table) -> usize {
        self.tables[table as usize].len()
    }

    /// All entries of a table in order.
    pub fn entries(&self, table: Table) -> impl Iterator<Item = (&Key, &Vec<u8>)> {
        self.tables[table as usize].iter()
    }
}

impl Storage for Disk {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fatal> {
        Ok(self.tables[table as usize].get(key).cloned())
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Fatal> {
        let key = Key::new(key);
        let old = self.tables[table as usize].insert(key.clone(), value.to_vec());
        self.undo.push((table, key, old));
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Fatal> {
        if let Some(old) = self.tables[table as usize].remove(key) {
            self.undo.push((table, Key::new(key), Some(old)));
        }
        Ok(())
    }

    fn scan(&self, table: Table, from: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Fatal> {
        let range = self.tables[table as usize].range::<[u8], _>((Bound::Included(from), Bound::Unbounded));
        Ok(range.take(limit).map(|(k, v)| (<Key as Borrow<[u8]>>::borrow(k).to_vec(), v.clone())).collect())
    }

    fn scan_back(&self, table: Table, from: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Fatal> {
        let range = self.tables[table as usize].range::<[u8], _>((Bound::Unbounded, Bound::Included(from)));
        Ok(range.rev().take(limit).map(|(k, v)| (<Key as Borrow<[u8]>>::borrow(k).to_vec(), v.clone())).collect())
    }

    fn has_room(&self) -> bool {
        !self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_loses_exactly_the_round_in_progress() {
        let mut disk = Disk::default();
        disk.put(Table::Meta, b"a", b"1").unwrap();
        disk.commit();
        let before = disk.clone();
        disk.put(Table::Meta, b"a", b"2").unwrap();
        disk.put(Table::Meta, b"b", b"3").unwrap();
        disk.put(Table::Meta, b"a", b"4").unwrap();
        disk.delete(Table::Meta, b"a").unwrap();
        assert!(disk.is_dirty());
        disk.lose_round();
        assert_eq!(disk.tables, before.tables);
        assert_eq!(disk.get(Table::Meta, b"a").unwrap(), Some(b"1".to_vec()));
    }
}
