//! 21, blobs, in the world: each digest that the journal names has its blob on the disk before its record, and after a power
//! cut. Never: digests of what is no blob, such as those of prompts and of what an approval shows.

use windlass_core::event::{Event, Record};
use windlass_core::id::Digest;
use windlass_journal::blob::Blobs as _;
use windlass_journal::memory::MemoryStore;

use crate::broken::{Verdict, demand};
use crate::oracle::Oracle;

const NAME: &str = "21 blobs";

pub(crate) fn of_record(store: &MemoryStore, record: &Record) -> Verdict {
    named(&record.event).into_iter().flatten().try_for_each(|digest| {
        let what = format!("record {}, {}", record.seq, record.event.name());
        is_there(store, digest, &what)
    })
}

/// After a power cut all is there that was named before.
pub(crate) fn are_there(oracle: &Oracle, store: &MemoryStore) -> Verdict {
    oracle.blobs.iter().try_for_each(|digest| is_there(store, *digest, "a record before the power was cut"))
}

fn is_there(store: &MemoryStore, digest: Digest, what: &str) -> Verdict {
    // Its content is checked by its digest.
    let found = store.blobs().get(digest);
    demand(found.is_ok(), NAME, || format!("{what} names a blob: {}", found.expect_err("it is not there")))
}

/// The blobs that an event names.
pub(crate) fn named(event: &Event) -> [Option<Digest>; 2] {
    match event {
        Event::RunCreated { plan, env, .. } | Event::PlanNested { plan, env, .. } => {
            [Some(*plan), Some(*env)]
        }
        Event::PlanRevised { plan, .. } => [Some(*plan), None],
        Event::AttemptFinished { output, .. } => [output.blob, None],
        Event::ExtractsRecorded { output, .. } => [output.blob, None],
        Event::TaskSucceeded { output, .. } | Event::TaskBlocked { output, .. } => {
            [output.as_ref().and_then(|output| output.blob), None]
        }
        _ => [None, None],
    }
}
