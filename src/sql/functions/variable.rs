//! User variables that a statement assigns while it runs: `@a := value`. The assignments are in the context until the
//! session takes them; what reads a variable in the same statement sees them.

use super::argument::{nth, text};
use super::registry::{Function, FunctionContext};
use crate::sql::error::Error;
use crate::types::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "marmot_assign", arity: -1, deterministic: false, eval: assign },
    Function { name: "marmot_variable", arity: 2, deterministic: false, eval: variable },
];

/// `assign(name, value[, kept])`: the value; the variable gets it in the form that is kept.
fn assign(context: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let name = text(nth(a, 0)).unwrap_or_default().into_owned();
    let kept = a.get(2).unwrap_or(nth(a, 1));
    context.assigned.borrow_mut().insert(name, kept.clone());
    Ok(nth(a, 1).clone())
}

/// `variable(name, before)`: its value now; `before` is what it had when the statement began.
fn variable(context: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let name = text(&a[0]).unwrap_or_default();
    Ok(context.assigned.borrow().get(&*name).unwrap_or(&a[1]).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_see_assignments() {
        let context = FunctionContext::default();
        let read = || variable(&context, &[Value::from("a"), Value::Int(1)]).unwrap();
        assert_eq!(read(), Value::Int(1));
        assert_eq!(assign(&context, &[Value::from("a"), Value::Int(2)]), Ok(Value::Int(2)));
        assert_eq!(read(), Value::Int(2));
        assert_eq!(assign(&context, &[Value::from("a"), Value::real(1.5), Value::from("1.50")]), Ok(Value::real(1.5)));
        assert_eq!(read(), Value::from("1.50"));
    }
}
