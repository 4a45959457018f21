//! UPDATE and DELETE.

use super::from::table_source;
use super::needs::reads_rows;
use super::scope::{AliasUse, Scope, Source};
use super::translator::{Translator, quote_name};
use super::triggered::{delete_part, has_triggers, update_part};
use super::typed::Typed;
use super::updatable::{MergedView, Merging, new_cells};
use crate::sql::account::Privileges;
use crate::sql::catalog::{Column, Database, Table};
use crate::sql::column_type::ColumnType;
use crate::sql::error::Error;
use crate::sql::parameter::Wanted;
use crate::sql::parse::{Delete, DeleteTarget, TableName, Update};
use crate::sql::plan::{KeyedChange, Write, WriteKind};
use crate::sql::program::RowEvent;
use sqlparser::ast::{Expr, OrderByExpr, TableFactor, TableWithJoins};
use std::sync::Arc;

/// The key columns of a table, quoted.
pub(super) fn key_list(table: &Table, alias: &str) -> Vec<String> {
    table.key_columns().iter().map(|c| format!("{alias}.{}", quote_name(c))).collect()
}

/// `key IN (query)`, for one key column or several.
fn key_in(table: &Table, alias: &str, query: &str) -> String {
    let keys = key_list(table, alias);
    match keys.as_slice() {
        [only] => format!("{only} IN ({query})"),
        many => format!("({}) IN ({query})", many.join(", ")),
    }
}

/// The only table of an UPDATE and its alias.
fn single(tables: &[TableWithJoins]) -> Result<Option<(TableName, Option<String>)>, Error> {
    let [TableWithJoins { relation: TableFactor::Table { name, alias, .. }, joins }] = tables else { return Ok(None) };
    if !joins.is_empty() {
        return Ok(None);
    }
    Ok(Some((super::from::table_name(name)?, alias.as_ref().map(|a| a.name.value.clone()))))
}

