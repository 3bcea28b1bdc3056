//! The engine's side of the socket. Never: an answer before it is durable (the handle sees to that).

use std::fs::{self, Permissions};
use std::io::{self, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use windlass_engine::handle::Handle;

use crate::socket::wire::{self, Reply, Request};

/// How often it is looked whether the socket is still in its place.
const LOOK_SECONDS: i64 = 5;

/// Takes requests at a path from now on, until the process ends. The caller has the lock of the home: what lies at the
/// path was left by another. `hosts` is whether plans of others are taken.
pub(crate) fn serve(path: &Path, handle: Handle, hosts: bool) -> io::Result<()> {
    let bound = Bound::new(path)?;
    thread::Builder::new().name("socket".into()).spawn(move || take(bound, &handle, hosts))?;
    Ok(())
}

/// A listener and the file that leads to it.
struct Bound {
    path: PathBuf,
    listener: UnixListener,
    identity: (u64, u64),
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
        Ok(Self { path: path.to_owned(), listener, identity: identity(path)? })
    }

    /// Whether the path still leads here.
    fn is_in_place(&self) -> bool {
        identity(&self.path).is_ok_and(|found| found == self.identity)
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

fn take(mut bound: Bound, handle: &Handle, hosts: bool) {
    let every = Timespec { tv_sec: LOOK_SECONDS, tv_nsec: 0 };
    loop {
        let mut waited_for = [PollFd::new(&bound.listener, PollFlags::IN)];
        // A signal cuts the wait short: then there is nothing to accept, and that is no failure.
        poll(&mut waited_for, Some(&every)).unwrap_or_default();
        if let Ok((stream, _)) = bound.listener.accept() {
            let handle = handle.clone();
            let serving = thread::Builder::new().name("socket client".into());
            // Where no thread can be had the client sees a closed socket, and tries again.
            drop(serving.spawn(move || converse(&stream, &handle, hosts)));
        } else if !bound.is_in_place()
            && let Ok(anew) = Bound::new(&bound.path)
        {
            bound = anew;
        }
    }
}

/// Answers one client until it leaves, or until the engine has ended.
fn converse(stream: &UnixStream, handle: &Handle, hosts: bool) {
    let prepared = stream.set_nonblocking(false).and_then(|()| stream.try_clone());
    let Ok(mut to) = prepared else { return };
    let mut from = BufReader::new(stream);
    while let Ok(Some(request)) = wire::read::<Request>(&mut from) {
        let Some(reply) = answer(request, handle, hosts) else { return };
        if wire::write(&mut to, &reply).is_err() {
            return;
        }
    }
}

/// The reply to a request; none where the engine has ended: the client looks into the journal then.
fn answer(request: Request, handle: &Handle, hosts: bool) -> Option<Reply> {
    match request {
        Request::Command(command) => handle.submit(command).ok().map(Reply::Answer),
        Request::Start(_) if !hosts => Some(Reply::Refused(
            "the engine of this home was started with --no-host: it takes no other plans".into(),
        )),
        Request::Start(new) => match handle.start(&new) {
            Ok(Ok(run)) => Some(Reply::Started(run)),
            Ok(Err(_)) => None,
            Err(error) => Some(Reply::Refused(error.to_string())),
        },
    }
}
