//! MATCH (columns) AGAINST (query): the table is read once by a query of its own, which counts words; each row is ranked
//! by what that found.

use super::scope::Source;
use super::translator::{Translator, quote_name};
use super::typed::{Kind, Typed};
use crate::sql::catalog::{IndexKind, Table};
use crate::sql::column_type::ColumnType;
use crate::sql::error::Error;
use sqlparser::ast::Expr;

impl Translator<'_> {
    /// `#match(mode, query, columns...)`, as the dialect reads it.
    ///
    /// # Errors
    /// 1210 for arguments that are no columns of one table or no constant, 1191 without an index of exactly these columns.
    pub(super) fn match_against(&mut self, arguments: &[&Expr]) -> Result<Typed, Error> {
        let [mode, query, columns @ ..] = arguments else { return Err(Error::wrong_arguments("MATCH")) };
        let boolean = self.constant_text(mode).is_some_and(|m| m == "BOOLEAN");
        if names_columns(query) {
            return Err(Error::wrong_arguments("AGAINST"));
        }
        let query = self.expression(query)?;
        let mut source: Option<Source> = None;
        let (mut names, mut texts) = (Vec::new(), Vec::new());
        for column in columns {
            let (found, name) = self.matched_column(column)?;
            if source.as_ref().is_some_and(|s| s.sql_alias != found.sql_alias) {
                return Err(Error::wrong_arguments("MATCH"));
            }
            texts.push(found.column(&name).map(|c| found.reference(c).sql).unwrap_or_default());
            names.push(name);
            source = Some(found);
        }
        let source = source.ok_or_else(|| Error::wrong_arguments("MATCH"))?;
        let (Some(table), Some(database)) = (&source.table, &source.database) else {
            return Err(Error::no_matching_fulltext_index());
        };
        if !has_index(table, &names) {
            return Err(Error::no_matching_fulltext_index());
        }
        // One collation for all of them: the index has seen to that.
        let collation = table.column(&names[0]).and_then(|(_, c)| c.ty.collation());
        let folds = i64::from(collation.is_none_or(|c| c.ignores_case()));
        let own: Vec<String> = names.iter().map(|n| format!("\"marmot_searched\".{}", quote_name(n))).collect();
        let query = if query.kind() == Kind::Binary { format!("CAST({} AS TEXT)", query.sql) } else { query.sql };
        let search = format!(
            "(SELECT marmot_agg_fulltext({}, {folds}, {query}, {}) FROM {}.{} AS \"marmot_searched\")",
            i64::from(boolean),
            own.join(", "),
            quote_name(database),
            quote_name(&table.name)
        );
        let rank = format!("marmot_fulltext_rank({search}, {})", texts.join(", "));
        Ok(Typed { nullable: false, ..Typed::new(rank, ColumnType::double()) })
    }

    /// A column of MATCH and the table it is of.
    fn matched_column(&mut self, expression: &Expr) -> Result<(Source, String), Error> {
        let path = match expression {
            Expr::Identifier(name) => std::slice::from_ref(name),
            Expr::CompoundIdentifier(path) => path.as_slice(),
            _ => return Err(Error::wrong_arguments("MATCH")),
        };
        let value = self.column(path)?;
        let sources = self.scopes.iter().rev().flat_map(|s| &s.sources);
        let is = |s: &&Source| s.columns.iter().any(|c| s.reference(c).sql == value.sql);
        let Some(source) = sources.clone().find(is) else { return Err(Error::no_matching_fulltext_index()) };
        let column = source.columns.iter().find(|c| source.reference(c).sql == value.sql);
        let Some(column) = column else { return Err(Error::no_matching_fulltext_index()) };
        match (&source.view, &source.table) {
            // In a view that the statement changes rows through: the table's own column.
            (Some(view), _) => {
                let (base, name) = view.base_of(&column.name, self.clause)?;
                Ok((view.bases[base].clone(), name.to_string()))
            }
            (None, Some(table)) => {
                let name = table.column(&column.name).map_or(column.name.clone(), |(_, c)| c.name.clone());
                Ok((source.clone(), name))
            }
            (None, None) => Err(Error::no_matching_fulltext_index()),
        }
    }
}

/// Whether a full-text index has exactly these columns, in any order.
fn has_index(table: &Table, names: &[String]) -> bool {
    let fits = |index: &&crate::sql::catalog::Index| {
        index.kind == IndexKind::FullText
            && index.columns.len() == names.len()
            && index.columns.iter().all(|part| names.iter().any(|n| n == table.name_of(part.column)))
    };
    table.indexes.iter().any(|i| fits(&i))
}

fn names_columns(expression: &Expr) -> bool {
    let found = sqlparser::ast::visit_expressions(expression, |e| match e {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Subquery(_) => std::ops::ControlFlow::Break(()),
        _ => std::ops::ControlFlow::Continue(()),
    });
    found.is_break()
}
