//! What goes in and comes out: prompts, outputs, logs, floods.

use std::fs::{self, File};

use windlass_core::effect::Program;
use windlass_core::event::Exit;
use windlass_core::failure::ErrorKind;
use windlass_core::plan::{Adapter, Agent};
use windlass_core::template::PromptPart;
use windlass_worker::Captured;
use windlass_worker::log::{self, Follower, LastLine, LogLine, Stream};

use crate::stage::{PATIENCE, Stage, text};
use crate::watched::Roll;

/// An agent that is a program.
pub(crate) fn agent(program: &str, args: &[&str], prompt: &str) -> Program {
    asked(program, args, PromptPart::Text(prompt.to_owned()))
}

/// The same, asked this.
pub(crate) fn asked(program: &str, args: &[&str], prompt: PromptPart) -> Program {
    let agent = Agent {
        adapter: Adapter::Command,
        program: Some(program.to_owned()),
        args: args.iter().map(|word| (*word).to_owned()).collect(),
        env: std::collections::BTreeMap::new(),
        concurrency: None,
        memory_bytes_max: None,
        rate: None,
        weight: 1,
        fallback: Vec::new(),
        account: None,
    };
    Program::Agent { agent, name: "coder".to_owned(), prompt: vec![prompt] }
}

fn lines(stage: &Stage, task: &str) -> Vec<(Stream, String)> {
    let key = format!("abcdef/{task}/1").parse().expect("a key");
    let lines = log::read(&log::path(stage.home.path(), &key)).map(|line| line.expect("a line"));
    lines.map(|line| (line.stream, line.text().into_owned())).collect()
}

#[test]
fn a_prompt_of_ten_megabytes_passes_and_comes_back() {
    let mut stage = Stage::new();
    let prompt = "0123456789".repeat(1_000_000);
    let assignment = stage.assignment(agent("cat", &[], &prompt));
    stage.start(assignment);
    let ended = stage.ended();
    assert_eq!((ended.exit, ended.error, ended.bytes), (Exit::Code(0), None, 10_000_000));
    assert!(matches!(ended.captured, Captured::Spooled(_, 10_000_000)));
    assert!(text(&ended.captured) == prompt, "it is the same");
}

#[test]
fn a_prompt_that_nobody_reads_is_no_failure() {
    let mut stage = Stage::new();
    let assignment = stage.assignment(agent("true", &[], &"x".repeat(1 << 20)));
    stage.start(assignment);
    assert_eq!(stage.ended().error, None);
}

#[test]
fn a_command_reads_nothing_and_has_no_terminal() {
    let mut stage = Stage::new();
    let ended = stage
        .run("cat; test -t 0 || echo none; ps -o sid= -p $$ | tr -d ' ' | grep -qx $$ && echo leads; tty");
    assert_eq!(text(&ended.captured), "none\nleads\nnot a tty\n");
}

#[test]
fn signals_and_descriptors_of_an_attempt_are_as_at_first() {
    let mut stage = Stage::new();
    let ended = stage
        .run("cp /proc/self/status status; grep -E '^Sig(Blk|Ign|Cgt)' status; ls /proc/self/fd | wc -l");
    let zero = "0000000000000000";
    // Three standard ones, and the one by which the folder is listed.
    let expected = format!("SigBlk:\t{zero}\nSigIgn:\t{zero}\nSigCgt:\t{zero}\n4\n");
    assert_eq!(text(&ended.captured), expected);
}

