//! JSON documents as MySQL keeps and prints them (manual, "The JSON Data Type"): keys sorted by length, then bytes; the
//! last of equal keys wins; a space after commas and colons.

use super::error::Error;
use std::cmp::Ordering;
use std::fmt::{self, Write};

/// Documents may be nested so deep (MySQL's limit).
const MAX_DEPTH: usize = 100;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Int(i64),
    /// Above the signed range.
    Unsigned(u64),
    Double(f64),
    Text(String),
    Array(Vec<Json>),
    /// Sorted, without duplicates.
    Object(Vec<(String, Json)>),
}

/// Reads a document.
///
/// # Errors
/// 3140 for malformed text, 3157 for one nested too deeply.
pub fn parse(text: &str) -> Result<Json, Error> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let value = reader.value()?;
    reader.space();
    if reader.at < text.len() {
        return Err(reader.invalid("The document root must not be followed by other values."));
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn invalid(&self, what: &str) -> Error {
        Error::invalid_json(format!("\"{what}\" at position {}.", self.at))
    }
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }
    fn space(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }
    fn take(&mut self, c: u8) -> bool {
        self.space();
        let found = self.byte() == c && self.at < self.text.len();
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Result<Json, Error> {
        self.space();
        for (word, value) in [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        match self.byte() {
            b'"' => Ok(Json::Text(self.string()?)),
            b'[' | b'{' => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    let message = "The JSON document exceeds the maximum depth.".to_string();
                    return Err(Error { code: 3157, state: "22032", message });
                }
                let value = if self.byte() == b'[' { self.array() } else { self.object() };
                self.depth -= 1;
                value
            }
            b'-' | b'0'..=b'9' => self.number(),
            _ if self.at >= self.text.len() => Err(self.invalid("The document is empty.")),
            _ => Err(self.invalid("Invalid value.")),
        }
    }

    fn array(&mut self) -> Result<Json, Error> {
        self.at += 1;
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value()?);
            if self.take(b']') {
                return Ok(Json::Array(items));
            }
            if !self.take(b',') {
                return Err(self.invalid("Missing a comma or ']' after an array element."));
            }
        }
    }

    fn object(&mut self) -> Result<Json, Error> {
        self.at += 1;
        let mut members = Vec::new();
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            if self.byte() != b'"' {
                return Err(self.invalid("Missing a name for object member."));
            }
            let name = self.string()?;
            if !self.take(b':') {
                return Err(self.invalid("Missing a colon after a name of object member."));
            }
            members.push((name, self.value()?));
            if self.take(b'}') {
                return Ok(Json::object(members));
            }
            if !self.take(b',') {
                return Err(self.invalid("Missing a comma or '}' after an object member."));
            }
        }
    }

    fn number(&mut self) -> Result<Json, Error> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let first = start + usize::from(self.byte() == b'-');
        let mut end = digits(first);
        if end == first || (bytes[first] == b'0' && end > first + 1) {
            return Err(self.invalid("Invalid value."));
        }
        let mut float = false;
        if bytes.get(end) == Some(&b'.') {
            let after = digits(end + 1);
            if after == end + 1 {
                return Err(self.invalid("Miss fraction part in number."));
            }
            end = after;
            float = true;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let after = digits(end + 1 + sign);
            if after == end + 1 + sign {
                return Err(self.invalid("Miss exponent in number."));
            }
            end = after;
            float = true;
        }
        let text = &self.text[start..end];
        self.at = end;
        if !float {
            if let Ok(n) = text.parse() {
                return Ok(Json::Int(n));
            }
            if let Ok(n) = text.parse() {
                return Ok(Json::Unsigned(n));
            }
        }
        match text.parse::<f64>() {
            Ok(x) if x.is_finite() => Ok(Json::Double(x)),
            _ => Err(self.invalid("Number too big to be stored in double.")),
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(stop) = rest.find(['"', '\\']) else {
                return Err(self.invalid("Missing a closing quotation mark in string."));
            };
            if rest[..stop].bytes().any(|c| c < 0x20) {
                return Err(self.invalid("Invalid encoding in string."));
            }
            text.push_str(&rest[..stop]);
            self.at += stop + 1;
            if rest.as_bytes()[stop] == b'"' {
                return Ok(text);
            }
            let escape = self.byte();
            self.at += 1;
            text.push(match escape {
                b'"' => '"',
                b'\\' => '\\',
                b'/' => '/',
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => self.unicode()?,
                _ => {
                    self.at -= 1;
                    return Err(self.invalid("Invalid escape character in string."));
                }
            });
        }
    }

    fn unit(&mut self) -> Result<u32, Error> {
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|c| c.is_ascii_hexdigit()));
        let Some(digits) = digits else {
            return Err(self.invalid("Incorrect hex digit after \\u escape in string."));
        };
        self.at += 4;
        Ok(u32::from_str_radix(digits, 16).unwrap_or(0))
    }

    fn unicode(&mut self) -> Result<char, Error> {
        let high = self.unit()?;
        let code = match high {
            0xd800..=0xdbff if self.text[self.at..].starts_with("\\u") => {
                self.at += 2;
                let low = self.unit()?;
                if !(0xdc00..=0xdfff).contains(&low) {
                    return Err(self.invalid("The surrogate pair in string is invalid."));
                }
                0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
            }
            other => other,
        };
        char::from_u32(code).ok_or_else(|| self.invalid("The surrogate pair in string is invalid."))
    }
}

