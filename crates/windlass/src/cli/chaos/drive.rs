//! Lets engines work on the copy, one after the other, and does harm to them as the schedule says. Never: harm after the
//! time is over; then all that was begun comes to its end.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;
use windlass_core::id::{RunId, Seq, TaskId};
use windlass_core::state::{Blocked, Run};
use windlass_engine::clock;
use windlass_worker::chaos::{End, Harm, Victim};

use super::ground::{Ground, Printed};
use super::schedule::{Fault, Planned, Schedule};
use super::witness::{Promise, Witness};
use crate::desk::Desk;
use crate::error::Outcome;
use crate::exit::Exit;
use crate::render::time::length;
use crate::signals;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(10);
/// A fault does not wait for records once none has come for so long.
const QUIET: Duration = Duration::from_secs(1);
/// After the last fault, what has given no record for as long as harm was done, and for so long at most, is cancelled.
const PATIENCE_MAX: Duration = Duration::from_mins(1);
/// What is left on a full disk, in bytes: so little that the engine pauses before it is full, or that it is.
const ROOM_LEFT: [u64; 2] = [3 << 19, 1 << 16];
/// So many engines in a row may end without a record before that counts as standing still.
const IDLE_MAX: u32 = 3;

/// How much harm is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    /// For how long.
    pub(super) time: Duration,
    /// How many faults at most.
    pub(super) faults: Option<u32>,
}

/// A fault that was injected.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Injected {
    pub(super) fault: Fault,
    /// Behind this record.
    pub(super) seq: Seq,
    /// Whether everything held until the next one.
    pub(super) held: bool,
}

/// What was done by the way, since nobody else would do it on a copy.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answers {
    /// Outcomes that nobody knew, settled as failed.
    pub(super) settled: u32,
    /// Runs that only waited for something that does not come here, cancelled.
    pub(super) cancelled: u32,
}

/// Engines under fire.
pub(super) struct Drive<'a> {
    pub(super) desk: &'a mut Desk,
    pub(super) ground: &'a mut Ground,
    pub(super) witness: &'a mut Witness,
    pub(super) measure: Measure,
    schedule: Schedule,
    next: Planned,
    began: Duration,
    pub(super) injected: Vec<Injected>,
    pub(super) answers: Answers,
    /// The runs that were told to end: each once.
    cancelled: BTreeSet<RunId>,
    /// How many records there were at the last fault, and how many there are.
    records: (u64, u64),
    /// When the newest of them came.
    progress: Duration,
    /// Until when the disk is full.
    full: Option<Duration>,
    idle_engines: u32,
}

/// An engine, and what is done to it at the moment.
struct Fight {
    victim: Victim,
    printed: Printed,
    /// Until when it is held.
    held: Option<Duration>,
    /// Whether it was killed.
    killed: bool,
    /// Whether its disk was full at some time.
    starved: bool,
    /// How many records there were when it began.
    records: u64,
}

impl<'a> Drive<'a> {
    pub(super) fn new(
        desk: &'a mut Desk,
        (ground, witness): (&'a mut Ground, &'a mut Witness),
        measure: Measure,
        mut schedule: Schedule,
    ) -> Self {
        let (next, now) = (schedule.draw(), clock::awake());
        Self {
            desk,
            ground,
            witness,
            measure,
            schedule,
            next,
            began: now,
            injected: Vec::new(),
            answers: Answers::default(),
            cancelled: BTreeSet::new(),
            records: (0, 0),
            progress: now,
            full: None,
            idle_engines: 0,
        }
    }

    /// Does all of it.
    pub(super) fn go(&mut self) -> Outcome<()> {
        while self.is_whole() && (self.does_harm() || self.witness.unfinished().next().is_some()) {
            let is_left = self.witness.unfinished().next().is_some();
            let (victim, printed) = if is_left { self.ground.resume() } else { self.ground.run() }?;
            let records = self.records.1;
            let mut fight = Fight { victim, printed, held: None, killed: false, starved: false, records };
            let end = self.attend(&mut fight)?;
            self.make_room();
            self.look();
            self.witness.compare_with_what_was_told(&fight.printed.out);
            if self.is_whole() {
                self.judge_end(&fight, end)?;
            }
            self.attribute();
        }
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.witness.broken().is_empty()
    }

    /// Whether there is harm to be done yet.
    fn does_harm(&self) -> bool {
        let is_enough = self.measure.faults.is_some_and(|most| self.injected.len() as u64 >= most.into());
        !is_enough
            && signals::first().is_none()
            && clock::awake().saturating_sub(self.began) < self.measure.time
    }

    fn look(&mut self) {
        let records = self.witness.look();
        if records > self.records.1 {
            self.records.1 = records;
            self.progress = clock::awake();
        }
    }

    /// What does not hold does not hold since the last fault.
    fn attribute(&mut self) {
        if !self.is_whole()
            && let Some(last) = self.injected.last_mut()
        {
            last.held = false;
        }
    }

    /// Looks on, and does harm when it is due, until the engine has ended.
    fn attend(&mut self, fight: &mut Fight) -> Outcome<End> {
        loop {
            if let Some(end) =
                fight.victim.end().map_err(|error| super::failed("look at an engine", &error))?
            {
                return Ok(end);
            }
            self.look();
            let now = clock::awake();
            if fight.held.is_some_and(|until| now >= until) {
                fight.victim.let_go();
                fight.held = None;
                self.progress = now;
            }
            if self.full.is_some_and(|until| now >= until) {
                self.make_room();
                self.progress = now;
            }
            if !self.is_whole() {
                fight.killed = fight.victim.harm(Harm::KillEngine, 0);
            } else if fight.held.is_none() && self.full.is_none() && !fight.killed {
                if self.does_harm() {
                    self.inject_when_due(fight, now);
                } else if signals::first().is_some()
                    || now.saturating_sub(self.progress) > self.measure.time.min(PATIENCE_MAX)
                {
                    self.cancel_all()?;
                    self.progress = clock::awake();
                }
            }
            std::thread::sleep(LOOK);
        }
    }

