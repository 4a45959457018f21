//! Peers that are none: everything wrong on the cluster port is refused with a line in the log, and the node goes on.

use crate::process::{Daemon, VOTERS, homes, log, wait};
use bytes::BytesMut;
use marmot::shell::frame::{ClusterKey, Context, HELLO, HELLO_START, Hello, NONCE, PROOF, Purpose, Session};
use marmot::types::Versions;
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

const SECRET: &str = "a secret of the cluster";

/// A node with the secret, and what `[cluster]` says besides.
fn start(home: &Path, cluster: &str) -> Daemon {
    std::fs::write(home.join("m.toml"), format!("[cluster]\ncluster_secret = '{SECRET}'\n{cluster}\n"))
        .expect("a file");
    Daemon::start(home, &["--config", "m.toml"])
}

fn dial(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream
}

/// Whether the other side has closed, whatever it said before.
fn is_closed(mut stream: TcpStream) -> bool {
    let mut rest = Vec::new();
    // A reset is an end too; running into the read timeout is not.
    stream.read_to_end(&mut rest).map_or_else(|e| e.kind() != std::io::ErrorKind::WouldBlock, |_| true)
}

fn hello(nonce: u8, versions: Versions) -> Hello {
    Hello { purpose: Purpose::Messages, versions, nonce: [nonce; NONCE], encrypted: false }
}

fn read_hello(stream: &mut TcpStream) -> Hello {
    let mut answer = [0; HELLO];
    stream.read_exact(&mut answer).expect("it answers");
    let (start, rest) = answer.split_at(HELLO_START);
    let start = Hello::decode_start(start.try_into().expect("so long"), Versions::BUILD);
    let start = start.expect("it speaks our protocol");
    Hello::decode_rest(start, rest.try_into().expect("so long")).expect("it speaks our protocol")
}

/// Says hello without TLS, and hears the answer.
fn say_hello(port: u16, purpose: Purpose) -> (TcpStream, Context) {
    let mut stream = dial(port);
    let dialer = Hello { purpose, ..hello(7, Versions::BUILD) };
    stream.write_all(&dialer.encode()).expect("it reads");
    let listener = read_hello(&mut stream);
    (stream, Context { dialer, listener, binding: None })
}

/// Shakes hands under the secret.
fn greet(port: u16) -> (TcpStream, Session) {
    greet_for(port, Purpose::Messages)
}

fn greet_for(port: u16, purpose: Purpose) -> (TcpStream, Session) {
    let (mut stream, context) = say_hello(port, purpose);
    let session = Session::new(ClusterKey::new(SECRET.as_bytes()), context);
    stream.write_all(&session.dialer_proof()).expect("it reads");
    let mut proof = [0; PROOF];
    stream.read_exact(&mut proof).expect("it answers");
    session.verify_listener(&proof).expect("it knows the secret");
    (stream, session)
}

#[test]
fn nodes_that_hung_up_unheard_keep_no_node_out() {
    let (_root, homes) = homes::<2>();
    let cluster = "tls = 'off'";
    let first = start(&homes[0], cluster);
    // As partitions leave them behind, one for each time a link broke and was dialled anew.
    let left: Vec<_> = (0..300).map(|_| greet(first.cluster_port)).collect();
    std::fs::write(homes[1].join("m.toml"), format!("[cluster]\ncluster_secret = '{SECRET}'\n{cluster}\n"))
        .expect("a file");
    let seeds = format!("127.0.0.1:{}", first.cluster_port);
    let second = Daemon::start(&homes[1], &["--config", "m.toml", "--seeds", &seeds]);
    wait("both votes", || [&first, &second].iter().all(|node| node.rows(VOTERS) == ["2"]).then_some(()));
    second.run("CREATE DATABASE d");
    let lines = log(&homes[0]).matches("nodes have too many connections").count();
    assert!((1..=3).contains(&lines), "{lines}: one line a minute");
    let mut oldest = left.into_iter().next().expect("the first of them").0;
    oldest.set_nonblocking(true).expect("a socket");
    assert_eq!(oldest.read(&mut [0; 1]).expect("closed"), 0);
}

