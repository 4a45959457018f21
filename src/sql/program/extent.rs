//! Where a body ends: definitions stand among other statements, and hold semicolons themselves.

use super::compiler::{MAX_DEPTH, RED_ZONE, STACK};
use super::scan::Scanner;
use crate::sql::error::Error;
use crate::sql::lexer::Lexeme;
use crate::sql::modes::Modes;

/// A body that was read for its end alone.
pub(in crate::sql) struct BodyEnd {
    /// Where the body's text ends.
    pub end: usize,
    /// Where the next statement begins.
    pub next: usize,
}

/// Reads the body that begins at `start` of `text`, with no names but its own known: what depends on a table or on the
/// types of parameters is checked when the program is created.
///
/// # Errors
/// 1064, 1235.
pub(in crate::sql) fn end_of_body(text: &str, start: usize, modes: Modes) -> Result<BodyEnd, Error> {
    let mut scanner = Scanner::new(text, start, modes)?;
    scan_statement(&mut scanner, 0)?;
    let end = scanner.end_of_last();
    if !scanner.at_end() {
        return Err(scanner.unexpected());
    }
    let next = if *scanner.peek() == Lexeme::Semicolon { scanner.start() + 1 } else { text.len() };
    Ok(BodyEnd { end, next })
}

/// Passes over one statement: over what stands between BEGIN, IF, CASE, LOOP, WHILE, REPEAT and their END.
fn scan_statement(scanner: &mut Scanner<'_>, depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::too_deep());
    }
    if scanner.name_ahead(0).is_some() && scanner.looks_at_symbol(1, ":") {
        scanner.skip();
        scanner.skip();
    }
    let opens = ["BEGIN", "LOOP", "REPEAT"];
    let until: &[&str] = if opens.iter().any(|word| scanner.accept(word)) {
        &[]
    } else if scanner.accept("IF") {
        &["THEN"]
    } else if scanner.accept("WHILE") {
        &["DO"]
    } else if scanner.accept("CASE") {
        &["THEN"]
    } else if scanner.looks_at("DECLARE") && is_handler(scanner) {
        scanner.piece(&["FOR"])?;
        scanner.skip();
        skip_conditions(scanner)?;
        return stacker::maybe_grow(RED_ZONE, STACK, || scan_statement(scanner, depth + 1));
    } else {
        scanner.piece(&[])?;
        return Ok(());
    };
    if !until.is_empty() {
        scanner.piece(until)?;
        scanner.skip();
    }
    loop {
        if scanner.accept("END") {
            let _ = scanner.accept_any(&["IF", "CASE", "LOOP", "WHILE", "REPEAT"]);
            if scanner.name_ahead(0).is_some() {
                scanner.skip();
            }
            return Ok(());
        }
        if scanner.accept("ELSEIF") || scanner.accept("WHEN") {
            scanner.piece(&["THEN"])?;
            scanner.skip();
        } else if scanner.accept("UNTIL") {
            scanner.piece(&["END REPEAT"])?;
        } else if scanner.accept("ELSE") {
        } else {
            stacker::maybe_grow(RED_ZONE, STACK, || scan_statement(scanner, depth + 1))?;
            if *scanner.peek() != Lexeme::Semicolon {
                return Err(scanner.unexpected());
            }
            scanner.skip();
        }
    }
}

fn is_handler(scanner: &Scanner<'_>) -> bool {
    ["CONTINUE", "EXIT", "UNDO"].iter().any(|kind| scanner.looks_at(&format!("DECLARE {kind} HANDLER")))
}

/// Passes over the conditions of a handler.
fn skip_conditions(scanner: &mut Scanner<'_>) -> Result<(), Error> {
    loop {
        if scanner.accept("SQLSTATE") {
            scanner.accept("VALUE");
            scanner.skip();
        } else if !scanner.accept("NOT FOUND") {
            if scanner.at_end() {
                return Err(scanner.unexpected());
            }
            scanner.skip();
        }
        if !scanner.accept_symbol(",") {
            return Ok(());
        }
    }
}
