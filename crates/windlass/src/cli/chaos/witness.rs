//! What is seen of a home from outside while harm is done to its engine, and what of the promises that does not keep.
//! Never: a word with the engine; it reads the journal, what was printed, and who lives.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use windlass_core::event::{Event, Exit, Record};
use windlass_core::id::{AttemptKey, RunId, TaskId};
use windlass_core::machine::run::Phase;
use windlass_core::plan::Rerun;
use windlass_core::state::{Run, State, Task};
use windlass_core::time::Span;
use windlass_engine::HomeSettings;
use windlass_engine::doctor;
use windlass_engine::error::EngineError;
use windlass_engine::reading::{Reading, wire_line};
use windlass_worker::{chaos, wait_for_old_keeper};

use crate::error::{Outcome, engine_failed};

/// How long the keeper of the last engine may take to end.
const KEEPER_AT_MOST: Span = Span::from_secs(15);

/// What must hold whatever happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Promise {
    /// What was told is in the journal, and stays as it was told.
    Acknowledged,
    /// Every run comes to an end.
    Ends,
    /// What was accepted is not done again.
    Once,
    /// What must not run again is not run again where nobody knows how it ended.
    Never,
    /// Journal and blobs are whole.
    Whole,
    /// The journal alone gives the same state.
    Replay,
    /// Nothing that was started lives on.
    Gone,
}

impl Promise {
    /// All of them.
    pub(super) const ALL: [Self; 7] =
        [Self::Acknowledged, Self::Ends, Self::Once, Self::Never, Self::Whole, Self::Replay, Self::Gone];

    /// In words, and what is counted.
    pub(super) const fn in_words(self) -> (&'static str, &'static str) {
        match self {
            Self::Acknowledged => ("what was told is in the journal", "line"),
            Self::Ends => ("every run comes to an end", "run"),
            Self::Once => ("what succeeded does not run again", "task"),
            Self::Never => ("`rerun: never` is not run again unasked", "attempt"),
            Self::Whole => ("journal and blobs are whole", "record"),
            Self::Replay => ("replayed, the journal gives the same", "record"),
            Self::Gone => ("nothing that was started lives on", "attempt"),
        }
    }
}

/// What did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Broken {
    pub(super) promise: Promise,
    pub(super) what: String,
}

/// Who looks on.
pub(super) struct Witness {
    home: PathBuf,
    reading: Reading,
    seen: Seen,
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    /// Each record as it was first read.
    lines: BTreeMap<u64, String>,
    /// What has succeeded, and was not begun anew since.
    accepted: BTreeSet<(RunId, TaskId)>,
    counts: BTreeMap<Promise, u64>,
    broken: Vec<Broken>,
}

impl Seen {
    fn count(&mut self, promise: Promise, more: usize) {
        *self.counts.entry(promise).or_default() += more as u64;
    }

    fn complain(&mut self, promise: Promise, what: String) {
        let broken = Broken { promise, what };
        // The same is found more than once where nothing can be read any more.
        if !self.broken.contains(&broken) {
            self.broken.push(broken);
        }
    }

    /// Takes a record in, with the state after it.
    fn hear(&mut self, record: &Record, state: &State) {
        self.lines.insert(record.seq.0, wire_line(record));
        if let Event::RunCreated { .. } = &record.event {
            self.count(Promise::Ends, 1);
        }
        if let Event::AttemptStarted { run, task, attempt, .. } = &record.event {
            self.hear_start(state, *run, task, *attempt);
        }
        if let Event::TaskSucceeded { run, task, .. } = &record.event {
            self.count(Promise::Once, 1);
            if !self.accepted.insert((*run, task.clone())) {
                self.complain(Promise::Once, format!("{run}/{task} was accepted twice"));
            }
        }
        if let Event::TaskRequeued { run, task, .. } = &record.event {
            self.accepted.remove(&(*run, task.clone()));
        }
    }

    fn hear_start(&mut self, state: &State, run: RunId, task: &TaskId, attempt: u32) {
        self.count(Promise::Gone, 1);
        if self.accepted.contains(&(run, task.clone())) {
            self.complain(Promise::Once, format!("{run}/{task} had succeeded, and attempt {attempt} began"));
        }
        let found = state.run(run).and_then(|run| Some((run, run.task(*run.names.get(task)?))));
        let Some((of, found)) = found.filter(|(of, found)| of.spec(found).rerun == Rerun::Never) else {
            return;
        };
        self.count(Promise::Never, 1);
        if is_unknown_before_last(found) {
            let run = of.id;
            self.complain(
                Promise::Never,
                format!("nobody knew how {run}/{task} had ended, and attempt {attempt} began"),
            );
        }
    }
}

