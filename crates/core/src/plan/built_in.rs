//! The lowest layer of the settings: what holds where nobody says anything, under the keys of windlass.toml.
//! Never: a value that is written down a second time; each is what the layers settle to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::layers::{LimitsLayer, RetryLayer, TimeoutLayer};
use super::{Balance, Limits, Rerun, Retry, Timeout};
use crate::time::Span;

/// Every setting that has a value without being set. Where commands and prompts differ it has both.
pub fn values() -> BTreeMap<String, Value> {
    let Limits { tasks, fan_out, depth } = LimitsLayer::default().settle();
    let mut values = BTreeMap::from([
        ("limits.tasks".to_owned(), json!(tasks)),
        ("limits.fan_out".to_owned(), json!(fan_out)),
        ("limits.depth".to_owned(), json!(depth)),
        ("defaults.workspace".to_owned(), json!("shared")),
        ("defaults.balance".to_owned(), json!(Balance::default())),
        ("defaults.rerun".to_owned(), json!(Rerun::default())),
        ("defaults.priority".to_owned(), json!(0)),
    ]);
    let of = |is_prompt| {
        let timeout = times(&TimeoutLayer::default().settle(is_prompt, false));
        timeout.into_iter().chain(tries(&RetryLayer::default().settle(is_prompt)))
    };
    for ((key, run), (_, prompt)) in of(false).zip(of(true)) {
        let value = if run == prompt { run } else { json!({ "run": run, "prompt": prompt }) };
        values.insert(format!("defaults.{key}"), value);
    }
    values
}

fn times(timeout: &Timeout) -> Vec<(&'static str, Value)> {
    let length = |span: Option<Span>| span.map_or(json!("none"), |span| json!(span.to_string()));
    vec![
        ("timeout.schedule_to_start", length(timeout.schedule_to_start)),
        ("timeout.start_to_close", length(timeout.start_to_close)),
        ("timeout.heartbeat", length(timeout.heartbeat)),
        ("timeout.schedule_to_close", length(timeout.schedule_to_close)),
        ("timeout.grace", length(Some(timeout.grace))),
    ]
}

fn tries(retry: &Retry) -> Vec<(&'static str, Value)> {
    let coefficient = f64::from(u32::try_from(retry.backoff_coefficient_milli).unwrap_or(u32::MAX)) / 1000.0;
    vec![
        ("retry.initial_interval", json!(retry.initial_interval.to_string())),
        ("retry.backoff_coefficient", json!(coefficient)),
        ("retry.max_interval", json!(retry.max_interval.to_string())),
        ("retry.jitter", json!(retry.jitter)),
        ("retry.max_attempts", json!(retry.max_attempts)),
        ("retry.losses_max", json!(retry.losses_max)),
        ("retry.non_retryable", json!(retry.non_retryable)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_and_prompts_differ_in_has_both_values() {
        let values = values();
        assert_eq!(values["limits.tasks"], 1000);
        assert_eq!(values["defaults.timeout.start_to_close"], json!({ "run": "none", "prompt": "1h" }));
        assert_eq!(values["defaults.retry.max_attempts"], json!({ "run": 1, "prompt": 5 }));
        assert_eq!(values["defaults.retry.backoff_coefficient"], 2.0);
        assert_eq!(values["defaults.timeout.grace"], "10s");
    }
}
