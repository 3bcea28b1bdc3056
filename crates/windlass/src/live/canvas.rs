//! What stands at the bottom of the screen, below the lines that stay. Only what has changed is drawn anew, in one write.
//! Never: more rows than the screen has.

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
    /// Columns and rows of the screen that they were drawn on.
    size: (usize, usize),
}

impl Canvas {
    /// Whether nothing is drawn.
    pub(crate) fn is_empty(&self) -> bool {
        self.drawn.is_empty()
    }

    /// Prints lines where the block was, and the block below them.
    pub(crate) fn draw(&mut self, lines: &[String], block: &[String]) -> io::Result<()> {
        let size = screen::size();
        let is_plain = AutoStream::choice(&io::stdout()) == ColorChoice::Never;
        let shown = |line: &String| if is_plain { strip_str(line).to_string() } else { line.clone() };
        let block: Vec<String> = block.iter().map(shown).collect();
        let mut out = String::new();
        if lines.is_empty() && block.len() == self.drawn.len() && size == self.size {
            self.mend(&block, &mut out);
        } else {
            self.take_off(size, &mut out);
            for line in lines.iter().map(shown).chain(block.iter().cloned()) {
                out.push_str(&line);
                out.push('\n');
            }
        }
        (self.drawn, self.size) = (block, size);
        if out.is_empty() {
            return Ok(());
        }
        // Not through `anstream`: where it takes colours out it would take the movement out, too.
        let mut screen = io::stdout();
        print(|| screen.write_all(out.as_bytes()).and_then(|()| screen.flush()))
    }

    /// Writes over the lines that differ.
    fn mend(&self, block: &[String], out: &mut String) {
        let height = block.len();
        for (place, line) in block.iter().enumerate().filter(|(place, line)| self.drawn[*place] != **line) {
            let up = height - place;
            write!(out, "\u{1b}[{up}A{line}\u{1b}[K\u{1b}[{up}B\r").expect("a text takes all");
        }
    }

    /// Takes the block off. A screen that became narrower has broken its lines.
    fn take_off(&self, size: (usize, usize), out: &mut String) {
        let (columns, rows) = size;
        let height = |line: &String| text::width_shown(line).div_ceil(columns).max(1);
        let up: usize = self.drawn.iter().map(height).sum();
        if up > 0 {
            write!(out, "\u{1b}[{}A\u{1b}[J", up.min(rows - 1)).expect("a text takes all");
        }
    }
}
