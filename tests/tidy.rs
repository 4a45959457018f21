//! Lint of the repository itself: layers, purity, size, names, leftovers. Standard library only, so that it can be
//! compiled and run alone (`ci/smoke.sh`) before anything else is.
//!
//! Each rule is a function from a text to what is wrong with it, tried on a bad sample of its own below.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What the code of each layer may name as `crate::…`. Lower never imports upper.
const LAYERS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("core", &["types"]),
    ("mysql", &["types"]),
    ("sql", &["types"]),
    ("config", &["types", "core"]),
    ("daemon", &["config"]),
    ("sqlite", &["types", "core", "sql"]),
    ("session", &["types", "core", "mysql", "sql", "sqlite", "config"]),
    ("extension", &["types", "sql"]),
    ("shell", &["types", "core", "mysql", "sql", "sqlite", "session", "config", "daemon"]),
];

/// Layers without IO, clocks, threads and unseeded order; and layers that may use hash maps but no IO either.
const PURE: &[&str] = &["types", "core"];
const WITHOUT_IO: &[&str] = &["types", "core", "mysql", "sql"];

const LONGEST_FILE: usize = 700;

/// A file name that says nothing about what is in it.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc"];

// ---------------------------------------------------------------------------------------------------------- the rules

/// `layer` is the first folder (or file stem) under `src`.
fn wrong_layer(layer: &str, code: &str) -> Vec<String> {
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
        return vec![format!("src/{layer} is not in the layer table of tests/tidy.rs")];
    };
    let used = segments_after(code, "crate");
    let upper = used.iter().filter(|name| {
        *name != layer && !allowed.contains(&name.as_str()) && LAYERS.iter().any(|(other, _)| other == name)
    });
    upper.map(|name| format!("{layer} must not use crate::{name}")).collect()
}

fn impure(layer: &str, code: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if WITHOUT_IO.contains(&layer) {
        for name in ["tokio", "rusqlite", "madsim", "Instant", "SystemTime"] {
            if words(code).any(|word| word == name) {
                wrong.push(format!("{layer} must not know {name}"));
            }
        }
        for name in segments_after(code, "std") {
            if ["net", "fs", "thread", "process", "env", "os"].contains(&name.as_str()) {
                wrong.push(format!("{layer} must not use std::{name}"));
            }
        }
    }
    if PURE.contains(&layer) {
        for name in ["HashMap", "HashSet"] {
            if words(code).any(|word| word == name) {
                wrong.push(format!("{layer} must not use {name}: its order differs from run to run; use BTree…"));
            }
        }
        // A Duration is only a number; everything else in std::time reads a clock.
        for name in segments_after(code, "time").iter().filter(|_| segments_after(code, "std").contains("time")) {
            if !matches!(name.as_str(), "Duration") {
                wrong.push(format!("{layer} must not use std::time::{name}"));
            }
        }
    }
    wrong
}

fn leftovers(code: &str) -> Vec<String> {
    let macros = ["todo!", "unimplemented!", "dbg!"];
    let mut wrong: Vec<String> =
        macros.iter().filter(|name| code.contains(**name)).map(|name| format!("{name} is left in the code")).collect();
    if code.replace(' ', "").contains("#[ignore") {
        wrong.push("a test is switched off with #[ignore]".to_string());
    }
    wrong
}

/// `unwrap` in code that is not a test says nothing about why it cannot fail.
fn unwraps(path: &str, code: &str) -> Vec<String> {
    let is_test = path.ends_with("tests.rs") || path.contains("/tests/") || path.contains("/testkit/");
    let shipped = code.split("#[cfg(test)]\nmod").next().unwrap_or_default();
    if !is_test && shipped.contains(".unwrap()") {
        vec!["unwrap() outside tests: return an error, or expect(\"the invariant in words\")".to_string()]
    } else {
        Vec::new()
    }
}

fn too_long(text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines > LONGEST_FILE { vec![format!("{lines} lines, the limit is {LONGEST_FILE}")] } else { Vec::new() }
}

fn says_nothing(path: &str) -> Vec<String> {
    let mut names = path.split('/').map(|part| part.split('.').next().unwrap_or_default());
    match names.find(|name| EMPTY_NAMES.contains(name)) {
        Some(name) => vec![format!("'{name}' says nothing about what is inside: use a noun of the domain")],
        None => Vec::new(),
    }
}

