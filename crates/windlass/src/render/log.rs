//! A line of a log, with its time and where it came from. Never: letting it steer the terminal.

use windlass_worker::log::{LogLine, Stream};

use crate::render::style::{DIM, WARNING, paint};
use crate::render::{text, time};

/// The line as it is printed.
pub(crate) fn line(line: &LogLine) -> String {
    let (style, mark) = match line.stream {
        Stream::Stdout => (DIM, "out"),
        Stream::Stderr => (WARNING, "err"),
        Stream::Windlass => (WARNING, "---"),
    };
    format!("{} {} {}", paint(DIM, &time::clock_ms(line.at)), paint(style, mark), text::plain(&line.text))
}
