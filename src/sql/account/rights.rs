//! What one account may, ready to be asked.

use super::accounts::Account;
use super::need::{Need, Subject};
use super::privilege::Privileges;
use crate::sql::catalog::{Catalog, Database};
use crate::sql::error::Error;
use crate::types::{AccountName, DatabaseName};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What one account may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    account: AccountName,
    global: Privileges,
    /// Patterns of databases, those that say most first; only the first that fits counts.
    databases: Vec<(Pattern, Privileges)>,
    tables: BTreeMap<(DatabaseName, String), Privileges>,
}

/// The name of a database in GRANT: `_` and `%` are wildcards unless escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Name(String),
    Like(Vec<char>),
}

impl Pattern {
    fn new(text: &str) -> Pattern {
        let mut name = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '%' | '_' => return Pattern::Like(text.chars().collect()),
                '\\' => name.extend(chars.next()),
                c => name.push(c),
            }
        }
        Pattern::Name(name)
    }

    fn matches(&self, database: &str) -> bool {
        match self {
            Pattern::Name(name) => name == database,
            Pattern::Like(pattern) => {
                let database: Vec<char> = database.chars().collect();
                crate::sql::functions::matches_like(&database, pattern, Some('\\'))
            }
        }
    }

    /// What says most comes first.
    fn rank(&self) -> (bool, Reverse<usize>) {
        match self {
            Pattern::Name(_) => (false, Reverse(0)),
            Pattern::Like(pattern) => (true, Reverse(pattern.iter().position(|c| "%_".contains(*c)).unwrap_or(0))),
        }
    }
}

impl Rights {
    pub fn of(account: &Account) -> Rights {
        let mut databases: Vec<(Pattern, Privileges)> =
            account.databases.iter().map(|(pattern, held)| (Pattern::new(pattern), *held)).collect();
        databases.sort_by_key(|(pattern, _)| pattern.rank());
        Rights { account: account.name.clone(), global: account.global, databases, tables: account.tables.clone() }
    }

    /// Of nobody.
    pub fn none(account: AccountName) -> Rights {
        Rights { account, global: Privileges::NONE, databases: Vec::new(), tables: BTreeMap::new() }
    }

    pub fn everything(account: AccountName) -> Rights {
        Rights { global: Privileges::EVERYTHING, ..Rights::none(account) }
    }

    /// Whose they are.
    pub fn account(&self) -> &AccountName {
        &self.account
    }

    /// Whether nothing is denied.
    pub fn is_everything(&self) -> bool {
        self.global.contains(Privileges::GLOBAL)
    }

    /// What is held on `*.*`.
    pub fn global(&self) -> Privileges {
        self.global
    }

    /// What is held on a whole database.
    pub fn on_database(&self, database: &str) -> Privileges {
        let found = self.databases.iter().find(|(pattern, _)| pattern.matches(database));
        self.global | found.map_or(Privileges::NONE, |(_, held)| *held)
    }

    /// What is held on all databases that a pattern of GRANT names.
    pub fn on_pattern(&self, pattern: &str) -> Privileges {
        let pattern = Pattern::new(pattern);
        if let Pattern::Name(name) = &pattern {
            return self.on_database(name);
        }
        let found = self.databases.iter().find(|(own, _)| *own == pattern);
        self.global | found.map_or(Privileges::NONE, |(_, held)| *held)
    }

    /// What is held on a table.
    pub fn on_table(&self, database: &DatabaseName, table: &str) -> Privileges {
        let own = if self.tables.is_empty() { None } else { self.tables.get(&(database.clone(), table.to_string())) };
        self.on_database(database) | own.copied().unwrap_or_default()
    }

    /// Whether the database is listed.
    pub fn sees_database(&self, database: &str) -> bool {
        self.global.contains(Privileges::SHOW_DATABASES) || self.enters_database(database)
    }

    /// Whether there is anything in the database that this account may do something with.
    pub fn enters_database(&self, database: &str) -> bool {
        let of_database = Privileges::OF_DATABASE | Privileges::GRANT_OPTION;
        is_open_to_all(database)
            || !(self.on_database(database) & of_database).is_empty()
            || self.tables.keys().any(|(d, _)| **d == *database)
    }

    /// # Errors
    /// 1142 for a table, 1044 for a database, 1370 for a routine, 1227 for the server, 1356 within a view.
    pub fn check(&self, need: &Need) -> Result<(), Error> {
        let held = match &need.subject {
            Subject::Server => self.global,
            Subject::Database(database) if need.any && self.enters_database(database) => return Ok(()),
            Subject::Database(database) => self.on_database(database),
            Subject::Table(database, _) if is_open_to_all(database) => return Ok(()),
            Subject::Table(database, table) => self.on_table(database, table),
            Subject::Routine(database, _) => self.on_database(database),
        };
        let missing = need.privileges - held;
        let allowed = if need.any { missing != need.privileges } else { missing.is_empty() };
        if allowed {
            return Ok(());
        }
        Err(match &need.view {
            Some(view) => Error::invalid_view(&view.0, &view.1),
            None => self.denied(need, missing),
        })
    }

    fn denied(&self, need: &Need, missing: Privileges) -> Error {
        match &need.subject {
            Subject::Server if need.privileges == Privileges::SUPER => {
                Error::privilege_needed("SUPER or SYSTEM_VARIABLES_ADMIN")
            }
            Subject::Server => Error::privilege_needed(missing.list()),
            Subject::Database(database) => Error::database_denied(&self.account, public(database)),
            Subject::Table(_, table) => {
                let command = if need.any { "SELECT".to_string() } else { missing.list() };
                Error::table_denied(command, &self.account, table)
            }
            Subject::Routine(database, name) => {
                Error::routine_denied(missing.list().to_lowercase(), &self.account, format!("{database}.{name}"))
            }
        }
    }

    /// What of a catalog this account may list.
    pub fn visible(&self, catalog: &Catalog) -> Catalog {
        if self.is_everything() {
            return catalog.clone();
        }
        let seen = catalog.databases().filter(|d| crate::sql::is_temporary(&d.name) || self.sees_database(&d.name));
        seen.map(|d| self.visible_of(d)).collect()
    }

    fn visible_of(&self, database: &Arc<Database>) -> Database {
        let whole = database.system || crate::sql::is_temporary(&database.name);
        let mut seen = (**database).clone();
        if whole {
            return seen;
        }
        let on_tables = Privileges::OF_TABLE | Privileges::GRANT_OPTION;
        let on_routines = Privileges::EXECUTE | Privileges::CREATE_ROUTINE | Privileges::ALTER_ROUTINE;
        let sees = |table: &str| !(self.on_table(&database.name, table) & on_tables).is_empty();
        let routines = !(self.on_database(&database.name) & on_routines).is_empty();
        let triggers = |table: &str| self.on_table(&database.name, table).contains(Privileges::TRIGGER);
        seen.tables.retain(sees);
        seen.views.retain(|name, _| sees(name));
        seen.routines.retain(|_, _| routines);
        seen.programs.retain(|_, p| p.trigger.as_ref().map_or(routines, |t| triggers(&t.table)));
        seen
    }
}

/// Databases that everybody may read: each sees there what it may see elsewhere.
fn is_open_to_all(database: &str) -> bool {
    ["information_schema", "performance_schema"].iter().any(|d| d.eq_ignore_ascii_case(database))
        || crate::sql::is_temporary(database)
}

fn public(database: &str) -> &str {
    crate::sql::public_name(database)
}
