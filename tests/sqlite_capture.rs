//! What the capture makes of each way SQLite has to change rows.

mod sqlite_rig;

use marmot::sqlite::{Error, IdKind, RowCounts, TableIds, UniqueIds};
use marmot::types::{ColumnId, IndexId, Key, KeyAccess, Mode, NodeId, RowChange, TableId, Value, WriteSet};
use sqlite_rig::{DB, Rig, ids, number, run};

fn rig() -> Rig {
    let tables = vec![
        ids(1, "t", &["id", "u", "v"], &[&["u"]]),
        ids(2, "w", &["a", "b", "v"], &[]),
        ids(3, "tp", &["code", "v"], &[]),
        ids(4, "g", &["id", "a", "z"], &[]),
        ids(5, "par", &["id"], &[]),
        ids(6, "chi", &["id", "p"], &[]),
        ids(7, "tr", &["id", "v"], &[]),
        ids(8, "ci", &["k", "v"], &[]),
        ids(9, "rl", &["id", "r"], &[]),
        ids(10, "multi", &["id", "a", "b", "c"], &[&["a", "b"], &["b", "c"]]),
        TableIds {
            id: TableId::new(NodeId(1), 11),
            name: "pre".into(),
            columns: vec![(ColumnId(1), "id".into()), (ColumnId(2), "s".into())],
            uniques: vec![UniqueIds { id: IndexId(5), parts: vec![("s".into(), Some(3))] }],
        },
        ids(12, "auto", &["id", "v"], &[]),
        ids(13, "byname", &["id", "u"], &[]),
    ];
    Rig::new(
        &tables,
        &[
            "CREATE TABLE shop.t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, v INT)",
            "INSERT INTO shop.t VALUES(1,'a',10),(2,'b',20),(3,'c',30),(4,'d',40)",
            "CREATE TABLE shop.w(a TEXT, b INT, v, PRIMARY KEY(b, a)) WITHOUT ROWID",
            "INSERT INTO shop.w VALUES('x',1,1),('y',2,2)",
            "CREATE TABLE shop.tp(code TEXT PRIMARY KEY NOT NULL, v)",
            "INSERT INTO shop.tp VALUES('k1',1),('k2',2)",
            "CREATE TABLE shop.g(id INTEGER PRIMARY KEY, virt AS (a * 2) VIRTUAL, a INT, st AS (a * 3) STORED, z)",
            "CREATE TABLE shop.par(id INTEGER PRIMARY KEY)",
            "CREATE TABLE shop.chi(id INTEGER PRIMARY KEY, p INT REFERENCES par ON DELETE CASCADE ON UPDATE CASCADE)",
            "INSERT INTO shop.par VALUES(1),(2)",
            "INSERT INTO shop.chi VALUES(10,1),(11,1),(12,2)",
            "CREATE TABLE shop.tr(id INTEGER PRIMARY KEY, v)",
            "CREATE TRIGGER shop.x AFTER INSERT ON tr BEGIN UPDATE tr SET v = v || '!' WHERE id = new.id; END",
            "CREATE TABLE shop.ci(k TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, v)",
            "INSERT INTO shop.ci VALUES('abc', 1)",
            "CREATE TABLE shop.rl(id INTEGER PRIMARY KEY, r REAL)",
            "INSERT INTO shop.rl VALUES(1, 1.0)",
            "CREATE TABLE shop.multi(id INTEGER PRIMARY KEY, a, b, c, UNIQUE(a, b), UNIQUE(b, c))",
            "INSERT INTO shop.multi VALUES(1, 1, 1, 1)",
            "CREATE TABLE shop.pre(id INTEGER PRIMARY KEY, s TEXT)",
            "CREATE UNIQUE INDEX shop.pre_s ON pre(substr(s, 1, 3))",
            "CREATE TABLE shop.auto(id INTEGER PRIMARY KEY, v)",
            "CREATE TABLE shop.byname(id INTEGER PRIMARY KEY, u TEXT REFERENCES t(u))",
            "CREATE TABLE shop.nobody(x)",
        ],
    )
}

/// The write set of one statement, and its counts.
fn captured(rig: &Rig, sql: &str) -> (WriteSet, RowCounts) {
    let mut w = rig.workspace();
    w.begin().unwrap();
    let done = run(&mut w, sql);
    let write_set = w.take_write_set().unwrap();
    w.end();
    (write_set, done.rows)
}

