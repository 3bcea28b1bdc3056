//! Plans that come as data: each is refused, or carried out whatever becomes of its tasks. Never: a plan that only the
//! reader of files can make.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use windlass_core::decide::Stamp;
use windlass_core::effect::Effect;
use windlass_core::event::{ApprovalAnswer, Event, Exit, Hydrated, Record, Role, Usage};
use windlass_core::fold::evolve;
use windlass_core::id::{AttemptKey, CommandId, Digest, Epoch, RunId, TaskId};
use windlass_core::input::{Ask, Command, Ended, Input, Nesting, Report, Revision, Submission};
use windlass_core::machine::task::Phase;
use windlass_core::output::{Output, RawOutput};
use windlass_core::plan::Plan;
use windlass_core::plan::file::{Options, PlanText, Source, load};
use windlass_core::plan::settings::Settings;
use windlass_core::react::pending;
use windlass_core::state::State;
use windlass_core::time::{Span, Time};
use windlass_core::turn::Core;

/// Something of everything that a plan can say.
const OUTER: &str = "
agents:
  coder: { adapter: scripted, fallback: [other], rate: 3/s, concurrency: 2 }
  other: { adapter: command, program: cat, weight: 2 }
limits: { tasks: 60, fan_out: 10, depth: 4 }
concurrency: 3
budget: { attempts: 50, wall: 2h }
inputs: { names: { type: array, default: [a, b] } }
tasks:
  list: { run: 'echo {{ inputs.names }}', retry: { max_attempts: 3, initial_interval: 2s }, priority: 5 }
  each: { needs: [list], for_each: '{{ inputs.names }}', max_parallel: 1, run: [echo, '{{ item }}'] }
  vote: { needs: [list], replicas: 3, select: majority, agent: [coder, other], balance: weighted, prompt: go }
  named: { needs: [list, vote], join: any, cancel_rest: true, agent: '{{ tasks.list.output }}', prompt: go }
  rounds: { needs: [each], repeat: { max: 3, until: '{{ index > 1 }}' }, run: 'echo', optional: true, budget: { attempts: 4 } }
  inner: { needs: [each], for_each: [1, 2], plan: inner.yaml, inputs: { word: '{{ item }}' } }
  ask: { needs: [list, each], approval: { text: 'Go on?', show: [each] } }
  say: { needs: [ask], emit: { topic: done, data: { with: '{{ tasks.list.output }}' } } }
  hear: { needs: [list], wait_for: { topic: done, match: '{{ data.with }}', since: list } }
  later: { needs: [list], wait_for: { after: 5m } }
";

const INNER: &str = "
inputs: { word: { type: integer } }
tasks:
  one: { run: 'echo {{ inputs.word }}', timeout: { schedule_to_close: 1h } }
  two: { needs: [one], agent: coder, prompt: '{{ tasks.one.output }}', when: '{{ tasks.one.output != 1 }}' }
  told: { needs: [one], emit: { topic: inner } }
";

/// What an attempt starts by itself.
fn nested() -> Plan {
    let text = b"tasks: { one: { run: x }, ask: { needs: [one], approval: 'Go on?' } }";
    let source = Source { name: "nested.yaml", text, format: None };
    load(&source, &Settings::default(), &BTreeMap::new(), &Options::default()).expect("a valid plan").plan
}

fn plan() -> Plan {
    let read = |dir: &str, file: &str| {
        Ok(PlanText { name: file.to_owned(), bytes: INNER.into(), dir: dir.to_owned() })
    };
    let options = Options { read: Some(&read), ..Options::default() };
    let source = Source { name: "plan.yaml", text: OUTER.as_bytes(), format: None };
    load(&source, &Settings::default(), &BTreeMap::new(), &options).expect("a valid plan").plan
}

/// A run of a plan, whose attempts end in every way.
struct Story {
    core: Core,
    journal: Vec<Record>,
    now: Time,
    asked: u32,
    draws: u64,
}

fn run() -> RunId {
    "aaaaaa".parse().expect("a run")
}

impl Story {
    fn of(plan: &Plan, draws: u64) -> Self {
        let core = Core::new(State::default(), 4);
        let now = Time::from_ms(1_700_000_000_000);
        let mut story = Self { core, journal: Vec::new(), now, asked: 0, draws };
        let (epoch, role, build) = (Epoch(1), Role::Engine, "test".to_owned());
        story.take(&Input::Report(Report::EngineStarted { epoch, role, build, last_alive: Span::default() }));
        story.ask(Ask::SubmitPlan(Box::new(Submission {
            run: run(),
            plan: Arc::new(plan.clone()),
            plan_digest: digest(plan),
            folder: "/folder".into(),
            env_digest: Digest::of(b"{}"),
            source: "-".into(),
            repository: None,
        })));
        story
    }

    fn draw(&mut self) -> u64 {
        self.draws =
            self.draws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.draws >> 33
    }

