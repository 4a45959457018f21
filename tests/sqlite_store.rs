//! `marmot.db` as `core::Storage`, and reading a file that Marmot did not make.

mod sqlite_rig;

use marmot::core::{Storage, Table};
use marmot::sqlite::{CHECKPOINT_BYTES, FileCheckpointer, ForeignDatabase, Store, StoreReader};
use marmot::types::{Value, Versions};

#[test]
fn a_round_is_kept_whole_or_not_at_all() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("marmot.db");
    let mut store = Store::open(&path, None).unwrap();
    let mut round = store.begin();
    round.put(Table::Record, b"a", b"1").unwrap();
    round.put(Table::Record, b"b", b"2").unwrap();
    assert_eq!(round.get(Table::Record, b"a").unwrap(), Some(b"1".to_vec()), "a round reads its own writes");
    round.commit().unwrap();
    let mut round = store.begin();
    round.put(Table::Record, b"a", b"9").unwrap();
    round.delete(Table::Record, b"b").unwrap();
    drop(round);
    drop(store);
    let mut store = Store::open(&path, None).unwrap();
    let round = store.begin();
    assert_eq!(round.get(Table::Record, b"a").unwrap(), Some(b"1".to_vec()));
    assert_eq!(round.get(Table::Record, b"b").unwrap(), Some(b"2".to_vec()));
    assert_eq!(round.get(Table::Ballot, b"a").unwrap(), None, "tables are apart");
    round.commit().unwrap();
}

#[test]
fn scans_go_both_ways_from_the_key_given() {
    let home = tempfile::tempdir().unwrap();
    let mut store = Store::open(&home.path().join("marmot.db"), None).unwrap();
    let mut round = store.begin();
    for n in [3u64, 1, 200, 2, 256] {
        round.put(Table::Order, &n.to_be_bytes(), &[n as u8]).unwrap();
    }
    let keys = |entries: Vec<(Vec<u8>, Vec<u8>)>| -> Vec<u64> {
        entries.iter().map(|(k, _)| u64::from_be_bytes(k[..].try_into().unwrap())).collect()
    };
    assert_eq!(keys(round.scan(Table::Order, &2u64.to_be_bytes(), 3).unwrap()), [2, 3, 200]);
    assert_eq!(keys(round.scan_back(Table::Order, &255u64.to_be_bytes(), 2).unwrap()), [200, 3]);
    assert_eq!(keys(round.scan_back(Table::Order, &[0xff; 8], 1).unwrap()), [256]);
    assert!(round.scan(Table::Order, &[0xff; 9], 9).unwrap().is_empty());
    round.delete(Table::Order, &3u64.to_be_bytes()).unwrap();
    round.put(Table::Order, &2u64.to_be_bytes(), b"").unwrap();
    assert_eq!(round.get(Table::Order, &2u64.to_be_bytes()).unwrap(), Some(Vec::new()));
    assert_eq!(keys(round.scan(Table::Order, &[], 9).unwrap()), [1, 2, 200, 256]);
    assert!(round.has_room());
    round.commit().unwrap();
    store.set_has_room(false);
    assert!(!store.begin().has_room());
}

#[test]
fn others_read_committed_rounds_and_checkpoint_beside_the_node() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("marmot.db");
    let mut store = Store::open(&path, None).unwrap();
    let mut reader = StoreReader::open(&path, None, 0).unwrap();
    let mut checkpointer = FileCheckpointer::open(&path, None, CHECKPOINT_BYTES).unwrap();
    for n in 0..600u64 {
        let mut round = store.begin();
        round.put(Table::Conflict, &n.to_be_bytes(), &[7; 4000]).unwrap();
        assert_eq!(reader.conflicts(&n.to_be_bytes(), 9).unwrap(), []);
        round.commit().unwrap();
    }
    checkpointer.run().unwrap();
    store.checkpoint().unwrap();
    assert_eq!(reader.conflicts(&[], 1000).unwrap().len(), 600);
    assert!(std::fs::metadata(&path).unwrap().len() > 600 * 4000, "the WAL was moved into the file");
}

