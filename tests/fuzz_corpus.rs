//! The corpus of each fuzz target as ordinary tests, one for each file, so that what fuzzing once found stays found.

use libtest_mimic::{Arguments, Trial};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[path = "../fuzz/bodies/mysql_packet.rs"]
mod mysql_packet;
#[path = "../fuzz/bodies/peer_frame.rs"]
mod peer_frame;
#[path = "../fuzz/bodies/sql_translate.rs"]
mod sql_translate;

/// Each target with its body; a folder without a body here, or the other way round, is a failure.
const TARGETS: &[(&str, Body)] =
    &[("mysql_packet", mysql_packet::run), ("peer_frame", peer_frame::run), ("sql_translate", sql_translate::run)];

/// What a target does with one input; it panics if something is wrong.
type Body = fn(&[u8]);

fn main() -> ExitCode {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut trials = vec![Trial::test("every_target_has_a_corpus_and_a_body", {
        let fuzz = fuzz.clone();
        move || complete(&fuzz).map_err(Into::into)
    })];
    for (target, run) in TARGETS {
        for file in entries(&fuzz.join("corpus").join(target)) {
            let name = format!("{target}::{}", file.file_name().unwrap_or_default().to_string_lossy());
            trials.push(Trial::test(name, move || {
                run(&std::fs::read(&file)?);
                Ok(())
            }));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// What is in a folder, in order; nothing if there is no folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn complete(fuzz: &Path) -> Result<(), String> {
    let stems = |folder: &str| -> Vec<String> {
        let names = entries(&fuzz.join(folder)).into_iter();
        names.map(|path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned()).collect()
    };
    let known: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_string()).collect();
    for folder in ["fuzz_targets", "bodies", "corpus"] {
        let found = stems(folder);
        if found != known {
            return Err(format!("fuzz/{folder} has {found:?}, TARGETS in this file has {known:?}"));
        }
    }
    match TARGETS.iter().find(|(name, _)| entries(&fuzz.join("corpus").join(name)).is_empty()) {
        Some((name, _)) => Err(format!("the corpus of {name} is empty")),
        None => Ok(()),
    }
}
