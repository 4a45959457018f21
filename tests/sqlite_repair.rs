//! Rows by ranges of their keys, and the repair of single rows.

mod sqlite_rig;

use marmot::sqlite::{Image, KeyRange, RowDigest, RowMark, RowRepair, TableIds, TableRows, digest_of};
use marmot::types::{ColumnId, TableId, Value};
use sqlite_rig::{DB, Rig, ids, read};

fn tables() -> Vec<TableIds> {
    vec![ids(1, "t", &["id", "u", "v"], &[&["u"]]), ids(2, "w", &["k", "n", "x"], &[])]
}

fn rig() -> Rig {
    let mut rig = Rig::new(
        &tables(),
        &[
            "CREATE TABLE shop.t(id INTEGER PRIMARY KEY, u TEXT COLLATE NOCASE UNIQUE, v INT)",
            "CREATE TABLE shop.w(k TEXT COLLATE NOCASE, n INT, x, PRIMARY KEY(k, n)) WITHOUT ROWID",
        ],
    );
    rig.commit(&["INSERT INTO shop.t VALUES(1, 'a', 1), (2, 'b', 2), (3, 'c', 3)"]);
    rig.commit(&["INSERT INTO shop.w VALUES('b', 1, 1), ('A', 2, 2), ('a', 3, 3), ('B', 4, 4), ('c', 0, 5)"]);
    rig
}

fn t() -> TableId {
    tables()[0].id
}

fn snapshot(rig: &Rig) -> TableRows {
    rig.dir.open_rows(DB).unwrap()
}

fn row(id: i64, u: &str, v: i64) -> Image {
    vec![(ColumnId(1), id.into()), (ColumnId(2), u.into()), (ColumnId(3), v.into())]
}

fn found(rig: &Rig, id: i64) -> Option<RowDigest> {
    snapshot(rig).digest_of(t(), &[id.into()]).unwrap()
}

fn content(rig: &Rig) -> Vec<Vec<Value>> {
    read(&mut rig.reader(), "SELECT id, u, v FROM shop.t ORDER BY id")
}

