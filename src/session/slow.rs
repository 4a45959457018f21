//! The slow-query log: one line for each statement that took longer than `long_query_time`, or that no index served.
//!
//! `slow_query_log` switches it on, `log_queries_not_using_indexes` adds the latter (both global, as in MySQL). Lines are
//! warnings of the server's log. A statement is shown on one line, cut, and without passwords.

use super::passwords::without_passwords;
use super::session::Session;
use super::variables::Which;
use crate::mysql::SqlError;
use crate::sqlite::Cost;
use crate::types::{Span, Value};

/// Characters of a statement that are shown.
const SHOWN: usize = 1024;

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
    for (count, c) in without_passwords(text.trim()).flat_map(str::chars).enumerate() {
        if count == SHOWN {
            shown.push('…');
            break;
        }
        shown.push(if c.is_control() { ' ' } else { c });
    }
    shown
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
