use super::content::Content;
use super::definition::{CellKind, Definition, cells, definition};
use crate::sqlite::{ForeignColumn, ForeignIndex, ForeignKeyReference, ForeignTable};
use crate::types::Value;

fn column(name: &str, declared: &str) -> ForeignColumn {
    ForeignColumn {
        name: name.into(),
        declared: declared.into(),
        not_null: false,
        default: None,
        generated: false,
        collation: "BINARY".into(),
    }
}

fn table(columns: Vec<ForeignColumn>, key: &[&str]) -> ForeignTable {
    ForeignTable {
        name: "t".into(),
        columns,
        primary_key: key.iter().map(|k| (*k).to_string()).collect(),
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        sql: "CREATE TABLE t(...)".into(),
    }
}

fn defined(table: &ForeignTable, rows: &[Vec<Value>]) -> Definition {
    let mut contents = vec![Content::default(); table.columns.iter().filter(|c| !c.generated).count()];
    for row in rows {
        contents.iter_mut().zip(row).for_each(|(content, value)| content.add(value));
    }
    definition("d", table, &contents, |_| false).expect("a table MySQL can have")
}

/// The type a column gets by its declaration and values.
fn type_of(declared: &str, values: &[Value]) -> String {
    let rows: Vec<Vec<Value>> = values.iter().map(|v| vec![v.clone()]).collect();
    let create = defined(&table(vec![column("c", declared)], &[]), &rows).create;
    create
        .strip_prefix("CREATE TABLE `d`.`t` (`c` ")
        .and_then(|c| c.strip_suffix(") COLLATE=utf8mb4_bin"))
        .expect("one column")
        .into()
}

#[test]
fn a_declaration_that_all_values_fit_decides() {
    let text = || Value::text("abc");
    for (declared, values, expected) in [
        ("INTEGER", vec![Value::Int(i64::MIN), Value::Null], "BIGINT"),
        ("INT", vec![], "BIGINT"),
        ("BOOLEAN", vec![Value::Int(1)], "TINYINT(1)"),
        ("BOOLEAN", vec![Value::Int(2)], "BIGINT"),
        ("VARCHAR(20)", vec![text()], "VARCHAR(20)"),
        ("VARCHAR(2)", vec![text()], "LONGTEXT"),
        ("TEXT", vec![text()], "LONGTEXT"),
        ("BLOB", vec![Value::Blob([1, 2].into())], "LONGBLOB"),
        ("REAL", vec![Value::real(1.5)], "DOUBLE"),
        ("DECIMAL(10,2)", vec![Value::real(12.25), Value::Int(3)], "DECIMAL(10,2)"),
        ("DECIMAL(10,2)", vec![Value::real(12.125)], "DOUBLE"),
        ("DECIMAL(30,2)", vec![Value::Int(1)], "BIGINT"),
        ("NUMERIC", vec![Value::Int(3)], "BIGINT"),
        ("DATE", vec![Value::text("2024-02-29")], "DATE"),
        ("DATE", vec![Value::text("29.2.2024")], "LONGTEXT"),
        ("DATETIME", vec![Value::text("2024-02-29 10:00:00.5")], "DATETIME(1)"),
        ("TIMESTAMP", vec![Value::text("2024-02-29T10:00:00Z")], "LONGTEXT"),
        ("DATETIME", vec![Value::Int(1_700_000_000)], "BIGINT"),
        ("JSON", vec![Value::text("{}")], "LONGTEXT"),
        ("", vec![], "LONGTEXT"),
        ("", vec![Value::Int(1)], "BIGINT"),
    ] {
        assert_eq!(type_of(declared, &values), expected, "{declared} {values:?}");
    }
}

#[test]
fn values_that_do_not_fit_get_a_type_that_holds_them_all() {
    let (int, real, text, blob) = (Value::Int(1), Value::real(0.5), Value::text("x"), Value::Blob([255].into()));
    assert_eq!(type_of("INTEGER", &[int.clone(), real.clone()]), "DOUBLE");
    assert_eq!(type_of("INTEGER", &[Value::Int(i64::MAX), real.clone()]), "LONGTEXT");
    assert_eq!(type_of("REAL", &[Value::real(f64::INFINITY)]), "LONGTEXT");
    assert_eq!(type_of("INTEGER", &[int.clone(), text.clone()]), "LONGTEXT");
    assert_eq!(type_of("TEXT", &[text.clone(), blob.clone()]), "LONGBLOB");
    let made = defined(&table(vec![column("c", "INTEGER")], &[]), &[vec![int.clone()], vec![text.clone()]]);
    assert_eq!(made.notes, ["column 'c' is declared INTEGER but holds integers, texts: it becomes LONGTEXT"]);
    assert_eq!(made.cells, [CellKind::Text]);
    assert_eq!(cells(vec![int.clone()], &made.cells), [Value::text("1")]);
    assert_eq!(
        cells(vec![text, Value::Null], &[CellKind::Blob, CellKind::Blob]),
        [Value::Blob(b"x"[..].into()), Value::Null]
    );
}

