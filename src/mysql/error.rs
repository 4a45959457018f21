//! The one error type a client sees, and the table of MySQL error codes this server uses.
//!
//! Codes, symbols and SQLSTATEs are those of the MySQL 8.0 error reference; message templates are worded after it, with
//! `{}` for each argument. Clients and ORMs decide by code and SQLSTATE, and some by text, so all three matter.

use std::fmt;

/// An error as the client gets it: an ERR packet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} ({state}): {message}")]
pub struct SqlError {
    /// MySQL's error number.
    pub code: u16,
    pub state: SqlState,
    pub message: String,
}

impl SqlError {
    /// An error with the SQLSTATE that the table gives for `code` (`HY000` if the code is not in it).
    pub fn new(code: u16, message: impl Into<String>) -> SqlError {
        let state = ErrorCode::find(code).map_or(SqlState::GENERAL, |c| c.state);
        SqlError { code, state, message: message.into() }
    }

    /// What we do not build is refused by name: error 1235, SQLSTATE 42000.
    pub fn unsupported(what: impl fmt::Display) -> SqlError {
        NOT_SUPPORTED_YET.with(&[&what])
    }

    /// An internal error the client can do nothing about: 1105.
    pub fn internal(message: impl Into<String>) -> SqlError {
        UNKNOWN_ERROR.message(message)
    }

    /// A packet that does not parse: 1835.
    pub fn malformed() -> SqlError {
        MALFORMED_PACKET.with(&[])
    }
}

/// Five characters of SQLSTATE.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SqlState(pub [u8; 5]);

impl SqlState {
    /// `HY000`: no more specific class.
    pub const GENERAL: SqlState = SqlState(*b"HY000");

    /// The state in `text`, or `HY000` if that is not five ASCII letters and digits.
    pub fn parse(text: &str) -> SqlState {
        match <[u8; 5]>::try_from(text.as_bytes()) {
            Ok(state) if state.iter().all(u8::is_ascii_alphanumeric) => SqlState(state),
            _ => SqlState::GENERAL,
        }
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("HY000")
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An entry of the error table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    pub number: u16,
    pub state: SqlState,
    /// MySQL's symbol without `ER_`, for logs.
    pub symbol: &'static str,
    /// The message, with `{}` for each argument.
    pub template: &'static str,
}

impl ErrorCode {
    /// The entry of that number.
    pub fn find(number: u16) -> Option<&'static ErrorCode> {
        ERRORS.binary_search_by_key(&number, |c| c.number).ok().map(|i| &ERRORS[i])
    }

    /// The error with the template's `{}` replaced in order; missing arguments leave nothing, extra ones are dropped.
    pub fn with(&self, arguments: &[&dyn fmt::Display]) -> SqlError {
        let mut message = String::with_capacity(self.template.len() + 32);
        let mut arguments = arguments.iter();
        for (i, part) in self.template.split("{}").enumerate() {
            if i > 0
                && let Some(argument) = arguments.next()
            {
                message.push_str(&argument.to_string());
            }
            message.push_str(part);
        }
        self.message(message)
    }

    /// The error with a message of the caller's own.
    pub fn message(&self, message: impl Into<String>) -> SqlError {
        SqlError { code: self.number, state: self.state, message: message.into() }
    }
}

macro_rules! errors {
    ($($symbol:ident $number:literal $state:literal $template:literal)+) => {
        $(#[doc = concat!("`", stringify!($number), "` (`", $state, "`): ", $template)]
        pub const $symbol: ErrorCode = ErrorCode {
            number: $number,
            state: SqlState(five($state)),
            symbol: stringify!($symbol),
            template: $template,
        };)+
        /// Every entry, ascending by number.
        pub const ERRORS: &[ErrorCode] = &[$($symbol),+];
    };
}

const fn five(state: &str) -> [u8; 5] {
    let b = state.as_bytes();
    assert!(b.len() == 5, "an SQLSTATE has five characters");
    [b[0], b[1], b[2], b[3], b[4]]
}

