//! What a run may use up in all: what is spent, what attempts in flight reserve, what people have added. Never: what
//! becomes of a run whose budget is used up (`decide/budgets.rs`).

use serde::{Deserialize, Serialize};

use crate::event::{BudgetKind, PauseReason, Raise, is_zero};
use crate::machine::task::Phase;
use crate::plan::Budget;
use crate::planted::{Bug, is_planted};
use crate::state::Run;
use crate::time::Span;

/// What was used of a budget, and what of it is left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purse {
    /// Attempts that were charged.
    pub spent: u32,
    /// Attempts in flight: each may come to be charged.
    pub open: u32,
    /// Those of them that have lent what they hold: what waits for room waits for them, and they for that.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lent: u32,
    /// What people have added.
    pub raised: Raise,
}

/// A budget that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedUp {
    /// Of what.
    pub kind: BudgetKind,
    /// How much of it was used.
    pub spent: u64,
    /// How much there was.
    pub limit: u64,
}

impl UsedUp {
    /// In words: `attempts, 5 of 5`.
    pub fn in_words(&self) -> String {
        match self.kind {
            BudgetKind::Attempts => format!("attempts, {} of {}", self.spent, self.limit),
            BudgetKind::Wall => {
                format!("wall, {} of {}", Span::from_ms(self.spent), Span::from_ms(self.limit))
            }
        }
    }

    /// What raises it, as an argument of `resume`.
    pub const fn argument(&self) -> &'static str {
        match self.kind {
            BudgetKind::Attempts => "--budget attempts=+5",
            BudgetKind::Wall => "--budget wall=+10m",
        }
    }
}

impl Purse {
    /// An attempt has started.
    pub(crate) fn reserve(&mut self) {
        self.open += 1;
    }

    /// An attempt was judged.
    pub(crate) fn settle(&mut self, is_charged: bool) {
        self.open -= 1;
        self.spent += u32::from(is_charged);
    }

    /// How many attempts there may be in all.
    pub fn attempts_max(&self, budget: &Budget) -> Option<u32> {
        budget.attempts.map(|most| most.saturating_add(self.raised.attempts))
    }

    /// How long it may take in all.
    pub fn wall_max(&self, budget: &Budget) -> Option<Span> {
        budget.wall.map(|most| most.plus(self.raised.wall))
    }

    /// Whether another attempt is within the budget, also where all in flight come to be charged.
    pub(crate) fn has_room(&self, budget: &Budget) -> bool {
        let open = if is_planted(Bug::NothingReserved) { 0 } else { self.open };
        self.attempts_max(budget).is_none_or(|most| self.spent + open < most)
    }

    /// The budget of attempts, where it is used up.
    pub(crate) fn no_attempts(&self, budget: &Budget) -> Option<UsedUp> {
        let spent = self.spent + self.lent;
        let limit = self.attempts_max(budget).filter(|most| spent >= *most)?;
        Some(UsedUp { kind: BudgetKind::Attempts, spent: spent.into(), limit: limit.into() })
    }

    /// The budget of time, where it is used up when the clock of the run shows this.
    pub(crate) fn no_time(&self, budget: &Budget, active: Span) -> Option<UsedUp> {
        let limit = self.wall_max(budget).filter(|most| active >= *most)?;
        Some(UsedUp { kind: BudgetKind::Wall, spent: active.ms, limit: limit.ms })
    }

    /// A budget that is used up when the clock of the run shows this.
    pub fn used_up(&self, budget: &Budget, active: Span) -> Option<UsedUp> {
        self.no_attempts(budget).or_else(|| self.no_time(budget, active))
    }

    /// A person adds to it.
    pub(crate) fn raise(&mut self, by: Raise) {
        self.raised.attempts = self.raised.attempts.saturating_add(by.attempts);
        self.raised.wall = self.raised.wall.plus(by.wall);
    }
}

impl Run {
    /// The budget that it is paused for, while it stays used up; `alive` is how long an engine was.
    pub fn paused_for(&self, alive: Span) -> Option<UsedUp> {
        self.pauses.get(&PauseReason::Budget)?;
        self.purse.used_up(&self.plan.budget, self.active.at(alive))
    }

    /// What brings it forward where it is paused for a budget, as an argument of `resume`. An attempt that the pause
    /// ended counts no more, so that attempts may be left; but it will want as many again.
    pub fn wanted_raise(&self, alive: Span) -> Option<&'static str> {
        self.pauses.get(&PauseReason::Budget)?;
        let held = UsedUp { kind: BudgetKind::Attempts, spent: 0, limit: 0 };
        Some(self.paused_for(alive).unwrap_or(held).argument())
    }

    /// Its budget of attempts, where it is used up and tasks want more of them.
    pub(crate) fn wants_attempts(&self) -> Option<UsedUp> {
        let wants = [Phase::Ready, Phase::BackingOff, Phase::Parked]
            .into_iter()
            .any(|phase| self.in_phase(phase) > 0);
        self.purse.no_attempts(&self.plan.budget).filter(|_| wants)
    }
}
