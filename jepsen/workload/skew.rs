//! Write skew: two transactions see both sides of a pair unset and each sets one. Allowed, unless the rows were locked.

use super::{Turn, Workload, done, pairs};
use crate::check::{Report, accounts};
use crate::edn::Edn;
use crate::history::Operation;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Attempts at each pair, and pairs that are made at once.
const RIVALS: i64 = 3;
const BATCH: i64 = 100;

pub struct Skew {
    name: &'static str,
    lock: &'static str,
    attempts: AtomicI64,
}

impl Skew {
    /// `lock` follows the SELECT.
    pub fn new(name: &'static str, lock: &'static str) -> Skew {
        Skew { name, lock, attempts: AtomicI64::default() }
    }
}

fn batch(first: i64) -> String {
    let rows: Vec<String> =
        (first..first + BATCH).flat_map(|pair| [0, 1].map(|side| format!("({pair}, {side}, 0)"))).collect();
    format!("INSERT IGNORE INTO pairs (pair, side, v) VALUES {}", rows.join(", "))
}

impl Workload for Skew {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        if self.lock.is_empty() {
            "pairs of rows that two transactions read and write crosswise: write skew is counted"
        } else {
            "the same with SELECT ... FOR UPDATE: there must be none"
        }
    }

    fn schema(&self) -> Vec<String> {
        let table = "CREATE TABLE pairs (pair BIGINT, side INT, v INT NOT NULL, PRIMARY KEY (pair, side))";
        vec![table.into(), batch(0), batch(BATCH)]
    }

    fn step(&self, turn: &mut Turn) {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        let pair = attempt / RIVALS;
        if attempt % (BATCH * RIVALS) == 0 && attempt > 0 {
            let sql = batch(pair + BATCH);
            turn.act("make", pair + BATCH, |session| done(session.autocommit(&sql)));
        }
        let side = attempt % 2;
        let select = format!("SELECT v FROM pairs WHERE pair = {pair}{}", self.lock);
        let update = format!("UPDATE pairs SET v = 1 WHERE pair = {pair} AND side = {side}");
        turn.act("set", (pair, side), |session| {
            session.transaction(|session| {
                let found = session.ints(&select)?;
                // So that rivals meet.
                std::thread::sleep(Duration::from_millis(5));
                if found == [0, 0] { done(session.autocommit(&update)) } else { Ok(Edn::keyword("seen")) }
            })
        });
    }

    fn finish(&self, turn: &mut Turn) {
        turn.act("final", Edn::Nil, |session| {
            pairs(session, "SELECT pair, SUM(v) FROM pairs GROUP BY pair HAVING SUM(v) > 0")
        });
    }

    fn check(&self, history: &[Operation]) -> Report {
        accounts::skewed_pairs(history, self.lock.is_empty())
    }
}
