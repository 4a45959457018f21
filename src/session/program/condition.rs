//! Conditions: SIGNAL, RESIGNAL and GET DIAGNOSTICS.

use crate::mysql::{self, SqlError, SqlState};
use crate::session::diagnostics::{Condition, Diagnostics, Level};
use crate::types::Value;

/// What SIGNAL or RESIGNAL asks for, its items evaluated.
pub(super) struct Raised<'a> {
    pub resignal: bool,
    pub state: Option<&'a str>,
    pub items: Vec<(&'static str, Value)>,
}

fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => other.to_string(),
    }
}

/// Raises a condition into the diagnostics. `handled`: what a handler is running for.
///
/// # Errors
/// The condition, unless it is a warning. 1645 for RESIGNAL without a handler, 1231 for an item that is no value of its
/// kind.
pub(super) fn signal(
    diagnostics: &mut Diagnostics,
    limit: usize,
    raised: &Raised<'_>,
    handled: Option<&Condition>,
) -> Result<(), SqlError> {
    let mut condition = match (raised.resignal, handled) {
        (true, None) => return Err(mysql::RESIGNAL_WITHOUT_ACTIVE_HANDLER.with(&[])),
        (true, Some(handled)) => {
            let handled = handled.clone();
            match raised.state {
                Some(state) => Condition { state: SqlState::parse(state), ..handled },
                None => handled,
            }
        }
        (false, _) => {
            let state = raised.state.unwrap_or("45000");
            let (code, level) = match state.get(..2) {
                Some("01") => (mysql::SIGNAL_WARN, Level::Warning),
                Some("02") => (mysql::SIGNAL_NOT_FOUND, Level::Error),
                _ => (mysql::SIGNAL_EXCEPTION, Level::Error),
            };
            let plain = Condition::error(&code.with(&[]));
            Condition { state: SqlState::parse(state), level, ..plain }
        }
    };
    for (item, value) in &raised.items {
        let refused = || {
            let message = format!("Variable '{item}' can't be set to the value of '{}'", text(value));
            SqlError::new(1231, message)
        };
        if *value == Value::Null {
            return Err(refused());
        }
        match *item {
            "MYSQL_ERRNO" => {
                let number = text(value).parse::<u16>().ok().filter(|n| *n > 0);
                condition.code = number.ok_or_else(refused)?;
            }
            "MESSAGE_TEXT" => condition.message = text(value).chars().take(128).collect(),
            item => {
                condition.items.insert(item, text(value));
            }
        }
    }
    // RESIGNAL with a new condition keeps the old one before it; otherwise there is but this one.
    if !raised.resignal || raised.state.is_none() {
        diagnostics.start(limit);
    }
    let error = SqlError { code: condition.code, state: condition.state, message: condition.message.clone() };
    let warns = condition.state.as_str().starts_with("01");
    condition.level = if warns { Level::Warning } else { Level::Error };
    diagnostics.push(condition);
    if warns { Ok(()) } else { Err(error) }
}

/// Notes an error in the diagnostics, unless SIGNAL did with all that it said.
pub(super) fn note_error(diagnostics: &mut Diagnostics, error: &SqlError) {
    let same = |c: &Condition| c.level == Level::Error && c.code == error.code && c.message == error.message;
    if !diagnostics.list().last().is_some_and(same) {
        diagnostics.error(error);
    }
}

/// Where an SQLSTATE is defined: in the standard, or by MySQL.
fn origin(state: &str) -> &'static str {
    let standard = state.bytes().next().is_some_and(|b| matches!(b, b'0'..=b'4' | b'A'..=b'H'));
    if standard { "ISO 9075" } else { "MySQL" }
}

/// The value of an item of GET DIAGNOSTICS. `condition`: its number from 1; `None`: the item is the statement's.
///
/// # Errors
/// 1758 for a number that no condition has.
pub(super) fn item(
    diagnostics: &Diagnostics,
    condition: Option<&Value>,
    item: &str,
    row_count: i64,
) -> Result<Value, SqlError> {
    let Some(number) = condition else {
        let count = i64::try_from(diagnostics.list().len()).unwrap_or(i64::MAX);
        return Ok(Value::Int(if item == "NUMBER" { count } else { row_count }));
    };
    let at = text(number).parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    let found = at.and_then(|at| diagnostics.list().get(at));
    let condition = found.ok_or_else(|| mysql::DA_INVALID_CONDITION_NUMBER.with(&[]))?;
    let state = condition.state.as_str();
    let said = condition.items.get(item).map(|said| Value::text(said.as_str()));
    Ok(match item {
        "MYSQL_ERRNO" => Value::Int(i64::from(condition.code)),
        "MESSAGE_TEXT" => Value::text(condition.message.as_str()),
        "RETURNED_SQLSTATE" => Value::text(state),
        "CLASS_ORIGIN" | "SUBCLASS_ORIGIN" => said.unwrap_or_else(|| Value::text(origin(state))),
        _ => said.unwrap_or_else(|| Value::text("")),
    })
}
