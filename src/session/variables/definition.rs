//! The system variables Marmot has: name, scope, kind and MySQL's default. Sorted by name.
//!
//! A variable is here because clients read or set it. Setting one that changes nothing in Marmot (buffer sizes,
//! optimizer switches) is accepted, as its effect in MySQL is on speed alone; one that would change results is either
//! obeyed or read-only at the value Marmot has.

use crate::types::CollationRules;

/// Where a variable lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One value for the server (`SET GLOBAL`).
    Global,
    /// One value per session, which cannot be set globally.
    Session,
    /// A global value, which new sessions copy.
    Both,
}

/// What values a variable takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// 0 or 1, shown as OFF and ON.
    Bool,
    /// A whole number, clamped to the range with a warning, as MySQL does.
    Int(i64, i64),
    /// A number of seconds with a fraction.
    Real(f64, f64),
    /// One of these, by name or by place.
    Choice(&'static [&'static str]),
    /// The name of a storage engine.
    Engine,
    /// A set of SQL modes.
    SqlMode,
    /// A character set name. `NULL` is allowed for `character_set_results`.
    Charset,
    Collation,
    TimeZone,
    Text,
}

/// The default of a variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    Int(i64),
    Real(f64),
    Text(&'static str),
}

/// One system variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Definition {
    pub name: &'static str,
    pub scope: Scope,
    /// Whether SET works; otherwise MySQL error 1238.
    pub settable: bool,
    pub kind: Kind,
    pub default: Default,
}

const ISOLATION: &[&str] = &["READ-UNCOMMITTED", "READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE"];
const WRITE_LEVELS: &[&str] = &["ONE", "QUORUM", "ALL"];
const READ_LEVELS: &[&str] = &["LOCAL_ONE", "QUORUM", "ALL"];
const AUTO_ID_MODES: &[&str] = &["compact", "extended", "sequential"];
/// MySQL 8.0's default.
const SQL_MODE: &str = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";
const OPTIMIZER_SWITCH: &str =
    "index_merge=on,index_merge_union=on,mrr=on,block_nested_loop=on,semijoin=on,materialization=on,derived_merge=on";

/// What the server says it is. Clients parse the leading digits.
pub const VERSION: &str = "8.0.40-marmot";

