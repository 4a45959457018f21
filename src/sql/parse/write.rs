//! INSERT, REPLACE, UPDATE, DELETE.

use super::{Body, Reader, TableName};
use crate::sql::error::Error;
use sqlparser::ast::{Expr, OrderByExpr, Query, TableWithJoins};
use sqlparser::tokenizer::Token;

/// INSERT and REPLACE.
#[derive(Clone, Debug, PartialEq)]
pub struct Insert {
    pub replace: bool,
    pub ignore: bool,
    pub table: TableName,
    /// `None`: all of the table's, in order.
    pub columns: Option<Vec<String>>,
    pub source: InsertSource,
    /// `AS new [(columns)]` after the rows.
    pub alias: Option<(String, Vec<String>)>,
    pub on_duplicate: Vec<(Vec<String>, Expr)>,
    /// `RETURNING items`: a SELECT of them, without tables.
    pub returning: Option<Box<Query>>,
}

/// Where the rows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum InsertSource {
    /// `None` is DEFAULT. An empty row is all defaults.
    Rows(Vec<Vec<Option<Expr>>>),
    Query(Box<Query>),
    /// Those of a file, which the session reads.
    Fields(super::Fields),
}

/// UPDATE.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    pub ignore: bool,
    pub tables: Vec<TableWithJoins>,
    /// Column names of one to three parts; `None` is DEFAULT.
    pub assignments: Vec<(Vec<String>, Option<Expr>)>,
    pub condition: Option<Expr>,
    pub order_by: Vec<OrderByExpr>,
    pub limit: Option<Expr>,
}

/// DELETE.
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    pub ignore: bool,
    pub target: DeleteTarget,
    pub condition: Option<Expr>,
    pub order_by: Vec<OrderByExpr>,
    pub limit: Option<Expr>,
    /// As [`Insert::returning`].
    pub returning: Option<Box<Query>>,
}

/// One table, or some of those joined.
#[derive(Clone, Debug, PartialEq)]
pub enum DeleteTarget {
    Single { table: TableName, alias: Option<String> },
    Joined { targets: Vec<TableName>, tables: Vec<TableWithJoins> },
}

