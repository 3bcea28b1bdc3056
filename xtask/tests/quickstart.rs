//! The quickstart's scripts, run by hand in the order of its plan over repositories that are not like ours.
//! Never: the plan itself, which is run through the built binary elsewhere; nor the network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const AUTHOR: [(&str, &str); 6] = [
    ("GIT_AUTHOR_NAME", "A"),
    ("GIT_AUTHOR_EMAIL", "a@example.org"),
    ("GIT_COMMITTER_NAME", "A"),
    ("GIT_COMMITTER_EMAIL", "a@example.org"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
];

/// A folder with a space in its name, gone at the end.
struct Desk(PathBuf);

impl Desk {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("quick start {name}"));
        match fs::remove_dir_all(&folder) {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}"),
        }
        fs::create_dir_all(folder.join("its repo")).expect("the target folder can be written");
        Self(folder)
    }

    fn repo(&self) -> PathBuf {
        self.0.join("its repo")
    }

    fn out(&self) -> PathBuf {
        self.0.join("the out")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.repo().join(path);
        fs::create_dir_all(path.parent().expect("below the repository")).expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
    }

    fn git(&self, line: &str) {
        let output = program("git", &self.repo()).args(line.split(' ')).output().expect("git is there");
        assert!(output.status.success(), "git {line}: {}", told(&output.stderr));
    }

    fn commit(&self) {
        if !self.repo().join(".git").exists() {
            self.git("init -q -b main");
        }
        self.git("add -A");
        self.git("commit -q -m work");
    }

    fn script(&self, name: &str, arguments: &[&str]) -> Output {
        self.call(name, arguments).output().expect("sh is there")
    }

    fn call(&self, name: &str, arguments: &[&str]) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart").join(name);
        let mut shell = program("sh", &self.0);
        shell.arg(script).args(arguments).env("TMPDIR", &self.0);
        shell
    }

    /// What a script of the plan prints; it must end well.
    fn done(&self, name: &str, arguments: &[&str]) -> String {
        let out = self.out();
        let all: Vec<&str> =
            std::iter::once(out.to_str().expect("text")).chain(arguments.iter().copied()).collect();
        let output = self.script(name, &all);
        assert!(output.status.success(), "{name}: {}", told(&output.stderr));
        assert_eq!(told(&output.stderr), "", "{name} has nothing to complain of");
        told(&output.stdout)
    }

    fn clone(&self) -> String {
        let output = self.script("clone.sh", &[&text(&self.repo()), &text(&self.out())]);
        assert!(output.status.success(), "{}", told(&output.stderr));
        told(&output.stdout)
    }

    /// All scripts but the checks', then the report.
    fn report(&self, folders: &[&str]) -> String {
        self.clone();
        for script in ["inventory.sh", "marks.sh", "secrets.sh", "licences.sh", "hotspots.sh"] {
            self.done(script, &[]);
        }
        for (index, folder) in folders.iter().enumerate() {
            self.done("folder.sh", &[&index.to_string(), folder]);
        }
        self.done("checks.sh", &[]);
        let path = self.done("report.sh", &[]);
        fs::read_to_string(path.trim_end()).expect("the report lies where its path says")
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // What is left of a failed test is for reading.
        if !std::thread::panicking() {
            drop(fs::remove_dir_all(&self.0));
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test that runs scripts as a person would; none is an attempt"
)]
fn program(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(folder).envs(AUTHOR).env_remove("WINDLASS_OWNERS").env_remove("WINDLASS_RUN");
    command
        .env_remove("WINDLASS_ATTEMPT")
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        .env_remove("GIT_WORK_TREE");
    command
}

fn text(path: &Path) -> String {
    path.to_str().expect("paths of the tests are text").to_owned()
}

