//! Which of several agents is next. Never: state, or whether an agent can be had.

use serde::{Deserialize, Serialize};

use crate::plan::Balance;

/// Where the turns of a pool stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turns {
    /// The place whose turn it is.
    pub next: usize,
    /// What each has saved up of its share.
    pub credit: Vec<i64>,
}

/// An agent of a pool, as a choice sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Whether it can be had now.
    pub is_free: bool,
    /// How many attempts it has in flight.
    pub in_flight: u32,
    /// Its share.
    pub weight: u32,
}

/// The place of the one that is next; none where none can be had.
pub fn choose(balance: Balance, turns: &Turns, pool: &[Candidate]) -> Option<usize> {
    let free = || (0..pool.len()).filter(|place| pool[*place].is_free);
    match balance {
        Balance::RoundRobin => {
            free().min_by_key(|place| (place + pool.len() - turns.next % pool.len()) % pool.len())
        }
        Balance::LeastLoaded => free().min_by_key(|place| pool[*place].in_flight),
        Balance::Weighted => free().min_by_key(|place| {
            let saved = turns.credit.get(*place).copied().unwrap_or(0) + i64::from(pool[*place].weight);
            std::cmp::Reverse(saved)
        }),
    }
}

impl Turns {
    /// One was chosen: everyone saves its share, and the chosen pays for all of them. Nobody saves, or owes, more than one
    /// round, so that who could not be had for long does not get everything afterwards.
    pub fn took(&mut self, chosen: usize, weights: &[u32]) {
        self.next = (chosen + 1) % weights.len().max(1);
        let round: i64 = weights.iter().copied().map(i64::from).sum();
        self.credit.resize(weights.len(), 0);
        for (credit, weight) in self.credit.iter_mut().zip(weights) {
            *credit += i64::from(*weight);
        }
        self.credit[chosen] -= round;
        for credit in &mut self.credit {
            *credit = (*credit).clamp(-round, round);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(
        balance: Balance,
        weights: &[u32],
        is_free: impl Fn(usize, usize) -> bool,
        times: usize,
    ) -> Vec<usize> {
        let mut turns = Turns::default();
        let serve = |step: usize| {
            let candidate = |(place, weight): (usize, &u32)| Candidate {
                is_free: is_free(step, place),
                in_flight: 0,
                weight: *weight,
            };
            let pool: Vec<Candidate> = weights.iter().enumerate().map(candidate).collect();
            let chosen = choose(balance, &turns, &pool).expect("somebody is free");
            turns.took(chosen, weights);
            chosen
        };
        (0..times).map(serve).collect()
    }

    #[test]
    fn turns_go_round_and_pass_over_who_can_not_be_had() {
        assert_eq!(served(Balance::RoundRobin, &[1, 1, 1], |_, _| true, 5), [0, 1, 2, 0, 1]);
        assert_eq!(served(Balance::RoundRobin, &[1, 1, 1], |_, place| place != 1, 5), [0, 2, 0, 2, 0]);
    }

    #[test]
    fn weighted_turns_are_smooth() {
        assert_eq!(served(Balance::Weighted, &[5, 1, 1], |_, _| true, 7), [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn who_was_away_for_long_does_not_get_everything_afterwards() {
        let back_at_100 = |step: usize, place: usize| place == 0 || step >= 100;
        let after = served(Balance::Weighted, &[1, 1], back_at_100, 110).split_off(100);
        assert!(after.iter().filter(|place| **place == 1).count() <= 6, "{after:?}");
    }

    #[test]
    fn the_least_loaded_is_the_first_with_the_fewest_in_flight() {
        let busy = |in_flight| Candidate { is_free: true, in_flight, weight: 1 };
        let turns = Turns::default();
        assert_eq!(choose(Balance::LeastLoaded, &turns, &[busy(2), busy(1), busy(1)]), Some(1));
        let away = Candidate { is_free: false, ..busy(0) };
        assert_eq!(choose(Balance::LeastLoaded, &turns, &[busy(2), away, busy(3)]), Some(0));
        assert_eq!(choose(Balance::LeastLoaded, &turns, &[away]), None);
    }
}
