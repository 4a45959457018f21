//! Who runs a workload: one client that stays connected to some node, whatever happens.

use crate::client::{Client, Trouble};
use crate::dice::Dice;
use crate::trace::Trace;
use madsim::time::{Duration, Instant, sleep};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// All tables of the workloads are here.
pub const DATABASE: &str = "app";

/// Broken promises, noticed while the run goes on.
#[derive(Clone, Default)]
pub struct Complaints(Arc<Mutex<Vec<String>>>);

impl Complaints {
    pub fn add(&self, complaint: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(complaint);
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One client of a workload.
pub struct Customer {
    name: String,
    nodes: Vec<SocketAddr>,
    client: Option<Client>,
    /// Run on each new connection.
    prelude: &'static [&'static str],
    pub dice: Dice,
    think_ms: u64,
    end: Instant,
    trace: Trace,
    pub complaints: Complaints,
}

impl Customer {
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        name: String,
        seed: u64,
        nodes: Vec<SocketAddr>,
        prelude: &'static [&'static str],
        think_ms: u64,
        end: Instant,
        trace: &Trace,
        complaints: &Complaints,
    ) -> Customer {
        let dice = Dice::part(seed, &name);
        let (trace, complaints) = (trace.clone(), complaints.clone());
        Customer { name, nodes, client: None, prelude, dice, think_ms, end, trace, complaints }
    }

    /// Thinks; then whether there is time for more.
    pub async fn goes_on(&mut self) -> bool {
        let ms = self.dice.within(self.think_ms / 2..self.think_ms * 3 / 2);
        sleep(Duration::from_millis(ms)).await;
        Instant::now() < self.end
    }

    /// A connection to some node, most often the one used before. `None` when the time is over.
    pub async fn client(&mut self) -> Option<&mut Client> {
        if self.client.as_ref().is_some_and(|client| client.broken) || self.dice.one_in(40) {
            self.client = None;
        }
        while self.client.is_none() {
            if Instant::now() >= self.end {
                return None;
            }
            let node = *self.dice.pick(&self.nodes);
            match Client::connect(node, DATABASE, &self.name, &self.trace).await {
                Ok(mut client) => {
                    let mut ready = true;
                    for sql in self.prelude {
                        ready = ready && client.query(sql).await.is_ok();
                    }
                    if ready {
                        self.client = Some(client);
                    }
                }
                Err(_) => sleep(Duration::from_millis(self.dice.within(50..500))).await,
            }
        }
        self.client.as_mut()
    }

    /// One autocommit statement. `None` when the time is over.
    pub async fn statement(&mut self, sql: &str) -> Option<Result<u64, Trouble>> {
        Some(self.client().await?.execute(sql).await)
    }
}

/// What a customer knows about something it tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The server said that it is done.
    Done,
    /// The server said that nothing happened.
    Refused,
    /// Nobody said.
    Unknown,
}

impl<T> From<&Result<T, Trouble>> for Fate {
    fn from(result: &Result<T, Trouble>) -> Fate {
        match result {
            Ok(_) => Fate::Done,
            Err(trouble) if trouble.is_clean() => Fate::Refused,
            Err(_) => Fate::Unknown,
        }
    }
}

/// Runs statements in one transaction; the fate is the COMMIT's, or `Refused` if it was never sent.
///
/// # Errors
/// What was in the way; the transaction is rolled back then, but for an unknown outcome of its COMMIT.
pub async fn transaction(
    client: &mut Client,
    work: impl AsyncFnOnce(&mut Client) -> Result<(), Trouble>,
) -> (Fate, Result<(), Trouble>) {
    let worked = async {
        client.execute("BEGIN").await?;
        work(client).await
    };
    if let Err(trouble) = worked.await {
        if !client.broken {
            // Whatever it says, the transaction is not committed.
            let _ = client.execute("ROLLBACK").await;
        }
        return (Fate::Refused, Err(trouble));
    }
    let committed = client.execute("COMMIT").await.map(|_| ());
    (Fate::from(&committed), committed)
}
