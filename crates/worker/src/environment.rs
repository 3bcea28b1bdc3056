//! Which variables an attempt sees. Never: reading the environment of this process (it is read once, at the edge).

use std::collections::BTreeMap;
use std::path::Path;

use globset::{Glob, GlobMatcher};
use windlass_core::id::AttemptKey;

use crate::planted::{Bug, is_planted};
use crate::settings::Owners;

/// The names of surrounding variables that every attempt gets; one that ends in `*` stands for all that begin so.
pub const LET_THROUGH: [&str; 21] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_*",
    "TZ",
    "TMPDIR",
    "XDG_*",
    "SSH_AUTH_SOCK",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// The variable that says how many levels of attempts a run in another home may have, where its plan lets it start one.
pub const NESTED: &str = "WINDLASS_NESTED";

/// What parts the marks of the runs around a process.
const OWNERS_SEPARATOR: &str = ",";

/// The variables of these surroundings that attempts may get at all: the list above, and what some task of the plan
/// lets through by its `pass`.
pub fn cut(
    surroundings: impl IntoIterator<Item = (String, String)>,
    pass: &[String],
) -> BTreeMap<String, String> {
    let pass = matchers(pass);
    surroundings.into_iter().filter(|(name, _)| is_let_through(name, &pass)).collect()
}

fn is_let_through(name: &str, pass: &[GlobMatcher]) -> bool {
    let by_list = LET_THROUGH.iter().any(|one| match one.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *one,
    });
    by_list || pass.iter().any(|glob| glob.is_match(name))
}

/// Says what is wrong with a glob of `pass`.
pub fn check_glob(glob: &str) -> Result<(), String> {
    Glob::new(glob).map(drop).map_err(|error| format!("`{glob}` is no glob: {}", error.kind()))
}

/// Globs that are none (plans are checked for that) let nothing through.
fn matchers(pass: &[String]) -> Vec<GlobMatcher> {
    pass.iter().filter_map(|glob| Some(Glob::new(glob).ok()?.compile_matcher())).collect()
}

/// Where an attempt works and what it is told of its surroundings.
#[derive(Debug)]
pub(crate) struct Whereabouts<'a> {
    pub(crate) home: &'a Path,
    pub(crate) home_id: &'a str,
    /// What is around this engine.
    pub(crate) owners: Option<&'a Owners>,
    /// The attempts of this home within which it is.
    pub(crate) around: &'a [AttemptKey],
    /// How deep runs may start runs in other homes by its plan, if they may.
    pub(crate) elsewhere: Option<u32>,
    pub(crate) folder: &'a str,
    pub(crate) workspace: &'a str,
    pub(crate) output: &'a Path,
}

/// The variables of an attempt. Those that Windlass sets of its own can't be overridden by a plan, but for the
/// width and kind of the terminal.
pub(crate) fn of_attempt(
    base: &BTreeMap<String, String>,
    pass: &[String],
    own: &BTreeMap<String, String>,
    key: &AttemptKey,
    place: &Whereabouts<'_>,
) -> BTreeMap<String, String> {
    let pass = matchers(pass);
    let let_through = base.iter().filter(|(name, _)| is_let_through(name, &pass));
    let mut all: BTreeMap<String, String> =
        let_through.map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut set = |name: &str, value: String| drop(all.insert(name.to_owned(), value));
    set("COLUMNS", "120".to_owned());
    set("TERM", "dumb".to_owned());
    for (name, value) in own {
        set(name, value.clone());
    }
    set("PWD", place.folder.to_owned());
    set("WINDLASS_RUN", key.run.to_string());
    set("WINDLASS_TASK", key.task.to_string());
    set("WINDLASS_ATTEMPT", key.attempt.to_string());
    set("WINDLASS_KEY", key.to_string());
    set("WINDLASS_OWNERS", owners(place, key));
    set("WINDLASS_OUTPUT", place.output.display().to_string());
    set("WINDLASS_WORKSPACE", place.workspace.to_owned());
    set("WINDLASS_HOME", place.home.display().to_string());
    match levels_elsewhere(place) {
        Some(levels) => set(NESTED, levels.to_string()),
        // What a run around this one may do says nothing of this one, however it came here.
        None => drop(all.remove(NESTED)),
    }
    all
}

