//! A table that changes its shape while rows are written: no row and no change is lost.

use super::{Ledger, Life, Tables, Workload, number, table};
use crate::customer::{Customer, Fate};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Columns of the table at first.
const FIRST_COLUMNS: usize = 2;

#[derive(Default)]
struct Written {
    rows: BTreeMap<i64, Fate>,
    columns: (usize, usize),
}

#[derive(Default)]
pub struct Shape {
    /// Rows by id, and how many columns were added for certain and perhaps.
    ledger: Ledger<Written>,
}

impl Workload for Shape {
    fn name(&self) -> &'static str {
        "shape"
    }

    fn setup(&self) -> Vec<String> {
        vec!["CREATE TABLE shape (id BIGINT PRIMARY KEY, a INT)".into()]
    }

    fn clients(&self) -> u64 {
        2
    }

    fn live(self: Arc<Self>, mut customer: Customer, number: u64) -> Life {
        Box::pin(async move {
            if number == 0 {
                self.reshape(&mut customer).await;
                return;
            }
            let mut id = number as i64 * 1_000_000;
            while customer.goes_on().await {
                let change = customer.dice.one_in(3);
                let sql = if change {
                    format!("UPDATE shape SET a = a + 1 WHERE id % 5 = {}", id % 5)
                } else {
                    id += 1;
                    format!("INSERT INTO shape (id, a) VALUES ({id}, {})", id % 7)
                };
                let Some(result) = customer.statement(&sql).await else { return };
                if !change {
                    self.ledger.open().rows.insert(id, Fate::from(&result));
                }
            }
        })
    }

    fn finally(&self, tables: &Tables) -> Result<(), String> {
        let rows = table(tables, "shape")?;
        let there = rows.iter().map(|row| number(row, 0)).collect::<Result<BTreeSet<_>, _>>()?;
        let written = self.ledger.open();
        let wrong = written.rows.iter().find(|(id, fate)| match fate {
            Fate::Done => !there.contains(id),
            Fate::Refused => there.contains(id),
            Fate::Unknown => false,
        });
        if let Some((id, fate)) = wrong {
            return Err(format!("shape: row {id} was {fate:?}, which is not what is there"));
        }
        let (done, unknown) = written.columns;
        let width = rows.first().map_or(FIRST_COLUMNS + done, Vec::len);
        if (FIRST_COLUMNS + done..=FIRST_COLUMNS + done + unknown).contains(&width) {
            Ok(())
        } else {
            Err(format!("shape: {width} columns, after {done} were added and {unknown} perhaps"))
        }
    }
}

impl Shape {
    /// Adds columns, makes indexes and drops them.
    async fn reshape(&self, customer: &mut Customer) {
        let (mut column, mut index) = (0, 0);
        let mut open: Vec<u64> = Vec::new();
        // Schema changes are rarer than rows.
        while customer.goes_on().await && customer.goes_on().await && customer.goes_on().await {
            let sql = match customer.dice.below(3) {
                0 => {
                    column += 1;
                    format!("ALTER TABLE shape ADD COLUMN c{column} INT NOT NULL DEFAULT {column}")
                }
                1 => {
                    index += 1;
                    open.push(index);
                    format!("CREATE INDEX i{index} ON shape (a)")
                }
                _ => match open.pop() {
                    Some(index) => format!("DROP INDEX i{index} ON shape"),
                    None => continue,
                },
            };
            let Some(result) = customer.statement(&sql).await else { return };
            if sql.starts_with("ALTER") {
                let columns = &mut self.ledger.open().columns;
                match Fate::from(&result) {
                    Fate::Done => columns.0 += 1,
                    Fate::Unknown => columns.1 += 1,
                    Fate::Refused => {}
                }
            }
        }
    }
}
