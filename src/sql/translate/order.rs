//! ORDER BY and LIMIT.

use super::translator::Translator;
use super::typed::Typed;
use crate::sql::column_type::ColumnType;
use crate::sql::error::Error;
use crate::sql::parameter::{Convert, Literal};
use crate::sql::plan::ResultType;
use sqlparser::ast::{Expr, LimitClause, OrderByExpr, OrderBySort};

impl Translator<'_> {
    /// The list of ORDER BY. With the items of a select list, positions and aliases are found there.
    pub fn order_list(&mut self, order_by: &[OrderByExpr], items: Option<&[(String, Typed)]>) -> Result<String, Error> {
        let mut parts = Vec::new();
        for item in order_by {
            if item.with_fill.is_some() || item.options.nulls_first.is_some() {
                return Err(Error::unsupported("NULLS FIRST, NULLS LAST"));
            }
            let key = match self.listed(&item.expr, items)? {
                Some((position, value)) => match value.known() {
                    Some(ColumnType::Enum { .. } | ColumnType::Set { .. }) if value.column => self.sort_key(&value),
                    Some(ColumnType::Time(_)) => self.sort_key(&value),
                    Some(ColumnType::Decimal { .. }) if value.is_wide() => self.sort_key(&value),
                    _ if value.ignores_case() == Some(true) && !value.column => {
                        value.with_sql(position.to_string()).collated(self.rules())
                    }
                    _ => position.to_string(),
                },
                None => {
                    if self.constant(&item.expr).is_some() {
                        continue;
                    }
                    let value = self.expression(&item.expr)?;
                    if value.ty == ResultType::Null {
                        continue;
                    }
                    self.sort_key(&value)
                }
            };
            parts.push(format!("{key}{}", direction(item)));
        }
        Ok(parts.join(", "))
    }

    /// ENUM and SET sort by their numbers.
    pub(super) fn sort_key(&mut self, value: &Typed) -> String {
        match value.known() {
            Some(ColumnType::Enum { .. } | ColumnType::Set { .. }) if value.column => self.numeric_operand(value),
            // Their texts do not sort as times.
            Some(ColumnType::Time(_)) => format!("marmot_temporal_number({})", value.sql),
            Some(ColumnType::Decimal { .. }) if value.is_wide() => format!("marmot_decimal_key({})", value.sql),
            _ => value.collated(self.rules()),
        }
    }

    /// A select item that ORDER BY names by position or alias.
    pub(super) fn listed(
        &mut self,
        expression: &Expr,
        items: Option<&[(String, Typed)]>,
    ) -> Result<Option<(usize, Typed)>, Error> {
        let Some(items) = items else { return Ok(None) };
        match expression {
            Expr::Identifier(name) => {
                let aliases = &self.scope().aliases;
                let mut found = aliases.iter().filter(|(n, _, _)| n.eq_ignore_ascii_case(&name.value));
                let first = found.next();
                if let Some((_, one, _)) = first
                    && found.any(|(_, other, _)| other.sql != one.sql)
                {
                    return Err(Error::ambiguous_column(&name.value, "order clause"));
                }
                Ok(first.map(|(_, value, position)| (*position, value.clone())))
            }
            Expr::Value(_) => match self.constant(expression) {
                Some(Literal::Int(n)) => {
                    let position = usize::try_from(n).unwrap_or(0);
                    match position.checked_sub(1).and_then(|i| items.get(i)) {
                        Some((_, value)) => Ok(Some((position, value.clone()))),
                        None => Err(Error::unknown_column(n, "order clause")),
                    }
                }
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// LIMIT and OFFSET; whether at most one row passes.
    pub(super) fn limit(&mut self, clause: Option<&LimitClause>) -> Result<(String, bool), Error> {
        let (limit, offset) = match clause {
            None => return Ok((String::new(), false)),
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => (Some(limit), Some(offset)),
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                if !limit_by.is_empty() {
                    return Err(Error::unsupported("LIMIT BY"));
                }
                (limit.as_ref(), offset.as_ref().map(|o| &o.value))
            }
        };
        // In a subquery the number tells whether it is a single value.
        let nested = self.depth > 0;
        let single = nested && limit.is_some_and(|l| self.constant(l) == Some(Literal::Int(1)));
        let mut sql = match limit {
            Some(limit) => format!(" LIMIT {}", self.limit_value(limit)?),
            None => " LIMIT -1".to_string(),
        };
        if let Some(offset) = offset {
            sql.push_str(&format!(" OFFSET {}", self.limit_value(offset)?));
        }
        Ok((sql, single))
    }

    /// As [`Translator::limit`], for a clause that is there.
    pub fn limit_clause(&mut self, clause: &LimitClause) -> Result<(String, bool), Error> {
        self.limit(Some(clause))
    }

    pub fn limit_value(&mut self, expression: &Expr) -> Result<String, Error> {
        let value = match expression {
            Expr::Value(value) => self.value(value, false)?,
            Expr::Identifier(name) => match self.local(None, None, &name.value)? {
                Some(value) => value,
                None => return Err(Error::wrong_arguments("LIMIT")),
            },
            _ => return Err(Error::wrong_arguments("LIMIT")),
        };
        match value.parameter.and_then(|i| self.parameters.get_mut(i)) {
            Some(parameter) => {
                parameter.convert = Convert::Limit;
                Ok(value.sql)
            }
            None if value.known().is_some_and(ColumnType::is_integer) => Ok(value.sql),
            None => Err(Error::wrong_arguments("LIMIT")),
        }
    }
}

pub(super) fn direction(item: &OrderByExpr) -> &'static str {
    if item.options.sort == Some(OrderBySort::Desc) { " DESC" } else { "" }
}
