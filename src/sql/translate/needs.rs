//! What a statement needs privileges for, noted while it is translated (manual, "Privileges Provided by MySQL").

use super::scope::Source;
use super::translator::Translator;
use crate::sql::account::{Need, Needs, Privileges, Subject};
use crate::sql::alteration::Alteration;
use crate::sql::catalog::{Database, View, is_temporary, public_name};
use crate::sql::definition::TableDefinition;
use crate::sql::error::Error;
use crate::sql::parse::{Body, TableName, ViewVerb};
use crate::sql::plan::{Admin, Plan, SetTarget, VariableScope};
use crate::sql::program::StoredKind;
use crate::sql::schema_change::{Direction, Move, SchemaChange};
use crate::types::{AccountName, DatabaseName};
use sqlparser::ast::Expr;
use std::sync::Arc;

/// Whoever translates for an account that may not do everything: says so before an error tells what is there.
pub trait Guard {
    /// # Errors
    /// The first need that is not met.
    fn check(&self, needs: &Needs) -> Result<(), Error>;
}

impl Translator<'_> {
    /// Notes a need of whoever runs what is being translated.
    pub fn need(&mut self, subject: Subject, privileges: Privileges) {
        self.note(Need::all(subject, privileges));
    }

    /// Notes that one of the privileges is needed.
    pub fn need_any(&mut self, subject: Subject, privileges: Privileges) {
        self.note(Need::any(subject, privileges));
    }

    fn note(&mut self, need: Need) {
        if let Subject::Table(database, _) | Subject::Database(database) = &need.subject
            && is_temporary(database)
        {
            // Everybody may do everything with temporary tables.
            return;
        }
        let view = self.views.iter().find(|(_, name)| !name.ends_with("()")).cloned().map(Arc::new);
        self.needs.add(self.actor.as_ref(), Need { view, ..need });
    }

    /// Notes a need on a table or view, whether it is there or not; none if its name leads nowhere.
    pub fn need_table(&mut self, name: &TableName, privileges: Privileges) {
        let Some(database) = name.database.as_deref().or(self.context.database) else { return };
        if self.temporary_table(database, &name.name).is_none() {
            self.need(Subject::Table(database.into(), name.name.clone()), privileges);
        }
    }

    /// As [`Self::need_table`], of whatever kind: to be shown how it is defined.
    pub fn need_any_of_table(&mut self, name: &TableName) {
        let Some(database) = name.database.as_deref().or(self.context.database) else { return };
        if self.temporary_table(database, &name.name).is_none() {
            self.need_any(Subject::Table(database.into(), name.name.clone()), Privileges::OF_TABLE);
        }
    }

    /// Notes a need on the table below a view that rows are changed through: of the view's definer, unless the view says
    /// otherwise.
    pub fn need_below(&mut self, name: &TableName, base: (&DatabaseName, &str), privileges: Privileges) {
        let Ok(Some((database, view))) = self.find_view(name) else { return };
        let (database, view) = (database.clone(), view.clone());
        let actor = self.actor_of(&database, &view);
        let outer = std::mem::replace(&mut self.actor, actor);
        self.views.push((database.name.clone(), view.name.clone()));
        self.need(Subject::Table(base.0.clone(), base.1.to_string()), privileges);
        self.views.pop();
        self.actor = outer;
    }

    /// Notes a need on a table of a join whose rows change, or on the view and what is below it.
    pub fn need_of_source(&mut self, source: &Source, privileges: Privileges) {
        let Some(database) = &source.database else { return };
        let name = match (&source.view, &source.table) {
            (Some(view), _) => view.name.rsplit_once('.').map_or(view.name.as_str(), |(_, name)| name),
            (None, Some(table)) => table.name.as_str(),
            (None, None) => return,
        };
        let name = TableName { database: Some(database.to_string()), name: name.to_string() };
        self.need(Subject::Table(database.clone(), name.name.clone()), privileges);
        for base in source.view.iter().flat_map(|view| &view.bases) {
            if let (Some(below), Some(table)) = (&base.database, &base.table) {
                self.need_below(&name, (below, &table.name), privileges);
            }
        }
    }

    /// With whose rights a view reads.
    pub fn actor_of(&self, database: &Database, view: &View) -> Option<Arc<str>> {
        match view.invoker {
            true => self.actor.clone(),
            false => Some(database.definer(&view.name).into()),
        }
    }

    /// Notes what DDL and administration need, which their plans tell.
    pub fn need_for(&mut self, body: &Body, plan: &Plan) {
        match plan {
            Plan::Schema(change) => self.need_change(body, change),
            Plan::Schemas(changes) => changes.iter().for_each(|change| self.need_change(body, change)),
            Plan::CreateSelect { change, .. } => {
                self.need_change(body, change);
                if let SchemaChange::CreateTable { database, definition, .. } = change {
                    self.need(table(database, &definition.name), Privileges::INSERT);
                }
            }
            Plan::Call(call) => {
                let called = &call.procedure;
                let routine = Subject::Routine(called.database.clone(), called.name.clone());
                self.need(routine, Privileges::EXECUTE);
            }
            Plan::Set(assignments) if assignments.iter().any(|a| is_global(&a.target)) => {
                self.need(Subject::Server, Privileges::SUPER);
            }
            Plan::Admin(Admin::RemoveNode(_) | Admin::Verify | Admin::ReloadTls { .. }) => {
                self.need(Subject::Server, Privileges::SUPER)
            }
            Plan::Admin(Admin::FlushHosts) => self.need(Subject::Server, Privileges::RELOAD),
            _ => match body {
                Body::Query { file: Some(_), .. } => self.need(Subject::Server, Privileges::FILE),
                Body::LoadData(load) if !load.local => self.need(Subject::Server, Privileges::FILE),
                Body::Flush => self.need(Subject::Server, Privileges::RELOAD),
                Body::LockTables(tables) => {
                    for name in tables {
                        self.need_table(name, Privileges::SELECT);
                        if let Some(database) = name.database.as_deref().or(self.context.database) {
                            self.need(Subject::Database(database.into()), Privileges::LOCK_TABLES);
                        }
                    }
                }
                Body::Maintenance { tables, .. } => {
                    tables.iter().for_each(|name| self.need_table(name, Privileges::SELECT | Privileges::INSERT));
                }
                _ => {}
            },
        }
    }

    fn need_change(&mut self, body: &Body, change: &SchemaChange) {
        let database = change.database();
        if is_temporary(database) {
            let of = Subject::Database(public_name(database).into());
            match change {
                SchemaChange::CreateTable { .. } => self.need(of, Privileges::CREATE_TEMPORARY_TABLES),
                SchemaChange::CreateTableLike { source, .. } => {
                    self.need(of, Privileges::CREATE_TEMPORARY_TABLES);
                    self.need(table(&source.0, &source.1), Privileges::SELECT);
                }
                _ => {}
            }
            return;
        }
        let whole = || Subject::Database(database.clone());
        match change {
            SchemaChange::CreateDatabase { .. } => self.need(whole(), Privileges::CREATE),
            SchemaChange::AlterDatabase { .. } => self.need(whole(), Privileges::ALTER),
            SchemaChange::DropDatabase { .. } => self.need(whole(), Privileges::DROP),
            SchemaChange::CreateTable { replace, definition, .. } => {
                self.need(table(database, &definition.name), created(*replace));
                self.need_parents(database, definition);
            }
            SchemaChange::CreateTableLike { name, replace, source, .. } => {
                self.need(table(database, name), created(*replace));
                self.need(table(&source.0, &source.1), Privileges::SELECT);
            }
            SchemaChange::AlterTable { name, alterations, .. } => {
                self.need_alterations(body, name, alterations, database)
            }
            SchemaChange::DropTables { names, .. } | SchemaChange::DropViews { names, .. } => {
                names.iter().for_each(|name| self.need(table(database, name), Privileges::DROP));
            }
            SchemaChange::RenameTables { renames, .. } => {
                renames.iter().for_each(|(from, to)| self.need_rename(database, from, to));
            }
            SchemaChange::MoveTables { from, to, renames, .. } => {
                for Move { name, to: new, direction } in renames {
                    let (left, entered) = match direction {
                        Direction::WithinFrom => (from, from),
                        Direction::WithinTo => (to, to),
                        Direction::Across => (from, to),
                    };
                    self.need(table(left, name), Privileges::ALTER | Privileges::DROP);
                    self.need(table(entered, new), Privileges::CREATE | Privileges::INSERT);
                }
            }
            SchemaChange::Truncate { name, .. } => self.need(table(database, name), Privileges::DROP),
            SchemaChange::CreateView { verb, view, definer, .. } => {
                let replaces = *verb != ViewVerb::Create { replace: false };
                let drop = if replaces { Privileges::DROP } else { Privileges::NONE };
                self.need(table(database, &view.name), Privileges::CREATE_VIEW | drop);
                self.need_definer(definer.as_deref());
            }
            SchemaChange::CreateFunction { create, .. } => {
                self.need(whole(), Privileges::CREATE_ROUTINE);
                self.need_definer(create.definer.as_deref());
            }
            SchemaChange::CreateProgram { create, .. } => {
                match &create.trigger {
                    Some(trigger) => self.need(table(database, &trigger.table.name), Privileges::TRIGGER),
                    None => self.need(whole(), Privileges::CREATE_ROUTINE),
                }
                self.need_definer(create.definer.as_deref());
            }
            SchemaChange::AlterProgram { name, .. } => {
                self.need(Subject::Routine(database.clone(), name.clone()), Privileges::ALTER_ROUTINE);
            }
            SchemaChange::DropProgram { kind: StoredKind::Trigger, name, .. } => {
                let trigger =
                    self.context.catalog.database(database).and_then(|d| d.program(StoredKind::Trigger, name));
                let of = trigger.and_then(|p| p.trigger.as_ref()).map(|t| t.table.clone());
                let subject = of.map_or_else(whole, |name| table(database, &name));
                self.need(subject, Privileges::TRIGGER);
            }
            SchemaChange::DropProgram { name, .. } => {
                self.need(Subject::Routine(database.clone(), name.clone()), Privileges::ALTER_ROUTINE);
            }
        }
    }

    /// CREATE INDEX and DROP INDEX are ALTER TABLE, but need less.
    fn need_alterations(&mut self, body: &Body, name: &str, alterations: &[Alteration], database: &DatabaseName) {
        let first = self.tokens.word(0).unwrap_or_default();
        let of_index = matches!(body, Body::Table { .. }) && !first.eq_ignore_ascii_case("ALTER");
        let needed = if of_index { Privileges::INDEX } else { Privileges::ALTER };
        self.need(table(database, name), needed);
        for alteration in alterations {
            match alteration.inner() {
                Alteration::RenameTable(to) => self.need_rename(database, name, to),
                Alteration::AddForeignKey(key) => {
                    let parent = key.parent_database.clone().unwrap_or_else(|| database.clone());
                    self.need(table(&parent, &key.parent_table), Privileges::REFERENCES);
                }
                _ => {}
            }
        }
    }

    fn need_rename(&mut self, database: &DatabaseName, from: &str, to: &str) {
        self.need(table(database, from), Privileges::ALTER | Privileges::DROP);
        self.need(table(database, to), Privileges::CREATE | Privileges::INSERT);
    }

    fn need_parents(&mut self, database: &DatabaseName, definition: &TableDefinition) {
        for key in &definition.foreign_keys {
            let parent = key.parent_database.clone().unwrap_or_else(|| database.clone());
            self.need(table(&parent, &key.parent_table), Privileges::REFERENCES);
        }
    }

    /// To let something run with the rights of another account needs SUPER.
    fn need_definer(&mut self, definer: Option<&str>) {
        if let Some(definer) = definer
            && self.context.account.is_none_or(|own| *own != AccountName::parse_plain(definer))
        {
            self.need(Subject::Server, Privileges::SUPER);
        }
    }
}

/// Whether an expression reads rows: those it is about, or, in a query, perhaps these too.
pub fn reads_rows(expression: &Expr) -> bool {
    super::updatable::names_columns(expression) || super::translator::needs_rows(expression)
}

fn table(database: &DatabaseName, name: &str) -> Subject {
    Subject::Table(database.clone(), name.to_string())
}

fn created(replace: bool) -> Privileges {
    if replace { Privileges::CREATE | Privileges::DROP } else { Privileges::CREATE }
}

fn is_global(target: &SetTarget) -> bool {
    let global = |scope: &VariableScope| matches!(scope, VariableScope::Global | VariableScope::Persist);
    match target {
        SetTarget::System { scope, .. } => global(scope),
        SetTarget::Isolation(scope) | SetTarget::ReadOnly(scope) => global(scope),
        SetTarget::User(_) | SetTarget::Names { .. } | SetTarget::CharacterSet => false,
    }
}
