//! The questions of the runs that are followed: asked at this terminal one after the other while the rest goes on.
//! Never: an answer that nobody gave.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;

use serde_json::Value;
use windlass_core::event::{ApprovalAnswer, Event, Record};
use windlass_core::id::RunId;
use windlass_core::input::{Answer, Ask, Rejection};
use windlass_engine::reading::Reading;

use crate::desk::Desk;
use crate::error::{Outcome, engine_failed};
use crate::keyboard::{Keyboard, Line};
use crate::news::News;
use crate::question::{self, Question};
use crate::render::style::{DIM, paint};
use crate::teller::Teller;
use crate::{calling, lookup, output};

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
    keyboard: Keyboard,
    /// The home, once something of it was to be shown with a question: from then on only what is new is read.
    home: Option<Reading>,
}

impl Asking {
    /// No question yet. With `yes` the engine answers all of them.
    pub(crate) fn new(yes: bool, is_json: bool, desk: &Desk) -> Self {
        let manner = match yes {
            true => Manner::Yes,
            false if !is_json && desk.is_interactive() => Manner::Here,
            false => Manner::Nowhere,
        };
        Self { manner, questions: VecDeque::new(), hears: false, keyboard: Keyboard::default(), home: None }
    }

    /// Whether questions are answered: at this terminal, or with yes.
    pub(crate) fn is_answered(&self) -> bool {
        self.manner != Manner::Nowhere
    }

    /// Whether questions are asked at this terminal.
    pub(crate) fn is_here(&self) -> bool {
        self.manner == Manner::Here
    }

    /// Takes up what is asked already.
    pub(crate) fn begin(&mut self, open: Vec<(RunId, Question)>, desk: &Desk, teller: &mut Teller) {
        if self.is_here() {
            self.questions.extend(open);
            self.put_next(None, desk, teller);
        }
    }

    /// Sees what happened: what is asked, and what was answered or has ended elsewhere.
    pub(crate) fn see(&mut self, batch: &[Record], desk: &Desk, teller: &mut Teller) {
        if !self.is_here() {
            return;
        }
        let followed: Vec<RunId> = teller.runs().collect();
        let stood = self.questions.front().map(|(_, asked)| asked.id.clone());
        for record in batch {
            if let Some((run, asked)) = Question::begun(&record.event) {
                if followed.contains(&run) && self.questions.iter().all(|(_, known)| known.id != asked.id) {
                    // Where something has changed that belongs to a question, it is asked anew.
                    self.questions.retain(|(of, known)| *of != run || known.task != asked.task);
                    self.questions.push_back((run, asked));
                }
            } else if let Event::ApprovalGiven { run, task, .. } | Event::TaskCancelled { run, task } =
                &record.event
            {
                self.questions.retain(|(of, known)| of != run || known.task != *task);
            }
        }
        self.put_next(stood.as_deref(), desk, teller);
    }

    /// Puts the question whose turn it is, unless it is the one that stands there.
    fn put_next(&mut self, stood: Option<&str>, desk: &Desk, teller: &mut Teller) {
        if self.questions.front().map(|(_, asked)| asked.id.as_str()) != stood {
            self.put(desk, teller);
        }
    }

    fn put(&mut self, desk: &Desk, teller: &mut Teller) {
        teller.take_prompt_away();
        if let Some((run, asked)) = self.questions.front() {
            let lines = shown(&mut self.home, desk, *run, asked).unwrap_or_else(|_| {
                let mut lines = asked.lines(None, &mut |_| Value::Null);
                let more = calling::command("show").with(run).with(&asked.task);
                lines.push(format!("  What belongs to it can't be read here; `{more}` has it, perhaps."));
                lines
            });
            teller.print_now(&lines);
            // Only who has seen a question answers it.
            self.keyboard.forget();
            teller.ask(in_short(&self.questions, teller), question::PROMPT);
        }
    }

    /// Takes a line as the answer to the question that stands there, if it was typed since that was put.
    pub(crate) fn word(
        &mut self,
        line: &Line,
        desk: &mut Desk,
        teller: &mut Teller,
        ask_engine: &mut AskEngine<'_>,
    ) {
        let Some((run, asked)) = self.questions.front().filter(|_| self.keyboard.is_new(line)) else {
            return;
        };
        teller.answered();
        if let Some(answer) = question::answer_of(&line.text) {
            let answered = ask_engine(desk, approval(*run, asked, answer));
            // What was not heard, or not taken in, is asked again.
            if !matches!(answered, Err(_) | Ok(Answer::Refused(Rejection::Busy))) {
                self.questions.pop_front();
            }
            say(teller, answered);
        } else {
            teller.print_now(&[question::UNCLEAR.to_owned()]);
        }
        self.put(desk, teller);
    }

    /// Nobody can answer here any more: questions stay open, and `approve` answers them.
    pub(crate) fn end(&mut self, teller: &mut Teller) {
        self.manner = Manner::Nowhere;
        self.questions.clear();
        teller.take_prompt_away();
    }

    /// Hears what is typed, once it may be an answer.
    pub(crate) fn listen(&mut self, to_news: &Sender<News>) {
        if !self.questions.is_empty() && !std::mem::replace(&mut self.hears, true) {
            self.keyboard.listen(to_news);
        }
    }
}

/// The question whose turn it is in a line, and how many wait behind it.
fn in_short(questions: &VecDeque<(RunId, Question)>, teller: &Teller) -> String {
    let Some((run, asked)) = questions.front() else { return String::new() };
    let whose = if teller.runs().count() > 1 { format!("{run} ") } else { String::new() };
    let behind = match questions.len() - 1 {
        0 => String::new(),
        1 => "1 more question waits; ".to_owned(),
        more => format!("{more} more questions wait; "),
    };
    format!("{}{whose}{}", paint(DIM, &behind), asked.in_short())
}

/// What is shown of a question, with what belongs to it.
fn shown(home: &mut Option<Reading>, desk: &Desk, run: RunId, asked: &Question) -> Outcome<Vec<String>> {
    if asked.stands_alone() {
        return Ok(asked.lines(None, &mut |_| Value::Null));
    }
    let reading: &Reading = match home {
        Some(reading) => {
            reading.catch_up(&mut |_, _| {}).map_err(|error| engine_failed(&error))?;
            reading
        }
        None => home.insert(lookup::open(desk)?),
    };
    let mut read = |digest| output::or_words(reading, digest);
    Ok(asked.lines(reading.state().run(run), &mut read))
}

fn approval(run: RunId, asked: &Question, answer: ApprovalAnswer) -> Ask {
    Ask::Approve { run, task: asked.task.clone(), approval: asked.id.clone(), answer, text: String::new() }
}

/// Says that an answer was not taken, and why.
fn say(teller: &mut Teller, answered: Outcome<Answer>) {
    match answered {
        Ok(Answer::Refused(why)) => teller.print(&[format!("The answer was not taken: {why}.")]),
        Err(failed) => {
            let said = failed.in_short().map(|(what, _)| format!("Nothing was heard of the answer: {what}."));
            teller.print(said.as_slice());
        }
        Ok(Answer::Accepted | Answer::Already) => {}
    }
}
