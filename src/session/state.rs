//! What a session remembers between statements, apart from its SQLite connections and its transaction; and how a
//! statement asks for it ([`Environment`]).

use super::diagnostics::Diagnostics;
use super::variables::{Globals, VariableError, Variables, Which, charset, offset_minutes};
use crate::mysql::{Encode, SqlError, SqlState};
use crate::sql::{self, Environment, Modes, VariableScope, Wanted};
use crate::types::{AccountName, AutoIdMode, DatabaseName, ReadLevel, Span, Value, Wall, WriteLevel};
use encoding_rs::Encoding;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Session variables that steer execution, in typed form; recomputed after every SET.
#[derive(Clone, Debug)]
pub struct Settings {
    pub autocommit: bool,
    pub modes: Modes,
    pub write: WriteLevel,
    pub read: ReadLevel,
    pub lock_wait: Span,
    pub auto_ids: AutoIdMode,
    pub read_only: bool,
    pub foreign_keys: bool,
    /// The storage engine of tables that name none, and of temporary ones.
    pub engines: (&'static str, &'static str),
    /// Collation number of text in results.
    pub charset: u16,
    /// What the client writes and reads, where it is not UTF-8.
    pub client: Option<&'static Encoding>,
    pub results: Option<&'static Encoding>,
    pub max_errors: usize,
    pub max_age: Span,
    /// Longest SELECT; zero: no limit.
    pub max_execution: Span,
    /// `sql_select_limit`: the most rows of a SELECT without LIMIT.
    pub select_limit: u64,
    /// A statement that takes longer is slow.
    pub long_query: Span,
    zone: Zone,
    /// `SET timestamp`: what NOW() is, in microseconds since the epoch.
    pinned_time: Option<i64>,
}

#[derive(Clone, Debug)]
enum Zone {
    Fixed(i32),
    Named(jiff::tz::TimeZone),
}

impl Settings {
    fn of(variables: &Variables) -> Settings {
        let int = |name| match variables.own(name) {
            Value::Int(i) => *i,
            _ => 0,
        };
        let text = |name| match variables.own(name) {
            Value::Text(t) => t.clone(),
            _ => "".into(),
        };
        let span = |name| Span::from_secs(u64::try_from(int(name)).unwrap_or(0));
        let zone = text("time_zone");
        let zone = match offset_minutes(&zone) {
            Some(minutes) => Zone::Fixed(minutes * 60),
            // SYSTEM is UTC on every node, so that the same text means the same moment everywhere.
            None if zone.eq_ignore_ascii_case("SYSTEM") => Zone::Fixed(0),
            None => jiff::tz::TimeZone::get(&zone).map_or(Zone::Fixed(0), Zone::Named),
        };
        let pinned_time = match variables.own("timestamp") {
            Value::Real(x) if x.0 > 0.0 => Some((x.0 * 1e6) as i64),
            _ => None,
        };
        // Texts in results have the connection's collation, or the default one of what the client reads.
        let connection = charset::collation(&text("collation_connection"));
        let reads = text("character_set_results");
        let results = connection.filter(|c| *c.charset == *reads).or_else(|| charset::default_collation(&reads));
        let engine = |name| crate::sql::storage_engine(&text(name)).unwrap_or("InnoDB");
        Settings {
            autocommit: int("autocommit") != 0,
            // The variable holds only checked values; an impossible one would mean MySQL's default.
            modes: Modes::parse(&text("sql_mode"))
                .unwrap_or_default()
                .with_division_scale(u8::try_from(int("div_precision_increment")).unwrap_or(4))
                .with_collations(text("marmot_collations").parse().unwrap_or_default())
                .with_safe_updates(int("sql_safe_updates") != 0),
            write: text("marmot_write_consistency").parse().unwrap_or_default(),
            read: text("marmot_read_consistency").parse().unwrap_or_default(),
            lock_wait: span("innodb_lock_wait_timeout"),
            auto_ids: text("marmot_auto_id_mode").parse().unwrap_or_default(),
            read_only: int("transaction_read_only") != 0,
            foreign_keys: int("foreign_key_checks") != 0,
            engines: (engine("default_storage_engine"), engine("default_tmp_storage_engine")),
            charset: results.or(connection).map_or(crate::mysql::collation::UTF8MB4_GENERAL_CI, |c| c.id),
            client: sql::encoding::encoding(&text("character_set_client")),
            results: sql::encoding::encoding(&reads),
            max_errors: usize::try_from(int("max_error_count")).unwrap_or(0),
            max_age: span("marmot_transaction_max_age"),
            max_execution: Span::from_millis(u64::try_from(int("max_execution_time")).unwrap_or(0)),
            select_limit: u64::try_from(int("sql_select_limit")).unwrap_or(u64::MAX),
            long_query: match variables.own("long_query_time") {
                Value::Real(seconds) => Span((seconds.0 * 1e9) as u64),
                _ => Span::ZERO,
            },
            zone,
            pinned_time,
        }
    }

