//! Long fork: two rows are inserted independently, and two readers see them in opposite orders. QUORUM reads must not.

use super::{Turn, Workload, done, pairs};
use crate::check::{Report, accounts};
use crate::edn::Edn;
use crate::history::Operation;
use rand::RngExt;
use std::sync::atomic::{AtomicI64, Ordering};

#[derive(Default)]
pub struct Fork {
    /// Both rows of a pair are inserted one after the other, by different clients mostly.
    inserts: AtomicI64,
}

impl Workload for Fork {
    fn name(&self) -> &'static str {
        "long-fork"
    }

    fn about(&self) -> &'static str {
        "pairs of rows inserted independently and read together; QUORUM reads agree on the order, LOCAL_ONE reads are counted"
    }

    fn schema(&self) -> Vec<String> {
        vec!["CREATE TABLE pairs (pair BIGINT, side INT, PRIMARY KEY (pair, side))".into()]
    }

    fn clients_per_node(&self) -> usize {
        2
    }

    fn greeting(&self, client: usize) -> Vec<&'static str> {
        if client.is_multiple_of(2) { vec!["SET marmot_read_consistency = 'QUORUM'"] } else { Vec::new() }
    }

    fn step(&self, turn: &mut Turn) {
        if turn.dice.random_bool(0.2) {
            let insert = self.inserts.fetch_add(1, Ordering::Relaxed);
            let (pair, side) = (insert / 2, insert % 2);
            let sql = format!("INSERT INTO pairs (pair, side) VALUES ({pair}, {side})");
            turn.act("insert", (pair, side), |session| done(session.autocommit(&sql)));
            return;
        }
        let newest = (self.inserts.load(Ordering::Relaxed) - 1).max(0) / 2;
        let f = if turn.client.is_multiple_of(2) { "read" } else { "read-local" };
        let sql = format!("SELECT pair, side FROM pairs WHERE pair BETWEEN {} AND {newest}", newest - 2);
        turn.act(f, (newest - 2, newest), |session| pairs(session, &sql));
    }

    fn finish(&self, turn: &mut Turn) {
        turn.act("read-local", Edn::Nil, |session| pairs(session, "SELECT pair, side FROM pairs"));
    }

    fn check(&self, history: &[Operation]) -> Report {
        accounts::forks(history)
    }
}
