//! What clients, and those who are none, may do to a node.

use crate::certificates::Authority;
use crate::process::{Daemon, log, rows, wait};
use mysql::consts::CapabilityFlags;
use mysql::prelude::Queryable;
use mysql::{Conn, Error, OptsBuilder, SslOpts};
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn options(daemon: &Daemon) -> OptsBuilder {
    let options = OptsBuilder::new().ip_or_hostname(Some("127.0.0.1")).tcp_port(daemon.mysql_port);
    options.prefer_socket(false).user(Some("root")).tcp_connect_timeout(Some(Duration::from_secs(5)))
}

/// TLS that believes in what `root` signed, or is.
fn trusting(daemon: &Daemon, root: PathBuf) -> Result<Conn, Error> {
    Conn::new(options(daemon).ssl_opts(SslOpts::default().with_root_cert_path(Some(root))))
}

fn code<T>(result: Result<T, Error>) -> u16 {
    match result {
        Err(Error::MySqlError(error)) => error.code,
        _ => 0,
    }
}

/// Connects from an address of this machine and hears what the server says first.
fn greeting_from(source: &str, port: u16) -> Vec<u8> {
    use tokio::net::TcpSocket;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(format!("{source}:0").parse().expect("an address")).expect("an address of this machine");
        socket.connect(([127, 0, 0, 1], port).into()).await.expect("it listens").into_std().expect("a socket")
    });
    stream.set_nonblocking(false).expect("a blocking socket");
    let mut greeting = vec![0; 200];
    let n = (&stream).read(&mut greeting).expect("a greeting");
    greeting.truncate(n);
    greeting
}

#[test]
fn half_open_logins_keep_no_client_out() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start(home.path(), &[]);
    daemon.run("SET GLOBAL max_connections = 5");
    let mut flood: Vec<TcpStream> = (0..500)
        .map(|n| {
            let mut stream = TcpStream::connect(("127.0.0.1", daemon.mysql_port)).expect("it listens");
            // Some say nothing, some begin a packet.
            let _ = stream.write_all(&[60, 0, 0, 1, 0][..n % 6]);
            stream
        })
        .collect();
    // Each was greeted, or was sent away already.
    flood.iter_mut().for_each(|stream| drop(stream.read(&mut [0; 1])));
    let since = Instant::now();
    assert_eq!(daemon.rows("SELECT 1"), ["1"]);
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    wait("a line in the log", || log(home.path()).contains("too many logins in progress").then_some(()));
    assert_eq!(log(home.path()).matches("too many logins in progress").count(), 1);
    drop(flood);
}

#[test]
fn a_place_is_kept_for_an_administrator() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start(home.path(), &[]);
    daemon.run("SET GLOBAL max_connections = 2");
    // The client that set it may still be leaving.
    let mut clients: Vec<Conn> = (0..3).map(|_| wait("a place", || daemon.connect().ok())).collect();
    assert_eq!(code(daemon.connect()), 1040);
    clients[0].query_drop("SET GLOBAL max_connections = 10").expect("the administrator sets it");
    assert!(daemon.connect().is_ok());
}

#[test]
fn who_breaks_off_logins_is_refused_for_a_while() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start(home.path(), &[]);
    daemon.run("SET GLOBAL max_connect_errors = 3");
    let greeted = || greeting_from("127.0.0.2", daemon.mysql_port)[4] == 10;
    // Each is greeted and leaves without a word.
    wait("a refusal", || (!greeted()).then_some(()));
    let refusal = greeting_from("127.0.0.2", daemon.mysql_port);
    assert_eq!((refusal[4], u16::from_le_bytes([refusal[5], refusal[6]])), (0xff, 1129), "{refusal:?}");
    assert!(String::from_utf8_lossy(&refusal).contains("127.0.0.2"));
    assert_eq!(daemon.rows("SELECT 1"), ["1"], "others are not concerned");
    daemon.run("FLUSH HOSTS");
    assert!(greeted());
    assert_eq!(log(home.path()).matches("too many logins were broken off").count(), 1);
}

#[test]
fn wrong_passwords_are_one_line_in_the_log() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start(home.path(), &[]);
    for _ in 0..30 {
        assert_eq!(code(daemon.connect_as("root", "guessed")), 1045);
    }
    assert_eq!(log(home.path()).matches("access denied").count(), 1, "{}", log(home.path()));
    assert_eq!(daemon.rows("SELECT 1"), ["1"]);
}

#[test]
fn idle_clients_are_sent_away_after_the_time_of_their_kind() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::start(home.path(), &[]);
    let mut watcher = daemon.connect().expect("a login");
    watcher.query_drop("SET GLOBAL interactive_timeout = 1").expect("a number");
    let typing = options(&daemon).additional_capabilities(CapabilityFlags::CLIENT_INTERACTIVE);
    let mut typing = Conn::new(typing).expect("a login");
    assert_eq!(rows(&mut typing, "SELECT @@wait_timeout, @@interactive_timeout"), ["1,1"]);
    let mut patient = daemon.connect().expect("a login");
    assert_eq!(rows(&mut patient, "SELECT @@wait_timeout, @@interactive_timeout"), ["28800,1"]);
    let mut brief = daemon.connect().expect("a login");
    brief.query_drop("SET SESSION wait_timeout = 1").expect("a number");
    wait("both to be gone", || {
        (rows(&mut watcher, "SELECT COUNT(*) FROM information_schema.PROCESSLIST") == ["2"]).then_some(())
    });
    assert!(brief.query_drop("SELECT 1").is_err() && typing.query_drop("SELECT 1").is_err());
    assert_eq!(rows(&mut patient, "SELECT 1"), ["1"]);
}

