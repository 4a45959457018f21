//! This node's definitions of tables against the others': of one version of a schema they are the same, unless somebody edited a
//! file. Nothing is put right: a definition takes the rows along, so that a file with another one is fetched anew.

use super::pass::{Round, Verifier};
use super::peer::{Peer, Trouble, later};
use super::verdict::{Verdict, Voice, judge};
use super::{DEFINED, Place};
use crate::session::Agreement;
use crate::sqlite::RowDigest;
use crate::types::{DatabaseName, TableId, Versions};
use std::collections::BTreeMap;

/// Tables of one database, more than which no node has.
const TABLES: usize = 1_000_000;

/// What a node has of a database, at one version of its schema.
pub(super) struct Defined {
    database: DatabaseName,
    version: u64,
    tables: BTreeMap<TableId, RowDigest>,
}

impl Peer {
    /// The other's definition of a table; `None`: it has no such table. Asked once for all of a database.
    pub async fn definition(&mut self, place: &Place) -> Result<Option<RowDigest>, Trouble> {
        let is_of = |known: &&Defined| (&known.database, known.version) == (&place.database, place.version);
        if self.defined.as_ref().filter(is_of).is_none() {
            let tables = self.definitions(place).await?;
            self.defined = Some(Defined { database: place.database.clone(), version: place.version, tables });
        }
        Ok(self.defined.as_ref().and_then(|known| known.tables.get(&place.table)).copied())
    }

    async fn definitions(&mut self, place: &Place) -> Result<BTreeMap<TableId, RowDigest>, Trouble> {
        let mut tables = BTreeMap::new();
        loop {
            let after = tables.last_key_value().map(|(table, _)| *table);
            let some = self.defined_after(&place.database, place.version, after).await?;
            let is_last = some.len() < DEFINED;
            let ascends = some.iter().map(|(table, _)| Some(*table)).is_sorted_by(|a, b| a < b);
            let begins = some.first().is_none_or(|(table, _)| Some(*table) > after);
            if some.len() > DEFINED || !ascends || !begins || tables.len() > TABLES {
                return Err(self.nonsense());
            }
            tables.extend(some);
            if is_last {
                return Ok(tables);
            }
        }
    }
}

impl Verifier {
    /// Whether this node has a table's definition, `mine`, as `peer` has it; if not, whose is another than a majority's.
    pub(super) async fn agreement(
        &self,
        peer: &mut Peer,
        round: &Round<'_>,
        place: &Place,
        mine: RowDigest,
    ) -> Result<Agreement, Trouble> {
        // Whoever does not know the question hangs up.
        if round.status.version < Versions::COMPARED_DEFINITIONS {
            return Ok(Agreement::Same);
        }
        let theirs = peer.definition(place).await?;
        if theirs == Some(mine) {
            return Ok(Agreement::Same);
        }
        let mut voices = vec![Some(Some(mine)), Some(theirs)];
        for mut other in self.others(round, peer.id).await {
            // Who cannot say has no voice.
            voices.push(other.definition(place).await.ok());
        }
        agreed(&voices, round.status.voters).ok_or_else(|| {
            later(format!("node {} has another definition, and not all can say which is right", peer.id.0))
        })
    }
}

/// Whose definition is another one, by what the voters say, this node first; `None`: those who are away may decide it.
fn agreed(voices: &[Voice], voters: usize) -> Option<Agreement> {
    match judge(voices, voters) {
        Verdict::Mine => Some(Agreement::OtherThere),
        Verdict::Of(_) => Some(Agreement::OtherHere),
        Verdict::Nobody if voices.iter().flatten().count() < voters => None,
        Verdict::Nobody => Some(Agreement::Undecided),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_wrong_while_those_who_are_away_may_decide_it() {
        let said = |voices: &[Option<u8>], voters| {
            let voice = |v: &Option<u8>| v.map(|content| Some([content; 16]));
            agreed(&voices.iter().map(voice).collect::<Vec<_>>(), voters)
        };
        assert_eq!(said(&[Some(1), Some(2), Some(1)], 3), Some(Agreement::OtherThere));
        assert_eq!(said(&[Some(1), Some(2), Some(2)], 3), Some(Agreement::OtherHere));
        assert_eq!(said(&[Some(1), Some(2), Some(3)], 3), Some(Agreement::Undecided));
        assert_eq!(said(&[Some(1), Some(2)], 2), Some(Agreement::Undecided));
        assert_eq!(said(&[Some(1), Some(2)], 3), None);
        assert_eq!(said(&[Some(1), Some(2), None], 3), None);
    }
}
