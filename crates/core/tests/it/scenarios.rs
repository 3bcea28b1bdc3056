//! Stories of runs as transcripts in `tests/scenarios`: what is asked or reported, and the events and orders that it
//! leads to. `REWRITE=1` accepts what the core says; read the difference before you commit it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use windlass_core::decide::Stamp;
use windlass_core::effect::{Effect, Program};
use windlass_core::errand::{Done, Errand, ObjectId, Repository};
use windlass_core::event::Raise;
use windlass_core::event::{
    ApprovalAnswer, Event, Exit, Expansion, LossReason, Role, Settlement, StopWhy, Usage,
};
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::fold::evolve;
use windlass_core::id::{AgentName, AttemptKey, CommandId, Digest, Epoch, Fence, RunId, TaskId};
use windlass_core::input::{
    Answer, Ask, Command, Ended, Input, LostAttempt, Nesting, Report, Revision, Submission,
};
use windlass_core::output::{Output, RawOutput};
use windlass_core::plan::Plan;
use windlass_core::plan::file::{Options, PlanText, Source, load};
use windlass_core::plan::settings::Settings;
use windlass_core::react::{pending, react};
use windlass_core::state::State;
use windlass_core::template::PromptPart;
use windlass_core::time::{Span, Time};
use windlass_core::turn::Core;
use windlass_core::view::wake_words::waits;

/// A core, the journal behind it, and a clock that moves when told.
struct Story {
    core: Core,
    journal: Vec<windlass_core::event::Record>,
    now: Time,
    slots: u32,
    plan: Option<Arc<Plan>>,
    /// The files of sub-plans.
    files: BTreeMap<String, String>,
    asked: Vec<Command>,
}

impl Story {
    fn begin() -> Self {
        Self {
            core: Core::new(State::default(), 4),
            journal: Vec::new(),
            now: Time::from_ms(1_700_000_000_000),
            slots: 4,
            plan: None,
            files: BTreeMap::new(),
            asked: Vec::new(),
        }
    }

    fn report(&mut self, report: Report) -> String {
        self.turn(Some(&Input::Report(report)))
    }

    fn ask(&mut self, ask: Ask) -> String {
        let id = CommandId(format!("c{}", self.asked.len() + 1).into());
        self.asked.push(Command { id, by: "anna".into(), ask });
        self.ask_again(self.asked.len())
    }

    /// Sends a command that was sent before, by its number.
    fn ask_again(&mut self, number: usize) -> String {
        let command = self.asked[number - 1].clone();
        self.turn(Some(&Input::Command(command)))
    }

    fn turn(&mut self, input: Option<&Input>) -> String {
        let stamp = Stamp { now: self.now, seed: u64::MAX / 2 };
        let answer = input.and_then(|input| self.core.handle(input, stamp));
        while self.core.end_waits(stamp) {}
        let records = self.core.take_records();
        let mut told = String::new();
        match answer {
            None | Some(Answer::Accepted) => {}
            Some(Answer::Already) => told.push_str("already\n"),
            Some(Answer::Refused(why)) => writeln!(told, "refused: {why}").expect("a text"),
        }
        let runs = self.core.state().runs.len();
        for record in &records {
            let run =
                record.event.run().filter(|_| runs > 1).map(|run| format!("{run} ")).unwrap_or_default();
            writeln!(told, "{run}{}", event(&record.event, self.core.state().now)).expect("a text");
        }
        for effect in records.iter().flat_map(|record| react(self.core.state(), record)) {
            writeln!(told, "  -> {}", order(&effect)).expect("a text");
        }
        self.journal.extend(records);
        if told.is_empty() { "nothing\n".into() } else { told }
    }

    /// The engine dies, `alive` so long since its last record, and another replays the journal: the same state, byte for
    /// byte. It does so after the home was `down` for a while.
    fn crash(&mut self, args: &Args) -> String {
        let span = |name| args.named(name).map(|span| span.parse().expect("a span"));
        let last_alive = span("alive").unwrap_or_default();
        self.now = self.now.after(last_alive).after(span("down").unwrap_or_default());
        let mut replayed = State::default();
        self.journal.iter().for_each(|record| evolve(&mut replayed, record));
        let bytes = |state: &State| serde_json::to_vec(state).expect("a state is plain data");
        assert!(bytes(&replayed) == bytes(self.core.state()), "replay differs from the live state");
        let snapshot: State = serde_json::from_slice(&bytes(&replayed)).expect("a snapshot reads back");
        self.core = Core::new(snapshot, self.slots);
        self.start(Role::Engine, last_alive)
    }

