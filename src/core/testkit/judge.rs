//! What a script's `check` judges: that nodes agree, that nothing acknowledged is missing, that everything ended.

use crate::core::{ApplyTask, Response};
use crate::types::{ClientId, NodeId, RowImage, Stamp, TxnId, VersionVector};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Watches a cluster from outside.
#[derive(Default)]
pub struct Judge {
    /// What the files of each node hold.
    applied: BTreeMap<NodeId, BTreeMap<TxnId, Stamp>>,
    acknowledged: Vec<TxnId>,
    /// Barriers that have not ended, with the number of commits acknowledged when they began.
    barriers: BTreeMap<ClientId, usize>,
    broken: Vec<String>,
    /// Barriers that ended without an answer: no harm, unless nothing stood in their way.
    refused: Vec<String>,
}

impl Judge {
    pub fn barrier(&mut self, client: u64) {
        self.barriers.insert(ClientId(client), self.acknowledged.len());
    }

    /// A task reaches the files of `node`, whose rows are `rows`.
    pub fn applied(&mut self, node: NodeId, task: &ApplyTask, rows: &BTreeMap<Arc<[u8]>, RowImage>) {
        self.applied.entry(node).or_default().insert(task.txn, task.stamp);
        if task.may_evict {
            return;
        }
        for change in task.write_set.tables.iter().flat_map(|t| &t.rows) {
            if rows.get(&change.key) != change.before.as_ref() {
                let key = String::from_utf8_lossy(&change.key).into_owned();
                self.broken.push(format!("{node} applies {} on another version of {key} than it read", task.txn));
            }
        }
    }

    pub fn replied(&mut self, node: NodeId, client: ClientId, response: &Response) {
        match response {
            Response::Committed { txn, .. } => self.acknowledged.push(*txn),
            Response::BarrierDone => {
                let begun = self.barriers.remove(&client).unwrap_or(0);
                let quorum = self.acknowledged[..begun].iter().filter(|t| !t.origin.is_one_log());
                let held = self.applied.get(&node);
                let unseen = quorum.filter(|t| held.is_none_or(|h| !h.contains_key(t)));
                self.broken.extend(unseen.map(|t| format!("a barrier on {node} ended without {t}")));
            }
            Response::Refused(_) if self.barriers.remove(&client).is_some() => {
                self.refused.push(format!("the barrier of c{} was refused", client.0));
            }
            _ => {}
        }
    }

    pub fn fatal(&mut self, node: NodeId, why: &str) {
        self.broken.push(format!("{node} stopped: {why}"));
    }

    /// What is wrong so far. `nodes`: those that run and belong to the cluster, with what they hold and
    /// the number of transactions with intents. `ended`: everything should have come to an end.
    pub fn check(&self, nodes: &BTreeMap<NodeId, (VersionVector, usize)>, ended: bool) -> Vec<String> {
        let mut lines = self.broken.clone();
        let none = BTreeMap::new();
        for (node, held) in &self.applied {
            for (txn, stamp) in held {
                for (other, _) in nodes.iter().filter(|(n, (v, _))| *n != node && v.contains(*txn)) {
                    match self.applied.get(other).unwrap_or(&none).get(txn) {
                        None => lines.push(format!("{txn}: {node} committed it, {other} has it without effect")),
                        Some(s) if s != stamp => lines.push(format!("{txn}: {stamp} on {node}, {s} on {other}")),
                        Some(_) => {}
                    }
                }
            }
        }
        if ended {
            lines.extend(self.refused.iter().cloned());
            for txn in self.acknowledged.iter().filter(|t| !t.origin.is_one_log()) {
                for (node, (vector, _)) in nodes.iter().filter(|(_, (v, _))| !v.contains(*txn)) {
                    lines.push(format!("{node} at {vector} lacks {txn}, which was acknowledged"));
                }
            }
            lines.extend(self.barriers.keys().map(|c| format!("the barrier of c{} was not answered", c.0)));
            let intents = nodes.iter().filter(|(_, (_, intents))| *intents > 0);
            lines.extend(intents.map(|(n, (_, intents))| format!("{n} still holds the intents of {intents}")));
        }
        lines.iter_mut().for_each(|line| line.insert_str(0, "BROKEN: "));
        if lines.is_empty() { vec!["all is well".to_string()] } else { lines }
    }
}
