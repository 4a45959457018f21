//! TLS between nodes.

use crate::certificates::Authority;
use crate::middleman::Middleman;
use crate::process::{Daemon, Ports, VOTERS, free_port, homes, log, wait};
use crate::proxy::Proxy;
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Long enough to be nothing else.
const MARKER: &str = "the marker that nobody but the nodes shall see";

fn configure(home: &Path, cluster: &str) {
    std::fs::write(home.join("m.toml"), format!("[cluster]\n{cluster}\n")).expect("a file");
}

fn two_voters(first: &Daemon, second: &Daemon) {
    wait("two voters", || (first.rows(VOTERS) == ["2"] && second.rows(VOTERS) == ["2"]).then_some(()));
}

/// Two nodes that reach each other through recorders only.
fn recorded(homes: &[PathBuf; 2], cluster: &str) -> ([Daemon; 2], [Proxy; 2]) {
    let ports = [(); 2].map(|()| Ports { mysql: free_port(), cluster: free_port() });
    let proxies = ports.map(|ports| Proxy::to(ports.cluster));
    let at = |n: usize| format!("127.0.0.1:{}", proxies[n].port);
    homes.iter().for_each(|home| configure(home, cluster));
    let flags = ["--config", "m.toml", "--advertise-addr"];
    let mut first = Daemon::launch_on(ports[0], &homes[0], &[&flags[..], &[&at(0)]].concat());
    first.wait_until_it_answers(&homes[0]);
    let mut second = Daemon::launch_on(ports[1], &homes[1], &[&flags[..], &[&at(1), "--seeds", &at(0)]].concat());
    second.wait_until_it_answers(&homes[1]);
    two_voters(&first, &second);
    ([first, second], proxies)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Whether the other side has closed, whatever it said before.
fn is_closed(mut stream: TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream.read_to_end(&mut Vec::new()).map_or_else(|e| e.kind() != std::io::ErrorKind::WouldBlock, |_| true)
}

#[test]
fn rows_cannot_be_read_on_the_way_and_what_was_said_once_is_refused_again() {
    for (tls, seen) in [("auto", false), ("off", true)] {
        let (_root, homes) = homes::<2>();
        let cluster = format!("cluster_secret = 'a secret of the cluster'\ntls = '{tls}'");
        let ([first, second], proxies) = recorded(&homes, &cluster);
        first.run("CREATE DATABASE d");
        first.run("CREATE TABLE d.t (id INT PRIMARY KEY, v TEXT)");
        let there = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'd'";
        wait("the table on the second", || (second.rows(there) == ["1"]).then_some(()));
        for (node, id) in [(&first, 1), (&second, 2)] {
            node.run(&format!("INSERT INTO d.t VALUES ({id}, '{MARKER}')"));
        }
        let all = ["2".to_string()];
        wait("the rows", || {
            [&first, &second].iter().all(|node| node.rows("SELECT COUNT(*) FROM d.t") == all).then_some(())
        });
        for proxy in &proxies {
            let recorded = proxy.said();
            assert!(recorded.iter().map(Vec::len).sum::<usize>() > 1000, "everything passes here");
            let marked = recorded.iter().any(|said| contains(said, MARKER.as_bytes()));
            assert_eq!(marked, seen, "tls = {tls}");
        }
        // Another's whole connection, said again: the nonce of the listener is another, and so is what TLS derives.
        let warnings = |home: &Path| log(home).matches("peer's connection refused").count();
        let before = warnings(&homes[0]);
        for said in proxies[0].said().iter().filter(|said| said.len() > 1000) {
            let mut stream = TcpStream::connect(("127.0.0.1", first.cluster_port)).expect("it listens");
            // It may close at any byte.
            let _ = stream.write_all(said);
            assert!(is_closed(stream), "a replayed connection");
        }
        wait("a line in the log", || (warnings(&homes[0]) > before).then_some(()));
        assert_eq!(first.rows(VOTERS), ["2"]);
        assert!(!log(&homes[0]).contains("panicked"), "{}", log(&homes[0]));
    }
}

#[test]
fn a_node_with_tls_and_one_without_say_what_to_do() {
    let (_root, homes) = homes::<2>();
    for (seeds, joiners) in [("auto", "off"), ("off", "on")] {
        let secret = "cluster_secret = 'a secret of the cluster'";
        configure(&homes[0], &format!("{secret}\ntls = '{seeds}'"));
        configure(&homes[1], &format!("{secret}\ntls = '{joiners}'"));
        let seed = Daemon::start(&homes[0], &["--config", "m.toml"]);
        let at = format!("127.0.0.1:{}", seed.cluster_port);
        let _joiner = Daemon::launch(&homes[1], &["--config", "m.toml", "--seeds", &at]);
        let (with, without) = if seeds == "auto" { (&homes[0], &homes[1]) } else { (&homes[1], &homes[0]) };
        let says = |home: &Path, text: &str| wait(text, || log(home).contains(text).then_some(()));
        says(with, "the other side has no TLS between nodes and this node demands it: give both the same cluster.tls");
        says(
            without,
            "the other side demands TLS between nodes and this node has none: give both the same cluster.tls",
        );
        assert_eq!(seed.rows("SELECT COUNT(*) FROM marmot.cluster_nodes"), ["1"]);
        drop(seed);
        homes.iter().for_each(|home| std::fs::remove_file(home.join("log")).expect("a log"));
    }
}

#[test]
fn certificates_let_in_who_has_one_of_the_authority_and_nobody_else() {
    let (_root, homes) = homes::<3>();
    let (authority, foreign) = (Authority::new(), Authority::new());
    let files =
        "cluster_secret = 'a secret of the cluster'\ntls_ca = 'ca.pem'\ntls_cert = 'cert.pem'\ntls_key = 'key.pem'";
    for home in &homes {
        configure(home, files);
        std::fs::write(home.join("ca.pem"), authority.pem()).expect("a file");
        authority.issue(home, "127.0.0.1");
    }
    let first = Daemon::start(&homes[0], &["--config", "m.toml"]);
    let seeds = format!("127.0.0.1:{}", first.cluster_port);
    let joiner = ["--config", "m.toml", "--seeds", &seeds];
    let second = Daemon::start(&homes[1], &joiner);
    two_voters(&first, &second);

    // It knows the secret, and takes the seed's certificate; its own is of another authority.
    foreign.issue(&homes[2], "127.0.0.1");
    let stranger = Daemon::launch(&homes[2], &joiner);
    wait("the seed's log", || {
        log(&homes[0]).contains("TLS with the other side failed: invalid peer certificate").then_some(())
    });
    wait("the stranger's log", || log(&homes[2]).contains("TLS with the other side failed").then_some(()));
    assert_eq!(first.rows(VOTERS), ["2"]);
    stranger.kill();

    // A seed whose certificate is of another authority is not believed either; a reload puts it right.
    foreign.issue(&homes[0], "127.0.0.1");
    first.signal(Signal::SIGHUP);
    wait("a reload", || log(&homes[0]).contains("SIGHUP: certificates read anew").then_some(()));
    authority.issue(&homes[2], "127.0.0.1");
    std::fs::remove_file(homes[2].join("log")).expect("a log");
    let third = Daemon::launch(&homes[2], &joiner);
    wait("the third's log", || {
        log(&homes[2]).contains("TLS with the other side failed: invalid peer certificate").then_some(())
    });
    authority.issue(&homes[0], "127.0.0.1");
    first.signal(Signal::SIGHUP);
    wait("three voters", || (first.rows(VOTERS) == ["3"]).then_some(()));
    drop(third);
}

/// Certificates say nothing when only the secret counts, so both ends speak TLS with whoever is in the middle: the proofs that
/// pass there unchanged are of another connection for each of them.
#[test]
fn somebody_in_the_middle_gets_no_proof_that_anybody_takes() {
    let (_root, homes) = homes::<2>();
    homes.iter().for_each(|home| configure(home, "cluster_secret = 'a secret of the cluster'"));
    let seed = Daemon::start(&homes[0], &["--config", "m.toml"]);
    let middleman = Middleman::before(seed.cluster_port);
    let at = format!("127.0.0.1:{}", middleman.port);
    let _joiner = Daemon::launch(&homes[1], &["--config", "m.toml", "--seeds", &at]);
    wait("the seed's log", || log(&homes[0]).contains("does not know the cluster secret").then_some(()));
    wait("the joiner's log", || log(&homes[1]).contains("hung up in the middle of the handshake").then_some(()));
    assert!(middleman.between.load(Ordering::Relaxed) > 0, "both spoke TLS with it");
    assert_eq!(seed.rows("SELECT COUNT(*) FROM marmot.cluster_nodes"), ["1"]);
}
