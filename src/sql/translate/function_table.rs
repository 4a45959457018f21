//! MySQL's plain functions: how each is called in SQLite, and the type of its result. What needs more than this is in
//! `function`, `aggregate`, `temporal_call` and `json_call`.

/// How the type of a result follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    Int,
    Unsigned,
    Double,
    /// DOUBLE shown with six decimals.
    SixDecimals,
    Boolean,
    Text,
    Blob,
    Date,
    Time,
    /// With as many fraction digits as the first argument.
    DateTime,
    Json,
    /// Text or BLOB, as the first argument.
    String,
    /// A number of the first argument's type.
    Number,
}

/// One function.
pub struct Entry {
    pub name: &'static str,
    pub least: usize,
    pub most: usize,
    /// The call: `{0}` is the first argument, `{*}` all of them.
    pub call: &'static str,
    pub returns: Returns,
}

const MANY: usize = usize::MAX;

macro_rules! entries {
    ($($name:literal $least:tt $most:tt $call:literal $returns:ident;)+) => {
        const ENTRIES: &[Entry] = &[
            $(Entry { name: $name, least: $least, most: $most, call: $call, returns: Returns::$returns }),+
        ];
    };
}

/// Functions whose arguments are strings: numbers among them become text with all the decimals of their type.
const OF_TEXT: &[&str] = &[
    "CONCAT",
    "CONCAT_WS",
    "LENGTH",
    "OCTET_LENGTH",
    "LENGTHB",
    "BIT_LENGTH",
    "CHAR_LENGTH",
    "CHARACTER_LENGTH",
    "UPPER",
    "UCASE",
    "LOWER",
    "LCASE",
    "SUBSTRING",
    "SUBSTR",
    "MID",
    "LEFT",
    "RIGHT",
    "LTRIM",
    "RTRIM",
    "REPLACE",
    "LPAD",
    "RPAD",
    "REPEAT",
    "REVERSE",
    "FIND_IN_SET",
    "ASCII",
    "ORD",
    "INSERT",
    "SUBSTRING_INDEX",
    "STRCMP",
    "QUOTE",
    "SOUNDEX",
    "TO_BASE64",
    "MD5",
    "SHA",
    "SHA1",
    "SHA2",
    "CRC32",
    "CRC32C",
    "COMPRESS",
    "REGEXP_REPLACE",
    "REGEXP_SUBSTR",
    "REGEXP_INSTR",
    "REGEXP_LIKE",
    "ELT",
];
/// Functions whose result is binary if an argument is, and that carry bytes through.
const CARRIES_BYTES: &[&str] = &["CONCAT", "CONCAT_WS", "ELT", "LTRIM", "RTRIM", "REPEAT"];

/// Functions of dates: a TIME among their arguments is one of today.
const OF_DATES: &[&str] = &[
    "DATE",
    "DATEDIFF",
    "DATE_FORMAT",
    "DAY",
    "DAYNAME",
    "DAYOFMONTH",
    "DAYOFWEEK",
    "DAYOFYEAR",
    "LAST_DAY",
    "MONTH",
    "MONTHNAME",
    "QUARTER",
    "TO_DAYS",
    "TO_SECONDS",
    "WEEK",
    "WEEKDAY",
    "WEEKOFYEAR",
    "YEAR",
    "YEARWEEK",
];

/// Functions of numbers: of the first argument, and of all.
const OF_A_NUMBER: &[&str] = &[
    "ABS",
    "ACOS",
    "ASIN",
    "BIT_COUNT",
    "COS",
    "COT",
    "DEGREES",
    "EXP",
    "FORMAT",
    "FROM_DAYS",
    "FROM_UNIXTIME",
    "INET_NTOA",
    "LN",
    "LOG10",
    "LOG2",
    "RADIANS",
    "SEC_TO_TIME",
    "SIGN",
    "SIN",
    "SPACE",
    "SQRT",
    "TAN",
];
const OF_NUMBERS: &[&str] = &[
    "#CHAR_USING",
    "ATAN",
    "ATAN2",
    "CHAR",
    "CHR",
    "INTERVAL",
    "LOG",
    "MAKEDATE",
    "PERIOD_ADD",
    "PERIOD_DIFF",
    "POW",
    "POWER",
];

