//! What a task costs the core alone: decide, evolve, follow and react from the plan's submission to the run's end, with a
//! driver that succeeds at once. The cost of a task must not grow with their number, nor with that of the runs that rest.
//! Never: a disk, a process or a template, which have costs of their own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use windlass_core::decide::Stamp;
use windlass_core::effect::{Assignment, Effect};
use windlass_core::event::{Exit, Role, RunOutcome, Usage};
use windlass_core::id::{CommandId, Digest, Epoch, RunId};
use windlass_core::input::{Ask, Command, Ended, Input, Report, Submission};
use windlass_core::output::{Output, RawOutput};
use windlass_core::plan::{Limits, Plan, Task, WaitFor, Work};
use windlass_core::react::react;
use windlass_core::state::State;
use windlass_core::template::Template;
use windlass_core::time::{Span, Time};
use windlass_core::turn::Core;

use crate::disk;
use crate::graph::Graph;

const SLOTS: u32 = 8;

/// Measures runs of 1,000 up to `most` tasks and prints the cost of a task in each.
pub(crate) fn grow(most: usize) -> Result<(), String> {
    println!("the core alone, {SLOTS} slots, load before: {}", disk::load());
    println!("\n| graph | tasks | records | a task | to 1,000 |\n|---|---:|---:|---:|---:|");
    for shape in [Graph::layered, Graph::flat] {
        let mut first = None;
        for tasks in [1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|tasks| *tasks <= most) {
            let graph = shape(tasks);
            // Small runs are over in milliseconds: their median is taken.
            let rounds = (100_000 / tasks).clamp(1, 21);
            let plan = Arc::new(plan(&graph));
            let (records, cost) = cost(&plan, rounds, &Home::empty())?;
            let ratio = cost / *first.get_or_insert(cost);
            println!("| {} | {tasks} | {records} | {cost:.2} µs | {ratio:.2} |", graph.name);
        }
    }
    beside_resting()?;
    println!("\nload after: {}", disk::load());
    Ok(())
}

/// Measures the same run in homes with more and more others that rest, and prints the cost of a task in each.
fn beside_resting() -> Result<(), String> {
    const TASKS: usize = 1_000;
    println!("\n| beside resting runs | tasks | records | a task | to none |\n|---:|---:|---:|---:|---:|");
    let plan = Arc::new(plan(&Graph::layered(TASKS)));
    let homes = [0, 100, 10_000].map(|resting| (resting, Home::with_resting(resting)));
    // By turns, so that what else the machine does befalls all of them.
    let mut costs = homes.each_ref().map(|_| Vec::new());
    let mut records = 0;
    for _ in 0..21 {
        for ((_, home), costs) in homes.iter().zip(&mut costs) {
            let (came_to, cost) = cost(&plan, 1, home)?;
            records = came_to;
            costs.push(cost);
        }
    }
    let mut first = None;
    for ((resting, _), costs) in homes.iter().zip(&mut costs) {
        let cost = median(costs);
        let ratio = cost / *first.get_or_insert(cost);
        println!("| {resting} | {TASKS} | {records} | {cost:.2} µs | {ratio:.2} |");
    }
    Ok(())
}

/// How many records a run of a plan comes to, and what a task of it costs in µs: the median of so many rounds.
fn cost(plan: &Arc<Plan>, rounds: usize, home: &Home) -> Result<(usize, f64), String> {
    let mut costs = Vec::new();
    let mut records = 0;
    for _ in 0..rounds {
        let ran = run(plan, home)?;
        records = ran.records;
        costs.push(ran.took.as_secs_f64() * 1e6 / tasks_as_float(plan.tasks.len()));
    }
    Ok((records, median(&mut costs)))
}

fn median(costs: &mut [f64]) -> f64 {
    costs.sort_by(f64::total_cmp);
    costs[costs.len() / 2]
}

fn tasks_as_float(tasks: usize) -> f64 {
    f64::from(u32::try_from(tasks).expect("a million at most"))
}

struct Ran {
    records: usize,
    took: Duration,
}

/// Runs a plan to its end. Giving the state's memory back is not measured: an engine never does.
fn run(plan: &Arc<Plan>, home: &Home) -> Result<Ran, String> {
    let mut core = Core::new(home.state.clone(), SLOTS);
    let mut world = World { now: home.now, in_flight: VecDeque::new(), records: 0 };
    let began = disk::now();
    let id = RunId::from_random(7);
    world.turn(&mut core, &Input::Command(submission(id, plan)));
    while let Some(ended) = world.in_flight.pop_front() {
        world.turn(&mut core, &Input::Report(Report::Ended(Box::new(ended))));
    }
    let took = began.elapsed();
    match core.state().runs.get(&id).and_then(|run| run.outcome) {
        Some(RunOutcome::Succeeded) => Ok(Ran { records: world.records, took }),
        other => Err(format!("the run ended as {other:?}: what was measured is not a run")),
    }
}

