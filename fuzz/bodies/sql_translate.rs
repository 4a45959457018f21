//! Statements of a client: parsed, translated, compiled and bound. Used by the fuzz target and by
//! `tests/fuzz_corpus.rs`.
//!
//! The first byte chooses the SQL mode, the rest is what COM_QUERY carries. Beyond not panicking: the end of a statement
//! is the same for the plan cache as for the parser, and a plan out of the cache is the plan that the text would have
//! got on its own, although it was made for other literals.

use marmot::sql::{
    Catalog, CompileContext, Context, Environment, Error, FunctionContext, Modes, Parameter, Plan, PlanCache, Prepared,
    SchemaChange, Wanted, bind, normalise, parse, translate,
};
use marmot::types::{NodeId, TableId, Value};
use std::sync::OnceLock;

const SCHEMA: &str = "
    CREATE DATABASE d;
    CREATE TABLE d.t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20) UNIQUE, n DECIMAL(10,2), at DATETIME(3),
        day DATE, code CHAR(3) COLLATE utf8mb4_bin, small TINYINT UNSIGNED, e ENUM('a','b'), s SET('x','y'), j JSON, b BLOB);
    CREATE TABLE d.u (a BIGINT, b VARCHAR(9) NOT NULL DEFAULT 'x', t INT, PRIMARY KEY (a, b), KEY (t),
        FOREIGN KEY (t) REFERENCES d.t (id) ON DELETE CASCADE, CHECK (a > 0))";

/// More statements of one input say nothing new.
const STATEMENTS: usize = 16;

pub fn run(data: &[u8]) {
    let Some((modes, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let modes = chosen(*modes);
    let mut catalog = catalog().clone();
    let cache = PlanCache::new(8);
    let mut rest = text;
    for _ in 0..STATEMENTS {
        let context = Context::new(&catalog, Some("d"), modes);
        let Some((prepared, end)) = both_ways(rest, &cache, &context) else { return };
        rest = &rest[end..];
        let Some(prepared) = prepared else { return };
        match &*prepared.plan {
            Plan::Read(read) => bound(&read.program.parameters, &prepared, modes),
            Plan::Write(write) => bound(&write.program.parameters, &prepared, modes),
            Plan::Schema(change) => {
                if let Ok(after) = compiled(change, &catalog) {
                    catalog = after;
                }
            }
            _ => {}
        }
    }
}

fn chosen(byte: u8) -> Modes {
    let choices = [Modes::ANSI_QUOTES, Modes::NO_BACKSLASH_ESCAPES, Modes::PIPES_AS_CONCAT, Modes::HIGH_NOT_PRECEDENCE];
    let mut modes = if byte & 128 == 0 { Modes::default() } else { Modes::NONE };
    for (i, mode) in choices.into_iter().enumerate() {
        if byte & (1 << i) != 0 {
            modes = modes.union(mode);
        }
    }
    modes
}

/// The first statement from the cache and on its own.
fn both_ways(sql: &str, cache: &PlanCache, context: &Context<'_>) -> Option<(Option<Prepared>, usize)> {
    let cached = cache.prepare(sql, context);
    let Ok(normal) = normalise(sql, context.modes) else {
        assert!(cached.is_err(), "what has no lexemes has no plan");
        return None;
    };
    assert!(normal.end <= sql.len() && (normal.end > 0 || sql.is_empty()), "each statement takes something");
    let alone = parse(&sql[..normal.end], context.modes).and_then(|statements| {
        assert!(statements.len() == 1, "the parser found {} statements where the cache found one", statements.len());
        translate(&statements[0], context)
    });
    match (cached, alone) {
        (Ok((None, end)), alone) => {
            assert!(alone.is_err_and(|e| e.code == 1065), "no statement for the cache is none for the parser");
            Some((None, end))
        }
        (Ok((Some(prepared), end)), Ok(plan)) => {
            assert!(*prepared.plan == plan, "another plan from the cache:\n{:?}\n{plan:?}", prepared.plan);
            Some((Some(prepared), end))
        }
        (Ok((Some(prepared), _)), Err(error)) => panic!("{:?} from the cache, alone {error}", prepared.plan),
        (Err(error), Ok(plan)) => panic!("{error} from the cache, alone {plan:?}"),
        (Err(_), Err(_)) => None,
    }
}

fn compiled(change: &SchemaChange, catalog: &Catalog) -> Result<Catalog, Error> {
    let mut made = 0;
    let mut fresh = || {
        made += 1;
        TableId::new(NodeId(1), made)
    };
    let version = catalog.database(change.database()).map_or(0, |d| d.version) + 1;
    let now = "2024-03-15 10:20:30".to_string();
    let mut context = CompileContext {
        fresh: &mut fresh,
        version,
        now,
        foreign_key_checks: true,
        engine: "InnoDB",
        modes: Default::default(),
        definer: "root@%".to_string(),
        warnings: vec![],
    };
    let compiled = change.compile(catalog, &mut context)?;
    Ok(compiled.program.map_or_else(|| catalog.clone(), |program| program.apply(catalog)))
}

fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| {
        let mut catalog = Catalog::new();
        for statement in parse(SCHEMA, Modes::default()).expect("a valid schema") {
            let context = Context::new(&catalog, None, Modes::default());
            let plan = translate(&statement, &context).expect("a valid schema");
            let Plan::Schema(change) = plan else { panic!("a schema is made of schema changes") };
            catalog = compiled(&change, &catalog).expect("a valid schema");
        }
        catalog
    })
}

/// A session that knows one text.
struct Session;

impl Environment for Session {
    fn value(&self, _: &Wanted) -> Result<Value, Error> {
        Ok(Value::text("2024-03-15 10:20:30"))
    }
}

/// Binds what a client may send for the markers: a value that does not fit is an error, never a panic.
fn bound(parameters: &[Parameter], prepared: &Prepared, modes: Modes) {
    let functions = FunctionContext::default();
    functions.strict.set(modes.strict());
    let values = [Value::Null, Value::Int(-1), Value::real(1e300), Value::text("x'1"), Value::Blob([0, 255].into())];
    for shift in 0..values.len() {
        let client: Vec<Value> = (0..prepared.markers).map(|i| values[(i + shift) % values.len()].clone()).collect();
        let _ = bind(parameters, &prepared.literals, &client, &Session, &functions);
        if prepared.markers == 0 {
            return;
        }
    }
}