impl Reader<'_> {
    pub(super) fn insert(&mut self, replace: bool) -> Result<Body, Error> {
        self.skip();
        let _ = self.accept_any(&["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY"]);
        let ignore = !replace && self.accept("IGNORE");
        self.accept("INTO");
        let table = self.table_name()?;
        self.refuse_partition()?;
        if self.accept("SET") {
            let pairs = self.list(|r| {
                let column = r.column_path()?;
                r.need(&Token::Eq)?;
                Ok((column, r.value_or_default()?))
            })?;
            let (columns, values): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let columns = columns.into_iter().filter_map(|mut path| path.pop()).collect();
            return self.insert_tail(replace, ignore, table, Some(columns), InsertSource::Rows(vec![values]));
        }
        let columns = self.insert_columns()?;
        let source = if self.accept("VALUES") || self.accept("VALUE") {
            InsertSource::Rows(self.list(|r| {
                r.accept("ROW");
                r.need(&Token::LParen)?;
                if r.take(&Token::RParen) {
                    return Ok(vec![]);
                }
                let row = r.list(Reader::value_or_default)?;
                r.need(&Token::RParen)?;
                Ok(row)
            })?)
        } else {
            InsertSource::Query(self.query()?)
        };
        self.insert_tail(replace, ignore, table, columns, source)
    }

    /// `(a, b)` unless it is a query in parentheses.
    fn insert_columns(&mut self) -> Result<Option<Vec<String>>, Error> {
        if *self.peek() != Token::LParen {
            return Ok(None);
        }
        let next = self.position() + 1;
        let is_query = |w: &str| ["SELECT", "WITH", "VALUES", "TABLE"].iter().any(|k| k.eq_ignore_ascii_case(w));
        let paren = self.tokens.tokens.get(next).is_some_and(|t| t.token == Token::LParen);
        if paren || self.tokens.word(next).is_some_and(is_query) {
            return Ok(None);
        }
        self.skip();
        if self.take(&Token::RParen) {
            return Ok(None);
        }
        let columns = self.list(|r| Ok(r.column_path()?.pop().unwrap_or_default()))?;
        self.need(&Token::RParen)?;
        Ok(Some(columns))
    }

    fn insert_tail(
        &mut self,
        replace: bool,
        ignore: bool,
        table: TableName,
        columns: Option<Vec<String>>,
        source: InsertSource,
    ) -> Result<Body, Error> {
        let mut alias = None;
        if !replace && self.accept("AS") {
            let name = self.name()?;
            let columns = if *self.peek() == Token::LParen { self.parenthesised(Reader::name)? } else { vec![] };
            alias = Some((name, columns));
        }
        let mut on_duplicate = vec![];
        if !replace && self.accept("ON DUPLICATE KEY UPDATE") {
            on_duplicate = self.list(|r| {
                let column = r.column_path()?;
                r.need(&Token::Eq)?;
                Ok((column, r.expression()?))
            })?;
        }
        let returning = self.returning()?;
        let insert = Insert { replace, ignore, table, columns, source, alias, on_duplicate, returning };
        Ok(Body::Insert(Box::new(insert)))
    }

    /// RETURNING, if it comes next.
    fn returning(&mut self) -> Result<Option<Box<Query>>, Error> {
        if self.tokens.returning == Some(self.position()) { self.query().map(Some) } else { Ok(None) }
    }

    /// One to three names between points.
    fn column_path(&mut self) -> Result<Vec<String>, Error> {
        let mut path = vec![self.name()?];
        while path.len() < 3 && self.take(&Token::Period) {
            path.push(self.name()?);
        }
        Ok(path)
    }

    pub(super) fn value_or_default(&mut self) -> Result<Option<Expr>, Error> {
        let next = self.position() + 1;
        let call = self.tokens.tokens.get(next).is_some_and(|t| t.token == Token::LParen);
        if self.looks_at("DEFAULT") && !call {
            self.skip();
            return Ok(None);
        }
        self.expression().map(Some)
    }

    pub(super) fn refuse_partition(&mut self) -> Result<(), Error> {
        if self.looks_at("PARTITION") { Err(Error::unsupported("PARTITION clause")) } else { Ok(()) }
    }

    pub(super) fn update(&mut self) -> Result<Body, Error> {
        self.skip();
        self.accept("LOW_PRIORITY");
        let ignore = self.accept("IGNORE");
        let tables = self.table_references()?;
        self.expect("SET")?;
        let assignments = self.list(|r| {
            let column = r.column_path()?;
            if !r.take(&Token::Assignment) {
                r.need(&Token::Eq)?;
            }
            Ok((column, r.value_or_default()?))
        })?;
        let condition = if self.accept("WHERE") { Some(self.expression()?) } else { None };
        let order_by = self.order_by()?;
        let limit = if self.accept("LIMIT") { Some(self.expression()?) } else { None };
        Ok(Body::Update(Box::new(Update { ignore, tables, assignments, condition, order_by, limit })))
    }

    pub(super) fn delete(&mut self) -> Result<Body, Error> {
        self.skip();
        self.accept("LOW_PRIORITY");
        self.accept("QUICK");
        let ignore = self.accept("IGNORE");
        let target = if self.accept("FROM") {
            let first = self.delete_name()?;
            if self.looks_at("USING") || *self.peek() == Token::Comma {
                let mut targets = vec![first];
                while self.take(&Token::Comma) {
                    targets.push(self.delete_name()?);
                }
                self.expect("USING")?;
                DeleteTarget::Joined { targets, tables: self.table_references()? }
            } else {
                self.refuse_partition()?;
                let clause = ["WHERE", "ORDER", "LIMIT", "SELECT"].iter().any(|w| self.looks_at(w));
                let alias = if self.accept("AS") || !(clause || self.at_end()) { Some(self.name()?) } else { None };
                DeleteTarget::Single { table: first, alias }
            }
        } else {
            let targets = self.list(Reader::delete_name)?;
            self.expect("FROM")?;
            DeleteTarget::Joined { targets, tables: self.table_references()? }
        };
        let condition = if self.accept("WHERE") { Some(self.expression()?) } else { None };
        let order_by = self.order_by()?;
        let limit = if self.accept("LIMIT") { Some(self.expression()?) } else { None };
        let returning = self.returning()?;
        Ok(Body::Delete(Box::new(Delete { ignore, target, condition, order_by, limit, returning })))
    }

    /// A table to delete from; `t.*` is an old spelling of `t`.
    fn delete_name(&mut self) -> Result<TableName, Error> {
        let first = self.name()?;
        let mut name = TableName { database: None, name: first };
        while self.take(&Token::Period) {
            if self.take(&Token::Mul) {
                break;
            }
            name = TableName { database: Some(name.name), name: self.name()? };
        }
        Ok(name)
    }
}
