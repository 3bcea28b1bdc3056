//! The git command line: started so that nothing of the surroundings, of the operator's settings or of a terminal changes what
//! it does, and so that what it writes is durable. Never: knowing what an errand is about.
//!
//! The command line and no library: it alone knows every format of refs and indexes, sparse checkouts and filters that a
//! repository may use, and it is what people will look with.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use windlass_core::failure::{ErrorKind, Failure};

use super::step;

/// The oldest git whose `merge-tree` merges without a checkout.
const OLDEST: (u32, u32) = (2, 38);

/// Who commits where no agent did.
pub(super) const NAME: &str = "Windlass";
pub(super) const EMAIL: &str = "windlass@localhost";

const SETTINGS: [&str; 19] = [
    // It does neither by itself.
    "core.fsync=all",
    "core.fsyncMethod=fsync",
    // What operators have for their own commits, and what an agent may have put there.
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "log.showSignature=false",
    // It would refuse to add a file for its line ends.
    "core.safecrlf=false",
    "core.quotePath=false",
    "submodule.recurse=false",
    "status.submoduleSummary=false",
    "branch.autoSetupMerge=false",
    "rerere.enabled=false",
    "i18n.commitEncoding=UTF-8",
    "color.ui=false",
    "advice.detachedHead=false",
    "advice.addEmbeddedRepo=false",
    // Nothing is thrown away while somebody still counts on it.
    "gc.auto=0",
    "maintenance.auto=false",
];

/// How long a message of git's may be that is passed on.
const WORDS_BYTES_MAX: usize = 2048;

/// git in a folder.
#[derive(Clone, Debug)]
pub(super) struct Git {
    folder: PathBuf,
    env: Vec<(&'static str, OsString)>,
}

/// What it said, and how it ended.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) out: Vec<u8>,
    pub(super) error: String,
}

impl Said {
    /// What it printed, where anything but success is a failure.
    pub(super) fn expect_done<S: AsRef<OsStr>>(self, arguments: &[S]) -> Result<Vec<u8>, Failure> {
        if self.code == 0 { Ok(self.out) } else { Err(refused(arguments, &self)) }
    }
}

impl Git {
    /// git in this folder, if there is one that can do what is needed.
    pub(super) fn within(folder: &Path) -> Result<Self, Failure> {
        let git = Self { folder: folder.to_owned(), env: Vec::new() };
        Self::check_version()?;
        Ok(git)
    }

    /// git in the worktree at this path, whose own git folder is this one: it never looks for another repository above.
    pub(super) fn of_worktree(path: &Path, git_dir: &Path) -> Result<Self, Failure> {
        let git = Self::within(path)?;
        Ok(git.with("GIT_DIR", git_dir).with("GIT_WORK_TREE", path))
    }

    /// The same with a variable in its environment.
    pub(super) fn with(&self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        let mut with = self.clone();
        with.env.retain(|(known, _)| *known != name);
        with.env.push((name, value.as_ref().to_owned()));
        with
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it answers, where that may be no.
    pub(super) fn ask<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Said, Failure> {
        self.ask_about(arguments, b"")
    }

    /// What it answers to what it reads.
    pub(super) fn ask_about<S: AsRef<OsStr>>(&self, arguments: &[S], input: &[u8]) -> Result<Said, Failure> {
        step::begins();
        let ended = self.start(arguments, input).map_err(|error| not_started(&error))?;
        let error = said(&ended.stderr);
        let by_signal = || {
            let signal = ended.status.signal().unwrap_or(0);
            let message = format!("`git {}` was ended by signal {signal}", called(arguments));
            Failure::new(ErrorKind::Interrupted, message)
        };
        let code = ended.status.code().ok_or_else(by_signal)?;
        Ok(Said { code, out: ended.stdout, error })
    }

    /// What it prints, where anything but success is a failure.
    pub(super) fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Vec<u8>, Failure> {
        self.run_about(arguments, b"")
    }

    /// The same of what it reads.
    pub(super) fn run_about<S: AsRef<OsStr>>(
        &self,
        arguments: &[S],
        input: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let said = self.ask_about(arguments, input)?;
        said.expect_done(arguments)
    }

    /// The first line of what it prints.
    pub(super) fn line<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<String, Failure> {
        Ok(first_line(&self.run(arguments)?))
    }

    /// The path that it prints.
    pub(super) fn path<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<PathBuf, Failure> {
        let printed = self.run(arguments)?;
        Ok(path_of(printed.strip_suffix(b"\n").unwrap_or(&printed)))
    }

    /// The first line of what it prints, if it says yes.
    pub(super) fn line_if_any<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Option<String>, Failure> {
        let said = self.ask(arguments)?;
        Ok((said.code == 0).then(|| first_line(&said.out)).filter(|line| !line.is_empty()))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "an errand is under the keeper: what it starts descends from its monitor"
    )]
    fn start<S: AsRef<OsStr>>(&self, arguments: &[S], input: &[u8]) -> io::Result<Output> {
        let mut command = Command::new("git");
        command.current_dir(&self.folder).arg("--no-pager");
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_bytes().starts_with(b"GIT_")) {
            command.env_remove(name);
        }
        command.env_remove("SSH_ASKPASS").envs([
            ("LC_ALL", "C"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", "false"),
            ("GIT_EDITOR", ":"),
            ("GIT_SEQUENCE_EDITOR", ":"),
            // What is there under a name counts, not what somebody would rather have there.
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_AUTHOR_NAME", NAME),
            ("GIT_AUTHOR_EMAIL", EMAIL),
            ("GIT_COMMITTER_NAME", NAME),
            ("GIT_COMMITTER_EMAIL", EMAIL),
        ]);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.args(arguments.iter().map(AsRef::as_ref));
        if input.is_empty() {
            command.stdin(Stdio::null());
        } else {
            // A file, so that nobody waits for somebody to read.
            let mut file: File = tempfile::tempfile()?;
            file.write_all(input)?;
            file.rewind()?;
            command.stdin(file);
        }
        command.output()
    }

