//! The name of an account.

use serde::{Deserialize, Serialize};
use std::fmt;

/// `'user'@'host'`: who logs in, and from where. Both compare by their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountName {
    /// Empty: anybody (an anonymous account).
    pub user: String,
    /// An address, a name, or a pattern; in lower case.
    pub host: String,
}

impl AccountName {
    pub fn new(user: impl Into<String>, host: impl Into<String>) -> AccountName {
        AccountName { user: user.into(), host: host.into() }
    }

    /// `user@host`, as CURRENT_USER() and a definer have it.
    pub fn plain(&self) -> String {
        format!("{}@{}", self.user, self.host)
    }

    /// The account of such a text; without `@` it is of any host.
    pub fn parse_plain(text: &str) -> AccountName {
        let (user, host) = text.rsplit_once('@').unwrap_or((text, "%"));
        AccountName::new(user, host)
    }
}

/// As messages name it.
impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'@'{}'", self.user, self.host)
    }
}
