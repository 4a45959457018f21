//! The copies that this node gives out just now, for those who watch.

use crate::session::CopyRow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// All copies under way, in the order they began.
#[derive(Debug, Default)]
pub struct CopyBook(Mutex<BTreeMap<u64, CopyRow>>);

impl CopyBook {
    pub fn list(&self) -> Vec<CopyRow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// A node at `taker` asked for a copy. It is listed until what is returned is dropped.
    pub fn begin(self: &Arc<Self>, taker: IpAddr) -> UnderWay {
        let mut copies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = copies.last_key_value().map_or(0, |(last, _)| last + 1);
        copies.insert(number, CopyRow { taker, is_made: false, done_bytes: 0, total_bytes: 0 });
        UnderWay { book: self.clone(), number }
    }
}

/// One copy's place in the book.
pub struct UnderWay {
    book: Arc<CopyBook>,
    number: u64,
}

impl UnderWay {
    /// This node copies its own files first.
    pub fn making(&self, done_bytes: u64, total_bytes: u64) {
        self.set(false, done_bytes, total_bytes);
    }

    /// So much of the snapshot is at the taker.
    pub fn sent(&self, done_bytes: u64, total_bytes: u64) {
        self.set(true, done_bytes, total_bytes);
    }

    fn set(&self, is_made: bool, done_bytes: u64, total_bytes: u64) {
        let mut copies = self.book.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = copies.get_mut(&self.number) {
            *row = CopyRow { taker: row.taker, is_made, done_bytes, total_bytes };
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.book.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}
