//! The engine's side of the socket. Never: an answer before it is durable (the handle sees to that), or more clients at
//! once than the engine can spare files for.

use std::fs::{self, Permissions};
use std::io::{self, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use windlass_core::id::{AttemptKey, Digest, RunId};
use windlass_core::input::{Answer, Ask, Command, Rejection, Revision};
use windlass_core::plan::Plan;
use windlass_core::state::State;
use windlass_engine::clock;
use windlass_engine::engine::BUILD;
use windlass_engine::error::EngineError;
use windlass_engine::handle::{Handle, NewRun};
use windlass_engine::room::{Room, Seat};
use windlass_worker::environment::is_within;

use crate::calling;
use crate::door::Door;
use crate::socket::callers::Callers;
use crate::socket::in_time::InTime;
use crate::socket::wire::{self, Hello, Reply, Request, WIRE};

/// How often it is looked whether the socket is still in its place: much oftener than others give it up.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long it is waited for a client to leave.
const LEAVES_WITHIN: Duration = Duration::from_secs(5);
/// How many clients are talked to at once. Others wait in the kernel's queue for one to leave, and are turned away then.
const CLIENTS_MAX: usize = 64;
/// How long a client may take over a request, from the reply to the one before, or over taking its reply.
const CLIENT_WITHIN: Duration = Duration::from_secs(10);

/// Takes requests at a path from now on, until [`Served::close`]. The caller has the lock of the home: what lies at the
/// path was left by another.
pub(crate) fn serve(path: &Path, host: Hosting) -> io::Result<Served> {
    let bound = Bound::new(path)?;
    let served = Served { path: path.to_owned(), identity: Arc::new(Mutex::new(Some(bound.identity))) };
    let place = served.clone();
    thread::Builder::new().name("socket".into()).spawn(move || take(bound, &place, &host))?;
    Ok(served)
}

/// A path that leads to this process.
#[derive(Clone)]
pub(crate) struct Served {
    path: PathBuf,
    /// What lies there; none once it was closed.
    identity: Arc<Mutex<Option<Identity>>>,
}

/// The device of a file, and its number there.
type Identity = (u64, u64);

impl Served {
    fn identity(&self) -> MutexGuard<'_, Option<Identity>> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes nothing more, and removes the path. The caller still has the lock of the home: what another process binds
    /// there comes later.
    pub(crate) fn close(&self) {
        let ours = self.identity().take();
        if ours.is_some() && identity(&self.path).ok() == ours {
            // One that can't be removed leads to nobody, and the next engine tries again.
            fs::remove_file(&self.path).unwrap_or_default();
        }
    }

    /// Binds the path anew where it leads here no more; false once it was closed.
    fn keep(&self, bound: &mut Bound) -> bool {
        let mut ours = self.identity();
        if ours.is_none() {
            return false;
        }
        if identity(&self.path).ok() != *ours
            && let Ok(anew) = Bound::new(&self.path)
        {
            *ours = Some(anew.identity);
            *bound = anew;
        }
        true
    }
}

/// The engine that is reached by a socket.
#[derive(Clone)]
pub(crate) struct Hosting {
    /// The way to it.
    pub(crate) handle: Handle,
    /// Whose questions it answers.
    pub(crate) door: Arc<Door>,
    /// Whether plans of others are taken.
    pub(crate) hosts: bool,
    /// The attempts within which it is, as `WINDLASS_OWNERS` has them.
    pub(crate) marks: Arc<str>,
    /// How many levels of attempts those leave it, where it is within any.
    pub(crate) levels: Option<u32>,
    /// Who waits for the end of what tasks started.
    pub(crate) callers: Arc<Callers>,
}

/// A listener and the file that leads to it.
struct Bound {
    listener: UnixListener,
    identity: Identity,
}

impl Bound {
    fn new(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, identity: identity(path)? })
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

fn take(mut bound: Bound, served: &Served, host: &Hosting) {
    let every = Timespec { tv_sec: LOOK_EVERY.as_secs().cast_signed(), tv_nsec: 0 };
    let room = Room::for_at_most(CLIENTS_MAX);
    let mut is_full = false;
    loop {
        if !is_full {
            room.wait_for_fewer_than(CLIENTS_MAX, LEAVES_WITHIN);
        }
        let before = room.count();
        let mut waited_for = [PollFd::new(&bound.listener, PollFlags::IN)];
        // A signal cuts the wait short: then there is nothing to accept, and that is no failure.
        poll(&mut waited_for, Some(&every)).unwrap_or_default();
        match bound.listener.accept() {
            Ok((stream, _)) => {
                let seat = room.try_enter();
                // Nobody left in time: whoever is in the queue by now need not wait as long to hear of it.
                is_full = seat.is_none();
                match seat {
                    Some(seat) => serve_client(stream, host.clone(), seat),
                    None => turn_away(&stream),
                }
                continue;
            }
            // Nobody was there, or has gone already.
            Err(error) if is_of_the_client(&error) => is_full = false,
            // There is no file or no memory for one more, and the queue stays as it is: what may change that is that
            // somebody leaves.
            Err(_) => room.wait_for_fewer_than(before, LEAVES_WITHIN),
        }
        if !served.keep(&mut bound) {
            return;
        }
    }
}

/// Talks to a client on a thread of its own.
fn serve_client(stream: UnixStream, host: Hosting, seat: Seat) {
    let conversing = move || {
        // Where no file can be had for it the client sees a closed socket, and tries again.
        let Ok(kept) = stream.try_clone().map(Arc::new) else { return };
        let mut call = None;
        // Whoever has left or was too slow needs no answer.
        converse(stream, clock::awake, |request| {
            let Request::Nest { new, within } = &request else { return answer(request, &host) };
            let (reply, waits) = host
                .callers
                .receive(&kept, within.run, || unsound(&request).or_else(|| host.nest(new, within)));
            call = waits;
            reply
        })
        .unwrap_or_default();
        // There is room for another while this one waits for the end of a run, however long that takes.
        drop(seat);
        if let Some(call) = call {
            host.callers.attend(call, &kept, &host.handle);
        }
    };
    // Where no thread can be had the client sees a closed socket, and tries again.
    drop(thread::Builder::new().name("socket client".into()).spawn(conversing));
}

/// Tells a client that it came too many, without waiting for what it wants.
fn turn_away(mut stream: &UnixStream) {
    let why = format!(
        "the engine of this home talks to {CLIENTS_MAX} others, and none of them left within {} s",
        LEAVES_WITHIN.as_secs()
    );
    let reply = Reply::TurnedAway { why, hint: "try again when somebody has left".into() };
    // It fits into a socket that nothing was written to.
    let told = stream.set_nonblocking(true).and_then(|()| wire::write(&mut stream, &reply));
    // Whoever has gone needs no answer.
    told.unwrap_or_default();
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted)
}

