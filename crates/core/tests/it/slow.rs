//! What made a run slow, told from its records. Never: a state that no records lead to.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_core::decide::Stamp;
use windlass_core::event::{Exit, Record, Role, Usage};
use windlass_core::fold::evolve;
use windlass_core::id::{AgentName, AttemptKey, CommandId, Digest, Epoch, RunId};
use windlass_core::input::{Answer, Ask, Command, Ended, Input, Report, Submission};
use windlass_core::output::{Output, RawOutput};
use windlass_core::plan::file::{Options, Source, load};
use windlass_core::plan::settings::Settings;
use windlass_core::state::State;
use windlass_core::time::{Span, Time};
use windlass_core::turn::Core;
use windlass_core::view::slow::{Held, Limit, Slow};
use windlass_core::view::summary;

/// A run whose attempts are ended by hand, ten seconds after one another.
struct Story {
    core: Core,
    now: Time,
    journal: Vec<Record>,
}

impl Story {
    fn of(plan: &str, slots: u32) -> Self {
        let core = Core::new(State::default(), slots);
        let mut story = Self { core, now: Time::from_ms(1_700_000_000_000), journal: Vec::new() };
        let (epoch, role, build) = (Epoch(1), Role::Engine, "test".to_owned());
        story.take(&Input::Report(Report::EngineStarted { epoch, role, build, last_alive: Span::default() }));
        let source = Source { name: "plan.yaml", text: plan.as_bytes(), format: None };
        let loaded = load(&source, &Settings::default(), &BTreeMap::new(), &Options::default());
        let submission = Submission {
            run: run(),
            plan_digest: Digest::of(b"plan"),
            plan: Arc::new(loaded.expect("a valid plan").plan),
            folder: "/folder".into(),
            env_digest: Digest::of(b"{}"),
            source: "plan.yaml".into(),
            repository: None,
        };
        story.ask(Ask::SubmitPlan(Box::new(submission)));
        story
    }

    fn ask(&mut self, ask: Ask) {
        let command =
            Command { id: CommandId(format!("c{}", self.journal.len()).into()), by: "test".into(), ask };
        assert_eq!(self.take(&Input::Command(command)), Some(Answer::Accepted));
    }

    fn take(&mut self, input: &Input) -> Option<Answer> {
        let stamp = Stamp { now: self.now, seed: 1 };
        let answer = self.core.handle(input, stamp);
        while self.core.end_waits(stamp) {}
        self.journal.extend(self.core.take_records());
        answer
    }

    /// Ten seconds pass.
    fn wait(&mut self) {
        self.now = self.now.after(Span::from_secs(10));
    }

    /// All attempts in flight end well, after ten seconds.
    fn round(&mut self) {
        self.wait();
        let live: Vec<_> = self.core.state().live.iter().map(|(fence, (_, ix))| (*fence, *ix)).collect();
        for (fence, ix) in live {
            let task = self.core.state().runs[&run()].task(ix);
            let attempt = u32::try_from(task.attempts.len()).expect("few");
            let ended = Ended {
                key: AttemptKey { run: run(), task: task.id.clone(), attempt },
                fence,
                exit: Exit::Code(0),
                error: None,
                raw: RawOutput::default(),
                output: Some(Ok(Output::default())),
                usage: Usage::default(),
                leftovers: 0,
            };
            self.take(&Input::Report(Report::Ended(Box::new(ended))));
        }
    }

    /// What the records say, and nothing else.
    fn told(&self) -> Slow {
        let (mut slow, mut state) = (Slow::of(run()), State::default());
        for (place, record) in self.journal.iter().enumerate() {
            evolve(&mut state, record);
            slow.see(record, &state, self.journal.get(place + 1).map(|next| next.at));
        }
        state.pass_to(self.now);
        slow.close(&state);
        slow
    }
}

fn run() -> RunId {
    "aaaaaa".parse().expect("a run")
}

fn secs(secs: u64) -> Span {
    Span::from_secs(secs)
}

fn held(waited: u64, lasted: u64, alone: u64, tasks_most: usize, in_flight_most: usize) -> Held {
    Held { waited: secs(waited), lasted: secs(lasted), alone: secs(alone), tasks_most, in_flight_most }
}

const FOUR: &str = "tasks: { a: { run: x }, b: { run: x }, c: { run: x }, d: { run: x } }";

#[test]
fn slots_that_are_too_few_are_told_with_what_more_of_them_would_gain() {
    let mut story = Story::of(FOUR, 2);
    story.round();
    story.round();
    let slow = story.told();
    assert_eq!(slow.limits, BTreeMap::from([(Limit::Slots, held(20, 10, 10, 2, 2))]));
    assert_eq!((slow.worked, slow.critical.length), (secs(20), secs(10)));
    assert_eq!(slow.by_gain().iter().map(|(_, held)| slow.gain(held)).collect::<Vec<_>>(), [secs(10)]);
}

