//! Following runs until they rest: in an engine of this process, or in that of another. Signals, questions and the
//! display meet here. Never: deciding when a run rests (its state says so).

use std::collections::VecDeque;
use std::io::{self, BufRead as _};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use windlass_core::event::{ApprovalAnswer, Event, Record};
use windlass_core::id::{RunId, Seq};
use windlass_core::input::{Answer, Ask};
use windlass_core::machine::run::Phase;
use windlass_core::state::State;
use windlass_engine::clock;
use windlass_engine::error::EngineError;
use windlass_engine::reading::Reading;

use crate::desk::Desk;
use crate::error::{Failed, Outcome, Report, engine_failed};
use crate::exit::Exit;
use crate::host::Host;
use crate::news::News;
use crate::progress::Progress;
use crate::question::{self, Question};
use crate::teller::Teller;
use crate::{closing, lookup, output, signals, steer};

/// How often the display is drawn anew.
const FRAME: Duration = Duration::from_millis(250);
/// How long nothing may happen in another's engine before it is looked whether it is alive.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A way to ask the engine that works on the runs.
pub(crate) type AskEngine<'a> = dyn FnMut(&mut Desk, Ask) -> Outcome<Answer> + 'a;

/// Runs that are followed on this terminal.
pub(crate) struct Following {
    teller: Teller,
    /// Questions are answered with yes.
    yes: bool,
    /// Questions are asked here.
    interactive: bool,
    questions: VecDeque<(RunId, Question)>,
    hears: bool,
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
    pub(crate) fn new(teller: Teller, yes: bool) -> Self {
        let interactive = !yes && !teller.is_json() && Desk::is_interactive();
        Self { teller, yes, interactive, questions: VecDeque::new(), hears: false }
    }

