//! Row values: `(a, b) = (c, d)`, and rows against subqueries.

use super::operator::symbol;
use super::select::Block;
use super::translator::Translator;
use super::typed::Typed;
use crate::sql::error::Error;
use sqlparser::ast::{BinaryOperator, Expr, Query};

impl Translator<'_> {
    /// `(a, b) = (SELECT ...)` and the like.
    pub(super) fn row_and_subquery(
        &mut self,
        row: &[&Expr],
        op: &BinaryOperator,
        query: &Query,
    ) -> Result<Typed, Error> {
        let mut values = Vec::new();
        for part in row {
            values.push(self.expression(part)?);
        }
        let block = self.query_block(query)?;
        if block.columns.len() != values.len() {
            return Err(Error::operand_columns(values.len()));
        }
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for (value, column) in values.iter_mut().zip(&block.columns) {
            let name = super::translator::quote_name(&column.name);
            let mut other = Typed { ty: column.ty.clone(), column: true, ..Typed::dynamic(name) };
            let (l, r) = self.comparable(value, &mut other);
            left.push(l);
            right.push(r);
        }
        let row = one_row(&block, &right);
        Ok(Typed::boolean(format!("(({}) {} {row})", left.join(", "), symbol(op))))
    }

    /// `(SELECT a, b ...) = (SELECT c, d ...)`.
    pub(super) fn subquery_rows(&mut self, left: &Query, op: &BinaryOperator, right: &Query) -> Result<Typed, Error> {
        let (left, right) = (self.query_block(left)?, self.query_block(right)?);
        if left.columns.len() != right.columns.len() {
            return Err(Error::operand_columns(left.columns.len()));
        }
        let names = |block: &Block| -> Vec<String> {
            block.columns.iter().map(|c| super::translator::quote_name(&c.name)).collect()
        };
        let (l, r) = (one_row(&left, &names(&left)), one_row(&right, &names(&right)));
        Ok(Typed::boolean(format!("({l} {} {r})", symbol(op))))
    }

    /// `(a, b) = (c, d)` and the like, part by part so that each is converted on its own.
    pub(super) fn row_comparison(
        &mut self,
        left: &[&Expr],
        op: &BinaryOperator,
        right: &[&Expr],
    ) -> Result<Typed, Error> {
        let mut pairs = Vec::new();
        for (l, r) in flat_pairs(left, right)? {
            let (mut l, mut r) = (self.expression(l)?, self.expression(r)?);
            pairs.push(self.comparable(&mut l, &mut r));
        }
        let joined = |symbol: &str, word: &str| {
            let parts: Vec<String> = pairs.iter().map(|(l, r)| format!("({l} {symbol} {r})")).collect();
            format!("({})", parts.join(word))
        };
        let sql = match op {
            BinaryOperator::Eq => joined("=", " AND "),
            BinaryOperator::Spaceship => joined("IS", " AND "),
            BinaryOperator::NotEq => joined("<>", " OR "),
            _ => {
                let l: Vec<&str> = pairs.iter().map(|(l, _)| l.as_str()).collect();
                let r: Vec<&str> = pairs.iter().map(|(_, r)| r.as_str()).collect();
                format!("(({}) {} ({}))", l.join(", "), symbol(op), r.join(", "))
            }
        };
        Ok(Typed::boolean(sql))
    }
}

/// An expression without the parentheses around it.
pub(super) fn unnested(expression: &Expr) -> &Expr {
    match expression {
        Expr::Nested(inner) => unnested(inner),
        other => other,
    }
}

/// Whether a query plainly has more than one column.
pub(super) fn selects_several(query: &Query) -> bool {
    matches!(&*query.body, sqlparser::ast::SetExpr::Select(select) if select.projection.len() > 1)
}

/// The operator that compares the other way round.
pub(super) fn mirrored(op: &BinaryOperator) -> BinaryOperator {
    match op {
        BinaryOperator::Lt => BinaryOperator::Gt,
        BinaryOperator::LtEq => BinaryOperator::GtEq,
        BinaryOperator::Gt => BinaryOperator::Lt,
        BinaryOperator::GtEq => BinaryOperator::LtEq,
        same => same.clone(),
    }
}

/// A query as a row value of these expressions over its columns: error 1242 if it has more than one row.
fn one_row(block: &Block, values: &[String]) -> String {
    let [first, rest @ ..] = values else { return format!("({})", block.sql) };
    let rest: String = rest.iter().map(|v| format!(", {v}")).collect();
    if block.single_row {
        return format!("(SELECT {first}{rest} FROM ({}))", block.sql);
    }
    let rows = format!("SELECT * FROM ({}) LIMIT 2", block.sql);
    format!("(SELECT marmot_only_row(count(*), {first}){rest} FROM ({rows}))")
}

/// The parts of two rows side by side; of rows within rows, their parts.
fn flat_pairs<'e>(left: &[&'e Expr], right: &[&'e Expr]) -> Result<Vec<(&'e Expr, &'e Expr)>, Error> {
    if left.len() != right.len() {
        return Err(Error::operand_columns(left.len()));
    }
    let mut pairs = Vec::new();
    for (l, r) in left.iter().zip(right) {
        match (row(l), row(r)) {
            (Some(l), Some(r)) => pairs.extend(flat_pairs(&l, &r)?),
            (None, None) => pairs.push((*l, *r)),
            (Some(parts), None) => return Err(Error::operand_columns(parts.len())),
            (None, Some(_)) => return Err(Error::operand_columns(1)),
        }
    }
    Ok(pairs)
}

/// The parts of a row constructor: `(a, b)`, `ROW(a, b)`.
pub fn row(expression: &Expr) -> Option<Vec<&Expr>> {
    match expression {
        Expr::Tuple(parts) => Some(parts.iter().collect()),
        Expr::Nested(inner) => row(inner),
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("ROW") => {
            super::function::plain_arguments(function).ok().filter(|a| a.len() > 1)
        }
        _ => None,
    }
}
