//! The table of functions that SQLite is given, and what a running function may know.

use crate::sql::error::{Error, Warning, WarningLevel};
use crate::types::Value;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A scalar function. Names starting with `marmot_` are the translator's own; the others have MySQL's meaning and
/// are called by MySQL's name with the prefix `marmot_`.
#[derive(Clone, Copy)]
pub struct Function {
    /// The name to register.
    pub name: &'static str,
    /// The number of arguments; -1 for any.
    pub arity: i32,
    /// Whether equal arguments give equal results, whatever the context (SQLITE_DETERMINISTIC).
    pub deterministic: bool,
    /// An error fails the statement: the caller of SQLite keeps it and reports it in place of SQLite's own.
    pub eval: fn(&FunctionContext, &[Value]) -> Result<Value, Error>,
}

/// An aggregate function.
#[derive(Clone, Copy)]
pub struct Aggregate {
    pub name: &'static str,
    /// The number of arguments; -1 for any.
    pub arity: i32,
    /// A fresh accumulator for one group.
    pub start: fn() -> Box<dyn Accumulator>,
}

/// The state of an aggregate over one group.
pub trait Accumulator: Send {
    fn step(&mut self, arguments: &[Value]) -> Result<(), Error>;
    /// Takes back the oldest step that is still in: a window's frame moved on. The arguments are those of that step.
    fn inverse(&mut self, arguments: &[Value]) -> Result<(), Error>;
    /// The result over what is in.
    fn value(&self) -> Result<Value, Error>;
}

/// What functions know besides their arguments: one per connection, set up by the session before each statement.
/// Single-threaded.
#[derive(Debug, Default)]
pub struct FunctionContext {
    /// Values that do not fit a column are errors; else they are adjusted with a warning
    /// (STRICT_TRANS_TABLES or STRICT_ALL_TABLES in `sql_mode`).
    pub strict: Cell<bool>,
    /// The statement has IGNORE: errors of values become warnings.
    pub ignore: Cell<bool>,
    /// The statement stores values.
    pub writes: Cell<bool>,
    /// `NO_ZERO_DATE` / `NO_ZERO_IN_DATE` in `sql_mode`.
    pub no_zero_date: Cell<bool>,
    pub no_zero_in_date: Cell<bool>,
    /// The session's `time_zone` as seconds east of UTC.
    pub utc_offset: Cell<i32>,
    /// `NOW()` of this statement in seconds since the Unix epoch (UTC), for functions that need "today".
    pub now: Cell<i64>,
    /// State of RAND() and UUID(): the session seeds it for each statement.
    pub random: Cell<u64>,
    /// The sequences of RAND(constant) by their place in the statement; the session clears them for each statement.
    pub sequences: RefCell<BTreeMap<i64, Sequence>>,
    /// The 48 bits of UUID()'s node part.
    pub node: Cell<u64>,
    /// What `LAST_INSERT_ID(expr)` was given, for the session to pick up.
    pub last_insert_id: Cell<Option<i64>>,
    /// User variables that the statement assigned (`@a := value`), by their names; the session takes them.
    pub assigned: RefCell<BTreeMap<String, Value>>,
    /// Microseconds that `SLEEP()` asked for and nobody waited yet: the session does, for a function must not block.
    pub sleep: Cell<u64>,
    /// Warnings of this statement, at most [`MAX_WARNINGS`]; the session takes them.
    pub warnings: RefCell<Vec<Warning>>,
    /// All warnings, also those above the limit.
    pub warning_count: Cell<u64>,
    /// What gives `LOAD_FILE()` a file, at most so many bytes; nothing for one that may not be read.
    pub load_file: RefCell<Option<LoadFile>>,
}

/// Gives a file by its name, at most so many bytes.
pub type ReadFile = dyn Fn(&str, usize) -> Option<Vec<u8>> + Send + Sync;

/// Reads a file of the server.
#[derive(Clone)]
pub struct LoadFile(pub Arc<ReadFile>);

impl fmt::Debug for LoadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoadFile")
    }
}

