//! What clients do, and what must then be true.
//!
//! Each workload has tables, clients that write down what they were told ([`crate::customer::Fate`]), and checks: those
//! that hold at any time complain while the run goes on, the others look at the tables at the end.

mod bank;
mod counters;
mod family;
mod ids;
mod log;
mod loose;
mod names;
mod register;
mod shape;

use crate::client::Row;
use crate::customer::Customer;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The rows of each table, in the order of the primary key: the same on all nodes when this is made.
pub type Tables = BTreeMap<String, Vec<Row>>;

/// A client's whole life.
pub type Life = Pin<Box<dyn Future<Output = ()>>>;

/// One kind of use.
pub trait Workload {
    fn name(&self) -> &'static str;

    /// Statements that make the tables and fill them.
    fn setup(&self) -> Vec<String>;

    /// How many clients there are.
    fn clients(&self) -> u64;

    /// What each of their connections begins with.
    fn prelude(&self) -> &'static [&'static str] {
        &[]
    }

    /// What client number `number` does until its time is over.
    fn live(self: Arc<Self>, customer: Customer, number: u64) -> Life;

    /// What must be true of the tables in the end. The error says what is not.
    fn finally(&self, tables: &Tables) -> Result<(), String>;
}

/// All of them.
pub fn all() -> Vec<Arc<dyn Workload>> {
    vec![
        Arc::new(log::Log::default()),
        Arc::new(counters::Counters::default()),
        Arc::new(bank::Bank),
        Arc::new(family::Family),
        Arc::new(names::Names::default()),
        Arc::new(ids::Ids::default()),
        Arc::new(shape::Shape::default()),
        Arc::new(loose::Loose::default()),
        Arc::new(register::Register::default()),
    ]
}

/// What a workload's clients write down.
#[derive(Default)]
struct Ledger<T>(Mutex<T>);

impl<T> Ledger<T> {
    fn open(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number in a cell.
fn number(row: &Row, at: usize) -> Result<i64, String> {
    let cell = row.get(at).and_then(Option::as_ref);
    cell.and_then(|text| text.parse().ok()).ok_or_else(|| format!("no number at {at} of {row:?}"))
}

/// The text in a cell; empty for NULL.
fn text(row: &Row, at: usize) -> String {
    row.get(at).cloned().flatten().unwrap_or_default()
}

/// A table of `tables`.
fn table<'t>(tables: &'t Tables, name: &str) -> Result<&'t Vec<Row>, String> {
    tables.get(name).ok_or_else(|| format!("there is no table {name}"))
}