    fn take(&mut self, input: &Input) {
        let stamp = Stamp { now: self.now, seed: self.draw() << 31 };
        self.core.handle(input, stamp);
        while self.core.end_waits(stamp) {}
        self.journal.extend(self.core.take_records());
    }

    fn ask(&mut self, ask: Ask) {
        self.asked += 1;
        let id = CommandId(format!("c{}", self.asked).into());
        self.take(&Input::Command(Command { id, by: "test".into(), ask }));
    }

    fn revise(&mut self, plan: &Plan) {
        let (plan, plan_digest) = (Arc::new(plan.clone()), digest(plan));
        self.ask(Ask::Revise(Box::new(Revision { run: run(), plan, plan_digest, source: "-".into() })));
    }

    /// An attempt starts a run of its own, unless that is refused.
    fn nest(&mut self, within: AttemptKey) {
        let plan = nested();
        let (folder, env_digest, source) = ("/folder".into(), Digest::of(b"{}"), "nested.yaml".into());
        let (plan_digest, plan) = (digest(&plan), Arc::new(plan));
        let nesting = Nesting { within, plan, plan_digest, folder, env_digest, source, levels: None };
        self.ask(Ask::Nest(Box::new(nesting)));
    }

    /// The same records are read again, and one of the plans that they name is gone.
    fn read_again_without_a_plan(&self) {
        let named = |record: &Record| {
            matches!(
                record.event,
                Event::RunCreated { .. } | Event::PlanRevised { .. } | Event::PlanNested { .. }
            )
        };
        for gone in (0..self.journal.len()).filter(|place| named(&self.journal[*place])) {
            let mut state = State::default();
            for (place, record) in self.journal.iter().enumerate() {
                let mut record = record.clone();
                if let (
                    true,
                    Event::RunCreated { hydrated, .. }
                    | Event::PlanRevised { hydrated, .. }
                    | Event::PlanNested { hydrated, .. },
                ) = (place == gone, &mut record.event)
                {
                    *hydrated = Hydrated(None);
                }
                evolve(&mut state, &record);
            }
            let busy = state.fleet.accounts.iter().find(|(_, account)| account.in_flight > 0);
            assert_eq!(busy, None, "nothing is left of the run");
        }
    }

    /// Something that may happen next; false where nothing can.
    fn step(&mut self) -> bool {
        let orders = pending(self.core.state());
        let draw = self.draw();
        let order = usize::try_from(draw).ok().and_then(|draw| orders.get(draw % orders.len().max(1)));
        match order {
            Some(Effect::SpawnAttempt(assignment)) if draw.is_multiple_of(5) => {
                self.nest(assignment.key.clone());
                return true;
            }
            Some(order) => {
                self.carry_out(order);
                return true;
            }
            None => {}
        }
        let Some((task, approval)) = self.question() else {
            let Some(due) = self.core.state().next_due(self.now) else { return false };
            self.now = due.max(self.now.after(Span::from_ms(1)));
            let (by_ms, suspended_ms) = (0, 0);
            self.take(&Input::Report(Report::ClockJumped { by_ms, suspended_ms }));
            return true;
        };
        let answer = if draw.is_multiple_of(3) { ApprovalAnswer::Denied } else { ApprovalAnswer::Approved };
        self.ask(Ask::Approve { run: run(), task, approval, answer, text: String::new() });
        true
    }

    fn question(&self) -> Option<(TaskId, String)> {
        let mut tasks = self.core.state().run(run())?.tasks.iter();
        let asks = tasks.find(|task| task.phase == Phase::Blocked && task.approval.is_some())?;
        Some((asks.id.clone(), asks.approval.as_ref()?.id.clone()))
    }

    fn carry_out(&mut self, order: &Effect) {
        let (key, fence) = match order {
            Effect::SpawnAttempt(assignment) => (assignment.key.clone(), assignment.fence),
            Effect::LearnAttempt { key, fence }
            | Effect::StopAttempt { key, fence, .. }
            | Effect::SettleOutput { key, fence, .. } => (key.clone(), *fence),
            Effect::RunErrand(_) => unreachable!("no plan has worktrees"),
        };
        let draw = self.draw();
        let values = [json!("coder"), json!(1), json!(null), json!(["x", "y"]), json!(true)];
        let value = values[usize::try_from(draw % 5).expect("small")].clone();
        let exit = if draw.is_multiple_of(7) { Exit::Code(1) } else { Exit::Code(0) };
        let raw = RawOutput { bytes: 1, blob: None, truncated: false };
        let output = Some(Ok(Output { value, ..Output::default() }));
        let ended =
            Ended { key, fence, exit, error: None, raw, output, usage: Usage::default(), leftovers: 0 };
        self.take(&Input::Report(Report::Ended(Box::new(ended))));
    }
}

fn digest(plan: &Plan) -> Digest {
    Digest::of(&serde_json::to_vec(plan).expect("plain data"))
}

