//! Which collation several strings are compared with, or their result has (manual, "Collation Coercibility in
//! Expressions").

use super::translator::Translator;
use super::typed::{Kind, Strength, Typed};
use crate::sql::catalog::Collation;
use crate::sql::column_type::ColumnType;
use crate::sql::error::Error;

/// A collation and how strongly it counts.
pub(super) type Weighted = (Collation, Strength);

fn is_unicode(collation: &Collation) -> bool {
    matches!(collation.charset(), "utf8mb4" | "utf8mb3" | "ucs2" | "utf16" | "utf16le" | "utf32")
}

/// The collation of two strings together; `None` if they do not go together.
fn together(a: &Weighted, b: &Weighted) -> Option<Weighted> {
    if a.0 == b.0 {
        return Some((a.0.clone(), a.1.min(b.1)));
    }
    if a.1 != b.1 {
        return Some(if a.1 < b.1 { a.clone() } else { b.clone() });
    }
    if a.1 == Strength::Explicit {
        return None;
    }
    let pick = |first: bool| Some(if first { a.clone() } else { b.clone() });
    if a.0.charset() != b.0.charset() {
        return match (is_unicode(&a.0), is_unicode(&b.0)) {
            // What holds more characters.
            (true, true) => pick(b.0.charset() == "utf8mb3"),
            (true, false) => pick(true),
            (false, true) => pick(false),
            (false, false) => None,
        };
    }
    let bin = |c: &Collation| c.name().ends_with("_bin");
    match (bin(&a.0), bin(&b.0)) {
        (true, false) => pick(true),
        (false, true) => pick(false),
        _ if a.1 == Strength::Coercible => pick(true),
        _ => None,
    }
}

/// The collation of a character string, with its strength.
fn of(value: &Typed) -> Option<Weighted> {
    let collation = value.known()?.collation()?;
    (collation.name() != "binary").then(|| (collation.clone(), value.strength))
}

/// The collation of all the strings among `values`; `None` without any, or with a binary one.
///
/// # Errors
/// 1267, 1270, 1271 if they do not go together.
pub(super) fn common(values: &[&Typed], operation: &str) -> Result<Option<Weighted>, Error> {
    let mut found: Option<Weighted> = None;
    for value in values {
        if value.kind() == Kind::Binary {
            return Ok(None);
        }
        let Some(own) = of(value) else { continue };
        found = Some(match &found {
            None => own,
            Some(so_far) => together(so_far, &own).ok_or_else(|| mixed(values, operation))?,
        });
    }
    Ok(found)
}

fn mixed(values: &[&Typed], operation: &str) -> Error {
    let list: Vec<String> = values
        .iter()
        .filter_map(|v| of(v))
        .map(|(collation, strength)| {
            let word = match strength {
                Strength::Explicit => "EXPLICIT",
                Strength::Implicit => "IMPLICIT",
                Strength::Coercible => "COERCIBLE",
            };
            format!("({},{word})", collation.name())
        })
        .collect();
    let operation = operation.to_lowercase();
    let (code, message) = match list.as_slice() {
        [a, b] => (1267, format!("Illegal mix of collations {a} and {b} for operation '{operation}'")),
        [a, b, c] => (1270, format!("Illegal mix of collations {a}, {b}, {c} for operation '{operation}'")),
        _ => (1271, format!("Illegal mix of collations for operation '{operation}'")),
    };
    Error { code, state: "HY000", message }
}

impl Translator<'_> {
    /// `value COLLATE name`.
    pub(super) fn collated_by(&mut self, value: &Typed, name: &str) -> Result<Typed, Error> {
        let Some(collation) = Collation::new(name) else { return Err(Error::unknown_collation(name)) };
        let own = match value.known() {
            None => None,
            Some(ColumnType::Binary { .. }) => Some("binary".to_string()),
            Some(ty) => Some(ty.collation().map_or("utf8mb4", Collation::charset).to_string()),
        };
        // A literal has the connection's character set, one of the Unicode ones.
        let of_connection = value.strength == Strength::Coercible && !value.column;
        let fits = |own: &str| {
            own == collation.charset()
                || of_connection && own.starts_with("utf8") && collation.charset().starts_with("utf8")
        };
        if let Some(own) = own.filter(|own| !fits(own)) {
            let message = format!("COLLATION '{}' is not valid for CHARACTER SET '{own}'", collation.name());
            return Err(Error { code: 1253, state: "42000", message });
        }
        let sql = format!("({} COLLATE {})", value.sql, collation.sqlite(self.rules()));
        let ty = crate::sql::plan::ResultType::Known(Self::text_of(collation.name()));
        Ok(Typed { ty, strength: Strength::Explicit, ..value.with_sql(sql) })
    }
}

/// A type with another collation, where it is one of character strings.
pub(super) fn with_collation(ty: ColumnType, collation: &Collation) -> ColumnType {
    match ty {
        ColumnType::Text { kind, length, .. } => ColumnType::Text { kind, length, collation: collation.clone() },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(collation: &str, strength: Strength) -> Typed {
        Typed { strength, ..Typed::new("x", Translator::text_of(collation)) }
    }

    #[test]
    fn the_stronger_collation_counts() {
        use Strength::{Coercible, Explicit, Implicit};
        let common = |a: (&str, Strength), b: (&str, Strength)| {
            let found = common(&[&text(a.0, a.1), &text(b.0, b.1)], "=");
            found.map(|c| c.map(|(c, _)| c.name().to_string())).map_err(|e| e.code)
        };
        let some = |name: &str| Ok(Some(name.to_string()));
        assert_eq!(common(("utf8mb4_bin", Implicit), ("utf8mb4_general_ci", Coercible)), some("utf8mb4_bin"));
        assert_eq!(common(("utf8mb4_general_ci", Explicit), ("utf8mb4_bin", Implicit)), some("utf8mb4_general_ci"));
        assert_eq!(common(("latin1_bin", Implicit), ("utf8mb4_general_ci", Implicit)), some("utf8mb4_general_ci"));
        assert_eq!(common(("latin1_bin", Implicit), ("latin1_swedish_ci", Implicit)), some("latin1_bin"));
        assert_eq!(common(("latin1_bin", Explicit), ("latin1_swedish_ci", Explicit)), Err(1267));
        assert_eq!(common(("latin1_swedish_ci", Coercible), ("latin2_general_ci", Coercible)), Err(1267));
        assert_eq!(common(("utf8mb4_unicode_ci", Implicit), ("utf8mb4_general_ci", Implicit)), Err(1267));
    }
}
