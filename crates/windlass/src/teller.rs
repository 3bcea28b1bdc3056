//! Tells what happens in the runs that are followed: JSON lines, plain lines, or lines above a small live block.
//! Never: failing because nobody listens; a run goes on without its reader.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use windlass_core::event::Record;
use windlass_core::id::RunId;
use windlass_core::time::Time;
use windlass_engine::clock;
use windlass_engine::reading::wire_line;

use crate::desk::Desk;
use crate::live::block::{self, Extent};
use crate::live::canvas::Canvas;
use crate::live::tails::Tails;
use crate::printing::print;
use crate::progress::Progress;
use crate::render::style::{BOLD, DIM, WARNING, paint};
use crate::render::{story, text};
use crate::screen::{self, WHOLE};

/// How long a drawing stays at least.
const FRAME_MIN: Duration = Duration::from_millis(50);
/// How many lines are held back for the next drawing.
const HELD_MAX: usize = 500;

/// How it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Json,
    Lines,
    Live,
}

/// What a person is asked.
struct Asked {
    /// Who asks what, in a line: whoever sees the prompt sees this above it.
    what: String,
    prompt: &'static str,
}

/// Tells what happens.
pub(crate) struct Teller {
    mode: Mode,
    runs: BTreeMap<RunId, Progress>,
    /// The block below the lines, on a terminal.
    canvas: Canvas,
    /// When something was drawn last, and the lines that came since.
    drawn_at: Duration,
    held: Vec<String>,
    /// The last lines of attempts.
    tails: Tails,
    /// What a person is asked: it stands below the block.
    asked: Option<Asked>,
    /// That something could not be printed was said.
    is_unheard: bool,
    /// When the newest record came that was told.
    newest: Option<Time>,
}

impl Teller {
    /// A teller for these streams: JSON where that was asked for, live where a person looks.
    pub(crate) fn new(json: bool, desk: &Desk) -> Self {
        let is_plain = desk.surroundings.text("TERM").is_none_or(|term| term == "dumb");
        let mode = match json {
            true => Mode::Json,
            false if io::stdout().is_terminal() && !is_plain => Mode::Live,
            false => Mode::Lines,
        };
        Self {
            mode,
            runs: BTreeMap::new(),
            canvas: Canvas::default(),
            drawn_at: Duration::ZERO,
            held: Vec::new(),
            tails: Tails::of(desk.place.home.clone()),
            asked: None,
            is_unheard: false,
            newest: None,
        }
    }

    /// Follows a run from here on, which is so far and is for that.
    pub(crate) fn follow(&mut self, run: RunId, progress: Progress, goal: &str) {
        self.runs.insert(run, progress);
        if self.mode != Mode::Json {
            let title = format!("{} {}", paint(BOLD, &format!("run {run}")), text::first_line(goal));
            self.print(&[text::fit_shown(title.trim_end(), self.columns())]);
        }
    }

    /// Prints lines and leaves nothing below them.
    pub(crate) fn print_last(&mut self, lines: &[String]) {
        self.draw(lines, None);
    }

    /// Prints lines now, above whatever stands there: also those that would wait for the next drawing.
    pub(crate) fn print_now(&mut self, lines: &[String]) {
        if self.mode == Mode::Live {
            self.draw(lines, Some(clock::now()));
        } else {
            self.print(lines);
        }
    }

    /// The runs that are followed.
    pub(crate) fn runs(&self) -> impl Iterator<Item = RunId> {
        self.runs.keys().copied()
    }

    /// The time of the newest record that was told.
    pub(crate) fn newest(&self) -> Option<Time> {
        self.newest
    }

    /// Whether it prints for programs.
    pub(crate) fn is_json(&self) -> bool {
        self.mode == Mode::Json
    }

