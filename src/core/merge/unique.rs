//! Unique values under merge: who claims what, and which row must give way.

use super::image::{Write, source};
use super::keys::{Claim, KeyStates};
use super::state::RowState;
use crate::core::fault::Fatal;
use crate::core::planted::{Bug, Planted};
use crate::core::storage::Storage;
use crate::types::{ApplySeq, Key, RowKey, Stamp, TableId, UniqueValue};

/// What came of a write set's claims.
#[derive(Debug, Default)]
pub(super) struct Contest {
    /// `(table index, row index)` of changes with a claim below another row's.
    pub lost: Vec<(usize, usize)>,
    /// Rows whose claim a change outbid, and where; they may have given the value up meanwhile.
    pub outbid: Vec<(RowKey, UniqueValue)>,
}

/// Plays the claims and releases of one change on the registers of its unique values.
pub(super) fn claim(
    keys: &mut KeyStates,
    store: &mut dyn Storage,
    write: &Write<'_>,
    seq: ApplySeq,
    place: (usize, usize),
    contest: &mut Contest,
    planted: Planted,
) -> Result<(), Fatal> {
    let (table, row) = (write.table.table, &write.change.key);
    let claims = write.change.claims.iter().map(|u| (u, true));
    let releases = write.change.releases.iter().map(|u| (u, false));
    for (unique, takes) in releases.chain(claims) {
        let key = Key::Unique(table, unique.clone());
        let state = keys.entry(store, &key)?;
        state.written_at = seq;
        state.stamp = state.stamp.max(write.stamp);
        if write.validated {
            state.quorum = state.quorum.max(write.stamp);
        }
        let own = |stamp| Claim { row: row.clone(), stamp, txn: write.txn };
        match &state.owner {
            // Whose it was: an update that does not know of this release may yet bring the row back.
            None if !takes => state.owner = Some(own(Stamp::NONE)),
            None => state.owner = Some(own(write.stamp)),
            Some(_) if !takes => {}
            Some(owner) if owner.stamp < write.stamp || planted.has(Bug::UniqueByArrival) => {
                if owner.row != *row {
                    contest.outbid.push((RowKey { table, key: owner.row.clone() }, unique.clone()));
                }
                state.owner = Some(own(write.stamp));
            }
            Some(owner) if owner.row != *row => contest.lost.push(place),
            Some(_) => {}
        }
        keys.touch(key, write.stamp);
    }
    Ok(())
}

/// Hides rows that own not all of their unique values, once key states were made again of what the log still has: a claim that
/// hid a row did so by outbidding an earlier one, and that one may be gone.
pub fn hide_again(keys: &mut KeyStates, store: &dyn Storage) -> Result<(), Fatal> {
    let mut outbid = Vec::new();
    for (key, row) in keys.rows().filter(|(_, row)| row.is_alive() && !row.is_hidden()) {
        let values = values(store, key, row, None)?;
        if let Some(rival) = rival(keys, store, key.table, &key.key, values)? {
            outbid.push((key.clone(), rival.stamp));
        }
    }
    outbid.into_iter().for_each(|(key, by)| keys.hide(key, by));
    Ok(())
}

/// The unique values of a living row, as far as they were written, or may be doubted, above the horizon.
pub(super) fn values(
    store: &dyn Storage,
    key: &RowKey,
    row: &RowState,
    own: Option<&Write<'_>>,
) -> Result<Vec<UniqueValue>, Fatal> {
    let written = row.uniques.iter().filter_map(|(index, _, value)| {
        let values = value.clone()?;
        Some(UniqueValue { index: *index, values })
    });
    let mut values: Vec<UniqueValue> = written.collect();
    if row.is_revived()
        && let Some(top) = source(store, key, row.top_txn, own)?
    {
        let kept = top.keeps.into_iter().filter(|u| !row.uniques.iter().any(|(index, ..)| *index == u.index));
        values.extend(kept);
    }
    Ok(values)
}

/// The highest claim that another row has on one of `values`.
pub(super) fn rival(
    keys: &KeyStates,
    store: &dyn Storage,
    table: TableId,
    row: &[u8],
    values: Vec<UniqueValue>,
) -> Result<Option<Claim>, Fatal> {
    let mut highest: Option<Claim> = None;
    for unique in values {
        let state = keys.get(store, &Key::Unique(table, unique))?;
        let Some(owner) = state.and_then(|s| s.owner.clone()).filter(|o| *o.row != *row) else { continue };
        // A row that was only seen to give the value up claims nothing.
        if owner.stamp > Stamp::NONE && highest.as_ref().is_none_or(|h| owner.stamp > h.stamp) {
            highest = Some(owner);
        }
    }
    Ok(highest)
}
