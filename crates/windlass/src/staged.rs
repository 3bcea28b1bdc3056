//! Runs with fixed times, for tests of what is shown of them: the core itself, and a clock that moves when told.
//! Never: a process, or a home.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_core::decide::Stamp;
use windlass_core::event::Raise;
use windlass_core::event::{Exit, LossReason, Record, Role, Usage};
use windlass_core::id::{AttemptKey, CommandId, Digest, Epoch, Fence, RunId, TaskId};
use windlass_core::input::{Ask, Command, Ended, Input, LostAttempt, Nesting, Report, Submission};
use windlass_core::output::{Output, RawOutput};
use windlass_core::plan::Plan;
use windlass_core::plan::file::{Options, Source, load};
use windlass_core::plan::settings::Settings;
use windlass_core::state::{Run, State};
use windlass_core::time::{Span, Time};
use windlass_core::turn::Core;

/// The plan in a text, which must be right.
pub(crate) fn plan(text: &str) -> Plan {
    let source = Source { name: "plan.yaml", text: text.as_bytes(), format: None };
    let loaded = load(&source, &Settings::default(), &BTreeMap::new(), &Options::default());
    loaded.expect("the plan is right").plan
}

/// A run under way.
pub(crate) struct Stage {
    core: Core,
    pub(crate) now: Time,
    run: RunId,
    /// What has been journaled, as far as nobody took it.
    pub(crate) records: Vec<Record>,
}

impl Stage {
    /// A run of this plan that has just begun, with eight slots.
    pub(crate) fn of(text: &str) -> Self {
        let run: RunId = "abc123".parse().expect("an id");
        let core = Core::new(State::default(), 8);
        let now = Time::from_ms(1_700_000_000_000);
        let mut stage = Self { core, now, run, records: Vec::new() };
        let opening = Report::EngineStarted {
            epoch: Epoch(1),
            role: Role::Engine,
            build: "test".into(),
            last_alive: Span::default(),
        };
        stage.take(&Input::Report(opening));
        let submission = Submission {
            run,
            plan: Arc::new(plan(text)),
            plan_digest: Digest::of(text.as_bytes()),
            folder: "/folder".into(),
            env_digest: Digest::of(b"{}"),
            source: "plan.yaml".into(),
            repository: None,
        };
        let ask = Ask::SubmitPlan(Box::new(submission));
        stage.take(&Input::Command(Command { id: CommandId("c1".into()), by: "anna".into(), ask }));
        stage
    }

    fn take(&mut self, input: &Input) {
        let stamp = Stamp { now: self.now, seed: u64::MAX / 2 };
        self.core.handle(input, stamp);
        while self.core.end_waits(stamp) {}
        self.records.extend(self.core.take_records());
    }

    /// Time goes on; waits that are over by then end.
    pub(crate) fn after(&mut self, span: &str) -> &mut Self {
        self.now = self.now.after(span.parse::<Span>().expect("a span"));
        while self.core.end_waits(Stamp { now: self.now, seed: u64::MAX / 2 }) {}
        self.records.extend(self.core.take_records());
        self
    }

    fn key(&self, task: &str) -> (AttemptKey, Fence) {
        let task: TaskId = task.parse().expect("a task");
        let run = self.run();
        let attempt = run.task(run.names[&task]).last_attempt().expect("it has begun");
        (AttemptKey { run: self.run, task, attempt: attempt.number }, attempt.fence)
    }

    /// The newest attempt of a task ends with this code, having printed this.
    pub(crate) fn end(&mut self, task: &str, code: i32, said: &str) -> &mut Self {
        let (key, fence) = self.key(task);
        let value = serde_json::from_str(said).unwrap_or_else(|_| said.into());
        let ended = Ended {
            key,
            fence,
            exit: Exit::Code(code),
            error: None,
            raw: RawOutput { bytes: said.len() as u64, blob: None, truncated: false },
            output: Some(Ok(Output { value, ..Output::default() })),
            usage: Usage::default(),
            leftovers: 0,
        };
        self.take(&Input::Report(Report::Ended(Box::new(ended))));
        self
    }

    /// The newest attempt of a task is lost: its keeper died.
    pub(crate) fn lose(&mut self, task: &str) -> &mut Self {
        let (key, fence) = self.key(task);
        let attempts = vec![LostAttempt { key, fence, leftovers: 0 }];
        self.take(&Input::Report(Report::Lost { attempts, reason: LossReason::KeeperDied }));
        self
    }

    /// Somebody asks for something.
    pub(crate) fn ask(&mut self, ask: Ask) -> &mut Self {
        let id = CommandId(format!("c{}", self.state().head.0).into());
        self.take(&Input::Command(Command { id, by: "anna".into(), ask }));
        self
    }

    /// The newest attempt of a task starts a run of this plan.
    pub(crate) fn nest(&mut self, task: &str, text: &str) -> &mut Self {
        let nesting = Nesting {
            within: self.key(task).0,
            plan: Arc::new(plan(text)),
            plan_digest: Digest::of(text.as_bytes()),
            folder: "/folder".into(),
            env_digest: Digest::of(b"{}"),
            source: "inner.yaml".into(),
            levels: None,
        };
        self.ask(Ask::Nest(Box::new(nesting)))
    }

    /// Somebody pauses the run.
    pub(crate) fn pause(&mut self) -> &mut Self {
        self.ask(Ask::Pause { run: self.run, now: false })
    }

    /// Somebody lets it go on.
    pub(crate) fn resume(&mut self) -> &mut Self {
        self.ask(Ask::Resume { run: self.run, raise: Raise::default() })
    }

    /// The engine dies, so long after its last record that it noted it, and another one learns what became of its attempts.
    pub(crate) fn crash(&mut self, task: &str, lived: &str) -> &mut Self {
        let opening = Report::EngineStarted {
            epoch: Epoch(2),
            role: Role::Engine,
            build: "test".into(),
            last_alive: lived.parse().expect("a span"),
        };
        self.take(&Input::Report(opening));
        self.lose(task)
    }

    /// The state.
    pub(crate) fn state(&self) -> &State {
        self.core.state()
    }

    /// The run.
    pub(crate) fn run(&self) -> &Run {
        &self.state().runs[&self.run]
    }
}
