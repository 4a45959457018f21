//! What is on the disk, what would survive, and what goes wrong.

use crate::dice::Dice;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

/// Sectors are written whole or not at all.
const SECTOR: usize = 512;

/// A lying disk is so many syncs behind: it loses the latest commits, not everything. What it has is in the order of
/// writing, over all files, so that SQLite has no reason to find it broken.
const BEHIND: usize = 100;

/// What a stop of the machine takes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Only the process ended: what was written is still in the operating system's cache.
    Nothing,
    /// Every write since the last sync.
    Unsynced,
    /// Of the writes since the last sync each survives by chance, some of them only in part.
    Torn,
}

/// An operation that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Read,
    Write,
    Sync,
}

/// How often things happened, to prove that they did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub writes: u64,
    pub syncs: u64,
    /// Unsynced writes that a power loss took away.
    pub lost: u64,
    /// … and those that survived in part.
    pub torn: u64,
    /// Operations that failed because the simulation wanted it: reads, writes, syncs.
    pub failed: [u64; 3],
    /// Writes refused for lack of room.
    pub full: u64,
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        self.writes += other.writes;
        self.syncs += other.syncs;
        self.lost += other.lost;
        self.torn += other.torn;
        self.failed.iter_mut().zip(other.failed).for_each(|(sum, n)| *sum += n);
        self.full += other.full;
    }
}

enum Change {
    /// Where, and where its bytes are in [`File::written`].
    Write(usize, Range<usize>),
    Truncate(usize),
}

#[derive(Default)]
struct File {
    /// `None`: not even the name would survive.
    durable: Option<Vec<u8>>,
    view: Vec<u8>,
    /// With their numbers: changes of all files count together.
    unsynced: Vec<(u64, Change)>,
    /// The bytes of unsynced writes, one after the other.
    written: Vec<u8>,
    /// The last change that a deaf disk promised to keep, and will with the next sync.
    promised: u64,
}

impl File {
    /// Makes the changes durable whose numbers are not above `number`.
    fn settle(&mut self, number: u64) {
        let done = self.unsynced.partition_point(|(at, _)| *at <= number);
        let durable = self.durable.get_or_insert_default();
        for (_, change) in self.unsynced.drain(..done) {
            match change {
                Change::Write(at, bytes) => put(durable, at, &self.written[bytes]),
                Change::Truncate(len) => durable.resize(len, 0),
            }
        }
        if self.unsynced.is_empty() {
            self.written.clear();
        }
    }
}

/// All files of one disk.
pub(super) struct Content {
    files: BTreeMap<String, File>,
    /// Deleted files that would be back after a power loss.
    deleted: BTreeMap<String, Vec<u8>>,
    dice: Dice,
    last_change: u64,
    /// The latest syncs of a lying disk: the number of the last change before each.
    lies: VecDeque<u64>,
    pub counts: Counts,
    /// The operation of this kind that is so many ahead (0: the next) fails, once.
    pub failing: Option<(Failure, u64)>,
    /// Bytes of all files at most.
    pub capacity: Option<usize>,
    /// What syncs say is durable is not yet: a disk that no database can survive, for the proof that losses are seen.
    pub lying: bool,
    /// Syncs of files with this end of their name come one late.
    pub deaf: Option<&'static str>,
}

/// Why an operation did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Failed,
    Full,
}

fn put(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    if bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    bytes[at..at + data.len()].copy_from_slice(data);
}

impl Content {
    pub fn new(dice: Dice) -> Content {
        Content {
            files: BTreeMap::new(),
            deleted: BTreeMap::new(),
            dice,
            last_change: 0,
            lies: VecDeque::new(),
            counts: Counts::default(),
            failing: None,
            capacity: None,
            lying: false,
            deaf: None,
        }
    }

    /// 64 bits for SQLite, which asks its disk for randomness.
    pub fn random(&mut self) -> u64 {
        self.dice.next()
    }

