//! The shipped agent that follows a script.

use windlass_core::effect::Program;
use windlass_core::event::Exit;
use windlass_core::failure::ErrorKind;
use windlass_core::plan::{Adapter, Agent};
use windlass_core::template::PromptPart;
use windlass_core::time::Span;
use windlass_worker::AttemptEnded;

use crate::stage::{Stage, text};

fn follow(stage: &mut Stage, attempt: u32, script: &str) -> AttemptEnded {
    let agent = Agent {
        adapter: Adapter::Scripted,
        program: None,
        args: Vec::new(),
        env: std::collections::BTreeMap::new(),
        concurrency: None,
        memory_bytes_max: None,
        rate: None,
        weight: 1,
        fallback: Vec::new(),
        account: None,
    };
    let prompt = vec![PromptPart::Text(script.to_owned())];
    let mut assignment = stage.assignment(Program::Agent { agent, name: "a".to_owned(), prompt });
    assignment.key.attempt = attempt;
    stage.start(assignment);
    stage.ended()
}

#[test]
fn it_says_writes_and_appends() {
    let mut stage = Stage::new();
    let script = "
        say hello
        write sub/file.txt first
        append sub/file.txt $WINDLASS_KEY
        write $WINDLASS_OUTPUT {\"done\": true}";
    let ended = follow(&mut stage, 1, script);
    assert_eq!((ended.exit, ended.error), (Exit::Code(0), None));
    assert_eq!(text(&ended.captured), "{\"done\": true}\n");
    assert_eq!(std::fs::read_to_string(stage.path("sub/file.txt")).expect("a file"), "first\nabcdef/t1/1\n");
}

#[test]
fn it_fails_as_it_is_told() {
    let mut stage = Stage::new();
    let ended =
        follow(&mut stage, 1, "usage 100 0.5\nusage 20 0.000001\nfail rate_limited retry_after 90s\nsay no");
    let error = ended.error.expect("an error");
    assert_eq!((error.kind, error.retry_after), (ErrorKind::RateLimited, Some(Span::from_secs(90))));
    assert_eq!((ended.usage.tokens, ended.usage.usd_micro), (Some(120), Some(500_001)));
    assert_eq!(text(&ended.captured), "");
    assert_eq!(follow(&mut stage, 1, "exit 3").exit, Exit::Code(3));
    let crashed = follow(&mut stage, 1, "crash");
    assert_eq!(crashed.exit, Exit::Signal(libc::SIGABRT));
    assert_eq!(crashed.error.map(|error| error.kind), Some(ErrorKind::Crashed));
    assert_eq!(std::fs::read_dir(stage.path("spool")).expect("a spool").count(), 0);
}

#[test]
fn it_does_some_steps_in_one_attempt_only() {
    let mut stage = Stage::new();
    let script = "on-attempt 1: exit 1\nsay made it";
    assert_eq!(follow(&mut stage, 1, script).exit, Exit::Code(1));
    assert_eq!(text(&follow(&mut stage, 2, script).captured), "made it\n");
}

#[test]
fn a_step_that_it_does_not_know_is_named_with_its_line_and_nothing_is_done() {
    let mut stage = Stage::new();
    let error = follow(&mut stage, 1, "write made yes\n\nsya hello").error.expect("an error");
    assert_eq!(error.kind, ErrorKind::SpawnInvalid);
    assert_eq!(error.message, "line 3 of the script: unknown step `sya`: did you mean `say`?");
    assert!(!stage.path("made").exists());
}

#[test]
fn it_floods_and_leaves_processes_behind() {
    let mut stage = Stage::new();
    let ended = follow(&mut stage, 1, "fork\nfork setsid\nflood 1MiB");
    assert_eq!((ended.bytes, ended.leftovers, ended.error), (1 << 20, 2, None));
}

#[test]
fn it_commits_what_it_wrote() {
    let mut stage = Stage::new();
    assert_eq!(stage.run("git init -q .").error, None);
    let ended = follow(&mut stage, 1, "write a.txt text\ncommit add a file");
    assert_eq!(ended.error, None);
    let shown = stage.run("git log --format=%s; git show --format= --name-only HEAD | grep a.txt");
    assert_eq!(text(&shown.captured), "add a file\na.txt\n");
}
