//! Ids injected into statements: `marmot_auto_id(x)` and `marmot_row_id()`.
//!
//! An AUTO_INCREMENT column or a hidden row id must be the same on every node, so the INSERT's expression asks for it
//! here before the row exists. The session leases ids from the core; a statement that needs more than there are fails
//! with [`Error::NoIds`], has no effect, and is run again after another lease.

use super::connection::Fault;
use super::error::{Error, IdKind, Result};
use super::functions::{Output, arguments, raise};
use crate::types::Value;
use rusqlite::functions::FunctionFlags;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The leases of one connection. Clones share them.
#[derive(Clone, Default)]
pub struct IdSource(Arc<Mutex<Leases>>);

#[derive(Default)]
struct Leases {
    auto: VecDeque<(i64, u64)>,
    row: VecDeque<(i64, u64)>,
    zero_is_a_value: bool,
    first_generated: Option<i64>,
    /// Ids taken by the running statement, to give them back if it fails.
    taken: Vec<(IdKind, i64)>,
}

impl IdSource {
    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the ids `first..first + count`.
    pub fn lease(&self, kind: IdKind, first: i64, count: u64) {
        if count > 0 {
            self.leases().of(kind).push_back((first, count));
        }
    }

    /// To be called before a statement runs for the first time: forgets which id was generated first.
    /// `zero_is_a_value` is the SQL mode NO_AUTO_VALUE_ON_ZERO.
    pub fn start_statement(&self, zero_is_a_value: bool) {
        let mut leases = self.leases();
        leases.zero_is_a_value = zero_is_a_value;
        leases.first_generated = None;
        leases.taken.clear();
    }

    /// The first AUTO_INCREMENT id this statement generated: what LAST_INSERT_ID() becomes if its row was inserted.
    pub fn first_generated(&self) -> Option<i64> {
        self.leases().first_generated
    }

    /// All AUTO_INCREMENT ids this statement generated.
    pub fn generated(&self) -> BTreeSet<i64> {
        self.leases().taken.iter().filter(|(kind, _)| *kind == IdKind::Auto).map(|(_, id)| *id).collect()
    }

    /// How many ids are left.
    pub fn left(&self, kind: IdKind) -> u64 {
        self.leases().of(kind).iter().map(|(_, count)| count).sum()
    }

    /// Drops the ids that are left: the next table is another one.
    pub fn clear(&self, kind: IdKind) {
        self.leases().of(kind).clear();
    }

    /// Gives back what a failed statement took, so that it gets the same ids when it is run again.
    pub(super) fn undo_statement(&self) {
        let mut leases = self.leases();
        while let Some((kind, id)) = leases.taken.pop() {
            match leases.of(kind).front_mut() {
                Some((first, count)) if *first == id + 1 => {
                    *first = id;
                    *count += 1;
                }
                _ => leases.of(kind).push_front((id, 1)),
            }
        }
        leases.first_generated = None;
    }

    pub(super) fn register(&self, connection: &rusqlite::Connection, fault: &Fault) -> Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8;
        let (ids, out) = (self.clone(), fault.clone());
        let auto = move |context: &rusqlite::functions::Context<'_>| {
            let value = arguments(context).pop().unwrap_or_default();
            ids.leases().auto_id(value).map(Output).map_err(|e| raise(&out, e))
        };
        connection.create_scalar_function("marmot_auto_id", 1, flags, auto).map_err(super::connection::outer_error)?;
        let (ids, out) = (self.clone(), fault.clone());
        let row = move |_: &rusqlite::functions::Context<'_>| {
            ids.leases().take(IdKind::Row).map(|id| Output(Value::Int(id))).map_err(|e| raise(&out, e))
        };
        connection.create_scalar_function("marmot_row_id", 0, flags, row).map_err(super::connection::outer_error)
    }
}

impl Leases {
    fn of(&mut self, kind: IdKind) -> &mut VecDeque<(i64, u64)> {
        match kind {
            IdKind::Auto => &mut self.auto,
            IdKind::Row => &mut self.row,
        }
    }

    fn take(&mut self, kind: IdKind) -> Result<i64> {
        let ranges = self.of(kind);
        let Some((first, count)) = ranges.front_mut() else { return Err(Error::NoIds(kind)) };
        let id = *first;
        *count -= 1;
        if *count == 0 {
            ranges.pop_front();
        } else {
            *first += 1;
        }
        self.taken.push((kind, id));
        Ok(id)
    }

    fn auto_id(&mut self, value: Value) -> Result<Value> {
        let wanted = match &value {
            Value::Null => true,
            Value::Int(0) => !self.zero_is_a_value,
            Value::Real(x) => x.0 == 0.0 && !self.zero_is_a_value,
            Value::Text(t) => &**t == "0" && !self.zero_is_a_value,
            Value::Int(_) | Value::Blob(_) => false,
        };
        if !wanted {
            return Ok(value);
        }
        let id = self.take(IdKind::Auto)?;
        self.first_generated.get_or_insert(id);
        Ok(Value::Int(id))
    }
}
