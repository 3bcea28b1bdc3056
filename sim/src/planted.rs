//! The bugs that can be planted, and which invariant is to find each. Never: a bug that nothing finds.

use windlass_core::planted::Bug;

use crate::seed::Ending;

/// Whether a world ended by what is to find a bug.
pub fn is_found(bug: Bug, ending: &Ending) -> bool {
    match ending {
        Ending::Broken(broken) => finders(bug).contains(&broken.invariant),
        Ending::Well | Ending::Crashed(_) => false,
    }
}

/// The invariants of which one is to be broken by a bug, by number and name.
#[rustfmt::skip]
pub const fn finders(bug: Bug) -> &'static [&'static str] {
    match bug {
        Bug::OldFenceAccepted           => &["3 one winner", "4 fences grow"],
        Bug::FencePerAttempt            => &["4 fences grow"],
        Bug::StartBeforeReaped          => &["4 fences grow"],
        Bug::DeadDependencyLeavesWaiter => &["7 dependencies"],
        Bug::RetryBeforeDue             => &["6 not before due"],
        Bug::EngineDeathCharged         => &["5 attempts"],
        Bug::RateLimitCharged           => &["5 attempts"],
        Bug::LossesNotBounded           => &["5 attempts"],
        Bug::PublishedBeforeAppend      => &["2 prefix"],
        Bug::EffectBeforeAppend         => &["2 prefix"],
        Bug::CancelOverruled            => &["19 cancel"],
        Bug::ConcurrencyIgnored         => &["11 limits"],
    }
}
