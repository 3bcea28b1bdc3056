//! Attempts that start runs, at random: what they lend is counted once, comes back, and nothing waits for them in vain.
//! Never: a case that is told step by step (`scenarios/nested*.txt`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use windlass_core::decide::Stamp;
use windlass_core::event::Raise;
use windlass_core::event::{Event, Exit, LossReason, Role, StopWhy, Usage};
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::fold::evolve;
use windlass_core::id::{AttemptKey, CommandId, Digest, Epoch, Fence, RunId, TaskId};
use windlass_core::input::{
    Answer, Ask, Command, Ended, Input, LostAttempt, Nesting, Report, Revision, Submission,
};
use windlass_core::output::{Output, RawOutput};
use windlass_core::plan::file::{Options, Source, load};
use windlass_core::plan::settings::Settings;
use windlass_core::plan::{Plan, Rerun};
use windlass_core::state::due::Due;
use windlass_core::state::{Run, State, TaskIx};
use windlass_core::time::{Span, Time};
use windlass_core::turn::Core;
use windlass_core::view::wake::wake;

const SEEDS: u64 = 150;
const STEPS: u32 = 60;

const OUTER: [&str; 2] = [
    r#"
concurrency: 3
limits: { depth: 5, tasks: 60 }
budget: { attempts: 40 }
agents: { one: { adapter: scripted, concurrency: 1 }, two: { adapter: scripted, account: x, fallback: [one] } }
tasks:
  list: { for_each: [1, 2, 3, 4], max_parallel: 2, agent: one, prompt: "do", retry: { max_attempts: 2 } }
  race: { replicas: 2, agent: two, prompt: "do" }
  bound: { run: ["b"], budget: { attempts: 3 }, retry: { max_attempts: 3 } }
  tell: { needs: [bound], emit: { topic: t } }
  last: { needs: [list, race, bound], run: ["last"] }
"#,
    r#"
concurrency: 2
limits: { depth: 5, tasks: 60 }
budget: { attempts: 50 }
agents: { one: { adapter: scripted, concurrency: 2 }, two: { adapter: scripted, account: x } }
tasks:
  list: { for_each: [1, 2, 3, 4], max_parallel: 1, agent: one, prompt: "do", priority: 5 }
  race: { replicas: 2, agent: two, prompt: "do" }
  bound: { run: ["b"], budget: { attempts: 4 }, retry: { max_attempts: 3 } }
  tell: { needs: [bound], emit: { topic: t } }
  last: { needs: [list, race, bound], run: ["last"] }
"#,
];

const INNER: [&str; 4] = [
    "tasks: { x: { run: [x] }, y: { needs: [x], run: [y] } }",
    r#"
agents: { one: { adapter: scripted, concurrency: 1 } }
budget: { attempts: 3 }
tasks: { x: { for_each: [1, 2], max_parallel: 1, agent: one, prompt: "x" }, y: { approval: "Go?" } }
"#,
    r#"
agents: { two: { adapter: scripted, account: x } }
tasks: { x: { agent: two, prompt: "x" }, y: { wait_for: { topic: t } } }
"#,
    "tasks: { x: { replicas: 3, run: [x] }, y: { run: [y], rerun: never } }",
];

fn plan(text: &str) -> Arc<Plan> {
    let source = Source { name: "plan.yaml", text: text.as_bytes(), format: None };
    let loaded = load(&source, &Settings::default(), &BTreeMap::new(), &Options::default());
    Arc::new(loaded.expect("a valid plan").plan)
}

fn digest(plan: &Plan) -> Digest {
    Digest::of(&serde_json::to_vec(plan).expect("plain data"))
}

fn id() -> RunId {
    RunId::from_random(7)
}

/// A core under whatever comes, beside a state that replays its journal.
struct Chaos {
    core: Core,
    shadow: State,
    now: Time,
    slots: usize,
    random: u64,
    asked: u32,
    nested: u32,
    /// The tasks that a person brought back, until they start.
    asked_for: BTreeSet<TaskId>,
}

impl Chaos {
    fn of(seed: u64) -> Self {
        let slots = 1 + seed % 4;
        let mut chaos = Self {
            core: Core::new(State::default(), u32::try_from(slots).expect("few")),
            shadow: State::default(),
            now: Time::from_ms(1_700_000_000_000),
            slots: usize::try_from(slots).expect("few"),
            random: seed,
            asked: 0,
            nested: 0,
            asked_for: BTreeSet::new(),
        };
        chaos.open();
        let plan = plan(OUTER[0]);
        let submission = Submission {
            run: id(),
            plan_digest: digest(&plan),
            plan,
            folder: "/folder".into(),
            env_digest: Digest::of(b"{}"),
            source: "plan.yaml".into(),
            repository: None,
        };
        chaos.ask(Ask::SubmitPlan(Box::new(submission)));
        chaos
    }

