//! What every command works with: where it is, its surroundings, and where it prints. Data goes to standard output,
//! all else to standard error. Never: colours or frames where nobody looks.

use std::io::{self, IsTerminal, Write};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use serde::Serialize;

use crate::error::{Outcome, Report, print_failed};
use crate::home::Place;
use crate::opening::OWNERS;
use crate::printing::print;
use crate::render::style::{HINT, WARNING, paint};
use crate::render::text::{plain, wrap_words};
use crate::screen;
use crate::surroundings::Surroundings;

/// How much data is kept before it is written, in bytes.
const PENDING_MAX: usize = 32 * 1024;

/// A command's desk.
pub(crate) struct Desk {
    pub(crate) place: Place,
    pub(crate) surroundings: Surroundings,
    /// What is to go to standard output with the next write: a line is none by itself.
    pending: Vec<u8>,
    is_plain: bool,
    err: AutoStream<io::Stderr>,
}

impl Desk {
    /// A desk over the standard streams.
    pub(crate) fn new(place: Place, surroundings: Surroundings) -> Self {
        let is_plain = AutoStream::choice(&io::stdout()) == ColorChoice::Never;
        Self { place, surroundings, pending: Vec::new(), is_plain, err: anstream::stderr() }
    }

    /// Prints a line of data. A reader that is gone ends the command quietly.
    pub(crate) fn line(&mut self, line: &str) -> Outcome<()> {
        self.add(line);
        self.bytes(b"\n")
    }

    /// Prints lines of data.
    pub(crate) fn lines<T: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = T>) -> Outcome<()> {
        lines.into_iter().try_for_each(|line| self.line(line.as_ref()))
    }

    /// Prints one JSON document.
    pub(crate) fn json(&mut self, document: &impl Serialize) -> Outcome<()> {
        let text = serde_json::to_string(document);
        let text = text.map_err(|error| Report::of(crate::exit::Exit::Bug, &error))?;
        // As it is: there are no colours in it, and to look for them takes longer than to write it.
        self.bytes(text.as_bytes())?;
        self.bytes(b"\n")
    }

    /// Prints what stands before the cursor.
    pub(crate) fn prompt(&mut self, prompt: &str) -> Outcome<()> {
        self.add(prompt);
        self.flush()
    }

    /// Whether colours are shown.
    pub(crate) fn is_coloured(&self) -> bool {
        !self.is_plain
    }

    /// Prints bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() < PENDING_MAX { Ok(()) } else { self.flush() }
    }

    /// Adds a text to what is pending, without its colours where nobody looks.
    fn add(&mut self, text: &str) {
        if self.is_plain {
            strip_str(text).for_each(|part| self.pending.extend_from_slice(part.as_bytes()));
        } else {
            self.pending.extend_from_slice(text.as_bytes());
        }
    }

    /// Sees to it that what was printed is out.
    pub(crate) fn flush(&mut self) -> Outcome<()> {
        // What others print on standard output, as what tells of runs does, is theirs to see through.
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let mut out = io::stdout();
        print(|| out.write_all(&pending).and_then(|()| out.flush())).map_err(|error| print_failed(&error))
    }

    /// Says something beside the data. That nobody can hear it is no failure.
    pub(crate) fn note(&mut self, text: &str) {
        self.say(&plain(text));
    }

    /// Says that something is to be looked at, and what to do about it.
    pub(crate) fn warn(&mut self, text: &str, hint: Option<&str>) {
        self.say(&format!("{} {}", paint(WARNING, "warning:"), plain(text)));
        if let Some(hint) = hint {
            self.say(&format!("{} {}", paint(HINT, "hint:"), plain(hint)));
        }
    }

    /// A line beside the data, broken between words where a terminal would break within them.
    fn say(&mut self, line: &str) {
        let lines = wrap_words(line, screen::width_of_errors());
        print(|| lines.iter().try_for_each(|line| writeln!(self.err, "{line}"))).unwrap_or_default();
    }

    /// Whether a person can be asked: a task that has made a terminal for itself is none.
    pub(crate) fn is_interactive(&self) -> bool {
        self.surroundings.text(OWNERS).is_none() && io::stdin().is_terminal() && io::stdout().is_terminal()
    }
}