#[test]
fn what_is_wrong_on_the_cluster_port_is_refused_and_logged() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = start(home.path(), "tls = 'off'");
    let port = daemon.cluster_port;
    let logged = |text: &str| wait(text, || log(home.path()).contains(text).then_some(()));

    let mut garbage = dial(port);
    garbage.write_all(&[b'x'; 200]).expect("it reads");
    assert!(is_closed(garbage), "garbage");
    logged("does not speak Marmot's cluster protocol");

    let mut old = dial(port);
    // As long as its greeting was.
    old.write_all(&hello(1, Versions { oldest: 5, newest: 5 }).encode()[..37]).expect("it reads");
    assert!(is_closed(old), "an older version");
    logged("understands version 5 of the cluster protocol");

    let mut new = dial(port);
    new.write_all(&hello(1, Versions { oldest: 98, newest: 99 }).encode()).expect("it reads");
    // A cluster of this build alone speaks its newest version, and takes nobody in who is older.
    let understood = Versions { oldest: Versions::BUILD.newest, ..Versions::BUILD };
    assert_eq!(read_hello(&mut new).versions, understood, "it says what it understands");
    assert!(is_closed(new), "a newer version");

    let mut encrypted = dial(port);
    let greeting = Hello { encrypted: true, ..hello(1, Versions::BUILD) }.encode();
    encrypted.write_all(&greeting).expect("it reads");
    assert!(is_closed(encrypted), "a node with TLS");
    logged("the other side demands TLS between nodes and this node has none: give both the same cluster.tls");

    let (mut large, _) = greet(port);
    large.write_all(&u32::MAX.to_le_bytes()).and_then(|()| large.write_all(&[0; 16])).expect("it reads");
    assert!(is_closed(large), "a frame over the limit");
    logged("exceeds the limit");

    let (mut altered, session) = greet(port);
    let mut frame = BytesMut::new();
    session.frames().seal(b"payload", &mut frame);
    *frame.last_mut().expect("bytes") ^= 1;
    altered.write_all(&frame).expect("it reads");
    assert!(is_closed(altered), "an altered frame");
    logged("altered, replayed, dropped or reordered");

    let (mut malformed, session) = greet(port);
    let mut frame = BytesMut::new();
    session.frames().seal(&[0xff; 40], &mut frame);
    malformed.write_all(&frame).expect("it reads");
    assert!(is_closed(malformed), "a malformed message");
    logged("content is malformed");

    // A frame that was good on one connection is nothing on another.
    let (_, session) = greet(port);
    let mut frame = BytesMut::new();
    session.frames().seal(&[0xff; 40], &mut frame);
    let (mut replayed, _) = greet(port);
    replayed.write_all(&frame).expect("it reads");
    assert!(is_closed(replayed), "a replayed frame");
    let said = log(home.path()).matches("altered, replayed").count();
    assert_eq!(said, 1, "the same from the same is said once: {}", log(home.path()));

    let (mut cut, session) = greet(port);
    let mut frame = BytesMut::new();
    session.frames().seal(&[0; 40], &mut frame);
    cut.write_all(&frame[..30]).expect("it reads");
    drop(cut);

    assert_eq!(daemon.rows("SELECT 1"), ["1"]);
    assert!(!log(home.path()).contains("panicked"), "{}", log(home.path()));
    assert!(daemon.stop().success());
}

#[test]
fn a_node_with_another_secret_does_not_get_in_and_is_told_what_to_do() {
    for tls in ["auto", "off"] {
        let (home, other) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let seed = start(home.path(), &format!("tls = '{tls}'"));
        let config = format!("[cluster]\ncluster_secret = 'another secret of a cluster'\ntls = '{tls}'\n");
        std::fs::write(other.path().join("m.toml"), config).expect("a file");
        let seeds = format!("127.0.0.1:{}", seed.cluster_port);
        let _stranger = Daemon::launch(other.path(), &["--config", "m.toml", "--seeds", &seeds]);
        let complaint = "does not know the cluster secret: give all nodes the same MARMOT_CLUSTER_SECRET";
        wait("the seed's log", || log(home.path()).contains(complaint).then_some(()));
        wait("the stranger's log", || log(other.path()).contains("it may have another cluster secret").then_some(()));
        assert_eq!(seed.rows("SELECT COUNT(*) FROM marmot.cluster_nodes"), ["1"]);
    }
}

#[test]
fn many_wrong_secrets_are_one_line_in_the_log() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = start(home.path(), "tls = 'off'");
    for purpose in [Purpose::Messages, Purpose::Copy] {
        for _ in 0..30 {
            let (mut stream, context) = say_hello(daemon.cluster_port, purpose);
            let session = Session::new(ClusterKey::new(b"another secret"), context);
            stream.write_all(&session.dialer_proof()).expect("it reads");
            let mut said = Vec::new();
            // A reset is an end too.
            let _ = stream.read_to_end(&mut said);
            assert_eq!(said, b"", "whoever does not know the secret is given nothing to try guesses on");
        }
    }
    let log = log(home.path());
    assert_eq!(log.matches("does not know the cluster secret").count(), 1, "{log}");
}

/// Reads another secret, and the one before it, until the log says so.
fn replace_secret(daemon: &Daemon, home: &Path, secret: &str, previous: &str, said: &str) {
    let text = format!("[cluster]\ncluster_secret = '{secret}'\ncluster_secret_previous = '{previous}'\ntls = 'off'\n");
    std::fs::write(home.join("m.toml"), text).expect("a file");
    daemon.signal(Signal::SIGHUP);
    wait(said, || log(home).contains(said).then_some(()));
}

