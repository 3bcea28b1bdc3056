//! How a plan that an attempt brought stands for those who wait for its end: whether anything but people brings it forward.
//! Never: what becomes of it, or of that attempt.

use crate::event::PauseReason;
use crate::machine::task::Phase;
use crate::state::{Blocked, Run, TaskIx};

/// How a part of a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Something in it, or around it, brings it forward.
    GoesOn,
    /// Only people can bring it forward.
    ForPeople,
    /// Its run is paused since a budget is used up, and nothing of it is in flight.
    Held,
    /// It has ended.
    Over,
}

impl Run {
    /// How a part of it stands: a task with all that is below it.
    pub fn standing_of(&self, part: TaskIx) -> Standing {
        if self.task(part).phase.is_final() {
            return Standing::Over;
        }
        let is_held = self.pauses.contains_key(&PauseReason::Budget);
        // Mostly nobody is asked anything, and there is no need to look at each task.
        if !is_held && self.in_phase(Phase::Blocked) == 0 {
            return Standing::GoesOn;
        }
        let family = self.family(part);
        let is_in = |phases: &[Phase]| family.iter().any(|ix| phases.contains(&self.task(*ix).phase));
        if is_in(&[Phase::Running, Phase::Stopping, Phase::Gating]) {
            return Standing::GoesOn;
        }
        if is_held {
            return Standing::Held;
        }
        let waits_for = || family.iter().filter_map(|ix| Some((*ix, self.task(*ix).blocked.as_ref()?)));
        let goes_on = is_in(&[Phase::Ready, Phase::BackingOff, Phase::Parked])
            || waits_for().any(|(ix, on)| match on {
                Blocked::Timer => true,
                Blocked::Topic => self.may_be_woken_from_without(ix, &family),
                Blocked::Person | Blocked::Outcome | Blocked::Select => false,
            });
        let asks = waits_for().any(|(_, on)| matches!(on, Blocked::Person | Blocked::Outcome));
        if asks && !goes_on { Standing::ForPeople } else { Standing::GoesOn }
    }

    /// Whether a message for a task that waits for one may come from outside of its part of the run.
    fn may_be_woken_from_without(&self, ix: TaskIx, family: &[TaskIx]) -> bool {
        let mut emitters = self.topic_of(ix).into_iter().flat_map(|topic| self.topics.emitters(topic));
        self.is_external(ix) || emitters.any(|emitter| !family.contains(&emitter))
    }
}
