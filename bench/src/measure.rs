//! One program run to its end, with its wall time and the processor time of everything it started.
//! Never: a descendant that is left running into the next measurement.

use std::os::unix::process::ExitStatusExt as _;
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
    let status =
        begin(program, arguments, folder).status().map_err(|error| format!("{}: {error}", shown()))?;
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
fn begin(program: &Path, arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env_remove("WINDLASS_OWNERS");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// What one program took, and how it ended.
#[derive(Clone, Copy)]
pub(crate) struct Peak {
    pub(crate) wall: Duration,
    /// User and system time of the program alone.
    pub(crate) cpu: Duration,
    /// The most memory that it had at once, in bytes.
    pub(crate) memory: u64,
    /// The code that it ended with; none if a signal ended it.
    pub(crate) code: Option<i32>,
}

/// Runs a program that starts no others, however it ends, with its output dropped.
pub(crate) fn peak(program: &Path, arguments: &[&str], folder: &Path) -> Result<Peak, String> {
    let began = now();
    let child = begin(program, arguments, folder).spawn();
    let child = child.map_err(|error| format!("{}: {error}", program.display()))?;
    let (status, usage) = wait(child.id()).map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(Peak {
        wall: began.elapsed(),
        cpu: cpu_of(&usage),
        memory: u64::try_from(usage.ru_maxrss).unwrap_or(0) << 10,
        code: ExitStatus::from_raw(status).code(),
    })
}

#[expect(
    unsafe_code,
    reason = "no safe crate of the workspace has wait4, which alone tells the memory of one child"
)]
fn wait(child: u32) -> std::io::Result<(i32, libc::rusage)> {
    let mut status = 0;
    // SAFETY: an all-zero rusage is valid, and the call writes to it and to the status only.
    let (pid, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(child.cast_signed(), &raw mut status, 0, &raw mut usage), usage)
    };
    if pid < 0 { Err(std::io::Error::last_os_error()) } else { Ok((status, usage)) }
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
    cpu_of(&usage)
}

fn cpu_of(usage: &libc::rusage) -> Duration {
    let one = |time: libc::timeval| {
        let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
        seconds + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
    };
    one(usage.ru_utime) + one(usage.ru_stime)
}
