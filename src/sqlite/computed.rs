//! Generated columns as parts of keys.
//!
//! A row's image holds stored columns only. What a generated column adds to a unique value or a reference is computed
//! from the image where the row is captured, by SQLite itself: in a table like the row's, on a connection of its own,
//! which neither the transaction nor its capture knows. From there on the value is part of the transaction's keys and
//! nobody computes it again, but for the index in each member's file.
//!
//! So that the index holds what somebody computed, the columns a generated column is made of change together (see
//! [`crate::types::RowChange`]): a merge takes all of them from one writer.

use super::connection::{Connection, quoted};
use super::data_dir::DataDir;
use super::error::Result;
use super::functions::Functions;
use super::layout::{Affinity, TableLayout};
use crate::types::{TableId, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A generated column of SQLite's schema.
#[derive(Clone, Debug)]
pub(super) struct ComputedColumn {
    pub(super) name: String,
    pub(super) affinity: Affinity,
    /// The stored columns it is made of.
    pub(super) sources: Vec<usize>,
}

/// The generated columns of a table; `create` is its statement in SQLite's schema.
pub(super) fn generated_columns(
    create: &str,
    stored: &[&str],
    generated: &[(String, Affinity)],
) -> Vec<ComputedColumn> {
    let mut made_of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for definition in definitions(create) {
        let mut names = names(definition);
        if !names.is_empty() {
            made_of.insert(names.remove(0), names.into_iter().collect());
        }
    }
    let column = |(name, affinity): &(String, Affinity)| {
        let (mut reached, mut next) = (BTreeSet::new(), vec![name.to_ascii_lowercase()]);
        while let Some(name) = next.pop() {
            let is_generated = generated.iter().any(|(g, _)| g.eq_ignore_ascii_case(&name));
            if reached.insert(name.clone()) && is_generated {
                next.extend(made_of.get(&name).into_iter().flatten().cloned());
            }
        }
        let is_source = |(_, stored): &(usize, &&str)| reached.contains(&stored.to_ascii_lowercase());
        let sources = stored.iter().enumerate().filter(is_source).map(|(at, _)| at).collect();
        ComputedColumn { name: name.clone(), affinity: *affinity, sources }
    };
    generated.iter().map(column).collect()
}

/// A table with the columns of `create` and nothing else, and what computes a row's generated columns in it.
#[derive(Debug)]
pub(super) struct Scratch {
    name: String,
    create: String,
    insert: String,
}

impl Scratch {
    pub(super) fn new(id: TableId, create: &str, stored: &[&str], computed: &[ComputedColumn]) -> Scratch {
        let name = format!("main.{}", quoted(&format!("scratch {id}")));
        let columns: Vec<&str> = definitions(create).into_iter().filter(|d| !is_constraint(d)).collect();
        let marks: Vec<String> = (1..=stored.len()).map(|i| format!("?{i}")).collect();
        let list = |names: &mut dyn Iterator<Item = &str>| names.map(quoted).collect::<Vec<_>>().join(", ");
        Scratch {
            create: format!("CREATE TABLE {name} ({})", columns.join(", ")),
            insert: format!(
                "INSERT INTO {name} ({}) VALUES ({}) RETURNING {}",
                list(&mut stored.iter().copied()),
                marks.join(", "),
                list(&mut computed.iter().map(|c| c.name.as_str()))
            ),
            name,
        }
    }
}

/// Computes the generated columns of captured rows.
pub(super) struct Computer {
    /// Made when it is needed first.
    connection: Option<Connection>,
    /// The tables that there is a scratch table for.
    made: BTreeMap<TableId, Arc<TableLayout>>,
    functions: Functions,
}

impl Computer {
    pub(super) fn new(functions: &Functions) -> Computer {
        Computer { connection: None, made: BTreeMap::new(), functions: functions.clone() }
    }

    /// The cells of a row that keys are made of: the stored ones, then the generated ones that keys need.
    pub(super) fn cells<'r>(
        &mut self,
        dir: &DataDir,
        layout: &Arc<TableLayout>,
        row: &'r [Value],
    ) -> Result<Cow<'r, [Value]>> {
        let Some(scratch) = &layout.scratch else { return Ok(Cow::Borrowed(row)) };
        if self.connection.is_none() {
            self.connection = Some(dir.open_memory(&self.functions)?);
        }
        let connection = self.connection.as_mut().expect("made in the line before");
        if !self.made.get(&layout.id).is_some_and(|made| Arc::ptr_eq(made, layout)) {
            connection.run_script(&format!("DROP TABLE IF EXISTS {}; {}", scratch.name, scratch.create))?;
            self.made.insert(layout.id, layout.clone());
        }
        let computed = connection.cached(&scratch.insert)?.all(row)?;
        connection.cached(&format!("DELETE FROM {}", scratch.name))?.run([])?;
        Ok(Cow::Owned(row.iter().cloned().chain(computed.into_iter().flatten()).collect()))
    }
}

