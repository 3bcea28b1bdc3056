//! A sealed place for one test: its own home, folders and environment, the real binary, and no clock to wait for.
//! Never: anything of the machine's user, or a wait that is not for a line, an end or a reader.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::fs::{CWD, FileType, Mode, inotify, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::needs::is_there;

/// What a client says first on the socket of an engine of this build.
pub(crate) const HELLO: &str = "{\"wire\":8,\"build\":\"by hand\"}\n";

/// A sealed place.
pub(crate) struct Desk {
    folder: TempDir,
}

/// What a command came to.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let folder =
            tempfile::Builder::new().prefix("windlass-").tempdir().expect("a temp folder can be made");
        for name in ["project", "home", "state", "config", "run", "tmp"] {
            fs::create_dir(folder.path().join(name)).expect("a folder can be made");
        }
        Self { folder }
    }

    /// A desk with this plan in `plan.yaml`.
    pub(crate) fn with(plan: &str) -> Self {
        let desk = Self::new();
        desk.write("plan.yaml", plan);
        desk
    }

    /// The folder that commands are called in.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// A path in the user's folder of settings.
    pub(crate) fn config(&self, name: &str) -> PathBuf {
        self.folder.path().join("config").join(name)
    }

    /// The one home of the work folder; it must be there.
    pub(crate) fn home(&self) -> PathBuf {
        let homes = self.folder.path().join("state/windlass");
        let mut homes =
            fs::read_dir(homes).expect("there is a home").map(|home| home.expect("readable").path());
        homes.next().expect("there is a home")
    }

    /// The socket of the engine that is alive.
    pub(crate) fn socket(&self) -> PathBuf {
        let mut sockets = fs::read_dir(self.folder.path().join("run/windlass")).expect("the folder is there");
        sockets.next().expect("there is one").expect("readable").path()
    }

    /// Whether any home was made.
    pub(crate) fn has_home(&self) -> bool {
        self.folder.path().join("state/windlass").exists()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.work().join(name);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("the work folder can be written");
        fs::write(path, text).expect("the work folder can be written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.work().join(name)).unwrap_or_default()
    }

    /// Makes a pipe with a name: whoever reads it waits until [`Desk::open_gate`].
    pub(crate) fn gate(&self, name: &str) {
        mknodat(CWD, self.work().join(name), FileType::Fifo, Mode::from(0o600), 0)
            .expect("a pipe can be made");
    }

    /// Waits until somebody reads the pipe, and lets them go on.
    pub(crate) fn open_gate(&self, name: &str) {
        let mut gate = File::options().write(true).open(self.work().join(name)).expect("the pipe is there");
        gate.write_all(b"go\n").expect("somebody reads it");
    }

    /// Waits until somebody has opened the pipe for writing and closed it again; gives what was written.
    pub(crate) fn hear(&self, name: &str) -> String {
        fs::read_to_string(self.work().join(name)).expect("the pipe can be read")
    }

    /// What a live engine answers to a request that is written by hand.
    pub(crate) fn ask_by_hand(&self, request: &Value) -> String {
        let mut stream = UnixStream::connect(self.socket()).expect("it is taken");
        writeln!(stream, "{HELLO}{request}").expect("it is read");
        let mut reply = String::new();
        BufReader::new(&stream).read_line(&mut reply).expect("a reply");
        reply
    }

    /// Waits until a file of the home has been written so many times from now on.
    pub(crate) fn see_noted(&self, name: &str, times: usize) {
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC).expect("files can be watched");
        inotify::add_watch(&watch, self.home().join(name), inotify::WatchFlags::MODIFY).expect("it is there");
        let mut room = [MaybeUninit::uninit(); 1024];
        let mut notes = inotify::Reader::new(&watch, &mut room);
        for _ in 0..times {
            notes.next().expect("it is written");
        }
    }

    #[expect(clippy::disallowed_methods, reason = "tests start the built binary")]
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        let at = |name: &str| self.folder.path().join(name);
        command
            .args(arguments)
            .current_dir(self.work())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", at("home"))
            .env("XDG_STATE_HOME", at("state"))
            .env("XDG_CONFIG_HOME", at("config"))
            .env("XDG_RUNTIME_DIR", at("run"))
            .env("TMPDIR", at("tmp"))
            .env("TZ", "UTC")
            .env("WINDLASS_HOME_RESERVE", "0")
            .env("WINDLASS_HOME_MIN_FREE", "0")
            .stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn windlass(&self, arguments: &[&str]) -> Done {
        Done::of(&self.command(arguments).output().expect("the binary starts"))
    }

    /// Runs the binary to its end as somebody to whom the rights of files apply: root is above them.
    pub(crate) fn without_privileges(&self, arguments: &[&str]) -> Done {
        Done::of(&self.unprivileged(arguments).output().expect("it starts"))
    }

    /// The binary as such a one starts it.
    #[expect(clippy::disallowed_methods, reason = "tests start the built binary, here with less rights")]
    pub(crate) fn unprivileged(&self, arguments: &[&str]) -> Command {
        let sealed = self.command(arguments);
        if !rustix::process::geteuid().is_root() {
            return sealed;
        }
        let mut command = Command::new("setpriv");
        command.arg("--bounding-set=-dac_override,-dac_read_search").arg(sealed.get_program());
        command.args(arguments).current_dir(self.work()).env_clear().stdin(Stdio::null());
        command.envs(sealed.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    /// The JSON document that a command prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let done = self.windlass(arguments);
        assert_eq!(done.code, Some(0), "{}", done.all());
        serde_json::from_str(&done.out).expect("one JSON document")
    }

    /// Starts the binary and reads what it prints line by line.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::of(&mut self.command(arguments))
    }

    /// Starts the binary with its system calls traced, or made to fail, as these options of strace say.
    pub(crate) fn start_traced(&self, options: &[&str], arguments: &[&str]) -> Running {
        Running::of(&mut self.traced(options, arguments))
    }

    /// The binary under strace with these options.
    #[expect(clippy::disallowed_methods, reason = "tests start the built binary, here under strace")]
    pub(crate) fn traced(&self, options: &[&str], arguments: &[&str]) -> Command {
        let sealed = self.command(arguments);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-y", "-qq"]).args(options).arg(sealed.get_program()).args(arguments);
        strace.current_dir(self.work()).env_clear().stdin(Stdio::null());
        strace.envs(sealed.get_envs().filter_map(|(name, value)| Some((name, value?))));
        strace
    }

    /// Starts a line of a shell and reads what it prints line by line.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests start the built binary, here with what a shell adds"
    )]
    pub(crate) fn start_shell(&self, line: &str) -> Running {
        let sealed = self.command(&[]);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", line]).current_dir(self.work()).env_clear().stdin(Stdio::null());
        shell.envs(sealed.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Running::of(&mut shell)
    }

    /// A text with what differs from run to run taken out.
    pub(crate) fn plain(&self, text: &str) -> String {
        let folder = self.folder.path().canonicalize().expect("it is there");
        text.replace(&folder.display().to_string(), "[desk]")
    }
}

