//! What an attempt is asked: the templates of a task, filled in from the state. Never: anything that is not in the
//! state, so that the same state gives the same text, now and after a restart.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::effect::{Assignment, Program, Settle};
use crate::failure::Failure;
use crate::id::{AgentName, AttemptKey, Digest, Fence, TaskId};
use crate::machine::task::Phase;
use crate::plan::{self, Work};
use crate::planted::{Bug, is_planted};
use crate::state::{Run, Task, TaskIx};
use crate::template::{OutputSeen, PromptPart, Scope, TaskSeen};

/// What the templates of one task see.
pub(crate) struct View<'a> {
    run: &'a Run,
    task: &'a Task,
    attempt: Option<u32>,
    /// How those stood that had not succeeded when the attempt started; none where it has not yet started.
    seen: Option<&'a BTreeMap<TaskId, Phase>>,
    /// Who works on it, once that is certain.
    agent: Option<&'a AgentName>,
    /// How those stand that were asked for and have not succeeded.
    looked: RefCell<BTreeMap<TaskId, Phase>>,
    /// Whether it is that of a parent between two rounds.
    between: bool,
    /// What the message says that is looked at.
    message: Option<&'a Value>,
}

impl<'a> View<'a> {
    /// The view of a task that has no attempt yet: for `when`, `for_each` and approvals.
    pub(crate) fn of(run: &'a Run, ix: TaskIx) -> Self {
        let looked = RefCell::default();
        let task = run.task(ix);
        Self { run, task, attempt: None, seen: None, agent: None, looked, between: false, message: None }
    }

    /// The view of a parent after a round: for `until`.
    pub(crate) fn between(run: &'a Run, ix: TaskIx) -> Self {
        Self { between: true, ..Self::of(run, ix) }
    }

    /// The same with a message: for `match`.
    pub(crate) fn with_message(self, data: &'a Value) -> Self {
        Self { message: Some(data), ..self }
    }

    /// The view that an attempt is chosen by: who works on it.
    pub(crate) fn before_attempt(run: &'a Run, ix: TaskIx, attempt: u32) -> Self {
        Self { attempt: Some(attempt), ..Self::of(run, ix) }
    }

    /// The view of an attempt: of one that has started, what it saw then, whatever has happened since.
    pub(crate) fn of_attempt(run: &'a Run, ix: TaskIx, attempt: u32) -> Self {
        let started = run.task(ix).attempts.iter().rfind(|started| started.number == attempt);
        let agent = started.and_then(|started| started.agent.as_ref());
        let seen = started.map(|started| &started.seen);
        Self { attempt: Some(attempt), seen, agent, ..Self::of(run, ix) }
    }
}

impl View<'_> {
    /// What a task calls by its own name: the round before.
    fn round_before(&self) -> TaskSeen<'_> {
        match self.run.round_before(self.task) {
            Some(round) => TaskSeen { state: round.phase.name(), output: self.run.given(round) },
            None => TaskSeen { state: Phase::Waiting.name(), output: OutputSeen::Null },
        }
    }
}

impl Scope for View<'_> {
    fn input(&self, name: &str) -> Option<&Value> {
        self.run.inputs_of(self.task).get(name)
    }

    fn inputs(&self) -> &BTreeMap<String, Value> {
        self.run.inputs_of(self.task)
    }

    fn task(&self, name: &str) -> Option<TaskSeen<'_>> {
        let task = self.run.named(self.task, name)?;
        if task.spec == self.task.spec && task.scope == self.task.scope {
            return Some(self.round_before());
        }
        let id = &task.id;
        let seen = self.seen.filter(|_| !is_planted(Bug::TextsFollow));
        if let Some(phase) = seen.and_then(|seen| seen.get(id)) {
            return Some(TaskSeen { state: phase.name(), output: OutputSeen::Null });
        }
        if task.phase != Phase::Succeeded {
            self.looked.borrow_mut().insert(id.clone(), task.phase);
        }
        Some(TaskSeen { state: task.phase.name(), output: self.run.given(task) })
    }

    fn item(&self) -> Option<&Value> {
        self.run.item(self.task)
    }

    fn index(&self) -> Option<u32> {
        if self.between {
            return u32::try_from(self.task.children.len()).ok()?.checked_sub(1);
        }
        self.task.parent.map(|(_, number)| number)
    }

    fn plan_dir(&self) -> &str {
        &self.run.plan_of(self.task).dir
    }

    fn run_id(&self) -> &str {
        self.run.id.as_str()
    }

    fn attempt(&self) -> Option<u32> {
        self.attempt
    }

    fn message(&self) -> Option<&Value> {
        self.message
    }

    fn feedback(&self) -> Option<&str> {
        self.task.error.as_ref().map(|error| error.message.as_str())
    }
}

