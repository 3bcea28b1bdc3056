//! What goes over the socket: a line each way. Never: a line without a bound.

use std::io::{self, BufRead, Read as _, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use windlass_core::id::RunId;
use windlass_core::input::{Answer, Command};
use windlass_core::plan::Plan;
use windlass_engine::handle::NewRun;

/// The longest id of a command, and the longest name of who asks, in bytes: both go into the journal as they come, and
/// ids are kept for as long as their home.
const NAME_BYTES_MAX: usize = 128;
/// The longest line that is read, in bytes: a plan of the largest size, its defaults applied.
const LINE_BYTES_MAX: u64 = 256 << 20;

/// What is asked of a live engine.
#[derive(serde::Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// To carry out a command.
    Command(Command),
    /// To make a run of a plan, and to host it.
    Start {
        /// The plan.
        new: Box<NewRun>,
        /// Whether its questions are answered with yes.
        yes: bool,
    },
    /// To answer the questions of a run with yes.
    Yes(RunId),
}

impl Request {
    /// The plan that it brings. Nobody has read it from a file here: it may be anything.
    pub(crate) fn plan(&self) -> Option<&Plan> {
        match self {
            Self::Start { new, .. } => Some(&new.plan),
            Self::Command(command) => command.ask.plan(),
            Self::Yes(_) => None,
        }
    }

    /// What is wrong with the names in it.
    pub(crate) fn refusal(&self) -> Option<String> {
        let (id, by) = match self {
            Self::Command(command) => (&command.id, &command.by),
            Self::Start { new, .. } => (&new.command, &new.by),
            Self::Yes(_) => return None,
        };
        let is_long = id.0.len() > NAME_BYTES_MAX || by.len() > NAME_BYTES_MAX;
        is_long.then(|| {
            format!("the id of a command and the name of who asks are at most {NAME_BYTES_MAX} bytes long")
        })
    }
}

/// What it answers.
#[derive(Debug, serde::Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// The answer to a command, durable.
    Answer(Answer),
    /// The run is in the journal.
    Started(RunId),
    /// No, and why.
    Refused(String),
}

/// Writes a message and the end of its line.
pub(crate) fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// Reads a message; none where the other side has closed.
pub(crate) fn read<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    let length = from.take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    if length == 0 {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the line has no end"));
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_line_and_a_torn_one_is_none() {
        let mut line = Vec::new();
        write(&mut line, &Reply::Refused("a\nb".into())).expect("memory takes it");
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
        let read_back: Option<Reply> = read(&mut line.as_slice()).expect("it is whole");
        assert!(matches!(read_back, Some(Reply::Refused(why)) if why == "a\nb"));
        line.pop();
        assert!(read::<Reply>(&mut line.as_slice()).is_err());
        assert!(matches!(read::<Reply>(&mut [].as_slice()), Ok(None)));
    }
}
