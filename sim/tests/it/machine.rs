//! A machine on which one run goes on without a draw: each attempt takes the time and gives the value that its task has,
//! people answer whatever they are asked, and the engine is killed at one moment that a test names.
//! Never: another order of things than the one that follows from the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use windlass_core::decide::Stamp;
use windlass_core::effect::{Assignment, Effect};
use windlass_core::event::{ApprovalAnswer, Exit, LossReason, Raise, Record, Role, Usage};
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::id::{CommandId, Digest, Fence, RunId};
use windlass_core::input::{Answer, Ask, Command, Ended, Input, LostAttempt, Nesting, Report, Submission};
use windlass_core::output::{Output, RawOutput};
use windlass_core::plan::Plan;
use windlass_core::plan::file::{Format, Options, PlanText, Source, load};
use windlass_core::plan::settings::Settings;
use windlass_core::react::pending;
use windlass_core::state::{Blocked, State, Task};
use windlass_core::turn::Core;
use windlass_engine::clock::{Clock, Shown};
use windlass_engine::recover::{self, Opening};
use windlass_engine::turn::{Letter, Outside, turn};
use windlass_journal::blob::Blobs as _;
use windlass_journal::memory::{Fault, MemoryJournal, MemoryStore};

const BUILD: &str = "simulated";
const BEGIN_MS: i64 = 1_700_000_000_000;
const SLOTS: u32 = 40;
/// The run.
pub(crate) const RUN: u64 = 20;

/// The moment at which an engine is killed, counted from when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// In this append: what it has written is found later, or is not.
    Append(u64, bool),
    /// Before this answer, show or order.
    Call(u64),
    /// Before this letter is taken in: what it says is lost.
    Letter(u64),
}

/// How many moments of each kind there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moments {
    pub(crate) appends: u64,
    pub(crate) calls: u64,
    pub(crate) letters: u64,
}

/// Something on its way.
#[derive(Clone)]
enum Item {
    Ends(Fence),
    Says(Box<Input>),
}

/// An attempt that works.
struct Process {
    assignment: Box<Assignment>,
    /// How many plans its task had been brought before, where it waits for one that it brings itself.
    waits: Option<usize>,
}

/// The machine.
pub(crate) struct Machine {
    pub(crate) store: MemoryStore,
    plan: Arc<Plan>,
    below: Arc<Plan>,
    digests: (Digest, Digest),
    now: u64,
    sent: u64,
    queue: BTreeMap<(u64, u64), Item>,
    processes: BTreeMap<Fence, Process>,
    asked: BTreeSet<String>,
    killed_at: Option<Moment>,
    /// The same of those that come after it.
    next: Vec<Moment>,
    pub(crate) seen: Moments,
    /// How many engines there were.
    pub(crate) lives: usize,
}

/// What a turn reaches: it counts, and dies when it is time.
struct Hands<'m> {
    seen: &'m mut Moments,
    killed_at: Option<Moment>,
    is_dead: bool,
    orders: Vec<Effect>,
}

impl Hands<'_> {
    fn lives(&mut self) -> bool {
        self.is_dead |= self.killed_at == Some(Moment::Call(self.seen.calls));
        self.seen.calls += 1;
        !self.is_dead
    }
}

impl Outside for Hands<'_> {
    type Reply = ();

    fn answer(&mut self, (): (), answer: Answer) {
        assert!(!matches!(answer, Answer::Refused(_)), "{answer:?}");
        self.lives();
    }

    fn publish(&mut self, _: &State, _: &Arc<[Record]>) {
        self.lives();
    }

    fn perform(&mut self, effect: Effect) {
        if self.lives() {
            self.orders.push(effect);
        }
    }
}

/// A plan of the tests, read as users' plans are.
pub(crate) fn plan(name: &str) -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans");
    let bytes = |name: &str| std::fs::read(folder.join(name)).map_err(|error| error.to_string());
    let read = |_: &str, name: &str| {
        Ok(PlanText { name: name.to_owned(), bytes: bytes(name)?, dir: "/plans".into() })
    };
    let text = bytes(name).expect("it is there");
    let source = Source { name, text: &text, format: Some(Format::Yaml) };
    let options = Options { file: name, dir: "/plans", read: Some(&read), ..Options::default() };
    load(&source, &Settings::default(), &BTreeMap::new(), &options).expect("a plan").plan
}

