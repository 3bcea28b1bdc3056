//! The engine of a home: opens it, recovers, and turns until its work is done. Never: deciding when that is for the
//! face that runs it (the face says so), or what to do (the core decides).

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::time::Duration;

use windlass_core::decide::Stamp;
use windlass_core::event::Role;
use windlass_core::input::{Answer, Ask, Input, Rejection, Report};
use windlass_core::react::pending;
use windlass_core::state::State;
use windlass_core::time::Span;
use windlass_core::turn::Core;
use windlass_journal::Journal as _;
use windlass_journal::error::HomeError;
use windlass_journal::home::{Home, HomeSettings};
use windlass_journal::lock::{Lock, Owner};
use windlass_journal::sqlite::SqliteJournal;
use windlass_worker::Owners;

use crate::alive::Alive;
use crate::clock::{self, Clock};
use crate::error::EngineError;
use crate::handle::{COMMANDS_MAX, Handle, random};
use crate::hands::Hands;
use crate::inbox::{Asked, Inbox, Message, Question};
use crate::lists::Lists;
use crate::recover::{self, Opening};
use crate::room::Room;
use crate::snapshots::Snapshots;
use crate::turn::{Letter, Outside as _, turn};

/// How many letters a turn takes in.
const TURN_LETTERS_MAX: usize = 1024;
/// How many bytes of outputs a turn takes in, about.
const TURN_BYTES_MAX: usize = 2 << 20;
/// How long the engine rests at most while anything is under way: the clocks are compared at each turn.
const CLOCKS_EVERY: Duration = Duration::from_secs(1);
/// How often the home and the list of live attempts are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What a command needs of the disk at most, to open a journal and to add to it.
const COMMAND_BYTES: u64 = 1 << 20;
/// How many files an engine opens, one attempt counted, and how many who carries out one command.
const fn files(role: Role) -> usize {
    match role {
        Role::Engine => 24,
        Role::Command => 8,
    }
}
/// How long an old keeper may take to end what it has: the grace of a stop, and some.
const OLD_KEEPER_AT_MOST: Span = Span::from_secs(15);
/// How long what an old engine left may take to end.
pub(crate) const LEFT_AT_MOST: Span = Span::from_secs(15);
/// The name of this build, in the journal and in snapshots: its version and a digest of its sources (`build.rs`).
pub const BUILD: &str = env!("WINDLASS_BUILD");

/// How an engine is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The home.
    pub home: PathBuf,
    /// How much room it wants.
    pub home_settings: HomeSettings,
    /// How many attempts may be in flight.
    pub slots: u32,
    /// Whether it runs tasks, or carries out one command.
    pub role: Role,
    /// Where commands are taken, for the lock file.
    pub socket: Option<PathBuf>,
    /// What is around this process, if an attempt started it.
    pub owners: Option<Owners>,
    /// The program that is started as the keeper; none is this same binary.
    pub keeper: Option<PathBuf>,
    /// Whether orphans of a dead keeper fall to this process: for a program that has no other children.
    pub subreaper: bool,
}

/// An engine that has its home, its lock and its state, and has not turned yet.
pub struct Engine {
    options: Options,
    home: Home,
    lock: Lock,
    journal: SqliteJournal,
    core: Core,
    hands: Hands,
    handle: Handle,
    inbox: Inbox,
    /// Commands that wait while reports are taken in.
    asked: VecDeque<Asked>,
    clock: Clock,
    /// What is reported first.
    first: Vec<Report>,
    draining: bool,
    disk_low: bool,
    looked: Duration,
    alive: Alive,
    lists: Lists,
    snapshots: Snapshots,
}

