//! The MySQL definition of a foreign table: types from declarations and contents, keys, defaults.

use super::content::Content;
use crate::sqlite::{ForeignColumn, ForeignIndex, ForeignTable};
use crate::types::Value;

/// Longest VARCHAR and VARBINARY: what fits 65 535 bytes at four bytes a character.
const LONGEST_VARCHAR: usize = 16_383;
const LONGEST_VARBINARY: usize = 65_535;
/// The shortest VARCHAR given to a key column, so that longer values than today's fit tomorrow.
const KEY_CHARACTERS: usize = 255;
/// Exact decimal digits of a DECIMAL (see `sql::column_type`).
const DECIMAL_DIGITS: usize = 15;

/// What kind of cell a column takes; what else the file holds there is converted to it without loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    AsItIs,
    Text,
    Blob,
}

/// How a table is made and filled.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// The CREATE TABLE statement, without foreign keys.
    pub create: String,
    /// `ALTER TABLE ... ADD FOREIGN KEY`, one each, for when all tables are there.
    pub foreign_keys: Vec<String>,
    /// `INSERT INTO ... VALUES (?, ...)`, a marker for each column that is not generated.
    pub insert: String,
    pub cells: Vec<CellKind>,
    /// What differs from the file, for people.
    pub notes: Vec<String>,
}

/// `name` as a MySQL identifier.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn list(names: &[String]) -> String {
    names.iter().map(|n| quoted(n)).collect::<Vec<_>>().join(", ")
}

struct Chosen {
    ty: String,
    kind: CellKind,
    /// LONGTEXT and LONGBLOB take neither a literal default nor a whole-column key.
    large: bool,
}

fn plain(ty: impl Into<String>) -> Chosen {
    Chosen { ty: ty.into(), kind: CellKind::AsItIs, large: false }
}

fn text(content: &Content, declared: Option<usize>, keyed: bool, nocase: bool) -> Chosen {
    let collate = if nocase { " COLLATE utf8mb4_general_ci" } else { "" };
    let declared = declared.filter(|n| (1..=LONGEST_VARCHAR).contains(n) && content.characters <= *n);
    let length = match declared {
        Some(n) => Some(n),
        None if keyed => Some(content.characters.max(KEY_CHARACTERS)).filter(|n| *n <= LONGEST_VARCHAR),
        None => None,
    };
    match length {
        Some(n) => Chosen { ty: format!("VARCHAR({n}){collate}"), kind: CellKind::Text, large: false },
        None => Chosen { ty: format!("LONGTEXT{collate}"), kind: CellKind::Text, large: true },
    }
}

fn blob(content: &Content, keyed: bool) -> Chosen {
    let length = content.bytes.max(KEY_CHARACTERS);
    if keyed && length <= LONGEST_VARBINARY {
        Chosen { ty: format!("VARBINARY({length})"), kind: CellKind::Blob, large: false }
    } else {
        Chosen { ty: "LONGBLOB".into(), kind: CellKind::Blob, large: true }
    }
}

/// The numbers in the parentheses of a declared type: `DECIMAL(10, 2)` gives 10 and 2.
fn arguments(declared: &str) -> Vec<usize> {
    let inside = declared.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(inside, _)| inside);
    inside.split(',').filter_map(|n| n.trim().parse().ok()).collect()
}

