//! What a person is asked: the text of an approval with the outputs that belong to it, and the answer from a terminal.
//! Never: taking anything but a clear word for a yes.

use std::io;

use serde_json::Value;
use windlass_core::event::{ApprovalAnswer, Event};
use windlass_core::id::{Digest, RunId, TaskId};
use windlass_core::state::{Run, Task};
use windlass_core::view;

use crate::desk::Desk;
use crate::error::{Outcome, Report};
use crate::exit::Exit;
use crate::render::style::{BOLD, paint};
use crate::render::text;
use crate::{calling, keyboard, output, screen};

/// How much of each output is shown.
const LINES_MAX: usize = 40;

/// An open question.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// The task that asks.
    pub(crate) task: TaskId,
    /// The id that the answer names.
    pub(crate) id: String,
    text: String,
    /// The tasks whose outputs belong to it.
    shows: Vec<TaskId>,
}

impl Question {
    /// What a task asks now, if it asks anything.
    pub(crate) fn of(task: &Task) -> Option<Self> {
        let asked = task.approval_open()?;
        let shows = asked.digests.keys().cloned().collect();
        Some(Self { task: task.id.clone(), id: asked.id.clone(), text: asked.text.clone(), shows })
    }

    /// What a task has begun to ask, and in which run.
    pub(crate) fn begun(event: &Event) -> Option<(RunId, Self)> {
        let Event::ApprovalRequested { run, task, id, text, digests, .. } = event else { return None };
        let shows = digests.keys().cloned().collect();
        Some((*run, Self { task: task.clone(), id: id.clone(), text: text.clone(), shows }))
    }

    /// All open questions of a run.
    pub(crate) fn all(run: &Run) -> Vec<Self> {
        view::in_order(run).filter_map(|ix| Self::of(run.task(ix))).collect()
    }

    /// Whether it can be shown without a look at what other tasks gave.
    pub(crate) fn stands_alone(&self) -> bool {
        self.shows.is_empty()
    }

    /// In a line, above the prompt: who asks what.
    pub(crate) fn in_short(&self) -> String {
        format!("{} asks: {}", paint(BOLD, self.task.as_str()), text::first_line(&self.text))
    }

    /// What is shown before the answer; `run` is none where nothing of it is needed.
    pub(crate) fn lines(&self, run: Option<&Run>, read: &mut dyn FnMut(Digest) -> Value) -> Vec<String> {
        let mut lines = vec![format!("{} asks:", paint(BOLD, self.task.as_str()))];
        let columns = screen::width_of_lists();
        let asked = self.text.lines().map(|line| format!("  {}", text::plain(line)));
        lines.extend(asked.flat_map(|line| text::wrap_words(&line, columns)));
        for task in &self.shows {
            let Some((run, ix)) = run.and_then(|run| Some((run, *run.names.get(task)?))) else { continue };
            lines.push(format!("{} gave:", paint(BOLD, task.as_str())));
            let whole = output::for_people(&view::output(run, run.task(ix), read));
            lines.extend(whole.lines().take(LINES_MAX).map(|line| format!("  {}", text::plain(line))));
            let more = whole.lines().count().saturating_sub(LINES_MAX);
            if more > 0 {
                let all = calling::command("show").with(run.id).with(task);
                lines.push(format!("  … {more} more lines: `{all}` has them all"));
            }
        }
        lines
    }
}

/// What stands before the cursor.
pub(crate) const PROMPT: &str = "approve? [y]es, [n]o: ";

/// What is said of a word that gives none.
pub(crate) const UNCLEAR: &str = "That is no answer: `y` or `yes` approves, `n` or `no` denies.";

/// The answer that a word gives.
pub(crate) fn answer_of(word: &str) -> Option<ApprovalAnswer> {
    match word.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Some(ApprovalAnswer::Approved),
        "n" | "no" => Some(ApprovalAnswer::Denied),
        _ => None,
    }
}

/// Asks on the terminal until there is an answer.
pub(crate) fn ask(desk: &mut Desk) -> Outcome<ApprovalAnswer> {
    loop {
        desk.flush()?;
        // Only who has seen a question answers it.
        keyboard::forget_unread();
        desk.prompt(PROMPT)?;
        let mut word = String::new();
        let length = io::stdin().read_line(&mut word);
        if !length.is_ok_and(|length| length > 0) {
            return Err(Report::new(Exit::Failed, "there was no answer").into());
        }
        if let Some(answer) = answer_of(&word) {
            return Ok(answer);
        }
        desk.note(UNCLEAR);
    }
}