/// What stands between the outer parentheses of a CREATE TABLE, comma by comma.
fn definitions(create: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quote) = (Vec::new(), 0, 0, None);
    for (at, c) in create.char_indices() {
        match (quote, c) {
            // A doubled quote closes and opens again.
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '(') => {
                depth += 1;
                if depth == 1 {
                    start = at + 1;
                }
            }
            (None, ')') if depth == 1 => {
                parts.push(create[start..at].trim());
                return parts;
            }
            (None, ')') => depth -= 1,
            (None, ',') if depth == 1 => {
                parts.push(create[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}

fn is_constraint(definition: &str) -> bool {
    let word = definition.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
    ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"].iter().any(|k| k.eq_ignore_ascii_case(word))
}

/// The words and quoted names of a definition in lower case, texts left out. Keywords are among them.
fn names(definition: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = definition.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' => while rest.next().is_some_and(|c| c != '\'') {},
            '"' | '`' => {
                let mut name = String::new();
                while let Some(inner) = rest.next() {
                    if inner == c && rest.next_if_eq(&c).is_none() {
                        break;
                    }
                    name.push(inner.to_ascii_lowercase());
                }
                names.push(name);
            }
            c if c.is_alphanumeric() || c == '_' => {
                let mut name = String::from(c.to_ascii_lowercase());
                while let Some(inner) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    name.push(inner.to_ascii_lowercase());
                }
                names.push(name);
            }
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: &str = r#"CREATE TABLE "t" ("__marmot_rowid" INTEGER PRIMARY KEY, "a ""(" TEXT COLLATE NOCASE DEFAULT 'x,)',
        "b" INTEGER, "g" TEXT GENERATED ALWAYS AS (marmot_generated('"b"', f("a ""(", 'it''s "b"'))) VIRTUAL,
        "h" INTEGER GENERATED ALWAYS AS (length("g") + "b") VIRTUAL, CONSTRAINT "c" CHECK ("b" > 0))"#;

    #[test]
    fn definitions_are_told_apart_whatever_is_quoted() {
        let found = definitions(CREATE);
        assert_eq!(found.len(), 6);
        assert_eq!(found[1], r#""a ""(" TEXT COLLATE NOCASE DEFAULT 'x,)'"#);
        assert!(is_constraint(found[5]) && !found[..5].iter().any(|d| is_constraint(d)));
        assert_eq!(definitions("CREATE TABLE t(a"), [""; 0]);
    }

    #[test]
    fn a_generated_column_is_made_of_stored_ones_also_through_another() {
        let stored = ["__marmot_rowid", "a \"(", "b"];
        let generated = [("g".to_string(), Affinity::Text), ("h".to_string(), Affinity::Integer)];
        let found = generated_columns(CREATE, &stored, &generated);
        assert_eq!(found.iter().map(|c| c.sources.clone()).collect::<Vec<_>>(), [vec![1], vec![1, 2]]);
    }
}
