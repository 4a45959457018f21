//! What an overlay promises: a transaction sees one snapshot and its own writes, and nothing reaches the file, whatever
//! commits and checkpoints happen underneath.

mod sqlite_rig;

use marmot::sqlite::{Constraint, Error, FileChange, Options, TableIds};
use marmot::types::Value;
use sqlite_rig::{DB, Rig, ids, number, one, plain, run};
use std::sync::atomic::{AtomicBool, Ordering};

fn tables() -> Vec<TableIds> {
    vec![
        ids(1, "t", &["id", "a", "b"], &[&["b"]]),
        ids(2, "log", &["id", "m"], &[]),
        ids(3, "par", &["id"], &[]),
        ids(4, "chi", &["id", "p"], &[]),
    ]
}

/// 1000 rows in `t`, a trigger that logs updates, a parent with children.
fn rig(options: Options) -> Rig {
    Rig::with(
        options,
        &tables(),
        &[
            "CREATE TABLE shop.t(id INTEGER PRIMARY KEY, a INT, b TEXT UNIQUE)",
            "CREATE INDEX shop.ta ON t(a)",
            "CREATE TABLE shop.log(id INTEGER PRIMARY KEY AUTOINCREMENT, m TEXT)",
            "CREATE TRIGGER shop.tr AFTER UPDATE ON t BEGIN INSERT INTO log(m) VALUES('u' || new.id); END",
            "CREATE TABLE shop.par(id INTEGER PRIMARY KEY)",
            "CREATE TABLE shop.chi(id INTEGER PRIMARY KEY, p INT REFERENCES par(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED)",
            "INSERT INTO shop.par VALUES(1), (2)",
            "INSERT INTO shop.chi VALUES(1, 1), (2, 1), (3, 2)",
            "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c WHERE x < 1000)
         INSERT INTO shop.t SELECT x, x % 10, 's' || x FROM c",
        ],
    )
}

fn is_sound(path: &std::path::Path) -> bool {
    plain(path).query_row("PRAGMA integrity_check", [], |r| r.get::<_, String>(0)).unwrap() == "ok"
}

#[test]
fn a_transaction_reads_its_own_writes_and_nobody_else_does() {
    let rig = rig(Options::default());
    let mut w = rig.workspace();
    w.begin().unwrap();
    run(&mut w, "UPDATE shop.t SET a = 99 WHERE id = 5");
    run(&mut w, "INSERT INTO shop.t VALUES(2000, 99, 'new')");
    run(&mut w, "DELETE FROM shop.t WHERE id = 6");
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t WHERE a = 99"), 2);
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t"), 1000);
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.log"), 1);
    let taken = w.execute("INSERT INTO shop.t VALUES(3000, 1, 's7')", &[]).unwrap_err();
    assert!(matches!(taken, Error::Constraint { kind: Constraint::Unique(c), .. } if c == ["t.b"]));
    // Freed by the DELETE above.
    run(&mut w, "INSERT INTO shop.t VALUES(3001, 1, 's6')");
    let mut reader = rig.reader();
    assert_eq!(sqlite_rig::read(&mut reader, "SELECT count(*) FROM shop.t WHERE a = 99"), [[Value::Int(0)]]);
    w.end();
    assert_eq!(sqlite_rig::read(&mut reader, "SELECT count(*) FROM shop.log"), [[Value::Int(0)]]);
    assert!(is_sound(&rig.path()));
}

#[test]
fn the_snapshot_stays_whatever_commits_and_checkpoints_do() {
    let mut rig = rig(Options::default());
    let mut w = rig.workspace();
    w.begin().unwrap();
    run(&mut w, "UPDATE shop.t SET a = 99 WHERE id = 5");
    rig.commit(&["UPDATE shop.t SET a = 77 WHERE id BETWEEN 100 AND 200", "INSERT INTO shop.t VALUES(5000, 77, 'x')"]);
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t WHERE a = 77"), 0);
    rig.plain().query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t WHERE a = 77"), 0);
    assert_eq!(number(&mut w, "SELECT sum(id) FROM shop.t"), 500_500);
    w.end();
    w.begin().unwrap();
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t WHERE a = 77"), 102);
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t WHERE a = 99"), 0);
    w.end();
}

