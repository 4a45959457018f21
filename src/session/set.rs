//! SET: system variables, user variables, character sets and transaction characteristics.

use super::execute::{Failure, Run};
use super::session::Session;
use super::state::which;
use super::variables::{VariableError, Which, charset};
use crate::mysql::{ResultWriter, SqlError};
use crate::sql::{Assignment, SetTarget, SetValue, VariableScope};
use crate::types::Value;

impl Session {
    /// All assignments of one SET; if one is refused, the session's variables are as before. (Global values that were
    /// set by the same statement stay, as in MySQL.)
    pub(super) async fn set(&mut self, run: Run<'_>, assignments: &[Assignment]) -> Result<(), Failure> {
        let before = (self.state.variables.clone(), self.state.user_variables.clone(), self.once);
        let autocommit = self.state.settings.autocommit;
        for assignment in assignments {
            if let Err(failure) = self.assign(run, assignment).await {
                (self.state.variables, self.state.user_variables, self.once) = before;
                self.state.refresh();
                return Err(failure);
            }
        }
        self.state.refresh();
        if !autocommit && self.state.settings.autocommit {
            // Switching autocommit on commits what is open.
            self.commit().await?;
        }
        Ok(())
    }

    /// One statement with other values of session variables, which have their own again after it.
    pub(super) async fn set_for_statement(
        &mut self,
        run: Run<'_>,
        assignments: &[Assignment],
        text: &str,
        out: &mut ResultWriter<'_>,
    ) -> Result<(), Failure> {
        let names = assignments.iter().filter_map(|a| match &a.target {
            SetTarget::System { name, .. } => Some(name.as_str()),
            _ => None,
        });
        let mut before = Vec::new();
        for name in names {
            let value = self.state.variables.get(name, Which::Session).map_err(SqlError::from)?;
            before.push((name, value));
        }
        self.set(run, assignments).await?;
        let outcome = match self.prepare_text(text).await {
            Ok(prepared) if prepared.is_indirect() => Err(crate::mysql::UNSUPPORTED_PS.with(&[]).into()),
            Ok(mut prepared) => self.execute_prepared(&mut prepared, &[], out).await,
            Err(error) => Err(error.into()),
        };
        for (name, value) in before {
            self.set_system(Which::Session, name, Some(&value))?;
        }
        outcome
    }

    async fn assign(&mut self, run: Run<'_>, assignment: &Assignment) -> Result<(), Failure> {
        let value = match &assignment.value {
            SetValue::Default => None,
            SetValue::Constant(value) => Some(value.clone()),
            SetValue::Query(read) => Some(self.scalar(run, read).await?),
        };
        match &assignment.target {
            SetTarget::User(name) => {
                self.state.user_variables.insert(name.clone(), value.unwrap_or_default());
            }
            SetTarget::System { scope, name } => self.set_system(which(*scope), name, value.as_ref())?,
            SetTarget::Names { collation } => self.set_names(value.as_ref(), collation.as_deref())?,
            SetTarget::CharacterSet => {
                self.set_names(value.as_ref(), None)?;
                let database = self.state.variables.own("collation_database").clone();
                self.state.variables.put("collation_connection", database);
            }
            SetTarget::Isolation(scope) => self.set_isolation(*scope, value.as_ref())?,
            SetTarget::ReadOnly(scope) => self.set_read_only(*scope, value.as_ref())?,
        }
        Ok(())
    }

    fn set_system(&mut self, which: Which, name: &str, value: Option<&Value>) -> Result<(), SqlError> {
        if name == "transaction_isolation" {
            check_isolation(value)?;
        }
        let note = self.state.variables.set(name, which, value)?;
        if let Some(note) = note {
            self.state.diagnostics.warning(1292, note);
        }
        if which == Which::Global {
            return Ok(());
        }
        match name {
            "last_insert_id" | "identity" => {
                if let Value::Int(id) = self.state.variables.own("last_insert_id") {
                    self.state.last_insert_id = id.cast_unsigned();
                }
            }
            "character_set_connection" => {
                let charset = text(self.state.variables.own("character_set_connection"));
                let collation = charset::default_collation(&charset).map_or("", |c| c.name);
                self.state.variables.put("collation_connection", Value::text(collation));
            }
            "collation_connection" => {
                let name = text(self.state.variables.own("collation_connection"));
                let charset = charset::collation(&name).map_or("", |c| c.charset);
                self.state.variables.put("character_set_connection", Value::text(charset));
            }
            _ => {}
        }
        self.state.refresh();
        Ok(())
    }

    /// SET NAMES: what the client speaks and wants to hear.
    fn set_names(&mut self, value: Option<&Value>, collation: Option<&str>) -> Result<(), SqlError> {
        let default = Value::text("utf8mb4");
        let name = text(value.unwrap_or(&default));
        let set = charset::charset(&name).ok_or(VariableError::UnknownCharset(name))?;
        let chosen = match collation {
            None => charset::default_collation(set.name),
            Some(wanted) => {
                Some(charset::collation(wanted).ok_or(VariableError::UnknownCollation(wanted.to_string()))?)
            }
        };
        let chosen = chosen.ok_or_else(|| VariableError::UnknownCharset(set.name.to_string()))?;
        if chosen.charset != set.name {
            let text = format!("COLLATION '{}' is not valid for CHARACTER SET '{}'", chosen.name, set.name);
            return Err(SqlError::new(1253, text));
        }
        let value = Value::text(set.name);
        for name in ["character_set_client", "character_set_connection", "character_set_results"] {
            self.state.variables.set(name, Which::Session, Some(&value))?;
        }
        self.state.variables.put("collation_connection", Value::text(chosen.name));
        self.state.refresh();
        Ok(())
    }

    fn set_isolation(&mut self, scope: VariableScope, value: Option<&Value>) -> Result<(), SqlError> {
        check_isolation(value)?;
        if scope == VariableScope::Unspecified {
            // Every level but SERIALIZABLE is the same snapshot isolation here: nothing to remember.
            return self.check_between_transactions();
        }
        self.state.variables.set("transaction_isolation", which(scope), value)?;
        Ok(())
    }

    fn set_read_only(&mut self, scope: VariableScope, value: Option<&Value>) -> Result<(), SqlError> {
        let on = matches!(value, Some(value) if text(value) == "1");
        if scope == VariableScope::Unspecified {
            self.check_between_transactions()?;
            self.once.read_only = Some(on);
            return Ok(());
        }
        self.state.variables.set("transaction_read_only", which(scope), Some(&Value::Int(i64::from(on))))?;
        self.state.refresh();
        Ok(())
    }

    fn check_between_transactions(&self) -> Result<(), SqlError> {
        if self.open.is_some() {
            let text = "Transaction characteristics can't be changed while a transaction is in progress";
            return Err(crate::mysql::SqlError {
                code: 1568,
                state: crate::mysql::SqlState::parse("25001"),
                message: text.into(),
            });
        }
        Ok(())
    }
}

/// SERIALIZABLE would have to validate what a transaction read; until it does it is refused rather than weakened.
fn check_isolation(value: Option<&Value>) -> Result<(), SqlError> {
    match value {
        Some(value) if text(value).eq_ignore_ascii_case("SERIALIZABLE") || *value == Value::Int(3) => {
            Err(SqlError::unsupported("SERIALIZABLE isolation"))
        }
        _ => Ok(()),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Text(t) => t.to_string(),
        other => other.to_string(),
    }
}
