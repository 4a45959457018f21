//! The key states above the dropped horizon: in memory, in bounded number, the oldest spilled to storage.

use super::readers::Readers;
use super::state::RowState;
use crate::core::fault::Fatal;
use crate::core::planted::{Bug, Planted};
use crate::core::storage::{Storage, Table, decode, encode, load, save};
use crate::types::{ApplySeq, Hlc, Key, RowKey, Stamp, TxnId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Spilled states looked at at once.
const SWEPT: usize = 256;

/// What is remembered of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyState {
    /// The highest stamp written to the key (the last-writer-wins stamp).
    pub stamp: Stamp,
    /// The highest stamp of a QUORUM or ALL commit to it. Kept apart: a ONE write with a higher stamp must not hide a
    /// QUORUM commit (DESIGN rule 7).
    pub quorum: Stamp,
    /// Committed transactions above the horizon that held the key in `Read` (rule 8).
    pub readers: Readers,
    /// Where in this node's apply order the key was last written, and last held in `Read`.
    pub written_at: ApplySeq,
    pub read_at: ApplySeq,
    /// For a row.
    pub row: Option<Box<RowState>>,
    /// For a unique value: its highest claim. A release does not end it.
    pub owner: Option<Claim>,
    /// It has an entry among the touched.
    queued: bool,
}

/// A row's hold on a unique value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The key of the row that claimed.
    #[serde(with = "crate::types::bytes")]
    pub row: Arc<[u8]>,
    /// `Stamp::NONE` if the row was only seen to give the value up, its claim being below the horizon.
    pub stamp: Stamp,
    pub txn: TxnId,
}

impl KeyState {
    /// Whether something here is of `txn`, which committed at `stamp`: without its record it could not be made again.
    pub fn rests_on(&self, txn: TxnId, stamp: Stamp) -> bool {
        self.stamp == stamp
            || self.quorum == stamp
            || self.readers.rest_on(txn, stamp)
            || self.owner.as_ref().is_some_and(|owner| owner.txn == txn)
            || self.row.as_ref().is_some_and(|row| row.rests_on(txn, stamp))
    }

    fn newest(&self) -> Stamp {
        let hidden = self.row.as_ref().map_or(Stamp::NONE, |row| row.hidden_by);
        self.stamp.max(self.quorum).max(self.readers.newest()).max(hidden)
    }
}

/// All key states of a node.
///
/// **Invariants**: a key with a write or a `Read` hold above `horizon` has a state, in memory or spilled; a state in
/// memory has one entry in `touched`, however often it is written; `horizon` never decreases.
#[derive(Debug, Default)]
pub struct KeyStates {
    states: BTreeMap<Key, KeyState>,
    /// Keys in the order they were first touched since they were last looked at, to find what can be dropped or spilled
    /// without a full scan.
    touched: VecDeque<(Stamp, Key)>,
    /// States up to here may be gone.
    horizon: Hlc,
    spilled: u64,
    /// Where the search for spilled states that may go continues.
    sweep: Vec<u8>,
    planted: Planted,
}

impl KeyStates {
    pub fn new(horizon: Hlc, planted: Planted) -> KeyStates {
        KeyStates { horizon, planted, ..KeyStates::default() }
    }