    fn start(&mut self, role: Role, last_alive: Span) -> String {
        let epoch = Epoch(self.core.state().epoch.0 + 1);
        let build = "test".into();
        let mut told = self.report(Report::EngineStarted { epoch, role, build, last_alive });
        for effect in pending(self.core.state()) {
            writeln!(told, "  pending {}", order(&effect)).expect("a text");
        }
        told
    }

    fn fence(&self, run: RunId, task: &TaskId, attempt: u32) -> Fence {
        let run = &self.core.state().runs[&run];
        let task = run.task(run.names[task]);
        task.attempts.iter().find(|one| one.number == attempt).map_or(Fence(u64::MAX), |one| one.fence)
    }

    fn key(&self, args: &Args) -> (AttemptKey, Fence) {
        let task: TaskId = args.word(0).parse().expect("a task");
        let attempt = args.word(1).parse().expect("a number");
        let fence = self.fence(args.run(), &task, attempt);
        (AttemptKey { run: args.run(), task, attempt }, fence)
    }

    fn tell(&mut self, directive: &str, args: &Args, input: &str) -> String {
        let run = args.run();
        match directive {
            "file" => {
                self.files.insert(args.word(0).to_owned(), input.to_owned());
                "ok\n".into()
            }
            "plan" => self.read(input),
            "slots" => {
                self.slots = args.word(0).parse().expect("a number");
                self.core = Core::new(self.core.state().clone(), self.slots);
                "ok\n".into()
            }
            "engine" => self.start(Role::Engine, Span::default()),
            "crash" => self.crash(args),
            "submit" => self.submit(run),
            "revise" => self.revise(run, input),
            "nest" => self.nest(args, input),
            "end" => self.end(args, input),
            "errand" => self.errand(args, input),
            "lost" => {
                let (key, fence) = self.key(args);
                let attempts = vec![LostAttempt { key, fence, leftovers: 0 }];
                self.report(Report::Lost { attempts, reason: LossReason::EngineDied })
            }
            "overdue" => self.overdue(args, StopWhy::Timeout, "it ran for 2s, over its 1s"),
            "silent" => self.overdue(args, StopWhy::Stalled, "no output for 10m"),
            "wait" => {
                self.now = self.now.after(args.word(0).parse::<Span>().expect("a span"));
                self.turn(None)
            }
            "step" => {
                let by_ms: i64 = args.word(0).parse().expect("milliseconds");
                self.now = Time::from_ms(self.now.ms + by_ms);
                self.report(Report::ClockJumped { by_ms, suspended_ms: 0 })
            }
            "suspend" => {
                let slept: Span = args.word(0).parse().expect("a span");
                self.now = self.now.after(slept);
                self.report(Report::ClockJumped { by_ms: 0, suspended_ms: slept.ms })
            }
            "disk" => self.report(Report::DiskLow { low: args.word(0) == "low" }),
            "pause" => self.ask(Ask::Pause { run, now: args.named("now").is_some() }),
            "resume" => {
                let number = |name: &str| args.named(name).map(|more| more.parse().expect("a number"));
                let wall = args.named("wall").map(|more| more.parse().expect("a span"));
                let raise = Raise {
                    attempts: number("attempts").unwrap_or_default(),
                    wall: wall.unwrap_or_default(),
                };
                self.ask(Ask::Resume { run, raise })
            }
            "drain" => self.ask(Ask::Drain { at_once: false }),
            "cancel" => self.ask(Ask::Cancel { run, task: args.task(0) }),
            "retry" => {
                let agent = args.named("agent").map(|name| AgentName(name.into()));
                let prompt = Some(input.trim_end().to_owned()).filter(|text| !text.is_empty());
                self.ask(Ask::Retry { run, task: args.task(0).expect("a task"), agent, prompt })
            }
            "drop" => self.ask(Ask::DropDeadLetter { run, task: args.task(0).expect("a task") }),
            "settle" => self.settle(args),
            "emit" => self.emit(args, input),
            "approve" | "deny" => self.approve(args, directive == "approve"),
            "again" => self.ask_again(args.word(0).parse().expect("a number")),
            "states" => self.states(run),
            "waits" => self.waits(run),
            other => panic!("no such directive: {other}"),
        }
    }

