//! Transfers among accounts: no money appears or vanishes, in any snapshot of any node.

use super::{Turn, Workload};
use crate::check::{Report, accounts};
use crate::edn::Edn;
use crate::history::Operation;
use crate::session::{Session, Trouble};
use rand::RngExt;

const ACCOUNTS: i64 = 8;
const EACH: i64 = 100;

pub struct Bank;

fn balance(session: &mut Session, account: i64) -> Result<i64, Trouble> {
    let found = session.ints(&format!("SELECT balance FROM accounts WHERE id = {account}"))?;
    found.first().copied().ok_or(Trouble::own("the account is not there"))
}

fn balances(session: &mut Session) -> Result<Edn, Trouble> {
    Ok(session.ints("SELECT balance FROM accounts ORDER BY id")?.into_iter().collect())
}

impl Workload for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn about(&self) -> &'static str {
        "transfers that read, then write two accounts; every snapshot has the same sum"
    }

    fn schema(&self) -> Vec<String> {
        let rows: Vec<String> = (0..ACCOUNTS).map(|id| format!("({id}, {EACH})")).collect();
        vec![
            "CREATE TABLE accounts (id INT PRIMARY KEY, balance BIGINT NOT NULL)".into(),
            format!("INSERT INTO accounts (id, balance) VALUES {}", rows.join(", ")),
        ]
    }

    fn step(&self, turn: &mut Turn) {
        if turn.dice.random_bool(0.3) {
            // Account by account within one snapshot, or by one statement.
            if turn.dice.random_bool(0.5) {
                turn.act("read", Edn::Nil, balances);
            } else {
                turn.act("read", Edn::Nil, |session| {
                    session.transaction(|session| (0..ACCOUNTS).map(|id| balance(session, id)).collect())
                });
            }
            return;
        }
        let (from, to) = (turn.dice.random_range(0..ACCOUNTS), turn.dice.random_range(0..ACCOUNTS));
        let amount = turn.dice.random_range(1..=5);
        if from == to {
            return;
        }
        turn.act(
            "transfer",
            Edn::map([("from", from.into()), ("to", to.into()), ("amount", amount.into())]),
            |session| {
                session.transaction(|session| {
                    let (rich, poor) = (balance(session, from)?, balance(session, to)?);
                    if rich < amount {
                        return Err(Trouble::own("too poor"));
                    }
                    session
                        .autocommit(&format!("UPDATE accounts SET balance = {} WHERE id = {from}", rich - amount))?;
                    session.autocommit(&format!("UPDATE accounts SET balance = {} WHERE id = {to}", poor + amount))?;
                    Ok(Edn::Nil)
                })
            },
        );
    }

    fn finish(&self, turn: &mut Turn) {
        turn.act("final", Edn::Nil, balances);
    }

    fn check(&self, history: &[Operation]) -> Report {
        accounts::transfers(history, ACCOUNTS as usize, ACCOUNTS * EACH)
    }
}
