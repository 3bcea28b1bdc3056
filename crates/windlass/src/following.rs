//! Following runs until they rest: in an engine of this process, or in that of another. Signals, questions and the
//! display meet here. Never: deciding when a run rests (its state says so).

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use windlass_core::event::{Event, Record};
use windlass_core::id::{RunId, Seq};
use windlass_core::input::Ask;
use windlass_core::machine::run::Phase;
use windlass_core::state::{Run, State};
use windlass_engine::clock;
use windlass_engine::error::EngineError;
use windlass_engine::reading::{Heard, Reading};

use crate::asking::{AskEngine, Asking};
use crate::desk::Desk;
use crate::door::{hosted, rests_for_people};
use crate::error::{Outcome, Report, engine_failed};
use crate::exit::Exit;
use crate::host::Host;
use crate::keyboard::Line;
use crate::news::{News, Telling};
use crate::part::{self, Part};
use crate::progress::Progress;
use crate::question::Question;
use crate::teller::Teller;
use crate::{calling, closing, lookup, reaching, signals, steer};

/// How often the display is drawn anew.
const FRAME: Duration = Duration::from_millis(250);
/// How long nothing may happen in another's engine before it is looked whether it is alive.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Runs that are followed on this terminal.
pub(crate) struct Following {
    teller: Teller,
    asking: Asking,
    /// What the runs came to was said already.
    summed_up: bool,
}

/// How following ended.
enum End {
    /// The runs rest, or their engine has ended.
    Rest,
    /// A signal.
    Signal(i32),
    /// The engine failed.
    Broken(EngineError),
}

impl Following {
    /// Follows nothing yet.
    pub(crate) fn new(json: bool, yes: bool, desk: &Desk) -> Self {
        let teller = Teller::new(json, desk);
        let asking = Asking::new(yes, json, desk);
        Self { teller, asking, summed_up: false }
    }

    /// Whether questions are asked on this terminal.
    pub(crate) fn is_interactive(&self) -> bool {
        self.asking.is_here()
    }

    /// Follows these runs in an engine of this process until it ends.
    pub(crate) fn host(mut self, desk: &mut Desk, host: &Host, runs: &[RunId]) -> Outcome {
        let wanted = runs.to_vec();
        let begun = host.handle.query(move |state| begun(state, &wanted)).unwrap_or_default();
        let questions = self.follow(begun);
        self.asking.begin(questions, desk, &mut self.teller);
        self.asking.listen(&host.to_news);
        host.open_door();
        let (mut signalled, mut signals_seen) = (None, 0);
        let end = loop {
            match host.news.recv_timeout(FRAME) {
                Ok(News::Records(batch, _place)) => {
                    self.hear(&batch, desk, &host.to_news);
                    self.say_what_goes_on(&batch, desk, host);
                }
                Ok(News::Signal(signal)) => {
                    signals_seen += 1;
                    signalled.get_or_insert(signal);
                    self.asking.end(&mut self.teller);
                    self.say_that_it_ends(desk, signals_seen > 1);
                }
                Ok(News::Word(Some(line))) => {
                    self.word(&line, desk, &mut |_, ask| host.submit(ask, "cli"));
                }
                Ok(News::Word(None)) => {
                    self.asking.end(&mut self.teller);
                    host.ask_nowhere();
                }
                Ok(News::Ended(Ok(()))) => break signalled.map_or(End::Rest, End::Signal),
                Ok(News::Ended(Err(error))) => break End::Broken(error),
                Ok(News::Rest) | Err(RecvTimeoutError::Timeout) => self.teller.tick(clock::now()),
                Err(RecvTimeoutError::Disconnected) => break End::Rest,
            }
        };
        self.conclude(desk, runs, &end)
    }

    /// Follows a run in the engine of another process until it rests. A signal only detaches.
    /// `whole` is whether what happened before is told, too.
    pub(crate) fn guest(mut self, desk: &mut Desk, run: RunId, whole: bool) -> Outcome {
        let (to_news, news) = mpsc::channel();
        signals::detach(to_news.clone());
        let mut reading = lookup::open(desk)?;
        let questions = self.follow(begun(reading.state(), &[run]));
        if whole {
            self.tell_the_past(&mut reading, run)?;
        }
        self.asking.begin(questions, desk, &mut self.teller);
        self.asking.listen(&to_news);
        let is_answered = self.asking.is_answered();
        let is_told = move |record: &Record| record.event.run() == Some(run);
        watch(reading, is_told, move |state| rests(state, run, is_answered), to_news.clone())?;
        let end = self.attend(desk, &news, &to_news);
        self.conclude(desk, &[run], &end)
    }

