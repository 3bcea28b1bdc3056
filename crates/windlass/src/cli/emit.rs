//! `windlass emit`: a message to a run from outside. Never: one that no task of the run would hear.

use std::io::{self, Read as _};

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use windlass_core::id::{CommandId, Digest, RunId, Seq, TaskId};
use windlass_core::input::{Answer, Ask};
use windlass_core::state::Run;
use windlass_core::state::outside;
use windlass_worker::value_as_said;

use crate::desk::Desk;
use crate::error::{Outcome, Report};
use crate::exit::Exit;
use crate::render::plural::list;
use crate::{lookup, steer};

/// How much is read of a message; what of it may be said, the core says.
const READ_BYTES_MAX: u64 = 1 << 20;
/// How long the name of a message may be.
const MESSAGE_NAME_BYTES_MAX: usize = 64;

/// How many of the tasks that have heard a message are named.
const NAMES_MAX: usize = 8;

/// Say something to the tasks of a run that wait for it from outside
#[derive(Args, Debug)]
pub(crate) struct Emit {
    /// The run: its id, the start of it, or `last`
    run: String,
    /// The topic: one for which a task waits with `external: true`
    #[arg(id = "heard", value_name = "TOPIC")]
    topic: String,
    /// What is said: JSON, else text; `-` reads it from standard input [default: null]
    #[arg(allow_negative_numbers = true)]
    data: Option<String>,
    /// A name for this message: said again under the same, it counts once
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Emit {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        steer::begin(desk);
        let data = said(self.data.as_deref())?;
        let (run, topic, id, before) = {
            let reading = lookup::open(desk)?;
            let run = lookup::run(reading.state(), &self.run)?;
            let topic = heard(run, self.topic)?;
            let id = match &self.id {
                // A digest, since an engine takes no long ids.
                Some(name) => {
                    let said = Digest::of(format!("{topic}/{}", sound(name)?).as_bytes());
                    CommandId(format!("{}/{said}", run.id).into())
                }
                None => steer::new_id()?,
            };
            let before =
                reading.state().commands.get(&id).map(|said| run.said_at(&topic, *said) == Some(&data));
            (run.id, topic, id, before)
        };
        let again = match before {
            None => "",
            Some(true) => " It was so already.",
            Some(false) => " It was so already, and something else was said under this name: that counts.",
        };
        let ask = Ask::Emit { run, topic: topic.clone(), data };
        if let Answer::Refused(why) = steer::send_as(desk, id.clone(), ask)? {
            return Err(steer::refused(&why).into());
        }
        let told = Told::read(desk, run, topic, &id)?;
        if self.json {
            desk.json(&told)?;
        } else {
            desk.note(&format!("{}{again}", told.in_words()));
            for Puzzled { task, why } in told.not_judged_by.iter().take(NAMES_MAX) {
                desk.note(&format!("{task} can't judge it, and waits on: {why}"));
            }
            steer::say_how_to_go_on(desk, run)?;
        }
        Ok(Exit::Done)
    }
}

/// What has come of a message.
#[derive(Serialize)]
struct Told {
    run: RunId,
    topic: String,
    /// The place of the message in the journal.
    seq: Option<Seq>,
    /// The tasks that have taken it so far.
    heard_by: Vec<TaskId>,
    /// The tasks that wait on and pass it over, since nobody can tell whether it is what they wait for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_judged_by: Vec<Puzzled>,
}

/// A task that can't judge a message.
#[derive(Serialize)]
struct Puzzled {
    task: TaskId,
    why: String,
}

impl Told {
    fn read(desk: &Desk, run: RunId, topic: String, id: &CommandId) -> Outcome<Self> {
        let reading = lookup::open(desk)?;
        let seq = reading.state().commands.get(id).copied();
        let found = reading.state().run(run).zip(seq);
        let heard_by = found.map(|(run, seq)| run.heard_by(seq)).unwrap_or_default();
        let puzzled = found.map(|(run, seq)| run.puzzled_by(seq, &topic)).unwrap_or_default();
        let not_judged_by = puzzled.into_iter().map(|(task, why)| Puzzled { task, why }).collect();
        Ok(Self { run, topic, seq, heard_by, not_judged_by })
    }

    fn in_words(&self) -> String {
        let names: Vec<&str> = self.heard_by.iter().take(NAMES_MAX).map(TaskId::as_str).collect();
        let heard = match self.heard_by.len() - names.len() {
            _ if names.is_empty() => "no task has heard it yet".to_owned(),
            0 => format!("{} heard it", list(&names)),
            more => format!("{} and {more} more heard it", names.join(", ")),
        };
        format!("Run {} was told on {}; {heard}.", self.run, self.topic)
    }
}

/// What is said, as a value: what a task prints is one in the same way.
fn said(data: Option<&str>) -> Outcome<Value> {
    let bytes = match data {
        None => return Ok(Value::Null),
        Some("-") => from_standard_input()?,
        Some(text) => text.as_bytes().to_vec(),
    };
    let value = value_as_said(&bytes).map_err(|failure| {
        Report::usage("the message can't be kept").cause(failure.message).hint(failure.hint)
    })?;
    Ok(value)
}

fn from_standard_input() -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = io::stdin().take(READ_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| Report::usage("standard input can't be read").cause(error.to_string()))?;
    if bytes.len() as u64 > READ_BYTES_MAX {
        let report = Report::usage("standard input is longer than the 1 MiB that is read of a message");
        let hint = "a message is 64 KiB of JSON at most: let it name what the tasks are to read themselves";
        return Err(report.hint(hint.to_owned()).into());
    }
    Ok(bytes)
}

/// A topic on which tasks of the run listen to others.
fn heard(run: &Run, topic: String) -> Outcome<String> {
    let Some(instead) = outside::unheard(run, &topic) else { return Ok(topic) };
    let message = format!("no task of run {} waits for messages on `{topic}` from outside the run", run.id);
    Err(Report::usage(message).hint(instead).into())
}

/// The name of a message, if it can be one.
fn sound(name: &str) -> Outcome<&str> {
    let is_sound = |letter: char| letter.is_ascii_alphanumeric() || "_.:-".contains(letter);
    if name.is_empty() || name.len() > MESSAGE_NAME_BYTES_MAX || !name.chars().all(is_sound) {
        let hint = format!("{MESSAGE_NAME_BYTES_MAX} letters, digits and any of `_ . : -` at most");
        return Err(Report::usage("`--id` is no name for a message").hint(hint).into());
    }
    Ok(name)
}
