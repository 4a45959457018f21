//! Accounts and privileges.

mod fence;
mod listed;
mod privileges;
mod programs;
mod statements;

use super::*;

/// A node whose root made database `d` with table `t` of two rows, and account `ann` that may do nothing.
async fn with_ann() -> (Node, Client) {
    let (node, mut root) = Node::with_database().await;
    root.ok("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    root.ok("INSERT INTO t VALUES (1, 10), (2, 20)").await;
    root.ok("CREATE USER ann@'10.0.%' IDENTIFIED BY 'secret'").await;
    (node, root)
}

/// A client of that account.
async fn ann(node: &Node) -> Client {
    node.connect_from("ann", "10.0.0.7", CapabilityFlags::empty()).await
}