    fn overdue(&mut self, args: &Args, why: StopWhy, message: &str) -> String {
        let (key, fence) = self.key(args);
        self.report(Report::Overdue { key, fence, why, message: message.into() })
    }

    fn read(&mut self, text: &str) -> String {
        let source = Source { name: "plan.yaml", text: text.as_bytes(), format: None };
        let read = |dir: &str, file: &str| {
            let text = self.files.get(file).ok_or("there is no such file")?;
            Ok(PlanText { name: file.to_owned(), bytes: text.clone().into_bytes(), dir: dir.to_owned() })
        };
        let options = Options { read: Some(&read), ..Options::default() };
        match load(&source, &Settings::default(), &BTreeMap::new(), &options) {
            Ok(loaded) => {
                self.plan = Some(Arc::new(loaded.plan));
                "ok\n".into()
            }
            Err(errors) => {
                errors.iter().fold(String::new(), |told, error| format!("{told}{}\n", error.message))
            }
        }
    }

    fn submit(&mut self, run: RunId) -> String {
        let plan = self.plan.clone().expect("a plan");
        let plan_digest = Digest::of(&serde_json::to_vec(&*plan).expect("plain data"));
        let submission = Submission {
            run,
            plan,
            plan_digest,
            folder: "/folder".into(),
            env_digest: Digest::of(b"{}"),
            source: "plan.yaml".into(),
            repository: Some(Repository {
                root: "/repository".into(),
                within: String::new(),
                worktrees: "/worktrees".into(),
                start: ObjectId("c0".into()),
                target: "target".into(),
            }),
        };
        self.ask(Ask::SubmitPlan(Box::new(submission)))
    }

    /// The run goes on by the plan of the text, if it is one.
    fn revise(&mut self, run: RunId, text: &str) -> String {
        let read = self.read(text);
        if read != "ok\n" {
            return read;
        }
        let plan = self.plan.clone().expect("a plan");
        let plan_digest = Digest::of(&serde_json::to_vec(&*plan).expect("plain data"));
        let revision = Revision { run, plan, plan_digest, source: "plan.yaml".into() };
        self.ask(Ask::Revise(Box::new(revision)))
    }

    /// An attempt starts a run of the plan of the text, if it is one.
    fn nest(&mut self, args: &Args, text: &str) -> String {
        let read = self.read(text);
        if read != "ok\n" {
            return read;
        }
        let (within, _) = self.key(args);
        let plan = self.plan.clone().expect("a plan");
        let plan_digest = Digest::of(&serde_json::to_vec(&*plan).expect("plain data"));
        let (folder, env_digest, source) = ("/other".into(), Digest::of(b"{}"), "nested.yaml".into());
        let levels = args.named("levels").map(|levels| levels.parse().expect("a number"));
        let nesting = Nesting { within, plan, plan_digest, folder, env_digest, source, levels };
        self.ask(Ask::Nest(Box::new(nesting)))
    }

    fn end(&mut self, args: &Args, input: &str) -> String {
        let (key, fence) = self.key(args);
        let exit = match (args.named("code"), args.named("signal")) {
            (Some(code), _) => Exit::Code(code.parse().expect("a number")),
            (None, Some(signal)) => Exit::Signal(signal.parse().expect("a number")),
            (None, None) if args.named("unstarted").is_some() => Exit::NotStarted,
            (None, None) => Exit::Code(0),
        };
        let error = args.named("kind").map(|kind| {
            let kind = ErrorKind::from_name(kind).expect("a kind of error");
            let retry_after = args.named("retry_after").map(|span| span.parse().expect("a span"));
            Failure { retry_after, ..Failure::new(kind, "it said so") }
        });
        let text = input.trim_end();
        let value = serde_json::from_str(text).unwrap_or_else(|_| text.into());
        let large = args.named("large").is_some();
        let blob = large.then(|| Digest::of(text.as_bytes()));
        let raw = RawOutput { bytes: text.len() as u64, blob, truncated: false };
        let output = (!large).then_some(Ok(Output { value, ..Output::default() }));
        let ended = Ended { key, fence, exit, error, raw, output, usage: Usage::default(), leftovers: 0 };
        self.report(Report::Ended(Box::new(ended)))
    }

