//! Programs that can't be started, each with its kind, what is wrong, and the way out.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use windlass_core::effect::Program;
use windlass_core::event::Exit;
use windlass_core::failure::{ErrorKind, Failure};

use crate::needs;
use crate::stage::Stage;
use crate::watched::{Engine, Roll};

fn failure(stage: &mut Stage, argv: &[&str]) -> Failure {
    let ended = stage.run_argv(argv);
    assert_eq!(ended.exit, Exit::NotStarted);
    ended.error.expect("an error")
}

/// A file of this content, executable or not.
fn file(stage: &Stage, name: &str, content: &[u8], mode: u32) -> String {
    let path = stage.path(name);
    fs::write(&path, content).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("rights");
    path.display().to_string()
}

#[test]
fn a_program_that_is_not_on_path_is_named_with_one_that_is() {
    let mut stage = Stage::new();
    let error = failure(&mut stage, &["gerp", "x"]);
    assert_eq!(error.kind, ErrorKind::SpawnNotFound);
    assert_eq!(error.message, "`gerp` is not on PATH");
    assert!(error.hint.expect("a hint").starts_with("did you mean `grep`?"));
}

#[test]
fn a_program_in_the_working_folder_is_hinted_at() {
    let mut stage = Stage::new();
    file(&stage, "tool-of-mine", b"#!/bin/sh\n", 0o755);
    let error = failure(&mut stage, &["tool-of-mine"]);
    assert_eq!(error.hint.expect("a hint"), "there is one in the working folder: write `./tool-of-mine`");
    assert_eq!(stage.run_argv(&["./tool-of-mine"]).error, None);
}

#[test]
fn a_path_that_is_not_there_is_not_found() {
    let mut stage = Stage::new();
    let error = failure(&mut stage, &["./gone"]);
    let path = stage.path("gone").display().to_string();
    assert_eq!((error.kind, error.message), (ErrorKind::SpawnNotFound, format!("`{path}` does not exist")));
}

#[test]
fn a_file_without_the_right_is_not_executable() {
    let mut stage = Stage::new();
    let path = file(&stage, "script", b"#!/bin/sh\n", 0o644);
    let error = failure(&mut stage, &[&path]);
    assert_eq!((error.kind, error.message), (ErrorKind::SpawnDenied, format!("`{path}` is not executable")));
    assert!(error.hint.expect("a hint").contains(&format!("chmod +x {path}")));
}

#[test]
fn a_folder_is_no_program() {
    let mut stage = Stage::new();
    let error = failure(&mut stage, &["/tmp"]);
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::SpawnDenied, "`/tmp` is a folder"));
}

#[test]
fn a_missing_interpreter_is_named() {
    let mut stage = Stage::new();
    let path = file(&stage, "script", b"#! /no/such/shell -e\necho\n", 0o755);
    let error = failure(&mut stage, &[&path]);
    assert_eq!(error.kind, ErrorKind::SpawnNotFound);
    assert_eq!(error.message, format!("the interpreter of `{path}`, `/no/such/shell`, does not exist"));
    assert_eq!(error.cause.as_deref(), Some("/no/such/shell"));
}

#[test]
fn line_ends_of_windows_are_seen_in_the_first_line() {
    let mut stage = Stage::new();
    let path = file(&stage, "script", b"#!/bin/sh\r\necho\r\n", 0o755);
    let error = failure(&mut stage, &[&path]);
    assert_eq!(error.kind, ErrorKind::SpawnNotFound);
    assert!(error.message.contains("`/bin/sh` with a carriage return at its end"), "{}", error.message);
    assert!(error.hint.expect("a hint").contains("line ends of Windows"));
}

