//! JSON functions that test a path or choose a text form (manual, "JSON Functions", and MariaDB's own: JSON_EXISTS,
//! JSON_QUERY, JSON_COMPACT, JSON_DETAILED, JSON_EQUALS), and JSON_ARRAY_INSERT.

use super::argument::{nth, text};
use super::json::{document, from_value, put, shown};
use super::json_path::{Leg, exact_path, first, parse_path};
use super::registry::{Function, FunctionContext};
use crate::sql::error::Error;
use crate::sql::json::{Json, quote};
use crate::types::Value;

macro_rules! functions {
    ($($name:literal $arity:literal $eval:expr;)+) => {
        pub(super) const FUNCTIONS: &[Function] =
            &[$(Function { name: $name, arity: $arity, deterministic: true, eval: $eval }),+];
    };
}

functions! {
    "marmot_json_exists" 2 |_, a| Ok(found(a)?.map_or(Value::Null, |j| Value::Int(i64::from(j.is_some()))));
    "marmot_json_query" 2 |_, a| Ok(shown(found(a)?.flatten().filter(is_structure)));
    "marmot_json_compact" 1 |_, a| Ok(document(&a[0])?.map_or(Value::Null, |j| Value::text(compact(&j))));
    "marmot_json_detailed" 1 |_, a| Ok(document(&a[0])?.map_or(Value::Null, |j| Value::text(detailed(&j, 0))));
    "marmot_json_equals" 2 equals;
    "marmot_json_number" 1 number;
    "marmot_json_array_insert" -1 array_insert;
}

/// What the path finds, if neither argument is NULL.
fn found(a: &[Value]) -> Result<Option<Option<Json>>, Error> {
    let (Some(json), Some(path)) = (document(&a[0])?, text(&a[1])) else { return Ok(None) };
    Ok(Some(first(&json, &parse_path(&path)?).cloned()))
}

fn is_structure(json: &Json) -> bool {
    matches!(json, Json::Array(_) | Json::Object(_))
}

fn equals(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let (Some(x), Some(y)) = (document(&a[0])?, document(&a[1])?) else { return Ok(Value::Null) };
    Ok(Value::Int(i64::from(x.equals(&y))))
}

/// JSON compared with a number: its booleans are 1 and 0, its strings the number they begin with.
fn number(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    Ok(match document(&a[0])? {
        Some(Json::Bool(b)) => Value::Int(i64::from(b)),
        Some(Json::Text(text)) => crate::sql::store::to_number(&Value::text(text)),
        _ => crate::sql::store::to_number(&a[0]),
    })
}

fn named(name: &str) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = quote(name, &mut out);
    out
}

/// Without any space.
fn compact(json: &Json) -> String {
    match json {
        Json::Array(items) => format!("[{}]", items.iter().map(compact).collect::<Vec<_>>().join(",")),
        Json::Object(members) => {
            let member = |(n, v): &(String, Json)| format!("{}:{}", named(n), compact(v));
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

/// One line for each value, what holds others on a line of its own.
fn detailed(json: &Json, depth: usize) -> String {
    let (pad, end) = ("    ".repeat(depth + 1), "    ".repeat(depth));
    match json {
        Json::Array(items) if !items.is_empty() => {
            let lines: Vec<String> = items.iter().map(|v| format!("{pad}{}", detailed(v, depth + 1))).collect();
            format!("[\n{}\n{end}]", lines.join(",\n"))
        }
        Json::Object(members) if !members.is_empty() => {
            let line = |(n, v): &(String, Json)| {
                let gap = if is_structure(v) { format!("\n{pad}") } else { String::new() };
                format!("{pad}{}: {gap}{}", named(n), detailed(v, depth + 1))
            };
            format!("{{\n{}\n{end}}}", members.iter().map(line).collect::<Vec<_>>().join(",\n"))
        }
        other => other.to_string(),
    }
}

/// `json_array_insert(document, path, value, kind, ...)`: a path that ends in no array is passed over.
fn array_insert(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let Some(mut json) = document(nth(a, 0))? else { return Ok(Value::Null) };
    for step in a[1..].chunks_exact(3) {
        let Some(path) = text(&step[0]) else { return Ok(Value::Null) };
        let legs = exact_path(&path)?;
        let Some((Leg::Index(_) | Leg::FromEnd(_), parent)) = legs.split_last() else {
            let message = "A path expression is not a path to a cell in an array.".to_string();
            return Err(Error { code: 3165, state: "42000", message });
        };
        let Some(Json::Array(mut items)) = first(&json, parent).cloned() else { continue };
        let at = match legs.last() {
            Some(Leg::Index(i)) => (*i).min(items.len()),
            Some(Leg::FromEnd(back)) => items.len().saturating_sub(back + 1),
            _ => continue,
        };
        items.insert(at, from_value(&step[1], &step[2])?);
        put(&mut json, parent, &Json::Array(items), false, true);
    }
    Ok(shown(Some(json)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &[Value]) -> Result<Value, u16> {
        let function = FUNCTIONS.iter().find(|f| f.name == name).unwrap();
        (function.eval)(&FunctionContext::default(), arguments).map_err(|e| e.code)
    }

    #[test]
    fn as_documented() {
        let t = |s: &str| Value::from(s);
        let document = r#"{"a": 1, "b": [1, 2]}"#;
        assert_eq!(call("marmot_json_exists", &[t(document), t("$.b[1]")]), Ok(Value::Int(1)));
        assert_eq!(call("marmot_json_exists", &[t(document), t("$.c")]), Ok(Value::Int(0)));
        assert_eq!(call("marmot_json_query", &[t(document), t("$.b")]), Ok(t("[1, 2]")));
        assert_eq!(call("marmot_json_query", &[t(document), t("$.a")]), Ok(Value::Null));
        assert_eq!(call("marmot_json_compact", &[t(document)]), Ok(t(r#"{"a":1,"b":[1,2]}"#)));
        let lines = "{\n    \"a\": 1,\n    \"b\": \n    [\n        1,\n        2\n    ]\n}";
        assert_eq!(call("marmot_json_detailed", &[t(document)]), Ok(t(lines)));
        let numbers = ["true", "false", "1.5", "\"7\""].map(|j| call("marmot_json_number", &[t(j)]).unwrap());
        assert_eq!(numbers, [Value::Int(1), Value::Int(0), Value::real(1.5), Value::Int(7)]);
        assert_eq!(call("marmot_json_equals", &[t("[1]"), t("[1.0]")]), Ok(Value::Int(1)));
        let insert =
            |path: &str| call("marmot_json_array_insert", &[t(r#"["a", [3, 4]]"#), t(path), t("x"), Value::Int(0)]);
        assert_eq!(insert("$[0]"), Ok(t(r#"["x", "a", [3, 4]]"#)));
        assert_eq!(insert("$[1][1]"), Ok(t(r#"["a", [3, "x", 4]]"#)));
        assert_eq!(insert("$[9]"), Ok(t(r#"["a", [3, 4], "x"]"#)));
        assert_eq!(insert("$.a"), Err(3165));
    }
}
