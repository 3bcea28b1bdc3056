//! From a seed to a case: plans over the whole schema as far as it is built, people, and what befalls the world.
//! Never: a plan that the loader refuses, or a template whose value nobody but the core could tell.

use windlass_core::event::{Settlement, StopWhy};
use windlass_core::failure::ErrorKind;

use crate::case::{Act, Aim, Case, CrashAt, Fault, Id};
use crate::draft::{
    Each, EndName, From, Ref, RetryDraft, RunDraft, Shape, TaskDraft, TimeoutDraft, When, Work,
};
use crate::random::Random;

/// Up to which step people act and faults befall.
const HORIZON: u32 = 140;

/// The case of a seed.
pub(crate) fn case(seed: u64) -> Case {
    let mut random = Random::new(seed);
    let runs = if random.chance(250) { random.within(2, 3) } else { 1 };
    let mut case = Case {
        seed,
        slots: random.pick(&[1, 2, 3, 4, 8]),
        trouble: random.pick(&[0, 200, 500, 800, 950]),
        ..Case::default()
    };
    case.runs = (0..runs).map(|_| run(&mut random)).collect();
    case.acts = acts(&mut random, runs);
    case.faults = faults(&mut random);
    case
}

fn run(random: &mut Random) -> RunDraft {
    let mut draft =
        RunDraft { flag: random.chance(500), reversed: random.chance(300), ..RunDraft::default() };
    let agents = random.below(3);
    draft.agents = (0..agents).map(|_| random.chance(600).then(|| random.within(1, 2))).collect();
    draft.concurrency = random.chance(400).then(|| random.within(1, 3));
    let count = match random.below(10) {
        0 => 1,
        1..=6 => random.within(2, 6),
        _ => random.within(7, 12),
    };
    for label in 0..count {
        let task = task(random, label, &draft);
        draft.tasks.push(task);
    }
    // Caps at which some lists are too long; the plan's own tasks, and lists that are written out, must fit.
    let literal = |task: &TaskDraft| match &task.each {
        Some(Each { from: From::Literal(count), .. }) => *count,
        Some(_) | None => 0,
    };
    let longest = draft.tasks.iter().map(literal).max().unwrap_or(0).max(1);
    draft.fan_out = random.chance(300).then(|| longest + random.below(3));
    let all: u32 = draft.tasks.iter().map(literal).sum();
    draft.tasks_max = random.chance(200).then(|| count + all + random.below(5));
    draft
}

fn task(random: &mut Random, label: u32, draft: &RunDraft) -> TaskDraft {
    let mut task = TaskDraft { label, ..TaskDraft::default() };
    let most = label.min(4);
    let wanted = if random.chance(750) { random.below(most + 1) } else { 0 };
    while task.needs.len() < usize::try_from(wanted).expect("few") {
        let need = random.below(label);
        if !task.needs.contains(&need) {
            task.needs.push(need);
        }
    }
    let needs = u32::try_from(task.needs.len()).expect("few");
    if needs > 0 && random.chance(400) {
        task.join = random.within(1, needs);
    }
    task.shape =
        random.pick(&[Shape::Null, Shape::Number, Shape::List, Shape::Object, Shape::Object, Shape::Large]);
    task.work = work(random, &task, draft);
    let is_approval = matches!(task.work, Work::Approval { .. });
    if is_approval {
        task.shape = Shape::Null;
    }
    let whens = if needs > 0 { 300 } else { 100 };
    task.when = random.chance(whens).then(|| when(random, &task, draft, 2));
    task.optional = random.chance(200);
    task.rerun_never = random.chance(150);
    task.schema = random.chance(200);
    if random.chance(200) {
        task.each = Some(each(random, &task, draft));
    }
    task.refs = refs(random, &task, draft);
    task.retry = retry(random);
    task.timeout = timeout(random);
    task
}

fn work(random: &mut Random, task: &TaskDraft, draft: &RunDraft) -> Work {
    match random.below(10) {
        0..=2 => Work::Argv,
        3..=5 if !draft.agents.is_empty() => {
            Work::Prompt(random.below(u32::try_from(draft.agents.len()).expect("few")))
        }
        6 => Work::Approval { show: task.needs.iter().copied().filter(|_| random.chance(500)).collect() },
        _ => Work::Shell,
    }
}

