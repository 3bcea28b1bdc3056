//! A home and a folder to work in, and engines that open it one after another. Never: shared between tests.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tempfile::TempDir;
use windlass_core::event::{Record, Role};
use windlass_core::id::{RunId, Seq};
use windlass_engine::HomeSettings;
use windlass_engine::embed::{self, Embedded};
use windlass_engine::engine::{BUILD, Engine, Options};
use windlass_engine::error::EngineError;
use windlass_engine::feed::Feed;
use windlass_engine::handle::{Handle, NewRun, new_id};
use windlass_journal::reader::Reader;
use windlass_worker::planted::{Bug, plant};

pub(crate) struct Stage {
    home: TempDir,
    work: TempDir,
}

/// An engine that turns on a thread of its own.
pub(crate) struct Turning {
    pub(crate) handle: Handle,
    thread: JoinHandle<Result<(), EngineError>>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = || TempDir::new().expect("a folder");
        Self { home: folder(), work: folder() }
    }

    pub(crate) fn open(&self, role: Role) -> Engine {
        let options = Options {
            home: self.home.path().join("home"),
            home_settings: HomeSettings { reserve: 0, min_free: 0, force: true },
            slots: 4,
            role,
            socket: None,
            owners: None,
            keeper: Some(env!("CARGO_BIN_EXE_windlass-engine-pawl").into()),
            subreaper: false,
        };
        Engine::open(options, &mut |_| ()).expect("a home")
    }

    /// An engine that turns until it is told to end, with a bug or without.
    pub(crate) fn turn(&self, bug: Option<Bug>) -> Turning {
        let engine = self.open(Role::Engine);
        let handle = engine.handle();
        let thread = thread::spawn(move || {
            plant(bug);
            engine.run(|_| false, || ())
        });
        Turning { handle, thread }
    }

    /// An engine as another program has it.
    pub(crate) fn embedded(&self) -> Embedded {
        Embedded::turn(self.open(Role::Engine)).expect("a thread")
    }

    /// Where tasks work.
    pub(crate) fn work(&self) -> &Path {
        self.work.path()
    }

    /// Makes an empty file where tasks work.
    pub(crate) fn write(&self, name: &str) {
        std::fs::write(self.work.path().join(name), "").expect("a file");
    }

    /// All that its journal holds.
    pub(crate) fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let mut reader = Reader::open(&self.home.path().join("home"), BUILD).expect("a journal");
        let mut each = |record| {
            records.push(record);
            ControlFlow::Continue(())
        };
        reader.replay(Seq(0), &mut each).expect("it can be read");
        records
    }

    /// Makes a run of a plan, unless the engine ends before.
    pub(crate) fn start(&self, handle: &Handle, plan: &str) -> Result<RunId, EngineError> {
        let new = NewRun {
            command: new_id().expect("an id"),
            by: "test".into(),
            plan: Arc::new(embed::plan(plan, &BTreeMap::new()).expect("a plan")),
            folder: self.work.path().display().to_string(),
            env: BTreeMap::from([path()]),
            source: "test".into(),
            origin: None,
        };
        handle.start(&new, &|_| ())
    }
}

impl Turning {
    /// Follows all that happens from here on, until this is enough or the engine has ended.
    pub(crate) fn follow(&self, is_enough: impl FnMut(&Record) -> bool) {
        Self::follow_feed(self.handle.subscribe(), is_enough);
    }

    /// The same, from where the feed begins.
    pub(crate) fn follow_feed(feed: Feed, mut is_enough: impl FnMut(&Record) -> bool) {
        let mut each = |batch: Arc<[Record]>| {
            if batch.iter().any(&mut is_enough) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        feed.follow(&mut each).expect("the journal can be read");
    }

    /// How it ended.
    pub(crate) fn ended(self) -> Result<(), EngineError> {
        self.thread.join().expect("no panic of its own")
    }
}

/// Where programs are.
pub(crate) fn path() -> (String, String) {
    let path = std::env::var_os("PATH").expect("tests have a PATH");
    ("PATH".into(), path.into_string().expect("of text"))
}
