//! `windlass guide`: the guides that the binary carries, for people and for programs.

use crate::desk::Desk;
use crate::terminal::Seat;

#[test]
fn without_a_topic_all_are_listed_and_none_needs_a_home() {
    let desk = Desk::new();
    let done = desk.windlass(&["guide"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let listed = desk.json(&["guide", "--json"]);
    for topic in ["start", "plan", "keys", "agent", "steer", "recover", "chaos", "errors"] {
        assert!(done.out.lines().any(|line| line.starts_with(topic)), "{topic}: {}", done.out);
        let guides = listed["guides"].as_array().expect("a list");
        assert!(guides.iter().any(|guide| guide["topic"] == topic), "{topic}: {listed}");
        let page = desk.windlass(&["guide", topic]);
        assert!(page.code == Some(0) && page.out.starts_with("# "), "{topic}: {}", page.all());
    }
    assert!(!desk.has_home(), "nothing was made");
}

#[test]
fn in_a_pipe_a_guide_is_the_page_that_stands_in_the_book() {
    let desk = Desk::new();
    let page = include_str!("../../../../docs/guides/plan.md");
    assert_eq!(desk.windlass(&["guide", "plan"]).out, page);
    assert_eq!(desk.json(&["guide", "plan", "--json"])["page"], page);
}

#[test]
fn a_kind_of_error_has_a_page_of_its_own() {
    let desk = Desk::new();
    let whole = desk.windlass(&["guide", "errors"]).out;
    assert!(whole.contains("| `exit` |") && !whole.contains("\n## "), "{whole}");
    let page = desk.windlass(&["guide", "errors", "exit"]).out;
    assert!(page.starts_with("## `exit`\n") && page.matches("\n## ").count() == 0, "{page}");
    assert!(page.ends_with('\n') && !page.ends_with("\n\n"), "{page:?}");
}

#[test]
fn what_is_misspelt_is_suggested_with_code_2() {
    let desk = Desk::new();
    for (arguments, hint) in [
        (&["guide", "plans"][..], "did you mean `plan`?"),
        (&["guide", "zzz"], "there are start, plan"),
        (&["guide", "auth"], "`windlass guide errors auth`"),
        (&["guide", "errors", "timeuot"], "did you mean `timeout`?"),
        (&["guide", "errors", "zzz"], "`windlass guide errors` lists them"),
        (&["guide", "plan", "exit"], "`windlass guide plan` prints it whole"),
    ] {
        let done = desk.windlass(arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {}", done.all());
        assert!(done.err.contains(hint), "{arguments:?}: {}", done.err);
    }
}

#[test]
fn on_a_terminal_a_guide_is_set_for_it() {
    let desk = Desk::new();
    for topic in ["plan", "keys", "agent", "steer", "recover", "chaos", "errors"] {
        let (code, seen) = Seat::new(&desk, &["guide", topic], &[("NO_COLOR", "1")]).end();
        assert_eq!(code, Some(0), "{seen}");
        assert!(!seen.contains("](") && !seen.contains("**") && !seen.contains("\n#"), "{seen}");
        // Code is not broken; everything else fits.
        for line in seen.lines().filter(|line| !line.starts_with("    ")) {
            assert!(line.chars().count() <= 80, "{topic}: {line}");
        }
    }
}