    /// Tells records, in order.
    pub(crate) fn tell<'r>(&mut self, records: impl IntoIterator<Item = &'r Record>) {
        let several = self.runs.len() > 1;
        let columns = self.columns();
        let mut lines = Vec::new();
        for record in records {
            let Some(run) = record.event.run() else {
                let line = story::of_account(record).filter(|_| self.mode != Mode::Json);
                lines.extend(line.into_iter().flat_map(|line| line.within(columns)));
                continue;
            };
            let Some(progress) = self.runs.get_mut(&run) else { continue };
            progress.take(record);
            self.newest = Some(record.at);
            if self.mode == Mode::Json {
                lines.push(wire_line(record));
            } else if let Some(line) = story::line(record, progress)
                && (self.mode == Mode::Lines || line.is_lasting)
            {
                let whose = if several { format!("{} ", paint(DIM, run.as_str())) } else { String::new() };
                let told = line.within(columns.saturating_sub(text::width_shown(&whose)));
                lines.extend(told.iter().map(|line| format!("{whose}{line}")));
            }
        }
        if !lines.is_empty() {
            self.print(&lines);
        }
    }

    /// How wide lines may be: they are cut where they stand above a block, and whole elsewhere.
    fn columns(&self) -> usize {
        if self.mode == Mode::Live { screen::size().0 } else { WHOLE }
    }

    /// Draws the live block anew.
    pub(crate) fn tick(&mut self, now: Time) {
        if self.mode == Mode::Live {
            self.draw(&[], Some(now));
        }
    }

    /// Prints lines above the live block.
    pub(crate) fn print(&mut self, lines: &[String]) {
        match self.mode {
            Mode::Live => {
                // However much happens, it is drawn so often and no more: the next tick shows what is held back.
                let is_early = clock::awake().saturating_sub(self.drawn_at) < FRAME_MIN;
                if is_early && self.held.len() + lines.len() < HELD_MAX {
                    self.held.extend_from_slice(lines);
                    return;
                }
                self.draw(lines, Some(clock::now()));
            }
            Mode::Json | Mode::Lines => {
                let asked = self.asked.take();
                if asked.is_some() {
                    self.end_line();
                }
                let mut out = anstream::stdout().lock();
                let again = asked.as_ref().map(|asked| &asked.what);
                let mut lines = lines.iter().chain(again);
                let printed = lines.try_for_each(|line| print(|| writeln!(out, "{line}")));
                let printed = printed.and_then(|()| print(|| out.flush()));
                drop(out);
                self.note(printed);
                if let Some(asked) = asked {
                    self.ask(asked.what, asked.prompt);
                }
            }
        }
    }

    /// Asks something below the block, until there is an answer: what was printed last said it whole.
    pub(crate) fn ask(&mut self, what: String, prompt: &'static str) {
        self.asked = Some(Asked { what, prompt });
        if self.mode == Mode::Live {
            return self.draw(&[], Some(clock::now()));
        }
        let mut out = anstream::stdout().lock();
        let asked = print(|| write!(out, "{prompt}").and_then(|()| out.flush()));
        drop(out);
        self.note(asked);
    }

    /// Takes the prompt off the screen, with whatever is typed there.
    pub(crate) fn take_prompt_away(&mut self) {
        if self.asked.take().is_some() {
            if self.mode == Mode::Live {
                self.draw(&[], Some(clock::now()));
            } else {
                self.end_line();
            }
        }
    }

    /// There was an answer: its line is over.
    pub(crate) fn answered(&mut self) {
        self.asked = None;
        self.canvas.go_below();
    }

    /// What is printed next goes below the prompt.
    fn end_line(&mut self) {
        let ended = print(|| writeln!(io::stdout()));
        self.note(ended);
    }

    /// Takes the live block off the screen.
    pub(crate) fn clear(&mut self) {
        if !self.canvas.is_empty() || !self.held.is_empty() {
            self.draw(&[], None);
        }
    }

    fn block(&mut self, now: Time) -> Vec<String> {
        let (columns, rows) = screen::size();
        // Lines that stay keep a part of the screen, a larger one where they say what is asked; a block higher than the
        // screen could not be taken off again.
        let share = if self.asked.is_some() { rows / 2 } else { rows * 2 / 3 };
        let room = Extent { columns, rows: share.max(2) / self.runs.len().max(1) };
        let mut block = Vec::new();
        // Where this goes on for others, what rests here was summed up above.
        for (id, progress) in self.runs.iter_mut().filter(|(_, progress)| !progress.rests) {
            block.extend(block::lines(*id, progress, &mut self.tails, now, room));
        }
        let runs = &self.runs;
        self.tails.keep(|key| runs.get(&key.run).is_some_and(|run| run.is_running(&key.task)));
        block.extend(self.asked.iter().map(|asked| text::fit_shown(&asked.what, columns)));
        block.split_off(block.len().saturating_sub(rows - 2))
    }

    /// Prints lines where the block was, those first that were held back, and below them the block as it is then, with
    /// what is asked.
    fn draw(&mut self, lines: &[String], then: Option<Time>) {
        let block = then.map(|now| self.block(now)).unwrap_or_default();
        let prompt = self.asked.as_ref().filter(|_| then.is_some()).map(|asked| asked.prompt);
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(lines);
        self.drawn_at = clock::awake();
        let drawn = self.canvas.draw(&held, &block, prompt);
        self.note(drawn);
    }

    /// Says once that something can't be printed. The run goes on, and where the reader has gone nobody is to be told.
    fn note(&mut self, printed: io::Result<()>) {
        let Err(error) = printed else { return };
        if error.kind() == io::ErrorKind::BrokenPipe || std::mem::replace(&mut self.is_unheard, true) {
            return;
        }
        let word = paint(WARNING, "warning:");
        let said = format!("{word} what happens can't be printed: {error}; the run goes on all the same");
        // Where that can't be said either nobody listens at all.
        print(|| writeln!(anstream::stderr(), "{said}")).unwrap_or_default();
    }
}
