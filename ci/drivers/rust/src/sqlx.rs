//! One smoke test of sqlx against the server that the environment names (see ci/drivers.sh).

mod topics;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use futures_util::TryStreamExt;
use rust_decimal::Decimal;
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, Column, Connection, Error, Executor, MySqlConnection, Row, Statement, TypeInfo};
use topics::{BAD, Environment, Outcome, need, run, same};

const DATABASE: &str = "drv_sqlx";

fn options() -> MySqlConnectOptions {
    let env = Environment::get();
    let options = MySqlConnectOptions::new().host(&env.host).port(env.port).username(&env.user).password(&env.password);
    options.database(DATABASE).ssl_mode(MySqlSslMode::Disabled)
}

async fn connect() -> Result<MySqlConnection, Error> {
    MySqlConnection::connect_with(&options()).await
}

fn fails<T>(code: u16, state: &str, outcome: Result<T, Error>) -> Outcome {
    match outcome {
        Err(Error::Database(e)) => {
            let told = e.downcast_ref::<sqlx::mysql::MySqlDatabaseError>();
            same(e.message(), (told.number(), told.code()), (code, Some(state)))
        }
        Err(other) => Err(format!("error {code} was expected, not {other}").into()),
        Ok(_) => Err(format!("error {code} was expected").into()),
    }
}

async fn login() -> Outcome {
    let mut conn = connect().await?;
    let row: (String, i64) = sqlx::query_as("SELECT DATABASE(), CAST(1 + 1 AS SIGNED)").fetch_one(&mut conn).await?;
    same("the row", row, (DATABASE.to_string(), 2))?;
    conn.ping().await?;
    fails(1045, "28000", MySqlConnection::connect_with(&options().password("wrong")).await)?;
    fails(1049, "42000", MySqlConnection::connect_with(&options().database("no_such_database")).await)
}

async fn tls() -> Outcome {
    let ca = Environment::get().ca;
    let own = options().ssl_mode(MySqlSslMode::VerifyIdentity).ssl_ca(ca);
    let mut conn = MySqlConnection::connect_with(&own).await?;
    let row: (String, String) = sqlx::query_as("SHOW STATUS LIKE 'Ssl_cipher'").fetch_one(&mut conn).await?;
    need("a cipher", !row.1.is_empty())?;
    need("a refusal", MySqlConnection::connect_with(&options().ssl_mode(MySqlSslMode::VerifyCa)).await.is_err())
}

type Integers = (Option<i8>, Option<u8>, Option<i16>, Option<u16>, Option<i32>, Option<u32>, Option<i64>, Option<u64>);
type Numbers = (Option<f32>, Option<f64>, Option<Decimal>, Option<u16>);
type Moments = (Option<NaiveDate>, Option<NaiveTime>, Option<NaiveDateTime>, Option<chrono::DateTime<Utc>>);
type Texts = (Option<String>, Option<String>, Option<String>, Option<String>, Option<String>);
type Bytes = (Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);
type All = (Integers, Numbers, Moments, Texts, Bytes, Option<serde_json::Value>);

fn values() -> Result<[All; 3], Box<dyn std::error::Error>> {
    let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).ok_or("no such day");
    let time = |h, m, s, us| NaiveTime::from_hms_micro_opt(h, m, s, us).ok_or("no such time");
    let all: Vec<u8> = (0..=255).collect();
    let text = |text: &str| Some(text.to_string());
    let lowest = (
        (Some(i8::MIN), Some(0), Some(i16::MIN), Some(0), Some(i32::MIN), Some(0), Some(i64::MIN), Some(0)),
        (Some(-1.5), Some(f64::MIN), Some(Decimal::from_str_exact("-123456789012345678.9012345678")?), Some(1901)),
        (
            Some(day(1000, 1, 1)?),
            Some(time(0, 0, 0, 0)?),
            Some(day(1000, 1, 1)?.and_time(time(0, 0, 0, 1)?)),
            Some(Utc.from_utc_datetime(&day(1970, 1, 2)?.and_time(time(3, 4, 5, 6)?))),
        ),
        (text(""), text(""), text(""), text("red"), text("")),
        (Some(vec![0; 4]), Some(vec![]), Some(vec![])),
        Some(serde_json::json!([])),
    );
    let highest = (
        (Some(127), Some(255), Some(32767), Some(65535), Some(i32::MAX), Some(u32::MAX), Some(i64::MAX), Some(u64::MAX)),
        (Some(0.25), Some(f64::MIN_POSITIVE), Some(Decimal::from_str_exact("123456789012345678.9012345678")?), Some(2155)),
        (
            Some(day(9999, 12, 31)?),
            Some(time(23, 59, 59, 999_999)?),
            Some(day(9999, 12, 31)?.and_time(time(23, 59, 59, 999_999)?)),
            Some(Utc.from_utc_datetime(&day(2038, 1, 18)?.and_time(time(3, 14, 7, 999_999)?))),
        ),
        (
            text("ten 🦡 x \\"),
            text("it's 🦡 \"%s\" \\ \0 \n ü"),
            text(&"🦡".repeat(5000)),
            text("grün 🦡"),
            text("x,z"),
        ),
        (Some(vec![255, 0, b'\'', b'\\']), Some(all[..100].to_vec()), Some(all.repeat(100))),
        Some(serde_json::json!({"a": [1, 2.5, null, "🦡"]})),
    );
    let nothing = All::default();
    Ok([lowest, highest, nothing])
}

