//! What a task does, in a line. Never: its state, or a key that stands in it.

use windlass_core::plan::secrets::masked;
use windlass_core::plan::{By, WaitFor, Work};

use crate::render::plural::count;
use crate::render::text;

/// How much of a text is shown at most, and how much is looked through for secrets that begin in that: a line may be long, and
/// made to cost time.
const SHOWN_BYTES_MAX: usize = 4 * 1024;
const LOOKED_BYTES_MAX: usize = 8 * 1024;

/// What a task does: who is asked what, or which command runs.
pub(crate) fn what(work: &Work) -> String {
    match work {
        Work::Prompt { by, prompt } => {
            format!("{}: {}", who(by), first_line(prompt.0.as_str()))
        }
        Work::Argv(words) => {
            let words: Vec<&str> = words.iter().map(|word| word.0.as_str()).collect();
            first_line(&words.join(" "))
        }
        Work::Shell(line) => first_line(line.0.as_str()),
        Work::Plan(sub) => format!("plan {}: {}", sub.file, count(sub.plan.tasks.len() as u64, "task")),
        Work::Emit { topic, .. } => format!("emits {topic}"),
        Work::Wait(WaitFor::Topic { topic, .. }) => format!("waits for {topic}"),
        Work::Wait(WaitFor::After(length)) => format!("waits {length}"),
        Work::Wait(WaitFor::At(date)) => format!("waits until {date}"),
        Work::Approval { text: asked, .. } => format!("a person: {}", text::first_line(asked.0.as_str())),
    }
}

/// The first line of a text without its secrets, and of a very long one its beginning.
fn first_line(text: &str) -> String {
    let looked_at = masked(&text[..text.floor_char_boundary(LOOKED_BYTES_MAX)]);
    let mut lines = looked_at.lines();
    let line = lines.next().unwrap_or_default();
    let shown = &line[..line.floor_char_boundary(SHOWN_BYTES_MAX)];
    let is_all = shown.len() == line.len() && lines.next().is_none() && text.len() <= LOOKED_BYTES_MAX;
    if is_all { text::plain(shown) } else { format!("{} …", text::plain(shown)) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_line_that_is_made_to_cost_time_only_the_beginning_is_looked_at() {
        let names = "TOKEN=abcdefgh ".repeat(1_000_000);
        let shown = first_line(&names);
        assert!(shown.starts_with("TOKEN=••• TOKEN=•••") && shown.ends_with(" …"), "{}", &shown[..100]);
        assert!(shown.len() <= SHOWN_BYTES_MAX + " …".len(), "{}", shown.len());
    }

    #[test]
    fn a_secret_that_the_end_of_what_is_shown_cuts_through_is_masked() {
        for before in SHOWN_BYTES_MAX - 40..SHOWN_BYTES_MAX {
            let shown = first_line(&format!("{} ghp_0123456789abcdefghij0123456789", "x".repeat(before)));
            assert!(!shown.contains("ghp_"), "{before}: {}", &shown[before..]);
        }
    }

    #[test]
    fn a_text_of_several_lines_is_shown_by_its_first() {
        assert_eq!(first_line("one\ntwo"), "one …");
        assert_eq!(first_line("one\n"), "one");
        assert_eq!(first_line("PASSWORD='two\nlines' x"), "PASSWORD='••• …");
    }
}
