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
///
/// **Invariant**: `folded` has the name of every table, and no two of them are the same without ASCII case: SQLite, which holds
/// them, does not tell those apart.
#[derive(Clone, Default)]
pub struct Tables {
    by_name: RedBlackTreeMapSync<String, Arc<Table>>,
    /// Names by themselves in lower case.
    folded: RedBlackTreeMapSync<String, String>,
}

impl Tables {
    pub fn len(&self) -> usize {
        self.by_name.size()
    }
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
    /// The table of exactly this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Table>> {
        self.by_name.get(name)
    }
    /// The table of this name, in any ASCII case.
    pub fn get_ignoring_case(&self, name: &str) -> Option<&Arc<Table>> {
        self.get(name).or_else(|| self.get(self.folded.get(&name.to_ascii_lowercase())?))
    }
    pub fn contains_key(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }
    /// Ascending by name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Arc<Table>)> {
        self.by_name.iter()
    }
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.by_name.keys()
    }
    pub fn values(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.by_name.values()
    }
    pub fn insert(&mut self, name: String, table: Arc<Table>) {
        self.folded.insert_mut(name.to_ascii_lowercase(), name.clone());
        self.by_name.insert_mut(name, table);
    }
    pub fn remove(&mut self, name: &str) -> Option<Arc<Table>> {
        let found = self.by_name.get(name).cloned()?;
        self.by_name.remove_mut(name);
        // Renamed to another case, it may be under its new name already.
        let folded = name.to_ascii_lowercase();
        if self.folded.get(&folded).is_some_and(|known| known == name) {
            self.folded.remove_mut(&folded);
        }
        Some(found)
    }
    /// Keeps those whose name does.
    pub fn retain(&mut self, keeps: impl Fn(&str) -> bool) {
        let gone: Vec<String> = self.keys().filter(|name| !keeps(name)).cloned().collect();
        for name in &gone {
            self.remove(name);
        }
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
        tables.into_iter().map(|table| (table.name.clone(), table)).collect()
    }
}

impl FromIterator<(String, Arc<Table>)> for Tables {
    fn from_iter<I: IntoIterator<Item = (String, Arc<Table>)>>(tables: I) -> Tables {
        let mut all = Tables::default();
        tables.into_iter().for_each(|(name, table)| all.insert(name, table));
        all
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
        Ok(tables.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog::{Database, TableOptions};
    use super::*;

    fn table(name: &str, number: u64) -> Arc<Table> {
        let id = crate::types::TableId::new(crate::types::NodeId(1), number);
        Arc::new(Table {
            id,
            name: name.into(),
            columns: vec![],
            primary: None,
            indexes: vec![],
            foreign_keys: vec![],
            checks: vec![],
            options: TableOptions {
                engine: "InnoDB".into(),
                collation: Default::default(),
                comment: String::new(),
                auto_increment: None,
                others: vec![],
                created: String::new(),
            },
            collations: Default::default(),
            next_column: 1,
            next_index: 1,
        })
    }

    fn found(tables: &Tables, name: &str) -> Option<u64> {
        tables.get_ignoring_case(name).map(|table| table.id.number)
    }

    #[test]
    fn names_are_found_in_any_case_whatever_happens_to_them() {
        let mut tables: Tables = [table("Old", 1), table("b", 2)].into_iter().collect();
        let before = tables.clone();
        assert_eq!((found(&tables, "OLD"), found(&tables, "B"), found(&tables, "c")), (Some(1), Some(2), None));
        // Renamed to another case, in either order.
        tables.insert("oLD".into(), table("oLD", 1));
        tables.remove("Old");
        assert_eq!((found(&tables, "old"), tables.len()), (Some(1), 2));
        tables.remove("oLD");
        tables.insert("OLD".into(), table("OLD", 1));
        assert_eq!(found(&tables, "old"), Some(1));
        tables.retain(|name| name != "b");
        assert_eq!((found(&tables, "b"), tables.len()), (None, 1));
        assert_eq!((found(&before, "old"), found(&before, "b"), before.len()), (Some(1), Some(2), 2));
    }

    #[test]
    fn two_are_the_same_if_their_tables_are_and_encoded_as_a_map_is() {
        let one: Tables = [table("a", 1), table("b", 2)].into_iter().collect();
        let mut other: Tables = [table("b", 2), table("a", 1)].into_iter().collect();
        assert_eq!(one, other);
        let map: BTreeMap<&String, &Arc<Table>> = one.iter().collect();
        let bytes = postcard::to_stdvec(&one).expect("plain data");
        assert_eq!(bytes, postcard::to_stdvec(&map).expect("plain data"));
        assert_eq!(postcard::from_bytes(&bytes), Ok(one.clone()));
        other.update(|table| table.name == "a", |table| table.next_column = 2);
        assert_eq!(other.unlike(&one).map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_ne!(one, other);
        let database = Database { tables: one, ..Database::new("d", Default::default(), 1) };
        assert_eq!(database.table_ignoring_case("A").map(|table| table.id.number), Some(1));
    }
}