    /// The errand that is outstanding for an attempt is done, or is not.
    fn errand(&mut self, args: &Args, input: &str) -> String {
        let (key, _) = self.key(args);
        let id = |place: usize| ObjectId(args.word(place).to_owned());
        let text = input.trim_end().to_owned();
        let outcome = match args.word(2) {
            "made" => Ok(Done::WorktreeMade),
            "committed" => {
                let is_empty = args.named("empty").is_some();
                Ok(Done::WorkCommitted { commit: id(3), tree: id(4), is_empty })
            }
            "prepared" => Ok(Done::MergePrepared { base: id(3), new_tip: id(4), tree: id(5) }),
            "conflict" => Ok(Done::Conflict { base: id(3), files: vec!["a file".into()], text }),
            "landed" => Ok(Done::Landed { commit: id(3) }),
            "stale" => Ok(Done::Stale { tip: id(3) }),
            kind => Err(Failure::new(ErrorKind::from_name(kind).expect("a kind of error"), "it said so")),
        };
        let of_attempt = |effect| {
            let Effect::RunErrand(order) = effect else { return None };
            (order.key == key).then_some(order.fence)
        };
        let fence = pending(self.core.state()).into_iter().find_map(of_attempt).unwrap_or_default();
        self.report(Report::ErrandDone { key, fence, outcome })
    }

    fn settle(&mut self, args: &Args) -> String {
        let answer = match args.word(1) {
            "done" => Settlement::Done,
            "failed" => Settlement::Failed,
            other => panic!("settled as {other}?"),
        };
        let task = args.task(0).expect("a task");
        let value = args.named("output").map_or(serde_json::Value::Null, Into::into);
        self.ask(Ask::Settle { run: args.run(), task, answer, output: Output { value, ..Output::default() } })
    }

    /// Somebody outside says something: the text, or so many letters, so many times.
    fn emit(&mut self, args: &Args, input: &str) -> String {
        let times = args.named("times").map_or(1, |times| times.parse().expect("a number"));
        (0..times).fold(String::new(), |_, _| self.emit_once(args, input))
    }

    fn emit_once(&mut self, args: &Args, input: &str) -> String {
        let text = input.trim_end();
        let data = match args.named("letters") {
            Some(number) => "x".repeat(number.parse().expect("a number")).into(),
            None => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        };
        self.ask(Ask::Emit { run: args.run(), topic: args.word(0).into(), data })
    }

    fn approve(&mut self, args: &Args, yes: bool) -> String {
        let task = args.task(0).expect("a task");
        let run = &self.core.state().runs[&args.run()];
        let asked = run.task(run.names[&task]).approval.as_ref().map(|asked| asked.id.clone());
        let approval = args.named("id").map(str::to_owned).or(asked).unwrap_or_default();
        let answer = if yes { ApprovalAnswer::Approved } else { ApprovalAnswer::Denied };
        self.ask(Ask::Approve { run: args.run(), task, approval, answer, text: "fine".into() })
    }

    /// What each unfinished task waits for: since so long, until so far, and who can change it.
    fn waits(&self, run: RunId) -> String {
        let (state, now) = (self.core.state(), self.now);
        let waits = waits(state, &state.runs[&run], true);
        waits.iter().fold(String::new(), |told, wait| {
            let until = wait.until.map(|until| format!(", until +{}", until.since(now))).unwrap_or_default();
            let since = now.since(wait.since);
            format!("{told}{}: {} (since {since}{until}) {}\n", wait.task, wait.on, wait.who)
        })
    }

    fn states(&self, run: RunId) -> String {
        let run = &self.core.state().runs[&run];
        let line = |task: &windlass_core::state::Task| format!("{}: {}\n", task.id, task.phase.name());
        let tasks: String = run.tasks.iter().map(line).collect();
        format!("run: {:?} {:?}\n{tasks}", run.phase, run.outcome)
    }
}

/// The words of a directive: `end build 1 code=3`.
struct Args(Vec<String>);

impl Args {
    fn word(&self, place: usize) -> &str {
        self.0.iter().filter(|word| !word.contains('=')).nth(place).expect("a word is missing")
    }

