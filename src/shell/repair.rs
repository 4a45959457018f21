//! What a node does about its files before it opens them: it looks whether they are sound, keeps aside what is not, and
//! goes on from another member's snapshot.
//!
//! ```text
//!  start ── sound? ──────────────────────────────────────────────▶ open
//!             │ no: NAME.db ──▶ quarantine/NAME.db.corrupt-SECONDS    ▲
//!             └──▶ snapshot of another member ── adopt, move in ──────┘      nobody is served meanwhile
//!  running ── SQLite says corrupt, or every log is too short ──▶ driver ends ──▶ start
//! ```
//!
//! A member that lags, and finds only snapshots of members that lack what it has, opens its own files as they are: the others
//! need it first. A member stays who it is all through ([`core::renew`](crate::core::renew)). A node without others has nothing
//! to go on from: it says so, and leaves everything where it is. Nor can a damaged `marmot.db` be replaced: what the node
//! promised is in no other place.

use super::greeting::Credentials;
use super::instance::{Environment, belongs_to_a_cluster, identity_in};
use super::snapshot::{self, Member};
use crate::config::Config;
use crate::core::Fatal;
use crate::session::applier_functions;
use crate::sqlite::{Damage, Depth, damaged_files, damaged_store};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// The file that says that the last life of the node ended as asked.
const CLEAN: &str = "marmot.clean";
/// Where damaged files are kept.
const QUARANTINE: &str = "quarantine";
/// How long the trees of all files are walked after a stop that nobody asked for.
const WALK_FOR: Duration = Duration::from_secs(10);

/// What a start follows.
pub(super) enum Start {
    /// That of the process.
    New,
    /// That of the process, with `--check-data`.
    Checked,
    /// The end of an earlier life in this process.
    After(Fatal),
}

/// Why the node cannot go on with its files.
pub(super) enum Need {
    Damaged(Vec<Damage>),
    Lagging(Fatal),
}

/// Looks at the files of a node that belongs to a cluster: at their headers, more closely after a stop that nobody asked
/// for, and to the end if SQLite found damage, or somebody wants it.
///
/// # Errors
/// A sentence: nothing can be read, or the damage is where no snapshot helps.
pub(super) fn look(config: &Config, start: &Start) -> Result<Option<Need>, String> {
    let directory: &Path = &config.data_dir;
    let clean = directory.join(CLEAN);
    let stopped_cleanly = clean.exists();
    if stopped_cleanly {
        std::fs::remove_file(&clean).map_err(|e| format!("cannot remove {}: {e}", clean.display()))?;
    }
    let depth = match start {
        Start::Checked | Start::After(Fatal::Damaged(_)) => Depth::Full,
        Start::New if !stopped_cleanly => Depth::Quick(WALK_FOR),
        Start::New | Start::After(_) => Depth::Quick(Duration::ZERO),
    };
    let begun = Instant::now();
    let damaged = damaged_files(directory, depth, &applier_functions()).map_err(|e| e.to_string())?;
    if matches!(start, Start::Checked) {
        check_store(directory)?;
        if damaged.is_empty() {
            tracing::info!(seconds = begun.elapsed().as_secs_f32(), "all files are sound");
        }
    }
    // Nothing to mend is the rule: the state, whose log is read for this, is opened once more only otherwise.
    let is_sound = damaged.is_empty() && matches!(start, Start::New | Start::Checked);
    if is_sound || !belongs_to_a_cluster(directory)? {
        return Ok(None);
    }
    match start {
        _ if !damaged.is_empty() => Ok(Some(Need::Damaged(damaged))),
        Start::After(cause @ (Fatal::NeedsSnapshot { .. } | Fatal::Orphaned(_))) => {
            Ok(Some(Need::Lagging(cause.clone())))
        }
        Start::After(Fatal::Damaged(_)) => {
            check_store(directory)?;
            tracing::error!("no file is damaged now: look at the memory of this machine");
            Ok(None)
        }
        Start::New | Start::Checked | Start::After(_) => Ok(None),
    }
}

/// Reads the node's own state to the end.
///
/// # Errors
/// A sentence: it is damaged, or cannot be read.
fn check_store(directory: &Path) -> Result<(), String> {
    match damaged_store(directory).map_err(|e| e.to_string())? {
        // What this node promised is in no other place.
        Some(Damage { file, what }) => Err(format!(
            "{file} is damaged ({what}): remove this node on another one (ALTER CLUSTER REMOVE NODE), and start it with \
             an empty data directory and the seeds; check disk and memory first"
        )),
        None => Ok(()),
    }
}

/// Keeps damaged files aside, and goes on from another member's snapshot.
///
/// # Errors
/// A sentence: there is no other member, or what it gave cannot be used.
pub(super) async fn renew(
    config: &Config,
    environment: &Environment,
    need: Need,
    credentials: &Credentials,
) -> Result<(), String> {
    let directory: &Path = &config.data_dir;
    let node = identity_in(directory)?;
    let core = config.core(node);
    let others = snapshot::others(directory, &core)?;
    match &need {
        Need::Damaged(damaged) if others.is_empty() => return Err(nothing_to_go_on_from(directory, damaged)),
        Need::Damaged(damaged) => {
            for Damage { file, what } in damaged {
                let kept = quarantine(directory, file).map_err(|e| format!("cannot put {file} aside: {e}"))?;
                tracing::error!(file, what, kept = %kept.display(), "a damaged file is put aside and fetched anew");
            }
        }
        Need::Lagging(cause) => tracing::warn!(%cause, "fetching a snapshot"),
    }
    let member = Member { config: core, clock: environment.clock.clone(), random: environment.random.clone() };
    let sound = matches!(need, Need::Lagging(_));
    snapshot::take_over(directory, &others, credentials, &environment.metrics, member, sound).await
}

fn nothing_to_go_on_from(directory: &Path, damaged: &[Damage]) -> String {
    let list: Vec<String> = damaged.iter().map(|d| format!("{} ({})", d.file, d.what)).collect();
    format!(
        "damaged in {}: {}; this node is alone, so there is no other copy. Stop, copy the directory, check disk and \
         memory; then restore the whole directory from a backup of this node, or read what can be read into a new one \
         with `sqlite3 FILE .recover`",
        directory.display(),
        list.join(", ")
    )
}

/// Moves a file, with what belongs to it, to where nobody opens it.
fn quarantine(directory: &Path, file: &str) -> std::io::Result<PathBuf> {
    let folder = directory.join(QUARANTINE);
    std::fs::create_dir_all(&folder)?;
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let name = |n: u32| match n {
        0 => format!("{file}.corrupt-{seconds}"),
        n => format!("{file}.corrupt-{seconds}.{n}"),
    };
    let kept = (0..).map(|n| folder.join(name(n))).find(|path| !path.exists()).unwrap_or_default();
    // The file itself last: while it is in its old place, so is its log.
    for suffix in ["-journal", "-shm", "-wal", ""] {
        let from = directory.join(format!("{file}{suffix}"));
        if from.exists() {
            std::fs::rename(from, format!("{}{suffix}", kept.display()))?;
        }
    }
    for changed in [&folder, directory] {
        std::fs::File::open(changed)?.sync_all()?;
    }
    Ok(kept)
}

/// Notes that the node ended as asked, so that the next start need not look closely.
pub(super) fn stopped_cleanly(directory: &Path) {
    // Without the note the next start looks more closely, that is all.
    if let Err(error) = std::fs::File::create(directory.join(CLEAN)) {
        tracing::warn!(%error, "the clean stop could not be noted");
    }
}
