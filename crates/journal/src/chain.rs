//! The chain that makes every record vouch for all before it: `digest = H(salt ‖ bytes)`, `link = H(previous link ‖
//! digest)`, H is BLAKE3. The format is final: erasing drops salt and bytes of a record and keeps its digest.
//! Never: knowing where rows are kept.

use std::fmt;
use std::ops::Range;

use windlass_core::event::{Event, Record};
use windlass_core::id::{Epoch, Seq};

use crate::error::{JournalError, Rule};
use crate::record::{self, BATCH_BYTES_MAX};

/// The length of a salt. It keeps an erased record from being guessed by its digest.
pub const SALT_BYTES: usize = 16;

/// The chain up to a record. Before the first it is all zeros.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Link(pub [u8; 32]);

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Link {
    /// The link behind this one.
    #[must_use]
    pub fn then(&self, digest: &[u8; 32]) -> Self {
        let mut both = [0; 64];
        both[..32].copy_from_slice(&self.0);
        both[32..].copy_from_slice(digest);
        Self(*blake3::hash(&both).as_bytes())
    }
}

/// Where a journal ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The place of the last record; 0 in an empty journal.
    pub seq: Seq,
    /// The chain up to it.
    pub link: Link,
    /// The newest opening.
    pub epoch: Epoch,
}

/// Draws the salts of an opening from a secret that is never stored, so that it needs no call a record.
pub(crate) struct Salts {
    secret: [u8; 32],
}

impl Salts {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    fn of(&self, seq: Seq, expected: Seq) -> [u8; SALT_BYTES] {
        let mut from = [0; 16];
        from[..8].copy_from_slice(&seq.0.to_le_bytes());
        from[8..].copy_from_slice(&expected.0.to_le_bytes());
        let hash = blake3::keyed_hash(&self.secret, &from);
        hash.as_bytes()[..SALT_BYTES].try_into().expect("a hash is longer than a salt")
    }
}

/// A batch as it is to be stored: one buffer, and where each record's salt and bytes lie in it.
#[derive(Default)]
pub(crate) struct Sealed {
    buffer: Vec<u8>,
    rows: Vec<(Seq, Range<usize>, Link)>,
    pub(crate) head: Head,
}

impl Sealed {
    /// Checks a batch against the rules and the end of the journal, and encodes it. Buffers are used again.
    pub(crate) fn seal(
        &mut self,
        head: Head,
        epoch: Epoch,
        batch: &[Record],
        salts: &Salts,
    ) -> Result<(), JournalError> {
        self.buffer.clear();
        self.rows.clear();
        self.head = head;
        if epoch < head.epoch {
            return Err(JournalError::Superseded { ours: epoch, newest: head.epoch });
        }
        for record in batch {
            let broken = |rule| JournalError::Malformed { seq: record.seq, rule };
            if record.seq != self.head.seq.next() {
                return Err(broken(Rule::Gap));
            }
            let starts = started(&record.event);
            let due = self.head.epoch < epoch || epoch == Epoch(0);
            if starts.is_some() != due || starts.is_some_and(|said| said != epoch || epoch == Epoch(0)) {
                return Err(broken(Rule::EpochStart));
            }
            let start = self.buffer.len();
            self.buffer.extend_from_slice(&salts.of(record.seq, head.seq));
            record::encode(record, &mut self.buffer)?;
            if self.buffer.len() > BATCH_BYTES_MAX {
                let rule = Rule::BatchTooLarge { bytes: self.buffer.len(), max: BATCH_BYTES_MAX };
                return Err(broken(rule));
            }
            let digest = blake3::hash(&self.buffer[start..]);
            self.head = Head { seq: record.seq, link: self.head.link.then(digest.as_bytes()), epoch };
            self.rows.push((record.seq, start..self.buffer.len(), self.head.link));
        }
        Ok(())
    }

    /// The rows of the batch.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(seq, range, link)| {
            let (salt, bytes) = self.buffer[range.clone()].split_at(SALT_BYTES);
            Row { seq: *seq, epoch: self.head.epoch, body: Body::Whole { salt, bytes }, link: *link }
        })
    }

    /// How much it is to write.
    pub(crate) fn bytes(&self) -> usize {
        self.buffer.len() + 48 * self.rows.len()
    }
}

/// A record as it lies in a store.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) seq: Seq,
    pub(crate) epoch: Epoch,
    pub(crate) body: Body<'a>,
    pub(crate) link: Link,
}

/// What is left of a record.
#[derive(Clone, Copy)]
pub(crate) enum Body<'a> {
    Whole { salt: &'a [u8], bytes: &'a [u8] },
    Erased { digest: [u8; 32] },
    Lost,
}

/// Follows a chain row by row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Follower {
    pub(crate) head: Head,
}

/// The row does not hold against the chain before it.
#[derive(Debug)]
pub(crate) struct Broken;

impl Follower {
    /// From a place whose link is taken on trust; the default is the very beginning.
    pub(crate) fn from(head: Head) -> Self {
        Self { head }
    }

    /// Takes the next row, recomputing its link.
    pub(crate) fn verify(&mut self, row: &Row<'_>) -> Result<(), Broken> {
        let digest = match row.body {
            Body::Whole { salt, bytes } => {
                let mut hasher = blake3::Hasher::new();
                *hasher.update(salt).update(bytes).finalize().as_bytes()
            }
            Body::Erased { digest } => digest,
            Body::Lost => return Err(Broken),
        };
        if row.seq != self.head.seq.next() || row.link != self.head.link.then(&digest) {
            return Err(Broken);
        }
        self.step(row)
    }

    /// Takes the next row, whose link was recomputed before.
    pub(crate) fn step(&mut self, row: &Row<'_>) -> Result<(), Broken> {
        if row.epoch != self.head.epoch && !begins(row) {
            return Err(Broken);
        }
        self.head = Head { seq: row.seq, link: row.link, epoch: row.epoch };
        Ok(())
    }
}

/// Whether a row is the `engine_started` of the epoch that it says to belong to. An erased one is taken on trust.
fn begins(row: &Row<'_>) -> bool {
    match row.body {
        Body::Whole { bytes, .. } => match record::decode(row.seq, bytes, String::new) {
            Ok(record) => started(&record.event) == Some(row.epoch),
            // A record of a newer build is not damage; whoever reads it says whose it is.
            Err(_) => true,
        },
        Body::Erased { .. } => true,
        Body::Lost => false,
    }
}

/// The epoch that an event begins.
pub(crate) fn started(event: &Event) -> Option<Epoch> {
    if let Event::EngineStarted { epoch, .. } = event { Some(*epoch) } else { None }
}