#[test]
fn a_retired_secret_ends_every_kind_of_connection_that_has_proven_it() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = start(home.path(), "tls = 'off'");
    let purposes = [Purpose::Messages, Purpose::Copy, Purpose::Verify];
    let standing = purposes.map(|purpose| (purpose, greet_for(daemon.cluster_port, purpose).0));
    replace_secret(&daemon, home.path(), "the next secret of the cluster", SECRET, "the previous one is taken too");
    for (purpose, stream) in &standing {
        stream.set_nonblocking(true).expect("a socket");
        let heard = stream.peek(&mut [0; 1]).map_err(|e| e.kind());
        assert_eq!(heard, Err(std::io::ErrorKind::WouldBlock), "{purpose:?} while both are taken");
        stream.set_nonblocking(false).expect("a socket");
    }
    replace_secret(&daemon, home.path(), "the next secret of the cluster", "", "no other is taken");
    for (purpose, stream) in standing {
        assert!(is_closed(stream), "{purpose:?} with a secret that is taken no more");
    }
    for who in
        ["peer's connection refused", "a node that copies the data was refused", "a node that verifies was refused"]
    {
        let says = |line: &str| line.contains(who) && line.contains("a cluster secret that is taken no more");
        wait(who, || log(home.path()).lines().any(says).then_some(()));
    }
}

/// Connections that begin and do not go on: the cluster's port takes them, and the next node all the same.
#[test]
fn half_open_connections_keep_no_node_out() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = start(home.path(), "tls = 'off'");
    let flood: Vec<TcpStream> = (0..500)
        .map(|n| {
            let mut stream = dial(daemon.cluster_port);
            // Some say nothing, some begin.
            let begun = &hello(1, Versions::BUILD).encode()[..n % HELLO];
            let _ = stream.write_all(begun);
            stream
        })
        .collect();
    wait("a line in the log", || {
        log(home.path()).contains("too many connections wait for their handshake").then_some(())
    });
    let since = Instant::now();
    let (_node, _) = greet(daemon.cluster_port);
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert_eq!(log(home.path()).matches("too many connections wait").count(), 1);
    drop(flood);
}

/// Who has the secret and asks for nonsense about rows is told so, or hung up on; nothing is read or kept for it.
#[test]
fn nonsense_about_rows_is_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = start(home.path(), "tls = 'off'");
    let port = daemon.cluster_port;
    // As `shell::verify` encodes questions: the variant, then its fields; numbers and lengths are varints.
    let long =
        |n: usize| -> Vec<u8> { vec![((n & 0x7f) | 0x80) as u8, ((n >> 7 & 0x7f) | 0x80) as u8, (n >> 14) as u8] };
    let place = [&[1u8, b'd'][..], &[1, 1, 1]].concat();
    let many_keys = [&[2][..], &place, &long(100_000), &vec![0; 100_000]].concat();
    let refused = [
        ("buckets of no range", vec![1, 2, 0, 0xff, 0xff, 3]),
        ("a row of no snapshot", vec![4, 0]),
        ("a range of a database that is none", [&[0][..], &place, &[0, 0]].concat()),
        ("a look at one", [&[2][..], &place, &[0]].concat()),
        ("a look at too many rows", many_keys),
    ];
    for (what, question) in refused {
        let (mut stream, session) = greet_for(port, Purpose::Verify);
        let mut frame = BytesMut::new();
        session.frames().seal(&question, &mut frame);
        stream.write_all(&frame).expect("it reads");
        let (mut input, mut answers) = (BytesMut::new(), session.answers());
        let answer = loop {
            if let Some(answer) = answers.open_payload(&mut input, 1 << 20).expect("genuine") {
                break answer;
            }
            let mut some = [0; 4096];
            let read = stream.read(&mut some).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert!(read > 0, "{what}: hung up on");
            input.extend_from_slice(&some[..read]);
        };
        // Refused, with a sentence.
        assert!(answer[0] == 0 && answer.len() > 10, "{what}: {answer:?}");
    }
    for garbage in [vec![0xff; 40], vec![9], [&[2][..], &place, &long(2_000_000)].concat()] {
        let (mut stream, session) = greet_for(port, Purpose::Verify);
        let mut frame = BytesMut::new();
        session.frames().seal(&garbage, &mut frame);
        stream.write_all(&frame).expect("it reads");
        assert!(is_closed(stream), "{garbage:?}");
    }
    // A frame that is longer than any question.
    let (mut stream, _) = greet_for(port, Purpose::Verify);
    stream.write_all(&[0xff; 40]).expect("it reads");
    assert!(is_closed(stream));
    wait("a line", || log(home.path()).contains("a node that verifies was refused").then_some(()));
    assert_eq!(daemon.rows("SELECT 1"), ["1"]);
}