impl Machine {
    /// A machine whose engines are killed at these moments, one after the other.
    pub(crate) fn new(killed_at: &[Moment]) -> Self {
        let store = MemoryStore::new();
        let put = |plan: &Plan| {
            let bytes = serde_json::to_vec(plan).expect("a plan is plain data");
            store.blobs().put(&bytes).expect("memory takes it")
        };
        let (plan, below) = (plan("everything.yaml"), plan("everything-below.yaml"));
        let digests = (put(&plan), put(&below));
        Self {
            store,
            plan: Arc::new(plan),
            below: Arc::new(below),
            digests,
            now: 0,
            sent: 0,
            queue: BTreeMap::new(),
            processes: BTreeMap::new(),
            asked: BTreeSet::new(),
            killed_at: killed_at.first().copied(),
            next: killed_at.iter().skip(1).copied().rev().collect(),
            seen: Moments::default(),
            lives: 0,
        }
    }

    /// Goes on until the run is over, by as many engines as it takes. The last state.
    pub(crate) fn run(&mut self) -> State {
        let mut died_with = None;
        loop {
            assert!(self.lives < 4, "it dies again and again");
            let (core, is_over) = self.live(died_with.take());
            if is_over {
                return core.state().clone();
            }
            // What was not written is not known; all else is what the next one finds.
            let is_lost = matches!(self.killed_at, Some(Moment::Append(_, false)));
            died_with = (!is_lost).then(|| recover::snapshot(core.state()));
            (self.killed_at, self.now) = (self.next.pop(), self.now + 1000);
            self.seen = Moments::default();
            self.queue.clear();
            self.processes.clear();
            self.asked.clear();
        }
    }