    /// States at or below this were dropped.
    pub fn horizon(&self) -> Hlc {
        self.horizon
    }

    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// The state of a key above the horizon.
    pub fn get(&self, store: &dyn Storage, key: &Key) -> Result<Option<std::borrow::Cow<'_, KeyState>>, Fatal> {
        if let Some(state) = self.states.get(key) {
            return Ok(Some(std::borrow::Cow::Borrowed(state)));
        }
        if self.spilled == 0 {
            return Ok(None);
        }
        let spilled: Option<KeyState> = load(store, Table::KeyState, &encode(key))?;
        Ok(spilled.map(std::borrow::Cow::Owned))
    }

    /// Whether the key was written, or its row hidden, above the horizon. Until it is looked at again, a key that sank below
    /// has a state still.
    pub fn is_recent(&self, store: &dyn Storage, key: &Key) -> Result<bool, Fatal> {
        Ok(self.get(store, key)?.is_some_and(|state| state.newest().hlc > self.horizon))
    }

    /// The state of a key for change, created or brought back from storage. The caller must [`KeyStates::touch`] it.
    pub fn entry(&mut self, store: &mut dyn Storage, key: &Key) -> Result<&mut KeyState, Fatal> {
        if self.spilled > 0 && !self.states.contains_key(key) {
            let bytes = encode(key);
            if let Some(state) = load(store, Table::KeyState, &bytes)? {
                store.delete(Table::KeyState, &bytes)?;
                self.spilled -= 1;
                self.states.insert(key.clone(), state);
            }
        }
        Ok(self.states.entry(key.clone()).or_default())
    }

    /// Notes that `key`, which has a state in memory, was written or read at `stamp`.
    pub fn touch(&mut self, key: Key, stamp: Stamp) {
        if let Some(state) = self.states.get_mut(&key)
            && !state.queued
        {
            state.queued = true;
            self.touched.push_back((stamp, key));
        }
    }

    /// Drops states at or below `horizon`. Work is bounded by what was touched since the last call.
    pub fn drop_below(&mut self, store: &mut dyn Storage, horizon: Hlc) -> Result<(), Fatal> {
        let early = self.planted.has(Bug::TombstoneDroppedEarly);
        if horizon <= self.horizon && !early {
            return Ok(());
        }
        self.horizon = self.horizon.max(horizon);
        let mut again = Vec::new();
        while let Some((stamp, _)) = self.touched.front() {
            if stamp.hlc > self.horizon && !early {
                break;
            }
            let Some((_, key)) = self.touched.pop_front() else { break };
            let Some(state) = self.states.get_mut(&key) else { continue };
            state.readers.drop_below(self.horizon);
            let newest = state.newest();
            if newest.hlc <= self.horizon || early {
                self.states.remove(&key);
            } else {
                // Written again since: its turn comes when that has sunk, too.
                again.push((newest, key));
            }
        }
        self.touched.extend(again);
        if self.spilled > 0 {
            self.drop_spilled(store)?;
        }
        Ok(())
    }

    /// Moves the oldest states to storage until at most `limit` are in memory. They come back when asked for.
    pub fn spill(&mut self, store: &mut dyn Storage, limit: usize) -> Result<(), Fatal> {
        let mut rounds = self.touched.len();
        while self.states.len() > limit && rounds > 0 {
            rounds -= 1;
            let Some((_, key)) = self.touched.pop_front() else { break };
            if let Some(mut state) = self.states.remove(&key) {
                state.queued = false;
                save(store, Table::KeyState, &encode(&key), &state)?;
                self.spilled += 1;
            }
        }
        Ok(())
    }

    /// Removes spilled states that fell below the horizon. A bounded number is looked at, each call going on where the one
    /// before it ended, so that states which must stay hide none that may go.
    fn drop_spilled(&mut self, store: &mut dyn Storage) -> Result<(), Fatal> {
        let found = store.scan(Table::KeyState, &self.sweep, SWEPT)?;
        self.sweep = match found.last() {
            Some((last, _)) if found.len() == SWEPT => [last.as_slice(), &[0]].concat(),
            Some(_) | None => Vec::new(),
        };
        for (key, bytes) in found {
            let state: KeyState = decode(Table::KeyState, &bytes)?;
            if state.newest().hlc <= self.horizon {
                store.delete(Table::KeyState, &key)?;
                self.spilled = self.spilled.saturating_sub(1);
            }
        }
        Ok(())
    }

    /// The rows with a state in memory.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&RowKey, &RowState)> {
        self.states.iter().filter_map(|(key, state)| match (key, &state.row) {
            (Key::Row(key), Some(row)) => Some((key, &**row)),
            (Key::Row(_) | Key::Unique(..) | Key::Schema(_) | Key::Members, _) => None,
        })
    }

    /// A row with a state in memory lost a unique value to a claim at `by`.
    pub(super) fn hide(&mut self, row: RowKey, by: Stamp) {
        let key = Key::Row(row);
        if let Some(row) = self.states.get_mut(&key).and_then(|state| state.row.as_mut()) {
            row.hidden_by = by;
        }
        self.touch(key, by);
    }

    /// Forgets by what names the readers of a key are known: see [`Readers::fold`].
    pub fn fold_readers(&mut self, key: &Key) {
        if let Some(state) = self.states.get_mut(key) {
            state.readers.fold();
        }
    }

    /// Removes leftovers of an earlier life: states are rebuilt from the log at start.
    pub fn clear_spilled(store: &mut dyn Storage) -> Result<(), Fatal> {
        loop {
            let entries = store.scan(Table::KeyState, &[], 1024)?;
            if entries.is_empty() {
                return Ok(());
            }
            for (key, _) in entries {
                store.delete(Table::KeyState, &key)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::testkit::MemStorage;
    use crate::types::{NodeId, TableId};

    fn key(n: u8) -> Key {
        Key::Row(RowKey { table: TableId::new(NodeId(1), 1), key: Arc::from([n]) })
    }

    fn write(keys: &mut KeyStates, store: &mut MemStorage, n: u8, at: u64) {
        let stamp = Stamp { hlc: Hlc(at), node: NodeId(1) };
        keys.entry(store, &key(n)).unwrap().stamp = stamp;
        keys.touch(key(n), stamp);
    }

    #[test]
    fn a_hot_key_takes_no_more_room_while_the_watermark_stands_still() {
        let (mut keys, mut store) = (KeyStates::new(Hlc::ZERO, Planted::none()), MemStorage::default());
        for at in 1..=1000 {
            write(&mut keys, &mut store, (at % 2) as u8, at);
        }
        assert_eq!((keys.len(), keys.touched.len()), (2, 2));
        keys.drop_below(&mut store, Hlc(999)).unwrap();
        assert_eq!((keys.len(), keys.touched.len()), (1, 1), "one of them was written above the horizon");
        keys.drop_below(&mut store, Hlc(1000)).unwrap();
        assert_eq!((keys.len(), keys.touched.len()), (0, 0));
    }

    #[test]
    fn spilled_states_that_must_stay_hide_none_that_may_go() {
        let (mut keys, mut store) = (KeyStates::new(Hlc::ZERO, Planted::none()), MemStorage::default());
        let name = |n: u64| Key::Row(RowKey { table: TableId::new(NodeId(1), 1), key: Arc::from(n.to_be_bytes()) });
        // Twice as many as are looked at, those that must stay first.
        let count = 2 * SWEPT as u64;
        for n in 0..count {
            let stamp = Stamp { hlc: Hlc(if n < SWEPT as u64 { 1000 } else { 1 }), node: NodeId(1) };
            keys.entry(&mut store, &name(n)).unwrap().stamp = stamp;
            keys.touch(name(n), stamp);
        }
        keys.spill(&mut store, 0).unwrap();
        for horizon in 1..=4 {
            keys.drop_below(&mut store, Hlc(horizon)).unwrap();
        }
        assert_eq!(store.scan(Table::KeyState, &[], 10_000).unwrap().len(), SWEPT);
    }

    #[test]
    fn a_state_comes_back_from_storage_and_is_dropped_in_its_turn() {
        let (mut keys, mut store) = (KeyStates::new(Hlc::ZERO, Planted::none()), MemStorage::default());
        (1..=4).for_each(|n| write(&mut keys, &mut store, n, u64::from(n)));
        keys.spill(&mut store, 2).unwrap();
        assert_eq!((keys.len(), keys.touched.len()), (2, 2));
        assert_eq!(keys.get(&store, &key(1)).unwrap().map(|s| s.stamp.hlc), Some(Hlc(1)));
        write(&mut keys, &mut store, 1, 5);
        assert_eq!((keys.len(), keys.touched.len()), (3, 3));
        keys.drop_below(&mut store, Hlc(4)).unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys.get(&store, &key(2)).unwrap().map(|s| s.stamp), None);
        keys.drop_below(&mut store, Hlc(5)).unwrap();
        assert_eq!((keys.len(), keys.touched.len()), (0, 0));
    }
}
