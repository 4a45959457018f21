//! Peers that are none: everything wrong on the cluster port is refused with a line in the log, and the node goes on.

use crate::process::{Daemon, log, wait};
use bytes::BytesMut;
use marmot::shell::frame::{ClusterKey, DIALER_HELLO, Hello, LISTENER_HELLO, Purpose, Session};
use marmot::types::Versions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const SECRET: &str = "a secret of the cluster";

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
    Hello { purpose: Purpose::Messages, versions, nonce: [nonce; 32] }
}

/// Shakes hands under `secret`.
fn greet(port: u16, secret: &str) -> (TcpStream, Session) {
    let mut stream = dial(port);
    let ours = hello(7, Versions::BUILD);
    stream.write_all(&ours.encode()).expect("it reads");
    let mut answer = [0; LISTENER_HELLO];
    stream.read_exact(&mut answer).expect("it answers");
    let theirs = Hello::decode(&answer[..DIALER_HELLO]).expect("it speaks our protocol");
    let session = Session::new(ClusterKey::new(secret.as_bytes()), ours, theirs);
    if secret == SECRET {
        session.verify_listener(&answer[DIALER_HELLO..]).expect("it knows the secret");
    }
    stream.write_all(&session.dialer_proof()).expect("it reads");
    (stream, session)
}

#[test]
fn what_is_wrong_on_the_cluster_port_is_refused_and_logged() {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::write(home.path().join("m.toml"), format!("[cluster]\ncluster_secret = '{SECRET}'\n")).expect("a file");
    let daemon = Daemon::start(home.path(), &["--config", "m.toml"]);
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
    let mut answer = [0; DIALER_HELLO];
    new.read_exact(&mut answer).expect("it says what it understands");
    assert_eq!(Hello::decode(&answer).map(|h| h.versions).ok(), Some(Versions::BUILD));
    assert!(is_closed(new), "a newer version");
    logged("understands versions 98 to 99 of the cluster protocol");

    let (stranger, _) = greet(port, "another secret");
    assert!(is_closed(stranger), "another secret");
    logged("does not know the cluster secret");

    let (mut large, _) = greet(port, SECRET);
    large.write_all(&u32::MAX.to_le_bytes()).and_then(|()| large.write_all(&[0; 16])).expect("it reads");
    assert!(is_closed(large), "a frame over the limit");
    logged("exceeds the limit");

    let (mut altered, session) = greet(port, SECRET);
    let mut frame = BytesMut::new();
    session.frames().seal(b"payload", &mut frame);
    *frame.last_mut().expect("bytes") ^= 1;
    altered.write_all(&frame).expect("it reads");
    assert!(is_closed(altered), "an altered frame");
    logged("altered, replayed, dropped or reordered");

    let (mut malformed, session) = greet(port, SECRET);
    let mut frame = BytesMut::new();
    session.frames().seal(&[0xff; 40], &mut frame);
    malformed.write_all(&frame).expect("it reads");
    assert!(is_closed(malformed), "a malformed message");
    logged("content is malformed");

    // A frame that was good on one connection is nothing on another.
    let (_, session) = greet(port, SECRET);
    let mut frame = BytesMut::new();
    session.frames().seal(&[0xff; 40], &mut frame);
    let before = log(home.path()).matches("altered, replayed").count();
    let (mut replayed, _) = greet(port, SECRET);
    replayed.write_all(&frame).expect("it reads");
    assert!(is_closed(replayed), "a replayed frame");
    wait("a line in the log", || (log(home.path()).matches("altered, replayed").count() > before).then_some(()));

    let (mut cut, session) = greet(port, SECRET);
    let mut frame = BytesMut::new();
    session.frames().seal(&[0; 40], &mut frame);
    cut.write_all(&frame[..30]).expect("it reads");
    drop(cut);

    assert_eq!(daemon.rows("SELECT 1"), ["1"]);
    assert!(!log(home.path()).contains("panicked"), "{}", log(home.path()));
    assert!(daemon.stop().success());
}

#[test]
fn a_node_with_another_secret_does_not_get_in() {
    let (home, other) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    std::fs::write(home.path().join("m.toml"), format!("[cluster]\ncluster_secret = '{SECRET}'\n")).expect("a file");
    let seed = Daemon::start(home.path(), &["--config", "m.toml"]);
    std::fs::write(other.path().join("m.toml"), "[cluster]\ncluster_secret = 'another secret of a cluster'\n")
        .expect("a file");
    let seeds = format!("127.0.0.1:{}", seed.cluster_port);
    let _stranger = Daemon::launch(other.path(), &["--config", "m.toml", "--seeds", &seeds]);
    wait("the stranger's log", || log(other.path()).contains("does not know the cluster secret").then_some(()));
    wait("the seed's log", || log(home.path()).contains("hung up in the middle of the handshake").then_some(()));
    assert_eq!(seed.rows("SELECT COUNT(*) FROM marmot.cluster_nodes"), ["1"]);
}