    /// How texts go out to the client.
    pub fn encode(&self) -> Option<Encode> {
        let encoding = self.results?;
        Some(Arc::new(move |text: &str| sql::encoding::encode(encoding, text)))
    }

    /// Seconds east of UTC at a moment given in microseconds since the epoch.
    pub fn utc_offset(&self, micros: i64) -> i32 {
        match &self.zone {
            Zone::Fixed(seconds) => *seconds,
            Zone::Named(zone) => jiff::Timestamp::from_microsecond(micros).map_or(0, |t| zone.to_offset(t).seconds()),
        }
    }
}

/// A session's memory.
#[derive(Clone, Debug)]
pub struct State {
    pub connection_id: u64,
    /// As the client gave them.
    pub user: String,
    pub host: String,
    /// The account that the client is.
    pub account: AccountName,
    /// With whose rights the stored programs run that do, innermost last.
    pub acting: Vec<AccountName>,
    /// CLIENT_FOUND_ROWS: UPDATE counts matched rows.
    pub found_rows_wanted: bool,
    pub multi_statements: bool,
    pub interactive: bool,
    /// CLIENT_LOCAL_FILES: the client may be asked for files.
    pub local_files: bool,
    pub database: Option<DatabaseName>,
    pub variables: Variables,
    /// A variable may have another value than the client was told of.
    pub variables_changed: bool,
    pub settings: Settings,
    pub user_variables: BTreeMap<String, Value>,
    pub diagnostics: Diagnostics,
    /// `ROW_COUNT()`: -1 after a statement that returned rows or failed.
    pub row_count: i64,
    pub found_rows: u64,
    pub last_insert_id: u64,
    /// The client takes several results of one statement.
    pub multi_results: bool,
    /// The moment the running statement began, in microseconds since the epoch.
    pub micros: i64,
}

impl State {
    pub fn new(globals: Arc<Globals>) -> State {
        let variables = Variables::new(globals);
        let settings = Settings::of(&variables);
        State {
            connection_id: 0,
            user: String::new(),
            host: String::new(),
            account: AccountName::default(),
            acting: Vec::new(),
            found_rows_wanted: false,
            multi_statements: false,
            interactive: false,
            local_files: false,
            database: None,
            variables,
            variables_changed: false,
            settings,
            user_variables: BTreeMap::new(),
            diagnostics: Diagnostics::default(),
            row_count: 0,
            found_rows: 0,
            last_insert_id: 0,
            multi_results: false,
            micros: 0,
        }
    }

    /// Forgets everything but who is connected and which database is current (COM_RESET_CONNECTION).
    pub fn reset(&mut self) {
        self.variables.reset();
        self.variables_changed = true;
        self.settings = Settings::of(&self.variables);
        self.user_variables.clear();
        self.diagnostics = Diagnostics::default();
        self.row_count = 0;
        self.found_rows = 0;
        self.last_insert_id = 0;
    }

    /// With whose rights statements run.
    pub fn current_account(&self) -> &AccountName {
        self.acting.last().unwrap_or(&self.account)
    }

    /// To be called after variables changed.
    pub fn refresh(&mut self) {
        self.variables_changed = true;
        self.settings = Settings::of(&self.variables);
    }

    /// A statement begins.
    pub fn start_statement(&mut self, wall: Wall) {
        let now = i64::try_from(wall.0).unwrap_or(i64::MAX / 1000).saturating_mul(1000);
        self.micros = self.settings.pinned_time.unwrap_or(now);
    }

    fn now_text(&self, fsp: u8, offset: i32) -> Value {
        Value::text(moment(self.micros, offset, fsp))
    }

    /// The value of a system variable, computed ones included.
    pub fn system(&self, which: Which, name: &str) -> Result<Value, VariableError> {
        let count = |n: usize| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        let unsigned = |n: u64| Value::Int(n.cast_signed());
        if which == Which::Global {
            return self.variables.get(name, which);
        }
        match name.to_ascii_lowercase().as_str() {
            "last_insert_id" | "identity" => Ok(unsigned(self.last_insert_id)),
            "warning_count" => Ok(count(self.diagnostics.warning_count())),
            "error_count" => Ok(count(self.diagnostics.error_count())),
            "pseudo_thread_id" => Ok(unsigned(self.connection_id)),
            "timestamp" => Ok(Value::real(self.micros as f64 / 1e6)),
            name => self.variables.get(name, which),
        }
    }
}

