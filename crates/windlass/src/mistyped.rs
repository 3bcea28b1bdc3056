//! What a command line that can't be read was probably to say. Never: doing what was not said.

use std::ffi::OsString;
use std::io::Write as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _, Error};
use windlass_core::plan::secrets::masked_message;

use crate::cli::Cli;
use crate::exit::Exit;

/// How many letters may be wrong, missing, too many or swapped with the next one.
const SLIPS_MAX: usize = 2;

/// Says what is wrong with a command line, or gives the help that it asks for. That nobody reads it is no failure.
pub(crate) fn say(error: Error) -> Exit {
    // Help that is asked for goes to standard output.
    let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
    let mut command = meant(std::env::args_os().skip(1));
    let typed = error.get(ContextKind::InvalidSubcommand).map(ToString::to_string);
    if matches!(typed.as_deref(), Some("-h" | "--help")) {
        // `help --help`: there is no help of the help.
        write!(anstream::stdout(), "{}", Cli::command().render_help().ansi()).unwrap_or_default();
        return Exit::Done;
    }
    if error.kind() == ErrorKind::MissingSubcommand {
        // Also where a variable of the environment counts as an option.
        write!(anstream::stderr(), "{}", command.render_help().ansi()).unwrap_or_default();
    } else {
        let error = with_a_guess(error, &command);
        as_a_person_would_say_it(error, &mut command).print().unwrap_or_default();
    }
    exit
}

/// The innermost command that the words name.
fn meant(words: impl Iterator<Item = OsString>) -> Command {
    let mut whole = Cli::command();
    whole.build();
    let mut command = &whole;
    for word in words {
        command = word.to_str().and_then(|word| command.find_subcommand(word)).unwrap_or(command);
    }
    command.clone()
}

/// The error with the nearest name, where its own guess found none: two swapped letters of a short word are enough to hide it.
fn with_a_guess(mut error: Error, command: &Command) -> Error {
    let (typed, guess) = if error.kind() == ErrorKind::InvalidSubcommand {
        (ContextKind::InvalidSubcommand, ContextKind::SuggestedSubcommand)
    } else {
        (ContextKind::InvalidArg, ContextKind::SuggestedArg)
    };
    let Some(ContextValue::String(typed)) = error.get(typed).filter(|_| error.get(guess).is_none()) else {
        return error;
    };
    if guess == ContextKind::SuggestedSubcommand {
        let near = nearest(typed, command.get_subcommands().map(Command::get_name));
        if let Some(near) = near {
            error.insert(guess, ContextValue::Strings(vec![near.to_owned()]));
        }
    } else if error.kind() == ErrorKind::UnknownArgument
        && let Some(option) = typed.strip_prefix("--")
        && let Some(near) = nearest(option, command.get_arguments().filter_map(clap::Arg::get_long))
    {
        error.insert(guess, ContextValue::String(format!("--{near}")));
    }
    error
}

/// The error with how the whole command is used, since what a variable of the environment says was not typed; and without the
/// advice to pass a misspelt option on as a value, or a secret in what was given.
fn as_a_person_would_say_it(mut error: Error, command: &mut Command) -> Error {
    if error.get(ContextKind::Usage).is_some() {
        error.insert(ContextKind::Usage, ContextValue::StyledStr(command.render_usage()));
    }
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) {
        let shown = masked_message(value).into_owned();
        error.insert(ContextKind::InvalidValue, ContextValue::String(shown));
    }
    if error.get(ContextKind::SuggestedArg).is_some() {
        error.remove(ContextKind::Suggested);
    }
    error
}

/// The name with the fewest slips in it, if it is that and no other word.
fn nearest<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let slips = names.map(|name| (strsim::osa_distance(typed, name), name));
    let near = slips.filter(|(slips, name)| *slips <= SLIPS_MAX && 2 * *slips <= name.len().min(typed.len()));
    near.min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> String {
        let words = || line.split(' ').map(OsString::from);
        let error = Cli::command().try_get_matches_from(words()).expect_err("it can't be read");
        with_a_guess(error, &meant(words().skip(1))).to_string()
    }

    #[test]
    fn swapped_letters_of_short_words_are_seen_through() {
        for (line, near) in [
            ("windlass rnu plan.yaml", "'run'"),
            ("windlass psh", "'ps'"),
            ("windlass dlq lsit", "'list'"),
            ("windlass man --ot x", "'--out'"),
            ("windlass ps --jsn", "'--json'"),
            ("windlass show --wyh", "'--why'"),
        ] {
            assert!(told(line).contains(near), "{line}: {}", told(line));
        }
        for line in ["windlass fly", "windlass x"] {
            assert!(!told(line).contains("similar"), "{line}: {}", told(line));
        }
    }
}
