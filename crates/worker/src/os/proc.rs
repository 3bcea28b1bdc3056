//! Linux: what /proc says about processes and the machine. Never: starting or ending anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use super::{Look, Pid, Process};

fn read(pid: Pid, file: &str) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{}/{file}", pid.as_raw_nonzero())).ok()
}

/// All processes.
pub(super) fn all() -> Vec<Pid> {
    pids_in("/proc")
}

fn pids_in(folder: &str) -> Vec<Pid> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    names.filter_map(|entry| pid_of(&entry.file_name().to_string_lossy())).collect()
}

fn pid_of(text: &str) -> Option<Pid> {
    text.parse().ok().filter(|number| *number > 0).and_then(Pid::from_raw)
}

/// Whether the kernel keeps a list of children for each thread.
pub(super) fn has_children_file() -> bool {
    static THERE: LazyLock<bool> = LazyLock::new(|| {
        let own = rustix::process::getpid().as_raw_nonzero();
        fs::exists(format!("/proc/{own}/task/{own}/children")).unwrap_or(false)
    });
    *THERE
}

/// The children of a process, over all its threads.
pub(super) fn children(pid: Pid) -> Vec<Pid> {
    if !has_children_file() {
        let parent = pid.as_raw_nonzero().get();
        return all()
            .into_iter()
            .filter(|one| look_at(*one).is_some_and(|look| look.parent == parent))
            .collect();
    }
    let number = pid.as_raw_nonzero();
    let threads = pids_in(&format!("/proc/{number}/task"));
    let lists = threads.into_iter().filter_map(|thread| {
        fs::read_to_string(format!("/proc/{number}/task/{}/children", thread.as_raw_nonzero())).ok()
    });
    lists.flat_map(|list| list.split_ascii_whitespace().filter_map(pid_of).collect::<Vec<_>>()).collect()
}

/// What `/proc/PID/stat` says.
pub(super) fn look_at(pid: Pid) -> Option<Look> {
    let stat = read(pid, "stat")?;
    // The name stands in brackets and may hold anything, brackets too: the last one ends it.
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 2;
    let rest = str::from_utf8(stat.get(after_name..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().take(20).collect();
    // Fields are counted from 3 (the state) in proc(5).
    let number = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<u64>().ok());
    let own = ticks(number(14)? + number(15)?);
    let of_children = ticks(number(16)? + number(17)?);
    Some(Look {
        process: Process { pid, began: number(22)? },
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2).and_then(|text| pid_of(text)),
        over: matches!(fields.first(), Some(&"Z" | &"X")),
        held: fields.first() == Some(&"T"),
        cpu: own + of_children,
        cpu_of_children: of_children,
    })
}

fn ticks(count: u64) -> Duration {
    Duration::from_millis(count * 1000 / rustix::param::clock_ticks_per_second().max(1))
}

/// The proportional set size.
pub(super) fn memory_fair(pid: Pid) -> Option<u64> {
    let rollup = read(pid, "smaps_rollup")?;
    kib_after(&String::from_utf8_lossy(&rollup), "Pss:")
}

/// The resident set size.
pub(super) fn memory_resident(pid: Pid) -> u64 {
    let statm = read(pid, "statm").unwrap_or_default();
    let pages = str::from_utf8(&statm).ok().and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// Bytes of memory: available, and in all.
pub(super) fn memory_of_machine() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    Some((kib_after(&text, "MemAvailable:")?, kib_after(&text, "MemTotal:")?))
}

fn kib_after(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The count of processes ended for want of memory.
pub(super) fn memory_kills() -> u64 {
    let text = fs::read_to_string("/proc/vmstat").unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok()).unwrap_or(0)
}

/// Whether the calling process ignores this signal.
pub(super) fn ignores(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let bits = bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0);
    u32::try_from(signal - 1).is_ok_and(|place| bits.checked_shr(place).unwrap_or(0) & 1 == 1)
}

