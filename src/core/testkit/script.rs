//! Golden scripts. Commands:
//!
//! ```text
//! cluster nodes=N [unique=a] [retention=MS]   start N nodes and admit them all; column `a` may have a unique index
//! write nI KEY a=V b=V [level=L] [schema=held] [again=cN]   commit from node I; `delete nI KEY` removes the row; `again`:
//!                                 with the precedence of client N, which was refused
//! lock nI [again=cN]              ask for the schema lock
//! change nI                       change the schema under the lock that was granted
//! barrier nI                      a QUORUM read barrier
//! deliver [from=nI] [to=nJ] [kind=Prepare]   deliver what matches, once
//! lose [from=nI] [to=nJ] [kind=…] drop what matches
//! settle                          deliver until nothing is under way
//! tick MS                         let time pass; every node ticks
//! run MS                          let time pass with everything delivered; tell answers to clients only
//! cut nI nJ [both]  heal          the network
//! hold nI   release nI            what a node sends stays under way
//! stall nI  resume nI             what a node applies is done only when it resumes
//! join nI                         a new node asks to join
//! clock nI MS                     put a wall clock ahead
//! check [ended]                   what is wrong, by the judge; `ended`: nothing may be under way any more
//! crash nI   restart nI
//! remove nI nJ                    node I removes member J
//! leave nI                        a node leaves for good
//! build nI V                      a node is restarted with a program that understands versions up to V
//! versions                        what each node speaks
//! fill nI COUNT                   that many QUORUM writes to one row, each settled, in silence
//! synced nI                       what is applied on node I is durable in its files
//! renew nI nJ                     node I, which is down, goes on with a copy of node J
//! clocks                          how far each node takes the others' wall clocks to be ahead
//! settling KEY                    whether a row may still differ between nodes, as each of them sees it
//! rows    status    conflicts     what every node has; where it stands; its conflict log
//! logs                            the entries of every node's log, with the rows their records tell of
//! ```

use super::cluster::{Cluster, Write, describe};
use crate::core::message::Message;
use crate::core::{Bug, Input, MemberChange, Request};
use crate::types::{ClientId, NodeId, ReadLevel, WriteLevel};
use goldenscript::{Command, Context, Runner};
use std::error::Error;

#[derive(Default)]
struct Script {
    cluster: Cluster,
}

fn node(text: &str) -> Result<NodeId, Box<dyn Error>> {
    let number = text.strip_prefix('n').ok_or_else(|| format!("'{text}' is not a node"))?;
    Ok(NodeId(number.parse()?))
}

fn client(text: &str) -> Result<ClientId, Box<dyn Error>> {
    let number = text.strip_prefix('c').ok_or_else(|| format!("'{text}' is not a client"))?;
    Ok(ClientId(number.parse()?))
}