/// The type that the declaration asks for, if all values fit it. What SQLite takes a declaration for is its affinity:
/// "INT" anywhere means integers, "CHAR", "CLOB" or "TEXT" texts, "BLOB" or nothing blobs, "REAL", "FLOA" or "DOUB"
/// reals, anything else numbers.
fn declared_type(column: &ForeignColumn, content: &Content, keyed: bool) -> Option<Chosen> {
    let declared = column.declared.to_ascii_uppercase();
    let word = declared.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("");
    let arguments = arguments(&declared);
    let has = |part: &str| declared.contains(part);
    let nocase = column.collation.eq_ignore_ascii_case("NOCASE");
    match word {
        "BOOL" | "BOOLEAN" if content.is_booleans() => return Some(plain("TINYINT(1)")),
        "DATE" if content.is_dates() => return Some(plain("DATE")),
        "DATETIME" | "TIMESTAMP" if content.is_moments() => {
            return Some(plain(match content.second_digits {
                0 => "DATETIME".to_string(),
                n => format!("DATETIME({n})"),
            }));
        }
        "DECIMAL" | "NUMERIC" => {
            if let [precision, rest @ ..] = arguments.as_slice() {
                let scale = rest.first().copied().unwrap_or(0);
                if (1..=DECIMAL_DIGITS).contains(precision)
                    && scale <= *precision
                    && content.is_decimals(*precision, scale)
                {
                    return Some(plain(format!("DECIMAL({precision},{scale})")));
                }
            }
        }
        _ => {}
    }
    if has("INT") {
        content.is_integers().then(|| plain("BIGINT"))
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        content.is_texts().then(|| text(content, arguments.first().copied(), keyed, nocase))
    } else if has("BLOB") {
        content.is_blobs().then(|| blob(content, keyed))
    } else if declared.is_empty() {
        (content.kinds().is_empty()).then(|| text(content, None, keyed, nocase))
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        content.is_doubles().then(|| plain("DOUBLE"))
    } else if content.kinds().is_empty() {
        // No values to go by: words of SQLite users, such as JSON, DATE, UUID, hold texts; NUMERIC and MONEY numbers.
        let numbers = matches!(word, "NUMERIC" | "DECIMAL" | "NUMBER" | "MONEY");
        Some(if numbers { plain("DOUBLE") } else { text(content, None, keyed, nocase) })
    } else {
        None
    }
}

/// A type that holds all values, whatever was declared.
fn content_type(column: &ForeignColumn, content: &Content, keyed: bool) -> Chosen {
    if content.is_integers() {
        plain("BIGINT")
    } else if content.is_doubles() {
        plain("DOUBLE")
    } else if content.blobs > 0 {
        blob(content, keyed)
    } else {
        text(content, None, keyed, column.collation.eq_ignore_ascii_case("NOCASE"))
    }
}

/// The default as MySQL writes it; `None` if it has no counterpart.
fn default(expression: &str, chosen: &Chosen) -> Option<String> {
    let expression = expression.trim();
    let upper = expression.to_ascii_uppercase();
    let numeric = chosen.kind == CellKind::AsItIs && !chosen.ty.starts_with("DATE");
    let literal = if upper == "NULL" {
        return Some(String::new());
    } else if upper == "TRUE" || upper == "FALSE" {
        let number = if upper == "TRUE" { "1" } else { "0" };
        if numeric { number.to_string() } else { format!("'{number}'") }
    } else if matches!(upper.as_str(), "CURRENT_TIMESTAMP" | "DATETIME('NOW')") {
        return match chosen.ty.strip_prefix("DATETIME") {
            Some(digits) => Some(format!(" DEFAULT CURRENT_TIMESTAMP{digits}")),
            None if chosen.kind == CellKind::Text => Some(" DEFAULT (CURRENT_TIMESTAMP)".into()),
            None => None,
        };
    } else if expression.parse::<f64>().is_ok_and(f64::is_finite) {
        if numeric { expression.to_string() } else { format!("'{expression}'") }
    } else {
        let inside = expression.strip_prefix('\'')?.strip_suffix('\'')?;
        // A quote inside must be doubled: otherwise this is an expression of several texts.
        if inside.replace("''", "").contains('\'') || numeric {
            return None;
        }
        expression.to_string()
    };
    Some(if chosen.large { format!(" DEFAULT ({literal})") } else { format!(" DEFAULT {literal}") })
}

/// Whether the CREATE statement has the word outside of quotes and comments.
fn mentions(sql: &str, wanted: &str) -> bool {
    let mut rest = sql;
    let mut word = String::new();
    while let Some(c) = rest.chars().next() {
        let closing = match c {
            '\'' | '"' | '`' => Some(c.to_string()),
            '[' => Some("]".to_string()),
            _ if rest.starts_with("--") => Some("\n".to_string()),
            _ if rest.starts_with("/*") => Some("*/".to_string()),
            _ => None,
        };
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        if std::mem::take(&mut word).eq_ignore_ascii_case(wanted) {
            return true;
        }
        rest = &rest[c.len_utf8()..];
        if let Some(closing) = closing {
            rest = rest.split_once(&closing).map_or("", |(_, after)| after);
        }
    }
    word.eq_ignore_ascii_case(wanted)
}

fn named(names: &[String], name: &str) -> bool {
    names.iter().any(|n| n.eq_ignore_ascii_case(name))
}

/// The columns of a CREATE TABLE statement.
#[derive(Default)]
struct Columns {
    lines: Vec<String>,
    cells: Vec<CellKind>,
    /// The names of those that are LONGTEXT or LONGBLOB.
    large: Vec<String>,
}

