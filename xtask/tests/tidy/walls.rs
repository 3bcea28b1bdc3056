//! The walls of ARCHITECTURE.md, those of its «Never» lines that sources show: what each crate may not reach.
//! Never: a judgement of what code is for.

use crate::text::{code, has_word, paths_from};
use crate::{Source, nothing_of, sources};

/// What the core has no business with, as paths into std.
const OUTSIDE_THE_CORE: [&str; 7] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// Names that mean the same by another way, or an order that differs from run to run.
const NEVER_IN_THE_CORE: [&str; 7] =
    ["HashMap", "HashSet", "RandomState", "tokio", "rustix", "libc", "getrandom"];

/// The only files that start processes. The scripted agent is one of those that are started: what it starts descends
/// from its monitor like any agent's.
const START_PROCESSES: [&str; 7] = [
    "crates/worker/src/keeper",
    "crates/worker/src/monitor",
    "crates/worker/src/os",
    "crates/worker/src/adapter/act",
    // git: an errand is under the keeper itself, and what it starts descends from its monitor.
    "crates/worker/src/errand/git",
    // `run --detach`: the engine itself goes to the background, before it has a keeper or a thread.
    "crates/worker/src/background",
    // `windlass chaos`: what is to be killed like an engine must be one, in a process of its own, started as people start it.
    "crates/worker/src/chaos",
];

const STARTING: [&str; 9] = [
    "Command::new",
    "posix_spawn",
    "posix_spawnp",
    "fork",
    "vfork",
    "execve",
    "execvp",
    "execveat",
    "clone3",
];

/// The only files that know where a system keeps what it says.
const DOORS: [&str; 2] = ["crates/worker/src/os/", "crates/journal/src/os.rs"];

/// The only files that ask what time it is.
const ASK_THE_TIME: [&str; 2] = ["crates/engine/src/clock.rs", "crates/worker/src/clock.rs"];

const ASKING: [&str; 5] =
    ["Instant::now", "SystemTime::now", "clock_gettime", "Timestamp::now", "Zoned::now"];

fn shipped() -> impl Iterator<Item = Source> {
    sources().into_iter().filter(|source| source.ships() && !source.is_test())
}

#[test]
fn the_core_reaches_nothing_outside() {
    let mut found = Vec::new();
    for source in shipped().filter(|source| source.path.starts_with("crates/core/")) {
        let code = code(&source.text);
        for path in paths_from(&code, "std") {
            let beyond = |wall: &&&str| path == **wall || path.starts_with(&format!("{wall}::"));
            found.extend(OUTSIDE_THE_CORE.iter().find(beyond).map(|_| format!("{}: {path}", source.path)));
        }
        let names = NEVER_IN_THE_CORE.iter().filter(|name| has_word(&code, name));
        found.extend(names.map(|name| format!("{}: {name}", source.path)));
    }
    nothing_of(
        &found,
        "The core is pure: let it come in as input, or go out as an effect; maps are BTreeMaps.",
    );
}

#[test]
fn only_keeper_and_monitors_start_processes() {
    nothing_of(
        &mentions(&STARTING, &START_PROCESSES),
        "Ask the keeper: what it starts is ended when we are gone.",
    );
}

#[test]
fn only_the_clocks_ask_the_time() {
    nothing_of(&mentions(&ASKING, &ASK_THE_TIME), "Take `now` as an argument, or ask the crate's clock.rs.");
}

#[test]
fn only_the_doors_to_the_system_name_its_files() {
    let mut found = Vec::new();
    let doors = |source: &Source| DOORS.iter().any(|door| source.path.starts_with(door));
    for source in shipped().filter(|source| source.path.starts_with("crates/") && !doors(source)) {
        let code = code(&source.text);
        let lines = code.lines().enumerate().filter(|(_, line)| line.contains("\"/proc/"));
        found.extend(lines.map(|(index, _)| format!("{}:{}", source.path, index + 1)));
    }
    nothing_of(&found, "Ask the trait `Os` of the worker, or os.rs of the journal.");
}

#[test]
fn no_face_touches_the_journal() {
    let faces = shipped().filter(|source| source.path.starts_with("crates/windlass/"));
    let found: Vec<String> = faces
        .filter(|source| {
            ["windlass_journal", "rusqlite"].iter().any(|name| has_word(&code(&source.text), name))
        })
        .map(|source| source.path)
        .collect();
    nothing_of(&found, "A face sends commands to the engine's handle and reads its views.");
}

/// Where a shipped file outside `allowed` mentions one of the words.
fn mentions(words: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in shipped().filter(|source| !allowed.iter().any(|path| source.path.starts_with(path))) {
        for (index, line) in code(&source.text).lines().enumerate() {
            let word = words.iter().find(|word| has_word(line, word) && line.contains(&format!("{word}(")));
            found.extend(word.map(|word| format!("{}:{}: {word}", source.path, index + 1)));
        }
    }
    found
}
