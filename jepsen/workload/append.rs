//! Transactions that read lists and append to them, over several rows and tables: what Elle judges best.

use super::{Turn, Workload};
use crate::check::Report;
use crate::check::dependencies::{self, Reads};
use crate::edn::Edn;
use crate::history::Operation;
use crate::session::{Session, Trouble};
use rand::RngExt;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

const TABLES: i64 = 3;
/// Lists at a time, and transactions until others take their place.
const LISTS: i64 = 6;
const TRANSACTIONS: i64 = 150;

pub struct Append {
    name: &'static str,
    reads: Reads,
    transactions: AtomicI64,
    elements: AtomicI64,
}

enum Step {
    Read(i64),
    /// To what is there, whatever it is.
    Append(i64, i64),
    /// The whole list is written, as it was read and with one element more.
    Rewrite(i64, i64),
}

impl Append {
    pub fn new(name: &'static str, reads: Reads) -> Append {
        Append { name, reads, transactions: AtomicI64::default(), elements: AtomicI64::default() }
    }

    fn draw(&self, turn: &mut Turn) -> Vec<Step> {
        let generation = self.transactions.fetch_add(1, Ordering::Relaxed) / TRANSACTIONS;
        let steps = turn.dice.random_range(1..=4);
        let step = |_| {
            let list = generation * LISTS + turn.dice.random_range(0..LISTS);
            let element = self.elements.fetch_add(1, Ordering::Relaxed) + 1;
            match turn.dice.random_range(0..4) {
                0..2 => Step::Read(list),
                2 => Step::Append(list, element),
                _ => Step::Rewrite(list, element),
            }
        };
        (0..steps).map(step).collect()
    }
}

fn read(session: &mut Session, list: i64) -> Result<Vec<i64>, Trouble> {
    let rows = session.rows(&format!("SELECT v FROM lists{} WHERE id = {list}", list % TABLES))?;
    let text = rows.into_iter().flatten().flatten().next().unwrap_or_default();
    Ok(text.split(',').filter_map(|element| element.parse().ok()).collect())
}

fn run(session: &mut Session, steps: &[Step]) -> Result<Edn, Trouble> {
    let mut done = Vec::new();
    let mut known: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Read(list) => {
                let found = read(session, *list)?;
                done.push(dependencies::read(*list, Some(found.clone())));
                known.insert(*list, found);
            }
            Step::Append(list, element) => {
                known.remove(list);
                session.autocommit(&format!(
                    "INSERT INTO lists{} (id, v) VALUES ({list}, '{element}') ON DUPLICATE KEY UPDATE v = CONCAT(v, ',{element}')",
                    list % TABLES
                ))?;
                done.push(dependencies::append(*list, *element));
            }
            Step::Rewrite(list, element) => {
                if !known.contains_key(list) {
                    let found = read(session, *list)?;
                    done.push(dependencies::read(*list, Some(found.clone())));
                    known.insert(*list, found);
                }
                let whole = known.get_mut(list).expect("it was just read");
                whole.push(*element);
                let text: Vec<String> = whole.iter().map(i64::to_string).collect();
                let text = text.join(",");
                session.autocommit(&format!(
                    "INSERT INTO lists{} (id, v) VALUES ({list}, '{text}') ON DUPLICATE KEY UPDATE v = '{text}'",
                    list % TABLES
                ))?;
                done.push(dependencies::append(*list, *element));
            }
        }
    }
    Ok(Edn::Vector(done))
}

impl Workload for Append {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        match self.reads {
            Reads::Local => {
                "transactions over lists in three tables; no dependency cycle that snapshot isolation forbids"
            }
            Reads::Quorum => "the same with QUORUM reads: none is stale, no long fork",
        }
    }

    fn schema(&self) -> Vec<String> {
        (0..TABLES).map(|n| format!("CREATE TABLE lists{n} (id BIGINT PRIMARY KEY, v TEXT NOT NULL)")).collect()
    }

    fn clients_per_node(&self) -> usize {
        2
    }

    fn greeting(&self, _: usize) -> Vec<&'static str> {
        match self.reads {
            Reads::Local => Vec::new(),
            Reads::Quorum => vec!["SET marmot_read_consistency = 'QUORUM'"],
        }
    }

    fn step(&self, turn: &mut Turn) {
        let steps = self.draw(turn);
        let call: Vec<Edn> = steps
            .iter()
            .flat_map(|step| match step {
                Step::Read(list) => vec![dependencies::read(*list, None)],
                Step::Append(list, element) => vec![dependencies::append(*list, *element)],
                Step::Rewrite(list, element) => {
                    vec![dependencies::read(*list, None), dependencies::append(*list, *element)]
                }
            })
            .collect();
        turn.act("txn", Edn::Vector(call), |session| session.transaction(|session| run(session, &steps)));
    }

    /// The last state of each list is a read like any other, from the node's own file.
    fn finish(&self, turn: &mut Turn) {
        let generations = self.transactions.load(Ordering::Relaxed) / TRANSACTIONS + 1;
        let lists = 0..generations * LISTS;
        let call: Vec<Edn> = lists.clone().map(|list| dependencies::read(list, None)).collect();
        turn.act("txn", Edn::Vector(call), |session| {
            session.transaction(|session| {
                let read = |list| Ok(dependencies::read(list, Some(read(session, list)?)));
                Ok(Edn::Vector(lists.map(read).collect::<Result<_, Trouble>>()?))
            })
        });
    }

    fn check(&self, history: &[Operation]) -> Report {
        dependencies::judge(history, self.reads)
    }
}
