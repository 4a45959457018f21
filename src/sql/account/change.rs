//! Statements about accounts, and what they make of the accounts there are (manual, "Account Management Statements").

use super::accounts::{Account, Accounts};
use super::privilege::Privileges;
use super::rights::Rights;
use crate::sql::catalog::Catalog;
use crate::sql::error::{Error, Warning};
use crate::types::{AccountName, DatabaseName};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What an account without a plugin of its own proves itself by.
const DEFAULT_PLUGIN: &str = "caching_sha2_password";

/// A password or the hash of one: `Debug` does not show it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself. Never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(none)" } else { "<secret>" })
    }
}

/// An account in a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserReference {
    Named(AccountName),
    /// `CURRENT_USER()`, `USER()`.
    Current,
}

/// `IDENTIFIED [WITH plugin] [BY password | AS hash]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identified {
    /// WITH alone: no password.
    Nothing {
        plugin: String,
    },
    Password {
        plugin: Option<String>,
        password: Secret,
    },
    Hash {
        plugin: String,
        hash: Secret,
    },
}

/// An account of CREATE and ALTER USER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSpecification {
    pub user: UserReference,
    pub identified: Option<Identified>,
}

/// What CREATE and ALTER USER say of all their accounts; `None` leaves it as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountOptions {
    pub require_tls: Option<bool>,
    pub locked: Option<bool>,
}

/// What GRANT and REVOKE are about; without a database the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantLevel {
    Global,
    Database(Option<String>),
    Table(Option<String>, String),
}

/// A statement that changes accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountChange {
    Create {
        users: Vec<UserSpecification>,
        if_not_exists: bool,
        options: AccountOptions,
    },
    Alter {
        users: Vec<UserSpecification>,
        if_exists: bool,
        options: AccountOptions,
    },
    Drop {
        users: Vec<UserReference>,
        if_exists: bool,
    },
    Rename(Vec<(UserReference, UserReference)>),
    SetPassword {
        user: UserReference,
        password: Secret,
    },
    Grant {
        privileges: GivenPrivileges,
        level: GrantLevel,
        users: Vec<UserReference>,
        grant_option: bool,
    },
    Revoke {
        privileges: GivenPrivileges,
        level: GrantLevel,
        users: Vec<UserReference>,
        if_exists: bool,
    },
    /// `REVOKE ALL PRIVILEGES, GRANT OPTION FROM`: on everything.
    RevokeAll {
        users: Vec<UserReference>,
        if_exists: bool,
    },
}

/// The privileges of GRANT and REVOKE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenPrivileges {
    All,
    These(Privileges),
}

/// Who changes accounts, and where.
pub struct Author<'a> {
    pub rights: &'a Rights,
    /// The current database.
    pub database: Option<&'a str>,
    pub catalog: &'a Catalog,
    /// The account of this node's configuration, which no statement changes.
    pub fixed: Option<&'a AccountName>,
    /// Gives the hash of a password for a plugin; `None`: there is no such plugin.
    pub hash: &'a dyn Fn(&str, &str) -> Option<String>,
    /// Whether a text is a hash for a plugin.
    pub is_hash: &'a dyn Fn(&str, &str) -> bool,
}

impl Author<'_> {
    fn name(&self, user: &UserReference) -> AccountName {
        match user {
            UserReference::Named(name) => name.clone(),
            UserReference::Current => self.rights.account().clone(),
        }
    }

    /// # Errors
    /// 1227.
    fn need(&self, privilege: Privileges) -> Result<(), Error> {
        let held = self.rights.global().contains(privilege);
        if held { Ok(()) } else { Err(Error::privilege_needed(privilege.list())) }
    }

    /// Whoever may do everything is changed only by those who may.
    ///
    /// # Errors
    /// 1227; 1396 for the account of the configuration.
    fn may_change(&self, account: &Account, operation: &str) -> Result<(), Error> {
        if self.fixed == Some(&account.name) {
            let why = "; it is the account of this node's configuration: change it there";
            let mut error = Error::account_operation_failed(operation, &account.name);
            error.message.push_str(why);
            return Err(error);
        }
        if account.global.contains(Privileges::SUPER) {
            return self.need(Privileges::SUPER);
        }
        Ok(())
    }

    /// As [`Author::may_change`]; everybody may change the own account.
    fn may_change_own(&self, account: &Account, operation: &str) -> Result<(), Error> {
        let own = account.name == *self.rights.account() && self.fixed != Some(&account.name);
        if own { Ok(()) } else { self.may_change(account, operation) }
    }

    fn identify(&self, account: &mut Account, identified: &Identified) -> Result<(), Error> {
        let unknown = |plugin: &str| Error::plugin_not_loaded(plugin);
        match identified {
            Identified::Nothing { plugin } => {
                (self.hash)(plugin, "").ok_or_else(|| unknown(plugin))?;
                (account.plugin, account.hash) = (plugin.clone(), Secret::default());
            }
            Identified::Password { plugin, password } => {
                if let Some(plugin) = plugin {
                    account.plugin.clone_from(plugin);
                }
                let hash = (self.hash)(&account.plugin, password.expose());
                account.hash = Secret::new(hash.ok_or_else(|| unknown(&account.plugin))?);
            }
            Identified::Hash { plugin, hash } => {
                (self.hash)(plugin, "").ok_or_else(|| unknown(plugin))?;
                if !hash.expose().is_empty() && !(self.is_hash)(plugin, hash.expose()) {
                    return Err(Error::password_hash_format());
                }
                (account.plugin, account.hash) = (plugin.clone(), hash.clone());
            }
        }
        Ok(())
    }
}

