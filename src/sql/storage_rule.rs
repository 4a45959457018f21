//! What a column accepts, and the text in which `marmot_store` is told.

use super::catalog::{Collation, Column};
use super::column_type::{BinaryKind, ColumnType, IntegerSize, TextKind};

/// What a column accepts.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub column: String,
    pub ty: ColumnType,
    /// NULL passes: nullable columns, and AUTO_INCREMENT ones, where it asks for an id.
    pub nullable: bool,
    /// The column is the rowid: nothing above 2^63-1.
    pub rowid: bool,
}

impl Rule {
    pub fn of(column: &Column, rowid: bool) -> Rule {
        let nullable = column.nullable || column.auto_increment;
        Rule { column: column.name.clone(), ty: column.ty.clone(), nullable, rowid }
    }

    /// Whether SQLite can do without a check for any value of type `from`: the type cannot fail or change.
    pub fn accepts_all_of(&self, from: &ColumnType) -> bool {
        match (&self.ty, from) {
            (ColumnType::Integer { size, unsigned, .. }, ColumnType::Integer { size: s, unsigned: u, .. }) => {
                let ((low, high), (l, h)) = (size.range(*unsigned), s.range(*u));
                self.nullable && low <= l && h <= high && *size != IntegerSize::Big
            }
            _ => false,
        }
    }

    /// The rule as text, for `marmot_store`.
    pub fn encode(&self) -> String {
        let mark = match (self.nullable, self.rowid) {
            (true, false) => "?",
            (false, false) => "!",
            (true, true) => "?r",
            (false, true) => "!r",
        };
        let quoted = |values: &[String]| {
            let all: Vec<String> = values.iter().map(|v| format!("'{}'", v.replace('\'', "''"))).collect();
            all.join(",")
        };
        let ty = match &self.ty {
            ColumnType::Text { kind, length, .. } => format!("{}({length})", text_code(*kind)),
            ColumnType::Binary { kind, length } => format!("{}({length})", binary_code(*kind)),
            ColumnType::Enum { values, collation } => format!("enum({}){}", quoted(values), ci_mark(collation)),
            ColumnType::Set { values, collation } => format!("set({}){}", quoted(values), ci_mark(collation)),
            ColumnType::Integer { size, unsigned, .. } => {
                format!("int({}){}", size.bits(), if *unsigned { "u" } else { "" })
            }
            ColumnType::Decimal { precision, scale, unsigned, .. } => {
                format!("decimal({precision},{scale}){}", if *unsigned { "u" } else { "" })
            }
            ColumnType::Float { double, unsigned, display, .. } => {
                let decimals = display.map_or(255, |(_, d)| d);
                format!("{}({decimals}){}", if *double { "double" } else { "float" }, if *unsigned { "u" } else { "" })
            }
            ColumnType::Bit(bits) => format!("bit({bits})"),
            ColumnType::Time(fsp) => format!("time({fsp})"),
            ColumnType::DateTime(fsp) => format!("datetime({fsp})"),
            ColumnType::Timestamp(fsp) => format!("timestamp({fsp})"),
            ColumnType::Year => "year()".into(),
            ColumnType::Date => "date()".into(),
            ColumnType::Json => "json()".into(),
        };
        format!("{mark} {ty} {}", self.column)
    }