fn keys(marks: &[RowMark]) -> Vec<String> {
    marks.iter().map(|mark| mark.key.iter().map(Value::to_string).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn ranges_follow_the_order_of_the_key_and_leave_no_row_out() {
    let rig = rig();
    let w = tables()[1].id;
    let mut rows = snapshot(&rig);
    let all = rows.marks(w, KeyRange::default(), 100).unwrap();
    assert_eq!(all.len(), 5);
    for size in 1..=5 {
        let (mut after, mut together) = (None, Vec::new());
        loop {
            let range = KeyRange { after: after.as_deref(), until: None };
            let some = rows.marks(w, range, size).unwrap();
            let Some(last) = some.last() else { break };
            let last = last.key.clone();
            // Named by its bounds it is the same range, whatever the case of a bound.
            let other_case: Vec<Value> = match &last[..] {
                [Value::Text(k), n] => vec![Value::text(k.to_uppercase()), n.clone()],
                other => panic!("{other:?}"),
            };
            let same = KeyRange { after: after.as_deref(), until: Some(&other_case) };
            assert_eq!(rows.marks(w, same, 100).unwrap(), some);
            for mark in &all {
                assert_eq!(rows.lies_in(w, &mark.key, same).unwrap(), some.contains(mark), "{mark:?} in {same:?}");
            }
            assert!(rows.lies_in(w, &other_case, same).unwrap(), "and so is its end");
            together.extend(some);
            after = Some(last);
        }
        assert_eq!(keys(&together), keys(&all));
    }
    let mark = &all[0];
    let image = rows.image(w, &mark.key).unwrap().unwrap();
    assert_eq!(digest_of(&image), mark.digest);
    assert_eq!(rows.identity(w, &["A".into(), 2.into()]).unwrap(), rows.identity(w, &["a".into(), 2.into()]).unwrap());
    assert!(rows.lies_in(w, &all[0].key, KeyRange::default()).unwrap());
    assert!(rows.lies_in(w, &[1.into()], KeyRange::default()).is_err(), "half a key");
    assert!(rows.marks(w, KeyRange { after: Some(&[1.into()]), until: None }, 1).is_err(), "half a key");
    assert!(rows.marks(TableId::default(), KeyRange::default(), 1).is_err(), "no table");
}

#[test]
fn rows_are_replaced_put_in_and_taken_out() {
    let mut rig = rig();
    rig.plain()
        .execute_batch("UPDATE t SET v = 9 WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES(7, 'z', 7)")
        .unwrap();
    let repairs = [
        RowRepair { key: vec![1.into()], found: found(&rig, 1), image: Some(row(1, "a", 1)) },
        RowRepair { key: vec![2.into()], found: None, image: Some(row(2, "b", 2)) },
        RowRepair { key: vec![7.into()], found: found(&rig, 7), image: None },
    ];
    assert_eq!(rig.applier.repair(DB, 1, t(), &repairs).unwrap(), 3);
    assert_eq!(content(&rig), content(&self::rig()));
    // The log goes on above it.
    rig.commit(&["UPDATE shop.t SET v = 20 WHERE id = 2"]);
    assert_eq!(content(&rig)[1], [2.into(), "b".into(), 20.into()]);
    let mut rig = rig.restart();
    assert_eq!(rig.applier.sync().unwrap(), rig.seq.min(rig.applier.seq()));
    assert_eq!(content(&rig).len(), 3);
}

#[test]
fn exchanged_unique_values_are_put_back() {
    let mut rig = rig();
    rig.plain()
        .execute_batch(
            "UPDATE t SET u = 'x' WHERE id = 1; UPDATE t SET u = 'a' WHERE id = 2; UPDATE t SET u = 'b' WHERE id = 1",
        )
        .unwrap();
    let repairs = [
        RowRepair { key: vec![1.into()], found: found(&rig, 1), image: Some(row(1, "a", 1)) },
        RowRepair { key: vec![2.into()], found: found(&rig, 2), image: Some(row(2, "b", 2)) },
    ];
    assert_eq!(rig.applier.repair(DB, 1, t(), &repairs).unwrap(), 2);
    assert_eq!(content(&rig), content(&self::rig()));
    // One at a time: who has the value without a right to it goes, and is missed next time.
    rig.plain().execute_batch("UPDATE t SET u = 'x' WHERE id = 1; UPDATE t SET u = 'a' WHERE id = 3").unwrap();
    let one = [RowRepair { key: vec![1.into()], found: found(&rig, 1), image: Some(row(1, "a", 1)) }];
    assert_eq!(rig.applier.repair(DB, 1, t(), &one).unwrap(), 1);
    assert_eq!(content(&rig).len(), 2);
    let missed = [RowRepair { key: vec![3.into()], found: None, image: Some(row(3, "c", 3)) }];
    assert_eq!(rig.applier.repair(DB, 1, t(), &missed).unwrap(), 1);
    assert_eq!(content(&rig), content(&self::rig()));
}

#[test]
fn what_is_not_as_it_was_found_stays() {
    let mut rig = rig();
    let before = found(&rig, 1);
    rig.commit(&["UPDATE shop.t SET v = 5 WHERE id = 1"]);
    let now = content(&rig);
    let image = || Some(row(1, "a", 1));
    for found in [before, None] {
        let stale = [RowRepair { key: vec![1.into()], found, image: image() }];
        assert_eq!(rig.applier.repair(DB, 1, t(), &stale).unwrap(), 0);
    }
    let current = found(&rig, 1);
    let repair = |image| [RowRepair { key: vec![1.into()], found: current, image }];
    assert!(rig.applier.repair(DB, 2, t(), &repair(image())).is_err(), "another schema");
    assert!(rig.applier.repair(DB, 1, TableId::default(), &repair(image())).is_err(), "no table");
    assert!(rig.applier.repair("none", 1, t(), &repair(image())).is_err(), "no database");
    let half = image().map(|image| image[..2].to_vec());
    assert!(rig.applier.repair(DB, 1, t(), &repair(half)).is_err(), "half a row");
    let other_key = [RowRepair { key: vec![1.into(), 1.into()], found: current, image: image() }];
    assert!(rig.applier.repair(DB, 1, t(), &other_key).is_err(), "another key");
    assert_eq!(content(&rig), now);
    // Nothing is left open.
    rig.commit(&["UPDATE shop.t SET v = 6 WHERE id = 1"]);
}