    /// One engine, from its opening to its death, or to the end of the run.
    fn live(&mut self, died_with: Option<Vec<u8>>) -> (Core, bool) {
        self.lives += 1;
        let mut journal = MemoryJournal::open(&self.store, BUILD, 7).expect("it opens");
        let opened = recover::open(&mut journal, Role::Engine, BUILD, SLOTS, self.shown());
        let Opening { mut core, mut clock, first, .. } = opened.expect("it opens");
        if let Some(died_with) = died_with {
            assert!(recover::snapshot(core.state()) == died_with, "a replay is not the live state");
        }
        let first = first.into_iter().map(Input::Report).collect();
        if !self.turn(&mut core, &mut journal, &mut clock, first) {
            return (core, false);
        }
        self.learn(pending(core.state()));
        let run = RunId::from_random(RUN);
        let ask = match core.state().run(run) {
            Some(_) => Ask::Resume { run, raise: Raise::default() },
            None => self.submission(run),
        };
        self.ask(0, format!("begin {}", self.lives), ask);
        loop {
            self.attend(core.state());
            let due = core.next_due().map(|due| self.now + due.since(clock.now(self.shown())).ms);
            let next = self.queue.first_key_value().map(|((at, _), _)| *at);
            let Some(at) = due.into_iter().chain(next).min() else { return (core, true) };
            self.now = self.now.max(at);
            let mut letters = Vec::new();
            while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let input = match entry.remove() {
                    Item::Says(input) => Some(*input),
                    Item::Ends(fence) => self.end(fence, core.state()),
                };
                let Some(input) = input else { continue };
                if self.killed_at == Some(Moment::Letter(self.seen.letters)) {
                    return (core, false);
                }
                self.seen.letters += 1;
                letters.push(input);
            }
            if !self.turn(&mut core, &mut journal, &mut clock, letters) {
                return (core, false);
            }
        }
    }

    /// A turn. False where the engine died in it.
    fn turn(
        &mut self,
        core: &mut Core,
        journal: &mut MemoryJournal,
        clock: &mut Clock,
        letters: Vec<Input>,
    ) -> bool {
        let stamp = Stamp { now: clock.now(self.shown()), seed: 1 };
        let letters = letters.into_iter().map(|input| {
            let reply = matches!(input, Input::Command(_)).then_some(());
            Letter { input, stamp, reply }
        });
        let letters = letters.collect();
        if let Some(Moment::Append(number, kept)) = self.killed_at {
            self.store.arm(Fault { after: number - self.seen.appends, kept });
        }
        let before = self.store.head();
        let mut hands =
            Hands { seen: &mut self.seen, killed_at: self.killed_at, is_dead: false, orders: Vec::new() };
        let turned = turn(core, journal, letters, stamp, &mut hands);
        let (is_dead, orders) = (hands.is_dead, hands.orders);
        self.seen.appends += u64::from(self.store.head() != before);
        self.store.arm(Fault { after: u64::MAX, kept: false });
        if turned.is_err() {
            return false;
        }
        for order in orders {
            self.perform(order, core.state());
        }
        !is_dead
    }

    fn shown(&self) -> Shown {
        shown(self.now)
    }

    fn send(&mut self, later: u64, item: Item) {
        self.sent += 1;
        self.queue.insert((self.now + later, self.sent), item);
    }

    fn report(&mut self, later: u64, report: Report) {
        self.send(later, Item::Says(Box::new(Input::Report(report))));
    }

    fn ask(&mut self, later: u64, id: String, ask: Ask) {
        let command = Command { id: CommandId(id.into()), by: "somebody".into(), ask };
        self.send(later, Item::Says(Box::new(Input::Command(command))));
    }

    fn submission(&self, run: RunId) -> Ask {
        Ask::SubmitPlan(Box::new(Submission {
            run,
            plan: Arc::clone(&self.plan),
            plan_digest: self.digests.0,
            folder: "/work".into(),
            env_digest: Digest::of(b"env"),
            source: "everything.yaml".into(),
            repository: None,
        }))
    }

    /// What became of attempts of an engine that died: they died with it.
    fn learn(&mut self, orders: Vec<Effect>) {
        let mut attempts = Vec::new();
        for order in orders {
            match order {
                Effect::LearnAttempt { key, fence } => {
                    attempts.push(LostAttempt { key, fence, leftovers: 0 });
                }
                Effect::SettleOutput { .. } => self.settle(order),
                Effect::RunErrand(_) => unreachable!("no task has a worktree"),
                Effect::SpawnAttempt(_) | Effect::StopAttempt { .. } => panic!("nothing is in flight yet"),
            }
        }
        if !attempts.is_empty() {
            self.report(0, Report::Lost { attempts, reason: LossReason::EngineDied });
        }
    }

    fn perform(&mut self, order: Effect, state: &State) {
        match order {
            Effect::SpawnAttempt(assignment) => {
                let (fence, key) = (assignment.fence, assignment.key.clone());
                let run = &state.runs[&key.run];
                let task = run.task(run.names[&key.task]);
                let brought = run.nests.get(&run.names[&key.task]).map_or(0, |nest| nest.plans.len());
                let waits = (key.task.as_str() == "nest").then_some(brought);
                if waits.is_some() {
                    let nesting = Nesting {
                        within: key,
                        plan: Arc::clone(&self.below),
                        plan_digest: self.digests.1,
                        folder: "/work".into(),
                        env_digest: Digest::of(b"env"),
                        source: "everything-below.yaml".into(),
                        levels: None,
                    };
                    self.ask(10, format!("nest {fence}"), Ask::Nest(Box::new(nesting)));
                } else {
                    self.send(takes_ms(task), Item::Ends(fence));
                }
                self.processes.insert(fence, Process { assignment, waits });
            }
            Effect::StopAttempt { fence, .. } => self.send(5, Item::Ends(fence)),
            Effect::RunErrand(_) => unreachable!("no task has a worktree"),
            Effect::SettleOutput { .. } => self.settle(order),
            Effect::LearnAttempt { .. } => panic!("no record orders that"),
        }
    }

    fn settle(&mut self, order: Effect) {
        let Effect::SettleOutput { key, fence, raw, settle } = order else { return };
        let blob = raw.blob.expect("it lies in a blob");
        let bytes = self.store.blobs().get(blob).expect("it was put there");
        let value: Value = serde_json::from_slice(&bytes).expect("it is JSON");
        let cut = settle.extracts.iter().filter_map(|at| Some((at.clone(), value.pointer(at)?.clone())));
        let output = Output { blob: Some(blob), extracts: cut.collect(), ..Output::default() };
        self.report(20, Report::OutputSettled { key, fence, output, error: None });
    }

    /// The end of an attempt, as it is reported.
    fn end(&mut self, fence: Fence, state: &State) -> Option<Input> {
        let process = self.processes.remove(&fence)?;
        let key = process.assignment.key.clone();
        let run = &state.runs[&key.run];
        let task = run.task(run.names[&key.task]);
        let is_stopped = task.live_attempt().is_some_and(|attempt| attempt.stop.is_some());
        let failed = task.attempts.iter().filter(|attempt| attempt.exit == Some(Exit::Code(3))).count();
        let mut ended = Ended {
            key,
            fence,
            exit: Exit::Code(0),
            error: None,
            raw: RawOutput::default(),
            output: None,
            usage: Usage { cpu_ms: 3, ..Usage::default() },
            leftovers: 0,
        };
        let value = value(task);
        if is_stopped {
            ended.exit = Exit::Signal(15);
        } else if failed < failures(task) {
            ended.exit = Exit::Code(3);
            ended.error = Some(Failure::new(ErrorKind::Exit, "it exited with 3"));
        } else if task.id.as_str() == "large" {
            let bytes = value.to_string().into_bytes();
            let blob = self.store.blobs().put(&bytes).expect("memory takes it");
            ended.raw = RawOutput { bytes: 1 << 20, blob: Some(blob), truncated: false };
        } else {
            ended.raw.bytes = value.to_string().len() as u64;
            ended.output = Some(Ok(Output { value, ..Output::default() }));
        }
        Some(Input::Report(Report::Ended(Box::new(ended))))
    }

    /// What attempts wait for has come, and people see what they are asked.
    fn attend(&mut self, state: &State) {
        let Some(run) = state.run(RunId::from_random(RUN)) else { return };
        let over = self.processes.iter_mut().filter(|(_, process)| {
            let ix = run.names[&process.assignment.key.task];
            let brought = run.nests.get(&ix).map_or(0, |nest| nest.plans.len());
            process.waits.is_some_and(|before| brought > before) && run.open_plans(ix) == 0
        });
        let over: Vec<Fence> = over.map(|(fence, process)| (process.waits = None, *fence).1).collect();
        for fence in over {
            self.send(10, Item::Ends(fence));
        }
        for task in run.tasks.iter().filter(|task| !task.phase.is_final()) {
            let (run, id) = (run.id, task.id.clone());
            let (name, ask) = match task.blocked {
                Some(Blocked::Person) => {
                    let approval = task.approval_open().expect("it is asked").id.clone();
                    let (answer, text) = (ApprovalAnswer::Approved, "yes".to_owned());
                    (approval.clone(), Ask::Approve { run, task: id, approval, answer, text })
                }
                Some(Blocked::Outcome) => {
                    let ask = Ask::Retry { run, task: id, agent: None, prompt: None };
                    (format!("again {}", task.id), ask)
                }
                Some(Blocked::Topic) if task.id.as_str() == "outside" => {
                    ("call".into(), Ask::Emit { run, topic: "calls".into(), data: json!("come") })
                }
                Some(Blocked::Topic | Blocked::Timer | Blocked::Select) | None => continue,
            };
            if self.asked.insert(name.clone()) {
                self.ask(50, name, ask);
            }
        }
    }
}

/// What its clocks show after so many milliseconds.
pub(crate) fn shown(now: u64) -> Shown {
    let now = i64::try_from(now).expect("some hours");
    Shown { wall_ms: BEGIN_MS + now, boot_ms: now, awake_ms: now }
}

/// How long the attempts of a task take.
fn takes_ms(task: &Task) -> u64 {
    match task.id.as_str() {
        // What is to be overtaken takes for ever.
        "slow" | "race.1" | "race.2" | "vote.2" => 36_000_000,
        name => 100 + 10 * (name.bytes().map(u64::from).sum::<u64>() % 13),
    }
}

/// How often the attempts of a task fail.
fn failures(task: &Task) -> usize {
    match task.id.as_str() {
        "fetch" | "fan.1" | "sub/two" => 1,
        "fragile" => 2,
        _ => 0,
    }
}

/// What the attempts of a task give.
fn value(task: &Task) -> Value {
    let round = task.id.as_str().strip_prefix("loop.").and_then(|round| round.parse::<u32>().ok());
    json!({ "ok": true, "n": round.unwrap_or(7), "items": [1, 2], "who": "editor" })
}
