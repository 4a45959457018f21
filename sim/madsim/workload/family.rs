//! Parents and children under a foreign key: no child is left without its parent, on whichever nodes the two are
//! written at the same time.

use super::{Life, Tables, Workload, number, table};
use crate::customer::Customer;
use std::collections::BTreeSet;
use std::sync::Arc;

const PARENTS: u64 = 4;

pub struct Family;

impl Workload for Family {
    fn name(&self) -> &'static str {
        "family"
    }

    fn setup(&self) -> Vec<String> {
        let rows: Vec<String> = (1..=PARENTS).map(|id| format!("({id})")).collect();
        vec![
            "CREATE TABLE parents (id INT PRIMARY KEY)".into(),
            "CREATE TABLE children (
                id BIGINT PRIMARY KEY, parent INT NOT NULL, FOREIGN KEY (parent) REFERENCES parents (id))"
                .into(),
            format!("INSERT INTO parents VALUES {}", rows.join(", ")),
        ]
    }

    fn clients(&self) -> u64 {
        2
    }

    fn live(self: Arc<Self>, mut customer: Customer, number: u64) -> Life {
        Box::pin(async move {
            let mut child = number * 1_000_000;
            while customer.goes_on().await {
                let parent = customer.dice.within(1..PARENTS + 1);
                let sql = match (number, customer.dice.below(3)) {
                    (0, 0) => format!("INSERT INTO parents VALUES ({parent})"),
                    (0, _) => format!("DELETE FROM parents WHERE id = {parent}"),
                    (_, 0) => format!("DELETE FROM children WHERE parent = {parent}"),
                    _ => {
                        child += 1;
                        format!("INSERT INTO children VALUES ({child}, {parent})")
                    }
                };
                if customer.statement(&sql).await.is_none() {
                    return;
                }
            }
        })
    }

    fn finally(&self, tables: &Tables) -> Result<(), String> {
        let parents = table(tables, "parents")?.iter().map(|row| number(row, 0)).collect::<Result<BTreeSet<_>, _>>()?;
        for row in table(tables, "children")? {
            if !parents.contains(&number(row, 1)?) {
                return Err(format!("family: the child {row:?} has no parent among {parents:?}"));
            }
        }
        Ok(())
    }
}
