//! Counters incremented in every way there is: by what was read, by one statement, under FOR UPDATE. None is lost.

use super::{Turn, Workload, done, pairs};
use crate::check::{Report, accounts};
use crate::edn::Edn;
use crate::history::Operation;
use rand::RngExt;

const COUNTERS: i64 = 4;

pub struct Counter;

impl Workload for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn about(&self) -> &'static str {
        "increments by read-modify-write, by one statement and with FOR UPDATE; no lost update"
    }

    fn schema(&self) -> Vec<String> {
        let rows: Vec<String> = (0..COUNTERS).map(|id| format!("({id}, 0)")).collect();
        vec![
            "CREATE TABLE counters (id INT PRIMARY KEY, v BIGINT NOT NULL)".into(),
            format!("INSERT INTO counters (id, v) VALUES {}", rows.join(", ")),
        ]
    }

    fn step(&self, turn: &mut Turn) {
        let id = turn.dice.random_range(0..COUNTERS);
        let lock = match turn.dice.random_range(0..4) {
            0 => {
                let sql = format!("UPDATE counters SET v = v + 1 WHERE id = {id}");
                turn.act("increment", id, |session| done(session.autocommit(&sql)));
                return;
            }
            1 => " FOR UPDATE",
            _ => "",
        };
        turn.act("increment", id, |session| {
            session.transaction(|session| {
                let found = session.ints(&format!("SELECT v FROM counters WHERE id = {id}{lock}"))?;
                let value = found.first().copied().unwrap_or(0);
                done(session.autocommit(&format!("UPDATE counters SET v = {} WHERE id = {id}", value + 1)))
            })
        });
    }

    fn finish(&self, turn: &mut Turn) {
        turn.act("final", Edn::Nil, |session| pairs(session, "SELECT id, v FROM counters"));
    }

    fn check(&self, history: &[Operation]) -> Report {
        accounts::increments(history)
    }
}
