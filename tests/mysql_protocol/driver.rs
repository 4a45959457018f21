//! A real client library speaks to the front.

use super::server::{Server, limits};
use mysql::prelude::Queryable;
use mysql::{ChangeUserOpts, Compression, Conn, Error, OptsBuilder, SslOpts, Value};

fn opts(server: &Server, user: &str, password: &str) -> OptsBuilder {
    OptsBuilder::new()
        .ip_or_hostname(Some("127.0.0.1"))
        .tcp_port(server.address.port())
        .prefer_socket(false)
        .user(Some(user))
        .pass(Some(password))
        .max_allowed_packet(Some(super::server::PACKET_MAX))
}

fn tls() -> SslOpts {
    SslOpts::default().with_danger_accept_invalid_certs(true).with_danger_skip_domain_validation(true)
}

fn root(server: &Server) -> Conn {
    Conn::new(opts(server, "root", "secret")).unwrap()
}

fn word(conn: &mut Conn, sql: &str) -> String {
    conn.query_first(sql).unwrap().unwrap()
}

/// The server's error code, or 0 for another kind of failure.
fn code<T>(result: Result<T, Error>) -> u16 {
    match result {
        Err(Error::MySqlError(e)) => e.code,
        _ => 0,
    }
}

#[test]
fn passwords_are_checked_by_either_plugin() {
    let server = Server::start();
    for (user, password) in [("root", "secret"), ("open", ""), ("old", "secret")] {
        let mut conn = Conn::new(opts(&server, user, password)).unwrap();
        assert!(word(&mut conn, "WHO").starts_with(&format!("{user}@127.0.0.1 - tls=false found=")));
    }
    for (user, password) in [("root", "Secret"), ("root", ""), ("open", "x"), ("old", "x"), ("nobody", "secret")] {
        let denied = Conn::new(opts(&server, user, password));
        let Err(Error::MySqlError(error)) = denied else { panic!("{user} {password}") };
        assert_eq!((error.code, error.state.as_str()), (1045, "28000"));
    }
    assert!(server.events().iter().all(|e| !e.contains("nobody")), "no session before the login");
}

#[test]
fn tls_carries_logins_that_need_the_password_itself() {
    let server = Server::with(|config| limits(config, |l| l.require_tls = true));
    assert_eq!(code(Conn::new(opts(&server, "root", "secret"))), 3159);
    for user in ["root", "old"] {
        let mut conn = Conn::new(opts(&server, user, "secret").ssl_opts(tls())).unwrap();
        assert!(word(&mut conn, "WHO").contains("tls=true"));
        assert_eq!(word(&mut conn, &format!("LENGTH{}", " ".repeat(200_000))), "200006");
    }
    assert_eq!(code(Conn::new(opts(&server, "old", "x").ssl_opts(tls()))), 1045);
}

#[test]
fn a_unix_socket_counts_as_secure() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mysql.sock");
    let server = Server::listening(|config| limits(config, |l| l.require_tls = true), Some(&path));
    for user in ["root", "old"] {
        let socket = path.to_str().unwrap();
        let mut conn = Conn::new(opts(&server, user, "secret").socket(Some(socket))).unwrap();
        assert!(word(&mut conn, "WHO").starts_with(&format!("{user}@localhost")));
    }
}

#[test]
fn databases_are_chosen_at_login_and_later() {
    let server = Server::start();
    let mut conn = Conn::new(opts(&server, "root", "secret").db_name(Some("shop"))).unwrap();
    assert!(word(&mut conn, "WHO").contains(" shop "));
    conn.select_db("other").unwrap();
    assert!(word(&mut conn, "WHO").contains(" other "));
    assert_eq!(code(conn.select_db("nowhere")), 1049);
    assert_eq!(code(Conn::new(opts(&server, "root", "secret").db_name(Some("nowhere")))), 1049);
}

#[test]
fn results_have_counts_ids_warnings_and_info() {
    let server = Server::start();
    let mut conn = root(&server);
    conn.query_drop("INSERT").unwrap();
    assert_eq!((conn.affected_rows(), conn.last_insert_id(), conn.warnings()), (3, 1 << 40, 1));
    assert_eq!(conn.info_str(), "Records: 3  Duplicates: 0  Warnings: 1");
    let Err(Error::MySqlError(error)) = conn.query_drop("FAIL") else { panic!() };
    assert_eq!((error.code, error.state.as_str()), (1062, "23000"));
    assert_eq!(error.message, "Duplicate entry '1' for key 't.PRIMARY'");
    assert_eq!(code(conn.query_drop("SILENT")), 1815);
    let half: Result<Vec<i32>, _> = conn.query("HALF");
    assert_eq!(code(half), 1317);
    conn.ping().unwrap();
}