/// Answers one client until it leaves, is too slow, or the engine has ended.
fn converse(
    stream: UnixStream,
    clock: impl Fn() -> Duration + Copy,
    mut answer: impl FnMut(Request) -> Option<Reply>,
) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let mut to = InTime::new(stream.try_clone()?, CLIENT_WITHIN, clock);
    let mut from = BufReader::new(InTime::new(stream, CLIENT_WITHIN, clock));
    from.get_mut().begin();
    let hello = wire::read_hello(&mut from)?;
    if hello.as_ref().is_none_or(|hello| hello.wire != WIRE) {
        to.begin();
        return wire::write(&mut to, &speaks_otherwise(hello));
    }
    loop {
        from.get_mut().begin();
        let Some(reply) = wire::read::<Request>(&mut from)?.and_then(&mut answer) else { return Ok(()) };
        to.begin();
        wire::write(&mut to, &reply)?;
        // From here on it waits for the end of what it has started.
        if let Reply::Nested { .. } = reply {
            return Ok(());
        }
    }
}

/// What is said to a client of a build with which this engine has no language in common: nothing of its request was read.
fn speaks_otherwise(hello: Option<Hello>) -> Reply {
    let theirs = hello.map_or_else(
        || "the windlass that asks does not say which it speaks".into(),
        |Hello { wire, build }| format!("the windlass that asks is {build} and speaks version {wire}"),
    );
    let why = format!("the engine of this home is {BUILD} and speaks version {WIRE} of its socket; {theirs}");
    let hint = format!(
        "ask with the windlass that the engine is of; or end it, process {}, by Ctrl-C or `kill -INT`, and go on with this one by `{}`",
        std::process::id(),
        calling::command("resume")
    );
    Reply::TurnedAway { why, hint }
}

