//! `windlass graph`: a plan or a run as a picture. Never: starting or changing anything.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::config::Config;
use crate::desk::Desk;
use crate::error::{Failed, Outcome, Report, engine_failed};
use crate::exit::Exit;
use crate::graph::model::Graph as Shown;
use crate::graph::{dot, fold, json, mermaid, svg, text};
use crate::plan_file::{Inputs, PlanFile};
use crate::{lookup, screen};

/// How many boxes a picture has at most; what has more is folded by steps.
const BOXES_MAX: usize = 500;
/// How many needs Mermaid draws, and how many letters it reads, where nobody has set it up otherwise.
const MERMAID_NEEDS_MAX: usize = 500;
const MERMAID_BYTES_MAX: usize = 50_000;

/// How wide a text in a file is.
const PAGE_COLUMNS: usize = 100;

/// Draw a plan or a run: its tasks, what they need, and its critical path
#[derive(Args, Debug)]
pub(crate) struct Graph {
    /// A plan file, `-` for a plan on standard input, or a run: its id, the start of it, or `last`
    #[arg(value_name = "PLAN|RUN")]
    what: String,
    /// How it is drawn [default: by the ending of the output file, text without one]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write it to this file: .svg, .mmd, .dot (or .gv), .txt
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// How a picture is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A tree for the terminal
    Text,
    /// A picture for browsers, light or dark as its reader likes it
    Svg,
    /// A flowchart that GitHub draws in Markdown
    Mermaid,
    /// For Graphviz
    Dot,
}

impl Graph {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        let by_ending = self.by_ending()?;
        let shown = self.look(desk)?;
        let drawn = if self.json {
            format!("{}\n", json::document(&shown))
        } else {
            match self.format.or(by_ending).unwrap_or(Format::Text) {
                Format::Text if self.output.is_none() => {
                    desk.lines(text::draw(&shown, screen::columns()))?;
                    return Ok(Exit::Done);
                }
                Format::Text => plain(&text::draw(&shown, PAGE_COLUMNS)),
                Format::Svg => svg::draw(&drawable(shown, "svg")?),
                Format::Mermaid => in_mermaid(shown)?,
                Format::Dot => dot::draw(&shown),
            }
        };
        match &self.output {
            None => desk.bytes(drawn.as_bytes())?,
            Some(path) => write(path, &drawn)?,
        }
        Ok(Exit::Done)
    }

    /// What is drawn: the plan in a file of this name, or a run.
    fn look(&self, desk: &mut Desk) -> Outcome<Shown> {
        let path = Path::new(&self.what);
        if self.what == "-" || self.what.contains(['/', '.']) || path.is_file() {
            let config = Config::load(desk)?;
            let loaded = PlanFile::read(path, desk)?.load(&config, &Inputs::some(&BTreeMap::new()), desk)?;
            return Ok(Shown::of_plan(&loaded.plan, &self.what));
        }
        let mut reading = lookup::open(desk)?;
        let alive = reading.come_to_now().map_err(|error| engine_failed(&error))?;
        let state = reading.state();
        let run = lookup::run(state, &self.what).map_err(|failed| self.nor_a_file(failed))?;
        Ok(Shown::of_run(state, run, alive, state.now))
    }

    /// The same failure, where a name might have been meant for a file.
    fn nor_a_file(&self, failed: Failed) -> Failed {
        match failed {
            Failed::Report(report) if report.exit == Exit::Usage && self.what != "last" => {
                report.cause(format!("there is no file `{}` either", self.what)).into()
            }
            Failed::Report(_) | Failed::File(_) | Failed::ClosedPipe => failed,
        }
    }

    fn by_ending(&self) -> Outcome<Option<Format>> {
        let name = self.output.as_deref().filter(|_| self.format.is_none() && !self.json);
        match name.and_then(Path::extension).and_then(OsStr::to_str) {
            None | Some("txt" | "text") => Ok(None),
            Some("svg") => Ok(Some(Format::Svg)),
            Some("mmd" | "mermaid") => Ok(Some(Format::Mermaid)),
            Some("dot" | "gv") => Ok(Some(Format::Dot)),
            Some(other) => Err(Report::usage(format!("no picture is written as .{other}"))
                .hint(
                    "it may be .svg, .mmd or .mermaid, .dot or .gv, .txt; another name takes `--format`"
                        .to_owned(),
                )
                .into()),
        }
    }
}

/// Lines without their colours, as a file has them.
fn plain(lines: &[String]) -> String {
    let mut text = anstream::adapter::strip_str(&lines.join("\n")).to_string();
    text.push('\n');
    text
}

/// A graph of no more boxes than can be read.
fn drawable(shown: Shown, format: &str) -> Outcome<Shown> {
    if shown.nodes.len() <= BOXES_MAX {
        return Ok(shown);
    }
    let folded = fold::by_steps(&shown);
    if folded.nodes.len() <= BOXES_MAX {
        return Ok(folded);
    }
    let message = format!(
        "{} tasks in {} steps are more than a picture can show",
        shown.nodes.len(),
        folded.nodes.len()
    );
    let hint = format!(
        "`--format text` shows any number of them, `--format dot` leaves it to Graphviz, {format} has up to {BOXES_MAX} boxes"
    );
    Err(Report::usage(message).hint(hint).into())
}

/// A flowchart that Mermaid does not refuse for its size.
fn in_mermaid(shown: Shown) -> Outcome<String> {
    let shown = drawable(shown, "mermaid")?;
    let drawn = mermaid::draw(&shown);
    if shown.edges().count() <= MERMAID_NEEDS_MAX && drawn.len() <= MERMAID_BYTES_MAX {
        return Ok(drawn);
    }
    Ok(mermaid::draw(&fold::by_steps(&shown)))
}

fn write(path: &Path, drawn: &str) -> Outcome<()> {
    fs::write(path, drawn)
        .map_err(|error| Report::unwritable(format!("{} can't be written", path.display()), &error).into())
}
