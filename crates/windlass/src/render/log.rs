//! A line of a log, with its time and where it came from. Never: letting it steer the terminal.

use windlass_worker::log::{LogLine, Stream};

use crate::render::style::{DIM, WARNING, paint};
use crate::render::{text, time};

/// The line as it is printed.
pub(crate) fn line(line: &LogLine) -> String {
    in_parts(line, &text::plain(&line.text()))
}

/// The same, cut to so many columns.
pub(crate) fn line_within(line: &LogLine, columns: usize) -> String {
    let before = time::clock_ms(line.at).len() + " out ".len();
    in_parts(line, &text::fit(&text::plain(&line.text()), columns.saturating_sub(before)))
}

fn in_parts(line: &LogLine, said: &str) -> String {
    let (style, mark) = match line.stream {
        Stream::Stdout => (DIM, "out"),
        Stream::Stderr => (WARNING, "err"),
        Stream::Windlass => (WARNING, "---"),
    };
    format!("{} {} {said}", paint(DIM, &time::clock_ms(line.at)), paint(style, mark))
}
