//! `windlass guide`: the guides that the binary carries. Never: a pager, or anything but what stands under docs/.

use std::io::{self, IsTerminal as _};

use clap::Args;
use serde_json::json;
use windlass_core::failure::ErrorKind;

use crate::calling::{self, Command};
use crate::desk::Desk;
use crate::error::{Outcome, Report};
use crate::exit::Exit;
use crate::guides::{ALL, Guide};
use crate::render::style::{BOLD, paint};
use crate::render::table::{Cell, Table};
use crate::render::{markdown, text};
use crate::{lookup, screen};

/// How wide a page is at most: longer lines are hard to read.
const COLUMNS_MAX: usize = 100;

/// Read the guides for people and agents: `guide` lists them, `guide errors exit` is the page of one kind of error
///
/// On a terminal they are set for it; in a pipe or a file they are the Markdown that they are written in.
#[derive(Args, Debug)]
pub(crate) struct GuideOn {
    /// The topic; without it all are listed
    topic: Option<String>,
    /// Of `errors`: the kind of error
    kind: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl GuideOn {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        let Some(topic) = &self.topic else { return list(desk, self.json) };
        let Some(guide) = Guide::on(topic) else { return Err(unknown_topic(topic).into()) };
        let page = match &self.kind {
            None => guide.overview(),
            Some(kind) => part(guide, kind)?,
        };
        if self.json {
            desk.json(
                &json!({ "topic": guide.topic, "kind": self.kind, "about": guide.about, "page": page }),
            )?;
        } else if io::stdout().is_terminal() {
            desk.lines(markdown::lines(page, screen::size().0.min(COLUMNS_MAX)))?;
        } else {
            desk.bytes(page.as_bytes())?;
        }
        Ok(Exit::Done)
    }
}

fn list(desk: &mut Desk, as_json: bool) -> Outcome {
    if as_json {
        let guides: Vec<_> =
            ALL.iter().map(|guide| json!({ "topic": guide.topic, "about": guide.about })).collect();
        desk.json(&json!({ "guides": guides }))?;
        return Ok(Exit::Done);
    }
    let mut table = Table::default();
    for guide in &ALL {
        table.row([Cell::styled(BOLD, guide.topic), guide.about.into()]);
    }
    desk.lines(table.lines())?;
    desk.line(&format!("\n{} prints one.", paint(BOLD, "windlass guide TOPIC")))?;
    Ok(Exit::Done)
}

/// The command that prints a guide.
fn printing(topic: &str) -> Command {
    calling::command("guide").with(topic)
}

fn unknown_topic(topic: &str) -> Report {
    // Whoever asks for a kind of error by its name means its page.
    let hint = if ErrorKind::from_name(topic).is_some() {
        format!("`{}` is the page of that kind of error", printing("errors").with(topic))
    } else {
        did_you_mean(topic, ALL.iter().map(|guide| guide.topic)).unwrap_or_else(|| {
            let topics: Vec<&str> = ALL.iter().map(|guide| guide.topic).collect();
            format!("there are {}", topics.join(", "))
        })
    };
    Report::usage(format!("there is no guide on `{}`", text::plain(topic))).hint(hint)
}

fn part(guide: &Guide, kind: &str) -> Outcome<&'static str> {
    if !guide.has_parts() {
        let hint = format!("`{}` prints it whole", printing(guide.topic));
        let message = format!("the guide on `{}` has no parts", guide.topic);
        return Err(Report::usage(message).hint(hint).into());
    }
    ErrorKind::from_name(kind).and_then(|kind| guide.part(kind)).ok_or_else(|| {
        let hint = did_you_mean(kind, ErrorKind::ALL.iter().map(|kind| kind.name()))
            .unwrap_or_else(|| format!("`{}` lists them", printing("errors")));
        Report::usage(format!("there is no kind of error `{}`", text::plain(kind))).hint(hint).into()
    })
}

fn did_you_mean<'a>(word: &str, all: impl Iterator<Item = &'a str>) -> Option<String> {
    lookup::nearest(word, all).map(|near| format!("did you mean `{near}`?"))
}
