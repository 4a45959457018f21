//! The key states above the dropped horizon: in memory, in bounded number, the oldest spilled to storage.

use super::state::RowState;
use crate::core::fault::Fatal;
use crate::core::planted::{Bug, Planted};
use crate::core::storage::{Storage, Table, decode, encode, load, save};
use crate::types::{ApplySeq, Hlc, Key, Stamp, TxnId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What is remembered of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyState {
    /// The highest stamp written to the key (the last-writer-wins stamp).
    pub stamp: Stamp,
    /// The highest stamp of a QUORUM or ALL commit to it. Kept apart: a ONE write with a higher stamp must not hide a
    /// QUORUM commit (DESIGN rule 7).
    pub quorum: Stamp,
    /// Committed transactions above the horizon that held the key in `Read` (rule 8).
    pub readers: Vec<(TxnId, Stamp)>,
    /// Where in this node's apply order the key was last written, and last held in `Read`.
    pub written_at: ApplySeq,
    pub read_at: ApplySeq,
    /// For a row.
    pub row: Option<Box<RowState>>,
    /// For a unique value: its highest claim. A release does not end it.
    pub owner: Option<Claim>,
}

/// A row's hold on a unique value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The key of the row that claimed.
    pub row: Arc<[u8]>,
    /// `Stamp::NONE` if the row was only seen to give the value up, its claim being below the horizon.
    pub stamp: Stamp,
    pub txn: TxnId,
}

impl KeyState {
    fn newest(&self) -> Stamp {
        let read = self.readers.iter().map(|(_, s)| *s).max().unwrap_or(Stamp::NONE);
        let hidden = self.row.as_ref().map_or(Stamp::NONE, |row| row.hidden_by);
        self.stamp.max(self.quorum).max(read).max(hidden)
    }
}

/// All key states of a node.
///
/// **Invariants**: a key with a write or a `Read` hold above `horizon` has a state, in memory or spilled; `horizon`
/// never decreases.
#[derive(Debug, Default)]
pub struct KeyStates {
    states: BTreeMap<Key, KeyState>,
    /// Keys in the order they were last touched, to find what can be dropped or spilled without a full scan.
    touched: VecDeque<(Stamp, Key)>,
    /// States up to here may be gone.
    horizon: Hlc,
    spilled: u64,
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

    /// Notes that `key` was written or read at `stamp`.
    pub fn touch(&mut self, key: Key, stamp: Stamp) {
        self.touched.push_back((stamp, key));
    }

    /// Drops states at or below `horizon`. Work is bounded by what was touched since the last call.
    pub fn drop_below(&mut self, store: &mut dyn Storage, horizon: Hlc) -> Result<(), Fatal> {
        let early = self.planted.has(Bug::TombstoneDroppedEarly);
        if horizon <= self.horizon && !early {
            return Ok(());
        }
        self.horizon = self.horizon.max(horizon);
        while let Some((stamp, _)) = self.touched.front() {
            if stamp.hlc > self.horizon && !early {
                break;
            }
            let Some((_, key)) = self.touched.pop_front() else { break };
            let Some(state) = self.states.get_mut(&key) else { continue };
            state.readers.retain(|(_, s)| s.hlc > self.horizon);
            if state.newest().hlc <= self.horizon || early {
                self.states.remove(&key);
            }
        }
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
            if let Some(state) = self.states.remove(&key) {
                save(store, Table::KeyState, &encode(&key), &state)?;
                self.spilled += 1;
            }
        }
        Ok(())
    }

    /// Removes spilled states that fell below the horizon, a bounded number at a time.
    fn drop_spilled(&mut self, store: &mut dyn Storage) -> Result<(), Fatal> {
        for (key, bytes) in store.scan(Table::KeyState, &[], 256)? {
            let state: KeyState = decode(Table::KeyState, &bytes)?;
            if state.newest().hlc <= self.horizon {
                store.delete(Table::KeyState, &key)?;
                self.spilled = self.spilled.saturating_sub(1);
            }
        }
        Ok(())
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