fn key_order(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

impl Json {
    /// An object from members in any order; of equal names the last wins.
    pub fn object(mut members: Vec<(String, Json)>) -> Json {
        members.reverse();
        members.sort_by(|a, b| key_order(&a.0, &b.0));
        members.dedup_by(|later, kept| later.0 == kept.0);
        Json::Object(members)
    }
    /// A member by name.
    pub fn member(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            _ => None,
        }
    }
    /// As `JSON_TYPE` names it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "NULL",
            Json::Bool(_) => "BOOLEAN",
            Json::Int(_) => "INTEGER",
            Json::Unsigned(_) => "UNSIGNED INTEGER",
            Json::Double(_) => "DOUBLE",
            Json::Text(_) => "STRING",
            Json::Array(_) => "ARRAY",
            Json::Object(_) => "OBJECT",
        }
    }
    /// Elements, members, or 1 for a scalar.
    pub fn length(&self) -> usize {
        match self {
            Json::Array(items) => items.len(),
            Json::Object(members) => members.len(),
            _ => 1,
        }
    }
    pub fn depth(&self) -> usize {
        match self {
            Json::Array(items) => 1 + items.iter().map(Json::depth).max().unwrap_or(0),
            Json::Object(members) => 1 + members.iter().map(|(_, v)| v.depth()).max().unwrap_or(0),
            _ => 1,
        }
    }
    /// Whether two values are equal as JSON compares them: numbers by value.
    pub fn equals(&self, other: &Json) -> bool {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => a == b,
            _ => match (self, other) {
                (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.equals(y)),
                (Json::Object(a), Json::Object(b)) => {
                    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.0 == y.0 && x.1.equals(&y.1))
                }
                _ => self == other,
            },
        }
    }
    pub fn number(&self) -> Option<f64> {
        match self {
            Json::Int(n) => Some(*n as f64),
            Json::Unsigned(n) => Some(*n as f64),
            Json::Double(x) => Some(*x),
            _ => None,
        }
    }
}

/// Quotes a string.
pub fn quote(text: &str, f: &mut impl Write) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\u{8}' => f.write_str("\\b")?,
            '\u{c}' => f.write_str("\\f")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if (c as u32) < 0x20 => write!(f, "\\u{:04x}", c as u32)?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(b) => write!(f, "{b}"),
            Json::Int(n) => write!(f, "{n}"),
            Json::Unsigned(n) => write!(f, "{n}"),
            Json::Double(x) if x.fract() == 0.0 && x.abs() < 1e15 => write!(f, "{x:.1}"),
            Json::Double(x) => f.write_str(&super::present::real_text(*x)),
            Json::Text(text) => quote(text, f),
            Json::Array(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Json::Object(members) => {
                f.write_str("{")?;
                for (i, (name, value)) in members.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    quote(name, f)?;
                    write!(f, ": {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn printed_as_mysql_prints() {
        let normal = |t: &str| parse(t).map(|j| j.to_string()).unwrap_or_else(|e| e.code.to_string());
        assert_eq!(normal(r#"{"bb":1,"a":[1,2.0,"x"],"a":null}"#), r#"{"a": null, "bb": 1}"#);
        assert_eq!(normal(r#" "\u0041\n\ud83d\ude00" "#), "\"A\\n\u{1f600}\"");
        assert_eq!(normal("{a:1}"), "3140");
        assert_eq!(normal("01"), "3140");
        assert_eq!(normal("1 2"), "3140");
        assert_eq!(normal(&"[".repeat(200)), "3157");
        assert_eq!(normal("18446744073709551615"), "18446744073709551615");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in r#"[\[\]{}",:0-9a-z\\ud.eE+-]{0,40}"#) {
            if let Ok(json) = parse(&text) {
                prop_assert_eq!(parse(&json.to_string()).unwrap().to_string(), json.to_string());
            }
        }
    }
}