    /// Reads what [`Rule::encode`] wrote.
    pub fn decode(text: &str) -> Option<Rule> {
        let (mark, rest) = text.split_once(' ')?;
        let (name, rest) = rest.split_once('(')?;
        let (values, rest) = quoted_values(rest)?;
        let (flags, column) = rest.split_once(' ')?;
        let numbers: Vec<u32> = match values.as_slice() {
            [only] if !matches!(name, "enum" | "set") => only.split(',').filter_map(|n| n.parse().ok()).collect(),
            _ => vec![],
        };
        let first = numbers.first().copied().unwrap_or(0);
        let small = u8::try_from(first).unwrap_or(u8::MAX);
        let unsigned = flags == "u";
        let collation = || Collation::new(if flags == "b" { "utf8mb4_bin" } else { Collation::DEFAULT });
        let ty = match name {
            "int" => {
                let sizes =
                    [IntegerSize::Tiny, IntegerSize::Small, IntegerSize::Medium, IntegerSize::Int, IntegerSize::Big];
                let size = sizes.into_iter().find(|s| s.bits() == first)?;
                ColumnType::Integer { size, unsigned, zerofill: false, width: None }
            }
            "decimal" => {
                let scale = u8::try_from(*numbers.get(1)?).ok()?;
                ColumnType::Decimal { precision: small, scale, unsigned, zerofill: false }
            }
            "float" | "double" => {
                let display = (first != 255).then_some((255, small));
                ColumnType::Float { double: name == "double", unsigned, zerofill: false, display }
            }
            "bit" => ColumnType::Bit(small),
            "time" => ColumnType::Time(small),
            "datetime" => ColumnType::DateTime(small),
            "timestamp" => ColumnType::Timestamp(small),
            "year" => ColumnType::Year,
            "date" => ColumnType::Date,
            "json" => ColumnType::Json,
            "enum" => ColumnType::Enum { values, collation: collation()? },
            "set" => ColumnType::Set { values, collation: collation()? },
            _ => match (TEXT_CODES.iter().find(|(_, c)| *c == name), BINARY_CODES.iter().find(|(_, c)| *c == name)) {
                (Some((kind, _)), _) => {
                    ColumnType::Text { kind: *kind, length: first, collation: Collation::default() }
                }
                (_, Some((kind, _))) => ColumnType::Binary { kind: *kind, length: first },
                _ => return None,
            },
        };
        let (nullable, rowid) = (mark.starts_with('?'), mark.ends_with('r'));
        Some(Rule { column: column.to_string(), ty, nullable, rowid })
    }
}

const TEXT_CODES: &[(TextKind, &str)] = &[
    (TextKind::Char, "char"),
    (TextKind::VarChar, "varchar"),
    (TextKind::TinyText, "tinytext"),
    (TextKind::Text, "text"),
    (TextKind::MediumText, "mediumtext"),
    (TextKind::LongText, "longtext"),
];
const BINARY_CODES: &[(BinaryKind, &str)] = &[
    (BinaryKind::Binary, "binary"),
    (BinaryKind::VarBinary, "varbinary"),
    (BinaryKind::TinyBlob, "tinyblob"),
    (BinaryKind::Blob, "blob"),
    (BinaryKind::MediumBlob, "mediumblob"),
    (BinaryKind::LongBlob, "longblob"),
];

fn text_code(kind: TextKind) -> &'static str {
    TEXT_CODES.iter().find(|(k, _)| *k == kind).map_or("longtext", |(_, c)| c)
}

fn binary_code(kind: BinaryKind) -> &'static str {
    BINARY_CODES.iter().find(|(k, _)| *k == kind).map_or("longblob", |(_, c)| c)
}

fn ci_mark(collation: &Collation) -> &'static str {
    if collation.ignores_case() { "" } else { "b" }
}

/// What stands before the closing parenthesis: quoted values one by one, anything else as one; and the rest.
fn quoted_values(text: &str) -> Option<(Vec<String>, &str)> {
    if !text.starts_with('\'') {
        let (inside, rest) = text.split_once(')')?;
        return Some((vec![inside.to_string()], rest));
    }
    let mut values = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.strip_prefix('\'')?;
        let mut value = String::new();
        loop {
            let end = rest.find('\'')?;
            value.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('\'') {
                Some(more) => {
                    value.push('\'');
                    rest = more;
                }
                None => break,
            }
        }
        values.push(value);
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Some((values, rest.strip_prefix(')')?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_survive_their_text() {
        let bin = || Collation::new("utf8mb4_bin").unwrap();
        let types = [
            ColumnType::bigint_unsigned(),
            ColumnType::decimal(12, 3),
            ColumnType::Float { double: false, unsigned: true, zerofill: false, display: None },
            ColumnType::Bit(7),
            ColumnType::Year,
            ColumnType::DateTime(3),
            ColumnType::varchar(20),
            ColumnType::varbinary(9),
            ColumnType::Json,
            ColumnType::Enum { values: vec!["a'b".into(), "c,d)".into(), String::new()], collation: bin() },
            ColumnType::Set { values: vec!["x".into(), "y z".into()], collation: Collation::default() },
        ];
        for ty in types {
            let rule = Rule { column: "a b (c)".into(), ty, nullable: true, rowid: false };
            assert_eq!(Rule::decode(&rule.encode()), Some(rule));
        }
        assert_eq!(Rule::decode("? int(7) a"), None);
        assert_eq!(Rule::decode("nonsense"), None);
    }
}