impl Engine {
    /// Opens a home: takes its lock, waits for the keeper of the engine before, ends what that left behind, and
    /// replays the journal. `says` is told in words what is waited for.
    ///
    /// # Errors
    /// Where the home is another engine's, is damaged or can't be written, or what was left behind does not end.
    pub fn open(options: Options, says: &mut dyn FnMut(&str)) -> Result<Self, EngineError> {
        windlass_journal::room_for_files(files(options.role))?;
        let home = Home::open(&options.home, options.home_settings)?;
        let lock = Lock::hold(home.path())?;
        make_room(&home, &lock, options.role)?;
        lock.tell(&Owner::this_process(options.socket.clone()))?;
        if options.subreaper {
            let failed =
                |source| EngineError::System { doing: "become the one that orphans fall to", source };
            windlass_worker::become_subreaper().map_err(failed)?;
        }
        windlass_worker::wait_for_old_keeper(home.path(), OLD_KEEPER_AT_MOST, &mut *says)?;
        let mut journal = SqliteJournal::open(&home, &lock, BUILD)?;
        let id = journal.home_id().to_string();
        let swept = windlass_worker::sweep((home.path(), &id), LEFT_AT_MOST, says, |_| false)?;
        let Opening { core, kept, clock, first } =
            recover::open(&mut journal, options.role, BUILD, options.slots, clock::shown())?;
        journal.hold(core.state());
        let (sender, inbox) = mpsc::channel();
        let blobs = home.blobs();
        let snapshots = Snapshots::from(kept);
        Ok(Self {
            hands: Hands::new(sender.clone(), Arc::clone(&blobs), swept, core.state().given_up.clone()),
            handle: Handle {
                inbox: sender,
                blobs,
                home: home.path().into(),
                room: Room::for_at_most(COMMANDS_MAX),
            },
            core,
            clock,
            first,
            draining: false,
            disk_low: false,
            looked: clock::awake(),
            alive: Alive::default(),
            lists: Lists::default(),
            snapshots,
            options,
            home,
            lock,
            journal,
            inbox: Inbox::of(inbox),
            asked: VecDeque::new(),
        })
    }

    /// A way to reach it from other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The state that the journal gave.
    pub fn state(&self) -> &State {
        self.core.state()
    }

    /// The lock, for telling its file where the socket is.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Turns until the face says that it is done, or a drain is over. `is_done` is asked after each turn, and `at_end`
    /// is called last of all, while the home is still this engine's.
    ///
    /// # Errors
    /// Why it had to end, where that is neither the face nor a drain. What was acknowledged is in the journal.
    pub fn run(
        mut self,
        mut is_done: impl FnMut(&State) -> bool,
        at_end: impl FnOnce(),
    ) -> Result<(), EngineError> {
        let ended = self.turn_until(&mut is_done);
        self.hands.rest();
        if ended.is_ok() && self.snapshots.is_due_at_end(self.core.state().head) {
            self.save_snapshot();
        }
        let Self { journal, lock, .. } = self;
        let closed = ended.and_then(|()| Ok(journal.close()?));
        at_end();
        drop(lock);
        closed
    }

    fn turn_until(&mut self, is_done: &mut dyn FnMut(&State) -> bool) -> Result<(), EngineError> {
        if self.options.role == Role::Engine {
            let id = self.journal.home_id().to_string();
            let slots = usize::try_from(self.options.slots).unwrap_or(usize::MAX);
            let mut settings = windlass_worker::Settings::new(self.home.path().to_owned(), id, slots);
            settings.owners.clone_from(&self.options.owners);
            settings.program.clone_from(&self.options.keeper);
            self.hands.employ(settings)?;
        }
        let mut more = self.begin()?;
        loop {
            let is_over = is_done(self.core.state()) || self.draining;
            if is_over && self.core.state().is_idle() && !more && self.inbox_is_quiet() {
                return Ok(());
            }
            let mail = self.receive(more)?;
            more = self.turn(mail.letters)?;
            for question in mail.questions {
                question(self.core.state());
            }
            if let Some(error) = mail.last {
                return Err(error);
            }
        }
    }

