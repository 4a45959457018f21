//! Judges list-append histories by the cycles in their dependencies, as Elle does (Kingsbury and Alvaro, *Elle:
//! Inferring Isolation Anomalies from Experimental Observations*, VLDB 2020), written anew for this simulator.
//!
//! Every list only grows by appends of elements that are written once, so the longest list read tells the order of all
//! versions. From it follow three kinds of edges between committed transactions: `ww` (appended right after), `wr`
//! (read a version the other made) and `rw` (read a version the other replaced). The cycles they form name the anomaly:
//!
//! | cycle | anomaly | snapshot isolation |
//! |---|---|---|
//! | only `ww` | G0, dirty write | forbidden |
//! | `ww` and `wr` | G1c, circular information flow | forbidden |
//! | exactly one `rw` | G-single, read skew | forbidden |
//! | two `rw`, next to each other | G2, write skew | allowed |
//! | two `rw`, apart | long fork | allowed on *local* reads: nodes apply independent commits in their own order |
//!
//! Besides: G1a (aborted read), G1b (intermediate read), lost update, and reads that contradict each other.

use std::collections::BTreeMap;

/// What is known of a transaction's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Committed,
    Aborted,
    /// Nobody knows; it counts as committed if somebody read it.
    Unknown,
}

/// One transaction of a history. Reads come before its appends.
#[derive(Clone, Debug)]
pub struct Transaction {
    pub end: End,
    /// Lists with what was seen of them.
    pub reads: Vec<(u64, Vec<u32>)>,
    /// Elements appended, in order; each element is unique in its list.
    pub appends: Vec<(u64, u32)>,
}

/// What a history shows that it should not, or that it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anomaly {
    DirtyWrite,
    AbortedRead,
    IntermediateRead,
    CircularFlow,
    ReadSkew,
    LostUpdate,
    IncompatibleOrder,
    /// An element nobody appended, or one twice.
    Phantom,
    WriteSkew,
    LongFork,
}

impl Anomaly {
    /// The short name of the literature.
    pub fn name(self) -> &'static str {
        match self {
            Anomaly::DirtyWrite => "G0",
            Anomaly::AbortedRead => "G1a",
            Anomaly::IntermediateRead => "G1b",
            Anomaly::CircularFlow => "G1c",
            Anomaly::ReadSkew => "G-single",
            Anomaly::LostUpdate => "lost-update",
            Anomaly::IncompatibleOrder => "incompatible-order",
            Anomaly::Phantom => "phantom",
            Anomaly::WriteSkew => "G2",
            Anomaly::LongFork => "long-fork",
        }
    }

    /// Whether the isolation level promised (snapshot isolation, of local snapshots) allows it.
    pub fn is_allowed(self) -> bool {
        matches!(self, Anomaly::WriteSkew | Anomaly::LongFork)
    }
}

/// One anomaly with the transactions that show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub anomaly: Anomaly,
    pub transactions: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    WriteWrite,
    WriteRead,
    ReadWrite,
}

/// Everything a history shows. Indices in findings are indices into `history`.
pub fn judge(history: &[Transaction]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut writers: BTreeMap<(u64, u32), usize> = BTreeMap::new();
    for (t, txn) in history.iter().enumerate() {
        for append in &txn.appends {
            if let Some(other) = writers.insert(*append, t) {
                findings.push(Finding { anomaly: Anomaly::Phantom, transactions: vec![other, t] });
            }
        }
    }
    // A read by a transaction that did not commit proves nothing.
    let reads = || {
        let committed = history.iter().enumerate().filter(|(_, t)| t.end == End::Committed);
        committed.flat_map(|(t, txn)| txn.reads.iter().map(move |(key, seen)| (t, *key, seen.as_slice())))
    };
    let mut longest: BTreeMap<u64, &[u32]> = BTreeMap::new();
    for (_, key, seen) in reads() {
        let order = longest.entry(key).or_insert(seen);
        if seen.len() > order.len() {
            *order = seen;
        }
    }
    for (t, key, seen) in reads() {
        if !longest[&key].starts_with(seen) {
            findings.push(Finding { anomaly: Anomaly::IncompatibleOrder, transactions: vec![t] });
        }
        dirty_reads(history, &writers, (t, key, seen), &mut findings);
    }
    lost_updates(history, &mut findings);
    let graph = edges(history, &writers, &longest);
    cycles(history.len(), &graph, &mut findings);
    findings.sort_by(|a, b| (a.anomaly, &a.transactions).cmp(&(b.anomaly, &b.transactions)));
    findings.dedup();
    findings
}

