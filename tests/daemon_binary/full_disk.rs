//! A disk that fills up, to the last byte, and has room again. The disk is a small tmpfs that only the node's process sees:
//! it goes with the process, and no privilege is needed where users may have namespaces.

use crate::process::{Daemon, command, log, rows, wait};
use mysql::prelude::Queryable;
use mysql::{Conn, Error};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A node refuses writes when less than this is left.
const REFUSES_BELOW: u64 = 64 << 20;
/// So much more that no test writes it: in its logs and files a row is there up to four times.
const DISK: &str = "size=256m";

/// The command of a node whose data directory is a small disk of its own.
fn on_a_small_disk(directory: &Path) -> Command {
    let node = command(directory);
    let mut command = Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let script = format!("mkdir -p data && mount -t tmpfs -o {DISK} marmot data && exec \"$0\" \"$@\"");
    command.args(["--mount", "--", "sh", "-c", &script]).arg(node.get_program());
    command.current_dir(directory).env_remove("MARMOT_CLUSTER_SECRET").env_remove("MARMOT_MYSQL_PASSWORD");
    command
}

/// What fills the disk of a node.
struct Ballast(PathBuf);

impl Ballast {
    /// Leaves `room` bytes, or not one.
    fn fill(daemon: &Daemon, directory: &Path, room: u64) -> Ballast {
        let seen = PathBuf::from(format!("/proc/{}/root", daemon.pid()));
        let data = directory.join("data");
        let data = seen.join(data.strip_prefix("/").expect("an absolute path"));
        let path = data.join("ballast");
        let mut file = File::create(&path).expect("a file on the small disk");
        let left = || nix::sys::statvfs::statvfs(&data).map(|s| s.blocks_available() * s.fragment_size());
        for size in [1 << 20, 4096] {
            while left().expect("a disk") >= room + size && file.write_all(&vec![7; size as usize]).is_ok() {}
        }
        Ballast(path)
    }

    fn remove(self) {
        std::fs::remove_file(self.0).expect("it is there");
    }
}

fn code(result: Result<(), Error>) -> Option<u16> {
    match result {
        Ok(()) => None,
        Err(Error::MySqlError(error)) => Some(error.code),
        Err(other) => panic!("{other}, not an error of the server"),
    }
}

fn insert(client: &mut Conn, id: u32) -> Option<u16> {
    code(client.exec_drop("INSERT INTO d.t VALUES(?, REPEAT('x', 20000))", (id,)))
}

fn ids(client: &mut Conn) -> Vec<String> {
    rows(client, "SELECT id FROM d.t ORDER BY id")
}

#[test]
fn a_node_without_room_refuses_writes_serves_reads_and_recovers_while_the_others_go_on() {
    let homes: Vec<_> = (0..3).map(|_| tempfile::tempdir().expect("a directory")).collect();
    let first = Daemon::start(homes[0].path(), &["--node-id", "1"]);
    let seed = format!("127.0.0.1:{}", first.cluster_port);
    let second = Daemon::start(homes[1].path(), &["--node-id", "2", "--seeds", &seed]);
    let home = homes[2].path();
    let mut third = Daemon::launch_through(on_a_small_disk(home), home, &["--node-id", "3", "--seeds", &seed]);
    third.wait_until_it_answers(home);
    let voters = "SELECT COUNT(*) FROM marmot.cluster_nodes WHERE voter = 1";
    wait("three voters", || (first.rows(voters) == ["3"] && third.rows(voters) == ["3"]).then_some(()));
    first.run("CREATE DATABASE d");
    first.run("CREATE TABLE d.t(id INT PRIMARY KEY, v MEDIUMTEXT)");
    let (mut at_first, mut at_third) = (first.connect().expect("a login"), third.connect().expect("a login"));
    wait("the table on the third", || (insert(&mut at_third, 1).is_none()).then_some(()));

    // Little is left: a clear error, and no harm to anybody.
    let ballast = Ballast::fill(&third, home, REFUSES_BELOW / 2);
    let mut id = 2;
    wait("error 1021", || {
        id += 1;
        (insert(&mut at_third, id) == Some(1021)).then_some(())
    });
    assert_eq!(code(at_third.query_drop("CREATE TABLE d.u(id INT PRIMARY KEY)")), Some(1021));
    assert!(ids(&mut at_third).contains(&"1".to_string()));
    assert_eq!(insert(&mut at_first, 1000), None, "a majority has room");
    ballast.remove();
    wait("writes on the third again", || {
        id += 1;
        insert(&mut at_third, id).is_none().then_some(())
    });

    wait("what was missed", || ids(&mut at_third).contains(&"1000".to_string()).then_some(()));

    // Nothing is left, and the others commit more than the third can put anywhere.
    let ballast = Ballast::fill(&third, home, 0);
    for id in 2000..2800 {
        assert_eq!(insert(&mut at_first, id), None, "row {id}, a majority has room");
    }
    wait("the third to stand still", || log(home).contains("stands still").then_some(()));
    let seen = ids(&mut at_third);
    assert!(seen.contains(&"1000".to_string()), "reads go on");
    assert!(!seen.contains(&"2799".to_string()), "it cannot have stored everything");
    assert_eq!(insert(&mut at_third, 9000), Some(1021));
    assert_eq!(code(at_third.query_drop("SET marmot_read_consistency = 'QUORUM'")), None);
    assert_eq!(code(at_third.query_drop("SELECT COUNT(*) FROM d.t")), Some(1021));
    assert_eq!(code(at_third.query_drop("SET marmot_read_consistency = 'LOCAL_ONE'")), None);
    ballast.remove();
    wait("the third to catch up", || (ids(&mut at_third) == ids(&mut at_first)).then_some(()));
    wait("writes on the third", || {
        id += 1;
        insert(&mut at_third, id).is_none().then_some(())
    });
    assert!(second.stop().success() && third.stop().success() && first.stop().success());
}

