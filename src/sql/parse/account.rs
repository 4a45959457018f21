//! Statements about accounts: CREATE, ALTER, DROP and RENAME USER, SET PASSWORD, GRANT, REVOKE.

use super::{Body, Reader};
use crate::sql::account::{
    AccountChange, AccountOptions, GivenPrivileges, GrantLevel, Identified, Privileges, Secret, UserReference,
    UserSpecification,
};
use crate::sql::error::Error;
use crate::sql::plan::{AccountStatement, Plan};
use crate::types::AccountName;
use sqlparser::tokenizer::Token;

/// What stands in a statement's text where a password or a hash was, when others are shown it.
const HIDDEN: &str = "<secret>";

/// What of CREATE and ALTER USER means what holds anyway; the longer ones first.
const DEFAULTS: &[&str] = &[
    "PASSWORD EXPIRE DEFAULT",
    "PASSWORD EXPIRE NEVER",
    "PASSWORD HISTORY DEFAULT",
    "PASSWORD REUSE INTERVAL DEFAULT",
    "PASSWORD REQUIRE CURRENT DEFAULT",
    "PASSWORD REQUIRE CURRENT OPTIONAL",
];

/// What else they may say and Marmot refuses.
const REFUSED_OPTIONS: &[&str] = &[
    "PASSWORD EXPIRE",
    "PASSWORD HISTORY",
    "PASSWORD REUSE INTERVAL",
    "PASSWORD REQUIRE CURRENT",
    "FAILED_LOGIN_ATTEMPTS",
    "PASSWORD_LOCK_TIME",
    "DEFAULT ROLE",
    "ATTRIBUTE",
    "COMMENT",
    "DISCARD OLD PASSWORD",
    "RETAIN CURRENT PASSWORD",
    "REPLACE",
    "INITIAL AUTHENTICATION",
    "ADD",
    "MODIFY",
];

/// What REQUIRE asks for beside TLS.
const REFUSED_REQUIREMENTS: &[&str] = &["X509", "CIPHER", "ISSUER", "SUBJECT"];

/// Names of privileges of several words come before those of their first word.
const PRIVILEGES: &[&str] = &[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "CREATE TEMPORARY TABLES",
    "CREATE VIEW",
    "CREATE ROUTINE",
    "CREATE USER",
    "CREATE TABLESPACE",
    "CREATE",
    "DROP",
    "RELOAD",
    "SHUTDOWN",
    "PROCESS",
    "FILE",
    "GRANT OPTION",
    "REFERENCES",
    "INDEX",
    "ALTER ROUTINE",
    "ALTER",
    "SHOW DATABASES",
    "SHOW VIEW",
    "SUPER",
    "LOCK TABLES",
    "EXECUTE",
    "REPLICATION SLAVE",
    "REPLICATION CLIENT",
    "EVENT",
    "TRIGGER",
];

/// The privileges of one GRANT or REVOKE as written.
struct Written {
    given: GivenPrivileges,
    /// Names that are no privileges here: of dynamic ones, or of roles.
    unknown: Vec<String>,
    /// ALL and GRANT OPTION both.
    and_grant_option: bool,
}

