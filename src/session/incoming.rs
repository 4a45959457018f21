//! The bytes of a statement as text.
//!
//! Statements are in the client's character set. They are UTF-8 as a rule, but what is in quotes may be any bytes: that is how drivers without prepared statements send
//! them, after `_binary` (PyMySQL, PHP's `quote`) or plainly (mysqlclient, Connector/Python, mysqli). Such a literal is
//! rewritten as `x'..'`: the same bytes, which fit a BLOB and are refused by a text column (1366), as MySQL does it.

use crate::mysql::SqlError;
use encoding_rs::Encoding;
use std::borrow::Cow;

/// The statement's text; `client` is what it is in, where that is not UTF-8.
///
/// # Errors
/// 1300 for bytes that are no text and not in a literal.
pub(super) fn text<'t>(
    sql: &'t [u8],
    client: Option<&'static Encoding>,
    backslash_escapes: bool,
) -> Result<Cow<'t, str>, SqlError> {
    let rewriter = |introduced_only| {
        let out = Vec::with_capacity(sql.len());
        Rewriter { sql, at: 0, backslash_escapes, introduced_only, out }
    };
    if let Some(client) = client.filter(|_| !sql.is_ascii()) {
        // Where a character may have several bytes, quotes are found among characters only.
        return if client.is_single_byte() { decoded(&rewriter(true).run(), client) } else { decoded(sql, client) }
            .map(Cow::Owned);
    }
    if let Ok(text) = std::str::from_utf8(sql) {
        return Ok(Cow::Borrowed(text));
    }
    let rewritten = rewriter(false).run();
    String::from_utf8(rewritten).map(Cow::Owned).map_err(|e| invalid(e.as_bytes(), e.utf8_error().valid_up_to()))
}

/// The text that bytes of a client are.
///
/// # Errors
/// 1300.
pub(super) fn decoded(bytes: &[u8], client: &'static Encoding) -> Result<String, SqlError> {
    let invalid = || SqlError::new(1300, format!("Invalid {} character string", client.name()));
    crate::sql::encoding::decode(client, bytes).ok_or_else(invalid)
}

fn invalid(sql: &[u8], at: usize) -> SqlError {
    let shown: String = sql[at..].iter().take(6).map(|b| format!("\\x{b:02X}")).collect();
    SqlError::new(1300, format!("Invalid utf8mb4 character string: '{shown}'"))
}

struct Rewriter<'a> {
    sql: &'a [u8],
    at: usize,
    backslash_escapes: bool,
    /// Literals are in the client's character set, but for those that another one introduces.
    introduced_only: bool,
    out: Vec<u8>,
}

const INTRODUCER: &[u8] = b"_binary";

