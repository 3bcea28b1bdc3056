//! Journals that break a promise each: what the suite must find. A check that no such journal fails would say nothing.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use windlass_core::event::{Event, Hydrated, Record};
use windlass_core::id::{Digest, Epoch, Seq};
use windlass_core::time::{Span, Time};
use windlass_journal::Journal;
use windlass_journal::blob::Blobs;
use windlass_journal::chain::Head;
use windlass_journal::error::{JournalError, Rule};
use windlass_journal::memory::{MemoryJournal, MemoryStore};
use windlass_journal::suite::{self, Subject};

/// What is wrong with a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    FindsAnOldSnapshot,
    ForgetsSmallBatches,
    GoesOnWhenStopped,
    TakesGaps,
    KeepsHalfABatch,
    Forgives,
    TakesAnyEpoch,
    TakesOldOpenings,
    TakesLargeBatches,
    ChangesTimes,
    LosesPlans,
    StopsWherePlansAreGone,
    TakesAnyPlan,
    TrustsOtherBuilds,
    NotesNothing,
}

/// For each check of the suite, in its order, a journal that it must refuse.
const WRONGS: [Wrong; 15] = [
    Wrong::FindsAnOldSnapshot,
    Wrong::ForgetsSmallBatches,
    Wrong::GoesOnWhenStopped,
    Wrong::TakesGaps,
    Wrong::KeepsHalfABatch,
    Wrong::Forgives,
    Wrong::TakesAnyEpoch,
    Wrong::TakesOldOpenings,
    Wrong::TakesLargeBatches,
    Wrong::ChangesTimes,
    Wrong::LosesPlans,
    Wrong::StopsWherePlansAreGone,
    Wrong::TakesAnyPlan,
    Wrong::TrustsOtherBuilds,
    Wrong::NotesNothing,
];

/// A disk in memory whose journals are wrong.
struct Place {
    store: MemoryStore,
    wrong: Wrong,
}

struct Faulty {
    inner: MemoryJournal,
    blobs: Arc<dyn Blobs>,
    wrong: Wrong,
}

impl Subject for Place {
    fn open(&self, build: &str) -> Result<Box<dyn Journal>, JournalError> {
        let build = if self.wrong == Wrong::TrustsOtherBuilds { "any" } else { build };
        let inner = MemoryJournal::open(&self.store, build, 1)?;
        Ok(Box::new(Faulty { inner, blobs: self.blobs(), wrong: self.wrong }))
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::new(self.store.blobs())
    }

    fn lose_blob(&self, digest: Digest) {
        self.store.blobs().lose(digest);
    }
}

impl Faulty {
    /// Whether an error is one that this journal does not know.
    fn lets_pass(&self, error: &JournalError) -> bool {
        match (self.wrong, error) {
            (Wrong::TakesGaps, JournalError::NotTheEnd { .. })
            | (Wrong::TakesOldOpenings, JournalError::Superseded { .. }) => true,
            (wrong, JournalError::Malformed { rule, .. }) => match rule {
                Rule::Gap => wrong == Wrong::TakesGaps,
                Rule::EpochStart => wrong == Wrong::TakesAnyEpoch,
                Rule::BatchTooLarge { .. } => wrong == Wrong::TakesLargeBatches,
                Rule::EventTooLarge { .. } | Rule::EventTooDeep { .. } | Rule::NotJson => false,
            },
            _ => false,
        }
    }
}

impl Journal for Faulty {
    fn head(&self) -> Head {
        self.inner.head()
    }

    fn last_alive(&self) -> Span {
        self.inner.last_alive()
    }

    fn note_alive(&mut self, alive: Span) {
        if self.wrong != Wrong::NotesNothing {
            self.inner.note_alive(alive);
        }
    }

    fn append(&mut self, epoch: Epoch, expected: Seq, batch: &[Record]) -> Result<(), JournalError> {
        if self.wrong == Wrong::ForgetsSmallBatches && batch.len() == 1 {
            return Ok(());
        }
        let appended = if self.wrong == Wrong::KeepsHalfABatch {
            let mut places = batch.iter().zip(expected.0..);
            places.try_for_each(|(record, before)| {
                self.inner.append(epoch, Seq(before), std::slice::from_ref(record))
            })
        } else {
            self.inner.append(epoch, expected, batch)
        };
        if self.wrong == Wrong::Forgives && appended.is_err() {
            self.inner = MemoryJournal::open(self.inner.store(), "0.0.0-suite", 1)?;
        }
        appended.or_else(|error| if self.lets_pass(&error) { Ok(()) } else { Err(error) })
    }

    fn replay(
        &mut self,
        after: Seq,
        each: &mut dyn FnMut(Record) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let wrong = self.wrong;
        let blobs = self.blobs.clone();
        let mut is_gone = false;
        self.inner.replay(after, &mut |mut record| {
            if wrong == Wrong::ChangesTimes {
                record.at = record.at.max(Time::default());
            }
            if let Event::RunCreated { plan, hydrated, .. } = &mut record.event {
                if wrong == Wrong::TakesAnyPlan {
                    let bytes = blobs.get(*plan).expect("it is there");
                    *hydrated = Hydrated(serde_json::from_slice(&bytes).ok());
                }
                is_gone |= hydrated.0.is_none();
                if wrong == Wrong::LosesPlans {
                    *hydrated = Hydrated(None);
                }
            }
            if wrong == Wrong::StopsWherePlansAreGone && is_gone {
                return ControlFlow::Break(());
            }
            let flow = each(record);
            if wrong == Wrong::GoesOnWhenStopped { ControlFlow::Continue(()) } else { flow }
        })
    }

    fn save_snapshot(&mut self, at: Seq, bytes: &[u8]) -> Result<(), JournalError> {
        self.inner.save_snapshot(at, bytes)
    }

    fn newest_snapshot(&mut self) -> Option<(Seq, Vec<u8>)> {
        let is_old = self.wrong == Wrong::FindsAnOldSnapshot;
        self.inner.newest_snapshot().or_else(|| is_old.then(|| (Seq(0), Vec::new())))
    }
}

#[test]
fn every_check_of_the_suite_refuses_a_journal_that_breaks_its_promise() {
    let passes = |(check, wrong): &(suite::Check, Wrong)| {
        let place = Place { store: MemoryStore::new(), wrong: *wrong };
        catch_unwind(AssertUnwindSafe(|| (check.1)(&place))).is_ok()
    };
    let all = suite::ALL.into_iter().zip(WRONGS);
    let blind: Vec<String> = all
        .filter(passes)
        .map(|((sentence, _), wrong)| format!("«{sentence}» lets {wrong:?} pass"))
        .collect();
    assert!(blind.is_empty(), "{blind:#?}");
}