/// The tasks that it needs, of those with outputs of these shapes and without children.
fn needed(task: &TaskDraft, draft: &RunDraft, shapes: &[Shape]) -> Vec<u32> {
    let fits = |need: &&TaskDraft| {
        task.needs.contains(&need.label)
            && need.each.is_none()
            && !matches!(need.work, Work::Approval { .. })
            && shapes.contains(&need.shape)
    };
    draft.tasks.iter().filter(fits).map(|need| need.label).collect()
}

const OBJECTS: [Shape; 2] = [Shape::Object, Shape::Large];

fn when(random: &mut Random, task: &TaskDraft, draft: &RunDraft, depth: u32) -> When {
    let objects = needed(task, draft, &OBJECTS);
    match random.below(8) {
        0 => When::Word(random.chance(500)),
        1 if depth > 0 => When::Not(Box::new(when(random, task, draft, depth - 1))),
        2 if depth > 0 => {
            let left = when(random, task, draft, depth - 1);
            When::Both(Box::new(left), Box::new(when(random, task, draft, depth - 1)))
        }
        3 | 4 if !task.needs.is_empty() => {
            let ends = [EndName::Succeeded, EndName::Skipped, EndName::Dead, EndName::Cancelled];
            When::Is(random.pick(&task.needs), random.pick(&ends))
        }
        5 if !objects.is_empty() => When::Ok(random.pick(&objects)),
        6 if !objects.is_empty() => When::Items(random.pick(&objects), random.below(3)),
        7 if depth == 2 && !objects.is_empty() => When::Wrong(random.pick(&objects)),
        _ => When::Flag,
    }
}

fn each(random: &mut Random, task: &TaskDraft, draft: &RunDraft) -> Each {
    let objects = needed(task, draft, &OBJECTS);
    let others = needed(task, draft, &[Shape::Null, Shape::Number, Shape::List]);
    let from = match random.below(4) {
        0 | 1 if !objects.is_empty() => From::Items(random.pick(&objects)),
        2 if !others.is_empty() => From::Whole(random.pick(&others)),
        _ => From::Literal(random.below(5)),
    };
    Each { from, max_parallel: random.chance(500).then(|| random.within(1, 2)) }
}

fn refs(random: &mut Random, task: &TaskDraft, draft: &RunDraft) -> Vec<Ref> {
    let objects = needed(task, draft, &OBJECTS);
    let small = needed(task, draft, &[Shape::Null, Shape::Number, Shape::List, Shape::Object]);
    let any = needed(task, draft, &[Shape::Null, Shape::Number, Shape::List, Shape::Object, Shape::Large]);
    let is_approval = matches!(task.work, Work::Approval { .. });
    let mut refs = Vec::new();
    for _ in 0..random.below(3) {
        match random.below(8) {
            0 if !objects.is_empty() => refs.push(Ref::N(random.pick(&objects))),
            1 | 2 if matches!(task.work, Work::Prompt(_)) && !any.is_empty() => {
                refs.push(Ref::Whole(random.pick(&any)));
            }
            1 | 2 if !small.is_empty() => refs.push(Ref::Whole(random.pick(&small))),
            3 if !task.needs.is_empty() => refs.push(Ref::State(random.pick(&task.needs))),
            4 if task.each.is_some() => refs.push(random.pick(&[Ref::Item, Ref::Index])),
            5 if !is_approval => refs.push(Ref::Attempt),
            6 if !is_approval => refs.push(Ref::Feedback),
            _ => {}
        }
    }
    refs
}

fn retry(random: &mut Random) -> RetryDraft {
    let initial_ms = random.pick(&[10, 1000, 5000, 120_000]);
    RetryDraft {
        max_attempts: random.pick(&[1, 1, 2, 3, 5]),
        losses_max: random.pick(&[1, 2, 3]),
        initial_ms,
        coefficient_milli: random.pick(&[1000, 1500, 2000, 3000]),
        max_ms: initial_ms.max(random.pick(&[1000, 60_000])),
        jitter: random.chance(500),
        non_retryable: if random.chance(150) { vec![random.pick(&FAILURES)] } else { Vec::new() },
    }
}

