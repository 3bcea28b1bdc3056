//! The language of the scripted agent: a step a line. Empty lines and those that begin with `#` say nothing;
//! `$WINDLASS_…` in a text is the value of that variable. Never: doing what a step says (that is `act.rs`).

use std::time::Duration;

use windlass_core::failure::ErrorKind;
use windlass_core::time::Span;

use crate::clock;

/// What the agent does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// `say T`: prints a line.
    Say(String),
    /// `sleep D`: does nothing for a while.
    Sleep(Duration),
    /// `write FILE T`: makes a file of one line.
    Write(String, String),
    /// `append FILE T`: adds a line to a file.
    Append(String, String),
    /// `commit T`: commits everything in the working folder.
    Commit(String),
    /// `exit N`: ends with this code.
    Exit(i32),
    /// `ignore-term`: takes no notice of SIGTERM from here on.
    IgnoreTerm,
    /// `fork` and `fork setsid`: leaves a process behind that does nothing, in a session of its own or not.
    Fork {
        /// In a session of its own.
        setsid: bool,
    },
    /// `flood BYTES`: prints this much.
    Flood(u64),
    /// `fail KIND [retry_after D]`: ends with an error of this kind.
    Fail(ErrorKind, Option<Span>),
    /// `usage TOKENS USD`: reports what was used; reports add up.
    Usage(u64, u64),
    /// `crash`: is ended by a signal.
    Crash,
    /// `hang`: does nothing, for ever.
    Hang,
    /// `on-attempt N: STEP`: does the step in this attempt only.
    OnAttempt(u32, Box<Step>),
}

/// What is wrong with a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the script: {what}")]
pub(super) struct ScriptError {
    pub(super) line: usize,
    pub(super) what: String,
}

const STEPS: [&str; 14] = [
    "say",
    "sleep",
    "write",
    "append",
    "commit",
    "exit",
    "ignore-term",
    "fork",
    "flood",
    "fail",
    "usage",
    "crash",
    "hang",
    "on-attempt",
];

/// Reads a whole script; nothing of it is done where any line of it is wrong.
pub(super) fn parse(script: &str) -> Result<Vec<Step>, ScriptError> {
    let lines = script.lines().map(str::trim).enumerate();
    let meant = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    meant.map(|(place, line)| step(line).map_err(|what| ScriptError { line: place + 1, what })).collect()
}

fn step(line: &str) -> Result<Step, String> {
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let nothing =
        |step| if rest.is_empty() { Ok(step) } else { Err(format!("`{name}` takes nothing after it")) };
    match name {
        "say" => Ok(Step::Say(rest.to_owned())),
        "sleep" => Ok(Step::Sleep(clock::duration(span(rest)?))),
        "write" => two(name, rest).map(|(file, text)| Step::Write(file, text)),
        "append" => two(name, rest).map(|(file, text)| Step::Append(file, text)),
        "commit" if rest.is_empty() => Err("`commit` needs a message".to_owned()),
        "commit" => Ok(Step::Commit(rest.to_owned())),
        "exit" => number(rest, "an exit code from 0 to 255").map(|code: u8| Step::Exit(code.into())),
        "ignore-term" => nothing(Step::IgnoreTerm),
        "fork" => match rest {
            "" => Ok(Step::Fork { setsid: false }),
            "setsid" => Ok(Step::Fork { setsid: true }),
            _ => Err(format!("`fork` takes `setsid` or nothing, not `{rest}`")),
        },
        "flood" => bytes(rest).map(Step::Flood),
        "fail" => fail(rest),
        "usage" => usage(rest),
        "crash" => nothing(Step::Crash),
        "hang" => nothing(Step::Hang),
        "on-attempt" => {
            let (attempt, then) =
                rest.split_once(':').ok_or("`on-attempt` is written `on-attempt N: STEP`")?;
            let attempt = number(attempt.trim(), "the number of an attempt")?;
            Ok(Step::OnAttempt(attempt, Box::new(step(then.trim())?)))
        }
        _ => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> String {
    let near = STEPS.iter().min_by_key(|step| strsim::osa_distance(name, step));
    match near.filter(|step| strsim::osa_distance(name, step) <= 2) {
        Some(near) => format!("unknown step `{name}`: did you mean `{near}`?"),
        None => format!("unknown step `{name}`: there are {}", STEPS.join(", ")),
    }
}

fn two(name: &str, rest: &str) -> Result<(String, String), String> {
    let (file, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if file.is_empty() {
        Err(format!("`{name}` needs a file"))
    } else {
        Ok((file.to_owned(), text.trim().to_owned()))
    }
}

fn number<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not {what}"))
}

fn span(text: &str) -> Result<Span, String> {
    text.parse().map_err(|error: windlass_core::time::TimeError| error.to_string())
}

fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 7] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("", 1),
    ];
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = UNITS.iter().find(|(name, _)| *name == &text[digits.len()..]);
    let count = digits.trim().parse::<u64>().ok();
    let whole = unit.zip(count).and_then(|((_, unit), count)| count.checked_mul(*unit));
    whole.ok_or_else(|| format!("`{text}` is no number of bytes, as in `4096`, `64KiB`, `10GB`"))
}