    /// The first turns: this opening is journaled, then what became of the attempts of earlier ones is learned.
    fn begin(&mut self) -> Result<bool, EngineError> {
        let first = std::mem::take(&mut self.first).into_iter();
        let first = first.map(|report| self.letter(Input::Report(report))).collect::<Result<_, _>>()?;
        self.turn(first)?;
        for effect in pending(self.core.state()) {
            self.hands.perform(effect);
        }
        let learned = self.hands.learn().map(|report| self.letter(Input::Report(report))).transpose()?;
        self.turn(learned.into_iter().collect())
    }

    fn turn(&mut self, letters: Vec<Letter<SyncSender<Answer>>>) -> Result<bool, EngineError> {
        let stamp = self.stamp()?;
        let drains = |letter: &Letter<_>| matches!(&letter.input, Input::Command(command) if matches!(command.ask, Ask::Drain { .. }));
        self.draining |= letters.iter().any(drains);
        let more = turn(&mut self.core, &mut self.journal, letters, stamp, &mut self.hands)?;
        self.journal.rest()?;
        if self.snapshots.is_due(self.core.state().head) {
            self.save_snapshot();
        }
        Ok(more)
    }

    /// Keeps the state, so that the next start need not replay all. A failure costs nothing but time.
    fn save_snapshot(&mut self) {
        let head = self.core.state().head;
        let saved = self.journal.save_snapshot(head, &recover::snapshot(self.core.state()));
        self.snapshots.tried(head, saved.is_ok());
    }

    fn letter(&mut self, input: Input) -> Result<Letter<SyncSender<Answer>>, EngineError> {
        Ok(Letter { input, stamp: self.stamp()?, reply: None })
    }

    fn stamp(&mut self) -> Result<Stamp, EngineError> {
        Ok(Stamp { now: self.clock.now(clock::shown()), seed: random()? })
    }

    fn inbox_is_quiet(&mut self) -> bool {
        self.asked.is_empty() && self.inbox.is_empty()
    }

    /// Waits for something to happen, and takes in all that has, within bounds: reports first, whatever else is asked.
    fn receive(&mut self, more: bool) -> Result<Mail, EngineError> {
        let mut mail = Mail::default();
        let mut next = if more || !self.asked.is_empty() { None } else { self.wait() };
        // Before anything is stamped: what came while the machine slept or the clock was set is judged after that.
        if let Some(jumped) = self.clock.compare(clock::shown()) {
            mail.letters.push(self.letter(Input::Report(jumped.into()))?);
        }
        self.look_at_disk(&mut mail.letters)?;
        while let Some(message) = next.take().or_else(|| self.inbox.take()) {
            match message {
                Message::Command(asked) => self.asked.push_back(asked),
                Message::Report(report) => {
                    mail.bytes += carried(&report);
                    mail.letters.push(self.letter(Input::Report(report))?);
                }
                Message::Errands(lost) => self.hands.do_again(&lost),
                Message::Query(question) => mail.questions.push(question),
                Message::Subscribe(feeder) => self.hands.subscribe(feeder),
                Message::Fatal(error) => return Err(error),
                Message::Last(report, error) => {
                    mail.letters.push(self.letter(Input::Report(report))?);
                    self.core.bar_starts(true);
                    mail.last = Some(error);
                }
            }
            if mail.is_full() || mail.last.is_some() {
                break;
            }
        }
        self.take_asked(&mut mail)?;
        if self.disk_low {
            // Runs that came with this mail, or were to go on, are paused as well.
            mail.letters.push(self.letter(Input::Report(Report::DiskLow { low: true }))?);
        }
        self.look_around(&mut mail.letters)?;
        Ok(mail)
    }

    /// Takes in what was asked, as far as there is room beside the reports.
    fn take_asked(&mut self, mail: &mut Mail) -> Result<(), EngineError> {
        while !mail.is_full()
            && let Some(Asked { command, reply, .. }) = self.asked.pop_front()
        {
            if self.draining && command.ask.takes_on() {
                // Where the asker has gone, nobody needs the answer.
                reply.send(Answer::Refused(Rejection::Ending)).unwrap_or_default();
                continue;
            }
            self.draining |= matches!(command.ask, Ask::Drain { .. });
            mail.letters.push(Letter { reply: Some(reply), ..self.letter(Input::Command(*command))? });
        }
        Ok(())
    }

