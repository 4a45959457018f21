//! Regular expressions (manual, "Regular Expressions"). MySQL uses ICU; this is Rust's `regex`, which has no
//! back-references and no look-around: such patterns are refused (3692), not misread.

use super::argument::{integer, maybe_text, nth, text};
use super::registry::{Function, FunctionContext};
use crate::sql::error::Error;
use crate::types::Value;
use regex::{Regex, RegexBuilder};
use std::cell::RefCell;

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "marmot_regexp", arity: 3, deterministic: true, eval: like },
    Function { name: "marmot_regexp_replace", arity: -1, deterministic: true, eval: replace },
    Function { name: "marmot_regexp_substr", arity: -1, deterministic: true, eval: substr },
    Function { name: "marmot_regexp_instr", arity: -1, deterministic: true, eval: instr },
];

/// Compiled patterns a thread remembers.
const REMEMBERED: usize = 16;

thread_local! {
    static COMPILED: RefCell<Vec<(String, bool, Regex)>> = const { RefCell::new(Vec::new()) };
}

/// Compiles a pattern; `flags` are MySQL's match types and may turn case off (`i`) or on (`c`).
fn compile(pattern: &str, mut ignore_case: bool, flags: &str) -> Result<Regex, Error> {
    let mut options = String::new();
    for flag in flags.chars() {
        match flag {
            'i' => ignore_case = true,
            'c' => ignore_case = false,
            'm' => options.push('m'),
            'n' => options.push('s'),
            'u' => {}
            _ => return Err(Error::wrong_arguments("regexp_like")),
        }
    }
    let full = if options.is_empty() { pattern.to_string() } else { format!("(?{options}){pattern}") };
    COMPILED.with_borrow_mut(|known| {
        if let Some(i) = known.iter().position(|(p, c, _)| *p == full && *c == ignore_case) {
            let found = known.remove(i);
            known.push(found);
        } else {
            // POSIX word boundaries of older MySQL.
            let source = full.replace("[[:<:]]", "\\b").replace("[[:>:]]", "\\b");
            let built = RegexBuilder::new(&source).case_insensitive(ignore_case).size_limit(1 << 20).build();
            let regex = built.map_err(|e| Error::invalid_regexp(e.to_string().lines().last().unwrap_or_default()))?;
            if known.len() >= REMEMBERED {
                known.remove(0);
            }
            known.push((full, ignore_case, regex));
        }
        known.last().map(|(_, _, r)| r.clone()).ok_or_else(|| Error::invalid_regexp("no pattern"))
    })
}

/// `regexp(text, pattern, flags)`.
fn like(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let (Some(whole), Some(pattern), Some(flags)) = (text(&a[0]), text(&a[1]), text(&a[2])) else {
        return Ok(Value::Null);
    };
    Ok(Value::Int(i64::from(compile(&pattern, true, &flags)?.is_match(&whole))))
}

/// The byte offset of the `position`-th character.
fn offset(whole: &str, position: i64) -> Option<usize> {
    let skip = usize::try_from(position).ok()?.checked_sub(1)?;
    whole.char_indices().map(|(i, _)| i).chain([whole.len()]).nth(skip)
}

/// `regexp_replace(text, pattern, with[, position[, occurrence[, flags]]])`.
fn replace(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let (Some(whole), Some(pattern), Some(with)) = (text(nth(a, 0)), text(nth(a, 1)), text(nth(a, 2))) else {
        return Ok(Value::Null);
    };
    let flags = a.get(5).and_then(text).unwrap_or_default();
    let regex = compile(&pattern, true, &flags)?;
    let Some(from) = offset(&whole, a.get(3).map_or(Some(1), integer).unwrap_or(0)) else {
        return Err(Error::wrong_arguments("regexp_replace"));
    };
    let occurrence = a.get(4).map_or(Some(0), integer).unwrap_or(0);
    // `\1` in MySQL 8 is `$1`, as in the regex crate; `${1}a` guards against `$1a`.
    let mut out = String::from(&whole[..from]);
    let mut last = from;
    for (i, found) in regex.captures_iter(&whole[from..]).enumerate() {
        if occurrence > 0 && i as i64 + 1 != occurrence {
            continue;
        }
        let Some(range) = found.get(0) else { continue };
        out.push_str(&whole[last..from + range.start()]);
        expand(&with, &found, &mut out);
        last = from + range.end();
    }
    out.push_str(&whole[last..]);
    Ok(Value::text(out))
}

