//! What happened, as a number: every reply a client got, with virtual time. Two runs of a seed must agree.

use std::sync::{Arc, Mutex, PoisonError};

/// A rolling 64-bit digest, eight bytes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Digest {
        Digest(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    pub fn add(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    pub fn value(&self) -> u64 {
        // The high bits of a product hardly reach the low ones.
        self.0 ^ (self.0 >> 29)
    }
}

/// The trace of one run.
#[derive(Clone, Default)]
pub struct Trace {
    inner: Arc<Mutex<Inner>>,
    /// Also on standard error (`SIM_TRACE`).
    print: bool,
}

#[derive(Default)]
struct Inner {
    digest: Digest,
    events: u64,
    /// Statements answered: well, refused, of unknown outcome.
    answers: [u64; 3],
}

/// How a statement was answered.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    Done,
    Refused,
    Unknown,
}

impl Trace {
    pub fn new(print: bool) -> Trace {
        Trace { inner: Arc::default(), print }
    }

    /// Adds an event of now.
    pub fn add(&self, who: &str, what: &str) {
        let now = madsim::time::TimeHandle::current().elapsed().as_nanos() as u64;
        if self.print {
            eprintln!("{:>14.6} {who:<12} {what}", now as f64 / 1e9);
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.digest.add(&now.to_le_bytes());
        inner.digest.add(who.as_bytes());
        inner.digest.add(what.as_bytes());
        inner.events += 1;
    }

    pub fn count(&self, answer: Answer) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).answers[answer as usize] += 1;
    }

    pub fn answers(&self) -> [u64; 3] {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).answers
    }

    /// The number and how many events it is made of.
    pub fn value(&self) -> (u64, u64) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        (inner.digest.value(), inner.events)
    }
}
