//! Writes at level ONE, on both sides of every partition: what was acknowledged stays, and all nodes agree in the end.

use super::{Ledger, Life, Tables, Workload, number, table};
use crate::customer::{Customer, Fate};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Rows that all clients change; the last writer wins.
const SHARED: u64 = 4;

/// What one client did to a row of its own: the insert's fate, and the deletion's if there was one.
type Own = (Fate, Option<Fate>);

#[derive(Default)]
pub struct Loose {
    ledger: Ledger<BTreeMap<i64, Own>>,
}

impl Workload for Loose {
    fn name(&self) -> &'static str {
        "loose"
    }

    fn setup(&self) -> Vec<String> {
        let rows: Vec<String> = (1..=SHARED).map(|id| format!("({id}, 0, 0)")).collect();
        vec![
            "CREATE TABLE loose (id BIGINT PRIMARY KEY, a INT, b INT)".into(),
            format!("INSERT INTO loose VALUES {}", rows.join(", ")),
        ]
    }

    fn clients(&self) -> u64 {
        2
    }

    fn prelude(&self) -> &'static [&'static str] {
        &["SET marmot_write_consistency = 'ONE'"]
    }

    fn live(self: Arc<Self>, mut customer: Customer, number: u64) -> Life {
        Box::pin(async move {
            let mut id = (number as i64 + 1) * 1_000_000;
            while customer.goes_on().await {
                let value = customer.dice.below(1000);
                match customer.dice.below(4) {
                    0 => {
                        let column = customer.dice.pick(&["a", "b"]);
                        let shared = customer.dice.within(1..SHARED + 1);
                        let sql = format!("UPDATE loose SET {column} = {value} WHERE id = {shared}");
                        if customer.statement(&sql).await.is_none() {
                            return;
                        }
                    }
                    1 if id % 1_000_000 > 0 => {
                        let sql = format!("DELETE FROM loose WHERE id = {id}");
                        let Some(result) = customer.statement(&sql).await else { return };
                        // A node that has not heard of the row yet deletes nothing.
                        let fate = match &result {
                            Ok(0) => Fate::Refused,
                            result => Fate::from(result),
                        };
                        if let Some((_, deleted)) = self.ledger.open().get_mut(&id) {
                            *deleted = Some(fate);
                        }
                        id += 1;
                    }
                    _ => {
                        id += 1;
                        let sql = format!("INSERT INTO loose VALUES ({id}, {value}, {value})");
                        let Some(result) = customer.statement(&sql).await else { return };
                        self.ledger.open().insert(id, (Fate::from(&result), None));
                    }
                }
            }
        })
    }

    fn finally(&self, tables: &Tables) -> Result<(), String> {
        let there = table(tables, "loose")?.iter().map(|row| number(row, 0)).collect::<Result<BTreeSet<_>, _>>()?;
        for (id, own) in self.ledger.open().iter() {
            let possible = match own {
                (Fate::Refused, _) => there.contains(id).then_some("there"),
                (_, Some(Fate::Done)) => there.contains(id).then_some("there"),
                (Fate::Done, None | Some(Fate::Refused)) => (!there.contains(id)).then_some("missing"),
                _ => None,
            };
            if let Some(wrong) = possible {
                return Err(format!("loose: row {id} is {wrong} after {own:?}"));
            }
        }
        Ok(())
    }
}
