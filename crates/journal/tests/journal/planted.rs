//! The bugs that can be planted in the journal are found, each by the check that is there for it; without them the same
//! checks find nothing.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use windlass_core::id::{Epoch, Seq};
use windlass_journal::Journal;
use windlass_journal::memory::{MemoryJournal, MemoryStore};
use windlass_journal::planted::{Bug, plant};
use windlass_journal::suite::{self, Subject, reaped, started};

use crate::conformance::Memory;
use crate::locks::is_inherited;
use crate::place::Place;

const BUILD: &str = "0.0.0-suite";

/// What a check says with a bug planted on this thread.
fn with<T>(bug: Bug, check: impl FnOnce() -> T) -> T {
    plant(Some(bug));
    let said = catch_unwind(AssertUnwindSafe(check));
    plant(None);
    said.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Whether the check of the suite with this sentence holds.
fn holds(sentence: &str, subject: &dyn Subject) -> bool {
    let (_, check) = suite::ALL.iter().find(|(named, _)| *named == sentence).unwrap();
    catch_unwind(AssertUnwindSafe(|| check(subject))).is_ok()
}

#[test]
fn the_snapshot_of_another_build_is_found() {
    let sentence = "only this build's snapshots count, the newest first";
    for subject in [&|| Box::new(Place::new()) as Box<dyn Subject>, &|| Box::new(Memory(MemoryStore::new()))]
        as [&dyn Fn() -> Box<dyn Subject>; 2]
    {
        assert!(holds(sentence, &*subject()));
        assert!(!with(Bug::ForeignSnapshotTrusted, || holds(sentence, &*subject())));
    }
}

#[test]
fn a_tail_that_is_silently_shorter_is_found() {
    let place = Place::new();
    let mut journal = place.open(BUILD).unwrap();
    journal.append(Epoch(1), Seq(0), &[started(1, 1)]).unwrap();
    journal.append(Epoch(1), Seq(1), &[reaped(2)]).unwrap();
    drop(journal);
    let log = fs::File::options().write(true).open(place.path().join("journal.db-wal")).unwrap();
    log.set_len(log.metadata().unwrap().len() - 1).unwrap();
    let end = || place.open(BUILD).map(|journal| journal.head().seq).ok();
    assert_eq!(end(), None, "it is refused");
    assert_eq!(with(Bug::TailSilentlyShorter, end), Some(Seq(1)), "it is taken as it is");

    let store = MemoryStore::new();
    let mut journal = MemoryJournal::open(&store, BUILD, 1).unwrap();
    journal.append(Epoch(1), Seq(0), &[started(1, 1), reaped(2)]).unwrap();
    store.lose_after(Seq(1));
    let end = || MemoryJournal::open(&store, BUILD, 1).map(|journal| journal.head().seq).ok();
    assert_eq!(end(), None, "it is refused");
    assert_eq!(with(Bug::TailSilentlyShorter, end), Some(Seq(1)), "it is taken as it is");
}

#[test]
fn a_lock_that_a_child_inherits_is_found() {
    assert!(!is_inherited());
    assert!(with(Bug::LockInherited, is_inherited));
}
