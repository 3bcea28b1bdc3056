//! The moods of worlds: what they have more of than others, so that rare corners are seen often enough.
//! Never: a mood that leaves something out for good; the plain one has all.

use crate::random::Random;

/// Something that a person does, without its aim.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Doing {
    CancelRun,
    Cancel,
    Pause,
    Resume,
    Raise,
    Retry,
    Otherwise,
    Settle,
    Approve,
    Drop,
    Drain,
    Repeat,
    Astray,
    SubmitAgain,
}

/// Something that befalls the world, without its kind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Harm {
    Crash,
    Keeper,
    Both,
    Power,
    Usurped,
    Clock,
    Drift,
    Ghost,
    Suspend,
    Disk,
    Full,
    Damage,
    Snapshot,
    Overdue,
    Loss,
}

/// What a world has more or less of. Shares are in a thousand.
pub(crate) struct Mood {
    pub(crate) slots: &'static [u32],
    pub(crate) trouble: &'static [u32],
    /// There are several runs.
    pub(crate) runs: u32,
    /// Up to which step runs are submitted.
    pub(crate) submits: u32,
    /// A run has a weight.
    pub(crate) weights: u32,
    /// Attempts that ignore the polite stop.
    pub(crate) stubborn: u32,
    pub(crate) approvals: u32,
    pub(crate) optional: u32,
    /// Tasks with `rerun: never`.
    pub(crate) never: u32,
    pub(crate) lists: u32,
    /// A task has rounds.
    pub(crate) rounds: u32,
    /// A task has replicas.
    pub(crate) replicas: u32,
    /// A task is a plan.
    pub(crate) plans: u32,
    /// Some tasks emit and others wait.
    pub(crate) talks: u32,
    /// Runs go on by other plans.
    pub(crate) revisions: u32,
    /// Whether tasks of a run have budgets of their own.
    pub(crate) allots: u32,
    /// Tasks for agents, of those that ask nobody.
    pub(crate) prompts: u32,
    /// Attempts that meet a quota.
    pub(crate) quotas: u32,
    /// Attempts whose account is let in no more.
    pub(crate) outages: u32,
    /// Agents with a rate.
    pub(crate) rates: u32,
    /// Agents with others behind them.
    pub(crate) fallbacks: u32,
    /// How many needs a task has at least, if it has any.
    pub(crate) needs: u32,
    /// Joins that are not all; as many of those are any.
    pub(crate) joins: u32,
    /// Such joins that cancel what they are met without.
    pub(crate) spares: u32,
    /// Needs that an approval shows.
    pub(crate) shows: u32,
    /// Acts that are done again at once.
    pub(crate) again: u32,
    /// How many acts and faults there are.
    pub(crate) acts: &'static [u32],
    pub(crate) faults: &'static [u32],
    pub(crate) doings: &'static [(u32, Doing)],
    pub(crate) harms: &'static [(u32, Harm)],
}

/// A world with something of everything.
const PLAIN: Mood = Mood {
    slots: &[1, 2, 3, 4, 8],
    trouble: &[0, 200, 500, 800, 950],
    runs: 250,
    submits: 80,
    weights: 300,
    stubborn: 0,
    approvals: 100,
    optional: 200,
    never: 150,
    lists: 200,
    rounds: 120,
    replicas: 150,
    plans: 120,
    talks: 500,
    revisions: 250,
    allots: 250,
    prompts: 300,
    quotas: 0,
    outages: 0,
    rates: 100,
    fallbacks: 250,
    needs: 0,
    joins: 400,
    spares: 400,
    shows: 500,
    again: 200,
    acts: &[0, 2, 5, 12, 25],
    faults: &[0, 1, 3, 8, 20],
    doings: &[
        (1, Doing::CancelRun),
        (2, Doing::Cancel),
        (2, Doing::Pause),
        (3, Doing::Resume),
        (2, Doing::Raise),
        (5, Doing::Retry),
        (2, Doing::Otherwise),
        (3, Doing::Settle),
        (3, Doing::Approve),
        (1, Doing::Drop),
        (1, Doing::Drain),
        (1, Doing::Repeat),
        (1, Doing::Astray),
        (1, Doing::SubmitAgain),
    ],
    harms: &[
        (9, Harm::Crash),
        (2, Harm::Keeper),
        (2, Harm::Clock),
        (1, Harm::Drift),
        (2, Harm::Ghost),
        (1, Harm::Suspend),
        (1, Harm::Disk),
        (1, Harm::Both),
        (1, Harm::Power),
        (1, Harm::Usurped),
        (1, Harm::Full),
        (2, Harm::Damage),
        (3, Harm::Snapshot),
        (2, Harm::Overdue),
    ],
};

