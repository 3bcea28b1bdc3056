//! A line of a log, with its time and where it came from. Never: letting it steer the terminal.

use windlass_core::time::Time;
use windlass_worker::log::{LogLine, Stream};

use crate::render::style::{DIM, WARNING, paint};
use crate::render::{text, time};

/// What stands before lines: those of one moment share it, and a log of millions has thousands of moments.
#[derive(Debug, Default)]
pub(crate) struct Before {
    of: Option<(Time, Stream)>,
    text: String,
}

impl Before {
    /// When the line was read and where it came from, in colours or without.
    pub(crate) fn line(&mut self, line: &LogLine, is_coloured: bool) -> &str {
        let of = (line.at, line.stream);
        if self.of.replace(of) != Some(of) {
            let (style, mark) = mark(line.stream);
            let at = time::clock_ms(line.at);
            self.text = if is_coloured {
                format!("{} {} ", paint(DIM, &at), paint(style, mark))
            } else {
                format!("{at} {mark} ")
            };
        }
        &self.text
    }
}

/// What is printed before a piece of a line: that it goes on, where something else came between.
pub(crate) const fn begin(line: &LogLine) -> &'static str {
    if line.continues { "…" } else { "" }
}

/// The line, cut to so many columns.
pub(crate) fn line_within(line: &LogLine, columns: usize) -> String {
    let before = time::clock_ms(line.at).len() + " out ".len();
    let said = format!("{}{}", begin(line), text::plain(&line.text()));
    let said = text::fit(&said, columns.saturating_sub(before));
    format!("{}{said}", Before::default().line(line, true))
}

const fn mark(stream: Stream) -> (anstyle::Style, &'static str) {
    match stream {
        Stream::Stdout => (DIM, "out"),
        Stream::Stderr => (WARNING, "err"),
        Stream::Windlass => (WARNING, "---"),
    }
}
