//! The applier: what was captured on one file makes another file equal, once, in any batches, after any restart.

mod sqlite_rig;

use marmot::core::{ApplyTask, Eviction, Fatal};
use marmot::sqlite::{DataDir, Definitions, FileChange, Options, SchemaStep, TableIds, TakenIn};
use marmot::types::{ColumnId, ColumnSet, RowImage, RowKey, RowOp, TableChanges, Value, WriteSet};
use proptest::prelude::*;
use sqlite_rig::{DB, Rig, change, functions, ids, read, schema, task};
use std::sync::Arc;

fn tables() -> Vec<TableIds> {
    vec![ids(1, "t", &["id", "u", "v"], &[&["u"]]), ids(2, "w", &["k", "n", "x"], &[])]
}

const TABLES: [&str; 2] = [
    "CREATE TABLE shop.t(id INTEGER PRIMARY KEY, u TEXT COLLATE NOCASE UNIQUE, v INT)",
    "CREATE TABLE shop.w(k TEXT COLLATE NOCASE, n INT, x, PRIMARY KEY(k, n)) WITHOUT ROWID",
];

fn rig() -> Rig {
    Rig::new(&tables(), &TABLES)
}

fn rows(rig: &Rig, sql: &str) -> Vec<Vec<Value>> {
    read(&mut rig.reader(), sql)
}

fn row(values: &[Value]) -> RowImage {
    values.into()
}

/// Captures a transaction without applying it.
fn capture(rig: &Rig, statements: &[&str]) -> WriteSet {
    let mut w = rig.workspace();
    w.begin().unwrap();
    for sql in statements {
        sqlite_rig::run(&mut w, sql);
    }
    let write_set = w.take_write_set().unwrap();
    w.end();
    write_set
}

#[test]
fn an_update_sets_only_what_changed() {
    let mut rig = rig();
    rig.commit(&["INSERT INTO shop.t VALUES(1, 'a', 1)"]);
    let one = capture(&rig, &["UPDATE shop.t SET u = 'b' WHERE id = 1"]);
    let other = capture(&rig, &["UPDATE shop.t SET v = 2 WHERE id = 1"]);
    rig.apply(one);
    rig.apply(other);
    assert_eq!(rows(&rig, "SELECT * FROM shop.t"), [[1.into(), "b".into(), 2.into()]]);
}

#[test]
fn unique_values_may_change_places_within_a_transaction() {
    let mut rig = rig();
    rig.commit(&["INSERT INTO shop.t VALUES(1, 'a', 1), (2, 'b', 2), (3, 'c', 3)"]);
    rig.commit(&[
        "UPDATE shop.t SET u = 'tmp' WHERE id = 1",
        "UPDATE shop.t SET u = 'a' WHERE id = 3",
        "UPDATE shop.t SET u = 'c' WHERE id = 2",
        "UPDATE shop.t SET u = 'b' WHERE id = 1",
    ]);
    let texts: Vec<Value> = rows(&rig, "SELECT u FROM shop.t ORDER BY id").into_iter().flatten().collect();
    assert_eq!(texts, ["b".into(), "c".into(), "a".into()]);
    rig.commit(&["UPDATE shop.t SET id = id + 10", "UPDATE shop.t SET id = id - 9"]);
    let keys: Vec<Value> = rows(&rig, "SELECT id FROM shop.t ORDER BY id").into_iter().flatten().collect();
    assert_eq!(keys, [2.into(), 3.into(), 4.into()]);
    rig.commit(&["DELETE FROM shop.t WHERE id = 2", "UPDATE shop.t SET u = 'B' WHERE id = 3"]);
    assert_eq!(rows(&rig, "SELECT count(*) FROM shop.t WHERE u = 'b'"), [[1.into()]]);
}

