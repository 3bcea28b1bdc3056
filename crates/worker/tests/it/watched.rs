//! Processes that a test looks at from outside: it learns their numbers through a named pipe, and waits for their
//! ends by descriptors. Never: waiting by the clock.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};
use tempfile::TempDir;
use windlass_core::time::Span;
use windlass_worker::{sweep, wait_for_old_keeper};

use crate::stage::{PATIENCE, PAWL};

/// A named pipe into which processes write a line each once they are what they are to be.
pub(crate) struct Roll {
    path: PathBuf,
    lines: BufReader<File>,
}

impl Roll {
    pub(crate) fn new(folder: &Path) -> Self {
        let path = folder.join("roll");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
        // Open for both, so that it has no end while nobody writes.
        // Some who enter are other users.
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).expect("rights");
        let file = File::options().read(true).write(true).open(&path).expect("the pipe");
        Self { path, lines: BufReader::new(file) }
    }

    /// Another pipe beside it, for a word to those who wait for one.
    pub(crate) fn pipe(&self, name: &str) -> String {
        let path = self.path.with_file_name(name);
        let mode = rustix::fs::Mode::from_raw_mode(0o666);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).expect("rights");
        path.display().to_string()
    }

    /// Gives that word to one who waits.
    pub(crate) fn write(&self, name: &str) {
        let pipe = File::options().write(true).open(self.path.with_file_name(name));
        pipe.and_then(|mut pipe| pipe.write_all(b"\n")).expect("somebody waits");
    }

    /// A piece of shell that enters the number of the shell that runs it.
    pub(crate) fn enter(&self) -> String {
        format!("echo $$ > {}", self.path.display())
    }

    /// The next process that has entered, held by a descriptor.
    pub(crate) fn next(&mut self) -> Held {
        Held::new(self.number()).expect("it lives")
    }

    /// Waits until the next process that has entered is over; it may be so already.
    pub(crate) fn next_or_gone(&mut self) {
        if let Some(held) = Held::new(self.number()) {
            held.wait();
        }
    }

    /// Its number alone, since it may be gone.
    pub(crate) fn number(&mut self) -> i32 {
        let file = self.lines.get_ref();
        let mut ready = [PollFd::new(file, PollFlags::IN)];
        if self.lines.buffer().is_empty() {
            let count = rustix::event::poll(&mut ready, Some(&patience())).expect("a poll");
            assert_eq!(count, 1, "nobody entered");
        }
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        line.trim().parse().expect("a number")
    }
}

/// A process that can't be taken for another.
pub(crate) struct Held {
    pub(crate) pid: Pid,
    fd: OwnedFd,
}

impl Held {
    pub(crate) fn new(number: i32) -> Option<Self> {
        let pid = Pid::from_raw(number)?;
        Some(Self { pid, fd: rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()? })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::pidfd_send_signal(&self.fd, signal).expect("it lives");
    }

    /// Holds it, and waits until none of its threads goes on: a signal is sent before it is heard.
    pub(crate) fn hold(&self) {
        self.signal(Signal::STOP);
        let tasks = format!("/proc/{}/task", self.pid.as_raw_nonzero());
        let is_held = |task: std::fs::DirEntry| {
            // One that ends goes on no more than one that is held.
            std::fs::read_to_string(task.path().join("stat")).map_or(true, |stat| stat.contains(") T "))
        };
        while !std::fs::read_dir(&tasks).expect("it lives").flatten().all(is_held) {
            std::thread::yield_now();
        }
    }

    /// How many files it has open, and how many children.
    pub(crate) fn open_files_and_children(&self) -> (usize, usize) {
        let own = format!("/proc/{}", self.pid.as_raw_nonzero());
        let tasks = std::fs::read_dir(format!("{own}/task")).expect("it lives").flatten();
        let children =
            tasks.map(|task| std::fs::read_to_string(task.path().join("children")).unwrap_or_default());
        let children = children.map(|list| list.split_ascii_whitespace().count()).sum();
        (std::fs::read_dir(format!("{own}/fd")).expect("it lives").count(), children)
    }

    /// Waits until it is over.
    pub(crate) fn wait(&self) {
        let mut ready = [PollFd::new(&self.fd, PollFlags::IN)];
        let count = rustix::event::poll(&mut ready, Some(&patience())).expect("a poll");
        assert_eq!(count, 1, "{:?} lives on", self.pid);
    }

