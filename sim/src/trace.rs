//! What happened in a world, in lines for people. Never: anything that changes what happens.

use windlass_core::event::Record;
use windlass_core::input::{Answer, Input};
use windlass_core::time::Time;
use windlass_journal::record::wire_line;

/// The lines, if anybody wants them.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    lines: Option<Vec<String>>,
}

impl Trace {
    /// A trace that keeps its lines.
    pub fn kept() -> Self {
        Self { lines: Some(Vec::new()) }
    }

    /// The lines.
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }

    pub(crate) fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("      {}", line()));
        }
    }

    pub(crate) fn turn(&mut self, step: u32, now: Time, letters: &[(Input, Option<u64>)]) {
        let Some(lines) = &mut self.lines else { return };
        lines.push(format!("{step:>4}  {now}"));
        lines.extend(letters.iter().map(|(input, _)| format!("      <- {}", outline(input))));
    }

    pub(crate) fn record(&mut self, record: &Record) {
        self.say(|| wire_line(record));
    }

    pub(crate) fn answer(&mut self, reply: u64, answer: &Answer) {
        self.say(|| format!("answer to {reply}: {answer:?}"));
    }
}

/// An input in a line.
fn outline(input: &Input) -> String {
    let text = match input {
        Input::Command(command) => format!("{} {:?}", command.id.0, command.ask),
        Input::Report(report) => format!("{report:?}"),
    };
    let mut end = 240.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
