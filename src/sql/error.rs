//! The one error of this layer: a MySQL error code, its SQLSTATE and its text, ready for the wire.

use std::fmt;

/// What a client is told. Nothing was changed by the statement that got it.
///
/// The numbers and texts are MySQL's (reference manual, "Server Error Message Reference"), so that drivers and
/// applications which match on them keep working.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// MySQL's error number, for instance 1064.
    pub code: u16,
    /// The five characters of the SQLSTATE, for instance `42000`.
    pub state: &'static str,
    /// The text, without number or state.
    pub message: String,
}

/// A note or warning: what `SHOW WARNINGS` lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// `Note` or `Warning`.
    pub level: WarningLevel,
    pub code: u16,
    pub message: String,
}

/// How serious a [`Warning`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningLevel {
    Note,
    Warning,
}

impl fmt::Display for WarningLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WarningLevel::Note => "Note",
            WarningLevel::Warning => "Warning",
        })
    }
}

impl Warning {
    /// A note with the number and text of `error`: what `IF EXISTS` makes of an error.
    pub fn note(error: Error) -> Warning {
        Warning { level: WarningLevel::Note, code: error.code, message: error.message }
    }
    /// A warning with the number and text of `error`: what `IGNORE` and non-strict modes make of an error.
    pub fn of(error: Error) -> Warning {
        Warning { level: WarningLevel::Warning, code: error.code, message: error.message }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ERROR {} ({}): {}", self.code, self.state, self.message)
    }
}

impl std::error::Error for Error {}

/// Builds constructors: name, code, state, and the text with its holes.
macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident($($hole:ident),*) = $code:literal $state:literal $text:literal;)+) => {
        impl Error {
            $($(#[$doc])*
            pub fn $name($($hole: impl fmt::Display),*) -> Error {
                Error { code: $code, state: $state, message: format!($text) }
            })+
        }
    };
}

