//! Counters that clients increase by reading and writing: no increment is lost.

use super::{Ledger, Life, Tables, Workload, number, table};
use crate::client::{Client, Trouble};
use crate::customer::{Customer, Fate, transaction};
use crate::prepared::Parameter::Int;
use std::collections::BTreeMap;
use std::sync::Arc;

const COUNTERS: i64 = 3;

#[derive(Default)]
pub struct Counters {
    /// For each counter: increments that were acknowledged, and those that may have happened.
    ledger: Ledger<BTreeMap<i64, (i64, i64)>>,
}

impl Workload for Counters {
    fn name(&self) -> &'static str {
        "counters"
    }

    fn setup(&self) -> Vec<String> {
        let rows: Vec<String> = (1..=COUNTERS).map(|id| format!("({id}, 0, 0)")).collect();
        vec![
            "CREATE TABLE counters (id INT PRIMARY KEY, v BIGINT NOT NULL, touched INT NOT NULL)".into(),
            format!("INSERT INTO counters VALUES {}", rows.join(", ")),
        ]
    }

    fn clients(&self) -> u64 {
        3
    }

    fn live(self: Arc<Self>, mut customer: Customer, _: u64) -> Life {
        Box::pin(async move {
            while customer.goes_on().await {
                let id = customer.dice.within(1..COUNTERS as u64 + 1) as i64;
                // The first counter is increased in one statement, the others by what was read.
                let at_once = id == 1;
                let prepared = customer.dice.one_in(2);
                let Some(client) = customer.client().await else { return };
                let fate = if at_once && prepared {
                    let add = "UPDATE counters SET v = v + ? WHERE id = ?";
                    Fate::from(&client.prepared_execute(add, &[Int(1), Int(id)]).await)
                } else if at_once {
                    Fate::from(&client.execute(&format!("UPDATE counters SET v = v + 1 WHERE id = {id}")).await)
                } else {
                    let increment = async |client: &mut Client| {
                        if prepared {
                            return increase(client, id).await;
                        }
                        let read = client.number(&format!("SELECT v FROM counters WHERE id = {id}")).await?;
                        let next = read.unwrap_or(-1_000_000) + 1;
                        client.execute(&format!("UPDATE counters SET v = {next} WHERE id = {id}")).await?;
                        Ok(())
                    };
                    transaction(client, increment).await.0
                };
                let mut ledger = self.ledger.open();
                let (done, unknown) = ledger.entry(id).or_default();
                *done += i64::from(fate == Fate::Done);
                *unknown += i64::from(fate == Fate::Unknown);
            }
        })
    }

    fn finally(&self, tables: &Tables) -> Result<(), String> {
        let ledger = self.ledger.open();
        for row in table(tables, "counters")? {
            let (id, v) = (number(row, 0)?, number(row, 1)?);
            let (done, unknown) = ledger.get(&id).copied().unwrap_or_default();
            if !(done..=done + unknown).contains(&v) {
                return Err(format!("counter {id} is {v}, but {done} increments were acknowledged, {unknown} unknown"));
            }
        }
        Ok(())
    }
}

/// Reads and writes by prepared statements.
async fn increase(client: &mut Client, id: i64) -> Result<(), Trouble> {
    let read = client.prepared_number("SELECT v FROM counters WHERE id = ?", &[Int(id)]).await?;
    let next = read.unwrap_or(-1_000_000) + 1;
    client.prepared_execute("UPDATE counters SET v = ? WHERE id = ?", &[Int(next), Int(id)]).await.map(drop)
}