fn dirty_reads(
    history: &[Transaction],
    writers: &BTreeMap<(u64, u32), usize>,
    (t, key, seen): (usize, u64, &[u32]),
    findings: &mut Vec<Finding>,
) {
    for element in seen {
        match writers.get(&(key, *element)) {
            None => findings.push(Finding { anomaly: Anomaly::Phantom, transactions: vec![t] }),
            Some(w) if history[*w].end == End::Aborted => {
                findings.push(Finding { anomaly: Anomaly::AbortedRead, transactions: vec![*w, t] });
            }
            Some(_) => (),
        }
    }
    // The last element seen must be the last its writer appended to that list.
    if let Some(w) = seen.last().and_then(|e| writers.get(&(key, *e)))
        && *w != t
        && history[*w].appends.iter().rev().find(|(k, _)| *k == key).map(|(_, e)| e) != seen.last()
    {
        findings.push(Finding { anomaly: Anomaly::IntermediateRead, transactions: vec![*w, t] });
    }
}

fn lost_updates(history: &[Transaction], findings: &mut Vec<Finding>) {
    let mut updated: BTreeMap<(u64, &[u32]), usize> = BTreeMap::new();
    for (t, txn) in history.iter().enumerate().filter(|(_, txn)| txn.end == End::Committed) {
        for (key, seen) in &txn.reads {
            if txn.appends.iter().any(|(k, _)| k == key)
                && let Some(other) = updated.insert((*key, seen), t)
                && other != t
            {
                findings.push(Finding { anomaly: Anomaly::LostUpdate, transactions: vec![other, t] });
            }
        }
    }
}

fn edges(
    history: &[Transaction],
    writers: &BTreeMap<(u64, u32), usize>,
    longest: &BTreeMap<u64, &[u32]>,
) -> Vec<Vec<(usize, Edge)>> {
    let mut graph = vec![Vec::new(); history.len()];
    let mut add = |from: usize, to: usize, edge: Edge| {
        if from != to && !graph[from].contains(&(to, edge)) {
            graph[from].push((to, edge));
        }
    };
    for (key, order) in longest {
        for pair in order.windows(2) {
            if let (Some(a), Some(b)) = (writers.get(&(*key, pair[0])), writers.get(&(*key, pair[1]))) {
                add(*a, *b, Edge::WriteWrite);
            }
        }
    }
    for (t, txn) in history.iter().enumerate().filter(|(_, txn)| txn.end == End::Committed) {
        for (key, seen) in &txn.reads {
            if let Some(w) = seen.last().and_then(|e| writers.get(&(*key, *e))) {
                add(*w, t, Edge::WriteRead);
            }
            if let Some(next) = longest.get(key).and_then(|order| order.get(seen.len()))
                && let Some(w) = writers.get(&(*key, *next))
            {
                add(t, *w, Edge::ReadWrite);
            }
        }
    }
    graph
}

fn cycles(nodes: usize, graph: &[Vec<(usize, Edge)>], findings: &mut Vec<Finding>) {
    let no_reads = |e: Edge| e == Edge::WriteWrite;
    let no_anti = |e: Edge| e != Edge::ReadWrite;
    for component in components(nodes, graph, no_reads) {
        findings.push(Finding { anomaly: Anomaly::DirtyWrite, transactions: component });
    }
    for component in components(nodes, graph, no_anti) {
        if !components_within(&component, graph, no_reads) {
            findings.push(Finding { anomaly: Anomaly::CircularFlow, transactions: component });
        }
    }
    for component in components(nodes, graph, |_| true) {
        anti_dependencies(nodes, graph, &component, findings);
    }
}