fn show_row(row: &RowChange) -> String {
    let image = |i: &Option<marmot::types::RowImage>| {
        i.as_ref().map_or("-".into(), |i| i.iter().map(Value::to_string).collect::<Vec<_>>().join(","))
    };
    let changed: Vec<String> = row.changed.iter().map(|i| i.to_string()).collect();
    let mut text = format!("{} -> {} [{}]", image(&row.before), image(&row.after), changed.join(","));
    if !row.releases.is_empty() || !row.claims.is_empty() {
        text += &format!(" -{} +{}", row.releases.len(), row.claims.len());
    }
    text
}

/// Net changes in order, one line each.
fn net(rig: &Rig, sql: &str) -> Vec<String> {
    captured(rig, sql).0.tables.iter().flat_map(|t| t.rows.iter().map(show_row)).collect()
}

#[test]
fn replace_deletes_every_victim() {
    let rig = rig();
    assert_eq!(net(&rig, "REPLACE INTO shop.t VALUES(1, 'a2', 11)"), ["1,'a',10 -> 1,'a2',11 [1,2] -1 +1"]);
    let (write_set, rows) = captured(&rig, "REPLACE INTO shop.t VALUES(3, 'd', 1)");
    let mut lines: Vec<String> = write_set.tables[0].rows.iter().map(show_row).collect();
    lines.sort();
    assert_eq!(lines, ["3,'c',30 -> 3,'d',1 [1,2] -1 +1", "4,'d',40 -> - [0,1,2] -1 +0"]);
    assert_eq!(rows, RowCounts { inserted: 1, deleted: 2, ..RowCounts::default() });
    assert_eq!(net(&rig, "UPDATE OR REPLACE shop.t SET u = 'a' WHERE id = 2").len(), 2);
    assert_eq!(net(&rig, "REPLACE INTO shop.w VALUES('x', 1, 5)"), ["'x',1,1 -> 'x',1,5 [2]"]);
    assert_eq!(net(&rig, "REPLACE INTO shop.tp VALUES('k1', 7)"), ["'k1',1 -> 'k1',7 [1]"]);
}

#[test]
fn upserts_count_what_they_did() {
    let rig = rig();
    let upsert =
        "INSERT INTO shop.t VALUES(3,'zz',1),(7,'q',1),(4,'y',1) ON CONFLICT(id) DO UPDATE SET v = iif(id = 3, 31, v)";
    let (write_set, rows) = captured(&rig, upsert);
    assert_eq!(rows, RowCounts { inserted: 1, updated: 1, unchanged: 1, deleted: 0 });
    assert_eq!(write_set.tables[0].rows.len(), 2);
    assert!(net(&rig, "INSERT INTO shop.t VALUES(3,'zz',1) ON CONFLICT DO NOTHING").is_empty());
    assert!(net(&rig, "INSERT OR IGNORE INTO shop.t VALUES(3,'zz',1)").is_empty());
}

#[test]
fn a_row_written_as_it_was_is_held_but_not_changed() {
    let rig = rig();
    let (write_set, rows) = captured(&rig, "UPDATE shop.t SET v = v WHERE id = 3");
    assert!(write_set.is_empty());
    assert_eq!(rows.unchanged, 1);
    assert!(matches!(&write_set.holds[..], [KeyAccess { key: Key::Row(_), mode: Mode::Read }]));
    let (there_and_back, _) = captured(&rig, "UPDATE shop.t SET v = 1 WHERE id = 99");
    assert!(there_and_back.holds.is_empty());
}

#[test]
fn a_changed_primary_key_is_a_delete_and_an_insert() {
    let rig = rig();
    assert_eq!(
        net(&rig, "UPDATE shop.tp SET code = 'k9' WHERE code = 'k2'"),
        ["'k2',2 -> - [0,1]", "- -> 'k9',2 [0,1]"]
    );
    // Shifting every key: each key changes once.
    let lines = net(&rig, "UPDATE shop.t SET id = id + 10");
    assert_eq!(lines.len(), 8);
    let mut w = rig.workspace();
    w.begin().unwrap();
    run(&mut w, "UPDATE shop.t SET id = 5 WHERE id = 4");
    run(&mut w, "UPDATE shop.t SET id = 4 WHERE id = 5");
    assert!(w.take_write_set().unwrap().is_empty());
    w.end();
    assert_eq!(net(&rig, "UPDATE shop.w SET b = 7 WHERE a = 'x'").len(), 2);
}

#[test]
fn a_delete_without_where_is_seen_row_by_row() {
    let rig = rig();
    let (write_set, rows) = captured(&rig, "DELETE FROM shop.t");
    assert_eq!((write_set.tables[0].rows.len(), rows.deleted), (4, 4));
    assert_eq!(net(&rig, "DELETE FROM shop.w").len(), 2);
}