/// Engine and keeper die again and again while attempts take long.
const DEADLY: Mood = Mood {
    trouble: &[950],
    faults: &[20, 40],
    harms: &[
        (8, Harm::Crash),
        (4, Harm::Keeper),
        (2, Harm::Both),
        (2, Harm::Power),
        (1, Harm::Usurped),
        (1, Harm::Snapshot),
    ],
    ..PLAIN
};

/// People cancel and change their minds, and attempts don't listen.
const CANCELS: Mood = Mood {
    revisions: 50,
    talks: 30,
    trouble: &[800, 950],
    stubborn: 500,
    lists: 400,
    rounds: 200,
    replicas: 200,
    acts: &[25, 50],
    faults: &[0, 3],
    doings: &[
        (2, Doing::CancelRun),
        (6, Doing::Cancel),
        (6, Doing::Retry),
        (1, Doing::Resume),
        (1, Doing::Repeat),
        (1, Doing::Drain),
    ],
    ..PLAIN
};

/// Much is asked of people.
const QUESTIONS: Mood = Mood {
    revisions: 50,
    plans: 60,
    approvals: 500,
    optional: 300,
    needs: 3,
    joins: 900,
    spares: 0,
    shows: 1000,
    trouble: &[200, 500],
    slots: &[1, 2, 3],
    acts: &[25, 50],
    faults: &[0, 3],
    doings: &[
        (3, Doing::Approve),
        (6, Doing::Retry),
        (1, Doing::Cancel),
        (1, Doing::Resume),
        (1, Doing::Pause),
    ],
    ..PLAIN
};

/// Nobody knows what was done.
const UNKNOWN: Mood = Mood {
    revisions: 50,
    plans: 60,
    talks: 30,
    trouble: &[800, 950],
    never: 900,
    replicas: 900,
    acts: &[50, 75],
    faults: &[3, 8, 20],
    doings: &[
        (8, Doing::Settle),
        (3, Doing::Retry),
        (2, Doing::Cancel),
        (1, Doing::CancelRun),
        (1, Doing::Resume),
    ],
    harms: &[(6, Harm::Crash), (3, Harm::Keeper), (2, Harm::Overdue), (1, Harm::Snapshot)],
    ..PLAIN
};

/// Much may fail, and is tried again while others wait for room.
const EXCUSED: Mood = Mood {
    revisions: 50,
    talks: 30,
    slots: &[1, 2],
    trouble: &[950],
    optional: 900,
    lists: 100,
    rounds: 60,
    replicas: 60,
    joins: 100,
    acts: &[50],
    faults: &[0, 3],
    doings: &[(12, Doing::Retry), (2, Doing::Cancel), (1, Doing::Resume), (1, Doing::Drop)],
    ..PLAIN
};

/// It is paused and drained for one reason and another.
const HALTING: Mood = Mood {
    revisions: 50,
    talks: 30,
    trouble: &[800, 950],
    stubborn: 700,
    again: 700,
    acts: &[12, 25],
    faults: &[3, 8],
    doings: &[
        (8, Doing::Drain),
        (4, Doing::Pause),
        (4, Doing::Resume),
        (1, Doing::Cancel),
        (1, Doing::Retry),
    ],
    harms: &[
        (5, Harm::Disk),
        (3, Harm::Full),
        (2, Harm::Clock),
        (2, Harm::Suspend),
        (2, Harm::Crash),
        (2, Harm::Overdue),
    ],
    ..PLAIN
};