const INSERT: &str = "INSERT INTO types (i8, u8, i16, u16, i32, u32, i64, u64, f32, f64, deci, year, day, span, moment, stamp, \
                      fixed, text_short, text_long, choice, flags, bin_fixed, bin_short, bin_long, doc) \
                      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

async fn types() -> Outcome {
    let mut conn = connect().await?;
    conn.execute(AssertSqlSafe(std::fs::read_to_string(Environment::get().types)?)).await?;
    for (i, n, m, t, b, doc) in values()? {
        let insert = sqlx::query(INSERT).bind(i.0).bind(i.1).bind(i.2).bind(i.3).bind(i.4).bind(i.5).bind(i.6).bind(i.7);
        let insert = insert.bind(n.0).bind(n.1).bind(n.2).bind(n.3).bind(m.0).bind(m.1).bind(m.2).bind(m.3);
        let insert = insert.bind(t.0).bind(t.1).bind(t.2).bind(t.3).bind(t.4).bind(b.0).bind(b.1).bind(b.2).bind(doc);
        same("rows", insert.execute(&mut conn).await?.rows_affected(), 1)?;
    }
    let rows = sqlx::query("SELECT * FROM types WHERE id > ? ORDER BY id").bind(0).fetch_all(&mut conn).await?;
    same("rows", rows.len(), 3)?;
    for (r, (i, n, m, t, b, doc)) in rows.iter().zip(values()?) {
        same("integers", (r.get("i8"), r.get("u8"), r.get("i16"), r.get("u16")), (i.0, i.1, i.2, i.3))?;
        same("integers", (r.get("i32"), r.get("u32"), r.get("i64"), r.get("u64")), (i.4, i.5, i.6, i.7))?;
        same("numbers", (r.get("f32"), r.get("f64"), r.get("deci"), r.get("year")), n)?;
        same("moments", (r.get("day"), r.get("span"), r.get("moment"), r.get("stamp")), m)?;
        same("texts", (r.get("fixed"), r.get("text_short"), r.get("text_long"), r.get("choice"), r.get("flags")), t)?;
        same("bytes", (r.get("bin_fixed"), r.get("bin_short"), r.get("bin_long")), b)?;
        same("doc", r.get("doc"), doc)?;
    }
    let [_, (i, n, m, t, b, _), _] = values()?;
    let found: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM types WHERE i64 = ? AND u64 = ? AND f64 = ? AND deci = ? AND day = ? AND span = ? \
         AND moment = ? AND stamp = ? AND text_short = ? AND bin_short = ?",
    )
    .bind(i.6)
    .bind(i.7)
    .bind(n.1)
    .bind(n.2)
    .bind(m.0)
    .bind(m.1)
    .bind(m.2)
    .bind(m.3)
    .bind(t.1)
    .bind(b.1)
    .fetch_one(&mut conn)
    .await?;
    same("rows found again", found, 1)
}

async fn transactions() -> Outcome {
    let (mut conn, mut other) = (connect().await?, connect().await?);
    conn.execute("CREATE TABLE steps (id INT PRIMARY KEY)").await?;
    let mut tx = conn.begin().await?;
    tx.execute("INSERT INTO steps VALUES (1)").await?;
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM steps").fetch_one(&mut other).await?;
    same("seen by others", count, 0)?;
    tx.rollback().await?;
    let mut tx = conn.begin().await?;
    sqlx::query("INSERT INTO steps VALUES (?)").bind(2).execute(&mut *tx).await?;
    let mut inner = tx.begin().await?;
    sqlx::query("INSERT INTO steps VALUES (?)").bind(3).execute(&mut *inner).await?;
    inner.rollback().await?;
    tx.commit().await?;
    // One that is dropped is rolled back.
    let mut dropped = conn.begin().await?;
    dropped.execute("INSERT INTO steps VALUES (9)").await?;
    drop(dropped);
    conn.ping().await?;
    let ids: Vec<i32> = sqlx::query_scalar("SELECT id FROM steps").fetch_all(&mut other).await?;
    same("ids", ids, vec![2])
}

