//! Storage in memory, with rounds and crashes.

use crate::core::{Fatal, Storage, Table};
use std::collections::BTreeMap;

type Rows = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// What a round wrote becomes durable at [`MemStorage::commit`]; [`MemStorage::crash`] loses the rest.
#[derive(Clone, Debug, Default)]
pub struct MemStorage {
    durable: Rows,
    view: Rows,
    pub full: bool,
}

impl MemStorage {
    pub fn commit(&mut self) {
        self.durable = self.view.clone();
    }
    pub fn crash(&mut self) {
        self.view = self.durable.clone();
    }
}

impl Storage for MemStorage {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fatal> {
        Ok(self.view.get(&(table, key.to_vec())).cloned())
    }
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Fatal> {
        self.view.insert((table, key.to_vec()), value.to_vec());
        Ok(())
    }
    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Fatal> {
        self.view.remove(&(table, key.to_vec()));
        Ok(())
    }
    fn scan(&self, table: Table, from: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Fatal> {
        let rows = self.view.range((table, from.to_vec())..).take_while(|((t, _), _)| *t == table);
        Ok(rows.take(limit).map(|((_, k), v)| (k.clone(), v.clone())).collect())
    }
    fn scan_back(&self, table: Table, from: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Fatal> {
        let rows = self.view.range(..=(table, from.to_vec())).rev().take_while(|((t, _), _)| *t == table);
        Ok(rows.take(limit).map(|((_, k), v)| (k.clone(), v.clone())).collect())
    }
    fn has_room(&self) -> bool {
        !self.full
    }
}