#[test]
fn a_validated_write_set_that_does_not_fit_stops_the_node() {
    for (statements, change) in [
        (vec!["DELETE FROM shop.t WHERE id = 1"], "UPDATE shop.t SET v = 9 WHERE id = 1"),
        (vec!["DELETE FROM shop.t WHERE id = 1"], "DELETE FROM shop.t WHERE id = 1"),
        (vec!["INSERT INTO shop.t VALUES(5, 'x', 1)"], "INSERT INTO shop.t VALUES(6, 'X', 1)"),
        (vec!["INSERT INTO shop.t VALUES(5, 'x', 1)"], "INSERT INTO shop.t VALUES(5, 'y', 1)"),
    ] {
        let mut rig = rig();
        rig.commit(&["INSERT INTO shop.t VALUES(1, 'a', 1)"]);
        let stale = capture(&rig, &[change]);
        rig.commit(&statements);
        let outcome = rig.applier.apply(&[task(rig.seq + 1, stale)]);
        assert!(matches!(outcome, Err(Fatal::Invariant(_))), "{change}: {outcome:?}");
    }
}

fn merged(rig: &Rig, write_set: WriteSet) -> ApplyTask {
    ApplyTask { may_evict: true, ..task(rig.seq + 1, write_set) }
}

#[test]
fn a_merged_row_takes_its_unique_value_from_another() {
    let mut rig = rig();
    rig.commit(&["INSERT INTO shop.t VALUES(1, 'a', 1)"]);
    let late = capture(&rig, &["INSERT INTO shop.t VALUES(6, 'X', 6)"]);
    rig.commit(&["INSERT INTO shop.t VALUES(5, 'x', 5)"]);
    let task = merged(&rig, late);
    let applied = rig.applier.apply(std::slice::from_ref(&task)).unwrap();
    assert_eq!(applied.evicted.len(), 1);
    assert_eq!(applied.evicted[0].image, row(&[5.into(), "x".into(), 5.into()]));
    assert_eq!(applied.evicted[0].winner, task.txn);
    assert_eq!(rows(&rig, "SELECT id FROM shop.t ORDER BY id"), [[1.into()], [6.into()]]);
}

#[test]
fn a_merged_change_finds_or_makes_its_row() {
    let mut rig = rig();
    rig.commit(&["INSERT INTO shop.t VALUES(1, 'a', 1), (2, 'b', 2)"]);
    let update = capture(&rig, &["UPDATE shop.t SET v = 9 WHERE id = 1"]);
    let delete = capture(&rig, &["DELETE FROM shop.t WHERE id = 2"]);
    rig.commit(&["DELETE FROM shop.t"]);
    for write_set in [update, delete] {
        let task = merged(&rig, write_set);
        rig.applier.apply(&[task]).unwrap();
        rig.seq += 1;
    }
    assert_eq!(rows(&rig, "SELECT * FROM shop.t"), [[1.into(), "a".into(), 9.into()]]);
}

#[test]
fn amendments_and_evictions_are_done_as_told() {
    let mut rig = rig();
    rig.commit(&["INSERT INTO shop.t VALUES(1,'a',1), (2,'b',2), (3,'c',3), (4,'d',4)"]);
    let write_set = capture(&rig, &["UPDATE shop.t SET v = v + 100 WHERE id < 4"]);
    let changes = write_set.tables[0].clone();
    let mut told = merged(&rig, write_set);
    let image = |at: usize| changes.rows[at].after.clone().unwrap();
    told.amendments = vec![
        (0, 0, RowOp::Skip),
        (0, 1, RowOp::Put { image: row(&[2.into(), "bb".into(), 7.into()]), changed: [1].into_iter().collect() }),
        (0, 2, RowOp::Delete { image: image(2) }),
    ];
    told.evictions = vec![Eviction {
        row: RowKey { table: changes.table, key: Arc::from([0u8; 0]) },
        image: row(&[4.into(), "d".into(), 4.into()]),
        columns: changes.columns.clone(),
    }];
    rig.applier.apply(&[told]).unwrap();
    assert_eq!(
        rows(&rig, "SELECT * FROM shop.t ORDER BY id"),
        [[1.into(), "a".into(), 1.into()], [2.into(), "bb".into(), 2.into()],]
    );
    // Put of an absent row inserts the whole image.
    let absent = capture(&rig, &["UPDATE shop.t SET v = 0 WHERE id = 1"]);
    rig.seq += 1;
    let mut told = merged(&rig, absent);
    let put = RowOp::Put { image: row(&[9.into(), "n".into(), 9.into()]), changed: ColumnSet::all(1) };
    told.amendments = vec![(0, 0, put)];
    rig.applier.apply(&[told]).unwrap();
    assert_eq!(rows(&rig, "SELECT v FROM shop.t WHERE id = 9"), [[9.into()]]);
}