#[test]
fn savepoints_take_back_exactly_what_came_after() {
    let rig = rig(Options::default());
    let mut w = rig.workspace();
    w.begin().unwrap();
    run(&mut w, "UPDATE shop.t SET a = 99 WHERE id IN (5, 7)");
    w.savepoint("s1").unwrap();
    run(&mut w, "UPDATE shop.t SET a = 55");
    w.savepoint("s2").unwrap();
    assert_eq!(run(&mut w, "DELETE FROM shop.t").rows.deleted, 1000);
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t"), 0);
    w.rollback_to("S2").unwrap();
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t WHERE a = 55"), 1000);
    w.rollback_to("s1").unwrap();
    assert!(!w.has_savepoint("s2"));
    assert!(w.rollback_to("s2").is_err());
    w.release("s1").unwrap();
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t WHERE a = 55"), 0);
    let write_set = w.take_write_set().unwrap();
    let rows: usize = write_set.tables.iter().map(|t| t.rows.len()).sum();
    assert_eq!(rows, 4, "two updates of t and two rows of the log");
    w.end();
}

#[test]
fn foreign_keys_cascade_and_deferred_ones_are_checked_before_the_commit() {
    let rig = rig(Options::default());
    let mut w = rig.workspace();
    w.begin().unwrap();
    run(&mut w, "DELETE FROM shop.par WHERE id = 1");
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.chi"), 1);
    let write_set = w.take_write_set().unwrap();
    assert_eq!(write_set.tables.iter().map(|t| t.rows.len()).sum::<usize>(), 3);
    w.end();
    w.begin().unwrap();
    run(&mut w, "INSERT INTO shop.chi VALUES(9, 77)");
    let refused = w.take_write_set().unwrap_err();
    assert!(matches!(refused, Error::Constraint { kind: Constraint::ForeignKey, .. }));
    run(&mut w, "INSERT INTO shop.par VALUES(77)");
    assert_eq!(w.take_write_set().unwrap().tables.len(), 2);
    w.end();
}

#[test]
fn a_schema_change_is_tried_out_in_private() {
    let mut rig = rig(Options::default());
    let mut w = rig.workspace();
    let step = |sql: &str, tables: Vec<TableIds>| marmot::sqlite::SchemaStep {
        file: FileChange::Keep,
        version: 2,
        statements: vec![sql.into()],
        definitions: marmot::sqlite::Definitions::Whole { definition: Vec::new(), tables },
    };
    let mut with_priv = tables();
    with_priv.push(ids(9, "priv", &["x"], &[]));
    w.begin_schema().unwrap();
    w.execute_schema(DB, &step("CREATE TABLE shop.priv(x INTEGER PRIMARY KEY)", with_priv.clone())).unwrap();
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.priv"), 0);
    assert!(w.take_write_set().unwrap().is_empty());
    w.end();
    w.begin().unwrap();
    assert!(w.query("SELECT * FROM shop.priv", &[]).is_err());
    // A real change while the transaction runs is not seen by it, only by the next.
    rig.apply(sqlite_rig::schema(
        FileChange::Keep,
        &["ALTER TABLE shop.t ADD COLUMN extra INT DEFAULT 7"],
        &{
            let mut changed = tables();
            changed[0] = ids(1, "t", &["id", "a", "b", "extra"], &[&["b"]]);
            changed
        },
        2,
    ));
    assert!(w.query("SELECT extra FROM shop.t", &[]).is_err());
    assert_eq!(w.schema_version(DB).unwrap(), 1);
    run(&mut w, "UPDATE shop.t SET a = 1 WHERE id = 1000");
    assert_eq!(w.take_write_set().unwrap().tables[0].columns.len(), 3);
    w.end();
    w.begin().unwrap();
    assert_eq!(number(&mut w, "SELECT extra FROM shop.t WHERE id = 1"), 7);
    assert_eq!(w.schema_version(DB).unwrap(), 2);
    run(&mut w, "UPDATE shop.t SET a = 1 WHERE id = 1000");
    assert_eq!(w.take_write_set().unwrap().tables[0].columns.len(), 4);
    w.end();
}