    fn wait(&mut self) -> Option<Message> {
        let now = self.clock.now(clock::shown());
        let due = self.core.next_due().map(|due| Duration::from_millis(due.since(now).ms));
        if due.is_none() && self.core.state().live.is_empty() {
            return self.inbox.wait(LOOK_EVERY);
        }
        self.alive.note(&mut self.journal, self.core.state(), now);
        self.inbox.wait(due.unwrap_or(CLOCKS_EVERY).min(CLOCKS_EVERY))
    }

    /// Sees at each turn that the disk has little room left, before anything of the turn can start: what runs may fill it
    /// at any moment. That there is room again is seen every few seconds, so that at the brink not every turn says so.
    fn look_at_disk(&mut self, letters: &mut Vec<Letter<SyncSender<Answer>>>) -> Result<(), EngineError> {
        let low = self.home.is_low().unwrap_or(self.disk_low);
        if low || (self.disk_low && clock::awake().saturating_sub(self.looked) >= LOOK_EVERY) {
            if low != self.disk_low {
                self.hands.spare_logs(low);
            }
            self.disk_low = low;
            self.core.bar_starts(low);
            letters.push(self.letter(Input::Report(Report::DiskLow { low }))?);
        }
        Ok(())
    }

    /// What is looked at every few seconds: the home, the list of live attempts.
    fn look_around(&mut self, letters: &mut Vec<Letter<SyncSender<Answer>>>) -> Result<(), EngineError> {
        let awake = clock::awake();
        if awake.saturating_sub(self.looked) < LOOK_EVERY {
            return Ok(());
        }
        self.looked = awake;
        self.journal.check()?;
        // It is tried again at the next look.
        self.home.restore_reserve().unwrap_or_default();
        let known = self.hands.live().into_iter().collect();
        if let Some(lost) = self.lists.compare(self.core.state(), &known) {
            letters.push(self.letter(Input::Report(lost))?);
        }
        Ok(())
    }
}

/// Makes room in a home whose lock is held. Where the disk has none for an engine, what one that died left half-captured
/// goes first. A command is carried out all the same.
fn make_room(home: &Home, lock: &Lock, role: Role) -> Result<(), EngineError> {
    if role == Role::Command {
        if home.free().is_ok_and(|free| free < COMMAND_BYTES) {
            // The command it was kept for. Where it can't be given up the journal will say what is missing.
            home.release_reserve().unwrap_or_default();
        }
        return Ok(());
    }
    match home.make_room(lock) {
        Err(HomeError::NoSpace { .. }) => {
            std::fs::remove_dir_all(home.path().join("spool")).unwrap_or_default();
            Ok(home.make_room(lock)?)
        }
        made => Ok(made?),
    }
}

/// What has arrived.
#[derive(Default)]
struct Mail {
    letters: Vec<Letter<SyncSender<Answer>>>,
    questions: Vec<Question>,
    bytes: usize,
    /// Why this mail is the last.
    last: Option<EngineError>,
}

impl Mail {
    fn is_full(&self) -> bool {
        self.letters.len() >= TURN_LETTERS_MAX || self.bytes >= TURN_BYTES_MAX
    }
}