impl Rewriter<'_> {
    fn run(mut self) -> Vec<u8> {
        while self.at < self.sql.len() {
            let rest = &self.sql[self.at..];
            match rest {
                [b'\'' | b'"', ..] if self.introduced_only => self.copy(self.quoted_length(self.at)),
                [b'\'' | b'"', ..] => self.literal(),
                [b'`', ..] => self.copy(self.quoted_length(self.at)),
                [b'#', ..] | [b'-', b'-', b' ' | b'\t' | b'\n' | b'\r', ..] => self.copy(until(rest, b"\n")),
                [b'/', b'*', ..] => self.copy(until(rest, b"*/")),
                _ if self.starts_introducer() => self.introduced(),
                [b'_', ..] if self.introduced_only => self.of_another_charset(),
                _ => self.copy(1),
            }
        }
        self.out
    }

    fn copy(&mut self, length: usize) {
        self.out.extend_from_slice(&self.sql[self.at..self.at + length]);
        self.at += length;
    }

    fn starts_introducer(&self) -> bool {
        let in_name = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || *b == b'$' || *b == b'.' || *b >= 0x80;
        let fits = self.sql[self.at..].get(..INTRODUCER.len()).is_some_and(|w| w.eq_ignore_ascii_case(INTRODUCER));
        fits && !self.at.checked_sub(1).is_some_and(|before| in_name(&self.sql[before]))
    }

    /// `_binary`, and the literal after it if one follows.
    fn introduced(&mut self) {
        let after = self.at + INTRODUCER.len();
        let space = self.sql[after..].iter().take_while(|b| b.is_ascii_whitespace()).count();
        let quote = after + space;
        if !matches!(self.sql.get(quote), Some(b'\'' | b'"')) {
            return self.copy(INTRODUCER.len());
        }
        let length = self.quoted_length(quote);
        let bytes = self.unquoted(quote, length);
        self.hexadecimal(&bytes);
        self.at = quote + length;
    }

    /// `_name`, and the bytes of the literal after it if one follows that is not ASCII.
    fn of_another_charset(&mut self) {
        let in_name = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || *b == b'$';
        let name = self.sql[self.at..].iter().take_while(|b| in_name(b)).count();
        let inside =
            self.at.checked_sub(1).is_some_and(|before| in_name(&self.sql[before]) || self.sql[before] >= 0x80);
        let after = self.at + name;
        let quote = after + self.sql[after..].iter().take_while(|b| b.is_ascii_whitespace()).count();
        self.copy(name);
        if inside || !matches!(self.sql.get(quote), Some(b'\'' | b'"')) {
            return;
        }
        let length = self.quoted_length(quote);
        if !self.sql[quote..quote + length].is_ascii() {
            let bytes = self.unquoted(quote, length);
            self.hexadecimal(&bytes);
            self.at = quote + length;
        }
    }

    /// A literal; those beside it that belong to it are taken too, if one of them has bytes that are no text.
    fn literal(&mut self) {
        let (start, first) = (self.at, self.quoted_length(self.at));
        let mut end = start + first;
        let mut bytes = self.unquoted(start, first);
        loop {
            let space = self.sql[end..].iter().take_while(|b| b.is_ascii_whitespace()).count();
            if !matches!(self.sql.get(end + space), Some(b'\'' | b'"')) {
                break;
            }
            let length = self.quoted_length(end + space);
            bytes.extend(self.unquoted(end + space, length));
            end += space + length;
        }
        if std::str::from_utf8(&self.sql[start..end]).is_ok() {
            return self.copy(first);
        }
        self.hexadecimal(&bytes);
        self.at = end;
    }

    fn hexadecimal(&mut self, bytes: &[u8]) {
        // `_latin1'..'` and `n'..'` stay two words.
        if self.out.last().is_some_and(|b| b.is_ascii_alphanumeric()) {
            self.out.push(b' ');
        }
        self.out.extend_from_slice(b"x'");
        self.out.extend(bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]));
        self.out.push(b'\'');
    }

    /// How many bytes the quoted piece that starts at `start` has, quotes included; all the rest if it does not end.
    fn quoted_length(&self, start: usize) -> usize {
        let quote = self.sql[start];
        let mut at = start + 1;
        while let Some(byte) = self.sql.get(at) {
            match *byte {
                b'\\' if self.backslash_escapes && quote != b'`' => at += 2,
                byte if byte == quote && self.sql.get(at + 1) == Some(&quote) => at += 2,
                byte if byte == quote => return at + 1 - start,
                _ => at += 1,
            }
        }
        self.sql.len() - start
    }

    /// What a literal stands for.
    fn unquoted(&self, start: usize, length: usize) -> Vec<u8> {
        let quote = self.sql[start];
        let inside = self.sql[start + 1..start + length].strip_suffix(&[quote]).unwrap_or_default();
        let mut bytes = Vec::with_capacity(inside.len());
        let mut rest = inside.iter().copied();
        while let Some(byte) = rest.next() {
            if byte == quote {
                rest.next();
            } else if byte == b'\\' && self.backslash_escapes {
                bytes.push(match rest.next() {
                    Some(b'0') => 0,
                    Some(b'n') => b'\n',
                    Some(b'r') => b'\r',
                    Some(b't') => b'\t',
                    Some(b'b') => 8,
                    Some(b'Z') => 26,
                    Some(other) => other,
                    None => b'\\',
                });
                continue;
            }
            bytes.push(byte);
        }
        bytes
    }
}

