//! The keeper that this crate's tests start, and a small engine that they can kill: it runs a shell line for each
//! line that it reads, and prints a line for each report. Never: shipped (the binary `windlass` is its own keeper).

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::sync::Arc;

use windlass_core::effect::{Assignment, Program, Settle};
use windlass_core::id::{AttemptKey, Digest, Fence};
use windlass_core::time::Span;
use windlass_worker::{Blobs, Settings, Supervisor, Surroundings, WorkerReport};

struct NoBlobs;

impl Blobs for NoBlobs {
    fn open(&self, _: &Digest) -> std::io::Result<Box<dyn std::io::Read>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

fn main() {
    windlass_worker::run_if_keeper();
    windlass_worker::run_if_scripted();
    windlass_worker::run_if_errand();
    let mut arguments = std::env::args().skip(1);
    let (home, home_id) = arguments.next().zip(arguments.next()).expect("a home and its id");
    let slots = arguments.next().map_or(4, |slots| slots.parse().expect("a number"));
    windlass_worker::become_subreaper().expect("a subreaper");
    let supervisor = Supervisor::start(Settings::new(home.clone().into(), home_id, slots), |report| {
        let mut out = std::io::stdout().lock();
        let written = writeln!(out, "{}", in_a_line(&report)).and_then(|()| out.flush());
        written.expect("somebody reads");
    })
    .expect("a keeper");
    let path = std::env::vars().find(|(name, _)| name == "PATH");
    let surroundings =
        Surroundings { env_base: Arc::new(path.into_iter().collect()), blobs: Arc::new(NoBlobs) };
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let assignment = assignment(number as u64 + 1, &home, &line.expect("text"));
        supervisor.spawn(assignment, surroundings.clone());
    }
    supervisor.shutdown();
}

/// A line for the shell, or `argv PROGRAM`, or `in FOLDER`.
fn assignment(number: u64, home: &str, line: &str) -> Assignment {
    let task = format!("t{number}").parse().expect("a task");
    let (program, folder) = match line.split_once(' ') {
        Some(("argv", program)) => (Program::Argv(vec![program.to_owned()]), home),
        Some(("in", folder)) => (Program::Argv(vec!["true".to_owned()]), folder),
        _ => (Program::Shell(line.to_owned()), home),
    };
    Assignment {
        key: AttemptKey { run: "abcdef".parse().expect("a run"), task, attempt: 1 },
        fence: Fence(number),
        program,
        folder: folder.to_owned(),
        workspace: home.to_owned(),
        env_base: Digest::of(b""),
        env: BTreeMap::new(),
        pass: Vec::new(),
        start_to_close: None,
        heartbeat: None,
        grace: Span::from_secs(10),
        memory_bytes_max: None,
        settle: Settle::default(),
        around: Vec::new(),
        elsewhere: None,
        feedback: None,
    }
}

fn in_a_line(report: &WorkerReport) -> String {
    match report {
        WorkerReport::Ended(ended) => {
            let (kind, message) = match &ended.error {
                Some(error) => (error.kind.name(), format!(" {}", error.message)),
                None => ("ok", String::new()),
            };
            format!("ended {} {kind} {}{message}", ended.key.task, ended.leftovers)
        }
        WorkerReport::Overdue { key, .. } => format!("overdue {}", key.task),
        WorkerReport::Lost { attempts, reason } => {
            let tasks: Vec<String> = attempts.iter().map(|one| one.key.task.to_string()).collect();
            let leftovers: u32 = attempts.iter().map(|one| one.leftovers).sum();
            format!("lost {} {reason:?} {leftovers}", tasks.join("+"))
        }
    }
}