/// How many bytes of output a report carries.
fn carried(report: &Report) -> usize {
    match report {
        Report::Ended(ended) => {
            usize::try_from(ended.raw.bytes).unwrap_or(usize::MAX).min(windlass_worker::VALUE_BYTES_MAX)
        }
        Report::OutputSettled { .. } => windlass_worker::EXTRACTS_BYTES_MAX,
        Report::EngineStarted { .. }
        | Report::Overdue { .. }
        | Report::Lost { .. }
        | Report::ClockJumped { .. }
        | Report::DiskLow { .. }
        | Report::ErrandDone { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use windlass_core::event::LossReason;
    use windlass_core::id::{CommandId, Fence, RunId};
    use windlass_core::input::{Command, LostAttempt};

    use super::*;

    fn options(home: &std::path::Path, role: Role, reserve: u64) -> Options {
        Options {
            home: home.to_owned(),
            home_settings: HomeSettings { reserve, min_free: 0, force: true },
            slots: 1,
            role,
            socket: None,
            owners: None,
            keeper: None,
            subreaper: false,
        }
    }

    fn engine(home: &std::path::Path) -> Engine {
        Engine::open(options(home, Role::Command, 0), &mut |_| ()).expect("nobody has it")
    }

    #[test]
    fn a_home_that_another_engine_has_stays_as_it_is() {
        let home = tempfile::TempDir::new().expect("a folder");
        let first = Engine::open(options(home.path(), Role::Engine, 1 << 16), &mut |_| ());
        let reserve = home.path().join("reserve");
        let looked = || reserve.metadata().map(|found| (found.ino(), found.len())).expect("it is there");
        let before = looked();
        assert_eq!(before.1, 1 << 16);
        for reserve in [0, 1 << 17] {
            let second = Engine::open(options(home.path(), Role::Engine, reserve), &mut |_| ());
            assert!(second.is_err_and(|refused| refused.is_held()));
            assert_eq!(looked(), before);
        }
        drop(first);
        drop(Engine::open(options(home.path(), Role::Engine, 1 << 17), &mut |_| ()));
        assert_eq!(looked().1, 1 << 17);
    }

    #[test]
    fn to_look_whether_anything_has_come_leaves_it_in_its_place() {
        let home = tempfile::TempDir::new().expect("a folder");
        let mut engine = engine(home.path());
        let fences = [Fence(1), Fence(2)];
        for fence in fences {
            let key = "abcdef/task/1".parse().expect("a key");
            let attempts = vec![LostAttempt { key, fence, leftovers: 0 }];
            let report = Report::Lost { attempts, reason: LossReason::ReportLost };
            engine.handle.inbox.send(Message::Report(report)).expect("it listens");
        }
        for _ in 0..3 {
            assert!(!engine.inbox_is_quiet());
        }
        let mail = engine.receive(false).expect("nothing fails");
        let lost = mail.letters.iter().filter_map(|letter| {
            let Input::Report(Report::Lost { attempts, .. }) = &letter.input else { return None };
            Some(attempts[0].fence)
        });
        assert_eq!(lost.collect::<Vec<_>>(), fences);
        assert!(engine.inbox_is_quiet());
    }

    #[test]
    fn a_report_is_taken_in_before_all_that_was_asked_before_it() {
        let home = tempfile::TempDir::new().expect("a folder");
        let mut engine = engine(home.path());
        let (reply, answers) = mpsc::sync_channel(COMMANDS_MAX);
        for number in 0..COMMANDS_MAX {
            let id = CommandId(number.to_string().into());
            let ask = Ask::Cancel { run: RunId::from_random(7), task: None };
            let command = Box::new(Command { id, by: "test".into(), ask });
            let asked = Asked { command, reply: reply.clone(), seat: engine.handle.room.try_enter() };
            engine.handle.inbox.send(Message::Command(asked)).expect("it listens");
        }
        let report = Report::Lost { attempts: Vec::new(), reason: LossReason::ReportLost };
        engine.handle.inbox.send(Message::Report(report)).expect("it listens");
        let mail = engine.receive(false).expect("nothing fails");
        assert_eq!(mail.letters.len(), TURN_LETTERS_MAX);
        assert!(matches!(mail.letters[0].input, Input::Report(Report::Lost { .. })));
        assert_eq!(
            engine.handle.room.count(),
            COMMANDS_MAX - (TURN_LETTERS_MAX - 1),
            "the others still wait"
        );
        engine.turn(mail.letters).expect("it is written");
        while !engine.inbox_is_quiet() {
            let mail = engine.receive(false).expect("nothing fails");
            engine.turn(mail.letters).expect("it is written");
        }
        assert_eq!(answers.try_iter().count(), COMMANDS_MAX);
        assert_eq!(engine.handle.room.count(), 0);
    }
}
