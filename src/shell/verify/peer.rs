//! A conversation with another voter about its rows.

use super::definition::Defined;
use super::local::settle;
use super::{Answer, Ask, BUCKETS, IMAGE_BYTES, Place, RANGE, Settled, compare};
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
    /// What it said last of its definitions.
    pub(super) defined: Option<Defined>,
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
        Ok(Peer { id, talk: Talk::new(stream, session.frames(), session.answers()), defined: None })
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
    pub(super) fn nonsense(&self) -> Trouble {
        Trouble::Lost(self.id, "its answer makes no sense".into())
    }

    /// The sums of the rows above `after` and up to `until`, or to where it says. Whether that lies between the two only SQLite can
    /// tell: the caller asks it.
    pub async fn sums(
        &mut self,
        place: &Place,
        width: usize,
        after: Option<KeyCells>,
        until: Option<KeyCells>,
    ) -> Result<Sums, Trouble> {
        let ask = Ask::Range { table: place.clone(), after, until };
        let answer = self.ask(&ask).await?;
        let Ask::Range { until: asked, .. } = ask else { return Err(self.nonsense()) };
        match answer {
            Answer::Sums { until, rows, sums } => {
                let ends = until.as_ref().map_or(asked.is_none(), |until| until.len() == width);
                // So many are looked at, at most, and so long it may take at the pace that was configured.
                match ends && sums.len() == BUCKETS && rows <= 2 * RANGE as u64 {
                    true => Ok(Sums { until, rows, sums }),
                    false => Err(self.nonsense()),
                }
            }
            _ => Err(self.nonsense()),
        }
    }

    /// The rows in the first of these buckets of the range asked for last, and how many buckets those are.
    pub async fn marks(&mut self, buckets: &[u32], width: usize) -> Result<(usize, Vec<RowMark>), Trouble> {
        match self.ask(&Ask::Buckets(buckets.to_vec())).await? {
            Answer::Marks { buckets: covered, marks } => {
                let covered = usize::try_from(covered).unwrap_or(usize::MAX);
                let Some(listed) = buckets.get(..covered) else { return Err(self.nonsense()) };
                let is_in = |key: &KeyCells| listed.iter().any(|bucket| *bucket as usize == compare::bucket(key));
                if marks.iter().any(|(key, _)| key.len() != width || !is_in(key)) {
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

    /// Definitions of the first tables above `after`.
    pub async fn defined_after(
        &mut self,
        database: &DatabaseName,
        version: u64,
        after: Option<TableId>,
    ) -> Result<Vec<(TableId, RowDigest)>, Trouble> {
        match self.ask(&Ask::Definitions { database: database.clone(), version, after }).await? {
            Answer::Definitions(some) => Ok(some),
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

#[cfg(all(test, not(madsim)))]
pub(super) mod tests {
    use super::super::DEFINED;
    use super::*;
    use crate::shell::frame::{ClusterKey, Context, Hello, NONCE, Session};
    use crate::shell::peer_stream::{PeerStream, Slot};
    use crate::types::{Hlc, Value, Versions};
    use serde::ser::{Serialize, SerializeTuple, Serializer};
    use tokio::net::{TcpListener, TcpStream};

    /// Bytes that are said as they are.
    struct Raw(Vec<u8>);

    impl Serialize for Raw {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut bytes = serializer.serialize_tuple(self.0.len())?;
            self.0.iter().try_for_each(|byte| bytes.serialize_element(byte))?;
            bytes.end()
        }
    }

    fn raw(answer: &Answer) -> Vec<u8> {
        postcard::to_stdvec(answer).expect("plain data")
    }

    /// What comes of asking a node that says this, whatever it is asked.
    pub(in crate::shell::verify) fn asked<T>(
        answers: &[Vec<u8>],
        ask: impl AsyncFnOnce(&mut Peer) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let (dialled, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
            let hello = |nonce| Hello {
                purpose: Purpose::Verify,
                versions: Versions::BUILD,
                nonce: [nonce; NONCE],
                encrypted: false,
            };
            let context = Context { dialer: hello(1), listener: hello(2), binding: None };
            let session = Session::new(ClusterKey::new(b"a secret"), context);
            let stream = |socket| PeerStream::Plain(Slot::new(socket));
            let mut voter = Talk::new(stream(accepted.expect("a socket").0), session.answers(), session.frames());
            let talk = Talk::new(stream(dialled.expect("a socket")), session.frames(), session.answers());
            let mut peer = Peer { id: NodeId(2), talk, defined: None };
            let answering = async {
                let _: Ask = voter.hear().await.expect("a question");
                for answer in answers {
                    // Who has heard enough may have hung up.
                    let _ = voter.say(&Raw(answer.clone())).await;
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                done = ask(&mut peer) => done,
                () = answering => unreachable!("it waits for ever"),
            }
        })
    }

    fn place() -> Place {
        Place { database: "d".into(), version: 1, table: TableId::new(NodeId(1), 1) }
    }

    fn key(n: i64) -> KeyCells {
        vec![Value::Int(n)]
    }

    /// Whether the conversation is over, and why it says so.
    fn is_over<T>(asked: Result<T, Trouble>, why: &str) -> bool {
        matches!(asked, Err(Trouble::Lost(NodeId(2), said)) if said.contains(why))
    }

    #[test]
    fn sums_that_make_no_sense_end_the_conversation() {
        let sums = |until: Option<KeyCells>, rows, count| {
            let answer = raw(&Answer::Sums { until, rows, sums: vec![0; count] });
            asked(&[answer], async |peer| peer.sums(&place(), 1, Some(key(5)), Some(key(9))).await)
        };
        let most = 2 * RANGE as u64;
        assert!(sums(Some(key(9)), most, BUCKETS).is_ok());
        for (what, answered) in [
            ("too few sums", sums(Some(key(9)), 1, BUCKETS - 1)),
            ("too many sums", sums(Some(key(9)), 1, BUCKETS + 1)),
            ("a key of two columns", sums(Some([key(8), key(8)].concat()), 1, BUCKETS)),
            ("a key of none", sums(Some(Vec::new()), 1, BUCKETS)),
            ("the end of the table for that of a range", sums(None, 1, BUCKETS)),
            ("more rows than are looked at", sums(Some(key(9)), most + 1, BUCKETS)),
            ("a pause for ever", sums(Some(key(9)), u64::MAX, BUCKETS)),
        ] {
            assert!(is_over(answered, "makes no sense"), "{what}");
        }
    }

    #[test]
    fn marks_of_rows_that_nobody_asked_for_end_the_conversation() {
        let bucket = u32::try_from(compare::bucket(&key(7))).expect("a bucket");
        let other = (bucket + 1) % BUCKETS as u32;
        let marks = |buckets, marks: Vec<(KeyCells, RowDigest)>| {
            let answer = raw(&Answer::Marks { buckets, marks });
            asked(&[answer], async |peer| peer.marks(&[bucket, other], 1).await)
        };
        assert!(marks(1, vec![(key(7), [0; 16])]).is_ok());
        assert!(is_over(marks(3, Vec::new()), "makes no sense"), "more buckets than were asked for");
        assert!(is_over(marks(u32::MAX, Vec::new()), "makes no sense"));
        assert!(is_over(marks(0, vec![(key(7), [0; 16])]), "makes no sense"), "a row of a bucket it did not list");
        assert!(is_over(marks(2, vec![([key(7), key(7)].concat(), [0; 16])]), "makes no sense"));
        let other_only = asked(&[raw(&Answer::Marks { buckets: 1, marks: vec![(key(7), [0; 16])] })], async |peer| {
            peer.marks(&[other], 1).await
        });
        assert!(is_over(other_only, "makes no sense"), "a row of another bucket");
    }

    #[test]
    fn wrong_numbers_of_answers_and_answers_to_other_questions_end_the_conversation() {
        let looked = |count| {
            let answer = raw(&Answer::Looked(vec![None; count]));
            asked(&[answer], async |peer| peer.look(&place(), &[key(1), key(2)]).await)
        };
        assert!(looked(2).is_ok());
        assert!([0, 1, 3].into_iter().all(|count| is_over(looked(count), "makes no sense")));

        let settled = |count| {
            let unsettled = vec![false; count];
            let said = Settled { clock: Hlc(9), horizon: Hlc::MAX, is_redefined: false, gave_way: false, unsettled };
            let rows = [RowKey { table: place().table, key: [1].into() }];
            asked(&[raw(&Answer::Settled(said))], async move |peer| {
                peer.settled(&place().database, place().table, &rows).await
            })
        };
        assert!(settled(1).is_ok());
        assert!([0, 2, 1000].into_iter().all(|count| is_over(settled(count), "makes no sense")));

        let piece = raw(&Answer::Piece { bytes: vec![1], last: true });
        assert!(is_over(asked(&[piece], async |peer| peer.look(&place(), &[key(1)]).await), "makes no sense"));
        let sums = raw(&Answer::Sums { until: None, rows: 0, sums: Vec::new() });
        assert!(is_over(asked(&[sums], async |peer| peer.image(&key(1)).await), "makes no sense"));
    }

    #[test]
    fn definitions_that_do_not_ascend_end_the_conversation() {
        let table = |n: u64| (TableId::new(NodeId(1), n), [0; 16]);
        let defined = |tables: &[u64]| {
            let answer = raw(&Answer::Definitions(tables.iter().map(|n| table(*n)).collect()));
            asked(&[answer], async |peer| peer.definition(&place()).await)
        };
        assert_eq!(defined(&[1, 2]).expect("sense"), Some([0; 16]));
        assert_eq!(defined(&[2, 3]).expect("sense"), None);
        assert!(is_over(defined(&[2, 1]), "makes no sense") && is_over(defined(&[1, 1]), "makes no sense"));
        let many: Vec<u64> = (1..=DEFINED as u64 + 1).collect();
        assert!(is_over(defined(&many), "makes no sense"), "more than fit one answer");
        let full = raw(&Answer::Definitions((1..=DEFINED as u64).map(table).collect()));
        let again = asked(&[full.clone(), full], async |peer| peer.definition(&place()).await);
        assert!(is_over(again, "makes no sense"), "the same ones again, for ever");
    }

    #[test]
    fn a_row_that_does_not_end_or_is_none_ends_the_conversation() {
        let piece = |bytes: &[u8], last| raw(&Answer::Piece { bytes: bytes.to_vec(), last });
        let image = |answers: &[Vec<u8>]| asked(answers, async |peer| peer.image(&key(1)).await);
        let row: Image = vec![(crate::types::ColumnId(1), Value::Int(7))];
        let whole = postcard::to_stdvec(&row).expect("plain data");
        let (begin, end) = whole.split_at(2);
        assert_eq!(image(&[piece(begin, false), piece(end, true)]).expect("a row"), row);
        assert!(is_over(image(&[piece(&whole, false), piece(&[], false)]), "makes no sense"), "nothing, for ever");
        assert!(is_over(image(&[piece(begin, true)]), "makes no sense"), "half a row");
        assert!(is_over(image(&[piece(&[0xff; 40], true)]), "makes no sense"), "no row");
    }

    #[test]
    fn what_cannot_be_read_ends_the_conversation() {
        // The variant, then its fields; numbers and lengths are varints: this one of 2^56 digests.
        let endless = [&[3][..], &[0x80; 8], &[1]].concat();
        let truncated = raw(&Answer::Looked(vec![Some([7; 16]), None]));
        for bytes in [vec![99], vec![], vec![0xff; 1000], endless, truncated[..9].to_vec()] {
            let answered = asked(std::slice::from_ref(&bytes), async |peer| peer.look(&place(), &[key(1)]).await);
            assert!(is_over(answered, "malformed"), "{bytes:?}");
        }
    }

    #[test]
    fn who_has_another_definition_says_so_and_may_be_asked_again() {
        let refused = raw(&Answer::Refused("the definition is another one there".into()));
        let answered = asked(&[refused], async |peer| peer.look(&place(), &[key(1)]).await);
        assert!(matches!(answered, Err(Trouble::Later(why)) if why == "node 2: the definition is another one there"));
    }
}
