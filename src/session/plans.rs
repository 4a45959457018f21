//! Plans of statements: found in a cache that all sessions share, or made.

use super::passwords::without_passwords;
use super::schema::Schema;
use super::session::Session;
use crate::mysql::SqlError;
use crate::sql::{Context, Guard, Literal, Needs, Plan, Prepared, SessionCommand};
use crate::types::ReadLevel;
use std::borrow::Cow;
use std::sync::Arc;

/// How many shapes of statements are kept.
pub const KEPT: usize = 4096;

/// A statement's plan and what was taken out of its text.
#[derive(Clone)]
pub struct Planned {
    pub plan: Arc<Plan>,
    pub literals: Arc<[Literal]>,
    /// How many `?` it has.
    pub markers: usize,
    /// What it was planned against.
    pub schema: Arc<Schema>,
    pub needs: Arc<Needs>,
}

impl Planned {
    /// The statement's text as others may see it: without passwords.
    pub fn shown<'t>(&'t self, text: &'t str) -> Cow<'t, str> {
        match &*self.plan {
            Plan::Account(statement) => Cow::Borrowed(&statement.shown),
            Plan::Session(
                SessionCommand::Prepare { .. }
                | SessionCommand::ExecuteImmediate { .. }
                | SessionCommand::SetStatement { .. },
            ) => Cow::Owned(without_passwords(text.trim()).collect()),
            _ => Cow::Borrowed(text.trim()),
        }
    }
}

impl Session {
    /// The plan of the first statement of `text`, and how many bytes it takes; `None` if there is only space.
    pub(super) fn plan(&mut self, text: &str) -> Result<(Option<Planned>, usize), SqlError> {
        let schema = self.schema()?;
        let permit = self.permits()?;
        let seen = self.seen_with(&schema, &permit);
        let own = (!self.temporary.is_empty()).then(|| self.temporary.catalog(&schema.catalog));
        let catalog = own.as_ref().unwrap_or(&schema.catalog);
        let context = Context {
            account: Some(permit.rights.account()),
            seen: seen.as_deref(),
            guard: (!permit.rights.is_everything()).then_some(&permit as &dyn Guard),
            ..Context::new(catalog, self.state.database.as_deref(), self.state.settings.modes)
        };
        // Plans that are shared know nothing of a session's temporary tables.
        let plans = if own.is_some() { &self.temporary.plans } else { &self.server.plans };
        let (prepared, used) = plans.prepare(text, &context)?;
        let planned = prepared.map(|p| {
            let Prepared { plan, literals, markers, needs } = p;
            Planned { plan, literals, markers, schema, needs }
        });
        Ok((planned, used))
    }

    /// As [`Session::plan`]. If that fails and the session's reads must see every acknowledged write, it is tried again
    /// once every acknowledged schema change is here: what the text names may just have been created on another node.
    pub(super) async fn plan_current(&mut self, text: &str) -> Result<(Option<Planned>, usize), SqlError> {
        match self.plan(text) {
            Err(error) if self.may_be_behind() && !is_of_text(&error) => {
                self.barrier().await?;
                self.plan(text)
            }
            planned => planned,
        }
    }

    /// Whether a schema change acknowledged elsewhere must be seen by the next statement, but may not be here yet.
    pub(super) fn may_be_behind(&self) -> bool {
        let pinned = self.open.as_ref().is_some_and(|open| open.schema().is_some());
        self.state.settings.read != ReadLevel::LocalOne && !pinned
    }
}

/// Errors of the text alone, which no schema would help: syntax, emptiness, an unsupported feature, depth.
fn is_of_text(error: &SqlError) -> bool {
    matches!(error.code, 1064 | 1065 | 1235 | 1436)
}
