//! The redo log: where a round becomes durable, by one write and one sync of a file whose size does not change.
//!
//! ```text
//!  marmot.redo   │ round 0 │ round 1 │ round 2 │ rounds of an earlier generation, or zeros …      (each from a PAGE on)
//!
//!  round: magic u32 │ crc u32 │ generation u64 │ number u64 │ length u64 │ changes            crc = of all after it
//!  change: table u8 │ 1 put, 0 delete │ key length u32 │ value length u32 │ key │ value       numbers little-endian
//! ```
//!
//! A generation begins at the start of the file whenever everything before it is durable in `marmot.db`, which says
//! which generation is in force. A round is written only after the round before it is durable, so at most the last one
//! can be torn; it was then never acted upon. Rounds begin on pages of their own: writing one cannot harm another.

use super::error::{Error, Result};
use super::file::VfsFile;
use crate::core::Table;
use flate2::Crc;
use rusqlite::ffi;
use std::path::Path;

const MAGIC: u32 = 0x4d52_4c32;
const HEADER: usize = 32;
const PAGE: usize = 4096;
/// What the file is made with and kept at. Longer rounds make it longer for a while.
const SIZE: u64 = 4 << 20;
/// Bytes of a generation after which the next one should begin.
const WORTHWHILE: u64 = SIZE - (64 << 10);

/// One change of a round: the value put, or a deletion.
pub(super) struct Change<'a> {
    pub table: Table,
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
}

/// The changes of one round, encoded as they are made.
pub(super) struct RoundBuffer {
    bytes: Vec<u8>,
}

