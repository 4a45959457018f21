//! Who is right about a row, and putting this node's right.

use super::Place;
use super::compare::Suspect;
use super::local::Local;
use super::look::Confirmed;
use super::peer::{Peer, Trouble, later};
use crate::sqlite::{KeyCells, RowDigest, RowRepair, digest_of};
use crate::types::RowKey;

/// How many of some rows fared how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Rows of this node that are wrong, or that nobody can say of.
    pub mismatches: u64,
    /// Of these, replaced by what a majority has.
    pub repaired: u64,
    /// Of these, left as they are: there is no majority.
    pub undecided: u64,
    /// Rows that a majority has as this node has them, and another has not: it is up to that one.
    pub elsewhere: u64,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        self.mismatches += other.mismatches;
        self.repaired += other.repaired;
        self.undecided += other.undecided;
        self.elsewhere += other.elsewhere;
    }
}

/// What one node has of a row, or of a definition; `None`: it did not say, or it may not be compared.
pub(super) type Voice = Option<Option<RowDigest>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// This node has what a majority has.
    Mine,
    /// Another has, the one at this place among the voices.
    Of(usize),
    Nobody,
}

/// `voices[0]` is this node's.
pub(super) fn judge(voices: &[Voice], voters: usize) -> Verdict {
    let count = |content: &Voice| voices.iter().filter(|voice| *voice == content).count();
    let majority = voices.iter().position(|voice| voice.is_some() && count(voice) > voters / 2);
    match majority {
        Some(0) => Verdict::Mine,
        Some(at) => Verdict::Of(at),
        None => Verdict::Nobody,
    }
}

/// Asks all that can be asked of the rows that `peer` has otherwise, and puts this node's right where a majority of the `voters`
/// contradicts it.
pub(super) async fn settle(
    local: &Local,
    peer: &mut Peer,
    more: &mut [Peer],
    place: &Place,
    voters: usize,
    confirmed: &Confirmed,
) -> Result<Tally, Trouble> {
    let suspects = &confirmed.rows;
    let keys: Vec<KeyCells> = suspects.iter().map(|suspect| suspect.key.clone()).collect();
    let named = identities(local, place, &keys).await?;
    let mut voices: Vec<Vec<Voice>> = suspects.iter().map(|s| vec![Some(s.mine), Some(s.theirs)]).collect();
    for peer in more.iter_mut() {
        for (voices, voice) in voices.iter_mut().zip(hear(peer, place, &keys, &named).await) {
            voices.push(voice);
        }
    }
    let mut tally = Tally::default();
    let (mut rows, mut theirs) = (Vec::new(), Vec::new());
    for ((suspect, voices), id) in suspects.iter().zip(&voices).zip(&named) {
        match judge(voices, voters) {
            Verdict::Mine => tally.elsewhere += 1,
            Verdict::Nobody => (tally.mismatches, tally.undecided) = (tally.mismatches + 1, tally.undecided + 1),
            Verdict::Of(at) => {
                tally.mismatches += 1;
                // After this node's own voice comes that of `peer`.
                let holder = at.checked_sub(2).and_then(|at| more.get_mut(at)).unwrap_or(&mut *peer);
                rows.push(wanted(holder, suspect, voices[at].flatten()).await?);
                theirs.push(id.clone());
            }
        }
    }
    if !rows.is_empty() {
        tally.repaired = repair(local, place, confirmed, &rows, &theirs)?;
    }
    Ok(tally)
}

async fn identities(local: &Local, place: &Place, keys: &[KeyCells]) -> Result<Vec<RowKey>, Trouble> {
    let taken = local.snapshot_of(place).await.map_err(later)?;
    keys.iter().map(|key| taken.rows.identity(place.table, key)).collect::<Result<_, _>>().map_err(later)
}

/// What a node has of the rows; nothing where it cannot say.
async fn hear(peer: &mut Peer, place: &Place, keys: &[KeyCells], named: &[RowKey]) -> Vec<Voice> {
    let looked = match peer.look(place, keys).await {
        Ok(digests) => peer.settled(&place.database, place.table, named).await.map(|settled| (digests, settled)),
        Err(trouble) => Err(trouble),
    };
    match looked {
        Ok((digests, settled)) if !settled.is_redefined => {
            let may = |(digest, unsettled): (Option<RowDigest>, bool)| {
                (!(unsettled || settled.gave_way && digest.is_none())).then_some(digest)
            };
            digests.into_iter().zip(settled.unsettled.iter().copied()).map(may).collect()
        }
        Ok(_) => vec![None; keys.len()],
        Err(trouble) => {
            tracing::info!(%trouble, "a voting member has no say in what is right");
            vec![None; keys.len()]
        }
    }
}

