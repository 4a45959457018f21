//! LOAD_FILE: see [`FunctionContext::load_file`].

use super::argument::text;
use super::registry::{Function, FunctionContext, LONGEST};
use crate::sql::error::Error;
use crate::types::Value;

pub(super) const FUNCTIONS: &[Function] =
    &[Function { name: "marmot_load_file", arity: 1, deterministic: false, eval: load_file }];

/// NULL for a file that is not there, too large, or not to be read by anybody.
fn load_file(context: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let reader = context.load_file.borrow().clone();
    let bytes = text(&a[0]).zip(reader).and_then(|(name, reader)| (reader.0)(&name, LONGEST));
    Ok(bytes.map_or(Value::Null, |bytes| Value::Blob(bytes.into())))
}
