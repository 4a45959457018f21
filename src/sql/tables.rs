//! The tables of one database, by name: a persistent map, so that the catalog after a schema change shares with the one before
//! all that the change did not concern. A database may have thousands, and sessions hold old catalogs while they need them.

use super::catalog::Table;
use rpds::RedBlackTreeMapSync;
use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Tables by name. A copy costs nothing, a change what it concerns. Encoded as a map is.
#[derive(Clone, Default)]
pub struct Tables(RedBlackTreeMapSync<String, Arc<Table>>);

impl Tables {
    pub fn len(&self) -> usize {
        self.0.size()
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The table of exactly this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Table>> {
        self.0.get(name)
    }
    pub fn contains_key(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
    /// Ascending by name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Arc<Table>)> {
        self.0.iter()
    }
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }
    pub fn values(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.0.values()
    }
    pub fn insert(&mut self, name: String, table: Arc<Table>) {
        self.0.insert_mut(name, table);
    }
    pub fn remove(&mut self, name: &str) -> Option<Arc<Table>> {
        let found = self.0.get(name).cloned()?;
        self.0.remove_mut(name);
        Some(found)
    }
    /// Keeps those whose name does.
    pub fn retain(&mut self, keeps: impl Fn(&str) -> bool) {
        let gone: Vec<String> = self.keys().filter(|name| !keeps(name)).cloned().collect();
        gone.iter().for_each(|name| {
            self.0.remove_mut(name);
        });
    }
    /// Changes those that `concerned` names.
    pub fn update(&mut self, concerned: impl Fn(&Table) -> bool, change: impl Fn(&mut Table)) {
        let tables: Vec<Arc<Table>> = self.values().filter(|table| concerned(table)).cloned().collect();
        for mut table in tables {
            change(Arc::make_mut(&mut table));
            self.insert(table.name.clone(), table);
        }
    }
    /// Those that `before` has otherwise, or not at all.
    pub fn unlike<'a>(&'a self, before: &'a Tables) -> impl Iterator<Item = (&'a String, &'a Arc<Table>)> {
        let same = |one: &Arc<Table>, other: &Arc<Table>| Arc::ptr_eq(one, other) || one == other;
        self.iter().filter(move |(name, table)| !before.get(name).is_some_and(|known| same(known, table)))
    }
}

impl PartialEq for Tables {
    fn eq(&self, other: &Tables) -> bool {
        self.len() == other.len() && self.unlike(other).next().is_none()
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl FromIterator<Arc<Table>> for Tables {
    fn from_iter<I: IntoIterator<Item = Arc<Table>>>(tables: I) -> Tables {
        Tables(tables.into_iter().map(|table| (table.name.clone(), table)).collect())
    }
}

impl Serialize for Tables {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Tables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tables, D::Error> {
        let tables = BTreeMap::<String, Arc<Table>>::deserialize(deserializer)?;
        Ok(Tables(tables.into_iter().collect()))
    }
}
