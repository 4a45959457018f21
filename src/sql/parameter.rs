//! Where the parameters of a program come from, and how a value becomes one.

use super::column_type::ColumnType;
use super::error::Error;
use super::functions::FunctionContext;
use super::plan::VariableScope;
use super::storage_rule::Rule;
use super::store;
use crate::types::Value;
use std::sync::Arc;

/// One `?n`.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub source: Source,
    pub convert: Convert,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The n-th literal of the statement's text, from 0.
    Literal {
        index: usize,
        negate: bool,
    },
    /// The n-th `?` marker of a prepared statement, from 0.
    Client(usize),
    Constant(Value),
    /// Everything else: asked of the session once per statement.
    Environment(Wanted),
}

/// What a session knows and a statement asks for. The value is the same throughout one statement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// `NOW(fsp)` as `YYYY-MM-DD HH:MM:SS[.f]` in the session's time zone.
    Now(u8),
    /// `UTC_TIMESTAMP(fsp)`, in the same form.
    UtcNow(u8),
    /// `@name` in lower case; NULL if unset.
    User(String),
    /// `@@name` in lower case; 1193 if there is none.
    System(VariableScope, String),
    Database,
    /// `user@host` as the client gave it.
    ClientUser,
    /// `user@host` as it was authenticated.
    CurrentUser,
    Version,
    ConnectionId,
    LastInsertId,
    RowCount,
    FoundRows,
}

/// The session, seen from a program.
pub trait Environment {
    /// The value of `wanted`; asking twice within a statement gives the same.
    fn value(&self, wanted: &Wanted) -> Result<Value, Error>;
}

/// What is done with the value before it is bound.
#[derive(Clone, Debug, PartialEq)]
pub enum Convert {
    /// Nothing, except that a decimal literal becomes a number.
    Plain,
    /// MySQL's implicit string to number conversion: compared with a numeric column.
    Number,
    /// Compared with a DECIMAL: exact where the text is a number.
    Decimal,
    /// Compared with a temporal column of this type: brought into its format.
    Temporal(ColumnType),
    /// Text as a BLOB, compared with a binary column.
    Binary,
    /// LIMIT and OFFSET: a non-negative integer.
    Limit,
    /// Stored into a column: checked and converted as MySQL does; `row` counts from 1.
    Store { rule: Arc<Rule>, row: u32 },
}

impl Parameter {
    pub fn plain(source: Source) -> Parameter {
        Parameter { source, convert: Convert::Plain }
    }
}

/// Computes the values of `?1..?n`.
///
/// `literals` are the statement's own, as [`super::normalise`] found them; `client` are the values bound to its
/// markers. Errors are those of the conversions (a value that does not fit its column, 1264 and so on); with `IGNORE`
/// and in non-strict modes they become warnings in `functions` instead.
pub fn bind(
    parameters: &[Parameter],
    literals: &[Literal],
    client: &[Value],
    environment: &dyn Environment,
    functions: &FunctionContext,
) -> Result<Vec<Value>, Error> {
    parameters.iter().map(|p| bind_one(p, literals, client, environment, functions)).collect()
}

fn bind_one(
    parameter: &Parameter,
    literals: &[Literal],
    client: &[Value],
    environment: &dyn Environment,
    functions: &FunctionContext,
) -> Result<Value, Error> {
    let missing = || Error::wrong_arguments("EXECUTE");
    let value = match &parameter.source {
        Source::Literal { index, negate } => {
            let literal = literals.get(*index).ok_or_else(missing)?;
            match (&parameter.convert, literal) {
                // The exact digits matter to a DECIMAL column.
                (Convert::Store { .. }, Literal::Decimal(digits)) if *negate => Value::text(format!("-{digits}")),
                (Convert::Store { .. }, Literal::Decimal(digits)) => Value::Text(digits.clone()),
                _ => literal.value(*negate),
            }
        }
        Source::Client(index) => client.get(*index).ok_or_else(missing)?.clone(),
        Source::Constant(value) => value.clone(),
        Source::Environment(wanted) => environment.value(wanted)?,
    };
    match &parameter.convert {
        Convert::Plain => Ok(value),
        Convert::Number => Ok(store::to_number_warned(&value, "DOUBLE", functions)),
        Convert::Decimal => Ok(store::to_decimal(&value, functions)),
        Convert::Temporal(ty) => Ok(store::to_temporal(&value, ty)),
        Convert::Binary => Ok(match value {
            Value::Text(text) => Value::Blob(text.as_bytes().into()),
            other => other,
        }),
        Convert::Limit => match store::to_number(&value) {
            Value::Int(n) if n >= 0 => Ok(Value::Int(n)),
            // 18446744073709551615 is how MySQL's manual spells "no limit".
            Value::Real(n) if n.0 >= 0.0 => Ok(Value::Int(i64::MAX)),
            _ => Err(Error::wrong_arguments("LIMIT")),
        },
        Convert::Store { rule, row } => store::store(rule, value, *row, functions),
    }
}

/// A literal taken out of a statement's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// Digits only, within 64 signed bits.
    Int(i64),
    /// Digits with a point, or an integer beyond 64 bits: exact in MySQL, so the digits are kept.
    Decimal(Arc<str>),
    /// With an exponent.
    Float(crate::types::Real),
    Text(Arc<str>),
}

impl Literal {
    /// The value SQLite computes with.
    pub fn value(&self, negate: bool) -> Value {
        match self {
            Literal::Int(n) if negate => Value::Int(n.wrapping_neg()),
            Literal::Int(n) => Value::Int(*n),
            Literal::Decimal(digits) => match (digits.as_ref(), negate) {
                ("9223372036854775808", true) => Value::Int(i64::MIN),
                (digits, _) => match digits.parse::<u64>() {
                    Ok(n) if !negate => super::unsigned::cell(n),
                    _ => match super::decimal::Decimal::parse(digits) {
                        Some(number) if negate => number.negated().cell(),
                        Some(number) => number.cell(),
                        None => Value::Null,
                    },
                },
            },
            Literal::Float(number) => Value::real(if negate { -number.0 } else { number.0 }),
            Literal::Text(text) => Value::Text(text.clone()),
        }
    }
}
