//! Moments and spans for people: local time, rounded lengths. Never: what programs read (that is RFC 3339).

use jiff::tz::TimeZone;
use windlass_core::time::{Span, Time};

/// The time of day in the local zone: `14:03:07`.
pub(crate) fn clock(at: Time) -> String {
    local(at, "%H:%M:%S")
}

/// The time of day with milliseconds.
pub(crate) fn clock_ms(at: Time) -> String {
    local(at, "%H:%M:%S%.3f")
}

/// Day and time of day.
pub(crate) fn date(at: Time) -> String {
    local(at, "%Y-%m-%d %H:%M:%S")
}

fn local(at: Time, format: &str) -> String {
    let moment = jiff::Timestamp::from_millisecond(at.ms);
    moment.map_or_else(
        |_| at.to_string(),
        |moment| moment.to_zoned_datetime(TimeZone::system()).strftime(format).to_string(),
    )
}

/// A length, rounded to what people care about: `37 ms`, `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`.
pub(crate) fn length(span: Span) -> String {
    let seconds = span.ms / 1000;
    let pair = |large: u64, unit: &str, small: u64, small_unit: &str| {
        if small == 0 { format!("{large} {unit}") } else { format!("{large} {unit} {small} {small_unit}") }
    };
    match seconds {
        0 if span.ms < 100 => format!("{} ms", span.ms),
        0..10 => format!("{}.{} s", seconds, span.ms % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => pair(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// How long ago something was: `12 s ago`.
pub(crate) fn ago(now: Time, at: Time) -> String {
    let span = now.since(at);
    if span.ms < 1000 {
        "just now".into()
    } else {
        format!("{} ago", length(Span::from_secs(span.ms / 1000)).replace(".0 s", " s"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_two_units_at_most() {
        let spoken = |ms| length(Span::from_ms(ms));
        assert_eq!(spoken(0), "0 ms");
        assert_eq!(spoken(400), "0.4 s");
        assert_eq!(spoken(1_450), "1.4 s");
        assert_eq!(spoken(59_999), "59 s");
        assert_eq!(spoken(185_000), "3 min 5 s");
        assert_eq!(spoken(7_800_000), "2 h 10 min");
        assert_eq!(spoken(86_400_000 * 3), "3 d");
    }

    #[test]
    fn what_was_a_moment_ago_is_just_now() {
        assert_eq!(ago(Time::from_ms(900), Time::from_ms(0)), "just now");
        assert_eq!(ago(Time::from_ms(5_900), Time::from_ms(0)), "5 s ago");
    }
}
