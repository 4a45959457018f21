//! Golden scripts: MySQL in, SQLite out.
//!
//! Each command is a statement (`> SELECT 1`). A query or write shows its SQLite text and where its parameters come
//! from; a schema change is compiled, shown and applied; an error shows as MySQL words it. `modes` sets `sql_mode`.

use super::parse::parse_one;
use super::{
    AGGREGATES, Catalog, CompileContext, Context, Convert, Error, FUNCTIONS, FunctionContext, Modes, Parameter, Plan,
    PlanCache, Program, Source, translate,
};
use crate::types::{NodeId, TableId, Value};
use goldenscript::Command;
use proptest::prelude::*;
use std::error::Error as StdError;
use std::fmt::Write as _;

#[derive(Default)]
struct Scripts {
    catalog: Catalog,
    database: Option<String>,
    modes: Modes,
    fresh: u64,
}

fn parameter(p: &Parameter) -> String {
    let source = match &p.source {
        Source::Literal { index, negate } => format!("{}literal {index}", if *negate { "-" } else { "" }),
        Source::Client(n) => format!("client {n}"),
        Source::Constant(value) => value.to_string(),
        Source::Environment(wanted) => format!("{wanted:?}"),
    };
    let convert = match &p.convert {
        Convert::Plain => String::new(),
        Convert::Store { rule, row } => format!(" store `{}` row {row}", rule.encode()),
        Convert::Temporal(ty) => format!(" as {ty}"),
        other => format!(" as {other:?}"),
    };
    source + &convert
}

fn program(out: &mut String, program: &Program) {
    let _ = writeln!(out, "{}", program.sql);
    for (i, p) in program.parameters.iter().enumerate() {
        let _ = writeln!(out, "  ?{} = {}", i + 1, parameter(p));
    }
}

impl Scripts {
    fn statement(&mut self, sql: &str) -> Result<String, Error> {
        let (statement, _) = parse_one(sql, self.modes)?;
        let statement = statement.ok_or_else(Error::empty_query)?;
        let context = Context::new(&self.catalog, self.database.as_deref(), self.modes);
        let mut out = String::new();
        match translate(&statement, &context)? {
            Plan::Read(read) => {
                program(&mut out, &read.program);
                if let Some(locking) = &read.locking {
                    for target in &locking.targets {
                        let _ = write!(out, "locks {}: ", target.table_name);
                        program(&mut out, &target.keys);
                    }
                }
                if let Some(found) = &read.found_rows {
                    out.push_str("found rows: ");
                    program(&mut out, found);
                }
            }
            Plan::Write(write) => program(&mut out, &write.program),
            Plan::Load(load) => {
                let _ = writeln!(out, "{} fields of {}", load.fields, load.file);
                program(&mut out, &load.write.program);
            }
            Plan::Use(name) => self.database = Some(name.to_string()),
            Plan::Schema(change) => {
                let fresh = &mut self.fresh;
                let mut next = || {
                    *fresh += 1;
                    TableId::new(NodeId(1), *fresh)
                };
                let now = "2024-03-15 10:20:30".to_string();
                let mut context = CompileContext {
                    fresh: &mut next,
                    version: 1,
                    now,
                    foreign_key_checks: true,
                    engine: "InnoDB",
                    modes: self.modes,
                    definer: "root@%".to_string(),
                    warnings: Vec::new(),
                };
                let compiled = change.compile(&self.catalog, &mut context)?;
                for warning in &compiled.warnings {
                    let _ = writeln!(out, "{} {}: {}", warning.level, warning.code, warning.message);
                }
                if let Some(program) = compiled.program {
                    let _ = writeln!(out, "{}", program.statements.join(";\n"));
                    self.catalog = program.apply(&self.catalog);
                }
            }
            other => {
                let _ = writeln!(out, "{other:?}");
            }
        }
        Ok(out)
    }
}

impl goldenscript::Runner for Scripts {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &goldenscript::Context) -> Result<String, Box<dyn StdError>> {
        if command.name == "modes" {
            let text = match command.args.first() {
                Some(goldenscript::Argument::Positional(text)) => text.clone(),
                _ => String::new(),
            };
            self.modes = Modes::parse(&text)?;
            return Ok(String::new());
        }
        Ok(self.statement(&command.name).unwrap_or_else(|e| e.to_string()))
    }
}

