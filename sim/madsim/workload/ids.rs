//! AUTO_INCREMENT: ids never collide, and the client is told the right one.

use super::{Ledger, Life, Tables, Workload, number, table};
use crate::client::Reply;
use crate::customer::Customer;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
pub struct Ids {
    /// The id a client was told → what it inserted.
    ledger: Ledger<BTreeMap<u64, (u64, i64)>>,
}

impl Workload for Ids {
    fn name(&self) -> &'static str {
        "ids"
    }

    fn setup(&self) -> Vec<String> {
        vec!["CREATE TABLE ids (id BIGINT AUTO_INCREMENT PRIMARY KEY, client INT NOT NULL, n INT NOT NULL)".into()]
    }

    fn clients(&self) -> u64 {
        2
    }

    fn live(self: Arc<Self>, mut customer: Customer, number: u64) -> Life {
        Box::pin(async move {
            let mut n = 0;
            while customer.goes_on().await {
                let rows = customer.dice.within(1..4) as i64;
                let values: Vec<String> = (n + 1..=n + rows).map(|n| format!("({number}, {n})")).collect();
                let first = n + 1;
                n += rows;
                let complaints = customer.complaints.clone();
                let Some(client) = customer.client().await else { return };
                let sql = format!("INSERT INTO ids (client, n) VALUES {}", values.join(", "));
                if let Ok(Reply::Done { insert_id, .. }) = client.query(&sql).await
                    && let Some(other) = self.ledger.open().insert(insert_id, (number, first))
                {
                    complaints.add(format!("ids: {insert_id} was given to {other:?} and to {:?}", (number, first)));
                }
            }
        })
    }

    fn finally(&self, tables: &Tables) -> Result<(), String> {
        let mut there = BTreeMap::new();
        for row in table(tables, "ids")? {
            there.insert(number(row, 0)? as u64, (number(row, 1)? as u64, number(row, 2)?));
        }
        let ledger = self.ledger.open();
        match ledger.iter().find(|(id, what)| there.get(id) != Some(what)) {
            Some((id, what)) => Err(format!("ids: {what:?} got {id}, where {:?} is found", there.get(id))),
            None => Ok(()),
        }
    }
}