/// SQLite reads the definitions of every attached database when one more is attached or one is detached, if it forgot them:
/// as it does when a schema change is rolled back. That must be of a snapshot that nobody writes over.
#[test]
fn attaching_and_detaching_between_transactions_reads_no_snapshot_that_is_gone() {
    let mut rig = rig(Options { checkpoint_bytes: 1, ..Options::default() });
    for (version, name) in (2..).zip(["other", "third"]) {
        let mut made = sqlite_rig::schema(FileChange::Create, &[], &[], version);
        made.ddl.as_mut().unwrap().database = name.into();
        rig.apply(made);
    }
    let mut w = rig.workspace();
    let refill = |w: &mut marmot::sqlite::Workspace, rig: &mut Rig| {
        w.begin_schema().unwrap();
        let statements = vec!["CREATE TABLE shop.priv(x INTEGER PRIMARY KEY)".into()];
        let definitions = marmot::sqlite::Definitions::Whole { definition: Vec::new(), tables: tables() };
        let step = marmot::sqlite::SchemaStep { file: FileChange::Keep, version: 9, statements, definitions };
        w.execute_schema(DB, &step).unwrap();
        w.end();
        rig.commit(&["UPDATE shop.t SET a = a + 1 WHERE id = 1"]);
        // Of this one's snapshot nothing is read, nor of the one before kept.
        w.begin().unwrap();
        w.end();
        // The write-ahead log is moved into the file, and begins anew with other pages.
        rig.dir.open_checkpointer().run().unwrap();
        rig.commit(&["UPDATE shop.t SET b = b || hex(randomblob(200))"]);
    };
    refill(&mut w, &mut rig);
    w.attach("other").unwrap();
    refill(&mut w, &mut rig);
    w.attach_memory("system").unwrap();
    refill(&mut w, &mut rig);
    let mut gone = sqlite_rig::schema(FileChange::Drop, &[], &[], 9);
    gone.ddl.as_mut().unwrap().database = "other".into();
    rig.apply(gone);
    // Detaches the one that was dropped.
    w.begin().unwrap();
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t"), 1000);
    w.end();
    refill(&mut w, &mut rig);
    w.attach("third").unwrap();
    w.begin().unwrap();
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t"), 1000);
    w.end();
    assert!(is_sound(&rig.path()));
}

#[test]
fn a_failed_schema_change_says_so() {
    let rig = rig(Options::default());
    let mut w = rig.workspace();
    w.begin_schema().unwrap();
    let step = marmot::sqlite::SchemaStep {
        file: FileChange::Keep,
        version: 2,
        statements: vec!["CREATE UNIQUE INDEX shop.ua ON t(a)".into()],
        definitions: marmot::sqlite::Definitions::Whole { definition: Vec::new(), tables: tables() },
    };
    let refused = w.execute_schema(DB, &step).unwrap_err();
    assert!(matches!(refused, Error::Constraint { kind: Constraint::Unique(_), .. }), "{refused}");
    w.end();
    // Rules are back on.
    w.begin().unwrap();
    run(&mut w, "DELETE FROM shop.par WHERE id = 1");
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.chi"), 1);
    w.end();
}

#[test]
fn a_transaction_larger_than_the_cache_spills_to_private_memory() {
    let mut rig = rig(Options { cache_kib: 100, ..Options::default() });
    let mut w = rig.workspace();
    w.begin().unwrap();
    run(
        &mut w,
        "WITH RECURSIVE c(x) AS (VALUES(10001) UNION ALL SELECT x + 1 FROM c WHERE x < 40000)
         INSERT INTO shop.t(id, a, b) SELECT x, -1, 'big' || x || hex(zeroblob(40)) FROM c",
    );
    assert!(w.spilled() > 1 << 20, "{} bytes spilled", w.spilled());
    w.savepoint("q").unwrap();
    run(&mut w, "UPDATE shop.t SET a = -2 WHERE a = -1");
    w.rollback_to("q").unwrap();
    w.release("q").unwrap();
    rig.commit(&["UPDATE shop.t SET a = 78 WHERE id = 1"]);
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t WHERE a = -1"), 30_000);
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t INDEXED BY ta WHERE a = -1"), 30_000);
    assert_eq!(number(&mut w, "SELECT a FROM shop.t WHERE id = 1"), 1);
    w.end();
    assert_eq!(w.spilled(), 0);
    w.begin().unwrap();
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t WHERE a = -1"), 0);
    assert_eq!(number(&mut w, "SELECT a FROM shop.t WHERE id = 1"), 78);
    w.end();
    assert!(is_sound(&rig.path()));
}

