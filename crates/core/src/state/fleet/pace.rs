//! How fast an account may be called: what its provider and its owner allow. Never: how much that is
//! (`policy/concurrency.rs`, `policy/rate.rs`).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::failure::Served;
use crate::id::{Fence, Seq};
use crate::plan::rate::Rate;
use crate::policy::concurrency::{self, Allowed};
use crate::policy::rate;
use crate::time::Span;

/// What an account is held to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// How many attempts may be in flight while its provider limits it.
    pub cap: Option<Cap>,
    /// Until when its provider wants no more, by steady time in milliseconds.
    pub paused_until: Option<i64>,
    /// When the newest attempts started, as many as the rates of its agents look at, whatever run they are of.
    starts: VecDeque<i64>,
    /// How many that are.
    kept: u32,
    /// What its concurrency is to become.
    due: Option<Allowed>,
    /// Attempts that started before this record, which lowered the cap, have met the limit that it did so for.
    since: Seq,
    /// How many were in flight when a limit was met and there was no cap.
    before: u32,
}

/// How many attempts may be in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// So many.
    pub most: u32,
    /// How many were in flight when the first limit was met: with so many again there is no cap.
    before: u32,
    /// How many were served since it last changed.
    served: u32,
}

impl Pace {
    /// What the concurrency is to become.
    pub(crate) fn due(&self) -> Option<Allowed> {
        self.due
    }

    /// Whether another attempt may have to wait for the clock: its provider's pause, or a rate of one of its agents.
    pub(super) fn may_be_held_back(&self, now: i64) -> bool {
        !self.starts.is_empty() || self.paused_until.is_some_and(|until| until > now)
    }

    /// When another attempt may start by this rate; none where it may now.
    pub fn next_start(&self, rate: Option<Rate>, now: i64) -> Option<i64> {
        rate::next_start(rate?, &self.starts, now)
    }

    /// A rate that looks at so many starts counts from here on.
    pub(super) fn keep(&mut self, starts: u32) {
        self.kept = self.kept.max(starts);
    }

    /// An attempt started.
    pub(super) fn start(&mut self, at: i64) {
        self.starts.push_back(at);
        while self.starts.len() > usize::try_from(self.kept).expect("32 bits fit") {
            self.starts.pop_front();
        }
    }

    /// One of so many attempts in flight is over; its provider may want no more for a while.
    pub(super) fn end(
        &mut self,
        fence: Fence,
        served: Served,
        (in_flight, at): (u32, i64),
        wait: Option<Span>,
    ) {
        match served {
            Served::Limited => {
                if let Some(wait) = wait {
                    self.paused_until = self.paused_until.max(Some(at.saturating_add_unsigned(wait.ms)));
                }
                // All that were in flight meet the same limit: it counts once.
                if fence > Fence::from(self.since) {
                    self.before = self.cap.map_or(in_flight, |cap| cap.before);
                    let most = concurrency::after_limit(in_flight, self.cap.map(|cap| cap.most));
                    self.due = Some(Allowed::AtMost(most));
                }
            }
            Served::Well => {
                let Some(cap) = &mut self.cap else { return };
                cap.served += 1;
                self.due = concurrency::after_served(cap.most, cap.served, cap.before);
            }
            Served::Failed | Served::Barred | Served::Unknown => {}
        }
    }

    /// The concurrency changed.
    pub(super) fn change(&mut self, to: Option<u32>, seq: Seq) {
        let before = self.cap.map_or(u32::MAX, |cap| cap.most);
        if to.is_some_and(|most| most <= before) {
            self.since = seq;
        }
        self.cap = to.map(|most| Cap { most, before: self.before, served: 0 });
        self.due = None;
    }
}
