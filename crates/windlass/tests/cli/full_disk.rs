//! A home on a small disk that its own tasks fill: what runs comes to its end, nothing starts after it, and commands that
//! steer still work. The disk is mounted in a namespace of its own, so nobody else sees it.

use std::process::{Command, Output, Stdio};

use crate::desk::Desk;
use crate::needs::mounting;

/// Runs lines of a shell in which `$STATE` lies on a disk of 16 MiB, `windlass` is the binary, and the home wants 2 MiB in
/// reserve.
#[expect(clippy::disallowed_methods, reason = "tests start the built binary, here on a disk of its own")]
pub(crate) fn on_a_small_disk(desk: &Desk, lines: &str) -> Output {
    let sealed = desk.command(&[]);
    let program = sealed.get_program().display().to_string();
    let script = format!(
        "set -e; mount -t tmpfs -o size=16m tmpfs \"$XDG_STATE_HOME\"; \
         windlass() {{ '{program}' \"$@\" && echo code 0 || echo code $?; }}; {lines}"
    );
    let mut shell = Command::new("unshare");
    shell.args(["-m", "sh", "-c", &script]).current_dir(desk.work()).env_clear().stdin(Stdio::null());
    shell.envs(sealed.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("WINDLASS_HOME_RESERVE", "2MiB");
    shell.output().expect("it starts")
}

const FILLS: &str = "tasks: \
    { fill: { run: \"head -c 99M /dev/zero > $XDG_STATE_HOME/full || true\" }, \
      next: { needs: [fill], run: echo next > next } }";

#[test]
fn nothing_starts_on_a_disk_that_is_nearly_full_and_commands_still_work() {
    if !mounting("full_disk::nothing_starts_on_a_disk_that_is_nearly_full_and_commands_still_work") {
        return;
    }
    let desk = Desk::with(FILLS);
    desk.write("other.yaml", "tasks: { other: { run: echo other > next } }");
    let output = on_a_small_disk(
        &desk,
        "windlass run plan.yaml; windlass run other.yaml; unset WINDLASS_HOME_MIN_FREE; windlass pause last; windlass doctor; \
         windlass cancel last; windlass show last; windlass run plan.yaml",
    );
    let out = String::from_utf8_lossy(&output.stdout);
    let all = format!("{out}\n--- err\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(desk.read("next"), "", "{all}");
    let codes: Vec<&str> = out.lines().filter_map(|line| line.strip_prefix("code ")).collect();
    assert_eq!(codes, ["4", "4", "0", "4", "0", "0", "4"], "{all}");
    assert!(out.contains("cancelled"), "{all}");
    assert!(all.contains("hint: make room on its disk"), "{all}");
}

#[test]
fn a_detached_run_that_the_disk_keeps_from_starting_says_that_it_is_paused() {
    if !mounting("full_disk::a_detached_run_that_the_disk_keeps_from_starting_says_that_it_is_paused") {
        return;
    }
    let desk = Desk::with("tasks: { other: { run: echo other > next } }");
    let nearly_full = "head -c 11M /dev/zero > $XDG_STATE_HOME/full";
    let output = on_a_small_disk(&desk, &format!("{nearly_full}; windlass run --detach plan.yaml"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let [.., id, "code 4"] = out.lines().collect::<Vec<_>>()[..] else { panic!("{out}{err}") };
    let said =
        format!("Run {id} is paused: the disk of the home is nearly full. `windlass resume {id}` goes on");
    assert!(err.contains(&said) && !err.contains("goes on in the background"), "{err}");
    assert_eq!(desk.read("next"), "");
}

/// It fills the disk, and another task ends, which costs the reserve; then it makes room again. `full`, `spent` and `room`
/// are fifos in which the two are told.
const MAKES_ROOM: &str = "tasks: \
    { other: { run: \"read told < full\" }, \
      fill: { run: \"head -c 99M /dev/zero > $XDG_STATE_HOME/full; echo full > full; read told < spent; \
                    test -e $WINDLASS_HOME/reserve || touch was-spent; rm $XDG_STATE_HOME/full; \
                    read told < room; test -e $WINDLASS_HOME/reserve && touch again\" } }";

/// What tells it: that the other has ended, and that there is room again, stands in the journal.
const TELLS_OF_ROOM: &str = "while read -r record; do case $record in \
    *other*attempt_finished*) echo spent > spent ;; *run_resumed*) echo room > room ;; esac; done";

#[test]
fn a_reserve_that_was_spent_is_made_again_once_there_is_room() {
    if !mounting("full_disk::a_reserve_that_was_spent_is_made_again_once_there_is_room") {
        return;
    }
    let desk = Desk::with(MAKES_ROOM);
    let lines = format!("mkfifo full spent room; windlass run --json plan.yaml | {TELLS_OF_ROOM}");
    let output = on_a_small_disk(&desk, &lines);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(desk.work().join("was-spent").exists(), "{told}");
    assert!(desk.work().join("again").exists(), "{told}");
}

/// It prints while the disk has little room left, and after that: `low` and `room` are fifos in which it is told.
const PRINTS: &str = "tasks: \
    { print: { run: \"echo first; head -c 11M /dev/zero > $XDG_STATE_HOME/full; read told < low; seq 100000; echo last; \
                      rm $XDG_STATE_HOME/full; read told < room; echo after\" } }";

/// What tells it: that the disk is low, or has room again, stands in the journal.
const TELLS: &str = "while read -r record; do case $record in \
    *pause_requested*) echo low > low ;; *run_resumed*) echo room > room ;; esac; done";

#[test]
fn logs_are_cut_while_the_disk_has_little_room_left_and_go_on_when_it_has() {
    if !mounting("full_disk::logs_are_cut_while_the_disk_has_little_room_left_and_go_on_when_it_has") {
        return;
    }
    let desk = Desk::with(PRINTS);
    let lines = format!("mkfifo low room; windlass run --json plan.yaml | {TELLS}; windlass logs last print");
    let output = on_a_small_disk(&desk, &lines);
    let out = String::from_utf8_lossy(&output.stdout);
    let logged: Vec<&str> =
        out.lines().map(|line| line.split_once(' ').map_or(line, |(_, text)| text)).collect();
    let cut = logged.iter().position(|line| line.ends_with("bytes cut]")).expect("a notice");
    assert!(logged[..cut].contains(&"out first"), "{out}");
    assert_eq!(logged[logged.len() - 4..], ["out 100000", "out last", "out after", "0"], "{out}");
    // Once it is known that the disk is low one piece may still be taken, of 64 KiB; of what was dropped 128 are kept.
    assert!(logged.len() < 40_000, "{} lines of 100,000 were kept", logged.len());
}