fn timeout(random: &mut Random) -> TimeoutDraft {
    let mut some = |per_mille: u32, spans: &[u64]| random.chance(per_mille).then(|| random.pick(spans));
    TimeoutDraft {
        start_to_close_ms: some(300, &[50, 500, 5000, 600_000]),
        heartbeat_ms: some(200, &[100, 1000, 60_000]),
        schedule_to_start_ms: some(150, &[10, 1000, 60_000]),
        schedule_to_close_ms: some(250, &[100, 5000, 60_000, 3_600_000]),
        grace_ms: some(300, &[1, 100, 2000]),
    }
}

/// The kinds that an adapter can report.
pub(crate) const FAILURES: [ErrorKind; 14] = [
    ErrorKind::RateLimited,
    ErrorKind::Overloaded,
    ErrorKind::Auth,
    ErrorKind::Refused,
    ErrorKind::InvalidOutput,
    ErrorKind::Timeout,
    ErrorKind::Stalled,
    ErrorKind::Crashed,
    ErrorKind::Exit,
    ErrorKind::SpawnExhausted,
    ErrorKind::ContextOverflow,
    ErrorKind::OutOfMemory,
    ErrorKind::Expression,
    ErrorKind::DiskFull,
];

fn acts(random: &mut Random, runs: u32) -> Vec<(u32, Act)> {
    let mut acts = vec![(0, Act::Submit)];
    for _ in 1..runs {
        acts.push((random.below(HORIZON / 2), Act::Submit));
    }
    let count = random.pick(&[0, 2, 5, 12, 25]);
    for _ in 0..count {
        acts.push((random.below(HORIZON), act(random, runs)));
    }
    acts.sort_by_key(|(step, _)| *step);
    acts
}

fn act(random: &mut Random, runs: u32) -> Act {
    let run = random.below(runs);
    let aim = Aim { number: random.below(64), fitting: random.chance(800) };
    match random.below(24) {
        0 => Act::CancelRun(run),
        1 | 2 => Act::Cancel(aim),
        3 | 4 => Act::Pause(run),
        5..=7 => Act::Resume(run),
        8..=12 => Act::Retry(aim),
        13..=15 => {
            let answers = [Settlement::Done, Settlement::Failed, Settlement::Retry];
            Act::Settle(aim, random.pick(&answers))
        }
        16..=18 => {
            let id = random.pick(&[Id::Right, Id::Right, Id::Right, Id::Old, Id::Wrong]);
            Act::Approve { aim, yes: random.chance(600), id }
        }
        19 => Act::Drop(aim),
        20 => Act::Drain { at_once: random.chance(300) },
        21 => Act::Repeat(random.below(64)),
        22 => Act::Astray,
        _ => Act::SubmitAgain,
    }
}

fn faults(random: &mut Random) -> Vec<(u32, Fault)> {
    let count = random.pick(&[0, 1, 3, 8, 20]);
    let mut faults: Vec<(u32, Fault)> = Vec::new();
    for _ in 0..count {
        let fault = fault(random);
        faults.push((random.below(HORIZON), fault));
    }
    faults.sort_by_key(|(step, _)| *step);
    faults
}

fn fault(random: &mut Random) -> Fault {
    match random.below(20) {
        0..=8 => {
            let at = match random.below(6) {
                0 => CrashAt::Rest,
                1 => CrashAt::Append,
                2 | 3 => CrashAt::Appended,
                _ => CrashAt::Told(random.below(6)),
            };
            Fault::Crash { at, down_ms: random.pick(&[0, 10, 1000, 100_000]) }
        }
        9 | 10 => Fault::KeeperDies,
        11 | 12 => Fault::ClockStep { by_ms: random.pick(&[-3_600_000, 3_600_000, -6_000, 86_400_000]) },
        13 => Fault::Suspend { ms: random.pick(&[2_000, 28_800_000]) },
        14 => Fault::DiskLow(random.chance(500)),
        15..=17 => Fault::Snapshot { foreign: random.chance(300) },
        _ => {
            let why = random.pick(&[StopWhy::Memory, StopWhy::DiskFull, StopWhy::Stalled]);
            Fault::Overdue { number: random.below(8), why }
        }
    }
}