fn columns(
    stored: &[&ForeignColumn],
    contents: &[Content],
    primary: &[String],
    keyed: impl Fn(&str) -> bool,
    notes: &mut Vec<String>,
) -> Columns {
    let mut columns = Columns::default();
    // SQLite numbers the rows of a table whose only key column is declared just so.
    let counts = |c: &ForeignColumn| primary.len() == 1 && c.declared.eq_ignore_ascii_case("INTEGER");
    for (column, content) in stored.iter().zip(contents) {
        let keyed = keyed(&column.name);
        let own = declared_type(column, content, keyed);
        let fits = own.is_some() || column.declared.is_empty();
        let chosen = own.unwrap_or_else(|| content_type(column, content, keyed));
        if !fits {
            let (name, declared, kinds, ty) = (&column.name, &column.declared, content.kinds(), &chosen.ty);
            notes.push(format!("column '{name}' is declared {declared} but holds {kinds}: it becomes {ty}"));
        }
        let mut line = format!("{} {}", quoted(&column.name), chosen.ty);
        let in_primary = named(primary, &column.name);
        if column.not_null || in_primary {
            line.push_str(" NOT NULL");
        }
        if in_primary && counts(column) && chosen.ty == "BIGINT" {
            line.push_str(" AUTO_INCREMENT");
        } else if let Some(expression) = &column.default {
            match default(expression, &chosen) {
                Some(default) => line.push_str(&default),
                None => notes.push(format!("the default of column '{}', {expression}, is left out", column.name)),
            }
        }
        columns.lines.push(line);
        columns.cells.push(chosen.kind);
        if chosen.large {
            columns.large.push(column.name.clone());
        }
    }
    columns
}

/// The definition of `table` in `database`. `contents` are those of its columns that are not generated, in order;
/// `broken` are positions of foreign keys that its rows violate.
///
/// # Errors
/// A sentence: the table cannot be a MySQL table at all.
pub fn definition(
    database: &str,
    table: &ForeignTable,
    contents: &[Content],
    broken: impl Fn(usize) -> bool,
) -> Result<Definition, String> {
    let qualified = format!("{}.{}", quoted(database), quoted(&table.name));
    let mut notes = Vec::new();
    let stored: Vec<&ForeignColumn> = table.columns.iter().filter(|c| !c.generated).collect();
    if stored.is_empty() {
        return Err(format!("table '{}' has no columns that are not generated", table.name));
    }
    for column in table.columns.iter().filter(|c| c.generated) {
        notes.push(format!("generated column '{}' is left out", column.name));
    }
    let content_of = |name: &str| {
        let at = stored.iter().position(|c| c.name.eq_ignore_ascii_case(name));
        at.and_then(|at| contents.get(at))
    };
    let usable: Vec<&ForeignIndex> =
        table.indexes.iter().filter(|index| index_is_usable(index, &content_of, &mut notes)).collect();
    let (key, key_is_unique_only) = primary_key(table, &content_of, &mut notes);
    let primary = if key_is_unique_only { &[][..] } else { key };
    let keyed = |name: &str| {
        let in_index = usable.iter().any(|i| i.columns.iter().any(|(n, _)| n.as_deref() == Some(name)));
        in_index || named(key, name) || table.foreign_keys.iter().any(|k| named(&k.columns, name))
    };
    let Columns { mut lines, cells, large } = columns(&stored, contents, primary, keyed, &mut notes);
    let is_large = |name: &String| large.contains(name);
    if let Some(column) = key.iter().find(|n| is_large(n)) {
        return Err(format!("the primary key of table '{}' holds values too long for a key ('{column}')", table.name));
    }
    match (key, key_is_unique_only) {
        ([], _) => {}
        (key, false) => lines.push(format!("PRIMARY KEY ({})", list(key))),
        (key, true) => lines.push(format!("UNIQUE KEY ({})", list(key))),
    }
    for index in usable {
        lines.extend(index_line(index, &is_large, &mut notes));
    }
    if mentions(&table.sql, "CHECK") {
        notes.push("its CHECK constraints are left out".into());
    }
    let names: Vec<String> = stored.iter().map(|c| c.name.clone()).collect();
    let markers = vec!["?"; names.len()].join(", ");
    Ok(Definition {
        create: format!("CREATE TABLE {qualified} ({}) COLLATE=utf8mb4_bin", lines.join(", ")),
        foreign_keys: foreign_keys(table, &qualified, broken, &mut notes),
        insert: format!("INSERT INTO {qualified} ({}) VALUES ({markers})", list(&names)),
        cells,
        notes,
    })
}

