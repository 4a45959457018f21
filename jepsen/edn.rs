//! EDN, the notation of Jepsen's histories: as much of it as histories need, written and read.

use std::collections::BTreeMap;
use std::fmt;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edn {
    Nil,
    Bool(bool),
    Int(i64),
    Keyword(String),
    Text(String),
    Vector(Vec<Edn>),
    Map(BTreeMap<Edn, Edn>),
}

impl Edn {
    pub fn keyword(name: &str) -> Edn {
        Edn::Keyword(name.to_string())
    }

    pub fn map(pairs: impl IntoIterator<Item = (&'static str, Edn)>) -> Edn {
        Edn::Map(pairs.into_iter().map(|(key, value)| (Edn::keyword(key), value)).collect())
    }

    /// The value of a keyword in a map; nil where there is none.
    pub fn get(&self, key: &str) -> &Edn {
        match self {
            Edn::Map(pairs) => pairs.get(&Edn::keyword(key)).unwrap_or(&Edn::Nil),
            _ => &Edn::Nil,
        }
    }

    pub fn int(&self) -> Option<i64> {
        if let Edn::Int(n) = self { Some(*n) } else { None }
    }

    /// A keyword's name or a text.
    pub fn text(&self) -> Option<&str> {
        if let Edn::Keyword(text) | Edn::Text(text) = self { Some(text) } else { None }
    }

    /// The elements of a vector; nothing for anything else.
    pub fn items(&self) -> &[Edn] {
        if let Edn::Vector(items) = self { items } else { &[] }
    }

    /// The numbers of a vector.
    pub fn ints(&self) -> Vec<i64> {
        self.items().iter().filter_map(Edn::int).collect()
    }

    pub fn pair(&self) -> Option<(i64, i64)> {
        match self.items() {
            [a, b] => Some((a.int()?, b.int()?)),
            _ => None,
        }
    }
}

impl From<i64> for Edn {
    fn from(n: i64) -> Edn {
        Edn::Int(n)
    }
}

impl From<&str> for Edn {
    fn from(text: &str) -> Edn {
        Edn::Text(text.to_string())
    }
}

impl<T: Into<Edn>> From<Option<T>> for Edn {
    fn from(value: Option<T>) -> Edn {
        value.map_or(Edn::Nil, Into::into)
    }
}

impl<T: Into<Edn>> FromIterator<T> for Edn {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Edn {
        Edn::Vector(items.into_iter().map(Into::into).collect())
    }
}

impl<A: Into<Edn>, B: Into<Edn>> From<(A, B)> for Edn {
    fn from((a, b): (A, B)) -> Edn {
        Edn::Vector(vec![a.into(), b.into()])
    }
}

impl fmt::Display for Edn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Edn::Nil => f.write_str("nil"),
            Edn::Bool(b) => write!(f, "{b}"),
            Edn::Int(n) => write!(f, "{n}"),
            Edn::Keyword(name) => write!(f, ":{name}"),
            Edn::Text(text) => {
                f.write_str("\"")?;
                for c in text.chars() {
                    match c {
                        '"' => f.write_str("\\\"")?,
                        '\\' => f.write_str("\\\\")?,
                        '\n' => f.write_str("\\n")?,
                        '\r' => f.write_str("\\r")?,
                        '\t' => f.write_str("\\t")?,
                        c => write!(f, "{c}")?,
                    }
                }
                f.write_str("\"")
            }
            Edn::Vector(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i > 0 { " " } else { "" })?;
                }
                f.write_str("]")
            }
            Edn::Map(pairs) => {
                f.write_str("{")?;
                for (i, (key, value)) in pairs.iter().enumerate() {
                    write!(f, "{}{key} {value}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
        }
    }
}

/// Reads all values of a text.
pub fn parse(text: &str) -> Result<Vec<Edn>, String> {
    let mut reader = Reader { text, at: 0 };
    let mut values = Vec::new();
    while reader.peek().is_some() {
        values.push(reader.value()?);
    }
    Ok(values)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    /// The next character that is not white space or a comma, which are the same in EDN.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        self.at += rest.len() - trimmed.len();
        trimmed.chars().next()
    }

    fn wrong<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("EDN: {what} at byte {}", self.at))
    }

    fn until(&mut self, close: char) -> Result<Vec<Edn>, String> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            match self.peek() {
                Some(c) if c == close => {
                    self.at += 1;
                    return Ok(items);
                }
                Some(_) => items.push(self.value()?),
                None => return self.wrong("the end comes too early"),
            }
        }
    }

    fn value(&mut self) -> Result<Edn, String> {
        match self.peek() {
            None => self.wrong("a value is missing"),
            Some('[') => Ok(Edn::Vector(self.until(']')?)),
            Some('(') => Ok(Edn::Vector(self.until(')')?)),
            Some('{') => {
                let items = self.until('}')?;
                if items.len() % 2 == 1 {
                    return self.wrong("a map with half a pair");
                }
                Ok(Edn::Map(items.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()))
            }
            Some('"') => self.quoted(),
            Some(_) => {
                let rest = &self.text[self.at..];
                let end = rest.find(|c: char| c.is_whitespace() || ",[](){}\"".contains(c)).unwrap_or(rest.len());
                let word = &rest[..end];
                let value = match word {
                    "nil" => Edn::Nil,
                    "true" => Edn::Bool(true),
                    "false" => Edn::Bool(false),
                    _ => match word.strip_prefix(':') {
                        Some(name) if !name.is_empty() => Edn::keyword(name),
                        _ => match word.parse() {
                            Ok(n) => Edn::Int(n),
                            Err(_) => return self.wrong(&format!("'{word}' is not understood")),
                        },
                    },
                };
                self.at += end;
                Ok(value)
            }
        }
    }

    fn quoted(&mut self) -> Result<Edn, String> {
        self.at += 1;
        let mut text = String::new();
        let rest = &self.text[self.at..];
        let mut chars = rest.char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += i + 1;
                    return Ok(Edn::Text(text));
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, c)) => text.push(c),
                    None => break,
                },
                c => text.push(c),
            }
        }
        self.wrong("a text without an end")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let value = Edn::map([
            ("process", Edn::Int(-3)),
            ("type", Edn::keyword("ok")),
            ("error", "a \"quote\", a \\, a\nline".into()),
            ("value", [Edn::Nil, Edn::Bool(true), (1, 2).into()].into_iter().collect()),
        ]);
        assert_eq!(parse(&format!("{value}\n{value}")), Ok(vec![value.clone(), value]));
    }

    #[test]
    fn the_form_is_that_of_jepsen() {
        let value: Edn = [Edn::Vector(vec![Edn::keyword("append"), 3.into(), 1.into()])].into_iter().collect();
        assert_eq!(value.to_string(), "[[:append 3 1]]");
        assert_eq!(Edn::map([("f", Edn::keyword("txn")), ("index", 7.into())]).to_string(), "{:f :txn, :index 7}");
    }

    #[test]
    fn bad_text_is_an_error() {
        for bad in ["[1", "{:a}", "\"x", "]", "12x", ":"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