    pub fn exists(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    pub fn create(&mut self, name: &str) {
        self.files.entry(name.to_string()).or_default();
    }

    pub fn len(&self, name: &str) -> usize {
        self.files.get(name).map_or(0, |file| file.view.len())
    }

    /// Fills `out` from `at` on, zeros beyond the end; whether there was enough.
    pub fn read(&mut self, name: &str, at: usize, out: &mut [u8]) -> Result<bool, Trouble> {
        self.may_fail(Failure::Read)?;
        let view = self.files.get(name).map_or(&[][..], |file| &file.view);
        let there = view.get(at..).unwrap_or_default();
        let n = there.len().min(out.len());
        out[..n].copy_from_slice(&there[..n]);
        out[n..].fill(0);
        Ok(n == out.len())
    }

    pub fn write(&mut self, name: &str, at: usize, data: &[u8]) -> Result<(), Trouble> {
        self.may_fail(Failure::Write)?;
        let growth = (at + data.len()).saturating_sub(self.len(name));
        if growth > 0 && self.capacity.is_some_and(|capacity| self.used() + growth > capacity) {
            self.counts.full += 1;
            return Err(Trouble::Full);
        }
        self.counts.writes += 1;
        self.last_change += 1;
        let number = self.last_change;
        let file = self.file(name);
        put(&mut file.view, at, data);
        let from = file.written.len();
        file.written.extend_from_slice(data);
        file.unsynced.push((number, Change::Write(at, from..file.written.len())));
        Ok(())
    }

    pub fn truncate(&mut self, name: &str, len: usize) {
        self.last_change += 1;
        let number = self.last_change;
        let file = self.file(name);
        file.view.resize(len, 0);
        file.unsynced.push((number, Change::Truncate(len)));
    }

    fn file(&mut self, name: &str) -> &mut File {
        if !self.files.contains_key(name) {
            self.create(name);
        }
        self.files.get_mut(name).expect("created above if it was not there")
    }

    pub fn sync(&mut self, name: &str) -> Result<(), Trouble> {
        self.may_fail(Failure::Sync)?;
        self.counts.syncs += 1;
        self.deleted.clear();
        if self.lying {
            self.lies.push_back(self.last_change);
            if self.lies.len() > BEHIND {
                let number = self.lies.pop_front().unwrap_or_default();
                self.files.values_mut().for_each(|file| file.settle(number));
            }
        } else if let Some(file) = self.files.get_mut(name) {
            let late = self.deaf.is_some_and(|end| name.ends_with(end));
            let promised = std::mem::replace(&mut file.promised, self.last_change);
            file.settle(if late { promised } else { u64::MAX });
        }
        Ok(())
    }

    /// Whether there was such a file. With `at_once` the deletion is durable.
    pub fn delete(&mut self, name: &str, at_once: bool) -> bool {
        let Some(file) = self.files.remove(name) else { return false };
        match file.durable {
            _ if at_once => self.deleted.clear(),
            Some(durable) => drop(self.deleted.insert(name.to_string(), durable)),
            None => {}
        }
        true
    }

    /// The machine stops: what is read from now on is what survived.
    pub fn lose(&mut self, loss: Loss) {
        if loss == Loss::Nothing {
            return;
        }
        self.lies.clear();
        for file in self.files.values_mut() {
            let (changes, written) = (std::mem::take(&mut file.unsynced), std::mem::take(&mut file.written));
            let mut image = file.durable.take();
            for (_, change) in changes {
                if loss == Loss::Unsynced || self.dice.one_in(2) {
                    self.counts.lost += 1;
                    continue;
                }
                let image = image.get_or_insert_default();
                match change {
                    Change::Truncate(len) => image.resize(len, 0),
                    Change::Write(at, bytes) => {
                        let data = &written[bytes];
                        let torn = data.len() > SECTOR && self.dice.one_in(4);
                        self.counts.torn += u64::from(torn);
                        for (i, sector) in data.chunks(SECTOR).enumerate() {
                            if !torn || self.dice.one_in(2) {
                                put(image, at + i * SECTOR, sector);
                            }
                        }
                    }
                }
            }
            file.view = image.clone().unwrap_or_default();
            file.durable = image;
        }
        self.files.retain(|_, file| file.durable.is_some());
        for (name, image) in std::mem::take(&mut self.deleted) {
            if loss == Loss::Unsynced || self.dice.one_in(2) {
                let back = File { durable: Some(image.clone()), view: image, ..File::default() };
                self.files.entry(name).or_insert(back);
            }
        }
    }

    pub fn used(&self) -> usize {
        self.files.values().map(|file| file.view.len()).sum()
    }

    /// A number for the names and contents of all files.
    pub fn digest(&self) -> u64 {
        let mut digest = crate::trace::Digest::default();
        for (name, file) in &self.files {
            digest.add(name.as_bytes());
            digest.add(&file.view);
        }
        digest.value()
    }

    fn may_fail(&mut self, operation: Failure) -> Result<(), Trouble> {
        match &mut self.failing {
            Some((failing, ahead)) if *failing == operation => {
                if *ahead > 0 {
                    *ahead -= 1;
                    return Ok(());
                }
                self.failing = None;
                self.counts.failed[operation as usize] += 1;
                Err(Trouble::Failed)
            }
            _ => Ok(()),
        }
    }
}
