//! What an attempt printed, and what expressions see of it. Never: how one is made of the other, which needs a driver.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::Digest;

/// What an attempt printed or wrote as its output, before it is parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RawOutput {
    /// Its length in bytes.
    pub bytes: u64,
    /// The blob that holds it, where it is not within the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<Digest>,
    /// Whether more was printed than is kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A task's output as expressions see it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Output {
    /// The value itself where it is small; null where there is none.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub value: serde_json::Value,
    /// The blob that holds it where it is large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<Digest>,
    /// The parts of a large value that expressions of the plan name, by JSON pointer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extracts: BTreeMap<String, serde_json::Value>,
    /// Whether more was printed than is kept; the value is null then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// How the value was written, where it is a number that JSON writes otherwise: `1.10`. In a text it reads so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
}

impl Output {
    /// The value as far as it is in the record: that of a large one where the plan needs all of it.
    pub fn whole(&self) -> &serde_json::Value {
        self.extracts.get("").unwrap_or(&self.value)
    }
}
