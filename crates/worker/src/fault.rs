//! Why a program could not be started, in words: which step failed, on what, and the way out.
//! Never: deciding whether it is tried again (the kind does that, in the core).

use std::fs;
use std::io::Read as _;
use std::path::Path;

use rustix::io::Errno;
use windlass_core::failure::{ErrorKind, Failure};

use crate::os::{Fault, Step};
use crate::program::not_executable;

/// The way out where the engine's files may not grow as they must.
pub(crate) const LARGER_FILES: &str =
    "raise the limit on the size of files (`ulimit -f`) where Windlass is started";

/// What a failed start means.
pub(crate) fn explain(fault: Fault, program: &Path, folder: &Path) -> Failure {
    let errno = Errno::from_raw_os_error(fault.errno);
    if let Some(failure) = exhausted(errno) {
        return failure;
    }
    match fault.step {
        Step::Fork | Step::Prepare => Failure::new(
            ErrorKind::SpawnInvalid,
            format!("no process could be made for `{}`: {}", program.display(), in_words(errno)),
        ),
        Step::Folder => of_folder(errno, folder),
        Step::Exec => of_exec(errno, program),
    }
}

/// What an error means that the system gives when it has nothing left.
pub(crate) fn exhausted(errno: Errno) -> Option<Failure> {
    let what = match errno {
        Errno::AGAIN => "no more processes may be started",
        Errno::MFILE | Errno::NFILE => "too many files are open",
        Errno::NOMEM => "no memory is left to start it",
        Errno::TXTBSY => "the program is just being written",
        _ => return None,
    };
    let hint = match more(errno) {
        Some(more) => format!("run fewer at a time (`concurrency`, `--slots`), or {more}"),
        None => "wait until it is installed".into(),
    };
    Some(Failure::new(ErrorKind::SpawnExhausted, format!("{what} ({})", in_words(errno))).hint(hint))
}

/// What to do where Windlass itself is refused what the system has nothing left of.
pub fn way_out(error: &std::io::Error) -> Option<&'static str> {
    more(Errno::from_io_error(error)?)
}

/// How there comes to be more of what the system has nothing left of.
fn more(errno: Errno) -> Option<&'static str> {
    match errno {
        Errno::AGAIN => Some(
            "raise the limit (`ulimit -u`, the container's pids limit), which counts threads and all that this user runs",
        ),
        Errno::MFILE | Errno::NFILE => Some("raise the limit (`ulimit -n`) where Windlass is started"),
        Errno::NOMEM => Some("end what uses much memory"),
        _ => None,
    }
}

fn of_folder(errno: Errno, folder: &Path) -> Failure {
    let shown = folder.display();
    let (what, hint) = match errno {
        Errno::NOENT => {
            let there = folder
                .ancestors()
                .find(|one| one.is_dir())
                .map_or_else(String::new, |one| format!(": `{}` is there, the rest is not", one.display()));
            (format!("the working folder `{shown}` does not exist{there}"), "make it, or mend `dir`")
        }
        Errno::NOTDIR => (format!("the working folder `{shown}` is not a folder"), "mend `dir`"),
        Errno::ACCESS | Errno::PERM => (
            format!("the working folder `{shown}` may not be entered"),
            "give this user the right to (`chmod +x`)",
        ),
        _ => (format!("the working folder `{shown}` can't be entered: {}", in_words(errno)), "mend `dir`"),
    };
    Failure::new(ErrorKind::SpawnDir, what).hint(hint)
}