/// What is wrong with a request by itself.
fn unsound(request: &Request) -> Option<Reply> {
    if let Some(why) = request.refusal() {
        return Some(Reply::Refused(why));
    }
    let unsound = request.plan().map_or(Ok(()), Plan::validate).err()?;
    Some(Reply::Refused(format!("the plan can't be carried out: {unsound}")))
}

/// The reply to a request; none where the engine has ended: the client looks into the journal then.
fn answer(request: Request, host: &Hosting) -> Option<Reply> {
    let refused_at_once = unsound(&request);
    if refused_at_once.is_some() {
        return refused_at_once;
    }
    match request {
        // Its digests and blobs are the engine's to make: whoever reads them must find what was submitted.
        Request::Command(command) if matches!(command.ask, Ask::SubmitPlan(_)) => {
            Some(Reply::Refused("a plan is handed over by `start`, not as a command".into()))
        }
        Request::Command(command) if matches!(command.ask, Ask::Nest(_)) => {
            Some(Reply::Refused("a plan is handed over by `nest`, not as a command".into()))
        }
        Request::Command(command) if matches!(command.ask, Ask::Resume { .. }) => {
            Some(Reply::Refused("a run is gone on with by `resume`, not as a command".into()))
        }
        Request::Resume { command, .. } if !matches!(command.ask, Ask::Resume { .. }) => {
            Some(Reply::Refused("`resume` lifts the pauses of a run, and does nothing else".into()))
        }
        Request::Resume { marks, .. } if !is_within(&host.marks, &marks) => Some(Reply::Refused(
            "the engine of this home is not within the task that asks: what goes on there would not end with that"
                .into(),
        )),
        Request::Resume { command, marks } if !is_within(&marks, &host.marks) && !host.works_on(command.ask.run()) => {
            Some(Reply::Refused(
                "the engine of this home is within a task of another run, and ends with that: it goes on with no run from \
                 outside; resume it when that task has ended"
                    .into(),
            ))
        }
        Request::Command(command) if !has_bodies(&command, &host.handle) => {
            Some(Reply::Refused("it names a blob that this home does not have".into()))
        }
        Request::Command(command) | Request::Resume { command, .. } => host.handle.submit(command).ok().map(Reply::Answer),
        Request::Start { .. } if !host.hosts => Some(Reply::Refused(
            "the engine of this home was started with --no-host: it takes no other plans".into(),
        )),
        Request::Start { marks, .. } if !is_within(&host.marks, &marks) => Some(Reply::Refused(
            "the engine of this home is not within the task that asks: what it starts would not end with that".into(),
        )),
        Request::Start { marks, .. } if !is_within(&marks, &host.marks) => Some(Reply::Refused(
            "the engine of this home is within a task of another run, and ends with that: it takes no plans from outside"
                .into(),
        )),
        // Who waits for the end of it is heard elsewhere, and who never asked has nothing to leave.
        Request::Nest { .. } | Request::Leave => None,
        Request::Yes(run) => {
            host.door.answer_all(run, &host.handle);
            Some(Reply::Answer(Answer::Accepted))
        }
        Request::Start { new, yes, .. } => match host.handle.start(&new, &|run| host.name(run, yes)) {
            Ok(run) => {
                // Where the plan was handed over before, the run is another than the one that was named.
                host.name(run, yes);
                Some(Reply::Started(run))
            }
            Err(EngineError::Gone(_)) => None,
            Err(error) => Some(refused(&error)),
        },
    }
}

