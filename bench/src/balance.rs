//! What the ways to balance come to over tasks of unequal lengths: the real core chooses among agents that each serve what
//! they have in flight one after the other, as a provider with a queue does; the longest tasks first, each where it
//! ends soonest, is what it is held against. Time is counted, not waited for. Never: a clock, or a random number that is
//! another one the next time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use windlass_core::decide::Stamp;
use windlass_core::effect::{Effect, Program};
use windlass_core::event::{Role, RunOutcome};
use windlass_core::id::{Epoch, RunId};
use windlass_core::input::{Ended, Input, Report};
use windlass_core::plan::Plan;
use windlass_core::plan::file::{Options, Source, load};
use windlass_core::plan::settings::Settings;
use windlass_core::react::react;
use windlass_core::state::State;
use windlass_core::time::{Span, Time};
use windlass_core::turn::Core;

use crate::core::{done_well, submission};

const TASKS: usize = 400;
/// How many attempts each agent has in flight or waiting, on average.
const DEEP: usize = 3;

/// How fast each of four agents is, as the weights that plans give them.
const FLEETS: [(&str, [u64; 4]); 2] =
    [("four alike", [1, 1, 1, 1]), ("one four, one twice as fast", [4, 2, 1, 1])];
/// How long tasks take, by a number that looks random.
type Lengths = (&'static str, fn(u64) -> u64);

const BALANCES: [&str; 3] = ["round_robin", "least_loaded", "weighted"];

/// Prints how long each way takes, to the schedule that knows all lengths before.
pub(crate) fn compare() -> Result<(), String> {
    println!(
        "{TASKS} tasks over four agents, {} in flight; time over that of the longest-first schedule\n",
        DEEP * 4
    );
    println!("{}", table()?.join("\n"));
    Ok(())
}

/// The lines of the table.
fn table() -> Result<Vec<String>, String> {
    let named = BALANCES.map(|balance| format!("`{balance}`")).join(" | ");
    let mut lines = vec![format!("| lengths | agents | {named} |"), "|---|---|---:|---:|---:|".to_owned()];
    let lengths: [Lengths; 3] = [
        ("equal", |_| 1000),
        ("skewed: half short, few very long", |drawn| 200 + 2_000_000 / (100 + drawn % 10_000)),
        ("one in twenty fifty times as long", |drawn| if drawn % 20 == 0 { 10_000 } else { 200 }),
    ];
    for (name, length) in lengths {
        let mut draw = 0x2545_f491_4f6c_dd1d_u64;
        let tasks: Vec<u64> = (0..TASKS).map(|_| length(next(&mut draw))).collect();
        for (fleet, speeds) in FLEETS {
            let best = longest_first(&tasks, &speeds);
            let ratios: Result<Vec<String>, String> = BALANCES
                .into_iter()
                .map(|balance| Ok(format!("{:.2}", float(run(balance, &tasks, &speeds)?) / float(best))))
                .collect();
            lines.push(format!("| {name} | {fleet} | {} |", ratios?.join(" | ")));
        }
    }
    Ok(lines)
}

/// A number that looks random and is the same each time (xorshift).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of some minutes")]
fn float(ms: u64) -> f64 {
    ms as f64
}

/// How long all take when each in turn, the longest first, goes where it ends soonest: at most a third above the best
/// that there is for agents alike.
fn longest_first(tasks: &[u64], speeds: &[u64]) -> u64 {
    let mut sorted = tasks.to_vec();
    sorted.sort_unstable_by(|one, other| other.cmp(one));
    let mut ends = vec![0; speeds.len()];
    for task in sorted {
        let end = |agent: &usize| ends[*agent] + task / speeds[*agent];
        let agent = (0..speeds.len()).min_by_key(end).expect("there are agents");
        ends[agent] += task / speeds[agent];
    }
    ends.into_iter().max().expect("there are agents")
}

/// An agent that serves one attempt after the other.
#[derive(Default)]
struct Server {
    waiting: VecDeque<(Ended, u64)>,
    ends_at: Option<u64>,
}

fn run(balance: &str, tasks: &[u64], speeds: &[u64]) -> Result<u64, String> {
    let plan = plan(balance, speeds)?;
    let slots = u32::try_from(DEEP * speeds.len()).expect("few");
    let mut core = Core::new(State::default(), slots);
    let mut servers: BTreeMap<String, Server> = BTreeMap::new();
    let id = RunId::from_random(7);
    let start = Report::EngineStarted {
        epoch: Epoch(1),
        role: Role::Engine,
        build: "bench".to_owned(),
        last_alive: Span::default(),
    };
    let mut inputs = VecDeque::from([Input::Report(start), Input::Command(submission(id, &plan))]);
    let mut now = 0;
    loop {
        while let Some(input) = inputs.pop_front() {
            for (agent, ended) in turn(&mut core, &input, now) {
                let speed = speeds[agent.trim_start_matches('a').parse::<usize>().expect("a number")];
                let item =
                    ended.key.task.as_str().rsplit('.').next().and_then(|item| item.parse::<usize>().ok());
                let takes = tasks[item.expect("every task is a child")] / speed;
                let server = servers.entry(agent).or_default();
                server.waiting.push_back((ended, takes));
                if server.waiting.len() == 1 {
                    server.ends_at = Some(now + takes);
                }
            }
        }
        let first = servers.values_mut().filter(|server| server.ends_at.is_some());
        let Some(server) = first.min_by_key(|server| server.ends_at) else { break };
        now = server.ends_at.take().expect("it was just looked at");
        let (ended, _) = server.waiting.pop_front().expect("it serves");
        server.ends_at = server.waiting.front().map(|(_, takes)| now + takes);
        inputs.push_back(Input::Report(Report::Ended(Box::new(ended))));
    }
    match core.state().runs.get(&id).and_then(|run| run.outcome) {
        Some(RunOutcome::Succeeded) => Ok(now),
        other => Err(format!("the run ended as {other:?}: what was measured is not a run")),
    }
}

/// Gives the core an input; the answer is what it starts, and with whom.
fn turn(core: &mut Core, input: &Input, now: u64) -> Vec<(String, Ended)> {
    let stamp = Stamp { now: Time::from_ms(1_700_000_000_000).after(Span::from_ms(now)), seed: 7 };
    core.handle(input, stamp);
    while core.end_waits(stamp) {}
    let records = core.take_records();
    let effects = records.iter().flat_map(|record| react(core.state(), record));
    let started = effects.filter_map(|effect| {
        let Effect::SpawnAttempt(assignment) = effect else { return None };
        let Program::Agent { name, .. } = &assignment.program else { return None };
        Some((name.clone(), done_well(*assignment)))
    });
    started.collect()
}

fn plan(balance: &str, speeds: &[u64]) -> Result<Arc<Plan>, String> {
    let agents: Vec<String> = (0..speeds.len()).map(|number| format!("a{number}")).collect();
    let defined: Vec<String> = agents
        .iter()
        .zip(speeds)
        .map(|(name, weight)| format!("{name}: {{ adapter: scripted, weight: {weight} }}"))
        .collect();
    let items: Vec<String> = (0..TASKS).map(|item| item.to_string()).collect();
    let text = format!(
        "limits: {{ fan_out: {TASKS} }}\nagents: {{ {} }}\ntasks:\n  t:\n    for_each: [{}]\n    agent: [{}]\n    balance: {balance}\n    prompt: say x\n",
        defined.join(", "),
        items.join(", "),
        agents.join(", "),
    );
    let source = Source { name: "plan.yaml", text: text.as_bytes(), format: None };
    let loaded = load(&source, &Settings::default(), &BTreeMap::new(), &Options::default());
    loaded.map(|loaded| Arc::new(loaded.plan)).map_err(|errors| format!("{errors:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_table_that_is_the_same_on_every_machine() {
        let page = include_str!("../../docs/performance.md");
        let table = table().expect("each run succeeds").join("\n");
        assert!(page.contains(&table), "docs/performance.md must have:\n{table}");
    }
}
