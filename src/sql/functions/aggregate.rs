//! Aggregates that SQLite lacks or computes differently.

use super::argument::{maybe_real, nth, real, text};
use super::numeric::{as_bits, maybe_unsigned};
use super::registry::{Accumulator, Aggregate};
use crate::sql::error::Error;
use crate::sql::json::Json;
use crate::types::Value;
use std::collections::VecDeque;

/// See the module.
pub(super) const AGGREGATES: &[Aggregate] = &[
    Aggregate { name: "marmot_agg_bit_and", arity: 1, start: || Box::new(Bits::new(|set, all| set == all)) },
    Aggregate { name: "marmot_agg_bit_or", arity: 1, start: || Box::new(Bits::new(|set, _| set > 0)) },
    Aggregate { name: "marmot_agg_bit_xor", arity: 1, start: || Box::new(Bits::new(|set, _| set % 2 == 1)) },
    Aggregate {
        name: "marmot_agg_var_pop",
        arity: 1,
        start: || Box::new(Spread { sample: false, root: false, ..Spread::NONE }),
    },
    Aggregate {
        name: "marmot_agg_var_samp",
        arity: 1,
        start: || Box::new(Spread { sample: true, root: false, ..Spread::NONE }),
    },
    Aggregate {
        name: "marmot_agg_stddev_pop",
        arity: 1,
        start: || Box::new(Spread { sample: false, root: true, ..Spread::NONE }),
    },
    Aggregate {
        name: "marmot_agg_stddev_samp",
        arity: 1,
        start: || Box::new(Spread { sample: true, root: true, ..Spread::NONE }),
    },
    Aggregate { name: "marmot_agg_separated", arity: 1, start: || Box::<Joined>::default() },
    Aggregate { name: "marmot_agg_json_array", arity: 2, start: || Box::<JsonArray>::default() },
    Aggregate { name: "marmot_agg_json_object", arity: 3, start: || Box::<JsonObject>::default() },
];

/// How many of the numbers have each bit.
struct Bits {
    set: [u64; 64],
    all: u64,
    /// Whether a bit is in the result, by how many numbers of how many have it.
    decide: fn(u64, u64) -> bool,
}

impl Bits {
    fn new(decide: fn(u64, u64) -> bool) -> Bits {
        Bits { set: [0; 64], all: 0, decide }
    }
    /// The places that count for an argument.
    fn ones(a: &[Value]) -> Option<impl Iterator<Item = usize>> {
        as_bits(nth(a, 0)).map(|bits| (0..64).filter(move |i| bits >> i & 1 == 1))
    }
}

impl Accumulator for Bits {
    fn step(&mut self, a: &[Value]) -> Result<(), Error> {
        if let Some(ones) = Bits::ones(a) {
            self.all += 1;
            ones.for_each(|i| self.set[i] += 1);
        }
        Ok(())
    }
    fn inverse(&mut self, a: &[Value]) -> Result<(), Error> {
        if let Some(ones) = Bits::ones(a) {
            self.all -= 1;
            ones.for_each(|i| self.set[i] -= 1);
        }
        Ok(())
    }
    fn value(&self) -> Result<Value, Error> {
        let bits = (0..64).filter(|i| (self.decide)(self.set[*i], self.all)).fold(0, |n, i| n | 1u64 << i);
        Ok(maybe_unsigned(Some(bits)))
    }
}

/// Variance and standard deviation, by Welford's recurrence.
struct Spread {
    sample: bool,
    root: bool,
    count: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    const NONE: Spread = Spread { sample: false, root: false, count: 0.0, mean: 0.0, squares: 0.0 };
}

impl Accumulator for Spread {
    fn step(&mut self, a: &[Value]) -> Result<(), Error> {
        if let Some(x) = real(nth(a, 0)) {
            self.count += 1.0;
            let delta = x - self.mean;
            self.mean += delta / self.count;
            self.squares += delta * (x - self.mean);
        }
        Ok(())
    }
    fn inverse(&mut self, a: &[Value]) -> Result<(), Error> {
        if let Some(x) = real(nth(a, 0)) {
            self.count -= 1.0;
            if self.count == 0.0 {
                (self.mean, self.squares) = (0.0, 0.0);
                return Ok(());
            }
            let delta = x - self.mean;
            self.mean -= delta / self.count;
            self.squares = (self.squares - delta * (x - self.mean)).max(0.0);
        }
        Ok(())
    }
    fn value(&self) -> Result<Value, Error> {
        let divisor = if self.sample { self.count - 1.0 } else { self.count };
        let variance = (divisor > 0.0).then(|| self.squares / divisor);
        Ok(maybe_real(variance.map(|v| if self.root { v.sqrt() } else { v })))
    }
}

/// Values made by `marmot_separated`: separators and values.
#[derive(Default)]
struct Joined(VecDeque<(String, String)>);