/// The value of a variable in the environment that a process was started with.
pub(super) fn variable(pid: Pid, name: &str) -> Option<Vec<u8>> {
    let all = read(pid, "environ")?;
    let value = |entry: &[u8]| {
        entry.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")).map(<[u8]>::to_vec)
    };
    all.split(|byte| *byte == 0).find_map(value)
}

/// Whether this is the name of a process.
pub(super) fn is_named(pid: Pid, name: &str) -> bool {
    name_of(pid).is_some_and(|found| found.trim_ascii_end() == name.as_bytes())
}

/// The name of a process, and the end of its line.
fn name_of(pid: Pid) -> Option<Vec<u8>> {
    read(pid, "comm")
}

/// The processes of this name, or of one that begins with it, that hold a lock on this file. Links are read and nothing is
/// opened: other descriptors of theirs may lead to file systems that don't answer.
pub(super) fn holders_of_lock(path: &Path, name: &str) -> Vec<Process> {
    let named = |pid: &Pid| name_of(*pid).is_some_and(|found| found.starts_with(name.as_bytes()));
    let looks = all().into_iter().filter_map(look_at).filter(|look| !look.over && named(&look.process.pid));
    looks.map(|look| look.process).filter(|process| holds_lock(process.pid, path)).collect()
}

/// Whether a process has this file open, or one of this name (or `NAME-…`) works in one of these folders. One of that name whose
/// folder may not be seen may work there.
pub(super) fn is_worked_on(file: &Path, folders: &[PathBuf], name: &str) -> bool {
    let works_there = |pid: Pid| match fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero())) {
        Ok(folder) => folders.iter().any(|one| folder.starts_with(one)),
        // One that is ending has no folder any more, and does nothing in any.
        Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
    };
    let has_open = |pid: Pid| {
        let open = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).into_iter().flatten().flatten();
        open.into_iter().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == file))
    };
    let rest = |found: &[u8]| found.trim_ascii_end().strip_prefix(name.as_bytes()).map(<[u8]>::to_vec);
    let is_named = |pid: Pid| {
        name_of(pid).and_then(|found| rest(&found)).is_some_and(|rest| rest.is_empty() || rest[0] == b'-')
    };
    all().into_iter().any(|pid| has_open(pid) || is_named(pid) && works_there(pid))
}

fn holds_lock(pid: Pid, path: &Path) -> bool {
    let own = format!("/proc/{}", pid.as_raw_nonzero());
    let mut open = fs::read_dir(format!("{own}/fd")).into_iter().flatten().flatten();
    open.any(|entry| {
        // A lock that came by fork stands there as well.
        let info = || fs::read_to_string(format!("{own}/fdinfo/{}", entry.file_name().display()));
        fs::read_link(entry.path()).is_ok_and(|target| target == path)
            && info().is_ok_and(|info| info.lines().any(|line| line.starts_with("lock:")))
    })
}

/// Whether the environment of a process can be read.
pub(super) fn reads_marks() -> bool {
    read(rustix::process::getpid(), "environ").is_some()
}

/// What of all control groups of version 2 is mounted here, and where.
pub(super) fn cgroup_mount() -> Option<(PathBuf, PathBuf)> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| {
        // Some number of optional fields ends with a dash; see proc(5).
        let (mount, kind) = line.split_once(" - ")?;
        let mut fields = kind.starts_with("cgroup2 ").then(|| mount.split(' ').skip(3))?;
        Some((unescaped(fields.next()?), unescaped(fields.next()?)))
    })
}

/// A path as `mountinfo` writes it: what would end a field stands there as three octal digits.
fn unescaped(text: &str) -> PathBuf {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (written, meant)| text.replace(written, meant))
        .into()
}

/// The path of this process's control group of version 2.
pub(super) fn own_cgroup() -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    own.lines().find_map(|line| line.strip_prefix("0::")).map(PathBuf::from)
}

/// From where this process sees control groups, by the number of that namespace.
pub(super) fn cgroup_namespace() -> Option<String> {
    Some(fs::read_link("/proc/self/ns/cgroup").ok()?.display().to_string())
}

/// What this start of the machine is known by.
pub(super) fn boot_id() -> Option<String> {
    Some(fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}