/// What a part of a plan is changed to.
fn foreign() -> impl Strategy<Value = Value> {
    let words =
        ["", "a", "list", "each", "inner", "coder", "nobody", "done", "/", "{{ item }}", "{{ nothing", "all"];
    prop_oneof![
        prop::sample::select(words.to_vec()).prop_map(Value::from),
        prop::sample::select(vec![0_i64, 1, 2, 3, 9, 11, 60, 1_000_001, -1, i64::MAX, 4_294_967_295])
            .prop_map(Value::from),
        prop::sample::select(vec![json!(null), json!([]), json!({}), json!([0]), json!([9, 9]), json!(true)]),
    ]
}

#[derive(Clone, Debug)]
enum Change {
    /// Another value.
    Put(Value),
    /// The value of another place.
    Take(Index),
    /// It is gone.
    Drop,
    /// It stands there once more, behind itself.
    Double,
}

fn change() -> impl Strategy<Value = (Index, Change)> {
    let change = prop_oneof![
        4 => foreign().prop_map(Change::Put),
        2 => any::<Index>().prop_map(Change::Take),
        1 => Just(Change::Drop),
        1 => Just(Change::Double),
    ];
    (any::<Index>(), change)
}

/// All places in a value, as JSON pointers.
fn places(value: &Value, here: &str, all: &mut Vec<String>) {
    all.push(here.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| places(item, &format!("{here}/{at}"), all));
        }
        Value::Object(fields) => {
            let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
            fields.iter().for_each(|(key, value)| places(value, &format!("{here}/{}", escaped(key)), all));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn changed(mut plan: Value, changes: &[(Index, Change)]) -> Value {
    for (at, change) in changes {
        let mut all = Vec::new();
        places(&plan, "", &mut all);
        let place = &all[1 + at.index(all.len() - 1)];
        let (around, name) = place.rsplit_once('/').expect("below the root");
        let value = match change {
            Change::Put(value) => value.clone(),
            Change::Take(from) => plan.pointer(&all[from.index(all.len())]).expect("it is there").clone(),
            Change::Drop | Change::Double => plan.pointer(place).expect("it is there").clone(),
        };
        match (plan.pointer_mut(around).expect("it is there"), change) {
            (Value::Array(items), Change::Drop) => drop(items.remove(name.parse().expect("a number"))),
            (Value::Object(fields), Change::Drop) => drop(fields.remove(name)),
            (Value::Array(items), Change::Double) => items.insert(name.parse().expect("a number"), value),
            _ => *plan.pointer_mut(place).expect("it is there") = value,
        }
    }
    plan
}

#[test]
fn what_the_reader_makes_is_sound() {
    assert_eq!(plan().validate(), Ok(()));
}

#[test]
fn a_plan_says_of_which_task_it_is_not_sound() {
    let wrong = |pointer: &str, value: Value| {
        let mut plan = json!(plan());
        *plan.pointer_mut(pointer).expect("it is there") = value;
        let plan: Plan = serde_json::from_value(plan).expect("a plan by its form");
        plan.validate().expect_err("it is not sound").to_string()
    };
    for (pointer, value, said) in [
        ("/tasks/1/needs", json!([99]), "task each: `needs` leads to a task that there is not"),
        ("/tasks/0/needs", json!([1]), "task list: it waits for itself"),
        ("/tasks/2/id", json!("list"), "task list: another task has the same name"),
        ("/tasks/2/work/prompt/by/pool/agents", json!(["nobody"]), "task vote: the plan has no agent nobody"),
        ("/agents/coder/fallback", json!(["nobody"]), "the plan has no agent nobody"),
        ("/tasks/6/work/approval/show", json!([7]), "task ask: `show` names a task that it does not need"),
        (
            "/tasks/5/work/plan/plan/tasks/1/needs",
            json!([7]),
            "task inner/two: `needs` leads to a task that there is not",
        ),
        ("/limits/depth", json!(2), "task inner: its children are level 3, and limits.depth is 2"),
        ("/limits/tasks", json!(3), "the plan has 10 tasks, and limits.tasks is 3"),
        ("/tasks/3/join", json!({ "at_least": 3 }), "task named: `join` is out of range"),
    ] {
        assert_eq!(wrong(pointer, value), said);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_plan_is_refused_or_carried_out(
        (changes, draws, late) in (prop::collection::vec(change(), 1..4), any::<u64>(), any::<bool>())
    ) {
        let first = plan();
        let Ok(plan) = serde_json::from_value::<Plan>(changed(json!(first), &changes)) else { return Ok(()) };
        if plan.validate().is_err() {
            return Ok(());
        }
        let mut story = Story::of(if late { &first } else { &plan }, draws);
        for step in 0..150 {
            if late && step == draws % 40 {
                story.revise(&plan);
            }
            if !story.step() {
                break;
            }
        }
        story.read_again_without_a_plan();
    }
}