#[test]
fn keys_that_the_collation_calls_equal_are_one_row() {
    let rig = rig();
    let (write_set, _) = captured(&rig, "UPDATE shop.ci SET k = 'ABC'");
    assert_eq!(write_set.tables[0].rows.iter().map(show_row).collect::<Vec<_>>(), ["'abc',1 -> 'ABC',1 [0]"]);
    let mut w = rig.workspace();
    w.begin().unwrap();
    let key = w.row_key(DB, "ci", &["aBc".into()]).unwrap();
    assert_eq!(key.key, write_set.tables[0].rows[0].key);
    assert_eq!(w.row_key(DB, "w", &[Value::real(1.0), "x".into()]).unwrap(), {
        w.row_key(DB, "w", &[Value::Int(1), "x".into()]).unwrap()
    });
    w.end();
}

#[test]
fn generated_columns_are_left_out() {
    let rig = rig();
    assert_eq!(net(&rig, "INSERT INTO shop.g(id, a, z) VALUES(1, 5, 'z')"), ["- -> 1,5,'z' [0,1,2]"]);
}

#[test]
fn triggers_and_cascades_are_part_of_the_transaction() {
    let rig = rig();
    let (write_set, rows) = captured(&rig, "DELETE FROM shop.par WHERE id = 1");
    assert_eq!(write_set.tables.iter().map(|t| t.rows.len()).sum::<usize>(), 3);
    assert_eq!(rows.deleted, 1, "cascades are not the statement's own rows");
    assert_eq!(net(&rig, "INSERT INTO shop.tr VALUES(1, 'v')"), ["- -> 1,'v!' [0,1]"]);
}

#[test]
fn a_child_holds_its_parent() {
    let rig = rig();
    let (write_set, _) = captured(&rig, "INSERT INTO shop.chi VALUES(20, 2)");
    let mut w = rig.workspace();
    w.begin().unwrap();
    let parent = KeyAccess { key: Key::Row(w.row_key(DB, "par", &[Value::Int(2)]).unwrap()), mode: Mode::Read };
    w.end();
    assert!(write_set.holds.contains(&parent), "{:?}", write_set.holds);
    assert!(write_set.holds.contains(&KeyAccess { key: Key::Schema(DB.into()), mode: Mode::Read }));
    // A parent named by a unique index is held by that value, which deleting the parent gives up.
    let (child, _) = captured(&rig, "INSERT INTO shop.byname VALUES(1, 'c')");
    let (parent, _) = captured(&rig, "DELETE FROM shop.t WHERE u = 'c'");
    let released = Key::Unique(parent.tables[0].table, parent.tables[0].rows[0].releases[0].clone());
    assert!(child.holds.iter().any(|h| h.key == released && h.mode == Mode::Read), "{:?}", child.holds);
    let (orphan, _) = captured(&rig, "INSERT INTO shop.byname VALUES(1, NULL)");
    assert_eq!(orphan.holds.len(), 1);
}

#[test]
fn whole_numbers_in_a_real_column_are_real() {
    let rig = rig();
    assert_eq!(net(&rig, "UPDATE shop.rl SET r = 2"), [format!("1,{} -> 1,{} [1]", 1.0f64, 2.0f64)]);
    let (write_set, _) = captured(&rig, "UPDATE shop.rl SET r = 2");
    let row = &write_set.tables[0].rows[0];
    assert_eq!(row.before.as_ref().unwrap()[1], Value::real(1.0));
    assert_eq!(row.after.as_ref().unwrap()[1], Value::real(2.0));
}

#[test]
fn columns_of_one_unique_index_change_together() {
    let rig = rig();
    // The other index shares a column with the first: it is written too, and claims its value again.
    assert_eq!(net(&rig, "UPDATE shop.multi SET a = 2"), ["1,1,1,1 -> 1,2,1,1 [1,2,3] -1 +2"]);
    let (write_set, _) = captured(&rig, "INSERT INTO shop.multi VALUES(2, NULL, 5, 5)");
    assert_eq!(write_set.tables[0].rows[0].claims.len(), 1, "a NULL claims nothing");
}

#[test]
fn a_prefix_index_claims_the_prefix() {
    let rig = rig();
    let claim = |sql: &str| captured(&rig, sql).0.tables[0].rows[0].claims[0].clone();
    let long = claim("INSERT INTO shop.pre VALUES(1, 'äbcdef')");
    assert_eq!(long, claim("INSERT INTO shop.pre VALUES(2, 'äbc')"));
    assert_ne!(long, claim("INSERT INTO shop.pre VALUES(2, 'äb')"));
    assert_eq!(long.index, IndexId(5));
}

