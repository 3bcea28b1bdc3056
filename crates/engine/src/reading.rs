//! A home as everybody but its engine sees it: the state, folded from the journal read-only, and what lies beside it.
//! Never: writing, or a lock.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use windlass_core::event::Record;
use windlass_core::fold::evolve;
use windlass_core::id::{Digest, RunId, Seq};
use windlass_core::state::State;
use windlass_core::view::slow::Slow;
use windlass_journal::blob::Blobs as _;
use windlass_journal::lock::{self, Owner};
use windlass_journal::reader::{self, Reader};
use windlass_journal::record;

use crate::clock;
use crate::engine::BUILD;
use crate::error::EngineError;
use crate::recover;

/// A home that is read.
pub struct Reading {
    reader: Reader,
    state: State,
}

impl Reading {
    /// Reads a home up to its end. One without a journal reads as empty.
    ///
    /// # Errors
    /// Where it can't be read, is damaged, or is of a newer build.
    pub fn open(home: &Path) -> Result<Self, EngineError> {
        let reader = Reader::open(home, BUILD)?;
        let (state, _) = reader.newest_snapshot().and_then(recover::read).unwrap_or_default();
        let mut reading = Self { reader, state };
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
    ///
    /// # Errors
    /// Where the lock can't be looked at.
    pub fn is_live(&self) -> Result<bool, EngineError> {
        Ok(self.reader.is_live()?)
    }

    /// Lets time go on in the state to where it is known: to now while an engine has the home open, which this says, else to
    /// when the one before was last alive. What comes later is not to be taken in after that.
    ///
    /// # Errors
    /// Where the lock can't be looked at.
    pub fn come_to_now(&mut self) -> Result<bool, EngineError> {
        let is_live = self.is_live()?;
        let known = || self.state.now.after(self.reader.last_alive());
        let now = if is_live { clock::now() } else { known() };
        self.state.pass_to(now);
        Ok(is_live)
    }

    /// The content of a blob.
    ///
    /// # Errors
    /// Where it is not there, is damaged, or can't be read.
    pub fn blob(&self, digest: Digest) -> Result<Vec<u8>, EngineError> {
        Ok(self.reader.blobs().get(digest)?)
    }

    /// Takes in what is new, and shows each record with the state after it.
    ///
    /// # Errors
    /// As of [`Self::open`]; the state is that of the last record that could be read.
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
    ///
    /// # Errors
    /// As of [`Self::open`].
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

    /// The state as the records alone give it, from the first on: without a snapshot, and without what was read before.
    /// Shows each record.
    ///
    /// # Errors
    /// As of [`Self::open`].
    pub fn replayed(&mut self, each: &mut dyn FnMut(&Record)) -> Result<State, EngineError> {
        let mut state = State::default();
        self.records(state.head, &mut |record| {
            evolve(&mut state, record);
            state.fresh.clear();
            each(record);
            ControlFlow::Continue(())
        })?;
        Ok(state)
    }

    /// What made a run slow, from its first record to the time that the state has come to.
    ///
    /// # Errors
    /// As of [`Self::open`].
    pub fn why_slow(&mut self, run: RunId) -> Result<Slow, EngineError> {
        let (mut slow, mut state) = (Slow::of(run), State::default());
        // How things stand lasts until the next record, and what lasts no time is not looked at.
        let mut times = Vec::new();
        self.records(state.head, &mut |record| {
            times.push(record.at);
            ControlFlow::Continue(())
        })?;
        let mut next = times.into_iter().skip(1);
        self.records(state.head, &mut |record| {
            evolve(&mut state, record);
            state.fresh.clear();
            slow.see(record, &state, next.next());
            ControlFlow::Continue(())
        })?;
        state.pass_to(self.state.now);
        slow.close(&state);
        Ok(slow)
    }

    /// Takes in what is new and waits for more, until told to stop: each record comes with the state after it, and in
    /// between, at the latest after `longest`, comes word that there is no more.
    ///
    /// # Errors
    /// As of [`Self::open`].
    pub fn follow(
        &mut self,
        longest: Duration,
        hear: &mut dyn FnMut(Heard<'_>, &State) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        let state = &mut self.state;
        let followed = self.reader.follow(state.head, longest, &mut |heard| match heard {
            reader::Heard::Record(record) => {
                evolve(state, &record);
                // Only an engine looks at what became ready.
                state.fresh.clear();
                hear(Heard::Record(&record), state)
            }
            reader::Heard::NoMore { is_live } => hear(Heard::NoMore { is_live }, state),
        });
        Ok(followed?)
    }
}

/// What reaches one who follows a home.
#[derive(Clone, Copy, Debug)]
pub enum Heard<'a> {
    /// A record.
    Record(&'a Record),
    /// There is no more by now.
    NoMore {
        /// Whether an engine had the home open.
        is_live: bool,
    },
}

/// Who says to have the home open, or had it last.
pub fn owner(home: &Path) -> Option<Owner> {
    lock::owner(home)
}

/// A record as one line of JSON, as `events --json` prints it.
pub fn wire_line(record: &Record) -> String {
    record::wire_line(record)
}