#[test]
fn a_foreign_file_tells_its_tables_and_rows() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("their file?.db");
    let theirs = rusqlite::Connection::open(&path).unwrap();
    theirs
        .execute_batch(
            "CREATE TABLE par(a TEXT, b INT, PRIMARY KEY(b, a)) WITHOUT ROWID;
             CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, n VARCHAR(20) NOT NULL DEFAULT 'x' COLLATE NOCASE,
                 twice AS (id * 2), pa TEXT, pb INT, FOREIGN KEY(pb, pa) REFERENCES par(b, a) ON DELETE CASCADE);
             CREATE UNIQUE INDEX t_n ON t(n, lower(pa));
             CREATE INDEX t_p ON t(pb) WHERE pb > 0;
             CREATE TABLE nokey(x);
             CREATE VIEW v AS SELECT 1;
             CREATE VIRTUAL TABLE ft USING fts5(body);
             INSERT INTO par VALUES('p', 1);
             INSERT INTO t(n, pa, pb) VALUES('one', 'p', 1), ('two', NULL, NULL);",
        )
        .unwrap();
    let mut foreign = ForeignDatabase::open(&path, None).unwrap();
    let tables = foreign.tables().unwrap();
    assert_eq!(tables.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["nokey", "par", "t"]);
    assert!(tables[0].primary_key.is_empty());
    assert_eq!(tables[1].primary_key, ["b", "a"]);
    let t = &tables[2];
    assert_eq!(t.columns[1].declared, "VARCHAR(20)");
    assert_eq!(t.columns[1].default.as_deref(), Some("'x'"));
    assert!(t.columns[1].not_null && t.columns[2].generated);
    let unique = t.indexes.iter().find(|i| i.unique).unwrap();
    assert_eq!(unique.columns, [(Some("n".into()), "NOCASE".into()), (None, "BINARY".into())]);
    assert!(t.indexes.iter().any(|i| i.partial));
    assert_eq!((t.foreign_keys[0].parent.as_str(), t.foreign_keys[0].on_delete.as_str()), ("par", "CASCADE"));
    assert_eq!(t.foreign_keys[0].parent_columns, ["b", "a"]);
    let mut rows = Vec::new();
    foreign
        .read(t, |row| {
            rows.push(row);
            true
        })
        .unwrap();
    assert_eq!(rows[0], [Value::Int(1), "one".into(), "p".into(), Value::Int(1)]);
    assert_eq!(rows.len(), 2);
    let left_out = foreign.left_out().unwrap();
    assert!(left_out.contains(&("v".into(), "view".into())) && left_out.contains(&("ft".into(), "virtual".into())));
    assert!(ForeignDatabase::open(&home.path().join("absent.db"), None).is_err());
    let rig = sqlite_rig::Rig::new(&[], &[]);
    assert!(ForeignDatabase::open(&rig.path(), None).is_err(), "our own files are no foreign ones");
}

/// A store in a folder, and what it holds.
fn meta(path: &std::path::Path, key: &[u8]) -> Option<Vec<u8>> {
    let mut store = Store::open(path, None).unwrap();
    store.begin().get(Table::Meta, key).unwrap()
}

#[test]
fn a_held_round_is_seen_and_becomes_durable_with_the_next_commit() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("marmot.db");
    let mut store = Store::open(&path, None).unwrap();
    let mut round = store.begin();
    round.put(Table::Ballot, b"a", b"1").unwrap();
    assert!(round.is_dirty() && !round.wrote_meta());
    round.hold();
    let mut round = store.begin();
    assert_eq!(round.get(Table::Ballot, b"a").unwrap(), Some(b"1".to_vec()), "later rounds see it");
    round.put(Table::Meta, b"b", b"2").unwrap();
    round.put(Table::Ballot, b"a", b"9").unwrap();
    assert!(round.wrote_meta());
    drop(round);
    let round = store.begin();
    assert_eq!(round.get(Table::Ballot, b"a").unwrap(), Some(b"1".to_vec()), "only the dropped round is undone");
    assert_eq!(round.get(Table::Meta, b"b").unwrap(), None);
    round.hold();
    drop(store);
    let mut store = Store::open(&path, None).unwrap();
    assert_eq!(store.begin().get(Table::Ballot, b"a").unwrap(), None, "a crash loses what is held");
    let mut round = store.begin();
    round.put(Table::Ballot, b"a", b"1").unwrap();
    round.hold();
    let mut round = store.begin();
    round.put(Table::Ballot, b"b", b"2").unwrap();
    round.commit().unwrap();
    drop(store);
    let mut store = Store::open(&path, None).unwrap();
    assert_eq!(store.begin().scan(Table::Ballot, &[], 9).unwrap().len(), 2);
}

#[test]
fn scans_merge_what_is_folded_with_what_is_not() {
    let home = tempfile::tempdir().unwrap();
    let mut store = Store::open(&home.path().join("marmot.db"), None).unwrap();
    let mut round = store.begin();
    for n in 0..100u8 {
        round.put(Table::Order, &[n], &[n]).unwrap();
    }
    round.commit().unwrap();
    store.fold().unwrap();
    let mut round = store.begin();
    for n in 10..60u8 {
        round.delete(Table::Order, &[n]).unwrap();
    }
    round.put(Table::Order, &[30], &[0]).unwrap();
    round.put(Table::Order, &[200], &[0]).unwrap();
    let keys = |entries: Vec<(Vec<u8>, Vec<u8>)>| entries.iter().map(|(k, _)| k[0]).collect::<Vec<_>>();
    assert_eq!(keys(round.scan(Table::Order, &[8], 5).unwrap()), [8, 9, 30, 60, 61]);
    assert_eq!(keys(round.scan_back(Table::Order, &[61], 5).unwrap()), [61, 60, 30, 9, 8]);
    assert_eq!(keys(round.scan(Table::Order, &[98], 9).unwrap()), [98, 99, 200]);
    assert_eq!(round.scan(Table::Order, &[], 1000).unwrap().len(), 52);
    assert_eq!(keys(round.scan_back(Table::Order, &[255], 2).unwrap()), [200, 99]);
    assert!(
        round.scan(Table::Order, &[201], 9).unwrap().is_empty() && round.scan(Table::Order, &[], 0).unwrap().is_empty()
    );
}

