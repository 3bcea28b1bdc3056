//! Whether, and how long after a failure, a task is tried again. Never: state, or drawing the random number itself.

use serde::{Deserialize, Serialize};

use crate::failure::{ErrorKind, Failure, Retried};
use crate::plan::{Jitter, Retry};
use crate::planted::{Bug, is_planted};
use crate::time::Span;

/// What a task's incarnation has behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// Attempts that count toward `max_attempts`.
    pub charged: u32,
    /// Attempts above `max_attempts` that were granted to agents that took over.
    #[serde(default)]
    pub granted: u32,
    /// Deaths of the engine or the keeper while the task was alone in flight.
    pub losses: u32,
    /// How often the ceiling of the wait has grown.
    pub level: u32,
    /// Kinds that are tried again a single time, and were.
    pub once: std::collections::BTreeSet<ErrorKind>,
}

/// What follows a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another attempt, after a wait that was drawn from below the ceiling.
    Retry {
        /// The wait.
        wait: Span,
        /// Its ceiling.
        ceiling: Span,
    },
    /// Another attempt at once, by the agent that takes over.
    HandOver,
    /// No other attempt. The failure says why: the one it had, or `poison`.
    GiveUp(Failure),
}

/// Whether a wait comes before the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Backoff, as the policy says.
    Backoff,
    /// None: what ended the attempt had nothing to do with it.
    None,
}

/// What a failure is weighed by besides the policy.
#[derive(Clone, Copy, Debug)]
pub struct Beside {
    /// Whether a wait comes before the next attempt.
    pub delay: Delay,
    /// Whether an agent is left that takes over.
    pub has_successor: bool,
    /// A uniform random number.
    pub draw: u64,
}

/// Weighs a failure against the policy. `tries` does not count it yet.
pub fn after_failure(policy: &Retry, tries: &Tries, failure: &Failure, beside: Beside) -> Next {
    let treatment = failure.kind.treatment();
    let charged = tries.charged + u32::from(failure.kind.is_charged());
    let used_once = treatment.retried == Retried::Once && tries.once.contains(&failure.kind);
    let is_excluded = policy.non_retryable.contains(&failure.kind);
    let never = treatment.retried == Retried::No || is_excluded;
    let bounded = !is_planted(Bug::LossesNotBounded);
    if tries.losses >= policy.losses_max && failure.kind == ErrorKind::Lost && bounded {
        return Next::GiveUp(poison(tries.losses, failure));
    }
    let is_last = failure.kind.is_charged() && charged >= policy.max_attempts + tries.granted;
    if never || used_once || is_last {
        let hands_over = treatment.falls_back && beside.has_successor && !is_excluded;
        return if hands_over { Next::HandOver } else { Next::GiveUp(failure.clone()) };
    }
    let ceiling = ceiling(policy, tries.level);
    let drawn = match (beside.delay, policy.jitter) {
        (Delay::None, _) => Span::default(),
        (Delay::Backoff, Jitter::None) => ceiling,
        (Delay::Backoff, Jitter::Full) => Span::from_ms(scale(beside.draw, ceiling.ms)),
    };
    let floor = failure.retry_after.unwrap_or_default();
    Next::Retry { wait: drawn.max(floor), ceiling }
}

/// What follows where nothing was wrong: another attempt, at once.
pub fn after_interruption(policy: &Retry, tries: &Tries) -> Next {
    Next::Retry { wait: Span::default(), ceiling: ceiling(policy, tries.level) }
}

/// The ceiling of the wait after it has grown this often. It never falls as the level grows.
pub fn ceiling(policy: &Retry, level: u32) -> Span {
    let mut ceiling = policy.initial_interval.ms;
    for _ in 0..level {
        if ceiling >= policy.max_interval.ms {
            break;
        }
        let grown = u128::from(ceiling) * u128::from(policy.backoff_coefficient_milli) / 1000;
        ceiling = u64::try_from(grown).unwrap_or(u64::MAX);
    }
    Span::from_ms(ceiling.min(policy.max_interval.ms))
}

/// A number from 0 to `most`, as far along as `draw` is between 0 and its own maximum.
fn scale(draw: u64, most: u64) -> u64 {
    let scaled = (u128::from(draw) * (u128::from(most) + 1)) >> 64;
    u64::try_from(scaled).expect("at most `most`")
}