impl AccountOptions {
    fn apply(self, account: &mut Account) {
        account.require_tls = self.require_tls.unwrap_or(account.require_tls);
        account.locked = self.locked.unwrap_or(account.locked);
    }
}

/// The error of an operation that failed for these accounts, if there are any.
fn failed(operation: &str, names: &[AccountName]) -> Result<(), Error> {
    let list: Vec<String> = names.iter().map(ToString::to_string).collect();
    if names.is_empty() { Ok(()) } else { Err(Error::account_operation_failed(operation, list.join(","))) }
}

/// # Errors
/// 1470.
fn check_lengths(name: &AccountName) -> Result<(), Error> {
    let too_long = |text: &str, what: &str, most: usize| match text.chars().count() > most {
        true => Err(Error::account_name_too_long(text, what, most)),
        false => Ok(()),
    };
    too_long(&name.user, "user name", 32)?;
    too_long(&name.host, "host name", 255)
}

impl Accounts {
    /// The accounts after a change, and what to warn of. All of it happens or nothing.
    ///
    /// # Errors
    /// MySQL's: 1227, 1044, 1045, 1142 for what the author may not do; 1396, 1410, 1141, 1147, 1269 for accounts and grants
    /// that are not there or are there already; 1221, 1144 for privileges that a level does not have; 1524, 1827, 1470, 1146.
    pub fn apply(&self, change: &AccountChange, author: &Author<'_>) -> Result<(Accounts, Vec<Warning>), Error> {
        let mut after = self.clone();
        let mut warnings = Vec::new();
        match change {
            AccountChange::Create { users, if_not_exists, options } => {
                author.need(Privileges::CREATE_USER)?;
                warnings = after.create(users, *if_not_exists, *options, author)?;
            }
            AccountChange::Alter { users, if_exists, options } => {
                warnings = after.alter(users, *if_exists, *options, author)?;
            }
            AccountChange::Drop { users, if_exists } => {
                author.need(Privileges::CREATE_USER)?;
                warnings = after.drop_all(users, *if_exists, author)?;
            }
            AccountChange::Rename(renames) => {
                author.need(Privileges::CREATE_USER)?;
                after.rename(renames, author)?;
            }
            AccountChange::SetPassword { user, password } => {
                let name = author.name(user);
                if name != *author.rights.account() {
                    author.need(Privileges::CREATE_USER)?;
                }
                let account = after.all.get_mut(&name).ok_or_else(Error::no_such_account)?;
                author.may_change_own(account, "SET PASSWORD")?;
                let identified = Identified::Password { plugin: None, password: password.clone() };
                author.identify(Arc::make_mut(account), &identified)?;
            }
            AccountChange::Grant { privileges, level, users, grant_option } => {
                let mut place = Place::new(level, *privileges, author)?;
                if *grant_option {
                    place.privileges |= Privileges::GRANT_OPTION;
                }
                place.check_author(author)?;
                for user in users {
                    let name = author.name(user);
                    let account = after.all.get_mut(&name).ok_or_else(Error::cannot_create_with_grant)?;
                    author.may_change(account, "GRANT")?;
                    place.grant(Arc::make_mut(account));
                }
            }
            AccountChange::Revoke { privileges, level, users, if_exists } => {
                let place = Place::new(level, *privileges, author)?;
                place.check_author(author)?;
                for user in users {
                    let name = author.name(user);
                    let revoked = match after.all.get_mut(&name) {
                        Some(account) => {
                            author.may_change(account, "REVOKE")?;
                            place.revoke(Arc::make_mut(account))
                        }
                        None => Err(Error::no_such_grant(&name.user, &name.host)),
                    };
                    match revoked {
                        Err(error) if *if_exists => warnings.push(Warning::of(error)),
                        other => other?,
                    }
                }
            }
            AccountChange::RevokeAll { users, if_exists } => {
                author.need(Privileges::CREATE_USER)?;
                for user in users {
                    match after.all.get_mut(&author.name(user)) {
                        Some(account) => {
                            author.may_change(account, "REVOKE")?;
                            let account = Arc::make_mut(account);
                            account.global = Privileges::NONE;
                            account.databases.clear();
                            account.tables.clear();
                        }
                        None if *if_exists => warnings.push(Warning::of(Error::cannot_revoke_all())),
                        None => return Err(Error::cannot_revoke_all()),
                    }
                }
            }
        }
        Ok((after, warnings))
    }

