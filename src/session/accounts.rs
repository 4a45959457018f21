//! Accounts in a session: what the one that logged in may, and statements that change them.
//!
//! Rights are looked up again when the schema changed, of which accounts are a part, so that a change holds for the next
//! statement on every node that has it.

use super::execute::Failure;
use super::schema::Schema;
use super::session::Session;
use super::temporary::Temporary;
use crate::mysql::{self, Authenticator, Credential, Identity, Known, Plugin, ResultWriter, SqlError};
use crate::sql::{
    ACCOUNTS_DATABASE, Account, AccountChange, Accounts, Author, Catalog, ColumnType, Database, FIRST_DEFINER, Guard,
    Needs, Privileges, ResultColumn, ResultType, Rights, Secret, UserReference,
};
use crate::sqlite::{Definitions, FileChange, SchemaStep};
use crate::types::{AccountName, DatabaseName, TxnId, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The account of a node's configuration. With a password it exists on this node always, and no statement changes it.
/// Without one it is what a cluster begins with: it exists until the first statement about accounts, which makes it one like
/// all others.
#[derive(Clone, Debug)]
pub struct ConfiguredAccount {
    account: Account,
    credential: Credential,
}

impl ConfiguredAccount {
    /// An account that may do everything. `host` is where it may come from.
    pub fn new(user: &str, host: &str, password: &str) -> ConfiguredAccount {
        let plugin = Plugin::CachingSha2;
        let hash = Secret::new(Credential::hash_for(plugin, password));
        let account = Account::all_powerful(AccountName::new(user, host), plugin.name(), hash);
        ConfiguredAccount { account, credential: Credential::password(password) }
    }

    fn has_password(&self) -> bool {
        !self.account.hash.expose().is_empty()
    }

    /// Its name, if no statement may change it.
    fn fixed(&self) -> Option<&AccountName> {
        self.has_password().then_some(&self.account.name)
    }

    /// The accounts that a cluster has whose accounts nobody changed yet.
    fn initial(&self) -> Accounts {
        if self.has_password() { Accounts::default() } else { Accounts::default().with(self.account.clone()) }
    }

    /// All accounts of this node.
    pub(super) fn beside(&self, replicated: Option<&Accounts>) -> Accounts {
        let accounts = replicated.cloned().unwrap_or_else(|| self.initial());
        if self.has_password() { accounts.with(self.account.clone()) } else { accounts }
    }
}

impl Authenticator for super::Server {
    fn known(&self, user: &str, host: &str) -> Option<Known> {
        let schema = self.schema().ok()?;
        let account = schema.accounts.of(user, host)?;
        let credential = match self.configured.fixed() == Some(&account.name) {
            true => self.configured.credential.clone(),
            false => Credential::of_hash(Plugin::find(&account.plugin)?, account.hash.expose())?,
        };
        Some(Known {
            account: account.name.clone(),
            credential,
            require_tls: account.require_tls,
            locked: account.locked,
        })
    }
}

impl super::Server {
    /// An account that anybody on this machine may use, for it may do everything and has no password; `None`: there is none.
    pub fn open_account(&self) -> Option<AccountName> {
        let schema = self.schema().ok()?;
        let open = |a: &&Arc<Account>| a.hash.expose().is_empty() && !a.locked && a.global.contains(Privileges::SUPER);
        schema.accounts.iter().find(open).map(|a| a.name.clone())
    }
}

/// What a session knows of its account.
pub(super) struct Security {
    identity: Identity,
    /// The schema generation that all of this is of.
    generation: Option<u64>,
    accounts: Arc<Accounts>,
    rights: Arc<Rights>,
    /// Of those with whose rights programs run, by name.
    definers: BTreeMap<AccountName, Arc<Rights>>,
    /// The catalog of that generation as far as it may be listed.
    seen: Option<(AccountName, Arc<Catalog>)>,
}

impl Default for Security {
    fn default() -> Self {
        let nobody = AccountName::default();
        Security {
            identity: Identity::Account(nobody.clone()),
            generation: None,
            accounts: Arc::default(),
            rights: Arc::new(Rights::none(nobody)),
            definers: BTreeMap::new(),
            seen: None,
        }
    }
}

/// Holds needs against rights.
pub(super) struct Permit {
    pub rights: Arc<Rights>,
    accounts: Arc<Accounts>,
}

impl Guard for Permit {
    fn check(&self, needs: &Needs) -> Result<(), crate::sql::Error> {
        if !self.rights.is_everything() {
            needs.own.iter().try_for_each(|need| self.rights.check(need))?;
        }
        for (definer, need) in &needs.of_definers {
            self.accounts.rights_of_definer(definer)?.check(need)?;
        }
        Ok(())
    }
}

impl Session {
    /// Takes the identity of a client that logged in.
    pub(super) fn identify(&mut self, identity: &Identity) {
        self.state.account = match identity {
            Identity::Account(name) => name.clone(),
            Identity::Node => AccountName::parse_plain(FIRST_DEFINER),
        };
        self.state.acting.clear();
        self.security = Security { identity: identity.clone(), ..Security::default() };
    }

    /// Whether the account that logged in has SUPER, as last looked up.
    pub(super) fn has_super(&self) -> bool {
        self.security.rights.global().contains(Privileges::SUPER)
    }

    /// Looks the rights up again if anything changed.
    pub(super) fn refresh_rights(&mut self) -> Result<(), SqlError> {
        if self.security.generation == Some(self.server.generation()) {
            return Ok(());
        }
        let schema = self.server.schema()?;
        let security = &mut self.security;
        if !Arc::ptr_eq(&security.accounts, &schema.accounts) || security.generation.is_none() {
            security.accounts = schema.accounts.clone();
            security.rights = Arc::new(match &security.identity {
                Identity::Node => Rights::everything(self.state.account.clone()),
                Identity::Account(name) => schema.accounts.rights(name),
            });
            security.definers.clear();
        }
        security.seen = None;
        security.generation = Some(schema.generation);
        Ok(())
    }

    /// What whoever runs statements now may: the account that logged in, or that of the program that runs.
    pub(super) fn permits(&mut self) -> Result<Permit, SqlError> {
        self.refresh_rights()?;
        let security = &mut self.security;
        let rights = match self.state.acting.last() {
            Some(acting) if *acting != self.state.account => match security.definers.get(acting) {
                Some(known) => known.clone(),
                None => {
                    let rights = Arc::new(security.accounts.rights_of_definer(&acting.plain())?);
                    security.definers.insert(acting.clone(), rights.clone());
                    rights
                }
            },
            _ => security.rights.clone(),
        };
        Ok(Permit { rights, accounts: security.accounts.clone() })
    }

    /// # Errors
    /// MySQL's for the first privilege that is missing.
    pub(super) fn permit(&mut self, needs: &Needs) -> Result<(), SqlError> {
        if needs.is_empty() {
            return Ok(());
        }
        Ok(self.permits()?.check(needs)?)
    }

    /// What of the schema may be listed; `None`: all.
    pub(super) fn seen(&mut self, schema: &Schema, permit: &Permit) -> Option<Arc<Catalog>> {
        if permit.rights.is_everything() {
            return None;
        }
        let account = permit.rights.account();
        let known = self.security.seen.as_ref().filter(|(of, _)| of == account);
        if let (Some((_, seen)), Some(generation)) = (known, self.security.generation)
            && generation == schema.generation
        {
            return Some(seen.clone());
        }
        let seen = Arc::new(permit.rights.visible(&schema.catalog));
        if self.security.generation == Some(schema.generation) {
            self.security.seen = Some((account.clone(), seen.clone()));
        }
        Some(seen)
    }

    /// As [`Session::seen`], with the session's temporary tables.
    pub(super) fn seen_with(&mut self, schema: &Schema, permit: &Permit) -> Option<Arc<Catalog>> {
        let seen = self.seen(schema, permit)?;
        let own: &Temporary = &self.temporary;
        Some(if own.is_empty() { seen } else { Arc::new(own.catalog(&seen)) })
    }

    /// Whether a database may be entered.
    ///
    /// # Errors
    /// 1044.
    pub(super) fn permit_database(&mut self, name: &str) -> Result<(), SqlError> {
        let permit = self.permits()?;
        if permit.rights.is_everything() || permit.rights.enters_database(name) {
            return Ok(());
        }
        Err(crate::sql::Error::database_denied(permit.rights.account(), name).into())
    }

    /// A statement that changes accounts. It commits the open transaction first.
    pub(super) async fn change_accounts(&mut self, change: &AccountChange) -> Result<(), SqlError> {
        let database: DatabaseName = ACCOUNTS_DATABASE.into();
        let plan = |session: &mut Session, txn| session.plan_account_change(change, txn);
        self.commit_schema(&[database], plan).await.map(drop)
    }

    /// The accounts after the change, under the lock of the schema that they are. `None`: nothing changes.
    fn plan_account_change(&mut self, change: &AccountChange, _: TxnId) -> Result<Option<SchemaStep>, SqlError> {
        let schema = self.server.schema()?;
        let rights = self.permits()?.rights;
        let configured = &self.server.configured;
        let before = schema.replicated.clone().unwrap_or_else(|| configured.initial());
        let author = Author {
            rights: &rights,
            database: self.state.database.as_deref(),
            catalog: &schema.catalog,
            fixed: configured.fixed(),
            hash: &|plugin, password| Plugin::find(plugin).map(|plugin| Credential::hash_for(plugin, password)),
            is_hash: &|plugin, hash| Plugin::find(plugin).is_some_and(|p| Credential::of_hash(p, hash).is_some()),
        };
        let (after, warnings) = before.apply(change, &author)?;
        self.push_warnings(&warnings);
        if after == before {
            return Ok(None);
        }
        let previous = schema.version(ACCOUNTS_DATABASE).unwrap_or(0);
        let version = (previous + 1).max(self.server.clock.now().wall.0 << 16);
        let database = Database { accounts: after, ..Database::new(ACCOUNTS_DATABASE, Default::default(), version) };
        let definition = postcard::to_stdvec(&database)
            .map_err(|e| SqlError::internal(format!("the accounts cannot be encoded: {e}")))?;
        Ok(Some(SchemaStep {
            file: FileChange::Create,
            version,
            statements: Vec::new(),
            definitions: Definitions::Whole { definition, tables: Vec::new() },
        }))
    }

    /// An account that a statement asks about.
    ///
    /// # Errors
    /// 1044 for another's, unless `mysql` may be read.
    fn account_asked_for(&mut self, user: &UserReference) -> Result<(AccountName, Option<Arc<Account>>), SqlError> {
        let permit = self.permits()?;
        let name = match user {
            UserReference::Current => self.state.current_account().clone(),
            UserReference::Named(name) => name.clone(),
        };
        let own = name == *self.state.current_account();
        if !own && !permit.rights.on_database("mysql").contains(Privileges::SELECT) {
            return Err(crate::sql::Error::database_denied(permit.rights.account(), "mysql").into());
        }
        let account = permit.accounts.get(&name).cloned();
        Ok((name, account))
    }

    /// SHOW GRANTS.
    pub(super) async fn show_grants(
        &mut self,
        user: &UserReference,
        out: &mut ResultWriter<'_>,
    ) -> Result<(), Failure> {
        let (name, account) = self.account_asked_for(user)?;
        let missing = || SqlError::from(crate::sql::Error::no_such_grant(&name.user, &name.host));
        let grants = account.ok_or_else(missing)?.grants();
        let rows: Vec<Vec<Value>> = grants.into_iter().map(|grant| vec![Value::text(grant)]).collect();
        Ok(self.literal_rows(&[text_column(format!("Grants for {}", name.plain()))], &rows, out).await?)
    }

    /// SHOW CREATE USER.
    pub(super) async fn show_create_user(
        &mut self,
        user: &UserReference,
        out: &mut ResultWriter<'_>,
    ) -> Result<(), Failure> {
        let (name, account) = self.account_asked_for(user)?;
        let missing = || crate::sql::Error::account_operation_failed("SHOW CREATE USER", &name);
        let account = account.ok_or_else(|| SqlError::from(missing()))?;
        let shown = match self.server.configured.fixed() == Some(&name) {
            // Its password is the configuration's business.
            true => Account { hash: Secret::default(), ..(*account).clone() }.create_statement(),
            false => account.create_statement(),
        };
        let column = text_column(format!("CREATE USER for {}", name.plain()));
        Ok(self.literal_rows(&[column], &[vec![Value::text(shown)]], out).await?)
    }

    /// KILL: one's own connections, or with SUPER any.
    ///
    /// # Errors
    /// 1094 for a connection that is not there, 1095 for another's.
    pub(super) fn permit_kill(&mut self, connection: u64) -> Result<(), SqlError> {
        let permit = self.permits()?;
        let found = self.server.registry.list().into_iter().find(|c| c.id == connection);
        let found = found.ok_or_else(|| mysql::NO_SUCH_THREAD.with(&[&connection]))?;
        if permit.rights.global().contains(Privileges::SUPER) || found.activity().user == self.state.user {
            return Ok(());
        }
        Err(SqlError::new(1095, format!("You are not owner of thread {connection}")))
    }

    /// Who others see that this node's configuration names; `None`: no account is fixed.
    pub(super) fn fixed_account(&self) -> Option<&AccountName> {
        self.server.configured.fixed()
    }
}

fn text_column(name: String) -> ResultColumn {
    ResultColumn { name: name.into(), ty: ResultType::Known(ColumnType::varchar(4096)), nullable: true, origin: None }
}