#[test]
fn what_is_no_program_is_told_apart_by_its_content() {
    let mut stage = Stage::new();
    let cases: [(&[u8], &str); 4] = [
        (b"echo hello\n", "is a text without an interpreter"),
        (b"", "is empty"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xf3\0", "was built for another kind of processor"),
        (b"\xff\xd8\xff\xe0 a picture", "is no program of this system"),
    ];
    for (content, what) in cases {
        let path = file(&stage, "thing", content, 0o755);
        let error = failure(&mut stage, &[&path]);
        assert_eq!((error.kind, error.message), (ErrorKind::SpawnInvalid, format!("`{path}` {what}")));
    }
}

#[test]
fn arguments_that_are_too_long_are_to_go_through_standard_input() {
    let mut stage = Stage::new();
    let error = failure(&mut stage, &["true", &"x".repeat(3 << 20)]);
    assert_eq!(error.kind, ErrorKind::SpawnInvalid);
    assert!(error.message.contains("are longer than the system takes"), "{}", error.message);
    assert!(error.hint.expect("a hint").contains("standard input"));
}

#[test]
fn arguments_that_fill_a_message_many_times_still_arrive() {
    let mut stage = Stage::new();
    let words = vec!["x".repeat(1000); 1000];
    let mut argv = vec!["sh", "-c", "echo $#", "sh"];
    argv.extend(words.iter().map(String::as_str));
    assert_eq!(crate::stage::text(&stage.run_argv(&argv).captured), "1000\n");
}

#[test]
fn a_zero_byte_in_an_argument_is_said() {
    let mut stage = Stage::new();
    let error = failure(&mut stage, &["true", "a\0b"]);
    assert_eq!(error.kind, ErrorKind::SpawnInvalid);
    assert_eq!(error.message, "an argument or a variable holds a zero byte");
}

#[test]
fn a_working_folder_that_is_none_is_named_as_far_as_it_is_there() {
    let mut stage = Stage::new();
    let file = file(&stage, "plain", b"", 0o644);
    for (folder, what) in [
        (
            "/tmp/no/such".to_owned(),
            "the working folder `/tmp/no/such` does not exist: `/tmp` is there, the rest is not",
        ),
        (file.clone(), &*format!("the working folder `{file}` is not a folder")),
    ] {
        let mut assignment = stage.assignment(Program::Argv(vec!["true".into()]));
        assignment.folder = folder;
        stage.start(assignment);
        let error = stage.ended().error.expect("an error");
        assert_eq!((error.kind, &*error.message), (ErrorKind::SpawnDir, what));
    }
}

#[test]
fn a_command_without_words_is_no_command() {
    let mut stage = Stage::new();
    assert_eq!(failure(&mut stage, &[]).message, "the command is empty");
}

#[test]
fn a_keeper_that_ends_at_once_fails_what_waits_for_it() {
    let mut stage = Stage::with(|settings| settings.program = Some("/bin/false".into()));
    let ended = stage.run("true");
    let error = ended.error.expect("an error");
    assert_eq!((ended.exit, error.kind), (Exit::NotStarted, ErrorKind::SpawnInvalid));
    assert!(error.message.ends_with("its keeper ended as soon as it was started"), "{}", error.message);
}

#[test]
fn a_keeper_that_is_not_there_is_an_error_at_once() {
    let home = tempfile::TempDir::new().expect("a folder");
    let mut settings = windlass_worker::Settings::new(home.path().to_owned(), "none".to_owned(), 1);
    settings.program = Some("/no/such/keeper".into());
    let error = windlass_worker::Supervisor::start(settings, |_| {}).expect_err("no keeper");
    assert_eq!(error.to_string(), "failed to start the keeper /no/such/keeper");
}

#[test]
fn a_keeper_that_is_this_program_is_named_by_its_path() {
    let home = tempfile::TempDir::new().expect("a folder");
    let mut settings = windlass_worker::Settings::new(home.path().to_owned(), "none".to_owned(), 1);
    // More than one variable may hold.
    settings.owners = Some(windlass_worker::Owners { marks: "x".repeat(200_000), levels: 0 });
    let error = windlass_worker::Supervisor::start(settings, |_| {}).expect_err("no keeper");
    let program = std::env::current_exe().expect("a program");
    assert_eq!(error.to_string(), format!("failed to start the keeper {}", program.display()));
}

/// A small disk of its own for an attempt.
#[test]
fn a_full_disk_is_no_fault_of_the_attempt() {
    if !needs::mounting("faults::a_full_disk_is_no_fault_of_the_attempt") {
        return;
    }
    let mut stage = Stage::new();
    let disk = stage.path("disk");
    fs::create_dir(&disk).expect("a folder");
    for (size, fills) in [
        ("size=1m", "head -c 2000000 /dev/zero > big"),
        ("size=64m,nr_inodes=4", "for i in 1 2 3 4 5; do : > $i || exit 1; done"),
    ] {
        let mount = format!("mount -t tmpfs -o {size} none {}", disk.display());
        assert_eq!(stage.run(&mount).error, None);
        let mut assignment = stage.assignment(Program::Shell(fills.into()));
        assignment.folder = disk.display().to_string();
        stage.start(assignment);
        let error = stage.ended().error.expect("an error");
        assert_eq!(stage.run(&format!("umount {}", disk.display())).error, None);
        assert_eq!(error.kind, ErrorKind::DiskFull, "{size}: {}", error.message);
    }
    // A complaint alone is none where there is room.
    let error = stage.run("echo x > /dev/full").error.expect("an error");
    assert_eq!(error.kind, ErrorKind::Exit, "{}", error.message);
}

/// Root may enter and read everything, and has no limit of processes.
fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

#[test]
fn folders_and_programs_that_may_not_be_entered_are_denied() {
    let another = ["setpriv", "--reuid=61234", "--regid=61234", "--clear-groups"];
    let mut engine = Engine::start_within("u", if is_root() { &another } else { &[] }, 4);
    let folder = engine.home.path().join("closed");
    fs::create_dir(&folder).expect("a folder");
    fs::copy("/bin/true", folder.join("tool")).expect("a program");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).expect("rights");
    let closed = &folder;
    engine.run(&format!("cd {}", closed.display()));
    assert!(engine.report().starts_with("ended t1 exit 0 "));
    engine.run_argv(&closed.join("tool").display().to_string());
    let closed = closed.display();
    assert_eq!(
        engine.report(),
        format!("ended t2 spawn_denied 0 `{closed}/tool` can't be reached: `{closed}` may not be entered")
    );
    engine.run_in(&closed.to_string());
    assert_eq!(
        engine.report(),
        format!("ended t3 spawn_dir 0 the working folder `{closed}` may not be entered")
    );
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("rights");
    engine.end();
}

