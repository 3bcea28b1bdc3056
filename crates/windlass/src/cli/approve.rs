//! `windlass approve`: a person's yes or no. In a pipe it names the question by its id; on a terminal it shows what is
//! asked first. Never: an answer to something that was not seen.

use clap::Args;
use windlass_core::event::ApprovalAnswer;
use windlass_core::id::{RunId, TaskId};
use windlass_core::input::Ask;

use crate::desk::Desk;
use crate::error::{Outcome, Report};
use crate::exit::Exit;
use crate::question::{self, Question};
use crate::{calling, lookup, output, steer};

/// Answer an approval
#[derive(Args, Debug)]
pub(crate) struct Approve {
    /// The run: its id, the start of it, or `last`
    run: String,
    /// The task that asks
    task: String,
    /// The id of the question, as it was printed; in a pipe it must be given
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Say no
    #[arg(long)]
    deny: bool,
    /// A remark for the journal, and for the tasks that come after
    #[arg(long, value_name = "TEXT", default_value = "")]
    text: String,
}

impl Approve {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        steer::begin(desk);
        let (run, task) = steer::find_task(desk, &self.run, &self.task)?;
        let (approval, answer) = match self.id {
            Some(id) => (id, if self.deny { ApprovalAnswer::Denied } else { ApprovalAnswer::Approved }),
            None if desk.is_interactive() => {
                let reading = lookup::open(desk)?;
                let run = reading.state().run(run).ok_or_else(lookup::no_runs)?;
                let asked = Question::of(run.task(lookup::task(run, task.as_str())?));
                let asked = asked.ok_or_else(|| asks_nothing(Exit::Failed, run.id, &task))?;
                let mut read = |digest| output::or_words(&reading, digest);
                desk.lines(asked.lines(Some(run), &mut read))?;
                let answer = if self.deny { ApprovalAnswer::Denied } else { question::ask(desk)? };
                (asked.id, answer)
            }
            None if !asks(desk, run, &task)? => return Err(asks_nothing(Exit::Usage, run, &task).into()),
            None => {
                let show = calling::command("show").with(run).with(&task);
                let hint = format!("`{show}` shows what is asked, and the line to answer with");
                return Err(Report::usage("without a terminal an answer must name its question by --id")
                    .hint(hint)
                    .into());
            }
        };
        let word = if answer == ApprovalAnswer::Approved { "approved" } else { "denied" };
        let ask = Ask::Approve { run, task: task.clone(), approval, answer, text: self.text };
        let exit = steer::carry_out(desk, run, ask, |now| {
            format!("Task {task} of run {run} is {word}; it {}.", steer::standing(now, &task))
        })?;
        steer::say_how_to_go_on(desk, run)?;
        Ok(exit)
    }
}

/// Whether a task asks a person now.
fn asks(desk: &Desk, run: RunId, task: &TaskId) -> Outcome<bool> {
    let reading = lookup::open(desk)?;
    let run = reading.state().run(run).ok_or_else(lookup::no_runs)?;
    Ok(Question::of(run.task(lookup::task(run, task.as_str())?)).is_some())
}

fn asks_nothing(exit: Exit, run: RunId, task: &TaskId) -> Report {
    let show = calling::command("show").with(run).with(task).with("--why");
    Report::new(exit, format!("task {task} asks nothing")).hint(format!("`{show}` says what it waits for"))
}