    fn below(&mut self, most: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(most.max(1)).expect("few")).expect("few")
    }

    fn turn(&mut self, input: Option<&Input>) -> Option<Answer> {
        let stamp = Stamp { now: self.now, seed: self.random };
        let answer = input.and_then(|input| self.core.handle(input, stamp));
        while self.core.end_waits(stamp) {}
        for record in self.core.take_records() {
            if let Event::AttemptStarted { task, .. } = &record.event {
                self.check_once(task);
                let taken = self.shadow.live.len() - self.shadow.lent.len();
                assert!(taken < self.slots, "{taken} take a slot, and another starts");
            }
            if let Event::TaskRequeued { task, .. } = &record.event {
                self.asked_for.insert(task.clone());
            }
            evolve(&mut self.shadow, &record);
        }
        self.shadow.fresh.clear();
        self.check();
        answer
    }

    fn ask(&mut self, ask: Ask) -> Option<Answer> {
        self.asked += 1;
        let command = Command { id: CommandId(format!("c{}", self.asked).into()), by: "test".into(), ask };
        self.turn(Some(&Input::Command(command)))
    }

    fn report(&mut self, report: Report) {
        self.turn(Some(&Input::Report(report)));
    }

    fn open(&mut self) {
        let epoch = Epoch(self.core.state().epoch.0 + 1);
        let (role, build, last_alive) = (Role::Engine, "test".to_owned(), Span::default());
        self.report(Report::EngineStarted { epoch, role, build, last_alive });
    }

    fn run(&self) -> &Run {
        &self.core.state().runs[&id()]
    }

    fn live(&self) -> Vec<(AttemptKey, Fence)> {
        let live = self.core.state().live.iter();
        live.map(|(fence, (run, ix))| {
            let task = self.core.state().runs[run].task(*ix);
            (task.key(*run, task.last_attempt().expect("it is live")), *fence)
        })
        .collect()
    }

    fn some_live(&mut self) -> Option<(AttemptKey, Fence)> {
        let live = self.live();
        let at = self.below(live.len());
        live.get(at).cloned()
    }

    fn some_task(&mut self) -> TaskId {
        let at = self.below(self.run().tasks.len());
        self.run().tasks[at].id.clone()
    }

    fn end(&mut self, (key, fence): (AttemptKey, Fence)) {
        let failure = [ErrorKind::Overloaded, ErrorKind::RateLimited, ErrorKind::Auth, ErrorKind::Exit];
        let error = match self.below(12) {
            at if at < failure.len() => Some(Failure::new(failure[at], "it said so")),
            _ => None,
        };
        let ended = Ended {
            key,
            fence,
            exit: Exit::Code(0),
            error,
            raw: RawOutput::default(),
            output: Some(Ok(Output::default())),
            usage: Usage::default(),
            leftovers: 0,
        };
        self.report(Report::Ended(Box::new(ended)));
    }

    fn nest(&mut self) {
        let Some((within, _)) = self.some_live() else { return };
        let plan = plan(INNER[self.below(INNER.len())]);
        let nesting = Nesting {
            within,
            plan_digest: digest(&plan),
            plan,
            folder: "/other".into(),
            env_digest: Digest::of(b"{}"),
            source: "-".into(),
            levels: None,
        };
        if self.ask(Ask::Nest(Box::new(nesting))) == Some(Answer::Accepted) {
            self.nested += 1;
        }
    }

    fn crash(&mut self) {
        let bytes = |state: &State| serde_json::to_vec(state).expect("plain data");
        assert!(bytes(&self.shadow) == bytes(self.core.state()), "replay differs from the live state");
        self.core = Core::new(self.shadow.clone(), u32::try_from(self.slots).expect("few"));
        self.open();
        let mut attempts: Vec<LostAttempt> =
            self.live().into_iter().map(|(key, fence)| LostAttempt { key, fence, leftovers: 0 }).collect();
        if self.below(2) == 0 {
            attempts.reverse();
        }
        self.ask(Ask::Resume { run: id(), raise: Raise::default() });
        self.report(Report::Lost { attempts, reason: LossReason::EngineDied });
    }

    fn step(&mut self) {
        match self.below(24) {
            0..6 => {
                if let Some(live) = self.some_live() {
                    self.end(live);
                }
            }
            6..13 => self.nest(),
            13 => drop(self.some_live().map(|(key, fence)| {
                let (why, message) = (StopWhy::Timeout, "too long".into());
                self.report(Report::Overdue { key, fence, why, message });
            })),
            14 => {
                let task = Some(self.some_task());
                self.ask(Ask::Cancel { run: id(), task });
            }
            15 => self.crash(),
            16 => {
                let now = self.below(2) == 0;
                self.ask(Ask::Pause { run: id(), now });
            }
            17 => {
                let task = self.some_task();
                self.ask(Ask::Retry { run: id(), task, agent: None, prompt: None });
            }
            18 => {
                let plan = plan(OUTER[self.below(OUTER.len())]);
                let revision = Revision { run: id(), plan_digest: digest(&plan), plan, source: "-".into() };
                self.ask(Ask::Revise(Box::new(revision)));
            }
            _ => {
                self.now = self.now.after(Span::from_secs(7));
                self.ask(Ask::Resume { run: id(), raise: Raise { attempts: 1, ..Raise::default() } });
            }
        }
    }

    /// Nothing that must not be done twice is done twice by another attempt of a task, unless a person says so.
    fn check_once(&mut self, task: &TaskId) {
        let run = &self.shadow.runs[&id()];
        let ix = run.names[task];
        let newest = run.task(ix).last_attempt().map(|attempt| attempt.number);
        let plans = run.below(ix).filter(|plan| {
            run.brought(run.task(*plan)).is_some_and(|brought| Some(brought.attempt) == newest)
        });
        let below = plans.flat_map(|plan| run.family(plan)).map(|below| run.task(below));
        let mut once = below.filter(|below| run.spec(below).rerun == Rerun::Never && below.has_begun());
        let done = once.next().map(|done| done.id.clone());
        let is_asked_for = self.asked_for.remove(task);
        assert!(done.is_none() || is_asked_for, "{task} starts again, and {done:?} was started before");
    }

    /// How many tasks count for the caps: what the newest attempt of each task brought, and all that nobody brought.
    fn count(&self) -> usize {
        let run = self.run();
        let is_newest = |ix: &TaskIx| {
            let Some(brought) = run.brought(run.task(*ix)) else { return true };
            let (by, _) = run.task(*ix).parent.expect("an attempt brought it");
            run.task(by).last_attempt().is_some_and(|newest| newest.number == brought.attempt)
        };
        let counts = |ix: &TaskIx| std::iter::once(*ix).chain(run.around(*ix)).all(|ix| is_newest(&ix));
        (0..run.tasks.len()).filter(|at| counts(&TaskIx(u32::try_from(*at).expect("few")))).count()
    }

    /// What is kept in step with each record is what can be counted.
    fn check(&self) {
        let state = self.core.state();
        assert!(Due::of(state) == state.due, "what is due is not what can be counted");
        let mut lent = BTreeSet::new();
        for run in state.runs.values() {
            let lends = |ix: &TaskIx| run.task(*ix).phase.holds_slot() && run.open_plans(*ix) > 0;
            let all = || (0..run.tasks.len()).map(|at| TaskIx(u32::try_from(at).expect("few")));
            for ix in all() {
                let open = run.nests.get(&ix).map_or(0, |nest| {
                    nest.plans.iter().filter(|plan| !run.task(**plan).phase.is_final()).count()
                });
                assert_eq!(usize::try_from(run.open_plans(ix)).expect("few"), open);
                let waits = run.task(ix).phase.is_final() || wake(state, run, ix).is_some();
                assert!(waits, "nothing wakes {}: {:?}", run.task(ix).id, run.task(ix).phase);
            }
            let lenders: Vec<TaskIx> = all().filter(lends).collect();
            assert_eq!(usize::try_from(run.lenders).expect("few"), lenders.len());
            assert_eq!(run.purse.lent, run.lenders);
            lent.extend(lenders.iter().filter_map(|ix| Some(run.task(*ix).last_attempt()?.fence)));
        }
        assert_eq!(state.lent, lent);
        for (name, account) in &state.fleet.accounts {
            let of_account = |(fence, (run, ix)): (&Fence, &(RunId, TaskIx))| {
                let run = &state.runs[run];
                let member = run.task(*ix).last_attempt().and_then(|attempt| attempt.member);
                let account = member.map(|member| run.roster.member(member).account());
                account.as_ref() == Some(name) && !state.lent.contains(fence)
            };
            let in_flight = state.live.iter().filter(|live| of_account(*live)).count();
            assert_eq!(usize::try_from(account.in_flight).expect("few"), in_flight, "of {name}");
        }
    }

    /// Lets everything come to its end: nothing waits for what waits for it.
    fn settle(&mut self) {
        for _ in 0..2000 {
            if self.run().outcome.is_some() {
                return;
            }
            if let Some(live) = self.some_live() {
                self.end(live);
            }
            self.now = self.now.after(Span::from_secs(3600));
            self.ask(Ask::Resume { run: id(), raise: Raise { attempts: 1, ..Raise::default() } });
        }
        panic!("the run does not end: {:?}", self.run().count);
    }
}

#[test]
fn what_attempts_lend_comes_back_and_every_run_ends() {
    let mut nested = 0;
    for seed in 0..SEEDS {
        let mut chaos = Chaos::of(seed);
        for _ in 0..STEPS {
            chaos.step();
        }
        chaos.settle();
        nested += chaos.nested;
        let left =
            serde_json::to_value(chaos.run()).expect("plain data")["left"].as_u64().unwrap_or_default();
        let all = u64::try_from(chaos.run().tasks.len()).expect("few");
        assert_eq!(all - left, u64::try_from(chaos.count()).expect("few"), "seed {seed}");
        let queue = serde_json::to_value(&chaos.run().queue).expect("plain data");
        let limits = queue["limits"].as_array().expect("a list");
        let used = limits.iter().filter(|limit| limit["on"] == "in_flight" && limit["used"] != 0).count();
        assert_eq!(used, 0, "{limits:?}");
    }
    assert!(nested > 500, "only {nested} runs were started by attempts");
}
