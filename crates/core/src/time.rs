//! Moments and spans, in whole milliseconds. Never: asking what time it is (`now` comes in as input).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment: milliseconds since 1970-01-01T00:00:00Z. On the wire an RFC 3339 text in UTC with milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Milliseconds since the epoch of Unix.
    pub ms: i64,
}

/// A length of time in milliseconds. In plans a text such as `30s` or `1h30m`; in events a number.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Span {
    /// Milliseconds.
    pub ms: u64,
}

impl Time {
    /// The moment this many milliseconds after 1970.
    pub const fn from_ms(ms: i64) -> Self {
        Self { ms }
    }

    /// The moment a span later.
    #[must_use]
    pub fn after(self, span: Span) -> Self {
        Self { ms: self.ms.saturating_add_unsigned(span.ms) }
    }

    /// How long ago an earlier moment was; nothing if it was not earlier.
    pub fn since(self, earlier: Self) -> Span {
        Span { ms: u64::try_from(self.ms.saturating_sub(earlier.ms)).unwrap_or(0) }
    }
}

impl Span {
    /// A span of whole milliseconds.
    pub const fn from_ms(ms: u64) -> Self {
        Self { ms }
    }

    /// A span of whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self { ms: secs * 1000 }
    }

    /// What is left after taking away a shorter span; nothing if that is longer.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self { ms: self.ms.saturating_sub(other.ms) }
    }

    /// Both, one after the other.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { ms: self.ms.saturating_add(other.ms) }
    }
}

/// What is wrong with a text that should have been a span or a moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not a number with a unit.
    #[error(
        "`{0}` is no length of time: write a number with its unit, as in `500ms`, `30s`, `5m`, `1h30m`, `7d`"
    )]
    Span(String),
    /// Longer than a hundred years.
    #[error("`{0}` is longer than a hundred years")]
    TooLong(String),
    /// Not RFC 3339 in UTC.
    #[error("`{0}` is no moment in RFC 3339, as in `2026-01-31T08:00:00.000Z`")]
    Time(String),
}

const UNITS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

impl FromStr for Span {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let wrong = || TimeError::Span(text.into());
        let too_long = || TimeError::TooLong(text.into());
        let mut rest = text.trim();
        let mut total: u64 = 0;
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let (number, after) = rest.split_at(digits);
            let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            let number: u64 = number.parse().map_err(|_| if digits == 0 { wrong() } else { too_long() })?;
            let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            total = number.checked_mul(*ms).and_then(|part| total.checked_add(part)).ok_or_else(too_long)?;
            rest = after.trim_start();
        }
        if total > 100 * 366 * 86_400_000 { Err(too_long()) } else { Ok(Self { ms: total }) }
    }
}

impl fmt::Display for Span {
    /// The shortest exact text: `1h30m`, `2s500ms`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ms == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.ms;
        for (unit, ms) in UNITS.iter().rev().skip(1) {
            if rest >= *ms {
                write!(f, "{}{unit}", rest / ms)?;
                rest %= ms;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC, with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.ms.div_euclid(86_400_000);
        let ms = self.ms.rem_euclid(86_400_000);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second, milli) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let wrong = || TimeError::Time(text.into());
        let number = |range: std::ops::Range<usize>| -> Result<i64, TimeError> {
            let digits = text.get(range).ok_or_else(wrong)?;
            let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            if all_digits { digits.parse().map_err(|_| wrong()) } else { Err(wrong()) }
        };
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
        let fraction = text.get(19..text.len().saturating_sub(1)).ok_or_else(wrong)?;
        let milli = match fraction.strip_prefix('.') {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty() => {
                format!("{digits:0<3}")[..3].parse().map_err(|_| wrong())?
            }
            None if fraction.is_empty() => 0,
            _ => return Err(wrong()),
        };
        let bytes = text.as_bytes();
        let marks = bytes[4] == b'-' && bytes[7] == b'-' && matches!(bytes[10], b'T' | b't' | b' ');
        let marks = marks && bytes[13] == b':' && bytes[16] == b':' && text.ends_with(['Z', 'z']);
        let in_range =
            (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61;
        if !marks || !in_range {
            return Err(wrong());
        }
        let days = days_from_civil(year, month, day);
        Ok(Self { ms: ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + milli })
    }
}

impl schemars::JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The date of a day counted from 1970-01-01, in the proleptic Gregorian calendar (Howard Hinnant's algorithm).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil_from_days`].
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_and_read_as_rfc_3339_with_milliseconds() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_709_208_000_123, "2024-02-29T12:00:00.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Time::from_ms(ms).to_string(), text);
            assert_eq!(text.parse(), Ok(Time::from_ms(ms)));
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["", "2024", "2024-13-01T00:00:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00.Z", "ä"]
        {
            assert_eq!(text.parse::<Time>(), Err(TimeError::Time(text.into())));
        }
    }

    #[test]
    fn a_span_is_a_sum_of_numbers_with_units() {
        for (text, ms) in
            [("30s", 30_000), ("1h30m", 5_400_000), ("500ms", 500), ("2d", 172_800_000), ("0s", 0)]
        {
            assert_eq!(text.parse(), Ok(Span::from_ms(ms)));
            assert_eq!(Span::from_ms(ms).to_string(), text);
        }
    }

    #[test]
    fn a_number_without_a_unit_is_no_span() {
        for text in ["", "30", "s", "5 minutes", "-1s", "1.5h"] {
            assert_eq!(text.parse::<Span>(), Err(TimeError::Span(text.into())));
        }
        assert_eq!(
            "99999999999999999999h".parse::<Span>(),
            Err(TimeError::TooLong("99999999999999999999h".into()))
        );
        assert_eq!("200000d".parse::<Span>(), Err(TimeError::TooLong("200000d".into())));
    }
}
