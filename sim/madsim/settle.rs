//! After the troubles: everything is repaired, every node is restarted, and then the cluster must work and agree.

use crate::client::{Client, Row};
use crate::customer::DATABASE;
use crate::disk::Loss;
use crate::machine::{Condition, Machine};
use crate::nemesis::Nemesis;
use crate::trace::Trace;
use crate::workload::Tables;
use madsim::time::{Duration, Instant, sleep};

/// Time for a healed cluster to take writes everywhere and to agree.
const LIMIT: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(500);
/// Nodes that agree must still agree after this.
const CALM: Duration = Duration::from_secs(2);

/// What the cluster came to.
pub struct Settled {
    pub tables: Tables,
    /// Simulated time it took.
    pub after: Duration,
}

/// Heals, restarts, waits.
///
/// # Errors
/// What did not come about in time.
pub async fn settle(machines: &[Machine], nemesis: &Nemesis, trace: &Trace) -> Result<Settled, String> {
    let from = Instant::now();
    nemesis.heal();
    for machine in machines {
        machine.kill(Loss::Unsynced);
    }
    sleep(PAUSE).await;
    for machine in machines {
        machine.restart();
    }
    for machine in machines {
        let touched = until(from, machine, || touch(machine, trace)).await;
        touched
            .map_err(|why| format!("liveness: {} takes no writes {LIMIT:?} after healing: {why}", machine.name()))?;
    }
    let mut before: Option<Tables> = None;
    loop {
        let agreed = agreed(machines, trace).await;
        match (agreed, before.take()) {
            (Ok(tables), Some(earlier)) if tables == earlier => {
                return Ok(Settled { tables, after: Instant::now() - from });
            }
            (Ok(tables), _) => {
                before = Some(tables);
                sleep(CALM).await;
            }
            (Err(why), Some(_)) => return Err(format!("convergence: nodes that agreed do not any more: {why}")),
            (Err(why), None) if Instant::now() - from > LIMIT => {
                return Err(format!("convergence: {LIMIT:?} after healing {why}"));
            }
            (Err(_), None) => sleep(PAUSE).await,
        }
    }
}

/// Repeats until it works or the time is over.
async fn until<F>(from: Instant, machine: &Machine, attempt: impl Fn() -> F) -> Result<(), String>
where
    F: Future<Output = Result<(), String>>,
{
    loop {
        match attempt().await {
            Ok(()) => return Ok(()),
            Err(why) if Instant::now() - from > LIMIT => return Err(why),
            Err(_) => {}
        }
        if let Condition::Failed(why) = machine.condition() {
            return Err(format!("it stopped: {why}"));
        }
        sleep(PAUSE).await;
    }
}

/// Writes every row that transactions of nodes now dead may have held, and takes the schema's lock.
async fn touch(machine: &Machine, trace: &Trace) -> Result<(), String> {
    let mut client = Client::connect(machine.mysql(), DATABASE, "settle", trace).await?;
    for table in ["accounts", "counters"] {
        let touched = client.execute(&format!("UPDATE {table} SET touched = touched + 1")).await;
        touched.map_err(|e| e.to_string())?;
    }
    let create = format!("CREATE TABLE IF NOT EXISTS last_of_{} (id INT PRIMARY KEY)", machine.name());
    client.execute(&create).await.map(drop).map_err(|e| e.to_string())
}

/// The tables, if all nodes have the same.
async fn agreed(machines: &[Machine], trace: &Trace) -> Result<Tables, String> {
    let mut first: Option<Tables> = None;
    for machine in machines {
        let tables = read_all(machine, trace).await.map_err(|why| format!("{}: {why}", machine.name()))?;
        match &first {
            None => first = Some(tables),
            Some(first) => {
                if let Some(how) = difference(first, &tables) {
                    return Err(format!("{} and {} differ: {how}", machines[0].name(), machine.name()));
                }
            }
        }
    }
    first.ok_or_else(|| "there are no machines".to_string())
}

/// Every table of the database, and how it is made.
async fn read_all(machine: &Machine, trace: &Trace) -> Result<Tables, String> {
    let mut client = Client::connect(machine.mysql(), DATABASE, "settle", trace).await?;
    let mut tables = Tables::new();
    for name in client.rows("SHOW TABLES").await.map_err(|e| e.to_string())? {
        let name = name.first().cloned().flatten().ok_or("SHOW TABLES without names")?;
        let mut definition = client.rows(&format!("SHOW CREATE TABLE {name}")).await.map_err(|e| e.to_string())?;
        let rows = client.rows(&format!("SELECT * FROM {name} ORDER BY id")).await.map_err(|e| e.to_string())?;
        definition.truncate(1);
        tables.insert(format!("definition of {name}"), definition);
        tables.insert(name, rows);
    }
    Ok(tables)
}

/// The first difference, for people.
fn difference(a: &Tables, b: &Tables) -> Option<String> {
    let names = |tables: &Tables| tables.keys().cloned().collect::<Vec<_>>();
    if names(a) != names(b) {
        return Some(format!("tables {:?} and {:?}", names(a), names(b)));
    }
    a.iter().zip(b.values()).find(|((_, a), b)| a != b).map(|((name, a), b)| {
        let only = |these: &Vec<Row>, those: &Vec<Row>| -> Vec<String> {
            these.iter().filter(|row| !those.contains(row)).take(3).map(|row| format!("{row:?}")).collect()
        };
        format!("{name}: {} rows with {:?}, {} rows with {:?}", a.len(), only(a, b), b.len(), only(b, a))
    })
}