/// How many levels of attempts a run in another home that it starts may have: each mark is a level, and none of the
/// bounds around it grows.
fn levels_elsewhere(place: &Whereabouts<'_>) -> Option<u32> {
    let bound = place.elsewhere?.min(place.owners.map_or(u32::MAX, |owners| owners.levels));
    let own = u32::try_from(place.around.len() + 1).unwrap_or(u32::MAX);
    Some(bound.saturating_sub(own))
}

/// The marks of an attempt: those of the runs around its engine, of the attempts around it, and its own at the end.
fn owners(place: &Whereabouts<'_>, key: &AttemptKey) -> String {
    let outside = place.owners.map(|owners| &owners.marks);
    let outside = outside.filter(|marks| !marks.is_empty() && !is_planted(Bug::MarksOverwritten));
    let own = place.around.iter().chain([key]).map(|key| format!("{}|{key}", place.home_id));
    let marks: Vec<String> = outside.cloned().into_iter().chain(own).collect();
    marks.join(OWNERS_SEPARATOR)
}

/// The home of the innermost attempt in a list of marks.
pub fn home_of_innermost(marks: &str) -> Option<&str> {
    marks.rsplit(OWNERS_SEPARATOR).next()?.split_once('|').map(|(home, _)| home)
}

/// The innermost attempt in a list of marks, whichever home it is of.
pub fn innermost(marks: &str) -> Option<AttemptKey> {
    marks.rsplit(OWNERS_SEPARATOR).next()?.split_once('|')?.1.parse().ok()
}

/// How many attempts are in a list of marks.
pub fn count_of(marks: &str) -> usize {
    marks.split(OWNERS_SEPARATOR).count()
}

/// Whether what has these marks is within all attempts that what has those is within.
pub fn is_within(marks: &str, those: &str) -> bool {
    let behind = marks.strip_prefix(those);
    those.is_empty() || behind.is_some_and(|behind| behind.is_empty() || behind.starts_with(OWNERS_SEPARATOR))
}

