//! What is private to one overlay: a frozen copy of the WAL index, and the tail of the WAL that only it sees.

use super::error::{Error, Result};
use rusqlite::ffi;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{Ordering, fence};

/// Bytes of one region of the WAL index.
const REGION: usize = 32 * 1024;
/// Bytes of one copy of the WAL index header; there are two.
const HEADER: usize = 48;
/// Both headers and the checkpoint information after them.
const PREFIX: usize = 136;
/// Offsets within the header (`WalIndexHdr` in SQLite's wal.c).
const MAX_FRAME: usize = 16;
const SALT: usize = 32;
/// Offsets within the checkpoint information (`WalCkptInfo`).
const BACKFILL: usize = 96;
const READ_MARKS: usize = 100;
const BACKFILL_ATTEMPTED: usize = 128;
/// A torn header is written within microseconds; a writer that takes longer than this many looks is not there.
const LOOKS: usize = 1 << 20;

const _: () = assert!(READ_MARKS == BACKFILL + 4 && PREFIX == 2 * HEADER + 40);

/// What is private to one overlay.
pub(super) struct State {
    pub(super) regions: Vec<Box<Region>>,
    /// The header the regions were copied under, to copy only what changed.
    header: [u8; HEADER],
    max_frame: u32,
    /// Private frames were written since the last freeze: the regions no longer equal the shared index.
    dirty: bool,
    /// Where the private tail of the WAL begins; `None` while nothing was written.
    pub(super) tail_start: Option<i64>,
    pub(super) tail: Vec<u8>,
}

#[repr(C, align(8))]
pub(super) struct Region(pub(super) [u8; REGION]);

impl Region {
    pub(super) fn zeroed() -> Box<Region> {
        Box::new(Region([0; REGION]))
    }
}

/// The region that holds the index entry of `frame` (1-based). The first region has room for 34 fewer.
fn region_of(frame: u32) -> usize {
    (frame as usize + 33) / 4096
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_ne_bytes(word)
}

impl State {
    pub(super) fn new() -> State {
        State {
            regions: Vec::new(),
            header: [0; HEADER],
            max_frame: 0,
            dirty: false,
            tail_start: None,
            tail: Vec::new(),
        }
    }

    /// # Safety
    /// `base` is an open file of a WAL-mode connection that is inside a read transaction.
    pub(super) unsafe fn freeze(&mut self, base: *mut ffi::sqlite3_file) -> Result<()> {
        let live = |region: usize| -> Result<*const u8> {
            let mut at: *mut c_void = ptr::null_mut();
            // SAFETY: by the contract above; `extend` is 0, so nothing is allocated.
            let code = unsafe {
                match (*(*base).pMethods).xShmMap {
                    Some(f) => f(base, region as c_int, REGION as c_int, 0, &mut at),
                    None => ffi::SQLITE_IOERR_SHMMAP,
                }
            };
            if code != ffi::SQLITE_OK || at.is_null() {
                return Err(Error::Sqlite { code, message: "the WAL index cannot be mapped".into() });
            }
            Ok(at as *const u8)
        };
        let first = live(0)?;
        for _ in 0..LOOKS {
            let mut prefix = [0u8; PREFIX];
            // SAFETY: the shared memory stays mapped while the base connection is open and is REGION bytes long. Other
            // threads may write it meanwhile: what was read is used only if both header copies agree, before and
            // after, which is SQLite's own protocol for reading it.
            unsafe {
                ptr::copy_nonoverlapping(first, prefix.as_mut_ptr(), HEADER);
                fence(Ordering::SeqCst);
                ptr::copy_nonoverlapping(first.add(HEADER), prefix.as_mut_ptr().add(HEADER), HEADER);
            }
            if prefix[..HEADER] != prefix[HEADER..2 * HEADER] {
                std::hint::spin_loop();
                continue;
            }
            fence(Ordering::SeqCst);
            // SAFETY: as above.
            unsafe { ptr::copy_nonoverlapping(first.add(BACKFILL), prefix.as_mut_ptr().add(BACKFILL), 4) };
            let max_frame = u32_at(&prefix, MAX_FRAME);
            // Whoever begins the WAL anew writes the header first and counts from zero what was moved after that. Then all of
            // the file is up to date; taken as it is, the old count would hide this overlay's own frames from it.
            let moved = u32_at(&prefix, BACKFILL).min(max_frame);
            prefix[BACKFILL..BACKFILL + 4].copy_from_slice(&moved.to_ne_bytes());
            // Read marks: mark 1 is ours, the others are unused; nobody else looks at this copy.
            let marks = [0, max_frame, u32::MAX, u32::MAX, u32::MAX];
            for (i, mark) in marks.iter().enumerate() {
                prefix[READ_MARKS + 4 * i..READ_MARKS + 4 * i + 4].copy_from_slice(&mark.to_ne_bytes());
            }
            prefix[READ_MARKS + 20..BACKFILL_ATTEMPTED].fill(0);
            prefix.copy_within(BACKFILL..BACKFILL + 4, BACKFILL_ATTEMPTED);
            prefix[BACKFILL_ATTEMPTED + 4..].fill(0);
            if self.dirty || prefix[..HEADER] != self.header {
                self.copy_index(&prefix, max_frame, &live)?;
            }
            fence(Ordering::SeqCst);
            let mut again = [0u8; HEADER];
            // SAFETY: as above.
            unsafe { ptr::copy_nonoverlapping(first, again.as_mut_ptr(), HEADER) };
            if again[..] != prefix[..HEADER] {
                // A commit came in between: the copied hash tables may mix both. Copy everything again.
                self.header = [0; HEADER];
                self.max_frame = 0;
                continue;
            }
            if self.regions.is_empty() {
                self.regions.push(Region::zeroed());
            }
            self.regions[0].0[..PREFIX].copy_from_slice(&prefix);
            self.header.copy_from_slice(&prefix[..HEADER]);
            self.max_frame = max_frame;
            self.dirty = false;
            return Ok(());
        }
        Err(Error::Busy)
    }

