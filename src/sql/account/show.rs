//! Accounts as statements (manual, "SHOW GRANTS Statement", "SHOW CREATE USER Statement").

use super::accounts::Account;
use super::privilege::Privileges;
use crate::sql::translate::{backquoted, quoted};

impl Account {
    /// `` `user`@`host` ``.
    fn quoted_name(&self) -> String {
        format!("{}@{}", backquoted(&self.name.user), backquoted(&self.name.host))
    }

    /// The statements that grant it what it holds.
    pub fn grants(&self) -> Vec<String> {
        let name = self.quoted_name();
        let grant = |held: Privileges, all: Privileges, place: &str| {
            let privileges = held - Privileges::GRANT_OPTION;
            let list = match privileges {
                Privileges::NONE => "USAGE".to_string(),
                // On *.* MySQL lists them.
                some if some == all => "ALL PRIVILEGES".to_string(),
                some => some.list(),
            };
            let option = if held.contains(Privileges::GRANT_OPTION) { " WITH GRANT OPTION" } else { "" };
            format!("GRANT {list} ON {place} TO {name}{option}")
        };
        let mut grants = vec![grant(self.global, Privileges::NONE, "*.*")];
        for (database, held) in &self.databases {
            grants.push(grant(*held, Privileges::OF_DATABASE, &format!("{}.*", backquoted(database))));
        }
        for ((database, table), held) in &self.tables {
            let place = format!("{}.{}", backquoted(database), backquoted(table));
            grants.push(grant(*held, Privileges::OF_TABLE, &place));
        }
        grants
    }

    /// The statement that makes it.
    pub fn create_statement(&self) -> String {
        let hash = self.hash.expose();
        let proof = if hash.is_empty() { String::new() } else { format!(" AS {}", quoted(hash)) };
        format!(
            "CREATE USER {} IDENTIFIED WITH '{}'{proof} REQUIRE {} PASSWORD EXPIRE DEFAULT ACCOUNT {} \
             PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT PASSWORD REQUIRE CURRENT DEFAULT",
            self.quoted_name(),
            self.plugin,
            if self.require_tls { "SSL" } else { "NONE" },
            if self.locked { "LOCK" } else { "UNLOCK" },
        )
    }
}