/// The cycles of one component that need `rw` edges: with one it is read skew, with two neighbours write skew, else a
/// long fork.
fn anti_dependencies(nodes: usize, graph: &[Vec<(usize, Edge)>], component: &[usize], findings: &mut Vec<Finding>) {
    let mut single = false;
    let mut adjacent = false;
    let mut any = false;
    let mut inside = vec![false; nodes];
    component.iter().for_each(|t| inside[*t] = true);
    for from in component {
        for (to, _) in graph[*from].iter().filter(|(to, e)| *e == Edge::ReadWrite && inside[*to]) {
            any = true;
            if reaches(nodes, graph, *to, *from, |e| e != Edge::ReadWrite) {
                findings.push(Finding { anomaly: Anomaly::ReadSkew, transactions: vec![*from, *to] });
                single = true;
            }
            adjacent |= graph[*to].iter().any(|(next, e)| *e == Edge::ReadWrite && inside[*next]);
        }
    }
    if any && !single {
        let anomaly = if adjacent { Anomaly::WriteSkew } else { Anomaly::LongFork };
        findings.push(Finding { anomaly, transactions: component.to_vec() });
    }
}

fn reaches(nodes: usize, graph: &[Vec<(usize, Edge)>], from: usize, to: usize, follow: fn(Edge) -> bool) -> bool {
    let mut seen = vec![false; nodes];
    let mut stack = vec![from];
    while let Some(t) = stack.pop() {
        if t == to {
            return true;
        }
        if !std::mem::replace(&mut seen[t], true) {
            stack.extend(graph[t].iter().filter(|(_, e)| follow(*e)).map(|(next, _)| *next));
        }
    }
    false
}

fn components_within(component: &[usize], graph: &[Vec<(usize, Edge)>], follow: fn(Edge) -> bool) -> bool {
    components(graph.len(), graph, follow).iter().any(|c| c.iter().all(|t| component.contains(t)))
}

