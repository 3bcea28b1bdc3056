//! The state's list of live attempts beside the keeper's: what one has and the other has not. Never: an attempt lost at
//! the first look, since its report may be on its way.

use std::collections::BTreeSet;

use windlass_core::event::LossReason;
use windlass_core::id::Fence;
use windlass_core::input::{LostAttempt, Report};
use windlass_core::state::State;

/// What was found when the lists were last compared.
#[derive(Debug, Default)]
pub struct Lists {
    /// Attempts that the keeper did not know.
    doubted: BTreeSet<Fence>,
}

impl Lists {
    /// Compares. An attempt of this opening that the keeper does not know, twice in a row, has no report on its way: it
    /// is lost. What became of those of earlier openings is learned in another way.
    pub fn compare(&mut self, state: &State, known: &BTreeSet<Fence>) -> Option<Report> {
        let unknown =
            state.live.iter().filter(|(fence, _)| !known.contains(fence)).filter_map(|(fence, live)| {
                let (run, ix) = live;
                let task = state.runs[run].task(*ix);
                let attempt = task.live_attempt().filter(|attempt| attempt.epoch == state.epoch)?;
                Some(LostAttempt { key: task.key(*run, attempt), fence: *fence, leftovers: 0 })
            });
        let unknown: Vec<LostAttempt> = unknown.collect();
        let now_doubted = unknown.iter().map(|attempt| attempt.fence).collect();
        let before = std::mem::replace(&mut self.doubted, now_doubted);
        let attempts: Vec<LostAttempt> =
            unknown.into_iter().filter(|attempt| before.contains(&attempt.fence)).collect();
        (!attempts.is_empty()).then_some(Report::Lost { attempts, reason: LossReason::ReportLost })
    }

    /// Whether there was one that the keeper did not know.
    pub fn is_in_doubt(&self) -> bool {
        !self.doubted.is_empty()
    }
}
