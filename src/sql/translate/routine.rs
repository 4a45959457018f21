//! Stored functions: their definitions, and their expressions in place of their calls.

use super::Context;
use super::scope::{Scope, Source, SourceColumn};
use super::show_create::{backquoted, quoted_definer};
use super::translator::{Translator, needs_rows, quote_text};
use super::typed::{Kind, Typed};
use crate::sql::account::{Privileges, Subject};
use crate::sql::catalog::{Column, Database};
use crate::sql::error::Error;
use crate::sql::modes::Modes;
use crate::sql::parse::{CreateFunction, parse_expression};
use crate::sql::plan::{Plan, ResultType};
use crate::sql::program::StoredKind;
use crate::sql::routine::Routine;
use crate::sql::schema_change::SchemaChange;
use crate::sql::storage_rule::Rule;
use sqlparser::ast::Expr;

/// A value as one of the type of `column`.
pub(super) fn converted(value: &Typed, column: &Column) -> String {
    let sql = match value.kind() {
        Kind::Temporal if column.ty.is_numeric() => format!("marmot_temporal_number({})", value.sql),
        _ => value.sql.clone(),
    };
    format!("marmot_store({}, {sql}, 1)", quote_text(&Rule::of(column, false).encode()))
}

/// The statement that makes `routine` again.
pub fn show_create_function(routine: &Routine, definer: &str) -> String {
    let parameters: Vec<String> =
        routine.parameters.iter().map(|p| format!("{} {}", backquoted(&p.name), typed_text(p))).collect();
    let nature = &routine.nature;
    let mut text = format!(
        "CREATE DEFINER={} FUNCTION {}({}) RETURNS {}\n",
        quoted_definer(definer),
        backquoted(&routine.name),
        parameters.join(", "),
        typed_text(&routine.returns)
    );
    text.push_str(&nature.clauses());
    text.push_str(&format!("RETURN {}", routine.body));
    text
}

/// A type with its character set, as a function's parameter shows it.
pub fn typed_text(column: &Column) -> String {
    match column.ty.collation() {
        Some(c) => format!("{} CHARSET {} COLLATE {}", column.ty, c.charset(), c.name()),
        None => column.ty.to_string(),
    }
}

impl Translator<'_> {
    /// CREATE FUNCTION.
    ///
    /// # Errors
    /// Those of the expression as far as they do not depend on tables: 1054 for a name that is no parameter.
    pub fn create_function(&self, create: &CreateFunction) -> Result<Plan, Error> {
        let database = self.ddl_database(&create.name)?;
        let create = Box::new(create.clone());
        Ok(Plan::Schema(SchemaChange::CreateFunction { database, create, modes: self.context.modes.bits() }))
    }

    /// A call of a stored function of the current database; `None` if it has none of that name.
    ///
    /// # Errors
    /// 1318 for another number of arguments, 1424 for one that calls itself.
    pub fn stored_function(&mut self, name: &str, arguments: &[&Expr]) -> Result<Option<Typed>, Error> {
        let current = self.context.database.and_then(|d| self.context.catalog.database(d));
        let Some(database) = current else { return Ok(None) };
        self.function_of(database, name, arguments)
    }

    /// A call of a stored function of a database; `None` if it has none of that name.
    ///
    /// # Errors
    /// As [`Translator::stored_function`].
    pub fn function_of(
        &mut self,
        database: &Database,
        name: &str,
        arguments: &[&Expr],
    ) -> Result<Option<Typed>, Error> {
        if let Some(program) = database.program(StoredKind::Function, name) {
            return self.call_of_function(database, program, arguments).map(Some);
        }
        let Some(routine) = database.routine(name).cloned() else { return Ok(None) };
        self.need(Subject::Routine(database.name.clone(), routine.name.clone()), Privileges::EXECUTE);
        let actor = match routine.nature.invoker {
            true => self.actor.clone(),
            false => Some(database.definer(&format!("{}()", routine.name)).into()),
        };
        if routine.parameters.len() != arguments.len() {
            let message = format!(
                "Incorrect number of arguments for FUNCTION {}.{}; expected {}, got {}",
                database.name,
                routine.name,
                routine.parameters.len(),
                arguments.len()
            );
            return Err(Error { code: 1318, state: "42000", message });
        }
        let own = (database.name.clone(), format!("{}()", routine.name));
        if self.views.contains(&own) {
            let message = "Recursive stored functions and triggers are not allowed.".to_string();
            return Err(Error { code: 1424, state: "HY000", message });
        }
        let modes = Modes::from_bits(routine.modes);
        let (expression, tokens) = parse_expression(&routine.body, modes)?;
        // A query of its own may have tables of the names that the arguments use: they are then given names before it.
        let named = needs_rows(&expression) && !arguments.is_empty();
        let sql_alias = format!("\"marmot_call_{}\"", self.views.len());
        let mut scope = Scope::default();
        let mut columns = Vec::new();
        let mut values = Vec::new();
        for (place, (parameter, argument)) in routine.parameters.iter().zip(arguments).enumerate() {
            let value = self.expression(argument)?;
            let mut sql = converted(&value, parameter);
            if named {
                values.push(format!("{sql} AS \"p{place}\""));
                sql = format!("{sql_alias}.\"p{place}\"");
            }
            scope.assigned.push((parameter.name.clone(), Typed::new(sql, parameter.ty.clone())));
            let ty = ResultType::Known(parameter.ty.clone());
            let name = parameter.name.clone();
            columns.push(SourceColumn { name, ty, nullable: true, origin: None, merged: false, invisible: false });
        }
        let alias = routine.name.clone();
        scope.sources = vec![Source {
            alias,
            database: None,
            sql_alias: sql_alias.clone(),
            texts: Vec::new(),
            view: None,
            columns,
            table: None,
        }];
        if !self.databases.contains(&database.name) {
            self.databases.push(database.name.clone());
        }
        let context = Context {
            catalog: self.context.catalog,
            database: Some(&database.name),
            modes,
            names: None,
            ..*self.context
        };
        let value = self.within_stored(&context, &tokens, own, actor, |inner| {
            inner.scopes.push(scope);
            inner.expression(&expression)
        });
        let mut sql = converted(&value?, &routine.returns);
        if named {
            sql = format!("(SELECT {sql} FROM (SELECT {}) AS {sql_alias})", values.join(", "));
        }
        Ok(Some(Typed { nullable: true, ..Typed::new(sql, routine.returns.ty.clone()) }))
    }
}