    fn named(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    fn task(&self, place: usize) -> Option<TaskId> {
        let word = self.0.iter().filter(|word| !word.contains('=')).nth(place)?;
        Some(word.parse().expect("a task"))
    }

    fn run(&self) -> RunId {
        self.named("run").unwrap_or("aaaaaa").parse().expect("a run")
    }
}

/// A value, or how long it is.
fn brief(data: &serde_json::Value) -> String {
    let text = data.to_string();
    if text.len() > 80 { format!("({} bytes)", text.len()) } else { text }
}

/// An event as the transcripts show it.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other event has more to tell")]
fn event(event: &Event, now: Time) -> String {
    let task = event.task().map(|task| format!(" {task}")).unwrap_or_default();
    let attempt = event.attempt().map(|number| format!("@{number}")).unwrap_or_default();
    let more = match event {
        Event::EngineStarted { epoch, last_alive_ms, .. } => {
            let alive = last_alive_ms.map(|ms| format!(" last_alive={}", Span::from_ms(ms)));
            format!(" epoch={epoch}{}", alive.unwrap_or_default())
        }
        Event::TaskExpanded { into, .. } => match into {
            Expansion::Items(items) => {
                format!(" items={}", serde_json::to_string(items).expect("JSON"))
            }
            Expansion::Round(number) => format!(" round {number}"),
            Expansion::Replicas(count) => format!(" replicas {count}"),
            Expansion::Plan { tasks, inputs } => {
                format!(" plan of {tasks}, {}", serde_json::to_string(inputs).expect("JSON"))
            }
        },
        Event::ResultSelected { child, error, .. } => {
            let child = child.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
            let error = error.as_ref().map(|error| format!(": {}", error.message)).unwrap_or_default();
            format!(" {child}{error}")
        }
        Event::AttemptStarted { alone: true, .. } => " alone".into(),
        Event::PlanNested { child, .. } => format!(" as {child}"),
        Event::PlanRevised { version, .. } => format!(" version={version}"),
        Event::StopRequested { why, .. } => format!(" {why:?}"),
        Event::AttemptFinished { exit, error, .. } => format!(" {exit:?}{}", kind(error.as_ref())),
        Event::AttemptLost { alone, .. } => format!(" alone={alone}"),
        Event::ExtractsRecorded { output, error, .. } => format!(" {}{}", output.value, kind(error.as_ref())),
        Event::RetryScheduled { error, agent: Some(agent), .. } => format!(" by {agent} {}", error.kind),
        Event::TaskParked { error, due, .. } => format!(" until +{} {}", due.since(now).ms, error.kind),
        Event::AgentNamed { agent, .. } => format!(" {agent}"),
        Event::BreakerChanged { account, from, to, until, why } => {
            let until = until.map(|until| format!(" for {}", until.since(now).ms)).unwrap_or_default();
            format!(" {account}: {} to {}{until}, {why}", from.name(), to.name())
        }
        Event::ConcurrencyChanged { account, from, to } => format!(" {account}: {from:?} to {to:?}"),
        Event::RetryScheduled { wait_ms, ceiling_ms, error, due, .. } => {
            format!(" wait={wait_ms} ceiling={ceiling_ms} due=+{} {}", due.since(now).ms, error.kind)
        }
        Event::TimerFired { timer, .. } => format!(" {timer:?}"),
        Event::TaskBlocked { error: Some(error), .. } => format!(" {}", error.message),
        Event::TaskBlocked { on, .. } => format!(" {on:?}"),
        Event::TaskSkipped { reason, cause, .. } => {
            format!(
                " {reason:?}{}",
                cause.as_ref().map(|cause| format!(" because of {cause}")).unwrap_or_default()
            )
        }
        Event::TaskUnskipped { cause, .. } | Event::TaskRequeued { cause, .. } => {
            format!(" because of {cause}")
        }
        Event::TaskDead { error, .. } => format!(" {}: {}", error.kind, error.message),
        Event::PauseRequested { reason, .. } | Event::RunPaused { reason, .. } => format!(" {reason:?}"),
        Event::BudgetReached { budget, spent, limit, .. } => format!(" {budget:?} {spent} of {limit}"),
        Event::RunFinished { outcome, .. } => format!(" {outcome:?}"),
        Event::TopicEmitted { topic, data, by: Some(by), .. } => format!(" {topic} {} by {by}", brief(data)),
        Event::TopicEmitted { topic, data, .. } => format!(" {topic} {data}"),
        Event::WaitSatisfied { topic, from: Some(from), .. } => format!(" {topic} of {from}"),
        Event::WaitSatisfied { topic, from: None, .. } => format!(" {topic} from outside"),
        Event::ApprovalRequested { text, .. } => format!(" {text:?}"),
        Event::ApprovalGiven { answer, .. } => format!(" {answer:?}"),
        Event::ClockJumped { by_ms, suspended_ms } => format!(" by={by_ms} suspended={suspended_ms}"),
        other => of_work(other),
    };
    format!("{}{task}{attempt}{more}", event.name())
}

/// The same of worktrees and of work that lands.
#[expect(clippy::wildcard_enum_match_arm, reason = "no other event has more to tell")]
fn of_work(event: &Event) -> String {
    match event {
        Event::WorkspaceReady { error, .. } => kind(error.as_ref()),
        Event::WorkCommitted { work, error, .. } => {
            let work = work.as_ref().map(|work| format!(" {}", work.commit)).unwrap_or_default();
            format!("{work}{}", kind(error.as_ref()))
        }
        Event::MergeFinished { outcome, error, .. } => format!(" {outcome:?}{}", kind(error.as_ref())),
        Event::TaskSucceeded { commit: Some(commit), .. } => format!(" as {commit}"),
        _ => String::new(),
    }
}

fn kind(error: Option<&Failure>) -> String {
    error.map(|error| format!(" {}", error.kind)).unwrap_or_default()
}

/// An order as the transcripts show it.
fn order(effect: &Effect) -> String {
    match effect {
        Effect::SpawnAttempt(assignment) => {
            let what = match &assignment.program {
                Program::Argv(words) => words.join(" "),
                Program::Shell(line) => format!("sh: {line}"),
                Program::Agent { name, prompt, .. } => format!("{name}: {}", text(prompt)),
                Program::Errand(_) => unreachable!("no attempt is an errand"),
            };
            let place = match assignment.folder.as_str() {
                "/folder" | "/other" => String::new(),
                elsewhere => format!(" in {elsewhere}"),
            };
            format!("spawn {} [{what}]{place}", assignment.key)
        }
        Effect::LearnAttempt { key, .. } => format!("learn {key}"),
        Effect::StopAttempt { key, grace, .. } => format!("stop {key} within {grace}"),
        Effect::SettleOutput { key, .. } => format!("settle {key}"),
        Effect::RunErrand(order) => {
            let what = match &order.errand {
                Errand::MakeWorktree(make) => {
                    format!("make {} for {} at {}", make.path, make.branch, make.base)
                }
                Errand::CommitWork(commit) => format!("commit what is in {}", commit.path),
                Errand::PrepareMerge(merge) => format!("put {} on {}", merge.work, merge.target),
                Errand::Merge(merge) => {
                    format!("move {} from {} to {}", merge.target, merge.expect_old, merge.new_tip)
                }
            };
            format!("errand for {}: {what}", order.key)
        }
    }
}

fn text(prompt: &[PromptPart]) -> String {
    let part = |part: &PromptPart| match part {
        PromptPart::Text(text) => text.clone(),
        PromptPart::Blob(digest) => format!("<{digest}>"),
    };
    prompt.iter().map(part).collect()
}

/// A transcript: paragraphs parted by blank lines. One whose lines all begin with `#` is a remark; any other is a
/// directive, what belongs to it, `----`, and what it leads to.
fn told(path: &Path) -> (String, String) {
    let written = std::fs::read_to_string(path).expect("a transcript");
    let mut story = Story::begin();
    let paragraph = |paragraph: &str| {
        if paragraph.lines().all(|line| line.starts_with('#')) {
            return paragraph.to_owned();
        }
        let (asked, _) = paragraph.split_once("----").expect("a directive ends with ----");
        let (line, input) = asked.split_once('\n').expect("---- stands on a line of its own");
        let mut words = line.split_whitespace().map(str::to_owned);
        let directive = words.next().expect("a directive");
        let outcome = story.tell(&directive, &Args(words.collect()), input);
        format!("{asked}----\n{}", outcome.trim_end())
    };
    let paragraphs: Vec<String> = written.trim_end().split("\n\n").map(paragraph).collect();
    (written, paragraphs.join("\n\n") + "\n")
}

#[test]
#[expect(clippy::disallowed_methods, reason = "REWRITE is how goldens are accepted")]
fn every_story_goes_as_it_is_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let entries = std::fs::read_dir(folder).expect("the folder of the transcripts");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        let (written, goes) = told(&path);
        if std::env::var("REWRITE").is_ok() {
            std::fs::write(&path, &goes).expect("a transcript can be written");
        } else {
            assert!(written == goes, "{} goes otherwise:\n{goes}", path.display());
        }
    }
}