impl RoundBuffer {
    pub(super) fn new() -> RoundBuffer {
        RoundBuffer { bytes: vec![0; HEADER] }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.len() == HEADER
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets the changes after the first `len` bytes.
    pub(super) fn cut(&mut self, len: usize) {
        self.bytes.truncate(len.max(HEADER));
    }

    pub(super) fn clear(&mut self) {
        self.cut(HEADER);
    }

    pub(super) fn push(&mut self, change: &Change<'_>) {
        let size =
            |bytes: &[u8]| u32::try_from(bytes.len()).expect("values are limited to less than 4 GiB").to_le_bytes();
        self.bytes.extend_from_slice(&[change.table as u8, u8::from(change.value.is_some())]);
        self.bytes.extend_from_slice(&size(change.key));
        self.bytes.extend_from_slice(&size(change.value.unwrap_or_default()));
        self.bytes.extend_from_slice(change.key);
        self.bytes.extend_from_slice(change.value.unwrap_or_default());
    }

    /// The round as it goes to the file, filled up to whole pages.
    fn seal(&mut self, generation: u64, number: u64) -> &[u8] {
        let length = (self.bytes.len() - HEADER) as u64;
        self.bytes.resize(self.bytes.len().next_multiple_of(PAGE), 0);
        self.bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
        self.bytes[8..16].copy_from_slice(&generation.to_le_bytes());
        self.bytes[16..24].copy_from_slice(&number.to_le_bytes());
        self.bytes[24..32].copy_from_slice(&length.to_le_bytes());
        let crc = crc(&self.bytes[8..HEADER + length as usize]);
        self.bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        &self.bytes
    }
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// The open log.
///
/// **Invariant**: `end` is where the next round goes; everything before it belongs to `generation` and is durable.
pub(super) struct RedoLog {
    file: VfsFile,
    generation: u64,
    number: u64,
    end: u64,
    size: u64,
}

impl RedoLog {
    /// Makes the log of a new store, of generation 1. A file left behind by a start that got no further is taken over.
    pub(super) fn create(path: &Path, vfs: Option<&str>) -> Result<RedoLog> {
        let mut file = VfsFile::open(path, vfs, true)?;
        file.truncate(0)?;
        let zeros = vec![0; 256 << 10];
        for at in (0..SIZE).step_by(zeros.len()) {
            file.write(&zeros, at)?;
        }
        file.sync()?;
        Ok(RedoLog { file, generation: 1, number: 0, end: 0, size: SIZE })
    }

    /// Opens the log of a store in `generation` and hands its changes to `redo`, in order.
    ///
    /// # Errors
    /// The file is missing, cannot be read, or is damaged before its last round.
    pub(super) fn open(
        path: &Path,
        vfs: Option<&str>,
        generation: u64,
        mut redo: impl FnMut(Change<'_>),
    ) -> Result<RedoLog> {
        let mut file = VfsFile::open(path, vfs, false)?;
        let size = file.size()?;
        let mut log = RedoLog { file, generation, number: 0, end: 0, size };
        while let Some(changes) = log.round_at(log.end)? {
            decode(&changes, &mut redo).ok_or_else(|| damaged(path, log.end))?;
            log.end += (HEADER + changes.len()).next_multiple_of(PAGE) as u64;
            log.number += 1;
        }
        if log.has_later_round()? {
            return Err(damaged(path, log.end));
        }
        Ok(log)
    }

    /// The changes of the next round, if it is whole and at `offset`.
    fn round_at(&mut self, offset: u64) -> Result<Option<Vec<u8>>> {
        let Some((number, length, crc_stored)) = self.header_at(offset)? else { return Ok(None) };
        if number != self.number || length > self.size.saturating_sub(offset + HEADER as u64) {
            return Ok(None);
        }
        // From the generation on, as the checksum covers it.
        let mut bytes = vec![0; HEADER - 8 + usize::try_from(length).unwrap_or(usize::MAX)];
        self.file.read(&mut bytes, offset + 8)?;
        if crc(&bytes) != crc_stored {
            return Ok(None);
        }
        bytes.drain(..HEADER - 8);
        Ok(Some(bytes))
    }

    /// Number, length and checksum, if a header of this generation is at `offset`.
    fn header_at(&mut self, offset: u64) -> Result<Option<(u64, u64, u32)>> {
        if offset + HEADER as u64 > self.size {
            return Ok(None);
        }
        let mut header = [0; HEADER];
        self.file.read(&mut header, offset)?;
        let long = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes of a header"));
        let short = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes of a header"));
        let ours = short(0) == MAGIC && long(8) == self.generation;
        Ok(ours.then(|| (long(16), long(24), short(4))))
    }

    /// Whether a round after the first one that is missing is there: then the missing one was durable once.
    fn has_later_round(&mut self) -> Result<bool> {
        let next = self.number;
        for offset in (self.end + PAGE as u64..self.size).step_by(PAGE) {
            let Some((number, length, crc_stored)) = self.header_at(offset)? else { continue };
            if number <= next || length > self.size.saturating_sub(offset + HEADER as u64) {
                continue;
            }
            let mut bytes = vec![0; HEADER - 8 + usize::try_from(length).unwrap_or(usize::MAX)];
            self.file.read(&mut bytes, offset + 8)?;
            if crc(&bytes) == crc_stored {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes a round durable, but without `sync`, which only a planted bug leaves out. After [`Error::Full`] it is not, and
    /// can be tried again: what was written of it is overwritten then, and is a torn last round to whoever opens the log.
    /// After any other error nobody knows whether it is; the store must not be used again.
    pub(super) fn append(&mut self, round: &mut RoundBuffer, sync: bool) -> Result<()> {
        let length = round.len();
        let bytes = round.seal(self.generation, self.number);
        if let Err(error) = self.file.write(bytes, self.end) {
            round.cut(length);
            self.size = self.file.size()?;
            return Err(error);
        }
        if sync {
            self.file.sync()?;
        }
        self.end += bytes.len() as u64;
        self.size = self.size.max(self.end);
        self.number += 1;
        Ok(())
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// Bytes of this generation.
    pub(super) fn len(&self) -> u64 {
        self.end
    }

    /// Whether a new generation is due.
    pub(super) fn is_long(&self) -> bool {
        self.end >= WORTHWHILE
    }

    /// Begins `generation`: the rounds before it are durable elsewhere.
    pub(super) fn begin(&mut self, generation: u64) -> Result<()> {
        self.generation = generation;
        self.number = 0;
        self.end = 0;
        if self.size > SIZE {
            self.file.truncate(SIZE)?;
            self.size = SIZE;
        }
        Ok(())
    }
}

fn decode(mut bytes: &[u8], redo: &mut impl FnMut(Change<'_>)) -> Option<()> {
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at_checked(10)?;
        let size = |at: usize| head[at..at + 4].try_into().map(u32::from_le_bytes).ok().map(|n| n as usize);
        let table = *Table::ALL.iter().find(|table| **table as u8 == head[0])?;
        let (key, rest) = rest.split_at_checked(size(2)?)?;
        let (value, rest) = rest.split_at_checked(size(6)?)?;
        redo(Change { table, key, value: (head[1] == 1).then_some(value) });
        bytes = rest;
    }
    Some(())
}

fn damaged(path: &Path, offset: u64) -> Error {
    let message = format!("{} is damaged at byte {offset}", path.display());
    Error::Sqlite { code: ffi::SQLITE_CORRUPT, message }
}
