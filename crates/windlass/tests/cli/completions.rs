//! Real shells at a terminal that complete a line, and the manual pages.

use std::fs;
use std::process::Command;

use crate::desk::Desk;
use crate::needs::is_there;
use crate::terminal::Seat;

const PLAN: &str = "
goal: Try the shells
tasks:
  build: { run: \"true\" }
  brew: { run: \"true\" }
  test: { needs: [build], run: \"true\" }
";

/// A shell in a sealed place, with the binary on its PATH.
#[expect(clippy::disallowed_methods, reason = "tests start shells, which start the built binary")]
fn shell(desk: &Desk, name: &str, arguments: &[&str]) -> Option<Command> {
    let binary = desk.command(&[]);
    let folder = std::path::Path::new(binary.get_program()).parent().expect("it lies in a folder").to_owned();
    let found = ["/usr/bin", "/bin"].iter().any(|folder| std::path::Path::new(folder).join(name).exists());
    if !is_there(name, found) {
        return None;
    }
    let mut command = Command::new(name);
    command.args(arguments).current_dir(desk.work()).env_clear();
    command.envs(binary.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
    Some(command)
}

/// A desk with a run that has ended, and its id.
fn with_a_run() -> (Desk, String) {
    let desk = Desk::with(PLAN);
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let run = done.run();
    (desk, run)
}

#[test]
fn bash_completes_verbs_runs_and_tasks() {
    let (desk, run) = with_a_run();
    // What bash does when a tab is pressed: it calls the function that is registered, with the line in these variables.
    let completes = |words: &str, at: usize| {
        let script = [
            "source <(windlass completions bash)",
            &format!("COMP_WORDS=({words}); COMP_CWORD={at}; COMP_TYPE=9"),
            r#"read -ra spec <<< "$(complete -p windlass)""#,
            r#"for at in "${!spec[@]}"; do [ "${spec[at]}" = -F ] && complete=${spec[at+1]}; done"#,
            r#"$complete windlass "${COMP_WORDS[COMP_CWORD]}""#,
            r#"printf '%s\n' "${COMPREPLY[@]}""#,
        ];
        let mut bash = shell(&desk, "bash", &["--norc", "--noprofile", "-c", &script.join("; ")])?;
        let output = bash.output().expect("it starts");
        Some(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
    };
    let Some(runs) = completes("windlass show \"\"", 2) else { return };
    assert!(runs.contains("last") && runs.contains(&run), "{runs}");
    let tasks = completes(&format!("windlass logs {run} b"), 3).unwrap_or_default();
    assert!(tasks.contains("build") && tasks.contains("brew") && !tasks.contains("test"), "{tasks}");
    let verbs = completes("windlass gra", 1).unwrap_or_default();
    assert!(verbs.contains("graph"), "{verbs}");
}

#[test]
fn zsh_completes_runs_and_tasks() {
    let (desk, run) = with_a_run();
    let Some(zsh) = shell(&desk, "zsh", &["-f", "-i"]) else { return };
    let mut seat = Seat::of(zsh, &[("PS1", "ready> ")]);
    seat.wait_for("ready> ");
    seat.type_in(
        "autoload -U compinit && compinit -u -D && source <(windlass completions zsh) && echo d''one\n",
    );
    seat.wait_for("done");
    seat.type_in("windlass show \t");
    seat.wait_for("Try the shells");
    seat.type_in(&format!("{run} te\t"));
    seat.wait_for("test");
    seat.type_in("\n");
    seat.wait_for("attempt 1");
    seat.type_in("exit\n");
    assert_eq!(seat.end().0, Some(0));
}

#[test]
fn fish_completes_runs_and_tasks() {
    let (desk, run) = with_a_run();
    let line = |line: &str| format!("windlass completions fish | source; complete -C '{line}'");
    let completes = |asked: &str| {
        let output = shell(&desk, "fish", &["--no-config", "-c", &line(asked)])?.output().expect("it starts");
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let Some(runs) = completes("windlass show ") else { return };
    assert!(runs.starts_with(&format!("last\tthe newest\n{run}\tTry the shells\n")), "{runs}");
    let tasks = completes(&format!("windlass logs {run} b"));
    assert_eq!(tasks.as_deref(), Some("build\tsucceeded\nbrew\tsucceeded\n"));
}

#[test]
fn a_line_about_what_is_not_there_completes_nothing_and_says_nothing() {
    let desk = Desk::new();
    for words in [&["show", ""][..], &["logs", "nope", ""], &["--home", "/nowhere", "logs", "last", ""]] {
        let mut asked = desk.command(&["--", "windlass"]);
        asked.args(words).env("WINDLASS_COMPLETE", "fish").env("_CLAP_COMPLETE_INDEX", "9");
        let output = asked.output().expect("it starts");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!((output.status.code(), err.as_ref()), (Some(0), ""));
        assert!(out.lines().all(|line| line.starts_with('-')), "options, and nothing else: {out}");
    }
    assert!(!desk.has_home(), "nothing was made");
}

#[test]
fn every_command_has_a_manual_page() {
    let desk = Desk::new();
    let done = desk.windlass(&["man", "--out", "pages/man1"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let help = desk.windlass(&["--help"]).out;
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names =
        listed.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    let names: Vec<&str> = names.filter(|name| *name != "help").collect();
    assert!(names.len() > 15, "{help}");
    for name in names {
        let page = desk.read(&format!("pages/man1/windlass-{name}.1"));
        assert!(page.contains(".TH windlass-") && page.contains(".SH OPTIONS"), "{name}: {page}");
    }
    assert!(desk.read("pages/man1/windlass-dlq-requeue.1").contains("new incarnation"));
    assert_eq!(desk.windlass(&["man"]).out, desk.read("pages/man1/windlass.1"));
    assert!(!desk.work().join("pages/man1/windlass-help.1").exists());
    fs::write(desk.work().join("file"), "").expect("it can be written");
    assert_eq!(desk.windlass(&["man", "--out", "file/man1"]).code, Some(2));
}