#[test]
fn scripts() {
    let mut ran = 0;
    for entry in std::fs::read_dir("src/sql/testscripts").unwrap() {
        goldenscript::run(&mut Scripts::default(), entry.unwrap().path()).unwrap();
        ran += 1;
    }
    assert!(ran > 5, "the scripts are there");
}

fn with_table() -> Catalog {
    let mut scripts = Scripts::default();
    for sql in ["CREATE DATABASE d", "USE d", "CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(10), c DATETIME)"] {
        scripts.statement(sql).unwrap();
    }
    scripts.catalog
}

/// Runs a statement through everything that a client's text reaches.
fn feed(catalog: &Catalog, sql: &str, modes: Modes) -> Result<(), Error> {
    let context = Context::new(catalog, Some("d"), modes);
    PlanCache::new(4).prepare(sql, &context).map(drop)
}

#[test]
fn deep_nesting_is_an_error() {
    let catalog = with_table();
    let code = |sql: String| feed(&catalog, &sql, Modes::default()).map_err(|e| e.code);
    let deep = [
        format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000)),
        format!("SELECT {}1", "NOT ".repeat(20_000)),
        format!("SELECT {}1", "- ".repeat(20_000)),
        format!("SELECT 1{}", " + 1".repeat(20_000)),
        format!("SELECT 1{}", " OR a".repeat(20_000)),
        format!("SELECT {}1{}", "CASE WHEN 1 THEN ".repeat(3000), " END".repeat(3000)),
        format!("SELECT {}1{}", "(SELECT ".repeat(3000), ")".repeat(3000)),
        format!("SELECT 1{}", " UNION SELECT 1".repeat(5000)),
        format!("SELECT {}1{}", "f(".repeat(3000), ")".repeat(3000)),
    ];
    for sql in deep {
        assert!(matches!(code(sql.clone()), Err(1436 | 1064)), "{}", &sql[..40]);
    }
    // What programs really write passes.
    assert_eq!(code(format!("SELECT a FROM t WHERE {} a = 1", "a = 2 OR ".repeat(400))), Ok(()));
    assert_eq!(code(format!("SELECT {}1{}", "(".repeat(60), ")".repeat(60))), Ok(()));
    assert_eq!(code(format!("SELECT a FROM t WHERE a IN (1{})", ", 1".repeat(20_000))), Ok(()));
    assert_eq!(code(format!("INSERT INTO t VALUES (1, 'x', NULL){}", ", (1, 'x', NULL)".repeat(20_000))), Ok(()));
}

