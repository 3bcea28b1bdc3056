//! Who waits for the end of a part of a run, each on the connection over which it asked for it: where one goes without a word
//! its part is ended, since nobody would learn what comes of it. Never: an end for a part whose caller has seen it rest.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use windlass_core::id::{RunId, TaskId};
use windlass_core::input::{Answer, Ask, Command, Rejection};
use windlass_engine::handle::Handle;

use crate::socket::wire::{Reply, Request};
use crate::steer;

/// More than the only word that there is to say.
const WORD_BYTES: usize = 64;

/// All who wait.
#[derive(Default)]
pub(crate) struct Callers {
    /// Held while a plan is taken: who asks next finds its caller among those who wait.
    turn: Mutex<()>,
    waiting: Mutex<Waiting>,
    /// One of them waits no more, and what follows from that is durable.
    one_less: Condvar,
}

#[derive(Default)]
struct Waiting {
    last: u64,
    streams: BTreeMap<u64, Arc<UnixStream>>,
}

/// One who waits.
pub(crate) struct Call {
    number: u64,
    run: RunId,
    task: TaskId,
}

impl Callers {
    /// Takes a plan for one who will wait for its end. A caller that has gone by now is known to have gone: else a program that
    /// ends its command and calls again would have both at once.
    pub(crate) fn receive(
        &self,
        stream: &Arc<UnixStream>,
        run: RunId,
        nest: impl FnOnce() -> Option<Reply>,
    ) -> (Option<Reply>, Option<Call>) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let has_gone =
            |waiting: &mut Waiting| waiting.streams.values().any(|stream| has_spoken(stream, true));
        drop(self.one_less.wait_while(self.waiting(), has_gone));
        let reply = nest();
        let Some(Reply::Nested { task, .. }) = &reply else { return (reply, None) };
        let mut waiting = self.waiting();
        waiting.last += 1;
        let call = Call { number: waiting.last, run, task: task.clone() };
        waiting.streams.insert(call.number, Arc::clone(stream));
        (reply, Some(call))
    }

    /// Waits until a caller leaves, and ends its part where it does so without a word.
    pub(crate) fn attend(&self, call: Call, stream: &UnixStream, handle: &Handle) {
        while !has_spoken(stream, false) {}
        let (mut word, mut from) = ([0; WORD_BYTES], stream);
        let length = from.read(&mut word).unwrap_or_default();
        let leaves = matches!(serde_json::from_slice(&word[..length]), Ok(Request::Leave));
        let Call { number, run, task } = call;
        if !leaves {
            cancel(handle, run, task);
        }
        self.waiting().streams.remove(&number);
        self.one_less.notify_all();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the other side has said something, or has gone; `at_once` is without waiting for that.
fn has_spoken(stream: &UnixStream, at_once: bool) -> bool {
    let no_time = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut waited_for = [PollFd::new(stream, PollFlags::IN)];
    // A signal cuts the wait short.
    poll(&mut waited_for, at_once.then_some(&no_time)).is_ok_and(|ready| ready > 0)
}

/// Where it is refused the part has ended already.
fn cancel(handle: &Handle, run: RunId, task: TaskId) {
    let Ok(id) = steer::new_id() else { return };
    let ask = Ask::Cancel { run, task: Some(task) };
    let command = Command { id, by: "engine".into(), ask };
    // Nobody asks again for us: where it has no room now, it has some after its next turn.
    while handle.submit(command.clone()) == Ok(Answer::Refused(Rejection::Busy))
        && handle.query(|_| ()).is_ok()
    {}
}
