//! From a seed to a case: plans, people, and what befalls the world, in one of several moods.
//! Never: what happens while the world goes on.

use windlass_core::event::{Settlement, StopWhy};
use windlass_core::failure::ErrorKind;

use crate::allot;
use crate::bring;
use crate::case::{Act, Aim, Case, CrashAt, Fault, Id};
use crate::converse;
use crate::draft::PlanDraft;
use crate::mood::{Doing, Harm, Mood};
use crate::nest;
use crate::plans;
use crate::random::{Random, keyed};
use crate::talk;

/// Up to which step people act and faults befall.
const HORIZON: u32 = 160;

/// From Friday evening to Monday morning.
const WEEKEND_MS: u64 = 220_000_000;
/// How long nobody starts the engine again.
const DOWN_MS: [u64; 5] = [0, 10, 1000, 100_000, WEEKEND_MS];
/// By how much the wall clock is set; the last ones lead to 2036, and back.
const STEPS_MS: [i64; 6] = [-3_600_000, 3_600_000, -6_000, 86_400_000, 388_000_000_000, -388_000_000_000];

/// The number of the mood that a seed has by itself.
pub(crate) fn mood(seed: u64) -> usize {
    Mood::draw(&mut Random::new(seed))
}

/// The case of a seed, in its own mood or in that of another number.
pub(crate) fn case(seed: u64, mood: Option<usize>) -> Case {
    let mut random = Random::new(seed);
    let own = Mood::draw(&mut random);
    let mood = Mood::of(mood.unwrap_or(own));
    let runs = if random.chance(mood.runs) { random.within(2, 3) } else { 1 };
    let mut case = Case {
        seed,
        slots: random.pick(mood.slots),
        trouble: random.pick(mood.trouble),
        stubborn: mood.stubborn,
        quotas: mood.quotas,
        outages: mood.outages,
        short_turns: random.chance(250),
        ..Case::default()
    };
    case.runs = (0..runs).map(|_| plans::run(&mut random, &mood)).collect();
    for (number, run) in case.runs.iter_mut().enumerate() {
        nest::nest(&mut Random::new(keyed(seed, &format!("plans {number}"))), &mood, run);
        nest::read_within(&mut Random::new(keyed(seed, &format!("values {number}"))), run);
        plans::hand_on(&mut Random::new(keyed(seed, &format!("hands {number}"))), run);
        allot::allot(&mut Random::new(keyed(seed, &format!("budgets {number}"))), &mood, run);
        converse::converse(&mut Random::new(keyed(seed, &format!("talk {number}"))), &mood, run);
    }
    case.brought = bring::plans(&mut Random::new(keyed(seed, "brought")), &mood);
    case.acts = acts(&mut random, &mood, runs);
    case.acts.extend(revisions(&mut Random::new(keyed(seed, "revisions")), &mood, runs));
    case.acts.extend(messages(&mut Random::new(keyed(seed, "messages")), &case.runs));
    case.acts.sort_by_key(|(step, _)| *step);
    case.faults = faults(&mut random, &mood);
    case
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

fn acts(random: &mut Random, mood: &Mood, runs: u32) -> Vec<(u32, Act)> {
    let mut acts = vec![(0, Act::Submit)];
    for _ in 1..runs {
        acts.push((random.below(mood.submits), Act::Submit));
    }
    for _ in 0..random.pick(mood.acts) {
        let step = random.below(HORIZON);
        let doing = random.weighed(mood.doings);
        acts.push((step, act(random, doing, runs)));
        // The same again, soon after: what is under way is met once more.
        if random.chance(mood.again) {
            acts.push((step + random.below(4), act(random, doing, runs)));
        }
    }
    acts.sort_by_key(|(step, _)| *step);
    acts
}

/// Other plans for runs. Drawn from numbers of its own, so that what else a seed brings is as it is without.
fn revisions(random: &mut Random, mood: &Mood, runs: u32) -> Vec<(u32, Act)> {
    let count = if random.chance(mood.revisions) { random.within(1, 4) } else { 0 };
    let revise = |_| (random.below(HORIZON), Act::Revise(random.below(runs), random.below(10_000)));
    (0..count).map(revise).collect()
}

/// What is said to runs from outside: often where somebody hears it. Drawn from numbers of its own, too.
fn messages(random: &mut Random, runs: &[PlanDraft]) -> Vec<(u32, Act)> {
    let mut messages = Vec::new();
    for (number, run) in (0..).zip(runs) {
        let is_heard = (0..converse::TOPICS).any(|topic| talk::hears_others(run, &talk::topic(topic)));
        let count = if is_heard { random.below(6) } else { u32::from(random.chance(20)) };
        let say =
            |_| (random.below(HORIZON), Act::Emit(number, random.below(converse::TOPICS), random.below(4)));
        messages.extend((0..count).map(say));
    }
    messages
}

fn act(random: &mut Random, doing: Doing, runs: u32) -> Act {
    let run = random.below(runs);
    let aim = Aim { number: random.below(64), fitting: random.chance(850) };
    match doing {
        Doing::CancelRun => Act::CancelRun(run),
        Doing::Cancel => Act::Cancel(aim),
        Doing::Pause if random.chance(400) => Act::PauseNow(run),
        Doing::Pause => Act::Pause(run),
        Doing::Resume => Act::Resume(run),
        Doing::Raise => {
            let (attempts, wall_ms) = random.pick(&[(1, 0), (3, 0), (0, 2000), (0, 600_000), (2, 60_000)]);
            Act::Raise(run, attempts, wall_ms)
        }
        Doing::Retry => Act::Retry(aim),
        Doing::Otherwise => Act::RetryOtherwise(aim, random.below(3), random.chance(500)),
        Doing::Settle => {
            // The third answer of a person is a requeue.
            match random.below(3) {
                0 => Act::Settle(aim, Settlement::Done),
                1 => Act::Settle(aim, Settlement::Failed),
                _ => Act::Retry(aim),
            }
        }
        Doing::Approve => {
            let id = random.pick(&[Id::Right, Id::Right, Id::Right, Id::Old, Id::Wrong]);
            Act::Approve { aim, yes: random.chance(600), id }
        }
        Doing::Drop => Act::Drop(aim),
        Doing::Drain => Act::Drain { at_once: random.chance(600) },
        Doing::Repeat => Act::Repeat(random.below(64)),
        Doing::Astray => Act::Astray,
        Doing::SubmitAgain => Act::SubmitAgain,
    }
}

fn faults(random: &mut Random, mood: &Mood) -> Vec<(u32, Fault)> {
    let mut faults: Vec<(u32, Fault)> = Vec::new();
    for _ in 0..random.pick(mood.faults) {
        let harm = random.weighed(mood.harms);
        let fault = fault(random, harm);
        let step = random.below(HORIZON);
        if matches!(fault, Fault::DiskFull { .. }) {
            faults.push((step + random.within(1, 20), Fault::DiskFree));
        }
        faults.push((step, fault));
    }
    faults.sort_by_key(|(step, _)| *step);
    faults
}

fn fault(random: &mut Random, harm: Harm) -> Fault {
    match harm {
        Harm::Crash => {
            let at = match random.below(6) {
                0 => CrashAt::Rest,
                1 => CrashAt::Append,
                2 => CrashAt::Appended,
                3 => CrashAt::Waiting,
                _ => CrashAt::Told(random.below(6)),
            };
            Fault::Crash { at, down_ms: random.pick(&DOWN_MS) }
        }
        Harm::Keeper => Fault::KeeperDies,
        Harm::Both => Fault::BothDie { down_ms: random.pick(&DOWN_MS) },
        Harm::Power => Fault::PowerCut { down_ms: random.pick(&DOWN_MS) },
        Harm::Usurped => Fault::Usurped,
        Harm::Full => Fault::DiskFull { room: random.below(4).into() },
        Harm::Damage => Fault::Damage { number: random.below(1 << 16).into(), is_cut: random.chance(500) },
        Harm::Clock => Fault::ClockStep { by_ms: random.pick(&STEPS_MS) },
        Harm::Drift => Fault::Drift { by_ms: random.pick(&[-3000, -500, 400, 3000]) },
        Harm::Ghost => Fault::Ghost { number: random.below(64), kind: random.below(5) },
        Harm::Suspend => Fault::Suspend { ms: random.pick(&[2_000, 28_800_000, WEEKEND_MS]) },
        Harm::Disk => Fault::DiskLow(random.chance(600)),
        Harm::Snapshot => Fault::Snapshot { foreign: random.chance(300) },
        Harm::Loss => Fault::Loss { after: random.below(1 << 16).into() },
        Harm::Overdue => {
            let why = random.pick(&[StopWhy::Memory, StopWhy::DiskFull, StopWhy::Stalled]);
            Fault::Overdue { number: random.below(8), why }
        }
    }
}
