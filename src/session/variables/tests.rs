use super::*;
use crate::types::Value;
use std::sync::Arc;

fn variables() -> Variables {
    Variables::new(Arc::new(Globals::new(&[("port", Value::Int(3307))]).expect("a known variable")))
}

fn code(error: VariableError) -> u16 {
    error.code().0
}

#[test]
fn scopes_are_kept_apart() {
    let mut one = variables();
    let mut other = one.clone();
    assert_eq!(one.get("PORT", Which::Either), Ok(Value::Int(3307)));
    one.set("wait_timeout", Which::Session, Some(&Value::Int(5))).expect("settable");
    assert_eq!(one.get("wait_timeout", Which::Either), Ok(Value::Int(5)));
    assert_eq!(other.get("wait_timeout", Which::Either), Ok(Value::Int(28_800)));
    other.set("wait_timeout", Which::Global, Some(&Value::Int(7))).expect("settable");
    assert_eq!(one.get("wait_timeout", Which::Global), Ok(Value::Int(7)));
    assert_eq!(other.get("wait_timeout", Which::Session), Ok(Value::Int(28_800)), "a session copied it at its start");
    one.set("wait_timeout", Which::Session, None).expect("DEFAULT is the global value");
    assert_eq!(one.get("wait_timeout", Which::Session), Ok(Value::Int(7)));
    other.reset();
    assert_eq!(other.get("wait_timeout", Which::Session), Ok(Value::Int(7)));
}

#[test]
fn wrong_uses_have_mysql_codes() {
    let mut v = variables();
    let mut set = |name: &str, which, value: Value| v.set(name, which, Some(&value)).map_err(code);
    assert_eq!(set("nonsense", Which::Either, Value::Int(1)), Err(1193));
    assert_eq!(set("version", Which::Either, "9".into()), Err(1238));
    assert_eq!(set("max_connections", Which::Session, Value::Int(9)), Err(1229));
    assert_eq!(set("sql_log_bin", Which::Global, Value::Int(0)), Err(1228));
    assert_eq!(set("autocommit", Which::Either, Value::Int(2)), Err(1231));
    assert_eq!(set("wait_timeout", Which::Either, "soon".into()), Err(1232));
    assert_eq!(set("sql_mode", Which::Either, "NO_SUCH_MODE".into()), Err(1231));
    assert_eq!(set("transaction_isolation", Which::Either, "CHAOS".into()), Err(1231));
    assert_eq!(set("character_set_client", Which::Either, "klingon".into()), Err(1115));
    assert_eq!(set("character_set_client", Which::Either, "swe7".into()), Err(1235));
    assert_eq!(set("time_zone", Which::Either, "Mars/Olympus".into()), Err(1298));
    assert_eq!(set("default_week_format", Which::Either, Value::Int(1)), Err(1235));
    assert_eq!(set("marmot_write_consistency", Which::Either, "two".into()), Err(1231));
    assert_eq!(v.get("max_connections", Which::Session).map_err(code), Err(1238));
    assert_eq!(v.get("sql_log_bin", Which::Global).map_err(code), Err(1238));
}

#[test]
fn values_are_brought_into_form() {
    let mut v = variables();
    v.set("autocommit", Which::Either, Some(&"off".into())).expect("a boolean word");
    assert_eq!(v.own("autocommit"), &Value::Int(0));
    let note = v.set("wait_timeout", Which::Either, Some(&Value::Int(0))).expect("clamped");
    assert_eq!(note.as_deref(), Some("Truncated incorrect wait_timeout value: '0'"));
    assert_eq!(v.own("wait_timeout"), &Value::Int(1));
    v.set("sql_mode", Which::Either, Some(&"ansi_quotes, NO_AUTO_CREATE_USER".into())).expect("known modes");
    assert_eq!(v.own("sql_mode"), &"ANSI_QUOTES".into());
    v.set("transaction_isolation", Which::Either, Some(&"read committed".into())).expect("an isolation level");
    assert_eq!(v.own("transaction_isolation"), &"READ-COMMITTED".into());
    v.set("time_zone", Which::Either, Some(&"+02:00".into())).expect("an offset");
    assert_eq!(offset_minutes("-13:59"), Some(-839));
    assert_eq!(offset_minutes("+14:01"), None);
    let listed = v.list(false);
    assert!(listed.contains(&("autocommit", "OFF".into())));
    assert!(listed.contains(&("long_query_time", "10.000000".into())));
    assert!(!v.list(true).iter().any(|(name, _)| *name == "sql_log_bin"));
}
