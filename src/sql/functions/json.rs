//! JSON functions (manual, "JSON Functions").
//!
//! Where an argument may be JSON or plain SQL, the translator adds its kind, which it knows from the expression's
//! type: 0 plain, 1 JSON, 2 boolean.

use super::argument::{integer, nth, text};
use super::json_path::{Leg, exact_path, find, first, is_wild, parse_path};
use super::registry::{Function, FunctionContext};
use crate::sql::error::Error;
use crate::sql::json::{Json, parse, quote};
use crate::types::Value;

macro_rules! functions {
    ($($name:literal $arity:literal $eval:expr;)+) => {
        pub(super) const FUNCTIONS: &[Function] =
            &[$(Function { name: $name, arity: $arity, deterministic: true, eval: $eval }),+];
    };
}

functions! {
    "marmot_json" 1 |_, a| document(&a[0]).map(shown);
    "marmot_json_array" -1 json_array;
    "marmot_json_object" -1 json_object;
    "marmot_json_extract" -1 extract;
    "marmot_json_unquote" 1 |_, a| unquote(&a[0]);
    "marmot_json_value" 2 json_value;
    "marmot_json_quote" 1 |_, a| Ok(quoted(&a[0]));
    "marmot_json_valid" 1 |_, a| Ok(text(&a[0]).map_or(Value::Null, |t| Value::Int(i64::from(parse(&t).is_ok()))));
    "marmot_json_type" 1 |_, a| Ok(document(&a[0])?.map_or(Value::Null, |j| Value::from(j.type_name())));
    "marmot_json_length" -1 |_, a| Ok(at_path(a)?.map_or(Value::Null, |j| Value::Int(j.length() as i64)));
    "marmot_json_depth" 1 |_, a| Ok(document(&a[0])?.map_or(Value::Null, |j| Value::Int(j.depth() as i64)));
    "marmot_json_keys" -1 keys;
    "marmot_json_contains" -1 contains;
    "marmot_json_contains_path" -1 contains_path;
    "marmot_json_set" -1 |_, a| change(a, true, true);
    "marmot_json_insert" -1 |_, a| change(a, true, false);
    "marmot_json_replace" -1 |_, a| change(a, false, true);
    "marmot_json_remove" -1 remove;
    "marmot_json_array_append" -1 array_append;
    "marmot_json_merge_patch" -1 merge_patch;
    "marmot_json_merge_preserve" -1 merge_preserve;
    "marmot_json_pretty" 1 |_, a| Ok(document(&a[0])?.map_or(Value::Null, |j| Value::text(pretty(&j, 0))));
    "marmot_json_overlaps" 2 overlaps;
    "marmot_member_of" 2 member_of;
    "marmot_json_search" -1 search;
}

pub(super) fn document(value: &Value) -> Result<Option<Json>, Error> {
    text(value).map(|t| parse(&t)).transpose()
}

pub(super) fn shown(json: Option<Json>) -> Value {
    json.map_or(Value::Null, |j| Value::text(j.to_string()))
}

/// A value of SQL as JSON, by its kind.
pub(super) fn from_value(value: &Value, kind: &Value) -> Result<Json, Error> {
    Ok(match (value, kind) {
        (Value::Null, _) => Json::Null,
        (Value::Text(text), Value::Int(1)) => parse(text)?,
        (value, Value::Int(2)) => Json::Bool(integer(value) != Some(0)),
        (Value::Int(n), _) => Json::Int(*n),
        (Value::Real(x), _) => Json::Double(x.0),
        (value, _) => Json::Text(text(value).map(|t| t.into_owned()).unwrap_or_default()),
    })
}

fn extract(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    if a.contains(&Value::Null) {
        return Ok(Value::Null);
    }
    let Some(json) = document(nth(a, 0))? else { return Ok(Value::Null) };
    let mut found = Vec::new();
    let mut many = a.len() > 2;
    for path in a.iter().skip(1).filter_map(text) {
        let legs = parse_path(&path)?;
        many |= is_wild(&legs);
        let mut here = Vec::new();
        find(&json, &legs, &mut here);
        found.extend(here);
    }
    if many && !found.is_empty() {
        let items: Vec<Json> = found.into_iter().cloned().collect();
        return Ok(Value::text(Json::Array(items).to_string()));
    }
    Ok(found.first().map_or(Value::Null, |j| Value::text(j.to_string())))
}