impl Translator<'_> {
    pub fn update(&mut self, update: &Update) -> Result<Write, Error> {
        let verb = if update.ignore { "UPDATE OR IGNORE" } else { "UPDATE" };
        let Some((name, alias)) = single(&update.tables)? else { return self.joined_update(update, verb) };
        let values = update.assignments.iter().filter_map(|(_, value)| value.as_ref());
        let mut read = values.chain(update.condition.as_ref());
        let reads = read.any(reads_rows) || !update.order_by.is_empty();
        let needed = Privileges::UPDATE | if reads { Privileges::SELECT } else { Privileges::NONE };
        self.need_table(&name, needed);
        let Some(Target { database, table, source, view }) = self.only_target(&name, alias, ("UPDATE", needed))? else {
            return self.joined_update(update, verb);
        };
        let quoted = source.sql_alias.clone();
        self.row_by_row = has_triggers(&database, &table, &[RowEvent::Update]);
        self.scopes.push(Scope { sources: vec![source.clone()], ..Scope::default() });
        let target = format!("{}.{} AS {quoted}", quote_name(&database.name), quote_name(&table.name));
        let named = pairs(&update.assignments, view.as_deref())?;
        let pairs: Vec<_> = named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let list = self.assigned_columns(&table, &pairs, update.ignore)?;
        let check = match (&view, list.is_empty()) {
            (Some(view), false) => {
                let base = Source { table: Some(table.clone()), view: None, ..source };
                self.view_check(view, &base, new_cells(&list, &quoted))?
            }
            _ => None,
        };
        let mut set = self.with_touched(&table, &list)?;
        let mut condition = self.rows_condition(
            &table,
            &target,
            &quoted,
            (view.as_deref(), update.condition.as_ref()),
            &update.order_by,
            update.limit.as_ref(),
        )?;
        if check.is_some() && self.row_by_row {
            return Err(Error::unsupported("UPDATE of a view WITH CHECK OPTION over a table with triggers"));
        }
        match (&check, list.first()) {
            // A row that fails is left out, which is up to the condition.
            (Some(check), _) if update.ignore => {
                let found = condition.strip_prefix(" WHERE ").unwrap_or("1").to_string();
                condition = format!(" WHERE CASE WHEN {found} THEN {} ELSE 0 END", check.as_condition());
            }
            (Some(check), Some(_)) => check.around_first(&mut set),
            _ => {}
        }
        self.scopes.pop();
        if self.row_by_row {
            let part = update_part(&database, &table, &quoted, verb, &set);
            let rows = format!("FROM {target}{condition}");
            return self.triggered(WriteKind::Update, vec![part], &rows, update.ignore, None);
        }
        let set = joined(&set);
        let sql = format!("{verb} {target} SET {set}{condition}");
        Ok(self.write(WriteKind::Update, sql, &database, &table, update.ignore))
    }

    /// The one table that a statement changes, by its name or that of a view over it; `None`: the view has several.
    fn only_target(
        &mut self,
        name: &TableName,
        alias: Option<String>,
        (verb, needed): (&str, Privileges),
    ) -> Result<Option<Target>, Error> {
        let Some(view) = self.target_view(name, verb)? else {
            let (database, table) = self.find_changeable(name)?;
            let (database, table) = (database.clone(), table.clone());
            let source = table_source(&database.name, &table, alias.as_deref().unwrap_or(&table.name));
            return Ok(Some(Target { database, table, source, view: None }));
        };
        let Some((base, table)) = view.only_base().and_then(|b| Some((b, b.table.clone()?))) else { return Ok(None) };
        let database = self.changeable_database(base)?;
        self.need_below(name, (&database.name, &table.name), needed);
        let of_view = self.database_of(name)?;
        let source = view.source(alias.as_deref().unwrap_or(&name.name), of_view);
        Ok(Some(Target { database, table, source, view: Some(view) }))
    }

    /// The database of a table that is to change.
    ///
    /// # Errors
    /// 1044 for a system database.
    fn changeable_database(&self, source: &Source) -> Result<Arc<Database>, Error> {
        let database = self.find_database(source.database.as_deref().unwrap_or_default())?;
        if database.system { Err(Error::access_denied_system(&database.name)) } else { Ok(database.clone()) }
    }

    pub(super) fn write(
        &mut self,
        kind: WriteKind,
        sql: String,
        database: &Database,
        table: &Table,
        ignore: bool,
    ) -> Write {
        Write {
            kind,
            program: self.program(sql),
            database: database.name.clone(),
            table: table.name.clone(),
            table_id: table.id,
            databases: std::mem::take(&mut self.databases),
            tables: std::mem::take(&mut self.tables),
            ignore,
            auto_increment: None,
            rows: None,
            keyed: Vec::new(),
            by_row: None,
            returning: Vec::new(),
            triggered: None,
        }
    }

    /// ` WHERE ...`, through the keys of the chosen rows where there is a LIMIT, which SQLite's UPDATE and DELETE lack.
    fn rows_condition(
        &mut self,
        table: &Table,
        target: &str,
        alias: &str,
        (view, condition): (Option<&MergedView>, Option<&Expr>),
        order_by: &[OrderByExpr],
        limit: Option<&Expr>,
    ) -> Result<String, Error> {
        let chosen = condition;
        let conditions = view.map_or(Vec::new(), MergedView::conditions);
        let condition = self.where_clause(conditions, condition)?;
        let mark = self.parameters.len();
        let order_by = self.in_clause("order clause", |t| t.order_list(order_by, None))?;
        if limit.is_none() && self.context.modes.safe_updates() && !self.names_key(table, view, chosen) {
            return Err(Error::unsafe_update());
        }
        let Some(limit) = limit else {
            // All rows, in any order: what the order would need is not asked for.
            self.parameters.truncate(mark);
            return Ok(condition);
        };
        let limit = self.limit_value(limit)?;
        let order_by = if order_by.is_empty() { String::new() } else { format!(" ORDER BY {order_by}") };
        let keys = key_list(table, alias).join(", ");
        let query = format!("SELECT {keys} FROM {target}{condition}{order_by} LIMIT {limit}");
        Ok(format!(" WHERE {}", key_in(table, alias, &query)))
    }

    /// ` WHERE ...` of conditions that are there already and one more.
    fn where_clause(&mut self, mut conditions: Vec<String>, condition: Option<&Expr>) -> Result<String, Error> {
        if let Some(condition) = condition {
            conditions.push(self.in_clause("where clause", |t| t.condition(condition))?);
        }
        Ok(match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", super::expression::balanced(&conditions, " AND ")),
        })
    }

    /// Whether a condition asks for rows by the first column of a key, all of its parts holding.
    fn names_key(&self, table: &Table, view: Option<&MergedView>, condition: Option<&Expr>) -> bool {
        use sqlparser::ast::BinaryOperator as B;
        let leads = |operand: &Expr| {
            let name = match operand {
                Expr::Identifier(name) => &name.value,
                Expr::CompoundIdentifier(path) => match path.last() {
                    Some(name) => &name.value,
                    None => return false,
                },
                _ => return false,
            };
            let name = match view {
                Some(view) => view.base_of(name, "").map(|(_, name)| name).unwrap_or_default(),
                None => name.as_str(),
            };
            let column = table.column(name).map(|(_, c)| c.id);
            let first = |i: &crate::sql::catalog::Index| i.columns.first().map(|part| part.column);
            let indexes = table.identity().into_iter().chain(table.secondary_indexes());
            column.is_some() && indexes.map(first).any(|id| id == column)
        };
        match condition {
            None => false,
            Some(Expr::Nested(inner)) => self.names_key(table, view, Some(inner)),
            Some(Expr::BinaryOp { left, op: B::And, right }) => {
                self.names_key(table, view, Some(left)) || self.names_key(table, view, Some(right))
            }
            Some(Expr::BinaryOp { left, op, right }) => {
                matches!(op, B::Eq | B::Lt | B::LtEq | B::Gt | B::GtEq | B::Spaceship) && (leads(left) || leads(right))
            }
            Some(
                Expr::InList { expr, negated: false, .. }
                | Expr::InSubquery { expr, negated: false, .. }
                | Expr::Between { expr, negated: false, .. }
                | Expr::IsNull(expr),
            ) => leads(expr),
            Some(_) => false,
        }
    }

    /// The conditions of the views among the sources that are put together with their tables.
    fn conditions_of_views(&mut self) -> Vec<String> {
        self.scope().sources.iter().filter_map(|s| s.view.as_ref()).flat_map(|v| v.conditions()).collect()
    }

    /// Columns and their new values, left to right: a later value sees the earlier ones. Adds ON UPDATE CURRENT_TIMESTAMP
    /// columns.
    pub fn assignments(
        &mut self,
        table: &Arc<Table>,
        pairs: &[(&str, Option<&Expr>)],
        ignore: bool,
    ) -> Result<Vec<(String, String)>, Error> {
        let list = self.assigned_columns(table, pairs, ignore)?;
        self.with_touched(table, &list)
    }

    /// The columns assigned and their new values, the last of each.
    pub fn assigned_columns(
        &mut self,
        table: &Arc<Table>,
        pairs: &[(&str, Option<&Expr>)],
        ignore: bool,
    ) -> Result<Vec<(Column, String)>, Error> {
        let mut list: Vec<(Column, String)> = Vec::new();
        for (name, value) in pairs {
            let Some((_, column)) = table.column(name) else { return Err(Error::unknown_column(name, "field list")) };
            let column = column.clone();
            if column.generated().is_some() {
                match value {
                    Some(_) => return Err(Error::generated_value(&column.name, &table.name)),
                    None => continue,
                }
            }
            let value = match value {
                Some(expression) => match Self::hex_number(expression) {
                    Some(number) if column.ty.is_numeric() => number,
                    _ => self.expression(expression)?,
                },
                None => match self.default_value(&column)? {
                    Some(value) => value,
                    None => return Err(Error::no_default(&column.name)),
                },
            };
            let refuses_null = !column.nullable && !ignore && !self.row_by_row;
            if value.ty == crate::sql::plan::ResultType::Null && refuses_null {
                return Err(Error::column_cannot_be_null(&column.name));
            }
            let sql = self.assigned_value(&value, &column, table)?;
            let scope = self.scope();
            let names = scope.sources.first().map_or(vec![column.name.clone()], |s| s.names_of(&column.name));
            for name in names {
                scope.assigned.retain(|(n, _)| !n.eq_ignore_ascii_case(&name));
                scope.assigned.push((name, Typed::new(sql.clone(), column.ty.clone())));
            }
            list.retain(|(c, _)| c.id != column.id);
            list.push((column, sql));
        }
        self.scope().assigned.clear();
        Ok(list)
    }

    /// Names and values of [`Self::assigned_columns`], with the ON UPDATE CURRENT_TIMESTAMP columns.
    pub(super) fn with_touched(
        &mut self,
        table: &Arc<Table>,
        list: &[(Column, String)],
    ) -> Result<Vec<(String, String)>, Error> {
        if list.is_empty() {
            // Nothing but generated columns, set to what they are: rows are found, and none changes.
            let key = table.key_columns().first().copied().unwrap_or_default();
            return Ok(vec![(key.to_string(), quote_name(key))]);
        }
        let alias = self.scope().sources.first().map(|s| s.sql_alias.clone()).unwrap_or_default();
        let touched = self.touched(table, &alias, list)?;
        Ok(list.iter().map(|(c, sql)| (c.name.clone(), sql.clone())).chain(touched).collect())
    }

    fn assigned_value(&mut self, value: &Typed, column: &Column, table: &Table) -> Result<String, Error> {
        // A column of the very same type needs no check: the old row's, or the one that was to be inserted.
        let same = value.column && value.known() == Some(&column.ty) && (column.nullable || !value.nullable);
        if same {
            return Ok(value.sql.clone());
        }
        // An AUTO_INCREMENT column makes ids only when rows are inserted.
        let nullable = column.nullable || self.row_by_row;
        let column = Column { auto_increment: false, nullable, ..column.clone() };
        self.stored(value, &column, table, 1)
    }

    /// Columns ON UPDATE CURRENT_TIMESTAMP: now, if another column really changes.
    fn touched(
        &mut self,
        table: &Arc<Table>,
        alias: &str,
        list: &[(Column, String)],
    ) -> Result<Vec<(String, String)>, Error> {
        let mut parts = Vec::new();
        for column in table.columns.iter().filter(|c| c.on_update.is_some()) {
            if list.iter().any(|(c, _)| c.id == column.id) || list.is_empty() {
                continue;
            }
            let fsp = column.on_update.unwrap_or(0);
            let now = self.wanted(Wanted::Now(fsp), Some(ColumnType::DateTime(fsp)));
            let now = self.stored(&now, column, table, 1)?;
            let same: Vec<String> = list
                .iter()
                .map(|(c, sql)| format!("{alias}.{} COLLATE BINARY IS {sql}", quote_name(&c.name)))
                .collect();
            let name = quote_name(&column.name);
            let sql = format!("CASE WHEN {} THEN {alias}.{name} ELSE {now} END", same.join(" AND "));
            parts.push((column.name.clone(), sql));
        }
        Ok(parts)
    }

    /// UPDATE of tables among several: the new values are computed by a query, and joined by key or kept with it.
    fn joined_update(&mut self, update: &Update, verb: &str) -> Result<Write, Error> {
        if !update.order_by.is_empty() || update.limit.is_some() {
            return Err(Error::wrong_usage("UPDATE", if update.limit.is_some() { "LIMIT" } else { "ORDER BY" }));
        }
        self.scopes.push(Scope::default());
        self.merging = Merging::of(&update.tables);
        let from = self.source_list(&update.tables)?;
        self.merging = Merging::Never;
        let mut targets: Vec<Changed> = Vec::new();
        for (path, _) in &update.assignments {
            let place = self.assigned_source(path)?;
            let source = self.scope().sources[place].clone();
            self.need_of_source(&source, Privileges::UPDATE);
            let bases = source.view.iter().flat_map(|view| view.bases.iter());
            let triggers = bases.chain([&source]).any(|s| self.source_has_triggers(s, RowEvent::Update));
            self.row_by_row |= triggers;
        }
        for (path, value) in &update.assignments {
            let place = self.assigned_source(path)?;
            let mut source = self.scope().sources[place].clone();
            let mut name = path.last().map_or("", String::as_str);
            let view = source.view.take();
            if let Some(view) = &view {
                let (base, column) = view.base_of(name, "field list")?;
                name = column;
                source = view.bases[base].clone();
                let other = |t: &&Changed| t.view.as_ref().is_some_and(|v| Arc::ptr_eq(v, view));
                if targets.iter().find(other).is_some_and(|t| t.source.sql_alias != source.sql_alias) {
                    return Err(Error::join_view_several_tables(&view.name));
                }
            }
            let Some(table) = source.table.clone() else { return Err(Error::not_updatable(&source.alias, "UPDATE")) };
            let Some((_, column)) = table.column(name) else { return Err(Error::unknown_column(name, "field list")) };
            let column = column.clone();
            if column.generated().is_some() {
                return Err(Error::generated_value(&column.name, &table.name));
            }
            let value = match value {
                Some(expression) => self.expression(expression)?,
                None => match self.default_value(&column)? {
                    Some(value) => value,
                    None => return Err(Error::no_default(&column.name)),
                },
            };
            let value = self.assigned_value(&value, &column, &table)?;
            match targets.iter_mut().find(|t| t.source.sql_alias == source.sql_alias) {
                Some(target) => target.list.push((column, value)),
                None => targets.push(Changed { source, table, view, list: vec![(column, value)] }),
            }
        }
        for target in &mut targets {
            self.changeable_database(&target.source)?;
            let Some(view) = &target.view else { continue };
            let alias = target.source.sql_alias.clone();
            let Some(check) = self.view_check(view, &target.source, new_cells(&target.list, &alias))? else { continue };
            if update.ignore {
                return Err(Error::unsupported("UPDATE IGNORE of a view WITH CHECK OPTION among several tables"));
            }
            if let Some((_, value)) = target.list.first_mut() {
                *value = check.around(value);
            }
        }
        if update.condition.is_none() && self.context.modes.safe_updates() {
            return Err(Error::unsafe_update());
        }
        let conditions = self.conditions_of_views();
        let condition = self.where_clause(conditions, update.condition.as_ref())?;
        let rows = format!("FROM {from}{condition}");
        let write = match targets.as_slice() {
            targets @ [_, ..] if self.row_by_row => self.triggered_update(targets, verb, &rows, update.ignore),
            [] => return Err(Error::no_tables_used()),
            [target] => self.update_by_join(target, verb, &rows, update.ignore),
            several => self.update_by_keys(several, verb, &rows, update.ignore),
        };
        self.scopes.pop();
        write
    }

    /// One table's rows, joined by key with the query of their new values.
    fn update_by_join(&mut self, target: &Changed, verb: &str, rows: &str, ignore: bool) -> Result<Write, Error> {
        let Changed { source, table, list, .. } = target;
        let database = self.find_database(source.database.as_deref().unwrap_or_default())?.clone();
        let mut columns = key_list(table, &source.sql_alias);
        let mut names: Vec<String> = (0..columns.len()).map(|i| format!("k{i}")).collect();
        let mut set = Vec::new();
        for (i, (column, value)) in list.iter().enumerate() {
            columns.push(value.clone());
            names.push(format!("v{i}"));
            set.push((column.clone(), format!("\"marmot_new\".\"v{i}\"")));
        }
        let alias = quote_name(&table.name);
        let touched = self.touched(table, &alias, &set)?;
        let touched = touched.iter().map(|(name, sql)| format!("{} = {sql}", quote_name(name)));
        let mut parts: Vec<String> = set.iter().map(|(c, sql)| format!("{} = {sql}", quote_name(&c.name))).collect();
        parts.extend(touched);
        let keys = key_list(table, &alias);
        let on: Vec<String> = keys.iter().enumerate().map(|(i, k)| format!("{k} = \"marmot_new\".\"k{i}\"")).collect();
        let names: Vec<String> = columns.iter().zip(&names).map(|(c, n)| format!("{c} AS \"{n}\"")).collect();
        let sql = format!(
            "{verb} {}.{alias} AS {alias} SET {} FROM (SELECT {} {rows}) AS \"marmot_new\" WHERE {}",
            quote_name(&database.name),
            parts.join(", "),
            names.join(", "),
            on.join(" AND ")
        );
        Ok(self.write(WriteKind::Update, sql, &database, table, ignore))
    }

    /// Rows of tables with triggers.
    fn triggered_update(&mut self, targets: &[Changed], verb: &str, rows: &str, ignore: bool) -> Result<Write, Error> {
        let mut parts = Vec::new();
        for Changed { source, table, list, .. } in targets {
            let database = self.find_database(source.database.as_deref().unwrap_or_default())?.clone();
            let mut set: Vec<(String, String)> = list.iter().map(|(c, sql)| (c.name.clone(), sql.clone())).collect();
            set.extend(self.touched(table, &source.sql_alias, list)?);
            parts.push(update_part(&database, table, &source.sql_alias, verb, &set));
        }
        self.triggered(WriteKind::Update, parts, rows, ignore, None)
    }

    /// Rows of several tables, by the keys and new values that one query gives.
    fn update_by_keys(&mut self, targets: &[Changed], verb: &str, rows: &str, ignore: bool) -> Result<Write, Error> {
        let (mut columns, mut keyed, mut databases) = (Vec::new(), Vec::new(), Vec::new());
        for Changed { source, table, list, .. } in targets {
            let database = self.find_database(source.database.as_deref().unwrap_or_default())?.clone();
            columns.extend(key_list(table, &source.sql_alias));
            let mut names: Vec<String> = list.iter().map(|(c, _)| c.name.clone()).collect();
            columns.extend(list.iter().map(|(_, value)| value.clone()));
            for (name, value) in self.touched(table, &source.sql_alias, list)? {
                names.push(name);
                columns.push(value);
            }
            keyed.push(keyed_change(&database, table, Some((verb, &names))));
            databases.push(database);
        }
        let sql = format!("SELECT {} {rows}", columns.join(", "));
        let write = self.write(WriteKind::Update, sql, &databases[0], &targets[0].table, ignore);
        Ok(Write { keyed, ..write })
    }

    /// Which source an assignment's column is in.
    fn assigned_source(&mut self, path: &[String]) -> Result<usize, Error> {
        let sources = &self.scope().sources;
        let (table, name) = match path {
            [name] => (None, name),
            [table, name] | [_, table, name] => (Some(table), name),
            _ => return Err(Error::unknown_column(path.join("."), "field list")),
        };
        let fits = |s: &super::scope::Source| {
            table.is_none_or(|t| s.alias.eq_ignore_ascii_case(t)) && s.column(name).is_some()
        };
        let mut found = sources.iter().enumerate().filter(|(_, s)| fits(s)).map(|(i, _)| i);
        match (found.next(), found.next()) {
            (Some(place), None) => Ok(place),
            (Some(_), Some(_)) => Err(Error::ambiguous_column(name, "field list")),
            (None, _) => Err(Error::unknown_column(path.join("."), "field list")),
        }
    }

    pub fn delete(&mut self, delete: &Delete) -> Result<Write, Error> {
        match &delete.target {
            DeleteTarget::Single { table: name, alias } => {
                let reads = delete.condition.as_ref().is_some_and(reads_rows)
                    || !delete.order_by.is_empty()
                    || delete.returning.is_some();
                let needed = Privileges::DELETE | if reads { Privileges::SELECT } else { Privileges::NONE };
                self.need_table(name, needed);
                let Some(target) = self.only_target(name, alias.clone(), ("DELETE", needed))? else {
                    let database = self.database_of(name)?;
                    return Err(Error::join_view_delete(format!("{}.{}", database.name, name.name)));
                };
                let Target { database, table, source, view } = target;
                if view.is_some() && delete.returning.is_some() {
                    return Err(Error::unsupported("RETURNING of a view"));
                }
                let quoted = source.sql_alias.clone();
                self.scopes.push(Scope { sources: vec![source], ..Scope::default() });
                let target = format!("{}.{} AS {quoted}", quote_name(&database.name), quote_name(&table.name));
                let condition = self.rows_condition(
                    &table,
                    &target,
                    &quoted,
                    (view.as_deref(), delete.condition.as_ref()),
                    &delete.order_by,
                    delete.limit.as_ref(),
                )?;
                self.scopes.pop();
                if has_triggers(&database, &table, &[RowEvent::Delete]) {
                    let part = delete_part(&database, &table, &quoted);
                    let rows = format!("FROM {target}{condition}");
                    let returning = delete.returning.as_deref();
                    return self.triggered(WriteKind::Delete, vec![part], &rows, delete.ignore, returning);
                }
                let mut sql = format!("DELETE FROM {target}{condition}");
                let returning = self.returning(&mut sql, &database, &table, delete.returning.as_deref())?;
                Ok(Write { returning, ..self.write(WriteKind::Delete, sql, &database, &table, delete.ignore) })
            }
            DeleteTarget::Joined { targets, tables } => self.joined_delete(delete, targets, tables),
        }
    }

    fn joined_delete(
        &mut self,
        delete: &Delete,
        targets: &[TableName],
        tables: &[TableWithJoins],
    ) -> Result<Write, Error> {
        if !delete.order_by.is_empty() || delete.limit.is_some() {
            return Err(Error::wrong_usage("DELETE", "LIMIT"));
        }
        if delete.returning.is_some() {
            return Err(Error::unsupported("RETURNING of a DELETE from several tables"));
        }
        self.scopes.push(Scope { alias_use: AliasUse::Never, ..Scope::default() });
        self.merging = Merging::of(tables);
        let from = self.source_list(tables)?;
        self.merging = Merging::Never;
        let mut sources: Vec<Source> = Vec::new();
        for target in targets {
            let source = self.scope().source(target.database.as_deref(), &target.name).cloned();
            let Some(mut source) = source else { return Err(Error::unknown_table_in(&target.name, "MULTI DELETE")) };
            self.need_of_source(&source, Privileges::DELETE);
            if let Some(view) = source.view.take() {
                let base = view.only_base().ok_or_else(|| Error::join_view_delete(&view.name))?;
                source = base.clone();
            }
            if sources.iter().any(|s| s.sql_alias == source.sql_alias) {
                return Err(Error::not_unique_table(&target.name));
            }
            sources.push(source);
        }
        if delete.condition.is_none() && self.context.modes.safe_updates() {
            return Err(Error::unsafe_update());
        }
        let conditions = self.conditions_of_views();
        let condition = self.where_clause(conditions, delete.condition.as_ref())?;
        self.scopes.pop();
        let mut places = Vec::new();
        for source in &sources {
            let Some(table) = source.table.clone() else {
                return Err(Error::not_updatable(&source.alias, "DELETE"));
            };
            places.push((self.changeable_database(source)?, table));
        }
        if places.iter().any(|(database, table)| has_triggers(database, table, &[RowEvent::Delete])) {
            let part = |((database, table), source): (&(Arc<Database>, Arc<Table>), &Source)| {
                delete_part(database, table, &source.sql_alias)
            };
            let parts = places.iter().zip(&sources).map(part).collect();
            let rows = format!("FROM {from}{condition}");
            return self.triggered(WriteKind::Delete, parts, &rows, delete.ignore, None);
        }
        let keys = |place: usize| key_list(&places[place].1, &sources[place].sql_alias);
        let Some((database, table)) = places.first() else { return Err(Error::no_tables_used()) };
        if places.len() > 1 {
            let keyed = places.iter().map(|(database, table)| keyed_change(database, table, None)).collect();
            let all: Vec<String> = (0..places.len()).flat_map(keys).collect();
            let sql = format!("SELECT {} FROM {from}{condition}", all.join(", "));
            let write = self.write(WriteKind::Delete, sql, database, table, delete.ignore);
            return Ok(Write { keyed, ..write });
        }
        let alias = quote_name(&table.name);
        let query = format!("SELECT {} FROM {from}{condition}", keys(0).join(", "));
        let sql = format!(
            "DELETE FROM {}.{alias} AS {alias} WHERE {}",
            quote_name(&database.name),
            key_in(table, &alias, &query)
        );
        Ok(self.write(WriteKind::Delete, sql, database, table, delete.ignore))
    }
}

