//! The two looks at a table: what differs, and what differs still when all of it must be equal.

use super::compare::{self, Suspect};
use super::local::Local;
use super::peer::{Peer, Trouble, later};
use super::{NAMED, Place, RANGE, Settled, buckets};
use crate::sqlite::{KeyCells, KeyRange, RowMark, TableRows};
use crate::types::{Hlc, Mono, RowKey};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Rows of a range that are looked at twice, at most; then the range is looked at again.
const SUSPECTS: usize = 1024;
/// How long what was seen first may take to be everywhere.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What came of the first look at a range.
pub(super) struct Seen {
    /// Where it ends; `None`: with the table.
    pub until: Option<KeyCells>,
    /// Rows here, and there.
    pub rows: (u64, u64),
    /// Rows that differ and are settled on both sides.
    pub suspects: Vec<Suspect>,
    /// Differing rows that were left out: written a moment ago.
    pub unsettled: u64,
    /// Not all that differs was looked at.
    pub is_partial: bool,
    /// At or above everything that either node had recorded.
    pub clock: Hlc,
}

/// What came of the second look.
pub(super) struct Confirmed {
    pub rows: Vec<Suspect>,
    /// When this node's snapshot was begun.
    pub since: Mono,
}

/// Compares the rows above `after`, as many as are looked at in one go.
pub(super) async fn first(
    local: &Local,
    peer: &mut Peer,
    place: &Place,
    after: Option<KeyCells>,
) -> Result<Seen, Trouble> {
    let mut taken = local.snapshot_of(place).await.map_err(later)?;
    let width = taken.rows.key_columns(place.table).unwrap_or(0);
    let mut range = KeyRange { after: after.as_deref(), until: None };
    let mut mine = taken.rows.marks(place.table, range, RANGE).map_err(later)?;
    let end = (mine.len() == RANGE).then(|| mine.last().map(|mark| mark.key.clone())).flatten();
    let theirs = peer.sums(place, width, after.clone(), end.clone()).await?;
    range.until = end.as_deref();
    if let Some(until) = theirs.until.as_ref().filter(|until| Some(*until) != end.as_ref()) {
        // It has more rows than it looks at.
        if !taken.rows.lies_in(place.table, until, range).map_err(later)? {
            return Err(peer.nonsense());
        }
        range.until = Some(until);
        mine = taken.rows.marks(place.table, range, RANGE).map_err(later)?;
    }
    let differing = compare::differing(&compare::sums(&mine), &theirs.sums);
    let mut seen = Seen {
        until: theirs.until,
        rows: (mine.len() as u64, theirs.rows),
        suspects: Vec::new(),
        unsettled: 0,
        is_partial: false,
        clock: Hlc::ZERO,
    };
    if differing.is_empty() {
        return Ok(seen);
    }
    let (covered, marks) = peer.marks(&differing, width).await?;
    if covered == 0 {
        return Err(later("the keys of this table are too long to be listed"));
    }
    let all = buckets(&mine);
    let listed = differing.iter().take(covered).filter_map(|bucket| all.get(*bucket as usize));
    let here: Vec<&RowMark> = listed.flatten().copied().collect();
    let suspects = compare::suspects(&here, &marks, SUSPECTS, |key| taken.rows.identity(place.table, key));
    let suspects = suspects.map_err(later)?;
    seen.is_partial = covered < differing.len() || suspects.len() == SUSPECTS;
    let found = suspects.len();
    let named = identities(&taken.rows, place, &suspects)?;
    let (kept, clock) = settled_on_both(local, peer, place, suspects, named, taken.since).await?;
    seen.unsettled = (found - kept.len()) as u64;
    (seen.suspects, seen.clock) = (kept, clock);
    Ok(seen)
}

/// Looks at rows again, at most [`NAMED`], once both nodes have everything of the first look.
pub(super) async fn second(
    local: &Local,
    peer: &mut Peer,
    place: &Place,
    suspects: &[Suspect],
    clock: Hlc,
) -> Result<Confirmed, Trouble> {
    let began = Instant::now();
    loop {
        let there = peer.settled(&place.database, place.table, &[]).await?;
        let here = local.settled((&place.database, place.table), Vec::new()).map_err(later)?;
        if there.horizon.min(here.horizon) > clock {
            break;
        }
        if began.elapsed() > PATIENCE {
            return Err(later("rows differ, but not everything is everywhere yet: is a voting member away?"));
        }
        sleep(LOOK_EVERY).await;
    }
    let mut taken = local.snapshot_of(place).await.map_err(later)?;
    let keys: Vec<KeyCells> = suspects.iter().map(|suspect| suspect.key.clone()).collect();
    let mine = keys.iter().map(|key| taken.rows.digest_of(place.table, key)).collect::<Result<Vec<_>, _>>();
    let theirs = peer.look(place, &keys).await?;
    let again = mine.map_err(later)?.into_iter().zip(theirs);
    let same =
        suspects.iter().zip(again).filter(|(first, (mine, theirs))| (first.mine, first.theirs) == (*mine, *theirs));
    let same: Vec<Suspect> = same.map(|(suspect, _)| suspect.clone()).collect();
    let named = identities(&taken.rows, place, &same)?;
    let (rows, _) = settled_on_both(local, peer, place, same, named, taken.since).await?;
    Ok(Confirmed { rows, since: taken.since })
}