fn unquote(value: &Value) -> Result<Value, Error> {
    match text(value) {
        Some(t) if t.len() >= 2 && t.starts_with('"') && t.ends_with('"') => match parse(&t)? {
            Json::Text(text) => Ok(Value::text(text)),
            _ => Ok(value.clone()),
        },
        Some(t) => Ok(Value::text(&*t)),
        None => Ok(Value::Null),
    }
}

fn json_value(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let (Some(json), Some(path)) = (document(&a[0])?, text(&a[1])) else { return Ok(Value::Null) };
    Ok(match first(&json, &parse_path(&path)?) {
        None | Some(Json::Null | Json::Array(_) | Json::Object(_)) => Value::Null,
        Some(Json::Text(text)) => Value::text(text.as_str()),
        Some(other) => Value::text(other.to_string()),
    })
}

fn quoted(value: &Value) -> Value {
    text(value).map_or(Value::Null, |t| {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = quote(&t, &mut out);
        Value::text(out)
    })
}

fn json_array(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let items = a.chunks_exact(2).map(|p| from_value(&p[0], &p[1])).collect::<Result<_, _>>()?;
    Ok(Value::text(Json::Array(items).to_string()))
}

fn json_object(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let member = |p: &[Value]| {
        let Some(name) = text(&p[0]) else {
            let message = "JSON documents may not contain NULL member names.".to_string();
            return Err(Error { code: 3158, state: "22032", message });
        };
        Ok((name.into_owned(), from_value(&p[1], &p[2])?))
    };
    let members = a.chunks_exact(3).map(member).collect::<Result<_, _>>()?;
    Ok(Value::text(Json::object(members).to_string()))
}

/// The document, or what the optional path in it finds.
fn at_path(a: &[Value]) -> Result<Option<Json>, Error> {
    let Some(json) = document(nth(a, 0))? else { return Ok(None) };
    match a.get(1) {
        None => Ok(Some(json)),
        Some(path) => match text(path) {
            Some(path) => Ok(first(&json, &parse_path(&path)?).cloned()),
            None => Ok(None),
        },
    }
}

fn keys(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    Ok(match at_path(a)? {
        Some(Json::Object(members)) => {
            Value::text(Json::Array(members.into_iter().map(|(n, _)| Json::Text(n)).collect()).to_string())
        }
        _ => Value::Null,
    })
}

fn holds(target: &Json, candidate: &Json) -> bool {
    match (target, candidate) {
        (Json::Array(items), Json::Array(wanted)) => wanted.iter().all(|w| items.iter().any(|i| holds(i, w))),
        (Json::Array(items), _) => items.iter().any(|i| holds(i, candidate)),
        (Json::Object(_), Json::Object(wanted)) => {
            wanted.iter().all(|(n, w)| target.member(n).is_some_and(|v| holds(v, w)))
        }
        _ => target.equals(candidate),
    }
}

fn contains(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let target = match a.get(2) {
        Some(path) => at_path(&[nth(a, 0).clone(), path.clone()])?,
        None => document(nth(a, 0))?,
    };
    let (Some(target), Some(candidate)) = (target, document(nth(a, 1))?) else { return Ok(Value::Null) };
    Ok(Value::Int(i64::from(holds(&target, &candidate))))
}

fn contains_path(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    if a.contains(&Value::Null) {
        return Ok(Value::Null);
    }
    let (Some(json), Some(mode)) = (document(nth(a, 0))?, text(nth(a, 1))) else { return Ok(Value::Null) };
    let mut results = Vec::new();
    for path in a.iter().skip(2).filter_map(text) {
        results.push(first(&json, &parse_path(&path)?).is_some());
    }
    let all = mode.eq_ignore_ascii_case("all");
    Ok(Value::Int(i64::from(if all { results.iter().all(|r| *r) } else { results.iter().any(|r| *r) })))
}