const fn var(name: &'static str, scope: Scope, settable: bool, kind: Kind, default: Default) -> Definition {
    Definition { name, scope, settable, kind, default }
}
const fn fixed(name: &'static str, text: &'static str) -> Definition {
    var(name, Scope::Global, false, Kind::Text, Default::Text(text))
}
const fn fixed_int(name: &'static str, n: i64) -> Definition {
    var(name, Scope::Global, false, Kind::Int(i64::MIN, i64::MAX), Default::Int(n))
}
const fn fixed_bool(name: &'static str, on: bool) -> Definition {
    var(name, Scope::Global, false, Kind::Bool, Default::Int(on as i64))
}
const fn int(name: &'static str, n: i64, min: i64, max: i64) -> Definition {
    var(name, Scope::Both, true, Kind::Int(min, max), Default::Int(n))
}
const fn global_int(name: &'static str, n: i64, min: i64, max: i64) -> Definition {
    var(name, Scope::Global, true, Kind::Int(min, max), Default::Int(n))
}
const fn bool(name: &'static str, on: bool) -> Definition {
    var(name, Scope::Both, true, Kind::Bool, Default::Int(on as i64))
}
const fn global_bool(name: &'static str, on: bool) -> Definition {
    var(name, Scope::Global, true, Kind::Bool, Default::Int(on as i64))
}
const fn choice(name: &'static str, of: &'static [&'static str], default: &'static str) -> Definition {
    var(name, Scope::Both, true, Kind::Choice(of), Default::Text(default))
}
const fn charset(name: &'static str) -> Definition {
    var(name, Scope::Both, true, Kind::Charset, Default::Text("utf8mb4"))
}
const fn collation(name: &'static str) -> Definition {
    var(name, Scope::Both, true, Kind::Collation, Default::Text(crate::sql::Collation::DEFAULT))
}
const fn session_int(name: &'static str) -> Definition {
    var(name, Scope::Session, true, Kind::Int(i64::MIN, i64::MAX), Default::Int(0))
}

const BIG: i64 = i64::MAX;

/// All of them, sorted by name (checked by a test), so that a name is found by binary search.
pub const DEFINITIONS: &[Definition] = &[
    fixed_int("admin_port", 33062),
    int("auto_increment_increment", 1, 1, 65_535),
    int("auto_increment_offset", 1, 1, 65_535),
    bool("autocommit", true),
    fixed_int("back_log", 151),
    fixed("basedir", "/usr/"),
    bool("big_tables", false),
    fixed("bind_address", "127.0.0.1"),
    fixed("binlog_format", "ROW"),
    fixed("binlog_row_image", "FULL"),
    int("bulk_insert_buffer_size", 8_388_608, 0, BIG),
    charset("character_set_client"),
    charset("character_set_connection"),
    charset("character_set_database"),
    var("character_set_filesystem", Scope::Both, true, Kind::Charset, Default::Text("binary")),
    charset("character_set_results"),
    charset("character_set_server"),
    fixed("character_set_system", "utf8mb3"),
    fixed("character_sets_dir", "/usr/share/mysql/charsets/"),
    collation("collation_connection"),
    collation("collation_database"),
    collation("collation_server"),
    choice("completion_type", &["NO_CHAIN", "CHAIN", "RELEASE"], "NO_CHAIN"),
    fixed("concurrent_insert", "AUTO"),
    global_int("connect_timeout", 10, 2, 31_536_000),
    fixed("datadir", "./marmot-data/"),
    fixed("default_authentication_plugin", "caching_sha2_password"),
    choice(
        "default_collation_for_utf8mb4",
        &["utf8mb4_0900_ai_ci", "utf8mb4_general_ci"],
        crate::sql::Collation::DEFAULT,
    ),
    var("default_storage_engine", Scope::Both, true, Kind::Engine, Default::Text("InnoDB")),
    var("default_tmp_storage_engine", Scope::Both, true, Kind::Engine, Default::Text("InnoDB")),
    int("default_week_format", 0, 0, 7),
    int("div_precision_increment", 4, 0, 30),
    bool("end_markers_in_json", false),
    int("eq_range_index_dive_limit", 200, 0, BIG),
    var("error_count", Scope::Session, false, Kind::Int(0, BIG), Default::Int(0)),
    global_bool("event_scheduler", false),
    int("expensive_subquery_limit", 100, 0, BIG),
    bool("explicit_defaults_for_timestamp", true),
    bool("foreign_key_checks", true),
    fixed("ft_boolean_syntax", "+ -><()~*:\"\"&|"),
    fixed_int("ft_min_word_len", 4),
    global_bool("general_log", false),
    int("group_concat_max_len", 1024, 4, BIG),
    fixed("gtid_mode", "OFF"),
    fixed("have_compress", "YES"),
    fixed("have_dynamic_loading", "NO"),
    fixed("have_geometry", "NO"),
    fixed("have_openssl", "YES"),
    fixed("have_profiling", "NO"),
    fixed("have_ssl", "YES"),
    fixed("have_symlink", "DISABLED"),
    int("histogram_size", 254, 0, 255),
    choice("histogram_type", &["SINGLE_PREC_HB", "DOUBLE_PREC_HB", "JSON_HB"], "DOUBLE_PREC_HB"),
    fixed("hostname", "localhost"),
    var("identity", Scope::Session, true, Kind::Int(0, BIG), Default::Int(0)),
    int("information_schema_stats_expiry", 86_400, 0, 31_536_000),
    var("init_connect", Scope::Global, false, Kind::Text, Default::Text("")),
    fixed_int("innodb_autoinc_lock_mode", 2),
    fixed_int("innodb_buffer_pool_size", 134_217_728),
    fixed("innodb_default_row_format", "dynamic"),
    fixed_bool("innodb_file_per_table", true),
    fixed_int("innodb_flush_log_at_trx_commit", 1),
    fixed_int("innodb_io_capacity", 200),
    int("innodb_lock_wait_timeout", 50, 1, 1_073_741_824),
    fixed_int("innodb_log_file_size", 50_331_648),
    fixed_int("innodb_log_files_in_group", 2),
    fixed_int("innodb_page_size", 16_384),
    fixed_bool("innodb_read_only", false),
    fixed_bool("innodb_rollback_on_timeout", false),
    bool("innodb_strict_mode", true),
    fixed("innodb_version", "8.0.40"),
    var("insert_id", Scope::Session, false, Kind::Int(0, BIG), Default::Int(0)),
    int("interactive_timeout", 28_800, 1, 31_536_000),
    int("join_buffer_size", 262_144, 128, BIG),
    int("join_cache_level", 2, 0, 8),
    fixed_int("key_buffer_size", 8_388_608),
    fixed_int("key_cache_block_size", 1024),
    fixed_bool("large_files_support", true),
    var("last_insert_id", Scope::Session, true, Kind::Int(0, BIG), Default::Int(0)),
    choice("lc_messages", &["en_US"], "en_US"),
    choice("lc_time_names", &["en_US"], "en_US"),
    fixed("license", "Apache-2.0"),
    global_bool("local_infile", false),
    int("lock_wait_timeout", 31_536_000, 1, 31_536_000),
    fixed_bool("log_bin", false),
    fixed_bool("log_bin_trust_function_creators", true),
    fixed("log_error", "stderr"),
    fixed("log_output", "FILE"),
    global_bool("log_queries_not_using_indexes", false),
    var("long_query_time", Scope::Both, true, Kind::Real(0.0, 31_536_000.0), Default::Real(10.0)),
    bool("low_priority_updates", false),
    fixed_bool("lower_case_file_system", false),
    fixed_int("lower_case_table_names", 0),
    choice("marmot_auto_id_mode", AUTO_ID_MODES, "compact"),
    choice("marmot_collations", CollationRules::NAMES, "portable"),
    fixed_int("marmot_node_id", 0),
    choice("marmot_read_consistency", READ_LEVELS, "LOCAL_ONE"),
    int("marmot_transaction_max_age", 300, 1, 86_400),
    fixed("marmot_version", env!("CARGO_PKG_VERSION")),
    choice("marmot_write_consistency", WRITE_LEVELS, "QUORUM"),
    var("max_allowed_packet", Scope::Global, true, Kind::Int(1024, 1 << 30), Default::Int(67_108_864)),
    global_int("max_connect_errors", 100, 1, BIG),
    global_int("max_connections", 151, 1, 100_000),
    int("max_error_count", 1024, 0, 65_535),
    int("max_execution_time", 0, 0, BIG),
    int("max_heap_table_size", 16_777_216, 16_384, BIG),
    int("max_join_size", BIG, 1, BIG),
    int("max_length_for_sort_data", 4096, 4, 8_388_608),
    global_int("max_prepared_stmt_count", 16_382, 0, 4_194_304),
    int("max_session_mem_used", BIG, 8192, BIG),
    int("max_sort_length", 1024, 4, 8_388_608),
    int("max_sp_recursion_depth", 0, 0, 255),
    int("max_user_connections", 0, 0, BIG),
    int("min_examined_row_limit", 0, 0, BIG),
    int("myisam_sort_buffer_size", 8_388_608, 4096, BIG),
    choice("myisam_stats_method", &["NULLS_UNEQUAL", "NULLS_EQUAL", "NULLS_IGNORED"], "NULLS_UNEQUAL"),
    int("net_buffer_length", 16_384, 1024, 1_048_576),
    int("net_read_timeout", 30, 1, 31_536_000),
    int("net_retry_count", 10, 1, BIG),
    int("net_write_timeout", 60, 1, 31_536_000),
    bool("new", false),
    bool("old_alter_table", false),
    fixed_int("open_files_limit", 10_000),
    int("optimizer_prune_level", 1, 0, 1),
    int("optimizer_search_depth", 62, 0, 62),
    var("optimizer_switch", Scope::Both, true, Kind::Text, Default::Text(OPTIMIZER_SWITCH)),
    int("optimizer_use_condition_selectivity", 4, 1, 5),
    fixed_bool("performance_schema", false),
    fixed("pid_file", ""),
    fixed_int("port", 3306),
    int("preload_buffer_size", 32_768, 1024, 1_073_741_824),
    bool("print_identified_with_as_hex", false),
    bool("profiling", false),
    int("profiling_history_size", 15, 0, 100),
    fixed_int("protocol_version", 10),
    var("pseudo_thread_id", Scope::Session, true, Kind::Int(0, BIG), Default::Int(0)),
    int("query_alloc_block_size", 8192, 1024, BIG),
    int("query_prealloc_size", 8192, 8192, BIG),
    session_int("rand_seed1"),
    session_int("rand_seed2"),
    int("range_optimizer_max_mem_size", 8_388_608, 0, BIG),
    int("read_buffer_size", 131_072, 8192, 2_147_479_552),
    fixed_bool("read_only", false),
    int("read_rnd_buffer_size", 262_144, 1, 2_147_483_647),
    fixed_int("report_port", 3306),
    global_bool("require_secure_transport", false),
    fixed("secure_file_priv", "NULL"),
    fixed_int("server_id", 1),
    fixed("server_uuid", "00000000-0000-0000-0000-000000000000"),
    bool("session_track_schema", true),
    bool("session_track_state_change", false),
    var(
        "session_track_system_variables",
        Scope::Both,
        true,
        Kind::Text,
        Default::Text("time_zone,autocommit,character_set_client,character_set_results,character_set_connection"),
    ),
    fixed_bool("skip_external_locking", true),
    fixed_bool("skip_name_resolve", true),
    fixed_bool("skip_networking", false),
    global_int("slow_launch_time", 2, 0, 31_536_000),
    global_bool("slow_query_log", false),
    fixed("socket", ""),
    int("sort_buffer_size", 262_144, 32_768, BIG),
    bool("sql_auto_is_null", false),
    bool("sql_big_selects", true),
    bool("sql_buffer_result", false),
    bool("sql_generate_invisible_primary_key", false),
    var("sql_log_bin", Scope::Session, true, Kind::Bool, Default::Int(1)),
    bool("sql_log_off", false),
    var("sql_mode", Scope::Both, true, Kind::SqlMode, Default::Text(SQL_MODE)),
    bool("sql_notes", true),
    bool("sql_quote_show_create", true),
    bool("sql_require_primary_key", false),
    bool("sql_safe_updates", false),
    int("sql_select_limit", BIG, 0, BIG),
    bool("sql_warnings", false),
    fixed("ssl_ca", ""),
    fixed("ssl_cert", ""),
    fixed("ssl_key", ""),
    fixed_int("stored_program_cache", 256),
    fixed_bool("super_read_only", false),
    fixed_int("sync_binlog", 1),
    fixed("system_time_zone", "UTC"),
    fixed_int("table_definition_cache", 2000),
    fixed_int("table_open_cache", 4000),
    fixed_int("thread_cache_size", 9),
    fixed_int("thread_stack", 1_048_576),
    var("time_zone", Scope::Both, true, Kind::TimeZone, Default::Text("SYSTEM")),
    var("timestamp", Scope::Session, true, Kind::Real(0.0, 32_536_771_199.0), Default::Real(0.0)),
    fixed("tls_version", "TLSv1.2,TLSv1.3"),
    int("tmp_memory_table_size", 16_777_216, 0, BIG),
    int("tmp_table_size", 16_777_216, 1024, BIG),
    fixed("tmpdir", "/tmp"),
    int("transaction_alloc_block_size", 8192, 1024, 131_072),
    choice("transaction_isolation", ISOLATION, "REPEATABLE-READ"),
    int("transaction_prealloc_size", 4096, 1024, 131_072),
    bool("transaction_read_only", false),
    bool("unique_checks", true),
    bool("updatable_views_with_limit", true),
    choice(
        "use_stat_tables",
        &["NEVER", "COMPLEMENTARY", "PREFERABLY", "COMPLEMENTARY_FOR_QUERIES", "PREFERABLY_FOR_QUERIES"],
        "PREFERABLY_FOR_QUERIES",
    ),
    fixed("version", VERSION),
    fixed("version_comment", "Marmot (Apache-2.0): leaderless distributed SQL on SQLite"),
    fixed("version_compile_machine", std::env::consts::ARCH),
    fixed("version_compile_os", "Linux"),
    fixed_int("version_compile_zlib", 0),
    int("wait_timeout", 28_800, 1, 31_536_000),
    var("warning_count", Scope::Session, false, Kind::Int(0, BIG), Default::Int(0)),
];

/// The place of a variable in [`DEFINITIONS`]; names are case-insensitive.
pub fn position(name: &str) -> Option<usize> {
    let name = name.to_ascii_lowercase();
    DEFINITIONS.binary_search_by(|d| d.name.cmp(name.as_str())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_so_found() {
        let out_of_order: Vec<_> = DEFINITIONS.windows(2).filter(|w| w[0].name >= w[1].name).collect();
        assert!(out_of_order.is_empty(), "{out_of_order:?}");
        assert!(position("SQL_Mode").is_some());
        assert_eq!(position("nonsense"), None);
    }
}
