//! What a gate says of a result: verdicts, and the findings that they rest on. Never: how one is reached (a driver reads
//! reports), or what follows from it.

use serde::{Deserialize, Serialize};

/// What a gate says of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is as it must be.
    Pass,
    /// It is not, and the plan only wants to be told.
    Warn,
    /// It is not.
    Fail,
    /// The gate could not tell: its report is missing or can't be read, or it broke a rule itself. It turns back as a failure
    /// does.
    Error,
}

/// How bad a finding is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A remark.
    Low,
    /// What most tools call a warning.
    #[default]
    Medium,
    /// What most tools call an error.
    High,
    /// What must not go out.
    Critical,
}

/// Something that a gate found in a result, for the next attempt and for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Finding {
    /// The file, relative to the root of the checkout; none where it is about no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// How bad it is.
    pub severity: Severity,
    /// The rule, test or check that found it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// What it is, in words.
    pub why: String,
}
