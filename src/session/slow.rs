//! The slow-query log: one line for each statement that took longer than `long_query_time`, or that no index served.
//!
//! `slow_query_log` switches it on, `log_queries_not_using_indexes` adds the latter (both global, as in MySQL). Lines are
//! warnings of the server's log. A statement is shown on one line, cut, and without passwords.

use super::session::Session;
use super::variables::Which;
use crate::mysql::SqlError;
use crate::sqlite::Cost;
use crate::types::{Span, Value};

/// Characters of a statement that are shown.
const SHOWN: usize = 1024;
/// What stands for a text that may be a password.
const HIDDEN: &str = "'***'";
/// Whatever text follows one of these words in a statement may be a password.
const SECRET_WORDS: &[&str] = &["identified", "passwd", "password", "passphrase", "pwd", "secret", "token"];

impl Session {
    /// Logs a statement that just ended, if this log is on.
    pub(super) fn log_slow(&self, text: &str, time: Span, cost: Cost, error: Option<&SqlError>, slow: bool) {
        if !self.is_on("slow_query_log") || !(slow || self.is_on("log_queries_not_using_indexes")) {
            return;
        }
        let state = &self.state;
        tracing::warn!(
            target: "marmot::slow",
            seconds = time.as_secs_f64(),
            rows = if state.row_count < 0 { state.found_rows } else { state.row_count.cast_unsigned() },
            scanned = cost.scanned_rows,
            user = %format_args!("{}@{}", state.user, state.host),
            database = state.database.as_deref().unwrap_or_default(),
            connection = state.connection_id,
            txn = self.committed.map(tracing::field::display),
            error = error.map_or(0, |e| e.code),
            statement = shown(text),
            "{}",
            if slow { "slow statement" } else { "statement without an index" },
        );
    }

    fn is_on(&self, name: &'static str) -> bool {
        matches!(self.state.variables.get(name, Which::Global), Ok(Value::Int(1)))
    }
}

/// A statement for the log: one line, at most [`SHOWN`] characters, no passwords.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(SHOWN) + 4);
    let mut secret = false;
    let mut rest = text.trim();
    let mut left = SHOWN;
    while let Some(first) = rest.chars().next() {
        let (token, after) = rest.split_at(token_length(rest, first));
        rest = after;
        let is_text = matches!(first, '\'' | '"');
        let mentions = mentions_secret(token);
        let hidden = is_text && (secret || mentions) || secret && token.starts_with("0x");
        secret |= mentions;
        for c in if hidden { HIDDEN } else { token }.chars() {
            if left == 0 {
                shown.push('…');
                return shown;
            }
            shown.push(if c.is_control() { ' ' } else { c });
            left -= 1;
        }
        if is_text && mentions {
            // A statement within the text, or a quote that was read otherwise than the server did: no more of it.
            shown.push_str(if rest.is_empty() { "" } else { "…" });
            break;
        }
    }
    shown
}

/// The bytes of the comment, literal, word or single character that `rest` begins with. What has no end goes to the end.
fn token_length(rest: &str, first: char) -> usize {
    match first {
        '/' if rest.starts_with("/*") && !rest.starts_with("/*!") => rest.find("*/").map_or(rest.len(), |at| at + 2),
        '#' => rest.find('\n').unwrap_or(rest.len()),
        '-' if rest.starts_with("-- ") => rest.find('\n').unwrap_or(rest.len()),
        '\'' | '"' => literal_length(rest, first),
        c if is_word(c) => rest.find(|c: char| !is_word(c)).unwrap_or(rest.len()),
        c => c.len_utf8(),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Up to its closing quote: a doubled one, and one after a backslash, are of the text.
fn literal_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            match chars.peek() {
                Some((_, next)) if *next == quote => drop(chars.next()),
                _ => return at + c.len_utf8(),
            }
        }
    }
    rest.len()
}

fn mentions_secret(token: &str) -> bool {
    let token = token.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| token.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_and_the_rest_is_shown() {
        for (text, expected) in [
            ("SELECT 'a',\n  \"b\"", "SELECT 'a',   \"b\""),
            ("CREATE USER u IDENTIFIED BY 'p''w\\'d'", "CREATE USER u IDENTIFIED BY '***'"),
            ("ALTER USER 'u'@'%' IDENTIFIED WITH x AS 0xABCD", "ALTER USER 'u'@'%' IDENTIFIED WITH x AS '***'"),
            ("set password = \"p\"", "set password = '***'"),
            ("SET @@user_password='p', @b='c'", "SET @@user_password='***', @b='***'"),
            ("UPDATE u SET `password` = 'p' WHERE n = 'x'", "UPDATE u SET `password` = '***' WHERE n = '***'"),
            ("PREPARE s FROM 'SET PASSWORD = ''p'''", "PREPARE s FROM '***'"),
            ("SELECT PASSWORD('without end", "SELECT PASSWORD('***'"),
            ("/* it's */ CREATE USER u IDENTIFIED BY 'p'", "/* it's */ CREATE USER u IDENTIFIED BY '***'"),
            // As NO_BACKSLASH_ESCAPES has it, the password is no text here.
            ("SET @a = '\\', PASSWORD = 'p'", "SET @a = '***'…"),
            ("SELECT 'ä' -- ö\0", "SELECT 'ä' -- ö "),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn long_statements_are_cut() {
        let long = shown(&format!("SELECT '{}'", "ü".repeat(5000)));
        assert_eq!(long.chars().count(), SHOWN + 1);
        assert!(long.ends_with("ü…"));
    }
}