#[test]
fn no_more_processes_is_no_fault_of_the_attempt() {
    // Each is a user of its own, or the same one in a namespace of its own, since the limit counts all processes of a
    // user: two threads, the keeper and a monitor fit into it.
    let engine = |user: u32, limit: u32| {
        let (user, group) = (format!("--reuid={user}"), format!("--regid={user}"));
        let limit = format!("--nproc={limit}:{limit}");
        let alone: &[&str] =
            if is_root() { &["setpriv", &user, &group, "--clear-groups"] } else { &["unshare", "-U"] };
        Engine::start_within("n", &[alone, &["prlimit", &limit]].concat(), 1)
    };
    let assert_exhausted = |report: String| {
        assert!(report.contains(" spawn_exhausted 0 no more processes may be started"), "{report}");
    };
    // The monitor may start nothing.
    let mut narrow = engine(61235, 4);
    narrow.run("true");
    assert_exhausted(narrow.report());
    narrow.end();
    // The monitor is in use, and the keeper may make no other.
    let mut wider = engine(61236, 5);
    let mut roll = Roll::new(wider.home.path());
    wider.run(&format!("{}; read x < {}", roll.enter(), roll.pipe("go")));
    let waits = roll.next();
    wider.run("true");
    assert_exhausted(wider.report());
    roll.write("go");
    assert_eq!(wider.report(), "ended t1 ok 0");
    waits.wait();
    wider.end();
}

#[test]
fn too_many_open_files_is_no_fault_of_the_attempt() {
    let mut exhausted = 0;
    for limit in 9..20 {
        let mut engine = Engine::start_within("f", &["prlimit", &format!("--nofile={limit}:{limit}")], 4);
        engine.run("true");
        let report = engine.report();
        if report.starts_with("ended t1 spawn_exhausted 0 too many files are open") {
            exhausted += 1;
        } else {
            assert!(report == "ended t1 ok 0" || report.is_empty(), "with {limit} files: {report}");
        }
    }
    assert!(exhausted > 0);
}