impl Accumulator for Joined {
    fn step(&mut self, a: &[Value]) -> Result<(), Error> {
        let Some(item) = text(nth(a, 0)) else { return Ok(()) };
        let (length, rest) = item.split_once(':').ok_or_else(|| Error::malformed_payload("GROUP_CONCAT item"))?;
        let split = length.parse().ok().filter(|n| rest.is_char_boundary(*n));
        let (separator, value) = rest.split_at(split.ok_or_else(|| Error::malformed_payload("GROUP_CONCAT item"))?);
        self.0.push_back((separator.to_string(), value.to_string()));
        Ok(())
    }
    fn inverse(&mut self, a: &[Value]) -> Result<(), Error> {
        if *nth(a, 0) != Value::Null {
            self.0.pop_front();
        }
        Ok(())
    }
    fn value(&self) -> Result<Value, Error> {
        let mut items = self.0.iter();
        let Some((_, first)) = items.next() else { return Ok(Value::Null) };
        let mut all = first.clone();
        items.for_each(|(separator, value)| {
            all.push_str(separator);
            all.push_str(value);
        });
        Ok(Value::text(all))
    }
}

/// `json_array(value, kind)`.
#[derive(Default)]
struct JsonArray(VecDeque<Json>);

impl Accumulator for JsonArray {
    fn step(&mut self, a: &[Value]) -> Result<(), Error> {
        self.0.push_back(super::json::from_value(nth(a, 0), nth(a, 1))?);
        Ok(())
    }
    fn inverse(&mut self, _: &[Value]) -> Result<(), Error> {
        self.0.pop_front();
        Ok(())
    }
    fn value(&self) -> Result<Value, Error> {
        if self.0.is_empty() {
            return Ok(Value::Null);
        }
        Ok(Value::text(Json::Array(self.0.iter().cloned().collect()).to_string()))
    }
}

/// `json_object(name, value, kind)`.
#[derive(Default)]
struct JsonObject(VecDeque<(String, Json)>);

impl Accumulator for JsonObject {
    fn step(&mut self, a: &[Value]) -> Result<(), Error> {
        let Some(name) = text(nth(a, 0)) else {
            let message = "JSON documents may not contain NULL member names.".to_string();
            return Err(Error { code: 3158, state: "22032", message });
        };
        let item = super::json::from_value(nth(a, 1), nth(a, 2))?;
        self.0.push_back((name.into_owned(), item));
        Ok(())
    }
    fn inverse(&mut self, _: &[Value]) -> Result<(), Error> {
        self.0.pop_front();
        Ok(())
    }
    fn value(&self) -> Result<Value, Error> {
        if self.0.is_empty() {
            return Ok(Value::Null);
        }
        Ok(Value::text(Json::object(self.0.iter().cloned().collect()).to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of the last two rows is the same as those two alone.
    #[test]
    fn over_a_moving_frame() {
        let rows: Vec<Value> = [7, 3, 12, 3, 9].map(Value::Int).to_vec();
        for aggregate in AGGREGATES.iter().filter(|a| a.arity == 1 && a.name != "marmot_agg_separated") {
            let mut moving = (aggregate.start)();
            for (i, row) in rows.iter().enumerate() {
                moving.step(std::slice::from_ref(row)).unwrap();
                let mut alone = (aggregate.start)();
                if i > 0 {
                    alone.step(std::slice::from_ref(&rows[i - 1])).unwrap();
                }
                if i > 1 {
                    moving.inverse(std::slice::from_ref(&rows[i - 2])).unwrap();
                }
                alone.step(std::slice::from_ref(row)).unwrap();
                let close = match (moving.value().unwrap(), alone.value().unwrap()) {
                    (Value::Real(x), Value::Real(y)) => (x.0 - y.0).abs() < 1e-9,
                    (x, y) => x == y,
                };
                assert!(close, "{} after row {i}", aggregate.name);
            }
        }
    }

    #[test]
    fn over_a_group() {
        let run = |name: &str, values: &[Value]| {
            let mut state = (AGGREGATES.iter().find(|a| a.name == name).unwrap().start)();
            values.iter().for_each(|v| state.step(std::slice::from_ref(v)).unwrap());
            state.value().unwrap()
        };
        let ints = [Value::Int(1), Value::Int(3), Value::Null, Value::Int(5)];
        assert_eq!(run("marmot_agg_bit_or", &ints), Value::Int(7));
        assert_eq!(run("marmot_agg_bit_and", &[]), crate::sql::unsigned::cell(u64::MAX));
        assert_eq!(run("marmot_agg_var_samp", &ints), Value::real(4.0));
        assert_eq!(run("marmot_agg_stddev_pop", &[]), Value::Null);
        assert_eq!(run("marmot_agg_separated", &[Value::from("2:; a"), Value::from("2:; b")]), Value::from("a; b"));
    }
}