fn poison(losses: u32, last: &Failure) -> Failure {
    Failure::new(
        ErrorKind::Poison,
        format!(
            "it was alone in flight at {losses} deaths of the engine or the keeper; the last: {}",
            last.message
        ),
    )
    .hint("look at its log for what kills its surroundings (memory, disk); then `windlass retry RUN TASK`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Retry {
        Retry {
            initial_interval: Span::from_secs(1),
            backoff_coefficient_milli: 2000,
            max_interval: Span::from_secs(60),
            jitter: Jitter::Full,
            max_attempts: 3,
            losses_max: 3,
            non_retryable: vec![ErrorKind::Stalled],
        }
    }

    fn charged(charged: u32) -> Tries {
        Tries { charged, ..Tries::default() }
    }

    fn gives_up(tries: &Tries, kind: ErrorKind) -> bool {
        matches!(after_failure(&policy(), tries, &Failure::new(kind, ""), drawn(0)), Next::GiveUp(_))
    }

    fn drawn(draw: u64) -> Beside {
        Beside { delay: Delay::Backoff, has_successor: false, draw }
    }

    #[test]
    fn only_some_kinds_lead_to_an_agent_that_takes_over_and_its_attempt_is_granted() {
        let next = |tries: &Tries, kind| {
            let beside = Beside { has_successor: true, ..drawn(0) };
            after_failure(&policy(), tries, &Failure::new(kind, ""), beside)
        };
        for kind in [ErrorKind::Auth, ErrorKind::Refused, ErrorKind::SpawnNotFound] {
            assert_eq!(next(&charged(0), kind), Next::HandOver);
            assert_eq!(next(&charged(2), kind), Next::HandOver);
        }
        assert!(matches!(next(&charged(2), ErrorKind::Exit), Next::GiveUp(_)));
        assert!(matches!(next(&charged(0), ErrorKind::ContextOverflow), Next::Retry { .. }));
        let again = Tries { once: [ErrorKind::ContextOverflow].into(), ..charged(1) };
        assert_eq!(next(&again, ErrorKind::ContextOverflow), Next::HandOver);
        assert_eq!(next(&charged(2), ErrorKind::ContextOverflow), Next::HandOver);
        let granted = Tries { granted: 1, ..charged(2) };
        assert!(matches!(next(&granted, ErrorKind::Exit), Next::Retry { .. }));
    }

    #[test]
    fn charged_attempts_never_exceed_the_policy() {
        assert!(!gives_up(&charged(1), ErrorKind::Exit));
        assert!(gives_up(&charged(2), ErrorKind::Exit));
    }

    #[test]
    fn an_uncharged_failure_uses_up_nothing() {
        assert!(!gives_up(&charged(2), ErrorKind::RateLimited));
        assert!(!gives_up(&charged(2), ErrorKind::Lost));
    }

    #[test]
    fn a_non_retryable_kind_is_never_tried_again() {
        assert!(gives_up(&charged(0), ErrorKind::SpawnNotFound));
        assert!(gives_up(&charged(0), ErrorKind::Stalled));
    }

    #[test]
    fn some_kinds_are_tried_again_a_single_time() {
        let mut tries = charged(0);
        assert!(!gives_up(&tries, ErrorKind::OutOfMemory));
        tries.once.insert(ErrorKind::OutOfMemory);
        assert!(gives_up(&tries, ErrorKind::OutOfMemory));
    }

    #[test]
    fn a_task_that_was_alone_at_too_many_deaths_is_poison() {
        let tries = Tries { losses: 3, ..Tries::default() };
        let lost = Failure::new(ErrorKind::Lost, "the engine died");
        let beside = Beside { delay: Delay::None, ..drawn(0) };
        let Next::GiveUp(failure) = after_failure(&policy(), &tries, &lost, beside) else {
            panic!("it was tried again");
        };
        assert_eq!(failure.kind, ErrorKind::Poison);
    }

    #[test]
    fn the_ceiling_doubles_up_to_its_maximum_and_never_falls() {
        let ceilings: Vec<u64> = (0..9).map(|level| ceiling(&policy(), level).ms / 1000).collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(ceiling(&policy(), u32::MAX), Span::from_secs(60));
    }

    #[test]
    fn the_wait_is_drawn_from_below_the_ceiling_and_not_before_retry_after() {
        let failure = Failure::new(ErrorKind::Exit, "");
        let wait = |failure: &Failure, draw| match after_failure(&policy(), &charged(0), failure, drawn(draw))
        {
            Next::Retry { wait, .. } => wait.ms,
            Next::HandOver | Next::GiveUp(_) => panic!("not tried again"),
        };
        assert_eq!(wait(&failure, 0), 0);
        assert_eq!(wait(&failure, u64::MAX), 1000);
        assert_eq!(wait(&failure, u64::MAX / 2), 500);
        let limited =
            Failure { retry_after: Some(Span::from_secs(30)), ..Failure::new(ErrorKind::RateLimited, "") };
        assert_eq!(wait(&limited, 0), 30_000);
    }
}
