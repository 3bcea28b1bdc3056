//! How many attempts of an account may be in flight under rate limits: half as many after each limit met, one more
//! after as many were served (additive increase, multiplicative decrease). Never: state.

/// How many may be in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allowed {
    /// So many.
    AtMost(u32),
    /// As many as there are.
    All,
}

impl Allowed {
    /// The number, where there is one.
    pub const fn most(self) -> Option<u32> {
        match self {
            Self::AtMost(most) => Some(most),
            Self::All => None,
        }
    }
}

/// What is allowed after a limit was met by one of so many in flight, where so many were allowed; at least one.
pub fn after_limit(in_flight: u32, allowed: Option<u32>) -> u32 {
    let most = allowed.map_or(in_flight, |allowed| allowed.min(in_flight));
    (most / 2).max(1)
}

/// What is allowed once so many were served since the last change; none where nothing changes. There is no limit any
/// more when everything that was in flight at the first one may be again.
pub fn after_served(allowed: u32, served: u32, before: u32) -> Option<Allowed> {
    let more = if allowed + 1 < before { Allowed::AtMost(allowed + 1) } else { Allowed::All };
    (served >= allowed).then_some(more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_halves_what_is_in_flight_and_leaves_one() {
        assert_eq!(after_limit(8, None), 4);
        assert_eq!(after_limit(3, Some(4)), 1);
        assert_eq!(after_limit(8, Some(4)), 2);
        assert_eq!(after_limit(1, None), 1);
    }

    #[test]
    fn what_was_served_raises_it_one_by_one_until_the_limit_is_lifted() {
        assert_eq!(after_served(2, 1, 8), None);
        assert_eq!(after_served(2, 2, 8), Some(Allowed::AtMost(3)));
        assert_eq!(after_served(7, 7, 8), Some(Allowed::All));
        assert_eq!(after_served(1, 1, 1), Some(Allowed::All));
    }
}
