//! A rolling hash over everything a run does, and the list of it when asked for.

use super::message::Kind;
use marmot::core::{Effect, Effects, Input};
use marmot::types::Now;
use std::fmt::Write;

/// How closely a run is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// When, where and of which kind: cheap enough to be always on.
    Kinds,
    /// Every field of every input and effect.
    Fields,
    /// The same, kept as text.
    Text,
}

/// The trace of one run.
#[derive(Debug)]
pub struct Trace {
    detail: Detail,
    hash: Hash,
    /// The last lines, if text is kept.
    pub lines: Vec<String>,
}

#[derive(Debug)]
struct Hash(u64);

impl Hash {
    fn add(&mut self, value: u64) {
        self.0 = (self.0 ^ value).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    }
}

impl Write for Hash {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        for chunk in s.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
        Ok(())
    }
}

/// An input as far as the trace wants it.
pub enum Noted {
    Kind(u64),
    Whole(Input),
}

/// Lines kept; beyond it the oldest half goes.
const LINES: usize = 400_000;

impl Trace {
    pub fn new(detail: Detail) -> Trace {
        Trace { detail, hash: Hash(0xcbf2_9ce4_8422_2325), lines: Vec::new() }
    }

    pub fn hash(&self) -> u64 {
        self.hash.0
    }

    /// Whether [`Trace::note`] keeps what it is given.
    pub fn is_text(&self) -> bool {
        self.detail == Detail::Text
    }

    /// What is to be remembered of an input before a step consumes it.
    pub fn before(&self, input: &Input) -> Noted {
        match self.detail {
            Detail::Kinds => Noted::Kind(input_kind(input)),
            Detail::Fields | Detail::Text => Noted::Whole(input.clone()),
        }
    }

    /// A step and what came of it. `first` is the number of effects there were before.
    pub fn after(&mut self, world: u64, machine: usize, now: Now, input: Noted, effects: &Effects, first: usize) {
        self.hash.add(now.mono.0 ^ (machine as u64) << 56);
        match input {
            Noted::Kind(kind) => {
                self.hash.add(kind);
                effects.iter().skip(first).for_each(|e| self.hash.add(effect_kind(e)));
            }
            Noted::Whole(input) => {
                // Writing into the hash cannot fail.
                let _ = write!(self.hash, "{now:?} {input:?}");
                effects.iter().skip(first).for_each(|e| {
                    let _ = write!(self.hash, "{e:?}");
                });
                if self.is_text() {
                    self.note(world, machine, format_args!("< {input:?}"));
                    effects.iter().skip(first).for_each(|e| self.note(world, machine, format_args!("  > {e:?}")));
                }
            }
        }
    }

    /// A line of text, if text is kept.
    pub fn note(&mut self, world: u64, machine: usize, what: std::fmt::Arguments<'_>) {
        if !self.is_text() {
            return;
        }
        if self.lines.len() >= LINES {
            self.lines.drain(..LINES / 2);
        }
        self.lines.push(format!("{:>10.4}ms m{machine} {what}", world as f64 / 1e6));
    }
}

fn input_kind(input: &Input) -> u64 {
    match input {
        Input::Tick => 1,
        Input::Message(e) => 100 + Kind::of(&e.message) as u64 + (e.from.0 << 8) + (e.clock.0 << 16),
        Input::Request(client, _) => 2 + (client.0 << 8),
        Input::ClientGone(client) => 3 + (client.0 << 8),
        Input::Applied(seq) => 4 + (seq << 8),
        Input::Synced(seq) => 5 + (seq << 8),
        Input::OldestSnapshot(s) => 6 + (s.map_or(0, |s| s.seq) << 8),
        Input::Drain => 7,
        Input::Leave => 11,
        Input::Evicted { winner, .. } => 10 + (winner.sequence << 8),
    }
}

fn effect_kind(effect: &Effect) -> u64 {
    match effect {
        Effect::Send { message, .. } => 200 + Kind::of(message) as u64,
        Effect::Reply(client, _) => 8 + (client.0 << 8),
        Effect::Apply(task) => 9 + (task.seq << 8) + (task.stamp.hlc.0 << 16),
        Effect::Notice(_) => 10,
        Effect::Publish(_) => 11,
    }
}
