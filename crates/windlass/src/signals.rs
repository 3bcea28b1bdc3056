//! The signals that end a run in order: Ctrl-C, SIGTERM, SIGHUP. A thread of their own takes them to where they belong,
//! whatever the thread that talks to the user does meanwhile. Never: a SIGHUP that was ignored when we started, as
//! `nohup` does. SIGINT is ignored for every background job of a shell script, and whoever sends it there means it.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use windlass_core::input::{Ask, Command};
use windlass_engine::handle::Handle;

use crate::error::{Outcome, Report};
use crate::exit::Exit;
use crate::news::News;
use crate::{printing, steer};

/// After how many signals nothing is waited for any more.
const PATIENT_SIGNALS: u32 = 2;

/// What has come, and whom it is for. A process has its signals once.
static CAUGHT: Mutex<Caught> = Mutex::new(Caught { first: None, count: 0, of: Subject::Nothing });

struct Caught {
    first: Option<i32>,
    count: u32,
    of: Subject,
}

/// What a signal ends.
enum Subject {
    /// This process, which has begun nothing.
    Nothing,
    /// The engine of this process.
    Engine(Handle, Sender<News>),
    /// Only what is shown: the engine is another's, or has ended.
    Display(Sender<News>),
}

fn caught() -> MutexGuard<'static, Caught> {
    CAUGHT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes every such signal from now on: until there is something to end in order, it ends this process with its code.
pub(crate) fn catch() -> Outcome<()> {
    let failed = |error: io::Error| Report::environment("signals can't be caught").system(&error);
    let hangs_up = !windlass_worker::is_ignored(SIGHUP);
    let wanted = [SIGINT, SIGTERM].into_iter().chain(hangs_up.then_some(SIGHUP));
    let mut signals = Signals::new(wanted).map_err(failed)?;
    let taking = move || signals.forever().for_each(take);
    thread::Builder::new().name("signals".into()).spawn(taking).map_err(failed)?;
    Ok(())
}

/// Lets a write past the limit on the size of files (`ulimit -f`) fail as any other, with EFBIG, instead of ending this
/// process without a word. The signal is caught rather than ignored: what is started gets the default back by itself.
pub(crate) fn let_writes_past_a_limit_fail() {
    // Where it can't be caught, the limit ends us as it did.
    drop(signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))));
}

/// From now on signals drain this engine.
pub(crate) fn drain(handle: Handle, to_news: Sender<News>) {
    caught().of = Subject::Engine(handle, to_news);
}

/// From now on signals end the display.
pub(crate) fn detach(to_news: Sender<News>) {
    caught().of = Subject::Display(to_news);
}

/// The engine has ended, and the thread that talks to the user knows it.
pub(crate) fn engine_ended(to_news: Sender<News>) {
    let mut caught = caught();
    caught.of = Subject::Display(to_news);
    if let Some(first) = caught.first {
        drop(caught);
        leave_when_printing_hangs(first);
    }
}

/// The signal that came first.
pub(crate) fn first() -> Option<i32> {
    caught().first
}

fn take(signal: i32) {
    let mut caught = caught();
    let first = *caught.first.get_or_insert(signal);
    caught.count += 1;
    if caught.count > PATIENT_SIGNALS {
        say_if_it_can_be_heard("Leaving: the keeper ends what still runs.\n");
        leave(first);
    }
    match &caught.of {
        // Nothing can begin meanwhile: whoever begins something says so here first.
        Subject::Nothing => leave(first),
        Subject::Engine(handle, to_news) => {
            to_news.send(News::Signal(signal)).unwrap_or_default();
            submit_drain(handle.clone(), caught.count == PATIENT_SIGNALS);
        }
        Subject::Display(to_news) => {
            to_news.send(News::Signal(signal)).unwrap_or_default();
            if caught.count == 1 {
                let leaving = move || leave_when_printing_hangs(first);
                // Without a thread the second or third signal ends it.
                drop(thread::Builder::new().name("leaving".into()).spawn(leaving));
            }
        }
    }
}

/// Tells an engine to end. It may take its time, or hang: the next signal does not wait for its answer.
fn submit_drain(handle: Handle, at_once: bool) {
    let telling = move || {
        let Ok(id) = steer::new_id() else { return };
        // Where it has ended meanwhile there is nothing to stop.
        drop(handle.submit(Command { id, by: "signal".into(), ask: Ask::Drain { at_once } }));
    };
    if let Err(refused) = thread::Builder::new().name("drain".into()).spawn(telling.clone()) {
        drop(refused);
        telling();
    }
}

/// Ends this process where its last words are for a reader that has stopped reading.
fn leave_when_printing_hangs(signal: i32) {
    printing::wait_until_it_hangs();
    leave(signal);
}

#[expect(clippy::exit, reason = "the thread that talks to the user may hang in what it says")]
fn leave(signal: i32) -> ! {
    std::process::exit(exit_after(signal).code().into());
}

/// Says something, unless that could wait for a reader.
fn say_if_it_can_be_heard(text: &str) {
    let (to, at_once) = (io::stderr(), Timespec { tv_sec: 0, tv_nsec: 0 });
    let mut ready = [PollFd::new(&to, PollFlags::OUT)];
    if poll(&mut ready, Some(&at_once)).is_ok_and(|ready| ready > 0) {
        // That nobody hears it is no failure. The lock on the stream may be held by who hangs.
        rustix::io::write(&to, text.as_bytes()).unwrap_or_default();
    }
}

/// The code that a program ends with after a signal.
pub(crate) fn exit_after(signal: i32) -> Exit {
    match signal {
        SIGTERM => Exit::Terminated,
        SIGHUP => Exit::HungUp,
        _ => Exit::Interrupted,
    }
}