/// Whether nobody knows what became of the attempt before the newest, in the same incarnation.
fn is_unknown_before_last(task: &Task) -> bool {
    let Some(before) = task.attempts.len().checked_sub(2) else { return false };
    let is_of_incarnation = usize::try_from(task.earlier).is_ok_and(|earlier| before >= earlier);
    let attempt = &task.attempts[before];
    let ended = attempt.stop.is_none() && matches!(attempt.exit, Some(Exit::Code(_) | Exit::NotStarted));
    is_of_incarnation && !ended
}

impl Witness {
    /// Looks at a home in which there is nothing yet.
    pub(super) fn of(home: &Path) -> Outcome<Self> {
        let reading = Reading::open(home).map_err(|error| engine_failed(&error))?;
        Ok(Self { home: home.to_owned(), reading, seen: Seen::default() })
    }

    /// Takes in what is new. Gives how many records there are now.
    pub(super) fn look(&mut self) -> u64 {
        let seen = &mut self.seen;
        if let Err(error) = self.reading.catch_up(&mut |record, state| seen.hear(record, state)) {
            self.complain(Promise::Whole, told(&error));
        }
        self.seen.lines.len() as u64
    }

    /// All runs, as of the last look.
    pub(super) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.reading.state().runs.values()
    }

    /// Those that have not finished.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = &Run> {
        self.runs().filter(|run| run.phase != Phase::Finished)
    }

    /// Something does not hold.
    pub(super) fn complain(&mut self, promise: Promise, what: impl Into<String>) {
        self.seen.complain(promise, what.into());
    }

    /// What did not hold.
    pub(super) fn broken(&self) -> &[Broken] {
        &self.seen.broken
    }

    /// How much of what a promise is about was looked at.
    pub(super) fn looked_at(&self, promise: Promise) -> u64 {
        self.seen.counts.get(&promise).copied().unwrap_or_default()
    }

    /// Compares what an engine printed, each line after it was durable, with the journal.
    pub(super) fn compare_with_what_was_told(&mut self, printed: &Path) {
        let text = fs::read_to_string(printed).unwrap_or_default();
        // What was cut off by a kill is no line.
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            let seq = serde_json::from_str::<Value>(line).ok().and_then(|line| line["seq"].as_u64());
            let Some(seq) = seq else { continue };
            self.seen.count(Promise::Acknowledged, 1);
            if self.seen.lines.get(&seq).map(String::as_str) != Some(line) {
                let what = match self.seen.lines.get(&seq) {
                    None => format!("record {seq} was told and is not there: {line}"),
                    Some(there) => format!("record {seq} was told as {line} and is {there}"),
                };
                self.complain(Promise::Acknowledged, what);
            }
        }
    }

    /// Looks at all that is left once every engine has ended.
    pub(super) fn conclude(&mut self) {
        self.look();
        let unfinished: Vec<RunId> = self.unfinished().map(|run| run.id).collect();
        for run in unfinished {
            self.complain(Promise::Ends, format!("run {run} has not ended"));
        }
        self.conclude_on_processes();
        if let Err(error) = self.conclude_on_replay() {
            self.complain(Promise::Replay, told(&error));
        }
        self.conclude_on_store();
    }

    fn conclude_on_processes(&mut self) {
        let Some(id) = self.reading.home_id() else { return };
        if let Err(error) = wait_for_old_keeper(&self.home, KEEPER_AT_MOST, |_| {}) {
            self.complain(Promise::Gone, error.to_string());
        }
        for (pid, AttemptKey { run, task, attempt }) in chaos::still_alive(&id) {
            self.complain(Promise::Gone, format!("process {pid} of {run}/{task}/{attempt} lives"));
        }
        // Nothing of it is left to the user's machine.
        let settings = HomeSettings { reserve: 0, min_free: 0, force: true };
        if let Err(error) = doctor::sweep(&self.home, settings, &mut |_| {}) {
            self.complain(Promise::Gone, told(&error));
        }
    }

    fn conclude_on_replay(&mut self) -> Result<(), EngineError> {
        let mut anew = Reading::open(&self.home)?;
        let (mut lines, mut other) = (0, Vec::new());
        let seen = &self.seen.lines;
        let replayed = anew.replayed(&mut |record| {
            lines += 1;
            if seen.get(&record.seq.0) != Some(&wire_line(record)) {
                other.push(record.seq);
            }
        })?;
        self.seen.count(Promise::Replay, lines);
        for seq in other {
            self.complain(Promise::Replay, format!("record {seq} is not what it was"));
        }
        if lines < self.seen.lines.len() {
            self.complain(
                Promise::Replay,
                format!("{} records are left of {}", lines, self.seen.lines.len()),
            );
        }
        if replayed != *self.reading.state() {
            self.complain(Promise::Replay, "the records give another state than was seen live");
        }
        if replayed != *anew.state() {
            self.complain(Promise::Replay, "the newest snapshot gives another state than the records");
        }
        Ok(())
    }

    fn conclude_on_store(&mut self) {
        let found = match doctor::look(&self.home) {
            Ok(found) => found,
            Err(error) => return self.complain(Promise::Whole, told(&error)),
        };
        self.seen.count(Promise::Whole, usize::try_from(found.end.seq.0).unwrap_or(usize::MAX));
        let damage = found.damage.map(|damage| damage.to_string());
        let foreign = found.foreign.map(|foreign| foreign.to_string());
        for what in damage.into_iter().chain(foreign) {
            self.complain(Promise::Whole, what);
        }
        for blob in found.dangling.iter().chain(&found.unsound) {
            self.complain(
                Promise::Whole,
                format!("the blob {} that record {} names is not whole", blob.digest, blob.seq),
            );
        }
    }
}