/// The innermost attempt of a home in a list of marks.
pub fn innermost_of(home_id: &str, marks: &str) -> Option<AttemptKey> {
    let of_home = |mark: &str| mark.strip_prefix(home_id)?.strip_prefix('|')?.parse().ok();
    marks.rsplit(OWNERS_SEPARATOR).find_map(of_home)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn place() -> Whereabouts<'static> {
        Whereabouts {
            home: Path::new("/home"),
            home_id: "h",
            owners: None,
            around: &[],
            elsewhere: None,
            folder: "/f",
            workspace: "/w",
            output: Path::new("/o"),
        }
    }

    #[test]
    fn what_is_neither_listed_nor_passed_stays_outside() {
        let around = variables(&[("PATH", "/bin"), ("LC_ALL", "C"), ("MY_KEY", "k"), ("AWS_SECRET", "s")]);
        let cut = cut(around, &["MY_*".to_owned()]);
        assert_eq!(cut, variables(&[("PATH", "/bin"), ("LC_ALL", "C"), ("MY_KEY", "k")]));
    }

    #[test]
    fn a_nested_run_appends_its_mark() {
        let key = |text: &str| text.parse::<AttemptKey>().expect("a key");
        let own = key("abcdef/fix/2");
        let mut place = place();
        assert_eq!(owners(&place, &own), "h|abcdef/fix/2");
        let outside = Owners { marks: "h0|zzzzzz/t/1".into(), levels: 2 };
        place.owners = Some(&outside);
        assert_eq!(owners(&place, &own), "h0|zzzzzz/t/1,h|abcdef/fix/2");
        let around = [key("abcdef/t/1"), key("abcdef/t.0/u/3")];
        place.around = &around;
        assert_eq!(
            owners(&place, &own),
            "h0|zzzzzz/t/1,h|abcdef/t/1,h|abcdef/t.0/u/3,h|abcdef/fix/2",
            "also within the same home"
        );
    }

    #[test]
    fn each_mark_takes_a_level_and_no_bound_around_a_run_grows() {
        let mut place = place();
        assert_eq!(levels_elsewhere(&place), None, "its plan does not let it");
        place.elsewhere = Some(3);
        assert_eq!(levels_elsewhere(&place), Some(2));
        let around = ["abcdef/t/1".parse().expect("a key")];
        place.around = &around;
        assert_eq!(levels_elsewhere(&place), Some(1));
        let outside = Owners { marks: "h0|zzzzzz/t/1".into(), levels: 2 };
        place.owners = Some(&outside);
        assert_eq!(levels_elsewhere(&place), Some(0));
        place.elsewhere = None;
        assert_eq!(levels_elsewhere(&place), None);
    }

    #[test]
    fn a_plan_that_passes_everything_passes_no_leave_to_start_runs_elsewhere() {
        let key: AttemptKey = "abcdef/fix/2".parse().expect("a key");
        let base = variables(&[(NESTED, "9")]);
        let own = variables(&[(NESTED, "9")]);
        let all = |place: &Whereabouts<'_>| of_attempt(&base, &["*".to_owned()], &own, &key, place);
        assert_eq!(all(&place()).get(NESTED), None);
        let place = Whereabouts { elsewhere: Some(3), ..place() };
        assert_eq!(all(&place).get(NESTED), Some(&"2".to_owned()));
    }

    #[test]
    fn what_is_within_all_that_another_is_within_has_its_marks_first() {
        assert!(is_within("a|1,b|2", "a|1"));
        assert!(is_within("a|1", "a|1"));
        assert!(is_within("a|1", ""));
        assert!(!is_within("a|11", "a|1"));
        assert!(!is_within("a|1", "a|1,b|2"));
        assert!(!is_within("", "a|1"));
    }

    #[test]
    fn the_innermost_mark_of_a_home_counts() {
        let marks = "h1|aaaaaa/x/1,h2|bbbbbb/y/2,h1|cccccc/z/3,h10|dddddd/w/4";
        assert_eq!(innermost_of("h1", marks), "cccccc/z/3".parse().ok());
        assert_eq!(innermost_of("h2", marks), "bbbbbb/y/2".parse().ok());
        assert_eq!(innermost_of("h3", marks), None);
        assert_eq!(home_of_innermost(marks), Some("h10"));
        assert_eq!(home_of_innermost(""), None);
    }

    #[test]
    fn a_plan_sets_the_width_but_not_the_key() {
        let key: AttemptKey = "abcdef/fix/2".parse().expect("a key");
        let base = variables(&[("PATH", "/bin"), ("MY_KEY", "k")]);
        let own = variables(&[("COLUMNS", "80"), ("WINDLASS_KEY", "forged"), ("A", "b")]);
        let all = of_attempt(&base, &[], &own, &key, &place());
        let expected = variables(&[
            ("A", "b"),
            ("COLUMNS", "80"),
            ("PATH", "/bin"),
            ("PWD", "/f"),
            ("TERM", "dumb"),
            ("WINDLASS_ATTEMPT", "2"),
            ("WINDLASS_HOME", "/home"),
            ("WINDLASS_KEY", "abcdef/fix/2"),
            ("WINDLASS_OUTPUT", "/o"),
            ("WINDLASS_OWNERS", "h|abcdef/fix/2"),
            ("WINDLASS_RUN", "abcdef"),
            ("WINDLASS_TASK", "fix"),
            ("WINDLASS_WORKSPACE", "/w"),
        ]);
        assert_eq!(all, expected);
    }
}
