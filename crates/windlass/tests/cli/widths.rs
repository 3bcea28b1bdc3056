//! What fits a terminal of 80 columns though names, paths and texts are long, and what a pipe has of it. Never: what is
//! there to be pasted broken.

use crate::desk::Desk;
use crate::terminal::Seat;

const LONG: &str = "build-the-documentation-with-all-its-pictures-for-any-platform";

/// Two tasks with long names, of which one waits for the only place; the other fails.
const PLAN: &str = "
concurrency: 1
tasks:
  build-the-documentation-with-all-its-pictures-for-any-platform: { run: echo it is not as it should be at all >&2; exit 3 }
  fetch-everything-that-the-documentation-is-to-be-made-of-today: { run: echo a text of which there is a good deal more than fits }
  publish: { needs: [fetch-everything-that-the-documentation-is-to-be-made-of-today, build-the-documentation-with-all-its-pictures-for-any-platform], run: \"true\" }
";

/// What a command shows at a terminal of 80 columns: no line is wider.
fn at_a_terminal(desk: &Desk, arguments: &[&str]) -> String {
    let (_, seen) = Seat::new(desk, arguments, &[("NO_COLOR", "1")]).end();
    let wide = seen.lines().map(str::trim_end).find(|line| line.chars().count() > 80);
    assert_eq!(wide, None, "{arguments:?}: {seen}");
    seen
}

#[test]
fn lists_of_tasks_with_long_names_show_their_other_columns_too() {
    let desk = Desk::with(PLAN);
    desk.windlass(&["run", "plan.yaml"]);
    for (arguments, head, told) in
        [(&["show", "last"][..], "WHAT", "exit: `/bin/sh`"), (&["dlq", "list"], "WHY", "exit: `/bin/sh`")]
    {
        let seen = at_a_terminal(&desk, arguments);
        assert!(seen.contains(head) && seen.contains(told), "{seen}");
        assert!(
            seen.lines().any(|line| line.contains("build-the-") && line.contains("platform  ")),
            "{seen}"
        );
        assert!(desk.windlass(arguments).out.contains(LONG), "a pipe has it whole");
    }
}

#[test]
fn a_plan_and_what_made_a_run_slow_are_told_in_lines_that_fit() {
    let desk = Desk::with(PLAN);
    desk.windlass(&["run", "plan.yaml"]);
    let check = at_a_terminal(&desk, &["check", "plan.yaml"]);
    assert!(check.lines().any(|line| line.starts_with("       after ")) && check.contains(LONG), "{check}");
    let whole = desk.windlass(&["check", "plan.yaml"]).out;
    assert!(whole.lines().any(|line| line.contains("publish") && line.contains(LONG)), "{whole}");
    let slow = at_a_terminal(&desk, &["doctor", "--why-slow"]);
    assert!(slow.contains("concurrency 1 of the plan: waited "), "{slow}");
    let whole = desk.windlass(&["doctor", "--why-slow"]).out;
    let row =
        |line: &str| line.contains("concurrency 1 of the plan  ") && line.contains("raise `concurrency`");
    assert!(whole.contains("WHAT TO CHANGE") && whole.lines().any(row), "{whole}");
    for arguments in [&["graph", "plan.yaml"][..], &["graph", "last"], &["doctor"], &["doctor", "--config"]] {
        at_a_terminal(&desk, arguments);
    }
}

#[test]
fn the_line_of_a_mistake_is_shown_around_it_and_a_pipe_has_more_of_it() {
    let desk = Desk::with(&format!(
        "tasks: {{ a: {{ run: \"echo {}\", neds: [b] }}, b: {{ run: \"echo {}\" }} }}",
        "before ".repeat(4),
        "after ".repeat(4)
    ));
    let seen = at_a_terminal(&desk, &["check", "plan.yaml"]);
    assert!(seen.contains(" | …") && seen.contains("neds: [b]") && seen.contains("…\r\n"), "{seen}");
    let line = |text: &str| text.lines().find(|line| line.contains("neds:")).expect("the line").to_owned();
    let mark = |text: &str| text.lines().find(|line| line.contains("^^^^")).expect("the mark").find('^');
    let place = |text: &str| line(text).split("neds").next().map(|before| before.chars().count());
    assert_eq!(place(&seen), mark(&seen), "{seen}");
    let whole = desk.windlass(&["check", "plan.yaml"]).err;
    assert!(!whole.contains('…'), "{whole}");
    assert_eq!(place(&whole), mark(&whole));
}