/// The row as it must be, from one that has it so.
async fn wanted(peer: &mut Peer, suspect: &Suspect, content: Option<RowDigest>) -> Result<RowRepair, Trouble> {
    let (key, found) = (suspect.key.clone(), suspect.mine);
    let Some(content) = content else { return Ok(RowRepair { key, found, image: None }) };
    let image = peer.image(&key).await?;
    match digest_of(&image) == content {
        true => Ok(RowRepair { key, found, image: Some(image) }),
        false => Err(Trouble::Lost(peer.id, "it sent another row than it has".into())),
    }
}

/// Replaces rows, unless one of them was written since they were looked at.
fn repair(
    local: &Local,
    place: &Place,
    confirmed: &Confirmed,
    rows: &[RowRepair],
    named: &[RowKey],
) -> Result<u64, Trouble> {
    // While the applier stands still: what is recorded and settled now is in the file, and nothing else gets there.
    let may = || {
        let said = local.settling(&place.database, named.to_vec());
        local.is_in_time(confirmed.since) && said.is_ok_and(|s| !s.is_redefined && !s.unsettled.contains(&true))
    };
    let repaired = local.applier.repair(place.database.as_ref(), place.version, place.table, rows, may);
    Ok(repaired.map_err(later)? as u64)
}

#[cfg(all(test, not(madsim)))]
mod tests {
    use super::super::Answer;
    use super::super::peer::tests::asked;
    use super::*;
    use crate::sqlite::Image;
    use crate::types::{ColumnId, Value};

    fn judged(voices: &[Option<u8>], voters: usize) -> Verdict {
        // 0: it has no such row.
        let voice = |v: &Option<u8>| v.map(|content| (content > 0).then_some([content; 16]));
        judge(&voices.iter().map(voice).collect::<Vec<_>>(), voters)
    }

    #[test]
    fn only_a_majority_of_all_voting_members_is_right() {
        assert_eq!(judged(&[Some(1), Some(2)], 2), Verdict::Nobody);
        assert_eq!(judged(&[Some(1), Some(2), Some(2)], 3), Verdict::Of(1));
        assert_eq!(judged(&[Some(1), Some(2), Some(1)], 3), Verdict::Mine);
        assert_eq!(judged(&[Some(1), Some(2), Some(3)], 3), Verdict::Nobody);
        assert_eq!(judged(&[Some(1), Some(2), None], 3), Verdict::Nobody);
        // Two of five that can be asked are no majority, however equal.
        assert_eq!(judged(&[Some(1), Some(2), Some(2)], 5), Verdict::Nobody);
        assert_eq!(judged(&[Some(1), Some(2), Some(3), Some(3), Some(3)], 5), Verdict::Of(2));
        // Who does not say has nothing in common with another.
        assert_eq!(judged(&[Some(1), Some(2), None, None, None], 5), Verdict::Nobody);
    }

    #[test]
    fn a_row_that_is_not_the_one_it_claimed_to_have_is_not_taken() {
        let row: Image = vec![(ColumnId(1), Value::Int(7))];
        let suspect = Suspect { key: vec![Value::Int(1)], mine: None, theirs: Some(digest_of(&row)) };
        let sent = |image: &Image| {
            let bytes = postcard::to_stdvec(image).expect("plain data");
            let answer = postcard::to_stdvec(&Answer::Piece { bytes, last: true }).expect("plain data");
            asked(&[answer], async |peer| wanted(peer, &suspect, suspect.theirs).await)
        };
        assert_eq!(sent(&row).expect("it is").image, Some(row));
        for other in [vec![(ColumnId(1), Value::Int(8))], vec![(ColumnId(2), Value::Int(7))], Vec::new()] {
            assert!(matches!(sent(&other), Err(Trouble::Lost(_, why)) if why.contains("another row")), "{other:?}");
        }
    }

    #[test]
    fn not_to_have_a_row_counts_like_any_content() {
        assert_eq!(judged(&[Some(1), Some(0), Some(0)], 3), Verdict::Of(1));
        assert_eq!(judged(&[Some(0), Some(1), Some(1)], 3), Verdict::Of(1));
        assert_eq!(judged(&[Some(0), Some(1), Some(0)], 3), Verdict::Mine);
    }
}
