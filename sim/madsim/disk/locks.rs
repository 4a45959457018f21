//! File locks and shared memory among the handles of one machine, with the meaning SQLite gives them
//! (<https://sqlite.org/lockingv3.html>, <https://sqlite.org/walformat.html#wal_locks>). Nothing ever waits.

use rusqlite::ffi;
use std::collections::BTreeMap;
use std::ffi::c_int;

/// Locks on the shared memory: `SQLITE_SHM_NLOCK`.
pub(super) const SLOTS: usize = 8;
/// Bytes of a region of shared memory.
pub(super) const REGION: usize = 32 * 1024;

/// Aligned for 64-bit words, at an address that stays.
pub(super) type Region = Box<[u64; REGION / 8]>;

#[derive(Default)]
struct FileLocks {
    shared: usize,
    reserved: Option<u64>,
    pending: Option<u64>,
    exclusive: Option<u64>,
    regions: Vec<Region>,
    /// Handles that mapped shared memory. It goes with the last of them.
    mapped: usize,
    slot_shared: [usize; SLOTS],
    slot_exclusive: [Option<u64>; SLOTS],
}

/// What one handle holds.
#[derive(Default)]
pub(super) struct Held {
    pub level: c_int,
    shared: [bool; SLOTS],
    mapped: bool,
}

/// The locks of all files.
#[derive(Default)]
pub(super) struct Locks {
    files: BTreeMap<String, FileLocks>,
    /// Regions that dead handles may still point into.
    dead: Vec<Region>,
}

impl Locks {
    /// A handle of this file was opened.
    pub fn opened(&mut self, name: &str) {
        if !self.files.contains_key(name) {
            self.files.insert(name.to_string(), FileLocks::default());
        }
    }

    fn of(&mut self, name: &str) -> &mut FileLocks {
        self.files.get_mut(name).expect("the handle was opened in this life of the machine")
    }

    /// The machine stopped: nothing is locked, no memory is shared.
    pub fn forget(&mut self) {
        for file in std::mem::take(&mut self.files).into_values() {
            self.dead.extend(file.regions);
        }
    }

    /// Raises `held` to `level` if nobody is in the way.
    pub fn raise(&mut self, name: &str, id: u64, held: &mut Held, level: c_int) -> bool {
        if held.level >= level {
            return true;
        }
        let file = self.of(name);
        let others = |owner: Option<u64>| owner.is_some_and(|owner| owner != id);
        match level {
            ffi::SQLITE_LOCK_SHARED => {
                if others(file.pending) || others(file.exclusive) {
                    return false;
                }
                file.shared += 1;
            }
            ffi::SQLITE_LOCK_RESERVED => {
                if others(file.reserved) {
                    return false;
                }
                file.reserved = Some(id);
            }
            _ => {
                if others(file.pending) || others(file.reserved) {
                    return false;
                }
                file.pending = Some(id);
                if level == ffi::SQLITE_LOCK_EXCLUSIVE {
                    if file.shared > 1 {
                        held.level = ffi::SQLITE_LOCK_PENDING;
                        return false;
                    }
                    file.exclusive = Some(id);
                }
            }
        }
        held.level = level;
        true
    }

    pub fn lower(&mut self, name: &str, id: u64, held: &mut Held, level: c_int) {
        if held.level <= level {
            return;
        }
        let file = self.of(name);
        if level < ffi::SQLITE_LOCK_RESERVED {
            for owner in [&mut file.reserved, &mut file.pending, &mut file.exclusive] {
                if *owner == Some(id) {
                    *owner = None;
                }
            }
        }
        if level == ffi::SQLITE_LOCK_NONE {
            file.shared -= 1;
        }
        held.level = level;
    }

    pub fn is_reserved(&self, name: &str) -> bool {
        self.files.get(name).is_some_and(|file| file.reserved.is_some() || file.exclusive.is_some())
    }

    /// The address of a region; `None` if it does not exist and is not wanted enough to make it.
    pub fn map(&mut self, name: &str, held: &mut Held, index: usize, make: bool) -> Option<*mut u64> {
        let file = self.of(name);
        if !std::mem::replace(&mut held.mapped, true) {
            file.mapped += 1;
        }
        while file.regions.len() <= index {
            if !make {
                return None;
            }
            file.regions.push(Box::new([0; REGION / 8]));
        }
        Some(file.regions[index].as_mut_ptr())
    }

    pub fn unmap(&mut self, name: &str, id: u64, held: &mut Held) {
        self.unlock_slots(name, id, held, 0..SLOTS);
        if std::mem::take(&mut held.mapped) {
            let file = self.of(name);
            file.mapped -= 1;
            if file.mapped == 0 {
                // Whoever comes next begins with empty memory and recovers the index from the WAL.
                file.regions.clear();
            }
        }
    }

    pub fn lock_slots(
        &mut self,
        name: &str,
        id: u64,
        held: &mut Held,
        slots: std::ops::Range<usize>,
        exclusive: bool,
    ) -> bool {
        let file = self.of(name);
        let in_the_way = |i: usize| {
            let owned = file.slot_exclusive[i].is_some_and(|owner| owner != id);
            owned || (exclusive && file.slot_shared[i] > usize::from(held.shared[i]))
        };
        if slots.clone().any(in_the_way) {
            return false;
        }
        for i in slots {
            if exclusive {
                file.slot_exclusive[i] = Some(id);
            } else if !std::mem::replace(&mut held.shared[i], true) {
                file.slot_shared[i] += 1;
            }
        }
        true
    }

    pub fn unlock_slots(&mut self, name: &str, id: u64, held: &mut Held, slots: std::ops::Range<usize>) {
        let file = self.of(name);
        for i in slots {
            if file.slot_exclusive[i] == Some(id) {
                file.slot_exclusive[i] = None;
            }
            if std::mem::take(&mut held.shared[i]) {
                file.slot_shared[i] -= 1;
            }
        }
    }
}