/// The cases of SQLite's read lock 0 (the WAL is wholly in the file) and of a WAL that starts over between two
/// transactions and during one.
#[test]
fn wal_resets_before_and_during_a_transaction() {
    for spill in [false, true] {
        for before in ["TRUNCATE", "PASSIVE", "RESTART", "FULL"] {
            let cache_kib = if spill { 40 } else { 8000 };
            let mut rig = rig(Options { cache_kib, ..Options::default() });
            let mut w = rig.workspace();
            let plain = rig.plain();
            let checkpoint = |mode: &str| {
                plain.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(())).unwrap();
            };
            plain.busy_timeout(std::time::Duration::ZERO).unwrap();
            w.begin().unwrap();
            w.end();
            rig.commit(&["UPDATE shop.t SET a = 1001"]);
            checkpoint(before);
            w.begin().unwrap();
            rig.commit(&["UPDATE shop.t SET a = 1002"]);
            checkpoint("PASSIVE");
            rig.commit(&["UPDATE shop.t SET a = 1003"]);
            checkpoint("TRUNCATE");
            rig.commit(&["UPDATE shop.t SET a = 1004"]);
            assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t WHERE a = 1001"), 1000, "{before} {spill}");
            run(&mut w, "UPDATE shop.t SET a = 50 WHERE id % 3 = 0");
            rig.commit(&["UPDATE shop.t SET a = 1005"]);
            checkpoint("RESTART");
            rig.commit(&["UPDATE shop.t SET a = 1006"]);
            assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t WHERE a = 1001"), 667, "{before} {spill}");
            assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t WHERE a = 50"), 333, "{before} {spill}");
            w.end();
            w.begin().unwrap();
            assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t WHERE a = 1006"), 1000, "{before} {spill}");
            w.end();
            assert!(is_sound(&rig.path()));
        }
    }
}

#[test]
fn what_would_reach_the_file_is_refused() {
    let rig = rig(Options::default());
    let mut w = rig.workspace();
    assert!(w.query("SELECT 1", &[]).is_err(), "no snapshot is pinned outside a transaction");
    for forbidden in [
        "PRAGMA shop.wal_checkpoint(TRUNCATE)",
        "PRAGMA shop.journal_mode = DELETE",
        "PRAGMA locking_mode = EXCLUSIVE",
        "ATTACH ':memory:' AS other",
        "DETACH shop",
        "VACUUM shop",
        "COMMIT",
        "SAVEPOINT s",
    ] {
        w.begin().unwrap();
        assert!(w.execute(forbidden, &[]).is_err(), "{forbidden}");
        w.end();
    }
    let mut reader = rig.reader();
    assert!(reader.query(&[DB.into()], "DELETE FROM shop.t", &[]).is_err());
    assert!(reader.execute_local("DELETE FROM shop.t", &[]).is_err(), "the file is attached read-only");
    assert!(reader.query(&[DB.into()], "PRAGMA shop.wal_checkpoint(TRUNCATE)", &[]).is_err());
    w.begin().unwrap();
    assert_eq!(number(&mut w, "SELECT count(*) FROM shop.t"), 1000);
    w.end();
}

/// The shim sits on any VFS by name; `unix-excl` keeps the WAL index elsewhere than the default does.
#[cfg(unix)]
#[test]
fn an_overlay_works_above_another_vfs() {
    let options = Options { vfs: Some("unix-excl".into()), busy_timeout_ms: 0, ..Options::default() };
    let mut rig = rig(options);
    let mut w = rig.workspace();
    w.begin().unwrap();
    run(&mut w, "UPDATE shop.t SET a = 99 WHERE id = 5");
    rig.commit(&["UPDATE shop.t SET a = 77 WHERE id = 6"]);
    rig.applier.checkpoint().unwrap();
    assert_eq!(number(&mut w, "SELECT sum(a) FROM shop.t WHERE id IN (5, 6)"), 99 + 6);
    w.end();
    w.begin().unwrap();
    assert_eq!(number(&mut w, "SELECT sum(a) FROM shop.t WHERE id IN (5, 6)"), 5 + 77);
    w.end();
    let absent = Options { vfs: Some("no such vfs".into()), ..Options::default() };
    assert!(marmot::sqlite::DataDir::open(rig.home.path(), absent).is_err());
}

#[test]
fn closing_overlays_leaves_the_wal_alone() {
    let mut rig = rig(Options::default());
    rig.commit(&["UPDATE shop.t SET a = a + 1"]);
    let wal = || std::fs::metadata(rig.path().with_extension("db-wal")).unwrap().len();
    let before = wal();
    assert!(before > 0);
    for _ in 0..10 {
        let mut w = rig.workspace();
        w.begin().unwrap();
        run(&mut w, "UPDATE shop.t SET a = a + 2");
    }
    assert_eq!(wal(), before);
    assert!(is_sound(&rig.path()));
}

