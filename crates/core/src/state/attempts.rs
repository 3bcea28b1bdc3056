//! What an attempt has come to, as far as that is known. Never: what becomes of its task (`decide/judge.rs`).

use crate::event::{Exit, LossReason, StopWhy};
use crate::failure::{ErrorKind, Failure};
use crate::machine::attempt;
use crate::output::RawOutput;
use crate::policy::retry::Delay;
use crate::state::Attempt;

impl Attempt {
    /// Whether its main process is not over, as far as is known.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.phase, attempt::Phase::Running | attempt::Phase::Stopping)
    }

    /// Whether its result can't be judged before its output is settled.
    pub(crate) fn awaits_settling(&self) -> bool {
        self.is_unsettled() && !self.has_lost_output()
    }

    /// Whether it ended well and its output, which was to lie in the record behind its end, is nowhere: the end of the
    /// journal was lost.
    pub(crate) fn has_lost_output(&self) -> bool {
        let is_nowhere = |raw: &RawOutput| raw.bytes > 0 && raw.blob.is_none();
        self.is_unsettled() && self.raw.as_ref().is_some_and(is_nowhere)
    }

    fn is_unsettled(&self) -> bool {
        self.phase == attempt::Phase::Finished && self.stop.is_none() && self.error.is_none() && !self.settled
    }

    /// What was wrong, and whether a wait is due before another attempt; none where nothing was.
    pub(crate) fn failure(&self) -> Option<(Failure, Delay)> {
        let lost = || Failure::new(ErrorKind::Lost, "its output was lost with the end of the journal");
        self.told().or_else(|| self.has_lost_output().then(|| (lost(), Delay::None)))
    }

    /// The same, as far as its agent has to do with it.
    pub(crate) fn told(&self) -> Option<(Failure, Delay)> {
        if self.phase == attempt::Phase::Lost {
            let lost = self.error.clone().unwrap_or_else(|| Failure::new(ErrorKind::Lost, "it was lost"));
            let delay = if self.lost == Some(LossReason::EngineDied) { Delay::None } else { Delay::Backoff };
            return Some((lost, delay));
        }
        if let Some((why, message, _)) = &self.stop {
            let delay = if interrupts(*why) { Delay::None } else { Delay::Backoff };
            return Some((stopped(*why, message), delay));
        }
        self.error.clone().map(|error| (error, Delay::Backoff))
    }

    /// Whether an attempt was ended because its engine ended in order, or its run was paused. That is no loss, and the policy
    /// has no say in it.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.phase != attempt::Phase::Lost && self.stop.as_ref().is_some_and(|(why, ..)| interrupts(*why))
    }

    /// Whether the attempt's own exit says what happened: it ended with a code, or never began.
    pub(crate) fn ended_by_itself(&self) -> bool {
        let has_end = self.stop.is_none() && !self.has_lost_output();
        has_end && matches!(self.exit, Some(Exit::Code(_) | Exit::NotStarted))
    }

    /// Whether an attempt that is over is charged: what it did well is, as is what went wrong by its own fault or its agent's.
    pub(crate) fn is_charged(&self) -> bool {
        self.failure().is_none_or(|(failure, _)| failure.kind.is_charged())
    }
}

fn interrupts(why: StopWhy) -> bool {
    matches!(why, StopWhy::Shutdown | StopWhy::Pause)
}

/// The failure of an attempt that was ended from outside.
pub(crate) fn stopped(why: StopWhy, message: &str) -> Failure {
    let kind = match why {
        StopWhy::Cancel | StopWhy::LostRace => ErrorKind::Cancelled,
        StopWhy::Timeout => ErrorKind::Timeout,
        StopWhy::Stalled => ErrorKind::Stalled,
        StopWhy::Memory => ErrorKind::OutOfMemory,
        StopWhy::DiskFull => ErrorKind::DiskFull,
        StopWhy::Shutdown | StopWhy::Pause => ErrorKind::Interrupted,
    };
    Failure::new(kind, message)
}