    /// Whether questions are asked on this terminal.
    pub(crate) fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Follows these runs in an engine of this process until it ends.
    pub(crate) fn host(mut self, desk: &mut Desk, host: &Host, runs: &[RunId]) -> Outcome {
        signals::forward(host.to_news.clone())
            .map_err(|error| Report::environment("signals can't be caught").cause(error.to_string()))?;
        let wanted = runs.to_vec();
        let begun = host.handle.query(move |state| begun(state, &wanted)).unwrap_or_default();
        for (run, progress, goal) in begun {
            self.teller.follow(run, progress, &goal);
        }
        self.look_for_questions(runs, desk, &host.to_news);
        self.answer_all(desk, &mut |_, ask| host.submit(ask, "cli --yes"));
        host.open_door();
        let mut signalled = None;
        let end = loop {
            match host.news.recv_timeout(FRAME) {
                Ok(News::Records(batch)) => {
                    self.hear(&batch, desk, &host.to_news);
                    self.answer_all(desk, &mut |_, ask| host.submit(ask, "cli --yes"));
                    self.say_what_goes_on(&batch, desk, host);
                }
                Ok(News::Signal(signal)) => {
                    let at_once = signalled.is_some();
                    signalled.get_or_insert(signal);
                    self.say_that_it_ends(desk, at_once);
                    // Where the engine has ended meanwhile there is nothing to stop.
                    drop(host.submit(Ask::Drain { at_once }, "signal"));
                }
                Ok(News::Word(Some(word))) => {
                    self.word(&word, desk, &mut |_, ask| host.submit(ask, "cli"));
                }
                Ok(News::Word(None)) => {
                    self.ask_no_more();
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
        signals::forward(to_news.clone())
            .map_err(|error| Report::environment("signals can't be caught").cause(error.to_string()))?;
        let mut reading = lookup::open(desk)?;
        let begun = begun(reading.state(), &[run]);
        for (run, progress, goal) in begun {
            self.teller.follow(run, progress, &goal);
        }
        if whole {
            self.tell_the_past(&mut reading, run)?;
        }
        self.look_for_questions(&[run], desk, &to_news);
        self.answer_all(desk, &mut steer::send);
        watch(reading, run, self.interactive, to_news.clone())?;
        let end = self.attend(desk, &news, &to_news);
        self.conclude(desk, &[run], &end)
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
                Ok(News::Records(batch)) => {
                    self.hear(&batch, desk, to_news);
                    self.answer_all(desk, &mut steer::send);
                }
                Ok(News::Signal(signal)) => return End::Signal(signal),
                Ok(News::Word(Some(word))) => self.word(&word, desk, &mut steer::send),
                Ok(News::Word(None)) => self.ask_no_more(),
                Ok(News::Rest | News::Ended(Ok(()))) | Err(RecvTimeoutError::Disconnected) => {
                    return End::Rest;
                }
                Ok(News::Ended(Err(error))) => return End::Broken(error),
                Err(RecvTimeoutError::Timeout) => self.teller.tick(clock::now()),
            }
        }
    }

    /// Tells what happened, and takes up the questions in it.
    fn hear(&mut self, batch: &Arc<[Record]>, desk: &Desk, to_news: &Sender<News>) {
        self.teller.tell(batch.iter());
        let followed: Vec<RunId> = self.teller.runs().collect();
        let mut asking = Vec::new();
        for record in batch.iter() {
            if let Event::ApprovalGiven { task, id, .. } = &record.event {
                self.questions.retain(|(_, asked)| asked.id != *id || asked.task != *task);
            }
            if let Event::ApprovalRequested { run, .. } = record.event {
                asking.extend(followed.contains(&run).then_some(run));
            }
        }
        self.look_for_questions(&asking, desk, to_news);
    }

    /// Takes up what these runs ask. What is shown with a question may lie in blobs: it is read from the home.
    fn look_for_questions(&mut self, runs: &[RunId], desk: &Desk, to_news: &Sender<News>) {
        if runs.is_empty() || !(self.interactive || self.yes) {
            return;
        }
        let Ok(reading) = lookup::open(desk) else { return };
        for id in runs {
            let Some(run) = reading.state().run(*id) else { continue };
            let open =
                Question::all(run, &mut |digest| output::of_blob(&reading, digest).unwrap_or_default());
            self.take_questions(*id, open, to_news);
        }
    }

    fn take_questions(&mut self, run: RunId, open: Vec<Question>, to_news: &Sender<News>) {
        let known = |asked: &Question| self.questions.iter().any(|(_, known)| known.id == asked.id);
        let fresh: Vec<Question> = open.into_iter().filter(|asked| !known(asked)).collect();
        let was_idle = self.questions.is_empty();
        self.questions.extend(fresh.into_iter().map(|asked| (run, asked)));
        if self.interactive && was_idle && !self.questions.is_empty() {
            self.listen(to_news);
            self.put_question();
        }
    }

    fn put_question(&mut self) {
        match self.questions.front() {
            Some((_, asked)) => {
                let lines = asked.lines();
                self.teller.answered();
                self.teller.print(&lines);
                self.teller.ask(question::PROMPT);
            }
            None => self.teller.answered(),
        }
    }

    /// Takes a word that was typed as the answer to the question that stands there.
    fn word(&mut self, word: &str, desk: &mut Desk, ask_engine: &mut AskEngine<'_>) {
        let Some((run, asked)) = self.questions.front() else { return };
        if let Some(answer) = question::answer_of(word) {
            let ask = approval(*run, asked, answer);
            self.questions.pop_front();
            self.teller.answered();
            self.say_answer(ask_engine(desk, ask));
        }
        self.put_question();
    }

    /// Nobody can answer here any more: questions stay open, and `approve` answers them.
    fn ask_no_more(&mut self) {
        self.interactive = false;
        self.questions.clear();
        self.teller.answered();
    }

    /// Answers all questions with yes, where that was wished.
    fn answer_all(&mut self, desk: &mut Desk, ask_engine: &mut AskEngine<'_>) {
        while self.yes
            && let Some((run, asked)) = self.questions.pop_front()
        {
            self.say_answer(ask_engine(desk, approval(run, &asked, ApprovalAnswer::Approved)));
        }
    }

    fn say_answer(&mut self, answered: Outcome<Answer>) {
        match answered {
            Ok(Answer::Refused(why)) => self.teller.print(&[format!("The answer was not taken: {why}.")]),
            Err(Failed::Report(report)) => {
                self.teller.print(&[format!("The answer was not taken: {}.", report.message)]);
            }
            Ok(Answer::Accepted | Answer::Already) | Err(Failed::File(_) | Failed::ClosedPipe) => {}
        }
    }

    /// Reads what is typed, on a thread of its own: a line may come at any time, or never.
    fn listen(&mut self, to_news: &Sender<News>) {
        if std::mem::replace(&mut self.hears, true) {
            return;
        }
        let to_news = to_news.clone();
        let hearing = move || {
            for line in io::stdin().lock().lines() {
                let Ok(line) = line else { break };
                if to_news.send(News::Word(Some(line))).is_err() {
                    return;
                }
            }
            to_news.send(News::Word(None)).unwrap_or_default();
        };
        // Without a thread nobody is asked here; `approve` answers from elsewhere.
        drop(thread::Builder::new().name("stdin".into()).spawn(hearing));
    }

    fn say_that_it_ends(&mut self, desk: &mut Desk, at_once: bool) {
        self.teller.clear();
        if at_once {
            desk.note("Stopping at once.");
        } else {
            desk.note(
                "Stopping: nothing new starts, what runs is asked to end. Again (Ctrl-C) stops it at once.",
            );
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
            let busy: Vec<RunId> = crate::host::hosted(state).filter(is_busy).map(|run| run.id).collect();
            if busy.iter().any(|run| own.contains(run)) { Vec::new() } else { busy }
        });
        let others = asked.unwrap_or_default();
        if !others.is_empty() {
            let names: Vec<String> = others.iter().map(RunId::to_string).collect();
            let names = crate::render::plural::list(&names);
            self.teller.clear();
            desk.note(&format!("This engine goes on for {names}, which others handed to it."));
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
        let mut exit = Exit::Done;
        for run in runs.iter().filter_map(|id| state.run(*id)) {
            if self.teller.is_json() {
                for step in closing::next_steps(run, alive) {
                    desk.note(&step);
                }
            } else if !(alive && matches!(end, End::Signal(_))) {
                self.teller.print_last(&closing::lines(state, run, alive, &desk.place.home));
            } else {
                desk.note(&format!("Run {} goes on; `windlass show {}` looks at it.", run.id, run.id));
            }
            exit = worse(exit, closing::exit_of(run));
        }
        Ok(if let End::Signal(signal) = end { signals::exit_after(*signal) } else { exit })
    }
}

/// How far the runs are that are followed from here on, and what they are for.
fn begun(state: &State, runs: &[RunId]) -> Vec<(RunId, Progress, String)> {
    let runs = runs.iter().filter_map(|id| state.run(*id));
    runs.map(|run| (run.id, Progress::of(run, clock::now()), run.plan.goal.clone())).collect()
}

fn approval(run: RunId, asked: &Question, answer: ApprovalAnswer) -> Ask {
    Ask::Approve { run, task: asked.task.clone(), approval: asked.id.clone(), answer, text: String::new() }
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
fn rests(state: &State, run: RunId, asks_here: bool) -> bool {
    state.run(run).is_none_or(|run| run.phase != Phase::Running || (run.waits_for_people() && !asks_here))
}

/// Reads the journal on a thread of its own, and passes on what happens in a run until it rests or its engine is gone.
fn watch(mut reading: Reading, run: RunId, asks_here: bool, to_news: Sender<News>) -> Outcome<()> {
    let watching = move || {
        let to_user = to_news.clone();
        let mut each = |record: &Record, _: &State| {
            let is_its = record.event.run() == Some(run);
            let sent = !is_its || to_user.send(News::Records(Arc::new([record.clone()]))).is_ok();
            if sent { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let mut idle = |state: &State, alive: bool| {
            if !alive || rests(state, run, asks_here) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let news = match reading.follow(LOOK_EVERY, &mut each, &mut idle) {
            Ok(()) => News::Rest,
            Err(error) => News::Ended(Err(error)),
        };
        to_news.send(news).unwrap_or_default();
    };
    let started = thread::Builder::new().name("watch".into()).spawn(watching);
    started.map_err(|error| Report::environment("no thread could be had").cause(error.to_string()))?;
    Ok(())
}
