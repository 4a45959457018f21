//! Logged inserts: what was acknowledged is there, what was refused is not, and a transaction is whole or absent.

use super::{Ledger, Life, Tables, Workload, number, table};
use crate::client::Client;
use crate::customer::{Customer, Fate, transaction};
use crate::prepared::Parameter::{Int, Text};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Default)]
pub struct Log {
    /// Ids written together, by the first of them, and what became of them.
    ledger: Ledger<BTreeMap<i64, (Vec<i64>, Fate)>>,
}

impl Workload for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn setup(&self) -> Vec<String> {
        vec!["CREATE TABLE log (id BIGINT PRIMARY KEY, client INT NOT NULL, line VARCHAR(4000))".into()]
    }

    fn clients(&self) -> u64 {
        2
    }

    fn live(self: Arc<Self>, mut customer: Customer, number: u64) -> Life {
        Box::pin(async move {
            let mut next = number as i64 * 1_000_000;
            while customer.goes_on().await {
                let ids: Vec<i64> = (0..customer.dice.within(1..4)).map(|i| next + i as i64).collect();
                next += 10;
                let longest = if customer.dice.one_in(8) { 4000 } else { 60 };
                let length = customer.dice.within(1..longest);
                let as_one = customer.dice.one_in(2);
                let prepared = customer.dice.one_in(3);
                let complaints = customer.complaints.clone();
                let for_all = customer.dice.one_in(8);
                let row = |id: &i64| format!("({id}, {number}, '{}')", "x".repeat(length as usize));
                let rows: Vec<String> = ids.iter().map(row).collect();
                let Some(client) = customer.client().await else { return };
                if for_all && client.execute("SET marmot_write_consistency = 'ALL'").await.is_err() {
                    continue;
                }
                let fate = if as_one {
                    Fate::from(&client.execute(&format!("INSERT INTO log VALUES {}", rows.join(", "))).await)
                } else {
                    let inserts = async |client: &mut Client| {
                        for id in ids.iter().filter(|_| prepared) {
                            let row = [Int(*id), Int(number as i64), Text("x".repeat(length as usize))];
                            client.prepared_execute("INSERT INTO log VALUES (?, ?, ?)", &row).await?;
                        }
                        for row in rows.iter().filter(|_| !prepared) {
                            client.execute(&format!("INSERT INTO log VALUES {row}")).await?;
                        }
                        Ok(())
                    };
                    transaction(client, inserts).await.0
                };
                // What is acknowledged is applied where it was written.
                if fate == Fate::Done {
                    let (first, last) = (ids[0], ids[ids.len() - 1]);
                    let count = format!("SELECT COUNT(*) FROM log WHERE id BETWEEN {first} AND {last}");
                    if let Ok(found) = client.number(&count).await
                        && found != Some(ids.len() as i64)
                    {
                        complaints.add(format!("log: of rows {ids:?}, acknowledged here, {found:?} are seen here"));
                    }
                }
                self.ledger.open().insert(ids[0], (ids, fate));
            }
        })
    }

    fn finally(&self, tables: &Tables) -> Result<(), String> {
        let there = table(tables, "log")?.iter().map(|row| number(row, 0)).collect::<Result<BTreeSet<_>, _>>()?;
        let ledger = self.ledger.open();
        for (ids, fate) in ledger.values() {
            let found = ids.iter().filter(|id| there.contains(id)).count();
            let good = match fate {
                Fate::Done => found == ids.len(),
                Fate::Refused => found == 0,
                Fate::Unknown => found == 0 || found == ids.len(),
            };
            if !good {
                return Err(format!("log: rows {ids:?} were {fate:?}, but {found} of them are there"));
            }
        }
        let written: usize = ledger.values().map(|(ids, _)| ids.iter().filter(|id| there.contains(id)).count()).sum();
        if written == there.len() {
            Ok(())
        } else {
            Err(format!("log: {} rows, {written} of them written", there.len()))
        }
    }
}