impl Entry {
    /// Whether an argument is wanted as a number: a hexadecimal literal there is one, and so is a date.
    pub fn takes_number(&self, place: usize) -> bool {
        place == 0 && OF_A_NUMBER.contains(&self.name) || OF_NUMBERS.contains(&self.name)
    }
    pub fn takes_date(&self) -> bool {
        OF_DATES.contains(&self.name)
    }
    pub fn takes_text(&self) -> bool {
        OF_TEXT.contains(&self.name)
    }
    pub fn carries_bytes(&self) -> bool {
        CARRIES_BYTES.contains(&self.name)
    }
}

/// The entry for a call of `name` (upper case) with `count` arguments. `Err`: the function exists, but not so.
pub fn find(name: &str, count: usize) -> Result<Option<&'static Entry>, ()> {
    let mut known = false;
    for entry in ENTRIES.iter().filter(|e| e.name == name) {
        known = true;
        if (entry.least..=entry.most).contains(&count) {
            return Ok(Some(entry));
        }
    }
    if known { Err(()) } else { Ok(None) }
}

entries! {
    // Strings
    "CONCAT" 1 MANY "marmot_concat({*})" Text;
    "CONCAT_WS" 2 MANY "marmot_concat_ws({*})" Text;
    "SLEEP" 1 1 "marmot_sleep({0})" Int;
    "LENGTH" 1 1 "octet_length({0})" Int;
    "OCTET_LENGTH" 1 1 "octet_length({0})" Int;
    "BIT_LENGTH" 1 1 "(octet_length({0}) * 8)" Int;
    "CHAR_LENGTH" 1 1 "marmot_char_length({0})" Int;
    "CHARACTER_LENGTH" 1 1 "marmot_char_length({0})" Int;
    "UPPER" 1 1 "marmot_upper({0})" Text;
    "UCASE" 1 1 "marmot_upper({0})" Text;
    "LOWER" 1 1 "marmot_lower({0})" Text;
    "LCASE" 1 1 "marmot_lower({0})" Text;
    "SUBSTRING" 2 3 "marmot_substring({*})" String;
    "SUBSTR" 2 3 "marmot_substring({*})" String;
    "MID" 3 3 "marmot_substring({*})" String;
    "LEFT" 2 2 "marmot_left({*})" String;
    "RIGHT" 2 2 "marmot_right({*})" String;
    "LTRIM" 1 1 "ltrim({0}, ' ')" Text;
    "RTRIM" 1 1 "rtrim({0}, ' ')" Text;
    "REPLACE" 3 3 "replace({*})" Text;
    "LPAD" 2 3 "marmot_lpad({*})" Text;
    "RPAD" 2 3 "marmot_rpad({*})" Text;
    "REPEAT" 2 2 "marmot_repeat({*})" Text;
    "REVERSE" 1 1 "marmot_reverse({0})" String;
    "SPACE" 1 1 "marmot_space({0})" Text;
    "FIELD" 2 MANY "marmot_field({*})" Int;
    "FIND_IN_SET" 2 2 "marmot_find_in_set({*})" Int;
    "ELT" 2 MANY "marmot_elt({*})" Text;
    "FORMAT" 2 3 "marmot_format({*})" Text;
    "HEX" 1 1 "marmot_hex({0})" Text;
    "UNHEX" 1 1 "marmot_unhex({0})" Blob;
    "LOAD_FILE" 1 1 "marmot_load_file({0})" Blob;
    "ASCII" 1 1 "marmot_ascii({0})" Int;
    "ORD" 1 1 "marmot_ord({0})" Int;
    "CHAR" 1 MANY "marmot_char({*})" Blob;
    // GET_LOCK() is refused, so that nobody ever holds such a lock.
    "RELEASE_LOCK" 1 1 "iif({0} IS NULL, NULL, NULL)" Int;
    "IS_USED_LOCK" 1 1 "iif({0} IS NULL, NULL, NULL)" Int;
    "IS_FREE_LOCK" 1 1 "iif({0} IS NULL, NULL, 1)" Int;
    "RELEASE_ALL_LOCKS" 0 0 "0" Int;
    "#CHAR_USING" 1 MANY "marmot_char_using({*})" Text;
    "INSERT" 4 4 "marmot_insert({*})" Text;
    "SUBSTRING_INDEX" 3 3 "marmot_substring_index({*})" Text;
    "STRCMP" 2 2 "marmot_strcmp({*})" Int;
    "QUOTE" 1 1 "marmot_quote({0})" Text;
    "SOUNDEX" 1 1 "marmot_soundex({0})" Text;
    "TO_BASE64" 1 1 "marmot_to_base64({0})" Text;
    "FROM_BASE64" 1 1 "marmot_from_base64({0})" Blob;
    "CONV" 3 3 "marmot_conv({*})" Text;
    "BIN" 1 1 "marmot_bin({0})" Text;
    "OCT" 1 1 "marmot_oct({0})" Text;
    "MAKE_SET" 2 MANY "marmot_make_set({*})" Text;
    "EXPORT_SET" 3 5 "marmot_export_set({*})" Text;
    "REGEXP_LIKE" 2 2 "marmot_regexp({0}, {1}, '')" Boolean;
    "REGEXP_LIKE" 3 3 "marmot_regexp({*})" Boolean;
    "REGEXP_REPLACE" 3 6 "marmot_regexp_replace({*})" Text;
    "REGEXP_SUBSTR" 2 5 "marmot_regexp_substr({*})" Text;
    "REGEXP_INSTR" 2 6 "marmot_regexp_instr({*})" Int;
    "MD5" 1 1 "marmot_md5({0})" Text;
    "SHA" 1 1 "marmot_sha1({0})" Text;
    "SHA1" 1 1 "marmot_sha1({0})" Text;
    "SHA2" 2 2 "marmot_sha2({*})" Text;
    "CRC32" 1 2 "marmot_crc32({*})" Unsigned;
    "CRC32C" 1 2 "marmot_crc32c({*})" Unsigned;
    "COMPRESS" 1 1 "marmot_compress({0})" Blob;
    "UNCOMPRESS" 1 1 "marmot_uncompress({0})" Blob;
    "UNCOMPRESSED_LENGTH" 1 1 "marmot_uncompressed_length({0})" Int;
    "LENGTHB" 1 1 "octet_length({0})" Int;
    "CHR" 1 1 "marmot_char_using({0})" Text;
    // Numbers
    "ABS" 1 1 "marmot_abs({0})" Number;
    "SIGN" 1 1 "marmot_sign({0})" Int;
    "SQRT" 1 1 "marmot_sqrt({0})" Double;
    "EXP" 1 1 "marmot_exp({0})" Double;
    "LN" 1 1 "marmot_ln({0})" Double;
    "LOG" 1 1 "marmot_ln({0})" Double;
    "LOG" 2 2 "marmot_log({*})" Double;
    "LOG2" 1 1 "marmot_log2({0})" Double;
    "LOG10" 1 1 "marmot_log10({0})" Double;
    "POW" 2 2 "marmot_pow({*})" Double;
    "POWER" 2 2 "marmot_pow({*})" Double;
    "SIN" 1 1 "marmot_sin({0})" Double;
    "COS" 1 1 "marmot_cos({0})" Double;
    "TAN" 1 1 "marmot_tan({0})" Double;
    "COT" 1 1 "marmot_cot({0})" Double;
    "ASIN" 1 1 "marmot_asin({0})" Double;
    "ACOS" 1 1 "marmot_acos({0})" Double;
    "ATAN" 1 2 "marmot_atan({*})" Double;
    "ATAN2" 2 2 "marmot_atan({*})" Double;
    "RADIANS" 1 1 "marmot_radians({0})" Double;
    "DEGREES" 1 1 "marmot_degrees({0})" Double;
    "PI" 0 0 "marmot_pi()" SixDecimals;
    "RAND" 0 0 "marmot_rand()" Double;
    "INTERVAL" 2 MANY "marmot_interval({*})" Int;
    "BIT_COUNT" 1 1 "marmot_bit_count({0})" Int;
    // Dates and times
    "DATE" 1 1 "marmot_date({0})" Date;
    "TO_DAYS" 1 1 "marmot_to_days({0})" Int;
    "FROM_DAYS" 1 1 "marmot_from_days({0})" Date;
    "TO_SECONDS" 1 1 "marmot_to_seconds({0})" Int;
    "TIME_TO_SEC" 1 1 "marmot_time_to_sec({0})" Int;
    "SEC_TO_TIME" 1 1 "marmot_sec_to_time({0})" Time;
    "MAKEDATE" 2 2 "marmot_makedate({*})" Date;
    "MAKETIME" 3 3 "marmot_maketime({*})" Time;
    "PERIOD_ADD" 2 2 "marmot_period_add({*})" Int;
    "PERIOD_DIFF" 2 2 "marmot_period_diff({*})" Int;
    "LAST_DAY" 1 1 "marmot_last_day({0})" Date;
    "DATEDIFF" 2 2 "marmot_datediff({*})" Int;
    "DATE_FORMAT" 2 2 "marmot_date_format({*})" Text;
    "TIME_FORMAT" 2 2 "marmot_time_format({*})" Text;
    "DAYNAME" 1 1 "marmot_dayname({0})" Text;
    "MONTHNAME" 1 1 "marmot_monthname({0})" Text;
    "DAYOFWEEK" 1 1 "marmot_dayofweek({0})" Int;
    "WEEKDAY" 1 1 "marmot_weekday({0})" Int;
    "DAYOFYEAR" 1 1 "marmot_dayofyear({0})" Int;
    "WEEK" 1 1 "marmot_week({0}, 0)" Int;
    "WEEK" 2 2 "marmot_week({*})" Int;
    "WEEKOFYEAR" 1 1 "marmot_week({0}, 3)" Int;
    "YEARWEEK" 1 1 "marmot_yearweek({0}, 0)" Int;
    "YEARWEEK" 2 2 "marmot_yearweek({*})" Int;
    "YEAR" 1 1 "marmot_extract({0}, 'YEAR')" Int;
    "QUARTER" 1 1 "marmot_extract({0}, 'QUARTER')" Int;
    "MONTH" 1 1 "marmot_extract({0}, 'MONTH')" Int;
    "DAY" 1 1 "marmot_extract({0}, 'DAY')" Int;
    "DAYOFMONTH" 1 1 "marmot_extract({0}, 'DAY')" Int;
    "HOUR" 1 1 "abs(marmot_extract({0}, 'HOUR'))" Int;
    "MINUTE" 1 1 "abs(marmot_extract({0}, 'MINUTE'))" Int;
    "SECOND" 1 1 "abs(marmot_extract({0}, 'SECOND'))" Int;
    "MICROSECOND" 1 1 "abs(marmot_extract({0}, 'MICROSECOND'))" Int;
    "CONVERT_TZ" 3 3 "marmot_convert_tz({*})" DateTime;
    "ADDTIME" 2 2 "marmot_addtime({0}, {1}, 1)" DateTime;
    "SUBTIME" 2 2 "marmot_addtime({0}, {1}, -1)" DateTime;
    "FROM_UNIXTIME" 1 1 "marmot_from_unixtime({0})" DateTime;
    "FROM_UNIXTIME" 2 2 "marmot_date_format(marmot_from_unixtime({0}), {1})" Text;
    // JSON
    "JSON_EXTRACT" 2 MANY "marmot_json_extract({*})" Json;
    "JSON_UNQUOTE" 1 1 "marmot_json_unquote({0})" Text;
    "JSON_VALUE" 2 2 "marmot_json_value({*})" Text;
    "JSON_QUOTE" 1 1 "marmot_json_quote({0})" Text;
    "JSON_VALID" 1 1 "marmot_json_valid({0})" Boolean;
    "JSON_TYPE" 1 1 "marmot_json_type({0})" Text;
    "JSON_LENGTH" 1 2 "marmot_json_length({*})" Int;
    "JSON_DEPTH" 1 1 "marmot_json_depth({0})" Int;
    "JSON_KEYS" 1 2 "marmot_json_keys({*})" Json;
    "JSON_CONTAINS" 2 3 "marmot_json_contains({*})" Boolean;
    "JSON_CONTAINS_PATH" 3 MANY "marmot_json_contains_path({*})" Boolean;
    "JSON_REMOVE" 2 MANY "marmot_json_remove({*})" Json;
    "JSON_MERGE_PATCH" 2 MANY "marmot_json_merge_patch({*})" Json;
    "JSON_MERGE_PRESERVE" 2 MANY "marmot_json_merge_preserve({*})" Json;
    "JSON_MERGE" 2 MANY "marmot_json_merge_preserve({*})" Json;
    "JSON_PRETTY" 1 1 "marmot_json_pretty({0})" Text;
    "JSON_OVERLAPS" 2 2 "marmot_json_overlaps({*})" Boolean;
    "JSON_SEARCH" 3 MANY "marmot_json_search({*})" Json;
    "JSON_EXISTS" 2 2 "marmot_json_exists({*})" Boolean;
    "JSON_QUERY" 2 2 "marmot_json_query({*})" Json;
    "JSON_COMPACT" 1 1 "marmot_json_compact({0})" Json;
    "JSON_LOOSE" 1 1 "marmot_json({0})" Json;
    "JSON_NORMALIZE" 1 1 "marmot_json_compact({0})" Json;
    "JSON_EQUALS" 2 2 "marmot_json_equals({*})" Boolean;
    "JSON_DETAILED" 1 1 "marmot_json_detailed({0})" Text;
    "JSON_STORAGE_SIZE" 1 1 "octet_length(marmot_json({0}))" Int;
    // The rest
    "AES_ENCRYPT" 2 3 "marmot_aes_encrypt({*})" Blob;
    "AES_DECRYPT" 2 3 "marmot_aes_decrypt({*})" Blob;
    "PASSWORD" 1 1 "marmot_password({0})" Text;
    "UUID" 0 0 "marmot_uuid()" Text;
    "UUID_SHORT" 0 0 "marmot_uuid_short()" Unsigned;
    "IS_UUID" 1 1 "marmot_is_uuid({0})" Boolean;
    "UUID_TO_BIN" 1 2 "marmot_uuid_to_bin({*})" Blob;
    "BIN_TO_UUID" 1 2 "marmot_bin_to_uuid({*})" Text;
    "RANDOM_BYTES" 1 1 "marmot_random_bytes({0})" Blob;
    "INET_ATON" 1 1 "marmot_inet_aton({0})" Unsigned;
    "INET_NTOA" 1 1 "marmot_inet_ntoa({0})" Text;
    "INET6_ATON" 1 1 "marmot_inet6_aton({0})" Blob;
    "INET6_NTOA" 1 1 "marmot_inet6_ntoa({0})" Text;
    "ISNULL" 1 1 "({0} IS NULL)" Boolean;
    "ANY_VALUE" 1 1 "{0}" Number;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every function the table calls is registered.
    #[test]
    fn every_call_has_its_function() {
        for entry in ENTRIES {
            for name in entry.call.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
                if name.starts_with("marmot_") {
                    let known = crate::sql::functions::FUNCTIONS.iter().any(|f| f.name == name);
                    assert!(known, "{} calls {name}, which is not registered", entry.name);
                }
            }
        }
    }
}