    fn check_version() -> Result<(), Failure> {
        static CHECKED: OnceLock<Result<(), Failure>> = OnceLock::new();
        CHECKED
            .get_or_init(|| {
                let ended = Self { folder: "/".into(), env: Vec::new() }.start(&["version"], b"");
                let printed = ended.map_err(|error| not_started(&error))?.stdout;
                let line = first_line(&printed);
                match version(&line) {
                    Some(found) if found >= OLDEST => Ok(()),
                    _ => Err(too_old(&line)),
                }
            })
            .clone()
    }
}

/// The version in what `git version` prints.
fn version(line: &str) -> Option<(u32, u32)> {
    let mut parts = line.strip_prefix("git version ")?.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn too_old(line: &str) -> Failure {
    let found = line.strip_prefix("git version ").unwrap_or(line);
    let (major, minor) = OLDEST;
    Failure::new(
        ErrorKind::SpawnNotFound,
        format!("git {major}.{minor} or newer is needed for worktrees and merges; there is {found}"),
    )
    .hint("install a newer git, or do without `workspace: worktree`")
    .cause("git")
}

fn not_started(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::NotFound {
        return Failure::new(ErrorKind::SpawnNotFound, "`git` is not on PATH, or its folder is gone")
            .hint("install git; `workspace: worktree` needs it")
            .cause("git");
    }
    let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let kind = if is_full { ErrorKind::DiskFull } else { ErrorKind::SpawnExhausted };
    Failure::new(kind, format!("git can't be started: {error}"))
}

/// What words of git's mean, and the way out.
#[rustfmt::skip]
const MEANINGS: [(&str, ErrorKind, Option<&str>); 8] = [
    ("No space left on device",          ErrorKind::DiskFull,       None),
    ("Disk quota exceeded",              ErrorKind::DiskFull,       None),
    ("Too many open files",              ErrorKind::SpawnExhausted, None),
    ("Resource temporarily unavailable", ErrorKind::SpawnExhausted, None),
    ("Cannot allocate memory",           ErrorKind::SpawnExhausted, None),
    ("Out of memory",                    ErrorKind::SpawnExhausted, None),
    ("dubious ownership",                ErrorKind::SpawnDir,       Some("it belongs to another user: `git config --global --add safe.directory PATH`")),
    (LOCKED,                             ErrorKind::Interrupted,    Some("remove the lock file once no git works there any more")),
];

/// What git says where a lock file is in its way.
pub(super) const LOCKED: &str = ".lock': File exists";

/// What a refusal of git's means.
fn refused<S: AsRef<OsStr>>(arguments: &[S], said: &Said) -> Failure {
    let found = MEANINGS.iter().find(|(words, ..)| said.error.contains(words));
    let (kind, hint) = found.map_or((ErrorKind::Exit, None), |(_, kind, hint)| (*kind, *hint));
    let words = said.error.trim_end();
    let message = format!("`git {}` exited with code {}: {words}", called(arguments), said.code);
    let failure = Failure::new(kind, message).cause("git");
    hint.map_or(failure.clone(), |hint| failure.hint(hint))
}

/// The first words of a call, for people.
fn called<S: AsRef<OsStr>>(arguments: &[S]) -> String {
    let words = arguments.iter().map(|word| word.as_ref().to_string_lossy());
    let words: Vec<_> = words.take_while(|word| word.len() < 40).take(2).collect();
    words.join(" ")
}

/// What it said on standard error: the end, where that is long.
fn said(bytes: &[u8]) -> String {
    let from = bytes.len().saturating_sub(WORDS_BYTES_MAX);
    String::from_utf8_lossy(&bytes[from..]).into_owned()
}

fn first_line(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}

/// A path as git prints it.
pub(super) fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// The parts of what was printed with `-z`, without the empty one behind the last.
pub(super) fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.strip_suffix(b"\0").unwrap_or(bytes).split(|byte| *byte == 0).filter(move |_| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_with_whatever_stands_behind_them() {
        assert_eq!(version("git version 2.39.5"), Some((2, 39)));
        assert_eq!(version("git version 2.50.1 (Apple Git-155)"), Some((2, 50)));
        assert_eq!(version("git version 3.0-rc1"), Some((3, 0)));
        assert_eq!(version("gut 2.3"), None);
        assert!(too_old("git version 2.34.1").message.ends_with("there is 2.34.1"));
    }

    #[test]
    fn what_is_printed_with_noughts_between_has_as_many_parts_as_there_are_names() {
        let of = |bytes: &'static [u8]| parts(bytes).collect::<Vec<_>>();
        assert_eq!(of(b""), Vec::<&[u8]>::new());
        assert_eq!(of(b"a\0b\nc\0"), [b"a".as_slice(), b"b\nc"]);
    }

    #[test]
    fn a_refusal_for_want_of_room_is_nobodys_fault() {
        let said = |error: &str| Said { code: 128, out: Vec::new(), error: error.to_owned() };
        let kind = |error| refused(&["add"], &said(error)).kind;
        assert_eq!(kind("fatal: write error: No space left on device"), ErrorKind::DiskFull);
        assert_eq!(kind("fatal: Unable to create '/r/index.lock': File exists."), ErrorKind::Interrupted);
        assert_eq!(kind("fatal: something else"), ErrorKind::Exit);
    }
}