/// Sets the value at a path; inserts only into an object or array that is there.
pub(super) fn put(json: &mut Json, legs: &[Leg], value: &Json, insert: bool, replace: bool) {
    let Some((leg, rest)) = legs.split_first() else {
        if replace {
            *json = value.clone();
        }
        return;
    };
    match (leg, &mut *json) {
        (Leg::Member(name), Json::Object(members)) => {
            if let Some((_, member)) = members.iter_mut().find(|(n, _)| n == name) {
                put(member, rest, value, insert, replace);
            } else if insert && rest.is_empty() {
                let mut all = std::mem::take(members);
                all.push((name.clone(), value.clone()));
                *json = Json::object(all);
            }
        }
        (Leg::Index(_) | Leg::FromEnd(_), Json::Array(items)) => {
            let at = match leg {
                Leg::Index(i) => Some(*i),
                Leg::FromEnd(back) => items.len().checked_sub(back + 1),
                _ => None,
            };
            match at.and_then(|i| items.get_mut(i)) {
                Some(item) => put(item, rest, value, insert, replace),
                None if insert && rest.is_empty() && at.is_some() => items.push(value.clone()),
                None => {}
            }
        }
        (Leg::Index(0) | Leg::FromEnd(0), _) => put(json, rest, value, insert, replace),
        (Leg::Index(_), scalar) if insert && rest.is_empty() => {
            let kept = std::mem::replace(scalar, Json::Null);
            *json = Json::Array(vec![kept, value.clone()]);
        }
        _ => {}
    }
}

/// `set(doc, path, value, kind, ...)`.
fn change(a: &[Value], insert: bool, replace: bool) -> Result<Value, Error> {
    let Some(mut json) = document(nth(a, 0))? else { return Ok(Value::Null) };
    for step in a[1..].chunks_exact(3) {
        let Some(path) = text(&step[0]) else { return Ok(Value::Null) };
        put(&mut json, &exact_path(&path)?, &from_value(&step[1], &step[2])?, insert, replace);
    }
    Ok(shown(Some(json)))
}

fn delete(json: &mut Json, legs: &[Leg]) {
    let Some((leg, rest)) = legs.split_first() else { return };
    match (leg, json) {
        (Leg::Member(name), Json::Object(members)) => {
            if rest.is_empty() {
                members.retain(|(n, _)| n != name);
            } else if let Some((_, member)) = members.iter_mut().find(|(n, _)| n == name) {
                delete(member, rest);
            }
        }
        (Leg::Index(_) | Leg::FromEnd(_), Json::Array(items)) => {
            let at = match leg {
                Leg::Index(i) => Some(*i),
                Leg::FromEnd(back) => items.len().checked_sub(back + 1),
                _ => None,
            };
            if let Some(at) = at.filter(|i| *i < items.len()) {
                if rest.is_empty() {
                    items.remove(at);
                } else {
                    delete(&mut items[at], rest);
                }
            }
        }
        _ => {}
    }
}

fn remove(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let Some(mut json) = document(nth(a, 0))? else { return Ok(Value::Null) };
    for path in &a[1..] {
        let Some(path) = text(path) else { return Ok(Value::Null) };
        delete(&mut json, &exact_path(&path)?);
    }
    Ok(shown(Some(json)))
}

fn array_append(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let Some(mut json) = document(nth(a, 0))? else { return Ok(Value::Null) };
    for step in a[1..].chunks_exact(3) {
        let Some(path) = text(&step[0]) else { return Ok(Value::Null) };
        let legs = exact_path(&path)?;
        let Some(target) = first(&json, &legs).cloned() else { continue };
        let item = from_value(&step[1], &step[2])?;
        let extended = match target {
            Json::Array(mut items) => {
                items.push(item);
                Json::Array(items)
            }
            other => Json::Array(vec![other, item]),
        };
        put(&mut json, &legs, &extended, false, true);
    }
    Ok(shown(Some(json)))
}

