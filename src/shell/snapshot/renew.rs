//! A member's side: going on with another's files, as the same member.

use super::fetch::{Error, Taker};
use crate::core::{Config, Fatal, Unfit, renew};
use crate::shell::clock::SystemClock;
use crate::shell::greeting::Credentials;
use crate::shell::metrics::Metrics;
use crate::sqlite::Store;
use std::path::Path;
use std::sync::Arc;
use tokio::time::{Duration, Instant, sleep};

/// Between two rounds of asking everybody.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two lines in the log while nobody has a snapshot.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// A stopped member that goes on from a snapshot.
pub struct Member {
    /// As its core will be opened with.
    pub config: Config,
    pub clock: SystemClock,
    pub random: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// Whom a member can ask.
///
/// # Errors
/// A sentence: the node's own state cannot be read.
pub fn others(directory: &Path, config: &Config) -> Result<Vec<String>, String> {
    let mut store = Store::open(&directory.join(super::STORE), None).map_err(|e| e.to_string())?;
    let members = crate::core::members_of(&store.begin()).map_err(|e| e.to_string())?;
    let voters =
        members.voters.into_iter().filter(|(node, _)| *node != config.node).map(|(_, m)| m.address.to_string());
    let mut others: Vec<String> = voters.collect();
    for seed in config.seeds.iter().map(ToString::to_string) {
        if !others.contains(&seed) {
            others.push(seed);
        }
    }
    Ok(others)
}

/// Takes the place of this member's database files, log and member list by another member's, and keeps what is this
/// member's own; see [`renew`]. Asks `others` in turn until one has a snapshot that will do. Goes on
/// where an earlier attempt was cut off; until everything is here and checked, the directory is as it was.
///
/// # Errors
/// A sentence: what was received cannot be used, whoever it comes from, or this node's disk fails.
pub async fn take_over(
    directory: &Path,
    others: &[String],
    credentials: &Credentials,
    metrics: &Metrics,
    member: Member,
    sound: bool,
) -> Result<(), String> {
    let taker = Taker::Member(Box::new(member));
    let mut told: Option<Instant> = None;
    loop {
        let mut some_lag_behind = false;
        for other in others {
            match super::fetch::fetch_from(directory, other, credentials, metrics, &taker).await {
                Ok(()) => return Ok(()),
                Err(Error::Local(why)) => return Err(format!("the snapshot from {other}: {why}")),
                Err(error) => {
                    some_lag_behind |= matches!(error, Error::Unfit(_));
                    if told.is_none_or(|at| at.elapsed() > TELL_EVERY) {
                        told = Some(Instant::now());
                        tracing::warn!(other, %error, "no snapshot from there yet: asking on");
                    }
                }
            }
        }
        if sound && some_lag_behind {
            tracing::warn!("no snapshot that will do: going on with what is here");
            return Ok(());
        }
        sleep(PAUSE).await;
    }
}

/// Makes what was received the state of the member whose directory this is.
pub(super) fn adopt(directory: &Path, incoming: &Path, seq: u64, member: &Member) -> Result<(), Error> {
    let failed = |e: Fatal| Error::Local(e.to_string());
    let mut own = Store::open(&directory.join(super::STORE), None).map_err(failed)?;
    let mut copy = Store::open_copy(&incoming.join(super::STORE), None).map_err(failed)?;
    let (now, seed) = (member.clock.now(), (member.random)());
    let own = own.begin();
    let mut round = copy.begin();
    match renew(member.config.clone(), now, seed, seq, &own, &mut round) {
        Ok(()) => {}
        Err(Unfit::Behind(why)) => return Err(Error::Unfit(why)),
        Err(other) => return Err(Error::Local(other.to_string())),
    }
    super::fetch::keep_identity(&own, &mut round).map_err(failed)?;
    round.commit().and_then(|()| copy.fold()).map_err(failed)
}