    fn inject_when_due(&mut self, fight: &mut Fight, now: Duration) {
        // Before there is a run there is nothing to be lost.
        if self.witness.unfinished().next().is_none() {
            return;
        }
        let is_due =
            self.records.1 - self.records.0 >= self.next.after || now.saturating_sub(self.progress) >= QUIET;
        if !is_due || !self.inject(fight, now) {
            return;
        }
        let Planned { fault, .. } = self.next;
        let seq = Seq(self.records.1);
        self.desk.note(&format!(
            "{:>8}  {} behind record {seq}",
            length(span(now.saturating_sub(self.began))),
            fault.in_words()
        ));
        self.injected.push(Injected { fault, seq, held: true });
        self.records.0 = self.records.1;
        self.progress = now;
        self.next = self.schedule.draw();
    }

    /// Does the harm that comes next, if there is something to do it to.
    fn inject(&mut self, fight: &mut Fight, now: Duration) -> bool {
        let Planned { fault, pick, lasts, .. } = self.next;
        let harm = match fault {
            Fault::DiskFull => {
                let is_done = self.ground.leave_room(Some(ROOM_LEFT[pick % ROOM_LEFT.len()]));
                fight.starved |= is_done;
                self.full = is_done.then_some(now + lasts);
                return is_done;
            }
            Fault::EngineKilled => Harm::KillEngine,
            Fault::KeeperKilled => Harm::KillKeeper,
            Fault::BothKilled => Harm::KillBoth,
            Fault::EngineHeld => Harm::HoldEngine,
            Fault::MonitorKilled => Harm::KillMonitor,
            Fault::AttemptKilled => Harm::KillAttempt,
        };
        let is_done = fight.victim.harm(harm, pick);
        if is_done {
            fight.killed = matches!(harm, Harm::KillEngine | Harm::KillBoth);
            fight.held = (harm == Harm::HoldEngine).then_some(now + lasts);
        }
        is_done
    }

    fn make_room(&mut self) {
        if self.full.take().is_some() && !self.ground.leave_room(None) {
            self.witness.complain(Promise::Ends, "no room could be made again on the disk");
        }
    }

    /// Goes by how an engine ended: what it left is to come to an end, too.
    fn judge_end(&mut self, fight: &Fight, end: End) -> Outcome<()> {
        if fight.killed {
            return Ok(());
        }
        self.idle_engines = if self.records.1 > fight.records { 0 } else { self.idle_engines + 1 };
        let code = match end {
            End::Code(code) => Exit::of_code(code),
            // Others kill, too: then it goes on as well.
            End::Signal(_) => return Ok(()),
        };
        let is_left = self.witness.unfinished().next().is_some();
        match code {
            Exit::Paused => self.answer(),
            Exit::Done | Exit::Failed if !is_left || self.idle_engines < IDLE_MAX => Ok(()),
            Exit::Interrupted | Exit::HungUp | Exit::Terminated => Ok(()),
            Exit::Environment if fight.starved => Ok(()),
            Exit::Done | Exit::Failed | Exit::Usage | Exit::Environment | Exit::Bug => {
                let words = fight.printed.last_words();
                self.witness
                    .complain(Promise::Ends, format!("an engine ended with code {}: {words}", code.code()));
                Ok(())
            }
        }
    }

    /// Says what only people can say, since there is nobody on a copy: that what nobody knows has failed. A run that
    /// waits for anything else has come to its end here.
    fn answer(&mut self) -> Outcome<()> {
        let unknown: Vec<(RunId, TaskId)> = self.witness.unfinished().flat_map(unknown_outcomes).collect();
        if unknown.is_empty() {
            return self.cancel_all();
        }
        for (run, task) in unknown {
            let done = self.ask(&["settle", run.as_str(), task.as_str(), "--failed"])?;
            self.answers.settled += u32::from(done);
            let still = |other: &Run| unknown_outcomes(other).any(|(of, other)| (of, &other) == (run, &task));
            if done && self.witness.unfinished().any(still) {
                let what = format!("{run}/{task} was settled, and its outcome is unknown");
                self.witness.complain(Promise::Acknowledged, what);
            }
        }
        Ok(())
    }

    fn cancel_all(&mut self) -> Outcome<()> {
        let unfinished = self.witness.unfinished().map(|run| run.id);
        let runs: Vec<RunId> = unfinished.filter(|run| !self.cancelled.contains(run)).collect();
        for run in runs {
            if self.ask(&["cancel", run.as_str()])? {
                self.cancelled.insert(run);
                self.answers.cancelled += 1;
            }
        }
        Ok(())
    }

    /// Carries a command out. Says whether it was done.
    fn ask(&mut self, words: &[&str]) -> Outcome<bool> {
        let (end, _) = self.ground.ask(words)?;
        self.look();
        Ok(end == End::Code(0))
    }
}

/// The tasks of a run that wait for somebody who knows how they ended.
fn unknown_outcomes(run: &Run) -> impl Iterator<Item = (RunId, TaskId)> {
    let tasks = run.tasks.iter().filter(|task| task.blocked == Some(Blocked::Outcome));
    tasks.map(|task| (run.id, task.id.clone()))
}

fn span(duration: Duration) -> windlass_core::time::Span {
    windlass_core::time::Span::from_ms(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
