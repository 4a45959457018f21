//! Ids that the server makes: no two rows get the same.

use super::{Turn, Workload, pairs};
use crate::check::{Report, keys};
use crate::edn::Edn;
use crate::history::Operation;
use std::sync::atomic::{AtomicI64, Ordering};

pub struct Ids {
    name: &'static str,
    column: &'static str,
    tokens: AtomicI64,
}

impl Ids {
    /// AUTO_INCREMENT of a column type.
    pub fn new(name: &'static str, column: &'static str) -> Ids {
        Ids { name, column, tokens: AtomicI64::default() }
    }
}

impl Workload for Ids {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        "AUTO_INCREMENT through all nodes: every acknowledged id belongs to one row"
    }

    fn schema(&self) -> Vec<String> {
        vec![format!("CREATE TABLE t (id {} AUTO_INCREMENT PRIMARY KEY, token BIGINT NOT NULL)", self.column)]
    }

    fn step(&self, turn: &mut Turn) {
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        turn.act("insert", token, |session| {
            let done = session.autocommit(&format!("INSERT INTO t (token) VALUES ({token})"))?;
            Ok((token, done.last_insert_id as i64).into())
        });
    }

    fn finish(&self, turn: &mut Turn) {
        turn.act("final", Edn::Nil, |session| pairs(session, "SELECT id, token FROM t"));
    }

    fn check(&self, history: &[Operation]) -> Report {
        keys::generated(history)
    }
}
