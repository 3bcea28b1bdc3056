//! What a person sees who sits at a terminal, and how they answer there.

use std::fs::{self, File, Permissions};
use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::desk::Desk;

/// The binary at a terminal.
pub(crate) struct Seat {
    child: Child,
    screen: File,
    seen: String,
    /// All that came, letter by letter.
    bytes: Vec<u8>,
    /// How large it is by turns: columns, rows, and how much had come by then.
    sizes: Vec<(u16, u16, usize)>,
}

impl Seat {
    pub(crate) fn new(desk: &Desk, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::of(desk.command(arguments), environment)
    }

    /// The terminal is that large from here on.
    fn resize(&mut self, columns: u16, rows: u16) {
        self.sizes.push((columns, rows, self.bytes.len()));
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.screen, size).expect("it has a size");
    }

    pub(crate) fn of(mut command: Command, environment: &[(&str, &str)]) -> Self {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal can be had");
        grantpt(&screen).expect("it is ours");
        unlockpt(&screen).expect("it is ours");
        tcsetwinsize(&screen, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 })
            .expect("it has a size");
        let name = ptsname(&screen, Vec::new()).expect("it has a name").into_string().expect("text");
        let open = || File::options().read(true).write(true).open(&name).expect("it is there");
        command.env("TERM", "xterm").envs(environment.iter().copied());
        let child = command.stdin(open()).stdout(open()).stderr(open()).spawn().expect("it starts");
        Self {
            child,
            screen: File::from(screen),
            seen: String::new(),
            bytes: Vec::new(),
            sizes: vec![(80, 24, 0)],
        }
    }

    /// Waits until this stands on the screen behind what was waited for before.
    pub(crate) fn wait_for(&mut self, part: &str) {
        loop {
            if let Some(at) = self.seen.find(part) {
                self.seen.drain(..at + part.len());
                return;
            }
            assert!(self.look(), "it ended without showing `{part}`: {}", self.seen);
        }
    }

    fn look(&mut self) -> bool {
        let mut bytes = [0; 4096];
        // At the end a terminal gives an error, not an end.
        let length = self.screen.read(&mut bytes).unwrap_or(0);
        self.seen.push_str(&String::from_utf8_lossy(&bytes[..length]));
        self.bytes.extend_from_slice(&bytes[..length]);
        length > 0
    }

    /// Waits until all this stands on the screen at once, whatever was there before.
    #[track_caller]
    fn wait_until_shown(&mut self, parts: &[&str]) -> vt100::Screen {
        self.wait_until(|screen| parts.iter().all(|part| screen.contents().contains(part)))
    }

    /// Waits until the screen is so.
    #[track_caller]
    fn wait_until(&mut self, is_so: impl Fn(&vt100::Screen) -> bool) -> vt100::Screen {
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                self.seen.clear();
                return screen;
            }
            assert!(self.look(), "it ended before all stood there at once:\n{}", screen.contents());
        }
    }

    /// What stands on the screen now, as far as it was looked at.
    fn screen(&self) -> vt100::Screen {
        let size = |count| NonZero::new(count).expect("it has a size");
        let mut terminal = vt100::Parser::new(size(24), size(80), 0);
        for (place, (columns, rows, from)) in self.sizes.iter().enumerate() {
            terminal.screen_mut().set_size(size(*rows), size(*columns));
            let to = self.sizes.get(place + 1).map_or(self.bytes.len(), |(.., to)| *to);
            terminal.process(&self.bytes[*from..to]);
        }
        terminal.screen().clone()
    }

    pub(crate) fn type_in(&mut self, text: &str) {
        self.screen.write_all(text.as_bytes()).expect("somebody is there");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is alive");
    }

    pub(crate) fn end(self) -> (Option<i32>, String) {
        let (code, seen, _) = self.end_with_all();
        (code, seen)
    }

    /// How it ends, what was shown last, and all that ever came.
    pub(crate) fn end_with_all(mut self) -> (Option<i32>, String, String) {
        while self.look() {}
        let all = String::from_utf8_lossy(&self.bytes).into_owned();
        (self.child.wait().expect("it ends").code(), self.seen, all)
    }
}

