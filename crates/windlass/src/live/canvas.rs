//! What stands at the bottom of the screen, below the lines that stay: a block, and what is asked, with the cursor behind
//! it. Only what has changed is drawn anew, in one write. Never: more rows than the screen has.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};

use crate::printing::print;
use crate::render::text;
use crate::screen;

/// The lines that are drawn.
#[derive(Debug, Default)]
pub(crate) struct Canvas {
    drawn: Vec<String>,
    /// What is asked below them; the cursor stands behind it.
    prompt: Option<&'static str>,
    /// Whether a line was typed there, so that the cursor stands below it.
    is_below: bool,
    /// Columns and rows of the screen that they were drawn on.
    size: (usize, usize),
}

impl Canvas {
    /// Whether nothing is drawn.
    pub(crate) fn is_empty(&self) -> bool {
        self.drawn.is_empty() && self.prompt.is_none()
    }

    /// A line was typed behind the prompt, which has taken the cursor down.
    pub(crate) fn go_below(&mut self) {
        self.is_below = self.prompt.is_some();
    }

    /// Prints lines where the block was, the block below them, and below that what is asked.
    pub(crate) fn draw(
        &mut self,
        lines: &[String],
        block: &[String],
        prompt: Option<&'static str>,
    ) -> io::Result<()> {
        let size = screen::size();
        let is_plain = AutoStream::choice(&io::stdout()) == ColorChoice::Never;
        let shown = |line: &String| if is_plain { strip_str(line).to_string() } else { line.clone() };
        let block: Vec<String> = block.iter().map(shown).collect();
        let mut out = String::new();
        let is_same = block.len() == self.drawn.len() && size == self.size && prompt == self.prompt;
        if lines.is_empty() && is_same && !self.is_below {
            self.mend(&block, &mut out);
        } else {
            self.take_off(size, &mut out);
            for line in lines.iter().map(shown).chain(block.iter().cloned()) {
                out.push_str(&line);
                out.push('\n');
            }
            out.push_str(prompt.unwrap_or_default());
        }
        *self = Self { drawn: block, prompt, is_below: false, size };
        if out.is_empty() {
            return Ok(());
        }
        // Not through `anstream`: where it takes colours out it would take the movement out, too.
        let mut screen = io::stdout();
        print(|| screen.write_all(out.as_bytes()).and_then(|()| screen.flush()))
    }

    /// Writes over the lines that differ. What is typed behind the prompt stays, and the cursor behind it.
    fn mend(&self, block: &[String], out: &mut String) {
        let height = block.len() + self.rows_of_prompt(self.size.0);
        for (place, line) in block.iter().enumerate().filter(|(place, line)| self.drawn[*place] != **line) {
            let up = height - place;
            write!(out, "\u{1b}7\r\u{1b}[{up}A{line}\u{1b}[K\u{1b}8").expect("a text takes all");
        }
    }

    /// How many rows the cursor stands below the one that the prompt begins in.
    fn rows_of_prompt(&self, columns: usize) -> usize {
        self.prompt.map_or(0, |prompt| text::width_shown(prompt) / columns) + usize::from(self.is_below)
    }

    /// Takes the block off. A screen that became narrower has broken its lines.
    fn take_off(&self, size: (usize, usize), out: &mut String) {
        let (columns, rows) = size;
        let height = |line: &String| text::width_shown(line).div_ceil(columns).max(1);
        let up = self.drawn.iter().map(height).sum::<usize>() + self.rows_of_prompt(columns);
        if self.prompt.is_some() {
            out.push('\r');
        }
        match up {
            0 if self.prompt.is_none() => {}
            0 => out.push_str("\u{1b}[J"),
            up => write!(out, "\u{1b}[{}A\u{1b}[J", up.min(rows - 1)).expect("a text takes all"),
        }
    }
}