/// No function makes a longer string. MySQL's bound is `max_allowed_packet`; here it is that variable's default, so that a
/// generated column is the same on every node.
pub const LONGEST: usize = 64 << 20;

/// The sequence of RAND(n), the same as MySQL's for every n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    first: u32,
    second: u32,
}

impl Sequence {
    const MAX: u64 = 0x3fff_ffff;

    pub fn new(seed: i64) -> Sequence {
        let seed = seed as u32;
        let reduced = |n: u32| (u64::from(n) % Sequence::MAX) as u32;
        Sequence {
            first: reduced(seed.wrapping_mul(0x1_0001).wrapping_add(55_555_555)),
            second: reduced(seed.wrapping_mul(0x1000_0001)),
        }
    }
    /// The next number in [0, 1).
    pub fn next_number(&mut self) -> f64 {
        let first = (u64::from(self.first) * 3 + u64::from(self.second)) % Sequence::MAX;
        let second = (first + u64::from(self.second) + 33) % Sequence::MAX;
        (self.first, self.second) = (first as u32, second as u32);
        first as f64 / Sequence::MAX as f64
    }
}

/// MySQL's `max_error_count`.
pub const MAX_WARNINGS: usize = 1024;

impl FunctionContext {
    /// Remembers a warning.
    pub fn warn(&self, warning: Warning) {
        self.warn_with(|| warning);
    }
    /// Remembers a warning, which is made only if it is kept: for what may happen on every row.
    pub fn warn_with(&self, warning: impl FnOnce() -> Warning) {
        self.warning_count.set(self.warning_count.get() + 1);
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < MAX_WARNINGS {
            warnings.push(warning());
        }
    }
    /// How much was warned of, for [`FunctionContext::forget_warnings`].
    pub fn warned(&self) -> (usize, u64) {
        (self.warnings.borrow().len(), self.warning_count.get())
    }
    /// Forgets what was warned of since: it had been said before.
    pub fn forget_warnings(&self, (kept, count): (usize, u64)) {
        self.warnings.borrow_mut().truncate(kept);
        self.warning_count.set(count);
    }
    /// NULL for a string that would be too long.
    pub fn too_long(&self, function: &str) -> Value {
        let message = format!("Result of {function}() was larger than max_allowed_packet ({LONGEST}) - truncated");
        self.warn(Warning { level: WarningLevel::Warning, code: 1301, message });
        Value::Null
    }
    /// How values are treated now, to be set again after what treats them otherwise.
    pub fn flags(&self) -> (bool, bool, bool) {
        (self.strict.get(), self.ignore.get(), self.writes.get())
    }
    /// Treats values as [`FunctionContext::flags`] said.
    pub fn set_flags(&self, (strict, ignore, writes): (bool, bool, bool)) {
        self.strict.set(strict);
        self.ignore.set(ignore);
        self.writes.set(writes);
    }
    /// Whether a bad value is an error.
    pub fn is_strict(&self) -> bool {
        self.strict.get() && !self.ignore.get()
    }
    /// A value that a function does not take: an error where the statement stores what comes of it, else NULL with a
    /// warning.
    ///
    /// # Errors
    /// The one that is given.
    pub fn refuse(&self, error: impl FnOnce() -> Error) -> Result<Value, Error> {
        if self.writes.get() && self.is_strict() {
            return Err(error());
        }
        self.warn_with(|| Warning::of(error()));
        Ok(Value::Null)
    }
    /// The next 64 random bits (splitmix64).
    pub fn next_random(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rand_with_a_seed_is_mysqls() {
        let first = |seed: i64| Sequence::new(seed).next_number();
        assert_eq!(first(0), 0.155_220_427_694_935_74);
        assert_eq!(first(999_999), 0.014_231_365_187_309_091);
        let mut two = Sequence::new(2);
        let scaled: Vec<i64> = (0..3).map(|_| (two.next_number() * 1000.0) as i64).collect();
        assert_eq!(scaled, [655, 122, 644]);
    }
}
