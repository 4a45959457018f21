//! The merged result is a function of the set of writes: random histories, replayed in random causal orders, against
//! each other and against a definition that looks at the whole set at once.

use super::{KeyStates, hide_again, merge, remnant};
use crate::core::message::{Body, Record};
use crate::core::planted::Planted;
use crate::core::storage::{Storage, Table, encode, load};
use crate::core::testkit::MemStorage;
use crate::types::{
    ColumnId, ColumnSet, Epoch, Hlc, IndexId, Key, NodeId, RowChange, RowImage, RowKey, RowOp, Stamp, TableChanges,
    TableId, TxnId, UniqueValue, Value, VersionVector, WriteLevel, WriteSet,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const NODES: usize = 3;
/// key, two columns with a unique index each, one without.
const WIDTH: usize = 4;

fn table() -> TableId {
    TableId::new(NodeId(9), 1)
}

fn unique(index: usize, cell: &Value) -> Option<UniqueValue> {
    let Value::Int(value) = cell else { return None };
    Some(UniqueValue { index: IndexId(index as u32), values: value.to_be_bytes().as_slice().into() })
}

fn change(key: u8, before: Option<RowImage>, after: Option<RowImage>) -> RowChange {
    let mut change = RowChange {
        key: [key].into(),
        changed: match (&before, &after) {
            (Some(b), Some(a)) => (0..WIDTH).filter(|i| b[*i] != a[*i]).collect(),
            _ => ColumnSet::all(WIDTH),
        },
        claims: vec![],
        releases: vec![],
        keeps: vec![],
        clears: vec![],
        before,
        after,
    };
    for index in 0..2 {
        let value = |image: &Option<RowImage>| image.as_ref().and_then(|i| unique(index, &i[index + 1]));
        let (old, new) = (value(&change.before), value(&change.after));
        match change.changed.contains(index + 1) {
            false => change.keeps.extend(new),
            true => {
                if new.is_none() && change.before.is_some() && change.after.is_some() {
                    change.clears.push(IndexId(index as u32));
                }
                change.releases.extend(old.filter(|old| Some(old) != new.as_ref()));
                change.claims.extend(new);
            }
        }
    }
    change
}

type Write = (Arc<Record>, Stamp);

fn change_of(write: &Write) -> &RowChange {
    let Body::Write(write_set) = &write.0.body else { panic!("only rows are written here") };
    &write_set.tables[0].rows[0]
}

/// One node: its key states, its log, and its file.
#[derive(Default)]
struct Replica {
    keys: KeyStates,
    store: MemStorage,
    rows: BTreeMap<u8, RowImage>,
    log: Vec<Write>,
    saw: VersionVector,
    clock: u64,
    /// Key states kept in memory: the rest is spilled after every write.
    limit: Option<usize>,
}

impl Replica {
    fn apply(&mut self, write: &Write) {
        let (record, stamp) = write;
        assert!(self.saw.covers(&record.dependencies), "causal order");
        self.saw.insert(record.txn);
        self.clock = self.clock.max(stamp.hlc.0);
        self.log.push(write.clone());
        self.store.put(Table::Record, &record.txn.to_bytes(), &encode(&**record)).unwrap();
        let seq = self.log.len() as u64;
        let merged = merge(&mut self.keys, &mut self.store, record, *stamp, seq, Planted::none()).unwrap();
        for eviction in &merged.evictions {
            assert!(self.rows.remove(&eviction.row.key[0]).is_some(), "who gives way was there");
        }
        let change = change_of(write);
        let key = change.key[0];
        let op = merged.amendments.first().map(|(.., op)| op.clone());
        match op {
            Some(RowOp::Skip) => {}
            Some(RowOp::Delete { .. }) => drop(self.rows.remove(&key)),
            Some(RowOp::Put { image, changed }) => self.put(key, &image, &changed),
            None => match &change.after {
                None => drop(self.rows.remove(&key)),
                Some(after) => {
                    assert!(change.before.is_none() || self.rows.contains_key(&key), "an update finds its row");
                    self.put(key, after, &change.changed);
                }
            },
        }
        self.check_unique();
        if let Some(limit) = self.limit {
            self.keys.spill(&mut self.store, limit).unwrap();
        }
    }

    fn put(&mut self, key: u8, image: &RowImage, changed: &ColumnSet) {
        let cell = |i: usize, old: &RowImage| if changed.contains(i) { image[i].clone() } else { old[i].clone() };
        let merged = match self.rows.get(&key) {
            Some(old) => (0..WIDTH).map(|i| cell(i, old)).collect(),
            None => image.clone(),
        };
        self.rows.insert(key, merged);
    }

    fn check_unique(&self) {
        for index in 0..2 {
            let values: Vec<_> = self.rows.values().filter_map(|r| unique(index, &r[index + 1])).collect();
            assert!((1..values.len()).all(|i| !values[..i].contains(&values[i])), "{:?}", self.rows);
        }
    }

    /// A client here writes what it may, given what it sees.
    fn write(&mut self, node: usize, key: u8, cells: Option<[Option<i64>; 2]>, touch: bool, quorum: bool) {
        let before = self.rows.get(&key).cloned();
        let note = Value::Int(1000 + self.clock as i64);
        let after: Option<RowImage> = match (&before, cells) {
            (None, None) => return,
            (Some(_), None) => None,
            (Some(row), Some(_)) if touch => Some([row[0].clone(), row[1].clone(), row[2].clone(), note].into()),
            (_, Some([u, w])) => {
                let cell = |v: Option<i64>| v.map_or(Value::Null, Value::Int);
                Some([Value::Int(key.into()), cell(u), cell(w), note].into())
            }
        };
        let taken = |image: &RowImage| {
            let others = self.rows.iter().filter(|(k, _)| **k != key);
            others.flat_map(|(_, r)| [(1, r), (2, r)]).any(|(i, r)| image[i] != Value::Null && r[i] == image[i])
        };
        if after.as_ref().is_some_and(taken) {
            return;
        }
        let columns = (0..WIDTH as u32).map(ColumnId).collect();
        let rows = vec![change(key, before, after)];
        let tables = vec![TableChanges { database: "d".into(), table: table(), columns, rows }];
        self.clock += 1;
        let node = NodeId(node as u64 + 1);
        let sequence = self.saw.prefix(node) + 1;
        let record = Record {
            txn: TxnId { origin: node, sequence },
            begin: Stamp::NONE,
            epoch: Epoch::default(),
            voters: Arc::from([]),
            // Validated only in name: no quorum was asked. Merging must cope with whatever a QUORUM commit meets.
            level: if quorum { WriteLevel::Quorum } else { WriteLevel::One },
            dependencies: self.saw.clone(),
            body: Body::Write(Arc::new(WriteSet { tables, ..WriteSet::default() })),
        };
        let stamp = Stamp { hlc: Hlc(self.clock), node };
        self.apply(&(Arc::new(record), stamp));
    }

    fn pull(&mut self, from: &[Write]) {
        for write in from {
            if !self.saw.contains(write.0.txn) {
                self.apply(write);
            }
        }
    }

    /// Leaves of the log what key states rest on, as compaction does, and makes the states again of that, as a restart does.
    fn compact_and_restart(&mut self) {
        let stored = |store: &MemStorage, write: &Write| {
            let key = write.0.txn.to_bytes();
            load::<Record>(store, Table::Record, &key).unwrap().map(|record| (key, record))
        };
        for write in &self.log {
            let Some((key, record)) = stored(&self.store, write) else { continue };
            match remnant(&self.keys, &self.store, &record, write.1).unwrap() {
                Some(rows) => {
                    let record = Record { body: Body::Write(Arc::new(rows)), ..record };
                    self.store.put(Table::Record, &key, &encode(&record)).unwrap();
                }
                None => self.store.delete(Table::Record, &key).unwrap(),
            }
        }
        KeyStates::clear_spilled(&mut self.store).unwrap();
        self.keys = KeyStates::default();
        for (write, seq) in self.log.iter().zip(1..) {
            if let Some((_, record)) = stored(&self.store, write) {
                merge(&mut self.keys, &mut self.store, &record, write.1, seq, Planted::none()).unwrap();
            }
        }
        hide_again(&mut self.keys, &self.store).unwrap();
    }

    /// Which row holds each unique value, as far as any claims it.
    fn registers(&self) -> BTreeMap<UniqueValue, (Arc<[u8]>, Stamp)> {
        let mut registers = BTreeMap::new();
        for value in self.log.iter().flat_map(|w| &change_of(w).claims) {
            let state = self.keys.get(&self.store, &Key::Unique(table(), value.clone())).unwrap();
            let owner = state.and_then(|s| s.owner.clone()).expect("claimed values have an owner");
            registers.insert(value.clone(), (owner.row, owner.stamp));
        }
        registers
    }
}

/// The definition in the text of this module, applied to a whole set at once.
fn defined(writes: &[Write]) -> BTreeMap<u8, RowImage> {
    let mut sorted: Vec<&Write> = writes.iter().collect();
    sorted.sort_by_key(|w| w.1);
    let owner = |value: &UniqueValue| {
        sorted.iter().rev().map(|w| change_of(w)).find(|c| c.claims.contains(value)).map(|c| c.key.clone())
    };
    let mut rows = BTreeMap::new();
    for key in 0..u8::MAX {
        let own = || sorted.iter().map(|w| change_of(w)).filter(|c| c.key[0] == key);
        let since = own().collect::<Vec<_>>();
        let since = since.rsplit(|c| c.after.is_none()).next().unwrap_or(&[]);
        let Some(top) = since.last() else { continue };
        let image: RowImage = (0..WIDTH)
            .map(|i| {
                let writer = since.iter().rev().find(|c| c.changed.contains(i)).unwrap_or(top);
                writer.after.as_ref().expect("deletes are cut off")[i].clone()
            })
            .collect();
        let owns =
            |index: usize| unique(index, &image[index + 1]).is_none_or(|v| owner(&v).is_none_or(|o| *o == [key]));
        if owns(0) && owns(1) {
            rows.insert(key, image);
        }
    }
    rows
}

#[derive(Clone, Debug)]
enum Step {
    Write { node: usize, key: u8, cells: Option<[Option<i64>; 2]>, touch: bool, quorum: bool },
    Pull { from: usize, to: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let cell = || prop::option::weighted(0.7, 0i64..4);
    let cells = prop::option::weighted(0.8, (cell(), cell()).prop_map(|(u, w)| [u, w]));
    let write = (0..NODES, 0u8..4, cells, prop::bool::weighted(0.3), prop::bool::weighted(0.2));
    prop_oneof![
        3 => write.prop_map(|(node, key, cells, touch, quorum)| Step::Write { node, key, cells, touch, quorum }),
        1 => (0..NODES, 0..NODES).prop_map(|(from, to)| Step::Pull { from, to }),
    ]
}

/// The writes in an order that respects causality, chosen by `picks`.
fn ordered(writes: &[Write], picks: &[usize]) -> Vec<Write> {
    let (mut left, mut order, mut held) = (writes.to_vec(), Vec::new(), VersionVector::new());
    while !left.is_empty() {
        let ready: Vec<usize> = (0..left.len()).filter(|i| held.covers(&left[*i].0.dependencies)).collect();
        let next = left.remove(ready[picks[order.len() % picks.len()] % ready.len()]);
        held.insert(next.0.txn);
        order.push(next);
    }
    order
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn the_result_is_a_function_of_the_set_of_writes(
        steps in prop::collection::vec(step(), 1..40),
        orders in prop::collection::vec(prop::collection::vec(0usize..64, 1..40), 3),
        limit in 0usize..6,
        life in 1usize..8,
    ) {
        let mut authors: Vec<Replica> = (0..NODES).map(|_| Replica::default()).collect();
        for step in steps {
            match step {
                Step::Write { node, key, cells, touch, quorum } => authors[node].write(node, key, cells, touch, quorum),
                Step::Pull { from, to } => {
                    let log = authors[from].log.clone();
                    authors[to].pull(&log);
                }
            }
        }
        for node in 0..NODES {
            let log = authors[node].log.clone();
            authors.iter_mut().for_each(|a| a.pull(&log));
        }
        let all = authors[0].log.clone();
        let registers = authors[0].registers();
        for (n, picks) in orders.iter().enumerate() {
            let mut replica = Replica { limit: (n == 0).then_some(limit), ..Replica::default() };
            for (place, write) in ordered(&all, picks).iter().enumerate() {
                replica.apply(write);
                if n < 2 && place % life == 0 {
                    replica.compact_and_restart();
                }
            }
            authors.push(replica);
        }
        let expected = defined(&all);
        for replica in &authors {
            prop_assert_eq!(&replica.rows, &expected, "{:?}", replica.log.iter().map(|w| w.0.txn).collect::<Vec<_>>());
            prop_assert_eq!(&replica.registers(), &registers);
        }
    }
}

/// Two rows on two nodes, one value: the later stamp keeps it, the earlier row is hidden, and a later name of its own
/// brings it back whole.
#[test]
fn a_hidden_row_comes_back_under_another_name() {
    let mut nodes: Vec<Replica> = (0..2).map(|_| Replica::default()).collect();
    nodes[0].write(0, 1, Some([Some(7), None]), false, false);
    nodes[1].clock = 10;
    nodes[1].write(1, 2, Some([Some(7), None]), false, false);
    let (first, second) = (nodes[0].log.clone(), nodes[1].log.clone());
    nodes[1].pull(&first);
    assert_eq!(nodes[1].rows.keys().copied().collect::<Vec<_>>(), [2]);
    nodes[0].clock = 20;
    nodes[0].write(0, 1, Some([Some(8), None]), false, false);
    nodes[0].pull(&second);
    let first = nodes[0].log.clone();
    nodes[1].pull(&first);
    for node in &nodes {
        assert_eq!(node.rows.keys().copied().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(node.rows[&1][1], Value::Int(8));
    }
    let row = Key::Row(RowKey { table: table(), key: [1].into() });
    let state = nodes[1].keys.get(&nodes[1].store, &row).unwrap().unwrap();
    assert!(!state.row.as_ref().unwrap().is_hidden());
}
