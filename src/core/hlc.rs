//! The hybrid logical clock of one node (Kulkarni et al. 2014) with a drift guard and a persisted high-water mark.

use super::fault::Fatal;
use super::planted::{Bug, Planted};
use super::storage::{Storage, Table, load, save};
use crate::types::{Hlc, Span, Wall};

const MARK: &[u8] = b"clock_mark";
/// How far ahead of use the mark is persisted, in milliseconds. A restart begins at the mark, and so ahead of every
/// other clock by up to this: it must stay well below `max_clock_offset`, else peers use neither the votes nor the
/// proposals of a node that was just restarted, and quick restarts add up.
const AHEAD_MS: u64 = 250;

/// **Invariants**: `last` never decreases, also not over a restart: it is at or below the durable mark, and a restart
/// begins at the mark.
#[derive(Clone, Debug)]
pub struct Clock {
    last: Hlc,
    /// Milliseconds; durable at the end of the round that raised it.
    mark_ms: u64,
    /// The mark that was found.
    born: Hlc,
    max_offset: Span,
    planted: Planted,
}

impl Clock {
    /// Reads the mark and starts above everything this node ever said; in its first life at `wall`. Later the wall clock counts
    /// only when others can be heard that know whether it is right.
    pub fn open(store: &mut dyn Storage, wall: Wall, max_offset: Span, planted: Planted) -> Result<Clock, Fatal> {
        let mut mark_ms: u64 = load(store, Table::Meta, MARK)?.unwrap_or(0);
        if planted.has(Bug::ClockMarkNotPersisted) {
            mark_ms = 0;
        }
        let last = Hlc::from_millis(if mark_ms == 0 { wall.0 } else { mark_ms });
        let born = Hlc::from_millis(mark_ms);
        let mut clock = Clock { last, mark_ms, born, max_offset, planted };
        clock.persist(store)?;
        Ok(clock)
    }

    /// Gives `copy` the mark of `own`: a node goes on from a copy of another's state. Not a higher one, though others' readings
    /// are in the copy: the mark says what this node remembers of itself.
    pub fn keep_mark(own: &dyn Storage, copy: &mut dyn Storage) -> Result<(), Fatal> {
        match own.get(Table::Meta, MARK)? {
            Some(mark) => copy.put(Table::Meta, MARK, &mark),
            None => copy.delete(Table::Meta, MARK),
        }
    }

    /// Up to where this clock's earlier lives may have been read, exclusively; zero in the first.
    pub fn born(&self) -> Hlc {
        self.born
    }

    /// Puts the mark of a store that nobody uses above `hlc`.
    pub fn put_mark(store: &mut dyn Storage, hlc: Hlc) -> Result<(), Fatal> {
        save(store, Table::Meta, MARK, &(hlc.millis() + 1))
    }

    /// The mark of a store that nobody uses: no reading given out is above it.
    pub fn mark(store: &dyn Storage) -> Result<Hlc, Fatal> {
        Ok(Hlc::from_millis(load::<u64>(store, Table::Meta, MARK)?.unwrap_or(0)))
    }

    /// The last reading given out.
    pub fn last(&self) -> Hlc {
        self.last
    }

    /// Moves up to the wall clock without giving out a reading, and returns where the clock stands: every later
    /// [`Clock::tick`] is above it.
    pub fn catch_up(&mut self, wall: Wall) -> Hlc {
        self.last = self.last.max(Hlc::from_millis(wall.0));
        self.last
    }

    /// A fresh reading, above every one before it and every one observed.
    pub fn tick(&mut self, wall: Wall) -> Hlc {
        self.last = self.last.next().max(Hlc::from_millis(wall.0));
        self.last
    }

    /// Moves past a reading of a decided commit, however far ahead it is: what is decided is followed (rule 24).
    pub fn observe(&mut self, remote: Hlc) {
        if !self.planted.has(Bug::NotObserved) {
            self.last = self.last.max(remote);
        }
    }

    /// How many milliseconds `remote` is further ahead of the wall clock than `max_clock_offset` allows; `None` if it
    /// is within bounds, or not above what this clock itself already reached: a decided commit may have put all of us
    /// far ahead of our walls, where clocks only count on (by a millisecond once in a while), and then we must not
    /// refuse one another.
    pub fn ahead(&self, remote: Hlc, wall: Wall) -> Option<u64> {
        let limit = wall.0.saturating_add(self.max_offset.as_millis());
        let reached = self.last.millis().saturating_add(1);
        (remote.millis() > limit.max(reached)).then(|| remote.millis() - wall.0)
    }

    /// Makes sure that the readings given out so far, and `also_ms`, lie below the durable mark. Called at the end of
    /// every step, so that nothing leaves the node with a reading a restart could repeat.
    pub fn persist(&mut self, store: &mut dyn Storage) -> Result<(), Fatal> {
        self.persist_beyond(store, 0)
    }

    /// As [`Clock::persist`], for a user of milliseconds that may run ahead of the clock (AUTO_INCREMENT ids).
    pub fn persist_beyond(&mut self, store: &mut dyn Storage, also_ms: u64) -> Result<(), Fatal> {
        let used = self.last.millis().max(also_ms);
        if used >= self.mark_ms {
            self.mark_ms = used + AHEAD_MS;
            save(store, Table::Meta, MARK, &self.mark_ms)?;
        }
        Ok(())
    }
}
