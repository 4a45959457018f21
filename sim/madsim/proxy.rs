//! Builds the simulator with `--cfg madsim` in a target folder of its own and becomes it, with the same arguments.
//!
//! A build script cannot do it (its flags reach one crate, the flag must reach all), and neither can a feature: under
//! the flag tokio's names mean the simulator's. The separate folder keeps the two builds from evicting one another.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Does not return unless something is wrong; then the exit code of a failed test run.
pub fn run() -> i32 {
    let why = match build() {
        Ok(simulator) => Command::new(simulator).args(std::env::args_os().skip(1)).exec().to_string(),
        Err(why) => why,
    };
    eprintln!("the simulator cannot be started: {why}");
    101
}

/// The path of the built simulator.
fn build() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let (profile, target) = profile_and_target(&this).ok_or("this test is not in a target folder")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        // Where the configuration with SQLite's compile options is found.
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["test", "--features", "sim", "--test", "sim", "--no-run", "--message-format=json-render-diagnostics"])
        .args(["--profile", &profile])
        .env("CARGO_TARGET_DIR", target.join("sim"))
        .env("CARGO_ENCODED_RUSTFLAGS", flags(&|name| std::env::var(name).ok()))
        .env_remove("RUSTFLAGS")
        // Without optimisation a hundred seeds would take half an hour.
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    if std::env::args().any(|argument| argument == "--list") {
        cargo.arg("--quiet");
    }
    // What the outer cargo says about this test's package must not reach build scripts.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_BIN_EXE_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&*name);
        }
    }
    let output = cargo.output().map_err(|e| format!("cargo: {e}"))?;
    if !output.status.success() {
        return Err("it does not compile".to_string());
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    executable(&messages).ok_or_else(|| "cargo did not say where it is".to_string())
}

/// `<target>/<profile folder>/deps/<program>` gives the profile's name and the target folder.
fn profile_and_target(program: &Path) -> Option<(String, PathBuf)> {
    let folder = program.parent()?.parent()?;
    let profile = match folder.file_name()?.to_str()? {
        "debug" => "dev",
        other => other,
    };
    Some((profile.to_string(), folder.parent()?.to_path_buf()))
}

/// The caller's compiler flags and ours, in cargo's encoding.
fn flags(variable: &dyn Fn(&str) -> Option<String>) -> String {
    let encoded = variable("CARGO_ENCODED_RUSTFLAGS").filter(|flags| !flags.is_empty());
    let plain = || variable("RUSTFLAGS").map(|f| f.split_whitespace().collect::<Vec<_>>().join("\u{1f}"));
    let callers = encoded.or_else(plain).unwrap_or_default();
    let separator = if callers.is_empty() { "" } else { "\u{1f}" };
    format!("{callers}{separator}--cfg\u{1f}madsim")
}

/// Where cargo's messages say the test called `sim` is.
fn executable(messages: &str) -> Option<PathBuf> {
    let about_it = |line: &&str| line.contains("\"compiler-artifact\"") && line.contains("\"name\":\"sim\"");
    messages.lines().rev().filter(about_it).find_map(|line| {
        let (_, rest) = line.split_once("\"executable\":\"")?;
        Some(PathBuf::from(rest.split('"').next()?))
    })
}

/// Tests of the parts, for the simulator's list.
pub const TESTS: &[(&str, fn())] = &[
    ("proxy::profile_and_target_are_read_off_the_path", paths),
    ("proxy::the_callers_flags_stay", callers_flags),
    ("proxy::the_program_is_found_in_cargo_s_messages", messages),
];

fn paths() {
    let of = |path: &str| profile_and_target(Path::new(path));
    assert_eq!(of("t/debug/deps/sim-1"), Some(("dev".into(), "t".into())));
    assert_eq!(of("t/ci/deps/sim-1"), Some(("ci".into(), "t".into())));
    assert_eq!(of("sim-1"), None);
}

fn callers_flags() {
    let with =
        |name: &'static str, value: &'static str| flags(&move |asked| (asked == name).then(|| value.to_string()));
    assert_eq!(with("", ""), "--cfg\u{1f}madsim");
    assert_eq!(with("RUSTFLAGS", "-C  opt-level=1"), "-C\u{1f}opt-level=1\u{1f}--cfg\u{1f}madsim");
    assert_eq!(with("CARGO_ENCODED_RUSTFLAGS", "-Dwarnings"), "-Dwarnings\u{1f}--cfg\u{1f}madsim");
}

fn messages() {
    let other = r#"{"reason":"compiler-artifact","target":{"name":"marmot"},"executable":null}"#;
    let ours = r#"{"reason":"compiler-artifact","target":{"name":"sim"},"executable":"/t/deps/sim-2"}"#;
    assert_eq!(executable(&format!("{other}\n{ours}\n{other}")), Some(PathBuf::from("/t/deps/sim-2")));
    assert_eq!(executable(other), None);
}