errors! {
    CANT_CREATE_TABLE 1005 "HY000" "Can't create table '{}' ({})"
    DB_CREATE_EXISTS 1007 "HY000" "Can't create database '{}'; database exists"
    DB_DROP_EXISTS 1008 "HY000" "Can't drop database '{}'; database doesn't exist"
    CHECKREAD 1020 "HY000" "Record has changed since last read in table '{}'"
    DISK_FULL 1021 "HY000" "Disk full ({}); waiting for someone to free some space..."
    DUP_KEY 1022 "23000" "Can't write; duplicate key in table '{}'"
    ERROR_ON_WRITE 1026 "HY000" "Error writing file '{}'"
    OUTOFMEMORY 1037 "HY001" "Out of memory; restart server and try again (needed {} bytes)"
    CON_COUNT_ERROR 1040 "08004" "Too many connections"
    OUT_OF_RESOURCES 1041 "HY000" "Out of resources: {}"
    HANDSHAKE_ERROR 1043 "08S01" "Bad handshake"
    DBACCESS_DENIED_ERROR 1044 "42000" "Access denied for user '{}'@'{}' to database '{}'"
    ACCESS_DENIED_ERROR 1045 "28000" "Access denied for user '{}'@'{}' (using password: {})"
    NO_DB_ERROR 1046 "3D000" "No database selected"
    UNKNOWN_COM_ERROR 1047 "08S01" "Unknown command"
    BAD_NULL_ERROR 1048 "23000" "Column '{}' cannot be null"
    BAD_DB_ERROR 1049 "42000" "Unknown database '{}'"
    TABLE_EXISTS_ERROR 1050 "42S01" "Table '{}' already exists"
    BAD_TABLE_ERROR 1051 "42S02" "Unknown table '{}'"
    NON_UNIQ_ERROR 1052 "23000" "Column '{}' in {} is ambiguous"
    SERVER_SHUTDOWN 1053 "08S01" "Server shutdown in progress"
    BAD_FIELD_ERROR 1054 "42S22" "Unknown column '{}' in '{}'"
    WRONG_FIELD_WITH_GROUP 1055 "42000" "'{}' isn't in GROUP BY"
    WRONG_GROUP_FIELD 1056 "42000" "Can't group on '{}'"
    WRONG_VALUE_COUNT 1058 "21S01" "Column count doesn't match value count"
    TOO_LONG_IDENT 1059 "42000" "Identifier name '{}' is too long"
    DUP_FIELDNAME 1060 "42S21" "Duplicate column name '{}'"
    DUP_KEYNAME 1061 "42000" "Duplicate key name '{}'"
    DUP_ENTRY 1062 "23000" "Duplicate entry '{}' for key '{}'"
    WRONG_FIELD_SPEC 1063 "42000" "Incorrect column specifier for column '{}'"
    PARSE_ERROR 1064 "42000" "{} near '{}' at line {}"
    EMPTY_QUERY 1065 "42000" "Query was empty"
    NONUNIQ_TABLE 1066 "42000" "Not unique table/alias: '{}'"
    INVALID_DEFAULT 1067 "42000" "Invalid default value for '{}'"
    MULTIPLE_PRI_KEY 1068 "42000" "Multiple primary key defined"
    TOO_MANY_KEYS 1069 "42000" "Too many keys specified; max {} keys allowed"
    TOO_MANY_KEY_PARTS 1070 "42000" "Too many key parts specified; max {} parts allowed"
    TOO_LONG_KEY 1071 "42000" "Specified key was too long; max key length is {} bytes"
    KEY_COLUMN_DOES_NOT_EXIST 1072 "42000" "Key column '{}' doesn't exist in table"
    BLOB_USED_AS_KEY 1073 "42000" "BLOB column '{}' can't be used in key specification with the used table type"
    TOO_BIG_FIELDLENGTH 1074 "42000" "Column length too big for column '{}' (max = {}); use BLOB or TEXT instead"
    WRONG_AUTO_KEY 1075 "42000" "Incorrect table definition; there can be only one auto column and it must be defined as a key"
    WRONG_SUB_KEY 1089 "HY000" "Incorrect prefix key; the used key part isn't a string, the used length is longer than the key part, or the storage engine doesn't support unique prefix keys"
    CANT_REMOVE_ALL_FIELDS 1090 "42000" "You can't delete all columns with ALTER TABLE; use DROP TABLE instead"
    CANT_DROP_FIELD_OR_KEY 1091 "42000" "Can't DROP '{}'; check that column/key exists"
    UPDATE_TABLE_USED 1093 "HY000" "You can't specify target table '{}' for update in FROM clause"
    NO_SUCH_THREAD 1094 "HY000" "Unknown thread id: {}"
    KILL_DENIED_ERROR 1095 "HY000" "You are not owner of thread {}"
    NO_TABLES_USED 1096 "HY000" "No tables used"
    BLOB_CANT_HAVE_DEFAULT 1101 "42000" "BLOB, TEXT, GEOMETRY or JSON column '{}' can't have a default value"
    WRONG_DB_NAME 1102 "42000" "Incorrect database name '{}'"
    WRONG_TABLE_NAME 1103 "42000" "Incorrect table name '{}'"
    TOO_BIG_SELECT 1104 "42000" "The SELECT would examine more than MAX_JOIN_SIZE rows"
    UNKNOWN_ERROR 1105 "HY000" "Unknown error"
    UNKNOWN_PROCEDURE 1106 "42000" "Unknown procedure '{}'"
    UNKNOWN_TABLE 1109 "42S02" "Unknown table '{}' in {}"
    FIELD_SPECIFIED_TWICE 1110 "42000" "Column '{}' specified twice"
    INVALID_GROUP_FUNC_USE 1111 "HY000" "Invalid use of group function"
    TABLE_MUST_HAVE_COLUMNS 1113 "42000" "A table must have at least 1 column"
    RECORD_FILE_FULL 1114 "HY000" "The table '{}' is full"
    UNKNOWN_CHARACTER_SET 1115 "42000" "Unknown character set: '{}'"
    TOO_MANY_TABLES 1116 "HY000" "Too many tables; MySQL can only use {} tables in a join"
    TOO_MANY_FIELDS 1117 "HY000" "Too many columns"
    TOO_BIG_ROWSIZE 1118 "42000" "Row size too large"
    HOST_IS_BLOCKED 1129 "HY000" "Host '{}' is blocked because of many connection errors; unblock with 'FLUSH HOSTS'"
    CANT_CREATE_THREAD 1135 "HY000" "Can't create a new thread (errno {}); if you are not out of available memory, the limits of the operating system for threads or open files are too low"
    WRONG_VALUE_COUNT_ON_ROW 1136 "21S01" "Column count doesn't match value count at row {}"
    INVALID_USE_OF_NULL 1138 "22004" "Invalid use of NULL value"
    REGEXP_ERROR 1139 "42000" "Got error '{}' from regexp"
    MIX_OF_GROUP_FUNC_AND_FIELDS 1140 "42000" "In aggregated query without GROUP BY, expression #{} of SELECT list contains nonaggregated column '{}'"
    TABLEACCESS_DENIED_ERROR 1142 "42000" "{} command denied to user '{}'@'{}' for table '{}'"
    NO_SUCH_TABLE 1146 "42S02" "Table '{}' doesn't exist"
    SYNTAX_ERROR 1149 "42000" "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the right syntax to use"
    NET_PACKET_TOO_LARGE 1153 "08S01" "Got a packet bigger than 'max_allowed_packet' bytes"
    NET_READ_ERROR_FROM_PIPE 1154 "08S01" "Got a read error from the connection pipe"
    NET_PACKETS_OUT_OF_ORDER 1156 "08S01" "Got packets out of order"
    NET_UNCOMPRESS_ERROR 1157 "08S01" "Couldn't uncompress communication packet"
    NET_READ_ERROR 1158 "08S01" "Got an error reading communication packets"
    NET_READ_INTERRUPTED 1159 "08S01" "Got timeout reading communication packets"
    NET_ERROR_ON_WRITE 1160 "08S01" "Got an error writing communication packets"
    NET_WRITE_INTERRUPTED 1161 "08S01" "Got timeout writing communication packets"
    TOO_LONG_STRING 1162 "42000" "Result string is longer than 'max_allowed_packet' bytes"
    WRONG_COLUMN_NAME 1166 "42000" "Incorrect column name '{}'"
    WRONG_KEY_COLUMN 1167 "42000" "The used storage engine can't index column '{}'"
    DUP_UNIQUE 1169 "23000" "Can't write, because of unique constraint, to table '{}'"
    BLOB_KEY_WITHOUT_LENGTH 1170 "42000" "BLOB/TEXT column '{}' used in key specification without a key length"
    PRIMARY_CANT_HAVE_NULL 1171 "42000" "All parts of a PRIMARY KEY must be NOT NULL; if you need NULL in a key, use UNIQUE instead"
    TOO_MANY_ROWS 1172 "42000" "Result consisted of more than one row"
    REQUIRES_PRIMARY_KEY 1173 "42000" "This table type requires a primary key"
    UPDATE_WITHOUT_KEY_IN_SAFE_MODE 1175 "HY000" "You are using safe update mode and you tried to update a table without a WHERE that uses a KEY column. {}"
    KEY_DOES_NOT_EXIST 1176 "42000" "Key '{}' doesn't exist in table '{}'"
    CHECK_NO_SUCH_TABLE 1177 "42000" "Can't open table"
    CANT_DO_THIS_DURING_A_TRANSACTION 1179 "25000" "You are not allowed to execute this command in a transaction"
    ERROR_DURING_COMMIT 1180 "HY000" "Got error {} during COMMIT"
    ERROR_DURING_ROLLBACK 1181 "HY000" "Got error {} during ROLLBACK"
    UNKNOWN_SYSTEM_VARIABLE 1193 "HY000" "Unknown system variable '{}'"
    TRANS_CACHE_FULL 1197 "HY000" "Multi-statement transaction required more than 'max_binlog_cache_size' bytes of storage; increase this mysqld variable and try again"
    TOO_MANY_USER_CONNECTIONS 1203 "42000" "User {} already has more than 'max_user_connections' active connections"
    SET_CONSTANTS_ONLY 1204 "HY000" "You may only use constant expressions with SET"
    LOCK_WAIT_TIMEOUT 1205 "HY000" "Lock wait timeout exceeded; try restarting transaction"
    WRONG_ARGUMENTS 1210 "HY000" "Incorrect arguments to {}"
    LOCK_DEADLOCK 1213 "40001" "Deadlock found when trying to get lock; try restarting transaction"
    TABLE_CANT_HANDLE_FT 1214 "HY000" "The used table type doesn't support FULLTEXT indexes"
    CANNOT_ADD_FOREIGN 1215 "HY000" "Cannot add foreign key constraint"
    NO_REFERENCED_ROW 1216 "23000" "Cannot add or update a child row: a foreign key constraint fails"
    ROW_IS_REFERENCED 1217 "23000" "Cannot delete or update a parent row: a foreign key constraint fails"
    WRONG_USAGE 1221 "HY000" "Incorrect usage of {} and {}"
    WRONG_NUMBER_OF_COLUMNS_IN_SELECT 1222 "21000" "The used SELECT statements have a different number of columns"
    CANT_UPDATE_WITH_READLOCK 1223 "HY000" "Can't execute the query because you have a conflicting read lock"
    DUP_ARGUMENT 1225 "HY000" "Option '{}' used twice in statement"
    SPECIFIC_ACCESS_DENIED_ERROR 1227 "42000" "Access denied; you need (at least one of) the {} privilege(s) for this operation"
    LOCAL_VARIABLE 1228 "HY000" "Variable '{}' is a SESSION variable and can't be used with SET GLOBAL"
    GLOBAL_VARIABLE 1229 "HY000" "Variable '{}' is a GLOBAL variable and should be set with SET GLOBAL"
    NO_DEFAULT 1230 "42000" "Variable '{}' doesn't have a default value"
    WRONG_VALUE_FOR_VAR 1231 "42000" "Variable '{}' can't be set to the value of '{}'"
    WRONG_TYPE_FOR_VAR 1232 "42000" "Incorrect argument type to variable '{}'"
    VAR_CANT_BE_READ 1233 "HY000" "Variable '{}' can only be set, not read"
    CANT_USE_OPTION_HERE 1234 "42000" "Incorrect usage/placement of '{}'"
    NOT_SUPPORTED_YET 1235 "42000" "This version of Marmot doesn't yet support '{}'"
    INCORRECT_GLOBAL_LOCAL_VAR 1238 "HY000" "Variable '{}' is a {} variable"
    WRONG_FK_DEF 1239 "42000" "Incorrect foreign key definition for '{}': {}"
    OPERAND_COLUMNS 1241 "21000" "Operand should contain {} column(s)"
    SUBQUERY_NO_1_ROW 1242 "21000" "Subquery returns more than 1 row"
    UNKNOWN_STMT_HANDLER 1243 "HY000" "Unknown prepared statement handler ({}) given to {}"
    AUTO_CONVERT 1246 "HY000" "Converting column '{}' from {} to {}"
    ILLEGAL_REFERENCE 1247 "42S22" "Reference '{}' not supported ({})"
    DERIVED_MUST_HAVE_ALIAS 1248 "42000" "Every derived table must have its own alias"
    TABLENAME_NOT_ALLOWED_HERE 1250 "42000" "Table '{}' from one of the SELECTs cannot be used in {}"
    NOT_SUPPORTED_AUTH_MODE 1251 "08004" "Client does not support authentication protocol requested by server; consider upgrading MySQL client"
    SPATIAL_CANT_HAVE_NULL 1252 "42000" "All parts of a SPATIAL index must be NOT NULL"
    COLLATION_CHARSET_MISMATCH 1253 "42000" "COLLATION '{}' is not valid for CHARACTER SET '{}'"
    WARN_TOO_FEW_RECORDS 1261 "01000" "Row {} doesn't contain data for all columns"
    WARN_NULL_TO_NOTNULL 1263 "22004" "Column set to default value; NULL supplied to NOT NULL column '{}' at row {}"
    WARN_DATA_OUT_OF_RANGE 1264 "22003" "Out of range value for column '{}' at row {}"
    WARN_DATA_TRUNCATED 1265 "01000" "Data truncated for column '{}' at row {}"
    CANT_AGGREGATE_2COLLATIONS 1267 "HY000" "Illegal mix of collations ({},{}) and ({},{}) for operation '{}'"
    CANT_AGGREGATE_3COLLATIONS 1270 "HY000" "Illegal mix of collations ({},{}), ({},{}), ({},{}) for operation '{}'"
    CANT_AGGREGATE_NCOLLATIONS 1271 "HY000" "Illegal mix of collations for operation '{}'"
    UNKNOWN_COLLATION 1273 "HY000" "Unknown collation: '{}'"
    WRONG_NAME_FOR_INDEX 1280 "42000" "Incorrect index name '{}'"
    WARN_DEPRECATED_SYNTAX 1287 "HY000" "'{}' is deprecated and will be removed in a future release. Please use {} instead"
    NON_UPDATABLE_TABLE 1288 "HY000" "The target table {} of the {} is not updatable"
    FEATURE_DISABLED 1289 "HY000" "The '{}' feature is disabled; you need Marmot built with '{}' to have it working"
    OPTION_PREVENTS_STATEMENT 1290 "HY000" "The server is running with the {} option so it cannot execute this statement"
    DUPLICATED_VALUE_IN_TYPE 1291 "HY000" "Column '{}' has duplicated value '{}' in {}"
    TRUNCATED_WRONG_VALUE 1292 "22007" "Truncated incorrect {} value: '{}'"
    INVALID_ON_UPDATE 1294 "HY000" "Invalid ON UPDATE clause for '{}' column"
    UNSUPPORTED_PS 1295 "HY000" "This command is not supported in the prepared statement protocol yet"
    UNKNOWN_TIME_ZONE 1298 "HY000" "Unknown or incorrect time zone: '{}'"
    INVALID_CHARACTER_STRING 1300 "HY000" "Invalid {} character string: '{}'"
    SP_ALREADY_EXISTS 1304 "42000" "{} {} already exists"
    SP_DOES_NOT_EXIST 1305 "42000" "{} {} does not exist"
    SP_BADSELECT 1312 "0A000" "PROCEDURE {} can't return a result set in the given context"
    QUERY_INTERRUPTED 1317 "70100" "Query execution was interrupted"
    SP_NORETURNEND 1321 "2F005" "FUNCTION {} ended without RETURN"
    SP_CURSOR_ALREADY_OPEN 1325 "24000" "Cursor is already open"
    SP_CURSOR_NOT_OPEN 1326 "24000" "Cursor is not open"
    SP_WRONG_NO_OF_FETCH_ARGS 1328 "HY000" "Incorrect number of FETCH variables"
    SP_FETCH_NO_DATA 1329 "02000" "No data - zero rows fetched, selected, or processed"
    SP_CASE_NOT_FOUND 1339 "20000" "Case not found for CASE statement"
    VIEW_SELECT_DERIVED 1349 "HY000" "View's SELECT contains a subquery in the FROM clause"
    VIEW_INVALID 1356 "HY000" "View '{}' references invalid table(s) or column(s) or function(s) or definer/invoker of view lack rights to use them"
    TRG_ALREADY_EXISTS 1359 "HY000" "Trigger already exists"
    TRG_DOES_NOT_EXIST 1360 "HY000" "Trigger does not exist"
    NO_DEFAULT_FOR_FIELD 1364 "HY000" "Field '{}' doesn't have a default value"
    DIVISION_BY_ZERO 1365 "22012" "Division by 0"
    TRUNCATED_WRONG_VALUE_FOR_FIELD 1366 "HY000" "Incorrect {} value: '{}' for column '{}' at row {}"
    ILLEGAL_VALUE_FOR_TYPE 1367 "22007" "Illegal {} '{}' value found during parsing"
    VIEW_CHECK_FAILED 1369 "HY000" "CHECK OPTION failed '{}'"
    PASSWD_LENGTH 1372 "HY000" "Password hash should be a {}-digit hexadecimal number"
    PS_MANY_PARAM 1390 "HY000" "Prepared statement contains too many placeholders"
    CANNOT_USER 1396 "HY000" "Operation {} failed for {}"
    XAER_NOTA 1397 "XAE04" "XAER_NOTA: Unknown XID"
    DATA_TOO_LONG 1406 "22001" "Data too long for column '{}' at row {}"
    WRONG_VALUE_FOR_TYPE 1411 "HY000" "Incorrect {} value: '{}' for function {}"
    STMT_HAS_NO_OPEN_CURSOR 1421 "HY000" "The statement ({}) has no open cursor"
    COMMIT_NOT_ALLOWED_IN_SF_OR_TRG 1422 "HY000" "Explicit or implicit commit is not allowed in stored function or trigger"
    NO_DEFAULT_FOR_VIEW_FIELD 1423 "HY000" "Field of view '{}' underlying table doesn't have a default value"
    TOO_BIG_SCALE 1425 "42000" "Too big scale {} specified for column '{}'. Maximum is {}"
    TOO_BIG_PRECISION 1426 "42000" "Too-big precision {} specified for '{}'. Maximum is {}"
    M_BIGGER_THAN_D 1427 "42000" "For float(M,D), double(M,D) or decimal(M,D), M must be >= D (column '{}')"
    STACK_OVERRUN_NEED_MORE 1436 "HY000" "Thread stack overrun: stored programs are nested too deeply"
    TOO_BIG_DISPLAYWIDTH 1439 "42000" "Display width out of range for column '{}' (max = {})"
    DATETIME_FUNCTION_OVERFLOW 1441 "22008" "Datetime function: {} field overflow"
    CANT_UPDATE_USED_TABLE_IN_SF_OR_TRG 1442 "HY000" "Can't update table '{}' in stored function/trigger because it is already used by statement which invoked this stored function/trigger."
    ROW_IS_REFERENCED_2 1451 "23000" "Cannot delete or update a parent row: a foreign key constraint fails ({})"
    NO_REFERENCED_ROW_2 1452 "23000" "Cannot add or update a child row: a foreign key constraint fails ({})"
    SP_RECURSION_LIMIT 1456 "HY000" "Recursive limit {} (as set by the max_sp_recursion_depth variable) was exceeded for routine {}"
    MAX_PREPARED_STMT_COUNT_REACHED 1461 "42000" "Can't create more than max_prepared_stmt_count statements (current value: {})"
    NON_GROUPING_FIELD_USED 1463 "42000" "Non-grouping field '{}' is used in {} clause"
    AUTOINC_READ_FAILED 1467 "HY000" "Failed to read auto-increment value from storage engine"
    PLUGIN_IS_NOT_LOADED 1524 "HY000" "Plugin '{}' is not loaded"
    NO_PARTITION_FOR_GIVEN_VALUE 1526 "HY000" "Table has no partition for value {}"
    EVENT_DOES_NOT_EXIST 1539 "HY000" "Unknown event '{}'"
    DROP_INDEX_FK 1553 "HY000" "Cannot drop index '{}': needed in a foreign key constraint"
    WRONG_PARAMCOUNT_TO_NATIVE_FCT 1582 "42000" "Incorrect parameter count in the call to native function '{}'"
    WRONG_PARAMETERS_TO_NATIVE_FCT 1583 "42000" "Incorrect parameters in the call to native function '{}'"
    DUP_ENTRY_WITH_KEY_NAME 1586 "23000" "Duplicate entry '{}' for key '{}'"
    TOO_LONG_TABLE_COMMENT 1628 "HY000" "Comment for table '{}' is too long (max = {})"
    TOO_LONG_FIELD_COMMENT 1629 "HY000" "Comment for field '{}' is too long (max = {})"
    DUP_SIGNAL_SET 1641 "42000" "Duplicate condition information item '{}'"
    SIGNAL_WARN 1642 "01000" "Unhandled user-defined warning condition"
    SIGNAL_NOT_FOUND 1643 "02000" "Unhandled user-defined not found condition"
    SIGNAL_EXCEPTION 1644 "HY000" "Unhandled user-defined exception condition"
    RESIGNAL_WITHOUT_ACTIVE_HANDLER 1645 "0K000" "RESIGNAL when handler not active"
    DATA_OUT_OF_RANGE 1690 "22003" "{} value is out of range in '{}'"
    WRONG_SPVAR_TYPE_IN_LIMIT 1691 "HY000" "A variable of a non-integer based type in LIMIT clause"
    ACCESS_DENIED_NO_PASSWORD_ERROR 1698 "28000" "Access denied for user '{}'@'{}'"
    TRUNCATE_ILLEGAL_FK 1701 "42000" "Cannot truncate a table referenced in a foreign key constraint ({})"
    DA_INVALID_CONDITION_NUMBER 1758 "35000" "Invalid condition number"
    CANT_EXECUTE_IN_READ_ONLY_TRANSACTION 1792 "25006" "Cannot execute statement in a READ ONLY transaction"
    TOO_LONG_TABLE_PARTITION_COMMENT 1793 "HY000" "Comment for table partition '{}' is too long (max = {})"
    INTERNAL_ERROR 1815 "HY000" "Internal error: {}"
    FK_NO_INDEX_PARENT 1822 "HY000" "Failed to add the foreign key constraint. Missing index for constraint '{}' in the referenced table '{}'"
    FK_CANNOT_OPEN_PARENT 1824 "HY000" "Failed to open the referenced table '{}'"
    FK_DUP_NAME 1826 "HY000" "Duplicate foreign key constraint name '{}'"
    FK_COLUMN_CANNOT_DROP 1828 "HY000" "Cannot drop column '{}': needed in a foreign key constraint '{}'"
    FK_COLUMN_NOT_NULL 1830 "HY000" "Column '{}' cannot be NOT NULL: needed in a foreign key constraint '{}' SET NULL"
    DUP_INDEX 1831 "HY000" "Duplicate index '{}' defined on the table '{}'. This is deprecated and will be disallowed in a future release"
    MALFORMED_PACKET 1835 "HY000" "Malformed communication packet"
    READ_ONLY_MODE 1836 "HY000" "Running in read-only mode"
    ALTER_OPERATION_NOT_SUPPORTED 1845 "0A000" "{} is not supported for this operation. Try {}"
    INNODB_READ_ONLY 1874 "HY000" "The database is in read only mode"
    GET_STACKED_DA_WITHOUT_ACTIVE_HANDLER 1887 "0Z002" "GET STACKED DIAGNOSTICS when handler not active"
    STATEMENT_TIMEOUT 1969 "70100" "Query execution was interrupted (max_statement_time exceeded)"
    QUERY_TIMEOUT 3024 "HY000" "Query execution was interrupted, maximum statement execution time exceeded"
    RUN_HOOK_ERROR 3100 "HY000" "Error on observer while running replication hook '{}'"
    NON_DEFAULT_VALUE_FOR_GENERATED_COLUMN 3105 "HY000" "The value specified for generated column '{}' in table '{}' is not allowed"
    UNSUPPORTED_ACTION_ON_GENERATED_COLUMN 3106 "HY000" "'{}' is not supported for generated columns"
    INVALID_JSON_TEXT 3140 "22032" "Invalid JSON text: {} at position {} in value for column '{}'"
    INVALID_JSON_TEXT_IN_PARAM 3141 "22032" "Invalid JSON text in argument {} to function {}: {} at position {}"
    INVALID_JSON_PATH 3143 "42000" "Invalid JSON path expression. The error is around character position {}"
    INVALID_JSON_TYPE_IN_ARG 3146 "22032" "Invalid data type for JSON data in argument {} to function {}; a JSON string or JSON type is required"
    SECURE_TRANSPORT_REQUIRED 3159 "HY000" "Connections using insecure transport are prohibited while --require_secure_transport=ON"
    CHECK_CONSTRAINT_VIOLATED 3819 "HY000" "Check constraint '{}' is violated"
    CHECK_CONSTRAINT_NOT_FOUND 3821 "HY000" "Check constraint '{}' is not found in the table"
    CHECK_CONSTRAINT_DUP_NAME 3822 "HY000" "Duplicate check constraint name '{}'"
    DA_SSL_LIBRARY_ERROR 3888 "HY000" "Failed to set up SSL because of the following SSL library error: {}"
    CONSTRAINT_NOT_FOUND 3940 "HY000" "Constraint '{}' does not exist"
    CLIENT_INTERACTION_TIMEOUT 4031 "HY000" "The client was disconnected by the server because of inactivity. See wait_timeout and interactive_timeout for configuring this behavior"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_lookup_finds_every_entry() {
        for pair in ERRORS.windows(2) {
            assert!(pair[0].number < pair[1].number, "{} before {}", pair[0].symbol, pair[1].symbol);
        }
        for code in ERRORS {
            assert_eq!(ErrorCode::find(code.number), Some(code));
        }
        assert_eq!(ErrorCode::find(9), None);
    }

    #[test]
    fn arguments_fill_the_template_in_order() {
        let error = DUP_ENTRY.with(&[&7, &"t.PRIMARY"]);
        assert_eq!(error.message, "Duplicate entry '7' for key 't.PRIMARY'");
        assert_eq!((error.code, error.state.as_str()), (1062, "23000"));
        assert_eq!(BAD_DB_ERROR.with(&[]).message, "Unknown database ''");
        assert_eq!(BAD_DB_ERROR.with(&[&"{}", &"x"]).message, "Unknown database '{}'");
    }

    #[test]
    fn an_error_by_number_gets_its_state() {
        assert_eq!(SqlError::new(1213, "x").state.as_str(), "40001");
        assert_eq!(SqlError::new(9999, "x").state, SqlState::GENERAL);
        assert_eq!(SqlState::parse("42S02").as_str(), "42S02");
        assert_eq!(SqlState::parse("4'\n02"), SqlState::GENERAL);
    }

    #[test]
    fn the_codes_other_layers_count_on_are_there() {
        let needed = [
            1040, 1044, 1045, 1046, 1047, 1048, 1049, 1050, 1051, 1052, 1054, 1060, 1061, 1062, 1064, 1065, 1066, 1068,
            1091, 1093, 1105, 1109, 1111, 1113, 1114, 1136, 1138, 1146, 1149, 1153, 1158, 1159, 1161, 1166, 1171, 1172,
            1193, 1197, 1205, 1210, 1213, 1231, 1232, 1235, 1238, 1264, 1265, 1270, 1290, 1292, 1295, 1305, 1317, 1360,
            1364, 1365, 1366, 1396, 1406, 1411, 1451, 1452, 1526, 1553, 1582, 1629, 1690, 1792, 1815, 1835, 1836, 1969,
            3024, 3100, 3819,
        ];
        for code in needed {
            assert!(ErrorCode::find(code).is_some(), "{code}");
        }
    }
}