    fn create(
        &mut self,
        users: &[UserSpecification],
        if_not_exists: bool,
        options: AccountOptions,
        author: &Author<'_>,
    ) -> Result<Vec<Warning>, Error> {
        let (mut there, mut warnings) = (Vec::new(), Vec::new());
        for UserSpecification { user, identified } in users {
            let name = author.name(user);
            check_lengths(&name)?;
            if self.all.contains_key(&name) || author.fixed == Some(&name) {
                match if_not_exists {
                    true => warnings.push(Warning::note(Error::account_exists(&name))),
                    false => there.push(name),
                }
                continue;
            }
            let mut account = Account::new(name.clone(), DEFAULT_PLUGIN, Secret::default());
            if let Some(identified) = identified {
                author.identify(&mut account, identified)?;
            }
            options.apply(&mut account);
            self.all.insert(name, Arc::new(account));
        }
        failed("CREATE USER", &there)?;
        Ok(warnings)
    }

    fn alter(
        &mut self,
        users: &[UserSpecification],
        if_exists: bool,
        options: AccountOptions,
        author: &Author<'_>,
    ) -> Result<Vec<Warning>, Error> {
        let (mut missing, mut warnings) = (Vec::new(), Vec::new());
        for UserSpecification { user, identified } in users {
            let name = author.name(user);
            // One's own password is one's own affair, one's lock is not.
            if name != *author.rights.account() || options != AccountOptions::default() {
                author.need(Privileges::CREATE_USER)?;
            }
            let Some(account) = self.all.get_mut(&name) else {
                if author.fixed == Some(&name) {
                    author.may_change(&Account::new(name, "", Secret::default()), "ALTER USER")?;
                } else if if_exists {
                    warnings.push(Warning::note(Error::account_missing(&name)));
                } else {
                    missing.push(name);
                }
                continue;
            };
            author.may_change_own(account, "ALTER USER")?;
            let account = Arc::make_mut(account);
            if let Some(identified) = identified {
                author.identify(account, identified)?;
            }
            options.apply(account);
        }
        failed("ALTER USER", &missing)?;
        Ok(warnings)
    }

    fn drop_all(
        &mut self,
        users: &[UserReference],
        if_exists: bool,
        author: &Author<'_>,
    ) -> Result<Vec<Warning>, Error> {
        let (mut missing, mut warnings) = (Vec::new(), Vec::new());
        for user in users {
            let name = author.name(user);
            match self.all.get(&name) {
                Some(account) => {
                    author.may_change(account, "DROP USER")?;
                    self.all.remove(&name);
                }
                None if if_exists => warnings.push(Warning::note(Error::account_missing(&name))),
                None => missing.push(name),
            }
        }
        failed("DROP USER", &missing)?;
        Ok(warnings)
    }

    fn rename(&mut self, renames: &[(UserReference, UserReference)], author: &Author<'_>) -> Result<(), Error> {
        let mut wrong = Vec::new();
        for (from, to) in renames {
            let (from, to) = (author.name(from), author.name(to));
            check_lengths(&to)?;
            let taken = self.all.contains_key(&to) || author.fixed == Some(&to);
            let Some(account) = self.all.get(&from).filter(|_| !taken) else {
                wrong.push(from);
                continue;
            };
            author.may_change(account, "RENAME USER")?;
            let renamed = Account { name: to.clone(), ..(**account).clone() };
            self.all.remove(&from);
            self.all.insert(to, Arc::new(renamed));
        }
        failed("RENAME USER", &wrong)
    }
}