    /// Waits until its parent has taken it.
    pub(crate) fn wait_until_taken(&self) {
        self.wait();
        while self.look().is_some() {
            std::thread::yield_now();
        }
    }

    /// Waits until it rests, having done what it was woken for.
    pub(crate) fn wait_until_at_rest(&self) {
        let stat = format!("/proc/{}/stat", self.pid.as_raw_nonzero());
        while !std::fs::read_to_string(&stat).expect("it lives").contains(") S ") {
            std::thread::yield_now();
        }
    }

    fn look(&self) -> Option<(String, i32)> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid.as_raw_nonzero())).ok()?;
        let (name, rest) = stat.rsplit_once(')')?;
        let parent = rest.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some((name.split_once('(')?.1.to_owned(), parent))
    }

    pub(crate) fn parent(&self) -> Option<Self> {
        Self::new(self.look()?.1)
    }

    /// The monitor that it descends from. The processes between them may end at any moment and hand it on.
    pub(crate) fn monitor(&self) -> Self {
        loop {
            let mut above = self.parent();
            while let Some(one) = above {
                match one.look() {
                    Some((name, _)) if name == "pawl-monitor" => return one,
                    _ => above = one.parent(),
                }
            }
        }
    }
}

fn patience() -> Timespec {
    Timespec { tv_sec: i64::try_from(PATIENCE.as_secs()).expect("small"), tv_nsec: 0 }
}

/// The processes whose command line holds this word.
pub(crate) fn alive_with(word: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(word)).collect()
}

/// A small engine in a process of its own.
pub(crate) struct Engine {
    pub(crate) home: TempDir,
    pub(crate) home_id: String,
    pub(crate) held: Held,
    orders: Option<ChildStdin>,
    reports: BufReader<ChildStdout>,
    child: Child,
}

impl Engine {
    pub(crate) fn start(name: &str) -> Self {
        Self::start_within(name, &[], 4)
    }

    /// An engine started by another program, which takes a command line as its last arguments.
    #[expect(clippy::disallowed_methods, reason = "a test starts the engine that it kills")]
    pub(crate) fn start_within(name: &str, around: &[&str], slots: u32) -> Self {
        let home = TempDir::new().expect("a folder");
        // Its own, since what is swept by it is ended wherever it runs.
        let home_id = format!("{name}-{}", std::process::id());
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(home.path(), everybody).expect("rights");
        let words: Vec<&str> = around.iter().copied().chain([PAWL]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command
            .arg(home.path())
            .arg(&home_id)
            .arg(slots.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("an engine");
        let orders = child.stdin.take();
        let reports = BufReader::new(child.stdout.take().expect("piped"));
        let held = Held::new(child.id().cast_signed()).expect("our child");
        Self { home, home_id, held, orders, reports, child }
    }

    pub(crate) fn run(&mut self, line: &str) {
        let orders = self.orders.as_mut().expect("it listens");
        writeln!(orders, "{}", line.replace('\n', " ")).and_then(|()| orders.flush()).expect("it listens");
    }

    /// Runs a program without a shell and without arguments.
    pub(crate) fn run_argv(&mut self, program: &str) {
        self.run(&format!("argv {program}"));
    }

    /// Runs `true` in this folder.
    pub(crate) fn run_in(&mut self, folder: &str) {
        self.run(&format!("in {folder}"));
    }

    pub(crate) fn report(&mut self) -> String {
        let mut ready = [PollFd::new(self.reports.get_ref(), PollFlags::IN)];
        if self.reports.buffer().is_empty() {
            let count = rustix::event::poll(&mut ready, Some(&patience())).expect("a poll");
            assert_eq!(count, 1, "no report");
        }
        let mut line = String::new();
        self.reports.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    pub(crate) fn kill(&mut self) {
        self.held.signal(Signal::KILL);
        self.child.wait().expect("our child");
    }

    /// Lets it end in order.
    pub(crate) fn end(mut self) {
        self.orders = None;
        assert!(self.child.wait().expect("our child").success());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may be over already.
        drop(self.child.kill());
        drop(self.child.wait());
        // What is left is ended as a next start would.
        if self.home.path().join("cgroups").exists() {
            let within = Span::from_secs(60);
            drop(wait_for_old_keeper(self.home.path(), within, |_| {}));
            drop(sweep((self.home.path(), &self.home_id), within, |_| {}, |_| false));
        }
    }
}
