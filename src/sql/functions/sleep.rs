//! SLEEP: see [`FunctionContext::sleep`].

use super::argument::real;
use super::registry::{Function, FunctionContext};
use crate::sql::error::Error;
use crate::types::Value;

pub(super) const FUNCTIONS: &[Function] =
    &[Function { name: "marmot_sleep", arity: 1, deterministic: false, eval: sleep }];

/// A year: nobody waits longer, and sums of it fit.
const LONGEST_SECONDS: f64 = 31_536_000.0;

fn sleep(context: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    match real(&a[0]) {
        Some(seconds) if seconds >= 0.0 => {
            let micros = (seconds.min(LONGEST_SECONDS) * 1e6) as u64;
            context.sleep.set(context.sleep.get().saturating_add(micros));
            Ok(Value::Int(0))
        }
        _ => Err(Error::wrong_arguments("sleep")),
    }
}
