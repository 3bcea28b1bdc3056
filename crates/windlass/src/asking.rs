//! The questions of the runs that are followed: asked at this terminal one after the other while the rest goes on.
//! Never: an answer that nobody gave.

use std::collections::VecDeque;
use std::io::{self, BufRead as _};
use std::sync::mpsc::Sender;
use std::thread;

use windlass_core::event::{ApprovalAnswer, Event, Record};
use windlass_core::id::RunId;
use windlass_core::input::{Answer, Ask};

use crate::desk::Desk;
use crate::error::{Failed, Outcome};
use crate::news::News;
use crate::question::{self, Question};
use crate::teller::Teller;
use crate::{lookup, output};

/// A way to ask the engine that works on the runs.
pub(crate) type AskEngine<'a> = dyn FnMut(&mut Desk, Ask) -> Outcome<Answer> + 'a;

/// How questions are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// They are asked at this terminal.
    Here,
    /// The engine answers them with yes.
    Yes,
    /// They stay open.
    Nowhere,
}

/// The open questions.
pub(crate) struct Asking {
    manner: Manner,
    questions: VecDeque<(RunId, Question)>,
    /// Whether somebody reads what is typed.
    hears: bool,
}

impl Asking {
    /// No question yet. With `yes` the engine answers all of them.
    pub(crate) fn new(yes: bool, is_json: bool) -> Self {
        let manner = match yes {
            true => Manner::Yes,
            false if !is_json && Desk::is_interactive() => Manner::Here,
            false => Manner::Nowhere,
        };
        Self { manner, questions: VecDeque::new(), hears: false }
    }

    /// Whether questions are answered: at this terminal, or with yes.
    pub(crate) fn is_answered(&self) -> bool {
        self.manner != Manner::Nowhere
    }

    /// Whether questions are asked at this terminal.
    pub(crate) fn is_here(&self) -> bool {
        self.manner == Manner::Here
    }

    /// Sees what happened: questions that were answered elsewhere, and the runs that ask something new.
    pub(crate) fn see(&mut self, batch: &[Record], teller: &mut Teller) -> Vec<RunId> {
        let followed: Vec<RunId> = teller.runs().collect();
        let (mut asking, before) = (Vec::new(), self.questions.len());
        for record in batch {
            if let Event::ApprovalGiven { task, id, .. } = &record.event {
                self.questions.retain(|(_, asked)| asked.id != *id || asked.task != *task);
            }
            if let Event::ApprovalRequested { run, .. } = record.event {
                asking.extend(followed.contains(&run).then_some(run));
            }
        }
        if self.questions.len() < before && self.is_here() {
            self.put(teller);
        }
        asking
    }

    /// Takes up what these runs ask. What is shown with a question may lie in blobs: it is read from the home.
    pub(crate) fn look(&mut self, runs: &[RunId], desk: &Desk, teller: &mut Teller, to_news: &Sender<News>) {
        if runs.is_empty() || !self.is_here() {
            return;
        }
        let Ok(reading) = lookup::open(desk) else { return };
        let was_idle = self.questions.is_empty();
        for id in runs {
            let Some(run) = reading.state().run(*id) else { continue };
            let open =
                Question::all(run, &mut |digest| output::of_blob(&reading, digest).unwrap_or_default());
            for asked in open {
                if self.questions.iter().all(|(_, known)| known.id != asked.id) {
                    self.questions.push_back((*id, asked));
                }
            }
        }
        if was_idle && !self.questions.is_empty() {
            self.listen(to_news);
            self.put(teller);
        }
    }

    fn put(&self, teller: &mut Teller) {
        teller.answered();
        if let Some((_, asked)) = self.questions.front() {
            teller.print(&asked.lines());
            teller.ask(question::PROMPT);
        }
    }

    /// Takes a word that was typed as the answer to the question that stands there.
    pub(crate) fn word(
        &mut self,
        word: &str,
        desk: &mut Desk,
        teller: &mut Teller,
        ask_engine: &mut AskEngine<'_>,
    ) {
        let Some((run, asked)) = self.questions.front() else { return };
        if let Some(answer) = question::answer_of(word) {
            let ask = approval(*run, asked, answer);
            self.questions.pop_front();
            teller.answered();
            say(teller, ask_engine(desk, ask));
        }
        self.put(teller);
    }

    /// Nobody can answer here any more: questions stay open, and `approve` answers them.
    pub(crate) fn end(&mut self, teller: &mut Teller) {
        self.manner = Manner::Nowhere;
        self.questions.clear();
        teller.answered();
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
}

fn approval(run: RunId, asked: &Question, answer: ApprovalAnswer) -> Ask {
    Ask::Approve { run, task: asked.task.clone(), approval: asked.id.clone(), answer, text: String::new() }
}

/// Says that an answer was not taken, and why.
fn say(teller: &mut Teller, answered: Outcome<Answer>) {
    match answered {
        Ok(Answer::Refused(why)) => teller.print(&[format!("The answer was not taken: {why}.")]),
        Err(Failed::Report(report)) => {
            teller.print(&[format!("The answer was not taken: {}.", report.message)]);
        }
        Ok(Answer::Accepted | Answer::Already) | Err(Failed::File(_) | Failed::ClosedPipe) => {}
    }
}
