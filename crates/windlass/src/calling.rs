//! The commands that are printed to be pasted: they say again which home and folder are meant, where the command line
//! said so. Never: what the environment of a person says, since it says it to a pasted command, too.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::path::Path;
use std::sync::OnceLock;

use windlass_core::hint::{Part, parts};

use crate::cli::PlaceOptions;
use crate::home::Place;
use crate::opening::OWNERS;
use crate::surroundings::Surroundings;

/// What follows `windlass` in each command: nothing, or options with a space behind them.
static OPTIONS: OnceLock<String> = OnceLock::new();

/// The verbs that are about no place.
const ANYWHERE: [&str; 2] = ["guide", "schema"];

/// Keeps what the command line says of places. What a task is told is pasted by a person, who has no variable of the task's.
pub(crate) fn remember(options: &PlaceOptions, place: &Place, surroundings: &Surroundings) {
    let is_variable = |home: &Path| surroundings.is("WINDLASS_HOME", home.as_os_str());
    let home = match surroundings.text(OWNERS) {
        Some(_) => Some(place.home.as_path()).filter(|_| !place.is_home_of_project(surroundings)),
        None => options.home.as_deref().filter(|home| !is_variable(home)),
    };
    let options = [("--home", home), ("--dir", options.dir.as_deref())];
    let given =
        options.into_iter().filter_map(|(name, path)| Some(format!("{name} {} ", quoted_path(path?))));
    // It is called once, and the first word holds.
    OPTIONS.set(given.collect()).unwrap_or_default();
}

/// A command to be pasted, by its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command(Vec<String>);

/// A command of this verb.
pub(crate) fn command(verb: &str) -> Command {
    Command(vec![verb.to_owned()])
}

impl Command {
    /// The command of these words.
    pub(crate) fn of(words: &[&str]) -> Self {
        Self(words.iter().map(ToString::to_string).collect())
    }

    /// The same with another word.
    pub(crate) fn with(mut self, word: impl Display) -> Self {
        self.0.push(word.to_string());
        self
    }

    /// The same with these words.
    pub(crate) fn with_all<'w>(self, words: impl IntoIterator<Item = &'w str>) -> Self {
        words.into_iter().fold(self, Self::with)
    }

    /// The line, with these options of a place.
    fn line(&self, options: &str) -> String {
        let options =
            if self.0.first().is_some_and(|verb| ANYWHERE.contains(&verb.as_str())) { "" } else { options };
        let words: Vec<Cow<'_, str>> = self.0.iter().map(|word| quoted(word)).collect();
        format!("windlass {options}{}", words.join(" "))
    }
}

impl Display for Command {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.line(OPTIONS.get().map_or("", String::as_str)))
    }
}

/// A text of a library whose commands are meant for this place.
pub(crate) fn here(text: &str) -> String {
    here_with(text, Command::of)
}

/// The same, where each command is this one of its words.
pub(crate) fn here_with(text: &str, meant: impl Fn(&[&str]) -> Command) -> String {
    let shown = parts(text).into_iter().map(|part| match part {
        Part::Words(words) => words.to_owned(),
        Part::Command(words) => meant(&words).to_string(),
    });
    shown.collect()
}

/// A path as one word of a shell.
pub(crate) fn quoted_path(path: &Path) -> String {
    quoted(&path.to_string_lossy()).into_owned()
}

/// A text as one word of a shell.
pub(crate) fn quoted(text: &str) -> Cow<'_, str> {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+,:@%=".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_says_where_it_is_about_and_one_that_is_about_no_place_does_not() {
        let options = "--home 'a b' ";
        for (command, said) in [
            (command("ps"), "windlass --home 'a b' ps"),
            (command("logs").with("r").with("fix.0"), "windlass --home 'a b' logs r fix.0"),
            (command("run").with("my plan.yaml"), "windlass --home 'a b' run 'my plan.yaml'"),
            (Command::of(&["schema", "plan"]), "windlass schema plan"),
        ] {
            assert_eq!(command.line(options), said);
        }
        assert_eq!(here("`windlass ps`, or `x`"), "`windlass ps`, or `x`");
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        for (path, word) in [
            ("/a/plan.yaml", "/a/plan.yaml"),
            ("/with space/p.yaml", "'/with space/p.yaml'"),
            ("it's", r"'it'\''s'"),
            ("~x", "'~x'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(path), word);
        }
    }
}