/// An error with its reasons, in a line.
fn told(error: &EngineError) -> String {
    let report = engine_failed(error);
    std::iter::once(report.message).chain(report.causes).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use windlass_core::id::Seq;
    use windlass_core::time::Time;

    use super::*;

    fn record(seq: u64, event: &Value) -> Record {
        let event = serde_json::from_value(event.clone()).expect("an event");
        Record { seq: Seq(seq), at: Time::from_ms(0), event }
    }

    fn started(attempt: u32) -> Value {
        json!({ "attempt_started": { "run": "aaaaaa", "task": "a", "attempt": attempt, "agent": null,
            "prompt": "00".repeat(32), "plan_version": 1, "alone": false } })
    }

    fn succeeded() -> Value {
        json!({ "task_succeeded": { "run": "aaaaaa", "task": "a", "attempt": 1, "fence": 1, "output": null } })
    }

    /// What does not hold of these events.
    fn broken_of(events: &[Value]) -> Vec<Promise> {
        let mut seen = Seen::default();
        for (seq, event) in (1..).zip(events) {
            seen.hear(&record(seq, event), &State::default());
        }
        seen.broken.iter().map(|broken| broken.promise).collect()
    }

    #[test]
    fn what_succeeded_and_is_done_again_is_found_unless_somebody_asked_for_it() {
        assert_eq!(broken_of(&[started(1), succeeded()]), []);
        assert_eq!(broken_of(&[started(1), succeeded(), started(2)]), [Promise::Once]);
        assert_eq!(broken_of(&[started(1), succeeded(), succeeded()]), [Promise::Once]);
        let requeued =
            json!({ "task_requeued": { "run": "aaaaaa", "task": "a", "command": null, "cause": "a" } });
        assert_eq!(broken_of(&[started(1), succeeded(), requeued, started(2), succeeded()]), []);
    }

    #[test]
    fn what_was_told_and_is_not_in_the_journal_is_found_and_half_a_line_is_none() {
        let desk = tempfile::tempdir().expect("a folder");
        let mut witness = Witness::of(&desk.path().join("home")).expect("there is nothing yet");
        witness.seen.lines.insert(1, r#"{"seq":1,"type":"a"}"#.into());
        let printed = desk.path().join("printed");
        let mut told = |text: &str| {
            fs::write(&printed, text).expect("it can be written");
            witness.compare_with_what_was_told(&printed);
            witness.broken().len()
        };
        assert_eq!(told("{\"seq\":1,\"type\":\"a\"}\n{\"seq\":2,\"ty"), 0);
        assert_eq!(told("{\"seq\":2,\"type\":\"a\"}\n"), 1);
        assert_eq!(told("{\"seq\":1,\"type\":\"b\"}\n"), 2);
        assert_eq!(witness.looked_at(Promise::Acknowledged), 3);
    }
}
