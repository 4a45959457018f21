//! One smoke test of mysql_async against the server that the environment names (see ci/drivers.sh).

mod topics;

use futures_util::TryStreamExt;
use mysql_async::prelude::*;
use mysql_async::{ChangeUserOpts, Conn, Error, OptsBuilder, Row, SslOpts, TxOpts, Value};
use topics::{BAD, Environment, Outcome, need, run, same};

const DATABASE: &str = "drv_mysql_async";

fn options() -> OptsBuilder {
    let env = Environment::get();
    let options = OptsBuilder::default().ip_or_hostname(env.host).tcp_port(env.port);
    options.user(Some(env.user)).pass(Some(env.password)).db_name(Some(DATABASE)).prefer_socket(false)
}

async fn connect() -> Result<Conn, Error> {
    Conn::new(options()).await
}

fn fails<T>(code: u16, state: &str, outcome: Result<T, Error>) -> Outcome {
    match outcome {
        Err(Error::Server(e)) => same("the error", (e.code, e.state.as_str()), (code, state)),
        Err(other) => Err(format!("error {code} was expected, not {other}").into()),
        Ok(_) => Err(format!("error {code} was expected").into()),
    }
}

async fn login() -> Outcome {
    let mut conn = connect().await?;
    let row: Option<(String, i64)> = conn.query_first("SELECT DATABASE(), 1 + 1").await?;
    same("the row", row, Some((DATABASE.to_string(), 2)))?;
    conn.ping().await?;
    fails(1045, "28000", Conn::new(options().pass(Some("wrong"))).await)?;
    fails(1049, "42000", Conn::new(options().db_name(Some("no_such_database"))).await)?;
    conn.query_drop("SET @a = 5").await?;
    conn.change_user(ChangeUserOpts::default()).await?;
    same("a variable", conn.query_first("SELECT @a").await?, Some(None::<i64>))?;
    conn.query_drop("SET @a = 5").await?;
    conn.reset().await?;
    same("a variable", conn.query_first("SELECT @a").await?, Some(None::<i64>))
}

async fn tls() -> Outcome {
    let own = SslOpts::default().with_root_certs(vec![std::path::PathBuf::from(Environment::get().ca).into()]);
    let mut conn = Conn::new(options().ssl_opts(Some(own))).await?;
    let row: Option<(String, String)> = conn.query_first("SHOW STATUS LIKE 'Ssl_cipher'").await?;
    need("a cipher", row.is_some_and(|(_, cipher)| !cipher.is_empty()))?;
    need("a refusal", Conn::new(options().ssl_opts(Some(SslOpts::default()))).await.is_err())
}

