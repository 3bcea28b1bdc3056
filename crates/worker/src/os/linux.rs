//! Linux: starting, holding and ending processes. The one file with unsafe code; each block says why it is sound.
//! Never: reading /proc (that is `proc.rs`).
#![expect(unsafe_code, reason = "fork, clone, exec, wait4 and signal masks have no safe face")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::ptr;
use std::time::Duration;

use libc::{c_char, c_int, c_void};
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::fs::{MemfdFlags, inotify};
use rustix::process::{PidfdFlags, Resource};
use rustix::thread::UnshareFlags;

use crate::machine::{Containment, Machine};

use super::{
    Changes, Fault, Launch, Look, Os, Over, Pid, Process, Signal, Starter, Step, Waited, cgroup, proc,
};

/// Linux, from 5.10 on.
#[derive(Debug)]
pub(crate) struct Linux;

/// Sent by the kernel to a monitor whose keeper died. It is held back by the mask and read from a descriptor.
const PARENT_DIED: Signal = Signal::USR1;

impl Os for Linux {
    const OWN_PROGRAM: &str = "/proc/self/exe";

    fn detach() -> io::Result<OwnedFd> {
        // What the kernel takes for a default disposition. The call of the C library keeps two signals to itself,
        // and they may have been ignored by whoever started the engine.
        let default = [0_u64; 4];
        for number in 1..=64 {
            // SAFETY: a default disposition runs no code of ours; numbers that can't be set are refused.
            unsafe { libc::syscall(libc::SYS_rt_sigaction, number, default.as_ptr(), ptr::null::<u64>(), 8) };
        }
        block_all_signals()?;
        let link = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
        let number = link.as_raw_fd().cast_unsigned();
        // SAFETY: this process has just begun: it owns no descriptor but the standard ones and `link`, and whatever
        // else is open was left open by mistake of whoever started the engine.
        unsafe {
            if number > 3 {
                libc::close_range(3, number - 1, 0);
            }
            libc::close_range(number + 1, u32::MAX, 0);
        }
        let null =
            rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC, 0.into())?;
        rustix::stdio::dup2_stdin(&null)?;
        // A parent that is a leader of a group already has a session: then there is nothing to leave.
        let _ = rustix::process::setsid();
        Self::become_subreaper()?;
        rustix::process::chdir("/")?;
        Ok(link)
    }

    fn become_subreaper() -> io::Result<()> {
        Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
    }

    fn is_subreaper() -> bool {
        rustix::process::child_subreaper().is_ok_and(|set| set.is_some())
    }

    fn signals() -> io::Result<OwnedFd> {
        // SAFETY: the set is initialised before it is read, and the descriptor is new and owned by nobody else.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGCHLD);
            libc::sigaddset(&raw mut set, PARENT_DIED.as_raw());
            let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
        }
    }

    fn drain_signals(signals: &OwnedFd) {
        let mut infos = [0_u8; 4 * size_of::<libc::signalfd_siginfo>()];
        // Two kinds of signal can be pending at once at most, so one read takes them all.
        let _ = rustix::io::read(signals, &mut infos);
    }

    fn watch_parent() -> io::Result<()> {
        Ok(rustix::process::set_parent_process_death_signal(Some(PARENT_DIED))?)
    }

    fn fork() -> io::Result<Option<Pid>> {
        // SAFETY: callers have a single thread (the trait asks for it), so the copy is a whole process.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            pid => Ok(Pid::from_raw(pid)),
        }
    }

    fn own_mounts(with_users: bool) -> io::Result<()> {
        let users = if with_users { UnshareFlags::NEWUSER } else { UnshareFlags::empty() };
        // SAFETY: no table of descriptors is left, which is what could go wrong under another thread.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS | users)? };
        Ok(())
    }

    fn start(starter: &mut Starter, launch: &Launch<'_>) -> Result<Pid, Fault> {
        let pointers = |texts: &[&std::ffi::CStr]| {
            texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect::<Vec<*const c_char>>()
        };
        let (argv, env) = (pointers(launch.argv), pointers(launch.env));
        let mut birth = Birth {
            program: launch.program.as_ptr(),
            folder: launch.folder.as_ptr(),
            argv: argv.as_ptr(),
            env: env.as_ptr(),
            stdio: launch.stdio.map(|fd| fd.as_raw_fd()),
            parent: rustix::process::getpid().as_raw_nonzero().get(),
            failed: None,
        };
        let top = starter.stack.as_mut_ptr().wrapping_add(starter.stack.len() & !15);
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let within = launch.cgroup.and_then(|cgroup| bear_within(cgroup, &mut starter.stack, &mut birth));
        // SAFETY: with CLONE_VFORK this thread stands still until the child has run its program or is gone, so
        // everything that `birth` points to outlives the child's use of it, and the stack is the child's alone.
        // All signals are blocked here (`detach`), so no handler runs in the shared memory.
        let bear = || unsafe { libc::clone(be_born, top.cast(), flags, (&raw mut birth).cast()) };
        // What may not be born in a control group is held by descent alone.
        let pid = within.unwrap_or_else(bear);
        if pid < 0 {
            return Err(Fault { step: Step::Fork, errno: last_errno() });
        }
        let pid = Pid::from_raw(pid).expect("a child has a number");
        // SAFETY: `birth` is ours; the read is volatile because another process wrote it.
        match unsafe { ptr::read_volatile(&raw const birth.failed) } {
            None => Ok(pid),
            Some(fault) => {
                let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
                Err(fault)
            }
        }
    }

    fn wait_any() -> io::Result<Waited> {
        let mut status = 0;
        // SAFETY: both are plain data that the kernel fills.
        let (pid, usage) = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            (libc::wait4(-1, &raw mut status, libc::WNOHANG | libc::__WALL, &raw mut usage), usage)
        };
        match pid {
            0 => Ok(Waited::Alive),
            -1 if last_errno() == libc::ECHILD => Ok(Waited::None),
            -1 => Err(io::Error::last_os_error()),
            pid => Ok(Waited::Over(Over {
                pid: Pid::from_raw(pid).expect("wait4 gave a child"),
                status,
                cpu: duration(usage.ru_utime) + duration(usage.ru_stime),
                resident_peak: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
            })),
        }
    }

    fn wait_for(pid: Pid) -> bool {
        match rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG) {
            Ok(None) => false,
            Ok(Some(_)) | Err(_) => true,
        }
    }

    fn children(pid: Pid) -> Vec<Pid> {
        proc::children(pid)
    }

    fn look_at(pid: Pid) -> Option<Look> {
        proc::look_at(pid)
    }

    fn ignore_term() {
        // SAFETY: ignoring runs no code of ours.
        unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    }

    fn signal(process: Process, signal: Signal) {
        let same = || proc::look_at(process.pid).is_some_and(|now| now.process == process);
        match rustix::process::pidfd_open(process.pid, PidfdFlags::empty()) {
            // The descriptor holds on to whatever has the number; what began when ours did is ours.
            Ok(held) if same() => {
                let _ = rustix::process::pidfd_send_signal(held, signal);
            }
            Ok(_) | Err(rustix::io::Errno::SRCH) => {}
            // No descriptor is left, or an old kernel: the gap between look and kill is a few microseconds.
            Err(_) if same() => {
                let _ = rustix::process::kill_process(process.pid, signal);
            }
            Err(_) => {}
        }
    }

    fn end_of(child: Pid) -> io::Result<OwnedFd> {
        Ok(rustix::process::pidfd_open(child, PidfdFlags::empty())?)
    }

    fn signal_group(leader: Pid, signal: Signal) {
        let _ = rustix::process::kill_process_group(leader, signal);
    }

    fn memory_fair(pid: Pid) -> Option<u64> {
        proc::memory_fair(pid)
    }

    fn memory_resident(pid: Pid) -> u64 {
        proc::memory_resident(pid)
    }

    fn memory_of_machine() -> Option<(u64, u64)> {
        proc::memory_of_machine()
    }

    fn ignores(signal: i32) -> bool {
        proc::ignores(signal)
    }

    fn memory_kills() -> u64 {
        proc::memory_kills()
    }

    fn all() -> Vec<Pid> {
        proc::all()
    }

    fn holders_of_lock(path: &Path, name: &str) -> Vec<Process> {
        proc::holders_of_lock(path, name)
    }

    fn is_worked_on(file: &Path, folders: &[PathBuf], name: &str) -> bool {
        proc::is_worked_on(file, folders, name)
    }

    fn is_named(pid: Pid, name: &str) -> bool {
        proc::is_named(pid, name)
    }

    fn variable(pid: Pid, name: &str) -> Option<Vec<u8>> {
        proc::variable(pid, name)
    }

    fn poller() -> io::Result<OwnedFd> {
        Ok(epoll::create(epoll::CreateFlags::CLOEXEC)?)
    }

    fn watch(poller: &OwnedFd, source: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        Ok(epoll::add(poller, source, epoll::EventData::new_u64(token), epoll::EventFlags::IN)?)
    }

    fn ready(poller: &OwnedFd, tokens: &mut Vec<u64>, at_most: Option<Duration>) -> io::Result<()> {
        tokens.clear();
        let mut events = [MaybeUninit::<epoll::Event>::uninit(); 64];
        let at_most = at_most.map(|span| Timespec {
            tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(span.subsec_nanos()),
        });
        match epoll::wait(poller, &mut events, at_most.as_ref()) {
            Ok((ready, _)) => tokens.extend(ready.iter().map(|event| event.data.u64())),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn bell() -> io::Result<OwnedFd> {
        Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
    }

    fn ring(bell: &OwnedFd) {
        // It can only fail where the bell rings already.
        let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
    }

    fn silence(bell: &OwnedFd) {
        let _ = rustix::io::read(bell, &mut [0; 8]);
    }

    fn changes() -> io::Result<Changes> {
        Ok(inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?)
    }

    fn watch_folder(changes: &Changes, folder: &Path) -> io::Result<()> {
        let what = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
        inotify::add_watch(changes, folder, what)?;
        Ok(())
    }

    fn drain_changes(changes: &Changes) {
        // Which files changed is of no interest, so what is cut off at the end of the buffer is not either.
        while rustix::io::read(changes, &mut [0; 4096]).is_ok_and(|length| length > 0) {}
    }

    fn boot_id() -> Option<String> {
        proc::boot_id()
    }

    fn cgroup_namespace() -> Option<String> {
        proc::cgroup_namespace()
    }

    fn memory_file(name: &str) -> io::Result<OwnedFd> {
        Ok(rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?)
    }

    fn machine() -> Machine {
        let descriptors = rustix::process::getrlimit(Resource::Nofile);
        let subreaper = rustix::process::child_subreaper().is_ok();
        Machine {
            containment: match (cgroup::try_out(is_born_within), subreaper) {
                (true, true) => Containment::Cgroup,
                (false, true) => Containment::Descent,
                (_, false) => Containment::Marks,
            },
            has_pidfd: rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).is_ok(),
            has_children_file: proc::has_children_file(),
            reads_marks: proc::reads_marks(),
            descriptors_max: (
                descriptors.current.unwrap_or(u64::MAX),
                descriptors.maximum.unwrap_or(u64::MAX),
            ),
            processes_max: rustix::process::getrlimit(Resource::Nproc).current,
            memory_bytes: proc::memory_of_machine(),
        }
    }
}