#[test]
fn many_generations_of_the_log_and_a_round_longer_than_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("marmot.db");
    let mut store = Store::open(&path, None).unwrap();
    for n in 0..300u64 {
        let mut round = store.begin();
        round.put(Table::Record, &n.to_be_bytes(), &vec![n as u8; 60_000]).unwrap();
        round.put(Table::Ballot, b"same", &n.to_be_bytes()).unwrap();
        round.commit().unwrap();
    }
    let mut round = store.begin();
    round.put(Table::Record, b"large", &vec![7; 9 << 20]).unwrap();
    round.commit().unwrap();
    drop(store);
    let mut store = Store::open(&path, None).unwrap();
    let round = store.begin();
    assert_eq!(round.get(Table::Record, b"large").unwrap().unwrap().len(), 9 << 20);
    assert_eq!(round.scan(Table::Record, &[], 1000).unwrap().len(), 301);
    assert_eq!(round.get(Table::Ballot, b"same").unwrap(), Some(299u64.to_be_bytes().to_vec()));
    drop(round);
    assert_eq!(std::fs::metadata(path.with_extension("redo")).unwrap().len(), 4 << 20, "the log keeps its size");
}

/// Two rounds in the log; then `harm` is done to it.
fn harmed(harm: impl Fn(&mut Vec<u8>)) -> (tempfile::TempDir, std::path::PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("marmot.db");
    let mut store = Store::open(&path, None).unwrap();
    for key in [b"a", b"b"] {
        let mut round = store.begin();
        round.put(Table::Meta, key, b"1").unwrap();
        round.commit().unwrap();
    }
    drop(store);
    let redo = path.with_extension("redo");
    let mut bytes = std::fs::read(&redo).unwrap();
    harm(&mut bytes);
    std::fs::write(&redo, bytes).unwrap();
    (home, path)
}

#[test]
fn a_torn_last_round_is_as_if_it_had_not_begun() {
    let (_home, path) = harmed(|bytes| bytes[4096 + 40] ^= 1);
    assert_eq!(meta(&path, b"a"), Some(b"1".to_vec()));
    assert_eq!(meta(&path, b"b"), None);
}

#[test]
fn damage_before_the_last_round_is_no_torn_write() {
    let (_home, path) = harmed(|bytes| bytes[40] ^= 1);
    let error = Store::open(&path, None).err().expect("an acknowledged round is gone").to_string();
    assert!(error.contains("damaged") && error.contains("marmot.redo"), "{error}");
}

#[test]
fn a_missing_log_and_another_version_are_refused_by_name() {
    let (_home, path) = harmed(|_| {});
    std::fs::remove_file(path.with_extension("redo")).unwrap();
    let error = Store::open(&path, None).err().expect("without its log the state is incomplete").to_string();
    assert!(error.contains("marmot.redo"), "{error}");
    let (_home, path) = harmed(|_| {});
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 1).unwrap();
    let error = Store::open(&path, None).err().expect("another version").to_string();
    assert!(error.contains("version 1") && error.contains(&Versions::BUILD.to_string()), "{error}");
}

#[test]
fn the_files_of_a_newer_program_are_not_touched() {
    let (home, path) = harmed(|_| {});
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 200).unwrap();
    let content = || {
        let files = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect::<std::collections::BTreeMap<_, _>>()
    };
    let before = content();
    let error = Store::open(&path, None).err().expect("a newer version").to_string();
    assert!(error.contains("is of version 200") && error.contains("nothing was changed"), "{error}");
    assert!(content() == before, "a file was changed");
}

#[test]
fn a_version_is_raised_once_and_stays() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("marmot.db");
    let mut store = Store::open(&path, None).unwrap();
    let number =
        || rusqlite::Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |r| r.get::<_, u8>(0));
    assert_eq!(number().unwrap(), Versions::BUILD.oldest);
    store.set_version(Versions::BUILD.newest + 1).unwrap();
    store.set_version(Versions::BUILD.newest).unwrap();
    assert_eq!(number().unwrap(), Versions::BUILD.newest + 1);
    drop(store);
    assert!(Store::open(&path, None).is_err(), "this program does not understand that");
}
