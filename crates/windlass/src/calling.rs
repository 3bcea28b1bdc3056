//! The commands that are printed to be pasted: they say again which home and folder are meant, where the command line
//! said so. Never: what the environment says, since it says it to a pasted command, too.

use std::borrow::Cow;
use std::path::Path;
use std::sync::OnceLock;

use crate::cli::PlaceOptions;
use crate::surroundings::Surroundings;

/// What follows `windlass` in each command: nothing, or options with a space behind them.
static OPTIONS: OnceLock<String> = OnceLock::new();

/// Where a command may begin in a text.
const BEGINNINGS: [&str; 2] = ["`windlass ", "you: windlass "];
/// The verbs that are about no place.
const ANYWHERE: [&str; 2] = ["guide", "schema"];

/// Keeps what the command line says of places.
pub(crate) fn remember(place: &PlaceOptions, surroundings: &Surroundings) {
    let home = place.home.as_deref().filter(|home| !surroundings.is("WINDLASS_HOME", home.as_os_str()));
    let options = [("--home", home), ("--dir", place.dir.as_deref())];
    let given =
        options.into_iter().filter_map(|(name, path)| Some(format!("{name} {} ", quoted_path(path?))));
    // It is called once, and the first word holds.
    OPTIONS.set(given.collect()).unwrap_or_default();
}

/// A command with these arguments.
pub(crate) fn command(arguments: &str) -> String {
    format!("windlass {}{arguments}", options())
}

/// A text whose commands are meant for this place.
pub(crate) fn here(text: &str) -> String {
    with_options(text, options())
}

fn options() -> &'static str {
    OPTIONS.get().map_or("", String::as_str)
}

fn with_options(text: &str, options: &str) -> String {
    if options.is_empty() {
        return text.to_owned();
    }
    let mut done = text.to_owned();
    for beginning in BEGINNINGS {
        let mut parts = done.split(beginning);
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            whole.push_str(beginning);
            let verb = part.split([' ', '`']).next().unwrap_or_default();
            if !part.starts_with(options) && !ANYWHERE.contains(&verb) {
                whole.push_str(options);
            }
            whole.push_str(part);
        }
        done = whole;
    }
    done
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
    fn the_commands_of_a_text_get_the_options_once() {
        let options = "--home 'a b' ";
        for (text, said) in [
            ("`windlass ps` lists them", "`windlass --home 'a b' ps` lists them"),
            ("`windlass --home 'a b' ps` lists them", "`windlass --home 'a b' ps` lists them"),
            ("windlass, or you: windlass cancel r t", "windlass, or you: windlass --home 'a b' cancel r t"),
            ("`windlass schema plan` prints it", "`windlass schema plan` prints it"),
        ] {
            assert_eq!(with_options(text, options), said);
        }
        assert_eq!(with_options("`windlass ps`", ""), "`windlass ps`");
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