/// Strongly connected components of more than one transaction (Tarjan's algorithm, without recursion).
fn components(nodes: usize, graph: &[Vec<(usize, Edge)>], follow: fn(Edge) -> bool) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let (mut index, mut low) = (vec![UNSEEN; nodes], vec![0; nodes]);
    let mut on_stack = vec![false; nodes];
    let (mut stack, mut result) = (Vec::new(), Vec::new());
    let mut count = 0;
    for root in 0..nodes {
        if index[root] != UNSEEN {
            continue;
        }
        let mut work = vec![(root, 0)];
        while let Some((t, position)) = work.pop() {
            if position == 0 {
                index[t] = count;
                low[t] = count;
                count += 1;
                stack.push(t);
                on_stack[t] = true;
            }
            let next = graph[t].iter().enumerate().skip(position).find(|(_, (_, e))| follow(*e));
            if let Some((i, (to, _))) = next {
                work.push((t, i + 1));
                if index[*to] == UNSEEN {
                    work.push((*to, 0));
                } else if on_stack[*to] {
                    low[t] = low[t].min(index[*to]);
                }
                continue;
            }
            if low[t] == index[t] {
                let start = stack.iter().rposition(|s| *s == t).unwrap_or(0);
                let mut component = stack.split_off(start);
                component.iter().for_each(|s| on_stack[*s] = false);
                if component.len() > 1 {
                    component.sort_unstable();
                    result.push(component);
                }
            }
            if let Some((parent, _)) = work.last() {
                low[*parent] = low[*parent].min(low[t]);
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn txn(reads: &[(u64, &[u32])], appends: &[(u64, u32)]) -> Transaction {
        let reads = reads.iter().map(|(k, seen)| (*k, seen.to_vec())).collect();
        Transaction { end: End::Committed, reads, appends: appends.to_vec() }
    }

    fn names(history: &[Transaction]) -> Vec<&'static str> {
        let mut names: Vec<_> = judge(history).iter().map(|f| f.anomaly.name()).collect();
        names.dedup();
        names
    }

    #[test]
    fn a_serial_history_is_clean() {
        let history =
            [txn(&[(1, &[])], &[(1, 1)]), txn(&[(1, &[1]), (2, &[])], &[(2, 2)]), txn(&[(1, &[1]), (2, &[2])], &[])];
        assert_eq!(names(&history), Vec::<&str>::new());
    }

    #[test]
    fn opposite_orders_of_two_lists_are_a_dirty_write() {
        let history =
            [txn(&[], &[(1, 1), (2, 1)]), txn(&[], &[(1, 2), (2, 2)]), txn(&[(1, &[1, 2]), (2, &[2, 1])], &[])];
        assert!(names(&history).contains(&"G0"), "{:?}", names(&history));
    }

    #[test]
    fn an_aborted_element_must_not_be_read() {
        let mut aborted = txn(&[], &[(1, 1)]);
        aborted.end = End::Aborted;
        assert_eq!(names(&[aborted, txn(&[(1, &[1])], &[])]), ["G1a"]);
    }

    #[test]
    fn an_unknown_element_may_be_read() {
        let mut unknown = txn(&[], &[(1, 1)]);
        unknown.end = End::Unknown;
        assert_eq!(names(&[unknown, txn(&[(1, &[1])], &[])]), Vec::<&str>::new());
    }

    #[test]
    fn half_a_transaction_must_not_be_read() {
        assert_eq!(names(&[txn(&[], &[(1, 1), (1, 2)]), txn(&[(1, &[1])], &[])]), ["G1b"]);
    }

    #[test]
    fn reading_each_other_is_circular() {
        let history = [txn(&[(2, &[2])], &[(1, 1)]), txn(&[(1, &[1])], &[(2, 2)])];
        assert_eq!(names(&history), ["G1c"]);
    }

    #[test]
    fn seeing_one_write_of_two_is_read_skew() {
        let history = [txn(&[], &[(1, 1), (2, 1)]), txn(&[(1, &[1]), (2, &[])], &[]), txn(&[(2, &[1])], &[])];
        assert_eq!(names(&history), ["G-single"]);
    }

    #[test]
    fn two_updates_of_one_version_lose_one() {
        let history = [txn(&[(1, &[])], &[(1, 1)]), txn(&[(1, &[])], &[(1, 2)]), txn(&[(1, &[1, 2])], &[])];
        assert!(names(&history).contains(&"lost-update"), "{:?}", names(&history));
    }

    #[test]
    fn reads_must_agree_on_the_order() {
        let history = [txn(&[], &[(1, 1)]), txn(&[], &[(1, 2)]), txn(&[(1, &[1])], &[]), txn(&[(1, &[2, 1])], &[])];
        assert!(names(&history).contains(&"incompatible-order"), "{:?}", names(&history));
    }

    #[test]
    fn an_element_from_nowhere_is_a_phantom() {
        assert_eq!(names(&[txn(&[(1, &[7])], &[])]), ["phantom"]);
    }

    #[test]
    fn write_skew_is_seen_and_allowed() {
        let history = [
            txn(&[(1, &[]), (2, &[])], &[(1, 1)]),
            txn(&[(1, &[]), (2, &[])], &[(2, 2)]),
            txn(&[(1, &[1]), (2, &[2])], &[]),
        ];
        assert_eq!(names(&history), ["G2"]);
        assert!(judge(&history).iter().all(|f| f.anomaly.is_allowed()));
    }

    #[test]
    fn a_long_fork_is_told_from_write_skew() {
        let history = [
            txn(&[], &[(1, 1)]),
            txn(&[], &[(2, 2)]),
            txn(&[(1, &[1]), (2, &[])], &[]),
            txn(&[(1, &[]), (2, &[2])], &[]),
        ];
        assert_eq!(names(&history), ["long-fork"]);
        assert!(Anomaly::LongFork.is_allowed() && !Anomaly::ReadSkew.is_allowed());
    }
}