impl Runner for Script {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Box<dyn Error>> {
        let mut args = command.consume_args();
        let cluster = &mut self.cluster;
        match command.name.as_str() {
            "cluster" => {
                let nodes = args.take_key("nodes").unwrap_or("3").parse()?;
                cluster.unique = args.take_key("unique").is_some();
                cluster.retention = args.take_key("retention").map(str::parse).transpose()?;
                cluster.start(nodes);
            }
            "write" | "delete" => {
                let id = node(args.next_pos().ok_or("which node?")?)?;
                let key = args.next_pos().ok_or("which key?")?.to_string();
                let level: WriteLevel = args.take_key("level").unwrap_or("QUORUM").parse()?;
                let mut cells = Vec::new();
                for (column, name) in [(1, "a"), (2, "b")] {
                    if let Some(value) = args.take_key(name) {
                        cells.push((column, value.to_string()));
                    }
                }
                let holds_schema = args.take_key("schema").is_some();
                let again = args.take_key("again").map(client).transpose()?;
                let cells = (command.name == "write").then_some(cells);
                cluster.write(id, &key, cells, Write { level, holds_schema, again });
            }
            "fill" => {
                let id = node(args.next_pos().ok_or("which node?")?)?;
                let count: u64 = args.next_pos().ok_or("how many?")?.parse()?;
                for n in 0..count {
                    cluster.write(id, "fill", Some(vec![(2, n.to_string())]), Write::default());
                    cluster.settle();
                }
                cluster.log.clear();
            }
            "synced" => cluster.sync(node(args.next_pos().ok_or("which node?")?)?),
            "conflicts" => {
                for id in cluster.machines.keys().copied().collect::<Vec<_>>() {
                    let lines = cluster.conflicts(id);
                    cluster.log.extend(lines);
                }
            }
            "lock" => {
                let id = node(args.next_pos().ok_or("which node?")?)?;
                cluster.lock(id, args.take_key("again").map(client).transpose()?);
            }
            "change" => cluster.change_schema(node(args.next_pos().ok_or("which node?")?)?),
            "barrier" => {
                let id = node(args.next_pos().ok_or("which node?")?)?;
                cluster.request(id, Request::Barrier(ReadLevel::Quorum));
            }
            "remove" => {
                let id = node(args.next_pos().ok_or("which node?")?)?;
                let gone = node(args.next_pos().ok_or("which member?")?)?;
                cluster.request(id, Request::Member(MemberChange::Remove(gone)));
            }
            "deliver" | "lose" => {
                let from = args.take_key("from").map(node).transpose()?;
                let to = args.take_key("to").map(node).transpose()?;
                let kind = args.take_key("kind").map(str::to_string);
                let wanted = |f: NodeId, t: NodeId, m: &Message| {
                    from.is_none_or(|x| x == f)
                        && to.is_none_or(|x| x == t)
                        && kind.as_ref().is_none_or(|k| describe(m).split(' ').next() == Some(k))
                };
                match command.name.as_str() {
                    "deliver" => drop(cluster.deliver(wanted)),
                    _ => cluster.lose(wanted),
                }
            }
            "settle" => cluster.settle(),
            "run" => cluster.run(args.next_pos().ok_or("how long?")?.parse()?),
            "join" => cluster.join(node(args.next_pos().ok_or("which node?")?)?),
            "clock" => {
                let id = node(args.next_pos().ok_or("which node?")?)?;
                cluster.clock_ahead(id, args.next_pos().ok_or("how far?")?.parse()?);
            }
            "check" => {
                let ended = args.next_pos().is_some();
                cluster.check(ended);
            }
            "tick" => cluster.advance(args.next_pos().ok_or("how long?")?.parse()?),
            "cut" => {
                let a = node(args.next_pos().ok_or("from which node?")?)?;
                let b = node(args.next_pos().ok_or("to which node?")?)?;
                cluster.cut(a, b);
                if args.next_pos().is_some() {
                    cluster.cut(b, a);
                }
            }
            "heal" => cluster.heal(),
            "hold" => cluster.hold(node(args.next_pos().ok_or("which node?")?)?),
            "release" => cluster.release(node(args.next_pos().ok_or("which node?")?)?),
            "stall" => cluster.stall(node(args.next_pos().ok_or("which node?")?)?),
            "resume" => cluster.resume(node(args.next_pos().ok_or("which node?")?)?),
            "leave" => cluster.step(node(args.next_pos().ok_or("which node?")?)?, Input::Leave),
            "build" => {
                let id = node(args.next_pos().ok_or("which node?")?)?;
                cluster.build(id, args.next_pos().ok_or("which version?")?.parse()?);
            }
            "versions" => {
                let lines = cluster.versions();
                cluster.log.extend(lines);
            }
            "renew" => {
                let id = node(args.next_pos().ok_or("which node?")?)?;
                cluster.renew(id, node(args.next_pos().ok_or("which source?")?)?);
            }
            "logs" => {
                let lines = cluster.logs();
                cluster.log.extend(lines);
            }
            "crash" => cluster.crash(node(args.next_pos().ok_or("which node?")?)?),
            "restart" => cluster.restart(node(args.next_pos().ok_or("which node?")?)?),
            "rows" => {
                for (id, machine) in &cluster.machines {
                    let rows: Vec<String> = machine
                        .rows
                        .values()
                        .map(|r| r.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
                        .collect();
                    cluster.log.push(format!("{id}: {}", rows.join(" | ")));
                }
            }
            "peers" => tell_each(cluster, Cluster::peers),
            "settling" => {
                let key = args.next_pos().ok_or("which key?")?.to_string();
                tell_each(cluster, |cluster, id| cluster.settling(id, &key));
            }
            "clocks" => tell_each(cluster, Cluster::clocks),
            "status" => tell_each(cluster, Cluster::status),
            other => return Err(format!("unknown command {other}").into()),
        }
        args.reject_next()?;
        let lines = std::mem::take(&mut cluster.log);
        Ok(lines.into_iter().map(|l| l + "\n").collect())
    }
}

/// Adds a line about each node.
fn tell_each(cluster: &mut Cluster, line: impl Fn(&Cluster, NodeId) -> String) {
    let lines: Vec<String> = cluster.machines.keys().map(|id| line(cluster, *id)).collect();
    cluster.log.extend(lines);
}

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/core/testscripts");
    let mut count = 0;
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    for path in paths {
        goldenscript::run(&mut Script::default(), &path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        count += 1;
    }
    assert!(count >= 8, "only {count} scripts found");
}

/// Each script in `planted` is named after the bug that its last command notices: without the bug all is as written,
/// with it the end is another.
#[test]
fn planted_bugs_are_noticed_by_their_scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/core/testscripts/planted");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let mut unnoticed = Vec::new();
    println!("| planted bug | noticed by its script |\n|---|---|");
    for path in paths {
        goldenscript::run(&mut Script::default(), &path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bug = *Bug::ALL.iter().find(|b| b.name() == name).unwrap_or_else(|| panic!("{name} is no planted bug"));
        let text = std::fs::read_to_string(&path).unwrap();
        let mut cluster = Cluster::default();
        cluster.bug = Some(bug);
        let planted = goldenscript::generate(&mut Script { cluster }, &text).unwrap();
        let last = |text: &str| text.trim_end().rsplit("\n---\n").next().unwrap_or("").to_string();
        let (without, with) = (last(&text), last(&planted));
        // A script that ends in the rows shows it there, one that ends in `check` by what the judge says.
        let judged = without.ends_with("all is well");
        if without == with || (judged && !with.contains("BROKEN")) {
            unnoticed.push(format!("{name}: the end of its script does not show the bug:\n{with}"));
        }
        println!("| {name} | {} |", with.lines().rev().find(|l| l.contains("BROKEN")).unwrap_or("other rows"));
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}