/// Why a plan was not taken: that it was not, the client says.
fn refused(error: &EngineError) -> Reply {
    let why = if let EngineError::Refused(why) = error { why.to_string() } else { error.to_string() };
    Reply::Refused(why)
}

impl Hosting {
    /// Whether a run is one of this engine's, paused or not.
    fn works_on(&self, run: Option<RunId>) -> bool {
        let is_ours = move |state: &State| {
            run.and_then(|run| state.run(run)).is_some_and(|run| run.host == state.epoch)
        };
        self.handle.query(is_ours).unwrap_or_default()
    }

    /// The reply to one who asks for a plan to be carried out within an attempt's task.
    fn nest(&self, new: &NewRun, within: &AttemptKey) -> Option<Reply> {
        match self.handle.nest(new, within, self.levels) {
            Ok(task) => Some(Reply::Nested { task, is_answered: self.door.answers(within.run) }),
            Err(EngineError::Gone(_)) => None,
            Err(EngineError::Refused(why @ Rejection::EndsFirst { .. })) => {
                Some(Reply::NotYet(why.to_string()))
            }
            Err(EngineError::Refused(why @ Rejection::OverCap { .. })) => {
                Some(Reply::OverCap(why.to_string()))
            }
            Err(error) => Some(refused(&error)),
        }
    }

    /// Hears the name of a run before it is made: it may ask at once, and an engine that nobody answers ends.
    fn name(&self, run: RunId, yes: bool) {
        if yes {
            self.door.say_yes(run);
        }
    }
}

/// Whether what a command names lies in the home already: what is journaled must be there, and be what is done.
fn has_bodies(command: &Command, handle: &Handle) -> bool {
    let named = match &command.ask {
        Ask::Settle { output, .. } => output.blob,
        Ask::Revise(revision) if !is_of_its_plan(revision) => return false,
        Ask::Revise(revision) => Some(revision.plan_digest),
        Ask::SubmitPlan(_)
        | Ask::Nest(_)
        | Ask::Resume { .. }
        | Ask::Pause { .. }
        | Ask::Cancel { .. }
        | Ask::Retry { .. }
        | Ask::Approve { .. }
        | Ask::Emit { .. }
        | Ask::DropDeadLetter { .. }
        | Ask::Drain { .. } => None,
    };
    named.is_none_or(|digest| handle.has_body(digest))
}

fn is_of_its_plan(revision: &Revision) -> bool {
    serde_json::to_vec(&*revision.plan).is_ok_and(|bytes| Digest::of(&bytes) == revision.plan_digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a client whose request has come is answered, where a look at the clock takes so many seconds.
    fn is_answered(seconds: u64) -> bool {
        let (stream, mut client) = UnixStream::pair().expect("a pair");
        wire::write(&mut client, &Hello::ours()).expect("it has room");
        wire::write(&mut client, &Request::Yes(RunId::from_random(1))).expect("it has room");
        client.shutdown(std::net::Shutdown::Write).expect("it is open");
        let looks = std::cell::Cell::new(0);
        let clock = || Duration::from_secs(seconds * looks.replace(looks.get() + 1));
        let conversed = converse(stream, clock, |_| Some(Reply::Answer(Answer::Accepted)));
        // A socket that is closed with something unread in it is reset.
        let reply = wire::read::<Reply>(&mut BufReader::new(client)).unwrap_or(None);
        assert_eq!(conversed.is_ok(), reply.is_some());
        reply.is_some()
    }

    #[test]
    fn a_client_that_takes_too_long_over_a_request_loses_its_place() {
        assert!(is_answered(0));
        assert!(!is_answered(CLIENT_WITHIN.as_secs()));
    }
}