/// A moment as `YYYY-MM-DD HH:MM:SS[.f]`, `offset` seconds east of UTC.
pub fn moment(micros: i64, offset: i32, fsp: u8) -> String {
    let shifted = micros.saturating_add(i64::from(offset) * 1_000_000);
    let Ok(stamp) = jiff::Timestamp::from_microsecond(shifted) else { return "9999-12-31 23:59:59".to_string() };
    let whole = stamp.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let digits = format!("{:06}", shifted.rem_euclid(1_000_000));
    match usize::from(fsp.min(6)) {
        0 => whole,
        n => format!("{whole}.{}", &digits[..n]),
    }
}

/// The scope of a variable as the translator says it.
pub fn which(scope: VariableScope) -> Which {
    match scope {
        VariableScope::Session => Which::Session,
        VariableScope::Global | VariableScope::Persist => Which::Global,
        VariableScope::Unspecified => Which::Either,
    }
}

impl Environment for State {
    fn value(&self, wanted: &Wanted) -> Result<Value, sql::Error> {
        Ok(match wanted {
            Wanted::Now(fsp) => self.now_text(*fsp, self.settings.utc_offset(self.micros)),
            Wanted::UtcNow(fsp) => self.now_text(*fsp, 0),
            Wanted::User(name) => self.user_variables.get(name).cloned().unwrap_or_default(),
            Wanted::System(scope, name) => self.system(which(*scope), name).map_err(|e| {
                let (code, state) = e.code();
                sql::Error { code, state, message: e.to_string() }
            })?,
            Wanted::Database => self.database.clone().map_or(Value::Null, Value::Text),
            Wanted::ClientUser => Value::text(format!("{}@{}", self.user, self.host)),
            Wanted::CurrentUser => Value::text(self.current_account().plain()),
            Wanted::Version => Value::text(super::variables::VERSION),
            Wanted::ConnectionId => Value::Int(self.connection_id.cast_signed()),
            Wanted::LastInsertId => Value::Int(self.last_insert_id.cast_signed()),
            Wanted::RowCount => Value::Int(self.row_count),
            Wanted::FoundRows => Value::Int(self.found_rows.cast_signed()),
        })
    }
}

impl From<VariableError> for SqlError {
    fn from(e: VariableError) -> SqlError {
        let (code, state) = e.code();
        SqlError { code, state: SqlState::parse(state), message: e.to_string() }
    }
}

/// The translator's errors are MySQL's already.
impl From<sql::Error> for SqlError {
    fn from(e: sql::Error) -> SqlError {
        SqlError { code: e.code, state: SqlState::parse(e.state), message: e.message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_in_the_session_time_zone() {
        assert_eq!(moment(1_700_000_000_123_456, 0, 0), "2023-11-14 22:13:20");
        assert_eq!(moment(1_700_000_000_123_456, 7200, 3), "2023-11-15 00:13:20.123");
        let mut state = State::new(Arc::new(Globals::new(&[]).expect("defaults")));
        state.start_statement(Wall(1_700_000_000_123));
        state.variables.set("time_zone", Which::Session, Some(&"-01:00".into())).expect("an offset");
        state.refresh();
        assert_eq!(state.value(&Wanted::Now(6)), Ok("2023-11-14 21:13:20.123000".into()));
        assert_eq!(state.value(&Wanted::UtcNow(0)), Ok("2023-11-14 22:13:20".into()));
        state.variables.set("timestamp", Which::Session, Some(&Value::Int(1))).expect("a time");
        state.refresh();
        state.start_statement(Wall(1_700_000_000_123));
        assert_eq!(state.value(&Wanted::UtcNow(0)), Ok("1970-01-01 00:00:01".into()));
    }

    #[test]
    fn unknown_variables_are_error_1193() {
        let state = State::new(Arc::new(Globals::new(&[]).expect("defaults")));
        let asked = state.value(&Wanted::System(VariableScope::Unspecified, "nope".into()));
        assert_eq!(asked.map_err(|e| e.code), Err(1193));
        assert_eq!(state.value(&Wanted::User("unset".into())), Ok(Value::Null));
    }
}
