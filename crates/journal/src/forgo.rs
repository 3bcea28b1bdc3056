//! Giving up blobs that are gone, because a person said so: the journal says which, and whoever looks at the home finds
//! nothing wrong in it. Never: on its own account, or touching what is still there.

use std::ops::ControlFlow;

use windlass_core::event::{Event, Record, Role};
use windlass_core::id::{Digest, Epoch, Seq};

use crate::error::JournalError;
use crate::home::Home;
use crate::journal::Journal as _;
use crate::lock::Lock;
use crate::repair::Acceptance;
use crate::sqlite::SqliteJournal;

/// How many blobs one record names: it has a largest size.
const BLOBS_A_RECORD_MAX: usize = 2000;

/// Journals that these blobs are given up (`engine_started`, `journal_repaired`). The journal must be sound.
pub fn forgo(
    home: &Home,
    lock: &Lock,
    acceptance: Acceptance<'_>,
    blobs: &[Digest],
) -> Result<(), JournalError> {
    let mut journal = SqliteJournal::open(home, lock, acceptance.build)?;
    let end = journal.head();
    let mut at = acceptance.at;
    journal.replay(Seq(end.seq.0.saturating_sub(1)), &mut |record| {
        at = at.max(record.at);
        ControlFlow::Continue(())
    })?;
    let epoch = Epoch(end.epoch.0 + 1);
    let alive_ms = journal.last_alive().ms;
    let started = Event::EngineStarted {
        epoch,
        role: Role::Command,
        build: acceptance.build.into(),
        last_alive_ms: (alive_ms > 0).then_some(alive_ms),
    };
    let given_up = blobs.chunks(BLOBS_A_RECORD_MAX).map(|part| Event::JournalRepaired {
        lost_from: end.seq.next(),
        lost_to: end.seq,
        lost_blobs: part.to_vec(),
    });
    let mut seq = end.seq;
    for event in std::iter::once(started).chain(given_up) {
        let record = Record { seq: seq.next(), at, event };
        journal.append(epoch, seq, &[record])?;
        seq = seq.next();
    }
    journal.close()
}
