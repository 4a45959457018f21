//! WITH CHECK OPTION: what refuses a new row that its view would not show.

use super::registry::{Function, FunctionContext};
use crate::sql::error::{Error, Warning};
use crate::sql::store::as_text;
use crate::types::Value;

/// Neither is deterministic: they must not run before there is a row.
pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "marmot_view_checked", arity: 3, deterministic: false, eval: checked },
    Function { name: "marmot_view_allows", arity: 2, deterministic: false, eval: allows },
];

/// `checked(value, holds, view)`: the value, or error 1369.
fn checked(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    if a[1] == Value::Int(1) { Ok(a[0].clone()) } else { Err(Error::view_check_failed(as_text(&a[2]))) }
}

/// `allows(holds, view)`: 1, or error 1369; under IGNORE a warning, and 0.
fn allows(context: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    if a[0] == Value::Int(1) {
        return Ok(Value::Int(1));
    }
    let error = Error::view_check_failed(as_text(&a[1]));
    if !context.ignore.get() {
        return Err(error);
    }
    context.warn(Warning::of(error));
    Ok(Value::Int(0))
}
