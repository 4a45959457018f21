//! Histories: what clients asked and were answered, and when. Written as EDN in the form that Jepsen and Elle read.

use crate::edn::{self, Edn};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How an operation ended, as far as its client can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Acknowledged.
    Ok,
    /// It certainly did not happen.
    Fail,
    /// It happened, or it did not, or it will.
    Info,
}

impl End {
    pub fn name(self) -> &'static str {
        match self {
            End::Ok => "ok",
            End::Fail => "fail",
            End::Info => "info",
        }
    }
}

/// The process of whoever injects faults: `:nemesis` in EDN.
pub const NEMESIS: u64 = u64::MAX;

/// One operation of a client, or a fault from its beginning to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// A client that does not know how its operation ended goes on as another process.
    pub process: u64,
    /// The node that was asked, from 0.
    pub node: usize,
    pub f: String,
    /// What was asked for.
    pub call: Edn,
    /// What was answered; what was asked for again where nothing was.
    pub result: Edn,
    /// Nanoseconds since the history began.
    pub called: u64,
    pub returned: u64,
    pub end: End,
    pub error: Option<String>,
}

impl Operation {
    pub fn is_ok(&self) -> bool {
        self.end == End::Ok
    }

    /// It may have happened.
    pub fn may_be(&self) -> bool {
        self.end != End::Fail
    }

    pub fn is(&self, f: &str) -> bool {
        self.f == f
    }
}

/// The clock all histories of a run share.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    pub fn now(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Collects the operations of one workload.
#[derive(Debug)]
pub struct Recorder {
    pub clock: Stopwatch,
    operations: Mutex<Vec<Operation>>,
    processes: AtomicU64,
}

impl Recorder {
    pub fn new(clock: Stopwatch) -> Recorder {
        Recorder { clock, operations: Mutex::default(), processes: AtomicU64::new(0) }
    }

    pub fn new_process(&self) -> u64 {
        self.processes.fetch_add(1, Ordering::Relaxed)
    }

    pub fn push(&self, operation: Operation) {
        self.operations.lock().expect("nobody panics with it").push(operation);
    }

    pub fn take(&self) -> Vec<Operation> {
        let mut operations = std::mem::take(&mut *self.operations.lock().expect("nobody panics with it"));
        operations.sort_by_key(|op| op.called);
        operations
    }
}

/// Writes a history: an event for each call and each answer, in order of time.
pub fn write(path: &Path, history: &[Operation]) -> std::io::Result<()> {
    let mut events: Vec<(u64, &Operation, bool)> = Vec::new();
    for operation in history {
        events.push((operation.called, operation, false));
        events.push((operation.returned, operation, true));
    }
    events.sort_by_key(|(time, operation, answered)| (*time, *answered, operation.process));
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    for (index, (time, operation, answered)) in events.into_iter().enumerate() {
        let kind = match (answered, operation.process) {
            (true, _) => operation.end.name(),
            // As Jepsen has it: both the beginning and the end of a fault are information.
            (false, NEMESIS) => "info",
            (false, _) => "invoke",
        };
        let value = if answered { &operation.result } else { &operation.call };
        let process = if operation.process == NEMESIS { ":nemesis".into() } else { operation.process.to_string() };
        write!(out, "{{:index {index}, :time {time}, :process {process}, :type :{kind}")?;
        write!(out, ", :f :{}, :value {value}, :node {}", operation.f, operation.node)?;
        if let Some(error) = operation.error.as_ref().filter(|_| answered) {
            write!(out, ", :error {}", Edn::from(error.as_str()))?;
        }
        writeln!(out, "}}")?;
    }
    out.flush()
}

/// Reads what [`write`] wrote.
pub fn read(text: &str) -> Result<Vec<Operation>, String> {
    let mut open: HashMap<u64, Operation> = HashMap::new();
    let mut history = Vec::new();
    for event in edn::parse(text)? {
        let number = |key: &str| event.get(key).int().ok_or(format!("an event without :{key}: {event}"));
        let process = if event.get("process").text() == Some("nemesis") { NEMESIS } else { number("process")? as u64 };
        let time = number("time")? as u64;
        let value = event.get("value").clone();
        let begins = process == NEMESIS && !open.contains_key(&process);
        let end = match event.get("type").text() {
            kind if kind == Some("invoke") || begins => {
                let operation = Operation {
                    process,
                    node: event.get("node").int().unwrap_or(0) as usize,
                    f: event.get("f").text().unwrap_or_default().to_string(),
                    call: value.clone(),
                    result: value,
                    called: time,
                    returned: u64::MAX,
                    end: End::Info,
                    error: None,
                };
                if open.insert(process, operation).is_some() {
                    return Err(format!("process {process} does two things at once"));
                }
                continue;
            }
            Some("ok") => End::Ok,
            Some("fail") => End::Fail,
            Some("info") => End::Info,
            _ => return Err(format!("an event of unknown :type: {event}")),
        };
        let mut operation = open.remove(&process).ok_or(format!("an answer to nothing: {event}"))?;
        (operation.end, operation.result, operation.returned) = (end, value, time);
        operation.error = event.get("error").text().map(str::to_string);
        history.push(operation);
    }
    history.extend(open.into_values());
    history.sort_by_key(|operation| operation.called);
    Ok(history)
}

/// Short histories for the tests of checkers.
#[cfg(test)]
pub mod testing {
    use super::*;

    /// An operation from `called` to `returned` of a process of its own.
    pub fn op(f: &str, value: impl Into<Edn>, span: (u64, u64), end: End) -> Operation {
        let value = value.into();
        Operation {
            process: span.0,
            node: 0,
            f: f.to_string(),
            call: value.clone(),
            result: value,
            called: span.0,
            returned: span.1,
            end,
            error: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::op;
    use super::*;

    #[test]
    fn a_history_is_read_as_it_was_written() {
        let mut history = vec![op("add", 1, (1, 4), End::Ok), op("read", Edn::Nil, (2, 9), End::Info)];
        history.push(Operation { process: NEMESIS, ..op("kill", "node 1", (3, 8), End::Info) });
        history[1].error = Some("gone \"away\"".into());
        history[0].result = [1, 2].into_iter().map(|n| n as i64).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        write(file.path(), &history).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.starts_with("{:index 0, :time 1, :process 1, :type :invoke, :f :add, :value 1, :node 0}\n"));
        assert_eq!(read(&text).unwrap(), history);
    }

    #[test]
    fn a_call_without_an_answer_is_unknown() {
        let history = read("{:process 1 :time 5 :type :invoke :f :add :value 3}").unwrap();
        assert_eq!((history[0].end, history[0].returned), (End::Info, u64::MAX));
    }
}