#[test]
fn the_log_keeps_each_line_with_its_stream_in_the_order_in_which_it_came() {
    let mut stage = Stage::new();
    let roll = Roll::new(stage.home.path());
    // A pipe for each word: one that is still being closed would let the next reader pass.
    let (go, on) = (roll.pipe("one"), roll.pipe("two"));
    stage.shell(&format!("echo one; read x < {go}; echo two >&2; read x < {on}; printf three"));
    let path = log::path(stage.home.path(), &"abcdef/t1/1".parse().expect("a key"));
    let mut follower = Follower::new(&path).expect("a follower");
    let mut seen = Vec::new();
    for expected in [(Stream::Stdout, "one"), (Stream::Stderr, "two"), (Stream::Stdout, "three")] {
        let line = loop {
            if let Some(line) = follower.next_line().expect("a log") {
                break line;
            }
            assert!(follower.wait(Some(PATIENCE)).expect("a wait"), "no line came");
        };
        assert_eq!((line.stream, &*line.text()), expected);
        seen.push((line.at, line.ended));
        if expected.1 != "three" {
            roll.write(expected.1);
        }
    }
    assert!(seen.is_sorted_by_key(|(at, _)| *at));
    assert_eq!(seen.iter().map(|(_, ended)| *ended).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(text(&stage.ended().captured), "one\nthree");
}

#[test]
fn an_attempt_that_prints_nothing_has_no_log() {
    let mut stage = Stage::new();
    stage.run("true");
    assert_eq!(lines(&stage, "t1"), vec![]);
    assert!(!stage.path("logs/abcdef").exists());
}

#[test]
fn long_lines_come_in_pieces() {
    let mut stage = Stage::new();
    stage.run("head -c 40000 /dev/zero | tr '\\0' x; echo; echo end");
    let pieces: Vec<usize> = lines(&stage, "t1").iter().map(|(_, text)| text.len()).collect();
    assert_eq!(pieces, [16384, 16384, 7232, 3]);
}

#[test]
fn a_log_of_many_short_lines_is_kept_up_to_its_limit_however_fast_it_comes() {
    let mut stage = Stage::with(|settings| settings.log_bytes_max = 1 << 20);
    // That is 5 bytes less than the limit.
    stage.run("seq 1 165668");
    let lines = lines(&stage, "t1");
    assert_eq!(lines.len(), 165_668);
    assert!(lines.iter().all(|(stream, _)| *stream == Stream::Stdout), "nothing was cut");
    let files = fs::read_dir(stage.path("logs/abcdef")).expect("logs").flatten();
    let on_disk: u64 = files.map(|file| file.metadata().expect("a file").len()).sum();
    assert!(on_disk < (1 << 20) + (256 << 10), "{on_disk} bytes");
}

#[test]
fn a_flood_fills_neither_disk_nor_memory_and_is_cut_with_a_notice() {
    let mut stage = Stage::with(|settings| settings.log_bytes_max = 1 << 20);
    let ended =
        stage.run("echo first; yes 'some line or other' | head -c 60000000; echo last >&2; echo; echo last");
    assert_eq!((ended.exit, ended.truncated, ended.bytes), (Exit::Code(0), true, 60_000_012));
    assert!(matches!(&ended.captured, Captured::Inline(bytes) if bytes.is_empty()));
    let lines = lines(&stage, "t1");
    assert_eq!(lines[0].1, "first");
    for stream in [Stream::Stderr, Stream::Stdout] {
        assert!(lines.contains(&(stream, "last".to_owned())), "the end is kept");
    }
    let cut = lines.iter().filter(|(stream, _)| *stream == Stream::Windlass);
    let cut: u64 =
        cut.map(|(_, text)| text[1..].split_once(' ').expect("a notice").0.parse::<u64>().expect("N")).sum();
    let path = log::path(stage.home.path(), &"abcdef/t1/1".parse().expect("a key"));
    let kept =
        log::read(&path).map(|line| line.expect("a line")).filter(|line| line.stream != Stream::Windlass);
    let kept: u64 = kept.map(|line| line.bytes.len() as u64 + u64::from(line.ended)).sum();
    assert_eq!(cut + kept, 60_000_012 + 5, "what is not there is counted");
    assert_eq!(log::bytes_cut(&path).expect("a log"), cut);
    let files = fs::read_dir(stage.path("logs/abcdef")).expect("logs").flatten();
    let on_disk: u64 = files.map(|file| file.metadata().expect("a file").len()).sum();
    assert!(on_disk <= (1 << 20) + (256 << 10), "{on_disk} bytes");
    assert_eq!(fs::read_dir(stage.path("spool")).expect("a spool").count(), 0);
}

#[test]
fn the_last_lines_of_a_log_are_at_hand() {
    let mut stage = Stage::new();
    stage.run("seq 1 100");
    let path = log::path(stage.home.path(), &"abcdef/t1/1".parse().expect("a key"));
    let last = log::last_lines(&path, 3).expect("a log");
    assert_eq!(last.iter().map(LogLine::text).collect::<Vec<_>>(), ["98", "99", "100"]);
}

#[test]
fn the_last_line_of_a_log_is_at_hand_while_it_is_written() {
    let mut stage = Stage::with(|settings| settings.log_bytes_max = 100_000);
    let mut roll = Roll::new(stage.home.path());
    let go = roll.pipe("go");
    let mut last = LastLine::of(log::path(stage.home.path(), &"abcdef/t1/1".parse().expect("a key")));
    assert_eq!(last.read().expect("there is none yet"), None);
    // Longer than the first part of the log, and than what is looked at.
    let long = "seq 1 20000; head -c 30000 /dev/zero | tr '\\0' x; echo; echo '  the end '; echo";
    stage.shell(&format!("{long}; {}; read x < {go}", roll.enter()));
    roll.next();
    roll.write("go");
    stage.ended();
    assert_eq!(last.read().expect("it is there").as_deref(), Some("the end"));
}

#[test]
fn the_output_file_wins_over_what_is_printed() {
    let mut stage = Stage::new();
    let ended = stage.run("echo chatter; printf '{\"a\": 1}' > \"$WINDLASS_OUTPUT\"");
    assert_eq!((ended.bytes, text(&ended.captured).as_str()), (8, "{\"a\": 1}"));
    let ended = stage.run("head -c 200000 /dev/zero > \"$WINDLASS_OUTPUT\"; echo chatter");
    assert!(matches!(ended.captured, Captured::Spooled(_, 200_000)));
}

#[test]
fn an_output_file_that_is_too_long_or_no_file_is_an_invalid_output() {
    let mut stage = Stage::new();
    for (line, why) in [
        ("head -c 20000000 /dev/zero > \"$WINDLASS_OUTPUT\"", "20000000 bytes long"),
        ("ln -s /etc/passwd \"$WINDLASS_OUTPUT\"", "it is a symbolic link"),
        ("ln -s /dev/zero \"$WINDLASS_OUTPUT\"", "it is a symbolic link"),
        ("ln -s nowhere \"$WINDLASS_OUTPUT\"", "it is a symbolic link"),
        ("mkfifo \"$WINDLASS_OUTPUT\"", "it is no regular file"),
        ("mkdir \"$WINDLASS_OUTPUT\"", "it is a folder"),
    ] {
        let error = stage.run(line).error.expect("it failed");
        assert_eq!(error.kind, ErrorKind::InvalidOutput, "{line}");
        assert!(error.message.contains(why), "{}", error.message);
    }
}

#[test]
fn a_pipe_that_a_stranger_holds_open_keeps_no_attempt_alive() {
    let mut stage = Stage::new();
    let mut roll = Roll::new(stage.home.path());
    let go = roll.pipe("go");
    stage.shell(&format!("{}; read x < {}; echo done", roll.enter(), go));
    let attempt = roll.next();
    let output = format!("/proc/{}/fd/1", attempt.pid.as_raw_nonzero());
    let held = File::options().write(true).open(output).expect("its output");
    roll.write("go");
    assert_eq!(text(&stage.ended().captured), "done\n");
    drop(held);
}

#[test]
fn feedback_lies_in_a_file_as_long_as_the_attempt_does() {
    let mut stage = Stage::new();
    let mut assignment = stage.assignment(Program::Shell("cat \"$WINDLASS_FEEDBACK\"".into()));
    assignment.feedback = Some("the tests failed".to_owned());
    stage.start(assignment);
    assert_eq!(text(&stage.ended().captured), "the tests failed");
    assert_eq!(fs::read_dir(stage.path("spool")).expect("a spool").count(), 0);
}

/// What lies in the spool.
fn spooled(stage: &Stage) -> Vec<String> {
    let entries = fs::read_dir(stage.path("spool")).expect("the spool");
    entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_large_output_outlives_the_folder_that_it_was_kept_in() {
    let mut stage = Stage::new();
    let ended = stage.run("head -c 400000 /dev/zero; rm -r ${WINDLASS_OUTPUT%/*}");
    assert_eq!((ended.error, text(&ended.captured).len()), (None, 400_000));
    let ended =
        stage.run("rm -r ${WINDLASS_OUTPUT%/*}; echo > ${WINDLASS_OUTPUT%/*}; head -c 400000 /dev/zero");
    let error = ended.error.expect("it can't be kept");
    assert_eq!(error.kind, ErrorKind::InvalidOutput);
    assert!(error.message.contains("can't be read: Not a directory"), "{}", error.message);
    let ended = stage.run("echo whole > $WINDLASS_OUTPUT");
    assert_eq!(
        (ended.error, text(&ended.captured).as_str()),
        (None, "whole\n"),
        "the next one has a folder again"
    );
}

#[test]
fn an_attempt_that_is_over_leaves_nothing_in_the_spool() {
    let mut stage = Stage::with(|settings| settings.output_bytes_max = 100_000);
    for line in [
        "echo short > $WINDLASS_OUTPUT",
        "head -c 100001 /dev/zero > $WINDLASS_OUTPUT",
        "head -c 100001 /dev/zero",
        "ln -s /etc/passwd $WINDLASS_OUTPUT",
        "mkfifo $WINDLASS_OUTPUT",
        "mkdir -p $WINDLASS_OUTPUT/a/b",
        "head -c 80000 /dev/zero; echo short > $WINDLASS_OUTPUT",
        "echo > ${WINDLASS_OUTPUT%output}notes",
    ] {
        let mut assignment = stage.assignment(Program::Shell(line.to_owned()));
        assignment.feedback = Some("what was wrong".to_owned());
        stage.start(assignment);
        stage.ended();
        assert_eq!(spooled(&stage), Vec::<String>::new(), "{line}");
    }
    let mut assignment = stage.assignment(Program::Argv(vec!["gerp".to_owned()]));
    assignment.feedback = Some("what was wrong".to_owned());
    stage.start(assignment);
    assert_eq!(stage.ended().exit, Exit::NotStarted);
    assert_eq!(spooled(&stage), Vec::<String>::new());
}

#[test]
fn what_attempts_print_and_are_told_is_for_nobody_else() {
    use std::os::unix::fs::MetadataExt as _;

    let mut stage = Stage::new();
    let mut roll = Roll::new(stage.home.path());
    let go = roll.pipe("go");
    let waits = format!("head -c 100000 /dev/zero; {}; read x < {go}", roll.enter());
    let mut assignment = stage.assignment(Program::Shell(waits));
    assignment.feedback = Some("what was wrong".to_owned());
    let fence = stage.start(assignment);
    roll.next();
    let look = |path: std::path::PathBuf, mode: u32| {
        assert_eq!(fs::metadata(&path).expect("it is there").mode() & 0o777, mode, "{}", path.display());
    };
    look(stage.path("keeper.lock"), 0o600);
    look(stage.path("spool").join(format!("{fence}.feedback")), 0o600);
    roll.write("go");
    let Captured::Spooled(output, _) = stage.ended().captured else { panic!("it is large") };
    assert_eq!(output.metadata().expect("it is open").mode() & 0o777, 0o600);
    look(log::path(stage.home.path(), &"abcdef/t1/1".parse().expect("a key")), 0o600);
    for folder in ["spool", "logs", "logs/abcdef"] {
        look(stage.path(folder), 0o700);
    }
}