/// A source file begins with what it is for; `x/tests.rs` is for testing x.
fn no_prose(path: &str, text: &str) -> Vec<String> {
    let first = text.lines().next().unwrap_or_default();
    if path.ends_with("/tests.rs") || first.starts_with("//!") || first.starts_with("#![doc") {
        Vec::new()
    } else {
        vec!["the first line must be a //! comment that says what this file is for".to_string()]
    }
}

/// Paths of the machine somebody happened to build on.
fn machine_paths(text: &str) -> Vec<String> {
    let roots = ["work", "root", "home", "Users"].map(|folder| format!("/{folder}/"));
    let before = |at: usize| text[..at].chars().next_back();
    let named = roots.iter().filter(|root| {
        let starts = |(at, _): &(usize, &str)| !before(*at).is_some_and(|c| c.is_alphanumeric() || "._-}".contains(c));
        text.match_indices(root.as_str()).any(|found| starts(&found))
    });
    named.map(|root| format!("names a path of one machine: {root}…")).collect()
}

/// The README's map leads to every folder.
fn unmapped(readme: &str, folders: &[String]) -> Vec<String> {
    let missing = folders.iter().filter(|folder| !readme.contains(&format!("`{folder}/`")));
    missing.map(|folder| format!("README.md does not say what `{folder}/` is")).collect()
}

// ----------------------------------------------------------------------------------------------------- reading of code

/// `text` with comments and the contents of literals blanked out; line breaks stay.
fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut i = 0;
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    while i < chars.len() {
        let start = i;
        let c = chars[i];
        let after_word = start > 0 && (at(start - 1).is_alphanumeric() || at(start - 1) == '_');
        let raw = if after_word { None } else { raw_string(&chars, i) };
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && chars[i] != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            loop {
                match (at(i), at(i + 1)) {
                    ('/', '*') => (depth, i) = (depth + 1, i + 2),
                    ('*', '/') => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
                if depth == 0 || i >= chars.len() {
                    break;
                }
            }
        } else if let Some(end) = raw {
            i = end;
        } else if c == '"' {
            i += 1;
            while i < chars.len() && chars[i] != '"' {
                i += if chars[i] == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else if c == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'') {
            i += if at(i + 1) == '\\' { 3 } else { 2 };
            while i < chars.len() && chars[i] != '\'' {
                i += 1;
            }
            i += 1;
        } else {
            code.push(c);
            i += 1;
            continue;
        }
        let end = i.min(chars.len());
        code.extend(chars[start..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
    }
    code
}

/// The end of the raw string that begins at `start`, if one does.
fn raw_string(chars: &[char], start: usize) -> Option<usize> {
    let mut i = start;
    if matches!(chars.get(i)?, 'b' | 'c') {
        i += 1;
    }
    if *chars.get(i)? != 'r' {
        return None;
    }
    i += 1;
    let hashes = chars[i..].iter().take_while(|c| **c == '#').count();
    i += hashes;
    if *chars.get(i)? != '"' {
        return None;
    }
    i += 1;
    while i < chars.len() {
        if chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return Some(i + 1 + hashes);
        }
        i += 1;
    }
    Some(chars.len())
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// What follows `root::` anywhere in `code`: `root::a` gives a, `root::{b::c, d}` gives b and d.
fn segments_after(code: &str, root: &str) -> BTreeSet<String> {
    let marker = format!("{root}::");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(&marker) {
        if code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + marker.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.extend(words(rest).next().map(str::to_string));
            continue;
        };
        let mut depth = 0;
        let mut top = String::new();
        for c in group.chars() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                c if depth == 0 => top.push(c),
                _ => {}
            }
        }
        found.extend(top.split(',').filter_map(|path| words(path).next()).map(str::to_string));
    }
    found
}

// -------------------------------------------------------------------------------------------------- the repository

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Folders at the top that are made, not kept.
fn ignored() -> Vec<String> {
    let text = std::fs::read_to_string(root().join(".gitignore")).expect(".gitignore is readable");
    text.lines().filter_map(|line| line.strip_prefix('/')).map(str::to_string).collect()
}