fn fail(rest: &str) -> Result<Step, String> {
    let mut words = rest.split_ascii_whitespace();
    let name = words.next().ok_or("`fail` needs a kind of error")?;
    let kind = ErrorKind::from_name(name).ok_or_else(|| format!("`{name}` is no kind of error"))?;
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Ok(Step::Fail(kind, None)),
        (Some("retry_after"), Some(wait), None) => Ok(Step::Fail(kind, Some(span(wait)?))),
        _ => Err("`fail` is written `fail KIND` or `fail KIND retry_after D`".to_owned()),
    }
}

fn usage(rest: &str) -> Result<Step, String> {
    let form = || "`usage` is written `usage TOKENS USD`, as in `usage 1200 0.05`".to_owned();
    let (tokens, usd) = rest.split_once(char::is_whitespace).ok_or_else(form)?;
    let tokens = tokens.parse().map_err(|_| form())?;
    Ok(Step::Usage(tokens, micro_dollars(usd.trim()).ok_or_else(form)?))
}

/// Millionths of a dollar, without the detour over binary fractions.
fn micro_dollars(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 6 || !all_digits(whole) || !all_digits(part) {
        return None;
    }
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_understood() {
        let script = "
            # a comment
            say hello  world
            sleep 1s500ms
            write a/b.txt some text
            append log $WINDLASS_KEY
            commit add a file
            exit 3
            ignore-term
            fork
            fork setsid
            flood 64KiB
            fail rate_limited retry_after 2m
            fail auth
            usage 1200 0.05
            crash
            hang
            on-attempt 2: exit 1";
        let expected = vec![
            Step::Say("hello  world".into()),
            Step::Sleep(Duration::from_millis(1500)),
            Step::Write("a/b.txt".into(), "some text".into()),
            Step::Append("log".into(), "$WINDLASS_KEY".into()),
            Step::Commit("add a file".into()),
            Step::Exit(3),
            Step::IgnoreTerm,
            Step::Fork { setsid: false },
            Step::Fork { setsid: true },
            Step::Flood(65536),
            Step::Fail(ErrorKind::RateLimited, Some(Span::from_secs(120))),
            Step::Fail(ErrorKind::Auth, None),
            Step::Usage(1200, 50_000),
            Step::Crash,
            Step::Hang,
            Step::OnAttempt(2, Box::new(Step::Exit(1))),
        ];
        assert_eq!(parse(script), Ok(expected));
    }

    #[test]
    fn a_wrong_line_is_named_with_what_is_wrong() {
        let wrong = |script: &str| parse(script).expect_err("it is wrong").to_string();
        assert_eq!(wrong("say a\nsya b"), "line 2 of the script: unknown step `sya`: did you mean `say`?");
        assert_eq!(wrong("exit 300"), "line 1 of the script: `300` is not an exit code from 0 to 255");
        assert_eq!(wrong("fail gone"), "line 1 of the script: `gone` is no kind of error");
        assert_eq!(
            wrong("on-attempt 1: on-attempt 2: dance").split(':').next(),
            Some("line 1 of the script")
        );
        for script in
            ["sleep", "sleep 3", "write", "commit", "flood 3 GB x", "usage 3", "usage 1 1e3", "crash now"]
        {
            assert!(parse(script).is_err(), "{script}");
        }
    }
}
