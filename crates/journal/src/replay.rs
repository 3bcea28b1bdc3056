//! From rows to records: each is verified against the chain, decoded, and handed its plan. One way for every backend
//! and every reader. Never: knowing where rows come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use windlass_core::event::{Event, Record};
use windlass_core::id::{Digest, Seq};
use windlass_core::plan::Plan;

use crate::blob::{BlobError, Blobs};
use crate::chain::{Body, Follower, Row, started};
use crate::error::{Damage, DamageCause, JournalError};
use crate::record;
use crate::store::{self, Store};

/// The plans of a home, each read once for all who hold it. What holds a run's plans is its state; here it is known
/// where they are, also for the rescue of a home that vanishes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plans {
    read: BTreeMap<Digest, Weak<Plan>>,
    /// At how many those that nobody holds any more are forgotten.
    full: usize,
    /// The one that was handed over last: a home often runs the same plan again, and who looks through it holds none.
    last: Option<Arc<Plan>>,
}

impl Plans {
    /// Hands a record the plan that it names. One that is gone, is not what was written, or can't be carried out is not
    /// handed over: that is the end of its run, and of nothing else.
    fn hydrate(&mut self, record: &mut Record, blobs: &dyn Blobs) -> Result<(), PlanFault> {
        let (Event::RunCreated { plan, hydrated, .. }
        | Event::PlanRevised { plan, hydrated, .. }
        | Event::PlanNested { plan, hydrated, .. }) = &mut record.event
        else {
            return Ok(());
        };
        if let Some(known) = self.read.get(plan).and_then(Weak::upgrade) {
            self.last = Some(Arc::clone(&known));
            hydrated.0 = Some(known);
            return Ok(());
        }
        let bytes = match blobs.get(*plan) {
            Ok(bytes) => bytes,
            Err(BlobError::Missing(_) | BlobError::Damaged(_)) => return Ok(()),
            Err(
                error @ (BlobError::Io { .. }
                | BlobError::Unread(_)
                | BlobError::NotSynced(_)
                | BlobError::Poisoned),
            ) => return Err(PlanFault::Blob(error)),
        };
        let read = Arc::new(serde_json::from_slice::<Plan>(&bytes).map_err(PlanFault::Foreign)?);
        if read.validate().is_err() {
            return Ok(());
        }
        self.note(*plan, &read);
        self.last = Some(Arc::clone(&read));
        hydrated.0 = Some(read);
        Ok(())
    }

    /// Notes a plan that somebody holds: whoever appended the record that names it, or has it from a snapshot.
    pub(crate) fn note(&mut self, digest: Digest, plan: &Arc<Plan>) {
        if self.read.len() >= self.full {
            self.read.retain(|_, plan| plan.strong_count() > 0);
            self.full = 2 * self.read.len() + 16;
        }
        self.read.insert(digest, Arc::downgrade(plan));
    }

    /// The blob that each plan came from which somebody holds, where that is how this build writes it.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = Vec<u8>> {
        self.read.iter().filter_map(|(digest, plan)| {
            let bytes = serde_json::to_vec(&*plan.upgrade()?).ok()?;
            (Digest::of(&bytes) == *digest).then_some(bytes)
        })
    }
}

enum PlanFault {
    Blob(BlobError),
    Foreign(serde_json::Error),
}

/// Turns the rows of one journal into records.
pub(crate) struct Replay<'a> {
    pub(crate) home: &'a Path,
    pub(crate) blobs: &'a dyn Blobs,
    pub(crate) plans: &'a mut Plans,
    pub(crate) follower: Follower,
    /// The rows behind this place up to that one were verified before, in this process.
    pub(crate) trusted: (Seq, Seq),
    /// The last record that is known to have been written, for the message.
    pub(crate) known: Seq,
    /// The build that wrote the rows, once its `engine_started` has come by.
    pub(crate) build: Option<String>,
}

