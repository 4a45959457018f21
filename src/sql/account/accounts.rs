//! All accounts.

use super::change::Secret;
use super::host;
use super::privilege::Privileges;
use super::rights::Rights;
use crate::sql::catalog::FIRST_DEFINER;
use crate::sql::error::Error;
use crate::types::{AccountName, DatabaseName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The database whose definition holds the accounts. Users can neither make nor name one that begins so.
pub const ACCOUNTS_DATABASE: &str = "__marmot_accounts";

/// One account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub name: AccountName,
    /// How it proves who it is: `caching_sha2_password` or `mysql_native_password`.
    pub plugin: String,
    /// The hash that the plugin needs, as `mysql.user` has it; empty: no password.
    pub hash: Secret,
    pub locked: bool,
    /// Over TLS or the Unix socket only.
    pub require_tls: bool,
    /// On `*.*`, GRANT OPTION among them.
    pub global: Privileges,
    /// By the pattern that names the databases.
    pub databases: BTreeMap<String, Privileges>,
    pub tables: BTreeMap<(DatabaseName, String), Privileges>,
}

impl Account {
    /// An account that may do nothing yet.
    pub fn new(name: AccountName, plugin: impl Into<String>, hash: Secret) -> Account {
        Account {
            name,
            plugin: plugin.into(),
            hash,
            locked: false,
            require_tls: false,
            global: Privileges::NONE,
            databases: BTreeMap::new(),
            tables: BTreeMap::new(),
        }
    }

    /// An account that may do everything.
    pub fn all_powerful(name: AccountName, plugin: impl Into<String>, hash: Secret) -> Account {
        Account { global: Privileges::EVERYTHING, ..Account::new(name, plugin, hash) }
    }
}

/// The accounts there are, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    pub(super) all: BTreeMap<AccountName, Arc<Account>>,
}

impl Accounts {
    /// Ascending by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.all.values()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The account of exactly this name.
    pub fn get(&self, name: &AccountName) -> Option<&Arc<Account>> {
        self.all.get(name)
    }

    /// These accounts and one more, which takes the place of another of its name.
    pub fn with(mut self, account: Account) -> Accounts {
        self.all.insert(account.name.clone(), Arc::new(account));
        self
    }

    /// The account of a user that comes from `peer`, an address or `localhost`: of all that fit the one whose host says
    /// most, and among those the named before the anonymous.
    pub fn of(&self, user: &str, peer: &str) -> Option<&Arc<Account>> {
        let fits =
            |a: &&Arc<Account>| (a.name.user == user || a.name.user.is_empty()) && host::matches(&a.name.host, peer);
        let key = |a: &&Arc<Account>| (host::rank(&a.name.host), a.name.user.is_empty());
        self.all.values().filter(fits).min_by(|a, b| key(a).cmp(&key(b)))
    }

    /// What an account may; nothing if there is none of that name.
    pub fn rights(&self, name: &AccountName) -> Rights {
        match self.get(name) {
            Some(account) => Rights::of(account),
            None => Rights::none(name.clone()),
        }
    }

    /// What whoever made a view or program may; `definer` is `user@host`.
    ///
    /// # Errors
    /// 1449 if there is no such account.
    pub fn rights_of_definer(&self, definer: &str) -> Result<Rights, Error> {
        let name = AccountName::parse_plain(definer);
        match self.get(&name) {
            // What was made before there were accounts says so; today only those can who may do everything.
            None if definer == FIRST_DEFINER => Ok(Rights::everything(name)),
            None => Err(Error::definer_missing(name)),
            Some(account) => Ok(Rights::of(account)),
        }
    }

    /// Whether nobody has rights on single databases or tables.
    pub fn is_global_only(&self) -> bool {
        self.all.values().all(|a| a.databases.is_empty() && a.tables.is_empty())
    }
}
