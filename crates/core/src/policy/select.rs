//! Which of several replicas is chosen, and when that is certain. Never: who they are, or what becomes of the others.

use std::borrow::Cow;

use serde_json::Value;

use crate::plan::Select;
use crate::planted::{Bug, is_planted};

/// How a replica stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Vote<'a> {
    /// It may still pass.
    Open,
    /// It passed, and gave this; the number orders those that passed by when they did.
    Passed(u64, Cow<'a, Value>),
    /// It will not pass.
    Failed,
}

/// What a choice has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is not certain.
    Open,
    /// The replica at this place is chosen.
    Chosen(usize),
    /// None passed.
    NonePassed,
    /// So many agree at most, where so many would have to.
    Split {
        /// The largest number that agree.
        most: usize,
        /// How many had to.
        wanted: usize,
    },
}

/// What the choice among these has come to. Where all are kept there is none.
pub fn standing(select: Select, votes: &[Vote<'_>]) -> Standing {
    let open = votes.iter().filter(|vote| **vote == Vote::Open).count();
    match select {
        Select::All => Standing::Open,
        Select::First => match first(votes, |_| true) {
            Some(place) => Standing::Chosen(place),
            None if open == 0 => Standing::NonePassed,
            None => Standing::Open,
        },
        Select::Majority => majority(votes, open),
    }
}

/// After how many ends of those that may still pass the choice can be certain at the earliest: enough of them agree, or too few are
/// left. Only while it is not certain.
pub fn missing(select: Select, votes: &[Vote<'_>]) -> usize {
    let open = votes.iter().filter(|vote| **vote == Vote::Open).count();
    match select {
        Select::All => open,
        Select::First => open.min(1),
        Select::Majority => {
            let (wanted, most) = (more_than_half(votes), most_alike(&groups(votes)));
            wanted.saturating_sub(most).min((most + open + 1).saturating_sub(wanted)).min(open)
        }
    }
}

/// The place of the one that passed first among those that gave what is asked for.
fn first(votes: &[Vote<'_>], wanted: impl Fn(&Value) -> bool) -> Option<usize> {
    let passed = votes.iter().enumerate().filter_map(|(place, vote)| match vote {
        Vote::Passed(order, value) if wanted(value) => Some((*order, place)),
        Vote::Passed(..) | Vote::Open | Vote::Failed => None,
    });
    let chosen = if is_planted(Bug::LastIsFirst) { passed.max() } else { passed.min() };
    chosen.map(|(_, place)| place)
}

/// More than half of all replicas; those that failed are no votes.
fn majority(votes: &[Vote<'_>], open: usize) -> Standing {
    let wanted = more_than_half(votes);
    let groups = groups(votes);
    if let Some((value, _)) = groups.iter().find(|(_, count)| *count >= wanted) {
        let place = first(votes, |given| canonical(given) == *value).expect("somebody gave it");
        return Standing::Chosen(place);
    }
    let most = most_alike(&groups);
    if most + open >= wanted {
        Standing::Open
    } else if most == 0 {
        Standing::NonePassed
    } else {
        Standing::Split { most, wanted }
    }
}

/// How many have to agree for a majority.
fn more_than_half(votes: &[Vote<'_>]) -> usize {
    votes.len() / 2 + 1
}

/// How many agree at most.
fn most_alike(groups: &[(String, usize)]) -> usize {
    groups.iter().map(|(_, count)| *count).max().unwrap_or(0)
}

/// What was given, as canonical JSON, with how many gave it; in the order of the replicas.
pub fn groups(votes: &[Vote<'_>]) -> Vec<(String, usize)> {
    let mut groups: Vec<(String, usize)> = Vec::new();
    for vote in votes {
        let Vote::Passed(_, value) = vote else { continue };
        let value = canonical(value);
        match groups.iter_mut().find(|(given, _)| *given == value) {
            Some((_, count)) => *count += 1,
            None => groups.push((value, 1)),
        }
    }
    groups
}

/// A value as JSON in which equal values look the same: keys in order, whole numbers without a fraction.
fn canonical(value: &Value) -> String {
    fn settle(value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(settle).collect(),
            Value::Object(fields) => {
                let mut fields: Vec<_> =
                    fields.iter().map(|(key, value)| (key.clone(), settle(value))).collect();
                fields.sort_by(|(one, _), (other, _)| one.cmp(other));
                Value::Object(fields.into_iter().collect())
            }
            Value::Number(number) => whole(number).map_or_else(|| value.clone(), Value::from),
            Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
        }
    }
    settle(value).to_string()
}

/// A number with a fraction of zero, as the whole number that it is.
fn whole(number: &serde_json::Number) -> Option<i64> {
    /// Up to here every whole number has a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT)?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and within 53 bits")]
    Some(float as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn passed(order: u64, value: &Value) -> Vote<'_> {
        Vote::Passed(order, Cow::Borrowed(value))
    }

    #[test]
    fn the_first_that_passed_is_chosen_whatever_its_place() {
        let value = json!(1);
        let votes = [Vote::Open, passed(9, &value), passed(7, &value)];
        assert_eq!(standing(Select::First, &votes), Standing::Chosen(2));
        assert_eq!(standing(Select::First, &[Vote::Open, Vote::Failed]), Standing::Open);
        assert_eq!(standing(Select::First, &[Vote::Failed, Vote::Failed]), Standing::NonePassed);
    }

    #[test]
    fn a_choice_misses_as_many_as_have_to_agree_or_to_fail_at_least() {
        let (one, other) = (json!(1), json!(2));
        let open = || Vote::Open;
        assert_eq!(missing(Select::Majority, &[open(), open(), open()]), 2, "two agree, or two fail");
        assert_eq!(missing(Select::Majority, &[passed(1, &one), open(), open()]), 1);
        assert_eq!(missing(Select::Majority, &[passed(1, &one), passed(2, &other), open()]), 1);
        assert_eq!(missing(Select::Majority, &[open(), open(), open(), Vote::Failed]), 1, "one more fails");
        assert_eq!(missing(Select::Majority, &[open(), open(), open(), open(), open()]), 3);
        assert_eq!(missing(Select::First, &[open(), open(), Vote::Failed]), 1);
        assert_eq!(missing(Select::All, &[open(), open(), passed(1, &one)]), 2);
    }

    #[test]
    fn a_majority_is_more_than_half_of_all_and_chosen_as_soon_as_it_is_certain() {
        let (one, other) = (json!({ "a": 1, "b": [2] }), json!({ "b": [2.0], "a": 1.0 }));
        let agreed = [passed(8, &one), Vote::Open, passed(5, &other)];
        assert_eq!(
            standing(Select::Majority, &agreed),
            Standing::Chosen(2),
            "equal is what is equal as JSON"
        );
        let half = [passed(1, &one), passed(2, &one), Vote::Failed, Vote::Failed];
        assert_eq!(standing(Select::Majority, &half), Standing::Split { most: 2, wanted: 3 });
    }

    #[test]
    fn a_majority_that_cannot_come_any_more_is_given_up_at_once() {
        let values = [json!(1), json!(2), json!("1")];
        let votes = [passed(1, &values[0]), passed(2, &values[1]), Vote::Failed, Vote::Open];
        assert_eq!(standing(Select::Majority, &votes), Standing::Split { most: 1, wanted: 3 });
        let votes = [passed(1, &values[0]), passed(2, &values[2]), Vote::Open];
        assert_eq!(
            standing(Select::Majority, &votes),
            Standing::Open,
            "a text is no number, but one is to come"
        );
    }

    #[test]
    fn those_that_failed_are_no_votes() {
        let value = json!(null);
        let votes = [Vote::Failed, passed(1, &value), passed(2, &value)];
        assert_eq!(standing(Select::Majority, &votes), Standing::Chosen(1));
        assert_eq!(
            standing(Select::Majority, &[Vote::Failed, Vote::Failed, Vote::Open]),
            Standing::NonePassed
        );
    }
}