impl Replay<'_> {
    /// Takes the next row. None if it was erased. `build` is asked who wrote the row if nobody can tell from the rows
    /// before it.
    pub(crate) fn take(
        &mut self,
        row: &Row<'_>,
        build: impl FnOnce() -> Option<String>,
    ) -> Result<Option<Record>, JournalError> {
        let before = self.follower.head;
        let is_trusted = self.trusted.0 < row.seq && row.seq <= self.trusted.1;
        let held = if is_trusted { self.follower.step(row) } else { self.follower.verify(row) };
        let broken = |home: &Path, known| {
            damaged(home, DamageCause::ChainBroken { seq: before.seq.next() }, before.seq, known)
        };
        held.map_err(|_| broken(self.home, self.known))?;
        let Body::Whole { bytes, .. } = row.body else { return Ok(None) };
        let known_build = &self.build;
        let unknown = || "of an unknown version".to_owned();
        let writer = || known_build.clone().or_else(build).unwrap_or_else(unknown);
        let mut record = record::decode(row.seq, bytes, writer)?;
        if let Event::EngineStarted { build, .. } = &record.event {
            if started(&record.event) != Some(row.epoch) {
                return Err(broken(self.home, self.known));
            }
            self.build = Some(build.clone());
        }
        self.plans.hydrate(&mut record, self.blobs).map_err(|fault| self.plan_error(row.seq, fault))?;
        Ok(Some(record))
    }

    fn plan_error(&self, seq: Seq, fault: PlanFault) -> JournalError {
        match fault {
            PlanFault::Blob(error) => JournalError::Blob(error),
            PlanFault::Foreign(source) => JournalError::Foreign {
                seq,
                kind: "run_created".into(),
                v: 1,
                build: self.build.clone().unwrap_or_else(|| "of an unknown version".into()),
                source,
            },
        }
    }
}

pub(crate) fn damaged(home: &Path, cause: DamageCause, intact: Seq, known: Seq) -> JournalError {
    let home = PathBuf::from(home);
    JournalError::Damaged(Box::new(Damage { home, cause, intact, known: known.max(intact) }))
}

/// What a failure to read rows is: damage, if it lies in the file.
pub(crate) fn unreadable(
    home: &Path,
    store: &Store,
    (intact, known): (Seq, Seq),
) -> impl FnOnce(rusqlite::Error) -> JournalError {
    move |error| {
        if store::says_damage(&error) {
            return damaged(home, DamageCause::StoreUnreadable(error), intact, known);
        }
        store.failed("read")(error)
    }
}

/// The build that an `engine_started` names.
pub(crate) fn build_in(seq: Seq, bytes: &[u8]) -> Option<String> {
    let record = record::decode(seq, bytes, String::new).ok()?;
    if let Event::EngineStarted { build, .. } = record.event { Some(build) } else { None }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::blob::MemoryBlobs;
    use crate::suite::{created, revised};

    /// Blobs that remember what they were asked for.
    #[derive(Default)]
    struct Asked(MemoryBlobs, Mutex<Vec<Digest>>);

    impl Blobs for Asked {
        fn put(&self, bytes: &[u8]) -> Result<Digest, BlobError> {
            self.0.put(bytes)
        }

        fn get(&self, digest: Digest) -> Result<Vec<u8>, BlobError> {
            self.1.lock().expect("nobody panicked").push(digest);
            self.0.get(digest)
        }

        fn contains(&self, digest: Digest) -> Result<bool, BlobError> {
            self.0.contains(digest)
        }
    }

    #[test]
    fn a_plan_is_read_once_for_all_who_hold_it_and_let_go_with_the_last_of_them() {
        let blobs = Asked::default();
        let mut plans = Plans::default();
        let mut read = |mut record: Record| {
            let (Event::RunCreated { plan, hydrated, .. } | Event::PlanRevised { plan, hydrated, .. }) =
                &mut record.event
            else {
                unreachable!("a record with a plan")
            };
            let plan = *plan;
            hydrated.0 = None;
            assert!(plans.hydrate(&mut record, &blobs).is_ok());
            let asked = std::mem::take(&mut *blobs.1.lock().expect("nobody panicked"));
            assert!(asked.is_empty() || asked == [plan], "its variables are none of a reader's: {asked:?}");
            (record, asked.len())
        };
        let (held, asked) = read(created(2, &blobs));
        assert_eq!(asked, 1);
        assert_eq!(read(created(2, &blobs)).1, 0, "it is held");
        assert_eq!(read(revised(3, &blobs)).1, 1, "another");
        assert_eq!(read(created(2, &blobs)).1, 0, "it is still held");
        drop(held);
        assert_eq!(read(created(2, &blobs)).1, 0, "it was the last");
        assert_eq!(read(revised(3, &blobs)).1, 1, "nobody held it");
        assert_eq!(read(created(2, &blobs)).1, 1, "nor this one any more");
        assert_eq!(plans.bodies().count(), 1);
    }
}
