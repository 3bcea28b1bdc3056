//! A home, a supervisor and its reports, for tests. Never: shared between tests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tempfile::TempDir;
use windlass_core::effect::{Assignment, Program, Settle};
use windlass_core::id::{AttemptKey, Digest, Fence};
use windlass_core::time::Span;
use windlass_worker::{AttemptEnded, Blobs, Captured, Settings, Supervisor, Surroundings, WorkerReport};

/// The longest that a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The keeper of these tests.
pub(crate) const PAWL: &str = env!("CARGO_BIN_EXE_windlass-pawl");

pub(crate) struct Stage {
    pub(crate) home: TempDir,
    pub(crate) supervisor: Supervisor,
    pub(crate) reports: Receiver<WorkerReport>,
    last: u64,
}

struct NoBlobs;

impl Blobs for NoBlobs {
    fn open(&self, _: &Digest) -> std::io::Result<Box<dyn std::io::Read>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

pub(crate) fn surroundings() -> Surroundings {
    let path = std::env::var_os("PATH").expect("tests have a PATH").into_string().expect("of text");
    let env_base = BTreeMap::from([("PATH".to_owned(), path), ("HOME".to_owned(), "/".to_owned())]);
    Surroundings { env_base: Arc::new(env_base), blobs: Arc::new(NoBlobs) }
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_with(change, || {})
    }

    /// A stage whose supervisor is busy with its first report until the second part is dropped.
    pub(crate) fn busy_with_its_first_report() -> (Self, Sender<()>) {
        let (busy, until) = channel();
        (Self::start_with(|_| {}, move || until.recv().unwrap_or_default()), busy)
    }

    fn start_with(change: impl FnOnce(&mut Settings), reported: impl Fn() + Send + 'static) -> Self {
        let home = TempDir::new().expect("a folder");
        let mut settings = Settings::new(home.path().to_owned(), format!("stage-{}", std::process::id()), 4);
        settings.program = Some(PAWL.into());
        change(&mut settings);
        let (send, reports) = channel();
        let sink = move |report| {
            drop(send.send(report));
            reported();
        };
        let supervisor = Supervisor::start(settings, sink).expect("a keeper");
        Self { home, supervisor, reports, last: 0 }
    }

    /// An assignment of this program, numbered after the ones before.
    pub(crate) fn assignment(&mut self, program: Program) -> Assignment {
        self.last += 1;
        let folder = self.home.path().display().to_string();
        Assignment {
            key: AttemptKey {
                run: "abcdef".parse().expect("a run"),
                task: format!("t{}", self.last).parse().expect("a task"),
                attempt: 1,
            },
            fence: Fence(self.last),
            program,
            folder: folder.clone(),
            workspace: folder,
            env_base: Digest::of(b""),
            env: BTreeMap::new(),
            pass: Vec::new(),
            start_to_close: None,
            heartbeat: None,
            grace: Span::from_secs(10),
            memory_bytes_max: None,
            settle: Settle::default(),
            around: Vec::new(),
            elsewhere: None,
            feedback: None,
        }
    }

    pub(crate) fn start(&mut self, assignment: Assignment) -> Fence {
        let fence = assignment.fence;
        self.supervisor.spawn(assignment, surroundings());
        fence
    }

    pub(crate) fn shell(&mut self, line: &str) -> Fence {
        let assignment = self.assignment(Program::Shell(line.to_owned()));
        self.start(assignment)
    }

    pub(crate) fn report(&self) -> WorkerReport {
        self.reports.recv_timeout(PATIENCE).expect("a report")
    }

    /// The end of the attempt that ends next.
    pub(crate) fn ended(&self) -> AttemptEnded {
        match self.report() {
            WorkerReport::Ended(ended) => *ended,
            other @ (WorkerReport::Overdue { .. } | WorkerReport::Lost { .. }) => {
                panic!("an end was expected, not {other:?}")
            }
        }
    }

    pub(crate) fn run(&mut self, line: &str) -> AttemptEnded {
        self.shell(line);
        self.ended()
    }

    pub(crate) fn run_argv(&mut self, argv: &[&str]) -> AttemptEnded {
        let assignment = self.assignment(Program::Argv(argv.iter().map(|word| (*word).to_owned()).collect()));
        self.start(assignment);
        self.ended()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }
}

/// The output of an attempt as text.
pub(crate) fn text(captured: &Captured) -> String {
    match captured {
        Captured::Inline(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Captured::Spooled(file, _) => std::io::read_to_string(file).expect("a spooled output"),
    }
}