/// Privileges at a place, which has them.
struct Place {
    at: At,
    privileges: Privileges,
}

enum At {
    Global,
    /// A pattern.
    Database(String),
    Table(DatabaseName, String),
}

impl Place {
    /// # Errors
    /// 1046; 1221 and 1144 for privileges that the level does not have; 1146 for a table that is not there, unless it may
    /// be created.
    fn new(level: &GrantLevel, given: GivenPrivileges, author: &Author<'_>) -> Result<Place, Error> {
        let current = |named: &Option<String>| {
            let found = named.clone().or_else(|| author.database.map(str::to_string));
            found.ok_or_else(Error::no_database)
        };
        let (at, all) = match level {
            GrantLevel::Global => (At::Global, Privileges::GLOBAL),
            GrantLevel::Database(named) => (At::Database(current(named)?), Privileges::OF_DATABASE),
            GrantLevel::Table(named, table) => {
                let database: DatabaseName = current(named)?.into();
                (At::Table(database, table.clone()), Privileges::OF_TABLE)
            }
        };
        let privileges = match given {
            GivenPrivileges::All => all,
            GivenPrivileges::These(these) => these,
        };
        if !(all | Privileges::GRANT_OPTION).contains(privileges) {
            return Err(match at {
                At::Table(..) => Error::illegal_grant(),
                At::Global | At::Database(_) => Error::wrong_usage("DB GRANT", "GLOBAL PRIVILEGES"),
            });
        }
        if let At::Table(database, table) = &at
            && !privileges.contains(Privileges::CREATE)
        {
            let found = author.catalog.database(database);
            let exists = found.is_some_and(|d| d.tables.contains_key(table) || d.views.contains_key(table));
            if !exists {
                return Err(Error::no_such_table(format!("{database}.{table}")));
            }
        }
        Ok(Place { at, privileges })
    }

    /// Whoever grants or revokes holds that, and may hand it on.
    fn check_author(&self, author: &Author<'_>) -> Result<(), Error> {
        let rights = author.rights;
        let held = match &self.at {
            At::Global => rights.global(),
            At::Database(pattern) => rights.on_pattern(pattern),
            At::Table(database, table) => rights.on_table(database, table),
        };
        if held.contains(self.privileges | Privileges::GRANT_OPTION) {
            return Ok(());
        }
        Err(match &self.at {
            At::Global => Error::access_denied(rights.account()),
            At::Database(database) => Error::database_denied(rights.account(), database),
            At::Table(_, table) => {
                let missing = (self.privileges | Privileges::GRANT_OPTION) - held;
                let command =
                    if missing.contains(Privileges::GRANT_OPTION) { "GRANT".to_string() } else { missing.list() };
                Error::table_denied(command, rights.account(), table)
            }
        })
    }

    fn grant(&self, account: &mut Account) {
        match &self.at {
            At::Global => account.global |= self.privileges,
            At::Database(pattern) => *account.databases.entry(pattern.clone()).or_default() |= self.privileges,
            At::Table(database, table) => {
                *account.tables.entry((database.clone(), table.clone())).or_default() |= self.privileges;
            }
        }
        account.forget_empty();
    }

    /// # Errors
    /// 1141, 1147 if nothing is granted there.
    fn revoke(&self, account: &mut Account) -> Result<(), Error> {
        let (user, host) = (account.name.user.clone(), account.name.host.clone());
        match &self.at {
            At::Global => account.global = account.global - self.privileges,
            At::Database(pattern) => match account.databases.get_mut(pattern) {
                Some(held) => *held = *held - self.privileges,
                None => return Err(Error::no_such_grant(user, host)),
            },
            At::Table(database, table) => match account.tables.get_mut(&(database.clone(), table.clone())) {
                Some(held) => *held = *held - self.privileges,
                None => return Err(Error::no_such_table_grant(user, host, table)),
            },
        }
        account.forget_empty();
        Ok(())
    }
}

impl Account {
    fn forget_empty(&mut self) {
        self.databases.retain(|_, held| !held.is_empty());
        self.tables.retain(|_, held| !held.is_empty());
    }
}