fn patch(target: Json, with: Json) -> Json {
    let Json::Object(changes) = with else { return with };
    let mut members = match target {
        Json::Object(members) => members,
        _ => vec![],
    };
    for (name, change) in changes {
        let old = members.iter().position(|(n, _)| *n == name).map(|i| members.remove(i).1);
        if change != Json::Null {
            members.push((name, patch(old.unwrap_or(Json::Null), change)));
        }
    }
    Json::object(members)
}

fn merge_with(a: &[Value], merge: fn(Json, Json) -> Json) -> Result<Value, Error> {
    let mut merged: Option<Json> = None;
    for value in a {
        let Some(json) = document(value)? else { return Ok(Value::Null) };
        merged = Some(match merged {
            None => json,
            Some(so_far) => merge(so_far, json),
        });
    }
    Ok(shown(merged))
}

fn merge_patch(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    merge_with(a, patch)
}

fn preserve(a: Json, b: Json) -> Json {
    match (a, b) {
        (Json::Object(mut members), Json::Object(more)) => {
            for (name, value) in more {
                match members.iter().position(|(n, _)| *n == name) {
                    Some(i) => {
                        let old = std::mem::replace(&mut members[i].1, Json::Null);
                        members[i].1 = preserve(old, value);
                    }
                    None => members.push((name, value)),
                }
            }
            Json::object(members)
        }
        (a, b) => {
            let items = |j| match j {
                Json::Array(items) => items,
                other => vec![other],
            };
            let mut all = items(a);
            all.extend(items(b));
            Json::Array(all)
        }
    }
}

fn merge_preserve(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    merge_with(a, preserve)
}

fn pretty(json: &Json, indent: usize) -> String {
    let pad = "  ".repeat(indent + 1);
    let end = "  ".repeat(indent);
    match json {
        Json::Array(items) if !items.is_empty() => {
            let lines: Vec<String> = items.iter().map(|v| format!("{pad}{}", pretty(v, indent + 1))).collect();
            format!("[\n{}\n{end}]", lines.join(",\n"))
        }
        Json::Object(members) if !members.is_empty() => {
            let line = |(n, v): &(String, Json)| format!("{pad}{}: {}", Json::Text(n.clone()), pretty(v, indent + 1));
            format!("{{\n{}\n{end}}}", members.iter().map(line).collect::<Vec<_>>().join(",\n"))
        }
        other => other.to_string(),
    }
}

fn overlaps(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let (Some(x), Some(y)) = (document(&a[0])?, document(&a[1])?) else { return Ok(Value::Null) };
    let found = match (&x, &y) {
        (Json::Array(x), Json::Array(y)) => x.iter().any(|i| y.iter().any(|j| i.equals(j))),
        (Json::Object(x), Json::Object(_)) => x.iter().any(|(n, v)| y.member(n).is_some_and(|w| v.equals(w))),
        (Json::Array(x), _) => x.iter().any(|i| i.equals(&y)),
        (_, Json::Array(y)) => y.iter().any(|i| i.equals(&x)),
        _ => x.equals(&y),
    };
    Ok(Value::Int(i64::from(found)))
}

fn member_of(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let Some(list) = document(&a[1])? else { return Ok(Value::Null) };
    if a[0] == Value::Null {
        return Ok(Value::Null);
    }
    let wanted = from_value(&a[0], &Value::Int(0))?;
    let found = match &list {
        Json::Array(items) => items.iter().any(|i| i.equals(&wanted)),
        other => other.equals(&wanted),
    };
    Ok(Value::Int(i64::from(found)))
}

