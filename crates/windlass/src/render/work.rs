//! What a task does, in a line. Never: its state, or a key that stands in it.

use windlass_core::plan::secrets::masked;
use windlass_core::plan::{By, WaitFor, Work};

use crate::render::plural::count;
use crate::render::text;

/// What a task does: who is asked what, or which command runs.
pub(crate) fn what(work: &Work) -> String {
    match work {
        Work::Prompt { by, prompt } => {
            format!("{}: {}", who(by), text::first_line(&masked(prompt.0.as_str())))
        }
        Work::Argv(words) => {
            let words: Vec<&str> = words.iter().map(|word| word.0.as_str()).collect();
            text::first_line(&masked(&words.join(" ")))
        }
        Work::Shell(line) => text::first_line(&masked(line.0.as_str())),
        Work::Plan(sub) => format!("plan {}: {}", sub.file, count(sub.plan.tasks.len() as u64, "task")),
        Work::Emit { topic, .. } => format!("emits {topic}"),
        Work::Wait(WaitFor::Topic { topic, .. }) => format!("waits for {topic}"),
        Work::Wait(WaitFor::After(length)) => format!("waits {length}"),
        Work::Wait(WaitFor::At(date)) => format!("waits until {date}"),
        Work::Approval { text: asked, .. } => format!("a person: {}", text::first_line(asked.0.as_str())),
    }
}

/// Who works on a prompt.
pub(crate) fn who(by: &By) -> String {
    match by {
        By::Pool(pool) => {
            let names: Vec<String> = pool.agents.iter().map(ToString::to_string).collect();
            names.join(" or ")
        }
        By::Expression(expression) => format!("whom {} names", text::first_line(&expression.0)),
    }
}