#[test]
fn an_interrupted_statement_loses_the_transaction_and_only_that() {
    let rig = rig(Options { write_set_bytes: 10_000, ..Options::default() });
    let mut w = rig.workspace();
    w.begin().unwrap();
    run(&mut w, "UPDATE shop.t SET a = 99 WHERE id = 5");
    assert_eq!(w.execute("UPDATE shop.t SET a = 98", &[]).unwrap_err(), Error::TooLarge { limit: 10_000 });
    assert_eq!(w.execute("SELECT 1", &[]).unwrap_err(), Error::Interrupted { transaction_lost: true });
    w.end();
    w.begin().unwrap();
    assert_eq!(number(&mut w, "SELECT a FROM shop.t WHERE id = 5"), 5);
    run(&mut w, "UPDATE shop.t SET a = 99 WHERE id = 5");
    assert_eq!(w.take_write_set().unwrap().tables.len(), 2);
    w.end();
}

#[test]
fn several_databases_in_one_transaction() {
    let mut rig = rig(Options::default());
    let other = ids(1, "u", &["id", "v"], &[]);
    let mut create =
        sqlite_rig::schema(FileChange::Create, &["CREATE TABLE \"o.ther\".u(id INTEGER PRIMARY KEY, v)"], &[other], 1);
    create.ddl.as_mut().unwrap().database = "o.ther".into();
    rig.apply(create);
    assert_eq!(rig.dir.databases(), ["o.ther".into(), DB.into()]);
    assert!(rig.home.path().join("o@002ether.db").exists());
    let mut w = rig.workspace();
    w.begin().unwrap();
    // Attached within the transaction.
    w.attach("o.ther").unwrap();
    run(&mut w, "INSERT INTO \"o.ther\".u SELECT id, a FROM shop.t WHERE id <= 10");
    run(&mut w, "UPDATE shop.t SET a = 0 WHERE id = 1");
    let write_set = w.take_write_set().unwrap();
    assert_eq!(write_set.tables.len(), 3);
    w.end();
    rig.apply(write_set);
    let mut reader = rig.reader();
    let joined = reader.query(
        &[DB.into(), "o.ther".into()],
        "SELECT count(*), sum(t.a), sum(u.v) FROM shop.t JOIN \"o.ther\".u USING (id)",
        &[],
    );
    assert_eq!(joined.unwrap().collect().unwrap(), [[Value::Int(10), Value::Int(44), Value::Int(45)]]);
    let mut drop_it = sqlite_rig::schema(FileChange::Drop, &[], &[], 2);
    drop_it.ddl.as_mut().unwrap().database = "o.ther".into();
    rig.apply(drop_it);
    assert_eq!(reader.attach("o.ther").unwrap_err(), Error::NoSuchDatabase("o.ther".into()));
    w.begin().unwrap();
    assert!(w.attach("o.ther").is_err());
    assert_eq!(one(&mut w, "SELECT a FROM shop.t WHERE id = 1"), Value::Int(0));
    w.end();
}

#[test]
fn more_databases_than_sqlite_attaches_take_turns() {
    let mut rig = rig(Options::default());
    for n in 0..14 {
        let sql = format!("CREATE TABLE d{n}.u(id INTEGER PRIMARY KEY)");
        let mut create = sqlite_rig::schema(FileChange::Create, &[&sql], &[ids(1, "u", &["id"], &[])], 1);
        create.ddl.as_mut().unwrap().database = format!("d{n}").into();
        rig.apply(create);
    }
    let mut w = rig.workspace();
    let mut reader = rig.reader();
    for n in 0..14 {
        w.attach(&format!("d{n}")).unwrap();
        w.begin().unwrap();
        run(&mut w, &format!("INSERT INTO d{n}.u VALUES(1)"));
        assert_eq!(w.take_write_set().unwrap().tables[0].rows.len(), 1);
        w.end();
        let name = format!("d{n}");
        let rows = reader.query(&[name.as_str().into()], &format!("SELECT count(*) FROM d{n}.u"), &[]);
        assert_eq!(rows.unwrap().collect().unwrap(), [[Value::Int(0)]]);
    }
    w.begin().unwrap();
    let refused = (0..14).find_map(|n| w.attach(&format!("d{n}")).err());
    assert!(matches!(refused, Some(Error::TooManyDatabases(_))), "{refused:?}");
    w.end();
}