impl Reader<'_> {
    /// A statement about accounts, whose secrets are the tokens of these numbers.
    fn account_statement(&self, change: AccountChange, secrets: &[usize]) -> Body {
        let (mut shown, mut at) = (String::new(), 0);
        let text = &self.tokens.text;
        for (from, to) in secrets.iter().filter_map(|token| self.tokens.ranges.get(*token)) {
            shown.push_str(&text[at..*from]);
            shown.push_str(HIDDEN);
            at = *to;
        }
        shown.push_str(&text[at..]);
        let shown = shown.trim().into();
        Body::Ready(Plan::Account(Box::new(AccountStatement { change, shown })))
    }

    /// `'user'@'host'`, CURRENT_USER.
    pub(super) fn user_reference(&mut self) -> Result<UserReference, Error> {
        for current in ["CURRENT_USER", "USER", "SESSION_USER", "SYSTEM_USER"] {
            let called = matches!(self.tokens.tokens.get(self.position() + 1).map(|t| &t.token), Some(Token::LParen));
            if self.looks_at(current) && (called || current == "CURRENT_USER") {
                self.skip();
                if self.take(&Token::LParen) {
                    self.need(&Token::RParen)?;
                }
                return Ok(UserReference::Current);
            }
        }
        let user = self.name_or_text()?;
        let host = self.user_variable().unwrap_or_else(|| "%".to_string());
        Ok(UserReference::Named(AccountName::new(user, host)))
    }

    /// A string that nobody else is to see.
    fn secret(&mut self, secrets: &mut Vec<usize>) -> Result<Secret, Error> {
        secrets.push(self.position());
        self.text().map(Secret::new)
    }

    fn identified(&mut self, secrets: &mut Vec<usize>) -> Result<Option<Identified>, Error> {
        if !self.accept("IDENTIFIED") {
            return Ok(None);
        }
        let plugin = match self.accept("WITH") || self.accept("VIA") {
            true => Some(self.name_or_text()?.to_lowercase()),
            false => None,
        };
        if self.accept("BY") {
            if self.looks_at("RANDOM PASSWORD") {
                return Err(Error::unsupported("IDENTIFIED BY RANDOM PASSWORD"));
            }
            if plugin.is_none() && self.accept("PASSWORD") {
                let hash = self.secret(secrets)?;
                return Ok(Some(Identified::Hash { plugin: "mysql_native_password".to_string(), hash }));
            }
            let password = self.secret(secrets)?;
            return Ok(Some(Identified::Password { plugin, password }));
        }
        let Some(plugin) = plugin else { return self.unexpected() };
        if self.accept("AS") || self.accept("USING") {
            if self.accept("PASSWORD") {
                self.need(&Token::LParen)?;
                let password = self.secret(secrets)?;
                self.need(&Token::RParen)?;
                return Ok(Some(Identified::Password { plugin: Some(plugin), password }));
            }
            let hash = self.secret(secrets)?;
            return Ok(Some(Identified::Hash { plugin, hash }));
        }
        Ok(Some(Identified::Nothing { plugin }))
    }

    fn specifications(&mut self, secrets: &mut Vec<usize>) -> Result<Vec<UserSpecification>, Error> {
        self.list(|r| {
            let user = r.user_reference()?;
            let identified = r.identified(secrets)?;
            if r.looks_at("AND IDENTIFIED") {
                return Err(Error::unsupported("more than one authentication factor"));
            }
            Ok(UserSpecification { user, identified })
        })
    }

    fn account_options(&mut self) -> Result<AccountOptions, Error> {
        let mut options = AccountOptions::default();
        while !self.at_end() {
            if self.accept("REQUIRE") {
                if let Some(what) = REFUSED_REQUIREMENTS.iter().find(|what| self.looks_at(what)) {
                    return Err(Error::unsupported(format!("REQUIRE {what}")));
                }
                options.require_tls = match self.accept_any(&["SSL", "NONE"]) {
                    Some(word) => Some(word == "SSL"),
                    None => return self.unexpected(),
                };
            } else if let Some(words) = self.accept_any(&["ACCOUNT LOCK", "ACCOUNT UNLOCK"]) {
                options.locked = Some(words == "ACCOUNT LOCK");
            } else if self.accept("WITH") {
                return Err(Error::unsupported(format!("the resource limit {}", self.peek())));
            } else if self.accept_any(DEFAULTS).is_none() {
                return match REFUSED_OPTIONS.iter().find(|words| self.looks_at(words)) {
                    Some(words) => Err(Error::unsupported(format!("{words} of an account"))),
                    None => self.unexpected(),
                };
            }
        }
        Ok(options)
    }

    /// CREATE USER, after these words.
    pub(super) fn create_user(&mut self) -> Result<Body, Error> {
        let if_not_exists = self.accept("IF NOT EXISTS");
        let mut secrets = Vec::new();
        let users = self.specifications(&mut secrets)?;
        let options = self.account_options()?;
        Ok(self.account_statement(AccountChange::Create { users, if_not_exists, options }, &secrets))
    }

    /// ALTER USER, after these words.
    pub(super) fn alter_user(&mut self) -> Result<Body, Error> {
        let if_exists = self.accept("IF EXISTS");
        let mut secrets = Vec::new();
        let users = self.specifications(&mut secrets)?;
        let options = self.account_options()?;
        Ok(self.account_statement(AccountChange::Alter { users, if_exists, options }, &secrets))
    }

    /// DROP USER, after these words.
    pub(super) fn drop_user(&mut self) -> Result<Body, Error> {
        let if_exists = self.accept("IF EXISTS");
        let users = self.list(Reader::user_reference)?;
        Ok(self.account_statement(AccountChange::Drop { users, if_exists }, &[]))
    }

    /// RENAME USER, after these words.
    pub(super) fn rename_user(&mut self) -> Result<Body, Error> {
        let renames = self.list(|r| {
            let from = r.user_reference()?;
            r.expect("TO")?;
            Ok((from, r.user_reference()?))
        })?;
        Ok(self.account_statement(AccountChange::Rename(renames), &[]))
    }

    /// SET PASSWORD, after these words.
    pub(super) fn set_password(&mut self) -> Result<Body, Error> {
        let user = if self.accept("FOR") { self.user_reference()? } else { UserReference::Current };
        if self.looks_at("TO RANDOM") {
            return Err(Error::unsupported("SET PASSWORD TO RANDOM"));
        }
        self.need(&Token::Eq)?;
        let mut secrets = Vec::new();
        let hashed = self.accept("PASSWORD");
        if hashed {
            self.need(&Token::LParen)?;
        }
        let password = self.secret(&mut secrets)?;
        if hashed {
            self.need(&Token::RParen)?;
        }
        if let Some(words) = REFUSED_OPTIONS.iter().find(|words| self.looks_at(words)) {
            return Err(Error::unsupported(format!("{words} of an account")));
        }
        Ok(self.account_statement(AccountChange::SetPassword { user, password }, &secrets))
    }

    fn privileges(&mut self) -> Result<Written, Error> {
        let mut written =
            Written { given: GivenPrivileges::These(Privileges::NONE), unknown: Vec::new(), and_grant_option: false };
        let mut these = Privileges::NONE;
        if self.accept("ALL") {
            self.accept("PRIVILEGES");
            written.given = GivenPrivileges::All;
            if self.take(&Token::Comma) {
                self.expect("GRANT OPTION")?;
                written.and_grant_option = true;
            }
            return Ok(written);
        }
        self.list(|r| {
            if r.accept("USAGE") {
                return Ok(());
            }
            let of_roles = r.looks_at("CREATE ROLE") || r.looks_at("DROP ROLE");
            match if of_roles { None } else { r.accept_any(PRIVILEGES) } {
                Some(name) => these |= Privileges::named(name).unwrap_or_default(),
                None if r.looks_at("ON") => return r.unexpected(),
                None => {
                    let mut name = r.name_or_text()?;
                    // CREATE ROLE and the like.
                    while !r.looks_at("ON") && matches!(r.peek(), Token::Word(w) if w.quote_style.is_none()) {
                        if ["TO", "FROM"].iter().any(|word| r.looks_at(word)) {
                            break;
                        }
                        name = format!("{name} {}", r.name_or_text()?);
                    }
                    r.user_variable();
                    written.unknown.push(name);
                }
            }
            if *r.peek() == Token::LParen {
                return Err(Error::unsupported("privileges on columns"));
            }
            Ok(())
        })?;
        written.given = GivenPrivileges::These(these);
        Ok(written)
    }

    /// `ON level`; refuses what has other privileges than tables have.
    fn grant_level(&mut self, written: &Written) -> Result<GrantLevel, Error> {
        if !self.accept("ON") {
            return if written.unknown.is_empty() { self.unexpected() } else { Err(Error::unsupported("roles")) };
        }
        if let Some(name) = written.unknown.first() {
            return Err(Error::unsupported(format!("the privilege {name}")));
        }
        if self.looks_at("FUNCTION") || self.looks_at("PROCEDURE") {
            return Err(Error::unsupported("privileges on single routines"));
        }
        self.accept("TABLE");
        if self.take(&Token::Mul) {
            return match self.take(&Token::Period) {
                true => self.need(&Token::Mul).map(|()| GrantLevel::Global),
                false => Ok(GrantLevel::Database(None)),
            };
        }
        let first = self.name()?;
        if !self.take(&Token::Period) {
            return Ok(GrantLevel::Table(None, first));
        }
        if self.take(&Token::Mul) {
            return Ok(GrantLevel::Database(Some(first)));
        }
        Ok(GrantLevel::Table(Some(first), self.name()?))
    }

    /// GRANT.
    pub(super) fn grant(&mut self) -> Result<Body, Error> {
        self.skip();
        if self.looks_at("PROXY") {
            return Err(Error::unsupported("GRANT PROXY"));
        }
        let written = self.privileges()?;
        let level = self.grant_level(&written)?;
        self.expect("TO")?;
        let users = self.list(Reader::user_reference)?;
        let mut grant_option = false;
        if self.accept("WITH") {
            if !self.accept("GRANT OPTION") {
                return Err(Error::unsupported(format!("the resource limit {}", self.peek())));
            }
            grant_option = true;
        }
        if self.looks_at("AS") {
            return Err(Error::unsupported("GRANT ... AS user"));
        }
        let change = AccountChange::Grant { privileges: written.given, level, users, grant_option };
        Ok(self.account_statement(change, &[]))
    }

    /// REVOKE.
    pub(super) fn revoke(&mut self) -> Result<Body, Error> {
        self.skip();
        let if_exists = self.accept("IF EXISTS");
        if self.looks_at("PROXY") {
            return Err(Error::unsupported("REVOKE PROXY"));
        }
        let written = self.privileges()?;
        if written.and_grant_option {
            self.expect("FROM")?;
            let users = self.list(Reader::user_reference)?;
            let if_exists = self.accept("IGNORE UNKNOWN USER") || if_exists;
            return Ok(self.account_statement(AccountChange::RevokeAll { users, if_exists }, &[]));
        }
        let level = self.grant_level(&written)?;
        self.expect("FROM")?;
        let users = self.list(Reader::user_reference)?;
        let if_exists = self.accept("IGNORE UNKNOWN USER") || if_exists;
        let change = AccountChange::Revoke { privileges: written.given, level, users, if_exists };
        Ok(self.account_statement(change, &[]))
    }
}
