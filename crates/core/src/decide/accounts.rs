//! What follows from what the accounts of the fleet have met: a breaker changes, or how many attempts may be in flight.
//! Never: which attempts start then (`state/placement.rs`).

use crate::decide::Stamp;
use crate::event::Event;
use crate::id::AccountName;
use crate::machine::breaker::{Fact, Phase};
use crate::policy::breaker as policy;
use crate::state::State;
use crate::state::fleet::Account;

/// What follows from what the accounts have met.
pub(crate) fn next(state: &State, stamp: Stamp) -> Option<Event> {
    let (name, account) = state.fleet.next_to_change()?;
    if let Some((fact, why)) = account.breaker.due() {
        return Some(changed(state, stamp, (name, account), fact, why));
    }
    let to = account.pace.due()?.most();
    let from = account.pace.cap.map(|cap| cap.most);
    Some(Event::ConcurrencyChanged { account: name.clone(), from, to })
}

/// The next breaker that has been open long enough.
pub(crate) fn next_timer(state: &State, stamp: Stamp) -> Option<Event> {
    let now = state.steady(stamp.now);
    let waited = state.fleet.next_to_probe(now)?;
    Some(changed(state, stamp, waited, Fact::Waited, "it has been open long enough"))
}

fn changed(
    state: &State,
    stamp: Stamp,
    (name, account): (&AccountName, &Account),
    fact: Fact,
    why: &str,
) -> Event {
    let from = account.breaker.phase;
    let to = from.next(fact).expect("a breaker notes only what can happen to it");
    let now = stamp.now.max(state.now);
    let until = (to == Phase::Open).then(|| now.after(policy::open_for(account.breaker.opened)));
    Event::BreakerChanged { account: name.clone(), from, to, until, why: why.to_owned() }
}