/// Bears a process within a control group; none where that is refused.
///
/// The C library has no face for this call, and a caller that shares its memory with the child may not share its stack: what
/// the child runs has to be entered by hand.
#[cfg(target_arch = "x86_64")]
fn bear_within(cgroup: BorrowedFd<'_>, stack: &mut [u8], birth: &mut Birth) -> Option<c_int> {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let bottom = stack.as_mut_ptr();
    // The kernel lets the child begin at the end, which has to be a multiple of 16.
    let length = stack.len() - (bottom.addr() + stack.len()) % 16;
    let order = CloneArguments {
        flags: CLONE_INTO_CGROUP | u64::from((libc::CLONE_VM | libc::CLONE_VFORK).cast_unsigned()),
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        stack: bottom.expose_provenance() as u64,
        stack_size: length as u64,
        cgroup: u64::from(cgroup.as_raw_fd().cast_unsigned()),
        ..CloneArguments::default()
    };
    let answer: i64;
    // SAFETY: as for `clone` in `start`, whose stack and `birth` these are. The child, to whom the call gives 0, has
    // nothing on its stack, calls `be_born`, and that never returns; the parent goes on behind as after any call.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, {birth}",
            "call {born}",
            "ud2",
            "2:",
            birth = in(reg) &raw mut *birth,
            born = in(reg) be_born as extern "C" fn(*mut c_void) -> c_int,
            inlateout("rax") libc::SYS_clone3 => answer,
            in("rdi") &raw const order,
            in("rsi") size_of::<CloneArguments>(),
            out("rcx") _,
            out("r11") _,
        );
    }
    c_int::try_from(answer).ok().filter(|pid| *pid > 0)
}