fn digit(nibble: u8) -> u8 {
    b"0123456789abcdef"[usize::from(nibble)]
}

/// The bytes up to and with the end mark.
fn until(text: &[u8], end: &[u8]) -> usize {
    text.windows(end.len()).position(|w| w == end).map_or(text.len(), |at| at + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_literals_may_be_any_bytes() {
        let cases: [(&[u8], &str); 6] = [
            (b"SELECT _binary'\xff\\'\\0\\\\'''", "SELECT x'ff27005c27'"),
            (b"SELECT _BINARY \"\xff'\"\"\", 1", "SELECT x'ff2722', 1"),
            (b"SELECT '_binary''', _binary '\x80'", "SELECT '_binary''', x'80'"),
            (
                b"SELECT `_binary'` /* _binary'*/, -- _binary'\n _binary'\x80'",
                "SELECT `_binary'` /* _binary'*/, -- _binary'\n x'80'",
            ),
            (b"SELECT a_binary, _binary 1, '\\'', _binary'\xfe'", "SELECT a_binary, _binary 1, '\\'', x'fe'"),
            ("SELECT 'é', _binary'é'".as_bytes(), "SELECT 'é', _binary'é'"),
        ];
        for (sql, expected) in cases {
            assert_eq!(text(sql, None, true).as_deref(), Ok(expected));
        }
        assert_eq!(text(b"SELECT _binary'\xff\\'", None, false).as_deref(), Ok("SELECT x'ff5c'"));
    }

    #[test]
    fn plain_literals_may_be_any_bytes_too() {
        let cases: [(&[u8], &str); 5] = [
            (b"INSERT INTO t VALUES (1,'\xff\xfe','\\'a''')", "INSERT INTO t VALUES (1,x'fffe','\\'a''')"),
            (b"SELECT \"\xff\"\"\", 'a' 'b'", "SELECT x'ff22', 'a' 'b'"),
            (b"SELECT 'a' '\xff' \"b\" c", "SELECT x'61ff62' c"),
            (b"SELECT _latin1'\xff'", "SELECT _latin1 x'ff'"),
            ("SELECT 'é', '\\%'".as_bytes(), "SELECT 'é', '\\%'"),
        ];
        for (sql, expected) in cases {
            assert_eq!(text(sql, None, true).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn other_character_sets_are_decoded() {
        let latin1 = crate::sql::encoding::encoding("latin1");
        let cases: [(&[u8], &str); 4] = [
            (b"SELECT '\xe9', `\xfc` -- \xe4", "SELECT 'é', `ü` -- ä"),
            (b"SELECT _binary'\xe9', _cp1251 '\xff', _x", "SELECT x'e9', _cp1251 x'ff', _x"),
            (b"SELECT _latin1'a', '_latin1\xe9'", "SELECT _latin1'a', '_latin1é'"),
            (b"SELECT 1", "SELECT 1"),
        ];
        for (sql, expected) in cases {
            assert_eq!(text(sql, latin1, true).as_deref(), Ok(expected));
        }
        let sjis = crate::sql::encoding::encoding("sjis");
        // The second byte of the character is a backslash.
        assert_eq!(text(b"SELECT '\x83\x5c'", sjis, true).as_deref(), Ok("SELECT 'ソ'"));
        assert_eq!(text(b"SELECT '\x83'", sjis, true).map_err(|e| e.code), Err(1300));
    }

    #[test]
    fn other_bytes_must_be_utf8() {
        for sql in [&b"SELECT \xff\xfe"[..], b"SELECT `\xff`", b"SELECT 1 -- \xff"] {
            assert_eq!(text(sql, None, true).map_err(|e| e.code), Err(1300));
        }
        let error = text(b"SELECT \xff\xfe'", None, true).map_err(|e| e.message);
        assert_eq!(error, Err("Invalid utf8mb4 character string: '\\xFF\\xFE\\x27'".into()));
    }
}
