//! Simulated attempts: how each one goes, what it gives, and how it ends. Never: what the core makes of it.

use serde_json::{Value, json};
use windlass_core::effect::Assignment;
use windlass_core::event::{Exit, StopWhy, Usage};
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::id::{AttemptKey, Digest};
use windlass_core::input::Ended;
use windlass_core::output::{Output, RawOutput};
use windlass_core::time::Span;
use windlass_journal::blob::{Blobs, MemoryBlobs};
use windlass_journal::error::BlobError;

use crate::bring;
use crate::case::{Behaviour, Case, End, OnTerm, Reporting};
use crate::draft::Shape;
use crate::generate::FAILURES;
use crate::random::{Random, keyed};

/// An attempt that works, or that has ended and is about to report.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) assignment: Box<Assignment>,
    pub(crate) behaviour: Behaviour,
    pub(crate) shape: Shape,
    pub(crate) started_at: u64,
    /// When its main process ends, as things stand.
    pub(crate) ends_at: u64,
    /// Whether it was told to end, and when it is killed.
    pub(crate) killed_at: Option<u64>,
    pub(crate) bringing: Bringing,
}

/// What an attempt printed, and what it gave where that was small.
type Given = (RawOutput, Option<Result<Output, Failure>>);

/// Where an attempt stands with the plans that it brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bringing {
    /// It will ask for this one next.
    Next(usize),
    /// It waits for the end of this one, for which it asked so.
    Asked(usize, u64),
    /// There is none, or no more.
    Done,
}

/// How an attempt goes, where the case does not say.
pub(crate) fn behaviour(case: &Case, key: &AttemptKey) -> Behaviour {
    let mut random = Random::new(keyed(case.seed, &key.to_string()));
    let brings = bring::brings(case, &key.to_string());
    let mut behaviour =
        Behaviour { takes_ms: u64::from(random.within(1, 400)), brings, ..Behaviour::default() };
    if !random.chance(case.trouble) {
        return behaviour;
    }
    behaviour.takes_ms = random.pick(&[1, 20, 300, 3000, 90_000, 3_600_000]);
    behaviour.silent = random.chance(200);
    behaviour.end = match random.below(12) {
        0..=3 => End::Succeeds,
        4 | 5 => End::Code(random.pick(&[1, 2, 127])),
        6 => End::Signal(random.pick(&[9, 11, 15])),
        7 => {
            let kinds = [
                ErrorKind::SpawnNotFound,
                ErrorKind::SpawnDenied,
                ErrorKind::SpawnInvalid,
                ErrorKind::SpawnDir,
                ErrorKind::SpawnExhausted,
            ];
            End::NotStarted(random.pick(&kinds))
        }
        8 => End::Error(ErrorKind::RateLimited, Some(random.pick(&[0, 50, 7000, 600_000]))),
        _ => {
            let after = random.chance(200).then(|| random.pick(&[50, 20_000]));
            End::Error(random.pick(&FAILURES), after)
        }
    };
    behaviour.on_term =
        random.pick(&[OnTerm::Dies, OnTerm::Dies, OnTerm::Exits(0), OnTerm::Exits(3), OnTerm::Ignores]);
    if case.quotas > 0 && random.chance(case.quotas) {
        behaviour.end = End::Error(ErrorKind::RateLimited, Some(7_200_000));
    }
    if case.outages > 0 && random.chance(case.outages) {
        behaviour.end = End::Error(ErrorKind::Auth, None);
    }
    if random.chance(case.stubborn) {
        (behaviour.on_term, behaviour.takes_ms) = (OnTerm::Ignores, 90_000);
    }
    behaviour.report = match random.below(12) {
        0 => Reporting::Lost,
        1 | 2 => Reporting::Late(random.pick(&[10, 4000, 60_000])),
        3 | 4 => Reporting::Doubled(random.pick(&[0, 10, 3000, 60_000])),
        5 => Reporting::SaidFailed,
        6 => Reporting::Zombie(random.pick(&[10, 3000, 60_000])),
        _ => Reporting::Prompt,
    };
    behaviour.leftovers = random.pick(&[0, 0, 0, 1, 3]);
    behaviour.bad_output = random.chance(200);
    behaviour
}

/// What an attempt gives when it succeeds. Everything in it follows from its key.
pub(crate) fn value(seed: u64, key: &AttemptKey, shape: Shape) -> Value {
    let drawn = keyed(seed ^ 0xa11, &key.to_string());
    let items: Vec<Value> = (0..drawn % 5).map(|item| json!(item + drawn % 7)).collect();
    match shape {
        Shape::Null => Value::Null,
        Shape::Number => json!(drawn % 100),
        Shape::List => Value::Array(items),
        Shape::Object | Shape::Large => {
            let ok = if drawn & 64 == 0 { json!(true) } else { json!(false) };
            json!({ "n": drawn % 1000, "ok": ok, "items": items, "who": who(drawn >> 32) })
        }
    }
}

/// Whom a task names to work on another: an agent in most cases, as a text that may have spaces around it.
fn who(drawn: u64) -> Value {
    match drawn % 10 {
        0 => json!("a9"),
        1 => json!(["a0", "a1"]),
        2 => Value::Null,
        3 => json!(format!(" a{}\n", drawn / 10 % 3)),
        _ => json!(format!("a{}", drawn / 10 % 3)),
    }
}

