//! Plans of statements: found in a cache that all sessions share, or made.

use super::server::Schema;
use super::session::Session;
use crate::mysql::SqlError;
use crate::sql::{Context, Literal, Plan, Prepared};
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
}

impl Session {
    /// The plan of the first statement of `text`, and how many bytes it takes; `None` if there is only space.
    pub(super) fn plan(&mut self, text: &str) -> Result<(Option<Planned>, usize), SqlError> {
        let schema = self.schema()?;
        let context = Context {
            catalog: &schema.catalog,
            database: self.state.database.as_deref(),
            modes: self.state.settings.modes,
        };
        let (prepared, used) = self.server.plans.prepare(text, &context)?;
        let planned = prepared.map(|Prepared { plan, literals, markers }| Planned { plan, literals, markers, schema });
        Ok((planned, used))
    }
}