/// Statements that fuzzing starts from.
const SEEDS: &[&str] = &[
    "SELECT a, COUNT(*) FROM t WHERE b LIKE 'x%' AND c > NOW() - INTERVAL 1 DAY GROUP BY a HAVING COUNT(*) > 1 ORDER BY 1 LIMIT 5, 6",
    "INSERT INTO t (a, b) VALUES (1, 'x'), (-2, DEFAULT) AS n ON DUPLICATE KEY UPDATE b = CONCAT(n.b, VALUES(b))",
    "UPDATE t SET a = a + 1, b = CASE a WHEN 1 THEN 'x' ELSE b END WHERE a IN (SELECT a FROM t) ORDER BY a LIMIT 1",
    "DELETE x FROM t x LEFT JOIN t y USING (a) WHERE y.b <=> NULL",
    "CREATE TABLE u (id BIGINT UNSIGNED AUTO_INCREMENT, e ENUM('a','b') DEFAULT 'a', d DECIMAL(10,2), PRIMARY KEY (id), KEY k (e(1) DESC)) ENGINE=InnoDB",
    "ALTER TABLE t ADD COLUMN z INT FIRST, MODIFY b TEXT, DROP PRIMARY KEY, ADD UNIQUE u (a), RENAME TO w",
    "SET NAMES utf8mb4, @a := 1, SESSION sql_mode = 'ANSI', @@global.x = DEFAULT",
    "SHOW FULL COLUMNS FROM t LIKE 'a%'",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT GROUP_CONCAT(DISTINCT i ORDER BY i SEPARATOR ',') OVER (PARTITION BY i) FROM n",
    "SELECT CAST(a AS CHAR(3)), EXTRACT(DAY_HOUR FROM c), b->>'$.x', TRIM(BOTH 'x' FROM b), @v, @@x, x'41', 1e5, .5 /*!80000 , 2 */ FROM t",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_text_is_refused_or_taken(text in "\\PC{0,60}", modes in 0u32..4) {
        let catalog = with_table();
        let modes = [Modes::default(), Modes::ANSI_QUOTES, Modes::NO_BACKSLASH_ESCAPES, Modes::PIPES_AS_CONCAT][modes as usize];
        let _ = feed(&catalog, &text, modes);
    }

    #[test]
    fn mangled_statements_are_refused_or_taken(
        seed in 0..SEEDS.len(), other in 0..SEEDS.len(),
        cuts in prop::collection::vec((0usize..300, 0usize..300, 0usize..300), 1..6),
    ) {
        let catalog = with_table();
        let mut words: Vec<String> = SEEDS[seed].split_inclusive([' ', '(', ',', ')']).map(str::to_string).collect();
        let donor: Vec<&str> = SEEDS[other].split_inclusive([' ', '(', ',', ')']).collect();
        for (at, from, kind) in cuts {
            let at = at % words.len();
            match kind % 3 {
                0 if words.len() > 1 => { words.remove(at); }
                1 => words.insert(at, donor[from % donor.len()].to_string()),
                _ => words[at] = donor[from % donor.len()].to_string(),
            }
        }
        let _ = feed(&catalog, &words.concat(), Modes::default());
    }

    /// No function panics, whatever it is given.
    #[test]
    fn functions_take_any_arguments(
        arguments in prop::collection::vec(prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Int),
            (-3i64..40).prop_map(Value::Int),
            any::<f64>().prop_map(Value::real),
            "\\PC{0,12}".prop_map(Value::text),
            "[-+0-9:. T]{0,20}".prop_map(Value::text),
            "[{}\\[\\]\",:0-9a$.*]{0,16}".prop_map(Value::text),
            Just(Value::from("MINUTE_SECOND")),
            Just(Value::from("MONTH")),
            prop::collection::vec(any::<u8>(), 0..8).prop_map(|b| Value::Blob(b.into())),
        ], 6),
    ) {
        let context = FunctionContext::default();
        for function in FUNCTIONS {
            let counts = match usize::try_from(function.arity) {
                Ok(arity) => arity..=arity,
                // The translator never writes such a call without arguments.
                Err(_) => 1..=6,
            };
            for count in counts {
                let _ = (function.eval)(&context, &arguments[..count]);
            }
        }
        for aggregate in AGGREGATES {
            let mut group = (aggregate.start)();
            let _ = group.step(&arguments[..aggregate.arity.max(0) as usize]);
            let _ = group.value();
        }
    }

    /// The plan cache never answers with a plan for another text: it and a fresh translation agree.
    #[test]
    fn cached_plans_fit_their_text(numbers in prop::collection::vec(0i64..4, 6)) {
        let catalog = with_table();
        let context = Context::new(&catalog, Some("d"), Modes::default());
        let cache = PlanCache::new(8);
        for n in &numbers {
            let sql = format!("SELECT a, b, ROUND(1.25, {n}) r, 'x{n}' FROM t WHERE a > {n} ORDER BY {}, {n} + 1 LIMIT {n}", n % 2 + 1);
            let (prepared, _) = cache.prepare(&sql, &context).unwrap();
            let (statement, _) = parse_one(&sql, Modes::default()).unwrap();
            let fresh = translate(&statement.unwrap(), &context).unwrap();
            prop_assert_eq!(&*prepared.unwrap().plan, &fresh);
        }
    }
}

/// How long a statement takes through the cache, printed by `cargo test --release -- --nocapture`.
#[test]
fn a_repeated_statement_is_not_parsed() {
    let catalog = with_table();
    let context = Context::new(&catalog, Some("d"), Modes::default());
    let cache = PlanCache::new(16);
    let first = cache.prepare("SELECT b FROM t WHERE a = 1", &context).unwrap().0.unwrap();
    let again = cache.prepare("SELECT b FROM t WHERE a = 2", &context).unwrap().0.unwrap();
    assert!(std::sync::Arc::ptr_eq(&first.plan, &again.plan));
    assert_ne!(first.literals, again.literals);
}
