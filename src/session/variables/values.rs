//! Checking and holding the values of system variables: the server's globals and each session's copy.

use super::charset;
use super::definition::{DEFINITIONS, Default, Definition, Kind, Scope, position};
use crate::sql::Modes;
use crate::types::Value;
use std::sync::{Arc, PoisonError, RwLock};

/// Which value of a variable a statement names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// `@@x`: the session's, or the global one of a variable that has no session value.
    Either,
    /// `@@session.x`, `@@local.x`.
    Session,
    /// `@@global.x`.
    Global,
}

/// Why a variable was not read or set. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    #[error("Unknown system variable '{0}'")]
    Unknown(String),
    #[error("Variable '{0}' is a read only variable")]
    ReadOnly(&'static str),
    #[error("Variable '{0}' is a GLOBAL variable")]
    NotSession(&'static str),
    #[error("Variable '{0}' is a SESSION variable")]
    NotGlobal(&'static str),
    #[error("Variable '{0}' is a GLOBAL variable and should be set with SET GLOBAL")]
    NeedsGlobal(&'static str),
    #[error("Variable '{0}' is a SESSION variable and can't be used with SET GLOBAL")]
    CannotBeGlobal(&'static str),
    #[error("Variable '{name}' can't be set to the value of '{value}'")]
    WrongValue { name: &'static str, value: String },
    #[error("Incorrect argument type to variable '{0}'")]
    WrongType(&'static str),
    #[error("Unknown storage engine '{0}'")]
    UnknownEngine(String),
    #[error("Unknown character set: '{0}'")]
    UnknownCharset(String),
    #[error("Unknown collation: '{0}'")]
    UnknownCollation(String),
    #[error("Unknown or incorrect time zone: '{0}'")]
    UnknownTimeZone(String),
    #[error("This version of Marmot doesn't yet support '{0}'")]
    NotSupported(String),
}

impl VariableError {
    /// MySQL's error number and SQLSTATE.
    pub fn code(&self) -> (u16, &'static str) {
        match self {
            VariableError::Unknown(_) => (1193, "HY000"),
            VariableError::ReadOnly(_) | VariableError::NotSession(_) | VariableError::NotGlobal(_) => (1238, "HY000"),
            VariableError::NeedsGlobal(_) => (1229, "HY000"),
            VariableError::CannotBeGlobal(_) => (1228, "HY000"),
            VariableError::WrongValue { .. } => (1231, "42000"),
            VariableError::WrongType(_) => (1232, "42000"),
            VariableError::UnknownEngine(_) => (1286, "42000"),
            VariableError::UnknownCharset(_) => (1115, "42000"),
            VariableError::UnknownCollation(_) => (1273, "HY000"),
            VariableError::UnknownTimeZone(_) => (1298, "HY000"),
            VariableError::NotSupported(_) => (1235, "42000"),
        }
    }
}

/// A value as stored, with a note (MySQL warning 1292) if it had to be clamped.
type Checked = Result<(Value, Option<String>), VariableError>;

/// Variables that change results in a way Marmot has not: only this value is taken, any other is refused by name.
const ONLY: &[(&str, i64)] = &[
    ("big_tables", 0),
    ("sql_auto_is_null", 0),
    ("sql_big_selects", 1),
    ("sql_generate_invisible_primary_key", 0),
    ("updatable_views_with_limit", 1),
    ("default_week_format", 0),
];

/// Modes of MySQL 5.7 that 8.0 removed, still sent by old clients and dumps: dropped.
const GONE_MODES: &[&str] = &["NO_AUTO_CREATE_USER", "NO_FIELD_OPTIONS", "NO_KEY_OPTIONS", "NO_TABLE_OPTIONS"];

/// A `sql_mode` as MySQL prints it; the error is the first unknown name.
fn modes(text: &str) -> Result<String, String> {
    let known = text.split(',').map(str::trim).filter(|n| !GONE_MODES.iter().any(|gone| gone.eq_ignore_ascii_case(n)));
    let mut all = Modes::NONE;
    for name in known {
        all = all.union(Modes::parse(name).map_err(|_| name.to_string())?);
    }
    Ok(all.to_string())
}

fn default_of(definition: &Definition) -> Value {
    match definition.default {
        Default::Int(i) => Value::Int(i),
        Default::Real(x) => Value::real(x),
        Default::Text(t) => Value::text(t),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(t) => t.to_string(),
        other => other.to_string(),
    }
}

/// Checks a value given to SET and brings it into stored form.
pub fn check(d: &'static Definition, value: &Value) -> Checked {
    let wrong = || VariableError::WrongValue { name: d.name, value: shown(value) };
    let text = match value {
        Value::Text(t) => Some(t.to_string()),
        Value::Blob(b) => Some(String::from_utf8_lossy(b).into_owned()),
        _ => None,
    };
    let plain = |v: Value| Ok((v, None));
    let checked = match d.kind {
        Kind::Bool => {
            let on = match (value, text.as_deref()) {
                (Value::Int(i @ (0 | 1)), _) => *i,
                (_, Some(t)) if t.eq_ignore_ascii_case("on") || t.eq_ignore_ascii_case("true") => 1,
                (_, Some(t)) if t.eq_ignore_ascii_case("off") || t.eq_ignore_ascii_case("false") => 0,
                (Value::Real(_), _) => return Err(VariableError::WrongType(d.name)),
                _ => return Err(wrong()),
            };
            plain(Value::Int(on))
        }
        Kind::Int(min, max) => match value {
            Value::Int(i) => {
                let clamped = (*i).clamp(min, max);
                let note = (clamped != *i).then(|| format!("Truncated incorrect {} value: '{i}'", d.name));
                Ok((Value::Int(clamped), note))
            }
            Value::Null => Err(wrong()),
            _ => Err(VariableError::WrongType(d.name)),
        },
        Kind::Real(min, max) => match value {
            Value::Int(i) => plain(Value::real((*i as f64).clamp(min, max))),
            Value::Real(x) => plain(Value::real(x.0.clamp(min, max))),
            Value::Text(t) => match t.parse::<f64>() {
                Ok(x) if x.is_finite() => plain(Value::real(x.clamp(min, max))),
                _ => Err(VariableError::WrongType(d.name)),
            },
            _ => Err(VariableError::WrongType(d.name)),
        },
        Kind::Choice(names) => {
            let chosen = match (value, text) {
                (Value::Int(i), _) => usize::try_from(*i).ok().and_then(|i| names.get(i)),
                (_, Some(t)) => {
                    names.iter().find(|n| n.eq_ignore_ascii_case(&t) || n.replace('-', " ").eq_ignore_ascii_case(&t))
                }
                _ => None,
            };
            plain(Value::text(*chosen.ok_or_else(wrong)?))
        }
        Kind::Engine => {
            let name = text.ok_or(VariableError::WrongType(d.name))?;
            match crate::sql::storage_engine(&name) {
                Some(engine) => plain(Value::text(engine)),
                None => Err(VariableError::UnknownEngine(name)),
            }
        }
        Kind::SqlMode => {
            let text = match (value, text) {
                (_, Some(t)) => t,
                (Value::Int(0), _) => String::new(),
                _ => return Err(wrong()),
            };
            plain(Value::text(modes(&text).map_err(|value| VariableError::WrongValue { name: d.name, value })?))
        }
        Kind::Charset => match (value, text) {
            (Value::Null, _) if d.name == "character_set_results" => plain(Value::Null),
            (_, Some(t)) => {
                let set = charset::charset(&t).ok_or(VariableError::UnknownCharset(t))?;
                if !set.spoken {
                    return Err(VariableError::NotSupported(format!("{} = {}", d.name, set.name)));
                }
                plain(Value::text(set.name))
            }
            _ => Err(wrong()),
        },
        Kind::Collation => match text {
            Some(t) => {
                let known = charset::collation(&t).ok_or(VariableError::UnknownCollation(t))?;
                plain(Value::text(known.name))
            }
            None => Err(wrong()),
        },
        Kind::TimeZone => match text {
            Some(t) if is_time_zone(&t) => plain(Value::text(t)),
            _ => Err(VariableError::UnknownTimeZone(shown(value))),
        },
        Kind::Text => match text {
            Some(t) => plain(Value::text(t)),
            None if *value == Value::Null => plain(Value::Null),
            None => Err(VariableError::WrongType(d.name)),
        },
    }?;
    match ONLY.iter().find(|(name, _)| *name == d.name) {
        Some((name, only)) if checked.0 != Value::Int(*only) => {
            Err(VariableError::NotSupported(format!("{name} = {}", shown(&checked.0))))
        }
        _ => Ok(checked),
    }
}

/// `SYSTEM`, an offset from `-13:59` to `+14:00`, or a named zone of the IANA database.
fn is_time_zone(text: &str) -> bool {
    text.eq_ignore_ascii_case("SYSTEM") || offset_minutes(text).is_some() || jiff::tz::TimeZone::get(text).is_ok()
}

/// The minutes of an offset like `+02:00`, if `text` is one that MySQL takes.
pub fn offset_minutes(text: &str) -> Option<i32> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |s: &str| (1..=2).contains(&s.len()).then(|| s.parse::<u8>().ok()).flatten();
    let (hours, minutes) = (i32::from(number(hours)?), i32::from(number(minutes)?));
    let total = sign * (hours * 60 + minutes);
    (minutes < 60 && (-839..=840).contains(&total)).then_some(total)
}

/// The server's global values. A session copies them when it starts.
#[derive(Debug)]
pub struct Globals {
    values: RwLock<Arc<Vec<Value>>>,
}

impl Globals {
    /// MySQL's defaults, overridden by the daemon's configuration: read-only variables can be set here, too.
    ///
    /// # Errors
    /// An unknown name or a value of the wrong kind.
    pub fn new(overrides: &[(&str, Value)]) -> Result<Globals, VariableError> {
        let mut values: Vec<Value> = DEFINITIONS.iter().map(default_of).collect();
        for (name, value) in overrides {
            let at = position(name).ok_or_else(|| VariableError::Unknown((*name).to_string()))?;
            values[at] = check(&DEFINITIONS[at], value)?.0;
        }
        Ok(Globals { values: RwLock::new(Arc::new(values)) })
    }

    pub fn snapshot(&self) -> Arc<Vec<Value>> {
        self.values.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A whole number or switch by a name this program spells.
    ///
    /// # Panics
    /// If there is no such variable: `name` is a literal in the code, never a client's text.
    pub fn number(&self, name: &'static str) -> u64 {
        match &self.snapshot()[position(name).expect("variables named in the code are defined")] {
            Value::Int(n) => u64::try_from(*n).unwrap_or(0),
            _ => 0,
        }
    }

    fn set(&self, at: usize, value: Value) {
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut values)[at] = value;
    }
}

/// The variables as one session sees them.
#[derive(Clone, Debug)]
pub struct Variables {
    globals: Arc<Globals>,
    values: Arc<Vec<Value>>,
}

impl Variables {
    pub fn new(globals: Arc<Globals>) -> Variables {
        let values = globals.snapshot();
        Variables { globals, values }
    }

    /// Forgets what the session set (COM_RESET_CONNECTION, COM_CHANGE_USER).
    pub fn reset(&mut self) {
        self.values = self.globals.snapshot();
    }

    /// The value of a variable.
    pub fn get(&self, name: &str, which: Which) -> Result<Value, VariableError> {
        let at = position(name).ok_or_else(|| VariableError::Unknown(name.to_string()))?;
        let d = &DEFINITIONS[at];
        match (which, d.scope) {
            (Which::Session, Scope::Global) => Err(VariableError::NotSession(d.name)),
            (Which::Global, Scope::Session) => Err(VariableError::NotGlobal(d.name)),
            (Which::Global, _) | (Which::Either, Scope::Global) => Ok(self.globals.snapshot()[at].clone()),
            (Which::Session | Which::Either, _) => Ok(self.values[at].clone()),
        }
    }

    /// A session value by a name this program spells.
    ///
    /// # Panics
    /// If there is no such variable: `name` is a literal in the code, never a client's text.
    pub(in crate::session) fn own(&self, name: &'static str) -> &Value {
        &self.values[position(name).expect("variables named in the code are defined")]
    }

    /// Sets a variable; `None` is `DEFAULT`. `Either` means the session's value. The text is MySQL warning 1292.
    ///
    /// # Errors
    /// Nothing changed.
    pub fn set(&mut self, name: &str, which: Which, value: Option<&Value>) -> Result<Option<String>, VariableError> {
        let at = position(name).ok_or_else(|| VariableError::Unknown(name.to_string()))?;
        let d = &DEFINITIONS[at];
        let global = which == Which::Global;
        if !d.settable {
            return Err(VariableError::ReadOnly(d.name));
        }
        match (global, d.scope) {
            (true, Scope::Session) => return Err(VariableError::CannotBeGlobal(d.name)),
            (false, Scope::Global) => return Err(VariableError::NeedsGlobal(d.name)),
            _ => {}
        }
        let (value, note) = match value {
            Some(value) => check(d, value)?,
            None if global || d.scope == Scope::Session => (default_of(d), None),
            None => (self.globals.snapshot()[at].clone(), None),
        };
        if global {
            self.globals.set(at, value);
        } else {
            Arc::make_mut(&mut self.values)[at] = value;
        }
        Ok(note)
    }

    /// Stores a session value that the session itself computes, settable or not.
    pub(in crate::session) fn put(&mut self, name: &'static str, value: Value) {
        let at = position(name).expect("variables named in the code are defined");
        Arc::make_mut(&mut self.values)[at] = value;
    }

    /// A session value as SHOW prints it; `None`: there is no such variable, or it has no session value.
    pub fn shown(&self, name: &str) -> Option<String> {
        let at = position(name).filter(|at| DEFINITIONS[*at].scope != Scope::Global)?;
        Some(display(&DEFINITIONS[at], &self.values[at]))
    }

    /// All variables as SHOW prints them. A global listing leaves out those that have no global value.
    pub fn list(&self, global: bool) -> Vec<(&'static str, String)> {
        let globals = self.globals.snapshot();
        let listed = DEFINITIONS.iter().enumerate().filter(|(_, d)| !global || d.scope != Scope::Session);
        listed
            .map(|(at, d)| {
                let from_global = global || d.scope == Scope::Global;
                let value = if from_global { &globals[at] } else { &self.values[at] };
                (d.name, display(d, value))
            })
            .collect()
    }
}

/// A value as SHOW VARIABLES prints it.
fn display(d: &Definition, value: &Value) -> String {
    match (d.kind, value) {
        (Kind::Bool, Value::Int(i)) => if *i == 0 { "OFF" } else { "ON" }.to_string(),
        (Kind::Real(..), Value::Real(x)) => format!("{:.6}", x.0),
        (_, Value::Null) => String::new(),
        (_, value) => shown(value),
    }
}
