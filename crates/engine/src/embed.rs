//! Windlass inside another program: a home, an engine on a thread of its own, plans that become runs. `examples/embed`
//! does it in twenty lines. Never: a terminal, a socket for others, or a setting that is read from a file.
//!
//! The program that embeds it is also its keeper, the small process that starts agents and ends them when its engine is gone:
//! [`begin`] must be the first thing in `main`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow::{self, Break, Continue};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

pub use serde_json::Value;
pub use windlass_core::event::{ApprovalAnswer, Event, Raise, Record, RunOutcome, Settlement};
pub use windlass_core::id::{AgentName, RunId, TaskId};
pub use windlass_core::input::{Answer, Ask, Rejection};
pub use windlass_core::output::Output;
pub use windlass_core::plan::Plan;
pub use windlass_core::plan::diagnostic::{Diagnostic, Severity};
pub use windlass_core::state::State;

use windlass_core::event::Role;
use windlass_core::id::Digest;
use windlass_core::input::Command;
use windlass_core::plan::file::{Options as PlanOptions, Source, load};
use windlass_core::plan::settings::Settings;
use windlass_core::view;
use windlass_journal::blob::Blobs as _;
use windlass_journal::home::HomeSettings;
use windlass_worker::{environment, value_as_printed};

use crate::engine::{Engine, Options};
use crate::error::{EngineError, Gone};
use crate::feed::Fed;
use crate::handle::{Handle, NewRun, new_id};

/// Becomes the keeper, or the scripted agent, where this process was started as one. It must be the first thing in `main`,
/// before any thread: the keeper is this same program, started anew.
pub fn begin() {
    windlass_worker::run_if_keeper();
    windlass_worker::run_if_scripted();
    windlass_worker::run_if_errand();
}

/// A plan from its text in YAML, JSON or TOML, with these inputs.
///
/// # Errors
/// All that is wrong with it, up to twenty errors at once.
pub fn plan(text: &str, inputs: &BTreeMap<String, String>) -> Result<Plan, WrongPlan> {
    let source = Source { name: "plan", text: text.as_bytes(), format: None };
    let options = PlanOptions {
        dir: "",
        check_schema: Some(&windlass_worker::check_schema),
        check_glob: Some(&windlass_worker::environment::check_glob),
        ..PlanOptions::default()
    };
    match load(&source, &Settings::default(), inputs, &options) {
        Ok(loaded) => Ok(loaded.plan),
        Err(diagnostics) => Err(WrongPlan(diagnostics)),
    }
}

/// What is wrong with a plan.
#[derive(Debug)]
pub struct WrongPlan(pub Vec<Diagnostic>);

impl fmt::Display for WrongPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errors = self.0.iter().filter(|one| one.severity == Severity::Error);
        let line = |one: &Diagnostic| {
            let at = one.at.map(|at| format!("{}:{}: ", at.line, at.column)).unwrap_or_default();
            format!("{at}{} ({})", one.message, one.hint)
        };
        f.write_str(&errors.map(line).collect::<Vec<_>>().join("\n"))
    }
}

impl std::error::Error for WrongPlan {}

/// An engine of this program, with its home. Where it is dropped it ends as by [`Self::close`], without a word of why.
pub struct Embedded {
    handle: Handle,
    /// None once it has ended.
    turning: Option<JoinHandle<Result<(), EngineError>>>,
}

impl Embedded {
    /// Opens a home, which is made where there is none, for so many attempts at the same time. What an engine before left
    /// in flight is ended and journaled; its runs go on when they are asked to ([`Ask::Resume`]).
    ///
    /// # Errors
    /// Where the home is another engine's, is damaged, or can't be written.
    pub fn open(home: &Path, slots: u32) -> Result<Self, EngineError> {
        let options = Options {
            home: home.to_owned(),
            home_settings: HomeSettings::default(),
            slots,
            role: Role::Engine,
            socket: None,
            owners: None,
            keeper: None,
            subreaper: false,
        };
        Self::turn(Engine::open(options, &mut |_| ())?)
    }

    /// Lets an engine turn that was opened with options of one's own.
    ///
    /// # Errors
    /// Where there is no thread for it.
    pub fn turn(engine: Engine) -> Result<Self, EngineError> {
        let handle = engine.handle();
        let failed = |source| EngineError::System { doing: "start the engine's thread", source };
        let turning = thread::Builder::new().name("windlass-engine".into());
        let turning = turning.spawn(|| engine.run(|_| false, || ())).map_err(failed)?;
        Ok(Self { handle, turning: Some(turning) })
    }

    /// Makes a run of a plan, whose tasks work in this folder with these variables of the surroundings, of which only those
    /// get through that a task may see. It is in the journal when this returns.
    ///
    /// # Errors
    /// Where the engine has ended, or does not take the plan; where the path of the folder is not absolute, or not UTF-8.
    pub fn start(
        &self,
        plan: Plan,
        folder: &Path,
        surroundings: impl IntoIterator<Item = (String, String)>,
    ) -> Result<RunId, EmbedError> {
        let refused = |why| EmbedError::Folder { folder: folder.to_owned(), why };
        let text = folder.to_str().ok_or_else(|| refused("its path is not UTF-8"))?;
        if !folder.is_absolute() {
            return Err(refused("its path is not absolute"));
        }
        let pass: Vec<String> = plan.passed().into_iter().map(str::to_owned).collect();
        let new = NewRun {
            command: new_id()?,
            by: "embedded".into(),
            plan: Arc::new(plan),
            folder: text.to_owned(),
            env: environment::cut(surroundings, &pass),
            source: "embedded".into(),
            origin: None,
        };
        Ok(self.handle.start(&new, &|_| ())?)
    }

