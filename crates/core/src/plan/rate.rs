//! How many attempts may start in a time: `30/min`. Never: when one may (that is `policy/rate.rs`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::Span;

/// The pattern of a rate, for the published schema.
pub(super) const PATTERN: &str = r"^[1-9][0-9]{0,3}/(s|min|h|d)$";

/// So many starts in any window of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// How many, from 1 to 9999.
    pub starts: u32,
    /// The length of the window.
    pub window: Span,
}

const WINDOWS: [(&str, u64); 4] = [("s", 1), ("min", 60), ("h", 60 * 60), ("d", 24 * 60 * 60)];

/// A text that is no rate.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no rate")]
pub struct NoRate(String);

impl FromStr for Rate {
    type Err = NoRate;

    fn from_str(text: &str) -> Result<Self, NoRate> {
        let wrong = || NoRate(text.to_owned());
        let (starts, unit) = text.split_once('/').ok_or_else(wrong)?;
        let is_number = (1..=4).contains(&starts.len()) && starts.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || starts.starts_with('0') {
            return Err(wrong());
        }
        let (_, seconds) = WINDOWS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        Ok(Self { starts: starts.parse().map_err(|_| wrong())?, window: Span::from_secs(*seconds) })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = WINDOWS.iter().find(|(_, seconds)| Span::from_secs(*seconds) == self.window);
        write!(f, "{}/{}", self.starts, unit.map_or("?", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_of_starts_in_a_unit_of_time() {
        for text in ["30/min", "1/s", "9999/d", "5/h"] {
            assert_eq!(text.parse::<Rate>().expect(text).to_string(), text);
        }
        for wrong in ["", "30", "/min", "0/min", "30/week", "-1/s", "10000/d", "3 /s", "1.5/s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}
