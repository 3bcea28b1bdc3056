//! What goes over the socket: first which version of it a client speaks, then a line each way. Never: a line without a
//! bound, or a request of another version: what it says beyond ours would be dropped without a word.

use std::io::{self, BufRead, Read as _, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use windlass_core::id::{AttemptKey, RunId, TaskId};
use windlass_core::input::{Answer, Command};
use windlass_core::plan::Plan;
use windlass_engine::engine::BUILD;
use windlass_engine::handle::NewRun;

/// The longest id of a command, in bytes: ids are kept for as long as their home.
const ID_BYTES_MAX: usize = 128;
/// The longest name of who asks, in bytes: it goes into the journal as it comes. That of an attempt names all around it.
pub(crate) const BY_BYTES_MAX: usize = 1024;
/// The longest line that is read, in bytes: a plan of the largest size, its defaults applied.
const LINE_BYTES_MAX: u64 = 256 << 20;

/// The version of what is asked. It is raised whenever a request, or a plan or a command in it, can say something else than
/// before. What an engine says to those whom it does not hear stays the same in all of them.
pub(crate) const WIRE: u32 = 8;
/// The longest hello, in bytes.
const HELLO_BYTES_MAX: u64 = 1024;

/// What a client says first.
#[derive(Debug, PartialEq, Eq, serde::Deserialize, Serialize)]
pub(crate) struct Hello {
    /// The version that it speaks.
    pub(crate) wire: u32,
    /// Its build, for people.
    pub(crate) build: String,
}

impl Hello {
    /// That of this build.
    pub(crate) fn ours() -> Self {
        Self { wire: WIRE, build: BUILD.into() }
    }
}

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
        /// The attempts within which this is asked, as `WINDLASS_OWNERS` has them: what is started ends with them.
        marks: String,
    },
    /// To carry out a plan within an attempt's task, for that attempt. Who asks keeps the connection for as long as it waits
    /// for the end: where it is closed before, without [`Request::Leave`], nobody waits any more, and the plan is ended.
    Nest {
        /// The plan.
        new: Box<NewRun>,
        /// The attempt.
        within: AttemptKey,
    },
    /// To lift the pauses of a run.
    Resume {
        /// The command.
        command: Command,
        /// The attempts within which this is asked: what goes on ends with them.
        marks: String,
    },
    /// To go on by itself with the plan that was carried out here: who asked has seen what it waited for.
    Leave,
    /// To answer the questions of a run with yes.
    Yes(RunId),
}

impl Request {
    /// The plan that it brings. Nobody has read it from a file here: it may be anything.
    pub(crate) fn plan(&self) -> Option<&Plan> {
        match self {
            Self::Start { new, .. } | Self::Nest { new, .. } => Some(&new.plan),
            Self::Command(command) | Self::Resume { command, .. } => command.ask.plan(),
            Self::Leave | Self::Yes(_) => None,
        }
    }

