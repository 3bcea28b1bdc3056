//! When a breaker opens, and for how long. Never: state, or whose breaker it is.

use crate::time::Span;

/// How far back calls count.
pub const WINDOW: Span = Span::from_secs(5 * 60);
/// How many calls count at most: the newest.
pub const CALLS_MAX: usize = 50;
/// With fewer calls in the window a breaker stays closed, whatever became of them.
pub const CALLS_MIN: usize = 10;
/// How long a breaker is open the first time.
const OPEN: Span = Span::from_secs(30);
/// How long at most.
const OPEN_MAX: Span = Span::from_secs(10 * 60);

/// Whether so many failures among so many calls open a breaker: half of them do.
pub fn trips(failed: usize, calls: usize) -> bool {
    calls >= CALLS_MIN && failed * 2 >= calls
}

/// How long a breaker is open that has opened this often since it was last closed: twice as long each time.
pub fn open_for(before: u32) -> Span {
    let doubled = OPEN.ms.saturating_mul(1 << before.min(10));
    Span::from_ms(doubled.min(OPEN_MAX.ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_opens_when_half_of_enough_calls_failed() {
        assert!(!trips(CALLS_MIN - 1, CALLS_MIN - 1));
        assert!(trips(CALLS_MIN / 2, CALLS_MIN));
        assert!(!trips(CALLS_MIN / 2 - 1, CALLS_MIN));
    }

    #[test]
    fn each_failed_probe_doubles_the_wait_up_to_its_maximum() {
        let seconds: Vec<u64> = (0..7).map(|before| open_for(before).ms / 1000).collect();
        assert_eq!(seconds, [30, 60, 120, 240, 480, 600, 600]);
        assert_eq!(open_for(u32::MAX), OPEN_MAX);
    }
}