fn identities(rows: &TableRows, place: &Place, suspects: &[Suspect]) -> Result<Vec<RowKey>, Trouble> {
    suspects.iter().map(|suspect| rows.identity(place.table, &suspect.key)).collect::<Result<_, _>>().map_err(later)
}

/// Those of the rows that may be compared, and a clock at or above everything that either node has recorded. At the first look
/// this only saves a second one. There it is what makes the verdict right, and that the rows are the same twice is not: one that
/// goes to and fro between two contents may be so on both nodes at both looks, each with another write under way.
async fn settled_on_both(
    local: &Local,
    peer: &mut Peer,
    place: &Place,
    suspects: Vec<Suspect>,
    named: Vec<RowKey>,
    since: Mono,
) -> Result<(Vec<Suspect>, Hlc), Trouble> {
    let mut there = Vec::new();
    for some in named.chunks(NAMED) {
        there.push(peer.settled(&place.database, place.table, some).await?);
    }
    let here = local.settled((&place.database, place.table), named).map_err(later)?;
    if !local.is_in_time(since) {
        return Err(later("comparing took too long: one of the nodes is slow"));
    }
    let clock = there.iter().map(|said| said.clock).max().unwrap_or_default().max(here.clock);
    let may = may_compare(&here, &there, &suspects).map_err(later)?;
    Ok((suspects.into_iter().zip(may).filter(|(_, may)| *may).map(|(suspect, _)| suspect).collect(), clock))
}

/// Which rows both nodes must have equal, by what both say; `there` says it of the same rows, in parts.
fn may_compare(here: &Settled, there: &[Settled], suspects: &[Suspect]) -> Result<Vec<bool>, &'static str> {
    if here.is_redefined || there.iter().any(|said| said.is_redefined) {
        return Err("its definition was changed a moment ago");
    }
    let gave_way = here.gave_way || there.iter().any(|said| said.gave_way);
    let unsettled = here.unsettled.iter().zip(there.iter().flat_map(|said| &said.unsettled));
    let may = |(suspect, (here, there)): (&Suspect, (&bool, &bool))| {
        let is_one_sided = suspect.mine.is_none() || suspect.theirs.is_none();
        !(*here || *there || gave_way && is_one_sided)
    };
    Ok(suspects.iter().zip(unsettled).map(may).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(unsettled: &[bool]) -> Settled {
        let (clock, horizon) = (Hlc(9), Hlc(5));
        Settled { clock, horizon, is_redefined: false, gave_way: false, unsettled: unsettled.to_vec() }
    }

    fn suspect(mine: Option<u8>, theirs: Option<u8>) -> Suspect {
        let digest = |content: Option<u8>| content.map(|c| [c; 16]);
        Suspect { key: vec![], mine: digest(mine), theirs: digest(theirs) }
    }

    #[test]
    fn a_row_that_either_node_has_unsettled_is_left_alone() {
        let rows = [suspect(Some(1), Some(2)), suspect(Some(1), Some(2)), suspect(Some(1), Some(2))];
        let there = [said(&[false, true]), said(&[false])];
        assert_eq!(may_compare(&said(&[true, false, false]), &there, &rows), Ok(vec![false, false, true]));
    }

    #[test]
    fn a_row_that_only_one_has_is_left_alone_while_rows_give_way() {
        let rows = [suspect(Some(1), None), suspect(None, Some(2)), suspect(Some(1), Some(2))];
        let calm = said(&[false; 3]);
        assert_eq!(may_compare(&calm, std::slice::from_ref(&calm), &rows), Ok(vec![true; 3]));
        let busy = Settled { gave_way: true, ..calm.clone() };
        for (here, there) in [(&calm, &busy), (&busy, &calm)] {
            assert_eq!(may_compare(here, std::slice::from_ref(there), &rows), Ok(vec![false, false, true]));
        }
    }

    #[test]
    fn nothing_is_compared_while_the_definition_is_new_to_either() {
        let rows = [suspect(Some(1), Some(2))];
        let old = said(&[false]);
        let new = Settled { is_redefined: true, ..old.clone() };
        assert!(may_compare(&old, std::slice::from_ref(&new), &rows).is_err());
        assert!(may_compare(&new, std::slice::from_ref(&old), &rows).is_err());
    }
}
