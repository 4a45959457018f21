//! What a statement needs.

use super::privilege::Privileges;
use crate::types::DatabaseName;
use std::sync::Arc;

/// What privileges are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Server,
    Database(DatabaseName),
    /// A table or view.
    Table(DatabaseName, String),
    /// A procedure or function.
    Routine(DatabaseName, String),
}

/// Privileges that a statement needs on something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    pub subject: Subject,
    pub privileges: Privileges,
    /// One of them will do.
    pub any: bool,
    /// The view inside of which they are needed.
    pub view: Option<Arc<(DatabaseName, String)>>,
}

impl Need {
    /// All of the privileges.
    pub fn all(subject: Subject, privileges: Privileges) -> Need {
        Need { subject, privileges, any: false, view: None }
    }

    /// At least one of them.
    pub fn any(subject: Subject, privileges: Privileges) -> Need {
        Need { any: true, ..Need::all(subject, privileges) }
    }
}

/// All that a statement needs, and of whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Of whoever runs it.
    pub own: Vec<Need>,
    /// Of whoever made the views and functions that it uses; `user@host`.
    pub of_definers: Vec<(Arc<str>, Need)>,
}

impl Needs {
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.of_definers.is_empty()
    }

    /// Adds a need, of the one who runs the statement or of a definer.
    pub fn add(&mut self, definer: Option<&Arc<str>>, need: Need) {
        match definer {
            None if !self.own.contains(&need) => self.own.push(need),
            Some(definer) if !self.of_definers.iter().any(|(d, n)| d == definer && *n == need) => {
                self.of_definers.push((definer.clone(), need));
            }
            _ => {}
        }
    }

    /// Adds those of a part.
    pub fn add_all(&mut self, part: Needs) {
        part.own.into_iter().for_each(|need| self.add(None, need));
        part.of_definers.into_iter().for_each(|(definer, need)| self.add(Some(&definer), need));
    }
}
