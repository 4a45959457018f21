//! A set in two tables: elements are added alone or together, some are removed, and it is read with `QUORUM` and locally.

use super::{Turn, Workload, done};
use crate::check::Report;
use crate::check::elements::{self, PART, Sees};
use crate::edn::Edn;
use crate::history::Operation;
use crate::session::{Session, Trouble};
use rand::RngExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

#[derive(Default)]
pub struct Set {
    elements: AtomicI64,
    /// Added and not removed yet.
    removable: Mutex<Vec<i64>>,
}

/// Even elements are in one table, odd ones in the other.
fn table(element: i64) -> &'static str {
    if element % 2 == 0 { "evens" } else { "odds" }
}

fn insert(session: &mut Session, element: i64) -> Result<Edn, Trouble> {
    done(session.autocommit(&format!(
        "INSERT INTO {} (id, part) VALUES ({element}, {})",
        table(element),
        element / PART
    )))
}

fn part(session: &mut Session, part: i64) -> Result<Edn, Trouble> {
    let sql = format!("SELECT id FROM evens WHERE part = {part} UNION ALL SELECT id FROM odds WHERE part = {part}");
    Ok(session.ints(&sql)?.into_iter().collect())
}

impl Set {
    fn fresh(&self) -> i64 {
        self.elements.fetch_add(1, Ordering::Relaxed)
    }
}

impl Workload for Set {
    fn name(&self) -> &'static str {
        "set"
    }

    fn about(&self) -> &'static str {
        "inserts alone and in transactions, deletes; nothing lost, resurrected or half done, QUORUM reads not stale"
    }

    fn schema(&self) -> Vec<String> {
        let table = |name| format!("CREATE TABLE {name} (id BIGINT PRIMARY KEY, part BIGINT NOT NULL, KEY (part))");
        vec![table("evens"), table("odds")]
    }

    fn clients_per_node(&self) -> usize {
        2
    }

    fn greeting(&self, client: usize) -> Vec<&'static str> {
        if client.is_multiple_of(2) { vec!["SET marmot_read_consistency = 'QUORUM'"] } else { Vec::new() }
    }

    fn step(&self, turn: &mut Turn) {
        match turn.dice.random_range(0..10) {
            0..4 => {
                let element = self.fresh();
                if turn.act("add", element, |session| insert(session, element)).is_some() {
                    self.removable.lock().expect("nobody panics with it").push(element);
                }
            }
            4..6 => {
                let several: Vec<i64> = (0..3).map(|_| self.fresh()).collect();
                turn.act("add", several.iter().copied().collect::<Edn>(), |session| {
                    session.transaction(|session| {
                        several.iter().try_for_each(|element| insert(session, *element).map(drop))?;
                        Ok(Edn::Nil)
                    })
                });
            }
            6..8 => {
                let element = {
                    let mut removable = self.removable.lock().expect("nobody panics with it");
                    if removable.is_empty() {
                        return;
                    }
                    let at = turn.dice.random_range(0..removable.len());
                    removable.swap_remove(at)
                };
                let sql = format!("DELETE FROM {} WHERE id = {element}", table(element));
                turn.act("remove", element, |session| match session.autocommit(&sql)?.affected {
                    // This node may not have the row yet: nothing was done then.
                    0 => Err(Trouble::own("no such row here")),
                    _ => Ok(Edn::Nil),
                });
            }
            _ => {
                let newest = self.elements.load(Ordering::Relaxed) / PART;
                let asked = (newest - turn.dice.random_range(0..2)).max(0);
                let f = if turn.client.is_multiple_of(2) { "read" } else { "read-local" };
                turn.act(f, asked, |session| part(session, asked));
            }
        }
    }

    fn finish(&self, turn: &mut Turn) {
        turn.act("final", Edn::Nil, |session| {
            Ok(session.ints("SELECT id FROM evens UNION ALL SELECT id FROM odds")?.into_iter().collect())
        });
    }

    fn check(&self, history: &[Operation]) -> Report {
        let mut report = elements::judge(history);
        report.merge(elements::judge_reads(history, "read", Sees::Everything));
        report.merge(elements::judge_reads(history, "read-local", Sees::SameNode));
        report
    }
}