    /// Follows a part of a run in the engine of another process to its end: a plan that a task started, for that task.
    /// What ends the wait ends that part.
    pub(crate) fn part(mut self, desk: &mut Desk, part: &Arc<Part>) -> Outcome {
        let run = part.run;
        let (to_news, news) = mpsc::channel();
        signals::detach(to_news.clone());
        let mut reading = lookup::open(desk)?;
        let Some(found) = reading.state().run(run) else { return Err(lookup::taken_away(desk, run).into()) };
        let Some(begun) = found.names.get(&part.task).map(|ix| found.task(*ix)) else {
            return Err(reaching::out_of_place());
        };
        let goal = format!("{} {}", part.task, found.plan_of(begun).goal);
        let started = found.brought(begun).map(|brought| brought.at);
        let progress = Progress::of(reading.state(), found, clock::now());
        self.teller.follow(run, progress, &goal);
        let told = reading.records(started.unwrap_or_default(), &mut |record| {
            if part.is_told(record) {
                self.teller.tell([record]);
            }
            ControlFlow::Continue(())
        });
        told.map_err(|error| engine_failed(&error))?;
        let (of_part, at_rest) = (Arc::clone(part), Arc::clone(part));
        let is_told = move |record: &Record| of_part.is_told(record);
        watch(reading, is_told, move |state| at_rest.rests(state), to_news.clone())?;
        let mut end = self.attend(desk, &news, &to_news);
        if let End::Signal(_) = end {
            // Where its engine is gone, or ends it already, there is nothing more to ask for.
            let ask = Ask::Cancel { run, task: Some(part.task.clone()) };
            if steer::send(desk, ask).is_ok()
                && let End::Broken(error) = self.attend(desk, &news, &to_news)
            {
                end = End::Broken(error);
            }
        }
        self.conclude_part(desk, part, &end)
    }

    /// Says what a part of a run came to, and gives the exit code.
    fn conclude_part(mut self, desk: &mut Desk, part: &Part, end: &End) -> Outcome {
        self.teller.clear();
        if let End::Broken(error) = end {
            return Err(engine_failed(error).into());
        }
        let reading = lookup::open(desk)?;
        let found = reading.state().run(part.run);
        let of_it = |run: &'_ Run| run.names.get(&part.task).copied();
        let Some((run, ix)) = found.and_then(|run| Some((run, of_it(run)?))) else {
            return Err(lookup::taken_away(desk, part.run).into());
        };
        let task = run.task(ix);
        if self.teller.is_json() {
            let line = self.teller.newest().and_then(|newest| part.last_line(run, task, newest));
            self.teller.print(&line.into_iter().collect::<Vec<_>>());
        } else {
            self.teller.print_last(&part::lines(run, task));
        }
        let exit = part::exit_of(run, task);
        Ok(if let End::Signal(signal) = end { signals::exit_after(*signal) } else { exit })
    }

    /// Follows runs from here on. Gives what they ask.
    fn follow(&mut self, begun: Vec<Begun>) -> Vec<(RunId, Question)> {
        let mut questions = Vec::new();
        for Begun { run, progress, goal, asks } in begun {
            self.teller.follow(run, progress, &goal);
            questions.extend(asks.into_iter().map(|asked| (run, asked)));
        }
        questions
    }

    fn tell_the_past(&mut self, reading: &mut Reading, run: RunId) -> Outcome<()> {
        let created = reading.state().run(run).map_or(Seq(0), |run| run.created.0);
        let before = Seq(created.0.saturating_sub(1));
        let told = reading.records(before, &mut |record| {
            self.teller.tell([record]);
            ControlFlow::Continue(())
        });
        told.map_err(|error| engine_failed(&error).into())
    }

    fn attend(&mut self, desk: &mut Desk, news: &Receiver<News>, to_news: &Sender<News>) -> End {
        loop {
            match news.recv_timeout(FRAME) {
                Ok(News::Records(batch, _place)) => self.hear(&batch, desk, to_news),
                Ok(News::Signal(signal)) => {
                    self.asking.end(&mut self.teller);
                    return End::Signal(signal);
                }
                Ok(News::Word(Some(line))) => self.word(&line, desk, &mut steer::send),
                Ok(News::Word(None)) => self.asking.end(&mut self.teller),
                Ok(News::Rest | News::Ended(Ok(()))) | Err(RecvTimeoutError::Disconnected) => {
                    return End::Rest;
                }
                Ok(News::Ended(Err(error))) => return End::Broken(error),
                Err(RecvTimeoutError::Timeout) => self.teller.tick(clock::now()),
            }
        }
    }

    /// Tells what happened, and takes up the questions in it.
    fn hear(&mut self, batch: &[Record], desk: &Desk, to_news: &Sender<News>) {
        self.teller.tell(batch);
        self.asking.see(batch, desk, &mut self.teller);
        self.asking.listen(to_news);
    }

    fn word(&mut self, line: &Line, desk: &mut Desk, ask_engine: &mut AskEngine<'_>) {
        self.asking.word(line, desk, &mut self.teller, ask_engine);
    }

    fn say_that_it_ends(&mut self, desk: &mut Desk, at_once: bool) {
        self.teller.clear();
        if at_once {
            desk.note("Stopping at once.");
        } else {
            desk.note("Stopping: what runs is asked to end. Ctrl-C again stops it at once.");
        }
    }