const ASKS: &str = "
tasks:
  a: { run: echo the change }
  ok: { needs: [a], approval: { text: \"Ship it?\", show: [a] } }
  b: { needs: [ok], run: echo shipped > proof }
  side: { run: cat gate }
";

#[test]
fn an_approval_is_asked_in_place_while_the_rest_goes_on() {
    let desk = Desk::with(ASKS);
    desk.gate("gate");
    let mut seat = Seat::new(&desk, &["run", "plan.yaml"], &[]);
    seat.wait_for("the change");
    seat.wait_for("approve? [y]es, [n]o: ");
    desk.open_gate("gate");
    seat.wait_for("side");
    seat.wait_for("approve? [y]es, [n]o: ");
    seat.type_in("perhaps\n");
    seat.wait_for("That is no answer: `y` or `yes` approves");
    seat.wait_for("Ship it?");
    seat.wait_for("approve? [y]es, [n]o: ");
    seat.type_in("y\n");
    let (code, _) = seat.end();
    assert_eq!(code, Some(0));
    assert_eq!(desk.read("proof"), "shipped\n");
}

const PROMPT: &str = "approve? [y]es, [n]o: ";

/// The lines of a screen that are not empty.
fn lines_of(screen: &vt100::Screen) -> Vec<String> {
    let lines = screen.rows(0, 80).map(|line| line.trim_end().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

#[test]
fn what_runs_is_shown_while_something_is_asked_and_each_prompt_says_what_it_asks() {
    let desk = Desk::with(
        "tasks: { q1: { approval: First }, q2: { approval: \"Second\\nand more\" }, q3: { approval: Third },
          a: { run: cat gate }, b: { needs: [a], run: echo hears; cat hold } }",
    );
    desk.gate("gate");
    desk.gate("hold");
    let mut seat = Seat::new(&desk, &["run", "plan.yaml"], &[]);
    let face =
        ["▶ a   running", "· b   waiting", "░░░", "0 of 5 tasks done", "q1 asks: First", PROMPT.trim_end()];
    let screen = seat.wait_until_shown(&face);
    let lines = lines_of(&screen);
    assert_eq!(lines[lines.len() - 2], "2 more questions wait; q1 asks: First", "{lines:#?}");
    assert_eq!(lines[lines.len() - 1], PROMPT.trim_end());
    // What is typed stays where it is while the rest is drawn anew around it.
    seat.type_in("y");
    desk.open_gate("gate");
    let face = ["✓ a   succeeded", "▶ b   running", "  hears", "q1 asks: First"];
    seat.wait_until(|screen| {
        let is_behind_prompt = usize::from(screen.cursor_position().1) >= PROMPT.len();
        is_behind_prompt && face.iter().all(|part| screen.contents().contains(part))
    });
    seat.type_in("\n");
    let asks_next = |screen: &vt100::Screen| {
        let lines = lines_of(screen);
        let shown = ["approved  q1", "▶ b   running", "q2 asks: Second …"];
        shown.iter().all(|part| lines.iter().any(|line| line.contains(part)))
            && lines.last().is_some_and(|line| line == PROMPT.trim_end())
    };
    let lines = lines_of(&seat.wait_until(asks_next));
    let trees = lines.iter().filter(|line| line.contains("▶ b")).count();
    assert_eq!(trees, 1, "{lines:#?}");
    seat.type_in("hm\n");
    seat.wait_for("and more");
    seat.wait_for(PROMPT);
    seat.type_in("y\n");
    seat.wait_until_shown(&["approved  q2", "▶ b   running", "q3 asks: Third", PROMPT.trim_end()]);
    seat.type_in("y\n");
    let screen = seat.wait_until_shown(&["approved  q3", "4 of 5 tasks done"]);
    assert_eq!(screen.contents().matches("approve? [").count(), 0, "{}", screen.contents());
    desk.open_gate("hold");
    assert_eq!(seat.end().0, Some(0));
}

#[test]
fn where_nothing_is_drawn_anew_a_prompt_has_its_question_above_it_all_the_same() {
    let desk = Desk::with("tasks: { ok: { approval: Ship it? }, a: { run: cat gate } }");
    desk.gate("gate");
    let mut seat = Seat::new(&desk, &["run", "plan.yaml"], &[("TERM", "dumb"), ("NO_COLOR", "1")]);
    seat.wait_for("  Ship it?\r\napprove? ");
    desk.open_gate("gate");
    seat.wait_for("succeeded a");
    seat.wait_for("ok asks: Ship it?\r\napprove? [y]es, [n]o: ");
    seat.type_in("y\n");
    assert_eq!(seat.end().0, Some(0));
}

#[test]
fn a_run_that_is_over_leaves_the_screen_where_its_engine_goes_on_for_others() {
    let desk = Desk::with("tasks: { a: { run: cat gate } }");
    desk.write("other.yaml", "tasks: { b: { run: cat hold } }");
    desk.gate("gate");
    desk.gate("hold");
    let mut seat = Seat::new(&desk, &["run", "plan.yaml"], &[]);
    seat.wait_for("1 running");
    let other = desk.windlass(&["run", "other.yaml", "--detach"]).out.trim().to_owned();
    desk.open_gate("gate");
    let screen = seat.wait_until_shown(&["succeeded", &format!("This engine goes on for {other}")]);
    assert!(!screen.contents().contains("1 of 1 tasks done, "), "{}", screen.contents());
    desk.open_gate("hold");
    let (code, _, all) = seat.end_with_all();
    assert_eq!(code, Some(0));
    let after = all.split_once("This engine goes on").expect("it was said").1;
    assert!(!after.contains("tasks done"), "{after:?}");
}

/// The id of the one question of a task.
fn question_of(desk: &Desk, task: &str) -> String {
    let events = desk.windlass(&["events", "last", "--json"]).lines();
    let asked =
        events.iter().rfind(|record| record["type"] == "approval_requested" && record["task"] == task);
    asked.expect("it asks")["id"].as_str().expect("text").to_owned()
}

#[test]
fn what_was_typed_before_a_question_was_shown_does_not_answer_it() {
    let desk = Desk::with(
        "tasks: { x: { run: cat gate }, q1: { needs: [x], approval: First }, y: { needs: [q1], run: cat hold },
          q2: { needs: [y], approval: Second } }",
    );
    desk.gate("gate");
    desk.gate("hold");
    let mut seat = Seat::new(&desk, &["run", "plan.yaml"], &[]);
    seat.wait_for("1 running");
    seat.type_in("y\n");
    seat.wait_for("y\r\n");
    desk.open_gate("gate");
    seat.wait_for("First");
    seat.wait_for(PROMPT);
    seat.type_in("y\n");
    seat.wait_for("1 running");
    // The second one comes to who listens already.
    seat.type_in("y\n");
    seat.wait_for("y\r\n");
    desk.open_gate("hold");
    seat.wait_for("Second");
    seat.wait_for(PROMPT);
    seat.type_in("n\n");
    assert_eq!(seat.end().0, Some(1), "the second was denied");
}

#[test]
fn what_was_begun_for_one_question_does_not_answer_the_next() {
    let desk = Desk::with("tasks: { q1: { approval: First }, q2: { approval: Second } }");
    let mut seat = Seat::new(&desk, &["run", "plan.yaml"], &[]);
    seat.wait_for("First");
    seat.wait_for(PROMPT);
    // What happened before it was asked is told once it stands there, and the prompt again below that.
    seat.wait_for("q2  Second");
    seat.wait_for(PROMPT);
    seat.type_in("y");
    seat.wait_for("y");
    let approved = desk.windlass(&["approve", "last", "q1", "--id", &question_of(&desk, "q1")]);
    assert_eq!(approved.code, Some(0), "{}", approved.all());
    seat.wait_for("Second");
    seat.wait_for(PROMPT);
    seat.type_in("\n");
    seat.wait_for("Second");
    seat.wait_for(PROMPT);
    seat.type_in("n\n");
    assert_eq!(seat.end().0, Some(1), "the second was denied");
}

#[test]
fn a_question_that_is_answered_elsewhere_leaves_its_line() {
    for terminal in ["xterm", "dumb"] {
        let desk = Desk::with("tasks: { q1: { approval: First }, z: { run: cat gate } }");
        desk.gate("gate");
        let mut seat = Seat::new(&desk, &["run", "plan.yaml"], &[("TERM", terminal), ("NO_COLOR", "1")]);
        seat.wait_for("First");
        seat.wait_for("approve? ");
        desk.windlass(&["approve", "last", "q1", "--id", &question_of(&desk, "q1")]);
        desk.open_gate("gate");
        let (code, seen) = seat.end();
        assert_eq!(code, Some(0), "{seen}");
        let told = seen.split("[n]o: ").skip(1).find(|after| !after.starts_with('\r'));
        assert_eq!(told, None, "{terminal}: {seen:?}");
    }
}

#[test]
fn an_answer_that_no_engine_heard_is_asked_for_again() {
    let desk = Desk::with("tasks: { ok: { approval: Ship it? } }");
    desk.write("hold.yaml", "tasks: { a: { run: cat gate } }");
    desk.gate("gate");
    let mut host = desk.start(&["run", "hold.yaml"]);
    host.wait_for("started   a");
    let mut seat = Seat::of(desk.unprivileged(&["run", "plan.yaml"]), &[]);
    seat.wait_for(PROMPT);
    let allow = |mode| fs::set_permissions(desk.socket(), Permissions::from_mode(mode)).expect("ours");
    allow(0o000);
    seat.type_in("y\n");
    seat.wait_for("Nothing was heard of the answer");
    seat.wait_for(PROMPT);
    allow(0o600);
    seat.type_in("y\n");
    let (code, seen) = seat.end();
    assert_eq!(code, Some(0), "{seen}");
    desk.open_gate("gate");
    assert_eq!(host.end().code, Some(0));
}

#[test]
fn without_an_answer_at_the_terminal_the_question_stays_open() {
    let desk = Desk::with("tasks: { ok: { approval: \"Ship it?\" } }");
    let mut seat = Seat::new(&desk, &["run", "plan.yaml"], &[]);
    seat.wait_for("approve? [y]es, [n]o: ");
    seat.type_in("\u{4}");
    let (code, seen) = seat.end();
    assert_eq!(code, Some(3));
    assert!(seen.contains("windlass approve"), "{seen}");
}

#[test]
fn after_ctrl_c_nobody_is_asked_any_more() {
    let desk = Desk::with("tasks: { ok: { approval: \"Ship it?\" }, a: { run: cat gate } }");
    desk.gate("gate");
    let mut seat = Seat::new(&desk, &["run", "plan.yaml"], &[]);
    seat.wait_for("approve? [y]es, [n]o: ");
    seat.signal(Signal::INT);
    seat.wait_for("\u{1b}[JStopping: what runs is asked to end");
    let (code, seen) = seat.end();
    assert_eq!(code, Some(130));
    assert!(!seen.contains("approve? ["), "{seen}");
    assert!(seen.contains("uncharged: it starts again once its run goes on"), "{seen}");
}

#[test]
fn asking_at_the_terminal_needs_nothing_but_the_question() {
    let desk = Desk::with(
        "tasks: { a: { run: cat gate }, ok: { needs: [a], approval: \"Ship it?\" }, b: { needs: [ok], run: cat hold } }",
    );
    desk.gate("gate");
    desk.gate("hold");
    let mut seat = Seat::of(desk.unprivileged(&["run", "plan.yaml"]), &[]);
    seat.wait_for("1 running");
    let head = desk.home().join("head");
    let rights = |mode| fs::set_permissions(&head, Permissions::from_mode(mode)).expect("it is ours");
    // Nobody can open the journal but who has it open already.
    rights(0o000);
    desk.open_gate("gate");
    seat.wait_for("Ship it?");
    seat.wait_for("approve? [y]es, [n]o: ");
    seat.type_in("y\n");
    seat.wait_for("1 running");
    rights(0o600);
    desk.open_gate("hold");
    assert_eq!(seat.end().0, Some(0));
}

#[test]
fn a_live_display_says_how_far_it_is() {
    let desk = Desk::with("tasks: { a: { run: \"true\" }, b: { needs: [a], run: cat gate } }");
    desk.gate("gate");
    let mut seat = Seat::new(&desk, &["run", "plan.yaml"], &[]);
    seat.wait_for("1 of 2 tasks done, 1 running");
    desk.open_gate("gate");
    assert_eq!(seat.end().0, Some(0));
}

#[test]
fn the_live_display_shows_each_task_and_what_runs_says_last() {
    let desk = Desk::with(
        "tasks: { a: { run: echo first; echo second; cat gate; echo third; cat hold }, b: { needs: [a], run: \"true\" } }",
    );
    desk.gate("gate");
    desk.gate("hold");
    let mut seat = Seat::new(&desk, &["run", "plan.yaml"], &[("NO_COLOR", "1")]);
    seat.wait_for("▶ a  running");
    seat.wait_for("· b  waiting");
    seat.wait_for("  second");
    desk.open_gate("gate");
    seat.wait_for("  third");
    seat.resize(20, 10);
    // So narrow, there are no words beside the marks, and nothing is left of what stood there wider.
    let is_narrow = |screen: &vt100::Screen| lines_of(screen).last().is_some_and(|line| line.ends_with('…'));
    let lines = lines_of(&seat.wait_until(is_narrow));
    let [a, b, run] = &lines[..] else { panic!("{lines:#?}") };
    assert!(a.starts_with("  ▶ a  ") && run.starts_with("run "), "{lines:#?}");
    assert_eq!(b, "  · b");
    desk.open_gate("hold");
    let (code, seen) = seat.end();
    assert_eq!(code, Some(0), "{seen}");
}

#[test]
fn the_live_display_goes_by_the_plan_that_the_run_goes_by() {
    let desk = Desk::with("tasks: { bad: { run: exit 1 }, hold: { run: cat gate } }");
    for gate in ["gate", "gate2", "gate3"] {
        desk.gate(gate);
    }
    let mut seat = Seat::new(&desk, &["run", "plan.yaml"], &[]);
    seat.wait_for("1 failed");
    desk.write("without.yaml", "tasks: { hold: { run: cat gate } }");
    assert_eq!(desk.windlass(&["revise", "last", "without.yaml"]).code, Some(0));
    seat.wait_for("plan 2");
    seat.wait_for("1 of 2 tasks done, 1 running, ");
    let again = "tasks: { many: { for_each: [1, 2, 3], run: 'test {{ item }} = 1 || cat gate{{ item }}' }, bad: { run: exit 0 }, hold: { run: cat gate } }";
    desk.write("again.yaml", again);
    assert_eq!(desk.windlass(&["revise", "last", "again.yaml"]).code, Some(0));
    seat.wait_for("plan 3");
    seat.wait_for("many");
    seat.wait_for("1 of 3");
    seat.wait_for("bad");
    seat.wait_for("1 failed");
    let shown = desk.json(&["show", "last", "--json"]);
    let tasks = shown["tasks"].as_array().expect("a list").iter();
    let ids: Vec<&str> = tasks.filter_map(|task| task["id"].as_str()).collect();
    assert_eq!(ids, ["many", "many.0", "many.1", "many.2", "bad", "hold"]);
    for gate in ["gate", "gate2", "gate3"] {
        desk.open_gate(gate);
    }
    assert_eq!(seat.end().0, Some(1), "bad is dead still, and needed again");
}

#[test]
fn no_color_leaves_the_display_and_takes_the_colours() {
    let desk = Desk::with("tasks: { a: { run: exit 1 } }");
    let (code, seen) = Seat::new(&desk, &["run", "plan.yaml"], &[("NO_COLOR", "1")]).end();
    assert_eq!(code, Some(1));
    assert!(seen.contains("A\u{1b}[J") && !seen.contains("\u{1b}[0m"), "{seen:?}");
    let (_, plain) = Seat::new(&desk, &["run", "plan.yaml"], &[("TERM", "dumb"), ("NO_COLOR", "1")]).end();
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
}

#[test]
fn a_timeline_and_a_tree_fit_the_terminal() {
    let desk = Desk::with(
        "
tasks:
  a-task-with-a-name-that-is-longer-than-many-others: { run: \"true\" }
  b: { needs: [a-task-with-a-name-that-is-longer-than-many-others], run: echo something or other that is long }
  c: { needs: [b, a-task-with-a-name-that-is-longer-than-many-others], run: \"true\" }
",
    );
    desk.windlass(&["run", "plan.yaml"]);
    for arguments in [&["show", "last"][..], &["graph", "last"], &["graph", "plan.yaml"]] {
        let (code, seen) = Seat::new(&desk, arguments, &[("NO_COLOR", "1")]).end();
        assert_eq!(code, Some(0));
        let drawn = seen.split_once("TIMELINE").map_or(seen.as_str(), |(_, timeline)| timeline);
        let wide = drawn.lines().map(str::trim_end).find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{seen}");
    }
}

#[test]
fn what_is_told_at_a_terminal_fits_it_and_a_pipe_has_it_whole() {
    let name = "a-task-with-a-name-that-is-longer-than-many-others";
    let plan = format!(
        "goal: {}\ntasks: {{ {name}: {{ run: \"echo {} >&2; exit 3\" }}, ok: {{ run: echo {} }} }}",
        "for ever and ".repeat(9),
        "why not this ".repeat(20),
        "given ".repeat(40)
    );
    let desk = Desk::with(&plan);
    let whole = desk.windlass(&["run", "plan.yaml"]).out;
    let why = "why not this ".repeat(20);
    assert!(whole.lines().any(|line| line.contains("dead") && line.contains(why.trim_end())), "{whole}");
    let events = desk.windlass(&["events", "last"]).out;
    assert!(
        events.lines().any(|line| line.contains("task_dead") && line.contains(why.trim_end())),
        "{events}"
    );
    for arguments in [
        &["run", "plan.yaml"][..],
        &["events", "last"],
        &["show", "last", name],
        &["show", "last"],
        &["show", "last", "--why"],
    ] {
        let (_, seen) = Seat::new(&desk, arguments, &[("NO_COLOR", "1")]).end();
        // Commands stay in one piece, since they are there to be pasted.
        let lines = seen.lines().map(|line| line.trim_end().rsplit("\u{1b}[J").next().unwrap_or_default());
        let wide = lines.filter(|line| line.chars().count() > 80 && !line.contains("windlass "));
        assert_eq!(wide.collect::<Vec<_>>(), Vec::<&str>::new(), "{arguments:?}: {seen}");
    }
}

#[test]
fn lines_of_logs_are_cut_to_the_width_of_the_terminal() {
    let desk = Desk::with("tasks: { a: { run: \"printf '%0300d\\\\n' 7; exit 1\" } }");
    let (_, seen) = Seat::new(&desk, &["run", "plan.yaml"], &[("NO_COLOR", "1")]).end();
    let line = seen.lines().find(|line| line.contains(" out ")).expect("the line of the log");
    assert_eq!((line.chars().count(), line.ends_with("000…")), (80, true), "{line}");
}

#[test]
fn approve_shows_what_it_approves_and_asks() {
    let desk = Desk::with(
        "tasks: { a: { run: echo the change }, ok: { needs: [a], approval: { text: \"Ship it?\", show: [a] } } }",
    );
    desk.windlass(&["run", "plan.yaml"]);
    let mut seat = Seat::new(&desk, &["approve", "last", "ok"], &[]);
    seat.wait_for("Ship it?");
    seat.wait_for("the change");
    seat.wait_for("approve? [y]es, [n]o: ");
    seat.type_in("n\n");
    assert_eq!(seat.end().0, Some(0));
    assert_eq!(desk.json(&["ps", "--json"])["runs"][0]["state"], "failed");
}

#[test]
fn lists_are_cut_to_the_width_of_the_terminal_and_a_pipe_has_them_whole() {
    let long = "a goal that goes on and on and on and on and on and on and on and on and on and on";
    let desk = Desk::with(&format!(
        "goal: {long}\ntasks: {{ a: {{ run: \"echo {} >&2; exit 3\" }} }}",
        "why ".repeat(30)
    ));
    desk.windlass(&["run", "plan.yaml"]);
    for arguments in [&["ps"][..], &["show", "last"]] {
        let (code, seen) = Seat::new(&desk, arguments, &[("NO_COLOR", "1")]).end();
        assert_eq!(code, Some(0), "{seen}");
        let table = &seen[seen.find("TASK ").unwrap_or(0)..];
        let longest = table.lines().max_by_key(|line| line.chars().count()).expect("lines");
        assert!(longest.chars().count() <= 80, "{arguments:?}: {longest}");
        assert!(seen.contains('…'), "{seen}");
    }
    let whole = desk.windlass(&["show", "last"]).out;
    assert!(whole.contains(&"why ".repeat(30).trim_end().to_owned()), "{whole}");
}
