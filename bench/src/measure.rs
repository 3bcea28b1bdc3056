//! One program run to its end, with its wall time and the processor time of everything it started.
//! Never: a descendant that is left running into the next measurement.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::disk::now;

/// What a run took.
#[derive(Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) wall: Duration,
    /// User and system time, of all descendants too.
    pub(crate) cpu: Duration,
}

/// Makes this process the one that orphans come to, so that their time is counted as well.
pub(crate) fn adopt_orphans() -> Result<(), String> {
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own)).map_err(|error| format!("no subreaper: {error}"))
}

/// Runs a program with its output dropped; it must end well.
pub(crate) fn run(program: &Path, arguments: &[&str], folder: &Path) -> Result<Taken, String> {
    let shown = || format!("{} {}", program.display(), arguments.join(" "));
    let before = cpu_of_descendants();
    let began = now();
    let status = start(program, arguments, folder).map_err(|error| format!("{}: {error}", shown()))?;
    let wall = began.elapsed();
    // What it left behind (a keeper on its way out) is waited for: its time counts, and the next run is alone.
    while rustix::process::wait(rustix::process::WaitOptions::empty()).is_ok() {}
    if !status.success() {
        return Err(format!("{} ended with {status}", shown()));
    }
    Ok(Taken { wall, cpu: cpu_of_descendants().saturating_sub(before) })
}

/// Runs the plan in a folder by Windlass, with so many slots and an empty home.
pub(crate) fn run_plan(windlass: &Path, folder: &Path, home: &Path, slots: &str) -> Result<Taken, String> {
    if home.exists() {
        std::fs::remove_dir_all(home).map_err(|error| format!("{}: {error}", home.display()))?;
    }
    run(windlass, &["run", "plan.yaml", "--home", &home.to_string_lossy(), "--slots", slots], folder)
}

#[expect(clippy::disallowed_methods, reason = "the contenders are programs; nothing here is an attempt")]
fn start(program: &Path, arguments: &[&str], folder: &Path) -> std::io::Result<ExitStatus> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env_remove("WINDLASS_OWNERS");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()
}

/// Processor time of all descendants that were waited for so far.
#[expect(
    unsafe_code,
    reason = "no safe crate of the workspace has getrusage; it fills the struct it is given"
)]
fn cpu_of_descendants() -> Duration {
    // SAFETY: an all-zero rusage is valid, and the call writes to nothing else.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    let one = |time: libc::timeval| {
        let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
        seconds + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
    };
    one(usage.ru_utime) + one(usage.ru_stime)
}