impl Done {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Both streams and the code, for messages and snapshots.
    pub(crate) fn all(&self) -> String {
        format!("exit {:?}\n--- out\n{}--- err\n{}", self.code, self.out, self.err)
    }

    /// The id of the run that `run` told of.
    pub(crate) fn run(&self) -> String {
        run_in(&self.out).expect("it tells of its run")
    }

    /// The JSON lines on standard output.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }
}

fn run_in(text: &str) -> Option<String> {
    text.lines().find_map(|line| Some(line.strip_prefix("run ")?.split(' ').next()?.to_owned()))
}

/// The binary at work.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
    told: String,
}

impl Running {
    pub(crate) fn of(command: &mut Command) -> Self {
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, lines, told: String::new() }
    }

    /// Waits for a line that has this in it.
    pub(crate) fn wait_for(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            let length = self.lines.read_line(&mut line).expect("standard output can be read");
            assert_ne!(length, 0, "it ended without saying `{part}`:\n{}", self.told);
            self.told.push_str(&line);
            if line.contains(part) {
                return line;
            }
        }
    }

    /// The id of the run that it has told of.
    pub(crate) fn run(&mut self) -> String {
        if run_in(&self.told).is_none() {
            self.wait_for("run ");
        }
        run_in(&self.told).expect("it tells of its run")
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it is alive");
    }

    /// Nobody reads what it prints any more.
    pub(crate) fn stop_reading(self) -> Child {
        drop(self.lines);
        self.child
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Done {
        self.lines.read_to_string(&mut self.told).expect("standard output can be read");
        let mut err = String::new();
        let mut from = self.child.stderr.take().expect("it is piped");
        from.read_to_string(&mut err).expect("standard error can be read");
        let status = self.child.wait().expect("it ends");
        Done { code: status.code(), out: self.told, err }
    }
}

/// Whether system calls can be traced and made to fail. Where they can't be, the test that asks fails, unless a person
/// has left it out.
#[expect(clippy::disallowed_methods, reason = "tests start what they need")]
pub(crate) fn can_trace() -> bool {
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    is_there("strace", traced.is_ok_and(|status| status.success()))
}

/// Whether a process is there and no zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_ok_and(|stat| {
        !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X']))
    })
}