/// See the other: it has been tried on no other processor.
#[cfg(not(target_arch = "x86_64"))]
fn bear_within(_: BorrowedFd<'_>, _: &mut [u8], _: &mut Birth) -> Option<c_int> {
    None
}

/// Whether a process can be born in this group: one is, and ends at once.
fn is_born_within(cgroup: BorrowedFd<'_>) -> bool {
    let nothing = [ptr::null()];
    let mut birth = Birth {
        // There is no program of this name: so it is over before it does anything.
        program: c"".as_ptr(),
        folder: c"/".as_ptr(),
        argv: nothing.as_ptr(),
        env: nothing.as_ptr(),
        stdio: [0, 1, 2],
        parent: rustix::process::getpid().as_raw_nonzero().get(),
        failed: None,
    };
    let Ok(before) = block_all_signals() else { return false };
    let born = bear_within(cgroup, &mut Starter::new().stack, &mut birth);
    // SAFETY: the set is the one that was in force before.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut()) };
    if let Some(pid) = born.and_then(Pid::from_raw) {
        let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
    }
    born.is_some()
}

/// What clone3(2) reads.
#[cfg(target_arch = "x86_64")]
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// What a starting process reads, and where it leaves word of a failure: memory that it shares with its parent.
struct Birth {
    program: *const c_char,
    folder: *const c_char,
    argv: *const *const c_char,
    env: *const *const c_char,
    stdio: [RawFd; 3],
    parent: c_int,
    failed: Option<Fault>,
}