#[test]
fn where_nothing_is_held_back_the_critical_path_is_what_takes_its_time() {
    let mut story = Story::of("tasks: { a: { run: x }, b: { needs: [a], run: x } }", 4);
    story.round();
    story.round();
    let slow = story.told();
    assert_eq!(slow.limits, BTreeMap::new());
    assert_eq!((slow.worked, slow.critical.length, slow.idle), (secs(20), secs(20), secs(0)));
}

#[test]
fn a_limit_that_binds_beside_another_gains_nothing_by_itself() {
    let plan = "concurrency: 1\ntasks: { t: { for_each: [1, 2], max_parallel: 1, run: x } }";
    let mut story = Story::of(plan, 4);
    story.round();
    story.round();
    let slow = story.told();
    let parent = "t".parse().expect("a task");
    let expected =
        [(Limit::Concurrency(1), held(10, 10, 0, 1, 1)), (Limit::Parallel(parent, 1), held(10, 10, 0, 1, 1))];
    assert_eq!(slow.limits, BTreeMap::from(expected));
    assert!(slow.limits.values().all(|held| slow.gain(held) == secs(0)));
}

#[test]
fn an_agent_that_may_do_little_at_once_is_named() {
    let plan = "agents: { a: { adapter: scripted, concurrency: 1 } }\n\
        tasks: { s: { agent: a, prompt: x }, t: { agent: a, prompt: x } }";
    let mut story = Story::of(plan, 4);
    story.round();
    story.round();
    let agent = AgentName("a".into());
    assert_eq!(story.told().limits, BTreeMap::from([(Limit::Agent(agent, 1), held(10, 10, 10, 1, 1))]));
}

#[test]
fn time_without_an_engine_is_nobodys_fault_and_told_as_unknown() {
    let mut story = Story::of(FOUR, 2);
    story.wait();
    let (epoch, role, build) = (Epoch(2), Role::Engine, "test".to_owned());
    story.take(&Input::Report(Report::EngineStarted { epoch, role, build, last_alive: Span::default() }));
    let slow = story.told();
    assert_eq!((slow.worked, slow.left, slow.limits.len()), (secs(0), secs(10), 0));
}

#[test]
fn what_an_engine_that_died_is_known_to_have_lived_counts_as_worked() {
    let mut story = Story::of(FOUR, 2);
    story.wait();
    let (epoch, role, build) = (Epoch(2), Role::Engine, "test".to_owned());
    story.take(&Input::Report(Report::EngineStarted { epoch, role, build, last_alive: secs(7) }));
    story.wait();
    let slow = story.told();
    assert_eq!((slow.worked, slow.left), (secs(7), secs(13)), "the run was not resumed yet");
    assert_eq!(slow.limits, BTreeMap::from([(Limit::Slots, held(14, 7, 7, 2, 2))]));
}

#[test]
fn what_lasts_counts_up_to_now() {
    let mut story = Story::of("tasks: { a: { run: x }, b: { run: x } }", 1);
    story.wait();
    let slow = story.told();
    assert_eq!((slow.worked, slow.critical.length), (secs(10), secs(10)));
    assert_eq!(slow.limits, BTreeMap::from([(Limit::Slots, held(10, 10, 10, 1, 1))]));
    story.wait();
    assert_eq!(story.told().worked, secs(20));
}

#[test]
fn time_asleep_is_no_work() {
    let mut story = Story::of(FOUR, 2);
    story.wait();
    story.now = story.now.after(secs(8 * 3600));
    story.take(&Input::Report(Report::ClockJumped { by_ms: 0, suspended_ms: secs(8 * 3600).ms }));
    story.round();
    story.round();
    let slow = story.told();
    assert_eq!(slow.limits, BTreeMap::from([(Limit::Slots, held(40, 20, 20, 2, 2))]));
    assert_eq!((slow.worked, slow.asleep, slow.critical.length), (secs(30), secs(8 * 3600), secs(20)));
    let state = story.core.state();
    let sum = summary(state, &state.runs[&run()]);
    assert_eq!((sum.took_ms, sum.worked_ms), (30_000, 60_000));
}

#[test]
fn a_wait_for_a_person_is_no_limit() {
    let mut story = Story::of("tasks: { ok: { approval: \"Go on?\" } }", 2);
    story.wait();
    story.ask(Ask::Cancel { run: run(), task: None });
    let slow = story.told();
    assert_eq!((slow.worked, slow.idle, slow.limits.len()), (secs(10), secs(10), 0));
}
