//! A conversation with another voter about its rows.

use super::local::settle;
use super::{Answer, Ask, BUCKETS, IMAGE_BYTES, Place, Settled};
use crate::shell::frame::{FrameError, Purpose};
use crate::shell::greeting::Credentials;
use crate::shell::snapshot::Talk;
use crate::sqlite::{Image, KeyCells, RowDigest, RowMark};
use crate::types::{DatabaseName, NodeId, RowKey, TableId};

/// Why two tables were not compared. Never wrong content: that is a result.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// It may go better next time.
    #[error("{0}")]
    Later(String),
    /// The conversation is over; another node may be asked.
    #[error("{0} cannot be asked: {1}")]
    Lost(NodeId, String),
}

pub(super) fn later(why: impl ToString) -> Trouble {
    Trouble::Later(why.to_string())
}

pub(super) struct Peer {
    pub id: NodeId,
    talk: Talk,
}

/// The sums of a range, and where it ends.
pub(super) struct Sums {
    pub until: Option<KeyCells>,
    pub rows: u64,
    pub sums: Vec<u128>,
}

impl Peer {
    pub async fn dial(credentials: &Credentials, id: NodeId, address: &str) -> Result<Peer, Trouble> {
        let dialled = credentials.dial(address, Purpose::Verify).await;
        let (stream, session) = dialled.map_err(|error| Trouble::Lost(id, error.to_string()))?;
        Ok(Peer { id, talk: Talk::new(stream, session.frames(), session.answers()) })
    }

    async fn hear(&mut self) -> Result<Answer, Trouble> {
        match self.talk.hear().await {
            Ok(Answer::Refused(why)) => Err(Trouble::Later(format!("node {}: {why}", self.id.0))),
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.lost(&error)),
        }
    }

    async fn ask(&mut self, ask: &Ask) -> Result<Answer, Trouble> {
        let said = self.talk.say(ask).await;
        said.map_err(|error| self.lost(&error))?;
        self.hear().await
    }

    fn lost(&self, error: &FrameError) -> Trouble {
        Trouble::Lost(self.id, error.to_string())
    }

    /// It answered something that was not asked for.
    fn nonsense(&self) -> Trouble {
        Trouble::Lost(self.id, "its answer makes no sense".into())
    }

    /// The sums of the rows above `after` and up to `until`, or to where it says.
    pub async fn sums(
        &mut self,
        place: &Place,
        width: usize,
        after: Option<KeyCells>,
        until: Option<KeyCells>,
    ) -> Result<Sums, Trouble> {
        let ask = Ask::Range { table: place.clone(), after: after.clone(), until };
        match self.ask(&ask).await? {
            Answer::Sums { until, rows, sums } => {
                let moves = until.as_ref().is_none_or(|until| until.len() == width && after.as_ref() != Some(until));
                match sums.len() == BUCKETS && moves {
                    true => Ok(Sums { until, rows, sums }),
                    false => Err(self.nonsense()),
                }
            }
            _ => Err(self.nonsense()),
        }
    }

    /// The rows in the first of these buckets of the range asked for last, and how many buckets those are.
    pub async fn marks(&mut self, buckets: Vec<u32>, width: usize) -> Result<(usize, Vec<RowMark>), Trouble> {
        let asked = buckets.len();
        match self.ask(&Ask::Buckets(buckets)).await? {
            Answer::Marks { buckets, marks } => {
                let covered = usize::try_from(buckets).unwrap_or(usize::MAX);
                if covered > asked || marks.iter().any(|(key, _)| key.len() != width) {
                    return Err(self.nonsense());
                }
                Ok((covered, marks.into_iter().map(|(key, digest)| RowMark { key, digest }).collect()))
            }
            _ => Err(self.nonsense()),
        }
    }

    /// The digests of single rows, of a new snapshot.
    pub async fn look(&mut self, place: &Place, keys: &[KeyCells]) -> Result<Vec<Option<RowDigest>>, Trouble> {
        match self.ask(&Ask::Look { table: place.clone(), keys: keys.to_vec() }).await? {
            Answer::Looked(digests) if digests.len() == keys.len() => Ok(digests),
            _ => Err(self.nonsense()),
        }
    }

    pub async fn settled(
        &mut self,
        database: &DatabaseName,
        table: TableId,
        rows: &[RowKey],
    ) -> Result<Settled, Trouble> {
        match self.ask(&settle(database, table, rows)).await? {
            Answer::Settled(settled) if settled.unsettled.len() == rows.len() => Ok(settled),
            _ => Err(self.nonsense()),
        }
    }

    /// A row of the snapshot looked at last.
    pub async fn image(&mut self, key: &KeyCells) -> Result<Image, Trouble> {
        let mut bytes = Vec::new();
        let mut answer = self.ask(&Ask::Image(key.clone())).await?;
        loop {
            let Answer::Piece { bytes: piece, last } = answer else { return Err(self.nonsense()) };
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > IMAGE_BYTES || (piece.is_empty() && !last) {
                return Err(self.nonsense());
            }
            if last {
                return postcard::from_bytes(&bytes).map_err(|_| self.nonsense());
            }
            answer = self.hear().await?;
        }
    }
}
