//! From rows to records: each is verified against the chain, decoded, and handed its plan. One way for every backend
//! and every reader. Never: knowing where rows come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use windlass_core::event::{Event, Record};
use windlass_core::id::{Digest, Seq};
use windlass_core::plan::Plan;

use crate::blob::{BlobError, Blobs};
use crate::chain::{Body, Follower, Row, started};
use crate::error::{Damage, DamageCause, JournalError};
use crate::record;
use crate::store::{self, Store};

/// The plans of a home, each read once. They are held, and the variables of their runs with them, so that a home that
/// vanishes can be rescued with what its runs can't go on without.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plans {
    plans: BTreeMap<Digest, Arc<Plan>>,
    /// The variables, and the plans of which only a copy of the home has need, as they were written.
    bytes: BTreeMap<Digest, Vec<u8>>,
}

impl Plans {
    /// Hands a record the plan that it names. One that is gone, is not what was written, or can't be carried out is not
    /// handed over: that is the end of its run, and of nothing else.
    fn hydrate(&mut self, record: &mut Record, blobs: &dyn Blobs) -> Result<(), PlanFault> {
        if let Event::RunCreated { env, .. } = &record.event {
            self.hold_bytes(*env, blobs);
        }
        let (Event::RunCreated { plan, hydrated, .. } | Event::PlanRevised { plan, hydrated, .. }) =
            &mut record.event
        else {
            return Ok(());
        };
        if let Some(known) = self.plans.get(plan) {
            hydrated.0 = Some(Arc::clone(known));
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
        hydrated.0 = Some(Arc::clone(&read));
        self.plans.insert(*plan, read);
        Ok(())
    }

    /// Holds a plan that a record names which is appended, or that a snapshot brought back.
    pub(crate) fn hold(&mut self, plan: Digest, read: &Arc<Plan>) {
        self.plans.insert(plan, Arc::clone(read));
    }

    /// Without these bytes a run can be shown, and that is all the journal is asked for: none is no damage here.
    pub(crate) fn hold_bytes(&mut self, blob: Digest, blobs: &dyn Blobs) {
        let is_held = self.bytes.contains_key(&blob) || self.plans.contains_key(&blob);
        if !is_held && let Ok(bytes) = blobs.get(blob) {
            self.bytes.insert(blob, bytes);
        }
    }

    /// Every body that is held; of plans the blob that each came from, where that is how this build writes it.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = Vec<u8>> {
        let plans = self.plans.iter().filter_map(|(digest, plan)| {
            let bytes = serde_json::to_vec(plan).ok()?;
            (Digest::of(&bytes) == *digest).then_some(bytes)
        });
        plans.chain(self.bytes.values().cloned())
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