#[test]
fn keys_have_a_length_and_the_rowid_counts() {
    let made = defined(&table(vec![column("id", "INTEGER"), column("v", "TEXT")], &["id"]), &[]);
    assert!(
        made.create.contains("(`id` BIGINT NOT NULL AUTO_INCREMENT, `v` LONGTEXT, PRIMARY KEY (`id`))"),
        "{}",
        made.create
    );
    let long = Value::text("x".repeat(300));
    let made = defined(&table(vec![column("a", "TEXT"), column("b", "BLOB")], &["b", "a"]), &[vec![long, Value::Null]]);
    assert!(made.create.contains("`a` VARCHAR(300), `b` VARBINARY(255), UNIQUE KEY (`b`, `a`)"), "{}", made.create);
    assert_eq!(made.notes, ["its primary key holds NULL: it becomes a unique key"]);
    let table = table(vec![column("a", "TEXT")], &["a"]);
    let mut content = Content::default();
    content.add(&Value::text("x".repeat(20_000)));
    let refused = definition("d", &table, &[content], |_| false).expect_err("no key is that long");
    assert!(refused.contains("table 't'") && refused.contains("'a'"), "{refused}");
}

#[test]
fn indexes_defaults_and_references_are_kept_or_named() {
    let with_default = |name: &str, declared: &str, default: &str| ForeignColumn {
        default: Some(default.into()),
        ..column(name, declared)
    };
    let mut columns = vec![
        with_default("a", "TEXT", "'it''s'"),
        with_default("b", "INT", "-5"),
        with_default("c", "DATETIME", "datetime('now')"),
        with_default("d", "INT", "(1 + 1)"),
        ForeignColumn { collation: "NOCASE".into(), not_null: true, ..column("e", "VARCHAR(9)") },
        ForeignColumn { generated: true, ..column("g", "INT") },
    ];
    columns[1].not_null = true;
    let index = |name: &str, unique, columns: &[Option<&str>], partial| ForeignIndex {
        name: name.into(),
        unique,
        columns: columns.iter().map(|c| (c.map(String::from), "BINARY".into())).collect(),
        partial,
    };
    let reference = |column: &str, action: &str| ForeignKeyReference {
        columns: vec![column.into()],
        parent: "p".into(),
        parent_columns: vec!["id".into()],
        on_delete: action.into(),
        on_update: "NO ACTION".into(),
    };
    let table = ForeignTable {
        indexes: vec![
            index("sqlite_autoindex_t_1", true, &[Some("b")], false),
            index("i", false, &[Some("e"), Some("b")], false),
            index("part", false, &[Some("b")], true),
            index("expr", true, &[None], false),
            index("gen", false, &[Some("g")], false),
        ],
        foreign_keys: vec![reference("b", "CASCADE"), reference("d", "SET DEFAULT"), reference("b", "NO ACTION")],
        sql: "CREATE TABLE t(a TEXT DEFAULT 'CHECK', b INT /* CHECK */, checked INT, CHECK(b > 0))".into(),
        ..table(columns, &[])
    };
    let content: Vec<Content> = vec![Content::default(); 5];
    let made = definition("d", &table, &content, |i| i == 2).expect("a table");
    for part in [
        "`a` LONGTEXT DEFAULT ('it''s')",
        "`b` BIGINT NOT NULL DEFAULT -5",
        "`c` DATETIME DEFAULT CURRENT_TIMESTAMP",
        "`e` VARCHAR(9) COLLATE utf8mb4_general_ci NOT NULL",
        "UNIQUE KEY  (`b`)",
        "KEY `i` (`e`, `b`)",
    ] {
        assert!(made.create.contains(part), "{part} is not in {}", made.create);
    }
    assert_eq!(made.foreign_keys.len(), 1);
    assert!(made.foreign_keys[0].contains("ADD FOREIGN KEY (`b`) REFERENCES `p` (`id`) ON DELETE CASCADE"));
    let notes = made.notes.join("\n");
    for part in [
        "generated column 'g'",
        "'part' has a WHERE",
        "'expr' is over",
        "'gen' is over",
        "of column 'd', (1 + 1)",
        "CHECK",
        "SET DEFAULT",
        "violated",
    ] {
        assert!(notes.contains(part), "{part} is not in {notes}");
    }
}