/// The primary key; and whether it can only be a unique key, because SQLite let NULL into it.
fn primary_key<'a, 'c>(
    table: &'a ForeignTable,
    content_of: &impl Fn(&str) -> Option<&'c Content>,
    notes: &mut Vec<String>,
) -> (&'a [String], bool) {
    let key = table.primary_key.as_slice();
    let unique_only = key.iter().any(|name| content_of(name).is_some_and(|c| c.nulls > 0));
    if unique_only {
        notes.push("its primary key holds NULL: it becomes a unique key".into());
    }
    (key, unique_only)
}

fn index_is_usable<'c>(
    index: &ForeignIndex,
    content_of: &impl Fn(&str) -> Option<&'c Content>,
    notes: &mut Vec<String>,
) -> bool {
    let kind = if index.unique { "unique index" } else { "index" };
    let plain = index.columns.iter().all(|(name, _)| name.as_ref().is_some_and(|n| content_of(n).is_some()));
    let why = match (index.partial, plain) {
        (true, _) => "has a WHERE clause",
        (false, false) => "is over an expression or a generated column",
        (false, true) => return true,
    };
    notes.push(format!("{kind} '{}' {why}: it is left out", index.name));
    false
}

fn index_line(index: &ForeignIndex, is_large: &impl Fn(&String) -> bool, notes: &mut Vec<String>) -> Option<String> {
    let names: Vec<&String> = index.columns.iter().filter_map(|(name, _)| name.as_ref()).collect();
    if index.unique && names.iter().any(|n| is_large(n)) {
        notes.push(format!("unique index '{}' holds values too long for a key: it is left out", index.name));
        return None;
    }
    let part = |name: &&String| {
        let prefix = if is_large(name) { format!("({KEY_CHARACTERS})") } else { String::new() };
        format!("{}{prefix}", quoted(name))
    };
    let parts: Vec<String> = names.iter().map(part).collect();
    let unique = if index.unique { "UNIQUE " } else { "" };
    // What SQLite named by itself is named by MySQL's rule.
    let name = if index.name.starts_with("sqlite_autoindex_") { String::new() } else { quoted(&index.name) };
    Some(format!("{unique}KEY {name} ({})", parts.join(", ")))
}

fn foreign_keys(
    table: &ForeignTable,
    qualified: &str,
    broken: impl Fn(usize) -> bool,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let mut statements = Vec::new();
    for (i, key) in table.foreign_keys.iter().enumerate() {
        let on_default = [&key.on_delete, &key.on_update].iter().any(|a| a.eq_ignore_ascii_case("SET DEFAULT"));
        let why = match (broken(i), on_default) {
            (true, _) => "is violated by rows",
            (_, true) => "says SET DEFAULT",
            (false, false) => {
                let parent = if key.parent_columns.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", list(&key.parent_columns))
                };
                statements.push(format!(
                    "ALTER TABLE {qualified} ADD FOREIGN KEY ({}) REFERENCES {}{parent} ON DELETE {} ON UPDATE {}",
                    list(&key.columns),
                    quoted(&key.parent),
                    key.on_delete,
                    key.on_update
                ));
                continue;
            }
        };
        notes.push(format!("the foreign key ({}) to '{}' {why}: it is left out", key.columns.join(", "), key.parent));
    }
    statements
}

/// A row's cells as the columns take them.
pub fn cells(row: Vec<Value>, kinds: &[CellKind]) -> Vec<Value> {
    row.into_iter().zip(kinds).map(|(value, kind)| cell(value, *kind)).collect()
}

fn cell(value: Value, kind: CellKind) -> Value {
    match (kind, value) {
        (_, Value::Null) => Value::Null,
        (CellKind::AsItIs, value) => value,
        (CellKind::Text, Value::Int(i)) => Value::text(i.to_string()),
        (CellKind::Text, Value::Real(real)) => Value::text(real.0.to_string()),
        (CellKind::Text, value) => value,
        (CellKind::Blob, Value::Text(text)) => Value::Blob(text.as_bytes().into()),
        (CellKind::Blob, Value::Int(i)) => Value::Blob(i.to_string().into_bytes().into()),
        (CellKind::Blob, Value::Real(real)) => Value::Blob(real.0.to_string().into_bytes().into()),
        (CellKind::Blob, value) => value,
    }
}
