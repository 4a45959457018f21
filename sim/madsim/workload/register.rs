//! A number that only grows: whoever reads at level QUORUM sees at least what was acknowledged before.

use super::{Ledger, Life, Tables, Workload, number, table};
use crate::customer::{Customer, Fate};
use crate::prepared::Parameter::Int;
use std::sync::Arc;

#[derive(Default)]
pub struct Register {
    /// The highest value acknowledged, and the highest tried.
    ledger: Ledger<(i64, i64)>,
}

impl Workload for Register {
    fn name(&self) -> &'static str {
        "register"
    }

    fn setup(&self) -> Vec<String> {
        vec![
            "CREATE TABLE register (id INT PRIMARY KEY, v BIGINT NOT NULL)".into(),
            "INSERT INTO register VALUES (1, 0)".into(),
        ]
    }

    fn clients(&self) -> u64 {
        2
    }

    fn prelude(&self) -> &'static [&'static str] {
        &["SET marmot_read_consistency = 'QUORUM'"]
    }

    fn live(self: Arc<Self>, mut customer: Customer, number: u64) -> Life {
        Box::pin(async move {
            while customer.goes_on().await {
                if number == 0 {
                    let next = self.ledger.open().1 + 1;
                    self.ledger.open().1 = next;
                    // Only ever upwards: an earlier write of unknown outcome must not come after a later one.
                    let write = "UPDATE register SET v = ? WHERE id = 1 AND v < ?";
                    let Some(client) = customer.client().await else { return };
                    let result = client.prepared_execute(write, &[Int(next), Int(next)]).await;
                    if Fate::from(&result) == Fate::Done {
                        self.ledger.open().0 = next;
                    }
                    continue;
                }
                let least = self.ledger.open().0;
                let complaints = customer.complaints.clone();
                let Some(client) = customer.client().await else { return };
                if let Ok(read) = client.prepared_number("SELECT v FROM register WHERE id = ?", &[Int(1)]).await
                    && read.is_none_or(|read| read < least)
                {
                    complaints.add(format!("register: a QUORUM read gave {read:?} after {least} was acknowledged"));
                }
            }
        })
    }

    fn finally(&self, tables: &Tables) -> Result<(), String> {
        let rows = table(tables, "register")?;
        let v =
            rows.first().ok_or("register: the row is gone").and_then(|row| number(row, 1).map_err(|_| "no number"))?;
        let (least, most) = *self.ledger.open();
        if (least..=most).contains(&v) { Ok(()) } else { Err(format!("register: {v} is not within {least}..={most}")) }
    }
}