/// What an attempt starts, with every template filled in.
fn program(run: &Run, view: &View<'_>) -> Result<Program, Failure> {
    match &run.spec(view.task).work {
        Work::Prompt { prompt, .. } => {
            let name = view.agent.expect("a prompt starts only with somebody who works on it");
            let agent = run.agent(view.task, name).clone();
            let prompt = match &view.task.asked {
                Some(text) => vec![PromptPart::Text(text.clone())],
                None => prompt.render_prompt(view).map_err(|failure| failure.within("prompt"))?,
            };
            Ok(Program::Agent { agent, name: name.to_string(), prompt })
        }
        Work::Argv(words) => {
            let words: Result<_, _> = words.iter().map(|word| word.render_text(view)).collect();
            words.map(Program::Argv).map_err(|failure: Failure| failure.within("run"))
        }
        Work::Shell(line) => {
            line.render_shell(view).map(Program::Shell).map_err(|failure| failure.within("run"))
        }
        Work::Approval { .. } | Work::Plan(_) | Work::Emit { .. } | Work::Wait(_) => {
            unreachable!("none of them has attempts")
        }
    }
}

/// The digest of what an attempt is asked, with placeholders for large outputs.
pub(crate) fn digest(program: &Program) -> Digest {
    Digest::of(&serde_json::to_vec(program).expect("programs are plain data"))
}

/// The program of an attempt that is about to start, and how those stand that its texts name and that have not
/// succeeded.
pub(crate) fn beginning(
    run: &Run,
    ix: TaskIx,
    agent: Option<&AgentName>,
) -> Result<(Program, BTreeMap<TaskId, Phase>), Failure> {
    let attempt = run.task(ix).next_attempt();
    let view = View { agent, ..View::of_attempt(run, ix, attempt) };
    let assigned = assigned(run, &view, attempt, Fence::default())?;
    Ok((assigned.program, view.looked.into_inner()))
}

/// All that the driver of an attempt needs. Rendering fails here exactly where it failed before the attempt started,
/// which is never: an attempt whose templates fail does not start, and it sees what it saw then.
pub(crate) fn assignment(run: &Run, ix: TaskIx, attempt: u32, fence: Fence) -> Result<Assignment, Failure> {
    let started = run.task(ix).attempts.iter().rfind(|started| started.number == attempt);
    let run = &*run.as_of(started.map_or(run.version, |started| started.plan_version));
    assigned(run, &View::of_attempt(run, ix, attempt), attempt, fence)
}

fn assigned(run: &Run, view: &View<'_>, attempt: u32, fence: Fence) -> Result<Assignment, Failure> {
    let spec = run.spec(view.task);
    let program = program(run, view)?;
    let env = environment(spec, &program, view)?;
    let (shared, env_base) = run.surroundings(view.task);
    let site = run.site_of(view.task, attempt);
    let workspace = site.map_or(shared, |(path, _)| path);
    let start = match site {
        Some((path, within)) if !within.is_empty() => format!("{path}/{within}"),
        Some(_) | None => workspace.to_owned(),
    };
    let folder = match &spec.dir {
        None => start,
        Some(dir) => {
            let dir = dir.render_text(view).map_err(|failure| failure.within("dir"))?;
            stays_inside(&dir)?;
            // A step that leads nowhere would be seen in `PWD`.
            let steps = dir.split('/').filter(|step| !step.is_empty() && *step != ".");
            std::iter::once(start.as_str()).chain(steps).collect::<Vec<_>>().join("/")
        }
    };
    let agent_memory = match &program {
        Program::Agent { agent, .. } => agent.memory_bytes_max,
        Program::Argv(_) | Program::Shell(_) | Program::Errand(_) => None,
    };
    Ok(Assignment {
        key: AttemptKey { run: run.id, task: view.task.id.clone(), attempt },
        fence,
        folder,
        workspace: workspace.to_owned(),
        env_base,
        env,
        pass: spec.pass.clone(),
        start_to_close: spec.timeout.start_to_close,
        heartbeat: spec.timeout.heartbeat,
        grace: spec.timeout.grace,
        memory_bytes_max: spec.memory_bytes_max.or(agent_memory),
        settle: settle(spec),
        around: if is_planted(Bug::MarksOverwritten) { Vec::new() } else { run.attempts_around(view.task) },
        elsewhere: run.plan.nested.then_some(run.plan.limits.depth),
        feedback: view.feedback().map(str::to_owned),
        program,
    })
}

impl Run {
    /// What is to be done with the output of an attempt, by the plan that it went by.
    pub(crate) fn settle(&self, task: &Task, plan_version: u32) -> Settle {
        settle(self.spec_as_of(task, plan_version))
    }
}

/// What is to be done with a task's output.
fn settle(spec: &plan::Task) -> Settle {
    Settle { schema: spec.output_schema.clone(), extracts: spec.extracts.clone() }
}

fn environment(
    spec: &plan::Task,
    program: &Program,
    view: &View<'_>,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut env = match program {
        Program::Agent { agent, .. } => agent.env.clone(),
        Program::Argv(_) | Program::Shell(_) | Program::Errand(_) => BTreeMap::new(),
    };
    for (name, value) in &spec.env {
        let value = value.render_text(view).map_err(|failure| failure.within(&format!("env.{name}")))?;
        env.insert(name.clone(), value);
    }
    Ok(env)
}

/// A working directory that a template gave must lie inside the folder, as the plan's own must. Where steps and links lead
/// is seen by who works there.
fn stays_inside(dir: &str) -> Result<(), Failure> {
    if dir.starts_with('/') || dir.contains('\0') {
        let message = format!("the working directory `{dir}` is not inside the run's folder");
        return Err(
            Failure::new(crate::failure::ErrorKind::SpawnDir, message).hint("give `dir` a path inside it")
        );
    }
    Ok(())
}