/// Time is short, and the clocks are wrong.
const TIMELY: Mood = Mood {
    slots: &[1, 2, 4],
    trouble: &[500, 950],
    acts: &[0, 5],
    faults: &[8, 20],
    harms: &[(5, Harm::Clock), (4, Harm::Suspend), (3, Harm::Crash), (1, Harm::Snapshot)],
    ..PLAIN
};

/// Several runs want the same few slots.
const CROWDED: Mood = Mood {
    slots: &[1, 1, 2],
    trouble: &[0, 200],
    runs: 1000,
    submits: 6,
    weights: 700,
    approvals: 20,
    lists: 900,
    rounds: 50,
    acts: &[0, 2, 5],
    faults: &[0, 1, 3],
    doings: &[
        (2, Doing::Pause),
        (4, Doing::Resume),
        (1, Doing::Raise),
        (2, Doing::Retry),
        (1, Doing::Cancel),
    ],
    ..PLAIN
};

/// Agents that few providers serve, which limit them and break.
const PROVIDERS: Mood = Mood {
    revisions: 50,
    slots: &[3, 8],
    trouble: &[800, 950],
    prompts: 900,
    quotas: 600,
    outages: 250,
    rates: 250,
    fallbacks: 500,
    lists: 350,
    approvals: 20,
    acts: &[0, 12, 50],
    faults: &[0, 3, 8],
    doings: &[
        (6, Doing::Cancel),
        (2, Doing::Settle),
        (3, Doing::Retry),
        (1, Doing::Otherwise),
        (2, Doing::Resume),
        (1, Doing::CancelRun),
    ],
    ..PLAIN
};

/// Accounts are let in no more, and are again.
const OUTAGES: Mood = Mood {
    revisions: 50,
    slots: &[2, 3, 8],
    trouble: &[500, 800],
    prompts: 950,
    outages: 300,
    rates: 0,
    approvals: 20,
    talks: 30,
    acts: &[0, 5],
    faults: &[0, 1, 3],
    ..PLAIN
};

/// The end of the journal is damaged, and somebody accepts that.
const LOSSES: Mood = Mood {
    trouble: &[200, 800, 950],
    prompts: 500,
    outages: 150,
    replicas: 300,
    spares: 800,
    approvals: 200,
    faults: &[1, 3, 8],
    harms: &[(4, Harm::Loss), (2, Harm::Crash), (1, Harm::Keeper), (1, Harm::Snapshot)],
    ..PLAIN
};

/// The names of all moods, by their numbers.
pub(crate) const NAMES: [&str; 12] = [
    "plain",
    "deadly",
    "cancels",
    "questions",
    "unknown",
    "excused",
    "halting",
    "timely",
    "crowded",
    "providers",
    "outages",
    "losses",
];

impl Mood {
    /// The number of a mood at random: one of ten is plain.
    pub(crate) fn draw(random: &mut Random) -> usize {
        match random.below(30) {
            0 => 1,
            1 => 2,
            2 | 7 | 13 | 16 | 25 | 27 => 3,
            3 | 15 | 24 => 4,
            4 | 12 | 17 => 5,
            5 | 14 | 23 | 26 | 28 => 6,
            6 => 7,
            18 | 19 => 8,
            20..=22 | 29 => 9,
            10 => 10,
            11 => 11,
            _ => 0,
        }
    }

    /// The mood of a number.
    pub(crate) fn of(number: usize) -> Self {
        match number {
            1 => DEADLY,
            2 => CANCELS,
            3 => QUESTIONS,
            4 => UNKNOWN,
            5 => EXCUSED,
            6 => HALTING,
            7 => TIMELY,
            8 => CROWDED,
            9 => PROVIDERS,
            10 => OUTAGES,
            11 => LOSSES,
            _ => PLAIN,
        }
    }
}
