//! MIN and MAX of what SQLite does not order as MySQL does.

use super::argument::nth;
use super::registry::{Accumulator, Aggregate};
use crate::sql::error::Error;
use crate::sql::store::as_time;
use crate::types::Value;
use std::cmp::Ordering;
use std::collections::VecDeque;

/// The order of two values; `None` if they have none.
type Order = fn(&Value, &Value) -> Option<Ordering>;

/// MIN and MAX of times, whose texts do not sort as they do.
pub(super) const AGGREGATES: &[Aggregate] = &[
    Aggregate { name: "marmot_agg_time_min", arity: 1, start: || Extreme::boxed(Ordering::Less, times) },
    Aggregate { name: "marmot_agg_time_max", arity: 1, start: || Extreme::boxed(Ordering::Greater, times) },
    Aggregate { name: "marmot_win_time_min", arity: 1, start: || Moving::boxed(Ordering::Less, times) },
    Aggregate { name: "marmot_win_time_max", arity: 1, start: || Moving::boxed(Ordering::Greater, times) },
];

fn times(a: &Value, b: &Value) -> Option<Ordering> {
    Some(as_time(a)?.value.cmp(&as_time(b)?.value))
}

/// The least or greatest value of a group.
pub(super) struct Extreme {
    best: Option<Value>,
    /// What a better value is to the best one so far.
    wanted: Ordering,
    order: Order,
}

impl Extreme {
    pub(super) fn boxed(wanted: Ordering, order: Order) -> Box<dyn Accumulator> {
        Box::new(Extreme { best: None, wanted, order })
    }
}

impl Accumulator for Extreme {
    fn step(&mut self, a: &[Value]) -> Result<(), Error> {
        let value = nth(a, 0);
        let better = |best: &Value| (self.order)(value, best) == Some(self.wanted);
        if *value != Value::Null && self.best.as_ref().is_none_or(better) {
            self.best = Some(value.clone());
        }
        Ok(())
    }
    fn inverse(&mut self, _: &[Value]) -> Result<(), Error> {
        Err(Error::unsupported("MIN and MAX of this kind over a moving frame"))
    }
    fn value(&self) -> Result<Value, Error> {
        Ok(self.best.clone().unwrap_or_default())
    }
}

/// As [`Extreme`], over a frame that moves.
pub(super) struct Moving {
    /// The rows that may yet be the extreme, the best of them first.
    candidates: VecDeque<Value>,
    wanted: Ordering,
    order: Order,
}

impl Moving {
    pub(super) fn boxed(wanted: Ordering, order: Order) -> Box<dyn Accumulator> {
        Box::new(Moving { candidates: VecDeque::new(), wanted, order })
    }
}

impl Accumulator for Moving {
    fn step(&mut self, a: &[Value]) -> Result<(), Error> {
        let value = nth(a, 0);
        if *value == Value::Null {
            return Ok(());
        }
        // What is neither better nor later than the new row never counts again.
        while self.candidates.back().is_some_and(|last| (self.order)(value, last) == Some(self.wanted)) {
            self.candidates.pop_back();
        }
        self.candidates.push_back(value.clone());
        Ok(())
    }
    fn inverse(&mut self, a: &[Value]) -> Result<(), Error> {
        if self.candidates.front() == Some(nth(a, 0)) {
            self.candidates.pop_front();
        }
        Ok(())
    }
    fn value(&self) -> Result<Value, Error> {
        Ok(self.candidates.front().cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_times_over_groups_and_frames() {
        let rows: Vec<Value> = ["90:00:00", "-10:00:00", "100:00:00", "20:00:00"].map(Value::from).to_vec();
        let start = |name: &str| (AGGREGATES.iter().find(|a| a.name == name).unwrap().start)();
        let (mut most, mut least) = (start("marmot_agg_time_max"), start("marmot_agg_time_min"));
        let mut moving = start("marmot_win_time_max");
        let mut found = Vec::new();
        for (i, row) in rows.iter().enumerate() {
            let row = std::slice::from_ref(row);
            most.step(row).unwrap();
            least.step(row).unwrap();
            moving.step(row).unwrap();
            if i > 0 {
                moving.inverse(std::slice::from_ref(&rows[i - 1])).unwrap();
            }
            found.push(moving.value().unwrap());
        }
        assert_eq!((most.value(), least.value()), (Ok(rows[2].clone()), Ok(rows[1].clone())));
        assert_eq!(found, rows, "a frame of one row");
    }
}