/// What there is before the run that is measured.
struct Home {
    state: State,
    now: i64,
}

impl Home {
    /// An engine, and no run.
    fn empty() -> Self {
        Self::with_resting(0)
    }

    /// An engine, and so many runs that wait for a person, for a time that is far away, or for somebody to lift their pause.
    fn with_resting(runs: u64) -> Self {
        let mut core = Core::new(State::default(), SLOTS);
        let mut world = World { now: 1_700_000_000_000, in_flight: VecDeque::new(), records: 0 };
        let start = Report::EngineStarted {
            epoch: Epoch(1),
            role: Role::Engine,
            build: "bench".to_owned(),
            last_alive: Span::default(),
        };
        world.turn(&mut core, &Input::Report(start));
        let question = || Work::Approval { text: Template("go on?".to_owned()), show: Vec::new() };
        let plan_of = |work| Arc::new(Plan { tasks: vec![Task { work, ..task(0, &[]) }], ..empty_plan() });
        let asks = plan_of(question());
        let waits = plan_of(Work::Wait(WaitFor::After(Span::from_secs(365 * 86_400))));
        for number in 0..runs {
            let run = RunId::from_random(1_000 + number);
            let plan = if number % 3 == 1 { &waits } else { &asks };
            let submission =
                Command { id: CommandId(format!("submit-{number}").into()), ..submission(run, plan) };
            world.turn(&mut core, &Input::Command(submission));
            if number % 3 == 2 {
                let id = CommandId(format!("pause-{number}").into());
                let pause = Command { id, by: "bench".to_owned(), ask: Ask::Pause { run, now: false } };
                world.turn(&mut core, &Input::Command(pause));
            }
        }
        Self { state: core.state().clone(), now: world.now }
    }
}

struct World {
    now: i64,
    in_flight: VecDeque<Ended>,
    records: usize,
}

impl World {
    fn turn(&mut self, core: &mut Core, input: &Input) {
        self.now += 1;
        let stamp = Stamp { now: Time::from_ms(self.now), seed: 7 };
        core.handle(input, stamp);
        while core.end_waits(stamp) {}
        let records = core.take_records();
        self.records += records.len();
        for effect in records.iter().flat_map(|record| react(core.state(), record)) {
            if let Effect::SpawnAttempt(assignment) = effect {
                self.in_flight.push_back(done_well(*assignment));
            }
        }
    }
}

/// The end of an attempt that went well and gave nothing.
pub(crate) fn done_well(assignment: Assignment) -> Ended {
    Ended {
        key: assignment.key,
        fence: assignment.fence,
        exit: Exit::Code(0),
        error: None,
        raw: RawOutput::default(),
        output: Some(Ok(Output::default())),
        usage: Usage::default(),
        leftovers: 0,
    }
}

/// The command that makes a run of a plan.
pub(crate) fn submission(run: RunId, plan: &Arc<Plan>) -> Command {
    let submission = Submission {
        run,
        plan: plan.clone(),
        plan_digest: Digest::of(b"plan"),
        folder: "/".to_owned(),
        env_digest: Digest::of(b"env"),
        source: "-".to_owned(),
        repository: None,
    };
    let ask = Ask::SubmitPlan(Box::new(submission));
    Command { id: CommandId("bench".into()), by: "bench".to_owned(), ask }
}

fn plan(graph: &Graph) -> Plan {
    let tasks = graph.needs.iter().enumerate().map(|(number, needs)| task(number, needs)).collect();
    Plan { tasks, ..empty_plan() }
}

fn empty_plan() -> Plan {
    Plan {
        goal: String::new(),
        agents: BTreeMap::new(),
        retired: std::collections::BTreeSet::new(),
        limits: Limits { tasks: 1_000_000, ..Limits::default() },
        budget: windlass_core::plan::Budget::default(),
        weight: 1,
        concurrency: None,
        nested: false,
        inputs: BTreeMap::new(),
        dir: "/".to_owned(),
        tasks: Vec::new(),
    }
}

fn task(number: usize, needs: &[usize]) -> Task {
    let id = format!("t{number}").parse().expect("a letter and digits");
    let work = Work::Argv(vec![Template("true".to_owned())]);
    Task { needs: needs.to_vec(), ..Task::plain(id, work) }
}