errors! {
    syntax(near, line) = 1064 "42000" "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the right syntax to use near '{near}' at line {line}";
    empty_query() = 1065 "42000" "Query was empty";
    /// The named feature is MySQL's but not Marmot's (yet).
    unsupported(feature) = 1235 "42000" "This version of Marmot doesn't yet support '{feature}'";
    too_deep() = 1436 "HY000" "Thread stack overrun: the statement is nested too deeply";
    no_database() = 1046 "3D000" "No database selected";
    database_exists(name) = 1007 "HY000" "Can't create database '{name}'; database exists";
    database_missing_on_drop(name) = 1008 "HY000" "Can't drop database '{name}'; database doesn't exist";
    unknown_database(name) = 1049 "42000" "Unknown database '{name}'";
    table_exists(name) = 1050 "42S01" "Table '{name}' already exists";
    unknown_table_on_drop(name) = 1051 "42S02" "Unknown table '{name}'";
    ambiguous_column(name, clause) = 1052 "23000" "Column '{name}' in {clause} is ambiguous";
    unknown_column(name, clause) = 1054 "42S22" "Unknown column '{name}' in '{clause}'";
    wrong_group_field(name) = 1056 "42000" "Can't group on '{name}'";
    duplicate_column(name) = 1060 "42S21" "Duplicate column name '{name}'";
    unusable_reference(name, why) = 1247 "42S22" "Reference '{name}' not supported ({why})";
    duplicate_key_name(name) = 1061 "42000" "Duplicate key name '{name}'";
    wrong_column_specifier(name) = 1063 "42000" "Incorrect column specifier for column '{name}'";
    not_unique_table(name) = 1066 "42000" "Not unique table/alias: '{name}'";
    invalid_default(name) = 1067 "42000" "Invalid default value for '{name}'";
    multiple_primary_keys() = 1068 "42000" "Multiple primary key defined";
    unknown_key_column(name) = 1072 "42000" "Key column '{name}' doesn't exist in table";
    column_too_long(name, max) = 1074 "42000" "Column length too big for column '{name}' (max = {max}); use BLOB or TEXT instead";
    auto_increment_without_key() = 1075 "42000" "Incorrect table definition; there can be only one auto column and it must be defined as a key";
    wrong_field_terminators() = 1083 "42000" "Field separator argument is not what is expected; check the manual";
    too_few_fields(row) = 1261 "01000" "Row {row} doesn't contain data for all columns";
    too_many_fields(row) = 1262 "01000" "Row {row} was truncated; it contained more data than there were input columns";
    secure_file_priv() = 1290 "HY000" "The MySQL server is running with the --secure-file-priv option so it cannot execute this statement";
    wrong_sub_key() = 1089 "HY000" "Incorrect prefix key; the used key part isn't a string, the used length is longer than the key part, or the storage engine doesn't support unique prefix keys";
    cannot_remove_all() = 1090 "42000" "You can't delete all columns with ALTER TABLE; use DROP TABLE instead";
    cannot_drop(name) = 1091 "42000" "Can't DROP '{name}'; check that column/key exists";
    no_tables_used() = 1096 "HY000" "No tables used";
    incorrect_database_name(name) = 1102 "42000" "Incorrect database name '{name}'";
    incorrect_table_name(name) = 1103 "42000" "Incorrect table name '{name}'";
    unknown_table_in(name, clause) = 1109 "42S02" "Unknown table '{name}' in {clause}";
    column_specified_twice(name) = 1110 "42000" "Column '{name}' specified twice";
    invalid_group_function() = 1111 "HY000" "Invalid use of group function";
    invalid_characters(charset, bytes) = 1300 "HY000" "Invalid {charset} character string: '{bytes}'";
    unknown_charset(name) = 1115 "42000" "Unknown character set: '{name}'";
    display_width(column, max) = 1439 "42000" "Display width out of range for column '{column}' (max = {max})";
    illegal_set_value(value) = 1367 "22007" "Illegal set '{value}' value found during parsing";
    generated_value(column, table) = 3105 "HY000" "The value specified for generated column '{column}' in table '{table}' is not allowed.";
    value_count(row) = 1136 "21S01" "Column count doesn't match value count at row {row}";
    not_full_group_by(number, clause, column) = 1055 "42000" "Expression #{number} of {clause} is not in GROUP BY clause and contains nonaggregated column '{column}' which is not functionally dependent on columns in GROUP BY clause; this is incompatible with sql_mode=only_full_group_by";
    mixed_aggregates(number, column) = 1140 "42000" "In aggregated query without GROUP BY, expression #{number} of SELECT list contains nonaggregated column '{column}'; this is incompatible with sql_mode=only_full_group_by";
    distinct_order(number, column) = 3065 "HY000" "Expression #{number} of ORDER BY clause is not in SELECT list, references column '{column}' which is not in SELECT list; this is incompatible with DISTINCT";
    no_such_table(name) = 1146 "42S02" "Table '{name}' doesn't exist";
    incorrect_column_name(name) = 1166 "42000" "Incorrect column name '{name}'";
    blob_key_without_length(name) = 1170 "42000" "BLOB/TEXT column '{name}' used in key specification without a key length";
    primary_cannot_be_null() = 1171 "42000" "All parts of a PRIMARY KEY must be NOT NULL; if you need NULL in a key, use UNIQUE instead";
    unsafe_update() = 1175 "HY000" "You are using safe update mode and you tried to update a table without a WHERE that uses a KEY column. ";
    no_such_key(name, table) = 1176 "42000" "Key '{name}' doesn't exist in table '{table}'";
    wrong_usage(first, second) = 1221 "HY000" "Incorrect usage of {first} and {second}";
    unknown_system_variable(name) = 1193 "HY000" "Unknown system variable '{name}'";
    column_count_of_selects() = 1222 "21000" "The used SELECT statements have a different number of columns";
    operand_columns(count) = 1241 "21000" "Operand should contain {count} column(s)";
    derived_without_alias() = 1248 "42000" "Every derived table must have its own alias";
    unknown_collation(name) = 1273 "HY000" "Unknown collation: '{name}'";
    collation_charset_mismatch(collation, charset) = 1253 "42000" "COLLATION '{collation}' is not valid for CHARACTER SET '{charset}'";
    wrong_name_for_index(name) = 1280 "42000" "Incorrect index name '{name}'";
    column_cannot_be_null(name) = 1048 "23000" "Column '{name}' cannot be null";
    out_of_range(name, row) = 1264 "22003" "Out of range value for column '{name}' at row {row}";
    truncated(name, row) = 1265 "01000" "Data truncated for column '{name}' at row {row}";
    too_long(name, row) = 1406 "22001" "Data too long for column '{name}' at row {row}";
    incorrect_value(kind, value, name, row) = 1366 "HY000" "Incorrect {kind} value: '{value}' for column '{name}' at row {row}";
    incorrect_temporal(kind, value, name, row) = 1292 "22007" "Incorrect {kind} value: '{value}' for column '{name}' at row {row}";
    incorrect_datetime(value) = 1292 "22007" "Incorrect datetime value: '{value}'";
    not_by_pattern(value) = 1411 "HY000" "Incorrect datetime value: '{value}' for function str_to_date";
    truncated_value(kind, value) = 1292 "22007" "Truncated incorrect {kind} value: '{value}'";
    no_default(name) = 1364 "HY000" "Field '{name}' doesn't have a default value";
    duplicate_set_value(name, value, kind) = 1291 "HY000" "Column '{name}' has duplicated value '{value}' in {kind}";
    too_many_strings(name, kind) = 1097 "HY000" "Too many strings for column {name} and {kind}";
    converted_column(name, from, to) = 1246 "HY000" "Converting column '{name}' from {from} to {to}";
    subquery_on_target(name) = 1093 "HY000" "You can't specify target table '{name}' for update in FROM clause";
    parameter_count(name) = 1582 "42000" "Incorrect parameter count in the call to native function '{name}'";
    no_such_function(name) = 1305 "42000" "FUNCTION {name} does not exist";
    division_by_zero() = 1365 "22012" "Division by 0";
    wrong_arguments(name) = 1210 "HY000" "Incorrect arguments to {name}";
    numeric_out_of_range(kind, expression) = 1690 "22003" "{kind} value is out of range in '{expression}'";
    invalid_json(text) = 3140 "22032" "Invalid JSON text: {text}";
    missing_json_table_value(column) = 3665 "22035" "Missing value for JSON_TABLE column '{column}'";
    wrong_json_table_value(column) = 3666 "2203F" "Can't store an array or an object in the scalar JSON_TABLE column '{column}'";
    table_function_without_alias() = 3667 "42000" "Every table function must have an alias.";
    lateral_join_type(name) = 3668 "HY000" "INNER or LEFT JOIN must be used for LATERAL references made by '{name}'";
    json_table_value_out_of_range(column) = 3669 "22003" "Value is out of range for JSON_TABLE's column '{column}'";
    invalid_regexp(text) = 3692 "HY000" "Incorrect description of a regular expression: {text}";
    foreign_key_column(name) = 1072 "42000" "Key column '{name}' doesn't exist in table";
    foreign_key_missing_index(constraint, table) = 1822 "HY000" "Failed to add the foreign key constraint. Missing unique key for constraint '{constraint}' in the referenced table '{table}'";
    foreign_key_in_use(column, constraint) = 1828 "HY000" "Cannot drop column '{column}': needed in a foreign key constraint '{constraint}'";
    foreign_key_parent(table, constraint) = 3730 "HY000" "Cannot drop table '{table}' referenced by a foreign key constraint '{constraint}'";
    foreign_key_duplicate(name) = 1826 "HY000" "Duplicate foreign key constraint name '{name}'";
    check_duplicate(name) = 3822 "HY000" "Duplicate check constraint name '{name}'";
    access_denied_system(name) = 1044 "42000" "Access denied to system database '{name}'";
    bad_display(name, max) = 1439 "42000" "Display width out of range for column '{name}' (max = {max})";
    too_big_precision(given, name, max) = 1426 "42000" "Too-big precision {given} specified for '{name}'. Maximum is {max}.";
    too_big_scale(given, name, max) = 1425 "42000" "Too big scale {given} specified for column '{name}'. Maximum is {max}.";
    scale_above_precision(name) = 1427 "42000" "For float(M,D), double(M,D) or decimal(M,D), M must be >= D (column '{name}').";
    too_many_rows_in_subquery() = 1242 "21000" "Subquery returns more than 1 row";
    identifier_too_long(name) = 1059 "42000" "Identifier name '{name}' is too long";
    not_a_view(database, name) = 1347 "HY000" "'{database}.{name}' is not VIEW";
    not_a_table(database, name) = 1347 "HY000" "'{database}.{name}' is not BASE TABLE";
    invalid_view(database, name) = 1356 "HY000" "View '{database}.{name}' references invalid table(s) or column(s) or function(s) or definer/invoker of view lack rights to use them";
    privilege_needed(list) = 1227 "42000" "Access denied; you need (at least one of) the {list} privilege(s) for this operation";
    database_denied(account, database) = 1044 "42000" "Access denied for user {account} to database '{database}'";
    table_denied(command, account, table) = 1142 "42000" "{command} command denied to user {account} for table '{table}'";
    routine_denied(command, account, routine) = 1370 "42000" "{command} command denied to user {account} for routine '{routine}'";
    access_denied(account) = 1045 "28000" "Access denied for user {account} (using password: YES)";
    account_operation_failed(operation, accounts) = 1396 "HY000" "Operation {operation} failed for {accounts}";
    account_exists(account) = 3163 "HY000" "Authorization ID {account} already exists.";
    account_missing(account) = 3162 "HY000" "Authorization ID {account} does not exist.";
    account_name_too_long(name, what, most) = 1470 "HY000" "String '{name}' is too long for {what} (should be no longer than {most})";
    no_such_account() = 1133 "42000" "Can't find any matching row in the user table";
    no_such_grant(user, host) = 1141 "42000" "There is no such grant defined for user '{user}' on host '{host}'";
    no_such_table_grant(user, host, table) = 1147 "42000" "There is no such grant defined for user '{user}' on host '{host}' on table '{table}'";
    illegal_grant() = 1144 "42000" "Illegal GRANT/REVOKE command; please consult the manual to see which privileges can be used";
    cannot_create_with_grant() = 1410 "42000" "You are not allowed to create a user with GRANT";
    cannot_revoke_all() = 1269 "HY000" "Can't revoke all privileges for one or more of the requested users";
    plugin_not_loaded(name) = 1524 "HY000" "Plugin '{name}' is not loaded";
    password_hash_format() = 1827 "HY000" "The password hash doesn't have the expected format.";
    definer_missing(account) = 1449 "HY000" "The user specified as a definer ({account}) does not exist";
    no_matching_fulltext_index() = 1191 "HY000" "Can't find FULLTEXT index matching the column list";
    not_searchable(name) = 1283 "HY000" "Column '{name}' cannot be part of FULLTEXT index";
    not_updatable(name, verb) = 1288 "HY000" "The target table {name} of the {verb} is not updatable";
    column_not_updatable(name) = 1348 "HY000" "Column '{name}' is not updatable";
    check_on_non_updatable_view(name) = 1368 "HY000" "CHECK OPTION on non-updatable view '{name}'";
    view_check_failed(view) = 1369 "HY000" "CHECK OPTION failed '{view}'";
    join_view_several_tables(view) = 1393 "HY000" "Can not modify more than one base table through a join view '{view}'";
    join_view_without_columns(view) = 1394 "HY000" "Can not insert into join view '{view}' without fields list";
    join_view_delete(view) = 1395 "HY000" "Can not delete from join view '{view}'";
    no_default_for_view(view) = 1423 "HY000" "Field of view '{view}' underlying table doesn't have a default value";
    not_insertable(name) = 1471 "HY000" "The target table {name} of the INSERT is not insertable-into";
    view_recursion(database, name) = 1462 "HY000" "`{database}`.`{name}` contains view recursion";
    no_such_program(kind, name) = 1305 "42000" "{kind} {name} does not exist";
    need_columns() = 1113 "42000" "A table must have at least 1 column";
    window_misuse(name) = 3593 "HY000" "You cannot use the window function '{name}' in this context.";
    grouping_argument() = 3603 "HY000" "Argument of GROUPING function is not in GROUP BY";
    bad_grouping(name) = 1056 "42000" "Can't group on '{name}'";
    malformed_payload(what) = 1105 "HY000" "Malformed {what}";
}