/// `search(doc, 'one'|'all', pattern[, escape[, path...]])`: paths of strings LIKE the pattern.
fn search(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let (Some(json), Some(mode), Some(pattern)) = (document(nth(a, 0))?, text(nth(a, 1)), text(nth(a, 2))) else {
        return Ok(Value::Null);
    };
    let escape = a.get(3).and_then(text).and_then(|t| t.chars().next()).unwrap_or('\\');
    let pattern: Vec<char> = pattern.chars().collect();
    let mut found = Vec::new();
    walk(&json, "$", &mut |path, text| {
        let characters: Vec<char> = text.chars().collect();
        if super::string::matches_like(&characters, &pattern, Some(escape)) {
            found.push(Json::Text(path.to_string()));
        }
    });
    if mode.eq_ignore_ascii_case("one") {
        found.truncate(1);
    }
    Ok(match found.len() {
        0 => Value::Null,
        1 => Value::text(found[0].to_string()),
        _ => Value::text(Json::Array(found).to_string()),
    })
}

fn walk(json: &Json, path: &str, visit: &mut impl FnMut(&str, &str)) {
    match json {
        Json::Text(text) => visit(path, text),
        Json::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{i}]"), visit);
            }
        }
        Json::Object(members) => {
            for (name, member) in members {
                let simple = name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.is_empty();
                let name = if simple { name.clone() } else { Json::Text(name.clone()).to_string() };
                walk(member, &format!("{path}.{name}"), visit);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &[Value]) -> Value {
        let function = FUNCTIONS.iter().find(|f| f.name == name).unwrap();
        (function.eval)(&FunctionContext::default(), arguments).unwrap()
    }
    fn t(s: &str) -> Value {
        Value::from(s)
    }

    #[test]
    fn as_the_manual_says() {
        let i = Value::Int;
        assert_eq!(call("marmot_json_extract", &[t("[10, 20, [30, 40]]"), t("$[1]")]), t("20"));
        assert_eq!(call("marmot_json_extract", &[t("[10, 20, [30, 40]]"), t("$[1]"), t("$[0]")]), t("[20, 10]"));
        assert_eq!(call("marmot_json_extract", &[t("[10, 20, [30, 40]]"), t("$[2][*]")]), t("[30, 40]"));
        assert_eq!(call("marmot_json_extract", &[t(r#"{"a": {"b": 1}, "c": {"b": 2}}"#), t("$**.b")]), t("[1, 2]"));
        assert_eq!(call("marmot_json_extract", &[t("[1,2,3]"), t("$[last]")]), t("3"));
        assert_eq!(
            call(
                "marmot_json_set",
                &[t(r#"{"a":1,"b":[2,3]}"#), t("$.a"), i(10), i(0), t("$.c"), t("[true, false]"), i(0)]
            ),
            t(r#"{"a": 10, "b": [2, 3], "c": "[true, false]"}"#)
        );
        assert_eq!(call("marmot_json_remove", &[t(r#"["a", ["b", "c"], "d"]"#), t("$[1]")]), t(r#"["a", "d"]"#));
        assert_eq!(
            call("marmot_json_merge_patch", &[t(r#"{"a":1,"b":2}"#), t(r#"{"b":null,"c":3}"#)]),
            t(r#"{"a": 1, "c": 3}"#)
        );
        assert_eq!(call("marmot_json_merge_preserve", &[t("[1, 2]"), t("[true, false]")]), t("[1, 2, true, false]"));
        assert_eq!(call("marmot_json_contains", &[t(r#"{"a":1,"b":2,"c":{"d":4}}"#), t("1"), t("$.a")]), i(1));
        assert_eq!(
            call("marmot_json_object", &[t("id"), i(87), i(0), t("ok"), i(1), i(2)]),
            t(r#"{"id": 87, "ok": true}"#)
        );
        assert_eq!(call("marmot_json_unquote", &[t(r#""abc""#)]), t("abc"));
        assert_eq!(call("marmot_json_keys", &[t(r#"{"a": 1, "b": {"c": 30}}"#), t("$.b")]), t(r#"["c"]"#));
        assert_eq!(call("marmot_json_length", &[t(r#"[1, 2, {"a": 3}]"#)]), i(3));
        assert_eq!(
            call("marmot_json_search", &[t(r#"["abc", [{"k": "10"}, "def"], {"x":"abc"}]"#), t("all"), t("abc")]),
            t(r#"["$[0]", "$[2].x"]"#)
        );
    }
}