fn of_exec(errno: Errno, program: &Path) -> Failure {
    let shown = program.display();
    let invalid = |what: String| Failure::new(ErrorKind::SpawnInvalid, what);
    match errno {
        Errno::NOENT if program.exists() => without_interpreter(program),
        Errno::NOENT => Failure::new(ErrorKind::SpawnNotFound, format!("`{shown}` does not exist"))
            .hint("mend its path; a relative one is meant from the working folder")
            .cause(shown.to_string()),
        Errno::NOTDIR => {
            Failure::new(ErrorKind::SpawnNotFound, format!("`{shown}` lies in something that is no folder"))
                .hint("mend its path; a relative one is meant from the working folder")
        }
        Errno::ACCESS | Errno::PERM if program.is_dir() => {
            Failure::new(ErrorKind::SpawnDenied, format!("`{shown}` is a folder"))
                .hint("name a program in it")
        }
        Errno::ACCESS | Errno::PERM => denied(program),
        Errno::NOEXEC => without_format(program),
        Errno::TOOBIG => invalid(format!(
            "the arguments and variables for `{shown}` are longer than the system takes"
        ))
        .hint("hand large values over on standard input or in a file (a prompt goes through standard input)"),
        _ => invalid(format!("`{shown}` can't be started: {}", in_words(errno))),
    }
}

/// The program is there, so what is missing is what its first line, or its header, names.
fn without_interpreter(program: &Path) -> Failure {
    let shown = program.display();
    match interpreter(program) {
        Some(named) if named.ends_with('\r') => {
            let named = named.trim_end();
            Failure::new(
                ErrorKind::SpawnNotFound,
                format!("the interpreter of `{shown}` is `{named}` with a carriage return at its end, which does not exist"),
            )
            .hint(format!("the script has line ends of Windows: `sed -i 's/\\r$//' {shown}`"))
            .cause(named)
        }
        Some(named) => Failure::new(
            ErrorKind::SpawnNotFound,
            format!("the interpreter of `{shown}`, `{named}`, does not exist"),
        )
        .hint(format!("install `{named}`, or mend the first line of the script"))
        .cause(named),
        None => Failure::new(
            ErrorKind::SpawnNotFound,
            format!("`{shown}` is there, but the loader that it was built for is not"),
        )
        .hint("it was built for another system or C library: build or install it for this one"),
    }
}

fn denied(program: &Path) -> Failure {
    let may = |path: &Path| rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    if !may(program) {
        let closed = program.ancestors().skip(1).find(|folder| folder.is_dir() && !may(folder));
        return match closed {
            Some(folder) => Failure::new(
                ErrorKind::SpawnDenied,
                format!(
                    "`{}` can't be reached: `{}` may not be entered",
                    program.display(),
                    folder.display()
                ),
            )
            .hint("give this user the right to (`chmod +x` on the folder)"),
            None => not_executable(program),
        };
    }
    match interpreter(program) {
        Some(named) => Failure::new(
            ErrorKind::SpawnDenied,
            format!("the interpreter of `{}`, `{named}`, may not be executed", program.display()),
        )
        .hint("mend the first line of the script, or the rights of its interpreter")
        .cause(named),
        None => Failure::new(ErrorKind::SpawnDenied, format!("`{}` may not be executed", program.display()))
            .hint("its file system may be mounted with `noexec`, or a security policy forbids it"),
    }
}

fn without_format(program: &Path) -> Failure {
    let shown = program.display();
    let start = start_of(program);
    let (what, hint) = if start.is_empty() {
        (format!("`{shown}` is empty"), "write the program, or name another one")
    } else if start.starts_with(b"\x7fELF") {
        (format!("`{shown}` was built for another kind of processor"), "build or install it for this machine")
    } else if start.is_ascii() {
        (format!("`{shown}` is a text without an interpreter"), "begin it with a line such as `#!/bin/sh`")
    } else {
        (format!("`{shown}` is no program of this system"), "build or install it for this machine")
    };
    Failure::new(ErrorKind::SpawnInvalid, what).hint(hint)
}

/// What the first line of a script names, with a carriage return if that stands at its end.
fn interpreter(program: &Path) -> Option<String> {
    let start = start_of(program);
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let line = line.trim_start_matches([' ', '\t']);
    let named = line.split([' ', '\t']).next().unwrap_or(line);
    Some(named.to_owned())
}

fn start_of(program: &Path) -> Vec<u8> {
    let mut start = Vec::new();
    if let Ok(file) = fs::File::open(program) {
        // What can't be read is told apart no further.
        drop(file.take(256).read_to_end(&mut start));
    }
    start
}

fn in_words(errno: Errno) -> String {
    std::io::Error::from(errno).to_string()
}