#[test]
fn rows_of_an_older_schema_are_applied_by_column_id() {
    let mut rig = rig();
    rig.commit(&["INSERT INTO shop.t VALUES(1, 'a', 1)"]);
    let old = [
        capture(&rig, &["UPDATE shop.t SET u = 'z', v = 5 WHERE id = 1"]),
        capture(&rig, &["INSERT INTO shop.t VALUES(2, 'b', 2)"]),
        capture(&rig, &["INSERT INTO shop.w VALUES('k', 1, 1)"]),
    ];
    let mut changed = ids(1, "renamed", &["id", "uu", "-", "d", "must"], &[&["uu"]]);
    changed.columns.retain(|(_, name)| name != "-");
    rig.apply(schema(
        FileChange::Keep,
        &[
            "CREATE TABLE shop.new(must TEXT NOT NULL, d DEFAULT 42, id INTEGER PRIMARY KEY, uu TEXT UNIQUE)",
            "INSERT INTO shop.new SELECT 'm', twice(v), id, u FROM shop.t",
            "DROP TABLE shop.t",
            "ALTER TABLE shop.new RENAME TO renamed",
            "DROP TABLE shop.w",
        ],
        &[changed],
        2,
    ));
    let (version, stored) = rig.dir.definitions(DB).unwrap();
    assert_eq!((version, stored.database, stored.whole), (2, b"definition 2".to_vec(), true));
    for write_set in old {
        rig.apply(write_set);
    }
    assert_eq!(
        rows(&rig, "SELECT id, uu, d, must FROM shop.renamed ORDER BY id"),
        [[1.into(), "z".into(), 2.into(), "m".into()], [2.into(), "b".into(), 42.into(), "".into()],]
    );
}

#[test]
fn two_nodes_with_equal_tables_have_equal_digests() {
    let (mut a, mut b) = (rig(), rig());
    let first = a.commit(&["INSERT INTO shop.t VALUES(1,'a',1), (2,'b',2)"]);
    assert_ne!(a.digests(), b.digests());
    b.apply(first);
    assert_eq!(a.digests(), b.digests());
    let case = a.commit(&["UPDATE shop.t SET u = 'A' WHERE id = 1"]);
    assert_ne!(a.digests(), b.digests(), "the stored case counts");
    b.apply(case);
    assert_eq!(a.digests(), b.digests());
}

/// Everything of `log`, in batches of `size`.
fn apply_all(rig: &mut Rig, log: &[ApplyTask], size: usize) {
    log.chunks(size).for_each(|batch| drop(rig.applier.apply(batch).unwrap()));
}

#[test]
fn what_a_file_holds_already_is_skipped_after_a_restart() {
    let mut rig = rig();
    let mut log = Vec::new();
    for n in 1..=20 {
        let write_set = rig.commit(&[
            &format!("INSERT INTO shop.t VALUES({n}, 'u{n}', 0)"),
            &format!("UPDATE shop.t SET v = v + 1 WHERE id <= {n}"),
        ]);
        log.push(task(rig.seq, write_set));
        if n == 8 {
            assert_eq!(rig.applier.sync().unwrap(), rig.seq);
        }
    }
    let before = rig.digests();
    let mut rig = rig.restart();
    assert_eq!(rig.dir.durable_seq().unwrap(), 9);
    assert_eq!(rig.applier.seq(), 9);
    let redo: Vec<ApplyTask> = log.into_iter().filter(|t| t.seq > 9).collect();
    apply_all(&mut rig, &redo, 5);
    assert_eq!(rig.digests(), before);
    assert_eq!(rig.applier.seq(), 21);
}