/// Overlay transactions on three threads while the applier commits transfers and a fourth thread checkpoints in every
/// mode: each transaction must see balances that add up, through the table and through the index.
#[test]
fn overlays_hold_under_commits_and_checkpoints() {
    const ACCOUNTS: i64 = 2000;
    const COMMITS: i64 = 1000;
    for cache_kib in [60, 4000] {
        let mut rig = Rig::with(
            Options { cache_kib, ..Options::default() },
            &[ids(1, "acct", &["id", "bal"], &[])],
            &[
                "CREATE TABLE shop.acct(id INTEGER PRIMARY KEY, bal INT)",
                "CREATE INDEX shop.ab ON acct(bal)",
                "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c WHERE x < 2000) INSERT INTO shop.acct SELECT x, 1000 FROM c",
            ],
        );
        let total = ACCOUNTS * 1000;
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let stop = &stop;
            let stopping = StopOnDrop(stop);
            let workers: Vec<_> = (0..3u64)
                .map(|thread| {
                    let mut w = rig.workspace();
                    scope.spawn(move || {
                        let mut random = Random(thread * 77 + 3);
                        let mut transactions = 0;
                        while !stop.load(Ordering::Relaxed) || transactions == 0 {
                            w.begin().unwrap();
                            assert_eq!(number(&mut w, "SELECT sum(bal) FROM shop.acct"), total);
                            let updates = 1 + random.below(40);
                            for _ in 0..updates {
                                let id = Value::Int(1 + random.below(ACCOUNTS));
                                w.execute("UPDATE shop.acct SET bal = bal + 5 WHERE id = ?1", &[id]).unwrap();
                            }
                            if random.below(5) == 0 {
                                w.savepoint("a").unwrap();
                                run(&mut w, "UPDATE shop.acct SET bal = 0 WHERE id % 50 = 0");
                                w.rollback_to("a").unwrap();
                            }
                            assert_eq!(number(&mut w, "SELECT sum(bal) FROM shop.acct"), total + 5 * updates);
                            let by_index = "SELECT sum(bal) FROM shop.acct INDEXED BY ab WHERE bal > -1000000000";
                            assert_eq!(number(&mut w, by_index), total + 5 * updates);
                            w.take_write_set().unwrap();
                            w.end();
                            transactions += 1;
                        }
                        transactions
                    })
                })
                .collect();
            let checkpoints = {
                let connection = rig.plain();
                // FULL keeps the write lock while it waits for readers: it must not wait.
                connection.busy_timeout(std::time::Duration::ZERO).unwrap();
                let mut own = rig.dir.open_checkpointer();
                scope.spawn(move || {
                    let mut done = 0usize;
                    while !stop.load(Ordering::Relaxed) {
                        let mode = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][done % 4];
                        let _ = connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()));
                        own.run().unwrap();
                        done += 1;
                    }
                    done
                })
            };
            let mut applier_side = rig.workspace();
            let mut random = Random(99);
            for _ in 0..COMMITS {
                applier_side.begin().unwrap();
                for _ in 0..1 + random.below(10) {
                    let amount = random.below(100);
                    for (sign, id) in [(-1, random.below(ACCOUNTS)), (1, random.below(ACCOUNTS))] {
                        let sql = "UPDATE shop.acct SET bal = bal + ?1 WHERE id = ?2";
                        applier_side.execute(sql, &[Value::Int(sign * amount), Value::Int(1 + id)]).unwrap();
                    }
                }
                let write_set = applier_side.take_write_set().unwrap();
                applier_side.end();
                rig.seq += 1;
                rig.applier.apply(&[sqlite_rig::task(rig.seq, write_set)]).unwrap();
            }
            drop(stopping);
            for worker in workers {
                assert!(worker.join().unwrap() > 0);
            }
            assert!(checkpoints.join().unwrap() > 0);
        });
        assert!(is_sound(&rig.path()));
        let mut w = rig.workspace();
        w.begin().unwrap();
        assert_eq!(number(&mut w, "SELECT sum(bal) FROM shop.acct"), total);
        w.end();
    }
}

/// Ends the other threads, also when this one panics.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ z >> 31) % n as u64) as i64
    }
}
