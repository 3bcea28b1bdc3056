//! Windlass inside another program: a home, an engine on a thread of its own, plans that become runs. `examples/embed`
//! does it in twenty lines. Never: a terminal, a socket for others, or a setting that is read from a file.
//!
//! The program that embeds it is also its keeper, the small process that starts agents and ends them when its engine is gone:
//! [`begin`] must be the first thing in `main`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use serde_json::Value;
use windlass_core::event::{Event, Role, RunOutcome};
use windlass_core::id::{RunId, TaskId};
use windlass_core::input::{Answer, Ask, Command};
use windlass_core::plan::Plan;
use windlass_core::plan::diagnostic::{Diagnostic, Severity};
use windlass_core::plan::file::{Options as PlanOptions, Source, load};
use windlass_core::plan::settings::Settings;
use windlass_journal::home::HomeSettings;
use windlass_worker::environment;

use crate::engine::{Engine, Options};
use crate::error::{EngineError, Gone};
use crate::handle::{Handle, NewRun, new_id};

/// Becomes the keeper, or the scripted agent, where this process was started as one. It must be the first thing in `main`,
/// before any thread: the keeper is this same program, started anew.
pub fn begin() {
    windlass_worker::run_if_keeper();
    windlass_worker::run_if_scripted();
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

/// An engine of this program, with its home.
pub struct Embedded {
    handle: Handle,
    turning: JoinHandle<Result<(), EngineError>>,
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
        let engine = Engine::open(options, &mut |_| ())?;
        let handle = engine.handle();
        let failed = |source| EngineError::System { doing: "start the engine's thread", source };
        let turning = thread::Builder::new().name("windlass-engine".into());
        let turning = turning.spawn(|| engine.run(|_| false, || ())).map_err(failed)?;
        Ok(Self { handle, turning })
    }

    /// Makes a run of a plan, whose tasks work in this folder with these variables of the surroundings, of which only those
    /// get through that a task may see. It is in the journal when this returns.
    ///
    /// # Errors
    /// Where the engine has ended, or does not take the plan.
    pub fn start(
        &self,
        plan: Plan,
        folder: &Path,
        surroundings: impl IntoIterator<Item = (String, String)>,
    ) -> Result<RunId, EmbedError> {
        let pass: Vec<String> = plan.passed().into_iter().map(str::to_owned).collect();
        let new = NewRun {
            command: new_id()?,
            by: "embedded".into(),
            plan: Arc::new(plan),
            folder: folder.display().to_string(),
            env: environment::cut(surroundings, &pass),
            source: "embedded".into(),
        };
        Ok(self.handle.start(&new, &|_| ())??)
    }

    /// Asks for something: to pause, cancel, approve, resume.
    ///
    /// # Errors
    /// Where the engine has ended.
    pub fn ask(&self, ask: Ask) -> Result<Answer, EmbedError> {
        Ok(self.handle.submit(Command { id: new_id()?, by: "embedded".into(), ask })?)
    }

    /// Waits for the end of a run.
    ///
    /// # Errors
    /// Where the engine ends before, or there is no such run.
    pub fn wait(&self, run: RunId) -> Result<RunOutcome, EmbedError> {
        let feed = self.handle.subscribe();
        if let Some(outcome) = self.handle.query(move |state| state.run(run)?.outcome)? {
            return Ok(outcome);
        }
        let mut ended = None;
        feed.follow(&mut |batch| {
            let outcome = batch.iter().find_map(|record| {
                let Event::RunFinished { run: of, outcome } = &record.event else { return None };
                Some(*outcome).filter(|_| *of == run)
            });
            ended = ended.or(outcome);
            if ended.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        ended.ok_or(EmbedError::Gone(Gone))
    }

    /// What a task gave, as far as it is kept in the state: the value of a large output is null, and its parts are in
    /// the home.
    ///
    /// # Errors
    /// Where the engine has ended.
    pub fn output(&self, run: RunId, task: &str) -> Result<Option<Value>, EmbedError> {
        let task: Option<TaskId> = task.parse().ok();
        Ok(self.handle.query(move |state| {
            let run = state.run(run)?;
            Some(run.task(*run.names.get(&task?)?).output.whole().clone())
        })?)
    }

    /// The way to the engine from other threads: every record as it is made durable, questions about the state.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends the engine: attempts in flight get the polite stop, uncharged, and nothing of them is left.
    ///
    /// # Errors
    /// Why the engine ended, if not for this.
    pub fn close(self) -> Result<(), EmbedError> {
        // One that has ended says below why.
        self.ask(Ask::Drain { at_once: false }).map(drop).unwrap_or_default();
        match self.turning.join() {
            Ok(ended) => Ok(ended?),
            Err(bug) => std::panic::resume_unwind(bug),
        }
    }
}

/// Why an embedded engine could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// It has ended.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// Something failed.
    #[error(transparent)]
    Failed(#[from] EngineError),
}