    /// Says which runs of others keep this process alive once its own are over.
    fn say_what_goes_on(&mut self, batch: &[Record], desk: &mut Desk, host: &Host) {
        let own: Vec<RunId> = self.teller.runs().collect();
        let ends =
            |record: &Record| matches!(record.event, Event::RunFinished { .. } | Event::RunPaused { .. });
        if !batch
            .iter()
            .any(|record| ends(record) && record.event.run().is_some_and(|run| own.contains(&run)))
        {
            return;
        }
        let asked = host.handle.query(move |state| {
            let is_busy =
                |run: &&windlass_core::state::Run| run.phase == Phase::Running && !run.waits_for_people();
            let busy: Vec<RunId> = hosted(state).filter(is_busy).map(|run| run.id).collect();
            if busy.iter().any(|run| own.contains(run)) { Vec::new() } else { busy }
        });
        let others = asked.unwrap_or_default();
        if !others.is_empty() {
            let runs: Vec<RunId> = self.teller.runs().collect();
            self.teller.clear();
            // What can't be read now is said at the end.
            if let Ok(reading) = lookup::open(desk) {
                self.sum_up(desk, &reading, &runs, true);
                self.summed_up = true;
            }
            let names: Vec<String> = others.iter().map(RunId::to_string).collect();
            let names = crate::render::plural::list(&names);
            desk.note(&format!("This engine goes on for {names}, which others handed to it."));
        }
    }

    /// Says what the runs came to.
    fn sum_up(&mut self, desk: &mut Desk, reading: &Reading, runs: &[RunId], alive: bool) {
        let state = reading.state();
        for run in runs.iter().filter_map(|id| state.run(*id)) {
            if self.teller.is_json() {
                for step in closing::next_steps(state, run, alive) {
                    desk.note(&step);
                }
            } else {
                self.teller.print_last(&closing::lines(state, run, alive, &desk.place.home));
            }
        }
    }

    /// Says what the runs came to, and gives the exit code.
    fn conclude(mut self, desk: &mut Desk, runs: &[RunId], end: &End) -> Outcome {
        self.teller.clear();
        if let End::Broken(error) = end {
            return Err(engine_failed(error).into());
        }
        let reading = lookup::open(desk)?;
        let alive = reading.is_live().map_err(|error| engine_failed(&error))?;
        let state = reading.state();
        let followed = runs.iter().filter_map(|id| state.run(*id));
        let exit = followed.map(closing::exit_of).fold(Exit::Done, worse);
        if alive && matches!(end, End::Signal(_)) {
            for run in runs {
                let look = calling::command("show").with(run);
                desk.note(&format!("Run {run} goes on; `{look}` looks at it."));
            }
        } else if !self.summed_up {
            self.sum_up(desk, &reading, runs, alive);
        }
        if let Some(gone) = runs.iter().find(|id| state.run(**id).is_none()) {
            return Err(lookup::taken_away(desk, *gone).into());
        }
        Ok(if let End::Signal(signal) = end { signals::exit_after(*signal) } else { exit })
    }
}

/// A run that is followed from here on: how far it is, what it is for, and what it asks.
struct Begun {
    run: RunId,
    progress: Progress,
    goal: String,
    asks: Vec<Question>,
}

fn begun(state: &State, runs: &[RunId]) -> Vec<Begun> {
    let runs = runs.iter().filter_map(|id| state.run(*id));
    runs.map(|run| Begun {
        run: run.id,
        progress: Progress::of(state, run, clock::now()),
        goal: run.plan.goal.clone(),
        asks: Question::all(run),
    })
    .collect()
}

/// Of two codes the one that says more.
fn worse(one: Exit, other: Exit) -> Exit {
    let rank = |exit: Exit| match exit {
        Exit::Done => 0,
        Exit::Failed => 1,
        Exit::Paused => 2,
        Exit::Usage | Exit::Environment | Exit::Bug => 3,
        Exit::HungUp | Exit::Interrupted | Exit::Terminated => 4,
    };
    if rank(other) > rank(one) { other } else { one }
}

/// Whether a run has come to a rest for those who follow it.
fn rests(state: &State, run: RunId, is_answered: bool) -> bool {
    state.run(run).is_none_or(|run| {
        run.phase == Phase::Finished || run.has_paused() || rests_for_people(run, is_answered)
    })
}

/// Reads the journal on a thread of its own, and passes on what is told until it rests or its engine is gone.
fn watch(
    mut reading: Reading,
    is_told: impl Fn(&Record) -> bool + Send + 'static,
    rests: impl Fn(&State) -> bool + Send + 'static,
    to_news: Sender<News>,
) -> Outcome<()> {
    let watching = move || {
        let telling = Telling::to(to_news);
        let followed = reading.follow(LOOK_EVERY, &mut |heard, state| match heard {
            Heard::Record(record) if is_told(record) => telling.tell([record.clone()].into()),
            Heard::Record(_) => ControlFlow::Continue(()),
            Heard::NoMore { is_live } if is_live && !rests(state) => ControlFlow::Continue(()),
            Heard::NoMore { .. } => ControlFlow::Break(()),
        });
        telling.end(match followed {
            Ok(()) => News::Rest,
            Err(error) => News::Ended(Err(error)),
        });
    };
    let started = thread::Builder::new().name("watch".into()).spawn(watching);
    started.map_err(|error| Report::environment("no thread could be had").system(&error))?;
    Ok(())
}
