//! What the drivers of a world must do, whatever they are made of: the models of this simulator are held against it, and, by a
//! test, the real ones. (The journal has a suite of its own.) Never: what only one of them does.

use windlass_core::effect::{Assignment, Program, Settle};
use windlass_core::event::Exit;
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::id::{AttemptKey, Digest, Fence};
use windlass_core::time::Span;
use windlass_engine::clock::{Clock, Shown};
use windlass_journal::blob::MemoryBlobs;

use crate::case::{Behaviour, End, OnTerm};
use crate::clocks::Clocks;
use crate::draft::Shape;
use crate::process::{Bringing, Process};

/// How long an attempt may go on once it is told to end.
pub const GRACE: Span = Span::from_ms(200);

/// What an attempt does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It ends by itself with this code.
    Exits(i32),
    /// It is ended by this signal.
    DiesOf(i32),
    /// It ends by itself with 0, and leaves another process behind.
    Leaves,
    /// There is no such program.
    IsNotThere,
    /// It goes on, and ends when it is told to.
    Obeys,
    /// It goes on, and ends with this code when it is told to.
    ExitsWhenTold(i32),
    /// It goes on, whatever it is told.
    Ignores,
}

impl Doing {
    /// Whether it goes on until somebody ends it.
    pub const fn goes_on(self) -> bool {
        matches!(self, Self::Obeys | Self::ExitsWhenTold(_) | Self::Ignores)
    }
}

/// How an attempt ended, as its keeper reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How its main process ended.
    pub exit: Exit,
    /// What was wrong with it, in a word; that of its exit where the keeper says nothing.
    pub error: Option<ErrorKind>,
    /// How many processes outlived it.
    pub leftovers: u32,
}

impl Seen {
    /// What a report comes to.
    pub fn new(exit: Exit, error: Option<&Failure>, leftovers: u32) -> Self {
        let of_exit = match exit {
            Exit::Code(0) => None,
            Exit::Code(_) => Some(ErrorKind::Exit),
            Exit::Signal(_) => Some(ErrorKind::Crashed),
            Exit::NotStarted => Some(ErrorKind::SpawnInvalid),
        };
        Self { exit, error: error.map(|error| error.kind).or(of_exit), leftovers }
    }
}

/// What every keeper does with attempts. Those that go on are told to end.
#[rustfmt::skip]
pub const OF_KEEPERS: [(Doing, Exit, Option<ErrorKind>, u32); 8] = [
    (Doing::Exits(0),         Exit::Code(0),    None,                          0),
    (Doing::Exits(3),         Exit::Code(3),    Some(ErrorKind::Exit),         0),
    (Doing::DiesOf(9),        Exit::Signal(9),  Some(ErrorKind::Crashed),      0),
    (Doing::Leaves,           Exit::Code(0),    None,                          1),
    (Doing::IsNotThere,       Exit::NotStarted, Some(ErrorKind::SpawnNotFound), 0),
    (Doing::Obeys,            Exit::Signal(15), Some(ErrorKind::Crashed),      0),
    (Doing::ExitsWhenTold(4), Exit::Code(4),    Some(ErrorKind::Exit),         0),
    (Doing::Ignores,          Exit::Signal(9),  Some(ErrorKind::Crashed),      0),
];

/// How an attempt ends under the keeper of this simulator.
pub fn simulated(doing: Doing) -> Seen {
    let (end, on_term) = match doing {
        Doing::Exits(code) => (End::Code(code), OnTerm::Dies),
        Doing::DiesOf(signal) => (End::Signal(signal), OnTerm::Dies),
        Doing::IsNotThere => (End::NotStarted(ErrorKind::SpawnNotFound), OnTerm::Dies),
        Doing::Leaves | Doing::Obeys => (End::Succeeds, OnTerm::Dies),
        Doing::ExitsWhenTold(code) => (End::Succeeds, OnTerm::Exits(code)),
        Doing::Ignores => (End::Succeeds, OnTerm::Ignores),
    };
    let takes_ms = if doing.goes_on() { 3_600_000 } else { 100 };
    let leftovers = u32::from(doing == Doing::Leaves);
    let behaviour = Behaviour { takes_ms, end, on_term, leftovers, ..Behaviour::default() };
    let mut process = Process {
        assignment: Box::new(assignment(Program::Argv(Vec::new()), "/".into())),
        behaviour,
        shape: Shape::Null,
        started_at: 0,
        ends_at: takes_ms,
        killed_at: None,
        bringing: Bringing::Done,
    };
    if doing.goes_on() {
        process.stop(50, GRACE);
    }
    let ended = process.ended(process.ends_at, 0, &MemoryBlobs::default());
    Seen::new(ended.exit, ended.error.as_ref(), ended.leftovers)
}

/// An order to start an attempt.
pub fn assignment(program: Program, folder: String) -> Assignment {
    Assignment {
        key: AttemptKey {
            run: "abcdef".parse().expect("a run"),
            task: "task".parse().expect("a task"),
            attempt: 1,
        },
        fence: Fence(1),
        program,
        workspace: folder.clone(),
        folder,
        env_base: Digest::of(b""),
        env: std::collections::BTreeMap::new(),
        pass: Vec::new(),
        start_to_close: None,
        heartbeat: None,
        grace: GRACE,
        memory_bytes_max: None,
        settle: Settle::default(),
        around: Vec::new(),
        elsewhere: None,
        feedback: None,
    }
}

/// What holds of the clocks of a machine that nobody sets and that does not sleep, looked at again and again; what does not.
///
/// # Errors
/// The look that is wrong, with the one before, and what is wrong with it.
pub fn of_clocks(looks: &[Shown]) -> Result<(), String> {
    let (mut clock, jumped) = Clock::start(windlass_core::time::Time::default(), looks[0]);
    let mut time = clock.now(looks[0]);
    for pair in looks.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        let passed = |of: fn(&Shown) -> i64| of(&after) - of(&before);
        let (wall, boot, awake) =
            (passed(|at| at.wall_ms), passed(|at| at.boot_ms), passed(|at| at.awake_ms));
        let now = clock.now(after);
        // Each is read by itself, and in whole milliseconds.
        let together = |one: i64, other: i64| one.abs_diff(other) <= 2 * TOGETHER_MS;
        let laws = [
            ("time since boot falls", boot >= 0),
            ("time awake falls", awake >= 0),
            (
                "more time was awake than there was",
                after.awake_ms <= after.boot_ms.saturating_add_unsigned(TOGETHER_MS),
            ),
            ("awake and since boot don't go together", together(boot, awake)),
            ("the wall and the time since boot don't go together", together(wall, boot)),
            ("a jump is seen", jumped.is_none() && clock.compare(after).is_none()),
            ("an engine's time falls, or stands", now >= time && together(now.ms - time.ms, boot)),
        ];
        if let Some((wrong, _)) = laws.iter().find(|(_, holds)| !holds) {
            return Err(format!("{wrong}: {before:?}, {after:?}"));
        }
        time = now;
    }
    Ok(())
}

/// How far apart clocks may be read that are read one after the other, so that a look is wrong by that.
const TOGETHER_MS: u64 = 12;

/// What the clocks of this simulator show, looked at again and again.
pub fn simulated_looks() -> Vec<Shown> {
    let mut clocks = Clocks::default();
    clocks.awake = 1000;
    let look = |ms: u64| {
        clocks.awake += ms;
        clocks.shown()
    };
    [0, 1, 0, 7, 3000, 1, 100_000].into_iter().map(look).collect()
}