fn told(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn has(report: &str, lines: &[&str]) {
    for line in lines {
        assert!(report.lines().any(|have| have == *line), "no line «{line}» in\n{report}");
    }
}

#[test]
fn a_single_commit_without_licence_checks_or_folders_is_reported() {
    let desk = Desk::new("single");
    desk.write("read me.md", "hello\n");
    desk.commit();
    let report = desk.report(&[]);
    has(
        &report,
        &[
            "# its repo, looked over",
            "- 1 file with 1 line of text, mostly Markdown (100 %).",
            "- **No licence text.**",
            "- It names no checks of its own (`[checks]` in a windlass.toml would).",
            "- A single commit: no history to look at.",
            "None: everything lies at the top.",
        ],
    );
}

#[test]
fn odd_names_and_findings_are_told_with_their_places() {
    let desk = Desk::new("odd");
    desk.write("a folder/ü b.rs", concat!("fn a() {}\n// TO", "DO: `this` | that\n"));
    desk.write("a folder/big.bin", "\0\0\0");
    desk.write("we\"ird/x.py", "pass\n");
    desk.write("*/star.c", "int a;\n");
    desk.write("key.txt", concat!("AKIA", "ABCDEFGHIJKLMNOP\n"));
    desk.write("LICENSE", "MIT License\n\nPermission is hereby granted,\nfree of charge\n");
    desk.write("sub/Cargo.toml", "license = \"MIT OR Apache-2.0\"\n");
    desk.commit();
    desk.write("a folder/ü b.rs", concat!("fn b() {}\n// TO", "DO: `this` | that\n"));
    desk.commit();
    let cloned = desk.clone();
    assert!(cloned.contains(r#""folders":["a folder","*","sub","we\"ird"]"#), "{cloned}");
    let report = desk.report(&["a folder", "*", "sub"]);
    has(
        &report,
        &[
            concat!("- `a folder/ü b.rs:2` `// TO", "DO: 'this' | that`"),
            "- `key.txt:1`: AWS access key",
            "- **1 place looks like a secret: look at it.**",
            "- **Declared without its text: Apache-2.0.**",
            "- `a folder/ü b.rs` changes most: in 2 of 2 commits.",
            "Over the last 2 commits by 1 person:",
        ],
    );
    assert!(report.contains("| `a folder` | 2 | 2 | .bin, .rs | `ü b.rs` | 2 | "), "{report}");
    assert!(report.contains("| `*` | 1 | 1 | .c | `star.c` | 1 | "), "{report}");
    assert!(!report.contains(concat!("AKIA", "ABCDEFGHIJKLMNOP")), "the secret is not repeated");
}

#[test]
fn a_shallow_clone_and_a_dirty_checkout_say_so() {
    let desk = Desk::new("shallow");
    for words in ["one\n", "two\n"] {
        desk.write("a.txt", words);
        desk.commit();
    }
    let origin = format!("file://{}", text(&desk.repo()).replace(' ', "%20"));
    let copied = program("git", &desk.0).args(["clone", "-q", "--depth", "1", &origin, "shallow"]).output();
    assert!(copied.is_ok_and(|output| output.status.success()));
    fs::remove_dir_all(desk.repo()).expect("it was made above");
    fs::rename(desk.0.join("shallow"), desk.repo()).expect("within one folder");
    desk.write("new.txt", "not committed\n");
    let report = desk.report(&[]);
    assert!(
        report.contains("The history is shallow: what is said of it is said of these commits only."),
        "{report}"
    );
    assert!(
        report.contains("The checkout has 1 change not in this commit, which nobody has looked at."),
        "{report}"
    );
}

#[test]
fn the_checkout_stays_as_it_is_and_a_second_run_begins_afresh() {
    let desk = Desk::new("twice");
    desk.write("a/b.txt", "x\n");
    desk.commit();
    let first = desk.report(&["a"]);
    let second = desk.report(&["a"]);
    assert_eq!(first, second);
    let status = program("git", &desk.repo()).args(["status", "--porcelain"]).output().expect("git is there");
    assert_eq!(told(&status.stdout), "");
}

#[test]
fn what_is_no_repository_or_has_no_commit_is_refused_with_the_way_out() {
    let desk = Desk::new("none");
    let nowhere = desk.script("clone.sh", &["/", &text(&desk.out())]);
    assert_eq!(told(&nowhere.stderr), "error: / is no git repository\nhint: name one: --input repo=PATH\n");
    desk.git("init -q -b main");
    let empty = desk.script("clone.sh", &[&text(&desk.repo()), &text(&desk.out())]);
    assert!(told(&empty.stderr).contains("has no commit yet"), "{}", told(&empty.stderr));
    desk.write("a.txt", "x\n");
    desk.commit();
    let taken = desk.script("clone.sh", &[&text(&desk.repo()), &text(&desk.repo())]);
    assert!(told(&taken.stderr).contains("is not empty, and not this plan's"), "{}", told(&taken.stderr));
    assert!(desk.repo().join("a.txt").exists());
}

#[test]
fn a_repository_of_somebody_else_is_refused_with_what_git_wants_to_read_it() {
    let desk = Desk::new("foreign");
    desk.write("a.txt", "x\n");
    desk.commit();
    let repo = text(&desk.repo());
    let mut clone = desk.call("clone.sh", &[&repo, &text(&desk.out())]);
    // Git's own tests ask it so to take the repository for another user's.
    let output = clone.env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1").output().expect("sh is there");
    assert!(!output.status.success());
    let told = told(&output.stderr);
    assert!(told.starts_with(&format!("error: {repo} belongs to somebody else")), "{told}");
    assert!(told.contains(&format!("git config --global --add safe.directory '{repo}'")), "{told}");
}

#[test]
fn the_ticket_is_missing_once() {
    let desk = Desk::new("ticket");
    desk.write("a.txt", "x\n");
    desk.commit();
    desk.clone();
    let first = desk.script("ticket.sh", &[&text(&desk.out())]);
    assert_eq!(first.status.code(), Some(75));
    assert!(told(&first.stderr).contains("made to fail once"));
    assert!(desk.done("ticket.sh", &[]).contains("was there at attempt"));
}

#[test]
fn checks_are_read_from_the_settings_run_and_told() {
    let desk = Desk::new("checks");
    let settings = "[home]\nkeep = \"x\"\n[checks] # ours\ngood = \"printf \\\"a b\\\"\" # fine\n'bad one' = 'echo \"no\\n\"; exit 3'\nodd = [1]\n[limits]\ntasks = 1\n";
    desk.write("windlass.toml", settings);
    desk.commit();
    desk.clone();
    let out = text(&desk.out());
    let read = desk.script("checks.sh", &[&out]);
    let expected = r#"[{"name":"good","command":"printf \"a b\""},{"name":"bad one","command":"echo \"no\\n\"; exit 3"}]"#;
    assert_eq!(told(&read.stdout).trim_end(), expected);
    assert_eq!(told(&read.stderr), "windlass.toml:6: not a check that this plan can read, left out\n");
    desk.done("inventory.sh", &[]);
    let good = desk.script("check.sh", &[&out, "0", "good", "printf \"a b\""]);
    assert_eq!((good.status.code(), told(&good.stderr)), (Some(0), "a b".to_owned()));
    let bad = desk.script("check.sh", &[&out, "1", "bad one", "echo no; exit 3"]);
    assert_eq!(bad.status.code(), Some(3));
    let path = desk.done("report.sh", &[]);
    let report = fs::read_to_string(path.trim_end()).expect("the report lies where its path says");
    has(&report, &["- **1 of its 2 checks did not pass.**", "The end of `bad one`:", "no"]);
    assert!(report.contains("| bad one | `echo no; exit 3` | **failed** (3) | "), "{report}");
}

#[test]
fn checks_are_left_out_within_another_run() {
    let desk = Desk::new("nested");
    desk.write("windlass.toml", "[checks]\na = \"true\"\n");
    desk.commit();
    desk.clone();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart/checks.sh");
    let with = |marks: &str| {
        let mut shell = program("sh", &desk.0);
        shell.arg(&script).arg(desk.out()).env("WINDLASS_OWNERS", marks);
        told(&shell.output().expect("sh is there").stdout)
    };
    assert_eq!(with("home|k3v9qd/checks/1"), "[{\"name\":\"a\",\"command\":\"true\"}]\n");
    assert_eq!(with("home|aaaaaa/work/1,home|k3v9qd/checks/1"), "[]\n");
}

#[test]
fn names_of_files_folders_and_checks_are_told_as_they_are() {
    let desk = Desk::new("names");
    for name in ["q\"uote.rs", "t\tab.rs", "back\\slash.rs", "é\"q.rs", "new\nline.rs", "one:2:`.rs"] {
        desk.write(&format!("src/{name}"), "a\n");
    }
    desk.write("o\"n\\e|t\two/p|q.rs", "a\nb\n");
    desk.commit();
    let cloned = desk.clone();
    assert!(cloned.contains(r#""folders":["src","o\"n\\e|t\two"]"#), "{cloned}");
    let report = desk.report(&["src", "o\"n\\e|t\two"]);
    let expected = [
        "| Rust | 7 | 8 | 100 % | 16 B |",
        "- `o\"n\\e|t?wo/p|q.rs`, 4 B, 2 lines",
        "- `src/back\\slash.rs`, 2 B, 1 line",
        "- `` src/one:2:`.rs ``, 2 B, 1 line",
    ];
    has(&report, &expected);
    assert!(report.contains("| `src` | 6 | 6 | .rs | `"), "{report}");
    assert!(report.contains("| `o\"n\\e\\|t?wo` | 1 | 2 | .rs | `p\\|q.rs` | 1 | "), "{report}");
    let check = desk.script("check.sh", &[&text(&desk.out()), "0", "a|b", "true | true"]);
    assert_eq!(check.status.code(), Some(0), "{}", told(&check.stderr));
    let path = desk.done("report.sh", &[]);
    let report = fs::read_to_string(path.trim_end()).expect("the report lies where its path says");
    assert!(report.contains("| a\\|b | `true \\| true` | passed | "), "{report}");
}

/// A folder that an earlier run left, with what its checks had built.
fn left(desk: &Desk, name: &str) -> PathBuf {
    let folder = desk.0.join(format!("windlass-quickstart-{name}"));
    for part in ["target/debug", "parts"] {
        fs::create_dir_all(folder.join(part)).expect("ours");
    }
    fs::write(folder.join("target/debug/large"), "built").expect("ours");
    fs::write(folder.join(".windlass-quickstart"), "").expect("ours");
    folder
}

#[test]
fn what_interrupted_runs_had_built_goes_at_the_next_start_unless_somebody_is_at_it() {
    let desk = Desk::new("left");
    desk.write("a.txt", "x\n");
    desk.commit();
    let [dead, busy, foreign] = ["dead1", "busy1", "other1"].map(|name| left(&desk, name));
    fs::write(dead.join("parts/.busy-0"), format!("{}\n", u32::MAX >> 1)).expect("ours");
    fs::write(busy.join("parts/.busy-0"), format!("{}\n", std::process::id())).expect("ours");
    fs::remove_file(foreign.join(".windlass-quickstart")).expect("ours");
    desk.clone();
    let has_built = |folder: &Path| folder.join("target/debug/large").exists();
    assert_eq!([&dead, &busy, &foreign].map(|folder| has_built(folder)), [false, true, true]);
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder).expect("it is there");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("readable").file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&dead), [".windlass-quickstart", "parts"], "what a resume needs stays");
}

#[test]
fn a_check_that_is_stopped_takes_what_it_had_built_along() {
    let desk = Desk::new("stopped");
    desk.write("a.txt", "x\n");
    desk.commit();
    desk.clone();
    let out = text(&desk.out());
    let built = "mkdir -p \"$CARGO_TARGET_DIR/debug\"; kill -TERM $PPID";
    let stopped = desk.script("check.sh", &[&out, "0", "slow", built]);
    assert_eq!(stopped.status.code(), Some(143), "{}", told(&stopped.stderr));
    assert!(!desk.out().join("target").exists());
    let busy = desk.out().join("parts/.busy-1");
    fs::write(&busy, format!("{}\n", std::process::id())).expect("ours");
    desk.script("check.sh", &[&out, "0", "slow", built]);
    assert!(desk.out().join("target/debug").exists(), "another check is at it");
}
