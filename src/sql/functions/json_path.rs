//! JSON paths (manual, "JSON Path Syntax").

use crate::sql::error::Error;
use crate::sql::json::{Json, parse};

/// An end of a range of cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    FromStart(usize),
    FromEnd(usize),
}

impl End {
    fn parse(text: &str) -> Option<End> {
        let text = text.trim();
        if let Some(back) = text.strip_prefix('-') {
            // -1 is the last cell; MariaDB's way to say so.
            let back: usize = back.parse().ok()?;
            return Some(back.checked_sub(1).map_or(End::FromStart(0), End::FromEnd));
        }
        let Some(rest) = text.strip_prefix("last") else { return text.parse().ok().map(End::FromStart) };
        let rest = rest.trim();
        let back = if rest.is_empty() { 0 } else { rest.strip_prefix('-')?.trim().parse().ok()? };
        Some(End::FromEnd(back))
    }
    /// The cell of an array of that length; before the first one it is -1 or less.
    fn at(self, length: usize) -> i64 {
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        match self {
            End::FromStart(i) => number(i),
            End::FromEnd(back) => number(length).saturating_sub(1).saturating_sub(number(back)),
        }
    }
}

/// One leg of a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Leg {
    Member(String),
    Index(usize),
    /// `[last]`, `[last-n]`.
    FromEnd(usize),
    /// `[a to b]`, each end a number or `last-n`.
    Range(End, End),
    AnyMember,
    AnyIndex,
    /// `**`
    Deep,
}

fn bad_path(path: &str) -> Error {
    let message = format!("Invalid JSON path expression. The error is around character position 1. ('{path}')");
    Error { code: 3143, state: "42000", message }
}

pub(super) fn parse_path(path: &str) -> Result<Vec<Leg>, Error> {
    let bad = || bad_path(path);
    let mut rest = path.trim().strip_prefix('$').ok_or_else(bad)?.trim_start();
    let mut legs = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("**") {
            legs.push(Leg::Deep);
            rest = after;
        } else if let Some(after) = rest.strip_prefix('.') {
            let after = after.trim_start();
            if let Some(after) = after.strip_prefix('*') {
                legs.push(Leg::AnyMember);
                rest = after;
            } else if after.starts_with('"') {
                let mut end = 1;
                let bytes = after.as_bytes();
                while end < bytes.len() && bytes[end] != b'"' {
                    end += if bytes[end] == b'\\' { 2 } else { 1 };
                }
                let name = after.get(..=end).ok_or_else(bad)?;
                match parse(name)? {
                    Json::Text(name) => legs.push(Leg::Member(name)),
                    _ => return Err(bad()),
                }
                rest = &after[end + 1..];
            } else {
                let end = after.find(['.', '[', '*', ' ']).unwrap_or(after.len());
                if end == 0 {
                    return Err(bad());
                }
                legs.push(Leg::Member(after[..end].to_string()));
                rest = &after[end..];
            }
        } else if let Some(after) = rest.strip_prefix('[') {
            let (inside, after) = after.split_once(']').ok_or_else(bad)?;
            legs.push(parse_index(inside.trim()).ok_or_else(bad)?);
            rest = after;
        } else {
            return Err(bad());
        }
        rest = rest.trim_start();
    }
    if legs.last() == Some(&Leg::Deep) { Err(bad()) } else { Ok(legs) }
}

fn parse_index(inside: &str) -> Option<Leg> {
    if inside == "*" {
        return Some(Leg::AnyIndex);
    }
    if let Some((from, to)) = inside.split_once(" to ") {
        return Some(Leg::Range(End::parse(from)?, End::parse(to)?));
    }
    End::parse(inside).map(|end| match end {
        End::FromStart(i) => Leg::Index(i),
        End::FromEnd(back) => Leg::FromEnd(back),
    })
}

/// # Errors
/// 3143 for what is no path.
pub(in crate::sql) fn check_path(path: &str) -> Result<(), Error> {
    parse_path(path).map(drop)
}

pub(super) fn is_wild(legs: &[Leg]) -> bool {
    legs.iter().any(|l| matches!(l, Leg::AnyMember | Leg::AnyIndex | Leg::Deep | Leg::Range(..)))
}

/// Everything a path finds.
pub(super) fn find<'j>(json: &'j Json, legs: &[Leg], found: &mut Vec<&'j Json>) {
    let Some((leg, rest)) = legs.split_first() else {
        if !found.iter().any(|f| std::ptr::eq(*f, json)) {
            found.push(json);
        }
        return;
    };
    match (leg, json) {
        (Leg::Member(name), _) => {
            if let Some(member) = json.member(name) {
                find(member, rest, found);
            }
        }
        (Leg::AnyMember, Json::Object(members)) => members.iter().for_each(|(_, v)| find(v, rest, found)),
        (Leg::AnyIndex, Json::Array(items)) => items.iter().for_each(|v| find(v, rest, found)),
        (Leg::Index(i), Json::Array(items)) => items.get(*i).into_iter().for_each(|v| find(v, rest, found)),
        (Leg::FromEnd(back), Json::Array(items)) => {
            let at = items.len().checked_sub(back + 1);
            at.and_then(|i| items.get(i)).into_iter().for_each(|v| find(v, rest, found));
        }
        (Leg::Range(from, to), Json::Array(items)) => {
            let (from, to) = (from.at(items.len()).max(0), to.at(items.len()));
            let wanted = items.iter().enumerate().filter(|(i, _)| (from..=to).contains(&(*i as i64)));
            wanted.for_each(|(_, v)| find(v, rest, found));
        }
        // A scalar is an array of itself.
        (Leg::Index(0) | Leg::FromEnd(0), _) => find(json, rest, found),
        (Leg::Deep, _) => {
            find(json, rest, found);
            match json {
                Json::Array(items) => items.iter().for_each(|v| find(v, legs, found)),
                Json::Object(members) => members.iter().for_each(|(_, v)| find(v, legs, found)),
                _ => {}
            }
        }
        _ => {}
    }
}

pub(super) fn first<'j>(json: &'j Json, legs: &[Leg]) -> Option<&'j Json> {
    let mut found = Vec::new();
    find(json, legs, &mut found);
    found.first().copied()
}

/// A path without wildcards.
pub(super) fn exact_path(path: &str) -> Result<Vec<Leg>, Error> {
    let legs = parse_path(path)?;
    if is_wild(&legs) {
        let message = "In this situation, path expressions may not contain the * and ** tokens or an array range.";
        return Err(Error { code: 3149, state: "42000", message: message.into() });
    }
    Ok(legs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_and_ranges() {
        let json = parse("[0, 1, 2, 3, 4]").unwrap();
        let found = |path: &str| {
            let mut found = Vec::new();
            find(&json, &parse_path(path).unwrap(), &mut found);
            found.iter().map(|j| j.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found("$[1 to 2]"), "1 2");
        assert_eq!(found("$[last-2 to last]"), "2 3 4");
        assert_eq!(found("$[last-9 to 1]"), "0 1");
        assert_eq!(found("$[3 to 1]"), "");
        assert_eq!(found("$[last]"), "4");
        assert_eq!((found("$[-1]"), found("$[-0]"), found("$[-3 to -2]")), ("4".into(), "0".into(), "2 3".into()));
        assert!(parse_path("$[last to]").is_err() && parse_path("$[--1]").is_err());
    }
}