    /// Copies the hash tables of frames `1..=max_frame`, or only those above what is already here if the WAL merely
    /// grew.
    fn copy_index(
        &mut self,
        prefix: &[u8; PREFIX],
        max_frame: u32,
        live: &dyn Fn(usize) -> Result<*const u8>,
    ) -> Result<()> {
        let grew = !self.dirty
            && prefix[SALT..SALT + 8] == self.header[SALT..SALT + 8]
            && max_frame >= self.max_frame
            && self.max_frame > 0;
        let from = if grew { region_of(self.max_frame + 1) } else { 0 };
        let to = if max_frame == 0 { 0 } else { region_of(max_frame) };
        while self.regions.len() <= to {
            self.regions.push(Region::zeroed());
        }
        for i in from..=to {
            let source = live(i)?;
            let skip = if i == 0 { PREFIX } else { 0 };
            let target = &mut self.regions[i].0[skip..];
            // SAFETY: both are REGION bytes long and do not overlap; concurrent writers are handled in `freeze`.
            unsafe { ptr::copy_nonoverlapping(source.add(skip), target.as_mut_ptr(), target.len()) };
        }
        if self.dirty {
            self.regions[to + 1..].iter_mut().for_each(|r| r.0.fill(0));
        }
        Ok(())
    }

    pub(super) fn read_tail(&self, start: i64, out: *mut c_void, n: c_int, offset: i64) -> c_int {
        let (Ok(at), Ok(n)) = (usize::try_from(offset - start), usize::try_from(n)) else {
            return ffi::SQLITE_IOERR_READ;
        };
        match at.checked_add(n).and_then(|end| self.tail.get(at..end)) {
            Some(bytes) => {
                // SAFETY: SQLite's buffer has room for `n` bytes.
                unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), out as *mut u8, n) };
                ffi::SQLITE_OK
            }
            None => ffi::SQLITE_IOERR_SHORT_READ,
        }
    }

    pub(super) fn write_tail(&mut self, bytes: &[u8], offset: i64) -> c_int {
        self.dirty = true;
        let start = *self.tail_start.get_or_insert(offset);
        let Ok(at) = usize::try_from(offset - start) else { return ffi::SQLITE_IOERR_WRITE };
        let end = at + bytes.len();
        if self.tail.len() < end {
            self.tail.resize(end, 0);
        }
        self.tail[at..end].copy_from_slice(bytes);
        ffi::SQLITE_OK
    }
}
