//! When the next attempt may start so that no window of time holds more starts than its rate. Never: state.

use std::collections::VecDeque;

use crate::plan::rate::Rate;

/// The earliest moment for another start after these (the newest last), in milliseconds; none where it may be now.
pub fn next_start(rate: Rate, starts: &VecDeque<i64>, now: i64) -> Option<i64> {
    let most = usize::try_from(rate.starts).expect("32 bits fit");
    let oldest = starts.len().checked_sub(most).map(|place| starts[place])?;
    let free = oldest.saturating_add_unsigned(rate.window.ms);
    (free > now).then_some(free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_holds_more_starts_than_the_rate() {
        let rate: Rate = "2/s".parse().expect("a rate");
        assert_eq!(next_start(rate, &VecDeque::from([100]), 100), None);
        assert_eq!(next_start(rate, &VecDeque::from([100, 300]), 500), Some(1100));
        assert_eq!(next_start(rate, &VecDeque::from([100, 300]), 1100), None);
        assert_eq!(next_start(rate, &VecDeque::from([0, 100, 300]), 500), Some(1100));
    }
}