/// `$n` stands for a group, `\x` for x.
fn expand(with: &str, found: &regex::Captures<'_>, out: &mut String) {
    let mut characters = with.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' => out.extend(characters.next()),
            '$' if characters.peek().is_some_and(char::is_ascii_digit) => {
                let digit = characters.next().and_then(|d| d.to_digit(10)).unwrap_or(0);
                out.push_str(found.get(digit as usize).map_or("", |m| m.as_str()));
            }
            c => out.push(c),
        }
    }
}

fn nth_match<'t>(whole: &'t str, a: &[Value], flags_at: usize) -> Result<Option<regex::Match<'t>>, Error> {
    let Some(pattern) = text(nth(a, 1)) else { return Ok(None) };
    let flags = a.get(flags_at).and_then(text).unwrap_or_default();
    let regex = compile(&pattern, true, &flags)?;
    let Some(from) = offset(whole, a.get(2).map_or(Some(1), integer).unwrap_or(0)) else { return Ok(None) };
    let occurrence = a.get(3).map_or(Some(1), integer).unwrap_or(1).max(1) as usize;
    Ok(regex.find_iter(&whole[from..]).nth(occurrence - 1).and_then(|m| {
        let (start, end) = (from + m.start(), from + m.end());
        // The match within the whole text.
        regex.find_at(whole, start).filter(|w| w.start() == start && w.end() == end)
    }))
}

/// `regexp_substr(text, pattern[, position[, occurrence[, flags]]])`.
fn substr(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let Some(whole) = text(nth(a, 0)) else { return Ok(Value::Null) };
    Ok(maybe_text(nth_match(&whole, a, 4)?.map(|m| m.as_str().to_string())))
}

/// `regexp_instr(text, pattern[, position[, occurrence[, return_end[, flags]]]])`.
fn instr(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let Some(whole) = text(nth(a, 0)) else { return Ok(Value::Null) };
    if *nth(a, 1) == Value::Null {
        return Ok(Value::Null);
    }
    let end = a.get(4).and_then(integer) == Some(1);
    let found = nth_match(&whole, a, 5)?.map(|m| if end { m.end() } else { m.start() });
    Ok(Value::Int(found.map_or(0, |at| whole[..at].chars().count() as i64 + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &[Value]) -> Result<Value, Error> {
        let function = FUNCTIONS.iter().find(|f| f.name == name).unwrap();
        (function.eval)(&FunctionContext::default(), arguments)
    }

    #[test]
    fn as_the_manual_says() {
        let t = Value::from;
        assert_eq!(call("marmot_regexp", &[t("Michael!"), t(".*"), t("")]), Ok(Value::Int(1)));
        assert_eq!(call("marmot_regexp", &[t("a"), t("A"), t("")]), Ok(Value::Int(1)));
        assert_eq!(call("marmot_regexp", &[t("a"), t("A"), t("c")]), Ok(Value::Int(0)));
        assert_eq!(
            call("marmot_regexp_replace", &[t("abc def ghi"), t("[a-z]+"), t("X"), Value::Int(1), Value::Int(3)]),
            Ok(t("abc def X"))
        );
        assert_eq!(
            call("marmot_regexp_substr", &[t("abc def ghi"), t("[a-z]+"), Value::Int(1), Value::Int(3)]),
            Ok(t("ghi"))
        );
        assert_eq!(call("marmot_regexp_instr", &[t("dog cat dog"), t("dog"), Value::Int(2)]), Ok(Value::Int(9)));
        assert_eq!(call("marmot_regexp", &[t("a"), t("("), t("")]).unwrap_err().code, 3692);
    }
}