#[test]
fn a_failed_statement_leaves_nothing() {
    let rig = rig();
    let mut w = rig.workspace();
    w.begin().unwrap();
    run(&mut w, "UPDATE shop.t SET v = 11 WHERE id = 1");
    assert!(w.execute("INSERT INTO shop.t VALUES(100, 'n1', 1), (101, 'n1', 1)", &[]).is_err());
    assert!(w.execute("UPDATE shop.t SET v = 5, u = 'a'", &[]).is_err());
    let error = w.execute("UPDATE shop.t SET v = refuse(v)", &[]).unwrap_err();
    assert!(matches!(error, Error::Function(e) if e.code == 1264 && e.message == "Out of range value 11"));
    let write_set = w.take_write_set().unwrap();
    assert_eq!(write_set.tables[0].rows.iter().map(show_row).collect::<Vec<_>>(), ["1,'a',10 -> 1,'a',11 [2]"]);
    w.end();
}

#[test]
fn statements_that_change_nothing_net_are_nothing() {
    let rig = rig();
    let mut w = rig.workspace();
    w.begin().unwrap();
    run(&mut w, "INSERT INTO shop.t VALUES(50, 'x', 1)");
    run(&mut w, "UPDATE shop.t SET v = 2 WHERE id = 50");
    run(&mut w, "DELETE FROM shop.t WHERE id = 50");
    assert_eq!(w.take_write_set().unwrap(), WriteSet::default());
    run(&mut w, "DELETE FROM shop.t WHERE id = 1");
    run(&mut w, "INSERT INTO shop.t VALUES(1, 'a', 12)");
    let write_set = w.take_write_set().unwrap();
    assert_eq!(write_set.tables[0].rows.iter().map(show_row).collect::<Vec<_>>(), ["1,'a',10 -> 1,'a',12 [2]"]);
    w.end();
}

#[test]
fn a_table_without_identity_cannot_be_written() {
    let rig = rig();
    let mut w = rig.workspace();
    w.begin().unwrap();
    assert_eq!(w.execute("INSERT INTO shop.nobody VALUES(1)", &[]), Err(Error::Unreplicated("nobody".into())));
    w.end();
    w.begin().unwrap();
    run(&mut w, "INSERT INTO shop.__marmot_sequences VALUES('t1.1', 100)");
    let sequences = w.take_write_set().unwrap();
    assert_eq!(sequences.tables[0].table, marmot::sqlite::sequences_ids().id);
    w.end();
    w.attach_memory("system").unwrap();
    w.begin().unwrap();
    run(&mut w, "CREATE TABLE system.s(x)");
    run(&mut w, "INSERT INTO system.s VALUES(1)");
    assert!(w.take_write_set().unwrap().is_empty(), "memory is private");
    w.end();
}

#[test]
fn ids_come_from_the_lease_and_go_back_with_a_failure() {
    let rig = rig();
    let mut w = rig.workspace();
    w.begin().unwrap();
    let insert = "INSERT INTO shop.auto SELECT marmot_auto_id(column1), column2 FROM (VALUES(NULL, 1), (7, 2), (0, 3))";
    w.ids().start_statement(false);
    assert_eq!(w.execute(insert, &[]), Err(Error::NoIds(IdKind::Auto)));
    w.ids().lease(IdKind::Auto, 1000, 1);
    assert_eq!(w.execute(insert, &[]), Err(Error::NoIds(IdKind::Auto)));
    assert_eq!(w.ids().left(IdKind::Auto), 1);
    w.ids().lease(IdKind::Auto, 5000, 10);
    assert_eq!(run(&mut w, insert).rows.inserted, 3);
    assert_eq!(w.ids().first_generated(), Some(1000));
    assert_eq!(number(&mut w, "SELECT sum(id) FROM shop.auto"), 1000 + 7 + 5000);
    w.ids().start_statement(true);
    run(&mut w, "INSERT INTO shop.auto VALUES(marmot_auto_id(0), 9)");
    assert_eq!(w.ids().first_generated(), None);
    w.ids().lease(IdKind::Row, 1, 1);
    run(&mut w, "INSERT INTO shop.auto VALUES(marmot_row_id(), 9)");
    assert_eq!((w.ids().left(IdKind::Row), w.ids().left(IdKind::Auto)), (0, 9));
    w.end();
}