fn with_certificates(home: &Path) -> Daemon {
    std::fs::write(home.join("m.toml"), "[mysql]\ntls_cert = 'cert.pem'\ntls_key = 'key.pem'\n").expect("a file");
    Daemon::start(home, &["--config", "m.toml"])
}

#[test]
fn certificates_are_read_anew_and_bad_ones_change_nothing() {
    let home = tempfile::tempdir().expect("a directory");
    let file = |name: &str| home.path().join(name);
    let (old, new) = (Authority::new(), Authority::new());
    std::fs::write(file("old.pem"), old.pem()).expect("a file");
    std::fs::write(file("new.pem"), new.pem()).expect("a file");
    old.issue(home.path(), "127.0.0.1");
    let daemon = with_certificates(home.path());
    let believes = |root: &str| trusting(&daemon, file(root)).is_ok();
    let mut standing = trusting(&daemon, file("old.pem")).expect("a login with TLS");
    assert!(!believes("new.pem"));

    new.issue(home.path(), "127.0.0.1");
    assert!(believes("old.pem"), "nothing is read without being told");
    daemon.signal(Signal::SIGHUP);
    wait("the new certificate", || believes("new.pem").then_some(()));
    assert!(!believes("old.pem"));
    assert_eq!(rows(&mut standing, "SELECT 1"), ["1"], "connections that stand go on");

    std::fs::write(file("key.pem"), "no key").expect("a file");
    let mut client = daemon.connect().expect("a login");
    assert_eq!(code(client.query_drop("ALTER INSTANCE RELOAD TLS")), 3888);
    let error = client.query_drop("ALTER INSTANCE RELOAD TLS").expect_err("a bad key").to_string();
    assert!(error.contains("key.pem: no private key in it"), "{error}");
    client.query_drop("ALTER INSTANCE RELOAD TLS NO ROLLBACK ON ERROR").expect("a warning");
    assert!(rows(&mut client, "SHOW WARNINGS")[0].starts_with("Warning,3888,"));
    daemon.signal(Signal::SIGHUP);
    wait("a line in the log", || log(home.path()).contains("the old ones stay").then_some(()));
    assert!(believes("new.pem"));

    old.issue(home.path(), "127.0.0.1");
    client.query_drop("ALTER INSTANCE RELOAD TLS FOR CHANNEL mysql_main").expect("good files");
    assert!(believes("old.pem") && !believes("new.pem"));
    assert_eq!(code(client.query_drop("ALTER INSTANCE ROTATE INNODB MASTER KEY")), 1235);
    assert!(daemon.stop().success());
}

#[test]
fn a_certificate_is_made_once_and_tls_can_be_demanded() {
    let home = tempfile::tempdir().expect("a directory");
    let kept = home.path().join("data/server-cert.pem");
    let daemon = Daemon::start(home.path(), &[]);
    let made = std::fs::read(&kept).expect("a certificate");
    let mode =
        |name: &str| std::fs::metadata(home.path().join("data").join(name)).expect("a file").permissions().mode();
    assert_eq!(mode("server-key.pem") & 0o777, 0o600);
    assert!(daemon.stop().success());
    let daemon = Daemon::start(home.path(), &[]);
    assert_eq!(std::fs::read(&kept).expect("a certificate"), made);
    // Who answers is known by the file, as clients know it by an authority.
    let mut client = trusting(&daemon, kept).expect("a login with TLS");
    let status = |client: &mut Conn, name: &str| rows(client, &format!("SHOW STATUS LIKE '{name}'"))[0].clone();
    assert_eq!(status(&mut client, "Ssl_version"), "Ssl_version,TLSv1.3");
    let cipher = status(&mut client, "Ssl_cipher").replace("Ssl_cipher,", "");
    let offered = status(&mut client, "Ssl_cipher_list");
    assert!(!cipher.is_empty() && offered.contains(&cipher), "{cipher} in {offered}");
    assert_eq!(status(&mut client, "Ssl_finished_accepts"), "Ssl_finished_accepts,1");
    assert!(rows(&mut client, "SELECT @@ssl_cert")[0].ends_with("server-cert.pem"));

    client.query_drop("SET GLOBAL require_secure_transport = ON").expect("it can be demanded");
    assert_eq!(code(daemon.connect()), 3159);
    client.query_drop("SET GLOBAL require_secure_transport = OFF").expect("and left open");
    let mut plain = daemon.connect().expect("a login");
    assert_eq!(status(&mut plain, "Ssl_cipher"), "Ssl_cipher,");
}
