//! What a client is told of its session by itself (CLIENT_SESSION_TRACK): the current database, and those variables of
//! `session_track_system_variables` that have another value than the client last heard of.

use super::session::Session;
use super::state::State;
use crate::mysql::SessionChange;
use crate::types::DatabaseName;
use std::collections::BTreeMap;

/// What the client knows.
#[derive(Debug, Default)]
pub(super) struct Tracking {
    /// Whether it wants to be told.
    wanted: bool,
    database: Option<DatabaseName>,
    variables: BTreeMap<String, String>,
}

impl Tracking {
    /// At the login, when the client takes the session to be as it asked.
    pub(super) fn start(&mut self, wanted: bool, state: &State) {
        self.wanted = wanted;
        self.database = state.database.clone();
        self.variables = if wanted { tracked(state) } else { BTreeMap::new() };
    }

    fn changes(&mut self, state: &mut State) -> Vec<SessionChange> {
        let mut changes = Vec::new();
        if !self.wanted {
            return changes;
        }
        if std::mem::take(&mut state.variables_changed) {
            let now = tracked(state);
            let new = now.iter().filter(|(name, value)| self.variables.get(*name) != Some(value));
            changes.extend(new.map(|(name, value)| SessionChange::Variable(name.clone(), value.clone())));
            self.variables = now;
        }
        if self.database != state.database {
            self.database = state.database.clone();
            if is_on(state, "session_track_schema") {
                changes.push(SessionChange::Schema(self.database.as_deref().unwrap_or_default().to_string()));
            }
        }
        changes
    }
}

fn is_on(state: &State, name: &str) -> bool {
    state.variables.shown(name).is_some_and(|value| value == "ON")
}

/// The variables that are followed, with their values as `SHOW VARIABLES` has them.
fn tracked(state: &State) -> BTreeMap<String, String> {
    let names = state.variables.shown("session_track_system_variables").unwrap_or_default();
    let names = names.split(',').map(|name| name.trim().to_ascii_lowercase());
    names.filter_map(|name| state.variables.shown(&name).map(|value| (name, value))).collect()
}

impl Session {
    /// What changed since the client was told last.
    pub(super) fn changes(&mut self) -> Vec<SessionChange> {
        self.tracking.changes(&mut self.state)
    }
}
