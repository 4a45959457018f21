//! The workloads: what clients do, and which checker judges it. Each works in a database of its own.

mod append;
mod bank;
mod counter;
mod definitions;
mod family;
mod fork;
mod ids;
mod mixed;
mod names;
mod register;
mod set;
mod skew;

pub use mixed::REMOVED;

use crate::check::Report;
use crate::check::dependencies::Reads;
use crate::edn::Edn;
use crate::history::{End, Operation, Recorder};
use crate::session::{Session, Trouble};
use rand::rngs::StdRng;

/// One kind of clients.
pub trait Workload: Send + Sync {
    fn name(&self) -> &'static str;

    /// One line for people.
    fn about(&self) -> &'static str;

    /// What makes its tables, each a transaction of its own.
    fn schema(&self) -> Vec<String>;

    fn clients_per_node(&self) -> usize {
        1
    }

    /// What client `client` of a node sets at the beginning of a session with Marmot.
    fn greeting(&self, client: usize) -> Vec<&'static str> {
        let _ = client;
        Vec::new()
    }

    /// One operation, or a few.
    fn step(&self, turn: &mut Turn);

    /// What is read from each node's own file in the end.
    fn finish(&self, turn: &mut Turn);

    fn check(&self, history: &[Operation]) -> Report;
}

/// The database of a workload.
pub fn database(name: &str) -> String {
    format!("jepsen_{}", name.replace('-', "_"))
}

/// All of them, new.
pub fn all() -> Vec<Box<dyn Workload>> {
    vec![
        Box::new(register::Register::default()),
        Box::new(bank::Bank),
        Box::new(append::Append::new("append", Reads::Local)),
        Box::new(append::Append::new("append-quorum", Reads::Quorum)),
        Box::new(set::Set::default()),
        Box::new(counter::Counter),
        Box::new(names::Names::default()),
        Box::new(ids::Ids::new("ids", "BIGINT")),
        Box::new(ids::Ids::new("ids-int", "INT")),
        Box::new(skew::Skew::new("skew", "")),
        Box::new(skew::Skew::new("skew-locked", " FOR UPDATE")),
        Box::new(fork::Fork::default()),
        Box::new(family::Family::default()),
        Box::new(definitions::Definitions::default()),
        Box::new(mixed::Mixed::default()),
    ]
}

/// A client about to act.
pub struct Turn<'a> {
    pub session: &'a mut Session,
    pub dice: &'a mut StdRng,
    pub recorder: &'a Recorder,
    pub process: &'a mut u64,
    pub node: usize,
    /// The client's number among those of its node.
    pub client: usize,
}

impl Turn<'_> {
    /// Does something and records it. The answer is nil where nothing more is to be said than what was asked.
    pub fn act(
        &mut self,
        f: &str,
        call: impl Into<Edn>,
        work: impl FnOnce(&mut Session) -> Result<Edn, Trouble>,
    ) -> Option<Edn> {
        let call = call.into();
        let called = self.recorder.clock.now();
        let outcome = work(self.session);
        let returned = self.recorder.clock.now();
        let (end, result, error) = match outcome {
            Ok(Edn::Nil) => (End::Ok, call.clone(), None),
            Ok(result) => (End::Ok, result, None),
            Err(trouble) if trouble.unknown => (End::Info, call.clone(), Some(trouble.text)),
            Err(trouble) => (End::Fail, call.clone(), Some(trouble.text)),
        };
        let answer = (end == End::Ok).then(|| result.clone());
        let (process, node) = (*self.process, self.node);
        self.recorder.push(Operation { process, node, f: f.to_string(), call, result, called, returned, end, error });
        if end == End::Info {
            *self.process = self.recorder.new_process();
        }
        answer
    }
}

/// `?` on statements whose answer does not matter.
fn done<T>(outcome: Result<T, Trouble>) -> Result<Edn, Trouble> {
    outcome.map(|_| Edn::Nil)
}

/// Pairs of numbers as a query gives them.
fn pairs(session: &mut Session, sql: &str) -> Result<Edn, Trouble> {
    let rows = session.rows(sql)?;
    Ok(rows.iter().filter_map(|row| Some((crate::session::number(row, 0)?, crate::session::number(row, 1)?))).collect())
}