#[test]
fn a_file_that_lost_its_tail_catches_up() {
    let mut rig = rig();
    rig.commit(&["INSERT INTO shop.t VALUES(1, 'a', 0)"]);
    assert_eq!(rig.applier.sync().unwrap(), 2);
    let saved: Vec<(std::path::PathBuf, Vec<u8>)> = ["db", "db-wal"]
        .iter()
        .map(|e| rig.path().with_extension(e))
        .map(|p| (p.clone(), std::fs::read(&p).unwrap()))
        .collect();
    let log: Vec<ApplyTask> = (0..10)
        .map(|n| {
            let write_set =
                rig.commit(&["UPDATE shop.t SET v = v + 1", &format!("INSERT INTO shop.w VALUES('k', {n}, 0)")]);
            task(rig.seq, write_set)
        })
        .collect();
    let before = rig.digests();
    let Rig { dir, applier, home, .. } = rig;
    drop(applier);
    drop(dir);
    for (path, bytes) in saved {
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::remove_file(home.path().join("shop.db-shm")).ok();
    let dir = DataDir::open(home.path(), Options::default()).unwrap();
    let applier = dir.open_applier(&functions()).unwrap();
    let mut rig = Rig { dir, applier, seq: 12, tables: tables(), home };
    assert_eq!(rig.dir.durable_seq().unwrap(), 2);
    assert_eq!(rows(&rig, "SELECT v FROM shop.t"), [[0.into()]]);
    apply_all(&mut rig, &log, 3);
    assert_eq!(rig.digests(), before);
}

#[test]
fn dropped_and_recreated_databases_are_redone_in_their_own_time() {
    let mut rig = rig();
    let mut log = vec![task(1, schema(FileChange::Create, &TABLES, &tables(), 1))];
    let mut push = |rig: &mut Rig, write_set: WriteSet| {
        rig.apply(write_set.clone());
        log.push(task(rig.seq, write_set));
    };
    let first = capture(&rig, &["INSERT INTO shop.t VALUES(1, 'a', 0)"]);
    push(&mut rig, first.clone());
    push(&mut rig, schema(FileChange::Drop, &[], &[], 2));
    push(&mut rig, schema(FileChange::Create, &TABLES, &tables(), 3));
    let second = capture(&rig, &["INSERT INTO shop.t VALUES(2, 'b', 0)"]);
    push(&mut rig, second);
    let before = rig.digests();
    // Nothing was synced: everything is redone on what is there.
    let mut rig = rig.restart();
    assert_eq!(rig.dir.durable_seq().unwrap(), 0);
    apply_all(&mut rig, &log, 2);
    assert_eq!(rig.digests(), before);
    assert_eq!(rows(&rig, "SELECT id FROM shop.t"), [[2.into()]]);
    rig.apply(schema(FileChange::Drop, &[], &[], 4));
    assert!(!rig.path().exists());
    log.push(task(rig.seq, schema(FileChange::Drop, &[], &[], 4)));
    let mut rig = rig.restart();
    apply_all(&mut rig, &log, 1);
    assert!(rig.dir.databases().is_empty());
    // A task for a database that never was means that a file is missing.
    let outcome = rig.applier.apply(&[task(99, first)]);
    assert!(matches!(outcome, Err(Fatal::CorruptStorage(_))), "{outcome:?}");
}

#[test]
fn a_lost_file_is_reported() {
    let mut rig = rig();
    rig.applier.sync().unwrap();
    let path = rig.path();
    let Rig { dir, applier, home, .. } = rig;
    drop(applier);
    drop(dir);
    std::fs::remove_file(path).unwrap();
    let dir = DataDir::open(home.path(), Options::default()).unwrap();
    assert!(dir.open_applier(&functions()).is_err_and(|e| e.to_string().contains("missing")));
}

#[test]
fn a_malformed_schema_payload_is_corruption_not_a_panic() {
    let mut rig = rig();
    let mut bad = schema(FileChange::Keep, &[], &[], 2);
    bad.ddl.as_mut().unwrap().payload = Arc::from([0xffu8; 7]);
    assert!(matches!(rig.applier.apply(&[task(2, bad)]), Err(Fatal::CorruptStorage(_))));
}

#[test]
fn a_copy_is_a_data_directory_of_its_own() {
    let mut rig = rig();
    let later = {
        rig.commit(&["INSERT INTO shop.t VALUES(1, 'a', 1)"]);
        rig.applier.sync().unwrap();
        rig.commit(&["INSERT INTO shop.t VALUES(2, 'b', 2)"]);
        capture(&rig, &["UPDATE shop.t SET v = 9"])
    };
    let target = tempfile::tempdir().unwrap();
    let mut pinned = rig.dir.pin().unwrap();
    let (seq, bytes) = (pinned.seq(), pinned.bytes().unwrap());
    assert_eq!(seq, rig.seq);
    let as_pinned = rig.digests();
    rig.commit(&["INSERT INTO shop.t VALUES(3, 'c', 3)"]);
    let mut reported = 0;
    assert_eq!(pinned.copy_to(target.path(), &mut |done| reported = done).unwrap(), ["shop.db", "marmot.files"]);
    assert!(reported <= bytes);
    assert_eq!(std::fs::read_dir(target.path()).unwrap().count(), 2, "no WAL stays behind");
    let dir = DataDir::open(target.path(), Options::default()).unwrap();
    assert_eq!(dir.durable_seq().unwrap(), seq);
    let applier = dir.open_applier(&functions()).unwrap();
    let mut other = Rig { dir, applier, seq, tables: tables(), home: target };
    assert_eq!(other.digests(), as_pinned, "what came after the moment is not in the copy");
    other.commit(&["INSERT INTO shop.t VALUES(3, 'c', 3)"]);
    other.apply(later.clone());
    rig.apply(later);
    assert_eq!(other.digests(), rig.digests());
}

#[test]
fn checkpoints_shorten_the_wal() {
    let mut rig = rig();
    let wal = rig.path().with_extension("db-wal");
    for n in 0..12 {
        let insert = format!(
            "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM c WHERE x < 10000)
             INSERT INTO shop.w SELECT 'k', x + 10000 * {n}, hex(zeroblob(200)) FROM c"
        );
        rig.commit(&[&insert]);
    }
    let long = std::fs::metadata(&wal).unwrap().len();
    assert!(long > 32 << 20, "{long}");
    let mut w = rig.workspace();
    w.begin().unwrap();
    rig.commit(&["INSERT INTO shop.t VALUES(1, 'a', 0)"]);
    rig.applier.checkpoint().unwrap();
    assert!(std::fs::metadata(&wal).unwrap().len() >= long, "an open transaction keeps its snapshot");
    w.end();
    rig.applier.checkpoint().unwrap();
    assert_eq!(std::fs::metadata(&wal).unwrap().len(), 0);
}

// ---- random statements -------------------------------------------------------------------------------------------------

#[derive(Clone, Debug)]
enum Step {
    Statement(String),
    Savepoint,
    RollbackTo,
}

fn statement() -> impl Strategy<Value = String> {
    let id = || 0i64..8;
    let text = || prop::sample::select(vec!["'a'", "'A'", "'b'", "'B'", "'ab'", "NULL", "'é'", "x'61'", "1"]);
    let verb = || prop::sample::select(vec!["INSERT", "REPLACE", "INSERT OR IGNORE"]);
    prop_oneof![
        (verb(), id(), text(), id()).prop_map(|(v, i, u, n)| format!("{v} INTO t VALUES({i}, {u}, {n})")),
        (verb(), text(), id(), text()).prop_map(|(v, k, n, x)| format!("{v} INTO w VALUES({k}, {n}, {x})")),
        (id(), text()).prop_map(|(i, u)| format!("UPDATE t SET u = {u} WHERE id = {i}")),
        (id(), id()).prop_map(|(i, n)| format!("UPDATE t SET v = {n} WHERE id >= {i}")),
        (id(), id()).prop_map(|(i, j)| format!("UPDATE OR REPLACE t SET id = {j} WHERE id = {i}")),
        (-2i64..3).prop_map(|n| format!("UPDATE t SET id = id + {n}")),
        (text(), id()).prop_map(|(k, n)| format!("UPDATE OR IGNORE w SET k = {k} WHERE n = {n}")),
        id().prop_map(|n| format!("UPDATE w SET n = n + 1 WHERE n > {n}")),
        id().prop_map(|i| format!("DELETE FROM t WHERE id = {i}")),
        id().prop_map(|i| format!("DELETE FROM w WHERE n >= {i}")),
        (id(), id()).prop_map(|(i, j)| format!(
            "INSERT INTO t VALUES({i}, 'q', {j}) ON CONFLICT(id) DO UPDATE SET v = excluded.v, u = NULL"
        )),
        Just("DELETE FROM t".to_string()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![8 => statement().prop_map(Step::Statement), 1 => Just(Step::Savepoint), 1 => Just(Step::RollbackTo)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    /// Captured on one file and applied on another, in other batches: both equal a plain SQLite that ran the statements.
    #[test]
    fn captured_here_applied_there(
        transactions in prop::collection::vec(prop::collection::vec(step(), 1..8), 1..12),
        batch in 1usize..5,
    ) {
        let (mut a, mut b) = (rig(), rig());
        let reference = rusqlite::Connection::open_in_memory().unwrap();
        for sql in TABLES {
            reference.execute_batch(&sql.replace("shop.", "main.")).unwrap();
        }
        let mut log = Vec::new();
        let mut w = a.workspace();
        for steps in &transactions {
            w.begin().unwrap();
            reference.execute_batch("BEGIN").unwrap();
            for step in steps {
                match step {
                    Step::Statement(sql) => {
                        let here = w.execute(sql, &[]).is_ok();
                        prop_assert_eq!(here, reference.execute_batch(sql).is_ok(), "{}", sql);
                    }
                    Step::Savepoint => {
                        w.savepoint("s").unwrap();
                        reference.execute_batch("SAVEPOINT s").unwrap();
                    }
                    Step::RollbackTo if w.has_savepoint("s") => {
                        w.rollback_to("s").unwrap();
                        reference.execute_batch("ROLLBACK TO s").unwrap();
                    }
                    Step::RollbackTo => {}
                }
            }
            let write_set = w.take_write_set().unwrap();
            w.end();
            reference.execute_batch("COMMIT").unwrap();
            check_invariants(&write_set);
            a.apply(write_set.clone());
            log.push(task(a.seq, write_set));
        }
        apply_all(&mut b, &log, batch);
        prop_assert_eq!(a.digests(), b.digests());
        for table in ["t", "w"] {
            let sql = format!("SELECT * FROM {table} ORDER BY 1, 2");
            let mut statement = reference.prepare(&sql).unwrap();
            let expected: Vec<Vec<Value>> = statement
                .query_map([], |r| (0..3).map(|i| Ok(value(r.get_ref(i)?))).collect())
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            prop_assert_eq!(rows(&a, &sql.replace(&format!("FROM {table}"), &format!("FROM shop.{table}"))), expected);
        }
    }
}

fn value(cell: rusqlite::types::ValueRef<'_>) -> Value {
    use rusqlite::types::ValueRef;
    match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(i) => Value::Int(i),
        ValueRef::Real(x) => Value::real(x),
        ValueRef::Text(t) => Value::text(std::str::from_utf8(t).unwrap()),
        ValueRef::Blob(b) => Value::Blob(b.into()),
    }
}

/// What `types::RowChange` promises.
fn check_invariants(write_set: &WriteSet) {
    for TableChanges { rows, columns, .. } in &write_set.tables {
        assert!(!rows.is_empty());
        let mut keys = std::collections::BTreeSet::new();
        for row in rows {
            assert!(keys.insert(row.key.clone()), "a row is changed once");
            match (&row.before, &row.after) {
                (Some(before), Some(after)) => {
                    assert!(!row.changed.is_empty());
                    for i in 0..columns.len() {
                        assert!(row.changed.contains(i) || before[i] == after[i]);
                    }
                }
                (None, None) => panic!("a change without images"),
                _ => assert_eq!(row.changed, ColumnSet::all(columns.len())),
            }
        }
    }
}

#[test]
fn ids_of_columns_name_them_on_the_wire() {
    let rig = rig();
    let write_set = capture(&rig, &["INSERT INTO shop.t VALUES(1, 'a', 1)"]);
    assert_eq!(*write_set.tables[0].columns, [ColumnId(1), ColumnId(2), ColumnId(3)]);
}

/// `shop` and a second database, `other`, that takes in table `t`; and the whole log.
fn moved(rig: &mut Rig) -> Vec<ApplyTask> {
    let mut log = vec![task(1, schema(FileChange::Create, &TABLES, &tables(), 1))];
    let into = |mut write_set: WriteSet| {
        write_set.ddl.as_mut().unwrap().database = "other".into();
        write_set
    };
    let mut run = |rig: &mut Rig, write_set: WriteSet| {
        rig.apply(write_set.clone());
        log.push(task(rig.seq, write_set));
    };
    run(rig, into(schema(FileChange::Create, &[], &[], 1)));
    let insert = capture(rig, &["INSERT INTO shop.t VALUES(1, 'a', 1), (2, 'b', 2)"]);
    run(rig, insert);
    let step = SchemaStep {
        file: FileChange::Keep,
        version: 2,
        statements: vec![TABLES[0].replace("shop", "other"), "INSERT INTO other.t SELECT * FROM shop.t".into()],
        definitions: Definitions::Whole { definition: vec![2], tables: tables()[..1].to_vec() },
    };
    let file = FileChange::TakenIn(Box::new(TakenIn { database: "other".into(), step }));
    run(rig, schema(file, &["DROP TABLE shop.t"], &tables()[1..], 2));
    log
}

fn other(rig: &Rig) -> Vec<Vec<Value>> {
    let mut reader = rig.reader();
    reader.query(&["other".into()], "SELECT * FROM other.t ORDER BY id", &[]).unwrap().collect().unwrap()
}

const MOVED: [[i64; 2]; 2] = [[1, 1], [2, 2]];

fn numbers(rows: &[Vec<Value>]) -> Vec<[i64; 2]> {
    let number = |v: &Value| if let Value::Int(i) = v { *i } else { panic!("{v}") };
    rows.iter().map(|row| [number(&row[0]), number(&row[2])]).collect()
}

#[test]
fn a_table_that_moved_is_let_go_of_when_that_was_lost() {
    let mut rig = rig();
    rig.applier.sync().unwrap();
    let files = ["db", "db-wal"].map(|e| rig.path().with_extension(e));
    let saved = files.map(|path| (path.clone(), std::fs::read(path).unwrap()));
    let log = moved(&mut rig);
    assert_eq!(numbers(&other(&rig)), MOVED);
    let Rig { dir, applier, home, .. } = rig;
    drop(applier);
    drop(dir);
    for (path, bytes) in saved {
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::remove_file(home.path().join("shop.db-shm")).ok();
    let dir = DataDir::open(home.path(), Options::default()).unwrap();
    let applier = dir.open_applier(&functions()).unwrap();
    let mut rig = Rig { dir, applier, seq: 4, tables: tables(), home };
    assert_eq!(rows(&rig, "SELECT name FROM shop.sqlite_schema WHERE name = 't'"), [["t".into()]]);
    apply_all(&mut rig, &log[1..], 2);
    assert_eq!(numbers(&other(&rig)), MOVED);
    assert!(rows(&rig, "SELECT name FROM shop.sqlite_schema WHERE name = 't'").is_empty());
}

/// A write that its node made before it heard of the move goes where the table is, on whatever node.
#[test]
fn a_late_row_follows_its_table() {
    let mut early = rig();
    let late = capture(&early, &["INSERT INTO shop.t VALUES(3, 'c', 3)"]);
    early.apply(late.clone());
    moved(&mut early);
    let mut rig = rig();
    moved(&mut rig);
    rig.applier.apply(&[merged(&rig, late)]).unwrap();
    assert_eq!(other(&early), other(&rig));
    assert_eq!(other(&rig).len(), 3);
}

#[test]
fn a_merged_row_takes_a_computed_unique_value_from_another() {
    let tables = [ids(3, "g", &["id", "a", "g"], &[&["g"]])];
    let create = [
        "CREATE TABLE shop.g(\"id\" INTEGER PRIMARY KEY, \"a\" INT, \"g\" INT GENERATED ALWAYS AS (twice(\"a\")) VIRTUAL)",
        "CREATE UNIQUE INDEX shop.gg ON g(g)",
    ];
    let mut rig = Rig::new(&tables, &create);
    let late = capture(&rig, &["INSERT INTO shop.g(id, a) VALUES(6, 4)"]);
    let other = rig.commit(&["INSERT INTO shop.g(id, a) VALUES(5, 4)"]);
    let claims = |write_set: &WriteSet| write_set.tables[0].rows[0].claims.clone();
    assert_eq!(claims(&late), claims(&other), "one key for one value");
    let task = merged(&rig, late);
    let applied = rig.applier.apply(std::slice::from_ref(&task)).unwrap();
    assert_eq!(applied.evicted[0].image, row(&[5.into(), 4.into()]));
    assert_eq!(rows(&rig, "SELECT id, g FROM shop.g"), [[6.into(), 8.into()]]);
}

/// The stored definitions of `shop`, as text, and whether they are all in one.
fn stored(rig: &Rig) -> (String, Vec<String>, bool) {
    let (_, stored) = rig.dir.definitions(DB).unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(stored.database), stored.tables.into_iter().map(text).collect(), stored.whole)
}

#[test]
fn a_change_of_single_tables_leaves_the_others_and_survives_a_crash() {
    let mut rig = rig();
    assert!(stored(&rig).2, "as version 6 left it");
    let new = ids(7, "new", &["id", "v"], &[]);
    // The first one says all there are.
    let mut all = tables();
    all.push(new.clone());
    let renamed = TableIds { name: "newer".into(), ..new.clone() };
    let again = ids(8, "newer", &["id", "v"], &[]);
    let log = [
        change(FileChange::Keep, &["CREATE TABLE shop.new(id INTEGER PRIMARY KEY, v TEXT)"], &[], &all, 2),
        change(FileChange::Keep, &["ALTER TABLE shop.new RENAME TO newer"], &["new"], &[renamed], 3),
        // Another table of the same name, as after TRUNCATE.
        change(
            FileChange::Keep,
            &["DROP TABLE shop.newer", "CREATE TABLE shop.newer(id INTEGER PRIMARY KEY, v TEXT)"],
            &[],
            std::slice::from_ref(&again),
            4,
        ),
        change(FileChange::Keep, &["DROP TABLE shop.t"], &["t"], &[], 5),
    ];
    rig.applier.sync().unwrap();
    let late = capture(&rig, &["INSERT INTO shop.t VALUES(1, 'a', 1)"]);
    for (write_set, read) in log.iter().zip([all.len() as u64, 1, 1, 0]) {
        let before = rig.dir.layouts_read();
        rig.apply(write_set.clone());
        assert_eq!(rig.dir.layouts_read() - before, read);
    }
    let changes = rig.dir.take_changes(DB, Some(1)).unwrap().expect("all since the first");
    let versions: Vec<_> = changes.iter().map(|change| (change.from, change.to)).collect();
    assert_eq!(versions, [(1, 2), (2, 3), (3, 4), (4, 5)]);
    assert_eq!(rig.dir.take_changes(DB, Some(5)).unwrap().map(|changes| changes.len()), Some(0));
    let left = (String::from("definition 5"), vec![String::from("newer 4"), "w 2".into()], false);
    assert_eq!(stored(&rig), left);

    // What was not durable is done again.
    let seq = rig.seq;
    let tasks: Vec<_> = (2..).zip(&log).map(|(seq, write_set)| task(seq, write_set.clone())).collect();
    let mut rig = rig.restart();
    assert_eq!(rig.applier.apply(&tasks).unwrap().seq, seq);
    assert_eq!(stored(&rig), left);
    let mut workspace = rig.workspace();
    workspace.begin().unwrap();
    assert_eq!(workspace.schema_version(DB).unwrap(), 5);
    sqlite_rig::run(&mut workspace, "INSERT INTO shop.newer VALUES(1, 'x')");
    assert_eq!(workspace.take_write_set().unwrap().tables[0].table, again.id);
    workspace.end();
    // A row of a table that is no more goes nowhere.
    let applied = rig.applier.apply(&[task(seq + 1, late)]).unwrap();
    assert_eq!((applied.seq, applied.evicted.len()), (seq + 1, 0));
}