/// All kept text files with their path from the root, in order.
fn files() -> Vec<(String, String)> {
    fn walk(folder: &Path, base: &Path, skip: &[String], found: &mut Vec<(String, String)>) {
        let entries = std::fs::read_dir(folder).expect("a folder of the repository is readable");
        for entry in entries {
            let path = entry.expect("an entry is readable").path();
            let name = path.strip_prefix(base).expect("under the root").to_string_lossy().replace('\\', "/");
            let hidden = name.starts_with(".git") && name != ".gitignore" && !name.starts_with(".github");
            if hidden || skip.contains(&name) || name.starts_with("fuzz/corpus") {
                continue;
            }
            if path.is_dir() {
                walk(&path, base, skip, found);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                found.push((name, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), &root(), &ignored(), &mut found);
    found.sort();
    found
}

fn rust_files() -> Vec<(String, String)> {
    files().into_iter().filter(|(path, _)| path.ends_with(".rs")).collect()
}

/// The layer a file belongs to; `None` outside the library and for its root.
fn layer(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("src/")?;
    let first = rest.split('/').next()?;
    let stem = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(stem, "lib" | "main")).then_some(stem)
}

fn report(rule: &str, wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{rule}:\n  {}", wrong.join("\n  "));
}

/// Applies `check` to each file and prefixes what it finds with the path.
fn each(files: Vec<(String, String)>, check: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
    let one = |(path, text): &(String, String)| -> Vec<String> {
        check(path, text).into_iter().map(|wrong| format!("{path}: {wrong}")).collect()
    };
    files.iter().flat_map(one).collect()
}

#[test]
fn layers_import_only_lower_layers() {
    let wrong = each(rust_files(), |path, text| layer(path).map_or(Vec::new(), |l| wrong_layer(l, &code_of(text))));
    report("the layer table (tests/tidy.rs)", wrong);
}

#[test]
fn pure_layers_are_pure() {
    // Golden scripts are read from files: by tests only.
    let for_tests = |path: &str| path.contains("/testkit/") || path.ends_with("/tests.rs");
    let check = |path: &str, text: &str| match layer(path) {
        Some(layer) if !for_tests(path) => impure(layer, &code_of(text)),
        _ => Vec::new(),
    };
    report("purity", each(rust_files(), check));
}

#[test]
fn nothing_is_left_over() {
    report("leftovers", each(rust_files(), |_, text| leftovers(&code_of(text))));
}

#[test]
fn unwrap_is_for_tests() {
    let of_library = |path: &str| path.starts_with("src/");
    let check = |path: &str, text: &str| if of_library(path) { unwraps(path, &code_of(text)) } else { Vec::new() };
    report("unwrap", each(rust_files(), check));
}

#[test]
fn files_are_short_and_named_by_what_they_are() {
    report("length", each(rust_files(), |_, text| too_long(text)));
    report("names", each(files(), |path, _| says_nothing(path)));
    report("prose", each(rust_files(), no_prose));
}

#[test]
fn no_path_of_a_build_machine_is_named() {
    report("paths", each(files(), |_, text| machine_paths(text)));
}

#[test]
fn the_readme_maps_every_folder() {
    let skip = ignored();
    let folders_in = |folder: &str| -> Vec<String> {
        let entries = std::fs::read_dir(root().join(folder)).expect("a readable folder");
        let paths = entries.map(|entry| entry.expect("a readable entry")).filter(|entry| entry.path().is_dir());
        // An empty folder is not kept by git.
        let kept = paths.filter(|entry| entry.path().read_dir().is_ok_and(|mut inside| inside.next().is_some()));
        kept.map(|entry| format!("{folder}{}", entry.file_name().to_string_lossy())).collect()
    };
    let mut folders = folders_in("");
    folders.extend(folders_in("src/"));
    folders.retain(|folder| !folder.starts_with('.') && !skip.contains(folder));
    folders.sort();
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md is readable");
    report("the map in README.md", unmapped(&readme, &folders));
}

// --------------------------------------------------------------------------------------------------- the rules' tests

#[test]
fn rule_layers_sees_plain_grouped_and_unknown() {
    assert_eq!(wrong_layer("core", "use crate::types::Span; use crate::core::Node;"), [""; 0]);
    assert_eq!(wrong_layer("core", "use crate::sqlite::Store;"), ["core must not use crate::sqlite"]);
    assert_eq!(wrong_layer("sql", "use crate::{types::{a, b}, mysql::c};"), ["sql must not use crate::mysql"]);
    assert_eq!(wrong_layer("types", "fn f(x: crate::core::Node) {}"), ["types must not use crate::core"]);
    assert_eq!(wrong_layer("newcomer", "").len(), 1);
}

#[test]
fn rule_purity_sees_io_clocks_and_unordered_maps() {
    assert_eq!(impure("core", "use std::collections::BTreeMap; use std::time::Duration; let instant = 1;"), [""; 0]);
    assert_eq!(impure("sql", "use std::collections::HashMap;"), [""; 0], "a translator may hash");
    for (layer, bad) in [
        ("core", "use std::collections::HashMap;"),
        ("types", "let s: HashSet<u8> = x;"),
        ("core", "use std::{fmt, fs::File};"),
        ("core", "std::thread::spawn(f)"),
        ("core", "use std::time::{Duration, SystemTime};"),
        ("core", "use std::time::UNIX_EPOCH;"),
        ("mysql", "use tokio::io::AsyncRead;"),
        ("sql", "rusqlite::Connection"),
        ("mysql", "std::net::TcpStream::connect(a)"),
    ] {
        assert!(!impure(layer, bad).is_empty(), "{layer}: {bad}");
    }
    assert_eq!(impure("shell", "use tokio::net::TcpStream; std::time::Instant::now()"), [""; 0]);
}

#[test]
fn rule_leftovers_sees_code_and_not_prose() {
    assert_eq!(leftovers(&code_of("// todo! later\nlet s = \"dbg!(x)\"; let r = r#\"unimplemented!\"#;")), [""; 0]);
    assert_eq!(leftovers(&code_of("fn f() { todo!() }")).len(), 1);
    assert_eq!(leftovers(&code_of("dbg!(x); unimplemented!()")).len(), 2);
    assert_eq!(leftovers(&code_of("#[ignore = \"slow\"]\nfn t() {}")).len(), 1);
    assert_eq!(leftovers(&code_of("# [ ignore ]\nfn t() {}")).len(), 1);
}

#[test]
fn rule_unwrap_spares_tests() {
    assert_eq!(
        unwraps("src/a.rs", "fn f() { x.unwrap_or(1) }\n#[cfg(test)]\nmod tests { fn t() { x.unwrap() } }"),
        [""; 0]
    );
    assert_eq!(unwraps("src/a/tests.rs", "x.unwrap()"), [""; 0]);
    assert_eq!(unwraps("src/a.rs", "x.unwrap()").len(), 1);
}

#[test]
fn rules_on_files_see_bad_ones() {
    assert_eq!(too_long(&"x\n".repeat(LONGEST_FILE)), [""; 0]);
    assert_eq!(too_long(&"x\n".repeat(LONGEST_FILE + 1)).len(), 1);
    assert_eq!(says_nothing("src/sql/literal.rs"), [""; 0]);
    assert_eq!(says_nothing("src/sql/utils.rs").len(), 1);
    assert_eq!(says_nothing("src/common/mod.rs").len(), 1);
    assert_eq!(no_prose("a.rs", "//! What.\n"), [""; 0]);
    assert_eq!(no_prose("a.rs", "use x;\n").len(), 1);
}

#[test]
fn rule_machine_paths_sees_absolute_ones_only() {
    assert_eq!(machine_paths("$HOME/.cargo ./work/x target/work/y node.work/ ${DIR}/root/z"), [""; 0]);
    for folder in ["work", "root", "home", "Users"] {
        assert_eq!(machine_paths(&format!("see /{folder}/me/x")).len(), 1, "{folder}");
    }
    assert_eq!(machine_paths(&format!("/{}/x at the start", "work")).len(), 1);
}

#[test]
fn rule_readme_map_sees_a_missing_folder() {
    let folders = ["src".to_string(), "sim".to_string()];
    assert_eq!(unmapped("`src/` is code, `sim/` simulates", &folders), [""; 0]);
    assert_eq!(unmapped("`src/` is code, sim simulates", &folders).len(), 1);
}

#[test]
fn comments_and_literals_are_blanked() {
    for (text, kept) in [
        ("a // b", "a"),
        ("a /* b /* c */ d */ e", "a e"),
        ("f(\"x \\\" y\", 'z', '\\'', '\\u{41}')", "f( , , , )"),
        ("fn f<'a>(x: &'a str) -> &'a str", "fn f<'a>(x: &'a str) -> &'a str"),
        ("r#\"a \" b\"# c br\"d\" e", "c e"),
        ("\"// no comment\" a", "a"),
    ] {
        let code = code_of(text).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(code, kept, "{text}");
    }
    assert_eq!(code_of("a\n/* b\n */\nc").lines().count(), 4, "line breaks stay");
}