    /// Asks for something: to pause, cancel, approve, resume.
    ///
    /// # Errors
    /// Where the engine has ended.
    pub fn ask(&self, ask: Ask) -> Result<Answer, EmbedError> {
        Ok(self.handle.submit(Command { id: new_id()?, by: "embedded".into(), ask })?)
    }

    /// Waits until a run has ended, and says how. None is one that goes on only when somebody resumes it: it has paused, or
    /// is one of an engine before. While a run waits for people, this waits as well: they answer from another thread, or are
    /// asked before ([`Self::handle`] tells of each [`Event::ApprovalRequested`]).
    ///
    /// # Errors
    /// Where there is no such run, or the engine ends before.
    pub fn wait(&self, run: RunId) -> Result<Option<RunOutcome>, EmbedError> {
        let feed = self.handle.subscribe();
        loop {
            let found = self.handle.query(move |state| standing(state, run))?;
            if let Break(outcome) = found.ok_or(EmbedError::NoRun(run))? {
                return Ok(outcome);
            }
            while !may_rest(&feed.hear().ok_or(Gone)?, run) {}
        }
    }

    /// What a task gave, as `windlass show` has it: null where it has not succeeded. None where there is no such task.
    ///
    /// # Errors
    /// Where the engine has ended, or a large output can't be read any more.
    pub fn output(&self, run: RunId, task: &str) -> Result<Option<Value>, EmbedError> {
        let Ok(task) = task.parse::<TaskId>() else { return Ok(None) };
        let mut bodies = BTreeMap::new();
        loop {
            let task = task.clone();
            let (given, missing, known) = self.handle.query(move |state| {
                let mut missing = BTreeSet::new();
                let mut read = |digest| {
                    bodies.get(&digest).cloned().unwrap_or_else(|| {
                        missing.insert(digest);
                        Value::Null
                    })
                };
                let given = state.run(run).and_then(|run| {
                    let ix = *run.names.get(&task)?;
                    Some(view::output(run, run.task(ix), &mut read))
                });
                (given, missing, bodies)
            })?;
            if missing.is_empty() {
                return Ok(given);
            }
            bodies = known;
            // Not on the engine's thread, which has better to do.
            for digest in missing {
                bodies.insert(digest, self.body(digest)?);
            }
        }
    }

    /// The value of a large output.
    fn body(&self, digest: Digest) -> Result<Value, EmbedError> {
        let bytes = self.handle.blobs.get(digest).map_err(EngineError::from)?;
        value_as_printed(&bytes).map_err(|failure| EmbedError::Unread { digest, why: failure.message })
    }

    /// The way to the engine from other threads: every record as it is made durable, questions about the state.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends the engine: attempts in flight get the polite stop, uncharged, and nothing of them is left.
    ///
    /// # Errors
    /// Why the engine ended, if not for this.
    pub fn close(mut self) -> Result<(), EmbedError> {
        self.end().unwrap_or_else(|bug| std::panic::resume_unwind(bug)).map_err(EmbedError::from)
    }

    fn end(&mut self) -> thread::Result<Result<(), EngineError>> {
        // One that has ended says below why.
        self.ask(Ask::Drain { at_once: false }).map(drop).unwrap_or_default();
        self.turning.take().map_or(Ok(Ok(())), JoinHandle::join)
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if self.turning.is_some() {
            // Who wants to know how it ended closes it.
            self.end().map(drop).unwrap_or_default();
        }
    }
}

/// What is left to wait for in a run, if there is one of this name.
fn standing(state: &State, run: RunId) -> Option<ControlFlow<Option<RunOutcome>>> {
    let run = state.run(run)?;
    let rests = run.outcome.is_some() || run.has_paused() || run.host != state.epoch;
    Some(if rests { Break(run.outcome) } else { Continue(()) })
}

/// Whether a run may be at rest after this.
fn may_rest(fed: &Fed, run: RunId) -> bool {
    let Fed::Records(batch) = fed else { return true };
    batch.iter().any(|record| {
        matches!(record.event, Event::RunFinished { run: of, .. } | Event::RunPaused { run: of, .. } if of == run)
    })
}

/// Why an embedded engine could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// Something failed, or the engine has ended.
    #[error(transparent)]
    Failed(#[from] EngineError),
    /// The home has no such run.
    #[error("there is no run {0} in this home")]
    NoRun(RunId),
    /// Tasks can't work in this folder.
    #[error("tasks can't work in {}: {why}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An output that was taken can't be read any more.
    #[error("the output in the blob {digest} can't be read any more: {why}")]
    Unread {
        /// The blob.
        digest: Digest,
        /// What is wrong with it.
        why: String,
    },
}

impl From<Gone> for EmbedError {
    fn from(gone: Gone) -> Self {
        Self::Failed(gone.into())
    }
}