fn values() -> [Vec<Value>; 3] {
    let all: Vec<u8> = (0..=255).collect();
    let bytes = |text: &str| Value::Bytes(text.into());
    let lowest = vec![
        Value::Int(-128), Value::UInt(0), Value::Int(-32768), Value::UInt(0), Value::Int(-8388608), Value::UInt(0),
        Value::Int(-2147483648), Value::UInt(0), Value::Int(i64::MIN), Value::UInt(0), Value::Float(-1.5),
        Value::Double(f64::MIN), bytes("-99999999999999999999.9999999999"), Value::Date(1000, 1, 1, 0, 0, 0, 0),
        Value::Time(true, 34, 22, 59, 58, 999_999), Value::Date(1000, 1, 1, 0, 0, 0, 1),
        Value::Date(1970, 1, 2, 3, 4, 5, 6), Value::UInt(1901), bytes(""), bytes(""), bytes(""),
        Value::Bytes(vec![0; 4]), bytes(""), bytes(""), Value::Bytes(vec![0, 0]), bytes("red"), bytes(""), bytes("[]"),
    ];
    let highest = vec![
        Value::Int(127), Value::UInt(255), Value::Int(32767), Value::UInt(65535), Value::Int(8388607),
        Value::UInt(16777215), Value::Int(2147483647), Value::UInt(4294967295), Value::Int(i64::MAX),
        Value::UInt(u64::MAX), Value::Float(0.25), Value::Double(f64::MIN_POSITIVE), bytes("99999999999999999999.9999999999"),
        Value::Date(9999, 12, 31, 0, 0, 0, 0), Value::Time(false, 34, 22, 59, 58, 999_999),
        Value::Date(9999, 12, 31, 23, 59, 59, 999_999), Value::Date(2038, 1, 18, 3, 14, 7, 999_999), Value::UInt(2155),
        bytes("ten 🦡 x \\"), bytes("it's 🦡 \"%s\" \\ \0 \n ü"), bytes(&"🦡".repeat(5000)),
        Value::Bytes(vec![255, 0, b'\'', b'\\']), Value::Bytes(all[..100].to_vec()), Value::Bytes(all.repeat(100)),
        Value::Bytes(vec![3, 255]), bytes("grün 🦡"), bytes("x,z"), bytes(r#"{"a": [1, 2.5, null, "🦡"]}"#),
    ];
    let nothing = vec![Value::NULL; lowest.len()];
    [lowest, highest, nothing]
}

const COLUMNS: &str = "i8, u8, i16, u16, i24, u24, i32, u32, i64, u64, f32, f64, deci, day, span, moment, stamp, year, \
                       fixed, text_short, text_long, bin_fixed, bin_short, bin_long, bits, choice, flags, doc";

/// A value as it is compared: whatever sign its integer type has; a document without its spaces.
fn normal(column: usize, value: &Value) -> String {
    match value {
        Value::Int(n) => n.to_string(),
        Value::UInt(n) => n.to_string(),
        Value::Bytes(text) if column == 27 => serde_json::from_slice::<serde_json::Value>(text).map_or("?".into(), |v| v.to_string()),
        other => format!("{other:?}"),
    }
}

async fn types() -> Outcome {
    let mut conn = connect().await?;
    conn.query_drop("SET time_zone = '+00:00'").await?;
    conn.query_drop(std::fs::read_to_string(Environment::get().types)?).await?;
    let marks = vec!["?"; 28].join(", ");
    for row in values() {
        conn.exec_drop(format!("INSERT INTO types ({COLUMNS}) VALUES ({marks})"), row).await?;
        same("rows", conn.affected_rows(), 1)?;
    }
    let rows: Vec<Row> = conn.exec(format!("SELECT {COLUMNS} FROM types WHERE id > ? ORDER BY id"), (0,)).await?;
    same("rows", rows.len(), 3)?;
    for (row, wanted) in rows.into_iter().zip(values()) {
        for (column, (got, wanted)) in row.unwrap().iter().zip(&wanted).enumerate() {
            same(&format!("column {column}"), normal(column, got), normal(column, wanted))?;
        }
    }
    let high = &values()[1];
    let chosen: Vec<Value> = [8, 9, 11, 12, 13, 14, 15, 16, 19, 22].iter().map(|i| high[*i].clone()).collect();
    let found: Option<i64> = conn
        .exec_first(
            "SELECT COUNT(*) FROM types WHERE i64 = ? AND u64 = ? AND f64 = ? AND deci = ? AND day = ? AND span = ? \
             AND moment = ? AND stamp = ? AND text_short = ? AND bin_short = ?",
            chosen,
        )
        .await?;
    same("rows found again", found, Some(1))
}

async fn transactions() -> Outcome {
    let (mut conn, mut other) = (connect().await?, connect().await?);
    conn.query_drop("CREATE TABLE steps (id INT PRIMARY KEY)").await?;
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    tx.exec_drop("INSERT INTO steps VALUES (?)", (1,)).await?;
    let count: Option<i64> = other.query_first("SELECT COUNT(*) FROM steps").await?;
    same("seen by others", count, Some(0))?;
    tx.rollback().await?;
    let mut tx = conn.start_transaction(TxOpts::default()).await?;
    tx.query_drop("INSERT INTO steps VALUES (2)").await?;
    tx.query_drop("SAVEPOINT a").await?;
    tx.query_drop("INSERT INTO steps VALUES (3)").await?;
    tx.query_drop("ROLLBACK TO a").await?;
    tx.query_drop("RELEASE SAVEPOINT a").await?;
    fails(1305, "42000", tx.query_drop("ROLLBACK TO a").await)?;
    tx.commit().await?;
    let ids: Vec<i64> = other.query("SELECT id FROM steps").await?;
    same("ids", ids, vec![2])?;
    let mut options = TxOpts::default();
    options.with_readonly(Some(true)).with_consistent_snapshot(true);
    let mut tx = conn.start_transaction(options).await?;
    fails(1792, "25006", tx.query_drop("INSERT INTO steps VALUES (4)").await)?;
    Ok(tx.rollback().await?)
}

async fn conflict() -> Outcome {
    let (mut one, mut two) = (connect().await?, connect().await?);
    one.query_drop("CREATE TABLE pair (id INT PRIMARY KEY, n INT)").await?;
    one.query_drop("INSERT INTO pair VALUES (1, 0), (2, 0)").await?;
    const ADD: &str = "UPDATE pair SET n = n + 1 WHERE id = ?";
    for (conn, id) in [(&mut one, 1), (&mut two, 2)] {
        conn.query_drop("BEGIN").await?;
        conn.exec_drop(ADD, (id,)).await?;
    }
    let end = async |conn: &mut Conn, id: i32| {
        conn.exec_drop(ADD, (id,)).await?;
        conn.query_drop("COMMIT").await
    };
    let (first, second) = tokio::join!(end(&mut one, 2), end(&mut two, 1));
    let (good, bad) = if first.is_ok() { (first, second) } else { (second, first) };
    fails(1213, "40001", bad)?;
    good?;
    let values: Vec<i64> = connect().await?.query("SELECT n FROM pair").await?;
    same("values", values, vec![1, 1])
}

async fn blob() -> Outcome {
    let mut conn = connect().await?;
    let data: Vec<u8> = (0..=255).collect::<Vec<u8>>().repeat(8 * 4096);
    conn.query_drop("CREATE TABLE blobs (id INT PRIMARY KEY, b LONGBLOB)").await?;
    conn.exec_drop("INSERT INTO blobs VALUES (1, ?)", (&data,)).await?;
    let binary: Option<Vec<u8>> = conn.exec_first("SELECT b FROM blobs", ()).await?;
    let text: Option<Vec<u8>> = conn.query_first("SELECT b FROM blobs").await?;
    need("the blob as it was", binary.as_ref() == Some(&data) && text == Some(data))
}

async fn errors() -> Outcome {
    let mut conn = connect().await?;
    conn.query_drop("CREATE TABLE names (id INT PRIMARY KEY, name VARCHAR(5) NOT NULL UNIQUE)").await?;
    conn.query_drop("INSERT INTO names VALUES (1, 'a')").await?;
    for (code, state, sql) in BAD {
        fails(code, state, conn.query_drop(sql).await)?;
        fails(code, state, conn.exec_drop(sql, ()).await)?;
    }
    Ok(())
}

async fn ids() -> Outcome {
    let mut conn = connect().await?;
    conn.query_drop("CREATE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, k INT UNIQUE, n INT)").await?;
    let change = async |conn: &mut Conn, sql: &str| -> Result<(u64, Option<u64>), Error> {
        conn.query_drop(sql).await?;
        Ok((conn.affected_rows(), conn.last_insert_id()))
    };
    let (one, first) = change(&mut conn, "INSERT INTO counted (k, n) VALUES (1, 1)").await?;
    let stored: Option<u64> = conn.query_first("SELECT id FROM counted").await?;
    same("one row", (one, first), (1, stored))?;
    let (three, second) = change(&mut conn, "INSERT INTO counted (k, n) VALUES (2, 2), (3, 3), (4, 4)").await?;
    let stored: Option<u64> = conn.query_first("SELECT MIN(id) FROM counted WHERE k > 1").await?;
    same("three rows", (three, second), (3, stored))?;
    let upsert = "INSERT INTO counted (k, n) VALUES (1, 9) ON DUPLICATE KEY UPDATE n = VALUES(n)";
    same("an upsert that updates", change(&mut conn, upsert).await?, (2, first))?;
    same("an upsert that changes nothing", change(&mut conn, upsert).await?.0, 0)?;
    same("changed", change(&mut conn, "UPDATE counted SET n = 5 WHERE k IN (3, 4)").await?.0, 2)?;
    same("info", &*conn.info(), "Rows matched: 2  Changed: 2  Warnings: 0")?;
    same("unchanged", change(&mut conn, "UPDATE counted SET n = 5 WHERE k IN (3, 4)").await?.0, 0)?;
    same("replaced", change(&mut conn, "REPLACE INTO counted (k, n) VALUES (3, 1)").await?.0, 2)?;
    same("deleted", change(&mut conn, "DELETE FROM counted WHERE k < 3").await?.0, 2)?;
    let mut matching = Conn::new(options().client_found_rows(true)).await?;
    same("found", change(&mut matching, "UPDATE counted SET n = 5 WHERE k = 4").await?.0, 1)
}

async fn batch() -> Outcome {
    let mut conn = connect().await?;
    conn.query_drop("CREATE TABLE many (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(20))").await?;
    let rows = (0..500).map(|n| (n, format!("name {n}")));
    conn.exec_batch("INSERT INTO many (a, b) VALUES (?, ?)", rows).await?;
    let sum: Option<(i64, i64)> = conn.query_first("SELECT COUNT(*), CAST(SUM(a) AS SIGNED) FROM many").await?;
    same("rows", sum, Some((500, 124_750)))
}

async fn multi() -> Outcome {
    let mut conn = connect().await?;
    let mut result = conn.query_iter("SELECT 1; SET @x = 3; SELECT @x; DO 0; SELECT 2").await?;
    let mut got = Vec::new();
    while !result.is_empty() || got.len() < 5 {
        got.push(result.collect::<i64>().await?);
    }
    same("results", got, vec![vec![1], vec![], vec![3], vec![], vec![2]])
}

async fn metadata() -> Outcome {
    let mut conn = connect().await?;
    let statement = conn.prep("SELECT t.*, id + 1 AS next FROM types t WHERE id = ? AND day < ?").await?;
    same("parameters", (statement.num_params(), statement.num_columns()), (2, 30))?;
    let result = conn.query_iter("SELECT * FROM types t").await?;
    let columns = result.columns().ok_or("no columns")?;
    let json = if Environment::get().marmot { 245 } else { 252 };
    let types: Vec<u8> = columns.iter().map(|c| c.column_type() as u8).collect();
    let wanted = [3, 1, 1, 2, 2, 9, 9, 3, 3, 8, 8, 4, 5, 246, 10, 11, 12, 7, 13, 254, 253, 252, 254, 253, 252, 16, 254, 254, json];
    same("types", types, wanted.to_vec())?;
    let first = &columns[0];
    let names = (first.schema_str(), first.table_str(), first.org_table_str(), first.org_name_str());
    same("names", names, (DATABASE.into(), "t".into(), "types".into(), "id".into()))?;
    same("the decimal", (columns[13].column_length(), columns[13].decimals()), (32, 10))?;
    Ok(result.drop_result().await?)
}

async fn stream() -> Outcome {
    let mut conn = connect().await?;
    let mut sum = 0;
    let mut rows = conn.exec_stream::<i64, _, _>("SELECT a FROM many WHERE a >= ? ORDER BY id", (0,)).await?;
    while let Some(a) = rows.try_next().await? {
        sum += a;
    }
    drop(rows);
    same("the sum", sum, 124_750)?;
    let mut rows = conn.query_stream::<i64, _>("SELECT a FROM many ORDER BY id").await?;
    rows.try_next().await?;
    drop(rows);
    same("after a part", conn.query_first("SELECT 1").await?, Some(1))
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let setup = async {
        let mut admin = Conn::new(options().db_name(None::<String>)).await?;
        admin.query_drop(format!("DROP DATABASE IF EXISTS {DATABASE}")).await?;
        admin.query_drop(format!("CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")).await
    };
    setup.await.expect("an empty database");
    let mut failed = 0;
    failed += run("mysql_async", "login", login()).await;
    failed += run("mysql_async", "tls", tls()).await;
    failed += run("mysql_async", "types", types()).await;
    failed += run("mysql_async", "transactions", transactions()).await;
    failed += run("mysql_async", "conflict", conflict()).await;
    failed += run("mysql_async", "blob", blob()).await;
    failed += run("mysql_async", "errors", errors()).await;
    failed += run("mysql_async", "ids", ids()).await;
    failed += run("mysql_async", "batch", batch()).await;
    failed += run("mysql_async", "multi", multi()).await;
    failed += run("mysql_async", "metadata", metadata()).await;
    failed += run("mysql_async", "stream", stream()).await;
    std::process::exit(i32::from(failed > 0));
}
