//! The suite that every backend must pass.

use std::sync::Arc;

use windlass_core::id::Digest;
use windlass_journal::Journal;
use windlass_journal::blob::Blobs;
use windlass_journal::error::JournalError;
use windlass_journal::memory::{MemoryJournal, MemoryStore};
use windlass_journal::suite::{self, Subject};

use crate::place::Place;

/// A disk in memory.
pub(crate) struct Memory(pub(crate) MemoryStore);

impl Subject for Memory {
    fn open(&self, build: &str) -> Result<Box<dyn Journal>, JournalError> {
        Ok(Box::new(MemoryJournal::open(&self.0, build, 1)?))
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::new(self.0.blobs())
    }

    fn lose_blob(&self, digest: Digest) {
        self.0.blobs().lose(digest);
    }
}

impl Subject for Place {
    fn open(&self, build: &str) -> Result<Box<dyn Journal>, JournalError> {
        Ok(Box::new(Place::open(self, build)?))
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        self.home().blobs()
    }

    fn lose_blob(&self, digest: Digest) {
        std::fs::remove_file(self.home().blobs().path(digest)).unwrap();
    }
}

fn each(make: impl Fn() -> Box<dyn Subject>) {
    for (sentence, check) in suite::ALL {
        let subject = make();
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&*subject)));
        assert!(checked.is_ok(), "it does not hold that {sentence}");
    }
}

#[test]
fn the_memory_journal_passes_the_suite() {
    each(|| Box::new(Memory(MemoryStore::new())));
}

#[test]
fn the_sqlite_journal_passes_the_suite() {
    each(|| Box::new(Place::new()));
}
