//! The scripted agent itself: this binary under another name, doing what its prompt says, step by step.
//! Never: running as anything but a process of its own, started by a monitor like any other agent.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use windlass_core::failure::{ErrorKind, Failure};

use super::script::{Step, parse};
use super::scripted::{NAME, NOTES, Note};
use crate::os::{Host, Os as _};
use crate::private;

/// Becomes the scripted agent if this process was started as one, and returns otherwise. To be called at the start of
/// `main`, beside [`crate::run_if_keeper`].
pub fn run_if_scripted() {
    let mut arguments = std::env::args_os();
    if arguments.next().is_none_or(|name| name != NAME) {
        return;
    }
    let code = match arguments.next() {
        Some(leftover) if leftover == LEFTOVER => remain(arguments.next()),
        _ => follow_the_prompt(),
    };
    #[expect(clippy::exit, reason = "this process is the scripted agent and nothing else")]
    std::process::exit(code);
}

/// The argument of a process that `fork` leaves behind.
const LEFTOVER: &str = "--leftover";

/// What happens after a step.
enum Next {
    GoOn,
    Exit(i32),
}

fn follow_the_prompt() -> i32 {
    let mut script = String::new();
    let steps = io::stdin().read_to_string(&mut script).map_err(|error| error.to_string());
    let steps = steps.and_then(|_| parse(&script).map_err(|error| error.to_string()));
    let steps = match steps {
        Ok(steps) => steps,
        Err(wrong) => {
            complain(&wrong);
            note(&Note::Fail(
                Failure::new(ErrorKind::SpawnInvalid, wrong).hint("the scripted agent takes a step a line"),
            ));
            return 2;
        }
    };
    for step in &steps {
        match act(step) {
            Ok(Next::GoOn) => {}
            Ok(Next::Exit(code)) => return code,
            Err(error) => {
                complain(&format!("{step:?} failed: {error}"));
                return 1;
            }
        }
    }
    0
}

fn act(step: &Step) -> io::Result<Next> {
    match step {
        Step::Say(text) => say(&expanded(text))?,
        Step::Sleep(time) => std::thread::sleep(*time),
        Step::Write(file, text) => write(&expanded(file), &expanded(text), false)?,
        Step::Append(file, text) => write(&expanded(file), &expanded(text), true)?,
        Step::Commit(message) => commit(&expanded(message))?,
        Step::Exit(code) => return Ok(Next::Exit(*code)),
        Step::IgnoreTerm => Host::ignore_term(),
        Step::Fork { setsid } => leave_behind(*setsid)?,
        Step::Flood(bytes) => flood(*bytes)?,
        Step::Fail(kind, retry_after) => {
            let mut failure = Failure::new(*kind, "the script says so");
            failure.retry_after = *retry_after;
            note(&Note::Fail(failure));
            return Ok(Next::Exit(1));
        }
        Step::Usage(tokens, usd_micro) => note(&Note::Usage { tokens: *tokens, usd_micro: *usd_micro }),
        Step::Crash => {
            // Nobody wants the memory of an agent that crashes on purpose.
            let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
            rustix::process::setrlimit(rustix::process::Resource::Core, none)?;
            std::process::abort();
        }
        Step::Hang => hang(),
        Step::OnAttempt(number, then) => {
            if variable("WINDLASS_ATTEMPT").to_str() == Some(&number.to_string()) {
                return act(then);
            }
        }
    }
    Ok(Next::GoOn)
}

fn hang() -> ! {
    loop {
        std::thread::park();
    }
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

fn complain(text: &str) {
    // Where nobody listens there is nothing left to do.
    drop(writeln!(io::stderr().lock(), "{NAME}: {text}"));
}

fn write(file: &str, text: &str, append: bool) -> io::Result<()> {
    let path = Path::new(file);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = File::options();
    options.create(true);
    let mut file =
        if append { options.append(true) } else { options.write(true).truncate(true) }.open(path)?;
    // One call: what is appended by several at once stays whole.
    file.write_all(format!("{text}\n").as_bytes())
}

fn commit(message: &str) -> io::Result<()> {
    git(&["add", "--all"])?;
    git(&[
        "-c",
        "user.name=scripted",
        "-c",
        "user.email=scripted@localhost",
        "commit",
        "--quiet",
        "--message",
        message,
    ])
}

#[expect(clippy::disallowed_methods, reason = "an agent starts programs: they descend from its monitor")]
fn git(arguments: &[&str]) -> io::Result<()> {
    let status = Command::new("git").args(arguments).stdin(Stdio::null()).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("git {} gave {status}", arguments.join(" "))))
    }
}

#[expect(clippy::disallowed_methods, reason = "an agent starts programs: they descend from its monitor")]
fn leave_behind(setsid: bool) -> io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new(Host::OWN_PROGRAM);
    command.arg0(NAME).arg(LEFTOVER).stdin(Stdio::null()).stdout(Stdio::piped());
    if setsid {
        command.arg("setsid");
    }
    let mut child = command.spawn()?;
    // It speaks once it is what it is to be.
    let mut ready = [0];
    child.stdout.take().map_or(Ok(0), |mut out| out.read(&mut ready))?;
    Ok(())
}

fn remain(how: Option<OsString>) -> i32 {
    if how.is_some_and(|how| how == "setsid") {
        let _ = rustix::process::setsid();
    }
    drop(say(""));
    hang()
}

fn flood(bytes: u64) -> io::Result<()> {
    const LINE: &[u8; 64] = b"flood flood flood flood flood flood flood flood flood flood 123\n";
    let block = LINE.repeat(1024);
    let mut out = io::stdout().lock();
    let mut left = bytes;
    while left > 0 {
        let part = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        out.write_all(&block[..part])?;
        left -= part as u64;
    }
    out.flush()
}

/// Leaves word for the adapter.
fn note(note: &Note) {
    let path = variable(NOTES);
    let line = serde_json::to_string(note).expect("notes are plain data");
    let file = private::options().append(true).open(path);
    if let Err(error) = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes())) {
        complain(&format!("no word could be left for Windlass: {error}"));
    }
}

fn variable(name: &str) -> OsString {
    std::env::var_os(name).unwrap_or_default()
}

/// The text with the values of the variables of Windlass that it names.
fn expanded(text: &str) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("$WINDLASS_") {
        let name = &rest[start + 1..];
        let end = name.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(name.len());
        done.push_str(&rest[..start]);
        done.push_str(&variable(&name[..end]).to_string_lossy());
        rest = &name[end..];
    }
    done + rest
}
