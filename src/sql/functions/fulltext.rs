//! MATCH ... AGAINST: `marmot_agg_fulltext(mode, folds, query, columns...)` reads the table and makes a cell of the search,
//! `marmot_fulltext_rank(cell, columns...)` ranks one row by it.

use super::argument::{nth, text};
use super::registry::{Accumulator, Aggregate, Function, FunctionContext};
use crate::sql::error::Error;
use crate::sql::fulltext::{Counted, Search, Weighted};
use crate::types::Value;
use std::borrow::Cow;

/// See the module.
pub(super) const FUNCTIONS: &[Function] =
    &[Function { name: "marmot_fulltext_rank", arity: -1, deterministic: true, eval: rank }];

/// See the module.
pub(super) const AGGREGATES: &[Aggregate] =
    &[Aggregate { name: "marmot_agg_fulltext", arity: -1, start: || Box::new(Reading(None)) }];

struct Reading(Option<Counted>);

fn texts(values: &[Value]) -> Vec<Option<Cow<'_, str>>> {
    values.iter().map(text).collect()
}

fn refs<'t>(texts: &'t [Option<Cow<'_, str>>]) -> Vec<Option<&'t str>> {
    texts.iter().map(Option::as_deref).collect()
}

fn search(arguments: &[Value]) -> Result<Search, Error> {
    let folds = *nth(arguments, 1) == Value::Int(1);
    let query = text(nth(arguments, 2)).unwrap_or_default();
    if *nth(arguments, 0) == Value::Int(0) {
        return Ok(Search::natural(&query, folds));
    }
    let invalid =
        || Error { code: 1064, state: "42000", message: format!("syntax error in the boolean search '{query}'") };
    Search::boolean(&query, folds).ok_or_else(invalid)
}

impl Accumulator for Reading {
    fn step(&mut self, arguments: &[Value]) -> Result<(), Error> {
        let counted = match &mut self.0 {
            Some(counted) => counted,
            none => none.insert(search(arguments)?.counted()),
        };
        counted.count(&refs(&texts(arguments.get(3..).unwrap_or_default())));
        Ok(())
    }
    /// It is no window function: the translator never makes it one.
    fn inverse(&mut self, _: &[Value]) -> Result<(), Error> {
        Err(Error::unsupported("full-text search over a moving frame"))
    }
    fn value(&self) -> Result<Value, Error> {
        let weighted = self.0.as_ref().map(Counted::weighted).unwrap_or_default();
        let bytes = postcard::to_stdvec(&weighted).map_err(|e| Error::malformed_payload(format!("search: {e}")))?;
        Ok(Value::Blob(bytes.into()))
    }
}

fn rank(_: &FunctionContext, arguments: &[Value]) -> Result<Value, Error> {
    let Value::Blob(cell) = nth(arguments, 0) else { return Ok(Value::real(0.0)) };
    let weighted: Weighted = postcard::from_bytes(cell).map_err(|_| Error::malformed_payload("search"))?;
    Ok(Value::real(weighted.rank(&refs(&texts(arguments.get(1..).unwrap_or_default())))))
}