impl Process {
    /// Whether its work is done when its main process ends by itself.
    pub(crate) fn does_its_work(&self) -> bool {
        self.behaviour.end == End::Succeeds
    }

    /// It is told to end, and killed after the grace.
    pub(crate) fn stop(&mut self, now: u64, grace: Span) {
        let killed_at = now + grace.ms;
        self.killed_at = Some(self.killed_at.map_or(killed_at, |before| before.min(killed_at)));
        let obeys = match self.behaviour.on_term {
            OnTerm::Ignores => killed_at,
            OnTerm::Dies | OnTerm::Exits(_) => killed_at.min(now + 5),
        };
        self.ends_at = self.ends_at.min(obeys);
    }

    /// What is reported of its end. The output of a large one goes to the blobs.
    pub(crate) fn ended(&self, now: u64, seed: u64, blobs: &MemoryBlobs) -> Ended {
        let stopped = self.killed_at.is_some_and(|_| now < self.started_at + self.behaviour.takes_ms);
        let (exit, error) = if stopped { self.end_when_stopped(now) } else { self.own_way() };
        let said_failed = self.behaviour.report == Reporting::SaidFailed && error.is_none();
        let error = if said_failed {
            Some(Failure::new(ErrorKind::Overloaded, "said to have failed"))
        } else {
            error
        };
        let succeeded = error.is_none() && exit == Exit::Code(0);
        let given = if succeeded { self.output(seed, blobs) } else { Ok((RawOutput::default(), None)) };
        let ((raw, output), error) = match given {
            Ok(given) => (given, error),
            Err(full) => ((RawOutput::default(), None), Some(full)),
        };
        Ended {
            key: self.assignment.key.clone(),
            fence: self.assignment.fence,
            exit,
            error,
            raw,
            output,
            usage: Usage { cpu_ms: self.behaviour.takes_ms, ..Usage::default() },
            leftovers: self.behaviour.leftovers,
        }
    }

    fn end_when_stopped(&self, now: u64) -> (Exit, Option<Failure>) {
        let killed = self.killed_at.is_some_and(|at| now >= at);
        match self.behaviour.on_term {
            OnTerm::Exits(code) if !killed => (Exit::Code(code), None),
            OnTerm::Dies if !killed => (Exit::Signal(15), None),
            OnTerm::Dies | OnTerm::Exits(_) | OnTerm::Ignores => (Exit::Signal(9), None),
        }
    }

    fn own_way(&self) -> (Exit, Option<Failure>) {
        match self.behaviour.end {
            End::Succeeds => (Exit::Code(0), None),
            End::Code(code) => (Exit::Code(code), None),
            End::Signal(signal) => (Exit::Signal(signal), None),
            End::NotStarted(kind) => (Exit::NotStarted, Some(Failure::new(kind, "it did not start"))),
            End::Error(kind, after) => {
                let retry_after = after.map(Span::from_ms);
                (Exit::Code(0), Some(Failure { retry_after, ..Failure::new(kind, "its adapter says so") }))
            }
        }
    }

    fn output(&self, seed: u64, blobs: &MemoryBlobs) -> Result<Given, Failure> {
        let value = value(seed, &self.assignment.key, self.shape);
        let text = value.to_string().into_bytes();
        if self.shape == Shape::Large {
            let full = |error: BlobError| Failure::new(ErrorKind::DiskFull, error.to_string());
            let blob = blobs.put(&text).map_err(full)?;
            return Ok((RawOutput { bytes: 1 << 20, blob: Some(blob), truncated: false }, None));
        }
        let raw = RawOutput { bytes: text.len() as u64, blob: None, truncated: false };
        let bad = self.behaviour.bad_output && self.assignment.settle.schema.is_some();
        let settled = if bad { Err(bad_output()) } else { Ok(Output { value, ..Output::default() }) };
        Ok((raw, Some(settled)))
    }
}

/// The output does not hold against its schema.
pub(crate) fn bad_output() -> Failure {
    Failure::new(ErrorKind::InvalidOutput, "it does not hold against its schema")
}

/// What settling a large output comes to: the parts that templates name, of what the blob holds.
pub(crate) fn settle(blob: Digest, extracts: &[String], blobs: &MemoryBlobs) -> Output {
    let bytes = blobs.get(blob).expect("it was put before its digest was said");
    let value: Value = serde_json::from_slice(&bytes).expect("it was written as JSON");
    let cut = extracts.iter().filter_map(|pointer| Some((pointer.clone(), value.pointer(pointer)?.clone())));
    Output { value: Value::Null, blob: Some(blob), extracts: cut.collect(), ..Output::default() }
}

/// The words of a driver that stops an attempt.
pub(crate) const fn overdue_words(why: StopWhy) -> &'static str {
    match why {
        StopWhy::Cancel => "it was cancelled",
        StopWhy::Timeout => "it took longer than its start_to_close",
        StopWhy::Stalled => "it was silent for its heartbeat",
        StopWhy::Memory => "it used more memory than it may",
        StopWhy::Shutdown => "its engine was told to end",
        StopWhy::Pause => "its run was paused at once",
        StopWhy::DiskFull => "the disk is full",
        StopWhy::LostRace => "another was chosen",
    }
}
