//! Aggregates that SQLite lacks or computes differently.

use super::argument::{maybe_real, nth, real, text};
use super::numeric::{as_bits, maybe_unsigned};
use super::registry::{Accumulator, Aggregate};
use crate::sql::error::Error;
use crate::sql::json::{self, Json};
use crate::types::Value;

/// See the module.
pub const AGGREGATES: &[Aggregate] = &[
    Aggregate {
        name: "marmot_agg_bit_and",
        arity: 1,
        start: || Box::new(Bits { value: u64::MAX, combine: |a, b| a & b }),
    },
    Aggregate { name: "marmot_agg_bit_or", arity: 1, start: || Box::new(Bits { value: 0, combine: |a, b| a | b }) },
    Aggregate { name: "marmot_agg_bit_xor", arity: 1, start: || Box::new(Bits { value: 0, combine: |a, b| a ^ b }) },
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
    Aggregate { name: "marmot_agg_separated", arity: 1, start: || Box::new(Joined(None)) },
    Aggregate { name: "marmot_agg_json_array", arity: 2, start: || Box::new(JsonArray(None)) },
    Aggregate { name: "marmot_agg_json_object", arity: 3, start: || Box::new(JsonObject(None)) },
];

struct Bits {
    value: u64,
    combine: fn(u64, u64) -> u64,
}

impl Accumulator for Bits {
    fn step(&mut self, a: &[Value]) -> Result<(), Error> {
        let bits = as_bits(nth(a, 0));
        if let Some(bits) = bits {
            self.value = (self.combine)(self.value, bits);
        }
        Ok(())
    }
    fn finish(&mut self) -> Result<Value, Error> {
        Ok(maybe_unsigned(Some(self.value)))
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
    fn finish(&mut self) -> Result<Value, Error> {
        let divisor = if self.sample { self.count - 1.0 } else { self.count };
        let variance = (divisor > 0.0).then(|| self.squares / divisor);
        Ok(maybe_real(variance.map(|v| if self.root { v.sqrt() } else { v })))
    }
}

/// Values made by `marmot_separated`.
struct Joined(Option<String>);

impl Accumulator for Joined {
    fn step(&mut self, a: &[Value]) -> Result<(), Error> {
        let Some(item) = text(nth(a, 0)) else { return Ok(()) };
        let (length, rest) = item.split_once(':').ok_or_else(|| Error::malformed_payload("GROUP_CONCAT item"))?;
        let split = length.parse().ok().filter(|n| rest.is_char_boundary(*n));
        let (separator, value) = rest.split_at(split.ok_or_else(|| Error::malformed_payload("GROUP_CONCAT item"))?);
        match &mut self.0 {
            None => self.0 = Some(value.to_string()),
            Some(all) => {
                all.push_str(separator);
                all.push_str(value);
            }
        }
        Ok(())
    }
    fn finish(&mut self) -> Result<Value, Error> {
        Ok(self.0.take().map_or(Value::Null, Value::text))
    }
}

/// `json_array(value, kind)`.
struct JsonArray(Option<Vec<Json>>);

impl Accumulator for JsonArray {
    fn step(&mut self, a: &[Value]) -> Result<(), Error> {
        let item = super::json::from_value(nth(a, 0), nth(a, 1))?;
        self.0.get_or_insert_default().push(item);
        Ok(())
    }
    fn finish(&mut self) -> Result<Value, Error> {
        Ok(self.0.take().map_or(Value::Null, |items| Value::text(Json::Array(items).to_string())))
    }
}

/// `json_object(name, value, kind)`.
struct JsonObject(Option<Vec<(String, Json)>>);

impl Accumulator for JsonObject {
    fn step(&mut self, a: &[Value]) -> Result<(), Error> {
        let Some(name) = text(nth(a, 0)) else {
            let message = "JSON documents may not contain NULL member names.".to_string();
            return Err(Error { code: 3158, state: "22032", message });
        };
        let item = super::json::from_value(nth(a, 1), nth(a, 2))?;
        self.0.get_or_insert_default().push((name.into_owned(), item));
        Ok(())
    }
    fn finish(&mut self) -> Result<Value, Error> {
        Ok(self.0.take().map_or(Value::Null, |members| Value::text(json::Json::object(members).to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_a_group() {
        let run = |name: &str, values: &[Value]| {
            let mut state = (AGGREGATES.iter().find(|a| a.name == name).unwrap().start)();
            values.iter().for_each(|v| state.step(std::slice::from_ref(v)).unwrap());
            state.finish().unwrap()
        };
        let ints = [Value::Int(1), Value::Int(3), Value::Null, Value::Int(5)];
        assert_eq!(run("marmot_agg_bit_or", &ints), Value::Int(7));
        assert_eq!(run("marmot_agg_bit_and", &[]), crate::sql::unsigned::cell(u64::MAX));
        assert_eq!(run("marmot_agg_var_samp", &ints), Value::real(4.0));
        assert_eq!(run("marmot_agg_stddev_pop", &[]), Value::Null);
        assert_eq!(run("marmot_agg_separated", &[Value::from("2:; a"), Value::from("2:; b")]), Value::from("a; b"));
    }
}
