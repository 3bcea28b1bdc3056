//! What a program and its children have done to files: their system calls in order, with every byte, as strace has
//! recorded them. Never: a call that failed, or a guess at what a line means.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The calls by which files, folders and what is in them change, or become durable.
const CALLS: &str = "trace=openat,open,creat,write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,rename,renameat,\
    renameat2,link,linkat,unlink,unlinkat,rmdir,truncate,ftruncate,fallocate,mkdir,mkdirat,copy_file_range,sendfile,splice";

/// The options by which strace records all of that into a file.
pub(crate) fn options(log: &Path) -> Vec<String> {
    let log = log.display().to_string();
    [
        "-f",
        "-y",
        "-qq",
        "--seccomp-bpf",
        "-xx",
        "-s",
        "100000000",
        "-e",
        CALLS,
        "-e",
        "signal=none",
        "-o",
        &log,
    ]
    .map(str::to_owned)
    .into()
}

/// A system call that did something.
#[derive(Debug)]
pub(crate) struct Call {
    /// The line at which it began; what had ended before that line is behind it.
    pub(crate) begun: usize,
    /// The line at which it had returned.
    pub(crate) ended: usize,
    pub(crate) name: String,
    arguments: Vec<String>,
    returned: String,
}

/// All of them, by their beginnings.
pub(crate) fn read(log: &str) -> Vec<Call> {
    let mut begun: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    let mut calls = Vec::new();
    for (at, line) in log.lines().enumerate() {
        let (process, rest) = line.split_once(' ').expect("a line begins with its process");
        let rest = rest.trim_start();
        if let Some(beginning) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(process, (at, beginning));
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let (_, end) = resumed.split_once(" resumed>").expect("it is said of what");
            let (from, beginning) = begun.remove(process).expect("it began");
            calls.extend(call(from, at, &format!("{beginning}{end}")));
        } else if !rest.starts_with("+++") && !rest.starts_with("---") {
            calls.extend(call(at, at, rest));
        }
    }
    calls.sort_by_key(|call| call.begun);
    calls
}

/// A call, if it did what it was asked for.
fn call(begun: usize, ended: usize, text: &str) -> Option<Call> {
    let (name, rest) = text.split_once('(').expect("a name and its arguments");
    let (arguments, returned) = rest.rsplit_once(" = ").expect("what it returned");
    if returned.starts_with(['-', '?']) {
        return None;
    }
    let arguments = arguments.trim_end().strip_suffix(')').expect("the arguments end");
    let arguments = split(arguments).into_iter().map(str::to_owned).collect();
    Some(Call { begun, ended, name: name.to_owned(), arguments, returned: returned.to_owned() })
}

/// The parts of a text between its outermost commas. What is quoted is in hexadecimal, without commas or brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, letter) in text.bytes().enumerate() {
        match letter {
            b'[' | b'{' | b'(' => depth += 1,
            b']' | b'}' | b')' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[from..].trim());
    parts
}

impl Call {
    /// How many bytes it said to have written.
    pub(crate) fn count(&self) -> usize {
        self.returned.split(' ').next().and_then(|number| number.parse().ok()).expect("a number of bytes")
    }

    /// The file that it opened.
    pub(crate) fn opened(&self) -> PathBuf {
        path_in(&self.returned)
    }

    /// The number of the descriptor that it gave.
    pub(crate) fn descriptor(&self) -> String {
        self.returned.split('<').next().expect("a text has a beginning").to_owned()
    }

    /// The number that an argument is.
    pub(crate) fn number(&self, argument: usize) -> u64 {
        self.arguments[argument].parse().expect("a number")
    }

    /// Whether an argument names this flag.
    pub(crate) fn has(&self, argument: usize, flag: &str) -> bool {
        self.arguments.get(argument).is_some_and(|flags| flags.split('|').any(|one| one == flag))
    }

    /// The file behind the descriptor that an argument is.
    pub(crate) fn file(&self, argument: usize) -> PathBuf {
        path_in(&self.arguments[argument])
    }

    /// The path that an argument names, from the folder that the one before it is, if that is one.
    pub(crate) fn path(&self, argument: usize) -> PathBuf {
        let path = PathBuf::from(text(&bytes_in(&self.arguments[argument])));
        match argument.checked_sub(1).map(|before| &self.arguments[before]) {
            Some(folder) if folder.contains('<') => path_in(folder).join(path),
            _ => path,
        }
    }

    /// The bytes that were written of those that an argument has, in one piece or several.
    pub(crate) fn bytes(&self, argument: usize) -> Vec<u8> {
        let mut bytes = bytes_in(&self.arguments[argument]);
        bytes.truncate(self.count());
        bytes
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The path between angle brackets, behind a descriptor.
fn path_in(argument: &str) -> PathBuf {
    let (_, path) = argument.split_once('<').expect("a descriptor with its path");
    // What was removed is marked behind the brackets, or within.
    let (path, mark) = path.rsplit_once('>').expect("the path ends");
    PathBuf::from(text(&decoded(path)) + mark)
}

/// The bytes of every quoted part.
fn bytes_in(argument: &str) -> Vec<u8> {
    assert!(!argument.ends_with("\"..."), "all of it was to be recorded");
    argument.split('"').skip(1).step_by(2).flat_map(decoded).collect()
}

/// Turns `\x61` into the letter that it is; the rest stays.
fn decoded(text: &str) -> Vec<u8> {
    let (text, mut bytes, mut at) = (text.as_bytes(), Vec::with_capacity(text.len() / 4), 0);
    let digit = |at: usize| (text[at] as char).to_digit(16).expect("two digits");
    while at < text.len() {
        if text[at..].starts_with(b"\\x") {
            bytes.push(u8::try_from(digit(at + 2) * 16 + digit(at + 3)).expect("two digits"));
            at += 4;
        } else {
            bytes.push(text[at]);
            at += 1;
        }
    }
    bytes
}