async fn conflict() -> Outcome {
    let (mut one, mut two) = (connect().await?, connect().await?);
    one.execute("CREATE TABLE pair (id INT PRIMARY KEY, n INT)").await?;
    one.execute("INSERT INTO pair VALUES (1, 0), (2, 0)").await?;
    const ADD: &str = "UPDATE pair SET n = n + 1 WHERE id = ?";
    let (mut first, mut second) = (one.begin().await?, two.begin().await?);
    sqlx::query(ADD).bind(1).execute(&mut *first).await?;
    sqlx::query(ADD).bind(2).execute(&mut *second).await?;
    let first = async {
        sqlx::query(ADD).bind(2).execute(&mut *first).await?;
        first.commit().await
    };
    let second = async {
        sqlx::query(ADD).bind(1).execute(&mut *second).await?;
        second.commit().await
    };
    let (first, second) = tokio::join!(first, second);
    let (good, bad) = if first.is_ok() { (first, second) } else { (second, first) };
    fails(1213, "40001", bad)?;
    good?;
    let values: Vec<i32> = sqlx::query_scalar("SELECT n FROM pair").fetch_all(&mut connect().await?).await?;
    same("values", values, vec![1, 1])
}

async fn blob() -> Outcome {
    let mut conn = connect().await?;
    let data: Vec<u8> = (0..=255).collect::<Vec<u8>>().repeat(8 * 4096);
    conn.execute("CREATE TABLE blobs (id INT PRIMARY KEY, b LONGBLOB)").await?;
    sqlx::query("INSERT INTO blobs VALUES (1, ?)").bind(&data).execute(&mut conn).await?;
    let binary: Vec<u8> = sqlx::query_scalar("SELECT b FROM blobs").fetch_one(&mut conn).await?;
    let text: Vec<u8> = conn.fetch_one("SELECT b FROM blobs").await?.get(0);
    need("the blob as it was", binary == data && text == data)
}

async fn errors() -> Outcome {
    let mut conn = connect().await?;
    conn.execute("CREATE TABLE names (id INT PRIMARY KEY, name VARCHAR(5) NOT NULL UNIQUE)").await?;
    conn.execute("INSERT INTO names VALUES (1, 'a')").await?;
    for (code, state, sql) in BAD {
        fails(code, state, conn.execute(sql).await)?;
        fails(code, state, sqlx::query(sql).execute(&mut conn).await)?;
    }
    let Err(Error::Database(error)) = conn.execute(BAD[0].2).await else { return Err("no error".into()) };
    need("a unique violation", error.is_unique_violation())
}

async fn ids() -> Outcome {
    let mut conn = connect().await?;
    conn.execute("CREATE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, k INT UNIQUE, n INT)").await?;
    let change = async |conn: &mut MySqlConnection, sql: &'static str| -> Result<(u64, u64), Error> {
        let done = sqlx::query(sql).execute(conn).await?;
        Ok((done.rows_affected(), done.last_insert_id()))
    };
    let (one, first) = change(&mut conn, "INSERT INTO counted (k, n) VALUES (1, 1)").await?;
    let stored: i32 = sqlx::query_scalar("SELECT id FROM counted").fetch_one(&mut conn).await?;
    same("one row", (one, first), (1, u64::try_from(stored)?))?;
    let (three, second) = change(&mut conn, "INSERT INTO counted (k, n) VALUES (2, 2), (3, 3), (4, 4)").await?;
    let stored: i32 = sqlx::query_scalar("SELECT MIN(id) FROM counted WHERE k > 1").fetch_one(&mut conn).await?;
    same("three rows", (three, second), (3, u64::try_from(stored)?))?;
    // The driver asks for rows found.
    let upsert = "INSERT INTO counted (k, n) VALUES (1, 9) ON DUPLICATE KEY UPDATE n = VALUES(n)";
    same("an upsert that updates", change(&mut conn, upsert).await?, (2, first))?;
    same("an upsert that changes nothing", change(&mut conn, upsert).await?.0, 1)?;
    same("found", change(&mut conn, "UPDATE counted SET n = 3 WHERE k IN (3, 4)").await?.0, 2)?;
    same("replaced", change(&mut conn, "REPLACE INTO counted (k, n) VALUES (3, 1)").await?.0, 2)?;
    same("deleted", change(&mut conn, "DELETE FROM counted WHERE k < 3").await?.0, 2)
}

