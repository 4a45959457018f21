//! Many clients want the same unique name: one gets it.

use super::{Ledger, Life, Tables, Workload, number, table, text};
use crate::customer::{Customer, Fate};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Default)]
pub struct Names {
    /// Id of the attempt → the name it wanted, and what became of it.
    ledger: Ledger<BTreeMap<i64, (String, Fate)>>,
}

impl Workload for Names {
    fn name(&self) -> &'static str {
        "names"
    }

    fn setup(&self) -> Vec<String> {
        vec!["CREATE TABLE names (id BIGINT PRIMARY KEY, name VARCHAR(40) NOT NULL UNIQUE)".into()]
    }

    fn clients(&self) -> u64 {
        2
    }

    fn live(self: Arc<Self>, mut customer: Customer, number: u64) -> Life {
        Box::pin(async move {
            let mut attempt = 0;
            while customer.goes_on().await {
                attempt += 1;
                let id = number as i64 * 1_000_000 + attempt;
                // All clients want about the same names at about the same time. Case does not make them differ.
                let wanted = (attempt as u64 + customer.dice.below(3)) / 2;
                let name = if number == 0 { format!("Name-{wanted}") } else { format!("name-{wanted}") };
                let sql = format!("INSERT INTO names VALUES ({id}, '{name}')");
                let Some(result) = customer.statement(&sql).await else { return };
                self.ledger.open().insert(id, (name.to_lowercase(), Fate::from(&result)));
            }
        })
    }

    fn finally(&self, tables: &Tables) -> Result<(), String> {
        let mut owners: BTreeMap<String, i64> = BTreeMap::new();
        for row in table(tables, "names")? {
            let (id, name) = (number(row, 0)?, text(row, 1).to_lowercase());
            if let Some(other) = owners.insert(name.clone(), id) {
                return Err(format!("names: rows {other} and {id} both have the unique name {name}"));
            }
        }
        let there: BTreeSet<i64> = owners.values().copied().collect();
        let ledger = self.ledger.open();
        let wrong = ledger.iter().find(|(id, (_, fate))| match fate {
            Fate::Done => !there.contains(id),
            Fate::Refused => there.contains(id),
            Fate::Unknown => false,
        });
        match wrong {
            Some((id, (name, fate))) => {
                Err(format!("names: row {id} with {name} was {fate:?}, owner is {:?}", owners.get(name)))
            }
            None => Ok(()),
        }
    }
}
