//! A home as everybody but its engine sees it: the state, folded from the journal read-only, and what lies beside it.
//! Never: writing, or a lock.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use windlass_core::event::Record;
use windlass_core::evolve::evolve;
use windlass_core::id::{Digest, Seq};
use windlass_core::state::State;
use windlass_journal::blob::Blobs as _;
use windlass_journal::error::JournalError;
use windlass_journal::lock::{self, Owner};
use windlass_journal::reader::Reader;
use windlass_journal::record;

use crate::engine::BUILD;
use crate::error::EngineError;
use crate::recover;

/// A home that is read.
pub struct Reading {
    home: PathBuf,
    reader: Reader,
    state: State,
}

impl Reading {
    /// Reads a home up to its end. One without a journal reads as empty.
    pub fn open(home: &Path) -> Result<Self, EngineError> {
        let reader = Reader::open(home, BUILD)?;
        let (state, _) = reader.newest_snapshot().and_then(recover::read).unwrap_or_default();
        let mut reading = Self { home: home.to_owned(), reader, state };
        reading.catch_up(&mut |_, _| {})?;
        Ok(reading)
    }

    /// Which home it is, as attempts are marked; none where there is nothing yet.
    pub fn home_id(&self) -> Option<String> {
        self.reader.home_id().map(|id| id.to_string())
    }

    /// The state as of the last look.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether an engine has the home open.
    pub fn is_live(&self) -> Result<bool, EngineError> {
        Ok(self.reader.is_live()?)
    }

    /// The content of a blob.
    pub fn blob(&self, digest: Digest) -> Result<Vec<u8>, EngineError> {
        Ok(self.reader.blobs().get(digest)?)
    }

    /// Takes in what is new, and shows each record with the state after it.
    pub fn catch_up(&mut self, each: &mut dyn FnMut(&Record, &State)) -> Result<(), EngineError> {
        let state = &mut self.state;
        self.reader.replay(state.head, &mut |record| {
            evolve(state, &record);
            each(&record, state);
            ControlFlow::Continue(())
        })?;
        // Only an engine looks at what became ready.
        self.state.fresh.clear();
        Ok(())
    }

    /// Shows the records after a place that the state has in it already.
    pub fn records(
        &mut self,
        after: Seq,
        each: &mut dyn FnMut(&Record) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        let end = self.state.head;
        Ok(self.reader.replay(after, &mut |record| {
            if record.seq > end { ControlFlow::Break(()) } else { each(&record) }
        })?)
    }

    /// Takes in what is new and waits for more, until told to stop: each record is shown with the state after it, and
    /// between them `idle` is asked with whether an engine is alive, at the latest after `longest`.
    pub fn follow(
        &mut self,
        longest: Duration,
        each: &mut dyn FnMut(&Record, &State) -> ControlFlow<()>,
        idle: &mut dyn FnMut(&State, bool) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        let watch = self.reader.watch()?;
        loop {
            // Looked at before the records: of a dead engine they are all there.
            let alive = self.reader.is_live()?;
            let mut flow = ControlFlow::Continue(());
            let state = &mut self.state;
            self.reader.replay(state.head, &mut |record| {
                evolve(state, &record);
                flow = each(&record, state);
                flow
            })?;
            self.state.fresh.clear();
            if flow.is_break() || idle(&self.state, alive).is_break() {
                return Ok(());
            }
            watch.wait(longest).map_err(|source| JournalError::Io {
                doing: "watch",
                path: self.home.clone(),
                source,
            })?;
        }
    }
}

/// Who says to have the home open, or had it last.
pub fn owner(home: &Path) -> Option<Owner> {
    lock::owner(home)
}

/// A record as one line of JSON, as `events --json` prints it.
pub fn wire_line(record: &Record) -> String {
    record::wire_line(record)
}