/// The first and only code of a new process before its program. Nothing here allocates, locks or unwinds.
extern "C" fn be_born(birth: *mut c_void) -> c_int {
    // SAFETY: the parent stands still and keeps `birth` and all that it points to alive (see `start`).
    let birth = unsafe { &mut *birth.cast::<Birth>() };
    let step = prepare(birth).err().unwrap_or_else(|| {
        // SAFETY: program, argv and env are null-terminated and alive; exec returns only where it failed.
        unsafe { libc::execve(birth.program, birth.argv, birth.env) };
        Step::Exec
    });
    birth.failed = Some(Fault { step, errno: last_errno() });
    // SAFETY: ends this process without running anything of the parent's.
    unsafe { libc::_exit(127) }
}

fn prepare(birth: &Birth) -> Result<(), Step> {
    // SAFETY: each is a plain system call on numbers and pointers that the parent keeps valid; the set is
    // initialised before it is used.
    unsafe {
        if libc::setsid() < 0 || libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) < 0 {
            return Err(Step::Prepare);
        }
        // The parent may have died before its death signal was asked for.
        if libc::getppid() != birth.parent {
            libc::_exit(127);
        }
        for (target, fd) in (0..).zip(birth.stdio) {
            if libc::dup2(fd, target) < 0 {
                return Err(Step::Prepare);
            }
        }
        if libc::chdir(birth.folder) < 0 {
            return Err(Step::Folder);
        }
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
    Ok(())
}

/// Blocks all signals for this thread; gives those that were blocked before.
fn block_all_signals() -> io::Result<libc::sigset_t> {
    // SAFETY: the sets are initialised before they are read.
    unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&raw mut all);
        match libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) {
            0 => Ok(before),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

fn last_errno() -> i32 {
    // SAFETY: the place of this thread's errno; a child of `start` shares it with its standing parent.
    unsafe { *libc::__errno_location() }
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0))
        + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}