async fn batch() -> Outcome {
    let pool: MySqlPool = MySqlPoolOptions::new().max_connections(3).connect_with(options()).await?;
    pool.execute("CREATE TABLE many (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(20))").await?;
    let mut builder = sqlx::QueryBuilder::<sqlx::MySql>::new("INSERT INTO many (a, b) ");
    builder.push_values(0..2000, |mut row, n: i32| {
        row.push_bind(n).push_bind(format!("name {n}"));
    });
    same("rows", builder.build().execute(&pool).await?.rows_affected(), 2000)?;
    let sum: i64 = sqlx::query_scalar("SELECT CAST(SUM(a) AS SIGNED) FROM many").fetch_one(&pool).await?;
    same("the sum", sum, 1_999_000)
}

async fn multi() -> Outcome {
    let mut conn = connect().await?;
    let rows = conn.fetch_all("SELECT 1 AS one; SET @x = 3; SELECT @x AS x; DO 0; SELECT 2 AS two").await?;
    let got: Vec<i64> = rows.iter().map(|row| row.get::<i64, _>(0)).collect();
    same("rows of all results", got, vec![1, 3, 2])
}

async fn metadata() -> Outcome {
    let mut conn = connect().await?;
    let told = conn.prepare(sqlx::SqlStr::from_static("SELECT * FROM types WHERE id = ?")).await?;
    let types: Vec<&str> = told.columns().iter().map(|c| c.type_info().name()).collect();
    let wanted = "INT|TINYINT|TINYINT UNSIGNED|SMALLINT|SMALLINT UNSIGNED|MEDIUMINT|MEDIUMINT UNSIGNED|INT|INT UNSIGNED|BIGINT|\
                  BIGINT UNSIGNED|FLOAT|DOUBLE|DECIMAL|DATE|TIME|DATETIME|TIMESTAMP|YEAR|CHAR|VARCHAR|TEXT|BINARY|VARBINARY|\
                  BLOB|BIT|ENUM|CHAR|";
    let json = if Environment::get().marmot { "JSON" } else { "BLOB" };
    same("types", types.join("|"), wanted.to_string() + json)?;
    same("names", (told.columns()[0].name(), told.columns()[13].name()), ("id", "deci"))
}

async fn stream() -> Outcome {
    let mut conn = connect().await?;
    let mut sum = 0;
    let mut rows = sqlx::query_scalar::<_, i32>("SELECT a FROM many WHERE a >= ? ORDER BY id").bind(0).fetch(&mut conn);
    while let Some(a) = rows.try_next().await? {
        sum += a;
    }
    drop(rows);
    same("the sum", sum, 1_999_000)?;
    let mut rows = sqlx::query("SELECT a FROM many ORDER BY id").fetch(&mut conn);
    rows.try_next().await?;
    drop(rows);
    let one: i64 = sqlx::query_scalar("SELECT 1").fetch_one(&mut conn).await?;
    same("after a part", one, 1)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let setup = async {
        let mut admin = MySqlConnection::connect_with(&options().database("information_schema")).await?;
        admin.execute("DROP DATABASE IF EXISTS drv_sqlx").await?;
        admin.execute("CREATE DATABASE drv_sqlx CHARACTER SET utf8mb4").await
    };
    setup.await.expect("an empty database");
    let mut failed = 0;
    failed += run("sqlx", "login", login()).await;
    failed += run("sqlx", "tls", tls()).await;
    failed += run("sqlx", "types", types()).await;
    failed += run("sqlx", "transactions", transactions()).await;
    failed += run("sqlx", "conflict", conflict()).await;
    failed += run("sqlx", "blob", blob()).await;
    failed += run("sqlx", "errors", errors()).await;
    failed += run("sqlx", "ids", ids()).await;
    failed += run("sqlx", "batch", batch()).await;
    failed += run("sqlx", "multi", multi()).await;
    failed += run("sqlx", "metadata", metadata()).await;
    failed += run("sqlx", "stream", stream()).await;
    std::process::exit(i32::from(failed > 0));
}
