//! New names of columns, wherever the old ones stand.

use super::alter::position;
use crate::sql::alteration::Alteration;
use crate::sql::catalog::{ColumnDefault, Database, Table};
use crate::sql::error::{Error, Warning};
use crate::sql::modes::Modes;
use crate::sql::tokens::tokenise;
use sqlparser::tokenizer::Token;

/// Whether it gives a new name to a column that is not there: `rename_columns` has said so.
pub fn renames_missing(alteration: &Alteration, old: &Table) -> bool {
    match alteration {
        Alteration::ChangeColumn { name, column, .. } => *name != column.name && old.column(name).is_none(),
        _ => false,
    }
}

/// All new names of columns at once, by the names before the statement: two columns may swap theirs.
pub fn rename_columns(table: &mut Table, alterations: &[Alteration], warnings: &mut Vec<Warning>) -> Result<(), Error> {
    let mut renames = Vec::new();
    for alteration in alterations {
        let (name, to) = match alteration.inner() {
            Alteration::RenameColumn { name, to } => (name, to),
            Alteration::ChangeColumn { name, column, .. } if *name != column.name => (name, &column.name),
            _ => continue,
        };
        super::key::check_name(to)?;
        match position(table, name) {
            Err(error) if matches!(alteration, Alteration::Guarded(_)) => warnings.push(Warning::note(error)),
            at => renames.push((at?, to)),
        }
    }
    for (at, _) in &renames {
        rename_in_checks(table, &table.columns[*at].name.clone(), &format!("__marmot_renamed_{at}"))?;
    }
    for (at, to) in &renames {
        rename_in_checks(table, &format!("__marmot_renamed_{at}"), to)?;
        table.columns[*at].name = (*to).clone();
    }
    for (at, to) in renames {
        if table.columns.iter().enumerate().any(|(i, c)| i != at && c.name.eq_ignore_ascii_case(to)) {
            return Err(Error::duplicate_column(to));
        }
    }
    Ok(())
}

/// A column's new name inside CHECK expressions and expression defaults.
fn rename_in_checks(table: &mut Table, from: &str, to: &str) -> Result<(), Error> {
    let replaced = |text: &str| -> Result<String, Error> {
        let tokens = tokenise(text, Modes::NONE)?;
        let mut out = String::new();
        let mut copied = 0;
        for (token, (start, end)) in tokens.tokens.iter().zip(&tokens.ranges) {
            if matches!(&token.token, Token::Word(w) if w.value.eq_ignore_ascii_case(from)) {
                out.push_str(&text[copied..*start]);
                out.push_str(&crate::sql::translate::backquoted(to));
                copied = *end;
            }
        }
        out.push_str(&text[copied..]);
        Ok(out)
    };
    for check in &mut table.checks {
        check.expression = replaced(&check.expression)?;
    }
    for column in &mut table.columns {
        if let Some(ColumnDefault::Expression(text) | ColumnDefault::Generated { expression: text, .. }) =
            &mut column.default
        {
            *text = replaced(text)?;
        }
    }
    Ok(())
}

pub fn rename_parent_column(database: &mut Database, parent: &str, from: &str, to: &str) {
    let refers = |table: &Table| table.foreign_keys.iter().any(|k| k.parent_table.eq_ignore_ascii_case(parent));
    database.tables.update(refers, |table| rename_own_parent_column(table, parent, from, to));
}

pub fn rename_own_parent_column(table: &mut Table, parent: &str, from: &str, to: &str) {
    for key in table.foreign_keys.iter_mut().filter(|k| k.parent_table.eq_ignore_ascii_case(parent)) {
        for column in key.parent_columns.iter_mut().filter(|c| c.eq_ignore_ascii_case(from)) {
            *column = to.to_string();
        }
    }
}
