//! Transfers between accounts through all nodes: every snapshot shows the same sum, and nobody is overdrawn.

use super::{Life, Tables, Workload, number, table};
use crate::client::{Client, Trouble};
use crate::customer::{Customer, transaction};
use std::sync::Arc;

const ACCOUNTS: u64 = 8;
const EACH: i64 = 100;
const SUM: i64 = ACCOUNTS as i64 * EACH;

pub struct Bank;

impl Workload for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn setup(&self) -> Vec<String> {
        let rows: Vec<String> = (1..=ACCOUNTS).map(|id| format!("({id}, {EACH}, 0)")).collect();
        vec![
            "CREATE TABLE accounts (
                id INT PRIMARY KEY, balance INT NOT NULL, touched INT NOT NULL, KEY by_balance (balance))"
                .into(),
            format!("INSERT INTO accounts VALUES {}", rows.join(", ")),
        ]
    }

    fn clients(&self) -> u64 {
        3
    }

    fn live(self: Arc<Self>, mut customer: Customer, number: u64) -> Life {
        Box::pin(async move {
            while customer.goes_on().await {
                if number == 0 {
                    look(&mut customer).await;
                } else {
                    transfer(&mut customer).await;
                }
            }
        })
    }

    fn finally(&self, tables: &Tables) -> Result<(), String> {
        let balances = table(tables, "accounts")?.iter().map(|row| number(row, 1)).collect::<Result<Vec<_>, _>>()?;
        let sum: i64 = balances.iter().sum();
        if sum != SUM || balances.len() != ACCOUNTS as usize {
            return Err(format!("bank: the balances {balances:?} sum up to {sum} instead of {SUM}"));
        }
        match balances.iter().find(|balance| **balance < 0) {
            Some(_) => Err(format!("bank: an account is overdrawn: {balances:?}")),
            None => Ok(()),
        }
    }
}

async fn transfer(customer: &mut Customer) {
    let from = customer.dice.within(1..ACCOUNTS + 1);
    let to = (from - 1 + customer.dice.within(1..ACCOUNTS)) % ACCOUNTS + 1;
    let amount = customer.dice.within(1..40) as i64;
    let relative = customer.dice.one_in(2);
    let locking = if customer.dice.one_in(3) { " FOR UPDATE" } else { "" };
    let Some(client) = customer.client().await else { return };
    let moving = async |client: &mut Client| {
        let balance = format!("SELECT balance FROM accounts WHERE id = {from}{locking}");
        let balance = client.number(&balance).await?.unwrap_or(0);
        if balance < amount {
            return Ok(());
        }
        if relative {
            client.execute(&format!("UPDATE accounts SET balance = balance - {amount} WHERE id = {from}")).await?;
            client.execute(&format!("UPDATE accounts SET balance = balance + {amount} WHERE id = {to}")).await?;
        } else {
            let other = client.number(&format!("SELECT balance FROM accounts WHERE id = {to}")).await?.unwrap_or(0);
            client.execute(&format!("UPDATE accounts SET balance = {} WHERE id = {from}", balance - amount)).await?;
            client.execute(&format!("UPDATE accounts SET balance = {} WHERE id = {to}", other + amount)).await?;
        }
        Ok(())
    };
    // The sum tells what became of it.
    let _ = transaction(client, moving).await;
}

async fn look(customer: &mut Customer) {
    let at_once = customer.dice.one_in(2);
    let complaints = customer.complaints.clone();
    let Some(client) = customer.client().await else { return };
    let sum =
        if at_once { client.number("SELECT SUM(balance) FROM accounts").await } else { in_two_halves(client).await };
    if let Ok(sum) = sum
        && sum != Some(SUM)
    {
        complaints.add(format!("bank: a snapshot sums up to {sum:?} instead of {SUM}"));
    }
}

async fn in_two_halves(client: &mut Client) -> Result<Option<i64>, Trouble> {
    let mut sum = None;
    let halves = async |client: &mut Client| {
        let half = ACCOUNTS / 2;
        let low = client.number(&format!("SELECT SUM(balance) FROM accounts WHERE id <= {half}")).await?;
        let high = client.number(&format!("SELECT SUM(balance) FROM accounts WHERE id > {half}")).await?;
        sum = low.zip(high).map(|(low, high)| low + high);
        Ok(())
    };
    transaction(client, halves).await.1?;
    Ok(sum)
}