    /// What is wrong with the names in it.
    pub(crate) fn refusal(&self) -> Option<String> {
        let (id, by) = match self {
            Self::Command(command) | Self::Resume { command, .. } => (&command.id, &command.by),
            Self::Start { new, .. } | Self::Nest { new, .. } => (&new.command, &new.by),
            Self::Leave | Self::Yes(_) => return None,
        };
        let is_long = id.0.len() > ID_BYTES_MAX || by.len() > BY_BYTES_MAX;
        is_long.then(|| {
            format!(
                "the id of a command is at most {ID_BYTES_MAX} bytes long, and the name of who asks {BY_BYTES_MAX}"
            )
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
    /// The plan is in the journal.
    Nested {
        /// As this task.
        task: TaskId,
        /// Whether the questions of its run are answered where its engine is.
        is_answered: bool,
    },
    /// The plan is not taken yet, and why: to be asked again soon.
    NotYet(String),
    /// The plan would be over a cap of the runs around it: which, and by how much.
    OverCap(String),
    /// No, and why.
    Refused(String),
    /// Nothing was heard of what was asked: why, and what to do.
    TurnedAway {
        /// What is in the way.
        why: String,
        /// What to do.
        hint: String,
    },
}

/// Writes a message and the end of its line.
pub(crate) fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// Reads what a client says first: none where it says anything else, as those did that spoke no version yet.
pub(crate) fn read_hello(from: &mut impl BufRead) -> io::Result<Option<Hello>> {
    let mut line = Vec::new();
    from.take(HELLO_BYTES_MAX).read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line).ok())
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
    use std::collections::BTreeSet;

    use serde_json::Value;
    use windlass_core::event::Raise;
    use windlass_core::id::{CommandId, Digest};
    use windlass_core::input::Ask;

    use super::*;

    /// A plan that has something of all that plans have.
    const RICH: &str = r#"
nested: true
budget: { attempts: 9, wall: 1h }
agents: { one: { adapter: command, program: cat, rate: 3/min, fallback: [two] }, two: { adapter: command, program: cat } }
tasks:
  a: { run: "true", retry: { max_attempts: 2 }, timeout: 1m, output: { schema: { type: string } } }
  b: { needs: [a], prompt: "{{ tasks.a.output }}", agent: [one, two], balance: round_robin, budget: { attempts: 2 } }
  c: { needs: [a, b], join: any, cancel_rest: true, for_each: [1], max_parallel: 1, run: "true" }
  d: { approval: "Go?", optional: true, when: true, priority: 1 }
  e: { emit: { topic: t, data: 1 } }
  f: { needs: [e], wait_for: { topic: t, match: true, since: e } }
  g: { run: "true", replicas: 2, select: first }
  h: { run: "true", repeat: { until: true, max: 2 } }
"#;
    /// What [`RICH`] and some commands say, by the names in them, and in which version of the wire.
    const SAYS: (u32, &str) = (8, "ab58f1cc3a214fe12484ba0bc8961f70b38769f08446b9527dd9769ec561c04e");

    fn names(value: &Value, within: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                found.insert(format!("{within}.{name}"));
                names(value, &format!("{within}.{name}"), found);
            }),
            Value::Array(items) => items.iter().for_each(|item| names(item, within, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn who_lets_a_request_say_more_raises_the_version() {
        let plan = windlass_engine::embed::plan(RICH, &std::collections::BTreeMap::new()).expect("a plan");
        let new = NewRun {
            command: CommandId("1".into()),
            by: "cli".into(),
            plan: std::sync::Arc::new(plan),
            folder: "/".into(),
            env: std::collections::BTreeMap::new(),
            source: "-".into(),
            origin: None,
        };
        let run = RunId::from_random(1);
        let asks = [
            Ask::Pause { run, now: true },
            Ask::Cancel { run, task: None },
            Ask::Retry { run, task: "a".parse().expect("a name"), agent: None, prompt: None },
            Ask::Drain { at_once: true },
        ];
        let command = |ask| Request::Command(Command { id: CommandId("1".into()), by: "cli".into(), ask });
        let within = "abcdef/a/1".parse().expect("a key");
        let nest = Request::Nest { new: Box::new(new.clone()), within };
        let start = Request::Start { new: Box::new(new), yes: true, marks: String::new() };
        let lift = Ask::Resume { run, raise: Raise::default() };
        let lift = Command { id: CommandId("1".into()), by: "cli".into(), ask: lift };
        let resume = Request::Resume { command: lift, marks: String::new() };
        let mut found = BTreeSet::new();
        for request in
            asks.map(command).into_iter().chain([start, nest, resume, Request::Leave, Request::Yes(run)])
        {
            names(&serde_json::to_value(&request).expect("plain data"), "", &mut found);
        }
        let said = Digest::of(found.into_iter().collect::<Vec<_>>().join("\n").as_bytes()).to_string();
        assert_eq!((WIRE, &*said), SAYS, "raise WIRE if requests say something new, then note it here");
    }

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