/// The only table that a statement changes, and the view through which, if it is one's.
struct Target {
    database: Arc<Database>,
    table: Arc<Table>,
    source: Source,
    view: Option<Arc<MergedView>>,
}

/// A table that an UPDATE of several changes, and its columns with their new values.
struct Changed {
    source: Source,
    table: Arc<Table>,
    view: Option<Arc<MergedView>>,
    list: Vec<(Column, String)>,
}

/// The change of one row by its key: new values of some columns, or that it goes.
fn keyed_change(database: &Database, table: &Table, columns: Option<(&str, &[String])>) -> KeyedChange {
    let alias = quote_name(&table.name);
    let keys = key_list(table, &alias);
    let condition: Vec<String> = keys.iter().zip(1..).map(|(key, i)| format!("{key} = ?{i}")).collect();
    let (place, condition) = (format!("{}.{alias} AS {alias}", quote_name(&database.name)), condition.join(" AND "));
    let (values, sql) = match columns {
        None => (0, format!("DELETE FROM {place} WHERE {condition}")),
        Some((verb, columns)) => {
            let set = columns.iter().zip(keys.len() + 1..).map(|(name, i)| format!("{} = ?{i}", quote_name(name)));
            let set: Vec<String> = set.collect();
            (columns.len(), format!("{verb} {place} SET {} WHERE {condition}", set.join(", ")))
        }
    };
    KeyedChange { keys: keys.len(), values, sql }
}

/// The columns assigned, as the table calls them, and their values.
fn pairs<'e>(
    assignments: &'e [(Vec<String>, Option<Expr>)],
    view: Option<&MergedView>,
) -> Result<Vec<(String, Option<&'e Expr>)>, Error> {
    let pair = |(path, value): &'e (Vec<String>, Option<Expr>)| {
        let name = path.last().map_or("", String::as_str);
        let column = match view {
            Some(view) => view.base_of(name, "field list")?.1,
            None => name,
        };
        Ok((column.to_string(), value.as_ref()))
    };
    assignments.iter().map(pair).collect()
}

/// `a = x, b = y`.
pub(super) fn joined(assignments: &[(String, String)]) -> String {
    let parts: Vec<String> = assignments.iter().map(|(name, sql)| format!("{} = {sql}", quote_name(name))).collect();
    parts.join(", ")
}