#[test]
fn nothing_acknowledged_is_lost_when_the_disk_of_the_only_node_is_full_to_the_last_byte() {
    let home = tempfile::tempdir().expect("a directory");
    let mut daemon = Daemon::launch_through(on_a_small_disk(home.path()), home.path(), &[]);
    daemon.wait_until_it_answers(home.path());
    daemon.run("CREATE DATABASE d");
    daemon.run("CREATE TABLE d.t(id INT PRIMARY KEY, v MEDIUMTEXT)");
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let daemon = &daemon;
            let stop = &stop;
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    scope.spawn(move || {
                        let mut client = daemon.connect().expect("a login");
                        let ids = (0..).map(|n| round * 1_000_000 + n * 4 + writer);
                        let mut mine = Vec::new();
                        for id in ids.take_while(|_| !stop.load(Ordering::Relaxed)) {
                            match insert(&mut client, id) {
                                None => mine.push(id),
                                // 1180: neither yes nor no.
                                Some(1021 | 1180) => std::thread::sleep(Duration::from_millis(20)),
                                Some(other) => panic!("error {other}"),
                            }
                        }
                        mine
                    })
                })
                .collect();
            // Longer than it takes until waiting sessions are told.
            let mut reader = daemon.connect().expect("a login");
            wait("rows", || (!ids(&mut reader).is_empty()).then_some(()));
            let ballast = Ballast::fill(daemon, home.path(), 0);
            wait("the end of acknowledgements", || {
                let before = ids(&mut reader);
                std::thread::sleep(Duration::from_millis(700));
                (before == ids(&mut reader)).then_some(())
            });
            stop.store(true, Ordering::Relaxed);
            for writer in writers {
                acknowledged.extend(writer.join().expect("a writer"));
            }
            ballast.remove();
        });
        let mut client = daemon.connect().expect("a login");
        wait("a write", || insert(&mut client, 10_000_000 + round).is_none().then_some(()));
        let there = ids(&mut client);
        for id in &acknowledged {
            assert!(there.contains(&id.to_string()), "row {id} was acknowledged");
        }
        daemon.run("DELETE FROM d.t WHERE id < 10000000");
        acknowledged.clear();
    }
    assert!(daemon.stop().success());
}

/// Leaves no byte of a folder's disk.
fn fill_up(folder: &Path) -> PathBuf {
    let path = folder.join("ballast");
    let mut file = File::create(&path).expect("a file");
    for size in [1 << 20, 4096, 1] {
        while file.write_all(&vec![7; size]).is_ok() {}
    }
    path
}

#[test]
fn a_start_on_a_full_disk_says_so_and_one_with_room_has_everything() {
    // The disk has to outlive the node: another process in the same namespace holds it.
    let home = tempfile::tempdir().expect("a directory");
    let mut daemon = Daemon::launch_through(on_a_small_disk(home.path()), home.path(), &[]);
    daemon.wait_until_it_answers(home.path());
    daemon.run("CREATE DATABASE d");
    daemon.run("CREATE TABLE d.t(id INT PRIMARY KEY, v MEDIUMTEXT)");
    let mut client = daemon.connect().expect("a login");
    assert_eq!(insert(&mut client, 1), None);
    let mut holder = Command::new("nsenter");
    holder.args(["--target", &daemon.pid().to_string(), "--mount"]);
    if !nix::unistd::geteuid().is_root() {
        holder.args(["--user", "--preserve-credentials"]);
    }
    let mut holder = holder.args(["sleep", "300"]).spawn().expect("nsenter");
    let seen = PathBuf::from(format!("/proc/{}/root", holder.id()));
    let data = seen.join(home.path().join("data").strip_prefix("/").expect("an absolute path"));
    wait("the holder to be inside", || data.join("marmot.db").exists().then_some(()));
    let ports = daemon.ports();
    daemon.kill();
    let again = || {
        let node = command(home.path());
        let mut inside = Command::new("nsenter");
        inside.args(["--target", &holder.id().to_string(), "--mount"]);
        if !nix::unistd::geteuid().is_root() {
            inside.args(["--user", "--preserve-credentials"]);
        }
        inside.args(["--", "env", "-C"]).arg(home.path()).arg(node.get_program());
        inside.current_dir(home.path()).env_remove("MARMOT_CLUSTER_SECRET").env_remove("MARMOT_MYSQL_PASSWORD");
        inside
    };
    let ballast = fill_up(&data);
    let mut full = Daemon::spawn(again(), ports, home.path(), &[]);
    assert_eq!(full.ended().code(), Some(1), "{}", log(home.path()));
    assert!(log(home.path()).contains("make room, 64 MB or more, and start again"), "{}", log(home.path()));
    std::fs::remove_file(ballast).expect("it is there");
    let mut with_room = Daemon::spawn(again(), ports, home.path(), &[]);
    with_room.wait_until_it_answers(home.path());
    assert_eq!(with_room.rows("SELECT id FROM d.t"), ["1"]);
    assert!(with_room.stop().success());
    holder.kill().expect("it runs");
    holder.wait().expect("it ends");
}