#[test]
fn several_statements_give_several_results() {
    let server = Server::start();
    let mut conn = root(&server);
    let mut result = conn.query_iter("one;INSERT;ROWS 3;FAIL;two").unwrap();
    let mut seen = Vec::new();
    while let Some(set) = result.iter() {
        let affected = set.affected_rows();
        match set.collect::<Result<Vec<_>, _>>() {
            Ok(rows) => seen.push(format!("{} rows, {affected} affected", rows.len())),
            Err(Error::MySqlError(e)) => seen.push(format!("error {}", e.code)),
            Err(other) => panic!("{other}"),
        }
    }
    drop(result);
    let rows = |n| format!("{n} rows, 0 affected");
    assert_eq!(seen[..3], [rows(1), "0 rows, 3 affected".into(), rows(3)]);
    assert_eq!(word(&mut conn, "after"), "after", "the connection is in step");
}

#[test]
fn every_type_reads_the_same_in_both_protocols() {
    let server = Server::start();
    let mut conn = root(&server);
    let text: mysql::Row = conn.query_first("TYPES").unwrap().unwrap();
    let binary: mysql::Row = conn.exec_first("TYPES", ()).unwrap().unwrap();
    let shown: Vec<Option<String>> = text
        .unwrap()
        .into_iter()
        .map(|v| match v {
            Value::NULL => None,
            Value::Bytes(b) => Some(String::from_utf8_lossy(&b).into_owned()),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        "-5",
        "250",
        "-300",
        "-70000",
        "4000000000",
        "-9223372036854775808",
        "18446744073709551615",
        "1.5",
        "0.1",
        "12.340",
        "2024-02-29",
        "2024-02-29 23:59:58.000001",
        "1970-01-01 00:00:01",
        "-100:00:01.500000",
        "2024",
        "\u{2}\u{1}",
        "héllo",
        "\0\u{fffd}",
        "{\"a\": 1}",
    ];
    assert_eq!(shown[..19], expected.map(|s| Some(s.to_owned())));
    assert_eq!(shown[19..], [None, None]);
    let bytes = |b: &[u8]| Value::Bytes(b.to_vec());
    let expected = vec![
        Value::Int(-5),
        Value::Int(250),
        Value::Int(-300),
        Value::Int(-70_000),
        Value::Int(4_000_000_000),
        Value::Int(i64::MIN),
        Value::UInt(u64::MAX),
        Value::Float(1.5),
        Value::Double(0.1),
        bytes(b"12.340"),
        Value::Date(2024, 2, 29, 0, 0, 0, 0),
        Value::Date(2024, 2, 29, 23, 59, 58, 1),
        Value::Date(1970, 1, 1, 0, 0, 1, 0),
        Value::Time(true, 4, 4, 0, 1, 500_000),
        Value::Int(2024),
        bytes(b"\x02\x01"),
        bytes("héllo".as_bytes()),
        bytes(b"\0\xff"),
        bytes(b"{\"a\": 1}"),
        Value::NULL,
        Value::NULL,
    ];
    assert_eq!(binary.unwrap(), expected);
}

#[test]
fn parameters_of_every_type_come_back() {
    let server = Server::start();
    let mut conn = root(&server);
    let values = vec![
        Value::Int(-1),
        Value::Int(i64::MIN),
        Value::UInt(u64::MAX),
        Value::Float(2.5),
        Value::Double(-0.1),
        Value::Bytes("grün".into()),
        Value::Bytes(vec![0, 255, 254]),
        Value::Date(2024, 2, 29, 1, 2, 3, 4),
        Value::Time(true, 3, 4, 5, 6, 7),
        Value::NULL,
        Value::Bytes(Vec::new()),
    ];
    let marks = vec!["?"; values.len()].join(",");
    let statement = conn.prep(format!("ECHO {marks}")).unwrap();
    assert_eq!(usize::from(statement.num_params()), values.len());
    for _ in 0..2 {
        let row: mysql::Row = conn.exec_first(&statement, values.clone()).unwrap().unwrap();
        assert_eq!(row.unwrap(), values);
    }
    conn.close(statement).unwrap();
    assert_eq!(word(&mut conn, "STATE"), "0 open, 1 closed");
    assert_eq!(code(conn.prep("FAIL")), 1062);
}

#[test]
fn seventeen_megabytes_travel_both_ways() {
    let server = Server::start();
    for compression in [None, Some(Compression::fast())] {
        let mut conn = Conn::new(opts(&server, "root", "secret").compress(compression)).unwrap();
        let size = 17 << 20;
        let big: String = conn.query_first(format!("BIG {size}")).unwrap().unwrap();
        assert_eq!(big.len(), size);
        let sql = format!("LENGTH{}", " ".repeat(size));
        assert_eq!(word(&mut conn, &sql), (size + 6).to_string());
        // Exactly one full frame, and one byte around it.
        for length in [0xff_fffe - 1, 0xff_ffff - 1, 0xff_ffff] {
            let sql = format!("LENGTH{}", " ".repeat(length - 6));
            assert_eq!(word(&mut conn, &sql), length.to_string());
        }
        let echoed: String = conn.exec_first("ECHO ?", (&big,)).unwrap().unwrap();
        assert!(echoed == big);
    }
}

#[test]
fn many_rows_stream_with_and_without_compression() {
    let server = Server::start();
    for compression in [None, Some(Compression::fast())] {
        let mut conn = Conn::new(opts(&server, "root", "secret").compress(compression)).unwrap();
        let rows: Vec<u64> = conn.query("ROWS 100000").unwrap();
        assert_eq!(rows.len(), 100_000);
        assert_eq!(rows.iter().sum::<u64>(), 99_999 * 50_000);
    }
}

#[test]
fn changing_user_proves_the_password() {
    let server = Server::start();
    let mut conn = root(&server);
    let change = |user: &str, password: &str| {
        ChangeUserOpts::new().with_user(Some(user.to_owned())).with_pass(Some(password.to_owned()))
    };
    conn.change_user(change("open", "").with_db_name(Some("shop".to_owned()))).unwrap();
    assert!(word(&mut conn, "WHO").starts_with("open@127.0.0.1 shop"));
    conn.change_user(change("old", "secret")).unwrap();
    assert!(word(&mut conn, "WHO").starts_with("old@127.0.0.1 shop"));
    assert_eq!(code(conn.change_user(change("root", "Secret"))), 1045);
    assert!(word(&mut conn, "WHO").starts_with("old@127.0.0.1 shop"), "the old login stays");
}

#[test]
fn reset_forgets_statements_and_transaction() {
    let server = Server::start();
    let mut conn = root(&server);
    conn.prep("ECHO ?").unwrap();
    assert_eq!(word(&mut conn, "STATE"), "1 open, 0 closed");
    conn.reset().unwrap();
    assert_eq!(word(&mut conn, "STATE"), "0 open, 0 closed");
}

#[test]
fn found_rows_and_attributes_reach_the_session() {
    let server = Server::start();
    let found = mysql::consts::CapabilityFlags::CLIENT_FOUND_ROWS;
    let attributes = std::collections::HashMap::from([("program_name", "shopkeeper")]);
    let with = opts(&server, "root", "secret").additional_capabilities(found).connect_attrs(Some(attributes));
    let mut conn = Conn::new(with).unwrap();
    assert_eq!(word(&mut conn, "WHO"), "root@127.0.0.1 - tls=false found=true shopkeeper");
}

#[test]
fn there_is_room_for_so_many_clients_and_no_more() {
    let server = Server::with(|config| limits(config, |l| l.max_connections = 2));
    let (first, _second) = (root(&server), root(&server));
    assert_eq!(code(Conn::new(opts(&server, "root", "secret"))), 1040);
    drop(first);
    // The place is free once the server has seen the end; until then the refusal repeats.
    while code(Conn::new(opts(&server, "root", "secret"))) == 1040 {}
}

#[test]
fn stopping_tells_idle_clients_and_ends_every_session() {
    let server = Server::start();
    let mut conns: Vec<Conn> = (0..3).map(|_| root(&server)).collect();
    server.drain();
    let events = server.events();
    assert_eq!(events.iter().filter(|e| *e == "disconnected root").count(), 3);
    assert!(conns[0].ping().is_err());
}
