//! What all runs of a home share: the accounts of their agents, with breakers, pauses and limits.
//! Never: a run, or what becomes of its tasks.

mod breaker;
mod pace;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use self::breaker::Breaker;
pub use self::pace::{Cap, Pace};
use crate::failure::{Failure, Served};
use crate::id::{AccountName, Fence, Seq};
use crate::machine::breaker::Phase;
use crate::plan::rate::Rate;
use crate::planted::{Bug, is_planted};

/// The accounts by name, each from its first attempt on, or from the first run that names a rate for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    /// They.
    pub accounts: BTreeMap<AccountName, Account>,
    /// Those of which something is to follow, so that the others cost nothing.
    to_change: BTreeSet<AccountName>,
    /// Those whose breakers are open, by when each is half open.
    open: BTreeSet<(i64, AccountName)>,
}

/// What serves the agents that name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its circuit breaker.
    pub breaker: Breaker,
    /// How fast it may be called.
    pub pace: Pace,
    /// How many attempts of its agents are in flight.
    pub in_flight: u32,
}

/// Why no attempt of an account may start now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountBar {
    /// Its breaker is open until then, by steady time in milliseconds.
    Open(i64),
    /// Its breaker is half open, and an attempt probes.
    Probing,
    /// Its provider wants no more until then.
    Paused(i64),
    /// Its rate allows the next one then.
    Rate(i64),
    /// As many are in flight as its provider allows.
    Cap(u32),
}

impl AccountBar {
    /// When it ends by itself, by steady time in milliseconds.
    pub fn until(&self) -> Option<i64> {
        match self {
            Self::Open(until) | Self::Paused(until) | Self::Rate(until) => Some(*until),
            Self::Probing | Self::Cap(_) => None,
        }
    }

    /// Whether others take over while it lasts.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Open(_) | Self::Probing)
    }
}

impl Account {
    /// What keeps an attempt of an agent with this rate from starting.
    pub fn bar(&self, rate: Option<Rate>, now: i64) -> Option<AccountBar> {
        match self.breaker.phase {
            Phase::Open if !is_planted(Bug::BreakerIgnored) => {
                return Some(AccountBar::Open(self.breaker.until.unwrap_or(now)));
            }
            Phase::HalfOpen if self.breaker.probe.is_some() && !is_planted(Bug::BreakerIgnored) => {
                return Some(AccountBar::Probing);
            }
            Phase::Open | Phase::HalfOpen | Phase::Closed => {}
        }
        if let Some(until) = self.pace.paused_until.filter(|until| *until > now) {
            return Some(AccountBar::Paused(until));
        }
        if let Some(cap) = self.pace.cap.filter(|cap| self.in_flight >= cap.most) {
            return Some(AccountBar::Cap(cap.most));
        }
        self.pace.next_start(rate, now).filter(|_| !is_planted(Bug::RateIgnored)).map(AccountBar::Rate)
    }
}

/// An attempt of an account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) account: &'a AccountName,
    pub(crate) fence: Fence,
    /// By steady time in milliseconds.
    pub(crate) at: i64,
}

impl Fleet {
    /// The account of this name; none where nothing was ever started for it.
    pub fn account(&self, name: &AccountName) -> Option<&Account> {
        self.accounts.get(name)
    }

    /// A run names this rate for an account.
    pub(crate) fn hold_to(&mut self, name: AccountName, rate: Rate) {
        self.accounts.entry(name).or_default().pace.keep(rate.starts);
    }

    /// An attempt started.
    pub(crate) fn start(&mut self, call: Call<'_>) {
        let account = self.accounts.entry(call.account.clone()).or_default();
        account.in_flight += 1;
        account.breaker.start(call.fence);
        account.pace.start(call.at);
    }

    /// An attempt is over, with this failure if any.
    pub(crate) fn end(&mut self, call: Call<'_>, failure: Option<&Failure>) {
        let account = self.accounts.get_mut(call.account).expect("it was started before");
        let served = failure.map_or(Served::Well, |failure| failure.kind.served());
        let said = failure.map_or("", |failure| failure.message.as_str());
        let wait = failure.and_then(|failure| failure.retry_after);
        account.pace.end(call.fence, served, (account.in_flight, call.at), wait);
        account.breaker.end(call.fence, served, call.at, said);
        account.in_flight -= 1;
        self.look_at(call.account);
    }

    /// An attempt takes no room any more, since it waits for others or nothing is known of it. What probed leaves that to
    /// others.
    pub(crate) fn let_go(&mut self, account: &AccountName, fence: Fence) {
        let account = self.accounts.get_mut(account).expect("it was started before");
        account.in_flight -= 1;
        account.breaker.let_go(fence);
    }

    /// The same takes room again.
    pub(crate) fn take_back(&mut self, account: &AccountName) {
        self.accounts.get_mut(account).expect("it was started before").in_flight += 1;
    }

    pub(crate) fn change_breaker(&mut self, name: &AccountName, to: Phase, until: Option<i64>, why: &str) {
        let account = self.accounts.get_mut(name).expect("only what was called breaks");
        if let Some(until) = account.breaker.until {
            self.open.remove(&(until, name.clone()));
        }
        account.breaker.change(to, until, why);
        self.open.extend(until.map(|until| (until, name.clone())));
        self.look_at(name);
    }

    pub(crate) fn change_concurrency(&mut self, name: &AccountName, to: Option<u32>, seq: Seq) {
        self.accounts.get_mut(name).expect("only what was called is limited").pace.change(to, seq);
        self.look_at(name);
    }

    /// An account has changed: whether something is to follow from that.
    fn look_at(&mut self, name: &AccountName) {
        let account = &self.accounts[name];
        if account.breaker.due().is_some() || account.pace.due().is_some() {
            self.to_change.insert(name.clone());
        } else {
            self.to_change.remove(name);
        }
    }

    /// An account that is to change.
    pub(crate) fn next_to_change(&self) -> Option<(&AccountName, &Account)> {
        let name = self.to_change.first()?;
        Some((name, &self.accounts[name]))
    }

    /// The account whose breaker has been open long enough first.
    pub(crate) fn next_to_probe(&self, now: i64) -> Option<(&AccountName, &Account)> {
        let (_, name) = self.open.first().filter(|(until, _)| *until <= now)?;
        Some((name, &self.accounts[name]))
    }

    /// Whether the clock alone may let more through of some account than now.
    pub(crate) fn is_held_back(&self, now: i64) -> bool {
        !self.open.is_empty() || self.accounts.values().any(|account| account.pace.may_be_held_back(now))
    }

    /// The earliest moment after `now` at which an account lets more through, by steady time in milliseconds.
    pub fn next_due(&self) -> Option<i64> {
        self.open.first().map(|(until, _)| *until)
    }
}
